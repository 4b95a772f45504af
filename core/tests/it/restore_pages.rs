//! A restore by page copy: where the database cannot be linked, or on Windows is open.

use cutover_core::{
    Action, Budget, Code, DataState, FileFacts, FileName, Header, Holder, Journal, JournalMode,
    Observation, Op, OpError, OpErrorKind, OpOutcome, Phase, Plan, PlanKind, PlanPath, Platform,
    Run, Strategy, is_in_place, must_empty_log, plan_recovery, plan_restore, unhex, validate,
};

use crate::backups::{backup_of, found_of, ops, request, upgraded};
use cutover_world::{
    auth, canonical, database, drive, fine, label, line, me, name, new_nonce, our_journal, plain,
    put_journal, with_auth,
};

fn planned(platform: Platform, change: impl Fn(&mut Observation)) -> Plan {
    let made = upgraded(&[1]);
    let mut seen = with_auth(Observation { can_link: false, platform, ..made.0.clone() });
    change(&mut seen);
    let plan = plan_restore(&seen, &request(&made)).unwrap().plan;
    assert_eq!(plan.journal.as_ref().unwrap().strategy, Strategy::RestorePageCopy);
    assert_eq!(Plan::parse(&plan.to_text()).unwrap(), plan);
    assert_eq!(validate(&plan, Some(&seen)), []);
    plan
}

fn unlinked() -> Plan {
    planned(Platform::Linux, |_| {})
}

fn install() -> FileName {
    name("data.db.install-0badcafe")
}

fn displaced() -> FileName {
    name("data.db.displaced-0badcafe")
}

/// This file, with this schema cookie and user version.
fn with(facts: FileFacts, cookie: u8, user_version: u8) -> FileFacts {
    let mut bytes = unhex(&facts.header.unwrap().bytes);
    (bytes[43], bytes[63]) = (cookie, user_version);
    FileFacts { header: Header::parse(&bytes).ok(), ..facts }
}

#[test]
fn v2_is_copied_aside_and_the_pages_of_v1_into_its_place() {
    let plan = unlinked();
    let told = ops(&plan.steps)
        .join("\n")
        .replace("0badcafe", "R")
        .replace("data.db.v1-v2-cutover.json", "JOURNAL");
    let (_, flip) =
        told.split_once("rename from=JOURNAL.tmp-R to=JOURNAL\nsync-dir companion=null\n").unwrap();
    let (_, flip) =
        flip.split_once("rename from=JOURNAL.tmp-R to=JOURNAL\nsync-dir companion=null\n").unwrap();
    let (flip, _) = flip.split_once("\nwrite-journal file=JOURNAL.tmp-R phase=committed").unwrap();
    assert_eq!(
        flip,
        "look file=data.db
restage from=data.db mode=delete to=data.db.source-R
sync-file file=data.db.source-R
rename from=data.db.source-R to=data.db.displaced-R
sync-dir companion=null
write-journal file=JOURNAL.tmp-R phase=installing
sync-file file=JOURNAL.tmp-R
rename from=JOURNAL.tmp-R to=JOURNAL
sync-dir companion=null
look file=data.db
page-copy from=data.db.install-R to=data.db
sync-dir companion=null
look-companion companion=auth file=auth.json mustBeSame=false if companion-staged
rename from=auth/auth.json to=auth/auth.json.displaced-R if companion-staged-over-change
sync-dir companion=auth if companion-staged-over-change
rename from=auth/auth.json.building-R to=auth/auth.json if companion-staged
sync-dir companion=auth if companion-staged"
    );
    let flip_at = plan.flip_at.unwrap() as usize;
    assert!(matches!(plan.steps[flip_at].op, Op::PageCopy { .. }));
    // v2 once, as a copy of the backup; again as what is set aside; and what SQLite's journal may
    // take.
    assert_eq!(plan.needs_bytes, 3 * 8192);
}

#[test]
fn a_plan_with_another_step_is_refused() {
    let plan = unlinked();
    for at in 0..plan.steps.len() {
        let mut without = plan.clone();
        without.steps.remove(at);
        assert_ne!(validate(&without, None), [], "{}", line(&plan.steps[at]));
    }
    // On POSIX the plan runs only while no process holds it, so nothing keeps it in WAL mode.
    let mut stays = plan.clone();
    let settles = |op: &Op| matches!(op, Op::Settle { file, .. } if *file == canonical());
    let at = stays.steps.iter().position(|step| settles(&step.op)).unwrap();
    stays.steps[at].op = Op::Settle { file: canonical(), mode: JournalMode::Wal };
    assert_ne!(validate(&stays, None), []);
}

