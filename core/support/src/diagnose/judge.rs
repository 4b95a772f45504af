//! Judges a directory.
//!
//! The data is *safe* where canonical exists, its header and log are right, and one of three things
//! proves its pages:
//! * SQLite's check found the pages sound;
//! * the header and size are those of the settled v1 in the journal: every later write would have
//!   changed them;
//! * page 1 and the size are those of the checked v2 in the journal or in a receipt.
//!
//! Only the first holds where a log or a rollback journal with data is beside canonical.

use super::case::{Case, log};
use super::places::places;
use super::reply::{Seen, reply};
use super::{Diagnosis, Kind, Safety, blank};
use crate::bundle::{Check, Given};
use crate::next_start::{self, Canonical, Does, NextStart, next_start};
use crate::{Wal, WalState, read_database_header};
use cutover_core::{
    self, Backup, FileName, Journal, JournalMode, Observation, PlanKind, Role, counted,
    explain_error, unhex,
};

pub(super) fn bundle(bundle: &Given) -> Diagnosis {
    let Given { observation, receipts, wal, check, .. } = bundle;
    // The header is read from its bytes in the observation, not from the bundle's own reading.
    let facts = observation.canonical_facts();
    let header = facts.and_then(|facts| {
        read_database_header(&unhex(&facts.header.as_ref()?.bytes), Some(facts.size)).ok()
    });
    let last_error = bundle.last_error.as_ref().map(|error| error.message.as_str());
    let case = Case {
        observation,
        receipts,
        header: header.as_ref(),
        wal: wal.as_ref(),
        check,
        whole: true,
        last_error,
    };
    let mut diagnosis = judge(Kind::Bundle, &case);
    diagnosis.facts.extend(last_error.map(|message| format!("The last start failed: {message}")));
    diagnosis.facts.push(format!(
        "Made by cutover {} with SQLite {}, for {}.",
        bundle.made.cutover, bundle.made.sqlite, bundle.path
    ));
    diagnosis
}

pub(super) fn judge(kind: Kind, case: &Case) -> Diagnosis {
    let Case { observation, receipts, .. } = case;
    let next = next_start(observation, receipts);
    let backups = cutover_core::list_backups(observation, receipts);
    let restored = next_start::set_aside_by_restore(observation, next.canonical, &backups);
    let mut diagnosis = blank(kind, "");
    (diagnosis.safety, diagnosis.because) = safety(case, &next, &backups);
    (diagnosis.v1, diagnosis.v2) = places(case, next.canonical, &backups, &restored);
    diagnosis.next = sentence(&next.says);
    if let Some(refusal) = &next.refusal {
        diagnosis.next = format!("{} {}", diagnosis.next, sentence(&refusal.reason));
    }
    diagnosis.action = action(kind, diagnosis.safety, &next, case, &backups);
    if !restored.is_empty() {
        diagnosis.next = format!("{} {UPGRADES_AGAIN}", diagnosis.next);
        diagnosis.action = after_restore(&diagnosis.action, diagnosis.safety, &restored);
    }
    diagnosis.explanation = case.last_error.and_then(explain_error);
    if let Some(plan) = &next.plan {
        diagnosis.findings = cutover_core::validate(plan, None);
    }
    diagnosis.header = case.header.cloned();
    diagnosis.wal = case.wal.cloned();
    diagnosis.facts = facts(case, &backups);
    let seen = Seen {
        canonical: &observation.canonical,
        is: next.canonical,
        does: next.does,
        refusal: next.refusal.as_ref().map(|refusal| refusal.code),
        plan: next.plan.as_ref().map(|plan| plan.kind),
        held: !observation.holders.is_empty(),
        whole: case.whole,
        kept: backups.iter().any(|backup| backup.whole),
        restored: !restored.is_empty(),
    };
    diagnosis.plan = next.plan;
    diagnosis.reply = reply(&diagnosis, Some(&seen));
    diagnosis.backups = backups;
    diagnosis
}

/// Makes a sentence of a clause that begins with an ASCII letter.
fn sentence(text: &str) -> String {
    let mut sentence = format!("{}.", text.trim_end_matches('.'));
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    sentence
}

