//! Plans with one thing wrong with them. Every step of every plan is taken out, and swapped with
//! its neighbour, in turn: each such mutant must be caught, or it must be known why it makes no
//! difference.

use std::collections::BTreeSet;

use crate::boot::{Before, Boot};
use crate::equivalent::REASONS;
use crate::machine::Machine;
use crate::{Model, Setting, State, matrix, predict};
use cutover_core::observe::Observation;
use cutover_core::op::{Op, Step};
use cutover_core::plan::{Plan, PlanKind, RecoveryTable};

/// What is done to a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The step is not there.
    Without,
    /// The step comes after the one that follows it.
    Swapped,
}

/// One thing wrong, everywhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// In every plan that has such a step.
    Step(StepMutant),
    /// In the recovery table.
    Rows {
        /// Which rows, in words.
        rows: String,
        /// The table with the two in each other's place.
        order: RowOrder,
    },
}

/// A recovery table in an order that is not the right one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowOrder(RecoveryTable);

/// One change of every plan that has such a step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepMutant {
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
        match self {
            Self::Rows { rows, .. } => write!(f, "recovery table: {rows}"),
            Self::Step(mutant) => {
                let list = if mutant.undo { "undo" } else { "steps" };
                let nth =
                    if mutant.nth == 0 { String::new() } else { format!(" ({})", mutant.nth + 1) };
                match &mutant.next {
                    None => write!(f, "{:?} {list}: without {}{nth}", mutant.kind, mutant.step),
                    Some(next) => {
                        write!(f, "{:?} {list}: {}{nth} after {next}", mutant.kind, mutant.step)
                    }
                }
            }
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
    by_role(&without_nonces(&format!("{}{file}{more}", op.name())))
}

/// Says what a file is instead of its name, which has the time and the nonce of an attempt.
fn by_role(text: &str) -> String {
    // The nonce is left out already, and of the milliseconds the first eight digits are taken for
    // one.
    let names = [
        ("data.db.v1-v2-1000-*", "backup"),
        ("data.db.v1-v2-900-*", "backup"),
        ("data.db.v1-v2-*00000-*", "backup"),
        ("data.db.v1-v2-cutover.json.tmp-*", "journal.tmp"),
        ("data.db.v1-v2-cutover.json", "journal"),
        ("data.db.v1-v2-migration.json", "field-journal"),
        ("data.db.building-*", "staging"),
        ("data.db.install-*", "install"),
        ("data.db.source-*", "source"),
        ("data.db.displaced-*", "displaced"),
        ("auth/", ""),
    ];
    names.iter().fold(text.to_owned(), |text, (name, role)| text.replace(name, role))
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
    /// Every mutant of these plans' steps.
    #[must_use]
    pub fn all(plans: &[Plan]) -> BTreeSet<Self> {
        let mut all = BTreeSet::new();
        for plan in plans {
            for (undo, list) in [(false, &plan.steps), (true, &plan.undo)] {
                let told: Vec<String> = list.iter().map(words).collect();
                for (index, step) in told.iter().enumerate() {
                    let nth = told[..index].iter().filter(|other| *other == step).count();
                    let base = StepMutant {
                        kind: plan.kind,
                        undo,
                        step: step.clone(),
                        next: None,
                        nth,
                        change: Change::Without,
                    };
                    if let Some(next) = told.get(index + 1).filter(|next| *next != step) {
                        all.insert(Self::Step(StepMutant {
                            next: Some(next.clone()),
                            change: Change::Swapped,
                            ..base.clone()
                        }));
                    }
                    all.insert(Self::Step(base));
                }
            }
        }
        all
    }

    /// Every two rows of the recovery table in the other order.
    #[must_use]
    pub fn rows() -> Vec<Self> {
        let right = RecoveryTable::default();
        let legacy_last = RecoveryTable { legacy_first: false, ..right.clone() };
        let mut all = vec![Self::Rows {
            rows: "our journal before the field's".into(),
            order: RowOrder(legacy_last),
        }];
        for (a, b, ours) in swaps(right.ours) {
            all.push(Self::Rows {
                rows: format!("{a:?} after {b:?}"),
                order: RowOrder(RecoveryTable { ours, ..right.clone() }),
            });
        }
        for (a, b, legacy) in swaps(right.legacy) {
            all.push(Self::Rows {
                rows: format!("the field's {a:?} after {b:?}"),
                order: RowOrder(RecoveryTable { legacy, ..right.clone() }),
            });
        }
        all
    }

    /// Why it makes no difference; nothing where nobody says that it does not.
    #[must_use]
    pub fn equivalent(&self) -> Option<&'static str> {
        let words = self.to_string();
        REASONS
            .iter()
            .find(|(_, mutants)| mutants.contains(&words.as_str()))
            .map(|(reason, _)| *reason)
    }

    /// Every mutant that a reason is listed for, in words.
    pub fn explained() -> impl Iterator<Item = &'static str> {
        REASONS.iter().flat_map(|(_, mutants)| mutants.iter().copied())
    }

    pub(crate) fn table(&self) -> Option<&RecoveryTable> {
        match self {
            Self::Rows { order, .. } => Some(&order.0),
            Self::Step(_) => None,
        }
    }

    /// The changed plan.
    #[must_use]
    pub fn apply(&self, plan: Plan) -> Plan {
        match self {
            Self::Step(mutant) => mutant.apply(plan),
            Self::Rows { .. } => plan,
        }
    }
}

