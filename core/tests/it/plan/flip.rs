//! The validator knows where a plan replaces canonical: these tests move the flip, the comparison
//! behind it and the steps that put v1 back.

use cutover_core::{
    BuildBy, BuildFrom, Guard, Op, Phase, Plan, PlanKind, PlanPath, Platform, Step, Strategy,
    plan_migration, plan_recovery, validate,
};

use crate::recovery;
use cutover_world::{
    canonical, directory, interrupted, journal, label, migrations, new_nonce, our_names, request,
    with_auth,
};

use super::{main_plan, refused};

/// On Windows a program can write to v1 until it is replaced, so the backup is compared right behind
/// the flip. The application is told of v2 once the journal says `committed`: until then v1 may be
/// put back.
#[test]
fn on_windows_v1_is_compared_again_behind_the_flip() {
    let again = Op::CheckV1 { file: our_names().backup };
    let place = |op: &Op, platform: Platform, kind: PlanKind| {
        let mut seen = match kind {
            PlanKind::Migrate => with_auth(directory()),
            _ => interrupted(&journal(Phase::Built)),
        };
        seen.platform = platform;
        seen.files.insert(our_names().install, cutover_world::v2());
        let plan = match kind {
            PlanKind::Migrate => {
                seen.files.remove(&our_names().install);
                plan_migration(&seen, &request(BuildBy::Host, BuildFrom::Empty)).unwrap()
            }
            _ => plan_recovery(&seen, &label(), &new_nonce()).unwrap().unwrap(),
        };
        assert_eq!(plan.kind, kind);
        (plan.steps.iter().position(|step| step.op == *op), plan)
    };
    for kind in [PlanKind::Migrate, PlanKind::Finish] {
        for other in [Platform::Linux, Platform::Macos] {
            let (at, mut plan) = place(&again, other, kind);
            assert_eq!(at, None);
            let receipt = plan
                .steps
                .iter()
                .position(|step| matches!(step.op, Op::WriteReceipt { .. }))
                .unwrap();
            assert!(
                plan.cleanup_from.unwrap() as usize <= receipt,
                "a commit that fails is for the next start"
            );
            let behind = plan.steps.iter().position(
                |step| matches!(&step.op, Op::Look { file } if file.as_str().contains(".v1-v2-")),
            );
            let last_look = plan.steps.remove(behind.unwrap());
            let (at, mut windows) = place(&again, Platform::Windows, kind);
            assert_eq!(at, windows.flip_at.map(|flip| flip as usize + 1));
            let committed = windows
                .steps
                .iter()
                .position(|step| {
                    matches!(step.op, Op::WriteJournal { phase: Phase::Committed, .. })
                })
                .unwrap();
            assert_eq!(windows.steps[committed + 3].op, Op::SyncDir { companion: None });
            assert_eq!(
                windows.cleanup_from.unwrap() as usize,
                committed + 4,
                "or a v2 that the application uses could be replaced"
            );
            windows.steps.remove(at.unwrap());
            assert_eq!(
                windows.steps, plan.steps,
                "all else is equal but the look for open handles: {last_look:?}"
            );
            let gives_up =
                |plan: &Plan| plan.undo.iter().position(|step| step.op == Op::UndoHost {}).unwrap();
            assert_eq!(
                windows.undo.split_off(gives_up(&windows)),
                plan.undo[gives_up(&plan)..],
                "but how v2 is given up"
            );
        }
        let (at, windows) = place(&again, Platform::Windows, kind);
        let step = windows.steps[at.unwrap()].clone();
        assert!(
            refused(&Plan { platform: Platform::Linux, ..windows.clone() }).contains("check-v1")
        );
        let mut early = windows.clone();
        early.steps.swap(at.unwrap(), at.unwrap() - 1);
        early.flip_at = early.flip_at.map(|at| at + 1);
        assert!(refused(&early).contains("check-v1"), "before the flip the backup is v1 itself");
        let mut undoing = windows;
        undoing.undo.insert(0, step);
        assert!(refused(&undoing).starts_with("undo[0]: check-v1"));
    }
}

