//! SQL or a host builds v2, and v2 has the layout, the mode and the links of v1.

use std::cell::RefCell;

use cutover::{BuildBy, BuildFrom, Built, Detect, Event, Make, Options, Outcome, Recovery, Value};
use rusqlite::Connection;
use serde_json::json;

use super::{Bed, Scripted, build_v2};
#[cfg(unix)]
use super::{mode, set_mode};
use crate::support::directory;
use crate::support::notes::{TO_V2, V1, rows};

#[test]
fn sql_turns_v1_into_v2_in_either_journal_mode_and_keeps_it() {
    for journal_mode in ["wal", "delete"] {
        let bed = Bed::new(journal_mode);
        let result = cutover::migrate(&bed.sql(), &mut Scripted::default()).unwrap();
        assert_eq!((result.outcome, result.recovery), (Outcome::Migrated, Recovery::None));
        assert_eq!(result.warnings, []);
        bed.assert_migrated(&result);
        let now: String =
            bed.open().query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(now, journal_mode);
        let again = cutover::migrate(&bed.sql(), &mut Scripted::default()).unwrap();
        assert_eq!((again.outcome, again.backup), (Outcome::Current, None));
    }
}

#[test]
fn a_host_builds_v2_from_a_private_copy() {
    let bed = Bed::new("wal");
    let mut host = Scripted { build: Some(Box::new(build_v2)), ..Scripted::default() };
    let result = cutover::migrate(&bed.host(BuildFrom::Empty), &mut host).unwrap();
    assert_eq!(result.report, Some(json!({ "notes": 3 })));
    assert_eq!(*host.cleaned.borrow(), [None]);
    drop(host);
    bed.assert_migrated(&result);
}

#[test]
fn a_host_migrates_a_copy_in_place() {
    let bed = Bed::new("delete");
    let mut host = Scripted::default();
    host.build = Some(Box::new(|job| {
        assert_eq!(job.source()?, job.staging());
        Connection::open(job.staging())?.execute_batch(
            "ALTER TABLE notes RENAME TO note; ALTER TABLE note RENAME COLUMN text TO body; \
             PRAGMA user_version = 2",
        )?;
        Ok(Built::default())
    }));
    let result = cutover::migrate(&bed.host(BuildFrom::Copy), &mut host).unwrap();
    bed.assert_migrated(&result);
}

#[test]
fn a_staging_that_is_still_held_is_built_into_a_fresh_file() {
    let bed = Bed::new("wal");
    let zombie = RefCell::new(None);
    let mut steps = Vec::new();
    let mut host = Scripted::default();
    host.build = Some(Box::new(|job| {
        let db = Connection::open(job.staging())?;
        db.execute_batch("PRAGMA journal_mode = WAL")?;
        db.execute("ATTACH DATABASE ?1 AS v1", [job.source()?.to_str().unwrap()])?;
        db.execute_batch(TO_V2)?;
        db.execute_batch("DETACH DATABASE v1")?;
        *zombie.borrow_mut() = Some(db);
        Ok(Built::default())
    }));
    host.on_event = Some(Box::new(|event| {
        if let Event::Step { op, .. } = event {
            steps.push(op.to_string());
        }
    }));
    let result = cutover::migrate(&bed.host(BuildFrom::Empty), &mut host).unwrap();
    drop(host);
    assert!(steps.contains(&"restage".to_owned()), "{steps:?}");
    // The leaked connection does not have canonical open, so what it writes changes nothing there.
    zombie.borrow().as_ref().unwrap().execute_batch("DELETE FROM note").unwrap();
    if cfg!(windows) {
        // Windows cannot remove an open file; the next start removes it.
        assert_eq!(result.warnings.len(), 1, "{:?}", result.warnings);
        zombie.take();
        assert_eq!(
            cutover::migrate(&bed.sql(), &mut Scripted::default()).unwrap().recovery,
            Recovery::Cleaned
        );
    }
    bed.assert_migrated(&result);
}

#[cfg(unix)]
#[test]
fn modes_and_symbolic_links_are_kept() {
    for run in [BuildBy::Sql(TO_V2.into()), BuildBy::Host] {
        let bed = Bed::new("wal");
        set_mode(&bed.path(), 0o640);
        let elsewhere = tempfile::tempdir().unwrap();
        let link = elsewhere.path().join("link.db");
        std::os::unix::fs::symlink(bed.path(), &link).unwrap();
        let directory_link = elsewhere.path().join("directory");
        std::os::unix::fs::symlink(elsewhere.path(), &directory_link).unwrap();
        let mut options = bed.sql();
        options.path = directory_link.join("link.db");
        options.make.run = run;
        let mut host = Scripted { build: Some(Box::new(build_v2)), ..Scripted::default() };
        let result = cutover::migrate(&options, &mut host).unwrap();
        drop(host);
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!((mode(&bed.path()), mode(&result.backup.clone().unwrap())), (0o640, 0o640));
        bed.assert_migrated(&result);
    }
}

