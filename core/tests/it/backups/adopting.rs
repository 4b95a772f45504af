//! A backup without a receipt is adopted: these tests read the plan, fail each of its steps and ask
//! for what it refuses.

use std::collections::BTreeMap;

use cutover_core::{
    Action, AdoptRequest, Budget, Code, DataState, FileName, JournalMode, Observation, Op, OpError,
    OpErrorKind, Phase, Plan, PlanKind, Receipt, Receipts, Run, Strategy, displaced_name,
    plan_adoption, plan_recovery, receipt_name, validate,
};

use cutover_world::{
    another_program, auth, canonical, database, drive, drive_well, fine, journal, label, name,
    new_nonce, our_journal, plain, put_journal, with_auth,
};

use super::{backup_of, ops, upgraded};

/// A backup of yesterday, without its receipt.
fn left() -> (Observation, Receipts) {
    let (mut seen, mut receipts) = upgraded(&[1]);
    seen.files.remove(&receipt_name(&backup_of(1)));
    receipts.clear();
    (with_auth(seen), receipts)
}

fn request(file: &FileName, beside: &[&str]) -> AdoptRequest {
    let mut set = BTreeMap::from([(file.clone(), database("7", JournalMode::Wal, 5))]);
    set.extend(beside.iter().map(|suffix| (name(&format!("{file}{suffix}")), plain("8", 4152))));
    AdoptRequest {
        file: file.clone(),
        set,
        holders: Vec::new(),
        companions: BTreeMap::from([(auth(), "of the backup".into())]),
        written_ms: 900,
        nonce: new_nonce(),
    }
}

fn told(plan: &Plan) -> String {
    ops(&plan.steps)
        .join("\n")
        .replace(backup_of(1).as_str(), "BACKUP")
        .replace("data.db.v1-v2-cutover.json.tmp-00000001", "COPY")
}

#[test]
fn a_settled_copy_takes_the_backups_name_and_the_receipt_is_last() {
    let (seen, receipts) = left();
    let plan = plan_adoption(&seen, &receipts, &request(&backup_of(1), &["-wal"])).unwrap();
    assert_eq!(
        told(&plan),
        "look file=BACKUP
sync-dir companion=null
remove files=[COPY,COPY-wal,COPY-shm,COPY-journal]
copy from=BACKUP to=COPY
copy from=BACKUP-wal to=COPY-wal
look file=BACKUP
settle file=COPY mode=delete
check file=COPY
sync-file file=COPY
rename from=COPY to=BACKUP
sync-dir companion=null
remove files=[BACKUP-wal,BACKUP-shm,BACKUP-journal]
sync-dir companion=null
remove files=[BACKUP.json]
write-receipt file=BACKUP.json
sync-file file=BACKUP.json
sync-dir companion=null"
    );
    assert_eq!(ops(&plan.undo).len(), 2);
    assert_eq!(Plan::parse(&plan.to_text()).unwrap(), plan);
    assert_eq!((validate(&plan, None), validate(&plan, Some(&seen))), (vec![], vec![]));
}

#[test]
fn a_file_of_another_name_is_removed_when_the_receipt_is_durable() {
    let (seen, receipts) = left();
    let plan =
        plan_adoption(&seen, &receipts, &request(&name("data.db.old"), &["-journal"])).unwrap();
    let steps = told(&plan);
    let end = steps.split("check").nth(1).unwrap();
    assert_eq!(
        end.replace("data.db.adopted-cutover.json.tmp-0badcafe", "COPY")
            .replace("data.db.adopted-900-0badcafe", "NEW"),
        " file=COPY
sync-file file=COPY
rename-new from=COPY to=NEW
sync-dir companion=null
remove files=[NEW.json]
write-receipt file=NEW.json
sync-file file=NEW.json
sync-dir companion=null
remove files=[data.db.old,data.db.old-wal,data.db.old-shm,data.db.old-journal]
sync-dir companion=null"
    );
    assert_eq!(Plan::parse(&plan.to_text()).unwrap(), plan);
    // It names no file but those of the backup that it looks at.
    for other in ["data.db", "data.db-wal", "data.db.v1-v2-1-00000009", "other.db"] {
        let mut hostile = plan.clone();
        for step in &mut hostile.steps {
            let text = serde_json::to_string(&step.op).unwrap().replace("data.db.old", other);
            step.op = serde_json::from_str(&text).unwrap();
        }
        assert!(Plan::parse(&hostile.to_text()).is_err(), "{other}");
    }
}

#[test]
fn the_receipt_says_what_was_settled() {
    let (seen, receipts) = left();
    let plan = plan_adoption(&seen, &receipts, &request(&backup_of(1), &[])).unwrap();
    let settled = database("9", JournalMode::Delete, 8);
    let run = drive(Run::new(plan, Budget::default()), |_, now| {
        Ok(match &now.op {
            Op::Settle { .. } => cutover_core::OpOutcome::Settled(settled.clone()),
            op => fine(op),
        })
    });
    let Action::Done(report) = &run.ending else { panic!("{:?}", run.ending) };
    assert_eq!((report.installed, report.warnings.len()), (false, 1));
    let text = run.performed.iter().find_map(|now| now.text.clone()).unwrap();
    let receipt = Receipt::parse(&text).unwrap();
    let v1 = receipt.v1.unwrap();
    assert_eq!(
        (v1.file_id.as_str(), v1.journal_mode, v1.fingerprint),
        ("9", JournalMode::Wal, settled.fingerprint().unwrap()),
        "the mode is that before it was settled"
    );
    assert_eq!((receipt.strategy, receipt.v2), (Strategy::TwoRename, None));
    assert_eq!(receipt.companions.keys().collect::<Vec<_>>(), [&auth()]);
    assert_eq!(receipt.warnings[0].code.as_deref(), Some("ADOPTED"));
}

