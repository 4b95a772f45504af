//! The rules of `validate`: every plan of ours passes, and each rule has a plan that breaks it.

use std::collections::BTreeSet;

use cutover_core::journal::Phase;
use cutover_core::names::{At, FileName};
use cutover_core::op::{Op, Step};
use cutover_core::plan::{Plan, PlanKind, plan_recovery};
use cutover_core::validate::{Severity, validate};

use crate::world::{directory, flip, interrupted, journal, label, me, migrations, new_nonce, plain, v1, v2, with_auth, with_companion};

fn errors(plan: &Plan) -> Vec<String> {
    validate(plan, None).into_iter().filter(|finding| finding.severity == Severity::Error).map(|finding| finding.rule).collect()
}

#[test]
fn every_plan_of_ours_passes() {
    for (name, plan) in migrations() {
        assert_eq!(validate(&plan, Some(&directory())), [], "{name}");
    }
}

#[test]
fn every_recovery_of_ours_passes() {
    let mut plans = 0;
    for phase in [Phase::Building, Phase::Built, Phase::Committed] {
        for companion in [false, true] {
            for flipped in [false, true] {
                for linked in [false, true] {
                    let journal = if companion { with_companion(journal(phase), true) } else { journal(phase) };
                    let mut observation = interrupted(&journal);
                    if companion {
                        observation = with_auth(observation);
                    }
                    let names = &journal.names;
                    observation.files.insert(names.install.clone(), v2());
                    if linked {
                        observation.files.insert(names.backup.clone(), v1());
                    }
                    if flipped {
                        flip(&mut observation);
                    }
                    let plan = plan_recovery(&observation, &label(), &new_nonce()).unwrap().unwrap();
                    let found: Vec<_> = validate(&plan, Some(&observation)).into_iter().filter(|f| f.severity == Severity::Error).collect();
                    assert_eq!(found, [], "{phase:?} companion={companion} flipped={flipped} linked={linked} {:?}", plan.kind);
                    plans += 1;
                }
            }
        }
    }
    assert_eq!(plans, 24);
}

/// The plan without one step, its indexes moved along.
fn without(plan: &Plan, at: usize) -> (Plan, Step) {
    let mut plan = plan.clone();
    let removed = plan.steps.remove(at);
    for index in [&mut plan.flip_at, &mut plan.cleanup_from].into_iter().flatten() {
        *index -= u32::from(at < *index as usize);
    }
    (plan, removed)
}

/// Steps that may be missing without a finding, each with the reason.
fn dispensable(step: &Step, by_host: bool) -> Option<&'static str> {
    match &step.op {
        Op::VerifyHost { .. } => Some("the application asks for it or not, and the plan does not say"),
        Op::Copy { from, .. } if !by_host && from.companion.is_none() => Some("nothing in a plan says whether v2 starts as a copy of v1"),
        Op::Look { .. } => Some("a second look stands before the same file is opened"),
        Op::LookCompanion { must_be_same: true, .. } => {
            Some("the one after the flip keeps what was changed; this one only builds anew from it")
        }
        Op::Remove { files } if !by_host && files[0].companion.is_none() => {
            Some("a build by SQL leaves no temporary file: staging was renamed")
        }
        _ => None,
    }
}

