//! A database that a leaked connection (a "zombie") of this process has open, as its caller knows.
//! Plain descriptors stand for such a connection: cutover's SQLite does not know the locks of its
//! library, as with a second SQLite in one process.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cutover::{BuildBy, BuildFrom, Code, Detect, Event, Held, Host, Make, Options, Outcome};
use rusqlite::Connection;

use crate::support::interrupt::Interrupt;
use crate::support::notes::{TO_V2, V1};
use crate::support::other::Other;
use crate::support::strace;

#[derive(Default)]
struct Counts {
    waits: u32,
    released: u32,
}

impl Host for Counts {
    fn wait(&mut self, _delay_ms: u64) {
        self.waits += 1;
    }
    fn release_handles(&mut self) {
        self.released += 1;
    }
}

/// No two tests at once: between fork and exec a child holds every file of this process.
static ALONE: Mutex<()> = Mutex::new(());

struct Bed {
    _alone: MutexGuard<'static, ()>,
    directory: tempfile::TempDir,
    /// Descriptors of the original database, log and shared memory.
    zombie: Vec<File>,
}

impl Bed {
    /// A v1 with rows in its log, if it is in WAL mode, and the descriptors of a leaked connection.
    fn new(mode: &str) -> Self {
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let directory = tempfile::tempdir().unwrap();
        let live = directory.path().join("live.db");
        let db = Connection::open(&live).unwrap();
        db.execute_batch(&format!(
            "PRAGMA journal_mode = {mode}; PRAGMA wal_autocheckpoint = 0; {V1}"
        ))
        .unwrap();
        for suffix in ["", "-wal", "-shm"] {
            let from = format!("{}{suffix}", live.display());
            if Path::new(&from).exists() {
                std::fs::copy(from, directory.path().join(format!("data.db{suffix}"))).unwrap();
            }
        }
        drop(db);
        std::fs::remove_file(live).unwrap();
        let files =
            ["", "-wal", "-shm"].map(|suffix| directory.path().join(format!("data.db{suffix}")));
        let zombie = files
            .iter()
            .filter_map(|path| File::options().read(true).write(true).open(path).ok())
            .collect();
        Self { _alone: alone, directory, zombie }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("data.db")
    }

    fn options(&self, held: Held, sql: &str) -> Options {
        let make = Make { from: BuildFrom::Empty, run: BuildBy::Sql(sql.into()) };
        Options::new(self.path(), "v1-v2", Detect::UserVersion(2), make).held(held).wait_ms(100)
    }

    fn is_the_zombies(&self, path: &Path) -> bool {
        let ino = std::fs::metadata(path).unwrap().ino();
        self.zombie.iter().any(|file| file.metadata().unwrap().ino() == ino)
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| !name.ends_with("-lock"));
        names.sort();
        names
    }

    fn mode(&self) -> String {
        Connection::open(self.path())
            .unwrap()
            .query_row("PRAGMA journal_mode", [], |row| row.get(0))
            .unwrap()
    }
}

