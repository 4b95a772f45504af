//! The calls of this crate, each in a file of its own.

mod adopt;
pub(crate) mod backups;
mod doctor;
mod inspect;
mod lock;
pub(crate) mod migrate;
mod plan;
mod recover;
mod restore;

pub use adopt::{AdoptResult, adopt_backup};
pub use backups::{PruneResult, list_backups, prune_backups};
pub use doctor::{DoctorOptions, doctor};
pub use inspect::{InspectedCompanion, Inspection, inspect};
pub use lock::lock;
pub use migrate::{MigrateResult, Outcome, migrate};
pub use plan::{plan, run_plan};
pub use recover::{RecoverResult, recover};
pub use restore::{CompanionResult, RestoreResult, plan_restore, restore};
