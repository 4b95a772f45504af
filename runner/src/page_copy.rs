//! Copies v2's pages into canonical: one transaction of SQLite, which every SQLite rolls back that
//! finds it half done.

use std::path::Path;

use cutover_core::fault::{OpError, OpErrorKind};
use cutover_core::observe::Fingerprint;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::os;
use crate::sqlite::{
    HeldFile, begin_to_read, empty_log, fault, has_bytes, in_use, installed_reader, open_existing,
    os_fault, sidecar,
};

/// A connection to a database in WAL mode that is empty of log, which sees whether anybody commits
/// to it since.
///
/// Somebody else has the database open, so it stays in WAL mode, where a commit and a checkpoint
/// can leave header and size as they were. `PRAGMA data_version` tells of every commit of another connection (<https://www.sqlite.org/pragma.html#pragma_data_version>). Until the page copy
/// it reads, too: nobody writes to the file itself then, only to the log, so that a copy of its
/// bytes is a copy of v1.
#[derive(Debug)]
pub(crate) struct CommitWatcher {
    connection: Connection,
    data_version: i64,
}

impl CommitWatcher {
    /// Empties the log into the database, and begins to watch.
    pub(crate) fn of(path: &Path) -> Result<Self, OpError> {
        let connection = open_existing(path)?;
        let run = |result: rusqlite::Result<i64>| result.map_err(|error| fault(&error));
        empty_log(&connection)?;
        begin_to_read(&connection)?;
        let witness = Self { data_version: run(data_version(&connection))?, connection };
        // It was written to between the two.
        if has_bytes(&sidecar(path, "-wal")) {
            return Err(in_use("another connection writes to the database"));
        }
        Ok(witness)
    }

    /// Looks on, without holding a state of the database.
    fn stop_reading(&mut self) -> Result<(), OpError> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.connection.execute_batch("COMMIT").map_err(|error| fault(&error))
    }

    /// Whether nobody committed since.
    fn saw_nothing(&self) -> Result<bool, OpError> {
        // A read is what makes it look.
        let run = |result: rusqlite::Result<i64>| result.map_err(|error| fault(&error));
        run(self.connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)))?;
        Ok(run(data_version(&self.connection))? == self.data_version)
    }
}

fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA data_version", [], |row| row.get(0))
}

/// Copies `from`, which is settled, into `to`, if `to` is what it was when this fingerprint was
/// taken, and since the witness began to look.
///
/// The first step of SQLite's backup takes the exclusive lock on its target, which is where the
/// fingerprint is compared; it begins the transaction in which all pages are then written ("Online
/// Backup API" of SQLite's documentation, and `sqlite3_backup_step` in backup.c).
pub(crate) fn page_copy(
    from: &Path,
    to: &Path,
    v1: &Fingerprint,
    mut witness: Option<&mut CommitWatcher>,
) -> Result<(), OpError> {
    if os::links(to).map_err(|error| os_fault(&error))? > 1 {
        return Err(OpError::new(
            OpErrorKind::SecondName,
            "the database has a second name, which would change with it",
        ));
    }
    // Declared first, closed last: on POSIX its closing would drop the lock.
    let file = HeldFile::open(to).map_err(|error| os_fault(&error))?;
    let source = installed_reader(from).map_err(|error| fault(&error))?.connection;
    let mut target = open_existing(to)?;
    let run = |result: rusqlite::Result<()>| result.map_err(|error| fault(&error));
    run(target.execute_batch("PRAGMA synchronous = FULL"))?;
    let changed = || {
        OpError::new(
            OpErrorKind::V1Changed,
            "another program wrote to the database while it was upgraded",
        )
    };
    if !accepts_pages_of(&target, &source)? {
        return Err(changed());
    }
    {
        let backup = Backup::new(&source, &mut target).map_err(|error| fault(&error))?;
        let step = |pages| match backup.step(pages) {
            Ok(StepResult::Busy | StepResult::Locked) => {
                Err(in_use("another connection has the database locked"))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(fault(&error)),
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
        step(-1)?;
    }
    if witness.is_some() {
        // Whoever still reads keeps the pages in the log, where they are as durable.
        run(target.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())))?;
    }
    target.close().map_err(|(_, error)| fault(&error))
}

/// SQLite refuses pages of another size where the target is in WAL mode (`SQLITE_READONLY`). It was
/// in none when v2 was checked, then.
fn accepts_pages_of(target: &Connection, source: &Connection) -> Result<bool, OpError> {
    let text = |db: &Connection, sql: &str| {
        db.query_row(sql, [], |row| row.get::<_, String>(0)).map_err(|error| fault(&error))
    };
    let page_size = "SELECT CAST(page_size AS TEXT) FROM pragma_page_size";
    Ok(text(target, "PRAGMA journal_mode")? != "wal"
        || text(target, page_size)? == text(source, page_size)?)
}