/// What another process reads.
fn elsewhere(path: &Path, sql: &str) -> String {
    let output = Command::new("sqlite3")
        .arg(path)
        .arg(sql)
        .stderr(Stdio::inherit())
        .output()
        .expect("sqlite3 is needed for this test");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn by_default_what_this_process_has_open_is_refused_and_not_touched() {
    let bed = Bed::new("wal");
    let before = bed.names();
    let error =
        cutover::migrate(&bed.options(Held::Refuse, TO_V2), &mut Counts::default()).unwrap_err();
    assert_eq!(error.failure.code, Code::Held);
    assert!(bed.is_the_zombies(&bed.path()));
    assert_eq!(bed.names(), before);
}

#[test]
fn with_proceed_v2_is_a_file_that_the_zombie_does_not_have() {
    for mode in ["wal", "delete"] {
        let bed = Bed::new(mode);
        let mut host = Counts::default();
        let result = cutover::migrate(&bed.options(Held::Proceed, TO_V2), &mut host).unwrap();
        assert_eq!(
            (result.outcome, host.waits, host.released),
            (Outcome::Migrated, 0, 1),
            "{mode}: the host is asked once to release handles"
        );
        assert_eq!(result.warnings, [], "{mode}: what was asked for is no warning");
        let backup = result.backup.unwrap();
        assert!(!bed.is_the_zombies(&bed.path()) && !bed.is_the_zombies(&backup), "{mode}");
        assert_eq!(bed.mode(), mode);
        // The application goes on, and another process writes too.
        let live = Connection::open(bed.path()).unwrap();
        live.execute_batch("INSERT INTO note (body) VALUES ('a row since')").unwrap();
        assert_eq!(elsewhere(&bed.path(), "SELECT count(*) FROM note"), "4", "{mode}");
        elsewhere(&bed.path(), "INSERT INTO note (body) VALUES ('of another process')");
        assert_eq!(
            live.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0)).unwrap(),
            5,
            "{mode}"
        );
        drop(live);
        assert_eq!(
            elsewhere(&backup, "SELECT count(*) FROM notes; PRAGMA integrity_check"),
            "3\nok",
            "{mode}"
        );
        let backup = backup.file_name().unwrap().to_str().unwrap().to_owned();
        assert_eq!(
            bed.names(),
            ["data.db".to_owned(), backup.clone(), format!("{backup}.json")],
            "{mode}"
        );
    }
}

/// During the move of the database its leaked connection is collected, and another process writes
/// at once.
struct Collected {
    zombie: Vec<File>,
    database: PathBuf,
    at: &'static str,
    stays: bool,
    other: Option<Other>,
}

impl Host for Collected {
    fn event(&mut self, event: &Event) {
        let Event::Step { op, .. } = event else { return };
        if op == self.at && !self.zombie.is_empty() {
            self.zombie.clear();
            let other = Other::opens(
                &self.database,
                "INSERT INTO notes (text) VALUES ('of another process');",
            );
            self.other = self.stays.then_some(other);
        }
    }
}

/// Closing the leaked connection's descriptor drops the lock under which the database was copied.
#[test]
fn with_proceed_a_zombie_that_is_collected_meanwhile_costs_no_row_of_another_process() {
    // The copy is made by then; `remove` is of the sidecars.
    for at in ["sync-file", "remove", "sync-dir", "rename"] {
        for mode in ["wal", "delete"] {
            let mut bed = Bed::new(mode);
            let mut host = Collected {
                zombie: std::mem::take(&mut bed.zombie),
                database: bed.path(),
                at,
                stays: false,
                other: None,
            };
            let result = cutover::migrate(&bed.options(Held::Proceed, TO_V2), &mut host).unwrap();
            assert!(host.zombie.is_empty() && result.outcome == Outcome::Migrated, "{mode}, {at}");
            assert!(
                result.warnings.is_empty(),
                "{mode}, {at}: no connection is left behind: {:?}",
                result.warnings
            );
            assert_eq!(
                elsewhere(&bed.path(), "SELECT count(*) FROM note; PRAGMA integrity_check"),
                "4\nok",
                "{mode}, {at}"
            );
            assert_eq!(bed.names().len(), 3, "{mode}, {at}: {:?}", bed.names());

            drop(bed);

            // A process that goes on keeps its log too.
            let mut bed = Bed::new(mode);
            let mut host = Collected {
                zombie: std::mem::take(&mut bed.zombie),
                database: bed.path(),
                at,
                stays: true,
                other: None,
            };
            let error =
                cutover::migrate(&bed.options(Held::Proceed, TO_V2), &mut host).unwrap_err();
            assert_eq!(error.failure.code, Code::Held, "{mode}, {at}: {error}");
            host.other.unwrap().kill();
            assert_eq!(
                elsewhere(&bed.path(), "SELECT count(*) FROM notes; PRAGMA integrity_check"),
                "4\nok",
                "{mode}, {at}"
            );
        }
    }
}

