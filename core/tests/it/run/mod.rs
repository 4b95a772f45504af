//! Tests the machine that walks a plan against a scripted disk: it asserts how a run ends when any
//! step fails.

mod cancellation;
mod companions;
mod endings;
mod host;
mod legacy;
mod recoveries;
mod steps;
mod undo;

use cutover_core::{
    Budget, BuildBy, BuildFrom, Journal, Op, OpError, Phase, Plan, PlanPath, Platform, Run,
    plan_migration, plan_recovery,
};

use cutover_world::{
    Performed, Trace, auth, directory, drive, fine, interrupted, label, new_nonce, our_journal,
    our_names, request, v2, with_auth,
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

/// The steps of an undo in which nothing was changed by anybody.
fn unguarded(plan: &Plan) -> Vec<usize> {
    (0..plan.undo.len()).filter(|index| plan.undo[*index].when.is_none()).collect()
}

fn on_windows(companion: bool) -> Plan {
    let mut observation = if companion { with_auth(directory()) } else { directory() };
    observation.platform = Platform::Windows;
    plan_migration(&observation, &request(BuildBy::Host, BuildFrom::Empty)).unwrap()
}
