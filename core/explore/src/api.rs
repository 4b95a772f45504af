//! The functions of this crate as the bindings offer them: JSON text in and out, as those of
//! [`cutover_core::api`].

use cutover_core::api::{Refused, answer, read};
use cutover_support::diagnose::Dropped;

use crate::crash_matrix::{self, Exploration, Progress, Question};
use crate::lanes;

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
    answer(Ok(crash_matrix::replay_crash(line)))
}
