//! Whether the data is safe: what proves it, and what takes the proof away.

use super::*;

#[test]
fn a_sound_database_is_safe_and_an_unread_one_is_not_called_so() {
    let sound = of(settled(), Check::Sound);
    assert_eq!((sound.kind, sound.safety), (Kind::Bundle, Safety::Safe), "{}", sound.because);
    assert!(sound.reply.starts_with("Your data was safe on "), "{}", sound.reply);
    let unread = of(settled(), unchecked());
    assert_eq!(unread.safety, Safety::CannotTell, "{}", unread.because);
    assert!(unread.reply.contains("cannot tell yet") && !unread.reply.contains("is safe"));
    let damaged = of(settled(), Check::Damaged { problems: 3 });
    assert_eq!(damaged.safety, Safety::NotSafe);
    assert!(
        damaged.because.contains("3 problems") && damaged.reply.contains("do not delete"),
        "{}",
        damaged.reply
    );
}

#[test]
fn an_interrupted_upgrade_is_safe_only_if_its_pages_were_read() {
    for phase in [Phase::Building, Phase::Built] {
        let mut observation = interrupted(&journal(phase));
        observation.files.insert(our_names().install, v2());
        observation.verdict = None;
        let found = of(observation.clone(), unchecked());
        assert_eq!(found.safety, Safety::CannotTell, "a header proves no page");
        assert!(found.because.contains("header and size of the v1"), "{}", found.because);
        let found = of(observation.clone(), Check::Sound);
        assert_eq!(found.safety, Safety::Safe, "{phase:?}: {}", found.because);
        assert_eq!(found.v1.file.as_deref(), Some("data.db"));
        let kind = serde_json::to_value(found.plan.as_ref().unwrap().kind).unwrap();
        assert_eq!(kind, if phase == Phase::Built { "finish" } else { "undo" });
        assert!(found.findings.is_empty());
        // A later write, a log, and a rollback journal: what the journal recorded says less.
        let mut changed = observation.clone();
        changed.files.insert(canonical(), database("1", JournalMode::Delete, 8));
        let mut logged = observation.clone();
        logged.files.insert(name("data.db-wal"), plain("8", 4152));
        let mut hot = observation.clone();
        hot.files.insert(name("data.db-journal"), plain("8", 512));
        for other in [changed, logged, hot] {
            let found = of(other.clone(), unchecked());
            assert_eq!(found.safety, Safety::CannotTell, "{}", found.because);
            assert_eq!(of(other, Check::Sound).safety, Safety::Safe);
        }
    }
}

#[test]
fn v2_in_place_is_safe_and_v1_is_the_backup() {
    let mut observation = interrupted(&journal(Phase::Built));
    flip(&mut observation);
    observation.verdict = None;
    assert_eq!(of(observation.clone(), unchecked()).safety, Safety::CannotTell);
    let found = of(observation.clone(), Check::Sound);
    assert_eq!(
        (found.safety, found.v2.file.as_deref()),
        (Safety::Safe, Some("data.db")),
        "{}",
        found.because
    );
    assert_eq!(found.v1.file.as_deref(), Some(our_names().backup.as_str()));
    // The receipt alone, after the journal is gone.
    let written = journal(Phase::Committed).receipt(NOW_MS).to_text();
    observation.journals.clear();
    observation.files.remove(&our_journal());
    let mut made = bundle(observation, Check::Sound, None);
    made.receipts.insert(receipt_name(&our_names().backup), Some(written));
    let found = text(&made.to_text());
    assert_eq!((found.safety, found.backups.len()), (Safety::Safe, 1), "{}", found.because);
    assert_eq!(found.v1.file.as_deref(), Some(our_names().backup.as_str()));
}

