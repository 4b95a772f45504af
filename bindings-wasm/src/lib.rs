//! The planner of cutover for browsers, workers and Node. JSON text goes in and comes out;
//! [`cutover_core::api`] documents each function.

use cutover_core::api;
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
#[allow(clippy::needless_pass_by_value)] // wasm-bindgen passes optional strings by value
pub fn validate_plan(plan: &str, target: Option<String>) -> String {
    api::validate_plan(plan, target.as_deref())
}

/// See [`api::explain_error`].
#[wasm_bindgen(js_name = explainError)]
#[must_use]
pub fn explain_error(text: &str) -> String {
    api::explain_error(text)
}
