//! The calls of SQLite's C interface that rusqlite does not have, or has in a form that panics. No
//! other file of the runner calls SQLite's C interface.

use std::ffi::{CStr, CString, c_char, c_int, c_void};

use rusqlite::{Connection, ffi};

#[cfg(unix)]
use crate::os;

/// The pragmas that only tell something, without an argument.
const TELLS: &[&[u8]] = &[
    b"application_id",
    b"auto_vacuum",
    b"cache_size",
    b"collation_list",
    b"compile_options",
    b"data_version",
    b"database_list",
    b"encoding",
    b"foreign_key_check",
    b"foreign_keys",
    b"freelist_count",
    b"function_list",
    b"integrity_check",
    b"journal_mode",
    b"journal_size_limit",
    b"max_page_count",
    b"module_list",
    b"page_count",
    b"page_size",
    b"pragma_list",
    b"query_only",
    b"quick_check",
    b"schema_version",
    b"table_list",
    b"user_version",
];

/// The pragmas whose argument is what they tell about.
const TELLS_OF: &[&[u8]] = &[
    b"foreign_key_check",
    b"foreign_key_list",
    b"index_info",
    b"index_list",
    b"index_xinfo",
    b"integrity_check",
    b"quick_check",
    b"table_info",
    b"table_list",
    b"table_xinfo",
];

/// Makes SQLite open nothing but regular files, so that it waits at no FIFO, reads from no device and
/// gives no other file its database's owner
/// (<https://www.sqlite.org/c3ref/vfs.html>, `xSetSystemCall`). It holds for every connection of this
/// SQLite in the process. A check before SQLite's own open would come too early: another process may
/// exchange the file, and SQLite opens a sidecar when it needs it.
#[cfg(unix)]
pub(crate) fn open_only_regular_files() {
    type Open = unsafe extern "C" fn(*const c_char, c_int, c_int) -> c_int;
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        // SAFETY: the name ends with NUL. A VFS of SQLite lives as long as the process.
        let vfs = unsafe { ffi::sqlite3_vfs_find(c"unix".as_ptr()) };
        // SAFETY: it is null or valid, and has this member from version 3 on.
        let set = unsafe { vfs.as_ref() }
            .filter(|vfs| vfs.iVersion >= 3)
            .and_then(|vfs| vfs.xSetSystemCall);
        let Some(set) = set else { return };
        // SAFETY: SQLite casts the pointer back to this type before it calls it (`osOpen` in
        // os_unix.c). The name ends with NUL, and SQLite keeps neither.
        unsafe {
            let open = std::mem::transmute::<Open, unsafe extern "C" fn()>(open_regular);
            set(vfs, c"open".as_ptr(), Some(open));
        }
    });
}

/// What SQLite calls instead of "open(2)". It fails with ENXIO at anything but a regular file, and for
/// root at a sidecar that is another file as well: as root SQLite gives a sidecar its database's
/// owner (`robustFchown` in `os_unix.c`).
#[cfg(unix)]
unsafe extern "C" fn open_regular(path: *const c_char, flags: c_int, mode: c_int) -> c_int {
    // SAFETY: SQLite gives a text that ends with NUL and lives as long as this call.
    let name = unsafe { CStr::from_ptr(path) };
    // SQLite reads the system's randomness, and opens the other to keep its number.
    if matches!(name.to_bytes(), b"/dev/urandom" | b"/dev/null") {
        // SAFETY: as above.
        return unsafe { libc::open(path, flags, mode) };
    }
    let gives_owner = os::sqlite_gives_owners() && is_sidecar(name.to_bytes());
    let refused = |found: &libc::stat| match found.st_mode & libc::S_IFMT {
        libc::S_IFREG => gives_owner && found.st_nlink > 1,
        // SQLite flushes directories, and is told of a link by the system.
        libc::S_IFDIR | libc::S_IFLNK => false,
        _ => true,
    };
    let follow = if flags & libc::O_NOFOLLOW == 0 { 0 } else { libc::AT_SYMLINK_NOFOLLOW };
    // SAFETY: a `stat` is numbers only, for which zero is a value.
    let mut found: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: the text is as above, and the structure is ours.
    if unsafe { libc::fstatat(libc::AT_FDCWD, path, &raw mut found, follow) } == 0
        && refused(&found)
    {
        return no_such_device();
    }
    // O_NONBLOCK has no effect on a regular file ("open(2)").
    // SAFETY: as above.
    let file = unsafe { libc::open(path, flags | libc::O_NONBLOCK, mode) };
    // SAFETY: the descriptor is open, and the structure is ours.
    if file >= 0 && unsafe { libc::fstat(file, &raw mut found) } == 0 && refused(&found) {
        // SAFETY: the descriptor is open, and only this function knows it.
        unsafe { libc::close(file) };
        return no_such_device();
    }
    file
}

