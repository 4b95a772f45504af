//! What a support person asks, in a WebAssembly module of its own: an application that only plans
//! and validates does not load it. JSON text goes in and comes out; [`cutover_support::api`]
//! documents each function.

use cutover_support::api;
use wasm_bindgen::prelude::wasm_bindgen;

/// See [`api::read_database_header`].
#[wasm_bindgen(js_name = readDatabaseHeader)]
#[must_use]
pub fn read_database_header(bytes: &[u8], size: Option<u64>) -> String {
    api::read_database_header(bytes, size)
}

/// Reads a write-ahead log, piece by piece.
#[wasm_bindgen]
pub struct WalReader(cutover_support::WalReader);

#[wasm_bindgen]
impl WalReader {
    /// Begins. `shm` is the start of the `-shm` file beside the log, if there is one.
    #[wasm_bindgen(constructor)]
    #[must_use]
    #[allow(clippy::needless_pass_by_value)] // wasm-bindgen passes optional bytes by value
    pub fn new(shm: Option<Vec<u8>>) -> Self {
        Self(cutover_support::WalReader::new(shm.as_deref()))
    }

    /// Reads the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.0.feed(bytes);
    }

    /// See [`api::wal`].
    #[must_use]
    pub fn finish(self) -> String {
        api::wal(self.0)
    }
}

/// See [`api::diagnose`].
#[wasm_bindgen]
#[must_use]
pub fn diagnose(dropped: &str) -> String {
    api::diagnose(dropped)
}
