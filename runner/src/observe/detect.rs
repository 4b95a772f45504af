//! What `detect` says of a database.

use std::path::Path;

use cutover_core::{OpError, OpErrorKind, Verdict};

use super::ObserveError;
use crate::host::Host;
use crate::reader::Reader;
use crate::sqlite;
use crate::types::Detect;

/// What `detect` says. `None` if the file is not a database or is damaged. Any other error of
/// SQLite's is an error.
pub(crate) fn verdict(
    path: &Path,
    detect: &Detect,
    host: &mut dyn Host,
) -> Result<Option<Verdict>, ObserveError> {
    verdict_by(Reader::open(path), path, detect, host)
}

pub(super) fn verdict_by(
    reader: Result<Reader, OpError>,
    path: &Path,
    detect: &Detect,
    host: &mut dyn Host,
) -> Result<Option<Verdict>, ObserveError> {
    let unreadable = |fault: OpError| match fault.cause {
        OpErrorKind::NotADatabase | OpErrorKind::V1Corrupt => Ok(None),
        _ => Err(ObserveError::OpError(fault)),
    };
    let db = match reader {
        Ok(db) => db,
        Err(fault) => return unreadable(fault),
    };
    let of_reading =
        |error: &rusqlite::Error| sqlite::fault_of_reading(path, error, Some(&db.connection));
    // SQLite opens lazily: only a read finds that the file is not a database.
    if let Err(error) = db
        .connection
        .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))
    {
        return unreadable(of_reading(&error));
    }
    let answer = sqlite::detect(&db.connection, detect).and_then(|answer| {
        // A callback may take its time, and in rollback mode no program could commit meanwhile.
        if !db.connection.is_autocommit() {
            db.connection.execute_batch("COMMIT")?;
        }
        Ok(answer)
    });
    match answer {
        Ok(Some(verdict)) => Ok(Some(verdict)),
        Ok(None) => match (host.detect(&db), db.met(), db.damage()) {
            // If it met another program's lock, the answer says nothing, whatever it is.
            (_, Some(fault), _) => Err(ObserveError::OpError(fault)),
            (verdict, None, None) => verdict.map(Some).map_err(ObserveError::Host),
            // What it made of a part does not count.
            (Ok(_), None, Some(_)) => Ok(None),
            (Err(error), None, Some(damage)) => {
                let text = format!("the database is damaged: {damage}");
                Err(ObserveError::Damaged(OpError::new(OpErrorKind::V1Corrupt, text), error))
            }
        },
        Err(error) => unreadable(of_reading(&error)),
    }
}
