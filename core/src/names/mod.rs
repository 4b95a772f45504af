//! The grammar of every name that cutover puts on disk. No other file knows it.
//!
//! A journal or a plan is hostile input, and names files to be removed. So each name must be a bare
//! file name, never a path. A journal's name must be exactly the one that this grammar makes from
//! the journal's canonical name, label and nonce.

mod role;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use role::{CompanionRole, Role};

/// The longest file name accepted, in bytes: the limit of ext4, xfs, APFS (in UTF-8) and, roughly,
/// NTFS.
pub const MAX_NAME_BYTES: usize = 255;

/// Sidecars of a database, in the order in which a set is taken apart.
pub const SIDECARS: [&str; 3] = ["-wal", "-shm", "-journal"];

// The words of the grammar. One constant both builds and reads each name.
const SOURCE: &str = "source";
const STAGING: &str = "building";
const INSTALL: &str = "install";
const DISPLACED: &str = "displaced";
const ASIDE: &str = "aside";
const TMP: &str = "tmp";
const JOURNAL: &str = "-cutover.json";
const LEGACY_JOURNAL: &str = "v1-v2-migration.json";
const RECEIPT: &str = ".json";
const OWNER_LOCK: &str = "owner-lock";
const CUTOVER_LOCK: &str = "cutover-lock";
/// Words that no label may be: a name with such a label would have two readings.
const RESERVED: [&str; 7] = [SOURCE, STAGING, INSTALL, DISPLACED, ASIDE, "owner", "cutover"];

/// Reads `<word>-<nonce>`.
fn nonce_after(word: &str, text: &str) -> Option<Nonce> {
    Nonce::new(text.strip_prefix(word)?.strip_prefix('-')?).ok()
}

/// A name that does not fit the grammar.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {found:?}: {why}")]
#[non_exhaustive]
pub struct NameError {
    /// Which field held the name.
    pub what: String,
    /// The name itself.
    pub found: String,
    /// What is wrong with the name.
    pub why: String,
}

pub(crate) fn bad(what: &str, found: &str, why: impl Into<String>) -> NameError {
    NameError { what: what.to_owned(), found: found.to_owned(), why: why.into() }
}

macro_rules! text_newtype {
    ($name:ident) => {
        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                Self::new(text)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

/// A bare file name: one path component, in any directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);
text_newtype!(FileName);

impl FileName {
    /// Accepts one path component and nothing else.
    ///
    /// # Errors
    /// When the text is empty, `.` or `..`, longer than [`MAX_NAME_BYTES`], or holds a separator or
    /// a control character.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        let why = if text.is_empty() {
            "is empty"
        } else if text == "." || text == ".." {
            "is a directory, not a file name"
        } else if text.len() > MAX_NAME_BYTES {
            "is longer than 255 bytes"
        } else if text.contains(['/', '\\']) {
            "is a path; only a bare file name is accepted"
        } else if text.chars().any(char::is_control) {
            "holds a control character"
        } else {
            return Ok(Self(text));
        };
        Err(bad("file name", &text, why))
    }

    /// Appends `suffix`. [`Names::new`] has checked that the longest result fits.
    fn with(&self, suffix: &str) -> Self {
        Self(format!("{}{suffix}", self.0))
    }

    /// The nonce that this name ends with.
    pub(crate) fn nonce(&self) -> Option<Nonce> {
        Nonce::new(self.0.rsplit_once('-')?.1).ok()
    }

    /// The names that this name may be made from: the text before each of its dots.
    pub(crate) fn bases(&self) -> impl Iterator<Item = Self> {
        self.0.match_indices('.').filter_map(|(dot, _)| Self::new(&self.0[..dot]).ok())
    }

    /// `-wal`, `-shm` and `-journal` of this database.
    #[must_use]
    pub fn sidecars(&self) -> [FileName; 3] {
        SIDECARS.map(|suffix| self.with(suffix))
    }

    /// The database and its sidecars: the file set.
    #[must_use]
    pub fn set(&self) -> [FileName; 4] {
        let [wal, shm, journal] = self.sidecars();
        [self.clone(), wal, shm, journal]
    }
}

/// The name of one kind of upgrade, for example `v1-v2`. The names of the backup and of the journal
/// contain it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);
text_newtype!(Label);

impl Label {
    /// Accepts 1 to 32 of `a-z`, `0-9` and `-`, beginning and ending with a letter or digit.
    ///
    /// # Errors
    /// When the text is anything else, or a word of the grammar.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let why = if text.is_empty() || text.len() > 32 {
            "must have 1 to 32 characters"
        } else if !text.chars().all(|c| plain(c) || c == '-') {
            // A dot would let a database `data` take the files of `data.db` for its own.
            "may hold only a-z, 0-9 and '-'"
        } else if !text.starts_with(plain) || !text.ends_with(plain) {
            "must begin and end with a letter or a digit"
        } else if RESERVED.contains(&text.as_str()) {
            "is a word that cutover uses in file names itself"
        } else {
            return Ok(Self(text));
        };
        Err(bad("label", &text, why))
    }
}

