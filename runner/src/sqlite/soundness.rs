//! What SQLite says of a whole database: its damage, what is wrong in sound pages, and what stock
//! SQLite cannot read.
//!
//! A check must not fail as a whole where only another SQLite knows a collation, a function, a
//! tokenizer, a module or the syntax of a table. So plain tables are checked without the modules of
//! virtual tables, each virtual table is asked alone, and stand-ins take the place of collations and
//! functions. What a stand-in makes wrong is not told.

use std::collections::BTreeMap;

use cutover_core::{OpErrorKind, counted};
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OptionalExtension as _};

use super::error::{Result, fault_on, is_damage, is_foreign_schema, on, words};
use super::ffi::drop_modules;
use super::open::pass_over_foreign_schema;
use super::watch::{Watch, stopped};
use crate::types::Integrity;

/// How many problems SQLite names at most. There is one for each row that is wrong.
const MOST_PROBLEMS: u32 = 100_000;
/// How many names a message lists.
const MOST_NAMES: usize = 10;
/// Opens the database to check; it is opened more than once.
pub(crate) type Open<'a> = dyn Fn() -> Result<Connection> + 'a;

/// What SQLite says of a whole database.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// The first damage of pages, b-trees or indexes.
    pub damage: Option<String>,
    /// What is wrong in sound pages, and how often.
    pub faults: BTreeMap<Fault, u64>,
    /// What stock SQLite cannot read, and why.
    pub unread: BTreeMap<String, String>,
}

/// What is wrong in sound pages. The application put it there, or another SQLite.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// A row that a constraint or a type forbids.
    Row { what: String, at: String },
    /// A row that refers to a row that does not exist.
    Orphan { table: String, parent: String },
    /// A foreign key that refers to columns that are no key.
    Mismatch { table: String, what: String },
    /// The own index of a virtual table, which SQLite does not find right.
    Index { table: String, what: String },
}

impl Fault {
    /// What it is wherever it is: a table may have another name in v2.
    pub(crate) fn kind(&self) -> &str {
        match self {
            Self::Row { what, .. } => what,
            Self::Orphan { .. } => "orphan",
            Self::Mismatch { .. } => "mismatch",
            Self::Index { .. } => "index",
        }
    }

    /// A sentence that names the table and the count.
    pub(crate) fn tell(&self, count: u64) -> String {
        let rows = counted(count, "row");
        match self {
            Self::Row { what, at } => format!("{rows}: {what} in {at}"),
            Self::Orphan { table, parent } => format!(
                "{rows} of {table} {} to rows of {parent} that do not exist",
                if count == 1 { "refers" } else { "refer" }
            ),
            Self::Mismatch { table, what } => {
                format!("1 foreign key of {table} cannot be checked: {what}")
            }
            Self::Index { table, what } => {
                format!("1 index, that of the virtual table {table}, is not right: {what}")
            }
        }
    }

    /// The fault that this line of a check names. `None` for damage.
    fn of_line(line: &str) -> Option<Self> {
        let row = |what: &str, at: &str| Some(Self::Row { what: what.into(), at: at.into() });
        if line.starts_with("index ") && line.contains(" stores an imprecise floating-point value")
        {
            let index = line.split(" stores ").next().unwrap_or(line);
            return row("imprecise floating-point value", index);
        }
        let (what, at) = line.split_once(" in ")?;
        let is_of_row = what == "non-unique entry"
            // NULL, NUMERIC, TEXT, and non-INTEGER and the like in a STRICT table.
            || what.strip_suffix(" value").is_some_and(|kind| !kind.contains(' '));
        if is_of_row { row(what, at) } else { None }
    }
}