#[test]
fn every_step_that_is_taken_out_is_missed() {
    let mut rules = BTreeSet::new();
    let mut missed = Vec::new();
    for (name, plan) in migrations() {
        let by_host = plan.steps.iter().any(|step| matches!(step.op, Op::BuildHost { .. }));
        for at in 0..plan.steps.len() {
            let (less, removed) = without(&plan, at);
            let found: Vec<String> = validate(&less, None).into_iter().map(|finding| finding.rule).collect();
            if found.is_empty() && dispensable(&removed, by_host).is_none() {
                missed.push(format!("{name}: step {at} {:?}", removed.op));
            }
            rules.extend(found);
        }
        for at in 0..plan.undo.len() {
            let mut less = plan.clone();
            let removed = less.undo.remove(at).op;
            let companion = matches!(&removed, Op::LookCompanion { .. })
                || matches!(&removed, Op::SyncDir { companion: Some(_) })
                || removed.file().is_some_and(|file| file.companion.is_some());
            if !companion && errors(&less).is_empty() {
                missed.push(format!("{name}: undo {at} {removed:?}"));
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert!(rules.len() >= 15, "{rules:?}");
}

#[test]
fn an_order_that_can_cost_a_row_is_found() {
    let (_, plan) = migrations().into_iter().next().unwrap();
    let position = |found: &dyn Fn(&Op) -> bool| plan.steps.iter().position(|step| found(&step.op)).unwrap();
    let link = position(&|op| matches!(op, Op::Link { .. }));
    let flip = plan.flip_at.unwrap() as usize;
    let swapped = |a: usize, b: usize| {
        let mut plan = plan.clone();
        plan.steps.swap(a, b);
        plan
    };
    assert!(errors(&swapped(link, link + 1)).contains(&"backup-durable".to_owned()), "the flush before the link");
    assert!(!errors(&swapped(flip - 1, flip)).is_empty(), "the flip before the sidecars were read back");
    let lock = position(&|op| matches!(op, Op::LockV1 { .. }));
    assert!(errors(&swapped(lock, lock + 1)).contains(&"lock-and-check".to_owned()));
    let settle = position(&|op| matches!(op, Op::Settle { .. }));
    let build = position(&|op| matches!(op, Op::BuildSql { .. } | Op::BuildHost { .. }));
    assert!(errors(&swapped(settle, build)).contains(&"settle-before-read".to_owned()));
}

#[test]
fn the_directory_is_held_against_the_plan() {
    let (_, plan) = migrations().into_iter().find(|(_, plan)| plan.kind == PlanKind::Migrate).unwrap();
    let rules = |change: &dyn Fn(&mut cutover_core::observe::Observation)| {
        let mut observation = directory();
        change(&mut observation);
        validate(&plan, Some(&observation)).into_iter().map(|finding| finding.rule).collect::<Vec<_>>()
    };
    let names = &plan.journal.as_ref().unwrap().names;
    assert_eq!(rules(&|_| {}), Vec::<String>::new());
    assert_eq!(rules(&|o| o.holders = vec![me()]), ["held"]);
    assert_eq!(rules(&|o| o.free_bytes = Some(plan.needs_bytes - 1)), ["space"]);
    assert_eq!(rules(&|o| o.canonical = FileName::new("other.db").unwrap()), ["other-database"]);
    assert_eq!(rules(&|o| drop(o.files.insert(names.staging.clone(), plain("9", 1)))), ["name-taken"]);
    assert_eq!(
        rules(&|o| {
            let mut elsewhere = plain("9", 1);
            elsewhere.file_id = "ffff-9".into();
            o.files.values_mut().for_each(|facts| facts.file_id = "aaaa-1".into());
            o.files.insert(FileName::new("data.db.owner-lock").unwrap(), elsewhere);
        }),
        ["cross-volume"]
    );
    assert_eq!(rules(&|o| o.platform = cutover_core::fault::Platform::Macos), ["platform"]);
    let shouting = FileName::new(names.staging.as_str().to_ascii_uppercase()).unwrap();
    assert_eq!(
        rules(&|o| {
            o.platform = cutover_core::fault::Platform::Macos;
            o.files.insert(shouting.clone(), plain("9", 1));
        })
        .into_iter()
        .collect::<BTreeSet<_>>(),
        BTreeSet::from(["platform".to_owned(), "case-collision".to_owned()])
    );
}

#[test]
fn names_that_windows_refuses_are_found() {
    use cutover_core::plan::{By, From, plan_migration};
    for (name, refused) in [("nul.db", true), ("COM1", true), ("data.", true), ("a?b.db", true), ("data.db", false), ("null.db", false)] {
        let mut observation = directory();
        let canonical = FileName::new(name).unwrap();
        let facts = observation.files.remove(&observation.canonical).unwrap();
        observation.files.clear();
        observation.files.insert(canonical.clone(), facts);
        observation.canonical = canonical;
        observation.platform = cutover_core::fault::Platform::Windows;
        let plan = plan_migration(&observation, &crate::world::request(By::Sql, From::Empty)).unwrap();
        let found = validate(&plan, Some(&observation)).iter().any(|finding| finding.rule == "windows-name");
        assert_eq!(found, refused, "{name}");
    }
}

#[test]
fn a_plan_of_another_structure_is_one_finding() {
    let (_, mut plan) = migrations().into_iter().next().unwrap();
    plan.steps[0].op = Op::Remove { files: vec![At::from(&FileName::new("data.db").unwrap())] };
    assert_eq!(errors(&plan), ["structure"]);
}
