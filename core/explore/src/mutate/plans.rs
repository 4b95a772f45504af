//! The plans that mutants are made of.

use crate::model::power_loss::Model;
use crate::model::state::State;
use crate::samples;
use crate::scenario::Scenario;
use crate::sim::machine::Machine;
use crate::sim::start::{Before, Start, initial_state};
use cutover_core::{Observation, Plan};

/// A plan, and the observation that it was made from. The observation is missing if the plan
/// depends on more: on what an earlier recovery of the same start could not undo.
#[derive(Debug, Clone)]
pub struct Made {
    /// The plan.
    pub plan: Plan,
    /// The observation.
    pub seen: Option<Observation>,
}

/// The plans that the exploration of each scenario meets: those of the first start, and those of
/// the starts after one crash.
#[must_use]
pub fn plans(scenarios: &[Scenario]) -> Vec<Vec<Plan>> {
    let plans = |scenario| made_of(scenario).into_iter().map(|made| made.plan).collect();
    scenarios.iter().map(plans).collect()
}

/// The plans of one scenario, each with the first observation that it was made from.
#[must_use]
pub fn made_of(scenario: &Scenario) -> Vec<Made> {
    let mut plans: Vec<Made> = Vec::new();
    let first = scenario.links().then(|| initial_state(scenario));
    for state in first.into_iter().chain(samples::crash_states(scenario, Model::M2)) {
        for made in performed(scenario, &state) {
            if plans.iter().all(|other| other.plan != made.plan) {
                plans.push(made);
            }
        }
    }
    plans
}

/// The plans that a start from this state performs.
pub(crate) fn performed(scenario: &Scenario, state: &State) -> Vec<Made> {
    let mut plans: Vec<Made> = Vec::new();
    let mut ignore = |_: &State| {};
    let mut machine = Machine::new(state.clone(), scenario, &mut ignore);
    Start::new(true).go(&mut machine, None, None, &mut |start, machine, before| {
        if let Before::Op(run, _) = before
            && plans.last().is_none_or(|made| made.plan != *run.plan())
        {
            let seen = machine.seen.clone().filter(|_| start.left.is_none());
            plans.push(Made { plan: run.plan().clone(), seen });
        }
        false
    });
    plans
}