fn bytes_of(observation: &Observation, name: &FileName) -> u64 {
    observation.files.get(name).map_or(0, |facts| facts.size)
}

fn safety(case: &Case, next: &NextStart, backups: &[Backup]) -> (Safety, String) {
    let observation = case.observation;
    let canonical = &observation.canonical;
    let [wal, _, hot] = canonical.sidecars().map(|name| bytes_of(observation, &name));
    let no = |because: String| (Safety::NotSafe, because);
    let unsure = |because: String| (Safety::CannotTell, because);
    match next.canonical {
        Canonical::Missing if wal.max(hot) > 0 => {
            return no(format!(
                "{canonical} is missing or empty beside a log that holds data. SQLite deletes \
                 that log when it opens the database."
            ));
        }
        Canonical::Missing
            if next.plan.as_ref().is_some_and(|plan| {
                plan.kind == PlanKind::Finish || plan.kind == PlanKind::Undo
            }) =>
        {
            return unsure(format!(
                "{canonical} is missing: an upgrade without cutover was stopped between two \
                 renames. The next start checks v2 and puts it in place, or else puts v1 back."
            ));
        }
        Canonical::Missing => {
            let kept = backups.iter().find(|backup| backup.whole);
            return match kept {
                Some(kept) => no(format!(
                    "{canonical} is missing or empty. By its size and receipt, {} holds all of v1.",
                    kept.name
                )),
                None if observation.may_hold_rows().next().is_some() => no(format!(
                    "{canonical} is missing or empty, and other files of the folder may hold its \
                     rows: {}.",
                    names(observation.may_hold_rows().map(|(name, _)| name))
                )),
                None => unsure(format!(
                    "The folder has no {canonical}, and no file that was made from it."
                )),
            };
        }
        Canonical::NotADatabase => {
            return no(format!(
                "{canonical} is not a database: it is something else, encrypted, or was \
                 overwritten."
            ));
        }
        Canonical::NotOpened => {
            return unsure(
                "The process that looked has the database open. It did not open it a second time, \
                 because closing it would drop the process's locks."
                    .into(),
            );
        }
        Canonical::V1 | Canonical::V2 | Canonical::Unknown => {}
    }
    if let Check::Damaged { problems } = case.check {
        return no(format!(
            "SQLite reports that {canonical} is damaged: it names {}.",
            counted(u64::from(*problems), "problem")
        ));
    }
    // A hot rollback journal restores the file's size. A database that SQLite found sound has no
    // problem with its header.
    let mends = hot > 0 || *case.check == Check::Sound;
    if let Some(problem) = case.header.and_then(|header| header.problems.first()).filter(|_| !mends)
    {
        return no(format!("{canonical} does not fit its own header: {problem}."));
    }
    if let Some(Wal { state: WalState::Unusable, why, .. }) = case.wal {
        let why = why.as_deref().unwrap_or("its header is not valid");
        return no(format!(
            "The log of {canonical} cannot be used: {why}. SQLite opens the database without the \
             transactions that were committed to that log."
        ));
    }
    let open_log = wal > 0 && case.wal.is_none_or(|wal| wal.commits > 0);
    let settled = !open_log && hot == 0;
    if !case.whole {
        return unsure(format!(
            "{canonical} looks right, but other files of its folder may be missing here. A log or \
             journal among them would change the answer. Give the whole folder."
        ));
    }
    let refused = if next.does == Does::Refuse {
        " The next start refuses, and touches nothing."
    } else {
        ""
    };
    match (next.canonical, case.check) {
        (Canonical::Unknown, Check::Sound) if may_be_new(case) => unsure(format!(
            "{canonical} is sound, but may be a new database that a program made while the right one \
             was missing. Files beside it hold data too, and no record says which is which."
        )),
        (_, Check::Sound) => {
            let journal = if next.plan.is_some() {
                " An upgrade was interrupted, and the next start ends it."
            } else {
                refused
            };
            (
                Safety::Safe,
                format!(
                    "SQLite read every page of {canonical}, with its log, and found it \
                     sound.{journal}"
                ),
            )
        }
        (Canonical::V1, _) if settled => (
            Safety::Safe,
            format!(
                "{canonical} is v1, with the header and size that the journal recorded when the \
                 upgrade began. Any later write would have changed them.{refused}"
            ),
        ),
        (Canonical::V2, _) if settled => (
            Safety::Safe,
            format!(
                "{canonical} is v2, with the first page and size that were recorded when it was \
                 checked.{refused}"
            ),
        ),
        (Canonical::V1, _) => unsure(format!(
            "{canonical} was v1 when the upgrade began, and now has a log beside it: a program \
             wrote to it, or was killed."
        )),
        _ => {
            let Check::NotMade { why } = case.check else {
                return unsure("No check of the pages was made.".into());
            };
            let rows = case.wal.map(log).map_or_else(String::new, |log| format!(" {log}"));
            let hot = if hot > 0 {
                " A rollback journal is beside it, which the next open rolls back."
            } else {
                ""
            };
            let whole = "The header fits the size, and no record contradicts it. No record proves \
                         the pages either";
            unsure(format!("{whole}: {}.{rows}{hot}{refused}", why.trim_end_matches('.')))
        }
    }
}

