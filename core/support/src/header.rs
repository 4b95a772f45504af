//! Reads every field of a database header, and compares the header with the file's size. A database
//! of any size is so judged by its first page.

use serde::Serialize;

use cutover_core::{HEADER_BYTES, Header, HeaderError, JournalMode, counted, page1_digest};

/// How the text of a database is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum TextEncoding {
    /// UTF-8.
    #[serde(rename = "UTF-8")]
    Utf8,
    /// UTF-16, little-endian.
    #[serde(rename = "UTF-16le")]
    Utf16Le,
    /// UTF-16, big-endian.
    #[serde(rename = "UTF-16be")]
    Utf16Be,
}

/// The 100 bytes of a database header, and what they say of the file.
///
/// Layout: <https://www.sqlite.org/fileformat2.html#the_database_header>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatabaseHeader {
    /// Bytes in a page: a power of two, 512 to 65536.
    pub page_size: u32,
    /// The file format to write: 1 rollback journal, 2 WAL.
    pub write_version: u8,
    /// The file format to read: 1 rollback journal, 2 WAL.
    pub read_version: u8,
    /// The journal mode that the read version gives.
    pub journal_mode: JournalMode,
    /// The bytes at the end of each page that are reserved for an extension.
    pub reserved_bytes: u8,
    /// Always 64.
    pub max_payload_fraction: u8,
    /// Always 32.
    pub min_payload_fraction: u8,
    /// Always 32.
    pub leaf_payload_fraction: u8,
    /// Counts the transactions that changed the file in rollback mode.
    pub change_counter: u32,
    /// The size of the database in pages. It is right only where `pageCountIsValid`.
    pub page_count: u32,
    /// Whether `pageCount` is valid: it is not 0, and `versionValidFor` is the change counter.
    pub page_count_is_valid: bool,
    /// The first page of the list of free pages; 0 where no page is free.
    pub first_freelist_page: u32,
    /// The number of free pages.
    pub freelist_pages: u32,
    /// A counter that changes with the schema.
    pub schema_cookie: u32,
    /// 1 to 4; 0 in a database without a table.
    pub schema_format: u32,
    /// `PRAGMA default_cache_size`, in pages.
    pub default_cache_size: i32,
    /// The largest root page in a database with auto-vacuum; else 0.
    pub largest_root_page: u32,
    /// The encoding of text. Nothing in a database without a table, or where SQLite does not know
    /// the number.
    pub text_encoding: Option<TextEncoding>,
    /// `PRAGMA user_version`.
    pub user_version: i32,
    /// Whether auto-vacuum is incremental.
    pub incremental_vacuum: bool,
    /// `PRAGMA application_id`.
    pub application_id: i32,
    /// The change counter when `sqliteVersion` was written.
    pub version_valid_for: u32,
    /// The version of the SQLite that wrote last, for example 3046001 for 3.46.1.
    pub sqlite_version: u32,
    /// The size of the file in bytes, where it is known.
    pub size: Option<u64>,
    /// The masked digest of page 1, where the whole page was given. It identifies v2.
    pub page1: Option<String>,
    /// All 100 bytes in hex. Together with the size they are the fingerprint of a settled database.
    pub bytes: String,
    /// What is wrong, one sentence each. Empty where header and size are those of a sound database.
    /// The other pages were not read.
    pub problems: Vec<String>,
}

impl DatabaseHeader {
    /// The part of the header that an observation holds.
    #[must_use]
    pub fn facts(&self) -> Header {
        Header {
            page_size: self.page_size,
            journal_mode: self.journal_mode,
            change_counter: self.change_counter,
            page_count: self.page_count,
            user_version: self.user_version,
            application_id: self.application_id,
            bytes: self.bytes.clone(),
        }
    }
}

