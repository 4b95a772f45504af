//! What a later start can tell of a state.

use std::collections::BTreeSet;

use crate::model::database::{V1_LINE, V2_LINE};
use crate::model::state::State;
use crate::scenario::Scenario;
use cutover_core::{FileName, Role};

impl State {
    /// The state, without what no later start can tell. No start reads a private copy of v1, or the
    /// sidecars of a file that is not installed: it only removes them. A change counter is only
    /// compared with the one in a journal's fingerprint of v1.
    #[must_use]
    pub fn normalized(&self, scenario: &Scenario) -> Self {
        let mut state = self.clone();
        let role = |name: &str| Role::of(&scenario.canonical, &FileName::new(name).ok()?);
        state.disk.settle_numbers();
        let (mut unread, mut remembered) = (BTreeSet::new(), false);
        for name in state.disk.names() {
            let is_unread = match role(&name) {
                Some(Role::Source(_)) => true,
                Some(Role::Sidecar(of)) => match *of {
                    Role::Source(_) => true,
                    Role::Staging(_) | Role::Install(_) if scenario.links() => true,
                    _ => name.ends_with("-shm"),
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
                ) => {
                    remembered = true;
                    false
                }
                _ => false,
            };
            if is_unread {
                unread.insert(name);
            }
        }
        state.disk.mask(|name| unread.contains(name));
        let line = if scenario.restores() { V2_LINE } else { V1_LINE };
        state.disk.each_database(|db| {
            if !remembered || db.of != line {
                db.counter = 1;
            }
        });
        state
    }
}
