//! What must hold, judged from a state alone. Nothing here is shared with what made the state: how
//! SQLite opens a set is told a second time, in the words of the invariants.

use crate::disk::{Content, Disk, HOME};
use crate::sqlite::{Data, Db};
use crate::{Setting, Shape, State, backups};
use cutover_core::fault::Platform;
use cutover_core::names::{FileName, Role};
use cutover_core::plan::BuildBy;

/// An invariant that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// `I1` to `I10`.
    pub rule: &'static str,
    /// What was found.
    pub what: String,
}

#[expect(clippy::unnecessary_wraps, reason = "every judgement ends in one")]
pub(super) fn broken(rule: &'static str, what: impl Into<String>) -> Option<Violation> {
    Some(Violation { rule, what: what.into() })
}

/// What somebody who opens this name gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Nothing,
    V1(u8),
    V2 { of: u8, rows: u8 },
    Else(&'static str),
}

pub(super) fn holds(disk: &Disk, name: &str) -> Holds {
    let base = match disk.get(HOME, name) {
        None | Some(Content::Empty) => return Holds::Nothing,
        Some(Content::Db(db)) => *db,
        Some(_) => return Holds::Else("bytes that are no database"),
    };
    let mut data = base.data;
    for suffix in ["-journal", "-wal"] {
        match disk.get(HOME, &format!("{name}{suffix}")) {
            Some(Content::Hot(other) | Content::Wal(other)) if other.of != base.of => {
                return Holds::Else("another database's sidecar");
            }
            Some(Content::Hot(other)) => data = other.data,
            Some(Content::Wal(other)) => match (data, other.data) {
                (Data::V1 { rows }, Data::V1 { rows: replayed })
                | (Data::V2 { rows, .. }, Data::V2 { rows: replayed, .. })
                    if replayed < rows =>
                {
                    return Holds::Else("rows hidden by an old log");
                }
                _ => data = other.data,
            },
            _ => {}
        }
    }
    match data {
        Data::V1 { rows } => Holds::V1(rows),
        Data::V2 { of, rows } => Holds::V2 { of, rows },
        Data::Partial => Holds::Else("a database that is not done"),
        Data::Refused => Holds::Else("a v2 that the application does not accept"),
        Data::Damaged | Data::Half => Holds::Else("a damaged database"),
        Data::Mixed => Holds::Else("pages of two databases"),
        Data::Foreign => Holds::Else("a new, empty database"),
    }
}

/// Whether canonical is what a start is for: v2, with all that v1 held. (One that lacks a row is a
/// violation, or put back.) For a restore it is v1.
#[must_use]
pub fn is_v2(state: &State, setting: &Setting) -> bool {
    if setting.restores() {
        return is_v1(state, setting);
    }
    matches!(holds(&state.disk, setting.canonical.as_str()), Holds::V2 { of, .. } if of == state.ledger.rows)
}

/// Whether canonical is v1.
#[must_use]
pub fn is_v1(state: &State, setting: &Setting) -> bool {
    matches!(holds(&state.disk, setting.canonical.as_str()), Holds::V1(_))
}

pub(super) fn roles<'a>(
    disk: &'a Disk,
    setting: &'a Setting,
) -> impl Iterator<Item = (&'a str, Role)> {
    disk.dirs[HOME].now.keys().filter_map(|name| {
        Some((&**name, Role::of(&setting.canonical, &FileName::new(&**name).ok()?)?))
    })
}

fn backup_holds(state: &State, setting: &Setting, want: Holds) -> bool {
    roles(&state.disk, setting)
        .any(|(name, role)| matches!(role, Role::Backup { .. }) && holds(&state.disk, name) == want)
}

/// What must hold at every instant, before any recovery as well.
#[must_use]
pub fn at_every_instant(state: &State, setting: &Setting) -> Option<Violation> {
    if setting.has_backups() {
        return backups::always(state, setting);
    }
    if waits_for_v1(state, setting) { None } else { always(state, setting) }
}

