//! What a start does about a journal that it finds: the recovery table, rule by rule.
//!
//! | seen, in this order | do |
//! | --- | --- |
//! | no journal | remove a left-over temporary journal; nothing else |
//! | Windows: `built`, canonical is v2 as it was built, v1 changed in the backup | put v1 back, undo, and build again |
//! | canonical is v2 | forward: commit, companions, clean up; nothing is ever undone from here. Without a backup another program installed this v2: clean up |
//! | `building` | undo |
//! | `built`, v1 unchanged, v2's file there | continue the flip from the first step that is not visible; undo if a check fails |
//! | `built`, v1 changed, or v2's file missing | undo, and build again |
//! | `installing` | canonical was opened through SQLite: v2 forward; v1 unchanged, v2's file there and room for it: page-copy again; else undo |
//! | another label's, `building` or `built` | canonical is v2: forward; v1, and nothing of that release is needed: undo; else refuse, and name the label |
//! | a restore's, `building`, or canonical is still v2 | undo: v2 stays |
//! | a restore's, `installing` | canonical was opened through SQLite, and its header tells whether it is still v2, or v1 |
//! | a restore's, canonical is v1 | forward: companions, commit, clean up |
//! | the legacy journal's `canonical-moved` | install the checked staging, or move the backup back; replace no other program's file |
//! | unreadable journal, canonical whole | set the journal aside, continue |
//! | unreadable journal, no whole canonical | refuse, touch nothing, name the candidates |
//!
//! Every plan begins with a directory fsync: directory entries that a start sees may not be durable
//! yet, and a step that relies on them could reach the disk first.
//!
//! The rules about one journal are `RecoveryRule` and `LegacyRule`, tried in the order of
//! `IN_ORDER`; the explorer tries every pair in the other order.

mod other_label;
mod ours;
mod restore;

pub(super) use other_label::refuse as refuse_other_label;
pub use ours::{RecoveryRule, may_open_canonical};
pub(crate) use restore::right as right_restore;
pub use restore::{is_in_place, must_empty_log, recover_before_restore};

use super::leave::leave_moved;
use super::legacy::{self, LegacyJournal, LegacyRule};
use super::refuse::{candidates, refuse_missing, refuse_unread};
use super::steps::{FLUSH, stray_journal_tmps};
use super::{Plan, PlanKind, flush, step};
use crate::failure::{Code, Failure};
use crate::journal::{Journal, Phase, ReadError};
use crate::names::{FileName, Label, Nonce, journal_aside_name, legacy_journal_name};
use crate::observe::Observation;
use crate::op::Op;

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

/// The rules, in the order in which they are tried: the first that fits is what is done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecoveryTable {
    /// Whether the legacy journal is read before ours.
    pub legacy_first: bool,
    /// About a journal of ours.
    pub ours: [RecoveryRule; 7],
    /// About the legacy journal.
    pub legacy: [LegacyRule; 7],
}

impl Default for RecoveryTable {
    fn default() -> Self {
        Self { legacy_first: true, ours: RecoveryRule::IN_ORDER, legacy: LegacyRule::IN_ORDER }
    }
}

/// Which journals.
pub(super) type Counts<'a> = &'a dyn Fn(&FileName) -> bool;

/// [`plan_recovery`] of these journals alone, and by a table that may be in another order: the
/// explorer shows that the order matters.
pub(super) fn by(
    table: &RecoveryTable,
    observation: &Observation,
    counts: Counts,
    label: &Label,
    nonce: &Nonce,
) -> Result<Option<Plan>, Failure> {
    let canonical = &observation.canonical;
    // Where both journals exist, an old release began its own upgrade over ours, and what it moved
    // must be back before ours can be judged: the legacy journal comes first. Unless ours took over
    // its nonce and what it has to undo: then it comes last, for only its file is left.
    let legacy = legacy_journal_name(canonical);
    let legacy_first = table.legacy_first != legacy::is_taken_over(observation);
    let first = observation
        .journals
        .keys()
        .filter(|name| counts(name))
        .min_by_key(|name| (**name != legacy) == legacy_first);
    let Some(name) = first else { return Ok(remove_tmps(observation)) };
    let Some(text) = observation.journals.get(name).and_then(Option::as_deref) else {
        return unreadable(observation, name, nonce, "it cannot be read as text").map(Some);
    };
    if *name == legacy {
        return match LegacyJournal::parse(text, canonical) {
            Ok(journal) => legacy::plan(&table.legacy, observation, &journal).map(Some),
            Err(error) => unusable(observation, name, nonce, &error).map(Some),
        };
    }
    match Journal::parse(text, canonical) {
        Ok(journal) if journal.file() != *name => {
            let why = format!("label {} does not belong in a file of this name", journal.label);
            let error = ReadError::Contradiction(why);
            unusable(observation, name, nonce, &error).map(Some)
        }
        // It needs nothing of the application, so any start may end it.
        Ok(journal) if journal.strategy.restores() => of_restore(observation, journal).map(Some),
        Ok(journal) if journal.label != *label && journal.phase != Phase::Committed => {
            other_label::plan(observation, journal).map(Some)
        }
        Ok(journal) => ours::plan(&table.ours, observation, journal).map(Some),
        Err(error) => unusable(observation, name, nonce, &error).map(Some),
    }
}

/// Whether any journal of ours is such a one.
pub(super) fn any_of_ours(observation: &Observation, is: &dyn Fn(&Journal) -> bool) -> bool {
    let mut ours = observation
        .journals
        .values()
        .flatten()
        .filter_map(|text| Journal::parse(text, &observation.canonical).ok());
    ours.any(|journal| is(&journal))
}

fn of_restore(observation: &Observation, mut journal: Journal) -> Result<Plan, Failure> {
    leave_moved(observation, &mut journal);
    match observation.canonical_facts() {
        None => return Err(refuse_missing(observation, &journal)),
        // Its header tells what was copied into it.
        Some(facts) if journal.strategy.copies_pages() && facts.header.is_none() => {
            return Err(refuse_unread(observation));
        }
        Some(_) => {}
    }
    Ok(restore::plan(observation, journal))
}

fn remove_tmps(observation: &Observation) -> Option<Plan> {
    let files = stray_journal_tmps(&observation.canonical, observation.files.keys());
    if files.is_empty() {
        return None;
    }
    let steps = vec![
        flush(FLUSH),
        step(
            Op::Remove { files },
            "a start or an adoption was interrupted while it wrote this; nothing needs it",
        ),
        flush("the file must be gone for good"),
    ];
    Some(Plan {
        cleanup_from: Some(0),
        ..Plan::new(PlanKind::Clean, observation.platform, None, steps)
    })
}

/// A newer version is refused in any case: the newer release can continue with it. Any other
/// journal that cannot be used is as good as unreadable.
fn unusable(
    observation: &Observation,
    name: &FileName,
    nonce: &Nonce,
    error: &ReadError,
) -> Result<Plan, Failure> {
    if let ReadError::TooNew { .. } = error {
        return Err(Failure::refusal(
            Code::Newer,
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
    let aside = journal_aside_name(name, nonce);
    let steps = vec![
        flush(FLUSH),
        step(
            Op::Rename { from: name.into(), to: (&aside).into() },
            &format!(
                "the journal cannot be used ({why}) and the database is whole; left-over files \
                 are reported, and none is removed"
            ),
        ),
        flush("the journal must be set aside for good"),
    ];
    Ok(Plan::new(PlanKind::SetAside, observation.platform, None, steps))
}
