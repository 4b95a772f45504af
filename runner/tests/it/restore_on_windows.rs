//! A restore of a v2 that a program has open on Windows. v1's pages are copied into it, as v2's are
//! into an open v1 (`held_on_windows/`).
#![cfg(windows)]

use std::fs::File;
use std::os::windows::fs::OpenOptionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use cutover::planner::DataState;
use cutover::{
    BackupOptions, BuildBy, BuildFrom, Code, Detect, Error, Event, Host, Make, Options, Recovery,
    RestoreResult,
};
use rusqlite::Connection;

use crate::support::notes::{NOTES, TO_V2, V1, rows};

/// Hears of each step. These tests do not need real time.
struct Script<F>(F);

impl<F: FnMut(&str)> Host for Script<F> {
    fn event(&mut self, event: &Event) {
        if let Event::Step { op, .. } = event {
            (self.0)(op.as_str());
        }
    }
    fn wait(&mut self, _delay_ms: u64) {}
}

fn quiet() -> Script<fn(&str)> {
    Script(|_| {})
}

struct Bed(tempfile::TempDir);

impl Bed {
    /// A v2 in `v2_mode`, upgraded from a v1 in `v1_mode`, and the connection that wrote one more
    /// row to it. In WAL mode that row is only in the log.
    fn held(v1_mode: &str, v2_mode: &str) -> (Self, Connection) {
        let bed = Self(tempfile::tempdir().unwrap());
        let v1 = Connection::open(bed.path()).unwrap();
        v1.execute_batch(&format!("PRAGMA journal_mode = {v1_mode}; {V1}")).unwrap();
        drop(v1);
        let make = Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) };
        let options = Options::new(bed.path(), "v1-v2", Detect::UserVersion(2), make);
        cutover::migrate(&options, &mut quiet()).unwrap();
        let live = Connection::open(bed.path()).unwrap();
        let sql = "PRAGMA wal_autocheckpoint = 0; INSERT INTO note (body) VALUES ('of v2')";
        live.execute_batch(&format!("PRAGMA journal_mode = {v2_mode}; {sql}")).unwrap();
        (bed, live)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("data.db")
    }

    fn restore(&self, host: &mut dyn Host) -> Result<RestoreResult, Error> {
        let newest = cutover::list_backups(&self.path()).unwrap()[0].name.as_str().to_owned();
        let options = BackupOptions::default().wait_ms(400);
        cutover::restore(&self.path(), Path::new(&newest), &options, host)
    }

    /// v1 is back, v2 is set aside with these rows, the backup and its receipt stay, and nothing
    /// else is there.
    fn assert_restored(&self, more: &[&str], told: &str) {
        assert_eq!(rows(&self.path(), "notes"), NOTES, "{told}");
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let beside = ["-lock", "-wal", "-shm"];
        let names: Vec<String> =
            names.filter(|name| !beside.iter().any(|part| name.contains(part))).collect();
        assert_eq!(names.len(), 4, "{told}: {names:?}");
        let aside = names.iter().find(|name| name.contains(".displaced-")).unwrap();
        assert_eq!(
            rows(&self.0.path().join(aside), "note"),
            [&NOTES, more].concat(),
            "{told}: {names:?}"
        );
    }
}

fn mode(path: &Path) -> String {
    let db = Connection::open(path).unwrap();
    db.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap()
}

const MODES: [(&str, &str); 4] =
    [("wal", "wal"), ("delete", "wal"), ("wal", "delete"), ("delete", "delete")];

#[test]
fn a_holder_that_never_lets_go_is_copied_under_and_lives_on() {
    for (v1_mode, v2_mode) in MODES {
        let told = format!("v1 in {v1_mode}, v2 in {v2_mode} mode");
        let (bed, live) = Bed::held(v1_mode, v2_mode);
        let result = bed.restore(&mut quiet()).unwrap_or_else(|error| panic!("{told}: {error}"));
        assert_eq!(result.warnings, [], "{told}");
        bed.assert_restored(&["of v2"], &told);
        // The open connection keeps the database in WAL mode.
        let wanted = if v2_mode == "wal" { "wal" } else { v1_mode };
        assert_eq!(mode(&bed.path()), wanted, "{told}");
        live.execute_batch("INSERT INTO notes (text) VALUES ('a row since')").unwrap();
        let now = rows(&bed.path(), "notes");
        assert_eq!(now, [&NOTES[..], &["a row since"]].concat(), "{told}");
    }
}

