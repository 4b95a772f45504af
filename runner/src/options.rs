//! What an application asks for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cutover_core::plan::From;
use cutover_core::run::BUDGET_MS;

use crate::lock::OwnerLock;

/// How v1 is told from v2. It must say "old" of v1 and "current" of v2: that is checked before v2
/// is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detect {
    /// A row that v2 has and v1 has not. A missing table or column means "old".
    Stamp {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The value, compared as text.
        value: String,
    },
    /// `PRAGMA user_version`: below is old, equal is current, above is newer.
    UserVersion(i32),
    /// [`crate::Host::detect`] says it.
    Host,
}

/// Who builds v2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Run {
    /// SQL that is executed on v2 in one transaction; v1 is attached read-only as `v1`.
    Sql(String),
    /// [`crate::Host::build`] does it.
    Host,
}

/// How v2 is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Make {
    /// From a new file, or from a copy of v1.
    pub from: From,
    /// By whom.
    pub run: Run,
}

/// How thoroughly v2 is checked before it is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Integrity {
    /// `PRAGMA quick_check`.
    #[default]
    Quick,
    /// `PRAGMA integrity_check`, which compares the indexes with their tables too.
    Full,
}

/// Who holds the owner lock.
#[derive(Debug, Clone, Default)]
pub enum Lock {
    /// Taken for the migration, then let go.
    #[default]
    Acquire,
    /// The caller took it with [`crate::lock`] and keeps it.
    Own(OwnerLock),
    /// The caller says that it holds an equivalent of its own.
    Held,
}

/// What is done where this process itself has the database open when the budget of waiting is used
/// up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Held {
    /// It is refused: a connection that lives cannot be told from one that was closed and not
    /// collected, and its commits would be lost. (Not on Windows: there v2 is copied into the
    /// database under it, and it sees v2.)
    #[default]
    Refuse,
    /// The caller knows that it is a zombie, and does not wait for it. The database moves to a file
    /// of its own first, so that the zombie holds one without a name, however the upgrade ends.
    /// Never beside the journal of an interrupted upgrade; on Windows as `Refuse`.
    Proceed,
}

/// What an application asks for.
#[derive(Debug, Clone)]
pub struct Options {
    /// The database. Symbolic links are resolved once, and v2 takes the place of the real file.
    pub path: PathBuf,
    /// Names this upgrade, for example `v1-v2`: 1 to 32 of `a-z`, `0-9` and `-`, neither first nor
    /// last a `-`. Part of the backup's name. Not `source`, `building`, `install`, `owner`,
    /// `cutover`, `displaced` or `aside`, which other names hold.
    pub label: String,
    /// How v1 is told from v2.
    pub detect: Detect,
    /// How v2 is made.
    pub make: Make,
    /// Whether [`crate::Host::verify`] looks at v2 before it is installed.
    pub verify: bool,
    /// Files outside the database that change with it, by a name of 1 to 32 letters, digits, `_`
    /// and `-`. Each is locked beside it (`<file>.cutover-lock`) until the call ends, whoever
    /// holds the owner lock: two data directories may share one. One whose directory is not
    /// there yet is not. What the build gives [`crate::Job::write_companion`] is installed with
    /// v2, durably. One that the build writes in place instead is put back by an undo, and is
    /// the build's to flush before it returns.
    pub companions: BTreeMap<String, PathBuf>,
    /// Who holds the owner lock.
    pub lock: Lock,
    /// What is done where this process has the database open. On Windows neither is needed: there
    /// v2 is copied into it, under whichever connection it is.
    pub held: Held,
    /// What all waits together may take, milliseconds.
    pub wait_ms: u64,
    /// How thoroughly v2 is checked.
    pub integrity: Integrity,
    /// How many whole backups stay, the newest, once a start has put v2 in place or cleaned up
    /// after one that had; nothing: all. See [`crate::prune_backups`].
    pub keep_backups: Option<u32>,
}

impl Options {
    /// The usual options: the owner lock is taken for the migration, waits take 10 s at most, and
    /// v2 gets a quick check.
    #[must_use]
    pub fn new(
        path: impl Into<PathBuf>,
        label: impl Into<String>,
        detect: Detect,
        make: Make,
    ) -> Self {
        Self {
            path: path.into(),
            label: label.into(),
            detect,
            make,
            verify: false,
            companions: BTreeMap::new(),
            lock: Lock::Acquire,
            held: Held::Refuse,
            wait_ms: BUDGET_MS,
            integrity: Integrity::Quick,
            keep_backups: None,
        }
    }
}

/// What work on backups needs beside the path.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// Files outside the database that changed with it, as the upgrade declared them.
    pub companions: BTreeMap<String, PathBuf>,
    /// Who holds the owner lock.
    pub lock: Lock,
    /// What all waits together may take, milliseconds.
    pub wait_ms: u64,
    /// How thoroughly what is restored is checked.
    pub integrity: Integrity,
}

impl Default for BackupOptions {
    fn default() -> Self {
        Self {
            companions: BTreeMap::new(),
            lock: Lock::Acquire,
            wait_ms: BUDGET_MS,
            integrity: Integrity::Quick,
        }
    }
}

impl BackupOptions {
    /// The same as options of an upgrade that is never made: nothing is detected, and nothing
    /// built.
    pub(crate) fn stand_in(&self, path: &Path, label: &str) -> Options {
        Options {
            companions: self.companions.clone(),
            lock: self.lock.clone(),
            wait_ms: self.wait_ms,
            integrity: self.integrity,
            ..Options::new(path, label, Detect::Host, Make { from: From::Empty, run: Run::Host })
        }
    }
}
