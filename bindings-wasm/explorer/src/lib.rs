//! The crash explorer, a module of its own: it is as large as all the rest, and most who open a
//! bundle never ask for it.

use cutover_explore::api;
use wasm_bindgen::prelude::wasm_bindgen;

/// An exploration that is under way.
#[wasm_bindgen]
pub struct Exploration(cutover_explore::Exploration);

#[wasm_bindgen]
impl Exploration {
    /// Begins. Throws the answer that refuses the question.
    ///
    /// # Errors
    /// See [`api::explore`].
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
