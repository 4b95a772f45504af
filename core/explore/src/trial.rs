//! The trial of mutants. Each is performed in one start, from every state that leads to what it
//! changes; what that leaves is judged by right starts. So where a state leads is found out once,
//! for all mutants.

use std::collections::BTreeMap;

use crate::boot::{Before, Boot};
use crate::disk::{HOME, Key};
use crate::machine::{Machine, companion_digest};
use crate::mutate::{Mutant, Told, performed};
use crate::search::{Explorer, Node, crashes};
use crate::sqlite::sidecar;
use crate::{
    Bounds, Build, Counterexample, Faults, HostUse, Model, Setting, State, Violation, Zombie,
};
use cutover_core::fault::Platform;

/// What became of a mutant.
#[derive(Debug)]
pub enum Fate {
    /// It was caught, by this.
    Caught(Box<Counterexample>),
    /// It makes no difference, because of this.
    Equivalent(&'static str),
    /// It was not caught, and nobody knows why.
    Survived,
}

/// Where mutants are tried.
pub struct Trial<'a> {
    /// The plans that right starts perform, each once.
    plans: Vec<Told>,
    benches: Vec<Bench<'a>>,
}

/// One setting.
struct Bench<'a> {
    setting: &'a Setting,
    /// The first bench whose application does the same.
    like: usize,
    starts: Vec<Start>,
    /// Right starts, nothing in their way.
    right: Explorer<'a>,
    /// Where they led from each state: nothing is wrong, or this.
    judged: BTreeMap<Key, Option<Violation>>,
}

/// A state to start from, and the plans that a right start performs then.
struct Start {
    node: Node,
    plans: Vec<usize>,
}

/// How a mutant is tried.
struct Stage {
    power_loss: bool,
    /// In how many of the starts that are much the same.
    at_most: usize,
    /// Whether something is in the way.
    disturbed: bool,
}

/// From what is quick to what is less so.
const STAGES: [Stage; 3] = [
    Stage { power_loss: false, at_most: 1, disturbed: false },
    Stage { power_loss: true, at_most: 3, disturbed: false },
    Stage { power_loss: true, at_most: 1, disturbed: true },
];
/// Of how many changes of a directory every subset may be lost: a flush that is taken out leaves
/// many.
pub(super) const EXACT: usize = 6;
/// An undisturbed start.
const RIGHT: Bounds = Bounds { crashes: 0, ..Bounds::ONE_CRASH };

fn model(setting: &Setting, power_loss: bool) -> Model {
    match (setting.platform, power_loss) {
        (Platform::Windows, _) => Model::Windows,
        (_, true) => Model::M2,
        (_, false) => Model::M0,
    }
}

impl<'a> Trial<'a> {
    /// Finds out what there is to start from.
    #[must_use]
    pub fn new(settings: &'a [Setting]) -> Self {
        let mut trial = Self { plans: Vec::new(), benches: Vec::new() };
        for setting in settings {
            let starts = nodes(setting).into_iter().map(|node| {
                let plans = performed(setting, &node.state)
                    .iter()
                    .map(|made| trial.number(Told::of(&made.plan)))
                    .collect();
                Start { node, plans }
            });
            let starts = starts.collect();
            let same = |bench: &Bench| does(bench.setting) == does(setting);
            let like = trial.benches.iter().position(same).unwrap_or(trial.benches.len());
            let right = Explorer::new(setting, Model::M0, &RIGHT, None);
            trial.benches.push(Bench { setting, like, starts, right, judged: BTreeMap::new() });
        }
        trial
    }

    fn number(&mut self, plan: Told) -> usize {
        let known = self.plans.iter().position(|other| *other == plan);
        known.unwrap_or_else(|| {
            self.plans.push(plan);
            self.plans.len() - 1
        })
    }

    /// Tries a mutant until it is caught.
    pub fn fate(&mut self, mutant: &Mutant) -> Fate {
        let alike = self.starts_of(mutant);
        if alike.is_empty() {
            return Fate::Equivalent("no state that was explored fits both rows");
        }
        for stage in &STAGES {
            for starts in &alike {
                for (bench, start) in spread(starts, stage.at_most) {
                    if let Some(bad) = self.benches[*bench].attempt(mutant, *start, stage) {
                        return Fate::Caught(Box::new(bad));
                    }
                }
            }
        }
        mutant.equivalent().map_or(Fate::Survived, Fate::Equivalent)
    }

