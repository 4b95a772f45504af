//! What a runner found on the disk. This crate learns of the disk in no other way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fault::{Holder, Platform};
use crate::names::{CompanionName, FileName, PlanPath, Role};
use crate::page1::{Header, copied_header};

/// What the application's `detect` says of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// A v1, which is to be upgraded.
    Old,
    /// A v2, or a database that this upgrade is not for.
    Current,
    /// A newer release wrote it. It is refused before anything is touched.
    Newer,
}

/// What a runner can tell of one file without changing it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileFacts {
    /// Bytes.
    pub size: u64,
    /// Device and inode (POSIX), or volume and file index (Windows), as text. Two names with one id
    /// are hard links of one file.
    pub file_id: String,
    /// The header, where the file is a database that could be read.
    pub header: Option<Header>,
    /// The masked digest of page 1, where the file is a database that could be read.
    pub page1: Option<String>,
}

impl FileFacts {
    /// The fingerprint: header and size. It detects writes only where the database was settled out
    /// of WAL mode, because each write then counts the change counter up.
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
    /// Whether any later write changes this fingerprint. False in WAL mode, where commits go to the
    /// log.
    #[must_use]
    pub fn detects_writes(&self) -> bool {
        // The write version, at offset 18: <https://www.sqlite.org/fileformat2.html>.
        self.header.get(36..38) != Some("02")
    }

    /// Whether SQLite can copy the pages of a database with the header `other` into this database.
    /// A database in WAL mode keeps its page size.
    #[must_use]
    pub fn accepts_pages_of(&self, other: &Header) -> bool {
        // The page size, at offset 16.
        self.detects_writes() || self.header.get(32..36) == other.bytes.get(32..36)
    }

    /// Whether a database with this header may still have the schema of this fingerprint. SQLite
    /// counts the schema cookie up in two cases only: where the schema changes, and where it copies
    /// pages into a database (`sqlite3_backup_step` in backup.c).
    #[must_use]
    pub fn has_schema_of(&self, header: &Header) -> bool {
        // The schema cookie, at offset 40.
        self.header.get(80..88) == header.bytes.get(80..88)
    }

    /// Whether this database may be a copy of `other` that SQLite made page by page.
    #[must_use]
    pub fn is_copy_of(&self, other: &Self) -> bool {
        self.size == other.size && copied_header(&self.header) == copied_header(&other.header)
    }
}

/// Why no file can replace a companion, however long a runner waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ReplaceBlocker {
    /// The companion is a mount point: rename(2) gives EBUSY.
    MountPoint,
    /// The companion is marked as immutable or append-only: rename(2) gives EPERM.
    Immutable,
    /// The companion has the read-only attribute: Windows' `MoveFileExW` gives
    /// `ERROR_ACCESS_DENIED`.
    ReadOnly,
    /// The companion is another user's and its directory, which is sticky, is not this user's:
    /// rename(2) gives EPERM.
    Sticky,
}

impl ReplaceBlocker {
    /// What the companion is, and what to do.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::MountPoint => "it is a mount point: mount its directory",
            Self::Immutable => "it is immutable: clear that first (chattr -ia, chflags nouchg)",
            Self::ReadOnly => "it is read-only: clear that first (attrib -r)",
            Self::Sticky => {
                "it is another user's, in a sticky directory: start as the user who owns it, or \
                 move it to a directory of its own"
            }
        }
    }
}

/// What a runner found of a companion: a file that changes together with the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CompanionFacts {
    /// Its bare name, in its own directory.
    pub file: FileName,
    /// Its absolute path, for messages and to compare with a journal's. Never used as a target.
    pub path: String,
    /// Its path relative to the database's directory; absolute where it is on another drive.
    pub relative: String,
    /// SHA-256 of its content; nothing where the companion does not exist.
    pub digest: Option<String>,
    /// The names in its directory that begin with its own name: backups, staged content.
    pub present: Vec<FileName>,
    /// Which of them are hard links of the companion itself, as an interrupted rename or link may
    /// leave them.
    pub same: Vec<FileName>,
    /// Why no file can replace it; left out where a file can, or where the companion does not
    /// exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub irreplaceable: Option<ReplaceBlocker>,
    /// Whether the backup of [`legacy_backup`](crate::plan::legacy::legacy_backup) holds only the
    /// first bytes of the companion, or none: it may be a copy that was cut short. Left out where
    /// not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub legacy_backup_is_beginning: bool,
}

/// What a runner found in the database's directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Observation {
    /// The platform whose error codes and rules apply.
    pub platform: Platform,
    /// The database's bare name, with symbolic links resolved.
    pub canonical: FileName,
    /// Every file whose name is of the grammar.
    pub files: BTreeMap<FileName, FileFacts>,
    /// The text of each journal; nothing where it could not be read as text.
    pub journals: BTreeMap<FileName, Option<String>>,
    /// What `detect` says of canonical; nothing where canonical is missing, held or not a database.
    pub verdict: Option<Verdict>,
    /// The processes that have canonical or a sidecar open, this process first.
    pub holders: Vec<Holder>,
    /// Why it cannot be told which other processes have them open; left out where it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holders_unknown: Option<String>,
    /// The bytes on the volume that are free for this user.
    pub free_bytes: Option<u64>,
    /// Whether canonical can be given a hard link. True where the runner did not try it.
    pub can_link: bool,
    /// The declared companions.
    pub companions: BTreeMap<CompanionName, CompanionFacts>,
    /// What is not a regular file, and has a name of cutover's or a companion's: its kind, in a
    /// clause. Every start refuses it. Left out where there is none, and where the runner did not
    /// look for it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub irregular: BTreeMap<PlanPath, String>,
}

impl Observation {
    /// Whether a process has v1 open on Windows. There an open file cannot be replaced, but it can
    /// be opened without taking a lock from its holder. So the only way to v2 is a copy of its
    /// pages into v1.
    #[must_use]
    pub fn held_on_windows(&self) -> bool {
        self.platform == Platform::Windows
            && !self.holders.is_empty()
            && self.canonical_facts().is_some_and(|facts| facts.header.is_some())
    }

    /// The other processes that have v1 open and that the system names. A process that Windows does
    /// not name is taken for a scanner, because the process that upgrades has the owner lock.
    #[must_use]
    pub fn other_holders(&self) -> Vec<Holder> {
        self.holders.iter().filter(|holder| holder.is_another()).cloned().collect()
    }

    /// The files beside canonical that may hold rows: backups, what was set aside, and the files of
    /// an unfinished upgrade. Their sidecars belong to them, and empty files hold nothing.
    pub fn may_hold_rows(&self) -> impl Iterator<Item = (&FileName, Role)> {
        self.files.iter().filter_map(|(name, facts)| {
            let role = Role::of(&self.canonical, name)?;
            let is_file = !self.irregular.contains_key(&PlanPath::from(name));
            let [wal, ..] = name.sidecars();
            let bytes = facts.size.max(self.files.get(&wal).map_or(0, |facts| facts.size));
            (role.may_hold_rows() && is_file && bytes > 0).then_some((name, role))
        })
    }

    /// The facts of canonical, if it is there.
    #[must_use]
    pub fn canonical_facts(&self) -> Option<&FileFacts> {
        self.files.get(&self.canonical)
    }

    /// Whether two names are hard links of one file.
    #[must_use]
    pub fn same_file(&self, a: &FileName, b: &FileName) -> bool {
        matches!((self.files.get(a), self.files.get(b)), (Some(a), Some(b)) if a.file_id == b.file_id)
    }
}
