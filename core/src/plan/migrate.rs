//! The way from v1 to v2.

use super::assess::{refuse_irreplaceable, refuse_other_programs};
use super::page_copy::{self, page_copy};
use super::parts::{
    Link, clean_up, cleanup_index, commit, companion_names, flip, install_companions,
    position_of_flip, remove_tmp, temporary, undo, undo_companions, write_journal,
};
use super::recover::{kept, nonce_of_legacy};
use super::{BuildBy, BuildFrom, Plan, PlanKind, Request, VERSION, step};
use crate::failure::{Code, Failure};
use crate::journal::{self, Companion, Journal, Phase, Strategy, V1};
use crate::names::{Names, Role, legacy_journal};
use crate::observe::Observation;
use crate::op::{Guard, Op, Step};
use crate::page1::JournalMode;

/// Plans the migration of what was observed. Refuses before anything is touched.
///
/// # Errors
/// When canonical is missing, held by this process or not a database, when a companion cannot be
/// replaced, when a name would be too long, or when the disk has not the room that the worst case
/// takes.
pub fn plan_migration(observation: &Observation, request: &Request) -> Result<Plan, Failure> {
    let canonical = &observation.canonical;
    let refuse =
        |code: Code, reason: String, hint: &str| Failure::refusal(code, reason, hint).of(canonical);
    let Some(facts) = observation.canonical_facts() else {
        return Err(refuse(Code::Io, "there is no database to migrate".into(), "check the path"));
    };
    let Some(header) = &facts.header else {
        return Err(refuse(
            Code::NotADatabase,
            "the file is not a SQLite database".into(),
            "restore it from a backup, or move it away to start with an empty one",
        ));
    };
    for companion in observation.companions.keys() {
        refuse_irreplaceable(observation, companion)?;
    }
    // The newest backup is the one that is never pruned: where a clock was wrong once the next one
    // is newer all the same.
    let started_ms = observation.files.keys().filter_map(|name| match Role::of(canonical, name) {
        Some(Role::Backup { started_ms, .. }) => Some(started_ms.saturating_add(1)),
        _ => None,
    });
    let names = Names::new(
        canonical,
        &request.label,
        &request.nonce,
        started_ms.fold(request.now_ms, u64::max),
    )
    .map_err(|error| refuse(Code::Io, error.to_string(), "use a shorter file name"))?;

    // The worst case of link-replace, taking v2 to be as large as v1 with its WAL: a copy for the
    // host, v2, and v2 again where a zombie makes it be re-staged.
    let wal = observation.files.get(&canonical.sidecars()[0]).map_or(0, |wal| wal.size);
    let v1_bytes = facts.size.saturating_add(wal);
    let copies = match (request.by, request.from) {
        (BuildBy::Sql, _) => 1,
        (BuildBy::Host, BuildFrom::Copy) => 2,
        (BuildBy::Host, BuildFrom::Empty) => 3,
    };
    refuse_other_programs(observation)?;
    let held = observation.held_on_windows();
    let strategy =
        if observation.can_link && !held { Strategy::LinkReplace } else { Strategy::PageCopy };
    let needs_bytes = v1_bytes.saturating_mul(copies).saturating_add(wal);
    let needs_bytes = match strategy {
        Strategy::PageCopy => {
            // The copy for the host is gone by then.
            let gone = if (request.by, request.from) == (BuildBy::Host, BuildFrom::Empty) {
                v1_bytes
            } else {
                0
            };
            needs_bytes
                .saturating_add(page_copy::needs_bytes(v1_bytes, v1_bytes, false))
                .saturating_sub(gone)
        }
        _ => needs_bytes,
    };
    if let Some(free) = observation.free_bytes.filter(|free| *free < needs_bytes) {
        let reason =
            format!("the upgrade may need {needs_bytes} bytes of disk and {free} are free");
        return Err(refuse(
            Code::NoSpace,
            reason,
            &format!("free {} bytes on this volume and start again", needs_bytes - free),
        ));
    }

    let mode = header.journal_mode;
    let journal = Journal {
        version: journal::VERSION,
        label: request.label.clone(),
        nonce: request.nonce.clone(),
        phase: Phase::Building,
        attempt: request.attempt,
        strategy,
        v1: facts.fingerprint().map(|fingerprint| V1 {
            file_id: facts.file_id.clone(),
            fingerprint,
            journal_mode: mode,
        }),
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
    journal
        .check()
        .map_err(|error| refuse(Code::Io, error.to_string(), "use a shorter file name"))?;
    let names = &journal.names;
    let host = request.by == BuildBy::Host;
    let staged = if host { &names.install } else { &names.staging };

    let mut steps = vec![step(
        Op::Look { file: canonical.clone() },
        "a connection of this process would lose its locks, and its commits, by our opening the \
         file",
    )];
    let takes_over = nonce_of_legacy(observation).as_ref() == Some(&request.nonce);
    steps.extend(takes_over.then(|| remove_tmp(&journal)));
    steps.extend(write_journal(&journal, Phase::Building));
    if takes_over {
        let files =
            [(&legacy_journal(canonical)).into()].into_iter().chain(temporary(&journal)).collect();
        steps.extend([
            step(Op::Remove { files }, "what the application did is in this journal now"),
            step(Op::SyncDir { companion: None }, "removed for good"),
        ]);
    }
    for companion in journal.companions.iter().filter(|companion| companion.before.is_some()) {
        let of = companion_names(&journal, companion);
        steps.extend([
            step(
                Op::Copy { from: of.file, to: of.backup_tmp.clone() },
                "the host may write the companion in place",
            ),
            step(
                Op::SyncFile { file: of.backup_tmp.clone() },
                "a backup that is renamed into place must be whole",
            ),
            step(
                Op::Rename { from: of.backup_tmp, to: of.backup },
                "a companion's backup is whole or not there",
            ),
            step(
                Op::SyncDir { companion: Some(companion.name.clone()) },
                "the backup must be durable before the host runs",
            ),
        ]);
    }
    steps.push(if held {
        step(
            Op::Settle { file: canonical.clone(), mode },
            "v1 becomes one file; whoever has it open keeps it in its journal mode, and every \
             commit since is seen",
        )
    } else {
        step(
            Op::Settle { file: canonical.clone(), mode: JournalMode::Delete },
            "v1 becomes one file, and leaving WAL mode proves that nobody else has it open",
        )
    });
    match (request.by, request.from) {
        (_, BuildFrom::Copy) => {
            steps.push(step(
                Op::Copy { from: canonical.into(), to: (&names.staging).into() },
                "v2 starts as a copy of v1",
            ));
        }
        (BuildBy::Host, BuildFrom::Empty) => {
            steps.push(step(
                Op::Copy { from: canonical.into(), to: (&names.source).into() },
                "opening v1 itself would change it",
            ));
        }
        (BuildBy::Sql, BuildFrom::Empty) => {}
    }
    if host {
        let source = if request.from == BuildFrom::Copy { &names.staging } else { &names.source };
        let held = |op, why: &str| Step { op, why: why.into(), when: Some(Guard::StagingHeld {}) };
        let free = |op, why: &str| Step { op, why: why.into(), when: Some(Guard::StagingFree {}) };
        steps.extend([
            step(
                Op::BuildHost { source: source.clone(), staging: names.staging.clone() },
                "the application builds v2",
            ),
            step(Op::Release {}, "a closed connection may keep its files until it is collected"),
            step(Op::Look { file: canonical.clone() }, "the callback may have opened v1"),
            step(
                Op::Look { file: names.staging.clone() },
                "the file that becomes canonical must be one that this process does not hold",
            ),
            held(
                Op::Restage { from: names.staging.clone(), to: names.install.clone(), mode },
                "a connection that opens v2 must not share a deleted -shm with the build's",
            ),
            free(
                Op::Settle { file: names.staging.clone(), mode },
                "v2 becomes one file, in v1's journal mode",
            ),
            free(
                Op::Rename { from: (&names.staging).into(), to: (&names.install).into() },
                "one name for what will be installed, whichever way it was made",
            ),
        ]);
    } else {
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
    }
    steps.extend([
        step(
            Op::Check { file: staged.clone() },
            "the very file that will be installed must be sound",
        ),
        step(
            Op::Detect { file: staged.clone() },
            "a v2 that is still \"old\" would be migrated for ever",
        ),
    ]);
    if request.verify {
        steps.push(step(
            Op::VerifyHost { file: staged.clone() },
            "the application knows what v2 must hold",
        ));
    }
    steps.push(step(
        Op::SyncFile { file: staged.into() },
        "v2's data must be durable before its name is",
    ));
    steps.extend(write_journal(&journal, Phase::Built));
    if strategy == Strategy::PageCopy {
        steps.extend(page_copy(&journal, staged, page_copy::Done::NOTHING));
    } else {
        steps.extend(flip(&journal, staged, Link::Make, observation.platform));
    }
    let flip_at = position_of_flip(&steps, canonical);
    // By an attempt that had this nonce before.
    let kept = |companion: &Companion| kept(observation, &journal, companion);
    steps.extend(install_companions(&journal, &|_| true, &kept));
    let installed = steps.len();
    steps.extend(commit(&journal));
    let cleanup_from = cleanup_index(observation.platform, installed, steps.len());
    steps.extend(clean_up(
        &journal,
        host || strategy == Strategy::PageCopy || !journal.companions.is_empty(),
    ));

    Ok(Plan {
        version: VERSION,
        kind: PlanKind::Migrate,
        platform: observation.platform,
        undo: undo(
            &journal,
            Some(staged),
            strategy == Strategy::PageCopy,
            undo_companions(&journal, &|_| true, &kept),
            observation.platform,
        ),
        journal: Some(journal),
        steps,
        flip_at: flip_at.and_then(|at| u32::try_from(at).ok()),
        cleanup_from: u32::try_from(cleanup_from).ok(),
        needs_bytes,
    })
}
