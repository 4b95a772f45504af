//! The plan of a restore is what the restore performs first, and making it changes nothing.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use cutover::planner::{OpName, PlanKind};
use cutover::{BackupOptions, Code, Event, Host};

use super::{Bed, Calm};
use crate::support::interrupt::Interrupt;

/// Keeps what the first plan is for, and its steps.
#[derive(Default)]
struct Steps {
    plans: Vec<PlanKind>,
    steps: Vec<(OpName, String)>,
}

impl Host for Steps {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Plan { kind, .. } => self.plans.push(*kind),
            Event::Step { op, why, undo: false, .. } if self.plans.len() == 1 => {
                self.steps.push((*op, why.clone()));
            }
            _ => {}
        }
    }
    fn wait(&mut self, _delay_ms: u64) {}
}

fn files(bed: &Bed) -> BTreeMap<String, Vec<u8>> {
    bed.names()
        .into_iter()
        .map(|name| (name.clone(), std::fs::read(bed.path(&name)).unwrap()))
        .collect()
}

/// Makes the plan, performs the restore, and compares. Returns what the plan was for.
fn assert_performed(bed: &Bed, at: usize) -> PlanKind {
    let (path, backup, options) = (bed.path("data.db"), bed.newest(), bed.beside());
    let before = files(bed);
    let plan = cutover::plan_restore(&path, &backup, &options, &mut Calm::default()).unwrap();
    assert_eq!(files(bed), before, "{at}");
    let mut host = Steps::default();
    cutover::restore(&path, &backup, &options, &mut host).unwrap();
    assert_eq!(host.plans[0], plan.kind, "{at}");
    assert!(!host.steps.is_empty(), "{at}");
    // A step whose guard does not hold is left out.
    let mut planned = plan.steps.iter();
    for (op, why) in &host.steps {
        assert!(
            planned.any(|step| *op == step.op.name() && step.why == *why),
            "{at}: {op:?} {why} is not a step of the plan, or not in its place"
        );
    }
    plan.kind
}

#[test]
fn it_is_what_the_restore_performs_wherever_another_was_interrupted() {
    assert_eq!(assert_performed(&Bed::upgraded_with_companion(), 0), PlanKind::Restore);
    let mut kinds = Vec::new();
    for at in 0.. {
        let bed = Bed::upgraded_with_companion();
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let mut host = Interrupt { at, seen: 0 };
            cutover::restore(&bed.path("data.db"), &bed.newest(), &bed.beside(), &mut host)
                .map(drop)
                .unwrap();
        }));
        if ended.is_ok() {
            break;
        }
        let kind = assert_performed(&bed, at);
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    for kind in [PlanKind::Undo, PlanKind::Finish, PlanKind::Clean] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
}

#[test]
fn what_cannot_be_restored_is_refused() {
    let bed = Bed::upgraded("WAL");
    let plan = |backup: &str| {
        cutover::plan_restore(
            &bed.path("data.db"),
            backup.as_ref(),
            &BackupOptions::default(),
            &mut Calm::default(),
        )
        .unwrap_err()
        .failure
    };
    assert_eq!(plan("data.db.v1-v2-1-00000000").code, Code::Io);
    let name = bed.newest().into_os_string().into_string().unwrap();
    std::fs::remove_file(bed.path(&format!("{name}.json"))).unwrap();
    assert_eq!(plan(&name).code, Code::Verify);
}
