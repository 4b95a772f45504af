//! `cutover-support` answers what a support person asks of anything that a customer sent: is the
//! data safe, where is it, what happens next, what is to be done.
//!
//! It reads bytes and text that it is given and performs no IO. [`diagnose::diagnose`] judges
//! whatever was dropped or pasted; [`bundle::Bundle`] is what a doctor writes;
//! [`read_database_header`] and [`read_wal`] read a database's first bytes and its log.
#![forbid(unsafe_code)]

pub mod api;
pub mod bundle;
pub mod diagnose;
mod header;
mod next_start;
mod wal;

pub use header::{DatabaseHeader, TextEncoding, read_database_header};
pub use wal::{Wal, WalHeader, WalReader, WalState, read_wal};
