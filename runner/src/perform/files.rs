//! Ops on names and bytes.

use std::io::{self, Write as _};

use cutover_core::{
    CompanionName, FileName, OpError, OpErrorKind, OpName, OpOutcome, PlanPath, Run,
};

use super::{Performed, Performer, denied, undeclared};
use crate::copy::copy;
use crate::fsops::{flushed, plain, remove, rights_if_there};
use crate::host::Host;
use crate::os;
use crate::sqlite::{self, Gauge, Watch, os_fault};
use crate::watched::{Done, Progress, watched};

impl Performer<'_> {
    pub(super) fn sync_file(&self, file: &PlanPath) -> Performed {
        // A file that cannot be opened was not flushed, so only an error of the flush itself may be
        // tolerated.
        self.io(file, |path| flushed(os::open_to_flush(path)?.sync_all()))
    }

    pub(super) fn sync_dir(&self, companion: Option<&CompanionName>) -> Performed {
        let directory = match companion {
            None => &self.place.directory,
            Some(name) => &self.place.companions.get(name).ok_or_else(|| undeclared(name))?.0,
        };
        match os::sync_dir(directory) {
            // A companion's directory that does not exist has nothing to flush.
            Err(error) if companion.is_some() && error.kind() == io::ErrorKind::NotFound => {
                Ok(OpOutcome::Plain)
            }
            result => flushed(result).map_err(|error| os_fault(&error)),
        }
    }

    pub(super) fn link(
        &mut self,
        from: &PlanPath,
        to: &PlanPath,
        run: &Run,
        host: &mut dyn Host,
    ) -> Performed {
        if !os::OPENING_DROPS_LOCKS && self.is_canonical(from) {
            // On Windows, a hard link made while v1 is open cannot be removed again, and v1 can
            // then not be replaced.
            self.look(&self.place.canonical, run)?;
        }
        let path = self.path(from)?;
        self.io(from, |from| plain(os::regular_or_missing(from)))?;
        let linked = self.io(to, |to| match std::fs::hard_link(&path, to) {
            Err(error)
                if error.kind() == io::ErrorKind::AlreadyExists && os::same_file(&path, to)? =>
            {
                plain(Ok(()))
            }
            result => plain(result),
        });
        if linked.is_ok() || from.companion.is_none() || os::exists(&self.path(to)?) {
            return linked;
        }
        // A companion may be on a file system without hard links, though the database is not. If
        // this copy is interrupted, the next start replaces it.
        self.copy(from, to, run, host)?;
        self.io(to, |path| flushed(os::open_to_flush(path)?.sync_all()))
    }

    pub(super) fn rename(&mut self, from: &PlanPath, to: &PlanPath) -> Performed {
        self.still_isolated()?;
        self.io(from, |from| plain(os::regular_or_missing(from)))?;
        let from = self.path(from)?;
        let renamed = self.io(to, |to| match os::same_file(&from, to) {
            // A power loss can leave both names of a rename. Renaming one name of a file onto
            // another does nothing.
            Ok(true) => remove(&from),
            _ => plain(os::rename(&from, to)),
        })?;
        if let Some(isolated) = self.isolated.take() {
            isolated.leave();
        }
        Ok(renamed)
    }

    pub(super) fn rename_new(&self, from: &PlanPath, to: &PlanPath) -> Performed {
        self.io(from, |from| plain(os::regular_or_missing(from)))?;
        let from = self.path(from)?;
        self.io(to, |to| match os::same_file(&from, to) {
            Ok(true) => remove(&from),
            _ => plain(os::rename_new(&from, to)),
        })
    }

    pub(super) fn remove(&mut self, files: &[PlanPath]) -> Performed {
        self.still_isolated()?;
        for file in files {
            self.io(file, remove)?;
        }
        Ok(OpOutcome::Plain)
    }

    pub(super) fn remove_link(&self, link: &FileName, of: &FileName) -> Performed {
        let of = self.place.path(of);
        self.io(&link.into(), |link| match os::same_file(link, &of) {
            Ok(true) => remove(link),
            Ok(false) => plain(Ok(())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => plain(Ok(())),
            Err(error) => Err(error),
        })
    }

    pub(super) fn absent(&self, files: &[FileName]) -> Performed {
        match files.iter().find(|file| os::exists(&self.place.path(file))) {
            None => Ok(OpOutcome::Plain),
            Some(file) => Err(OpError::new(
                OpErrorKind::Sidecar,
                "this sidecar appeared while the database was upgraded",
            )
            .of(file)),
        }
    }

    pub(super) fn write_new(&self, file: &FileName, text: &str) -> Performed {
        let owner = self.place.path(&self.place.canonical);
        self.io(&file.into(), |path| {
            let owner = rights_if_there(&owner)?;
            plain(os::create_beside(path, owner.as_ref())?.write_all(text.as_bytes()))
        })
    }

    pub(super) fn copy(
        &mut self,
        from: &PlanPath,
        to: &PlanPath,
        run: &Run,
        host: &mut dyn Host,
    ) -> Performed {
        let path = self.path(from)?;
        if to.companion.is_some() {
            // A companion may be a secret, and keeps its mode.
            let mut lost = Vec::new();
            let copied = self.io(to, |to| {
                let (file, rights) =
                    copy(&path, to, &(0..0), os::create_new, &Watch::quiet(Gauge::default()))?;
                lost = rights.lost(&file)?;
                plain(Ok(()))
            });
            self.tell_lost("the copy of", &path, &lost);
            return copied;
        }
        // A backup may be read-only, and the database that is made of it must be writable. It gets
        // all of its rights when it was checked.
        let create = os::create_to_build;
        let target = self.path(to)?;
        let progress = Progress {
            op: OpName::Copy,
            done: Done::SizeOf(&target),
            total: sqlite::bytes(&path),
            may_stop: run.can_abort(),
        };
        let mut copied = |gap| {
            watched(&progress, host, |watch| {
                copy(&path, &target, gap, create, watch).map(drop).map_err(|error| {
                    denied(&target, &error).unwrap_or_else(|| os_fault(&error)).of(to.clone())
                })
            })
            .map(|()| OpOutcome::Plain)
        };
        if !self.is_canonical(from) {
            return copied(&(0..0));
        }
        // This lock is released after the copy is closed: on POSIX closing the copy's descriptor of
        // v1 drops it.
        let held = sqlite::keep_writers_out(&path).map_err(|fault| fault.of(from.clone()))?;
        let copied = copied(&os::REFUSED_BYTES);
        drop(held);
        copied
    }

    pub(super) fn look_companion(
        &self,
        companion: &cutover_core::CompanionName,
        must_be_same: bool,
        run: &Run,
    ) -> Performed {
        let (directory, file) =
            self.place.companions.get(companion).ok_or_else(|| undeclared(companion))?;
        let at = PlanPath { companion: Some(companion.clone()), name: file.clone() };
        let now = match os::read_companion(&directory.join(file.as_str())) {
            Ok(bytes) => Some(cutover_core::digest(&bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(os_fault(&error).of(at)),
        };
        let before = run
            .journal()
            .into_iter()
            .flat_map(|j| &j.companions)
            .find(|c| c.name == *companion)
            .and_then(|c| c.before.as_ref());
        if must_be_same && before != now.as_ref() {
            return Err(OpError::new(
                OpErrorKind::CompanionChanged,
                "the companion was changed while the database was upgraded",
            )
            .of(at));
        }
        Ok(OpOutcome::Companion(now))
    }
}
