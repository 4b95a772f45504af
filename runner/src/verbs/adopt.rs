//! Gives a backup that has no receipt one: the legacy daemon wrote none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use cutover_core::{
    AdoptRequest, CompanionName, Failure, FileFacts, FileName, Role, Warning,
    companion_backup_name, plan_adoption, receipt_name,
};
use serde::Serialize;

use crate::drive::RunEnd;
use crate::error::Error;
use crate::holders::{Seen, holders};
use crate::host::Host;
use crate::observe::{ObserveError, text, unopened};
use crate::options::BackupOptions;
use crate::os;
use crate::path::usable;
use crate::place::Paths;
use crate::session::{Session, nonce, now_ms};
use crate::sqlite::{facts, os_fault};
use crate::types::Unseen;
use crate::verbs::backups::{named, surveyed};
use crate::waiting::refuse_cancelled;

/// What [`adopt_backup`] did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct AdoptResult {
    /// The adopted backup, which is whole now.
    pub backup: PathBuf,
    /// Problems that did not stop the adoption, as they are in the receipt too: one with the code
    /// `ADOPTED` says that the receipt was not written by an upgrade.
    pub warnings: Vec<Warning>,
}

/// Adopts a backup that has no receipt, as the legacy daemon left it: a copy of the backup, with its
/// `-wal` or `-journal`, is settled and checked, takes the backup's name, and gets a receipt. Then
/// it is listed as whole, can be restored, and can be pruned.
///
/// `backup` is a path in the database's directory, or a bare name. A name that is not a backup's
/// must begin with the database's name (`data.db.old`); the adopted backup then has the name
/// `data.db.adopted-<unix ms>-<nonce>`, with the time at which the file was last written, and the
/// file itself is removed once that is durable.
///
/// It opens neither the database nor, to write, the backup. A call that is killed leaves the backup
/// as it was, or its settled copy under its name, and can be repeated; the next start removes the
/// rest. It needs the size of the backup, once for the file and twice for its `-wal`, in free space.
///
/// # Errors
/// Nothing was removed.
/// - `IO`: the file is the database itself, not a regular file, or not one that may be a backup.
/// - `VERIFY`: the backup is whole already, or has a receipt that says something else.
/// - `NOT_A_DATABASE`, `V1_CORRUPT`: the file is empty, is no database, or is damaged.
/// - `JOURNAL`: an upgrade or a restore is unfinished.
/// - `HELD`: a program has the backup open, or it cannot be told whether one has
///   ([`BackupOptions::unseen`]).
/// - `OWNED`, `NO_SPACE`.
pub fn adopt_backup(
    path: &Path,
    backup: &Path,
    options: &BackupOptions,
    host: &mut dyn Host,
) -> Result<AdoptResult, Error> {
    let place = usable(path, &options.companions)?;
    let file = named(&place, backup).map_err(|failure| place.locate(failure))?;
    let options = options.stand_in(path, "a");
    let mut session = Session::own_at(place, &options, host)?;
    let result = adopt(&mut session, file, host);
    result.map_err(|error| session.locate(error))
}

fn adopt(session: &mut Session, file: FileName, host: &mut dyn Host) -> Result<AdoptResult, Error> {
    refuse_cancelled(host)?;
    let blind = |blind: ObserveError| Error::from(blind.into_failure(&session.place));
    let (observation, receipts) = surveyed(&session.place)?;
    let request = request(session, file).map_err(blind)?;
    let plan = plan_adoption(&observation, &receipts, &request)?;
    let backup = plan.journal.as_ref().map(|journal| session.place.path(&journal.names.backup));
    match session.drive(plan, host)? {
        RunEnd::Done(report) => {
            Ok(AdoptResult { backup: backup.unwrap_or_default(), warnings: report.warnings })
        }
        RunEnd::Anew(failure) => Err(Error { failure, cause: None }),
    }
}

fn request(session: &Session, file: FileName) -> Result<AdoptRequest, ObserveError> {
    let place = &session.place;
    let receipt = receipt_name(&file);
    let of =
        |name: &FileName, error: &std::io::Error| ObserveError::OpError(os_fault(error).of(name));
    for name in file.set().iter().chain([&receipt]) {
        os::regular_or_missing(&place.path(name)).map_err(|error| of(name, &error))?;
    }
    // A list passes over a receipt that cannot be read. It is not replaced by another one.
    match text(&place.path(&receipt)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(of(&receipt, &error));
        }
        _ => {}
    }
    let path = place.path(&file);
    let Seen { holders, unknown } = holders(&place.set(&file));
    if let Some(why) = unknown.filter(|_| session.options.unseen == Unseen::Refuse) {
        let failure = Failure::unseen(&place.canonical, &why).of(&file);
        return Err(ObserveError::Refused(Box::new(failure)));
    }
    let is_canonical = os::same_file(&path, &place.path(&place.canonical)).unwrap_or(false);
    let mut set = BTreeMap::new();
    for name in file.set() {
        // On POSIX, closing a file that this process has open drops its locks.
        let opens = name == file && holders.is_empty() && !is_canonical;
        let look: fn(&Path) -> std::io::Result<FileFacts> = if opens { facts } else { unopened };
        match look(&place.path(&name)) {
            Ok(facts) => drop(set.insert(name, facts)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(of(&name, &error)),
        }
    }
    let written = std::fs::symlink_metadata(&path).and_then(|metadata| metadata.modified());
    let since = written.ok().and_then(|written| written.duration_since(UNIX_EPOCH).ok());
    let written_ms = since.and_then(|since| u64::try_from(since.as_millis()).ok());
    let companions = companions(place, &file);
    // A time that is still to come would make it the newest backup.
    let written_ms = written_ms.unwrap_or_default().min(now_ms());
    Ok(AdoptRequest { file, set, holders, companions, written_ms, nonce: nonce() })
}

/// The digest of each companion's backup that belongs to this one.
fn companions(place: &Paths, file: &FileName) -> BTreeMap<CompanionName, String> {
    let Some(Role::Backup { label, nonce, .. }) = Role::of(&place.canonical, file) else {
        return BTreeMap::new();
    };
    let digest = |(name, (directory, of)): (&CompanionName, &(PathBuf, FileName))| {
        let kept = directory.join(companion_backup_name(of, &label, &nonce).as_str());
        Some((name.clone(), cutover_core::digest(&os::read_companion(&kept).ok()?)))
    };
    place.companions.iter().filter_map(digest).collect()
}
