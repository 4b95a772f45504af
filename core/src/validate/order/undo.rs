//! An undo: everything is given back, each thing for good before what it was made from goes, and
//! the journal goes last.

use crate::fault::Platform;
use crate::journal::{Companion, Journal, Phase, Strategy};
use crate::names::{
    At, CompanionName, FileName, companion_backup, companion_backup_tmp, companion_staged,
    displaced, journal_tmp,
};
use crate::observe::Observation;
use crate::op::{Guard, Op, Step};
use crate::page1::JournalMode;
use crate::plan::{Plan, PlanKind};
use crate::validate::{Finding, Severity};
use std::collections::BTreeSet;

/// How far the journal is that says `building` again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rewritten {
    No,
    Written,
    Flushed,
    InPlace,
}

/// What is true after the ops so far.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one fact of the walk, and rules combine them freely"
)]
struct Undo<'a> {
    journal: &'a Journal,
    target: Option<&'a Observation>,
    findings: Vec<Finding>,
    index: usize,
    /// Whether the companions' backups are all there: in the undo of a migration.
    backed_up: bool,
    /// Directories that changed since their last flush. An undo begins at any instant: all of them
    /// may have.
    dirty: BTreeSet<Option<CompanionName>>,
    /// Whether v1 is in the backup alone, durably: it must get canonical's name back before
    /// anything is removed.
    v1_away: bool,
    /// What a start would install beside a journal `built`: the file that the journal names, which
    /// is the one checked last.
    installable: BTreeSet<At>,
    /// Where a removal cannot be flushed: the journal that says that nothing is installed.
    rewritten: Option<Rewritten>,
    v1_renamed: bool,
    unlocked: bool,
    host: bool,
    link_removed: bool,
    looked: bool,
    restored: bool,
    removed: BTreeSet<At>,
    journal_gone: bool,
    companion_looked: BTreeSet<CompanionName>,
    companion_kept: BTreeSet<CompanionName>,
    kept_durably: BTreeSet<CompanionName>,
    put_back: BTreeSet<CompanionName>,
}

/// `unseen`: directories of which nobody knows whether what is seen there is durable.
pub(super) fn judge(
    plan: &Plan,
    journal: &Journal,
    target: Option<&Observation>,
    unseen: &BTreeSet<Option<CompanionName>>,
) -> Vec<Finding> {
    let companions = journal.companions.iter().map(|companion| Some(companion.name.clone()));
    let backup = &journal.names.backup;
    let settled =
        plan.steps.iter().any(|step| matches!(&step.op, Op::Settle { file, .. } if file == backup));
    let given_back = plan.undo.iter().any(|step| matches!(step.op, Op::RenameNew { .. }));
    let mut undo = Undo {
        journal,
        target,
        findings: Vec::new(),
        index: 0,
        backed_up: plan.kind == PlanKind::Migrate,
        dirty: companions.chain([None]).collect(),
        v1_away: settled || given_back,
        installable: installable(plan, journal),
        rewritten: (plan.platform == Platform::Windows && journal.strategy != Strategy::TwoRename)
            .then_some(Rewritten::No),
        v1_renamed: false,
        unlocked: false,
        host: false,
        link_removed: false,
        looked: false,
        restored: false,
        removed: BTreeSet::new(),
        journal_gone: false,
        companion_looked: BTreeSet::new(),
        companion_kept: BTreeSet::new(),
        kept_durably: BTreeSet::new(),
        put_back: BTreeSet::new(),
    };
    // Only the directory itself can tell that v1's log lies where canonical was, and none beside
    // the backup.
    let log_stayed = target.is_none_or(|seen| {
        let has_log =
            |file: &FileName| file.sidecars().iter().any(|name| seen.files.contains_key(name));
        has_log(&journal.names.canonical) && !has_log(backup)
    });
    undo.need(
        !given_back || settled || (plan.kind == PlanKind::Undo && log_stayed),
        "settle-backup",
        "v1 gets canonical's name back from the backup, and its -wal would stay behind",
    );
    let away = journal.strategy == Strategy::TwoRename
        && target.is_some_and(|seen| !seen.files.contains_key(&journal.names.canonical));
    undo.need(
        !away || given_back,
        "undo-give-back",
        "v1 is in the backup alone, and does not get canonical's name back",
    );
    if plan.kind == PlanKind::Undo {
        undo.need(
            unseen.is_empty(),
            "recovery-flush-first",
            "an undo acts on what it sees before that is durable",
        );
    }
    for (index, step) in plan.undo.iter().enumerate() {
        undo.index = index;
        undo.step(step);
    }
    undo.index = plan.undo.len();
    undo.need(
        undo.journal_gone,
        "undo-journal-last",
        "an undo leaves its journal: every start would undo again",
    );
    let flushed = !undo.journal_gone || !undo.dirty.contains(&None);
    undo.need(
        flushed,
        "undo-journal-last",
        "the journal's removal is not flushed: the next start would undo again",
    );
    undo.findings
}

