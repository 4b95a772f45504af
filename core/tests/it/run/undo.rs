//! A failure within an undo keeps the journal and the first failure: these tests fail each step of
//! the undo.

use cutover_core::{
    Action, Code, DataState, JournalMode, Op, OpError, OpErrorKind, OsCode, Phase, Plan, PlanKind,
    Platform, plan_recovery,
};

use cutover_world::{
    canonical, database, interrupted, journal, label, me, migrations, new_nonce, our_names,
    permanent, v2, with_auth, with_companion,
};

use super::{
    companion_plan, faulty, host_plan, on_windows, position, recovery_of, removes_journal,
    unguarded,
};

/// Whatever goes wrong while it is undone: the first failure is the one that is told, the rest of
/// the undo goes on, and the journal stays, so that the next start undoes it.
#[test]
fn an_undo_that_fails_anywhere_keeps_the_journal_and_the_first_failure() {
    for (name, plan) in migrations() {
        let at = position(&plan, |op| matches!(op, Op::Detect { .. }));
        for failing in unguarded(&plan) {
            let still_old = || OpError::new(OpErrorKind::StillOld, "detect says old");
            let trace = faulty(&plan, |now| match (now.undo, now.index) {
                (false, index) if index == at => Some(still_old()),
                (true, index) if index == failing => Some(permanent()),
                _ => None,
            });
            let op = &plan.undo[failing].op;
            let failure = trace.failure();
            assert_eq!(failure.code, Code::StillOld, "{name}, undo[{failing}]");
            let journal_gone = failing >= plan.undo.len() - 2;
            if !journal_gone {
                assert!(
                    !trace.performed.iter().any(|p| p.undo && removes_journal(&p.op)),
                    "{name}, undo[{failing}] {op:?}"
                );
            }
            assert!(failure.hint.contains("the next start"), "{name}: {}", failure.hint);
            assert_eq!(failure.data.state, DataState::V1, "{name}");
            if !matches!(op, Op::Look { .. }) {
                let last = trace.performed.last().unwrap();
                assert!(
                    last.op.is_sync() && last.undo,
                    "{name}, undo[{failing}]: the rest goes on"
                );
            }
        }
    }
}

