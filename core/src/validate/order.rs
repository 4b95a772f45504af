//! What each op needs from the ops before it.

use std::collections::BTreeSet;

use super::{Finding, Severity};
use crate::journal::{Journal, Phase};
use crate::names::{At, CompanionName, FileName};
use crate::observe::Observation;
use crate::op::{Guard, Op, Step};
use crate::plan::{Plan, PlanKind};
use crate::sqlite::JournalMode;

/// What is true after the ops so far.
#[expect(clippy::struct_excessive_bools, reason = "each is one fact of the walk, and rules combine them freely")]
struct Walk<'a> {
    journal: &'a Journal,
    kind: PlanKind,
    findings: Vec<Finding>,
    index: usize,
    undo: bool,
    /// Files whose data was written and not flushed.
    unsynced: BTreeSet<At>,
    /// Directories whose entries changed since their last flush.
    dirty: BTreeSet<Option<CompanionName>>,
    /// The phase that the journal file was last renamed to, and whether that is durable.
    phase: Option<(Phase, bool)>,
    /// The phase that was written last.
    written: Option<Phase>,
    /// Temporary files that are there.
    temporaries: BTreeSet<FileName>,
    looked: bool,
    looked_staging: bool,
    settled: bool,
    /// Databases of ours that were settled, or copied page by page, since they were written.
    one_file: BTreeSet<FileName>,
    checked: BTreeSet<FileName>,
    detected: BTreeSet<FileName>,
    locked: bool,
    v1_checked: bool,
    linked: bool,
    absent: bool,
    flipped: bool,
    flip_durable: bool,
    receipt: bool,
    copied: BTreeSet<At>,
    backed_up: BTreeSet<CompanionName>,
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
    let Some(journal) = &plan.journal else { return judge_without_journal(plan) };
    let mut walk = Walk::of(plan, journal, target);
    for (index, step) in plan.steps.iter().enumerate() {
        walk.index = index;
        walk.step(step);
    }
    walk.end(plan);
    let mut findings = walk.findings;
    findings.extend(indexes(plan));
    if !plan.undo.is_empty() || matches!(plan.kind, PlanKind::Migrate | PlanKind::Undo) {
        findings.extend(judge_undo(plan, journal));
    }
    findings
}

fn canonical_sidecars(journal: &Journal) -> BTreeSet<FileName> {
    journal.names.canonical.sidecars().into()
}

