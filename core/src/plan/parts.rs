//! The pieces that several plans share, each in its one right order.

use super::step;
use crate::fault::Platform;
use crate::journal::{Companion, Journal, Phase, Strategy};
use crate::names::{
    FileName, PlanPath, Role, companion_backup, companion_backup_tmp, companion_staged, displaced,
    journal_tmp,
};
use crate::op::{Guard, Op, Step};
use crate::page1::JournalMode;

pub(super) fn tmp(journal: &Journal) -> FileName {
    journal_tmp(&journal.names.canonical, &journal.label, &journal.nonce)
}

/// The names of one companion, in its own directory.
pub(super) struct CompanionNames {
    pub file: PlanPath,
    pub backup: PlanPath,
    pub backup_tmp: PlanPath,
    pub staged: PlanPath,
    pub displaced: PlanPath,
}

pub(super) fn companion_names(journal: &Journal, companion: &Companion) -> CompanionNames {
    let at = |name: FileName| PlanPath { companion: Some(companion.name.clone()), name };
    let (label, nonce) = (&journal.label, &journal.nonce);
    CompanionNames {
        backup: at(companion_backup(&companion.file, label, nonce)),
        backup_tmp: at(companion_backup_tmp(&companion.file, label, nonce)),
        staged: at(companion_staged(&companion.file, nonce)),
        displaced: at(displaced(&companion.file, nonce)),
        file: at(companion.file.clone()),
    }
}

/// Write the journal beside itself, flush it, rename it into place, flush the directory. Nothing
/// reads a torn journal.
pub(super) fn write_journal(journal: &Journal, phase: Phase) -> Vec<Step> {
    let (tmp, file) = (tmp(journal), journal.file());
    vec![
        step(
            Op::WriteJournal { file: tmp.clone(), phase },
            &format!("the journal says {}; it is written beside the old one", phase.as_str()),
        ),
        step(
            Op::SyncFile { file: (&tmp).into() },
            "a journal that is renamed into place must be whole",
        ),
        step(
            Op::Rename { from: (&tmp).into(), to: (&file).into() },
            "the journal changes in one step",
        ),
        step(
            Op::SyncDir { companion: None },
            "what follows must not reach the disk before the journal does",
        ),
    ]
}

/// From v1 checked under its lock to v2 canonical and durable.
pub(super) fn flip(
    journal: &Journal,
    staged: &FileName,
    link: Link,
    platform: Platform,
) -> Vec<Step> {
    let names = &journal.names;
    let sidecars: Vec<FileName> = names.canonical.sidecars().into();
    let mut steps = vec![
        step(
            Op::Look { file: names.canonical.clone() },
            "a callback may have opened v1, or another program",
        ),
        step(
            Op::LockV1 { file: names.canonical.clone() },
            "an old application must not write to v1 once it is checked",
        ),
        step(Op::CheckV1 { file: names.canonical.clone() }, "v2 must hold what v1 holds now"),
    ];
    steps.extend(compare_companions(journal));
    if link == Link::Replace {
        steps.push(step(
            Op::Remove { files: vec![(&names.backup).into()] },
            "the directory was copied: this is a second copy of v1, and no link any more",
        ));
    }
    if link != Link::Visible {
        steps.push(step(
            Op::Link { from: (&names.canonical).into(), to: (&names.backup).into() },
            "v1 gets its backup's name while it stays canonical",
        ));
    }
    steps.extend([
        step(
            Op::SyncDir { companion: None },
            "the backup's name must be durable before canonical's name leaves v1",
        ),
        step(Op::Absent { files: sidecars.clone() }, "a sidecar of v1 would be replayed over v2"),
        step(
            Op::Rename { from: staged.into(), to: (&names.canonical).into() },
            "v2 becomes canonical in one step",
        ),
    ]);
    if platform == Platform::Windows {
        // Before the sidecars: an old application that left one has written, and what it wrote is
        // to be given back, not only reported.
        steps.push(step(
            Op::CheckV1 { file: names.backup.clone() },
            "nobody could be kept from writing to v1 until it was replaced; what was written is \
             in the backup",
        ));
    }
    steps.extend([
        step(Op::Absent { files: sidecars }, "nobody made a sidecar meanwhile"),
        step(
            Op::SyncDir { companion: None },
            "v2 must be durable before the application commits to it",
        ),
        step(Op::UnlockV1 {}, "v1 is the backup now"),
    ]);
    check_no_stale_handles(&mut steps, journal, platform);
    steps
}