/// What canonical is, its header tells: the schema cookie, which a page copy counts up, and the
/// versions, where a program has counted that up.
#[test]
fn canonical_tells_whether_the_pages_were_copied() {
    let v2 = |counter| database("2", JournalMode::Delete, counter);
    // The world's v2 has schema cookie 1 and user version 0.
    let found = |phase, now: FileFacts, there: Option<FileFacts>| {
        found_of(unlinked(), phase, |seen, aside| {
            assert_eq!(*aside, displaced());
            seen.files.insert(canonical(), now.clone());
            seen.files.insert(aside.clone(), plain("8", 8192));
            seen.files.extend(there.iter().map(|facts| (install(), facts.clone())));
        })
    };
    let v1 = |user_version| Some(with(database("9", JournalMode::Wal, 8), 7, user_version));
    let installing = |now, there| found(Phase::Installing, now, there);
    let kind = |plan: &Plan| {
        let goes = |op: &Op| matches!(op, Op::Remove { files } if files.contains(&PlanPath::from(&displaced())));
        (plan.kind, plan.undo.iter().any(|step| goes(&step.op)))
    };
    let (undone, kept) = ((PlanKind::Undo, true), (PlanKind::Undo, false));
    let finished = (PlanKind::Finish, false);
    assert_eq!(kind(&installing(v2(4), v1(1))), undone, "as it was settled");
    assert_eq!(kind(&installing(v2(9), v1(1))), undone, "a program wrote rows to v2");
    assert_eq!(kind(&installing(with(v2(5), 2, 1), v1(1))), finished, "the pages are there");
    assert_eq!(kind(&installing(with(v2(9), 2, 1), v1(1))), finished, "v1 was used since");
    assert_eq!(kind(&installing(with(v2(9), 4, 1), v1(1))), finished, "its schema was changed");
    assert_eq!(kind(&installing(with(v2(9), 4, 2), v1(1))), undone, "v2's schema was changed");
    assert_eq!(
        kind(&installing(with(v2(5), 2, 0), v1(0))),
        finished,
        "no versions tell them apart"
    );
    assert_eq!(kind(&installing(v2(9), v1(0))), undone, "likewise, and v2 has its schema");
    assert_eq!(kind(&installing(with(v2(5), 2, 1), None)), undone, "it is being undone");
    assert_eq!(kind(&found(Phase::Built, with(v2(5), 2, 1), v1(1))), undone, "it never began");
    let elsewhere = |counter| FileFacts { file_id: "77".into(), ..v2(counter) };
    assert_eq!(kind(&installing(elsewhere(9), v1(1))), kept, "another file has its name");
    let copied = Some(FileFacts { file_id: "78".into(), ..v1(1).unwrap() });
    assert_eq!(kind(&installing(elsewhere(4), copied.clone())), undone, "the directory was copied");
    assert_eq!(kind(&installing(with(elsewhere(5), 2, 1), copied)), finished, "and it was done");
    assert_eq!(kind(&found(Phase::Committed, with(v2(5), 2, 1), v1(1))).0, PlanKind::Clean);
}

#[test]
fn a_canonical_that_cannot_be_read_is_left_alone() {
    let mut seen = upgraded(&[1]).0;
    put_journal(&mut seen, &our_journal(), &unlinked().journal.unwrap().to_text());
    seen.files.insert(canonical(), plain("2", 8192));
    let refused = plan_recovery(&seen, &label(), &new_nonce()).unwrap_err();
    assert_eq!(refused.code, Code::V1Corrupt, "{refused}");
}

#[test]
fn a_restore_that_fails_is_undone_until_pages_may_have_been_copied() {
    let plan = unlinked();
    let flip = plan.flip_at.unwrap() as usize;
    let fails = |at: usize, cause: &OpErrorKind| {
        drive(Run::new(plan.clone(), Budget::of(0)), |_, now| {
            if !now.undo && now.index == at {
                Err(OpError::new(cause.clone(), "planted"))
            } else {
                Ok(fine(&now.op))
            }
        })
    };
    for at in 2..plan.cleanup_from.unwrap() as usize {
        let trace = fails(at, &OpErrorKind::Busy);
        if matches!(trace.ending, Action::Done(_)) {
            assert!(plan.steps[at].when.is_some(), "{at}");
            continue;
        }
        let data = &trace.failure().data;
        let (wanted, v2) = if at <= flip {
            (DataState::V2, "data.db")
        } else {
            (DataState::FinishAtNextStart, "data.db.displaced-0badcafe")
        };
        assert_eq!((data.state, data.v2.as_deref()), (wanted, Some(v2)), "{at}");
        assert_eq!(trace.performed.iter().any(|now| now.undo), at <= flip, "{at}");
    }
    // What a failure in the middle has left, only a look tells.
    for cause in [OpErrorKind::Sqlite, OpErrorKind::V1Changed] {
        let trace = fails(flip, &cause);
        assert!(!trace.performed.iter().any(|now| now.undo), "{cause:?}");
        assert_eq!(matches!(trace.ending, Action::Anew(_)), cause == OpErrorKind::V1Changed);
        let data = &trace.failure().data;
        assert_eq!(data.state, DataState::FinishAtNextStart);
        assert_eq!(data.v1.as_deref(), Some(backup_of(1).as_str()));
        assert_eq!(data.v2.as_deref(), Some("data.db.displaced-0badcafe"));
    }
}

