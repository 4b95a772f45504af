//! The events of a run.

use serde::{Deserialize, Serialize};

use crate::fault::Holder;
use crate::journal::{Phase, Warning};
use crate::op_name::OpName;
use crate::plan::{PlanKind, Recovery};

fn build_host() -> OpName {
    OpName::BuildHost
}

/// One event of a run. A run reports every wait and every retry as it happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "type", rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum Event {
    /// A plan begins.
    Plan {
        /// What the plan is for.
        kind: PlanKind,
        /// How many steps the plan has.
        steps: u32,
        /// 1 for the first try.
        attempt: u32,
    },
    /// A step begins.
    Step {
        /// The index of the step, from 0, in `steps` or in `undo`.
        index: u32,
        /// How many steps that list has.
        total: u32,
        /// The op's name.
        op: OpName,
        /// The file that the op is about.
        file: Option<String>,
        /// Why the run does this step.
        why: String,
        /// Whether the step is one of `undo`.
        undo: bool,
    },
    /// Another process is in the way. The run waits and tries again.
    Wait {
        /// The op that waits.
        op: OpName,
        /// The file that the op is about.
        file: Option<String>,
        /// How long this wait takes, in milliseconds.
        delay_ms: u64,
        /// How long all waits of this run take, with this one, in milliseconds.
        waited_ms: u64,
        /// How long they may take, in milliseconds.
        budget_ms: u64,
        /// What is in the way.
        reason: String,
        /// The processes that are in the way, as far as the platform names them.
        holders: Vec<Holder>,
    },
    /// The journal is durable in this phase.
    Phase {
        /// The phase.
        phase: Phase,
    },
    /// How far an op is that takes long: told at most ten times a second, also where nothing is
    /// known but that it goes on.
    Progress {
        /// The op's name.
        // An older release wrote so what is `BuildProgress` now, without the op.
        #[serde(default = "build_host")]
        op: OpName,
        /// How many bytes are done. It may stay as it is while SQLite sorts or flushes.
        #[serde(alias = "done")]
        done_bytes: u64,
        /// How many there are; nothing where that cannot be known, as of a build by SQL.
        #[serde(alias = "total")]
        total_bytes: Option<u64>,
    },
    /// The progress of the application's own build. A binding adds it to the run's events.
    BuildProgress {
        /// How much is done, in the application's own unit.
        done: u64,
        /// How much there is to do, where the application knows it.
        total: Option<u64>,
    },
    /// A problem that did not stop the plan.
    Warning {
        /// The problem.
        warning: Warning,
    },
    /// The run begins to undo its steps.
    Undo {
        /// The failure that causes it.
        reason: String,
    },
    /// A start has recovered an interrupted cutover.
    Recovered {
        /// How.
        recovery: Recovery,
    },
}
