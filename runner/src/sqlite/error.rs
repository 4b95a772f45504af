//! What the errors of SQLite and of the system mean for a plan.

use std::path::Path;

use cutover_core::{OpError, OpErrorKind, OsCode};
use rusqlite::ErrorCode;

use crate::os;

/// What an error of SQLite means for a plan.
pub(crate) fn fault(error: &rusqlite::Error) -> OpError {
    if error
        .sqlite_error()
        .is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_CANTOPEN_SYMLINK)
    {
        // A message that SQLite wrote only says that it cannot open the file.
        let said = Some(error.to_string()).filter(|said| said.contains("not a regular file"));
        return OpError::new(
            OpErrorKind::Irregular,
            said.unwrap_or_else(|| "it is a symbolic link, not a regular file".into()),
        );
    }
    let cause = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpErrorKind::Busy,
        // SQLite returns `SQLITE_FULL` for a write that failed with ENOSPC.
        Some(ErrorCode::DiskFull) => no_space(),
        Some(ErrorCode::NotADatabase) => OpErrorKind::NotADatabase,
        // The directory is read-only, so SQLite cannot make a sidecar.
        _ if error.sqlite_error().is_some_and(|error| {
            error.extended_code == rusqlite::ffi::SQLITE_READONLY_DIRECTORY
        }) =>
        {
            OpErrorKind::Denied { os: OsCode::of(os::PLATFORM, DENIED) }
        }
        // This is not damage: stock SQLite does not know libSQL's vector indexes, for example.
        _ if is_foreign_schema(error) => {
            return OpError::new(
                OpErrorKind::Sqlite,
                format!("stock SQLite cannot read this schema: {error}"),
            );
        }
        Some(ErrorCode::DatabaseCorrupt) => OpErrorKind::V1Corrupt,
        _ => OpErrorKind::Sqlite,
    };
    OpError::new(cause, format!("SQLite says: {error}"))
}

/// What an error of SQLite means when a database was to be read. One with a log needs shared memory
/// beside it, for which a read-only directory has no place
/// (<https://www.sqlite.org/wal.html#readonly>).
pub(crate) fn fault_of_reading(path: &Path, error: &rusqlite::Error) -> OpError {
    let fault = fault(error);
    let denied = path
        .parent()
        .filter(|_| error.sqlite_error_code() == Some(ErrorCode::CannotOpen))
        .filter(|_| fault.cause != OpErrorKind::Irregular)
        .and_then(os::why_read_only);
    match denied {
        Some(raw) => {
            OpError { cause: OpErrorKind::Denied { os: OsCode::of(os::PLATFORM, raw) }, ..fault }
        }
        None => fault,
    }
}

/// Whether stock SQLite cannot read a schema that another SQLite wrote. SQLite reports damage of
/// the schema's own pages in equal words ("malformed database schema", `corruptSchema` in
/// prepare.c); that is excluded.
pub(crate) fn is_foreign_schema(error: &rusqlite::Error) -> bool {
    let text = error.to_string();
    let damaged = ["invalid rootpage", "orphan index"].iter().any(|part| text.contains(part));
    !damaged
        && ["malformed database schema", "no such module", "no such function", "unknown function"]
            .iter()
            .any(|part| text.contains(part))
}

/// `ERROR_ACCESS_DENIED`, EACCES.
pub(crate) const DENIED: i32 = if cfg!(windows) { 5 } else { 13 };

/// `ERROR_DISK_FULL`, ENOSPC.
pub(crate) fn no_space() -> OpErrorKind {
    OpErrorKind::Os { os: OsCode::of(os::PLATFORM, if cfg!(windows) { 112 } else { 28 }) }
}

pub(crate) type Result<T> = std::result::Result<T, OpError>;

pub(crate) fn run<T>(result: rusqlite::Result<T>) -> Result<T> {
    result.map_err(|error| fault(&error))
}

pub(crate) fn in_use(message: &str) -> OpError {
    OpError::new(OpErrorKind::Busy, message)
}

pub(crate) fn os_fault(error: &std::io::Error) -> OpError {
    let cause = match (error.raw_os_error(), error.get_ref()) {
        (Some(raw), _) => OpErrorKind::Os { os: OsCode::of(os::PLATFORM, raw) },
        (None, Some(said)) if said.is::<os::Irregular>() => OpErrorKind::Irregular,
        _ => OpErrorKind::Sqlite,
    };
    OpError::new(cause, error.to_string())
}
