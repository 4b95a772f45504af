//! A restore where the database cannot be given a second name: `strace` answers every `link` with
//! EPERM, as vfat and exFAT do, so v2 is set aside as a copy. Then the process is killed at every
//! call that changes the disk.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::Command;

use cutover::{
    BackupOptions, Built, Detect, Event, From, Host, HostError, Job, Make, Options, Recovery,
    RestoreResult, Run,
};
use rusqlite::Connection;

use crate::support::notes::{NOTES, TO_V2, V1, rows};
use crate::support::strace;
use crate::support::writer::{End, Writer};

const CHANGES: &str =
    "pwrite64,write,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat";
/// Set where this program is started anew, to restore the database named here.
const RESTORES: &str = "CUTOVER_TEST_RESTORES";
/// The same, to recover it.
const RECOVERS: &str = "CUTOVER_TEST_RECOVERS";
/// The same, and another program writes to it while it is copied.
const MEANWHILE: &str = "CUTOVER_TEST_MEANWHILE";

struct Quiet;

impl Host for Quiet {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let v2 = Connection::open(job.staging())?;
        v2.execute_batch(&format!("ATTACH '{}' AS v1; {TO_V2}", job.source().display()))?;
        job.write_companion("auth", b"of v2")?;
        Ok(Built::default())
    }
}

/// Another program begins to write before the database is copied, and takes it back once it is
/// waited for, or the copy is made.
struct Meanwhile {
    database: PathBuf,
    writer: Option<Writer>,
}

impl Host for Meanwhile {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Step { op, file: Some(file), .. }
                if op == "copy" && file.contains(".source-") =>
            {
                self.writer =
                    Some(Writer::begins(&self.database, "DELETE FROM large WHERE id > 2000"));
                return;
            }
            Event::Wait { op, .. } if op == "copy" => eprintln!("waited for"),
            _ => {}
        }
        if let Some(writer) = self.writer.take() {
            writer.ends(End::RolledBack);
        }
    }
}

struct Bed(tempfile::TempDir);

impl Bed {
    /// A v2 in this journal mode, with a row of its own, and the backup that it was made from.
    fn upgraded(mode: &str) -> Self {
        let bed = Self(tempfile::tempdir().unwrap());
        let db = Connection::open(bed.database()).unwrap();
        db.execute_batch(&format!("PRAGMA journal_mode = {mode}; {V1}")).unwrap();
        drop(db);
        std::fs::write(bed.0.path().join("auth.json"), "of v1").unwrap();
        cutover::migrate(&upgrade(&bed.database()), &mut Quiet).unwrap();
        bed.written("of v2");
        bed
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("data.db")
    }

    /// Another process restores, with what else `strace` is told. Gives whether it did, and its
    /// calls.
    fn restore_without_links(&self, more: &[String]) -> (bool, Vec<String>) {
        self.without_links(again!(restores), RESTORES, more)
    }

    /// Likewise it recovers.
    fn recover_without_links(&self, more: &[String]) -> (bool, Vec<String>) {
        self.without_links(again!(recovers), RECOVERS, more)
    }

    fn without_links(
        &self,
        mut again: Command,
        told: &str,
        more: &[String],
    ) -> (bool, Vec<String>) {
        let more = [&["--inject=link,linkat:error=EPERM".into()], more].concat();
        again.env(told, self.database());
        let (output, calls) = strace::run(&format!("link,linkat,{CHANGES}"), &more, &again);
        (output.status.success(), calls)
    }

    /// Somebody writes to v2.
    fn written(&self, row: &str) {
        Connection::open(self.database())
            .unwrap()
            .execute("INSERT INTO note (body) VALUES (?1)", [row])
            .unwrap();
    }

    fn count(&self, name: &str) -> i64 {
        let db = Connection::open(self.0.path().join(name)).unwrap();
        db.query_row("SELECT count(*) FROM large", [], |row| row.get(0)).unwrap()
    }

