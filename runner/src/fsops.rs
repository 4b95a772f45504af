//! Calls of the file system, and what their errors mean.

use std::io::{self};
use std::path::Path;

use cutover_core::fault::{OpError, OpErrorKind};
use cutover_core::run::OpOutcome;

use crate::os;
use crate::place::Paths;
use crate::sqlite::no_space;

/// Less than this is no room for SQLite to work in: the `-shm` of a database alone has 32 KiB.
pub(crate) const LEAST_FREE_BYTES: u64 = 64 << 10;

/// SQLite says "disk I/O error" where it cannot size its -shm on a full disk.
pub(crate) fn name_full_disk(fault: OpError, place: &Paths) -> OpError {
    match &fault.cause {
        OpErrorKind::Sqlite
            if os::free_bytes(&place.directory).is_ok_and(|free| free < LEAST_FREE_BYTES) =>
        {
            OpError { cause: no_space(), ..fault }
        }
        _ => fault,
    }
}

pub(crate) fn plain(result: io::Result<()>) -> io::Result<OpOutcome> {
    result.map(|()| OpOutcome::Plain)
}

/// A file system that cannot flush says so; that is reported. A failing disk is not tolerated, and
/// the flush is never tried again on the same data.
pub(crate) fn flushed(result: io::Result<()>) -> io::Result<OpOutcome> {
    match result {
        Err(error) if os::says_no_flush(&error) => {
            Ok(OpOutcome::Tolerated(format!("the file system cannot flush: {error}")))
        }
        result => plain(result),
    }
}

/// What is not there need not be removed; a read-only volume says EROFS of that, too.
pub(crate) fn remove(path: &Path) -> io::Result<OpOutcome> {
    match std::fs::remove_file(path) {
        Err(error) if !is_missing(path, &error) => Err(error),
        _ => Ok(OpOutcome::Plain),
    }
}

pub(crate) fn is_missing(path: &Path, error: &io::Error) -> bool {
    let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    missing(error) || std::fs::symlink_metadata(path).is_err_and(|error| missing(&error))
}