/// A plan in words that are the same for every attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    kind: PlanKind,
    steps: Vec<String>,
    undo: Vec<String>,
}

impl Told {
    pub(super) fn of(plan: &Plan) -> Self {
        let told = |list: &[Step]| list.iter().map(words).collect();
        Self { kind: plan.kind, steps: told(&plan.steps), undo: told(&plan.undo) }
    }
}

/// Every two of these in the other order.
fn swaps<R: Copy, const N: usize>(right: [R; N]) -> impl Iterator<Item = (R, R, [R; N])> {
    (0..N).flat_map(move |a| {
        (a + 1..N).map(move |b| {
            let mut swapped = right;
            swapped.swap(a, b);
            (right[a], right[b], swapped)
        })
    })
}

impl StepMutant {
    /// The step that it changes in this plan.
    pub(super) fn finds(&self, plan: &Told) -> Option<usize> {
        let list = if self.undo { &plan.undo } else { &plan.steps };
        let index = (0..list.len()).filter(|index| list[*index] == self.step).nth(self.nth);
        index.filter(|index| {
            plan.kind == self.kind
                && (self.change == Change::Without || list.get(index + 1) == self.next.as_ref())
        })
    }

    fn apply(&self, mut plan: Plan) -> Plan {
        let Some(index) = self.finds(&Told::of(&plan)) else { return plan };
        let list = if self.undo { &mut plan.undo } else { &mut plan.steps };
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
            Change::Swapped => list.swap(index, index + 1),
        }
        plan
    }
}

/// A plan, and what it was made of; nothing where it was made of more: of what an earlier recovery
/// of the same start could not undo.
#[derive(Debug, Clone)]
pub struct Made {
    /// The plan.
    pub plan: Plan,
    /// What was seen.
    pub seen: Option<Observation>,
}

/// The plans that the exploration of each of these settings meets: those of the first start, and of
/// the starts after one crash of it.
#[must_use]
pub fn plans(settings: &[Setting]) -> Vec<Vec<Plan>> {
    let plans = |setting| made_of(setting).into_iter().map(|made| made.plan).collect();
    settings.iter().map(plans).collect()
}

/// The same of one setting, each with what it was first made of.
#[must_use]
pub fn made_of(setting: &Setting) -> Vec<Made> {
    let mut plans: Vec<Made> = Vec::new();
    let first = setting.links().then(|| matrix::lay(setting));
    for state in first.into_iter().chain(predict::crash_states(setting, Model::M2)) {
        for made in performed(setting, &state) {
            if plans.iter().all(|other| other.plan != made.plan) {
                plans.push(made);
            }
        }
    }
    plans
}

/// The plans that a start from this state performs.
pub(super) fn performed(setting: &Setting, state: &State) -> Vec<Made> {
    let mut plans: Vec<Made> = Vec::new();
    let mut ignore = |_: &State| {};
    let mut machine = Machine::new(state.clone(), setting, &mut ignore);
    Boot::new(true).go(&mut machine, None, None, &mut |boot, machine, before| {
        if let Before::Op(run, _) = before
            && plans.last().is_none_or(|made| made.plan != *run.plan())
        {
            let seen = machine.seen.clone().filter(|_| boot.left.is_none());
            plans.push(Made { plan: run.plan().clone(), seen });
        }
        false
    });
    plans
}
