//! Where the application takes part.

use std::collections::BTreeMap;
use std::path::Path;

use cutover_core::observe::Verdict;
use cutover_core::run::Event;
use serde_json::Value as Json;

use crate::error::HostError;
use crate::reader::Reader;

/// What a build returns.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Built {
    /// Rows that must be in each table of v2. Kept in the journal and checked again by a recovery.
    pub expect: BTreeMap<String, u64>,
    /// For the result and the backup's receipt. With the state about 2 MiB as JSON at most.
    pub report: Option<Json>,
}

/// The application's side of a migration. Every method has a default: an application that migrates
/// by SQL needs none.
///
/// All are called on the thread that called [`crate::migrate`].
pub trait Host {
    /// Tells v1 from v2. Called only for [`crate::Detect::Host`]; must not depend on anything but
    /// the database.
    ///
    /// # Errors
    /// The application's own.
    fn detect(&mut self, db: &Reader) -> Result<Verdict, HostError> {
        let _ = db;
        Err("detect is left to the host, and the host does not implement it".into())
    }

    /// Builds v2 in the file [`Job::staging`]. Called only for [`crate::Run::Host`].
    ///
    /// # Errors
    /// The application's own; everything is undone then.
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let _ = job;
        Err("the build is left to the host, and the host does not implement it".into())
    }

    /// Looks at v2 before it is installed. Called only where [`crate::Options::verify`] is set.
    ///
    /// # Errors
    /// What is wrong with v2; everything is undone then.
    fn verify(&mut self, v2: &Reader) -> Result<(), HostError> {
        let _ = v2;
        Ok(())
    }

    /// Takes back what the build did outside the database. Idempotent: it may run twice, and for a
    /// build that never ran.
    ///
    /// # Errors
    /// The application's own; it is called again at the next start. Where it fails again that is a
    /// warning: the upgrade begins anew with its state, until a build saves another, and its
    /// nonce.
    fn undo(&mut self, state: Option<&Json>, nonce: &str) -> Result<(), HostError> {
        let _ = (state, nonce);
        Ok(())
    }

    /// Removes what the application kept for an undo. Idempotent. A failure is a warning and is
    /// tried again at the next start.
    ///
    /// # Errors
    /// The application's own.
    fn cleanup(&mut self, state: Option<&Json>, nonce: &str) -> Result<(), HostError> {
        let _ = (state, nonce);
        Ok(())
    }

    /// Lets go of handles that are no longer needed. Called before every wait.
    fn release_handles(&mut self) {}

    /// Something happened.
    fn event(&mut self, event: &Event) {
        let _ = event;
    }

    /// Whether the application wants to stop. Honoured until v2 is built.
    fn cancelled(&mut self) -> bool {
        false
    }

    /// Waits. The default sleeps; a host with an event loop may wait there, and come back early
    /// when it was cancelled.
    fn wait(&mut self, delay_ms: u64) {
        std::thread::sleep(std::time::Duration::from_millis(delay_ms));
    }
}

/// One build, as the application sees it.
pub trait Job {
    /// The copy of v1 that the build may open and change. The same as staging where v2 starts as a
    /// copy of v1.
    fn source(&self) -> &Path;
    /// Where v2 is to be built: an empty file with v1's mode, or a copy of v1.
    fn staging(&self) -> &Path;
    /// v1 itself, read-only, through our own SQLite.
    fn v1(&self) -> &Reader;
    /// Tells this attempt's files from another's.
    fn nonce(&self) -> &str;
    /// 1 for the first try.
    fn attempt(&self) -> u32;
    /// Keeps a state for an undo or a clean-up. Durable when this returns; replaces the last one.
    /// With the report it may have about 2 MiB as JSON.
    ///
    /// # Errors
    /// When it cannot be written.
    fn save_state(&mut self, state: Json) -> Result<(), HostError>;
    /// Reads a companion: what this build staged, or the file as it is. Nothing where it does not
    /// exist.
    ///
    /// # Errors
    /// When it was not declared or cannot be read.
    fn read_companion(&mut self, name: &str) -> Result<Option<Vec<u8>>, HostError>;
    /// Stages new content of a companion. It is installed after the database.
    ///
    /// # Errors
    /// When it was not declared or cannot be written.
    fn write_companion(&mut self, name: &str, data: &[u8]) -> Result<(), HostError>;
    /// Says something for the result's warnings.
    fn warn(&mut self, message: String);
}
