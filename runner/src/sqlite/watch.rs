//! What long work of SQLite is told, and tells, on its own thread.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cutover_core::{OpError, OpErrorKind};
use rusqlite::backup::{Backup, Progress};
use rusqlite::{Connection, InterruptHandle};

use super::error::{Result, on};
use super::ffi::pages_read;

/// The failure of work that was stopped.
pub(crate) fn stopped() -> OpError {
    OpError::new(OpErrorKind::Aborted, "the application asked to stop")
}

/// After how many instructions of SQLite's virtual machine a connection looks at its watch.
const INSTRUCTIONS: i32 = 10_000;

/// Stops work from any thread, and tells how far it is. Work that was stopped fails as interrupted.
#[derive(Clone, Default)]
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    pages: Arc<AtomicU64>,
    page_size: Arc<AtomicU64>,
    connections: Arc<Mutex<Vec<InterruptHandle>>>,
}

impl Watch {
    /// One that this flag stops.
    pub(crate) fn of(stop: Option<Arc<AtomicBool>>) -> Self {
        Self { stop: stop.unwrap_or_default(), ..Self::default() }
    }

    /// Stops the work. A checkpoint ends only where it is asked while it runs (`walCheckpoint` in
    /// `wal.c`), so this is called again until the work has ended.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        for connection in &*self.connections.lock().unwrap_or_else(PoisonError::into_inner) {
            connection.interrupt();
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// How many bytes were read or copied, of the database of [`Watch::set_page_size`].
    pub(crate) fn bytes(&self) -> u64 {
        let [pages, size] = [&self.pages, &self.page_size].map(|of| of.load(Ordering::Relaxed));
        pages.saturating_mul(size)
    }

    /// Notes the page size of what is read or copied.
    pub(crate) fn set_page_size(&self, of: &Connection) {
        let size = of.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0));
        // A file that is no database has no pages to count.
        let size = size.ok().and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
        self.page_size.store(size, Ordering::Relaxed);
    }

    /// Notes how far a copy is.
    pub(crate) fn copied(&self, backup: &Backup<'_, '_>) {
        let Progress { remaining, pagecount } = backup.progress();
        let pages = u64::try_from(pagecount - remaining).unwrap_or_default();
        self.pages.store(pages, Ordering::Relaxed);
    }

    /// Watches what a connection does from now on.
    pub(crate) fn over(&self, connection: &mut Connection) -> Result<()> {
        let handle = connection.get_interrupt_handle();
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).push(handle);
        let (read, watch, mut before) = (pages_read(connection), self.clone(), 0);
        let set = connection.progress_handler(
            INSTRUCTIONS,
            Some(move || {
                let now = read();
                watch.pages.fetch_add(now.saturating_sub(before), Ordering::Relaxed);
                before = now;
                watch.is_stopped()
            }),
        );
        on(connection, set)
    }
}
