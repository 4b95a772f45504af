//! Judges a directory. The data is *safe* where both claims about it hold: the file is intact, and
//! the rows are there.

use super::case::{Case, bytes_of, log, names};
use super::claims;
use super::places::places;
use super::reply::Seen;
use super::{Answer, COPY, Diagnosis, Kind, NO_START, Safety, blank};
use crate::bundle::Given;
use crate::date::date;
use crate::next_start::{self, Canonical, Does, NextStart, next_start};
use crate::read_database_header;
use cutover_core::{
    self, Backup, FileName, Journal, JournalMode, Role, counted, explain_error, unhex,
};

pub(super) fn bundle(bundle: &Given) -> Diagnosis {
    let Given { observation, receipts, wal, shm, check, content, beside, .. } = bundle;
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
        shm: shm.as_ref(),
        check,
        content: *content,
        beside,
        whole: true,
        last_error,
        at: Some(date(bundle.made.at_ms)),
    };
    let mut diagnosis = judge(Kind::Bundle, &case);
    diagnosis.facts.extend(last_error.map(|message| format!("The last start failed: {message}")));
    diagnosis.made = Some(bundle.made.clone());
    diagnosis.path = Some(bundle.path.clone());
    diagnosis
}

/// The verdict of two claims, and what is said of it.
fn verdict(intact: &super::Claim, rows: &super::Claim) -> (Safety, String) {
    match (intact.answer, rows.answer) {
        (Answer::No, Answer::No) => (Safety::NotSafe, format!("{} {}", intact.says, rows.says)),
        (Answer::No, _) => (Safety::NotSafe, intact.says.clone()),
        (Answer::Yes, answer) => {
            let safety = match answer {
                Answer::Yes => Safety::Safe,
                Answer::No => Safety::NotSafe,
                Answer::CannotTell => Safety::CannotTell,
            };
            (safety, format!("{} {}", intact.says, rows.says))
        }
        (Answer::CannotTell, Answer::No) => (Safety::NotSafe, rows.says.clone()),
        (Answer::CannotTell, _) => (Safety::CannotTell, intact.says.clone()),
    }
}

pub(super) fn judge(kind: Kind, case: &Case) -> Diagnosis {
    let Case { observation, receipts, .. } = case;
    let next = next_start(observation, receipts);
    let backups = cutover_core::list_backups(observation, receipts);
    let restored = next_start::set_aside_by_restore(observation, next.canonical, &backups);
    let mut diagnosis = blank(kind, "");
    diagnosis.intact = claims::intact(case, &next, &backups);
    diagnosis.rows = claims::rows(case, &next, &backups, &diagnosis.intact);
    (diagnosis.safety, diagnosis.because) = verdict(&diagnosis.intact, &diagnosis.rows);
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
    diagnosis.seen = Some(Seen {
        canonical: observation.canonical.clone(),
        is: next.canonical,
        does: next.does,
        refusal: next.refusal.as_ref().map(|refusal| refusal.code),
        plan: next.plan.as_ref().map(|plan| plan.kind),
        held: !observation.holders.is_empty(),
        whole: case.whole,
        kept: backups.iter().any(|backup| backup.whole),
        restored: !restored.is_empty(),
        at: case.at.clone(),
    });
    diagnosis.plan = next.plan;
    diagnosis.backups = backups;
    diagnosis.with_reply()
}

/// Makes a sentence of a clause that begins with an ASCII letter.
fn sentence(text: &str) -> String {
    let mut sentence = format!("{}.", text.trim_end_matches('.'));
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    sentence
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
    let canonical = &case.observation.canonical;
    match (safety, next.does) {
        (Safety::NotSafe, _) => {
            let stay = match next.canonical {
                Canonical::Missing => {
                    "Do not start the application on it: it could make a new, empty database."
                }
                _ => NO_START,
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
            format!("{COPY} {stay}{then}")
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
                "{COPY} Then start a release of the application that upgrades with cutover. It ends \
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
