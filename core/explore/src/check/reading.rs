//! What a name holds, in the words of the invariants. How SQLite opens a database is written here a
//! second time, independently of the simulator.

use crate::model::database::{Data, Db};
use crate::model::disk::{Content, Disk, HOME};
use crate::model::state::State;
use crate::scenario::Scenario;
use cutover_core::{CompanionRole, FileName, Role};

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// `I1` to `I10`.
    pub rule: &'static str,
    /// What was found.
    pub what: String,
}

#[expect(clippy::unnecessary_wraps, reason = "every judgement ends in one")]
pub(crate) fn broken(rule: &'static str, what: impl Into<String>) -> Option<Violation> {
    Some(Violation { rule, what: what.into() })
}

/// What a program reads that opens this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    Nothing,
    V1(u8),
    V2 { of: u8, rows: u8 },
    Else(&'static str),
}

pub(crate) fn holds(disk: &Disk, name: &str) -> Holds {
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
        Data::Partial => Holds::Else("a database whose build is not complete"),
        Data::Refused => Holds::Else("a v2 that the application does not accept"),
        Data::Damaged | Data::Half => Holds::Else("a damaged database"),
        Data::Mixed => Holds::Else("pages of two databases"),
        Data::Foreign => Holds::Else("a new, empty database"),
    }
}

/// Whether canonical is what a start is for. For an upgrade that is v2 with all of v1's rows; a v2
/// that lacks a row is a violation, or is put back. For a restore it is v1.
#[must_use]
pub fn is_v2(state: &State, scenario: &Scenario) -> bool {
    if scenario.restores() {
        return is_v1(state, scenario);
    }
    match holds(&state.disk, scenario.canonical.as_str()) {
        Holds::V2 { of, .. } => of == state.ledger.rows,
        _ => false,
    }
}

/// Whether canonical is v1.
#[must_use]
pub fn is_v1(state: &State, scenario: &Scenario) -> bool {
    matches!(holds(&state.disk, scenario.canonical.as_str()), Holds::V1(_))
}

pub(crate) fn roles<'a>(
    disk: &'a Disk,
    scenario: &'a Scenario,
) -> impl Iterator<Item = (&'a str, Role)> {
    disk.dirs[HOME].now.keys().filter_map(|name| {
        Some((&**name, Role::of(&scenario.canonical, &FileName::new(&**name).ok()?)?))
    })
}

/// Finds a sidecar that stands beside another database than its own.
pub(crate) fn strangers(disk: &Disk) -> Option<Violation> {
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

/// Each file of the companion, with its role. The companion itself has no role.
pub(crate) fn companion_files<'a>(
    disk: &'a Disk,
    scenario: &'a Scenario,
) -> impl Iterator<Item = (&'a str, Option<CompanionRole>, &'a Content)> {
    let entries = &disk.dirs[scenario.aside()].now;
    scenario.companion.iter().flat_map(move |(_, file)| {
        entries.iter().filter_map(move |(name, ino)| {
            let role = CompanionRole::of(file, &FileName::new(&**name).ok()?);
            let is_own = role.is_some() || **name == *file.as_str();
            is_own.then(|| (&**name, role, &disk.inodes[ino].now))
        })
    })
}
