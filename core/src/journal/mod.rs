//! The journal: what a later start must know of an interrupted one. At the commit it becomes the
//! backup's receipt.
//!
//! A journal is hostile input. It is read with a size bound, every name in it must be the one that
//! the grammar gives, and a version that this release does not know is refused with what to do.

mod read;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::names::{self, CompanionName, FileName, Label, Names, Nonce, companion_backup_name};
use crate::observe::{CompanionFacts, FileFacts, Fingerprint, Observation};
pub use crate::op::Phase;
use crate::page1::JournalMode;

pub(crate) use read::read_versioned;
pub use read::{ReadError, read_bounded, write_json};

/// The version of the journal that this release writes.
pub const JOURNAL_VERSION: u32 = 2;
/// The version of the receipt that this release writes.
pub const RECEIPT_VERSION: u32 = 1;
/// The largest journal that is read, in bytes. The host's state and report are kept in it.
pub const MAX_JOURNAL_BYTES: usize = 4 << 20;
/// How large the host's state and report may make it, in bytes; the rest is for warnings.
pub const MAX_HOST_BYTES: usize = MAX_JOURNAL_BYTES / 2;
/// The most warnings that are kept, and the most characters of each: a host that warns of every row
/// must not make its journal unreadable.
pub const MAX_WARNINGS: usize = 100;
/// See [`MAX_WARNINGS`].
pub const MAX_WARNING_CHARS: usize = 1000;

/// How v2 becomes canonical.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Link canonical to the backup's name, then rename v2 over canonical: canonical is never
    /// missing.
    LinkReplace,
    /// Copy v1 to the backup's name, then v2's pages into canonical in one transaction of SQLite.
    /// Used where canonical cannot be linked, or on Windows is open.
    PageCopy,
    /// The legacy daemon's two renames: only its own journals are finished this way. See
    /// `core/src/plan/legacy`.
    TwoRename,
    /// Link canonical, which is v2, to its displaced name, then rename a copy of the backup over
    /// canonical.
    Restore,
    /// Copy canonical, which is v2, to its displaced name, then the pages of a copy of the backup
    /// into canonical, as `page-copy` does.
    RestorePageCopy,
}

impl V1 {
    /// Whether this has the header and the size that it was settled with.
    #[must_use]
    pub fn is_as_settled(&self, facts: &FileFacts) -> bool {
        facts.fingerprint().as_ref() == Some(&self.fingerprint)
    }
}

impl V2 {
    /// Whether this is the very file that was built, with the first page that it had.
    #[must_use]
    pub fn is_as_built(&self, facts: &FileFacts) -> bool {
        self.file_id == facts.file_id && facts.page1.as_ref() == Some(&self.page1)
    }
}

impl Strategy {
    /// Whether this strategy makes a backup canonical and replaces v2.
    #[must_use]
    pub fn restores(self) -> bool {
        matches!(self, Self::Restore | Self::RestorePageCopy)
    }

    /// Whether this strategy copies pages into canonical, which stays the same file.
    #[must_use]
    pub fn copies_pages(self) -> bool {
        matches!(self, Self::PageCopy | Self::RestorePageCopy)
    }
}

/// v1, as it was settled; in a restore, the v2 that is replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct V1 {
    /// Device and inode.
    pub file_id: String,
    /// Header and size. They prove something only once v1 was settled.
    pub fingerprint: Fingerprint,
    /// The journal mode that v1 had before.
    pub journal_mode: JournalMode,
}

impl V1 {
    /// v1 as these facts describe it. `None` if they have no header.
    #[must_use]
    pub fn of(facts: &FileFacts, journal_mode: JournalMode) -> Option<Self> {
        let fingerprint = facts.fingerprint()?;
        Some(Self { file_id: facts.file_id.clone(), fingerprint, journal_mode })
    }
}

/// v2, as it was checked; in a restore, the copy of the backup that is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct V2 {
    /// The file that will be installed: staging, or install.
    pub file: FileName,
    /// Device and inode.
    pub file_id: String,
    /// Bytes.
    pub size: u64,
    /// The masked digest of page 1.
    pub page1: String,
}

