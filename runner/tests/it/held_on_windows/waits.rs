//! An upgrade waits within its budget until a holder lets go.

use std::cell::RefCell;
use std::fs::File;
use std::os::windows::fs::OpenOptionsExt as _;

use cutover::planner::{DataState, Strategy};
use cutover::{BuildBy, Code, Outcome, Recovery};
use rusqlite::Connection;

use super::{Bed, Script, build_v2};

#[test]
fn a_holder_that_closes_when_it_is_asked_to_is_replaced() {
    let (bed, live) = Bed::held("wal");
    let live = RefCell::new(Some(live));
    let mut host = Script { on_release: Some(Box::new(|| drop(live.take()))), ..Script::default() };
    let result = cutover::migrate(&bed.sql(), &mut host).unwrap();
    assert_eq!(result.strategy, Some(Strategy::LinkReplace));
    drop(host);
    bed.assert_migrated(&result.backup.unwrap(), 3);
}

/// One budget: if everything is in the way, an upgrade waits no longer than its budget.
#[test]
fn all_waits_of_one_start_are_within_the_budget() {
    for wait_ms in [0, 50, 400, 10_000] {
        let (bed, live) = Bed::held("wal");
        let zombie = RefCell::new(None);
        let mut host = Script::default();
        host.build = Some(Box::new(|job| {
            let built = build_v2(job)?;
            *zombie.borrow_mut() = Some(Connection::open(job.staging())?);
            zombie.borrow().as_ref().unwrap().execute_batch("SELECT * FROM note").unwrap();
            Ok(built)
        }));
        let options = bed.options(BuildBy::Host).wait_ms(wait_ms);
        let result = cutover::migrate(&options, &mut host).unwrap();
        assert!(host.waited_ms <= wait_ms, "{} of {wait_ms}", host.waited_ms);
        // The leaked connection has staging open to the end. cutover copies it, and the next start
        // removes it.
        assert_eq!(
            (result.strategy, result.warnings.len()),
            (Some(Strategy::PageCopy), 1),
            "{:?}",
            result.warnings
        );
        drop(host);
        drop((zombie, live));
        let next = cutover::migrate(&bed.sql(), &mut Script::default()).unwrap();
        assert_eq!((next.outcome, next.recovery), (Outcome::Current, Recovery::Cleaned));
        bed.assert_migrated(&result.backup.unwrap(), 3);
    }
}

/// The host's state goes into the journal, which a virus scanner may have open. cutover waits for
/// it within the budget.
#[test]
fn a_state_is_saved_when_a_scanner_lets_go_of_the_journal() {
    for (wait_ms, lets_go) in [(10_000, true), (0, false)] {
        let (bed, live) = Bed::held("delete");
        drop(live);
        let journal = bed.0.path().join("data.db.v1-v2-cutover.json");
        let mut host = Script::default();
        host.build = Some(Box::new(|job| {
            let scanner = File::options().read(true).share_mode(3).open(&journal)?;
            let (saved, is_saved) = std::sync::mpsc::channel::<()>();
            let scans = std::thread::spawn(move || {
                // If it does not let go, it keeps the file open until the test ends.
                if !lets_go {
                    let _ = is_saved.recv();
                }
                drop(scanner);
            });
            let result = job.save_state(serde_json::json!({ "key": 1 }));
            drop(saved);
            scans.join().unwrap();
            result?;
            build_v2(job)
        }));
        let result = cutover::migrate(&bed.options(BuildBy::Host).wait_ms(wait_ms), &mut host);
        drop(host);
        match result {
            Ok(result) => {
                assert!(lets_go);
                bed.assert_migrated(&result.backup.unwrap(), 3);
            }
            Err(error) => {
                assert!(
                    !lets_go
                        && error.failure.code == Code::Host
                        && error.failure.data.state == DataState::V1,
                    "{}",
                    error.failure
                );
                assert_eq!(bed.names(), ["data.db"]);
            }
        }
    }
}
