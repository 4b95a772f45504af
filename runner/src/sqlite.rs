//! Everything that goes through SQLite. No connection made here outlives the function, but for
//! readers and v1's lock.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cutover_core::fault::{Cause, Fault, OsCode};
use cutover_core::observe::{FileFacts, Verdict};
use cutover_core::page1::{HEADER_BYTES, Header, JournalMode, page1_digest};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::options::{Detect, Integrity};
use crate::os;
use crate::reader::Reader;

/// What SQLite's error means for a plan.
pub(crate) fn fault(error: &rusqlite::Error) -> Fault {
    let cause = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Cause::Busy,
        // SQLITE_FULL is a write that met ENOSPC.
        Some(ErrorCode::DiskFull) => no_space(),
        Some(ErrorCode::NotADatabase) => Cause::NotADatabase,
        // No sidecar can be made.
        _ if error.sqlite_error().is_some_and(|error| {
            error.extended_code == rusqlite::ffi::SQLITE_READONLY_DIRECTORY
        }) =>
        {
            Cause::Denied { os: OsCode::of(os::PLATFORM, DENIED) }
        }
        // Not damage: libSQL's vector indexes and the like are unknown to SQLite.
        _ if is_foreign_schema(error) => {
            return Fault::new(
                Cause::Sqlite,
                format!("stock SQLite cannot read this schema: {error}"),
            );
        }
        Some(ErrorCode::DatabaseCorrupt) => Cause::V1Corrupt,
        _ => Cause::Sqlite,
    };
    Fault::new(cause, format!("SQLite says: {error}"))
}

/// The same where a database was to be read: one with a log needs shared memory beside it, which a
/// directory that can only be read has no place for (<https://www.sqlite.org/wal.html#readonly>).
pub(crate) fn fault_of_reading(path: &Path, error: &rusqlite::Error) -> Fault {
    let fault = fault(error);
    let denied = path
        .parent()
        .filter(|_| error.sqlite_error_code() == Some(ErrorCode::CannotOpen))
        .and_then(os::why_read_only);
    match denied {
        Some(raw) => Fault { cause: Cause::Denied { os: OsCode::of(os::PLATFORM, raw) }, ..fault },
        None => fault,
    }
}

/// Not where the schema's own pages are wrong, which SQLite says in the same words ("malformed
/// database schema", `corruptSchema` in prepare.c).
fn is_foreign_schema(error: &rusqlite::Error) -> bool {
    let text = error.to_string();
    let damaged = ["invalid rootpage", "orphan index"].iter().any(|part| text.contains(part));
    !damaged
        && ["malformed database schema", "no such module", "no such function", "unknown function"]
            .iter()
            .any(|part| text.contains(part))
}

/// `ERROR_ACCESS_DENIED`, EACCES.
const DENIED: i32 = if cfg!(windows) { 5 } else { 13 };

/// `ERROR_DISK_FULL`, ENOSPC.
pub(crate) fn no_space() -> Cause {
    Cause::Os { os: OsCode::of(os::PLATFORM, if cfg!(windows) { 112 } else { 28 }) }
}

type Result<T> = std::result::Result<T, Fault>;

fn run<T>(result: rusqlite::Result<T>) -> Result<T> {
    result.map_err(|error| fault(&error))
}

/// SQLite's own waiting is off: the plan's one budget does the waiting, and reports it.
fn open(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::ZERO)?;
    Ok(connection)
}

/// Has the connection pass over what it cannot parse in a schema that another SQLite wrote
/// (<https://www.sqlite.org/pragma.html#pragma_writable_schema>): what lies in the pages, the log and the other tables needs none of it.
fn pass_over_foreign_schema(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("PRAGMA writable_schema = ON")
}

/// Opens a database to change or to lock it. SQLite falls back to reading where it has no right to
/// write, and then "BEGIN EXCLUSIVE" takes a shared lock only. A sidecar that can only be read
/// stops it as well: whoever reads a read-only database in WAL mode leaves a read-only `-shm`
/// (`findCreateFileMode` in `os_unix.c`), which stays so.
pub(crate) fn open_to_write(path: &Path, more: OpenFlags) -> Result<Connection> {
    let connection = run(open(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW | more,
    ))?;
    if run(connection.is_readonly("main"))? {
        let denied = Cause::Denied {
            os: OsCode::of(os::PLATFORM, os::why_read_only(path).unwrap_or(DENIED)),
        };
        return Err(Fault::new(denied, "it can only be read"));
    }
    for suffix in ["-wal", "-shm", "-journal"] {
        let sidecar = sidecar(path, suffix);
        if let Some(raw) = os::why_read_only(&sidecar).filter(|_| sidecar.exists()) {
            let denied = Cause::Denied { os: OsCode::of(os::PLATFORM, raw) };
            return Err(Fault::new(
                denied,
                format!("its {suffix}, {}, can only be read", sidecar.display()),
            ));
        }
    }
    run(pass_over_foreign_schema(&connection))?;
    // A flush that reaches the platter on macOS (`F_FULLFSYNC`); the same as ever elsewhere (<https://www.sqlite.org/pragma.html#pragma_fullfsync>).
    run(connection.execute_batch("PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON"))?;
    Ok(connection)
}

