//! Each test makes one upgrade with real files and real SQLite, and disturbs it in one way.
#![allow(
    clippy::type_complexity,
    clippy::field_reassign_with_default,
    reason = "a host of closures is scripted test by test"
)]

mod before_install;
mod build;
mod companions;
mod found;
mod given_plan;
mod in_use;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cutover::{
    BuildBy, BuildFrom, Built, Detect, Event, Host, HostError, Job, Make, MigrateResult, Options,
    Reader, Verdict,
};
use rusqlite::Connection;
use serde_json::json;

use crate::support::directory;
use crate::support::notes::{TO_V2, V1, rows};

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
        self.sql().make(Make { from, run: BuildBy::Host })
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
    db.execute("ATTACH DATABASE ?1 AS v1", [job.source()?.to_str().unwrap()])?;
    db.execute_batch(TO_V2)?;
    Ok(Built {
        expect: BTreeMap::from([("note".to_owned(), 3)]),
        report: Some(json!({ "notes": 3 })),
    })
}
