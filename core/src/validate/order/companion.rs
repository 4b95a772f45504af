//! Companions: backed up before the host runs, installed after the database, and nothing that
//! somebody wrote is lost.

use super::Walk;
use crate::names::{At, CompanionName};
use crate::plan::PlanKind;
use crate::validate::Severity;

impl Walk<'_> {
    pub(super) fn companions_backed_up(&mut self) {
        for companion in self.journal.companions.iter().filter(|c| c.before.is_some()) {
            let backed_up = self.backed_up.contains(&companion.name)
                && !self.dirty.contains(&Some(companion.name.clone()));
            self.need(
                backed_up,
                "companion-backup",
                "v2 is built before a companion's backup is durable",
                "copy, flush, rename, and flush its directory first",
            );
        }
    }

    /// Before the flip: what the host staged was made from the companion as it was when the build
    /// began.
    pub(super) fn companions_compared(&mut self) {
        let compared = self
            .journal
            .companions
            .iter()
            .all(|companion| self.companion_same.contains(&companion.name));
        if !compared {
            self.find(
                "companion-same",
                Severity::Warning,
                "a companion that somebody changed since the build began is not noticed before \
                 the flip: what was staged lacks the change",
                "compare it with the journal before the flip",
            );
        }
    }

    /// A migration installs all of them; a recovery those that it looks at, which are the ones that
    /// are still staged.
    pub(super) fn companions_installed(&mut self) {
        for companion in &self.journal.companions {
            let must =
                self.kind == PlanKind::Migrate || self.companion_looked.contains(&companion.name);
            let name = Some(companion.name.clone());
            let installed =
                self.companion_installed.contains(&companion.name) && !self.dirty.contains(&name);
            self.need(
                !must || installed,
                "companion-before-commit",
                "a staged companion is not installed, durably, before the commit",
                "install it, and flush its directory, first",
            );
        }
    }

    /// Kept under another name, by a link or by a rename.
    pub(super) fn keep_companion(&mut self, from: &At) {
        let Some(companion) = &from.companion else { return };
        self.need(
            self.companion_looked.contains(companion),
            "companion-kept",
            "a companion is kept without a look, after the flip, whether somebody changed it",
            "look at it after the flip, before it is kept",
        );
        self.companion_kept.insert(companion.clone());
        self.dirty.insert(from.companion.clone());
    }

    pub(super) fn look_companion(&mut self, companion: &CompanionName, must_be_same: bool) {
        if must_be_same {
            self.companion_same.insert(companion.clone());
        } else if self.flipped {
            self.nobody_behind();
            self.companion_looked.insert(companion.clone());
        }
    }

    pub(super) fn rename_companion(&mut self, from: &At, to: &At, companion: &CompanionName) {
        let is_file = |at: &At| {
            self.journal.companions.iter().any(|c| c.name == *companion && c.file == at.name)
        };
        if is_file(to) {
            let message = "a companion is installed before v2 is canonical, durably";
            let ok = self.flipped && !self.dirty.contains(&None);
            self.need(
                ok,
                "companion-after-flip",
                message,
                "install companions after the flip and its flush",
            );
            self.v1_read_back("a companion is installed");
            let kept =
                self.companion_kept.contains(companion) && !self.dirty.contains(&to.companion);
            self.need(
                kept,
                "companion-kept",
                "a companion that somebody changed is overwritten",
                "look at it after the flip, link what changed to its displaced name, and flush",
            );
            self.companion_installed.insert(companion.clone());
        } else if is_file(from) {
            self.keep_companion(from);
        } else if self.copied.contains(from) {
            self.backed_up.insert(companion.clone());
        }
    }
}
