//! The ops that a plan is made of. Each is small enough that a crash lands between two of them or
//! inside one file's data.

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
    /// v2 is being built; everything is undone by a recovery.
    Building,
    /// v2 is complete and checked; recovery goes on with the flip, or undoes.
    Built,
    /// v2's pages are being copied into canonical (page-copy only).
    Installing,
    /// v2 is canonical, durably; only cleaning up is left.
    Committed,
}

impl Phase {
    /// The word in the journal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One thing that the runner does.
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
    /// Create `file` exclusively and write the journal, as the run has it now, in this phase.
    WriteJournal {
        /// A name beside the journal.
        file: FileName,
        /// The phase it declares.
        phase: Phase,
    },
    /// Create `file` exclusively and write the backup's receipt.
    WriteReceipt {
        /// A name beside the receipt.
        file: FileName,
    },
    /// Flush a file's data through a writable handle.
    SyncFile {
        /// The file.
        file: PlanPath,
    },
    /// Flush a directory's entries.
    SyncDir {
        /// Whose directory; nothing for the database's own.
        companion: Option<CompanionName>,
    },
    /// Give a file a second name. Succeeds where `to` already is that file.
    Link {
        /// The file.
        from: PlanPath,
        /// Its second name.
        to: PlanPath,
    },
    /// Give a file another name, replacing what has it.
    Rename {
        /// The file.
        from: PlanPath,
        /// Its new name.
        to: PlanPath,
    },
    /// Give a file another name that nobody has: a file that has it stays, and that is an error.
    RenameNew {
        /// The file.
        from: PlanPath,
        /// Its new name.
        to: PlanPath,
    },
    /// Remove files, in this order. A file that is not there is no error.
    Remove {
        /// The files.
        files: Vec<PlanPath>,
    },
    /// Remove `link` if, and only if, it is the same file as `of`. (Renaming one name of a file
    /// onto another does nothing and reports success, so a link is undone by removing it.)
    RemoveLink {
        /// The extra name.
        link: FileName,
        /// The name that stays.
        of: FileName,
    },
    /// Copy a file's bytes to a new file with the same mode; through a reflink where the file
    /// system can. Canonical's in rollback mode while SQLite keeps every writer from it, so
    /// that nothing is copied that is not committed.
    Copy {
        /// The file.
        from: PlanPath,
        /// The new file, created exclusively.
        to: PlanPath,
    },
    /// Look, without opening it, who has the set of `file` open. For canonical, a backup and what
    /// was set aside a holder is a fault; for staging it is a fact.
    Look {
        /// The database.
        file: FileName,
    },
    /// Ask the application to let go of handles that it no longer needs (a garbage collection).
    Release {},
    /// Make a set one self-contained file: checkpoint, leave WAL mode (which proves sole use), set
    /// the mode, close, and read back that no sidecar is left.
    Settle {
        /// The database.
        file: FileName,
        /// The journal mode that the file has afterwards.
        mode: JournalMode,
    },
    /// Give v1 back the journal mode that it had before it was settled.
    RestoreMode {
        /// The database.
        file: FileName,
        /// Its former mode.
        mode: JournalMode,
    },
    /// Build v2 natively: run the application's SQL on `staging` in one transaction, v1 attached
    /// read-only as `v1`.
    BuildSql {
        /// Where v1 is read.
        v1: FileName,
        /// Where v2 is built.
        staging: FileName,
    },
    /// Let the application build v2.
    BuildHost {
        /// The copy of v1 that it may open and change; staging itself when v2 starts as a copy of
        /// v1.
        source: FileName,
        /// Where v2 is built.
        staging: FileName,
    },
    /// Copy a database that this process still holds into a new file that it does not, page by page
    /// through SQLite.
    Restage {
        /// The held database.
        from: FileName,
        /// The new file, created exclusively.
        to: FileName,
        /// Its journal mode.
        mode: JournalMode,
    },
    /// Copy a database that this process holds by a zombie into a new file, through a connection
    /// that empties its log and keeps everybody else from it until its name is another file's.
    Isolate {
        /// The held database.
        from: FileName,
        /// The new file, created exclusively.
        to: FileName,
    },
    /// Check the very file that will be installed: alone, sound, foreign keys, the expected counts,
    /// and, where the journal knows it already, the same identity.
    Check {
        /// The database.
        file: FileName,
    },
    /// `detect` run on the file must say "current".
    Detect {
        /// The database.
        file: FileName,
    },
    /// Let the application look at v2 before it is installed.
    VerifyHost {
        /// The database.
        file: FileName,
    },
    /// Take v1's exclusive lock and keep it, so that nobody writes to it until it is replaced.
    LockV1 {
        /// The database.
        file: FileName,
    },
    /// Compare v1 with the fingerprint that was taken when it was settled.
    CheckV1 {
        /// The database.
        file: FileName,
    },
    /// Let go of v1's lock.
    UnlockV1 {},
    /// Copy the pages of `from` into `to` in one transaction of SQLite, under whose exclusive lock
    /// v1 is first compared with its fingerprint. Never into a file that has a second name.
    PageCopy {
        /// v2, settled.
        from: FileName,
        /// The database.
        to: FileName,
    },
    /// Read back that these files are not there.
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
        /// Whether a difference is a fault (before the flip), or a fact (after it).
        must_be_same: bool,
    },
    /// Let the application undo what it did outside the database.
    UndoHost {},
    /// Let the application remove what it no longer needs outside the database.
    CleanupHost {},
}

