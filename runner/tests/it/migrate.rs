//! One migration with real files and real SQLite, and each way in which it can be disturbed.
#![allow(
    clippy::type_complexity,
    clippy::field_reassign_with_default,
    reason = "a host of closures is scripted test by test"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cutover::core::Platform;
use cutover::{
    BuildBy, BuildFrom, Built, Code, Detect, Error, Event, Host, HostError, Job, Lock, Make,
    MigrateResult, Options, Outcome, Reader, Recovery, Value, Verdict,
};
use rusqlite::Connection;
use serde_json::json;

use crate::support::directory;
use crate::support::notes::{TO_V2, V1, rows};
use crate::support::other::Other;

/// A fresh directory with a v1 in it.
struct Bed {
    directory: tempfile::TempDir,
}

impl Bed {
    fn new(journal_mode: &str) -> Self {
        let bed = Self { directory: tempfile::tempdir().unwrap() };
        let db = bed.open();
        db.execute_batch(&format!("PRAGMA journal_mode = {journal_mode}; {V1}")).unwrap();
        bed
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("data.db")
    }

    fn open(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    fn sql(&self) -> Options {
        Options::new(
            self.path(),
            "v1-v2",
            Detect::UserVersion(2),
            Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) },
        )
    }

    fn host(&self, from: BuildFrom) -> Options {
        Options { make: Make { from, run: BuildBy::Host }, ..self.sql() }
    }

    fn notes(&self, table: &str) -> Vec<String> {
        rows(&self.path(), table)
    }

    /// Every name in the directory but the locks.
    fn names(&self) -> Vec<String> {
        directory::names(self.directory.path())
    }

    /// The directory holds nothing but v1, unchanged.
    fn assert_untouched(&self, mode: &str) {
        assert_eq!(self.names(), ["data.db"]);
        assert_eq!(self.notes("notes"), ["milk", "bread", "a new bicycle"]);
        let now: String =
            self.open().query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(now, mode);
    }

    /// The directory holds v2, its backup and the receipt, and nothing else.
    fn assert_migrated(&self, result: &MigrateResult) {
        let backup = result.backup.clone().unwrap();
        assert_eq!(self.notes("note"), ["milk", "bread", "a new bicycle"]);
        assert_eq!(rows(&backup, "notes"), ["milk", "bread", "a new bicycle"]);
        let name = backup.file_name().unwrap().to_str().unwrap();
        assert_eq!(self.names(), ["data.db".to_owned(), name.to_owned(), format!("{name}.json")]);
    }
}

#[cfg(unix)]
fn mode(path: &std::path::Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777
}

#[cfg(unix)]
fn set_mode(path: &std::path::Path, mode: u32) {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

/// A host whose callbacks each test sets as it needs.
#[derive(Default)]
struct Scripted<'a> {
    build: Option<Box<dyn FnMut(&mut dyn Job) -> Result<Built, HostError> + 'a>>,
    detect: Option<Box<dyn FnMut(&Reader) -> Verdict + 'a>>,
    verify: Option<Box<dyn FnMut(&Reader) -> Result<(), HostError> + 'a>>,
    on_event: Option<Box<dyn FnMut(&Event) + 'a>>,
    undone: RefCell<Vec<Option<serde_json::Value>>>,
    cleaned: RefCell<Vec<Option<serde_json::Value>>>,
    stop: bool,
    stop_at: Option<&'static str>,
    released: u32,
}

impl Host for Scripted<'_> {
    fn detect(&mut self, db: &Reader) -> Result<Verdict, HostError> {
        Ok(self.detect.as_mut().ok_or("no detect")?(db))
    }
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        self.build.as_mut().ok_or("no build")?(job)
    }
    fn verify(&mut self, v2: &Reader) -> Result<(), HostError> {
        self.verify.as_mut().ok_or("no verify")?(v2)
    }
    fn undo(&mut self, state: Option<&serde_json::Value>, _nonce: &str) -> Result<(), HostError> {
        self.undone.borrow_mut().push(state.cloned());
        Ok(())
    }
    fn cleanup(
        &mut self,
        state: Option<&serde_json::Value>,
        _nonce: &str,
    ) -> Result<(), HostError> {
        self.cleaned.borrow_mut().push(state.cloned());
        Ok(())
    }
    fn release_handles(&mut self) {
        self.released += 1;
    }
    fn event(&mut self, event: &Event) {
        if let (Event::Step { op, .. }, Some(at)) = (event, self.stop_at) {
            self.stop |= op == at;
        }
        if let Some(on_event) = &mut self.on_event {
            on_event(event);
        }
    }
    fn cancelled(&mut self) -> bool {
        self.stop
    }
    /// These tests do not need real time. A process that another test starts is waited for.
    fn wait(&mut self, _delay_ms: u64) {
        drop(alone());
    }
}

