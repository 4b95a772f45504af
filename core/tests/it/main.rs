//! The tests of the pure core, one module for each of its own. They run natively and in wasm: no
//! file, no clock, no thread.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod arbitrary;
mod assess;
mod backups;
mod companions;
mod explain;
mod fault;
mod held;
mod journal;
mod leave_zombie;
mod legacy;
mod names;
mod plan;
mod recovery;
mod restore_pages;
mod retry;
mod run;
mod strict;
mod validate;
