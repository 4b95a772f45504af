//! The error of this crate.

use cutover_core::failure::Failure;

/// An error of the application's own. It becomes the source of the [`crate::Error`].
pub type HostError = Box<dyn std::error::Error + Send + Sync>;

/// Why a call did not succeed. `Display` gives the failure's message, and so does `Debug`, which a
/// `main` that returns this error prints.
#[derive(thiserror::Error)]
#[error("{failure}")]
pub struct Error {
    /// What failed, why, where the data is, what to do.
    pub failure: Box<Failure>,
    /// The application's own error, where a callback of it failed.
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
