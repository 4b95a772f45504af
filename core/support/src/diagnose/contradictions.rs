//! What contradicts a database that looks right: its log is gone, cut short or another's; v1 took
//! the place of v2; a companion is missing beside its backup; an earlier bundle tells of more.

use super::case::{Case, bytes_of};
use super::known::Known;
use crate::companions::kept_companions;
use crate::next_start::{Canonical, NextStart};
use crate::{DatabaseHeader, Wal, WalState, read_database_header};
use cutover_core::{
    Backup, CompanionRole, FileName, JournalMode, Observation, counted, read_backup, unhex,
};

/// Why rows are missing, though the file may be intact.
pub(super) fn contradiction(case: &Case, next: &NextStart, backups: &[Backup]) -> Option<String> {
    of_log(case).or_else(|| v1_is_back(case, next, backups)).or_else(|| lost_companion(case))
}

fn of_log(case: &Case) -> Option<String> {
    let observation = case.observation;
    let canonical = &observation.canonical;
    let [wal, shm, _] = canonical.sidecars();
    let size = bytes_of(observation, &wal);
    if size == 0 {
        // What the application has open now is not lost.
        let left = case.shm.filter(|shm| shm.frames > shm.checkpointed_frames)?;
        if !observation.holders.is_empty() {
            return None;
        }
        let pages = counted(u64::from(left.frames - left.checkpointed_frames), "page");
        return Some(format!(
            "The log of {canonical} is gone: {shm} says that it held {pages} of committed \
             transactions that are not in the database. Look for {wal}."
        ));
    }
    let log = case.wal?;
    if log.state == WalState::Unusable {
        let why = log.why.as_deref().unwrap_or("its header is not valid");
        return Some(format!(
            "The log of {canonical} cannot be used: {why}. SQLite opens the database without the \
             transactions that were committed to that log."
        ));
    }
    let own =
        |shm: &&crate::Shm| log.header.as_ref().is_some_and(|header| header.salts == shm.salts);
    let counted_frames = case.shm.filter(own).map_or(0, |shm| u64::from(shm.frames));
    if counted_frames > log.valid_frames {
        return Some(format!(
            "The log of {canonical} is cut short or damaged: {shm} counts {counted_frames} pages in \
             it, and {} are left.",
            log.valid_frames
        ));
    }
    foreign(log, case.header?).map(|why| {
        format!(
            "The log beside {canonical} is of another database, or of an older state of this one: \
             {why}. SQLite would mix the two."
        )
    })
}

/// Why a log is not that of the database with this header.
fn foreign(log: &Wal, header: &DatabaseHeader) -> Option<String> {
    let of_log = log.header.as_ref()?;
    if of_log.page_size != header.page_size {
        let (log, own) = (of_log.page_size, header.page_size);
        return Some(format!("its pages have {log} bytes, and those of the database {own}"));
    }
    if log.commits == 0 {
        return None;
    }
    if header.journal_mode == JournalMode::Delete {
        return Some("the database is not in WAL mode, and so has no log".into());
    }
    let Some(after) =
        log.header_after.as_ref().and_then(|hex| read_database_header(&unhex(hex), None).ok())
    else {
        // A commit that changes the number of pages writes page 1.
        let pages = log.pages_after?;
        let differs = header.page_count_is_valid && pages != header.page_count;
        return differs.then(|| {
            format!("its database has {pages} pages, and this one {}", header.page_count)
        });
    };
    let told = |what: &str, log: i64, own: i64| {
        Some(format!("its {what} is {log}, and that of the database {own}"))
    };
    if after.application_id != header.application_id {
        return told("application_id", after.application_id.into(), header.application_id.into());
    }
    if after.user_version < header.user_version {
        return told("user_version", after.user_version.into(), header.user_version.into());
    }
    if after.change_counter < header.change_counter {
        return told("change counter", after.change_counter.into(), header.change_counter.into());
    }
    None
}

