//! The way from v1 to v2.

use super::leave::{refuse_irreplaceable, refuse_moved};
use super::refuse::{refuse_full, refuse_other_programs, refuse_unseen};
use super::steps::page_copy::{self, page_copy};
use super::steps::{
    BackupName, clean_up, cleanup_index, commit, companion_names, flip, install_companions,
    is_kept, position_of_flip, remove_tmp, undo, undo_companions, write_journal,
};
use super::{BuildBy, BuildFrom, Plan, PlanKind, Request, index, legacy, step};
use crate::failure::{Code, Failure};
use crate::journal::{self, Companion, Journal, Phase, Strategy, V1};
use crate::names::{FileName, Names};
use crate::observe::{FileFacts, Observation};
use crate::op::{Guard, Op, Step};
use crate::page1::{Header, JournalMode};

/// Plans the migration of what was observed. Refuses before any file is touched.
///
/// # Errors
/// When canonical is missing, held by this process or not a database, when it cannot be told which
/// programs hold it, when a companion cannot be
/// replaced or is declared elsewhere than an interrupted upgrade had it, when a name would be too long, or when the volume has too little room for the worst
/// case.
pub fn plan_migration(observation: &Observation, request: &Request) -> Result<Plan, Failure> {
    let canonical = &observation.canonical;
    let (facts, header) = v1(observation)?;
    refuse_moved_companions(observation)?;
    for companion in observation.companions.keys() {
        refuse_irreplaceable(observation, companion)?;
    }
    let names = Names::new(canonical, &request.label, &request.nonce, request.now_ms)
        .map_err(|error| too_long(canonical, &error.to_string()))?;
    refuse_unseen(observation)?;
    refuse_other_programs(observation)?;
    let held = observation.held_on_windows();
    let strategy =
        if observation.can_link && !held { Strategy::LinkReplace } else { Strategy::PageCopy };
    let needs_bytes = needs_bytes(observation, facts, request, strategy);
    refuse_full(observation, needs_bytes, "the upgrade may need", "start again")?;
    let mode = header.journal_mode;
    let journal = journal(observation, request, strategy, names, facts, mode)?;

    let host = request.by == BuildBy::Host;
    let staged = if host { &journal.names.install } else { &journal.names.staging };
    let mut steps = begin(observation, &journal);
    steps.extend(back_up_companions(&journal));
    steps.push(settle_v1(canonical, held, mode));
    steps.extend(build(&journal, request, mode));
    steps.extend(check(staged, request.verify));
    steps.extend(write_journal(&journal, Phase::Built));
    if strategy == Strategy::PageCopy {
        steps.extend(page_copy(&journal, staged, page_copy::Done::NOTHING));
    } else {
        steps.extend(flip(&journal, staged, BackupName::Free, observation.platform));
    }
    let flip_at = position_of_flip(&steps, canonical);
    // An attempt that had this nonce before may have kept one.
    let kept = |companion: &Companion| is_kept(observation, &journal.nonce, companion);
    steps.extend(install_companions(&journal, &|_| true, &kept));
    let installed = steps.len();
    steps.extend(commit(&journal));
    let cleanup_from = cleanup_index(observation.platform, installed, steps.len());
    let temporaries = host || strategy == Strategy::PageCopy || !journal.companions.is_empty();
    steps.extend(clean_up(&journal, temporaries));

    Ok(Plan {
        undo: undo(
            &journal,
            Some(staged),
            strategy == Strategy::PageCopy,
            undo_companions(&journal, &|_| true, &kept),
            observation.platform,
        ),
        flip_at: flip_at.and_then(index),
        cleanup_from: index(cleanup_from),
        needs_bytes,
        ..Plan::new(PlanKind::Migrate, observation.platform, Some(journal), steps)
    })
}

