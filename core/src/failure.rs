//! A failure as the application gets it: what failed, on which file, why, where the data is and
//! what to do.

use serde::{Deserialize, Serialize};

use crate::fault::{Cause, Fault, OsCode};
use crate::journal::{Journal, Phase};
use crate::names::{At, FileName, displaced};
use crate::observe::Holder;

/// What kind of failure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// Another process, or another part of this one, owns the database.
    Owned,
    /// A process has the file set open.
    Held,
    /// A newer release wrote the database.
    Newer,
    /// The file is not a SQLite database.
    NotADatabase,
    /// v1 is damaged.
    V1Corrupt,
    /// The disk has not the room.
    NoSpace,
    /// The file system refused.
    Io,
    /// A journal cannot be used.
    Journal,
    /// A callback of the application failed.
    Host,
    /// What was built is not what it must be.
    Verify,
    /// `detect` still says "old" of what was built.
    StillOld,
    /// The application asked to stop.
    Aborted,
}

impl Code {
    /// Every code, for documentation and explanation.
    pub const ALL: [Self; 12] = [
        Self::Owned,
        Self::Held,
        Self::Newer,
        Self::NotADatabase,
        Self::V1Corrupt,
        Self::NoSpace,
        Self::Io,
        Self::Journal,
        Self::Host,
        Self::Verify,
        Self::StillOld,
        Self::Aborted,
    ];

    /// The word in JSON and in short codes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owned => "OWNED",
            Self::Held => "HELD",
            Self::Newer => "NEWER",
            Self::NotADatabase => "NOT_A_DATABASE",
            Self::V1Corrupt => "V1_CORRUPT",
            Self::NoSpace => "NO_SPACE",
            Self::Io => "IO",
            Self::Journal => "JOURNAL",
            Self::Host => "HOST",
            Self::Verify => "VERIFY",
            Self::StillOld => "STILL_OLD",
            Self::Aborted => "ABORTED",
        }
    }
}

/// Where the user's data is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Where {
    /// Canonical is v1, whole.
    V1,
    /// Canonical is v2, whole.
    V2,
    /// Both are whole; the next start finishes.
    FinishAtNextStart,
    /// It was not looked at, or cannot be told.
    Unknown,
}

/// Where the data is, with names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Data {
    /// In one word.
    pub state: Where,
    /// The file that holds all of v1.
    pub v1: Option<String>,
    /// The file that holds all of v2.
    pub v2: Option<String>,
}

