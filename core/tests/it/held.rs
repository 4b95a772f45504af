//! Windows: a process has v1 open. v1 can then be read and not replaced; so v2's pages are copied
//! into it, or the upgrade is refused with the holder's name.

use cutover_core::{
    Budget, BuildBy, BuildFrom, Code, FindingKind, Holder, JournalMode, Next, Observation, Op,
    OpOutcome, Phase, Plan, PlanKind, Platform, Run, Strategy, Verdict, assess, assess_left,
    plan_migration, validate,
};

use cutover_world::{
    another_program, canonical, database, directory, drive, fine, interrupted, journal, label, me,
    new_nonce, our_names, request, v2,
};

/// What Wine says of every holder, and Windows of one that it may not name.
fn unnamed() -> Holder {
    Holder { pid: 0, name: String::new(), this_process: false }
}

fn held(mode: JournalMode, holders: Vec<Holder>) -> Observation {
    let mut observation = Observation { platform: Platform::Windows, holders, ..directory() };
    observation.files.insert(canonical(), database("1", mode, 7));
    observation
}

fn strategy(plan: &Plan) -> Strategy {
    plan.journal.as_ref().unwrap().strategy
}

#[test]
fn pages_are_copied_where_this_process_or_an_unnamed_one_has_v1_open() {
    for mode in [JournalMode::Wal, JournalMode::Delete] {
        for holders in [vec![me()], vec![unnamed()], vec![me(), unnamed()]] {
            let observation = held(mode, holders);
            assert_eq!(assess(&observation, &label(), &new_nonce()).unwrap(), Next::Migrate);
            for (by, from) in [
                (BuildBy::Sql, BuildFrom::Empty),
                (BuildBy::Sql, BuildFrom::Copy),
                (BuildBy::Host, BuildFrom::Empty),
                (BuildBy::Host, BuildFrom::Copy),
            ] {
                let plan = plan_migration(&observation, &request(by, from)).unwrap();
                assert_eq!(strategy(&plan), Strategy::PageCopy);
                let errors = validate(&plan, Some(&observation));
                assert_eq!(errors, [], "{by:?} {from:?}");
                // The process that has v1 open keeps it in its journal mode, and no name of v1 may
                // be made, removed or given to another file.
                assert!(
                    plan.steps.iter().any(|step| step.op == Op::Settle { file: canonical(), mode })
                );
                let touches = |op: &Op| match op {
                    Op::Link { from, .. } => *from == (&canonical()).into(),
                    Op::Rename { to, .. } => *to == (&canonical()).into(),
                    Op::LockV1 { .. } => true,
                    _ => false,
                };
                assert!(
                    !plan.steps.iter().chain(&plan.undo).any(|step| touches(&step.op)),
                    "{by:?} {from:?}"
                );
            }
        }
    }
}

#[test]
fn a_program_that_is_known_is_named_and_nothing_is_begun() {
    for holders in
        [vec![another_program()], vec![me(), another_program()], vec![unnamed(), another_program()]]
    {
        let observation = held(JournalMode::Wal, holders);
        let failure =
            plan_migration(&observation, &request(BuildBy::Sql, BuildFrom::Empty)).unwrap_err();
        assert_eq!((failure.code, &failure.holders[..]), (Code::Held, &[another_program()][..]));
        assert!(failure.to_string().contains("held by backupd (pid 7)"), "{failure}");
    }
}

#[test]
fn a_holder_without_a_name_is_told_of_all_the_same() {
    let mut failure = plan_migration(
        &held(JournalMode::Wal, vec![another_program()]),
        &request(BuildBy::Sql, BuildFrom::Empty),
    )
    .unwrap_err();
    failure.holders = vec![unnamed()];
    assert!(
        failure.to_string().contains("held by a program that the system does not name;"),
        "{failure}"
    );
}

/// On POSIX an open file takes its locks with it, so nothing changes there.
#[test]
fn elsewhere_what_this_process_has_open_is_refused() {
    for platform in [Platform::Linux, Platform::Macos] {
        let observation = Observation { platform, ..held(JournalMode::Wal, vec![me()]) };
        assert_eq!(assess(&observation, &label(), &new_nonce()).unwrap_err().code, Code::Held);
        // Nor was it opened to look at it after a clean-up that failed, and stays open.
        let unread = Observation { verdict: None, ..observation.clone() };
        assert_eq!(assess_left(&unread, &[], &label(), &new_nonce()).unwrap_err().code, Code::Held);
        let plan = plan_migration(
            &Observation { holders: vec![another_program()], ..observation },
            &request(BuildBy::Sql, BuildFrom::Empty),
        )
        .unwrap();
        assert_eq!(strategy(&plan), Strategy::LinkReplace);
    }
}

