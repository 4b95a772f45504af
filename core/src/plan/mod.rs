//! A plan: the ordered list of ops with the reason for each. Plain data, versioned JSON,
//! byte-identical for one observation.

mod adopt;
mod assess;
mod difference;
mod leave;
mod leave_zombie;
pub mod legacy;
mod live;
mod migrate;
mod policy;
mod prune;
mod recover;
mod refuse;
mod restore;
pub(crate) mod seen;
mod steps;

pub use adopt::{AdoptRequest, plan_adoption};
pub use assess::{Next, assess, assess_by, assess_left};
pub(crate) use difference::{differences, distance};
pub(crate) use leave::is_of_irreplaceable;
pub use leave_zombie::{may_leave_zombie, plan_leave_zombie};
pub use migrate::{plan_migration, refuse_moved_companions};
pub use prune::{Left, Prune, Rule, plan_prune};
pub(crate) use recover::right_restore;
pub use recover::{
    RecoveryRule, RecoveryTable, is_in_place, may_open_canonical, must_empty_log, plan_recovery,
    recover_before_restore,
};
pub use refuse::refuse_irregular;
pub use restore::{Restore, RestoreRequest, companions_of, plan_restore};
pub use steps::displaced_by;

use serde::{Deserialize, Serialize};

use crate::fault::Platform;
use crate::journal::{Companion, Journal, ReadError, read_versioned, write_json};
use crate::names::{FileName, Label, Nonce, PlanPath, Role};
use crate::op::{Op, Step};
use std::collections::BTreeSet;

/// The version of the plan that this release writes and performs.
pub const PLAN_VERSION: u32 = 1;
/// The most steps that a plan may have. Ours have fewer than a hundred, and ten for each companion.
pub const MAX_STEPS: usize = 1000;

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[derive(strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub enum PlanKind {
    /// Turn v1 into v2.
    Migrate,
    /// Go on with an interrupted cutover until v2 is canonical.
    Finish,
    /// Undo an interrupted cutover.
    Undo,
    /// Remove what a committed cutover left.
    Clean,
    /// Set an unreadable journal aside.
    SetAside,
    /// Make a backup canonical again, and keep v2 under another name.
    Restore,
    /// Remove old backups.
    Prune,
    /// Give the database a new file, which a zombie of this process does not hold.
    LeaveZombie,
    /// Give a backup without a receipt one.
    Adopt,
}

impl PlanKind {
    /// The word in a plan.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether it begins something, and writes the first journal of it.
    #[must_use]
    pub fn begins(self) -> bool {
        matches!(self, Self::Migrate | Self::Restore)
    }
}

/// The recovery that a start performed, as the result names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Recovery {
    /// There was nothing to recover.
    None,
    /// An interrupted cutover was finished.
    Finished,
    /// An interrupted cutover was undone.
    Undone,
    /// What a committed cutover had left was removed.
    Cleaned,
    /// An unreadable journal was set aside.
    SetAside,
}

/// Where v2 starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum BuildFrom {
    /// A new file.
    Empty,
    /// A copy of v1.
    Copy,
}

/// Who builds v2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum BuildBy {
    /// SQL that the runner executes.
    Sql,
    /// A callback of the application.
    Host,
}

/// What the application asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Request {
    /// Which upgrade.
    pub label: Label,
    /// Tells this attempt's files from another's.
    pub nonce: Nonce,
    /// When the upgrade begins, in Unix milliseconds:
    /// [`begins_ms`](crate::backup::begins_ms) makes it later than every whole backup.
    pub now_ms: u64,
    /// 1 for the first try.
    pub attempt: u32,
    /// Where v2 starts from.
    pub from: BuildFrom,
    /// Who builds it.
    pub by: BuildBy,
    /// Whether the application looks at v2 before it is installed.
    pub verify: bool,
    /// Whether SQLite checks v1 before v2 is installed.
    pub check_v1: bool,
}

/// An ordered list of ops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// Always 1.
    pub version: u32,
    /// What it is for.
    pub kind: PlanKind,
    /// Whose rules apply.
    pub platform: Platform,
    /// The journal as the run begins with it. A plan has none that sets an unreadable journal aside,
    /// prunes backups, or leaves a zombie behind.
    pub journal: Option<Journal>,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// The index in `steps` of the op that makes v2 canonical; of an adoption, of the one that gives
    /// the copy its name. A failure there or before it can be undone.
    pub flip_at: Option<u32>,
    /// The index in `steps` from which on a failure is a warning: v2 is in place, durably, and the
    /// next start cleans up.
    pub cleanup_from: Option<u32>,
    /// What to do when a step up to the flip fails; for `undo` plans, what to do after the steps.
    pub undo: Vec<Step>,
    /// Free bytes that the worst case takes.
    pub needs_bytes: u64,
}