/// Eight lower-case hex digits. They tell the files of one attempt from those of another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Nonce(String);
text_newtype!(Nonce);

impl Nonce {
    /// Accepts exactly eight lower-case hex digits.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        if text.len() == 8 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(text))
        } else {
            Err(bad("nonce", &text, "must be 8 lower-case hex digits"))
        }
    }

    /// The nonce of this number.
    #[must_use]
    pub fn from_number(number: u32) -> Self {
        Self(format!("{number:08x}"))
    }
}

/// The application's own word for a companion, for example `auth`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct CompanionName(String);
text_newtype!(CompanionName);

impl CompanionName {
    /// Accepts 1 to 32 of `a-z`, `A-Z`, `0-9`, `_` and `-`.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        let fits = (1..=32).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        if fits {
            Ok(Self(text))
        } else {
            Err(bad("companion", &text, "must be 1 to 32 letters, digits, '_' or '-'"))
        }
    }
}

/// A file that an op works on: `<name>` in the database's directory, or `<companion>/<name>` in the
/// directory of a companion.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "String"))]
#[serde(try_from = "String", into = "String")]
pub struct PlanPath {
    /// The companion in whose directory the file is; nothing for the database's directory.
    pub companion: Option<CompanionName>,
    /// The bare file name there.
    pub name: FileName,
}

impl fmt::Display for PlanPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.companion {
            Some(companion) => write!(f, "{companion}/{}", self.name),
            None => write!(f, "{}", self.name),
        }
    }
}

impl TryFrom<String> for PlanPath {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        match text.split_once('/') {
            Some((companion, name)) => Ok(Self {
                companion: Some(CompanionName::new(companion)?),
                name: FileName::new(name)?,
            }),
            None => Ok(Self { companion: None, name: FileName::new(text)? }),
        }
    }
}

impl From<PlanPath> for String {
    fn from(at: PlanPath) -> String {
        at.to_string()
    }
}

impl From<&FileName> for PlanPath {
    fn from(name: &FileName) -> Self {
        Self { companion: None, name: name.clone() }
    }
}

/// The names of one cutover, all in the directory of the canonical database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Names {
    /// The name that the application opens.
    pub canonical: FileName,
    /// A private copy of v1 for a callback of the application.
    pub source: FileName,
    /// Where v2 is built.
    pub staging: FileName,
    /// The file that becomes canonical where staging itself cannot.
    pub install: FileName,
    /// v1 after the cutover.
    pub backup: FileName,
}

impl Names {
    /// Makes the names from `label`, `nonce` and the start time in Unix milliseconds.
    ///
    /// # Errors
    /// When a name would be longer than a file system accepts.
    pub fn new(
        canonical: &FileName,
        label: &Label,
        nonce: &Nonce,
        started_ms: u64,
    ) -> Result<Self, NameError> {
        let names = Self {
            source: canonical.with(&format!(".{SOURCE}-{nonce}")),
            staging: canonical.with(&format!(".{STAGING}-{nonce}")),
            install: canonical.with(&format!(".{INSTALL}-{nonce}")),
            backup: canonical.with(&format!(".{label}-{started_ms}-{nonce}")),
            canonical: canonical.clone(),
        };
        let longest = names
            .backup
            .as_str()
            .len()
            .max(journal_tmp_name(canonical, label, nonce).as_str().len())
            + SIDECARS[2].len();
        if longest > MAX_NAME_BYTES {
            return Err(bad(
                "canonical",
                canonical.as_str(),
                "is too long: the names made from it would be longer than 255 bytes",
            ));
        }
        Ok(names)
    }

    /// Proves that the names of a journal or plan are exactly those that its label and nonce make.
    /// The backup of a restore (`restores`) has the nonce of the upgrade that made it.
    ///
    /// # Errors
    /// The first field that differs, with the name that it must have.
    pub fn check(&self, label: &Label, nonce: &Nonce, restores: bool) -> Result<(), NameError> {
        let started_ms = match Role::of(&self.canonical, &self.backup) {
            Some(Role::Backup { label: of, nonce: made_by, started_ms })
                if of == *label && (restores || made_by == *nonce) =>
            {
                started_ms
            }
            _ => {
                let nonce = if restores { "<nonce>" } else { nonce.as_str() };
                let want = format!("must be {}.{label}-<unix ms>-{nonce}", self.canonical);
                return Err(bad("names.backup", self.backup.as_str(), want));
            }
        };
        let want = Self::new(&self.canonical, label, nonce, started_ms)?;
        for (field, found, want) in [
            ("names.source", &self.source, &want.source),
            ("names.staging", &self.staging, &want.staging),
            ("names.install", &self.install, &want.install),
        ] {
            if found != want {
                return Err(bad(field, found.as_str(), format!("must be {want}")));
            }
        }
        Ok(())
    }

