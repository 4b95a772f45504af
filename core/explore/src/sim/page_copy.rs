//! A page copy into canonical, change by change: the rollback journal, its flush, half of the
//! pages, all pages, their flush, the journal's removal.

use crate::model::database::{Data, Db};
use crate::model::disk::{Content, HOME};
use crate::model::sqlite::{Seen, seen, sidecar};
use crate::sim::faults::os;
use crate::sim::machine::{Machine, Performed};
use cutover_core::{JournalMode, OpError, OpErrorKind, OpOutcome, Run};

impl Machine<'_> {
    /// The lock and the check are part of the copy: no process can act between them.
    pub(crate) fn page_copy(&mut self, from: &str, to: &str, run: &Run) -> Performed {
        self.exists(HOME, to)?;
        let ino = self.state.disk.ino(HOME, to);
        if self.state.disk.dirs[HOME].now.values().filter(|other| Some(**other) == ino).count() > 1
        {
            return Err(OpError::new(OpErrorKind::SecondName, "canonical has a second name"));
        }
        self.opens(to);
        self.roll_back(to);
        let known = run.journal().and_then(|journal| journal.v1.as_ref()).map(|v1| &v1.fingerprint);
        let now = self.facts(to, true).and_then(|facts| facts.fingerprint());
        if now.is_none() || now.as_ref() != known {
            return Err(OpError::new(OpErrorKind::V1Changed, "v1 changed"));
        }
        let (Seen::Db(v2), Some(v1)) = (seen(&self.state.disk, from), self.db(to)) else {
            return Err(os(self.scenario.platform, 2, 2));
        };
        // The file stays the same file, so its rollback journal and its log stay its own.
        let copied = Db { counter: v1.counter.wrapping_add(1), of: v1.of, ..v2 };
        if v1.mode == JournalMode::Wal {
            return self.copy_into_log(to, copied);
        }
        self.copy_pages(to, v1, copied);
        self.tick(|disk| disk.sync_file(HOME, to));
        self.tick(|disk| disk.unlink(HOME, &sidecar(to, "-journal")));
        Ok(OpOutcome::Plain)
    }

    /// Another connection keeps canonical in WAL mode. The pages are committed to its log, whose
    /// flush makes them durable, and are then checkpointed.
    fn copy_into_log(&mut self, to: &str, v2: Db) -> Performed {
        let now = seen(&self.state.disk, to);
        if self.process.witness.is_none_or(|then| now != Seen::Db(then)) {
            return Err(OpError::new(OpErrorKind::V1Changed, "v1 changed"));
        }
        let wal = sidecar(to, "-wal");
        self.tick(|disk| disk.ensure(HOME, &wal));
        self.tick(|disk| disk.ensure(HOME, &sidecar(to, "-shm")));
        // SQLite ignores frames without a commit.
        self.tick(|disk| disk.write(HOME, &wal, Content::Torn));
        self.tick(|disk| disk.write(HOME, &wal, Content::Wal(v2)));
        self.tick(|disk| disk.sync_file(HOME, &wal));
        self.tick(|disk| disk.write(HOME, to, Content::Db(v2)));
        self.tick(|disk| disk.sync_file(HOME, to));
        self.tick(|disk| disk.write(HOME, &wal, Content::Empty));
        Ok(OpOutcome::Plain)
    }

    /// Copies the pages. The commit is their flush and the journal's removal, which follow.
    fn copy_pages(&mut self, to: &str, v1: Db, v2: Db) {
        self.half_copy(to, v1, v2);
        self.tick(|disk| disk.write(HOME, to, Content::Db(v2)));
    }

    fn half_copy(&mut self, to: &str, v1: Db, v2: Db) {
        let journal = sidecar(to, "-journal");
        self.tick(|disk| disk.ensure(HOME, &journal));
        self.tick(|disk| disk.write(HOME, &journal, Content::Hot(v1)));
        self.tick(|disk| disk.sync_file(HOME, &journal));
        self.sync_dir(HOME);
        self.tick(|disk| disk.write(HOME, to, Content::Db(Db { data: Data::Half, ..v2 })));
    }

    /// The disk fails half-way, and SQLite cannot roll back.
    pub(crate) fn fails_in_page_copy(&mut self, to: &str) {
        if let Some(v1) = self.db(to) {
            self.half_copy(to, v1, Db { counter: v1.counter.wrapping_add(1), ..v1 });
        }
    }
}