/// On Windows v1 may gain a row between its check and the flip: the next start, or this one, puts
/// it back. Until then a `built` journal stands, the application was told nothing, and the backup
/// under canonical's name, with the sidecars that are there, is all of v1.
fn waits_for_v1(state: &State, setting: &Setting) -> bool {
    let State { disk, ledger } = state;
    let name = setting.canonical.as_str();
    let lacks_rows = match disk.get(HOME, name) {
        Some(Content::Db(Db { data: Data::V2 { of, rows: 0 }, .. })) => {
            *of < ledger.rows && ledger.v2_rows == 0 && !ledger.v2_durable
        }
        _ => false,
    };
    let text = |name: &str| match disk.get(HOME, name) {
        Some(Content::Text(text)) => text.text.contains("\"phase\": \"built\""),
        _ => false,
    };
    let v1_given_back = |backup: &str| {
        let mut back = disk.clone();
        back.rename(HOME, backup, name);
        holds(&back, name) == Holds::V1(ledger.rows)
    };
    setting.platform == Platform::Windows
        && lacks_rows
        && roles(disk, setting).any(|(name, role)| matches!(role, Role::Journal(_)) && text(name))
        && roles(disk, setting)
            .any(|(name, role)| matches!(role, Role::Backup { .. }) && v1_given_back(name))
}

/// A sidecar beside a database that is not its own.
pub(super) fn strangers(disk: &Disk) -> Option<Violation> {
    for (name, content) in
        disk.dirs[HOME].now.iter().map(|(name, ino)| (name, &disk.inodes[ino].now))
    {
        let (Content::Wal(Db { of, .. }) | Content::Hot(Db { of, .. })) = content else { continue };
        let base =
            name.strip_suffix("-wal").or_else(|| name.strip_suffix("-journal")).unwrap_or_default();
        if let Some(Content::Db(db)) = disk.get(HOME, base)
            && db.of != *of
        {
            return broken("I4", format!("{name} belongs to another database than {base}"));
        }
    }
    None
}

fn always(state: &State, setting: &Setting) -> Option<Violation> {
    let State { disk, ledger } = state;
    let canonical = holds(disk, setting.canonical.as_str());
    let rows = ledger.rows;
    if let Some(violation) = strangers(disk) {
        return Some(violation);
    }
    if setting.shape == Shape::NoCanonical {
        return None;
    }
    let v1_somewhere =
        canonical == Holds::V1(rows) || backup_holds(state, setting, Holds::V1(rows));
    if setting.links() {
        match canonical {
            Holds::V1(_) | Holds::V2 { .. } => {}
            Holds::Nothing => return broken("I8", "canonical is missing or empty"),
            Holds::Else(what) => return broken("I1", format!("canonical is {what}")),
        }
    }
    if !v1_somewhere {
        return broken("I2", format!("v1 with its {rows} rows is neither canonical nor a backup"));
    }
    match canonical {
        Holds::V2 { of, .. } if of != rows => {
            broken("I2", format!("v2 was made from a v1 of {of} rows; {rows} were committed"))
        }
        Holds::V2 { rows, .. } if rows < ledger.v2_rows => {
            broken("I3", format!("{} rows of v2 were committed, {rows} are there", ledger.v2_rows))
        }
        Holds::V2 { .. } => None,
        _ if ledger.v2_durable => broken("I3", "v2 was canonical for good, and is not any more"),
        _ => None,
    }
}

