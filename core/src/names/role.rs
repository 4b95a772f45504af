//! Reads a name: what a file is to cutover.

use super::{
    ASIDE, CUTOVER_LOCK, DISPLACED, FileName, INSTALL, JOURNAL, LEGACY_JOURNAL, Label, Nonce,
    OWNER_LOCK, RECEIPT, SIDECARS, SOURCE, STAGING, TMP, nonce_after,
};

/// What a name in a companion's directory is to cutover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompanionRole {
    /// The companion before an upgrade.
    Backup,
    /// A backup, or new content, that a runner had not finished.
    BackupTmp,
    /// New content, until the flip.
    Staged,
    /// A companion that a program had changed, set aside.
    Displaced,
}

impl CompanionRole {
    /// Reads a name. `None` where the name is not one of cutover's.
    #[must_use]
    pub fn of(file: &FileName, name: &FileName) -> Option<Self> {
        let rest = name.as_str().strip_prefix(file.as_str())?.strip_prefix('.')?;
        let (rest, role) = match rest.strip_suffix(TMP).and_then(|rest| rest.strip_suffix('.')) {
            Some(rest) => (rest, Self::BackupTmp),
            None => (rest, Self::Backup),
        };
        let (word, nonce) = rest.rsplit_once('-')?;
        Nonce::new(nonce).ok()?;
        match (word, role) {
            (STAGING, Self::Backup) => Some(Self::Staged),
            (DISPLACED, Self::Backup) => Some(Self::Displaced),
            _ => Label::new(word).is_ok().then_some(role),
        }
    }
}

/// What a name in the database's directory is to cutover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// The database itself.
    Canonical,
    /// A sidecar of the database, or of a database that cutover made.
    Sidecar(Box<Role>),
    /// A private copy of v1.
    Source(Nonce),
    /// Where v2 is built.
    Staging(Nonce),
    /// v2, copied from a staging that a connection still holds.
    Install(Nonce),
    /// v1 after a cutover.
    Backup {
        /// The label of the upgrade that made it.
        label: Label,
        /// When it began, Unix milliseconds.
        started_ms: u64,
        /// Its nonce.
        nonce: Nonce,
    },
    /// A backup's receipt.
    Receipt,
    /// A journal of cutover.
    Journal(Label),
    /// A journal, or the copy of a database, that a runner had not finished.
    JournalTmp(Label, Nonce),
    /// A journal that was set aside.
    JournalAside,
    /// The journal of the legacy daemon.
    LegacyJournal,
    /// One of the two lock files.
    Lock,
    /// A database that was set aside.
    Displaced(Nonce),
}

impl Role {
    /// Reads a name. `None` where the name is not one of cutover's.
    #[must_use]
    pub fn of(canonical: &FileName, name: &FileName) -> Option<Self> {
        if let Some(role) = Self::of_main(canonical, name.as_str()) {
            return Some(role);
        }
        let base = SIDECARS.iter().find_map(|suffix| name.as_str().strip_suffix(suffix))?;
        match Self::of_main(canonical, base)? {
            role @ (Self::Canonical | Self::JournalTmp(..)) => Some(Self::Sidecar(Box::new(role))),
            role => role.may_hold_rows().then(|| Self::Sidecar(Box::new(role))),
        }
    }

    /// Whether a runner had not finished the file, and nothing needs it.
    pub(crate) fn is_unfinished(&self) -> bool {
        match self {
            Self::Sidecar(of) => matches!(**of, Self::JournalTmp(..)),
            role => matches!(role, Self::JournalTmp(..)),
        }
    }

    /// Whether it is a database beside canonical: a backup, what was set aside, or a file of an
    /// unfinished upgrade.
    pub(crate) fn may_hold_rows(&self) -> bool {
        matches!(
            self,
            Self::Backup { .. }
                | Self::Displaced(_)
                | Self::Staging(_)
                | Self::Install(_)
                | Self::Source(_)
        )
    }

    fn of_main(canonical: &FileName, name: &str) -> Option<Self> {
        let rest = name.strip_prefix(canonical.as_str())?;
        if rest.is_empty() {
            return Some(Self::Canonical);
        }
        let rest = rest.strip_prefix('.')?;
        let numbered = [
            (SOURCE, Self::Source as fn(Nonce) -> Self),
            (STAGING, Self::Staging),
            (INSTALL, Self::Install),
            (DISPLACED, Self::Displaced),
        ];
        for (word, role) in numbered {
            if let Some(nonce) = nonce_after(word, rest) {
                return Some(role(nonce));
            }
        }
        if rest.strip_suffix(SIDECARS[2]).unwrap_or(rest) == OWNER_LOCK || rest == CUTOVER_LOCK {
            return Some(Self::Lock);
        }
        // `more` is what follows the journal's name. A label has no dot, so no word is in it.
        let (journal, more) = match rest.find(RECEIPT).map(|at| rest.split_at(at + RECEIPT.len())) {
            Some((journal, "")) => (journal, None),
            Some((journal, more)) => (journal, Some(more.strip_prefix('.')?)),
            None => return Self::backup(rest),
        };
        let label = journal.strip_suffix(JOURNAL).and_then(|label| Label::new(label).ok());
        match (label, more) {
            (Some(label), None) => Some(Self::Journal(label)),
            (None, None) if journal == LEGACY_JOURNAL => Some(Self::LegacyJournal),
            (None, None) => Self::backup(journal.strip_suffix(RECEIPT)?).map(|_| Self::Receipt),
            (label, Some(more)) => {
                let ours = label.is_some() || journal == LEGACY_JOURNAL;
                if ours && nonce_after(ASIDE, more).is_some() {
                    return Some(Self::JournalAside);
                }
                Some(Self::JournalTmp(label?, nonce_after(TMP, more)?))
            }
        }
    }

    /// Reads `<label>-<unix ms>-<nonce>`. The milliseconds have no leading zero, so that a name has
    /// one reading.
    fn backup(rest: &str) -> Option<Self> {
        let (rest, nonce) = rest.rsplit_once('-')?;
        let (label, ms) = rest.rsplit_once('-')?;
        let started_ms: u64 = ms.parse().ok()?;
        if started_ms.to_string() != ms {
            return None;
        }
        Some(Self::Backup {
            label: Label::new(label).ok()?,
            started_ms,
            nonce: Nonce::new(nonce).ok()?,
        })
    }
}
