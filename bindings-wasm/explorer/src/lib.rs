//! The crash explorer, a module of its own: it is as large as all the rest, and most who open a
//! bundle never ask for it.

use cutover_core::explore::cells;
use cutover_core::face;
use wasm_bindgen::prelude::wasm_bindgen;

/// An exploration that is under way.
#[wasm_bindgen]
pub struct Exploration(cells::Exploration);

#[wasm_bindgen]
impl Exploration {
    /// Begins. Throws the answer that refuses the question.
    ///
    /// # Errors
    /// See [`face::explore`].
    #[wasm_bindgen(constructor)]
    pub fn new(question: &str) -> Result<Exploration, String> {
        face::explore(question).map(Self)
    }

    /// See [`face::explore_on`].
    #[must_use]
    pub fn on(&mut self, states: u32) -> String {
        face::explore_on(&mut self.0, states)
    }

    /// See [`face::explored`].
    #[must_use]
    pub fn matrix(&self) -> String {
        face::explored(&self.0)
    }
}

/// See [`face::replay_crash`].
#[wasm_bindgen(js_name = replayCrash)]
#[must_use]
pub fn replay_crash(line: &str) -> String {
    face::replay_crash(line)
}
