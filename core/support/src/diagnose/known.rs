//! What one piece of the input knows of a directory, so that an earlier bundle can be compared with
//! what is there now.

use crate::Wal;
use crate::bundle::{Content, Given};
use cutover_core::Observation;

/// What one piece knows.
pub(super) struct Known {
    /// When it was made. Nothing where that is now.
    pub at_ms: Option<u64>,
    pub observation: Observation,
    pub wal: Option<Wal>,
    pub content: Option<Content>,
}

impl From<Given> for Known {
    fn from(bundle: Given) -> Self {
        let Given { made, observation, wal, content, .. } = bundle;
        Self { at_ms: Some(made.at_ms), observation, wal, content }
    }
}
