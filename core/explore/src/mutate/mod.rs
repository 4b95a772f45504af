//! Mutants: plans with one fault. Each step of each plan is removed, and swapped with its
//! neighbour. Each two rules of the recovery table are swapped. Every mutant must be caught, or a
//! reason must say why it makes no difference.

mod equivalents;
mod plans;
mod runner;

use std::collections::BTreeSet;

use equivalents::REASONS;
pub use plans::{Made, made_of, plans};
pub use runner::{MutantOutcome, MutantRunner};

use crate::scenario::table::CANONICAL;
use crate::sim::start::PlanChange;
use cutover_core::{FileName, Nonce, Op, Plan, PlanKind, PlanPath, RecoveryTable, Role, Step};

/// How a plan is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The step is removed.
    Without,
    /// The step is swapped with the one that follows it.
    Swapped,
}

/// One fault, in every plan that it fits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// A changed step, in every plan that has it.
    Step(StepMutant),
    /// Two swapped rules of the recovery table.
    Rows {
        /// Which rules, in words.
        rows: String,
        /// The table with the two rules swapped.
        order: RowOrder,
    },
}

/// A recovery table in a wrong order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowOrder(RecoveryTable);

/// One change of every plan that has such a step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepMutant {
    /// The kind of plan.
    pub kind: PlanKind,
    /// Whether the step is in the plan's `undo` list, or in its steps.
    pub undo: bool,
    /// The step, in words.
    pub step: String,
    /// The step that follows, if the two are swapped.
    pub next: Option<String>,
    /// Which of the steps with these words, counted from 0.
    pub nth: usize,
    /// How the step is changed.
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

/// A step in words that do not depend on the attempt.
fn words(step: &Step) -> String {
    let op = &step.op;
    let more = match op {
        Op::WriteJournal { phase, .. } => format!(" {}", phase.as_str()),
        Op::SyncDir { companion: Some(_) } => " of the companion".to_owned(),
        Op::Rename { from, .. } | Op::RenameNew { from, .. } => {
            format!(" from {}", file_word(from))
        }
        _ => String::new(),
    };
    let file = op.file().map(|file| format!(" {}", file_word(&file))).unwrap_or_default();
    format!("{}{file}{more}", op.name())
}

/// The role of a file, without the time and the nonce of an attempt.
fn file_word(at: &PlanPath) -> String {
    let name = &at.name;
    let role = FileName::new(CANONICAL).ok().and_then(|of| Role::of(&of, name));
    role.filter(|_| at.companion.is_none())
        .map_or_else(|| without_nonce(name.as_str()), |role| role_word(&role, name.as_str()))
}

fn role_word(role: &Role, name: &str) -> String {
    let word = match role {
        Role::Sidecar(of) => {
            let (main, suffix) = name.rsplit_once('-').unwrap_or((name, ""));
            return format!("{}-{suffix}", role_word(of, main));
        }
        Role::Staging(_) => "staging",
        Role::Install(_) => "install",
        Role::Source(_) => "source",
        Role::Displaced(_) => "displaced",
        Role::Backup { .. } => "backup",
        Role::Receipt => "backup.json",
        Role::Journal(_) => "journal",
        Role::JournalTmp(..) => "journal.tmp",
        Role::JournalAside => "journal.aside",
        Role::LegacyJournal => "legacy-journal",
        Role::Canonical | Role::Lock => name,
    };
    word.to_owned()
}

/// Replaces the nonce of an attempt.
fn without_nonce(name: &str) -> String {
    let (main, end) = name.rsplit_once('-').unwrap_or((name, ""));
    let (nonce, rest) = end.split_at_checked(8).unwrap_or((end, ""));
    match Nonce::new(nonce) {
        Ok(_) => format!("{main}-*{rest}"),
        Err(_) => name.to_owned(),
    }
}

impl Mutant {
    /// Every mutant of the steps of these plans.
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

    /// Every swap of two rules of the recovery table.
    #[must_use]
    pub fn rows() -> Vec<Self> {
        let right = RecoveryTable::default();
        let legacy_last = RecoveryTable { legacy_first: false, ..right.clone() };
        let mut all = vec![Self::Rows {
            rows: "our journal before the legacy journal".into(),
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
                rows: format!("legacy: {a:?} after {b:?}"),
                order: RowOrder(RecoveryTable { legacy, ..right.clone() }),
            });
        }
        all
    }

    /// The listed reason why the mutant makes no difference.
    #[must_use]
    pub fn equivalent(&self) -> Option<&'static str> {
        let words = self.to_string();
        REASONS
            .iter()
            .find(|(_, mutants)| mutants.contains(&words.as_str()))
            .map(|(reason, _)| *reason)
    }

    /// Every mutant that has a listed reason, in words.
    pub fn explained() -> impl Iterator<Item = &'static str> {
        REASONS.iter().flat_map(|(_, mutants)| mutants.iter().copied())
    }
}

impl PlanChange for Mutant {
    fn table(&self) -> Option<&RecoveryTable> {
        match self {
            Self::Rows { order, .. } => Some(&order.0),
            Self::Step(_) => None,
        }
    }

    fn apply(&self, plan: Plan) -> Plan {
        match self {
            Self::Step(mutant) => mutant.apply(plan),
            Self::Rows { .. } => plan,
        }
    }
}

/// A plan in words that do not depend on the attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlanSignature {
    kind: PlanKind,
    steps: Vec<String>,
    undo: Vec<String>,
}

impl PlanSignature {
    pub(crate) fn of(plan: &Plan) -> Self {
        let told = |list: &[Step]| list.iter().map(words).collect();
        Self { kind: plan.kind, steps: told(&plan.steps), undo: told(&plan.undo) }
    }
}

/// Every swap of two of these.
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
    /// The index of the step that it changes in this plan.
    pub(crate) fn finds(&self, plan: &PlanSignature) -> Option<usize> {
        let list = if self.undo { &plan.undo } else { &plan.steps };
        let index = (0..list.len()).filter(|index| list[*index] == self.step).nth(self.nth);
        index.filter(|index| {
            plan.kind == self.kind
                && (self.change == Change::Without || list.get(index + 1) == self.next.as_ref())
        })
    }

    fn apply(&self, mut plan: Plan) -> Plan {
        let Some(index) = self.finds(&PlanSignature::of(&plan)) else { return plan };
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
