//! The one error of this crate.

use cutover_core::failure::Failure;

use crate::host::HostError;

/// A failure, and the application's own error where that was the cause.
#[derive(Debug)]
pub struct Error {
    /// What failed, where the data is and what to do.
    pub failure: Box<Failure>,
    /// The application's own error.
    pub cause: Option<HostError>,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.failure.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self { failure: Box::new(failure), cause: None }
    }
}
