//! What each op needs from the ops before it.

mod bare;
mod build;
mod companion;
mod ending;
mod flip;
mod journal;
mod page_copy;
mod undo;

use super::{Finding, Severity};
use crate::fault::Platform;
use crate::journal::{Journal, Phase, Strategy};
use crate::names::{At, CompanionName, FileName, journal_tmp};
use crate::observe::Observation;
use crate::op::{Guard, Op, Step};
use crate::plan::{Plan, PlanKind};
use std::collections::BTreeSet;

/// What is true after the ops so far.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one fact of the walk, and rules combine them freely"
)]
struct Walk<'a> {
    journal: &'a Journal,
    kind: PlanKind,
    findings: Vec<Finding>,
    index: usize,
    /// Files whose data was written and not flushed.
    unsynced: BTreeSet<At>,
    /// Directories whose entries changed since their last flush.
    dirty: BTreeSet<Option<CompanionName>>,
    /// Directories that a recovery sees, and that were not flushed since it looked.
    unseen: BTreeSet<Option<CompanionName>>,
    /// Names that are created exclusively and may be taken: by an interrupted start, or by this
    /// plan.
    taken: BTreeSet<FileName>,
    /// Sidecars that the directory has beside canonical's name, where canonical is v1 no more.
    sidecars: BTreeSet<FileName>,
    /// The phase that the journal file was last renamed to, and whether that is durable.
    phase: Option<(Phase, bool)>,
    /// The phase that was written last.
    written: Option<Phase>,
    /// Temporary files that are there.
    temporaries: BTreeSet<FileName>,
    looked: bool,
    looked_behind: bool,
    cleanup_from: usize,
    looked_staging: bool,
    /// Whether the application was asked to let go of handles since its build.
    released: bool,
    settled: bool,
    /// Whether v1, which the field moved to the backup, was settled there.
    backup_settled: bool,
    /// Databases of ours that were settled, or copied page by page, since they were written.
    one_file: BTreeSet<FileName>,
    checked: BTreeSet<FileName>,
    detected: BTreeSet<FileName>,
    locked: bool,
    v1_checked: bool,
    /// v1 was copied, and the copy has not its name yet.
    v1_copied: bool,
    /// The copy has its name, and not durably.
    backup_pending: bool,
    /// v1 has its backup's name, or its copy has.
    linked: bool,
    absent: bool,
    /// Whether v1 was compared again behind the flip, where it could change until then.
    read_back: bool,
    /// Whether v1 got its name back over v2.
    put_back: bool,
    /// Whether canonical, which somebody made while v1 was moved away, was set aside.
    moved_aside: bool,
    flipped: bool,
    flip_durable: bool,
    /// v2 may be in canonical's log alone, committed by a page copy, and not flushed.
    in_the_log: bool,
    receipt: bool,
    copied: BTreeSet<At>,
    backed_up: BTreeSet<CompanionName>,
    /// Companions that were compared before the flip.
    companion_same: BTreeSet<CompanionName>,
    /// Companions that were looked at since the flip, kept where they changed, and installed.
    companion_looked: BTreeSet<CompanionName>,
    companion_kept: BTreeSet<CompanionName>,
    companion_installed: BTreeSet<CompanionName>,
    companion_cleaned: BTreeSet<CompanionName>,
    built: bool,
    restaged: bool,
    renamed: bool,
    host_built: bool,
    cleaned: bool,
    journal_gone: bool,
}

pub(super) fn judge(plan: &Plan, target: Option<&Observation>) -> Vec<Finding> {
    let Some(journal) = &plan.journal else { return bare::judge_without_journal(plan) };
    // Of these the structure already says that each step is the one that its journal gives.
    if journal.strategy.restores() {
        return Vec::new();
    }
    let mut walk = Walk::of(plan, journal, target);
    for (index, step) in plan.steps.iter().enumerate() {
        walk.index = index;
        walk.step(step);
    }
    walk.end(plan);
    let unseen = walk.unseen;
    let mut findings = walk.findings;
    findings.extend(bare::clean_up_index(plan));
    findings.extend(bare::guards(plan));
    if !plan.undo.is_empty() || matches!(plan.kind, PlanKind::Migrate | PlanKind::Undo) {
        findings.extend(undo::judge(plan, journal, target, &unseen));
    }
    findings
}

