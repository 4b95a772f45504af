//! Performs the ops of a plan, one by one.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use cutover_core::fault::Holder;
use cutover_core::fault::{Cause, Fault, OsCode};
use cutover_core::journal::Strategy;
use cutover_core::names::{At, FileName, Role};
use cutover_core::observe::Verdict;
use cutover_core::op::Op;
use cutover_core::page1::JournalMode;
use cutover_core::run::{Done, Run};

use crate::copy::{Create, copy};
use crate::holders::holders;
use crate::host::{Host, HostError};
use crate::isolate::Isolated;
use crate::job::HostJob;
use crate::observe::{Blind, verdict};
use crate::options::{self, Options};
use crate::os;
use crate::page_copy::{Witness, page_copy};
use crate::place::Place;
use crate::sqlite::{self, Flush, V1Lock, no_space, os_fault};

/// What ops need beyond the plan.
pub(crate) struct Performer<'a> {
    pub place: &'a Place,
    pub options: &'a Options,
    /// v1's lock, from its check to the flip.
    v1: Option<V1Lock>,
    /// What sees every commit to a v1 that stays in WAL mode, from its settling to the page copy.
    witness: Option<Witness>,
    /// What keeps everybody from a database that moves to a new file, until it has.
    isolated: Option<Isolated>,
    /// The application's own error, kept for the one that `migrate` returns.
    pub cause: Option<HostError>,
}

/// Less than this is no room for SQLite to work in: the `-shm` of a database alone has 32 KiB.
const LEAST_FREE_BYTES: u64 = 64 << 10;

/// SQLite says "disk I/O error" where it cannot size its -shm on a full disk.
pub(crate) fn name_full_disk(fault: Fault, place: &Place) -> Fault {
    match &fault.cause {
        Cause::Sqlite
            if os::free_bytes(&place.directory).is_ok_and(|free| free < LEAST_FREE_BYTES) =>
        {
            Fault { cause: no_space(), ..fault }
        }
        _ => fault,
    }
}

type Performed = Result<Done, Fault>;

impl<'a> Performer<'a> {
    pub(crate) fn new(place: &'a Place, options: &'a Options) -> Self {
        Self { place, options, v1: None, witness: None, isolated: None, cause: None }
    }

    pub(crate) fn perform(
        &mut self,
        op: &Op,
        text: Option<&str>,
        run: &mut Run,
        host: &mut dyn Host,
    ) -> Performed {
        let result = self.perform_op(op, text, run, host);
        result.map_err(|fault| name_full_disk(self.name_holders(fault, op), self.place))
    }

    /// Whoever keeps SQLite from v1 is named. Nothing of ours is open then.
    fn name_holders(&self, fault: Fault, op: &Op) -> Fault {
        let file = match op {
            Op::Settle { file, .. } | Op::LockV1 { file } => At::from(file),
            Op::Copy { from, .. } => from.clone(),
            _ => return fault,
        };
        if fault.cause != Cause::Busy || !self.is_canonical(&file) {
            return fault;
        }
        let holders = holders(&self.place.set(&self.place.canonical));
        if holders.is_empty() { fault } else { Fault { cause: Cause::Held { holders }, ..fault } }
    }

    /// What a zombie holds, nobody wrote to while it was copied.
    fn still_isolated(&mut self) -> Result<(), Fault> {
        let canonical = &self.place.canonical;
        // Once it does not stand, the undo has nothing to do with it.
        let Some(isolated) = self.isolated.take() else { return Ok(()) };
        isolated.stands(&self.place.path(canonical)).map_err(|fault| fault.of(canonical))?;
        self.isolated = Some(isolated);
        Ok(())
    }

