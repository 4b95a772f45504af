//! The two claims about a database: *the file is intact*, and *your rows are there*.
//!
//! The file is intact only where SQLite read its pages. A header, a size, a journal or a receipt
//! proves no page. The rows are there where the file is intact, and neither its log, nor a record
//! of the upgrade, nor the size of a backup says that some are missing.

use super::case::{Case, bytes_of, log, names};
use super::contradictions::contradiction;
use super::{Answer, Claim};
use crate::Wal;
use crate::bundle::Check;
use crate::next_start::{self, Canonical, Does, NextStart};
use cutover_core::{Backup, FileName, JournalMode, PlanKind, Role, counted};

impl Claim {
    pub(super) fn yes(says: impl Into<String>) -> Self {
        Self { answer: Answer::Yes, says: says.into() }
    }

    pub(super) fn no(says: impl Into<String>) -> Self {
        Self { answer: Answer::No, says: says.into() }
    }

    pub(super) fn unsure(says: impl Into<String>) -> Self {
        Self { answer: Answer::CannotTell, says: says.into() }
    }
}

/// Whether the file is intact.
pub(super) fn intact(case: &Case, next: &NextStart, backups: &[Backup]) -> Claim {
    let observation = case.observation;
    let canonical = &observation.canonical;
    let [wal, _, hot] = canonical.sidecars().map(|name| bytes_of(observation, &name));
    match next.canonical {
        Canonical::Missing => return missing(case, next, backups, wal.max(hot)),
        Canonical::NotADatabase => {
            return Claim::no(format!(
                "{canonical} is not a database: it is something else, encrypted, or was \
                 overwritten."
            ));
        }
        Canonical::NotOpened => {
            return Claim::unsure(
                "The process that looked has the database open. It did not open it a second time, \
                 because closing it would drop the process's locks.",
            );
        }
        Canonical::V1 | Canonical::V2 | Canonical::Unknown => {}
    }
    if let Check::Damaged { problems } = case.check {
        return Claim::no(format!(
            "SQLite reports that {canonical} is damaged: it names {}.",
            counted(u64::from(*problems), "problem")
        ));
    }
    // A hot rollback journal restores the file's size. A database that SQLite found sound has no
    // problem with its header.
    let mends = hot > 0 || *case.check == Check::Sound;
    let problem = case.header.and_then(|header| header.problems.first().cloned());
    if let Some(problem) = problem.or_else(|| cut_short(case, wal)).filter(|_| !mends) {
        return Claim::no(format!("{canonical} does not fit its own header: {problem}."));
    }
    if !case.whole {
        return Claim::unsure(format!(
            "{canonical} looks right, but other files of its folder may be missing here. A log or \
             journal among them would change the answer. Give the whole folder."
        ));
    }
    let refused = if next.does == Does::Refuse {
        " The next start refuses, and touches nothing."
    } else {
        ""
    };
    let Check::NotMade { why } = case.check else {
        let then = if next.plan.is_some() {
            " An upgrade was interrupted, and the next start ends it."
        } else {
            refused
        };
        return Claim::yes(match &case.at {
            None => format!(
                "SQLite read every page of {canonical} just now, with its log, and found it \
                 sound.{then}"
            ),
            Some(at) => format!(
                "On {at} SQLite read every page of {canonical}, with its log, and found it \
                 sound.{then}"
            ),
        });
    };
    let why = why.trim_end_matches('.');
    let settled = hot == 0 && (wal == 0 || case.wal.is_some_and(|wal| wal.commits == 0));
    Claim::unsure(match next.canonical {
        Canonical::V1 if settled => format!(
            "{canonical} has the header and size of the v1 with which the upgrade began, but its \
             pages were not read: {why}.{refused}"
        ),
        Canonical::V1 => format!(
            "{canonical} was v1 when the upgrade began, and now has a log beside it: a program \
             wrote to it, or was killed. The pages were not read: {why}."
        ),
        Canonical::V2 if settled => format!(
            "{canonical} has the first page and size of the v2 that was checked in the upgrade, \
             but its pages were not read since: {why}.{refused}"
        ),
        _ => {
            let rows = case.wal.map(log).map_or_else(String::new, |log| format!(" {log}"));
            let hot = if hot > 0 {
                " A rollback journal is beside it, which the next open rolls back."
            } else {
                ""
            };
            format!(
                "The header fits the size, but the pages were not read: {why}.{rows}{hot}{refused}"
            )
        }
    })
}

fn missing(case: &Case, next: &NextStart, backups: &[Backup], log: u64) -> Claim {
    let observation = case.observation;
    let canonical = &observation.canonical;
    if log > 0 {
        return Claim::no(format!(
            "{canonical} is missing or empty beside a log that holds data. SQLite deletes that log \
             when it opens the database."
        ));
    }
    let between = |kind| kind == PlanKind::Finish || kind == PlanKind::Undo;
    if next.plan.as_ref().is_some_and(|plan| between(plan.kind)) {
        return Claim::unsure(format!(
            "{canonical} is missing: an upgrade without cutover was stopped between two renames. The \
             next start checks v2 and puts it in place, or else puts v1 back."
        ));
    }
    match backups.iter().find(|backup| backup.whole) {
        Some(kept) => Claim::no(format!(
            "{canonical} is missing or empty. By its size and receipt, {} holds all of v1.",
            kept.name
        )),
        None if observation.may_hold_rows().next().is_some() => Claim::no(format!(
            "{canonical} is missing or empty, and other files of the folder may hold its rows: {}.",
            names(observation.may_hold_rows().map(|(name, _)| name))
        )),
        None => Claim::unsure(format!(
            "The folder has no {canonical}, and no file that was made from it."
        )),
    }
}