/// A companion, as it was when the build began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Companion {
    /// The application's word for it.
    pub name: CompanionName,
    /// Its bare file name.
    pub file: FileName,
    /// Its path, for messages and for comparison; never used as a target.
    pub path: String,
    /// That path, relative to the database's directory; on another drive, `path` itself.
    pub relative: String,
    /// SHA-256 of its content, or nothing where it did not exist.
    pub before: Option<String>,
    /// Whether the host staged new content.
    pub staged: bool,
    /// SHA-256 of what it staged, once that is known.
    pub after: Option<String>,
}

impl CompanionFacts {
    /// The companion as a journal has it, as if it did not exist.
    #[must_use]
    pub(crate) fn in_journal(&self, name: &CompanionName) -> Companion {
        Companion {
            name: name.clone(),
            file: self.file.clone(),
            path: self.path.clone(),
            relative: self.relative.clone(),
            before: None,
            staged: false,
            after: None,
        }
    }
}

impl Observation {
    /// Whether this companion is declared where it was: at the same path, or at the same place
    /// relative to the database's directory, which may have been moved or copied.
    #[must_use]
    pub fn declares(&self, companion: &Companion) -> bool {
        let is_at = |seen: &CompanionFacts| {
            seen.path == companion.path || seen.relative == companion.relative
        };
        self.companions
            .get(&companion.name)
            .is_some_and(|seen| seen.file == companion.file && is_at(seen))
    }
}

/// A problem that did not stop the upgrade.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Warning {
    /// Who warns.
    pub from: WarningFrom,
    /// A stable word, where there is one. `RIGHTS_LOST`: a new file lacks an ACL, an extended
    /// attribute or the rights of a group that the file before it has, because the system refused
    /// it; the message names the file and what it lacks.
    pub code: Option<String>,
    /// One sentence.
    pub message: String,
}

/// Who a warning comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum WarningFrom {
    /// This project.
    Cutover,
    /// The application.
    Host,
}

/// Version 2 of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Journal {
    /// Always 2.
    pub version: u32,
    /// Which upgrade.
    pub label: Label,
    /// Which attempt's files.
    pub nonce: Nonce,
    /// How far it has come.
    pub phase: Phase,
    /// 1 for the first try. After an undo, the next attempt counts on.
    pub attempt: u32,
    /// How v2 becomes canonical.
    pub strategy: Strategy,
    /// The files.
    pub names: Names,
    /// v1, once it was seen; in a restore, the database that is replaced.
    pub v1: Option<V1>,
    /// v2, once it was built; in a restore, the database that is installed.
    pub v2: Option<V2>,
    /// Rows that the host expects in each table of v2.
    pub expect: BTreeMap<String, u64>,
    /// The companions.
    pub companions: Vec<Companion>,
    /// What the host last saved.
    pub host_state: Option<Value>,
    /// What the host's build returned.
    pub report: Option<Value>,
    /// The problems that did not stop it.
    pub warnings: Vec<Warning>,
}

/// What is kept of a journal beside the backup: all but the host's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Receipt {
    /// Always 1.
    pub version: u32,
    /// Which upgrade.
    pub label: Label,
    /// Which attempt's files.
    pub nonce: Nonce,
    /// The database's name.
    pub canonical: FileName,
    /// The backup's name.
    pub backup: FileName,
    /// When the cutover began, Unix milliseconds.
    pub started_ms: u64,
    /// How v2 became canonical.
    pub strategy: Strategy,
    /// v1, which the backup is. Nothing for an upgrade that the legacy daemon began.
    pub v1: Option<V1>,
    /// v2 as it was installed. Nothing for an upgrade that the legacy daemon began.
    pub v2: Option<V2>,
    /// Backups of companions, in their own directories.
    pub companions: BTreeMap<CompanionName, FileName>,
    /// What the host's build returned.
    pub report: Option<Value>,
    /// The problems that did not stop it.
    pub warnings: Vec<Warning>,
}

impl Journal {
    /// Reads a journal and proves that its names are the grammar's.
    ///
    /// # Errors
    /// See [`ReadError`]; each says which field.
    pub fn parse(text: &str, canonical: &FileName) -> Result<Self, ReadError> {
        let journal: Self = read_versioned(text, JOURNAL_VERSION)?;
        if journal.names.canonical != *canonical {
            let why = format!("must be {canonical}, the database beside which it lies");
            let found = journal.names.canonical.as_str();
            return Err(names::bad("names.canonical", found, why).into());
        }
        journal.check()?;
        Ok(journal)
    }

