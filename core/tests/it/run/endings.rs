//! A failed step ends the run as the rule of endings says: these tests fail each step of each plan,
//! for good or for a while.

use std::collections::BTreeMap;

use cutover_core::{
    Action, BUDGET_MS, BuildBy, BuildFrom, Code, DELAYS_MS, DataState, Event, Observation, Op,
    OpError, OpErrorKind, OsCode, Phase, Plan, Platform, WarningFrom, plan_migration,
};

use cutover_world::{
    Trace, canonical, directory, drive_well, migrations, our_names, permanent, request, transient,
};

use super::{
    built_at, cleanup_from, committed_at, companion_plan, faulty, flip_at, host_plan, on_windows,
    position, removes_journal, unguarded,
};

/// What the rule in the docs of `run` says of a failure at this step, written a second time.
#[derive(Debug, PartialEq)]
enum Rule {
    /// Nothing was begun.
    Refused,
    Undone,
    /// The next start goes on from `built`.
    LeftBuilt,
    /// v2 is canonical: the next start finishes.
    LeftFlipped,
    Warned,
}

fn rule(plan: &Plan, index: usize, transient: bool) -> Rule {
    if index >= cleanup_from(plan) {
        Rule::Warned
    } else if index > flip_at(plan) {
        Rule::LeftFlipped
    } else if index == 0 {
        Rule::Refused
    } else if transient && index > built_at(plan) {
        Rule::LeftBuilt
    } else {
        Rule::Undone
    }
}

fn check_ending(name: &str, plan: &Plan, at: usize, trace: &Trace, transient: bool) {
    let name = format!("{name}, steps[{at}] {}", plan.steps[at].op.name());
    let undone: Vec<&Op> = trace.performed.iter().filter(|p| p.undo).map(|p| &p.op).collect();
    let last = trace.performed.iter().rfind(|p| !p.undo).unwrap();
    if plan.steps[at].op == (Op::CleanupHost {}) {
        assert!(
            last.op.is_sync() && !trace.performed.iter().any(|p| removes_journal(&p.op)),
            "{name}: the rest goes on, but for the journal"
        );
    } else {
        assert_eq!(last.index, at, "{name}: nothing goes on behind a failure");
    }
    let expected = rule(plan, at, transient);
    if expected == Rule::Undone {
        assert_eq!(trace.steps(true), unguarded(plan), "{name}");
        let [.., journal, flush] = undone.as_slice() else { panic!("{name}") };
        assert!(removes_journal(journal) && flush.is_sync(), "{name}: the journal goes last");
        assert!(trace.events.iter().any(|event| matches!(event, Event::Undo { .. })), "{name}");
    } else {
        assert_eq!(undone, [] as [&Op; 0], "{name}");
    }
    if expected == Rule::Warned {
        let Action::Done(report) = &trace.ending else { panic!("{name}: {:?}", trace.ending) };
        assert!(report.installed, "{name}");
        let [warning] = report.journal.as_ref().unwrap().warnings.as_slice() else {
            panic!("{name}")
        };
        assert_eq!(warning.from, WarningFrom::Cutover, "{name}");
        assert!(warning.message.contains("the next start cleans up"), "{name}");
        let removed = trace.performed.iter().any(|p| p.index < at && removes_journal(&p.op));
        assert_eq!(
            removed,
            at == plan.steps.len() - 1,
            "{name}: the journal stays while anything is left"
        );
        return;
    }
    let failure = trace.failure();
    let (state, file) = match expected {
        Rule::LeftFlipped => (DataState::FinishAtNextStart, our_names().backup),
        _ => (DataState::V1, canonical()),
    };
    assert_eq!(
        (failure.data.state, failure.data.v1.as_deref()),
        (state, Some(file.as_str())),
        "{name}"
    );
    assert_eq!(failure.op.as_deref(), Some(plan.steps[at].op.name()), "{name}");
    assert!(failure.to_string().contains(file.as_str()), "{name}: {failure}");
    let phase = (at > committed_at(plan))
        .then_some(Phase::Committed)
        .or((at > built_at(plan)).then_some(Phase::Built))
        .or((at > 3).then_some(Phase::Building));
    assert_eq!(failure.phase, phase, "{name}");
}