/// Whether canonical may be a new database, and the user's rows in the files beside it.
///
/// In an upgrade with cutover canonical is never missing, so no program makes a new one. With the
/// legacy daemon it is missing between two renames. An unreadable journal may be of either.
fn may_be_new(case: &Case) -> bool {
    let observation = case.observation;
    let beside = observation.may_hold_rows().next().is_some();
    let in_gap = next_start::legacy_journal(observation).is_some_and(|of| {
        [&of.names.backup, &of.names.staging]
            .iter()
            .all(|name| observation.files.contains_key(*name))
    });
    let known = |name: &FileName| match Role::of(&observation.canonical, name) {
        Some(Role::LegacyJournal) => next_start::legacy_journal(observation).is_some(),
        _ => next_start::journal(observation).is_some(),
    };
    let unread = observation.journals.keys().any(|name| !known(name));
    let bare = case.header.is_some_and(|header| header.schema_cookie == 0);
    beside && (in_gap || unread || bare)
}

/// Names, for a sentence. There may be many.
fn names<'a>(names: impl Iterator<Item = &'a FileName>) -> String {
    const MOST: usize = 5;
    let all: Vec<&str> = names.map(FileName::as_str).collect();
    let told = all.iter().take(MOST).copied().collect::<Vec<_>>().join(", ");
    if all.len() > MOST { format!("{told} and {} more", all.len() - MOST) } else { told }
}

const UPGRADES_AGAIN: &str = "If the database is a v1 that a restore put back, a release that \
                              upgrades upgrades it again, without the rows that v2 had gained.";

/// What to do where a restore may have put v1 back.
fn after_restore(action: &str, safety: Safety, aside: &[&FileName]) -> String {
    let aside = names(aside.iter().copied());
    let then = format!(
        "If v1 was restored on purpose, start the release of the application that v1 is for, and \
         keep {aside}: the rows that v2 had gained are there only."
    );
    if safety == Safety::Safe { then } else { format!("{action} {then}") }
}

