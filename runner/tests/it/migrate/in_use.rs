//! Another program, or another call of this process, uses the database while an upgrade runs.

use cutover::{Code, Error, Event, Lock, MigrateResult, Options, Outcome, Reader};
use rusqlite::Connection;

use super::{Bed, Scripted, alone};
use crate::support::notes::rows;
use crate::support::other::Other;

/// For example a retry after a time-out. It would take the first call's journal for the one of a
/// killed process, and undo what the first call still uses.
#[test]
fn a_second_call_of_this_process_is_refused_until_the_first_has_ended() {
    let bed = Bed::new("WAL");
    let lock = cutover::lock(&bed.path()).unwrap();
    for lock in [Lock::Own(lock), Lock::Held] {
        let options = Options { lock, verify: true, ..bed.sql() };
        let mut refused = Vec::new();
        let verify = |_: &Reader| {
            let mut quiet = Scripted::default();
            refused
                .push(cutover::migrate(&options, &mut quiet).map(drop).unwrap_err().failure.code);
            refused
                .push(cutover::recover(&options, &mut quiet).map(drop).unwrap_err().failure.code);
            Err("and this one fails".into())
        };
        let mut host = Scripted { verify: Some(Box::new(verify)), ..Scripted::default() };
        assert_eq!(cutover::migrate(&options, &mut host).unwrap_err().failure.code, Code::Host);
        drop(host);
        assert_eq!(refused, [Code::Owned, Code::Owned]);
    }
    assert_eq!(
        cutover::migrate(&bed.sql(), &mut Scripted::default()).map(|done| done.outcome).unwrap(),
        Outcome::Migrated
    );
}

#[test]
fn what_an_old_application_writes_meanwhile_is_in_v2() {
    let bed = Bed::new("wal");
    let path = bed.path();
    let mut late = Some("written while v2 was built");
    let mut host = Scripted::default();
    host.on_event = Some(Box::new(|event| {
        if let Event::Phase { phase: cutover::core::Phase::Built } = event
            && let Some(text) = late.take()
        {
            Connection::open(&path)
                .unwrap()
                .execute("INSERT INTO notes (text) VALUES (?1)", [text])
                .unwrap();
        }
    }));
    let result = cutover::migrate(&bed.sql(), &mut host).unwrap();
    drop(host);
    assert_eq!(bed.notes("note").last().unwrap(), "written while v2 was built");
    assert_eq!(rows(&result.backup.unwrap(), "notes").len(), 4);
    assert_eq!(bed.names().len(), 3, "{:?}", bed.names());
}

#[test]
fn a_program_that_never_stops_writing_is_named_after_three_tries() {
    let bed = Bed::new("delete");
    let path = bed.path();
    let mut host = Scripted::default();
    host.on_event = Some(Box::new(|event| {
        if let Event::Phase { phase: cutover::core::Phase::Built } = event {
            Connection::open(&path)
                .unwrap()
                .execute("INSERT INTO notes (text) VALUES ('again')", [])
                .unwrap();
        }
    }));
    let error = cutover::migrate(&bed.sql(), &mut host).unwrap_err();
    drop(host);
    assert_eq!(error.failure.code, Code::Held);
    assert_eq!(bed.notes("notes").len(), 6);
    assert_eq!(bed.names(), ["data.db"]);
}

#[test]
fn a_connection_of_this_process_is_refused_before_anything_is_opened() {
    for journal_mode in ["wal", "delete"] {
        let bed = Bed::new(journal_mode);
        let live = bed.open();
        live.execute_batch("BEGIN IMMEDIATE; INSERT INTO notes (text) VALUES ('uncommitted')")
            .unwrap();
        let mut host = Scripted::default();
        let error = cutover::migrate(&bed.sql(), &mut host).unwrap_err();
        assert_eq!(error.failure.code, Code::Held);
        if cfg!(unix) || error.failure.holders[0].pid != 0 {
            assert!(error.failure.holders[0].this_process);
            assert_eq!(error.failure.holders[0].pid, std::process::id());
        }
        assert!(host.released > 0, "handles are released before every wait");
        // If cutover had opened and closed the file, this lock would be dropped (POSIX drops locks
        // on any close).
        let starts = alone();
        let other = std::process::Command::new("sqlite3")
            .arg(bed.path())
            .arg("BEGIN IMMEDIATE")
            .output()
            .unwrap();
        drop(starts);
        assert!(String::from_utf8_lossy(&other.stderr).contains("locked"), "{other:?}");
        live.execute_batch("COMMIT").unwrap();
        drop(live);
        assert!(cutover::migrate(&bed.sql(), &mut Scripted::default()).is_ok());
    }
}

