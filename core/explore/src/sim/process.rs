//! What ends with a process: its locks, its open handles, and the fault that is planted in it.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::model::database::Db;
use crate::sim::faults::Planted;

/// What ends with the process.
#[derive(Debug, Clone, Default)]
pub struct Process {
    /// The file on which it has an exclusive lock.
    pub(crate) locked: Option<u16>,
    /// The files that its leaked connections hold open.
    pub(crate) zombies: BTreeSet<u16>,
    /// What v1 held when its log was emptied beside another connection. Every commit since then is
    /// noticed.
    pub(crate) witness: Option<Db>,
    /// The planted fault.
    pub fault: Option<Planted>,
    /// Whether it has observed the directory.
    pub(crate) looked: bool,
    /// The file of a connection that the application leaked before the first observation, and knows
    /// to be leaked.
    pub(crate) known: Option<u16>,
    /// The file that an older application opened by canonical's name, and keeps open.
    pub(crate) guest: Option<u16>,
    /// It opened a file that it had open by a leaked connection. On POSIX, closing it again drops
    /// the locks of that connection.
    pub(crate) dropped_locks: bool,
}

impl Process {
    /// Adds everything that can matter later to `hash`.
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
            hash.update(cutover_core::write_json(&fault.op));
            hash.update([fault.fail as u8, u8::from(fault.for_ever)]);
        }
    }
}
