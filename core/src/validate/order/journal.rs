//! The journal comes first, and nothing outruns what it, or the disk, does not hold durably.

use super::Walk;
use crate::journal::Phase;
use crate::names::{At, CompanionName, FileName};
use crate::op::{Op, Step};
use crate::plan::PlanKind;
use crate::validate::Severity;

impl Walk<'_> {
    /// What holds of every step, whatever it does.
    pub(super) fn any(&mut self, step: &Step) {
        if self.kind != PlanKind::Migrate
            && self.index == 0
            && !matches!(step.op, Op::SyncDir { companion: None })
        {
            self.find(
                "recovery-flush-first",
                Severity::Error,
                "a recovery acts on what it sees before that is durable",
                "flush the directory first",
            );
        }
        let acts = match &step.op {
            Op::SyncDir { .. } => None,
            op => op.companion().map(|companion| Some(companion.clone())),
        };
        if acts.is_some_and(|directory| self.unseen.contains(&directory)) {
            self.find(
                "recovery-flush-first",
                Severity::Error,
                "a recovery acts on what it sees of a companion before that is durable",
                "flush the companion's directory first",
            );
        }
        if self.journal_gone && !matches!(step.op, Op::SyncDir { companion: None }) {
            self.need(
                false,
                "journal-last",
                "something is done after the journal is gone",
                "remove the journal last",
            );
        }
        // A renamed journal is flushed before anything else.
        if let Some((phase, false)) = self.phase
            && !matches!(step.op, Op::SyncDir { companion: None })
        {
            let message = format!(
                "the journal says `{}`, but not durably, when this is done",
                phase.as_str()
            );
            self.need(
                false,
                "journal-durable",
                &message,
                "flush the directory right after the journal's rename",
            );
            self.phase = Some((phase, true));
        }
    }

    fn durable(&self, phase: Phase) -> bool {
        self.phase.is_some_and(|(now, durable)| now >= phase && durable)
    }

    pub(super) fn begun(&mut self, what: &str) {
        let begun = self.durable(Phase::Building);
        let message = format!(
            "{what} before the journal says `building`, durably: a crash would leave what nobody \
             knows of"
        );
        self.need(
            begun,
            "journal-first",
            &message,
            "write, flush and rename the journal, then flush the directory, before it",
        );
    }

    pub(super) fn built(&mut self, message: &str, hint: &str) {
        self.need(self.durable(Phase::Built), "built-before-flip", message, hint);
    }

    pub(super) fn committed(&mut self, what: &str) {
        // The field's journal is never written again: it stays until everything else is done.
        let committed = self.durable(Phase::Committed) || (self.field() && self.flip_durable);
        let message = format!("{what} before the journal says committed, durably");
        self.need(
            committed,
            "commit-before-clean-up",
            &message,
            "write the journal committed first",
        );
    }

    pub(super) fn write_journal(&mut self, file: &FileName, phase: Phase) {
        let names = &self.journal.names;
        if phase == Phase::Committed {
            self.nobody_behind();
            self.need(
                self.flipped && self.receipt,
                "receipt-before-commit",
                "the journal says committed before the receipt is written and flushed",
                "write and flush the receipt first",
            );
        }
        if phase == Phase::Installing {
            self.installing();
        }
        if phase == Phase::Built {
            self.need(
                !self.unsynced.iter().any(|at| {
                    names.install.as_str() == at.name.as_str()
                        || names.staging.as_str() == at.name.as_str()
                }),
                "flush-before-built",
                "the journal says built before v2's data is durable",
                "flush the file that will be installed first",
            );
            let staged = if self.temporaries.contains(&names.install) {
                &names.install
            } else {
                &names.staging
            };
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
        self.create(file);
        self.written = Some(phase);
        self.unsynced.insert(file.into());
        self.dirty.insert(None);
    }

    pub(super) fn create(&mut self, file: &FileName) {
        let free = self.taken.insert(file.clone());
        let message =
            format!("{file} is created and may be there already: every start would fail here");
        self.need(free, "left-over", &message, "remove what is left of it first");
    }

    pub(super) fn journal_renamed(&mut self) {
        if let Some(phase) = self.written {
            self.phase = Some((phase, false));
        }
        let file = At::from(&self.journal.file());
        self.unsynced.remove(&file);
    }

    pub(super) fn write_receipt(&mut self, file: &FileName) {
        self.after_flip("a receipt is written");
        self.v1_read_back("a receipt is written");
        self.companions_installed();
        self.create(file);
        self.unsynced.insert(file.into());
        self.dirty.insert(None);
    }

    pub(super) fn sync_file(&mut self, file: &At) {
        if *file == At::from(&self.journal.names.canonical.sidecars()[0]) {
            self.in_the_log = false;
        }
        // A flush of what was not written proves nothing.
        if self.unsynced.remove(file) && *file == At::from(&self.journal.names.receipt()) {
            self.receipt = true;
        }
    }

    pub(super) fn sync_dir(&mut self, companion: Option<&CompanionName>) {
        self.dirty.remove(&companion.cloned());
        self.unseen.remove(&companion.cloned());
        if companion.is_none() {
            self.flip_durable |= self.flipped;
            self.backup_pending = false;
            if let Some((_, durable)) = &mut self.phase {
                *durable = true;
            }
        }
    }
}
