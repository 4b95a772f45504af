//! Opens databases, and reads what their files say.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cutover_core::{FileFacts, Header, JournalMode, OpError, OpErrorKind, OsCode, page1_digest};
use rusqlite::{Connection, OpenFlags};

use super::error::{DENIED, Result, in_use, on, run};
use crate::os;

/// Opens a connection without SQLite's own waiting: the plan waits, within its one budget, and
/// reports it.
pub(crate) fn open(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        regular(path, suffix)?;
    }
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    Ok(connection)
}

/// Refuses a database, or a sidecar, that is something else than a regular file: SQLite would wait
/// at a FIFO until another process writes to it. SQLite itself follows no symbolic link
/// (`SQLITE_OPEN_NOFOLLOW`; its sidecars: `O_NOFOLLOW` in `os_unix.c`).
fn regular(path: &Path, suffix: &str) -> rusqlite::Result<()> {
    let file = sidecar(path, suffix);
    os::regular_or_missing(&file).map_err(|error| {
        let which = if suffix.is_empty() {
            String::new()
        } else {
            format!("its {suffix}, {}: ", file.display())
        };
        rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN_SYMLINK),
            Some(format!("{which}{error}")),
        )
    })
}

/// Makes a connection ignore what it cannot parse in a schema that another SQLite wrote
/// (<https://www.sqlite.org/pragma.html#pragma_writable_schema>). Pages, log and the other tables
/// can be read without it.
pub(crate) fn pass_over_foreign_schema(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA writable_schema = ON")
}

/// How many times a database is opened that a passing handle of another program keeps read-only.
const MAX_TRIES: u32 = 10;

/// Opens a database to change it or lock it. It refuses a database that can only be read: SQLite
/// would fall back to reading, and "BEGIN EXCLUSIVE" would take a shared lock only.
///
/// It refuses a read-only sidecar as well. A reader of a read-only database in WAL mode leaves a
/// read-only `-shm` (`findCreateFileMode` in `os_unix.c`), which stays read-only.
pub(crate) fn open_to_write(path: &Path, more: OpenFlags) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | more;
    let mut tries = 0;
    let connection = loop {
        let connection = run(open(path, flags))?;
        if !on(&connection, connection.is_readonly("main"))? {
            break connection;
        }
        if !os::is_only_in_use(path) {
            let denied = OpErrorKind::Denied {
                os: OsCode::of(os::PLATFORM, os::why_read_only(path).unwrap_or(DENIED)),
            };
            return Err(OpError::new(denied, "this process can only read the file"));
        }
        tries += 1;
        if tries == MAX_TRIES {
            return Err(in_use("another program keeps this process from writing to the file"));
        }
    };
    for suffix in ["-wal", "-shm", "-journal"] {
        let sidecar = sidecar(path, suffix);
        if let Some(raw) = os::why_read_only(&sidecar).filter(|_| os::exists(&sidecar)) {
            let denied = OpErrorKind::Denied { os: OsCode::of(os::PLATFORM, raw) };
            return Err(OpError::new(
                denied,
                format!("its {suffix}, {}, can only be read", sidecar.display()),
            ));
        }
    }
    on(&connection, pass_over_foreign_schema(&connection))?;
    // On macOS this is a flush that reaches the platter (`F_FULLFSYNC`). Elsewhere it changes
    // nothing (<https://www.sqlite.org/pragma.html#pragma_fullfsync>).
    on(
        &connection,
        connection.execute_batch("PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON"),
    )?;
    Ok(connection)
}

pub(crate) fn open_existing(path: &Path) -> Result<Connection> {
    open_to_write(path, OpenFlags::empty())
}

/// A `file:` URI of this path (<https://www.sqlite.org/uri.html>). Every byte but letters, digits
/// and a few signs is escaped.
pub(crate) fn uri(path: &Path, query: &str) -> String {
    use std::fmt::Write as _;
    let bytes = path.as_os_str().as_encoded_bytes();
    // SQLite removes the slash before `C:` or `\\?\`. Backslashes stay, because a path with `\\?\`
    // has no other separator.
    let mut uri = String::from(if cfg!(windows) { "file:///" } else { "file:" });
    for &byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b':' => {
                uri.push(char::from(byte));
            }
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri + "?" + query
}

pub(crate) fn sidecar(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(crate) fn has_bytes(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.len() > 0)
}

/// Size, identity, header and page 1 of a file that this process does not have open.
pub(crate) fn facts(path: &Path) -> std::io::Result<FileFacts> {
    use std::io::Read as _;
    let mut file = os::open_to_read(path)?;
    let file_id = os::open_file_id(&file)?;
    let size = file.metadata()?.len();
    let mut page = Vec::with_capacity(65536);
    file.by_ref().take(65536).read_to_end(&mut page)?;
    let header = Header::parse(&page).ok();
    let page1 =
        header.as_ref().and_then(|header| page.get(..header.page_size as usize)).map(page1_digest);
    Ok(FileFacts { size, file_id, header, page1 })
}

/// Opens a database to read it, and leaves its directory as it is.
///
/// A hot journal must be rolled back before anything can be read; any application that opens the
/// database does this too. If a database in WAL mode has no `-wal`, no connection is open, and
/// `immutable` keeps SQLite from making sidecars that a read-only connection cannot remove
/// (<https://www.sqlite.org/uri.html#uriimmutable>).
pub(crate) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    if has_journal(path) {
        roll_back(path)?;
    }
    if !os::exists(&sidecar(path, "-wal"))
        && facts(path).is_ok_and(|facts| {
            facts.header.is_some_and(|header| header.journal_mode == JournalMode::Wal)
        })
    {
        return open_installed(path);
    }
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    pass_over_foreign_schema(&connection)?;
    Ok(connection)
}

/// Whether the database has a rollback journal that is not empty.
pub(crate) fn has_journal(path: &Path) -> bool {
    has_bytes(&sidecar(path, "-journal"))
}

/// Lets SQLite roll back the transaction of a killed process, which its first read does.
pub(crate) fn roll_back(path: &Path) -> rusqlite::Result<()> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    pass_over_foreign_schema(&connection)?;
    connection
        .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))
        .map(drop)
}

/// Opens a settled database that no other process uses.
pub(crate) fn open_installed(path: &Path) -> rusqlite::Result<Connection> {
    let connection = installed(path)?;
    pass_over_foreign_schema(&connection)?;
    Ok(connection)
}

/// Opens a settled database that no other process uses. Reading fails if stock SQLite cannot parse
/// the whole schema.
pub(crate) fn installed(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    // With `immutable` SQLite opens no sidecar.
    regular(path, "")?;
    let connection = Connection::open_with_flags(uri(path, "immutable=1"), flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    Ok(connection)
}
