//! What a start does about the journal of a restore: undo it while canonical is v2, finish it once
//! canonical is v1. The files tell which, not `detect`.

use super::any_of_ours;
use super::ours::is_own_file;
use crate::failure::Failure;
use crate::fault::Platform;
use crate::journal::{Companion, Journal, Phase, Strategy};
use crate::names::{FileName, Label, Nonce, PlanPath, companion_staged_name};
use crate::observe::{FileFacts, Observation};
use crate::op::Op;
use crate::page1::JournalMode;
use crate::plan::leave::leave_irreplaceable;
use crate::plan::live::LiveState;
use crate::plan::refuse::{refuse_held, refuse_unseen};
use crate::plan::restore::{Modes, ending, made, undo};
use crate::plan::steps::{
    Which, check_no_stale_handles, cleanup_index, displaced_by, flush_directories,
    install_companions, is_kept, is_staged, remove_tmp, write_journal,
};
use crate::plan::{Plan, PlanKind, index};

/// The recovery of an interrupted restore. `live`: what canonical is. `staged`: which companions
/// still wait. `kept`: of which one is kept under its displaced name already.
fn recovery(
    journal: Journal,
    platform: Platform,
    live: LiveState,
    staged: Which,
    kept: Which,
) -> Plan {
    let mut steps = flush_directories(&journal);
    let mut back = Vec::new();
    let mut cleanup_from = Some(steps.len());
    let kind = if journal.phase == Phase::Committed {
        steps.extend(ending(&journal));
        PlanKind::Clean
    } else if live == LiveState::Installed {
        check_no_stale_handles(&mut steps, &journal, platform);
        steps.extend(install_companions(&journal, staged, kept));
        let installed = steps.len();
        steps.push(remove_tmp(&journal));
        steps.extend(write_journal(&journal, Phase::Committed));
        cleanup_from = Some(cleanup_index(platform, installed, steps.len()));
        steps.extend(ending(&journal));
        PlanKind::Finish
    } else {
        back = undo(&journal, platform, live == LiveState::Unchanged);
        cleanup_from = None;
        PlanKind::Undo
    };
    Plan {
        cleanup_from: cleanup_from.and_then(index),
        undo: back,
        ..Plan::new(kind, platform, Some(journal), steps)
    }
}

/// The recovery of a restore, of what is seen.
pub(super) fn plan(observation: &Observation, mut journal: Journal) -> Plan {
    let live = identify(observation, &journal);
    let nonce = journal.nonce.clone();
    if live == LiveState::Installed && journal.phase != Phase::Committed {
        leave_irreplaceable(observation, &mut journal, |journal, companion, _| {
            is_staged(observation, &journal.nonce, companion)
        });
    }
    recovery(
        journal,
        observation.platform,
        live,
        &|companion| is_staged(observation, &nonce, companion),
        &|companion| is_kept(observation, &nonce, companion),
    )
}

fn identify(observation: &Observation, journal: &Journal) -> LiveState {
    let Some(facts) = observation.canonical_facts() else { return LiveState::Missing };
    let copies_pages = journal.strategy.copies_pages();
    let flipped = if copies_pages { has_pages_of_v1 } else { was_replaced };
    if flipped(observation, journal, facts) {
        LiveState::Installed
    } else if !copies_pages || is_own_file(observation, journal) {
        LiveState::Unchanged
    } else {
        LiveState::Changed
    }
}

/// Whether the install file took canonical's name. The application may have written to either file
/// since, and the ids of files tell nothing once the directory was copied. So the journal's record
/// of what was settled is compared first.
fn was_replaced(observation: &Observation, journal: &Journal, facts: &FileFacts) -> bool {
    let names = &journal.names;
    let aside = displaced_by(journal);
    let unchanged = journal.v1.as_ref().is_some_and(|v1| v1.is_as_settled(facts));
    let Some(v2) = &journal.v2 else { return false };
    if journal.phase < Phase::Built || observation.same_file(&names.canonical, &aside) {
        return false;
    }
    let installed = facts.size == v2.size && facts.page1.as_ref() == Some(&v2.page1);
    let is_install = (installed && facts.file_id == v2.file_id)
        || observation.same_file(&names.canonical, &names.install);
    let was_install = installed
        || (!observation.files.contains_key(&names.install)
            && observation.files.contains_key(&aside));
    is_install || (!unchanged && was_install)
}

