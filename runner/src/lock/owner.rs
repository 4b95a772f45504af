//! The owner lock: one application at a time owns the database, until it releases the lock or ends.
//!
//! It consists of two locks, since either alone can be lost. `<db>.owner-lock` is a SQLite file
//! with `BEGIN EXCLUSIVE` held, which the old daemon takes as well. On POSIX it is dropped when
//! anything in this process opens and closes that file. `<db>.cutover-lock` is held with flock or
//! `LockFileEx`, and is not dropped that way. They are two files because the two kinds of lock
//! disturb each other on one file.

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use cutover_core::{
    Code, Failure, Holder, OpError, OpErrorKind, Retry, cutover_lock_name, owner_lock_name,
};
use rusqlite::{Connection, OpenFlags};

use crate::fsops::{name_full_disk, rights_if_there};
use crate::holders::holders;
use crate::os;
use crate::place::Paths;
use crate::sqlite::{self, os_fault};

/// The databases that this process owns. A second call must be refused without opening the lock
/// files, because closing them would drop the first lock.
static OWNED: LazyLock<Mutex<BTreeSet<PathBuf>>> = LazyLock::new(Mutex::default);

/// The databases that a call of this process works on. The owner lock does not keep two calls
/// apart: clones of it serve more than one call, and the application may hold a lock of its own.
static AT_WORK: LazyLock<Mutex<BTreeSet<PathBuf>>> = LazyLock::new(Mutex::default);

/// Keeps other calls of this process from a database, until it is dropped.
#[derive(Debug)]
pub(crate) struct CallGuard(PathBuf);

impl CallGuard {
    pub(crate) fn take(place: &Paths) -> Result<Self, Failure> {
        let database = place.path(&place.canonical);
        if AT_WORK.lock().unwrap_or_else(PoisonError::into_inner).insert(database.clone()) {
            return Ok(Self(database));
        }
        let reason =
            "another call of this process upgrades, recovers, restores or prunes this database";
        Err(refusal(
            place,
            reason,
            "wait for that call to end, and call again",
            vec![this_process()],
        ))
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        AT_WORK.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

fn this_process() -> Holder {
    Holder { pid: std::process::id(), name: String::new(), this_process: true }
}

/// Ownership of a database, until the last clone is dropped or the process ends in any way.
#[derive(Debug, Clone)]
pub struct OwnerLock(Arc<Held>);

#[derive(Debug)]
struct Held {
    database: PathBuf,
    files: [PathBuf; 3],
    owner: Mutex<Option<Connection>>,
    file: Option<File>,
}

impl OwnerLock {
    /// Drops this clone. The lock is released with the last clone.
    pub fn release(self) {
        drop(self);
    }

    /// The files that the lock makes beside the database, for an application that copies or
    /// synchronizes the directory and leaves them out: `<db>.owner-lock`, SQLite's
    /// `<db>.owner-lock-journal`, and `<db>.cutover-lock`. Not each need exist. They hold no data,
    /// and stay after a release.
    #[must_use]
    pub fn files(&self) -> &[PathBuf; 3] {
        &self.0.files
    }

    pub(crate) fn is_of(&self, place: &Paths) -> bool {
        self.0.database == place.path(&place.canonical)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.owner.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        self.file.take();
        OWNED.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.database);
    }
}

pub(crate) fn take(place: &Paths) -> Result<OwnerLock, Failure> {
    let database = place.path(&place.canonical);
    if !OWNED.lock().unwrap_or_else(PoisonError::into_inner).insert(database.clone()) {
        let reason = "this process itself owns this database: it took the owner lock before, or a \
                      call of it that took the lock has not ended";
        let hint = "pass the lock that this process took as `options.lock`, or wait for the other \
                    call to end";
        return Err(refusal(place, reason, hint, vec![this_process()]));
    }
    let owner_path = place.path(&owner_lock_name(&place.canonical));
    let cutover_path = place.path(&cutover_lock_name(&place.canonical));
    let files =
        [owner_path.clone(), sqlite::sidecar(&owner_path, "-journal"), cutover_path.clone()];
    // From here on, dropping `held` removes the database from `OWNED` if a step fails.
    let mut held = Held { database, files, owner: Mutex::new(None), file: None };
    let others = || {
        let mut others = holders(&[owner_path.clone(), cutover_path.clone()]).holders;
        others.retain(Holder::is_another);
        let reason = "another instance of the application owns this database";
        let hint = "use the instance that runs, or close it and start again";
        refusal(place, reason, hint, others)
    };
    let refuse = |path: &Path, fault: &OpError| {
        let no_space = fault.class(os::PLATFORM, false) == Retry::NoSpace;
        let mut failure = Failure::from_fault(fault, "lock", no_space);
        failure.path = Some(path.display().to_string());
        failure
    };
    let io = |path: &Path, error: &std::io::Error| refuse(path, &os_fault(error));
    // The database's owner must own its lock files: files that root made would shut that owner out.
    // They are writable even if the database is read-only, because they would stay read-only when
    // the database no longer is. Without a database they are for those who may write beside it.
    let rights = || rights_if_there(&held.database).map_err(|error| io(&held.database, &error));
    for path in [&owner_path, &cutover_path] {
        if let Ok(metadata) = path.symlink_metadata() {
            os::regular(metadata.file_type()).map_err(|error| io(path, &error))?;
            continue;
        }
        let made = match rights()? {
            Some(rights) => os::create_owner_lock(path, &rights, &place.directory),
            None => os::create_lock(path, &place.directory),
        };
        match made {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(io(path, &error));
            }
            _ => {}
        }
    }
    // This lock comes first. If two processes start at once, one of them gets it. With SQLite's
    // lock alone both could be refused, because each waits until the other is out of the file.
    let mut options = File::options();
    let file =
        os::open(&cutover_path, options.write(true)).map_err(|error| io(&cutover_path, &error))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(others()),
        Err(TryLockError::Error(error)) => return Err(io(&cutover_path, &error)),
    }
    held.file = Some(file);
    let taken = |fault: OpError| match fault.cause {
        OpErrorKind::Busy => others(),
        _ => refuse(&owner_path, &fault),
    };
    // SQLite would roll back into it what a rollback journal beside it says.
    os::own_or_empty(&owner_path).map_err(|error| io(&owner_path, &error))?;
    let create = OpenFlags::SQLITE_OPEN_CREATE;
    let owner = sqlite::open_to_lock(&owner_path, create).map_err(taken)?;
    // Without a journal file: it would have the group of this user's new files, and another user of
    // the database could not open the one that a killed process leaves.
    owner
        .execute_batch("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE")
        .map_err(|error| taken(name_full_disk(sqlite::fault_on(&owner, &error), place)))?;
    held.owner = Mutex::new(Some(owner));
    Ok(OwnerLock(Arc::new(held)))
}

fn refusal(place: &Paths, reason: &str, hint: &str, holders: Vec<Holder>) -> Failure {
    let mut failure = Failure::refusal(Code::Owned, reason, hint).of(&place.canonical);
    failure.holders = holders;
    failure
}
