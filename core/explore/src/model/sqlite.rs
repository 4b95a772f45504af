//! What SQLite reads from a database and its sidecars, as measured. It replays a log over any
//! database that it stands beside, rolls a hot rollback journal back likewise, and deletes the log
//! of a missing or empty database.

use crate::model::database::{Data, Db, V2_LINE};
use crate::model::disk::{Content, Disk, HOME};

/// What a connection reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// No file, or one without bytes.
    Nothing,
    /// Bytes that are no database.
    NotADatabase,
    /// This database, with what its sidecars hold.
    Db(Db),
}

/// The name of a sidecar.
#[must_use]
pub fn sidecar(name: &str, suffix: &str) -> String {
    format!("{name}{suffix}")
}

/// What a connection to this database reads. Changes nothing.
#[must_use]
pub fn seen(disk: &Disk, name: &str) -> Seen {
    let mut db = match disk.get(HOME, name) {
        None | Some(Content::Empty) => return Seen::Nothing,
        Some(Content::Db(db)) => *db,
        Some(_) => return Seen::NotADatabase,
    };
    // SQLite ignores a rollback journal whose header never reached the disk. It flushes the journal
    // before it writes to the database, so the database is unchanged then.
    if let Some(Content::Hot(before)) = disk.get(HOME, &sidecar(name, "-journal")) {
        db = if before.of == db.of { *before } else { Db { data: Data::Mixed, ..db } };
    }
    if let Some(Content::Wal(after)) = disk.get(HOME, &sidecar(name, "-wal")) {
        // A page copy in WAL mode puts v2's frames in the log of v1 until a checkpoint. In a
        // restore, v1's frames are in the log of v2.
        let becomes_other = match (db.data, after.data) {
            (Data::V1 { .. }, Data::V2 { .. }) => true,
            (Data::V2 { .. }, Data::V1 { .. }) => db.of == V2_LINE,
            _ => false,
        };
        let own = after.of == db.of && (becomes_other || after.rank() >= db.rank());
        db = if own { *after } else { Db { data: Data::Mixed, ..db } };
    }
    Seen::Db(db)
}
