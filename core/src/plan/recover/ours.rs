//! What is done about a journal of ours.

use super::any_of_ours;
use crate::failure::Failure;
use crate::fault::Platform;
use crate::journal::{Companion, Journal, Phase, Strategy, V1};
use crate::names::FileName;
use crate::observe::{CompanionFacts, Observation, Verdict};
use crate::op::{Op, Step};
use crate::plan::leave::{leave_irreplaceable, leave_moved, waits_for_irreplaceable};
use crate::plan::live::LiveState;
use crate::plan::refuse::{refuse_missing, refuse_unread};
use crate::plan::steps::page_copy::{self, page_copy};
use crate::plan::steps::{
    BackupName, check_no_stale_handles, clean_up, cleanup_index, commit, companion_names, flip,
    flush_directories, install_companions, is_kept, is_staged, position_of_flip, receipt_steps,
    remove_half_written, restore_v1_name, undo, undo_companions,
};
use crate::plan::{Plan, PlanKind, index, step};

/// What is seen of a journal of ours and canonical.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecoveryRule {
    /// Windows: v1 changed between its check and the flip.
    PutBack,
    /// Canonical is v2.
    V2,
    /// There is no canonical.
    Missing,
    /// It cannot be told what canonical is.
    Unread,
    /// `committed` beside a v1: v2 was durably canonical, and a person restored v1. Only the journal
    /// is left of that upgrade.
    Committed,
    /// `built` or `installing`, v1 unchanged, v2's file there, the backup's name free or v1's, room
    /// for a page copy where one is needed, and no companion waiting that no file can replace.
    GoOn,
    /// Any other v1.
    GoBack,
}

impl RecoveryRule {
    /// The table.
    pub const IN_ORDER: [Self; 7] = [
        Self::PutBack,
        Self::V2,
        Self::Missing,
        Self::Unread,
        Self::Committed,
        Self::GoOn,
        Self::GoBack,
    ];

    fn fits(self, observation: &Observation, journal: &Journal, live: LiveState) -> bool {
        let staged =
            || journal.v2.as_ref().is_some_and(|v2| observation.files.contains_key(&v2.file));
        match self {
            Self::PutBack => v1_changed_at_the_flip(observation, journal),
            Self::V2 => live == LiveState::Installed,
            Self::Missing => live == LiveState::Missing,
            Self::Unread => live == LiveState::Unread,
            Self::Committed => journal.phase == Phase::Committed,
            Self::GoOn => {
                let begun = matches!(journal.phase, Phase::Built | Phase::Installing);
                begun
                    && live == LiveState::Unchanged
                    && staged()
                    && backup_is_v1(observation, journal)
                    && has_room(observation, journal)
                    && !waits_for_irreplaceable(observation, journal)
            }
            Self::GoBack => true,
        }
    }
}

/// `detect` is asked first: it is the application's own test, and it was proven on v2 before v2 was
/// installed. File ids do not survive a copy of the directory, and sizes and digests change as soon
/// as the application writes.
fn identify(observation: &Observation, journal: &Journal) -> LiveState {
    let Some(facts) = observation.canonical_facts() else { return LiveState::Missing };
    // Another copy of the same ancestor may have as many commits, so another file is taken for v1
    // only in a directory that was copied.
    let is_own = |v1: &V1| v1.file_id == facts.file_id || is_copied(observation, journal);
    let unchanged = || {
        journal.v1.as_ref().is_some_and(|v1| {
            v1.fingerprint.detects_writes() && v1.is_as_settled(facts) && is_own(v1)
        })
    };
    let v2_id = journal.v2.as_ref().is_some_and(|v2| v2.is_as_built(facts));
    match observation.verdict {
        Some(Verdict::Current | Verdict::Newer) => LiveState::Installed,
        Some(Verdict::Old) if unchanged() => LiveState::Unchanged,
        Some(Verdict::Old) => LiveState::Changed,
        None if v2_id => LiveState::Installed,
        None => LiveState::Unread,
    }
}

