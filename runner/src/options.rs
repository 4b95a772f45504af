//! What an application asks for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cutover_core::plan::BuildFrom;
use cutover_core::run::BUDGET_MS;

use crate::lock::OwnerLock;
use crate::types::{BuildBy, Detect, Held, Integrity, Make};

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
            ..Options::new(
                path,
                label,
                Detect::Host,
                Make { from: BuildFrom::Empty, run: BuildBy::Host },
            )
        }
    }
}
