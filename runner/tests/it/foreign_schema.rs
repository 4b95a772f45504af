//! Schemas that stock SQLite cannot read whole: what it can read is checked, the rest is named and
//! left to the application's `verify`, which opens v2 with a SQLite of its own.
#![allow(
    clippy::field_reassign_with_default,
    reason = "an application of closures is made test by test"
)]

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

use cutover::planner::DataState;
use cutover::{BuildBy, BuildFrom, Built, Code, DoctorOptions, HostError, Integrity, Options};
use cutover_support::Check;
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;

use crate::support::bed::{Application, Bed, told};
use crate::support::notes::{NOTES, TO_V2, V1, rows};

const ON_COPY: &str = "CREATE TABLE more (x); PRAGMA user_version = 2";

/// Opens a database as an application does that has its own collation and function.
fn own(path: &Path) -> Connection {
    let db = Connection::open(path).unwrap();
    let unicase = |a: &str, b: &str| -> Ordering { a.to_lowercase().cmp(&b.to_lowercase()) };
    db.create_collation("unicase", unicase).unwrap();
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    let plain = |of: &rusqlite::functions::Context| Ok(of.get::<String>(0)?.to_lowercase());
    db.create_scalar_function("plain", 1, flags, plain).unwrap();
    db
}

struct Schema {
    what: &'static str,
    sql: &'static str,
    /// The table that is named as not checked.
    names: &'static str,
}

const SCHEMAS: [Schema; 7] = [
    Schema {
        what: "a collation in a primary key without row ids",
        sql: "CREATE TABLE tags (t TEXT PRIMARY KEY COLLATE unicase) WITHOUT ROWID;
            INSERT INTO tags VALUES ('B'), ('a'), ('C')",
        names: "tags (no such collation sequence: unicase)",
    },
    Schema {
        what: "a collation in an index",
        sql: "CREATE TABLE tags (t TEXT UNIQUE COLLATE unicase);
            INSERT INTO tags VALUES ('B'), ('a'), ('C')",
        names: "tags (no such collation sequence: unicase)",
    },
    Schema {
        what: "a function in a generated column",
        sql: "CREATE TABLE tags (t TEXT, p TEXT NOT NULL AS (plain(t)));
            INSERT INTO tags VALUES ('B'), ('a'), ('C')",
        names: "tags (unknown function: plain())",
    },
    Schema {
        what: "a tokenizer of FTS5",
        sql: "CREATE VIRTUAL TABLE tags USING fts5 (t, tokenize = porter);
            INSERT INTO tags VALUES ('B'), ('a'), ('C'); PRAGMA writable_schema = ON;
            UPDATE sqlite_master SET sql = replace(sql, 'porter', 'own') WHERE name = 'tags'",
        names: "tags (",
    },
    Schema {
        what: "a tokenizer of FTS4",
        sql: "CREATE VIRTUAL TABLE tags USING fts4 (t, tokenize=porter);
            INSERT INTO tags VALUES ('B'), ('a'), ('C'); PRAGMA writable_schema = ON;
            UPDATE sqlite_master SET sql = replace(sql, 'porter', 'own') WHERE name = 'tags'",
        names: "tags (unknown tokenizer: own)",
    },
    Schema {
        what: "a module",
        sql: "CREATE TABLE tags_rowids (id INTEGER PRIMARY KEY, chunk BLOB);
            INSERT INTO tags_rowids VALUES (1, 'B'), (2, 'a'), (3, 'C');
            PRAGMA writable_schema = ON; INSERT INTO sqlite_master VALUES
            ('table', 'tags', 'tags', 0, 'CREATE VIRTUAL TABLE tags USING vec0 (e float[3])')",
        names: "tags (no such module: vec0)",
    },
    Schema {
        what: "syntax",
        sql: "CREATE TABLE tags (t TEXT); INSERT INTO tags VALUES ('B'), ('a'), ('C');
            PRAGMA writable_schema = ON; UPDATE sqlite_master
            SET sql = 'CREATE TABLE tags (t TEXT) RANDOM ROWID' WHERE name = 'tags'",
        names: "tags (near \"ROWID\": syntax error)",
    },
];

