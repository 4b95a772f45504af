//! File system calls, and what their errors mean.

use std::io::{self};
use std::path::Path;

use cutover_core::{OpError, OpErrorKind, OpOutcome};

use crate::os;
use crate::place::Paths;
use crate::sqlite::no_space;

/// With less free space SQLite cannot work: the `-shm` of a database alone takes 32 KiB.
pub(crate) const LEAST_FREE_BYTES: u64 = 64 << 10;

/// On a full disk SQLite cannot size its `-shm`, and says "disk I/O error". This names the cause.
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

/// A file system that cannot flush says so; that is reported as a warning. A failing disk is an
/// error, and the flush is never repeated on the same data.
pub(crate) fn flushed(result: io::Result<()>) -> io::Result<OpOutcome> {
    match result {
        Err(error) if os::says_no_flush(&error) => {
            Ok(OpOutcome::Tolerated(format!("the file system cannot flush: {error}")))
        }
        result => plain(result),
    }
}

/// A file that does not exist need not be removed. On a read-only volume Linux answers EROFS for it
/// as well.
pub(crate) fn remove(path: &Path) -> io::Result<OpOutcome> {
    match std::fs::remove_file(path) {
        Err(error) if !is_missing(path, &error) => Err(error),
        _ => Ok(OpOutcome::Plain),
    }
}

/// The rights of a file. `None` if it does not exist.
pub(crate) fn rights_if_there(path: &Path) -> io::Result<Option<os::Rights>> {
    match os::Rights::of(path) {
        Ok(rights) => Ok(Some(rights)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn is_missing(path: &Path, error: &io::Error) -> bool {
    let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    missing(error) || std::fs::symlink_metadata(path).is_err_and(|error| missing(&error))
}