pub(crate) fn open_existing(path: &Path) -> Result<Connection> {
    open_to_write(path, OpenFlags::empty())
}

/// A `file:` URI of this path (<https://www.sqlite.org/uri.html>): every byte but the plainest is escaped.
fn uri(path: &Path, query: &str) -> String {
    use std::fmt::Write as _;
    let bytes = path.as_os_str().as_encoded_bytes();
    // SQLite takes the slash before `C:` or `\\?\` away again. Backslashes stay: `\\?\` knows no
    // other separator.
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

pub(crate) fn sidecar(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

pub(crate) fn has_bytes(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > 0)
}

/// Size, identity, header and page 1 of a file that nobody in this process holds.
pub(crate) fn facts(path: &Path) -> std::io::Result<FileFacts> {
    use std::io::Read as _;
    let file_id = os::file_id(path)?;
    let mut file = std::fs::File::open(path)?;
    let size = file.metadata()?.len();
    let mut page = Vec::with_capacity(65536);
    file.by_ref().take(65536).read_to_end(&mut page)?;
    let header = Header::parse(&page).ok();
    let page1 =
        header.as_ref().and_then(|header| page.get(..header.page_size as usize)).map(page1_digest);
    Ok(FileFacts { size, file_id, header, page1 })
}

/// Opens a database to read it, leaving its directory as it is.
///
/// A hot journal must be rolled back before anything can be read, which is what every open by the
/// application would do. A database in WAL mode without a `-wal` is open nowhere, and `immutable`
/// keeps SQLite from making sidecars that a read-only connection cannot remove (<https://www.sqlite.org/uri.html#uriimmutable>).
pub(crate) fn reader(path: &Path) -> rusqlite::Result<Reader> {
    let read_only = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    if has_journal(path) {
        roll_back(path)?;
    }
    if !sidecar(path, "-wal").exists()
        && facts(path).is_ok_and(|facts| {
            facts.header.is_some_and(|header| header.journal_mode == JournalMode::Wal)
        })
    {
        return installed_reader(path);
    }
    let connection = open(path, read_only)?;
    pass_over_foreign_schema(&connection)?;
    Ok(Reader { connection })
}

/// Whether a rollback journal stands beside it.
pub(crate) fn has_journal(path: &Path) -> bool {
    has_bytes(&sidecar(path, "-journal"))
}

/// Lets SQLite roll back what a killed process began: its first read does.
pub(crate) fn roll_back(path: &Path) -> rusqlite::Result<()> {
    let connection =
        open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NOFOLLOW)?;
    pass_over_foreign_schema(&connection)?;
    connection
        .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))
        .map(drop)
}

/// Opens a settled database that nobody else knows of.
pub(crate) fn installed_reader(path: &Path) -> rusqlite::Result<Reader> {
    let connection = installed(path)?;
    pass_over_foreign_schema(&connection)?;
    Ok(Reader { connection })
}

/// The same, which fails where anything of the schema cannot be read.
pub(crate) fn installed(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(uri(path, "immutable=1"), flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    Ok(connection)
}

fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

/// Runs a native `detect`.
pub(crate) fn detect(db: &Reader, detect: &Detect) -> rusqlite::Result<Option<Verdict>> {
    let connection = &db.connection;
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

/// Has a connection hold what its database is now, until its transaction ends.
pub(crate) fn begin_to_read(connection: &Connection) -> Result<()> {
    run(connection.execute_batch("BEGIN"))?;
    run(connection
        .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))
        .map(drop))
}

/// Keeps everybody from writing to a settled database, until what it gives is dropped. In rollback
/// mode a file may hold pages of a transaction that is under way, or of one whose process was
/// killed: the first keeps this read off, the second is rolled back by it. One that somebody has
/// put into WAL mode again is left as it is.
pub(crate) fn keep_writers_out(path: &Path) -> Result<Option<Connection>> {
    if facts(path)
        .map_err(|error| os_fault(&error))?
        .header
        .is_some_and(|header| header.journal_mode == JournalMode::Wal)
    {
        return Ok(None);
    }
    let connection = open_existing(path)?;
    begin_to_read(&connection)?;
    Ok(Some(connection))
}

