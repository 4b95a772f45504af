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
//! * [`Observation`](observe::Observation): what a runner found in the database's directory;
//! * [`Plan`](plan::Plan): the ops that upgrade or recover that database, each with its reason;
//! * [`Run`](run::Run): the state machine that hands the ops to a runner, one at a time, and decides
//!   what a failure leads to.
//!
//! # Example
//!
//! Plan an upgrade, print each step with its reason, and explain a refusal:
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use cutover_core::explain::explain_error;
//! use cutover_core::fault::Platform;
//! use cutover_core::names::{FileName, Label, Nonce};
//! use cutover_core::observe::{FileFacts, Observation, Verdict};
//! use cutover_core::page1::Header;
//! use cutover_core::plan::{BuildBy, BuildFrom, Request, plan_migration};
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
//!     free_bytes: Some(1 << 30),
//!     can_link: true,
//!     companions: BTreeMap::new(),
//! };
//! let request = Request {
//!     label: Label::new("v1-v2")?,
//!     nonce: Nonce::new("3fa9c1d2")?,
//!     now_ms: 1_764_000_000_000,
//!     attempt: 1,
//!     from: BuildFrom::Empty,
//!     by: BuildBy::Sql,
//!     verify: false,
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
//! assert_eq!(explanation.data, "The database is whole and in its place.");
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod api;
pub mod backup;
pub mod explain;
pub mod failure;
pub mod fault;
pub mod journal;
pub mod names;
pub mod observe;
pub mod op;
pub mod page1;
pub mod plan;
pub mod run;
pub mod validate;

pub use plan::legacy;