fn bed(of: &Schema) -> Bed {
    let bed = Bed::new(V1);
    let db = own(&bed.path());
    db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).unwrap();
    db.execute_batch(of.sql).unwrap();
    drop(db);
    bed
}

fn build(job: &mut dyn cutover::Job) -> Result<Built, HostError> {
    let v2 = own(job.staging());
    v2.execute_batch(&format!("PRAGMA writable_schema = ON; {ON_COPY}"))?;
    Ok(Built { expect: BTreeMap::from([("notes".to_owned(), 3)]), report: None })
}

fn by_callback(bed: &Bed) -> Options {
    bed.options(BuildFrom::Copy, BuildBy::Host).verify(true)
}

#[test]
fn with_verify_it_is_upgraded_and_a_backup_of_it_is_restored() {
    for of in &SCHEMAS {
        let bed = bed(of);
        let asked = Cell::new(0);
        let mut host = Application::default();
        host.build = Some(Box::new(build));
        host.verify = Some(Box::new(|v2| {
            // The application's own SQLite reads what ours does not.
            let db = own(v2.path());
            if of.what.starts_with("a collation") {
                let first: String =
                    db.query_row("SELECT t FROM tags ORDER BY t LIMIT 1", [], |row| row.get(0))?;
                assert_eq!(first, "a");
            }
            asked.set(asked.get() + 1);
            Ok(())
        }));
        let result = cutover::migrate(&by_callback(&bed), &mut host);
        let result = result.unwrap_or_else(|error| panic!("{}: {error}", of.what));
        assert_eq!(asked.get(), 1, "{}", of.what);
        let warned = told(&result);
        assert_eq!(warned.len(), 2, "{}: {warned:?}", of.what);
        let of_v1 = "stock SQLite checked of the old database only what it can read; not checked: ";
        let of_v2 =
            "stock SQLite checked of v2 only what it can read; the rest was left to `verify`: ";
        for (said, start) in warned.iter().zip([of_v1, of_v2]) {
            assert!(said.starts_with(&format!("{start}{}", of.names)), "{}: {said}", of.what);
        }
        drop(host);
        let backup = std::fs::read(result.backup.unwrap()).unwrap();
        let restored = bed.restore().unwrap_or_else(|error| panic!("{}: {error}", of.what));
        assert!(bed.bytes()[100..] == backup[100..], "{}", of.what);
        let warned = &restored.warnings[0].message;
        assert!(warned.contains(of.names) && warned.contains("of the backup"), "{warned}");
    }
}

#[test]
fn without_verify_it_is_refused_with_how_to() {
    for of in &SCHEMAS {
        let bed = bed(of);
        let bytes = bed.bytes();
        let mut host = Application::default();
        host.build = Some(Box::new(build));
        let options = by_callback(&bed).verify(false);
        let error = cutover::migrate(&options, &mut host).unwrap_err();
        assert_eq!(error.failure.code, Code::Verify, "{}: {}", of.what, error.failure);
        let told = error.failure.to_string();
        assert!(told.contains("your own `verify` has to check it"), "{}: {told}", of.what);
        assert!(told.contains(of.names), "{}: {told}", of.what);
        assert_eq!(error.failure.data.state, DataState::V1);
        drop(host);
        assert_eq!(bed.names(), ["data.db"], "{}", of.what);
        assert!(bed.bytes() == bytes, "{}", of.what);
    }
}

/// v1 has such a schema, and v2 does not: nothing is left to `verify`.
#[test]
fn a_v2_without_such_a_schema_needs_no_verify() {
    // Stock SQLite attaches no v1 that it cannot parse.
    for of in SCHEMAS.iter().filter(|of| of.what != "syntax") {
        let bed = bed(of);
        let options = bed.sql(BuildFrom::Empty, TO_V2);
        let result = cutover::migrate(&options, &mut Application::default());
        let result = result.unwrap_or_else(|error| panic!("{}: {error}", of.what));
        assert!(told(&result)[0].contains(of.names), "{}: {:?}", of.what, told(&result));
        assert_eq!(rows(&bed.path(), "note"), NOTES);
        bed.restore().unwrap_or_else(|error| panic!("{}: {error}", of.what));
    }
}

