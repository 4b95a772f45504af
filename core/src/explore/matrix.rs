//! The starts that are explored from.

use super::disk::{ASIDE, Content, Disk, HOME};
use super::perform::Machine;
use super::sqlite::{Data, Db};
use super::{HostUse, Ledger, Setting, Shape, State, Zombie};
use crate::fault::Platform;
use crate::names::{CompanionName, FileName, Label};
use crate::plan::{By, From};
use crate::sqlite::JournalMode;

const CANONICAL: &str = "data.db";

/// A start of a v1 of this shape.
fn plain(shape: Shape, by: By, from: From) -> Option<Setting> {
    Some(Setting {
        canonical: FileName::new(CANONICAL).ok()?,
        label: Label::new("v1-v2").ok()?,
        platform: Platform::Linux,
        shape,
        by,
        from,
        verify: by == By::Host,
        companion: None,
        companion_before: true,
        host: HostUse::Stages,
        zombie: Zombie::None,
        left: [".building-0a0a0a0a", ".source-0a0a0a0a"].map(|suffix| format!("{CANONICAL}{suffix}").into()).into(),
    })
}

const BUILDS: [(By, From); 4] = [(By::Sql, From::Empty), (By::Sql, From::Copy), (By::Host, From::Empty), (By::Host, From::Copy)];

/// Every shape that v1 may have, and the ways to build.
#[must_use]
pub fn shapes() -> Vec<Setting> {
    use Shape::{HotJournal, JournalTmp, NoCanonical, Orphans, Settled, UnreadableJournal, WalClosed, WalRows};
    let shapes = [Settled, WalClosed, WalRows, HotJournal, JournalTmp, Orphans, UnreadableJournal, NoCanonical];
    shapes.into_iter().flat_map(|shape| BUILDS.map(|(by, from)| plain(shape, by, from))).flatten().collect()
}

/// What the application's callback may do to a companion.
#[must_use]
pub fn companions() -> Vec<Setting> {
    let mut all = Vec::new();
    for host in [HostUse::Stages, HostUse::WritesInPlace, HostUse::SavesState] {
        for before in [true, false] {
            all.extend(plain(Shape::WalRows, By::Host, From::Copy).and_then(|setting| with_companion(setting, host, before)));
        }
    }
    all
}

/// What the application's closed connections may do.
#[must_use]
pub fn zombies() -> Vec<Setting> {
    let mut all = Vec::new();
    for zombie in [Zombie::UntilReleased, Zombie::ForEver] {
        for from in [From::Empty, From::Copy] {
            all.extend(plain(Shape::WalRows, By::Host, from).map(|setting| Setting { zombie, ..setting }));
        }
    }
    all
}

/// The same on Windows.
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

/// Lays out the shape of a setting.
#[must_use]
pub fn lay(setting: &Setting) -> State {
    let mut disk = Disk::default();
    let name = setting.canonical.as_str();
    let mut rows = 0;
    let journal = format!("{name}.v1-v2-cutover.json");
    match setting.shape {
        Shape::Settled | Shape::Field => disk.lay(HOME, name, Content::Db(Db::v1(0, JournalMode::Delete))),
        Shape::WalClosed => disk.lay(HOME, name, Content::Db(Db::v1(0, JournalMode::Wal))),
        Shape::WalRows | Shape::FieldWal => {
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
            disk.lay(HOME, &format!("{name}.source-0a0a0a0a"), Content::Db(Db { of: 2, ..Db::v1(0, JournalMode::Wal) }));
        }
        Shape::UnreadableJournal => {
            disk.lay(HOME, name, Content::Db(Db::v1(0, JournalMode::Wal)));
            disk.lay(HOME, &journal, Content::Torn);
        }
        Shape::NoCanonical => {
            disk.lay(HOME, &format!("{name}.building-0a0a0a0a"), Content::Torn);
            disk.lay(HOME, &journal, Content::Torn);
        }
    }
    if let Some((_, file)) = &setting.companion
        && setting.companion_before
    {
        disk.lay(ASIDE, file.as_str(), Content::Companion(0));
    }
    State { disk, ledger: Ledger::of(rows) }
}

/// What the daemon in the field does, step by step.
pub fn field_daemon(machine: &mut Machine) {
    let _ = machine;
}
