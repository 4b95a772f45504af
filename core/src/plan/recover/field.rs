//! What is done about the journal of the daemon in the field.
//!
//! Its phase says less than what is there: its renames may have reached the disk in another order
//! than its journal, so what is there decides. It has no fingerprint of v1, so a v1 that is still
//! canonical is always built anew.

use super::{FLUSH, kept, plan_of, refuse_missing, refuse_unread, undeclared};
use crate::failure::Failure;
use crate::journal::field::{LegacyJournal, LegacyPhase};
use crate::journal::{self, Companion, Journal, Phase, Strategy};
use crate::names::{companion_backup, displaced};
use crate::observe::{CompanionFacts, Observation, Verdict};
use crate::op::{Op, Step};
use crate::page1::JournalMode;
use crate::plan::parts::{
    clean_up, companion_names, receipt_steps, restore_v1_name, set_aside, undo,
};
use crate::plan::{Plan, PlanKind, step};

/// What is seen of the field's journal and canonical.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LegacyRule {
    /// Canonical is v2.
    V2,
    /// v2 was canonical, and nothing of it is left in staging: somebody restored v1 since. The
    /// cutover is over; only its journal is left.
    Over,
    /// Canonical cannot be read. It is not taken for somebody else's: it may be the user's v2.
    Unread,
    /// Canonical is v1.
    V1,
    /// v1 is neither canonical nor a backup.
    Missing,
    /// v1 is in the backup, and canonical is somebody else's.
    Foreign,
    /// v1 is in the backup, and there is no canonical.
    Moved,
}

impl LegacyRule {
    /// The table.
    pub const IN_ORDER: [Self; 7] =
        [Self::V2, Self::Over, Self::Unread, Self::V1, Self::Missing, Self::Foreign, Self::Moved];

    fn fits(self, observation: &Observation, journal: &Journal, field: &LegacyJournal) -> bool {
        let names = &journal.names;
        let is_there = |name| observation.files.contains_key(name);
        let (canonical, backup) = (is_there(&names.canonical), is_there(&names.backup));
        let empty = observation.canonical_facts().is_none_or(|facts| facts.size == 0);
        let apart = backup && !observation.same_file(&names.canonical, &names.backup);
        match self {
            Self::V2 => matches!(observation.verdict, Some(Verdict::Current | Verdict::Newer)),
            Self::Over => {
                field.phase == LegacyPhase::Committed
                    && !empty
                    && observation.verdict.is_some()
                    && !is_there(&names.staging)
            }
            Self::Unread => canonical && observation.verdict.is_none() && (!apart || !empty),
            Self::V1 => canonical && !apart,
            Self::Missing => !backup,
            Self::Foreign => canonical,
            Self::Moved => true,
        }
    }
}

pub(super) fn plan(
    table: &[LegacyRule],
    observation: &Observation,
    field: &LegacyJournal,
) -> Result<Plan, Failure> {
    let journal = adopt(observation, field);
    let flush = step(Op::SyncDir { companion: None }, FLUSH);
    // Staging stays until the companions are back: only beside it is their backup known to be
    // whole.
    let back = undo(
        &journal,
        None,
        false,
        undo_companions(observation, &journal, field),
        observation.platform,
    );
    let row = table.iter().find(|row| row.fits(observation, &journal, field));
    match row.copied().unwrap_or(LegacyRule::Moved) {
        LegacyRule::V2 => Ok(forward(observation, journal, flush)),
        LegacyRule::Over => {
            let journal = Journal { phase: Phase::Committed, ..journal };
            let steps = [flush].into_iter().chain(clean_up(&journal, true)).collect();
            Ok(plan_of(
                observation,
                PlanKind::Clean,
                Some(journal),
                steps,
                None,
                Some(0),
                Vec::new(),
            ))
        }
        LegacyRule::Unread => Err(refuse_unread(observation)),
        LegacyRule::V1 => {
            Ok(plan_of(observation, PlanKind::Undo, Some(journal), vec![flush], None, None, back))
        }
        LegacyRule::Missing => Err(refuse_missing(observation, &journal)),
        LegacyRule::Foreign => Ok(move_aside(observation, journal, flush)),
        LegacyRule::Moved => Ok(move_on(observation, journal, flush, back)),
    }
}