#[test]
fn its_damage_is_still_found() {
    for of in &SCHEMAS {
        let bed = bed(of);
        let db = own(&bed.path());
        db.execute_batch("PRAGMA writable_schema = ON").unwrap();
        let root = |table: &str| -> u64 {
            db.query_row("SELECT rootpage FROM sqlite_master WHERE name = ?1", [table], |row| {
                row.get::<_, i64>(0)
            })
            .unwrap()
            .try_into()
            .unwrap()
        };
        let at = usize::try_from((root("notes") - 1) * 4096).unwrap();
        drop(db);
        let mut bytes = bed.bytes();
        bytes[at..at + 4096].fill(0xa5);
        std::fs::write(bed.path(), &bytes).unwrap();
        let mut host = Application::default();
        host.build = Some(Box::new(build));
        host.verify = Some(Box::new(|_| Ok(())));
        let error = cutover::migrate(&by_callback(&bed), &mut host).unwrap_err();
        assert_eq!(error.failure.code, Code::V1Corrupt, "{}: {}", of.what, error.failure);
        drop(host);
        let check = cutover::doctor(&bed.path(), &DoctorOptions::default(), &mut ()).unwrap().check;
        assert!(matches!(check, Check::Damaged { .. }), "{}: {check:?}", of.what);
    }
}

/// A leaf of the very table that stock SQLite cannot read loses a row.
#[test]
fn damage_of_the_table_with_the_collation_is_found() {
    let bed = Bed::new(V1);
    own(&bed.path())
        .execute_batch(
            "CREATE TABLE tags (t TEXT PRIMARY KEY COLLATE unicase, more) WITHOUT ROWID;
             CREATE INDEX tags_more ON tags (more);
             INSERT INTO tags VALUES ('B', 1), ('a', 2), ('C', 3)",
        )
        .unwrap();
    let root: i64 = bed
        .open()
        .query_row("SELECT rootpage FROM sqlite_master WHERE name = 'tags'", [], |row| row.get(0))
        .unwrap();
    let mut bytes = bed.bytes();
    bytes[usize::try_from(root - 1).unwrap() * 4096 + 4] -= 1;
    std::fs::write(bed.path(), &bytes).unwrap();
    let options = bed.sql(BuildFrom::Empty, TO_V2);
    let error = cutover::migrate(&options, &mut Application::default()).unwrap_err();
    assert_eq!(error.failure.code, Code::V1Corrupt, "{}", error.failure);
}

#[test]
fn rows_are_counted_where_they_can_be_and_else_refused_with_how_to() {
    for of in &SCHEMAS {
        // Before 3.47 SQLite opens no table of FTS5 whose tokenizer it lacks.
        let opens_fts5 = rusqlite::version_number() >= 3_047_000;
        let counts = match of.what {
            "a tokenizer of FTS4" | "a module" => false,
            "a tokenizer of FTS5" => opens_fts5,
            _ => true,
        };
        for expected in [3, 4] {
            let bed = bed(of);
            let mut host = Application::default();
            host.build = Some(Box::new(|job| {
                Ok(Built { expect: BTreeMap::from([("tags".to_owned(), expected)]), ..build(job)? })
            }));
            host.verify = Some(Box::new(|_| Ok(())));
            let result = cutover::migrate(&by_callback(&bed), &mut host);
            if counts && expected == 3 {
                assert!(result.is_ok(), "{}: {result:?}", of.what);
                continue;
            }
            let failure = result.unwrap_err().failure;
            assert_eq!(failure.code, Code::Verify, "{}: {failure}", of.what);
            let how = if counts {
                "table tags has 3 rows; 4 were expected"
            } else {
                "take it out of `expect` and count it in `verify`"
            };
            assert!(failure.to_string().contains(how), "{}: {failure}", of.what);
            drop(host);
            assert_eq!(bed.names(), ["data.db"], "{}", of.what);
        }
    }
}

#[test]
fn the_doctor_does_not_call_it_damaged() {
    for of in &SCHEMAS {
        let bed = bed(of);
        let check = cutover::doctor(&bed.path(), &DoctorOptions::default(), &mut ()).unwrap().check;
        assert!(matches!(check, Check::NotMade { .. }), "{}: {check:?}", of.what);
    }
}

