//! `held: "proceed"`: the database moves to a file that this process's zombie does not have, before
//! anything opens it.

use cutover_core::{
    Action, Budget, Code, Failure, FileName, Observation, Op, OpError, OpErrorKind, Phase, Plan,
    PlanKind, Platform, Run, Strategy, plan_leave_zombie, validate,
};

use cutover_world::{
    another_program, canonical, directory, interrupted, journal, label, me, new_nonce,
};

fn held() -> Observation {
    Observation { holders: vec![me()], ..directory() }
}

fn planned(observation: &Observation) -> Result<Plan, Failure> {
    plan_leave_zombie(observation, &label(), &new_nonce())
}

#[test]
fn the_database_moves_to_a_new_file_before_anything_else() {
    let plan = planned(&held()).unwrap();
    assert!(matches!(&plan.steps[0].op, Op::Isolate { from, .. } if *from == canonical()));
    assert_eq!(Plan::parse(&plan.to_text()).unwrap(), plan);
    assert_eq!(validate(&plan, Some(&held())), []);
}

#[test]
fn only_what_this_process_alone_holds_on_posix_is_left_behind() {
    let windows = Observation { platform: Platform::Windows, ..held() };
    let shared = Observation { holders: vec![me(), another_program()], ..held() };
    let free = Observation { holders: vec![], ..held() };
    let unseen = Observation { holders_unknown: Some("no list".into()), ..held() };
    let mut unreadable = held();
    unreadable.journals.insert(journal(Phase::Building).file(), None);
    let mut of_restore = journal(Phase::Installing);
    of_restore.strategy = Strategy::RestorePageCopy;
    let of_restore = Observation { holders: vec![me()], ..interrupted(&of_restore) };
    let plan = planned(&held()).unwrap();
    for observation in [windows, shared, free, unseen, unreadable, of_restore] {
        assert_eq!(planned(&observation).unwrap_err().code, Code::Held);
        assert_ne!(validate(&plan, Some(&observation)), []);
    }
    let full = Observation { free_bytes: Some(10), ..held() };
    assert_eq!(planned(&full).unwrap_err().code, Code::NoSpace);
}

/// The interrupted flip gave v1 its backup's name, which goes before the move: else the backup would
/// be the leaked connection's file.
#[test]
fn beside_an_interrupted_upgrade_the_second_name_goes_first() {
    for phase in [Phase::Building, Phase::Built, Phase::Committed] {
        let journal = journal(phase);
        let mut seen = Observation { holders: vec![me()], ..interrupted(&journal) };
        seen.files.remove(&journal.names.backup);
        let plan = planned(&seen).unwrap();
        assert!(matches!(&plan.steps[0].op, Op::Isolate { .. }), "{phase:?}");
        assert_eq!(validate(&plan, Some(&seen)), []);
        let v1 = seen.files[&canonical()].clone();
        seen.files.insert(journal.names.backup.clone(), v1);
        let plan = planned(&seen).unwrap();
        let is_it = |op: &Op| matches!(op, Op::RemoveLink { link, of } if *link == journal.names.backup && *of == canonical());
        assert!(is_it(&plan.steps[0].op), "{:?}", plan.steps[0]);
        assert_eq!(Plan::parse(&plan.to_text()).unwrap(), plan);
        assert_eq!(validate(&plan, Some(&seen)), []);
        let mut other = plan.clone();
        other.steps[0].op =
            Op::RemoveLink { link: FileName::new("notes.txt").unwrap(), of: canonical() };
        assert!(Plan::parse(&other.to_text()).is_err());
    }
}

#[test]
fn a_plan_that_differs_in_any_step_is_refused() {
    let right = planned(&held()).unwrap();
    let refused = |plan: &Plan| Plan::parse(&plan.to_text()).is_err();
    for index in 0..right.steps.len() {
        let mut without = right.clone();
        without.steps.remove(index);
        assert!(refused(&without), "without {index}");
        let mut swapped = right.clone();
        swapped.steps.swap(index, (index + 1) % right.steps.len());
        assert!(refused(&swapped), "swapped {index}");
    }
    let name = |name: &str| FileName::new(name).unwrap();
    let to = |name: FileName| {
        let mut plan = right.clone();
        for step in plan.steps.iter_mut().chain(&mut plan.undo) {
            match &mut step.op {
                Op::Isolate { to, .. } => *to = name.clone(),
                Op::SyncFile { file } => *file = (&name).into(),
                Op::Rename { from, .. } => *from = (&name).into(),
                Op::Remove { files } if files.len() == 1 => *files = vec![(&name).into()],
                _ => {}
            }
        }
        plan
    };
    assert!(!refused(&to(name("data.db.v1-v2-cutover.json.tmp-0b0b0b0b"))));
    // A name that no start would remove, and a name of a person's file.
    assert!(refused(&to(name("data.db.install-0b0b0b0b"))) && refused(&to(name("notes.txt"))));
    assert!(refused(&Plan { platform: Platform::Windows, ..right.clone() }));
    assert!(refused(&Plan { flip_at: Some(4), ..right.clone() }));
    assert!(refused(&Plan { kind: PlanKind::Clean, ..right }));
}

/// A program that writes is waited for; after that, no file of the try stays.
#[test]
fn a_database_that_cannot_be_isolated_keeps_its_file() {
    let mut run = Run::new(planned(&held()).unwrap(), Budget::of(50));
    let mut undone = Vec::new();
    let failure = loop {
        match run.poll() {
            Action::Perform { op: Op::Isolate { .. }, .. } => {
                run.handle_fault(&OpError::new(OpErrorKind::Busy, "locked"));
            }
            Action::Perform { op, .. } => {
                undone.push(op.name());
                run.handle_ok(cutover_core::OpOutcome::Plain);
            }
            Action::Wait { .. } => run.handle_waited(),
            Action::Failed(failure) => break failure,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((failure.code, undone), (Code::Held, vec!["remove"]));
    assert!(failure.to_string().contains("data.db:"), "{}", failure.to_string());
}
