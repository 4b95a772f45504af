//! The pure functions. JSON text goes in and comes out; [`cutover_core::api`],
//! [`cutover_support::api`] and [`cutover_explore::api`] document each. The browser's modules have
//! them under the same names.

use cutover_core::api;
use cutover_explore::api as explorer;
use cutover_support::api as support;
use napi::{Error, Result, Status};
use napi_derive::napi;

/// See [`api::plan`].
#[napi(catch_unwind)]
#[must_use]
#[allow(clippy::needless_pass_by_value)] // napi passes strings by value
pub fn plan(observation: String, request: String) -> String {
    api::plan(&observation, &request)
}

/// See [`api::plan_recovery`].
#[napi(catch_unwind)]
#[must_use]
#[allow(clippy::needless_pass_by_value)] // napi passes strings by value
pub fn plan_recovery(observation: String, label: String, nonce: String) -> String {
    api::plan_recovery(&observation, &label, &nonce)
}

/// See [`api::validate_plan`].
#[napi(catch_unwind)]
#[must_use]
#[allow(clippy::needless_pass_by_value)] // napi passes strings by value
pub fn validate_plan(plan: String, target: Option<String>) -> String {
    api::validate_plan(&plan, target.as_deref())
}

/// See [`api::explain_error`].
#[napi(catch_unwind)]
#[must_use]
#[allow(clippy::needless_pass_by_value)] // napi passes strings by value
pub fn explain_error(text: String) -> String {
    api::explain_error(&text)
}

/// See [`support::read_database_header`].
#[napi(catch_unwind)]
#[must_use]
pub fn read_database_header(bytes: &[u8], size: Option<i64>) -> String {
    support::read_database_header(bytes, size.and_then(|size| u64::try_from(size).ok()))
}

/// See [`support::diagnose`].
#[napi(catch_unwind)]
#[must_use]
#[allow(clippy::needless_pass_by_value)] // napi passes strings by value
pub fn diagnose(dropped: String) -> String {
    support::diagnose(&dropped)
}

/// See [`explorer::plan_lanes`].
#[napi(catch_unwind)]
#[must_use]
#[allow(clippy::needless_pass_by_value)] // napi passes strings by value
pub fn plan_lanes(dropped: String, staging_held: bool) -> String {
    explorer::plan_lanes(&dropped, staging_held)
}

/// Reads a write-ahead log, piece by piece.
#[napi]
pub struct WalReader(cutover_support::WalReader);

#[napi]
impl WalReader {
    /// Begins. `shm` is the start of the `-shm` file beside the log, if there is one.
    #[napi(constructor, catch_unwind)]
    #[must_use]
    pub fn new(shm: Option<&[u8]>) -> Self {
        Self(cutover_support::WalReader::new(shm))
    }

    /// Reads the next bytes.
    #[napi(catch_unwind)]
    pub fn feed(&mut self, bytes: &[u8]) {
        self.0.feed(bytes);
    }

    /// See [`support::wal`].
    #[napi(catch_unwind)]
    #[must_use]
    pub fn finish(&self) -> String {
        support::wal(self.0.clone())
    }
}

/// An exploration in progress.
#[napi]
pub struct Exploration(cutover_explore::Exploration);

#[napi]
impl Exploration {
    /// Begins.
    ///
    /// # Errors
    /// The text of the answer that refuses the question, as [`explorer::explore`] returns it.
    #[napi(constructor, catch_unwind)]
    #[allow(clippy::needless_pass_by_value)] // napi passes strings by value
    pub fn new(question: String) -> Result<Self> {
        explorer::explore(&question)
            .map(Self)
            .map_err(|answer| Error::new(Status::InvalidArg, answer))
    }

    /// See [`explorer::explore_on`].
    #[napi(catch_unwind)]
    pub fn on(&mut self, states: u32) -> String {
        explorer::explore_on(&mut self.0, states)
    }

    /// See [`explorer::explored`].
    #[napi(catch_unwind)]
    #[must_use]
    pub fn matrix(&self) -> String {
        explorer::explored(&self.0)
    }
}

/// See [`explorer::replay_crash`].
#[napi(catch_unwind)]
#[must_use]
#[allow(clippy::needless_pass_by_value)] // napi passes strings by value
pub fn replay_crash(line: String) -> String {
    explorer::replay_crash(&line)
}
