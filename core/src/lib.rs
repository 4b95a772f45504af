//! `cutover-core` plans how an application's SQLite database becomes its next version, in place and
//! without losing a row.
//!
//! The crate performs no IO. It reads no clock, no random numbers and no environment, and starts no
//! thread.
//!
//! **The contract**: at every instant, whichever process is killed, canonical is a whole v1 or a
//! whole v2. Until v2 is durably canonical, all of v1 can be reached.
//!
//! **Read these three types first**:
//! * [`Observation`]: what a runner found in the database's directory;
//! * [`Plan`]: the ops that upgrade or recover that database, each with its reason;
//! * [`Run`]: the state machine that hands the ops to a runner, one at a time, and decides
//!   what a failure leads to.
//!
//! # Example
//!
//! Plan an upgrade, print each step with its reason, and explain a refusal:
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use cutover_core::{
//!     BuildBy, BuildFrom, FileFacts, FileName, Header, Label, Nonce, Observation, Platform, Request,
//!     Verdict, explain_error, plan_migration,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // What a runner reads from the disk: the first 100 bytes of the database, and its size.
//! let mut first_bytes = [0; 100];
//! first_bytes[..20].copy_from_slice(b"SQLite format 3\0\x10\0\x01\x01");
//! let database = FileName::new("data.db")?;
//! let facts = FileFacts {
//!     size: 8192,
//!     file_id: "inode 42".into(),
//!     header: Some(Header::parse(&first_bytes)?),
//!     page1: None,
//! };
//! let mut observation = Observation {
//!     platform: Platform::Linux,
//!     canonical: database.clone(),
//!     files: BTreeMap::from([(database, facts)]),
//!     journals: BTreeMap::new(),
//!     verdict: Some(Verdict::Old),
//!     holders: Vec::new(),
//!     holders_unknown: None,
//!     free_bytes: Some(1 << 30),
//!     can_link: true,
//!     companions: BTreeMap::new(),
//!     irregular: BTreeMap::new(),
//! };
//! let request = Request {
//!     label: Label::new("v1-v2")?,
//!     nonce: Nonce::new("3fa9c1d2")?,
//!     now_ms: 1_764_000_000_000,
//!     attempt: 1,
//!     from: BuildFrom::Empty,
//!     by: BuildBy::Sql,
//!     verify: false,
//!     check_v1: true,
//! };
//!
//! let plan = plan_migration(&observation, &request)?;
//! for step in &plan.steps {
//!     println!("{}: {}", step.op.name(), step.why);
//! }
//! let flip = plan.flip_at.map(|flip| plan.steps[flip as usize].op.name());
//! assert_eq!(flip, Some("rename"));
//!
//! observation.free_bytes = Some(0);
//! let refusal = plan_migration(&observation, &request).unwrap_err();
//! let explanation = explain_error(&refusal.to_string()).ok_or("not an error of cutover")?;
//! assert_eq!(explanation.data, "The database is in its place, with every row that it had.");
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod api;

mod backup;
mod count;
mod explain;
mod failure;
mod fault;
mod journal;
mod names;
mod observe;
mod op;
mod op_name;
mod page1;
mod plan;
mod run;
mod validate;

pub use backup::{Backup, Receipts, begins_ms, list_backups, read_backup};
pub use count::counted;
pub use explain::{Explanation, explain_error};
pub use failure::{Code, DataLocation, DataState, Failure, NO_HEADER};
pub use fault::{Holder, OpError, OpErrorKind, OsCode, Platform, Retry};
pub use journal::{
    Companion, JOURNAL_VERSION, Journal, MAX_HOST_BYTES, MAX_JOURNAL_BYTES, MAX_WARNING_CHARS,
    MAX_WARNINGS, RECEIPT_VERSION, ReadError, Receipt, Strategy, V1, V2, Warning, WarningFrom,
    read_bounded, write_json,
};
pub use names::{
    CompanionName, CompanionRole, FileName, Label, MAX_NAME_BYTES, NameError, Names, Nonce,
    PlanPath, Role, SIDECARS, backup_of, companion_backup_name, companion_backup_tmp_name,
    companion_fits, companion_lock_name, companion_staged_name, cutover_lock_name, displaced_name,
    is_displaced, is_journal_aside, journal_aside_name, journal_name, journal_tmp_name,
    legacy_journal_name, owner_lock_name, receipt_name,
};
pub use observe::{CompanionFacts, FileFacts, Fingerprint, Observation, ReplaceBlocker, Verdict};
pub use op::{Guard, Op, Phase, Step};
pub use op_name::OpName;
pub use page1::{HEADER_BYTES, Header, HeaderError, JournalMode, digest, hex, page1_digest, unhex};
pub use plan::legacy::{LegacyJournal, LegacyPhase, LegacyRule, legacy_backup};
pub use plan::{
    AdoptRequest, BuildBy, BuildFrom, Left, MAX_STEPS, Next, PLAN_VERSION, Plan, PlanKind, Prune,
    Recovery, RecoveryRule, RecoveryTable, Request, Restore, RestoreRequest, Rule, assess,
    assess_by, assess_left, companions_of, displaced_by, is_in_place, may_leave_zombie,
    may_open_canonical, must_empty_log, plan_adoption, plan_leave_zombie, plan_migration,
    plan_prune, plan_recovery, plan_restore, recover_before_restore, refuse_irregular,
    refuse_moved_companions,
};
pub use run::{
    Action, BUDGET_MS, Budget, CarryOver, DELAYS_MS, Event, OpOutcome, Places, Report, Run,
};
pub use validate::{
    Finding, FindingKind, refuse_given, refuse_unread_plan, refused_by_windows, validate,
    validate_request, validate_text,
};
