//! Judges a plan that comes from elsewhere: a file, the diagnostics page, another release.
//!
//! [`validate`] first proves the structure ([`Plan::check`]: names of the grammar, in one directory, and nothing that removes canonical), then walks the plan
//! once with what each op needs from those before it (`order.rs`), then holds it against what the directory has (`target.rs`).
//!
//! It judges orders, not outcomes: what a crash between two ops leads to is what [`crate::explore`] enumerates. A plan without an error here keeps the order
//! that makes every crash state recoverable. Ops whose absence or place changes no crash state (a progress of handles, a
//! clean-up's last flush) are warnings.

mod order;
mod target;

use serde::{Deserialize, Serialize};

use crate::journal::ReadError;
use crate::observe::Observation;
use crate::plan::Plan;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It can leave something behind, or take longer; no row is at stake.
    Warning,
    /// It can cost a row, or brick a start. Such a plan is not performed.
    Error,
}

/// One thing that is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Finding {
    /// The stable id of the rule.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// The index of the step in `steps`, or in `undo` where `undo` is set; nothing for the plan as a whole.
    pub step: Option<u32>,
    /// Whether the step is one of `undo`.
    pub undo: bool,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// Judges the text of a plan, and holds it against the directory it is for where that is known. No finding: nothing is wrong with it.
#[must_use]
pub fn validate_text(text: &str, target: Option<&Observation>) -> Vec<Finding> {
    match Plan::parse(text) {
        Ok(plan) => validate(&plan, target),
        Err(error) => vec![structure(&error)],
    }
}

/// Judges a plan, likewise.
#[must_use]
pub fn validate(plan: &Plan, target: Option<&Observation>) -> Vec<Finding> {
    if let Err(error) = plan.check() {
        return vec![structure(&error)];
    }
    let mut findings = order::judge(plan, target);
    if let Some(observation) = target {
        findings.extend(target::judge(plan, observation));
    }
    findings
}

fn structure(error: &ReadError) -> Finding {
    Finding {
        rule: "structure".into(),
        severity: Severity::Error,
        step: None,
        undo: false,
        message: format!("the plan cannot be performed: {error}"),
        hint: "make the plan anew with this release".into(),
    }
}
