//! The [`Job`] that a host's build gets.

use std::fs::File;
use std::path::{Path, PathBuf};

use cutover_core::{
    CompanionName, FileName, OpError, PlanPath, Retry, Run, companion_backup_tmp_name,
    companion_staged_name, journal_tmp_name,
};
use serde_json::Value as Json;

use crate::error::HostError;
use crate::fsops::{flushed, rights_if_there};
use crate::host::Job;
use crate::lock::CompanionLocks;
use crate::os;
use crate::place::Paths;
use crate::reader::Reader;
use crate::source::OpenV1;
use crate::sqlite::{Gauge, Watch, os_fault};

pub(crate) struct HostJob<'a> {
    place: &'a Paths,
    run: &'a mut Run,
    v1: &'a Reader,
    opened: &'a mut OpenV1,
    locks: &'a mut CompanionLocks,
    source: PathBuf,
    /// Whether the copy of v1 is there.
    pub copied: bool,
    staging: PathBuf,
    nonce: String,
    attempt: u32,
    /// What stops a copy of v1.
    stop: Gauge,
    /// The last request that failed for a reason that is not the application's. If the build fails,
    /// this is the cause.
    fault: Option<OpError>,
}

impl<'a> HostJob<'a> {
    pub(crate) fn new(
        place: &'a Paths,
        run: &'a mut Run,
        (v1, opened): (&'a Reader, &'a mut OpenV1),
        locks: &'a mut CompanionLocks,
        [source, staging]: [PathBuf; 2],
        stop: Gauge,
    ) -> Self {
        let (nonce, attempt) = run
            .journal()
            .map_or((String::new(), 1), |journal| (journal.nonce.to_string(), journal.attempt));
        Self {
            place,
            run,
            v1,
            opened,
            locks,
            source,
            copied: false,
            stop,
            staging,
            nonce,
            attempt,
            fault: None,
        }
    }

    /// Ends the build's part. Its waits count as the run's. Returns the fault behind a failed build
    /// that is not the application's.
    pub(crate) fn close(self) -> Option<OpError> {
        self.run.count_waits(self.v1.budget());
        self.fault.or(self.v1.met())
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

    /// Acts, and tries again within the budget while another program is in the way: a virus scanner
    /// may have a file open.
    fn patiently(
        &mut self,
        mut act: impl FnMut(&mut Self) -> Result<(), OpError>,
    ) -> Result<(), OpError> {
        let mut tries = 0;
        loop {
            let Err(fault) = act(self) else { return Ok(()) };
            tries += 1;
            if fault.class(os::PLATFORM, false) != Retry::Transient {
                return Err(fault);
            }
            if !self.v1.wait(tries) {
                return Err(fault);
            }
        }
    }

    /// Replaces `target` in one step, through `tmp`, which `create` makes. The old content stays until
    /// the new content is complete and durable.
    fn replace(
        &mut self,
        [tmp, target]: [&Path; 2],
        at: impl Into<PlanPath>,
        create: impl FnOnce(&Path) -> std::io::Result<File>,
        data: &[u8],
    ) -> Result<(), HostError> {
        let directory = target.parent().unwrap_or(target);
        let of = |error: std::io::Error| os_fault(&error);
        let written = write_flushed(tmp, create, data)
            .map_err(of)
            .and_then(|()| self.patiently(|_| os::rename(tmp, target).map_err(of)))
            .and_then(|()| flushed(os::sync_dir(directory)).map(drop).map_err(of));
        let Err(fault) = written else {
            self.fault = None;
            return Ok(());
        };
        // If it stays, the undo or a recovery removes it.
        let _ = std::fs::remove_file(tmp);
        let message = format!("write failed on {}: {}", target.display(), fault.message);
        self.fault = (fault.class(os::PLATFORM, false) == Retry::NoSpace).then(|| fault.of(at));
        Err(message.into())
    }

    /// Makes a companion's directory if there is none, and takes the companion's lock, which a
    /// directory that did not exist could not hold.
    fn make_directory(&mut self, directory: &Path, at: &PlanPath) -> Result<(), OpError> {
        let of = |error: std::io::Error| os_fault(&error);
        let missing: Vec<&Path> =
            directory.ancestors().take_while(|above| !os::exists(above)).collect();
        if !missing.is_empty() {
            let owner = rights_if_there(&self.place.path(&self.place.canonical)).map_err(of)?;
            for made in missing.into_iter().rev() {
                match os::create_private_directory(made, owner.as_ref()) {
                    Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                        return Err(of(error));
                    }
                    _ => {}
                }
                flushed(os::sync_dir(made.parent().unwrap_or(made))).map_err(of)?;
            }
        }
        self.patiently(|job| job.locks.hold(directory, &at.name))
    }

