//! What the runner uses SQLite for.

mod build;
mod check;
mod error;
mod ffi;
mod lock;
mod open;
mod settle;
mod temporary;

pub(crate) use build::{build, copy_pages, is_empty, lay_out, refused_sql, restage};
pub(crate) use check::{check, detect};
pub(crate) use error::{close, fault, fault_of_reading, in_use, no_space, on, os_fault, shortened};
pub(crate) use ffi::only_read;
pub(crate) use lock::V1Lock;
pub(crate) use open::{
    HeldFile, facts, glance, has_bytes, has_journal, installed, open_existing, open_installed,
    open_to_read, open_to_read_in, open_to_write, roll_back, sidecar,
};
pub(crate) use settle::{
    Flush, alone, begin_to_read, empty_log, journal_mode, keep_writers_out, restore_mode, settle,
};