#[test]
fn a_permanent_failure_ends_as_the_rule_says_at_every_step() {
    let mut failures = 0;
    for (name, plan) in migrations() {
        for at in drive_well(plan.clone()).steps(false) {
            let trace = faulty(&plan, |now| (!now.undo && now.index == at).then(permanent));
            assert_eq!(
                trace.waits_ms,
                [] as [u64; 0],
                "{name}: a permanent failure is not waited for"
            );
            check_ending(&name, &plan, at, &trace, false);
            failures += 1;
        }
    }
    assert!(failures > 500, "{failures}");
}

#[test]
fn a_holder_that_stays_is_waited_for_within_the_budget_at_every_step() {
    for (name, plan) in migrations() {
        for at in drive_well(plan.clone()).steps(false) {
            let trace = faulty(&plan, |now| (!now.undo && now.index == at).then(transient));
            if plan.steps[at].op.is_sync() {
                // The pages of a failed flush are gone but marked clean: a second one would succeed
                // and mean nothing.
                assert_eq!(trace.waits_ms, [] as [u64; 0], "{name} {at}");
                check_ending(&name, &plan, at, &trace, false);
                continue;
            }
            assert_eq!(trace.waits_ms, [&DELAYS_MS[..], &[2100]].concat(), "{name} {at}");
            assert_eq!(
                trace.performed.iter().filter(|p| !p.undo && p.index == at).count(),
                9,
                "{name} {at}: tried after each wait"
            );
            check_ending(&name, &plan, at, &trace, true);
            let waits: Vec<(u64, u64)> = trace
                .events
                .iter()
                .filter_map(|event| match event {
                    Event::Wait { delay_ms, waited_ms, budget_ms: BUDGET_MS, .. } => {
                        Some((*delay_ms, *waited_ms))
                    }
                    _ => None,
                })
                .collect();
            let series = [
                (50, 50),
                (100, 150),
                (250, 400),
                (500, 900),
                (1000, 1900),
                (2000, 3900),
                (4000, 7900),
                (2100, 10_000),
            ];
            assert_eq!(waits, series, "{name} {at}");
            if let Action::Failed(failure) = &trace.ending {
                assert_eq!(
                    (failure.attempts, failure.waited_ms, failure.code),
                    (9, BUDGET_MS, Code::Held),
                    "{name} {at}"
                );
            }
        }
    }
}

#[test]
fn a_holder_that_goes_away_costs_only_the_wait() {
    let plan = host_plan();
    for at in
        drive_well(plan.clone()).steps(false).into_iter().filter(|at| !plan.steps[*at].op.is_sync())
    {
        let mut left = 3;
        let trace = faulty(&plan, |now| {
            let fails = !now.undo && now.index == at && left > 0;
            left -= u32::from(fails);
            fails.then(transient)
        });
        assert_eq!(trace.waits_ms, [50, 100, 250], "{at}");
        let Action::Done(report) = trace.ending else { panic!("{at}") };
        assert_eq!((report.installed, report.waited_ms), (true, 400), "{at}");
    }
}

#[test]
fn every_op_shares_one_budget() {
    let plan = host_plan();
    let mut tries = BTreeMap::new();
    let trace = faulty(&plan, |now| {
        let tries = tries.entry((now.undo, now.index)).or_insert(0);
        *tries += 1;
        (*tries <= 4 && !now.op.is_sync()).then(transient)
    });
    assert_eq!(trace.waits_ms.iter().sum::<u64>(), BUDGET_MS, "not one millisecond more");
    assert_eq!(
        trace.waits_ms[..6],
        [50, 100, 250, 500, 50, 100],
        "each op begins with the shortest wait"
    );
    assert_eq!(trace.failure().waited_ms, BUDGET_MS);
}

#[test]
fn a_full_disk_is_named_and_undone() {
    let full = || {
        OpError::new(
            OpErrorKind::Os { os: OsCode::of(Platform::Linux, 28) },
            "no space left on device",
        )
    };
    let plan = host_plan();
    for at in 1..=flip_at(&plan) {
        let trace = faulty(&plan, |now| (!now.undo && now.index == at).then(full));
        if trace.performed.iter().any(|p| p.index == at && !p.undo) {
            assert_eq!(trace.failure().code, Code::NoSpace, "{at}");
            assert!(
                trace.performed.iter().any(|p| p.undo),
                "{at}: a full disk must not keep v2's space for ever"
            );
        }
    }
}

