//! The search: it meets every crash state once, and runs a start from each.

mod endings;
mod looks;
mod report;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use crate::check::{self, Violation, is_v1, is_v2};
use crate::model::disk::Key;
use crate::model::power_loss::Model;
use crate::model::state::State;
use crate::scenario::Scenario;
use crate::scenario::bounds::{Bounds, Faults};
use crate::sim::actors::{self, happen};
use crate::sim::faults::{Interference, interferences};
use crate::sim::legacy::legacy_daemon;
use crate::sim::machine::{Machine, Observer};
use crate::sim::normalizer::Normalizer;
use crate::sim::process::Process;
use crate::sim::start::{Before, End, PlanChange, Start, initial_state};
use cutover_core::{Op, Run, is_displaced};

use looks::Looks;
pub use report::{Choice, Counterexample, Path, Report};

/// A mutant that removes a flush leaves many unflushed changes. Every subset is tried of at most
/// this many.
pub(crate) const EXACT: usize = 6;

/// A state to start from.
#[derive(Clone)]
pub(crate) struct Node {
    pub state: State,
    path: Option<Rc<Path>>,
    pub crashes: u8,
    /// Something interfered before.
    pub happened: bool,
}

impl Node {
    pub fn first(scenario: &Scenario) -> Self {
        Self { state: initial_state(scenario), path: None, crashes: 0, happened: false }
    }

    /// The choices that lead to this state.
    pub fn choices(&self) -> Vec<Choice> {
        Path::choices(self.path.as_ref())
    }

    /// The choices that lead to this state, and one more.
    fn counterexample(
        &self,
        scenario: &Scenario,
        model: Model,
        then: Choice,
        violation: Violation,
    ) -> Counterexample {
        let mut choices = self.choices();
        choices.push(then);
        Counterexample { scenario: scenario.clone(), model, choices, mutated: None, violation }
    }
}

/// Explores everything that can follow from `scenario` under `model`. With a mutant, every plan is
/// changed before it runs.
#[must_use]
pub fn explore(
    scenario: &Scenario,
    model: Model,
    bounds: &Bounds,
    mutant: Option<&dyn PlanChange>,
) -> Report {
    let mut explorer = Explorer::new(scenario, model, bounds, mutant);
    let mut next = Some(Node::first(scenario));
    while let Some(node) = next {
        explorer.expand(&node);
        if explorer.report.bad.len() >= bounds.stop_after {
            break;
        }
        next = explorer.queue.pop_front();
    }
    explorer.report
}

/// Lists the distinct states that one crash of the first start may leave.
pub(crate) fn crash_states(scenario: &Scenario, model: Model) -> Vec<State> {
    crashes(scenario, &Node::first(scenario), model, &Bounds::ONE_CRASH)
        .into_iter()
        .map(|node| node.state)
        .collect()
}

/// Lists what one crash of a right start from here may leave.
pub(crate) fn crashes(
    scenario: &Scenario,
    node: &Node,
    model: Model,
    bounds: &Bounds,
) -> Vec<Node> {
    let bounds = Bounds { crashes: node.crashes + 2, ..*bounds };
    let mut explorer = Explorer::new(scenario, model, &bounds, None);
    explorer.expand(node);
    explorer.queue.into()
}

pub(crate) struct Explorer<'a> {
    scenario: &'a Scenario,
    pub model: Model,
    bounds: Bounds,
    mutant: Option<&'a dyn PlanChange>,
    pub report: Report,
    pub queue: VecDeque<Node>,
    /// Crash states after the last crash. A start is run from each at once, so that they need not
    /// all be kept.
    last: Vec<Node>,
    met: BTreeMap<Key, Met>,
    /// Observations from which a start went on. A start that observes the same disk goes on in the
    /// same way.
    covered: BTreeSet<Key>,
    /// States at the end of a start that were judged.
    judged: BTreeSet<Key>,
    normalizer: Normalizer<'a>,
}

/// What was done with a state.
#[derive(Debug, Clone, Copy, Default)]
struct Met {
    /// A start is run from it, with every interference.
    plain: bool,
    /// A start is run from it, without further interference.
    happened: bool,
}

/// A start that was stopped before an op.
struct Fork {
    at: u32,
    state: State,
    process: Process,
    start: Start,
    run: Run,
    interferences: Vec<Interference>,
}

/// How a start is watched.
#[derive(Clone, Copy)]
struct Watch<'n> {
    node: &'n Node,
    happened: bool,
    interference: Option<(u32, Interference)>,
    /// Whether crashes are tried after each change.
    crash: bool,
}

/// How a start ended.
struct Outcome {
    /// `None`: it was stopped, because an earlier start went on from there.
    end: Option<End>,
    state: State,
    misuse: Option<Violation>,
    swayed: bool,
}

