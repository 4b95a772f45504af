//! The two claims: the file is intact, and the rows are there.

use super::*;
use cutover_core::hex;
use cutover_support::{Shm, WalHeader, WalState};

fn holding(rows: u64) -> Content {
    Content { tables: 1, rows }
}

/// A v2 in use, with the backup of v1 and its receipt. Its header is not that of the receipt.
fn used(rows: u64) -> Bundle {
    let mut observation = settled();
    let page1 = Some("of a later write".to_owned());
    let used = FileFacts { page1, ..database("2", JournalMode::Wal, 40) };
    observation.files.insert(canonical(), used);
    observation.files.insert(our_names().backup, v1());
    observation.files.insert(receipt_name(&our_names().backup), plain("9", 500));
    let mut made = bundle(observation, Check::Sound, None);
    let receipt = journal(Phase::Committed).receipt(NOW_MS).to_text();
    made.receipts.insert(receipt_name(&our_names().backup), Some(receipt));
    made.content = Some(holding(rows));
    made
}

fn judged(made: &Bundle) -> Diagnosis {
    text(&made.to_text())
}

fn answers(found: &Diagnosis) -> (Answer, Answer) {
    (found.intact.answer, found.rows.answer)
}

#[test]
fn both_claims_are_told_and_a_bundle_tells_when() {
    let found = judged(&used(400));
    assert_eq!((answers(&found), found.safety), ((Answer::Yes, Answer::Yes), Safety::Safe));
    let made = found.made.as_ref().unwrap();
    assert_eq!(made.at_ms, NOW_MS);
    assert!(found.intact.says.starts_with("On ") && found.intact.says.contains(" UTC "));
    assert!(found.rows.says.contains("400 rows in 1 table"), "{}", found.rows.says);
    assert!(found.rows.says.contains(our_names().backup.as_str()), "{}", found.rows.says);
}

#[test]
fn a_database_without_rows_is_intact_but_empty() {
    let alone = Bundle { content: Some(holding(0)), ..bundle(settled(), Check::Sound, None) };
    let found = judged(&alone);
    assert_eq!(answers(&found), (Answer::Yes, Answer::CannotTell));
    assert!(found.because.contains("intact, but empty"), "{}", found.because);
    // A backup that uses more bytes had rows.
    let mut made = used(0);
    made.observation.files.get_mut(&our_names().backup).unwrap().size = 80_000;
    let found = judged(&made);
    assert_eq!(answers(&found), (Answer::Yes, Answer::No), "{}", found.because);
    assert!(found.because.contains("holds no row"), "{}", found.because);
    assert!(found.reply.contains("not in it"), "{}", found.reply);
}

#[test]
fn a_database_that_is_much_smaller_than_its_backup_is_not_called_safe() {
    let mut made = used(3);
    made.observation.files.get_mut(&our_names().backup).unwrap().size = 800_000;
    let found = judged(&made);
    assert_eq!(answers(&found), (Answer::Yes, Answer::CannotTell), "{}", found.because);
    assert!(found.because.contains("four times"), "{}", found.because);
}

#[test]
fn a_log_that_is_gone_is_told_by_its_index() {
    let shm = |frames, checkpointed_frames| {
        Some(Shm { frames, checkpointed_frames, salts: "00".repeat(8) })
    };
    let mut made = used(400);
    made.observation.files.insert(name("data.db-shm"), plain("7", 32768));
    for (index, rows) in [
        (shm(5, 0), Answer::No),
        (shm(5, 4), Answer::No),
        (shm(5, 5), Answer::Yes),
        (None, Answer::Yes),
    ] {
        made.shm = index.clone();
        let found = judged(&made);
        assert_eq!(answers(&found), (Answer::Yes, rows), "{index:?}: {}", found.because);
    }
    // The application has it open, and the log with it.
    made.shm = shm(5, 0);
    made.check = unchecked();
    made.observation.holders = vec![cutover_core::Holder { this_process: false, ..me() }];
    assert_eq!(judged(&made).safety, Safety::CannotTell);
}

fn log(commits: u64) -> Wal {
    Wal {
        size: 8272,
        state: WalState::Usable,
        why: None,
        header: Some(WalHeader {
            big_endian: false,
            page_size: 4096,
            checkpoint_sequence: 0,
            salts: "0102030405060708".into(),
        }),
        valid_frames: 2,
        torn_frames: 0,
        stale_frames: 0,
        commits,
        committed_frames: 2,
        uncommitted_frames: 0,
        pages_after: Some(2),
        header_after: None,
        checkpointed_frames: None,
        commits_not_checkpointed: commits,
    }
}

