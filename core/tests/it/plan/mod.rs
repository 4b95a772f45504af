//! A plan from elsewhere is hostile input: it names files to be removed and renamed. These tests
//! check that the validator passes our plans and refuses each planted fault.

mod files;
mod flip;
mod form;
mod planner;

use cutover_core::{
    BuildBy, BuildFrom, Op, Plan, PlanPath, Step, plan_migration, validate, validate_text,
};

use cutover_world::{directory, request, with_auth};

fn main_plan() -> Plan {
    plan_migration(&with_auth(directory()), &request(BuildBy::Host, BuildFrom::Empty)).unwrap()
}

fn at(text: &str) -> PlanPath {
    PlanPath::try_from(text.to_owned()).unwrap()
}

fn refused(plan: &Plan) -> String {
    let findings = validate(plan, None);
    assert_eq!(validate_text(&plan.to_text(), None), findings, "its text is judged alike");
    assert_ne!(findings, []);
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The main plan with one op put first, behind the flip and into the undo: refused wherever it
/// stands.
fn refused_everywhere(op: &Op) {
    let plan = main_plan();
    let step = Step { op: op.clone(), why: "planted".into(), when: None };
    for (field, index) in [("steps", 0), ("steps", plan.flip_at.unwrap() as usize + 1), ("undo", 3)]
    {
        let mut bad = plan.clone();
        if field == "steps" {
            bad.steps.insert(index, step.clone());
            if index == 0 {
                bad.flip_at = bad.flip_at.map(|at| at + 1);
            }
            bad.cleanup_from = bad.cleanup_from.map(|at| at + 1);
        } else {
            bad.undo.insert(index, step.clone());
        }
        let said = refused(&bad);
        assert!(said.contains(&format!("{field}[{index}]")), "{op:?}: {said}");
        let strangers = ["passwords", "00000000", "other.db", "lock", "undeclared", "id_ed25519"];
        if strangers.iter().any(|name| format!("{op:?}").contains(name)) {
            // Before anything is planned from it.
            let error = bad.check().unwrap_err();
            assert_eq!(Plan::parse(&bad.to_text()), Err(error), "the reader says the same");
        }
    }
}
