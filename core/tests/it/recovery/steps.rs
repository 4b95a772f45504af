//! Every recovery plan keeps canonical, checks v2 before the flip and removes the journal last:
//! these tests read the steps of each.

use cutover_core::{
    JournalMode, Observation, Op, PlanKind, PlanPath, Step, displaced_name, legacy_journal_name,
};

use cutover_world::{canonical, database, our_journal, our_names, v1};

use super::{built, has, ops, planned, plans};

fn copy_goes(step: &Step) -> bool {
    matches!(&step.op, Op::Remove { files } if files.contains(&PlanPath::from(&our_names().backup)))
}

/// The journal is removed last, once every step before it is durable. A start that is killed earlier
/// is recovered again.
#[test]
fn the_journal_goes_last() {
    for (row, plan) in plans() {
        let ours = PlanPath::from(&our_journal());
        let theirs = PlanPath::from(&legacy_journal_name(&canonical()));
        let all = ops(&plan);
        let gone = |op: &&Op| match op {
            Op::Remove { files } => files.contains(&ours) || files.contains(&theirs),
            Op::Rename { from, .. } => *from == ours || *from == theirs,
            _ => false,
        };
        if (plan.journal.is_none() && plan.kind == PlanKind::Clean) || row.contains("foreign") {
            continue;
        }
        let undo: Vec<&Op> = plan.undo.iter().map(|step| &step.op).collect();
        let endings = match plan.kind {
            PlanKind::Undo => vec![all],
            _ if undo.is_empty() => vec![all],
            _ => vec![all[..plan.steps.len()].to_vec(), undo],
        };
        for all in endings {
            let at = all
                .iter()
                .position(gone)
                .unwrap_or_else(|| panic!("{row}: the journal stays for ever"));
            assert_eq!(all[at + 1..], [&Op::SyncDir { companion: None }], "{row}");
            assert_eq!(
                *all[at - 1],
                Op::SyncDir { companion: None },
                "{row}: what was done is durable first"
            );
        }
    }
}

#[test]
fn canonical_is_never_removed_and_replaced_only_by_a_flip_or_by_the_backup() {
    for (row, plan) in plans() {
        let main = PlanPath::from(&canonical());
        for (undo, steps) in [(false, &plan.steps), (true, &plan.undo)] {
            for (index, step) in steps.iter().enumerate() {
                let flip = !undo && plan.flip_at.is_some_and(|flip| flip as usize == index);
                match &step.op {
                    Op::Remove { files } => assert!(!files.contains(&main), "{row}"),
                    Op::Rename { from, to } | Op::RenameNew { from, to } if *to == main => {
                        assert!(flip || *from == PlanPath::from(&our_names().backup), "{row}");
                        // The legacy daemon moved v1 away, and another program may have made a
                        // database under canonical's name since.
                        assert_eq!(
                            matches!(step.op, Op::RenameNew { .. }),
                            row.starts_with("the legacy"),
                            "{row}"
                        );
                    }
                    Op::Rename { from, to } if *from == main => {
                        assert_eq!(
                            *to,
                            PlanPath::from(&displaced_name(&canonical(), &cutover_world::nonce())),
                            "{row}"
                        );
                    }
                    _ => {}
                }
            }
        }
        let removes_backup = has(
            &plan,
            |op| matches!(op, Op::Remove { files } if files.contains(&PlanPath::from(&our_names().backup))),
        );
        assert_eq!(
            removes_backup,
            row.contains("directory copied") || plan.undo.iter().any(copy_goes),
            "{row}"
        );
        assert_eq!(
            plan.undo.iter().any(copy_goes),
            row.starts_with("page copy") && !row.contains("is v2") && !row.contains("not of this"),
            "{row}"
        );
    }
}

#[test]
fn a_recovery_continues_with_the_first_step_that_is_not_visible() {
    let links = |seen: &Observation| {
        let plan = planned(seen);
        (
            has(&plan, |op| matches!(op, Op::Link { .. })),
            has(
                &plan,
                |op| matches!(op, Op::Remove { files } if files.len() == 1 && files[0] == PlanPath::from(&our_names().backup)),
            ),
        )
    };
    let mut seen = built("data.db.install-3fa9c1d2");
    assert_eq!(links(&seen), (true, false), "no link yet");
    seen.files.insert(our_names().backup, v1());
    assert_eq!(links(&seen), (false, false), "the link is there");
    seen.files.insert(our_names().backup, database("12", JournalMode::Delete, 7));
    assert_eq!(
        links(&seen),
        (true, true),
        "a copied directory: a file of its own gives way to a link"
    );
    let plan = planned(&seen);
    let order: Vec<&str> = plan.steps.iter().map(|step| step.op.name()).take(12).collect();
    assert_eq!(
        order,
        [
            "sync-dir", "check", "detect", "look", "lock-v1", "check-v1", "remove", "link",
            "sync-dir", "absent", "rename", "absent"
        ]
    );
}

#[test]
fn v2_is_checked_before_it_is_installed() {
    for (row, plan) in plans() {
        let Some(flip) = plan.flip_at else { continue };
        let (from, pages) = match (
            &plan.steps[flip as usize].op,
            row.starts_with("the legacy"),
            row.starts_with("page copy"),
        ) {
            (Op::Rename { from, .. }, false, false) | (Op::RenameNew { from, .. }, true, false) => {
                (&from.name, false)
            }
            (Op::PageCopy { from, .. }, false, true) => (from, true),
            (other, ..) => panic!("{row}: {other:?}"),
        };
        let before = &plan.steps[..flip as usize];
        for op in [Op::Check { file: from.clone() }, Op::Detect { file: from.clone() }] {
            assert!(
                before.iter().any(|step| step.op == op && step.when.is_none()),
                "{row}: {op:?}"
            );
        }
        let after = &plan.steps[flip as usize + 1..];
        // The only sidecar of a page copy is its own, which SQLite takes away.
        let absent = after
            .iter()
            .position(|step| matches!(step.op, Op::Absent { .. }))
            .or(pages.then_some(0))
            .unwrap();
        let durable =
            after.iter().position(|step| step.op == Op::SyncDir { companion: None }).unwrap();
        let receipt =
            after.iter().position(|step| matches!(step.op, Op::WriteReceipt { .. })).unwrap();
        assert!(absent < receipt && durable < receipt, "{row}");
        assert!(
            plan.cleanup_from.unwrap() as usize > flip as usize + 1 + durable,
            "{row}: a v2 that is not durable is no success"
        );
    }
}

/// The legacy daemon's last rename may not be durable, so a failed directory fsync is an error, not a
/// warning.
#[test]
fn a_recovered_v2_is_not_served_before_it_is_durable() {
    for (row, plan) in plans() {
        if plan.kind == PlanKind::Finish {
            assert!(plan.cleanup_from.unwrap() > 0, "{row}");
        }
    }
}