/// Held by a test while it starts a process. Between fork and exec a child holds every file that
/// this process has open. A migration of another test would then find its database held by the
/// child.
fn alone() -> MutexGuard<'static, ()> {
    static STARTS: Mutex<()> = Mutex::new(());
    STARTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The build of an application of its own.
fn build_v2(job: &mut dyn Job) -> Result<Built, HostError> {
    let db = Connection::open(job.staging())?;
    db.execute("ATTACH DATABASE ?1 AS v1", [job.source().to_str().unwrap()])?;
    db.execute_batch(TO_V2)?;
    Ok(Built {
        expect: BTreeMap::from([("note".to_owned(), 3)]),
        report: Some(json!({ "notes": 3 })),
    })
}

#[test]
fn sql_turns_v1_into_v2_in_either_journal_mode_and_keeps_it() {
    for journal_mode in ["wal", "delete"] {
        let bed = Bed::new(journal_mode);
        let result = cutover::migrate(&bed.sql(), &mut Scripted::default()).unwrap();
        assert_eq!((result.outcome, result.recovery), (Outcome::Migrated, Recovery::None));
        assert_eq!(result.warnings, []);
        bed.assert_migrated(&result);
        let now: String =
            bed.open().query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(now, journal_mode);
        let again = cutover::migrate(&bed.sql(), &mut Scripted::default()).unwrap();
        assert_eq!((again.outcome, again.backup), (Outcome::Current, None));
    }
}

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
fn a_host_builds_v2_from_a_private_copy() {
    let bed = Bed::new("wal");
    let mut host = Scripted { build: Some(Box::new(build_v2)), ..Scripted::default() };
    let result = cutover::migrate(&bed.host(BuildFrom::Empty), &mut host).unwrap();
    assert_eq!(result.report, Some(json!({ "notes": 3 })));
    assert_eq!(*host.cleaned.borrow(), [None]);
    drop(host);
    bed.assert_migrated(&result);
}

#[test]
fn a_host_migrates_a_copy_in_place() {
    let bed = Bed::new("delete");
    let mut host = Scripted::default();
    host.build = Some(Box::new(|job| {
        assert_eq!(job.source(), job.staging());
        Connection::open(job.staging())?.execute_batch(
            "ALTER TABLE notes RENAME TO note; ALTER TABLE note RENAME COLUMN text TO body; \
             PRAGMA user_version = 2",
        )?;
        Ok(Built::default())
    }));
    let result = cutover::migrate(&bed.host(BuildFrom::Copy), &mut host).unwrap();
    bed.assert_migrated(&result);
}

