//! What this process has found to be current. A process that lives on may upgrade again while a
//! leaked connection of its own has the database open. The database cannot be opened then, and need
//! not be if it is as it was found.
//!
//! A leaked connection writes nothing, so the database is as it was found if neither it, nor its log
//! or rollback journal changed. What is remembered is forgotten by any other change, and by a
//! restore.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use cutover_core::{FileName, Label, Role};

use crate::os;
use crate::place::Paths;
use crate::types::Detect;

/// How many databases are remembered; the oldest one is forgotten first.
const MOST: usize = 64;

static FOUND: Mutex<VecDeque<Found>> = Mutex::new(VecDeque::new());

#[derive(Debug)]
struct Found {
    database: PathBuf,
    key: Key,
    state: State,
}

/// Who found it: a database may be current for one upgrade and old for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub label: Label,
    pub detect: Detect,
    /// [`crate::Options::detect_id`].
    pub detect_id: Option<String>,
}

/// A database as its files are, without a look into them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    id: String,
    database: Change,
    /// A log or rollback journal without bytes holds nothing, and is as good as none.
    sidecars: [Option<Change>; 2],
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    bytes: u64,
    at: SystemTime,
}

impl State {
    /// `None` where there is no database, or the system does not tell when it was changed.
    pub(crate) fn of(place: &Paths) -> Option<Self> {
        let [database, wal, _, hot] = place.set(&place.canonical);
        let seen = |path: &Path| path.symlink_metadata().ok();
        let filled =
            |path: &Path| Change::of(&seen(path)?).filter(|change: &Change| change.bytes > 0);
        let metadata = seen(&database)?;
        Some(Self {
            id: os::known_file_id(&database, &metadata).ok()?,
            database: Change::of(&metadata)?,
            sidecars: [filled(&wal), filled(&hot)],
        })
    }
}

impl Change {
    fn of(metadata: &std::fs::Metadata) -> Option<Self> {
        Some(Self { bytes: metadata.len(), at: metadata.modified().ok()? })
    }
}

/// Remembers that `detect` says "current" of a database in this state. Not of a callback without an
/// id: the answer of one callback says nothing about another's. On Windows an open database can be
/// opened again, so nothing needs to be remembered.
pub(crate) fn remember(place: &Paths, key: Key, state: State) {
    if (key.detect == Detect::Host && key.detect_id.is_none()) || !os::OPENING_DROPS_LOCKS {
        return;
    }
    let database = place.path(&place.canonical);
    let mut all = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|found| !found.is(&database, &key));
    if all.len() >= MOST {
        all.pop_front();
    }
    all.push_back(Found { database, key, state });
}

/// Whether this process has found the database current, and its files are `now` as they were then.
/// [`has_journal`] tells whether an upgrade was begun since.
pub(crate) fn is_as_found(place: &Paths, key: &Key, now: Option<&State>) -> bool {
    let database = place.path(&place.canonical);
    let all = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let found = all.iter().find(|found| found.is(&database, key));
    found.is_some_and(|found| Some(&found.state) == now)
}

/// Forgets a database, which a restore is about to change.
pub(crate) fn forget(place: &Paths) {
    let (database, id) =
        (place.path(&place.canonical), os::file_id(&place.path(&place.canonical)).ok());
    let mut all = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|found| found.database != database && Some(&found.state.id) != id.as_ref());
}

impl Found {
    fn is(&self, database: &Path, key: &Key) -> bool {
        self.database == database && self.key == *key
    }
}

/// Whether the directory has the name of a journal. A directory that cannot be listed may have one.
pub(crate) fn has_journal(place: &Paths) -> bool {
    let is_one = |text: &str| {
        let name = FileName::new(text).ok().filter(|_| place.may_be_ours(text));
        matches!(
            name.and_then(|name| Role::of(&place.canonical, &place.spelled(name))),
            Some(Role::Journal(_) | Role::LegacyJournal | Role::JournalTmp(..))
        )
    };
    let Ok(entries) = std::fs::read_dir(&place.directory) else { return true };
    for entry in entries {
        let Ok(entry) = entry else { return true };
        if entry.file_name().to_str().is_some_and(is_one) {
            return true;
        }
    }
    false
}
