//! The tests of this crate, one module for each of its own. The observations and journals that they
//! begin with are those of core's tests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod diagnose;
mod directories;
mod header;
mod wal;
