//! Writes a v1 with rusqlite, as tests/corpus/seed.ts does with JavaScript: `seed PATH MODE
//! PAGE_SIZE`. The process always ends as if killed.

use rusqlite::Connection;

const V1: &str = include_str!("../../../corpus/v1.sql");
const MORE: &str = include_str!("../../../corpus/v1-more.sql");
const UNCOMMITTED: &str = include_str!("../../../corpus/v1-uncommitted.sql");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [path, mode, page_size] = args.as_slice() else {
        return Err("usage: seed PATH MODE PAGE_SIZE".into());
    };
    let journal_mode = if mode == "wal" { "WAL" } else { "DELETE" };
    let db = Connection::open(path)?;
    db.execute_batch(&format!(
        "PRAGMA page_size={page_size}; PRAGMA journal_mode={journal_mode}; {V1}"
    ))?;
    if mode == "wal" {
        db.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint=0;")?;
    }
    db.execute_batch(MORE)?;
    if mode == "hot" {
        db.execute_batch(&format!("BEGIN IMMEDIATE; {UNCOMMITTED}"))?;
    }
    cutover_tests::die()
}
