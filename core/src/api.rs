//! The pure functions as the bindings offer them: JSON text in and out. The addon and the browser's
//! module so give equal bytes and equal errors.
//!
//! An answer is `{"ok":…}`. It is `{"invalid":"…"}` where an argument cannot be read, and
//! `{"failure":{…}}` where cutover refuses.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::journal::write_json;
use crate::names::{Label, Nonce};
use crate::observe::Observation;
use crate::{explain, plan, validate};

/// The largest argument, in bytes: a bundle with what a browser puts around it.
const MOST: usize = 64 << 20;

/// Why there is no answer.
#[non_exhaustive]
pub enum Refused {
    /// An argument cannot be read.
    Invalid(String),
    /// Cutover refuses.
    Failure(Box<Failure>),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failure(Box::new(failure))
    }
}

/// Reads an argument.
///
/// # Errors
/// When the argument cannot be read. The text names it.
pub fn read<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Refused> {
    if text.len() > MOST {
        return Err(Refused::Invalid(format!(
            "{name} has {} bytes; at most {MOST} are accepted",
            text.len()
        )));
    }
    serde_json::from_str(text).map_err(|error| Refused::Invalid(format!("{name}: {error}")))
}

/// Writes an answer.
#[must_use]
pub fn answer<T: Serialize>(result: Result<T, Refused>) -> String {
    // As files are written: one writer is less code for a browser to load than two.
    match result {
        Ok(ok) => format!("{{\"ok\":{}}}", write_json(&ok)),
        Err(Refused::Invalid(why)) => format!("{{\"invalid\":{}}}", write_json(&why)),
        Err(Refused::Failure(failure)) => format!("{{\"failure\":{}}}", write_json(&failure)),
    }
}

/// Plans a migration: a plan, or the failure that refuses it.
#[must_use]
pub fn plan(observation: &str, request: &str) -> String {
    answer((|| {
        let observation: Observation = read("observation", observation)?;
        let request = read("request", request)?;
        Ok(plan::plan_migration(&observation, &request)?)
    })())
}

/// Plans the recovery of an interrupted cutover: a plan, `null` where there is nothing to recover,
/// or the failure that refuses.
#[must_use]
pub fn plan_recovery(observation: &str, label: &str, nonce: &str) -> String {
    answer((|| {
        let observation: Observation = read("observation", observation)?;
        let label = Label::new(label).map_err(|error| Refused::Invalid(error.to_string()))?;
        let nonce = Nonce::new(nonce).map_err(|error| Refused::Invalid(error.to_string()))?;
        Ok(plan::plan_recovery(&observation, &label, &nonce)?)
    })())
}

/// Judges a plan, and compares it with an observation of the directory where one is given. The
/// answer is an array of findings.
#[must_use]
pub fn validate_plan(plan: &str, target: Option<&str>) -> String {
    answer((|| {
        let target: Option<Observation> =
            target.map(|target| read("target", target)).transpose()?;
        Ok(validate::validate_text(plan, target.as_ref()))
    })())
}

/// Explains the first short code in a text: an explanation, or `null`.
#[must_use]
pub fn explain_error(text: &str) -> String {
    answer(Ok(explain::explain_error(text)))
}
