//! The crash explorer, in a WebAssembly module of its own: most people who open a bundle never
//! run it. JSON text goes in and comes out; [`cutover_explore::api`] documents each function.

use cutover_explore::api;
use wasm_bindgen::prelude::wasm_bindgen;

/// See [`api::plan_lanes`].
#[wasm_bindgen(js_name = planLanes)]
#[must_use]
pub fn plan_lanes(dropped: &str, staging_held: bool) -> String {
    api::plan_lanes(dropped, staging_held)
}

/// An exploration in progress.
#[wasm_bindgen]
pub struct Exploration(cutover_explore::Exploration);

#[wasm_bindgen]
impl Exploration {
    /// Begins.
    ///
    /// # Errors
    /// Throws the text of the answer that refuses the question, as [`api::explore`] returns it.
    #[wasm_bindgen(constructor)]
    pub fn new(question: &str) -> Result<Exploration, String> {
        api::explore(question).map(Self)
    }

    /// See [`api::explore_on`].
    #[must_use]
    pub fn on(&mut self, states: u32) -> String {
        api::explore_on(&mut self.0, states)
    }

    /// See [`api::explored`].
    #[must_use]
    pub fn matrix(&self) -> String {
        api::explored(&self.0)
    }
}

/// See [`api::replay_crash`].
#[wasm_bindgen(js_name = replayCrash)]
#[must_use]
pub fn replay_crash(line: &str) -> String {
    api::replay_crash(line)
}
