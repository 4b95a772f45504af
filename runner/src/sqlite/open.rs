//! Opens databases, and reads what their files say.

use std::path::Path;
use std::time::Duration;

use cutover_core::{
    FileFacts, HEADER_BYTES, Header, JournalMode, OpError, OpErrorKind, OsCode, page1_digest,
};
use rusqlite::{Connection, OpenFlags};

use super::error::{DENIED, Result, fault_of_reading, in_use, on, run};
use super::regular::{all_regular, regular, sidecar};
use crate::os;

/// Opens a connection without SQLite's own waiting: the plan waits, within its one budget, and
/// reports it.
pub(crate) fn open(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    all_regular(path)?;
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let opened = connect(path, flags);
    // Another process may have put something there meanwhile.
    opened.or_else(|error| all_regular(path).and(Err(error)))
}

/// SQLite itself follows no symbolic link (`SQLITE_OPEN_NOFOLLOW`; its sidecars: `O_NOFOLLOW` in
/// `os_unix.c`).
fn connect(path: impl AsRef<Path>, flags: OpenFlags) -> rusqlite::Result<Connection> {
    #[cfg(unix)]
    super::ffi::open_only_regular_files();
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    Ok(connection)
}

/// Makes a connection ignore what it cannot parse in a schema that another SQLite wrote
/// (<https://www.sqlite.org/pragma.html#pragma_writable_schema>). Pages, log and the other tables
/// can be read without it.
pub(crate) fn pass_over_foreign_schema(connection: &Connection) -> rusqlite::Result<()> {
    // Afterwards SQLite opens even a file that is shorter than its header says, and corrects the
    // header with the next commit (`lockBtree` in btree.c). So a read comes first, which refuses it.
    connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))?;
    connection.execute_batch("PRAGMA writable_schema = ON")
}

/// How many times a database is opened that a passing handle of another program keeps read-only.
const MAX_TRIES: u32 = 10;

/// Opens a database to lock it. It refuses a database that can only be read: SQLite would fall back
/// to reading, and "BEGIN EXCLUSIVE" would take a shared lock only.
///
/// It refuses a read-only sidecar as well. A reader of a read-only database in WAL mode leaves a
/// read-only `-shm` (`findCreateFileMode` in `os_unix.c`), which stays read-only.
pub(crate) fn open_to_lock(path: &Path, more: OpenFlags) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | more;
    let mut tries = 0;
    let connection = loop {
        let connection = run(open(path, flags))?;
        if !on(&connection, connection.is_readonly(rusqlite::MAIN_DB))? {
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
        if os::exists(&sidecar)
            && let Some(raw) = os::why_read_only(&sidecar)
        {
            let denied = OpErrorKind::Denied { os: OsCode::of(os::PLATFORM, raw) };
            return Err(OpError::new(
                denied,
                format!("its {suffix}, {}, can only be read", sidecar.display()),
            ));
        }
    }
    Ok(connection)
}

