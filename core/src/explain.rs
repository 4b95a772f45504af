//! Explains a short code to a person who has only the message.

use serde::{Deserialize, Serialize};

use crate::failure::Code;

/// An explanation of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Explanation {
    /// The kind of failure.
    pub code: Code,
    /// The op that failed, where the text names one.
    pub op: Option<String>,
    /// The operating system's code, where the text names one.
    pub os: Option<String>,
    /// What the failure means.
    pub meaning: String,
    /// Where the data is.
    pub data: String,
    /// What to do.
    pub hint: String,
}

/// Finds the first short code (`cutover:<code>…`) in any text, such as a log line, and explains it.
#[must_use]
pub fn explain_error(text: &str) -> Option<Explanation> {
    text.match_indices("cutover:").find_map(|(at, found)| {
        let short: String = text[at + found.len()..]
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-'))
            .collect();
        let mut parts = short.split(':');
        let code = parts.next()?;
        let code = Code::ALL.iter().copied().find(|known| known.as_str() == code)?;
        let rest: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        let (op, os) = match rest.as_slice() {
            [op, os, ..] => (Some((*op).to_owned()), Some((*os).to_owned())),
            [one] if one.starts_with('E') => (None, Some((*one).to_owned())),
            [one] => (Some((*one).to_owned()), None),
            [] => (None, None),
        };
        let (meaning, data, hint) = words(code);
        Some(Explanation {
            code,
            op,
            os,
            meaning: meaning.into(),
            data: data.into(),
            hint: hint.into(),
        })
    })
}

fn words(code: Code) -> (&'static str, &'static str, &'static str) {
    const UNTOUCHED: &str = "Nothing was touched.";
    const NO_ROW_LOST: &str = "No row is lost. The rows are in the old database, or in the new one \
                               with the old one beside it.";
    const IN_PLACE: &str = "The database is in its place, with every row that it had.";
    match code {
        Code::Owned => (
            "Another instance of the application is using this database, or one of its companions. Or \
             this process itself took the owner lock before, and did not pass it.",
            UNTOUCHED,
            "Use the instance that is running, or close it and start again. A lock that this process \
             took is passed as `options.lock`.",
        ),
        Code::Held => (
            "A program has the database open or writes to it. It may be the application itself. Or \
             it cannot be told which programs have it open; the message says why.",
            NO_ROW_LOST,
            "Close the programs that the message names and start again. Where none can be told, \
             set the option `unseen` if you know that there is none.",
        ),
        Code::Newer => (
            "A newer release of the application wrote this database, or what belongs to it: the journal \
             of an upgrade, the receipt of a backup, a plan.",
            UNTOUCHED,
            "Start the newer release, or restore an older backup.",
        ),
        Code::NotADatabase => (
            "The file has no SQLite header: it is encrypted, which cutover does not open, something else, \
             or overwritten.",
            UNTOUCHED,
            "If the application encrypts its database, leave it where it is. Else move the file away. \
             Then copy a backup to its name, or start with an empty database.",
        ),
        Code::V1Corrupt => (
            "SQLite reports that the old database, or a backup of it, is damaged.",
            "Nothing was removed.",
            "First copy the file and its -wal and -journal to another place. Then restore a backup, or \
             another one, or use sqlite3's .recover.",
        ),
        Code::NoSpace => (
            "There is not enough free space for the upgrade, the disk quota of the user is used up, or \
             SQLite's temporary folder is full.",
            IN_PLACE,
            "Free the space that the message names, have the quota raised, or set SQLITE_TMPDIR to \
             another folder, and start again.",
        ),
        Code::Io => (
            "The operating system refused a file operation, or an option names a file that cannot be \
             used, or a name that is needed is that of a link, a FIFO, a device or a directory.",
            NO_ROW_LOST,
            "Follow the message, which names the file. Usual causes are missing rights, a read-only \
             volume, a limit of open files or of a file's size, and a failing disk.",
        ),
        Code::Journal => (
            "An earlier upgrade was interrupted and cannot go on here, or a given plan cannot be \
             used.",
            NO_ROW_LOST,
            "Follow the message. Usually: start the version of the application that began the upgrade, \
             or call `recover` with the label that it had. A plan is made anew.",
        ),
        Code::Host => (
            "The application's own part of the upgrade failed.",
            IN_PLACE,
            "The application's own error names the cause. Correct it there, and start again.",
        ),
        Code::Verify => (
            "The new database, or the backup, did not pass its checks, so it was not installed.",
            IN_PLACE,
            "Correct what builds the new database, or choose another backup.",
        ),
        Code::StillOld => (
            "The upgraded database still looks like the old one, so it was not installed.",
            IN_PLACE,
            "Correct what builds the new database: it does not set what detect looks for.",
        ),
        Code::Aborted => (
            "The application asked to stop before anything was installed.",
            IN_PLACE,
            "Start again to upgrade.",
        ),
    }
}
