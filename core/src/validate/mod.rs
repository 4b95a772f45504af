//! Judges a plan that comes from elsewhere: from a file, the diagnostics page or another release.
//!
//! [`validate`] first proves the structure with [`Plan::check`]: each name is of the grammar and in
//! one directory, and no step removes canonical. Then it reads off the plan what it was planned
//! from, plans that again, and compares the two plans.
//!
//! There is one right order, the planner's, and the explorer proves that order. So a step that
//! differs is a finding. Its explanation is the reason that the planner gives for the step that
//! belongs there. The reasons themselves are not compared, because an earlier release words them in
//! another way. `needsBytes` is compared with the free space only.
//!
//! Where an observation of the directory is given, `directory.rs` checks its rules too. At last the
//! plan is compared with the one that would be made of that directory now, which a runner performs.
//! Without an observation a few things cannot be checked, such as whether a backup's name was
//! taken. `core/explore/tests/it/validate_mutants.rs` lists them, mutant by mutant.

mod directory;
mod given;
mod replan;

pub use directory::refused_by_windows;
pub use given::{refuse_given, refuse_unread_plan};

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
    /// The plan cannot be performed: its names or its parts do not fit each other.
    Structure,
    /// Another step belongs where this one stands.
    Step,
    /// `flipAt` or `cleanupFrom` is the index of another step.
    Mark,
    /// The planner would begin this plan with another journal.
    Journal,
    /// The plan is for another state of the database.
    State,
    /// The plan is for another platform.
    Platform,
    /// The plan is for another database.
    OtherDatabase,
    /// A program has the database open.
    Held,
    /// The volume has less free space than the plan may need.
    Space,
    /// No file can replace a companion.
    CompanionReplaceable,
    /// The files of the set are on different volumes.
    CrossVolume,
    /// A file already has a name that the plan makes.
    NameTaken,
    /// Two names differ by case only, and the file system may ignore case.
    CaseCollision,
    /// Windows does not accept the name of the database, or of a companion.
    WindowsName,
}

/// One fault of a plan. A runner does not perform a plan with a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct Finding {
    /// The kind of fault.
    pub kind: FindingKind,
    /// The index of the step in `steps`, or in `undo` where `undo` is set; nothing for the plan as
    /// a whole.
    pub step: Option<u32>,
    /// Whether the step is one of `undo`.
    pub undo: bool,
    /// What is wrong, in one sentence.
    pub message: String,
    /// The reason that the right plan gives for the step that belongs there.
    pub why: Option<String>,
    /// What to do.
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

/// Judges the text of a plan, and compares it with its directory where an observation is given. A
/// plan without a fault has no finding.
#[must_use]
pub fn validate_text(text: &str, target: Option<&Observation>) -> Vec<Finding> {
    match Plan::parse(text) {
        Ok(plan) => validate(&plan, target),
        Err(error) => vec![structure(&error)],
    }
}

/// Judges a plan as [`validate_text`] judges its text.
#[must_use]
pub fn validate(plan: &Plan, target: Option<&Observation>) -> Vec<Finding> {
    validate_request(plan, target, None)
}

/// Judges a plan as [`validate`] does, and whether it does what `request` asks for. The request's
/// nonce, time and attempt may differ; so may its label, where the plan recovers. A program that has
/// the database open is no finding then: a start waits for it.
///
/// Without a request, only the plan says what was asked for. A plan from which the step that calls
/// the application was removed then passes for the plan of an application that has no callback.
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
        findings.extend(directory::judge(plan, observation, request.is_some()));
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

/// The finding where the planner refuses to plan again what this plan was planned from.
fn refused(failure: &Failure) -> Finding {
    Finding::of_plan(
        FindingKind::State,
        format!("no such plan can be made: {}", failure.reason),
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
    // Where a step is missing, the marks differ as well.
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
