//! `run_plan` performs a plan from JSON as it is, or refuses a plan that is not safe.

use cutover::planner::Platform;
use cutover::{Code, Event};

use super::{Bed, Scripted};

#[test]
fn a_plan_given_as_json_is_performed_as_it_is() {
    let bed = Bed::new("wal");
    let text = cutover::plan(&bed.sql(), &mut Scripted::default()).unwrap().unwrap().to_text();
    bed.assert_untouched("wal");
    let mut performed = Vec::new();
    let mut host = Scripted::default();
    host.on_event = Some(Box::new(|event| {
        if let Event::Step { op, .. } = event {
            performed.push(op.to_string());
        }
    }));
    let result = cutover::run_plan(&text, &bed.sql(), &mut host).unwrap();
    drop(host);
    let plan = cutover::planner::Plan::parse(&text).unwrap();
    assert_eq!(performed, plan.steps.iter().map(|step| step.op.name()).collect::<Vec<_>>());
    bed.assert_migrated(&result);

    // The plan is not for the new state, so it is refused and nothing is touched.
    let names = bed.names();
    let error = cutover::run_plan(&text, &bed.sql(), &mut Scripted::default()).unwrap_err();
    assert_eq!(error.failure.code, Code::Journal);
    let hostile =
        text.replace(&plan.journal.unwrap().names.staging.to_string(), "../../etc/passwd");
    let error = cutover::run_plan(&hostile, &bed.sql(), &mut Scripted::default()).unwrap_err();
    assert_eq!(error.failure.code, Code::Journal);
    assert_eq!(bed.names(), names);
}

#[test]
fn a_plan_that_would_lose_v1_is_not_performed() {
    let bed = Bed::new("wal");
    let plan = cutover::plan(&bed.sql(), &mut Scripted::default()).unwrap().unwrap();
    for op in ["link", "lock-v1", "check-v1", "settle", "sync-file"] {
        let mut less = plan.clone();
        let at = less.steps.iter().position(|step| step.op.name() == op).unwrap();
        less.steps.remove(at);
        for index in [&mut less.flip_at, &mut less.cleanup_from].into_iter().flatten() {
            *index -= u32::from(at < *index as usize);
        }
        let error =
            cutover::run_plan(&less.to_text(), &bed.sql(), &mut Scripted::default()).unwrap_err();
        assert_eq!(error.failure.code, Code::Journal, "{op}");
        assert!(
            error.failure.to_string().contains("is not safe to perform"),
            "{op}: {}",
            error.failure
        );
        bed.assert_untouched("wal");
    }
    let other = if cfg!(windows) { Platform::Linux } else { Platform::Windows };
    let elsewhere = cutover::planner::Plan { platform: other, ..plan }.to_text();
    assert_eq!(
        cutover::run_plan(&elsewhere, &bed.sql(), &mut Scripted::default())
            .unwrap_err()
            .failure
            .code,
        Code::Journal
    );
}
