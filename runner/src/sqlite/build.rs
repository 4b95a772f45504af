//! Builds v2 by SQL, and copies databases page by page.

use std::path::Path;

use cutover_core::{JournalMode, OpError, OpErrorKind};
use rusqlite::{Connection, OpenFlags};

use super::error::{Result, fault, in_use, os_fault, run};
use super::open::{facts, open, open_existing, reader, uri};
use super::settle::{Flush, settle};

/// Gives a new, empty file its first page, with v1's page size. Whatever builds in the file keeps
/// that size.
pub(crate) fn lay_out(staging: &Path, v1: &Path) -> Result<()> {
    let header = facts(v1).map_err(|error| os_fault(&error))?.header;
    if let Some(header) = header.filter(|_| is_empty(staging)) {
        let connection = open_existing(staging)?;
        run(connection.execute_batch(&format!(
            "PRAGMA page_size = {}; PRAGMA user_version = 0",
            header.page_size
        )))?;
        run(connection.close().map_err(|(_, error)| error))?;
    }
    Ok(())
}

pub(crate) fn is_empty(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.len() == 0)
}

/// Builds v2 by SQL in one transaction, with v1 attached read-only.
///
/// The rollback journal stays on, so that a failed statement is undone completely. Nothing is
/// flushed, because the plan flushes the file once.
pub(crate) fn build(v1: &Path, staging: &Path, sql: &str) -> Result<()> {
    let header = facts(v1).map_err(|error| os_fault(&error))?.header;
    // `ATTACH` opens with the flags of the connection, so it follows no link either.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI;
    let connection = run(open(staging, flags))?;
    if let Some(header) = header.filter(|_| is_empty(staging)) {
        run(connection.execute_batch(&format!("PRAGMA page_size = {}", header.page_size)))?;
        let v1 = run(reader(v1))?.connection;
        let encoding: String = run(v1.query_row("PRAGMA encoding", [], |row| row.get(0)))?;
        let auto_vacuum: i64 = run(v1.query_row("PRAGMA auto_vacuum", [], |row| row.get(0)))?;
        run(connection.execute_batch(&format!(
            "PRAGMA encoding = '{encoding}'; PRAGMA auto_vacuum = {auto_vacuum}"
        )))?;
    }
    // As is SQLite's default, rows may come in any order; the check finds references that still
    // dangle at the end.
    run(connection.execute_batch(
        "PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF",
    ))?;
    run(connection.execute("ATTACH DATABASE ?1 AS v1", [uri(v1, "mode=ro")]))?;
    run(connection.execute_batch("BEGIN IMMEDIATE"))?;
    let _: i64 =
        run(connection.query_row("SELECT count(*) FROM v1.sqlite_master", [], |row| row.get(0)))?;
    connection.execute_batch(sql).map_err(|error| match fault(&error) {
        OpError { cause: OpErrorKind::Sqlite, message, .. } => {
            OpError::new(OpErrorKind::Host, format!("the upgrade's SQL failed: {message}"))
        }
        other => other,
    })?;
    if connection.is_autocommit() {
        return Err(OpError::new(
            OpErrorKind::Host,
            "the upgrade's SQL ended the transaction that it runs in; take COMMIT, END and \
             ROLLBACK out of it",
        ));
    }
    run(connection.execute_batch("COMMIT; DETACH DATABASE v1"))?;
    run(connection.close().map_err(|(_, error)| error))
}

/// Copies a whole database, including its log, into a new one. `busy` is the error's message if a
/// lock prevents this.
pub(crate) fn copy_pages(source: &Connection, target: &mut Connection, busy: &str) -> Result<()> {
    let backup = run(rusqlite::backup::Backup::new(source, target))?;
    match run(backup.step(-1))? {
        rusqlite::backup::StepResult::Done => Ok(()),
        _ => Err(in_use(busy)),
    }
}

/// Copies a database that a connection has open into a new file. SQLite copies it page by page,
/// including what is still in the write-ahead log.
pub(crate) fn restage(from: &Path, to: &Path, mode: JournalMode) -> Result<()> {
    let source = open_existing(from)?;
    let mut target = open_existing(to)?;
    run(target.execute_batch("PRAGMA synchronous = OFF"))?;
    copy_pages(&source, &mut target, "another connection writes to the built v2")?;
    run(target.close().map_err(|(_, error)| error))?;
    run(source.close().map_err(|(_, error)| error))?;
    settle(to, mode, Flush::Later).map(drop)
}
