//! A list tells what the receipts know. A prune removes old backups, and never the newest whole
//! one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cutover::{BackupOptions, Outcome, Rule};

use super::{Bed, Calm, DAY_MS};
use crate::support::interrupt::Interrupt;
use crate::support::notes::{NOTES, rows};

#[test]
fn a_list_tells_what_the_receipts_know() {
    let bed = Bed::upgraded_with_companion();
    let backup = bed.backups().remove(0);
    let file = bed.path(backup.name.as_str());
    assert!(backup.whole && backup.started_ms > 1_700_000_000_000);
    assert_eq!(
        (backup.label.as_str(), backup.size),
        ("v1-v2", std::fs::metadata(&file).unwrap().len())
    );
    assert_eq!(bed.read(backup.companions.values().next().unwrap().as_str()), "of v1");
    std::fs::remove_file(format!("{}.json", file.display())).unwrap();
    let backup = bed.backups().remove(0);
    assert_eq!(
        (backup.whole, backup.why.as_deref()),
        (false, Some("there is no receipt beside it"))
    );
}

/// Upgrades, restores and upgrades again, which leaves two backups.
fn two_backups() -> Bed {
    let bed = Bed::upgraded("WAL");
    bed.restore().unwrap();
    bed.migrate(None);
    assert_eq!(bed.backups().len(), 2);
    bed
}

#[test]
fn a_prune_takes_the_old_ones_with_their_receipts() {
    let bed = two_backups();
    let old = bed.backups().remove(1).name;
    let prune = |rule| {
        cutover::prune_backups(
            &bed.path("data.db"),
            rule,
            &BackupOptions::default(),
            &mut Calm::default(),
        )
        .unwrap()
    };
    assert_eq!(
        prune(Rule { keep: None, older_than_ms: Some(3_600_000) }).removed.len(),
        0,
        "none is an hour old"
    );
    let result = prune(Rule { keep: Some(1), older_than_ms: None });
    assert_eq!((result.removed, result.left), (vec![bed.path(old.as_str())], vec![]));
    assert!(!bed.names().iter().any(|name| name.starts_with(old.as_str())));
    assert_eq!(prune(Rule { keep: Some(1), older_than_ms: None }).removed.len(), 0);
    bed.restore().unwrap();
}

#[test]
fn a_prune_by_age_takes_the_companions_backups_of_what_it_takes() {
    let bed = Bed::upgraded_with_companion();
    bed.age_newest(30);
    for days in [20, 10] {
        cutover::restore(&bed.path("data.db"), &bed.newest(), &bed.beside(), &mut Calm::default())
            .unwrap();
        cutover::migrate(&bed.with_companion(), &mut Calm::default()).unwrap();
        bed.age_newest(days);
    }
    let backups = bed.backups();
    assert!(
        backups.len() == 3
            && backups.iter().all(|backup| backup.whole && backup.companions.len() == 1),
        "{backups:?}"
    );
    let prune = |days: u64, options: &BackupOptions| {
        let rule = Rule { keep: None, older_than_ms: Some(days * DAY_MS) };
        cutover::prune_backups(&bed.path("data.db"), rule, options, &mut Calm::default()).unwrap()
    };
    // The newest backup stays at any age. So does a backup with a companion that the options do not
    // declare.
    for (days, left) in [(40, 3), (25, 2), (5, 1), (0, 1)] {
        if left < bed.backups().len() {
            let undeclared = prune(days, &BackupOptions::default());
            assert_eq!(
                (undeclared.removed.len(), undeclared.left.len()),
                (0, bed.backups().len() - left),
                "{days}"
            );
        }
        prune(days, &bed.beside());
        assert_eq!(bed.backups(), backups[..left], "{days}");
        let of_companion = |name: &String| name.starts_with("auth.json.v1-v2-");
        let mut expected: Vec<&str> = backups[..left]
            .iter()
            .flat_map(|backup| backup.companions.values())
            .map(cutover::planner::FileName::as_str)
            .collect();
        expected.sort_unstable();
        assert_eq!(
            bed.names().into_iter().filter(of_companion).collect::<Vec<_>>(),
            expected,
            "{days}"
        );
    }
    cutover::restore(&bed.path("data.db"), &bed.newest(), &bed.beside(), &mut Calm::default())
        .unwrap();
    assert_eq!(
        (rows(&bed.path("data.db"), "notes"), bed.read("auth.json").as_str()),
        (NOTES.map(str::to_owned).to_vec(), "of v1")
    );
}

#[test]
fn an_upgrade_that_prunes_and_is_killed_is_ended_by_a_start_that_prunes() {
    let [mut pruned, mut committed] = [0, 0];
    for at in (0..).step_by(3) {
        let bed = two_backups();
        bed.restore().unwrap();
        let path = bed.path("data.db");
        let options = bed.options().keep_backups(1);
        let mut host = Interrupt { at, seen: 0 };
        let killed = catch_unwind(AssertUnwindSafe(|| {
            cutover::migrate(&options, &mut host).map(drop).unwrap();
        }))
        .is_err();
        let journal = bed.names().iter().any(|name| name.ends_with("-cutover.json"));
        let result = cutover::migrate(&options, &mut Calm::default()).unwrap();
        assert_eq!(
            (rows(&path, "note"), result.warnings),
            (NOTES.map(str::to_owned).to_vec(), vec![]),
            "{at}"
        );
        let backups = bed.backups();
        assert!(backups.iter().all(|backup| backup.whole), "{at}: {backups:?}");
        assert_eq!(
            rows(&bed.path(backups[0].name.as_str()), "notes"),
            NOTES,
            "{at}: the newest is never pruned"
        );
        // Without a journal a start cannot know that an earlier one has not pruned.
        if journal || result.outcome == Outcome::Migrated {
            assert_eq!(backups.len(), 1, "{at}");
            pruned += 1;
            committed += usize::from(result.outcome != Outcome::Migrated);
        }
        if !killed {
            break;
        }
    }
    assert!(pruned > 8 && committed > 0, "{pruned}, {committed}");
}

