//! The failure that the application gets: what failed, on which file, why, where the data is, and
//! what to do.

mod hints;

use serde::{Deserialize, Serialize};

use crate::fault::{Holder, OpError, OpErrorKind, OsCode};
use crate::journal::{Journal, Phase};
use crate::names::{FileName, PlanPath, displaced_name};

/// Why a file is not opened that does not begin as a SQLite database does.
pub const NO_HEADER: &str = "the file has no SQLite header: it may be encrypted, and cutover does \
                             not open encrypted databases";

/// The kind of a failure.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[strum(serialize_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum Code {
    /// Another process, or another part of this process, owns the database.
    Owned,
    /// A process has the file set open.
    Held,
    /// A newer release wrote the database, or a journal, a receipt or a plan of it.
    Newer,
    /// The file is not a SQLite database.
    NotADatabase,
    /// v1 is damaged.
    V1Corrupt,
    /// The volume has not enough free space.
    NoSpace,
    /// The file system refused an operation.
    Io,
    /// A journal cannot be used.
    Journal,
    /// A callback of the application failed.
    Host,
    /// v2, or a backup, did not pass its checks.
    Verify,
    /// `detect` still says "old" of the v2 that was built.
    StillOld,
    /// The application asked to stop.
    Aborted,
}

impl Code {
    /// Every code.
    pub const ALL: &[Self] = <Self as strum::VariantArray>::VARIANTS;

    /// The word in JSON and in short codes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Where the user's data is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DataState {
    /// Canonical is v1, with every row that it had. Whether its pages are sound was not looked at.
    V1,
    /// Canonical is v2, whole.
    V2,
    /// v1 and v2 are whole, and the next start finishes.
    FinishAtNextStart,
    /// Canonical is the database that it was. Whether that is v1 or v2 was not looked at.
    Untouched,
    /// The run did not look, or cannot tell.
    Unknown,
}

/// Where the user's data is, with file names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct DataLocation {
    /// Where the data is, in one word.
    pub state: DataState,
    /// The file that holds all of v1. In the state `untouched`, the database, which may be v2.
    pub v1: Option<String>,
    /// The file that holds all of v2.
    pub v2: Option<String>,
}

/// Everything that cutover knows of a failure: in Rust, in JSON, and as `CutoverError` in
/// JavaScript. `Display` gives the message, one sentence that ends with the short code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(with = "FailureJson"))]
#[serde(from = "FailureJson", into = "FailureJson")]
#[error("{}", self.sentence())]
#[non_exhaustive]
pub struct Failure {
    /// The kind of failure.
    pub code: Code,
    /// The operating system's code, where there is one.
    pub os: Option<OsCode>,
    /// The op that failed.
    pub op: Option<String>,
    /// The file that the op failed on.
    pub path: Option<String>,
    /// The phase of the journal when the op failed.
    pub phase: Option<Phase>,
    /// How often the run tried the op.
    pub attempts: u32,
    /// How long the run had waited when the op failed, in milliseconds.
    pub waited_ms: u64,
    /// The processes that are in the way, this process first.
    pub holders: Vec<Holder>,
    /// Where the data is.
    pub data: DataLocation,
    /// What to do.
    pub hint: String,
    /// The cause: what failed and why, without the rest of the message.
    pub reason: String,
}

