//! Reads headers and logs of files that SQLite wrote.

use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use cutover::planner::JournalMode;
use cutover_support::{TextEncoding, WalReader, WalState, read_database_header, read_wal};
use rusqlite::Connection;

fn header_of(path: &Path) -> cutover_support::DatabaseHeader {
    let mut page = Vec::new();
    std::fs::File::open(path).unwrap().take(65536).read_to_end(&mut page).unwrap();
    read_database_header(&page, Some(std::fs::metadata(path).unwrap().len())).unwrap()
}

/// Compares every field with the pragma that SQLite has for it.
#[test]
fn a_header_says_what_sqlite_says() {
    let scratch = tempfile::tempdir().unwrap();
    for (number, setup) in [
        "",
        "PRAGMA page_size=512; PRAGMA encoding='UTF-16be'; PRAGMA user_version=-7; PRAGMA \
         application_id=123456;",
        "PRAGMA page_size=65536; PRAGMA auto_vacuum=INCREMENTAL; PRAGMA encoding='UTF-16le'; \
         PRAGMA default_cache_size=77;",
        "PRAGMA journal_mode=WAL; PRAGMA user_version=2;",
    ]
    .into_iter()
    .enumerate()
    {
        let path = scratch.path().join(format!("{number}.db"));
        let db = Connection::open(&path).unwrap();
        db.execute_batch(&format!(
            "{setup} CREATE TABLE t(a); INSERT INTO t VALUES (zeroblob(9000)), (zeroblob(9000)); \
             DELETE FROM t WHERE rowid=1;"
        ))
        .unwrap();
        let pragma = |name: &str| {
            db.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0)).unwrap()
        };
        let facts = [
            "page_size",
            "page_count",
            "user_version",
            "application_id",
            "freelist_count",
            "schema_version",
            "default_cache_size",
        ]
        .map(pragma);
        let encoding: String = db.query_row("PRAGMA encoding", [], |row| row.get(0)).unwrap();
        let vacuum = pragma("auto_vacuum");
        db.close().unwrap();
        let header = header_of(&path);
        let read = [
            i64::from(header.page_size),
            i64::from(header.page_count),
            i64::from(header.user_version),
            i64::from(header.application_id),
            i64::from(header.freelist_pages),
            i64::from(header.schema_cookie),
        ];
        assert_eq!(read[..], facts[..6], "{setup}");
        if setup.contains("default_cache_size") {
            assert_eq!(i64::from(header.default_cache_size), facts[6]);
        }
        let encodings = [
            ("UTF-8", TextEncoding::Utf8),
            ("UTF-16le", TextEncoding::Utf16Le),
            ("UTF-16be", TextEncoding::Utf16Be),
        ];
        assert_eq!(
            encodings.iter().find(|(name, _)| *name == encoding).map(|(_, is)| *is),
            header.text_encoding
        );
        assert_eq!(
            (header.incremental_vacuum, header.largest_root_page > 0),
            (vacuum == 2, vacuum > 0)
        );
        assert_eq!(header.journal_mode == JournalMode::Wal, setup.contains("WAL"));
        assert_eq!(header.sqlite_version, u32::try_from(rusqlite::version_number()).unwrap());
        assert!(header.page_count_is_valid && header.page1.is_some());
        assert_eq!(header.problems, Vec::<String>::new(), "{setup}");
        // Half of the last page is missing.
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(header.size.unwrap() - u64::from(header.page_size) / 2).unwrap();
        assert!(!header_of(&path).problems.is_empty());
    }
}

/// A database with an open log: `commits` transactions, none of them checkpointed.
fn with_log(path: &Path, commits: u32) -> Connection {
    let db = Connection::open(path).unwrap();
    db.execute_batch("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a);")
        .unwrap();
    for _ in 1..commits {
        db.execute("INSERT INTO t VALUES (zeroblob(5000))", []).unwrap();
    }
    db
}

fn side(path: &Path, suffix: &str) -> Vec<u8> {
    std::fs::read(format!("{}{suffix}", path.display())).unwrap()
}