/// Whether v2's file, not installed yet, is not the file that was checked: the directory was copied.
fn is_copied(observation: &Observation, journal: &Journal) -> bool {
    let v2 = journal.v2.as_ref();
    v2.is_some_and(|v2| {
        observation.files.get(&v2.file).is_some_and(|facts| facts.file_id != v2.file_id)
    })
}

pub(super) fn plan(
    table: &[RecoveryRule],
    observation: &Observation,
    journal: Journal,
) -> Result<Plan, Failure> {
    let mut here = journal.clone();
    leave_moved(observation, &mut here);
    let live = identify(observation, &here);
    let rule = table.iter().find(|rule| rule.fits(observation, &here, live));
    by_rule(rule.copied().unwrap_or(RecoveryRule::GoBack), observation, journal)
}

/// What this rule does.
pub(super) fn by_rule(
    rule: RecoveryRule,
    observation: &Observation,
    mut journal: Journal,
) -> Result<Plan, Failure> {
    for companion in &mut journal.companions {
        companion.staged |= is_staged(observation, &journal.nonce, companion);
    }
    let all = journal.companions.clone();
    leave_moved(observation, &mut journal);
    leave_irreplaceable(observation, &mut journal, |journal, companion, seen| match rule {
        RecoveryRule::V2 => is_staged(observation, &journal.nonce, companion),
        RecoveryRule::Committed => false,
        _ => is_put_back(observation, journal, companion, seen),
    });
    let mut plan = match rule {
        RecoveryRule::PutBack => {
            let back = restore_v1_name(&journal);
            go_back(observation, journal, back)
        }
        RecoveryRule::V2 | RecoveryRule::Committed => forward(observation, journal),
        RecoveryRule::Missing => return Err(refuse_missing(observation, &journal)),
        RecoveryRule::Unread => return Err(refuse_unread(observation)),
        RecoveryRule::GoOn => go_on(observation, journal),
        RecoveryRule::GoBack => go_back(observation, journal, Vec::new()),
    };
    // No step works on the companions that are left; the receipt and a later start know of them.
    if let Some(journal) = &mut plan.journal {
        journal.companions = all;
    }
    Ok(plan)
}

/// Whether v2 was installed over a v1 that another program wrote to at the last moment. On Windows
/// an open file cannot be replaced, so v1's lock cannot outlast its check. Rows written after the
/// check are in the backup alone, and v2 lacks them.
///
/// v2 is then replaced, not kept: it is a build of ours that no application has used. This must be
/// certain, because an application that uses v2 has rows in it. The application is told of v2 only
/// once the journal says `committed` ([`cleanup_index`]). And no step behind the check of the backup
/// was begun: canonical is as it was built, every staged companion still waits, and there is no
/// receipt. So no program changed the backup later, under the backup's name.
///
/// Sidecars beside canonical are v1's, of an old application that was killed. The rename makes them
/// v1's again, so no program may open canonical before it: [`may_open_canonical`].
pub(super) fn v1_changed_at_the_flip(observation: &Observation, journal: &Journal) -> bool {
    let names = &journal.names;
    let facts = (observation.canonical_facts(), observation.files.get(&names.backup));
    let ((Some(canonical), Some(backup)), Some(v1), Some(v2)) = (facts, &journal.v1, &journal.v2)
    else {
        return false;
    };
    let is_v2 = matches!(observation.verdict, Some(Verdict::Current | Verdict::Newer))
        || canonical.file_id == v2.file_id;
    // An old release may have upgraded over ours. Canonical is our build if it is that very file; in
    // a copied directory, where every file is another, it is taken for ours.
    let ours = canonical.file_id == v2.file_id || backup.file_id != v1.file_id;
    observation.platform == Platform::Windows
        && !journal.strategy.restores()
        && journal.phase == Phase::Built
        && is_v2
        && ours
        && canonical.size == v2.size
        && canonical.page1.as_ref() == Some(&v2.page1)
        && !observation.same_file(&names.backup, &names.canonical)
        && backup.fingerprint().is_some_and(|now| now != v1.fingerprint)
        && !observation.files.contains_key(&names.receipt())
        && journal.companions.iter().all(|c| {
            !c.staged || !observation.declares(c) || is_staged(observation, &journal.nonce, c)
        })
}

