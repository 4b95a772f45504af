//! The lanes of a plan: what each file holds after each step, and what of that survives a power
//! loss. A plan is performed on the model disk by the real `Run`, without a crash and without a
//! fault; after each step the disk is read.
//!
//! A plan comes from anywhere. A step that the model refuses (its file is not known, or is in the
//! way) changes nothing, and the next step follows.

mod picture;
mod setup;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use cutover_core::{FileName, Phase, Plan, PlanKind, Role, Step};
use cutover_support::{Dropped, diagnose, names_in};

use picture::Picture;

/// The most steps that are drawn: more than any plan of cutover has.
pub const MAX_COLUMNS: usize = 300;
/// The most files that are drawn of those that were given.
const MAX_FOUND: usize = 40;
/// The most companions that are drawn.
const MAX_COMPANIONS: usize = 40;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// v1.
    V1,
    /// A copy of v1.
    CopyOfV1,
    /// v2.
    V2,
    /// A journal that says `building`.
    JournalBuilding,
    /// A journal that says `built`.
    JournalBuilt,
    /// A journal that says `installing`.
    JournalInstalling,
    /// A journal that says `committed`.
    JournalCommitted,
    /// A receipt.
    Receipt,
    /// A companion.
    Companion,
    /// A database's log.
    Log,
    /// A file that was there before. The plan does not tell what it holds.
    AsFound,
    /// The name is durable, and its content is not.
    Unflushed,
    /// An interrupted start left it. Whether that start flushed it is not known.
    NotKnown,
}

impl From<Phase> for Holds {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Building => Self::JournalBuilding,
            Phase::Built => Self::JournalBuilt,
            Phase::Installing => Self::JournalInstalling,
            Phase::Committed => Self::JournalCommitted,
        }
    }
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LaneRole {
    /// The name that the application opens.
    Canonical,
    /// A sidecar.
    Log,
    /// Where v2 is built.
    Staging,
    /// A private copy of v1.
    Source,
    /// The file that is installed.
    Install,
    /// v1 after the cutover.
    Backup,
    /// What is known of the backup.
    Receipt,
    /// What an interrupted start must know.
    Journal,
    /// The journal while it is written.
    NewJournal,
    /// A database that was set aside.
    Displaced,
    /// A companion, its backup, or its new content.
    Companion,
    /// Something else.
    File,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lane {
    /// Its name. A companion's file has the companion's name before it.
    pub name: String,
    /// What it is for.
    pub role: LaneRole,
}

/// What a file holds at one time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Held {
    /// What a reader finds. Nothing: the file does not exist.
    pub now: Option<Holds>,
    /// What at least a power loss leaves. Nothing: the file may not exist.
    pub durable: Option<Holds>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Column {
    /// Its index in the plan's `steps` or `undo`.
    pub index: u32,
    /// Whether it is in `undo`.
    pub undo: bool,
    /// Whether its guard skips it.
    pub skipped: bool,
    /// What each file holds after it.
    pub held: Vec<Held>,
}

/// What each file holds after each step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lanes {
    /// The files, canonical first.
    pub files: Vec<Lane>,
    /// What each holds before the first step.
    pub before: Vec<Held>,
    /// The steps that are performed if nothing fails; a plan that undoes ends with its `undo`. At
    /// most the first 300.
    pub columns: Vec<Column>,
}

/// The lanes of the plan that was dropped, or of the plan that the next start would perform.
/// `None`: there is no plan. `staging_held`: a leaked connection of the application holds what the
/// application built. The picture assumes that the application stages each companion, and that no
/// other program changes it.
#[must_use]
pub fn plan_lanes(dropped: &Dropped, staging_held: bool) -> Option<Lanes> {
    let diagnosis = diagnose(dropped);
    let plan = diagnosis.plan?;
    let mut found = Vec::new();
    for name in names_in(dropped) {
        let is = |place: &Option<String>| place.as_deref() == Some(name.as_str());
        let known = if is(&diagnosis.v1.file) {
            Some(Holds::V1)
        } else if is(&diagnosis.v2.file) {
            Some(Holds::V2)
        } else {
            None
        };
        let role = plan.journal.as_ref().and_then(|of| Role::of(&of.names.canonical, &name));
        if found.len() < MAX_FOUND && !matches!(role, None | Some(Role::Lock)) {
            found.push((name, known));
        }
    }
    Some(lanes(&plan, &found, staging_held))
}

/// What each file holds at one time.
type Files = BTreeMap<(LaneRole, String), Held>;

/// The lanes of a plan. `found`: the files that existed, and what is known of them. It is empty if
/// only the plan is known.
fn lanes(plan: &Plan, found: &[(FileName, Option<Holds>)], staging_held: bool) -> Lanes {
    // Each companion has a directory of its own, and the model disk has one beside the database's:
    // the plan is performed once for each companion.
    let companions = plan.companions();
    let mut drawn = Picture::of(plan, found, staging_held, companions.first().copied());
    for companion in companions.iter().take(MAX_COMPANIONS).skip(1) {
        let more = Picture::of(plan, found, staging_held, Some(companion));
        for (files, more) in drawn.files.iter_mut().zip(more.files) {
            let prefix = format!("{}/", companion.name);
            files.extend(more.into_iter().filter(|((_, name), _)| name.starts_with(&prefix)));
        }
    }
    // A name that appears and goes within one step has no lane.
    let seen: BTreeSet<&(LaneRole, String)> = drawn
        .files
        .iter()
        .flatten()
        .filter(|(_, held)| held.now.is_some())
        .map(|(lane, _)| lane)
        .collect();
    let mut held = drawn.files.iter().map(|files| {
        seen.iter().map(|lane| files.get(*lane).copied().unwrap_or_default()).collect()
    });
    let before = held.next().unwrap_or_default();
    let columns = performed(plan).into_iter().zip(&drawn.skipped).zip(held);
    Lanes {
        files: seen.iter().map(|(role, name)| Lane { name: name.clone(), role: *role }).collect(),
        before,
        columns: columns
            .map(|(((undo, index, _), skipped), held)| Column {
                index,
                undo,
                skipped: *skipped,
                held,
            })
            .collect(),
    }
}

/// The steps that are performed if nothing fails.
fn performed(plan: &Plan) -> Vec<(bool, u32, &Step)> {
    let mut steps = Vec::new();
    for (undo, of) in [(false, &plan.steps), (true, &plan.undo)] {
        if !undo || plan.kind == PlanKind::Undo {
            steps.extend((0..).zip(of).map(|(index, step)| (undo, index, step)));
        }
    }
    steps.truncate(MAX_COLUMNS);
    steps
}