#[test]
fn text_that_is_not_utf8_and_large_integers_are_read_exactly() {
    let bed = Bed::new("delete");
    bed.open()
        .execute_batch(
            "CREATE TABLE odd (v); INSERT INTO odd VALUES (CAST(x'ff41' AS TEXT)), \
             (9223372036854775807), (NULL), (1.5)",
        )
        .unwrap();
    let mut host = Scripted::default();
    host.build = Some(Box::new(|job| {
        let values: Vec<Value> = job
            .v1()
            .all("SELECT v FROM odd WHERE v IS NOT ?1", &[Value::Real(1.5)])?
            .into_iter()
            .map(|mut row| row.remove(0).1)
            .collect();
        assert_eq!(values, [Value::Blob(vec![0xff, 0x41]), Value::Integer(i64::MAX), Value::Null]);
        assert!(job.v1().all("DELETE FROM odd", &[]).is_err(), "a reader cannot write");
        build_v2(job)
    }));
    cutover::migrate(&bed.host(BuildFrom::Empty), &mut host).unwrap();
}

/// An application cannot set these in SQL that runs in a transaction, and they cannot be changed
/// later.
#[test]
fn v2_built_by_sql_is_laid_out_as_v1_is() {
    let layout = "PRAGMA page_size = 1024; PRAGMA encoding = 'UTF-16le'; PRAGMA auto_vacuum = INCREMENTAL; \
         PRAGMA application_id = -559038737";
    let bed = Bed::new(&format!("delete; {layout}"));
    cutover::migrate(&bed.sql(), &mut Scripted::default()).unwrap();
    let db = Connection::open(bed.path()).unwrap();
    let pragma = |name: &str| {
        db.query_row(&format!("SELECT CAST({name} AS TEXT) FROM pragma_{name}"), [], |row| {
            row.get::<_, String>(0)
        })
        .unwrap()
    };
    assert_eq!(
        ["page_size", "encoding", "auto_vacuum", "application_id"].map(pragma),
        ["1024", "UTF-16le", "2", "-559038737"]
    );
}

#[cfg(unix)]
#[test]
fn v2_has_v1s_mode_even_when_the_host_makes_the_file_anew() {
    let bed = Bed::new("delete");
    set_mode(&bed.path(), 0o600);
    let mut host = Scripted::default();
    host.build = Some(Box::new(|job| {
        std::fs::remove_file(job.staging())?;
        let built = build_v2(job)?;
        set_mode(job.staging(), 0o644);
        Ok(built)
    }));
    cutover::migrate(&bed.host(BuildFrom::Empty), &mut host).unwrap();
    assert_eq!(mode(&bed.path()), 0o600);
}

/// What a restore sets aside has such a name, and a person may open it.
#[test]
fn a_database_with_the_name_of_a_displaced_one_upgrades_without_a_warning() {
    for by in [BuildBy::Sql(TO_V2.into()), BuildBy::Host] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.displaced-1a2b3c4d");
        Connection::open(&path)
            .unwrap()
            .execute_batch(&format!("PRAGMA journal_mode = WAL; {V1}"))
            .unwrap();
        let make = Make { from: BuildFrom::Empty, run: by };
        let options = Options::new(&path, "v1-v2", Detect::UserVersion(2), make);
        let told = RefCell::new(Vec::new());
        let mut host = Scripted {
            build: Some(Box::new(build_v2)),
            on_event: Some(Box::new(|event| {
                if let Event::Warning { warning } = event {
                    told.borrow_mut().push(warning.message.clone());
                }
            })),
            ..Scripted::default()
        };
        let result = cutover::migrate(&options, &mut host).unwrap();
        drop(host);
        assert_eq!((result.outcome, &result.warnings), (Outcome::Migrated, &Vec::new()));
        assert_eq!(told.into_inner(), Vec::<String>::new());
        assert_eq!(rows(&path, "note"), ["milk", "bread", "a new bicycle"]);
        let backup = result.backup.unwrap();
        assert_eq!(rows(&backup, "notes"), ["milk", "bread", "a new bicycle"]);
        let backup = backup.file_name().unwrap().to_str().unwrap().to_owned();
        let names = ["x.displaced-1a2b3c4d".to_owned(), backup.clone(), format!("{backup}.json")];
        assert_eq!(self::directory::names(directory.path()), names);
    }
}
