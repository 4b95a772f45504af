//! Flips that are known to be wrong. The design counted their states by hand, and the explorer must
//! count as many.
//!
//! The states that a power loss leaves are judged before any recovery: canonical must be a whole v1
//! or a whole v2, and all of v1 must be reachable.

use crate::check;
use crate::model::database::{Data, Db};
use crate::model::disk::{Content, Disk, HOME};
use crate::model::power_loss::Model;
use crate::model::state::{Ledger, State};
use crate::scenario::Scenario;
use cutover_core::JournalMode;

/// A flip that cutover does not perform, and the one that it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flip {
    /// The legacy flip: canonical to the backup, then its log, then staging to canonical. v1 has
    /// rows in its log.
    TwoRenameLiveLog,
    /// The legacy flip of a settled v1.
    TwoRenameSettled,
    /// A hard link and a rename, without a flush between them.
    LinkReplaceUnflushed,
    /// A hard link, a directory fsync, a rename: what cutover does.
    LinkReplace,
}

/// How many states a power loss in this flip leaves, and how many of them are bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Distinct states.
    pub states: usize,
    /// States that break an invariant.
    pub bad: usize,
}

/// What the design counted by hand: changes in order (M1), and in any order (M2).
pub const NEGATIVE_CONTROLS: [(Flip, &str, Count, Count); 4] = [
    (
        Flip::TwoRenameLiveLog,
        "the legacy two renames, v1 with a live log",
        Count { states: 4, bad: 2 },
        Count { states: 8, bad: 6 },
    ),
    (
        Flip::TwoRenameSettled,
        "two renames, v1 settled",
        Count { states: 3, bad: 1 },
        Count { states: 4, bad: 2 },
    ),
    (
        Flip::LinkReplaceUnflushed,
        "link and replace, not flushed between",
        Count { states: 3, bad: 0 },
        Count { states: 4, bad: 1 },
    ),
    (
        Flip::LinkReplace,
        "link, flush, replace",
        Count { states: 2, bad: 0 },
        Count { states: 2, bad: 0 },
    ),
];

/// Counts the states of a flip under a model.
#[must_use]
pub fn count_flip(scenario: &Scenario, flip: Flip, model: Model) -> Count {
    let name = scenario.canonical.as_str();
    let (staging, backup) =
        (format!("{name}.building-00000001"), format!("{name}.v1-v2-1000-00000001"));
    let live = flip == Flip::TwoRenameLiveLog;
    let mode = if live { JournalMode::Wal } else { JournalMode::Delete };
    let mut disk = Disk::default();
    disk.seed(HOME, name, Content::Db(Db::v1(0, mode)));
    if live {
        disk.seed(HOME, &format!("{name}-wal"), Content::Wal(Db::v1(1, mode)));
    }
    let rows = u8::from(live);
    disk.seed(
        HOME,
        &staging,
        Content::Db(Db { data: Data::V2 { of: rows, rows: 0 }, mode, counter: 1, of: 3 }),
    );
    match flip {
        Flip::TwoRenameLiveLog | Flip::TwoRenameSettled => {
            disk.rename(HOME, name, &backup);
            disk.rename(HOME, &format!("{name}-wal"), &format!("{backup}-wal"));
            disk.rename(HOME, &staging, name);
        }
        Flip::LinkReplaceUnflushed | Flip::LinkReplace => {
            disk.link(HOME, name, &backup);
            if flip == Flip::LinkReplace {
                disk.sync_dir(HOME);
            }
            disk.rename(HOME, &staging, name);
        }
    }
    let states = disk.power_losses(model);
    let judged = |disk: &Disk| {
        check::at_every_instant(
            &State { disk: disk.clone(), ledger: Ledger::of(rows, mode) },
            scenario,
        )
        .is_some()
    };
    Count { states: states.len(), bad: states.iter().filter(|disk| judged(disk)).count() }
}
