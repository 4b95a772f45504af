//! Backups of real upgrades are listed, adopted, pruned and restored, with real files and real SQLite.

mod adopt;
mod interrupted_restore;
mod list_and_prune;
mod plan_restore;
mod restore;

use std::path::{Path, PathBuf};

use cutover::{
    BackupOptions, BuildBy, BuildFrom, Built, Detect, Event, Host, HostError, Job, Make, Options,
    Outcome, RestoreResult,
};
use rusqlite::Connection;

use crate::support::directory;
use crate::support::notes::{TO_V2, V1};

const DAY_MS: u64 = 86_400_000;

#[derive(Default)]
struct Calm {
    warned: Vec<String>,
}

impl Host for Calm {
    fn wait(&mut self, _delay_ms: u64) {}

    fn event(&mut self, event: &Event) {
        if let Event::Warning { warning } = event {
            self.warned.push(warning.message.clone());
        }
    }

    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let v2 = Connection::open(job.staging())?;
        v2.execute_batch(&format!("ATTACH '{}' AS v1; {TO_V2}", job.source()?.display()))?;
        job.write_companion("auth", b"of v2")?;
        Ok(Built::default())
    }
}

/// A directory with a database in it.
struct Bed(tempfile::TempDir);

impl Bed {
    /// An upgraded v1.
    fn upgraded(mode: &str) -> Self {
        let bed = Self(directory());
        bed.sql("data.db", &format!("PRAGMA journal_mode = {mode}; {V1}"));
        assert_eq!(bed.migrate(None).outcome, Outcome::Migrated);
        bed
    }

    /// An upgraded v1 with a companion that the upgrade changed.
    fn upgraded_with_companion() -> Self {
        let bed = Self(directory());
        bed.sql("data.db", &format!("PRAGMA journal_mode = WAL; {V1}"));
        std::fs::write(bed.path("auth.json"), "of v1").unwrap();
        cutover::migrate(&bed.with_companion(), &mut Calm::default()).unwrap();
        bed
    }

    fn with_companion(&self) -> Options {
        let make = Make { from: BuildFrom::Empty, run: BuildBy::Host };
        self.options().make(make).companions(self.beside().companions)
    }

    /// Makes the newest backup this many days older in its name and its receipt.
    fn age_newest(&self, days: u64) {
        self.move_newest(|ms| ms - days * DAY_MS);
    }

    /// Gives the newest backup another time, in its name and its receipt.
    fn move_newest(&self, time: impl Fn(u64) -> u64) {
        let backup = &self.backups()[0];
        let [now, then] = [backup.started_ms, time(backup.started_ms)].map(|ms| ms.to_string());
        let receipt = format!("{}.json", backup.name);
        std::fs::write(self.path(&receipt), self.read(&receipt).replace(&now, &then)).unwrap();
        for name in [receipt.as_str(), backup.name.as_str()] {
            std::fs::rename(self.path(name), self.path(&name.replace(&now, &then))).unwrap();
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn sql(&self, name: &str, sql: &str) {
        Connection::open(self.path(name)).unwrap().execute_batch(sql).unwrap();
    }

    fn options(&self) -> Options {
        Options::new(
            self.path("data.db"),
            "v1-v2",
            Detect::UserVersion(2),
            Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) },
        )
    }

    fn beside(&self) -> BackupOptions {
        BackupOptions::default().companions([("auth", self.path("auth.json"))]).wait_ms(0)
    }

    fn migrate(&self, keep_backups: Option<u32>) -> cutover::MigrateResult {
        let mut options = self.options();
        options.keep_backups = keep_backups;
        cutover::migrate(&options, &mut Calm::default()).unwrap()
    }

    fn backups(&self) -> Vec<cutover::Backup> {
        cutover::list_backups(&self.path("data.db")).unwrap()
    }

    fn newest(&self) -> PathBuf {
        self.backups()[0].name.as_str().into()
    }

    fn restore(&self) -> Result<RestoreResult, cutover::Error> {
        cutover::restore(
            &self.path("data.db"),
            &self.newest(),
            &BackupOptions::default().wait_ms(0),
            &mut Calm::default(),
        )
    }

    fn names(&self) -> Vec<String> {
        directory::names(self.0.path())
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}

fn version_of(path: &Path) -> i64 {
    Connection::open(path).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

/// In memory if possible: this test does not check that flushes reach a disk.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// Whether the header says WAL: byte 18 of the file format is 2.
fn is_wal(path: &Path) -> bool {
    std::fs::read(path).unwrap()[18] == 2
}
