//! Crash states for a test that puts them on a real disk and lets the real runner recover, and how
//! the model says that each recovery ends.

use crate::model::power_loss::Model;
use crate::model::state::State;
use crate::scenario::Scenario;
use crate::search;
use crate::sim::machine::Machine;
use crate::sim::start::{End, Start, initial_state};
use cutover_core::Observation;

/// Lists the distinct states that one crash of the first start may leave.
#[must_use]
pub fn crash_states(scenario: &Scenario, model: Model) -> Vec<State> {
    search::crash_states(scenario, model)
}

/// Runs the next start from this state. Gives how it ends, and what it leaves.
#[must_use]
pub fn next_start(scenario: &Scenario, state: &State) -> (Option<End>, State) {
    let mut ignore = |_: &State| {};
    let mut machine = Machine::new(state.clone(), scenario, &mut ignore);
    let end = Start::new(true).go(&mut machine, None, None, &mut |_, _, _| false);
    (end, machine.state)
}

/// What the next start observes, at the beginning and after one crash of the first start.
#[must_use]
pub fn observations(scenario: &Scenario, model: Model) -> Vec<Observation> {
    let first = scenario.legacy_after().is_none().then(|| initial_state(scenario));
    let states = first.into_iter().chain(search::crash_states(scenario, model));
    let observe = |state| {
        let mut ignore = |_: &State| {};
        Machine::new(state, scenario, &mut ignore).observe()
    };
    states.map(observe).collect()
}
