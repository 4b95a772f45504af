//! Pruning: old backups are removed, each with its receipt and the backups of its companions.
//!
//! The backup's database is removed first, durably, then the backups of its companions, and the
//! receipt last. So every backup has its receipt. A prune that is killed leaves a receipt without
//! its backup, which names what the next prune removes. (If the receipt were removed first, a crash
//! would leave a backup that no start can prove to be whole, for ever.)

use serde::{Deserialize, Serialize};

use super::refuse::refuse_unfinished;
use super::steps::FLUSH;
use super::{Plan, PlanKind, is_right, step};
use crate::backup::{self, Backup, Receipts};
use crate::failure::Failure;
use crate::fault::Platform;
use crate::journal::{Journal, Phase, ReadError};
use crate::names::{
    CompanionName, FileName, Label, Nonce, PlanPath, Role, backup_of, companion_backup_name,
    receipt_name,
};
use crate::observe::Observation;
use crate::op::Op;
use std::collections::BTreeSet;

/// Which backups may be removed: those that every given condition holds of. Without a condition none
/// is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// This many of the newest whole backups stay. Nothing counts as one: the newest is never
    /// removed. Backups whose time lies ahead, because a clock was wrong, are counted apart: they
    /// push out no other.
    pub keep: Option<u32>,
    /// Only backups are removed whose upgrade began longer ago than this, milliseconds.
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
/// `JOURNAL` while an upgrade or a restore is unfinished: it may need any backup. A committed one
/// needs its own alone, which is the newest.
pub fn plan_prune(
    observation: &Observation,
    receipts: &Receipts,
    rule: Rule,
    now_ms: u64,
) -> Result<Prune, Failure> {
    if let Some((journal, _)) =
        observation.journals.iter().find(|(_, text)| !is_committed(observation, text.as_deref()))
    {
        return Err(refuse_unfinished(journal));
    }
    let (mut going, mut removed, mut left) = (Vec::new(), Vec::new(), Vec::new());
    // Those whose time lies ahead, and the others.
    let (mut ahead, mut past) = (0, 0);
    for backup in backup::list_backups(observation, receipts) {
        let may_go = if let Some(why) = &backup.why {
            left.push(Left { backup: backup.name.clone(), why: why.clone() });
            false
        } else {
            let whole = if backup.started_ms > now_ms { &mut ahead } else { &mut past };
            *whole += 1;
            *whole > rule.keep.unwrap_or_default().max(1) && goes(rule, &backup, now_ms)
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
    // The receipts that an interrupted prune left.
    for name in receipts.keys() {
        let Some(backup) = backup_of(name) else { continue };
        let Ok(receipt) = backup::read_backup(&observation.canonical, receipts, &backup) else {
            continue;
        };
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

/// Where the backups of these companions are. The receipt says which companions; their names come
/// from the grammar, since a receipt is not trusted.
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
            name: companion_backup_name(&seen.file, label, nonce),
        })
    };
    names.map(at).collect()
}

fn made(backups: &[FileName], companions: &[PlanPath], platform: Platform) -> Plan {
    let flush = |companion: Option<&CompanionName>, why: &str| {
        step(Op::SyncDir { companion: companion.cloned() }, why)
    };
    let mut steps = vec![flush(None, FLUSH)];
    for backup in backups {
        steps.push(step(
            Op::Remove { files: backup.set().iter().map(PlanPath::from).collect() },
            "the rule does not keep this backup; while its receipt exists, the next prune finishes \
             one that was killed",
        ));
    }
    steps.push(flush(
        None,
        "the database must be gone for good before its companions' backups and its receipt, so \
         that half a backup is never offered",
    ));
    for at in companions {
        steps.push(step(
            Op::Remove { files: vec![at.clone()] },
            "a companion's backup is useless without the database's",
        ));
    }
    for companion in
        companions.iter().filter_map(|at| at.companion.as_ref()).collect::<BTreeSet<_>>()
    {
        steps.push(flush(
            Some(companion),
            "the companion's backup must be gone for good before the receipt, which names it",
        ));
    }
    steps.push(step(
        Op::Remove {
            files: backups.iter().map(|backup| PlanPath::from(&receipt_name(backup))).collect(),
        },
        "the receipt is removed last; every other file of the backup is gone",
    ));
    steps.push(flush(None, "the next prune must find no receipt"));
    Plan::new(PlanKind::Prune, platform, None, steps)
}

/// Proves that a given plan is, step by step, the one for the backups whose receipts it removes.
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
        let why = "steps: they remove a file that belongs to no backup";
        return Err(ReadError::contradiction(why));
    }
    is_right(plan, &made(&backups, &companions, plan.platform), "a prune of these backups")
}
