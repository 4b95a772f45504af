//! The starts that are explored from.

use crate::scenario::{Build, HostUse, InitialState, Scenario, Zombie};
use cutover_core::fault::Platform;
use cutover_core::names::{CompanionName, FileName, Label};
use cutover_core::plan::{BuildBy, BuildFrom};

/// The database of every scenario.
pub(crate) const CANONICAL: &str = "data.db";

/// A start of a v1 of this shape.
fn plain(initial: InitialState, by: BuildBy, from: BuildFrom) -> Option<Scenario> {
    Some(Scenario {
        canonical: FileName::new(CANONICAL).ok()?,
        label: Label::new("v1-v2").ok()?,
        platform: Platform::Linux,
        initial,
        by,
        from,
        verify: by == BuildBy::Host,
        companion: None,
        companion_before: true,
        host: HostUse::Stages,
        zombie: Zombie::None,
        build: Build::Right,
        can_link: true,
        left: [".building-0a0a0a0a", ".source-0a0a0a0a"]
            .map(|suffix| format!("{CANONICAL}{suffix}"))
            .into(),
    })
}

const BUILDS: [(BuildBy, BuildFrom); 4] = [
    (BuildBy::Sql, BuildFrom::Empty),
    (BuildBy::Sql, BuildFrom::Copy),
    (BuildBy::Host, BuildFrom::Empty),
    (BuildBy::Host, BuildFrom::Copy),
];

/// Every shape that v1 may have, and the ways to build.
#[must_use]
pub fn shapes() -> Vec<Scenario> {
    use InitialState::{
        HotJournal, JournalTmp, NoCanonical, Orphans, OtherLabel, Settled, UnreadableJournal,
        WalClosed, WalRows,
    };
    every_build(&[
        Settled,
        WalClosed,
        WalRows,
        HotJournal,
        JournalTmp,
        Orphans,
        UnreadableJournal,
        NoCanonical,
        OtherLabel,
    ])
}

fn every_build(shapes: &[InitialState]) -> Vec<Scenario> {
    shapes
        .iter()
        .flat_map(|initial| BUILDS.map(|(by, from)| plain(*initial, by, from)))
        .flatten()
        .collect()
}

/// What the application's callback may do to a companion.
#[must_use]
pub fn companions() -> Vec<Scenario> {
    let mut all = Vec::new();
    for host in [HostUse::Stages, HostUse::WritesInPlace, HostUse::SavesState] {
        for before in [true, false] {
            all.extend(
                plain(InitialState::WalRows, BuildBy::Host, BuildFrom::Copy)
                    .and_then(|scenario| with_companion(scenario, host, before)),
            );
        }
    }
    all
}

/// What the application's closed connections may do.
#[must_use]
pub fn zombies() -> Vec<Scenario> {
    let mut all = Vec::new();
    for zombie in [Zombie::UntilReleased, Zombie::ForEver] {
        for from in [BuildFrom::Empty, BuildFrom::Copy] {
            all.extend(
                plain(InitialState::WalRows, BuildBy::Host, from)
                    .map(|scenario| Scenario { zombie, ..scenario }),
            );
        }
    }
    all
}

/// What the application may do wrong: a build of something else than v2, or one that opens v1
/// itself and keeps it. v1 stays.
#[must_use]
pub fn wrong() -> Vec<Scenario> {
    let mut all = Vec::new();
    for build in [Build::Damaged, Build::StillOld] {
        all.extend(
            plain(InitialState::WalRows, BuildBy::Sql, BuildFrom::Empty)
                .map(|scenario| Scenario { build, ..scenario }),
        );
    }
    for build in [Build::Damaged, Build::StillOld, Build::Refused] {
        all.extend(
            plain(InitialState::WalRows, BuildBy::Host, BuildFrom::Copy)
                .map(|scenario| Scenario { build, ..scenario }),
        );
    }
    for zombie in [Zombie::OnV1, Zombie::OnV1InVerify] {
        all.extend(
            plain(InitialState::WalRows, BuildBy::Host, BuildFrom::Copy)
                .map(|scenario| Scenario { zombie, ..scenario }),
        );
    }
    all
}