/// Checks a database that `open` opens strictly, so that reading fails if the schema cannot be
/// parsed.
///
/// # Errors
/// If SQLite could not check: the file is in use, cannot be read or is no database, or `watch` was
/// stopped.
pub(crate) fn examine(open: &Open, integrity: Integrity, watch: &Watch<'_>) -> Result<Findings> {
    let db = open()?;
    let watched = watch.over_check(&db);
    drop_modules(&db);
    watch.set_page_size(&db);
    let pragma = format!("PRAGMA {}({MOST_PROBLEMS})", name_of(integrity));
    let mut found = Findings::default();
    let first = read(&db, &pragma, &mut found, &Foreign::default());
    let foreign = first.as_ref().is_err_and(is_foreign_schema);
    let said = first.as_ref().err().filter(|_| foreign).map(words);
    match first {
        Err(error) if is_damage(&db, &error) => found.damage = Some(words(&error)),
        Err(error) if !foreign => return on(&db, Err(error)),
        Ok(()) | Err(_) => {}
    }
    // Without its function an index seems to lack entries.
    if foreign || found.damage.is_some() {
        let seen = Foreign::of(&db);
        let seen = if found.damage.is_some() { seen.unwrap_or_default() } else { on(&db, seen)? };
        if foreign || !seen.unread.is_empty() {
            found = Findings { unread: seen.unread.clone(), ..Findings::default() };
            if let (Some(said), true) = (said, found.unread.is_empty()) {
                // SQLite tells the name of the first, and may have passed over the rest of it.
                let (name, why) = said
                    .strip_prefix("malformed database schema (")
                    .and_then(|rest| rest.split_once(") - "))
                    .unwrap_or(("its schema", &said));
                found.unread.insert(name.into(), why.into());
            }
            if let Some(name) = on(&db, beyond_the_end(&db))? {
                found.damage = Some(format!("{name} has a root page that the file does not have"));
                return Ok(found);
            }
            let stood_in = stand_in(&db, &pragma);
            match stood_in.and_then(|()| read(&db, &pragma, &mut found, &seen)) {
                Ok(()) => {}
                Err(error) if is_damage(&db, &error) => found.damage = Some(words(&error)),
                Err(error) if is_foreign_schema(&error) => {
                    found.unread.insert("the other tables".into(), words(&error));
                }
                Err(error) => return on(&db, Err(error)),
            }
        }
    }
    drop(watched);
    drop(db);
    if found.damage.is_none() {
        let db = open()?;
        let _watched = watch.over(&db);
        on(&db, pass_over_foreign_schema(&db))?;
        on(&db, virtual_tables(&db, &mut found))?;
    }
    Ok(found)
}

/// Counts the tables of a sound database, and their rows. Tables of SQLite's own and those in which
/// a virtual table keeps its index do not count. Nothing where SQLite cannot read one of them.
///
/// # Errors
/// If `watch` was stopped, or the file cannot be opened.
pub(crate) fn count(open: &Open, watch: &Watch<'_>) -> Result<Option<(u64, u64)>> {
    let sql = "SELECT name, name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND \
               name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
    let db = open()?;
    let _watched = watch.over(&db);
    let counted = || -> rusqlite::Result<(u64, u64)> {
        let (mut tables, mut rows) = (0, 0_u64);
        for (table, _) in pairs::<String>(&db, sql)? {
            let sql = format!("SELECT count(*) FROM {}", quoted(&table));
            let count: i64 = db.query_row(&sql, [], |row| row.get(0))?;
            rows = rows.saturating_add(u64::try_from(count).unwrap_or_default());
            tables += 1;
        }
        Ok((tables, rows))
    };
    match counted() {
        Err(_) if watch.is_stopped() => Err(stopped()),
        counted => Ok(counted.ok()),
    }
}

pub(crate) fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

fn name_of(integrity: Integrity) -> &'static str {
    match integrity {
        Integrity::Quick => "quick_check",
        Integrity::Full => "integrity_check",
    }
}

/// Reads what a check says, up to the first damage, which is the error.
fn read(
    db: &Connection,
    pragma: &str,
    found: &mut Findings,
    foreign: &Foreign,
) -> rusqlite::Result<()> {
    let mut statement = db.prepare(pragma)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let said = String::from_utf8_lossy(row.get_ref(0)?.as_bytes()?).into_owned();
        let lines = said.lines().filter(|line| *line != "ok" && !line.starts_with("*** in "));
        for line in lines.filter(|line| !foreign.explains(line)) {
            let Some(fault) = Fault::of_line(line) else {
                return Err(corrupt(line));
            };
            *found.faults.entry(fault).or_default() += 1;
        }
    }
    Ok(())
}

/// What a check says is wrong, as SQLite's error: the disk may have kept a page from it.
fn corrupt(line: &str) -> rusqlite::Error {
    let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(corrupt, Some(line.into()))
}

/// What stock SQLite cannot read of a schema.
#[derive(Debug, Default)]
struct Foreign {
    /// Tables and indexes, and why.
    unread: BTreeMap<String, String>,
    /// Every index of those tables, and whether an expression is in it.
    indexes: BTreeMap<String, bool>,
    /// Whether the schema lacks a table or an index that has pages.
    lacks: bool,
}

