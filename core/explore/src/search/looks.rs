//! What one start observed.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::check::{self, Violation, is_v2};
use crate::model::disk::{Key, key_of};
use crate::model::state::State;
use crate::scenario::Scenario;
use crate::sim::machine::Machine;
use crate::sim::normalizer::Normalizer;
use crate::sim::start::Start;

/// What one start observed.
pub(super) struct Looks<'a> {
    pub covered: BTreeSet<Key>,
    pub normalizer: &'a Normalizer<'a>,
    pub own: Vec<Key>,
    pub scenario: &'a Scenario,
    pub happened: bool,
    pub crash: bool,
    pub was_v2: bool,
    pub wrong: Option<Violation>,
}

impl Looks<'_> {
    /// Whether a start that observes this state need not go on.
    pub fn stop(&mut self, start: &Start, machine: &Machine) -> bool {
        self.came_back(&machine.state);
        let mut hash = Sha256::new();
        self.normalizer.of(&machine.state).feed(&mut hash);
        machine.process.feed(&mut hash);
        start.feed(&mut hash);
        hash.update([u8::from(self.happened), u8::from(self.crash)]);
        let key = key_of(hash);
        if self.own.contains(&key) {
            self.wrong.get_or_insert(Violation {
                rule: "I5",
                what: "the start repeats itself without end".into(),
            });
            return true;
        }
        self.own.push(key);
        self.wrong.is_some() || !self.covered.insert(key)
    }

    /// Where an upgrade begins, the recovery is over and is judged: nothing of it is left, unless a
    /// clean-up failed.
    pub fn recovered(&mut self, start: &Start, machine: &Machine) -> bool {
        if start.left.is_none()
            && let Some(violation) = check::at_end(&machine.state, self.scenario)
        {
            self.wrong.get_or_insert(violation);
        }
        self.wrong.is_some()
    }

    /// A start never makes v1 canonical again after v2.
    pub fn came_back(&mut self, state: &State) {
        if self.was_v2 && !is_v2(state, self.scenario) {
            self.wrong.get_or_insert(Violation {
                rule: "I3",
                what: "canonical was v2, and is v1 again".into(),
            });
        }
    }
}
