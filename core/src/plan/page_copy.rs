//! The flip where canonical cannot be given a second name: v1 is copied to the backup's name, then
//! v2's pages are copied into canonical.
//!
//! Both copies are SQLite's own. The one into canonical is one transaction, so that canonical with
//! its `-journal` is a whole v1 or a whole v2 at every instant, and whether it was completed is
//! told by what canonical holds once SQLite has opened it, never by a name.

use super::parts::{compare_companions, write_journal};
use super::step;
use crate::journal::{Journal, Phase};
use crate::names::{At, FileName};
use crate::observe::FileFacts;
use crate::op::{Op, Step};
use crate::page1::JournalMode;

/// How much of it an interrupted start has done, durably.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Done {
    /// The backup is there.
    pub copied: bool,
    /// The journal says `installing`.
    pub installing: bool,
}

/// From a v2 that is checked to v2 canonical and durable.
pub(super) fn page_copy(journal: &Journal, staged: &FileName, done: Done) -> Vec<Step> {
    let names = &journal.names;
    let mut steps = Vec::new();
    if !done.copied {
        let source: At = (&names.source).into();
        steps.extend([
            step(
                Op::Remove { files: names.source.set().iter().map(At::from).collect() },
                "the name is used for v1's own copy now",
            ),
            step(
                Op::Look { file: names.canonical.clone() },
                "a callback may have opened v1, or another program",
            ),
            step(
                Op::Restage {
                    from: names.canonical.clone(),
                    to: names.source.clone(),
                    mode: JournalMode::Delete,
                },
                "v1 cannot be linked, so its backup is a copy, made by SQLite: a file's bytes may \
                 miss what is not in it yet",
            ),
            step(
                Op::SyncFile { file: source.clone() },
                "a backup that is renamed into place must be whole",
            ),
            step(
                Op::Rename { from: source, to: (&names.backup).into() },
                "the backup is whole or not there",
            ),
            step(
                Op::SyncDir { companion: None },
                "the backup must be durable before canonical is written to",
            ),
        ]);
    }
    if !done.installing {
        steps.extend(write_journal(journal, Phase::Installing));
    }
    steps.extend(compare_companions(journal));
    steps.extend([
        step(
            Op::Look { file: names.canonical.clone() },
            "a program that has v1 open would go on with what it knows of v1",
        ),
        step(
            Op::PageCopy { from: staged.clone(), to: names.canonical.clone() },
            "v2 becomes canonical in one transaction, if v1 is what it was when it was settled",
        ),
        step(
            Op::SyncDir { companion: None },
            "a rollback journal that came back would make canonical v1 again",
        ),
    ]);
    steps
}

/// Whether the backup is the copy of v1 that is made here.
pub(super) fn is_copy(backup: &FileFacts, journal: &Journal) -> bool {
    matches!((backup.fingerprint(), &journal.v1), (Some(backup), Some(v1)) if backup.is_copy_of(&v1.fingerprint))
}

/// Free bytes that it takes: the backup where there is none, and in the transaction the pages of
/// v1, and those by which v2 is larger.
pub(super) fn needs_bytes(v1: u64, v2: u64, copied: bool) -> u64 {
    let backup = if copied { 0 } else { v1 };
    backup.saturating_add(v1.max(v2))
}
