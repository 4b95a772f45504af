//! Judges what a customer sent to a support person: is the data safe, where is it, what does the
//! next start do, and what should the person do.
//!
//! All input is untrusted. Its size is bounded, and its names must be of the grammar. The answer
//! says of a file's claim about itself that it is a claim.
//!
//! The answer is *safe* only where the input proves it, in one of three ways: SQLite found the
//! pages sound; header and size are those that a journal or receipt recorded; or the start that
//! wrote the message had looked. Every other answer is *not safe* or *cannot tell*.

mod case;
mod folder;
mod judge;
mod log_line;
mod places;
mod reply;
mod text;

use serde::{Deserialize, Serialize};

use crate::bundle::Given;
use crate::{DatabaseHeader, Wal};
use cutover_core::{Backup, Explanation, FileName, Finding, Plan, Platform};

/// The largest text that is read, in bytes.
pub const MAX_TEXT: usize = crate::bundle::MAX_BUNDLE_BYTES;
/// The most files of a folder that are read.
pub const MAX_FILES: usize = 2000;

/// What a person dropped or pasted: a text, or files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dropped {
    /// A bundle, plan, journal, receipt, or any text with an error in it.
    #[serde(default)]
    pub text: Option<String>,
    /// The files of a folder, or some of them.
    #[serde(default)]
    pub files: Vec<DroppedFile>,
    /// Whether the files are all files of the folder. Where files may be missing, the rest proves
    /// nothing.
    #[serde(default)]
    pub whole_folder: bool,
    /// The platform that the files are from, where it is known.
    #[serde(default)]
    pub platform: Option<Platform>,
}

/// One file, without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DroppedFile {
    /// Its bare name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// The file's text, where its name ends in `.json` and it is small.
    #[serde(default)]
    pub text: Option<String>,
    /// The beginning of a file that is or may be a database, in hex. It must have 100 bytes at
    /// least, and should be the whole first page, of at most 65536 bytes.
    #[serde(default)]
    pub head: Option<String>,
    /// The answer of `readWal` for this file, where it is a log.
    #[serde(default)]
    pub wal: Option<Wal>,
}

/// What the input was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// A doctor's bundle.
    Bundle,
    /// A plan.
    Plan,
    /// A journal, of cutover or of the legacy daemon.
    Journal,
    /// A backup's receipt.
    Receipt,
    /// A line of a log, or a short code.
    Line,
    /// A database, or its log, alone.
    File,
    /// A database with the files beside it.
    Folder,
    /// Nothing that cutover knows.
    Unknown,
}

/// Whether the data is safe; of a plan, whether performing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Safety {
    /// The input proves that the data is safe.
    Safe,
    /// Rows are missing or damaged, or the next step may lose rows.
    NotSafe,
    /// The input proves neither.
    CannotTell,
}

/// Where v1 or v2 is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Place {
    /// The file that holds it, where that is known.
    pub file: Option<String>,
    /// Where it is, in one sentence.
    pub says: String,
}

/// The answer to a support person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Diagnosis {
    /// What the input was taken for.
    pub kind: Kind,
    /// Whether the data is safe; of a plan, whether performing it is.
    pub safety: Safety,
    /// What proves the answer, or what is missing for a proof. One or two sentences.
    pub because: String,
    /// Where v1 is.
    pub v1: Place,
    /// Where v2 is.
    pub v2: Place,
    /// What the next start will do.
    pub next: String,
    /// What the support person should do.
    pub action: String,
    /// An answer to the customer, ready to send.
    pub reply: String,
    /// The explanation of the error, where there is one.
    pub explanation: Option<Explanation>,
    /// What is wrong with the plan.
    pub findings: Vec<Finding>,
    /// The plan that was given, or that the next start would perform.
    pub plan: Option<Plan>,
    /// The header of the database.
    pub header: Option<DatabaseHeader>,
    /// What the database's log holds.
    pub wal: Option<Wal>,
    /// The backups, newest first.
    pub backups: Vec<Backup>,
    /// Further facts, one sentence each.
    pub facts: Vec<String>,
}

/// The names of the files that the input tells of.
#[must_use]
pub fn names_in(dropped: &Dropped) -> Vec<FileName> {
    let mut names = Vec::new();
    if let Some(text) = &dropped.text
        && let Ok(bundle) = Given::parse(text.trim_start_matches('\u{feff}').trim())
    {
        names.extend(bundle.observation.files.into_keys());
    }
    names.extend(dropped.files.iter().filter_map(|file| FileName::new(file.name.as_str()).ok()));
    names
}

/// Judges what a person dropped or pasted.
#[must_use]
pub fn diagnose(dropped: &Dropped) -> Diagnosis {
    if let Some(text) = &dropped.text {
        return text::diagnose(text);
    }
    match dropped.files.as_slice() {
        [] => unknown("it is empty"),
        // One text file is judged by its text.
        [DroppedFile { text: Some(text), .. }] => text::diagnose(text),
        files if files.len() > MAX_FILES => {
            unknown(&format!("there are {} files; at most {MAX_FILES} are read", files.len()))
        }
        files => folder::diagnose(
            files,
            dropped.whole_folder,
            dropped.platform.unwrap_or(Platform::Linux),
        ),
    }
}

/// A diagnosis that tells nothing yet.
fn blank(kind: Kind, because: &str) -> Diagnosis {
    let nowhere = || Place { file: None, says: "The input does not tell.".into() };
    Diagnosis {
        kind,
        safety: Safety::CannotTell,
        because: because.into(),
        v1: nowhere(),
        v2: nowhere(),
        next: "The input does not tell.".into(),
        action: ASK.into(),
        reply: String::new(),
        explanation: None,
        findings: Vec::new(),
        plan: None,
        header: None,
        wal: None,
        backups: Vec::new(),
        facts: Vec::new(),
    }
    .with_reply()
}

const ASK: &str = "Ask for the database's whole folder, or for what `npx cutover doctor <path of the \
                   database>` writes. Until then, do not remove or rename a file there.";

fn unknown(why: &str) -> Diagnosis {
    blank(Kind::Unknown, &format!("Cutover cannot judge this: {why}."))
}

impl Diagnosis {
    /// Writes the reply from the rest.
    fn with_reply(mut self) -> Self {
        self.reply = reply::reply(&self, None);
        self
    }
}
