//! A database that this process holds, by a connection that its caller knows to be a zombie: copied
//! to a new file, while nobody else gets at it.

use std::path::Path;

use cutover_core::fault::{OpError, OpErrorKind};
use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::holders::descriptors;
use crate::os;
use crate::sqlite::{
    alone, copy_pages, empty_log, fault, has_bytes, in_use, journal_mode, open_existing, os_fault,
    sidecar,
};

/// Keeps everybody else from a database, until it is dropped.
#[derive(Debug)]
pub(crate) struct Isolated {
    connection: Connection,
    /// The descriptors of the database that this process had before.
    zombie: Vec<i32>,
}

impl Isolated {
    /// Empties the database's log, locks it, and copies it to `new`, in the journal mode that it
    /// has.
    pub(crate) fn copy(path: &Path, new: &Path) -> Result<Self, OpError> {
        let zombie = descriptors(path);
        let isolated = Self { connection: settled_and_locked(path)?, zombie };
        os::create_new(new, path).map_err(|error| os_fault(&error))?;
        let mut target = open_existing(new)?;
        // No file of its own beside it: nobody would take it away after a crash.
        journal_mode(&target, Some("MEMORY"))?;
        target.execute_batch("PRAGMA synchronous = OFF").map_err(|error| fault(&error))?;
        copy_pages(&isolated.connection, &mut target, "another connection writes to the database")?;
        target.close().map_err(|(_, error)| fault(&error))?;
        alone(new)?;
        isolated.stands(path)?;
        Ok(isolated)
    }

    /// Whether nobody else got at it meanwhile: closing any descriptor of a file drops every lock
    /// that the process has on it (POSIX, `close`), and the zombie may be collected at any
    /// time.
    pub(crate) fn stands(&self, path: &Path) -> Result<(), OpError> {
        let now = descriptors(path);
        if self.zombie.iter().all(|number| now.contains(number))
            && !has_bytes(&sidecar(path, "-wal"))
        {
            return Ok(());
        }
        Err(OpError::new(
            OpErrorKind::V1Changed,
            "the connection that had the database open was closed meanwhile, and with it fell the \
             lock",
        ))
    }

    /// Its name is another file's. Never closed: SQLite would remove the log of this name, which is
    /// that file's by then.
    pub(crate) fn leave(self) {
        std::mem::forget(self.connection);
    }
}

/// Alone, with an empty log, in the journal mode that it has, and locked against other processes.
fn settled_and_locked(path: &Path) -> Result<Connection, OpError> {
    let run = |result: rusqlite::Result<()>| result.map_err(|error| fault(&error));
    let open = || {
        let connection = open_existing(path)?;
        // The zombie has the log, and where the lock fell it is another process's: closing this
        // connection would remove it.
        run(connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map(drop))?;
        Ok(connection)
    };
    // By one like every other: the shared memory, which the zombie keeps for whoever comes should
    // this not come to its end, must know that it is empty.
    let shared: Connection = open()?;
    if journal_mode(&shared, None)? == "wal" {
        empty_log(&shared)?;
    }
    shared.close().map_err(|(_, error)| fault(&error))?;
    let held = open()?;
    // In this mode the log has no shared memory, and its connection the exclusive lock: <https://www.sqlite.org/wal.html#noshm>.
    run(held
        .query_row("PRAGMA locking_mode = EXCLUSIVE", [], |row| row.get::<_, String>(0))
        .map(drop))?;
    run(held
        .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))
        .map(drop))?;
    run(held.execute_batch("BEGIN EXCLUSIVE; COMMIT"))?;
    if has_bytes(&sidecar(path, "-wal")) {
        return Err(in_use("another connection keeps the write-ahead log from being emptied"));
    }
    Ok(held)
}
