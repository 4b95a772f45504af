//! The starts that can be explored from.

pub mod bounds;
pub mod dimensions;
pub mod layouts;
pub mod table;

use std::collections::BTreeSet;

use crate::model::disk;
use cutover_core::fault::Platform;
use cutover_core::names::{CompanionName, FileName, Label};
use cutover_core::plan::{BuildBy, BuildFrom};

/// What the database's directory holds when the first start looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InitialState {
    /// v1 in rollback mode, alone.
    Settled,
    /// v1 in WAL mode, closed well.
    WalClosed,
    /// v1 in WAL mode with committed rows in its log.
    WalRows,
    /// v1 in rollback mode with the hot journal of a killed process.
    HotJournal,
    /// Half a journal that another start was writing.
    JournalTmp,
    /// Staging and source of a start whose journal is lost: reported, never removed.
    Orphans,
    /// A journal that nobody can read, beside a whole v1.
    UnreadableJournal,
    /// A journal that nobody can read, and no canonical: nothing may be touched.
    NoCanonical,
    /// The journal of another upgrade that is not finished: nothing may be touched.
    OtherLabel,
    /// An upgrade of ours that was interrupted while v1 was canonical, and then an older release
    /// that began its own: both journals.
    BothJournals,
    /// What the daemon in the field leaves at each of its steps.
    Legacy,
    /// The same, v1 in WAL mode with rows in its log.
    LegacyWal,
    /// v2 in rollback mode, a backup, its receipt: restored. v1 was in WAL mode.
    RestoreSettled,
    /// v2 in WAL mode with rows in its log, and the same. v1 was in rollback mode.
    RestoreWalRows,
    /// v2 and three backups, one of them without a receipt: pruned to the newest.
    Prune,
}

/// What closed connections of the application do with their files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Zombie {
    /// They let go.
    None,
    /// They let go when they are collected.
    UntilReleased,
    /// They keep them as long as the process lives.
    ForEver,
    /// The build opened v1 itself, and keeps that as long as the process lives: v1 may not be
    /// replaced.
    OnV1,
    /// The same, by the look at v2 that the application asked for.
    OnV1InVerify,
    /// The application had opened v1 before it began, and closed it, and keeps it as long as the
    /// process lives. For Windows: elsewhere a start refuses.
    OnV1Before,
    /// The same where it cannot be left to have v1 open, by a caller who knows that it is a zombie
    /// and says so (`held: "proceed"`). For POSIX.
    Known,
}

/// What the build makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Build {
    /// A v2.
    Right,
    /// A database whose pages do not fit: only a check finds it.
    Damaged,
    /// A sound database that `detect` still takes for a v1.
    StillOld,
    /// A v2 that the application does not accept.
    Refused,
}

/// What the application's callback does beside building v2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostUse {
    /// It stages the companion.
    Stages,
    /// It writes the companion in place.
    WritesInPlace,
    /// It stages the companion and saves a state.
    SavesState,
}

/// One start to explore from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// The database.
    pub canonical: FileName,
    /// The upgrade.
    pub label: Label,
    /// Whose rules apply.
    pub platform: Platform,
    /// What is there.
    pub initial: InitialState,
    /// Who builds v2.
    pub by: BuildBy,
    /// What v2 starts as.
    pub from: BuildFrom,
    /// Whether the application looks at v2.
    pub verify: bool,
    /// The declared companion.
    pub companion: Option<(CompanionName, FileName)>,
    /// Whether it is there.
    pub companion_before: bool,
    /// What the callback does.
    pub host: HostUse,
    /// What its connections do.
    pub zombie: Zombie,
    /// What comes of the build.
    pub build: Build,
    /// Whether canonical can be given a second name; else v2 is copied into it.
    pub can_link: bool,
    /// Names that were there before and that nobody may remove.
    pub left: BTreeSet<String>,
}

impl Scenario {
    /// Whether canonical must be whole at every instant: all plans but those that finish the
    /// field's.
    #[must_use]
    pub fn links(&self) -> bool {
        !matches!(
            self.initial,
            InitialState::Legacy | InitialState::LegacyWal | InitialState::BothJournals
        )
    }

    /// After how many crashes it is the daemon in the field that starts, not this project.
    #[must_use]
    pub fn legacy_after(&self) -> Option<u8> {
        match self.initial {
            InitialState::Legacy | InitialState::LegacyWal => Some(0),
            InitialState::BothJournals => Some(1),
            _ => None,
        }
    }

    /// Whether v2 is in place and a start makes a backup canonical again.
    #[must_use]
    pub fn restores(&self) -> bool {
        matches!(self.initial, InitialState::RestoreSettled | InitialState::RestoreWalRows)
    }

    /// Whether it is about backups: a restore, or a prune.
    #[must_use]
    pub fn has_backups(&self) -> bool {
        self.restores() || self.initial == InitialState::Prune
    }

    /// Whether every start refuses, and touches nothing.
    #[must_use]
    pub fn refuses(&self) -> bool {
        matches!(self.initial, InitialState::NoCanonical | InitialState::OtherLabel)
    }

    /// Whether the application itself makes every upgrade fail: v1 stays.
    #[must_use]
    pub fn never_upgrades(&self) -> bool {
        self.build != Build::Right || matches!(self.zombie, Zombie::OnV1 | Zombie::OnV1InVerify)
    }

    /// The companion's directory: on Windows the database's own, for there the order of changes is
    /// one for the whole volume.
    #[must_use]
    pub fn aside(&self) -> usize {
        if self.platform == Platform::Windows { disk::HOME } else { disk::ASIDE }
    }

    /// Whether the upgrade makes a new companion.
    #[must_use]
    pub fn changes_companion(&self) -> bool {
        self.by == BuildBy::Host || !self.links()
    }
}
