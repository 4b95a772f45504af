//! What long work looks at: whether it must stop. And what it tells: how far it is.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use cutover_core::{OpError, OpErrorKind};
use rusqlite::Connection;
use rusqlite::backup::{Backup, Progress};

use super::ffi::{OnProgress, on_progress};

/// After how many instructions of SQLite's virtual machine a connection looks at its watch.
const INSTRUCTIONS: i32 = 1000;
/// After how many it looks in a check, which counts pages of b-trees instead: a page of some rows,
/// and with it all pages that long rows go on in (`checkProgress` in `btree.c`).
const IN_A_CHECK: i32 = 50;

/// The failure of work that was stopped.
pub(crate) fn stopped() -> OpError {
    OpError::new(OpErrorKind::Aborted, "the application asked to stop")
}

/// How far work is, and whether it must stop. Any thread may look.
#[derive(Debug, Clone, Default)]
pub(crate) struct Gauge {
    stop: Arc<AtomicBool>,
    pages: Arc<AtomicU64>,
    page_size: Arc<AtomicU64>,
}

impl Gauge {
    /// One that this flag stops.
    pub(crate) fn of(stop: Option<Arc<AtomicBool>>) -> Self {
        Self { stop: stop.unwrap_or_default(), ..Self::default() }
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// How many bytes were read or copied, of the database of [`Watch::set_page_size`].
    pub(crate) fn bytes(&self) -> u64 {
        let [pages, size] = [&self.pages, &self.page_size].map(|of| of.load(Ordering::Relaxed));
        pages.saturating_mul(size)
    }
}

/// What is called at every look.
type Tick<'a> = &'a mut dyn FnMut(&Gauge);

/// What work looks at again and again, on its own thread. Work of SQLite that was stopped fails as
/// interrupted.
pub(crate) struct Watch<'a> {
    gauge: Gauge,
    tick: Option<RefCell<Tick<'a>>>,
    panic: RefCell<Option<Box<dyn Any + Send>>>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(gauge: Gauge, tick: Tick<'a>) -> Self {
        Self { gauge, tick: Some(RefCell::new(tick)), panic: RefCell::default() }
    }

    /// One that only the gauge stops.
    pub(crate) fn quiet(gauge: Gauge) -> Self {
        Self { gauge, tick: None, panic: RefCell::default() }
    }

    /// Whether the work must stop.
    pub(crate) fn must_stop(&self) -> bool {
        // A look inside a look has nothing to add.
        if let Some(Ok(mut tick)) = self.tick.as_ref().map(RefCell::try_borrow_mut) {
            tick(&self.gauge);
        }
        self.gauge.is_stopped()
    }

    /// Whether the work was stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.gauge.is_stopped()
    }

    /// Notes the page size of what is read or copied.
    pub(crate) fn set_page_size(&self, of: &Connection) {
        let size = of.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0));
        // A file that is no database has no pages to count.
        let size = size.ok().and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
        self.gauge.page_size.store(size, Ordering::Relaxed);
    }

    /// Notes how far a copy is, and tells whether it must stop.
    pub(crate) fn copied(&self, backup: &Backup<'_, '_>) -> bool {
        let Progress { remaining, pagecount } = backup.progress();
        let pages = u64::try_from(pagecount - remaining).unwrap_or_default();
        self.gauge.pages.store(pages, Ordering::Relaxed);
        self.must_stop()
    }

    /// Watches what a connection does, until the answer is dropped.
    pub(crate) fn over<'b>(&'b self, connection: &'b Connection) -> OnProgress<'b> {
        self.every(INSTRUCTIONS, connection)
    }

    /// Watches a connection that checks a whole database.
    pub(crate) fn over_check<'b>(&'b self, connection: &'b Connection) -> OnProgress<'b> {
        self.every(IN_A_CHECK, connection)
    }

    fn every<'b>(&'b self, instructions: i32, connection: &'b Connection) -> OnProgress<'b> {
        let before = self.gauge.pages.load(Ordering::Relaxed);
        on_progress(
            connection,
            instructions,
            Box::new(move |read| {
                self.gauge.pages.store(before.saturating_add(read), Ordering::Relaxed);
                // No panic of the application may pass through SQLite.
                catch_unwind(AssertUnwindSafe(|| self.must_stop())).unwrap_or_else(|panic| {
                    *self.panic.borrow_mut() = Some(panic);
                    true
                })
            }),
        )
    }

    /// Goes on with a panic that had to wait for SQLite's end.
    pub(crate) fn resume(self) {
        if let Some(panic) = self.panic.into_inner() {
            resume_unwind(panic);
        }
    }
}
