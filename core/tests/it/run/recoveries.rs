//! A run performs a recovery plan: these tests fail each of its steps and check what the run
//! undoes, leaves and tells.

use cutover_core::{
    Action, DataState, Op, OpError, OpErrorKind, OsCode, Phase, PlanKind, Platform, Recovery,
    plan_recovery,
};

use cutover_world::{
    Trace, canonical, drive_well, flip, interrupted, journal, label, new_nonce, our_names,
    permanent, transient,
};

use super::{cleanup_from, faulty, flip_at, position, recovery_of, removes_journal};

#[test]
fn a_recovery_that_goes_on_is_undone_by_a_permanent_failure_and_left_by_a_transient_one() {
    let plan = recovery_of(&journal(Phase::Built));
    assert_eq!(plan.kind, PlanKind::Finish);
    for at in drive_well(plan.clone()).steps(false) {
        for (fault, is_transient) in [(permanent(), false), (transient(), true)] {
            let trace = faulty(&plan, |now| (!now.undo && now.index == at).then(|| fault.clone()));
            let undone = trace.performed.iter().any(|p| p.undo);
            let is_transient = is_transient && !plan.steps[at].op.is_sync();
            match &trace.ending {
                Action::Done(report) if at >= cleanup_from(&plan) => {
                    assert!(report.installed && !undone, "{at}");
                }
                Action::Failed(failure) if at > flip_at(&plan) => {
                    assert!(!undone && failure.data.state == DataState::FinishAtNextStart, "{at}");
                }
                Action::Failed(failure) => assert!(
                    is_transient && !undone && failure.data.state == DataState::V1,
                    "{at}: {failure}"
                ),
                Action::Done(report) => {
                    assert!(
                        !is_transient
                            && undone
                            && report.recovery == Recovery::Undone
                            && !report.installed,
                        "{at}"
                    );
                }
                other => panic!("{at}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_recovery_that_goes_forward_undoes_nothing() {
    let mut observation = interrupted(&journal(Phase::Built));
    flip(&mut observation);
    let plan = plan_recovery(&observation, &label(), &new_nonce()).unwrap().unwrap();
    for at in 0..plan.steps.len() {
        let trace = faulty(&plan, |now| (now.index == at).then(permanent));
        assert!(trace.performed.iter().all(|p| !p.undo), "{at}");
        match &trace.ending {
            Action::Done(report) => assert!(at >= cleanup_from(&plan) && report.installed, "{at}"),
            Action::Failed(failure) => {
                assert!(at < cleanup_from(&plan), "{at}");
                assert_eq!(failure.data.state, DataState::FinishAtNextStart, "{at}");
            }
            other => panic!("{at}: {other:?}"),
        }
    }
}

#[test]
fn an_undo_tells_its_recovery_and_a_failed_one_where_v1_is() {
    let plan = recovery_of(&journal(Phase::Building));
    let Action::Done(report) = drive_well(plan.clone()).ending else { panic!() };
    assert_eq!((report.recovery, report.installed), (Recovery::Undone, false));
    for failing in 0..plan.undo.len() {
        let trace = faulty(&plan, |now| (now.undo && now.index == failing).then(permanent));
        if plan.undo[failing].op == (Op::UndoHost {}) {
            // It stops no start: the next attempt takes over the application's state.
            let Action::Done(report) = &trace.ending else { panic!() };
            assert_eq!(
                (report.recovery, report.left, report.warnings.len()),
                (Recovery::Undone, true, 1)
            );
            assert!(
                !trace.performed.iter().any(|p| removes_journal(&p.op)),
                "the journal stays until then"
            );
            continue;
        }
        let failure = trace.failure();
        assert_eq!(
            (failure.data.state, failure.data.v1.as_deref()),
            (DataState::V1, Some("data.db")),
            "undo[{failing}]"
        );
        // The journal is not removed then.
        if !removes_journal(&plan.undo[failing].op) {
            let trace = faulty(&plan, |now| {
                (now.undo && (now.index == failing || now.op == Op::UndoHost {})).then(permanent)
            });
            assert!(
                matches!(trace.ending, Action::Failed(_)),
                "undo[{failing}], and the application's besides"
            );
        }
    }
}

/// Until v1 has its name back nothing is undone; and where it is, is told by whether that was done.
#[test]
fn a_v1_that_is_put_back_is_told_where_it_is() {
    let plan =
        plan_recovery(&crate::recovery::overtaken(&journal(Phase::Built)), &label(), &new_nonce())
            .unwrap()
            .unwrap();
    let Action::Done(report) = drive_well(plan.clone()).ending else { panic!() };
    assert_eq!((report.recovery, report.installed), (Recovery::Undone, false));
    let failing = || {
        OpError::new(
            OpErrorKind::Os { os: OsCode::of(Platform::Windows, 1117) },
            "I/O device error",
        )
    };
    let back = position(&plan, |op| matches!(op, Op::Rename { .. }));
    let located =
        |trace: &Trace| (trace.failure().data.state, trace.failure().data.v1.clone().unwrap());
    for at in 0..plan.steps.len() {
        let trace = faulty(&plan, |now| (!now.undo && now.index == at).then(failing));
        assert!(
            matches!(trace.ending, Action::Failed(_)) && trace.performed.iter().all(|p| !p.undo),
            "{at}"
        );
        let where_v1_is = if at <= back {
            (DataState::FinishAtNextStart, our_names().backup.to_string())
        } else {
            (DataState::V1, canonical().to_string())
        };
        assert_eq!(located(&trace), where_v1_is, "{at}");
    }
    for at in 0..plan.undo.len() {
        let trace = faulty(&plan, |now| (now.undo && now.index == at).then(failing));
        if plan.undo[at].op == (Op::UndoHost {}) {
            assert!(
                matches!(&trace.ending, Action::Done(report) if report.left),
                "the application's own failure stops no start"
            );
            continue;
        }
        assert_eq!(located(&trace), (DataState::V1, canonical().to_string()), "undo[{at}]");
    }
}
