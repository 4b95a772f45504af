//! Companions: backed up before the host runs, installed after the database, and nothing that somebody wrote is lost.

use super::Walk;
use crate::names::{At, CompanionName};

impl Walk<'_> {
    pub(super) fn companions_backed_up(&mut self) {
        for companion in self.journal.companions.iter().filter(|c| c.before.is_some()) {
            let backed_up = self.backed_up.contains(&companion.name) && !self.dirty.contains(&Some(companion.name.clone()));
            self.need(
                backed_up,
                "companion-backup",
                "v2 is built before a companion's backup is durable",
                "copy, flush, rename, and flush its directory first",
            );
        }
    }

    pub(super) fn companions_installed(&mut self) {
        for companion in &self.journal.companions {
            let name = Some(companion.name.clone());
            let installed = self.companion_installed.contains(&companion.name) && !self.dirty.contains(&name);
            self.need(
                installed,
                "companion-before-commit",
                "a staged companion is not installed, durably, before the commit",
                "install it, and flush its directory, first",
            );
        }
    }

    pub(super) fn link_companion(&mut self, from: &At) {
        self.companion_kept.extend(from.companion.clone());
        self.dirty.insert(from.companion.clone());
    }

    pub(super) fn look_companion(&mut self, companion: &CompanionName) {
        if self.flipped {
            self.companion_looked.insert(companion.clone());
        }
    }

    pub(super) fn rename_companion(&mut self, from: &At, to: &At, companion: &CompanionName) {
        if self.journal.companions.iter().any(|c| c.name == *companion && c.file == to.name) {
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
        } else if self.copied.contains(from) {
            self.backed_up.insert(companion.clone());
        }
    }
}
