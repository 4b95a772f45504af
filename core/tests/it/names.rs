use cutover_core::{
    self, CompanionName, FileName, Label, MAX_NAME_BYTES, Names, Nonce, PlanPath, Role,
    companion_backup_name, companion_backup_tmp_name, companion_staged_name, displaced_name,
    is_displaced, is_journal_aside, journal_aside_name, journal_tmp_name, legacy_journal_name,
};
use proptest::prelude::*;

use crate::arbitrary;
use cutover_world::{canonical, label, name, nonce, our_names};

proptest! {
    /// Every name that the grammar makes is read back as what it is, whatever the database and the label are called. So no two of them
    /// are ever the same name.
    #[test]
    fn every_name_is_read_back_as_its_role((names, label, nonce, ms) in arbitrary::names()) {
        let canonical = &names.canonical;
        let backup = Role::Backup { label: label.clone(), started_ms: ms, nonce: nonce.clone() };
        let sets = [
            (canonical.clone(), Role::Canonical),
            (names.source.clone(), Role::Source(nonce.clone())),
            (names.staging.clone(), Role::Staging(nonce.clone())),
            (names.install.clone(), Role::Install(nonce.clone())),
            (names.backup.clone(), backup),
            (displaced_name(canonical, &nonce), Role::Displaced(nonce.clone())),
        ];
        for (file, role) in sets {
            for sidecar in file.sidecars() {
                prop_assert_eq!(Role::of(canonical, &sidecar), Some(Role::Sidecar(Box::new(role.clone()))), "{}", sidecar);
            }
            prop_assert_eq!(Role::of(canonical, &file), Some(role), "{}", file);
        }
        let journal = cutover_core::journal_name(canonical, &label);
        for (file, role) in [
            (names.receipt(), Role::Receipt),
            (journal.clone(), Role::Journal(label.clone())),
            (journal_tmp_name(canonical, &label, &nonce), Role::JournalTmp(label.clone(), nonce.clone())),
            (journal_aside_name(&journal, &nonce), Role::JournalAside),
            (legacy_journal_name(canonical), Role::LegacyJournal),
            (journal_aside_name(&legacy_journal_name(canonical), &nonce), Role::JournalAside),
            (cutover_core::owner_lock_name(canonical), Role::Lock),
            (cutover_core::cutover_lock_name(canonical), Role::Lock),
        ] {
            prop_assert_eq!(Role::of(canonical, &file), Some(role), "{}", file);
        }
        prop_assert!(names.check(&label, &nonce, false).is_ok());
    }

    /// Two databases in one directory, the name of one beginning with the other's: neither takes the other's files for its own.
    #[test]
    fn files_of_the_database_beside_it_are_not_ours(
        (ours, label, nonce, ms) in arbitrary::names(),
        more in prop::sample::select(vec![".db", "2", ".sqlite3", "-old", ".v1", ".bak"]),
    ) {
        let other = FileName::new(format!("{}{more}", ours.canonical)).unwrap();
        prop_assume!(other.as_str().len() < 150);
        let names = Names::new(&other, &label, &nonce, ms).unwrap();
        let journal = cutover_core::journal_name(&other, &label);
        let files = [&names.canonical, &names.source, &names.staging, &names.install, &names.backup, &displaced_name(&other, &nonce)];
        let all = files.into_iter().flat_map(FileName::set).chain([
            names.receipt(), journal_tmp_name(&other, &label, &nonce), journal_aside_name(&journal, &nonce), legacy_journal_name(&other),
            cutover_core::owner_lock_name(&other), cutover_core::cutover_lock_name(&other), journal,
        ]);
        for file in all {
            prop_assert_eq!(Role::of(&ours.canonical, &file), None, "{}", file);
        }
    }

    /// Made names are bare file names that a file system takes: read back from text they are accepted.
    #[test]
    fn every_name_that_is_made_is_accepted((names, label, nonce, _) in arbitrary::names()) {
        let journal = cutover_core::journal_name(&names.canonical, &label);
        let made = names.backup.set().into_iter().chain(displaced_name(&names.canonical, &nonce).set()).chain([
            names.receipt(),
            journal_tmp_name(&names.canonical, &label, &nonce),
            journal_aside_name(&journal, &nonce),
            journal_aside_name(&legacy_journal_name(&names.canonical), &nonce),
        ]);
        for file in made {
            prop_assert_eq!(FileName::new(file.as_str()), Ok(file));
        }
    }

    /// A name of another attempt, label or database proves nothing for this one.
    #[test]
    fn names_of_another_cutover_are_refused((names, label, nonce, ms) in arbitrary::names(), (other, other_label, other_nonce, _) in arbitrary::names()) {
        prop_assume!(nonce != other_nonce && label != other_label && names.canonical != other.canonical);
        let foreign_nonce = Names::new(&names.canonical, &label, &other_nonce, ms).unwrap();
        let foreign_label = Names::new(&names.canonical, &other_label, &nonce, ms).unwrap();
        prop_assert!(foreign_nonce.check(&label, &nonce, false).is_err());
        prop_assert_eq!(foreign_label.check(&label, &nonce, false).unwrap_err().what, "names.backup");
        for (field, mixed) in [
            ("names.source", Names { source: foreign_nonce.source, ..names.clone() }),
            ("names.staging", Names { staging: foreign_nonce.staging, ..names.clone() }),
            ("names.install", Names { install: foreign_nonce.install, ..names.clone() }),
            ("names.backup", Names { backup: foreign_nonce.backup, ..names.clone() }),
            ("names.source", Names { source: names.canonical.clone(), ..names.clone() }),
            ("names.install", Names { install: names.backup.clone(), ..names.clone() }),
        ] {
            prop_assert_eq!(mixed.check(&label, &nonce, false).unwrap_err().what, field);
        }
    }

    /// Arbitrary text is taken as a file name only when it is one component; it never panics.
    #[test]
    fn a_file_name_is_one_component(text in any::<String>()) {
        if let Ok(file) = FileName::new(text.clone()) {
            prop_assert!(!text.contains(['/', '\\', '\0', '\n']) && !["", ".", ".."].contains(&text.as_str()));
            prop_assert!(text.len() <= MAX_NAME_BYTES);
            prop_assert_eq!(file.as_str(), text.as_str());
        }
        let _ = (Label::new(text.clone()), Nonce::new(text.clone()), CompanionName::new(text.clone()), PlanPath::try_from(text));
    }

    #[test]
    fn a_place_is_read_back((companion, file) in (proptest::option::of("[a-zA-Z0-9_-]{1,32}"), arbitrary::canonical())) {
        let at = PlanPath { companion: companion.map(|companion| CompanionName::new(companion).unwrap()), name: file };
        prop_assert_eq!(PlanPath::try_from(at.to_string()), Ok(at));
    }
}