/// A start that finds v2 beside a journal `built` installs it. Until v2 is gone for good nothing
/// that belongs to it is undone; from there on, and at `building`, an undo does what it can.
#[test]
fn an_undo_from_built_stops_where_v2_could_not_be_taken_away() {
    let moved = |phase, platform| {
        let mut seen = with_auth(interrupted(&with_companion(journal(phase), false)));
        seen.platform = platform;
        seen.files.insert(canonical(), database("1", JournalMode::Delete, 8));
        seen.files.insert(our_names().install, v2());
        plan_recovery(&seen, &label(), &new_nonce()).unwrap().unwrap()
    };
    let link = |plan: &Plan| {
        position(plan, |op| matches!(op, Op::Link { to, .. } if to.companion.is_none()))
    };
    let check = |plan: &Plan| position(plan, |op| matches!(op, Op::Check { .. }));
    let (migration, going_on) =
        (companion_plan(), recovery_of(&with_companion(journal(Phase::Built), false)));
    let windows = on_windows(true);
    // A plan, the step whose failure begins its undo, and whether the journal says `built` by then.
    let cases = [
        (migration.clone(), Some(link(&migration)), true),
        (migration.clone(), Some(check(&migration)), false),
        (going_on.clone(), Some(check(&going_on)), true),
        (moved(Phase::Built, Platform::Linux), None, true),
        (moved(Phase::Building, Platform::Linux), None, false),
        (windows.clone(), Some(link(&windows)), true),
        (windows.clone(), Some(check(&windows)), false),
        (moved(Phase::Built, Platform::Windows), None, true),
        (moved(Phase::Building, Platform::Windows), None, false),
    ];
    for (case, (plan, at, built)) in cases.into_iter().enumerate() {
        let host = plan.undo.iter().position(|step| step.op == Op::UndoHost {}).unwrap();
        let ops: Vec<&str> = plan.undo[..host].iter().map(|step| step.op.name()).collect();
        // Windows cannot flush a removal: there the journal says that nothing is installed.
        let given_up: &[&str] = match plan.platform {
            Platform::Windows => {
                &["unlock-v1", "remove", "write-journal", "sync-file", "rename", "sync-dir"]
            }
            _ => &["unlock-v1", "remove", "sync-dir"],
        };
        assert_eq!(ops, given_up, "{case}");
        for failing in 0..=host {
            let fault = || match plan.platform {
                Platform::Windows => OpError::new(
                    OpErrorKind::Os { os: OsCode::of(Platform::Windows, 1117) },
                    "I/O device error",
                ),
                _ => permanent(),
            };
            let trace = faulty(&plan, |now| {
                (if now.undo { now.index == failing } else { Some(now.index) == at }).then(fault)
            });
            if failing == host && at.is_none_or(|_| plan.kind == PlanKind::Finish) {
                assert!(
                    matches!(&trace.ending, Action::Done(report) if report.left),
                    "{case}: the application's own failure stops no start"
                );
                continue;
            }
            let failure = trace.failure();
            assert!(matches!(trace.ending, Action::Failed(_)), "{case}, undo[{failing}]");
            assert_eq!(
                (failure.data.state, failure.data.v1.as_deref()),
                (DataState::V1, Some("data.db")),
                "{case}, undo[{failing}]"
            );
            assert!(
                !trace.performed.iter().any(|p| p.undo && removes_journal(&p.op)),
                "{case}, undo[{failing}]: the journal stays"
            );
            if built && failing < host {
                assert_eq!(
                    trace.steps(true),
                    (0..=failing).collect::<Vec<_>>(),
                    "{case}, undo[{failing}]: nothing comes after it"
                );
            } else {
                let done = |fits: &dyn Fn(&Op) -> bool| {
                    trace.performed.iter().any(|p| p.undo && fits(&p.op))
                };
                assert!(
                    done(&|op| *op == Op::UndoHost {}) && done(&|op| op.companion().is_some()),
                    "{case}, undo[{failing}]"
                );
                assert!(
                    trace.performed.last().is_some_and(|p| p.undo && p.op.is_sync()),
                    "{case}, undo[{failing}]: the rest goes on"
                );
                let torn = failing < host
                    && trace.steps(true).iter().any(|step| (failing + 1..host).contains(step));
                assert!(
                    !torn,
                    "{case}, undo[{failing}]: a journal that could not be written is not renamed \
                     into place"
                );
            }
        }
    }
}

/// While a process has v1 open, no step of the undo opens it.
#[test]
fn a_held_v1_is_not_given_its_mode_back() {
    let plan = host_plan();
    let look = plan.undo.iter().position(|step| matches!(step.op, Op::Look { .. })).unwrap();
    assert!(matches!(plan.undo[look + 1].op, Op::RestoreMode { .. }));
    let held =
        || OpError::new(OpErrorKind::Held { holders: vec![me()] }, "this process has it open");
    let trace = faulty(&plan, |now| match (now.undo, now.index) {
        (false, 8) => Some(permanent()),
        (true, index) if index == look => Some(held()),
        _ => None,
    });
    assert!(
        !trace
            .performed
            .iter()
            .any(|p| matches!(p.op, Op::RestoreMode { .. }) || removes_journal(&p.op))
    );
    assert_eq!(trace.steps(true).last(), Some(&look));
    assert_eq!(trace.failure().code, Code::Io, "the original failure");
}

#[test]
fn a_callback_s_own_failure_is_the_one_that_is_told() {
    let plan = host_plan();
    let at = position(&plan, |op| matches!(op, Op::BuildHost { .. }));
    let trace = faulty(&plan, |now| match (now.undo, now.index) {
        (false, index) if index == at => {
            Some(OpError::new(OpErrorKind::Host, "TypeError: x is undefined"))
        }
        (true, _) => Some(permanent()),
        _ => None,
    });
    assert_eq!(trace.failure().code, Code::Host);
    assert!(trace.failure().to_string().contains("TypeError: x is undefined"));
    assert!(trace.performed.iter().any(|p| p.undo && p.op == Op::UndoHost {}));
}
