//! Tries mutants. One start performs the mutant, from every state that leads to what it changes.
//! Right starts judge what that leaves. So where a state leads is found out once, for all mutants.

use std::collections::BTreeMap;

use super::plans::performed;
use super::{Mutant, PlanSignature};
use crate::check::Violation;
use crate::model::disk::{HOME, Key};
use crate::model::power_loss::Model;
use crate::model::sqlite::sidecar;
use crate::model::state::State;
use crate::scenario::bounds::{Bounds, Faults};
use crate::scenario::{Build, HostUse, Scenario, Zombie};
use crate::search::{Counterexample, EXACT, Explorer, Node, crashes};
use crate::sim::machine::{Machine, companion_digest};
use crate::sim::start::{Before, PlanChange as _, Start};
use cutover_core::Platform;

/// What became of a mutant.
#[derive(Debug)]
pub enum MutantOutcome {
    /// An invariant caught it.
    Caught(Box<Counterexample>),
    /// It makes no difference, for this reason.
    Equivalent(&'static str),
    /// It was not caught, and no reason is listed.
    Survived,
}

/// Tries mutants on a list of scenarios.
pub struct MutantRunner<'a> {
    /// The distinct plans that right starts perform.
    plans: Vec<PlanSignature>,
    fixtures: Vec<Fixture<'a>>,
}

/// One scenario, with the states that mutants start from.
struct Fixture<'a> {
    scenario: &'a Scenario,
    /// The first fixture whose application does the same.
    like: usize,
    starts: Vec<Origin>,
    /// Right starts without interference.
    right: Explorer<'a>,
    /// What they found from each state: a violation, or none.
    judged: BTreeMap<Key, Option<Violation>>,
}

/// A state to start from, and the plans that a right start performs then.
struct Origin {
    node: Node,
    plans: Vec<usize>,
}

/// How a mutant is tried.
struct Stage {
    power_loss: bool,
    /// How many of the similar starts are tried.
    at_most: usize,
    /// Whether something interferes.
    disturbed: bool,
}

/// The quick stages come first.
const STAGES: [Stage; 3] = [
    Stage { power_loss: false, at_most: 1, disturbed: false },
    Stage { power_loss: true, at_most: 3, disturbed: false },
    Stage { power_loss: true, at_most: 1, disturbed: true },
];
/// A start without interference.
const RIGHT: Bounds = Bounds { crashes: 0, ..Bounds::ONE_CRASH };

fn model(scenario: &Scenario, power_loss: bool) -> Model {
    match (scenario.platform, power_loss) {
        (Platform::Windows, _) => Model::Windows,
        (_, true) => Model::M2,
        (_, false) => Model::M0,
    }
}

impl<'a> MutantRunner<'a> {
    /// Finds the states to start from.
    #[must_use]
    pub fn new(scenarios: &'a [Scenario]) -> Self {
        let mut trial = Self { plans: Vec::new(), fixtures: Vec::new() };
        for scenario in scenarios {
            let starts = nodes(scenario).into_iter().map(|node| {
                let plans = performed(scenario, &node.state)
                    .iter()
                    .map(|made| trial.number(PlanSignature::of(&made.plan)))
                    .collect();
                Origin { node, plans }
            });
            let starts = starts.collect();
            let same = |fixture: &Fixture| does(fixture.scenario) == does(scenario);
            let like = trial.fixtures.iter().position(same).unwrap_or(trial.fixtures.len());
            let right = Explorer::new(scenario, Model::M0, &RIGHT, None);
            trial.fixtures.push(Fixture { scenario, like, starts, right, judged: BTreeMap::new() });
        }
        trial
    }

    fn number(&mut self, plan: PlanSignature) -> usize {
        let known = self.plans.iter().position(|other| *other == plan);
        known.unwrap_or_else(|| {
            self.plans.push(plan);
            self.plans.len() - 1
        })
    }

    /// Tries a mutant until it is caught.
    pub fn outcome(&mut self, mutant: &Mutant) -> MutantOutcome {
        let alike = self.starts_of(mutant);
        if alike.is_empty() {
            return MutantOutcome::Equivalent("no state that was explored fits both rows");
        }
        for stage in &STAGES {
            for starts in &alike {
                for (fixture, start) in spread(starts, stage.at_most) {
                    if let Some(bad) = self.fixtures[*fixture].attempt(mutant, *start, stage) {
                        return MutantOutcome::Caught(Box::new(bad));
                    }
                }
            }
        }
        mutant.equivalent().map_or(MutantOutcome::Survived, MutantOutcome::Equivalent)
    }