/// Whether the pages of the install file were copied into canonical. The copy increments canonical's
/// schema cookie; rows that a program writes do not. A program that changes v2's schema before the
/// copy increments it as well, but then the copy is not made, and canonical still has v2's versions.
/// The install file stays until the journal says `committed`.
fn has_pages_of_v1(observation: &Observation, journal: &Journal, facts: &FileFacts) -> bool {
    let install = observation.files.get(&journal.names.install);
    let (Some(v1), Some(now), Some(install)) =
        (&journal.v1, &facts.header, install.and_then(|facts| facts.header.as_ref()))
    else {
        return false;
    };
    journal.phase >= Phase::Installing
        && !v1.fingerprint.has_schema_of(now)
        && (now.user_version, now.application_id) == (install.user_version, install.application_id)
}

/// Whether canonical is, unchanged, what this restore installed.
#[must_use]
pub fn is_in_place(observation: &Observation, journal: &Journal) -> bool {
    let (Some(facts), Some(v1), Some(v2)) =
        (observation.canonical_facts(), &journal.v1, &journal.v2)
    else {
        return false;
    };
    if journal.strategy.copies_pages() {
        let has_schema = |header| v1.fingerprint.has_schema_of(header);
        facts.file_id == v1.file_id
            && facts.size == v2.size
            && !facts.header.as_ref().is_none_or(has_schema)
    } else {
        v2.is_as_built(facts)
    }
}

/// Whether canonical's log must be emptied before a start looks at canonical: it was kept in WAL
/// mode, so its pages may be in the log, and a start tells what it holds by the file alone.
#[must_use]
pub fn must_empty_log(observation: &Observation) -> bool {
    let [log, ..] = observation.canonical.sidecars();
    observation.files.get(&log).is_some_and(|log| log.size > 0)
        && any_of_ours(observation, &|journal| {
            journal.strategy == Strategy::RestorePageCopy
                && journal.phase == Phase::Installing
                && journal.v1.as_ref().is_some_and(|v1| !v1.fingerprint.detects_writes())
        })
}

/// What must be done before a restore: a restore that was interrupted is ended. Any other journal is
/// left for [`plan_restore`](crate::plan::plan_restore) to refuse.
///
/// # Errors
/// `HELD` when this process holds the database, or it cannot be told which programs do; `JOURNAL`
/// when the database is missing beside the journal.
pub fn recover_before_restore(
    observation: &Observation,
    label: &Label,
    nonce: &Nonce,
) -> Result<Option<Plan>, Failure> {
    refuse_held(observation)?;
    let restores = |text: &Option<String>| {
        let journal =
            text.as_deref().and_then(|text| Journal::parse(text, &observation.canonical).ok());
        journal.is_some_and(|journal| journal.strategy.restores())
    };
    if !observation.journals.values().all(restores) {
        return Ok(None);
    }
    let plan = super::plan_recovery(observation, label, nonce)?;
    if plan.as_ref().is_some_and(Plan::looks) {
        refuse_unseen(observation)?;
    }
    Ok(plan)
}

/// The right plan for the journal of this one, as far as the plan's steps tell what was seen.
pub(crate) fn right(plan: &Plan, journal: &Journal) -> Plan {
    let renamed = |from: &PlanPath| {
        plan.steps.iter().any(|step| matches!(&step.op, Op::Rename { from: at, .. } if at == from))
    };
    let staged = |c: &Companion| {
        renamed(&PlanPath {
            companion: Some(c.name.clone()),
            name: companion_staged_name(&c.file, &journal.nonce),
        })
    };
    let kept = |c: &Companion| {
        renamed(&PlanPath { companion: Some(c.name.clone()), name: c.file.clone() })
    };
    let mode_of = |name: &FileName| {
        let found = plan.steps.iter().find_map(|step| match &step.op {
            Op::Settle { file, mode } if file == name => Some(*mode),
            _ => None,
        });
        found.unwrap_or(JournalMode::Delete)
    };
    let names = &journal.names;
    let stays_in_wal = plan.platform == Platform::Windows && journal.strategy.copies_pages();
    let modes = Modes {
        install: mode_of(&names.install),
        canonical: if stays_in_wal { mode_of(&names.canonical) } else { JournalMode::Delete },
    };
    let aside = PlanPath::from(&displaced_by(journal));
    let removed = plan
        .undo
        .iter()
        .any(|step| matches!(&step.op, Op::Remove { files } if files.contains(&aside)));
    let canonical = match plan.kind {
        PlanKind::Finish => LiveState::Installed,
        _ if removed => LiveState::Unchanged,
        _ => LiveState::Changed,
    };
    match plan.kind {
        PlanKind::Restore => {
            let begun = Journal { phase: Phase::Building, v2: None, ..journal.clone() };
            made(begun, modes, plan.platform, plan.needs_bytes)
        }
        _ => recovery(journal.clone(), plan.platform, canonical, &staged, &kept),
    }
}
