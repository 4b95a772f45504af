//! Writing and removing the journal and the receipt.

use crate::journal::{Journal, Phase};
use crate::names::{FileName, PlanPath, Role, journal_tmp_name};
use crate::op::{Op, Step};
use crate::plan::{flush, step};

/// Why every recovery begins with a directory fsync.
pub(crate) const FLUSH: &str = "directory entries that a start sees may not be durable yet; they \
                                must be before any step relies on them";

/// The name of a journal that is being written.
pub(crate) fn tmp(journal: &Journal) -> FileName {
    journal_tmp_name(&journal.names.canonical, &journal.label, &journal.nonce)
}

/// Writes the journal under a temporary name, flushes it, renames it into place, and flushes the
/// directory. So no start reads half a journal.
pub(crate) fn write_journal(journal: &Journal, phase: Phase) -> Vec<Step> {
    let (tmp, file) = (tmp(journal), journal.file());
    vec![
        step(
            Op::WriteJournal { file: tmp.clone(), phase },
            &format!(
                "the journal now says `{}`; it is written under a temporary name",
                phase.as_str()
            ),
        ),
        step(
            Op::SyncFile { file: (&tmp).into() },
            "the new journal must be whole on disk before it gets the journal's name",
        ),
        step(
            Op::Rename { from: (&tmp).into(), to: (&file).into() },
            "one rename replaces the journal, so no start reads half a journal",
        ),
        flush("the journal must be durable before any step that follows"),
    ]
}

/// Writes the receipt, then the journal `committed`. One directory fsync serves both.
pub(crate) fn commit(journal: &Journal) -> Vec<Step> {
    let mut steps = receipt_steps(&journal.names.receipt());
    steps.extend(write_journal(journal, Phase::Committed));
    steps
}

/// Writes the receipt. It needs no temporary name: it is whole before the journal is removed, and
/// while the journal exists the receipt is written again.
pub(crate) fn receipt_steps(receipt: &FileName) -> Vec<Step> {
    vec![
        step(
            Op::WriteReceipt { file: receipt.clone() },
            "the receipt says what the backup is once the journal is gone",
        ),
        step(
            Op::SyncFile { file: receipt.into() },
            "the receipt must be durable before the journal is removed",
        ),
    ]
}

/// Removes the journal and the receipt that an interrupted start was writing. [`commit`] writes
/// both again.
pub(crate) fn remove_half_written(journal: &Journal) -> Step {
    let files = vec![(&tmp(journal)).into(), (&journal.names.receipt()).into()];
    step(
        Op::Remove { files },
        "an interrupted start may have left half a journal or receipt; both are written again",
    )
}

/// Removes the journal alone that an interrupted start was writing.
pub(crate) fn remove_tmp(journal: &Journal) -> Step {
    step(
        Op::Remove { files: vec![(&tmp(journal)).into()] },
        "an interrupted start may have left half a journal; it is written again",
    )
}

/// The last steps of an upgrade, a restore and an undo.
pub(crate) fn remove_journal(journal: &Journal) -> Vec<Step> {
    vec![
        step(
            Op::Remove { files: vec![(&journal.file()).into()] },
            "the journal is removed last: while it exists, every start cleans up",
        ),
        flush("the next start must find no journal"),
    ]
}

/// Flushes the database's directory, and those of the companions that the journal names.
pub(crate) fn flush_directories(journal: &Journal) -> Vec<Step> {
    let companions = journal.companions.iter().map(|companion| Some(companion.name.clone()));
    std::iter::once(None)
        .chain(companions)
        .map(|companion| step(Op::SyncDir { companion }, FLUSH))
        .collect()
}

/// Journals that were being written, of any label, and copies under such a name with their sidecars.
pub(crate) fn stray_journal_tmps<'a>(
    canonical: &FileName,
    files: impl Iterator<Item = &'a FileName>,
) -> Vec<PlanPath> {
    files
        .filter(|name| Role::of(canonical, name).is_some_and(|role| role.is_unfinished()))
        .map(PlanPath::from)
        .collect()
}
