//! v1's exclusive lock.

use std::path::Path;

use cutover_core::FileFacts;
use rusqlite::Connection;

use super::error::{Result, on, os_fault};
use super::open::{HeldFile, facts, open_existing};
use crate::os;

/// v1's exclusive lock, and the descriptor that reads v1 under it.
///
/// On POSIX closing any descriptor of a file drops the process's locks on it. So the descriptor is
/// opened before the lock is taken, and closed after the lock is released: a tuple's fields drop in
/// this order.
///
/// Windows cannot replace a file that any process has open. There both are closed as soon as the
/// lock was taken, and v1 is read anew each time.
#[derive(Debug)]
pub(crate) struct V1Lock(Option<(Connection, HeldFile)>);

impl V1Lock {
    pub(crate) fn take(path: &Path) -> Result<Self> {
        let file = HeldFile::open(path).map_err(|error| os_fault(&error))?;
        let connection = open_existing(path)?;
        on(&connection, connection.execute_batch("BEGIN EXCLUSIVE"))?;
        Ok(Self(os::LOCKS_V1_OVER_THE_FLIP.then_some((connection, file))))
    }

    /// The facts of v1, at this path, as they are now; read through the open descriptor, if there
    /// is one.
    pub(crate) fn facts(&self, path: &Path) -> std::io::Result<FileFacts> {
        self.0.as_ref().map_or_else(|| facts(path), |(_, file)| file.facts())
    }
}
