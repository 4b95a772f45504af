//! The flip where canonical cannot be linked: v1 is copied to the backup's name, then v2's pages are
//! copied into canonical. A restore exchanges the parts: v2 is copied to its displaced name, then the
//! pages of a copy of the backup are copied into canonical.
//!
//! SQLite makes both copies. The one into canonical is one transaction, so canonical with its
//! `-journal` is a whole v1 or a whole v2 at every instant. Whether it was completed is told by what
//! canonical holds once SQLite has opened it, never by a name.

use super::companions::compare_companions;
use super::flip::displaced_by;
use super::journal::write_journal;
use crate::journal::{Journal, Phase};
use crate::names::{FileName, PlanPath};
use crate::observe::FileFacts;
use crate::op::{Op, Step};
use crate::page1::JournalMode;
use crate::plan::{flush, step};

/// How much of a page copy an interrupted start has done, durably.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Done {
    /// The backup is there.
    pub copied: bool,
    /// The journal says `installing`.
    pub installing: bool,
}

impl Done {
    /// No part.
    pub const NOTHING: Self = Self { copied: false, installing: false };
}

/// From a staged file that is checked to canonical that holds its pages, durably.
pub(crate) fn page_copy(journal: &Journal, staged: &FileName, done: Done) -> Vec<Step> {
    let restores = journal.strategy.restores();
    let mut steps = Vec::new();
    if !done.copied {
        steps.extend(copy_what_is_there(journal, restores));
    }
    if !done.installing {
        steps.extend(write_journal(journal, Phase::Installing));
    }
    // A restore keeps any companion that it finds.
    steps.extend(compare_companions(journal).filter(|_| !restores));
    let (old, new) = if restores { ("v2", "v1") } else { ("v1", "v2") };
    let canonical = &journal.names.canonical;
    steps.extend([
        step(
            Op::Look { file: canonical.clone() },
            &format!("a program that has {old} open would continue with what it has read of {old}"),
        ),
        step(
            Op::PageCopy { from: staged.clone(), to: canonical.clone() },
            &format!(
                "one transaction makes {new} canonical, if {old} has not changed since it was \
                 settled"
            ),
        ),
        flush(&format!(
            "if SQLite's rollback journal came back after a power loss, canonical would be \
                 {old} again"
        )),
    ]);
    steps
}

/// Copies what canonical holds to the name that it is kept under. When its pages are replaced,
/// canonical is compared with what was settled, so the undo removes a copy of any other content.
fn copy_what_is_there(journal: &Journal, restores: bool) -> Vec<Step> {
    let names = &journal.names;
    let source: PlanPath = (&names.source).into();
    let (kept, open, copy, file) = if restores {
        (
            displaced_by(journal),
            "no process may have v2 open; another program may have opened it",
            "v2 cannot be linked, so the file that is kept is a copy",
            "the copy",
        )
    } else {
        (
            names.backup.clone(),
            "no process may have v1 open; a callback or another program may have opened it",
            "v1 cannot be linked, so its backup is a copy",
            "the backup",
        )
    };
    let mut steps = Vec::new();
    if !restores {
        steps.push(step(
            Op::Remove { files: names.source.set().iter().map(PlanPath::from).collect() },
            "the application no longer reads its copy of v1; the backup is made under that name",
        ));
    }
    steps.extend([
        step(Op::Look { file: names.canonical.clone() }, open),
        step(
            Op::Restage {
                from: names.canonical.clone(),
                to: names.source.clone(),
                mode: JournalMode::Delete,
            },
            &format!("{copy}; SQLite makes it, because the file's bytes may lack rows in its log"),
        ),
        step(
            Op::SyncFile { file: source.clone() },
            &format!("{file} must be whole on disk before it gets its name"),
        ),
        step(
            Op::Rename { from: source, to: (&kept).into() },
            &format!("under its own name, {file} is whole or not there"),
        ),
        flush(&format!("{file} must be durable before canonical is written to")),
    ]);
    steps
}

/// Whether the backup is the copy of v1 that is made here.
pub(crate) fn is_copy(backup: &FileFacts, journal: &Journal) -> bool {
    matches!((backup.fingerprint(), &journal.v1), (Some(backup), Some(v1)) if backup.is_copy_of(&v1.fingerprint))
}

/// Free bytes that a page copy takes: the copy of what canonical holds, if there is none yet, and
/// what SQLite's transaction needs: the larger of the old and the new pages.
pub(crate) fn needs_bytes(old: u64, new: u64, copied: bool) -> u64 {
    let kept = if copied { 0 } else { old };
    kept.saturating_add(old.max(new))
}
