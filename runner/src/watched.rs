//! Work that takes long runs on a thread of its own. Meanwhile the application hears how far it is,
//! and may stop it.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use cutover_core::{Event, OpError, OpErrorKind, OpName};

use crate::host::Host;
use crate::sqlite::{Watch, bytes, os_fault, stopped as stopped_work};

/// How often the application is asked whether it wants to stop.
const POLL: Duration = Duration::from_millis(20);
/// How often it hears of the work.
const TELL: Duration = Duration::from_millis(200);

/// What is told of work.
pub(crate) struct Progress<'a> {
    pub op: OpName,
    pub done: Done<'a>,
    /// In bytes, where it can be known.
    pub total: Option<u64>,
    /// Whether the application may stop the work.
    pub may_stop: bool,
}

/// What tells how much is done.
pub(crate) enum Done<'a> {
    /// The size of this file, which grows.
    SizeOf(&'a Path),
    /// What the watch counts.
    Counted,
}

impl Progress<'_> {
    fn event(&self, watch: &Watch) -> Event {
        let done = match self.done {
            Done::SizeOf(path) => bytes(path).unwrap_or_default(),
            Done::Counted => watch.bytes(),
        };
        let done_bytes = self.total.map_or(done, |total| done.min(total));
        Event::Progress { op: self.op, done_bytes, total_bytes: self.total }
    }
}

/// Stops the work where this thread panics, so that it need not be waited for.
struct StopsOnDrop<'a>(&'a Watch);

impl Drop for StopsOnDrop<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Does work that looks at the given watch, on a thread of its own, and waits for its end.
pub(crate) fn watched<T: Send>(
    progress: &Progress,
    host: &mut dyn Host,
    work: impl FnOnce(&Watch) -> Result<T, OpError> + Send,
) -> Result<T, OpError> {
    let watch = &Watch::default();
    std::thread::scope(|scope| {
        let (send, receive) = channel();
        let worker = std::thread::Builder::new().name("cutover-work".into());
        let worker = worker.spawn_scoped(scope, move || {
            // It is waited for until it was sent.
            let _ = send.send(work(watch));
        });
        let worker = worker.map_err(|error| os_fault(&error))?;
        let _stops = StopsOnDrop(watch);
        match (wait_for(&receive, watch, progress, host), worker.join()) {
            (_, Err(panic)) => std::panic::resume_unwind(panic),
            (result, Ok(())) => result,
        }
    })
}

/// Waits for what a thread sends that looks at this watch.
pub(crate) fn wait_for<T>(
    receive: &Receiver<Result<T, OpError>>,
    watch: &Watch,
    progress: &Progress,
    host: &mut dyn Host,
) -> Result<T, OpError> {
    let (mut stopped, mut told) = (false, Instant::now());
    loop {
        match receive.recv_timeout(POLL) {
            Ok(Err(_)) if stopped => return Err(stopped_work()),
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(OpError::new(OpErrorKind::Sqlite, "the work ended early"));
            }
        }
        stopped = stopped || progress.may_stop && host.cancelled();
        if stopped {
            watch.stop();
        } else if told.elapsed() >= TELL {
            told = Instant::now();
            host.event(&progress.event(watch));
        }
    }
}
