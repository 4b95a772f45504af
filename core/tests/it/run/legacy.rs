//! A run recovers or takes over a legacy upgrade: these tests check where a failed step leaves v1
//! and the legacy journal.

use cutover_core::{
    Action, BuildBy, BuildFrom, DataState, Op, Plan, PlanPath, Recovery, Request, Verdict,
    legacy_journal_name, plan_migration,
};

use cutover_world::{canonical, our_names, permanent, request};

use super::{faulty, flip_at, position};

fn legacy_plan(row: &str) -> Plan {
    crate::recovery::plans().into_iter().find(|(name, _)| name == row).unwrap().1
}

/// Every step of that undo relies on the steps before it: v1 has its name back, the companion is
/// kept, staging proves that the companion's backup was whole. The application's own undo is the
/// exception: a later start asks for it again.
#[test]
fn an_undo_of_a_legacy_upgrade_stops_at_its_first_failure() {
    let mut failures = 0;
    for row in [
        "the legacy built",
        "the legacy built, a companion written in place",
        "the legacy canonical-moved, no staging",
        "the legacy building",
    ] {
        let plan = legacy_plan(row);
        for failing in 0..plan.undo.len() {
            let trace = faulty(&plan, |now| (now.undo && now.index == failing).then(permanent));
            failures += 1;
            if plan.undo[failing].op == (Op::UndoHost {}) {
                let Action::Done(report) = &trace.ending else {
                    panic!("{row}: {:?}", trace.ending)
                };
                assert!(report.left && report.recovery == Recovery::Undone, "{row}");
                let kept = [legacy_journal_name(&canonical()), our_names().staging];
                assert!(
                    !trace
                        .performed
                        .iter()
                        .any(|p| matches!(&p.op, Op::Remove { files } if kept.iter().any(|name| files.contains(&name.into())))),
                    "{row}: without staging one that says `committed` would be over"
                );
                assert_eq!(
                    trace.performed.last().unwrap().op,
                    Op::SyncDir { companion: None },
                    "{row}"
                );
                continue;
            }
            assert!(matches!(trace.ending, Action::Failed(_)), "{row}, undo[{failing}]");
            assert_eq!(
                trace.steps(true),
                (0..=failing).collect::<Vec<_>>(),
                "{row}, undo[{failing}]: nothing comes after it"
            );
        }
    }
    assert!(failures > 30, "{failures}");
}

/// A legacy journal that says `committed` must not outlive its staging file: the next start would
/// conclude that v2 had been installed, and call `cleanup`.
#[test]
fn a_legacy_journal_stays_until_this_attempt_s_journal_has_its_state() {
    let of_legacy =
        Request { nonce: cutover_world::nonce(), ..request(BuildBy::Host, BuildFrom::Empty) };
    let plan = plan_migration(
        &crate::recovery::legacy_at("committed", Some(Verdict::Old), true, false),
        &of_legacy,
    )
    .unwrap();
    let legacy = PlanPath::from(&legacy_journal_name(&canonical()));
    let taken = position(&plan, |op| matches!(op, Op::Remove { files } if files.contains(&legacy)));
    for failing in 0..=taken {
        let trace = faulty(&plan, |now| (!now.undo && now.index == failing).then(permanent));
        assert_eq!(trace.failure().data.state, DataState::V1, "steps[{failing}]");
        assert_eq!(trace.steps(true).is_empty(), failing < taken, "steps[{failing}]");
    }
    assert!(taken > 4, "{plan:#?}");
}

/// v1 is in the backup, and its log may be elsewhere: given back by its name alone it would lack
/// the rows in that.
#[test]
fn v1_is_not_given_back_before_its_log_is_beside_it() {
    for row in [
        "the legacy canonical-moved, staging there",
        "the legacy canonical-moved, another database's log where canonical was",
    ] {
        let plan = legacy_plan(row);
        let settled = position(
            &plan,
            |op| matches!(op, Op::Settle { file, .. } if *file == our_names().backup),
        );
        for at in 0..=flip_at(&plan) {
            let trace = faulty(&plan, |now| (!now.undo && now.index == at).then(permanent));
            let undone = trace.performed.iter().any(|p| p.undo);
            assert_eq!(undone, at > settled, "{row}, steps[{at}]");
            if undone {
                let Action::Done(report) = trace.ending else { panic!("{row}, steps[{at}]") };
                assert_eq!(report.recovery, Recovery::Undone, "{row}, steps[{at}]");
            } else {
                let backup = our_names().backup;
                let data = &trace.failure().data;
                assert_eq!(
                    (data.state, data.v1.as_deref()),
                    (DataState::FinishAtNextStart, Some(backup.as_str())),
                    "{row}, steps[{at}]"
                );
            }
        }
    }
}
