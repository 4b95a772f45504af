//! SQLite copies v2 into a v1 that a program keeps open.

use std::fs::File;
use std::os::windows::fs::OpenOptionsExt as _;

use cutover::planner::{DataState, Strategy};
use cutover::{BackupOptions, BuildBy, BuildFrom, Built, Code, Event, Job, Outcome};
use rusqlite::Connection;

use super::{Bed, Script, build_v2, count, elsewhere};
use crate::support::notes::TO_V2;

#[test]
fn a_holder_that_never_lets_go_is_copied_under_and_lives_on() {
    for mode in ["wal", "delete"] {
        for run in [BuildBy::Sql(TO_V2.into()), BuildBy::Host] {
            for from in [BuildFrom::Empty, BuildFrom::Copy] {
                let (bed, live) = Bed::held(mode);
                let mut options = bed.options(run.clone());
                options.make.from = from;
                if from == BuildFrom::Copy && run != BuildBy::Host {
                    let sql = "ALTER TABLE notes RENAME TO note; PRAGMA user_version = 2";
                    options.make.run = BuildBy::Sql(sql.into());
                }
                let build = |job: &mut dyn Job| match from {
                    BuildFrom::Empty => build_v2(job),
                    BuildFrom::Copy => {
                        Connection::open(job.staging())?.execute_batch(
                            "ALTER TABLE notes RENAME TO note; PRAGMA user_version = 2",
                        )?;
                        Ok(Built::default())
                    }
                };
                let mut host = Script { build: Some(Box::new(build)), ..Script::default() };
                let result = cutover::migrate(&options, &mut host).unwrap();
                assert_eq!(
                    (result.outcome, result.strategy),
                    (Outcome::Migrated, Some(Strategy::PageCopy)),
                    "{mode} {run:?}"
                );
                assert_eq!(result.warnings, [], "{mode} {run:?}");
                assert!(host.waited_ms <= 400);
                let backup = result.backup.unwrap();
                bed.assert_migrated(&backup, 3);
                // The application goes on with its connection, and another process writes too.
                live.execute_batch("INSERT INTO note SELECT 4, 'a row since'").unwrap();
                assert_eq!(
                    elsewhere(&bed.path(), "SELECT count(*) FROM note; PRAGMA journal_mode"),
                    format!("4\n{mode}")
                );
                elsewhere(&bed.path(), "INSERT INTO note SELECT 5, 'of another process'");
                assert_eq!(
                    live.query_row("SELECT count(*) FROM note", [], |row| row.get::<_, i64>(0))
                        .unwrap(),
                    5
                );
                assert_eq!(
                    cutover::migrate(&bed.sql(), &mut Script::default()).unwrap().outcome,
                    Outcome::Current
                );
                drop(live);
                cutover::restore(
                    &bed.path(),
                    &backup,
                    &BackupOptions::default(),
                    &mut Script::default(),
                )
                .unwrap();
                assert_eq!(count(&bed.path(), "notes"), 3, "{mode} {run:?}");
                assert_eq!(elsewhere(&bed.path(), "PRAGMA journal_mode"), mode);
            }
        }
    }
}

/// SQLite copies no page of another size into a database in WAL mode.
#[test]
fn a_host_builds_with_v1s_page_size_if_its_pages_are_copied() {
    for page_size in [1024, 65536] {
        let (bed, live) = Bed::held(&format!(
            "DELETE; PRAGMA page_size = {page_size}; PRAGMA journal_mode = WAL"
        ));
        let mut host = Script { build: Some(Box::new(build_v2)), ..Script::default() };
        let result = cutover::migrate(&bed.options(BuildBy::Host), &mut host).unwrap();
        assert_eq!(result.strategy, Some(Strategy::PageCopy));
        bed.assert_migrated(&result.backup.unwrap(), 3);
        live.execute_batch("INSERT INTO note SELECT 4, 'a row since'").unwrap();
        assert_eq!(
            elsewhere(&bed.path(), "SELECT count(*) FROM note; PRAGMA page_size"),
            format!("4\n{page_size}")
        );
    }
}

