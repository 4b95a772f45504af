//! What v1 always had is no fault of v2: it is told, with its table and its count. What v2 adds is
//! refused.
#![allow(
    clippy::field_reassign_with_default,
    reason = "an application of closures is made test by test"
)]

use cutover::{BuildBy, BuildFrom, Code};

use crate::support::bed::{Application, Bed, told};
use crate::support::notes::{TO_V2, V1};

const ON_COPY: &str = "PRAGMA user_version = 2";

/// Makes a v1 that breaks its own rules, as older releases of applications and of SQLite did.
struct Old {
    what: &'static str,
    sql: &'static str,
    /// What is told of it: table and count.
    tells: &'static str,
    /// What a build does to break the rule once more.
    adds: &'static str,
}

const OLD: [Old; 7] = [
    Old {
        what: "NULL in a NOT NULL column",
        sql: "CREATE TABLE t (c); INSERT INTO t VALUES (1), (NULL), (NULL);
            PRAGMA writable_schema = ON;
            UPDATE sqlite_master SET sql = 'CREATE TABLE t (c NOT NULL)' WHERE name = 't'",
        tells: "2 rows: NULL value in t.c",
        adds: "CREATE TABLE u (c); INSERT INTO u VALUES (NULL); PRAGMA writable_schema = ON",
    },
    Old {
        what: "text in a STRICT column of integers",
        sql: "CREATE TABLE t (c); INSERT INTO t VALUES ('x');
            PRAGMA writable_schema = ON;
            UPDATE sqlite_master SET sql = 'CREATE TABLE t (c INT) STRICT' WHERE name = 't'",
        tells: "1 row: non-INT value in t.c",
        adds: "",
    },
    Old {
        what: "text in a numeric column",
        sql: "CREATE TABLE t (c TEXT); INSERT INTO t VALUES ('12');
            PRAGMA writable_schema = ON;
            UPDATE sqlite_master SET sql = 'CREATE TABLE t (c INTEGER)' WHERE name = 't'",
        tells: "1 row: TEXT value in t.c",
        adds: "",
    },
    Old {
        what: "rows without a parent",
        sql: "PRAGMA foreign_keys = OFF; CREATE TABLE t (c REFERENCES notes (id));
            INSERT INTO t VALUES (77), (78)",
        tells: "2 rows of t refer to rows of notes that do not exist",
        adds: "INSERT INTO t VALUES (79)",
    },
    Old {
        what: "a foreign key that refers to no key",
        sql: "PRAGMA foreign_keys = OFF; CREATE TABLE t (c REFERENCES notes (text));
            INSERT INTO t VALUES ('milk')",
        tells: "foreign key mismatch",
        adds: "CREATE TABLE u (c REFERENCES notes (text))",
    },
    Old {
        what: "an FTS5 index that does not fit its rows",
        sql: "CREATE VIRTUAL TABLE t USING fts5 (c); INSERT INTO t VALUES ('milk'), ('bread');
            UPDATE t_content SET c0 = 'other' WHERE id = 1",
        tells: "1 index, that of the virtual table t, is not right",
        adds: "",
    },
    Old {
        what: "an FTS4 index that does not fit its rows",
        sql: "CREATE VIRTUAL TABLE t USING fts4 (c); INSERT INTO t VALUES ('milk'), ('bread');
            UPDATE t_content SET c0c = 'other' WHERE docid = 1",
        tells: "1 index, that of the virtual table t, is not right",
        adds: "",
    },
];

fn old(of: &Old) -> Bed {
    let bed = Bed::new(V1);
    let db = bed.open();
    // Shadow tables may be written only without this (`SQLITE_DBCONFIG_DEFENSIVE`).
    db.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false).unwrap();
    db.execute_batch(of.sql).unwrap();
    drop(db);
    bed
}

