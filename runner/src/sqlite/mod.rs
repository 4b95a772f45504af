//! What the runner uses SQLite for.

mod build;
mod check;
mod error;
mod lock;
mod open;
mod settle;

pub(crate) use build::{build, copy_pages, is_empty, lay_out, restage};
pub(crate) use check::{check, detect};
pub(crate) use error::{fault, fault_of_reading, in_use, no_space, os_fault};
pub(crate) use lock::{HeldFile, V1Lock};
pub(crate) use open::{
    facts, has_bytes, has_journal, installed, installed_reader, open_existing, open_to_write,
    reader, roll_back, sidecar,
};
pub(crate) use settle::{
    Flush, alone, begin_to_read, empty_log, journal_mode, keep_writers_out, restore_mode, settle,
};
