//! Refuses a database or a sidecar that SQLite must not open.

use std::path::{Path, PathBuf};

use crate::os;

/// Refuses a database that, or a sidecar of which, is something else than a regular file.
pub(super) fn all_regular(path: &Path) -> rusqlite::Result<()> {
    ["", "-wal", "-shm", "-journal"].iter().try_for_each(|suffix| regular(path, suffix))
}

pub(super) fn regular(path: &Path, suffix: &str) -> rusqlite::Result<()> {
    let file = sidecar(path, suffix);
    let looked =
        if suffix.is_empty() { os::regular_or_missing(&file) } else { os::own_or_missing(&file) };
    looked.map_err(|error| {
        let which = if suffix.is_empty() {
            String::new()
        } else {
            format!("its {suffix}, {}: ", file.display())
        };
        rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CANTOPEN_SYMLINK),
            Some(format!("{which}{error}")),
        )
    })
}

pub(crate) fn sidecar(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
