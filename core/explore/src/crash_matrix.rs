//! The crash matrix of one plan, for people: for each step and each way to stop, how many states a
//! crash may leave, and how many of them are bad. It runs one start at a time, so that a page can
//! show its progress and stop it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::check::{self, Violation};
use crate::model::power_loss::Model;
use crate::model::state::State;
use crate::negative_controls::{NEGATIVE_CONTROLS, count_flip};
use crate::replay;
use crate::scenario::bounds::Bounds;
use crate::scenario::{Build, InitialState, Scenario, Zombie, table};
use crate::search::{Choice, Explorer, Node};
use crate::sim::machine::Machine;
use crate::sim::start::{Before, Start, initial_state};
use cutover_core::{BuildBy, BuildFrom, Platform, Strategy};

/// The most crashes that a cell lists.
const MOST_LISTED: usize = 200;

/// Which plan, and how the machine may stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    /// How v2 becomes canonical. `two-rename` is the legacy daemon, for comparison: it builds by
    /// SQL, from nothing.
    pub strategy: Strategy,
    /// The operating system whose rules apply.
    pub platform: Platform,
    /// Who builds v2.
    pub by: BuildBy,
    /// What v2 starts as.
    pub from: BuildFrom,
    /// How the machine may stop: `M0` to `M3`, or on Windows `Windows`. One column each.
    pub models: Vec<Model>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CrashMatrix {
    /// The question.
    pub question: Question,
    /// The steps, in order: one row each.
    pub steps: Vec<CrashStep>,
    /// A row for each step, in it a cell for each of the question's models.
    pub cells: Vec<Vec<Cell>>,
    /// Distinct crash states, over all cells.
    pub states: u64,
    /// Those from which the next start ends badly.
    pub bad: u64,
    /// Those in which, before any start recovers, canonical is not a whole v1 or v2, or v1 cannot
    /// be reached.
    pub broken: u64,
    /// Flips alone, without a flush between their steps, as the design counted them by hand.
    pub flips: Vec<FlipCount>,
}

/// A step of the plan in which the machine stops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CrashStep {
    /// The op's name.
    pub op: String,
    /// The file that it is about.
    pub file: Option<String>,
    /// Why it is done.
    pub why: String,
    /// Its index in the plan's `steps`. Nothing for the legacy daemon.
    pub index: Option<u32>,
}

/// One step, and one way to stop in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Cell {
    /// Distinct states that a crash in this step may leave, and that no earlier step left.
    pub states: u32,
    /// Those from which the next start ends badly.
    pub bad: u32,
    /// Those that break an invariant before any start recovers.
    pub broken: u32,
    /// The first two hundred of them. The line of each replays it.
    pub crashes: Vec<Crash>,
}

/// One crash state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Crash {
    /// The line that replays it, with the start that follows.
    pub replay: String,
    /// What is wrong once the next start has ended.
    pub bad: Option<Broken>,
    /// What is wrong before it.
    pub broken: Option<Broken>,
}

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Broken {
    /// `I1` to `I10`.
    pub rule: String,
    /// What was found.
    pub what: String,
}

impl std::convert::From<Violation> for Broken {
    fn from(violation: Violation) -> Self {
        Self { rule: violation.rule.into(), what: violation.what }
    }
}

/// A flip that stands for its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FlipCount {
    /// In words.
    pub name: String,
    /// States that a power loss leaves where changes arrive in order.
    pub ordered: u32,
    /// Those that are bad.
    pub ordered_bad: u32,
    /// States where any subset may arrive.
    pub unordered: u32,
    /// Those that are bad.
    pub unordered_bad: u32,
}

/// How far an exploration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Progress {
    /// Crash states from which a start was run.
    pub done: u32,
    /// Crash states in all.
    pub total: u32,
}

/// An exploration that has begun.
pub struct Exploration {
    scenario: Scenario,
    /// The upgrade by cutover's own plan. The states of the legacy daemon are judged by the
    /// invariants of this scenario.
    promise: Scenario,
    /// The scenario's number in a replay line.
    number: usize,
    /// The change of the disk after which each step begins.
    begins: Vec<u32>,
    todo: VecDeque<(usize, Node)>,
    done: u32,
    matrix: CrashMatrix,
}

