//! What went wrong with an op, and what that means for the plan.

mod unix;
mod windows;

use serde::{Deserialize, Serialize};

use crate::names::PlanPath;

/// Whose error codes and sharing rules apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Linux, and other systems with its error numbers.
    Linux,
    /// macOS and the BSDs.
    Macos,
    /// Windows.
    Windows,
}

/// An error code of the operating system with its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OsCode {
    /// The POSIX name that Node gives it, for example `EBUSY`; `E<number>` where there is none.
    pub code: String,
    /// The number itself.
    pub raw: i32,
    /// The platform's own name, for example `ERROR_SHARING_VIOLATION`.
    pub name: String,
}

/// What the operating system's error means for an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Retry {
    /// Somebody is in the way and may go: release handles, wait, try again.
    Transient,
    /// No space left, or over quota.
    NoSpace,
    /// The file system cannot do this.
    Unsupported,
    /// Waiting does not help.
    Permanent,
}

impl OsCode {
    /// Names a raw error number.
    #[must_use]
    pub fn of(platform: Platform, raw: i32) -> Self {
        let (code, name) = match platform {
            Platform::Windows => windows::name(raw),
            Platform::Linux => unix::name(raw, unix::LINUX),
            Platform::Macos => unix::name(raw, unix::MACOS),
        }
        .map_or_else(
            || (format!("E{raw}"), format!("error {raw}")),
            |(code, name)| (code.to_owned(), name.to_owned()),
        );
        Self { code, raw, name }
    }

    /// What it means, apart from the op.
    #[must_use]
    pub fn class(&self, platform: Platform) -> Retry {
        match platform {
            Platform::Windows => windows::class(self.raw),
            Platform::Linux | Platform::Macos => unix::class(&self.code),
        }
    }
}

/// A process that has a file of the set open.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Holder {
    /// The process id; 0 where the platform does not tell.
    pub pid: u32,
    /// The program's name; empty where the platform does not tell.
    pub name: String,
    /// Whether it is the process that is asking.
    pub this_process: bool,
}

impl Holder {
    /// Whether it is a process that is known, and not the one that is asking.
    #[must_use]
    pub fn is_another(&self) -> bool {
        self.pid != 0 && !self.this_process
    }
}

/// Why an op did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum OpErrorKind {
    /// The operating system refused.
    Os {
        /// Its code.
        os: OsCode,
    },
    /// The operating system refused, and waiting does not help: a right is missing, a file is
    /// read-only, a directory has the name.
    Denied {
        /// Its code.
        os: OsCode,
    },
    /// SQLite says that another connection is in the way (`SQLITE_BUSY`, `SQLITE_LOCKED`).
    Busy,
    /// A process has the set open.
    Held {
        /// Which ones, this process first.
        holders: Vec<Holder>,
    },
    /// v1 is not what it was when it was settled: somebody wrote to it.
    V1Changed,
    /// A companion is not what it was when the build began.
    CompanionChanged,
    /// The bytes are not a database that SQLite can open.
    NotADatabase,
    /// v1 is damaged.
    V1Corrupt,
    /// The build, or a check of what was built, failed.
    Verify,
    /// `detect` still says "old" of what was built.
    StillOld,
    /// `detect` says "newer".
    Newer,
    /// A callback of the application failed.
    Host,
    /// A sidecar stands where none may be.
    Sidecar,
    /// Canonical has a second name, which a page copy would change as well.
    SecondName,
    /// SQLite failed in another way.
    Sqlite,
    /// The application asked to stop.
    Aborted,
}

/// An op that did not succeed, as the runner reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpError {
    /// Why.
    pub cause: OpErrorKind,
    /// The file, where one is to blame.
    pub file: Option<PlanPath>,
    /// What the system, SQLite or the application said.
    pub message: String,
}

impl OpError {
    /// A fault without a file.
    #[must_use]
    pub fn new(cause: OpErrorKind, message: impl Into<String>) -> Self {
        Self { cause, file: None, message: message.into() }
    }

    /// The same fault, of this file.
    #[must_use]
    pub fn of(mut self, file: impl Into<PlanPath>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// What it means for an op. A failed flush is never transient: the pages are gone but marked
    /// clean, so flushing the same data again would report a success that is none.
    #[must_use]
    pub fn class(&self, platform: Platform, is_flush: bool) -> Retry {
        let class = match &self.cause {
            OpErrorKind::Os { os } => os.class(platform),
            OpErrorKind::Busy | OpErrorKind::Held { .. } => Retry::Transient,
            _ => Retry::Permanent,
        };
        if class == Retry::Transient && is_flush { Retry::Permanent } else { class }
    }
}
