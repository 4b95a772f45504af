//! What is known of a directory. A bundle and a folder are both judged as a case.

use crate::bundle::Check;
use crate::{DatabaseHeader, Wal, WalState};
use cutover_core::{Observation, Receipts, counted};

/// What is known of a directory.
pub(super) struct Case<'a> {
    pub observation: &'a Observation,
    pub receipts: &'a Receipts,
    pub header: Option<&'a DatabaseHeader>,
    pub wal: Option<&'a Wal>,
    pub check: &'a Check,
    /// Whether all files of the directory are known.
    pub whole: bool,
    /// The message of the last failure.
    pub last_error: Option<&'a str>,
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
