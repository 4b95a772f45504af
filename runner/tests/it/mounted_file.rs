//! A database that is mounted as a file of its own, as in a container. The kernel refuses to link
//! it (EXDEV) and to rename over it (EBUSY), so v2's pages are copied into it. The upgrade is
//! interrupted before any step, and again before any step of the next start, and is finished. So is
//! a restore.
//!
//! A companion that is mounted so cannot be replaced at all. cutover finds this before it begins.
//!
//! Mounting needs a mount namespace, so these tests start themselves again inside one. Only Linux
//! has them.
#![cfg(target_os = "linux")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;

use cutover::planner::Strategy;
use cutover::{BackupOptions, BuildBy, BuildFrom, Detect, Make, Options, Outcome, RestoreResult};
use rusqlite::Connection;

use crate::support::interrupt::Interrupt;
use crate::support::irreplaceable;

use crate::support::notes::TO_V2;

struct Mounted {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl Mounted {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.db");
        let sql = "PRAGMA journal_mode = WAL; CREATE TABLE notes (id INTEGER PRIMARY KEY, text \
                   TEXT NOT NULL);
            WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100)
            INSERT INTO notes (text) SELECT printf('note %0500d', i) FROM n;";
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        assert!(
            Command::new("mount").arg("--bind").args([&path, &path]).status().unwrap().success()
        );
        Self { _directory: directory, path }
    }

    fn options(&self) -> Options {
        Options::new(
            &self.path,
            "v1-v2",
            Detect::UserVersion(2),
            Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) },
        )
    }

    /// Returns false if the upgrade ended before that step.
    fn interrupt(&self, at: usize) -> bool {
        catch_unwind(AssertUnwindSafe(|| {
            cutover::migrate(&self.options(), &mut Interrupt { at, seen: 0 }).map(drop).unwrap();
        }))
        .is_err()
    }

    fn restore(&self, at: usize) -> RestoreResult {
        let backup = cutover::list_backups(&self.path).unwrap().remove(0);
        let mut host = Interrupt { at, seen: 0 };
        let name = Path::new(backup.name.as_str());
        cutover::restore(&self.path, name, &BackupOptions::default(), &mut host).unwrap()
    }

    /// Returns false if the restore ended before that step.
    fn interrupt_restore(&self, at: usize) -> bool {
        catch_unwind(AssertUnwindSafe(|| drop(self.restore(at)))).is_err()
    }

    /// v1 is back in the mounted file, in its journal mode. v2 is set aside. Nothing else is there
    /// but the backup and its receipt.
    fn assert_restored(&self, aside: &Path, told: &str) {
        assert_eq!((count(&self.path, "notes"), count(aside, "note")), (100, 101), "{told}");
        let db = Connection::open(&self.path).unwrap();
        let mode: String = db.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal", "{told}");
        drop(db);
        let names = self.names();
        assert_eq!(names.len(), 4, "{told}: {names:?}");
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path.parent().unwrap()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.ends_with("-lock")).collect()
    }

    fn assert_finishes(&self, told: &str) {
        let result =
            cutover::migrate(&self.options(), &mut Interrupt { at: usize::MAX, seen: 0 }).unwrap();
        assert_eq!(count(&self.path, "note"), 100, "{told}");
        if result.outcome == Outcome::Migrated {
            assert_eq!(result.strategy, Some(Strategy::PageCopy), "{told}");
            assert_eq!(count(&result.backup.unwrap(), "notes"), 100, "{told}");
        }
        let names = self.names();
        assert_eq!(names.len(), 3, "{told}: {names:?}");
    }
}