/// Whether this is the name of a sidecar whose owner SQLite sets: there is a database of its name.
#[cfg(unix)]
fn is_sidecar(name: &[u8]) -> bool {
    use std::os::unix::ffi::OsStrExt as _;
    let database = [b"-wal".as_slice(), b"-journal"].iter().find_map(|end| name.strip_suffix(*end));
    database.is_some_and(|name| os::exists(std::ffi::OsStr::from_bytes(name).as_ref()))
}

/// Fails as a system call does, with ENXIO.
#[cfg(unix)]
fn no_such_device() -> c_int {
    #[cfg(target_vendor = "apple")]
    // SAFETY: the pointer is valid for this thread.
    unsafe {
        *libc::__error() = libc::ENXIO;
    }
    #[cfg(not(target_vendor = "apple"))]
    // SAFETY: the pointer is valid for this thread.
    unsafe {
        *libc::__errno_location() = libc::ENXIO;
    }
    -1
}

/// The system's error number behind the connection's last `SQLITE_IOERR` or `SQLITE_CANTOPEN`
/// (<https://www.sqlite.org/c3ref/system_errno.html>).
pub(crate) fn system_errno(connection: &Connection) -> Option<i32> {
    // SAFETY: the handle is open, and is used here only. The call reads one of its fields.
    let raw = unsafe { ffi::sqlite3_system_errno(connection.handle()) };
    (raw != 0).then_some(raw)
}

/// The system's error number of a call on the file of one of the connection's databases that failed
/// (<https://www.sqlite.org/c3ref/c_fcntl_begin_atomic_write.html>, `SQLITE_FCNTL_LAST_ERRNO`).
pub(crate) fn last_errno(connection: &Connection) -> Option<i32> {
    let names = (0..).map_while(|at| connection.db_name(at).ok());
    names.filter_map(|name| CString::new(name).ok()).find_map(|name| {
        let mut raw: c_int = 0;
        // SAFETY: the handle is open, and is used here only. The name ends with NUL. SQLite writes
        // one number, which is ours.
        let code = unsafe {
            ffi::sqlite3_file_control(
                connection.handle(),
                name.as_ptr(),
                ffi::SQLITE_FCNTL_LAST_ERRNO,
                (&raw mut raw).cast::<c_void>(),
            )
        };
        (code == ffi::SQLITE_OK && raw != 0).then_some(raw)
    })
}

/// Makes a connection know no module of virtual tables, so that it reads their tables as plain ones
/// (<https://www.sqlite.org/c3ref/drop_modules.html>).
pub(crate) fn drop_modules(connection: &Connection) {
    // SAFETY: the handle is open, and is used here only. Null keeps no module. The call fails only
    // for a handle that is not open.
    unsafe { ffi::sqlite3_drop_modules(connection.handle(), std::ptr::null_mut()) };
}

/// Lets a connection compile only what reads its database
/// (<https://www.sqlite.org/c3ref/set_authorizer.html>). A read-only connection alone would still
/// write to files that it attaches, as `VACUUM INTO` does, and to temporary tables.
pub(crate) fn only_read(connection: &Connection) -> rusqlite::Result<()> {
    // SAFETY: the handle is open, and is used here only. The callback has no state, so it may
    // outlive everything, and it does not unwind.
    let code = unsafe {
        ffi::sqlite3_set_authorizer(connection.handle(), Some(may_read), std::ptr::null_mut())
    };
    if code == ffi::SQLITE_OK {
        return Ok(());
    }
    Err(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None))
}

