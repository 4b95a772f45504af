//! Everything that outlives a process.

use sha2::{Digest as _, Sha256};

use crate::model::disk::{self, Disk, Key};
use cutover_core::JournalMode;

#[expect(clippy::struct_excessive_bools, reason = "each is one fact, and they combine freely")]
/// What was committed and done, beside what the disk holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// Rows that were committed to v1.
    pub rows: u8,
    /// Rows that the application committed to v2 after it was told that v2 is canonical.
    pub v2_rows: u8,
    /// v2 was durably canonical.
    pub v2_durable: bool,
    /// The journal mode that the application expects of canonical. Nothing: another application has
    /// set its own.
    pub mode: Option<JournalMode>,
    /// Another program changed the companion.
    pub companion_changed: bool,
    /// What that program wrote must still exist: only cutover could have replaced it since.
    pub companion_owed: bool,
    /// The application did something outside the database, which an undo must revert.
    pub host: bool,
    /// The application keeps what an undo would need, until it is told to clean up.
    pub kept: bool,
}

impl Ledger {
    /// The ledger at the beginning, of a v1 with this many rows in this mode.
    #[must_use]
    pub fn of(rows: u8, mode: JournalMode) -> Self {
        Self {
            rows,
            v2_rows: 0,
            v2_durable: false,
            mode: Some(mode),
            companion_changed: false,
            companion_owed: false,
            host: false,
            kept: false,
        }
    }
}

/// The disk, and what was committed to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The disk.
    pub disk: Disk,
    /// What was committed.
    pub ledger: Ledger,
}

impl State {
    /// States with equal keys are equal for every later start.
    #[must_use]
    pub fn key(&self) -> Key {
        let mut hash = Sha256::new();
        self.feed(&mut hash);
        disk::key_of(hash)
    }

    /// Adds everything that a later start can notice to `hash`.
    pub fn feed(&self, hash: &mut Sha256) {
        self.disk.feed(hash);
        let ledger = &self.ledger;
        hash.update([ledger.rows, ledger.v2_rows]);
        let (any, wal) = (ledger.mode.is_none(), ledger.mode == Some(JournalMode::Wal));
        hash.update(
            [
                any,
                wal,
                ledger.v2_durable,
                ledger.companion_changed,
                ledger.companion_owed,
                ledger.host,
                ledger.kept,
            ]
            .map(u8::from),
        );
    }
}
