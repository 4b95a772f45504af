//! A plan that succeeds performs each step once, in its order: these tests check what each step
//! writes and tells, and read the main plan as text.

use cutover_core::{
    Action, Budget, BuildBy, BuildFrom, Event, Guard, Journal, Op, OpOutcome, Phase, PlanKind,
    PlanPath, Receipt, Recovery, Request, Run, plan_migration,
};

use cutover_world::{
    another_program, canonical, directory, drive, drive_well, fine, line, me, migrations,
    our_names, permanent, request,
};

use super::host_plan;

#[test]
fn a_plan_that_succeeds_performs_each_step_once_in_its_order() {
    for (name, plan) in migrations() {
        let trace = drive_well(plan.clone());
        let wanted: Vec<usize> = (0..plan.steps.len())
            .filter(|index| match &plan.steps[*index].when {
                None | Some(Guard::StagingFree {}) => true,
                Some(_) => false,
            })
            .collect();
        assert_eq!(trace.performed.len(), wanted.len(), "{name}: each once");
        assert_eq!(trace.steps(false), wanted, "{name}");
        assert!(
            trace.performed.iter().all(|p| !p.undo && p.op == plan.steps[p.index].op),
            "{name}: exactly the plan's ops"
        );
        let Action::Done(report) = trace.ending else { panic!("{name}") };
        assert_eq!(
            (report.recovery, report.installed, report.waited_ms),
            (Recovery::None, true, 0),
            "{name}"
        );
        let journal = report.journal.unwrap();
        assert_eq!(journal.phase, Phase::Committed, "{name}");
        assert_eq!(journal.v2.unwrap().file_id, "2", "{name}");
        assert_eq!(
            journal.v1.unwrap().fingerprint,
            cutover_world::v1().fingerprint().unwrap(),
            "{name}: as it was settled"
        );
    }
}

#[test]
fn every_journal_that_is_written_can_be_read_and_says_its_phase() {
    for (name, plan) in migrations() {
        let trace = drive_well(plan);
        let mut phases = Vec::new();
        for performed in &trace.performed {
            match &performed.op {
                Op::WriteJournal { phase, .. } => {
                    let journal =
                        Journal::parse(performed.text.as_ref().unwrap(), &canonical()).unwrap();
                    assert_eq!(journal.phase, *phase, "{name}");
                    assert_eq!(journal.v2.is_some(), *phase >= Phase::Built, "{name}");
                    phases.push(*phase);
                }
                Op::WriteReceipt { .. } => {
                    let receipt = Receipt::parse(performed.text.as_ref().unwrap()).unwrap();
                    assert_eq!(
                        (receipt.started_ms, receipt.backup),
                        (cutover_world::NOW_MS, our_names().backup),
                        "{name}"
                    );
                }
                _ => assert_eq!(performed.text, None, "{name}: {:?}", performed.op),
            }
        }
        assert_eq!(phases, [Phase::Building, Phase::Built, Phase::Committed], "{name}");
    }
}

#[test]
fn events_tell_each_step_before_it_and_each_phase_after_it() {
    let plan = host_plan();
    let trace = drive_well(plan.clone());
    let steps: Vec<(u32, &str)> = trace
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Step { index, op, undo: false, total, why, .. } => {
                assert_eq!(*total as usize, plan.steps.len());
                assert_eq!(*why, plan.steps[*index as usize].why);
                Some((*index, op.as_str()))
            }
            _ => None,
        })
        .collect();
    let performed: Vec<(u32, &str)> =
        trace.performed.iter().map(|p| (u32::try_from(p.index).unwrap(), p.op.name())).collect();
    assert_eq!(steps, performed);
    assert!(matches!(trace.events[0], Event::Plan { kind: PlanKind::Migrate, attempt: 1, .. }));
    let phases: Vec<Phase> = trace
        .events
        .iter()
        .filter_map(|event| if let Event::Phase { phase } = event { Some(*phase) } else { None })
        .collect();
    assert_eq!(phases, [Phase::Building, Phase::Built, Phase::Committed]);
}

#[test]
fn an_op_is_handed_out_again_until_its_outcome_is_told() {
    let mut run = Run::new(host_plan(), Budget::default());
    let first = run.poll();
    assert_eq!(run.poll(), first);
    run.handle_waited();
    assert_eq!(run.poll(), first, "a wait that was not asked for changes nothing");
    run.handle_ok(OpOutcome::Looked(Vec::new()));
    run.handle_ok(OpOutcome::Plain);
    run.handle_fault(&permanent());
    assert_eq!(run.position(), (false, 1), "an outcome of nothing is no outcome");
    assert_ne!(run.poll(), first);
}

