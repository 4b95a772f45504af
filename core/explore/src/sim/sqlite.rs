//! What SQLite does to a database and its sidecars, change by change.

use crate::model::database::{Data, Db};
use crate::model::disk::{Content, HOME};
use crate::model::sqlite::{Seen, seen, sidecar};
use crate::sim::faults::os;
use crate::sim::machine::Machine;
use cutover_core::{FileFacts, JournalMode, OpError, OpErrorKind};

impl Machine<'_> {
    /// A commit in rollback mode.
    pub(crate) fn transaction(&mut self, name: &str, to: Db, flush: bool) {
        let journal = sidecar(name, "-journal");
        let before = self.state.disk.get(HOME, name).cloned().unwrap_or(Content::Empty);
        self.tick(|disk| disk.ensure(HOME, &journal));
        if let Content::Db(before) = before {
            self.tick(|disk| disk.write(HOME, &journal, Content::Hot(before)));
        }
        if flush {
            self.tick(|disk| disk.sync_file(HOME, &journal));
            self.sync_dir(HOME);
        }
        self.tick(|disk| disk.write(HOME, name, Content::Db(to)));
        if flush {
            self.tick(|disk| disk.sync_file(HOME, name));
        }
        self.tick(|disk| disk.unlink(HOME, &journal));
    }

    /// The first read of a read-write connection rolls a hot rollback journal back.
    pub(crate) fn roll_back(&mut self, name: &str) {
        let journal = sidecar(name, "-journal");
        if let (Some(Content::Hot(_)), Seen::Db(db)) =
            (self.state.disk.get(HOME, &journal), seen(&self.state.disk, name))
        {
            self.tick(|disk| disk.write(HOME, name, Content::Db(db)));
            self.tick(|disk| disk.sync_file(HOME, name));
        }
        if self.state.disk.get(HOME, &journal).is_some() {
            self.tick(|disk| disk.unlink(HOME, &journal));
        }
    }

    pub(crate) fn empty_log(&mut self, name: &str, flush: bool) {
        let wal = sidecar(name, "-wal");
        if let (Some(Content::Wal(_)), Seen::Db(db)) =
            (self.state.disk.get(HOME, &wal), seen(&self.state.disk, name))
        {
            self.tick(|disk| disk.write(HOME, name, Content::Db(db)));
            if flush {
                self.tick(|disk| disk.sync_file(HOME, name));
            }
            self.tick(|disk| disk.write(HOME, &wal, Content::Empty));
        }
    }

    pub(crate) fn remove_log(&mut self, name: &str) {
        for suffix in ["-wal", "-shm"] {
            let name = sidecar(name, suffix);
            if self.state.disk.ino(HOME, &name).is_some() {
                self.tick(|disk| disk.unlink(HOME, &name));
            }
        }
    }

    pub(crate) fn set_mode(&mut self, name: &str, mode: JournalMode, flush: bool) {
        if let Some(db) = self.db(name) {
            self.transaction(name, Db { mode, counter: db.counter.wrapping_add(1), ..db }, flush);
        }
    }

    /// Opens and reads.
    fn begin(&mut self, name: &str) -> Result<Db, OpError> {
        self.opens(name);
        self.roll_back(name);
        match seen(&self.state.disk, name) {
            Seen::Db(Db { data: Data::Damaged | Data::Half | Data::Mixed, .. }) => {
                Err(OpError::new(OpErrorKind::V1Corrupt, "malformed"))
            }
            Seen::Db(db) => Ok(db),
            Seen::Nothing | Seen::NotADatabase => {
                Err(OpError::new(OpErrorKind::NotADatabase, "not a database"))
            }
        }
    }

    fn open_log(&mut self, name: &str) {
        for suffix in ["-wal", "-shm"] {
            self.tick(|disk| disk.ensure(HOME, &sidecar(name, suffix)));
        }
    }

    /// Empties the log of a database that another connection keeps in WAL mode, and begins to watch
    /// for commits.
    pub(crate) fn settle_held(&mut self, name: &str) -> Result<FileFacts, OpError> {
        self.process.witness = None;
        let db = self.begin(name)?;
        self.open_log(name);
        self.empty_log(name, true);
        self.process.witness = Some(db);
        self.facts(name, true).ok_or_else(|| os(self.scenario.platform, 2, 2))
    }

    /// Opens and reads the database, leaves WAL mode, sets the mode, closes and reads back.
    pub(crate) fn settle(
        &mut self,
        name: &str,
        mode: JournalMode,
        flush: bool,
    ) -> Result<FileFacts, OpError> {
        self.begin(name)?;
        let wal = sidecar(name, "-wal");
        if self.db(name).is_some_and(|db| db.mode == JournalMode::Wal)
            || self.state.disk.ino(HOME, &wal).is_some()
        {
            // SQLite leaves WAL mode only for the sole connection.
            if self.process.guest.is_some() && self.process.guest == self.state.disk.ino(HOME, name)
            {
                return Err(OpError::new(
                    OpErrorKind::Busy,
                    "another connection keeps the database in WAL mode",
                ));
            }
            self.open_log(name);
            self.empty_log(name, flush);
            self.remove_log(name);
            self.set_mode(name, JournalMode::Delete, flush);
        }
        self.remove_log(name);
        if mode == JournalMode::Wal {
            self.set_mode(name, mode, flush);
        }
        self.facts(name, true).ok_or_else(|| os(self.scenario.platform, 2, 2))
    }

    /// Closes the last connection to a database.
    pub(crate) fn close(&mut self, name: &str) {
        if self.db(name).is_some_and(|db| db.mode == JournalMode::Wal) {
            self.empty_log(name, true);
            self.remove_log(name);
        }
    }
}
