//! Companions that no plan can work on: declared elsewhere than they were, or such that no file can
//! replace them. A new upgrade refuses them; a recovery leaves them, and warns.

use cutover_core::{
    BuildBy, BuildFrom, Code, Companion, Failure, Journal, Observation, Op, Phase, Plan, PlanKind,
    ReplaceBlocker, Verdict, Warning, companion_staged_name, legacy_journal_name, plan_migration,
    refuse_moved_companions, validate,
};

use crate::recovery::{has, legacy_at, planned};
use cutover_world::{
    auth, canonical, directory, flip, interrupted, journal, name, nonce, our_journal, our_names,
    put_journal, request, v2, with_auth, with_companion,
};

const IN_BACKUP: &str = "auth.json.v1-v2-3fa9c1d2";
const ELSEWHERE: &str = "/srv/elsewhere/auth.json";

/// The companion is declared elsewhere than it was.
fn elsewhere(mut seen: Observation) -> Observation {
    let facts = seen.companions.get_mut(&auth()).unwrap();
    facts.path = ELSEWHERE.into();
    facts.relative = "../../../srv/elsewhere/auth.json".into();
    seen
}

/// No file can replace the companion. It has this content, and these files beside it.
fn fixed(mut seen: Observation, digest: &str, beside: &[&str]) -> Observation {
    let facts = seen.companions.get_mut(&auth()).unwrap();
    facts.digest = Some(digest.into());
    facts.present.extend(beside.iter().map(|beside| name(beside)));
    facts.irreplaceable = Some(ReplaceBlocker::MountPoint);
    seen
}

fn names_both(failure: &Failure) {
    assert_eq!((failure.code, failure.path.as_deref()), (Code::Io, Some(ELSEWHERE)), "{failure}");
    for text in [&failure.reason, &failure.hint] {
        assert!(text.contains("/home/u/app/auth.json"), "{failure}");
    }
}

#[test]
fn an_upgrade_does_not_begin_with_a_companion_that_an_interrupted_one_had_elsewhere() {
    let migrate =
        |seen: &Observation| plan_migration(seen, &request(BuildBy::Host, BuildFrom::Copy));
    let with_journal =
        |phase| with_auth(interrupted(&with_companion(journal(phase), phase == Phase::Built)));
    for phase in [Phase::Building, Phase::Built] {
        let seen = with_journal(phase);
        refuse_moved_companions(&seen).unwrap();
        migrate(&seen).unwrap();
        let seen = elsewhere(seen);
        names_both(&refuse_moved_companions(&seen).unwrap_err());
        names_both(&migrate(&seen).unwrap_err());
        // The recovery goes on all the same.
        assert_eq!(planned(&seen).kind, PlanKind::Undo);
    }
    // That upgrade is over; or the application has no such companion any longer.
    refuse_moved_companions(&elsewhere(with_journal(Phase::Committed))).unwrap();
    let mut seen = with_journal(Phase::Building);
    seen.companions.clear();
    refuse_moved_companions(&seen).unwrap();
    // Without a journal there is no other place.
    migrate(&elsewhere(with_auth(directory()))).unwrap();
}

#[test]
fn an_upgrade_does_not_begin_with_a_companion_that_a_legacy_one_had_elsewhere() {
    for phase in ["building", "built", "canonical-moved"] {
        let seen = with_auth(legacy_at(phase, Some(Verdict::Old), true, false));
        refuse_moved_companions(&seen).unwrap();
        names_both(&refuse_moved_companions(&elsewhere(seen.clone())).unwrap_err());
        assert_eq!(planned(&elsewhere(seen.clone())).kind, PlanKind::Undo, "{phase}");
        let mut another = elsewhere(seen);
        another.companions.get_mut(&auth()).unwrap().file = name("another.json");
        refuse_moved_companions(&another).unwrap();
    }
    let over = with_auth(legacy_at("committed", Some(Verdict::Current), false, true));
    refuse_moved_companions(&elsewhere(over)).unwrap();
    let mut torn = with_auth(directory());
    put_journal(&mut torn, &legacy_journal_name(&canonical()), "torn");
    put_journal(&mut torn, &our_journal(), "torn");
    refuse_moved_companions(&elsewhere(torn)).unwrap();
}

/// Whether the plan works on the companion, and the warning about it.
fn left(plan: &Plan) -> Option<Warning> {
    assert_eq!(validate(plan, None), []);
    let warnings = &plan.journal.as_ref().unwrap().warnings;
    let left = warnings.iter().find(|of| of.code.as_deref() == Some("COMPANION_IRREPLACEABLE"));
    assert_eq!(left.is_some(), !has(plan, |op| op.companion().is_some()), "{warnings:?}");
    left.cloned()
}

fn names_of_it(warning: Option<Warning>, beside: &[&str]) {
    let message = warning.unwrap().message;
    assert!(message.contains("/home/u/app/auth.json"), "{message}");
    assert!(message.contains("mount its directory"), "{message}");
    assert!(
        beside.iter().all(|beside| message.contains(&format!("/home/u/app/{beside}"))),
        "{message}"
    );
}

