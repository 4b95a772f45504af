//! A v1 that a program has open on Windows, where an open file can be neither replaced nor removed.
//!
//! The holders are SQLite connections, and plain handles with the sharing that SQLite uses
//! (`FILE_SHARE_READ | FILE_SHARE_WRITE`). Wine tells that a file is open as Windows does. But
//! Wine's Restart Manager names no process, so under Wine every holder is an unnamed one.
#![cfg(windows)]
#![allow(
    clippy::type_complexity,
    clippy::field_reassign_with_default,
    reason = "a host of closures is scripted test by test"
)]

use std::cell::RefCell;
use std::fs::File;
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use cutover::core::{DataState, Strategy};
use cutover::{
    BackupOptions, BuildBy, BuildFrom, Built, Code, Detect, Event, Host, HostError, Job, Make,
    Options, Outcome, Recovery,
};
use rusqlite::Connection;

use crate::support::notes::{TO_V2, V1};

struct Bed(tempfile::TempDir);

impl Bed {
    /// A v1 with rows that are only in its log, and the connection that made it.
    fn held(mode: &str) -> (Self, Connection) {
        let bed = Self(tempfile::tempdir().unwrap());
        let db = Connection::open(bed.path()).unwrap();
        db.execute_batch(&format!(
            "PRAGMA journal_mode = {mode}; PRAGMA wal_autocheckpoint = 0; {V1}"
        ))
        .unwrap();
        (bed, db)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("data.db")
    }

    fn options(&self, run: BuildBy) -> Options {
        Options {
            wait_ms: 400,
            ..Options::new(
                self.path(),
                "v1-v2",
                Detect::UserVersion(2),
                Make { from: BuildFrom::Empty, run },
            )
        }
    }

    fn sql(&self) -> Options {
        self.options(BuildBy::Sql(TO_V2.into()))
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| !["-lock", "-wal", "-shm"].iter().any(|suffix| name.ends_with(suffix)));
        names.sort();
        names
    }

    /// v2 with every row, the backup with all of v1 and one hard link, its receipt, and nothing
    /// else.
    fn assert_migrated(&self, backup: &Path, rows: i64) {
        assert_eq!(count(&self.path(), "note"), rows);
        assert_eq!(count(backup, "notes"), rows);
        assert_eq!(fs_links(backup), 1);
        assert_eq!(self.names().len(), 3, "{:?}", self.names());
    }
}

fn count(path: &Path, table: &str) -> i64 {
    let db = Connection::open(path).unwrap();
    assert_eq!(
        db.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).unwrap(),
        "ok"
    );
    db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

/// How many hard links a file has, as another program counts them.
fn fs_links(path: &Path) -> usize {
    let output = std::process::Command::new("cmd")
        .args(["/c", "fsutil", "hardlink", "list"])
        .arg(path)
        .output();
    match output {
        // Wine has no such program.
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).lines().count()
        }
        _ => 1,
    }
}

/// What another process reads, without waiting.
fn elsewhere(path: &Path, sql: &str) -> String {
    let output = std::process::Command::new("sqlite3").arg(path).arg(sql).output().unwrap();
    let text =
        String::from_utf8(if output.status.success() { output.stdout } else { output.stderr })
            .unwrap();
    text.trim().replace("\r\n", "\n")
}

#[derive(Default)]
struct Script<'a> {
    build: Option<Box<dyn FnMut(&mut dyn Job) -> Result<Built, HostError> + 'a>>,
    on_event: Option<Box<dyn FnMut(&Event) + 'a>>,
    on_release: Option<Box<dyn FnMut() + 'a>>,
    waited_ms: u64,
}

impl Host for Script<'_> {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        self.build.as_mut().ok_or("no build")?(job)
    }
    fn event(&mut self, event: &Event) {
        if let Some(on_event) = &mut self.on_event {
            on_event(event);
        }
    }
    fn release_handles(&mut self) {
        if let Some(on_release) = &mut self.on_release {
            on_release();
        }
    }
    /// These tests do not need real time.
    fn wait(&mut self, delay_ms: u64) {
        self.waited_ms += delay_ms;
    }
}