/// How a database is flushed while it is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flush {
    /// By SQLite, at every step: the file is somebody's data.
    Always,
    /// By the plan, afterwards: the file is nobody's yet.
    Later,
}

/// Moves what is in the write-ahead log into the database.
pub(crate) fn empty_log(connection: &Connection) -> Result<()> {
    // The row says whether it was complete; there is no error when it was not.
    let (busy, log, done): (i64, i64, i64) =
        run(connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        }))?;
    if busy != 0 || log != done {
        return Err(in_use("another connection keeps the write-ahead log from being emptied"));
    }
    Ok(())
}

/// Makes a set one self-contained file in this journal mode.
pub(crate) fn settle(path: &Path, mode: JournalMode, flush: Flush) -> Result<FileFacts> {
    let connection = open_existing(path)?;
    if flush == Flush::Later {
        run(connection.execute_batch("PRAGMA synchronous = OFF"))?;
    }
    // Reading rolls a hot journal back and meets a file that is none.
    let _: i64 =
        run(connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)))?;
    if journal_mode(&connection, None)? == "wal" {
        empty_log(&connection)?;
        if journal_mode(&connection, Some("DELETE"))? != "delete" {
            return Err(in_use("another connection keeps the database in WAL mode"));
        }
    } else {
        run(connection.execute_batch("BEGIN EXCLUSIVE; COMMIT"))?;
        if ["-wal", "-shm"].iter().any(|suffix| sidecar(path, suffix).exists()) {
            // Left by a copy or a restore; SQLite ignores them beside a database in rollback mode.
            // This pair of pragmas removes them under the lock, once the log was opened
            // by a read.
            journal_mode(&connection, Some("WAL"))?;
            let _: i64 =
                run(connection
                    .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0)))?;
            journal_mode(&connection, Some("DELETE"))?;
        }
    }
    if sidecar(path, "-journal").exists() {
        // What a connection in PERSIST or TRUNCATE mode leaves; this pair of pragmas removes it
        // under the lock.
        journal_mode(&connection, Some("PERSIST"))?;
        journal_mode(&connection, Some("DELETE"))?;
    }
    if mode == JournalMode::Wal && journal_mode(&connection, Some("WAL"))? != "wal" {
        return Err(in_use("the database cannot be put into WAL mode"));
    }
    run(connection.close().map_err(|(_, error)| error))?;
    alone(path)?;
    let facts = facts(path).map_err(|error| os_fault(&error))?;
    // The pragma answers with the new mode where the commit that writes it failed, too.
    if facts.header.as_ref().is_some_and(|header| header.journal_mode != mode) {
        return Err(Fault::new(Cause::Sqlite, "the journal mode could not be written to the file"));
    }
    Ok(facts)
}

/// Gives a settled database its former journal mode back.
pub(crate) fn restore_mode(path: &Path, mode: JournalMode) -> Result<()> {
    // Opening it for nothing would make sidecars, for which a full disk has no room.
    if facts(path)
        .map_err(|error| os_fault(&error))?
        .header
        .is_some_and(|header| header.journal_mode == mode)
    {
        return Ok(());
    }
    let connection = open_existing(path)?;
    if !journal_mode(&connection, Some(mode.pragma()))?.eq_ignore_ascii_case(mode.pragma()) {
        return Err(in_use(
            "another connection keeps the database's journal mode from being restored",
        ));
    }
    run(connection.close().map_err(|(_, error)| error))
}

pub(crate) fn journal_mode(connection: &Connection, set: Option<&str>) -> Result<String> {
    let sql = set.map_or_else(
        || "PRAGMA journal_mode".to_owned(),
        |mode| format!("PRAGMA journal_mode = {mode}"),
    );
    run(connection.query_row(&sql, [], |row| row.get(0)))
}

pub(crate) fn in_use(message: &str) -> Fault {
    Fault::new(Cause::Busy, message)
}

/// Reads back that a database has no sidecar.
pub(crate) fn alone(path: &Path) -> Result<()> {
    match cutover_core::names::SIDECARS
        .iter()
        .map(|suffix| sidecar(path, suffix))
        .find(|path| std::fs::symlink_metadata(path).is_ok())
    {
        None => Ok(()),
        Some(found) => Err(in_use(&format!(
            "{} is there though the database was closed: somebody has it open",
            found.display()
        ))),
    }
}

