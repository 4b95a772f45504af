//! An upgrade that is refused, fails or is killed beside a holder leaves v1. The next start
//! upgrades v1.

use std::fs::File;
use std::os::windows::fs::OpenOptionsExt as _;

use cutover::planner::DataState;
use cutover::{BuildBy, Code, Event, Outcome, Recovery};

use super::{Bed, Script, elsewhere};

#[test]
fn a_reader_that_goes_on_keeps_v1_and_the_next_start_upgrades_it() {
    let (bed, live) = Bed::held("wal");
    let mut reading = live.prepare("SELECT * FROM notes").unwrap();
    let mut rows = reading.query([]).unwrap();
    rows.next().unwrap().unwrap();
    let mut host = Script::default();
    let failure = cutover::migrate(&bed.sql(), &mut host).unwrap_err().failure;
    assert_eq!((failure.code, failure.data.state), (Code::Held, DataState::V1), "{failure}");
    assert!(!failure.holders.is_empty() && failure.to_string().contains("held by"), "{failure}");
    assert!(failure.waited_ms <= 400 && host.waited_ms == failure.waited_ms, "{failure}");
    assert_eq!(bed.names(), ["data.db"]);
    assert_eq!(elsewhere(&bed.path(), "SELECT count(*) FROM notes"), "3");
    drop(rows);
    drop(reading);
    let result = cutover::migrate(&bed.sql(), &mut Script::default()).unwrap();
    bed.assert_migrated(&result.backup.unwrap(), 3);
}

#[test]
fn a_failure_beside_a_holder_leaves_v1_and_nothing_else() {
    for mode in ["wal", "delete"] {
        let (bed, live) = Bed::held(mode);
        for (sql, code) in [("SELECT 1", Code::StillOld), ("no SQL", Code::Host)] {
            let failure =
                cutover::migrate(&bed.options(BuildBy::Sql(sql.into())), &mut Script::default())
                    .unwrap_err()
                    .failure;
            assert_eq!((failure.code, failure.data.state), (code, DataState::V1), "{failure}");
            assert_eq!(bed.names(), ["data.db"], "{mode}");
            assert_eq!(
                live.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0))
                    .unwrap(),
                3
            );
            assert_eq!(
                elsewhere(&bed.path(), "SELECT count(*) FROM notes; PRAGMA journal_mode"),
                format!("3\n{mode}")
            );
        }
    }
}

struct Stop;

#[test]
fn killed_before_any_step_beside_a_holder_the_next_start_ends_well() {
    for mode in ["wal", "delete"] {
        let mut at = 0;
        loop {
            let (bed, live) = Bed::held(mode);
            let mut seen = 0;
            let mut host = Script::default();
            host.on_event = Some(Box::new(|event| {
                if let Event::Step { .. } = event {
                    if seen == at {
                        std::panic::resume_unwind(Box::new(Stop));
                    }
                    seen += 1;
                }
            }));
            let stopped = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                cutover::migrate(&bed.sql(), &mut host)
            }))
            .is_err();
            drop(host);
            // In even rounds the holder is another process and lives on; in odd ones it dies with
            // its process.
            let live = (at % 2 == 0).then_some(live);
            let result = cutover::migrate(&bed.sql(), &mut Script::default()).unwrap();
            let backup = bed
                .names()
                .into_iter()
                .find(|name| name.contains(".v1-v2-") && !name.contains(".json"))
                .unwrap();
            bed.assert_migrated(&bed.0.path().join(backup), 3);
            assert!(stopped || result.outcome == Outcome::Current);
            drop(live);
            if !stopped {
                break;
            }
            at += 1;
        }
        assert!(at > 25, "{mode}: {at} steps");
    }
}

/// A program opens v1 between the link and the rename. v1 then has two hard links, and Windows can
/// remove neither.
#[test]
fn a_holder_that_comes_after_the_link_is_named_and_v1_stays_until_it_goes() {
    let (bed, live) = Bed::held("wal");
    drop(live);
    let mut late = None;
    let path = bed.path();
    let mut host = Script::default();
    host.on_event = Some(Box::new(|event| {
        if let Event::Step { op, .. } = event
            && op == "absent"
            && late.is_none()
        {
            late = Some(File::options().read(true).write(true).share_mode(3).open(&path).unwrap());
        }
    }));
    let failure = cutover::migrate(&bed.sql(), &mut host).unwrap_err().failure;
    drop(host);
    assert_eq!(failure.data.state, DataState::V1, "{failure}");
    assert!(failure.waited_ms <= 400, "{failure}");
    assert!(failure.to_string().contains("held by"), "{failure}");
    drop(late);
    let result = cutover::migrate(&bed.sql(), &mut Script::default()).unwrap();
    assert_eq!((result.outcome, result.recovery), (Outcome::Migrated, Recovery::Finished));
    bed.assert_migrated(&result.backup.unwrap(), 3);
}
