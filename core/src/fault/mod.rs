//! Why an op failed, and what that means for the plan.

mod unix;
mod windows;

use serde::{Deserialize, Serialize};

use crate::names::PlanPath;

/// The platform whose error codes and sharing rules apply.
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
    /// The number.
    pub raw: i32,
    /// The platform's own name, for example `ERROR_SHARING_VIOLATION`.
    pub name: String,
}

/// What an error means for an op: whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Retry {
    /// Another process is in the way and may go away: release handles, wait, try again.
    Transient,
    /// The volume is full, or the user is over quota.
    NoSpace,
    /// The file system does not support the op.
    Unsupported,
    /// Trying again does not help.
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

    /// What this code means, whatever the op is.
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
    /// Whether it is this process.
    pub this_process: bool,
}

impl Holder {
    /// Whether it is a process that the platform names, and not this process.
    #[must_use]
    pub fn is_another(&self) -> bool {
        self.pid != 0 && !self.this_process
    }
}

/// Why an op failed.
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
    /// The operating system refused, and waiting does not help: the user has not the right, the
    /// file is read-only, or a directory has the name. Or it refused a call of SQLite's, which is
    /// not repeated.
    Denied {
        /// Its code.
        os: OsCode,
    },
    /// SQLite says that another connection is in the way (`SQLITE_BUSY`, `SQLITE_LOCKED`).
    Busy,
    /// A process has the file set open.
    Held {
        /// The processes, this process first.
        holders: Vec<Holder>,
    },
    /// A program wrote to v1 after it was settled.
    V1Changed,
    /// A program changed a companion after the build began.
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
    /// A sidecar exists where none may be.
    Sidecar,
    /// Canonical has another hard link, which a page copy would overwrite too.
    SecondName,
    /// SQLite cannot write its temporary files.
    TemporaryFolder {
        /// Whether the folder's volume is full. Else SQLite finds no folder that it can write to.
        full: bool,
    },
    /// What has the name is not a regular file: a symbolic link, FIFO, device, socket or directory.
    Irregular,
    /// SQLite failed in another way.
    Sqlite,
    /// The application asked to stop.
    Aborted,
}

/// The error of an op, as the runner reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OpError {
    /// Why the op failed.
    pub cause: OpErrorKind,
    /// The file that the op failed on, where there is one.
    pub file: Option<PlanPath>,
    /// What the system, SQLite or the application said.
    pub message: String,
}

impl OpError {
    /// An error without a file.
    #[must_use]
    pub fn new(cause: OpErrorKind, message: impl Into<String>) -> Self {
        Self { cause, file: None, message: message.into() }
    }

    /// Names the file that the op failed on.
    #[must_use]
    pub fn of(mut self, file: impl Into<PlanPath>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// What this error means for an op. A failed flush is never transient: the system may have
    /// dropped the pages and marked them clean, so that a second flush would report a false
    /// success.
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
