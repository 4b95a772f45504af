//! How long a run waits, and when it stops waiting. The whole plan has one budget, so that a start
//! never hangs for minutes.

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::fault::{OpError, OpErrorKind, Retry};
use crate::names::PlanPath;
use crate::op::Op;

use super::ending::Cause;
use super::{Event, Run, Stage};

/// The waits of one op, in milliseconds. The last one repeats while the budget lasts.
pub const DELAYS_MS: [u64; 7] = [50, 100, 250, 500, 1000, 2000, 4000];

/// The default budget: the whole series once, and a part of its last wait again.
pub const BUDGET_MS: u64 = 10_000;

/// A budget of waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Budget {
    /// How long all waits together may take, in milliseconds.
    pub total_ms: u64,
    /// How long they took so far, in milliseconds.
    pub waited_ms: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(BUDGET_MS)
    }
}

impl Budget {
    /// A budget that is unused.
    #[must_use]
    pub fn of(total_ms: u64) -> Self {
        Self { total_ms, waited_ms: 0 }
    }

    /// The wait before try number `tries + 1` of one op. Nothing when the budget is used up. Counts
    /// the wait as used.
    pub fn next_delay_ms(&mut self, tries: u32) -> Option<u64> {
        let index = (tries.max(1) as usize - 1).min(DELAYS_MS.len() - 1);
        let left_ms = self.total_ms.saturating_sub(self.waited_ms);
        let delay_ms = DELAYS_MS[index].min(left_ms);
        self.waited_ms += delay_ms;
        (delay_ms > 0).then_some(delay_ms)
    }
}

impl Run {
    /// Takes the error of the current op, which the driver could not perform.
    pub fn handle_fault(&mut self, fault: &OpError) {
        if self.stage != Stage::Performing {
            return;
        }
        let Some(op) = self.current().cloned() else { return };
        self.tries += 1;
        // A callback that stops because the application asked for it has not failed.
        if self.cancelled && self.can_abort() && fault.cause == OpErrorKind::Host {
            return self.abort();
        }
        let class = fault.class(self.plan.platform, op.is_sync());
        if class == Retry::Transient
            && let Some(delay_ms) = self.budget.next_delay_ms(self.tries)
        {
            self.events.push_back(Event::Wait {
                op: (&op).into(),
                file: fault.file.as_ref().or(op.file().as_ref()).map(PlanPath::to_string),
                delay_ms,
                waited_ms: self.budget.waited_ms,
                budget_ms: self.budget.total_ms,
                reason: fault.message.clone(),
                holders: match &fault.cause {
                    OpErrorKind::Held { holders } => holders.clone(),
                    _ => Vec::new(),
                },
            });
            self.stage = Stage::Waiting { delay_ms };
            return;
        }
        let mut fault = fault.clone();
        fault.file = fault.file.or_else(|| op.file());
        let mut failure = Failure::from_fault(&fault, op.name(), class == Retry::NoSpace);
        failure.attempts = self.tries;
        failure.waited_ms = self.budget.waited_ms;
        failure.phase = self.phase;
        let cause = match (&fault.cause, class) {
            (OpErrorKind::V1Changed | OpErrorKind::CompanionChanged, _) => Cause::Changed,
            (_, Retry::Transient) => Cause::InUse,
            _ => Cause::Permanent,
        };
        // A page copy that was begun may need SQLite's rollback, which is the first thing that the
        // next start does. Only the next start can tell whether canonical is still v1, so the copy
        // of v1 must stay.
        self.half_copied |= matches!(op, Op::PageCopy { .. })
            && class != Retry::Transient
            && fault.cause != OpErrorKind::SecondName;
        self.fail(failure, cause);
    }

    /// Notes that the driver has waited.
    pub fn handle_waited(&mut self) {
        if matches!(self.stage, Stage::Waiting { .. }) {
            self.stage = Stage::Ready;
        }
    }
}