#[test]
fn a_staging_that_is_still_held_is_built_into_a_fresh_file() {
    let bed = Bed::new("wal");
    let zombie = RefCell::new(None);
    let mut steps = Vec::new();
    let mut host = Scripted::default();
    host.build = Some(Box::new(|job| {
        let db = Connection::open(job.staging())?;
        db.execute_batch("PRAGMA journal_mode = WAL")?;
        db.execute("ATTACH DATABASE ?1 AS v1", [job.source().to_str().unwrap()])?;
        db.execute_batch(TO_V2)?;
        db.execute_batch("DETACH DATABASE v1")?;
        *zombie.borrow_mut() = Some(db);
        Ok(Built::default())
    }));
    host.on_event = Some(Box::new(|event| {
        if let Event::Step { op, .. } = event {
            steps.push(op.clone());
        }
    }));
    let result = cutover::migrate(&bed.host(BuildFrom::Empty), &mut host).unwrap();
    drop(host);
    assert!(steps.contains(&"restage".to_owned()), "{steps:?}");
    // The leaked connection does not have canonical open, so what it writes changes nothing there.
    zombie.borrow().as_ref().unwrap().execute_batch("DELETE FROM note").unwrap();
    if cfg!(windows) {
        // Windows cannot remove an open file; the next start removes it.
        assert_eq!(result.warnings.len(), 1, "{:?}", result.warnings);
        zombie.take();
        assert_eq!(
            cutover::migrate(&bed.sql(), &mut Scripted::default()).unwrap().recovery,
            Recovery::Cleaned
        );
    }
    bed.assert_migrated(&result);
}

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
            error.failure.to_string().contains("your data is whole in"),
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
        let options = Options {
            make: Make { from: BuildFrom::Empty, run: BuildBy::Sql(sql.into()) },
            ..bed.sql()
        };
        let error = cutover::migrate(&options, &mut Scripted::default()).unwrap_err();
        assert_eq!(error.failure.code, code, "{sql}: {}", error.failure);
        bed.assert_untouched("wal");
    }
}

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
    let error = cutover::migrate(&Options { verify: true, ..bed.sql() }, &mut host).unwrap_err();
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
    let options = Options {
        make: Make { from: BuildFrom::Copy, run: BuildBy::Sql("PRAGMA user_version = 2".into()) },
        ..bed.sql()
    };
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
    let options = Options {
        make: Make { from: BuildFrom::Copy, run: BuildBy::Sql(rename.into()) },
        ..bed.sql()
    };
    let result = cutover::migrate(&options, &mut Scripted::default()).unwrap();
    assert!(
        result.warnings[0].message.contains("1 row of tag refers to rows of note that"),
        "{:?}",
        result.warnings
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

#[cfg(unix)]
#[test]
fn modes_and_symbolic_links_are_kept() {
    for run in [BuildBy::Sql(TO_V2.into()), BuildBy::Host] {
        let bed = Bed::new("wal");
        set_mode(&bed.path(), 0o640);
        let elsewhere = tempfile::tempdir().unwrap();
        let link = elsewhere.path().join("link.db");
        std::os::unix::fs::symlink(bed.path(), &link).unwrap();
        let directory_link = elsewhere.path().join("directory");
        std::os::unix::fs::symlink(elsewhere.path(), &directory_link).unwrap();
        let mut options = bed.sql();
        options.path = directory_link.join("link.db");
        options.make.run = run;
        let mut host = Scripted { build: Some(Box::new(build_v2)), ..Scripted::default() };
        let result = cutover::migrate(&options, &mut host).unwrap();
        drop(host);
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!((mode(&bed.path()), mode(&result.backup.clone().unwrap())), (0o640, 0o640));
        bed.assert_migrated(&result);
    }
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
        let options = Options {
            detect,
            make: Make { from: BuildFrom::Empty, run: BuildBy::Sql(sql.into()) },
            ..bed.sql()
        };
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
fn staged_companions_change_with_the_database() {
    let bed = Bed::new("wal");
    let auth = bed.directory.path().join("auth.json");
    std::fs::write(&auth, "v1 secret").unwrap();
    #[cfg(unix)]
    set_mode(&auth, 0o600);
    let mut options = bed.host(BuildFrom::Empty);
    options.companions.insert("auth".into(), auth.clone());

    let mut failing = Scripted::default();
    failing.build = Some(Box::new(|job| {
        job.write_companion("auth", b"v2 secret")?;
        Err("no".into())
    }));
    cutover::migrate(&options, &mut failing).unwrap_err();
    assert_eq!(std::fs::read(&auth).unwrap(), b"v1 secret");
    assert_eq!(bed.names(), ["auth.json", "data.db"]);

    #[cfg(unix)]
    let mut private = 0;
    let mut host = Scripted::default();
    host.build = Some(Box::new(|job| {
        assert_eq!(job.read_companion("auth")?, Some(b"v1 secret".to_vec()));
        job.write_companion("auth", b"v2 secret")?;
        job.save_state(serde_json::json!("a secret"))?;
        // Backup, staged file and journal: no other user can read them at any time.
        #[cfg(unix)]
        for entry in std::fs::read_dir(auth.parent().unwrap())? {
            let path = entry?.path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with("auth.json.") && !name.ends_with("-lock")
                || name.ends_with("-cutover.json")
            {
                assert_eq!(mode(&path), 0o600, "{name}");
                private += 1;
            }
        }
        assert_eq!(job.read_companion("auth")?, Some(b"v2 secret".to_vec()));
        assert!(job.read_companion("other").is_err());
        build_v2(job)
    }));
    let result = cutover::migrate(&options, &mut host).unwrap();
    drop(host);
    assert_eq!(std::fs::read(&auth).unwrap(), b"v2 secret");
    #[cfg(unix)]
    assert_eq!((mode(&auth), private), (0o600, 3));
    let nonce = result.backup.unwrap().to_str().unwrap().rsplit('-').next().unwrap().to_owned();
    assert_eq!(
        std::fs::read(bed.directory.path().join(format!("auth.json.v1-v2-{nonce}"))).unwrap(),
        b"v1 secret"
    );
    assert_eq!(bed.names().len(), 5, "{:?}", bed.names());
}

#[test]
fn a_companion_written_in_place_is_put_back_and_what_it_held_is_kept() {
    let bed = Bed::new("wal");
    let auth = bed.directory.path().join("auth.json");
    std::fs::write(&auth, "v1 secret").unwrap();
    let mut options = bed.host(BuildFrom::Empty);
    options.companions.insert("auth".into(), auth.clone());
    let mut host = Scripted::default();
    host.build = Some(Box::new(|_| {
        std::fs::write(&auth, "half of v2")?;
        Err("no".into())
    }));
    cutover::migrate(&options, &mut host).unwrap_err();
    drop(host);
    assert_eq!(std::fs::read(&auth).unwrap(), b"v1 secret");
    let displaced: Vec<String> =
        bed.names().into_iter().filter(|name| name.contains(".displaced-")).collect();
    assert_eq!(std::fs::read(bed.directory.path().join(&displaced[0])).unwrap(), b"half of v2");
}

#[test]
fn a_companion_that_was_not_there_is_not_there_after_an_undo_and_what_it_held_is_kept() {
    let bed = Bed::new("wal");
    let auth = bed.directory.path().join("auth.json");
    let mut options = bed.host(BuildFrom::Empty);
    options.companions.insert("auth".into(), auth.clone());
    let mut told = Vec::new();
    let mut host = Scripted::default();
    host.build = Some(Box::new(|_| {
        std::fs::write(&auth, "half of v2")?;
        Err("no".into())
    }));
    host.on_event = Some(Box::new(|event| {
        if let Event::Warning { warning } = event {
            told.push((warning.code.clone(), warning.message.clone()));
        }
    }));
    cutover::migrate(&options, &mut host).unwrap_err();
    drop(host);
    let names = bed.names();
    let [displaced, database] = &names[..] else { panic!("{names:?}") };
    assert_eq!(std::fs::read(bed.directory.path().join(displaced)).unwrap(), b"half of v2");
    assert!(displaced.starts_with("auth.json.displaced-") && database == "data.db", "{names:?}");
    assert!(
        matches!(&told[..], [(Some(code), message)] if code == "KEPT" && message.contains(&**displaced)),
        "{told:?}"
    );

    let mut host = Scripted::default();
    host.build = Some(Box::new(|job| {
        std::fs::write(&auth, "of v2")?;
        build_v2(job)
    }));
    let result = cutover::migrate(&options, &mut host).unwrap();
    assert_eq!((std::fs::read(&auth).unwrap(), result.warnings), (b"of v2".to_vec(), vec![]));
}

#[test]
fn the_owner_lock_is_held_once_and_released() {
    let bed = Bed::new("wal");
    let lock = cutover::lock(&bed.path()).unwrap();
    let refused =
        |result: Result<MigrateResult, Error>| result.unwrap_err().failure.code == Code::Owned;
    assert!(refused(cutover::migrate(&bed.sql(), &mut Scripted::default())));
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

#[test]
fn a_plan_given_as_json_is_performed_as_it_is() {
    let bed = Bed::new("wal");
    let text = cutover::plan(&bed.sql(), &mut Scripted::default()).unwrap().unwrap().to_text();
    bed.assert_untouched("wal");
    let mut performed = Vec::new();
    let mut host = Scripted::default();
    host.on_event = Some(Box::new(|event| {
        if let Event::Step { op, .. } = event {
            performed.push(op.clone());
        }
    }));
    let result = cutover::run_plan(&text, &bed.sql(), &mut host).unwrap();
    drop(host);
    let plan = cutover::core::Plan::parse(&text).unwrap();
    assert_eq!(performed, plan.steps.iter().map(|step| step.op.name()).collect::<Vec<_>>());
    bed.assert_migrated(&result);

    // The plan is not for the new state, so it is refused and nothing is touched.
    let names = bed.names();
    let error = cutover::run_plan(&text, &bed.sql(), &mut Scripted::default()).unwrap_err();
    assert_eq!(error.failure.code, Code::Journal);
    let hostile =
        text.replace(&plan.journal.unwrap().names.staging.to_string(), "../../etc/passwd");
    let error = cutover::run_plan(&hostile, &bed.sql(), &mut Scripted::default()).unwrap_err();
    assert_eq!(error.failure.code, Code::Journal);
    assert_eq!(bed.names(), names);
}

#[test]
fn text_that_is_not_utf8_and_large_integers_are_read_exactly() {
    let bed = Bed::new("delete");
    bed.open()
        .execute_batch(
            "CREATE TABLE odd (v); INSERT INTO odd VALUES (CAST(x'ff41' AS TEXT)), \
             (9223372036854775807), (NULL), (1.5)",
        )
        .unwrap();
    let mut host = Scripted::default();
    host.build = Some(Box::new(|job| {
        let values: Vec<Value> = job
            .v1()
            .all("SELECT v FROM odd WHERE v IS NOT ?1", &[Value::Real(1.5)])?
            .into_iter()
            .map(|mut row| row.remove(0).1)
            .collect();
        assert_eq!(values, [Value::Blob(vec![0xff, 0x41]), Value::Integer(i64::MAX), Value::Null]);
        assert!(job.v1().all("DELETE FROM odd", &[]).is_err(), "a reader cannot write");
        build_v2(job)
    }));
    cutover::migrate(&bed.host(BuildFrom::Empty), &mut host).unwrap();
}

#[test]
fn a_plan_that_would_lose_v1_is_not_performed() {
    let bed = Bed::new("wal");
    let plan = cutover::plan(&bed.sql(), &mut Scripted::default()).unwrap().unwrap();
    for op in ["link", "lock-v1", "check-v1", "settle", "sync-file"] {
        let mut less = plan.clone();
        let at = less.steps.iter().position(|step| step.op.name() == op).unwrap();
        less.steps.remove(at);
        for index in [&mut less.flip_at, &mut less.cleanup_from].into_iter().flatten() {
            *index -= u32::from(at < *index as usize);
        }
        let error =
            cutover::run_plan(&less.to_text(), &bed.sql(), &mut Scripted::default()).unwrap_err();
        assert_eq!(error.failure.code, Code::Journal, "{op}");
        assert!(
            error.failure.to_string().contains("is not safe to perform"),
            "{op}: {}",
            error.failure
        );
        bed.assert_untouched("wal");
    }
    let other = if cfg!(windows) { Platform::Linux } else { Platform::Windows };
    let elsewhere = cutover::core::Plan { platform: other, ..plan }.to_text();
    assert_eq!(
        cutover::run_plan(&elsewhere, &bed.sql(), &mut Scripted::default())
            .unwrap_err()
            .failure
            .code,
        Code::Journal
    );
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
    let options = Options { verify: true, ..bed.host(BuildFrom::Copy) };
    let error = cutover::migrate(&options, &mut host).unwrap_err();
    assert!(matches!(error.failure.code, Code::Verify | Code::V1Corrupt), "{:?}", error.failure);
    assert_eq!(bed.names(), ["data.db"]);
}

/// An application cannot set these in SQL that runs in a transaction, and they cannot be changed
/// later.
#[test]
fn v2_built_by_sql_is_laid_out_as_v1_is() {
    let layout = "PRAGMA page_size = 1024; PRAGMA encoding = 'UTF-16le'; PRAGMA auto_vacuum = INCREMENTAL; \
         PRAGMA application_id = -559038737";
    let bed = Bed::new(&format!("delete; {layout}"));
    cutover::migrate(&bed.sql(), &mut Scripted::default()).unwrap();
    let db = Connection::open(bed.path()).unwrap();
    let pragma = |name: &str| {
        db.query_row(&format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}"), [], |row| {
            row.get::<_, String>(0)
        })
        .unwrap()
    };
    assert_eq!(
        ["page_size", "encoding", "auto_vacuum", "application_id"].map(pragma),
        ["1024", "UTF-16le", "2", "-559038737"]
    );
}

#[cfg(unix)]
#[test]
fn v2_has_v1s_mode_even_when_the_host_makes_the_file_anew() {
    let bed = Bed::new("delete");
    set_mode(&bed.path(), 0o600);
    let mut host = Scripted::default();
    host.build = Some(Box::new(|job| {
        std::fs::remove_file(job.staging())?;
        let built = build_v2(job)?;
        set_mode(job.staging(), 0o644);
        Ok(built)
    }));
    cutover::migrate(&bed.host(BuildFrom::Empty), &mut host).unwrap();
    assert_eq!(mode(&bed.path()), 0o600);
}

#[test]
fn companions_are_files_of_their_own() {
    let bed = Bed::new("wal");
    let with = |companions: &[(&str, &str)]| {
        let mut options = bed.sql();
        options.companions = companions
            .iter()
            .map(|(name, file)| ((*name).to_owned(), bed.directory.path().join(file)))
            .collect();
        cutover::migrate(&options, &mut Scripted::default())
    };
    for refused in [
        &[("a", "data.db-wal")][..],
        &[("a", "data.db")],
        &[("a", "auth.json"), ("b", "auth.json")],
        &[("a/b", "auth.json")],
    ] {
        assert_eq!(with(refused).unwrap_err().failure.code, Code::Io, "{refused:?}");
        bed.assert_untouched("wal");
    }
    // If the companion's directory does not exist, the companion does not exist either.
    assert_eq!(with(&[("a", "not-yet/auth.json")]).unwrap().outcome, Outcome::Migrated);
}

/// What a restore sets aside has such a name, and a person may open it.
#[test]
fn a_database_with_the_name_of_a_displaced_one_upgrades_without_a_warning() {
    for by in [BuildBy::Sql(TO_V2.into()), BuildBy::Host] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.displaced-1a2b3c4d");
        Connection::open(&path)
            .unwrap()
            .execute_batch(&format!("PRAGMA journal_mode = WAL; {V1}"))
            .unwrap();
        let make = Make { from: BuildFrom::Empty, run: by };
        let options = Options::new(&path, "v1-v2", Detect::UserVersion(2), make);
        let told = RefCell::new(Vec::new());
        let mut host = Scripted {
            build: Some(Box::new(build_v2)),
            on_event: Some(Box::new(|event| {
                if let Event::Warning { warning } = event {
                    told.borrow_mut().push(warning.message.clone());
                }
            })),
            ..Scripted::default()
        };
        let result = cutover::migrate(&options, &mut host).unwrap();
        drop(host);
        assert_eq!((result.outcome, &result.warnings), (Outcome::Migrated, &Vec::new()));
        assert_eq!(told.into_inner(), Vec::<String>::new());
        assert_eq!(rows(&path, "note"), ["milk", "bread", "a new bicycle"]);
        let backup = result.backup.unwrap();
        assert_eq!(rows(&backup, "notes"), ["milk", "bread", "a new bicycle"]);
        let backup = backup.file_name().unwrap().to_str().unwrap().to_owned();
        let names = ["x.displaced-1a2b3c4d".to_owned(), backup.clone(), format!("{backup}.json")];
        assert_eq!(self::directory::names(directory.path()), names);
    }
}