/// Where canonical cannot be given a second name, so that v2's pages are copied into it.
#[must_use]
pub fn page_copies() -> Vec<Scenario> {
    let mut all =
        every_build(&[InitialState::Settled, InitialState::WalRows, InitialState::HotJournal]);
    all.extend(zombies().into_iter().chain(companions()));
    all.extend(wrong().into_iter().filter(|scenario| scenario.zombie != Zombie::None));
    all.into_iter().map(|scenario| Scenario { can_link: false, ..scenario }).collect()
}

/// Where the application has v1 open already, and does not let go. On Windows v2's pages are copied
/// into it then.
#[must_use]
pub fn held_before() -> Vec<Scenario> {
    let mut all =
        every_build(&[InitialState::Settled, InitialState::WalRows, InitialState::HotJournal]);
    all.extend(companions());
    on_windows(
        all.into_iter()
            .map(|scenario| Scenario { zombie: Zombie::OnV1Before, ..scenario })
            .collect(),
    )
}

/// Where the application has v1 open already, and knows that by a zombie: v1 moves to a new file
/// first.
#[must_use]
pub fn left_behind() -> Vec<Scenario> {
    let shapes = [
        InitialState::Settled,
        InitialState::WalClosed,
        InitialState::WalRows,
        InitialState::HotJournal,
        InitialState::JournalTmp,
    ];
    let all = shapes
        .into_iter()
        .filter_map(|initial| plain(initial, BuildBy::Sql, BuildFrom::Copy))
        .chain(plain(InitialState::WalRows, BuildBy::Host, BuildFrom::Empty));
    all.map(|scenario| Scenario { zombie: Zombie::Known, ..scenario }).collect()
}

/// A backup that is made canonical again, and backups that are pruned.
#[must_use]
pub fn kept() -> Vec<Scenario> {
    let shapes = [InitialState::RestoreSettled, InitialState::RestoreWalRows, InitialState::Prune];
    let starts =
        shapes.map(|initial| plain(initial, BuildBy::Sql, BuildFrom::Copy)).into_iter().flatten();
    let with =
        starts.clone().filter_map(|scenario| with_companion(scenario, HostUse::Stages, true));
    let mut all: Vec<Scenario> = starts.chain(with).collect();
    let restores: Vec<Scenario> =
        all.iter().filter(|scenario| scenario.restores()).cloned().collect();
    all.extend(restores.into_iter().map(|scenario| Scenario { can_link: false, ..scenario }));
    all
}

/// The same on Windows, where canonical can be linked.
#[must_use]
pub fn kept_on_windows() -> Vec<Scenario> {
    on_windows(kept().into_iter().filter(|scenario| scenario.can_link).collect())
}

/// Restores by page copy on Windows: where canonical cannot be linked, and where the application
/// has it open already and does not let go.
#[must_use]
pub fn restored_by_pages_on_windows() -> Vec<Scenario> {
    let restores = || kept().into_iter().filter(Scenario::restores);
    let unlinked = restores().filter(|scenario| !scenario.can_link);
    let held = restores()
        .filter(|scenario| scenario.can_link)
        .map(|scenario| Scenario { zombie: Zombie::OnV1Before, ..scenario });
    on_windows(unlinked.chain(held).collect())
}

/// The same starts on Windows.
#[must_use]
pub fn on_windows(scenarios: Vec<Scenario>) -> Vec<Scenario> {
    scenarios
        .into_iter()
        .map(|scenario| Scenario { platform: Platform::Windows, ..scenario })
        .collect()
}

/// With a companion that the callback changes in this way.
#[must_use]
fn with_companion(mut scenario: Scenario, host: HostUse, before: bool) -> Option<Scenario> {
    scenario.companion = Some((CompanionName::new("auth").ok()?, FileName::new("auth.json").ok()?));
    scenario.companion_before = before;
    scenario.host = host;
    Some(scenario)
}

/// Every start, in a fixed order: its place is its number in a replay line.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let posix: Vec<Scenario> = shapes()
        .into_iter()
        .chain(companions())
        .chain(zombies())
        .chain(wrong())
        .chain(field())
        .chain(mutants())
        .chain(page_copies())
        .collect();
    let windows = on_windows(posix.clone());
    posix
        .into_iter()
        .chain(windows)
        .chain(kept())
        .chain(kept_on_windows())
        .chain(held_before())
        .chain(left_behind())
        .chain(restored_by_pages_on_windows())
        .collect()
}

