use cutover_core::sqlite::{HEADER_BYTES, Header, HeaderError, JournalMode, digest, page1_digest};
use proptest::prelude::*;

use crate::world::header_bytes;

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
    assert_eq!(with(1).unwrap().page_size, 65536, "1 stands for 65536, which has no room in two bytes");
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
    for (version, expected) in [(1, Ok(JournalMode::Delete)), (2, Ok(JournalMode::Wal)), (3, Err(HeaderError::Format(3)))] {
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

/// The bytes that a page copy or an open changes do not count; every other byte does.
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

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = (Header::parse(&bytes), page1_digest(&bytes));
        let mut header = header_bytes(JournalMode::Delete, 1).to_vec();
        header.truncate(bytes.len());
        for (at, byte) in bytes.iter().enumerate().filter(|(at, _)| *at >= 16 && *at < 100) {
            if let Some(to) = header.get_mut(at) { *to = *byte; }
        }
        if let Ok(header) = Header::parse(&header) {
            prop_assert!(header.page_size.is_power_of_two() && (512..=65536).contains(&header.page_size));
        }
    }
}
