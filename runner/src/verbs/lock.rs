//! Takes the owner lock of a database.

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::Error;
use crate::lock::{self, OwnerLock};
use crate::path::usable;

/// Takes ownership of the database at `path`, which need not exist. It does not wait: if another
/// process has the lock, it fails at once.
///
/// # Errors
/// `OWNED` when another process, or another part of this one, owns the database; `IO` when a lock
/// file cannot be made.
pub fn lock(path: &Path) -> Result<OwnerLock, Error> {
    let place = usable(path, &BTreeMap::new())?;
    lock::take(&place).map_err(|failure| place.locate(failure).into())
}
