//! What a test needs that lays crash states out on a real disk and lets the real runner recover
//! from them: the states, and how the model says that each will end.

use crate::boot::{Boot, End};
use crate::machine::Machine;
use crate::{Model, Setting, State, search};

/// The distinct states that one crash of the first start may leave.
#[must_use]
pub fn crash_states(setting: &Setting, model: Model) -> Vec<State> {
    search::crash_states(setting, model)
}

/// How the next start ends from this state, and what it leaves.
#[must_use]
pub fn next_start(setting: &Setting, state: &State) -> (Option<End>, State) {
    let mut ignore = |_: &State| {};
    let mut machine = Machine::new(state.clone(), setting, &mut ignore);
    let end = Boot::new(true).go(&mut machine, None, None, &mut |_, _, _| false);
    (end, machine.state)
}