impl Op {
    /// Whether this is a flush, whose failure must never be answered by trying again.
    #[must_use]
    pub fn is_sync(&self) -> bool {
        matches!(self, Self::SyncFile { .. } | Self::SyncDir { .. })
    }

    /// The word for it in messages and events; the same as in JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// The companion in whose directory it works.
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

    /// Every file that it names.
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

    /// The file it is mainly about, for messages.
    #[must_use]
    pub fn file(&self) -> Option<PlanPath> {
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
            | Self::CheckV1 { file }
            | Self::BuildSql { staging: file, .. }
            | Self::BuildHost { staging: file, .. }
            | Self::Restage { to: file, .. }
            | Self::Isolate { from: file, .. }
            | Self::PageCopy { to: file, .. }
            | Self::RemoveLink { link: file, .. } => Some(file.into()),
            Self::SyncFile { file } => Some(file.clone()),
            Self::Link { to, .. }
            | Self::Rename { to, .. }
            | Self::RenameNew { to, .. }
            | Self::Copy { to, .. } => Some(to.clone()),
            Self::Remove { files } => files.first().cloned(),
            Self::Absent { files } => files.first().map(PlanPath::from),
            Self::LookCompanion { companion, file, .. } => {
                Some(PlanPath { companion: Some(companion.clone()), name: file.clone() })
            }
            Self::SyncDir { .. }
            | Self::Release {}
            | Self::UnlockV1 {}
            | Self::UndoHost {}
            | Self::CleanupHost {} => None,
        }
    }
}

/// When a step is performed; without one, always.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "if", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Guard {
    /// The last look found that this process holds staging.
    StagingHeld {},
    /// The last look found that it does not.
    StagingFree {},
    /// The application staged new content of the companion.
    CompanionStaged {
        /// Which one.
        companion: CompanionName,
    },
    /// The application staged new content, and the companion was changed since the build began.
    CompanionStagedOverChange {
        /// Which one.
        companion: CompanionName,
    },
    /// The companion is there and is not what it was when the build began.
    CompanionChanged {
        /// Which one.
        companion: CompanionName,
    },
    /// The companion is not what it was when the build began, or is missing.
    CompanionDiffers {
        /// Which one.
        companion: CompanionName,
    },
}

impl Guard {
    /// The companion that it asks about.
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

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// What to do.
    #[serde(rename = "do")]
    pub op: Op,
    /// Why, in one sentence.
    pub why: String,
    /// When; nothing means always.
    pub when: Option<Guard>,
}
