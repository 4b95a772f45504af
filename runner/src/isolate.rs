//! A database that this process holds, by a connection that its caller knows to be a zombie: copied to a new file, while nobody else gets at it.

use std::path::Path;

use cutover_core::fault::Fault;
use rusqlite::Connection;

use crate::os;
use crate::sqlite::{alone, copy_pages, empty_log, fault, has_bytes, in_use, journal_mode, open_existing, os_fault, sidecar};

/// Keeps everybody else from a database, until it is dropped.
#[derive(Debug)]
pub(crate) struct Isolated(Connection);

impl Isolated {
    /// Empties the database's log, locks it, and copies it to `new`, in the journal mode that it has.
    pub(crate) fn copy(path: &Path, new: &Path) -> Result<Self, Fault> {
        let isolated = Self(settled_and_locked(path)?);
        os::create_new(new, path).map_err(|error| os_fault(&error))?;
        let mut target = open_existing(new)?;
        // No file of its own beside it: nobody would take it away after a crash.
        journal_mode(&target, Some("MEMORY"))?;
        target.execute_batch("PRAGMA synchronous = OFF").map_err(|error| fault(&error))?;
        copy_pages(&isolated.0, &mut target, "another connection writes to the database")?;
        target.close().map_err(|(_, error)| fault(&error))?;
        alone(new)?;
        Ok(isolated)
    }

    /// Its name is another file's. Never closed: SQLite would remove the log of this name, which is that file's by then.
    pub(crate) fn leave(self) {
        std::mem::forget(self.0);
    }
}

/// Alone, with an empty log, in the journal mode that it has, and locked against other processes.
fn settled_and_locked(path: &Path) -> Result<Connection, Fault> {
    let held = open_existing(path)?;
    let run = |result: rusqlite::Result<()>| result.map_err(|error| fault(&error));
    // In this mode the log has no shared memory, and its connection the exclusive lock: <https://www.sqlite.org/wal.html#noshm>.
    run(held.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |row| row.get::<_, String>(0)).map(drop))?;
    run(held.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0)).map(drop))?;
    run(held.execute_batch("BEGIN EXCLUSIVE; COMMIT"))?;
    if journal_mode(&held, None)? == "wal" {
        empty_log(&held)?;
        if has_bytes(&sidecar(path, "-wal")) {
            return Err(in_use("another connection keeps the write-ahead log from being emptied"));
        }
    }
    Ok(held)
}
