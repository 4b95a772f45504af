//! A directory with one database, and an application of closures.
#![allow(dead_code, clippy::type_complexity, reason = "not every test needs all of it")]

use std::path::PathBuf;

use cutover::{
    BackupOptions, BuildBy, BuildFrom, Built, Detect, Error, Host, HostError, Job, Make,
    MigrateResult, Options, Reader, RestoreResult, Verdict,
};
use rusqlite::Connection;

use super::directory;

/// An application whose callbacks a test sets as it needs.
#[derive(Default)]
pub struct Application<'a> {
    pub build: Option<Box<dyn FnMut(&mut dyn Job) -> Result<Built, HostError> + 'a>>,
    pub detect: Option<Box<dyn FnMut(&Reader) -> Result<Verdict, HostError> + 'a>>,
    pub verify: Option<Box<dyn FnMut(&Reader) -> Result<(), HostError> + 'a>>,
    pub stop: Option<Box<dyn FnMut() -> bool + 'a>>,
    pub ops: Vec<String>,
}

impl Host for Application<'_> {
    fn detect(&mut self, db: &Reader) -> Result<Verdict, HostError> {
        self.detect.as_mut().ok_or("no detect")?(db)
    }
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        self.build.as_mut().ok_or("no build")?(job)
    }
    fn verify(&mut self, v2: &Reader) -> Result<(), HostError> {
        self.verify.as_mut().ok_or("no verify")?(v2)
    }
    fn event(&mut self, event: &cutover::Event) {
        if let cutover::Event::Step { op, .. } = event {
            self.ops.push(op.to_string());
        }
    }
    fn cancelled(&mut self) -> bool {
        self.stop.as_mut().is_some_and(|stop| stop())
    }
    /// These tests do not need real time.
    fn wait(&mut self, _delay_ms: u64) {}
}

/// A directory with one database.
pub struct Bed(pub tempfile::TempDir);

impl Bed {
    pub fn new(sql: &str) -> Self {
        let bed = Self(tempfile::tempdir().unwrap());
        bed.open().execute_batch(sql).unwrap();
        bed
    }

    pub fn path(&self) -> PathBuf {
        self.0.path().join("data.db")
    }

    pub fn open(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    pub fn bytes(&self) -> Vec<u8> {
        std::fs::read(self.path()).unwrap()
    }

    pub fn options(&self, from: BuildFrom, run: BuildBy) -> Options {
        Options::new(self.path(), "v1-v2", Detect::UserVersion(2), Make { from, run })
    }

    pub fn sql(&self, from: BuildFrom, sql: &str) -> Options {
        self.options(from, BuildBy::Sql(sql.into()))
    }

    pub fn names(&self) -> Vec<String> {
        directory::names(self.0.path())
    }

    pub fn restore(&self) -> Result<RestoreResult, Error> {
        let newest = cutover::list_backups(&self.path()).unwrap()[0].name.to_string();
        let options = BackupOptions::default().wait_ms(0);
        cutover::restore(&self.path(), newest.as_ref(), &options, &mut Application::default())
    }
}

/// The messages of the warnings.
pub fn told(result: &MigrateResult) -> Vec<&str> {
    result.warnings.iter().map(|warning| warning.message.as_str()).collect()
}
