//! A fresh file for a database that this process holds, by a connection that its caller knows to be a zombie.
//!
//! POSIX only. Whatever is done next opens the database, which drops the zombie's locks, and a connection that the application opens later would
//! share what the zombie still has of the old file. So before anything else the database moves to a file that nobody holds; then every
//! ending leaves such a one, v1 or v2. The zombie keeps the old file, which has no name any more.

use std::path::Path;

use cutover_core::fault::{Cause, Fault};
use cutover_core::names::{FileName, SIDECARS};
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::os;
use crate::place::Place;
use crate::sqlite::{alone, fault, has_bytes, in_use, journal_mode, no_space, open_existing, os_fault, sidecar};

/// Copies canonical, through SQLite, to a new file, and gives that its name. `name` is one that a start without a journal takes away, so a crash
/// leaves the old file with its name, whole, or the new one.
pub(crate) fn fresh_file(place: &Place, name: &FileName) -> Result<(), Fault> {
    let (path, new) = (place.path(&place.canonical), place.path(name));
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let needs_bytes = bytes(&path) + bytes(&sidecar(&path, "-wal"));
    // Asked before it is opened: from then on it must come to its end.
    if os::free_bytes(&place.directory).is_ok_and(|free| free < needs_bytes) {
        return Err(Fault::new(no_space(), format!("a copy of the database needs {needs_bytes} bytes")));
    }
    let held = settled_and_locked(&path)?;
    os::create_new(&new, &path).map_err(|error| os_fault(&error).of(name))?;
    let moved = copy_and_rename(&held, place, &path, &new);
    if moved.is_err() {
        // Its name stays the old file's; a try that failed must not stand in the way of the next one.
        let _ = std::fs::remove_file(&new);
        return moved;
    }
    // Never closed: SQLite would remove the log of this name, which is the new file's by then.
    std::mem::forget(held);
    Ok(())
}

/// Alone, with an empty log, in the journal mode that it has, and locked against other processes.
fn settled_and_locked(path: &Path) -> Result<Connection, Fault> {
    let held = open_existing(path)?;
    let run = |result: rusqlite::Result<()>| result.map_err(|error| fault(&error));
    // In this mode the log has no shared memory, and its connection the exclusive lock: <https://www.sqlite.org/wal.html#noshm>.
    journal_locking(&held)?;
    held.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0)).map_err(|error| fault(&error))?;
    run(held.execute_batch("BEGIN EXCLUSIVE; COMMIT"))?;
    if journal_mode(&held, None)? == "wal" {
        let row = held.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)));
        if row.map_err(|error| fault(&error))? != (0, 0) || has_bytes(&sidecar(path, "-wal")) {
            return Err(in_use("another connection keeps the write-ahead log from being emptied"));
        }
    }
    Ok(held)
}

fn journal_locking(held: &Connection) -> Result<(), Fault> {
    held.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |row| row.get::<_, String>(0)).map(drop).map_err(|error| fault(&error))
}

fn copy_and_rename(held: &Connection, place: &Place, path: &Path, new: &Path) -> Result<(), Fault> {
    let io = |result: std::io::Result<()>| result.map_err(|error| os_fault(&error).of(&place.canonical));
    let mut target = open_existing(new)?;
    // No file of its own beside it: nobody would take it away after a crash.
    journal_mode(&target, Some("MEMORY"))?;
    target.execute_batch("PRAGMA synchronous = OFF").map_err(|error| fault(&error))?;
    match Backup::new(held, &mut target).and_then(|backup| backup.step(-1)).map_err(|error| fault(&error))? {
        StepResult::Done => {}
        _ => return Err(in_use("another connection writes to the database")),
    }
    target.close().map_err(|(_, error)| fault(&error))?;
    alone(new)?;
    io(os::open_to_flush(new).and_then(|file| file.sync_all()))?;
    // The log is empty, and the rest says nothing. They are the old file's, and must not be found beside the new one.
    for suffix in SIDECARS {
        io(match std::fs::remove_file(sidecar(path, suffix)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })?;
    }
    io(os::sync_dir(&place.directory))?;
    io(os::rename(new, path))?;
    alone(path).map_err(|fault| Fault { cause: Cause::Sidecar, ..fault })?;
    io(os::sync_dir(&place.directory))
}
