//! SQLite's temporary folder: where it sorts, and keeps what a statement needs for a while. It is
//! often on another volume than the database.

use std::path::{Path, PathBuf};

use cutover_core::{OpError, OpErrorKind, counted};
use rusqlite::{Connection, ErrorCode};

use crate::os;

/// The fault, if SQLite failed on its temporary folder.
pub(super) fn fault(connection: &Connection, error: &rusqlite::Error) -> Option<OpError> {
    let none = error
        .sqlite_error()
        .is_some_and(|error| error.extended_code == rusqlite::ffi::SQLITE_IOERR_GETTEMPPATH);
    if none {
        let tried: Vec<_> = candidates().iter().map(|path| path.display().to_string()).collect();
        let message = format!(
            "SQLite finds no folder for its temporary files: it can write to none of {}",
            tried.join(", ")
        );
        return Some(OpError::new(OpErrorKind::TemporaryFolder { full: false }, message));
    }
    let (folder, free) = full_folder(connection)
        .filter(|_| error.sqlite_error_code() == Some(ErrorCode::DiskFull))?;
    let message = format!(
        "SQLite's temporary folder {} is full: its volume has {} of free space, less than \
         SQLite needs to sort; the database's own volume has more",
        folder.display(),
        counted(free, "byte")
    );
    Some(OpError::new(OpErrorKind::TemporaryFolder { full: true }, message))
}

/// The temporary folder and its free space, if it must be what is full. SQLite does not tell which
/// file did not fit, and has removed it by now. Most of it is a copy of what the databases of the
/// connection hold: the database's volume has room for that, the folder's volume has not.
fn full_folder(connection: &Connection) -> Option<(PathBuf, u64)> {
    let database = PathBuf::from(connection.path()?);
    let beside = database.parent()?;
    let folder = folder()?;
    if is_one_volume(&folder, beside) {
        return None;
    }
    let free = os::free_bytes(&folder).ok()?;
    let needed = sizes(connection).ok()?;
    (free < needed && os::free_bytes(beside).is_ok_and(|beside| beside > free))
        .then_some((folder, free))
}

/// The sizes of all databases of a connection.
fn sizes(connection: &Connection) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare("SELECT file FROM pragma_database_list")?;
    let mut rows = statement.query([])?;
    let mut sum: u64 = 0;
    while let Some(row) = rows.next()? {
        let file: Option<String> = row.get(0)?;
        let size = file.and_then(|file| std::fs::metadata(file).ok()).map_or(0, |file| file.len());
        sum = sum.saturating_add(size);
    }
    Ok(sum)
}

/// The folders that SQLite tries, in its order (`unixTempFileDir` in `os_unix.c`).
fn candidates() -> Vec<PathBuf> {
    if cfg!(windows) {
        return vec![std::env::temp_dir()];
    }
    let set = ["SQLITE_TMPDIR", "TMPDIR"].into_iter().filter_map(std::env::var_os);
    set.map(PathBuf::from).chain(["/var/tmp", "/usr/tmp", "/tmp", "."].map(PathBuf::from)).collect()
}

fn folder() -> Option<PathBuf> {
    candidates().into_iter().find(|path| path.is_dir() && is_writable(path))
}

#[cfg(unix)]
fn is_writable(path: &Path) -> bool {
    use rustix::fs::Access;
    rustix::fs::access(path, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn is_writable(_: &Path) -> bool {
    true
}

#[cfg(unix)]
fn is_one_volume(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let device = |path: &Path| std::fs::metadata(path).map(|found| found.dev()).ok();
    device(a) == device(b)
}

#[cfg(not(unix))]
fn is_one_volume(a: &Path, b: &Path) -> bool {
    a.components().next() == b.components().next()
}
