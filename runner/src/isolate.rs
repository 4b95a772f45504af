//! Copies a database that a leaked connection of this process has open to a new file, and keeps
//! other processes out during the copy.

use std::path::Path;

use cutover_core::{OpError, OpErrorKind};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::holders::descriptors;
use crate::os;
use crate::sqlite::{
    Watch, alone, bytes, close, copy_pages, empty_log, in_use, journal_mode, on, open_existing,
    os_fault, sidecar,
};

/// Keeps other processes from writing to a database, until it is dropped.
#[derive(Debug)]
pub(crate) struct Isolated {
    connection: Connection,
    /// The descriptors of the database that this process had open before: the leaked connection's.
    zombie: Vec<i32>,
}

impl Isolated {
    /// Empties the database's write-ahead log, locks the database, and copies it to `new` in its
    /// journal mode. Returns as well what `new` could not be given of the database's rights.
    pub(crate) fn copy(
        path: &Path,
        new: &Path,
        watch: &Watch<'_>,
    ) -> Result<(Self, Vec<String>), OpError> {
        let zombie = descriptors(path);
        let isolated = Self { connection: settled_and_locked(path)?, zombie };
        let io = |error: std::io::Error| os_fault(&error);
        let rights = os::Rights::of(path).map_err(io)?;
        let file = os::create_new(new, &rights).map_err(io)?;
        let lost = rights.lost(&file).map_err(io)?;
        drop(file);
        let mut target = open_existing(new)?;
        // Without a journal file: after a crash nothing would remove one of this name.
        journal_mode(&target, Some("MEMORY"))?;
        on(&target, target.execute_batch("PRAGMA synchronous = OFF"))?;
        copy_pages(
            &isolated.connection,
            &mut target,
            "another connection writes to the database",
            watch,
        )?;
        close(target)?;
        alone(new)?;
        isolated.stands(path)?;
        Ok((isolated, lost))
    }

    /// Checks that the lock still stands. Closing any descriptor of a file drops every lock that
    /// the process has on it (POSIX, `close`), and the leaked connection may be collected at any
    /// time.
    pub(crate) fn stands(&self, path: &Path) -> Result<(), OpError> {
        let now = descriptors(path);
        if self.zombie.iter().all(|number| now.contains(number))
            && bytes(&sidecar(path, "-wal")) <= Some(0)
        {
            return Ok(());
        }
        Err(OpError::new(
            OpErrorKind::V1Changed,
            "the leaked connection was closed during the copy, which dropped the lock on the \
             database",
        ))
    }

    /// Gives up the connection after the rename, when the database's name belongs to the new file.
    /// The connection is never closed, because SQLite would then remove the log of that name, which
    /// is the new file's.
    pub(crate) fn leave(self) {
        std::mem::forget(self.connection);
    }
}

/// Empties the log, keeps the journal mode, and locks the database against other processes.
fn settled_and_locked(path: &Path) -> Result<Connection, OpError> {
    let open = || {
        let connection = open_existing(path)?;
        // If the lock fell, another process may write to the log of the leaked connection. SQLite
        // must not remove that log when this connection is closed.
        on(
            &connection,
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true),
        )?;
        Ok(connection)
    };
    // An ordinary connection empties the log first. So the shared memory, which the leaked
    // connection keeps, records that the log is empty, even if the rest fails.
    let shared: Connection = open()?;
    if journal_mode(&shared, None)? == "wal" {
        empty_log(&shared)?;
    }
    close(shared)?;
    let held = open()?;
    // In this mode SQLite uses no shared memory and holds an exclusive lock on the database:
    // <https://www.sqlite.org/wal.html#noshm>.
    let _: String =
        on(&held, held.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |row| row.get(0)))?;
    let _: i64 =
        on(&held, held.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)))?;
    on(&held, held.execute_batch("BEGIN EXCLUSIVE; COMMIT"))?;
    if bytes(&sidecar(path, "-wal")) > Some(0) {
        return Err(in_use("another connection keeps the write-ahead log from being emptied"));
    }
    Ok(held)
}