impl<'a> Walk<'a> {
    fn of(plan: &Plan, journal: &'a Journal, target: Option<&Observation>) -> Self {
        let names = &journal.names;
        let recovering = plan.kind != PlanKind::Migrate;
        let flipped_before = plan.kind == PlanKind::Clean || (plan.kind == PlanKind::Finish && plan.flip_at.is_none());
        let foreign = flipped_before && journal.phase == Phase::Building;
        // Only the directory itself can tell that the link is there already; without it a recovery's plan is believed.
        let linked = recovering && target.is_none_or(|observation| observation.same_file(&names.backup, &names.canonical));
        Self {
            journal,
            kind: plan.kind,
            findings: Vec::new(),
            index: 0,
            undo: false,
            unsynced: BTreeSet::new(),
            // What a recovery sees may not be durable.
            dirty: if recovering { [None].into() } else { BTreeSet::new() },
            // A v2 that somebody else put there is committed as far as this journal can tell.
            phase: recovering.then_some((if foreign { Phase::Committed } else { journal.phase }, true)),
            written: None,
            temporaries: if recovering {
                [names.source.clone(), names.staging.clone(), names.install.clone()].into()
            } else {
                BTreeSet::new()
            },
            looked: false,
            looked_staging: false,
            settled: recovering,
            one_file: if recovering { [names.staging.clone(), names.install.clone()].into() } else { BTreeSet::new() },
            checked: BTreeSet::new(),
            detected: BTreeSet::new(),
            locked: false,
            v1_checked: false,
            linked,
            absent: false,
            flipped: flipped_before,
            // A recovery that finds v2 in place makes that durable by its first flush, which has a rule of its own.
            flip_durable: flipped_before,
            receipt: plan.kind == PlanKind::Clean,
            copied: BTreeSet::new(),
            backed_up: BTreeSet::new(),
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
            undo: self.undo,
            message: message.into(),
            hint: hint.into(),
        });
    }

    fn need(&mut self, holds: bool, rule: &str, message: &str, hint: &str) {
        if !holds {
            self.find(rule, Severity::Error, message, hint);
        }
    }

    fn durable(&self, phase: Phase) -> bool {
        self.phase.is_some_and(|(now, durable)| now >= phase && durable)
    }

    /// The field's cutover has no fingerprint and no link; its recovery follows rules of its own, which the explorer judges.
    fn field(&self) -> bool {
        self.journal.strategy == crate::journal::Strategy::TwoRename
    }

    fn begun(&mut self, what: &str) {
        let begun = self.durable(Phase::Building);
        let message = format!("{what} before the journal says `building`, durably: a crash would leave what nobody knows of");
        self.need(begun, "journal-first", &message, "write, flush and rename the journal, then flush the directory, before it");
    }

    fn step(&mut self, step: &Step) {
        let names = &self.journal.names;
        let canonical = &names.canonical;
        let journal_file = At::from(&self.journal.file());
        if self.kind != PlanKind::Migrate && self.index == 0 && !matches!(step.op, Op::SyncDir { companion: None }) {
            self.find(
                "recovery-flush-first",
                Severity::Error,
                "a recovery acts on what it sees before that is durable",
                "flush the directory first",
            );
        }
        if self.journal_gone && !matches!(step.op, Op::SyncDir { companion: None }) {
            self.need(false, "journal-last", "something is done after the journal is gone", "remove the journal last");
        }
        // A renamed journal is flushed before anything else.
        if let Some((phase, false)) = self.phase
            && !matches!(step.op, Op::SyncDir { companion: None })
        {
            let message = format!("the journal says `{}`, but not durably, when this is done", phase.as_str());
            self.need(false, "journal-durable", &message, "flush the directory right after the journal's rename");
            self.phase = Some((phase, true));
        }
        match &step.op {
            Op::Look { file } if file == canonical => self.looked = true,
            Op::Look { file } => self.looked_staging |= *file == names.staging,
            Op::Release | Op::UndoHost => {}
            Op::WriteJournal { file, phase } => {
                if *phase == Phase::Committed {
                    self.need(
                        self.flipped && (self.field() || self.receipt),
                        "receipt-before-commit",
                        "the journal says committed before the receipt is written and flushed",
                        "write and flush the receipt first",
                    );
                }
                if *phase == Phase::Built {
                    self.need(
                        !self
                            .unsynced
                            .iter()
                            .any(|at| names.install.as_str() == at.name.as_str() || names.staging.as_str() == at.name.as_str()),
                        "flush-before-built",
                        "the journal says built before v2's data is durable",
                        "flush the file that will be installed first",
                    );
                    let staged = if self.temporaries.contains(&names.install) { &names.install } else { &names.staging };
                    self.need(
                        self.checked.contains(staged),
                        "check-before-built",
                        "the journal says built before v2 was checked",
                        "check the file that will be installed first",
                    );
                    self.need(
                        self.detected.contains(staged),
                        "detect-before-built",
                        "the journal says built before `detect` said that v2 is current",
                        "run detect on the file that will be installed first",
                    );
                }
                self.written = Some(*phase);
                self.unsynced.insert(file.into());
                self.dirty.insert(None);
            }
            Op::WriteReceipt { file } => {
                self.after_flip("a receipt is written");
                let migrates = self.kind == PlanKind::Migrate;
                for companion in self.journal.companions.iter().filter(|_| migrates) {
                    let name = Some(companion.name.clone());
                    let installed = self.companion_installed.contains(&companion.name) && !self.dirty.contains(&name);
                    self.need(
                        installed,
                        "companion-before-commit",
                        "a staged companion is not installed, durably, before the commit",
                        "install it, and flush its directory, first",
                    );
                }
                self.unsynced.insert(file.into());
                self.dirty.insert(None);
            }
            Op::SyncFile { file } => {
                // A flush of what was not written proves nothing.
                if self.unsynced.remove(file) && *file == At::from(&names.receipt()) {
                    self.receipt = true;
                }
            }
            Op::SyncDir { companion } => {
                self.dirty.remove(companion);
                self.flip_durable |= companion.is_none() && self.flipped;
                if companion.is_none()
                    && let Some((_, durable)) = &mut self.phase
                {
                    *durable = true;
                }
            }
            Op::Rename { from, to } | Op::RenameNew { from, to } => self.rename(from, to, &journal_file, step.when.as_ref()),
            Op::Link { from, to } if from.companion.is_none() => {
                self.need(
                    self.durable(Phase::Built),
                    "built-before-flip",
                    "v1 is linked before the journal says built",
                    "write the journal first",
                );
                self.need(
                    self.locked && self.v1_checked,
                    "lock-and-check",
                    "v1 is linked without having been locked and compared with its fingerprint",
                    "lock and check v1 first",
                );
                self.linked |= *to == At::from(&names.backup);
                self.dirty.insert(None);
            }
            Op::Link { from, .. } => {
                self.companion_kept.extend(from.companion.clone());
                self.dirty.insert(from.companion.clone());
            }
            Op::Remove { files } => self.remove(files, &journal_file),
            Op::RemoveLink { .. } => {
                self.need(false, "backup-kept", "the backup's name is removed on the way to v2", "only an undo removes it");
            }
            Op::Copy { from, to } => {
                self.begun("a file is copied");
                if from.companion.is_none() {
                    self.need(self.settled, "settle-before-read", "v1 is copied before it is one file", "settle v1 first");
                    self.temporaries.insert(to.name.clone());
                } else {
                    self.unsynced.insert(to.clone());
                    self.copied.insert(to.clone());
                }
                self.dirty.insert(to.companion.clone());
            }
            Op::Settle { file, .. } => {
                self.begun("a database is settled");
                if file == canonical {
                    self.look("v1 is settled");
                    self.settled = true;
                } else if *file != names.backup {
                    if step.when == Some(Guard::StagingFree) {
                        self.need(
                            self.looked_staging,
                            "look-at-staging",
                            "staging is settled without a look who holds it",
                            "look at staging after the host's build",
                        );
                    }
                    self.changed(file);
                    self.one_file.insert(file.clone());
                }
            }
            Op::RestoreMode { .. } => {
                self.need(false, "restore-mode-in-undo", "v1's journal mode is restored on the way to v2", "only an undo restores it");
            }
            Op::BuildSql { staging, .. } | Op::BuildHost { staging, .. } => {
                self.begun("v2 is built");
                self.need(
                    self.settled,
                    "settle-before-read",
                    "v2 is built before v1 is one file: rows in its -wal could be missed",
                    "settle v1 first",
                );
                for companion in self.journal.companions.iter().filter(|c| c.before.is_some()) {
                    let backed_up = self.backed_up.contains(&companion.name) && !self.dirty.contains(&Some(companion.name.clone()));
                    self.need(
                        backed_up,
                        "companion-backup",
                        "v2 is built before a companion's backup is durable",
                        "copy, flush, rename, and flush its directory first",
                    );
                }
                if let Op::BuildHost { source, .. } = &step.op {
                    self.need(self.temporaries.contains(source), "source", "the host's copy of v1 is not made", "copy v1 to it first");
                    self.host_built = true;
                    self.looked = false;
                    self.looked_staging = false;
                }
                self.built = true;
                self.temporaries.insert(staging.clone());
                self.changed(staging);
            }
            Op::Restage { to, .. } => {
                self.need(
                    self.looked_staging,
                    "look-at-staging",
                    "staging is copied without a look who holds it",
                    "look at staging after the host's build",
                );
                self.temporaries.insert(to.clone());
                self.changed(to);
                self.one_file.insert(to.clone());
                self.restaged = true;
            }
            Op::Check { file } => {
                self.need(
                    self.one_file.contains(file),
                    "settle-before-check",
                    "v2 is checked before it is one file",
                    "settle it, or restage it, first",
                );
                self.checked.insert(file.clone());
            }
            Op::Detect { file } => drop(self.detected.insert(file.clone())),
            Op::VerifyHost { .. } => self.looked = false,
            Op::LockV1 { .. } => {
                self.look("v1 is locked");
                self.need(
                    self.durable(Phase::Built),
                    "built-before-flip",
                    "v1 is locked before the journal says built",
                    "write the journal first",
                );
                self.locked = true;
            }
            Op::CheckV1 { .. } => {
                self.need(self.locked, "lock-and-check", "v1 is checked before it is locked: it could change after", "lock v1 first");
                self.v1_checked = true;
            }
            Op::UnlockV1 => {
                self.need(
                    self.flipped,
                    "lock-and-check",
                    "v1 is unlocked before it is replaced: it could change after its check",
                    "unlock v1 after the flip",
                );
                self.locked = false;
            }
            Op::Absent { files } => {
                if canonical_sidecars(self.journal).iter().all(|file| files.contains(file)) {
                    self.absent = true;
                }
            }
            Op::LookCompanion { companion, .. } => {
                if self.flipped {
                    self.companion_looked.insert(companion.clone());
                }
            }
            Op::CleanupHost => {
                self.committed("the application cleans up");
                self.cleaned = true;
            }
        }
    }

    fn look(&mut self, what: &str) {
        let message =
            format!("{what} without a look who has it open: opening a file that this process holds drops that connection's locks");
        self.need(self.looked, "look-before-open", &message, "look at canonical first, and again after every callback of the host");
    }

    fn changed(&mut self, file: &FileName) {
        self.one_file.remove(file);
        self.checked.remove(file);
        self.detected.remove(file);
        self.unsynced.insert(file.into());
        self.dirty.insert(None);
    }

    fn after_flip(&mut self, what: &str) {
        let message = format!("{what} before v2 is canonical, durably");
        self.need(self.flip_durable, "flip-durable", &message, "flush the directory after the flip first");
    }

    fn committed(&mut self, what: &str) {
        let committed = self.durable(Phase::Committed);
        let message = format!("{what} before the journal says committed, durably");
        self.need(committed, "commit-before-clean-up", &message, "write the journal committed first");
    }

    fn rename(&mut self, from: &At, to: &At, journal_file: &At, when: Option<&Guard>) {
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
        if to == journal_file {
            if let Some(phase) = self.written {
                self.phase = Some((phase, false));
            }
            self.unsynced.remove(to);
        } else if *to == At::from(&names.canonical) {
            self.flip(from);
        } else if to.name == names.install && to.companion.is_none() {
            if when != Some(&Guard::StagingFree) {
                self.find(
                    "look-at-staging",
                    Severity::Error,
                    "staging is renamed though this process may hold it",
                    "rename it only where it is free, and restage it else",
                );
            }
            self.need(
                self.restaged,
                "look-at-staging",
                "a staging that this process holds would not be installed at all",
                "restage it where it is held",
            );
            self.need(
                self.one_file.contains(&names.staging),
                "settle-before-check",
                "staging is renamed before it is one file",
                "settle it first",
            );
            self.renamed = true;
            self.temporaries.insert(names.install.clone());
            self.checked.remove(&names.install);
            self.detected.remove(&names.install);
        } else if let Some(companion) = &to.companion
            && self.journal.companions.iter().any(|c| c.name == *companion && c.file == to.name)
        {
            let message = "a companion is installed before v2 is canonical, durably";
            let ok = self.flipped && !self.dirty.contains(&None);
            self.need(ok, "companion-after-flip", message, "install companions after the flip and its flush");
            let kept =
                self.companion_kept.contains(companion) && self.companion_looked.contains(companion) && !self.dirty.contains(&to.companion);
            self.need(
                kept,
                "companion-kept",
                "a companion that somebody changed is overwritten",
                "look at it after the flip, link what changed to its displaced name, and flush",
            );
            self.companion_installed.insert(companion.clone());
        } else if let Some(companion) = to.companion.as_ref().filter(|_| self.copied.contains(from)) {
            self.backed_up.insert(companion.clone());
        }
        self.dirty.insert(to.companion.clone());
    }

    fn flip(&mut self, from: &At) {
        let names = &self.journal.names;
        let hint = "keep the order: lock, check, link, flush, read back, rename, read back, flush";
        if !self.field() {
            self.need(self.durable(Phase::Built), "built-before-flip", "v2 is installed before the journal says built", hint);
            self.need(self.locked && self.v1_checked, "lock-and-check", "v1 is replaced without being locked since its check", hint);
            self.need(self.linked, "backup-before-flip", "canonical is replaced before v1 has its backup's name", hint);
            self.need(!self.dirty.contains(&None), "backup-durable", "canonical is replaced before the backup's name is durable", hint);
            self.need(self.absent, "sidecars-absent", "nothing proves that no sidecar of v1 stands beside v2", hint);
        }
        let checked = self.checked.contains(&from.name) && self.detected.contains(&from.name);
        self.need(self.built, "build", "nothing builds v2", "build it before the flip");
        self.need(
            checked,
            "check-before-install",
            "what is installed was not checked, or was changed since",
            "check and detect the very file that is installed",
        );
        if self.host_built {
            self.need(
                self.restaged && self.renamed,
                "look-at-staging",
                "the plan does not say what to do where staging is held, or where it is free",
                "restage it where it is held, and rename it where it is free",
            );
        }
        if from.name != names.staging && from.name != names.install {
            self.need(false, "check-before-install", "what is installed is not what was built", hint);
        }
        self.temporaries.remove(&from.name);
        self.flipped = true;
        self.absent = false;
        self.dirty.insert(None);
    }

    fn remove(&mut self, files: &[At], journal_file: &At) {
        let names = &self.journal.names;
        if files.contains(journal_file) {
            let durable = !self.dirty.contains(&None);
            self.need(
                durable,
                "flush-before-journal-goes",
                "the journal is removed before what precedes it is durable",
                "flush the directory first",
            );
            if self.kind != PlanKind::Undo {
                let receipt = self.receipt || self.field();
                self.need(receipt, "receipt-before-commit", "the journal goes and no receipt stays", "write and flush the receipt first");
                self.committed("the journal is removed");
                if !self.cleaned {
                    self.find(
                        "host-clean-up",
                        Severity::Error,
                        "the application is never asked to clean up",
                        "let it clean up before the journal goes",
                    );
                }
                for companion in &self.journal.companions {
                    let name = Some(companion.name.clone());
                    let clean = self.companion_cleaned.contains(&companion.name) && !self.dirty.contains(&name);
                    self.need(
                        clean || self.field(),
                        "temporaries-removed",
                        "temporary files may stay beside a companion",
                        "remove them, and flush its directory, first",
                    );
                }
                let left: Vec<String> = self.temporaries.iter().map(ToString::to_string).collect();
                if !left.is_empty() {
                    let message = format!("the journal goes while temporary files may stay: {}", left.join(", "));
                    self.find("temporaries-removed", Severity::Error, message, "remove them first");
                }
            }
            self.journal_gone = true;
        }
        if files.iter().any(|at| names.backup.set().iter().any(|name| *at == At::from(name)))
            && !(self.locked && self.v1_checked && !self.flipped)
        {
            self.need(
                false,
                "backup-kept",
                "the backup is removed, and v1 was not found unchanged in canonical",
                "lock and check v1 before",
            );
        }
        for file in files.iter().filter(|at| at.companion.is_none()) {
            if self.temporaries.remove(&file.name) && !self.undo && self.kind != PlanKind::Undo {
                self.committed("a temporary file is removed");
            }
        }
        for file in files {
            self.companion_cleaned.extend(file.companion.clone());
            self.dirty.insert(file.companion.clone());
            self.unsynced.remove(file);
        }
    }

    /// What must have happened by the end of the steps.
    fn end(&mut self, plan: &Plan) {
        self.index = plan.steps.len();
        let installs = matches!(plan.kind, PlanKind::Migrate | PlanKind::Finish);
        if installs {
            self.need(self.flipped, "no-flip", "the plan never makes v2 canonical", "rename the staged file over canonical");
            self.need(
                self.absent || plan.flip_at.is_none(),
                "sidecars-absent",
                "nothing proves, after the flip, that no sidecar of v1 stands beside v2",
                "read the sidecars back after the flip",
            );
            self.need(!self.locked, "lock-and-check", "v1 stays locked", "unlock v1 after the flip");
        }
        if plan.kind != PlanKind::Undo {
            self.need(self.journal_gone, "journal-last", "the journal stays: every start would recover again", "remove the journal last");
            if self.dirty.contains(&None) {
                self.find(
                    "last-flush",
                    Severity::Warning,
                    "the journal's removal is not flushed: the next start may clean up again",
                    "flush the directory last",
                );
            }
        }
        if plan.kind == PlanKind::Migrate && self.host_built && !plan.steps.iter().any(|step| step.op == Op::Release) {
            self.find(
                "release",
                Severity::Warning,
                "the host is not asked to let go of handles, so v2 may be copied for nothing",
                "release handles before the look at staging",
            );
        }
    }
}

