//! Reads a database with the SQLite of this crate: read-only, and no handle outlives the reader.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cutover_core::{Budget, JournalMode, OpError, OpErrorKind};
use rusqlite::ErrorCode;
use rusqlite::types::{ToSqlOutput, Value as Sql, ValueRef};

use crate::error::HostError;
use crate::sqlite;

/// An SQLite value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// A 64-bit integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text that is valid UTF-8.
    Text(String),
    /// A blob, or text that is not valid UTF-8, byte for byte.
    Blob(Vec<u8>),
}

/// One row: column names and values, in the order of the query.
pub type Row = Vec<(String, Value)>;

/// A database that is open for reading. It runs no statement that writes, to this database or to
/// another file. It is closed on drop.
#[derive(Debug)]
pub struct Reader {
    pub(crate) connection: rusqlite::Connection,
    patience: RefCell<Patience>,
    met: RefCell<Option<OpError>>,
}

/// How long a reader waits for another program's lock while a callback runs.
#[derive(Debug, Clone)]
pub(crate) struct Patience {
    pub budget: Budget,
    /// Becomes true once the application wants to stop.
    pub stop: Option<Arc<AtomicBool>>,
}

impl Patience {
    /// Waits before try number `tries + 1`. False when the budget is used up, or the application
    /// wants to stop.
    fn wait(&mut self, tries: u32) -> bool {
        /// How soon a request to stop is seen.
        const PIECE_MS: u64 = 50;
        let stop = self.stop.clone().unwrap_or_default();
        let Some(mut left_ms) = self.budget.next_delay_ms(tries) else { return false };
        while left_ms > 0 && !stop.load(Ordering::Relaxed) {
            let piece_ms = left_ms.min(PIECE_MS);
            std::thread::sleep(Duration::from_millis(piece_ms));
            left_ms -= piece_ms;
        }
        !stop.load(Ordering::Relaxed)
    }
}

impl Reader {
    /// Opens a database, and leaves its directory as it is.
    pub(crate) fn open(path: &Path) -> rusqlite::Result<Self> {
        Self::of(sqlite::open_to_read(path)?)
    }

    /// [`Reader::open`] of a database whose header was just read, and that has no hot journal.
    pub(crate) fn open_in(path: &Path, mode: Option<JournalMode>) -> rusqlite::Result<Self> {
        Self::of(sqlite::open_to_read_in(path, mode)?)
    }

    /// Lets the reader wait for another program's lock: a callback runs, and its caller cannot wait
    /// and call it again.
    pub(crate) fn patient(self, patience: Patience) -> Self {
        Self { patience: RefCell::new(patience), ..self }
    }

    /// What is used of the budget that the reader was given.
    pub(crate) fn budget(&self) -> Budget {
        self.patience.borrow().budget
    }

    /// The first fault that a query met and that is no fault of the query's: another program's
    /// lock. A callback may have caught it, and gone on with an answer that is wrong.
    pub(crate) fn met(&self) -> Option<OpError> {
        self.met.borrow().clone()
    }

    /// Remembers a fault that is not the application's.
    fn meet(&self, error: &rusqlite::Error) {
        let fault = sqlite::fault(error);
        if fault.cause == OpErrorKind::Busy {
            self.met.borrow_mut().get_or_insert(fault);
        }
    }

    /// Opens a settled database that no other process uses.
    pub(crate) fn open_installed(path: &Path) -> rusqlite::Result<Self> {
        Self::of(sqlite::open_installed(path)?)
    }

    fn of(connection: rusqlite::Connection) -> rusqlite::Result<Self> {
        sqlite::only_read(&connection)?;
        let patience = RefCell::new(Patience { budget: Budget::of(0), stop: None });
        Ok(Self { connection, patience, met: RefCell::new(None) })
    }

    /// Runs one query and returns all its rows. `args` are bound to `?1`, `?2` and so on.
    ///
    /// If another program has locked the database, a build waits within [`crate::Options::wait_ms`]
    /// and tries again; a `detect` is called again after a wait. If the lock stays, the call fails
    /// as `HELD` and names that program, whatever the callback makes of the error.
    ///
    /// # Errors
    /// SQLite's own, and for a statement that does more than read: `ATTACH`, `VACUUM INTO`, a
    /// temporary table, a pragma that sets something.
    pub fn all(&self, sql: &str, args: &[Value]) -> Result<Vec<Row>, HostError> {
        if sql.contains('\0') {
            return Err(format!(
                "the query has a NUL character, where SQLite would stop reading it: {}",
                sqlite::shortened(sql)
            )
            .into());
        }
        let mut tries = 0;
        loop {
            let error = match self.rows(sql, args) {
                Ok(rows) => return Ok(rows),
                Err(error) => error,
            };
            tries += 1;
            let busy = error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
            if busy && self.patience.borrow_mut().wait(tries) {
                continue;
            }
            self.meet(&error);
            if error.sqlite_error_code() == Some(ErrorCode::AuthorizationForStatementDenied) {
                let sql = sqlite::shortened(sql);
                return Err(format!(
                    "a reader only reads, so it does not run this: {sql} ({error})"
                )
                .into());
            }
            return Err(error.into());
        }
    }

    fn rows(&self, sql: &str, args: &[Value]) -> rusqlite::Result<Vec<Row>> {
        let args: Vec<ToSqlOutput<'_>> = args
            .iter()
            .map(|value| match value {
                Value::Null => ToSqlOutput::Owned(Sql::Null),
                Value::Integer(integer) => ToSqlOutput::Owned(Sql::Integer(*integer)),
                Value::Real(real) => ToSqlOutput::Owned(Sql::Real(*real)),
                Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
                Value::Blob(blob) => ToSqlOutput::Borrowed(ValueRef::Blob(blob)),
            })
            .collect();
        let mut statement = self.connection.prepare(sql)?;
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query(rusqlite::params_from_iter(args))?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let mut out = Vec::with_capacity(names.len());
            for (index, name) in names.iter().enumerate() {
                let value = match row.get_ref(index)? {
                    ValueRef::Null => Value::Null,
                    ValueRef::Integer(integer) => Value::Integer(integer),
                    ValueRef::Real(real) => Value::Real(real),
                    ValueRef::Text(bytes) => std::str::from_utf8(bytes).map_or_else(
                        |_| Value::Blob(bytes.to_vec()),
                        |text| Value::Text(text.to_owned()),
                    ),
                    ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
                };
                out.push((name.clone(), value));
            }
            all.push(out);
        }
        Ok(all)
    }
}