fn build_v2(job: &mut dyn Job) -> Result<Built, HostError> {
    let db = Connection::open(job.staging())?;
    db.execute("ATTACH DATABASE ?1 AS v1", [job.source().to_str().unwrap()])?;
    db.execute_batch(TO_V2)?;
    Ok(Built::default())
}

#[test]
fn a_holder_that_never_lets_go_is_copied_under_and_lives_on() {
    for mode in ["wal", "delete"] {
        for run in [BuildBy::Sql(TO_V2.into()), BuildBy::Host] {
            for from in [BuildFrom::Empty, BuildFrom::Copy] {
                let (bed, live) = Bed::held(mode);
                let mut options = bed.options(run.clone());
                options.make.from = from;
                if from == BuildFrom::Copy && run != BuildBy::Host {
                    let sql = "ALTER TABLE notes RENAME TO note; PRAGMA user_version = 2";
                    options.make.run = BuildBy::Sql(sql.into());
                }
                let build = |job: &mut dyn Job| match from {
                    BuildFrom::Empty => build_v2(job),
                    BuildFrom::Copy => {
                        Connection::open(job.staging())?.execute_batch(
                            "ALTER TABLE notes RENAME TO note; PRAGMA user_version = 2",
                        )?;
                        Ok(Built::default())
                    }
                };
                let mut host = Script { build: Some(Box::new(build)), ..Script::default() };
                let result = cutover::migrate(&options, &mut host).unwrap();
                assert_eq!(
                    (result.outcome, result.strategy),
                    (Outcome::Migrated, Some(Strategy::PageCopy)),
                    "{mode} {run:?}"
                );
                assert_eq!(result.warnings, [], "{mode} {run:?}");
                assert!(host.waited_ms <= 400);
                let backup = result.backup.unwrap();
                bed.assert_migrated(&backup, 3);
                // The application goes on with its connection, and another process writes too.
                live.execute_batch("INSERT INTO note SELECT 4, 'a row since'").unwrap();
                assert_eq!(
                    elsewhere(&bed.path(), "SELECT count(*) FROM note; PRAGMA journal_mode"),
                    format!("4\n{mode}")
                );
                elsewhere(&bed.path(), "INSERT INTO note SELECT 5, 'of another process'");
                assert_eq!(
                    live.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0))
                        .unwrap(),
                    5
                );
                assert_eq!(
                    cutover::migrate(&bed.sql(), &mut Script::default()).unwrap().outcome,
                    Outcome::Current
                );
                drop(live);
                cutover::restore(
                    &bed.path(),
                    &backup,
                    &BackupOptions::default(),
                    &mut Script::default(),
                )
                .unwrap();
                assert_eq!(count(&bed.path(), "notes"), 3, "{mode} {run:?}");
                assert_eq!(elsewhere(&bed.path(), "PRAGMA journal_mode"), mode);
            }
        }
    }
}

/// SQLite copies no page of another size into a database in WAL mode.
#[test]
fn a_host_builds_with_v1s_page_size_if_its_pages_are_copied() {
    for page_size in [1024, 65536] {
        let (bed, live) = Bed::held(&format!(
            "DELETE; PRAGMA page_size = {page_size}; PRAGMA journal_mode = WAL"
        ));
        let mut host = Script { build: Some(Box::new(build_v2)), ..Script::default() };
        let result = cutover::migrate(&bed.options(BuildBy::Host), &mut host).unwrap();
        assert_eq!(result.strategy, Some(Strategy::PageCopy));
        bed.assert_migrated(&result.backup.unwrap(), 3);
        live.execute_batch("INSERT INTO note SELECT 4, 'a row since'").unwrap();
        assert_eq!(
            elsewhere(&bed.path(), "SELECT count(*) FROM note; PRAGMA page_size"),
            format!("4\n{page_size}")
        );
    }
}