/// Whether canonical is the v1 of a backup again, without a restore: no file holds v2.
fn v1_is_back(case: &Case, next: &NextStart, backups: &[Backup]) -> Option<String> {
    let observation = case.observation;
    let facts = observation.canonical_facts()?;
    let canonical = &observation.canonical;
    let aside = observation
        .may_hold_rows()
        .any(|(_, role)| matches!(role, cutover_core::Role::Displaced(_)));
    if next.canonical != Canonical::Unknown || aside || !observation.journals.is_empty() {
        return None;
    }
    let was_upgraded = |backup: &&Backup| {
        read_backup(canonical, case.receipts, &backup.name).is_ok_and(|of| of.v2.is_some())
    };
    let is_v1 = |backup: &&Backup| backup.v1.as_ref().is_some_and(|v1| v1.is_as_settled(facts));
    let backup = backups.iter().filter(was_upgraded).find(is_v1)?;
    Some(format!(
        "{canonical} is v1 again, by its header and size, and was put there without a restore of \
         cutover. It was v2, and no file here holds v2. {} is the backup of that v1.",
        backup.name
    ))
}

/// A companion that is missing although its backup is there.
fn lost_companion(case: &Case) -> Option<String> {
    let observation = case.observation;
    if !observation.journals.is_empty() {
        return None;
    }
    let lost = |file: &FileName, backup: &FileName| {
        format!(
            "The application's file {file} is missing, and its backup {backup} is there: it belongs \
             to the database."
        )
    };
    let declared = observation.companions.values().find_map(|companion| {
        let backup = companion
            .present
            .iter()
            .find(|name| CompanionRole::of(&companion.file, name) == Some(CompanionRole::Backup))?;
        companion.digest.is_none().then(|| lost(&companion.file, backup))
    });
    declared.or_else(|| {
        kept_companions(&observation.canonical, case.receipts).iter().find_map(|kept| {
            let there = |name: &FileName| case.beside.contains(name);
            (there(&kept.backup) && !there(&kept.file)).then(|| lost(&kept.file, &kept.backup))
        })
    })
}

/// What an earlier bundle of a database contradicts in what is known now.
pub(super) fn since(earlier: &Known, now: &Known) -> Option<String> {
    let canonical = &earlier.observation.canonical;
    let at = earlier.at_ms.map(crate::date::date)?;
    let header = |known: &Known| -> Option<DatabaseHeader> {
        let facts = known.observation.canonical_facts()?;
        read_database_header(&unhex(&facts.header.as_ref()?.bytes), Some(facts.size)).ok()
    };
    let (before, after) = (header(earlier)?, header(now)?);
    let names = |observation: &Observation| -> Vec<FileName> {
        observation.may_hold_rows().map(|(name, _)| name.clone()).collect()
    };
    // An upgrade or a restore since makes another database of it.
    if names(&earlier.observation) != names(&now.observation)
        || !now.observation.journals.is_empty()
        || before.user_version != after.user_version
    {
        return None;
    }
    let [wal, ..] = canonical.sidecars();
    let log = |known: &Known| bytes_of(&known.observation, &wal);
    let pending = earlier.wal.as_ref().map_or(0, |wal| wal.commits_not_checkpointed);
    if pending > 0 && log(now) == 0 && before.bytes == after.bytes && before.size == after.size {
        return Some(format!(
            "The log of {canonical} is gone: on {at} it held {}, and {canonical} has not changed \
             since.",
            counted(pending, "committed transaction")
        ));
    }
    if after.change_counter < before.change_counter {
        return Some(format!(
            "{canonical} is older than on {at}: its change counter is {}, and was {}. An older copy \
             took its place.",
            after.change_counter, before.change_counter
        ));
    }
    let rows = |known: &Known| known.content.map(|content| content.rows);
    match (rows(earlier), rows(now)) {
        (Some(before), Some(0)) if before > 0 => Some(format!(
            "{canonical} held {} on {at}, and holds none now.",
            counted(before, "row")
        )),
        _ => None,
    }
}