impl Failure {
    /// A refusal: cutover touched nothing.
    #[must_use]
    pub fn refusal(code: Code, reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            code,
            os: None,
            op: None,
            path: None,
            phase: None,
            attempts: 1,
            waited_ms: 0,
            holders: Vec::new(),
            data: DataLocation { state: DataState::Unknown, v1: None, v2: None },
            hint: hint.into(),
            reason: reason.into(),
        }
    }

    /// The refusal of a file that does not begin as a SQLite database does.
    #[must_use]
    pub fn no_header(file: &FileName) -> Self {
        Self::refusal(Code::NotADatabase, NO_HEADER, hints::NO_HEADER).of(file)
    }

    /// The refusal where a program that has the database open would not be seen. SQLite's locks
    /// tell of none: an idle connection in rollback mode holds no lock, and a process's own locks
    /// never conflict. `why`: what hides them.
    #[must_use]
    pub fn unseen(canonical: &FileName, why: &str) -> Self {
        let reason = format!("which programs have the database open cannot be told here: {why}");
        Self::refusal(Code::Held, reason, hints::UNSEEN).of(canonical).untouched(canonical)
    }

    /// Names the file that the failure is about.
    #[must_use]
    pub fn of(mut self, file: &FileName) -> Self {
        self.path = Some(file.to_string());
        self
    }

    /// Names the processes that are in the way.
    #[must_use]
    pub fn held_by(mut self, holders: &[Holder]) -> Self {
        self.holders = holders.to_vec();
        self
    }

    /// Says that canonical is v1, and was not touched.
    #[must_use]
    pub fn with_v1(mut self, canonical: &FileName) -> Self {
        self.data =
            DataLocation { state: DataState::V1, v1: Some(canonical.to_string()), v2: None };
        self
    }

    /// Says that canonical is the database that it was, v1 or v2.
    #[must_use]
    pub fn untouched(mut self, canonical: &FileName) -> Self {
        self.data =
            DataLocation { state: DataState::Untouched, v1: Some(canonical.to_string()), v2: None };
        self
    }

    /// Makes the failure of an op that the runner reported.
    #[must_use]
    pub fn from_fault(fault: &OpError, op: &str, no_space: bool) -> Self {
        let (code, hint) = if no_space {
            hints::no_space(&fault.cause)
        } else {
            hints::of_cause(&fault.cause, op)
        };
        let mut failure = Self::refusal(code, fault.message.clone(), hint);
        failure.op = Some(op.to_owned());
        failure.path = fault.file.as_ref().map(PlanPath::to_string);
        if let OpErrorKind::Os { os } | OpErrorKind::Denied { os } = &fault.cause {
            failure.os = Some(os.clone());
        }
        if let OpErrorKind::Held { holders } = &fault.cause {
            failure.holders.clone_from(holders);
        }
        failure
    }

    /// Changes the hint to that of a restore, which does not build a v2.
    pub(crate) fn of_restore(mut self) -> Self {
        if let Some(hint) = hints::of_restore(self.code) {
            self.hint = hint.into();
        }
        self
    }

    /// Changes the hint to that of an adoption, which starts no application. What is wrong with the
    /// copy is wrong with the backup.
    pub(crate) fn of_adoption(mut self, backup: Option<&FileName>) -> Self {
        if let (Code::V1Corrupt | Code::NotADatabase, Some(backup)) = (self.code, backup) {
            self.path = Some(backup.to_string());
        }
        if let Some(hint) = hints::of_adoption(self.code) {
            self.hint = hint.into();
        }
        self
    }

    /// Says where the data is, from the journal's names.
    pub(crate) fn locate(&mut self, state: DataState, journal: Option<&Journal>) {
        let name = |file: &FileName| Some(file.to_string());
        let restore = journal.filter(|journal| journal.strategy.restores());
        let state = match (state, restore) {
            // A restore replaces v2: it stands where v1 stands in an upgrade.
            (DataState::V1, Some(_)) => DataState::V2,
            (DataState::V2, Some(_)) => DataState::V1,
            _ => state,
        };
        let (v1, v2) = match (state, journal) {
            // Only the next start can tell which of the two canonical is now.
            (DataState::FinishAtNextStart, Some(j))
                if restore.is_some_and(|journal| journal.strategy.copies_pages()) =>
            {
                (
                    name(&j.names.backup),
                    Some(displaced_name(&j.names.canonical, &j.nonce).to_string()),
                )
            }
            (DataState::FinishAtNextStart, Some(j)) if restore.is_some() => (
                name(&j.names.canonical),
                Some(displaced_name(&j.names.canonical, &j.nonce).to_string()),
            ),
            (DataState::V1, Some(j)) if restore.is_some() => (
                name(&j.names.canonical),
                Some(displaced_name(&j.names.canonical, &j.nonce).to_string()),
            ),
            (DataState::V1, Some(j)) => (name(&j.names.canonical), None),
            (DataState::V2, Some(j)) => (name(&j.names.backup), name(&j.names.canonical)),
            (DataState::FinishAtNextStart, Some(j)) => {
                (name(&j.names.backup), j.v2.as_ref().map(|_| j.names.canonical.to_string()))
            }
            _ => (None, None),
        };
        self.data = DataLocation { state, v1, v2 };
    }

    /// Turns bare names into paths in `directory`, as the application knows them. The paths of
    /// companions stay as they are.
    pub fn in_directory(&mut self, directory: &str, separator: char) {
        for name in [&mut self.path, &mut self.data.v1, &mut self.data.v2].into_iter().flatten() {
            if !name.contains(['/', '\\']) {
                *name = format!("{directory}{separator}{name}");
            }
        }
    }

    /// The stable short code: `cutover:<code>`, followed by the op and the operating system's code,
    /// where there are any.
    #[must_use]
    pub fn short(&self) -> String {
        let mut short = format!("cutover:{}", self.code.as_str());
        for part in
            [self.op.as_deref(), self.os.as_ref().map(|os| os.code.as_str())].into_iter().flatten()
        {
            short.push(':');
            short.push_str(part);
        }
        short
    }

    fn sentence(&self) -> String {
        use std::fmt::Write as _;
        let mut text = match (&self.op, &self.path) {
            (Some(op), Some(path)) => format!("cutover: {op} failed on {path}: {}", self.reason),
            (Some(op), None) => format!("cutover: {op} failed: {}", self.reason),
            (None, Some(path)) => format!("cutover: {path}: {}", self.reason),
            (None, None) => format!("cutover: {}", self.reason),
        };
        if let Some(os) = &self.os {
            let _ = write!(text, " ({}, {})", os.name, os.raw);
        }
        if !self.holders.is_empty() {
            let who: Vec<String> = self.holders.iter().map(holder_text).collect();
            let _ = write!(text, "; held by {}", who.join(", "));
        }
        let data = match self.data.state {
            DataState::V1 if self.code == Code::V1Corrupt => {
                Some("what is left of your data is in")
            }
            DataState::V1 | DataState::Untouched => Some("your data is untouched, in"),
            DataState::V2 => Some("your data is whole, upgraded, in"),
            DataState::FinishAtNextStart => {
                Some("your data is whole and the next start finishes; the old data is in")
            }
            DataState::Unknown => None,
        };
        let file = if self.data.state == DataState::V2 { &self.data.v2 } else { &self.data.v1 };
        if let (Some(data), Some(file)) = (data, file) {
            let _ = write!(text, "; {data} {file}");
        }
        if !self.hint.is_empty() {
            let _ = write!(text, "; {}", self.hint);
        }
        let _ = write!(text, " [{}]", self.short());
        text
    }
}