#[test]
fn v1_is_upgraded_with_its_faults_and_they_are_told() {
    for of in &OLD {
        for from in [BuildFrom::Copy, BuildFrom::Empty] {
            let sql = if from == BuildFrom::Copy { ON_COPY } else { TO_V2 };
            let bed = old(of);
            let result = cutover::migrate(&bed.sql(from, sql), &mut Application::default());
            let result = result.unwrap_or_else(|error| panic!("{}, {from:?}: {error}", of.what));
            let told = told(&result).join("\n");
            // Only a v2 that has the fault as well makes foreign keys be looked for in v1.
            let by_v2 = from == BuildFrom::Copy || !of.sql.contains("foreign_keys");
            assert_eq!(told.contains(of.tells), by_v2, "{}, {from:?}: {told}", of.what);
            // What comes back has these bytes.
            let backup = std::fs::read(result.backup.as_ref().unwrap()).unwrap();
            let restored = bed.restore().unwrap_or_else(|error| panic!("{}: {error}", of.what));
            let now = bed.bytes();
            assert_eq!(now.len(), backup.len(), "{}", of.what);
            assert!(now[100..] == backup[100..], "{}", of.what);
            let warned: String = restored.warnings.iter().map(|of| of.message.as_str()).collect();
            assert!(warned.contains(of.tells), "{}: {warned}", of.what);
        }
    }
}

#[test]
fn v1_is_upgraded_by_a_callback_with_its_faults() {
    for of in &OLD {
        let bed = old(of);
        let mut host = Application::default();
        host.build = Some(Box::new(|job| {
            rusqlite::Connection::open(job.staging())?.execute_batch(ON_COPY)?;
            Ok(cutover::Built::default())
        }));
        let options = bed.options(BuildFrom::Copy, BuildBy::Host);
        let result = cutover::migrate(&options, &mut host);
        let result = result.unwrap_or_else(|error| panic!("{}: {error}", of.what));
        assert!(told(&result).join("\n").contains(of.tells), "{}: {result:?}", of.what);
    }
}

#[test]
fn a_v2_that_adds_a_fault_is_refused() {
    for of in OLD.iter().filter(|of| !of.adds.is_empty()) {
        let bed = old(of);
        let bytes = bed.bytes();
        let mut host = Application::default();
        host.build = Some(Box::new(|job| {
            let v2 = rusqlite::Connection::open(job.staging())?;
            v2.execute_batch(&format!("PRAGMA foreign_keys = OFF; {}; {ON_COPY}", of.adds))?;
            if of.adds.contains("CREATE TABLE u (c)") {
                v2.execute_batch(
                    "UPDATE sqlite_master SET sql = 'CREATE TABLE u (c NOT NULL)' WHERE name = 'u'",
                )?;
            }
            Ok(cutover::Built::default())
        }));
        let options = bed.options(BuildFrom::Copy, BuildBy::Host);
        let error = cutover::migrate(&options, &mut host).unwrap_err();
        assert_eq!(error.failure.code, Code::Verify, "{}: {}", of.what, error.failure);
        let told = error.failure.to_string();
        let had = told.split_once("in the old database there ").map(|(_, had)| had);
        let one = had.is_some_and(|had| had.starts_with("was 1;"));
        let other = had.is_some_and(|had| had.starts_with("were ") && !had.starts_with("were 1;"));
        assert!(one || other, "{}: {told}", of.what);
        drop(host);
        assert_eq!(bed.names(), ["data.db"], "{}", of.what);
        assert!(bed.bytes() == bytes, "{}", of.what);
    }
}

/// Faults that v2 does not have any more do not make room for others.
#[test]
fn a_fault_of_another_kind_is_not_what_v1_had() {
    let bed = old(&OLD[0]);
    let sql = "DELETE FROM t; CREATE TABLE u (c TEXT); INSERT INTO u VALUES ('12'); PRAGMA \
               writable_schema = ON; UPDATE sqlite_master SET sql = 'CREATE TABLE u (c INTEGER)' \
               WHERE name = 'u'; PRAGMA user_version = 2";
    let mut host = Application::default();
    host.build = Some(Box::new(|job| {
        rusqlite::Connection::open(job.staging())?.execute_batch(sql)?;
        Ok(cutover::Built::default())
    }));
    let options = bed.options(BuildFrom::Copy, BuildBy::Host);
    let error = cutover::migrate(&options, &mut host).unwrap_err();
    assert_eq!(error.failure.code, Code::Verify);
    assert!(error.failure.to_string().contains("1 row: TEXT value in u.c"));
}

#[test]
fn a_renamed_table_keeps_its_faults() {
    let bed = old(&OLD[0]);
    let sql = "ALTER TABLE t RENAME TO renamed; PRAGMA user_version = 2";
    let options = bed.sql(BuildFrom::Copy, sql).check_v1(false);
    let result = cutover::migrate(&options, &mut Application::default()).unwrap();
    assert_eq!(told(&result), ["2 rows: NULL value in renamed.c, as in the old database"]);
}
