//! What JavaScript asks of backups.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cutover::core::names::CompanionName;
use cutover::{BackupOptions, Error, Host, Integrity, Lock, OwnerLock, Rule};
use serde::Deserialize;

use crate::options::{Product, json};

/// What is done with a backup.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Verb {
    Restore(PathBuf),
    Prune(Rule),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Given {
    verb: Verb,
    path: PathBuf,
    companions: BTreeMap<String, PathBuf>,
    wait_ms: Option<u64>,
    flags: Flags,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)] // each is an option of its own
struct Flags {
    /// `integrity: "full"`.
    full: bool,
    /// `lock: "held"`.
    held: bool,
    /// Somebody listens to events.
    events: bool,
    /// The signal was aborted before anything began.
    aborted: bool,
}

/// A restore or a prune.
pub(crate) struct Work {
    verb: Verb,
    path: PathBuf,
    options: BackupOptions,
    pub events: bool,
    pub aborted: bool,
}

impl Given {
    pub(crate) fn check(self, lock: Option<OwnerLock>) -> Result<Work, String> {
        for name in self.companions.keys() {
            CompanionName::new(name.clone())
                .map_err(|error| format!("options.companions: {error}"))?;
        }
        let default = BackupOptions::default();
        let options = BackupOptions {
            companions: self.companions,
            lock: match lock {
                Some(lock) => Lock::Own(lock),
                None if self.flags.held => Lock::Held,
                None => Lock::Acquire,
            },
            wait_ms: self.wait_ms.unwrap_or(default.wait_ms),
            integrity: if self.flags.full { Integrity::Full } else { Integrity::Quick },
        };
        let Flags { events, aborted, .. } = self.flags;
        Ok(Work { verb: self.verb, path: self.path, options, events, aborted })
    }
}

impl Work {
    pub(crate) fn perform(self, host: &mut dyn Host) -> Result<Product, Error> {
        match self.verb {
            Verb::Restore(backup) => {
                json(&cutover::restore(&self.path, &backup, &self.options, host)?)
            }
            Verb::Prune(rule) => {
                json(&cutover::prune_backups(&self.path, rule, &self.options, host)?)
            }
        }
    }
}