#[test]
fn killed_before_any_step_beside_a_holder_the_next_restore_ends_it() {
    // Every third step, beginning with another one in each mode.
    for (first, (v1_mode, v2_mode)) in MODES.into_iter().enumerate() {
        let mut at = first % 3;
        loop {
            let told = format!("v1 in {v1_mode}, v2 in {v2_mode} mode, step {at}");
            let (bed, live) = Bed::held(v1_mode, v2_mode);
            let mut seen = 0;
            let mut host = Script(|_: &str| {
                if seen == at {
                    resume_unwind(Box::new("killed"));
                }
                seen += 1;
            });
            let killed = catch_unwind(AssertUnwindSafe(|| bed.restore(&mut host))).is_err();
            // In even rounds the holder is another process and lives on; in odd ones it dies with
            // its process.
            let live = (at % 2 == 0).then_some(live);
            let is_v1 = {
                let db = Connection::open(bed.path()).unwrap();
                let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'notes')";
                db.query_row(sql, [], |row| row.get::<_, bool>(0)).unwrap()
            };
            // Without its journal the restore was done.
            if !is_v1 || bed.0.path().join("data.db.v1-v2-cutover.json").exists() {
                bed.restore(&mut quiet()).unwrap_or_else(|error| panic!("{told}: {error}"));
            }
            bed.assert_restored(&["of v2"], &told);
            drop(live);
            if !killed {
                break;
            }
            at += 3;
        }
        assert!(at > 25, "{at} steps");
    }
}

#[test]
fn what_the_holder_commits_meanwhile_is_set_aside() {
    for (v1_mode, v2_mode) in MODES {
        // A commit and a checkpoint can leave header and size as they were.
        for checkpoint in ["", "PRAGMA wal_checkpoint(TRUNCATE)"] {
            let told = format!("v1 in {v1_mode}, v2 in {v2_mode} mode, {checkpoint}");
            let (bed, live) = Bed::held(v1_mode, v2_mode);
            let mut late = true;
            let mut host = Script(|op: &str| {
                if op == "page-copy" && std::mem::take(&mut late) {
                    live.execute_batch("UPDATE note SET body = 'late' WHERE body = 'of v2'")
                        .unwrap();
                    let _ = live.execute_batch(checkpoint);
                }
            });
            bed.restore(&mut host).unwrap_or_else(|error| panic!("{told}: {error}"));
            bed.assert_restored(&["late"], &told);
        }
    }
}

/// A reader keeps v1's pages in the log. A file that still holds v2 must not be taken for v2.
#[test]
fn pages_that_stay_in_the_log_are_found_there() {
    let (bed, live) = Bed::held("wal", "wal");
    let mut copied = false;
    let mut host = Script(|op: &str| {
        if std::mem::replace(&mut copied, op == "page-copy") {
            resume_unwind(Box::new("killed"));
        }
        if copied {
            live.execute_batch("BEGIN; SELECT count(*) FROM note").unwrap();
        }
    });
    assert!(catch_unwind(AssertUnwindSafe(|| bed.restore(&mut host))).is_err());
    let file = std::fs::read(bed.path()).unwrap();
    assert_eq!(file[63], 2, "the file is v2 to this byte, its user version");
    let failure = bed.restore(&mut quiet()).unwrap_err().failure;
    assert_eq!(failure.code, Code::Held, "{failure}");
    live.execute_batch("COMMIT").unwrap();
    let result = bed.restore(&mut quiet()).unwrap();
    assert_eq!(result.recovery, Recovery::Finished);
    bed.assert_restored(&["of v2"], "the log was emptied");
}

/// v2 is free when the plan is made, so the plan replaces it. At the flip a program has it open,
/// and keeps it open.
#[test]
fn a_holder_that_comes_before_the_flip_is_copied_under() {
    for op in ["copy", "check", "lock-v1", "link"] {
        let (bed, live) = Bed::held("wal", "delete");
        drop(live);
        let (path, mut late) = (bed.path(), None);
        let mut host = Script(|now: &str| {
            if now == op && late.is_none() {
                let opened = File::options().read(true).write(true).share_mode(3).open(&path);
                late = Some(opened.unwrap());
            }
        });
        bed.restore(&mut host).unwrap_or_else(|error| panic!("{op}: {error}"));
        drop(late);
        bed.assert_restored(&["of v2"], op);
    }
}

#[test]
fn pages_of_another_size_cannot_be_copied_into_a_database_open_in_wal_mode() {
    let (bed, live) = Bed::held("wal", "delete; PRAGMA page_size = 1024; VACUUM");
    live.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    let failure = bed.restore(&mut quiet()).unwrap_err().failure;
    assert_eq!(failure.code, Code::Held, "{failure}");
    assert_ne!(failure.data.state, DataState::FinishAtNextStart, "{failure}");
    drop(live);
    bed.restore(&mut quiet()).unwrap();
    bed.assert_restored(&["of v2"], "once it is closed");
}
