//! Tasks and options, as JavaScript gives them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cutover::core::names::{CompanionName, Label};
use cutover::{
    BuildBy, BuildFrom, Code, Detect, DoctorOptions, Error, Event, Failure, Held, Host, Integrity,
    Lock, Make, Options, OwnerLock,
};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::backups;
use crate::error::internal;

/// What a thread is started for.
pub(crate) enum Task {
    Upgrade { verb: Verb, options: Box<Options>, events: bool, aborted: bool },
    Backups(Box<backups::Work>),
    ListBackups(PathBuf),
    Lock(PathBuf),
    Inspect(PathBuf, BTreeMap<String, PathBuf>),
    Doctor(PathBuf, Box<DoctorOptions>),
}

/// What is done with a set of options.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Verb {
    Migrate,
    Recover,
    Plan,
    RunPlan(String),
}

/// What a task gives.
pub(crate) enum Product {
    Json(Json),
    Lock(OwnerLock),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Given {
    Upgrade { verb: Verb, options: GivenOptions },
    Backups(backups::Given),
    ListBackups { path: PathBuf },
    Lock { path: PathBuf },
    Inspect { path: PathBuf, companions: BTreeMap<String, PathBuf> },
    Doctor(GivenDoctor),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GivenDoctor {
    path: PathBuf,
    companions: BTreeMap<String, PathBuf>,
    last_error: Option<Failure>,
    events: Vec<Event>,
    runtime: Option<String>,
    application_data: bool,
    check_up_to: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GivenOptions {
    path: PathBuf,
    label: String,
    detect: GivenDetect,
    from: BuildFrom,
    /// Nothing: the host builds.
    sql: Option<String>,
    companions: BTreeMap<String, PathBuf>,
    wait_ms: Option<u64>,
    keep_backups: Option<u32>,
    flags: Flags,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)] // each is an option of its own
struct Flags {
    /// The host looks at v2.
    verify: bool,
    /// `integrity: "full"`.
    full: bool,
    /// `lock: "held"`.
    held: bool,
    /// `held: "proceed"`.
    proceed: bool,
    /// Somebody listens to events.
    events: bool,
    /// The signal was aborted before anything began.
    aborted: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum GivenDetect {
    #[serde(rename_all = "camelCase")]
    Stamp {
        table: String,
        column: String,
        value: String,
    },
    UserVersion(i32),
    Host,
}

impl Task {
    /// Reads a task. The TypeScript face checks forms; this checks what only the runner knows.
    pub(crate) fn parse(text: &str, lock: Option<OwnerLock>) -> Result<Self, String> {
        Ok(match serde_json::from_str(text).map_err(|error| error.to_string())? {
            Given::Upgrade { verb, options } => {
                let Flags { events, aborted, .. } = options.flags;
                Self::Upgrade { verb, options: Box::new(options.check(lock)?), events, aborted }
            }
            Given::Backups(given) => Self::Backups(Box::new(given.check(lock)?)),
            Given::ListBackups { path } => Self::ListBackups(path),
            Given::Lock { path } => Self::Lock(path),
            Given::Inspect { path, companions } => Self::Inspect(path, companions),
            Given::Doctor(GivenDoctor {
                path,
                companions,
                last_error,
                events,
                runtime,
                application_data,
                check_up_to,
            }) => {
                let check_up_to = check_up_to.unwrap_or(DoctorOptions::default().check_up_to);
                Self::Doctor(
                    path,
                    Box::new(DoctorOptions {
                        companions,
                        last_error,
                        events,
                        runtime,
                        application_data,
                        check_up_to,
                    }),
                )
            }
        })
    }

    /// Whether somebody listens to events.
    pub(crate) fn tells_events(&self) -> bool {
        match self {
            Self::Upgrade { events, .. } => *events,
            Self::Backups(work) => work.events,
            _ => false,
        }
    }

    /// Does what it says, on this thread.
    pub(crate) fn perform(self, host: &mut dyn Host) -> Result<Product, Error> {
        match self {
            Self::Upgrade { aborted: true, .. } => Err(aborted("start again to upgrade")),
            Self::Backups(work) if work.aborted => Err(aborted("try again")),
            Self::Upgrade { verb: Verb::Migrate, options, .. } => {
                json(&cutover::migrate(&options, host)?)
            }
            Self::Upgrade { verb: Verb::Recover, options, .. } => {
                json(&cutover::recover(&options, host)?)
            }
            Self::Upgrade { verb: Verb::Plan, options, .. } => {
                json(&cutover::plan(&options, host)?)
            }
            Self::Upgrade { verb: Verb::RunPlan(plan), options, .. } => {
                json(&cutover::run_plan(&plan, &options, host)?)
            }
            Self::Backups(work) => work.perform(host),
            Self::ListBackups(path) => json(&cutover::list_backups(&path)?),
            Self::Lock(path) => Ok(Product::Lock(cutover::lock(&path)?)),
            Self::Inspect(path, companions) => json(&cutover::inspect(&path, &companions)?),
            Self::Doctor(path, options) => json(&cutover::doctor(&path, &options)?),
        }
    }
}

impl GivenOptions {
    fn check(self, lock: Option<OwnerLock>) -> Result<Options, String> {
        Label::new(self.label.clone()).map_err(|error| format!("options.label: {error}"))?;
        for name in self.companions.keys() {
            CompanionName::new(name.clone())
                .map_err(|error| format!("options.companions: {error}"))?;
        }
        let detect = match self.detect {
            GivenDetect::Stamp { table, column, value } => Detect::Stamp { table, column, value },
            GivenDetect::UserVersion(version) => Detect::UserVersion(version),
            GivenDetect::Host => Detect::Host,
        };
        let run = self.sql.map_or(BuildBy::Host, BuildBy::Sql);
        let mut options =
            Options::new(self.path, self.label, detect, Make { from: self.from, run });
        options.verify = self.flags.verify;
        options.companions = self.companions;
        options.lock = match lock {
            Some(lock) => Lock::Own(lock),
            None if self.flags.held => Lock::Held,
            None => Lock::Acquire,
        };
        options.held = if self.flags.proceed { Held::Proceed } else { Held::Refuse };
        options.wait_ms = self.wait_ms.unwrap_or(options.wait_ms);
        options.keep_backups = self.keep_backups;
        options.integrity = if self.flags.full { Integrity::Full } else { Integrity::Quick };
        Ok(options)
    }
}

fn aborted(hint: &str) -> Error {
    Failure::refusal(
        Code::Aborted,
        "the signal was aborted before anything was begun; nothing was touched",
        hint,
    )
    .into()
}

/// A path that is not Unicode is all that cannot be told.
pub(crate) fn json(value: &impl Serialize) -> Result<Product, Error> {
    serde_json::to_value(value).map(Product::Json).map_err(|error| internal(&error.to_string()))
}
