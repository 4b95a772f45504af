//! The invariants of restores, prunes and adoptions.
//!
//! At the beginning v2 is canonical with one row of its own, beside a backup, its receipt, and a
//! companion's backup. A restore ends with v1 canonical and v2 set aside. A prune ends with the
//! newest backup. An adoption ends with a backup that is one file and has a receipt. At every
//! instant canonical is whole, v2 and its row can be reached, and each receipt is true.

use crate::check::reading::{Holds, Violation, broken, companion_files, holds, roles, strangers};
use crate::model::disk::{Content, HOME};
use crate::model::state::State;
use crate::scenario::layouts::{BACKUPS, ROWS, modes, name_of, present};
use crate::scenario::{Scenario, Zombie};
use cutover_core::{CompanionRole, JournalMode, Role, counted};

/// Whether this backup is what its receipt says.
fn is_kept(state: &State, scenario: &Scenario, of: (u64, &str, bool)) -> bool {
    let name = name_of(scenario, of);
    let text = matches!(state.disk.get(HOME, &format!("{name}.json")), Some(Content::Text(_)));
    let companion = scenario.companion.iter().all(|(_, file)| {
        let kept = format!("{file}.{}-{}", scenario.label, of.1);
        state.disk.get(scenario.aside(), &kept) == Some(&Content::Companion(0))
    });
    let told = text == of.2 || scenario.adopts();
    holds(&state.disk, &name) == Holds::V1(ROWS) && told && companion
}

/// Judges what must hold at every instant.
pub(crate) fn always(state: &State, scenario: &Scenario) -> Option<Violation> {
    let State { disk, ledger } = state;
    let v2 = Holds::V2 { of: ROWS, rows: ledger.v2_rows };
    let canonical = holds(disk, scenario.canonical.as_str());
    if let Some(violation) = strangers(disk) {
        return Some(violation);
    }
    match canonical {
        Holds::Nothing => return broken("I8", "canonical is missing or empty"),
        canonical if canonical == v2 => {}
        Holds::V1(rows) if scenario.restores() && rows == ledger.rows => {}
        Holds::V1(rows) if scenario.restores() => {
            return broken(
                "I2",
                format!(
                    "canonical is a v1 with {} of {}",
                    counted(rows.into(), "row"),
                    ledger.rows
                ),
            );
        }
        _ => return broken("I1", "canonical is neither v2 nor v1"),
    }
    if canonical == v2 && scenario.restores() && ledger.v2_durable {
        return broken("I3", "v1 was durably canonical, and is no longer");
    }
    if canonical != v2 && !displaced(state, scenario).any(|holds| holds == v2) {
        return broken("I2", "v2 is neither canonical nor set aside");
    }
    let stays = |of: &&(u64, &str, bool)| scenario.restores() || of.0 != BACKUPS[0].0;
    if let Some(gone) =
        present(scenario).iter().filter(stays).find(|of| !is_kept(state, scenario, **of))
    {
        return broken("I2", format!("the backup {} is not what it was", gone.0));
    }
    // A backup that is being removed must not be listed as whole when it is not.
    let name = name_of(scenario, BACKUPS[0]);
    let listed =
        disk.get(HOME, &format!("{name}.json")).is_some() && disk.get(HOME, &name).is_some();
    if scenario.adopts() && is_adopted(state, scenario) == Some(false) {
        return broken("I2", "a receipt names a backup that is not one settled file");
    }
    let lies = listed
        && present(scenario).first() == Some(&BACKUPS[0])
        && !is_kept(state, scenario, BACKUPS[0]);
    if lies { broken("I2", "a receipt names a backup that is not there") } else { None }
}

/// Whether the backup without a receipt is one settled file now. `None` while it has no receipt.
fn is_adopted(state: &State, scenario: &Scenario) -> Option<bool> {
    let disk = &state.disk;
    let name = name_of(scenario, *present(scenario).first()?);
    let Some(Content::Text(_)) = disk.get(HOME, &format!("{name}.json")) else { return None };
    let alone = ["-wal", "-journal"]
        .iter()
        .all(|suffix| disk.get(HOME, &format!("{name}{suffix}")).is_none());
    let settled =
        matches!(disk.get(HOME, &name), Some(Content::Db(db)) if db.mode == JournalMode::Delete);
    Some(alone && settled)
}

