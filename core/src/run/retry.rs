//! How long to wait, and when to stop waiting: one budget for the whole plan, so that a start never
//! hangs for minutes.

use serde::{Deserialize, Serialize};

/// The waits of one op, in milliseconds; the last one repeats while the budget lasts.
pub const DELAYS_MS: [u64; 7] = [50, 100, 250, 500, 1000, 2000, 4000];

/// The default budget: the whole series once, and some of its last wait again.
pub const BUDGET_MS: u64 = 10_000;

/// One budget of waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Budget {
    /// What all waits of the run may add up to, milliseconds.
    pub total_ms: u64,
    /// What they add up to so far.
    pub waited_ms: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self::of(BUDGET_MS)
    }
}

impl Budget {
    /// A budget of which nothing is used yet.
    #[must_use]
    pub fn of(total_ms: u64) -> Self {
        Self { total_ms, waited_ms: 0 }
    }

    /// The wait before try number `tries + 1` of one op, or nothing when the budget is used up.
    /// Counts it as waited.
    pub fn next_delay_ms(&mut self, tries: u32) -> Option<u64> {
        let index = (tries.max(1) as usize - 1).min(DELAYS_MS.len() - 1);
        let left_ms = self.total_ms.saturating_sub(self.waited_ms);
        let delay_ms = DELAYS_MS[index].min(left_ms);
        self.waited_ms += delay_ms;
        (delay_ms > 0).then_some(delay_ms)
    }
}
