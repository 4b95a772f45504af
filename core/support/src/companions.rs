//! The companions whose backups the receipts name. A receipt does not say in which folder they are.

use std::collections::{BTreeMap, BTreeSet};

use cutover_core::{CompanionName, FileName, Receipts, read_backup};

/// A companion as a receipt names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeptCompanion {
    /// The application's word for it.
    pub name: CompanionName,
    /// Its bare file name.
    pub file: FileName,
    /// The bare name of its backup, beside it.
    pub backup: FileName,
}

/// The companions of the receipts beside `canonical`.
#[must_use]
pub fn kept_companions(canonical: &FileName, receipts: &Receipts) -> BTreeSet<KeptCompanion> {
    let of = |receipt: &FileName| {
        let backup = FileName::new(receipt.as_str().strip_suffix(".json")?).ok()?;
        read_backup(canonical, receipts, &backup).ok()
    };
    let mut kept = BTreeSet::new();
    for receipt in receipts.keys().filter_map(of) {
        let ends = format!(".{}-{}", receipt.label, receipt.nonce);
        let companions: BTreeMap<CompanionName, FileName> = receipt.companions;
        for (name, backup) in companions {
            let file =
                backup.as_str().strip_suffix(&ends).and_then(|file| FileName::new(file).ok());
            kept.extend(file.map(|file| KeptCompanion { name, file, backup }));
        }
    }
    kept
}