fn displaced<'a>(state: &'a State, scenario: &'a Scenario) -> impl Iterator<Item = Holds> {
    roles(&state.disk, scenario)
        .filter(|(_, role)| matches!(role, Role::Displaced(_)))
        .map(|(name, _)| holds(&state.disk, name))
}

/// Judges the end of a start in which nothing interfered.
pub(crate) fn at_end(state: &State, scenario: &Scenario) -> Option<Violation> {
    if let Some(violation) = always(state, scenario) {
        return Some(violation);
    }
    let disk = &state.disk;
    let v1 = matches!(holds(disk, scenario.canonical.as_str()), Holds::V1(_));
    for (name, role) in roles(disk, scenario) {
        let main = match &role {
            Role::Sidecar(of) => of,
            role => role,
        };
        if matches!(
            main,
            Role::Source(_)
                | Role::Staging(_)
                | Role::Install(_)
                | Role::JournalTmp(..)
                | Role::Journal(_)
        ) {
            return broken("I6", format!("{name} is left"));
        }
    }
    // In a copied directory v2's second name is a copy of its own. A start never removes a file
    // that may be v2.
    let canonical = disk.ino(HOME, scenario.canonical.as_str());
    if let Some((name, _)) = roles(disk, scenario)
        .find(|(name, _)| *name != scenario.canonical.as_str() && disk.ino(HOME, name) == canonical)
    {
        return broken("I6", format!("{name} is canonical's second name, and is left"));
    }
    let v2 = |holds: Holds| matches!(holds, Holds::V2 { of: ROWS, .. });
    if !displaced(state, scenario).all(v2) {
        return broken("I6", "a database that is set aside is not v2");
    }
    if let Some(Content::Db(db)) = disk.get(HOME, scenario.canonical.as_str())
        && state.ledger.mode.is_some()
    {
        let (v1_mode, v2_mode) = modes(scenario);
        // A database stays in WAL mode while another connection has it open.
        let v1_mode = if scenario.zombie == Zombie::OnV1Before && v2_mode == JournalMode::Wal {
            v2_mode
        } else {
            v1_mode
        };
        if db.mode != if v1 { v1_mode } else { v2_mode } {
            return broken("I10", format!("canonical is in {:?} mode", db.mode));
        }
    }
    if scenario.adopts() {
        let adopted = is_adopted(state, scenario) == Some(true);
        return if adopted { None } else { broken("I6", "the backup has no receipt") };
    }
    if !scenario.restores() {
        let gone = BACKUPS[0].1;
        let left = disk.dirs.iter().flat_map(|dir| dir.now.keys()).find(|name| name.contains(gone));
        return left.and_then(|name| broken("I6", format!("{name} is left")));
    }
    companion(state, scenario, v1)
}

/// The companion must belong to the database that is canonical, and what it replaced must be kept.
fn companion(state: &State, scenario: &Scenario, v1: bool) -> Option<Violation> {
    let (_, file) = scenario.companion.as_ref()?;
    let version = |name: &str| match state.disk.get(scenario.aside(), name) {
        Some(Content::Companion(version)) => Some(*version),
        _ => None,
    };
    let found = version(file.as_str());
    let changed = state.ledger.companion_changed;
    if found != Some(u8::from(!v1)) && !(changed && found == Some(2)) {
        return broken(
            "I7",
            format!("canonical is {}, and the companion is not", if v1 { "v1" } else { "v2" }),
        );
    }
    let beside = |wanted: u8| {
        companion_files(&state.disk, scenario).any(|(_, role, content)| {
            role == Some(CompanionRole::Displaced) && *content == Content::Companion(wanted)
        })
    };
    let owed = state.ledger.companion_owed;
    if (owed && found != Some(2) && !beside(2)) || (v1 && !changed && !beside(1)) {
        return broken("I7", "what was in the companion's place is gone");
    }
    let left = companion_files(&state.disk, scenario)
        .find(|(_, role, _)| *role == Some(CompanionRole::Staged));
    left.and_then(|(name, ..)| broken("I6", format!("{name} is left")))
}
