//! The application was updated after a start was interrupted, and its label changed. What needs
//! nothing of the release that began the upgrade is ended; else the start names that label.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cutover::planner::Plan;
use cutover::{
    BuildBy, BuildFrom, Built, Code, Detect, Event, Host, HostError, Job, Make, Options, Outcome,
    Recovery,
};
use rusqlite::Connection;
use serde_json::{Value, json};

use super::{Bed, Calm, build, count};
use crate::support::interrupt::Interrupt;

/// What the callback of the interrupted upgrade did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Did {
    /// It only built v2; or SQL did.
    Nothing,
    SavedState,
    Staged,
    WroteInPlace,
}

struct App<'a> {
    did: Did,
    bed: &'a Bed,
    interrupt: Interrupt,
}

impl Host for App<'_> {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        match self.did {
            Did::Nothing => {}
            Did::SavedState => job.save_state(json!("keychain"))?,
            Did::Staged => job.write_companion("auth", b"v2")?,
            Did::WroteInPlace => std::fs::write(self.bed.path("auth.json"), "v2")?,
        }
        build(job)
    }
    fn event(&mut self, event: &Event) {
        self.interrupt.event(event);
    }
    fn wait(&mut self, _delay_ms: u64) {}
}

const TO_V3: &str = "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS note (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
    INSERT INTO note SELECT id, text FROM notes;
    DROP TABLE notes; PRAGMA user_version = 3;";

impl Bed {
    /// The options of the release that began, and of the newer one, which takes v2 for old.
    fn labelled(&self, label: &str, did: Option<Did>) -> Options {
        let (version, run) = if label == "v1-v2" {
            (2, did.map_or(self.options().make.run, |_| BuildBy::Host))
        } else {
            (3, BuildBy::Sql(TO_V3.into()))
        };
        let from = if label == "v1-v2" { BuildFrom::Empty } else { BuildFrom::Copy };
        let make = Make { from, run };
        let mut options =
            Options::new(self.path("data.db"), label, Detect::UserVersion(version), make);
        if matches!(did, Some(Did::Staged | Did::WroteInPlace)) {
            options.companions.insert("auth".into(), self.path("auth.json"));
        }
        options
    }

    /// Interrupts the upgrade to v2 before its step `at`. False: it ended before.
    fn begun(did: Option<Did>, at: usize) -> (Self, bool) {
        let bed = Self::new();
        if matches!(did, Some(Did::Staged | Did::WroteInPlace)) {
            std::fs::write(bed.path("auth.json"), "v1").unwrap();
        }
        let options = bed.labelled("v1-v2", did);
        let interrupt = Interrupt { at, seen: 0 };
        let mut app = App { did: did.unwrap_or(Did::Nothing), bed: &bed, interrupt };
        let ended = catch_unwind(AssertUnwindSafe(|| {
            cutover::migrate(&options, &mut app).map(drop).unwrap();
        }));
        let interrupted = ended.is_err();
        (bed, interrupted)
    }

