//! What a start does about a journal that it finds: the recovery table of the design, row by row.
//!
//! | seen, in this order | do |
//! | --- | --- |
//! | no journal | remove a left-over journal tmp; nothing else |
//! | Windows: `built`, canonical is v2 as it was built, v1 changed in the backup | put v1 back, undo, and build anew |
//! | canonical is v2 | forward: commit, companions, clean up; nothing is ever undone from here. Without a backup it is somebody else's v2: clean up |
//! | `building` | undo |
//! | `built`, v1 unchanged, v2's file there | go on with the flip from the first step that is not visible; undo if a check fails |
//! | `built`, v1 changed, or v2's file missing | undo, and build anew |
//! | `installing` | canonical was opened through SQLite: v2 forward; v1 unchanged, v2's file there and room for it: page-copy again; else undo |
//! | a restore's, `building`, or canonical is still v2 | undo: v2 stays |
//! | a restore's, `installing` | canonical was opened through SQLite, and its header tells whether it is still v2, or v1 |
//! | a restore's, canonical is v1 | forward: companions, commit, clean up |
//! | the field's `canonical-moved` | install the verified staging, or move the backup back; over nobody's file |
//! | unreadable journal, canonical whole | set the journal aside, go on |
//! | unreadable journal, no whole canonical | refuse, touch nothing, name the candidates |
//!
//! Every plan begins by flushing the directory: what is visible need not be durable, and acting on
//! it could outrun it.
//!
//! The rows about one journal are `RecoveryRule` and `LegacyRule`, tried in the order of
//! `IN_ORDER`; the explorer tries every two in the other order.

mod field;
mod ours;
mod restore;

pub use field::LegacyRule;
pub(super) use ours::is_staged;
pub use ours::{RecoveryRule, may_open_canonical};
pub(super) use restore::{Canonical as CanonicalOfRestore, recovery as recovery_of_restore};
pub use restore::{is_in_place, must_empty_log};

use super::parts::{companion_names, stray_journal_tmps};
use super::{Plan, PlanKind, VERSION, step};
use crate::failure::{Code, Failure};
use crate::journal::field::LegacyJournal;
use crate::journal::{Companion, Journal, Phase, ReadError, Warning, WarningFrom};
use crate::names::{FileName, Label, Nonce, Role, journal_aside, legacy_journal};
use crate::observe::Observation;
use crate::op::{Op, Step};

const FLUSH: &str = "what is visible need not be durable; nothing may act on it before it is";

/// Plans what must be done before anything else. Nothing: there is no journal and no trace of one.
///
/// `nonce` names what has to be set aside.
///
/// # Errors
/// When a journal cannot be used and canonical is not whole, or another upgrade is unfinished.
/// Nothing was touched.
pub fn plan_recovery(
    observation: &Observation,
    label: &Label,
    nonce: &Nonce,
) -> Result<Option<Plan>, Failure> {
    by(&RecoveryTable::default(), observation, &|_| true, label, nonce)
}

/// The rows, in the order in which they are tried: the first that fits is what is done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecoveryTable {
    /// Whether the field's journal is read before ours.
    pub legacy_first: bool,
    /// About a journal of ours.
    pub ours: [RecoveryRule; 7],
    /// About the field's.
    pub field: [LegacyRule; 7],
}

impl Default for RecoveryTable {
    fn default() -> Self {
        Self { legacy_first: true, ours: RecoveryRule::IN_ORDER, field: LegacyRule::IN_ORDER }
    }
}

/// Which journals.
pub(super) type Counts<'a> = &'a dyn Fn(&FileName) -> bool;