/// A build that leaves a connection on staging: v2 goes to a file of its own. One that does not:
/// staging is renamed.
#[test]
fn staging_that_this_process_holds_is_restaged() {
    let plan = host_plan();
    for held in [false, true] {
        let trace = drive(Run::new(plan.clone(), Budget::default()), |_, now| {
            Ok(match &now.op {
                Op::Look { file } if *file == our_names().staging => OpOutcome::Looked(if held {
                    vec![me(), another_program()]
                } else {
                    vec![another_program()]
                }),
                op => fine(op),
            })
        });
        let ops: Vec<&str> = trace.performed.iter().map(|p| p.op.name()).collect();
        assert_eq!(ops.contains(&"restage"), held);
        let renamed = trace.performed.iter().any(
            |p| matches!(&p.op, Op::Rename { from, .. } if *from == PlanPath::from(&our_names().staging)),
        );
        assert_eq!(renamed, !held);
        let Action::Done(report) = trace.ending else { panic!() };
        assert_eq!(
            report.journal.unwrap().v2.unwrap().file,
            our_names().install,
            "either way one name is installed"
        );
    }
}

#[test]
fn attempts_are_passed_on() {
    let plan = plan_migration(
        &directory(),
        &Request { attempt: 4, ..request(BuildBy::Sql, BuildFrom::Empty) },
    )
    .unwrap();
    let trace = drive_well(plan);
    assert!(matches!(trace.events[0], Event::Plan { attempt: 4, .. }));
    assert!(trace.performed[1].text.as_ref().unwrap().contains("\"attempt\": 4"));
}

/// The main plan as a person reads it. When this list changes, the reason belongs in the commit.
#[test]
fn the_main_plan_reads_like_this() {
    let printed: Vec<String> = host_plan().steps.iter().map(line).collect();
    let expected = "\
look file=data.db
write-journal file=data.db.v1-v2-cutover.json.tmp-N phase=building
sync-file file=data.db.v1-v2-cutover.json.tmp-N
rename from=data.db.v1-v2-cutover.json.tmp-N to=data.db.v1-v2-cutover.json
sync-dir companion=null
settle file=data.db mode=delete
check-pages file=data.db
build-host source=data.db.source-N staging=data.db.building-N
release
look file=data.db
look file=data.db.building-N
restage from=data.db.building-N mode=wal to=data.db.install-N if staging-held
settle file=data.db.building-N mode=wal if staging-free
rename from=data.db.building-N to=data.db.install-N if staging-free
check file=data.db.install-N
detect file=data.db.install-N
sync-file file=data.db.install-N
write-journal file=data.db.v1-v2-cutover.json.tmp-N phase=built
sync-file file=data.db.v1-v2-cutover.json.tmp-N
rename from=data.db.v1-v2-cutover.json.tmp-N to=data.db.v1-v2-cutover.json
sync-dir companion=null
look file=data.db
lock-v1 file=data.db
check-v1 file=data.db
link from=data.db to=data.db.v1-v2-MS-N
sync-dir companion=null
absent files=[data.db-wal,data.db-shm,data.db-journal]
rename from=data.db.install-N to=data.db
absent files=[data.db-wal,data.db-shm,data.db-journal]
sync-dir companion=null
unlock-v1
look file=data.db.v1-v2-MS-N
write-receipt file=data.db.v1-v2-MS-N.json
sync-file file=data.db.v1-v2-MS-N.json
write-journal file=data.db.v1-v2-cutover.json.tmp-N phase=committed
sync-file file=data.db.v1-v2-cutover.json.tmp-N
rename from=data.db.v1-v2-cutover.json.tmp-N to=data.db.v1-v2-cutover.json
sync-dir companion=null
cleanup-host
remove files=[data.db.source-N,data.db.source-N-wal,data.db.source-N-shm,data.db.source-N-journal,\
                    data.db.building-N,data.db.building-N-wal,data.db.building-N-shm,data.db.\
                    building-N-journal,data.db.install-N,data.db.install-N-wal,data.db.\
                    install-N-shm,data.db.install-N-journal,data.db.v1-v2-cutover.json.tmp-N]
sync-dir companion=null
remove files=[data.db.v1-v2-cutover.json]
sync-dir companion=null";
    assert_eq!(printed.join("\n"), expected);
}
