//! The error of this crate.

use cutover_core::Failure;

/// The application's own error. It becomes the source of the [`crate::Error`].
pub type HostError = Box<dyn std::error::Error + Send + Sync>;

/// Why a call failed. `Display` prints the failure's message. So does `Debug`, which Rust uses for
/// an error that `main` returns.
#[derive(thiserror::Error)]
#[error("{failure}")]
pub struct Error {
    /// What failed, why, where the data is and what to do.
    pub failure: Box<Failure>,
    /// The application's own error, if one of its callbacks failed.
    #[source]
    pub cause: Option<HostError>,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self { failure: Box::new(failure), cause: None }
    }
}

impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")?;
        self.cause.as_ref().map_or(Ok(()), |cause| write!(f, "\ncaused by: {cause:?}"))
    }
}