/// The same, of these journals alone, and by a table in another order: the explorer shows that the
/// order matters.
pub(super) fn by(
    table: &RecoveryTable,
    observation: &Observation,
    counts: Counts,
    label: &Label,
    nonce: &Nonce,
) -> Result<Option<Plan>, Failure> {
    let canonical = &observation.canonical;
    // The field's journal first: where both exist, an old release began its own upgrade over ours,
    // and what it moved must be back before ours can be judged. Unless ours took its undo over,
    // and its nonce: then it is all that is left of the field's.
    let field = legacy_journal(canonical);
    let legacy_first = table.legacy_first != took_over(observation);
    let first = observation
        .journals
        .keys()
        .filter(|name| counts(name))
        .min_by_key(|name| (**name != field) == legacy_first);
    let Some(name) = first else { return Ok(clean_tmps(observation)) };
    let Some(text) = observation.journals.get(name).and_then(Option::as_deref) else {
        return unreadable(observation, name, nonce, "it cannot be read as text").map(Some);
    };
    if *name == field {
        return match LegacyJournal::parse(text, canonical) {
            Ok(journal) => field::plan(&table.field, observation, &journal).map(Some),
            Err(error) => unusable(observation, name, nonce, &error).map(Some),
        };
    }
    match Journal::parse(text, canonical) {
        Ok(journal) if journal.file() != *name => {
            let error = ReadError::Contradiction(format!(
                "label {} does not belong in a file of this name",
                journal.label
            ));
            unusable(observation, name, nonce, &error).map(Some)
        }
        // It needs nothing of the application, so any start may end it.
        Ok(journal) if journal.strategy.restores() => of_restore(observation, journal).map(Some),
        Ok(journal) if journal.label != *label && journal.phase != Phase::Committed => {
            Err(Failure::refusal(
                Code::Journal,
                format!(
                    "another upgrade of this database ({}) was interrupted and is not finished",
                    journal.label
                ),
                "start the release of the application that began it",
            )
            .of(name))
        }
        Ok(journal) => ours::plan(&table.ours, observation, journal).map(Some),
        Err(error) => unusable(observation, name, nonce, &error).map(Some),
    }
}

/// The nonce of the field's journal.
pub(super) fn nonce_of_legacy(observation: &Observation) -> Option<Nonce> {
    let text = observation.journals.get(&legacy_journal(&observation.canonical))?.as_deref()?;
    LegacyJournal::parse(text, &observation.canonical).ok().map(|journal| journal.nonce)
}

/// Whether one of our journals has it.
pub(super) fn took_over(observation: &Observation) -> bool {
    nonce_of_legacy(observation)
        .is_some_and(|nonce| any_of_ours(observation, &|journal| journal.nonce == nonce))
}

/// Whether one of our journals is so.
pub(super) fn any_of_ours(observation: &Observation, is: &dyn Fn(&Journal) -> bool) -> bool {
    let mut ours = observation
        .journals
        .values()
        .flatten()
        .filter_map(|text| Journal::parse(text, &observation.canonical).ok());
    ours.any(|journal| is(&journal))
}

fn of_restore(observation: &Observation, mut journal: Journal) -> Result<Plan, Failure> {
    keep_declared(observation, &mut journal);
    match observation.canonical_facts() {
        None => return Err(refuse_missing(observation, &journal)),
        // What was copied into it is told by its header.
        Some(facts) if journal.strategy.copies_pages() && facts.header.is_none() => {
            return Err(refuse_unread(observation));
        }
        Some(_) => {}
    }
    Ok(restore::plan(observation, journal))
}

/// A companion that is not declared where it was has no directory here: leave it, and say so. Gives
/// those.
fn keep_declared(observation: &Observation, journal: &mut Journal) -> Vec<Companion> {
    let (declared, left) = std::mem::take(&mut journal.companions)
        .into_iter()
        .partition(|companion| observation.declares(companion));
    journal.companions = declared;
    for companion in &left {
        let now: Vec<&str> = observation
            .companions
            .get(&companion.name)
            .iter()
            .map(|seen| seen.path.as_str())
            .collect();
        journal.warn(undeclared(companion.name.as_str(), &companion.path, &now));
    }
    left
}

/// Flushes the database's directory, and those of the companions that the journal names.
pub(super) fn flush(journal: &Journal) -> Vec<Step> {
    let companions = journal.companions.iter().map(|companion| Some(companion.name.clone()));
    std::iter::once(None)
        .chain(companions)
        .map(|companion| step(Op::SyncDir { companion }, FLUSH))
        .collect()
}

fn clean_tmps(observation: &Observation) -> Option<Plan> {
    let files = stray_journal_tmps(&observation.canonical, observation.files.keys());
    if files.is_empty() {
        return None;
    }
    let steps = vec![
        step(Op::SyncDir { companion: None }, FLUSH),
        step(
            Op::Remove { files },
            "a start was killed while it wrote its first journal; nothing else was begun",
        ),
        step(Op::SyncDir { companion: None }, "removed for good"),
    ];
    Some(plan_of(observation, PlanKind::Clean, None, steps, None, Some(0), Vec::new()))
}

