//! The starting points: what is on the disk, who builds v2, and what goes wrong.

pub mod bounds;
pub mod dimensions;
pub mod layouts;
pub mod table;

use std::collections::BTreeSet;

use crate::model::disk;
use cutover_core::{BuildBy, BuildFrom, CompanionName, FileName, Label, Platform};

/// What the database's directory holds when the first start looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InitialState {
    /// v1 in rollback mode, alone.
    Settled,
    /// v1 in WAL mode, closed cleanly.
    WalClosed,
    /// v1 in WAL mode with committed rows in its log.
    WalRows,
    /// v1 in rollback mode, with the hot rollback journal of a killed process.
    HotJournal,
    /// Half of a journal that another start was writing.
    JournalTmp,
    /// The staging and source files of a start whose journal is lost. They are reported and never
    /// removed.
    Orphans,
    /// A journal that cannot be read, beside a whole v1.
    UnreadableJournal,
    /// A journal that cannot be read, and no canonical. Nothing may be touched.
    NoCanonical,
    /// The journal of another upgrade, killed when it began to build. It is undone.
    OtherLabel,
    /// The journal of another upgrade, killed before its flip. It is undone.
    OtherLabelBuilt,
    /// The journal of another upgrade, killed right after its flip. It is finished.
    OtherLabelFlipped,
    /// The journal of another upgrade whose callback saved a state, killed before its flip. Nothing
    /// may be touched.
    OtherLabelSaved,
    /// Two journals: cutover was interrupted while v1 was canonical, and then the legacy daemon
    /// began its own upgrade.
    BothJournals,
    /// What the legacy daemon leaves at each of its steps.
    Legacy,
    /// What the legacy daemon leaves, if v1 is in WAL mode with rows in its log.
    LegacyWal,
    /// What the legacy daemon leaves at each step of a recovery of its own.
    LegacyUndone,
    /// v2 in rollback mode, a backup and its receipt. The backup is restored. v1 was in WAL mode.
    RestoreSettled,
    /// v2 in WAL mode with rows in its log, a backup and its receipt. The backup is restored. v1
    /// was in rollback mode.
    RestoreWalRows,
    /// v2 and three backups, one of them without a receipt. They are pruned to the newest.
    Prune,
    /// v2 and a backup without a receipt, in WAL mode with all rows in its log. It is adopted.
    AdoptWalRows,
    /// v2 and a backup without a receipt, with a hot rollback journal. It is adopted.
    AdoptHotJournal,
}

/// What connections do that the application has closed: a leaked connection keeps its file open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Zombie {
    /// No connection leaks.
    None,
    /// They leak until a garbage collection.
    UntilReleased,
    /// They leak as long as the process lives.
    ForEver,
    /// The build leaks a connection to v1 as long as the process lives: v1 may not be replaced.
    OnV1,
    /// The application's check of v2 leaks a connection to v1.
    OnV1InVerify,
    /// The application's check of v2 leaks a connection to v2: v2 may not be installed.
    OnV2InVerify,
    /// The application leaked a connection to v1 before the upgrade began. Only on Windows does the
    /// upgrade go on.
    OnV1Before,
    /// The application leaked a connection to v1 before the upgrade, knows it, and says `held:
    /// "proceed"`. Only on POSIX.
    Known,
}

/// What the build produces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Build {
    /// A v2.
    Right,
    /// A database whose pages are damaged: only an integrity check finds it.
    Damaged,
    /// A v2 that lacks rows, because v1 is damaged: only a check of v1 finds it.
    Lossy,
    /// A sound database that `detect` takes for a v1.
    StillOld,
    /// A v2 that the application does not accept.
    Refused,
}

/// What the application's callback does in addition to building v2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostUse {
    /// It stages the companion.
    Stages,
    /// It writes the companion in place.
    WritesInPlace,
    /// It stages the companion and saves a state.
    SavesState,
}

/// One starting point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// The database's name.
    pub canonical: FileName,
    /// The upgrade's label.
    pub label: Label,
    /// The operating system whose rules apply.
    pub platform: Platform,
    /// What the directory holds.
    pub initial: InitialState,
    /// Who builds v2.
    pub by: BuildBy,
    /// What v2 starts as.
    pub from: BuildFrom,
    /// Whether the application checks v2.
    pub verify: bool,
    /// The declared companion.
    pub companion: Option<(CompanionName, FileName)>,
    /// Whether the companion exists before the upgrade.
    pub companion_before: bool,
    /// What the callback does.
    pub host: HostUse,
    /// What the application's closed connections do.
    pub zombie: Zombie,
    /// What the build produces.
    pub build: Build,
    /// Whether canonical can be hard-linked. If not, v2's pages are copied into it.
    pub can_link: bool,
    /// Names that existed before, which no start may remove.
    pub left: BTreeSet<String>,
}

impl Scenario {
    /// Whether canonical must be whole at every instant. Only a recovery of the legacy cutover is
    /// exempt.
    #[must_use]
    pub fn links(&self) -> bool {
        !matches!(
            self.initial,
            InitialState::Legacy
                | InitialState::LegacyWal
                | InitialState::LegacyUndone
                | InitialState::BothJournals
        )
    }

    /// The legacy daemon starts after this many crashes, in place of cutover.
    #[must_use]
    pub fn legacy_after(&self) -> Option<u8> {
        match self.initial {
            InitialState::Legacy | InitialState::LegacyWal | InitialState::LegacyUndone => Some(0),
            InitialState::BothJournals => Some(1),
            _ => None,
        }
    }

    /// Whether a start restores a backup over v2.
    #[must_use]
    pub fn restores(&self) -> bool {
        matches!(self.initial, InitialState::RestoreSettled | InitialState::RestoreWalRows)
    }

    /// Whether a start adopts a backup.
    #[must_use]
    pub fn adopts(&self) -> bool {
        matches!(self.initial, InitialState::AdoptWalRows | InitialState::AdoptHotJournal)
    }

    /// Whether a start restores, prunes or adopts.
    #[must_use]
    pub fn has_backups(&self) -> bool {
        self.restores() || self.adopts() || self.initial == InitialState::Prune
    }

    /// Whether every start refuses and touches nothing.
    #[must_use]
    pub fn refuses(&self) -> bool {
        matches!(self.initial, InitialState::NoCanonical | InitialState::OtherLabelSaved)
    }

    /// Whether the application makes every upgrade fail, so that v1 stays.
    #[must_use]
    pub fn never_upgrades(&self) -> bool {
        self.build != Build::Right
            || matches!(self.zombie, Zombie::OnV1 | Zombie::OnV1InVerify | Zombie::OnV2InVerify)
    }

    /// The companion's directory. On Windows it is the database's own, because the order of changes
    /// is one for the whole volume there.
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