    fn perform_op(
        &mut self,
        op: &Op,
        text: Option<&str>,
        run: &mut Run,
        host: &mut dyn Host,
    ) -> Performed {
        match op {
            Op::WriteJournal { file, .. } | Op::WriteReceipt { file } => {
                self.write_new(file, text.unwrap_or_default())
            }
            Op::SyncFile { file } => {
                // One that cannot be opened was not flushed; only the flush itself may be unknown
                // to the file system.
                self.io(file, |path| flushed(os::open_to_flush(path)?.sync_all()))
            }
            Op::SyncDir { companion } => {
                let directory = match companion {
                    None => &self.place.directory,
                    Some(name) => {
                        &self.place.companions.get(name).ok_or_else(|| undeclared(name))?.0
                    }
                };
                match os::sync_dir(directory) {
                    // A companion's directory that is not there has nothing to flush.
                    Err(error)
                        if companion.is_some() && error.kind() == io::ErrorKind::NotFound =>
                    {
                        Ok(Done::Plain)
                    }
                    result => flushed(result).map_err(|error| os_fault(&error)),
                }
            }
            Op::Link { from, to } => {
                if !os::OPENING_DROPS_LOCKS && self.is_canonical(from) {
                    // A link that is made while somebody has v1 open can be removed no more, and v1
                    // not be replaced.
                    self.look(&self.place.canonical, run)?;
                }
                let path = self.path(from)?;
                let linked = self.io(to, |to| match std::fs::hard_link(&path, to) {
                    Err(error)
                        if error.kind() == io::ErrorKind::AlreadyExists
                            && os::same_file(&path, to)? =>
                    {
                        plain(Ok(()))
                    }
                    result => plain(result),
                });
                if linked.is_ok() || from.companion.is_none() || self.path(to)?.exists() {
                    return linked;
                }
                // A companion's file system need not know links where the database's does. A copy
                // that is not whole gives way at the next start.
                self.copy(from, to)?;
                self.io(to, |path| flushed(os::open_to_flush(path)?.sync_all()))
            }
            Op::Rename { from, to } => {
                self.still_isolated()?;
                let from = self.path(from)?;
                let renamed = self.io(to, |to| match os::same_file(&from, to) {
                    // A power loss can leave both names of a rename, and renaming one name of a
                    // file onto another does nothing.
                    Ok(true) => remove(&from),
                    _ => plain(os::rename(&from, to)),
                })?;
                if let Some(isolated) = self.isolated.take() {
                    isolated.leave();
                }
                Ok(renamed)
            }
            Op::RenameNew { from, to } => {
                let from = self.path(from)?;
                self.io(to, |to| match os::same_file(&from, to) {
                    Ok(true) => remove(&from),
                    _ => plain(os::rename_new(&from, to)),
                })
            }
            Op::Remove { files } => {
                self.still_isolated()?;
                for file in files {
                    self.io(file, remove)?;
                }
                Ok(Done::Plain)
            }
            Op::RemoveLink { link, of } => {
                let of = self.place.path(of);
                self.io(&link.into(), |link| match os::same_file(link, &of) {
                    Ok(true) => remove(link),
                    Ok(false) => plain(Ok(())),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => plain(Ok(())),
                    Err(error) => Err(error),
                })
            }
            Op::Copy { from, to } => self.copy(from, to),
            Op::Look { file } => self.look(file, run),
            Op::Release {} => {
                host.release_handles();
                Ok(Done::Plain)
            }
            Op::Settle { file, mode } => {
                let own = run.journal().is_some_and(|j| {
                    [&j.names.source, &j.names.staging, &j.names.install].contains(&file)
                });
                let flush = if own { Flush::Later } else { Flush::Always };
                if !own && *mode == JournalMode::Wal {
                    return self.settle_held(file);
                }
                sqlite::settle(&self.place.path(file), *mode, flush).map(Done::Settled).map_err(
                    |fault| match fault.cause {
                        Cause::NotADatabase | Cause::V1Corrupt if own => {
                            Fault { cause: Cause::Verify, ..fault }.of(file)
                        }
                        _ => fault.of(file),
                    },
                )
            }
            Op::RestoreMode { file, mode } => sqlite::restore_mode(&self.place.path(file), *mode)
                .map(|()| Done::Plain)
                .map_err(|fault| fault.of(file)),
            Op::BuildSql { v1, staging } => self.build_sql(v1, staging),
            Op::BuildHost { source, staging } => self.build_host(source, staging, run, host),
            Op::Restage { from, to, mode } => {
                let target = self.place.path(to);
                let v1 = self.place.path(&self.place.canonical);
                self.io(&to.into(), |path| plain(os::create_writable(path, &v1).map(drop)))?;
                sqlite::restage(&self.place.path(from), &target, *mode)
                    .map(|()| Done::Plain)
                    .map_err(|fault| {
                        // A try that failed must not stand in the way of the next one.
                        let _ = remove(&target);
                        fault.of(from)
                    })
            }
            Op::Isolate { from, to } => {
                self.isolated = None;
                // What a try that failed has left is in the way of the next one.
                let new = self.place.path(to);
                remove(&new).map_err(|error| os_fault(&error).of(to))?;
                self.isolated = Some(
                    Isolated::copy(&self.place.path(from), &new).map_err(|fault| fault.of(from))?,
                );
                Ok(Done::Plain)
            }
            Op::Check { file } => self.check(file, run),
            Op::Detect { file } => {
                match verdict(&self.place.path(file), &self.options.detect, host) {
                    Ok(Some(Verdict::Current)) => Ok(Done::Plain),
                    Ok(Some(Verdict::Old)) => {
                        Err(Fault::new(Cause::StillOld, "detect says \"old\" of what was built")
                            .of(file))
                    }
                    Ok(Some(Verdict::Newer)) => {
                        Err(Fault::new(Cause::Verify, "detect says \"newer\" of what was built")
                            .of(file))
                    }
                    Ok(None) => {
                        Err(Fault::new(Cause::Verify, "what was built cannot be read").of(file))
                    }
                    Err(Blind::Fault(fault)) => Err(fault.of(file)),
                    Err(Blind::Host(error)) => Err(self.host_fault("detect", error)),
                }
            }
            Op::VerifyHost { file } => {
                let v2 = sqlite::installed_reader(&self.place.path(file))
                    .map_err(|error| sqlite::fault(&error).of(file))?;
                host.verify(&v2)
                    .map(|()| Done::Plain)
                    .map_err(|error| self.host_fault("verify", error))
            }
            Op::LockV1 { file } => {
                self.v1 = None;
                self.v1 =
                    Some(V1Lock::take(&self.place.path(file)).map_err(|fault| fault.of(file))?);
                Ok(Done::Plain)
            }
            Op::CheckV1 { file } => self.check_v1(file, run),
            Op::UnlockV1 {} => {
                (self.v1, self.witness) = (None, None);
                Ok(Done::Plain)
            }
            Op::PageCopy { from, to } => self.page_copy(from, to, run),
            Op::Absent { files } => match files
                .iter()
                .find(|file| std::fs::symlink_metadata(self.place.path(file)).is_ok())
            {
                None => Ok(Done::Plain),
                Some(file) => Err(Fault::new(
                    Cause::Sidecar,
                    "this sidecar appeared while the database was upgraded",
                )
                .of(file)),
            },
            Op::LookCompanion { companion, must_be_same, .. } => {
                self.look_companion(companion, *must_be_same, run)
            }
            Op::UndoHost {} => self.after(run, "undo", |state, nonce| host.undo(state, nonce)),
            Op::CleanupHost {} => {
                self.after(run, "cleanup", |state, nonce| host.cleanup(state, nonce))
            }
        }
    }

