//! What a later start can tell of a state.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::model::database::{V1_LINE, V2_LINE};
use crate::model::disk::Name;
use crate::model::state::State;
use crate::scenario::Scenario;
use cutover_core::{FileName, Role};

/// Leaves out of states what no later start can tell.
#[derive(Debug)]
pub struct Normalizer<'a> {
    scenario: &'a Scenario,
    /// What each name that was met is. Few names are met, and each in many states.
    met: RefCell<BTreeMap<Name, Reader>>,
}

/// What a start does with a file of some name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// It reads nothing of it, and at most removes it.
    Removes,
    /// It may read the fingerprint of a database there.
    Remembers,
    /// It reads it.
    Reads,
}

impl<'a> Normalizer<'a> {
    /// For states of this scenario.
    #[must_use]
    pub fn new(scenario: &'a Scenario) -> Self {
        Self { scenario, met: RefCell::default() }
    }

    fn reader(&self, name: &Name) -> Reader {
        if let Some(reader) = self.met.borrow().get(name) {
            return *reader;
        }
        let scenario = self.scenario;
        let role = FileName::new(&**name).ok().and_then(|of| Role::of(&scenario.canonical, &of));
        let reader = match role {
            Some(Role::Source(_)) => Reader::Removes,
            Some(Role::Sidecar(of)) => match *of {
                Role::Source(_) => Reader::Removes,
                Role::Staging(_) | Role::Install(_) if scenario.links() => Reader::Removes,
                _ if name.ends_with("-shm") => Reader::Removes,
                _ => Reader::Reads,
            },
            // A name without a role is a companion's. A companion keeps more states apart than
            // necessary, which costs time and hides nothing.
            None
            | Some(
                Role::Journal(_)
                | Role::JournalTmp(..)
                | Role::JournalAside
                | Role::LegacyJournal
                | Role::Receipt,
            ) => Reader::Remembers,
            _ => Reader::Reads,
        };
        self.met.borrow_mut().insert(name.clone(), reader);
        reader
    }

    /// The state, without what no later start can tell. No start reads a private copy of v1, or the
    /// sidecars of a file that is not installed: it only removes them. A change counter is only
    /// compared with the one in a journal's fingerprint of v1.
    #[must_use]
    pub fn of(&self, state: &State) -> State {
        let mut state = state.clone();
        state.disk.settle_numbers(|name| self.reader(name) != Reader::Removes);
        let remembered = state.disk.names().any(|name| self.reader(name) == Reader::Remembers);
        let line = if self.scenario.restores() { V2_LINE } else { V1_LINE };
        let forgotten = |of| !remembered || of != line;
        state.disk.each_database(|db| db.counter != 1 && forgotten(db.of), |db| db.counter = 1);
        state
    }
}
