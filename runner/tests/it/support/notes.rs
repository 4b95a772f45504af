//! A small database of notes, as v1 and as v2 have them.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::path::Path;

use rusqlite::Connection;

pub const NOTES: [&str; 3] = ["milk", "bread", "a new bicycle"];
pub const V1: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
    INSERT INTO notes (text) VALUES ('milk'), ('bread'), ('a new bicycle');";
pub const TO_V2: &str = "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
    INSERT INTO note SELECT id, text FROM v1.notes;
    PRAGMA user_version = 2;";

/// The texts in this table in order: `notes` is v1's, `note` is v2's. A database that does not
/// exist is not made.
pub fn rows(path: &Path, table: &str) -> Vec<String> {
    let db =
        Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let column = if table == "note" { "body" } else { "text" };
    let mut statement = db.prepare(&format!("SELECT {column} FROM {table} ORDER BY id")).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}
