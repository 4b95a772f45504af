//! What follows a failure before the flip: v1 stays canonical, or becomes it again.

use super::cleanup::temporary;
use super::journal::{remove_journal, tmp, write_journal};
use crate::fault::Platform;
use crate::journal::{Journal, Phase};
use crate::names::FileName;
use crate::op::{Op, Step};
use crate::page1::JournalMode;
use crate::plan::{flush, step};

/// Undoes everything before the flip. Each step may find its work done: an undo may be killed and
/// run again. `staged`: the file that a later start would install. `copied`: the backup is a copy
/// of v1, or there is no backup.
pub(crate) fn undo(
    journal: &Journal,
    staged: Option<&FileName>,
    copied: bool,
    companions: Vec<Step>,
    platform: Platform,
) -> Vec<Step> {
    let names = &journal.names;
    let mut steps =
        vec![step(Op::UnlockV1 {}, "v1 stays canonical; programs that wait for it may go on")];
    if let Some(staged) = staged {
        steps.extend(discard_v2(journal, staged, platform));
    }
    steps.push(step(Op::UndoHost {}, "the application undoes what it did outside the database"));
    steps.extend(companions);
    steps.push(if copied {
        step(
            Op::Remove { files: vec![(&names.backup).into()] },
            "v1 was not replaced, so its copy is not needed",
        )
    } else {
        step(
            Op::RemoveLink { link: names.backup.clone(), of: names.canonical.clone() },
            "v1 was not replaced, so its second hard link is not needed",
        )
    });
    steps.push(step(
        Op::Remove { files: temporary(journal) },
        "the temporary files are no longer needed",
    ));
    if had_wal(journal) {
        let look = "v1 may be opened only while no other process has it open";
        steps.extend(give_wal_back(
            journal,
            look,
            "v1 was in WAL mode; without it the old application would meet \"database is locked\"",
        ));
    }
    steps.extend(end_undo(journal));
    steps
}

/// v2 was installed, and v1 has its backup's name alone: v1 gets canonical's name back, over v2.
pub(crate) fn restore_v1_name(journal: &Journal) -> Vec<Step> {
    let names = &journal.names;
    let (from, to) = ((&names.backup).into(), (&names.canonical).into());
    vec![
        step(Op::Rename { from, to }, "one rename makes v1 canonical again"),
        flush("v1 must be canonical for good before any file is removed"),
    ]
}

/// Whether the database that is replaced was in WAL mode before it was settled.
pub(crate) fn had_wal(journal: &Journal) -> bool {
    journal.v1.as_ref().is_some_and(|v1| v1.journal_mode == JournalMode::Wal)
}

/// The database that stays canonical gets back the journal mode that settling took from it.
pub(crate) fn give_wal_back(journal: &Journal, look: &str, mode: &str) -> [Step; 2] {
    let file = || journal.names.canonical.clone();
    [
        step(Op::Look { file: file() }, look),
        step(Op::RestoreMode { file: file(), mode: JournalMode::Wal }, mode),
    ]
}

/// The last steps of every undo.
pub(crate) fn end_undo(journal: &Journal) -> Vec<Step> {
    let flush = flush("the undo must be durable before the journal is removed");
    std::iter::once(flush).chain(remove_journal(journal)).collect()
}

/// What belongs to v2 may be undone only once no later start installs v2. So v2's file goes first.
///
/// On Windows a removal cannot be flushed. There the journal says `building` again: its rename is
/// written through, and so is everything before it.
pub(crate) fn discard_v2(journal: &Journal, staged: &FileName, platform: Platform) -> Vec<Step> {
    let why = "a start that finds this file beside a journal that says `built` would install it";
    if platform != Platform::Windows {
        let gone = "the file must be gone for good before its companions are put back, so that \
                     it is never installed without them";
        return vec![step(Op::Remove { files: vec![staged.into()] }, why), flush(gone)];
    }
    let mut steps =
        vec![step(Op::Remove { files: vec![staged.into(), (&tmp(journal)).into()] }, why)];
    steps.extend(write_journal(journal, Phase::Building));
    steps
}
