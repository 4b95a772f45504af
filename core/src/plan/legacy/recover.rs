//! What a start does about the legacy daemon's journal.
//!
//! The journal's phase says less than the files: the daemon's renames may have reached the disk in
//! another order than its journal, so the files decide. The journal has no fingerprint of v1, so
//! where v1 is still canonical v2 is always built again.

use super::journal::{LegacyJournal, LegacyPhase};
use crate::failure::Failure;
use crate::journal::{self, Companion, Journal, Phase, Strategy, Warning, WarningFrom};
use crate::names::{CompanionName, FileName, companion_backup_name, displaced_name};
use crate::observe::{CompanionFacts, Observation, Verdict};
use crate::op::{Op, Step};
use crate::page1::JournalMode;
use crate::plan::leave::{leave_irreplaceable, moved};
use crate::plan::refuse::{refuse_missing, refuse_unread};
use crate::plan::steps::{
    FLUSH, clean_up, companion_names, is_kept, receipt_steps, set_aside, undo,
};
use crate::plan::{Plan, PlanKind, flush, index, step};

/// What is seen of the legacy journal and canonical.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LegacyRule {
    /// Canonical is v2.
    V2,
    /// v2 was canonical, and there is no staging: a person restored v1 since. The upgrade is over,
    /// and only its journal is left.
    Over,
    /// Canonical cannot be read. Not treated as foreign, because it may be the user's v2.
    Unread,
    /// Canonical is v1.
    V1,
    /// v1 is neither canonical nor a backup.
    Missing,
    /// v1 is in the backup, and canonical is another program's database.
    Foreign,
    /// v1 is in the backup, and there is no canonical.
    Moved,
}

impl LegacyRule {
    /// The table.
    pub const IN_ORDER: [Self; 7] =
        [Self::V2, Self::Over, Self::Unread, Self::V1, Self::Missing, Self::Foreign, Self::Moved];