    fn path(&self, at: &At) -> Result<PathBuf, Fault> {
        self.place.at(at).ok_or_else(|| undeclared(at))
    }

    fn io(&self, at: &At, act: impl FnOnce(&Path) -> io::Result<Done>) -> Performed {
        let path = self.path(at)?;
        act(&path).map_err(|error| {
            denied(&path, &error).unwrap_or_else(|| os_fault(&error)).of(at.clone())
        })
    }

    fn copy(&self, from: &At, to: &At) -> Performed {
        let path = self.path(from)?;
        if !self.is_canonical(from) {
            // A backup may be read-only, and the database that is made of it is written to. A
            // secret stays as it is.
            let create: Create =
                if to.companion.is_none() { os::create_writable } else { os::create_new };
            return self.io(to, |to| plain(copy(&path, to, &(0..0), create)));
        }
        // Let go when the copy is closed: on POSIX its closing would drop the lock.
        let held = sqlite::keep_writers_out(&path).map_err(|fault| fault.of(from.clone()))?;
        let copied =
            self.io(to, |to| plain(copy(&path, to, &os::REFUSED_BYTES, os::create_writable)));
        drop(held);
        copied
    }

    fn is_canonical(&self, at: &At) -> bool {
        *at == At::from(&self.place.canonical)
    }

    fn write_new(&self, file: &FileName, text: &str) -> Performed {
        let owner = self.place.path(&self.place.canonical);
        self.io(&file.into(), |path| {
            plain(os::create_private(path, &owner)?.write_all(text.as_bytes()))
        })
    }