/// Opens a database to change it.
pub(crate) fn open_existing(path: &Path) -> Result<Connection> {
    let connection = open_to_lock(path, OpenFlags::empty())?;
    on(&connection, pass_over_foreign_schema(&connection))?;
    // On macOS this is a flush that reaches the platter (`F_FULLFSYNC`). Elsewhere it changes
    // nothing (<https://www.sqlite.org/pragma.html#pragma_fullfsync>).
    on(
        &connection,
        connection.execute_batch("PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON"),
    )?;
    Ok(connection)
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

/// The size of a file, without opening it. `None` if it is not there.
pub(crate) fn bytes(path: &Path) -> Option<u64> {
    std::fs::symlink_metadata(path).ok().map(|metadata| metadata.len())
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

/// A descriptor of a database, open beside a connection, to read the file while the connection holds
/// the lock.
#[derive(Debug)]
pub(crate) struct HeldFile {
    file: std::fs::File,
    file_id: String,
}

impl HeldFile {
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let file = os::open_to_read(path)?;
        Ok(Self { file_id: os::open_file_id(&file)?, file })
    }

    pub(crate) fn file(&mut self) -> &mut std::fs::File {
        &mut self.file
    }

    /// Size and header as they are now.
    pub(crate) fn facts(&self) -> std::io::Result<FileFacts> {
        let mut header = [0; HEADER_BYTES];
        os::read_at(&self.file, &mut header)?;
        let size = self.file.metadata()?.len();
        Ok(FileFacts {
            size,
            file_id: self.file_id.clone(),
            header: Header::parse(&header).ok(),
            page1: None,
        })
    }
}

/// Size, identity and header of a file that this process does not have open.
pub(crate) fn glance(path: &Path) -> std::io::Result<FileFacts> {
    HeldFile::open(path)?.facts()
}

/// Opens a database to read it, and leaves its directory as it is.
///
/// A hot journal must be rolled back before anything can be read; any application that opens the
/// database does this too. If a database in WAL mode has no `-wal`, no connection is open, and
/// `immutable` keeps SQLite from making sidecars that a read-only connection cannot remove
/// (<https://www.sqlite.org/uri.html#uriimmutable>).
pub(crate) fn open_to_read(path: &Path) -> Result<Connection> {
    let connection = open_strictly(path)?;
    lenient(connection, path)
}

/// Opens as [`open_to_read`] does. Reading fails if stock SQLite cannot parse the whole schema.
pub(crate) fn open_strictly(path: &Path) -> Result<Connection> {
    if has_journal(path) {
        roll_back(path)?;
    }
    let mode = glance(path).ok().and_then(|facts| Some(facts.header?.journal_mode));
    open_strictly_in(path, mode)
}

/// [`open_to_read`] of a database whose header was just read, and that has no hot journal. It begins
/// a transaction, so that SQLite locks the file once for all that is read of it.
pub(crate) fn open_to_read_in(path: &Path, mode: Option<JournalMode>) -> Result<Connection> {
    let connection = open_strictly_in(path, mode)?;
    on(&connection, connection.execute_batch("BEGIN"))?;
    lenient(connection, path)
}

fn lenient(connection: Connection, path: &Path) -> Result<Connection> {
    pass_over_foreign_schema(&connection)
        .map_err(|error| fault_of_reading(path, &error, Some(&connection)))?;
    Ok(connection)
}

fn open_strictly_in(path: &Path, mode: Option<JournalMode>) -> Result<Connection> {
    if mode == Some(JournalMode::Wal) && !os::exists(&sidecar(path, "-wal")) {
        return installed(path).map_err(|error| fault_of_reading(path, &error, None));
    }
    open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(|error| fault_of_reading(path, &error, None))
}

/// Opens a settled v1 beside connections of this process. It opens the file through SQLite alone:
/// on POSIX closing any other descriptor drops the locks of those connections.
pub(crate) fn open_beside(path: &Path) -> Result<Connection> {
    run(open(path, OpenFlags::SQLITE_OPEN_READ_ONLY))
}

/// Whether the database has a rollback journal that is not empty.
pub(crate) fn has_journal(path: &Path) -> bool {
    bytes(&sidecar(path, "-journal")) > Some(0)
}

/// Lets SQLite roll back the transaction of a killed process, which its first read does.
pub(crate) fn roll_back(path: &Path) -> Result<()> {
    let connection = run(open(path, OpenFlags::SQLITE_OPEN_READ_WRITE))?;
    on(&connection, pass_over_foreign_schema(&connection))?;
    let read =
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0));
    // The journal may be no regular file any more.
    let read = read.or_else(|error| all_regular(path).and(Err(error)));
    on(&connection, read).map(drop)
}

/// Opens a settled database that no other process uses.
pub(crate) fn open_installed(path: &Path) -> Result<Connection> {
    let connection = run(installed(path))?;
    on(&connection, pass_over_foreign_schema(&connection))?;
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
    connect(uri(path, "immutable=1"), flags)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;

    /// As if another process put it there after the check. SQLite would wait at the FIFO for ever,
    /// read the device without an end, and give the other file the database's owner.
    #[test]
    fn sqlite_itself_opens_no_file_that_is_not_regular() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.db");
        let [wal, journal] = ["-wal", "-journal"].map(|suffix| sidecar(&path, suffix));
        let makes = |program: &str, path: &Path, more: &[&str]| {
            let mut command = std::process::Command::new(program);
            command.arg(path).args(more).output().unwrap().status.success()
        };
        let begin = || {
            let db = connect(&path, OpenFlags::default())?;
            db.execute_batch("CREATE TABLE t (x); DROP TABLE t")
        };
        for device in [false, true] {
            for name in [&path, &wal, &journal] {
                if name != &path {
                    let mode = if *name == wal { "WAL" } else { "DELETE" };
                    let sql =
                        format!("PRAGMA journal_mode = {mode}; CREATE TABLE IF NOT EXISTS u (x)");
                    connect(&path, OpenFlags::default()).unwrap().execute_batch(&sql).unwrap();
                }
                let put = if device {
                    // `/dev/zero` by another name. Only root may make it.
                    makes("mknod", name, &["c", "1", "5"])
                } else {
                    makes("mkfifo", name, &[])
                };
                if !put {
                    continue;
                }
                let error = begin().unwrap_err();
                assert!(error.to_string().contains("unable to open"), "{name:?}: {error}");
                std::fs::remove_file(name).unwrap();
                begin().unwrap();
                std::fs::remove_file(&path).unwrap();
            }
        }
    }

    #[test]
    fn as_root_sqlite_gives_no_other_file_the_databases_owner() {
        if !os::sqlite_gives_owners() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let [path, secret] = ["data.db", "secret"].map(|name| directory.path().join(name));
        connect(&path, OpenFlags::default()).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        std::os::unix::fs::chown(&path, Some(5001), Some(6000)).unwrap();
        std::fs::write(&secret, "x").unwrap();
        std::fs::hard_link(&secret, sidecar(&path, "-journal")).unwrap();
        let told = open_existing(&path).unwrap_err();
        assert_eq!(told.cause, OpErrorKind::Irregular);
        assert!(told.message.contains("-journal: it is a hard link to another file"), "{told:?}");
        // As if it was made after the check.
        let db = connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        db.execute_batch("INSERT INTO t VALUES (1)").unwrap_err();
        let found = std::fs::metadata(&secret).unwrap();
        assert_eq!((found.uid(), std::fs::read(&secret).unwrap()), (0, b"x".to_vec()));
    }
}
