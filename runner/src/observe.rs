//! Observes the database's directory. Nothing is changed, but a hot journal may be rolled back and
//! a log emptied.

use std::collections::BTreeMap;
use std::path::Path;

use cutover_core::{
    CompanionFacts, CompanionRole, Failure, FileFacts, FileName, MAX_JOURNAL_BYTES, Observation,
    Op, OpError, OpErrorKind, PlanPath, Receipts, ReplaceBlocker, Retry, Role, Verdict,
    legacy_backup, may_open_canonical, must_empty_log,
};

use crate::error::HostError;
use crate::holders::{Seen, own};
use crate::host::Host;
use crate::place::Paths;
use crate::reader::Reader;
use crate::types::{Detect, Unseen};
use crate::{os, sqlite};

/// Why an observation could not be made.
pub(crate) enum ObserveError {
    /// The operating system or SQLite reported an error.
    OpError(OpError),
    /// The application's `detect` failed.
    Host(HostError),
    /// The application's `detect` failed, and its reader met damage of the database.
    Damaged(OpError, HostError),
    /// No file may be opened.
    Refused(Box<Failure>),
}

impl ObserveError {
    pub(crate) fn into_failure(self, place: &Paths) -> Failure {
        let fault = match self {
            Self::OpError(fault) | Self::Damaged(fault, _) => fault,
            Self::Host(error) => OpError::new(OpErrorKind::Host, error.to_string()),
            Self::Refused(failure) => return place.locate(*failure),
        };
        let op = Op::Look { file: place.canonical.clone() };
        let no_space = fault.class(os::PLATFORM, op.is_sync()) == Retry::NoSpace;
        place.locate(Failure::from_fault(&fault, op.name(), no_space))
    }
}

impl From<OpError> for ObserveError {
    fn from(fault: OpError) -> Self {
        Self::OpError(fault)
    }
}

fn io(error: &std::io::Error) -> ObserveError {
    ObserveError::OpError(sqlite::os_fault(error))
}

/// Observes the directory once. Open handles of this process are checked first: on POSIX no file of
/// the set is opened while this process has it open, because closing it drops the process's locks.
/// Other processes are asked about only where a plan may follow, which is where canonical is not
/// v2, or there is something to recover.
pub(crate) fn observe(
    place: &Paths,
    detect: Option<&Detect>,
    unseen: Unseen,
    host: &mut dyn Host,
) -> Result<Observation, ObserveError> {
    let glance = glance(place, detect.is_some(), unseen)?;
    let (glanced, verdict) = match glance {
        None => (None, None),
        Some(mut glance) => {
            let verdict = ask(place, &glance, detect, host)?;
            if verdict == Some(Verdict::Current) {
                glance.verdict = verdict;
                return Ok(glance);
            }
            (glance.files.remove(&place.canonical), verdict)
        }
    };
    let mut observation = look_before_a_plan(place, unseen)?;
    let held = || holds(&observation);
    let canonical = place.path(&place.canonical);
    // A hot journal is rolled back before anything is judged, because until then the file alone
    // does not tell what the database holds.
    if !held()
        && sqlite::has_journal(&canonical)
        && observation.canonical_facts().is_some()
        && may_open_canonical(&observation)
    {
        match sqlite::roll_back(&canonical) {
            // A file that SQLite cannot read is judged below.
            Ok(())
            | Err(OpError { cause: OpErrorKind::NotADatabase | OpErrorKind::V1Corrupt, .. }) => {}
            Err(fault) => return Err(fault.of(&place.canonical).into()),
        }
        observation = look_before_a_plan(place, unseen)?;
    }
    if must_empty_log(&observation) && !holds(&observation) {
        let emptied = sqlite::open_existing(&canonical).and_then(|db| sqlite::empty_log(&db));
        emptied.map_err(|fault| fault.of(&place.canonical))?;
        observation = look_before_a_plan(place, unseen)?;
    }
    let is_as_glanced = || {
        let facts = observation.canonical_facts();
        facts.zip(glanced.as_ref()).is_some_and(|(now, then)| {
            (&now.file_id, now.size, &now.header) == (&then.file_id, then.size, &then.header)
        })
    };
    observation.verdict = if holds(&observation) {
        None
    } else if is_as_glanced() {
        verdict
    } else {
        ask(place, &observation, detect, host)?
    };
    Ok(observation)
}

