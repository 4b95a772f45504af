//! The way back: a backup becomes canonical again, and v2 is kept under another name.
//!
//! It is a flip like a migration's, with the parts exchanged, so its journal's `v1` is the database
//! that is replaced, and its `v2` the one that is installed: a copy of the backup, which nobody
//! holds and which has the journal mode that v1 had. The backup stays what it is. v2 gets its
//! second name, `data.db.displaced-<nonce>`, by a hard link that is durable before canonical's name
//! leaves it. Where it cannot be linked, or on Windows is open, what has that name is a copy, and
//! the pages of the install file are copied into canonical, as an upgrade's are (`page_copy.rs`).
//!
//! Until canonical is v1 an interrupted restore is undone, and from there on it is finished: a
//! start that upgrades must not meet, later, a restore that its caller was told had failed. Whether
//! the flip was done, the files tell, not `detect`, which a restore does without.

use std::collections::BTreeMap;

use super::leave::refuse_irreplaceable;
use super::refuse::{refuse_full, refuse_other_programs};
use super::steps::page_copy::{self, page_copy};
use super::steps::{
    clean_up, cleanup_index, companion_names, discard_v2, displaced_by, end_undo, flip_of_restore,
    give_wal_back, had_wal, install_companions, kept_with_backup, position_of_flip, temporary,
    write_journal,
};
use super::{Plan, PlanKind, index, step};
use crate::backup::Backup;
use crate::failure::{Code, Failure};
use crate::fault::Platform;
use crate::journal::{self, Companion, Journal, Phase, Strategy, V1};
use crate::names::{CompanionName, FileName, Names, Nonce};
use crate::observe::Observation;
use crate::op::{Op, Step};
use crate::page1::JournalMode;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreRequest {
    /// What is restored.
    pub backup: Backup,
    /// Tells this restore's files from another's.
    pub nonce: Nonce,
    /// The digest of each companion's backup that is there.
    pub companions: BTreeMap<CompanionName, String>,
}

/// What a restore does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restore {
    /// The plan.
    pub plan: Plan,
    /// Where v2 will be.
    pub displaced: FileName,
    /// Each companion that was declared, or kept with the backup: why it is left as it is; nothing
    /// where it is put back.
    pub companions: BTreeMap<CompanionName, Option<String>>,
}

