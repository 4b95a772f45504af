//! The explorer's mutants, judged by `validate`: whatever is taken out of a plan, or swapped with
//! its neighbour, is found, or it is known why it makes no crash state worse, or why a plan alone
//! cannot tell.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use cutover_core::fault::Platform;
use cutover_core::journal::Phase;
use cutover_core::observe::Observation;
use cutover_core::page1::JournalMode;
use cutover_core::plan::{By, From, Plan, Request, plan_migration, plan_recovery};
use cutover_core::validate::{RULES, validate};
use cutover_explore::matrix;
use cutover_explore::mutate::{self, Mutant};

use crate::held::killed_in_the_copy;
use crate::recovery::seen_plans;
use cutover_world::{
    auth, canonical, database, directory, flip, interrupted, journal, label, name, new_nonce,
    request, v1, v2, with_auth, with_companion,
};

/// A plan, and the directory it was made from where that is known.
struct Made {
    plan: Plan,
    seen: Option<Observation>,
}

/// The plans of the explorer's starts and of the field's, and those of the tests of plans, which
/// know their directory.
fn plans() -> &'static [Made] {
    static PLANS: LazyLock<Vec<Made>> = LazyLock::new(|| {
        let mut distinct: Vec<Made> = Vec::new();
        for made in make_plans() {
            let same = |other: &Made| {
                let (a, b) = (&other.plan, &made.plan);
                other.seen == made.seen
                    && (a.kind, &a.steps, &a.undo) == (b.kind, &b.steps, &b.undo)
                    && phase_of(a) == phase_of(b)
            };
            if !distinct.iter().any(same) {
                distinct.push(made);
            }
        }
        distinct
    });
    &PLANS
}

fn phase_of(plan: &Plan) -> Option<(Phase, Vec<bool>)> {
    plan.journal.as_ref().map(|journal| {
        (journal.phase, journal.companions.iter().map(|c| c.before.is_some()).collect())
    })
}

fn make_plans() -> Vec<Made> {
    let settings: Vec<_> = matrix::mutants().into_iter().chain(matrix::field()).collect();
    let mut made: Vec<Made> = mutate::plans(&settings)
        .into_iter()
        .flatten()
        .map(|plan| Made { plan, seen: None })
        .collect();
    made.extend(seen_plans().into_iter().map(|(_, seen, plan)| Made { plan, seen: Some(seen) }));
    let seen = killed_in_the_copy();
    made.extend(
        plan_recovery(&seen, &label(), &new_nonce())
            .unwrap()
            .map(|plan| Made { plan, seen: Some(seen) }),
    );
    for platform in [Platform::Linux, Platform::Windows] {
        made.extend(make_migrations(platform));
        made.extend(make_recoveries(platform));
    }
    made
}

fn make_migrations(platform: Platform) -> Vec<Made> {
    let mut made = Vec::new();
    for (by, from) in [
        (By::Sql, From::Empty),
        (By::Sql, From::Copy),
        (By::Host, From::Empty),
        (By::Host, From::Copy),
    ] {
        for (verify, companion) in [(false, false), (false, true), (true, false), (true, true)] {
            for mode in [JournalMode::Delete, JournalMode::Wal] {
                let mut seen = if companion { with_auth(directory()) } else { directory() };
                seen.platform = platform;
                seen.files.insert(canonical(), database("1", mode, 7));
                let plan = plan_migration(&seen, &Request { verify, ..request(by, from) }).unwrap();
                made.push(Made { plan, seen: Some(seen) });
            }
        }
    }
    made
}

fn make_recoveries(platform: Platform) -> Vec<Made> {
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
                        made.push(Made { plan, seen: Some(seen) });
                    }
                }
            }
        }
    }
    made
}

/// What a plan alone cannot tell, and why: held against the directory it is found, which is proven
/// for at least one plan of each.
const DIRECTORY: [(&str, &[&str]); 7] = [
    (
        "whether canonical has a log, which may hold v2 unflushed",
        &["Finish steps: without sync-file data.db-wal"],
    ),
    (
        "whether the backup's name is v1's link, another file's, or free",
        &["Finish steps: without link backup", "Finish steps: without remove backup"],
    ),
    ("whether v1 changed at the flip", &["Undo steps: without rename data.db from backup"]),
    ("whether v1 is in the backup alone", &["Undo undo: without rename-new data.db from backup"]),
    ("whether v1 has a log beside its backup", &["Undo steps: without settle backup"]),
    (
        "whether canonical has sidecars",
        &[
            "Clean steps: without rename displaced-wal from data.db-wal",
            "Finish steps: without remove data.db-shm",
            "Finish steps: without rename displaced-wal from data.db-wal",
        ],
    ),
    (
        "whether the companion that the field wrote is there",
        &[
            "Finish undo: without link auth.json.displaced-*",
            "Finish undo: without rename auth.json.displaced-* from auth.json",
            "Undo undo: without link auth.json.displaced-*",
            "Undo undo: without rename auth.json.displaced-* from auth.json",
        ],
    ),
];

#[test]
fn every_mutant_is_found_or_makes_no_difference() {
    let (mut met, mut proven) = (BTreeSet::new(), BTreeSet::new());
    let mut survivors = BTreeSet::new();
    let (mut plans_changed, mut mutants) = (0, 0);
    for Made { plan, seen } in plans() {
        plans_changed += 1;
        for mutant in Mutant::all(std::slice::from_ref(plan)) {
            let mutated = mutant.apply(plan.clone());
            assert_ne!(&mutated, plan, "{mutant}");
            mutants += 1;
            let words = mutant.to_string();
            met.insert(words.clone());
            let findings = validate(&mutated, None);
            let ruled = |rule: &str, severity| RULES.contains(&(rule, severity));
            assert!(
                findings.iter().all(|found| ruled(&found.rule, found.severity)),
                "{findings:#?}"
            );
            let found_there = seen.as_ref().map(|seen| !validate(&mutated, Some(seen)).is_empty());
            if (!findings.is_empty() && found_there != Some(false)) || mutant.equivalent().is_some()
            {
                continue;
            }
            match DIRECTORY.iter().find(|(_, mutants)| mutants.contains(&words.as_str())) {
                Some((why, _)) if found_there != Some(false) => {
                    proven.extend(found_there.map(|_| *why));
                }
                _ => drop(survivors.insert(words)),
            }
        }
    }
    assert!(survivors.is_empty(), "{survivors:#?}");
    met.extend(Mutant::rows().iter().map(ToString::to_string));
    let idle: Vec<&str> = Mutant::explained()
        .chain(DIRECTORY.iter().flat_map(|(_, mutants)| mutants.iter().copied()))
        .filter(|words| !met.contains(*words))
        .collect();
    assert!(idle.is_empty(), "these name no mutant any more: {idle:#?}");
    assert_eq!(proven.len(), DIRECTORY.len(), "a plan proves each: {proven:?}");
    assert!(plans_changed > 300 && mutants > 18000, "{plans_changed} plans, {mutants} mutants");
}

/// What the explorer and the field make passes, too; [`crate::validate`] has the rest.
#[test]
fn every_plan_that_is_changed_here_passes() {
    for Made { plan, seen } in plans() {
        assert_eq!(validate(plan, None), [], "{:?}", plan.kind);
        assert_eq!(validate(plan, seen.as_ref()), [], "{:?}", plan.kind);
    }
}
