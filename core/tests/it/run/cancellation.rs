//! The application asks a run to stop: these tests check that the run stops before the journal says
//! `built`, and goes on after that.

use cutover_core::{
    Action, Budget, Code, DataState, Event, Op, OpError, OpErrorKind, OpOutcome, Phase, Run,
};

use cutover_world::{drive, drive_well, fine, journal, migrations, transient};

use super::{built_at, host_plan, recovery_of, unguarded};

#[test]
fn a_request_to_stop_is_honoured_until_the_journal_says_built() {
    for (name, plan) in migrations() {
        for at in drive_well(plan.clone()).steps(false) {
            let trace = drive(Run::new(plan.clone(), Budget::default()), |run, now| {
                if !now.undo && now.index == at {
                    run.cancel();
                    run.cancel();
                }
                Ok(fine(&now.op))
            });
            let too_late = |event: &Event| matches!(event, Event::Warning { warning } if warning.code.as_deref() == Some("ABORT_TOO_LATE"));
            if at < built_at(&plan) {
                let failure = trace.failure();
                assert_eq!(
                    (failure.code, failure.data.state),
                    (Code::Aborted, DataState::V1),
                    "{name} {at}"
                );
                assert_eq!(
                    trace.performed.iter().filter(|p| !p.undo).map(|p| p.index).max(),
                    Some(at),
                    "{name} {at}: the step ends first"
                );
                let wanted = if at == 0 { Vec::new() } else { unguarded(&plan) };
                assert_eq!(trace.steps(true), wanted, "{name} {at}");
                assert!(!trace.events.iter().any(too_late), "{name} {at}");
            } else {
                let Action::Done(report) = &trace.ending else {
                    panic!("{name} {at}: {:?}", trace.ending)
                };
                assert!(report.installed, "{name} {at}");
                assert_eq!(
                    trace.events.iter().filter(|event| too_late(event)).count(),
                    1,
                    "{name} {at}: refused, once, with why"
                );
            }
        }
    }
}

#[test]
fn a_request_to_stop_ends_a_wait() {
    let mut run = Run::new(host_plan(), Budget::default());
    run.poll();
    run.handle_ok(OpOutcome::Looked(Vec::new()));
    run.poll();
    run.handle_fault(&transient());
    assert_eq!(run.poll(), Action::Wait { delay_ms: 50 });
    run.cancel();
    assert!(
        matches!(run.poll(), Action::Perform { op: Op::UnlockV1 {}, .. }),
        "the undo begins without waiting"
    );
}

#[test]
fn a_request_to_stop_before_anything_leaves_everything() {
    let mut run = Run::new(host_plan(), Budget::default());
    run.cancel();
    let Action::Failed(failure) = run.poll() else { panic!() };
    assert_eq!((failure.code, failure.data.state), (Code::Aborted, DataState::V1));
}

#[test]
fn a_callback_that_stops_because_it_was_asked_to_is_no_failure_of_the_application() {
    let plan = host_plan();
    let trace = drive(Run::new(plan, Budget::default()), |run, now| match now.op {
        Op::BuildHost { .. } => {
            run.cancel();
            Err(OpError::new(OpErrorKind::Host, "AbortError"))
        }
        _ => Ok(fine(&now.op)),
    });
    assert_eq!(trace.failure().code, Code::Aborted);
}

/// A recovery is never stopped half-way, and one that undoes does not claim to be finishing.
#[test]
fn a_recovery_is_not_cancelled() {
    for (phase, warns) in [(Phase::Building, 0), (Phase::Built, 1)] {
        let trace = drive(Run::new(recovery_of(&journal(phase)), Budget::default()), |run, now| {
            run.cancel();
            Ok(fine(&now.op))
        });
        assert!(matches!(trace.ending, Action::Done(_)), "{phase:?}");
        assert_eq!(
            trace.events.iter().filter(|event| matches!(event, Event::Warning { .. })).count(),
            warns,
            "{phase:?}"
        );
    }
}
