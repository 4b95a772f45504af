//! The refusals that several plans share. Each comes before any file is touched.

use crate::count::counted;
use crate::failure::{Code, Failure};
use crate::fault::{OpError, OpErrorKind};
use crate::journal::Journal;
use crate::names::{FileName, Role};
use crate::observe::Observation;

/// Refuses what is not a regular file at a name of cutover's or of a companion's. No start follows,
/// reads or waits for it.
///
/// # Errors
/// `IO`, with its kind and name.
pub fn refuse_irregular(observation: &Observation) -> Result<(), Failure> {
    let Some((at, kind)) = observation.irregular.first_key_value() else { return Ok(()) };
    let fault = OpError::new(OpErrorKind::Irregular, kind.clone()).of(at.clone());
    Err(Failure::from_fault(&fault, "look", false))
}

/// Refuses while this process has the set open.
pub(super) fn refuse_held(observation: &Observation) -> Result<(), Failure> {
    let canonical = &observation.canonical;
    if observation.holders.iter().any(|holder| holder.this_process)
        && !observation.held_on_windows()
    {
        let failure = Failure::refusal(
            Code::Held,
            "this process has the database open, and opening it again here would drop that \
             connection's locks",
            "close the connection (and let it be collected) before the upgrade",
        );
        return Err(failure.of(canonical).untouched(canonical).held_by(&observation.holders));
    }
    Ok(())
}

/// Refuses where a program that has the database open would not be seen.
pub(super) fn refuse_unseen(observation: &Observation) -> Result<(), Failure> {
    let Some(why) = &observation.holders_unknown else { return Ok(()) };
    Err(Failure::unseen(&observation.canonical, why).held_by(&observation.holders))
}

/// Refuses where a program that Windows names has the database open: pages are copied into it only
/// beside a connection of this process, or of a program that has no name.
pub(super) fn refuse_other_programs(observation: &Observation) -> Result<(), Failure> {
    let others = observation.other_holders();
    if !observation.held_on_windows() || others.is_empty() {
        return Ok(());
    }
    let hint = "close that program and start again";
    Err(Failure::refusal(Code::Held, "another program has the database open", hint)
        .of(&observation.canonical)
        .untouched(&observation.canonical)
        .held_by(&others))
}

/// The refusal to touch a backup beside this journal.
pub(super) fn refuse_unfinished(journal: &FileName) -> Failure {
    let reason = "an upgrade or a restore is not finished, and may need any backup";
    let hint = "finish it first: start the application, or recover";
    Failure::refusal(Code::Journal, reason, hint).of(journal)
}

/// Refuses where the volume has not the room. `what`: the upgrade, or the restore.
pub(super) fn refuse_full(
    observation: &Observation,
    needs_bytes: u64,
    what: &str,
    hint: &str,
) -> Result<(), Failure> {
    let Some(free) = observation.free_bytes.filter(|free| *free < needs_bytes) else {
        return Ok(());
    };
    let needs = counted(needs_bytes, "byte");
    let reason = format!("{what} {needs} of disk; free: {}", counted(free, "byte"));
    let hint = format!("free {} on this volume and {hint}", counted(needs_bytes - free, "byte"));
    Err(Failure::refusal(Code::NoSpace, reason, hint).of(&observation.canonical))
}

/// The database is missing beside a journal.
pub(super) fn refuse_missing(observation: &Observation, journal: &Journal) -> Failure {
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

/// SQLite cannot read canonical beside a journal: it may be the user's v2, or v1.
pub(super) fn refuse_unread(observation: &Observation) -> Failure {
    Failure::refusal(
        Code::V1Corrupt,
        "an upgrade was interrupted, and SQLite cannot read the database now",
        format!("look at {} and restore a whole database from there", candidates(observation)),
    )
    .of(&observation.canonical)
}

/// Every file that may hold the user's data, for a person to choose from.
pub(super) fn candidates(observation: &Observation) -> String {
    let holds_rows = |name: &&FileName| {
        Role::of(&observation.canonical, name).is_some_and(|role| role.may_hold_rows())
    };
    let names: Vec<&str> =
        observation.files.keys().filter(holds_rows).map(FileName::as_str).collect();
    if names.is_empty() {
        "your own backups (none is in this directory)".to_owned()
    } else {
        names.join(", ")
    }
}