#[test]
fn a_host_that_builds_with_another_page_size_is_refused_and_v1_stays() {
    let (bed, live) = Bed::held("WAL");
    let build = |job: &mut dyn Job| {
        let built = build_v2(job);
        Connection::open(job.staging())?.execute_batch("PRAGMA page_size = 512; VACUUM")?;
        built
    };
    let mut host = Script { build: Some(Box::new(build)), ..Script::default() };
    let error = cutover::migrate(&bed.options(BuildBy::Host), &mut host).unwrap_err();
    assert_eq!(
        (error.failure.code, error.failure.data.state),
        (Code::Verify, DataState::V1),
        "{error}"
    );
    assert!(error.to_string().contains("of 512 bytes"), "{error}");
    assert_eq!(bed.names(), ["data.db"]);
    assert_eq!(
        live.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0)).unwrap(),
        3
    );
    let mut host = Script { build: Some(Box::new(build_v2)), ..Script::default() };
    let result = cutover::migrate(&bed.options(BuildBy::Host), &mut host).unwrap();
    bed.assert_migrated(&result.backup.unwrap(), 3);
}

#[test]
fn a_holder_that_closes_when_it_is_asked_to_is_replaced() {
    let (bed, live) = Bed::held("wal");
    let live = RefCell::new(Some(live));
    let mut host = Script { on_release: Some(Box::new(|| drop(live.take()))), ..Script::default() };
    let result = cutover::migrate(&bed.sql(), &mut host).unwrap();
    assert_eq!(result.strategy, Some(Strategy::LinkReplace));
    drop(host);
    bed.assert_migrated(&result.backup.unwrap(), 3);
}

#[test]
fn a_reader_that_goes_on_keeps_v1_and_the_next_start_upgrades_it() {
    let (bed, live) = Bed::held("wal");
    let mut reading = live.prepare("SELECT * FROM notes").unwrap();
    let mut rows = reading.query([]).unwrap();
    rows.next().unwrap().unwrap();
    let mut host = Script::default();
    let failure = cutover::migrate(&bed.sql(), &mut host).unwrap_err().failure;
    assert_eq!((failure.code, failure.data.state), (Code::Held, DataState::V1), "{failure}");
    assert!(!failure.holders.is_empty() && failure.to_string().contains("held by"), "{failure}");
    assert!(failure.waited_ms <= 400 && host.waited_ms == failure.waited_ms, "{failure}");
    assert_eq!(bed.names(), ["data.db"]);
    assert_eq!(elsewhere(&bed.path(), "SELECT count(*) FROM notes"), "3");
    drop(rows);
    drop(reading);
    let result = cutover::migrate(&bed.sql(), &mut Script::default()).unwrap();
    bed.assert_migrated(&result.backup.unwrap(), 3);
}

#[test]
fn what_the_holder_commits_while_v2_is_built_is_in_v2() {
    for mode in ["wal", "delete"] {
        // A commit and a checkpoint can leave header and size as they were.
        for checkpoint in ["", "PRAGMA wal_checkpoint(TRUNCATE)"] {
            let (bed, live) = Bed::held(mode);
            let mut late = true;
            let mut host = Script::default();
            host.on_event = Some(Box::new(|event| {
                if let Event::Phase { phase: cutover::core::Phase::Installing } = event
                    && std::mem::take(&mut late)
                {
                    live.execute_batch("UPDATE notes SET text = 'soap' WHERE id = 1").unwrap();
                    let _ = live.execute_batch(checkpoint);
                }
            }));
            let result = cutover::migrate(&bed.sql(), &mut host).unwrap();
            drop(host);
            assert_eq!(result.strategy, Some(Strategy::PageCopy));
            for (path, sql) in [
                (bed.path(), "SELECT body FROM note WHERE id = 1"),
                (result.backup.clone().unwrap(), "SELECT text FROM notes"),
            ] {
                let text: String =
                    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap();
                assert_eq!(text, "soap", "{mode} {checkpoint}");
            }
            bed.assert_migrated(&result.backup.unwrap(), 3);
        }
    }
}