fn forward(observation: &Observation, mut journal: Journal, flush: Step) -> Plan {
    let names = &journal.names;
    journal.phase = Phase::Committed;
    let mut steps = vec![flush];
    if observation.files.contains_key(&names.backup) {
        steps.push(step(
            Op::Remove { files: vec![(&names.receipt()).into()] },
            "a receipt that an interrupted start began is made anew",
        ));
        steps.extend(receipt_steps(&names.receipt()));
    }
    steps.extend(clean_up(&journal, true));
    // Not from 0: what the field renamed need not be durable, and the application may not open it
    // before it is.
    plan_of(observation, PlanKind::Finish, Some(journal), steps, None, Some(1), Vec::new())
}

fn move_aside(observation: &Observation, mut journal: Journal, flush: Step) -> Plan {
    let canonical = &journal.names.canonical;
    let aside = displaced(canonical, &journal.nonce);
    let mut steps = vec![flush];
    let why = "an older release made it while v1 was moved; it is kept";
    for (from, to) in canonical
        .sidecars()
        .iter()
        .zip(aside.sidecars())
        .filter(|(from, _)| observation.files.contains_key(*from))
    {
        steps.push(step(Op::Rename { from: from.into(), to: (&to).into() }, why));
    }
    if steps.len() > 1 {
        steps.push(step(
            Op::SyncDir { companion: None },
            "a sidecar that stayed behind its database would be taken for v1's",
        ));
    }
    steps.push(step(Op::Rename { from: canonical.into(), to: (&aside).into() }, why));
    steps.push(step(
        Op::SyncDir { companion: None },
        "set aside for good before its name is used again",
    ));
    // A plan of its own: were it part of the next one, a failure before it would put v1 back over
    // it. The next one warns of the rest.
    journal.warnings.clear();
    plan_of(observation, PlanKind::Clean, Some(journal), steps, None, None, Vec::new())
}

/// Installs the verified staging, or moves the backup back.
fn move_on(observation: &Observation, journal: Journal, flush: Step, back: Vec<Step>) -> Plan {
    let names = &journal.names;
    let aside = displaced(&names.canonical, &journal.nonce);
    let [wal, shm, hot] = names.canonical.sidecars();
    let [backup_wal, _, backup_hot] = names.backup.sidecars();
    let orphans = [(wal, backup_wal), (hot, backup_hot)];
    let is_there = |name| observation.files.contains_key(name);
    let back: Vec<Step> = restore_v1_name(&journal).into_iter().chain(back).collect();
    // v1's own log still lies where v1 was: v1 goes back to it, and is built anew. A log that is
    // moved may be somebody else's by then, who made a database under the name; that name is
    // given to nobody who has it.
    if orphans.iter().any(|(from, _)| is_there(from)) && !orphans.iter().any(|(_, to)| is_there(to))
    {
        return plan_of(observation, PlanKind::Undo, Some(journal), vec![flush], None, None, back);
    }
    let mut steps = vec![flush];
    let [aside_wal, _, aside_hot] = aside.sidecars();
    for ((from, to), aside) in orphans
        .iter()
        .zip([aside_wal, aside_hot])
        .filter(|((from, _), _)| observation.files.contains_key(from))
    {
        // The backup's own sidecar is v1's; a second one is of a database that an older release
        // made in the gap.
        let (to, why) = if observation.files.contains_key(to) {
            (&aside, "v1 has its sidecar already; this one is somebody else's, and is kept")
        } else {
            (to, "v1's own sidecar goes where v1 is, and never stands beside v2")
        };
        steps.push(step(Op::Rename { from: from.into(), to: to.into() }, why));
    }
    if observation.files.contains_key(&shm) {
        steps.push(step(Op::Remove { files: vec![(&shm).into()] }, "a -shm is never moved"));
    }
    steps.push(step(
        Op::SyncDir { companion: None },
        "v1 has its sidecars for good before v2 is installed",
    ));
    steps.push(step(
        Op::Settle { file: names.backup.clone(), mode: JournalMode::Delete },
        "v1 becomes one file",
    ));

    let Some(staging) = observation.files.get(&names.staging) else {
        return plan_of(observation, PlanKind::Undo, Some(journal), steps, None, None, back);
    };
    let mode = staging.header.as_ref().map_or(JournalMode::Delete, |header| header.journal_mode);
    steps.extend([
        step(Op::Settle { file: names.staging.clone(), mode }, "v2 becomes one file"),
        step(
            Op::Check { file: names.staging.clone() },
            "an unseen staging file may be empty or torn",
        ),
        step(Op::Detect { file: names.staging.clone() }, "only a v2 is installed"),
        step(
            Op::SyncFile { file: (&names.staging).into() },
            "v2's data must be durable before its name is",
        ),
        step(
            Op::RenameNew { from: (&names.staging).into(), to: (&names.canonical).into() },
            "v2 becomes canonical, unless an older release has made another database in the gap",
        ),
    ]);
    let flip_at = steps.len() - 1;
    steps.extend([
        step(
            Op::Absent { files: names.canonical.sidecars().into() },
            "a sidecar of v1 would be replayed over v2",
        ),
        step(
            Op::SyncDir { companion: None },
            "v2 must be durable before the application commits to it",
        ),
    ]);
    let cleanup_from = steps.len();
    steps.push(step(
        Op::Remove { files: vec![(&names.receipt()).into()] },
        "a receipt that an interrupted start began is made anew",
    ));
    steps.extend(receipt_steps(&names.receipt()));
    steps.extend(clean_up(&journal, true));
    plan_of(
        observation,
        PlanKind::Finish,
        Some(journal),
        steps,
        Some(flip_at),
        Some(cleanup_from),
        back,
    )
}

