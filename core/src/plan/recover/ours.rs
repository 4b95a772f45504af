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
    /// Nobody can tell what canonical is.
    Unread,
    /// `committed` beside a v1: v2 was durably canonical, and somebody restored v1. Only the
    /// journal is left of that cutover.
    Committed,
    /// `built` or `installing`, v1 unchanged, v2's file there, and the backup's name free or v1's;
    /// and the room that a page copy takes.
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

/// `detect` is the application's own word for what tells v1 from v2, and it was proven on v2 before
/// it was installed, so it goes first: file ids do not survive a copied directory, and sizes and
/// digests change as soon as the application writes.
fn identify(observation: &Observation, journal: &Journal) -> LiveState {
    let Some(facts) = observation.canonical_facts() else { return LiveState::Missing };
    // Another copy of the same ancestor may have as many commits: another file is v1 only in a
    // directory that was copied.
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

/// Whether v2's file, not installed yet, is another one than was checked.
fn is_copied(observation: &Observation, journal: &Journal) -> bool {
    let v2 = journal.v2.as_ref();
    v2.is_some_and(|v2| {
        observation.files.get(&v2.file).is_some_and(|facts| facts.file_id != v2.file_id)
    })
}

pub(super) fn plan(
    table: &[RecoveryRule],
    observation: &Observation,
    mut journal: Journal,
) -> Result<Plan, Failure> {
    for companion in &mut journal.companions {
        companion.staged |= is_staged(observation, &journal.nonce, companion);
    }
    let all = journal.companions.clone();
    leave_moved(observation, &mut journal);
    let live = identify(observation, &journal);
    let rule = table.iter().find(|rule| rule.fits(observation, &journal, live));
    let rule = rule.copied().unwrap_or(RecoveryRule::GoBack);
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
    // No step is about them; a receipt and a later start know of them.
    if let Some(journal) = &mut plan.journal {
        journal.companions = all;
    }
    Ok(plan)
}

/// Whether v2 was installed over a v1 that another program wrote to at the last moment. On Windows
/// an open file cannot be replaced, so v1's lock cannot outlast its check; what was written after
/// that is in the backup alone, and v2 lacks it.
///
/// v2 is then replaced, not kept beside: it is a build of ours that nobody has used. That must be
/// sure, for an application that may use v2 has rows in it. It is told of v2 only once the journal
/// says `committed` ([`cleanup_index`]); and here nothing was begun of what comes after the look at
/// the backup: canonical is as it was built, every staged companion still waits, there is no
/// receipt. So what changed the backup was not somebody who opened it later, by that name.
///
/// Sidecars beside canonical are v1's, of an old application that was killed. The rename makes them
/// v1's again, so nothing may open canonical before it: [`may_open_canonical`].
fn v1_changed_at_the_flip(observation: &Observation, journal: &Journal) -> bool {
    let names = &journal.names;
    let facts = (observation.canonical_facts(), observation.files.get(&names.backup));
    let ((Some(canonical), Some(backup)), Some(v1), Some(v2)) = (facts, &journal.v1, &journal.v2)
    else {
        return false;
    };
    let is_v2 = matches!(observation.verdict, Some(Verdict::Current | Verdict::Newer))
        || canonical.file_id == v2.file_id;
    // An old release may have upgraded over ours: canonical is our build if it is that very file,
    // or in a copied directory, where none is.
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

/// Whether canonical may be opened, to ask `detect` what it is. Not while it is a v2 that v1 is to
/// be put back over: a log or hot journal of v1's beside it would be replayed over v2 by the mere
/// open, and be gone from v1.
#[must_use]
pub fn may_open_canonical(observation: &Observation) -> bool {
    !any_of_ours(observation, &|journal| v1_changed_at_the_flip(observation, journal))
}

fn forward(observation: &Observation, mut journal: Journal) -> Plan {
    let mut steps = flush_directories(&journal);
    let [log, ..] = journal.names.canonical.sidecars();
    if journal.phase == Phase::Installing && observation.files.contains_key(&log) {
        let why = "v2 may be in canonical's log alone, where a process that was killed had \
                   committed it and not flushed it";
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
            // Without a backup somebody else made this v2: an older release that upgraded over
            // ours, or a person. So did they beside `building`, unless the directory
            // cannot be flushed: the journal knows nothing of this v2 and cannot say committed.
            // `committed`: its name may have reached the disk without the receipt's.
            // `building` knows less of both than the receipt that its upgrade wrote later: it was
            // written before v1 was settled.
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

/// Whether the backup's name is free, or v1's: a link, or the second copy that a copied directory
/// has. Anything else is kept, and v2 is built anew under another nonce.
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

/// A disk that is full must not stop every start: what was built is removed then.
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
        // Its own end of the flip would meet the holder at every start.
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
        step(Op::Check { file: staged.clone() }, "a crash may have damaged what was built"),
        step(Op::Detect { file: staged.clone() }, "only a v2 is installed"),
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

/// Whether canonical is the file that was settled, so that a copy of it holds nothing that it does
/// not: where somebody put another file in its place the copy may. (One that was held in WAL mode
/// has changed without a trace in its header, and its copy in a copied directory is told by
/// nothing.)
pub(super) fn is_own_file(observation: &Observation, journal: &Journal) -> bool {
    let is_v1 = |v1: &V1| {
        let Some(facts) = observation.canonical_facts() else { return false };
        v1.file_id == facts.file_id
            || (v1.is_as_settled(facts)
                && (is_copied(observation, journal) || !v1.fingerprint.detects_writes()))
    };
    journal.v1.as_ref().is_none_or(is_v1)
}

/// `first`: what comes before the undo, which goes on after a step that failed, and must not after
/// one of these.
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