/// After a flip that replaced canonical: whoever opened it before goes on by canonical's name, and
/// as soon as there is a log there would take it for its own (`pagerOpenWalIfPresent` in SQLite's
/// pager.c). What is set aside as a copy is not that file, which has no name any more; and Windows
/// does not replace a file that somebody has open.
pub(super) fn check_no_stale_handles(steps: &mut Vec<Step>, journal: &Journal, platform: Platform) {
    let names = &journal.names;
    let file = match journal.strategy {
        Strategy::LinkReplace => names.backup.clone(),
        Strategy::Restore => displaced(&names.canonical, &journal.nonce),
        _ => return,
    };
    if platform != Platform::Windows {
        steps.push(step(
            Op::Look { file },
            "whoever still has it open would write to canonical's log",
        ));
    }
}

/// Before the flip: a companion that somebody changed would be replaced by what was made without
/// the change.
pub(super) fn compare_companions(journal: &Journal) -> impl Iterator<Item = Step> {
    journal.companions.iter().map(|companion| Step {
        op: Op::LookCompanion {
            companion: companion.name.clone(),
            file: companion.file.clone(),
            must_be_same: true,
        },
        why: "the staged content was made from the companion as it was when the build began".into(),
        when: Some(Guard::CompanionStaged { companion: companion.name.clone() }),
    })
}

/// The step that makes v2 canonical.
pub(super) fn position_of_flip(steps: &[Step], canonical: &FileName) -> Option<usize> {
    steps.iter().position(|step| match &step.op {
        Op::Rename { to, .. } => *to == canonical.into(),
        op => matches!(op, Op::PageCopy { .. }),
    })
}

/// What a flip finds under the backup's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// Nothing.
    Make,
    /// The link, made by the start that was interrupted.
    Visible,
    /// Another file: the directory was copied since.
    Replace,
}

/// Which companions. (No generic: the module for browsers would have it once for each caller.)
pub(super) type Which<'a> = &'a dyn Fn(&Companion) -> bool;

/// Install the companions that the host staged. `present`: whether the staged file is (or will be)
/// there.
pub(super) fn install_companions(journal: &Journal, present: Which, kept: Which) -> Vec<Step> {
    let mut steps = Vec::new();
    for companion in journal.companions.iter().filter(|companion| present(companion)) {
        let names = companion_names(journal, companion);
        let name = companion.name.clone();
        let staged = || Some(Guard::CompanionStaged { companion: name.clone() });
        steps.push(Step {
            op: Op::LookCompanion {
                companion: name.clone(),
                file: companion.file.clone(),
                must_be_same: false,
            },
            why: "whoever changed it since the build began keeps what they wrote".into(),
            when: staged(),
        });
        steps.extend(set_aside(
            journal,
            &names,
            kept(companion),
            Some(Guard::CompanionStagedOverChange { companion: name.clone() }),
        ));
        steps.extend([
            Step {
                op: Op::Rename { from: names.staged, to: names.file },
                why: "the companion changes in one step, after the database".into(),
                when: staged(),
            },
            Step {
                op: Op::SyncDir { companion: Some(name.clone()) },
                why: "the companion must be durable before the journal says committed".into(),
                when: staged(),
            },
        ]);
    }
    steps
}

/// The receipt, then the journal `committed`. One flush of the directory serves both.
pub(super) fn commit(journal: &Journal) -> Vec<Step> {
    let receipt = journal.names.receipt();
    let mut steps = receipt_steps(&receipt);
    steps.extend(write_journal(journal, Phase::Committed));
    steps
}

/// The step from which on a failure is a warning: `installed` is the first behind those that make
/// v2 canonical, `committed` the first behind the commit.
///
/// What is in place, durably, can be committed by the next start as well. Not on Windows: a
/// recovery may put v1 back there as long as the journal says `built`, so the application is not
/// told of v2 before it says `committed`. (Nothing in v2 itself would show that it was used:
/// a commit in WAL mode need not change its size nor its first page, and the digest leaves out what
/// other commits change.)
pub(super) fn cleanup_index(platform: Platform, installed: usize, committed: usize) -> usize {
    if platform == Platform::Windows { committed } else { installed }
}

/// What an interrupted start was writing; written anew by [`commit`].
pub(super) fn remove_half_written(journal: &Journal) -> Step {
    let files = vec![(&tmp(journal)).into(), (&journal.names.receipt()).into()];
    step(
        Op::Remove { files },
        "a journal or receipt that an interrupted start was writing is made anew",
    )
}

/// What an interrupted start was writing of its journal alone.
pub(super) fn remove_tmp(journal: &Journal) -> Step {
    step(
        Op::Remove { files: vec![(&tmp(journal)).into()] },
        "a journal that an interrupted start was writing is made anew",
    )
}

