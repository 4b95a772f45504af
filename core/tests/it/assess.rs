use cutover_core::{
    BuildBy, BuildFrom, Code, DataState, Next, Observation, Phase, ReplaceBlocker, Verdict, assess,
    journal_tmp_name, plan_migration,
};

use cutover_core::JournalMode;
use cutover_world::{
    another_program, auth, canonical, database, directory, interrupted, journal, label, me, name,
    new_nonce, nonce, plain, request, with_auth,
};

fn next(observation: &Observation) -> Result<Next, Code> {
    assess(observation, &label(), &new_nonce()).map_err(|failure| {
        assert!(
            failure.to_string().ends_with(&format!("[cutover:{}]", failure.code.as_str())),
            "{}",
            failure.to_string()
        );
        assert!(!failure.hint.is_empty());
        failure.code
    })
}

fn without_database() -> Observation {
    let mut observation = directory();
    observation.files.clear();
    observation.verdict = None;
    observation
}

#[test]
fn a_v1_is_migrated_and_a_v2_is_left_alone() {
    assert_eq!(next(&directory()), Ok(Next::Migrate));
    assert_eq!(
        next(&Observation { verdict: Some(Verdict::Current), ..directory() }),
        Ok(Next::Current)
    );
    assert_eq!(
        next(&Observation { verdict: Some(Verdict::Newer), ..directory() }),
        Err(Code::Newer)
    );
}

#[test]
fn a_missing_or_empty_file_is_no_database() {
    assert_eq!(next(&without_database()), Ok(Next::NoDatabase));
    let mut empty = without_database();
    empty.files.insert(canonical(), plain("1", 0));
    assert_eq!(next(&empty), Ok(Next::NoDatabase));
    for sidecar in canonical().sidecars() {
        empty.files.insert(sidecar, plain("w", 0));
    }
    empty.files.insert(name("data.db-shm"), plain("s", 32768));
    assert_eq!(next(&empty), Ok(Next::NoDatabase), "a -shm holds no rows");
}

/// Found out after the flip it would be found out at every start.
#[test]
fn a_companion_that_cannot_be_replaced_keeps_a_migration_from_being_begun_and_nothing_else() {
    for (irreplaceable, word, hint) in [
        (ReplaceBlocker::MountPoint, "mount point", "mount its directory"),
        (ReplaceBlocker::Immutable, "immutable", "chattr"),
        (ReplaceBlocker::ReadOnly, "read-only", "attrib"),
        (ReplaceBlocker::Sticky, "sticky", "the user who owns it"),
    ] {
        let fixed = |mut observation: Observation| {
            observation.companions.get_mut(&auth()).unwrap().irreplaceable = Some(irreplaceable);
            observation
        };
        let seen = fixed(with_auth(directory()));
        let failure = plan_migration(&seen, &request(BuildBy::Host, BuildFrom::Copy)).unwrap_err();
        assert_eq!(
            (failure.code, failure.path.as_deref()),
            (Code::Io, Some("/home/u/app/auth.json"))
        );
        assert!(failure.hint.contains(word) && failure.hint.contains(hint), "{failure}");
        assert_eq!(
            next(&Observation { verdict: Some(Verdict::Current), ..seen }),
            Ok(Next::Current)
        );
        let begun = interrupted(&journal(Phase::Building));
        assert_eq!(next(&fixed(with_auth(begun.clone()))), next(&with_auth(begun)));
    }
}

/// Opened with CREATE, SQLite would delete the log, and with it the rows.
#[test]
fn an_empty_or_missing_database_beside_a_log_with_data_is_refused() {
    for sidecar in ["data.db-wal", "data.db-journal"] {
        for empty in [false, true] {
            let mut observation = without_database();
            if empty {
                observation.files.insert(canonical(), plain("1", 0));
            }
            observation.files.insert(name(sidecar), plain("w", 4152));
            assert_eq!(next(&observation), Err(Code::V1Corrupt), "{sidecar} {empty}");
        }
    }
}

#[test]
fn what_is_no_database_or_cannot_be_read_is_refused() {
    let mut observation = without_database();
    observation.files.insert(canonical(), plain("1", 5000));
    assert_eq!(next(&observation), Err(Code::NotADatabase));
    assert_eq!(next(&Observation { verdict: None, ..directory() }), Err(Code::V1Corrupt));
}

/// Before anything else, recovery included: opening it here would drop that connection's locks.
#[test]
fn a_database_that_this_process_holds_is_not_touched() {
    for held in [directory(), interrupted(&journal(Phase::Built)), without_database()] {
        let observation = Observation { holders: vec![me(), another_program()], ..held };
        let failure = assess(&observation, &label(), &new_nonce()).unwrap_err();
        assert_eq!(failure.code, Code::Held);
        assert_eq!(failure.holders, [me(), another_program()]);
        assert!(
            failure.to_string().contains("held by this process (pid 42), backupd (pid 7)"),
            "{}",
            failure.to_string()
        );
    }
    assert_eq!(
        next(&Observation { holders: vec![another_program()], ..directory() }),
        Ok(Next::Migrate),
        "others are the plan's business"
    );
}