#[test]
fn a_recovery_never_stops_at_a_companion_that_no_file_can_replace() {
    let staged = companion_staged_name(&name("auth.json"), &nonce());
    let staged = [staged.as_str(), IN_BACKUP];
    let at = |journal: &Journal| with_auth(interrupted(journal));

    // An undo leaves what it would put back, and nothing else.
    let building = with_companion(journal(Phase::Building), false);
    let unchanged = planned(&fixed(at(&building), "before", &[IN_BACKUP]));
    assert_eq!((unchanged.kind, left(&unchanged)), (PlanKind::Undo, None));
    let changed = planned(&fixed(at(&building), "changed", &[IN_BACKUP]));
    assert_eq!(changed.kind, PlanKind::Undo);
    names_of_it(left(&changed), &[IN_BACKUP]);
    // A receipt, a restore and a prune know of its backup all the same.
    assert_eq!(changed.journal.unwrap().receipt(1).companions.len(), 1);
    let new = Companion { before: None, ..building.companions[0].clone() };
    let new = Journal { companions: vec![new], ..journal(Phase::Building) };
    names_of_it(left(&planned(&fixed(at(&new), "new", &[]))), &[]);

    // What waits to be installed, and cannot be, is undone while that can be done.
    let built = with_companion(journal(Phase::Built), true);
    let mut seen = at(&built);
    seen.files.insert(our_names().install, v2());
    let free = {
        let mut seen = seen.clone();
        let facts = seen.companions.get_mut(&auth()).unwrap();
        facts.present.extend(staged.iter().map(|beside| name(beside)));
        planned(&seen)
    };
    assert_eq!((free.kind, left(&free)), (PlanKind::Finish, None));
    let back = planned(&fixed(seen.clone(), "before", &staged));
    assert_eq!((back.kind, left(&back)), (PlanKind::Undo, None));
    // Once canonical is v2, the database is finished.
    flip(&mut seen);
    let forward = planned(&fixed(seen.clone(), "before", &staged));
    assert_eq!(forward.kind, PlanKind::Finish);
    names_of_it(left(&forward), &staged);
    // It is installed already.
    let installed = planned(&fixed(seen, "after", &[IN_BACKUP]));
    assert_eq!((installed.kind, left(&installed)), (PlanKind::Finish, None));
}

#[test]
fn a_legacy_recovery_never_stops_at_a_companion_that_no_file_can_replace() {
    let at = |phase| with_auth(legacy_at(phase, Some(Verdict::Old), true, false));
    let back = planned(&fixed(at("built"), "changed", &[IN_BACKUP]));
    assert_eq!(back.kind, PlanKind::Undo);
    names_of_it(left(&back), &[IN_BACKUP]);
    let no_backup = planned(&fixed(at("built"), "before", &[]));
    assert_eq!((no_backup.kind, left(&no_backup)), (PlanKind::Undo, None));
    let v2 = with_auth(legacy_at("canonical-moved", Some(Verdict::Current), false, true));
    let forward = planned(&fixed(v2, "changed", &[IN_BACKUP]));
    assert_eq!((forward.kind, left(&forward)), (PlanKind::Finish, None));
    let renames = |op: &Op| matches!(op, Op::Rename { to, .. } if to.companion.is_some());
    assert!(!has(&forward, renames));
}

#[test]
fn a_companion_that_is_no_longer_declared_is_left_alone_and_reported() {
    for (phase, moved) in [(Phase::Building, false), (Phase::Built, false), (Phase::Built, true)] {
        let mut seen = interrupted(&with_companion(journal(phase), true));
        seen.files.insert(our_names().install, v2());
        if moved {
            seen = with_auth(seen);
            seen.companions.get_mut(&auth()).unwrap().file = name("other.json");
        }
        let plan = planned(&seen);
        assert!(!has(&plan, |op| op.companion().is_some()), "{phase:?}");
        let journal = plan.journal.unwrap();
        // A backup of it stays beside it, and a restore and a prune know of that by the receipt.
        assert_eq!(journal.receipt(1).companions.len(), 1, "{phase:?}");
        let [warning] = journal.warnings.try_into().unwrap();
        assert_eq!(warning.code.as_deref(), Some("COMPANION_MOVED"));
        assert!(warning.message.contains("auth.json"), "{}", warning.message);
    }
}

/// Its directory is another one than it was (an environment that changed, say), and not because the
/// database's was moved or copied.
#[test]
fn a_companion_that_is_declared_elsewhere_is_left_alone_and_reported() {
    for (path, relative, here) in [
        ("/home/u/app/auth.json", "auth.json", true),
        ("/home/u/app/auth.json", "../app/auth.json", true),
        ("/moved/app/auth.json", "auth.json", true),
        ("/srv/elsewhere/auth.json", "../../../srv/elsewhere/auth.json", false),
    ] {
        for (phase, is_staged) in [
            (Phase::Building, false),
            (Phase::Building, true),
            (Phase::Built, false),
            (Phase::Built, true),
        ] {
            let journal = with_companion(journal(phase), is_staged);
            let mut seen = with_auth(interrupted(&journal));
            seen.files.insert(our_names().install, v2());
            let facts = seen.companions.get_mut(&auth()).unwrap();
            (facts.path, facts.relative) = (path.into(), relative.into());
            let plan = planned(&seen);
            assert_eq!(has(&plan, |op| op.companion().is_some()), here, "{path} {phase:?}");
            let warnings = plan.journal.unwrap().warnings;
            assert_eq!(warnings.is_empty(), here, "{path} {phase:?}");
            for Warning { code, message, .. } in warnings {
                assert_eq!(code.as_deref(), Some("COMPANION_MOVED"));
                assert!(
                    message.contains("/home/u/app/auth.json") && message.contains(path),
                    "{message}"
                );
            }
        }
    }
}

#[test]
fn only_a_backup_that_is_there_is_put_back() {
    for there in [false, true] {
        let mut seen = with_auth(interrupted(&with_companion(journal(Phase::Building), false)));
        if there {
            seen.companions
                .get_mut(&auth())
                .unwrap()
                .present
                .push(name("auth.json.v1-v2-3fa9c1d2"));
        }
        let puts_back = has(
            &planned(&seen),
            |op| matches!(op, Op::Rename { to, .. } if to.to_string() == "auth/auth.json"),
        );
        assert_eq!(puts_back, there);
    }
}
