//! The ops that a plan is made of. Each op is so small that a crash lands between two ops, or
//! inside the data of one file.

use serde::{Deserialize, Serialize};

use crate::names::{CompanionName, FileName, PlanPath};
use crate::page1::JournalMode;

/// How far a cutover has come.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Phase {
    /// The application or the runner builds v2. A recovery undoes everything.
    Building,
    /// v2 is complete and checked. A recovery goes on with the flip, or undoes.
    Built,
    /// SQLite copies v2's pages into canonical. Only the page copies have this phase.
    Installing,
    /// v2 is canonical, durably. Only the clean-up is left.
    Committed,
}

impl Phase {
    /// The word in the journal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One thing that a runner does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(
    tag = "op",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum Op {
    /// Create `file` exclusively, and write the run's current journal to it, in this phase.
    WriteJournal {
        /// A temporary name of the journal.
        file: FileName,
        /// The phase that the journal declares.
        phase: Phase,
    },
    /// Create `file` exclusively, and write the backup's receipt to it.
    WriteReceipt {
        /// The receipt's name.
        file: FileName,
    },
    /// Flush a file's data, through a handle that may write.
    SyncFile {
        /// The file.
        file: PlanPath,
    },
    /// Flush a directory's entries (a directory fsync).
    SyncDir {
        /// The companion whose directory it is; nothing for the database's directory.
        companion: Option<CompanionName>,
    },
    /// Make a hard link to a file. It is no error if `to` is that file already.
    Link {
        /// The file.
        from: PlanPath,
        /// The name of the link.
        to: PlanPath,
    },
    /// Rename a file, and replace the file that has the new name.
    Rename {
        /// The file.
        from: PlanPath,
        /// Its new name.
        to: PlanPath,
    },
    /// Rename a file to a name that no file has. It is an error if a file has that name.
    RenameNew {
        /// The file.
        from: PlanPath,
        /// Its new name.
        to: PlanPath,
    },
    /// Remove files, in this order. It is no error if a file is missing.
    Remove {
        /// The files.
        files: Vec<PlanPath>,
    },
    /// Remove `link`, but only if it is a hard link of the file `of`. (A rename of one hard link
    /// onto another does nothing and reports success, so a plan undoes a link by removing it.)
    RemoveLink {
        /// The hard link to remove.
        link: FileName,
        /// The name that stays.
        of: FileName,
    },
    /// Copy a file's bytes to a new file with the rights of the first, by a reflink where the file
    /// system supports it. The runner copies canonical in rollback mode, while SQLite keeps every
    /// writer out. So it copies committed data only.
    Copy {
        /// The file.
        from: PlanPath,
        /// The new file, which the runner creates exclusively.
        to: PlanPath,
    },
    /// Find the processes that have the file set of `file` open, without opening a file. For
    /// canonical, a backup and a file that was set aside, a holder is an error. For staging it is a
    /// fact.
    Look {
        /// The database.
        file: FileName,
    },
    /// Ask the application to release the handles that it no longer needs (a garbage collection).
    Release {},
    /// Make a file set one self-contained file: checkpoint, leave WAL mode, set the mode, and
    /// close. Leaving WAL mode proves that no other connection is open. Then read back that no
    /// sidecar is left.
    Settle {
        /// The database.
        file: FileName,
        /// The journal mode that the file gets.
        mode: JournalMode,
    },
    /// Give v1 the journal mode that it had before it was settled.
    RestoreMode {
        /// The database.
        file: FileName,
        /// The journal mode that it had.
        mode: JournalMode,
    },
    /// Run the application's SQL on `staging` in one transaction, with v1 attached read-only as
    /// `v1`.
    BuildSql {
        /// The file that is attached as `v1`.
        v1: FileName,
        /// Where v2 is built.
        staging: FileName,
    },
    /// Let SQLite check the pages of v1 and what they hold (`quick_check`). Damage is an error. What is
    /// wrong in sound pages is a warning, and so is what stock SQLite cannot read. Where SQL builds
    /// v2, the runner begins this beside the build.
    CheckPages {
        /// The database.
        file: FileName,
    },
    /// Let the application build v2.
    BuildHost {
        /// The copy of v1 that the application may open and change. The runner makes it when the
        /// application first asks for it. It is staging itself where v2 starts as a copy of v1.
        source: FileName,
        /// Where v2 is built.
        staging: FileName,
    },
    /// Copy a database that a connection of this process still holds into a new file that no
    /// connection holds, page by page through SQLite.
    Restage {
        /// The held database.
        from: FileName,
        /// The new file, which the runner creates exclusively.
        to: FileName,
        /// The journal mode of the new file.
        mode: JournalMode,
    },
    /// Copy a database that a leaked connection (a zombie) holds into a new file. The connection
    /// that copies first empties the log. It keeps every other connection out until the new file
    /// has the database's name.
    Isolate {
        /// The held database.
        from: FileName,
        /// The new file, which the runner creates exclusively.
        to: FileName,
    },
    /// Check the file that will be installed: no process holds it, SQLite finds it sound, its
    /// foreign keys and its expected row counts are right. Where the journal names a file already,
    /// it is that file.
    Check {
        /// The database.
        file: FileName,
    },
    /// Call the application's `detect` on the file, which must say "current".
    Detect {
        /// The database.
        file: FileName,
    },
    /// Let the application look at v2 before it is installed. It may open v2 itself, so afterwards no
    /// process may have v2 open.
    VerifyHost {
        /// The database.
        file: FileName,
    },
    /// Take v1's exclusive lock and keep it, so that no program writes to v1 until it is replaced.
    LockV1 {
        /// The database.
        file: FileName,
    },
    /// Compare v1 with the fingerprint that it had when it was settled.
    CheckV1 {
        /// The database.
        file: FileName,
    },
    /// Release v1's lock.
    UnlockV1 {},
    /// Copy the pages of `from` into `to` in one transaction of SQLite. Under its exclusive lock
    /// the runner first compares v1 with its fingerprint. It is an error if `to` has another hard
    /// link.
    PageCopy {
        /// v2, settled.
        from: FileName,
        /// The database.
        to: FileName,
    },
    /// Check that these files do not exist.
    Absent {
        /// The files.
        files: Vec<FileName>,
    },
    /// Compare a companion with the digest in the journal.
    LookCompanion {
        /// The companion.
        companion: CompanionName,
        /// Its bare file name.
        file: FileName,
        /// Whether a difference is an error (before the flip) or a fact (after it).
        must_be_same: bool,
    },
    /// Let the application undo what it changed outside the database.
    UndoHost {},
    /// Let the application remove what it no longer needs outside the database.
    CleanupHost {},
}

impl Op {
    /// Whether this is a flush. A run never repeats a flush that failed.
    #[must_use]
    pub fn is_sync(&self) -> bool {
        matches!(self, Self::SyncFile { .. } | Self::SyncDir { .. })
    }

