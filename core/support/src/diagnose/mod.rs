//! What a support person asks of anything that a customer sent: is the data safe, where is it, what
//! happens next, what is to be done.
//!
//! Everything that comes in is untrusted: sizes are bounded, names must be of the grammar, and what
//! a file claims of itself is said to be a claim. *Safe* is only said of what is proven by what was
//! given; [`judge`](self) says by which of three: SQLite found the pages sound, or header and size
//! are the ones that a journal or receipt recorded, or the message was written by a start that had
//! looked. Everything else is *not safe* or *cannot tell*.

mod directory;
mod judge;
mod line;
mod next;
mod places;
mod reply;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::bundle::Given;
use crate::{DatabaseHeader, Wal};
use cutover_core::backup::Backup;
use cutover_core::explain::Explanation;
use cutover_core::fault::Platform;
use cutover_core::journal::{Journal, ReadError, Receipt};
use cutover_core::names::FileName;
use cutover_core::plan::Plan;
use cutover_core::validate::{Finding, validate};

pub use next::{Canonical, Does, NextStart, identify, next_start};

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
        return of_text(text);
    }
    match dropped.files.as_slice() {
        [] => unknown("nothing was given"),
        // One text file is what is in it. A journal alone has no directory to be held against.
        [DroppedFile { text: Some(text), .. }] => of_text(text),
        files if files.len() > MAX_FILES => {
            unknown(&format!("there are {} files; at most {MAX_FILES} are looked at", files.len()))
        }
        files => directory::diagnose(
            files,
            dropped.whole_folder,
            dropped.platform.unwrap_or(Platform::Linux),
        ),
    }
}

fn of_text(text: &str) -> Diagnosis {
    if text.len() > MAX_TEXT {
        return unknown(&format!("it has {} bytes; at most {MAX_TEXT} are looked at", text.len()));
    }
    let trimmed = text.trim_start_matches('\u{feff}').trim();
    if !trimmed.starts_with('{') {
        return line::diagnose(trimmed);
    }
    let form = match Form::of(trimmed) {
        Ok(form) => form,
        // Cut short. Nothing in it is judged by itself: what is missing could say otherwise.
        Err(error) if error.is_eof() => {
            return unknown(&format!("it begins as JSON and is cut short ({error})"));
        }
        Err(_) => None,
    };
    match form {
        Some(Form::Bundle) => match Given::parse(trimmed) {
            Ok(bundle) => judge::bundle(&bundle),
            Err(error) => unreadable(Kind::Bundle, "bundle", &error),
        },
        Some(Form::Plan) => match Plan::parse(trimmed) {
            Ok(plan) => of_plan(plan),
            Err(error) => {
                let mut diagnosis = unreadable(Kind::Plan, "plan", &error);
                if !matches!(error, ReadError::TooNew { .. }) {
                    diagnosis.safety = Safety::NotSafe;
                    diagnosis.findings = cutover_core::validate::validate_text(trimmed, None);
                    diagnosis.action =
                        "Do not perform it; make the plan anew with this release.".into();
                }
                diagnosis.with_reply()
            }
        },
        Some(Form::Journal) => of_journal(trimmed),
        Some(Form::Receipt) => match Receipt::parse(trimmed) {
            Ok(receipt) => of_receipt(&receipt),
            Err(error) => unreadable(Kind::Receipt, "receipt", &error),
        },
        None => line::diagnose(trimmed),
    }
}

/// Which of our formats a text seems to be, by the fields that only it has.
#[derive(Clone, Copy)]
enum Form {
    Bundle,
    Plan,
    Journal,
    Receipt,
}

