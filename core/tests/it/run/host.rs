//! The application hands a run its state, its report and its warnings: these tests check what the
//! journal holds of them.

use std::collections::BTreeMap;

use cutover_core::{
    Action, Budget, Code, Event, Journal, MAX_HOST_BYTES, Op, OpOutcome, Phase, Run, WarningFrom,
    plan_recovery,
};
use serde_json::json;

use cutover_world::{
    auth, canonical, drive, fine, interrupted, journal, label, new_nonce, our_journal, v2,
};

use super::{host_plan, position};

#[test]
fn a_saved_state_is_a_journal_that_a_start_can_read() {
    let plan = host_plan();
    let mut texts = Vec::new();
    let trace = drive(Run::new(plan, Budget::default()), |run, now| {
        if matches!(now.op, Op::BuildHost { .. }) {
            run.warn("a row was odd".into());
            texts.push(run.save_state(json!({ "keychain": 1 })).unwrap());
            texts.push(run.save_state(json!({ "keychain": 2 })).unwrap());
            assert!(run.save_state(json!("x".repeat(MAX_HOST_BYTES))).is_err());
        }
        Ok(fine(&now.op))
    });
    for (text, state) in texts.iter().zip([1, 2]) {
        let journal = Journal::parse(text, &canonical()).unwrap();
        assert_eq!(
            (journal.phase, journal.host_state),
            (Phase::Building, Some(json!({ "keychain": state })))
        );
        assert_eq!(journal.warnings[0].message, "a row was odd");
    }
    let Action::Done(report) = trace.ending else { panic!() };
    let journal = report.journal.unwrap();
    assert_eq!(
        journal.host_state,
        Some(json!({ "keychain": 2 })),
        "a state that is refused leaves the last one"
    );
    assert_eq!(journal.expect, BTreeMap::from([("notes".to_owned(), 3)]));
    assert_eq!(journal.report, Some(json!({ "rows": 3 })));
    assert!(trace.events.iter().any(
        |event| matches!(event, Event::Warning { warning } if warning.from == WarningFrom::Host)
    ));
}

#[test]
fn a_report_that_no_journal_can_hold_fails_the_build_and_not_the_next_start() {
    let plan = host_plan();
    let at = position(&plan, |op| matches!(op, Op::BuildHost { .. }));
    let trace = drive(Run::new(plan, Budget::default()), |_, now| {
        Ok(match &now.op {
            Op::BuildHost { .. } => OpOutcome::Built {
                expect: BTreeMap::new(),
                report: Some(json!("x".repeat(MAX_HOST_BYTES))),
            },
            op => fine(op),
        })
    });
    assert_eq!(trace.failure().code, Code::Host);
    assert_eq!(trace.performed.iter().filter(|p| !p.undo).map(|p| p.index).max(), Some(at));
    assert!(trace.performed.iter().any(|p| p.undo));
}

#[test]
fn a_set_aside_journal_has_no_state_to_save() {
    let mut observation = interrupted(&journal(Phase::Building));
    observation.journals.insert(our_journal(), Some("{".into()));
    let plan = plan_recovery(&observation, &label(), &new_nonce()).unwrap().unwrap();
    let mut run = Run::new(plan, Budget::default());
    assert!(run.save_state(json!(1)).is_err() && !run.stage_companion(&auth(), "after".into()));
}

#[test]
fn what_is_tolerated_or_was_wrong_before_is_a_warning() {
    let trace = drive(Run::new(host_plan(), Budget::default()), |_, now| {
        Ok(match &now.op {
            Op::Check { .. } => {
                OpOutcome::Checked(v2(), vec!["1 row of tag refers to nothing".into()])
            }
            Op::SyncDir { .. } if now.index < 5 => {
                OpOutcome::Tolerated("this directory cannot be flushed".into())
            }
            op => fine(op),
        })
    });
    let Action::Done(report) = trace.ending else { panic!() };
    let codes: Vec<_> =
        report.journal.unwrap().warnings.into_iter().map(|warning| warning.code.unwrap()).collect();
    assert_eq!(codes, ["TOLERATED", "V1_VIOLATION"]);
}