/// The receipt alone. It needs no temporary name: it is whole before the journal goes, and made
/// anew while the journal stands.
pub(super) fn receipt_steps(receipt: &FileName) -> Vec<Step> {
    vec![
        step(
            Op::WriteReceipt { file: receipt.clone() },
            "the backup can say what it is without the journal",
        ),
        step(Op::SyncFile { file: receipt.into() }, "the receipt outlives the journal"),
    ]
}

/// Every temporary file of this attempt in the database's directory.
pub(super) fn temporary(journal: &Journal) -> Vec<PlanPath> {
    let names = &journal.names;
    [&names.source, &names.staging, &names.install]
        .into_iter()
        .flat_map(FileName::set)
        .chain([tmp(journal)])
        .map(|name| PlanPath::from(&name))
        .collect()
}

/// After the commit: clean up, then the journal goes last.
pub(super) fn clean_up(journal: &Journal, temporaries: bool) -> Vec<Step> {
    let mut steps = vec![step(
        Op::CleanupHost {},
        "v2 is in place; what the application kept for an undo may go",
    )];
    if temporaries {
        steps.push(step(
            Op::Remove { files: temporary(journal) },
            "nothing but v2 and the backup stays",
        ));
        for companion in &journal.companions {
            let names = companion_names(journal, companion);
            steps.push(step(
                Op::Remove { files: vec![names.staged, names.backup_tmp] },
                "nothing temporary stays beside the companion",
            ));
            steps.push(step(
                Op::SyncDir { companion: Some(companion.name.clone()) },
                "removed for good before the journal goes",
            ));
        }
        steps.push(step(
            Op::SyncDir { companion: None },
            "removed for good before the journal goes",
        ));
    }
    steps.extend(remove_journal(journal));
    steps
}

/// v1 has its backup's name alone, and gets canonical's back: over our own v2, or, in the field's
/// cutover, over nobody's file. There it may just have been settled: SQLite's own journal of that
/// must not come back beside a name that v1 has left.
pub(super) fn restore_v1_name(journal: &Journal) -> Vec<Step> {
    let names = &journal.names;
    let (from, to) = ((&names.backup).into(), (&names.canonical).into());
    let why = "v1 is canonical again";
    let mut steps = if journal.strategy == Strategy::TwoRename {
        let flush = step(
            Op::SyncDir { companion: None },
            "what SQLite removed beside v1 is gone for good before v1 goes elsewhere",
        );
        vec![flush, step(Op::RenameNew { from, to }, why)]
    } else {
        vec![step(Op::Rename { from, to }, why)]
    };
    steps.push(step(
        Op::SyncDir { companion: None },
        "v1 must be canonical for good before anything is removed",
    ));
    steps
}

fn remove_journal(journal: &Journal) -> Vec<Step> {
    vec![
        step(
            Op::Remove { files: vec![(&journal.file()).into()] },
            "the journal goes last: until then every start cleans up",
        ),
        step(Op::SyncDir { companion: None }, "the next start finds no journal"),
    ]
}

/// Undo everything before the flip. Each step may find its work done: an undo may be killed and run
/// again. `staged`: the file that a later start would install. `copied`: the backup is a copy of
/// v1, or there is none.
pub(super) fn undo(
    journal: &Journal,
    staged: Option<&FileName>,
    copied: bool,
    companions: Vec<Step>,
    platform: Platform,
) -> Vec<Step> {
    let names = &journal.names;
    let mut steps = vec![step(Op::UnlockV1 {}, "v1 stays; whoever waits for it may have it")];
    if let Some(staged) = staged {
        steps.extend(discard_v2(journal, staged, platform));
    }
    steps
        .push(step(Op::UndoHost {}, "the application takes back what it did outside the database"));
    steps.extend(companions);
    steps.push(if copied {
        step(
            Op::Remove { files: vec![(&names.backup).into()] },
            "v1 was not replaced, so its copy goes",
        )
    } else {
        step(
            Op::RemoveLink { link: names.backup.clone(), of: names.canonical.clone() },
            "v1 was not replaced, so its second name goes",
        )
    });
    steps.push(step(Op::Remove { files: temporary(journal) }, "nothing temporary stays"));
    if had_wal(journal) {
        let look = "v1 may be opened only while nobody else has it open";
        steps.extend(give_wal_back(
            journal,
            look,
            "without its WAL flag the old application would meet \"database is locked\"",
        ));
    }
    steps.extend(end_undo(journal));
    steps
}

