//! Pruning: old backups go, each with its receipt and the backups of its companions.
//!
//! The database goes first, for good, then its companions' backups, and the receipt last. So a
//! backup that is there has its receipt, and what a prune that was killed leaves is a receipt
//! without its backup: it names what is still to be removed, and the next prune removes it. (Were
//! the receipt the first to go, a crash would leave a backup of which nothing can tell that it is
//! whole: it would stay for ever.)

use serde::{Deserialize, Serialize};

use super::{Plan, PlanKind, is_right, step};
use crate::backup::{self, Backup, Receipts};
use crate::failure::{Code, Failure};
use crate::fault::Platform;
use crate::journal::{Journal, Phase, ReadError};
use crate::names::{
    CompanionName, FileName, Label, Nonce, PlanPath, Role, backup_of, companion_backup, receipt,
};
use crate::observe::Observation;
use crate::op::{Op, Step};
use std::collections::BTreeSet;

/// Which backups may go. What is given must all hold of a backup that goes; nothing given: none
/// goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// This many whole ones stay, the newest. None counts as one: the newest never goes.
    pub keep: Option<u32>,
    /// Only those go whose upgrade began longer ago than this, milliseconds.
    pub older_than_ms: Option<u64>,
}

/// What a prune does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prune {
    /// The plan; nothing when there is nothing to remove.
    pub plan: Option<Plan>,
    /// Backups that it removes, newest first.
    pub removed: Vec<FileName>,
    /// Backups that it may not remove.
    pub left: Vec<Left>,
}

/// A backup that no rule removes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Left {
    /// Its bare name.
    pub backup: FileName,
    /// Why it stays.
    pub why: String,
}

/// Plans the removal of what `rule` says, at `now_ms` (Unix milliseconds). Age is told by the start
/// time in the name.
///
/// # Errors
/// `JOURNAL` while an upgrade or a restore is unfinished: it may need any backup. One that is
/// committed needs none but its own, the newest.
pub fn plan_prune(
    observation: &Observation,
    receipts: &Receipts,
    rule: Rule,
    now_ms: u64,
) -> Result<Prune, Failure> {
    if let Some((journal, _)) =
        observation.journals.iter().find(|(_, text)| !is_committed(observation, text.as_deref()))
    {
        let reason = "an upgrade or a restore is not finished, and may need any backup";
        return Err(Failure::refusal(
            Code::Journal,
            reason,
            "finish it first: start the application, or recover",
        )
        .of(journal));
    }
    let (mut going, mut removed, mut left) = (Vec::new(), Vec::new(), Vec::new());
    let mut whole = 0;
    for backup in backup::list(observation, receipts) {
        let may_go = if let Some(why) = &backup.why {
            left.push(Left { backup: backup.name.clone(), why: why.clone() });
            false
        } else {
            whole += 1;
            whole > rule.keep.unwrap_or_default().max(1) && goes(rule, &backup, now_ms)
        };
        if !may_go {
            continue;
        }
        match companions(observation, backup.companions.keys(), &backup.label, &backup.nonce) {
            Ok(companions) => {
                removed.push(backup.name.clone());
                going.push((backup.name, companions));
            }
            Err(why) => left.push(Left { backup: backup.name, why }),
        }
    }
    // What an interrupted prune left.
    for name in receipts.keys() {
        let Some(backup) = backup_of(name) else { continue };
        let Ok(receipt) = backup::read(&observation.canonical, receipts, &backup) else { continue };
        if observation.files.contains_key(&backup) {
            continue;
        }
        match companions(observation, receipt.companions.keys(), &receipt.label, &receipt.nonce) {
            Ok(companions) => going.push((backup, companions)),
            Err(why) => left.push(Left { backup, why }),
        }
    }
    let plan = (!going.is_empty()).then(|| {
        let (backups, companions): (Vec<_>, Vec<_>) = going.into_iter().unzip();
        made(&backups, &companions.concat(), observation.platform)
    });
    Ok(Prune { plan, removed, left })
}

/// Whether this is the journal of an upgrade of which only cleaning up is left.
fn is_committed(observation: &Observation, text: Option<&str>) -> bool {
    let journal = text.and_then(|text| Journal::parse(text, &observation.canonical).ok());
    journal.is_some_and(|journal| journal.phase == Phase::Committed && !journal.strategy.restores())
}

