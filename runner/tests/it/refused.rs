//! A directory, a volume or a file that may not be changed from a step on: without rights, mounted
//! read-only, a mount point, or immutable.
//!
//! A refusal never costs a row, and never makes a later start impossible. The upgrade fails with
//! `IO`, names the system's code and what to do, and leaves v1 as it was. If v2 is in place and
//! only the clean-up is left, the upgrade ends with a warning. Once the refusal is gone, the next
//! start succeeds.
//!
//! Mounting needs a mount namespace, so these tests start themselves again inside one. There root
//! may not make files immutable, so those are tried outside of it, where that is allowed
//! (`CAP_LINUX_IMMUTABLE`). `refused_calls.rs` simulates them everywhere.
#![cfg(target_os = "linux")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cutover::planner::DataState;
use cutover::{BuildBy, BuildFrom, Code, Detect, Event, Host, Lock, Make, Options, Outcome};
use rusqlite::Connection;

use crate::support::irreplaceable;
use crate::support::notes::{NOTES, TO_V2, V1, rows};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// Mode 0555: no file in it can be made, renamed or removed.
    Directory,
    /// Mounted read-only. The system refuses that while a file is open for writing, so the test
    /// says that it holds the owner lock itself.
    Volume,
    /// Mode 0444 of the database.
    File,
    /// The database is a mount point, which can be neither linked, nor replaced, nor removed.
    MountPoint,
    /// `chattr +i`: the database can be neither linked, nor replaced, nor removed, nor written to.
    Immutable,
}

impl Refusal {
    fn begin(self, path: &Path) -> bool {
        let directory = path.parent().unwrap();
        match self {
            Self::Directory => run("chmod", &["555"], directory),
            Self::Volume => run("mount", &["-o", "remount,ro"], directory),
            Self::File => run("chmod", &["444"], path),
            Self::MountPoint => run("mount", &["--bind", path.to_str().unwrap()], path),
            Self::Immutable => run("chattr", &["+i"], path),
        }
    }

    fn end(self, path: &Path) {
        let directory = path.parent().unwrap();
        let ended = match self {
            Self::Directory => run("chmod", &["755"], directory),
            Self::Volume => run("mount", &["-o", "remount,rw"], directory),
            // A file that was linked or renamed since has kept the mode.
            Self::File => files(directory)
                .iter()
                .all(|(name, _)| run("chmod", &["644"], &directory.join(name))),
            Self::MountPoint => run("umount", &[], path),
            Self::Immutable => files(directory)
                .iter()
                .all(|(name, _)| run("chattr", &["-i"], &directory.join(name))),
        };
        assert!(ended, "{self:?}");
    }

    /// The system's code, and the advice in the failure's hint.
    fn told(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Directory | Self::File => {
                &[("EACCES", "give this user the right to write to the file and its directory")]
            }
            Self::Volume => &[("EROFS", "the volume is read-only; make it writable")],
            Self::MountPoint => {
                &[("EBUSY", "a mount point"), ("EXDEV", "move the database to a local disk")]
            }
            Self::Immutable => &[("EPERM", "immutable")],
        }
    }
}

fn run(program: &str, args: &[&str], path: &Path) -> bool {
    Command::new(program)
        .args(args)
        .arg(path)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Every file but the locks, and but the shared memory that any reader of a log leaves.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    entries
        .filter(|name| !name.contains("-lock") && !name.ends_with("-shm"))
        .map(|name| (name.clone(), std::fs::read(directory.join(&name)).unwrap()))
        .collect()
}

/// Refuses from the `at`th step on.
struct Refuses<'a> {
    refusal: Refusal,
    path: &'a Path,
    at: usize,
    seen: usize,
    /// The step at which the refusal began.
    began: Option<(String, Option<String>)>,
}

impl Host for Refuses<'_> {
    fn event(&mut self, event: &Event) {
        if let Event::Step { op, file, undo: false, .. } = event {
            if self.seen == self.at && self.refusal.begin(self.path) {
                self.began = Some((op.to_string(), file.clone()));
            }
            self.seen += 1;
        }
        if let Event::Wait { op, reason, .. } = event {
            panic!("cutover must not wait, since waiting ends no such refusal: {op}, {reason}");
        }
    }
}

struct Calm;
impl Host for Calm {}

