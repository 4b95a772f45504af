//! What a support person asks of anything that a customer sent: is the data safe, where is it, what
//! happens next, what is to be done.
//!
//! Everything that comes in is untrusted: sizes are bounded, names must be of the grammar, and what
//! a file claims of itself is said to be a claim. *Safe* is only said of what is proven by what was
//! given; [`judge`](self) says by which of three: SQLite found the pages sound, or header and size
//! are the ones that a journal or receipt recorded, or the message was written by a start that had
//! looked. Everything else is *not safe* or *cannot tell*.

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
use cutover_core::backup::Backup;
use cutover_core::explain::Explanation;
use cutover_core::fault::Platform;
use cutover_core::names::FileName;
use cutover_core::plan::Plan;
use cutover_core::validate::Finding;

pub use crate::next_start::{Canonical, Does, NextStart, identify, next_start};

/// The largest text that is looked at, in bytes.
pub const MAX_TEXT: usize = crate::bundle::MAX_BYTES;
/// The most files of a folder that are looked at.
pub const MAX_FILES: usize = 2000;

/// What was dropped or pasted: a text, or files.
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
    /// Whether the files are all that lies in the folder. Where some may be missing, nothing is
    /// proven.
    #[serde(default)]
    pub whole_folder: bool,
    /// Where they are from, where that is known.
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
    /// Its text, of a file that ends in `.json` and is small.
    #[serde(default)]
    pub text: Option<String>,
    /// The beginning of a file that is or may be a database, in hex: 100 bytes at least, better
    /// the first page, of which 65536 are the most.
    #[serde(default)]
    pub head: Option<String>,
    /// What `readWal` gave, of a log.
    #[serde(default)]
    pub wal: Option<Wal>,
}

/// What it was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// A doctor's bundle.
    Bundle,
    /// A plan.
    Plan,
    /// A journal, of ours or the field's.
    Journal,
    /// A backup's receipt.
    Receipt,
    /// A line of a log, or a short code.
    Line,
    /// A database, or its log, alone.
    File,
    /// A database with what lies beside it.
    Folder,
    /// Nothing that is known here.
    Unknown,
}

/// Whether the data is safe; of a plan, whether performing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Safety {
    /// It is proven.
    Safe,
    /// Rows are missing or damaged, or the next step may cost some.
    NotSafe,
    /// What was given does not prove either.
    CannotTell,
}

/// Where one of the two is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Place {
    /// The file that holds it, as far as is known.
    pub file: Option<String>,
    /// In one sentence.
    pub says: String,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Diagnosis {
    /// What it was taken for.
    pub kind: Kind,
    /// Whether the data is safe; of a plan, whether performing it is.
    pub safety: Safety,
    /// What proves it, or what is missing for a proof. One or two sentences.
    pub because: String,
    /// Where v1 is.
    pub v1: Place,
    /// Where v2 is.
    pub v2: Place,
    /// What the next start will do.
    pub next: String,
    /// What the person should do.
    pub action: String,
    /// An answer to the customer, ready to send.
    pub reply: String,
    /// The error, explained, where there is one.
    pub explanation: Option<Explanation>,
    /// What is wrong with the plan.
    pub findings: Vec<Finding>,
    /// The plan that was given, or that the next start would perform.
    pub plan: Option<Plan>,
    /// The header of the database.
    pub header: Option<DatabaseHeader>,
    /// What its log holds.
    pub wal: Option<Wal>,
    /// The backups, newest first.
    pub backups: Vec<Backup>,
    /// What else was seen, one sentence each.
    pub facts: Vec<String>,
}

/// The names of the files that what was dropped tells of.
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

/// Judges whatever was dropped.
#[must_use]
pub fn diagnose(dropped: &Dropped) -> Diagnosis {
    if let Some(text) = &dropped.text {
        return text::diagnose(text);
    }
    match dropped.files.as_slice() {
        [] => unknown("nothing was given"),
        // One text file is what is in it. A journal alone has no directory to be held against.
        [DroppedFile { text: Some(text), .. }] => text::diagnose(text),
        files if files.len() > MAX_FILES => {
            unknown(&format!("there are {} files; at most {MAX_FILES} are looked at", files.len()))
        }
        files => folder::diagnose(
            files,
            dropped.whole_folder,
            dropped.platform.unwrap_or(Platform::Linux),
        ),
    }
}

/// A diagnosis that knows nothing yet.
fn blank(kind: Kind, because: &str) -> Diagnosis {
    let nowhere = || Place { file: None, says: "This does not tell.".into() };
    Diagnosis {
        kind,
        safety: Safety::CannotTell,
        because: because.into(),
        v1: nowhere(),
        v2: nowhere(),
        next: "This does not tell.".into(),
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

const ASK: &str = "Ask for the folder that the database is in, or for what `npx cutover doctor \
                   <path of the database>` writes. Until then nothing there should be removed or \
                   renamed.";

fn unknown(why: &str) -> Diagnosis {
    blank(Kind::Unknown, &format!("This is nothing that can be judged: {why}."))
}

impl Diagnosis {
    /// The reply, from the rest.
    fn with_reply(mut self) -> Self {
        self.reply = reply::reply(&self, None);
        self
    }
}

/// `1 problem`, `2 problems`.
fn count(number: u64, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}