impl Plan {
    /// A plan without a flip, an undo, or a need of room.
    fn new(kind: PlanKind, platform: Platform, journal: Option<Journal>, steps: Vec<Step>) -> Self {
        Self {
            version: PLAN_VERSION,
            kind,
            platform,
            journal,
            steps,
            flip_at: None,
            cleanup_from: None,
            undo: Vec::new(),
            needs_bytes: 0,
        }
    }

    /// Reads a given plan. [`Plan::check`] says whether it may be performed.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn parse(text: &str) -> Result<Self, ReadError> {
        let plan: Self = read_versioned(text, PLAN_VERSION)?;
        plan.check()?;
        Ok(plan)
    }

    /// The companions that the plan works on. Its journal may have more: those that are left as they
    /// are.
    #[must_use]
    pub fn companions(&self) -> Vec<&Companion> {
        let mut named = BTreeSet::new();
        for step in self.steps.iter().chain(&self.undo) {
            step.op.companion().map(|name| named.insert(name));
        }
        self.journal
            .iter()
            .flat_map(|journal| &journal.companions)
            .filter(|companion| named.contains(&&companion.name))
            .collect()
    }

    /// Whether a step looks for processes that have a file open.
    #[must_use]
    pub fn looks(&self) -> bool {
        self.steps.iter().chain(&self.undo).any(|step| matches!(step.op, Op::Look { .. }))
    }

    /// The JSON text: the same bytes for the same plan everywhere.
    #[must_use]
    pub fn to_text(&self) -> String {
        write_json(self)
    }

    /// Whether this is a plan for this database. A plan without a journal says so by its names alone.
    #[must_use]
    pub fn is_for(&self, canonical: &FileName) -> bool {
        let ours = |at: &PlanPath| Role::of(canonical, &at.name).is_some();
        match &self.journal {
            Some(journal) => journal.names.canonical == *canonical,
            None => self.steps.iter().all(|step| match &step.op {
                Op::Rename { from, to } => ours(from) && ours(to),
                Op::Remove { files } => files.iter().all(ours),
                _ => true,
            }),
        }
    }

    /// The recovery that this plan is when it ends well.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        match self.kind {
            PlanKind::Migrate
            | PlanKind::Restore
            | PlanKind::Prune
            | PlanKind::LeaveZombie
            | PlanKind::Adopt => Recovery::None,
            PlanKind::Finish => Recovery::Finished,
            PlanKind::Undo => Recovery::Undone,
            PlanKind::Clean => Recovery::Cleaned,
            PlanKind::SetAside => Recovery::SetAside,
        }
    }

    /// Proves what must hold before the plan is compared with another: every name is one that the
    /// journal's label and nonce give, in the database's own directory or a declared companion's,
    /// and the marks are indices of its steps. [`validate`](crate::validate::validate) proves that
    /// each step is the right one. The steps of a plan without a journal are compared here, because
    /// it has no other names than theirs.
    ///
    /// # Errors
    /// What does not fit, and in which step.
    pub fn check(&self) -> Result<(), ReadError> {
        let contradiction = |text: String| Err(ReadError::Contradiction(text));
        if self.steps.len() + self.undo.len() > MAX_STEPS {
            return contradiction(format!("it has more than {MAX_STEPS} steps"));
        }
        let companions = self.journal.as_ref().map_or(0, |journal| journal.companions.len());
        if companions > MAX_STEPS {
            return contradiction(format!("it has more than {MAX_STEPS} companions"));
        }
        let last = |index: Option<u32>, most: usize| index.is_none_or(|at| at as usize <= most);
        if !last(self.flip_at, self.steps.len().saturating_sub(1)) {
            return contradiction("flipAt is behind the last step".into());
        }
        if !last(self.cleanup_from, self.steps.len()) {
            return contradiction("cleanupFrom is behind the last step".into());
        }
        let Some(journal) = &self.journal else {
            return policy::check_without_journal(self);
        };
        journal.check()?;
        policy::check(self, journal)
    }
}

/// Proves that a plan is the right one; its reasons may differ. `of`: what the right plan is, in
/// words.
fn is_right(plan: &Plan, right: &Plan, of: &str) -> Result<(), ReadError> {
    if let Some(difference) = differences(plan, right).first() {
        return Err(ReadError::Contradiction(format!("{difference}, in {of}")));
    }
    let marks = |plan: &Plan| (plan.kind, plan.flip_at, plan.cleanup_from);
    if marks(plan) == marks(right) {
        return Ok(());
    }
    Err(ReadError::Contradiction(format!("kind, flipAt, cleanupFrom: not those of {of}")))
}

/// An index as a plan has it.
fn index(at: usize) -> Option<u32> {
    u32::try_from(at).ok()
}

/// A flush of the database's directory.
fn flush(why: &str) -> Step {
    step(Op::SyncDir { companion: None }, why)
}

/// A step without a guard.
fn step(op: Op, why: &str) -> Step {
    Step { op, why: why.to_owned(), when: None }
}
