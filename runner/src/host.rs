//! The application's part in an upgrade.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use cutover_core::{Event, Verdict};
use serde_json::Value as Json;

use crate::error::HostError;
use crate::reader::Reader;

/// What a build returns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Built {
    /// How many rows each table of v2 must have. Kept in the journal; a recovery checks it again.
    pub expect: BTreeMap<String, u64>,
    /// Returned in the result and kept in the backup's receipt. As JSON, report and state together
    /// may have about 2 MiB.
    pub report: Option<Json>,
}

/// The application's callbacks. Every method has a default: an application that migrates by SQL
/// implements none.
///
/// cutover calls all of them on the thread that called [`crate::migrate`].
pub trait Host {
    /// Tells v1 from v2. Called only for [`crate::Detect::Host`]. The answer must depend on the
    /// database alone.
    ///
    /// # Errors
    /// The application's own. The call fails as `HOST`, and the database stays as it is. The
    /// default returns an error.
    fn detect(&mut self, db: &Reader) -> Result<Verdict, HostError> {
        let _ = db;
        Err("the options leave `detect` to the host, but the host does not implement it".into())
    }

    /// Builds v2 in the file [`Job::staging`]. Called only for [`crate::BuildBy::Host`].
    ///
    /// # Errors
    /// The application's own. cutover then undoes everything. The default returns an error.
    fn build(&mut self, job: &mut dyn Job<'_>) -> Result<Built, HostError> {
        let _ = job;
        Err("the options leave the build to the host, but the host does not implement it".into())
    }

    /// Checks v2 before it is installed. Called only if [`crate::Options::verify`] is set. The
    /// default accepts v2.
    ///
    /// It may open [`Reader::path`] with the application's own SQLite, for what stock SQLite cannot
    /// read: an own collation, tokenizer or function, a module, a schema of libSQL's. It must close
    /// v2 before it returns, and write nothing to it.
    ///
    /// # Errors
    /// What is wrong with v2. cutover then undoes everything.
    fn verify(&mut self, v2: &Reader) -> Result<(), HostError> {
        let _ = v2;
        Ok(())
    }

    /// Takes back what the build did outside the database. It must be idempotent: cutover may call
    /// it twice, for a build that never ran, and for an upgrade with another label that saved no
    /// state. `state` is what the build saved last, `nonce` is [`Job::nonce`]. The default does
    /// nothing.
    ///
    /// # Errors
    /// The application's own. The next start calls `undo` again. If that fails too, it is a
    /// warning: the new upgrade takes over the nonce, and the state until its build saves another.
    fn undo(&mut self, state: Option<&Json>, nonce: &str) -> Result<(), HostError> {
        let _ = (state, nonce);
        Ok(())
    }

    /// Removes what the application kept for an undo. It must be idempotent. A failure is a
    /// warning, and the next start calls it again. The default does nothing.
    ///
    /// # Errors
    /// The application's own.
    fn cleanup(&mut self, state: Option<&Json>, nonce: &str) -> Result<(), HostError> {
        let _ = (state, nonce);
        Ok(())
    }

    /// Closes handles that the application does not need. Called before every wait. The default
    /// does nothing.
    fn release_handles(&mut self) {}

    /// Receives each event, in order. The default ignores it.
    fn event(&mut self, event: &Event) {
        let _ = event;
    }

    /// Whether the application wants to stop. cutover honours it until v2 is built. The default is
    /// no.
    fn cancelled(&mut self) -> bool {
        false
    }

    /// A flag that becomes true once the application wants to stop. A query that waits inside a
    /// callback looks at it, where [`Host::cancelled`] cannot be asked. The default is none: such
    /// a query waits as long as the budget lasts.
    fn stop(&self) -> Option<Arc<AtomicBool>> {
        None
    }

    /// Waits `delay_ms` milliseconds. The default sleeps. A host with an event loop may wait there,
    /// and return early once it was cancelled.
    fn wait(&mut self, delay_ms: u64) {
        std::thread::sleep(std::time::Duration::from_millis(delay_ms));
    }
}

/// An application without callbacks: it upgrades by SQL, or only asks.
impl Host for () {}

/// A build that is under way, for [`Host::build`]. `'v1` is how long v1 can be read.
pub trait Job<'v1> {
    /// A copy of v1 that the build may open and change. The first call makes it, in v1's size; a
    /// build that only reads v1 need not ask for it. If v2 starts as a copy of v1, this is the
    /// staging file.
    ///
    /// The first call waits within [`crate::Options::wait_ms`] for a program that writes to v1.
    ///
    /// # Errors
    /// When v1 cannot be copied: the disk is full, another program keeps v1 locked, or has written
    /// to v1 since the upgrade began. If the build returns an error then, the call fails with the
    /// code of that cause, or begins anew.
    fn source(&mut self) -> Result<PathBuf, HostError>;
    /// The file in which the build makes v2: empty with v1's mode, or a copy of v1.
    fn staging(&self) -> &Path;
    /// v1 itself, read-only, through the SQLite of this crate.
    fn v1(&self) -> &'v1 Reader;
    /// The nonce of this attempt, which is part of the names of its files.
    fn nonce(&self) -> &str;
    /// The number of this attempt, beginning with 1.
    fn attempt(&self) -> u32;
    /// Keeps a state for an undo or a clean-up. It replaces the last one, and is durable when this
    /// returns. As JSON, state and report together may have about 2 MiB. The state and the report
    /// are as private as v1: the journal and the receipt, which hold them, have v1's mode, group and
    /// ACL.
    ///
    /// # Errors
    /// When the state is too large or cannot be written.
    fn save_state(&mut self, state: Json) -> Result<(), HostError>;
    /// Reads a companion: what this build staged, else the file itself. `None` if neither exists.
    ///
    /// # Errors
    /// When the options do not declare it, or it cannot be read.
    fn read_companion(&mut self, name: &str) -> Result<Option<Vec<u8>>, HostError>;
    /// Stages new content of a companion. cutover installs it after the database. It gets the rights
    /// of the companion; a companion that does not exist yet is private to v1's owner. A directory that
    /// does not exist is made, with those above it, for the owner of the database alone (on Unix
    /// mode 0700). It stays, also after an undo.
    ///
    /// # Errors
    /// When the options do not declare it, or it cannot be written.
    fn write_companion(&mut self, name: &str, data: &[u8]) -> Result<(), HostError>;
    /// Adds a warning to the result.
    fn warn(&mut self, message: String);
}
