//! What the runner saw when it looked: the only way in which the disk enters this crate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fault::{Holder, Platform};
use crate::names::{CompanionName, FileName};
use crate::page1::{Header, copied_header};

/// What `detect` says of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// A v1: to be migrated.
    Old,
    /// Already v2, or nothing that this upgrade is for.
    Current,
    /// Written by a newer release: refused before anything is touched.
    Newer,
}

/// What is known of one file without changing it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileFacts {
    /// Bytes.
    pub size: u64,
    /// Device and inode (POSIX), or volume and file index (Windows), as text. Two names with one
    /// id are one file.
    pub file_id: String,
    /// The header, where the file is a database that could be read.
    pub header: Option<Header>,
    /// The masked digest of page 1, likewise.
    pub page1: Option<String>,
}

impl FileFacts {
    /// The fingerprint: header and size. It tells only of a database that was settled out of WAL
    /// mode; there every write bumps the change counter.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        Some(Fingerprint { size: self.size, header: self.header.as_ref()?.bytes.clone() })
    }
}

/// The header and the size of a settled database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fingerprint {
    /// Bytes.
    pub size: u64,
    /// The first 100 bytes in hex.
    pub header: String,
}

impl Fingerprint {
    /// Whether every write since shows: not for a database that somebody kept in WAL mode.
    #[must_use]
    pub fn detects_writes(&self) -> bool {
        // The write version, at offset 18: <https://www.sqlite.org/fileformat2.html>.
        self.header.get(36..38) != Some("02")
    }

    /// Whether SQLite copies the pages of a database with this header into it: one in WAL mode
    /// keeps its page size.
    #[must_use]
    pub fn accepts_pages_of(&self, other: &Header) -> bool {
        // The page size, at offset 16.
        self.detects_writes() || self.header.get(32..36) == other.bytes.get(32..36)
    }

    /// Whether a database with this header may still have the schema that this one had. SQLite
    /// counts the schema cookie up where it copies pages into a database
    /// (`sqlite3_backup_step` in backup.c), and where the schema changes, and nowhere else.
    #[must_use]
    pub fn has_schema_of(&self, header: &Header) -> bool {
        // The schema cookie, at offset 40.
        self.header.get(80..88) == header.bytes.get(80..88)
    }

    /// Whether this may be a copy of that, made page by page through SQLite.
    #[must_use]
    pub fn is_copy_of(&self, other: &Self) -> bool {
        self.size == other.size && copied_header(&self.header) == copied_header(&other.header)
    }
}

/// Why no file can take a companion's place, and never could by waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ReplaceBlocker {
    /// It is mounted as a file of its own: EBUSY of rename(2).
    MountPoint,
    /// It is marked as immutable or append-only: EPERM of rename(2).
    Immutable,
    /// It has the read-only attribute: `ERROR_ACCESS_DENIED` of Windows' `MoveFileExW`.
    ReadOnly,
}

impl ReplaceBlocker {
    /// What it is, and what to do.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::MountPoint => "it is a mount point: mount its directory",
            Self::Immutable => "it is immutable: clear that first (chattr -ia, chflags nouchg)",
            Self::ReadOnly => "it is read-only: clear that first (attrib -r)",
        }
    }
}

/// What was seen of a companion: a file outside the set that changes with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompanionFacts {
    /// Its bare name in its own directory.
    pub file: FileName,
    /// Where it is, for messages and to compare with a journal's; never used as a target.
    pub path: String,
    /// The same, from the database's directory; on another drive as it is.
    pub relative: String,
    /// SHA-256 of its content, or nothing where it does not exist.
    pub digest: Option<String>,
    /// The names in its directory that begin with its own: backups, staged content.
    pub present: Vec<FileName>,
    /// Which of them are the file itself, under a second name: what an interrupted rename or link
    /// may leave.
    pub same: Vec<FileName>,
    /// Why nothing can take its place; left out where something can, or it does not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub irreplaceable: Option<ReplaceBlocker>,
}

/// One look at the database's directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Observation {
    /// Whose error codes and rules apply.
    pub platform: Platform,
    /// The database's bare name, symbolic links resolved.
    pub canonical: FileName,
    /// Every file whose name is of the grammar.
    pub files: BTreeMap<FileName, FileFacts>,
    /// The text of each journal; nothing where it could not be read as text.
    pub journals: BTreeMap<FileName, Option<String>>,
    /// What `detect` says of canonical; nothing where it is missing, held or not a database.
    pub verdict: Option<Verdict>,
    /// Who has canonical or a sidecar of it open, this process first.
    pub holders: Vec<Holder>,
    /// Free bytes on the volume for this user.
    pub free_bytes: Option<u64>,
    /// Whether canonical can be given a second name. True where that was not tried.
    pub can_link: bool,
    /// The declared companions.
    pub companions: BTreeMap<CompanionName, CompanionFacts>,
}

impl Observation {
    /// Whether somebody has v1 open on Windows: nothing there opens under a holder's feet, and an
    /// open file cannot be replaced. So v1 may be read and v2's pages may be copied into it,
    /// and that is the only way to v2.
    #[must_use]
    pub fn held_on_windows(&self) -> bool {
        self.platform == Platform::Windows
            && !self.holders.is_empty()
            && self.canonical_facts().is_some_and(|facts| facts.header.is_some())
    }

    /// Other processes, which are named, that have v1 open. One that Windows does not name is a
    /// scanner, as far as can be told: whoever upgrades has the owner lock.
    #[must_use]
    pub fn other_holders(&self) -> Vec<Holder> {
        self.holders.iter().filter(|holder| holder.is_another()).cloned().collect()
    }

    /// The facts of canonical, if it is there.
    #[must_use]
    pub fn canonical_facts(&self) -> Option<&FileFacts> {
        self.files.get(&self.canonical)
    }

    /// Whether two names are one file.
    #[must_use]
    pub fn same_file(&self, a: &FileName, b: &FileName) -> bool {
        matches!((self.files.get(a), self.files.get(b)), (Some(a), Some(b)) if a.file_id == b.file_id)
    }
}
