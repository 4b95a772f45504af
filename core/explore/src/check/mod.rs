//! The invariants, judged from a state alone. The judgements share no code with the simulator.

mod backups;
mod reading;
mod upgrade;

use crate::model::state::State;
use crate::scenario::Scenario;

pub(crate) use reading::roles;
pub use reading::{Violation, is_v1, is_v2};

/// Judges what must hold at every instant, before any recovery.
#[must_use]
pub fn at_every_instant(state: &State, scenario: &Scenario) -> Option<Violation> {
    if scenario.has_backups() {
        return backups::always(state, scenario);
    }
    if upgrade::waits_for_v1(state, scenario) { None } else { upgrade::always(state, scenario) }
}

/// Judges what must hold when a start has ended and nothing interfered.
#[must_use]
pub fn at_end(state: &State, scenario: &Scenario) -> Option<Violation> {
    if scenario.has_backups() {
        backups::at_end(state, scenario)
    } else {
        upgrade::at_end(state, scenario)
    }
}