#[test]
fn the_names_of_sets_and_backups_are_those_of_the_legacy_daemon() {
    let names = our_names();
    assert_eq!(names.source.as_str(), "data.db.source-3fa9c1d2");
    assert_eq!(names.staging.as_str(), "data.db.building-3fa9c1d2");
    assert_eq!(names.install.as_str(), "data.db.install-3fa9c1d2");
    assert_eq!(names.backup.as_str(), "data.db.v1-v2-1782718800000-3fa9c1d2");
    assert_eq!(names.receipt().as_str(), "data.db.v1-v2-1782718800000-3fa9c1d2.json");
    assert_eq!(
        cutover_core::journal_name(&canonical(), &label()).as_str(),
        "data.db.v1-v2-cutover.json"
    );
    assert_eq!(
        journal_tmp_name(&canonical(), &label(), &nonce()).as_str(),
        "data.db.v1-v2-cutover.json.tmp-3fa9c1d2"
    );
    assert_eq!(legacy_journal_name(&canonical()).as_str(), "data.db.v1-v2-migration.json");
    assert_eq!(cutover_core::owner_lock_name(&canonical()).as_str(), "data.db.owner-lock");
    assert_eq!(cutover_core::cutover_lock_name(&canonical()).as_str(), "data.db.cutover-lock");
    assert_eq!(
        cutover_core::companion_lock_name(&FileName::new("auth.json").unwrap()).as_str(),
        "auth.json.cutover-lock"
    );
    let auth = name("auth.json");
    assert_eq!(
        companion_backup_name(&auth, &label(), &nonce()).as_str(),
        "auth.json.v1-v2-3fa9c1d2"
    );
    assert_eq!(
        companion_backup_tmp_name(&auth, &label(), &nonce()).as_str(),
        "auth.json.v1-v2-3fa9c1d2.tmp"
    );
    assert_eq!(companion_staged_name(&auth, &nonce()).as_str(), "auth.json.building-3fa9c1d2");
    assert_eq!(
        canonical().set().map(|file| file.to_string()),
        ["data.db", "data.db-wal", "data.db-shm", "data.db-journal"]
    );
}

#[test]
fn what_is_no_file_name_is_refused_with_why() {
    let long = "ä".repeat(128);
    for (text, why) in [
        ("", "empty"),
        (".", "directory"),
        ("..", "directory"),
        ("a/b", "path"),
        ("../data.db", "path"),
        ("/data.db", "path"),
        ("C:\\data.db", "path"),
        ("..\\data.db", "path"),
        ("a\0b", "control"),
        ("a\nb", "control"),
        ("a\u{7f}", "control"),
        (long.as_str(), "255"),
    ] {
        let error = FileName::new(text).unwrap_err();
        assert!(error.why.contains(why), "{text:?}: {error}");
        assert!(
            serde_json::from_value::<FileName>(text.into()).is_err(),
            "{text:?} came in through JSON"
        );
    }
    assert!(FileName::new("ä".repeat(127)).is_ok());
}

