//! Which given plan a start performs: the one that it would perform first itself.

use super::validate_request;
use crate::backup::{Backup, begins_ms};
use crate::failure::{Code, Failure};
use crate::journal::ReadError;
use crate::names::Role;
use crate::observe::Observation;
use crate::plan::{Plan, PlanKind, Request};

/// Refuses a given plan, unless a start that asks for `request` would perform it first. The start has
/// [assessed](crate::plan::assess) the observation. `backups`: those that are there.
///
/// # Errors
/// `JOURNAL`, with what is wrong, or `HELD` where a program that has the database open would not be
/// seen; nothing was touched.
pub fn refuse_given(
    plan: &Plan,
    observation: &Observation,
    request: &Request,
    backups: &[Backup],
) -> Result<(), Failure> {
    let canonical = &observation.canonical;
    if !plan.is_for(canonical) {
        return Err(refuse(format!("the plan is not for {canonical}")));
    }
    let other = plan.journal.as_ref().filter(|journal| journal.label != request.label);
    if let Some(journal) = other.filter(|_| plan.kind.begins()) {
        let (label, asked) = (&journal.label, &request.label);
        return Err(refuse(format!("the plan is for the label {label}, not for {asked}")));
    }
    if matches!(
        plan.kind,
        PlanKind::Restore | PlanKind::Prune | PlanKind::LeaveZombie | PlanKind::Adopt
    ) {
        return Err(refuse("the plan is not the plan of an upgrade".into()));
    }
    if let Some(why) = observation.holders_unknown.as_deref().filter(|_| plan.looks()) {
        return Err(Failure::unseen(canonical, why));
    }
    if plan.companions().into_iter().any(|companion| !observation.declares(companion)) {
        let why = "the plan has companions that the options do not declare, or declare at another \
                   path";
        return Err(refuse(why.into()));
    }
    let backup = plan.journal.as_ref().map(|journal| &journal.names.backup);
    if plan.kind == PlanKind::Migrate
        && let Some(Role::Backup { started_ms, .. }) = backup.and_then(|of| Role::of(canonical, of))
        && started_ms < begins_ms(backups, 0)
    {
        return Err(refuse("its backup would be older than one that was made since".into()));
    }
    match validate_request(plan, Some(observation), Some(request)).first() {
        Some(finding) => Err(refuse(format!("the plan is not safe to perform: {finding}"))),
        None => Ok(()),
    }
}

/// The refusal of a text that is not a plan.
#[must_use]
pub fn refuse_unread_plan(error: &ReadError) -> Failure {
    let why = format!("the plan cannot be used: {error}");
    match error {
        ReadError::TooNew { .. } => Failure::refusal(Code::Newer, why, "nothing was touched"),
        _ => refuse(why),
    }
}

fn refuse(why: String) -> Failure {
    let hint = "make a new plan from this database; nothing was touched";
    Failure::refusal(Code::Journal, why, hint)
}