/// A journal that could not be written is not renamed.
#[test]
fn an_undo_stops_where_the_copy_of_v1_did_not_go() {
    for platform in [Platform::Linux, Platform::Windows] {
        let plan = planned(platform, |_| {});
        let goes = |op: &Op| matches!(op, Op::Remove { files } if files.first() == Some(&PlanPath::from(&name("data.db.source-0badcafe"))));
        let end = plan.undo.iter().position(|step| goes(&step.op)).unwrap();
        let flip = plan.flip_at.unwrap() as usize;
        for failing in 1..end {
            let trace = drive(Run::new(plan.clone(), Budget::of(0)), |_, now| {
                if (!now.undo && now.index == flip) || (now.undo && now.index == failing) {
                    Err(OpError::new(OpErrorKind::Busy, "planted"))
                } else {
                    Ok(fine(&now.op))
                }
            });
            let last = trace.performed.last().unwrap();
            assert_eq!((last.undo, last.index), (true, failing), "{platform:?}");
        }
    }
}

fn held(seen: &mut Observation) {
    seen.holders = vec![me()];
}

#[test]
fn a_database_that_is_open_on_windows_is_copied_into() {
    // The world's v2 is in WAL mode.
    for can_link in [true, false] {
        let plan = planned(Platform::Windows, |seen| {
            held(seen);
            seen.can_link = can_link;
        });
        let told = ops(&plan.steps);
        assert!(told.contains(&"settle file=data.db mode=wal".into()), "{told:#?}");
        assert!(told.contains(&"settle file=data.db.install-0badcafe mode=wal".into()));
    }
    let made = upgraded(&[1]);
    let mut seen = Observation { platform: Platform::Windows, ..made.0.clone() };
    held(&mut seen);
    let mut other = seen.clone();
    other.holders = vec![Holder { pid: 9, name: "other".into(), this_process: false }];
    let refused = plan_restore(&other, &request(&made)).unwrap_err();
    assert_eq!((refused.code, refused.holders.len()), (Code::Held, 1), "{refused}");
    // It keeps its page size as well.
    let mut bytes = unhex(&seen.files[&canonical()].header.as_ref().unwrap().bytes);
    bytes[16..18].copy_from_slice(&[2, 0]);
    seen.files.get_mut(&canonical()).unwrap().header = Header::parse(&bytes).ok();
    let refused = plan_restore(&seen, &request(&made)).unwrap_err();
    assert_eq!(refused.code, Code::Held, "{refused}");
    assert!(refused.to_string().contains("the size of its pages"), "{refused}");
}

/// v1's pages may stand in its log, where its file says nothing of them.
#[test]
fn the_log_of_a_database_that_was_open_is_emptied_before_it_is_judged() {
    let seen_with = |mode, phase| {
        let mut plan = planned(Platform::Windows, held);
        let mut trace = drive(Run::new(plan.clone(), Budget::default()), |_, now| {
            Ok(match &now.op {
                Op::Settle { file, .. } if *file == canonical() => {
                    OpOutcome::Settled(database("2", mode, 4))
                }
                op => fine(op),
            })
        });
        let Action::Done(report) = &mut trace.ending else { panic!("{:?}", trace.ending) };
        let journal = Journal { phase, ..report.journal.take().unwrap() };
        plan.journal = Some(journal.clone());
        let mut seen = upgraded(&[1]).0;
        put_journal(&mut seen, &our_journal(), &journal.to_text());
        seen.files.insert(canonical().sidecars()[0].clone(), plain("5", 4096));
        (seen, journal)
    };
    let (mut seen, journal) = seen_with(JournalMode::Wal, Phase::Installing);
    assert!(must_empty_log(&seen));
    seen.files.insert(canonical(), with(database("2", JournalMode::Wal, 5), 2, 0));
    assert!(is_in_place(&seen, &journal));
    seen.files.insert(canonical(), database("2", JournalMode::Wal, 5));
    assert!(!is_in_place(&seen, &journal));
    seen.files.insert(canonical().sidecars()[0].clone(), plain("5", 0));
    assert!(!must_empty_log(&seen));
    assert!(!must_empty_log(&seen_with(JournalMode::Wal, Phase::Built).0));
    assert!(!must_empty_log(&seen_with(JournalMode::Delete, Phase::Installing).0));
    assert!(seen.companions.is_empty() && journal.companions.iter().all(|c| c.name == auth()));
}