#[test]
fn a_failure_beside_a_holder_leaves_v1_and_nothing_else() {
    for mode in ["wal", "delete"] {
        let (bed, live) = Bed::held(mode);
        for (sql, code) in [("SELECT 1", Code::StillOld), ("no SQL", Code::Host)] {
            let failure =
                cutover::migrate(&bed.options(BuildBy::Sql(sql.into())), &mut Script::default())
                    .unwrap_err()
                    .failure;
            assert_eq!((failure.code, failure.data.state), (code, DataState::V1), "{failure}");
            assert_eq!(bed.names(), ["data.db"], "{mode}");
            assert_eq!(
                live.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0))
                    .unwrap(),
                3
            );
            assert_eq!(
                elsewhere(&bed.path(), "SELECT count(*) FROM notes; PRAGMA journal_mode"),
                format!("3\n{mode}")
            );
        }
    }
}

struct Stop;

#[test]
fn killed_before_any_step_beside_a_holder_the_next_start_ends_well() {
    for mode in ["wal", "delete"] {
        let mut at = 0;
        loop {
            let (bed, live) = Bed::held(mode);
            let mut seen = 0;
            let mut host = Script::default();
            host.on_event = Some(Box::new(|event| {
                if let Event::Step { .. } = event {
                    if seen == at {
                        std::panic::resume_unwind(Box::new(Stop));
                    }
                    seen += 1;
                }
            }));
            let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                cutover::migrate(&bed.sql(), &mut host)
            }))
            .is_err();
            drop(host);
            // In even rounds the holder is another process and lives on; in odd ones it dies with
            // its process.
            let live = (at % 2 == 0).then_some(live);
            let result = cutover::migrate(&bed.sql(), &mut Script::default()).unwrap();
            let backup = bed
                .names()
                .into_iter()
                .find(|name| name.contains(".v1-v2-") && !name.contains(".json"))
                .unwrap();
            bed.assert_migrated(&bed.0.path().join(backup), 3);
            assert!(stopped || result.outcome == Outcome::Current);
            drop(live);
            if !stopped {
                break;
            }
            at += 1;
        }
        assert!(at > 25, "{mode}: {at} steps");
    }
}

/// v1 is free when the plan is made, so the plan replaces it. At the flip a program has it open,
/// and keeps it open.
#[test]
fn a_holder_that_comes_before_the_flip_is_copied_under_without_a_second_build() {
    for op in ["look", "build-sql", "check", "lock-v1", "link"] {
        let (bed, live) = Bed::held("delete");
        drop(live);
        let (mut late, mut builds) = (None, 0);
        let path = bed.path();
        let mut host = Script::default();
        host.on_event = Some(Box::new(|event| {
            if let Event::Step { op: now, .. } = event {
                builds += usize::from(now == "build-sql");
                if now == op && late.is_none() {
                    late = Some(
                        File::options().read(true).write(true).share_mode(3).open(&path).unwrap(),
                    );
                }
            }
        }));
        let result = cutover::migrate(&bed.sql(), &mut host)
            .unwrap_or_else(|error| panic!("{op}: {}", error.failure));
        drop(host);
        assert_eq!(result.outcome, Outcome::Migrated, "{op}");
        assert_eq!(builds, 1, "{op}");
        drop(late);
        let backup = result.backup.unwrap();
        assert_eq!(
            (count(&bed.path(), "note"), count(&backup, "notes"), bed.names().len()),
            (3, 3, 3),
            "{op}: {:?}",
            bed.names()
        );
    }
}

