//! What a start does about an unfinished upgrade with another label: the application was updated in
//! between. Where nothing of that release is needed, the upgrade is ended: undone while canonical is
//! v1, finished once canonical is v2. The files tell which: the new release's `detect` may take v2
//! for old, or v1 for current.
//!
//! Nothing of that release is needed where its callback saved no state and changed no companion in
//! place. (An undo calls the new release's `undo`, with no state. A finish calls `cleanup` with the
//! state, as it does beside `committed`.)

use super::ours::{self, RecoveryRule};
use crate::failure::{Code, Failure};
use crate::fault::Platform;
use crate::journal::{Companion, Journal, Phase, V2};
use crate::names::{FileName, Label};
use crate::observe::Observation;
use crate::plan::Plan;
use crate::plan::refuse::{refuse_missing, refuse_unread};
use crate::plan::steps::is_staged;

/// The recovery of an upgrade with another label.
pub(super) fn plan(observation: &Observation, journal: Journal) -> Result<Plan, Failure> {
    let Some(facts) = observation.canonical_facts() else {
        return Err(refuse_missing(observation, &journal));
    };
    let put_back = ours::v1_changed_at_the_flip(observation, &journal);
    if !put_back && (facts.header.is_none() || observation.verdict.is_none()) {
        return Err(refuse_unread(observation));
    }
    let declared = journal.companions.iter().all(|companion| observation.declares(companion));
    // An undo leaves a companion alone whose new content was staged.
    let in_place = |companion: &Companion| {
        let seen = observation.companions.get(&companion.name);
        let staged = companion.staged || is_staged(observation, &journal.nonce, companion);
        !staged && seen.is_none_or(|seen| seen.digest != companion.before)
    };
    let undoable = journal.host_state.is_none() && !journal.companions.iter().any(in_place);
    let rule = match canonical(observation, &journal) {
        _ if !declared => None,
        _ if put_back => Some(RecoveryRule::PutBack).filter(|_| undoable),
        Some(Canonical::V2) => Some(RecoveryRule::V2),
        Some(Canonical::V1) => Some(RecoveryRule::GoBack).filter(|_| undoable),
        None => None,
    };
    match rule {
        Some(rule) => ours::by_rule(rule, observation, journal),
        None => Err(refuse(&journal.label, &journal.file())),
    }
}

enum Canonical {
    V1,
    V2,
}

/// Which database canonical is. Nothing: the files do not tell.
fn canonical(observation: &Observation, journal: &Journal) -> Option<Canonical> {
    let facts = observation.canonical_facts()?;
    let (v1, v2) = (journal.v1.as_ref(), journal.v2.as_ref());
    let is_v1 = v1.is_some_and(|v1| v1.file_id == facts.file_id);
    // v1 gets its backup's name, durably, before it loses canonical's.
    let backup = &journal.names.backup;
    let is_before_flip = !observation.files.contains_key(backup)
        || observation.same_file(backup, &observation.canonical);
    match journal.phase {
        // The journal says `built`, durably, before v1 is replaced. Windows cannot flush that.
        Phase::Building => {
            let is_v1 = is_v1 || is_before_flip || observation.platform != Platform::Windows;
            is_v1.then_some(Canonical::V1)
        }
        Phase::Built if is_before_flip => Some(Canonical::V1),
        // The directory may have been copied: then the ids of files tell nothing.
        Phase::Built => {
            let v2_is = |is: &dyn Fn(&V2) -> bool| v2.is_some_and(is);
            let has_schema = |header| v1.is_some_and(|v1| v1.fingerprint.has_schema_of(header));
            if v1.is_some_and(|v1| v1.is_as_settled(facts)) {
                Some(Canonical::V1)
            } else if v2_is(&|v2| v2.size == facts.size && facts.page1.as_ref() == Some(&v2.page1))
                || v2_is(&|v2| v2.file_id == facts.file_id)
            {
                Some(Canonical::V2)
            } else {
                let is_v1 = is_v1 || facts.header.as_ref().is_some_and(has_schema);
                is_v1.then_some(Canonical::V1)
            }
        }
        // A page copy that was begun may be half done.
        Phase::Installing | Phase::Committed => None,
    }
}

/// The refusal: the upgrade needs the release that began it.
pub(in crate::plan) fn refuse(label: &Label, journal: &FileName) -> Failure {
    Failure::refusal(
        Code::Journal,
        format!("another upgrade of this database ({label}) was interrupted and is not finished"),
        format!(
            "call recover({{ label: \"{label}\", ... }}) first, with the callbacks and companions \
             of that upgrade, or start the release of the application that began it"
        ),
    )
    .of(journal)
}
