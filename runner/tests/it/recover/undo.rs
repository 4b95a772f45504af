//! A recovery calls the application's `undo` with the state that the application saved.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;

use cutover::{BuildBy, BuildFrom, Event, Host, HostError, Make, Outcome, Recovery};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Bed, Calm, build};

#[test]
fn the_host_gets_its_state_back_and_the_attempt_is_counted() {
    struct Kills(u32);
    impl Host for Kills {
        fn build(&mut self, job: &mut dyn cutover::Job) -> Result<cutover::Built, HostError> {
            assert_eq!(job.attempt(), self.0);
            job.save_state(json!({ "keychain": job.attempt() })).unwrap();
            resume_unwind(Box::new("killed in the build"));
        }
        fn undo(&mut self, state: Option<&Value>, _nonce: &str) -> Result<(), HostError> {
            assert_eq!(state, Some(&json!({ "keychain": self.0 - 1 })));
            Ok(())
        }
        fn wait(&mut self, _delay_ms: u64) {}
    }
    let bed = Bed::new();
    let options = bed.options().make(Make { from: BuildFrom::Empty, run: BuildBy::Host });
    for attempt in 1..=3 {
        assert!(
            catch_unwind(AssertUnwindSafe(
                || cutover::migrate(&options, &mut Kills(attempt)).map(drop)
            ))
            .is_err()
        );
    }
    let mut host = Calm::default();
    assert_eq!(cutover::recover(&options, &mut host).unwrap().recovery, Recovery::Undone);
    assert_eq!(host.undone, [Some(json!({ "keychain": 3 }))]);
    assert_eq!(bed.names(), ["data.db"]);
}

/// An application can never undo what it did outside. It upgrades nevertheless, and its `cleanup`
/// gets that state.
#[test]
fn an_undo_that_always_fails_stops_no_start() {
    struct Fails {
        builds: bool,
        asked: Vec<String>,
    }
    impl Host for Fails {
        fn build(&mut self, job: &mut dyn cutover::Job) -> Result<cutover::Built, HostError> {
            if !self.builds {
                job.save_state(json!({ "keychain": 1 })).unwrap();
                resume_unwind(Box::new("killed in the build"));
            }
            build(job)
        }
        fn undo(&mut self, state: Option<&Value>, nonce: &str) -> Result<(), HostError> {
            self.asked.push(format!("undo {} {nonce}", state.unwrap()));
            Err("the keychain is locked".into())
        }
        fn cleanup(&mut self, state: Option<&Value>, nonce: &str) -> Result<(), HostError> {
            self.asked.push(format!("cleanup {} {nonce}", state.unwrap()));
            Ok(())
        }
        fn wait(&mut self, _delay_ms: u64) {}
    }
    let bed = Bed::new();
    let options = bed.options().make(Make { from: BuildFrom::Empty, run: BuildBy::Host });
    let mut host = Fails { builds: false, asked: Vec::new() };
    assert!(
        catch_unwind(AssertUnwindSafe(|| cutover::migrate(&options, &mut host).map(drop))).is_err()
    );
    // Each recovery calls `undo`.
    for times in 1..=2 {
        assert_eq!(cutover::recover(&options, &mut host).unwrap().recovery, Recovery::Undone);
        assert_eq!(host.asked.len(), times);
    }
    host.builds = true;
    let result = cutover::migrate(&options, &mut host).unwrap();
    assert_eq!((result.outcome, result.recovery), (Outcome::Migrated, Recovery::Undone));
    assert!(
        result.warnings.iter().any(|warning| warning.message.contains("the keychain is locked")),
        "{:?}",
        result.warnings
    );
    let nonce = result.backup.unwrap().to_str().unwrap().rsplit('-').next().unwrap().to_owned();
    let asked = format!(r#"{{"keychain":1}} {nonce}"#);
    assert_eq!(
        host.asked,
        [
            format!("undo {asked}"),
            format!("undo {asked}"),
            format!("undo {asked}"),
            format!("cleanup {asked}")
        ]
    );
    assert_eq!(bed.names().len(), 3, "{:?}", bed.names());
}

/// Makes a directory of a file right before it is removed: a start refuses one that it finds.
struct MakesADirectory {
    of: PathBuf,
    undone: bool,
}

impl Host for MakesADirectory {
    fn undo(&mut self, _state: Option<&Value>, _nonce: &str) -> Result<(), HostError> {
        self.undone = true;
        Ok(())
    }
    fn event(&mut self, event: &Event) {
        if matches!(event, Event::Step { op, .. } if op == "remove") && self.of.is_file() {
            std::fs::remove_file(&self.of).unwrap();
            std::fs::create_dir(&self.of).unwrap();
        }
    }
    fn wait(&mut self, _delay_ms: u64) {}
}

/// A start that finds v2 beside a journal in phase `built` would install v2, without what the
/// application has undone by then.
#[test]
fn nothing_is_undone_while_v2_cannot_be_removed() {
    let bed = Bed::interrupted_before("link");
    Connection::open(bed.path("data.db"))
        .unwrap()
        .execute_batch("INSERT INTO notes (text) VALUES ('after the crash')")
        .unwrap();
    let staged = bed.find(".building-");
    let names = bed.names();
    let mut host = MakesADirectory { of: staged.clone(), undone: false };
    let error = cutover::migrate(&bed.options(), &mut host).unwrap_err();
    assert_eq!(error.failure.op.as_deref(), Some("remove"), "{}", error.failure);
    assert_eq!((host.undone, bed.names()), (false, names), "the journal stays");
    std::fs::remove_dir(&staged).unwrap();
    let result = bed.migrate().unwrap();
    assert_eq!(result.recovery, Recovery::Undone);
    bed.assert_migrated(&result, 4);
}
