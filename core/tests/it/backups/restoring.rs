//! A restore makes a backup canonical again: these tests read its plan, plant faults in it and fail
//! each of its steps.

use std::collections::BTreeMap;

use cutover_core::{
    Budget, Code, DataState, FindingKind, Journal, JournalMode, Observation, Op, OpError,
    OpErrorKind, Phase, Plan, PlanKind, Platform, ReplaceBlocker, RestoreRequest, Role, Run, Step,
    Strategy, displaced_name, plan_restore, validate,
};

use cutover_world::{auth, canonical, database, drive, fine, me, name, new_nonce, with_auth};

use super::{backup_of, keep, ops, prune, request, restore_plan, upgraded};

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
    let full = refused(&|seen, _| seen.free_bytes = Some(8191));
    assert_eq!(full.code, Code::NoSpace);
    assert!(full.reason.ends_with("free: 8191 bytes"), "{}", full.reason);
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