    /// Where opening a file takes nothing from anybody, pages may be copied into one that this
    /// process holds, or somebody who is not named.
    fn look(&self, file: &FileName, run: &Run) -> Performed {
        let holders = holders(&self.place.set(file));
        let moved = matches!(
            Role::of(&self.place.canonical, file),
            Some(Role::Backup { .. } | Role::Displaced(_))
        );
        let copies_pages =
            run.journal().is_some_and(|journal| journal.strategy == Strategy::PageCopy);
        let may_stay =
            copies_pages && !os::OPENING_DROPS_LOCKS && !holders.iter().any(Holder::is_another);
        if (*file == self.place.canonical || moved) && !holders.is_empty() && !may_stay {
            let fault = Fault::new(Cause::Held { holders }, "the database is open");
            return Err(fault.of(file));
        }
        Ok(Done::Looked(holders))
    }

    fn build_sql(&self, v1: &FileName, staging: &FileName) -> Performed {
        let options::Run::Sql(sql) = &self.options.make.run else {
            return Err(Fault::new(
                Cause::Host,
                "the plan builds by SQL, and the options give none",
            ));
        };
        self.make_staging(staging)?;
        let v1 = self.place.path(v1);
        sqlite::build(&v1, &self.place.path(staging), sql)
            .map(|()| Done::Plain)
            .map_err(|fault| fault.of(staging))
    }

    /// Staging exists before anybody opens it, so that it has v1's mode and is no link. A copy of
    /// v1 is there already.
    fn make_staging(&self, staging: &FileName) -> Performed {
        let v1 = self.place.path(&self.place.canonical);
        if self.place.path(staging).exists() {
            return Ok(Done::Plain);
        }
        self.io(&staging.into(), |path| plain(os::create_writable(path, &v1).map(drop)))
    }

    fn build_host(
        &mut self,
        source: &FileName,
        staging: &FileName,
        run: &mut Run,
        host: &mut dyn Host,
    ) -> Performed {
        self.make_staging(staging)?;
        if run.journal().is_some_and(|journal| journal.strategy == Strategy::PageCopy) {
            // Into a v1 that stays in WAL mode only pages of its own size can be copied.
            sqlite::lay_out(&self.place.path(staging), &self.place.path(&self.place.canonical))
                .map_err(|fault| fault.of(staging))?;
        }
        let v1 = sqlite::reader(&self.place.path(&self.place.canonical))
            .map_err(|error| sqlite::fault(&error))?;
        let mut job =
            HostJob::new(self.place, run, v1, self.place.path(source), self.place.path(staging));
        match host.build(&mut job) {
            Ok(built) => Ok(Done::Built { expect: built.expect, report: built.report }),
            Err(error) => {
                let full = job.full.take().filter(|_| !host.cancelled());
                let fault = self.host_fault("build", error);
                Err(full.unwrap_or(fault))
            }
        }
    }

    fn check(&self, file: &FileName, run: &Run) -> Performed {
        let no_expectations = BTreeMap::new();
        let journal = run.journal();
        let expect = journal.map_or(&no_expectations, |journal| &journal.expect);
        // In a recovery of the field's cutover v1 is in the backup already.
        let v1 = journal
            .map(|journal| self.place.path(&journal.names.backup))
            .filter(|_| !self.place.path(&self.place.canonical).exists())
            .unwrap_or_else(|| self.place.path(&self.place.canonical));
        // A host may have made the file anew, with a mode of its own.
        os::adopt(&self.place.path(file), &v1).map_err(|error| os_fault(&error).of(file))?;
        // What refers to nothing in a v1 that comes back did so before, whatever v2 holds.
        let restores = journal.is_some_and(|journal| journal.strategy.restores());
        let v1 = if restores { self.place.path(file) } else { v1 };
        let (facts, warnings) = sqlite::check(
            &self.place.path(file),
            &v1,
            self.options.integrity,
            expect,
            restores || self.options.verify,
        )
        .map_err(|fault| fault.of(file))?;
        if let Some(known) = journal.and_then(|journal| journal.v2.as_ref())
            && (facts.size != known.size || facts.page1.as_ref() != Some(&known.page1))
        {
            return Err(
                Fault::new(Cause::Verify, "what was built is not what the journal says").of(file)
            );
        }
        Ok(Done::Checked(facts, warnings))
    }