/// Whether the database that is replaced was in WAL mode before it was settled.
pub(super) fn had_wal(journal: &Journal) -> bool {
    journal.v1.as_ref().is_some_and(|v1| v1.journal_mode == JournalMode::Wal)
}

/// The database that stays gets back the mode that settling took from it.
pub(super) fn give_wal_back(journal: &Journal, look: &str, mode: &str) -> [Step; 2] {
    let file = || journal.names.canonical.clone();
    [
        step(Op::Look { file: file() }, look),
        step(Op::RestoreMode { file: file(), mode: JournalMode::Wal }, mode),
    ]
}

/// The last of every undo.
pub(super) fn end_undo(journal: &Journal) -> Vec<Step> {
    let flush = step(Op::SyncDir { companion: None }, "undone for good before the journal goes");
    std::iter::once(flush).chain(remove_journal(journal)).collect()
}

/// What belongs to v2 may be undone only once no start installs v2 any more. Where a removal cannot
/// be flushed the journal says so: its rename is written through, and everything before it.
pub(super) fn discard_v2(journal: &Journal, staged: &FileName, platform: Platform) -> Vec<Step> {
    let why = "a start that finds v2 beside a journal that says `built` installs it";
    if platform != Platform::Windows {
        let flush =
            "v2 is gone for good before what belongs to it is undone: it is never installed alone";
        return vec![
            step(Op::Remove { files: vec![staged.into()] }, why),
            step(Op::SyncDir { companion: None }, flush),
        ];
    }
    let mut steps =
        vec![step(Op::Remove { files: vec![staged.into(), (&tmp(journal)).into()] }, why)];
    steps.extend(write_journal(journal, Phase::Building));
    steps
}

/// Keeps the companion that is there beside the one that comes. Where an interrupted start has kept
/// one already its name is taken, and a link would fail at every start; what was written last is
/// the one to keep. Where canonical cannot be linked no companion can be expected to.
pub(super) fn set_aside(
    journal: &Journal,
    names: &CompanionNames,
    kept: bool,
    when: Option<Guard>,
) -> [Step; 2] {
    let (from, to) = (names.file.clone(), names.displaced.clone());
    let flush = Op::SyncDir { companion: from.companion.clone() };
    let renames = kept || journal.strategy.copies_pages();
    let op = if renames { Op::Rename { from, to } } else { Op::Link { from, to } };
    [
        Step { op, why: "what is displaced is kept beside".into(), when: when.clone() },
        Step {
            op: flush,
            why: "what is displaced must be durable before its name is another's".into(),
            when,
        },
    ]
}

/// Put back the companions that the host wrote in place. What is displaced is kept. `backed_up`:
/// whether the backup is there. `kept`: whether an interrupted start has kept a displaced one
/// already.
pub(super) fn undo_companions(journal: &Journal, backed_up: Which, kept: Which) -> Vec<Step> {
    let mut steps = Vec::new();
    for companion in &journal.companions {
        let names = companion_names(journal, companion);
        let name = companion.name.clone();
        let changed = || Some(Guard::CompanionChanged { companion: name.clone() });
        let differs = || Some(Guard::CompanionDiffers { companion: name.clone() });
        steps.push(step(
            Op::LookCompanion {
                companion: name.clone(),
                file: companion.file.clone(),
                must_be_same: false,
            },
            "only a companion that was written in place is put back",
        ));
        if companion.before.is_none() {
            steps.push(Step {
                op: Op::Rename { from: names.file, to: names.displaced },
                why: "there was none before; what is there now is kept beside".into(),
                when: changed(),
            });
        } else if backed_up(companion) {
            steps.extend(set_aside(journal, &names, kept(companion), changed()));
            steps.push(Step {
                op: Op::Rename { from: names.backup.clone(), to: names.file },
                why: "the companion matches v1 again".into(),
                when: differs(),
            });
        }
        steps.push(step(
            Op::SyncDir { companion: Some(name.clone()) },
            "put back for good before its backup goes",
        ));
        steps.push(step(
            Op::Remove { files: vec![names.staged, names.backup_tmp, names.backup] },
            "nothing temporary stays beside the companion",
        ));
        steps.push(step(
            Op::SyncDir { companion: Some(name) },
            "removed for good before the journal goes",
        ));
    }
    steps
}

/// Journals that were being written, of any label.
pub(super) fn stray_journal_tmps<'a>(
    canonical: &FileName,
    files: impl Iterator<Item = &'a FileName>,
) -> Vec<PlanPath> {
    files
        .filter(|name| matches!(Role::of(canonical, name), Some(Role::JournalTmp(..))))
        .map(PlanPath::from)
        .collect()
}