#[test]
fn a_log_of_another_database_is_not_safe() {
    let header = |changes, user_version: u8| {
        let mut bytes = header_bytes(JournalMode::Wal, changes);
        bytes[63] = user_version;
        Some(hex(&bytes))
    };
    let mut made = used(400);
    let version = made.observation.canonical_facts().unwrap().header.clone().unwrap().user_version;
    let version = u8::try_from(version).unwrap();
    made.observation.files.insert(name("data.db-wal"), plain("8", 8272));
    let own = Wal { header_after: header(41, version), ..log(1) };
    made.wal = Some(own.clone());
    assert_eq!(judged(&made).safety, Safety::Safe, "{}", judged(&made).because);
    let mut pages = own.clone();
    pages.header.as_mut().unwrap().page_size = 1024;
    for (what, foreign) in [
        ("bytes", pages),
        ("change counter", Wal { header_after: header(39, version), ..log(1) }),
        ("pages", Wal { pages_after: Some(9), ..log(1) }),
    ] {
        made.wal = Some(foreign);
        let found = judged(&made);
        assert_eq!(answers(&found).1, Answer::No, "{what}: {}", found.because);
        assert!(found.because.contains(what), "{}", found.because);
    }
    // Its index counts more than is left of it.
    made.wal = Some(own.clone());
    made.shm = Some(Shm { frames: 9, checkpointed_frames: 0, salts: "0102030405060708".into() });
    assert!(judged(&made).because.contains("cut short"), "{}", judged(&made).because);
    // A database in rollback mode has no log.
    made.shm = None;
    made.observation.files.insert(canonical(), database("2", JournalMode::Delete, 40));
    assert!(judged(&made).because.contains("not in WAL mode"), "{}", judged(&made).because);
}

/// A person may put it back beside v2, and SQLite then mixes the two.
#[test]
fn a_log_that_may_be_that_of_v1_is_not_called_safe() {
    let mut wal_of_v1 = journal(Phase::Committed);
    wal_of_v1.v1.as_mut().unwrap().journal_mode = JournalMode::Wal;
    let mut made = used(400);
    made.receipts
        .insert(receipt_name(&our_names().backup), Some(wal_of_v1.receipt(NOW_MS).to_text()));
    made.observation.files.insert(name("data.db-wal"), plain("8", 8272));
    let pages = made.observation.canonical_facts().unwrap().header.as_ref().unwrap().page_count;
    made.wal = Some(Wal { pages_after: Some(pages), ..log(1) });
    let found = judged(&made);
    assert_eq!(answers(&found), (Answer::Yes, Answer::CannotTell), "{}", found.because);
    assert!(found.because.contains("may be that of v1"), "{}", found.because);
    made.shm = Some(Shm { frames: 2, checkpointed_frames: 0, salts: "0102030405060708".into() });
    assert_eq!(judged(&made).safety, Safety::Safe, "{}", judged(&made).because);
}

#[test]
fn a_v1_that_took_the_place_of_v2_is_not_safe() {
    let mut made = used(400);
    made.observation.files.insert(canonical(), v1());
    let found = judged(&made);
    assert_eq!(answers(&found), (Answer::Yes, Answer::No), "{}", found.because);
    assert!(found.because.contains("v1 again"), "{}", found.because);
    // A restore keeps v2.
    made.observation.files.insert(name("data.db.displaced-0badcafe"), v2());
    let found = diagnose(&Dropped { text: Some(made.to_text()), ..Dropped::default() });
    assert_eq!(found.safety, Safety::Safe, "{}", found.because);
}

#[test]
fn a_companion_that_is_missing_beside_its_backup_is_not_safe() {
    let kept = with_companion(journal(Phase::Committed), true).receipt(NOW_MS);
    let (companion, backup) = kept.companions.first_key_value().unwrap();
    let file = name("auth.json");
    let mut made = used(400);
    made.receipts.insert(receipt_name(&our_names().backup), Some(kept.to_text()));
    assert_eq!(judged(&made).safety, Safety::Safe, "it is in another folder");
    made.beside = BTreeSet::from([backup.clone()]);
    let found = judged(&made);
    assert_eq!(answers(&found).1, Answer::No, "{companion:?}: {}", found.because);
    assert!(found.because.contains("auth.json is missing"), "{}", found.because);
    made.beside.insert(file);
    assert_eq!(judged(&made).safety, Safety::Safe);
}

#[test]
fn a_file_that_is_shorter_than_its_header_and_has_no_log_is_not_safe() {
    let mut made = used(400);
    made.check = unchecked();
    let mut short = database("2", JournalMode::Wal, 40);
    short.size = 4096;
    made.observation.files.insert(canonical(), short);
    let found = judged(&made);
    assert_eq!(answers(&found).0, Answer::No, "{}", found.because);
    assert!(found.because.contains("-wal is gone"), "{}", found.because);
}

#[test]
fn an_empty_v2_that_was_built_so_is_compared_with_its_backup() {
    let mut observation = interrupted(&journal(Phase::Built));
    flip(&mut observation);
    observation.verdict = None;
    let mut made = bundle(observation, Check::Sound, None);
    made.content = Some(holding(400));
    let found = judged(&made);
    assert_eq!(found.safety, Safety::Safe, "{}", found.because);
    assert!(found.because.contains("checked in the upgrade"), "{}", found.because);
}