pub(crate) fn os_fault(error: &std::io::Error) -> Fault {
    let cause = error
        .raw_os_error()
        .map_or(Cause::Sqlite, |raw| Cause::Os { os: OsCode::of(os::PLATFORM, raw) });
    Fault::new(cause, error.to_string())
}

/// Gives a new, empty file its first page, with pages as large as v1's: whoever builds in it keeps
/// them.
pub(crate) fn lay_out(staging: &Path, v1: &Path) -> Result<()> {
    let header = facts(v1).map_err(|error| os_fault(&error))?.header;
    if let Some(header) = header.filter(|_| is_empty(staging)) {
        let connection = open_existing(staging)?;
        run(connection.execute_batch(&format!(
            "PRAGMA page_size = {}; PRAGMA user_version = 0",
            header.page_size
        )))?;
        run(connection.close().map_err(|(_, error)| error))?;
    }
    Ok(())
}

fn is_empty(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0)
}

/// Builds v2 by SQL in one transaction, with v1 attached read-only.
///
/// The rollback journal stays on so that a failed statement is undone whole; nothing is flushed,
/// because the plan flushes the file once.
pub(crate) fn build(v1: &Path, staging: &Path, sql: &str) -> Result<()> {
    let header = facts(v1).map_err(|error| os_fault(&error))?.header;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = run(open(staging, flags))?;
    if let Some(header) = header.filter(|_| is_empty(staging)) {
        run(connection.execute_batch(&format!("PRAGMA page_size = {}", header.page_size)))?;
        let v1 = run(reader(v1))?.connection;
        let encoding: String = run(v1.query_row("PRAGMA encoding", [], |row| row.get(0)))?;
        let auto_vacuum: i64 = run(v1.query_row("PRAGMA auto_vacuum", [], |row| row.get(0)))?;
        run(connection.execute_batch(&format!(
            "PRAGMA encoding = '{encoding}'; PRAGMA auto_vacuum = {auto_vacuum}"
        )))?;
    }
    // Rows may come in any order, as SQLite's own default has it; what refers to nothing in the end
    // is found by the check.
    run(connection.execute_batch(
        "PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF",
    ))?;
    run(connection.execute("ATTACH DATABASE ?1 AS v1", [uri(v1, "mode=ro")]))?;
    run(connection.execute_batch("BEGIN IMMEDIATE"))?;
    let _: i64 =
        run(connection.query_row("SELECT count(*) FROM v1.sqlite_master", [], |row| row.get(0)))?;
    connection.execute_batch(sql).map_err(|error| match fault(&error) {
        Fault { cause: Cause::Sqlite, message, .. } => {
            Fault::new(Cause::Host, format!("the upgrade's SQL failed: {message}"))
        }
        other => other,
    })?;
    if connection.is_autocommit() {
        return Err(Fault::new(
            Cause::Host,
            "the upgrade's SQL ended the transaction that it runs in; take COMMIT, END and \
             ROLLBACK out of it",
        ));
    }
    run(connection.execute_batch("COMMIT; DETACH DATABASE v1"))?;
    run(connection.close().map_err(|(_, error)| error))
}

/// Copies all of a database, with what is still in its log, into a new one. `busy`: what keeps it
/// from that.
pub(crate) fn copy_pages(source: &Connection, target: &mut Connection, busy: &str) -> Result<()> {
    let backup = run(rusqlite::backup::Backup::new(source, target))?;
    match run(backup.step(-1))? {
        rusqlite::backup::StepResult::Done => Ok(()),
        _ => Err(in_use(busy)),
    }
}

/// Copies a database that is held into a new file, page by page through SQLite, which reads what is
/// still in its WAL.
pub(crate) fn restage(from: &Path, to: &Path, mode: JournalMode) -> Result<()> {
    let source = open_existing(from)?;
    let mut target = open_existing(to)?;
    run(target.execute_batch("PRAGMA synchronous = OFF"))?;
    copy_pages(&source, &mut target, "another connection writes to what was built")?;
    run(target.close().map_err(|(_, error)| error))?;
    run(source.close().map_err(|(_, error)| error))?;
    settle(to, mode, Flush::Later).map(drop)
}

