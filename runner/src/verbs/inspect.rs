//! Answers what a support person asks first. Nothing is changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cutover_core::{CompanionFacts, CompanionName, CompanionRole, FileName, Header, Holder, Role};
use serde::Serialize;

use crate::error::Error;
use crate::observe::look;
use crate::path::usable;
use crate::place::Paths;

/// What is in the database's directory.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Inspection {
    /// The database's real path, with symbolic links resolved.
    pub path: PathBuf,
    /// Whether the database exists.
    pub exists: bool,
    /// Size of the database in bytes; `None` without a database.
    pub size: Option<u64>,
    /// Whether this process has the set open, as far as the system tells. On Linux and macOS the
    /// inspection then contains sizes only, because opening the set would drop that connection's
    /// locks.
    pub held: bool,
    /// The processes that have the set open, this one first.
    pub holders: Vec<Holder>,
    /// Why other processes may have it open that are not among the holders; `None` where the system
    /// tells of each process of this user.
    pub holders_unknown: Option<String>,
    /// The database's header, if it could be read.
    pub header: Option<Header>,
    /// The database's sidecars and their sizes in bytes.
    pub sidecars: BTreeMap<FileName, u64>,
    /// Journals of interrupted upgrades and restores.
    pub journals: Vec<FileName>,
    /// Backups and their sizes in bytes.
    pub backups: BTreeMap<FileName, u64>,
    /// Databases that were set aside, which hold rows, and their sizes in bytes.
    pub displaced: BTreeMap<FileName, u64>,
    /// What interrupted upgrades left, journals that could not be read, and sidecars of backups;
    /// their sizes in bytes. A later start removes what is not needed.
    pub leftovers: BTreeMap<FileName, u64>,
    /// The declared companions.
    pub companions: BTreeMap<CompanionName, InspectedCompanion>,
}

/// A companion and the files beside it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct InspectedCompanion {
    /// The companion's real path, with symbolic links resolved.
    pub path: PathBuf,
    /// Whether the companion exists.
    pub exists: bool,
    /// Backups from before an upgrade, of this database or of another one that shares the
    /// companion; their sizes in bytes.
    pub backups: BTreeMap<FileName, u64>,
    /// Files that were set aside, and their sizes in bytes.
    pub displaced: BTreeMap<FileName, u64>,
    /// What interrupted upgrades left, and their sizes in bytes. A later start removes what is not
    /// needed.
    pub leftovers: BTreeMap<FileName, u64>,
}

/// Describes a database, the files beside it, and its companions. `companions` maps a name to a
/// path, as for a migration. It changes nothing, and opens nothing that this process has open.
///
/// # Errors
/// `IO` when a directory or a companion cannot be read.
pub fn inspect(path: &Path, companions: &BTreeMap<String, PathBuf>) -> Result<Inspection, Error> {
    let place = usable(path, companions)?;
    let observation = look(&place).map_err(|blind| blind.into_failure(&place))?;
    let mut inspection = Inspection {
        path: place.path(&place.canonical),
        exists: observation.canonical_facts().is_some(),
        size: observation.canonical_facts().map(|facts| facts.size),
        held: observation.holders.iter().any(|holder| holder.this_process),
        header: observation.canonical_facts().and_then(|facts| facts.header.clone()),
        holders: observation.holders,
        holders_unknown: observation.holders_unknown,
        sidecars: BTreeMap::new(),
        journals: observation.journals.into_keys().collect(),
        backups: BTreeMap::new(),
        displaced: BTreeMap::new(),
        leftovers: BTreeMap::new(),
        companions: observation
            .companions
            .iter()
            .filter_map(|(name, seen)| Some((name.clone(), beside(&place, name, seen)?)))
            .collect(),
    };
    for (name, facts) in observation.files {
        let list = match Role::of(&place.canonical, &name) {
            Some(Role::Backup { .. }) => &mut inspection.backups,
            Some(Role::Displaced(_)) => &mut inspection.displaced,
            Some(Role::Sidecar(of)) if *of == Role::Canonical => &mut inspection.sidecars,
            Some(Role::Sidecar(of)) if matches!(*of, Role::Displaced(_)) => {
                &mut inspection.displaced
            }
            Some(
                Role::Canonical
                | Role::Lock
                | Role::Receipt
                | Role::Journal(_)
                | Role::LegacyJournal,
            )
            | None => continue,
            Some(_) => &mut inspection.leftovers,
        };
        list.insert(name, facts.size);
    }
    Ok(inspection)
}

fn beside(
    place: &Paths,
    companion: &CompanionName,
    seen: &CompanionFacts,
) -> Option<InspectedCompanion> {
    let (directory, file) = place.companions.get(companion)?;
    let of = |roles: &[CompanionRole]| {
        let ours = seen
            .present
            .iter()
            .filter(|name| CompanionRole::of(file, name).is_some_and(|role| roles.contains(&role)));
        ours.filter_map(|name| {
            Some((name.clone(), directory.join(name.as_str()).symlink_metadata().ok()?.len()))
        })
        .collect()
    };
    Some(InspectedCompanion {
        path: directory.join(file.as_str()),
        exists: seen.digest.is_some(),
        backups: of(&[CompanionRole::Backup]),
        displaced: of(&[CompanionRole::Displaced]),
        leftovers: of(&[CompanionRole::Staged, CompanionRole::BackupTmp]),
    })
}
