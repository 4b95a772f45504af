//! The tests of this crate. Their observations and journals are those of core's tests.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backups;
mod crash_matrix;
mod explore;
mod given;
#[path = "../../../tests/it/held.rs"]
mod held;
mod lanes;
#[path = "../../../tests/it/recovery/mod.rs"]
mod recovery;
mod validate_mutants;