#[test]
fn with_proceed_every_ending_leaves_a_file_that_the_zombie_does_not_have() {
    for (sql, code) in [("SELECT 1", Code::StillOld), ("no SQL", Code::Host)] {
        for mode in ["wal", "delete"] {
            let bed = Bed::new(mode);
            let error = cutover::migrate(&bed.options(Held::Proceed, sql), &mut Counts::default())
                .unwrap_err();
            assert_eq!(error.failure.code, code, "{}", error.failure);
            assert!(!bed.is_the_zombies(&bed.path()), "{mode}");
            assert_eq!(bed.mode(), mode);
            assert_eq!(
                elsewhere(&bed.path(), "SELECT count(*) FROM notes; PRAGMA integrity_check"),
                "3\nok",
                "{mode}"
            );
            assert_eq!(bed.names(), ["data.db"], "{mode}");
        }
    }
}

#[test]
fn with_proceed_a_current_database_is_moved_too() {
    // cutover opens the database to find out that it is v2.
    let bed = Bed::new("wal");
    elsewhere(&bed.path(), "PRAGMA user_version = 2");
    let result =
        cutover::migrate(&bed.options(Held::Proceed, TO_V2), &mut Counts::default()).unwrap();
    assert_eq!(result.outcome, Outcome::Current);
    assert!(!bed.is_the_zombies(&bed.path()));
}

/// The upgrade was interrupted before any of its steps, by another process; then this one leaks a
/// connection to what that left.
#[test]
fn with_proceed_an_interrupted_upgrade_is_recovered() {
    for mode in ["wal", "delete"] {
        let mut beside = 0;
        for at in 0.. {
            let mut bed = Bed::new(mode);
            bed.zombie.clear();
            let interrupted = catch_unwind(AssertUnwindSafe(|| {
                let mut interrupt = Interrupt { at, seen: 0 };
                cutover::migrate(&bed.options(Held::Refuse, TO_V2), &mut interrupt).map(drop)
            }));
            // This process has installed v2, and knows that it is current.
            if interrupted.is_ok() {
                break;
            }
            let what = format!("{mode}, interrupted before step {at}");
            bed.zombie = vec![File::open(bed.path()).unwrap()];
            beside += usize::from(bed.names().iter().any(|name| name.contains("-cutover.json")));
            let mut host = Counts::default();
            let result = cutover::migrate(&bed.options(Held::Proceed, TO_V2), &mut host)
                .unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(matches!(result.outcome, Outcome::Migrated | Outcome::Current), "{what}");
            assert_eq!(host.waits, 0, "{what}");
            assert!(!bed.is_the_zombies(&bed.path()), "{what}");
            let names = bed.names();
            assert_eq!(names.len(), 3, "{what}: {names:?}");
            let backup = names.iter().find(|name| name.contains(".v1-v2-1")).unwrap();
            for (path, table) in
                [(bed.path(), "note"), (bed.directory.path().join(backup), "notes")]
            {
                let sql = format!("SELECT count(*) FROM {table}; PRAGMA integrity_check");
                assert_eq!(elsewhere(&path, &sql), "3\nok", "{what}");
            }
        }
        assert!(beside > 10, "{mode}: beside a journal {beside} times");
    }
}

#[test]
fn with_proceed_what_another_process_has_open_is_refused() {
    let bed = Bed::new("delete");
    let mut other =
        Command::new("sleep").arg("1000").stdin(File::open(bed.path()).unwrap()).spawn().unwrap();
    let pid = other.id();
    let error =
        cutover::migrate(&bed.options(Held::Proceed, TO_V2), &mut Counts::default()).unwrap_err();
    other.kill().unwrap();
    other.wait().unwrap();
    let failure = &error.failure;
    assert_eq!(failure.code, Code::Held);
    let who: Vec<_> =
        failure.holders.iter().map(|holder| (holder.pid, holder.this_process)).collect();
    assert_eq!(who, [(std::process::id(), true), (pid, false)], "this process first: {failure}");
    assert!(bed.is_the_zombies(&bed.path()));
}

