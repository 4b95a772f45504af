//! The companions' locks: one call at a time works on a companion, since two data directories may
//! share it.
//!
//! `<file>.cutover-lock` beside the companion is held with flock or `LockFileEx` until the call
//! ends. If it cannot be acquired, only a plan that works on a companion is refused. A database
//! that needs no work opens all the same.

use std::fs::{File, TryLockError};
use std::io::{Error as IoError, ErrorKind};
use std::path::{Path, PathBuf};

use cutover_core::{
    Budget, Code, Failure, FileName, OpError, OpErrorKind, OpName, Plan, PlanKind, PlanPath, Retry,
    companion_lock_name,
};

use crate::error::Error;
use crate::holders::holders;
use crate::host::Host;
use crate::os;
use crate::place::Paths;
use crate::sqlite::os_fault;
use crate::waiting::wait;

const WORKS_ON_IT: &str = "another upgrade, of this data directory or of one that shares this \
                           companion, works on it";

/// The locks of all companions, or why one of them could not be acquired.
#[derive(Debug, Default)]
pub(crate) struct CompanionLocks {
    held: Vec<(String, File)>,
    refused: Option<Box<Failure>>,
}

impl CompanionLocks {
    /// Takes the locks in the order of their real paths, so that two calls never each hold a lock
    /// that the other one waits for. Waits within the budget.
    pub(crate) fn take(
        place: &Paths,
        budget: &mut Budget,
        host: &mut dyn Host,
    ) -> Result<Self, Error> {
        let mut companions: Vec<(PathBuf, PlanPath)> = Vec::new();
        for (name, (directory, file)) in &place.companions {
            let at = PlanPath { companion: Some(name.clone()), name: file.clone() };
            companions.push((directory.join(companion_lock_name(file).as_str()), at));
        }
        companions.sort();
        let mut locks = Self::default();
        for (path, at) in companions {
            if let Err(error) = locks.take_one(&path, &at, budget, host) {
                // Cancelling is not a failure of the locks.
                if error.failure.code == Code::Aborted {
                    return Err(error);
                }
                // A call without all locks works on no companion, so it holds none that another
                // call could need.
                return Ok(Self { held: Vec::new(), refused: Some(error.failure) });
            }
        }
        Ok(locks)
    }

    fn take_one(
        &mut self,
        path: &Path,
        at: &PlanPath,
        budget: &mut Budget,
        host: &mut dyn Host,
    ) -> Result<(), Error> {
        let mut tries = 0;
        loop {
            let Some(file) = open(path).map_err(|error| cannot_lock(path, at, &error))? else {
                return Ok(());
            };
            let id = os::file_id(path).map_err(|error| cannot_lock(path, at, &error))?;
            if self.held.iter().any(|(held, _)| *held == id) {
                return Err(refusal(
                    Code::Io,
                    at,
                    "two companions cannot be one file",
                    "check the path in the options",
                )
                .into());
            }
            match file.try_lock() {
                Ok(()) => {
                    self.held.push((id, file));
                    return Ok(());
                }
                Err(TryLockError::WouldBlock) => drop(file),
                Err(TryLockError::Error(error)) => return Err(cannot_lock(path, at, &error).into()),
            }
            tries += 1;
            let who = holders(&[path.to_owned()]).holders;
            let Some(delay_ms) = budget.next_delay_ms(tries) else {
                let mut failure = refusal(
                    Code::Owned,
                    at,
                    WORKS_ON_IT,
                    "let the other upgrade end, or close that program, and start again",
                );
                (failure.holders, failure.attempts, failure.waited_ms) =
                    (who, tries, budget.waited_ms);
                return Err(failure.into());
            };
            wait(
                delay_ms,
                (OpName::Lock, at.to_string()),
                (WORKS_ON_IT.to_owned(), who),
                *budget,
                host,
            )?;
        }
    }

    /// Takes the lock of a companion that a build is about to write, if this call does not hold it
    /// yet: its directory may not have existed when the call began. It does not wait.
    pub(crate) fn hold(&mut self, directory: &Path, file: &FileName) -> Result<(), OpError> {
        let path = directory.join(companion_lock_name(file).as_str());
        let failed = |error: IoError| os_fault(&error);
        let is_held =
            os::file_id(&path).is_ok_and(|id| self.held.iter().any(|(held, _)| *held == id));
        if is_held {
            return Ok(());
        }
        let Some(file) = open(&path).map_err(failed)? else { return Ok(()) };
        match file.try_lock() {
            Ok(()) => {
                self.held.push((os::file_id(&path).map_err(failed)?, file));
                Ok(())
            }
            Err(TryLockError::WouldBlock) => Err(OpError::new(
                OpErrorKind::Held { holders: holders(&[path]).holders },
                WORKS_ON_IT,
            )),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Refuses a plan that works on a companion if the locks could not be acquired.
    pub(crate) fn allow(&self, plan: &Plan) -> Result<(), Error> {
        let works_on_one =
            || plan.steps.iter().chain(&plan.undo).any(|step| step.op.companion().is_some());
        let Some(failure) = self.refused.as_deref().filter(|_| works_on_one()).cloned() else {
            return Ok(());
        };
        Err(match &plan.journal {
            Some(journal) if plan.kind == PlanKind::Migrate => {
                failure.with_v1(&journal.names.canonical)
            }
            _ => failure,
        }
        .into())
    }
}

/// Opens the lock file, and makes it if it does not exist. `None` if the companion's directory does
/// not exist, and so neither does the companion.
fn open(path: &Path) -> Result<Option<File>, IoError> {
    let Some(directory) = path.parent() else { return Ok(None) };
    match os::create_lock(path, directory) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            os::open(path, File::options().write(true)).map(Some)
        }
        Err(error) => Err(error),
    }
}

/// The failure names the companion, or the lock file where that must be removed.
fn cannot_lock(path: &Path, at: &PlanPath, error: &IoError) -> Failure {
    let mut at = at.clone();
    let fault = os_fault(error);
    if fault.cause == OpErrorKind::Irregular
        && let Some(name) = path.file_name().and_then(std::ffi::OsStr::to_str)
        && let Ok(name) = FileName::new(name)
    {
        at.name = name;
    }
    let fault = fault.of(at);
    let no_space = fault.class(os::PLATFORM, false) == Retry::NoSpace;
    Failure::from_fault(&fault, "lock", no_space)
}

fn refusal(code: Code, at: &PlanPath, reason: &str, hint: &str) -> Failure {
    let mut failure = Failure::refusal(code, reason, hint);
    failure.path = Some(at.to_string());
    failure
}