/// Whether this process has the set open, where no file of it may be opened then.
fn holds(observation: &Observation) -> bool {
    os::OPENING_DROPS_LOCKS && observation.holders.iter().any(|holder| holder.this_process)
}

/// What `detect` says of canonical. `None` where it is not a database, or not to be opened.
fn ask(
    place: &Paths,
    observation: &Observation,
    detect: Option<&Detect>,
    host: &mut dyn Host,
) -> Result<Option<Verdict>, ObserveError> {
    let header = observation.canonical_facts().and_then(|facts| facts.header.as_ref());
    let (Some(detect), Some(header)) = (detect, header) else { return Ok(None) };
    if !may_open_canonical(observation) {
        return Ok(None);
    }
    let path = place.path(&place.canonical);
    let reader = Reader::open_in(&path, Some(header.journal_mode));
    verdict_by(reader, &path, detect, host).map_err(|blind| match blind {
        ObserveError::OpError(fault) => ObserveError::OpError(fault.of(&place.canonical)),
        ObserveError::Damaged(fault, error) => {
            ObserveError::Damaged(fault.of(&place.canonical), error)
        }
        blind => blind,
    })
}

/// The handles of this process. On POSIX it is an error where these cannot be told: then nothing
/// may be opened.
fn own_handles(place: &Paths, unseen: Unseen) -> Result<Seen, ObserveError> {
    let mut seen = own(&place.set(&place.canonical));
    if unseen == Unseen::Proceed {
        seen.unknown = None;
    }
    match &seen.unknown {
        Some(why) if os::OPENING_DROPS_LOCKS => {
            Err(ObserveError::Refused(Box::new(Failure::unseen(&place.canonical, why))))
        }
        _ => Ok(seen),
    }
}

/// Everything that a plan is made from.
fn look_before_a_plan(place: &Paths, unseen: Unseen) -> Result<Observation, ObserveError> {
    let own = own_handles(place, unseen)?;
    let opens = own.may_open();
    let mut seen = own.with_others(&place.set(&place.canonical));
    if unseen == Unseen::Proceed {
        seen.unknown = None;
    }
    let mut observation = look_at(place, seen, opens)?;
    observation.irregular = irregular(place, &observation);
    refuse_irregular(&observation)?;
    Ok(observation)
}