/// Whether canonical may be opened, to ask `detect` what it is. Not while v1 must be put back over
/// it: opening it would replay v1's -wal or hot -journal over v2, and v1 would lose those rows.
#[must_use]
pub fn may_open_canonical(observation: &Observation) -> bool {
    !any_of_ours(observation, &|journal| v1_changed_at_the_flip(observation, journal))
}

fn forward(observation: &Observation, mut journal: Journal) -> Plan {
    let mut steps = flush_directories(&journal);
    let [log, ..] = journal.names.canonical.sidecars();
    if journal.phase == Phase::Installing && observation.files.contains_key(&log) {
        let why = "v2 may be in canonical's -wal alone: a process that was killed had committed it \
                   and not flushed it";
        steps.push(step(Op::SyncFile { file: (&log).into() }, why));
    }
    let mut kind = PlanKind::Finish;
    let mut cleanup_from = steps.len();
    let backup = observation.files.contains_key(&journal.names.backup);
    match journal.phase {
        Phase::Built | Phase::Installing if backup => {
            check_no_stale_handles(&mut steps, &journal, observation.platform);
            let staged = |c: &Companion| is_staged(observation, &journal.nonce, c);
            steps.extend(install_companions(&journal, &staged, &|c| {
                is_kept(observation, &journal.nonce, c)
            }));
            let installed = steps.len();
            steps.push(remove_half_written(&journal));
            steps.extend(commit(&journal));
            cleanup_from = cleanup_index(observation.platform, installed, steps.len());
        }
        _ => {
            // Without a backup, or beside `building`, this journal did not install v2: an older
            // release that upgraded over ours did, or a person. Exception: on Windows, where the
            // directory cannot be flushed, `building` may be all of the journal that reached the
            // disk. It was written before v1 was settled, so a receipt that its upgrade wrote later
            // knows more. Beside `committed` the receipt's name may not have reached the disk.
            let building = journal.phase == Phase::Building;
            if building {
                journal.v1 = None;
            }
            if backup
                && !(building
                    && observation
                        .files
                        .get(&journal.names.receipt())
                        .is_some_and(|facts| facts.size > 0))
            {
                steps.push(remove_half_written(&journal));
                steps.extend(receipt_steps(&journal.names.receipt()));
            }
            if !backup || journal.phase == Phase::Committed {
                kind = PlanKind::Clean;
            }
        }
    }
    steps.extend(clean_up(&journal, true));
    Plan {
        cleanup_from: index(cleanup_from),
        ..Plan::new(kind, observation.platform, Some(journal), steps)
    }
}

/// Whether the backup's name is free, or v1's: a hard link to v1, or the second copy in a directory
/// that was copied. Any other file is kept, and v2 is built again under another nonce.
fn backup_is_v1(observation: &Observation, journal: &Journal) -> bool {
    let names = &journal.names;
    let v1 = journal.v1.as_ref().map(|v1| &v1.fingerprint);
    observation.files.get(&names.backup).is_none_or(|backup| {
        if journal.strategy == Strategy::PageCopy {
            return page_copy::is_copy(backup, journal);
        }
        observation.same_file(&names.backup, &names.canonical)
            || (backup.header.is_some() && backup.fingerprint().as_ref() == v1)
    })
}

/// A full disk must not stop every start: without room for the page copy, what was built is removed.
fn has_room(observation: &Observation, journal: &Journal) -> bool {
    let copied = observation.files.contains_key(&journal.names.backup);
    let v1 = observation.canonical_facts().map_or(0, |facts| facts.size);
    let v2 = journal.v2.as_ref().map_or(0, |v2| v2.size);
    let needs_bytes = page_copy::needs_bytes(v1, v2, copied);
    journal.strategy != Strategy::PageCopy
        || observation.free_bytes.is_none_or(|free| free >= needs_bytes)
}

