//! Tests the list of backups, the adoption of one without a receipt, the prune that removes old ones
//! and the restore that makes one canonical again.

mod adopting;
mod interrupted;
mod listing;
mod pruning;
mod restoring;

use std::collections::BTreeMap;

use cutover_core::{
    Budget, FileName, Journal, JournalMode, Names, Nonce, Observation, Op, OpOutcome, Phase, Plan,
    Platform, Prune, Receipt, Receipts, RestoreRequest, Rule, Run, Step, Verdict, displaced_name,
    list_backups, plan_prune, plan_recovery, plan_restore, receipt_name, validate,
};

use cutover_world::{
    NOW_MS, auth, canonical, database, directory, drive, fine, journal, label, line, new_nonce,
    plain, put_journal, v1, v2, with_auth, with_companion,
};

const DAY_MS: u64 = 86_400_000;

/// v2 in place, and the backups of this many days ago, each with its receipt.
pub(crate) fn upgraded(days: &[u64]) -> (Observation, Receipts) {
    let mut seen = Observation { verdict: Some(Verdict::Current), ..directory() };
    seen.files.insert(canonical(), v2());
    let mut receipts = Receipts::new();
    for &ago in days {
        let receipt_of = receipt_of(ago, Journal::receipt);
        let backup = receipt_of.backup.clone();
        seen.files.insert(backup.clone(), v1());
        seen.files.insert(receipt_name(&backup), plain("receipt", 100));
        receipts.insert(receipt_name(&backup), Some(receipt_of.to_text()));
    }
    (seen, receipts)
}

fn receipt_of(days_ago: u64, of: impl Fn(&Journal, u64) -> Receipt) -> Receipt {
    let started_ms = NOW_MS - days_ago * DAY_MS;
    let nonce = Nonce::from_number(u32::try_from(days_ago).unwrap());
    let names = Names::new(&canonical(), &label(), &nonce, started_ms).unwrap();
    of(&Journal { names, nonce, ..with_companion(journal(Phase::Committed), true) }, started_ms)
}

pub(crate) fn backup_of(days_ago: u64) -> FileName {
    receipt_of(days_ago, Journal::receipt).backup
}

fn prune(days: &[u64], rule: Rule) -> Prune {
    let (seen, receipts) = upgraded(days);
    plan_prune(&with_auth(seen), &receipts, rule, NOW_MS).unwrap()
}

fn keep(keep: u32) -> Rule {
    Rule { keep: Some(keep), older_than_ms: None }
}

pub(crate) fn request((seen, receipts): &(Observation, Receipts)) -> RestoreRequest {
    let backup = list_backups(seen, receipts).remove(0);
    RestoreRequest {
        backup,
        nonce: new_nonce(),
        companions: BTreeMap::from([(auth(), "of the backup".into())]),
    }
}

fn restore_plan(platform: Platform) -> Plan {
    let made = upgraded(&[1]);
    let seen = with_auth(Observation { platform, ..made.0.clone() });
    plan_restore(&seen, &request(&made)).unwrap().plan
}

pub(crate) fn ops(steps: &[Step]) -> Vec<String> {
    steps.iter().map(line).collect()
}

pub(crate) fn found_of(
    plan: Plan,
    phase: Phase,
    change: impl Fn(&mut Observation, &FileName),
) -> Plan {
    let journal = drive(Run::new(plan, Budget::default()), |_, now| {
        Ok(match &now.op {
            Op::Settle { file, .. } if *file == canonical() => {
                OpOutcome::Settled(database("2", JournalMode::Delete, 4))
            }
            Op::Check { .. } => OpOutcome::Checked(database("9", JournalMode::Wal, 8), Vec::new()),
            op => fine(op),
        })
    });
    let texts = journal
        .performed
        .iter()
        .filter(|now| matches!(now.op, Op::WriteJournal { .. }))
        .filter_map(|now| now.text.clone());
    let text = texts
        .into_iter()
        .find(|text| text.contains(&format!("\"phase\": \"{}\"", phase.as_str())))
        .unwrap();
    let mut seen = with_auth(upgraded(&[1]).0);
    put_journal(&mut seen, &cutover_world::our_journal(), &text);
    seen.files.insert(canonical(), database("2", JournalMode::Delete, 4));
    let aside = displaced_name(&canonical(), &new_nonce());
    change(&mut seen, &aside);
    // Whatever label this start has: it needs nothing of the application.
    let other = cutover_core::Label::new("v2-v3").unwrap();
    let plan = plan_recovery(&seen, &other, &Nonce::from_number(7)).unwrap().unwrap();
    assert_eq!(Plan::parse(&plan.to_text()).unwrap(), plan);
    assert_eq!(validate(&plan, Some(&seen)), []);
    plan
}