#[test]
fn a_v1_that_changed_is_built_anew() {
    for cause in [OpErrorKind::V1Changed, OpErrorKind::CompanionChanged] {
        for plan in [host_plan(), companion_plan()] {
            let at = position(&plan, |op| matches!(op, Op::CheckV1 { .. }));
            let trace = faulty(&plan, |now| {
                (!now.undo && now.index == at).then(|| OpError::new(cause.clone(), "written to"))
            });
            assert!(matches!(trace.ending, Action::Anew(_)), "{:?}", trace.ending);
            assert_eq!(trace.steps(true), unguarded(&plan));
            let failed = faulty(&plan, |now| {
                (now.undo || now.index == at)
                    .then(|| if now.undo { permanent() } else { OpError::new(cause.clone(), "") })
            });
            assert!(
                matches!(failed.ending, Action::Failed(_)),
                "what could not be undone is not built anew over"
            );
        }
    }
}

#[test]
fn the_rule_of_endings_holds_on_windows() {
    for plan in [on_windows(false), on_windows(true)] {
        for at in drive_well(plan.clone()).steps(false) {
            let failing = || {
                OpError::new(
                    OpErrorKind::Os { os: OsCode::of(Platform::Windows, 1117) },
                    "I/O device error",
                )
            };
            let trace = faulty(&plan, |now| (!now.undo && now.index == at).then(failing));
            check_ending("Windows", &plan, at, &trace, false);
        }
    }
}

/// v2 is canonical then, so the plan leaves everything as it is, the journal too: what is there
/// tells the recovery to put v1 back.
#[test]
fn a_v1_that_changed_at_the_flip_is_for_the_recovery() {
    for plan in [on_windows(false), on_windows(true)] {
        let at = position(&plan, |op| *op == Op::CheckV1 { file: our_names().backup });
        assert_eq!(at, flip_at(&plan) + 1);
        let trace = faulty(&plan, |now| {
            (now.index == at).then(|| OpError::new(OpErrorKind::V1Changed, "written to"))
        });
        let Action::Anew(failure) = &trace.ending else { panic!("{:?}", trace.ending) };
        assert_eq!((failure.code, failure.phase), (Code::Held, Some(Phase::Built)));
        assert_eq!(
            (failure.data.state, failure.data.v1.as_deref()),
            (DataState::FinishAtNextStart, Some(our_names().backup.as_str()))
        );
        assert_eq!(
            trace.performed.iter().map(|p| (p.undo, p.index)).max(),
            Some((false, at)),
            "nothing comes after it"
        );
        assert!(!trace.events.iter().any(|event| matches!(event, Event::Undo { .. })));
    }
}

/// Canonical may be whole only with its `-journal` by then, and what is made to undo it is all that
/// v1 has beside.
#[test]
fn a_page_copy_that_fails_is_left_to_the_next_start_unless_nothing_was_begun() {
    let seen = Observation { can_link: false, ..directory() };
    let plan = plan_migration(&seen, &request(BuildBy::Sql, BuildFrom::Empty)).unwrap();
    let fails = |fault: OpError| {
        faulty(&plan, |now| (!now.undo && now.index == flip_at(&plan)).then(|| fault.clone()))
    };
    let undone = |trace: &Trace| trace.performed.iter().any(|p| p.undo);
    let full = OpError::new(
        OpErrorKind::Os { os: OsCode::of(Platform::Linux, 28) },
        "no space left on device",
    );
    for fault in [
        permanent(),
        full,
        OpError::new(OpErrorKind::Sqlite, "disk I/O error"),
        OpError::new(OpErrorKind::V1Corrupt, "malformed"),
    ] {
        let trace = fails(fault);
        assert!(!undone(&trace), "{:?}", trace.ending);
        let failure = trace.failure();
        assert_eq!(
            (failure.data.state, failure.phase),
            (DataState::FinishAtNextStart, Some(Phase::Installing))
        );
        assert_eq!(failure.data.v1.as_deref(), Some(our_names().backup.as_str()));
    }
    // Another file may have v1's place by now, and the copy be all that is left of v1: the recovery
    // looks before it removes it.
    let changed = fails(OpError::new(OpErrorKind::V1Changed, "another program wrote to it"));
    assert!(!undone(&changed) && matches!(changed.ending, Action::Anew(_)), "{:?}", changed.ending);
    let second = fails(OpError::new(OpErrorKind::SecondName, "it has a second name"));
    assert!(undone(&second) && second.failure().data.state == DataState::V1, "{:?}", second.ending);
    // A process that is in the way now may be gone at the next start.
    let busy = fails(transient());
    assert!(!undone(&busy) && busy.failure().data.state == DataState::V1, "{:?}", busy.ending);
}