#[test]
fn a_failure_before_the_copy_has_its_name_removes_the_copy() {
    let (seen, receipts) = left();
    let plan = plan_adoption(&seen, &receipts, &request(&name("data.db.old"), &["-wal"])).unwrap();
    let flip = plan.flip_at.unwrap() as usize;
    let adopted = plan.cleanup_from.unwrap() as usize;
    for at in 0..plan.steps.len() {
        let run = drive(Run::new(plan.clone(), Budget::default()), |_, now| {
            if !now.undo && now.index == at {
                return Err(OpError::new(OpErrorKind::V1Corrupt, "planted"));
            }
            Ok(fine(&now.op))
        });
        let undone = run.performed.iter().filter(|now| now.undo).count();
        assert_eq!(undone, if (1..=flip).contains(&at) { 2 } else { 0 }, "{at}");
        if at >= adopted {
            let Action::Done(report) = &run.ending else { panic!("{at}: {:?}", run.ending) };
            assert!(report.warnings[1].message.contains("may be removed"), "{at}");
            continue;
        }
        let failure = run.failure();
        assert_eq!(failure.data.state, DataState::Unknown, "{at}: {failure}");
        assert!(!failure.to_string().contains("your data is"), "{at}: {failure}");
        assert!(failure.hint.contains("left as it is"), "{at}: {failure}");
    }
    assert!(matches!(drive_well(plan).ending, Action::Done(_)));
}

#[test]
fn what_is_not_to_be_adopted_is_refused() {
    let (seen, receipts) = left();
    let code = |seen: &Observation, receipts: &Receipts, request: &AdoptRequest| {
        plan_adoption(seen, receipts, request).map(|_| ()).unwrap_err().code
    };
    let file = backup_of(1);
    let asked = request(&file, &[]);
    let aside = displaced_name(&canonical(), &new_nonce());
    for other in [&canonical(), &aside, &our_journal(), &receipt_name(&file), &name("other.db")] {
        assert_eq!(code(&seen, &receipts, &request(other, &[])), Code::Io, "{other}");
    }
    let with = |change: &dyn Fn(&mut AdoptRequest)| {
        let mut asked = asked.clone();
        change(&mut asked);
        code(&seen, &receipts, &asked)
    };
    assert_eq!(with(&|of| of.set.clear()), Code::Io);
    assert_eq!(with(&|of| of.holders = vec![another_program()]), Code::Held);
    let header = |of: &mut AdoptRequest| of.set.values_mut().for_each(|facts| facts.header = None);
    assert_eq!(with(&header), Code::NotADatabase);
    let canonicals = seen.canonical_facts().unwrap().file_id.clone();
    let same = |of: &mut AdoptRequest| {
        of.set.values_mut().for_each(|facts| facts.file_id.clone_from(&canonicals));
    };
    assert_eq!(with(&same), Code::Io);

    let full = Observation { free_bytes: Some(10), ..seen.clone() };
    assert_eq!(code(&full, &receipts, &asked), Code::NoSpace);
    let mut unfinished = seen.clone();
    put_journal(&mut unfinished, &our_journal(), &journal(Phase::Building).to_text());
    assert_eq!(code(&unfinished, &receipts, &asked), Code::Journal);

    let (whole, told) = upgraded(&[1]);
    assert_eq!(code(&with_auth(whole.clone()), &told, &asked), Code::Verify);
    let mut changed = whole.clone();
    changed.files.insert(file.clone(), plain("7", 1));
    assert_eq!(code(&changed, &told, &asked), Code::Verify);
    let mut newer = told.clone();
    for text in newer.values_mut().flatten() {
        *text = text.replace("\"version\": 1", "\"version\": 9");
    }
    assert_eq!(code(&whole, &newer, &asked), Code::Newer);
    // Half a receipt, as a killed adoption leaves it.
    for half in [None, Some("{\"version\": 1, \"la".to_owned())] {
        let half = Receipts::from([(receipt_name(&file), half)]);
        assert!(plan_adoption(&whole, &half, &asked).is_ok());
    }
}

/// What a killed adoption leaves has the name of an unfinished journal.
#[test]
fn the_next_start_removes_the_copy_and_its_sidecars() {
    let (mut seen, receipts) = left();
    let plan = plan_adoption(&seen, &receipts, &request(&backup_of(1), &["-wal"])).unwrap();
    let Some(Op::Remove { files }) = plan.undo.first().map(|step| &step.op) else { panic!() };
    for at in files {
        seen.files.insert(at.name.clone(), plain("9", 4096));
    }
    let plan = plan_recovery(&seen, &label(), &new_nonce()).unwrap().unwrap();
    assert_eq!(plan.kind, PlanKind::Clean);
    let Some(Op::Remove { files: removed }) = plan.steps.get(1).map(|step| &step.op) else {
        panic!()
    };
    let sorted = |files: &[cutover_core::PlanPath]| {
        let mut files = files.to_vec();
        files.sort();
        files
    };
    assert_eq!(sorted(removed), sorted(files));
    assert_eq!(Plan::parse(&plan.to_text()).unwrap(), plan);
    assert_eq!(validate(&plan, Some(&seen)), []);
}
