//! Another program, or another call of this process, uses the database while an upgrade runs.

use cutover::planner::{DataState, Holder};
use cutover::{
    BuildFrom, Code, Detect, Error, Event, Lock, MigrateResult, Outcome, Reader, Verdict,
};
use rusqlite::Connection;

use super::{Bed, Scripted, alone, build_v2};
use crate::support::directory::real;
use crate::support::notes::rows;
use crate::support::other::Other;

/// For example a retry after a time-out. It would take the first call's journal for the one of a
/// killed process, and undo what the first call still uses.
#[test]
fn a_second_call_of_this_process_is_refused_until_the_first_has_ended() {
    let bed = Bed::new("WAL");
    let lock = cutover::lock(&bed.path()).unwrap();
    for lock in [Lock::Own(lock), Lock::Held] {
        let options = bed.sql().lock(lock).verify(true);
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
        if let Event::Phase { phase: cutover::planner::Phase::Built } = event
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
        if let Event::Phase { phase: cutover::planner::Phase::Built } = event {
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
    let pid = other.pid();
    assert_eq!(other.asks("SELECT 'open' FROM notes LIMIT 1;"), ["open"]);
    let migrated = cutover::migrate(&bed.sql(), &mut Scripted::default());
    drop(other);
    match migrated {
        // Wine's Restart Manager names no process. cutover takes an unnamed holder for a virus
        // scanner, and copies v2 into the open file.
        Ok(result) if cfg!(windows) => {
            assert_eq!(result.strategy, Some(cutover::planner::Strategy::PageCopy));
            bed.assert_migrated(&result);
        }
        result => {
            let failure = result.unwrap_err().failure;
            assert_eq!((failure.code, failure.holders[0].pid), (Code::Held, pid));
            assert!(failure.holders[0].name.starts_with("sqlite3"), "{failure}");
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
    let directory = real(bed.directory.path());
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
        &other.sql().lock(Lock::Own(lock.clone())),
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
    cutover::migrate(&bed.sql().lock(Lock::Own(lock.clone())), &mut Scripted::default()).unwrap();
    assert!(refused(cutover::migrate(&bed.sql(), &mut Scripted::default())));
    lock.release();
    assert_eq!(
        cutover::migrate(&bed.sql(), &mut Scripted::default()).unwrap().outcome,
        Outcome::Current
    );
}

/// A program that writes while v2 is built is in the way of the build's own check. The upgrade
/// begins anew, and what failed is not the application's fault.
#[test]
fn a_check_that_fails_after_v1_changed_begins_anew() {
    let write = |bed: &Bed| {
        let db = bed.open();
        db.execute("INSERT INTO notes (text) VALUES ('written meanwhile')", []).unwrap();
    };
    for fails in ["expect", "build", "verify"] {
        let bed = Bed::new("wal");
        let options = bed.host(BuildFrom::Empty).verify(true);
        let (mut builds, mut looks) = (0, 0);
        let mut host = Scripted::default();
        host.build = Some(Box::new(|job| {
            builds += 1;
            let mut built = build_v2(job)?;
            if builds == 1 {
                write(&bed);
                if fails == "build" {
                    return Err("the application counted, and the rows do not agree".into());
                }
            }
            let rows = if fails == "expect" { 4 } else { 2 + builds };
            built.expect.insert("note".into(), rows);
            Ok(built)
        }));
        host.verify = Some(Box::new(|_| {
            looks += 1;
            if fails == "verify" && looks == 1 { Err("a row is missing".into()) } else { Ok(()) }
        }));
        let result = cutover::migrate(&options, &mut host);
        drop(host);
        let result = result.unwrap_or_else(|error| panic!("{fails}: {error}"));
        assert_eq!((result.outcome, builds), (Outcome::Migrated, 2), "{fails}");
        assert_eq!(bed.notes("note").last().unwrap(), "written meanwhile", "{fails}");
        assert_eq!(bed.names().len(), 3, "{fails}: {:?}", bed.names());
    }
    // If v1 did not change, it is the application's fault.
    let bed = Bed::new("wal");
    let mut host = Scripted::default();
    host.build = Some(Box::new(|_| Err("its own fault".into())));
    let error = cutover::migrate(&bed.host(BuildFrom::Empty), &mut host).unwrap_err();
    assert_eq!(error.failure.code, Code::Host);
}

/// A reader of a callback waits within the budget, and then names the program that has the lock.
#[test]
fn a_lock_that_a_callback_meets_is_waited_for_and_its_holder_is_named() {
    let lock = "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;";
    for stays in [true, false] {
        let bed = Bed::new("delete");
        let others = std::cell::RefCell::new(None);
        let mut host = Scripted::default();
        host.build = Some(Box::new(|job| {
            let starts = alone();
            let other = Other::opens(&bed.path(), lock);
            drop(starts);
            if stays {
                *others.borrow_mut() = Some(other);
            } else {
                let ends = std::thread::spawn(move || drop(other));
                let read = job.v1().all("SELECT count(*) FROM notes", &[]);
                ends.join().unwrap();
                assert_eq!(read?[0][0].1, cutover::Value::Integer(3));
                return build_v2(job);
            }
            let read = job.v1().all("SELECT count(*) FROM notes", &[]);
            assert!(read.is_err());
            Err("a callback may say what it likes".into())
        }));
        let wait_ms = if stays { 60 } else { 10_000 };
        let options = bed.host(BuildFrom::Empty).wait_ms(wait_ms);
        let result = cutover::migrate(&options, &mut host);
        drop(host);
        if !stays {
            bed.assert_migrated(&result.unwrap());
            continue;
        }
        let other = others.take().unwrap();
        let failure = result.unwrap_err().failure;
        assert_eq!((failure.code, failure.holders.len()), (Code::Held, 1), "{failure}");
        assert!(is_of(&failure.holders[0], &other), "{failure}");
        // On Windows the start that looks again meets the lock before it reads anything.
        let state = if cfg!(windows) { DataState::Untouched } else { DataState::V1 };
        assert_eq!((failure.data.state, failure.waited_ms), (state, 60), "{failure:?}");
        drop(other);
        bed.assert_untouched("delete");
    }
}

/// `detect` is called again after a wait. What it says of a database that it could not read does
/// not count, even if it caught the error.
#[test]
fn a_detect_that_meets_a_lock_is_asked_again() {
    for stays in [true, false] {
        let bed = Bed::new("delete");
        cutover::migrate(&bed.sql(), &mut Scripted::default()).unwrap();
        let other = std::cell::RefCell::new(None);
        let (mut asked, mut waits) = (0, 0);
        let detect = |db: &Reader| {
            asked += 1;
            if asked == 1 {
                let starts = alone();
                *other.borrow_mut() = Some(Other::opens(&bed.path(), "BEGIN EXCLUSIVE;"));
                drop(starts);
            }
            // An application that takes every error for a missing table.
            match db.all("SELECT 1 FROM note", &[]) {
                Ok(_) => Verdict::Current,
                Err(_) => Verdict::Old,
            }
        };
        let mut host = Scripted { detect: Some(Box::new(detect)), ..Scripted::default() };
        host.on_event = Some(Box::new(|event| {
            if let Event::Wait { holders, .. } = event {
                waits += 1;
                let name = &holders[0].name;
                assert!(name.starts_with("sqlite3") || cfg!(windows), "{holders:?}");
                if !stays {
                    drop(other.take());
                }
            }
        }));
        let options = bed.sql().detect(Detect::Host).wait_ms(100);
        let result = cutover::migrate(&options, &mut host);
        drop(host);
        assert!(waits > 0);
        if stays {
            let failure = result.unwrap_err().failure;
            assert_eq!(failure.code, Code::Held, "{failure}");
            assert_eq!(failure.data.state, DataState::Untouched);
            assert!(is_of(&failure.holders[0], other.borrow().as_ref().unwrap()), "{failure}");
        } else {
            assert_eq!(result.unwrap().outcome, Outcome::Current);
        }
        drop(other);
        assert_eq!(bed.notes("note").len(), 3);
    }
}

/// Wine's Restart Manager names no process.
fn is_of(holder: &Holder, other: &Other) -> bool {
    holder.pid == other.pid() || (cfg!(windows) && holder.pid == 0)
}

/// A program that keeps the exclusive lock lets nothing be read.
#[test]
fn a_program_in_exclusive_mode_is_named() {
    for mode in ["wal", "delete"] {
        let bed = Bed::new(mode);
        let starts = alone();
        let sql = "PRAGMA locking_mode = EXCLUSIVE; SELECT count(*) FROM notes;
            INSERT INTO notes (text) VALUES ('exclusive');";
        let other = Other::opens(&bed.path(), sql);
        drop(starts);
        let mut told = Vec::new();
        let mut host = Scripted::default();
        host.on_event = Some(Box::new(|event| {
            if let Event::Wait { holders, .. } = event {
                told.extend(holders.clone());
            }
        }));
        let options = bed.sql().wait_ms(100);
        let failure = cutover::migrate(&options, &mut host).unwrap_err().failure;
        drop(host);
        let said = failure.to_string();
        assert_eq!(failure.code, Code::Held, "{said}");
        assert!(is_of(&failure.holders[0], &other), "{said}");
        let named = said.contains("held by sqlite3") || cfg!(windows);
        assert!(named && said.contains("your data is"), "{said}");
        assert!(told.iter().any(|holder| is_of(holder, &other)), "{told:?}");
        drop(other);
        assert_eq!(bed.notes("notes").len(), 4);
    }
}
