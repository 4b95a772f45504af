//! The glance: what a start that has nothing to do needs to know.

use cutover_core::{CompanionRole, FileName, Observation, Role};

use super::directory::blank;
use super::{ObserveError, io, unopened};
use crate::holders::Seen;
use crate::place::Paths;
use crate::{os, sqlite};

/// Sees canonical, its log, and that no name in the directory asks for a recovery. An upgrade of
/// another label is found by its journal's name alone, so the names are listed. `None` where there
/// is more to see: an open handle, a journal or what one left, a rollback journal, no database, or a
/// name of ours that is not a regular file's.
pub(super) fn glance(
    place: &Paths,
    seen: Seen,
    detects: bool,
) -> Result<Option<Observation>, ObserveError> {
    if !detects || !seen.holders.is_empty() {
        return Ok(None);
    }
    let mut observation = blank(place, seen);
    let mut directories = vec![&place.directory];
    for (directory, file) in place.companions.values() {
        if os::regular_or_missing(&directory.join(file.as_str())).is_err() {
            return Ok(None);
        }
        if !directories.contains(&directory) {
            directories.push(directory);
        }
    }
    for directory in directories {
        let entries = match std::fs::read_dir(directory) {
            // So there is no companion.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.map_err(|error| io(&error))?,
        };
        for entry in entries {
            let entry = entry.map_err(|error| io(&error))?;
            let text = entry.file_name();
            let Some(text) = text.to_str().filter(|text| place.may_be_ours(text)) else { continue };
            let Ok(name) = FileName::new(text) else { continue };
            let of_companion = place.companions.values().any(|(at, file)| {
                at == directory && (*file == name || CompanionRole::of(file, &name).is_some())
            });
            let name = place.spelled(name);
            let role = Role::of(&place.canonical, &name).filter(|_| *directory == place.directory);
            if (role.is_some() || of_companion)
                && !entry.file_type().is_ok_and(|kind| kind.is_file())
            {
                return Ok(None);
            }
            let facts = match role {
                Some(Role::Journal(_) | Role::LegacyJournal | Role::JournalTmp(..)) => {
                    return Ok(None);
                }
                Some(Role::Sidecar(of)) if *of == Role::Canonical => unopened(&place.path(&name)),
                Some(Role::Canonical) => sqlite::glance(&place.path(&name)),
                _ => continue,
            };
            match facts {
                Ok(facts) => drop(observation.files.insert(name, facts)),
                // It went, or is too short for a header.
                Err(error)
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::NotFound | std::io::ErrorKind::UnexpectedEof
                    ) =>
                {
                    return Ok(None);
                }
                Err(error) => {
                    return Err(ObserveError::OpError(sqlite::os_fault(&error).of(&name)));
                }
            }
        }
    }
    let [.., hot] = place.canonical.sidecars();
    let is_database = observation.canonical_facts().is_some_and(|facts| facts.header.is_some());
    Ok((is_database && !observation.files.contains_key(&hot)).then_some(observation))
}
