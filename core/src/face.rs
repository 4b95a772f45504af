//! The pure functions as the bindings offer them: JSON text in and out, so that the addon and the
//! browser's module give the same bytes and the same errors. An answer is `{"ok":…}`;
//! `{"invalid":"…"}` where an argument is not what it must be; `{"failure":{…}}` where nothing may
//! be done.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::diagnose::Dropped;
use crate::explore::cells::{Exploration, Progress, Question};
use crate::failure::{Code, Failure};
use crate::journal::write_json;
use crate::names::{Label, Nonce};
use crate::observe::Observation;
use crate::sqlite::WalReader;
use crate::{diagnose, explain, lanes, plan, sqlite, validate};

/// The largest argument, in bytes: a bundle, and what a browser puts around it.
const MOST: usize = 64 << 20;

enum Refused {
    Invalid(String),
    Failure(Box<Failure>),
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failure(Box::new(failure))
    }
}

fn read<T: DeserializeOwned>(name: &str, text: &str) -> Result<T, Refused> {
    if text.len() > MOST {
        return Err(Refused::Invalid(format!(
            "{name} has {} bytes; at most {MOST} are taken",
            text.len()
        )));
    }
    serde_json::from_str(text).map_err(|error| Refused::Invalid(format!("{name}: {error}")))
}

fn answer<T: Serialize>(result: Result<T, Refused>) -> String {
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

/// Reads the header of a database from its first bytes. `size` is the file's, in bytes.
#[must_use]
pub fn read_database_header(bytes: &[u8], size: Option<u64>) -> String {
    let header = sqlite::read_database_header(bytes, size).map_err(|error| {
        let hint = "restore it from a backup, or look for the file that the application opens";
        Failure::refusal(Code::NotADatabase, error.to_string(), hint).into()
    });
    answer(header)
}

/// Ends the reading of a write-ahead log.
#[must_use]
pub fn wal(reader: WalReader) -> String {
    answer(Ok(reader.finish()))
}

/// Judges whatever was dropped or pasted.
#[must_use]
pub fn diagnose(dropped: &str) -> String {
    answer(read::<Dropped>("dropped", dropped).map(|dropped| diagnose::diagnose(&dropped)))
}

/// The lanes of the plan in what was dropped, or of the one that the next start would perform;
/// `null` where there is none.
#[must_use]
pub fn plan_lanes(dropped: &str, staging_held: bool) -> String {
    answer(
        read::<Dropped>("dropped", dropped)
            .map(|dropped| lanes::plan_lanes(&dropped, staging_held)),
    )
}

/// An exploration, begun; or the answer that refuses it.
///
/// # Errors
/// The text of the answer, where the question is none.
pub fn explore(question: &str) -> Result<Exploration, String> {
    let question = read::<Question>("question", question);
    let begun = question.and_then(|question| {
        Exploration::new(question).map_err(|why| Refused::Invalid(format!("question: {why}")))
    });
    begun.map_err(|refused| answer::<()>(Err(refused)))
}

/// Goes on with it, from at most this many crash states, and says how far it is.
#[must_use]
pub fn explore_on(exploration: &mut Exploration, states: u32) -> String {
    for _ in 0..states {
        if !exploration.step() {
            break;
        }
    }
    answer::<Progress>(Ok(exploration.progress()))
}

/// The matrix as far as it is known.
#[must_use]
pub fn explored(exploration: &Exploration) -> String {
    answer(Ok(exploration.matrix()))
}

/// The story of one crash: an array of lines, or `null` where the line names none.
#[must_use]
pub fn replay_crash(line: &str) -> String {
    answer(Ok(crate::explore::cells::replay(line)))
}
