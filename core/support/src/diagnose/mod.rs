//! Judges what a customer sent to a support person: is the data safe, where is it, what does the
//! next start do, and what should the person do.
//!
//! All input is untrusted. Its size is bounded, and its names must be of the grammar. The answer
//! says of a file's claim about itself that it is a claim.
//!
//! The answer is *safe* only where SQLite read the pages and nothing contradicts that the rows are
//! there. A bundle says when that was. No header, no journal, no receipt and no line of a log
//! proves it: every other answer is *not safe* or *cannot tell*.

mod case;
mod claims;
mod contradictions;
mod embedded;
mod entries;
mod errno;
mod errors;
mod folder;
mod judge;
mod known;
mod log_line;
mod merge;
mod places;
mod reply;
mod text;

use serde::{Deserialize, Serialize};

use crate::bundle::{Check, Content, Made};
use crate::{DatabaseHeader, Wal};
use cutover_core::{Backup, Explanation, FileName, Finding, Plan, Platform};
use merge::Piece;

/// The largest text that is read, in bytes.
pub const MAX_TEXT: usize = crate::bundle::MAX_BUNDLE_BYTES;
/// The most files of a folder that are read.
pub const MAX_FILES: usize = 2000;

/// What a person dropped or pasted: a text, files, or both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dropped {
    /// A bundle, plan, journal, receipt, a mail with such a thing in it, or any text with an error.
    #[serde(default)]
    pub text: Option<String>,
    /// The files of a folder, or some of them.
    #[serde(default)]
    pub files: Vec<DroppedFile>,
    /// Whether the files are all files of the folder. Where files may be missing, the rest proves
    /// nothing.
    #[serde(default)]
    pub whole_folder: bool,
    /// The database that is meant, by its name in `files`, where there are several. Without it all
    /// are judged, and the worst answer is given.
    #[serde(default)]
    pub database: Option<String>,
    /// The platform that the files are from, where it is known.
    #[serde(default)]
    pub platform: Option<Platform>,
}

/// One file, without its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DroppedFile {
    /// Its name, behind its path in the folder where it is in one below: `profile/data.db`.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// The file's text, where it is a text: a journal, a receipt, a bundle, a log, a mail.
    #[serde(default)]
    pub text: Option<String>,
    /// The beginning of a file that is or may be a database, in hex. It must have 100 bytes at
    /// least, and should be the whole first page, of at most 65536 bytes. Of a `-shm` the first 136
    /// bytes.
    #[serde(default)]
    pub head: Option<String>,
    /// The answer of `readWal` for this file, where it is a log.
    #[serde(default)]
    pub wal: Option<Wal>,
    /// What SQLite's `quick_check` said of this database just now, with its log and rollback
    /// journal. Nothing where the pages were not read.
    #[serde(default)]
    pub check: Option<Check>,
    /// How much this database holds, where it was counted.
    #[serde(default)]
    pub content: Option<Content>,
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

/// Whether a claim holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The claim holds.
    Yes,
    /// The claim does not hold.
    No,
    /// The input proves neither.
    CannotTell,
}

/// A claim about a database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Claim {
    /// Whether it holds.
    pub answer: Answer,
    /// What proves or contradicts it, or what is missing for a proof.
    pub says: String,
}

/// One piece of the input, and what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Evidence {
    /// Which piece it is.
    pub name: String,
    /// What it was taken for.
    pub kind: Kind,
    /// What it says of the data.
    pub safety: Safety,
    /// Why.
    pub says: String,
    /// When it was made, in Unix milliseconds. Nothing where that is now, or unknown.
    pub at_ms: Option<u64>,
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
    /// Whether the file is intact: only pages that were read prove it.
    pub intact: Claim,
    /// Whether the user's rows are there.
    pub rows: Claim,
    /// Which program made the newest bundle, when and where. Nothing where there is none.
    pub made: Option<Made>,
    /// The path of the database, where the input tells it.
    pub path: Option<String>,
    /// The pieces of the input, where there are several. The worst of them decides.
    pub evidence: Vec<Evidence>,
    /// The databases, where there are several: ask which is meant.
    pub databases: Vec<String>,
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
    /// What the reply needs to know of the directory.
    #[serde(skip)]
    seen: Option<reply::Seen>,
}

/// The names of the files that the input tells of.
#[must_use]
pub fn names_in(dropped: &Dropped) -> Vec<FileName> {
    let texts = dropped.text.iter().chain(dropped.files.iter().filter_map(|of| of.text.as_ref()));
    let mut names: Vec<FileName> = texts
        .filter(|text| text.len() <= MAX_TEXT)
        .flat_map(|text| embedded::bundles(text))
        .flat_map(|bundle| bundle.observation.files.into_keys())
        .collect();
    names.extend(dropped.files.iter().filter_map(|file| FileName::new(file.name.as_str()).ok()));
    names
}

/// Judges what a person dropped or pasted.
#[must_use]
pub fn diagnose(dropped: &Dropped) -> Diagnosis {
    let mut pieces: Vec<Piece> =
        dropped.text.iter().flat_map(|text| text::pieces("the text", text)).collect();
    match dropped.files.as_slice() {
        [] if dropped.text.is_none() => return unknown("it is empty"),
        [] => {}
        files if files.len() > MAX_FILES => {
            let why = format!("there are {} files; at most {MAX_FILES} are read", files.len());
            pieces.push(Piece::of("the files", unknown(&why)));
        }
        files => pieces.extend(folder::pieces(files, dropped)),
    }
    merge::merge(pieces)
}

/// A diagnosis that tells nothing yet.
fn blank(kind: Kind, because: &str) -> Diagnosis {
    let nowhere = || Place { file: None, says: "The input does not tell.".into() };
    Diagnosis {
        kind,
        safety: Safety::CannotTell,
        because: because.into(),
        intact: Claim::unsure("No page was read."),
        rows: Claim::unsure("No row was counted."),
        made: None,
        path: None,
        evidence: Vec::new(),
        databases: Vec::new(),
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
        seen: None,
    }
    .with_reply()
}

const ASK: &str = "Ask for the database's whole folder, or for what `npx cutover doctor <path of the \
                   database>` writes. Until then, do not remove or rename a file there.";

const COPY: &str = "First copy the whole folder to another disk. Do not remove or rename any file.";
const NO_START: &str = "Do not start the application on it: its writes could lose more rows.";

fn unknown(why: &str) -> Diagnosis {
    blank(Kind::Unknown, &format!("Cutover cannot judge this: {why}."))
}

impl Diagnosis {
    /// Writes the reply from the rest.
    fn with_reply(mut self) -> Self {
        self.reply = reply::reply(&self, self.seen.as_ref());
        self
    }
}
