//! Waits between ops and between plans, which the application may cancel, and names the programs
//! that are waited for.

use cutover_core::{Budget, Code, Event, Failure, Holder, OpError, OpErrorKind, OpName};

use crate::error::Error;
use crate::holders::holders;
use crate::host::Host;
use crate::place::Paths;

/// Reports a wait before or between plans, and waits: which op on which file, for what reason and
/// which holders.
pub(crate) fn wait(
    delay_ms: u64,
    (op, file): (OpName, String),
    (reason, holders): (String, Vec<Holder>),
    Budget { total_ms: budget_ms, waited_ms }: Budget,
    host: &mut dyn Host,
) -> Result<(), Error> {
    host.release_handles();
    host.event(&Event::Wait {
        op,
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

pub(crate) fn refuse_cancelled(host: &mut dyn Host) -> Result<(), Error> {
    if host.cancelled() {
        return Err(Failure::refusal(
            Code::Aborted,
            "the application asked to stop before cutover began anything",
            "start again to upgrade",
        )
        .into());
    }
    Ok(())
}

/// Names the programs that keep SQLite from the database. cutover has no file of it open then.
pub(crate) fn name_holders(fault: OpError, place: &Paths) -> OpError {
    if fault.cause != OpErrorKind::Busy {
        return fault;
    }
    let seen = holders(&place.set(&place.canonical));
    let message = match seen.unknown {
        Some(why) => {
            format!("{}; which program has it locked cannot be told here: {why}", fault.message)
        }
        None => fault.message,
    };
    if seen.holders.is_empty() {
        OpError { message, ..fault }
    } else {
        OpError { cause: OpErrorKind::Held { holders: seen.holders }, message, ..fault }
    }
}
