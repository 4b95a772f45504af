//! Reading and writing the versioned JSON of journals, receipts and plans.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::MAX_JOURNAL_BYTES;
use crate::names::NameError;

/// Why a journal, a receipt or a plan cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The text is not JSON of the right form.
    #[error("line {line}, column {column}: {message}")]
    Form {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// The text is larger than any that this project writes.
    #[error("it has {found} bytes; at most {most} are taken")]
    TooLarge {
        /// The bytes that it has.
        found: usize,
        /// The bound.
        most: usize,
    },
    /// A newer release wrote it.
    #[error(
        "it is version {found}, and this release reads up to version {known}: start the newer \
         release of the application, or install it again"
    )]
    TooNew {
        /// The version it has.
        found: u64,
        /// The newest that is known here.
        known: u32,
    },
    /// A version that no release wrote.
    #[error("it is version {found}, which no release ever wrote; this one reads version {known}")]
    TooOld {
        /// The version it has.
        found: u64,
        /// The version that is known here.
        known: u32,
    },
    /// A name in it is not of the grammar.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Fields that contradict each other.
    #[error("{0}")]
    Contradiction(String),
}

impl ReadError {
    /// Fields that contradict each other.
    pub(crate) fn contradiction(text: impl Into<String>) -> Self {
        Self::Contradiction(text.into())
    }
}

impl From<serde_json::Error> for ReadError {
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let message = text
            .strip_suffix(&format!(" at line {line} column {column}"))
            .unwrap_or(&text)
            .to_owned();
        Self::Form { line, column, message }
    }
}

/// Reads versioned JSON: first the version alone, so that a newer form is refused as newer and not
/// as malformed.
pub(crate) fn read_versioned<T: DeserializeOwned>(text: &str, known: u32) -> Result<T, ReadError> {
    read_bounded(text, known, MAX_JOURNAL_BYTES)
}

/// Reads versioned JSON of at most this many bytes.
///
/// # Errors
/// See [`ReadError`].
pub fn read_bounded<T: DeserializeOwned>(
    text: &str,
    known: u32,
    most: usize,
) -> Result<T, ReadError> {
    #[derive(Deserialize)]
    struct Version {
        version: u64,
    }
    if text.len() > most {
        return Err(ReadError::TooLarge { found: text.len(), most });
    }
    let Version { version } = serde_json::from_str(text)?;
    match version.cmp(&u64::from(known)) {
        std::cmp::Ordering::Greater => Err(ReadError::TooNew { found: version, known }),
        std::cmp::Ordering::Less => Err(ReadError::TooOld { found: version, known }),
        std::cmp::Ordering::Equal => Ok(serde_json::from_str(text)?),
    }
}

/// Writes versioned JSON, with a final newline. Serialising these types cannot fail: their maps
/// have text keys.
pub fn write_json<T: Serialize>(value: &T) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}
