//! `cutover` upgrades an application's local SQLite database in place, from v1 to v2, on the user's
//! own machine, so that no crash, power loss, locked file or full disk ever costs a row.
//!
//! This crate performs what [`cutover_core`] plans: it looks, runs the plan with `std::fs` and
//! SQLite, and asks the application where only the application knows. Start with [`migrate`].

mod copy;
mod drive;
mod error;
mod fsops;
mod holders;
mod host;
mod isolate;
mod job;
mod lock;
mod observe;
mod options;
mod os;
mod page_copy;
mod perform;
mod place;
mod reader;
mod session;
mod sqlite;
mod types;
mod verbs;
mod waiting;

pub use cutover_core as core;
pub use cutover_core::backup::Backup;
pub use cutover_core::failure::{Code, Failure};
pub use cutover_core::observe::Verdict;
pub use cutover_core::plan::{BuildFrom, Left, Recovery, Rule};
pub use cutover_core::run::Event;
pub use cutover_support::bundle::Bundle;

pub use error::{Error, HostError};
pub use host::{Built, Host, Job};
pub use lock::{OwnerLock, lock};
pub use options::{BackupOptions, Lock, Options};
pub use reader::{Reader, Row, Value};
pub use types::{BuildBy, Detect, Held, Integrity, Make};
pub use verbs::{
    CompanionResult, DoctorOptions, InspectedCompanion, Inspection, MigrateResult, Outcome,
    PruneResult, RecoverResult, RestoreResult, doctor, inspect, list_backups, migrate, plan,
    prune_backups, recover, restore, run_plan,
};

/// The README's Rust code is compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guide.md")]
struct Readme;
