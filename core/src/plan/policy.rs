//! The names that a plan may touch. A given plan is hostile input, so its names are proven first.
//! [`validate`](crate::validate::validate) compares what is done to them, and when.

use super::steps::{companion_names, kept_with_backup, temporary};
use super::{Plan, PlanKind};
use crate::journal::{Journal, ReadError};
use crate::names::{FileName, PlanPath, Role, displaced_name, legacy_journal_name};
use crate::op::{Guard, Op, Step};
use std::collections::BTreeSet;

/// Every name that the journal's own names, label and nonce give.
fn own(journal: &Journal) -> BTreeSet<PlanPath> {
    let names = &journal.names;
    let aside = displaced_name(&names.canonical, &journal.nonce);
    let mut own: BTreeSet<PlanPath> = temporary(journal).into_iter().collect();
    let sets = [&names.canonical, &names.backup, &aside].into_iter().flat_map(FileName::set);
    own.extend(sets.map(|name| PlanPath::from(&name)));
    let more = [&names.receipt(), &journal.file(), &legacy_journal_name(&names.canonical)];
    own.extend(more.map(PlanPath::from));
    for companion in &journal.companions {
        let of = companion_names(journal, companion);
        own.extend([of.file, of.staged, of.backup_tmp, of.backup, of.displaced]);
        own.extend(kept_with_backup(journal, companion));
    }
    own
}

pub(super) fn check(plan: &Plan, journal: &Journal) -> Result<(), ReadError> {
    if plan.kind == PlanKind::Adopt {
        return super::adopt::check(plan, journal);
    }
    let own = own(journal);
    let companions: BTreeSet<_> = journal.companions.iter().map(|of| &of.name).collect();
    let stranger = |step: &Step| {
        let named = [step.op.companion(), step.when.as_ref().and_then(Guard::companion)];
        let companion = named.into_iter().flatten().find(|name| !companions.contains(name));
        let file = || step.op.files().into_iter().find(|at| !own.contains(at));
        companion.map(ToString::to_string).or_else(|| Some(file()?.to_string()))
    };
    for (list, steps) in [("steps", &plan.steps), ("undo", &plan.undo)] {
        for (index, step) in steps.iter().enumerate() {
            if let Some(name) = stranger(step) {
                let op = step.op.name();
                return Err(ReadError::Contradiction(format!(
                    "{list}[{index}] ({op}): {name} is not a name that this plan may touch"
                )));
            }
        }
    }
    Ok(())
}

/// Without a journal a plan may only set a journal aside, or remove journals that were being
/// written.
pub(super) fn check_without_journal(plan: &Plan) -> Result<(), ReadError> {
    if plan.kind == PlanKind::Prune {
        return super::prune::check(plan);
    }
    if plan.kind == PlanKind::LeaveZombie {
        return super::leave_zombie::check(plan);
    }
    if !matches!(plan.kind, PlanKind::SetAside | PlanKind::Clean)
        || !plan.undo.is_empty()
        || plan.flip_at.is_some()
    {
        return Err(ReadError::Contradiction("journal: a plan of this kind has one".into()));
    }
    // The database's name is not in the plan: any name will do that makes this one a journal's.
    let is = |at: &PlanPath, fits: fn(Role) -> bool| {
        let mut roles = at.name.bases().filter_map(|canonical| Role::of(&canonical, &at.name));
        at.companion.is_none() && roles.any(fits)
    };
    for (index, step) in plan.steps.iter().enumerate() {
        let ok = match &step.op {
            Op::SyncDir { companion: None } => true,
            Op::Rename { from, to } => {
                plan.kind == PlanKind::SetAside
                    && is(from, |role| matches!(role, Role::Journal(_) | Role::LegacyJournal))
                    && is(to, |role| role == Role::JournalAside)
                    && to.name.as_str().starts_with(from.name.as_str())
            }
            Op::Remove { files } => {
                plan.kind == PlanKind::Clean
                    && files.iter().all(|at| is(at, |role| role.is_unfinished()))
            }
            _ => false,
        };
        if !ok {
            let why = format!("steps[{index}] ({}): not without a journal", step.op.name());
            return Err(ReadError::Contradiction(why));
        }
    }
    Ok(())
}
