//! The loop over a [`Run`]: perform what it hands out, wait as it says, report what happened.

use cutover_core::failure::Failure;
use cutover_core::fault::Holder;
use cutover_core::plan::Plan;
use cutover_core::run::{Action, Budget, Event, Report, Run};

use crate::error::Error;
use crate::host::Host;
use crate::migrate::refuse_cancelled;
use crate::options::Options;
use crate::perform::Performer;
use crate::place::Place;

/// How a plan ended that did not fail.
pub(crate) enum Ending {
    /// As it should.
    Done(Box<Report>),
    /// v1 changed under it: undone, or for the recovery to undo.
    Anew(Box<Failure>),
}

/// Walks a plan to its end. The budget of waiting is shared with what was before and what comes
/// after.
pub(crate) fn drive(
    plan: Plan,
    budget: &mut Budget,
    place: &Place,
    options: &Options,
    host: &mut dyn Host,
) -> Result<Ending, Error> {
    let mut run = Run::new(plan, *budget);
    let mut performer = Performer::new(place, options);
    let ending = loop {
        if host.cancelled() {
            run.cancel();
        }
        let action = run.poll();
        // A step and a wait are told before they begin.
        while let Some(event) = run.poll_event() {
            host.event(&event);
        }
        match action {
            Action::Perform { op, text } => {
                match performer.perform(&op, text.as_deref(), &mut run, host) {
                    Ok(done) => run.handle_done(done),
                    Err(fault) => {
                        // A callback may have failed because it was cancelled meanwhile.
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
            Action::Done(report) => break Ok(Ending::Done(report)),
            Action::Anew(failure) => break Ok(Ending::Anew(failure)),
            Action::Failed(failure) => break Err(Error { failure, cause: performer.cause.take() }),
        }
    };
    *budget = run.budget();
    ending
}

/// Before or between plans: tells what (op and file) waits for whom (reason and holders), and
/// waits.
pub(crate) fn wait(
    delay_ms: u64,
    (op, file): (&str, String),
    (reason, holders): (String, Vec<Holder>),
    Budget { total_ms: budget_ms, waited_ms }: Budget,
    host: &mut dyn Host,
) -> Result<(), Error> {
    host.release_handles();
    host.event(&Event::Wait {
        op: op.into(),
        file: Some(file),
        delay_ms,
        waited_ms,
        budget_ms,
        reason,
        holders,
    });
    host.wait(delay_ms);
    refuse_cancelled(host)
}