fn action(kind: Kind, safety: Safety, next: &NextStart, case: &Case, backups: &[Backup]) -> String {
    let copy = "First copy the whole folder to another disk. Do not remove or rename any file.";
    let canonical = &case.observation.canonical;
    match (safety, next.does) {
        (Safety::NotSafe, _) => {
            let stay = match next.canonical {
                Canonical::Missing => {
                    "Do not start the application on it: it could make a new, empty database."
                }
                _ => "Do not start the application on it: its writes could lose more rows.",
            };
            let kept = backups.iter().find(|backup| backup.whole);
            let then = match (&next.refusal, next.canonical, kept) {
                (Some(refusal), ..) => format!(" Then: {}.", refusal.hint.trim_end_matches('.')),
                (None, Canonical::Missing, None) => format!(
                    " Then look for {canonical} in the bin, in cloud folders and on other disks, \
                     and at the files that may hold its rows."
                ),
                (None, Canonical::Missing, Some(kept)) => format!(
                    " Then look for {canonical} in the bin, in cloud folders and on other disks. If \
                     it is gone for good, copy {} to {canonical} and start the application, which \
                     upgrades it again. The rows added since the upgrade are then lost.",
                    kept.name
                ),
                _ => String::new(),
            };
            format!("{copy} {stay}{then}")
        }
        (_, Does::Refuse) => {
            next.refusal.as_ref().map_or_else(String::new, |refusal| sentence(&refusal.hint))
        }
        (Safety::Safe, Does::Recover) => {
            "Start the application again. It ends the upgrade by itself.".into()
        }
        (Safety::Safe, _) => "Start the application. Nothing else needs to be done.".into(),
        (Safety::CannotTell, Does::Recover) => {
            format!(
                "{copy} Then start a release of the application that upgrades with cutover. It ends \
                 the upgrade by itself."
            )
        }
        (Safety::CannotTell, _) if !case.observation.holders.is_empty() => {
            "Close the application, and run `npx cutover doctor <path of the database>` again."
                .into()
        }
        (Safety::CannotTell, _)
            if kind == Kind::Folder && case.whole && next.canonical != Canonical::Missing =>
        {
            "Run `npx cutover status <path of the database>` on a copy of this folder. That reads \
             the pages, which this answer did not. Until then, do not remove or rename a file there."
                .into()
        }
        (Safety::CannotTell, _) => super::ASK.into(),
    }
}

fn facts(case: &Case, backups: &[Backup]) -> Vec<String> {
    let observation = case.observation;
    let mut facts = Vec::new();
    for (name, text) in &observation.journals {
        let journal = text.as_deref().map(|text| Journal::parse(text, &observation.canonical));
        facts.push(match journal {
            _ if Role::of(&observation.canonical, name) == Some(Role::LegacyJournal) => {
                let phase = next_start::legacy_journal(observation)
                    .map_or("unreadable", |journal| journal.phase.as_str());
                format!("{name} is the journal of a release without cutover, phase {phase}.")
            }
            Some(Ok(journal)) if journal.strategy.restores() => {
                format!(
                    "{name}: a restore was interrupted in the phase {}.",
                    journal.phase.as_str()
                )
            }
            Some(Ok(journal)) => format!(
                "{name}: the upgrade {} was interrupted in the phase {}, attempt {}.",
                journal.label,
                journal.phase.as_str(),
                journal.attempt
            ),
            Some(Err(error)) => format!("{name} cannot be used: {error}."),
            None => format!("{name} cannot be read as text."),
        });
    }
    if let Some(header) = case.header {
        let mode = if header.journal_mode == JournalMode::Wal { "WAL" } else { "rollback" };
        let page = header.page_size;
        facts.push(format!(
            "{}: user_version {}, {mode} mode, {page} bytes a page.",
            observation.canonical, header.user_version
        ));
    }
    facts.extend(case.wal.map(log));
    for (name, role) in observation.may_hold_rows() {
        let bytes = counted(bytes_of(observation, name), "byte");
        let what = match role {
            Role::Backup { .. } => {
                let why = backups.iter().find(|of| of.name == *name).and_then(|of| of.why.as_ref());
                facts.push(match why {
                    None => format!("{name} ({bytes}) holds rows: it is a whole backup."),
                    Some(why) => format!("{name} ({bytes}) may hold rows. It is not whole: {why}."),
                });
                continue;
            }
            Role::Displaced(_) => "a database that was set aside",
            Role::Source(_) => "a copy of v1",
            _ => "a v2 that may not be complete",
        };
        facts.push(format!("{name} ({bytes}) may hold rows: it is {what}."));
    }
    for holder in &observation.holders {
        facts.push(format!(
            "{} (pid {}) has the database open.",
            if holder.name.is_empty() { "A program" } else { &holder.name },
            holder.pid
        ));
    }
    facts.extend(
        observation
            .holders_unknown
            .iter()
            .map(|why| format!("Which programs have the database open could not be told: {why}.")),
    );
    facts
}