/// Everything that is known of a failure. The same in Rust, in JSON and as `CutoverError` in
/// JavaScript.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Failure {
    /// What kind.
    pub code: Code,
    /// One sentence, ending with the short code.
    pub message: String,
    /// The operating system's code, where there is one.
    pub os: Option<OsCode>,
    /// The op that failed.
    pub op: Option<String>,
    /// The file it failed on.
    pub path: Option<String>,
    /// The phase of the journal then.
    pub phase: Option<Phase>,
    /// How often the op was tried.
    pub attempts: u32,
    /// How long the run had waited by then, milliseconds.
    pub waited_ms: u64,
    /// Who is in the way, this process first.
    pub holders: Vec<Holder>,
    /// Where the data is.
    pub data: Data,
    /// What to do.
    pub hint: String,
    /// What failed and why, without the rest of the message.
    pub reason: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// A refusal: nothing was touched.
    #[must_use]
    pub fn refusal(code: Code, reason: impl Into<String>, hint: impl Into<String>) -> Self {
        let data = Data { state: Where::Unknown, v1: None, v2: None };
        let mut failure = Self {
            code,
            message: String::new(),
            os: None,
            op: None,
            path: None,
            phase: None,
            attempts: 1,
            waited_ms: 0,
            holders: Vec::new(),
            data,
            hint: hint.into(),
            reason: reason.into(),
        };
        failure.compose();
        failure
    }

    /// The same, of this file.
    #[must_use]
    pub fn of(mut self, file: &FileName) -> Self {
        self.path = Some(file.to_string());
        self.compose();
        self
    }

    /// The same, with the data where it was before: canonical is v1 and was not touched.
    #[must_use]
    pub fn with_v1(mut self, canonical: &FileName) -> Self {
        self.data = Data { state: Where::V1, v1: Some(canonical.to_string()), v2: None };
        self.compose();
        self
    }

    /// From what the runner reported.
    #[must_use]
    pub fn from_fault(fault: &Fault, op: &str, no_space: bool) -> Self {
        let (code, hint) = match &fault.cause {
            _ if no_space => (Code::NoSpace, "free some space on this volume and start again"),
            Cause::Os { os } => {
                (Code::Io, if op == "link" { link_hint(&os.code) } else { os_hint(&os.code) })
            }
            Cause::Denied { os } => (Code::Io, os_hint(&os.code)),
            Cause::Busy | Cause::Held { .. } => {
                (Code::Held, "close the program that has the database open and start again")
            }
            Cause::V1Changed | Cause::CompanionChanged => (
                Code::Held,
                "another program writes to the database while it is upgraded; close it and start \
                 again",
            ),
            Cause::NotADatabase => (
                Code::NotADatabase,
                "restore the database from a backup, or move it away to start with an empty one",
            ),
            Cause::V1Corrupt => (
                Code::V1Corrupt,
                "the old database is damaged; restore it from a backup or recover it with sqlite3 \
                 .recover",
            ),
            Cause::Verify => (
                Code::Verify,
                "report this to the application's author; the old database is unchanged",
            ),
            Cause::StillOld => (
                Code::StillOld,
                "report this to the application's author: the upgrade does not set what detect \
                 looks for",
            ),
            Cause::Newer => (Code::Newer, "start the newer release of the application"),
            Cause::Host => (
                Code::Host,
                "the cause is the application's own error; the old database is unchanged",
            ),
            Cause::Sidecar => (
                Code::Held,
                "another program opened the database while it was upgraded; close it and start \
                 again",
            ),
            Cause::SecondName => {
                (Code::Io, "remove the other name (hard link) of the database, and start again")
            }
            Cause::Sqlite => {
                (Code::Io, "see the reason that SQLite gives; start again once it is mended")
            }
            Cause::Aborted => (Code::Aborted, "start again to upgrade"),
        };
        let mut failure = Self::refusal(code, fault.message.clone(), hint);
        failure.op = Some(op.to_owned());
        failure.path = fault.file.as_ref().map(At::to_string);
        if let Cause::Os { os } | Cause::Denied { os } = &fault.cause {
            failure.os = Some(os.clone());
        }
        if let Cause::Held { holders } = &fault.cause {
            failure.holders.clone_from(holders);
        }
        failure.compose();
        failure
    }

    /// The same of a restore, which builds nothing.
    pub(crate) fn of_restore(mut self) -> Self {
        self.hint = match self.code {
            Code::Verify => "the backup is not sound; choose another one".into(),
            Code::Held => {
                "close the program that has the database, or the backup, open and try again".into()
            }
            Code::Aborted => "try again to restore".into(),
            _ => self.hint,
        };
        self.compose();
        self
    }

    /// Says where the data is, from the journal's names.
    pub(crate) fn locate(&mut self, state: Where, journal: Option<&Journal>) {
        let name = |file: &FileName| Some(file.to_string());
        let restore = journal.filter(|journal| journal.strategy.restores());
        let state = match (state, restore) {
            // What a restore replaces is v2: it stays where v1 would.
            (Where::V1, Some(_)) => Where::V2,
            (Where::V2, Some(_)) => Where::V1,
            _ => state,
        };
        let (v1, v2) = match (state, journal) {
            (Where::FinishAtNextStart, Some(j)) if restore.is_some() => (
                name(&j.names.canonical),
                Some(displaced(&j.names.canonical, &j.nonce).to_string()),
            ),
            (Where::V1, Some(j)) if restore.is_some() => (
                name(&j.names.canonical),
                Some(displaced(&j.names.canonical, &j.nonce).to_string()),
            ),
            (Where::V1, Some(j)) => (name(&j.names.canonical), None),
            (Where::V2, Some(j)) => (name(&j.names.backup), name(&j.names.canonical)),
            (Where::FinishAtNextStart, Some(j)) => {
                (name(&j.names.backup), j.v2.as_ref().map(|_| j.names.canonical.to_string()))
            }
            _ => (None, None),
        };
        self.data = Data { state, v1, v2 };
        self.compose();
    }

    /// Turns bare names into paths in `directory`, as the application knows them. Companions keep
    /// their own spelling.
    pub fn in_directory(&mut self, directory: &str, separator: char) {
        for name in [&mut self.path, &mut self.data.v1, &mut self.data.v2].into_iter().flatten() {
            if !name.contains(['/', '\\']) {
                *name = format!("{directory}{separator}{name}");
            }
        }
        self.compose();
    }

    /// Composes the message again after a field was changed.
    pub fn compose(&mut self) {
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
            Where::V1 => Some("your data is whole in"),
            Where::V2 => Some("your data is whole, upgraded, in"),
            Where::FinishAtNextStart => {
                Some("your data is whole and the next start finishes; the old data is in")
            }
            Where::Unknown => None,
        };
        let file = if self.data.state == Where::V2 { &self.data.v2 } else { &self.data.v1 };
        if let (Some(data), Some(file)) = (data, file) {
            let _ = write!(text, "; {data} {file}");
        }
        if !self.hint.is_empty() {
            let _ = write!(text, "; {}", self.hint);
        }
        let _ = write!(text, " [{}]", self.short());
        self.message = text;
    }

    /// The stable short code: `cutover:<code>`, then the op and the system's code where there are
    /// any.
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

/// A file system without hard links says EPERM, and so does Linux to whoever does not own the file
/// (`protected_hardlinks`, proc(5)) and of an immutable file. EACCES is of the directory
/// ("link(2)").
fn link_hint(code: &str) -> &'static str {
    match code {
        "EPERM" | "ENOTSUP" | "EINVAL" | "EMLINK" | "ENOSYS" => {
            "the file cannot get a second name: move the database to a file system with hard \
             links, or start as the user who owns it, the file not being immutable"
        }
        code => os_hint(code),
    }
}

fn os_hint(code: &str) -> &'static str {
    match code {
        "EACCES" => "give this user the right to write to the file and its directory",
        "EPERM" => {
            "give this user the right to write to the file and its directory, and see that neither \
             is marked as read-only or immutable"
        }
        "EROFS" => "the volume is read-only; make it writable or move the database",
        "EIO" => {
            "the disk reports an error; copy the database to a healthy disk before anything else"
        }
        "EBUSY" => {
            "the file is in use by the system (a mount point, or another program); free it and \
             start again"
        }
        "EMFILE" | "ENFILE" => "too many files are open; close some and start again",
        "EXDEV" | "ENOTSUP" | "EINVAL" | "EMLINK" => {
            "this file system cannot do what the upgrade needs; move the database to a local disk"
        }
        _ => "start again; if it fails again, send this message to the application's support",
    }
}
