//! How a plan ends: what is removed, and what must have happened by then.

use super::Walk;
use crate::names::At;
use crate::plan::{Plan, PlanKind};
use crate::validate::Severity;

impl Walk<'_> {
    pub(super) fn remove(&mut self, files: &[At]) {
        let names = &self.journal.names;
        if files.contains(&At::from(&self.journal.file())) {
            let durable = !self.dirty.contains(&None);
            self.need(
                durable,
                "flush-before-journal-goes",
                "the journal is removed before what precedes it is durable",
                "flush the directory first",
            );
            if self.kind != PlanKind::Undo {
                self.need(
                    self.receipt,
                    "receipt-before-commit",
                    "the journal goes and no receipt stays",
                    "write and flush the receipt first",
                );
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
                    let clean = self.companion_cleaned.contains(&companion.name)
                        && !self.dirty.contains(&name);
                    self.need(
                        clean,
                        "temporaries-removed",
                        "temporary files may stay beside a companion",
                        "remove them, and flush its directory, first",
                    );
                }
                let left: Vec<String> = self.temporaries.iter().map(ToString::to_string).collect();
                if !left.is_empty() {
                    let message = format!(
                        "the journal goes while temporary files may stay: {}",
                        left.join(", ")
                    );
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
        for file in files {
            let temporary = file.companion.is_some() || self.temporaries.remove(&file.name);
            // What the host was given of v1 makes room for v1's own copy.
            let room =
                self.copies_pages() && !self.flipped && names.source.set().contains(&file.name);
            if temporary && !room && self.kind != PlanKind::Undo {
                self.committed("a temporary file is removed");
            }
            if file.companion.is_none() {
                self.taken.remove(&file.name);
                self.sidecars.remove(&file.name);
                self.receipt &= file.name != names.receipt();
                self.linked &= file.name != names.backup;
            }
            self.companion_cleaned.extend(file.companion.clone());
            self.dirty.insert(file.companion.clone());
            self.unsynced.remove(file);
        }
    }

    /// What must have happened by the end of the steps.
    pub(super) fn end(&mut self, plan: &Plan) {
        self.index = plan.steps.len();
        let installs = matches!(plan.kind, PlanKind::Migrate | PlanKind::Finish);
        if installs {
            self.need(
                self.absent || plan.flip_at.is_none(),
                "sidecars-absent",
                "nothing proves, after the flip, that no sidecar of v1 stands beside v2",
                "read the sidecars back after the flip",
            );
            self.need(
                !self.locked,
                "lock-and-check",
                "v1 stays locked",
                "unlock v1 after the flip",
            );
        }
        let back = !self.put_back || !self.dirty.contains(&None);
        self.need(
            back,
            "undo-give-back",
            "the undo begins before v1 has canonical's name again, durably",
            "flush the directory first",
        );
        if plan.kind != PlanKind::Undo {
            // What is set aside has a plan of its own; the next one goes on from the journal.
            self.need(
                self.journal_gone || self.moved_aside,
                "journal-last",
                "the journal stays: every start would recover again",
                "remove the journal last",
            );
            if self.dirty.contains(&None) {
                self.find(
                    "last-flush",
                    Severity::Warning,
                    "the journal's removal is not flushed: the next start may clean up again",
                    "flush the directory last",
                );
            }
        }
    }
}
