//! Copies v2's pages into canonical: one transaction of SQLite, which every SQLite rolls back that finds it half done.

use std::path::Path;

use cutover_core::fault::{Cause, Fault};
use cutover_core::observe::Fingerprint;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::os;
use crate::sqlite::{HeldFile, fault, in_use, installed_reader, open_existing, os_fault};

/// Copies `from`, which is settled, into `to`, if `to` is what it was when this fingerprint was taken.
///
/// The first step of SQLite's backup takes the exclusive lock on its target, which is where the fingerprint is compared; it begins the
/// transaction in which all pages are then written ("Online Backup API" of SQLite's documentation, and `sqlite3_backup_step` in backup.c).
pub(crate) fn page_copy(from: &Path, to: &Path, v1: &Fingerprint) -> Result<(), Fault> {
    if os::links(to).map_err(|error| os_fault(&error))? > 1 {
        return Err(Fault::new(Cause::SecondName, "the database has a second name, which would change with it"));
    }
    // Declared first, closed last: on POSIX its closing would drop the lock.
    let file = HeldFile::open(to).map_err(|error| os_fault(&error))?;
    let source = installed_reader(from).map_err(|error| fault(&error))?.connection;
    let mut target = open_existing(to)?;
    let run = |result: rusqlite::Result<()>| result.map_err(|error| fault(&error));
    // On macOS an ordinary fsync does not reach the platter.
    run(target.execute_batch("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON"))?;
    same_page_size(&source, &target)?;
    {
        let backup = Backup::new(&source, &mut target).map_err(|error| fault(&error))?;
        let step = |pages| match backup.step(pages) {
            Ok(StepResult::Busy | StepResult::Locked) => Err(in_use("another connection has the database locked")),
            Ok(_) => Ok(()),
            Err(error) => Err(fault(&error)),
        };
        step(0)?;
        if file.facts().map_err(|error| os_fault(&error))?.fingerprint().as_ref() != Some(v1) {
            return Err(Fault::new(Cause::V1Changed, "another program wrote to the database while it was upgraded"));
        }
        step(-1)?;
    }
    target.close().map_err(|(_, error)| fault(&error))
}

/// A database in WAL mode keeps its page size, so SQLite copies only pages of that size into it (`SQLITE_READONLY` else).
fn same_page_size(source: &Connection, target: &Connection) -> Result<(), Fault> {
    let text = |db: &Connection, sql: &str| db.query_row(sql, [], |row| row.get::<_, String>(0)).map_err(|error| fault(&error));
    let [v2, v1] = [source, target].map(|db| text(db, "SELECT CAST(page_size AS TEXT) FROM pragma_page_size"));
    let (v2, v1) = (v2?, v1?);
    if text(target, "PRAGMA journal_mode")? == "wal" && v1 != v2 {
        let why = format!("v2 has pages of {v2} bytes, and the old database, which is in WAL mode, has pages of {v1}: build it with those");
        return Err(Fault::new(Cause::Verify, why));
    }
    Ok(())
}
