//! The [`Job`] that a host's build gets.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cutover_core::{
    CompanionName, FileName, OpError, PlanPath, Retry, Run, companion_backup_tmp_name,
    companion_staged_name, journal_tmp_name,
};
use serde_json::Value as Json;

use crate::error::HostError;
use crate::fsops::{flushed, rights_if_there};
use crate::host::Job;
use crate::os;
use crate::place::Paths;
use crate::reader::Reader;
use crate::sqlite::os_fault;

pub(crate) struct HostJob<'a> {
    place: &'a Paths,
    run: &'a mut Run,
    v1: Reader,
    source: PathBuf,
    staging: PathBuf,
    nonce: String,
    attempt: u32,
    /// The last write that failed for lack of space. If the build fails, this is the cause.
    full: Option<OpError>,
}

impl<'a> HostJob<'a> {
    pub(crate) fn new(
        place: &'a Paths,
        run: &'a mut Run,
        v1: Reader,
        source: PathBuf,
        staging: PathBuf,
    ) -> Self {
        let (nonce, attempt) = run
            .journal()
            .map_or((String::new(), 1), |journal| (journal.nonce.to_string(), journal.attempt));
        Self { place, run, v1, source, staging, nonce, attempt, full: None }
    }

    /// Ends the build's part. Its waits count as the run's. Returns the fault behind a failed build
    /// that is not the application's.
    pub(crate) fn close(self) -> Option<OpError> {
        self.run.count_waits(self.v1.budget());
        self.full.or(self.v1.met())
    }

    fn companion(&self, name: &str) -> Result<(CompanionName, PathBuf, FileName), HostError> {
        let name = CompanionName::new(name)?;
        let (directory, file) = self
            .place
            .companions
            .get(&name)
            .ok_or_else(|| format!("companion {name} is not declared in the options"))?;
        Ok((name, directory.clone(), file.clone()))
    }

    /// Renames. A virus scanner may have either file open, so this waits within the budget.
    fn rename_patiently(&mut self, from: &Path, to: &Path) -> std::io::Result<()> {
        let mut tries = 0;
        loop {
            let Err(error) = os::rename(from, to) else { return Ok(()) };
            tries += 1;
            if os_fault(&error).class(os::PLATFORM, false) != Retry::Transient {
                return Err(error);
            }
            let Some(delay_ms) = self.run.next_delay_ms(tries) else { return Err(error) };
            std::thread::sleep(Duration::from_millis(delay_ms));
        }
    }

    /// Replaces `target` in one step, through `tmp`. The old content stays until the new content is
    /// complete and durable.
    fn replace(
        &mut self,
        [tmp, target]: [&Path; 2],
        at: impl Into<PlanPath>,
        like: Option<&os::Rights>,
        data: &[u8],
    ) -> Result<(), HostError> {
        let owner = self.place.path(&self.place.canonical);
        let directory = target.parent().unwrap_or(target);
        let written = write_flushed(tmp, like, &owner, data)
            .and_then(|()| self.rename_patiently(tmp, target));
        let Err(error) = written.and_then(|()| flushed(os::sync_dir(directory)).map(drop)) else {
            self.full = None;
            return Ok(());
        };
        // If it stays, the undo or a recovery removes it.
        let _ = std::fs::remove_file(tmp);
        let fault = os_fault(&error);
        self.full = (fault.class(os::PLATFORM, false) == Retry::NoSpace).then(|| fault.of(at));
        Err(format!("write failed on {}: {error}", target.display()).into())
    }

    fn staged(&self, directory: &Path, file: &FileName) -> Result<PathBuf, HostError> {
        let nonce = cutover_core::Nonce::new(self.nonce.clone())?;
        Ok(directory.join(companion_staged_name(file, &nonce).as_str()))
    }
}

/// Creates a file anew and flushes it. It gets the rights `like`, or else is private to the owner of
/// `owner`.
fn write_flushed(
    path: &Path,
    like: Option<&os::Rights>,
    owner: &Path,
    data: &[u8],
) -> std::io::Result<()> {
    use std::io::Write as _;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = match like {
        Some(rights) => os::create_new(path, rights)?,
        None => os::create_private(path, rights_if_there(owner)?.as_ref())?,
    };
    file.write_all(data)?;
    flushed(file.sync_all()).map(drop)
}

impl Job for HostJob<'_> {
    fn source(&self) -> &Path {
        &self.source
    }

    fn staging(&self) -> &Path {
        &self.staging
    }

    fn v1(&self) -> &Reader {
        &self.v1
    }

    fn nonce(&self) -> &str {
        &self.nonce
    }

    fn attempt(&self) -> u32 {
        self.attempt
    }

    fn save_state(&mut self, state: Json) -> Result<(), HostError> {
        let text = self
            .run
            .save_state(state)
            .map_err(|error| format!("the state cannot be kept in the journal: {error}"))?;
        let Some(journal) = self.run.journal() else {
            return Err("this plan has no journal".into());
        };
        let tmp = self.place.path(&journal_tmp_name(
            &journal.names.canonical,
            &journal.label,
            &journal.nonce,
        ));
        let file = journal.file();
        self.replace([&tmp, &self.place.path(&file)], &file, None, text.as_bytes())
    }

    fn read_companion(&mut self, name: &str) -> Result<Option<Vec<u8>>, HostError> {
        let (_, directory, file) = self.companion(name)?;
        for path in [self.staged(&directory, &file)?, directory.join(file.as_str())] {
            match os::read_companion(&path) {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(format!("{}: {error}", path.display()).into()),
            }
        }
        Ok(None)
    }

    fn write_companion(&mut self, name: &str, data: &[u8]) -> Result<(), HostError> {
        let (name, directory, file) = self.companion(name)?;
        let target = directory.join(file.as_str());
        let staged = self.staged(&directory, &file)?;
        let Some(journal) = self.run.journal() else {
            return Err("this plan has no journal".into());
        };
        let tmp = directory
            .join(companion_backup_tmp_name(&file, &journal.label, &journal.nonce).as_str());
        let failed = |error| format!("write failed on {}: {error}", target.display());
        let like = match os::open_to_read(&target) {
            Ok(companion) => Some(os::Rights::of_open(&companion).map_err(failed)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error).into()),
        };
        self.replace(
            [&tmp, &staged],
            PlanPath { companion: Some(name.clone()), name: file },
            like.as_ref(),
            data,
        )?;
        self.run.stage_companion(&name, cutover_core::digest(data));
        Ok(())
    }

    fn warn(&mut self, message: String) {
        self.run.warn(message);
    }
}
