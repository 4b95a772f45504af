//! Ops in which the application takes part.

use cutover_core::{FileName, OpError, OpErrorKind, OpOutcome, Run, Strategy, Verdict};

use super::pages::checks_pages;
use super::{Performed, Performer};
use crate::error::HostError;
use crate::fsops::{plain, remove};
use crate::holders::holders;
use crate::host::Host;
use crate::job::HostJob;
use crate::observe::{ObserveError, verdict};
use crate::os;
use crate::reader::{Patience, Reader};
use crate::source::OpenV1;
use crate::sqlite::{self, Gauge};

impl Performer<'_> {
    pub(super) fn detect(&mut self, file: &FileName, host: &mut dyn Host) -> Performed {
        match verdict(&self.place.path(file), &self.options.detect, host) {
            Ok(Some(Verdict::Current)) => Ok(OpOutcome::Plain),
            Ok(Some(Verdict::Old)) => {
                Err(OpError::new(OpErrorKind::StillOld, "detect says \"old\" of the built v2")
                    .of(file))
            }
            Ok(Some(Verdict::Newer)) => {
                Err(OpError::new(OpErrorKind::Verify, "detect says \"newer\" of the built v2")
                    .of(file))
            }
            Ok(None) => {
                Err(OpError::new(OpErrorKind::Verify, "the built v2 cannot be read").of(file))
            }
            Err(ObserveError::OpError(fault)) => Err(fault.of(file)),
            Err(ObserveError::Damaged(fault, error)) => {
                self.cause.get_or_insert(error);
                Err(OpError { cause: OpErrorKind::Verify, ..fault }.of(file))
            }
            Err(ObserveError::Host(error)) => Err(self.host_fault("detect", error)),
            Err(ObserveError::Refused(failure)) => {
                Err(OpError::new(OpErrorKind::Held { holders: failure.holders }, failure.reason))
            }
        }
    }

    pub(super) fn verify(&mut self, file: &FileName, host: &mut dyn Host) -> Performed {
        let path = self.place.path(file);
        if !self.verified {
            let facts = || sqlite::facts(&path).map_err(|error| sqlite::os_fault(&error).of(file));
            let checked = facts()?;
            let v2 = Reader::open_installed(&path).map_err(|fault| fault.of(file))?;
            let verified = host.verify(&v2);
            if let Some(fault) = v2.met() {
                // What it says of a part does not count.
                self.cause = self.cause.take().or(verified.err());
                return Err(fault.of(file));
            }
            verified.map_err(|error| self.host_fault("verify", error))?;
            drop(v2);
            // It may open v2 by its path, and what it writes there is not checked. (A commit in WAL
            // mode may leave the header as it is.)
            if facts()? != checked
                || sqlite::bytes(&sqlite::sidecar(&path, "-wal")).is_some_and(|bytes| bytes > 0)
            {
                let text =
                    "the application's verify wrote to what was built, which was checked before";
                return Err(OpError::new(OpErrorKind::Verify, text).of(file));
            }
            self.verified = true;
        }
        // A connection to v2 must not share its -shm with a leaked one.
        host.release_handles();
        let holders = holders(&self.place.set(file)).holders;
        if !holders.is_empty() {
            let text = "the application's verify left what was built open";
            return Err(OpError::new(OpErrorKind::Held { holders }, text).of(file));
        }
        // A reader in WAL mode cannot remove the sidecars that it made.
        for sidecar in file.sidecars() {
            self.io(&(&sidecar).into(), remove)?;
        }
        Ok(OpOutcome::Plain)
    }

    pub(super) fn build_host(
        &mut self,
        source: &FileName,
        staging: &FileName,
        run: &mut Run,
        host: &mut dyn Host,
    ) -> Performed {
        // The application opens both by their paths.
        self.io(&source.into(), |path| plain(os::regular_or_missing(path)))?;
        self.make_staging(staging)?;
        if run.journal().is_some_and(|journal| journal.strategy == Strategy::PageCopy) {
            // A v1 that stays in WAL mode takes only pages of its own size.
            sqlite::lay_out(&self.place.path(staging), &self.place.path(&self.place.canonical))
                .map_err(|fault| fault.of(staging))?;
        }
        // Declared first, so dropped last.
        let mut opened = OpenV1::default();
        let v1 = Reader::open(&self.place.path(&self.place.canonical))?
            .patient(Patience { budget: run.budget(), stop: host.stop() });
        let files = [self.place.path(source), self.place.path(staging)];
        let is_copied = self.copied.as_ref() == Some(&files[0]);
        let staging = files[1].clone();
        let mut job = HostJob::new(
            self.place,
            run,
            (&v1, &mut opened),
            self.locks,
            files,
            Gauge::of(host.stop()),
        );
        job.copied = is_copied;
        let built = host.build(&mut job);
        let not_its = job.close();
        // The application may have replaced it.
        self.staged = os::file_id(&staging).ok();
        if let Some(damage) = v1.damage() {
            // Whatever the application made of it: what it did not read is not in v2.
            self.cause = self.cause.take().or(built.err());
            return Err(sqlite::damaged_v1(&damage).of(&self.place.canonical));
        }
        if let Some(fault) = v1.met().filter(|fault| fault.cause != OpErrorKind::Busy) {
            // What the system did not let it read is not in v2 either.
            self.cause = self.cause.take().or(built.err());
            return Err(fault.of(&self.place.canonical));
        }
        match built {
            Ok(built) => Ok(OpOutcome::Built { expect: built.expect, report: built.report }),
            Err(error) => {
                if let Some(not_its) = not_its.filter(|_| !host.cancelled()) {
                    self.cause.get_or_insert(error);
                    return Err(not_its);
                }
                // The application may have met it with a SQLite of its own, where nothing had
                // checked v1 before.
                let met = !checks_pages(run) && sqlite::names_damage(&error.to_string());
                let fault = self.host_fault("build", error);
                Err(if met { self.damage_met(fault, run, host) } else { fault })
            }
        }
    }

    pub(super) fn after(
        &mut self,
        run: &Run,
        what: &str,
        call: impl FnOnce(Option<&serde_json::Value>, &str) -> Result<(), HostError>,
    ) -> Performed {
        let Some(journal) = run.journal() else { return Ok(OpOutcome::Plain) };
        match call(journal.host_state.as_ref(), journal.nonce.as_str()) {
            Ok(()) => Ok(OpOutcome::Plain),
            Err(error) => Err(self.host_fault(what, error)),
        }
    }

    /// Keeps the application's first error, which the call returns as the cause. Later ones, in the
    /// undo, follow from it.
    pub(super) fn host_fault(&mut self, what: &str, error: HostError) -> OpError {
        let message = format!("the application's {what} failed: {error}");
        self.cause.get_or_insert(error);
        OpError::new(OpErrorKind::Host, message)
    }
}
