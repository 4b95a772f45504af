//! What the errors of SQLite and of the system mean for a plan.

use std::path::Path;

use cutover_core::{NO_HEADER, OpError, OpErrorKind, OsCode, Retry};
use rusqlite::{Connection, ErrorCode};

use super::ffi::{last_errno, system_errno};
use super::regular::all_regular;
use super::temporary;
use crate::os;

/// What an error of SQLite means for a plan, if there is no connection that tells the system's error
/// behind it: SQLite closes one that it could not open.
pub(crate) fn fault(error: &rusqlite::Error) -> OpError {
    let fault = meaning(error);
    let extended = error.sqlite_error().map(|error| error.extended_code);
    if !is_bare(&fault) {
        fault
    } else if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) {
        name_descriptor_limit(fault)
    } else if extended == Some(rusqlite::ffi::SQLITE_IOERR_CORRUPTFS) {
        // SQLite says so only where a read gave this error of the system, or a like one.
        named(fault, UNREADABLE).unwrap_or_else(|fault| fault)
    } else {
        fault
    }
}

fn meaning(error: &rusqlite::Error) -> OpError {
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
                format!("stock SQLite cannot read this schema: {}", said(error)),
            );
        }
        Some(ErrorCode::DatabaseCorrupt) => OpErrorKind::V1Corrupt,
        _ => OpErrorKind::Sqlite,
    };
    let said = said(error);
    let message = if cause == OpErrorKind::NotADatabase {
        format!("{NO_HEADER} (SQLite says: {said})")
    } else {
        format!("SQLite says: {said}")
    };
    OpError::new(cause, message)
}

/// SQLite's own words. Of a statement that it cannot compile, only the place where it stopped:
/// rusqlite gives all the SQL from that statement on.
fn said(error: &rusqlite::Error) -> String {
    let rusqlite::Error::SqlInputError { msg, sql, offset, .. } = error else {
        return error.to_string();
    };
    let rest = usize::try_from(*offset).ok().and_then(|at| sql.get(at..));
    format!("{msg}, at: {}", shortened(rest.unwrap_or(sql)))
}

/// A statement for a message: in one line, and not longer than a line.
pub(crate) fn shortened(sql: &str) -> String {
    const MOST: usize = 100;
    let line = sql.replace('\0', "\u{fffd}").split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        None => line,
        Some((end, _)) => format!("{}…", &line[..end]),
    }
}

/// What an error of SQLite means when a database was to be read. One with a log needs shared memory
/// beside it, for which a read-only directory has no place
/// (<https://www.sqlite.org/wal.html#readonly>). `connection`: the one that read, if it is open.
pub(crate) fn fault_of_reading(
    path: &Path,
    error: &rusqlite::Error,
    connection: Option<&Connection>,
) -> OpError {
    let fault = connection.map_or_else(|| fault(error), |connection| fault_on(connection, error));
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
    const FOREIGN: [&str; 6] = [
        "malformed database schema",
        "no such collation sequence",
        "no such function",
        "no such module",
        "unknown function",
        "unknown tokenizer",
    ];
    let text = words(error);
    let damaged = ["invalid rootpage", "orphan index"].iter().any(|part| text.contains(part));
    !damaged && FOREIGN.iter().any(|part| text.contains(part))
}

/// Whether SQLite met damage of a database's pages. What a virtual table says of its own index is
/// none (`SQLITE_CORRUPT_VTAB`), and neither is a page that the disk does not give, which SQLite calls
/// damaged as well (`unixRead` in `os_unix.c`).
pub(crate) fn is_damage(connection: &Connection, error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|known| {
        known.code == ErrorCode::DatabaseCorrupt
            && known.extended_code != rusqlite::ffi::SQLITE_CORRUPT_VTAB
    }) && !is_foreign_schema(error)
        && fault_on(connection, error).cause == OpErrorKind::V1Corrupt
}

/// Whether an error of the application's says that its SQLite met a damaged page. SQLite does not
/// translate its texts.
pub(crate) fn names_damage(said: &str) -> bool {
    ["database disk image is malformed", "SQLITE_CORRUPT"].iter().any(|text| said.contains(text))
}

