//! Settles a file set into one self-contained file, and keeps writers out.

use std::path::Path;

use cutover_core::{FileFacts, JournalMode, OpError, OpErrorKind};
use rusqlite::Connection;

use super::error::{Result, close, in_use, on, os_fault};
use super::open::{facts, open_existing};
use super::regular::sidecar;
use super::watch::Watch;
use crate::os;

/// Begins a read transaction, which holds the database's current state until it ends.
pub(crate) fn begin_to_read(connection: &Connection) -> Result<()> {
    on(connection, connection.execute_batch("BEGIN"))?;
    on(
        connection,
        connection
            .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))
            .map(drop),
    )
}

/// Keeps every process from writing to a settled database, until the returned connection is
/// dropped. In rollback mode a file may hold pages of a transaction that is under way, which makes
/// this read fail. It may also hold pages of a process that was killed, which this read rolls back.
/// A database that another program put back into WAL mode is left as it is.
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

/// Who flushes a database while it is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flush {
    /// SQLite, at every step: the file holds the user's data.
    Always,
    /// The plan, afterwards: no program uses the file yet.
    Later,
}

/// Moves the content of the write-ahead log into the database.
pub(crate) fn empty_log(connection: &Connection) -> Result<()> {
    // An incomplete checkpoint is not an error; only this row tells.
    let (busy, log, done): (i64, i64, i64) = on(
        connection,
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        }),
    )?;
    if busy != 0 || log != done {
        return Err(in_use("another connection keeps the write-ahead log from being emptied"));
    }
    Ok(())
}

/// Settles a file set into one self-contained file with this journal mode.
pub(crate) fn settle(
    path: &Path,
    mode: JournalMode,
    flush: Flush,
    watch: &Watch<'_>,
) -> Result<FileFacts> {
    let connection = open_existing(path)?;
    let watched = watch.over(&connection);
    if flush == Flush::Later {
        on(&connection, connection.execute_batch("PRAGMA synchronous = OFF"))?;
    }
    // A read rolls back a hot journal, and fails if the file is not a database.
    let _: i64 = on(
        &connection,
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)),
    )?;
    if journal_mode(&connection, None)? == "wal" {
        empty_log(&connection)?;
        if journal_mode(&connection, Some("DELETE"))? != "delete" {
            return Err(in_use("another connection keeps the database in WAL mode"));
        }
    } else {
        on(&connection, connection.execute_batch("BEGIN EXCLUSIVE; COMMIT"))?;
        if ["-wal", "-shm"].iter().any(|suffix| os::exists(&sidecar(path, suffix))) {
            // A file copy or a restore left these; SQLite ignores them beside a database in
            // rollback mode. This pair of pragmas removes them under the lock, after a read has
            // opened the log.
            journal_mode(&connection, Some("WAL"))?;
            let _: i64 = on(
                &connection,
                connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)),
            )?;
            journal_mode(&connection, Some("DELETE"))?;
        }
    }
    if os::exists(&sidecar(path, "-journal")) {
        // A connection in PERSIST or TRUNCATE mode leaves its journal. This pair of pragmas removes
        // it under the lock.
        journal_mode(&connection, Some("PERSIST"))?;
        journal_mode(&connection, Some("DELETE"))?;
    }
    if mode == JournalMode::Wal && journal_mode(&connection, Some("WAL"))? != "wal" {
        return Err(in_use("the database cannot be put into WAL mode"));
    }
    drop(watched);
    close(connection)?;
    alone(path)?;
    let facts = facts(path).map_err(|error| os_fault(&error))?;
    // The pragma returns the new mode even if the commit that writes it failed.
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
    // A needless open would make sidecars, for which a full disk has no room.
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
    close(connection)
}

pub(crate) fn journal_mode(connection: &Connection, set: Option<&str>) -> Result<String> {
    let sql = set.map_or_else(
        || "PRAGMA journal_mode".to_owned(),
        |mode| format!("PRAGMA journal_mode = {mode}"),
    );
    on(connection, connection.query_row(&sql, [], |row| row.get(0)))
}

/// Fails if the database has a sidecar.
pub(crate) fn alone(path: &Path) -> Result<()> {
    match cutover_core::SIDECARS
        .iter()
        .map(|suffix| sidecar(path, suffix))
        .find(|path| os::exists(path))
    {
        None => Ok(()),
        Some(found) => Err(in_use(&format!(
            "{} exists although cutover closed the database: another connection has it open",
            found.display()
        ))),
    }
}
