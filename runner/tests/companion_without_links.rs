//! A companion on a file system without hard links, beside a database whose own has them: `strace` answers every `link` of the companion with EPERM, as
//! vfat and exFAT do, and no other.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/notes.rs"]
mod notes;
#[path = "support/strace.rs"]
mod strace;

use std::path::{Path, PathBuf};
use std::process::Command;

use cutover::core::journal::Strategy;
use cutover::{BackupOptions, Built, Detect, From, Host, HostError, Job, Make, Options, Run};
use rusqlite::Connection;

use notes::{NOTES, TO_V2, V1, rows};

/// What the process that is traced does, and with which database.
const DOES: &str = "CUTOVER_TEST_DOES";
const DATABASE: &str = "CUTOVER_TEST_DATABASE";

/// What becomes of the companion while v2 is built.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Build {
    Stages,
    /// And somebody else writes to it once the build is over.
    StagesBesideAnother,
    WritesInPlaceAndFails,
}

impl Host for Build {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        if *self == Self::WritesInPlaceAndFails {
            std::fs::write(auth(job.source()), "half of v2")?;
            return Err("no".into());
        }
        let v2 = Connection::open(job.staging())?;
        v2.execute_batch(&format!("ATTACH '{}' AS v1; {TO_V2}", job.source().display()))?;
        job.write_companion("auth", b"of v2")?;
        Ok(Built::default())
    }

    fn event(&mut self, event: &cutover::Event) {
        let cutover::Event::Step { op, .. } = event else { return };
        if *self == Self::StagesBesideAnother && op == "unlock-v1" {
            std::fs::write(auth(Path::new(&std::env::var_os(DATABASE).unwrap())), "of another").unwrap();
        }
    }
}

/// Beside the database's directory.
fn auth(database: &Path) -> PathBuf {
    database.parent().unwrap().with_file_name("elsewhere").join("auth.json")
}

fn migrate(database: &Path, mut build: Build) -> Result<cutover::MigrateResult, cutover::Error> {
    let make = Make { from: From::Empty, run: Run::Host };
    let companions = [("auth".to_owned(), auth(database))].into();
    cutover::migrate(&Options { companions, ..Options::new(database, "v1-v2", Detect::UserVersion(2), make) }, &mut build)
}

/// Not a test of its own: what the process of the others runs.
#[test]
fn does() {
    let (Some(what), Some(database)) = (std::env::var_os(DOES), std::env::var_os(DATABASE).map(PathBuf::from)) else { return };
    match what.to_str().unwrap() {
        "fails" => drop(migrate(&database, Build::WritesInPlaceAndFails).unwrap_err()),
        "migrates" => assert_eq!(migrate(&database, Build::StagesBesideAnother).unwrap().strategy, Some(Strategy::LinkReplace)),
        _ => {
            let newest = cutover::list_backups(&database).unwrap()[0].name.as_str().to_owned();
            let options = BackupOptions { companions: [("auth".to_owned(), auth(&database))].into(), ..BackupOptions::default() };
            cutover::restore(&database, Path::new(&newest), &options, &mut Build::Stages).unwrap();
        }
    }
}

/// What the companion is after that, and what is kept beside it.
fn after(does: &str, prepare: impl FnOnce(&Path)) -> (PathBuf, tempfile::TempDir, String, Vec<String>) {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("app").join("data.db");
    for of in [&database, &auth(&database)] {
        std::fs::create_dir(of.parent().unwrap()).unwrap();
    }
    Connection::open(&database).unwrap().execute_batch(V1).unwrap();
    std::fs::write(auth(&database), "of v1").unwrap();
    prepare(&database);
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(["--exact", "does", "--test-threads=1"]).env(DOES, does).env(DATABASE, &database);
    let of_companion = ["-P".to_owned(), auth(&database).to_str().unwrap().to_owned(), "--inject=link,linkat:error=EPERM".to_owned()];
    let (output, _) = strace::run("link,linkat,rename,renameat,renameat2", &of_companion, &program);
    assert!(output.status.success(), "{does}: {}", String::from_utf8_lossy(&output.stderr));
    let read = |path: PathBuf| std::fs::read_to_string(path).unwrap();
    let beside = std::fs::read_dir(auth(&database).parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let kept = beside.filter(|path| path.to_str().unwrap().contains(".displaced-")).map(read).collect();
    (database.clone(), directory, read(auth(&database)), kept)
}

#[test]
fn one_that_was_written_in_place_is_put_back() {
    let (database, _directory, now, kept) = after("fails", |_| {});
    assert_eq!((now.as_str(), kept), ("of v1", vec!["half of v2".to_owned()]));
    assert_eq!(rows(&database, "notes"), NOTES);
}

#[test]
fn one_that_somebody_changed_is_kept_beside() {
    let (database, _directory, now, kept) = after("migrates", |_| {});
    assert_eq!((now.as_str(), kept), ("of v2", vec!["of another".to_owned()]));
    assert_eq!(rows(&database, "note"), NOTES);
}

#[test]
fn a_restore_puts_it_back() {
    let (database, _directory, now, kept) = after("restores", |database| drop(migrate(database, Build::Stages).unwrap()));
    assert_eq!((now.as_str(), kept), ("of v1", vec!["of v2".to_owned()]));
    assert_eq!(rows(&database, "notes"), NOTES);
}
