//! A start recovers what a killed legacy daemon left.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use cutover::{BuildBy, BuildFrom, Event, Host, HostError, Make, Options, Outcome, Recovery};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Bed, build, count};
use crate::support::interrupt::Interrupt;
use crate::support::notes::TO_V2;

/// The legacy daemon was killed after it moved v1 and before it installed v2, with or without a
/// built v2.
fn moved_by_legacy(built: bool) -> Bed {
    let bed = Bed::new();
    Connection::open(bed.path("data.db"))
        .unwrap()
        .query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
        .unwrap();
    let staging = bed.path("data.db.building-3fa9c1d2");
    if built {
        let v2 = Connection::open(&staging).unwrap();
        v2.execute("ATTACH ?1 AS v1", [bed.path("data.db").to_str().unwrap()]).unwrap();
        v2.execute_batch(TO_V2).unwrap();
    }
    let backup = bed.path("data.db.v1-v2-1782718800000-3fa9c1d2");
    std::fs::rename(bed.path("data.db"), &backup).unwrap();
    let journal = json!({
        "version": 1, "source": bed.path("data.db"), "normalizedSource": bed.path("data.db.source-3fa9c1d2"), "staging": staging,
        "backup": backup, "authPath": bed.path("auth.json"), "authBackup": null, "authExisted": false, "nonce": "3fa9c1d2",
        "keychainBackups": ["k"], "phase": "canonical-moved",
    });
    std::fs::write(bed.path("data.db.v1-v2-migration.json"), journal.to_string()).unwrap();
    bed
}

