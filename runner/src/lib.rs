//! `cutover` upgrades an application's local SQLite database in place, from v1 to v2, on the user's
//! own machine, so that no crash, power loss, locked file or full disk ever costs a row.
//!
//! This crate performs what [`cutover_core`] plans: it looks, runs the plan with `std::fs` and
//! SQLite, and asks the application where only the application knows. Start with [`migrate`].

mod backups;
mod companion_lock;
mod copy;
mod doctor;
mod drive;
mod error;
mod held;
mod holders;
mod host;
mod inspect;
mod isolate;
mod job;
mod lock;
mod migrate;
mod observe;
mod options;
mod os;
mod page_copy;
mod perform;
mod place;
mod reader;
mod restore;
mod sqlite;

pub use cutover_core as core;
pub use cutover_core::backup::Backup;
pub use cutover_core::failure::{Code, Failure};
pub use cutover_core::observe::Verdict;
pub use cutover_core::plan::{From, Left, Recovery, Rule};
pub use cutover_core::run::Event;
pub use cutover_support::bundle::Bundle;

pub use backups::{PruneResult, list_backups, prune_backups};
pub use doctor::{DoctorOptions, doctor};
pub use error::Error;
pub use host::{Built, Host, HostError, Job};
pub use inspect::{InspectedCompanion, Inspection, inspect};
pub use lock::{OwnerLock, lock};
pub use migrate::{MigrateResult, Outcome, RecoverResult, migrate, plan, recover, run_plan};
pub use options::{BackupOptions, Detect, Held, Integrity, Lock, Make, Options, Run};
pub use reader::{Reader, Row, Value};
pub use restore::{CompanionResult, RestoreResult, restore};

/// The README's Rust code is compiled as a test.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
