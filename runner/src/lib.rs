//! cutover upgrades an application's local SQLite database in place, from v1 to v2, on the user's
//! own machine. A crash, a power loss, a locked file or a full disk never costs a row. At every
//! instant the database is a whole v1 or a whole v2, and v1 stays beside it as a backup. The next
//! start of the application finishes or undoes what a killed one began.
//!
//! # Read these three types first
//!
//! - [`Options`]: which database, how v1 is told from v2 ([`Detect`]), and how v2 is made
//!   ([`Make`]).
//! - [`Host`]: the application's callbacks. Each has a default, so an application that builds v2 by
//!   SQL implements none.
//! - [`MigrateResult`]: what [`migrate`] did and where v1 is now. A call that fails returns an
//!   [`Error`]. Its [`Failure`] says what failed on which file, why, where the data is, and what to
//!   do.
//!
//! # Example
//!
//! ```no_run
//! use cutover::{BuildBy, BuildFrom, Detect, Lock, Make, Options};
//!
//! struct App;
//! impl cutover::Host for App {}
//!
//! fn main() -> Result<(), cutover::Error> {
//!     let path = std::path::Path::new("/home/me/.app/data.db");
//!     let owner = cutover::lock(path)?; // one application at a time, until the process ends
//!     let sql = "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
//!         INSERT INTO note SELECT id, text FROM v1.notes;
//!         PRAGMA user_version = 2;";
//!     let make = Make { from: BuildFrom::Empty, run: BuildBy::Sql(sql.into()) };
//!     let options = Options::new(path, "v1-v2", Detect::UserVersion(2), make)
//!         .lock(Lock::Own(owner.clone()));
//!     let result = cutover::migrate(&options, &mut App)?;
//!     if let Some(backup) = result.backup {
//!         println!("Migrated local data to v2; moved old DB to {}", backup.display());
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # The other calls
//!
//! [`recover`] only finishes or undoes. [`restore`] makes a backup the database again.
//! [`list_backups`] and [`prune_backups`] list and remove backups; [`adopt_backup`] gives one that
//! the daemon before cutover left a receipt. [`inspect`] and [`doctor`] look
//! without changing anything. [`plan`] returns the steps of an upgrade as data, [`run_plan`]
//! performs such a plan, and [`plan_restore`] returns the steps of a restore.
//!
//! # What this crate never does
//!
//! - It never deletes v1 in an upgrade. Only [`prune_backups`] and [`Options::keep_backups`] remove
//!   backups, and never the newest whole one.
//! - It never overwrites a file that it did not make: new files are created exclusively. Only the
//!   database and its declared companions are replaced, and what they held is kept under another
//!   name.
//! - It never swallows a flush that fails, and never repeats one on the same data. On a
//!   file system that cannot flush at all, it warns.
//! - It never ends another process and never closes its connection. It waits within one budget,
//!   then refuses and names the process. On Windows it copies v2 into a database that this process,
//!   or one without a name, keeps open.
//! - It starts no process, uses no network, and prints nothing. Its only thread checks v1, and ends
//!   before the call does.
//!
//! [`planner`] is the crate that plans. This crate performs its plans with `std::fs` and SQLite.

mod copy;
mod drive;
mod error;
mod found;
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
mod path;
mod perform;
mod place;
mod reader;
mod session;
mod source;
mod sqlite;
mod types;
mod verbs;
mod waiting;
mod watched;

pub use cutover_core as planner;
pub use cutover_core::{Backup, BuildFrom, Code, Event, Failure, Left, Recovery, Rule, Verdict};
pub use cutover_support::Bundle;

pub use error::{Error, HostError};
pub use host::{Built, Host, Job};
pub use lock::OwnerLock;
pub use options::{BackupOptions, Lock, Options};
pub use reader::{Reader, Row, Rows, Value};
pub use types::{BuildBy, Detect, Held, Integrity, Make, Unseen};
pub use verbs::{
    AdoptResult, CompanionResult, DoctorOptions, InspectedCompanion, Inspection, MigrateResult,
    Outcome, PruneResult, RecoverResult, RestoreResult, adopt_backup, doctor, inspect,
    list_backups, lock, migrate, plan, plan_restore, prune_backups, recover, restore, run_plan,
};

/// Compiles the Rust code of `docs/guide.md` as a test.
#[cfg(doctest)]
#[doc = include_str!("../../docs/guide.md")]
struct Guide;
