//! A start with nothing to do: which system calls it makes, and that it leaves the directory as it
//! is. `--nocapture` prints the calls.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use cutover::{
    BuildBy, BuildFrom, Detect, Host, HostError, Lock, Make, Options, Outcome, Reader, Verdict,
};
use rusqlite::Connection;

use crate::support::notes::V1;
use crate::support::strace;

struct Quiet;
impl Host for Quiet {}

/// Set when this test program starts itself again: the database, and whether the application has
/// the lock.
const DATABASE: &str = "CUTOVER_TEST_DATABASE";
const LOCK: &str = "CUTOVER_TEST_LOCK";
/// A file that does not exist. A look at it marks a place in the trace.
const MARK: &str = "/cutover-test-mark";

#[test]
#[ignore = "a process of the tests"]
fn starts() {
    let path = PathBuf::from(std::env::var_os(DATABASE).unwrap());
    let lock = if std::env::var_os(LOCK).is_some() {
        Lock::Own(cutover::lock(&path).unwrap())
    } else {
        Lock::Acquire
    };
    let make = Make { from: BuildFrom::Empty, run: BuildBy::Sql("SELECT 1".into()) };
    let options = Options::new(path, "v1-v2", Detect::UserVersion(2), make).lock(lock);
    let start = || {
        let result = cutover::migrate(&options, &mut Quiet).unwrap();
        assert_eq!(result.outcome, Outcome::Current);
    };
    // The first one sets SQLite up.
    start();
    drop(std::fs::metadata(MARK));
    start();
    drop(std::fs::metadata(MARK));
}

/// How the last owner left the database.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Left {
    Closed,
    Killed,
}

fn database(directory: &Path, mode: &str, left: Left) -> PathBuf {
    let path = directory.join("data.db");
    let db = Connection::open(directory.join("live.db")).unwrap();
    db.execute_batch(&format!(
        "PRAGMA journal_mode = {mode}; {V1} PRAGMA wal_checkpoint; PRAGMA user_version = 2"
    ))
    .unwrap();
    if left == Left::Closed {
        drop(db);
        std::fs::rename(directory.join("live.db"), &path).unwrap();
        return path;
    }
    for suffix in ["", "-wal", "-shm"] {
        let from = directory.join(format!("live.db{suffix}"));
        std::fs::copy(from, directory.join(format!("data.db{suffix}"))).unwrap();
    }
    drop(db);
    std::fs::remove_file(directory.join("live.db")).unwrap();
    path
}

/// Names, sizes and times of the files but the locks; of the shared memory, which SQLite makes anew
/// from the log, the name.
fn look(directory: &Path) -> BTreeMap<String, Option<(u64, std::time::SystemTime)>> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let facts = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        let metadata = entry.metadata().unwrap();
        let known =
            (!name.ends_with("-shm")).then(|| (metadata.len(), metadata.modified().unwrap()));
        (name, known)
    };
    entries.map(facts).filter(|(name, _)| !name.ends_with("-lock")).collect()
}

/// The system calls of a second start in one process.
fn calls_of_a_start(path: &Path, locked: bool) -> Vec<String> {
    let mut again = again!(starts);
    again.env(DATABASE, path);
    if locked {
        again.env(LOCK, "1");
    }
    let (output, trace) = strace::run("all", &[], &again);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let calls = trace.into_iter().skip_while(|line| !line.contains(MARK)).skip(1);
    calls.take_while(|line| !line.contains(MARK)).collect()
}