/// What a start that has nothing to do needs to know: canonical, its log, and that no name in the
/// directory asks for a recovery. An upgrade of another label is found by its journal's name alone,
/// so the names are listed. `None` where there is more to see: an open handle, a journal or what one
/// left, a rollback journal, no database, or a name of ours that is not a regular file's.
fn glance(
    place: &Paths,
    detects: bool,
    unseen: Unseen,
) -> Result<Option<Observation>, ObserveError> {
    let seen = own_handles(place, unseen)?;
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

/// Refuses what no start may follow, read or wait for: a symbolic link, a FIFO, a device, a socket
/// or a directory at a name of cutover's, or at that of a companion.
fn refuse_irregular(observation: &Observation) -> Result<(), ObserveError> {
    match observation.irregular.first_key_value() {
        None => Ok(()),
        Some((at, kind)) => {
            let fault = OpError::new(OpErrorKind::Irregular, kind.clone());
            Err(ObserveError::OpError(fault.of(at.clone())))
        }
    }
}

/// What is not a regular file, and has a name of cutover's or a companion's.
fn irregular(place: &Paths, observation: &Observation) -> BTreeMap<PlanPath, String> {
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

/// Observes everything but what `detect` says.
pub(crate) fn look(place: &Paths) -> Result<Observation, ObserveError> {
    let files = place.set(&place.canonical);
    let own = own(&files);
    let opens = own.may_open();
    let mut observation = look_at(place, own.with_others(&files), opens)?;
    observation.irregular = irregular(place, &observation);
    Ok(observation)
}

/// Observes names, sizes and journals, without opening any database and without asking who has it
/// open.
pub(crate) fn survey(place: &Paths) -> Result<Observation, ObserveError> {
    look_at(place, Seen::default(), false)
}

fn blank(place: &Paths, seen: Seen) -> Observation {
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

fn look_at(place: &Paths, seen: Seen, opens: bool) -> Result<Observation, ObserveError> {
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
    if let Some((companion, backup)) = legacy_backup(&observation)
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
    Ok(observation)
}

/// Whether a file may not be read, and waiting does not change that.
fn is_another_users(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::PermissionDenied
        && sqlite::os_fault(error).class(os::PLATFORM, false) != Retry::Transient
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

/// Size and identity of a file, without opening it.
pub(crate) fn unopened(path: &Path) -> std::io::Result<FileFacts> {
    let metadata = std::fs::symlink_metadata(path)?;
    // On Windows a directory has size 0, and must not look like an empty database.
    let size = if metadata.is_dir() { metadata.len().max(1) } else { metadata.len() };
    Ok(FileFacts { size, file_id: os::file_id(path)?, header: None, page1: None })
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

/// The text of each receipt.
pub(crate) fn receipts(place: &Paths, observation: &Observation) -> Receipts {
    let names = observation
        .files
        .keys()
        .filter(|name| Role::of(&place.canonical, name) == Some(Role::Receipt));
    // A receipt that this user may not read makes its own backup not whole, and no other.
    names.map(|name| (name.clone(), text(&place.path(name)).ok().flatten())).collect()
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

/// What `detect` says. `None` if the file is not a database or is damaged. Any other error of
/// SQLite's is an error.
pub(crate) fn verdict(
    path: &Path,
    detect: &Detect,
    host: &mut dyn Host,
) -> Result<Option<Verdict>, ObserveError> {
    verdict_by(Reader::open(path), path, detect, host)
}

fn verdict_by(
    reader: Result<Reader, OpError>,
    path: &Path,
    detect: &Detect,
    host: &mut dyn Host,
) -> Result<Option<Verdict>, ObserveError> {
    let unreadable = |fault: OpError| match fault.cause {
        OpErrorKind::NotADatabase | OpErrorKind::V1Corrupt => Ok(None),
        _ => Err(ObserveError::OpError(fault)),
    };
    let db = match reader {
        Ok(db) => db,
        Err(fault) => return unreadable(fault),
    };
    let of_reading =
        |error: &rusqlite::Error| sqlite::fault_of_reading(path, error, Some(&db.connection));
    // SQLite opens lazily: only a read finds that the file is not a database.
    if let Err(error) = db
        .connection
        .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))
    {
        return unreadable(of_reading(&error));
    }
    match sqlite::detect(&db.connection, detect) {
        Ok(Some(verdict)) => Ok(Some(verdict)),
        Ok(None) => match (host.detect(&db), db.met(), db.damage()) {
            // If it met another program's lock, the answer says nothing, whatever it is.
            (_, Some(fault), _) => Err(ObserveError::OpError(fault)),
            (verdict, None, None) => verdict.map(Some).map_err(ObserveError::Host),
            // What it made of a part does not count.
            (Ok(_), None, Some(_)) => Ok(None),
            (Err(error), None, Some(damage)) => {
                let text = format!("the database is damaged: {damage}");
                Err(ObserveError::Damaged(OpError::new(OpErrorKind::V1Corrupt, text), error))
            }
        },
        Err(error) => unreadable(of_reading(&error)),
    }
}
