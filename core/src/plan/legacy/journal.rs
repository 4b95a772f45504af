//! Version 1 of the journal, which the legacy daemon writes.
//!
//! Its paths are absolute. The directory may have been moved or copied since, so only the base names
//! are used, in the database's own directory, and each must be a name of the grammar.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::journal::{ReadError, read_versioned};
use crate::names::{FileName, Label, NameError, Names, Nonce, Role};

/// How far the legacy daemon had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LegacyPhase {
    /// v2 is being built.
    Building,
    /// v2 is complete; canonical is v1.
    Built,
    /// Canonical was moved to the backup.
    CanonicalMoved,
    /// v2 is canonical.
    Committed,
}

impl LegacyPhase {
    /// The word in the journal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Building => "building",
            Self::Built => "built",
            Self::CanonicalMoved => "canonical-moved",
            Self::Committed => "committed",
        }
    }
}

/// The legacy journal as it is on disk.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Raw {
    #[serde(rename = "version")]
    _version: u32,
    source: String,
    normalized_source: String,
    staging: String,
    backup: String,
    auth_path: String,
    auth_backup: Option<String>,
    auth_existed: bool,
    keychain_backups: Option<Value>,
    nonce: String,
    phase: LegacyPhase,
}

/// The legacy journal, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyJournal {
    /// How far it had come.
    pub phase: LegacyPhase,
    /// Always `v1-v2`.
    pub label: Label,
    /// Its nonce.
    pub nonce: Nonce,
    /// Its files. The daemon uses no `install`.
    pub names: Names,
    /// The companion's absolute path, as written. For messages and comparison only.
    pub auth_path: String,
    /// The companion's bare name.
    pub auth_file: FileName,
    /// Whether a backup of it was made.
    pub auth_backup: bool,
    /// Whether it existed before.
    pub auth_existed: bool,
    /// Where the database was, as written.
    directory: String,
    /// What the application's undo or clean-up needs.
    pub keychain_backups: Option<Value>,
}

/// Takes both separators: the journal may have been written on another system.
fn split(path: &str) -> (&str, &str) {
    path.rfind(['/', '\\']).map_or(("", path), |at| (&path[..at], &path[at + 1..]))
}

fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split(['/', '\\']).filter(|name| !name.is_empty())
}

fn mismatch(what: &str, found: &str, why: impl Into<String>) -> ReadError {
    NameError { what: what.to_owned(), found: found.to_owned(), why: why.into() }.into()
}

fn bare(what: &str, path: &str, name: &str) -> Result<FileName, ReadError> {
    FileName::new(name).map_err(|error| mismatch(what, path, error.why))
}

impl LegacyJournal {
    /// Reads the journal and proves that every name in it is the one that the grammar gives.
    ///
    /// # Errors
    /// See [`ReadError`]; each says which field.
    pub fn parse(text: &str, canonical: &FileName) -> Result<Self, ReadError> {
        let raw: Raw = read_versioned(text, 1)?;
        let nonce = Nonce::new(raw.nonce)?;
        let label = Label::new("v1-v2")?;
        let (directory, source) = split(&raw.source);
        if source != canonical.as_str() {
            return Err(mismatch(
                "source",
                &raw.source,
                format!("must end in {canonical}, the database beside which it lies"),
            ));
        }
        let own = |what: &str, path: &str| -> Result<FileName, ReadError> {
            let (dir, name) = split(path);
            if dir != directory {
                return Err(mismatch(what, path, "must be in the directory of `source`"));
            }
            bare(what, path, name)
        };
        let backup = own("backup", &raw.backup)?;
        let Some(Role::Backup { started_ms, .. }) = Role::of(canonical, &backup) else {
            return Err(mismatch(
                "backup",
                &raw.backup,
                format!("must be {canonical}.{label}-<unix ms>-{nonce}"),
            ));
        };
        let names = Names::new(canonical, &label, &nonce, started_ms)?;
        for (what, found, path, want) in [
            ("backup", backup, &raw.backup, &names.backup),
            ("staging", own("staging", &raw.staging)?, &raw.staging, &names.staging),
            (
                "normalizedSource",
                own("normalizedSource", &raw.normalized_source)?,
                &raw.normalized_source,
                &names.source,
            ),
        ] {
            if found != *want {
                return Err(mismatch(what, path, format!("must end in {want}")));
            }
        }
        let (auth_directory, auth_name) = split(&raw.auth_path);
        let auth_file = bare("authPath", &raw.auth_path, auth_name)?;
        if let Some(path) = &raw.auth_backup {
            let want = crate::names::companion_backup_name(&auth_file, &label, &nonce);
            if split(path) != (auth_directory, want.as_str()) {
                return Err(mismatch(
                    "authBackup",
                    path,
                    format!("must be {want} beside authPath"),
                ));
            }
        }
        Ok(Self {
            phase: raw.phase,
            label,
            nonce,
            names,
            directory: directory.to_owned(),
            auth_file,
            auth_backup: raw.auth_backup.is_some(),
            auth_existed: raw.auth_existed,
            auth_path: raw.auth_path,
            keychain_backups: raw.keychain_backups,
        })
    }

    /// Whether the companion was at this path, relative to the database's directory.
    #[must_use]
    pub fn auth_is_at(&self, relative: &str) -> bool {
        let mut path: Vec<&str> = names(&self.directory).collect();
        for name in names(relative) {
            match name {
                ".." => path.truncate(path.len().saturating_sub(1)),
                name => path.push(name),
            }
        }
        names(&self.auth_path).eq(path)
    }
}
