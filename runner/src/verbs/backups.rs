//! Lists backups without opening one, and prunes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cutover_core::{
    Backup, Code, Failure, FileName, Left, Observation, Receipts, Rule, plan_prune,
};
use serde::Serialize;

use crate::drive::RunEnd;
use crate::error::Error;
use crate::host::Host;
use crate::observe::{receipts, survey};
use crate::options::BackupOptions;
use crate::path::{refuse_no_path, usable};
use crate::place::Paths;
use crate::session::{Session, now_ms};

/// What [`prune_backups`] did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PruneResult {
    /// Backups that were removed, newest first.
    pub removed: Vec<PathBuf>,
    /// Backups that no rule removes: they are not whole, or the options do not declare their
    /// companions.
    pub left: Vec<Left>,
}

/// Lists every backup of a database with what its receipt says: the whole ones, newest first, and
/// then the others.
///
/// It reads only names, sizes and receipts, and opens no database: on POSIX, closing a descriptor
/// drops the process's locks on that file.
///
/// # Errors
/// `IO` when the directory cannot be read. A backup whose receipt cannot be read is not whole.
pub fn list_backups(path: &Path) -> Result<Vec<Backup>, Error> {
    let place = usable(path, &BTreeMap::new())?;
    let (observation, receipts) = surveyed(&place)?;
    Ok(cutover_core::list_backups(&observation, &receipts))
}

/// Removes old backups by a rule, each with its receipt and its companions' backups. It never
/// removes the newest whole one. A backup that is not whole stays, and the result names it. Declare
/// the companions in [`BackupOptions::companions`], or their backups are not found.
///
/// # Errors
/// `OWNED`; `JOURNAL` while an upgrade or a restore is unfinished; `IO` when a file cannot be
/// removed. The next prune then goes on.
pub fn prune_backups(
    path: &Path,
    rule: Rule,
    options: &BackupOptions,
    host: &mut dyn Host,
) -> Result<PruneResult, Error> {
    let options = options.stand_in(path, "a");
    let mut session = Session::own(&options, host)?;
    let result = prune(&mut session, rule, host);
    result.map_err(|error| session.locate(error))
}

/// Prunes under locks that the session holds.
pub(crate) fn prune(
    session: &mut Session,
    rule: Rule,
    host: &mut dyn Host,
) -> Result<PruneResult, Error> {
    let (observation, receipts) = surveyed(&session.place)?;
    let prune = plan_prune(&observation, &receipts, rule, now_ms())?;
    if let Some(plan) = prune.plan
        && let RunEnd::Anew(failure) = session.drive(plan, host)?
    {
        return Err(Error { failure, cause: None });
    }
    Ok(PruneResult {
        removed: prune.removed.iter().map(|name| session.place.path(name)).collect(),
        left: prune.left,
    })
}

/// The name of a backup that the caller gave: bare, or as a path in the database's directory.
pub(crate) fn named(place: &Paths, backup: &Path) -> Result<FileName, Failure> {
    let refuse = |why: &str| {
        let mut failure = Failure::refusal(Code::Io, why, NAME_IT);
        failure.path = Some(backup.display().to_string().replace('\0', "\u{fffd}"));
        failure
    };
    refuse_no_path(backup).map_err(|mut failure| {
        failure.hint = NAME_IT.into();
        failure
    })?;
    let directory = backup.parent().filter(|parent| !parent.as_os_str().is_empty());
    if directory
        .is_some_and(|directory| place.directory_at(directory).as_ref() != Some(&place.directory))
    {
        return Err(refuse("the backup is not in the database's directory"));
    }
    backup
        .file_name()
        .and_then(std::ffi::OsStr::to_str)
        .and_then(|name| FileName::new(name).ok())
        .ok_or_else(|| refuse("this is not the name of a backup"))
}

const NAME_IT: &str =
    "pass the `name` of a backup, as the list of this database's backups gives it";

pub(crate) fn surveyed(place: &Paths) -> Result<(Observation, Receipts), Error> {
    let observation = survey(place).map_err(|blind| blind.into_failure(place))?;
    let receipts = receipts(place, &observation);
    Ok((observation, receipts))
}
