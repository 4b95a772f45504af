use cutover_core::{HEADER_BYTES, Header, HeaderError, JournalMode, digest, page1_digest};
use cutover_support::{TextEncoding, read_database_header};
use proptest::prelude::*;

use cutover_world::header_bytes;

#[test]
fn a_header_is_read() {
    let mut bytes = header_bytes(JournalMode::Wal, 0x0102_0304);
    bytes[60..64].copy_from_slice(&(-2_i32).to_be_bytes());
    bytes[68..72].copy_from_slice(b"LITE");
    let header = Header::parse(&bytes).unwrap();
    assert_eq!(header.page_size, 4096);
    assert_eq!(header.journal_mode, JournalMode::Wal);
    assert_eq!(header.change_counter, 0x0102_0304);
    assert_eq!(header.page_count, 2);
    assert_eq!(header.user_version, -2);
    assert_eq!(header.application_id, 0x4c49_5445);
    assert_eq!(header.bytes.len(), 2 * HEADER_BYTES);
    assert!(header.bytes.starts_with("53514c69746520666f726d6174203300"), "{}", header.bytes);
}

#[test]
fn every_page_size_of_sqlite_is_read_and_no_other() {
    let with = |size: u16| {
        let mut bytes = header_bytes(JournalMode::Delete, 1);
        bytes[16..18].copy_from_slice(&size.to_be_bytes());
        Header::parse(&bytes)
    };
    assert_eq!(
        with(1).unwrap().page_size,
        65536,
        "1 stands for 65536, which has no room in two bytes"
    );
    for power in 9..=15 {
        assert_eq!(with(1 << power).unwrap().page_size, 1 << power);
    }
    for size in [0, 2, 256, 511, 513, 4095, 4097, 65535] {
        assert_eq!(with(size), Err(HeaderError::PageSize(u32::from(size))));
    }
}

#[test]
fn the_read_version_decides_whether_it_can_be_read() {
    let mut bytes = header_bytes(JournalMode::Delete, 1);
    for (version, expected) in
        [(1, Ok(JournalMode::Delete)), (2, Ok(JournalMode::Wal)), (3, Err(HeaderError::Format(3)))]
    {
        bytes[19] = version;
        assert_eq!(Header::parse(&bytes).map(|header| header.journal_mode), expected);
    }
}

#[test]
fn what_is_no_database_says_why() {
    let good = header_bytes(JournalMode::Delete, 1);
    for length in [0, 1, 16, 99] {
        assert_eq!(Header::parse(&good[..length]), Err(HeaderError::Short(length)));
    }
    for at in 0..16 {
        let mut bytes = good;
        bytes[at] ^= 0x20;
        assert_eq!(Header::parse(&bytes), Err(HeaderError::Magic), "byte {at}");
    }
    assert_eq!(Header::parse(&[0; 512]), Err(HeaderError::Magic));
}

