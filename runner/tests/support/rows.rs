//! The notes of a v1 or a v2, in their order.

use std::path::Path;

use rusqlite::Connection;

/// The texts in this table: `notes` is v1's, `note` v2's. A database that is not there is not made.
pub fn rows(path: &Path, table: &str) -> Vec<String> {
    let db = Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let column = if table == "note" { "body" } else { "text" };
    let mut statement = db.prepare(&format!("SELECT {column} FROM {table} ORDER BY id")).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}