#[test]
fn labels_and_nonces_keep_to_their_letters() {
    let long = "a".repeat(33);
    for text in
        ["", "V1", "v1_v2", "v1/v2", "-v1", "v1-", "v1.2", ".v1", "v1.", "v1 v2", "ä", &long]
    {
        assert!(Label::new(text).is_err(), "{text:?}");
    }
    for word in ["source", "building", "install", "owner", "cutover", "displaced", "aside"] {
        assert!(Label::new(word).unwrap_err().why.contains("in file names itself"), "{word}");
    }
    for text in ["", "3fa9c1d", "3fa9c1d22", "3FA9C1D2", "3fa9c1dg", "3fa9 1d2", "../../ab"] {
        assert!(Nonce::new(text).is_err(), "{text:?}");
    }
    assert_eq!(Nonce::from_number(0x2a).as_str(), "0000002a");
}

/// Files that other programs, other databases or people put there.
#[test]
fn what_is_not_ours_has_no_role() {
    for text in [
        "data.db2",
        "data.dbx-wal",
        "other.db",
        "data.db.bak",
        "data.db.json",
        "data.db.v1-v2-1782718800000-3fa9c1d2.txt",
        "data.db.v1-v2-01782718800000-3fa9c1d2",
        "data.db.v1-v2-+1-3fa9c1d2",
        "data.db.v1-v2-18446744073709551616-3fa9c1d2",
        "data.db.v1-v2-1782718800000-3FA9C1D2",
        "data.db.v1-v2--3fa9c1d2",
        "data.db.1-3fa9c1d2",
        "data.db.building-3fa9c1d",
        "data.db.building-3fa9c1d2.tmp",
        "data.db.building-3fa9c1d2-wal-wal",
        "data.db.V1-cutover.json",
        "data.db.v1-v2-cutover.json.tmp-",
        "data.db.v1-v2-cutover.json.aside-xyz",
        "data.db.v1-v2-cutover.json-wal",
        "data.db.owner-lock-wal",
        "data.db..building-3fa9c1d2",
        "data.db-backup",
        "Data.db",
    ] {
        assert_eq!(Role::of(&canonical(), &name(text)), None, "{text}");
    }
    assert_eq!(Role::of(&canonical(), &name("data.db.owner-lock-journal")), Some(Role::Lock));
}

#[test]
fn a_database_name_that_leaves_no_room_is_refused_before_anything_is_made() {
    let fits = |length: usize, label: &Label| {
        Names::new(&name(&"a".repeat(length)), label, &nonce(), u64::MAX).is_ok()
    };
    for label in [Label::new("v").unwrap(), label(), Label::new("a".repeat(32)).unwrap()] {
        let most = (1..=255).rev().find(|length| fits(*length, &label)).unwrap();
        assert!((1..=most).all(|length| fits(length, &label)));
        let canonical = name(&"a".repeat(most));
        let names = Names::new(&canonical, &label, &nonce(), u64::MAX).unwrap();
        let longest =
            names.backup.set().into_iter().chain(displaced_name(&canonical, &nonce()).set()).chain(
                [
                    names.receipt(),
                    journal_tmp_name(&canonical, &label, &nonce()),
                    journal_aside_name(&cutover_core::journal_name(&canonical, &label), &nonce()),
                    journal_aside_name(&legacy_journal_name(&canonical), &nonce()),
                ],
            );
        assert!(longest.map(|file| file.as_str().len()).max().unwrap() <= MAX_NAME_BYTES);
        assert!(most >= 150, "{most} bytes are little for a name");
    }
}

/// A database that a restore set aside, and that a person opens, holds a word of the grammar in its
/// own name.
#[test]
fn what_is_kept_under_another_name_is_told_by_both_names() {
    let opened = name("x.displaced-1a2b3c4d");
    let names = Names::new(&opened, &label(), &nonce(), 1).unwrap();
    for to in [&names.backup, &names.staging, &names.receipt(), &opened] {
        assert!(!is_displaced(&opened, to), "{to}");
    }
    assert!(is_displaced(&opened, &displaced_name(&opened, &nonce())));
    let [wal, aside_wal] =
        [&opened, &displaced_name(&opened, &nonce())].map(|file| file.sidecars()[0].clone());
    assert!(is_displaced(&wal, &aside_wal));
    assert!(!is_displaced(&wal, &displaced_name(&opened, &nonce())));
    let journal = cutover_core::journal_name(&opened, &label());
    assert!(is_journal_aside(&journal, &journal_aside_name(&journal, &nonce())));
    assert!(!is_journal_aside(&opened, &journal_aside_name(&journal, &nonce())));
}
