//! Checks what will be installed, and evaluates `Detect`.

use std::path::Path;

use cutover_core::{FileFacts, OpError, OpErrorKind, Verdict, counted};
use rusqlite::Connection;

use super::error::{Result, is_foreign_schema, on, os_fault};
use super::open::{facts, installed, open_to_read, pass_over_foreign_schema};
use super::settle::alone;
use crate::types::{Detect, Integrity};

pub(crate) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// Evaluates `Detect` by SQL. `None` for [`Detect::Host`].
pub(crate) fn detect(
    connection: &Connection,
    detect: &Detect,
) -> rusqlite::Result<Option<Verdict>> {
    match detect {
        Detect::Host => Ok(None),
        Detect::UserVersion(current) => {
            let found: i32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            Ok(Some(match found.cmp(current) {
                std::cmp::Ordering::Less => Verdict::Old,
                std::cmp::Ordering::Equal => Verdict::Current,
                std::cmp::Ordering::Greater => Verdict::Newer,
            }))
        }
        Detect::Stamp { table, column, value } => {
            let exists: bool = connection.query_row(
                "SELECT EXISTS (SELECT 1 FROM sqlite_master AS m, pragma_table_info(m.name) AS c \
                 WHERE m.type IN ('table', 'view') AND m.name = ?1 COLLATE NOCASE AND c.name = ?2 \
                 COLLATE NOCASE)",
                [table, column],
                |row| row.get(0),
            )?;
            if !exists {
                return Ok(Some(Verdict::Old));
            }
            let sql = format!(
                "SELECT EXISTS (SELECT 1 FROM {} WHERE CAST({} AS TEXT) = ?1)",
                quoted(table),
                quoted(column)
            );
            let stamped: bool = connection.query_row(&sql, [value], |row| row.get(0))?;
            Ok(Some(if stamped { Verdict::Current } else { Verdict::Old }))
        }
    }
}

/// Checks what will be installed. Returns its facts, and warnings about faults that v1 had already.
/// `verified`: whether the application checks it too, or checked it when it was installed before.
pub(crate) fn check(
    path: &Path,
    v1: &Path,
    integrity: Integrity,
    expect: &std::collections::BTreeMap<String, u64>,
    verified: bool,
) -> Result<(FileFacts, Vec<String>)> {
    let verify = |message: String| OpError::new(OpErrorKind::Verify, message);
    let failed =
        |error: rusqlite::Error| verify(format!("what was built cannot be checked: {error}"));
    if let Err(fault) = alone(path) {
        return Err(OpError { cause: OpErrorKind::Verify, ..fault });
    }
    let facts = facts(path).map_err(|error| os_fault(&error))?;
    if facts.page1.is_none() {
        return Err(verify(format!(
            "what was built is not a database ({})",
            counted(facts.size, "byte")
        )));
    }
    let v2 = installed(path).map_err(failed)?;
    let mut warnings = Vec::new();
    let mut how = Checked::Wholly(integrity);
    // SQLite parses and evaluates the schema's expressions, so this finds what only another SQLite
    // knows.
    if let Err(error) = damage(&v2, how) {
        if !is_foreign_schema(&error) {
            return Err(failed(error));
        }
        if !verified {
            let why = "the schema of what was built cannot be read by stock SQLite, so your own \
                       `verify` has to check it, but there is none";
            return Err(verify(format!("{why}: {error}")));
        }
        pass_over_foreign_schema(&v2).map_err(failed)?;
        how = Checked::ButIndexes;
        warnings.push(format!(
            "stock SQLite checked of v2 only what it can read, without its indexes; the rest was \
             left to `verify`: {error}"
        ));
    }
    if let Some(found) = damage(&v2, how).map_err(failed)? {
        // The copy of a damaged v1 is damaged too, and then v1 must be repaired. A backup that is
        // restored is compared with itself.
        let before = if v1 == path { None } else { damage_of(v1, how)? };
        return Err(match before {
            Some(found) => OpError::new(
                OpErrorKind::V1Corrupt,
                format!("the old database is damaged: {found}"),
            ),
            None => verify(format!("what was built is damaged: {found}")),
        });
    }
    // With an index that cannot be read, SQLite could count the index instead of the table.
    let indexes = if matches!(how, Checked::ButIndexes) { " NOT INDEXED" } else { "" };
    for (table, want) in expect {
        let found: i64 = v2
            .query_row(&format!("SELECT count(*) FROM {}{indexes}", quoted(table)), [], |row| {
                row.get(0)
            })
            .map_err(|error| {
                verify(format!(
                    "table {table}, which should have {}, cannot be counted: {error}",
                    counted(*want, "row")
                ))
            })?;
        let found = u64::try_from(found).unwrap_or_default();
        if found != *want {
            let found = counted(found, "row");
            let were = if *want == 1 { "was" } else { "were" };
            return Err(verify(format!("table {table} has {found}; {want} {were} expected")));
        }
    }
    let violations = foreign_key_violations(&v2).map_err(failed)?;
    if !violations.is_empty() {
        let before = {
            let v1 = open_to_read(v1)?;
            on(&v1, foreign_key_violations(&v1))?
        };
        // If v2 renames a table, the table keeps its violations under another name. So only their
        // total counts.
        let no_more = violations.values().sum::<u64>() <= before.values().sum();
        for ((table, parent), count) in violations {
            let known = before.get(&(table.clone(), parent.clone())).copied().unwrap_or(0);
            let text = format!(
                "{} of {table} {} to rows of {parent} that do not exist",
                counted(count, "row"),
                if count == 1 { "refers" } else { "refer" }
            );
            if count > known && !no_more {
                return Err(verify(format!("{text}; in the old database there were {known}")));
            }
            warnings.push(format!("{text}, as in the old database"));
        }
    }
    Ok((facts, warnings))
}

/// How far a database is checked.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Checked {
    Wholly(Integrity),
    /// Without the indexes: libSQL keeps the entries of its own elsewhere, so their number says
    /// nothing.
    ButIndexes,
}

fn damage_of(v1: &Path, how: Checked) -> Result<Option<String>> {
    let v1 = open_to_read(v1)?;
    on(&v1, damage(&v1, how))
}

/// The first damage that SQLite finds.
pub(crate) fn damage(db: &Connection, how: Checked) -> rusqlite::Result<Option<String>> {
    let (pragma, passed_over) = match how {
        Checked::Wholly(Integrity::Quick) => ("quick_check(1)", None),
        Checked::Wholly(Integrity::Full) => ("integrity_check(1)", None),
        Checked::ButIndexes => ("quick_check(1000)", Some("wrong # of entries in index ")),
    };
    let mut statement = db.prepare(&format!("PRAGMA {pragma}"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let found: String = row.get(0)?;
        if found != "ok" && passed_over.is_none_or(|start| !found.starts_with(start)) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

pub(crate) fn foreign_key_violations(
    db: &Connection,
) -> rusqlite::Result<std::collections::BTreeMap<(String, String), u64>> {
    let mut statement = db.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    let mut found = std::collections::BTreeMap::new();
    while let Some(row) = rows.next()? {
        *found.entry((row.get(0)?, row.get(2)?)).or_default() += 1;
    }
    Ok(found)
}
