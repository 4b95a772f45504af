//! Reads the first page of a SQLite database. Layout: <https://www.sqlite.org/fileformat2.html>.

use crate::count::counted;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The length of the database header, in bytes.
pub const HEADER_BYTES: usize = 100;

/// The bytes of page 1 that a page copy or an open may change: write and read version, change
/// counter, schema cookie, version-valid-for. The rest of page 1 identifies the content.
const MASKED: [std::ops::Range<usize>; 4] = [18..20, 24..28, 40..44, 92..96];

/// The persistent part of a journal mode: whether the header's WAL flag is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum JournalMode {
    /// A rollback journal. The file does not tell DELETE, TRUNCATE, PERSIST, MEMORY and OFF apart,
    /// which are settings of a connection.
    Delete,
    /// A write-ahead log.
    Wal,
}

impl JournalMode {
    /// The word that `PRAGMA journal_mode` takes.
    #[must_use]
    pub fn pragma(self) -> &'static str {
        match self {
            Self::Delete => "DELETE",
            Self::Wal => "WAL",
        }
    }
}

/// The facts of a database header.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Header {
    /// Bytes in a page: a power of two, 512 to 65536.
    pub page_size: u32,
    /// The journal mode that the read and write version give.
    pub journal_mode: JournalMode,
    /// Counts the transactions that changed the file in rollback mode.
    pub change_counter: u32,
    /// The size of the database in pages, as the header says it.
    pub page_count: u32,
    /// `PRAGMA user_version`.
    pub user_version: i32,
    /// `PRAGMA application_id`.
    pub application_id: i32,
    /// All 100 bytes in hex. Together with the size they are the fingerprint of a settled database.
    pub bytes: String,
}

/// Why bytes are not a database header.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// Fewer than 100 bytes.
    #[error("the file has {}; a SQLite database has at least 512", counted(*.0 as u64, "byte"))]
    Short(usize),
    /// The first 16 bytes are something else.
    #[error("the file does not begin with \"SQLite format 3\"; it is something else, or encrypted")]
    Magic,
    /// The first 16 bytes are something else; this says what the file seems to be.
    #[error("the file is not a SQLite database: {0}")]
    Stranger(&'static str),
    /// A page size that SQLite does not support.
    #[error("the header gives a page size of {0}, which SQLite does not support")]
    PageSize(u32),
    /// A file format that this SQLite cannot read.
    #[error("the header gives file format {0}, which only a newer SQLite reads")]
    Format(u8),
}

impl Header {
    /// Reads the first 100 bytes of a database.
    ///
    /// # Errors
    /// When they are not the header of a SQLite 3 database.
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(HeaderError::Short(bytes.len()));
        };
        if !header.starts_with(b"SQLite format 3\0") {
            return Err(HeaderError::Magic);
        }
        let be32 = |at: usize| {
            u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let page_size = match u16::from_be_bytes([header[16], header[17]]) {
            1 => 65536,
            size => u32::from(size),
        };
        if !page_size.is_power_of_two() || page_size < 512 {
            return Err(HeaderError::PageSize(page_size));
        }
        if header[19] > 2 {
            return Err(HeaderError::Format(header[19]));
        }
        Ok(Self {
            page_size,
            journal_mode: if header[19] == 2 { JournalMode::Wal } else { JournalMode::Delete },
            change_counter: be32(24),
            page_count: be32(28),
            user_version: be32(60).cast_signed(),
            application_id: be32(68).cast_signed(),
            bytes: hex(header),
        })
    }
}

/// The masked digest of page 1: SHA-256 with each byte that an open or a page copy may change set
/// to zero.
#[must_use]
pub fn page1_digest(page1: &[u8]) -> String {
    let mut page = page1.to_vec();
    for range in MASKED {
        if let Some(bytes) = page.get_mut(range) {
            bytes.fill(0);
        }
    }
    digest(&page)
}

/// The parts of a header, in hex, that a page copy does not change: all but [`MASKED`] and the
/// version of the SQLite that wrote last.
pub(crate) fn copied_header(hex: &str) -> Vec<&str> {
    [0..18, 20..24, 28..40, 44..92]
        .into_iter()
        .filter_map(|bytes| hex.get(2 * bytes.start..2 * bytes.end))
        .collect()
}

/// SHA-256 in hex.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as lower-case hex digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// The bytes of hex digits; empty where the text is not hex.
#[must_use]
pub fn unhex(text: &str) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> =
        pairs.0.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    bytes.filter(|_| pairs.1.is_empty()).unwrap_or_default()
}
