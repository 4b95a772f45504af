//! The pure functions of cutover for browsers, workers and Node. JSON text crosses, both ways; what
//! each means is said in [`cutover_core::api`].

use cutover_core::api;
use cutover_explore::api as explorer;
use cutover_support::api as support;
use wasm_bindgen::prelude::wasm_bindgen;

/// See [`api::plan`].
#[wasm_bindgen]
#[must_use]
pub fn plan(observation: &str, request: &str) -> String {
    api::plan(observation, request)
}

/// See [`api::plan_recovery`].
#[wasm_bindgen(js_name = planRecovery)]
#[must_use]
pub fn plan_recovery(observation: &str, label: &str, nonce: &str) -> String {
    api::plan_recovery(observation, label, nonce)
}

/// See [`api::validate_plan`].
#[wasm_bindgen(js_name = validatePlan)]
#[must_use]
#[allow(clippy::needless_pass_by_value)] // wasm-bindgen hands optional strings over
pub fn validate_plan(plan: &str, target: Option<String>) -> String {
    api::validate_plan(plan, target.as_deref())
}

/// See [`api::explain_error`].
#[wasm_bindgen(js_name = explainError)]
#[must_use]
pub fn explain_error(text: &str) -> String {
    api::explain_error(text)
}

/// See [`support::read_database_header`].
#[wasm_bindgen(js_name = readDatabaseHeader)]
#[must_use]
pub fn read_database_header(bytes: &[u8], size: Option<u64>) -> String {
    support::read_database_header(bytes, size)
}

/// See [`support::diagnose`].
#[wasm_bindgen]
#[must_use]
pub fn diagnose(dropped: &str) -> String {
    support::diagnose(dropped)
}

/// See [`explorer::plan_lanes`].
#[wasm_bindgen(js_name = planLanes)]
#[must_use]
pub fn plan_lanes(dropped: &str, staging_held: bool) -> String {
    explorer::plan_lanes(dropped, staging_held)
}

/// A write-ahead log that is read in pieces.
#[wasm_bindgen]
pub struct WalReader(cutover_support::WalReader);

#[wasm_bindgen]
impl WalReader {
    /// Begins, with the head of the `-shm` beside the log, where there is one.
    #[wasm_bindgen(constructor)]
    #[must_use]
    #[allow(clippy::needless_pass_by_value)] // wasm-bindgen hands optional bytes over
    pub fn new(shm: Option<Vec<u8>>) -> Self {
        Self(cutover_support::WalReader::new(shm.as_deref()))
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.0.feed(bytes);
    }

    /// See [`support::wal`].
    #[must_use]
    pub fn finish(self) -> String {
        support::wal(self.0)
    }
}
