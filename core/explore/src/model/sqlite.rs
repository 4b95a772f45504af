//! What SQLite makes of a set, from the facts that were measured: a log is replayed over whatever
//! database it stands beside, a hot journal rolls back whatever it stands beside, and a missing or
//! empty database loses its log.

use crate::model::database::{Data, Db, V2_LINE};
use crate::model::disk::{Content, Disk, HOME};

/// What an open finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// No file, or one without bytes.
    Nothing,
    /// Bytes that are no database.
    NotADatabase,
    /// This, with what its sidecars hold.
    Db(Db),
}

/// The name of a sidecar.
#[must_use]
pub fn sidecar(name: &str, suffix: &str) -> String {
    format!("{name}{suffix}")
}

/// What an open of this set finds. Changes nothing.
#[must_use]
pub fn seen(disk: &Disk, name: &str) -> Seen {
    let mut db = match disk.get(HOME, name) {
        None | Some(Content::Empty) => return Seen::Nothing,
        Some(Content::Db(db)) => *db,
        Some(_) => return Seen::NotADatabase,
    };
    // A journal whose own header never reached the disk is ignored: the database was not written
    // before it was flushed.
    if let Some(Content::Hot(before)) = disk.get(HOME, &sidecar(name, "-journal")) {
        db = if before.of == db.of { *before } else { Db { data: Data::Mixed, ..db } };
    }
    if let Some(Content::Wal(after)) = disk.get(HOME, &sidecar(name, "-wal")) {
        // A page copy in WAL mode: v2's frames stand in the log of what is v1 until they are where
        // they belong; in a restore it is the other way round.
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
