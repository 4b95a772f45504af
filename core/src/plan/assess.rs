//! What a start has to do, from one observation.

use super::recover::{self, RecoveryTable, refuse_other_label};
use super::refuse::{refuse_held, refuse_unseen};
use super::{Plan, legacy};

use crate::failure::{Code, Failure};
use crate::names::{FileName, Label, Nonce, Role, legacy_journal_name};
use crate::observe::{Observation, Verdict};

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// An interrupted cutover comes first; then look again.
    Recover(Box<Plan>),
    /// There is no database.
    NoDatabase,
    /// Canonical is v2 already.
    Current,
    /// Canonical is a v1.
    Migrate,
}

/// Decides what comes next: first a recovery, then nothing or the migration.
///
/// # Errors
/// When no file may be touched: this process holds the set, the database is newer, damaged or not a
/// database, a journal cannot be used, or a recovery would not see which programs hold the set.
pub fn assess(observation: &Observation, label: &Label, nonce: &Nonce) -> Result<Next, Failure> {
    assess_by(&RecoveryTable::default(), observation, label, nonce)
}

/// [`assess`] by a recovery table in another order, which the explorer shows to be wrong.
///
/// # Errors
/// As [`assess`].
pub fn assess_by(
    table: &RecoveryTable,
    observation: &Observation,
    label: &Label,
    nonce: &Nonce,
) -> Result<Next, Failure> {
    refuse_held(observation)?;
    match recover::by(table, observation, &|_| true, label, nonce)? {
        Some(plan) => recovery(observation, plan),
        None => beside(observation),
    }
}

/// A recovery that looks for holders is refused where they are not seen. One that only removes what
/// a committed upgrade left does not look.
fn recovery(observation: &Observation, plan: Plan) -> Result<Next, Failure> {
    if plan.looks() {
        refuse_unseen(observation)?;
    }
    Ok(Next::Recover(Box::new(plan)))
}

/// Decides what comes after recoveries that could not remove every file. What they left waits for
/// the next start, and stops no start, with one exception: v1 is not migrated beside a journal that
/// the new upgrade does not take over. `undone`: the journals of which only the application's own
/// undo failed; empty where a file was left.
///
/// # Errors
/// As [`assess`].
pub fn assess_left(
    observation: &Observation,
    undone: &[FileName],
    label: &Label,
    nonce: &Nonce,
) -> Result<Next, Failure> {
    refuse_held(observation)?;
    // The application's own part in an upgrade with another label is left: that needs its release.
    for journal in undone {
        if let Some(Role::Journal(other)) = Role::of(&observation.canonical, journal)
            && other != *label
        {
            return Err(refuse_other_label(&other, journal).with_v1(&observation.canonical));
        }
    }
    // A legacy journal that one of ours took over says nothing more.
    let legacy = legacy_journal_name(&observation.canonical);
    let is_over = legacy::is_taken_over(observation);
    let counts = |name: &FileName| !(undone.contains(name) || is_over && *name == legacy);
    let other = observation.journals.keys().find(|name| counts(name));
    if other.is_some()
        && !undone.is_empty()
        && let Some(plan) =
            recover::by(&RecoveryTable::default(), observation, &counts, label, nonce)?
    {
        return recovery(observation, plan);
    }
    let next = beside(observation)?;
    match other {
        Some(journal) if next == Next::Migrate => Err(Failure::refusal(
            Code::Journal,
            "files that an earlier upgrade left could not be removed, so another one may not begin",
            "the warnings name each file and the reason; put them in order and start again",
        )
        .of(journal)),
        _ => Ok(next),
    }
}

/// What canonical is, without regard to journals.
fn beside(observation: &Observation) -> Result<Next, Failure> {
    let canonical = &observation.canonical;
    let refuse = |code: Code, reason: &str, hint: &str| {
        Err(Failure::refusal(code, reason, hint).of(canonical))
    };
    let [wal, _, hot] = canonical.sidecars();
    let sidecar_bytes = [wal, hot]
        .iter()
        .filter_map(|name| observation.files.get(name))
        .map(|facts| facts.size)
        .max()
        .unwrap_or(0);
    match observation.canonical_facts() {
        // A first start that was killed at once leaves an empty file; SQLite takes it for a new
        // database.
        facts if facts.is_none_or(|facts| facts.size == 0) => {
            if sidecar_bytes == 0 {
                return Ok(Next::NoDatabase);
            }
            refuse(
                Code::V1Corrupt,
                "the database is missing or empty beside a -wal or -journal that holds data, \
                 which SQLite would delete at the next open",
                "copy both files away, then restore the database from a backup",
            )
        }
        Some(facts) if facts.header.is_none() => Err(Failure::no_header(canonical)),
        _ => match observation.verdict {
            Some(Verdict::Old) => Ok(Next::Migrate),
            Some(Verdict::Current) => Ok(Next::Current),
            Some(Verdict::Newer) => refuse(
                Code::Newer,
                "a newer release of the application wrote this database",
                "start the newer release of the application",
            ),
            None => refuse(
                Code::V1Corrupt,
                "SQLite cannot read the database",
                "restore it from a backup, or recover it with sqlite3 .recover",
            ),
        },
    }
}