/// A program opens v1 between the link and the rename. v1 then has two hard links, and Windows can
/// remove neither.
#[test]
fn a_holder_that_comes_after_the_link_is_named_and_v1_stays_until_it_goes() {
    let (bed, live) = Bed::held("wal");
    drop(live);
    let mut late = None;
    let path = bed.path();
    let mut host = Script::default();
    host.on_event = Some(Box::new(|event| {
        if let Event::Step { op, .. } = event
            && op == "absent"
            && late.is_none()
        {
            late = Some(File::options().read(true).write(true).share_mode(3).open(&path).unwrap());
        }
    }));
    let failure = cutover::migrate(&bed.sql(), &mut host).unwrap_err().failure;
    drop(host);
    assert_eq!(failure.data.state, DataState::V1, "{failure}");
    assert!(failure.waited_ms <= 400, "{failure}");
    assert!(failure.to_string().contains("held by"), "{failure}");
    drop(late);
    let result = cutover::migrate(&bed.sql(), &mut Script::default()).unwrap();
    assert_eq!((result.outcome, result.recovery), (Outcome::Migrated, Recovery::Finished));
    bed.assert_migrated(&result.backup.unwrap(), 3);
}

/// One budget: if everything is in the way, an upgrade waits no longer than its budget.
#[test]
fn all_waits_of_one_start_are_within_the_budget() {
    for wait_ms in [0, 50, 400, 10_000] {
        let (bed, live) = Bed::held("wal");
        let zombie = RefCell::new(None);
        let mut host = Script::default();
        host.build = Some(Box::new(|job| {
            let built = build_v2(job)?;
            *zombie.borrow_mut() = Some(Connection::open(job.staging())?);
            zombie.borrow().as_ref().unwrap().execute_batch("SELECT * FROM note").unwrap();
            Ok(built)
        }));
        let options = Options { wait_ms, ..bed.options(BuildBy::Host) };
        let result = cutover::migrate(&options, &mut host).unwrap();
        assert!(host.waited_ms <= wait_ms, "{} of {wait_ms}", host.waited_ms);
        // The leaked connection has staging open to the end. cutover copies it, and the next start
        // removes it.
        assert_eq!(
            (result.strategy, result.warnings.len()),
            (Some(Strategy::PageCopy), 1),
            "{:?}",
            result.warnings
        );
        drop(host);
        drop((zombie, live));
        let next = cutover::migrate(&bed.sql(), &mut Script::default()).unwrap();
        assert_eq!((next.outcome, next.recovery), (Outcome::Current, Recovery::Cleaned));
        bed.assert_migrated(&result.backup.unwrap(), 3);
    }
}

/// The host's state goes into the journal, which a virus scanner may have open. cutover waits for
/// it within the budget.
#[test]
fn a_state_is_saved_when_a_scanner_lets_go_of_the_journal() {
    for (wait_ms, lets_go) in [(10_000, true), (0, false)] {
        let (bed, live) = Bed::held("delete");
        drop(live);
        let journal = bed.0.path().join("data.db.v1-v2-cutover.json");
        let mut host = Script::default();
        host.build = Some(Box::new(|job| {
            let scanner = File::options().read(true).share_mode(3).open(&journal)?;
            let (saved, is_saved) = std::sync::mpsc::channel::<()>();
            let scans = std::thread::spawn(move || {
                // If it does not let go, it keeps the file open until the test ends.
                if !lets_go {
                    let _ = is_saved.recv();
                }
                drop(scanner);
            });
            let result = job.save_state(serde_json::json!({ "key": 1 }));
            drop(saved);
            scans.join().unwrap();
            result?;
            build_v2(job)
        }));
        let result =
            cutover::migrate(&Options { wait_ms, ..bed.options(BuildBy::Host) }, &mut host);
        drop(host);
        match result {
            Ok(result) => {
                assert!(lets_go);
                bed.assert_migrated(&result.backup.unwrap(), 3);
            }
            Err(error) => {
                assert!(
                    !lets_go
                        && error.failure.code == Code::Host
                        && error.failure.data.state == DataState::V1,
                    "{}",
                    error.failure
                );
                assert_eq!(bed.names(), ["data.db"]);
            }
        }
    }
}
