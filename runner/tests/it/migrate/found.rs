//! A start finds a v1, a v2, a file that is neither, or what a killed program left beside it.

use cutover::{BuildBy, BuildFrom, Code, Detect, Make, Outcome, Value, Verdict};

use super::{Bed, Scripted};
use crate::support::directory::real;
use crate::support::notes::{TO_V2, rows};

#[test]
fn rows_that_are_only_in_the_wal_are_migrated_and_backed_up() {
    let bed = Bed::new("wal");
    let live = bed.open();
    live.execute_batch(
        "PRAGMA wal_autocheckpoint = 0; INSERT INTO notes (text) VALUES ('only in the wal')",
    )
    .unwrap();
    // The files as a killed process leaves them.
    let crashed = Bed { directory: tempfile::tempdir().unwrap() };
    for name in ["data.db", "data.db-wal"] {
        std::fs::copy(bed.directory.path().join(name), crashed.directory.path().join(name))
            .unwrap();
    }
    let result = cutover::migrate(&crashed.sql(), &mut Scripted::default()).unwrap();
    assert_eq!(crashed.notes("note").last().unwrap(), "only in the wal");
    assert_eq!(rows(&result.backup.unwrap(), "notes").last().unwrap(), "only in the wal");
}

#[test]
fn a_file_that_is_not_v1_is_left_alone() {
    let empty = Bed { directory: tempfile::tempdir().unwrap() };
    assert_eq!(
        cutover::migrate(&empty.sql(), &mut Scripted::default()).unwrap().outcome,
        Outcome::NoDatabase
    );
    std::fs::write(empty.path(), b"").unwrap();
    assert_eq!(
        cutover::migrate(&empty.sql(), &mut Scripted::default()).unwrap().outcome,
        Outcome::NoDatabase
    );
    assert_eq!(empty.names(), ["data.db"]);

    std::fs::write(empty.path(), [b'x'; 4096]).unwrap();
    let error = cutover::migrate(&empty.sql(), &mut Scripted::default()).unwrap_err();
    assert_eq!(error.failure.code, Code::NotADatabase);
    assert_eq!(std::fs::read(empty.path()).unwrap(), [b'x'; 4096]);

    // This looks like an encrypted database, which nothing in it says.
    let encrypted: Vec<u8> =
        (0..8192_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    std::fs::write(empty.path(), &encrypted).unwrap();
    let error = cutover::migrate(&empty.sql(), &mut Scripted::default()).unwrap_err();
    assert_eq!(error.failure.code, Code::NotADatabase);
    assert_eq!(std::fs::read(empty.path()).unwrap(), encrypted);
    let said = error.failure.to_string();
    let why = "the file has no SQLite header: it may be encrypted, and cutover does not open \
               encrypted databases; if the application encrypts it, leave it where it is";
    assert!(said.find(why).is_some_and(|at| at < said.find("move it away").unwrap()), "{said}");

    let newer = Bed::new("wal");
    newer.open().execute_batch("PRAGMA user_version = 3").unwrap();
    let error = cutover::migrate(&newer.sql(), &mut Scripted::default()).unwrap_err();
    assert_eq!(error.failure.code, Code::Newer);
    newer.assert_untouched("wal");
}

/// An application that makes a new database then would hide the user's rows.
#[test]
fn a_database_that_is_missing_beside_its_rows_is_a_warning() {
    let missing = |path: &std::path::Path| std::fs::remove_file(path).unwrap();
    let empty = |path: &std::path::Path| std::fs::write(path, b"").unwrap();
    let lost: [(&str, &dyn Fn(&std::path::Path)); 2] = [("missing", &missing), ("empty", &empty)];
    for (word, lose) in lost {
        let bed = Bed::new("wal");
        let result = cutover::migrate(&bed.sql(), &mut Scripted::default()).unwrap();
        assert_eq!((result.found.len(), result.warnings.len()), (0, 0));
        let backup = result.backup.unwrap();
        let displaced = bed.path().with_file_name("data.db.displaced-0a1b2c3d");
        std::fs::copy(bed.path(), &displaced).unwrap();
        // Neither holds rows.
        std::fs::write(bed.path().with_file_name("data.db.install-0a1b2c3d"), b"").unwrap();
        std::fs::write(bed.path().with_file_name("other.db"), b"rows of another").unwrap();
        lose(&bed.path());
        let names = bed.names();
        let result = cutover::migrate(&bed.sql(), &mut Scripted::default()).unwrap();
        assert_eq!(result.outcome, Outcome::NoDatabase);
        assert_eq!(result.found, [&displaced, &backup].map(|path| real(path)));
        let [warning] = &result.warnings[..] else { panic!("{:?}", result.warnings) };
        assert_eq!(warning.code.as_deref(), Some("NO_DATABASE"));
        for path in &result.found {
            assert!(warning.message.contains(&*path.display().to_string()), "{warning:?}");
        }
        assert!(warning.message.contains(&format!("data.db is {word}")), "{warning:?}");
        assert_eq!(bed.names(), names, "nothing is made");
    }
}

#[test]
fn every_way_to_detect_works() {
    let stamp =
        || Detect::Stamp { table: "meta".into(), column: "version".into(), value: "2".into() };
    let stamped =
        format!("{TO_V2} CREATE TABLE meta (version INTEGER); INSERT INTO meta VALUES (2);");
    for (detect, sql) in
        [(stamp(), stamped.as_str()), (Detect::Host, TO_V2), (Detect::UserVersion(2), TO_V2)]
    {
        let bed = Bed::new("wal");
        let options = bed
            .sql()
            .detect(detect)
            .make(Make { from: BuildFrom::Empty, run: BuildBy::Sql(sql.into()) });
        let mut host = Scripted {
            detect: Some(Box::new(|db| {
                let version = db.all("PRAGMA user_version", &[]).unwrap()[0][0].1.clone();
                if version == Value::Integer(2) { Verdict::Current } else { Verdict::Old }
            })),
            ..Scripted::default()
        };
        let result = cutover::migrate(&options, &mut host).unwrap();
        bed.assert_migrated(&result);
        assert_eq!(cutover::migrate(&options, &mut host).unwrap().outcome, Outcome::Current);
    }
}

#[test]
fn looking_at_a_current_database_changes_nothing() {
    let bed = Bed::new("wal");
    bed.open().execute_batch("PRAGMA user_version = 2").unwrap();
    let before = std::fs::read(bed.path()).unwrap();
    assert_eq!(
        cutover::migrate(&bed.sql(), &mut Scripted::default()).unwrap().outcome,
        Outcome::Current
    );
    assert_eq!(cutover::plan(&bed.sql(), &mut Scripted::default()).unwrap(), None);
    assert!(cutover::inspect(&bed.path(), &[].into()).unwrap().exists);
    assert_eq!(std::fs::read(bed.path()).unwrap(), before);
    assert_eq!(bed.names(), ["data.db"]);
}

#[test]
fn sidecars_that_sqlite_ignores_are_no_reason_to_refuse() {
    for (suffix, bytes) in [("-shm", 32768), ("-wal", 0), ("-journal", 0)] {
        let bed = Bed::new("delete");
        std::fs::write(bed.directory.path().join(format!("data.db{suffix}")), vec![0; bytes])
            .unwrap();
        let result = cutover::migrate(&bed.sql(), &mut Scripted::default()).unwrap();
        bed.assert_migrated(&result);
    }
}

#[test]
fn a_process_that_was_killed_in_its_first_transaction_left_no_database() {
    let bed = Bed { directory: tempfile::tempdir().unwrap() };
    let db = bed.open();
    db.execute_batch(
        "PRAGMA cache_size = 2; BEGIN; CREATE TABLE t (x); INSERT INTO t VALUES (zeroblob(50000))",
    )
    .unwrap();
    let journal = std::fs::read(bed.directory.path().join("data.db-journal")).unwrap();
    drop(db);
    std::fs::write(bed.path(), b"").unwrap();
    std::fs::write(bed.directory.path().join("data.db-journal"), journal).unwrap();
    assert_eq!(
        cutover::migrate(&bed.sql(), &mut Scripted::default()).unwrap().outcome,
        Outcome::NoDatabase
    );
    // A log beside an empty database is different: SQLite would delete it at the next open.
    std::fs::write(bed.directory.path().join("data.db-wal"), [0; 4152]).unwrap();
    assert_eq!(
        cutover::migrate(&bed.sql(), &mut Scripted::default()).unwrap_err().failure.code,
        Code::V1Corrupt
    );
}

#[test]
fn a_schema_that_only_libsql_reads_is_not_called_damage() {
    let bed = Bed::new("wal");
    bed.open()
        .execute_batch(
            "PRAGMA writable_schema = ON;
             INSERT INTO sqlite_master VALUES ('table', 'odd', 'odd', 0, 'CREATE TABLE odd (x) \
             RANDOM ROWID');",
        )
        .unwrap();
    let error = cutover::migrate(&bed.sql(), &mut Scripted::default()).unwrap_err();
    assert_eq!(error.failure.code, Code::Io);
    assert!(
        error.failure.to_string().contains("stock SQLite cannot read this schema"),
        "{}",
        error.failure.to_string()
    );
    bed.open()
        .execute_batch("PRAGMA writable_schema = ON; DELETE FROM sqlite_master WHERE name = 'odd'")
        .unwrap();
    bed.assert_untouched("wal");
}
