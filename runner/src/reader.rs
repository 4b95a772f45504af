//! Reads a database with the SQLite of this crate: read-only, and no handle outlives the reader.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
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
    path: PathBuf,
    /// The damage that a query met first.
    damage: RefCell<Option<String>>,
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
    pub(crate) fn open(path: &Path) -> Result<Self, OpError> {
        let connection = sqlite::open_to_read(path)?;
        Self::of(connection, path).map_err(|error| sqlite::fault(&error))
    }

    /// [`Reader::open`] of a database whose header was just read, and that has no hot journal. It is
    /// in a transaction.
    pub(crate) fn open_in(path: &Path, mode: Option<JournalMode>) -> Result<Self, OpError> {
        let connection = sqlite::open_to_read_in(path, mode)?;
        Self::of(connection, path).map_err(|error| sqlite::fault(&error))
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
    /// lock, or what the system refused. A callback may have caught it, and gone on with an answer
    /// that is wrong.
    pub(crate) fn met(&self) -> Option<OpError> {
        self.met.borrow().clone()
    }

    /// Opens a settled database that no other process uses.
    pub(crate) fn open_installed(path: &Path) -> Result<Self, OpError> {
        let connection = sqlite::open_installed(path)?;
        Self::of(connection, path).map_err(|error| sqlite::fault(&error))
    }

    fn of(connection: rusqlite::Connection, path: &Path) -> rusqlite::Result<Self> {
        sqlite::only_read(&connection)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            damage: RefCell::new(None),
            patience: RefCell::new(Patience { budget: Budget::of(0), stop: None }),
            met: RefCell::new(None),
        })
    }

    /// Where the database is. In [`crate::Host::verify`] the application may open v2 there with its
    /// own SQLite, to read what only that SQLite can read; it must close v2 before it returns. Do
    /// not open v1 by its path: a build has [`crate::Job::source`] for that.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The damage of the database that a query met, whatever the application made of that error.
    pub(crate) fn damage(&self) -> Option<String> {
        self.damage.borrow().clone()
    }

    /// Waits before try number `tries + 1` of what another program keeps from its end. False where
    /// it is not to be tried again.
    pub(crate) fn wait(&self, tries: u32) -> bool {
        self.patience.borrow_mut().wait(tries)
    }

    /// Whether a query that gave no row yet begins again, after a wait.
    fn begins_again(&self, error: &rusqlite::Error, tries: &mut u32) -> bool {
        *tries += 1;
        error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && self.wait(*tries)
    }

    /// Remembers a fault that is not the application's.
    fn failed(&self, sql: &str, error: rusqlite::Error) -> HostError {
        if sqlite::is_damage(&self.connection, &error) {
            self.damage.borrow_mut().get_or_insert_with(|| sqlite::words(&error));
        }
        let fault = sqlite::fault_on(&self.connection, &error);
        match fault.cause {
            OpErrorKind::Busy => drop(self.met.borrow_mut().get_or_insert(fault)),
            OpErrorKind::Os { .. }
            | OpErrorKind::Denied { .. }
            | OpErrorKind::TemporaryFolder { .. } => {
                let told = fault.message.clone();
                self.met.replace(Some(fault));
                return told.into();
            }
            _ => {}
        }
        if error.sqlite_error_code() == Some(ErrorCode::AuthorizationForStatementDenied) {
            let sql = sqlite::shortened(sql);
            return format!("a reader only reads, so it does not run this: {sql} ({error})").into();
        }
        error.into()
    }

    /// Runs one query and returns all its rows. `args` are bound to `?1`, `?2` and so on.
    ///
    /// If another program has locked the database, a build waits within [`crate::Options::wait_ms`]
    /// and tries again; a `detect` is called again after a wait. If the lock stays, the query
    /// fails; if the callback fails then, the call fails as `HELD` and names that program.
    ///
    /// # Errors
    /// SQLite's own, and for a statement that does more than read: `ATTACH`, `VACUUM INTO`, a
    /// temporary table, a pragma that sets something.
    pub fn all(&self, sql: &str, args: &[Value]) -> Result<Vec<Row>, HostError> {
        self.rows(sql, args)?.collect()
    }

    /// Begins a query, whose rows are read one after the other: only one is in memory. `args` are
    /// bound to `?1`, `?2` and so on. Several queries may be read in turn.
    ///
    /// Until its last row was read, or it is dropped, the database cannot change under it: in
    /// rollback mode other processes cannot commit meanwhile.
    ///
    /// # Errors
    /// As [`Reader::all`]; each row may have an error of its own, after which there is none.
    pub fn rows(&self, sql: &str, args: &[Value]) -> Result<Rows<'_>, HostError> {
        if sql.contains('\0') {
            return Err(format!(
                "the query has a NUL character, where SQLite would stop reading it: {}",
                sqlite::shortened(sql)
            )
            .into());
        }
        let mut tries = 0;
        let mut statement = loop {
            match self.connection.prepare(sql) {
                Ok(statement) => break statement,
                Err(error) if self.begins_again(&error, &mut tries) => {}
                Err(error) => return Err(self.failed(sql, error)),
            }
        };
        let wanted = statement.parameter_count();
        if wanted != args.len() {
            return Err(rusqlite::Error::InvalidParameterCount(args.len(), wanted).into());
        }
        for (index, value) in args.iter().enumerate() {
            let value = match value {
                Value::Null => ToSqlOutput::Owned(Sql::Null),
                Value::Integer(integer) => ToSqlOutput::Owned(Sql::Integer(*integer)),
                Value::Real(real) => ToSqlOutput::Owned(Sql::Real(*real)),
                Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
                Value::Blob(blob) => ToSqlOutput::Borrowed(ValueRef::Blob(blob)),
            };
            statement.raw_bind_parameter(index + 1, value)?;
        }
        let name = |column| statement.column_name(column).map(str::to_owned);
        let names = (0..statement.column_count()).map(name).collect::<Result<_, _>>()?;
        let sql = sql.to_owned();
        Ok(Rows { reader: self, statement: Some(statement), names, sql, tries: Some(tries) })
    }
}