/// The application can never undo what its old release did outside. It upgrades nevertheless,
/// wherever a start is killed, and its `cleanup` gets what that release had kept.
#[test]
fn a_legacy_undo_that_always_fails_stops_no_start() {
    struct Fails(Interrupt, Vec<String>);
    impl Host for Fails {
        fn build(&mut self, job: &mut dyn cutover::Job) -> Result<cutover::Built, HostError> {
            job.save_state(json!(["k", "new"])).unwrap();
            build(job)
        }
        fn undo(&mut self, state: Option<&Value>, nonce: &str) -> Result<(), HostError> {
            self.1.push(format!("undo {} {nonce}", state.unwrap()));
            Err("the keychain is locked".into())
        }
        fn cleanup(&mut self, state: Option<&Value>, nonce: &str) -> Result<(), HostError> {
            self.1.push(format!("cleanup {} {nonce}", state.unwrap()));
            Ok(())
        }
        fn event(&mut self, event: &Event) {
            self.0.event(event);
        }
        fn wait(&mut self, _delay_ms: u64) {}
    }
    // In the first case v1 is in the backup and nothing was built. In the others v1 is canonical
    // and v2 was built. Windows, which has no directory fsync, may bring back the journal that was
    // removed last.
    for (moved, comes_back) in [(true, false), (false, false), (false, true)] {
        let (mut at, mut both) = (0, 0);
        loop {
            let bed = moved_by_legacy(!moved);
            if !moved {
                std::fs::rename(bed.find(".v1-v2-1"), bed.path("data.db")).unwrap();
            }
            let journal = std::fs::read(bed.path("data.db.v1-v2-migration.json")).unwrap();
            let options = Options {
                make: Make { from: BuildFrom::Empty, run: BuildBy::Host },
                ..bed.options()
            };
            let mut host = Fails(Interrupt { at, seen: 0 }, Vec::new());
            let interrupted = catch_unwind(AssertUnwindSafe(|| {
                cutover::migrate(&options, &mut host).map(drop).unwrap();
            }))
            .is_err();
            let (ours, legacy) =
                (bed.path("data.db.v1-v2-cutover.json"), bed.path("data.db.v1-v2-migration.json"));
            if comes_back
                && std::fs::read_to_string(&ours).is_ok_and(|text| text.contains(r#""building""#))
            {
                std::fs::write(&legacy, &journal).unwrap();
            }
            both += usize::from(ours.exists() && legacy.exists());
            let (before, saved) = (
                host.1.len(),
                std::fs::read_to_string(&ours).is_ok_and(|text| text.contains("new")),
            );
            host.0.at = usize::MAX;
            let result = cutover::migrate(&options, &mut host).unwrap();
            let what = format!("{moved} {comes_back}, before step {at}: {:?} {result:?}", host.1);
            assert_eq!(
                (
                    count(&bed.path("data.db"), "note"),
                    count(&bed.find(".v1-v2-1"), "notes"),
                    bed.names().len()
                ),
                (3, 3, 3),
                "{what}"
            );
            assert!(host.1.iter().all(|asked| asked.ends_with(" 3fa9c1d2")), "{what}");
            assert_eq!(host.1.first().unwrap(), r#"undo ["k"] 3fa9c1d2"#, "{what}");
            assert_eq!(host.1.last().unwrap(), r#"cleanup ["k","new"] 3fa9c1d2"#, "{what}");
            assert!(!saved || host.1[before..].iter().all(|asked| asked.contains("new")), "{what}");
            if !interrupted {
                break;
            }
            at += 1;
        }
        assert!(at > 40 && both > if comes_back { 5 } else { 0 }, "{at} {both}");
    }
}

/// The legacy journal may have reached the disk as `committed` before the daemon's renames did. An
/// undo that fails is then called again, and `cleanup` is not called in its place.
#[test]
fn a_legacy_undo_that_fails_beside_committed_is_called_again() {
    struct Fails(Vec<&'static str>);
    impl Host for Fails {
        fn undo(&mut self, _state: Option<&Value>, _nonce: &str) -> Result<(), HostError> {
            self.0.push("undo");
            Err("the keychain is locked".into())
        }
        fn cleanup(&mut self, _state: Option<&Value>, _nonce: &str) -> Result<(), HostError> {
            self.0.push("cleanup");
            Ok(())
        }
        fn wait(&mut self, _delay_ms: u64) {}
    }
    let bed = moved_by_legacy(true);
    std::fs::rename(bed.find(".v1-v2-1"), bed.path("data.db")).unwrap();
    let journal = bed.path("data.db.v1-v2-migration.json");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text.replace("canonical-moved", "committed")).unwrap();
    let mut host = Fails(Vec::new());
    for times in 1..=3 {
        assert_eq!(cutover::recover(&bed.options(), &mut host).unwrap().recovery, Recovery::Undone);
        assert_eq!(host.0, vec!["undo"; times]);
    }
    let result = cutover::migrate(&bed.options(), &mut host).unwrap();
    assert_eq!(host.0, ["undo", "undo", "undo", "undo", "cleanup"]);
    bed.assert_migrated(&result, 3);
}

/// An older release starts right before canonical gets its file, and makes a database of its own
/// there. Neither v2 nor v1 replaces it.
#[test]
fn a_database_that_an_older_release_made_in_the_gap_is_kept() {
    struct Gap(PathBuf);
    impl Host for Gap {
        fn event(&mut self, event: &Event) {
            if matches!(event, Event::Step { op, .. } if op == "rename-new") && !self.0.exists() {
                Connection::open(&self.0)
                    .unwrap()
                    .execute_batch("CREATE TABLE other (x); INSERT INTO other VALUES (1)")
                    .unwrap();
            }
        }
        fn wait(&mut self, _delay_ms: u64) {}
    }
    for built in [true, false] {
        let bed = moved_by_legacy(built);
        let before = bed.names();
        cutover::migrate(&bed.options(), &mut Gap(bed.path("data.db"))).unwrap_err();
        let there = [vec!["data.db".to_owned()], before].concat();
        assert_eq!(bed.names(), there, "built={built}: every file is kept");
        assert_eq!(
            (count(&bed.path("data.db"), "other"), count(&bed.find(".v1-v2-1"), "notes")),
            (1, 3),
            "built={built}"
        );
        assert!(!built || count(&bed.find(".building-"), "note") == 3);
        let result = bed.migrate().unwrap();
        assert_eq!(
            (result.outcome, count(&bed.path("data.db"), "note")),
            (Outcome::Migrated, 3),
            "built={built}"
        );
        assert_eq!(
            count(&bed.find(".displaced-"), "other"),
            1,
            "built={built}: the next start sets it aside"
        );
    }
}
