//! A prune removes backups by count and by age: these tests check what it removes and in which
//! order, and what it leaves.

use cutover_core::{
    Code, Journal, Phase, Plan, Platform, Rule, plan_prune, plan_restore, receipt_name, validate,
};

use cutover_world::{NOW_MS, journal, our_journal, put_journal, with_auth};

use super::{DAY_MS, backup_of, keep, ops, prune, request, restore_plan, upgraded};

#[test]
fn a_rule_goes_by_count_and_by_age_and_never_takes_the_newest() {
    let days = [1, 2, 3, 4];
    let removed = |rule| prune(&days, rule).removed;
    assert_eq!(removed(keep(2)), [3, 4].map(backup_of));
    for few in [keep(0), keep(1), Rule { keep: None, older_than_ms: Some(0) }] {
        assert_eq!(removed(few), [2, 3, 4].map(backup_of), "the newest stays");
    }
    assert_eq!(
        removed(Rule { keep: None, older_than_ms: Some(3 * DAY_MS) }),
        [backup_of(4)],
        "longer ago, not as long ago"
    );
    assert_eq!(
        removed(Rule { keep: Some(3), older_than_ms: Some(2 * DAY_MS) }),
        [backup_of(4)],
        "both must hold"
    );
    let nothing = prune(&days, Rule::default());
    assert_eq!(
        (nothing.plan, nothing.removed.len()),
        (None, 0),
        "a rule that says nothing removes nothing"
    );
    assert_eq!(prune(&[1], keep(1)).plan, None);
}

#[test]
fn a_prune_removes_the_receipt_last() {
    let plan = prune(&[1, 2], keep(1)).plan.unwrap();
    let (backup, nonce) = (backup_of(2), "00000002");
    assert_eq!(
        ops(&plan.steps),
        [
            "sync-dir companion=null".to_owned(),
            format!(
                "remove files=[{0},{0}-wal,{0}-shm,{0}-journal]",
                backup.as_str().replace("-1782718800000", "-MS")
            ),
            "sync-dir companion=null".into(),
            format!("remove files=[auth/auth.json.v1-v2-{nonce}]"),
            "sync-dir companion=auth".into(),
            format!("remove files=[{backup}.json]"),
            "sync-dir companion=null".into(),
        ]
    );
    assert_eq!(Plan::parse(&plan.to_text()).unwrap(), plan);
    assert_eq!(validate(&plan, None), []);
}

#[test]
fn what_is_not_whole_is_left_and_named_and_not_counted() {
    let (mut seen, mut receipts) = upgraded(&[1, 2, 3]);
    receipts.remove(&receipt_name(&backup_of(1)));
    let pruned = plan_prune(&with_auth(seen.clone()), &receipts, keep(1), NOW_MS).unwrap();
    assert_eq!(pruned.removed, [backup_of(3)], "the newest whole one is what can be restored");
    assert_eq!(
        (pruned.left[0].backup.clone(), pruned.left[0].why.as_str()),
        (backup_of(1), "there is no receipt beside it")
    );
    // A companion that is not declared has no directory here.
    seen.companions.clear();
    let pruned = plan_prune(&seen, &receipts, keep(1), NOW_MS).unwrap();
    assert_eq!((pruned.plan, pruned.left[0].backup.clone()), (None, backup_of(3)));
    assert!(pruned.left[0].why.contains("auth is not declared"), "{}", pruned.left[0].why);
}

#[test]
fn what_a_killed_prune_left_is_removed_by_the_next() {
    let (mut seen, receipts) = upgraded(&[1, 2]);
    seen.files.remove(&backup_of(2));
    let pruned = plan_prune(&with_auth(seen), &receipts, keep(1), NOW_MS).unwrap();
    assert_eq!((pruned.removed.len(), pruned.left.len()), (0, 0));
    assert!(ops(&pruned.plan.unwrap().steps)[5].contains(&format!("{}.json", backup_of(2))));
}

#[test]
fn nothing_is_pruned_or_restored_beside_a_journal() {
    let (seen, receipts) = upgraded(&[1, 2]);
    let restore = restore_plan(Platform::Linux).journal.unwrap();
    let restored = Journal { phase: Phase::Committed, ..restore };
    let unfinished = [Phase::Building, Phase::Built, Phase::Committed].map(journal);
    for text in
        unfinished.iter().chain([&restored]).map(Journal::to_text).chain(["torn".to_owned()])
    {
        let mut beside = with_auth(seen.clone());
        put_journal(&mut beside, &our_journal(), &text);
        assert_eq!(
            plan_restore(&beside, &request(&upgraded(&[1]))).unwrap_err().code,
            Code::Journal
        );
        let pruned = plan_prune(&beside, &receipts, keep(1), NOW_MS);
        if text == journal(Phase::Committed).to_text() {
            // Only the application's clean-up is left, which may fail for ever.
            assert_eq!(pruned.unwrap().removed, [backup_of(2)]);
        } else {
            assert_eq!(pruned.unwrap_err().code, Code::Journal, "{text}");
        }
    }
}