/// Plans the restore of a backup. Refuses before anything is touched.
///
/// # Errors
/// `VERIFY` when the backup is not whole, `JOURNAL` beside a journal, `NOT_A_DATABASE` where there
/// is none to set aside, `NO_SPACE`, `IO`.
pub fn plan_restore(
    observation: &Observation,
    request: &RestoreRequest,
) -> Result<Restore, Failure> {
    let (canonical, backup) = (&observation.canonical, &request.backup);
    let refuse = |code: Code, reason: String, hint: &str| Failure::refusal(code, reason, hint);
    if let Some(journal) = observation.journals.keys().next() {
        let reason = "an upgrade of this database is not finished, and a restore knows neither \
                      its callbacks nor its `detect`";
        let hint = "finish it first: start the application, or recover";
        return Err(refuse(Code::Journal, reason.into(), hint).of(journal));
    }
    if let Some(why) = not_whole(observation, backup) {
        let reason = format!("the backup is not whole: {why}");
        let hint = "choose another backup; nothing was touched";
        return Err(refuse(Code::Verify, reason, hint).of(&backup.name));
    }
    let Some((facts, header)) =
        observation.canonical_facts().and_then(|facts| Some((facts, facts.header.as_ref()?)))
    else {
        let reason = "there is no SQLite database to set aside";
        let hint = "move away what has this name and copy the backup to it";
        return Err(refuse(Code::NotADatabase, reason.into(), hint).of(canonical));
    };
    let names = Names::new(canonical, &backup.label, &request.nonce, backup.started_ms).map_err(
        |error| refuse(Code::Io, error.to_string(), "use a shorter file name").of(canonical),
    )?;
    refuse_other_programs(observation).map_err(Failure::of_restore)?;
    let held = observation.held_on_windows();
    let strategy =
        if observation.can_link && !held { Strategy::Restore } else { Strategy::RestorePageCopy };
    let of_backup = observation.files.get(&backup.name).and_then(|facts| facts.header.as_ref());
    let kept_in_wal = held && header.journal_mode == JournalMode::Wal;
    if kept_in_wal && of_backup.is_some_and(|backup| backup.page_size != header.page_size) {
        let reason = "the database is open in WAL mode, so it keeps the size of its pages, and \
                      the backup has pages of another size";
        let failure = refuse(Code::Held, reason.into(), "close what has it open and try again");
        return Err(Failure { holders: observation.holders.clone(), ..failure }.of(canonical));
    }
    let wal = observation.files.get(&canonical.sidecars()[0]).map_or(0, |wal| wal.size);
    let copies = if strategy == Strategy::RestorePageCopy {
        page_copy::needs_bytes(facts.size.saturating_add(wal), backup.size, false)
    } else {
        0
    };
    let needs_bytes = backup.size.saturating_add(wal).saturating_add(copies);
    refuse_full(observation, needs_bytes, "the restore may need", "try again")?;

    let companions = companions_of(observation, request);
    let put_back = companions.iter().filter(|(_, why)| why.is_none());
    for (name, _) in put_back.clone() {
        refuse_irreplaceable(observation, name)?;
    }
    let journal = Journal {
        version: journal::VERSION,
        label: backup.label.clone(),
        nonce: request.nonce.clone(),
        phase: Phase::Building,
        attempt: 1,
        strategy,
        v1: facts.fingerprint().map(|fingerprint| V1 {
            file_id: facts.file_id.clone(),
            fingerprint,
            journal_mode: header.journal_mode,
        }),
        v2: None,
        expect: BTreeMap::new(),
        companions: put_back
            .filter_map(|(name, _)| {
                let (seen, after) =
                    (observation.companions.get(name)?, request.companions.get(name)?);
                // With nothing `before`, whatever is there is kept beside when its name goes to the
                // one that is put back.
                Some(Companion {
                    staged: true,
                    after: Some(after.clone()),
                    ..seen.in_journal(name)
                })
            })
            .collect(),
        host_state: None,
        report: None,
        warnings: Vec::new(),
        names: Names { backup: backup.name.clone(), ..names },
    };
    journal.check().map_err(|error| {
        refuse(Code::Io, error.to_string(), "use a shorter file name").of(canonical)
    })?;
    let of_header = of_backup.map(|header| header.journal_mode);
    let had = backup.v1.as_ref().map(|v1| v1.journal_mode).or(of_header);
    let modes = if kept_in_wal {
        Modes { canonical: JournalMode::Wal, install: JournalMode::Wal }
    } else {
        Modes { canonical: JournalMode::Delete, install: had.unwrap_or(JournalMode::Delete) }
    };
    let displaced = displaced_by(&journal);
    Ok(Restore {
        plan: made(journal, modes, observation.platform, needs_bytes),
        displaced,
        companions,
    })
}

/// Why it cannot be restored. More than a list tells: the header is read here, and every change of
/// a settled database shows in it. (Of a copy that SQLite made some show: it has a change counter
/// of its own.)
fn not_whole(observation: &Observation, backup: &Backup) -> Option<String> {
    if backup.why.is_some() {
        return backup.why.clone();
    }
    let Some(facts) = observation.files.get(&backup.name) else {
        return Some("it is not there".into());
    };
    match (facts.fingerprint(), &backup.v1) {
        (None, _) => Some("it is not a SQLite database".into()),
        (Some(now), Some(v1))
            if backup.strategy == Some(Strategy::PageCopy) && now.is_copy_of(&v1.fingerprint) =>
        {
            None
        }
        (Some(now), Some(v1)) if now != v1.fingerprint => {
            Some("it was changed since it was made".into())
        }
        _ => None,
    }
}

/// Each companion that is declared, or kept with the backup, and why it is not put back.
#[must_use]
pub fn companions_of(
    observation: &Observation,
    request: &RestoreRequest,
) -> BTreeMap<CompanionName, Option<String>> {
    let kept = &request.backup.companions;
    let why = |name: &CompanionName| {
        if !observation.companions.contains_key(name) {
            Some("it is not declared in the options".to_owned())
        } else if !kept.contains_key(name) {
            Some("none is kept with this backup: it was not there before the upgrade".to_owned())
        } else if request.companions.contains_key(name) {
            None
        } else {
            Some("its backup is gone".to_owned())
        }
    };
    kept.keys().chain(observation.companions.keys()).map(|name| (name.clone(), why(name))).collect()
}

/// In which journal mode the plan leaves a file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Modes {
    /// What is replaced: out of WAL mode, unless on Windows another connection keeps it there.
    pub canonical: JournalMode,
    /// The copy of the backup: what v1 had, or what canonical is kept in.
    pub install: JournalMode,
}

