//! Observes the database's directory. Nothing is changed, but a hot journal may be rolled back and
//! a log emptied.

mod companions;
mod detect;
mod directory;
mod glance;

use cutover_core::{
    Failure, Observation, Op, OpError, OpErrorKind, Retry, Verdict, may_open_canonical,
    must_empty_log,
};

use crate::error::HostError;
use crate::holders::{Seen, own};
use crate::host::Host;
use crate::place::Paths;
use crate::reader::Reader;
use crate::types::{Detect, Unseen};
use crate::{os, sqlite};

pub(crate) use detect::verdict;
use detect::verdict_by;
pub(crate) use directory::{can_link, receipts, text, unopened};
use directory::{irregular, look_at, refuse_irregular};
use glance::glance;

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
/// v2, or there is something to recover. `own`: who of this process has the set open, just asked.
pub(crate) fn observe(
    place: &Paths,
    own: Seen,
    detect: Option<&Detect>,
    unseen: Unseen,
    host: &mut dyn Host,
) -> Result<Observation, ObserveError> {
    let glance = glance(place, told(place, own, unseen)?, detect.is_some())?;
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
fn told(place: &Paths, mut seen: Seen, unseen: Unseen) -> Result<Seen, ObserveError> {
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
    let files = place.set(&place.canonical);
    let own = told(place, own(&files), unseen)?;
    let opens = own.may_open();
    let mut seen = own.with_others(&files);
    if unseen == Unseen::Proceed {
        seen.unknown = None;
    }
    let mut observation = look_at(place, seen, opens)?;
    observation.irregular = irregular(place, &observation);
    refuse_irregular(&observation)?;
    Ok(observation)
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
