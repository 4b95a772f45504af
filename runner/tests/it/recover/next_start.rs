//! The next start finishes or undoes an interrupted upgrade, also in a directory that was copied or
//! moved.

use cutover::{Outcome, Recovery};
use rusqlite::Connection;

use super::{Bed, Calm, count};

#[test]
fn interrupted_at_any_step_and_again_at_any_step_of_the_next_start() {
    let mut first = 0;
    loop {
        let bed = Bed::new();
        let interrupted = bed.interrupt(first);
        for second in [0, 1, 2, 3, 5, 8, 13, 21] {
            bed.interrupt(second);
        }
        let result = bed.migrate().unwrap();
        if result.outcome == Outcome::Migrated {
            bed.assert_migrated(&result, 3);
        } else {
            // One of the interrupted starts finished it.
            assert_eq!(
                (result.outcome, count(&bed.path("data.db"), "note"), bed.names().len()),
                (Outcome::Current, 3, 3)
            );
        }
        if !interrupted {
            break;
        }
        first += 1;
    }
    assert!(first > 20, "{first} steps");
}

#[test]
fn an_interrupted_flip_is_finished_and_reported_with_its_backup() {
    for op in ["lock-v1", "link", "write-receipt"] {
        let bed = Bed::interrupted_before(op);
        let mut host = Calm::default();
        let result = cutover::recover(&bed.options(), &mut host).unwrap();
        assert_eq!((result.recovery, host.cleaned), (Recovery::Finished, 1), "{op}");
        assert!(result.backup.is_some());
        let result = bed.migrate().unwrap();
        assert_eq!(result.outcome, Outcome::Current);
    }
    let bed = Bed::interrupted_before("link");
    let result = bed.migrate().unwrap();
    assert_eq!(result.recovery, Recovery::Finished);
    bed.assert_migrated(&result, 3);
}

#[test]
fn an_interrupted_build_is_undone_and_v1_has_its_journal_mode_again() {
    let bed = Bed::interrupted_before("check");
    let result = cutover::recover(&bed.options(), &mut Calm::default()).unwrap();
    assert_eq!(result.recovery, Recovery::Undone);
    assert_eq!(bed.names(), ["data.db"]);
    let mode: String = Connection::open(bed.path("data.db"))
        .unwrap()
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn rows_that_an_older_application_wrote_after_the_crash_are_in_v2() {
    for op in ["lock-v1", "link"] {
        let bed = Bed::interrupted_before(op);
        Connection::open(bed.path("data.db"))
            .unwrap()
            .execute_batch("INSERT INTO notes (text) VALUES ('after the crash')")
            .unwrap();
        let result = bed.migrate().unwrap();
        assert_eq!(result.recovery, Recovery::Undone, "{op}");
        bed.assert_migrated(&result, 4);
    }
}

#[test]
fn a_staged_file_that_was_damaged_is_not_installed() {
    for damage in [0, 100, 5000] {
        let bed = Bed::interrupted_before("link");
        let staged = bed.find(".building-");
        std::fs::File::options().write(true).open(&staged).unwrap().set_len(damage).unwrap();
        let result = bed.migrate().unwrap();
        assert_eq!(result.recovery, Recovery::Undone, "{damage}");
        bed.assert_migrated(&result, 3);
    }
    let bed = Bed::interrupted_before("link");
    std::fs::remove_file(bed.find(".building-")).unwrap();
    let result = bed.migrate().unwrap();
    bed.assert_migrated(&result, 3);
}

#[test]
fn a_directory_that_was_copied_or_moved_is_recovered_where_it_is_now() {
    for op in ["settle", "check", "lock-v1", "sync-file", "rename", "write-receipt", "cleanup-host"]
    {
        let bed = Bed::interrupted_before(op);
        let copy = Bed(tempfile::tempdir().unwrap());
        for name in bed.names() {
            std::fs::copy(bed.path(&name), copy.path(&name)).unwrap();
        }
        let before = bed.names();
        let result = copy.migrate().unwrap();
        assert_eq!(count(&copy.path("data.db"), "note"), 3, "{op}");
        assert_eq!(count(&result.backup.unwrap(), "notes"), 3, "{op}");
        assert_eq!(copy.names().len(), 3, "{op}: {:?}", copy.names());
        assert_eq!(bed.names(), before, "the original is not touched");
    }
}

/// A person moves the home directory to a new disk: every name is then a file of its own, on
/// another volume.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_was_moved_to_another_volume_is_recovered_there() {
    use std::os::unix::fs::MetadataExt as _;
    let device = |bed: &Bed| std::fs::metadata(bed.0.path()).unwrap().dev();
    for op in ["settle", "lock-v1", "rename", "write-receipt", "cleanup-host"] {
        let bed = Bed::interrupted_before(op);
        let elsewhere = ["/dev/shm", env!("CARGO_TARGET_TMPDIR")]
            .map(|volume| Bed(tempfile::tempdir_in(volume).unwrap()));
        let moved = elsewhere
            .into_iter()
            .find(|other| device(other) != device(&bed))
            .expect("two volumes are needed: mount one on /dev/shm");
        for name in bed.names() {
            std::fs::copy(bed.path(&name), moved.path(&name)).unwrap();
            std::fs::remove_file(bed.path(&name)).unwrap();
        }
        let result = moved.migrate().unwrap();
        assert_eq!(count(&moved.path("data.db"), "note"), 3, "{op}");
        assert_eq!(count(&result.backup.unwrap(), "notes"), 3, "{op}");
        assert_eq!(moved.names().len(), 3, "{op}: {:?}", moved.names());
    }
}
