//! What is judged of a plan without a walk: its indexes, and plans without a journal.

use crate::names::At;
use crate::op::Op;
use crate::plan::{Plan, PlanKind};
use crate::validate::{Finding, Severity};

/// The indexes say where the rule of endings changes; a wrong one undoes a v2 or fails a start for a clean-up.
pub(super) fn indexes(plan: &Plan) -> Vec<Finding> {
    let Some(journal) = &plan.journal else { return Vec::new() };
    let canonical = At::from(&journal.names.canonical);
    let position = |found: &dyn Fn(&Op) -> bool| plan.steps.iter().position(|step| found(&step.op)).and_then(|at| u32::try_from(at).ok());
    let flip = position(&|op| matches!(op, Op::Rename { to, .. } if *to == canonical));
    let mut findings = Vec::new();
    let mut find = |rule: &str, message: String| {
        findings.push(Finding {
            rule: rule.into(),
            severity: Severity::Error,
            step: None,
            undo: false,
            message,
            hint: "make the plan anew with this release".into(),
        });
    };
    if flip != plan.flip_at && plan.kind != PlanKind::Undo {
        find("flip-index", format!("flipAt is {:?}, and the step that makes v2 canonical is {flip:?}", plan.flip_at));
    }
    if let (Some(flip), Some(cleanup)) = (flip, plan.cleanup_from) {
        let secured = plan.steps.iter().enumerate().skip(flip as usize).find(|(_, step)| step.op == Op::SyncDir { companion: None });
        if secured.is_none_or(|(at, _)| (cleanup as usize) <= at) {
            find("clean-up-index", "cleanupFrom lies before the flush that makes v2 durable: a failing flush would be a warning".into());
        }
    }
    findings
}

/// Setting a journal aside, or removing journals that were being written: flush, act, flush.
pub(super) fn judge_without_journal(plan: &Plan) -> Vec<Finding> {
    let flush = |at: usize| plan.steps.get(at).is_some_and(|step| step.op == Op::SyncDir { companion: None });
    let mut findings = Vec::new();
    if !flush(0) {
        findings.push(Finding {
            rule: "recovery-flush-first".into(),
            severity: Severity::Error,
            step: Some(0),
            undo: false,
            message: "a recovery acts on what it sees before that is durable".into(),
            hint: "flush the directory first".into(),
        });
    }
    if plan.steps.len() < 3 || !flush(plan.steps.len() - 1) {
        findings.push(Finding {
            rule: "last-flush".into(),
            severity: Severity::Warning,
            step: None,
            undo: false,
            message: "the change is not flushed: the next start may do it again".into(),
            hint: "flush the directory last".into(),
        });
    }
    findings
}
