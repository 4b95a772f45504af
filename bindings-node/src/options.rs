//! The options as JavaScript gives them, and the runner's options that they become.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cutover::planner::{CompanionName, Label};
use cutover::{
    BackupOptions, BuildBy, BuildFrom, Detect, DoctorOptions, Event, Failure, Held, Integrity,
    Lock, Make, Options, OwnerLock, Unseen,
};
use serde::Deserialize;

/// The options that an upgrade and work on backups share.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)] // each is an option of its own
pub(crate) struct Shared {
    pub path: PathBuf,
    companions: BTreeMap<String, PathBuf>,
    wait_ms: Option<u64>,
    /// `integrity: "full"`.
    full: bool,
    /// `lock: "held"`.
    held: bool,
    /// `unseen: "proceed"`.
    unseen: bool,
    /// The application listens to events.
    pub events: bool,
    /// The application aborted the signal before the call.
    pub aborted: bool,
}

/// The options of an upgrade alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct UpgradeGiven {
    label: String,
    detect: DetectGiven,
    from: BuildFrom,
    /// `None`: the application builds v2.
    sql: Option<String>,
    keep_backups: Option<u32>,
    /// The application checks v2.
    verify: bool,
    /// `held: "proceed"`.
    proceed: bool,
    /// SQLite checks v1.
    check_v1: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum DetectGiven {
    #[serde(rename_all = "camelCase")]
    Stamp {
        table: String,
        column: String,
        value: String,
    },
    UserVersion(i32),
    /// A function of the application, with what tells it from every other.
    Host(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DoctorGiven {
    pub path: PathBuf,
    companions: BTreeMap<String, PathBuf>,
    last_error: Option<Failure>,
    events: Vec<Event>,
    /// The application listens to events.
    pub events_heard: bool,
    /// The application aborted the signal before the call.
    pub aborted: bool,
    runtime: Option<String>,
    application_data: bool,
    check_up_to: Option<u64>,
}

impl Shared {
    /// The path, and the runner's options for work on backups.
    pub(crate) fn backups(
        self,
        lock: Option<OwnerLock>,
    ) -> Result<(PathBuf, BackupOptions), String> {
        for name in self.companions.keys() {
            CompanionName::new(name.clone())
                .map_err(|error| format!("options.companions: {error}"))?;
        }
        let lock = match lock {
            Some(lock) => Lock::Own(lock),
            None if self.held => Lock::Held,
            None => Lock::Acquire,
        };
        let mut options = BackupOptions::default()
            .companions(self.companions)
            .lock(lock)
            .unseen(if self.unseen { Unseen::Proceed } else { Unseen::Refuse })
            .integrity(if self.full { Integrity::Full } else { Integrity::Quick });
        if let Some(wait_ms) = self.wait_ms {
            options.wait_ms = wait_ms;
        }
        Ok((self.path, options))
    }
}

impl UpgradeGiven {
    /// The runner's options for an upgrade.
    pub(crate) fn options(
        self,
        shared: Shared,
        lock: Option<OwnerLock>,
    ) -> Result<Options, String> {
        Label::new(self.label.clone()).map_err(|error| format!("options.label: {error}"))?;
        let (detect, detect_id) = match self.detect {
            DetectGiven::Stamp { table, column, value } => {
                (Detect::Stamp { table, column, value }, None)
            }
            DetectGiven::UserVersion(version) => (Detect::UserVersion(version), None),
            DetectGiven::Host(id) => (Detect::Host, Some(id)),
        };
        let run = self.sql.map_or(BuildBy::Host, BuildBy::Sql);
        let (path, beside) = shared.backups(lock)?;
        let mut options = Options::new(path, self.label, detect, Make { from: self.from, run })
            .companions(beside.companions)
            .lock(beside.lock)
            .unseen(beside.unseen)
            .wait_ms(beside.wait_ms)
            .integrity(beside.integrity)
            .verify(self.verify)
            .held(if self.proceed { Held::Proceed } else { Held::Refuse })
            .check_v1(self.check_v1);
        options.detect_id = detect_id;
        options.keep_backups = self.keep_backups;
        Ok(options)
    }
}

impl From<DoctorGiven> for DoctorOptions {
    fn from(given: DoctorGiven) -> Self {
        let mut options = Self::default()
            .companions(given.companions)
            .events(given.events)
            .application_data(given.application_data);
        options.last_error = given.last_error;
        options.runtime = given.runtime;
        if let Some(bytes) = given.check_up_to {
            options.check_up_to = bytes;
        }
        options
    }
}
