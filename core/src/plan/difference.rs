//! Where a plan differs from the right one.

use super::Plan;
use crate::op::Step;

/// The first step of a list that differs from the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// Whether the list is `undo`.
    pub undo: bool,
    /// The index in the list.
    pub index: usize,
    /// Which step is there, and which belongs there.
    pub message: String,
    /// Why that step belongs there; nothing where the right list has ended.
    pub why: Option<String>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = if self.undo { "undo" } else { "steps" };
        write!(f, "{list}[{}]: {}", self.index, self.message)?;
        self.why.iter().try_for_each(|why| write!(f, " ({why})"))
    }
}

/// Whether two steps do the same. Their reasons are not compared: they change between releases.
fn same(a: &Step, b: &Step) -> bool {
    a.op == b.op && a.when == b.when
}

/// The first difference of the steps, and of the undo.
pub(crate) fn differences(plan: &Plan, right: &Plan) -> Vec<Difference> {
    [(false, &plan.steps, &right.steps), (true, &plan.undo, &right.undo)]
        .into_iter()
        .filter_map(|(undo, steps, right)| {
            let index = same_first(steps, right);
            let message = match (steps.get(index), right.get(index)) {
                (None, None) => return None,
                (Some(step), Some(right)) => {
                    format!("{} stands here; {} belongs here", words(step), words(right))
                }
                (Some(step), None) => format!("{} stands here; nothing belongs here", words(step)),
                (None, Some(right)) => format!("the list ends; {} belongs here", words(right)),
            };
            let why = right.get(index).map(|step| step.why.clone());
            Some(Difference { undo, index, message, why })
        })
        .collect()
}

/// How many steps two plans do not have in common, at the beginning or at the end.
pub(crate) fn distance(plan: &Plan, right: &Plan) -> usize {
    let lists = [(&plan.steps, &right.steps), (&plan.undo, &right.undo)];
    let steps: usize = lists
        .into_iter()
        .map(|(steps, right)| {
            let first = same_first(steps, right);
            let (steps, right) = (&steps[first..], &right[first..]);
            let last = steps.iter().rev().zip(right.iter().rev()).take_while(|(a, b)| same(a, b));
            steps.len() + right.len() - 2 * last.count()
        })
        .sum();
    let marks = |plan: &Plan| (plan.kind, plan.flip_at, plan.cleanup_from);
    steps + usize::from(marks(plan) != marks(right))
}

fn same_first(a: &[Step], b: &[Step]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| same(a, b)).count()
}

/// The op with its files, and its guard, on one line.
fn words(step: &Step) -> String {
    let op = serde_json::to_value(&step.op).unwrap_or_default();
    let fields = op.as_object().into_iter().flatten();
    let fields =
        fields.filter(|(key, value)| *key != "op" && !value.is_null()).map(|(key, value)| {
            value.as_str().map_or_else(|| format!("{key}={value}"), |text| format!("{key}={text}"))
        });
    let guard = serde_json::to_value(&step.when).unwrap_or_default();
    let guard = ["if", "companion"]
        .into_iter()
        .filter_map(|key| guard.get(key)?.as_str().map(|text| format!("{key} {text}")));
    let words: Vec<String> =
        std::iter::once(step.op.name().to_owned()).chain(fields).chain(guard).collect();
    words.join(" ")
}
