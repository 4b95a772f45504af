//! Judges a plan that comes from elsewhere: a file, the diagnostics page, another release.
//!
//! [`validate`] first proves the structure ([`Plan::check`]: names of the grammar, in one
//! directory, and nothing that removes canonical). Then it reads off the plan what it was planned
//! from, plans that again, and compares. There is one right order, the planner's, and the explorer
//! proves that one; so a step that differs is a finding, and its explanation is the reason that the
//! planner gives for the step that belongs there. The reasons themselves are not compared: a plan
//! of an earlier release says the same in other words. Nor is `needsBytes`: what a disk has is
//! compared with what is there.
//!
//! Where the directory is known as well, its rules are asked (`directory.rs`), and at last the plan
//! is compared with the one that would be made of the directory now: that is what a runner
//! performs. Without it, a few things are believed, for a plan alone cannot tell them, such as
//! whether a backup's name was taken. They are listed, mutant by mutant, in
//! `core/explore/tests/it/validate_mutants.rs`.

mod directory;
mod legacy;
mod replan;
mod seen;

pub use directory::refused_by_windows;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::journal::{Journal, ReadError};
use crate::observe::Observation;
use crate::plan::{Plan, PlanKind, Request, differences};

/// What is wrong with a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FindingKind {
    /// It cannot be performed: its names, or its parts, do not fit each other.
    Structure,
    /// A step is not the one that belongs there.
    Step,
    /// `flipAt` or `cleanupFrom` is another step's.
    Mark,
    /// The journal that it begins with is not the one that it would be planned with.
    Journal,
    /// It is for another state of the database.
    State,
    /// It is for another platform.
    Platform,
    /// It is for another database.
    OtherDatabase,
    /// A program has the database open.
    Held,
    /// The disk has not the room that it may take.
    Space,
    /// No file can take the place of a companion.
    CompanionReplaceable,
    /// Files of the set are on different volumes.
    CrossVolume,
    /// A name that it makes is taken.
    NameTaken,
    /// A name differs from another by case alone, where case is ignored.
    CaseCollision,
    /// Windows does not take the name of the database, or of a companion.
    WindowsName,
}

/// One thing that is wrong with a plan. A plan with a finding is not performed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Finding {
    /// What it is about.
    pub kind: FindingKind,
    /// The index of the step in `steps`, or in `undo` where `undo` is set; nothing for the plan as
    /// a whole.
    pub step: Option<u32>,
    /// Whether the step is one of `undo`.
    pub undo: bool,
    /// What is wrong, in one sentence.
    pub message: String,
    /// Why another step belongs there: the reason of the right plan.
    pub why: Option<String>,
    /// What to do about it.
    pub hint: String,
}

impl Finding {
    fn of_plan(kind: FindingKind, message: impl Into<String>, hint: &str) -> Self {
        let message = message.into();
        Self { kind, step: None, undo: false, message, why: None, hint: hint.into() }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let list = if self.undo { "undo" } else { "steps" };
        self.step.iter().try_for_each(|step| write!(f, "{list}[{step}]: "))?;
        f.write_str(&self.message)?;
        self.why.iter().try_for_each(|why| write!(f, " ({why})"))
    }
}

const ANEW: &str = "make the plan anew with this release";
const ANEW_HERE: &str = "make the plan anew from this database";

/// Judges the text of a plan, and holds it against the directory it is for where that is known. No
/// finding: nothing is wrong with it.
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
    validate_request(plan, target, None)
}

/// Judges a plan, likewise, and whether it does what is asked for: the request's label, nonce, time
/// and attempt may be another's. A plan alone says what was asked for, so that one without the step
/// that asks the application passes for one of an application that need not be asked.
#[must_use]
pub fn validate_request(
    plan: &Plan,
    target: Option<&Observation>,
    request: Option<&Request>,
) -> Vec<Finding> {
    if let Err(error) = plan.check() {
        return vec![structure(&error)];
    }
    let mut findings = match replan::of_itself(plan) {
        Ok(right) => compare(plan, &right, ANEW),
        Err(failure) => vec![refused(&failure)],
    };
    if let Some(observation) = target {
        findings.extend(directory::judge(plan, observation));
        if findings.is_empty() {
            match replan::of_directory(plan, observation, request) {
                Ok(right) => findings = compare(plan, &right, ANEW_HERE),
                Err(failure) => findings.push(refused(&failure)),
            }
        }
    }
    findings
}

fn structure(error: &ReadError) -> Finding {
    let message = format!("the plan cannot be performed: {error}");
    Finding::of_plan(FindingKind::Structure, message, ANEW)
}

/// Nothing is planned of what this plan was planned from.
fn refused(failure: &Failure) -> Finding {
    Finding::of_plan(
        FindingKind::State,
        format!("nothing like it is planned: {}", failure.reason),
        &failure.hint,
    )
}

fn compare(plan: &Plan, right: &Plan, hint: &str) -> Vec<Finding> {
    if plan.kind != right.kind {
        let [is, must] = [plan.kind, right.kind].map(PlanKind::as_str);
        let message = format!("its kind is {is}; it must be {must}");
        return vec![Finding::of_plan(FindingKind::State, message, hint)];
    }
    let mut findings: Vec<Finding> = differences(plan, right)
        .into_iter()
        .map(|difference| Finding {
            kind: FindingKind::Step,
            step: u32::try_from(difference.index).ok(),
            undo: difference.undo,
            message: difference.message,
            why: difference.why,
            hint: hint.into(),
        })
        .collect();
    // Where a step is missing the marks are another's as well.
    if findings.iter().all(|finding| finding.undo) {
        for (mark, is, should) in [
            ("flipAt", plan.flip_at, right.flip_at),
            ("cleanupFrom", plan.cleanup_from, right.cleanup_from),
        ] {
            if is != should {
                let index = |at: Option<u32>| at.map_or("null".into(), |at| at.to_string());
                let message = format!("{mark} is {}; it must be {}", index(is), index(should));
                findings.push(Finding::of_plan(FindingKind::Mark, message, hint));
            }
        }
    }
    let fields = fields_that_differ(plan.journal.as_ref(), right.journal.as_ref());
    if !fields.is_empty() {
        let message = format!("the journal that it begins with has another {}", fields.join(", "));
        findings.push(Finding::of_plan(FindingKind::Journal, message, hint));
    }
    findings
}

/// The fields in which two journals differ.
fn fields_that_differ(a: Option<&Journal>, b: Option<&Journal>) -> Vec<String> {
    let [a, b] = [a, b].map(|journal| serde_json::to_value(journal).unwrap_or_default());
    let fields = if a.is_null() { &b } else { &a }.as_object().into_iter().flatten();
    fields.map(|(name, _)| name.clone()).filter(|name| a.get(name) != b.get(name)).collect()
}