fn goes(rule: Rule, backup: &Backup, now_ms: u64) -> bool {
    let age_ms = now_ms.saturating_sub(backup.started_ms);
    (rule.keep.is_some() || rule.older_than_ms.is_some())
        && rule.older_than_ms.is_none_or(|older_than_ms| age_ms > older_than_ms)
}

/// Where the backups of these companions are. A receipt is not believed: it says which, and the
/// grammar says under what name.
fn companions<'a>(
    observation: &Observation,
    names: impl Iterator<Item = &'a CompanionName>,
    label: &Label,
    nonce: &Nonce,
) -> Result<Vec<PlanPath>, String> {
    let at = |name: &CompanionName| {
        let seen = observation.companions.get(name);
        let seen = seen.ok_or_else(|| {
            format!(
                "a backup of the companion {name} belongs to it, and {name} is not declared in \
                 the options"
            )
        })?;
        Ok(PlanPath {
            companion: Some(name.clone()),
            name: companion_backup(&seen.file, label, nonce),
        })
    };
    names.map(at).collect()
}

fn made(backups: &[FileName], companions: &[PlanPath], platform: Platform) -> Plan {
    Plan::new(PlanKind::Prune, platform, None, steps(backups, companions))
}

fn steps(backups: &[FileName], companions: &[PlanPath]) -> Vec<Step> {
    let flush = |companion: Option<&CompanionName>, why: &str| {
        step(Op::SyncDir { companion: companion.cloned() }, why)
    };
    let mut steps = vec![flush(
        None,
        "what is visible need not be durable; nothing may act on it before it is",
    )];
    for backup in backups {
        steps.push(step(
            Op::Remove { files: backup.set().iter().map(PlanPath::from).collect() },
            "the backup is not to be kept; while its receipt is there a prune that is killed is \
             finished by the next",
        ));
    }
    steps.push(flush(
        None,
        "removed for good before its companions' backups go, and its receipt: nobody is offered \
         half a backup",
    ));
    for at in companions {
        steps.push(step(
            Op::Remove { files: vec![at.clone()] },
            "a companion's backup is of no use without the database's",
        ));
    }
    for companion in
        companions.iter().filter_map(|at| at.companion.as_ref()).collect::<BTreeSet<_>>()
    {
        steps.push(flush(
            Some(companion),
            "removed for good before the receipt, which names it, goes",
        ));
    }
    steps.push(step(
        Op::Remove {
            files: backups.iter().map(|backup| PlanPath::from(&receipt(backup))).collect(),
        },
        "nothing of it is left",
    ));
    steps.push(flush(None, "the next prune finds nothing of it"));
    steps
}

/// Proves that a plan that comes from elsewhere is, step by step, the one for the backups whose
/// receipts it removes.
pub(super) fn check(plan: &Plan) -> Result<(), ReadError> {
    let removes = |companion: bool| {
        let files = plan.steps.iter().filter_map(|step| match &step.op {
            Op::Remove { files } => Some(files),
            _ => None,
        });
        files.flatten().filter(move |at| at.companion.is_some() == companion)
    };
    // The database's name is not in the plan, so any will do that makes the name a backup's.
    let backup = |at: &PlanPath| {
        let name = backup_of(&at.name)?;
        name.bases().find_map(|canonical| match Role::of(&canonical, &name) {
            Some(Role::Backup { label, nonce, .. }) => {
                Some((name.clone(), format!(".{label}-{nonce}")))
            }
            _ => None,
        })
    };
    let (backups, endings): (Vec<FileName>, Vec<String>) =
        removes(false).filter_map(backup).unzip();
    let companions: Vec<PlanPath> = removes(true).cloned().collect();
    let own =
        companions.iter().all(|at| endings.iter().any(|ending| at.name.as_str().ends_with(ending)));
    if !own || backups.is_empty() {
        return Err(ReadError::Contradiction("steps: they remove what is of no backup".into()));
    }
    is_right(plan, &made(&backups, &companions, plan.platform), "a prune of these backups")
}
