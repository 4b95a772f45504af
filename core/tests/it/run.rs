//! The machine that walks a plan, driven by a disk that is only a script. What is asserted is the
//! rule of endings, at every step.

use std::collections::BTreeMap;

use cutover_core::{
    Action, BUDGET_MS, Budget, BuildBy, BuildFrom, Code, CompanionName, DELAYS_MS, DataState,
    Event, Guard, Journal, JournalMode, MAX_HOST_BYTES, Observation, Op, OpError, OpErrorKind,
    OpOutcome, OsCode, Phase, Plan, PlanKind, PlanPath, Platform, Receipt, Recovery, Request, Run,
    Verdict, WarningFrom, legacy_journal_name, plan_migration, plan_recovery, validate,
};
use serde_json::json;

use cutover_world::{
    Performed, Trace, another_program, auth, canonical, database, directory, drive, drive_well,
    fine, flip, interrupted, journal, label, line, me, migrations, new_nonce, our_journal,
    our_names, permanent, request, transient, v2, with_auth, with_companion,
};

fn host_plan() -> Plan {
    plan_migration(&directory(), &request(BuildBy::Host, BuildFrom::Empty)).unwrap()
}

fn companion_plan() -> Plan {
    plan_migration(&with_auth(directory()), &request(BuildBy::Host, BuildFrom::Empty)).unwrap()
}

fn recovery_of(journal: &Journal) -> Plan {
    let mut observation = interrupted(journal);
    observation.files.insert(our_names().install, v2());
    if !journal.companions.is_empty() {
        observation = with_auth(observation);
        let seen = observation.companions.get_mut(&auth()).unwrap();
        seen.present.extend(
            ["auth.json.v1-v2-3fa9c1d2", "auth.json.building-3fa9c1d2"].map(cutover_world::name),
        );
    }
    plan_recovery(&observation, &label(), &new_nonce()).unwrap().unwrap()
}

fn position(plan: &Plan, fits: impl Fn(&Op) -> bool) -> usize {
    plan.steps.iter().position(|step| fits(&step.op)).unwrap()
}

/// The index of the rename that makes the journal say `built`.
fn built_at(plan: &Plan) -> usize {
    position(plan, |op| matches!(op, Op::WriteJournal { phase: Phase::Built, .. })) + 2
}

fn committed_at(plan: &Plan) -> usize {
    position(plan, |op| matches!(op, Op::WriteJournal { phase: Phase::Committed, .. })) + 2
}

fn flip_at(plan: &Plan) -> usize {
    plan.flip_at.unwrap() as usize
}

fn cleanup_from(plan: &Plan) -> usize {
    plan.cleanup_from.unwrap() as usize
}

fn removes_journal(op: &Op) -> bool {
    matches!(op, Op::Remove { files } if files.contains(&PlanPath::from(&our_journal())))
}

fn faulty(plan: &Plan, mut fault: impl FnMut(&Performed) -> Option<OpError>) -> Trace {
    drive(Run::new(plan.clone(), Budget::default()), |_, now| {
        fault(now).map_or_else(|| Ok(fine(&now.op)), Err)
    })
}

// ---- success ----

#[test]
fn a_plan_that_succeeds_performs_each_step_once_in_its_order() {
    for (name, plan) in migrations() {
        let trace = drive_well(plan.clone());
        let wanted: Vec<usize> = (0..plan.steps.len())
            .filter(|index| match &plan.steps[*index].when {
                None | Some(Guard::StagingFree {}) => true,
                Some(_) => false,
            })
            .collect();
        assert_eq!(trace.performed.len(), wanted.len(), "{name}: each once");
        assert_eq!(trace.steps(false), wanted, "{name}");
        assert!(
            trace.performed.iter().all(|p| !p.undo && p.op == plan.steps[p.index].op),
            "{name}: exactly the plan's ops"
        );
        let Action::Done(report) = trace.ending else { panic!("{name}") };
        assert_eq!(
            (report.recovery, report.installed, report.waited_ms),
            (Recovery::None, true, 0),
            "{name}"
        );
        let journal = report.journal.unwrap();
        assert_eq!(journal.phase, Phase::Committed, "{name}");
        assert_eq!(journal.v2.unwrap().file_id, "2", "{name}");
        assert_eq!(
            journal.v1.unwrap().fingerprint,
            cutover_world::v1().fingerprint().unwrap(),
            "{name}: as it was settled"
        );
    }
}

