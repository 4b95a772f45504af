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
            let options = bed.options().make(Make { from: BuildFrom::Empty, run: BuildBy::Host });
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

/// The legacy daemon's own recovery removed what it had built, and was killed before it had put the
/// companion back: v1 is canonical, the companion and its backup hold this.
fn left_by_its_recovery(phase: &str, auth: Option<&[u8]>, backup: Option<&[u8]>) -> Bed {
    let bed = Bed::new();
    let (auth_path, auth_backup) = (bed.path("auth.json"), bed.path("auth.json.v1-v2-3fa9c1d2"));
    for (path, holds) in [(&auth_path, auth), (&auth_backup, backup)] {
        if let Some(holds) = holds {
            std::fs::write(path, holds).unwrap();
        }
    }
    let journal = json!({
        "version": 1, "source": bed.path("data.db"), "phase": phase, "nonce": "3fa9c1d2",
        "normalizedSource": bed.path("data.db.source-3fa9c1d2"),
        "staging": bed.path("data.db.building-3fa9c1d2"),
        "backup": bed.path("data.db.v1-v2-1782718800000-3fa9c1d2"),
        "authPath": auth_path, "authBackup": backup.map(|_| auth_backup),
        "authExisted": backup.is_some(),
    });
    std::fs::write(bed.path("data.db.v1-v2-migration.json"), journal.to_string()).unwrap();
    bed
}

/// What lies in the directory of the companion, by name.
fn secrets(bed: &Bed) -> Vec<(String, Vec<u8>)> {
    let names = bed.names().into_iter().filter(|name| name.starts_with("auth.json"));
    let names = names.filter(|name| !name.ends_with("-lock"));
    names.map(|name| (name.clone(), std::fs::read(bed.path(&name)).unwrap())).collect()
}

fn with_companion(bed: &Bed) -> Options {
    let companions = [("auth", bed.path("auth.json"))];
    bed.options().companions(companions)
}

/// A backup is torn only if it is the beginning of the companion. Anything else is put back, what it
/// displaces is kept, and no backup that differs and was not put back is removed; wherever the start
/// is killed.
#[test]
fn no_secret_of_the_legacy_daemon_is_lost() {
    let long = vec![b'x'; 40_000];
    let longer = [&long[..], b"y"].concat();
    let differs = [&long[..39_999], b"z"].concat();
    let (v1, v2): (&[u8], &[u8]) = (b"secret of v1", b"secret of v2");
    // Of the companion, of its backup; whether the backup is put back, or left as it is.
    for (auth, backup, puts_back, left) in [
        (Some(v2), v1, true, false),
        (Some(b"secr".as_slice()), v1, true, false),
        (Some(b"".as_slice()), v1, true, false),
        (None, v1, true, false),
        (Some(v1), v1, true, false),
        (Some(v1), b"secret".as_slice(), false, true),
        (Some(v1), b"".as_slice(), false, true),
        (Some(b"".as_slice()), b"".as_slice(), true, false),
        (Some(&long), &longer, true, false),
        (Some(&longer), &long, false, true),
        (Some(&long), &differs, true, false),
        (Some(&differs), &differs, true, false),
    ] {
        for phase in ["building", "built"] {
            // The daemon writes `built` once the backup is whole.
            let (puts_back, left) =
                if left && phase == "built" { (true, false) } else { (puts_back, left) };
            let mut wanted = Vec::new();
            wanted.push((
                "auth.json".to_owned(),
                if puts_back { backup } else { auth.unwrap() }.to_vec(),
            ));
            if puts_back {
                wanted.extend(
                    auth.map(|auth| ("auth.json.displaced-3fa9c1d2".to_owned(), auth.to_vec())),
                );
            }
            wanted.extend(left.then(|| ("auth.json.v1-v2-3fa9c1d2".to_owned(), backup.to_vec())));
            for at in (0..).step_by(if phase == "built" { 4 } else { 1 }) {
                let bed = left_by_its_recovery(phase, auth, Some(backup));
                let what =
                    format!("{phase}, {:?}, {:?}, {at}", auth.map(<[u8]>::len), backup.len());
                let before = secrets(&bed);
                let mut host = Interrupt { at, seen: 0 };
                let ended = catch_unwind(AssertUnwindSafe(|| {
                    cutover::recover(&with_companion(&bed), &mut host).unwrap()
                }));
                for (_, holds) in &before {
                    assert!(secrets(&bed).iter().any(|(_, kept)| kept == holds), "{what}: at once");
                }
                let result = match ended {
                    Ok(ref result) => result.clone(),
                    Err(_) => cutover::recover(&with_companion(&bed), &mut super::Calm::default())
                        .unwrap(),
                };
                assert_eq!(secrets(&bed), wanted, "{what}");
                assert_eq!(count(&bed.path("data.db"), "notes"), 3, "{what}");
                if ended.is_ok() {
                    assert_eq!(result.recovery, Recovery::Undone, "{what}");
                    let told: Vec<&str> =
                        result.warnings.iter().map(|warning| warning.message.as_str()).collect();
                    assert_eq!(told.len(), wanted.len() - 1, "{what}: {told:?}");
                    for message in told {
                        let (name, _) = &wanted[1];
                        assert!(message.contains(&super::real(&bed.path(name))), "{message}");
                        assert!(message.contains("once"), "{message}");
                    }
                    assert!(at > 5, "{what}");
                    break;
                }
            }
        }
    }
}

/// v1 had no companion. What the daemon wrote is kept under its displaced name.
#[test]
fn a_companion_that_the_legacy_daemon_made_is_set_aside() {
    for phase in ["building", "built"] {
        let bed = left_by_its_recovery(phase, Some(b"secret of v2"), None);
        cutover::recover(&with_companion(&bed), &mut super::Calm::default()).unwrap();
        let wanted = ("auth.json.displaced-3fa9c1d2".to_owned(), b"secret of v2".to_vec());
        assert_eq!(secrets(&bed), [wanted], "{phase}");
    }
}