#[test]
fn a_host_that_builds_with_another_page_size_is_refused_and_v1_stays() {
    let (bed, live) = Bed::held("WAL");
    let build = |job: &mut dyn Job| {
        let built = build_v2(job);
        Connection::open(job.staging())?.execute_batch("PRAGMA page_size = 512; VACUUM")?;
        built
    };
    let mut host = Script { build: Some(Box::new(build)), ..Script::default() };
    let error = cutover::migrate(&bed.options(BuildBy::Host), &mut host).unwrap_err();
    assert_eq!(
        (error.failure.code, error.failure.data.state),
        (Code::Verify, DataState::V1),
        "{error}"
    );
    assert!(error.to_string().contains("of 512 bytes"), "{error}");
    assert_eq!(bed.names(), ["data.db"]);
    assert_eq!(
        live.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0)).unwrap(),
        3
    );
    let mut host = Script { build: Some(Box::new(build_v2)), ..Script::default() };
    let result = cutover::migrate(&bed.options(BuildBy::Host), &mut host).unwrap();
    bed.assert_migrated(&result.backup.unwrap(), 3);
}

#[test]
fn what_the_holder_commits_while_v2_is_built_is_in_v2() {
    for mode in ["wal", "delete"] {
        // A commit and a checkpoint can leave header and size as they were.
        for checkpoint in ["", "PRAGMA wal_checkpoint(TRUNCATE)"] {
            let (bed, live) = Bed::held(mode);
            let mut late = true;
            let mut host = Script::default();
            host.on_event = Some(Box::new(|event| {
                if let Event::Phase { phase: cutover::planner::Phase::Installing } = event
                    && std::mem::take(&mut late)
                {
                    live.execute_batch("UPDATE notes SET text = 'soap' WHERE id = 1").unwrap();
                    let _ = live.execute_batch(checkpoint);
                }
            }));
            let result = cutover::migrate(&bed.sql(), &mut host).unwrap();
            drop(host);
            assert_eq!(result.strategy, Some(Strategy::PageCopy));
            for (path, sql) in [
                (bed.path(), "SELECT body FROM note WHERE id = 1"),
                (result.backup.clone().unwrap(), "SELECT text FROM notes"),
            ] {
                let text: String =
                    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap();
                assert_eq!(text, "soap", "{mode} {checkpoint}");
            }
            bed.assert_migrated(&result.backup.unwrap(), 3);
        }
    }
}

/// v1 is free when the plan is made, so the plan replaces it. At the flip a program has it open,
/// and keeps it open.
#[test]
fn a_holder_that_comes_before_the_flip_is_copied_under_without_a_second_build() {
    for op in ["look", "build-sql", "check", "lock-v1", "link"] {
        let (bed, live) = Bed::held("delete");
        drop(live);
        let (mut late, mut builds) = (None, 0);
        let path = bed.path();
        let mut host = Script::default();
        host.on_event = Some(Box::new(|event| {
            if let Event::Step { op: now, .. } = event {
                builds += usize::from(now == "build-sql");
                if now == op && late.is_none() {
                    late = Some(
                        File::options().read(true).write(true).share_mode(3).open(&path).unwrap(),
                    );
                }
            }
        }));
        let result = cutover::migrate(&bed.sql(), &mut host)
            .unwrap_or_else(|error| panic!("{op}: {}", error.failure));
        drop(host);
        assert_eq!(result.outcome, Outcome::Migrated, "{op}");
        assert_eq!(builds, 1, "{op}");
        drop(late);
        let backup = result.backup.unwrap();
        assert_eq!(
            (count(&bed.path(), "note"), count(&backup, "notes"), bed.names().len()),
            (3, 3, 3),
            "{op}: {:?}",
            bed.names()
        );
    }
}