#[test]
fn a_log_says_what_sqlite_says() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("data.db");
    let db = with_log(&path, 5);
    let wal = read_wal(&side(&path, "-wal"), Some(&side(&path, "-shm")));
    assert_eq!(
        (wal.state, wal.commits, wal.commits_not_checkpointed, wal.checkpointed_frames),
        (WalState::Usable, 5, 5, Some(0)),
        "{wal:?}"
    );
    assert_eq!((wal.torn_frames, wal.stale_frames, wal.uncommitted_frames), (0, 0, 0));
    let pages: u32 = db.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    assert_eq!(wal.pages_after, Some(pages));

    // SQLite's own count of frames in the log, and of frames that are in the database.
    let checkpoint = |how: &str| {
        db.query_row(&format!("PRAGMA wal_checkpoint({how})"), [], |row| {
            Ok((row.get::<_, u32>(1)?, row.get::<_, u32>(2)?))
        })
        .unwrap()
    };
    let (frames, moved) = checkpoint("PASSIVE");
    let frames = u64::from(frames);
    let wal = read_wal(&side(&path, "-wal"), Some(&side(&path, "-shm")));
    assert_eq!(
        (wal.valid_frames, wal.checkpointed_frames, wal.commits_not_checkpointed),
        (frames, Some(moved), 0)
    );
    assert_eq!(
        read_wal(&side(&path, "-wal"), None).commits_not_checkpointed,
        5,
        "without the -shm the number is unknown"
    );

    // The next commit starts the log again, over the old frames, which are then stale.
    db.execute("INSERT INTO t VALUES (1)", []).unwrap();
    let wal = read_wal(&side(&path, "-wal"), Some(&side(&path, "-shm")));
    assert_eq!((wal.commits, wal.commits_not_checkpointed), (1, 1), "{wal:?}");
    assert_eq!(wal.valid_frames + wal.stale_frames, frames);
    assert_eq!(wal.header.unwrap().checkpoint_sequence, 1);

    // A transaction that spilled into the log and was never committed.
    db.execute_batch(
        "PRAGMA cache_size=2; BEGIN; INSERT INTO t SELECT zeroblob(5000) FROM t, t, t LIMIT 300;",
    )
    .unwrap();
    let wal = read_wal(&side(&path, "-wal"), None);
    assert!(wal.uncommitted_frames > 0 && wal.commits == 1, "{wal:?}");
}

/// SQLite recovers exactly the commits that the reader counts, wherever the log is torn.
#[test]
fn a_torn_log_is_read_as_sqlite_reads_it() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("data.db");
    let db = with_log(&path, 6);
    let (main, log) = (std::fs::read(&path).unwrap(), side(&path, "-wal"));
    drop(db);
    for at in (0..log.len()).step_by(997) {
        let torn = scratch.path().join(format!("torn-{at}.db"));
        std::fs::write(&torn, &main).unwrap();
        let mut bytes = log.clone();
        bytes[at] ^= 0x10;
        std::fs::write(format!("{}-wal", torn.display()), &bytes).unwrap();
        let wal = read_wal(&bytes, None);
        let db = Connection::open(&torn).unwrap();
        let rows = db.query_row("SELECT count(*) FROM t", [], |row| row.get::<_, u32>(0)).ok();
        // The first commit makes the table; without a commit there is no table.
        assert_eq!(u64::from(rows.map_or(0, |rows| rows + 1)), wal.commits, "byte {at}: {wal:?}");
    }
}

/// A sparse database of 4 GB, which takes no space. It is judged from its first page and its size.
#[test]
fn a_large_database_is_judged_from_its_first_page() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("data.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t(a)").unwrap();
    let size: u64 = 4 << 30;
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(28)).unwrap();
    file.write_all(&u32::try_from(size / 4096).unwrap().to_be_bytes()).unwrap();
    file.set_len(size).unwrap();
    let header = header_of(&path);
    assert_eq!((header.size, header.problems), (Some(size), vec![]));
    file.set_len(size - 4096).unwrap();
    assert!(header_of(&path).problems[0].contains("cut short"));
}

#[test]
fn a_log_is_read_in_pieces_of_any_size() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("data.db");
    let _db = with_log(&path, 9);
    let log = side(&path, "-wal");
    let whole = read_wal(&log, None);
    for size in [1, 7, 4096, 65536] {
        let mut reader = WalReader::new(None);
        log.chunks(size).for_each(|piece| reader.feed(piece));
        assert_eq!(reader.finish(), whole);
    }
}