    /// The receipt beside the backup.
    #[must_use]
    pub fn receipt(&self) -> FileName {
        receipt_name(&self.backup)
    }
}

/// The receipt of a backup: `<backup>.json`.
#[must_use]
pub fn receipt_name(backup: &FileName) -> FileName {
    backup.with(RECEIPT)
}

/// The backup of a receipt: the reverse of [`receipt_name`].
#[must_use]
pub fn backup_of(receipt: &FileName) -> Option<FileName> {
    FileName::new(receipt.as_str().strip_suffix(RECEIPT)?).ok()
}

/// The journal of a label: `<canonical>.<label>-cutover.json`.
#[must_use]
pub fn journal_name(canonical: &FileName, label: &Label) -> FileName {
    canonical.with(&format!(".{label}{JOURNAL}"))
}

/// The name of a journal while a runner writes it, before the rename to the journal's name.
#[must_use]
pub fn journal_tmp_name(canonical: &FileName, label: &Label, nonce: &Nonce) -> FileName {
    journal_name(canonical, label).with(&format!(".{TMP}-{nonce}"))
}

/// The name of a journal that was set aside because it could not be read.
#[must_use]
pub fn journal_aside_name(journal: &FileName, nonce: &Nonce) -> FileName {
    journal.with(&format!(".{ASIDE}-{nonce}"))
}

/// The journal of the legacy daemon: `<canonical>.v1-v2-migration.json`.
#[must_use]
pub fn legacy_journal_name(canonical: &FileName) -> FileName {
    canonical.with(&format!(".{LEGACY_JOURNAL}"))
}

/// The name of a file that was set aside: a v2 that a restore replaced, a companion that an undo
/// replaced, or a database that appeared at canonical's name while v1 was moved away.
#[must_use]
pub fn displaced_name(file: &FileName, nonce: &Nonce) -> FileName {
    file.with(&format!(".{DISPLACED}-{nonce}"))
}

/// Whether `to` is the [`displaced_name`] name of `from`. Both may be sidecars.
#[must_use]
pub fn is_displaced(from: &FileName, to: &FileName) -> bool {
    let (from, to) = (from.as_str(), to.as_str());
    let stems = |suffix: &&str| Some((from.strip_suffix(*suffix)?, to.strip_suffix(*suffix)?));
    let (from, to) = SIDECARS.iter().find_map(stems).unwrap_or((from, to));
    to.strip_prefix(from)
        .and_then(|rest| rest.strip_prefix('.'))
        .is_some_and(|rest| nonce_after(DISPLACED, rest).is_some())
}

/// Whether `to` is the [`journal_aside_name`] name of the journal `from`.
#[must_use]
pub fn is_journal_aside(from: &FileName, to: &FileName) -> bool {
    let rest = to.as_str().strip_prefix(from.as_str()).and_then(|rest| rest.strip_prefix('.'));
    rest.is_some_and(|rest| nonce_after(ASIDE, rest).is_some())
}

/// The SQLite file whose exclusive lock tells which process owns the database.
#[must_use]
pub fn owner_lock_name(canonical: &FileName) -> FileName {
    canonical.with(&format!(".{OWNER_LOCK}"))
}

/// The second lock file, which a process holds with flock or `LockFileEx`.
#[must_use]
pub fn cutover_lock_name(canonical: &FileName) -> FileName {
    canonical.with(&format!(".{CUTOVER_LOCK}"))
}

/// The lock beside a companion: `<file>.cutover-lock`, which a process holds with flock or
/// `LockFileEx`. Two data directories may share a companion, so the name has no database in it.
#[must_use]
pub fn companion_lock_name(file: &FileName) -> FileName {
    cutover_lock_name(file)
}

/// A companion's backup: `<file>.<label>-<nonce>`.
#[must_use]
pub fn companion_backup_name(file: &FileName, label: &Label, nonce: &Nonce) -> FileName {
    file.with(&format!(".{label}-{nonce}"))
}

/// The name of a companion's backup, or of its new content, while a runner writes it.
#[must_use]
pub fn companion_backup_tmp_name(file: &FileName, label: &Label, nonce: &Nonce) -> FileName {
    file.with(&format!(".{label}-{nonce}.{TMP}"))
}

/// Whether a file system takes every name that is made from a companion's.
#[must_use]
pub fn companion_fits(file: &FileName, label: &Label, nonce: &Nonce) -> bool {
    let made = [companion_backup_tmp_name(file, label, nonce), displaced_name(file, nonce)];
    made.iter().all(|name| name.as_str().len() <= MAX_NAME_BYTES)
}

/// The new content of a companion until the flip: `<file>.building-<nonce>`.
#[must_use]
pub fn companion_staged_name(file: &FileName, nonce: &Nonce) -> FileName {
    file.with(&format!(".{STAGING}-{nonce}"))
}