/// A newer version is refused in any case: the newer release can go on with it. Anything else is as
/// good as unreadable.
fn unusable(
    observation: &Observation,
    name: &FileName,
    nonce: &Nonce,
    error: &ReadError,
) -> Result<Plan, Failure> {
    if let ReadError::TooNew { .. } = error {
        return Err(Failure::refusal(
            Code::Journal,
            format!("the journal of an interrupted upgrade cannot be used: {error}"),
            "nothing was touched",
        )
        .of(name));
    }
    unreadable(observation, name, nonce, &error.to_string())
}

fn unreadable(
    observation: &Observation,
    name: &FileName,
    nonce: &Nonce,
    why: &str,
) -> Result<Plan, Failure> {
    if observation.verdict.is_none() {
        return Err(Failure::refusal(
            Code::Journal,
            format!(
                "the journal of an interrupted upgrade cannot be used ({why}), and {} is not whole",
                observation.canonical
            ),
            format!(
                "nothing was touched; choose a whole database among {} and rename it to {}, then \
                 remove the journal",
                candidates(observation),
                observation.canonical
            ),
        )
        .of(name));
    }
    let aside = journal_aside(name, nonce);
    let steps = vec![
        step(Op::SyncDir { companion: None }, FLUSH),
        step(
            Op::Rename { from: name.into(), to: (&aside).into() },
            &format!(
                "the journal cannot be used ({why}) and canonical is whole; left-overs are \
                 reported, none is removed"
            ),
        ),
        step(Op::SyncDir { companion: None }, "set aside for good"),
    ];
    Ok(plan_of(observation, PlanKind::SetAside, None, steps, None, None, Vec::new()))
}

fn refuse_missing(observation: &Observation, journal: &Journal) -> Failure {
    Failure::refusal(
        Code::Journal,
        format!(
            "an upgrade was interrupted ({}), and the database itself is missing",
            journal.phase.as_str()
        ),
        format!(
            "nothing was touched; choose a whole database among {} and rename it to {}",
            candidates(observation),
            observation.canonical
        ),
    )
    .of(&observation.canonical)
}

/// Every file that may hold the user's data, for a person to choose from.
#[must_use]
pub(crate) fn candidates(observation: &Observation) -> String {
    let names: Vec<&str> = observation
        .files
        .keys()
        .filter(|name| {
            matches!(
                Role::of(&observation.canonical, name),
                Some(
                    Role::Backup { .. }
                        | Role::Staging(_)
                        | Role::Install(_)
                        | Role::Source(_)
                        | Role::Displaced(_)
                )
            )
        })
        .map(FileName::as_str)
        .collect();
    if names.is_empty() {
        "your own backups (none is in this directory)".to_owned()
    } else {
        names.join(", ")
    }
}

/// Whether what was displaced beside a companion is kept there already.
pub(super) fn kept(observation: &Observation, journal: &Journal, companion: &Companion) -> bool {
    let displaced = companion_names(journal, companion).displaced.name;
    observation
        .companions
        .get(&companion.name)
        .is_some_and(|seen| seen.present.contains(&displaced))
}

fn undeclared(companion: &str, path: &str, now: &[&str]) -> Warning {
    let now = if now.is_empty() { "nowhere".to_owned() } else { now.join(", ") };
    Warning {
        from: WarningFrom::Cutover,
        code: Some("COMPANION_MOVED".into()),
        message: format!(
            "the companion {companion} was at {path}, and is declared elsewhere now ({now}); both \
             were left alone"
        ),
    }
}

fn plan_of(
    observation: &Observation,
    kind: PlanKind,
    journal: Option<Journal>,
    steps: Vec<Step>,
    flip_at: Option<usize>,
    cleanup_from: Option<usize>,
    undo: Vec<Step>,
) -> Plan {
    let index = |at: Option<usize>| at.and_then(|at| u32::try_from(at).ok());
    Plan {
        version: VERSION,
        kind,
        platform: observation.platform,
        journal,
        steps,
        flip_at: index(flip_at),
        cleanup_from: index(cleanup_from),
        undo,
        needs_bytes: 0,
    }
}

/// SQLite cannot read canonical: it may be the user's v2, or v1.
fn refuse_unread(observation: &Observation) -> Failure {
    Failure::refusal(
        Code::V1Corrupt,
        "an upgrade was interrupted, and SQLite cannot read the database now",
        format!("look at {} and restore a whole database from there", candidates(observation)),
    )
    .of(&observation.canonical)
}