#[test]
fn a_start_with_nothing_to_do_makes_few_calls_and_changes_nothing() {
    for (mode, left) in [("wal", Left::Closed), ("delete", Left::Closed), ("wal", Left::Killed)] {
        for locked in [true, false] {
            let directory = tempfile::tempdir().unwrap();
            let directory = directory.path().canonicalize().unwrap();
            let path = database(&directory, mode, left);
            let before = look(&directory);
            let calls = calls_of_a_start(&path, locked);
            let what = format!("{mode}, {left:?}, the application has the lock: {locked}");
            assert_eq!(look(&directory), before, "{what}");

            let count = |is: &dyn Fn(&str) -> bool| calls.iter().filter(|call| is(call)).count();
            let of = |name: &str| count(&|call| call.contains(&format!(" {name}(")));
            println!("{what}: {} calls", calls.len());
            for call in &calls {
                println!("  {call}");
            }
            let named = |names: &[&str]| {
                count(&|call| {
                    let call = call.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
                    // SQLite makes the shared memory anew from a log that a killed process left.
                    names.iter().any(|name| call.starts_with(&format!("{name}(")))
                        && !call.contains("data.db-shm")
                })
            };
            assert_eq!(
                named(&[
                    "fsync",
                    "fdatasync",
                    "rename",
                    "renameat",
                    "renameat2",
                    "link",
                    "linkat",
                    "unlink",
                    "unlinkat",
                    "write",
                    "pwrite64",
                    "ftruncate",
                ]),
                0,
                "{what}"
            );
            // No process is asked for but this one, and only for its descriptors.
            let other = |call: &str| {
                call.contains("\"/proc")
                    && !call.contains("\"/proc/thread-self/fd\"")
                    && !call.contains("\"/proc/self/fd\"")
            };
            assert_eq!(count(&other), 0, "{what}");
            let opened = format!("\"{}\"", path.display());
            let opens = count(&|call| {
                call.contains("open") && call.contains(&opened) && !call.contains("-1")
            });
            assert_eq!(opens, 2, "{what}: for its header, and by SQLite");
            // The directory is listed once: only one list comes to its end.
            let listed = format!("<{}>, ", directory.display());
            let lists = count(&|call| {
                call.contains("getdents64(")
                    && call.contains(&listed)
                    && call.contains("/* 0 entries */")
            });
            assert_eq!(lists, 1, "{what}");
            // The folder is resolved once, and this process's descriptors are listed once.
            let depth = directory.components().skip(1).count();
            assert!(of("readlink") + of("readlinkat") <= depth, "{what}");
            let lists = count(&|call| call.contains("open") && call.contains("/fd\""));
            assert_eq!(lists, 1, "{what}");
            // Each descriptor is looked at once. SQLite looks at each folder above a file.
            let descriptors = count(&|call| call.contains("AT_STATX_DONT_SYNC"));
            let memory = ["brk", "mmap", "munmap", "mprotect", "madvise", "futex"].map(of);
            let opened = if locked { 1 } else { 2 };
            let fixed =
                calls.len() - descriptors - memory.iter().sum::<usize>() - depth * (1 + opened);
            // SQLite makes the shared memory anew from a log that a killed process left.
            let most = match (mode, left, locked) {
                (_, Left::Killed, true) => 128,
                (_, Left::Killed, false) => 177,
                ("wal", _, true) => 58,
                ("wal", _, false) => 107,
                (_, _, true) => 67,
                (_, _, false) => 116,
            };
            assert!(fixed <= most, "{what}: {fixed} calls, {} in all", calls.len());
        }
    }
}

/// Names are listed, many with one call, because an upgrade under another label is found by its
/// journal's name alone.
#[test]
fn a_file_beside_the_database_costs_no_call_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    let path = database(&directory, "delete", Left::Closed);
    let few = calls_of_a_start(&path, true).len();
    for number in 0..2000 {
        std::fs::write(directory.join(format!("another-{number}")), "").unwrap();
        std::fs::write(directory.join(format!("data.db.another-{number}")), "").unwrap();
    }
    let calls = calls_of_a_start(&path, true);
    let lists = calls.iter().filter(|call| call.contains("getdents64(")).count();
    println!("{few} calls beside no file, {} beside 4000, {lists} of them lists", calls.len());
    assert!(calls.len() <= few + 16, "{few} calls, then {}", calls.len());
}

/// A callback may take its time, and in rollback mode an open transaction would keep every other
/// program from a commit.
#[test]
fn a_detect_callback_keeps_no_program_from_a_commit() {
    struct Commits;
    impl Host for Commits {
        fn detect(&mut self, db: &Reader) -> Result<Verdict, HostError> {
            assert_eq!(db.all("SELECT count(*) FROM notes", &[])?.len(), 1);
            let sql = "INSERT INTO notes (text) VALUES ('meanwhile')";
            let other = Command::new("sqlite3").arg(db.path()).arg(sql).output().unwrap();
            assert!(other.status.success(), "{}", String::from_utf8_lossy(&other.stderr));
            Ok(Verdict::Current)
        }
    }
    for mode in ["wal", "delete"] {
        let directory = tempfile::tempdir().unwrap();
        let path = database(directory.path(), mode, Left::Closed);
        let make = Make { from: BuildFrom::Empty, run: BuildBy::Sql("SELECT 1".into()) };
        let options = Options::new(path, "v1-v2", Detect::Host, make);
        let result = cutover::migrate(&options, &mut Commits).unwrap();
        assert_eq!(result.outcome, Outcome::Current, "{mode}");
    }
}
