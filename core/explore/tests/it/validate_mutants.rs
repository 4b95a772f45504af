//! Mutants of plans, judged by `validate`. Each removed, swapped or changed step is found from the
//! plan alone, or a listed reason says why it cannot be. With the directory and the request, each
//! is found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use cutover_core::{
    BuildBy, BuildFrom, Finding, Guard, JournalMode, Observation, Phase, Plan, Platform, Request,
    Step, displaced_name, plan_migration, plan_recovery, validate, validate_request,
};
use cutover_explore::{Mutant, PlanChange as _, Scenario, made_of, scenarios};

use crate::held::killed_in_the_copy;
use crate::recovery::seen_plans;
use cutover_world::{
    auth, canonical, database, directory, flip, interrupted, journal, label, name, new_nonce,
    request, v1, v2, with_auth, with_companion,
};

/// A plan, its observation, and its request.
struct Made {
    plan: Plan,
    seen: Observation,
    request: Request,
}

impl Made {
    fn alone(&self, plan: &Plan) -> Vec<Finding> {
        assert_ne!(*plan, self.plan);
        validate(plan, None)
    }

    fn there(&self, plan: &Plan) -> Vec<Finding> {
        validate_request(plan, Some(&self.seen), Some(&self.request))
    }
}

/// The plans of the explorer's scenarios, and the plans of core's tests.
fn plans() -> &'static [Made] {
    static PLANS: LazyLock<Vec<Made>> = LazyLock::new(|| {
        let mut told = BTreeSet::new();
        let mut all = make_plans();
        // Several directories may lead to one plan.
        all.retain(|made| told.insert(serde_json::to_string(&(&made.plan, &made.seen)).unwrap()));
        all
    });
    &PLANS
}

fn make_plans() -> Vec<Made> {
    let recovery = |seen: Observation, plan| {
        let request = request(BuildBy::Sql, BuildFrom::Empty);
        Made { plan, seen, request }
    };
    let scenarios = [
        scenarios::mutants(),
        scenarios::legacy(),
        scenarios::kept(),
        scenarios::kept_on_windows(),
        scenarios::adopted(),
    ]
    .concat();
    let mut all: Vec<Made> = scenarios.iter().flat_map(explored).collect();
    all.extend(seen_plans().into_iter().map(|(_, seen, plan)| recovery(seen, plan)));
    let seen = killed_in_the_copy();
    let plan = plan_recovery(&seen, &label(), &new_nonce()).unwrap().unwrap();
    all.push(recovery(seen, plan));
    for platform in [Platform::Linux, Platform::Windows] {
        all.extend(make_migrations(platform));
        all.extend(make_recoveries(platform).into_iter().map(|(seen, plan)| recovery(seen, plan)));
    }
    all
}

fn explored(scenario: &Scenario) -> Vec<Made> {
    let Scenario { by, from, verify, .. } = *scenario;
    let request = Request { verify, ..request(by, from) };
    let made = made_of(scenario).into_iter();
    // A start that could not undo everything plans by what it remembers of that.
    made.filter_map(|made| {
        Some(Made { plan: made.plan, seen: made.seen?, request: request.clone() })
    })
    .collect()
}

fn make_migrations(platform: Platform) -> Vec<Made> {
    let mut made = Vec::new();
    for (by, from) in [
        (BuildBy::Sql, BuildFrom::Empty),
        (BuildBy::Sql, BuildFrom::Copy),
        (BuildBy::Host, BuildFrom::Empty),
        (BuildBy::Host, BuildFrom::Copy),
    ] {
        for (verify, companion) in [(false, false), (false, true), (true, false), (true, true)] {
            for (mode, can_link) in
                [(JournalMode::Delete, true), (JournalMode::Wal, true), (JournalMode::Wal, false)]
            {
                let seen = if companion { with_auth(directory()) } else { directory() };
                let mut seen = Observation { platform, can_link, ..seen };
                seen.files.insert(canonical(), database("1", mode, 7));
                let request = Request { verify, ..request(by, from) };
                made.push(Made { plan: plan_migration(&seen, &request).unwrap(), seen, request });
            }
        }
    }
    made
}

fn make_recoveries(platform: Platform) -> Vec<(Observation, Plan)> {
    let mut made = Vec::new();
    for phase in [Phase::Building, Phase::Built, Phase::Committed] {
        for linked in [false, true] {
            for flipped in [false, true] {
                for present in [
                    &["staged", "backup", "kept"][..],
                    &["staged", "backup"],
                    &["backup"],
                    &["staged"],
                    &[],
                ] {
                    let mut journal = with_companion(journal(phase), true);
                    for before in [true, false] {
                        if !before {
                            journal.companions[0].before = None;
                        }
                        let mut seen = with_auth(Observation { platform, ..interrupted(&journal) });
                        seen.files.insert(journal.names.install.clone(), v2());
                        if linked {
                            seen.files.insert(journal.names.backup.clone(), v1());
                        }
                        let beside = &mut seen.companions.get_mut(&auth()).unwrap().present;
                        for what in present {
                            beside.push(name(match *what {
                                "staged" => "auth.json.building-3fa9c1d2",
                                "backup" => "auth.json.v1-v2-3fa9c1d2",
                                _ => "auth.json.displaced-3fa9c1d2",
                            }));
                        }
                        if flipped {
                            flip(&mut seen);
                        }
                        let plan = plan_recovery(&seen, &label(), &new_nonce()).unwrap().unwrap();
                        made.push((seen, plan));
                    }
                }
            }
        }
    }
    made
}