/// What must hold when a start has ended and nothing was in its way.
#[must_use]
pub fn at_end(state: &State, setting: &Setting) -> Option<Violation> {
    if setting.has_backups() {
        return backups::at_end(state, setting);
    }
    if let Some(violation) = always(state, setting) {
        return Some(violation);
    }
    if setting.refuses() {
        return None;
    }
    let State { disk, ledger } = state;
    let canonical = holds(disk, setting.canonical.as_str());
    let v2 = match canonical {
        Holds::V1(rows) if rows == ledger.rows => false,
        Holds::V1(rows) => {
            return broken("I1", format!("canonical is a v1 with {rows} rows of {}", ledger.rows));
        }
        Holds::V2 { .. } => true,
        Holds::Nothing => return broken("I1", "canonical is missing or empty"),
        Holds::Else(what) => return broken("I1", format!("canonical is {what}")),
    };
    if v2 && !backup_holds(state, setting, Holds::V1(ledger.rows)) {
        return broken("I2", "the backup is not v1");
    }
    let mut receipts = 0;
    let mut backups = 0;
    for (name, role) in roles(disk, setting).filter(|(name, _)| !setting.left.contains(*name)) {
        let main = match &role {
            Role::Sidecar(of) => of,
            role => role,
        };
        match main {
            Role::Source(_)
            | Role::Staging(_)
            | Role::Install(_)
            | Role::JournalTmp(..)
            | Role::Journal(_)
            | Role::LegacyJournal => {
                return broken("I6", format!("{name} is left"));
            }
            Role::Backup { .. } if !v2 => {
                return broken("I6", format!("{name} is left, and canonical is v1"));
            }
            Role::Backup { .. } if role == *main => backups += 1,
            Role::Receipt if matches!(disk.get(HOME, name), Some(Content::Text(_))) => {
                receipts += 1;
            }
            Role::Receipt => return broken("I6", format!("{name} is torn")),
            _ => {}
        }
    }
    if receipts != backups {
        return broken("I6", format!("{backups} backups and {receipts} receipts"));
    }
    if let Some(Content::Db(db)) = disk.get(HOME, setting.canonical.as_str())
        && let Some(mode) = ledger.mode.filter(|mode| *mode != db.mode)
        && setting.links()
    {
        return broken(
            "I10",
            format!("canonical is in {:?} mode, and its application counts on {mode:?}", db.mode),
        );
    }
    if !v2 && ledger.host {
        return broken(
            "I7",
            "canonical is v1, and what the application did outside the database was not undone",
        );
    }
    if v2 && !ledger.host && setting.by == BuildBy::Host && setting.links() {
        return broken(
            "I7",
            "canonical is v2, and what the application did outside the database for it was undone",
        );
    }
    if ledger.kept {
        return broken("I7", "the application still keeps what an undo would need");
    }
    companion(state, setting, v2)
}

/// The companion belongs to the database that is canonical, and what somebody wrote is kept.
fn companion(state: &State, setting: &Setting, v2: bool) -> Option<Violation> {
    let (_, file) = setting.companion.as_ref()?;
    let disk = &state.disk;
    let found = match disk.get(setting.aside(), file.as_str()) {
        None => None,
        Some(Content::Companion(version)) => Some(*version),
        Some(_) => return broken("I7", "the companion is torn"),
    };
    let before = setting.companion_before.then_some(0);
    let changed = state.ledger.companion_changed;
    let fits = match found {
        Some(2) => changed,
        found => found == if v2 && setting.changes_companion() { Some(1) } else { before },
    };
    if !fits {
        return broken(
            "I7",
            format!("canonical is {}, and the companion is not", if v2 { "v2" } else { "v1" }),
        );
    }
    let kept = disk.dirs[setting.aside()].now.iter().any(|(name, ino)| {
        (**name == *file.as_str() || name.contains(".displaced-") || name.contains(".v1-v2-"))
            && disk.inodes[ino].now == Content::Companion(2)
    });
    if state.ledger.companion_owed && !kept {
        return broken("I7", "what somebody wrote to the companion is gone");
    }
    let is_backed_up = |rest: &str| {
        roles(disk, setting).any(|(_, role)| matches!(role, Role::Backup { nonce, .. } if rest.ends_with(nonce.as_str())))
    };
    let left = disk.dirs[setting.aside()].now.keys().find(|name| {
        let rest = name.strip_prefix(file.as_str()).unwrap_or_default();
        rest.starts_with(".building-")
            || rest.contains(".tmp")
            || (rest.starts_with(".v1-v2-") && !(v2 && is_backed_up(rest)))
    });
    left.and_then(|name| broken("I6", format!("{name} is left")))
}
