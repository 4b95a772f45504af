//! The pure functions: JSON text in and out, as [`cutover::core::face`] gives it. The browser's
//! module has the same.

use cutover::core::explore::cells;
use cutover::core::{face, sqlite};
use napi::{Error, Result, Status};
use napi_derive::napi;

/// See [`face::plan`].
#[napi(catch_unwind)]
#[must_use]
#[allow(clippy::needless_pass_by_value)] // napi hands strings over
pub fn plan(observation: String, request: String) -> String {
    face::plan(&observation, &request)
}

/// See [`face::plan_recovery`].
#[napi(catch_unwind)]
#[must_use]
#[allow(clippy::needless_pass_by_value)] // napi hands strings over
pub fn plan_recovery(observation: String, label: String, nonce: String) -> String {
    face::plan_recovery(&observation, &label, &nonce)
}

/// See [`face::validate_plan`].
#[napi(catch_unwind)]
#[must_use]
#[allow(clippy::needless_pass_by_value)] // napi hands strings over
pub fn validate_plan(plan: String, target: Option<String>) -> String {
    face::validate_plan(&plan, target.as_deref())
}

/// See [`face::explain_error`].
#[napi(catch_unwind)]
#[must_use]
#[allow(clippy::needless_pass_by_value)] // napi hands strings over
pub fn explain_error(text: String) -> String {
    face::explain_error(&text)
}

/// See [`face::read_database_header`].
#[napi(catch_unwind)]
#[must_use]
pub fn read_database_header(bytes: &[u8], size: Option<i64>) -> String {
    face::read_database_header(bytes, size.and_then(|size| u64::try_from(size).ok()))
}

/// See [`face::diagnose`].
#[napi(catch_unwind)]
#[must_use]
#[allow(clippy::needless_pass_by_value)] // napi hands strings over
pub fn diagnose(dropped: String) -> String {
    face::diagnose(&dropped)
}

/// See [`face::plan_lanes`].
#[napi(catch_unwind)]
#[must_use]
#[allow(clippy::needless_pass_by_value)] // napi hands strings over
pub fn plan_lanes(dropped: String, staging_held: bool) -> String {
    face::plan_lanes(&dropped, staging_held)
}

/// A write-ahead log that is read in pieces.
#[napi]
pub struct WalReader(sqlite::WalReader);

#[napi]
impl WalReader {
    /// Begins, with the head of the `-shm` beside the log, where there is one.
    #[napi(constructor, catch_unwind)]
    #[must_use]
    pub fn new(shm: Option<&[u8]>) -> Self {
        Self(sqlite::WalReader::new(shm))
    }

    /// Takes the next bytes.
    #[napi(catch_unwind)]
    pub fn feed(&mut self, bytes: &[u8]) {
        self.0.feed(bytes);
    }

    /// See [`face::wal`].
    #[napi(catch_unwind)]
    #[must_use]
    pub fn finish(&self) -> String {
        face::wal(self.0.clone())
    }
}

/// A crash matrix that is being explored.
#[napi]
pub struct Exploration(cells::Exploration);

#[napi]
impl Exploration {
    /// Begins. Throws the answer that refuses the question.
    ///
    /// # Errors
    /// See [`face::explore`].
    #[napi(constructor, catch_unwind)]
    #[allow(clippy::needless_pass_by_value)] // napi hands strings over
    pub fn new(question: String) -> Result<Self> {
        face::explore(&question).map(Self).map_err(|answer| Error::new(Status::InvalidArg, answer))
    }

    /// See [`face::explore_on`].
    #[napi(catch_unwind)]
    pub fn on(&mut self, states: u32) -> String {
        face::explore_on(&mut self.0, states)
    }

    /// See [`face::explored`].
    #[napi(catch_unwind)]
    #[must_use]
    pub fn matrix(&self) -> String {
        face::explored(&self.0)
    }
}

/// See [`face::replay_crash`].
#[napi(catch_unwind)]
#[must_use]
#[allow(clippy::needless_pass_by_value)] // napi hands strings over
pub fn replay_crash(line: String) -> String {
    face::replay_crash(&line)
}