    fn check_v1(&self, file: &FileName, run: &Run) -> Performed {
        let Some(lock) = &self.v1 else {
            return Err(
                Fault::new(Cause::V1Changed, "v1 was not locked before it was checked").of(file)
            );
        };
        let path = self.place.path(file);
        let facts = lock.facts(&path).map_err(|error| os_fault(&error).of(file))?;
        let same_name = os::file_id(&path).is_ok_and(|now| now == facts.file_id);
        let known = run.journal().and_then(|journal| journal.v1.as_ref()).map(|v1| &v1.fingerprint);
        if same_name && facts.fingerprint().as_ref() == known {
            Ok(Done::Plain)
        } else {
            Err(Fault::new(
                Cause::V1Changed,
                "another program wrote to the database while it was upgraded",
            )
            .of(file))
        }
    }

    /// Only whoever is alone takes a database out of WAL mode, so one that somebody holds stays in
    /// it.
    fn settle_held(&mut self, file: &FileName) -> Performed {
        self.witness = None;
        let path = self.place.path(file);
        let witness = Witness::of(&path).map_err(|fault| fault.of(file))?;
        let facts = sqlite::facts(&path).map_err(|error| os_fault(&error).of(file))?;
        self.witness = Some(witness);
        Ok(Done::Settled(facts))
    }

    fn page_copy(&mut self, from: &FileName, to: &FileName, run: &Run) -> Performed {
        let Some(v1) = run.journal().and_then(|journal| journal.v1.as_ref()) else {
            return Err(Fault::new(Cause::V1Changed, "nothing is known of v1").of(to));
        };
        let (from, path) = (self.place.path(from), self.place.path(to));
        page_copy(&from, &path, &v1.fingerprint, self.witness.as_mut())
            .map(|()| Done::Plain)
            .map_err(|fault| fault.of(to))
    }

    fn look_companion(
        &self,
        companion: &cutover_core::names::CompanionName,
        must_be_same: bool,
        run: &Run,
    ) -> Performed {
        let (directory, file) =
            self.place.companions.get(companion).ok_or_else(|| undeclared(companion))?;
        let at = At { companion: Some(companion.clone()), name: file.clone() };
        let now = match std::fs::read(directory.join(file.as_str())) {
            Ok(bytes) => Some(cutover_core::page1::digest(&bytes)),
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
            return Err(Fault::new(
                Cause::CompanionChanged,
                "the companion was changed while the database was upgraded",
            )
            .of(at));
        }
        Ok(Done::Companion(now))
    }

    fn after(
        &mut self,
        run: &Run,
        what: &str,
        call: impl FnOnce(Option<&serde_json::Value>, &str) -> Result<(), HostError>,
    ) -> Performed {
        let Some(journal) = run.journal() else { return Ok(Done::Plain) };
        match call(journal.host_state.as_ref(), journal.nonce.as_str()) {
            Ok(()) => Ok(Done::Plain),
            Err(error) => Err(self.host_fault(what, error)),
        }
    }

    /// The first error of the application is the one it gets back: what fails later, in the undo,
    /// follows from it.
    fn host_fault(&mut self, what: &str, error: HostError) -> Fault {
        let message = format!("the application's {what} failed: {error}");
        self.cause.get_or_insert(error);
        Fault::new(Cause::Host, message)
    }
}

/// What waiting does not help with, though the system's code alone does not say so.
fn denied(path: &Path, error: &io::Error) -> Option<Fault> {
    let why = os::denied_for_good(path, error)?;
    Some(Fault::new(Cause::Denied { os: OsCode::of(os::PLATFORM, error.raw_os_error()?) }, why))
}

fn plain(result: io::Result<()>) -> io::Result<Done> {
    result.map(|()| Done::Plain)
}

/// A file system that cannot flush says so; that is reported. A failing disk is not tolerated, and
/// the flush is never tried again on the same data.
pub(crate) fn flushed(result: io::Result<()>) -> io::Result<Done> {
    match result {
        Err(error) if os::says_no_flush(&error) => {
            Ok(Done::Tolerated(format!("the file system cannot flush: {error}")))
        }
        result => plain(result),
    }
}

/// What is not there need not be removed; a read-only volume says EROFS of that, too.
fn remove(path: &Path) -> io::Result<Done> {
    match std::fs::remove_file(path) {
        Err(error) if !is_missing(path, &error) => Err(error),
        _ => Ok(Done::Plain),
    }
}

fn is_missing(path: &Path, error: &io::Error) -> bool {
    let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    missing(error) || std::fs::symlink_metadata(path).is_err_and(|error| missing(&error))
}

fn undeclared(name: &dyn std::fmt::Display) -> Fault {
    Fault::new(Cause::Host, format!("companion {name} is not declared in the options"))
}