    /// Copies v1.
    fn copy_v1(&mut self) -> Result<(), OpError> {
        let canonical = &self.place.canonical;
        let v1 = self.place.path(canonical);
        let copied = self.patiently(|job| {
            let known = job.run.journal().and_then(|journal| journal.v1.as_ref());
            let watch = Watch::quiet(job.stop.clone());
            job.opened.copy(&v1, &job.source, known, &watch)
        });
        copied.map_err(|fault| fault.of(canonical))
    }

    fn staged(&self, directory: &Path, file: &FileName) -> Result<PathBuf, HostError> {
        let nonce = cutover_core::Nonce::new(self.nonce.clone())?;
        Ok(directory.join(companion_staged_name(file, &nonce).as_str()))
    }
}

/// Creates a file anew and flushes it.
fn write_flushed(
    path: &Path,
    create: impl FnOnce(&Path) -> std::io::Result<File>,
    data: &[u8],
) -> std::io::Result<()> {
    use std::io::Write as _;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = create(path)?;
    file.write_all(data)?;
    flushed(file.sync_all()).map(drop)
}

impl<'a> Job<'a> for HostJob<'a> {
    fn source(&mut self) -> Result<PathBuf, HostError> {
        if self.source != self.staging && !self.copied {
            self.fault = self.copy_v1().err();
            if let Some(fault) = &self.fault {
                return Err(format!("v1 cannot be copied: {}", fault.message).into());
            }
            self.copied = true;
        }
        Ok(self.source.clone())
    }

    fn staging(&self) -> &Path {
        &self.staging
    }

    fn v1(&self) -> &'a Reader {
        self.v1
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
        let database = self.place.path(&self.place.canonical);
        let create = |path: &Path| os::create_beside(path, rights_if_there(&database)?.as_ref());
        self.replace([&tmp, &self.place.path(&file)], &file, create, text.as_bytes())
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
        let at = PlanPath { companion: Some(name.clone()), name: file };
        if let Err(fault) = self.make_directory(&directory, &at) {
            let message = format!("write failed on {}: {}", target.display(), fault.message);
            self.fault = Some(fault.of(at));
            return Err(message.into());
        }
        let failed = |error| format!("write failed on {}: {error}", target.display());
        let like = match os::open_to_read(&target) {
            Ok(companion) => Some(os::Rights::of_open(&companion).map_err(failed)?),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error).into()),
        };
        let database = self.place.path(&self.place.canonical);
        let mut lost = Vec::new();
        let create = |path: &Path| {
            let Some(rights) = &like else {
                return os::create_private(path, rights_if_there(&database)?.as_ref());
            };
            let file = os::create_new(path, rights)?;
            lost = rights.lost(&file)?;
            Ok(file)
        };
        self.replace([&tmp, &staged], at, create, data)?;
        if let Some(message) = os::lost_message("the new", &target, &lost) {
            self.run.warn_of("RIGHTS_LOST", message);
        }
        self.run.stage_companion(&name, cutover_core::digest(data));
        Ok(())
    }

    fn warn(&mut self, message: String) {
        self.run.warn(message);
    }
}
