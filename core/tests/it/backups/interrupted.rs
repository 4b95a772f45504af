//! A start finds an interrupted restore: these tests check that the files tell the recovery whether
//! to finish or to undo it.

use cutover_core::{
    Code, FileName, JournalMode, Observation, Phase, Plan, PlanKind, Platform, ReplaceBlocker,
    Step, companion_staged_name, plan_recovery,
};

use cutover_world::{auth, canonical, database, label, name, new_nonce, plain, put_journal};

use super::{found_of, restore_plan, upgraded};

/// A start that finds this restore, as far as `change` says that it got.
fn found(phase: Phase, change: impl Fn(&mut Observation, &FileName)) -> Plan {
    found_of(restore_plan(Platform::Linux), phase, change)
}

#[test]
fn the_files_tell_whether_a_restore_was_flipped() {
    let install = || name("data.db.install-0badcafe");
    let kind = |phase, change: &dyn Fn(&mut Observation, &FileName)| found(phase, change).kind;
    let v1_installed = || database("9", JournalMode::Wal, 8);
    assert_eq!(kind(Phase::Building, &|_, _| {}), PlanKind::Undo);
    assert_eq!(
        kind(Phase::Built, &|seen, _| drop(seen.files.insert(install(), v1_installed()))),
        PlanKind::Undo
    );
    let linked = |seen: &mut Observation, aside: &FileName| {
        seen.files.insert(install(), v1_installed());
        seen.files.insert(aside.clone(), plain("2", 8192));
    };
    assert_eq!(kind(Phase::Built, &linked), PlanKind::Undo);
    let flipped = |facts: cutover_core::FileFacts| {
        move |seen: &mut Observation, aside: &FileName| {
            seen.files.insert(canonical(), facts.clone());
            seen.files.insert(aside.clone(), plain("2", 8192));
        }
    };
    assert_eq!(kind(Phase::Built, &flipped(v1_installed())), PlanKind::Finish);
    assert_eq!(
        kind(Phase::Built, &flipped(database("9", JournalMode::Wal, 99))),
        PlanKind::Finish,
        "an old application wrote to v1"
    );
    let copied = cutover_core::FileFacts { file_id: "77".into(), ..v1_installed() };
    assert_eq!(kind(Phase::Built, &flipped(copied)), PlanKind::Finish, "the directory was copied");
    let written = |seen: &mut Observation, _: &FileName| {
        seen.files.insert(canonical(), database("2", JournalMode::Wal, 12));
        seen.files.insert(install(), v1_installed());
    };
    assert_eq!(kind(Phase::Built, &written), PlanKind::Undo, "an application wrote to v2");
    assert_eq!(kind(Phase::Committed, &flipped(v1_installed())), PlanKind::Clean);
}

/// The companion that waits to be put back cannot be: no file can replace the one that is there.
#[test]
fn an_interrupted_restore_never_stops_at_a_companion_that_no_file_can_replace() {
    let staged = companion_staged_name(&name("auth.json"), &new_nonce());
    for (flipped, waits, left) in [(false, true, false), (true, false, false), (true, true, true)] {
        let plan = found(Phase::Built, |seen, aside| {
            let facts = seen.companions.get_mut(&auth()).unwrap();
            facts.irreplaceable = Some(ReplaceBlocker::Immutable);
            facts.present.extend(waits.then(|| staged.clone()));
            seen.files.insert(aside.clone(), plain("2", 8192));
            let installed = if flipped { canonical() } else { name("data.db.install-0badcafe") };
            seen.files.insert(installed, database("9", JournalMode::Wal, 8));
        });
        assert_eq!(plan.kind, if flipped { PlanKind::Finish } else { PlanKind::Undo });
        let works = |step: &Step| step.op.companion().is_some();
        assert_eq!(plan.steps.iter().chain(&plan.undo).any(works), !left, "{flipped} {waits}");
        let warnings = plan.journal.unwrap().warnings;
        assert_eq!(warnings.len(), usize::from(left), "{warnings:?}");
        for warning in warnings {
            assert_eq!(warning.code.as_deref(), Some("COMPANION_IRREPLACEABLE"));
            for path in ["/home/u/app/auth.json", &format!("/home/u/app/{staged}")] {
                assert!(warning.message.contains(path), "{}", warning.message);
            }
        }
    }
}

#[test]
fn a_start_without_canonical_refuses() {
    let plan = restore_plan(Platform::Linux);
    let mut seen = upgraded(&[1]).0;
    put_journal(&mut seen, &cutover_world::our_journal(), &plan.journal.unwrap().to_text());
    seen.files.remove(&canonical());
    assert_eq!(plan_recovery(&seen, &label(), &new_nonce()).unwrap_err().code, Code::Journal);
}
