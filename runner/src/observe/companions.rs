//! What a runner finds of the companions.

use std::path::Path;

use cutover_core::{CompanionFacts, FileName, Observation, PlanPath, legacy_backup};

use super::ObserveError;
use crate::place::Paths;
use crate::{os, sqlite};

/// Observes the declared companions.
pub(super) fn look_at(place: &Paths, observation: &mut Observation) -> Result<(), ObserveError> {
    for (companion, (directory, file)) in &place.companions {
        let path = directory.join(file.as_str());
        let of = |error: &std::io::Error| {
            let at = PlanPath { companion: Some(companion.clone()), name: file.clone() };
            ObserveError::OpError(sqlite::os_fault(error).of(at))
        };
        let absent = |error: &std::io::Error| error.kind() == std::io::ErrorKind::NotFound;
        let digest = match os::read_companion(&path) {
            Ok(bytes) => Some(cutover_core::digest(&bytes)),
            Err(error) if absent(&error) => None,
            Err(error) => return Err(of(&error)),
        };
        let entries = match std::fs::read_dir(directory) {
            Ok(entries) => entries.collect(),
            Err(error) if absent(&error) => Vec::new(),
            Err(error) => return Err(of(&error)),
        };
        let mut present: Vec<FileName> = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| FileName::new(entry.file_name().to_str()?).ok())
            .filter(|name| {
                name.as_str().strip_prefix(file.as_str()).is_some_and(|rest| rest.starts_with('.'))
            })
            .collect();
        present.sort();
        let id = digest.as_ref().and_then(|_| os::file_id(&path).ok());
        let is_it = |name: &&FileName| {
            id.is_some() && os::file_id(&directory.join(name.as_str())).ok() == id
        };
        let facts = CompanionFacts {
            file: file.clone(),
            path: path.display().to_string(),
            relative: place.relative(&path),
            digest,
            same: present.iter().filter(is_it).cloned().collect(),
            present,
            irreplaceable: os::irreplaceable(&path),
            legacy_backup_is_beginning: false,
        };
        observation.companions.insert(companion.clone(), facts);
    }
    if let Some((companion, backup)) = legacy_backup(observation)
        && let Some((directory, _)) = place.companions.get(&companion)
        && let Some(facts) = observation.companions.get_mut(&companion)
    {
        let begins = is_beginning(
            &directory.join(backup.as_str()),
            &directory.join(facts.file.as_str()),
            facts.digest.is_some(),
        );
        let at = PlanPath { companion: Some(companion), name: backup };
        let of = |error| ObserveError::OpError(sqlite::os_fault(&error).of(at));
        facts.legacy_backup_is_beginning = begins.map_err(of)?;
    }
    Ok(())
}

/// Whether a backup holds only the beginning of a companion, read as far as the two are equal.
fn is_beginning(backup: &Path, companion: &Path, exists: bool) -> std::io::Result<bool> {
    use std::io::{BufRead as _, BufReader};
    if !exists {
        return Ok(false);
    }
    let mut backup = BufReader::new(os::open_to_read(backup)?);
    let mut companion = BufReader::new(os::open_to_read(companion)?);
    loop {
        let (ours, its) = (backup.fill_buf()?, companion.fill_buf()?);
        let shared = ours.len().min(its.len());
        if shared == 0 || ours[..shared] != its[..shared] {
            return Ok(ours.is_empty() && !its.is_empty());
        }
        backup.consume(shared);
        companion.consume(shared);
    }
}
