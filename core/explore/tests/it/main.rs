//! The tests of this crate, one module for each of its own. The observations and journals that they
//! begin with are those of core's tests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backups;
mod crash_matrix;
mod explore;
#[path = "../../../tests/it/held.rs"]
mod held;
mod lanes;
#[path = "../../../tests/it/recovery.rs"]
mod recovery;
mod validate_mutants;
