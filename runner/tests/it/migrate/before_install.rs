//! cutover checks v2 before it installs v2. A failed build, a failed check or a stop leaves v1 in
//! its place.

use std::collections::BTreeMap;

use cutover::{BuildBy, BuildFrom, Built, Code, Make};
use rusqlite::Connection;
use serde_json::json;

use super::{Bed, Scripted, build_v2};

#[test]
fn a_failing_build_is_undone_and_its_own_error_comes_back() {
    for journal_mode in ["wal", "delete"] {
        let bed = Bed::new(journal_mode);
        let mut host = Scripted::default();
        host.build = Some(Box::new(|job| {
            job.save_state(json!({ "keychain": "entry" }))?;
            build_v2(job)?;
            Err("the keychain is locked".into())
        }));
        let error = cutover::migrate(&bed.host(BuildFrom::Empty), &mut host).unwrap_err();
        assert_eq!(error.failure.code, Code::Host);
        assert_eq!(error.cause.unwrap().to_string(), "the keychain is locked");
        assert!(
            error.failure.to_string().contains("your data is untouched, in"),
            "{}",
            error.failure.to_string()
        );
        assert!(
            error.failure.to_string().ends_with("[cutover:HOST:build-host]"),
            "{}",
            error.failure.to_string()
        );
        assert_eq!(*host.undone.borrow(), [Some(json!({ "keychain": "entry" }))]);
        drop(host);
        bed.assert_untouched(journal_mode);
    }
}

#[test]
fn a_v2_that_is_not_what_it_must_be_is_not_installed() {
    let still_old = "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT)";
    let broken_reference = "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a INTEGER \
                            REFERENCES a); INSERT INTO b VALUES (7); PRAGMA user_version = 2";
    let commits = "CREATE TABLE note (id INTEGER PRIMARY KEY); COMMIT; PRAGMA user_version = 2";
    let writes_v1 = "DELETE FROM v1.notes; PRAGMA user_version = 2";
    for (sql, code) in [
        (still_old, Code::StillOld),
        (broken_reference, Code::Verify),
        (commits, Code::Host),
        (writes_v1, Code::Host),
        ("nonsense", Code::Host),
    ] {
        let bed = Bed::new("wal");
        let options =
            bed.sql().make(Make { from: BuildFrom::Empty, run: BuildBy::Sql(sql.into()) });
        let error = cutover::migrate(&options, &mut Scripted::default()).unwrap_err();
        assert_eq!(error.failure.code, code, "{sql}: {}", error.failure);
        bed.assert_untouched("wal");
    }
}

#[test]
fn wrong_counts_and_a_failing_verify_are_undone() {
    let bed = Bed::new("wal");
    let mut host = Scripted::default();
    host.build = Some(Box::new(|job| {
        Ok(Built { expect: BTreeMap::from([("note".to_owned(), 4)]), ..build_v2(job)? })
    }));
    let error = cutover::migrate(&bed.host(BuildFrom::Empty), &mut host).unwrap_err();
    assert_eq!(error.failure.code, Code::Verify);
    assert!(
        error.failure.to_string().contains("table note has 3 rows; 4 were expected"),
        "{}",
        error.failure.to_string()
    );
    drop(host);
    bed.assert_untouched("wal");

    let mut host = Scripted {
        verify: Some(Box::new(|_| Err("a note is missing".into()))),
        ..Scripted::default()
    };
    let error = cutover::migrate(&bed.sql().verify(true), &mut host).unwrap_err();
    assert_eq!(error.cause.unwrap().to_string(), "a note is missing");
    drop(host);
    bed.assert_untouched("wal");
}

#[test]
fn foreign_key_violations_of_v1_are_warnings() {
    let bed = Bed::new("delete");
    bed.open()
        .execute_batch(
            "CREATE TABLE tag (note INTEGER REFERENCES notes (id)); PRAGMA foreign_keys = OFF; \
             INSERT INTO tag VALUES (99)",
        )
        .unwrap();
    let options = bed
        .sql()
        .make(Make { from: BuildFrom::Copy, run: BuildBy::Sql("PRAGMA user_version = 2".into()) });
    let result = cutover::migrate(&options, &mut Scripted::default()).unwrap();
    assert_eq!(result.warnings.len(), 1);
    assert!(
        result.warnings[0]
            .message
            .contains("1 row of tag refers to rows of notes that do not exist"),
        "{:?}",
        result.warnings
    );
}

#[test]
fn a_renamed_parent_keeps_its_violations() {
    let bed = Bed::new("delete");
    bed.open()
        .execute_batch(
            "PRAGMA foreign_keys = OFF; CREATE TABLE tag (note INTEGER REFERENCES notes (id)); \
             INSERT INTO tag VALUES (99)",
        )
        .unwrap();
    let rename = "ALTER TABLE notes RENAME TO note; PRAGMA user_version = 2";
    let options = bed.sql().make(Make { from: BuildFrom::Copy, run: BuildBy::Sql(rename.into()) });
    let result = cutover::migrate(&options, &mut Scripted::default()).unwrap();
    assert!(
        result.warnings[0].message.contains("1 row of tag refers to rows of note that"),
        "{:?}",
        result.warnings
    );
}

#[test]
fn stopping_is_honoured_until_v2_is_built_and_refused_after() {
    for op in ["look", "settle", "build-sql", "check", "sync-file"] {
        let bed = Bed::new("wal");
        let mut host = Scripted { stop_at: Some(op), ..Scripted::default() };
        let error = cutover::migrate(&bed.sql(), &mut host).unwrap_err();
        assert_eq!(error.failure.code, Code::Aborted, "{op}");
        drop(host);
        bed.assert_untouched("wal");
    }
    for op in ["lock-v1", "link", "write-receipt", "cleanup-host"] {
        let bed = Bed::new("wal");
        let mut host = Scripted { stop_at: Some(op), ..Scripted::default() };
        let result = cutover::migrate(&bed.sql(), &mut host).unwrap();
        assert_eq!(result.warnings[0].code.as_deref(), Some("ABORT_TOO_LATE"), "{op}");
        drop(host);
        bed.assert_migrated(&result);
    }
    let bed = Bed::new("wal");
    let error = cutover::migrate(&bed.sql(), &mut Scripted { stop: true, ..Scripted::default() })
        .unwrap_err();
    assert_eq!(error.failure.code, Code::Aborted);
    bed.assert_untouched("wal");
}

/// SQLite reports this in the words that it uses for a foreign schema. An application's `verify`
/// does not replace the check of it.
#[test]
fn a_schema_whose_pages_are_wrong_is_damage_with_or_without_verify() {
    let bed = Bed::new("delete");
    bed.open()
        .execute_batch(
            "CREATE TABLE more (x); PRAGMA writable_schema = ON; UPDATE sqlite_master SET \
             rootpage = 999 WHERE name = 'more'",
        )
        .unwrap();
    let mut host = Scripted::default();
    host.build = Some(Box::new(|job| {
        Connection::open(job.staging())?
            .execute_batch("PRAGMA writable_schema = ON; PRAGMA user_version = 2")?;
        Ok(Built::default())
    }));
    host.verify = Some(Box::new(|_| Ok(())));
    let options = bed.host(BuildFrom::Copy).verify(true);
    let error = cutover::migrate(&options, &mut host).unwrap_err();
    assert!(matches!(error.failure.code, Code::Verify | Code::V1Corrupt), "{:?}", error.failure);
    assert_eq!(bed.names(), ["data.db"]);
}
