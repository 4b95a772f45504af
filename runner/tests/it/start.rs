//! A start with nothing to do: which system calls it makes, and that it leaves the directory as it
//! is. `--nocapture` prints the calls.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cutover::{BuildBy, BuildFrom, Detect, Host, Lock, Make, Options, Outcome};
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
    let options = Options { lock, ..Options::new(path, "v1-v2", Detect::UserVersion(2), make) };
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

#[test]
fn a_start_with_nothing_to_do_makes_few_calls_and_changes_nothing() {
    for (mode, left) in [("wal", Left::Closed), ("delete", Left::Closed), ("wal", Left::Killed)] {
        for locked in [true, false] {
            let directory = tempfile::tempdir().unwrap();
            let directory = directory.path().canonicalize().unwrap();
            let path = database(&directory, mode, left);
            let before = look(&directory);
            let mut again = again!(starts);
            again.env(DATABASE, &path);
            if locked {
                again.env(LOCK, "1");
            }
            let (output, trace) = strace::run("all", &[], &again);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
            let what = format!("{mode}, {left:?}, the application has the lock: {locked}");
            assert_eq!(look(&directory), before, "{what}");

            let calls: Vec<&String> = trace
                .iter()
                .skip_while(|line| !line.contains(MARK))
                .skip(1)
                .take_while(|line| !line.contains(MARK))
                .collect();
            println!("{what}: {} calls", calls.len());
            for call in &calls {
                println!("  {call}");
            }
            let count = |is: &dyn Fn(&str) -> bool| calls.iter().filter(|call| is(call)).count();
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
            // SQLite reads the log that a killed process left.
            let most = if left == Left::Killed { 40 } else { 0 } + if locked { 140 } else { 220 };
            assert!(calls.len() <= most, "{what}: {} calls", calls.len());
        }
    }
}
