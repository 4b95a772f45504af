//! The words of the options that other modules need as well.

use cutover_core::plan::{self, BuildFrom};

/// How v1 is told from v2. It must say "old" of v1 and "current" of v2: that is checked before v2
/// is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detect {
    /// A row that v2 has and v1 has not. A missing table or column means "old".
    Stamp {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// The value, compared as text.
        value: String,
    },
    /// `PRAGMA user_version`: below is old, equal is current, above is newer.
    UserVersion(i32),
    /// [`crate::Host::detect`] says it.
    Host,
}

/// Who builds v2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildBy {
    /// SQL that is executed on v2 in one transaction; v1 is attached read-only as `v1`.
    Sql(String),
    /// [`crate::Host::build`] does it.
    Host,
}

impl BuildBy {
    /// As the planner has it, which does not read SQL.
    pub(crate) fn planned(&self) -> plan::BuildBy {
        match self {
            Self::Sql(_) => plan::BuildBy::Sql,
            Self::Host => plan::BuildBy::Host,
        }
    }
}

/// How v2 is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Make {
    /// From a new file, or from a copy of v1.
    pub from: BuildFrom,
    /// By whom.
    pub run: BuildBy,
}

/// How thoroughly v2 is checked before it is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Integrity {
    /// `PRAGMA quick_check`.
    #[default]
    Quick,
    /// `PRAGMA integrity_check`, which compares the indexes with their tables too.
    Full,
}

/// What is done where this process itself has the database open when the budget of waiting is used
/// up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Held {
    /// It is refused: a connection that lives cannot be told from one that was closed and not
    /// collected, and its commits would be lost. (Not on Windows: there v2 is copied into the
    /// database under it, and it sees v2.)
    #[default]
    Refuse,
    /// The caller knows that it is a zombie, and does not wait for it. The database moves to a file
    /// of its own first, so that the zombie holds one without a name, however the upgrade ends.
    /// Never beside the journal of an interrupted upgrade; on Windows as `Refuse`.
    Proceed,
}
