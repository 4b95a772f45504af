//! Where the answer says that v1 and v2 are.

use super::*;

#[test]
fn v1_and_v2_are_said_to_be_where_they_are() {
    let kept = journal(Phase::Committed).receipt(NOW_MS).to_text();
    let backup = our_names().backup;
    let told = |observation: Observation, receipts: &[(FileName, &str)]| {
        let mut made = bundle(observation, unchecked(), None);
        made.receipts =
            receipts.iter().map(|(name, text)| (name.clone(), Some((*text).to_owned()))).collect();
        let found = text(&made.to_text());
        (found.v1, found.v2)
    };
    let check = |what: &str,
                 (v1, v2): (Place, Place),
                 first: (Option<&str>, &str),
                 second: (Option<&str>, &str)| {
        for (place, (file, says)) in [(v1, first), (v2, second)] {
            assert_eq!(place.file.as_deref(), file, "{what}: {}", place.says);
            assert!(place.says.contains(says), "{what}: {}", place.says);
        }
    };
    let with_receipt = |mut observation: Observation| {
        observation.files.insert(backup.clone(), v1());
        observation.files.insert(receipt_name(&backup), plain("9", 500));
        observation
    };
    let without = |mut observation: Observation, name: &FileName| {
        observation.files.remove(name);
        observation
    };
    let receipts = [(receipt_name(&backup), kept.as_str())];
    let ours = Some(backup.as_str());

    // After an upgrade a program removed data.db, or wrote over it.
    let gone = with_receipt(without(settled(), &canonical()));
    check(
        "gone",
        told(gone.clone(), &receipts),
        (ours, "kept as"),
        (None, "It was data.db, which is missing"),
    );
    check("gone, no receipt", told(gone.clone(), &[]), (ours, "may be"), (None, "cannot be told"));
    let mut restored = gone;
    restored.files.insert(name("data.db.displaced-0badcafe"), v2());
    check(
        "set aside",
        told(restored, &receipts),
        (ours, "kept as"),
        (Some("data.db.displaced-0badcafe"), "set aside"),
    );
    let mut over = with_receipt(settled());
    over.files.insert(canonical(), plain("1", 4096));
    check("written over", told(over, &receipts), (ours, "kept as"), (None, "no longer a database"));
    let mut log = without(settled(), &canonical());
    check("nothing", told(log.clone(), &[]), (None, "no backup"), (None, "There is no v2"));
    log.files.insert(name("data.db-wal"), plain("8", 8272));
    check("a log alone", told(log, &[]), (None, "no backup"), (None, "cannot be told"));

    // Each phase of a legacy upgrade, by the files that it had moved.
    let (old, staged) = (name("data.db.v1-v2-900-0f0f0f0f"), name("data.db.building-0f0f0f0f"));
    let legacy = |phase: &str, there: &[&FileName], has: bool| {
        let mut observation = if has { settled() } else { without(settled(), &canonical()) };
        put_journal(
            &mut observation,
            &name("data.db.v1-v2-migration.json"),
            &legacy_journal(phase),
        );
        observation.files.extend(there.iter().map(|name| ((*name).clone(), v2())));
        told(observation, &[])
    };
    let (moved, ready) = (Some(old.as_str()), Some(staged.as_str()));
    check(
        "building",
        legacy("building", &[&staged], true),
        (Some("data.db"), "had not moved"),
        (None, "not complete"),
    );
    check(
        "built",
        legacy("built", &[&staged], true),
        (Some("data.db"), "had not moved"),
        (ready, "not installed"),
    );
    for phase in ["built", "canonical-moved"] {
        check(
            "between the renames",
            legacy(phase, &[&old, &staged], false),
            (moved, "moved it there"),
            (ready, "the next start checks it"),
        );
        check(
            "a new one in the gap",
            legacy(phase, &[&old, &staged], true),
            (moved, "moved it there"),
            (ready, "No record says"),
        );
        check(
            "renamed",
            legacy(phase, &[&old], true),
            (moved, "moved it there"),
            (Some("data.db"), "moved it there"),
        );
    }
    check(
        "renamed, then gone",
        legacy("committed", &[&old], false),
        (moved, "moved it there"),
        (None, "It was data.db"),
    );
    check(
        "v1 is gone",
        legacy("built", &[&staged], false),
        (None, "It was data.db"),
        (ready, "should be complete"),
    );

    // An upgrade with cutover. Another program removes the files that are missing.
    let install = our_names().install;
    let of = |phase: Phase| {
        let mut observation = interrupted(&journal(phase));
        observation.files.insert(install.clone(), v2());
        observation
    };
    let built = Some(install.as_str());
    check(
        "not flipped",
        told(of(Phase::Built), &[]),
        (Some("data.db"), "unchanged"),
        (built, "not installed"),
    );
    check(
        "v2 removed",
        told(without(of(Phase::Built), &install), &[]),
        (Some("data.db"), "unchanged"),
        (None, "missing"),
    );
    let mut flipped = without(of(Phase::Built), &install);
    flip(&mut flipped);
    check(
        "flipped",
        told(flipped.clone(), &[]),
        (ours, "receipt is not written"),
        (Some("data.db"), "as it was checked"),
    );
    check(
        "flipped, gone",
        told(without(flipped.clone(), &canonical()), &[]),
        (ours, "It is"),
        (None, "It was data.db"),
    );
    flipped.files.insert(canonical(), database("2", JournalMode::Wal, 4));
    flipped.files.get_mut(&canonical()).unwrap().page1 = None;
    check("flipped, used", told(flipped, &[]), (ours, "It is"), (Some("data.db"), "It is data.db"));
    let mut written = of(Phase::Built);
    written.files.insert(canonical(), database("1", JournalMode::Delete, 8));
    check(
        "v1 written to",
        told(written.clone(), &receipts),
        (Some("data.db"), "written to"),
        (built, "not installed"),
    );
    // The backup of an older upgrade is not the backup of this one.
    let older = name("data.db.v0-v1-900-0f0f0f0f");
    written.files.insert(older, plain("7", 8192));
    check(
        "beside an older backup",
        told(written, &[]),
        (Some("data.db"), "written to"),
        (built, "not installed"),
    );
    let mut copied = of(Phase::Installing);
    copied.files.insert(backup.clone(), v1());
    copied.files.insert(canonical(), database("3", JournalMode::Delete, 9));
    check("a page copy", told(copied, &[]), (ours, "It is"), (built, "may be installed already"));
}

/// The journal of a restore has v1 and v2 exchanged.
#[test]
fn of_an_interrupted_restore_v1_and_v2_are_not_mixed_up() {
    let mut restore = journal(Phase::Built);
    restore.strategy = Strategy::Restore;
    let aside = name("data.db.displaced-3fa9c1d2");
    let told = |is: FileFacts, aside_is_there: bool| {
        let mut observation = interrupted(&restore);
        observation.files.insert(canonical(), is);
        if aside_is_there {
            observation.files.insert(aside.clone(), v1());
        }
        let found = of(observation, unchecked());
        (found.v1.file, found.v2.file)
    };
    let here = Some("data.db".to_owned());
    assert_eq!(told(v2(), true), (here.clone(), Some(aside.to_string())), "restored");
    assert_eq!(told(v1(), false), (None, here), "not yet");
}