/// A v1 in WAL mode with its last row in the log, as a killed application leaves it; or one in
/// rollback mode.
fn seed(directory: &Path, mode: &str) -> PathBuf {
    let live = directory.join("live.db");
    let db = Connection::open(&live).unwrap();
    db.execute_batch(&format!("PRAGMA journal_mode = {mode}; PRAGMA wal_autocheckpoint = 0; {V1}"))
        .unwrap();
    let path = directory.join("data.db");
    std::fs::copy(&live, &path).unwrap();
    if mode == "wal" {
        std::fs::copy(directory.join("live.db-wal"), directory.join("data.db-wal")).unwrap();
    }
    drop(db);
    std::fs::remove_file(live).unwrap();
    path
}

fn options(path: &Path, refusal: Refusal) -> Options {
    let make = Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) };
    let lock = if refusal == Refusal::Volume { Lock::Held } else { Lock::Acquire };
    Options::new(path, "v1-v2", Detect::UserVersion(2), make).lock(lock)
}

fn assert_told(refusal: Refusal, failure: &cutover::Failure) {
    assert_eq!(failure.code, Code::Io, "{failure}");
    let os = failure.os.as_ref().unwrap_or_else(|| panic!("{failure}"));
    let (_, hint) = refusal
        .told()
        .iter()
        .find(|(code, _)| *code == os.code)
        .unwrap_or_else(|| panic!("{refusal:?}: {failure}"));
    assert!(failure.hint.contains(hint), "{refusal:?}: {failure}");
}

/// The next start leaves v2, the backup and its receipt.
fn assert_ends_well(path: &Path, what: &str) {
    let next = cutover::migrate(&options(path, Refusal::File), &mut Calm)
        .unwrap_or_else(|error| panic!("{what}: {}", error.failure));
    assert_eq!(next.warnings, [], "{what}");
    assert_eq!(rows(path, "note"), NOTES, "{what}");
    let files = files(path.parent().unwrap());
    assert_eq!(files.len(), 3, "{what}: {:?}", files.keys());
    let backup = files.keys().find(|name| name.contains(".v1-v2-1")).unwrap();
    assert_eq!(rows(&path.with_file_name(backup), "notes"), NOTES, "{what}");
}

/// With a refusal from the beginning, nothing is begun. A program that reads a log beside a
/// read-only database leaves a read-only `-shm`, which the next start names.
fn from_the_start(directory: &Path, refusal: Refusal, mode: &str) {
    let path = seed(directory, mode);
    assert!(refusal.begin(&path));
    let before = files(directory);
    match cutover::migrate(&options(&path, refusal), &mut Calm) {
        // The pages are copied into the mounted file.
        Ok(result) => {
            assert_eq!((refusal, result.outcome), (Refusal::MountPoint, Outcome::Migrated));
        }
        Err(error) => {
            assert_told(refusal, &error.failure);
            assert!(!error.failure.to_string().contains("next start"), "{}", error.failure);
            assert!(
                files(directory) == before,
                "{refusal:?} {mode}: {:?} {:?}",
                before.keys(),
                files(directory).keys()
            );
        }
    }
    refusal.end(&path);
    let shm = path.with_file_name("data.db-shm");
    if refusal == Refusal::File && shm.exists() {
        let failure = cutover::migrate(&options(&path, refusal), &mut Calm).unwrap_err().failure;
        assert_told(refusal, &failure);
        assert!(failure.to_string().contains("data.db-shm, can only be read"), "{failure}");
        assert!(run("chmod", &["644"], &shm));
    }
    assert_ends_well(&path, &format!("{refusal:?} from the start, {mode}"));
}

/// How an upgrade ended, and the system's code. `None` if the step was not reached.
fn from_a_step(
    directory: &Path,
    refusal: Refusal,
    mode: &str,
    at: usize,
) -> Option<(&'static str, Option<String>)> {
    let path = seed(directory, mode);
    let mut host = Refuses { refusal, path: &path, at, seen: 0, began: None };
    let result = cutover::migrate(&options(&path, refusal), &mut host);
    let (reached, began) = (host.seen > at, host.began);
    if began.is_some() {
        refusal.end(&path);
    }
    let what = format!("{refusal:?} from step {at} {began:?}, {mode}");
    let ending = match &result {
        Ok(result) => {
            assert_eq!(rows(&path, "note"), NOTES, "{what}");
            for warning in &result.warnings {
                assert!(
                    warning.message.contains("data.db")
                        && warning.message.contains("; the next start cleans up"),
                    "{what}: {warning:?}"
                );
            }
            match (&began, &result.warnings[..]) {
                (None, []) => "not refused",
                (_, []) => "done",
                _ => "warned",
            }
        }
        Err(error) => {
            let failure = &error.failure;
            assert_told(refusal, failure);
            if failure.data.state == DataState::V1 {
                assert_eq!(rows(&path, "notes"), NOTES, "{what}");
                let left: Vec<String> = files(directory)
                    .into_keys()
                    .filter(|name| !name.starts_with("data.db-") && name != "data.db")
                    .collect();
                assert_eq!(
                    left.is_empty(),
                    !failure.to_string().contains("at the next start"),
                    "{what}: {failure}: {left:?}"
                );
                "v1 stays"
            } else {
                assert_eq!(failure.data.state, DataState::FinishAtNextStart, "{what}: {failure}");
                assert!(
                    failure.to_string().contains("your data is whole and the next start finishes"),
                    "{what}: {failure}"
                );
                "next start finishes"
            }
        }
    };
    assert_ends_well(&path, &what);
    let code = result.err().and_then(|error| error.failure.os).map(|os| os.code);
    reached.then_some((ending, code))
}

