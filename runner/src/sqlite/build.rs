//! Builds v2 by SQL, and copies databases page by page.

use std::path::Path;

use cutover_core::{Header, JournalMode, OpError, OpErrorKind};
// `Batch::next`, where rusqlite does not have it itself, as 0.32 does.
#[allow(unused_imports)]
use fallible_iterator::FallibleIterator as _;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Batch, Connection, ErrorCode, OpenFlags, Statement};

use super::error::{Result, close, fault, fault_on, in_use, on, os_fault, run, shortened, words};
use super::open::{bytes, facts, open, open_existing, open_to_read, uri};
use super::settle::{Flush, settle};
use super::watch::{Watch, stopped};

/// How many pages are copied until the copy looks whether it must stop.
const PIECE: i32 = 1000;

/// Gives a new, empty file its first page, with v1's page size. Whatever builds in the file keeps
/// that size.
pub(crate) fn lay_out(staging: &Path, v1: &Path) -> Result<()> {
    let header = facts(v1).map_err(|error| os_fault(&error))?.header;
    if let Some(header) = header.filter(|_| bytes(staging) == Some(0)) {
        let connection = open_existing(staging)?;
        on(
            &connection,
            connection.execute_batch(&format!(
                "PRAGMA page_size = {}; PRAGMA user_version = 0",
                header.page_size
            )),
        )?;
        close(connection)?;
    }
    Ok(())
}

/// Builds v2 by SQL in one transaction, with v1 attached read-only.
///
/// The rollback journal stays on, so that a failed statement is undone completely. Nothing is
/// flushed, because the plan flushes the file once.
///
/// `begun` is called once v1 is locked, and v1 is opened by its path no more: closing it would drop
/// that lock, and those of any connection that `begun` opens.
pub(crate) fn build(
    v1: &Path,
    staging: &Path,
    sql: &str,
    watch: &Watch<'_>,
    begun: &mut dyn FnMut(),
) -> Result<()> {
    let header = facts(v1).map_err(|error| os_fault(&error))?.header;
    // `ATTACH` opens with the flags of the connection, so it follows no link either.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_URI;
    let connection = run(open(staging, flags))?;
    let watched = watch.over(&connection);
    let new = header.filter(|_| bytes(staging) == Some(0));
    if let Some(header) = &new {
        on(
            &connection,
            connection.execute_batch(&format!("PRAGMA page_size = {}", header.page_size)),
        )?;
        let v1 = open_to_read(v1)?;
        let encoding: String = on(&v1, v1.query_row("PRAGMA encoding", [], |row| row.get(0)))?;
        let auto_vacuum: i64 = on(&v1, v1.query_row("PRAGMA auto_vacuum", [], |row| row.get(0)))?;
        on(
            &connection,
            connection.execute_batch(&format!(
                "PRAGMA encoding = '{encoding}'; PRAGMA auto_vacuum = {auto_vacuum}"
            )),
        )?;
    }
    // As is SQLite's default, rows may come in any order; the check finds references that still
    // dangle at the end.
    on(
        &connection,
        connection.execute_batch(
            "PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF",
        ),
    )?;
    attach(&connection, v1)?;
    on(&connection, connection.execute_batch("BEGIN IMMEDIATE"))?;
    if let Some(Header { application_id, .. }) = new {
        let keeps = format!("PRAGMA application_id = {application_id}");
        on(&connection, connection.execute_batch(&keeps))?;
    }
    let _: i64 = on(
        &connection,
        connection.query_row("SELECT count(*) FROM v1.sqlite_master", [], |row| row.get(0)),
    )?;
    begun();
    execute(&connection, sql)?;
    on(&connection, connection.execute_batch("COMMIT; DETACH DATABASE v1"))?;
    drop(watched);
    close(connection)
}