    /// Its name in messages, in events and in JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// The companion in whose directory the op works.
    #[must_use]
    pub fn companion(&self) -> Option<&CompanionName> {
        match self {
            Self::SyncDir { companion } => companion.as_ref(),
            Self::LookCompanion { companion, .. } => Some(companion),
            Self::SyncFile { file: at }
            | Self::Link { to: at, .. }
            | Self::Rename { to: at, .. }
            | Self::RenameNew { to: at, .. }
            | Self::Copy { to: at, .. } => at.companion.as_ref(),
            Self::Remove { files } => files.first().and_then(|at| at.companion.as_ref()),
            _ => None,
        }
    }

    /// Every file that the op names. Of two files, the one that it makes or changes comes last.
    #[must_use]
    pub fn files(&self) -> Vec<PlanPath> {
        match self {
            Self::WriteJournal { file, .. }
            | Self::WriteReceipt { file }
            | Self::Look { file }
            | Self::Settle { file, .. }
            | Self::RestoreMode { file, .. }
            | Self::Check { file }
            | Self::Detect { file }
            | Self::VerifyHost { file }
            | Self::LockV1 { file }
            | Self::CheckPages { file }
            | Self::CheckV1 { file } => vec![file.into()],
            Self::Restage { from, to, .. }
            | Self::Isolate { from, to }
            | Self::PageCopy { from, to }
            | Self::BuildSql { v1: from, staging: to }
            | Self::BuildHost { source: from, staging: to }
            | Self::RemoveLink { of: from, link: to } => vec![from.into(), to.into()],
            Self::Link { from, to }
            | Self::Rename { from, to }
            | Self::RenameNew { from, to }
            | Self::Copy { from, to } => vec![from.clone(), to.clone()],
            Self::SyncFile { file } => vec![file.clone()],
            Self::Remove { files } => files.clone(),
            Self::Absent { files } => files.iter().map(PlanPath::from).collect(),
            Self::LookCompanion { companion, file, .. } => {
                vec![PlanPath { companion: Some(companion.clone()), name: file.clone() }]
            }
            Self::SyncDir { .. }
            | Self::Release {}
            | Self::UnlockV1 {}
            | Self::UndoHost {}
            | Self::CleanupHost {} => Vec::new(),
        }
    }

    /// The file that messages name for this op: of two files, the one that it makes or changes. Of
    /// `isolate` it is the database, which gets a new file.
    #[must_use]
    pub fn file(&self) -> Option<PlanPath> {
        let mut files = self.files().into_iter();
        match self {
            Self::Remove { .. } | Self::Absent { .. } | Self::Isolate { .. } => files.next(),
            _ => files.next_back(),
        }
    }
}

/// The condition of a step. A run always performs a step that has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "if", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Guard {
    /// The last `look` found that this process holds staging.
    StagingHeld {},
    /// The last `look` found that this process does not hold staging.
    StagingFree {},
    /// The application staged new content of the companion.
    CompanionStaged {
        /// Which one.
        companion: CompanionName,
    },
    /// The application staged new content, and the companion changed since the build began.
    CompanionStagedOverChange {
        /// Which one.
        companion: CompanionName,
    },
    /// The companion exists, and changed since the build began.
    CompanionChanged {
        /// Which one.
        companion: CompanionName,
    },
    /// The companion changed since the build began, or is missing.
    CompanionDiffers {
        /// Which one.
        companion: CompanionName,
    },
}

impl Guard {
    /// The companion of the condition.
    #[must_use]
    pub fn companion(&self) -> Option<&CompanionName> {
        match self {
            Self::StagingHeld {} | Self::StagingFree {} => None,
            Self::CompanionStaged { companion }
            | Self::CompanionStagedOverChange { companion }
            | Self::CompanionChanged { companion }
            | Self::CompanionDiffers { companion } => Some(companion),
        }
    }
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// What to do.
    #[serde(rename = "do")]
    pub op: Op,
    /// The reason, in one sentence.
    pub why: String,
    /// The condition; nothing means always.
    pub when: Option<Guard>,
}