/// The field's journal as one of ours, and whether its companion is the declared one.
fn adopt(observation: &Observation, field: &LegacyJournal) -> Journal {
    let mut warnings = Vec::new();
    let backup = companion_backup(&field.auth_file, &field.label, &field.nonce);
    // Its path is as it was written: through a link it is another. A backup of that upgrade is
    // nowhere else.
    let is_at = |seen: &CompanionFacts| {
        seen.path == field.auth_path
            || field.auth_is_at(&seen.relative)
            || seen.present.contains(&backup)
    };
    let declared =
        observation.companions.iter().find(|(_, seen)| seen.file == field.auth_file && is_at(seen));
    let mut companions = Vec::new();
    if let Some((name, seen)) = declared {
        let before = field.auth_existed.then(String::new);
        companions.push(Companion { before, ..seen.in_journal(name) });
    } else if !observation.companions.is_empty() || field.auth_backup {
        let now: Vec<&str> =
            observation.companions.values().map(|seen| seen.path.as_str()).collect();
        warnings.push(undeclared("auth", &field.auth_path, &now));
    }
    Journal {
        version: journal::VERSION,
        label: field.label.clone(),
        nonce: field.nonce.clone(),
        // `built` here only means: not committed, no fingerprint of v1.
        phase: Phase::Built,
        attempt: 1,
        strategy: Strategy::TwoRename,
        names: field.names.clone(),
        v1: None,
        v2: None,
        expect: std::collections::BTreeMap::new(),
        companions,
        host_state: field.keychain_backups.clone(),
        report: None,
        warnings,
    }
}

/// The field wrote `auth.json` in place, after a backup that was itself written in place. The
/// backup can be torn until staging exists, so it is put back only then; what it displaces is kept.
fn undo_companions(
    observation: &Observation,
    journal: &Journal,
    field: &LegacyJournal,
) -> Vec<Step> {
    let built = observation.files.contains_key(&journal.names.staging);
    let mut steps = Vec::new();
    for companion in &journal.companions {
        let names = companion_names(journal, companion);
        let Some(seen) = observation.companions.get(&companion.name) else { continue };
        let sync = |why: &str| step(Op::SyncDir { companion: Some(companion.name.clone()) }, why);
        let backed_up = field.auth_backup && seen.present.contains(&names.backup.name);
        if built && backed_up {
            // An interrupted rename may have left both names: then it is back, and would take the
            // place of what is kept.
            if !seen.same.contains(&names.backup.name) {
                if seen.digest.is_some() {
                    let kept = kept(observation, journal, companion);
                    if kept {
                        steps.push(sync(
                            "what is kept may be this very file, and its name there must be \
                             durable before this one goes",
                        ));
                    }
                    steps.extend(set_aside(journal, &names, kept, None));
                }
                steps.push(step(
                    Op::Rename { from: names.backup.clone(), to: names.file },
                    "the companion matches v1 again",
                ));
            }
        } else if built
            && !field.auth_existed
            && seen.digest.is_some()
            // What is kept stays, unless a rename was interrupted and left both names: then the other one goes.
            && (!kept(observation, journal, companion) || seen.same.contains(&names.displaced.name))
        {
            steps.push(step(
                Op::Rename { from: names.file, to: names.displaced },
                "there was none before; what is there now is kept beside",
            ));
        }
        steps.push(sync("put back for good before its backup goes"));
        steps.push(step(
            Op::Remove { files: vec![names.backup] },
            "nothing temporary stays beside the companion",
        ));
        steps.push(sync("removed for good before the journal goes"));
    }
    steps
}
