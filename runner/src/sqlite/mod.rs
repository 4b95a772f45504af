//! What the runner uses SQLite for.

mod build;
mod check;
mod error;
mod ffi;
mod lock;
mod open;
mod regular;
mod settle;
mod soundness;
mod temporary;
mod watch;

pub(crate) use build::{build, copy_pages, lay_out, refused_sql, restage};
pub(crate) use check::{Origin, check, damaged_v1, detect};
pub(crate) use error::{
    close, fault, fault_of_reading, fault_on, in_use, is_damage, names_damage, no_space, on,
    os_fault, run, shortened, words,
};
pub(crate) use ffi::only_read;
pub(crate) use lock::V1Lock;
pub(crate) use open::{
    HeldFile, bytes, facts, glance, has_journal, installed, open_beside, open_existing,
    open_installed, open_to_lock, open_to_read, open_to_read_in, roll_back,
};
pub(crate) use regular::sidecar;
pub(crate) use settle::{
    Flush, alone, begin_to_read, empty_log, journal_mode, keep_writers_out, restore_mode, settle,
};
pub(crate) use soundness::{Findings, Open, count, examine};
pub(crate) use watch::{Gauge, Watch, stopped};
