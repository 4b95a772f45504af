//! The copy of v1 that a build asks for.

use std::path::Path;

use cutover_core::{FileFacts, JournalMode, OpError, OpErrorKind, V1};
use rusqlite::Connection;

use crate::copy::copy_open;
use crate::os;
use crate::sqlite::{HeldFile, Watch, begin_to_read, open_existing, os_fault};

/// What a copy of v1 was made through. It must be dropped after every reader of v1.
///
/// On POSIX closing any descriptor of a file drops all locks that the process has on it, also those
/// of a connection that the application opened in its own SQLite
/// (<https://www.sqlite.org/howtocorrupt.html>, 2.2). So the bytes are read through a descriptor
/// that stays open until the callback has ended, when the reader of v1 is closed as well.
#[derive(Debug, Default)]
pub(crate) struct OpenV1 {
    file: Option<HeldFile>,
    connection: Option<Connection>,
}

impl OpenV1 {
    /// Copies v1, which must be what was settled, to a new file.
    ///
    /// SQLite keeps writers out meanwhile, and rolls back what a process that was killed left: a
    /// file in rollback mode may hold pages of a transaction that is under way. A v1 that stays in
    /// WAL mode has a [`crate::page_copy::CommitWatcher`], beside which no process writes to the
    /// file itself.
    pub(crate) fn copy(
        &mut self,
        path: &Path,
        to: &Path,
        known: Option<&V1>,
        watch: &Watch<'_>,
    ) -> Result<(), OpError> {
        if self.file.is_none() {
            self.file = Some(HeldFile::open(path).map_err(|error| os_fault(&error))?);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        if self.connection.is_none() && !is_in_wal_mode(&facts(file)?) {
            self.connection = Some(open_existing(path)?);
        }
        let _reads = self.connection.as_ref().map(Reads::begin).transpose()?;
        let is_settled = |file: &HeldFile| {
            let now = facts(file)?;
            let has_its_name = os::file_id(path).is_ok_and(|id| id == now.file_id);
            if has_its_name && known.is_some_and(|v1| v1.is_as_settled(&now)) {
                return Ok(());
            }
            Err(OpError::new(
                OpErrorKind::V1Changed,
                "another program wrote to the database while it was upgraded",
            ))
        };
        is_settled(file)?;
        copy_open(file.file(), to, &os::REFUSED_BYTES, os::create_to_build, watch)
            .map_err(|error| os_fault(&error))?;
        // If the application closed a file of its own meanwhile, that dropped the lock.
        is_settled(file).inspect_err(|_| {
            // A copy that failed must not stand in the way of the next attempt.
            let _ = std::fs::remove_file(to);
        })
    }
}

fn facts(file: &HeldFile) -> Result<FileFacts, OpError> {
    file.facts().map_err(|error| os_fault(&error))
}

fn is_in_wal_mode(facts: &FileFacts) -> bool {
    facts.header.as_ref().is_some_and(|header| header.journal_mode == JournalMode::Wal)
}

/// A read transaction, which ends when this is dropped.
struct Reads<'a>(&'a Connection);

impl<'a> Reads<'a> {
    fn begin(connection: &'a Connection) -> Result<Self, OpError> {
        let begun = Self(connection);
        begin_to_read(connection)?;
        Ok(begun)
    }
}

impl Drop for Reads<'_> {
    fn drop(&mut self) {
        // If the read failed, there may be no transaction to end.
        let _ = self.0.execute_batch("ROLLBACK");
    }
}
