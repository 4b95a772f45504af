//! The table of scenarios.

use crate::scenario::{Build, HostUse, InitialState, Scenario, Zombie};
use cutover_core::{BuildBy, BuildFrom, CompanionName, FileName, Label, Platform};

/// The database of every scenario.
pub(crate) const CANONICAL: &str = "data.db";

/// A scenario without a companion and without any fault.
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

/// Every initial state of v1, with every way to build.
#[must_use]
pub fn shapes() -> Vec<Scenario> {
    use InitialState::{
        HotJournal, JournalTmp, NoCanonical, Orphans, OtherLabel, OtherLabelBuilt,
        OtherLabelFlipped, OtherLabelSaved, Settled, UnreadableJournal, WalClosed, WalRows,
    };
    let mut all = every_build(&[
        Settled,
        WalClosed,
        WalRows,
        HotJournal,
        JournalTmp,
        Orphans,
        UnreadableJournal,
        NoCanonical,
        OtherLabel,
        OtherLabelBuilt,
        OtherLabelFlipped,
    ]);
    let beside = [
        (OtherLabelBuilt, HostUse::Stages),
        (OtherLabelFlipped, HostUse::Stages),
        (OtherLabelFlipped, HostUse::SavesState),
        (OtherLabelSaved, HostUse::SavesState),
    ];
    let with = |(initial, host)| {
        with_companion(plain(initial, BuildBy::Host, BuildFrom::Copy)?, host, true)
    };
    all.extend(beside.into_iter().filter_map(with));
    all
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

/// Leaked connections to what the application builds.
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

/// What the application may do wrong: it builds something else than v2, or leaks a connection to
/// v1. v1 stays.
#[must_use]
pub fn wrong() -> Vec<Scenario> {
    let mut all = Vec::new();
    for build in [Build::Damaged, Build::Lossy, Build::StillOld] {
        all.extend(
            plain(InitialState::WalRows, BuildBy::Sql, BuildFrom::Empty)
                .map(|scenario| Scenario { build, ..scenario }),
        );
    }
    for build in [Build::Damaged, Build::Lossy, Build::StillOld, Build::Refused] {
        all.extend(
            plain(InitialState::WalRows, BuildBy::Host, BuildFrom::Copy)
                .map(|scenario| Scenario { build, ..scenario }),
        );
    }
    for zombie in [Zombie::OnV1, Zombie::OnV1InVerify, Zombie::OnV2InVerify] {
        all.extend(
            plain(InitialState::WalRows, BuildBy::Host, BuildFrom::Copy)
                .map(|scenario| Scenario { zombie, ..scenario }),
        );
    }
    all
}

/// Canonical cannot be hard-linked, so v2's pages are copied into it.
#[must_use]
pub fn page_copies() -> Vec<Scenario> {
    let mut all =
        every_build(&[InitialState::Settled, InitialState::WalRows, InitialState::HotJournal]);
    all.extend(zombies().into_iter().chain(companions()));
    all.extend(wrong().into_iter().filter(|scenario| scenario.zombie != Zombie::None));
    all.into_iter().map(|scenario| Scenario { can_link: false, ..scenario }).collect()
}

/// The application has leaked a connection to v1 before the upgrade. On Windows v2's pages are then
/// copied into v1.
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

/// The application has leaked a connection to v1 and knows it. v1 is first copied to a new file.
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

/// Restores of a backup, and prunes of backups.
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

/// Adoptions of a backup that has no receipt.
#[must_use]
pub fn adopted() -> Vec<Scenario> {
    let shapes = [InitialState::AdoptWalRows, InitialState::AdoptHotJournal];
    let starts =
        shapes.map(|initial| plain(initial, BuildBy::Sql, BuildFrom::Copy)).into_iter().flatten();
    let with =
        starts.clone().filter_map(|scenario| with_companion(scenario, HostUse::Stages, true));
    starts.chain(with).collect()
}

/// Adoptions on Windows.
#[must_use]
pub fn adopted_on_windows() -> Vec<Scenario> {
    on_windows(adopted())
}

/// Restores and prunes on Windows, if canonical can be hard-linked.
#[must_use]
pub fn kept_on_windows() -> Vec<Scenario> {
    on_windows(kept().into_iter().filter(|scenario| scenario.can_link).collect())
}

/// Restores by page copy on Windows: canonical cannot be hard-linked, or the application has leaked
/// a connection to it.
#[must_use]
pub fn restored_by_pages_on_windows() -> Vec<Scenario> {
    let restores = || kept().into_iter().filter(Scenario::restores);
    let unlinked = restores().filter(|scenario| !scenario.can_link);
    let held = restores()
        .filter(|scenario| scenario.can_link)
        .map(|scenario| Scenario { zombie: Zombie::OnV1Before, ..scenario });
    on_windows(unlinked.chain(held).collect())
}

/// These scenarios on Windows.
#[must_use]
pub fn on_windows(scenarios: Vec<Scenario>) -> Vec<Scenario> {
    scenarios
        .into_iter()
        .map(|scenario| Scenario { platform: Platform::Windows, ..scenario })
        .collect()
}

/// Adds a companion that the callback changes in this way.
#[must_use]
fn with_companion(mut scenario: Scenario, host: HostUse, before: bool) -> Option<Scenario> {
    scenario.companion = Some((CompanionName::new("auth").ok()?, FileName::new("auth.json").ok()?));
    scenario.companion_before = before;
    scenario.host = host;
    Some(scenario)
}

/// Every scenario, in a fixed order. A replay line names a scenario by its place.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let posix: Vec<Scenario> = shapes()
        .into_iter()
        .chain(companions())
        .chain(zombies())
        .chain(wrong())
        .chain(legacy())
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
        .chain(adopted())
        .chain(adopted_on_windows())
        .collect()
}

/// A few scenarios that together perform every step. Mutants are tried on them.
#[must_use]
pub fn mutants() -> Vec<Scenario> {
    let mut all: Vec<Scenario> =
        plain(InitialState::WalRows, BuildBy::Sql, BuildFrom::Empty).into_iter().collect();
    // The first two are explored on Windows as well.
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
    all.extend(legacy());
    let windows = all
        .iter()
        .filter(|scenario| {
            scenario.initial == InitialState::WalRows && scenario.build == Build::Right
        })
        .take(2)
        .cloned()
        .collect();
    all.extend(on_windows(windows));
    // Each plan by page copy whose flip differs.
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

/// All scenarios that mutants are tried on.
#[must_use]
pub fn tried() -> Vec<Scenario> {
    // One scenario whose canonical cannot be linked, and one in WAL mode with a leaked connection.
    let by_pages = restored_by_pages_on_windows().into_iter().filter(|scenario| {
        let held = scenario.zombie != Zombie::None;
        scenario.companion.is_none() && held == (scenario.initial == InitialState::RestoreWalRows)
    });
    mutants().into_iter().chain(by_pages).collect()
}

/// Starts of the legacy daemon, which cutover finishes or undoes.
#[must_use]
pub fn legacy() -> Vec<Scenario> {
    let mut all = Vec::new();
    all.extend(plain(InitialState::BothJournals, BuildBy::Sql, BuildFrom::Empty));
    for initial in [InitialState::Legacy, InitialState::LegacyWal, InitialState::LegacyUndone] {
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