/// The plan of this journal.
pub(super) fn made(journal: Journal, modes: Modes, platform: Platform, needs_bytes: u64) -> Plan {
    let names = &journal.names;
    let mut steps = vec![
        step(
            Op::Look { file: names.canonical.clone() },
            "a connection of this process would lose its locks by our opening the file",
        ),
        step(
            Op::Look { file: names.backup.clone() },
            "whoever has the backup open may change it while it is copied",
        ),
    ];
    steps.extend(write_journal(&journal, Phase::Building));
    for companion in &journal.companions {
        let Some(kept) = kept_with_backup(&journal, companion) else { continue };
        let staged = companion_names(&journal, companion).staged;
        steps.extend([
            step(
                Op::Copy { from: kept, to: staged.clone() },
                "the companion's backup stays, as the database's does",
            ),
            step(Op::SyncFile { file: staged }, "what is renamed into place must be whole"),
            step(
                Op::SyncDir { companion: Some(companion.name.clone()) },
                "it must be there for good before the flip",
            ),
        ]);
    }
    steps.extend([
        step(
            Op::Settle { file: names.canonical.clone(), mode: modes.canonical },
            match modes.canonical {
                JournalMode::Delete => {
                    "v2 becomes one file, with every row, and leaving WAL mode proves that nobody \
                     else has it open"
                }
                JournalMode::Wal => {
                    "v2 becomes one file, with every row; the connection that has it open keeps \
                     it in its journal mode, and every commit since is seen"
                }
            },
        ),
        step(
            Op::Copy { from: (&names.backup).into(), to: (&names.install).into() },
            "the backup stays a backup, and canonical gets a file that nobody holds",
        ),
        step(
            Op::Settle { file: names.install.clone(), mode: modes.install },
            "v1 gets back the journal mode that it had before the upgrade",
        ),
        step(Op::Check { file: names.install.clone() }, "only a sound v1 takes the place of v2"),
        step(
            Op::SyncFile { file: (&names.install).into() },
            "v1's data must be durable before its name is",
        ),
    ]);
    steps.extend(write_journal(&journal, Phase::Built));
    if journal.strategy.copies_pages() {
        steps.extend(page_copy(&journal, &names.install, page_copy::Done::NOTHING));
    } else {
        steps.extend(flip_of_restore(&journal, platform));
    }
    let flip_at = position_of_flip(&steps, &names.canonical);
    steps.extend(install_companions(&journal, &|_| true, &|_| false));
    let installed = steps.len();
    steps.extend(write_journal(&journal, Phase::Committed));
    let cleanup_from = cleanup_index(platform, installed, steps.len());
    steps.extend(ending(&journal));
    Plan {
        undo: undo(&journal, platform, true),
        flip_at: flip_at.and_then(index),
        cleanup_from: index(cleanup_from),
        needs_bytes,
        ..Plan::new(PlanKind::Restore, platform, Some(journal), steps)
    }
}

/// After the commit. The application made nothing for a restore, so it has nothing to clean up.
pub(super) fn ending(journal: &Journal) -> Vec<Step> {
    clean_up(journal, true).into_iter().filter(|step| step.op != Op::CleanupHost {}).collect()
}

/// `copied`: what is set aside is a copy of what canonical holds, or there is none.
pub(super) fn undo(journal: &Journal, platform: Platform, copied: bool) -> Vec<Step> {
    let names = &journal.names;
    let aside = displaced_by(journal);
    let mut steps = vec![step(Op::UnlockV1 {}, "v2 stays; whoever waits for it may have it")];
    steps.extend(discard_v2(journal, &names.install, platform));
    if !journal.strategy.copies_pages() {
        steps.push(step(
            Op::RemoveLink { link: aside.clone(), of: names.canonical.clone() },
            "v2 was not replaced, so its second name goes",
        ));
    }
    steps.push(step(Op::Remove { files: temporary(journal) }, "nothing temporary stays"));
    if journal.strategy.copies_pages() && copied {
        steps.push(step(
            Op::Remove { files: vec![(&aside).into()] },
            "v2 was not replaced, so the copy of it goes",
        ));
    }
    for companion in &journal.companions {
        let staged = companion_names(journal, companion).staged;
        steps.push(step(
            Op::Remove { files: vec![staged] },
            "nothing temporary stays beside the companion",
        ));
        steps.push(step(
            Op::SyncDir { companion: Some(companion.name.clone()) },
            "removed for good before the journal goes",
        ));
    }
    if had_wal(journal) {
        steps.push(step(
            Op::SyncDir { companion: None },
            "v2 has one name for good before it is written to",
        ));
        let look = "v2 may be opened only while nobody else has it open";
        steps.extend(give_wal_back(
            journal,
            look,
            "without its WAL flag the application would meet \"database is locked\"",
        ));
    }
    steps.extend(end_undo(journal));
    steps
}
