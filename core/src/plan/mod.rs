//! A plan: the ordered list of ops with the reason for each. Plain data, versioned JSON,
//! byte-identical for one observation.

mod assess;
mod leave_zombie;
mod migrate;
mod page_copy;
mod parts;
mod prune;
mod recover;
mod restore;

pub use assess::{Next, assess, assess_by, assess_left};
pub use leave_zombie::{may_leave_zombie, plan_leave_zombie};
pub use migrate::plan_migration;
pub use prune::{Left, Prune, Rule, plan_prune};
pub(crate) use recover::v1_changed_at_the_flip;
pub use recover::{
    LegacyRule, RecoveryRule, RecoveryTable, is_in_place, may_open_canonical, must_empty_log,
    plan_recovery,
};
pub use restore::{
    Restore, RestoreRequest, companions_of, displaced_by, plan_restore, recover_before_restore,
};

use serde::{Deserialize, Serialize};

use self::parts::Spot;
use crate::fault::Platform;
use crate::journal::{Companion, Journal, ReadError, Strategy, read_versioned, write_json};
use crate::names::{At, FileName, Label, Nonce, Role};
use crate::op::{Op, Step};
use std::collections::BTreeSet;

/// The version of the plan that this release writes and performs.
pub const VERSION: u32 = 1;
/// The most steps that a plan may have. Ours have fewer than a hundred and ten a companion.
pub const MAX_STEPS: usize = 1000;

/// What a plan is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
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
    /// Give the database a file that a zombie of this process does not have.
    LeaveZombie,
}

