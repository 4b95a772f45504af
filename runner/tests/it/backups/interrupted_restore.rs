//! A start, or another restore, follows a restore that was interrupted.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cutover::{BackupOptions, Recovery};
use rusqlite::Connection;

use super::{Bed, Calm, version_of};
use crate::support::interrupt::Interrupt;
use crate::support::notes::{NOTES, rows};

/// Checks what a start finds after an interrupted restore. Returns whether the database is v2.
fn assert_whole(bed: &Bed, at: usize) -> bool {
    let path = bed.path("data.db");
    let version = version_of(&path);
    let v2 = ["milk", "bread", "a new bicycle", "after the upgrade"];
    let displaced: Vec<String> =
        bed.names().into_iter().filter(|name| name.starts_with("data.db.displaced-")).collect();
    if version == 2 {
        assert_eq!(
            (rows(&path, "note"), bed.read("auth.json").as_str()),
            (v2.map(str::to_owned).to_vec(), "of v2"),
            "{at}"
        );
        assert_eq!(displaced.len(), 0, "{at}");
    } else {
        assert_eq!(
            (rows(&path, "notes"), bed.read("auth.json").as_str()),
            (NOTES.map(str::to_owned).to_vec(), "of v1"),
            "{at}"
        );
        // A restore that had finished and is called again sets its v1 aside as well.
        assert!(displaced.iter().any(|name| version_of(&bed.path(name)) == 2 && rows(&bed.path(name), "note") == v2), "{at}");
    }
    let temporary = |name: &&String| {
        [".install-", ".building-", ".source-", "cutover.json"]
            .iter()
            .any(|part| name.contains(part))
    };
    assert_eq!(bed.names().iter().find(temporary), None, "{at}");
    assert!(bed.backups()[0].whole, "{at}");
    version == 2
}

#[test]
fn interrupted_at_any_step_the_next_start_has_one_or_the_other() {
    let mut both = [0, 0];
    for at in 0.. {
        let bed = Bed::upgraded_with_companion();
        bed.sql("data.db", "INSERT INTO note (body) VALUES ('after the upgrade')");
        let (path, backup) = (bed.path("data.db"), bed.newest());
        let mut host = Interrupt { at, seen: 0 };
        let ended = catch_unwind(AssertUnwindSafe(|| {
            cutover::restore(&path, &backup, &bed.beside(), &mut host).map(drop).unwrap();
        }));
        if ended.is_ok() {
            break;
        }
        // At any instant canonical is whole for any reader.
        let connection = Connection::open(&path).unwrap();
        let sound: String =
            connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok", "{at}");
        drop(connection);
        let mut options = bed.options();
        options.companions = bed.beside().companions;
        // A start with `detect` and another label, a start that only restores, and a start that is
        // interrupted again all end alike.
        options.label = "v2-v3".into();
        if at % 2 == 0 {
            let again = Interrupt { at: at / 4, seen: 0 };
            let _ = catch_unwind(AssertUnwindSafe(move || {
                let mut again = again;
                let _ = cutover::recover(&options, &mut again);
            }));
            let mut options = bed.options();
            options.companions = bed.beside().companions;
            cutover::recover(&options, &mut Calm::default()).unwrap();
            both[usize::from(assert_whole(&bed, at))] += 1;
        }
        let result = cutover::restore(&path, &backup, &bed.beside(), &mut Calm::default()).unwrap();
        assert!(result.displaced.exists(), "{at}");
        assert!(!assert_whole(&bed, at), "{at}");
    }
    assert!(both[0] > 5 && both[1] > 5, "{both:?}");
}

#[test]
fn an_interrupted_restore_that_was_done_is_not_done_again() {
    let bed = Bed::upgraded("WAL");
    let (path, backup) = (bed.path("data.db"), bed.newest());
    // Right after the flip's directory fsync.
    let at = 25;
    let mut host = Interrupt { at, seen: 0 };
    let _ = catch_unwind(AssertUnwindSafe(|| {
        cutover::restore(&path, &backup, &BackupOptions::default(), &mut host).map(drop).unwrap();
    }));
    assert_eq!(rows(&path, "notes"), NOTES, "the flip is done");
    let result = bed.restore().unwrap();
    assert_eq!(result.recovery, Recovery::Finished);
    assert_eq!(rows(&result.displaced, "note"), NOTES);
    assert_eq!(bed.names().iter().filter(|name| name.contains(".displaced-")).count(), 1);
}

/// A restore that was killed after its commit does not prove what the database is at the next call:
/// a person may have put v2 back.
#[test]
fn a_restore_after_v2_was_put_back_by_hand_restores_again() {
    let (mut put_back, mut at) = (0, 25);
    loop {
        let bed = Bed::upgraded("WAL");
        let (path, backup) = (bed.path("data.db"), bed.newest());
        let mut host = Interrupt { at, seen: 0 };
        let restore = || {
            cutover::restore(&path, &backup, &BackupOptions::default(), &mut host)
                .map(drop)
                .unwrap();
        };
        let ended = catch_unwind(AssertUnwindSafe(restore)).is_ok();
        let committed = bed.names().iter().any(|name| {
            name.ends_with("-cutover.json") && bed.read(name).contains(r#""committed""#)
        });
        if committed {
            let displaced =
                bed.names().into_iter().find(|name| name.contains(".displaced-")).unwrap();
            std::fs::rename(bed.path(&displaced), &path).unwrap();
            put_back += 1;
        }
        let result = bed.restore().unwrap();
        assert_eq!(rows(&path, "notes"), NOTES, "{at}");
        if committed {
            assert_eq!(rows(&result.displaced, "note"), NOTES, "{at}");
        }
        if ended {
            break;
        }
        at += 1;
    }
    assert!(put_back > 1, "{put_back}");
}
