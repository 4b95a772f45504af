//! What dies with a process: its locks, its open handles, and the fault that waits for it.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::model::database::Db;
use crate::sim::faults::Planted;

/// What dies with the process.
#[derive(Debug, Clone, Default)]
pub struct Process {
    /// The file whose exclusive lock it holds.
    pub(crate) locked: Option<u16>,
    /// The files that it holds open beyond its will.
    pub(crate) zombies: BTreeSet<u16>,
    /// What v1 held when its log was emptied beside whoever has it open. Every commit since is
    /// seen.
    pub(crate) witness: Option<Db>,
    /// What will fail.
    pub fault: Option<Planted>,
    /// Whether it has looked.
    pub(crate) looked: bool,
    /// The file that the application had open before the first look, by a connection that it knows
    /// to be a zombie.
    pub(crate) known: Option<u16>,
    /// The file that an older application has opened by canonical's name, and keeps open.
    pub(crate) guest: Option<u16>,
    /// It opened a file that it held already: on POSIX that drops the locks of the connection that
    /// holds it.
    pub(crate) dropped_locks: bool,
}

impl Process {
    /// Feeds everything that can matter later into `hash`.
    pub fn feed(&self, hash: &mut Sha256) {
        hash.update([0xfd]);
        hash.update([u8::from(self.looked)]);
        for ino in
            self.locked.iter().chain(&self.known).chain([&u16::MAX]).chain(self.zombies.iter())
        {
            hash.update(ino.to_le_bytes());
        }
        hash.update(self.guest.unwrap_or_default().to_le_bytes());
        if let Some(db) = &self.witness {
            hash.update(db.code());
        }
        if let Some(fault) = self.fault.as_ref().filter(|fault| !fault.spent) {
            hash.update(cutover_core::journal::write_json(&fault.op));
            hash.update([fault.fail as u8, u8::from(fault.for_ever)]);
        }
    }
}
