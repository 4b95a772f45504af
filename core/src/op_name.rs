//! The names of ops, as events and the types of the bindings have them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::op::Op;

/// What an event is about: the name of an op, or `lock`, for the locks beside the companions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::IntoStaticStr)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
#[allow(missing_docs, reason = "`Op` documents each")]
pub enum OpName {
    WriteJournal,
    WriteReceipt,
    SyncFile,
    SyncDir,
    Link,
    Rename,
    RenameNew,
    Remove,
    RemoveLink,
    Copy,
    Look,
    Release,
    Settle,
    RestoreMode,
    BuildSql,
    BuildHost,
    Restage,
    Isolate,
    Check,
    Detect,
    VerifyHost,
    LockV1,
    CheckPages,
    CheckV1,
    UnlockV1,
    PageCopy,
    Absent,
    LookCompanion,
    UndoHost,
    CleanupHost,
    // No op: the locks beside the companions, which a call takes before it plans.
    Lock,
}

impl OpName {
    /// The word in messages, in events and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl fmt::Display for OpName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq<str> for OpName {
    fn eq(&self, word: &str) -> bool {
        self.as_str() == word
    }
}

impl PartialEq<&str> for OpName {
    fn eq(&self, word: &&str) -> bool {
        self.as_str() == *word
    }
}

impl From<&Op> for OpName {
    fn from(op: &Op) -> Self {
        match op {
            Op::WriteJournal { .. } => Self::WriteJournal,
            Op::WriteReceipt { .. } => Self::WriteReceipt,
            Op::SyncFile { .. } => Self::SyncFile,
            Op::SyncDir { .. } => Self::SyncDir,
            Op::Link { .. } => Self::Link,
            Op::Rename { .. } => Self::Rename,
            Op::RenameNew { .. } => Self::RenameNew,
            Op::Remove { .. } => Self::Remove,
            Op::RemoveLink { .. } => Self::RemoveLink,
            Op::Copy { .. } => Self::Copy,
            Op::Look { .. } => Self::Look,
            Op::Release {} => Self::Release,
            Op::Settle { .. } => Self::Settle,
            Op::RestoreMode { .. } => Self::RestoreMode,
            Op::BuildSql { .. } => Self::BuildSql,
            Op::BuildHost { .. } => Self::BuildHost,
            Op::Restage { .. } => Self::Restage,
            Op::Isolate { .. } => Self::Isolate,
            Op::Check { .. } => Self::Check,
            Op::Detect { .. } => Self::Detect,
            Op::VerifyHost { .. } => Self::VerifyHost,
            Op::LockV1 { .. } => Self::LockV1,
            Op::CheckPages { .. } => Self::CheckPages,
            Op::CheckV1 { .. } => Self::CheckV1,
            Op::UnlockV1 {} => Self::UnlockV1,
            Op::PageCopy { .. } => Self::PageCopy,
            Op::Absent { .. } => Self::Absent,
            Op::LookCompanion { .. } => Self::LookCompanion,
            Op::UndoHost {} => Self::UndoHost,
            Op::CleanupHost {} => Self::CleanupHost,
        }
    }
}