/// Refuses a companion that is declared elsewhere than the upgrade had it whose journal is seen.
/// Ask before that upgrade is recovered: its journal is gone afterwards, and the file that it had
/// still needs the application.
///
/// # Errors
/// The companion, and both paths.
pub fn refuse_moved_companions(observation: &Observation) -> Result<(), Failure> {
    let journals = observation.journals.values().flatten();
    let ours = journals.filter_map(|text| Journal::parse(text, &observation.canonical).ok());
    for journal in ours.filter(|journal| journal.phase != Phase::Committed) {
        for companion in &journal.companions {
            if let Some(now) = observation.companions.get(&companion.name)
                && !observation.declares(companion)
            {
                return Err(refuse_moved(&companion.name, &companion.path, now));
            }
        }
    }
    legacy::moved_companion(observation)
        .map_or(Ok(()), |(name, was, now)| Err(refuse_moved(name, &was, now)))
}

/// The database that is migrated.
fn v1(observation: &Observation) -> Result<(&FileFacts, &Header), Failure> {
    let refuse = |code: Code, reason: &str, hint: &str| {
        Failure::refusal(code, reason, hint).of(&observation.canonical)
    };
    let facts = observation
        .canonical_facts()
        .ok_or_else(|| refuse(Code::Io, "there is no database to migrate", "check the path"))?;
    let header = facts.header.as_ref().ok_or_else(|| Failure::no_header(&observation.canonical))?;
    Ok((facts, header))
}

fn too_long(canonical: &FileName, error: &str) -> Failure {
    Failure::refusal(Code::Io, error, "use a shorter file name").of(canonical)
}

/// The worst case, taking v2 to be as large as v1 with its log: the copy that the host may ask for,
/// v2, and v2 again where an open handle makes it be restaged.
fn needs_bytes(
    observation: &Observation,
    facts: &FileFacts,
    request: &Request,
    strategy: Strategy,
) -> u64 {
    let [wal, ..] = observation.canonical.sidecars();
    let wal = observation.files.get(&wal).map_or(0, |wal| wal.size);
    let v1_bytes = facts.size.saturating_add(wal);
    let copies = match (request.by, request.from) {
        (BuildBy::Sql, _) => 1,
        (BuildBy::Host, BuildFrom::Copy) => 2,
        (BuildBy::Host, BuildFrom::Empty) => 3,
    };
    let to_build = v1_bytes.saturating_mul(copies).saturating_add(wal);
    if strategy != Strategy::PageCopy {
        return to_build;
    }
    // The copy for the host is gone by then.
    let gone = if copies == 3 { v1_bytes } else { 0 };
    to_build.saturating_add(page_copy::needs_bytes(v1_bytes, v1_bytes, false)).saturating_sub(gone)
}

fn journal(
    observation: &Observation,
    request: &Request,
    strategy: Strategy,
    names: Names,
    facts: &FileFacts,
    journal_mode: JournalMode,
) -> Result<Journal, Failure> {
    let journal = Journal {
        version: journal::JOURNAL_VERSION,
        label: request.label.clone(),
        nonce: request.nonce.clone(),
        phase: Phase::Building,
        attempt: request.attempt,
        strategy,
        v1: V1::of(facts, journal_mode),
        v2: None,
        expect: std::collections::BTreeMap::new(),
        companions: observation
            .companions
            .iter()
            .map(|(name, seen)| Companion { before: seen.digest.clone(), ..seen.in_journal(name) })
            .collect(),
        host_state: None,
        report: None,
        warnings: Vec::new(),
        names,
    };
    journal.check().map_err(|error| too_long(&observation.canonical, &error.to_string()))?;
    Ok(journal)
}

fn begin(observation: &Observation, journal: &Journal) -> Vec<Step> {
    let mut steps = vec![step(
        Op::Look { file: observation.canonical.clone() },
        "if this process has the database open, opening it again would drop that connection's \
         locks",
    )];
    let takes_over = legacy::is_taken_over_by(observation, &journal.nonce);
    steps.extend(takes_over.then(|| remove_tmp(journal)));
    steps.extend(write_journal(journal, Phase::Building));
    if takes_over {
        steps.extend(legacy::forget(journal));
    }
    steps
}

