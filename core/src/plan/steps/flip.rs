//! The flip: the steps that make v2 canonical, and v1 in a restore, by a hard link and a rename.

use super::companions::compare_companions;
use crate::fault::Platform;
use crate::journal::{Journal, Strategy};
use crate::names::{FileName, displaced_name};
use crate::op::{Op, Step};
use crate::plan::{flush, step};

/// What a flip finds under the backup's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BackupName {
    /// No file.
    Free,
    /// The hard link to v1 that the interrupted start made.
    Linked,
    /// A second copy of v1: the directory was copied since.
    Copied,
}

/// From v1 that is settled to v2 that is canonical, durably.
pub(crate) fn flip(
    journal: &Journal,
    staged: &FileName,
    backup: BackupName,
    platform: Platform,
) -> Vec<Step> {
    let names = &journal.names;
    let sidecars: Vec<FileName> = names.canonical.sidecars().into();
    let mut steps = vec![
        step(
            Op::Look { file: names.canonical.clone() },
            "no process may have v1 open; a callback or another program may have opened it",
        ),
        step(
            Op::LockV1 { file: names.canonical.clone() },
            "no program may write to v1 once it is checked",
        ),
        step(
            Op::CheckV1 { file: names.canonical.clone() },
            "v2 was built from v1 as it was settled, so v1 must not have changed since",
        ),
    ];
    steps.extend(compare_companions(journal));
    if backup == BackupName::Copied {
        steps.push(step(
            Op::Remove { files: vec![(&names.backup).into()] },
            "the directory was copied: this backup is a second copy of v1, and no longer a hard \
             link to it",
        ));
    }
    if backup != BackupName::Linked {
        steps.push(step(
            Op::Link { from: (&names.canonical).into(), to: (&names.backup).into() },
            "a hard link gives v1 its backup's name while v1 stays canonical",
        ));
    }
    steps.extend([
        flush("the backup's name must be durable before v1 loses canonical's name"),
        step(
            Op::Absent { files: sidecars.clone() },
            "SQLite would replay a -wal or -journal of v1 over v2",
        ),
        step(
            Op::Rename { from: staged.into(), to: (&names.canonical).into() },
            "one rename makes v2 canonical; at no instant is there no database",
        ),
    ]);
    if platform == Platform::Windows {
        // Before the sidecars: an old application that left one has written, and what it wrote is
        // given back, not only reported.
        steps.push(step(
            Op::CheckV1 { file: names.backup.clone() },
            "on Windows no lock protects v1 until it is replaced; rows that a program wrote \
             meanwhile are in the backup",
        ));
    }
    steps.extend([
        step(
            Op::Absent { files: sidecars },
            "a program may have made a -wal or -journal during the rename",
        ),
        flush("v2 must be durable under canonical's name before the application writes to it"),
        step(Op::UnlockV1 {}, "v1 is the backup now and needs no lock"),
    ]);
    check_no_stale_handles(&mut steps, journal, platform);
    steps
}

/// From v2 that is settled to v1 that is canonical, durably: the flip of a restore.
pub(crate) fn flip_of_restore(journal: &Journal, platform: Platform) -> Vec<Step> {
    let names = &journal.names;
    let sidecars: Vec<FileName> = names.canonical.sidecars().into();
    let mut steps = vec![
        step(
            Op::Look { file: names.canonical.clone() },
            "no process may have v2 open; another program may have opened it",
        ),
        step(
            Op::LockV1 { file: names.canonical.clone() },
            "no program may write to v2 once it is checked",
        ),
        step(
            Op::CheckV1 { file: names.canonical.clone() },
            "v2 must not have changed since it was settled",
        ),
        step(
            Op::Link { from: (&names.canonical).into(), to: (&displaced_by(journal)).into() },
            "a hard link gives v2 its displaced name while v2 stays canonical",
        ),
        flush("v2's displaced name must be durable before v2 loses canonical's name"),
        step(
            Op::Absent { files: sidecars.clone() },
            "SQLite would replay a -wal or -journal of v2 over v1",
        ),
        step(
            Op::Rename { from: (&names.install).into(), to: (&names.canonical).into() },
            "one rename makes v1 canonical; at no instant is there no database",
        ),
        step(
            Op::Absent { files: sidecars },
            "a program may have made a -wal or -journal during the rename",
        ),
        flush("v1 must be durable under canonical's name before the application writes to it"),
        step(Op::UnlockV1 {}, "v2 is set aside now and needs no lock"),
    ];
    check_no_stale_handles(&mut steps, journal, platform);
    steps
}

/// After a flip that replaced canonical: a process that still has the replaced file open uses
/// canonical's *name* for its log, and would take the new database's log for its own
/// (`pagerOpenWalIfPresent` in SQLite's pager.c).
///
/// A page copy replaces no file. Windows does not replace a file that a process has open.
pub(crate) fn check_no_stale_handles(steps: &mut Vec<Step>, journal: &Journal, platform: Platform) {
    let file = match journal.strategy {
        Strategy::LinkReplace => journal.names.backup.clone(),
        Strategy::Restore => displaced_by(journal),
        _ => return,
    };
    if platform != Platform::Windows {
        steps.push(step(
            Op::Look { file },
            "a process that still has the replaced file open would write to the new database's \
             -wal",
        ));
    }
}

/// Where a restore sets v2 aside.
#[must_use]
pub fn displaced_by(journal: &Journal) -> FileName {
    displaced_name(&journal.names.canonical, &journal.nonce)
}

/// The index of the step that makes v2 canonical.
pub(crate) fn position_of_flip(steps: &[Step], canonical: &FileName) -> Option<usize> {
    steps.iter().position(|step| match &step.op {
        Op::Rename { to, .. } => *to == canonical.into(),
        op => matches!(op, Op::PageCopy { .. }),
    })
}