impl PlanKind {
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
pub enum From {
    /// A new file.
    Empty,
    /// A copy of v1.
    Copy,
}

/// Who builds v2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum By {
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
    /// Now, Unix milliseconds.
    pub now_ms: u64,
    /// 1 for the first try.
    pub attempt: u32,
    /// Where v2 starts from.
    pub from: From,
    /// Who builds it.
    pub by: By,
    /// Whether the application looks at v2 before it is installed.
    pub verify: bool,
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
    /// Whose rules it keeps.
    pub platform: Platform,
    /// The journal as the run begins with it; nothing where a plan has none: an unreadable one is
    /// set aside, backups are pruned, a zombie is left behind.
    pub journal: Option<Journal>,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// The index in `steps` of the op that makes v2 canonical. A failure there or before it can be
    /// undone.
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
    /// Reads a plan that comes from elsewhere. [`Plan::check`] says whether it may be performed.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn parse(text: &str) -> Result<Self, ReadError> {
        let plan: Self = read_versioned(text, VERSION)?;
        plan.check()?;
        Ok(plan)
    }

    /// The companions that it works on. Those of its journal that are declared elsewhere now are
    /// none of them.
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

    /// The JSON text: the same bytes for the same plan everywhere.
    #[must_use]
    pub fn to_text(&self) -> String {
        write_json(self)
    }

    /// Whether it is a plan for this database. One without a journal says so by its names alone.
    #[must_use]
    pub fn is_for(&self, canonical: &FileName) -> bool {
        let ours = |at: &At| Role::of(canonical, &at.name).is_some();
        match &self.journal {
            Some(journal) => journal.names.canonical == *canonical,
            None => self.steps.iter().all(|step| match &step.op {
                Op::Rename { from, to } => ours(from) && ours(to),
                Op::Remove { files } => files.iter().all(ours),
                _ => true,
            }),
        }
    }

    /// The recovery that this plan amounts to when it ends well.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        match self.kind {
            PlanKind::Migrate | PlanKind::Restore | PlanKind::Prune | PlanKind::LeaveZombie => {
                Recovery::None
            }
            PlanKind::Finish => Recovery::Finished,
            PlanKind::Undo => Recovery::Undone,
            PlanKind::Clean => Recovery::Cleaned,
            PlanKind::SetAside => Recovery::SetAside,
        }
    }

    /// Proves the structure: every name is one that the journal's label and nonce give, in the
    /// database's own directory or a declared companion's; canonical is never removed or
    /// overwritten by anything but the flip; and the flip is where the plan says that it is,
    /// since the rule of endings goes by that.
    ///
    /// # Errors
    /// What does not fit, and in which step.
    pub fn check(&self) -> Result<(), ReadError> {
        let contradiction = |text: String| Err(ReadError::Contradiction(text));
        if self.steps.len() + self.undo.len() > MAX_STEPS {
            return contradiction(format!("it has more than {MAX_STEPS} steps"));
        }
        let at = |index: Option<u32>| index.map(|index| index as usize);
        let (flip_at, cleanup_from) = (at(self.flip_at), at(self.cleanup_from));
        if cleanup_from.is_some_and(|from| from > self.steps.len()) {
            return contradiction("cleanupFrom is behind the last step".into());
        }
        let Some(journal) = &self.journal else {
            return parts::check_without_journal(self);
        };
        journal.check()?;
        if journal.strategy.restores() {
            return restore::check(self, journal);
        }
        let misfit = match self.kind {
            PlanKind::Migrate if journal.strategy == Strategy::TwoRename => {
                Some("strategy: two-rename only finishes what the field began")
            }
            PlanKind::Migrate if flip_at.is_none() || cleanup_from.is_none() => {
                Some("flipAt and cleanupFrom: a migration has both")
            }
            PlanKind::Finish if cleanup_from.is_none() => {
                Some("cleanupFrom: a plan that finishes has one")
            }
            PlanKind::Undo if flip_at.is_some() || cleanup_from.is_some() => {
                Some("flipAt and cleanupFrom: an undo has neither")
            }
            PlanKind::Clean if flip_at.is_some() => {
                Some("flipAt: nothing is flipped by a plan that cleans up")
            }
            PlanKind::SetAside => Some("journal: one that is set aside cannot be read"),
            PlanKind::Restore | PlanKind::Prune | PlanKind::LeaveZombie => {
                Some("kind: not of a plan by this journal")
            }
            _ => None,
        };
        if let Some(misfit) = misfit {
            return contradiction(misfit.into());
        }
        if let Some(flip) = flip_at {
            let step = self.steps.get(flip).filter(|step| step.when.is_none());
            let flips = match (step.map(|step| &step.op), journal.strategy) {
                (Some(Op::Rename { to, .. }), Strategy::LinkReplace)
                | (Some(Op::RenameNew { to, .. }), Strategy::TwoRename) => {
                    *to == At::from(&journal.names.canonical)
                }
                (Some(Op::PageCopy { .. }), Strategy::PageCopy) => true,
                _ => false,
            };
            if !flips {
                return contradiction(
                    "flipAt: that step does not always make the database v2".into(),
                );
            }
            if cleanup_from.is_some_and(|from| from <= flip) {
                return contradiction("cleanupFrom: clean-up comes after the flip".into());
            }
        }
        let allowed = parts::Allowed::of(journal, self.platform);
        for (index, step) in self.steps.iter().enumerate() {
            let spot = match flip_at {
                Some(flip) if index == flip => Spot::Flip,
                Some(flip) if index < flip => Spot::BeforeFlip,
                _ => Spot::Other,
            };
            if let Err(why) = allowed.check(&step.op, self.kind, spot) {
                return contradiction(format!("steps[{index}] ({}): {why}", step.op.name()));
            }
        }
        for (index, step) in self.undo.iter().enumerate() {
            if let Err(why) = allowed.check(&step.op, self.kind, Spot::Undo) {
                return contradiction(format!("undo[{index}] ({}): {why}", step.op.name()));
            }
        }
        Ok(())
    }
}

/// Whether two lists do the same, whatever they say of it.
fn same_ops(a: &[Step], b: &[Step]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.op == b.op && a.when == b.when)
}

/// A step without a guard.
fn step(op: Op, why: &str) -> Step {
    Step { op, why: why.to_owned(), when: None }
}
