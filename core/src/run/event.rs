//! What a run tells while it goes on.

use serde::{Deserialize, Serialize};

use crate::fault::Holder;
use crate::journal::{Phase, Warning};
use crate::plan::{PlanKind, Recovery};

/// One thing that happened. Every wait and every retry is reported as it happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum Event {
    /// A plan begins.
    Plan {
        /// What it is for.
        kind: PlanKind,
        /// How many steps it has.
        steps: u32,
        /// 1 for the first try.
        attempt: u32,
    },
    /// A step begins.
    Step {
        /// From 0, in `steps` or in `undo`.
        index: u32,
        /// How many there are in that list.
        total: u32,
        /// The op's name.
        op: String,
        /// The file it is about.
        file: Option<String>,
        /// Why it is done.
        why: String,
        /// Whether it is an undo step.
        undo: bool,
    },
    /// Somebody is in the way; the run waits and tries again.
    Wait {
        /// The op that waits.
        op: String,
        /// The file it is about.
        file: Option<String>,
        /// This wait, milliseconds.
        delay_ms: u64,
        /// All waits of this run with this one, milliseconds.
        waited_ms: u64,
        /// What they may add up to, milliseconds.
        budget_ms: u64,
        /// What is in the way.
        reason: String,
        /// Who, as far as that can be told.
        holders: Vec<Holder>,
    },
    /// The journal is durable in this phase.
    Phase {
        /// Which one.
        phase: Phase,
    },
    /// The host's own progress. A face adds it to the run's events: it comes from the host while
    /// the run waits for it.
    Progress {
        /// How much is done, in the host's own unit.
        done: u64,
        /// Of how much, where the host knows.
        total: Option<u64>,
    },
    /// Something went less than well.
    Warning {
        /// What.
        warning: Warning,
    },
    /// The steps so far are being undone.
    Undo {
        /// Because of this.
        reason: String,
    },
    /// An interrupted cutover was dealt with.
    Recovered {
        /// How.
        recovery: Recovery,
    },
}