/// Counts each way to end. Each of the system's codes for this refusal must occur in a failure.
fn try_all(directory: &Path, refusal: Refusal, expected: &[(&str, usize)]) {
    let mut endings: BTreeMap<&str, usize> = BTreeMap::new();
    let mut codes = BTreeSet::new();
    let clear = || {
        for entry in std::fs::read_dir(directory).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    };
    for mode in ["wal", "delete"] {
        from_the_start(directory, refusal, mode);
        clear();
        let mut at = 0;
        while let Some((ending, code)) = from_a_step(directory, refusal, mode, at) {
            *endings.entry(ending).or_default() += 1;
            codes.extend(code);
            clear();
            at += 1;
        }
        clear();
    }
    println!("{refusal:?}: {endings:?}");
    assert!(
        endings.iter().map(|(ending, count)| (*ending, *count)).eq(expected.iter().copied()),
        "{refusal:?}: {endings:?}"
    );
    assert!(
        codes.iter().map(String::as_str).eq(refusal.told().iter().map(|(code, _)| *code)),
        "{refusal:?}: {codes:?}"
    );
}

#[test]
fn a_file_that_is_immutable() {
    let directory = tempfile::tempdir().unwrap();
    let probe = directory.path().join("probe");
    std::fs::write(&probe, "").unwrap();
    if !run("chattr", &["+i"], &probe) {
        println!("no file can be made immutable here: that is left to refused_calls.rs");
        return;
    }
    assert!(run("chattr", &["-i"], &probe));
    std::fs::remove_file(probe).unwrap();
    for mark in ["i", "a"] {
        let fix = |path: &Path| assert!(run("chattr", &[&format!("+{mark}")], path));
        let free = |path: &Path| assert!(run("chattr", &["-ia"], path));
        irreplaceable::is_refused_until_freed(&fix, &free, ["immutable", "chattr -ia"]);
        if mark == "i" {
            irreplaceable::never_stops_a_recovery(&fix, &free);
        }
    }
    try_all(directory.path(), Refusal::Immutable, &[("done", 26), ("v1 stays", 46)]);
}

// Of 36 steps, in two modes. From the 23rd step on v2 is in place; v1's mode does not matter once
// v1 is locked.

#[test]
fn a_directory_that_may_not_be_changed() {
    if !started_inside!(a_directory_that_may_not_be_changed) {
        inside(Refusal::Directory, &[("done", 2), ("v1 stays", 46), ("warned", 24)]);
    }
}

#[test]
fn a_volume_that_is_read_only() {
    if !started_inside!(a_volume_that_is_read_only) {
        let expected = [("done", 2), ("not refused", 16), ("v1 stays", 36), ("warned", 18)];
        inside(Refusal::Volume, &expected);
    }
}

#[test]
fn a_file_that_is_read_only() {
    if !started_inside!(a_file_that_is_read_only) {
        inside(Refusal::File, &[("done", 36), ("v1 stays", 36)]);
    }
}

#[test]
fn a_file_that_is_a_mount_point() {
    if !started_inside!(a_file_that_is_a_mount_point) {
        inside(Refusal::MountPoint, &[("done", 26), ("v1 stays", 46)]);
    }
}

/// Runs on a volume of its own, without root's rights: a process that has them may ignore file
/// modes (capabilities(7)).
fn inside(refusal: Refusal, expected: &[(&str, usize)]) {
    use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
    let mut sets = capabilities(None).unwrap();
    for set in [&mut sets.effective, &mut sets.permitted] {
        *set -= CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH;
    }
    set_capabilities(None, sets).unwrap();
    let directory = tempfile::tempdir().unwrap();
    assert!(run("mount", &["-t", "tmpfs", "tmpfs"], directory.path()));
    try_all(directory.path(), refusal, expected);
    assert!(run("umount", &[], directory.path()));
}