/// Checks what will be installed. Gives its facts, and what was wrong with v1 already. `verified`:
/// whether its application checks it too, or did when it was its own.
pub(crate) fn check(
    path: &Path,
    v1: &Path,
    integrity: Integrity,
    expect: &std::collections::BTreeMap<String, u64>,
    verified: bool,
) -> Result<(FileFacts, Vec<String>)> {
    let verify = |message: String| Fault::new(Cause::Verify, message);
    let failed =
        |error: rusqlite::Error| verify(format!("what was built cannot be checked: {error}"));
    if let Err(fault) = alone(path) {
        return Err(Fault { cause: Cause::Verify, ..fault });
    }
    let facts = facts(path).map_err(|error| os_fault(&error))?;
    if facts.page1.is_none() {
        return Err(verify(format!("what was built is not a database ({} bytes)", facts.size)));
    }
    let v2 = installed(path).map_err(failed)?;
    let mut warnings = Vec::new();
    let mut how = Checked::Wholly(integrity);
    // Its expressions are parsed, and evaluated: so the check meets what only another SQLite has.
    if let Err(error) = damage(&v2, how) {
        if !is_foreign_schema(&error) {
            return Err(failed(error));
        }
        if !verified {
            let why = "the schema of what was built cannot be read by stock SQLite, so your own \
                       `verify` has to check it, and there is none";
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
        // A copy has v1's damage, and then it is v1 that must be mended. A backup that is restored
        // is compared with itself.
        let before =
            if v1 == path { None } else { run(damage(&run(reader(v1))?.connection, how))? };
        return Err(match before {
            Some(found) => {
                Fault::new(Cause::V1Corrupt, format!("the old database is damaged: {found}"))
            }
            None => verify(format!("what was built is damaged: {found}")),
        });
    }
    // An index that cannot be read would be counted instead of its table.
    let indexes = if matches!(how, Checked::ButIndexes) { " NOT INDEXED" } else { "" };
    for (table, want) in expect {
        let found: i64 = v2
            .query_row(&format!("SELECT count(*) FROM {}{indexes}", quoted(table)), [], |row| {
                row.get(0)
            })
            .map_err(|error| {
                verify(format!(
                    "table {table}, which should have {want} rows, cannot be counted: {error}"
                ))
            })?;
        if u64::try_from(found) != Ok(*want) {
            return Err(verify(format!("table {table} has {found} rows; {want} were expected")));
        }
    }
    let violations = foreign_key_violations(&v2).map_err(failed)?;
    if !violations.is_empty() {
        let before = run(foreign_key_violations(&run(reader(v1))?.connection))?;
        // A table that v2 renames keeps its violations under another name; what counts is that
        // there are no more of them.
        let no_more = violations.values().sum::<u64>() <= before.values().sum();
        for ((table, parent), count) in violations {
            let known = before.get(&(table.clone(), parent.clone())).copied().unwrap_or(0);
            let text =
                format!("{count} rows of {table} refer to rows of {parent} that do not exist");
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
enum Checked {
    Wholly(Integrity),
    /// An index of libSQL's keeps its entries elsewhere, so that their number says nothing.
    ButIndexes,
}

/// The first damage that SQLite finds.
fn damage(db: &Connection, how: Checked) -> rusqlite::Result<Option<String>> {
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

fn foreign_key_violations(
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

/// A descriptor of a database that is open beside its connection, to read the header while that
/// holds the lock.
#[derive(Debug)]
pub(crate) struct HeldFile {
    file: std::fs::File,
    file_id: String,
}

impl HeldFile {
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self { file_id: os::file_id(path)?, file: std::fs::File::open(path)? })
    }

    /// Size and header now.
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

/// v1's exclusive lock, and the descriptor through which it is checked meanwhile.
///
/// On POSIX closing any descriptor of a file drops the process's locks on it, so the one that reads
/// the header is opened before the lock is taken and closed after it is let go: a tuple's fields
/// drop in this order. On Windows both are closed once the lock was had, for an open file, by
/// whomever, is not replaced there; then v1 is read anew each time.
#[derive(Debug)]
pub(crate) struct V1Lock(Option<(Connection, HeldFile)>);

impl V1Lock {
    pub(crate) fn take(path: &Path) -> Result<Self> {
        let file = HeldFile::open(path).map_err(|error| os_fault(&error))?;
        let connection = open_existing(path)?;
        run(connection.execute_batch("BEGIN EXCLUSIVE"))?;
        Ok(Self(os::LOCKS_V1_OVER_THE_FLIP.then_some((connection, file))))
    }

    /// The facts of v1 now, which has this path; read through the descriptor that is open, if there
    /// is one.
    pub(crate) fn facts(&self, path: &Path) -> std::io::Result<FileFacts> {
        self.0.as_ref().map_or_else(|| facts(path), |(_, file)| file.facts())
    }
}
