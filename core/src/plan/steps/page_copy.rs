//! The flip where canonical cannot be given a second name: v1 is copied to the backup's name, then
//! v2's pages are copied into canonical. A restore does the same with the parts exchanged: v2 is
//! copied to its displaced name, then the pages of a copy of the backup into canonical.
//!
//! Both copies are SQLite's own. The one into canonical is one transaction, so that canonical with
//! its `-journal` is a whole v1 or a whole v2 at every instant, and whether it was completed is
//! told by what canonical holds once SQLite has opened it, never by a name.

use super::companions::compare_companions;
use super::flip::displaced_by;
use super::journal::write_journal;
use crate::journal::{Journal, Phase};
use crate::names::{FileName, PlanPath};
use crate::observe::FileFacts;
use crate::op::{Op, Step};
use crate::page1::JournalMode;
use crate::plan::step;

/// How much of it an interrupted start has done, durably.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Done {
    /// The backup is there.
    pub copied: bool,
    /// The journal says `installing`.
    pub installing: bool,
}

impl Done {
    /// Nothing of it.
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
    // A restore keeps whatever companion it finds.
    steps.extend(compare_companions(journal).filter(|_| !restores));
    let (old, new) = if restores { ("v2", "v1") } else { ("v1", "v2") };
    let canonical = &journal.names.canonical;
    steps.extend([
        step(
            Op::Look { file: canonical.clone() },
            &format!("a program that has {old} open would go on with what it knows of {old}"),
        ),
        step(
            Op::PageCopy { from: staged.clone(), to: canonical.clone() },
            &format!(
                "{new} becomes canonical in one transaction, if {old} is what it was when it was \
                 settled"
            ),
        ),
        step(
            Op::SyncDir { companion: None },
            &format!("a rollback journal that came back would make canonical {old} again"),
        ),
    ]);
    steps
}

/// What canonical holds gets the name that it is kept under. It is compared with what was settled
/// when its pages are replaced, so a copy of anything else goes with the undo.
fn copy_what_is_there(journal: &Journal, restores: bool) -> Vec<Step> {
    let names = &journal.names;
    let source: PlanPath = (&names.source).into();
    let (kept, open, copy, whole, name) = if restores {
        (
            displaced_by(journal),
            "another program may have opened v2",
            "v2 cannot be linked, so what is set aside is a copy",
            "what is set aside",
            "a copy",
        )
    } else {
        (
            names.backup.clone(),
            "a callback may have opened v1, or another program",
            "v1 cannot be linked, so its backup is a copy",
            "the backup",
            "a backup",
        )
    };
    let mut steps = Vec::new();
    if !restores {
        steps.push(step(
            Op::Remove { files: names.source.set().iter().map(PlanPath::from).collect() },
            "the name is used for v1's own copy now",
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
            &format!("{copy}, made by SQLite: a file's bytes may miss what is not in it yet"),
        ),
        step(
            Op::SyncFile { file: source.clone() },
            &format!("{name} that is renamed into place must be whole"),
        ),
        step(
            Op::Rename { from: source, to: (&kept).into() },
            &format!("{whole} is whole or not there"),
        ),
        step(
            Op::SyncDir { companion: None },
            &format!("{whole} must be durable before canonical is written to"),
        ),
    ]);
    steps
}

/// Whether the backup is the copy of v1 that is made here.
pub(crate) fn is_copy(backup: &FileFacts, journal: &Journal) -> bool {
    matches!((backup.fingerprint(), &journal.v1), (Some(backup), Some(v1)) if backup.is_copy_of(&v1.fingerprint))
}

/// Free bytes that it takes: the copy of what canonical holds where there is none, and in the
/// transaction the pages of that, and those by which what comes is larger.
pub(crate) fn needs_bytes(old: u64, new: u64, copied: bool) -> u64 {
    let kept = if copied { 0 } else { old };
    kept.saturating_add(old.max(new))
}