#[test]
fn digests_are_sha_256() {
    assert_eq!(digest(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/// The digest ignores the bytes that a page copy or an open changes, and no other byte.
#[test]
fn the_masked_digest_sees_every_byte_but_those_of_an_open() {
    let masked = |at: usize| matches!(at, 18..=19 | 24..=27 | 40..=43 | 92..=95);
    let mut page = vec![0_u8; 512];
    page[..100].copy_from_slice(&header_bytes(JournalMode::Delete, 5));
    let whole = page1_digest(&page);
    for at in 0..page.len() {
        page[at] ^= 0xff;
        assert_eq!(page1_digest(&page) == whole, masked(at), "byte {at}");
        page[at] ^= 0xff;
    }
    assert_ne!(page1_digest(&page[..511]), whole, "a shorter page");
}

#[test]
fn every_field_has_its_name() {
    let mut bytes = header_bytes(JournalMode::Delete, 9);
    for (at, word) in [
        (32, 0_u32),
        (36, 0),
        (40, 11),
        (48, 0xffff_f830),
        (52, 5),
        (56, 3),
        (60, 7),
        (64, 1),
        (68, 0x1234_5678),
    ] {
        bytes[at..at + 4].copy_from_slice(&word.to_be_bytes());
    }
    let read = read_database_header(&bytes, Some(8192)).unwrap();
    assert_eq!((read.write_version, read.read_version, read.reserved_bytes), (1, 1, 0));
    assert_eq!(
        (read.max_payload_fraction, read.min_payload_fraction, read.leaf_payload_fraction),
        (64, 32, 32)
    );
    assert_eq!((read.change_counter, read.page_count, read.page_count_is_valid), (9, 2, true));
    assert_eq!((read.schema_cookie, read.schema_format, read.default_cache_size), (11, 4, -2000));
    assert_eq!((read.largest_root_page, read.text_encoding), (5, Some(TextEncoding::Utf16Be)));
    assert_eq!(
        (read.user_version, read.incremental_vacuum, read.application_id),
        (7, true, 0x1234_5678)
    );
    assert_eq!(
        (read.version_valid_for, read.sqlite_version, read.size),
        (9, 3_054_000, Some(8192))
    );
    assert_eq!((&read.page1, read.problems), (&None, Vec::<String>::new()));
    let mut page = bytes.to_vec();
    page.resize(4096, 0);
    assert_eq!(read_database_header(&page, None).unwrap().page1, Some(page1_digest(&page)));
}

#[test]
fn what_does_not_fit_is_said() {
    let good = header_bytes(JournalMode::Delete, 1);
    let problem = |at: usize, to: &[u8], size: u64| {
        let mut bytes = good;
        bytes[at..at + to.len()].copy_from_slice(to);
        read_database_header(&bytes, Some(size)).unwrap().problems.join("; ")
    };
    assert_eq!(problem(0, b"S", 8192), "");
    for (at, to, size, said) in [
        (0, &b"S"[..], 4096, "cut short"),
        (0, b"S", 12288, "counts only 8192"),
        (0, b"S", 8000, "not a whole number of pages"),
        (18, &[3, 1], 8192, "write version"),
        (20, &[255], 8192, ""),
        (21, &[65], 8192, "payload"),
        (36, &[0, 0, 0, 2], 8192, "free"),
        (44, &[0, 0, 0, 5], 8192, "schema format"),
        (56, &[0, 0, 0, 4], 8192, "text encoding"),
        (72, &[1], 8192, "reserved"),
        // The SQLite that wrote last did not keep the count, so only the size counts.
        (92, &[9], 4096, ""),
        // In WAL mode some pages may be in the log only.
        (18, &[2, 2], 4096, ""),
    ] {
        let found = problem(at, to, size);
        assert!(
            found.contains(said) && found.is_empty() == said.is_empty(),
            "byte {at}: {found:?}"
        );
    }
    let mut small = good;
    small[16..18].copy_from_slice(&512_u16.to_be_bytes());
    small[20] = 40;
    assert!(read_database_header(&small, Some(1024)).unwrap().problems[0].contains("480"));
}

#[test]
fn a_stranger_is_named() {
    let random: Vec<u8> = (0..200)
        .map(|number| {
            digest(&[number]).as_bytes()[0]
                ^ digest(&[number]).as_bytes()[9].rotate_left(4)
                ^ number
        })
        .collect();
    for (bytes, said) in [
        (random, "encrypted"),
        (vec![0; 4096], "all zero"),
        (b"{\"version\": 2}".to_vec(), "JSON"),
        (vec![b'x'; 300], "text"),
        (vec![0x37, 0x7f, 6, 0x82, 0, 0], "write-ahead log"),
        (vec![0xd9, 0xd5, 5, 0xf9, 0x20, 0xa1, 0x63, 0xd7], "rollback journal"),
        (vec![0x1f, 0x8b, 8, 0], "archive"),
        (vec![1, 2, 3, 250], "something else"),
    ] {
        let error = read_database_header(&bytes, None).unwrap_err();
        assert!(
            matches!(error, HeaderError::Stranger(_)) && error.to_string().contains(said),
            "{error}"
        );
    }
    assert_eq!(read_database_header(b"", Some(0)), Err(HeaderError::Short(0)));
    assert_eq!(read_database_header(b"SQLite format 3\0abc", None), Err(HeaderError::Short(19)));
    assert_eq!(read_database_header(b"SQLite", None), Err(HeaderError::Short(6)));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (Header::parse(&bytes), page1_digest(&bytes), read_database_header(&bytes, Some(u64::MAX)));
        let mut header = header_bytes(JournalMode::Delete, 1).to_vec();
        header.truncate(bytes.len());
        for (at, byte) in bytes.iter().enumerate().filter(|(at, _)| *at >= 16 && *at < 100) {
            if let Some(to) = header.get_mut(at) { *to = *byte; }
        }
        let _ = read_database_header(&header, Some(bytes.len() as u64));
        if let Ok(header) = Header::parse(&header) {
            prop_assert!(header.page_size.is_power_of_two() && (512..=65536).contains(&header.page_size));
        }
    }
}
