//! Another program opens the database after cutover's last check for open handles and before the
//! flip, and keeps it open. Its file is the backup, or set aside, from then on. Under canonical's
//! name it would find the log of the new file, and write its own pages into that. So the start does
//! not succeed while that program runs, killed in between or not. (Windows does not replace an open
//! file.)
#![cfg(unix)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use cutover::planner::DataState;
use cutover::{BackupOptions, BuildBy, BuildFrom, Code, Detect, Error, Event, Host, Make, Options};
use rusqlite::Connection;

use crate::support::notes::{NOTES, TO_V2, V1, rows};
use crate::support::other::Other;

/// One test at a time: between fork and exec, a new child process holds every file that this
/// process has open.
static IN_TURN: Mutex<()> = Mutex::new(());

/// Another program opens the database before `lock-v1`. This start is killed before `killed`, if it
/// is set.
struct Visited {
    path: PathBuf,
    other: Option<Other>,
    killed: Option<&'static str>,
}

impl Host for Visited {
    fn event(&mut self, event: &Event) {
        let Event::Step { op, .. } = event else { return };
        if op == "lock-v1" && self.other.is_none() {
            self.other = Some(Other::opens(&self.path, "SELECT count(*) > 0 FROM sqlite_schema;"));
        }
        if self.other.is_some() && self.killed.is_some_and(|killed| op == killed) {
            resume_unwind(Box::new("killed"));
        }
    }
    fn wait(&mut self, _delay_ms: u64) {}
}

struct Quiet;

impl Host for Quiet {
    fn wait(&mut self, _delay_ms: u64) {}
}

fn options(path: &Path) -> Options {
    Options::new(
        path,
        "v1-v2",
        Detect::UserVersion(2),
        Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) },
    )
}

/// A start, until it ends or is killed.
type Start = fn(&Path, &mut dyn Host) -> Result<(), Error>;

/// Each start is refused while the other program has the file open, and succeeds when it has ended,
/// with every row where it belongs.
fn is_refused_until_it_has_gone(
    path: &Path,
    start: Start,
    killed: Option<&'static str>,
    now: &str,
    then: &str,
) {
    let mut host = Visited { path: path.to_owned(), other: None, killed };
    let ended = catch_unwind(AssertUnwindSafe(|| start(path, &mut host)));
    let mut other = host.other.take().unwrap();
    let mut refusals: Vec<Error> = ended.into_iter().map(Result::unwrap_err).collect();
    assert_eq!(refusals.is_empty(), killed.is_some());
    refusals.push(start(path, &mut Quiet).unwrap_err());
    for error in refusals {
        let failure = error.failure;
        assert_eq!(
            (failure.code, failure.data.state),
            (Code::Held, DataState::FinishAtNextStart),
            "{failure}"
        );
        assert_eq!(failure.holders[0].pid, other.pid());
    }
    // The application did not open the new file, so it has no log that the other program could take
    // for its own. SQLite finds that the other program's file was moved.
    other.asks(&format!("INSERT INTO {then} VALUES (9, 'lost');"));
    drop(other);
    start(path, &mut Quiet).unwrap();
    assert_eq!(rows(path, now), NOTES, "{killed:?}");
    let moved =
        std::fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let moved = moved.filter(|path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        if now == "note" {
            name.contains(".v1-v2-1") && !name.contains(".json")
        } else {
            name.contains(".displaced-")
        }
    });
    assert_eq!(moved.map(|path| rows(&path, then)).collect::<Vec<_>>(), [NOTES], "{killed:?}");
}

fn v1(directory: &Path) -> PathBuf {
    let path = directory.join("data.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch(&format!("PRAGMA journal_mode = WAL; {V1}"))
        .unwrap();
    path
}

#[test]
fn an_upgrade_is_not_done_while_a_program_has_v1_open() {
    let _turn = IN_TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let start: Start = |path, host| cutover::migrate(&options(path), host).map(drop);
    for killed in [None, Some("unlock-v1")] {
        let directory = tempfile::tempdir().unwrap();
        is_refused_until_it_has_gone(&v1(directory.path()), start, killed, "note", "notes");
    }
}

#[test]
fn a_restore_is_not_done_while_a_program_has_v2_open() {
    let _turn = IN_TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let start: Start = |path, host| {
        let newest = cutover::list_backups(path).unwrap()[0].name.as_str().to_owned();
        cutover::restore(path, Path::new(&newest), &BackupOptions::default(), host).map(drop)
    };
    for killed in [None, Some("unlock-v1")] {
        let directory = tempfile::tempdir().unwrap();
        let path = v1(directory.path());
        cutover::migrate(&options(&path), &mut Quiet).unwrap();
        is_refused_until_it_has_gone(&path, start, killed, "notes", "note");
    }
}
