//! Backups: what a list tells of them, what a prune removes, and how one becomes canonical again.

use std::collections::BTreeMap;

use cutover_core::{
    Backup, Budget, Code, DataState, FileName, FindingKind, Journal, JournalMode, Names, Nonce,
    Observation, Op, OpError, OpErrorKind, OpOutcome, Phase, Plan, PlanKind, Platform, Prune,
    Receipt, Receipts, ReplaceBlocker, RestoreRequest, Role, Rule, Run, Step, Strategy, Verdict,
    companion_backup_name, companion_staged_name, displaced_name, list_backups, plan_prune,
    plan_recovery, plan_restore, receipt_name, validate,
};

use cutover_world::{
    NOW_MS, auth, canonical, database, directory, drive, fine, journal, label, line, me, name,
    new_nonce, our_journal, plain, put_journal, v1, v2, with_auth, with_companion,
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
    assert_eq!(why(binary), "its receipt cannot be read as text");
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
    assert_eq!((pruned.plan, pruned.left[1].backup.clone()), (None, backup_of(3)));
    assert!(pruned.left[1].why.contains("auth is not declared"), "{}", pruned.left[1].why);
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

#[test]
fn a_restore_is_a_flip_with_the_parts_exchanged() {
    let plan = restore_plan(Platform::Linux);
    let told = ops(&plan.steps)
        .join("\n")
        .replace("0badcafe", "R")
        .replace(backup_of(1).as_str(), "BACKUP");
    let told = told.replace("00000001", "B");
    assert_eq!(
        told,
        "look file=data.db
look file=BACKUP
write-journal file=data.db.v1-v2-cutover.json.tmp-R phase=building
sync-file file=data.db.v1-v2-cutover.json.tmp-R
rename from=data.db.v1-v2-cutover.json.tmp-R to=data.db.v1-v2-cutover.json
sync-dir companion=null
copy from=auth/auth.json.v1-v2-B to=auth/auth.json.building-R
sync-file file=auth/auth.json.building-R
sync-dir companion=auth
settle file=data.db mode=delete
copy from=BACKUP to=data.db.install-R
settle file=data.db.install-R mode=wal
check file=data.db.install-R
sync-file file=data.db.install-R
write-journal file=data.db.v1-v2-cutover.json.tmp-R phase=built
sync-file file=data.db.v1-v2-cutover.json.tmp-R
rename from=data.db.v1-v2-cutover.json.tmp-R to=data.db.v1-v2-cutover.json
sync-dir companion=null
look file=data.db
lock-v1 file=data.db
check-v1 file=data.db
link from=data.db to=data.db.displaced-R
sync-dir companion=null
absent files=[data.db-wal,data.db-shm,data.db-journal]
rename from=data.db.install-R to=data.db
absent files=[data.db-wal,data.db-shm,data.db-journal]
sync-dir companion=null
unlock-v1
look file=data.db.displaced-R
look-companion companion=auth file=auth.json mustBeSame=false if companion-staged
link from=auth/auth.json to=auth/auth.json.displaced-R if companion-staged-over-change
sync-dir companion=auth if companion-staged-over-change
rename from=auth/auth.json.building-R to=auth/auth.json if companion-staged
sync-dir companion=auth if companion-staged
write-journal file=data.db.v1-v2-cutover.json.tmp-R phase=committed
sync-file file=data.db.v1-v2-cutover.json.tmp-R
rename from=data.db.v1-v2-cutover.json.tmp-R to=data.db.v1-v2-cutover.json
sync-dir companion=null
remove files=[data.db.source-R,data.db.source-R-wal,data.db.source-R-shm,data.db.source-R-journal,\
         data.db.building-R,data.db.building-R-wal,data.db.building-R-shm,data.db.\
         building-R-journal,data.db.install-R,data.db.install-R-wal,data.db.install-R-shm,data.db.\
         install-R-journal,data.db.v1-v2-cutover.json.tmp-R]
remove files=[auth/auth.json.building-R,auth/auth.json.v1-v2-R.tmp]
sync-dir companion=auth
sync-dir companion=null
remove files=[data.db.v1-v2-cutover.json]
sync-dir companion=null"
    );
    assert_eq!(plan.needs_bytes, 8192);
}

#[test]
fn a_restore_is_refused_before_anything_is_touched() {
    let refused = |change: &dyn Fn(&mut Observation, &mut RestoreRequest)| {
        let made = upgraded(&[1]);
        let (mut seen, mut asked) = (with_auth(made.0.clone()), request(&made));
        change(&mut seen, &mut asked);
        plan_restore(&seen, &asked).unwrap_err()
    };
    let not_whole =
        refused(&|_, asked| asked.backup.why = Some("there is no receipt beside it".into()));
    assert_eq!(
        (not_whole.code, not_whole.reason.as_str()),
        (Code::Verify, "the backup is not whole: there is no receipt beside it")
    );
    let changed = refused(&|seen, _| {
        drop(seen.files.insert(backup_of(1), database("1", JournalMode::Delete, 8)));
    });
    assert!(changed.reason.ends_with("it was changed since it was made"), "{}", changed.reason);
    assert!(
        refused(&|seen, _| drop(seen.files.remove(&backup_of(1))))
            .reason
            .ends_with("it is not there")
    );
    assert_eq!(refused(&|seen, _| drop(seen.files.remove(&canonical()))).code, Code::NotADatabase);
    assert_eq!(refused(&|seen, _| seen.free_bytes = Some(8191)).code, Code::NoSpace);
    let mounted = |seen: &mut Observation| {
        seen.companions.get_mut(&auth()).unwrap().irreplaceable = Some(ReplaceBlocker::MountPoint);
    };
    let companion = refused(&|seen, _| mounted(seen));
    assert_eq!(
        (companion.code, companion.path.as_deref()),
        (Code::Io, Some("/home/u/app/auth.json"))
    );
    let made = upgraded(&[1]);
    let mut seen = with_auth(made.0.clone());
    mounted(&mut seen);
    let left = RestoreRequest { companions: BTreeMap::new(), ..request(&made) };
    assert!(plan_restore(&seen, &left).is_ok(), "one that is left as it is may be what it is");
}

#[test]
fn each_companion_is_reported() {
    let made = upgraded(&[1]);
    let told =
        |seen: &Observation, asked: &RestoreRequest| plan_restore(seen, asked).unwrap().companions;
    let (bare, declared) = (made.0.clone(), with_auth(made.0.clone()));
    assert_eq!(told(&declared, &request(&made)), BTreeMap::from([(auth(), None)]));
    let why = |seen, asked: &RestoreRequest| told(seen, asked)[&auth()].clone().unwrap();
    assert_eq!(why(&bare, &request(&made)), "it is not declared in the options");
    assert_eq!(
        why(&declared, &RestoreRequest { companions: BTreeMap::new(), ..request(&made) }),
        "its backup is gone"
    );
    let mut none = request(&made);
    none.backup.companions.clear();
    assert!(why(&declared, &none).starts_with("none is kept with this backup"));
}

/// A start that finds this restore, as far as `change` says that it got.
fn found(phase: Phase, change: impl Fn(&mut Observation, &FileName)) -> Plan {
    found_of(restore_plan(Platform::Linux), phase, change)
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

#[test]
fn the_files_tell_whether_a_restore_was_flipped() {
    let install = || name("data.db.install-0badcafe");
    let kind = |phase, change: &dyn Fn(&mut Observation, &FileName)| found(phase, change).kind;
    let v1_installed = || database("9", JournalMode::Wal, 8);
    assert_eq!(kind(Phase::Building, &|_, _| {}), PlanKind::Undo);
    assert_eq!(
        kind(Phase::Built, &|seen, _| drop(seen.files.insert(install(), v1_installed()))),
        PlanKind::Undo
    );
    let linked = |seen: &mut Observation, aside: &FileName| {
        seen.files.insert(install(), v1_installed());
        seen.files.insert(aside.clone(), plain("2", 8192));
    };
    assert_eq!(kind(Phase::Built, &linked), PlanKind::Undo);
    let flipped = |facts: cutover_core::FileFacts| {
        move |seen: &mut Observation, aside: &FileName| {
            seen.files.insert(canonical(), facts.clone());
            seen.files.insert(aside.clone(), plain("2", 8192));
        }
    };
    assert_eq!(kind(Phase::Built, &flipped(v1_installed())), PlanKind::Finish);
    assert_eq!(
        kind(Phase::Built, &flipped(database("9", JournalMode::Wal, 99))),
        PlanKind::Finish,
        "an old application wrote to v1"
    );
    let copied = cutover_core::FileFacts { file_id: "77".into(), ..v1_installed() };
    assert_eq!(kind(Phase::Built, &flipped(copied)), PlanKind::Finish, "the directory was copied");
    let written = |seen: &mut Observation, _: &FileName| {
        seen.files.insert(canonical(), database("2", JournalMode::Wal, 12));
        seen.files.insert(install(), v1_installed());
    };
    assert_eq!(kind(Phase::Built, &written), PlanKind::Undo, "an application wrote to v2");
    assert_eq!(kind(Phase::Committed, &flipped(v1_installed())), PlanKind::Clean);
}

/// The companion that waits to be put back cannot be: no file can replace the one that is there.
#[test]
fn an_interrupted_restore_never_stops_at_a_companion_that_no_file_can_replace() {
    let staged = companion_staged_name(&name("auth.json"), &new_nonce());
    for (flipped, waits, left) in [(false, true, false), (true, false, false), (true, true, true)] {
        let plan = found(Phase::Built, |seen, aside| {
            let facts = seen.companions.get_mut(&auth()).unwrap();
            facts.irreplaceable = Some(ReplaceBlocker::Immutable);
            facts.present.extend(waits.then(|| staged.clone()));
            seen.files.insert(aside.clone(), plain("2", 8192));
            let installed = if flipped { canonical() } else { name("data.db.install-0badcafe") };
            seen.files.insert(installed, database("9", JournalMode::Wal, 8));
        });
        assert_eq!(plan.kind, if flipped { PlanKind::Finish } else { PlanKind::Undo });
        let works = |step: &Step| step.op.companion().is_some();
        assert_eq!(plan.steps.iter().chain(&plan.undo).any(works), !left, "{flipped} {waits}");
        let warnings = plan.journal.unwrap().warnings;
        assert_eq!(warnings.len(), usize::from(left), "{warnings:?}");
        for warning in warnings {
            assert_eq!(warning.code.as_deref(), Some("COMPANION_IRREPLACEABLE"));
            for path in ["/home/u/app/auth.json", &format!("/home/u/app/{staged}")] {
                assert!(warning.message.contains(path), "{}", warning.message);
            }
        }
    }
}

#[test]
fn a_start_without_canonical_refuses() {
    let plan = restore_plan(Platform::Linux);
    let mut seen = upgraded(&[1]).0;
    put_journal(&mut seen, &cutover_world::our_journal(), &plan.journal.unwrap().to_text());
    seen.files.remove(&canonical());
    assert_eq!(plan_recovery(&seen, &label(), &new_nonce()).unwrap_err().code, Code::Journal);
}

#[test]
fn a_restore_that_fails_is_undone_and_says_where_the_data_is() {
    let plan = restore_plan(Platform::Linux);
    let flip = plan.flip_at.unwrap() as usize;
    for at in 0..plan.steps.len() {
        // The holder stays. The restore is undone even after the journal says `built`: no later
        // start may finish a restore whose caller was told that it failed.
        let trace = drive(Run::new(plan.clone(), Budget::of(0)), |_, now| {
            if !now.undo && now.index == at {
                Err(OpError::new(OpErrorKind::Busy, "planted"))
            } else {
                Ok(fine(&now.op))
            }
        });
        if at >= plan.cleanup_from.unwrap() as usize {
            assert!(matches!(trace.ending, cutover_core::Action::Done(_)), "{at}");
            continue;
        }
        // The companion's guarded steps are not all performed.
        if matches!(trace.ending, cutover_core::Action::Done(_)) {
            assert!(plan.steps[at].when.is_some(), "{at}");
            continue;
        }
        let data = &trace.failure().data;
        let wanted = if at <= flip { DataState::V2 } else { DataState::FinishAtNextStart };
        assert_eq!(data.state, wanted, "{at}");
        let whole = if at <= flip { &data.v2 } else { &data.v1 };
        assert_eq!(whole.as_deref(), Some("data.db"), "{at}");
        assert_eq!(trace.performed.iter().any(|now| now.undo), (2..=flip).contains(&at), "{at}");
    }
}

#[test]
fn a_hostile_journal_or_plan_names_nothing_else() {
    let plan = restore_plan(Platform::Linux);
    let journal = plan.journal.clone().unwrap();
    for backup in [
        "data.db",
        "data.db.v1-v2-cutover.json",
        "data.db.v9-v8-1-00000001",
        "other.db.v1-v2-1-00000001",
    ] {
        let mut bad = journal.clone();
        bad.names.backup = name(backup);
        assert!(Journal::parse(&bad.to_text(), &canonical()).is_err(), "{backup}");
    }
    let mut install = journal.clone();
    install.names.install = name("data.db.install-00000000");
    assert!(Journal::parse(&install.to_text(), &canonical()).is_err());
    // Only a restore's backup has another nonce than its journal.
    assert!(
        Journal::parse(
            &Journal { strategy: Strategy::LinkReplace, ..journal.clone() }.to_text(),
            &canonical()
        )
        .is_err()
    );
    for kind in [PlanKind::Migrate, PlanKind::SetAside, PlanKind::Prune, PlanKind::Undo] {
        assert_ne!(validate(&Plan { kind, ..plan.clone() }, None), [], "{kind:?}");
    }
    let begun =
        Plan { journal: Some(Journal { phase: Phase::Building, ..journal }), ..plan.clone() };
    assert!(begun.check().is_ok());
    let ours = Role::of(&canonical(), &displaced_name(&canonical(), &new_nonce()));
    assert_eq!(ours, Some(Role::Displaced(new_nonce())));
    let mut held = upgraded(&[1]).0;
    held.holders.push(me());
    assert!(validate(&plan, Some(&held)).iter().any(|finding| finding.kind == FindingKind::Held));
    let mut foreign = prune(&[1, 2], keep(1)).plan.unwrap();
    foreign.steps.insert(
        2,
        Step {
            op: Op::Remove { files: vec![(&canonical()).into()] },
            why: "planted".into(),
            when: None,
        },
    );
    assert!(foreign.check().is_err(), "canonical is no backup");
}
