//! The backups of a database, judged by names, sizes and receipts. No backup is opened, because the
//! process that lists backups may hold one.
//!
//! A backup is *whole* when its own receipt exists and says its size, and no log or rollback
//! journal with data is beside it. Only reading the backup tells whether its pages are sound: a
//! restore does that.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::count::counted;
use crate::journal::{ReadError, Receipt, Strategy, V1, Warning};
use crate::names::{CompanionName, FileName, Label, Nonce, Role, receipt_name};
use crate::observe::Observation;

/// The text of each receipt; nothing where the file could not be read, or not as text.
pub type Receipts = BTreeMap<FileName, Option<String>>;

/// A backup, with what its receipt says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Backup {
    /// Its bare name, in the database's directory.
    pub name: FileName,
    /// The upgrade that made it.
    pub label: Label,
    /// When that upgrade began, in Unix milliseconds.
    pub started_ms: u64,
    /// The nonce of that upgrade.
    pub nonce: Nonce,
    /// Bytes.
    pub size: u64,
    /// Whether it can be restored, as far as names, sizes and receipts tell.
    pub whole: bool,
    /// Why it is not whole.
    pub why: Option<String>,
    /// A newer release wrote its receipt.
    #[serde(skip)]
    pub(crate) newer: bool,
    /// How v2 became canonical. With `page-copy` the backup is a copy that SQLite made, else it is
    /// v1's own file. Nothing without a receipt.
    pub strategy: Option<Strategy>,
    /// v1, as it was settled. Nothing without a receipt, and for an upgrade that the legacy daemon
    /// began.
    pub v1: Option<V1>,
    /// Backups of companions, in their own directories.
    pub companions: BTreeMap<CompanionName, FileName>,
    /// What the host's build returned.
    pub report: Option<Value>,
    /// The warnings of that upgrade.
    pub warnings: Vec<Warning>,
}

/// The end of the year 9999, in Unix milliseconds. No clock was ever ahead that far, so a name with a
/// later time was not made by an upgrade.
const LAST_MS: u64 = 253_402_300_799_999;

/// When an upgrade began that begins now, as its backup's name will say it: later than every whole
/// backup, even where a clock was wrong once, so that the new backup is the newest. A name alone
/// decides nothing.
#[must_use]
pub fn begins_ms(backups: &[Backup], now_ms: u64) -> u64 {
    let whole = backups.iter().filter(|backup| backup.whole && backup.started_ms < LAST_MS);
    whole.map(|backup| backup.started_ms + 1).fold(now_ms, u64::max)
}

/// Every backup: the whole ones, newest first, and then the others.
#[must_use]
pub fn list_backups(observation: &Observation, receipts: &Receipts) -> Vec<Backup> {
    let mut backups: Vec<Backup> =
        observation.files.keys().filter_map(|name| look_at(observation, receipts, name)).collect();
    let rank = |of: &Backup| (of.whole, of.started_ms <= LAST_MS, of.started_ms);
    backups
        .sort_unstable_by(|a, b| (rank(b), &b.nonce, &a.name).cmp(&(rank(a), &a.nonce, &b.name)));
    backups
}

fn look_at(observation: &Observation, receipts: &Receipts, name: &FileName) -> Option<Backup> {
    let Some(Role::Backup { label, started_ms, nonce }) = Role::of(&observation.canonical, name)
    else {
        return None;
    };
    let size = observation.files.get(name)?.size;
    let mut backup = Backup {
        name: name.clone(),
        label,
        started_ms,
        nonce,
        size,
        whole: true,
        why: None,
        newer: false,
        strategy: None,
        v1: None,
        companions: BTreeMap::new(),
        report: None,
        warnings: Vec::new(),
    };
    backup.why = match read_backup(&observation.canonical, receipts, name) {
        Err(why) => {
            let receipt = receipts.get(&receipt_name(name)).and_then(Option::as_deref);
            backup.newer =
                matches!(receipt.map(Receipt::parse), Some(Err(ReadError::TooNew { .. })));
            Some(why)
        }
        Ok(receipt) => {
            let known = receipt.v1.as_ref().map(|v1| v1.fingerprint.size);
            backup.strategy = Some(receipt.strategy);
            backup.v1 = receipt.v1;
            backup.companions = receipt.companions;
            backup.report = receipt.report;
            backup.warnings = receipt.warnings;
            let [wal, _, journal] = name.sidecars();
            let beside = [wal, journal]
                .into_iter()
                .find(|name| observation.files.get(name).is_some_and(|facts| facts.size > 0));
            match (known, beside) {
                (Some(known), _) if known != size => {
                    Some(format!("it has {}, and its receipt says {known}", counted(size, "byte")))
                }
                (None, _) if size == 0 => Some("it is empty".into()),
                (_, Some(beside)) => Some(format!(
                    "{beside} is beside it: a program opened it, and may have changed it"
                )),
                _ => None,
            }
        }
    };
    backup.whole = backup.why.is_none();
    Some(backup)
}

/// Reads the receipt of a backup, and proves that it belongs to that backup.
///
/// # Errors
/// Why the receipt cannot be used.
pub fn read_backup(
    canonical: &FileName,
    receipts: &Receipts,
    backup: &FileName,
) -> Result<Receipt, String> {
    let text = match receipts.get(&receipt_name(backup)) {
        None => return Err("there is no receipt beside it".into()),
        Some(None) => return Err("its receipt cannot be read, or is not text".into()),
        Some(Some(text)) => text,
    };
    let receipt =
        Receipt::parse(text).map_err(|error| format!("its receipt cannot be used: {error}"))?;
    let role = Role::Backup {
        label: receipt.label.clone(),
        started_ms: receipt.started_ms,
        nonce: receipt.nonce.clone(),
    };
    let own = receipt.backup == *backup
        && receipt.canonical == *canonical
        && Role::of(canonical, backup) == Some(role);
    if own { Ok(receipt) } else { Err("the receipt beside it belongs to another backup".into()) }
}
