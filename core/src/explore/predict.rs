//! What a test needs that lays crash states out on a real disk and lets the real runner recover from them: the states, and how the model
//! says that each will end.

use std::collections::VecDeque;

use super::boot::Boot;
use super::perform::Machine;
use super::{Bounds, End, Explorer, Model, Node, Report, Setting, State, matrix};

/// The distinct states that one crash of the first start may leave.
#[must_use]
pub fn crash_states(setting: &Setting, model: Model) -> Vec<State> {
    let bounds = Bounds::ONE_CRASH;
    let state = matrix::lay(setting);
    let node = Node { state, path: None, crashes: 0, happened: false, first: true };
    let mut explorer = Explorer {
        setting,
        model,
        bounds: &bounds,
        mutant: None,
        report: Report::default(),
        queue: VecDeque::new(),
        settled: std::collections::BTreeSet::new(),
    };
    explorer.expand(&node);
    explorer.queue.into_iter().map(|node| node.state).collect()
}

/// How the next start ends from this state, and what it leaves.
#[must_use]
pub fn next_start(setting: &Setting, state: &State) -> (Option<End>, State) {
    let mut ignore = |_: &State| {};
    let mut machine = Machine::new(state.clone(), setting, &mut ignore);
    let end = Boot::new(true, 1).go(&mut machine, None, None, &mut |_, _, _, _| false);
    (end, machine.state)
}
