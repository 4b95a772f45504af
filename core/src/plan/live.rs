//! What canonical is, held against a journal.

/// What canonical is. The journal's `v1` is the database that is replaced, and its `v2` the one that
/// is installed; in a restore as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LiveState {
    /// The database that is replaced, as it was settled.
    Unchanged,
    /// That database after a change, or another file under its name.
    Changed,
    /// The database that is installed, or it was and the application has used it since.
    Installed,
    /// SQLite cannot read it, so it cannot be told.
    Unread,
    /// There is none.
    Missing,
}
