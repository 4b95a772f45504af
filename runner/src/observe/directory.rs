//! What is in the database's directory.

use std::collections::BTreeMap;
use std::path::Path;

use cutover_core::{
    CompanionRole, FileFacts, FileName, MAX_JOURNAL_BYTES, Observation, OpError, OpErrorKind,
    PlanPath, Receipts, ReplaceBlocker, Retry, Role,
};

use super::{ObserveError, companions, io};
use crate::holders::Seen;
use crate::place::Paths;
use crate::{os, sqlite};

/// Observes everything but what `detect` says.
pub(super) fn look_at(place: &Paths, seen: Seen, opens: bool) -> Result<Observation, ObserveError> {
    let mut observation = Observation {
        free_bytes: os::free_bytes(&place.directory).ok(),
        can_link: os::irreplaceable(&place.path(&place.canonical))
            != Some(ReplaceBlocker::MountPoint),
        ..blank(place, seen)
    };
    for entry in std::fs::read_dir(&place.directory).map_err(|error| io(&error))? {
        let name = entry.map_err(|error| io(&error))?.file_name();
        let Some(name) = name.to_str().filter(|name| place.may_be_ours(name)) else { continue };
        let Ok(name) = FileName::new(name) else { continue };
        let name = place.spelled(name);
        let Some(role) = Role::of(&place.canonical, &name) else { continue };
        let path = place.path(&name);
        if name == place.canonical.sidecars()[2]
            && opens
            && sqlite::bytes(&place.path(&place.canonical)) == Some(0)
            && is_of_nothing(&path)
        {
            continue;
        }
        let facts = match &role {
            // A directory or a symbolic link of this name is not a database. Its facts have no
            // header.
            Role::Canonical | Role::Staging(_) | Role::Install(_) | Role::Backup { .. }
                if opens && os::is_regular(&path) =>
            {
                match sqlite::facts(&path) {
                    // What another user of a shared folder builds is not for this user to read
                    // before it was checked. Without facts it can only be removed.
                    Err(error) if role != Role::Canonical && is_another_users(&error) => {
                        unopened(&path)
                    }
                    facts => facts,
                }
            }
            _ => unopened(&path),
        };
        match facts {
            Ok(facts) => drop(observation.files.insert(name.clone(), facts)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(ObserveError::OpError(sqlite::os_fault(&error).of(&name))),
        }
        if matches!(role, Role::Journal(_) | Role::LegacyJournal) {
            let text = text(&path)
                .map_err(|error| ObserveError::OpError(sqlite::os_fault(&error).of(&name)))?;
            observation.journals.insert(name, text);
        }
    }
    companions::look_at(place, &mut observation)?;
    Ok(observation)
}

/// An observation of nothing but handles.
pub(super) fn blank(place: &Paths, seen: Seen) -> Observation {
    Observation {
        platform: os::PLATFORM,
        canonical: place.canonical.clone(),
        files: BTreeMap::new(),
        journals: BTreeMap::new(),
        verdict: None,
        holders: seen.holders,
        holders_unknown: seen.unknown,
        free_bytes: None,
        can_link: true,
        companions: BTreeMap::new(),
        irregular: BTreeMap::new(),
    }
}

/// Whether a file may not be read, and waiting does not change that.
fn is_another_users(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::PermissionDenied
        && sqlite::os_fault(error).class(os::PLATFORM, false) != Retry::Transient
}

/// Size and identity of a file, without opening it.
pub(crate) fn unopened(path: &Path) -> std::io::Result<FileFacts> {
    let metadata = std::fs::symlink_metadata(path)?;
    // On Windows a directory has size 0, and must not look like an empty database.
    let size = if metadata.is_dir() { metadata.len().max(1) } else { metadata.len() };
    Ok(FileFacts { size, file_id: os::known_file_id(path, &metadata)?, header: None, page1: None })
}

/// A journal's text, read to one byte beyond the size limit. `None` if it is not a file or not
/// UTF-8. If it cannot be read now, that is an error: the journal may still mean something.
pub(crate) fn text(path: &Path) -> std::io::Result<Option<String>> {
    use std::io::Read as _;
    if !os::is_regular(path) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    os::open_to_read(path)?.take(MAX_JOURNAL_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(String::from_utf8(bytes).ok())
}

/// Whether this is the rollback journal of a database that had no pages: a process was killed in
/// its very first transaction. The journal holds nothing, and SQLite removes it (`hasHotJournal` in
/// pager.c).
fn is_of_nothing(journal: &Path) -> bool {
    use std::io::Read as _;
    let mut header = [0; 20];
    os::open_to_read(journal).and_then(|mut file| file.read_exact(&mut header)).is_ok()
        && header[16..20] == [0; 4]
}

/// The text of each receipt.
pub(crate) fn receipts(place: &Paths, observation: &Observation) -> Receipts {
    let names = observation
        .files
        .keys()
        .filter(|name| Role::of(&place.canonical, name) == Some(Role::Receipt));
    // A receipt that this user may not read makes its own backup not whole, and no other.
    names.map(|name| (name.clone(), text(&place.path(name)).ok().flatten())).collect()
}

/// Refuses what no start may follow, read or wait for: a symbolic link, a FIFO, a device, a socket
/// or a directory at a name of cutover's, or at that of a companion.
pub(super) fn refuse_irregular(observation: &Observation) -> Result<(), ObserveError> {
    match observation.irregular.first_key_value() {
        None => Ok(()),
        Some((at, kind)) => {
            let fault = OpError::new(OpErrorKind::Irregular, kind.clone());
            Err(ObserveError::OpError(fault.of(at.clone())))
        }
    }
}

/// What is not a regular file, and has a name of cutover's or a companion's.
pub(super) fn irregular(place: &Paths, observation: &Observation) -> BTreeMap<PlanPath, String> {
    // cutover neither makes, opens nor needs a sidecar of a backup.
    let is_ours = |name: &&FileName| {
        !matches!(
            Role::of(&place.canonical, name),
            Some(Role::Sidecar(of)) if matches!(*of, Role::Backup { .. } | Role::Displaced(_))
        )
    };
    let ours = observation.files.keys().filter(is_ours).map(PlanPath::from);
    let of_companions = observation.companions.iter().flat_map(|(companion, facts)| {
        let names = facts
            .present
            .iter()
            .filter(|name| CompanionRole::of(&facts.file, name).is_some())
            .chain([&facts.file]);
        names.map(|name| PlanPath { companion: Some(companion.clone()), name: name.clone() })
    });
    let kind = |at: PlanPath| {
        let error = os::regular_or_missing(&place.at(&at)?).err()?;
        Some((at, error.to_string()))
    };
    ours.chain(of_companions).filter_map(kind).chain(place.dangling_companion()).collect()
}

/// Whether canonical can have a hard link. It gets one for an instant, under a name that a start
/// without a journal removes.
pub(crate) fn can_link(place: &Paths, name: &FileName) -> bool {
    let second = place.path(name);
    match std::fs::hard_link(place.path(&place.canonical), &second) {
        Ok(()) => {
            // If it stays, it disturbs nothing.
            let _ = std::fs::remove_file(second);
            true
        }
        Err(error) => !os::says_no_links(&error),
    }
}
