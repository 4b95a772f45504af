//! Types of the options that other modules need as well.

use cutover_core::BuildFrom;

/// How v1 is told from v2. It must say "old" for v1 and "current" for v2; cutover checks that
/// before it installs v2.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detect {
    /// v2 has this row and v1 does not. A missing table or column means "old".
    Stamp {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The value, compared as text (`CAST(column AS TEXT)`).
        value: String,
    },
    /// `PRAGMA user_version`: a lower value is old, an equal one is current, a higher one is newer.
    UserVersion(i32),
    /// [`crate::Host::detect`] decides.
    Host,
}

/// What builds v2.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildBy {
    /// SQL that cutover executes on v2 in one transaction, with v1 attached read-only as `v1`.
    Sql(String),
    /// [`crate::Host::build`] builds it.
    Host,
}

impl BuildBy {
    /// The planner's form, which does not contain the SQL.
    pub(crate) fn planned(&self) -> cutover_core::BuildBy {
        match self {
            Self::Sql(_) => cutover_core::BuildBy::Sql,
            Self::Host => cutover_core::BuildBy::Host,
        }
    }
}

/// How v2 is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Make {
    /// What the build begins with: a new, empty file, or a copy of v1.
    pub from: BuildFrom,
    /// What builds v2.
    pub run: BuildBy,
}

/// How thoroughly v2 is checked before it is installed. Default: [`Integrity::Quick`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Integrity {
    /// `PRAGMA quick_check`.
    #[default]
    Quick,
    /// `PRAGMA integrity_check`, which also compares the indexes with their tables.
    Full,
}

/// What cutover does if this process itself still has the database open when the waiting budget is
/// used up. Default: [`Held::Refuse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Held {
    /// Refuse. cutover cannot tell a live connection from a leaked one (closed, but not yet
    /// collected), and commits of a live connection would be lost. On Windows cutover does not
    /// refuse: it copies v2 into the open database, and the connection sees v2.
    #[default]
    Refuse,
    /// The caller knows that the connection is a leaked one, a "zombie", and does not wait for it.
    /// cutover first copies the database to a new file, so the leaked connection keeps a file
    /// without a name, however the upgrade ends.
    ///
    /// Not done beside a journal that cannot be read, the old daemon's, or that of a restore that
    /// copies pages. On Windows this is `Refuse`.
    Proceed,
}

/// What cutover does where it cannot be told which *other* programs have the database open: no
/// `/proc` on Linux or one that hides processes of this user, a system without such a list (the
/// BSDs), or an error of the system's call. Default: [`Unseen::Refuse`].
///
/// SQLite's locks do not tell it: an idle connection in rollback mode holds no lock. A start with
/// nothing to do asks for no other program, and succeeds there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Unseen {
    /// Refuse as `HELD`, before anything is touched. The failure says why it cannot be told.
    #[default]
    Refuse,
    /// The caller knows that no other program has the database open. What one commits all the same
    /// while v2 replaces v1 is lost: the row is in neither file, or in the backup alone.
    Proceed,
}
