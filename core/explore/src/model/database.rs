//! A database of the model: what it holds, what its header says, and which logs belong to it.

use std::fmt;

use cutover_core::{Header, JournalMode, page1_digest};

/// What a database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Data {
    /// v1 with this many rows beyond those it began with.
    V1 {
        /// Each row is one commit of an application.
        rows: u8,
    },
    /// v2, made from a v1 with `of` rows, with `rows` rows committed since.
    V2 {
        /// The rows of the v1 it was made from.
        of: u8,
        /// Commits since v2 became canonical.
        rows: u8,
    },
    /// A sound database whose build is not complete.
    Partial,
    /// A sound v2 that the application does not accept.
    Refused,
    /// Pages are missing or wrong, and the header is valid.
    Damaged,
    /// Half of its pages were changed in place: only its own log or rollback journal makes it
    /// whole.
    Half,
    /// Pages of two databases.
    Mixed,
    /// The new, empty database of an application that found no database.
    Foreign,
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 { rows } => return write!(f, "v1 with {rows} new rows"),
            Self::V2 { of, rows } => {
                return write!(f, "v2 of a v1 with {of}, with {rows} new rows");
            }
            Self::Partial => "not done",
            Self::Refused => "a v2 that is refused",
            Self::Damaged => "damaged",
            Self::Half => "half changed",
            Self::Mixed => "pages of two databases",
            Self::Foreign => "another application's",
        })
    }
}

/// A database file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Db {
    /// What it holds.
    pub data: Data,
    /// What its header says.
    pub mode: JournalMode,
    /// The change counter: a commit outside WAL mode adds one, and so does a change of the mode. A
    /// commit in WAL mode does not.
    pub counter: u8,
    /// Which database this is. Its logs and rollback journals have the same number.
    pub of: u8,
}

/// v1, and its backup by hard link.
pub const V1_LINE: u8 = 1;
/// v2 that was canonical before a restore. The journal of a restore remembers it, as the journal of
/// an upgrade remembers v1.
pub const V2_LINE: u8 = 2;
/// A private copy of v1.
pub const SOURCE_LINE: u8 = 2;
/// v2 while it is built.
pub const STAGING_LINE: u8 = 3;
/// v2, copied again before the flip.
pub const INSTALL_LINE: u8 = 4;
/// A database that an older application created where it found none.
pub const FOREIGN_LINE: u8 = 9;

impl Db {
    /// v1 with this many rows.
    #[must_use]
    pub fn v1(rows: u8, mode: JournalMode) -> Self {
        Self { data: Data::V1 { rows }, mode, counter: 1, of: V1_LINE }
    }

    /// A few bytes that differ for every two databases.
    #[must_use]
    pub fn code(&self) -> [u8; 6] {
        let (kind, of, rows) = match self.data {
            Data::V1 { rows } => (1, 0, rows),
            Data::V2 { of, rows } => (2, of, rows),
            Data::Partial => (3, 0, 0),
            Data::Damaged => (4, 0, 0),
            Data::Half => (5, 0, 0),
            Data::Mixed => (6, 0, 0),
            Data::Foreign => (7, 0, 0),
            Data::Refused => (8, 0, 0),
        };
        [kind, of, rows, u8::from(self.mode == JournalMode::Wal), self.counter, self.of]
    }

    /// The first 100 bytes of the file. Rows do not show in them; the change counter does.
    #[must_use]
    pub fn header_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; 100];
        bytes[..16].copy_from_slice(b"SQLite format 3\0");
        bytes[16] = 16;
        let version = if self.mode == JournalMode::Wal { 2 } else { 1 };
        bytes[18..20].copy_from_slice(&[version, version]);
        bytes[27] = self.counter;
        bytes[31] = 3;
        // A page copy adds one to the schema cookie.
        let copied =
            matches!((self.data, self.of), (Data::V2 { .. }, V1_LINE) | (Data::V1 { .. }, V2_LINE));
        bytes[43] = u8::from(copied);
        bytes[63] = match self.data {
            Data::V1 { .. } | Data::Foreign => 1,
            Data::V2 { .. } | Data::Refused => 2,
            _ => self.of,
        };
        bytes
    }

    /// Its header, as core reads it, and the digest of its first page.
    #[must_use]
    pub fn facts(&self) -> (Option<Header>, String) {
        let bytes = self.header_bytes();
        (Header::parse(&bytes).ok(), page1_digest(&bytes))
    }

    /// How many rows it holds, to compare two states of one database.
    pub(crate) fn rank(self) -> u8 {
        match self.data {
            Data::V1 { rows } | Data::V2 { rows, .. } => rows + 1,
            _ => 0,
        }
    }
}