#[test]
fn every_journal_that_is_written_can_be_read_and_says_its_phase() {
    for (name, plan) in migrations() {
        let trace = drive_well(plan);
        let mut phases = Vec::new();
        for performed in &trace.performed {
            match &performed.op {
                Op::WriteJournal { phase, .. } => {
                    let journal =
                        Journal::parse(performed.text.as_ref().unwrap(), &canonical()).unwrap();
                    assert_eq!(journal.phase, *phase, "{name}");
                    assert_eq!(journal.v2.is_some(), *phase >= Phase::Built, "{name}");
                    phases.push(*phase);
                }
                Op::WriteReceipt { .. } => {
                    let receipt = Receipt::parse(performed.text.as_ref().unwrap()).unwrap();
                    assert_eq!(
                        (receipt.started_ms, receipt.backup),
                        (cutover_world::NOW_MS, our_names().backup),
                        "{name}"
                    );
                }
                _ => assert_eq!(performed.text, None, "{name}: {:?}", performed.op),
            }
        }
        assert_eq!(phases, [Phase::Building, Phase::Built, Phase::Committed], "{name}");
    }
}

#[test]
fn events_tell_each_step_before_it_and_each_phase_after_it() {
    let plan = host_plan();
    let trace = drive_well(plan.clone());
    let steps: Vec<(u32, &str)> = trace
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Step { index, op, undo: false, total, why, .. } => {
                assert_eq!(*total as usize, plan.steps.len());
                assert_eq!(*why, plan.steps[*index as usize].why);
                Some((*index, op.as_str()))
            }
            _ => None,
        })
        .collect();
    let performed: Vec<(u32, &str)> =
        trace.performed.iter().map(|p| (u32::try_from(p.index).unwrap(), p.op.name())).collect();
    assert_eq!(steps, performed);
    assert!(matches!(trace.events[0], Event::Plan { kind: PlanKind::Migrate, attempt: 1, .. }));
    let phases: Vec<Phase> = trace
        .events
        .iter()
        .filter_map(|event| if let Event::Phase { phase } = event { Some(*phase) } else { None })
        .collect();
    assert_eq!(phases, [Phase::Building, Phase::Built, Phase::Committed]);
}

#[test]
fn an_op_is_handed_out_again_until_its_outcome_is_told() {
    let mut run = Run::new(host_plan(), Budget::default());
    let first = run.poll();
    assert_eq!(run.poll(), first);
    run.handle_waited();
    assert_eq!(run.poll(), first, "a wait that was not asked for changes nothing");
    run.handle_ok(OpOutcome::Looked(Vec::new()));
    run.handle_ok(OpOutcome::Plain);
    run.handle_fault(&permanent());
    assert_eq!(run.position(), (false, 1), "an outcome of nothing is no outcome");
    assert_ne!(run.poll(), first);
}

// ---- the rule of endings ----

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

