//! The check of v1's pages, on a thread and a connection of its own.
//!
//! Where SQL builds v2 the check runs beside the build. A callback of the application may open v1
//! itself, and on POSIX closing our connection would drop the locks of that one; so there the check
//! ends before the callback begins.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use cutover_core::{FileName, Op, OpError, OpErrorKind, OpOutcome, Run};

use super::{Performed, Performer};
use crate::host::Host;
use crate::sqlite::{self, Findings, Stop, os_fault};
use crate::types::Integrity;

/// How often the check asks whether the application wants to stop.
const POLL: Duration = Duration::from_millis(20);

type Found = Result<Findings, OpError>;

/// A check that runs. Dropping it stops it, and waits until its connection is closed.
pub(super) struct PageCheck {
    found: Receiver<Found>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl PageCheck {
    /// Begins to check a settled v1.
    pub(super) fn begin(v1: &Path) -> std::io::Result<Self> {
        let (path, stop) = (v1.to_owned(), Stop::default());
        let (send, found) = channel();
        let until = stop.clone();
        let thread = std::thread::Builder::new().name("cutover-check".into()).spawn(move || {
            let open = || sqlite::open_beside(&path);
            // Nothing waits for what was stopped.
            let _ = send.send(sqlite::examine(&open, Integrity::Quick, &until));
        })?;
        Ok(Self { found, stop, thread: Some(thread) })
    }

    /// Waits for the end. The application may stop it.
    fn wait(&self, host: &mut dyn Host) -> Found {
        loop {
            match self.found.recv_timeout(POLL) {
                Ok(found) => return found,
                Err(RecvTimeoutError::Timeout) if host.cancelled() => {
                    return Err(OpError::new(
                        OpErrorKind::Aborted,
                        "the application asked to stop",
                    ));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(OpError::new(OpErrorKind::Sqlite, "the check of v1 ended early"));
                }
            }
        }
    }
}

impl Drop for PageCheck {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A panic in it was reported by `wait`.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Performer<'_> {
    /// Begins the check beside a build by SQL, if the plan has one. If the system gives no thread,
    /// the check begins after the build.
    pub(super) fn begin_check_pages(&mut self, v1: &Path, run: &Run) {
        let checks = |op: &Op| matches!(op, Op::CheckPages { .. });
        if run.plan().steps.iter().any(|step| checks(&step.op)) {
            self.pages = PageCheck::begin(v1).ok();
        }
    }

    pub(super) fn check_pages(&mut self, file: &FileName, host: &mut dyn Host) -> Performed {
        let found = self.examined_v1(file, host)?;
        if let Some(damage) = &found.damage {
            return Err(sqlite::damaged_v1(damage).of(file));
        }
        let told = found.of_v1();
        self.examined = Some(found);
        Ok(OpOutcome::Examined(told))
    }

    /// What the check finds that runs, or one that begins now.
    fn examined_v1(&mut self, file: &FileName, host: &mut dyn Host) -> Found {
        let check = match self.pages.take() {
            Some(check) => Ok(check),
            None => PageCheck::begin(&self.place.path(file)),
        };
        let check = check.map_err(|error| os_fault(&error).of(file))?;
        check.wait(host).map_err(|fault| fault.of(file))
    }

    /// The failure of a build by SQL that met damage: it is v1's, or else not v1's.
    pub(super) fn damage_in_build(
        &mut self,
        fault: &OpError,
        staging: &FileName,
        host: &mut dyn Host,
    ) -> OpError {
        let v1 = self.place.canonical.clone();
        match self.examined_v1(&v1, host) {
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
