//! What differs from one operating system to another, behind one set of names.

#[cfg(unix)]
#[path = "unix.rs"]
mod platform;
#[cfg(windows)]
#[path = "windows/mod.rs"]
mod platform;

use std::fs::File;
use std::io;
use std::path::Path;

pub(crate) use platform::{
    LOCKS_V1_OVER_THE_FLIP, OPENING_DROPS_LOCKS, PLATFORM, adopt, create_lock, create_new, create_private, create_private_directory,
    create_writable, denied_for_good, file_id, free_bytes, links, plain, read_at, real_directory, rename, rename_new, says_no_flush,
    says_no_links, stored_name, sync_dir, why_read_only,
};

/// For a flush of a file's data and metadata. The handle is writable: `FlushFileBuffers` refuses a read-only one (its documentation asks for
/// `GENERIC_WRITE`). On macOS std's `sync_all` asks for `F_FULLFSYNC`, which reaches the platter.
pub(crate) fn open_to_flush(path: &Path) -> io::Result<File> {
    File::options().write(true).open(path)
}

/// Whether two paths are one file.
pub(crate) fn same_file(a: &Path, b: &Path) -> io::Result<bool> {
    Ok(file_id(a)? == file_id(b)?)
}
