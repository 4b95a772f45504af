//! The pure functions as the bindings offer them: JSON text in and out, so that the addon and the
//! browser's module give the same bytes and the same errors. An answer is `{"ok":…}`;
//! `{"invalid":"…"}` where an argument is not what it must be; `{"failure":{…}}` where nothing may
//! be done.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::journal::write_json;
use crate::names::{Label, Nonce};
use crate::observe::Observation;
use crate::{explain, plan, validate};

/// The largest argument, in bytes: a bundle, and what a browser puts around it.
const MOST: usize = 64 << 20;

/// Why there is no answer.
#[non_exhaustive]
pub enum Refused {
    /// An argument is not what it must be.
    Invalid(String),
    /// Nothing may be done.
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
/// Where it is not what it must be; the text says which argument.
pub fn read<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Refused> {
    if text.len() > MOST {
        return Err(Refused::Invalid(format!(
            "{name} has {} bytes; at most {MOST} are taken",
            text.len()
        )));
    }
    serde_json::from_str(text).map_err(|error| Refused::Invalid(format!("{name}: {error}")))
}

/// The text of an answer.
#[must_use]
pub fn answer<T: Serialize>(result: Result<T, Refused>) -> String {
    // Written as files are: one way of writing is less code to load than two.
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

/// Plans what must be done before anything else: a plan, `null` where there is nothing to recover,
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

/// Judges a plan, held against an observation of the directory where one is given: an array of
/// findings.
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