impl Foreign {
    /// Finds the tables whose check SQLite cannot compile, and what it could not parse.
    fn of(db: &Connection) -> rusqlite::Result<Self> {
        pass_over_foreign_schema(db)?;
        let mut seen = Self::default();
        let why = "stock SQLite cannot parse it";
        for (sql, is_table) in [
            (
                "SELECT name, EXISTS (SELECT 1 FROM pragma_table_xinfo(m.name)) FROM sqlite_master \
                 AS m WHERE type = 'table' AND rootpage > 0",
                true,
            ),
            (
                "SELECT name, EXISTS (SELECT 1 FROM pragma_index_xinfo(m.name)) FROM sqlite_master \
                 AS m WHERE type = 'index'",
                false,
            ),
        ] {
            for (name, is_known) in pairs::<bool>(db, sql)? {
                if !is_known {
                    seen.lacks = true;
                    seen.unread.insert(name, why.into());
                } else if is_table {
                    let check = format!("PRAGMA integrity_check({})", quoted(&name));
                    if let Err(error) = db.prepare(&check).map(drop) {
                        if !is_foreign_schema(&error) {
                            return Err(error);
                        }
                        seen.unread.insert(name, words(&error));
                    }
                }
            }
        }
        let sql = "SELECT i.name, m.name, EXISTS (SELECT 1 FROM pragma_index_xinfo(i.name) WHERE \
                   cid = -2) FROM sqlite_master AS m, pragma_index_list(m.name) AS i WHERE m.type = \
                   'table' AND m.rootpage > 0";
        let mut statement = db.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if seen.unread.contains_key(&row.get::<_, String>(1)?) {
                seen.indexes.insert(row.get(0)?, row.get(2)?);
            }
        }
        Ok(seen)
    }

    /// Whether this line may be true of a sound database, because of what cannot be read.
    fn explains(&self, line: &str) -> bool {
        if self.unread.is_empty() {
            return false;
        }
        if line.ends_with(": never used") || line.starts_with("max rootpage ") {
            return self.lacks;
        }
        if let Some(index) = line.strip_prefix("wrong # of entries in index ") {
            return self.indexes.get(index).copied().unwrap_or_default();
        }
        if let Some((_, index)) = line.rsplit_once(" index ") {
            return self.indexes.contains_key(index);
        }
        if let Some((_, table)) = line.split_once("row not in PRIMARY KEY order for ") {
            return self.unread.contains_key(table);
        }
        line.split_once(" in ").is_some_and(|(_, at)| {
            self.unread.keys().any(|table| {
                at.strip_prefix(table.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        })
    }
}

/// A table or an index whose root page is behind the last page: a schema that SQLite passes over may
/// have one.
fn beyond_the_end(db: &Connection) -> rusqlite::Result<Option<String>> {
    let sql = "SELECT name FROM sqlite_master WHERE rootpage > (SELECT page_count FROM \
               pragma_page_count)";
    db.query_row(sql, [], |row| row.get(0)).optional()
}

fn pairs<T: rusqlite::types::FromSql>(
    db: &Connection,
    sql: &str,
) -> rusqlite::Result<Vec<(String, T)>> {
    let mut statement = db.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

/// Gives the connection a stand-in for each collation and function that this statement lacks.
pub(crate) fn stand_in(db: &Connection, sql: &str) -> rusqlite::Result<()> {
    let mut last = String::new();
    loop {
        let Err(error) = db.prepare(sql).map(drop) else { return Ok(()) };
        let said = words(&error);
        let lacks = |start: &str| Some(said.split_once(start)?.1.trim_end_matches("()"));
        let function = lacks("no such function: ").or_else(|| lacks("unknown function: "));
        if said == last {
            return Err(error);
        }
        if let Some(name) = lacks("no such collation sequence: ") {
            db.create_collation(name, |a: &str, b: &str| a.cmp(b))?;
        } else if let Some(name) = function {
            let flags = FunctionFlags::SQLITE_UTF8
                | FunctionFlags::SQLITE_DETERMINISTIC
                | FunctionFlags::SQLITE_INNOCUOUS;
            db.create_scalar_function(name, -1, flags, |_| Ok(rusqlite::types::Null))?;
        } else {
            return Err(error);
        }
        last = said;
    }
}

/// Asks each virtual table about its own index.
fn virtual_tables(db: &Connection, found: &mut Findings) -> rusqlite::Result<()> {
    let sql = "SELECT name, rootpage FROM sqlite_master WHERE type = 'table' AND \
               coalesce(rootpage, 0) = 0";
    for (table, _) in pairs::<Option<i64>>(db, sql)? {
        let name = quoted(&table);
        let asked = db.prepare(&format!("SELECT * FROM {name}")).and_then(|_| {
            let mut statement = db.prepare(&format!("PRAGMA quick_check({name})"))?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            let said = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            said.iter().find(|said| *said != "ok").map_or(Ok(()), |said| Err(corrupt(said)))
        });
        let said = match asked {
            Ok(()) => continue,
            Err(error) if is_found(db, &error) => words(&error),
            // A module says in its own words what it lacks, such as a tokenizer, or says nothing.
            Err(error) if is_of_module(&error) => {
                found.unread.insert(table, words(&error));
                continue;
            }
            Err(error) => return Err(error),
        };
        let what = said.lines().collect::<Vec<_>>().join(" ");
        *found.faults.entry(Fault::Index { table, what }).or_default() += 1;
    }
    Ok(())
}

/// Whether this is what SQLite found in pages that the disk gave.
fn is_found(db: &Connection, error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt)
        && !matches!(fault_on(db, error).cause, OpErrorKind::Os { .. })
}

fn is_of_module(error: &rusqlite::Error) -> bool {
    // The general `SQLITE_ERROR`.
    is_foreign_schema(error) || error.sqlite_error_code() == Some(rusqlite::ErrorCode::Unknown)
}

/// Finds the foreign keys that do not hold.
///
/// # Errors
/// SQLite's own.
pub(crate) fn foreign_keys(open: &Open, found: &mut Findings, watch: &Watch<'_>) -> Result<()> {
    let db = open()?;
    let _watched = watch.over(&db);
    on(&db, pass_over_foreign_schema(&db))?;
    let mut all = BTreeMap::new();
    if on_keys(&db, "PRAGMA foreign_key_check", &mut all).is_ok() {
        found.faults.append(&mut all);
        return Ok(());
    }
    // One key that cannot be checked fails the check of all of them, so each table is asked alone.
    let sql = "SELECT DISTINCT m.name, m.name FROM sqlite_master AS m, \
               pragma_foreign_key_list(m.name) WHERE m.type = 'table' AND m.rootpage > 0";
    for (table, _) in on(&db, pairs::<String>(&db, sql))? {
        let check = format!("PRAGMA foreign_key_check({})", quoted(&table));
        let mut of_table = BTreeMap::new();
        match on_keys(&db, &check, &mut of_table) {
            Ok(()) => found.faults.append(&mut of_table),
            Err(error) if words(&error).contains("foreign key mismatch") => {
                let fault = Fault::Mismatch { table, what: words(&error) };
                *found.faults.entry(fault).or_default() += 1;
            }
            Err(error) if is_foreign_schema(&error) => {
                found.unread.entry(table).or_insert_with(|| words(&error));
            }
            Err(error) => return on(&db, Err(error)),
        }
    }
    Ok(())
}

fn on_keys(db: &Connection, sql: &str, faults: &mut BTreeMap<Fault, u64>) -> rusqlite::Result<()> {
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        *faults.entry(Fault::Orphan { table: row.get(0)?, parent: row.get(2)? }).or_default() += 1;
    }
    Ok(())
}

impl Findings {
    /// What stock SQLite cannot read, each with the reason.
    pub(crate) fn unread_names(&self) -> String {
        let named = self.unread.iter().take(MOST_NAMES);
        let named: Vec<String> = named.map(|(name, why)| format!("{name} ({why})")).collect();
        let more = self.unread.len().saturating_sub(MOST_NAMES);
        let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
        named.join(", ") + &rest
    }

    /// The warnings about a v1.
    pub(crate) fn of_v1(&self) -> Vec<String> {
        let unread = (!self.unread.is_empty()).then(|| {
            format!(
                "stock SQLite checked of the old database only what it can read; not checked: {}",
                self.unread_names()
            )
        });
        let faults = self.faults.iter();
        let faults =
            faults.map(|(fault, count)| format!("in the old database: {}", fault.tell(*count)));
        unread.into_iter().chain(faults).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::Gauge;

    #[test]
    fn a_check_of_long_rows_is_stopped_in_the_middle() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.db");
        let db = Connection::open(&path).unwrap();
        db.execute_batch(
            "PRAGMA page_size = 512; CREATE TABLE long (body BLOB); INSERT INTO long WITH RECURSIVE \
             c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 1000) SELECT \
             zeroblob(8192) FROM c",
        )
        .unwrap();
        drop(db);
        let bytes = std::fs::metadata(&path).unwrap().len();
        let gauge = Gauge::default();
        let mut stop = |gauge: &Gauge| gauge.stop();
        let watch = Watch::new(gauge.clone(), &mut stop);
        let open = || on_path(&path);
        examine(&open, Integrity::Quick, &watch).unwrap_err();
        assert!((1..bytes * 3 / 4).contains(&gauge.bytes()), "{} of {bytes}", gauge.bytes());
    }

    /// SQLite reads the schema while it prepares the first statement, and asks meanwhile.
    #[test]
    fn a_long_schema_is_read_under_a_watch() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.db");
        let db = Connection::open(&path).unwrap();
        let tables = (0..500).map(|n| format!("CREATE TABLE t{n} (x);"));
        db.execute_batch(&format!("BEGIN; {} COMMIT", tables.collect::<String>())).unwrap();
        drop(db);
        let (db, mut looks) = (on_path(&path).unwrap(), 0);
        let mut look = |_: &Gauge| looks += 1;
        let watch = Watch::new(Gauge::default(), &mut look);
        let watched = watch.over(&db);
        db.prepare("SELECT * FROM t0").unwrap();
        drop(watched);
        drop(watch);
        assert!(looks > 0);
    }

    fn on_path(path: &std::path::Path) -> Result<Connection> {
        super::super::error::run(super::super::open::installed(path))
    }
}