/// The indexes say where the rule of endings changes; a wrong one undoes a v2 or fails a start for a clean-up.
fn indexes(plan: &Plan) -> Vec<Finding> {
    let Some(journal) = &plan.journal else { return Vec::new() };
    let canonical = At::from(&journal.names.canonical);
    let position = |found: &dyn Fn(&Op) -> bool| plan.steps.iter().position(|step| found(&step.op)).and_then(|at| u32::try_from(at).ok());
    let flip = position(&|op| matches!(op, Op::Rename { to, .. } | Op::RenameNew { to, .. } if *to == canonical));
    let mut findings = Vec::new();
    let mut find = |rule: &str, message: String| {
        findings.push(Finding {
            rule: rule.into(),
            severity: Severity::Error,
            step: None,
            undo: false,
            message,
            hint: "make the plan anew with this release".into(),
        });
    };
    if flip != plan.flip_at && plan.kind != PlanKind::Undo {
        find("flip-index", format!("flipAt is {:?}, and the step that makes v2 canonical is {flip:?}", plan.flip_at));
    }
    if let (Some(flip), Some(cleanup)) = (flip, plan.cleanup_from) {
        let secured = plan.steps.iter().enumerate().skip(flip as usize).find(|(_, step)| step.op == Op::SyncDir { companion: None });
        if secured.is_none_or(|(at, _)| (cleanup as usize) <= at) {
            find("clean-up-index", "cleanupFrom lies before the flush that makes v2 durable: a failing flush would be a warning".into());
        }
    }
    findings
}