/// The steps of an undo in which nothing was changed by anybody.
fn unguarded(plan: &Plan) -> Vec<usize> {
    (0..plan.undo.len()).filter(|index| plan.undo[*index].when.is_none()).collect()
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

fn on_windows(companion: bool) -> Plan {
    let mut observation = if companion { with_auth(directory()) } else { directory() };
    observation.platform = Platform::Windows;
    plan_migration(&observation, &request(BuildBy::Host, BuildFrom::Empty)).unwrap()
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

// ---- the undo ----

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

// ---- the legacy upgrade ----

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

/// An attempt that has the nonce of the one before has the name by which that one kept a companion:
/// a link would fail there, and v1 lack its companion.
#[test]
fn what_an_earlier_attempt_kept_beside_a_companion_is_not_in_the_way_of_the_next() {
    let again =
        Request { nonce: cutover_world::nonce(), ..request(BuildBy::Host, BuildFrom::Empty) };
    for kept in [false, true] {
        let mut seen = with_auth(directory());
        let facts = seen.companions.get_mut(&auth()).unwrap();
        facts.present.extend(kept.then(|| cutover_world::name("auth.json.displaced-3fa9c1d2")));
        let plan = plan_migration(&seen, &again).unwrap();
        let aside = |op: &Op| match op {
            Op::Link { from, .. } if from.companion.is_some() => Some(false),
            Op::Rename { to, .. } if to.to_string().contains("displaced") => Some(true),
            _ => None,
        };
        let ways: Vec<bool> =
            plan.steps.iter().chain(&plan.undo).filter_map(|step| aside(&step.op)).collect();
        assert_eq!(ways, [kept; 2], "{plan:#?}");
        assert_eq!(validate(&plan, Some(&seen)), []);
    }
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

/// What could not be put back keeps its backup: removing it would lose the only good copy. Other
/// companions are put back.
#[test]
fn a_companion_that_could_not_be_put_back_keeps_its_backup() {
    let mut observation = with_auth(directory());
    let other = CompanionName::new("other").unwrap();
    let mut facts = observation.companions[&auth()].clone();
    facts.file = cutover_world::name("other.json");
    observation.companions.insert(other.clone(), facts);
    let plan = plan_migration(&observation, &request(BuildBy::Host, BuildFrom::Empty)).unwrap();
    let at = position(&plan, |op| matches!(op, Op::Detect { .. }));
    let changed = |now: &Performed| match &now.op {
        Op::LookCompanion { .. } => OpOutcome::Companion(Some("written in place".into())),
        op => fine(op),
    };
    let drive = |failing: Option<usize>| {
        drive(Run::new(plan.clone(), Budget::default()), |_, now| match (now.undo, now.index) {
            (false, index) if index == at => Err(permanent()),
            (true, index) if Some(index) == failing => Err(permanent()),
            _ => Ok(changed(now)),
        })
    };
    let removes_backup = |trace: &Trace, of: &CompanionName| {
        let backup = PlanPath {
            companion: Some(of.clone()),
            name: cutover_world::name(&format!("{of}.json.v1-v2-3fa9c1d2")),
        };
        trace
            .performed
            .iter()
            .any(|p| p.undo && matches!(&p.op, Op::Remove { files } if files.contains(&backup)))
    };
    let well = drive(None);
    assert!(removes_backup(&well, &auth()) && removes_backup(&well, &other));
    let mut seen = 0;
    for (index, step) in plan.undo.iter().enumerate() {
        let puts_back = matches!(
            step.op,
            Op::LookCompanion { .. } | Op::Link { .. } | Op::Rename { .. } | Op::SyncDir { .. }
        );
        let Some(name) = step.op.companion().filter(|_| puts_back) else { continue };
        if well.performed.iter().rposition(|p| p.undo && p.index == index).is_none_or(|at| {
            well.performed[..at]
                .iter()
                .any(|p| p.undo && matches!(&p.op, Op::Remove { files } if files[0].companion.as_ref() == Some(name)))
        }) {
            continue;
        }
        let trace = drive(Some(index));
        assert!(!removes_backup(&trace, name), "undo[{index}] {:?}", step.op);
        let behind = trace
            .performed
            .iter()
            .filter(|p| p.undo && p.index > index && p.op.companion() == Some(name))
            .count();
        assert_eq!(behind, 0, "undo[{index}]: nothing else is done to it");
        assert!(removes_backup(
            &trace,
            if *name == other {
                &plan.journal.as_ref().unwrap().companions[0].name
            } else {
                &other
            }
        ));
        seen += 1;
    }
    assert_eq!(seen, 10, "look, link, flush, rename, flush of each");
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

// ---- cancellation ----

#[test]
fn a_request_to_stop_is_honoured_until_the_journal_says_built() {
    for (name, plan) in migrations() {
        for at in drive_well(plan.clone()).steps(false) {
            let trace = drive(Run::new(plan.clone(), Budget::default()), |run, now| {
                if !now.undo && now.index == at {
                    run.cancel();
                    run.cancel();
                }
                Ok(fine(&now.op))
            });
            let too_late = |event: &Event| matches!(event, Event::Warning { warning } if warning.code.as_deref() == Some("ABORT_TOO_LATE"));
            if at < built_at(&plan) {
                let failure = trace.failure();
                assert_eq!(
                    (failure.code, failure.data.state),
                    (Code::Aborted, DataState::V1),
                    "{name} {at}"
                );
                assert_eq!(
                    trace.performed.iter().filter(|p| !p.undo).map(|p| p.index).max(),
                    Some(at),
                    "{name} {at}: the step ends first"
                );
                let wanted = if at == 0 { Vec::new() } else { unguarded(&plan) };
                assert_eq!(trace.steps(true), wanted, "{name} {at}");
                assert!(!trace.events.iter().any(too_late), "{name} {at}");
            } else {
                let Action::Done(report) = &trace.ending else {
                    panic!("{name} {at}: {:?}", trace.ending)
                };
                assert!(report.installed, "{name} {at}");
                assert_eq!(
                    trace.events.iter().filter(|event| too_late(event)).count(),
                    1,
                    "{name} {at}: refused, once, with why"
                );
            }
        }
    }
}

#[test]
fn a_request_to_stop_ends_a_wait() {
    let mut run = Run::new(host_plan(), Budget::default());
    run.poll();
    run.handle_ok(OpOutcome::Looked(Vec::new()));
    run.poll();
    run.handle_fault(&transient());
    assert_eq!(run.poll(), Action::Wait { delay_ms: 50 });
    run.cancel();
    assert!(
        matches!(run.poll(), Action::Perform { op: Op::UnlockV1 {}, .. }),
        "the undo begins without waiting"
    );
}

#[test]
fn a_request_to_stop_before_anything_leaves_everything() {
    let mut run = Run::new(host_plan(), Budget::default());
    run.cancel();
    let Action::Failed(failure) = run.poll() else { panic!() };
    assert_eq!((failure.code, failure.data.state), (Code::Aborted, DataState::V1));
}

#[test]
fn a_callback_that_stops_because_it_was_asked_to_is_no_failure_of_the_application() {
    let plan = host_plan();
    let trace = drive(Run::new(plan, Budget::default()), |run, now| match now.op {
        Op::BuildHost { .. } => {
            run.cancel();
            Err(OpError::new(OpErrorKind::Host, "AbortError"))
        }
        _ => Ok(fine(&now.op)),
    });
    assert_eq!(trace.failure().code, Code::Aborted);
}

/// A recovery is never stopped half-way, and one that undoes does not claim to be finishing.
#[test]
fn a_recovery_is_not_cancelled() {
    for (phase, warns) in [(Phase::Building, 0), (Phase::Built, 1)] {
        let trace = drive(Run::new(recovery_of(&journal(phase)), Budget::default()), |run, now| {
            run.cancel();
            Ok(fine(&now.op))
        });
        assert!(matches!(trace.ending, Action::Done(_)), "{phase:?}");
        assert_eq!(
            trace.events.iter().filter(|event| matches!(event, Event::Warning { .. })).count(),
            warns,
            "{phase:?}"
        );
    }
}

// ---- recovery plans ----

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

// ---- guards ----

/// A build that leaves a connection on staging: v2 goes to a file of its own. One that does not:
/// staging is renamed.
#[test]
fn staging_that_this_process_holds_is_restaged() {
    let plan = host_plan();
    for held in [false, true] {
        let trace = drive(Run::new(plan.clone(), Budget::default()), |_, now| {
            Ok(match &now.op {
                Op::Look { file } if *file == our_names().staging => OpOutcome::Looked(if held {
                    vec![me(), another_program()]
                } else {
                    vec![another_program()]
                }),
                op => fine(op),
            })
        });
        let ops: Vec<&str> = trace.performed.iter().map(|p| p.op.name()).collect();
        assert_eq!(ops.contains(&"restage"), held);
        let renamed = trace.performed.iter().any(
            |p| matches!(&p.op, Op::Rename { from, .. } if *from == PlanPath::from(&our_names().staging)),
        );
        assert_eq!(renamed, !held);
        let Action::Done(report) = trace.ending else { panic!() };
        assert_eq!(
            report.journal.unwrap().v2.unwrap().file,
            our_names().install,
            "either way one name is installed"
        );
    }
}

#[test]
fn a_staged_companion_is_installed_after_the_flip_and_an_untouched_one_is_not() {
    let plan = companion_plan();
    for (staged, now_digest) in [
        (false, Some("before")),
        (true, Some("before")),
        (true, Some("after")),
        (true, Some("changed")),
        (true, None),
    ] {
        let trace =
            drive(Run::new(plan.clone(), Budget::default()), |run, now| {
                if staged && matches!(now.op, Op::BuildHost { .. }) {
                    assert!(run.stage_companion(&auth(), "after".into()));
                    assert!(!run.stage_companion(
                        &CompanionName::new("undeclared").unwrap(),
                        "after".into()
                    ));
                }
                Ok(match &now.op {
                    Op::LookCompanion { .. } => OpOutcome::Companion(now_digest.map(str::to_owned)),
                    op => fine(op),
                })
            });
        let installs: Vec<usize> = trace
            .performed
            .iter()
            .filter(|p| {
                p.index > flip_at(&plan)
                    && p.index < cleanup_from(&plan)
                    && p.op.companion().is_some()
            })
            .map(|p| p.index)
            .collect();
        let kept =
            trace.performed.iter().any(|p| p.op.name() == "link" && p.op.companion().is_some());
        assert_eq!(
            installs.len(),
            if !staged {
                0
            } else if kept {
                5
            } else {
                3
            },
            "{staged} {now_digest:?}"
        );
        assert_eq!(
            kept,
            now_digest == Some("changed"),
            "what another program wrote meanwhile is kept"
        );
        let journal = trace.performed.iter().rev().find_map(|p| p.text.clone()).unwrap();
        let Action::Done(report) = trace.ending else { panic!() };
        assert_eq!(report.journal.unwrap().companions[0].staged, staged);
        let after = if staged { "\"after\"" } else { "null" };
        assert!(
            journal.contains(&format!("\"staged\": {staged},\n      \"after\": {after}\n")),
            "{journal}"
        );
    }
}

/// A power loss left a rename under both names: the companion is what was staged, and the staged file
/// is there still. No other program wrote that content, and keeping it would displace content that
/// another program did write.
#[test]
fn a_companion_that_is_what_was_staged_is_not_kept_beside() {
    for (after, now, kept) in [
        (Some("after"), "after", false),
        (Some("after"), "before", false),
        (Some("after"), "changed", true),
        (None, "before", false),
        (None, "after", true),
    ] {
        let mut journal = with_companion(journal(Phase::Built), true);
        journal.companions[0].after = after.map(str::to_owned);
        let mut seen = with_auth(interrupted(&journal));
        flip(&mut seen);
        seen.companions
            .get_mut(&auth())
            .unwrap()
            .present
            .push(cutover_world::name("auth.json.building-3fa9c1d2"));
        let plan = plan_recovery(&seen, &label(), &new_nonce()).unwrap().unwrap();
        let trace = drive(Run::new(plan, Budget::default()), |_, step| {
            Ok(match &step.op {
                Op::LookCompanion { .. } => OpOutcome::Companion(Some(now.into())),
                op => fine(op),
            })
        });
        let count = |name: &str| {
            trace
                .performed
                .iter()
                .filter(|p| p.op.name() == name && p.op.companion().is_some())
                .count()
        };
        assert_eq!(
            (count("link"), count("rename")),
            (usize::from(kept), 1),
            "after={after:?} now={now}"
        );
        let Action::Done(report) = trace.ending else { panic!() };
        assert_eq!(
            report.warnings.iter().any(|warning| warning.code.as_deref() == Some("KEPT")),
            kept,
            "after={after:?} now={now}"
        );
    }
}

/// Put back is what was written in place: not what is as it was, and not what was only staged.
#[test]
fn an_undo_puts_back_what_was_written_in_place() {
    for (staged, now_digest, links, renames) in [
        (false, Some("before"), 0, 0),
        (false, Some("changed"), 1, 1),
        (false, None, 0, 1),
        (true, Some("before"), 0, 0),
        (true, Some("changed"), 0, 0),
    ] {
        let mut journal = with_companion(journal(Phase::Building), staged);
        journal.v2 = None;
        let mut observation = with_auth(interrupted(&journal));
        observation
            .companions
            .get_mut(&auth())
            .unwrap()
            .present
            .push(cutover_world::name("auth.json.v1-v2-3fa9c1d2"));
        let plan = plan_recovery(&observation, &label(), &new_nonce()).unwrap().unwrap();
        let trace = drive(Run::new(plan, Budget::default()), |_, now| {
            Ok(match &now.op {
                Op::LookCompanion { .. } => OpOutcome::Companion(now_digest.map(str::to_owned)),
                op => fine(op),
            })
        });
        let count = |name: &str| {
            trace
                .performed
                .iter()
                .filter(|p| p.op.name() == name && p.op.companion().is_some())
                .count()
        };
        assert_eq!(
            (count("link"), count("rename")),
            (links, renames),
            "staged={staged} {now_digest:?}"
        );
    }
}

#[test]
fn a_companion_that_was_not_there_is_moved_aside_by_an_undo() {
    let mut observation = with_auth(directory());
    observation.companions.get_mut(&auth()).unwrap().digest = None;
    let plan = plan_migration(&observation, &request(BuildBy::Host, BuildFrom::Empty)).unwrap();
    let at = position(&plan, |op| matches!(op, Op::Detect { .. }));
    let trace = drive(Run::new(plan, Budget::default()), |_, now| match &now.op {
        _ if !now.undo && now.index == at => Err(permanent()),
        Op::LookCompanion { .. } => Ok(OpOutcome::Companion(Some("new".into()))),
        op => Ok(fine(op)),
    });
    let aside: Vec<String> = trace
        .performed
        .iter()
        .filter(|p| p.undo && p.op.name() == "rename")
        .map(|p| p.op.file().unwrap().to_string())
        .collect();
    assert_eq!(aside, ["auth/auth.json.displaced-3fa9c1d2"]);
}

// ---- what the host says ----

#[test]
fn a_saved_state_is_a_journal_that_a_start_can_read() {
    let plan = host_plan();
    let mut texts = Vec::new();
    let trace = drive(Run::new(plan, Budget::default()), |run, now| {
        if matches!(now.op, Op::BuildHost { .. }) {
            run.warn("a row was odd".into());
            texts.push(run.save_state(json!({ "keychain": 1 })).unwrap());
            texts.push(run.save_state(json!({ "keychain": 2 })).unwrap());
            assert!(run.save_state(json!("x".repeat(MAX_HOST_BYTES))).is_err());
        }
        Ok(fine(&now.op))
    });
    for (text, state) in texts.iter().zip([1, 2]) {
        let journal = Journal::parse(text, &canonical()).unwrap();
        assert_eq!(
            (journal.phase, journal.host_state),
            (Phase::Building, Some(json!({ "keychain": state })))
        );
        assert_eq!(journal.warnings[0].message, "a row was odd");
    }
    let Action::Done(report) = trace.ending else { panic!() };
    let journal = report.journal.unwrap();
    assert_eq!(
        journal.host_state,
        Some(json!({ "keychain": 2 })),
        "a state that is refused leaves the last one"
    );
    assert_eq!(journal.expect, BTreeMap::from([("notes".to_owned(), 3)]));
    assert_eq!(journal.report, Some(json!({ "rows": 3 })));
    assert!(trace.events.iter().any(
        |event| matches!(event, Event::Warning { warning } if warning.from == WarningFrom::Host)
    ));
}

#[test]
fn a_report_that_no_journal_can_hold_fails_the_build_and_not_the_next_start() {
    let plan = host_plan();
    let at = position(&plan, |op| matches!(op, Op::BuildHost { .. }));
    let trace = drive(Run::new(plan, Budget::default()), |_, now| {
        Ok(match &now.op {
            Op::BuildHost { .. } => OpOutcome::Built {
                expect: BTreeMap::new(),
                report: Some(json!("x".repeat(MAX_HOST_BYTES))),
            },
            op => fine(op),
        })
    });
    assert_eq!(trace.failure().code, Code::Host);
    assert_eq!(trace.performed.iter().filter(|p| !p.undo).map(|p| p.index).max(), Some(at));
    assert!(trace.performed.iter().any(|p| p.undo));
}

#[test]
fn a_set_aside_journal_has_no_state_to_save() {
    let mut observation = interrupted(&journal(Phase::Building));
    observation.journals.insert(our_journal(), Some("{".into()));
    let plan = plan_recovery(&observation, &label(), &new_nonce()).unwrap().unwrap();
    let mut run = Run::new(plan, Budget::default());
    assert!(run.save_state(json!(1)).is_err() && !run.stage_companion(&auth(), "after".into()));
}

#[test]
fn what_is_tolerated_or_was_wrong_before_is_a_warning() {
    let trace = drive(Run::new(host_plan(), Budget::default()), |_, now| {
        Ok(match &now.op {
            Op::Check { .. } => {
                OpOutcome::Checked(v2(), vec!["1 row of tag refers to nothing".into()])
            }
            Op::SyncDir { .. } if now.index < 5 => {
                OpOutcome::Tolerated("this directory cannot be flushed".into())
            }
            op => fine(op),
        })
    });
    let Action::Done(report) = trace.ending else { panic!() };
    let codes: Vec<_> =
        report.journal.unwrap().warnings.into_iter().map(|warning| warning.code.unwrap()).collect();
    assert_eq!(codes, ["TOLERATED", "V1_VIOLATION"]);
}

#[test]
fn attempts_are_passed_on() {
    let plan = plan_migration(
        &directory(),
        &Request { attempt: 4, ..request(BuildBy::Sql, BuildFrom::Empty) },
    )
    .unwrap();
    let trace = drive_well(plan);
    assert!(matches!(trace.events[0], Event::Plan { attempt: 4, .. }));
    assert!(trace.performed[1].text.as_ref().unwrap().contains("\"attempt\": 4"));
}

// ---- the plan, printed ----

/// The main plan as a person reads it. When this list changes, the reason belongs in the commit.
#[test]
fn the_main_plan_reads_like_this() {
    let printed: Vec<String> = host_plan().steps.iter().map(line).collect();
    let expected = "\
look file=data.db
write-journal file=data.db.v1-v2-cutover.json.tmp-N phase=building
sync-file file=data.db.v1-v2-cutover.json.tmp-N
rename from=data.db.v1-v2-cutover.json.tmp-N to=data.db.v1-v2-cutover.json
sync-dir companion=null
settle file=data.db mode=delete
copy from=data.db to=data.db.source-N
build-host source=data.db.source-N staging=data.db.building-N
release
look file=data.db
look file=data.db.building-N
restage from=data.db.building-N mode=wal to=data.db.install-N if staging-held
settle file=data.db.building-N mode=wal if staging-free
rename from=data.db.building-N to=data.db.install-N if staging-free
check file=data.db.install-N
detect file=data.db.install-N
sync-file file=data.db.install-N
write-journal file=data.db.v1-v2-cutover.json.tmp-N phase=built
sync-file file=data.db.v1-v2-cutover.json.tmp-N
rename from=data.db.v1-v2-cutover.json.tmp-N to=data.db.v1-v2-cutover.json
sync-dir companion=null
look file=data.db
lock-v1 file=data.db
check-v1 file=data.db
link from=data.db to=data.db.v1-v2-MS-N
sync-dir companion=null
absent files=[data.db-wal,data.db-shm,data.db-journal]
rename from=data.db.install-N to=data.db
absent files=[data.db-wal,data.db-shm,data.db-journal]
sync-dir companion=null
unlock-v1
look file=data.db.v1-v2-MS-N
write-receipt file=data.db.v1-v2-MS-N.json
sync-file file=data.db.v1-v2-MS-N.json
write-journal file=data.db.v1-v2-cutover.json.tmp-N phase=committed
sync-file file=data.db.v1-v2-cutover.json.tmp-N
rename from=data.db.v1-v2-cutover.json.tmp-N to=data.db.v1-v2-cutover.json
sync-dir companion=null
cleanup-host
remove files=[data.db.source-N,data.db.source-N-wal,data.db.source-N-shm,data.db.source-N-journal,\
                    data.db.building-N,data.db.building-N-wal,data.db.building-N-shm,data.db.\
                    building-N-journal,data.db.install-N,data.db.install-N-wal,data.db.\
                    install-N-shm,data.db.install-N-journal,data.db.v1-v2-cutover.json.tmp-N]
sync-dir companion=null
remove files=[data.db.v1-v2-cutover.json]
sync-dir companion=null";
    assert_eq!(printed.join("\n"), expected);
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
