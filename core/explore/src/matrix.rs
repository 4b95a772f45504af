//! The starts that are explored from.

use crate::boot::{Before, Boot};
use crate::disk::{Content, Disk, HOME};
use crate::machine::Machine;
use crate::sqlite::{Data, Db};
use crate::{
    Bounds, Build, Faults, HostUse, Ledger, Model, Setting, Shape, State, Zombie, backups,
};
use cutover_core::fault::Platform;
use cutover_core::names::{CompanionName, FileName, Label};
use cutover_core::op::Op;
use cutover_core::page1::JournalMode;
use cutover_core::plan::{BuildBy, BuildFrom};

const CANONICAL: &str = "data.db";

/// A start of a v1 of this shape.
fn plain(shape: Shape, by: BuildBy, from: BuildFrom) -> Option<Setting> {
    Some(Setting {
        canonical: FileName::new(CANONICAL).ok()?,
        label: Label::new("v1-v2").ok()?,
        platform: Platform::Linux,
        shape,
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
pub fn shapes() -> Vec<Setting> {
    use Shape::{
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

fn every_build(shapes: &[Shape]) -> Vec<Setting> {
    shapes
        .iter()
        .flat_map(|shape| BUILDS.map(|(by, from)| plain(*shape, by, from)))
        .flatten()
        .collect()
}

/// What the application's callback may do to a companion.
#[must_use]
pub fn companions() -> Vec<Setting> {
    let mut all = Vec::new();
    for host in [HostUse::Stages, HostUse::WritesInPlace, HostUse::SavesState] {
        for before in [true, false] {
            all.extend(
                plain(Shape::WalRows, BuildBy::Host, BuildFrom::Copy)
                    .and_then(|setting| with_companion(setting, host, before)),
            );
        }
    }
    all
}

/// What the application's closed connections may do.
#[must_use]
pub fn zombies() -> Vec<Setting> {
    let mut all = Vec::new();
    for zombie in [Zombie::UntilReleased, Zombie::ForEver] {
        for from in [BuildFrom::Empty, BuildFrom::Copy] {
            all.extend(
                plain(Shape::WalRows, BuildBy::Host, from)
                    .map(|setting| Setting { zombie, ..setting }),
            );
        }
    }
    all
}

/// What the application may do wrong: a build of something else than v2, or one that opens v1
/// itself and keeps it. v1 stays.
#[must_use]
pub fn wrong() -> Vec<Setting> {
    let mut all = Vec::new();
    for build in [Build::Damaged, Build::StillOld] {
        all.extend(
            plain(Shape::WalRows, BuildBy::Sql, BuildFrom::Empty)
                .map(|setting| Setting { build, ..setting }),
        );
    }
    for build in [Build::Damaged, Build::StillOld, Build::Refused] {
        all.extend(
            plain(Shape::WalRows, BuildBy::Host, BuildFrom::Copy)
                .map(|setting| Setting { build, ..setting }),
        );
    }
    for zombie in [Zombie::OnV1, Zombie::OnV1InVerify] {
        all.extend(
            plain(Shape::WalRows, BuildBy::Host, BuildFrom::Copy)
                .map(|setting| Setting { zombie, ..setting }),
        );
    }
    all
}

/// Where canonical cannot be given a second name, so that v2's pages are copied into it.
#[must_use]
pub fn page_copies() -> Vec<Setting> {
    let mut all = every_build(&[Shape::Settled, Shape::WalRows, Shape::HotJournal]);
    all.extend(zombies().into_iter().chain(companions()));
    all.extend(wrong().into_iter().filter(|setting| setting.zombie != Zombie::None));
    all.into_iter().map(|setting| Setting { can_link: false, ..setting }).collect()
}

/// Where the application has v1 open already, and does not let go. On Windows v2's pages are copied
/// into it then.
#[must_use]
pub fn held_before() -> Vec<Setting> {
    let mut all = every_build(&[Shape::Settled, Shape::WalRows, Shape::HotJournal]);
    all.extend(companions());
    on_windows(
        all.into_iter().map(|setting| Setting { zombie: Zombie::OnV1Before, ..setting }).collect(),
    )
}

/// Where the application has v1 open already, and knows that by a zombie: v1 moves to a new file
/// first.
#[must_use]
pub fn left_behind() -> Vec<Setting> {
    let shapes =
        [Shape::Settled, Shape::WalClosed, Shape::WalRows, Shape::HotJournal, Shape::JournalTmp];
    let all = shapes
        .into_iter()
        .filter_map(|shape| plain(shape, BuildBy::Sql, BuildFrom::Copy))
        .chain(plain(Shape::WalRows, BuildBy::Host, BuildFrom::Empty));
    all.map(|setting| Setting { zombie: Zombie::Known, ..setting }).collect()
}

/// A backup that is made canonical again, and backups that are pruned.
#[must_use]
pub fn kept() -> Vec<Setting> {
    backups::settings(
        |shape| plain(shape, BuildBy::Sql, BuildFrom::Copy),
        |setting| with_companion(setting, HostUse::Stages, true),
    )
}

/// The same on Windows, where canonical can be linked.
#[must_use]
pub fn kept_on_windows() -> Vec<Setting> {
    on_windows(kept().into_iter().filter(|setting| setting.can_link).collect())
}

/// Restores by page copy on Windows: where canonical cannot be linked, and where the application
/// has it open already and does not let go.
#[must_use]
pub fn restored_by_pages_on_windows() -> Vec<Setting> {
    let restores = || kept().into_iter().filter(Setting::restores);
    let unlinked = restores().filter(|setting| !setting.can_link);
    let held = restores()
        .filter(|setting| setting.can_link)
        .map(|setting| Setting { zombie: Zombie::OnV1Before, ..setting });
    on_windows(unlinked.chain(held).collect())
}

/// The same starts on Windows.
#[must_use]
pub fn on_windows(settings: Vec<Setting>) -> Vec<Setting> {
    settings.into_iter().map(|setting| Setting { platform: Platform::Windows, ..setting }).collect()
}

/// With a companion that the callback changes in this way.
#[must_use]
fn with_companion(mut setting: Setting, host: HostUse, before: bool) -> Option<Setting> {
    setting.companion = Some((CompanionName::new("auth").ok()?, FileName::new("auth.json").ok()?));
    setting.companion_before = before;
    setting.host = host;
    Some(setting)
}

/// One line of the table: what is crossed with what.
#[derive(Debug, Clone)]
pub struct Dimension {
    /// What it is about.
    pub name: &'static str,
    /// The starts.
    pub settings: Vec<Setting>,
    /// How the machine may stop.
    pub models: Vec<Model>,
    /// How far it goes.
    pub bounds: Bounds,
}

/// A crash anywhere, and one more anywhere in the recovery.
const TWO_CRASHES: Bounds = Bounds { crashes: 2, stop_after: 3, ..Bounds::ONE_CRASH };
/// Something in the way, or a fault, of a start or of the recovery after a crash; and a crash
/// anywhere after it.
const CROSSED: Bounds = Bounds {
    others: true,
    faults: Faults::All,
    happening_after_crashes: 1,
    crash_after_happening: true,
    stop_after: 3,
    ..Bounds::ONE_CRASH
};

/// Likewise in a recovery of what the daemon in the field left, up to where it is over, which is
/// stopped twice before or after.
const RECOVERED: Bounds =
    Bounds { crashes: 3, happening_after_crashes: 2, only_recovery: true, ..CROSSED };

/// Every crash state of every plan, each counted once: under M3 and Windows. Every state of M0, M1
/// and M2 is one of M3, as `core/explore/tests/it/explore.rs` shows of the model.
#[must_use]
pub fn full() -> Vec<Dimension> {
    every_model()
        .into_iter()
        .map(|mut dimension| {
            dimension.models.retain(|model| matches!(model, Model::M3 | Model::Windows));
            dimension
        })
        .filter(|dimension| !dimension.models.is_empty())
        .collect()
}

/// [`full`], and M0, M1 and M2 counted on their own, which shows what each model adds.
#[must_use]
pub fn every_model() -> Vec<Dimension> {
    use Model::{M0, M1, M2, M3, Windows};
    let copied = Bounds { copies: true, stop_after: 3, ..Bounds::ONE_CRASH };
    let plans = || {
        shapes().into_iter().chain(zombies()).chain(wrong()).chain(companions()).collect::<Vec<_>>()
    };
    let all = || plans().into_iter().chain(field()).collect::<Vec<_>>();
    // Crossing a page copy's every page write with everything else takes long: of these the ones
    // that have most to lose.
    let most_to_lose = |mut settings: Vec<Setting>| {
        settings.retain(|of| of.shape == Shape::WalRows && of.from == BuildFrom::Copy);
        settings
    };
    let crossed = || most_to_lose(page_copies());
    let dimension = |name, settings, models: &[Model], bounds| Dimension {
        name,
        settings,
        models: models.to_vec(),
        bounds,
    };
    vec![
        dimension("every plan: the process killed twice", plans(), &[M0], TWO_CRASHES),
        dimension("every plan: power lost twice, changes in order", plans(), &[M1], TWO_CRASHES),
        dimension(
            "every plan: power lost twice, any subset of changes",
            plans(),
            &[M2],
            TWO_CRASHES,
        ),
        dimension(
            "every plan: power lost twice, a rename may leave both names",
            plans(),
            &[M3],
            TWO_CRASHES,
        ),
        dimension(
            "what the daemon in the field leaves at each step, over our journal too",
            field(),
            &[M0, M1, M2, M3],
            TWO_CRASHES,
        ),
        dimension(
            "its recovery: an older application, another writer or a fault, and three crashes",
            field(),
            &[M3],
            RECOVERED,
        ),
        dimension("the same, on Windows", on_windows(field()), &[Windows], RECOVERED),
        dimension(
            "an older application, another writer or a fault anywhere, and a crash before or \
             after it",
            all(),
            &[M3],
            CROSSED,
        ),
        dimension(
            "the directory copied after a crash: new file ids, links cut",
            all(),
            &[M3],
            copied,
        ),
        dimension(
            "where canonical cannot be linked: stopped twice",
            page_copies(),
            &[M0, M1, M2, M3],
            TWO_CRASHES,
        ),
        dimension(
            "the same: an older application, another writer or a fault, and a crash",
            crossed(),
            &[M3],
            CROSSED,
        ),
        dimension("the same: the directory copied after a crash", page_copies(), &[M3], copied),
        dimension(
            "the same, on Windows: the machine stopped twice",
            on_windows(page_copies()),
            &[Windows],
            TWO_CRASHES,
        ),
        dimension(
            "the same, on Windows: an older application, another writer or a fault",
            on_windows(crossed()),
            &[Windows],
            CROSSED,
        ),
        dimension(
            "Windows: every plan and the field's, the machine stopped twice",
            on_windows(all()),
            &[Windows],
            TWO_CRASHES,
        ),
        dimension(
            "Windows: an older application, another writer or a fault, and a crash",
            on_windows(all()),
            &[Windows],
            CROSSED,
        ),
        dimension(
            "Windows: the directory copied after a crash",
            on_windows(all()),
            &[Windows],
            copied,
        ),
        dimension(
            "Windows: v1 is held by this process, the machine stopped twice",
            held_before(),
            &[Windows],
            TWO_CRASHES,
        ),
        dimension(
            "the same: an older application, another writer or a fault",
            most_to_lose(held_before()),
            &[Windows],
            CROSSED,
        ),
        dimension(
            "the same: the directory copied after a crash",
            held_before(),
            &[Windows],
            copied,
        ),
        dimension(
            "v1 moves to a new file, away from a zombie: the machine stopped twice",
            left_behind(),
            &[M0, M1, M2, M3],
            TWO_CRASHES,
        ),
        dimension(
            "the same: an older application, another writer or a fault, and a crash",
            left_behind(),
            &[M3],
            CROSSED,
        ),
        dimension(
            "restores and prunes: the machine stopped twice",
            kept(),
            &[M0, M1, M2, M3],
            TWO_CRASHES,
        ),
        dimension(
            "restores and prunes: an older application, another writer or a fault, and a crash",
            kept(),
            &[M3],
            CROSSED,
        ),
        dimension("restores and prunes: the directory copied after a crash", kept(), &[M3], copied),
        dimension(
            "Windows: restores and prunes, the machine stopped twice",
            kept_on_windows(),
            &[Windows],
            TWO_CRASHES,
        ),
        dimension(
            "Windows: restores and prunes, something in the way, and a crash",
            kept_on_windows(),
            &[Windows],
            CROSSED,
        ),
        dimension(
            "Windows: restores and prunes, the directory copied",
            kept_on_windows(),
            &[Windows],
            copied,
        ),
        dimension(
            "Windows: restores by page copy, the machine stopped twice",
            restored_by_pages_on_windows(),
            &[Windows],
            TWO_CRASHES,
        ),
        dimension(
            "Windows: restores by page copy, something in the way, and a crash",
            restored_by_pages_on_windows(),
            &[Windows],
            CROSSED,
        ),
        dimension(
            "Windows: restores by page copy, the directory copied",
            restored_by_pages_on_windows(),
            &[Windows],
            copied,
        ),
    ]
}

/// The same within bounds that take seconds: one crash where the full matrix has two, and crashes
/// of the process only where it crosses.
#[must_use]
pub fn short() -> Vec<Dimension> {
    every_model()
        .into_iter()
        .map(|mut dimension| {
            dimension.bounds.crashes = 1;
            if dimension.bounds.faults == Faults::All {
                dimension.models = vec![Model::M0];
                dimension.settings.retain(|setting| {
                    (setting.shape == Shape::WalRows && setting.from == BuildFrom::Copy)
                        || setting.has_backups()
                });
            }
            dimension.settings.retain(|setting| {
                dimension.models != [Model::M3] || setting.from == BuildFrom::Copy
            });
            dimension
        })
        .filter(|dimension| !dimension.settings.is_empty())
        .collect()
}

/// Every start, in a fixed order: its place is its number in a replay line.
#[must_use]
pub fn all() -> Vec<Setting> {
    let posix: Vec<Setting> = shapes()
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

/// Lays out the shape of a setting.
#[must_use]
pub fn lay(setting: &Setting) -> State {
    let mut disk = Disk { log: setting.platform == Platform::Windows, ..Disk::default() };
    let name = setting.canonical.as_str();
    if setting.shape == Shape::OtherLabel {
        return other_label(setting);
    }
    if setting.has_backups() {
        return backups::lay(setting, State { disk, ledger: Ledger::of(0, JournalMode::Delete) });
    }
    let mut rows = 0;
    let journal = format!("{name}.v1-v2-cutover.json");
    match setting.shape {
        Shape::Settled | Shape::Legacy => {
            disk.lay(HOME, name, Content::Db(Db::v1(0, JournalMode::Delete)));
        }
        Shape::WalClosed => disk.lay(HOME, name, Content::Db(Db::v1(0, JournalMode::Wal))),
        Shape::WalRows | Shape::LegacyWal | Shape::BothJournals | Shape::OtherLabel => {
            rows = 1;
            disk.lay(HOME, name, Content::Db(Db::v1(0, JournalMode::Wal)));
            disk.lay(HOME, &format!("{name}-wal"), Content::Wal(Db::v1(1, JournalMode::Wal)));
            disk.lay(HOME, &format!("{name}-shm"), Content::Shm);
        }
        Shape::HotJournal => {
            let before = Db::v1(0, JournalMode::Delete);
            disk.lay(HOME, name, Content::Db(Db { data: Data::Half, ..before }));
            disk.lay(HOME, &format!("{name}-journal"), Content::Hot(before));
        }
        Shape::JournalTmp => {
            disk.lay(HOME, name, Content::Db(Db::v1(0, JournalMode::Wal)));
            disk.lay(HOME, &format!("{journal}.tmp-0a0a0a0a"), Content::Torn);
        }
        Shape::Orphans => {
            disk.lay(HOME, name, Content::Db(Db::v1(0, JournalMode::Wal)));
            disk.lay(HOME, &format!("{name}.building-0a0a0a0a"), Content::Torn);
            disk.lay(
                HOME,
                &format!("{name}.source-0a0a0a0a"),
                Content::Db(Db { of: 2, ..Db::v1(0, JournalMode::Wal) }),
            );
        }
        Shape::UnreadableJournal => {
            disk.lay(HOME, name, Content::Db(Db::v1(0, JournalMode::Wal)));
            disk.lay(HOME, &journal, Content::Torn);
        }
        Shape::NoCanonical => {
            disk.lay(HOME, &format!("{name}.building-0a0a0a0a"), Content::Torn);
            disk.lay(HOME, &journal, Content::Torn);
        }
        Shape::RestoreSettled | Shape::RestoreWalRows | Shape::Prune => {}
    }
    if let Some((_, file)) = &setting.companion
        && setting.companion_before
    {
        disk.lay(setting.aside(), file.as_str(), Content::Companion(0));
    }
    let mode = match setting.shape {
        Shape::Settled | Shape::Legacy | Shape::HotJournal => JournalMode::Delete,
        _ => JournalMode::Wal,
    };
    State { disk, ledger: Ledger::of(rows, mode) }
}

/// An upgrade with another label, killed as it began to build.
fn other_label(setting: &Setting) -> State {
    let plain = Setting { shape: Shape::WalRows, ..setting.clone() };
    let other =
        Setting { label: Label::new("v0-v1").unwrap_or_else(|_| setting.label.clone()), ..plain };
    let mut ignore = |_: &State| {};
    let mut machine = Machine::new(lay(&other), &other, &mut ignore);
    Boot::new(true).go(&mut machine, None, None, &mut |_, _, before| {
        matches!(before, Before::Op(_, Op::BuildSql { .. } | Op::BuildHost { .. }))
    });
    machine.state
}

/// Few starts that together perform every step there is: the ones to try mutants on.
#[must_use]
pub fn mutants() -> Vec<Setting> {
    let mut all: Vec<Setting> =
        plain(Shape::WalRows, BuildBy::Sql, BuildFrom::Empty).into_iter().collect();
    // The first two are tried on Windows as well.
    let companions = [
        (HostUse::SavesState, true),
        (HostUse::WritesInPlace, true),
        (HostUse::WritesInPlace, false),
        (HostUse::Stages, false),
    ];
    for (host, before) in companions {
        all.extend(
            plain(Shape::WalRows, BuildBy::Host, BuildFrom::Copy)
                .and_then(|setting| with_companion(setting, host, before)),
        );
    }
    for zombie in [Zombie::UntilReleased, Zombie::ForEver] {
        all.extend(
            plain(Shape::WalRows, BuildBy::Host, BuildFrom::Copy)
                .map(|setting| Setting { zombie, ..setting }),
        );
    }
    all.extend(plain(Shape::JournalTmp, BuildBy::Sql, BuildFrom::Empty));
    all.extend(plain(Shape::UnreadableJournal, BuildBy::Sql, BuildFrom::Empty));
    all.extend(plain(Shape::WalRows, BuildBy::Host, BuildFrom::Empty));
    all.extend(plain(Shape::WalRows, BuildBy::Sql, BuildFrom::Copy));
    all.extend(wrong());
    all.extend(field());
    let windows = all
        .iter()
        .filter(|setting| setting.shape == Shape::WalRows && setting.build == Build::Right)
        .take(2)
        .cloned()
        .collect();
    all.extend(on_windows(windows));
    // Each plan by page copy that differs in its flip.
    let mut copies: Vec<Setting> =
        plain(Shape::WalRows, BuildBy::Sql, BuildFrom::Empty).into_iter().collect();
    copies.extend(
        plain(Shape::WalRows, BuildBy::Host, BuildFrom::Empty)
            .and_then(|setting| with_companion(setting, HostUse::Stages, true)),
    );
    let on_v1 = plain(Shape::WalRows, BuildBy::Host, BuildFrom::Copy)
        .map(|setting| Setting { zombie: Zombie::OnV1InVerify, ..setting });
    copies.extend(on_v1);
    copies.extend(on_windows(copies.iter().take(1).cloned().collect()));
    all.extend(copies.into_iter().map(|setting| Setting { can_link: false, ..setting }));
    let held = |setting: &Setting| {
        setting.shape == Shape::WalRows
            && setting.from == BuildFrom::Empty
            && setting.companion.is_none()
    };
    all.extend(held_before().into_iter().filter(held));
    all.extend(left_behind().into_iter().filter(|setting| setting.shape == Shape::WalRows));
    all.extend(kept());
    all.extend(kept_on_windows().into_iter().filter(Setting::restores).take(1));
    all
}

/// All that mutants are tried on.
#[must_use]
pub fn tried() -> Vec<Setting> {
    // One that cannot be linked, and one that is held in WAL mode.
    let by_pages = restored_by_pages_on_windows().into_iter().filter(|setting| {
        let held = setting.zombie != Zombie::None;
        setting.companion.is_none() && held == (setting.shape == Shape::RestoreWalRows)
    });
    mutants().into_iter().chain(by_pages).collect()
}

/// Starts of the daemon in the field, to be finished or undone by ours.
#[must_use]
pub fn field() -> Vec<Setting> {
    let mut all = Vec::new();
    all.extend(plain(Shape::BothJournals, BuildBy::Sql, BuildFrom::Empty));
    for shape in [Shape::Legacy, Shape::LegacyWal] {
        all.extend(plain(shape, BuildBy::Sql, BuildFrom::Empty));
        for before in [true, false] {
            all.extend(
                plain(shape, BuildBy::Host, BuildFrom::Copy)
                    .and_then(|setting| with_companion(setting, HostUse::WritesInPlace, before)),
            );
        }
    }
    all
}

/// What the daemon in the field does, step by step. It flushes each file and each directory after
/// it changed it, so what it leaves differs by its steps alone; its journal's writing is taken as
/// one change. It settles nothing, and moves the database before its log.
pub fn legacy_daemon(machine: &mut Machine) {
    let setting = machine.setting;
    let name = setting.canonical.as_str();
    let (nonce, ms) = ("0f0f0f0f", "900");
    let (source, staging) = (format!("{name}.source-{nonce}"), format!("{name}.building-{nonce}"));
    let (backup, journal) =
        (format!("{name}.v1-v2-{ms}-{nonce}"), format!("{name}.v1-v2-migration.json"));
    let auth = "auth.json";
    let auth_backup = format!("{auth}.v1-v2-{nonce}");
    let has_companion = setting.companion.is_some();
    let existed = has_companion && setting.companion_before;
    let text = |phase: &str| {
        let home = |file: &str| format!("/data/{file}");
        let backup_path = if existed {
            serde_json::json!(format!("/aside/{auth_backup}"))
        } else {
            serde_json::Value::Null
        };
        serde_json::json!({
            "version": 1, "source": home(name), "normalizedSource": home(&source), "staging": home(&staging), "backup": home(&backup),
            "authPath": format!("/aside/{auth}"), "authBackup": backup_path, "authExisted": existed, "nonce": nonce, "phase": phase,
        })
        .to_string()
    };
    let aside = setting.aside();
    let write_journal = |machine: &mut Machine, phase: &str| {
        machine.durably(|disk| {
            disk.ensure(HOME, &journal);
            disk.write(HOME, &journal, Content::text(&text(phase)));
        });
    };
    let write = |machine: &mut Machine, dir: usize, file: &str, content: Content| {
        machine.durably(|disk| disk.ensure(dir, file));
        machine.durably(|disk| disk.write(dir, file, Content::Torn));
        machine.durably(|disk| disk.write(dir, file, content));
    };
    let rows = machine.state.ledger.rows;
    // It reads v1 through SQLite first.
    machine.roll_back(name);
    write_journal(machine, "building");
    if existed {
        write(machine, aside, &auth_backup, Content::Companion(0));
    }
    write(machine, HOME, &source, Content::Db(Db { of: 2, ..Db::v1(rows, JournalMode::Delete) }));
    let v2 =
        Db { data: Data::V2 { of: rows, rows: 0 }, mode: JournalMode::Delete, counter: 3, of: 3 };
    write(machine, HOME, &staging, Content::Db(v2));
    if has_companion {
        write(machine, aside, auth, Content::Companion(1));
    }
    write_journal(machine, "built");
    machine.durably(|disk| disk.rename(HOME, name, &backup));
    machine.durably(|disk| disk.rename(HOME, &format!("{name}-wal"), &format!("{backup}-wal")));
    write_journal(machine, "canonical-moved");
    machine.durably(|disk| disk.rename(HOME, &staging, name));
    write_journal(machine, "committed");
    machine.durably(|disk| disk.unlink(HOME, &source));
    machine.durably(|disk| disk.unlink(aside, &auth_backup));
}