/// A failure in JSON: its fields and its message. A reader ignores the message, and makes it anew.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Failure"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FailureJson {
    /// The kind of failure.
    code: Code,
    /// One sentence, ending with the short code.
    message: String,
    /// The operating system's code, where there is one.
    os: Option<OsCode>,
    /// The op that failed.
    op: Option<String>,
    /// The file that the op failed on.
    path: Option<String>,
    /// The phase of the journal when the op failed.
    phase: Option<Phase>,
    /// How often the run tried the op.
    attempts: u32,
    /// How long the run had waited when the op failed, in milliseconds.
    waited_ms: u64,
    /// The processes that are in the way, this process first.
    holders: Vec<Holder>,
    /// Where the data is.
    data: DataLocation,
    /// What to do.
    hint: String,
    /// The cause: what failed and why, without the rest of the message.
    reason: String,
}

impl From<Failure> for FailureJson {
    fn from(failure: Failure) -> Self {
        let message = failure.to_string();
        let Failure { code, os, op, path, phase, attempts, waited_ms, holders, data, hint, reason } =
            failure;
        Self {
            code,
            message,
            os,
            op,
            path,
            phase,
            attempts,
            waited_ms,
            holders,
            data,
            hint,
            reason,
        }
    }
}

impl From<FailureJson> for Failure {
    fn from(json: FailureJson) -> Self {
        let FailureJson {
            code,
            message: _,
            os,
            op,
            path,
            phase,
            attempts,
            waited_ms,
            holders,
            data,
            hint,
            reason,
        } = json;
        Self { code, os, op, path, phase, attempts, waited_ms, holders, data, hint, reason }
    }
}

fn holder_text(holder: &Holder) -> String {
    let who = match holder {
        Holder { this_process: true, .. } => "this process".to_owned(),
        Holder { pid: 0, name, .. } if name.is_empty() => {
            "a program that the system does not name".to_owned()
        }
        holder => holder.name.clone(),
    };
    if holder.pid == 0 { who } else { format!("{who} (pid {})", holder.pid) }
}
