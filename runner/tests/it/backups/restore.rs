//! A restore makes a whole backup the database again and sets v2 aside, or touches nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use cutover::planner::DataState;
use cutover::{BackupOptions, Code, Outcome, Recovery, Rule};
use rusqlite::Connection;

use super::{Bed, Calm, is_wal};
use crate::support::interrupt::Interrupt;
use crate::support::notes::{NOTES, rows};

#[test]
fn v1_is_the_database_again_and_v2_is_set_aside_with_every_row() {
    for (mode, wal) in [("WAL", true), ("DELETE", false)] {
        let bed = Bed::upgraded(mode);
        let backup = bed.path(bed.newest().to_str().unwrap());
        let before = std::fs::read(&backup).unwrap();
        // This row is in the log of a killed application.
        bed.sql(
            "data.db",
            "PRAGMA journal_mode = WAL; INSERT INTO note (body) VALUES ('after the upgrade')",
        );
        let result = bed.restore().unwrap();
        assert_eq!(
            (&result.backup, result.recovery, result.companions.len()),
            (&backup, Recovery::None, 0)
        );
        assert_eq!(is_wal(&bed.path("data.db")), wal, "v1 has its journal mode again");
        assert_eq!(rows(&bed.path("data.db"), "notes"), NOTES);
        assert_eq!(
            rows(&result.displaced, "note"),
            ["milk", "bread", "a new bicycle", "after the upgrade"]
        );
        assert_eq!(std::fs::read(&backup).unwrap(), before, "the backup stays a backup");
        let (backup, displaced) =
            (backup.file_name().unwrap(), result.displaced.file_name().unwrap());
        let seen = cutover::inspect(&bed.path("data.db"), &[].into()).unwrap();
        assert_eq!(
            (
                seen.displaced.keys().map(cutover::planner::FileName::as_str).collect::<Vec<_>>(),
                seen.leftovers.len()
            ),
            (vec![displaced.to_str().unwrap()], 0)
        );
        let wanted = [
            "data.db".into(),
            displaced.to_owned(),
            backup.to_owned(),
            format!("{}.json", backup.to_str().unwrap()).into(),
        ];
        assert_eq!(bed.names(), wanted.map(|name| name.into_string().unwrap()));
        assert_eq!(result.warnings, []);
        // The next start upgrades the restored v1.
        assert_eq!(bed.migrate(None).outcome, Outcome::Migrated);
        assert_eq!(rows(&bed.path("data.db"), "note"), NOTES);
    }
}

#[test]
fn two_restores_set_two_databases_aside() {
    let bed = Bed::upgraded("WAL");
    let first = bed.restore().unwrap();
    bed.sql("data.db", "INSERT INTO notes (text) VALUES ('of the old release')");
    let second = bed.restore().unwrap();
    assert_ne!(first.displaced, second.displaced);
    assert_eq!(rows(&first.displaced, "note"), NOTES);
    assert_eq!(
        rows(&second.displaced, "notes"),
        ["milk", "bread", "a new bicycle", "of the old release"]
    );
    assert_eq!(rows(&bed.path("data.db"), "notes"), NOTES);
}

#[test]
fn companions_come_back_and_what_was_there_is_kept() {
    let bed = Bed::upgraded_with_companion();
    assert_eq!(bed.read("auth.json"), "of v2");
    let restore = |options: &BackupOptions| {
        cutover::restore(&bed.path("data.db"), &bed.newest(), options, &mut Calm::default())
            .unwrap()
    };
    // Without a declaration only the database is restored, and the result says so.
    let bare = restore(&BackupOptions::default());
    let auth = bare.companions.values().next().unwrap();
    assert_eq!(
        (auth.restored, auth.why.as_deref()),
        (false, Some("it is not declared in the options"))
    );
    assert_eq!(bed.read("auth.json"), "of v2");
    let whole = restore(&bed.beside());
    let auth = whole.companions.values().next().unwrap();
    assert_eq!(
        (auth.restored, auth.why.as_deref(), bed.read("auth.json").as_str()),
        (true, None, "of v1")
    );
    assert_eq!(std::fs::read_to_string(auth.displaced.as_ref().unwrap()).unwrap(), "of v2");
    // The companion's backup stays too.
    let again = restore(&bed.beside());
    assert!(again.companions.values().next().unwrap().restored && bed.read("auth.json") == "of v1");
}