/// What the legacy daemon does, and in how many changes of the disk.
const LEGACY: [(&str, &str, u32); 11] = [
    ("write-journal", "the journal says building", 1),
    ("copy", "v1 is copied while it may be written to", 3),
    ("build", "v2 is built, and not looked at again", 3),
    ("write-journal", "the journal says built", 1),
    ("rename", "canonical is moved to the backup's name: canonical is missing from here on", 1),
    ("rename", "its log follows, one step later", 1),
    ("write-journal", "the journal says canonical-moved", 1),
    ("rename", "v2 is moved to canonical's name", 1),
    ("write-journal", "the journal says committed", 1),
    ("remove", "the copy of v1 is removed", 1),
    ("remove", "the companion's backup is removed", 1),
];

impl Exploration {
    /// Begins an exploration.
    ///
    /// # Errors
    /// Says why there is no such plan.
    pub fn new(question: Question) -> Result<Self, String> {
        let windows = question.platform == Platform::Windows;
        if question.models.is_empty() || question.models.len() > Model::ALL.len() {
            return Err("models: one to five".into());
        }
        if question.models.iter().any(|model| (*model == Model::Windows) != windows) {
            return Err("models: Windows on Windows, and M0 to M3 elsewhere".into());
        }
        let is_legacy = match question.strategy {
            Strategy::LinkReplace | Strategy::PageCopy => false,
            Strategy::TwoRename => true,
            Strategy::Restore | Strategy::RestorePageCopy => {
                return Err("strategy: link-replace, page-copy or two-rename".into());
            }
        };
        let like = |scenario: &Scenario| {
            (scenario.platform == Platform::Windows) == windows
                && (scenario.by, scenario.from) == (question.by, question.from)
                && (scenario.companion.is_none(), scenario.zombie, scenario.build)
                    == (true, Zombie::None, Build::Right)
        };
        let all = table::all();
        let ours = |links: bool| {
            all.iter().position(|of| {
                like(of) && of.initial == InitialState::WalRows && of.can_link == links
            })
        };
        let theirs = || all.iter().position(|of| like(of) && of.initial == InitialState::LegacyWal);
        let number =
            if is_legacy { theirs() } else { ours(question.strategy == Strategy::LinkReplace) };
        let (Some(number), Some(promise)) = (number, ours(true)) else {
            return Err("no such plan is explored".into());
        };
        let mut exploration = Self {
            scenario: all[number].clone(),
            promise: all[promise].clone(),
            number,
            begins: Vec::new(),
            todo: VecDeque::new(),
            done: 0,
            matrix: CrashMatrix {
                question,
                steps: Vec::new(),
                cells: Vec::new(),
                states: 0,
                bad: 0,
                broken: 0,
                flips: Vec::new(),
            },
        };
        if is_legacy {
            exploration.legacy_steps();
        } else {
            exploration.steps();
        }
        exploration.matrix.flips = flips(&exploration.promise);
        let (rows, columns) =
            (exploration.matrix.steps.len(), exploration.matrix.question.models.len());
        exploration.matrix.cells = vec![vec![Cell::default(); columns]; rows];
        for column in 0..columns {
            exploration.crash(column);
        }
        Ok(exploration)
    }

