use cutover_support::{Wal, WalReader, WalState, read_wal};
use proptest::prelude::*;

const PAGE: usize = 512;
const FRAME: usize = PAGE + 24;

fn sum(big: bool, (mut a, mut b): (u32, u32), bytes: &[u8]) -> (u32, u32) {
    let word = |bytes: &[u8]| {
        let bytes = bytes.try_into().unwrap();
        if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    for pair in bytes.chunks(8) {
        a = a.wrapping_add(word(&pair[..4])).wrapping_add(b);
        b = b.wrapping_add(word(&pair[4..])).wrapping_add(a);
    }
    (a, b)
}

/// A log as the file format describes it, with one frame for each of `commits`. That number is the
/// database's size where the frame ends a transaction.
fn log(big: bool, salts: [u32; 2], commits: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let words = |bytes: &mut Vec<u8>, words: &[u32]| {
        for word in words {
            bytes.extend(word.to_be_bytes());
        }
    };
    words(&mut bytes, &[0x377f_0682 + u32::from(big), 3_007_000, 512, 4, salts[0], salts[1]]);
    let mut running = sum(big, (0, 0), &bytes);
    words(&mut bytes, &[running.0, running.1]);
    for (number, commit) in (1..).zip(commits) {
        let mut head = Vec::new();
        words(&mut head, &[number, *commit]);
        let page = vec![u8::try_from(number).unwrap(); PAGE];
        running = sum(big, sum(big, running, &head), &page);
        words(&mut head, &[salts[0], salts[1], running.0, running.1]);
        bytes.extend(head);
        bytes.extend(page);
    }
    bytes
}

fn shm(salts: [u32; 2], backfilled: u32, last: u32) -> Vec<u8> {
    let mut one = vec![0; 48];
    one[12] = 1;
    one[16..20].copy_from_slice(&last.to_le_bytes());
    one[32..36].copy_from_slice(&salts[0].to_be_bytes());
    one[36..40].copy_from_slice(&salts[1].to_be_bytes());
    let mut all = [one.clone(), one].concat();
    all.extend(backfilled.to_le_bytes());
    all.resize(136, 0);
    all
}

fn counts(wal: &Wal) -> [u64; 6] {
    [
        wal.valid_frames,
        wal.torn_frames,
        wal.stale_frames,
        wal.commits,
        wal.committed_frames,
        wal.uncommitted_frames,
    ]
}

#[test]
fn frames_and_commits_are_counted() {
    for big in [false, true] {
        let wal = read_wal(&log(big, [7, 8], &[0, 2, 3, 0, 0]), None);
        assert_eq!((wal.state, counts(&wal)), (WalState::Usable, [5, 0, 0, 2, 3, 2]));
        assert_eq!(
            (wal.pages_after, wal.commits_not_checkpointed, wal.checkpointed_frames),
            (Some(3), 2, None)
        );
        let header = wal.header.unwrap();
        assert_eq!(
            (header.big_endian, header.page_size, header.checkpoint_sequence),
            (big, 512, 4)
        );
        assert_eq!(header.salts, "0000000700000008");
    }
}

#[test]
fn a_torn_frame_ends_it() {
    let whole = log(false, [7, 8], &[1, 2, 3]);
    let mut torn = whole.clone();
    torn[32 + FRAME + 30] ^= 1;
    assert_eq!(
        counts(&read_wal(&torn, None)),
        [1, 2, 0, 1, 1, 0],
        "and what is behind it does not count"
    );
    for cut in [1, 20, FRAME - 1] {
        assert_eq!(
            counts(&read_wal(&whole[..whole.len() - cut], None)),
            [2, 1, 0, 2, 2, 0],
            "{cut} bytes are missing"
        );
    }
    let mut no_page = log(false, [7, 8], &[]);
    let mut head = vec![0; 8];
    head.extend(7_u32.to_be_bytes());
    head.extend(8_u32.to_be_bytes());
    let running =
        sum(false, sum(false, sum(false, (0, 0), &no_page[..24]), &head[..8]), &[0; PAGE]);
    head.extend(running.0.to_be_bytes());
    head.extend(running.1.to_be_bytes());
    no_page.extend(head);
    no_page.extend([0; PAGE]);
    assert_eq!(counts(&read_wal(&no_page, None)), [0, 1, 0, 0, 0, 0], "there is no page 0");
}

#[test]
fn what_an_earlier_round_left_is_stale() {
    let mut bytes = log(false, [8, 1], &[1, 2]);
    bytes.extend(&log(false, [7, 9], &[1, 2, 3, 4])[32 + 2 * FRAME..]);
    assert_eq!(counts(&read_wal(&bytes, None)), [2, 0, 2, 2, 2, 0]);
    bytes.truncate(bytes.len() - 5);
    assert_eq!(counts(&read_wal(&bytes, None)), [2, 0, 2, 2, 2, 0], "cut short or not");
}

#[test]
fn the_shm_says_what_is_in_the_database() {
    let bytes = log(false, [7, 8], &[0, 2, 3, 4]);
    for (shm, frames, left) in [
        (shm([7, 8], 0, 4), Some(0), 3),
        (shm([7, 8], 3, 4), Some(3), 1),
        (shm([7, 8], 4, 4), Some(4), 0),
        (shm([7, 9], 4, 4), None, 3),
        (shm([7, 8], 5, 4), None, 3),
        (shm([7, 8], 4, 4)[..99].to_vec(), None, 3),
        (vec![0; 32768], None, 3),
    ] {
        let wal = read_wal(&bytes, Some(&shm));
        assert_eq!((wal.checkpointed_frames, wal.commits_not_checkpointed), (frames, left));
    }
    let mut half = shm([7, 8], 4, 4);
    half[50] ^= 1;
    assert_eq!(
        read_wal(&bytes, Some(&half)).checkpointed_frames,
        None,
        "a writer was killed between the two copies"
    );
}

#[test]
fn what_is_no_log_says_why() {
    let good = log(false, [7, 8], &[1]);
    assert_eq!(read_wal(&[], None).state, WalState::Empty);
    assert_eq!(
        (read_wal(&good[..32], None).state, read_wal(&good[..32], None).header.is_some()),
        (WalState::Empty, true)
    );
    for (at, said) in
        [(0, "begin"), (5, "checksum"), (9, "page size"), (13, "checksum"), (30, "checksum")]
    {
        let mut bytes = good.clone();
        bytes[at] ^= 0x40;
        let wal = read_wal(&bytes, None);
        assert!(
            wal.state == WalState::Unusable && wal.why.as_ref().unwrap().contains(said),
            "byte {at}: {wal:?}"
        );
        assert_eq!((counts(&wal), wal.size), ([0; 6], good.len() as u64));
    }
    assert!(read_wal(&good[..31], None).why.unwrap().contains("31 bytes"));
}

proptest! {
    /// The answer does not depend on the pieces in which any log is read.
    #[test]
    fn pieces_make_no_difference(
        commits in proptest::collection::vec(0..3_u32, 0..6),
        noise in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        cuts in proptest::collection::vec(1..700_usize, 1..20),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = log(false, [7, 8], &commits);
        for (at, byte) in noise {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(end.index(bytes.len() + 1));
        let whole = read_wal(&bytes, None);
        let mut reader = WalReader::new(None);
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            reader.feed(now);
            rest = later;
        }
        prop_assert_eq!(&reader.finish(), &whole);
        prop_assert!(whole.committed_frames + whole.uncommitted_frames == whole.valid_frames);
        prop_assert!(whole.commits <= whole.committed_frames && whole.commits_not_checkpointed <= whole.commits);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), shm in proptest::collection::vec(any::<u8>(), 0..140)) {
        let _ = read_wal(&bytes, Some(&shm));
        let _ = read_wal(&[&log(false, [1, 2], &[])[..], &bytes].concat(), Some(&shm));
    }
}
