//! A program has v1 open on Windows, where an open file can be neither replaced nor removed.
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

mod page_copy;
mod v1_stays;
mod waits;

use std::path::{Path, PathBuf};

use cutover::{BuildBy, BuildFrom, Built, Detect, Event, Host, HostError, Job, Make, Options};
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
        Options::new(
            self.path(),
            "v1-v2",
            Detect::UserVersion(2),
            Make { from: BuildFrom::Empty, run },
        )
        .wait_ms(400)
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
    db.execute("ATTACH DATABASE ?1 AS v1", [job.source()?.to_str().unwrap()])?;
    db.execute_batch(TO_V2)?;
    Ok(Built::default())
}
