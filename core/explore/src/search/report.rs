//! What an exploration found, and the way to each state.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::check::Violation;
use crate::model::disk::Key;
use crate::model::power_loss::Model;
use crate::scenario::Scenario;
use crate::sim::faults::Interference;

/// What one start went through, and how it was stopped: enough to do it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Before which op of the start something happened, and what.
    pub interference: Option<(u32, Interference)>,
    /// After which change it crashed, and which of the possible disks was left; nothing: it ran to
    /// its end.
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
    /// The distinct crash states: what a start found, from each of which one was run to its end.
    pub states: BTreeSet<Key>,
    /// Changes of the disk that were made, each judged.
    pub transitions: u64,
    /// Starts that were run, those with something in their way counted each.
    pub starts: u64,
    /// Whether a mutant of the recovery table made any start do something else.
    pub swayed: bool,
    /// What is wrong.
    pub bad: Vec<Counterexample>,
}

/// A state that breaks an invariant, and the way there.
#[derive(Debug, Clone)]
pub struct Counterexample {
    /// Where it began.
    pub scenario: Scenario,
    /// How the machine stops.
    pub model: Model,
    /// One choice for each start.
    pub choices: Vec<Choice>,
    /// Which start performed a mutant, counted from 0; nothing: each did.
    pub mutated: Option<u8>,
    /// What is broken.
    pub violation: Violation,
}
