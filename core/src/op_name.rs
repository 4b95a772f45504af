//! The names of ops, as events and the types of the bindings have them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::op::Op;

/// Makes the enum of the names, and the name of each op.
macro_rules! names_of_ops {
    ($($op:ident),* $(,)?) => {
        /// What an event is about: the name of an op, or `lock`, for the locks beside the companions.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, strum::IntoStaticStr)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "kebab-case")]
        #[strum(serialize_all = "kebab-case")]
        #[allow(missing_docs, reason = "`Op` documents each")]
        pub enum OpName {
            $($op,)*
            // No op: the locks beside the companions, which a call takes before it plans.
            Lock,
        }

        impl From<&Op> for OpName {
            fn from(op: &Op) -> Self {
                match op {
                    $(Op::$op { .. } => Self::$op,)*
                }
            }
        }
    };
}

names_of_ops! {
    WriteJournal, WriteReceipt, SyncFile, SyncDir, Link, Rename, RenameNew, Remove, RemoveLink,
    Copy, Look, Release, Settle, RestoreMode, BuildSql, BuildHost, Restage, Isolate, Check,
    Detect, VerifyHost, LockV1, CheckPages, CheckV1, UnlockV1, PageCopy, Absent, LookCompanion,
    UndoHost, CleanupHost,
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
