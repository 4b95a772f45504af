//! What may happen between any two ops.

use std::fmt;

use crate::scenario::Scenario;
use crate::scenario::bounds::{Bounds, Faults};
use cutover_core::{Op, OpError, OpErrorKind, OsCode, PlanPath, Platform, Retry};

/// How an op fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fail {
    /// SQLite reports that the database is busy.
    Busy,
    /// Another program has the file open.
    Shared,
    /// Permission is denied.
    Denied,
    /// The disk is full.
    Full,
    /// The disk reports an I/O error.
    Io,
    /// The file system does not support it.
    Unsupported,
    /// What was built is not a v2.
    Wrong,
    /// The application's own error.
    Host,
}

/// An error of the system.
pub(crate) fn os(platform: Platform, posix: i32, windows: i32) -> OpError {
    let raw = if platform == Platform::Windows { windows } else { posix };
    OpError::new(OpErrorKind::Os { os: OsCode::of(platform, raw) }, "planted or modelled")
}

impl Fail {
    /// What the runner reports of it.
    pub(crate) fn error(self, platform: Platform) -> OpError {
        match self {
            Self::Busy => OpError::new(OpErrorKind::Busy, "planted: busy"),
            Self::Shared => os(platform, 11, 32),
            Self::Denied => os(platform, 13, 5),
            Self::Full => os(platform, 28, 112),
            Self::Io => os(platform, 5, 1117),
            Self::Unsupported => os(platform, 95, 50),
            Self::Wrong => OpError::new(OpErrorKind::Verify, "planted: wrong"),
            Self::Host => OpError::new(OpErrorKind::Host, "planted: the application's own error"),
        }
    }

    /// What a run does about it. It acts by the class of an error of the system, and its text alone
    /// has the code.
    fn effect(self, op: &Op, platform: Platform) -> Effect {
        let error = self.error(platform);
        match (&error.cause, op) {
            // A page copy that an I/O error ends is half done.
            (OpErrorKind::Os { .. }, Op::PageCopy { .. }) => Effect::Own(self),
            (OpErrorKind::Os { .. }, op) => Effect::Class(error.class(platform, op.is_sync())),
            _ => Effect::Own(self),
        }
    }
}

/// What a run does about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// What it does about any error of the system of this class.
    Class(Retry),
    /// Something of its own.
    Own(Fail),
}

/// A planted fault, which waits for its op.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// The op that fails.
    pub op: Op,
    /// How.
    pub fail: Fail,
    /// Whether it fails every time.
    pub for_ever: bool,
    /// Whether it has failed, and will not fail again.
    pub spent: bool,
}

/// What happens before an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interference {
    /// An older release opens canonical, commits a row and closes.
    OlderApplication,
    /// An older release opens canonical, commits a row and is killed.
    OlderApplicationKilled,
    /// An older release that uses a rollback journal opens canonical, commits a row and closes.
    OlderApplicationInRollbackMode,
    /// An older release opens canonical, and keeps it open until this start has ended.
    OlderApplicationStays,
    /// Another program changes the companion.
    CompanionChanged,
    /// After the start has ended the application opens v2 and commits a row.
    ApplicationWrites,
    /// The op fails once.
    FailsOnce(Fail),
    /// The op fails at every attempt, in this start and the next.
    Fails(Fail),
}

/// Its name in a replay line. Written by hand: a derived `Debug` adds half a kilobyte to a module
/// that browsers load.
impl fmt::Display for Interference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OlderApplication => "OlderApplication",
            Self::OlderApplicationKilled => "OlderApplicationKilled",
            Self::OlderApplicationInRollbackMode => "OlderApplicationInRollbackMode",
            Self::OlderApplicationStays => "OlderApplicationStays",
            Self::CompanionChanged => "CompanionChanged",
            Self::ApplicationWrites => "ApplicationWrites",
            Self::FailsOnce(fail) => return write!(f, "FailsOnce({fail:?})"),
            Self::Fails(fail) => return write!(f, "Fails({fail:?})"),
        })
    }
}

impl Interference {
    /// What an older release may do.
    pub const OLDER: [Self; 4] = [
        Self::OlderApplication,
        Self::OlderApplicationKilled,
        Self::OlderApplicationInRollbackMode,
        Self::OlderApplicationStays,
    ];

    /// All of them.
    #[must_use]
    pub fn all() -> Vec<Self> {
        use Fail::{Busy, Denied, Full, Host, Io, Shared, Unsupported, Wrong};
        let fails = [Busy, Shared, Denied, Full, Io, Unsupported, Wrong, Host];
        let others =
            Self::OLDER.into_iter().chain([Self::CompanionChanged, Self::ApplicationWrites]);
        others
            .chain(fails.into_iter().flat_map(|fail| [Self::FailsOnce(fail), Self::Fails(fail)]))
            .collect()
    }
}

/// Every interference that may happen before this op.
pub(crate) fn interferences(op: &Op, bounds: &Bounds, scenario: &Scenario) -> Vec<Interference> {
    let mut all = Vec::new();
    if bounds.actors {
        all.extend(Interference::OLDER);
        if scenario.companion.is_some() {
            all.push(Interference::CompanionChanged);
        }
    }
    if bounds.faults == Faults::ToUndo {
        let fail = match op {
            Op::VerifyHost { .. } => Some(Fail::Host),
            Op::Detect { .. } => Some(Fail::Wrong),
            Op::Link { to, .. } if to.companion.is_none() => Some(Fail::Denied),
            Op::SyncDir { companion: None } => Some(Fail::Io),
            _ => None,
        };
        all.extend(fail.map(Interference::FailsOnce));
    }
    if bounds.faults == Faults::All {
        let fails: &[Fail] = match op {
            Op::UnlockV1 {} | Op::Release {} => &[],
            Op::Look { .. } | Op::Absent { .. } | Op::CheckV1 { .. } => &[Fail::Io],
            Op::Check { .. } | Op::CheckPages { .. } | Op::Detect { .. } => {
                &[Fail::Wrong, Fail::Io, Fail::Busy]
            }
            Op::VerifyHost { .. } | Op::UndoHost {} | Op::CleanupHost {} => &[Fail::Host],
            Op::BuildHost { .. } => &[Fail::Host, Fail::Full],
            Op::BuildSql { .. } => &[Fail::Host, Fail::Full, Fail::Busy, Fail::Io],
            Op::SyncFile { .. } | Op::SyncDir { .. } => &[Fail::Io, Fail::Full],
            Op::Link { .. } => &[Fail::Unsupported, Fail::Denied, Fail::Full, Fail::Io],
            Op::PageCopy { .. }
            | Op::LockV1 { .. }
            | Op::Settle { .. }
            | Op::RestoreMode { .. }
            | Op::Restage { .. }
            | Op::Isolate { .. } => &[Fail::Busy, Fail::Io, Fail::Full],
            Op::LookCompanion { .. } => &[Fail::Denied],
            Op::Copy { from, .. } if *from == PlanPath::from(&scenario.canonical) => {
                &[Fail::Busy, Fail::Shared, Fail::Denied, Fail::Full, Fail::Io]
            }
            _ => &[Fail::Shared, Fail::Denied, Fail::Full, Fail::Io],
        };
        let mut effects = Vec::new();
        for fail in fails {
            let effect = fail.effect(op, scenario.platform);
            if !effects.contains(&effect) {
                effects.push(effect);
                all.extend([Interference::FailsOnce(*fail), Interference::Fails(*fail)]);
            }
        }
    }
    all
}