impl Form {
    fn of(text: &str) -> serde_json::Result<Option<Self>> {
        /// The fields that tell; what is in them is read later.
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Seen {
            observation: Option<IgnoredAny>,
            steps: Option<IgnoredAny>,
            phase: Option<IgnoredAny>,
            started_ms: Option<IgnoredAny>,
        }
        let seen: Seen = serde_json::from_str(text)?;
        Ok(match seen {
            Seen { observation: Some(_), .. } => Some(Self::Bundle),
            Seen { steps: Some(_), .. } => Some(Self::Plan),
            Seen { phase: Some(_), .. } => Some(Self::Journal),
            Seen { started_ms: Some(_), .. } => Some(Self::Receipt),
            _ => None,
        })
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

fn unreadable(kind: Kind, what: &str, error: &ReadError) -> Diagnosis {
    let mut diagnosis = blank(kind, &format!("The {what} cannot be read: {error}."));
    if let ReadError::TooNew { .. } = error {
        diagnosis.because = format!("A newer release wrote this {what}: {error}.");
        diagnosis.action = "Open it with the newer release of this page.".into();
    }
    diagnosis.with_reply()
}

fn of_plan(plan: Plan) -> Diagnosis {
    let findings = validate(&plan, None);
    let mut diagnosis = blank(Kind::Plan, "");
    if findings.is_empty() {
        diagnosis.safety = Safety::Safe;
        diagnosis.because = "Each step stands where a crash before, in or behind it leaves a \
                             state that a start recovers from. This is about the plan: what is in \
                             a database it does not tell."
            .into();
        diagnosis.action =
            "It can be performed. It is held against the directory once more before that.".into();
    } else {
        diagnosis.safety = Safety::NotSafe;
        diagnosis.because = format!(
            "Performed as it is, a crash could cost a row or brick a start: it has {}.",
            count(findings.len() as u64, "finding")
        );
        diagnosis.action =
            "Do not perform it; make the plan anew with this release. `runPlan` refuses it.".into();
    }
    diagnosis.next = "This plan is performed only by who gives it to `runPlan`.".into();
    diagnosis.findings = findings;
    diagnosis.plan = Some(plan);
    diagnosis.with_reply()
}

fn of_journal(text: &str) -> Diagnosis {
    #[derive(Deserialize)]
    struct Names {
        canonical: FileName,
    }
    #[derive(Deserialize)]
    struct Ours {
        names: Option<Names>,
        source: Option<String>,
    }
    let seen: serde_json::Result<Ours> = serde_json::from_str(text);
    let mut diagnosis = blank(Kind::Journal, "");
    let (phase, staged, names) = match seen {
        Ok(Ours { names: Some(Names { canonical }), .. }) => match Journal::parse(text, &canonical)
        {
            Ok(journal) => (journal.phase.as_str(), journal.names.install.clone(), journal.names),
            Err(error) => return unreadable(Kind::Journal, "journal", &error),
        },
        Ok(Ours { source: Some(source), .. }) => {
            let bare = source.rsplit(['/', '\\']).next().unwrap_or_default();
            let journal = FileName::new(bare)
                .map_err(ReadError::from)
                .and_then(|name| cutover_core::legacy::LegacyJournal::parse(text, &name));
            match journal {
                Ok(journal) => {
                    (journal.phase.as_str(), journal.names.staging.clone(), journal.names)
                }
                Err(error) => return unreadable(Kind::Journal, "journal", &error),
            }
        }
        Ok(_) => {
            return unreadable(
                Kind::Journal,
                "journal",
                &ReadError::Contradiction("it names no database".into()),
            );
        }
        Err(error) => return unreadable(Kind::Journal, "journal", &error.into()),
    };
    diagnosis.because = format!(
        "An upgrade of {} was interrupted in the phase {phase}. What is beside the journal \
         decides, and only the folder shows that.",
        names.canonical
    );
    diagnosis.v1 = Place {
        file: None,
        says: format!("It is in {} or in {}, and may be in both.", names.canonical, names.backup),
    };
    diagnosis.v2 = match phase {
        "building" => {
            Place { file: None, says: "It is not complete; what there is of it is removed.".into() }
        }
        "committed" => Place {
            file: Some(names.canonical.to_string()),
            says: format!("It is {}, for good, the journal says.", names.canonical),
        },
        _ => Place {
            file: None,
            says: format!("It is complete, in {staged} or already in {}.", names.canonical),
        },
    };
    diagnosis.next = match phase {
        "building" => "It undoes the upgrade, so that v1 is as it was, and begins anew.",
        "committed" => "It removes what the upgrade left, and opens v2.",
        _ => "It goes on where the upgrade stopped, or undoes it, by what it finds.",
    }
    .into();
    diagnosis.with_reply()
}

fn of_receipt(receipt: &Receipt) -> Diagnosis {
    let mut diagnosis = blank(Kind::Receipt, "");
    let size = receipt
        .v1
        .as_ref()
        .map_or_else(String::new, |v1| format!(" of {} bytes", v1.fingerprint.size));
    diagnosis.because = format!(
        "A receipt says that {} was upgraded ({}), and that v1 was kept. Whether both files are \
         there only the folder shows.",
        receipt.canonical, receipt.label
    );
    diagnosis.v1 = Place {
        file: Some(receipt.backup.to_string()),
        says: format!("It was kept as {}{size}.", receipt.backup),
    };
    diagnosis.v2 = Place {
        file: Some(receipt.canonical.to_string()),
        says: format!("It became {}.", receipt.canonical),
    };
    diagnosis.facts = receipt
        .warnings
        .iter()
        .map(|warning| format!("That upgrade warned: {}", warning.message))
        .collect();
    diagnosis.with_reply()
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
