//! Tests of the runner on real files, all in one program, with a module for each topic.
//!
//! Tests start child processes, and check which process has a file open. Between fork and exec a
//! child has every file of its parent open. So two tests never run at once in one process
//! (`.cargo/config.toml`).
//!
//! A function with `#[ignore = "a process of the tests"]` is not a test: a test runs it in a child
//! process (`support/again.rs`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[macro_use]
mod support;

mod backups;
mod budget;
mod by_hand;
mod codes;
mod companion_elsewhere;
mod companion_lock;
mod companion_moved;
mod copy_under_lock;
mod crash_states;
#[cfg(unix)]
mod disks;
mod doctor;
mod example;
mod failing_flush;
mod foreign_schema;
mod full_disk;
mod held;
mod held_on_windows;
mod killed;
mod limits;
#[cfg(unix)]
mod links;
mod list_backups;
mod lives_on;
mod memory;
mod migrate;
mod mounted_file;
mod never_deaf;
mod old_faults;
mod page_copy;
mod paths;
mod read_files;
mod read_only;
mod reader;
mod receipts;
mod recover;
mod refused;
mod refused_calls;
mod restore_on_windows;
mod restore_page_copy;
#[cfg(target_os = "linux")]
mod rights;
mod source;
mod sql;
mod start;
mod stays_open;
mod strace;
#[cfg(target_os = "linux")]
mod unseen;
mod v1_check;
mod windows;
mod write_under_way;
mod zombie;
