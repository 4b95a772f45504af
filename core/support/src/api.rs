//! The functions of this crate as the bindings offer them: JSON text in and out, as in
//! [`cutover_core::api`].

use cutover_core::api::{answer, read};
use cutover_core::{Code, Failure};

use crate::WalReader;
use crate::diagnose::Dropped;

/// Reads the header of a database from its first bytes. `size` is the file's size in bytes.
#[must_use]
pub fn read_database_header(bytes: &[u8], size: Option<u64>) -> String {
    let header = crate::read_database_header(bytes, size).map_err(|error| {
        let hint = "restore it from a backup, or look for the file that the application opens";
        Failure::refusal(Code::NotADatabase, error.to_string(), hint).into()
    });
    answer(header)
}

/// Ends the reading of a write-ahead log.
#[must_use]
pub fn wal(reader: WalReader) -> String {
    answer(Ok(reader.finish()))
}

/// Judges what a person dropped or pasted.
#[must_use]
pub fn diagnose(dropped: &str) -> String {
    answer(read::<Dropped>("dropped", dropped).map(|dropped| crate::diagnose::diagnose(&dropped)))
}
