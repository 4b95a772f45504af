//! The systems without a call for who has a file open.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use cutover_core::Holder;

use super::own::Identity;

/// None: `/dev/fd` lists 0, 1 and 2 only, unless fdescfs is mounted (fd(4)).
pub(super) const LISTS: [&str; 0] = [];

pub(super) fn is_list(_: impl std::os::fd::AsFd) -> bool {
    false
}

pub(super) fn identity_of(descriptor: BorrowedFd<'_>) -> io::Result<Identity> {
    let stat = rustix::fs::fstat(descriptor)?;
    Ok((stat.st_dev as u64, stat.st_ino as u64))
}

/// Other processes that have one of these files open: it cannot be told.
pub(super) fn others(_: &[PathBuf]) -> Result<Vec<Holder>, String> {
    Err("this system does not tell which processes have a file open".into())
}
