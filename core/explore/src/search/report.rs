//! What an exploration found, and the choices that lead to each state.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::check::Violation;
use crate::model::disk::Key;
use crate::model::power_loss::Model;
use crate::scenario::Scenario;
use crate::sim::faults::Interference;

/// What happened in one start, and how it was stopped: enough to repeat it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What interfered, and before which op of the start.
    pub interference: Option<(u32, Interference)>,
    /// After which change the machine stopped, and which of the possible disks was left. `None`:
    /// the start ran to its end.
    pub crash: Option<(u32, u32)>,
    /// Whether the directory was copied after the crash.
    pub copied: bool,
}

/// A chain of choices, last first.
#[derive(Debug)]
pub struct Path {
    pub(crate) before: Option<Rc<Path>>,
    pub(crate) choice: Choice,
}

impl Path {
    pub(crate) fn choices(path: Option<&Rc<Self>>) -> Vec<Choice> {
        let mut all = Vec::new();
        let mut at = path;
        while let Some(path) = at {
            all.push(path.choice.clone());
            at = path.before.as_ref();
        }
        all.reverse();
        all
    }
}

/// What an exploration found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The distinct crash states. A start was run from each to its end.
    pub states: BTreeSet<Key>,
    /// Changes of the disk. Each was judged.
    pub transitions: u64,
    /// Starts that were run, each with one interference or none.
    pub starts: u64,
    /// Whether a mutant of the recovery table changed what any start did.
    pub swayed: bool,
    /// The broken invariants.
    pub bad: Vec<Counterexample>,
}

/// A state that breaks an invariant, and the choices that lead to it.
#[derive(Debug, Clone)]
pub struct Counterexample {
    /// The starting point.
    pub scenario: Scenario,
    /// How the machine stops.
    pub model: Model,
    /// One choice for each start.
    pub choices: Vec<Choice>,
    /// Which start performed a mutant, counted from 0. `None`: every start did.
    pub mutated: Option<u8>,
    /// The broken invariant.
    pub violation: Violation,
}