fn back_up_companions(journal: &Journal) -> Vec<Step> {
    let mut steps = Vec::new();
    for companion in journal.companions.iter().filter(|companion| companion.before.is_some()) {
        let of = companion_names(journal, companion);
        steps.extend([
            step(
                Op::Copy { from: of.file, to: of.backup_tmp.clone() },
                "the application may write the companion in place",
            ),
            step(
                Op::SyncFile { file: of.backup_tmp.clone() },
                "the copy must be whole on disk before it gets the backup's name",
            ),
            step(
                Op::Rename { from: of.backup_tmp, to: of.backup },
                "under its own name, a companion's backup is whole or not there",
            ),
            step(
                Op::SyncDir { companion: Some(companion.name.clone()) },
                "the backup must be durable before the application's callback runs",
            ),
        ]);
    }
    steps
}

fn settle_v1(canonical: &FileName, held: bool, mode: JournalMode) -> Step {
    let (mode, why) = if held {
        (
            mode,
            "v1 becomes one file; the process that has it open keeps it in its journal mode, and \
             every commit since is noticed",
        )
    } else {
        (
            JournalMode::Delete,
            "v1 becomes one file; leaving WAL mode proves that no other process has it open",
        )
    };
    step(Op::Settle { file: canonical.clone(), mode }, why)
}

/// From v1 that is settled to v2 that is one file.
fn build(journal: &Journal, request: &Request, mode: JournalMode) -> Vec<Step> {
    let names = &journal.names;
    let canonical = &names.canonical;
    let mut steps = Vec::new();
    if request.by == BuildBy::Host && request.check_v1 {
        steps.push(check_pages(canonical, "the application is to build from a v1 that is sound"));
    }
    if request.from == BuildFrom::Copy {
        steps.push(step(
            Op::Copy { from: canonical.into(), to: (&names.staging).into() },
            "v2 starts as a copy of v1",
        ));
    }
    if request.by == BuildBy::Sql {
        steps.extend([
            step(
                Op::BuildSql { v1: canonical.clone(), staging: names.staging.clone() },
                "v2 is built in one transaction",
            ),
            step(
                Op::Settle { file: names.staging.clone(), mode },
                "v2 becomes one file, in v1's journal mode",
            ),
        ]);
        if request.check_v1 {
            let why = "a v2 that was built from a damaged v1 lacks rows; the check was begun beside \
                       the build";
            steps.push(check_pages(canonical, why));
        }
        return steps;
    }
    let source = if request.from == BuildFrom::Copy { &names.staging } else { &names.source };
    let held = |op, why: &str| Step { op, why: why.into(), when: Some(Guard::StagingHeld {}) };
    let free = |op, why: &str| Step { op, why: why.into(), when: Some(Guard::StagingFree {}) };
    steps.extend([
        step(
            Op::BuildHost { source: source.clone(), staging: names.staging.clone() },
            "the application builds v2; the first time that it asks for a copy of v1, the runner \
             makes one",
        ),
        step(
            Op::Release {},
            "a closed connection may keep its files open until the garbage collector frees it",
        ),
        step(Op::Look { file: canonical.clone() }, "the callback may have opened v1"),
        step(
            Op::Look { file: names.staging.clone() },
            "the file that becomes canonical must be one that this process has not open",
        ),
        held(
            Op::Restage { from: names.staging.clone(), to: names.install.clone(), mode },
            "a leaked connection still has staging open; a connection to v2 must not share its \
             -shm",
        ),
        free(
            Op::Settle { file: names.staging.clone(), mode },
            "v2 becomes one file, in v1's journal mode",
        ),
        free(
            Op::Rename { from: (&names.staging).into(), to: (&names.install).into() },
            "the file that will be installed has one name, whichever way it was made",
        ),
    ]);
    steps
}

fn check_pages(canonical: &FileName, why: &str) -> Step {
    step(Op::CheckPages { file: canonical.clone() }, why)
}

fn check(staged: &FileName, verify: bool) -> Vec<Step> {
    let mut steps = vec![
        step(
            Op::Check { file: staged.clone() },
            "the very file that will be installed must be sound",
        ),
        step(
            Op::Detect { file: staged.clone() },
            "if `detect` still said \"old\" of v2, every start would migrate again",
        ),
    ];
    if verify {
        steps.push(step(
            Op::VerifyHost { file: staged.clone() },
            "the application knows what v2 must hold",
        ));
    }
    steps.push(step(
        Op::SyncFile { file: staged.into() },
        "v2's data must be durable before v2 gets canonical's name",
    ));
    steps
}
