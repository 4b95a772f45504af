//! What the application's SQL may do. `BuildBy::Sql` runs to its last byte or is refused, and a
//! reader only reads.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cutover::planner::DataState;
use cutover::{
    BuildBy, BuildFrom, Built, Code, Detect, Host, HostError, Job, Make, Options, Reader, Verdict,
};
use rusqlite::Connection;

use crate::support::directory;
use crate::support::notes::{NOTES, TO_V2, V1, rows};

struct Bed {
    directory: tempfile::TempDir,
}

impl Bed {
    fn new() -> Self {
        let bed = Self { directory: tempfile::tempdir().unwrap() };
        bed.open().execute_batch(V1).unwrap();
        bed
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("data.db")
    }

    fn open(&self) -> Connection {
        Connection::open(self.path()).unwrap()
    }

    fn options(&self, from: BuildFrom, run: BuildBy) -> Options {
        Options::new(self.path(), "v1-v2", Detect::UserVersion(2), Make { from, run })
    }

    fn names(&self) -> Vec<String> {
        directory::names(self.directory.path())
    }

    fn assert_untouched(&self, what: &str) {
        assert_eq!(self.names(), ["data.db"], "{what}");
        assert_eq!(rows(&self.path(), "notes"), NOTES, "{what}");
    }
}

struct NoHost;
impl Host for NoHost {}

#[test]
fn sql_that_ends_its_transaction_is_refused_and_the_statement_is_named() {
    for (end, which) in [
        ("COMMIT; BEGIN", "statement 4, COMMIT,"),
        ("END", "statement 4, END,"),
        ("ROLLBACK; BEGIN IMMEDIATE", "statement 4, ROLLBACK,"),
        ("/* at last */ commit\n transaction; BEGIN; ROLLBACK", "commit transaction,"),
        ("COMMIT; SAVEPOINT a; RELEASE a", "statement 4, COMMIT,"),
        ("COMMIT; ATTACH ':memory:' AS m; BEGIN", "statement 4, COMMIT,"),
    ] {
        for from in [BuildFrom::Empty, BuildFrom::Copy] {
            let bed = Bed::new();
            let begin = if from == BuildFrom::Empty {
                TO_V2
            } else {
                "CREATE TABLE a (x); CREATE TABLE b (x); PRAGMA user_version = 2;"
            };
            let sql = format!("{begin} {end}; CREATE TABLE last (x)");
            let error = cutover::migrate(&bed.options(from, BuildBy::Sql(sql)), &mut NoHost)
                .unwrap_err()
                .failure;
            let what = format!("{end}, {from:?}: {error}");
            assert_eq!((error.code, error.data.state), (Code::Host, DataState::V1), "{what}");
            assert!(error.reason.contains("the SQL of make.run: statement 4,"), "{what}");
            assert!(error.reason.contains(which), "{what}");
            assert!(error.reason.contains("ended the transaction"), "{what}");
            bed.assert_untouched(&what);
        }
    }
}

#[test]
fn a_statement_that_fails_is_named() {
    for (more, which) in [
        ("SELEC 1", "statement 4 failed: SQLite says: near \"SELEC\": syntax error"),
        ("INSERT INTO note (body) VALUES (NULL)", "statement 4, INSERT INTO note (body) VALUES"),
        ("INSERT OR ROLLBACK INTO note VALUES (1, 'b')", "statement 4, INSERT OR ROLLBACK"),
        ("VACUUM", "statement 4, VACUUM, failed"),
        // A later row of what it returns.
        ("SELECT abs(-9223372036854775807 - (id > 2)) FROM note", "statement 4, SELECT abs"),
    ] {
        let bed = Bed::new();
        let sql = format!("{TO_V2} {more}; CREATE TABLE {} (x)", "last".repeat(100));
        let options = bed.options(BuildFrom::Empty, BuildBy::Sql(sql));
        let error = cutover::migrate(&options, &mut NoHost).unwrap_err().failure;
        assert_eq!(error.code, Code::Host, "{error}");
        assert!(error.reason.contains(which), "{which}: {error}");
        assert!(error.reason.len() < 300, "it does not repeat all of the SQL: {error}");
        bed.assert_untouched(which);
    }
}

#[test]
fn sql_with_a_nul_is_refused_by_every_call_before_anything_is_touched() {
    for sql in [
        format!("{TO_V2}\0 CREATE TABLE last (x);"),
        format!("{TO_V2}\0"),
        format!("\0{TO_V2}"),
        format!("{TO_V2} INSERT INTO note (body) VALUES ('a\0b')"),
    ] {
        let bed = Bed::new();
        let plan =
            cutover::plan(&bed.options(BuildFrom::Empty, BuildBy::Sql(TO_V2.into())), &mut NoHost);
        let plan = serde_json::to_string(&plan.unwrap().unwrap()).unwrap();
        let options = bed.options(BuildFrom::Empty, BuildBy::Sql(sql));
        for error in [
            cutover::migrate(&options, &mut NoHost).map(drop).unwrap_err(),
            cutover::recover(&options, &mut NoHost).map(drop).unwrap_err(),
            cutover::plan(&options, &mut NoHost).map(drop).unwrap_err(),
            cutover::run_plan(&plan, &options, &mut NoHost).map(drop).unwrap_err(),
        ] {
            let error = error.failure;
            assert_eq!(error.code, Code::Host, "{error}");
            assert!(error.reason.contains("the SQL of make.run: it has a NUL"), "{error}");
            assert!(error.path.as_ref().is_some_and(|path| path.ends_with("data.db")), "{error}");
        }
        assert_eq!(std::fs::read_dir(bed.directory.path()).unwrap().count(), 1, "no lock either");
    }
}

