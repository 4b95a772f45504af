//! The pieces that several plans share, each in its one right order, and the names that a plan may
//! touch.

use super::{Plan, PlanKind, step};
use crate::fault::Platform;
use crate::journal::{Companion, Journal, Phase, ReadError, Strategy};
use crate::names::{
    At, FileName, Role, companion_backup, companion_backup_tmp, companion_staged, displaced,
    field_journal, journal_tmp,
};
use crate::op::{Guard, Op, Step};
use crate::page1::JournalMode;
use std::collections::BTreeSet;

fn tmp(journal: &Journal) -> FileName {
    journal_tmp(&journal.names.canonical, &journal.label, &journal.nonce)
}

/// The names of one companion, in its own directory.
pub(super) struct CompanionNames {
    pub file: At,
    pub backup: At,
    pub backup_tmp: At,
    pub staged: At,
    pub displaced: At,
}

pub(super) fn companion_names(journal: &Journal, companion: &Companion) -> CompanionNames {
    let at = |name: FileName| At { companion: Some(companion.name.clone()), name };
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
    nobody_stays(&mut steps, journal, platform);
    steps
}

/// After a flip that replaced canonical: whoever opened it before goes on by canonical's name, and
/// as soon as there is a log there would take it for its own (`pagerOpenWalIfPresent` in SQLite's
/// pager.c). What is set aside as a copy is not that file, which has no name any more; and Windows
/// does not replace a file that somebody has open.
pub(super) fn nobody_stays(steps: &mut Vec<Step>, journal: &Journal, platform: Platform) {
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
pub(super) fn warns_from(platform: Platform, installed: usize, committed: usize) -> usize {
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
pub(super) fn temporary(journal: &Journal) -> Vec<At> {
    let names = &journal.names;
    [&names.source, &names.staging, &names.install]
        .into_iter()
        .flat_map(FileName::set)
        .chain([tmp(journal)])
        .map(|name| At::from(&name))
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
pub(super) fn give_v1_back(journal: &Journal) -> Vec<Step> {
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
        steps.extend(give_v2_up(journal, staged, platform));
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
pub(super) fn give_v2_up(journal: &Journal, staged: &FileName, platform: Platform) -> Vec<Step> {
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

/// Where in a plan an op stands. Some ops are right in one place only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    /// In `steps`, before the flip.
    BeforeFlip,
    /// The step that makes v2 canonical.
    Flip,
    /// Anywhere else in `steps`.
    Other,
    /// In `undo`.
    Undo,
}

/// The names that a plan of this journal may touch. Everything else is refused before anything is
/// performed.
pub(super) struct Allowed<'a> {
    journal: &'a Journal,
    platform: Platform,
    /// May be created, renamed, removed: temporary files, the journal, the receipt.
    own: BTreeSet<At>,
}

impl<'a> Allowed<'a> {
    pub(super) fn of(journal: &'a Journal, platform: Platform) -> Self {
        let names = &journal.names;
        let mut own: BTreeSet<At> = temporary(journal).into_iter().collect();
        own.extend([&names.receipt(), &journal.file()].map(At::from));
        for companion in &journal.companions {
            let of = companion_names(journal, companion);
            own.extend([of.staged, of.backup_tmp, of.backup, of.displaced]);
        }
        Self { journal, platform, own }
    }

    fn is_companion(&self, at: &At) -> bool {
        self.journal
            .companions
            .iter()
            .any(|c| Some(&c.name) == at.companion.as_ref() && c.file == at.name)
    }

    /// What somebody else wrote is never removed.
    fn is_displaced(&self, at: &At) -> bool {
        self.journal
            .companions
            .iter()
            .any(|companion| companion_names(self.journal, companion).displaced == *at)
    }

    fn is_set_of(at: &At, base: &FileName) -> bool {
        at.companion.is_none() && base.set().contains(&at.name)
    }

    fn database(&self, file: &FileName) -> bool {
        let names = &self.journal.names;
        [&names.canonical, &names.source, &names.staging, &names.install, &names.backup]
            .contains(&file)
    }

    /// Whether this op may stand here in a plan of this kind.
    pub(super) fn check(&self, op: &Op, kind: PlanKind, spot: Spot) -> Result<(), String> {
        let names = &self.journal.names;
        let aside = displaced(&names.canonical, &self.journal.nonce);
        // Only a recovery of the field's two renames finds v1 under another name than canonical.
        let two_rename = self.journal.strategy == Strategy::TwoRename;
        let page_copy = self.journal.strategy == Strategy::PageCopy;
        let backup = At::from(&names.backup);
        // Only there can v1 change between its check and the flip, so that the backup is looked at
        // again, and v1 put back.
        let behind_windows_flip = self.platform == Platform::Windows && spot == Spot::Other;
        let refuse = |at: &dyn std::fmt::Display| {
            Err(format!("{at} is not a name that this plan may touch"))
        };
        let own = |at: &At| self.own.contains(at);
        let database = |file: &FileName| if self.database(file) { Ok(()) } else { refuse(file) };
        match op {
            Op::WriteJournal { file, phase }
                if *file == tmp(self.journal) && (*phase != Phase::Installing || page_copy) =>
            {
                Ok(())
            }
            Op::WriteReceipt { file } if *file == names.receipt() => Ok(()),
            Op::WriteJournal { file, .. } | Op::WriteReceipt { file } => refuse(file),
            Op::SyncFile { file }
                if own(file)
                    || self.is_companion(file)
                    || (file.companion.is_none() && self.database(&file.name)) =>
            {
                Ok(())
            }
            // The pages may have been copied into its log.
            Op::SyncFile { file }
                if page_copy && *file == At::from(&names.canonical.sidecars()[0]) =>
            {
                Ok(())
            }
            Op::SyncFile { file } => refuse(file),
            Op::SyncDir { companion: Some(name) }
                if !self.journal.companions.iter().any(|c| c.name == *name) =>
            {
                refuse(name)
            }
            Op::SyncDir { .. }
            | Op::Release {}
            | Op::UnlockV1 {}
            | Op::UndoHost {}
            | Op::CleanupHost {} => Ok(()),
            Op::Remove { files } => match files.iter().find(|at| {
                // A second copy of v1, in a directory that was copied, gives way to a link to v1.
                let second_copy =
                    kind == PlanKind::Finish && spot == Spot::BeforeFlip && !page_copy;
                let backup = **at == backup && (second_copy || (page_copy && spot == Spot::Undo));
                let stray = **at == At::from(&names.canonical.sidecars()[1])
                    && two_rename
                    && spot != Spot::Undo;
                // Of which this journal has taken over what is left.
                let field = kind == PlanKind::Migrate
                    && spot == Spot::BeforeFlip
                    && **at == At::from(&field_journal(&names.canonical));
                !(own(at) && !self.is_displaced(at) || backup || stray || field)
            }) {
                Some(at) => refuse(at),
                None => Ok(()),
            },
            Op::RemoveLink { link, of } if *link == names.backup && *of == names.canonical => {
                Ok(())
            }
            Op::RemoveLink { link, .. } => refuse(link),
            Op::Link { from, to } => {
                let backup = *from == At::from(&names.canonical) && *to == backup && !page_copy;
                if backup || (self.is_companion(from) && own(to) && from.companion == to.companion)
                {
                    Ok(())
                } else {
                    refuse(to)
                }
            }
            Op::Rename { from, to } => {
                let to_canonical = *to == At::from(&names.canonical);
                let staged = [&names.staging, &names.install]
                    .into_iter()
                    .any(|file| *from == At::from(file));
                let back = *from == At::from(&names.backup)
                    && behind_windows_flip
                    && kind == PlanKind::Undo
                    && !two_rename;
                let moved = two_rename
                    && spot != Spot::Undo
                    && (0..4).any(|i| {
                        let canonical = At::from(&names.canonical.set()[i]);
                        *from == canonical
                            && (*to == At::from(&aside.set()[i])
                                || (i != 0 && *to == At::from(&names.backup.set()[i])))
                    });
                let copied = page_copy
                    && spot == Spot::BeforeFlip
                    && *from == At::from(&names.source)
                    && *to == backup;
                let ok = if to_canonical {
                    ((spot == Spot::Flip && staged && !two_rename) || back) && !page_copy
                } else {
                    moved
                        || copied
                        || (from.companion == to.companion
                            && (own(from) || self.is_companion(from))
                            && (own(to) || self.is_companion(to)))
                };
                if ok { Ok(()) } else { Err(format!("{from} may not be renamed to {to} here")) }
            }
            // Where v1 is another name than canonical, somebody may have made a canonical since.
            Op::RenameNew { from, to } => {
                let staged = spot == Spot::Flip && *from == At::from(&names.staging);
                let back = spot == Spot::Undo && *from == At::from(&names.backup);
                if two_rename && *to == At::from(&names.canonical) && (staged || back) {
                    Ok(())
                } else {
                    Err(format!("{from} may not be renamed to {to} here"))
                }
            }
            Op::Copy { from, to } => {
                let source = self.is_companion(from) || *from == At::from(&names.canonical);
                if source && own(to) && from.companion == to.companion {
                    Ok(())
                } else {
                    refuse(to)
                }
            }
            Op::Restage { from, to, .. }
            | Op::BuildSql { v1: from, staging: to }
            | Op::BuildHost { source: from, staging: to } => {
                database(from)?;
                if own(&to.into()) { Ok(()) } else { refuse(to) }
            }
            Op::PageCopy { from, to } => {
                let staged = [&names.staging, &names.install].contains(&from);
                if page_copy && spot == Spot::Flip && staged && *to == names.canonical {
                    Ok(())
                } else {
                    refuse(to)
                }
            }
            Op::Isolate { .. } => Err("not beside a journal".into()),
            Op::CheckV1 { file } if *file == names.backup && behind_windows_flip && !page_copy => {
                Ok(())
            }
            Op::RestoreMode { file, .. } | Op::LockV1 { file } | Op::CheckV1 { file } => {
                if *file == names.canonical { Ok(()) } else { refuse(file) }
            }
            Op::Look { file }
            | Op::Settle { file, .. }
            | Op::Check { file }
            | Op::Detect { file }
            | Op::VerifyHost { file } => database(file),
            Op::Absent { files } => {
                match files.iter().find(|file| !Self::is_set_of(&At::from(*file), &names.canonical))
                {
                    Some(file) => refuse(file),
                    None => Ok(()),
                }
            }
            Op::LookCompanion { companion, file, .. } => {
                let at = At { companion: Some(companion.clone()), name: file.clone() };
                if self.is_companion(&at) { Ok(()) } else { refuse(&at) }
            }
        }
    }
}

/// Without a journal a plan may only set a journal aside, or remove journals that were being
/// written.
pub(super) fn check_without_journal(plan: &Plan) -> Result<(), ReadError> {
    if plan.kind == PlanKind::Prune {
        return super::prune::check(plan);
    }
    if plan.kind == PlanKind::LeaveZombie {
        return super::leave_zombie::check(plan);
    }
    if !matches!(plan.kind, PlanKind::SetAside | PlanKind::Clean)
        || !plan.undo.is_empty()
        || plan.flip_at.is_some()
    {
        return Err(ReadError::Contradiction("journal: a plan of this kind has one".into()));
    }
    // The database's name is not in the plan, so any will do that makes the name a journal's.
    let is = |at: &At, fits: fn(Role) -> bool| {
        let name = at.name.as_str();
        let canonicals =
            name.match_indices('.').filter_map(|(dot, _)| FileName::new(&name[..dot]).ok());
        at.companion.is_none()
            && canonicals.filter_map(|canonical| Role::of(&canonical, &at.name)).any(fits)
    };
    for (index, step) in plan.steps.iter().enumerate() {
        let ok = match &step.op {
            Op::SyncDir { companion: None } => true,
            Op::Rename { from, to } => {
                plan.kind == PlanKind::SetAside
                    && is(from, |role| matches!(role, Role::Journal(_) | Role::FieldJournal))
                    && is(to, |role| role == Role::JournalAside)
                    && to.name.as_str().starts_with(from.name.as_str())
            }
            Op::Remove { files } => {
                plan.kind == PlanKind::Clean
                    && files.iter().all(|at| is(at, |role| matches!(role, Role::JournalTmp(..))))
            }
            _ => false,
        };
        if !ok {
            return Err(ReadError::Contradiction(format!(
                "steps[{index}] ({}): not without a journal",
                step.op.name()
            )));
        }
    }
    Ok(())
}

/// Journals that were being written, of any label.
pub(super) fn stray_journal_tmps<'a>(
    canonical: &FileName,
    files: impl Iterator<Item = &'a FileName>,
) -> Vec<At> {
    files
        .filter(|name| matches!(Role::of(canonical, name), Some(Role::JournalTmp(..))))
        .map(At::from)
        .collect()
}
