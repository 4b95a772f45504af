//! A run installs a staged companion and puts back one that was written in place: these tests check
//! which of its files each step keeps.

use cutover_core::{
    Action, Budget, BuildBy, BuildFrom, CompanionName, Op, OpOutcome, Phase, PlanPath, Request,
    Run, plan_migration, plan_recovery, validate,
};

use cutover_world::{
    Performed, Trace, auth, directory, drive, fine, flip, interrupted, journal, label, new_nonce,
    permanent, request, with_auth, with_companion,
};

use super::{cleanup_from, companion_plan, flip_at, position};

/// How often an op of this name worked on a companion.
fn performed(trace: &Trace, op: &str) -> usize {
    let of_companion = |now: &&Performed| now.op.name() == op && now.op.companion().is_some();
    trace.performed.iter().filter(of_companion).count()
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
        assert_eq!(
            ["link", "rename"].map(|op| performed(&trace, op)),
            [usize::from(kept), 1],
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
        assert_eq!(
            ["link", "rename"].map(|op| performed(&trace, op)),
            [links, renames],
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
