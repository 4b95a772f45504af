//! `cutover-support` judges what a customer sent to a support person: is the data safe, where is
//! it, what does the next start do, and what should the person do.
//!
//! The crate reads bytes and text that its caller gives, and performs no IO.
//!
//! **Read these three types first**:
//! * [`Dropped`]: what a person dropped or pasted, a text or files;
//! * [`Diagnosis`]: the answer of [`diagnose()`], with a reply that is
//!   ready to send;
//! * [`Bundle`]: what the doctor writes about a machine, without the user's rows.
//!
//! [`read_database_header`] reads the first bytes of a database, and [`read_wal`] reads its log.
//!
//! # Example
//!
//! Judge one line of an application's log:
//!
//! ```
//! use cutover_support::{Dropped, Safety, diagnose};
//!
//! let line = "cutover: copy failed on data.db.source-3fa9c1d2: no space left [cutover:NO_SPACE:copy:ENOSPC]";
//! let diagnosis = diagnose(&Dropped { text: Some(line.into()), ..Dropped::default() });
//! assert_eq!(diagnosis.safety, Safety::CannotTell);
//! assert_eq!(diagnosis.next, "It refuses again until the cause is gone, and touches nothing.");
//! assert!(diagnosis.reply.contains("The disk is full."));
//! ```
#![forbid(unsafe_code)]

pub mod api;

mod bundle;
mod companions;
mod date;
mod diagnose;
mod header;
mod next_start;
mod wal;

pub use bundle::{
    BUNDLE_VERSION, Bundle, Check, Content, MAX_BUNDLE_BYTES, Made, WITHHELD, shorten,
};
pub use companions::{KeptCompanion, kept_companions};
pub use diagnose::{
    Answer, Claim, Diagnosis, Dropped, DroppedFile, Evidence, Kind, MAX_FILES, MAX_TEXT, Place,
    Safety, diagnose, names_in,
};
pub use header::{DatabaseHeader, TextEncoding, read_database_header};
pub use next_start::{Canonical, Does, NextStart, identify, next_start};
pub use wal::{Shm, Wal, WalHeader, WalReader, WalState, read_shm, read_wal};
