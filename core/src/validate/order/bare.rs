//! What is judged of a plan without a walk: an index, conditions, and plans without a journal.

use crate::fault::Platform;
use crate::journal::{Phase, Strategy};
use crate::names::At;
use crate::op::{Guard, Op};
use crate::plan::{Plan, PlanKind};
use crate::validate::{Finding, Severity};

/// The index says where the rule of endings changes; a wrong one fails to fail. [`Plan::check`]
/// proves the flip's.
pub(super) fn clean_up_index(plan: &Plan) -> Option<Finding> {
    let cleanup = plan.cleanup_from? as usize;
    let journal = plan.journal.as_ref().filter(|journal| {
        plan.platform == Platform::Windows && journal.strategy != Strategy::TwoRename
    });
    // A recovery may put v1 back there as long as the journal says `built`: nobody is told of v2
    // before it says `committed`.
    let committed = journal.and_then(|journal| {
        let written = plan
            .steps
            .iter()
            .position(|step| matches!(step.op, Op::WriteJournal { phase: Phase::Committed, .. }))?;
        let file = At::from(&journal.file());
        plan.steps
            .iter()
            .rposition(|step| matches!(&step.op, Op::Rename { to, .. } if *to == file))
            .map(|renamed| renamed.max(written))
    });
    let last = plan.flip_at.map(|flip| flip as usize).max(committed)?;
    let secured = plan
        .steps
        .iter()
        .enumerate()
        .skip(last)
        .find(|(_, step)| step.op == Op::SyncDir { companion: None });
    secured.is_none_or(|(at, _)| cleanup <= at).then(|| Finding {
        rule: "clean-up-index".into(),
        severity: Severity::Error,
        step: None,
        undo: false,
        message: "cleanupFrom lies before the flush that makes v2, or on Windows `committed`, \
                  durable: a failing flush would be a warning"
            .into(),
        hint: "make the plan anew with this release".into(),
    })
}

/// A step under a condition may not be performed at all, so each kind of step has the conditions
/// under which nothing needs it.
pub(super) fn guards(plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (undo, list) in [(false, &plan.steps), (true, &plan.undo)] {
        for (index, step) in list.iter().enumerate() {
            let before = index.checked_sub(1).and_then(|before| list[before].when.as_ref());
            if step.when.as_ref().is_some_and(|when| !may_wait(when, &step.op, before, undo)) {
                findings.push(Finding {
                    rule: "guard".into(),
                    severity: Severity::Error,
                    step: u32::try_from(index).ok(),
                    undo,
                    message: format!(
                        "{} is only done under a condition that is not this step's",
                        step.op.name()
                    ),
                    hint: "make the plan anew with this release".into(),
                });
            }
        }
    }
    findings
}

fn may_wait(when: &Guard, op: &Op, before: Option<&Guard>, undo: bool) -> bool {
    let (companion, ok) = match when {
        Guard::StagingHeld {} => return matches!(op, Op::Restage { .. }),
        Guard::StagingFree {} => {
            return matches!(op, Op::Settle { .. } | Op::Rename { .. }) && op.companion().is_none();
        }
        Guard::CompanionStaged { companion } => {
            (companion, !undo && matches!(op, Op::LookCompanion { .. } | Op::Rename { .. }))
        }
        Guard::CompanionStagedOverChange { companion } => {
            (companion, !undo && matches!(op, Op::Link { .. } | Op::Rename { .. }))
        }
        Guard::CompanionChanged { companion } => {
            (companion, undo && matches!(op, Op::Link { .. } | Op::Rename { .. }))
        }
        Guard::CompanionDiffers { companion } => {
            (companion, undo && matches!(op, Op::Rename { .. }))
        }
    };
    // A flush is done where the change right before it is.
    op.companion() == Some(companion)
        && (ok || (matches!(op, Op::SyncDir { .. }) && before == Some(when)))
}

/// Setting a journal aside, or removing journals that were being written: flush, act, flush.
pub(super) fn judge_without_journal(plan: &Plan) -> Vec<Finding> {
    // Of these the structure is proven step by step.
    if matches!(plan.kind, PlanKind::Prune | PlanKind::LeaveZombie) {
        return Vec::new();
    }
    let flush = |at: usize| {
        plan.steps.get(at).is_some_and(|step| step.op == Op::SyncDir { companion: None })
    };
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
