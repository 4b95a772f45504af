//! The way back: a backup becomes canonical again, and v2 is kept under another name.
//!
//! A restore is a migration's flip with the parts exchanged. Its journal's `v1` is the database that
//! is replaced; its `v2` is the one that is installed: a copy of the backup, which no process holds
//! and which has the journal mode that v1 had. The backup itself does not change. A hard link gives
//! v2 its second name, `data.db.displaced-<nonce>`, durably, before v2 loses canonical's name. Where
//! canonical cannot be linked, or on Windows is open, a copy of v2 gets that name, and the pages of
//! the install file are copied into canonical (`steps/page_copy.rs`).
//!
//! An interrupted restore is undone until canonical is v1, and finished from then on. So a later
//! start never completes a restore whose caller was told that it had failed. The files tell whether
//! the flip was done; a restore does not use `detect`.

use std::collections::BTreeMap;

use super::leave::refuse_irreplaceable;
use super::refuse::{refuse_full, refuse_other_programs, refuse_unseen};
use super::steps::page_copy::{self, page_copy};
use super::steps::{
    clean_up, cleanup_index, companion_names, discard_v2, displaced_by, end_undo, flip_of_restore,
    give_wal_back, had_wal, install_companions, kept_with_backup, position_of_flip, temporary,
    write_journal,
};
use super::{Plan, PlanKind, flush, index, step};
use crate::backup::Backup;
use crate::failure::{Code, Failure, NO_HEADER};
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

