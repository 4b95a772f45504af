//! Checks what will be installed, and evaluates `Detect`.

use std::collections::BTreeMap;
use std::path::Path;

use cutover_core::{FileFacts, OpError, OpErrorKind, Verdict, counted};
use rusqlite::Connection;

use super::error::{Result, fault_on, os_fault, run, words};
use super::open::{facts, installed, open_strictly, pass_over_foreign_schema};
use super::settle::alone;
use super::soundness::{Fault, Findings, Open, examine, foreign_keys, quoted, stand_in};
use super::watch::Watch;
use crate::types::{Detect, Integrity};

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

/// What a file that will be installed is compared with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin<'a> {
    /// It is v2, made from a v1.
    Built {
        /// Where v1 is.
        v1: &'a Path,
        /// What a quick check of v1 found, if there was one.
        examined: Option<&'a Findings>,
        /// Whether the application checks v2 too, or checked it when it was installed before.
        verified: bool,
    },
    /// It is a copy of a backup: what is wrong in sound pages is the backup's own.
    Backup,
}

/// Checks what will be installed. Returns its facts, and warnings about what v1 had already and what
/// stock SQLite cannot read.
pub(crate) fn check(
    path: &Path,
    origin: Origin,
    integrity: Integrity,
    expect: &BTreeMap<String, u64>,
    watch: &Watch<'_>,
) -> Result<(FileFacts, Vec<String>)> {
    let verify = |message: String| OpError::new(OpErrorKind::Verify, message);
    let what = match origin {
        Origin::Built { .. } => "what was built",
        Origin::Backup => "the backup",
    };
    let failed = |fault: OpError| {
        if !is_of_content(&fault) {
            return fault;
        }
        verify(format!("{what} cannot be checked: {}", fault.message))
    };
    if let Err(fault) = alone(path) {
        return Err(OpError { cause: OpErrorKind::Verify, ..fault });
    }
    let facts = facts(path).map_err(|error| os_fault(&error))?;
    if facts.page1.is_none() {
        return Err(verify(format!("{what} is not a database ({})", counted(facts.size, "byte"))));
    }
    let open = || run(installed(path));
    let mut found = examine(&open, integrity, watch).map_err(failed)?;
    if let Some(damage) = found.damage {
        return Err(match origin {
            Origin::Backup => {
                OpError::new(OpErrorKind::V1Corrupt, format!("the backup is damaged: {damage}"))
            }
            // The copy of a damaged v1 is damaged too, and then v1 must be repaired.
            Origin::Built { v1, .. } => {
                match examine(&|| open_strictly(v1), integrity, watch)?.damage {
                    Some(damage) => damaged_v1(&damage),
                    None => verify(format!("what was built is damaged: {damage}")),
                }
            }
        });
    }
    foreign_keys(&open, &mut found, watch).map_err(failed)?;
    let mut warnings = Vec::new();
    if !found.unread.is_empty() {
        let names = found.unread_names();
        warnings.push(match origin {
            Origin::Backup => format!(
                "stock SQLite checked of the backup only what it can read; not checked: {names}"
            ),
            Origin::Built { verified: true, .. } => format!(
                "stock SQLite checked of v2 only what it can read; the rest was left to `verify`: \
                 {names}"
            ),
            Origin::Built { verified: false, .. } => {
                return Err(verify(format!(
                    "stock SQLite cannot read all of what was built, so your own `verify` has to \
                     check it, but there is none: {names}"
                )));
            }
        });
    }
    for (table, want) in expect {
        count(&open, table, *want, &found, watch)?;
    }
    match origin {
        Origin::Backup => {
            let told =
                |(fault, count): (&Fault, &u64)| format!("in the backup: {}", fault.tell(*count));
            warnings.extend(found.faults.iter().map(told));
        }
        Origin::Built { v1, examined, .. } if !found.faults.is_empty() => {
            let open = || open_strictly(v1);
            let mut before = match examined.filter(|_| integrity == Integrity::Quick) {
                Some(known) => Findings { faults: known.faults.clone(), ..Findings::default() },
                None => examine(&open, integrity, watch)?,
            };
            foreign_keys(&open, &mut before, watch)?;
            warnings.extend(no_more(&found.faults, &before.faults)?);
        }
        Origin::Built { .. } => {}
    }
    Ok((facts, warnings))
}

/// Whether a check failed because of what is in the file. Else the system kept SQLite from looking.
fn is_of_content(fault: &OpError) -> bool {
    matches!(fault.cause, OpErrorKind::Sqlite | OpErrorKind::V1Corrupt | OpErrorKind::NotADatabase)
}

/// The failure that names v1's damage.
pub(crate) fn damaged_v1(damage: &str) -> OpError {
    OpError::new(OpErrorKind::V1Corrupt, format!("the old database is damaged: {damage}"))
}

/// Compares the faults of v2 with those of v1, and refuses what v2 adds.
fn no_more(v2: &BTreeMap<Fault, u64>, v1: &BTreeMap<Fault, u64>) -> Result<Vec<String>> {
    let total = |of: &BTreeMap<Fault, u64>, kind: &str| -> u64 {
        of.iter().filter(|(fault, _)| fault.kind() == kind).map(|(_, count)| count).sum()
    };
    let told = v2.iter().map(|(fault, count)| {
        let known = v1.get(fault).copied().unwrap_or_default();
        // If v2 renames a table, the table keeps its faults under another name. So only their total
        // counts.
        let more = total(v2, fault.kind()) > total(v1, fault.kind());
        let text = fault.tell(*count);
        if *count > known && more {
            let were = if known == 1 { "was" } else { "were" };
            let text = format!("{text}; in the old database there {were} {known}");
            return Err(OpError::new(OpErrorKind::Verify, text));
        }
        Ok(format!("{text}, as in the old database"))
    });
    told.collect()
}

/// Compares the number of rows of a table with what the build expects.
fn count(open: &Open, table: &str, want: u64, found: &Findings, watch: &Watch<'_>) -> Result<()> {
    let verify = |message: String| OpError::new(OpErrorKind::Verify, message);
    let unread = !found.unread.is_empty();
    let v2 = open()?;
    let _watched = watch.over(&v2);
    let counts = || -> rusqlite::Result<i64> {
        if !unread {
            let sql = format!("SELECT count(*) FROM {}", quoted(table));
            return v2.query_row(&sql, [], |row| row.get(0));
        }
        // With an index that cannot be read, SQLite could count the index instead of the table.
        let sql = format!("SELECT count(*) FROM {} NOT INDEXED", quoted(table));
        pass_over_foreign_schema(&v2)?;
        stand_in(&v2, &sql)?;
        v2.query_row(&sql, [], |row| row.get(0))
    };
    let has = counts().map_err(|error| {
        let fault = fault_on(&v2, &error);
        if !is_of_content(&fault) {
            return fault;
        }
        let how = if unread {
            "; if only your own SQLite can read it, take it out of `expect` and count it in `verify`"
        } else {
            ""
        };
        verify(format!(
            "table {table}, which should have {}, cannot be counted: {}{how}",
            counted(want, "row"),
            words(&error)
        ))
    })?;
    let has = u64::try_from(has).unwrap_or_default();
    if has == want {
        return Ok(());
    }
    let were = if want == 1 { "was" } else { "were" };
    Err(verify(format!("table {table} has {}; {want} {were} expected", counted(has, "row"))))
}