#[test]
fn a_prune_that_is_killed_is_finished_by_the_next() {
    let rule = Rule { keep: Some(1), older_than_ms: None };
    for at in 0.. {
        let bed = two_backups();
        let (path, old) = (bed.path("data.db"), bed.backups().remove(1).name);
        let mut host = Interrupt { at, seen: 0 };
        let killed = catch_unwind(AssertUnwindSafe(|| {
            cutover::prune_backups(&path, rule, &BackupOptions::default(), &mut host).map(drop)
        }));
        assert!(
            bed.backups().iter().all(|backup| backup.whole),
            "{at}: every backup that is left is whole"
        );
        cutover::prune_backups(&path, rule, &BackupOptions::default(), &mut Calm::default())
            .unwrap();
        assert!(!bed.names().iter().any(|name| name.starts_with(old.as_str())), "{at}");
        if killed.is_ok() {
            assert!(at >= 4);
            break;
        }
    }
}

#[test]
fn an_upgrade_may_prune_and_a_prune_that_fails_is_a_warning() {
    let bed = Bed::upgraded("WAL");
    bed.restore().unwrap();
    assert_eq!(bed.migrate(Some(1)).warnings, []);
    assert_eq!(bed.backups().len(), 1);
    bed.restore().unwrap();
    // A directory cannot be removed as a file.
    let stays = bed.path(&format!("{}-shm", bed.backups()[0].name));
    std::fs::create_dir(&stays).unwrap();
    let mut host = Calm::default();
    let result = cutover::migrate(&bed.options().keep_backups(1), &mut host).unwrap();
    assert_eq!(
        (result.outcome, result.warnings[0].code.as_deref()),
        (Outcome::Migrated, Some("PRUNE"))
    );
    let message = &result.warnings[0].message;
    assert!(message.contains(stays.file_name().unwrap().to_str().unwrap()), "{message}");
    assert_eq!(host.warned, [result.warnings[0].message.clone()]);
    let directory = bed.0.path().canonicalize().unwrap();
    let directory = directory.to_str().unwrap().trim_start_matches(r"\\?\");
    assert!(message.contains(directory) && message.contains("next prune"), "{message}");
    // A start that upgrades nothing prunes nothing.
    assert_eq!(bed.migrate(Some(1)).warnings, []);
    // A backup that is not whole is named by its path, with what may become of it.
    std::fs::remove_dir(&stays).unwrap();
    bed.restore().unwrap();
    bed.migrate(None);
    let old = bed.backups().pop().unwrap().name;
    std::fs::remove_file(bed.path(&format!("{old}.json"))).unwrap();
    bed.restore().unwrap();
    let result = bed.migrate(Some(1));
    let message = &result.warnings[0].message;
    let path = format!("{directory}{}{old} is not pruned", std::path::MAIN_SEPARATOR);
    assert!(message.starts_with(&path) && message.contains("once"), "{message}");
}

/// A planted name with the largest time is neither the newest of the list nor of a prune, and the
/// next upgrade's backup is.
#[test]
fn a_planted_name_does_not_decide_which_backup_is_newest() {
    for receipt in ["none", "torn", "another's"] {
        let bed = Bed::upgraded("WAL");
        let real = bed.backups().remove(0);
        let planted = format!("data.db.v1-v2-{}-deadbeef", u64::MAX);
        std::fs::copy(bed.path(real.name.as_str()), bed.path(&planted)).unwrap();
        let text = match receipt {
            "none" => None,
            "torn" => Some("{ torn".to_owned()),
            _ => Some(bed.read(&format!("{}.json", real.name))),
        };
        if let Some(text) = text {
            std::fs::write(bed.path(&format!("{planted}.json")), text).unwrap();
        }
        assert_eq!(bed.backups()[0].name, real.name, "{receipt}");
        // The sample of the guide: the newest is restored.
        bed.restore().unwrap();
        let result = bed.migrate(Some(1));
        let [newest, other] = &bed.backups()[..] else { panic!("{:?}", bed.backups()) };
        assert_eq!(result.backup.unwrap(), bed.path(newest.name.as_str()), "{receipt}");
        let year_3000 = 32_503_680_000_000;
        assert!(newest.whole && newest.started_ms < year_3000, "{receipt}: {newest:?}");
        assert_eq!((other.name.as_str(), other.whole), (planted.as_str(), false), "{receipt}");
    }
}

/// A clock was wrong once: the backup of that upgrade has a time that lies ahead. The next upgrade's
/// backup is newer all the same, and a prune keeps the newest of before as well.
#[test]
fn a_clock_that_was_wrong_once_costs_no_backup() {
    let bed = two_backups();
    bed.move_newest(|ms| ms + 3650 * DAY_MS);
    let [ahead, real] = &bed.backups()[..] else { panic!("{:?}", bed.backups()) };
    bed.restore().unwrap();
    let result = bed.migrate(Some(1));
    let names: Vec<_> = bed.backups().into_iter().map(|backup| backup.name).collect();
    let [newest, kept] = &names[..] else { panic!("{names:?}") };
    assert_eq!(result.backup.unwrap(), bed.path(newest.as_str()));
    assert!(newest != &ahead.name && *kept == real.name, "{names:?}");
}