/// Plans the restore of a backup. Refuses before any file is touched.
///
/// # Errors
/// `VERIFY` when the backup is not whole, `NEWER` when a newer release wrote its receipt, `JOURNAL` beside a journal, `NOT_A_DATABASE` where there
/// is none to set aside, `HELD` where a program holds the database or it cannot be told whether one
/// does, `NO_SPACE`, `IO`.
pub fn plan_restore(
    observation: &Observation,
    request: &RestoreRequest,
) -> Result<Restore, Failure> {
    let (canonical, backup) = (&observation.canonical, &request.backup);
    let refuse = |code: Code, reason: String, hint: &str| Failure::refusal(code, reason, hint);
    if let Some(journal) = observation.journals.keys().next() {
        let reason = "an upgrade of this database is not finished, and a restore cannot finish \
                      it: it has neither the application's callbacks nor its `detect`";
        let hint = "finish it first: start the application, or recover";
        return Err(refuse(Code::Journal, reason.into(), hint).of(journal));
    }
    if let Some(why) = backup.why.as_ref().filter(|_| backup.newer) {
        let hint =
            "the newer release of the application can restore this backup; nothing was touched";
        return Err(refuse(Code::Newer, why.clone(), hint).of(&backup.name));
    }
    if let Some(why) = not_whole(observation, backup) {
        let reason = format!("the backup is not whole: {why}");
        let hint = "choose another backup; nothing was touched";
        return Err(refuse(Code::Verify, reason, hint).of(&backup.name));
    }
    let Some((facts, header)) =
        observation.canonical_facts().and_then(|facts| Some((facts, facts.header.as_ref()?)))
    else {
        let there = observation.canonical_facts().is_some_and(|facts| facts.size > 0);
        let (reason, hint) = if there {
            (
                NO_HEADER,
                "if the application encrypts it, leave it where it is; else move it away \
                         and copy the backup to its name",
            )
        } else {
            ("there is no database to set aside", "copy the backup to this name")
        };
        return Err(refuse(Code::NotADatabase, reason.into(), hint).of(canonical));
    };
    let names = Names::new(canonical, &backup.label, &request.nonce, backup.started_ms).map_err(
        |error| refuse(Code::Io, error.to_string(), "use a shorter file name").of(canonical),
    )?;
    refuse_unseen(observation)?;
    refuse_other_programs(observation).map_err(Failure::of_restore)?;
    let held = observation.held_on_windows();
    let strategy =
        if observation.can_link && !held { Strategy::Restore } else { Strategy::RestorePageCopy };
    let of_backup = observation.files.get(&backup.name).and_then(|facts| facts.header.as_ref());
    let kept_in_wal = held && header.journal_mode == JournalMode::Wal;
    if kept_in_wal && of_backup.is_some_and(|backup| backup.page_size != header.page_size) {
        let reason = "the database is open in WAL mode, so it keeps the size of its pages, and \
                      the backup has pages of another size";
        let hint = "close the program that has it open and try again";
        let failure = refuse(Code::Held, reason.into(), hint);
        return Err(failure.held_by(&observation.holders).of(canonical));
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
        version: journal::JOURNAL_VERSION,
        label: backup.label.clone(),
        nonce: request.nonce.clone(),
        phase: Phase::Building,
        attempt: 1,
        strategy,
        v1: V1::of(facts, header.journal_mode),
        v2: None,
        expect: BTreeMap::new(),
        companions: put_back
            .filter_map(|(name, _)| {
                let (seen, after) =
                    (observation.companions.get(name)?, request.companions.get(name)?);
                // With no `before`, the restore keeps the companion that is there under its
                // displaced name, whatever its content.
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

/// Why this backup cannot be restored. The header is compared here, which a list of backups does not
/// do: it shows every change of a settled database. (Of a copy that SQLite made it shows some
/// changes, because the copy has its own change counter.)
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
    /// Of the database that is replaced: not WAL, unless on Windows another connection keeps it so.
    pub canonical: JournalMode,
    /// Of the copy of the backup: the mode that v1 had, or the mode that canonical is kept in.
    pub install: JournalMode,
}

/// The plan of this journal.
pub(super) fn made(journal: Journal, modes: Modes, platform: Platform, needs_bytes: u64) -> Plan {
    let names = &journal.names;
    let mut steps = vec![
        step(
            Op::Look { file: names.canonical.clone() },
            "if this process has the database open, opening it again would drop that \
             connection's locks",
        ),
        step(
            Op::Look { file: names.backup.clone() },
            "a program that has the backup open may change it while it is copied",
        ),
    ];
    steps.extend(write_journal(&journal, Phase::Building));
    for companion in &journal.companions {
        let Some(kept) = kept_with_backup(&journal, companion) else { continue };
        let staged = companion_names(&journal, companion).staged;
        steps.extend([
            step(
                Op::Copy { from: kept, to: staged.clone() },
                "the companion is restored from a copy; its backup stays a backup",
            ),
            step(
                Op::SyncFile { file: staged },
                "the copy must be whole on disk before it gets the companion's name",
            ),
            step(
                Op::SyncDir { companion: Some(companion.name.clone()) },
                "the copy must be durable before the flip",
            ),
        ]);
    }
    steps.extend([
        step(
            Op::Settle { file: names.canonical.clone(), mode: modes.canonical },
            match modes.canonical {
                JournalMode::Delete => {
                    "v2 becomes one file with every row; leaving WAL mode proves that no other \
                     process has it open"
                }
                JournalMode::Wal => {
                    "v2 becomes one file with every row; the process that has it open keeps it in \
                     its journal mode, and every commit since is noticed"
                }
            },
        ),
        step(
            Op::Copy { from: (&names.backup).into(), to: (&names.install).into() },
            "the backup stays a backup; canonical gets a copy that no process holds",
        ),
        step(
            Op::Settle { file: names.install.clone(), mode: modes.install },
            "v1 gets back the journal mode that it had before the upgrade",
        ),
        step(Op::Check { file: names.install.clone() }, "only a sound v1 may replace v2"),
        step(
            Op::SyncFile { file: (&names.install).into() },
            "v1's data must be durable before v1 gets canonical's name",
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

/// The steps after the commit. The application keeps nothing for a restore, so it is not asked to
/// clean up.
pub(super) fn ending(journal: &Journal) -> Vec<Step> {
    clean_up(journal, true).into_iter().filter(|step| step.op != Op::CleanupHost {}).collect()
}

/// Undoes a restore before its flip. `copied`: the file with the displaced name is a copy of
/// canonical, or there is none.
pub(super) fn undo(journal: &Journal, platform: Platform, copied: bool) -> Vec<Step> {
    let names = &journal.names;
    let aside = displaced_by(journal);
    let mut steps =
        vec![step(Op::UnlockV1 {}, "v2 stays canonical; programs that wait for it may go on")];
    steps.extend(discard_v2(journal, &names.install, platform));
    if !journal.strategy.copies_pages() {
        steps.push(step(
            Op::RemoveLink { link: aside.clone(), of: names.canonical.clone() },
            "v2 was not replaced, so its second hard link is not needed",
        ));
    }
    steps.push(step(
        Op::Remove { files: temporary(journal) },
        "the temporary files are no longer needed",
    ));
    if journal.strategy.copies_pages() && copied {
        steps.push(step(
            Op::Remove { files: vec![(&aside).into()] },
            "v2 was not replaced, so its copy is not needed",
        ));
    }
    for companion in &journal.companions {
        let staged = companion_names(journal, companion).staged;
        steps.push(step(
            Op::Remove { files: vec![staged] },
            "the companion's temporary file is no longer needed",
        ));
        steps.push(step(
            Op::SyncDir { companion: Some(companion.name.clone()) },
            "the file must be gone for good before the journal is removed",
        ));
    }
    if had_wal(journal) {
        steps.push(flush("v2 must have one name for good before it is written to"));
        let look = "v2 may be opened only while no other process has it open";
        steps.extend(give_wal_back(
            journal,
            look,
            "v2 was in WAL mode; without it the application would meet \"database is locked\"",
        ));
    }
    steps.extend(end_undo(journal));
    steps
}
