//! Everything that outlives a process.

use sha2::{Digest as _, Sha256};

use crate::model::disk::{self, Disk, Key};
use cutover_core::page1::JournalMode;

#[expect(clippy::struct_excessive_bools, reason = "each is one fact, and they combine freely")]
/// What the world knows beside the disk: what was committed, by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// Rows of v1.
    pub rows: u8,
    /// Rows of v2 that the application committed once it was told that it may.
    pub v2_rows: u8,
    /// v2 was canonical for good.
    pub v2_durable: bool,
    /// The journal mode that its application counts on; nothing once another application has set
    /// its own.
    pub mode: Option<JournalMode>,
    /// Somebody changed the companion.
    pub companion_changed: bool,
    /// What they wrote must be somewhere: nobody but this project could have replaced it since.
    pub companion_owed: bool,
    /// The application did something outside the database that an undo must take back.
    pub host: bool,
    /// The application keeps what an undo would need, until it is told to clean up.
    pub kept: bool,
}

impl Ledger {
    /// Nothing happened yet; v1 has this many rows, and this mode.
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
    /// Equal keys: equal in everything that can matter later.
    #[must_use]
    pub fn key(&self) -> Key {
        let mut hash = Sha256::new();
        self.feed(&mut hash);
        disk::key_of(hash)
    }

    /// Feeds everything that can matter later into `hash`.
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
