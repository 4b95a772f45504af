//! Finishes or undoes what an earlier start began, and does nothing else.

use std::path::PathBuf;

use cutover_core::{Recovery, Warning};
use serde::Serialize;
use serde_json::Value as Json;

use crate::error::Error;
use crate::host::Host;
use crate::options::Options;
use crate::session::Session;

/// What [`recover`] did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct RecoverResult {
    /// What was recovered.
    pub recovery: Recovery,
    /// Where v1 is now, if a cutover was finished or cleaned up after.
    pub backup: Option<PathBuf>,
    /// What the host's build had returned as its report.
    pub report: Option<Json>,
    /// Problems that did not stop the recovery.
    pub warnings: Vec<Warning>,
}

/// Finishes or undoes what an earlier start began, and does nothing else.
///
/// # Errors
/// As [`crate::migrate`].
pub fn recover(options: &Options, host: &mut dyn Host) -> Result<RecoverResult, Error> {
    let mut session = Session::own(options, host)?;
    let result = session.recover(host).map(|_| ());
    result.map_err(|error| session.locate(error))?;
    let backup = session.backup();
    let report = session.finished.and_then(|journal| journal.report);
    Ok(RecoverResult { recovery: session.recovery, backup, report, warnings: session.warnings })
}
