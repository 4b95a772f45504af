//! Makes a backup the database again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cutover_core::{
    Code, CompanionName, DataState, Event, Failure, FileName, Journal, Label, Observation, Plan,
    Recovery, RestoreRequest, Role, Strategy, Warning, companion_backup_name, companions_of,
    displaced_by, displaced_name, is_in_place, journal_tmp_name, recover_before_restore,
};
use serde::Serialize;

use crate::drive::RunEnd;
use crate::error::Error;
use crate::found;
use crate::host::Host;
use crate::observe::{can_link, receipts};
use crate::options::BackupOptions;
use crate::os;
use crate::path::usable;
use crate::place::Paths;
use crate::session::{Access, MAX_ATTEMPTS, MAX_RECOVERIES, Session, nonce};
use crate::verbs::backups::named;
use crate::waiting::refuse_cancelled;

/// What [`restore`] did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RestoreResult {
    /// The backup that was restored. It is still there.
    pub backup: PathBuf,
    /// Where v2 was set aside, with every committed row.
    pub displaced: PathBuf,
    /// What was recovered before. `finished` means that an interrupted restore of this backup was
    /// finished; then nothing else was done.
    pub recovery: Recovery,
    /// Each companion that the options declare or the backup has.
    pub companions: BTreeMap<CompanionName, CompanionResult>,
    /// Problems that did not stop the restore.
    pub warnings: Vec<Warning>,
}

/// What happened to a companion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct CompanionResult {
    /// Whether it is as it was before the upgrade.
    pub restored: bool,
    /// Why it was left as it was, if it was.
    pub why: Option<String>,
    /// Where its newer content is kept, if there was any.
    pub displaced: Option<PathBuf>,
}

/// Makes a backup the database again, in the journal mode that v1 had, and sets v2 aside beside it.
/// `backup` is a path or a bare name.
///
/// An interrupted restore is finished or undone first. An unfinished upgrade is not, because that
/// needs its callbacks: call [`crate::recover`] before.
///
/// Afterwards start the release of the application that v1 is for. A release that upgrades would
/// upgrade it again.
///
/// # Errors
/// - `VERIFY`: the backup is not whole. [`crate::adopt_backup`] gives a backup without a receipt one.
/// - `V1_CORRUPT`: the backup is damaged.
/// - `JOURNAL`: an upgrade is unfinished.
/// - `NOT_A_DATABASE`: there is no database to set aside. Copy the backup to its name then.
/// - `HELD`: a program has the database or the backup open.
/// - `OWNED`, `NO_SPACE`, `IO`.
///
/// v2 stays in its place, unless the failure says that the next start finishes.
pub fn restore(
    path: &Path,
    backup: &Path,
    options: &BackupOptions,
    host: &mut dyn Host,
) -> Result<RestoreResult, Error> {
    let (place, label, name) = asked(path, backup, options)?;
    let options = options.stand_in(path, label.as_str());
    let mut session = Session::own_at(place, &options, host)?;
    session.detect = None;
    found::forget(&session.place);
    let result = put_back(&mut session, &name, &label, host);
    result.map_err(|error| session.locate(error))
}

/// The plan that [`restore`] would perform first: of the restore, or of the recovery of one that
/// was interrupted. It takes no lock, and changes no more than any reader of the database does. As
/// [`crate::plan`], it assumes that the database can be given a hard link.
///
/// # Errors
/// As [`restore`], as far as they can be known beforehand.
pub fn plan_restore(
    path: &Path,
    backup: &Path,
    options: &BackupOptions,
    host: &mut dyn Host,
) -> Result<Plan, Error> {
    let (place, label, name) = asked(path, backup, options)?;
    let options = options.stand_in(path, label.as_str());
    let mut session = Session::of(place, &options, Access::Look)?;
    session.detect = None;
    let planned = planned(&mut session, &name, &label, host);
    planned.map_err(|error| session.locate(error))
}

fn planned(
    session: &mut Session,
    name: &FileName,
    label: &Label,
    host: &mut dyn Host,
) -> Result<Plan, Error> {
    let observation = session.observe(host)?;
    let plan = if let Some(plan) = recover_before_restore(&observation, label, &nonce())? {
        plan
    } else {
        session.refuse_irreplaceable()?;
        let request = request(&session.place, &observation, name)?;
        cutover_core::plan_restore(&observation, &request)?.plan
    };
    session.refuse_sticky(&plan)?;
    Ok(plan)
}

/// The paths, the label of the upgrade that made the backup, and the backup's name.
fn asked(
    path: &Path,
    backup: &Path,
    options: &BackupOptions,
) -> Result<(Paths, Label, FileName), Error> {
    let place = usable(path, &options.companions)?;
    let found = named(&place, backup).and_then(|name| Ok((label_of(&place, &name)?, name)));
    let (label, name) = found.map_err(|failure| place.locate(failure))?;
    Ok((place, label, name))
}

/// The label of the upgrade that made a backup.
fn label_of(place: &Paths, name: &FileName) -> Result<Label, Failure> {
    match Role::of(&place.canonical, name) {
        Some(Role::Backup { label, .. }) => Ok(label),
        _ => Err(Failure::refusal(
            Code::Io,
            "this is not the name of a backup of this database",
            "take a backup from the list of this database's backups; adopt one that is not in it",
        )
        .of(name)),
    }
}

