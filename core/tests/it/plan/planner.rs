//! The planner makes the same plan from the same input, and names the backup newest: these tests
//! vary what comes in.

use cutover_core::{
    BuildBy, BuildFrom, FileName, Journal, Names, Nonce, Observation, Phase, Receipts, Request,
    Role, Rule, begins_ms, list_backups, plan_migration, plan_prune, receipt_name,
};
use proptest::prelude::*;

use cutover_world::{NOW_MS, canonical, directory, journal, label, request, v1, with_auth};

/// Where a clock is wrong, or was, the newest is the newest all the same: it is never pruned. A name
/// without a receipt of its own decides nothing, and no clock was ever ahead by ten thousand years.
#[test]
fn an_upgrade_begins_later_than_every_whole_backup() {
    const LAST_MS: u64 = 253_402_300_799_999;
    for (others, wanted) in [
        (vec![(NOW_MS + 9, true)], NOW_MS + 10),
        (vec![(1, true)], NOW_MS),
        (vec![(NOW_MS + 9, false), (u64::MAX, false), (LAST_MS, false)], NOW_MS),
        (vec![(u64::MAX, true), (NOW_MS + 9, true)], NOW_MS + 10),
        (vec![(LAST_MS - 1, true)], LAST_MS),
        (vec![], NOW_MS),
    ] {
        let (seen, receipts) = beside(&others);
        let backups = list_backups(&seen, &receipts);
        assert_eq!(backups.len(), others.len());
        let now_ms = begins_ms(&backups, NOW_MS);
        assert_eq!(now_ms, wanted, "{others:?}");
        let request = Request { now_ms, ..request(BuildBy::Sql, BuildFrom::Empty) };
        let plan = plan_migration(&seen, &request).unwrap();
        let backup = plan.journal.unwrap().names.backup;
        assert_eq!(backup.as_str(), format!("data.db.v1-v2-{wanted}-3fa9c1d2"), "{others:?}");
    }
}

/// Backups with these times, and whether each has its receipt.
fn beside(times: &[(u64, bool)]) -> (Observation, Receipts) {
    let (mut seen, mut receipts) = (directory(), Receipts::new());
    for (number, (started_ms, whole)) in (1..).zip(times) {
        let nonce = Nonce::from_number(number);
        let names = Names::new(&canonical(), &label(), &nonce, *started_ms).unwrap();
        let receipt = Journal { names, nonce, ..journal(Phase::Committed) }.receipt(*started_ms);
        seen.files.insert(receipt.backup.clone(), v1());
        if *whole {
            receipts.insert(receipt_name(&receipt.backup), Some(receipt.to_text()));
        }
    }
    (seen, receipts)
}

#[test]
fn the_newest_of_a_list_is_a_whole_one_and_no_planted_name() {
    let (seen, receipts) = beside(&[
        (NOW_MS - 5, true),
        (NOW_MS - 9, true),
        (u64::MAX, false),
        (NOW_MS - 1, false),
        (u64::MAX, true),
    ]);
    let listed: Vec<(u64, bool)> = list_backups(&seen, &receipts)
        .into_iter()
        .map(|backup| (backup.started_ms, backup.whole))
        .collect();
    assert_eq!(
        listed,
        [
            (NOW_MS - 5, true),
            (NOW_MS - 9, true),
            (u64::MAX, true),
            (NOW_MS - 1, false),
            (u64::MAX, false)
        ]
    );
}

/// A clock that was wrong once made a backup whose time lies ahead.
#[test]
fn a_backup_of_the_future_pushes_out_no_other() {
    let times = [NOW_MS + 9, NOW_MS + 5, NOW_MS - 1, NOW_MS - 2, u64::MAX].map(|ms| (ms, true));
    let (seen, receipts) = beside(&times);
    let removed = |keep, now_ms| -> Vec<u64> {
        let rule = Rule { keep: Some(keep), older_than_ms: None };
        let removed = plan_prune(&seen, &receipts, rule, now_ms).unwrap().removed;
        let time = |name: &FileName| match Role::of(&canonical(), name) {
            Some(Role::Backup { started_ms, .. }) => started_ms,
            other => panic!("{other:?}"),
        };
        removed.iter().map(time).collect()
    };
    assert_eq!(removed(1, NOW_MS), [NOW_MS + 5, NOW_MS - 2, u64::MAX]);
    assert_eq!(removed(2, NOW_MS), [u64::MAX]);
    // Once their time has come they count as every other, and so they do where the clock fell back.
    assert_eq!(removed(1, NOW_MS + 9), [NOW_MS + 5, NOW_MS - 1, NOW_MS - 2]);
    assert_eq!(removed(1, 0), [NOW_MS + 5, NOW_MS - 1, NOW_MS - 2, u64::MAX]);
}

proptest! {
    /// For one observation the same bytes, always.
    #[test]
    fn a_plan_depends_on_nothing_but_what_comes_in(number in any::<u32>(), ms in any::<u64>(), host in any::<bool>(), copy in any::<bool>()) {
        let request = cutover_core::Request {
            nonce: cutover_core::Nonce::from_number(number),
            now_ms: ms,
            ..request(if host { BuildBy::Host } else { BuildBy::Sql }, if copy { BuildFrom::Copy } else { BuildFrom::Empty })
        };
        let plan = |_| plan_migration(&with_auth(directory()), &request).unwrap();
        prop_assert_eq!(plan(1).to_text(), plan(2).to_text());
        prop_assert!(plan(3).check().is_ok());
    }
}