fn go_on(observation: &Observation, mut journal: Journal) -> Plan {
    if observation.held_on_windows() && !observation.files.contains_key(&journal.names.backup) {
        // A rename over canonical would fail at every start while a process has it open.
        journal.strategy = Strategy::PageCopy;
    }
    let names = &journal.names;
    let staged = staged(&journal).clone();
    let pages = journal.strategy == Strategy::PageCopy;
    let backup = if !observation.files.contains_key(&names.backup) {
        BackupName::Free
    } else if observation.same_file(&names.backup, &names.canonical) {
        BackupName::Linked
    } else {
        BackupName::Copied
    };
    let mut steps = flush_directories(&journal);
    steps.extend([
        step(Op::Check { file: staged.clone() }, "a power loss may have damaged v2's file"),
        step(Op::Detect { file: staged.clone() }, "only a v2 may be installed"),
    ]);
    if pages {
        steps.push(remove_half_written(&journal));
        let done = page_copy::Done {
            copied: observation.files.contains_key(&names.backup),
            installing: journal.phase == Phase::Installing,
        };
        steps.extend(page_copy(&journal, &staged, done));
    } else {
        steps.extend(flip(&journal, &staged, backup, observation.platform));
    }
    let flip_at = position_of_flip(&steps, &names.canonical);
    steps.extend(install_companions(
        &journal,
        &|c| is_staged(observation, &journal.nonce, c),
        &|c| is_kept(observation, &journal.nonce, c),
    ));
    let installed = steps.len();
    if !pages {
        steps.push(remove_half_written(&journal));
    }
    steps.extend(commit(&journal));
    let cleanup_from = cleanup_index(observation.platform, installed, steps.len());
    steps.extend(clean_up(&journal, true));
    Plan {
        flip_at: flip_at.and_then(index),
        cleanup_from: index(cleanup_from),
        undo: undo_ours(observation, &journal),
        ..Plan::new(PlanKind::Finish, observation.platform, Some(journal), steps)
    }
}

/// The file that is installed.
fn staged(journal: &Journal) -> &FileName {
    journal.v2.as_ref().map_or(&journal.names.staging, |v2| &v2.file)
}

fn undo_ours(observation: &Observation, journal: &Journal) -> Vec<Step> {
    let companions = undo_companions(journal, &|c| backed_up(observation, journal, c), &|c| {
        is_kept(observation, &journal.nonce, c)
    });
    let backup = observation.files.get(&journal.names.backup);
    let copied = journal.strategy == Strategy::PageCopy
        && is_own_file(observation, journal)
        && backup.is_none_or(|backup| page_copy::is_copy(backup, journal));
    undo(journal, Some(staged(journal)), copied, companions, observation.platform)
}

/// Whether canonical is the file that was settled, so that it holds every row of a copy of it. If a
/// program put another file in its place, the copy may hold rows that canonical lacks. (A database
/// that was kept in WAL mode may change without a trace in its header. In a directory that was
/// copied, its copy is then taken for it.)
pub(super) fn is_own_file(observation: &Observation, journal: &Journal) -> bool {
    let is_v1 = |v1: &V1| {
        let Some(facts) = observation.canonical_facts() else { return false };
        v1.file_id == facts.file_id
            || (v1.is_as_settled(facts)
                && (is_copied(observation, journal) || !v1.fingerprint.detects_writes()))
    };
    journal.v1.as_ref().is_none_or(is_v1)
}

/// `first`: the steps before the undo. The undo continues after a failed step; after one of these it
/// must not start.
fn go_back(observation: &Observation, journal: Journal, first: Vec<Step>) -> Plan {
    let mut steps = flush_directories(&journal);
    steps.extend(first);
    Plan {
        undo: undo_ours(observation, &journal),
        ..Plan::new(PlanKind::Undo, observation.platform, Some(journal), steps)
    }
}

/// Whether an undo puts this companion back: the application changed it in place.
fn is_put_back(
    observation: &Observation,
    journal: &Journal,
    companion: &Companion,
    seen: &CompanionFacts,
) -> bool {
    !companion.staged
        && seen.digest.is_some()
        && seen.digest != companion.before
        && (companion.before.is_none() || backed_up(observation, journal, companion))
}

fn backed_up(observation: &Observation, journal: &Journal, companion: &Companion) -> bool {
    let backup = companion_names(journal, companion).backup.name;
    observation.companions.get(&companion.name).is_some_and(|seen| seen.present.contains(&backup))
}