/// Few starts that together perform every step there is: the ones to try mutants on.
#[must_use]
pub fn mutants() -> Vec<Scenario> {
    let mut all: Vec<Scenario> =
        plain(InitialState::WalRows, BuildBy::Sql, BuildFrom::Empty).into_iter().collect();
    // The first two are tried on Windows as well.
    let companions = [
        (HostUse::SavesState, true),
        (HostUse::WritesInPlace, true),
        (HostUse::WritesInPlace, false),
        (HostUse::Stages, false),
    ];
    for (host, before) in companions {
        all.extend(
            plain(InitialState::WalRows, BuildBy::Host, BuildFrom::Copy)
                .and_then(|scenario| with_companion(scenario, host, before)),
        );
    }
    for zombie in [Zombie::UntilReleased, Zombie::ForEver] {
        all.extend(
            plain(InitialState::WalRows, BuildBy::Host, BuildFrom::Copy)
                .map(|scenario| Scenario { zombie, ..scenario }),
        );
    }
    all.extend(plain(InitialState::JournalTmp, BuildBy::Sql, BuildFrom::Empty));
    all.extend(plain(InitialState::UnreadableJournal, BuildBy::Sql, BuildFrom::Empty));
    all.extend(plain(InitialState::WalRows, BuildBy::Host, BuildFrom::Empty));
    all.extend(plain(InitialState::WalRows, BuildBy::Sql, BuildFrom::Copy));
    all.extend(wrong());
    all.extend(field());
    let windows = all
        .iter()
        .filter(|scenario| {
            scenario.initial == InitialState::WalRows && scenario.build == Build::Right
        })
        .take(2)
        .cloned()
        .collect();
    all.extend(on_windows(windows));
    // Each plan by page copy that differs in its flip.
    let mut copies: Vec<Scenario> =
        plain(InitialState::WalRows, BuildBy::Sql, BuildFrom::Empty).into_iter().collect();
    copies.extend(
        plain(InitialState::WalRows, BuildBy::Host, BuildFrom::Empty)
            .and_then(|scenario| with_companion(scenario, HostUse::Stages, true)),
    );
    let on_v1 = plain(InitialState::WalRows, BuildBy::Host, BuildFrom::Copy)
        .map(|scenario| Scenario { zombie: Zombie::OnV1InVerify, ..scenario });
    copies.extend(on_v1);
    copies.extend(on_windows(copies.iter().take(1).cloned().collect()));
    all.extend(copies.into_iter().map(|scenario| Scenario { can_link: false, ..scenario }));
    let held = |scenario: &Scenario| {
        scenario.initial == InitialState::WalRows
            && scenario.from == BuildFrom::Empty
            && scenario.companion.is_none()
    };
    all.extend(held_before().into_iter().filter(held));
    all.extend(
        left_behind().into_iter().filter(|scenario| scenario.initial == InitialState::WalRows),
    );
    all.extend(kept());
    all.extend(kept_on_windows().into_iter().filter(Scenario::restores).take(1));
    all
}

/// All that mutants are tried on.
#[must_use]
pub fn tried() -> Vec<Scenario> {
    // One that cannot be linked, and one that is held in WAL mode.
    let by_pages = restored_by_pages_on_windows().into_iter().filter(|scenario| {
        let held = scenario.zombie != Zombie::None;
        scenario.companion.is_none() && held == (scenario.initial == InitialState::RestoreWalRows)
    });
    mutants().into_iter().chain(by_pages).collect()
}

/// Starts of the daemon in the field, to be finished or undone by ours.
#[must_use]
pub fn field() -> Vec<Scenario> {
    let mut all = Vec::new();
    all.extend(plain(InitialState::BothJournals, BuildBy::Sql, BuildFrom::Empty));
    for initial in [InitialState::Legacy, InitialState::LegacyWal] {
        all.extend(plain(initial, BuildBy::Sql, BuildFrom::Empty));
        for before in [true, false] {
            all.extend(
                plain(initial, BuildBy::Host, BuildFrom::Copy)
                    .and_then(|scenario| with_companion(scenario, HostUse::WritesInPlace, before)),
            );
        }
    }
    all
}