#[test]
fn a_connection_of_another_process_is_named() {
    let bed = Bed::new("delete");
    let starts = alone();
    let mut other = Other::opens(&bed.path(), "");
    drop(starts);
    assert_eq!(other.asks("SELECT 'open' FROM notes LIMIT 1;"), ["open"]);
    let pid = other.pid();
    let migrated = cutover::migrate(&bed.sql(), &mut Scripted::default());
    drop(other);
    match migrated {
        // Wine's Restart Manager names no process. cutover takes an unnamed holder for a virus
        // scanner, and copies v2 into the open file.
        Ok(result) if cfg!(windows) => {
            assert_eq!(result.strategy, Some(cutover::core::Strategy::PageCopy));
            bed.assert_migrated(&result);
        }
        result => {
            let failure = result.unwrap_err().failure;
            assert_eq!((failure.code, failure.holders[0].pid), (Code::Held, pid));
            assert!(failure.holders[0].name.starts_with("sqlite3"), "{}", failure.to_string());
            bed.assert_untouched("delete");
        }
    }
}

#[test]
fn the_owner_lock_names_every_file_that_it_makes() {
    let bed = Bed::new("wal");
    let lock = cutover::lock(&bed.path()).unwrap();
    let names = || std::fs::read_dir(bed.directory.path()).unwrap().map(|entry| entry.unwrap());
    let mut made: Vec<_> = names().map(|entry| entry.path()).collect();
    made.retain(|path| *path != bed.path());
    assert!(made.len() >= 2 && made.iter().all(|path| lock.files().contains(path)), "{made:?}");
    let directory = bed.directory.path().canonicalize().unwrap();
    let expected = ["data.db.owner-lock", "data.db.owner-lock-journal", "data.db.cutover-lock"];
    let of = lock.files().each_ref().map(|path| path.strip_prefix(&directory).unwrap().to_str());
    assert_eq!(of, expected.map(Some));
}

#[test]
fn the_owner_lock_is_held_once_and_released() {
    let bed = Bed::new("wal");
    let lock = cutover::lock(&bed.path()).unwrap();
    let refused =
        |result: Result<MigrateResult, Error>| result.unwrap_err().failure.code == Code::Owned;
    let forgotten = cutover::migrate(&bed.sql(), &mut Scripted::default()).unwrap_err().failure;
    let again = cutover::lock(&bed.path()).unwrap_err().failure;
    for failure in [forgotten, again] {
        assert_eq!(failure.code, Code::Owned);
        let [holder] = &failure.holders[..] else { panic!("{failure}") };
        assert_eq!((holder.pid, holder.this_process), (std::process::id(), true));
        for told in ["this process itself owns this database", "`options.lock`"] {
            assert!(failure.to_string().contains(told), "{failure}");
        }
    }
    // The refused call must not have dropped the lock, which the legacy daemon asks SQLite for.
    let starts = alone();
    let legacy = std::process::Command::new("sqlite3")
        .arg(bed.directory.path().join("data.db.owner-lock"))
        .args(["PRAGMA busy_timeout = 0", "BEGIN EXCLUSIVE"])
        .output()
        .unwrap();
    drop(starts);
    assert!(String::from_utf8_lossy(&legacy.stderr).contains("locked"), "{legacy:?}");
    let other = Bed::new("wal");
    assert!(refused(cutover::migrate(
        &Options { lock: Lock::Own(lock.clone()), ..other.sql() },
        &mut Scripted::default()
    )));
    // Each of the two locks is enough to refuse. This one is the lock of the file.
    let half = other.directory.path().join("data.db.cutover-lock");
    let half =
        std::fs::File::options().create(true).truncate(false).write(true).open(half).unwrap();
    half.lock().unwrap();
    assert!(refused(cutover::migrate(&other.sql(), &mut Scripted::default())));
    drop(half);
    assert_eq!(
        cutover::migrate(&other.sql(), &mut Scripted::default()).unwrap().outcome,
        Outcome::Migrated
    );
    cutover::migrate(
        &Options { lock: Lock::Own(lock.clone()), ..bed.sql() },
        &mut Scripted::default(),
    )
    .unwrap();
    assert!(refused(cutover::migrate(&bed.sql(), &mut Scripted::default())));
    lock.release();
    assert_eq!(
        cutover::migrate(&bed.sql(), &mut Scripted::default()).unwrap().outcome,
        Outcome::Current
    );
}
