//! Ops in which the application takes part.

use cutover_core::{FileName, OpError, OpErrorKind, OpOutcome, Run, Strategy, Verdict};

use super::{Performed, Performer};
use crate::error::HostError;
use crate::fsops::plain;
use crate::host::Host;
use crate::job::HostJob;
use crate::observe::{ObserveError, verdict};
use crate::os;
use crate::reader::{Patience, Reader};
use crate::sqlite;

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
            Err(ObserveError::Host(error)) => Err(self.host_fault("detect", error)),
            Err(ObserveError::Refused(failure)) => {
                Err(OpError::new(OpErrorKind::Held { holders: failure.holders }, failure.reason))
            }
        }
    }

    pub(super) fn verify(&mut self, file: &FileName, host: &mut dyn Host) -> Performed {
        let v2 = Reader::open_installed(&self.place.path(file))
            .map_err(|error| sqlite::fault(&error).of(file))?;
        host.verify(&v2)
            .map(|()| OpOutcome::Plain)
            .map_err(|error| self.host_fault("verify", error))
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
        let v1 = Reader::open(&self.place.path(&self.place.canonical))
            .map_err(|error| sqlite::fault(&error))?
            .patient(Patience { budget: run.budget(), stop: host.stop() });
        let mut job =
            HostJob::new(self.place, run, v1, self.place.path(source), self.place.path(staging));
        let built = host.build(&mut job);
        let met = job.close();
        match built {
            Ok(built) => Ok(OpOutcome::Built { expect: built.expect, report: built.report }),
            Err(error) => {
                let met = met.filter(|_| !host.cancelled());
                let fault = self.host_fault("build", error);
                Err(met.unwrap_or(fault))
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