fn count(path: &Path, table: &str) -> i64 {
    let db = Connection::open(path).unwrap();
    db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

fn is_v1(path: &Path) -> bool {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'notes')";
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Interrupts a restore before each step, and again before every seventh step of the next one.
/// Returns the number of steps, and of restores that were interrupted twice.
fn restored_whenever_it_is_interrupted() -> (usize, usize) {
    let (mut first, mut twice) = (0, 0);
    loop {
        let mounted = Mounted::new();
        let never = &mut Interrupt { at: usize::MAX, seen: 0 };
        cutover::migrate(&mounted.options(), never).unwrap();
        let sql = "INSERT INTO note (body) VALUES ('of v2')";
        Connection::open(&mounted.path).unwrap().execute_batch(sql).unwrap();
        let told = format!("interrupted before step {first}");
        let journal = mounted.path.with_file_name("data.db.v1-v2-cutover.json");
        let interrupted = mounted.interrupt_restore(first);
        // Without its journal the restore is done, or was not begun.
        let is_done = || !journal.exists() && is_v1(&mounted.path);
        let mut second = first % 7;
        while !is_done() && mounted.interrupt_restore(second) {
            second += 7;
            twice += 1;
        }
        if !is_done() {
            mounted.restore(usize::MAX);
        }
        let aside = mounted.names().into_iter().find(|name| name.contains(".displaced-")).unwrap();
        mounted.assert_restored(&mounted.path.with_file_name(aside), &told);
        if !interrupted {
            return (first, twice);
        }
        first += 1;
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.path).status();
    }
}

#[test]
fn a_companion_that_is_a_mount_point_is_refused() {
    if started_inside!(a_companion_that_is_a_mount_point_is_refused) {
        return;
    }
    let mount = |path: &Path| {
        assert!(Command::new("mount").arg("--bind").args([path, path]).status().unwrap().success());
    };
    let unmount =
        |path: &Path| assert!(Command::new("umount").arg(path).status().unwrap().success());
    irreplaceable::is_refused_until_freed(
        &mount,
        &unmount,
        ["it is a mount point", "mount its directory"],
    );
    irreplaceable::never_stops_a_recovery(&mount, &unmount);
}

#[test]
fn interrupted_before_any_step_it_is_finished() {
    if started_inside!(interrupted_before_any_step_it_is_finished) {
        return;
    }
    std::panic::set_hook(Box::new(|info| eprintln!("{info}")));
    let (mut first, mut starts) = (0, 0);
    loop {
        let mounted = Mounted::new();
        let Err(refused) = std::fs::hard_link(&mounted.path, mounted.path.with_extension("second"))
        else {
            panic!("the mounted file was linked")
        };
        assert_eq!(refused.raw_os_error(), Some(18), "EXDEV");
        let interrupted = mounted.interrupt(first);
        // Every seventh step of the next start, beginning with another one each time.
        if interrupted {
            let mut second = first % 7;
            while mounted.interrupt(second) {
                second += 7;
                starts += 1;
            }
        }
        mounted.assert_finishes(&format!("interrupted before step {first}"));
        if !interrupted {
            break;
        }
        first += 1;
    }
    assert!(first > 35 && starts > 50, "{first} steps, {starts} starts");
    let (steps, restores) = restored_whenever_it_is_interrupted();
    assert!(steps > 25 && restores > 25, "{steps} steps, {restores} restores");
    println!(
        "interrupted before each of {first} steps, {starts} times again: v2 was copied into a \
         mounted file each time; and v1 was restored, interrupted before each of {steps} steps, \
         {restores} times again"
    );
}

/// The plans that are given, at the beginning and after every interruption, are performed.
#[test]
fn a_plan_that_is_given_is_performed() {
    if started_inside!(a_plan_that_is_given_is_performed) {
        return;
    }
    for at in (0..).step_by(3) {
        let mounted = Mounted::new();
        let interrupted = at > 0 && mounted.interrupt(at);
        let mut calm = Interrupt { at: usize::MAX, seen: 0 };
        let mut plans = 0;
        while let Some(plan) = cutover::plan(&mounted.options(), &mut calm).unwrap() {
            cutover::run_plan(&plan.to_text(), &mounted.options(), &mut calm).unwrap();
            plans += 1;
        }
        assert_eq!(count(&mounted.path, "note"), 100, "interrupted before step {at}");
        assert_eq!(mounted.names().len(), 3, "interrupted before step {at}");
        assert!(plans < 5, "{plans}");
        if at > 0 && !interrupted {
            assert!(at > 35, "{at}");
            break;
        }
    }
}
