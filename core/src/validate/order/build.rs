//! From a v1 that is one file to a v2 that is checked.

use super::Walk;
use crate::names::{At, FileName};
use crate::op::{Guard, Op};
use crate::validate::Severity;

impl Walk<'_> {
    pub(super) fn look(&mut self, file: &FileName) {
        if !self.released {
            self.find(
                "release",
                Severity::Warning,
                "the host is not asked to let go of handles before the look who holds them: v2 \
                 may be copied, or refused, for nothing",
                "release handles right after the host's build",
            );
            self.released = true;
        }
        self.looked |= *file == self.journal.names.canonical;
        // Where a failure is a warning the start ends well all the same.
        let ends_it = self.index < self.cleanup_from;
        self.looked_behind |=
            *file == self.journal.names.backup && !self.locked && self.flipped && ends_it;
        self.looked_staging |= *file == self.journal.names.staging;
    }

    /// A callback may open v1, and v2 as the application does, which changes it.
    pub(super) fn verify(&mut self, file: &FileName) {
        self.looked = false;
        self.unsynced.insert(file.into());
    }

    pub(super) fn opens_v1(&mut self, what: &str) {
        let message = format!(
            "{what} without a look who has it open: opening a file that this process holds drops \
             that connection's locks"
        );
        self.need(
            self.looked,
            "look-before-open",
            &message,
            "look at canonical first, and again after every callback of the host",
        );
    }

    fn changed(&mut self, file: &FileName) {
        self.one_file.remove(file);
        self.checked.remove(file);
        self.detected.remove(file);
        self.unsynced.insert(file.into());
        self.dirty.insert(None);
    }

    pub(super) fn copy(&mut self, from: &At, to: &At) {
        self.begun("a file is copied");
        if from.companion.is_none() {
            self.need(
                self.settled,
                "settle-before-read",
                "v1 is copied before it is one file",
                "settle v1 first",
            );
            self.create(&to.name);
            self.temporaries.insert(to.name.clone());
        } else {
            self.unsynced.insert(to.clone());
            self.copied.insert(to.clone());
        }
        self.dirty.insert(to.companion.clone());
    }

    pub(super) fn settle(&mut self, file: &FileName, when: Option<&Guard>) {
        let names = &self.journal.names;
        self.begun("a database is settled");
        if *file == names.canonical {
            self.opens_v1("v1 is settled");
            self.settled = true;
        } else if *file == names.backup {
            self.need(
                !self.dirty.contains(&None),
                "settle-backup",
                "v1 is settled in the backup before its sidecars are there for good",
                "move them, and flush the directory, first",
            );
            self.backup_settled = true;
        } else {
            if when == Some(&Guard::StagingFree {}) {
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

    pub(super) fn build(&mut self, op: &Op, staging: &FileName) {
        self.begun("v2 is built");
        self.need(
            self.settled,
            "settle-before-read",
            "v2 is built before v1 is one file: rows in its -wal could be missed",
            "settle v1 first",
        );
        self.companions_backed_up();
        if let Op::BuildHost { source, .. } = op {
            self.need(
                self.temporaries.contains(source),
                "source",
                "the host's copy of v1 is not made",
                "copy v1 to it first",
            );
            self.host_built = true;
            self.looked_staging = false;
            self.released = false;
        }
        // Building takes its time, and the application may open v1 meanwhile.
        self.looked = false;
        self.built = true;
        self.taken.insert(staging.clone());
        self.temporaries.insert(staging.clone());
        self.changed(staging);
    }

    pub(super) fn restage(&mut self, to: &FileName) {
        self.need(
            self.looked_staging,
            "look-at-staging",
            "staging is copied without a look who holds it",
            "look at staging after the host's build",
        );
        self.create(to);
        self.temporaries.insert(to.clone());
        self.changed(to);
        self.one_file.insert(to.clone());
        self.restaged = true;
    }

    pub(super) fn rename_to_install(&mut self, when: Option<&Guard>) {
        let names = &self.journal.names;
        if when != Some(&Guard::StagingFree {}) {
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
    }

    pub(super) fn check(&mut self, file: &FileName) {
        self.need(
            self.one_file.contains(file),
            "settle-before-check",
            "v2 is checked before it is one file",
            "settle it, or restage it, first",
        );
        self.checked.insert(file.clone());
        // As building does.
        self.looked = false;
    }
}
