//! The functions of this crate as the bindings offer them: JSON text in, JSON text out, like those
//! of [`cutover_core::api`].

use cutover_core::api::{Refused, answer, read};
use cutover_support::Dropped;

use crate::crash_matrix::{self, Exploration, Progress, Question};
use crate::lanes;

/// The lanes of the plan that was dropped, or of the plan that the next start would perform.
/// `null`: there is no plan.
#[must_use]
pub fn plan_lanes(dropped: &str, staging_held: bool) -> String {
    answer(
        read::<Dropped>("dropped", dropped)
            .map(|dropped| lanes::plan_lanes(&dropped, staging_held)),
    )
}

/// Begins an exploration, or gives the answer that refuses it.
///
/// # Errors
/// The text of the answer, if the question is invalid.
pub fn explore(question: &str) -> Result<Exploration, String> {
    let question = read::<Question>("question", question);
    let begun = question.and_then(|question| {
        Exploration::new(question).map_err(|why| Refused::Invalid(format!("question: {why}")))
    });
    begun.map_err(|refused| answer::<()>(Err(refused)))
}

/// Runs a start from at most this many more crash states, and says how far the exploration is.
#[must_use]
pub fn explore_on(exploration: &mut Exploration, states: u32) -> String {
    for _ in 0..states {
        if !exploration.step() {
            break;
        }
    }
    answer::<Progress>(Ok(exploration.progress()))
}

/// The crash matrix, as far as it is known.
#[must_use]
pub fn explored(exploration: &Exploration) -> String {
    answer(Ok(exploration.matrix()))
}

/// The story of one crash: an array of lines. `null`: the line names no crash.
#[must_use]
pub fn replay_crash(line: &str) -> String {
    answer(Ok(crash_matrix::replay_crash(line)))
}
