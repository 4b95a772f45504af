//! Two data directories that share a companion upgrade one after the other, even if one of them is
//! killed.
#![allow(
    clippy::type_complexity,
    clippy::field_reassign_with_default,
    reason = "a host of closures is scripted test by test"
)]

mod held;
mod in_turn;
mod lock_file;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cutover::{BuildBy, BuildFrom, Built, Detect, Event, Host, HostError, Job, Make, Options};
use rusqlite::Connection;

use crate::support::notes::{TO_V2, V1};

/// Set in a child process: the database, the companion, and the op (or op and file) before which it
/// stops, if any.
const CHILD: &str = "CUTOVER_COMPANION_CHILD";

/// One test at a time: between fork and exec, a new child process holds every lock that another
/// test of this process holds.
static IN_TURN: Mutex<()> = Mutex::new(());

/// Data directories `A` and `B`, and `shared` with the companion.
struct Bed(tempfile::TempDir, #[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl Bed {
    fn new() -> Self {
        let turn = IN_TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let bed = Self(tempfile::tempdir().unwrap(), turn);
        for directory in ["A", "B", "shared"] {
            std::fs::create_dir(bed.path(directory)).unwrap();
        }
        for directory in ["A", "B"] {
            Connection::open(bed.database(directory)).unwrap().execute_batch(V1).unwrap();
        }
        std::fs::write(bed.auth(), "v1").unwrap();
        bed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn database(&self, directory: &str) -> PathBuf {
        self.path(directory).join("data.db")
    }

    fn auth(&self) -> PathBuf {
        self.path("shared/auth.json")
    }

    fn options(&self, directory: &str) -> Options {
        options(&self.database(directory), &self.auth())
    }

    /// Starts a process that upgrades a directory, and stops before the first `op`.
    fn upgrade(&self, directory: &str, op: &str) -> Upgrade {
        let mut child = again!(child)
            .env(
                CHILD,
                format!("{}|{}|{op}", self.database(directory).display(), self.auth().display()),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let told = BufReader::new(child.stderr.take().unwrap());
        Upgrade { child, told }
    }

    fn names(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(directory)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        // SQLite makes the owner lock's journal, and keeps it while the lock is held.
        names.retain(|name| !name.ends_with("-lock") && !name.ends_with("-lock-journal"));
        names.sort();
        names
    }

    fn content(&self) -> String {
        std::fs::read_to_string(self.auth()).unwrap()
    }

    fn is_v1(&self, directory: &str) -> bool {
        rows(&self.database(directory), "notes") == 3
    }

    /// The directory holds v2, the backup and its receipt, and nothing else.
    fn assert_upgraded(&self, directory: &str) {
        assert_eq!(rows(&self.database(directory), "note"), 3);
        assert_eq!(self.names(directory).len(), 3, "{:?}", self.names(directory));
    }
}

fn rows(database: &Path, table: &str) -> i64 {
    let db = Connection::open(database).unwrap();
    db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap_or(-1)
}

fn options(database: &Path, auth: &Path) -> Options {
    let make = Make { from: BuildFrom::Empty, run: BuildBy::Host };
    let mut options = Options::new(database, "v1-v2", Detect::UserVersion(2), make);
    options.companions.insert("auth".into(), auth.to_owned());
    options
}

struct Upgrade {
    child: Child,
    told: BufReader<ChildStderr>,
}

impl Upgrade {
    /// Reads lines until one begins with `start`.
    fn wait_for(&mut self, start: &str) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            assert!(
                self.told.read_line(&mut line).unwrap() > 0,
                "the process ended before it said {start:?}: {all}"
            );
            if line.starts_with(start) {
                return line.trim_end().to_owned();
            }
            all.push_str(&line);
        }
    }

    fn go_on(&mut self) {
        self.child.stdin.take().unwrap().write_all(b"\n").unwrap();
    }

    fn ends(mut self) -> String {
        let told = self.wait_for("ended");
        assert!(self.child.wait().unwrap().success());
        told
    }
}

#[test]
#[ignore = "a process of the tests"]
fn child() {
    let task = std::env::var(CHILD).unwrap();
    let [database, auth, op] = task.split('|').collect::<Vec<_>>()[..] else { panic!("{task}") };
    let mut options = options(Path::new(database), Path::new(auth));
    options.wait_ms = 600_000;
    let mut host = App { stop_before: op.to_owned(), talks: true, ..App::default() };
    let result = cutover::migrate(&options, &mut host);
    eprintln!(
        "ended {:?}",
        result
            .map(|result| (result.outcome, result.recovery))
            .map_err(|error| error.failure.to_string())
    );
}

/// An application whose upgrade adds its directory's name to the companion.
#[derive(Default)]
struct App<'a> {
    stop_before: String,
    talks: bool,
    meanwhile: Option<Box<dyn FnMut() + 'a>>,
    on_wait: Option<Box<dyn FnMut(&Event) + 'a>>,
    stop: bool,
}

impl App<'_> {
    fn stops_before(&self, op: &str, file: Option<&str>) -> bool {
        self.stop_before == op
            || file.is_some_and(|file| self.stop_before == format!("{op} {file}"))
    }
}

impl Host for App<'_> {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let db = Connection::open(job.staging())?;
        db.execute("ATTACH DATABASE ?1 AS v1", [job.source()?.to_str().unwrap()])?;
        db.execute_batch(TO_V2)?;
        if let Some(mut meanwhile) = self.meanwhile.take() {
            meanwhile();
        }
        let directory =
            job.staging().parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let content = String::from_utf8(job.read_companion("auth")?.unwrap_or_default())?;
        job.write_companion("auth", format!("{content}+{directory}").as_bytes())?;
        Ok(Built::default())
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Step { op, file, .. }
                if self.talks && self.stops_before(op.as_str(), file.as_deref()) =>
            {
                self.stop_before.clear();
                eprintln!("stopped before {op}");
                std::io::stdin().read_line(&mut String::new()).unwrap();
            }
            Event::Wait { op, file, .. } if self.talks => {
                eprintln!("waits: {op} {}", file.as_deref().unwrap_or_default());
            }
            Event::Wait { .. } => {
                if let Some(on_wait) = &mut self.on_wait {
                    on_wait(event);
                }
            }
            _ => {}
        }
    }

    fn cancelled(&mut self) -> bool {
        self.stop
    }

    /// Only a child process needs real time.
    fn wait(&mut self, delay_ms: u64) {
        if self.talks {
            std::thread::sleep(std::time::Duration::from_millis(delay_ms));
        }
    }
}
