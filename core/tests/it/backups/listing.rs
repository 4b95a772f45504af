//! A list reads the receipts: these tests check what it tells of each backup, and why one is not
//! whole.

use cutover_core::{
    Backup, Journal, JournalMode, Observation, Receipts, companion_backup_name, list_backups,
    receipt_name,
};

use cutover_world::{NOW_MS, auth, label, name, plain};

use super::{DAY_MS, backup_of, receipt_of, upgraded};

#[test]
fn a_list_tells_what_receipts_say_newest_first() {
    let (seen, receipts) = upgraded(&[3, 1, 2]);
    let found = list_backups(&seen, &receipts);
    assert_eq!(
        found.iter().map(|backup| backup.name.clone()).collect::<Vec<_>>(),
        [1, 2, 3].map(backup_of)
    );
    let Backup { label: of, started_ms, size, whole, why, v1: settled, companions, report, .. } =
        &found[0];
    assert_eq!(
        (of, *started_ms, *size, *whole, why),
        (&label(), NOW_MS - DAY_MS, 8192, true, &None)
    );
    assert_eq!(settled.as_ref().unwrap().journal_mode, JournalMode::Wal);
    assert_eq!(
        companions[&auth()],
        companion_backup_name(&name("auth.json"), &label(), &found[0].nonce)
    );
    assert_eq!(report.as_ref().unwrap()["rows"], 3);
}

#[test]
fn what_is_not_whole_says_why() {
    let made = || upgraded(&[1]);
    let backup = backup_of(1);
    let why = |(seen, receipts): (Observation, Receipts)| {
        let found = list_backups(&seen, &receipts).remove(0);
        assert!(!found.whole);
        found.why.unwrap()
    };
    let mut lost = made();
    lost.1.clear();
    assert_eq!(why(lost), "there is no receipt beside it");
    let mut binary = made();
    binary.1.insert(receipt_name(&backup), None);
    assert_eq!(why(binary), "its receipt cannot be read, or is not text");
    let mut torn = made();
    torn.1.insert(receipt_name(&backup), Some("{".into()));
    assert!(why(torn).starts_with("its receipt cannot be used: line 1"));
    let mut other = made();
    other.1.insert(receipt_name(&backup), Some(receipt_of(2, Journal::receipt).to_text()));
    assert_eq!(why(other), "the receipt beside it belongs to another backup");
    let mut cut = made();
    cut.0.files.insert(backup.clone(), plain("1", 4096));
    assert_eq!(why(cut), "it has 4096 bytes, and its receipt says 8192");
    let mut opened = made();
    opened.0.files.insert(backup.sidecars()[0].clone(), plain("w", 1));
    assert!(
        why(opened).ends_with("-wal is beside it: a program opened it, and may have changed it")
    );
    let mut closed = made();
    closed.0.files.insert(backup.sidecars()[0].clone(), plain("w", 0));
    assert!(list_backups(&closed.0, &closed.1)[0].whole, "an empty log holds nothing");
}