    fn journal(&self) -> Option<Value> {
        let text = std::fs::read(self.path("data.db.v1-v2-cutover.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    fn version(&self) -> u8 {
        // `user_version`, at offset 60: <https://www.sqlite.org/fileformat2.html>.
        std::fs::read(self.path("data.db")).unwrap()[63]
    }

    fn auth(&self) -> String {
        std::fs::read_to_string(self.path("auth.json")).unwrap_or_default()
    }
}

/// Ends what was begun as a plan that is given, until none is.
fn by_plans(options: &Options) {
    for _ in 0..4 {
        let Some(plan) = cutover::plan(options, &mut Calm::default()).unwrap() else { return };
        let plan = Plan::parse(&plan.to_text()).unwrap();
        if plan.kind.begins() {
            return;
        }
        cutover::run_plan(&plan.to_text(), options, &mut Calm::default()).unwrap();
    }
    panic!("the plans do not end");
}

#[test]
fn an_upgrade_with_another_label_is_ended_wherever_it_was_killed() {
    for did in [None, Some(Did::Nothing), Some(Did::Staged)] {
        let (mut at, mut undone, mut finished) = (0, 0, 0);
        loop {
            let (bed, interrupted) = Bed::begun(did, at);
            let (was_v2, phase) = (bed.version() == 2, bed.journal().map(|of| of["phase"].clone()));
            let what = format!("{did:?}, before step {at}: {phase:?}");
            let options = bed.labelled("v1-v3", did);
            if at % 2 == 0 {
                by_plans(&options);
            } else {
                let recovered = cutover::recover(&options, &mut Calm::default()).unwrap().recovery;
                undone += usize::from(recovered == Recovery::Undone);
                finished += usize::from(recovered == Recovery::Finished);
                let wanted = match phase.as_ref().map(|phase| phase.as_str().unwrap()) {
                    None => Recovery::None,
                    Some("committed") => Recovery::Cleaned,
                    Some(_) if was_v2 => Recovery::Finished,
                    Some(_) => Recovery::Undone,
                };
                // Half of the first journal is removed as well.
                assert!(recovered == wanted || at < 4 && recovered == Recovery::Cleaned, "{what}");
            }
            // v1 is as it was, or v2 is in place with a whole backup of v1; and nothing else.
            assert_eq!(bed.version() == 2, was_v2, "{what}");
            let table = if was_v2 { "note" } else { "notes" };
            assert_eq!(count(&bed.path("data.db"), table), 3, "{what}");
            let backups = cutover::list_backups(&bed.path("data.db")).unwrap();
            assert_eq!(backups.len(), usize::from(was_v2), "{what}: {backups:?}");
            assert!(backups.iter().all(|backup| backup.whole), "{what}: {backups:?}");
            if did == Some(Did::Staged) {
                assert_eq!(bed.auth(), if was_v2 { "v2" } else { "v1" }, "{what}");
            }
            let left = |name: &String| {
                ["building", "install", "source", "-cutover.json", ".tmp"]
                    .iter()
                    .any(|part| name.contains(part))
            };
            assert!(!bed.names().iter().any(left), "{what}: {:?}", bed.names());
            let result = cutover::migrate(&options, &mut Calm::default()).unwrap();
            assert_eq!((result.outcome, bed.version()), (Outcome::Migrated, 3), "{what}");
            assert_eq!(count(&bed.path("data.db"), "note"), 3, "{what}");
            if !interrupted {
                break;
            }
            at += 1;
        }
        println!("{did:?}: {undone} undone, {finished} finished, {at} steps");
        assert!(undone > 5 && finished > 1, "{did:?}: {undone}, {finished}");
    }
}

#[test]
fn what_needs_the_release_that_began_it_is_refused_and_names_its_label() {
    for did in [Did::SavedState, Did::WroteInPlace] {
        let (mut at, mut refused) = (0, 0);
        loop {
            let (bed, interrupted) = Bed::begun(Some(did), at);
            let journal = bed.journal();
            let unfinished = journal.as_ref().is_some_and(|of| of["phase"] != "committed");
            let needed = match did {
                Did::SavedState => journal.as_ref().is_some_and(|of| !of["hostState"].is_null()),
                _ => bed.auth() != "v1",
            };
            let what = format!("{did:?}, before step {at}");
            let options = bed.labelled("v1-v3", Some(did));
            let before = bed.names();
            if unfinished && needed && bed.version() != 2 {
                let refusals = [
                    cutover::migrate(&options, &mut Calm::default()).unwrap_err().failure,
                    cutover::recover(&options, &mut Calm::default()).unwrap_err().failure,
                    cutover::plan(&options, &mut Calm::default()).unwrap_err().failure,
                ];
                for failure in refusals {
                    assert_eq!(failure.code, Code::Journal, "{what}");
                    let hint = r#"recover({ label: "v1-v2", ... })"#;
                    assert!(failure.to_string().contains(hint), "{what}: {failure}");
                }
                assert_eq!(bed.names(), before, "{what}");
                refused += 1;
                // What the hint says: then the new release upgrades.
                let mut host = Calm::default();
                let own = bed.labelled("v1-v2", Some(did));
                cutover::recover(&own, &mut host).unwrap();
                assert!(host.undone.iter().all(|of| did != Did::SavedState || of.is_some()));
            }
            let result = cutover::migrate(&options, &mut Calm::default()).unwrap();
            assert_eq!((result.outcome, bed.version()), (Outcome::Migrated, 3), "{what}");
            if !interrupted {
                break;
            }
            at += 1;
        }
        println!("{did:?}: {refused} refused of {at} steps");
        assert!(refused > 5, "{did:?}: {refused}");
    }
}

/// The new release's own `undo` fails: no upgrade begins over what the old release did.
#[test]
fn an_undo_that_fails_under_another_label_begins_no_upgrade() {
    struct Fails;
    impl Host for Fails {
        fn undo(&mut self, state: Option<&Value>, _nonce: &str) -> Result<(), HostError> {
            assert_eq!(state, None);
            Err("the keychain is locked".into())
        }
        fn wait(&mut self, _delay_ms: u64) {}
    }
    let (bed, _) = Bed::begun(Some(Did::Nothing), 12);
    assert_eq!(bed.journal().unwrap()["phase"], "building");
    let options = bed.labelled("v1-v3", None);
    let failure = cutover::migrate(&options, &mut Fails).unwrap_err().failure;
    assert_eq!(failure.code, Code::Journal);
    assert!(failure.hint.contains(r#"recover({ label: "v1-v2", ... })"#), "{failure}");
    assert_eq!((bed.version(), count(&bed.path("data.db"), "notes")), (0, 3));
    let result = cutover::migrate(&options, &mut Calm::default()).unwrap();
    assert_eq!((result.outcome, result.recovery), (Outcome::Migrated, Recovery::Undone));
    drop(Connection::open(bed.path("data.db")).unwrap());
}