    /// Proves that names, companions and phase fit each other.
    ///
    /// # Errors
    /// The first field that does not.
    pub fn check(&self) -> Result<(), ReadError> {
        if self.version != JOURNAL_VERSION {
            return Err(ReadError::Contradiction(format!("version: must be {JOURNAL_VERSION}")));
        }
        self.names.check(&self.label, &self.nonce, self.strategy.restores())?;
        let mut seen = BTreeSet::new();
        for companion in &self.companions {
            if !seen.insert(&companion.name) {
                let twice = format!("companions: {} is there twice", companion.name);
                return Err(ReadError::Contradiction(twice));
            }
            if !names::companion_fits(&companion.file, &self.label, &self.nonce) {
                let why = "is too long: the names made from it would pass 255 bytes";
                let what = format!("companions.{}", companion.name);
                return Err(names::bad(&what, companion.file.as_str(), why).into());
            }
        }
        if let Some(v2) = &self.v2 {
            let names = &self.names;
            if v2.file != names.staging && v2.file != names.install {
                let why = format!("must be {} or {}", names.staging, names.install);
                return Err(names::bad("v2.file", v2.file.as_str(), why).into());
            }
        }
        if self.phase >= Phase::Built
            && self.strategy != Strategy::TwoRename
            && (self.v1.is_none() || self.v2.is_none())
        {
            let without = format!("phase {} without v1 and v2", self.phase.as_str());
            return Err(ReadError::Contradiction(without));
        }
        if self.phase == Phase::Installing && !self.strategy.copies_pages() {
            return Err(ReadError::contradiction("phase installing: only page copies have it"));
        }
        Ok(())
    }

    /// The name of the file that holds this journal.
    #[must_use]
    pub fn file(&self) -> FileName {
        match self.strategy {
            Strategy::TwoRename => names::legacy_journal_name(&self.names.canonical),
            Strategy::LinkReplace
            | Strategy::PageCopy
            | Strategy::Restore
            | Strategy::RestorePageCopy => names::journal_name(&self.names.canonical, &self.label),
        }
    }

    /// The text that is written to disk.
    #[must_use]
    pub fn to_text(&self) -> String {
        write_json(self)
    }

    /// The text, proven to be one that a start can read: the host's state and report may be too
    /// large, or nested too deeply.
    ///
    /// # Errors
    /// What a start would say of this text.
    pub fn to_readable_text(&self) -> Result<String, ReadError> {
        let text = self.to_text();
        if text.len() > MAX_HOST_BYTES {
            return Err(ReadError::TooLarge { found: text.len(), most: MAX_HOST_BYTES });
        }
        Self::parse(&text, &self.names.canonical)?;
        Ok(text)
    }

    /// Keeps a warning, within bounds.
    pub fn warn(&mut self, mut warning: Warning) {
        if self.warnings.len() >= MAX_WARNINGS {
            return;
        }
        if let Some((end, _)) = warning.message.char_indices().nth(MAX_WARNING_CHARS) {
            warning.message.truncate(end);
        }
        self.warnings.push(warning);
    }

    /// The receipt, which is kept beside the backup.
    #[must_use]
    pub fn receipt(&self, started_ms: u64) -> Receipt {
        Receipt {
            version: RECEIPT_VERSION,
            label: self.label.clone(),
            nonce: self.nonce.clone(),
            canonical: self.names.canonical.clone(),
            backup: self.names.backup.clone(),
            started_ms,
            strategy: self.strategy,
            v1: self.v1.clone(),
            v2: self.v2.clone(),
            companions: self
                .companions
                .iter()
                .filter(|companion| companion.before.is_some())
                .map(|c| (c.name.clone(), companion_backup_name(&c.file, &self.label, &self.nonce)))
                .collect(),
            report: self.report.clone(),
            warnings: self.warnings.clone(),
        }
    }
}

impl Receipt {
    /// Reads a receipt.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn parse(text: &str) -> Result<Self, ReadError> {
        read_versioned(text, RECEIPT_VERSION)
    }

    /// The text that is written to disk.
    #[must_use]
    pub fn to_text(&self) -> String {
        write_json(self)
    }
}