    /// The starts that a mutant changes, by bench and place, those together that are much the same:
    /// they perform the same of what is changed, among files of the same names, beside the same
    /// companion, and with what is in canonical's log flushed, or not.
    fn starts_of(&self, mutant: &Mutant) -> Vec<Vec<(usize, usize)>> {
        let sees = |plan| match mutant {
            Mutant::Rows { .. } => true,
            Mutant::Step(step) => step.finds(plan).is_some(),
        };
        let wrong: Vec<bool> = self.plans.iter().map(sees).collect();
        // What a plan that begins something does wrong is seen from the first start of all.
        let begins = matches!(mutant, Mutant::Step(step) if step.kind.begins());
        let mut alike: BTreeMap<_, Vec<(usize, usize)>> = BTreeMap::new();
        for (number, bench) in self.benches.iter().enumerate() {
            for (index, Start { node, plans }) in bench.starts.iter().enumerate() {
                let performed: Vec<usize> =
                    plans.iter().copied().filter(|plan| wrong[*plan]).collect();
                if performed.is_empty() || (begins && node.crashes > 0) {
                    continue;
                }
                if mutant.table().is_none() || sways(mutant, bench.setting, &node.state) {
                    let disk = &node.state.disk;
                    let names: Vec<_> = disk.dirs.iter().flat_map(|dir| dir.now.keys()).collect();
                    let companion = bench
                        .setting
                        .companion
                        .as_ref()
                        .and_then(|(_, file)| disk.get(bench.setting.aside(), file.as_str()))
                        .map(companion_digest);
                    let log = disk
                        .ino(HOME, &sidecar(bench.setting.canonical.as_str(), "-wal"))
                        .map(|ino| disk.inodes[&ino].is_flushed());
                    alike
                        .entry((bench.like, performed, names, companion, log))
                        .or_default()
                        .push((number, index));
                }
            }
        }
        alike.into_values().collect()
    }
}

/// At most so many of these, from the first to the last.
fn spread<T>(all: &[T], at_most: usize) -> impl Iterator<Item = &T> {
    let count = all.len().min(at_most);
    (0..count).map(move |number| &all[number * (all.len() - 1) / (count - 1).max(1)])
}

/// What of a setting decides what its application does.
fn does(setting: &Setting) -> (Platform, HostUse, Zombie, Build, [bool; 2]) {
    (
        setting.platform,
        setting.host,
        setting.zombie,
        setting.build,
        [setting.companion_before, setting.can_link],
    )
}

/// Whether a recovery table in this order makes the start from this state do something else.
fn sways(mutant: &Mutant, setting: &Setting, state: &State) -> bool {
    let mut ignore = |_: &State| {};
    let mut machine = Machine::new(state.clone(), setting, &mut ignore);
    let mut boot = Boot::new(true);
    boot.go(&mut machine, None, Some(mutant), &mut |boot, _, before| {
        boot.swayed || matches!(before, Before::Migrate)
    });
    boot.swayed
}

/// Every state to start from: the first, and what a crash may leave, of a start that had nothing in
/// its way, or somebody else.
fn nodes(setting: &Setting) -> Vec<Node> {
    let mut nodes = vec![Node::first(setting)];
    let first_of_ours = setting.legacy_after().map_or(0, |after| after + 1);
    for _ in 0..first_of_ours {
        nodes = nodes
            .iter()
            .flat_map(|node| crashes(setting, node, model(setting, true), &Bounds::ONE_CRASH))
            .collect();
    }
    if first_of_ours == 1 {
        // What the daemon left is recovered by a start that may be killed as well.
        let killed: Vec<Node> = nodes
            .iter()
            .flat_map(|node| crashes(setting, node, model(setting, false), &Bounds::ONE_CRASH))
            .collect();
        nodes.extend(killed);
    }
    if first_of_ours == 0 {
        let others = Bounds { others: true, crash_after_happening: true, ..Bounds::ONE_CRASH };
        let plain = crashes(setting, &nodes[0], model(setting, true), &Bounds::ONE_CRASH);
        let disturbed = crashes(setting, &nodes[0], model(setting, false), &others)
            .into_iter()
            .filter(|node| node.happened);
        nodes.extend(plain.into_iter().chain(disturbed));
    }
    nodes
}

impl Bench<'_> {
    fn attempt(&mut self, mutant: &Mutant, start: usize, stage: &Stage) -> Option<Counterexample> {
        let undo = matches!(mutant, Mutant::Step(step) if step.undo);
        // An undo needs a failure, which may come on top of what somebody did before.
        let mut node = self.starts[start].node.clone();
        node.happened &= !undo;
        let recovers = !matches!(mutant, Mutant::Step(step) if step.kind.begins());
        let bounds = Bounds {
            crashes: node.crashes + 2,
            others: stage.disturbed && !undo,
            faults: if stage.disturbed && undo { Faults::ToUndo } else { Faults::None },
            happening_after_crashes: node.crashes,
            crash_after_happening: true,
            exact: EXACT,
            only_recovery: recovers && stage.power_loss,
            ..Bounds::ONE_CRASH
        };
        let mut explorer = Explorer::new(
            self.setting,
            model(self.setting, stage.power_loss),
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
                setting: self.setting.clone(),
                model,
                choices: left.choices(),
                mutated: by,
                violation,
            })
        })
    }

    /// What is wrong with a right start from here.
    fn judge(&mut self, left: &Node) -> Option<Violation> {
        let key = left.state.key();
        if let Some(known) = self.judged.get(&key) {
            return known.clone();
        }
        self.right.expand(left);
        let bad = self.right.report.bad.pop().map(|bad| bad.violation);
        if bad.is_some() {
            // What it looked at on the way is not to be taken for good.
            self.right = Explorer::new(self.setting, Model::M0, &RIGHT, None);
        }
        self.judged.insert(key, bad.clone());
        bad
    }
}