/// Windows does not name every holder; a holder without a name keeps staging from being renamed as
/// well.
#[test]
fn staging_that_a_process_has_open_is_restaged() {
    for (platform, again) in [(Platform::Windows, true), (Platform::Linux, false)] {
        let observation = Observation { platform, ..directory() };
        let plan = plan_migration(&observation, &request(BuildBy::Host, BuildFrom::Empty)).unwrap();
        let staging = our_names().staging;
        let trace = drive(Run::new(plan, Budget::default()), |_, performed| match &performed.op {
            Op::Look { file } if *file == staging => Ok(OpOutcome::Looked(vec![unnamed()])),
            op => Ok(fine(op)),
        });
        let restaged =
            trace.performed.iter().any(|performed| matches!(&performed.op, Op::Restage { .. }));
        assert_eq!(restaged, again, "{platform:?}");
    }
}

/// A flip by rename met a process that has v1 open: the next try copies the pages of the v2 that was
/// built.
#[test]
fn an_interrupted_replacement_of_what_is_held_goes_on_as_a_copy() {
    let mut observation = interrupted(&journal(Phase::Built));
    observation.files.insert(our_names().install, v2());
    observation.platform = Platform::Windows;
    let recover =
        |observation: &Observation| match assess(observation, &label(), &new_nonce()).unwrap() {
            Next::Recover(plan) => *plan,
            next => panic!("{next:?}"),
        };
    assert_eq!(strategy(&recover(&observation)), Strategy::LinkReplace);
    observation.holders = vec![unnamed()];
    let plan = recover(&observation);
    assert_eq!((plan.kind, strategy(&plan)), (PlanKind::Finish, Strategy::PageCopy));
    assert!(
        !plan
            .steps
            .iter()
            .any(|step| matches!(step.op, Op::BuildSql { .. } | Op::BuildHost { .. }))
    );
    assert_eq!(validate(&plan, Some(&observation)), []);
    // With its second name it may not be copied into, and waits for the holder to go.
    observation.files.insert(our_names().backup, observation.files[&canonical()].clone());
    assert_eq!(strategy(&recover(&observation)), Strategy::LinkReplace);
}

/// A database that a process keeps in WAL mode can be written to, and its log emptied, with header
/// and size as they were. After a crash no start can tell.
#[test]
fn a_fingerprint_taken_in_wal_mode_proves_nothing_to_the_next_start() {
    let v1 = database("1", JournalMode::Wal, 7);
    for phase in [Phase::Built, Phase::Installing] {
        let mut journal = journal(phase);
        journal.strategy = Strategy::PageCopy;
        journal.v1.as_mut().unwrap().fingerprint = v1.fingerprint().unwrap();
        let mut observation = interrupted(&journal);
        observation.platform = Platform::Windows;
        observation.files.insert(canonical(), v1.clone());
        observation.files.insert(our_names().install, v2());
        let Next::Recover(plan) = assess(&observation, &label(), &new_nonce()).unwrap() else {
            panic!("it is recovered")
        };
        assert_eq!(plan.kind, PlanKind::Undo, "{phase:?}");
    }
    assert!(
        !v1.fingerprint().unwrap().detects_writes()
            && database("1", JournalMode::Delete, 7).fingerprint().unwrap().detects_writes()
    );
}

/// What a process that was killed leaves when it had committed v2's pages in canonical's log, and
/// not flushed it.
pub fn killed_in_the_copy() -> Observation {
    let mut journal = journal(Phase::Installing);
    journal.strategy = Strategy::PageCopy;
    let mut observation = interrupted(&journal);
    observation.platform = Platform::Windows;
    observation.verdict = Some(Verdict::Current);
    observation.files.insert(canonical(), database("1", JournalMode::Wal, 7));
    observation.files.insert(canonical().sidecars()[0].clone(), database("w", JournalMode::Wal, 1));
    observation.files.insert(journal.names.backup, database("1", JournalMode::Delete, 7));
    observation
}

/// A start that reads v2 through such a log flushes it before it acts on that.
#[test]
fn a_v2_that_is_in_the_log_alone_is_flushed_first() {
    let mut observation = killed_in_the_copy();
    let recover =
        |observation: &Observation| match assess(observation, &label(), &new_nonce()).unwrap() {
            Next::Recover(plan) => *plan,
            next => panic!("{next:?}"),
        };
    let log = canonical().sidecars()[0].clone();
    let flushes = |plan: &Plan| {
        plan.steps.iter().position(|step| step.op == Op::SyncFile { file: (&log).into() })
    };
    let plan = recover(&observation);
    assert_eq!(flushes(&plan), Some(1), "{plan:#?}");
    assert_eq!(validate(&plan, Some(&observation)), []);
    let mut without = plan;
    without.steps.remove(1);
    without.cleanup_from = without.cleanup_from.map(|from| from - 1);
    assert!(
        validate(&without, Some(&observation)).iter().any(|found| found.kind == FindingKind::Step),
        "the log is not flushed"
    );
    observation.files.remove(&log);
    assert_eq!(flushes(&recover(&observation)), None);
}