fn attach(connection: &Connection, v1: &Path) -> Result<()> {
    let attached = connection.execute("ATTACH DATABASE ?1 AS v1", [uri(v1, "mode=ro")]);
    match attached {
        // It judges nothing of the file, so SQLite means the file's first bytes, which the disk did
        // not give.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            let unread = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_CORRUPTFS);
            Err(fault(&rusqlite::Error::SqliteFailure(unread, Some(words(&error)))))
        }
        attached => on(connection, attached).map(drop),
    }
}

/// Runs the application's SQL to its last byte, each statement to its last row. Between two
/// statements SQLite tells whether the transaction is still open, in which all of it must run.
fn execute(connection: &Connection, sql: &str) -> Result<()> {
    let wrong =
        |what: String| OpError::new(OpErrorKind::Host, format!("the SQL of make.run: {what}"));
    if let Some(why) = refused_sql(sql) {
        return Err(wrong(why.into()));
    }
    let failed = |which: &str, error: &rusqlite::Error| match fault_on(connection, error) {
        OpError { cause: OpErrorKind::Sqlite, message, .. } => {
            wrong(format!("{which} failed: {message}"))
        }
        // The caller knows whether v1 is what is damaged.
        OpError { cause: cause @ OpErrorKind::V1Corrupt, message, .. } => {
            OpError { cause, ..wrong(format!("{which} failed: {message}")) }
        }
        other => other,
    };
    let mut statements = Batch::new(connection, sql);
    for number in 1.. {
        let next = statements.next();
        let Some(mut statement) =
            next.map_err(|error| failed(&format!("statement {number}"), &error))?
        else {
            break;
        };
        let text = statement.expanded_sql().unwrap_or_default();
        let which = format!("statement {number}, {},", shortened(text.trim_end_matches(';')));
        let ran = to_end(&mut statement);
        ran.map_err(|error| failed(&which, &error))?;
        if connection.is_autocommit() {
            return Err(wrong(format!(
                "{which} ended the transaction that all of it runs in; take COMMIT, END and \
                 ROLLBACK out of it"
            )));
        }
    }
    Ok(())
}

fn to_end(statement: &mut Statement<'_>) -> rusqlite::Result<()> {
    let mut rows = statement.raw_query();
    while rows.next()?.is_some() {}
    Ok(())
}

/// Why SQLite would not run all of this SQL.
pub(crate) fn refused_sql(sql: &str) -> Option<&'static str> {
    sql.contains('\0').then_some(
        "it has a NUL character, where SQLite would stop reading; take the character out, or \
         write char(0) for it",
    )
}

/// Copies a whole database, including its log, into a new one. `busy` is the error's message if a
/// lock prevents this.
///
/// It copies in pieces, so that it can be stopped. Where the source changes between two of them,
/// SQLite begins the copy anew (<https://www.sqlite.org/c3ref/backup_finish.html>).
pub(crate) fn copy_pages(
    source: &Connection,
    target: &mut Connection,
    busy: &str,
    watch: &Watch<'_>,
) -> Result<()> {
    watch.set_page_size(source);
    let backup = run(Backup::new(source, target))?;
    loop {
        let copied = backup.step(PIECE);
        let must_stop = watch.copied(&backup);
        match copied {
            Ok(StepResult::More) if must_stop => return Err(stopped()),
            Ok(StepResult::More) => {}
            Ok(StepResult::Done) => return Ok(()),
            Ok(_) => return Err(in_use(busy)),
            Err(error) => {
                // Its end passes the error on to the target.
                drop(backup);
                return on(target, Err(error));
            }
        }
    }
}

/// Copies a database that a connection has open into a new file. SQLite copies it page by page,
/// including what is still in the write-ahead log.
pub(crate) fn restage(from: &Path, to: &Path, mode: JournalMode, watch: &Watch<'_>) -> Result<()> {
    let source = open_existing(from)?;
    let mut target = open_existing(to)?;
    on(&target, target.execute_batch("PRAGMA synchronous = OFF"))?;
    copy_pages(&source, &mut target, "another connection writes to the built v2", watch)?;
    close(target)?;
    close(source)?;
    settle(to, mode, Flush::Later, watch).map(drop)
}