/// In WAL mode pages may be in the log only. Without a log the size must be that of the header.
fn cut_short(case: &Case, log: u64) -> Option<String> {
    let header = case.header?;
    let (size, counted) =
        (header.size?, u64::from(header.page_count) * u64::from(header.page_size));
    let alone = header.journal_mode == JournalMode::Wal && log == 0;
    (alone && header.page_count_is_valid && size < counted).then(|| {
        format!(
            "the file has {size} bytes, and its header counts {counted}: it was cut short, or its \
             -wal is gone"
        )
    })
}

/// Whether the rows are there.
pub(super) fn rows(case: &Case, next: &NextStart, backups: &[Backup], intact: &Claim) -> Claim {
    if matches!(next.canonical, Canonical::Missing | Canonical::NotADatabase | Canonical::NotOpened)
    {
        return Claim::unsure("No row could be counted.");
    }
    if let Some(why) = contradiction(case, next, backups) {
        return Claim::no(why);
    }
    let observation = case.observation;
    let canonical = &observation.canonical;
    let of_record = matches!(next.canonical, Canonical::V1 | Canonical::V2);
    let empty = case.content.map_or_else(
        || case.header.is_some_and(|header| header.schema_cookie == 0),
        |content| content.rows == 0,
    );
    let larger = larger_beside(case);
    match larger {
        Some((name, bytes)) if empty && next.canonical != Canonical::V1 => {
            return Claim::no(format!(
                "{canonical} holds no row. {name} beside it has {}: the rows are there, or were.",
                counted(bytes, "byte")
            ));
        }
        _ => {}
    }
    if intact.answer != Answer::Yes {
        return Claim::unsure("The rows count only where the pages were read.");
    }
    if may_be_new(case, empty) && next.canonical == Canonical::Unknown {
        return Claim::unsure(format!(
            "But {canonical} may be a new database that a program made while the right one was \
             missing. Files beside it hold data too, and no record says which is which."
        ));
    }
    if may_be_of_v1(case, backups) {
        return Claim::unsure(format!(
            "But the log beside {canonical} may be that of v1, which had one too: no -shm is beside \
             it, and nothing in it tells of which database it is."
        ));
    }
    let held = case.content.map_or_else(
        || "Its rows were not counted.".to_owned(),
        |content| {
            format!(
                "It holds {} in {}.",
                counted(content.rows, "row"),
                counted(content.tables, "table")
            )
        },
    );
    let recorded = match next.canonical {
        Canonical::V1 => " Its header and size are those with which the upgrade began.",
        _ => " Its first page and size are those that were checked in the upgrade.",
    };
    match (empty, larger) {
        (true, _) if next.canonical == Canonical::V1 => Claim::yes(
            "It is intact, but empty, as it was when the upgrade began: it holds no row.",
        ),
        (true, _) => Claim::unsure("It is intact, but empty: it holds no row."),
        (false, Some((name, bytes))) if !of_record => Claim::unsure(format!(
            "{held} But {name} beside it has {}, which is more than four times as much. Ask what \
             the customer misses.",
            counted(bytes, "byte")
        )),
        _ if of_record => Claim::yes(format!("{held}{recorded}")),
        (false, _) => match backups.iter().find(|backup| backup.whole) {
            Some(kept) => Claim::yes(format!(
                "{held} Beside the backup of v1, {} with {}, that is not little.",
                kept.name,
                counted(kept.size, "byte")
            )),
            None => Claim::yes(format!("{held} No backup is beside it to compare with.")),
        },
    }
}

/// Whether the log may be one that v1 had, and that a person or a program put back beside v2. Its
/// own -shm stays beside a log that a killed program left.
fn may_be_of_v1(case: &Case, backups: &[Backup]) -> bool {
    let v1_had_one =
        |backup: &Backup| backup.v1.as_ref().is_some_and(|v1| v1.journal_mode == JournalMode::Wal);
    let tells_nothing = |log: &Wal| log.commits_not_checkpointed > 0 && log.header_after.is_none();
    case.shm.is_none() && case.wal.is_some_and(tells_nothing) && backups.iter().any(v1_had_one)
}

/// The largest backup or set-aside database that uses more than four times as many bytes as
/// canonical. An empty canonical is compared with what uses more at all.
fn larger_beside(case: &Case) -> Option<(FileName, u64)> {
    let observation = case.observation;
    let used = |name: &FileName| {
        let facts = observation.files.get(name)?;
        Some(facts.header.as_ref().map_or(facts.size, |header| {
            // The free pages, at offset 36: <https://www.sqlite.org/fileformat2.html>.
            let free = header.bytes.get(72..80).and_then(|hex| u32::from_str_radix(hex, 16).ok());
            let free = u64::from(free.unwrap_or(0)) * u64::from(header.page_size);
            facts.size.saturating_sub(free)
        }))
    };
    let logged = observation.canonical.sidecars().map(|name| bytes_of(observation, &name));
    let own = used(&observation.canonical)?.saturating_add(logged[0]);
    let factor = if case.content.is_some_and(|content| content.rows == 0) { 1 } else { 4 };
    observation
        .may_hold_rows()
        .filter(|(_, role)| matches!(role, Role::Backup { .. } | Role::Displaced(_)))
        .filter_map(|(name, _)| Some((name.clone(), used(name)?)))
        .filter(|(_, bytes)| *bytes > own.saturating_mul(factor))
        .max_by_key(|(_, bytes)| *bytes)
}

/// Whether canonical may be a new database, and the user's rows in the files beside it.
///
/// In an upgrade with cutover canonical is never missing, so no program makes a new one. With the
/// legacy daemon it is missing between two renames. An unreadable journal may be of either.
fn may_be_new(case: &Case, empty: bool) -> bool {
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
    beside && (in_gap || unread || empty)
}