/// The rows of a query, of [`Reader::rows`].
#[derive(Debug)]
pub struct Rows<'reader> {
    reader: &'reader Reader,
    /// Nothing once the last row was read.
    statement: Option<rusqlite::Statement<'reader>>,
    names: Vec<String>,
    sql: String,
    /// How often the query began. Nothing once a row was read: then it cannot begin again.
    tries: Option<u32>,
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, HostError>;

    fn next(&mut self) -> Option<Self::Item> {
        let statement = self.statement.as_mut()?;
        loop {
            let mut rows = statement.raw_query();
            let next = match rows.next() {
                Ok(Some(row)) => read(row, &self.names).map_err(HostError::from),
                Ok(None) => break,
                Err(error) => {
                    let tries = self.tries.as_mut();
                    if tries.is_some_and(|tries| self.reader.begins_again(&error, tries)) {
                        continue;
                    }
                    Err(self.reader.failed(&self.sql, error))
                }
            };
            if next.is_ok() {
                // Dropping it would reset the statement, whose next row would be its first again.
                std::mem::forget(rows);
                self.tries = None;
            } else {
                drop(rows);
                self.statement = None;
            }
            return Some(next);
        }
        self.statement = None;
        None
    }
}

impl std::iter::FusedIterator for Rows<'_> {}

fn read(row: &rusqlite::Row<'_>, names: &[String]) -> rusqlite::Result<Row> {
    let mut out = Vec::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        let value = match row.get_ref(index)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(integer) => Value::Integer(integer),
            ValueRef::Real(real) => Value::Real(real),
            ValueRef::Text(bytes) => std::str::from_utf8(bytes)
                .map_or_else(|_| Value::Blob(bytes.to_vec()), |text| Value::Text(text.to_owned())),
            ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
        };
        out.push((name.clone(), value));
    }
    Ok(out)
}
