//! A disk that fails one flush. In turn, `strace` answers each `fsync` of an upgrade once with EIO.
//!
//! After a failed flush the kernel has dropped the pages but marked them clean. So the flush must
//! not be repeated on the same data, and the data is not durable. Up to the flip's last flush the
//! upgrade therefore fails, and the application does not open v2. After it, a failed flush is a
//! warning.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};

use crate::support::companion::{Bed, Does, Ending};
use crate::support::{companion, strace};
use rusqlite::Connection;

/// Runs the example under `strace`. Returns whether it succeeded, and the names of the flushed
/// files in order.
fn upgrade(database: &Path, inject: Option<usize>) -> (bool, Vec<String>) {
    let inject: Vec<String> =
        inject.iter().map(|at| format!("--inject=fsync,fdatasync:error=EIO:when={at}")).collect();
    let (output, calls) = strace::run("fsync,fdatasync", &inject, &strace::example(database));
    let name = |line: &String| Some(line.split(['<', '>']).nth(1)?.rsplit('/').next()?.to_owned());
    (output.status.success(), calls.iter().filter_map(name).collect())
}

/// A v1 in WAL mode with rows that are only in its log, as a killed application leaves it.
fn seed(directory: &Path) -> PathBuf {
    let live = directory.join("live.db");
    let db = Connection::open(&live).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE notes (id INTEGER \
         PRIMARY KEY, text TEXT NOT NULL);
         INSERT INTO notes (text) VALUES ('milk'), ('bread'), ('a new bicycle')",
    )
    .unwrap();
    let database = directory.join("data.db");
    std::fs::copy(&live, &database).unwrap();
    std::fs::copy(directory.join("live.db-wal"), directory.join("data.db-wal")).unwrap();
    drop(db);
    std::fs::remove_file(live).unwrap();
    database
}

#[test]
fn a_flush_that_fails_fails_the_upgrade_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (ok, flushed) = upgrade(&seed(directory.path()), None);
    assert!(ok);
    let total = flushed.len();
    // The number does not depend on the machine: SQLite makes 7 flushes to settle v1, the plan 11.
    assert_eq!(total, 18, "{flushed:?}");

    let mut failed = Vec::new();
    for at in 1..=total {
        let directory = tempfile::tempdir().unwrap();
        let database = seed(directory.path());
        let (ok, flushed_then) = upgrade(&database, Some(at));
        if !ok {
            failed.push(at);
            // Never repeated on the same data: v2's file is flushed once, and then discarded.
            let staged = flushed_then.iter().filter(|name| name.contains(".building-")).count();
            assert!(staged <= 1, "{at}: {flushed_then:?}");
        }
        let (ok, _) = upgrade(&database, None);
        assert!(ok, "{at}");
        let notes: i64 = Connection::open(&database)
            .unwrap()
            .query_row("SELECT count(*) FROM note", [], |row| row.get(0))
            .unwrap();
        assert_eq!(notes, 3, "{at}");
        let mut names: Vec<String> = std::fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.retain(|name| !name.ends_with("-lock") && !name.starts_with("data.db-"));
        assert_eq!(names.len(), 3, "{at}: {names:?}");
    }
    // Two of SQLite's flushes are of the directory, after it made a sidecar. SQLite ignores their
    // result (unixSync in os_unix.c), and the plan flushes the directory itself before it relies on
    // it. From the 15th flush on v2 is in place.
    let ignored = |at: &usize| {
        flushed[at - 2].ends_with("data.db-wal")
            || (flushed[at - 2].ends_with("data.db-journal") && *at == 7)
    };
    let must_fail: Vec<usize> = (1..=14).filter(|at| *at < 2 || !ignored(at)).collect();
    assert_eq!(failed, must_fail, "{flushed:?}");
    assert_eq!(must_fail.len(), 12);
}

#[test]
fn a_flush_of_a_companion_that_fails_fails_the_upgrade_or_is_a_warning() {
    use Ending::{Left, Undone, Warned};
    const FLUSHES: &str = "fsync,fdatasync";
    // In order: the backup and its name; the staged file and its name; the installation; and the
    // clean-up after the commit.
    let staged = [
        ("file", Undone),
        ("directory", Undone),
        ("file", Undone),
        ("directory", Undone),
        ("directory", Left),
        ("directory", Warned),
    ];
    // Before the installation: the name of the content that another program wrote meanwhile.
    let changed = [&staged[..5], &staged[4..]].concat();
    let in_place = [staged[0], staged[1], staged[5]];
    // The undo: the name of the displaced content, the companion as it was, and the removal.
    let undone = [&staged[..2], &[("directory", Left); 3]].concat();
    for (does, expected) in [
        (Does::Stages, &staged[..]),
        (Does::StagesBesideAnother, &changed),
        (Does::WritesInPlace, &in_place),
        (Does::WritesInPlaceAndFails, &undone),
    ] {
        let root = tempfile::tempdir().unwrap();
        let (_, calls) = strace::run(FLUSHES, &[], &Bed::new(root.path()).program(does));
        let mut endings = Vec::new();
        for (at, call) in calls.iter().enumerate().filter(|(_, call)| call.contains("/elsewhere")) {
            // From this flush on the companion had been written under its own name.
            let wrote = endings.len() >= if does == Does::WritesInPlaceAndFails { 2 } else { 4 };
            let ending = companion::befallen(
                does,
                FLUSHES,
                |_| vec![strace::inject(&calls, at, "error=EIO")],
                call,
                wrote,
            );
            // A backup and a staged file are both made under a temporary name.
            endings.push((if call.contains(".tmp>") { "file" } else { "directory" }, ending));
        }
        assert_eq!(endings, expected, "{does:?}");
    }
}