#[test]
fn a_backup_that_is_not_whole_is_refused_and_v2_stays() {
    let refused = |spoil: &dyn Fn(&Bed, &Path)| {
        let bed = Bed::upgraded("WAL");
        let backup = bed.path(bed.newest().to_str().unwrap());
        spoil(&bed, &backup);
        let failure = bed.restore().unwrap_err().failure;
        assert_eq!(rows(&bed.path("data.db"), "note"), NOTES);
        assert!(is_wal(&bed.path("data.db")), "v2 has its journal mode again");
        assert!(!bed.names().iter().any(|name| name.contains("cutover.json")
            || name.contains(".install-")
            || name.contains(".displaced-")));
        *failure
    };
    let lost =
        refused(&|_, backup| std::fs::remove_file(format!("{}.json", backup.display())).unwrap());
    assert_eq!(lost.code, Code::Verify);
    assert!(lost.to_string().contains("there is no receipt beside it"), "{}", lost.to_string());
    let written = refused(&|_, backup| {
        Connection::open(backup).unwrap().execute_batch("PRAGMA user_version = 7").unwrap();
    });
    assert!(written.to_string().contains("changed since it was made"), "{}", written.to_string());
    // Size and header are right, so only reading the file shows the damage.
    let torn = refused(&|_, backup| {
        let mut bytes = std::fs::read(backup).unwrap();
        bytes[4096..].fill(0xa5);
        std::fs::write(backup, bytes).unwrap();
    });
    assert_eq!(
        (torn.code, torn.data.state, torn.hint.as_str()),
        (
            Code::V1Corrupt,
            DataState::V2,
            "if the backup is damaged, choose another one; if the database is, move it away, and \
             copy a backup to its name"
        )
    );
    assert!(torn.to_string().contains("the backup is damaged"), "{}", torn.to_string());
    for other in ["/etc/hostname", "data.db", "data.db.v1-v2-1-00000000"] {
        let bed = Bed::upgraded("WAL");
        let failure = cutover::restore(
            &bed.path("data.db"),
            Path::new(other),
            &BackupOptions::default(),
            &mut Calm::default(),
        )
        .unwrap_err();
        assert_eq!(failure.failure.code, Code::Io, "{other}");
    }
}

#[test]
fn beside_an_unfinished_upgrade_nothing_is_restored_or_pruned() {
    let bed = Bed::upgraded("WAL");
    bed.restore().unwrap();
    let mut host = Interrupt { at: 8, seen: 0 };
    assert!(
        catch_unwind(AssertUnwindSafe(|| cutover::migrate(&bed.options(), &mut host).map(drop)))
            .is_err()
    );
    assert_eq!(bed.restore().unwrap_err().failure.code, Code::Journal);
    let rule = Rule { keep: Some(1), older_than_ms: None };
    let pruned = cutover::prune_backups(
        &bed.path("data.db"),
        rule,
        &BackupOptions::default(),
        &mut Calm::default(),
    );
    assert_eq!(pruned.unwrap_err().failure.code, Code::Journal);
    cutover::recover(&bed.options(), &mut Calm::default()).unwrap();
    bed.restore().unwrap();
}

#[test]
fn a_program_that_has_it_open_is_named() {
    let bed = Bed::upgraded("WAL");
    // On Windows pages are copied into the open database (`restore_on_windows.rs`).
    if !cfg!(windows) {
        let open = Connection::open(bed.path("data.db")).unwrap();
        open.execute_batch("SELECT * FROM note").unwrap();
        let failure = bed.restore().unwrap_err().failure;
        assert_eq!(failure.code, Code::Held);
        assert!(failure.holders.iter().any(|holder| holder.this_process));
    }
    let reader = Connection::open(bed.path(bed.newest().to_str().unwrap())).unwrap();
    reader.execute_batch("SELECT * FROM notes").unwrap();
    let failure = bed.restore().unwrap_err().failure;
    assert_eq!((failure.code, failure.data.state), (Code::Held, DataState::V2), "{failure}");
    drop(reader);
    bed.restore().unwrap();
}
