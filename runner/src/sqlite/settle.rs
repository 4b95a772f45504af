//! Makes a set one self-contained file, and keeps writers out meanwhile.

use std::path::Path;

use cutover_core::fault::{OpError, OpErrorKind};
use cutover_core::observe::FileFacts;
use cutover_core::page1::JournalMode;
use rusqlite::Connection;

use super::error::{Result, in_use, os_fault, run};
use super::open::{facts, open_existing, sidecar};

/// Has a connection hold what its database is now, until its transaction ends.
pub(crate) fn begin_to_read(connection: &Connection) -> Result<()> {
    run(connection.execute_batch("BEGIN"))?;
    run(connection
        .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))
        .map(drop))
}

/// Keeps everybody from writing to a settled database, until what it gives is dropped. In rollback
/// mode a file may hold pages of a transaction that is under way, or of one whose process was
/// killed: the first keeps this read off, the second is rolled back by it. One that somebody has
/// put into WAL mode again is left as it is.
pub(crate) fn keep_writers_out(path: &Path) -> Result<Option<Connection>> {
    if facts(path)
        .map_err(|error| os_fault(&error))?
        .header
        .is_some_and(|header| header.journal_mode == JournalMode::Wal)
    {
        return Ok(None);
    }
    let connection = open_existing(path)?;
    begin_to_read(&connection)?;
    Ok(Some(connection))
}

/// How a database is flushed while it is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flush {
    /// By SQLite, at every step: the file is somebody's data.
    Always,
    /// By the plan, afterwards: the file is nobody's yet.
    Later,
}

/// Moves what is in the write-ahead log into the database.
pub(crate) fn empty_log(connection: &Connection) -> Result<()> {
    // The row says whether it was complete; there is no error when it was not.
    let (busy, log, done): (i64, i64, i64) =
        run(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        }))?;
    if busy != 0 || log != done {
        return Err(in_use("another connection keeps the write-ahead log from being emptied"));
    }
    Ok(())
}

/// Makes a set one self-contained file in this journal mode.
pub(crate) fn settle(path: &Path, mode: JournalMode, flush: Flush) -> Result<FileFacts> {
    let connection = open_existing(path)?;
    if flush == Flush::Later {
        run(connection.execute_batch("PRAGMA synchronous = OFF"))?;
    }
    // Reading rolls a hot journal back and meets a file that is none.
    let _: i64 =
        run(connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)))?;
    if journal_mode(&connection, None)? == "wal" {
        empty_log(&connection)?;
        if journal_mode(&connection, Some("DELETE"))? != "delete" {
            return Err(in_use("another connection keeps the database in WAL mode"));
        }
    } else {
        run(connection.execute_batch("BEGIN EXCLUSIVE; COMMIT"))?;
        if ["-wal", "-shm"].iter().any(|suffix| sidecar(path, suffix).exists()) {
            // Left by a copy or a restore; SQLite ignores them beside a database in rollback mode.
            // This pair of pragmas removes them under the lock, once the log was opened
            // by a read.
            journal_mode(&connection, Some("WAL"))?;
            let _: i64 =
                run(connection
                    .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)))?;
            journal_mode(&connection, Some("DELETE"))?;
        }
    }
    if sidecar(path, "-journal").exists() {
        // What a connection in PERSIST or TRUNCATE mode leaves; this pair of pragmas removes it
        // under the lock.
        journal_mode(&connection, Some("PERSIST"))?;
        journal_mode(&connection, Some("DELETE"))?;
    }
    if mode == JournalMode::Wal && journal_mode(&connection, Some("WAL"))? != "wal" {
        return Err(in_use("the database cannot be put into WAL mode"));
    }
    run(connection.close().map_err(|(_, error)| error))?;
    alone(path)?;
    let facts = facts(path).map_err(|error| os_fault(&error))?;
    // The pragma answers with the new mode where the commit that writes it failed, too.
    if facts.header.as_ref().is_some_and(|header| header.journal_mode != mode) {
        return Err(OpError::new(
            OpErrorKind::Sqlite,
            "the journal mode could not be written to the file",
        ));
    }
    Ok(facts)
}

/// Gives a settled database its former journal mode back.
pub(crate) fn restore_mode(path: &Path, mode: JournalMode) -> Result<()> {
    // Opening it for nothing would make sidecars, for which a full disk has no room.
    if facts(path)
        .map_err(|error| os_fault(&error))?
        .header
        .is_some_and(|header| header.journal_mode == mode)
    {
        return Ok(());
    }
    let connection = open_existing(path)?;
    if !journal_mode(&connection, Some(mode.pragma()))?.eq_ignore_ascii_case(mode.pragma()) {
        return Err(in_use(
            "another connection keeps the database's journal mode from being restored",
        ));
    }
    run(connection.close().map_err(|(_, error)| error))
}

pub(crate) fn journal_mode(connection: &Connection, set: Option<&str>) -> Result<String> {
    let sql = set.map_or_else(
        || "PRAGMA journal_mode".to_owned(),
        |mode| format!("PRAGMA journal_mode = {mode}"),
    );
    run(connection.query_row(&sql, [], |row| row.get(0)))
}

/// Reads back that a database has no sidecar.
pub(crate) fn alone(path: &Path) -> Result<()> {
    match cutover_core::names::SIDECARS
        .iter()
        .map(|suffix| sidecar(path, suffix))
        .find(|path| std::fs::symlink_metadata(path).is_ok())
    {
        None => Ok(()),
        Some(found) => Err(in_use(&format!(
            "{} is there though the database was closed: somebody has it open",
            found.display()
        ))),
    }
}