impl<'a> Walk<'a> {
    fn of(plan: &Plan, journal: &'a Journal, target: Option<&Observation>) -> Self {
        let names = &journal.names;
        let recovering = plan.kind != PlanKind::Migrate;
        let flipped_before = plan.kind == PlanKind::Clean
            || (plan.kind == PlanKind::Finish && plan.flip_at.is_none());
        let foreign = flipped_before && journal.phase == Phase::Building;
        // Only the directory itself can tell that the link is there already; without it a
        // recovery's plan is believed.
        let pages = journal.strategy == Strategy::PageCopy;
        let is_linked = |seen: &Observation| match journal.strategy {
            Strategy::PageCopy => seen.files.contains_key(&names.backup),
            _ => seen.same_file(&names.backup, &names.canonical),
        };
        let copies = pages
            && plan.steps.iter().any(
                |step| matches!(&step.op, Op::Restage { from, .. } if *from == names.canonical),
            );
        let linked = recovering && target.map_or(!copies, is_linked);
        let field = journal.strategy == Strategy::TwoRename;
        let companions = journal
            .companions
            .iter()
            .filter(|_| !field)
            .map(|companion| Some(companion.name.clone()));
        let unseen = std::iter::once(None).chain(companions);
        let tmp = journal_tmp(&names.canonical, &journal.label, &journal.nonce);
        let left =
            if recovering { vec![names.receipt(), tmp, names.source.clone()] } else { Vec::new() };
        let second_copy = target
            .filter(|seen| recovering && !linked && seen.files.contains_key(&names.backup))
            .map(|_| names.backup.clone());
        let log = &names.canonical.sidecars()[0];
        let in_the_log = journal.phase == Phase::Installing
            && target.is_some_and(|seen| seen.files.contains_key(log));
        let present = |seen: &Observation| {
            names
                .canonical
                .sidecars()
                .into_iter()
                .filter(|name| seen.files.contains_key(name))
                .collect()
        };
        Self {
            journal,
            kind: plan.kind,
            findings: Vec::new(),
            index: 0,
            unsynced: BTreeSet::new(),
            // What a recovery sees may not be durable.
            dirty: if recovering { [None].into() } else { BTreeSet::new() },
            unseen: if recovering { unseen.collect() } else { BTreeSet::new() },
            taken: left.into_iter().chain(second_copy).collect(),
            sidecars: target.filter(|_| field).map(present).unwrap_or_default(),
            // A v2 that somebody else put there is committed as far as this journal can tell.
            phase: recovering
                .then_some((if foreign { Phase::Committed } else { journal.phase }, true)),
            written: None,
            temporaries: if recovering {
                [names.source.clone(), names.staging.clone(), names.install.clone()].into()
            } else {
                BTreeSet::new()
            },
            looked: false,
            looked_behind: plan.platform == Platform::Windows
                || journal.strategy != Strategy::LinkReplace,
            cleanup_from: plan.cleanup_from.map_or(usize::MAX, |from| from as usize),
            looked_staging: false,
            released: true,
            settled: recovering,
            backup_settled: false,
            one_file: if recovering && !field {
                [names.staging.clone(), names.install.clone()].into()
            } else {
                BTreeSet::new()
            },
            checked: BTreeSet::new(),
            detected: BTreeSet::new(),
            locked: false,
            v1_checked: false,
            v1_copied: false,
            backup_pending: false,
            linked,
            absent: false,
            read_back: field
                || pages
                || plan.platform != Platform::Windows
                || plan.flip_at.is_none(),
            put_back: false,
            moved_aside: false,
            flipped: flipped_before,
            // A recovery that finds v2 in place makes that durable by its first flush, which has a
            // rule of its own.
            flip_durable: flipped_before,
            in_the_log,
            receipt: plan.kind == PlanKind::Clean || (field && flipped_before),
            copied: BTreeSet::new(),
            backed_up: BTreeSet::new(),
            companion_same: BTreeSet::new(),
            companion_looked: BTreeSet::new(),
            companion_kept: BTreeSet::new(),
            companion_installed: BTreeSet::new(),
            companion_cleaned: BTreeSet::new(),
            built: recovering,
            restaged: false,
            renamed: false,
            host_built: false,
            cleaned: false,
            journal_gone: false,
        }
    }

