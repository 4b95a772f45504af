//! From v1's own copy, which is the backup, to v2's pages in canonical.

use super::Walk;
use crate::journal::{Phase, Strategy};
use crate::names::{At, FileName};

const HINT: &str = "keep the order: copy v1, flush, rename, flush, journal installing, look, copy \
                    v2's pages, flush";

impl Walk<'_> {
    pub(super) fn copies_pages(&self) -> bool {
        self.journal.strategy == Strategy::PageCopy
    }

    /// v1, through SQLite, to a name that no start takes for a backup.
    pub(super) fn copy_v1(&mut self, to: &FileName) {
        self.begun("v1 is copied");
        self.opens_v1("v1 is copied");
        self.need(
            self.settled,
            "settle-before-read",
            "v1 is copied before it is one file",
            "settle v1 first",
        );
        self.create(to);
        self.temporaries.insert(to.clone());
        self.unsynced.insert(to.into());
        self.dirty.insert(None);
        self.v1_copied = true;
        // It takes its time, as building does.
        self.looked = false;
    }

    pub(super) fn name_backup(&mut self) {
        let message = "a file that is no copy of v1 gets the backup's name";
        self.need(self.v1_copied, "backup-before-flip", message, HINT);
        self.linked = self.v1_copied;
        self.v1_copied = false;
        self.backup_pending = true;
    }

    pub(super) fn installing(&mut self) {
        self.built(
            "the journal says installing before it says built",
            "write the journal built first",
        );
        self.need(
            self.linked,
            "backup-before-flip",
            "the journal says installing before v1 has its backup",
            HINT,
        );
        self.need(
            !self.backup_pending,
            "backup-durable",
            "the journal says installing before the backup is durable",
            HINT,
        );
    }

    pub(super) fn page_copy(&mut self, from: &FileName) {
        self.opens_v1("v2 is copied into canonical");
        let said = self.phase.is_some_and(|(now, durable)| now == Phase::Installing && durable);
        let message = "v2 is copied into canonical before the journal says installing, durably";
        self.need(said, "installing-before-page-copy", message, HINT);
        self.need(
            self.linked,
            "backup-before-flip",
            "canonical is written to before v1 has its backup",
            HINT,
        );
        self.need(
            !self.backup_pending,
            "backup-durable",
            "canonical is written to before the backup is durable",
            HINT,
        );
        self.companions_compared();
        self.installs(&At::from(from));
        // Its own journal is the only sidecar there is: the copy is one transaction of SQLite over
        // v1's own.
        self.absent = true;
    }
}