/// SQLite calls this for each thing that a statement would do, while it compiles the statement.
unsafe extern "C" fn may_read(
    _: *mut c_void,
    action: c_int,
    first: *const c_char,
    second: *const c_char,
    database: *const c_char,
    _: *const c_char,
) -> c_int {
    // SAFETY: SQLite gives null, or a text that ends with NUL and lives as long as this call.
    let text =
        |of: *const c_char| (!of.is_null()).then(|| unsafe { CStr::from_ptr(of) }.to_bytes());
    let is_in = |list: &[&[u8]]| {
        text(first).is_some_and(|name| list.iter().any(|known| known.eq_ignore_ascii_case(name)))
    };
    let allowed = match action {
        ffi::SQLITE_SELECT
        | ffi::SQLITE_READ
        | ffi::SQLITE_FUNCTION
        | ffi::SQLITE_RECURSIVE
        | ffi::SQLITE_TRANSACTION
        | ffi::SQLITE_SAVEPOINT => true,
        ffi::SQLITE_PRAGMA => is_in(if second.is_null() { TELLS } else { TELLS_OF }),
        // An R-tree compiles its writes before its first read. The database itself is open
        // read-only, so that SQLite refuses to run them.
        ffi::SQLITE_INSERT | ffi::SQLITE_UPDATE | ffi::SQLITE_DELETE => {
            text(database) == Some(b"main".as_slice())
        }
        _ => false,
    };
    if allowed { ffi::SQLITE_OK } else { ffi::SQLITE_DENY }
}

/// What SQLite asks while a connection works, until this is dropped.
pub(crate) struct OnProgress<'a> {
    connection: &'a Connection,
    // SQLite has its address.
    _asked: Box<Asked<'a>>,
}

struct Asked<'a> {
    /// The handle itself: while rusqlite prepares a statement, it gives the handle to no one, and
    /// panics. SQLite asks meanwhile, too, when it reads a long schema.
    handle: *mut ffi::sqlite3,
    must_stop: Box<dyn Fn(u64) -> bool + 'a>,
}

/// Makes SQLite ask every so many instructions whether it must stop. It passes how many pages the
/// connection has read from its files. `must_stop` must not panic
/// (<https://www.sqlite.org/c3ref/progress_handler.html>).
pub(crate) fn on_progress<'a>(
    connection: &'a Connection,
    instructions: c_int,
    must_stop: Box<dyn Fn(u64) -> bool + 'a>,
) -> OnProgress<'a> {
    // SAFETY: the handle is open, and used only until the drop below, which the borrow of the
    // connection outlives.
    let handle = unsafe { connection.handle() };
    let asked = Box::new(Asked { handle, must_stop });
    let address = std::ptr::from_ref::<Asked<'a>>(&asked).cast_mut().cast::<c_void>();
    // SAFETY: the handle is open, and the address is valid until the drop below takes it back.
    unsafe {
        ffi::sqlite3_progress_handler(handle, instructions, Some(ask), address);
    }
    OnProgress { connection, _asked: asked }
}

impl Drop for OnProgress<'_> {
    fn drop(&mut self) {
        // SAFETY: the handle is open, because the connection is borrowed.
        unsafe {
            let handle = self.connection.handle();
            ffi::sqlite3_progress_handler(handle, 0, None, std::ptr::null_mut());
        }
    }
}

unsafe extern "C" fn ask(asked: *mut c_void) -> c_int {
    // SAFETY: the address that `on_progress` passed, on the thread that uses the connection.
    let asked = unsafe { &*asked.cast::<Asked<'_>>() };
    c_int::from((asked.must_stop)(pages_read(asked.handle)))
}

/// `SQLITE_DBSTATUS_CACHE_MISS` (<https://www.sqlite.org/c3ref/c_dbstatus_options.html>).
fn pages_read(handle: *mut ffi::sqlite3) -> u64 {
    let (mut missed, mut most) = (0, 0);
    // SAFETY: the handle is open, and the numbers are ours. The call reads counters.
    unsafe {
        ffi::sqlite3_db_status(
            handle,
            ffi::SQLITE_DBSTATUS_CACHE_MISS,
            &raw mut missed,
            &raw mut most,
            0,
        );
    }
    u64::try_from(missed).unwrap_or_default()
}