/// What a plan alone cannot tell, and why: without the step it is the right plan of another case.
const ALONE: [(&str, &[&str]); 10] = [
    ("whether v2 starts as a copy was asked for", &["Migrate steps: without copy staging"]),
    ("whether SQLite checks v1 was asked for", &["Migrate steps: without check-pages data.db"]),
    (
        "whether the application looks at v2 was asked for",
        &[
            "Migrate steps: without verify-host install",
            "Migrate steps: without verify-host staging",
        ],
    ),
    (
        "whether the backup that is adopted has a log",
        &[
            "Adopt steps: without copy journal.tmp-journal",
            "Adopt steps: without copy journal.tmp-wal",
        ],
    ),
    (
        "whether an interrupted flip gave v1 its second name",
        &["LeaveZombie steps: without remove-link backup"],
    ),
    (
        "whether canonical has a log, which may hold v2 unflushed",
        &["Finish steps: without sync-file data.db-wal"],
    ),
    (
        "whether the backup's name is v1's link, another file's, or free",
        &["Finish steps: without link backup", "Finish steps: without remove backup"],
    ),
    (
        "whether what a restore set aside is still a copy of canonical",
        &["Undo undo: without remove displaced"],
    ),
    (
        "whether canonical has sidecars",
        &[
            "Finish steps: without remove data.db-shm",
            "Finish steps: without rename displaced-wal from data.db-wal",
        ],
    ),
    (
        "whether the companion that the legacy upgrade wrote is there",
        &[
            "Finish undo: without rename auth.json.displaced-* from auth.json",
            "Undo undo: without rename auth.json.displaced-* from auth.json",
        ],
    ),
];

#[test]
fn every_plan_is_accepted() {
    for made in plans() {
        assert_eq!(validate(&made.plan, None), [], "{:?}", made.plan.kind);
        assert_eq!(made.there(&made.plan), [], "{:?}", made.plan.kind);
    }
}

#[test]
fn every_missing_or_misplaced_step_is_found() {
    let (mut met, mut survivors, mut mutants) = (BTreeSet::new(), BTreeMap::new(), 0);
    for made in plans() {
        for mutant in Mutant::all(std::slice::from_ref(&made.plan)) {
            let (mutated, words) = (mutant.apply(made.plan.clone()), mutant.to_string());
            mutants += 1;
            let listed = ALONE.iter().find(|(_, mutants)| mutants.contains(&words.as_str()));
            // A fault that the plan alone shows is found with its directory as well.
            if made.alone(&mutated).is_empty() {
                if listed.is_none() {
                    *survivors.entry(format!("alone: {words}")).or_insert(0) += 1;
                }
                if made.there(&mutated).is_empty() {
                    *survivors.entry(format!("there: {words}")).or_insert(0) += 1;
                }
            }
            met.insert(words);
        }
    }
    assert!(survivors.is_empty(), "{survivors:#?}");
    met.extend(Mutant::rows().iter().map(ToString::to_string));
    let idle: Vec<&str> = Mutant::explained()
        .chain(ALONE.iter().flat_map(|(_, mutants)| mutants.iter().copied()))
        .filter(|words| !met.contains(*words))
        .collect();
    assert!(idle.is_empty(), "these no longer name a mutant: {idle:#?}");
    assert!(plans().len() > 650 && mutants > 40_000, "{} plans, {mutants}", plans().len());
}

#[test]
fn every_other_change_is_found() {
    let mut mutants = 0;
    for made in plans() {
        for (what, mutated) in changed(&made.plan) {
            mutants += 1;
            assert_ne!(made.alone(&mutated), [], "{:?} {what}", made.plan.kind);
        }
    }
    assert!(mutants > 32_000, "{mutants}");
}

/// Each step with another guard, each mark moved, and each name replaced by another.
fn changed(plan: &Plan) -> Vec<(String, Plan)> {
    let mut all = Vec::new();
    for mark in 0..2 {
        let is = [plan.flip_at, plan.cleanup_from][mark];
        for to in [None, Some(is.map_or(0, |at| at + 1)), is.and_then(|at| at.checked_sub(1))] {
            if to != is {
                let mut other = plan.clone();
                *[&mut other.flip_at, &mut other.cleanup_from][mark] = to;
                all.push((format!("mark {mark}: {to:?}"), other));
            }
        }
    }
    for undo in [false, true] {
        let list = if undo { &plan.undo } else { &plan.steps };
        for (index, step) in list.iter().enumerate() {
            let guard = match &step.when {
                Some(_) => None,
                None => Some(Guard::StagingHeld {}),
            };
            let others = names_exchanged(plan, step);
            let guarded = Step { when: guard, ..step.clone() };
            for other in others.into_iter().chain([guarded]) {
                let what = format!("undo={undo} {index}: {:?} {:?}", other.op, other.when);
                let mut changed = plan.clone();
                (if undo { &mut changed.undo } else { &mut changed.steps })[index] = other;
                all.push((what, changed));
            }
        }
    }
    all
}

/// The step with each of its names replaced by another name of the plan.
fn names_exchanged(plan: &Plan, step: &Step) -> Vec<Step> {
    let Some(journal) = &plan.journal else { return Vec::new() };
    let names = &journal.names;
    let aside = displaced_name(&names.canonical, &journal.nonce);
    let ring =
        [&names.canonical, &names.backup, &names.install, &names.source, &names.staging, &aside];
    let text = serde_json::to_string(step).unwrap();
    let mut all = Vec::new();
    for (at, name) in ring.iter().enumerate() {
        let other = ring[(at + 1) % ring.len()];
        let exchanged = text.replace(&format!("\"{name}\""), &format!("\"{other}\""));
        if exchanged != text {
            all.push(serde_json::from_str(&exchanged).unwrap());
        }
    }
    all
}