#[test]
fn all_of_the_sql_runs() {
    let bed = Bed::new();
    bed.open().execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM").unwrap();
    // A pragma that frees one page a row, savepoints, comments, and no semicolon at the end.
    let sql = format!(
        "{TO_V2} SAVEPOINT a; INSERT INTO note (body) VALUES ('no'); ROLLBACK TO a; RELEASE a;
         CREATE TABLE big AS SELECT zeroblob(100000) AS x; DROP TABLE big;
         PRAGMA incremental_vacuum; ;; -- a comment; COMMIT;
         SELECT * FROM note; CREATE TABLE last (x) /* the end"
    );
    cutover::migrate(&bed.options(BuildFrom::Empty, BuildBy::Sql(sql)), &mut NoHost).unwrap();
    assert_eq!(rows(&bed.path(), "note"), NOTES);
    let count = |sql| bed.open().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM sqlite_master WHERE name = 'last'"), 1);
    assert_eq!(count("PRAGMA freelist_count"), 0, "the pragma ran to its last page");
}

/// What a reader does not run; `{}` is a path where nothing may appear.
const WRITES: [&str; 26] = [
    "VACUUM INTO '{}'",
    "VACUUM",
    "ATTACH '{}' AS other",
    "ATTACH ':memory:' AS other",
    "ATTACH '' AS other",
    "DETACH main",
    "PRAGMA writable_schema = ON",
    "PRAGMA writable_schema = RESET",
    "PRAGMA writable_schema(1)",
    "PRAGMA user_version = 9",
    "PRAGMA main.application_id(9)",
    "PRAGMA journal_mode = WAL",
    "PRAGMA journal_mode(DELETE)",
    "PRAGMA query_only = OFF",
    "PRAGMA temp_store_directory = '/'",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA wal_checkpoint",
    "PRAGMA optimize",
    "PRAGMA incremental_vacuum",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA mmap_size = 1",
    "CREATE TEMP TABLE t AS SELECT * FROM sqlite_master",
    "CREATE TABLE t (x)",
    "INSERT INTO temp.sqlite_master VALUES ('view', 'v', 'v', 0, 'CREATE VIEW v AS SELECT 1')",
    "ANALYZE",
    "REINDEX",
];

/// What it runs.
const READS: [&str; 16] = [
    "SELECT count(*) FROM sqlite_master",
    "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT i FROM n",
    "EXPLAIN QUERY PLAN SELECT 1",
    "BEGIN",
    "COMMIT",
    "PRAGMA user_version",
    "PRAGMA Encoding",
    "PRAGMA main.page_size",
    "PRAGMA journal_mode",
    "PRAGMA table_info('sqlite_master')",
    "PRAGMA foreign_key_check",
    "PRAGMA quick_check(1)",
    "PRAGMA integrity_check",
    "SELECT name FROM pragma_table_xinfo('sqlite_master')",
    "SELECT id FROM boxes WHERE min_x > 0",
    "SELECT rowid FROM texts WHERE texts MATCH 'milk'",
];

/// Asks every reader that an application gets.
struct Asks {
    stray: PathBuf,
    asked: BTreeMap<&'static str, usize>,
}

impl Asks {
    fn ask(&mut self, which: &'static str, reader: &Reader) {
        for sql in WRITES {
            let sql = sql.replace("{}", &self.stray.display().to_string());
            let error = reader.all(&sql, &[]).expect_err(&sql).to_string();
            assert!(error.contains("a reader only reads") || error.contains("readonly"), "{error}");
        }
        for sql in ["SELECT 1\0; SELECT 2", "SELECT '\0'"] {
            let error = reader.all(sql, &[]).unwrap_err().to_string();
            assert!(error.contains("NUL"), "{error}");
        }
        for sql in READS {
            reader.all(sql, &[]).unwrap_or_else(|error| panic!("{which}, {sql}: {error}"));
        }
        assert!(reader.all("DELETE FROM boxes", &[]).is_err());
        assert!(reader.all("UPDATE sqlite_master SET sql = ''", &[]).is_err());
        *self.asked.entry(which).or_default() += 1;
    }
}

impl Host for Asks {
    fn detect(&mut self, db: &Reader) -> Result<Verdict, HostError> {
        self.ask("detect", db);
        let new = db.all("SELECT 1 FROM sqlite_master WHERE name = 'last'", &[])?.is_empty();
        Ok(if new { Verdict::Old } else { Verdict::Current })
    }

    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        self.ask("build", job.v1());
        Connection::open(job.staging())?.execute_batch("CREATE TABLE last (x)")?;
        Ok(Built::default())
    }

    fn verify(&mut self, v2: &Reader) -> Result<(), HostError> {
        self.ask("verify", v2);
        Ok(())
    }
}

#[test]
fn a_reader_only_reads() {
    for mode in ["DELETE", "WAL"] {
        let bed = Bed::new();
        bed.open()
            .execute_batch(&format!(
                "PRAGMA journal_mode = {mode};
                 CREATE VIRTUAL TABLE boxes USING rtree (id, min_x, max_x);
                 INSERT INTO boxes VALUES (1, 1, 2);
                 CREATE VIRTUAL TABLE texts USING fts5 (body);
                 INSERT INTO texts VALUES ('milk');"
            ))
            .unwrap();
        let options = bed.options(BuildFrom::Copy, BuildBy::Host).detect(Detect::Host).verify(true);
        let stray = bed.directory.path().join("stray");
        let mut host = Asks { stray: stray.clone(), asked: BTreeMap::new() };
        cutover::migrate(&options, &mut host).unwrap();
        assert!(!stray.exists());
        assert_eq!(host.asked.len(), 3, "{:?}", host.asked);
        assert_eq!(rows(&bed.path(), "notes"), NOTES);
    }
}