/// An undo is short and has one order.
fn judge_undo(plan: &Plan, journal: &Journal) -> Vec<Finding> {
    let names = &journal.names;
    let ops: Vec<&Op> = plan.undo.iter().map(|step| &step.op).collect();
    let at = |found: &dyn Fn(&Op) -> bool| ops.iter().position(|op| found(op));
    let journal_file = At::from(&journal.file());
    let goes = at(&|op| matches!(op, Op::Remove { files } if files.contains(&journal_file)));
    let flush: BTreeSet<usize> =
        ops.iter().enumerate().filter(|(_, op)| ***op == Op::SyncDir { companion: None }).map(|(at, _)| at).collect();
    let mut findings = Vec::new();
    let mut need = |holds: bool, rule: &str, step: Option<usize>, message: &str| {
        if !holds {
            findings.push(Finding {
                rule: rule.into(),
                severity: Severity::Error,
                step: step.and_then(|at| u32::try_from(at).ok()),
                undo: true,
                message: message.into(),
                hint: "make the plan anew with this release".into(),
            });
        }
    };
    let before = |a: Option<usize>, b: Option<usize>| matches!((a, b), (Some(a), Some(b)) if a < b);
    let unlock = at(&|op| *op == Op::UnlockV1);
    let host = at(&|op| *op == Op::UndoHost);
    let link = at(&|op| matches!(op, Op::RemoveLink { .. }));
    let restore = at(&|op| matches!(op, Op::RestoreMode { .. }));
    let look = at(&|op| matches!(op, Op::Look { file } if *file == names.canonical));
    need(goes.is_some(), "undo-journal-last", None, "an undo leaves its journal: every start would undo again");
    need(
        goes.is_none_or(|goes| goes + 2 == ops.len() && flush.contains(&(goes + 1))),
        "undo-journal-last",
        goes,
        "the journal does not go last, followed by a flush",
    );
    need(
        goes.is_none_or(|goes| goes > 0 && flush.contains(&(goes - 1))),
        "undo-flush",
        goes,
        "the journal goes before what was undone is durable",
    );
    need(before(host, goes), "undo-host", host, "the application is not asked to undo before the journal goes");
    need(
        unlock.is_some() && unlock.is_none_or(|unlock| restore.is_none_or(|restore| unlock < restore)),
        "undo-unlock",
        unlock,
        "v1 is not unlocked before it is opened again",
    );
    need(before(link, goes), "undo-link", link, "v1's second name stays after an undo");
    let removed: BTreeSet<&At> = ops
        .iter()
        .filter_map(|op| match op {
            Op::Remove { files } => Some(files),
            _ => None,
        })
        .flatten()
        .collect();
    for base in [&names.source, &names.staging, &names.install] {
        let all = base.set().iter().all(|name| removed.contains(&At::from(name)));
        need(all, "undo-temporaries", None, &format!("{base} or a sidecar of it stays after an undo"));
    }
    if journal.v1.as_ref().is_some_and(|v1| v1.journal_mode == JournalMode::Wal) {
        need(
            before(restore, goes),
            "undo-restore-mode",
            restore,
            "v1 does not get its WAL mode back, and the old application would meet \"database is locked\"",
        );
        need(before(look, restore), "look-before-open", restore, "v1 is opened without a look who has it open");
        need(before(link, restore), "undo-link", restore, "v1 is written to while it has a second name");
    }
    findings
}

/// Setting a journal aside, or removing journals that were being written: flush, act, flush.
fn judge_without_journal(plan: &Plan) -> Vec<Finding> {
    let flush = |at: usize| plan.steps.get(at).is_some_and(|step| step.op == Op::SyncDir { companion: None });
    let mut findings = Vec::new();
    if !flush(0) {
        findings.push(Finding {
            rule: "recovery-flush-first".into(),
            severity: Severity::Error,
            step: Some(0),
            undo: false,
            message: "a recovery acts on what it sees before that is durable".into(),
            hint: "flush the directory first".into(),
        });
    }
    if plan.steps.len() < 3 || !flush(plan.steps.len() - 1) {
        findings.push(Finding {
            rule: "last-flush".into(),
            severity: Severity::Warning,
            step: None,
            undo: false,
            message: "the change is not flushed: the next start may do it again".into(),
            hint: "flush the directory last".into(),
        });
    }
    findings
}
