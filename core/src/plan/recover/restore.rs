//! What is done about a journal of a restore: undone while canonical is v2, finished once it is v1.
//! What canonical is, it is told by itself and the files beside it, not by `detect`.

use super::ours::is_own_file;
use super::{any_of_ours, flush, is_staged};
use crate::fault::Platform;
use crate::journal::{Companion, Journal, Phase, Strategy};
use crate::names::displaced;
use crate::observe::{FileFacts, Observation};
use crate::plan::parts::{
    Which, check_no_stale_handles, cleanup_index, install_companions, remove_tmp, write_journal,
};
use crate::plan::restore::{displaced_by, ending, undo};
use crate::plan::{Plan, PlanKind, VERSION};

/// The recovery of an interrupted restore. `canonical`: what it is. `staged`, `kept`: companions
/// that still wait, and those of which one is kept beside already.
pub(in crate::plan) fn recovery(
    journal: Journal,
    platform: Platform,
    canonical: Canonical,
    staged: Which,
    kept: Which,
) -> Plan {
    let mut steps = flush(&journal);
    let mut back = Vec::new();
    let mut cleanup_from = Some(steps.len());
    let kind = if journal.phase == Phase::Committed {
        steps.extend(ending(&journal));
        PlanKind::Clean
    } else if canonical == Canonical::V1 {
        check_no_stale_handles(&mut steps, &journal, platform);
        steps.extend(install_companions(&journal, staged, kept));
        let installed = steps.len();
        steps.push(remove_tmp(&journal));
        steps.extend(write_journal(&journal, Phase::Committed));
        cleanup_from = Some(cleanup_index(platform, installed, steps.len()));
        steps.extend(ending(&journal));
        PlanKind::Finish
    } else {
        back = undo(&journal, platform, canonical == Canonical::V2);
        cleanup_from = None;
        PlanKind::Undo
    };
    Plan {
        version: VERSION,
        kind,
        platform,
        journal: Some(journal),
        steps,
        flip_at: None,
        cleanup_from: cleanup_from.and_then(|at| u32::try_from(at).ok()),
        undo: back,
        needs_bytes: 0,
    }
}

/// The same, of what is seen.
pub(super) fn plan(observation: &Observation, journal: Journal) -> Plan {
    let canonical = canonical(observation, &journal);
    let seen = |companion: &Companion| observation.companions.get(&companion.name);
    let nonce = journal.nonce.clone();
    let kept = |c: &Companion| {
        seen(c).is_some_and(|seen| seen.present.contains(&displaced(&c.file, &nonce)))
    };
    recovery(
        journal,
        observation.platform,
        canonical,
        &|c| is_staged(observation, &nonce, c),
        &kept,
    )
}

/// What canonical is when a restore was interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) enum Canonical {
    /// v1, or it was and belongs to somebody since.
    V1,
    /// v2, with all that was set aside.
    V2,
    /// v2, or another file that somebody gave its name: what was set aside may hold what it does
    /// not.
    Other,
}

fn canonical(observation: &Observation, journal: &Journal) -> Canonical {
    let Some(facts) = observation.canonical_facts() else { return Canonical::Other };
    let copies_pages = journal.strategy.copies_pages();
    let flipped = if copies_pages { has_pages_of_v1 } else { was_replaced };
    if flipped(observation, journal, facts) {
        Canonical::V1
    } else if !copies_pages || is_own_file(observation, journal) {
        Canonical::V2
    } else {
        Canonical::Other
    }
}

/// Whether the install file took canonical's name. The application may have written to either
/// since: what was seen before it did tells most, and ids of files nothing once somebody copied the
/// directory.
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

/// Whether the pages of the install file were copied into canonical. That counts up its schema
/// cookie, which the rows that a program writes to either do not. A program that changes v2's
/// schema counts it up as well, before the copy, which it keeps from being made: then canonical
/// still has v2's versions. The install file stays until the journal says `committed`.
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

/// Whether canonical's log is emptied before a start looks at it: it was kept in WAL mode, so that
/// what it holds may be in its log, and what it holds is told by its file.
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
