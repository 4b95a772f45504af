//! The invariants of an upgrade and of its recovery.

use crate::check::reading::{Holds, Violation, broken, companion_files, holds, roles, strangers};
use crate::model::database::{Data, Db};
use crate::model::disk::{Content, HOME};
use crate::model::state::State;
use crate::scenario::{InitialState, Scenario};
use cutover_core::{BuildBy, CompanionRole, Platform, Role, companion_backup_name, counted};

fn backup_holds(state: &State, scenario: &Scenario, want: Holds) -> bool {
    roles(&state.disk, scenario)
        .any(|(name, role)| matches!(role, Role::Backup { .. }) && holds(&state.disk, name) == want)
}

/// On Windows v1 may gain a row between its check and the flip. This start or the next puts v1
/// back. Until then the journal says `built`, the application is told nothing, and the backup with
/// its sidecars is all of v1.
pub(crate) fn waits_for_v1(state: &State, scenario: &Scenario) -> bool {
    let State { disk, ledger } = state;
    let name = scenario.canonical.as_str();
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
    scenario.platform == Platform::Windows
        && lacks_rows
        && roles(disk, scenario).any(|(name, role)| matches!(role, Role::Journal(_)) && text(name))
        && roles(disk, scenario)
            .any(|(name, role)| matches!(role, Role::Backup { .. }) && v1_given_back(name))
}

pub(crate) fn always(state: &State, scenario: &Scenario) -> Option<Violation> {
    let State { disk, ledger } = state;
    let canonical = holds(disk, scenario.canonical.as_str());
    let rows = ledger.rows;
    if let Some(violation) = strangers(disk) {
        return Some(violation);
    }
    if scenario.initial == InitialState::NoCanonical {
        return None;
    }
    let v1_somewhere =
        canonical == Holds::V1(rows) || backup_holds(state, scenario, Holds::V1(rows));
    if scenario.links() {
        match canonical {
            Holds::V1(_) | Holds::V2 { .. } => {}
            Holds::Nothing => return broken("I8", "canonical is missing or empty"),
            Holds::Else(what) => return broken("I1", format!("canonical is {what}")),
        }
    }
    if !v1_somewhere {
        return broken(
            "I2",
            format!(
                "v1 with its {} is neither canonical nor a backup",
                counted(rows.into(), "row")
            ),
        );
    }
    match canonical {
        Holds::V2 { of, .. } if of != rows => broken(
            "I2",
            format!("v2 was made from a v1 of {}; committed: {rows}", counted(of.into(), "row")),
        ),
        Holds::V2 { rows, .. } if rows < ledger.v2_rows => broken(
            "I3",
            format!("{} of v2, committed: {}", counted(rows.into(), "row"), ledger.v2_rows),
        ),
        Holds::V2 { .. } => None,
        _ if ledger.v2_durable => broken("I3", "v2 was durably canonical, and is no longer"),
        _ => None,
    }
}

/// Judges the end of a start in which nothing interfered.
pub(crate) fn at_end(state: &State, scenario: &Scenario) -> Option<Violation> {
    if let Some(violation) = always(state, scenario) {
        return Some(violation);
    }
    if scenario.refuses() {
        return None;
    }
    let State { disk, ledger } = state;
    let canonical = holds(disk, scenario.canonical.as_str());
    let v2 = match canonical {
        Holds::V1(rows) if rows == ledger.rows => false,
        Holds::V1(rows) => {
            return broken(
                "I1",
                format!(
                    "canonical is a v1 with {} of {}",
                    counted(rows.into(), "row"),
                    ledger.rows
                ),
            );
        }
        Holds::V2 { .. } => true,
        Holds::Nothing => return broken("I1", "canonical is missing or empty"),
        Holds::Else(what) => return broken("I1", format!("canonical is {what}")),
    };
    if v2 && !backup_holds(state, scenario, Holds::V1(ledger.rows)) {
        return broken("I2", "the backup is not v1");
    }
    let mut receipts = 0;
    let mut backups = 0;
    for (name, role) in roles(disk, scenario).filter(|(name, _)| !scenario.left.contains(*name)) {
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
        return broken("I6", format!("backups: {backups}, receipts: {receipts}"));
    }
    if let Some(Content::Db(db)) = disk.get(HOME, scenario.canonical.as_str())
        && let Some(mode) = ledger.mode.filter(|mode| *mode != db.mode)
        && scenario.links()
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
    if v2 && !ledger.host && scenario.by == BuildBy::Host && scenario.links() {
        return broken(
            "I7",
            "canonical is v2, and what the application did outside the database for it was undone",
        );
    }
    if ledger.kept {
        return broken("I7", "the application still keeps what an undo would need");
    }
    companion(state, scenario, v2)
}

/// The companion must belong to the database that is canonical, and what another program wrote must
/// be kept.
fn companion(state: &State, scenario: &Scenario, v2: bool) -> Option<Violation> {
    let (_, file) = scenario.companion.as_ref()?;
    let disk = &state.disk;
    let found = match disk.get(scenario.aside(), file.as_str()) {
        None => None,
        Some(Content::Companion(version)) => Some(*version),
        Some(_) => return broken("I7", "the companion is torn"),
    };
    let before = scenario.companion_before.then_some(0);
    let changed = state.ledger.companion_changed;
    let fits = match found {
        Some(2) => changed,
        found => found == if v2 && scenario.changes_companion() { Some(1) } else { before },
    };
    if !fits {
        return broken(
            "I7",
            format!("canonical is {}, and the companion is not", if v2 { "v2" } else { "v1" }),
        );
    }
    let kept = companion_files(disk, scenario).any(|(_, role, content)| {
        role != Some(CompanionRole::Staged) && *content == Content::Companion(2)
    });
    if state.ledger.companion_owed && !kept {
        return broken("I7", "what another program wrote to the companion is gone");
    }
    let is_backed_up = |name: &str| {
        roles(disk, scenario).any(|(_, role)| match role {
            Role::Backup { label, nonce, .. } => {
                companion_backup_name(file, &label, &nonce).as_str() == name
            }
            _ => false,
        })
    };
    let is_torn = |name: &str| {
        let content = disk.get(scenario.aside(), name);
        !scenario.links() && matches!(content, Some(Content::Empty | Content::Torn))
    };
    let left = companion_files(disk, scenario).find(|(name, role, _)| match role {
        Some(CompanionRole::Staged | CompanionRole::BackupTmp) => true,
        // The legacy daemon made it in place; it is the beginning of the companion.
        Some(CompanionRole::Backup) if is_torn(name) => false,
        Some(CompanionRole::Backup) => !(v2 && is_backed_up(name)),
        Some(CompanionRole::Displaced) | None => false,
    });
    left.and_then(|(name, ..)| broken("I6", format!("{name} is left")))
}