#[test]
fn what_is_missing_is_not_safe() {
    let mut missing = settled();
    missing.files.remove(&canonical());
    let nothing = of(missing.clone(), unchecked());
    assert_eq!(nothing.safety, Safety::CannotTell, "{}", nothing.because);
    missing.files.insert(name("data.db-wal"), plain("8", 8272));
    let orphan = of(missing.clone(), unchecked());
    assert!(
        orphan.safety == Safety::NotSafe && orphan.because.contains("deletes"),
        "{}",
        orphan.because
    );
    assert!(orphan.action.contains("copy the whole folder"));
    missing.files.remove(&name("data.db-wal"));
    missing.files.insert(our_names().backup, v1());
    assert_eq!(of(missing.clone(), unchecked()).safety, Safety::NotSafe);
    // A missing file has no pages, whatever the check claims.
    assert_eq!(of(missing, Check::Sound).safety, Safety::NotSafe);
    let mut stranger = settled();
    stranger.files.insert(canonical(), plain("1", 4096));
    assert_eq!(of(stranger, Check::Sound).safety, Safety::NotSafe);
}

/// A sound database proves nothing where it may be a new one, with the rows in the files beside it.
#[test]
fn a_database_that_may_be_new_is_not_called_safe() {
    let mut gap = settled();
    put_journal(
        &mut gap,
        &name("data.db.v1-v2-migration.json"),
        &legacy_journal("canonical-moved"),
    );
    gap.files.insert(name("data.db.v1-v2-900-0f0f0f0f"), database("5", JournalMode::Delete, 9));
    assert_eq!(of(gap.clone(), Check::Sound).safety, Safety::Safe, "staging has become canonical");
    gap.files.insert(name("data.db.building-0f0f0f0f"), v2());
    let mut unread = settled();
    put_journal(&mut unread, &our_journal(), "{");
    assert_eq!(
        of(unread.clone(), Check::Sound).safety,
        Safety::Safe,
        "there is nothing else that could be it"
    );
    unread.files.insert(our_names().backup, v1());
    let mut bare = settled();
    let mut bytes = header_bytes(JournalMode::Delete, 7);
    bytes[43] = 0;
    bare.files.get_mut(&canonical()).unwrap().header =
        Some(cutover_core::Header::parse(&bytes).unwrap());
    bare.files.insert(our_names().backup, v1());
    for observation in [gap, unread, bare] {
        let found = of(observation, Check::Sound);
        assert_eq!(found.safety, Safety::CannotTell, "{}", found.because);
        assert!(found.because.contains("may be a new database"));
    }
}

#[test]
fn a_log_that_cannot_be_used_is_not_safe() {
    let mut observation = settled();
    observation.files.insert(canonical(), database("1", JournalMode::Wal, 7));
    observation.files.insert(name("data.db-wal"), plain("8", 4152));
    let found =
        text(&bundle(observation.clone(), unchecked(), Some(read_wal(&[1; 100], None))).to_text());
    assert!(found.safety == Safety::NotSafe && found.because.contains("log"), "{}", found.because);
    let found = text(&bundle(observation, unchecked(), None).to_text());
    assert_eq!(found.safety, Safety::CannotTell);
}

#[test]
fn a_process_that_holds_it_cannot_tell() {
    let mut observation = settled();
    observation.files.insert(canonical(), plain("1", 8192));
    observation.holders = vec![me()];
    let found = of(observation, unchecked());
    assert_eq!(found.safety, Safety::CannotTell);
    assert!(found.action.contains("Close the application"), "{}", found.action);
}

#[test]
fn a_journal_that_cannot_be_used_is_told() {
    let mut newer = settled();
    put_journal(&mut newer, &our_journal(), "{\"version\":99}");
    let found = of(newer, unchecked());
    assert_eq!(found.safety, Safety::CannotTell);
    assert!(found.next.contains("refuses") && found.next.contains("version 99"), "{}", found.next);
    assert!(
        found.action.to_lowercase().contains("nothing was touched")
            || found.action.contains("newer"),
        "{}",
        found.action
    );
}

#[test]
fn a_truncated_database_is_not_safe() {
    let mut observation = settled();
    let mut short = v1();
    short.size = 4096;
    observation.files.insert(canonical(), short);
    let found = of(observation, unchecked());
    assert!(
        found.safety == Safety::NotSafe && found.because.contains("cut short"),
        "{}",
        found.because
    );
}
