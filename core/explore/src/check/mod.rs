//! What must hold, judged from a state alone. Nothing here is shared with what made the state.

mod backups;
mod reading;
mod upgrade;

use crate::model::state::State;
use crate::scenario::Scenario;

pub(crate) use reading::roles;
pub use reading::{Violation, is_v1, is_v2};

/// What must hold at every instant, before any recovery as well.
#[must_use]
pub fn at_every_instant(state: &State, scenario: &Scenario) -> Option<Violation> {
    if scenario.has_backups() {
        return backups::always(state, scenario);
    }
    if upgrade::waits_for_v1(state, scenario) { None } else { upgrade::always(state, scenario) }
}

/// What must hold when a start has ended and nothing was in its way.
#[must_use]
pub fn at_end(state: &State, scenario: &Scenario) -> Option<Violation> {
    if scenario.has_backups() {
        backups::at_end(state, scenario)
    } else {
        upgrade::at_end(state, scenario)
    }
}
