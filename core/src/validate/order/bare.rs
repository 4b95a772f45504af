//! What is judged of a plan without a walk: an index, and plans without a journal.

use crate::op::Op;
use crate::plan::Plan;
use crate::validate::{Finding, Severity};

/// The index says where the rule of endings changes; a wrong one fails to fail. [`Plan::check`] proves the flip's.
pub(super) fn clean_up_index(plan: &Plan) -> Option<Finding> {
    let (flip, cleanup) = (plan.flip_at? as usize, plan.cleanup_from? as usize);
    let secured = plan.steps.iter().enumerate().skip(flip).find(|(_, step)| step.op == Op::SyncDir { companion: None });
    secured.is_none_or(|(at, _)| cleanup <= at).then(|| Finding {
        rule: "clean-up-index".into(),
        severity: Severity::Error,
        step: None,
        undo: false,
        message: "cleanupFrom lies before the flush that makes v2 durable: a failing flush would be a warning".into(),
        hint: "make the plan anew with this release".into(),
    })
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
