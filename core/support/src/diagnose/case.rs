//! What is known of a directory. A bundle and a folder are both judged as a case.

use std::collections::BTreeSet;

use crate::bundle::{Check, Content};
use crate::{DatabaseHeader, Shm, Wal, WalState};
use cutover_core::{FileName, Observation, Receipts, counted};

/// What is known of a directory.
pub(super) struct Case<'a> {
    pub observation: &'a Observation,
    pub receipts: &'a Receipts,
    pub header: Option<&'a DatabaseHeader>,
    pub wal: Option<&'a Wal>,
    pub shm: Option<&'a Shm>,
    pub check: &'a Check,
    pub content: Option<Content>,
    /// Of the companions that the receipts name, and their backups, the files that are there.
    pub beside: &'a BTreeSet<FileName>,
    /// Whether all files of the directory are known.
    pub whole: bool,
    /// The message of the last failure.
    pub last_error: Option<&'a str>,
    /// When the pages were read, in words. Nothing where that is now.
    pub at: Option<String>,
}

/// What a log holds, in one sentence.
pub(super) fn log(wal: &Wal) -> String {
    match (wal.state, wal.commits_not_checkpointed) {
        (WalState::Empty, _) => "The log is empty.".into(),
        (WalState::Unusable, _) => format!(
            "The log cannot be used: {}.",
            wal.why.as_deref().unwrap_or("its header is not valid")
        ),
        (WalState::Usable, 0) => "Every transaction of the log is in the database already.".into(),
        (WalState::Usable, commits) => {
            let commits = counted(commits, "committed transaction");
            format!(
                "The log holds {commits} that may not be in the database yet. Without the log they \
                 are lost."
            )
        }
    }
}

pub(super) fn bytes_of(observation: &Observation, name: &FileName) -> u64 {
    observation.files.get(name).map_or(0, |facts| facts.size)
}

/// Names, for a sentence. There may be many.
pub(super) fn names<'a>(names: impl Iterator<Item = &'a FileName>) -> String {
    const MOST: usize = 5;
    let all: Vec<&str> = names.map(FileName::as_str).collect();
    let told = all.iter().take(MOST).copied().collect::<Vec<_>>().join(", ");
    if all.len() > MOST { format!("{told} and {} more", all.len() - MOST) } else { told }
}