    /// The starts that a mutant changes, by fixture and index, in groups of similar starts. Similar
    /// starts perform equal plans that the mutant changes, on disks with equal names, beside equal
    /// companions, with canonical's log flushed or not.
    fn starts_of(&self, mutant: &Mutant) -> Vec<Vec<(usize, usize)>> {
        let sees = |plan| match mutant {
            Mutant::Rows { .. } => true,
            Mutant::Step(step) => step.finds(plan).is_some(),
        };
        let wrong: Vec<bool> = self.plans.iter().map(sees).collect();
        // A fault of a plan that begins an upgrade or a restore shows in the first start.
        let begins = matches!(mutant, Mutant::Step(step) if step.kind.begins());
        let mut alike: BTreeMap<_, Vec<(usize, usize)>> = BTreeMap::new();
        for (number, fixture) in self.fixtures.iter().enumerate() {
            for (index, Origin { node, plans }) in fixture.starts.iter().enumerate() {
                let performed: Vec<usize> =
                    plans.iter().copied().filter(|plan| wrong[*plan]).collect();
                if performed.is_empty() || (begins && node.crashes > 0) {
                    continue;
                }
                if mutant.table().is_none() || sways(mutant, fixture.scenario, &node.state) {
                    let disk = &node.state.disk;
                    let names: Vec<_> = disk.dirs.iter().flat_map(|dir| dir.now.keys()).collect();
                    let companion = fixture
                        .scenario
                        .companion
                        .as_ref()
                        .and_then(|(_, file)| disk.get(fixture.scenario.aside(), file.as_str()))
                        .map(companion_digest);
                    let log = disk
                        .ino(HOME, &sidecar(fixture.scenario.canonical.as_str(), "-wal"))
                        .map(|ino| disk.inodes[&ino].is_flushed());
                    alike
                        .entry((fixture.like, performed, names, companion, log))
                        .or_default()
                        .push((number, index));
                }
            }
        }
        alike.into_values().collect()
    }
}

/// At most this many of these, spread from the first to the last.
fn spread<T>(all: &[T], at_most: usize) -> impl Iterator<Item = &T> {
    let count = all.len().min(at_most);
    (0..count).map(move |number| &all[number * (all.len() - 1) / (count - 1).max(1)])
}

/// What decides what the scenario's application does.
fn does(scenario: &Scenario) -> (Platform, HostUse, Zombie, Build, [bool; 2]) {
    (
        scenario.platform,
        scenario.host,
        scenario.zombie,
        scenario.build,
        [scenario.companion_before, scenario.can_link],
    )
}

/// Whether the mutant's recovery table makes the start from this state do something else.
fn sways(mutant: &Mutant, scenario: &Scenario, state: &State) -> bool {
    let mut ignore = |_: &State| {};
    let mut machine = Machine::new(state.clone(), scenario, &mut ignore);
    let mut start = Start::new(true);
    start.go(&mut machine, None, Some(mutant), &mut |start, _, before| {
        start.swayed || matches!(before, Before::Migrate)
    });
    start.swayed
}

/// Every state to start from: the first state, and what one crash of a start leaves, with and
/// without another program's interference.
fn nodes(scenario: &Scenario) -> Vec<Node> {
    let mut nodes = vec![Node::first(scenario)];
    let first_of_ours = scenario.legacy_after().map_or(0, |after| after + 1);
    for _ in 0..first_of_ours {
        nodes = nodes
            .iter()
            .flat_map(|node| crashes(scenario, node, model(scenario, true), &Bounds::ONE_CRASH))
            .collect();
    }
    if first_of_ours == 1 {
        // The start that recovers what the legacy daemon left may be killed as well.
        let killed: Vec<Node> = nodes
            .iter()
            .flat_map(|node| crashes(scenario, node, model(scenario, false), &Bounds::ONE_CRASH))
            .collect();
        nodes.extend(killed);
    }
    if first_of_ours == 0 {
        let others = Bounds { actors: true, crash_after_interference: true, ..Bounds::ONE_CRASH };
        let plain = crashes(scenario, &nodes[0], model(scenario, true), &Bounds::ONE_CRASH);
        let disturbed = crashes(scenario, &nodes[0], model(scenario, false), &others)
            .into_iter()
            .filter(|node| node.happened);
        nodes.extend(plain.into_iter().chain(disturbed));
    }
    nodes
}

impl Fixture<'_> {
    fn attempt(&mut self, mutant: &Mutant, start: usize, stage: &Stage) -> Option<Counterexample> {
        let undo = matches!(mutant, Mutant::Step(step) if step.undo);
        // An undo needs a failure, in addition to what another program did before.
        let mut node = self.starts[start].node.clone();
        node.happened &= !undo;
        let recovers = !matches!(mutant, Mutant::Step(step) if step.kind.begins());
        let bounds = Bounds {
            crashes: node.crashes + 2,
            actors: stage.disturbed && !undo,
            faults: if stage.disturbed && undo { Faults::ToUndo } else { Faults::None },
            interference_after_crashes: node.crashes,
            crash_after_interference: true,
            exact: EXACT,
            only_recovery: recovers && stage.power_loss,
            ..Bounds::ONE_CRASH
        };
        let mut explorer = Explorer::new(
            self.scenario,
            model(self.scenario, stage.power_loss),
            &bounds,
            Some(mutant),
        );
        explorer.expand(&node);
        let by = Some(node.crashes);
        if let Some(bad) = explorer.report.bad.pop() {
            return Some(Counterexample { mutated: by, ..bad });
        }
        let model = explorer.model;
        explorer.queue.into_iter().find_map(|left| {
            let violation = self.judge(&left)?;
            Some(Counterexample {
                scenario: self.scenario.clone(),
                model,
                choices: left.choices(),
                mutated: by,
                violation,
            })
        })
    }

    /// Runs a right start from here and gives what it finds.
    fn judge(&mut self, left: &Node) -> Option<Violation> {
        let key = left.state.key();
        if let Some(known) = self.judged.get(&key) {
            return known.clone();
        }
        self.right.expand(left);
        let bad = self.right.report.bad.pop().map(|bad| bad.violation);
        if bad.is_some() {
            // The observations of a start that found a violation prove nothing for later starts.
            self.right = Explorer::new(self.scenario, Model::M0, &RIGHT, None);
        }
        self.judged.insert(key, bad.clone());
        bad
    }
}
