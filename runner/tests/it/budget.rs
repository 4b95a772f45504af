//! One budget. If a holder never lets go, an upgrade ends within the default budget: by page copy,
//! or with v1 intact and the holder named.
//!
//! The test does not wait. Its host adds up the waits that cutover asks for.

use cutover::planner::{DataState, Strategy};
use cutover::{BuildBy, BuildFrom, Code, Detect, Event, Host, Make, Options};
use rusqlite::Connection;

use crate::support::notes::{NOTES, TO_V2, V1, rows};
use crate::support::other::Other;

const BUDGET_MS: u64 = 10_000;

/// The waits that the host was asked for, and those that events reported.
#[derive(Default)]
struct Clock {
    waited_ms: u64,
    told_ms: u64,
    waits: u32,
    released: u32,
}

impl Host for Clock {
    fn event(&mut self, event: &Event) {
        if let Event::Wait { delay_ms, waited_ms, budget_ms, .. } = event {
            self.told_ms += delay_ms;
            assert_eq!((*budget_ms, *waited_ms), (BUDGET_MS, self.told_ms));
        }
    }
    fn release_handles(&mut self) {
        self.released += 1;
    }
    fn wait(&mut self, delay_ms: u64) {
        self.waited_ms += delay_ms;
        self.waits += 1;
        assert!(self.waited_ms <= BUDGET_MS, "it waits longer than the budget");
    }
}

/// A program that keeps the database open.
enum Holder {
    This { _connection: Connection },
    Other(Other),
}

#[test]
fn a_holder_that_never_lets_go_costs_no_more_than_the_default_budget() {
    for mode in ["wal", "delete"] {
        for sql in [
            "SELECT count(*) FROM notes;",
            "BEGIN; SELECT count(*) FROM notes;",
            "BEGIN IMMEDIATE;",
        ] {
            for is_other in [false, true] {
                let directory = tempfile::tempdir().unwrap();
                let path = directory.path().join("data.db");
                Connection::open(&path)
                    .unwrap()
                    .execute_batch(&format!("PRAGMA journal_mode = {mode}; {V1}"))
                    .unwrap();
                let holder = if is_other {
                    Holder::Other(Other::opens(&path, sql))
                } else {
                    let db = Connection::open(&path).unwrap();
                    db.execute_batch(sql).unwrap();
                    Holder::This { _connection: db }
                };
                let what = format!("{mode}, {sql}, another process: {is_other}");
                let make = Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) };
                let mut clock = Clock::default();
                let result = cutover::migrate(
                    &Options::new(&path, "v1-v2", Detect::UserVersion(2), make),
                    &mut clock,
                );
                assert_eq!(clock.waited_ms, clock.told_ms, "{what}: an event reports each wait");
                // At most two series of waits: before the plan, and once more in it.
                assert!(
                    clock.waits <= 16 && clock.released >= clock.waits,
                    "{what}: {} waits",
                    clock.waits
                );
                let held = match &result {
                    Ok(_) if cfg!(not(windows)) => {
                        panic!("{what}: an open file is not replaced under its holder")
                    }
                    Ok(result) => {
                        assert_eq!(result.strategy, Some(Strategy::PageCopy), "{what}");
                        false
                    }
                    Err(error) => {
                        let failure = &error.failure;
                        // On POSIX cutover does not open a file that this process has open, so
                        // it does not look whether that is v1.
                        let state = if cfg!(windows) || is_other {
                            DataState::V1
                        } else {
                            DataState::Untouched
                        };
                        assert_eq!(
                            (failure.code, failure.data.state),
                            (Code::Held, state),
                            "{what}: {failure}"
                        );
                        assert_eq!(failure.waited_ms, clock.waited_ms, "{what}: {failure}");
                        assert!(failure.to_string().contains("held by"), "{what}: {failure}");
                        // Wine names no process.
                        if cfg!(not(windows)) {
                            assert_eq!(clock.waited_ms, BUDGET_MS, "{what}: {failure}");
                            let pid = if let Holder::Other(other) = &holder {
                                other.pid()
                            } else {
                                std::process::id()
                            };
                            let who: Vec<_> = failure
                                .holders
                                .iter()
                                .map(|holder| (holder.pid, holder.this_process))
                                .collect();
                            assert_eq!(who, [(pid, !is_other)], "{what}: {failure}");
                        }
                        true
                    }
                };
                drop(holder);
                let backup = result.ok().and_then(|result| result.backup);
                assert_eq!(rows(&path, if held { "notes" } else { "note" }), NOTES, "{what}");
                assert!(backup.is_none_or(|backup| rows(&backup, "notes") == NOTES), "{what}");
                let names = std::fs::read_dir(directory.path())
                    .unwrap()
                    .map(|entry| entry.unwrap().file_name().into_string().unwrap());
                let names: Vec<String> = names.filter(|name| !name.ends_with("-lock")).collect();
                assert_eq!(names.len(), if held { 1 } else { 3 }, "{what}: {names:?}");
            }
        }
    }
}