    /// v1 and its companion are back, v2 and its own are beside, the backup stays, and there is
    /// nothing else.
    fn assert_restored(&self, mode: &str, told: &str) {
        let here = |name: &str| self.0.path().join(name);
        assert_eq!(rows(&self.database(), "notes"), NOTES, "{told}");
        let now: String = Connection::open(self.database())
            .unwrap()
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .unwrap();
        assert_eq!(now, mode, "{told}");
        assert_eq!(std::fs::read_to_string(here("auth.json")).unwrap(), "of v1", "{told}");
        let mut names: Vec<String> = std::fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.retain(|name| !name.contains("-lock"));
        names.sort();
        let aside = |of: &str| {
            names.iter().find(|name| name.starts_with(&format!("{of}.displaced-"))).unwrap().clone()
        };
        assert_eq!(
            rows(&here(&aside("data.db")), "note"),
            ["milk", "bread", "a new bicycle", "of v2"],
            "{told}"
        );
        assert_eq!(std::fs::read_to_string(here(&aside("auth.json"))).unwrap(), "of v2", "{told}");
        // Both databases and companions, and of each what is kept: a backup and what is displaced;
        // the backup's receipt.
        assert_eq!(names.len(), 7, "{told}: {names:?}");
    }
}

fn upgrade(database: &Path) -> Options {
    let make = Make { from: From::Empty, run: Run::Host };
    Options {
        companions: beside(database).companions,
        ..Options::new(database, "v1-v2", Detect::UserVersion(2), make)
    }
}

fn beside(database: &Path) -> BackupOptions {
    BackupOptions {
        companions: [("auth".to_owned(), database.with_file_name("auth.json"))].into(),
        ..BackupOptions::default()
    }
}

fn restore(database: &Path, host: &mut dyn Host) -> RestoreResult {
    let newest = cutover::list_backups(database).unwrap()[0].name.as_str().to_owned();
    cutover::restore(database, Path::new(&newest), &beside(database), host).unwrap()
}

#[test]
#[ignore = "a process of the tests"]
fn restores() {
    restore(Path::new(&std::env::var_os(RESTORES).unwrap()), &mut Quiet);
}

#[test]
fn killed_at_any_call_that_changes_the_disk_the_next_restore_ends_it() {
    for mode in ["wal", "delete"] {
        let bed = Bed::upgraded(mode);
        let (whole, calls) = bed.restore_without_links(&[]);
        assert!(whole, "{calls:#?}");
        bed.assert_restored(mode, "not killed");
        for (at, call) in calls
            .iter()
            .enumerate()
            .filter(|(_, call)| !call.contains(" write(1<") && !call.contains(" link"))
        {
            let bed = Bed::upgraded(mode);
            bed.restore_without_links(&[strace::kill_before(&calls, at)]);
            let database = bed.database();
            let there = rows(&database, if is_v1(&database) { "notes" } else { "note" });
            assert!(there.len() >= 3, "{mode}, {call}: {there:?}");
            // Without its journal it was done.
            if !is_v1(&database) || database.with_file_name("data.db.v1-v2-cutover.json").exists() {
                restore(&database, &mut Quiet);
            }
            bed.assert_restored(mode, &format!("{mode}, {call}"));
        }
    }
}

#[test]
#[ignore = "a process of the tests"]
fn recovers() {
    let database = std::env::var_os(RECOVERS).unwrap();
    let recovery = cutover::recover(&upgrade(Path::new(&database)), &mut Quiet).unwrap().recovery;
    assert!(matches!(recovery, Recovery::Undone | Recovery::None), "{recovery:?}");
}

