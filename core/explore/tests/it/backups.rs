//! Restores and prunes: no plan but the right one is accepted, and a fault in one is caught.

use cutover_core::names::At;
use cutover_core::op::Op;
use cutover_core::plan::{Plan, PlanKind};
use cutover_core::validate::validate;
use cutover_explore::mutate::{Mutant, plans};
use cutover_explore::trial::{Fate, Trial};
use cutover_explore::{Setting, Shape, matrix};

/// Every plan of the explorer's restores and prunes.
fn explored() -> Vec<Plan> {
    plans(&matrix::kept().into_iter().chain(matrix::kept_on_windows()).collect::<Vec<_>>()).concat()
}

#[test]
fn no_plan_but_its_own_is_performed() {
    let mut tried = 0;
    for plan in explored() {
        assert_eq!(validate(&plan, None), []);
        for list in 0..2 {
            let steps =
                |plan: &Plan| if list == 0 { plan.steps.clone() } else { plan.undo.clone() };
            for at in 0..steps(&plan).len() {
                let mut without = steps(&plan);
                let gone = without.remove(at);
                let mut swapped = steps(&plan);
                let swaps = at + 1 < swapped.len() && swapped[at].op != swapped[at + 1].op;
                if swaps {
                    swapped.swap(at, at + 1);
                }
                for steps in [without, swapped].into_iter().take(1 + usize::from(swaps)) {
                    let bad = if list == 0 {
                        Plan { steps, ..plan.clone() }
                    } else {
                        Plan { undo: steps, ..plan.clone() }
                    };
                    // A recovery that finishes need not install a companion, nor a prune remove one
                    // more backup: the plan alone cannot tell.
                    let aside = |files: &[At]| {
                        files.len() == 1 && files[0].name.as_str().contains(".displaced-")
                    };
                    let fewer = match (bad.kind, &gone.op) {
                        (PlanKind::Prune, Op::Remove { .. }) => true,
                        // Nor does it tell whether somebody wrote to v2, so that the copy of it
                        // stays.
                        (PlanKind::Undo, Op::Remove { files }) => aside(files),
                        _ => false,
                    };
                    assert!(
                        fewer || !validate(&bad, None).is_empty(),
                        "{:?} without {}",
                        bad.kind,
                        gone.op.name()
                    );
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

fn start(shape: Shape) -> Vec<Setting> {
    matrix::kept()
        .into_iter()
        .filter(|setting| setting.shape == shape && setting.companion.is_some())
        .collect()
}

#[test]
fn a_fault_in_a_restore_or_a_prune_is_caught() {
    let planted = [
        // v2's other name is not durable before canonical's name leaves it.
        (Shape::RestoreSettled, "Restore steps: without sync-dir (3)", "I2"),
        (Shape::RestoreSettled, "Restore steps: without link displaced", "I2"),
        // v2's rows are in its log, which would stand beside v1.
        (Shape::RestoreWalRows, "Restore steps: without settle data.db", "I5"),
        (Shape::RestoreSettled, "Restore steps: without settle install", "I10"),
        // Its companion's backup is gone for good, and the backup is not.
        (Shape::Prune, "Prune steps: without sync-dir (2)", "I2"),
    ];
    for (shape, words, rule) in planted {
        let settings = start(shape);
        let plans = plans(&settings);
        let all = Mutant::all(&plans.concat());
        let told: Vec<String> = all.iter().map(ToString::to_string).collect();
        let mutant = all.into_iter().find(|mutant| mutant.to_string() == words);
        let mutant = mutant.unwrap_or_else(|| panic!("{words} is none of {told:#?}"));
        let Fate::Caught(bad) = Trial::new(&settings).fate(&mutant) else {
            panic!("{words} is not caught")
        };
        assert_eq!(bad.violation.rule, rule, "{words}: {}", bad.violation.what);
    }
}