    fn fits(self, observation: &Observation, journal: &Journal, legacy: &LegacyJournal) -> bool {
        let names = &journal.names;
        let is_there = |name| observation.files.contains_key(name);
        let (canonical, backup) = (is_there(&names.canonical), is_there(&names.backup));
        let empty = observation.canonical_facts().is_none_or(|facts| facts.size == 0);
        let apart = backup && !observation.same_file(&names.canonical, &names.backup);
        match self {
            Self::V2 => matches!(observation.verdict, Some(Verdict::Current | Verdict::Newer)),
            Self::Over => {
                legacy.phase == LegacyPhase::Committed
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

/// The recovery of the legacy upgrade.
pub(in crate::plan) fn plan(
    table: &[LegacyRule],
    observation: &Observation,
    legacy: &LegacyJournal,
) -> Result<Plan, Failure> {
    let mut journal = adopt(observation, legacy);
    let rule = table.iter().find(|rule| rule.fits(observation, &journal, legacy)).copied();
    let rule = rule.unwrap_or(LegacyRule::Moved);
    if !matches!(rule, LegacyRule::V2 | LegacyRule::Over) {
        leave_irreplaceable(observation, &mut journal, |journal, companion, seen| {
            let how = put_back(observation, journal, legacy, companion, seen);
            matches!(how, PutBack::Backup | PutBack::Nothing)
        });
        tell_of_torn(observation, &mut journal, legacy);
    }
    let first = flush(FLUSH);
    // Staging stays until the companions are back: while it is there, a companion's backup is known
    // to be whole.
    let back = undo(
        &journal,
        None,
        false,
        undo_companions(observation, &journal, legacy),
        observation.platform,
    );
    match rule {
        LegacyRule::V2 => Ok(forward(observation, journal, first)),
        LegacyRule::Over => {
            let journal = Journal { phase: Phase::Committed, ..journal };
            let steps = [first].into_iter().chain(clean_up(&journal, true)).collect();
            Ok(Plan {
                cleanup_from: Some(0),
                ..Plan::new(PlanKind::Clean, observation.platform, Some(journal), steps)
            })
        }
        LegacyRule::Unread => Err(refuse_unread(observation)),
        LegacyRule::V1 => Ok(go_back(observation, journal, vec![first], back)),
        LegacyRule::Missing => Err(refuse_missing(observation, &journal)),
        LegacyRule::Foreign => Ok(move_aside(observation, journal, first)),
        LegacyRule::Moved => Ok(move_on(observation, journal, first, back)),
    }
}

fn go_back(observation: &Observation, journal: Journal, steps: Vec<Step>, undo: Vec<Step>) -> Plan {
    Plan { undo, ..Plan::new(PlanKind::Undo, observation.platform, Some(journal), steps) }
}

fn forward(observation: &Observation, mut journal: Journal, first: Step) -> Plan {
    journal.phase = Phase::Committed;
    let mut steps = vec![first];
    if observation.files.contains_key(&journal.names.backup) {
        steps.extend(write_receipt(&journal));
    }
    steps.extend(clean_up(&journal, true));
    // Not from 0: what the daemon renamed may not be durable, and the application may not open it
    // before it is.
    Plan {
        cleanup_from: Some(1),
        ..Plan::new(PlanKind::Finish, observation.platform, Some(journal), steps)
    }
}

fn write_receipt(journal: &Journal) -> Vec<Step> {
    let receipt = journal.names.receipt();
    let mut steps = vec![step(
        Op::Remove { files: vec![(&receipt).into()] },
        "an interrupted start may have left half a receipt; it is written again",
    )];
    steps.extend(receipt_steps(&receipt));
    steps
}

/// Sets another program's database aside.
fn move_aside(observation: &Observation, mut journal: Journal, first: Step) -> Plan {
    let canonical = &journal.names.canonical;
    let aside = displaced_name(canonical, &journal.nonce);
    let mut steps = vec![first];
    let why = "an older release made this file while v1 was moved; it is kept";
    for (from, to) in canonical
        .sidecars()
        .iter()
        .zip(aside.sidecars())
        .filter(|(from, _)| observation.files.contains_key(*from))
    {
        steps.push(step(Op::Rename { from: from.into(), to: (&to).into() }, why));
    }
    if steps.len() > 1 {
        steps.push(flush(
            "SQLite would take a -wal or -journal that stayed behind its database for v1's",
        ));
    }
    steps.push(step(Op::Rename { from: canonical.into(), to: (&aside).into() }, why));
    steps.push(flush(
        "the other database must be set aside for good before canonical's name is used again",
    ));
    // A plan of its own: if it were part of the next one, a failure before it would put v1 back over
    // this database. The next plan has the warnings.
    journal.warnings.clear();
    Plan::new(PlanKind::Clean, observation.platform, Some(journal), steps)
}

/// Installs the checked staging, or moves the backup back.
fn move_on(observation: &Observation, journal: Journal, first: Step, back: Vec<Step>) -> Plan {
    let names = &journal.names;
    let aside = displaced_name(&names.canonical, &journal.nonce);
    let [wal, shm, hot] = names.canonical.sidecars();
    let [backup_wal, _, backup_hot] = names.backup.sidecars();
    let orphans = [(wal, backup_wal), (hot, backup_hot)];
    let is_there = |name| observation.files.contains_key(name);
    let back: Vec<Step> = move_v1_back(&journal).into_iter().chain(back).collect();
    // v1's own log still lies where v1 was: v1 goes back to it, and v2 is built again. By the time
    // that a log is moved, another program may have made a database under canonical's name; its log
    // must not get v1's name.
    if orphans.iter().any(|(from, _)| is_there(from)) && !orphans.iter().any(|(_, to)| is_there(to))
    {
        return go_back(observation, journal, vec![first], back);
    }
    let mut steps = vec![first];
    let [aside_wal, _, aside_hot] = aside.sidecars();
    for ((from, to), aside) in orphans
        .iter()
        .zip([aside_wal, aside_hot])
        .filter(|((from, _), _)| observation.files.contains_key(from))
    {
        // The backup's own sidecar is v1's; a second one is of a database that an older release
        // made in the gap.
        let (to, why) = if observation.files.contains_key(to) {
            (&aside, "v1 has this sidecar already, so this one is another database's; it is kept")
        } else {
            (to, "v1's own sidecar follows v1; it must not stand beside v2")
        };
        steps.push(step(Op::Rename { from: from.into(), to: to.into() }, why));
    }
    if observation.files.contains_key(&shm) {
        steps.push(step(
            Op::Remove { files: vec![(&shm).into()] },
            "a -shm holds no data, so it is never moved",
        ));
    }
    steps.push(flush("v1 must have its sidecars for good before v2 is installed"));
    steps.push(step(
        Op::Settle { file: names.backup.clone(), mode: JournalMode::Delete },
        "v1 becomes one file",
    ));

    let Some(staging) = observation.files.get(&names.staging) else {
        return go_back(observation, journal, steps, back);
    };
    let mode = staging.header.as_ref().map_or(JournalMode::Delete, |header| header.journal_mode);
    steps.extend([
        step(Op::Settle { file: names.staging.clone(), mode }, "v2 becomes one file"),
        step(
            Op::Check { file: names.staging.clone() },
            "the staging file may be empty or torn; the journal does not say",
        ),
        step(Op::Detect { file: names.staging.clone() }, "only a v2 may be installed"),
        step(
            Op::SyncFile { file: (&names.staging).into() },
            "v2's data must be durable before v2 gets canonical's name",
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
            "SQLite would replay a -wal or -journal of v1 over v2",
        ),
        flush("v2 must be durable under canonical's name before the application writes to it"),
    ]);
    let cleanup_from = steps.len();
    steps.extend(write_receipt(&journal));
    steps.extend(clean_up(&journal, true));
    Plan {
        flip_at: index(flip_at),
        cleanup_from: index(cleanup_from),
        undo: back,
        ..Plan::new(PlanKind::Finish, observation.platform, Some(journal), steps)
    }
}

/// v1 gets canonical's name back, over no other program's file. v1 may just have been settled: a
/// rollback journal of that must not come back under a name that v1 has left.
fn move_v1_back(journal: &Journal) -> [Step; 3] {
    let names = &journal.names;
    [
        flush("what SQLite removed beside v1 must be gone for good before v1 gets another name"),
        step(
            Op::RenameNew { from: (&names.backup).into(), to: (&names.canonical).into() },
            "one rename makes v1 canonical again",
        ),
        flush("v1 must be canonical for good before any file is removed"),
    ]
}

/// The declared companion that the legacy upgrade had. The journal's path is as it was written;
/// through a symbolic link it reads otherwise. A backup of that upgrade is nowhere else.
fn declared<'a>(
    observation: &'a Observation,
    legacy: &LegacyJournal,
) -> Option<(&'a CompanionName, &'a CompanionFacts)> {
    let backup = companion_backup_name(&legacy.auth_file, &legacy.label, &legacy.nonce);
    observation.companions.iter().find(|(_, seen)| {
        seen.file == legacy.auth_file
            && (seen.path == legacy.auth_path
                || legacy.auth_is_at(&seen.relative)
                || seen.present.contains(&backup))
    })
}

/// The companion that is declared elsewhere than the legacy upgrade had it, and where that was.
pub(in crate::plan) fn moved_companion(
    observation: &Observation,
) -> Option<(&CompanionName, String, &CompanionFacts)> {
    let legacy = super::journal(observation)?;
    let over = legacy.phase == LegacyPhase::Committed || declared(observation, &legacy).is_some();
    let mut named = observation.companions.iter().filter(|(_, seen)| seen.file == legacy.auth_file);
    let (name, now) = named.next().filter(|_| !over)?;
    Some((name, legacy.auth_path, now))
}

/// The legacy journal as one of ours, with its companion if that is the declared one.
fn adopt(observation: &Observation, legacy: &LegacyJournal) -> Journal {
    let mut warnings = Vec::new();
    let mut companions = Vec::new();
    if let Some((name, seen)) = declared(observation, legacy) {
        let before = legacy.auth_existed.then(String::new);
        companions.push(Companion { before, ..seen.in_journal(name) });
    } else if !observation.companions.is_empty() || legacy.auth_backup {
        let now: Vec<&str> =
            observation.companions.values().map(|seen| seen.path.as_str()).collect();
        warnings.push(moved("auth", &legacy.auth_path, &now));
    }
    Journal {
        version: journal::JOURNAL_VERSION,
        label: legacy.label.clone(),
        nonce: legacy.nonce.clone(),
        // `built` here only means: not committed, no fingerprint of v1.
        phase: Phase::Built,
        attempt: 1,
        strategy: Strategy::TwoRename,
        names: legacy.names.clone(),
        v1: None,
        v2: None,
        expect: std::collections::BTreeMap::new(),
        companions,
        host_state: legacy.keychain_backups.clone(),
        report: None,
        warnings,
    }
}

/// The backup that the legacy daemon made of a declared companion, if it is there: whether it may
/// have been cut short depends on what it holds.
#[must_use]
pub fn legacy_backup(observation: &Observation) -> Option<(CompanionName, FileName)> {
    let legacy = super::journal(observation)?;
    let (name, seen) = declared(observation, &legacy)?;
    let backup = companion_backup_name(&legacy.auth_file, &legacy.label, &legacy.nonce);
    let there = legacy.auth_backup && seen.present.contains(&backup);
    there.then(|| (name.clone(), backup))
}

/// How an undo puts a companion back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PutBack {
    /// Not at all: there is no backup, or the companion is that very file.
    Stays,
    /// The backup was cut short while the companion was as it is now. Neither changes.
    Torn,
    /// The backup gets the companion's name.
    Backup,
    /// There was none before, so what is there gets its displaced name.
    Nothing,
}

/// The daemon wrote `auth.json` in place, after a backup that it wrote in place as well. That backup
/// may be cut short until staging exists; then it is the beginning of the companion, which the
/// daemon had not written yet. But the daemon's own recovery removed staging before it put the
/// companion back. So a backup that holds anything else is put back, and what it displaces is kept.
/// That also holds where both are the same: the daemon may not have flushed the companion, and a
/// flush of ours proves nothing of a flush that failed before it.
fn put_back(
    observation: &Observation,
    journal: &Journal,
    legacy: &LegacyJournal,
    companion: &Companion,
    seen: &CompanionFacts,
) -> PutBack {
    let names = companion_names(journal, companion);
    let (backup, displaced) = (&names.backup.name, &names.displaced.name);
    let staging = observation.files.contains_key(&journal.names.staging);
    let building = legacy.phase == LegacyPhase::Building;
    if legacy.auth_backup && seen.present.contains(backup) {
        // An interrupted rename may have left both names. Then the companion is back already, and
        // would replace what is kept.
        if seen.same.contains(backup) {
            PutBack::Stays
        } else if seen.legacy_backup_is_beginning && !staging && building {
            PutBack::Torn
        } else {
            PutBack::Backup
        }
    } else if !legacy.auth_existed
        && seen.digest.is_some()
        // What is kept stays, unless an interrupted rename left both names: then the other goes.
        && (!seen.present.contains(displaced) || seen.same.contains(displaced))
    {
        PutBack::Nothing
    } else {
        PutBack::Stays
    }
}

/// Warns of a backup that is left as it is.
fn tell_of_torn(observation: &Observation, journal: &mut Journal, legacy: &LegacyJournal) {
    for companion in journal.companions.clone() {
        let Some(seen) = observation.companions.get(&companion.name) else { continue };
        if put_back(observation, journal, legacy, &companion, seen) != PutBack::Torn {
            continue;
        }
        let directory = seen.path.strip_suffix(seen.file.as_str()).unwrap_or_default();
        let message = format!(
            "{directory}{} was left as it is: it holds only the beginning of {}, so the program \
             that made it was probably stopped; it may be removed once {} is as the application \
             needs it",
            companion_names(journal, &companion).backup.name,
            seen.path,
            seen.path,
        );
        journal.warn(Warning { from: WarningFrom::Cutover, code: Some("KEPT".into()), message });
    }
}

fn undo_companions(
    observation: &Observation,
    journal: &Journal,
    legacy: &LegacyJournal,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for companion in &journal.companions {
        let Some(seen) = observation.companions.get(&companion.name) else { continue };
        let names = companion_names(journal, companion);
        let sync = |why: &str| step(Op::SyncDir { companion: Some(companion.name.clone()) }, why);
        match put_back(observation, journal, legacy, companion, seen) {
            PutBack::Stays => {}
            PutBack::Torn => continue,
            PutBack::Backup => {
                if seen.digest.is_some() {
                    let kept = is_kept(observation, &journal.nonce, companion);
                    if kept {
                        steps.push(sync(
                            "the kept file may be this very companion, and its name there must \
                             be durable before this one goes",
                        ));
                    }
                    steps.extend(set_aside(journal, &names, kept, None));
                }
                steps.push(step(
                    Op::Rename { from: names.backup.clone(), to: names.file },
                    "the companion's backup gets its name back, so that it matches v1 again",
                ));
            }
            PutBack::Nothing => steps.push(step(
                Op::Rename { from: names.file, to: names.displaced },
                "there was no companion before the upgrade; the one that is there is kept under \
                 its displaced name",
            )),
        }
        steps.push(sync("the companion must be back for good before its backup is removed"));
        steps.push(step(
            Op::Remove { files: vec![names.backup] },
            "the companion's backup is no longer needed",
        ));
        steps.push(sync("the files must be gone for good before the journal is removed"));
    }
    steps
}
