//! The legacy daemon: an application's own upgrade program, from before it used cutover.
//!
//! Its journal, `data.db.v1-v2-migration.json`, has version 1. It installs v2 by two renames:
//! canonical to the backup's name, then staging to canonical's. cutover reads such a journal,
//! finishes or undoes that upgrade, and never writes one.
//!
//! The rest of cutover knows of it: the journal's name (`names`), the strategy `two-rename`, the
//! op `rename-new`, and the functions of this module.

mod journal;
mod origin;
mod recover;

pub use journal::{LegacyJournal, LegacyPhase};
pub(crate) use origin::{observations, text};
pub use recover::{LegacyRule, legacy_backup};
pub(super) use recover::{moved_companion, plan};

use super::steps::temporary;
use super::{flush, step};
use crate::journal::Journal;
use crate::names::{Nonce, legacy_journal_name};
use crate::observe::Observation;
use crate::op::{Op, Step};

/// The legacy journal, if there is a readable one.
fn journal(observation: &Observation) -> Option<LegacyJournal> {
    let text =
        observation.journals.get(&legacy_journal_name(&observation.canonical))?.as_deref()?;
    LegacyJournal::parse(text, &observation.canonical).ok()
}

/// Whether an upgrade with this nonce takes over what the legacy upgrade still has to undo.
pub(super) fn is_taken_over_by(observation: &Observation, nonce: &Nonce) -> bool {
    journal(observation).is_some_and(|legacy| legacy.nonce == *nonce)
}

/// Whether one of cutover's own journals took the legacy one over.
pub(super) fn is_taken_over(observation: &Observation) -> bool {
    let own = |text: &String| Journal::parse(text, &observation.canonical).ok();
    journal(observation).is_some_and(|legacy| {
        observation.journals.values().flatten().filter_map(own).any(|own| own.nonce == legacy.nonce)
    })
}

/// Removes what this journal took over.
pub(super) fn forget(journal: &Journal) -> [Step; 2] {
    let legacy = (&legacy_journal_name(&journal.names.canonical)).into();
    let files = std::iter::once(legacy).chain(temporary(journal)).collect();
    [
        step(Op::Remove { files }, "what the application did is in this journal now"),
        flush("removed for good"),
    ]
}