fn put_back(
    session: &mut Session,
    name: &FileName,
    label: &Label,
    host: &mut dyn Host,
) -> Result<RestoreResult, Error> {
    refuse_cancelled(host)?;
    let mut recovery = Recovery::None;
    let (mut attempt, mut waited, mut given_way) = (0, false, false);
    let mut given_up: Option<Box<Failure>> = None;
    for _ in 0..MAX_RECOVERIES {
        let mut observation = session.observe(host)?;
        if let Some(plan) = recover_before_restore(&observation, label, &nonce())? {
            let RunEnd::Done(report) = session.drive(plan, host)? else { continue };
            recovery = report.recovery;
            host.event(&Event::Recovered { recovery });
            session.warnings.extend(report.warnings);
            let finished = matches!(recovery, Recovery::Finished | Recovery::Cleaned);
            let Some(journal) =
                report.journal.filter(|journal| finished && journal.names.backup == *name)
            else {
                continue;
            };
            let now = session.observe(host)?;
            // If the start before was killed after the commit, another database may be in place
            // since.
            if recovery == Recovery::Finished || is_in_place(&now, &journal) {
                let told = request(&session.place, &now, name)
                    .map(|request| companions_of(&now, &request))
                    .unwrap_or_default();
                return Ok(result(session, &journal, recovery, told));
            }
            continue;
        }
        if let Some(failure) = given_up {
            return Err(Error { failure, cause: None });
        }
        if !waited && !observation.holders.is_empty() && !os::OPENING_DROPS_LOCKS {
            waited = true;
            session.wait_for_holders(host)?;
            continue;
        }
        session.refuse_irreplaceable()?;
        // On Windows, a hard link made while a file is open cannot be removed again.
        if observation.holders_unknown.is_none()
            && (observation.holders.is_empty() || os::OPENING_DROPS_LOCKS)
        {
            observation.can_link = can_link(
                &session.place,
                &journal_tmp_name(&session.place.canonical, label, &nonce()),
            );
        }
        let request = request(&session.place, &observation, name)?;
        let restore = cutover_core::plan_restore(&observation, &request)?;
        attempt += 1;
        let replaces = restore
            .plan
            .journal
            .as_ref()
            .is_some_and(|journal| journal.strategy == Strategy::Restore);
        let ending = match session.drive(restore.plan, host) {
            Err(error)
                if replaces
                    && !given_way
                    && session.is_held_since(&error.failure, DataState::V2) =>
            {
                // A program opened v2 after the plan was made, and keeps it open: pages are copied
                // then.
                (waited, given_way) = (true, true);
                continue;
            }
            ending => ending?,
        };
        match ending {
            RunEnd::Done(report) => {
                session.warnings.extend(report.warnings);
                let Some(journal) = report.journal else { break };
                return Ok(result(session, &journal, recovery, restore.companions));
            }
            RunEnd::Anew(_) if attempt < MAX_ATTEMPTS => {}
            // The next recovery undoes what was begun before this is reported.
            RunEnd::Anew(failure) if failure.data.state == DataState::FinishAtNextStart => {
                given_up = Some(failure);
            }
            RunEnd::Anew(failure) => return Err(Error { failure, cause: None }),
        }
    }
    let hint = "close any other program that upgrades or restores this database, then try again";
    Err(Failure::refusal(Code::Journal, "the restore does not end", hint)
        .of(&session.place.canonical)
        .into())
}

fn request(
    place: &Paths,
    observation: &Observation,
    name: &FileName,
) -> Result<RestoreRequest, Error> {
    let receipts = receipts(place, observation);
    let Some(backup) = cutover_core::list_backups(observation, &receipts)
        .into_iter()
        .find(|backup| backup.name == *name)
    else {
        return Err(Failure::refusal(
            Code::Io,
            "there is no such backup",
            "take one from the list of this database's backups",
        )
        .of(name)
        .into());
    };
    let mut companions = BTreeMap::new();
    for name in backup.companions.keys() {
        let Some((directory, file)) = place.companions.get(name) else { continue };
        // A companion's backup that cannot be read is not put back; the result says that it is
        // missing.
        if let Ok(bytes) = os::read_companion(
            &directory.join(companion_backup_name(file, &backup.label, &backup.nonce).as_str()),
        ) {
            companions.insert(name.clone(), cutover_core::digest(&bytes));
        }
    }
    Ok(RestoreRequest { backup, nonce: nonce(), companions })
}

fn result(
    session: &mut Session,
    journal: &Journal,
    recovery: Recovery,
    mut told: BTreeMap<CompanionName, Option<String>>,
) -> RestoreResult {
    let place = &session.place;
    for companion in &journal.companions {
        told.insert(companion.name.clone(), None);
    }
    let companion = |(name, why): (CompanionName, Option<String>)| {
        let aside = place
            .companions
            .get(&name)
            .map(|(directory, file)| directory.join(displaced_name(file, &journal.nonce).as_str()));
        let displaced = aside.filter(|path| os::exists(path));
        (name, CompanionResult { restored: why.is_none(), why, displaced })
    };
    RestoreResult {
        backup: place.path(&journal.names.backup),
        displaced: place.path(&displaced_by(journal)),
        recovery,
        companions: told.into_iter().map(companion).collect(),
        warnings: std::mem::take(&mut session.warnings),
    }
}
