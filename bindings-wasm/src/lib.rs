//! The pure functions of cutover for browsers, workers and Node. JSON text crosses, both ways; what
//! each means is said in [`cutover_core::face`].

use cutover_core::{face, sqlite};
use wasm_bindgen::prelude::wasm_bindgen;

/// See [`face::plan`].
#[wasm_bindgen]
#[must_use]
pub fn plan(observation: &str, request: &str) -> String {
    face::plan(observation, request)
}

/// See [`face::plan_recovery`].
#[wasm_bindgen(js_name = planRecovery)]
#[must_use]
pub fn plan_recovery(observation: &str, label: &str, nonce: &str) -> String {
    face::plan_recovery(observation, label, nonce)
}

/// See [`face::validate_plan`].
#[wasm_bindgen(js_name = validatePlan)]
#[must_use]
#[allow(clippy::needless_pass_by_value)] // wasm-bindgen hands optional strings over
pub fn validate_plan(plan: &str, target: Option<String>) -> String {
    face::validate_plan(plan, target.as_deref())
}

/// See [`face::explain_error`].
#[wasm_bindgen(js_name = explainError)]
#[must_use]
pub fn explain_error(text: &str) -> String {
    face::explain_error(text)
}

/// See [`face::read_database_header`].
#[wasm_bindgen(js_name = readDatabaseHeader)]
#[must_use]
pub fn read_database_header(bytes: &[u8], size: Option<u64>) -> String {
    face::read_database_header(bytes, size)
}

/// See [`face::diagnose`].
#[wasm_bindgen]
#[must_use]
pub fn diagnose(dropped: &str) -> String {
    face::diagnose(dropped)
}

/// See [`face::plan_lanes`].
#[wasm_bindgen(js_name = planLanes)]
#[must_use]
pub fn plan_lanes(dropped: &str, staging_held: bool) -> String {
    face::plan_lanes(dropped, staging_held)
}

/// A write-ahead log that is read in pieces.
#[wasm_bindgen]
pub struct WalReader(sqlite::WalReader);

#[wasm_bindgen]
impl WalReader {
    /// Begins, with the head of the `-shm` beside the log, where there is one.
    #[wasm_bindgen(constructor)]
    #[must_use]
    #[allow(clippy::needless_pass_by_value)] // wasm-bindgen hands optional bytes over
    pub fn new(shm: Option<Vec<u8>>) -> Self {
        Self(sqlite::WalReader::new(shm.as_deref()))
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.0.feed(bytes);
    }

    /// See [`face::wal`].
    #[must_use]
    pub fn finish(self) -> String {
        face::wal(self.0)
    }
}
