//! The loop over a [`Run`]: performs each op that it hands out, waits when it says so, and reports
//! events.

use cutover_core::{Action, Budget, Failure, Plan, Report, Run};

use crate::error::Error;
use crate::host::Host;
use crate::lock::CompanionLocks;
use crate::options::Options;
use crate::perform::Performer;
use crate::place::Paths;

/// How a plan ended that did not fail.
pub(crate) enum RunEnd {
    /// It was performed to its end.
    Done(Box<Report>),
    /// v1 changed during the plan. It is undone, or the next recovery undoes it.
    Anew(Box<Failure>),
}

/// Performs a plan to its end. The waiting budget is shared with everything before and after it in
/// this call.
pub(crate) fn drive(
    plan: Plan,
    budget: &mut Budget,
    place: &Paths,
    options: &Options,
    locks: &mut CompanionLocks,
    host: &mut dyn Host,
) -> Result<RunEnd, Error> {
    let mut run = Run::new(plan, *budget).in_places(place.places());
    let mut performer = Performer::new(place, options, locks);
    let ending = loop {
        if host.cancelled() {
            run.cancel();
        }
        let action = run.poll();
        // The host hears of a step or a wait before it begins.
        while let Some(event) = run.poll_event() {
            host.event(&event);
        }
        match action {
            Action::Perform { op, text } => {
                match performer.perform(&op, text.as_deref(), &mut run, host) {
                    Ok(done) => run.handle_ok(done),
                    Err(fault) => {
                        // The callback may have failed because the application cancelled it.
                        if host.cancelled() {
                            run.cancel();
                        }
                        run.handle_fault(&fault);
                    }
                }
            }
            Action::Wait { delay_ms } => {
                host.release_handles();
                host.wait(delay_ms);
                run.handle_waited();
            }
            Action::Done(report) => break Ok(RunEnd::Done(report)),
            Action::Anew(failure) => break Ok(RunEnd::Anew(failure)),
            Action::Failed(failure) => break Err(Error { failure, cause: performer.cause.take() }),
        }
    };
    *budget = run.budget();
    ending
}
