use std::path::PathBuf;

use cutover_core::observe::Holder;

/// Not told here yet: what stands in the way shows itself when it is met (a busy checkpoint, a sharing violation).
pub(crate) fn holders(_files: &[PathBuf]) -> Vec<Holder> {
    Vec::new()
}