    fn find(&mut self, rule: &str, severity: Severity, message: impl Into<String>, hint: &str) {
        self.findings.push(Finding {
            rule: rule.into(),
            severity,
            step: u32::try_from(self.index).ok(),
            undo: false,
            message: message.into(),
            hint: hint.into(),
        });
    }

    fn need(&mut self, holds: bool, rule: &str, message: &str, hint: &str) {
        if !holds {
            self.find(rule, Severity::Error, message, hint);
        }
    }

    /// The field's cutover has no fingerprint and no link; its recovery follows rules of its own,
    /// which the explorer judges.
    fn field(&self) -> bool {
        self.journal.strategy == Strategy::TwoRename
    }

    fn step(&mut self, step: &Step) {
        self.any(step);
        match &step.op {
            Op::Look { file } => self.look(file),
            Op::Release {} => self.released = true,
            // Never beside a journal: the structure was checked.
            Op::UndoHost {} | Op::Isolate { .. } => {}
            Op::WriteJournal { file, phase } => self.write_journal(file, *phase),
            Op::WriteReceipt { file } => self.write_receipt(file),
            Op::SyncFile { file } => self.sync_file(file),
            Op::SyncDir { companion } => self.sync_dir(companion.as_ref()),
            Op::Rename { from, to } | Op::RenameNew { from, to } => {
                self.rename(from, to, step.when.as_ref());
            }
            Op::Link { from, to } if from.companion.is_none() => self.link(to),
            Op::Link { from, .. } => self.keep_companion(from),
            Op::Remove { files } => self.remove(files),
            Op::RemoveLink { .. } => {
                self.need(
                    false,
                    "backup-kept",
                    "the backup's name is removed on the way to v2",
                    "only an undo removes it",
                );
            }
            Op::Copy { from, to } => self.copy(from, to),
            Op::Settle { file, .. } => self.settle(file, step.when.as_ref()),
            Op::RestoreMode { .. } => {
                self.need(
                    false,
                    "restore-mode-in-undo",
                    "v1's journal mode is restored on the way to v2",
                    "only an undo restores it",
                );
            }
            Op::BuildSql { staging, .. } | Op::BuildHost { staging, .. } => {
                self.build(&step.op, staging);
            }
            Op::Restage { from, to, .. } if *from == self.journal.names.canonical => {
                self.copy_v1(to);
            }
            Op::Restage { to, .. } => self.restage(to),
            Op::Check { file } => self.check(file),
            Op::Detect { file } => {
                self.detected.insert(file.clone());
            }
            Op::VerifyHost { file } => self.verify(file),
            Op::LockV1 { .. } => self.lock(),
            Op::CheckV1 { file } => self.check_v1(file),
            Op::UnlockV1 {} => self.unlock(),
            Op::PageCopy { from, .. } => self.page_copy(from),
            Op::Absent { files } => self.absent(files),
            Op::LookCompanion { companion, must_be_same, .. } => {
                self.look_companion(companion, *must_be_same);
            }
            Op::CleanupHost {} => {
                self.committed("the application cleans up");
                self.cleaned = true;
            }
        }
    }

    fn rename(&mut self, from: &At, to: &At, when: Option<&Guard>) {
        let names = &self.journal.names;
        let final_name = !self.temporaries.contains(&to.name) && to.name != names.install;
        if final_name && self.unsynced.contains(from) {
            self.find(
                "flush-before-rename",
                Severity::Error,
                format!("{from} gets its final name before its data is durable"),
                "flush the file before the rename",
            );
        }
        if self.unsynced.remove(from) {
            self.unsynced.insert(to.clone());
        }
        if *to == At::from(&self.journal.file()) {
            self.journal_renamed();
        } else if *to == At::from(&names.canonical) && *from == At::from(&names.backup) {
            self.put_back(when);
        } else if *to == At::from(&names.canonical) {
            self.flip(from);
        } else if *to == At::from(&names.backup) && self.copies_pages() {
            self.name_backup();
        } else if to.name == names.install && to.companion.is_none() {
            self.rename_to_install(when);
        } else if let Some(companion) = &to.companion {
            self.rename_companion(from, to, companion);
        } else {
            self.move_aside(from, to);
        }
        if from.companion.is_none() {
            self.taken.remove(&from.name);
            self.sidecars.remove(&from.name);
        }
        self.dirty.insert(to.companion.clone());
    }
}
