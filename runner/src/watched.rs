//! Work that takes long: meanwhile the application hears how far it is, and may stop it. The work
//! itself looks, again and again, so that the application is called on its own thread.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use cutover_core::{Event, OpError, OpErrorKind, OpName};

use crate::host::Host;
use crate::sqlite::{Gauge, Watch, bytes, stopped};

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
    /// What the gauge counts.
    Counted,
}

impl Progress<'_> {
    fn event(&self, gauge: &Gauge) -> Event {
        let done = match self.done {
            Done::SizeOf(path) => bytes(path).unwrap_or_default(),
            Done::Counted => gauge.bytes(),
        };
        let done_bytes = self.total.map_or(done, |total| done.min(total));
        Event::Progress { op: self.op, done_bytes, total_bytes: self.total }
    }
}

/// What a look at the watch does: it asks the application whether it wants to stop, or tells it how
/// far the work is, each no more often than is useful.
struct Looks<'a> {
    progress: &'a Progress<'a>,
    host: &'a mut dyn Host,
    asked: Instant,
    told: Instant,
}

impl<'a> Looks<'a> {
    fn begin(progress: &'a Progress<'a>, host: &'a mut dyn Host) -> Self {
        let now = Instant::now();
        Self { progress, host, asked: now, told: now }
    }

    fn look(&mut self, gauge: &Gauge) {
        if self.asked.elapsed() < POLL {
            return;
        }
        self.asked = Instant::now();
        if self.progress.may_stop && self.host.cancelled() {
            gauge.stop();
        } else if self.told.elapsed() >= TELL {
            self.told = self.asked;
            self.host.event(&self.progress.event(gauge));
        }
    }
}

/// Does work that looks at the given watch.
pub(crate) fn watched<T>(
    progress: &Progress<'_>,
    host: &mut dyn Host,
    work: impl FnOnce(&Watch<'_>) -> Result<T, OpError>,
) -> Result<T, OpError> {
    let (gauge, mut looks) = (Gauge::default(), Looks::begin(progress, host));
    let mut tick = |gauge: &Gauge| looks.look(gauge);
    let watch = Watch::new(gauge.clone(), &mut tick);
    let result = work(&watch);
    watch.resume();
    match result {
        Err(_) if gauge.is_stopped() => Err(stopped()),
        result => result,
    }
}

/// Waits for what a thread sends whose work this gauge tells of.
pub(crate) fn wait_for<T>(
    receive: &Receiver<Result<T, OpError>>,
    gauge: &Gauge,
    progress: &Progress<'_>,
    host: &mut dyn Host,
) -> Result<T, OpError> {
    let mut looks = Looks::begin(progress, host);
    loop {
        match receive.recv_timeout(POLL) {
            Ok(Err(_)) if gauge.is_stopped() => return Err(stopped()),
            Ok(result) => return result,
            Err(RecvTimeoutError::Timeout) => looks.look(gauge),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(OpError::new(OpErrorKind::Sqlite, "the work ended early"));
            }
        }
    }
}
