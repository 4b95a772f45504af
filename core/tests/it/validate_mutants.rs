//! The explorer's mutants, judged by `validate`: whatever is taken out of a plan, or swapped with its neighbour, is found, or it is known why it
//! makes no crash state worse, or why a plan alone cannot tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use cutover_core::explore::matrix;
use cutover_core::explore::mutate::{self, Mutant};
use cutover_core::fault::Platform;
use cutover_core::journal::Phase;
use cutover_core::observe::Observation;
use cutover_core::plan::{By, From, Plan, Request, plan_migration, plan_recovery};
use cutover_core::sqlite::JournalMode;
use cutover_core::validate::{RULES, validate};

use crate::recovery::seen_plans;
use crate::world::{
    auth, canonical, database, directory, flip, interrupted, journal, label, name, new_nonce, request, v1, v2, with_auth, with_companion,
};

/// A plan, and the directory it was made from where that is known.
struct Made {
    plan: Plan,
    seen: Option<Observation>,
}

/// The plans of the explorer's starts and of the field's, and those of the tests of plans, which know their directory.
fn plans() -> &'static [Made] {
    static PLANS: LazyLock<Vec<Made>> = LazyLock::new(|| {
        let mut distinct: Vec<Made> = Vec::new();
        for made in make_plans() {
            let same = |other: &Made| {
                let (a, b) = (&other.plan, &made.plan);
                other.seen == made.seen && (a.kind, &a.steps, &a.undo) == (b.kind, &b.steps, &b.undo) && phase_of(a) == phase_of(b)
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
    plan.journal.as_ref().map(|journal| (journal.phase, journal.companions.iter().map(|c| c.before.is_some()).collect()))
}

fn make_plans() -> Vec<Made> {
    let settings: Vec<_> = matrix::mutants().into_iter().chain(matrix::field()).collect();
    let mut made: Vec<Made> = mutate::plans(&settings).into_iter().flatten().map(|plan| Made { plan, seen: None }).collect();
    made.extend(seen_plans().into_iter().map(|(_, seen, plan)| Made { plan, seen: Some(seen) }));
    for platform in [Platform::Linux, Platform::Windows] {
        made.extend(make_migrations(platform));
        made.extend(make_recoveries(platform));
    }
    made
}

fn make_migrations(platform: Platform) -> Vec<Made> {
    let mut made = Vec::new();
    for (by, from) in [(By::Sql, From::Empty), (By::Sql, From::Copy), (By::Host, From::Empty), (By::Host, From::Copy)] {
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
                for present in [&["staged", "backup", "kept"][..], &["staged", "backup"], &["backup"], &["staged"], &[]] {
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

/// A mutant in words in which attempts, and their files, do not differ.
fn told(mutant: &Mutant) -> String {
    let words = mutant.to_string();
    // The nonce is left out already; of the milliseconds of the tests of plans the first eight digits are taken for one.
    let names = [
        ("data.db.v1-v2-1000-*", "backup"),
        ("data.db.v1-v2-900-*", "backup"),
        ("data.db.v1-v2-*00000-*", "backup"),
        ("data.db.v1-v2-cutover.json.tmp-*", "journal.tmp"),
        ("data.db.building-*", "staging"),
        ("data.db.install-*", "install"),
        ("data.db.source-*", "source"),
        ("data.db.displaced-*", "displaced"),
        ("auth/", ""),
    ];
    names.iter().fold(words, |words, (name, word)| words.replace(name, word))
}

/// Why `validate` finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// The change makes no crash state worse.
    Harmless(&'static str),
    /// A plan alone cannot tell; held against the directory it is found, which is proven for at least one plan.
    Directory(&'static str),
}

/// Every mutant without a finding, by kind, list, step and neighbour.
fn known() -> Vec<(Why, &'static [&'static str])> {
    use Why::{Directory, Harmless};
    vec![
        (
            Harmless("both only read, and nothing is changed between them"),
            &[
                "Finish steps: check staging after detect staging",
                "Finish steps: check install after detect install",
                "Finish steps: check-v1 data.db after look-companion auth.json",
                "Finish steps: detect staging after look data.db",
                "Finish steps: detect install after look data.db",
                "Migrate steps: check staging after detect staging",
                "Migrate steps: check install after detect install",
                "Migrate steps: check-v1 data.db after look-companion auth.json",
                "Migrate steps: detect staging after verify-host staging",
                "Migrate steps: detect install after verify-host install",
                "Migrate steps: look data.db (2) after look staging",
            ],
        ),
        (
            Harmless("one of them only reads what the other does not change, and both stay under v1's lock and before the flip"),
            &[
                "Finish steps: check-v1 data.db after sync-dir",
                "Finish steps: look-companion auth.json after link backup",
                "Finish steps: look-companion auth.json after sync-dir",
                "Finish steps: sync-dir (2) after absent data.db-wal",
                "Migrate steps: look-companion auth.json after link backup",
                "Migrate steps: sync-dir (3) after absent data.db-wal",
            ],
        ),
        (
            Harmless(
                "`detect` only reads, and the flush still stands before what relies on it: the journal's `built`, or the field's flip",
            ),
            &[
                "Finish steps: detect staging after sync-file staging",
                "Migrate steps: detect staging after sync-file staging",
                "Migrate steps: detect install after sync-file install",
            ],
        ),
        (
            Harmless("after the flip the read-back fails the start either way, before the application opens v2"),
            &[
                "Finish steps: absent data.db-wal after sync-dir",
                "Finish steps: absent data.db-wal (2) after sync-dir",
                "Migrate steps: absent data.db-wal (2) after sync-dir",
            ],
        ),
        (
            Harmless("both only read behind the flip; which of them stops the start only tells whether this one or the next puts v1 back"),
            &["Finish steps: check-v1 backup after absent data.db-wal", "Migrate steps: check-v1 backup after absent data.db-wal"],
        ),
        (
            Harmless("v2 may go while v1 is still locked: nobody else has anything to do with it"),
            &[
                "Finish undo: unlock-v1 after remove install",
                "Finish undo: unlock-v1 after remove staging",
                "Migrate undo: unlock-v1 after remove install",
                "Migrate undo: unlock-v1 after remove staging",
                "Undo undo: unlock-v1 after remove install",
                "Undo undo: unlock-v1 after remove staging",
            ],
        ),
        (
            Harmless("v1 is the backup by then, and the other step does not touch it: the lock may go a step later"),
            &[
                "Finish steps: unlock-v1 after look-companion auth.json",
                "Finish steps: unlock-v1 after remove journal.tmp",
                "Migrate steps: unlock-v1 after look-companion auth.json",
                "Migrate steps: unlock-v1 after write-receipt backup.json",
            ],
        ),
        (
            Harmless(
                "who writes to v1 once it is unlocked writes to the backup, flushed or not; where the rename is lost, v1 is canonical, \
                 differs from its fingerprint, and v2 is built anew",
            ),
            &["Finish steps: sync-dir (3) after unlock-v1", "Migrate steps: sync-dir (4) after unlock-v1"],
        ),
        (
            Harmless("one is the flush of a companion's directory; the other does nothing there, and relies on nothing there"),
            &[
                "Clean steps: sync-dir of the companion after cleanup-host",
                "Clean steps: sync-dir of the companion after remove journal.tmp",
                "Clean steps: sync-dir of the companion (2) after sync-dir",
                "Finish steps: sync-dir of the companion after check install",
                "Finish steps: sync-dir of the companion after remove journal.tmp",
                "Finish steps: sync-dir of the companion after sync-dir",
                "Finish steps: sync-dir of the companion (2) after sync-dir",
                "Finish steps: sync-dir of the companion (4) after sync-dir",
                "Migrate steps: sync-dir of the companion after settle data.db",
                "Migrate steps: sync-dir of the companion (3) after sync-dir",
                "Migrate steps: sync-dir of the companion (4) after sync-dir",
                "Finish undo: sync-dir of the companion (2) after remove-link backup",
                "Finish undo: sync-dir of the companion (3) after remove-link backup",
                "Migrate undo: sync-dir of the companion (2) after remove-link backup",
                "Migrate undo: sync-dir of the companion (3) after remove-link backup",
                "Undo undo: sync-dir of the companion (2) after remove-link backup",
                "Undo undo: sync-dir of the companion (3) after remove-link backup",
            ],
        ),
        (
            Harmless("neither needs the other, each may find its work done, and both are flushed before the journal goes"),
            &[
                "Clean steps: cleanup-host after remove source",
                "Clean steps: remove source after remove auth.json.building-*",
                "Clean steps: sync-file backup.json after cleanup-host",
                "Finish steps: cleanup-host after remove source",
                "Finish steps: remove source after remove auth.json.building-*",
                "Finish steps: rename backup-wal from data.db-wal after remove data.db-shm",
                "Finish steps: sync-file backup.json after cleanup-host",
                "Migrate steps: cleanup-host after remove source",
                "Migrate steps: remove source after remove auth.json.building-*",
                "Finish undo: remove-link backup after remove source",
                "Migrate undo: remove-link backup after remove source",
                "Undo undo: remove-link backup after remove source",
            ],
        ),
        (
            Harmless("only one of the two is performed: staging is held, or it is free"),
            &["Migrate steps: restage install after settle staging"],
        ),
        (
            Harmless("a journal that was being written when the look failed is removed by the undo, or by the next start"),
            &["Migrate steps: look data.db after write-journal journal.tmp building"],
        ),
        (
            Harmless("v1 is not opened before the look that stands before its lock; this one only refuses sooner"),
            &["Migrate steps: without look data.db (2)"],
        ),
        (
            Harmless("nothing was changed since the flush before it"),
            &[
                "Finish steps: without sync-dir",
                "Finish steps: without sync-dir (2)",
                "Finish steps: sync-dir (2) after settle backup",
                "Undo steps: without sync-dir",
                "Undo steps: without sync-dir (2)",
                "Undo steps: sync-dir (2) after settle backup",
            ],
        ),
        (
            Harmless("a recovery of the field's never took v1's lock, so there is none to let go of"),
            &["Finish undo: sync-dir after unlock-v1", "Undo undo: sync-dir after unlock-v1"],
        ),
        (
            Harmless("the companion has no backup, so nothing depends on what the look sees"),
            &[
                "Finish undo: look-companion auth.json after sync-dir of the companion",
                "Finish undo: without look-companion auth.json",
                "Undo undo: look-companion auth.json after sync-dir of the companion",
                "Undo undo: without look-companion auth.json",
            ],
        ),
        (
            Harmless("the application asks to look at v2 or does not; nothing in a plan says which"),
            &["Migrate steps: without verify-host staging", "Migrate steps: without verify-host install"],
        ),
        (
            Harmless("nothing in a plan says whether v2 starts as a copy of v1; SQL that needs its tables fails on an empty file"),
            &["Migrate steps: without copy staging"],
        ),
        (
            Harmless("a build by SQL leaves no temporary file beside the database: staging was renamed"),
            &["Migrate steps: without remove source"],
        ),
        (
            Directory("whether the backup's name is v1's link, another file's, or free"),
            &["Finish steps: without link backup", "Finish steps: without remove backup"],
        ),
        (Directory("whether v1 changed at the flip"), &["Undo steps: without rename data.db from backup"]),
        (
            Directory("whether canonical has sidecars"),
            &[
                "Clean steps: without rename displaced-wal from data.db-wal",
                "Finish steps: without remove data.db-shm",
                "Finish steps: without rename backup-wal from data.db-wal",
            ],
        ),
        (
            Directory("whether the companion that the field wrote is there"),
            &[
                "Finish undo: without link auth.json.displaced-*",
                "Finish undo: without rename auth.json.displaced-* from auth.json",
                "Undo undo: without link auth.json.displaced-*",
                "Undo undo: without rename auth.json.displaced-* from auth.json",
            ],
        ),
    ]
}

#[test]
fn every_mutant_is_found_or_known() {
    let known = known();
    let mut by_words = BTreeMap::new();
    for (why, words) in &known {
        for word in *words {
            assert_eq!(by_words.insert(*word, *why), None, "{word} is there twice");
        }
    }
    let (mut met, mut proven) = (BTreeSet::new(), BTreeSet::new());
    let mut survivors = BTreeSet::new();
    let (mut plans_changed, mut mutants) = (0, 0);
    for Made { plan, seen } in plans() {
        plans_changed += 1;
        for mutant in Mutant::all(std::slice::from_ref(plan)) {
            let mutated = mutant.apply(plan.clone());
            assert_ne!(&mutated, plan, "{mutant}");
            mutants += 1;
            let words = told(&mutant);
            let findings = validate(&mutated, None);
            let ruled = |rule: &str, severity| RULES.contains(&(rule, severity));
            assert!(findings.iter().all(|found| ruled(&found.rule, found.severity)), "{findings:#?}");
            let found_alone = !findings.is_empty();
            let found_there = seen.as_ref().map(|seen| !validate(&mutated, Some(seen)).is_empty());
            if found_alone && found_there != Some(false) {
                continue;
            }
            match by_words.get(words.as_str()) {
                None => drop(survivors.insert(words)),
                Some(Why::Harmless(_)) => drop(met.insert(words)),
                Some(Why::Directory(_)) if found_there == Some(false) => {
                    survivors.insert(format!("{words}, in its directory"));
                }
                Some(Why::Directory(why)) => {
                    met.insert(words);
                    proven.extend(found_there.map(|_| *why));
                }
            }
        }
    }
    assert!(survivors.is_empty(), "{survivors:#?}");
    let idle: Vec<&&str> = by_words.keys().filter(|words| !met.contains(**words)).collect();
    assert!(idle.is_empty(), "these match nothing any more: {idle:#?}");
    for (why, _) in &known {
        assert!(!matches!(why, Why::Directory(why) if !proven.contains(why)), "no plan proves {why:?}");
    }
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