const CHANGES: &str =
    "pwrite64,write,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat";
/// Set when this test program starts itself again, to the database that it holds and upgrades.
const HOLDS: &str = "CUTOVER_TEST_HOLDS";

#[test]
#[ignore = "a process of the tests"]
fn holds() {
    let path = PathBuf::from(std::env::var_os(HOLDS).unwrap());
    let zombie =
        ["", "-wal", "-shm"].map(|suffix| File::open(format!("{}{suffix}", path.display())));
    let make = Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) };
    let options = Options::new(path, "v1-v2", Detect::UserVersion(2), make).held(Held::Proceed);
    cutover::migrate(&options, &mut Counts::default()).unwrap();
    drop(zombie);
}

/// Killed at every call of the move to a new file, and of what follows. In WAL mode there are three
/// tests, each with every third call, so that they can run on several cores.
mod with_proceed_and_killed_at_any_call_that_changes_the_disk_no_row_is_lost {
    use super::killed;

    #[test]
    fn in_wal_mode_the_first_third() {
        killed("wal", 0, 3);
    }

    #[test]
    fn in_wal_mode_the_second_third() {
        killed("wal", 1, 3);
    }

    #[test]
    fn in_wal_mode_the_last_third() {
        killed("wal", 2, 3);
    }

    #[test]
    fn in_delete_mode() {
        killed("delete", 0, 1);
    }
}

fn killed(mode: &str, part: usize, parts: usize) {
    let rows = |path: &Path, table: &str| {
        elsewhere(path, &format!("SELECT count(*) FROM {table}; PRAGMA integrity_check"))
    };
    let hold = |bed: &mut Bed, inject: &[String]| {
        bed.zombie.clear();
        let mut again = again!(holds);
        let (output, calls) = strace::run(CHANGES, inject, again.env(HOLDS, bed.path()));
        (output.status.success(), calls)
    };
    let (whole, calls) = hold(&mut Bed::new(mode), &[]);
    assert!(whole, "{calls:#?}");
    let mut moved = 0_usize;
    let changes: Vec<usize> =
        (0..calls.len()).filter(|at| !calls[*at].contains(" write(1<")).collect();
    for at in changes.into_iter().skip(part).step_by(parts) {
        let mut bed = Bed::new(mode);
        let old = bed.zombie[0].metadata().unwrap().ino();
        let (_, _) = hold(&mut bed, &[strace::kill_before(&calls, at)]);
        let there = std::fs::metadata(bed.path()).map(|metadata| metadata.ino());
        let v1 = !bed.names().iter().any(|name| name.contains(".v1-v2-1"));
        moved += usize::from(v1 && there.is_ok_and(|there| there != old));
        let next =
            cutover::migrate(&bed.options(Held::Refuse, TO_V2), &mut Counts::default()).unwrap();
        assert!(
            matches!(next.outcome, Outcome::Migrated | Outcome::Current),
            "{mode}, {}: {next:?}",
            calls[at]
        );
        assert_eq!(rows(&bed.path(), "note"), "3\nok", "{mode}, {}", calls[at]);
        let names = bed.names();
        let backup = names.iter().find(|name| name.contains(".v1-v2-1")).unwrap();
        assert_eq!(
            rows(&bed.directory.path().join(backup), "notes"),
            "3\nok",
            "{mode}, {}",
            calls[at]
        );
        assert_eq!(names.len(), 3, "{mode}, {}: {names:?}", calls[at]);
    }
    assert!(moved * parts > 10, "{mode}: v1 was a new file after {moved} kills");
}
