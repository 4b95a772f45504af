//! Copies v2's pages into canonical in one SQLite transaction. If it is interrupted, any later
//! SQLite rolls it back.

use std::path::Path;

use cutover_core::{Fingerprint, OpError, OpErrorKind};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::os;
use crate::sqlite::{
    HeldFile, Watch, begin_to_read, bytes, close, empty_log, fault, in_use, on, open_existing,
    open_installed, os_fault, sidecar,
};

/// How many pages are copied until it is told how far the copy is.
const PIECE: i32 = 1000;

/// A connection to a database in WAL mode whose log is empty. It tells whether another connection
/// commits from then on.
///
/// Another connection has the database open, so it stays in WAL mode, where a commit and a checkpoint
/// can leave header and size as they were. `PRAGMA data_version` changes with every commit of
/// another connection (<https://www.sqlite.org/pragma.html#pragma_data_version>).
///
/// The connection holds a read transaction until the page copy. Meanwhile no process writes to the
/// database file itself, only to its log, so a copy of the file's bytes is a copy of v1.
#[derive(Debug)]
pub(crate) struct CommitWatcher {
    connection: Connection,
    data_version: i64,
}

impl CommitWatcher {
    /// Empties the log into the database and begins to watch.
    pub(crate) fn of(path: &Path) -> Result<Self, OpError> {
        let connection = open_existing(path)?;
        empty_log(&connection)?;
        begin_to_read(&connection)?;
        let witness =
            Self { data_version: on(&connection, data_version(&connection))?, connection };
        // Another connection may have written between the two.
        if bytes(&sidecar(path, "-wal")) > Some(0) {
            return Err(in_use("another connection writes to the database"));
        }
        Ok(witness)
    }

    /// Ends the read transaction, and goes on watching.
    fn stop_reading(&mut self) -> Result<(), OpError> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        on(&self.connection, self.connection.execute_batch("COMMIT"))
    }

    /// Whether no other connection committed since the watch began.
    fn saw_nothing(&self) -> Result<bool, OpError> {
        // Only a read makes SQLite look for new commits.
        let db = &self.connection;
        let _: i64 =
            on(db, db.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)))?;
        Ok(on(db, data_version(db))? == self.data_version)
    }
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA data_version", [], |row| row.get(0))
}

/// Copies `from`, which is settled, into `to`. It does so only if `to` still has this fingerprint,
/// and no other connection committed since the witness began to watch.
///
/// The first step of SQLite's backup takes the exclusive lock on its target, under which the
/// fingerprint is compared. It also begins the transaction that writes all pages ("Online Backup
/// API" of SQLite's documentation, and `sqlite3_backup_step` in backup.c).
pub(crate) fn page_copy(
    from: &Path,
    to: &Path,
    v1: &Fingerprint,
    mut witness: Option<&mut CommitWatcher>,
    watch: &Watch<'_>,
) -> Result<(), OpError> {
    if os::links(to).map_err(|error| os_fault(&error))? > 1 {
        return Err(OpError::new(
            OpErrorKind::SecondName,
            "the database has another hard link, which would be overwritten too",
        ));
    }
    // Declared first, so closed last: on POSIX closing it would drop the lock.
    let file = HeldFile::open(to).map_err(|error| os_fault(&error))?;
    let source = open_installed(from)?;
    let mut target = open_existing(to)?;
    on(&target, target.execute_batch("PRAGMA synchronous = FULL"))?;
    let changed = || {
        OpError::new(
            OpErrorKind::V1Changed,
            "another program wrote to the database while it was upgraded",
        )
    };
    if !accepts_pages_of(&target, &source)? {
        return Err(changed());
    }
    watch.set_page_size(&source);
    let mut failed = None;
    let copied = (|| {
        let backup = Backup::new(&source, &mut target).map_err(|error| fault(&error))?;
        let mut step = |pages| match backup.step(pages) {
            Ok(StepResult::Busy | StepResult::Locked) => {
                Err(in_use("another connection has the database locked"))
            }
            Ok(step) => Ok(step),
            Err(error) => Err(fault(failed.insert(error))),
        };
        if let Some(witness) = &mut witness {
            witness.stop_reading()?;
        }
        step(0)?;
        let same =
            file.facts().map_err(|error| os_fault(&error))?.fingerprint().as_ref() == Some(v1);
        let unseen = match &witness {
            Some(witness) => witness.saw_nothing()?,
            None => v1.detects_writes(),
        };
        if !(same && unseen) {
            return Err(changed());
        }
        while step(PIECE)? == StepResult::More {
            let _too_late_to_stop = watch.copied(&backup);
        }
        Ok(())
    })();
    // The end of the backup passed its error on to the target, which tells the system's.
    failed.map_or(Ok(()), |error| on(&target, Err(error)))?;
    copied?;
    if witness.is_some() {
        // If another connection still reads, the pages stay in the log, where they are as durable.
        on(&target, target.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))?;
    }
    close(target)
}

/// SQLite refuses pages of another size if the target is in WAL mode (`SQLITE_READONLY`). If the
/// sizes differ, another program put the target into WAL mode after v2 was checked.
fn accepts_pages_of(target: &Connection, source: &Connection) -> Result<bool, OpError> {
    let text =
        |db: &Connection, sql: &str| on(db, db.query_row(sql, [], |row| row.get::<_, String>(0)));
    let page_size = "SELECT CAST(page_size AS TEXT) FROM pragma_page_size";
    Ok(text(target, "PRAGMA journal_mode")? != "wal"
        || text(target, page_size)? == text(source, page_size)?)
}