/// Reads the header from a file's first bytes. It needs 100 bytes, and the whole first page for the
/// digest. It reads no further page.
///
/// `size` is the file's size in bytes.
///
/// # Errors
/// When the bytes do not begin a SQLite 3 database. The error says what they seem to be.
pub fn read_database_header(
    bytes: &[u8],
    size: Option<u64>,
) -> Result<DatabaseHeader, HeaderError> {
    let facts = match Header::parse(bytes) {
        Err(HeaderError::Magic) => return Err(HeaderError::Stranger(stranger(bytes))),
        Err(HeaderError::Short(_))
            if !bytes.is_empty()
                && !b"SQLite format 3\0".starts_with(&bytes[..bytes.len().min(16)]) =>
        {
            return Err(HeaderError::Stranger(stranger(bytes)));
        }
        other => other?,
    };
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
        return Err(HeaderError::Short(bytes.len()));
    };
    let be32 = |at: usize| {
        u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let (change_counter, version_valid_for) = (be32(24), be32(92));
    let mut read = DatabaseHeader {
        page_size: facts.page_size,
        write_version: header[18],
        read_version: header[19],
        journal_mode: facts.journal_mode,
        reserved_bytes: header[20],
        max_payload_fraction: header[21],
        min_payload_fraction: header[22],
        leaf_payload_fraction: header[23],
        change_counter,
        page_count: facts.page_count,
        page_count_is_valid: facts.page_count > 0 && change_counter == version_valid_for,
        first_freelist_page: be32(32),
        freelist_pages: be32(36),
        schema_cookie: be32(40),
        schema_format: be32(44),
        default_cache_size: be32(48).cast_signed(),
        largest_root_page: be32(52),
        text_encoding: match be32(56) {
            1 => Some(TextEncoding::Utf8),
            2 => Some(TextEncoding::Utf16Le),
            3 => Some(TextEncoding::Utf16Be),
            _ => None,
        },
        user_version: facts.user_version,
        incremental_vacuum: be32(64) != 0,
        application_id: facts.application_id,
        version_valid_for,
        sqlite_version: be32(96),
        size,
        page1: bytes.get(..facts.page_size as usize).map(page1_digest),
        bytes: facts.bytes,
        problems: Vec::new(),
    };
    read.problems = problems(&read, be32(56), header[72..92].iter().any(|byte| *byte != 0));
    Ok(read)
}

fn problems(header: &DatabaseHeader, encoding: u32, expansion: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |wrong: bool, what: String| {
        if wrong {
            found.push(what);
        }
    };
    let page = u64::from(header.page_size);
    if let Some(size) = header.size {
        let counted = u64::from(header.page_count) * page;
        say(
            size % page != 0,
            format!(
                "the file has {size} bytes, which is not a whole number of pages of {page} bytes"
            ),
        );
        // In WAL mode some pages may be in the log only. The file may then be shorter or longer
        // than its header says.
        let counts = header.page_count_is_valid && header.journal_mode == JournalMode::Delete;
        say(
            counts && size < counted,
            format!("the file has {size} bytes, and its header counts {counted}: it was cut short"),
        );
        say(
            counts && size > counted,
            format!("the file has {size} bytes, and its header counts only {counted}"),
        );
    }
    let fractions =
        (header.max_payload_fraction, header.min_payload_fraction, header.leaf_payload_fraction);
    say(
        fractions != (64, 32, 32),
        format!("the payload fractions are {fractions:?}, and SQLite knows only (64, 32, 32)"),
    );
    let usable = header.page_size.saturating_sub(u32::from(header.reserved_bytes));
    say(usable < 480, format!("only {usable} bytes of a page are used, and SQLite needs 480"));
    say(
        header.schema_format > 4,
        format!("the schema format is {}, and SQLite knows 1 to 4", header.schema_format),
    );
    say(encoding > 3, format!("the text encoding is {encoding}, and SQLite knows 1 to 3"));
    say(
        !(1..=2).contains(&header.write_version),
        format!("the write version is {}, and SQLite knows 1 and 2", header.write_version),
    );
    let free = header.page_count_is_valid && header.freelist_pages >= header.page_count;
    say(
        free,
        format!(
            "the header counts {}, and {} of them free",
            counted(header.page_count.into(), "page"),
            header.freelist_pages
        ),
    );
    say(expansion, "the bytes that are reserved for later are not zero".into());
    found
}

/// What bytes seem to be that do not begin a database.
fn stranger(bytes: &[u8]) -> &'static str {
    let first = &bytes[..bytes.len().min(HEADER_BYTES)];
    let mut seen = [false; 256];
    for byte in first {
        seen[usize::from(*byte)] = true;
    }
    let distinct = seen.iter().filter(|seen| **seen).count();
    let printable = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    match first {
        [0x37, 0x7f, 0x06, 0x82 | 0x83, ..] => "it is the write-ahead log (-wal) of a database",
        [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7, ..] => {
            "it is the rollback journal (-journal) of a database"
        }
        _ if first.iter().all(|byte| *byte == 0) => {
            "its first bytes are all zero, as a power loss may leave a file that was not flushed"
        }
        [0x1f, 0x8b, ..] | [b'P', b'K', 3, 4, ..] => "it is a compressed archive",
        [b'{' | b'[', ..] if first.iter().all(printable) => "it seems to be JSON",
        _ if first.starts_with(b"** This file contains an SQLite 2") => {
            "it is a database of SQLite 2"
        }
        _ if first.iter().all(printable) => "it seems to be text",
        // 100 random bytes have about 83 different values; other files seldom have half as many.
        _ if first.len() == HEADER_BYTES && distinct >= 65 => {
            "its first bytes look random: it seems to be encrypted (SQLCipher, SEE), or compressed"
        }
        _ => "it does not begin as a database; it is something else, or was overwritten",
    }
}
