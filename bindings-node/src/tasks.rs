//! The tasks that JavaScript starts, each on a thread of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cutover::{BackupOptions, Code, DoctorOptions, Error, Failure, Host, Options, OwnerLock, Rule};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::error::internal;
use crate::options::{DoctorGiven, Shared, UpgradeGiven};

/// A task that can start.
pub(crate) struct Task {
    work: Work,
    /// The application listens to events.
    pub events: bool,
    /// The application aborted the signal before the call.
    aborted: bool,
}

enum Work {
    Upgrade(UpgradeVerb, Box<Options>),
    Backups(BackupVerb, PathBuf, BackupOptions),
    ListBackups(PathBuf),
    Lock(PathBuf),
    Inspect(PathBuf, BTreeMap<String, PathBuf>),
    Doctor(PathBuf, Box<DoctorOptions>),
}

/// What a task returns.
pub(crate) enum Product {
    Json(Json),
    Lock(OwnerLock),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum UpgradeVerb {
    Migrate,
    Recover,
    Plan,
    RunPlan(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum BackupVerb {
    Restore(PathBuf),
    PlanRestore(PathBuf),
    Prune(Rule),
    Adopt(PathBuf),
}

/// A task as JavaScript gives it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Given {
    Upgrade { verb: UpgradeVerb, shared: Shared, options: UpgradeGiven },
    Backups { verb: BackupVerb, shared: Shared },
    ListBackups { path: PathBuf },
    Lock { path: PathBuf },
    Inspect { path: PathBuf, companions: BTreeMap<String, PathBuf> },
    Doctor(DoctorGiven),
}

impl Task {
    /// Reads a task. TypeScript has checked the form of the options; this checks the names.
    pub(crate) fn parse(text: &str, lock: Option<OwnerLock>) -> Result<Self, String> {
        let given: Given = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let (events, aborted) = match &given {
            Given::Upgrade { shared, .. } | Given::Backups { shared, .. } => {
                (shared.events, shared.aborted)
            }
            Given::Doctor(given) => (given.events_heard, given.aborted),
            _ => (false, false),
        };
        let work = match given {
            Given::Upgrade { verb, shared, options } => {
                Work::Upgrade(verb, Box::new(options.options(shared, lock)?))
            }
            Given::Backups { verb, shared } => {
                let (path, options) = shared.backups(lock)?;
                Work::Backups(verb, path, options)
            }
            Given::ListBackups { path } => Work::ListBackups(path),
            Given::Lock { path } => Work::Lock(path),
            Given::Inspect { path, companions } => Work::Inspect(path, companions),
            Given::Doctor(given) => Work::Doctor(given.path.clone(), Box::new(given.into())),
        };
        Ok(Self { work, events, aborted })
    }

    /// Whether the task takes an owner lock for JavaScript.
    pub(crate) fn locks(&self) -> bool {
        matches!(self.work, Work::Lock(_))
    }

    /// Performs the task on this thread.
    pub(crate) fn perform(self, host: &mut dyn Host) -> Result<Product, Error> {
        if self.aborted {
            let what = "the signal was aborted before the call; nothing was touched";
            return Err(Failure::refusal(Code::Aborted, what, "call again").into());
        }
        match self.work {
            Work::Upgrade(UpgradeVerb::Migrate, options) => {
                json(&cutover::migrate(&options, host)?)
            }
            Work::Upgrade(UpgradeVerb::Recover, options) => {
                json(&cutover::recover(&options, host)?)
            }
            Work::Upgrade(UpgradeVerb::Plan, options) => json(&cutover::plan(&options, host)?),
            Work::Upgrade(UpgradeVerb::RunPlan(plan), options) => {
                json(&cutover::run_plan(&plan, &options, host)?)
            }
            Work::Backups(BackupVerb::Restore(backup), path, options) => {
                json(&cutover::restore(&path, &backup, &options, host)?)
            }
            Work::Backups(BackupVerb::PlanRestore(backup), path, options) => {
                json(&cutover::plan_restore(&path, &backup, &options, host)?)
            }
            Work::Backups(BackupVerb::Adopt(backup), path, options) => {
                json(&cutover::adopt_backup(&path, &backup, &options, host)?)
            }
            Work::Backups(BackupVerb::Prune(rule), path, options) => {
                json(&cutover::prune_backups(&path, rule, &options, host)?)
            }
            Work::ListBackups(path) => json(&cutover::list_backups(&path)?),
            Work::Lock(path) => Ok(Product::Lock(cutover::lock(&path)?)),
            Work::Inspect(path, companions) => json(&cutover::inspect(&path, &companions)?),
            Work::Doctor(path, options) => json(&cutover::doctor(&path, &options, host)?),
        }
    }
}

/// JSON for JavaScript. Only a path that is not Unicode fails.
fn json(value: &impl Serialize) -> Result<Product, Error> {
    serde_json::to_value(value).map(Product::Json).map_err(|error| internal(&error.to_string()))
}