impl Outcome {
    fn of(end: Option<End>, machine: Machine, start: &Start) -> Self {
        let stayed = if end == Some(End::Current) { machine.stayed() } else { None };
        Self {
            misuse: machine.misuse().or(stayed),
            end,
            state: machine.state,
            swayed: start.swayed,
        }
    }
}

impl<'a> Explorer<'a> {
    pub fn new(
        scenario: &'a Scenario,
        model: Model,
        bounds: &Bounds,
        mutant: Option<&'a dyn PlanChange>,
    ) -> Self {
        // The crash after which the legacy daemon starts is one more. What is explored is what
        // cutover does then.
        let before = scenario.legacy_after().unwrap_or(0);
        let bounds = Bounds {
            crashes: bounds.crashes + before,
            interference_after_crashes: bounds.interference_after_crashes + before,
            ..*bounds
        };
        Self {
            scenario,
            model,
            bounds,
            mutant,
            report: Report::default(),
            queue: VecDeque::new(),
            last: Vec::new(),
            met: BTreeMap::new(),
            covered: BTreeSet::new(),
            judged: BTreeSet::new(),
            normalizer: Normalizer::new(scenario),
        }
    }

    /// Runs a start from this state to its end, with every interference.
    pub fn expand(&mut self, node: &Node) {
        self.report.starts += 1;
        self.report.states.insert(node.state.key());
        let scenario = self.scenario;
        let plain = Watch { node, happened: node.happened, interference: None, crash: true };
        if scenario.legacy_after() == Some(node.crashes) && is_v1(&node.state, scenario) {
            self.watch(plain, |observer, _| {
                let mut machine = Machine::new(node.state.clone(), scenario, observer);
                legacy_daemon(&mut machine);
                Outcome::of(None, machine, &Start::new(true))
            });
            return;
        }
        let may_happen = !node.happened
            && (self.bounds.actors || self.bounds.faults != Faults::None)
            && node.crashes <= self.bounds.interference_after_crashes;
        let (mutant, bounds) = (self.mutant, self.bounds);
        let mut forks = Vec::new();
        let outcome = self.watch(plain, |observer, looks| {
            let mut machine = Machine::new(node.state.clone(), scenario, observer);
            let mut start = Start::new(true);
            let (mut at, mut looked) = (0, false);
            let end = start.go(&mut machine, None, mutant, &mut |start, machine, before| {
                let (run, op) = match before {
                    Before::Look => return looks.stop(start, machine),
                    Before::Migrate => {
                        return looks.recovered(start, machine) || bounds.only_recovery;
                    }
                    Before::Op(run, op) => (run, op),
                };
                if may_happen {
                    let mut interferences = interferences(op, &bounds, scenario);
                    // Between cutover's look at a companion and the rename no program can be kept
                    // from changing it, unless it takes the companion's lock.
                    interferences.retain(|interference| {
                        !looked || *interference != Interference::CompanionChanged
                    });
                    looked = unguarded(op, looked);
                    let (state, process) = (machine.state.clone(), machine.process.clone());
                    forks.push(Fork {
                        at,
                        state,
                        process,
                        start: start.clone(),
                        run: run.clone(),
                        interferences,
                    });
                }
                at += 1;
                false
            });
            looks.came_back(&machine.state);
            Outcome::of(end, machine, &start)
        });
        if outcome.end == Some(End::Current) {
            let choice = Some((u32::MAX, Interference::ApplicationWrites));
            let watch = Watch { interference: choice, ..plain };
            let written = self.watch(watch, |observer, _| {
                let mut machine = Machine::new(outcome.state.clone(), scenario, observer);
                actors::application(&mut machine);
                Outcome::of(Some(End::Current), machine, &Start::new(true))
            });
            self.end(watch, &written);
        }
        self.end(plain, &outcome);
        for fork in forks {
            for interference in &fork.interferences {
                self.fork(node, &fork, *interference);
            }
        }
    }

    fn fork(&mut self, node: &Node, fork: &Fork, interference: Interference) {
        let (scenario, mutant, bounds) = (self.scenario, self.mutant, self.bounds);
        let watch = Watch {
            node,
            happened: true,
            interference: Some((fork.at, interference)),
            crash: bounds.crash_after_interference,
        };
        let mut idle = false;
        self.report.starts += 1;
        let outcome = self.watch(watch, |observer, looks| {
            let mut machine = Machine::new(fork.state.clone(), scenario, observer);
            machine.process = fork.process.clone();
            let mut run = fork.run.clone();
            idle = !happen(&mut machine, &mut run, interference);
            if idle {
                return Outcome::of(None, machine, &fork.start);
            }
            let mut start = fork.start.clone();
            let end =
                start.go(
                    &mut machine,
                    Some(run),
                    mutant,
                    &mut |start, machine, before| match before {
                        Before::Look => looks.stop(start, machine),
                        Before::Migrate => looks.recovered(start, machine) || bounds.only_recovery,
                        Before::Op(..) => false,
                    },
                );
            looks.came_back(&machine.state);
            Outcome::of(end, machine, &start)
        });
        if !idle {
            self.end(watch, &outcome);
        }
    }