    /// How far the exploration is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let left = u32::try_from(self.todo.len()).unwrap_or(u32::MAX);
        Progress { done: self.done, total: self.done.saturating_add(left) }
    }

    /// Runs a start from one more crash state. False: none is left.
    pub fn step(&mut self) -> bool {
        let Some((column, node)) = self.todo.pop_front() else { return false };
        let model = self.matrix.question.models[column];
        let once = Bounds { crashes: 0, ..Bounds::ONE_CRASH };
        let mut explorer = Explorer::new(&self.scenario, model, &once, None);
        explorer.expand(&node);
        let bad = explorer.report.bad.into_iter().next().map(|bad| bad.violation);
        self.judge(column, &node.choices(), &node.state, bad);
        self.done += 1;
        true
    }

    /// The matrix. It is complete once [`Exploration::step`] gives false.
    #[must_use]
    pub fn matrix(&self) -> &CrashMatrix {
        &self.matrix
    }

    /// Lists every state that one crash of the first start may leave.
    fn crash(&mut self, column: usize) {
        let model = self.matrix.question.models[column];
        let bounds = Bounds { crashes: 2, stop_after: usize::MAX, ..Bounds::ONE_CRASH };
        let mut explorer = Explorer::new(&self.scenario, model, &bounds, None);
        explorer.expand(&Node::first(&self.scenario));
        // What the application does after the start has ended is no step of the start.
        let in_a_step = |choices: &[Choice]| {
            choices.first().is_some_and(|choice| choice.interference.is_none())
        };
        let left = std::mem::take(&mut explorer.queue)
            .into_iter()
            .filter(|node| in_a_step(&node.choices()));
        self.todo.extend(left.map(|node| (column, node)));
        // No start is run from a state that is bad already.
        let wrong = std::mem::take(&mut explorer.report.bad);
        for bad in wrong.into_iter().filter(|bad| in_a_step(&bad.choices)) {
            let state = replay::replay(&self.scenario, model, &bad.choices, None).1;
            self.judge(column, &bad.choices, &state, Some(bad.violation));
        }
    }

    fn judge(&mut self, column: usize, choices: &[Choice], state: &State, bad: Option<Violation>) {
        let Some((tick, _)) = choices.first().and_then(|choice| choice.crash) else { return };
        let row = self.begins.partition_point(|begin| *begin < tick).saturating_sub(1);
        let broken = check::at_every_instant(state, &self.promise);
        let Some(cell) = self.matrix.cells.get_mut(row).and_then(|row| row.get_mut(column)) else {
            return;
        };
        cell.states += 1;
        cell.bad += u32::from(bad.is_some());
        cell.broken += u32::from(broken.is_some());
        self.matrix.states += 1;
        self.matrix.bad += u64::from(bad.is_some());
        self.matrix.broken += u64::from(broken.is_some());
        if cell.crashes.len() < MOST_LISTED {
            let model = self.matrix.question.models[column].as_str();
            let replay = format!("{}/{model}/{},end", self.number, replay::line(choices));
            cell.crashes.push(Crash {
                replay,
                bad: bad.map(Broken::from),
                broken: broken.map(Broken::from),
            });
        }
    }

    /// The steps that a start performs without interference, and the change of the disk after which
    /// each begins.
    fn steps(&mut self) {
        let ticks = std::cell::Cell::new(0_u32);
        let mut observer = |_: &State| ticks.set(ticks.get() + 1);
        let mut machine =
            Machine::new(initial_state(&self.scenario), &self.scenario, &mut observer);
        let (begins, steps) = (&mut self.begins, &mut self.matrix.steps);
        Start::new(true).go(&mut machine, None, None, &mut |_, _, before| {
            let Before::Op(run, op) = before else { return false };
            let (undo, index) = run.position();
            let of = if undo { &run.plan().undo } else { &run.plan().steps };
            begins.push(ticks.get());
            steps.push(CrashStep {
                op: op.name().to_owned(),
                file: op.file().map(|file| file.to_string()),
                why: of.get(index).map(|step| step.why.clone()).unwrap_or_default(),
                index: u32::try_from(index).ok().filter(|_| !undo),
            });
            false
        });
    }

    fn legacy_steps(&mut self) {
        let mut at = 0;
        for (op, why, changes) in LEGACY {
            self.begins.push(at);
            at += changes;
            self.matrix.steps.push(CrashStep {
                op: op.into(),
                file: None,
                why: why.into(),
                index: None,
            });
        }
    }
}

fn flips(scenario: &Scenario) -> Vec<FlipCount> {
    let short = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let counted = |(flip, name, _, _): (_, &str, _, _)| {
        let [ordered, unordered] =
            [Model::M1, Model::M2].map(|model| count_flip(scenario, flip, model));
        FlipCount {
            name: name.into(),
            ordered: short(ordered.states),
            ordered_bad: short(ordered.bad),
            unordered: short(unordered.states),
            unordered_bad: short(unordered.bad),
        }
    };
    NEGATIVE_CONTROLS.into_iter().map(counted).collect()
}

/// Tells the story of one crash, line by line: what the start did, what was left, and what the next
/// start makes of it. `None`: the line names no crash.
#[must_use]
pub fn replay_crash(line: &str) -> Option<Vec<String>> {
    let (scenario, model, choices) = replay::parse_replay_line(line)?;
    // A line from elsewhere may name a crash that never was. A line without interferences and
    // copies is checked against the crashes that exist.
    let known = |choice: &Choice| choice.interference.is_none() && !choice.copied;
    if choices.len() > 2 || !choices.iter().all(known) {
        return None;
    }
    if let Some((tick, variant)) = choices.first()?.crash {
        let mut explorer =
            Explorer::new(&scenario, model, &Bounds { crashes: 2, ..Bounds::ONE_CRASH }, None);
        explorer.expand(&Node::first(&scenario));
        let there = |choices: &[Choice]| {
            choices.first().is_some_and(|choice| choice.crash == Some((tick, variant)))
        };
        if !explorer.queue.iter().any(|node| there(&node.choices())) {
            return None;
        }
    }
    if choices.get(1).is_some_and(|choice| choice.crash.is_some()) {
        return None;
    }
    Some(replay::replay(&scenario, model, &choices, None).0)
}