impl Undo<'_> {
    fn need(&mut self, holds: bool, rule: &str, message: &str) {
        if !holds {
            self.findings.push(Finding {
                rule: rule.into(),
                severity: Severity::Error,
                step: u32::try_from(self.index).ok(),
                undo: true,
                message: message.into(),
                hint: "make the plan anew with this release".into(),
            });
        }
    }

    /// The daemon in the field made no look, and kept no digest to compare with: its recovery plans
    /// by what it sees.
    fn field(&self) -> bool {
        self.journal.strategy == Strategy::TwoRename
    }

    fn companion(&self, name: &CompanionName) -> Option<&Companion> {
        self.journal.companions.iter().find(|companion| companion.name == *name)
    }

    fn step(&mut self, step: &Step) {
        let names = &self.journal.names;
        let op = &step.op;
        let flush = matches!(op, Op::SyncDir { companion: None });
        self.need(
            flush || !self.journal_gone,
            "undo-journal-last",
            "something is undone after the journal is gone",
        );
        let tmp =
            At::from(&journal_tmp(&names.canonical, &self.journal.label, &self.journal.nonce));
        let first = match op {
            Op::Remove { files } => {
                files.iter().all(|at| self.installable.contains(at) || *at == tmp)
            }
            Op::WriteJournal { file: at, .. } => self.rewritten.is_some() && tmp == At::from(at),
            Op::SyncFile { file: at } | Op::Rename { from: at, .. }
                if self.rewritten.is_some() && *at == tmp =>
            {
                true
            }
            op => flush || matches!(op, Op::UnlockV1 {} | Op::UndoHost {} | Op::RenameNew { .. }),
        };
        let message = "something is undone before the application was asked to undo: it may read, \
                       or put back, what this changes";
        self.need(first || self.host, "undo-host", message);
        let looked = std::mem::replace(
            &mut self.looked,
            matches!(op, Op::Look { file } if *file == names.canonical),
        );
        match op {
            Op::UnlockV1 {} => self.unlocked = true,
            Op::UndoHost {} => {
                self.need(
                    self.unlocked,
                    "undo-unlock",
                    "the application undoes while v1 is locked, and may open it",
                );
                let said = self.rewritten.is_none_or(|journal| journal == Rewritten::InPlace);
                let gone = self.installable.is_subset(&self.removed)
                    && said
                    && !self.dirty.contains(&None);
                let message = "what belongs to v2 is undone before v2 is gone, durably: a start \
                               would install it without";
                self.need(gone || self.field(), "undo-v2-first", message);
                self.host = true;
            }
            Op::RemoveLink { .. } => {
                self.v1_is_back();
                self.link_removed = true;
                self.dirty.insert(None);
            }
            Op::RestoreMode { .. } => {
                self.need(
                    looked,
                    "look-before-open",
                    "v1 is opened without a look who has it open right before",
                );
                self.need(self.unlocked, "undo-unlock", "v1 is opened while it is locked");
                self.need(
                    self.link_removed,
                    "undo-link",
                    "v1 is written to while it has a second name",
                );
                self.restored = true;
                self.dirty.insert(None);
            }
            Op::SyncDir { companion } => self.sync_dir(companion.as_ref(), step.when.as_ref()),
            Op::WriteJournal { file, phase } => self.write_journal(file, *phase),
            Op::SyncFile { .. } if self.rewritten == Some(Rewritten::Written) => {
                self.rewritten = Some(Rewritten::Flushed);
            }
            Op::Rename { from, to } if *from == tmp && *to == At::from(&self.journal.file()) => {
                self.journal_renamed();
            }
            Op::LookCompanion { companion, .. } => {
                self.companion_looked.insert(companion.clone());
            }
            Op::Link { from, to } | Op::Rename { from, to } | Op::RenameNew { from, to } => {
                if *to == At::from(&names.canonical) {
                    self.v1_renamed = true;
                    let message = "v1 leaves the backup's name before what SQLite removed beside \
                                   it is gone for good";
                    self.need(!self.dirty.contains(&None), "undo-give-back", message);
                }
                if let Some(companion) = &to.companion {
                    self.companion_renamed(from, to, companion, step.when.as_ref());
                }
                self.dirty.insert(to.companion.clone());
            }
            Op::Remove { files } => self.remove(files),
            _ => {}
        }
    }

    fn sync_dir(&mut self, companion: Option<&CompanionName>, when: Option<&Guard>) {
        if let Some(companion) =
            companion.filter(|companion| self.companion_kept.contains(companion))
        {
            self.kept_durably.insert(companion.clone());
        }
        // One that is made under a condition proves nothing of what is done without it.
        if when.is_none() {
            self.v1_away &= companion.is_some() || !self.v1_renamed;
            self.dirty.remove(&companion.cloned());
        }
    }

    fn write_journal(&mut self, file: &FileName, phase: Phase) {
        let free = self.removed.remove(&At::from(file));
        let message =
            format!("{file} is created and may be there already: every start would fail here");
        self.need(free, "left-over", &message);
        self.rewritten = self
            .rewritten
            .map(|_| if phase == Phase::Building { Rewritten::Written } else { Rewritten::No });
        self.dirty.insert(None);
    }

    fn journal_renamed(&mut self) {
        let flushed = self.rewritten == Some(Rewritten::Flushed);
        self.need(
            flushed,
            "flush-before-rename",
            "the journal gets its name before its data is durable",
        );
        // What its rename writes through is what came before it.
        if flushed && self.installable.is_subset(&self.removed) {
            self.rewritten = Some(Rewritten::InPlace);
        }
        self.dirty.insert(None);
    }

    fn v1_is_back(&mut self) {
        let message = "something is removed before v1 has canonical's name again, durably";
        self.need(!self.v1_away, "undo-give-back", message);
    }

    fn companion_renamed(
        &mut self,
        from: &At,
        to: &At,
        companion: &CompanionName,
        when: Option<&Guard>,
    ) {
        let Some(entry) = self.companion(companion) else { return };
        let (file, aside) = (entry.file.clone(), displaced(&entry.file, &self.journal.nonce));
        let looked = when.is_none() || self.companion_looked.contains(companion);
        self.need(
            looked,
            "undo-companion",
            "a companion is put back without a look whether it was changed",
        );
        if from.name == file && to.name == aside {
            self.companion_kept.insert(companion.clone());
            if entry_was_missing(self.companion(companion)) {
                self.put_back.insert(companion.clone());
            }
        } else if to.name == file {
            let seen = self.target.and_then(|target| target.companions.get(companion));
            // Where there is none now there is nothing to keep; the field's plan was made by what
            // was seen.
            let none = self.field() && seen.is_none_or(|seen| seen.digest.is_none());
            let kept = none && !self.companion_kept.contains(companion)
                || self.kept_durably.contains(companion);
            self.need(
                kept,
                "undo-companion-kept",
                "a companion is overwritten before what is there is kept beside, durably",
            );
            self.put_back.insert(companion.clone());
        }
    }

    fn remove(&mut self, files: &[At]) {
        self.v1_is_back();
        for at in files {
            self.removed.insert(at.clone());
            if let Some(entry) =
                at.companion.as_ref().and_then(|name| self.companion(name)).cloned()
            {
                let backup =
                    companion_backup(&entry.file, &self.journal.label, &self.journal.nonce);
                if at.name == backup {
                    self.companion_backup_goes(&entry, &backup);
                }
            }
            let copy = self.journal.strategy == Strategy::PageCopy
                && *at == At::from(&self.journal.names.backup);
            self.link_removed |= copy;
            if *at == At::from(&self.journal.file()) {
                self.journal_goes();
            }
        }
        self.dirty.extend(files.iter().map(|at| at.companion.clone()));
    }

    fn companion_backup_goes(&mut self, entry: &Companion, backup: &FileName) {
        let name = &entry.name;
        let durable = !self.dirty.contains(&Some(name.clone()));
        self.need(
            durable,
            "undo-companion",
            "a companion's backup goes before what was put back is durable",
        );
        let seen = self.target.and_then(|target| target.companions.get(name));
        let there = seen.is_some_and(|seen| seen.present.contains(backup));
        let must = if self.field() {
            // Its recovery puts back by what it sees, and only what was whole: the field makes
            // staging after the backup.
            let begun = self
                .target
                .is_some_and(|target| target.files.contains_key(&self.journal.names.staging));
            let back = seen.is_some_and(|seen| seen.same.contains(backup));
            begun
                && if entry.before.is_some() {
                    there && !back
                } else {
                    seen.is_some_and(|seen| seen.digest.is_some())
                }
        } else {
            entry.before.is_none() || self.backed_up || there
        };
        let must = must || self.companion_kept.contains(name);
        let message = "a companion that the application wrote in place is not put back";
        self.need(!must || self.put_back.contains(name), "undo-companion", message);
    }

    fn journal_goes(&mut self) {
        let names = &self.journal.names;
        let (label, nonce) = (&self.journal.label, &self.journal.nonce);
        self.journal_gone = true;
        self.need(
            self.dirty.is_empty(),
            "undo-flush",
            "the journal goes before what was undone is durable",
        );
        self.need(
            self.host,
            "undo-host",
            "the application is not asked to undo before the journal goes",
        );
        self.need(self.unlocked, "undo-unlock", "v1 stays locked");
        self.need(self.link_removed, "undo-link", "v1's second name stays after an undo");
        for base in [&names.source, &names.staging, &names.install] {
            let all = base.set().iter().all(|name| self.removed.contains(&At::from(name)));
            self.need(
                all,
                "undo-temporaries",
                &format!("{base} or a sidecar of it stays after an undo"),
            );
        }
        let tmp = At::from(&journal_tmp(&names.canonical, label, nonce));
        self.need(
            self.removed.contains(&tmp),
            "undo-temporaries",
            "a journal that was being written stays after an undo",
        );
        for companion in &self.journal.companions {
            let of = |name| At { companion: Some(companion.name.clone()), name };
            let backup = of(companion_backup(&companion.file, label, nonce));
            let tmp = of(companion_backup_tmp(&companion.file, label, nonce));
            let staged = of(companion_staged(&companion.file, nonce));
            let all = [backup, tmp, staged]
                .iter()
                .take(if self.field() { 1 } else { 3 })
                .all(|at| self.removed.contains(at));
            self.need(
                all,
                "undo-temporaries",
                "temporary files stay beside a companion after an undo",
            );
        }
        if self.journal.v1.as_ref().is_some_and(|v1| v1.journal_mode == JournalMode::Wal) {
            let message = "v1 does not get its WAL mode back, and the old application would meet \
                           \"database is locked\"";
            self.need(self.restored, "undo-restore-mode", message);
        }
    }
}

/// Nothing in the field's cutover: there staging stays until the companions are back.
fn installable(plan: &Plan, journal: &Journal) -> BTreeSet<At> {
    if journal.strategy == Strategy::TwoRename {
        return BTreeSet::new();
    }
    let checked = plan
        .steps
        .iter()
        .filter_map(|step| if let Op::Check { file } = &step.op { Some(file) } else { None });
    let known = journal.v2.as_ref().map(|v2| &v2.file);
    let files: BTreeSet<At> = checked.chain(known).map(At::from).collect();
    if files.is_empty() { [At::from(&journal.names.staging)].into() } else { files }
}

fn entry_was_missing(companion: Option<&Companion>) -> bool {
    companion.is_some_and(|companion| companion.before.is_none())
}