    /// Runs a start and judges each change. What a crash may leave there is queued.
    fn watch(
        &mut self,
        watch: Watch,
        run: impl FnOnce(Observer, &mut Looks) -> Outcome,
    ) -> Outcome {
        let Watch { node, happened, interference, crash } = watch;
        let (scenario, model, bounds) = (self.scenario, self.model, self.bounds);
        let links = scenario.links();
        let crash = crash && node.crashes < bounds.crashes;
        let is_last = node.crashes + 1 >= bounds.crashes;
        let mut looks = Looks {
            covered: std::mem::take(&mut self.covered),
            normalizer: &self.normalizer,
            own: Vec::new(),
            scenario,
            happened,
            crash,
            was_v2: is_v2(&node.state, scenario),
            wrong: None,
        };
        let (report, met, normalizer) = (&mut self.report, &mut self.met, &self.normalizer);
        let mut found = Vec::new();
        let mut tick = 0;
        let mut observer = |state: &State| {
            report.transitions += 1;
            tick += 1;
            let choice = |variant: u32, copied: bool| Choice {
                interference,
                crash: Some((tick, variant)),
                copied,
            };
            // Whether the state is new and good, so that a start goes on from it.
            let mut meets = |state: &State, choice: &Choice| {
                let key = state.key();
                let before = met.get(&key);
                if before.is_none()
                    && links
                    && let Some(violation) = check::at_every_instant(state, scenario)
                {
                    met.insert(key, Met { plain: true, happened: true });
                    report.bad.push(node.counterexample(
                        scenario,
                        model,
                        choice.clone(),
                        violation,
                    ));
                    return false;
                }
                let before = before.copied().unwrap_or_default();
                let fresh = crash && !before.plain && !(happened && before.happened);
                let plain = before.plain || (crash && !happened);
                met.insert(key, Met { plain, happened: before.happened || crash });
                fresh
            };
            let mut queue = |state: State, choice: Choice| {
                let path = Some(Rc::new(Path { before: node.path.clone(), choice }));
                found.push(Node { state, path, crashes: node.crashes + 1, happened });
            };
            let state = normalizer.of(state);
            if !meets(&state, &choice(0, false)) {
                return;
            }
            if model != Model::M0 && !state.disk.is_flushed() {
                for (variant, disk) in (1..).zip(state.disk.some_power_losses(model, bounds.exact))
                {
                    let mut after = State { disk, ledger: state.ledger.clone() };
                    after.ledger.v2_durable |= is_v2(&after, scenario) && links;
                    if bounds.copies {
                        let copied =
                            State { disk: after.disk.copied(), ledger: after.ledger.clone() };
                        let copied = normalizer.of(&copied);
                        if meets(&copied, &choice(variant, true)) {
                            queue(copied, choice(variant, true));
                        }
                    }
                    let after = normalizer.of(&after);
                    if meets(&after, &choice(variant, false)) {
                        queue(after, choice(variant, false));
                    }
                }
            }
            queue(state, choice(0, false));
        };
        let mut outcome = run(&mut observer, &mut looks);
        if let Some(violation) = looks.wrong.take() {
            outcome.misuse.get_or_insert(violation);
        }
        self.covered = looks.covered;
        self.report.swayed |= outcome.swayed;
        if crash && is_last {
            // No start from one of these states crashes, so none of them adds to the list.
            self.last.extend(found);
            while let Some(node) = self.last.pop() {
                if self.report.bad.len() < bounds.stop_after {
                    self.expand(&node);
                }
            }
        } else {
            self.queue.extend(found);
        }
        outcome
    }
}

/// Whether a companion was looked at, whose name another program may still change after this op.
fn unguarded(op: &Op, looked: bool) -> bool {
    match op {
        Op::LookCompanion { .. } => true,
        // The hard link keeps the companion as it was then.
        Op::Link { to: at, .. } => at.companion.is_some(),
        // The rename keeps the companion likewise. A program that creates it again acts between the
        // look and the rename.
        Op::Rename { from, to } if is_displaced(&from.name, &to.name) => to.companion.is_some(),
        Op::SyncDir { companion } => looked && companion.is_some(),
        _ => false,
    }
}