#[test]
fn v1_is_put_back_only_by_an_undo_on_windows() {
    let plan = plan_recovery(&recovery::overtaken(&journal(Phase::Built)), &label(), &new_nonce())
        .unwrap()
        .unwrap();
    plan.check().unwrap();
    refused(&Plan { platform: Platform::Linux, ..plan.clone() });
    let mut undoing = plan.clone();
    undoing.undo.insert(0, undoing.steps[1].clone());
    assert!(
        refused(&undoing).starts_with("undo[0]: rename"),
        "an undo goes on after a step that failed"
    );
    let clean = Plan { kind: PlanKind::Clean, undo: Vec::new(), ..plan };
    refused(&clean);
}

/// Where v1 was moved away, another program may have made a database under canonical's name since.
/// Neither v2 nor v1 replaces it.
#[test]
fn a_legacy_recovery_replaces_no_other_program_s_file() {
    let swapped = |op: &Op| match op.clone() {
        Op::RenameNew { from, to } => Some(Op::Rename { from, to }),
        Op::Rename { from, to } if to == PlanPath::from(&canonical()) => {
            Some(Op::RenameNew { from, to })
        }
        _ => None,
    };
    let (mut flips, mut backs) = (0, 0);
    for (row, plan) in recovery::plans().into_iter().chain(migrations()) {
        let legacy = row.starts_with("the legacy");
        for (undo, list) in [(false, &plan.steps), (true, &plan.undo)] {
            for (index, op) in list
                .iter()
                .enumerate()
                .filter_map(|(index, step)| Some((index, swapped(&step.op)?)))
            {
                assert_eq!(matches!(list[index].op, Op::RenameNew { .. }), legacy, "{row}");
                let mut bad = plan.clone();
                let (list, count) =
                    if undo { (&mut bad.undo, &mut backs) } else { (&mut bad.steps, &mut flips) };
                list[index].op = op;
                refused(&bad);
                *count += usize::from(legacy);
            }
        }
        if !legacy || plan.undo.is_empty() {
            continue;
        }
        // Nor by steps that only our own plans have.
        let mut windows = Plan {
            platform: Platform::Windows,
            kind: PlanKind::Undo,
            flip_at: None,
            cleanup_from: None,
            ..plan
        };
        let journal = windows.journal.as_ref().unwrap();
        let op = Op::Rename {
            from: PlanPath::from(&journal.names.backup),
            to: PlanPath::from(&canonical()),
        };
        windows.steps = vec![Step { op, why: "planted".into(), when: None }];
        assert_ne!(validate(&windows, None), [], "{row}");
    }
    assert_eq!((flips, backs), (3, 5));
}

/// The rule of endings goes by where the flip is: a plan that lies about it would call a failed
/// build a success.
#[test]
fn a_plan_that_lies_about_its_flip_is_refused() {
    let plan = main_plan();
    let flip = plan.flip_at.unwrap();
    let with = |flip_at: Option<u32>, cleanup_from: Option<u32>| {
        refused(&Plan { flip_at, cleanup_from, ..plan.clone() })
    };
    assert!(with(None, plan.cleanup_from).contains("flipAt"));
    assert!(with(Some(flip), None).contains("cleanupFrom"));
    for wrong in (0..plan.steps.len() + 2).filter(|wrong| *wrong != flip as usize) {
        assert!(with(u32::try_from(wrong).ok(), plan.cleanup_from).contains("flipAt"), "{wrong}");
    }
    for early in 0..=flip {
        assert!(with(Some(flip), Some(early)).contains("cleanupFrom"), "{early}");
    }
    assert!(
        with(Some(flip), Some(u32::try_from(plan.steps.len()).unwrap() + 1))
            .contains("cleanupFrom")
    );
    let mut sometimes = plan.clone();
    sometimes.steps[flip as usize].when = Some(Guard::StagingHeld {});
    assert!(refused(&sometimes).contains("if staging-held stands here"));
    let mut old = plan.clone();
    old.journal.as_mut().unwrap().strategy = Strategy::TwoRename;
    refused(&old);
    for kind in [PlanKind::Undo, PlanKind::Clean, PlanKind::SetAside] {
        refused(&Plan { kind, ..plan.clone() });
    }
    let undo =
        recovery::plans().into_iter().find(|(_, plan)| plan.kind == PlanKind::Undo).unwrap().1;
    assert!(
        refused(&Plan { cleanup_from: Some(0), ..undo })
            .contains("cleanupFrom is 0; it must be null"),
        "or no failure would ever be told"
    );
}
