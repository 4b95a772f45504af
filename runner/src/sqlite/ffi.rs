//! The calls of SQLite's C interface that rusqlite does not have, or has in a form that panics. No
//! other file of the runner calls SQLite's C interface.

use std::ffi::{CStr, c_char, c_int, c_void};

use rusqlite::{Connection, ffi};

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

/// The system's error number behind the connection's last `SQLITE_IOERR` or `SQLITE_CANTOPEN`
/// (<https://www.sqlite.org/c3ref/system_errno.html>).
pub(crate) fn system_errno(connection: &Connection) -> Option<i32> {
    // SAFETY: the handle is open, and is used here only. The call reads one of its fields.
    let raw = unsafe { ffi::sqlite3_system_errno(connection.handle()) };
    (raw != 0).then_some(raw)
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
