//! Plans with one thing wrong with them. Every step of every plan is taken out, and swapped with its neighbour, in turn: each such mutant must be
//! caught, or it must be known why it makes no difference.

use std::collections::BTreeSet;

use super::boot::{Before, Boot};
use super::machine::Machine;
use super::{Bounds, Counterexample, Model, Setting, State, explore, matrix, predict};
use crate::op::{Op, Step};
use crate::plan::{Plan, PlanKind};

/// What is done to a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The step is not there.
    Without,
    /// The step comes after the one that follows it.
    Swapped,
}

/// One change of every plan that has such a step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mutant {
    /// In plans of this kind.
    pub kind: PlanKind,
    /// In their `undo` list, or in their steps.
    pub undo: bool,
    /// The step, in words.
    pub step: String,
    /// The one that follows it, for a swap.
    pub next: Option<String>,
    /// Which of the steps that read the same: from 0.
    pub nth: usize,
    /// What is done to it.
    pub change: Change,
}

impl std::fmt::Display for Mutant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = if self.undo { "undo" } else { "steps" };
        let nth = if self.nth == 0 { String::new() } else { format!(" ({})", self.nth + 1) };
        match &self.next {
            None => write!(f, "{:?} {list}: without {}{nth}", self.kind, self.step),
            Some(next) => write!(f, "{:?} {list}: {}{nth} after {next}", self.kind, self.step),
        }
    }
}

/// A step in words that are the same for every attempt.
fn words(step: &Step) -> String {
    let op = &step.op;
    let more = match op {
        Op::WriteJournal { phase, .. } => format!(" {}", phase.as_str()),
        Op::SyncDir { companion: Some(_) } => " of the companion".to_owned(),
        Op::Rename { from, .. } | Op::RenameNew { from, .. } => format!(" from {from}"),
        _ => String::new(),
    };
    let file = op.file().map(|file| format!(" {file}")).unwrap_or_default();
    without_nonces(&format!("{}{file}{more}", op.name()))
}

/// Leaves out the eight digits that tell attempts apart.
fn without_nonces(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('-').enumerate() {
        let (digits, rest) = part.split_at_checked(8).unwrap_or((part, ""));
        let nonce = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if index > 0 {
            out.push('-');
        }
        out.push_str(if nonce { "*" } else { digits });
        out.push_str(rest);
    }
    out
}

impl Mutant {
    /// Every mutant of these plans.
    #[must_use]
    pub fn all(plans: &[Plan]) -> BTreeSet<Self> {
        let mut all = BTreeSet::new();
        for plan in plans {
            for (undo, list) in [(false, &plan.steps), (true, &plan.undo)] {
                let told: Vec<String> = list.iter().map(words).collect();
                for (index, step) in told.iter().enumerate() {
                    let nth = told[..index].iter().filter(|other| *other == step).count();
                    let base = Self { kind: plan.kind, undo, step: step.clone(), next: None, nth, change: Change::Without };
                    if let Some(next) = told.get(index + 1).filter(|next| *next != step) {
                        all.insert(Self { next: Some(next.clone()), change: Change::Swapped, ..base.clone() });
                    }
                    all.insert(base);
                }
            }
        }
        all
    }

    /// The changed plan.
    #[must_use]
    pub fn apply(&self, mut plan: Plan) -> Plan {
        if plan.kind != self.kind {
            return plan;
        }
        let list = if self.undo { &mut plan.undo } else { &mut plan.steps };
        let told: Vec<String> = list.iter().map(words).collect();
        let Some(index) = (0..told.len()).filter(|index| told[*index] == self.step).nth(self.nth) else { return plan };
        match self.change {
            Change::Without => {
                list.remove(index);
                if !self.undo {
                    for mark in [&mut plan.flip_at, &mut plan.cleanup_from].into_iter().flatten() {
                        if (*mark as usize) > index {
                            *mark -= 1;
                        }
                    }
                }
            }
            Change::Swapped if told.get(index + 1) == self.next.as_ref() => list.swap(index, index + 1),
            Change::Swapped => {}
        }
        plan
    }
}

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

/// The plans that the exploration of each of these settings meets: those of the first start, and of the starts after one crash of it.
#[must_use]
pub fn plans(settings: &[Setting]) -> Vec<Vec<Plan>> {
    settings.iter().map(plans_of).collect()
}

fn plans_of(setting: &Setting) -> Vec<Plan> {
    let mut plans = Vec::new();
    let first = setting.links().then(|| matrix::lay(setting));
    for state in first.into_iter().chain(predict::crash_states(setting, Model::M2)) {
        let mut ignore = |_: &State| {};
        let mut machine = Machine::new(state, setting, &mut ignore);
        Boot::new(true).go(&mut machine, None, None, &mut |_, _, before| {
            if let Before::Op(run, _) = before
                && !plans.contains(run.plan())
            {
                plans.push(run.plan().clone());
            }
            false
        });
    }
    plans
}

/// Explores a mutant, from those settings whose plans it changes, until it is caught.
#[must_use]
pub fn fate(mutant: &Mutant, settings: &[Setting], plans: &[Vec<Plan>]) -> Fate {
    let plain = Bounds::ONE_CRASH;
    let changed = |plans: &[Plan]| plans.iter().any(|plan| mutant.apply(plan.clone()) != *plan);
    let settings: Vec<&Setting> = settings.iter().zip(plans).filter(|(_, plans)| changed(plans)).map(|(setting, _)| setting).collect();
    let mut runs = vec![(Model::M2, plain), (Model::M0, Bounds { crashes: 0, others: true, ..plain })];
    if mutant.kind != PlanKind::Migrate {
        runs.push((Model::M3, Bounds { crashes: 2, ..plain }));
        runs.push((Model::M0, Bounds { crashes: 1, others: true, happening_after_crashes: 1, ..plain }));
    }
    for (model, bounds) in &runs {
        for setting in &settings {
            if let Some(bad) = explore(setting, *model, bounds, Some(mutant)).bad.into_iter().next() {
                return Fate::Caught(Box::new(bad));
            }
        }
    }
    reason(mutant).map_or(Fate::Survived, Fate::Equivalent)
}

/// Why a mutant that is not caught makes no difference.
fn reason(_mutant: &Mutant) -> Option<&'static str> {
    None
}
