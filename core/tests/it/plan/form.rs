//! The reader takes a plan only in its versioned, bounded form: these tests write each of our plans
//! and read it back, with and without a fault.

use cutover_core::{MAX_STEPS, Op, Plan, ReadError, Step};
use serde_json::{Value, json};

use crate::recovery;
use cutover_world::{canonical, migrations};

use super::{main_plan, refused};

#[test]
fn every_plan_of_ours_passes_and_is_read_back() {
    let plans: Vec<(String, Plan)> = migrations().into_iter().chain(recovery::plans()).collect();
    assert!(plans.len() > 45, "{}", plans.len());
    for (name, plan) in plans {
        plan.check().unwrap_or_else(|error| panic!("{name}: {error}"));
        let text = plan.to_text();
        let read = Plan::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.to_text(), text, "{name}: byte by byte");
        assert_eq!(read, plan, "{name}");
        assert!(
            plan.steps.iter().chain(&plan.undo).all(|step| step.why.len() > 10),
            "{name}: each step says why"
        );
    }
}

#[test]
fn the_form_is_versioned_and_bounded() {
    let plan = main_plan();
    let mut value = serde_json::to_value(&plan).unwrap();
    value["version"] = 2.into();
    assert_eq!(
        Plan::parse(&value.to_string()).unwrap_err(),
        ReadError::TooNew { found: 2, known: 1 }
    );
    value["version"] = 0.into();
    assert_eq!(
        Plan::parse(&value.to_string()).unwrap_err(),
        ReadError::TooOld { found: 0, known: 1 }
    );
    for pointer in ["", "/steps/0", "/steps/0/do", "/journal", "/journal/names"] {
        let mut value = serde_json::to_value(&plan).unwrap();
        value.pointer_mut(pointer).unwrap()["more"] = json!(1);
        assert!(
            Plan::parse(&value.to_string()).unwrap_err().to_string().contains("unknown field"),
            "{pointer}"
        );
    }
    let mut newer = serde_json::to_value(&plan).unwrap();
    newer["journal"]["version"] = 3.into();
    assert!(
        Plan::parse(&newer.to_string()).is_err(),
        "its journal would be unreadable here at the next start"
    );
    let mut long = plan.clone();
    long.steps.extend(std::iter::repeat_n(
        Step { op: Op::Release {}, why: "again".into(), when: None },
        MAX_STEPS,
    ));
    assert!(refused(&long).contains("more than 1000 steps"));
    let mut hostile = plan;
    hostile.journal.as_mut().unwrap().names.backup = canonical();
    assert!(refused(&hostile).contains("names.backup"));
}

/// The JSON that both bindings and the page go by.
#[test]
fn a_step_looks_like_this() {
    let plan = main_plan();
    let value = serde_json::to_value(&plan).unwrap();
    assert_eq!(
        value["steps"][1]["do"],
        json!({ "op": "write-journal", "file": "data.db.v1-v2-cutover.json.tmp-3fa9c1d2", "phase": "building" })
    );
    assert_eq!(value["steps"][0]["when"], Value::Null);
    let guards: Vec<&Value> = value["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| &step["when"])
        .filter(|when| !when.is_null())
        .collect();
    assert_eq!(*guards[0], json!({ "if": "staging-held" }));
    assert!(guards.contains(&&json!({ "if": "companion-staged", "companion": "auth" })));
    assert_eq!(value["flipAt"], plan.flip_at.unwrap());
}

/// Every op and guard reads back as it was written, and takes no field of another, no array for an
/// object and no kind that is none.
#[test]
fn ops_are_read_strictly() {
    let fields = json!({
        "file": "x", "from": "x", "to": "x", "link": "x", "of": "x", "v1": "x", "source": "x", "staging": "x", "files": [],
        "companion": "auth", "mode": "wal", "phase": "built", "mustBeSame": true,
    });
    let mut kinds = std::collections::BTreeSet::new();
    for (form, plan) in migrations() {
        for step in plan.steps.iter().chain(&plan.undo) {
            let written = serde_json::to_value(step).unwrap();
            let read = |value: &serde_json::Value| {
                serde_json::from_str::<cutover_core::Step>(&value.to_string())
            };
            assert_eq!(read(&written).unwrap(), *step, "{form}");
            if !kinds.insert(step.op.name()) {
                continue;
            }
            for (name, value) in fields.as_object().unwrap() {
                let mut more = written.clone();
                if more["do"].get(name).is_none() {
                    more["do"][name] = value.clone();
                    assert!(
                        read(&more).unwrap_err().to_string().contains(name.as_str()),
                        "{} takes {name}",
                        step.op.name()
                    );
                }
                let mut less = written.clone();
                let there = less["do"].as_object_mut().unwrap().remove(name).is_some();
                // Without a companion it is the database's own directory.
                let optional = step.op.name() == "sync-dir";
                assert_eq!(
                    read(&less).is_err(),
                    there && !optional,
                    "{} without {name}",
                    step.op.name()
                );
            }
            let mut other = written.clone();
            other["do"]["op"] = json!("format-disk");
            assert!(read(&other).unwrap_err().to_string().contains("format-disk"));
        }
    }
    assert!(kinds.len() >= 20, "{kinds:?}");
}
