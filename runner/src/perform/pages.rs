//! The check of v1's pages, on a thread and a connection of its own.
//!
//! Where SQL builds v2 the check runs beside the build. A callback of the application may open v1
//! itself, and on POSIX closing our connection would drop the locks of that one; so there the check
//! ends before the callback begins.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;

use cutover_core::{FileName, Op, OpError, OpErrorKind, OpName, OpOutcome, Run};

use super::{Performed, Performer};
use crate::host::Host;
use crate::sqlite::{self, Findings, Gauge, Watch, os_fault};
use crate::types::Integrity;
use crate::watched::wait_for;

type Found = Result<Findings, OpError>;

/// A check that runs. Dropping it stops it, and waits until its connection is closed.
pub(super) struct PageCheck {
    found: Receiver<Found>,
    gauge: Gauge,
    thread: Option<JoinHandle<()>>,
}

impl PageCheck {
    /// Begins to check a settled v1.
    pub(super) fn begin(v1: &Path) -> std::io::Result<Self> {
        let (path, gauge) = (v1.to_owned(), Gauge::default());
        let (send, found) = channel();
        let until = gauge.clone();
        let thread = std::thread::Builder::new().name("cutover-check".into()).spawn(move || {
            let open = || sqlite::open_beside(&path);
            // Nothing waits for what was stopped.
            let _ = send.send(sqlite::examine(&open, Integrity::Quick, &Watch::quiet(until)));
        })?;
        Ok(Self { found, gauge, thread: Some(thread) })
    }
}

impl Drop for PageCheck {
    fn drop(&mut self) {
        self.gauge.stop();
        // A panic in it was reported by `wait`.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Whether the plan checks v1's pages. Beside a build by SQL the check begins with the build.
pub(super) fn checks_pages(run: &Run) -> bool {
    run.plan().steps.iter().any(|step| matches!(step.op, Op::CheckPages { .. }))
}

impl Performer<'_> {
    pub(super) fn check_pages(
        &mut self,
        file: &FileName,
        run: &Run,
        host: &mut dyn Host,
    ) -> Performed {
        let found = self.examined_v1(file, run, host)?;
        if let Some(damage) = &found.damage {
            return Err(sqlite::damaged_v1(damage).of(file));
        }
        let told = found.of_v1();
        self.examined = Some(found);
        Ok(OpOutcome::Examined(told))
    }

    /// What the check finds that runs, or one that begins now.
    fn examined_v1(&mut self, file: &FileName, run: &Run, host: &mut dyn Host) -> Found {
        let check = match self.pages.take() {
            Some(check) => Ok(check),
            None => PageCheck::begin(&self.place.path(file)),
        };
        let check = check.map_err(|error| os_fault(&error).of(file))?;
        let progress = self.of_pages(OpName::CheckPages, file, run);
        wait_for(&check.found, &check.gauge, &progress, host).map_err(|fault| fault.of(file))
    }

    /// The failure of a callback that says that it met damage: v1's, if v1 has any.
    pub(super) fn damage_met(&mut self, fault: OpError, run: &Run, host: &mut dyn Host) -> OpError {
        let v1 = self.place.canonical.clone();
        match self.examined_v1(&v1, run, host) {
            Ok(Findings { damage: Some(damage), .. }) => sqlite::damaged_v1(&damage).of(&v1),
            _ => fault,
        }
    }

    /// The failure of a build by SQL that met damage: it is v1's, or else not v1's.
    pub(super) fn damage_in_build(
        &mut self,
        fault: &OpError,
        staging: &FileName,
        run: &Run,
        host: &mut dyn Host,
    ) -> OpError {
        let v1 = self.place.canonical.clone();
        match self.examined_v1(&v1, run, host) {
            Ok(Findings { damage: Some(damage), .. }) => {
                let OpError { cause, message, .. } = sqlite::damaged_v1(&damage);
                OpError::new(cause, format!("{message} ({})", fault.message)).of(&v1)
            }
            Ok(_) => {
                let text = format!("{}; the old database itself is sound", fault.message);
                OpError::new(OpErrorKind::Host, text).of(staging)
            }
            Err(other) => other,
        }
    }
}