/// SQLite's own words, without the statement.
pub(crate) fn words(error: &rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    }
}

/// `ERROR_ACCESS_DENIED`, EACCES.
pub(crate) const DENIED: i32 = if cfg!(windows) { 5 } else { 13 };

/// `ERROR_IO_DEVICE`, EIO.
const UNREADABLE: i32 = if cfg!(windows) { 1117 } else { 5 };

/// `ERROR_DISK_FULL`, ENOSPC.
pub(crate) fn no_space() -> OpErrorKind {
    OpErrorKind::Os { os: OsCode::of(os::PLATFORM, if cfg!(windows) { 112 } else { 28 }) }
}

pub(crate) type Result<T> = std::result::Result<T, OpError>;

/// The outcome of a call on this connection.
pub(crate) fn on<T>(connection: &Connection, result: rusqlite::Result<T>) -> Result<T> {
    result.map_err(|error| fault_on(connection, &error))
}

/// Closes a connection, which may still write.
pub(crate) fn close(connection: Connection) -> Result<()> {
    connection.close().map_err(|(connection, error)| fault_on(&connection, &error))
}

/// What the error of a call on this connection means. SQLite says "disk I/O error" whatever the
/// system refused, and "disk is full" whichever disk it is; the connection tells more.
pub(crate) fn fault_on(connection: &Connection, error: &rusqlite::Error) -> OpError {
    let fault = meaning(error);
    if let Some(folder) = temporary::fault(connection, error) {
        return folder;
    }
    let raw = match error.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) if is_bare(&fault) => {
            system_errno(connection)
        }
        Some(ErrorCode::DatabaseCorrupt) => last_errno(connection),
        _ => None,
    };
    let Some(raw) = raw else { return fault };
    if let Some(irregular) = irregular(connection, raw) {
        return irregular;
    }
    named(fault, raw).unwrap_or_else(|fault| fault)
}

/// The database or the sidecar that SQLite may not open, because it is not a regular file.
fn irregular(connection: &Connection, raw: i32) -> Option<OpError> {
    let code = OsCode::of(os::PLATFORM, raw).code;
    let path = connection.path().filter(|_| ["ENXIO", "ELOOP"].contains(&code.as_str()))?;
    all_regular(Path::new(path)).err().map(|error| fault(&error))
}

fn is_bare(fault: &OpError) -> bool {
    fault.cause == OpErrorKind::Sqlite
}

/// What the system refuses to SQLite, and what a person can do something about. Any other number
/// may be left from an earlier call: SQLite does not reset it.
const TOLD: [&str; 7] = ["EDQUOT", "EFBIG", "EIO", "EMFILE", "ENFILE", "ENOSPC", "EROFS"];

/// Names the system's error behind a fault; gives the fault back if it may not be the cause.
fn named(fault: OpError, raw: i32) -> std::result::Result<OpError, OpError> {
    let os = OsCode::of(os::PLATFORM, raw);
    if !TOLD.contains(&os.code.as_str()) {
        return Err(fault);
    }
    let system = std::io::Error::from_raw_os_error(raw);
    let message = format!("{}, because the system says: {system}", fault.message);
    let cause = if os.class(os::PLATFORM) == Retry::Transient {
        // SQLite may have done a part of its work, so the op is not tried again.
        OpErrorKind::Denied { os }
    } else {
        OpErrorKind::Os { os }
    };
    Ok(OpError { cause, message, ..fault })
}

/// Names the limit of open files behind a database that cannot be opened. SQLite has closed the
/// connection by then, so this opens a folder, which has no locks to lose.
fn name_descriptor_limit(fault: OpError) -> OpError {
    match std::fs::File::open(std::path::Component::RootDir.as_os_str()) {
        Err(error) => {
            let raw = error.raw_os_error().filter(|_| cfg!(unix)).unwrap_or_default();
            let at_limit =
                ["EMFILE", "ENFILE"].contains(&OsCode::of(os::PLATFORM, raw).code.as_str());
            if at_limit { named(fault, raw).unwrap_or_else(|fault| fault) } else { fault }
        }
        Ok(_) => fault,
    }
}

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
