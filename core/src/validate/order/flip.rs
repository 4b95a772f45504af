//! From v1 locked and checked to v2 canonical, durably.

use super::Walk;
use crate::journal::Phase;
use crate::names::{At, FileName, displaced};
use crate::op::Guard;

impl Walk<'_> {
    pub(super) fn lock(&mut self) {
        self.opens_v1("v1 is locked");
        self.built("v1 is locked before the journal says built", "write the journal first");
        self.locked = true;
    }

    pub(super) fn check_v1(&mut self, file: &FileName) {
        self.need(
            self.locked,
            "lock-and-check",
            "v1 is checked before it is locked: it could change after",
            "lock v1 first",
        );
        if *file == self.journal.names.backup {
            self.read_back = true;
        } else {
            self.v1_checked = true;
        }
    }

    /// Where v1's lock cannot outlast its check.
    pub(super) fn v1_read_back(&mut self, what: &str) {
        let message = format!(
            "{what} before v1 was compared again: what was written to it until it was replaced \
             would be lost"
        );
        self.need(
            self.read_back,
            "v1-read-back",
            &message,
            "compare v1, which is the backup then, right after the flip",
        );
    }

    /// Not a flip: v1, which is the backup, over a v2 that nobody uses. Whether that is so, only
    /// the directory can tell.
    pub(super) fn put_back(&mut self, when: Option<&Guard>) {
        let unused = self.journal.phase == Phase::Built && when.is_none();
        let message = "v1 is put back over a v2 that may be in use, or only under a condition";
        self.need(unused, "put-back", message, "put v1 back only while the journal says built");
        self.put_back = true;
    }

    pub(super) fn unlock(&mut self) {
        self.need(
            self.flipped,
            "lock-and-check",
            "v1 is unlocked before it is replaced: it could change after its check",
            "unlock v1 after the flip",
        );
        self.locked = false;
    }

    /// After the look may come a wait, while which anything but v2 may change.
    pub(super) fn nobody_behind(&mut self) {
        let message = "nobody looks, while the start can fail, who still has v1 open: they would \
                       write to v2's log";
        self.need(
            self.looked_behind,
            "look-after-flip",
            message,
            "look at the backup after v1 is unlocked",
        );
        self.looked_behind = true;
    }

    pub(super) fn link(&mut self, to: &At) {
        self.built("v1 is linked before the journal says built", "write the journal first");
        self.need(
            self.locked && self.v1_checked,
            "lock-and-check",
            "v1 is linked without having been locked and compared with its fingerprint",
            "lock and check v1 first",
        );
        let free = !self.taken.contains(&to.name);
        self.need(
            free,
            "left-over",
            "v1 is linked to a name that another file has: it would fail",
            "remove the second copy of v1 first",
        );
        self.linked |= *to == At::from(&self.journal.names.backup);
        self.dirty.insert(None);
    }

    pub(super) fn absent(&mut self, files: &[FileName]) {
        self.absent |=
            self.journal.names.canonical.sidecars().iter().all(|file| files.contains(file));
    }

    pub(super) fn flip(&mut self, from: &At) {
        let hint = "keep the order: lock, check, link, flush, read back, rename, read back, flush";
        if self.field() {
            let settled = self.backup_settled;
            self.need(
                settled,
                "settle-backup",
                "v2 is installed before v1 is one file in the backup",
                "settle the backup first",
            );
            self.no_sidecars("v2 is installed");
        } else {
            self.built("v2 is installed before the journal says built", hint);
            self.need(
                self.locked && self.v1_checked,
                "lock-and-check",
                "v1 is replaced without being locked since its check",
                hint,
            );
            self.need(
                self.linked,
                "backup-before-flip",
                "canonical is replaced before v1 has its backup's name",
                hint,
            );
            self.need(
                !self.dirty.contains(&None),
                "backup-durable",
                "canonical is replaced before the backup's name is durable",
                hint,
            );
            self.need(
                self.absent,
                "sidecars-absent",
                "nothing proves that no sidecar of v1 stands beside v2",
                hint,
            );
            self.companions_compared();
        }
        self.installs(from);
        self.absent = false;
    }

    /// What holds of the file that becomes canonical, whichever way it does.
    pub(super) fn installs(&mut self, from: &At) {
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
        self.temporaries.remove(&from.name);
        self.flipped = true;
        self.dirty.insert(None);
    }

    /// Only the directory itself can tell that a sidecar stands there.
    fn no_sidecars(&mut self, what: &str) {
        let left: Vec<String> = self.sidecars.iter().map(ToString::to_string).collect();
        if !left.is_empty() {
            let message = format!("{what} while this stays beside it: {}", left.join(", "));
            self.need(false, "sidecars-absent", &message, "move the sidecars first");
        }
    }

    /// A database that somebody made while v1 was moved away is set aside, its sidecars first: one
    /// that stayed would be taken for v1's.
    pub(super) fn move_aside(&mut self, from: &At, to: &At) {
        let canonical = &self.journal.names.canonical;
        let aside = displaced(canonical, &self.journal.nonce);
        if from.name == *canonical {
            self.moved_aside = true;
            self.sidecars.retain(|name| !name.as_str().ends_with("-shm"));
            self.no_sidecars("canonical is set aside");
            self.need(
                !self.dirty.contains(&None),
                "sidecars-absent",
                "canonical is set aside before its sidecar's new name is durable: one that comes \
                 back would be taken for v1's",
                "flush the directory between them",
            );
        } else if self.moved_aside && aside.sidecars().contains(&to.name) {
            self.need(
                false,
                "sidecars-absent",
                "canonical is set aside before its sidecar: a crash between would leave one that \
                 is taken for v1's",
                "move the sidecars first",
            );
        }
    }

    pub(super) fn after_flip(&mut self, what: &str) {
        let message = format!("{what} before v2 is canonical, durably");
        self.need(
            self.flip_durable,
            "flip-durable",
            &message,
            "flush the directory after the flip first",
        );
        self.need(
            !self.in_the_log,
            "flip-durable",
            &message,
            "flush canonical's log first, where a page copy may have committed it",
        );
    }
}