/// v2 is set aside, as a copy, and v1 waits to replace it: from here on a start that finds no v1
/// waiting might take it for done.
#[test]
fn an_undo_that_is_killed_is_no_finished_restore_whoever_writes_to_v2_meanwhile() {
    let (_, calls) = Bed::upgraded("delete").restore_without_links(&[]);
    let flip = calls
        .iter()
        .position(|call| call.contains(" rename") && call.contains(".install-"))
        .unwrap();
    let before_flip = strace::kill_before(&calls, flip);
    for first in [None, Some("before the undo")] {
        let interrupted = || {
            let bed = Bed::upgraded("delete");
            bed.restore_without_links(std::slice::from_ref(&before_flip));
            first.inspect(|row| bed.written(row));
            bed
        };
        let (whole, calls) = interrupted().recover_without_links(&[]);
        assert!(whole, "{calls:#?}");
        for (at, call) in calls.iter().enumerate().filter(|(_, call)| !call.contains(" write(1<")) {
            let bed = interrupted();
            bed.recover_without_links(&[strace::kill_before(&calls, at)]);
            bed.written("after it was killed");
            let (whole, _) = bed.recover_without_links(&[]);
            assert!(whole, "{first:?}, {call}");
            let wanted: Vec<&str> = NOTES
                .into_iter()
                .chain(["of v2"])
                .chain(first)
                .chain(["after it was killed"])
                .collect();
            assert_eq!(rows(&bed.database(), "note"), wanted, "{first:?}, {call}");
            assert_eq!(
                std::fs::read_to_string(bed.0.path().join("auth.json")).unwrap(),
                "of v2",
                "{first:?}, {call}"
            );
        }
    }
}

fn is_v1(database: &Path) -> bool {
    let db =
        Connection::open_with_flags(database, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    db.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'notes'", [], |row| {
        row.get::<_, i64>(0)
    })
    .unwrap()
        == 1
}

/// Pages of its transaction are in the file then, and go from it again without a trace.
#[test]
fn what_another_program_takes_back_is_not_in_the_copy() {
    for mode in ["wal", "delete"] {
        let bed = Bed::upgraded(mode);
        let large = "CREATE TABLE large (id INTEGER PRIMARY KEY, text);
            WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
            INSERT INTO large (text) SELECT printf('%0500d', i) FROM n";
        Connection::open(bed.database()).unwrap().execute_batch(large).unwrap();
        let mut again = again!(restores_meanwhile);
        again.env(MEANWHILE, bed.database());
        let traced = "link,linkat,fcntl,close,copy_file_range,sendfile,write";
        let (output, calls) =
            strace::run(traced, &["--inject=link,linkat:error=EPERM".into()], &again);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{mode}: {said}");
        bed.assert_restored(mode, mode);
        let names = std::fs::read_dir(bed.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let aside = names.into_iter().find(|name| name.starts_with("data.db.displaced-")).unwrap();
        assert_eq!(bed.count(&aside), 5000, "{mode}");
        assert!(said.contains("waited for"), "{mode}: {said}");
        // SQLite's shared lock (`SHARED_FIRST` and `SHARED_SIZE` in os.h) is taken before the first
        // byte is copied and is there at the last.
        let copied = calls
            .iter()
            .rposition(|call| {
                call.contains(".source-")
                    && ![" close(", " fcntl("].iter().any(|other| call.contains(other))
            })
            .unwrap();
        let process = |call: &str| call.split_whitespace().next().map(str::to_owned);
        let of_it =
            |call: &&String| call.contains("/data.db>") && process(call) == process(&calls[copied]);
        let locks = |call: &&String| {
            call.contains(" close(")
                || ["l_len=510", "l_len=0"].iter().any(|range| call.contains(range))
        };
        let last = calls[..copied].iter().filter(of_it).rfind(locks).unwrap();
        assert!(
            last.contains("F_SETLK, {l_type=F_RDLCK")
                && last.contains("l_start=1073741826, l_len=510"),
            "{mode}: {last}"
        );
    }
}

#[test]
#[ignore = "a process of the tests"]
fn restores_meanwhile() {
    let database = PathBuf::from(std::env::var_os(MEANWHILE).unwrap());
    restore(&database.clone(), &mut Meanwhile { database, writer: None });
}
