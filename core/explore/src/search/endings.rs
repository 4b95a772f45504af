//! The end of a start, judged by what it left and by the starts that follow.

use super::{Choice, Explorer, Outcome, Watch};
use crate::check::{self, Violation};
use crate::model::state::State;
use crate::scenario::Zombie;
use crate::sim::machine::Machine;
use crate::sim::process::Process;
use crate::sim::start::{End, Start};
use cutover_core::Platform;

impl Explorer<'_> {
    /// Judges how a start ended.
    pub(super) fn end(&mut self, watch: Watch, outcome: &Outcome) {
        let scenario = self.scenario;
        let mut violation = outcome.misuse.clone();
        if violation.is_none() {
            violation = match &outcome.end {
                None => return,
                Some(End::Endless) => {
                    Some(Violation { rule: "I5", what: "the start does not end".into() })
                }
                Some(End::NoDatabase) => {
                    Some(Violation { rule: "I1", what: "the start found no database".into() })
                }
                Some(End::Failed(failure))
                    if !watch.happened && !scenario.never_upgrades() && !scenario.refuses() =>
                {
                    Some(Violation {
                        rule: "I5",
                        what: format!("nothing interfered, and the start failed: {failure}"),
                    })
                }
                Some(end) => self
                    .left_nothing(watch, end, &outcome.state)
                    .or_else(|| self.afterwards(&outcome.state)),
            };
        }
        if let Some(violation) = violation {
            let choice = Choice { interference: watch.interference, crash: None, copied: false };
            self.report
                .bad
                .push(watch.node.counterexample(scenario, self.model, choice, violation));
        }
    }

    /// A start without interference, which could remove everything that it made, leaves nothing for
    /// the next start.
    fn left_nothing(&self, watch: Watch, end: &End, state: &State) -> Option<Violation> {
        let removes =
            self.scenario.platform != Platform::Windows || self.scenario.zombie == Zombie::None;
        if *end == End::Current && !watch.happened && removes {
            check::at_end(state, self.scenario)
        } else {
            None
        }
    }

    /// The interference is over. The next start must end well, and the start after that must find
    /// nothing to do.
    fn afterwards(&mut self, state: &State) -> Option<Violation> {
        let scenario = self.scenario;
        let state = self.normalizer.of(state);
        if !self.judged.insert(state.key()) {
            return None;
        }
        let mut ignore = |_: &State| {};
        let mut machine = Machine::new(state.clone(), scenario, &mut ignore);
        let mutant = self.mutant;
        let start = |machine: &mut Machine, migrate| {
            Start::new(migrate).go(machine, None, mutant, &mut |_, _, _| false)
        };
        let again = start(&mut machine, false);
        if scenario.refuses() {
            let same = machine.state == state;
            return (!same).then(|| Violation {
                rule: "I5",
                what: "a start that refuses has changed the disk".into(),
            });
        }
        if matches!(again, Some(End::Failed(_) | End::Endless | End::NoDatabase)) {
            return Some(Violation {
                rule: "I5",
                what: format!("next start: {}", End::in_words(again.as_ref())),
            });
        }
        if let Some(violation) = check::at_end(&machine.state, scenario) {
            return Some(violation);
        }
        let before = machine.state.clone();
        let third = start(&mut machine, false);
        if third != again || machine.state != before {
            return Some(Violation {
                rule: "I5",
                what: "a start that has nothing to do has changed the disk".into(),
            });
        }
        if again == Some(End::Old) && !scenario.never_upgrades() {
            let end = start(&mut machine, true);
            if end != Some(End::Current) {
                return Some(Violation {
                    rule: "I5",
                    what: format!("next start: {}", End::in_words(end.as_ref())),
                });
            }
            // The next start removes what a leaked connection kept this one from removing.
            machine.process = Process::default();
            start(&mut machine, false);
            return check::at_end(&machine.state, scenario);
        }
        None
    }
}
