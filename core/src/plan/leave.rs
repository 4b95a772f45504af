//! Companions that no plan can work on: they are declared elsewhere than they were, or no file can
//! replace them.
//!
//! A new upgrade, or a restore, refuses such a companion before it begins. A recovery does not stop
//! at one: it finishes or undoes the database, leaves the companion and its backup as they are, and
//! warns with both paths.

use super::steps::{companion_names, is_staged};
use crate::failure::{Code, Failure};
use crate::journal::{Companion, Journal, Warning, WarningFrom};
use crate::names::{CompanionName, FileName};
use crate::observe::{CompanionFacts, Observation};

const IRREPLACEABLE: &str = "COMPANION_IRREPLACEABLE";

/// Refuses to begin what may put another file in this companion's place, where no file can take it:
/// the database would be flipped, and no start could finish.
pub(super) fn refuse_irreplaceable(
    observation: &Observation,
    companion: &CompanionName,
) -> Result<(), Failure> {
    let Some(seen) = observation.companions.get(companion) else { return Ok(()) };
    let Some(blocker) = seen.irreplaceable else { return Ok(()) };
    let failure = Failure::refusal(Code::Io, "no file can replace this companion", blocker.hint());
    Err(Failure { path: Some(seen.path.clone()), ..failure })
}

/// Refuses to begin an upgrade with this companion, which an interrupted upgrade had at `was`.
pub(super) fn refuse_moved(name: &CompanionName, was: &str, now: &CompanionFacts) -> Failure {
    let failure = Failure::refusal(
        Code::Io,
        format!(
            "the companion {name} is declared here, and an interrupted upgrade had it at {was}"
        ),
        format!("declare {name} at {was} again, or put that file in order, and start again"),
    );
    Failure { path: Some(now.path.clone()), ..failure }
}

/// Leaves every companion that is not declared where it was: its directory is not known here.
pub(super) fn leave_moved(observation: &Observation, journal: &mut Journal) {
    let left = split_off(journal, |_, companion| !observation.declares(companion));
    for companion in &left {
        let now = observation.companions.get(&companion.name);
        let now: Vec<&str> = now.iter().map(|seen| seen.path.as_str()).collect();
        journal.warn(moved(companion.name.as_str(), &companion.path, &now));
    }
}

/// Leaves every companion that `replaces` says would be replaced, if no file can replace it. (Of a
/// plan that may still finish, its undo would replace them: a run warns of them only once it undoes
/// that plan.)
pub(super) fn leave_irreplaceable(
    observation: &Observation,
    journal: &mut Journal,
    replaces: impl Fn(&Journal, &Companion, &CompanionFacts) -> bool,
) {
    let left = split_off(journal, |journal, companion| {
        let seen = observation.companions.get(&companion.name);
        seen.is_some_and(|seen| seen.irreplaceable.is_some() && replaces(journal, companion, seen))
    });
    for companion in &left {
        let Some(seen) = observation.companions.get(&companion.name) else { continue };
        journal.warn(irreplaceable(journal, companion, seen));
    }
}

fn split_off(journal: &mut Journal, goes: impl Fn(&Journal, &Companion) -> bool) -> Vec<Companion> {
    let all = std::mem::take(&mut journal.companions);
    let (left, stay) = all.into_iter().partition(|companion| goes(journal, companion));
    journal.companions = stay;
    left
}

/// Whether the new content of a companion waits that no file can replace.
pub(super) fn waits_for_irreplaceable(observation: &Observation, journal: &Journal) -> bool {
    journal.companions.iter().any(|companion| {
        let seen = observation.companions.get(&companion.name);
        seen.is_some_and(|seen| seen.irreplaceable.is_some())
            && is_staged(observation, &journal.nonce, companion)
    })
}

/// The warning about a companion that is declared elsewhere now. `now`: where.
pub(super) fn moved(companion: &str, was: &str, now: &[&str]) -> Warning {
    let now = if now.is_empty() { "nowhere".to_owned() } else { now.join(", ") };
    let message = format!(
        "the companion {companion} was at {was}, and is declared elsewhere now ({now}); both were \
         left as they are; what an upgrade left beside {was} may be removed once nothing in it is \
         needed"
    );
    Warning { from: WarningFrom::Cutover, code: Some("COMPANION_MOVED".into()), message }
}

fn irreplaceable(journal: &Journal, companion: &Companion, seen: &CompanionFacts) -> Warning {
    let names = companion_names(journal, companion);
    let directory = seen.path.strip_suffix(seen.file.as_str()).unwrap_or_default();
    let there = |name: &FileName| seen.present.contains(name).then(|| format!("{directory}{name}"));
    let beside: Vec<String> =
        [names.backup.name, names.staged.name].iter().filter_map(there).collect();
    let beside = if beside.is_empty() { String::new() } else { format!(", {}", beside.join(", ")) };
    let why = seen.irreplaceable.map_or("", |blocker| blocker.hint());
    let message = format!(
        "no file can replace the companion {} ({why}); these files were left as they are: \
         {}{beside}; what lies beside the companion may be removed once the companion has the \
         content that belongs to the database",
        companion.name, seen.path
    );
    Warning { from: WarningFrom::Cutover, code: Some(IRREPLACEABLE.into()), message }
}

/// Whether a warning is of [`leave_irreplaceable`].
pub(crate) fn is_of_irreplaceable(warning: &Warning) -> bool {
    warning.from == WarningFrom::Cutover && warning.code.as_deref() == Some(IRREPLACEABLE)
}