/// A connection that is idle in rollback mode holds no lock, so only a list of open files tells.
#[test]
fn where_other_programs_are_not_seen_no_plan_relies_on_their_absence() {
    let unseen =
        |seen: Observation| Observation { holders_unknown: Some("no list".into()), ..seen };
    let current = Observation { verdict: Some(Verdict::Current), ..directory() };
    assert_eq!(next(&unseen(current)), Ok(Next::Current), "nothing to do");
    assert_eq!(next(&unseen(without_database())), Ok(Next::NoDatabase));
    let refused = [
        plan_migration(&unseen(directory()), &request(BuildBy::Sql, BuildFrom::Empty)).map(drop),
        assess(&unseen(interrupted(&journal(Phase::Built))), &label(), &new_nonce()).map(drop),
    ];
    for refused in refused {
        let failure = refused.unwrap_err();
        let said = failure.to_string();
        assert_eq!(
            (failure.code, failure.data.state),
            (Code::Held, DataState::Untouched),
            "{said}"
        );
        assert_eq!(failure.data.v1.as_deref(), Some("data.db"));
        assert!(
            said.contains("cannot be told here: no list") && said.contains("`unseen`"),
            "{said}"
        );
    }
    // What only removes files of a committed upgrade does not look for holders.
    let mut committed = interrupted(&journal(Phase::Committed));
    committed.verdict = Some(Verdict::Current);
    assert!(matches!(next(&unseen(committed)), Ok(Next::Recover(_))));
}

#[test]
fn an_interrupted_upgrade_is_recovered_first() {
    let mut observation = interrupted(&journal(Phase::Built));
    for verdict in [Verdict::Old, Verdict::Current, Verdict::Newer] {
        observation.verdict = Some(verdict);
        assert!(matches!(next(&observation), Ok(Next::Recover(_))), "{verdict:?}");
    }
    let mut tmp = directory();
    tmp.files.insert(journal_tmp_name(&canonical(), &label(), &nonce()), plain("t", 10));
    assert!(matches!(next(&tmp), Ok(Next::Recover(_))));
}

#[test]
fn a_migration_is_refused_before_anything_is_touched() {
    let refused = |observation: &Observation| {
        let failure =
            plan_migration(observation, &request(BuildBy::Host, BuildFrom::Empty)).unwrap_err();
        assert!(
            failure.to_string().contains("data.db") || failure.path.is_some(),
            "{}",
            failure.to_string()
        );
        failure.code
    };
    assert_eq!(refused(&without_database()), Code::Io);
    let mut none = directory();
    none.files.insert(canonical(), plain("1", 0));
    assert_eq!(refused(&none), Code::NotADatabase);
    let mut long = with_auth(directory());
    long.companions.values_mut().for_each(|seen| seen.file = name(&"a".repeat(250)));
    assert_eq!(refused(&long), Code::Io, "a companion's backup would have no name");
}

/// v1 is 8192 bytes with a log of 4000.
#[test]
fn the_room_for_the_worst_case_is_asked_for() {
    for (by, from, needs) in [
        (BuildBy::Sql, BuildFrom::Empty, 12192 + 4000),
        (BuildBy::Sql, BuildFrom::Copy, 12192 + 4000),
        (BuildBy::Host, BuildFrom::Copy, 2 * 12192 + 4000),
        (BuildBy::Host, BuildFrom::Empty, 3 * 12192 + 4000),
    ] {
        let mut observation = directory();
        observation.files.insert(canonical(), database("1", JournalMode::Wal, 7));
        observation.files.insert(name("data.db-wal"), plain("w", 4000));
        for (free, fits) in
            [(Some(needs), true), (Some(needs - 1), false), (Some(0), false), (None, true)]
        {
            observation.free_bytes = free;
            match plan_migration(&observation, &request(by, from)) {
                Ok(plan) => assert!(fits && plan.needs_bytes == needs, "{by:?} {from:?} {free:?}"),
                Err(failure) => {
                    assert!(
                        !fits && failure.code == Code::NoSpace,
                        "{by:?} {from:?} {free:?}: {failure}"
                    );
                    assert!(
                        failure.hint.contains(&format!("free {} byte", needs - free.unwrap())),
                        "{}",
                        failure.hint
                    );
                }
            }
        }
    }
    // By page copy the backup is a second v1, and the transaction keeps what it overwrites; the
    // host's copy of v1 is gone by then.
    for (by, from, copies) in [
        (BuildBy::Sql, BuildFrom::Empty, 3),
        (BuildBy::Sql, BuildFrom::Copy, 3),
        (BuildBy::Host, BuildFrom::Copy, 4),
        (BuildBy::Host, BuildFrom::Empty, 4),
    ] {
        let needs = copies * 12192 + 4000;
        for (free, fits) in [(needs, true), (needs - 1, false)] {
            let mut observation =
                Observation { can_link: false, free_bytes: Some(free), ..directory() };
            observation.files.insert(name("data.db-wal"), plain("w", 4000));
            assert_eq!(
                plan_migration(&observation, &request(by, from)).is_ok(),
                fits,
                "{by:?} {from:?} {free}"
            );
        }
    }
    let mut huge = directory();
    huge.files.get_mut(&canonical()).unwrap().size = u64::MAX;
    assert_eq!(
        plan_migration(&huge, &request(BuildBy::Host, BuildFrom::Empty)).unwrap_err().code,
        Code::NoSpace
    );
}
