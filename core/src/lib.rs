//! `cutover-core` decides how an application's local SQLite database becomes its next version, in
//! place, without ever costing a row.
//!
//! It contains no IO, no clock, no randomness, no threads and no environment. What the disk holds
//! comes in as an [`observe::Observation`], time and nonces come in with the [`plan::Request`], and
//! what is to be done goes out as a [`plan::Plan`] of [`op::Op`]s, which a driver performs by
//! way of a [`run::Run`].
//!
//! **The contract**: at every instant, whatever is killed, canonical is a whole v1 or a whole v2,
//! and until v2 is durably canonical all of v1 is reachable.
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