/// SQLite does not load a CHECK of a database that it may only read, so none is evaluated.
#[test]
fn a_function_in_a_check_stands_in_no_check() {
    let bed = bed(&Schema {
        what: "a function in a CHECK",
        sql: "CREATE TABLE tags (t TEXT CHECK (plain(t) <> 'x')); INSERT INTO tags VALUES ('B')",
        names: "",
    });
    let result =
        cutover::migrate(&bed.sql(BuildFrom::Copy, ON_COPY), &mut Application::default()).unwrap();
    assert_eq!(told(&result), Vec::<&str>::new());
    bed.restore().unwrap();
}

/// A quick check does not ask what is in an index. A full one does.
#[test]
fn a_function_in_an_index_matters_to_a_full_check() {
    let of = Schema {
        what: "a function in an index",
        sql: "CREATE TABLE tags (t TEXT); CREATE INDEX by_plain ON tags (plain(t));
            INSERT INTO tags VALUES ('B'), ('a'), ('C')",
        names: "tags (unknown function: plain())",
    };
    for (integrity, verify, warnings) in
        [(Integrity::Quick, false, 0), (Integrity::Full, true, 1), (Integrity::Full, false, 0)]
    {
        let bed = bed(&of);
        let mut host = Application::default();
        host.build = Some(Box::new(build));
        host.verify = Some(Box::new(|_| Ok(())));
        let result =
            cutover::migrate(&by_callback(&bed).integrity(integrity).verify(verify), &mut host);
        if integrity == Integrity::Full && !verify {
            let text = result.unwrap_err().to_string();
            assert!(text.contains(of.names) && text.contains("VERIFY"), "{text}");
            continue;
        }
        let result = result.unwrap();
        assert_eq!(told(&result).len(), warnings, "{:?}", told(&result));
        assert!(told(&result).iter().all(|text| text.contains(of.names)));
    }
}

/// `verify` may open v2 by its path. What it leaves open, or writes, is not installed.
#[test]
fn a_v2_that_verify_leaves_open_or_writes_to_is_not_installed() {
    for wal in [false, true] {
        let kept = Cell::new(None);
        let verify_as = |act: &dyn Fn(&Path) -> Option<Connection>| {
            kept.set(None);
            let bed = Bed::new(V1);
            if wal {
                bed.open().execute_batch("PRAGMA journal_mode = WAL").unwrap();
            }
            let mut host = Application::default();
            host.verify = Some(Box::new(|v2| {
                kept.set(act(v2.path()));
                Ok(())
            }));
            let options = bed.sql(BuildFrom::Empty, TO_V2).verify(true).wait_ms(0);
            let result = cutover::migrate(&options, &mut host);
            drop(host);
            (bed, result)
        };
        let (bed, left) = verify_as(&|path| {
            let db = Connection::open(path).unwrap();
            let _: i64 = db.query_row("SELECT count(*) FROM note", [], |row| row.get(0)).unwrap();
            Some(db)
        });
        // On Windows a file that is open is not removed either.
        let failure = left.unwrap_err().failure;
        assert_eq!(failure.code, Code::Held, "{failure}");
        kept.set(None);
        assert_eq!(rows(&bed.path(), "notes"), NOTES);

        let (bed, wrote) = verify_as(&|path| {
            let sql = "DELETE FROM note; PRAGMA application_id = 7";
            Connection::open(path).unwrap().execute_batch(sql).unwrap();
            None
        });
        let failure = wrote.unwrap_err().failure;
        assert_eq!(failure.code, Code::Verify, "{failure}");
        assert!(failure.to_string().contains("wrote to what was built"), "{failure}");
        assert_eq!(rows(&bed.path(), "notes"), NOTES);
        assert_eq!(bed.names(), ["data.db"]);

        // A reader in WAL mode cannot remove the -shm that it made.
        let (bed, read) = verify_as(&|path| {
            let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
            let db = Connection::open_with_flags(path, flags).unwrap();
            let _: i64 = db.query_row("SELECT count(*) FROM note", [], |row| row.get(0)).unwrap();
            None
        });
        let backup = read.unwrap().backup.unwrap();
        let backup = backup.file_name().unwrap().to_str().unwrap();
        assert_eq!(bed.names(), ["data.db".into(), backup.to_owned(), format!("{backup}.json")]);
    }
}
