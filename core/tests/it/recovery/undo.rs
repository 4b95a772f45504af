//! A recovery that undoes gives v2 up and gives v1 its name back: these tests read its steps, and
//! check when it must go forward instead.

use cutover_core::{
    JournalMode, Observation, Op, Phase, PlanKind, PlanPath, Platform, Verdict, may_open_canonical,
};

use cutover_world::{
    auth, canonical, database, directory, interrupted, journal, line, name, our_journal, our_names,
    plain, put_journal, v1, with_auth, with_companion,
};

use super::{has, overtaken, planned, renames};

/// Windows cannot flush a removal, so it is the journal that says that nothing is installed.
#[test]
fn on_windows_an_undo_says_so_before_anything_is_undone() {
    for (phase, v2) in [(Phase::Building, "building"), (Phase::Built, "install")] {
        let mut seen = Observation { platform: Platform::Windows, ..interrupted(&journal(phase)) };
        seen.files.insert(canonical(), database("1", JournalMode::Delete, 8));
        let printed: Vec<String> = planned(&seen).undo.iter().map(line).collect();
        let tmp = "data.db.v1-v2-cutover.json.tmp-N";
        let first = [
            "unlock-v1".to_owned(),
            format!("remove files=[data.db.{v2}-N,{tmp}]"),
            format!("write-journal file={tmp} phase=building"),
            format!("sync-file file={tmp}"),
            format!("rename from={tmp} to=data.db.v1-v2-cutover.json"),
            "sync-dir companion=null".to_owned(),
            "undo-host".to_owned(),
        ];
        assert_eq!(printed[..7], first, "{phase:?}");
    }
}

#[test]
fn an_undo_restores_v1_and_removes_the_rest() {
    let seen = interrupted(&journal(Phase::Building));
    let plan = planned(&seen);
    let printed: Vec<String> = plan.undo.iter().map(line).collect();
    let first = [
        "unlock-v1",
        "remove files=[data.db.building-N]",
        "sync-dir companion=null",
        "undo-host",
        "remove-link link=data.db.v1-v2-MS-N of=data.db",
    ];
    assert_eq!(printed[..5], first, "v2 is gone for good before anything else is undone");
    assert!(
        printed[5].starts_with("remove files=[data.db.source-N,data.db.source-N-wal,"),
        "{}",
        printed[5]
    );
    for file in our_names()
        .source
        .set()
        .iter()
        .chain(&our_names().staging.set())
        .chain(&our_names().install.set())
    {
        assert!(
            has(
                &plan,
                |op| matches!(op, Op::Remove { files } if files.contains(&PlanPath::from(file)))
            ),
            "{file}"
        );
    }
    assert_eq!(
        printed[6..],
        [
            "look file=data.db",
            "restore-mode file=data.db mode=wal",
            "sync-dir companion=null",
            "remove files=[data.db.v1-v2-cutover.json]",
            "sync-dir companion=null"
        ]
    );
    let mut rollback = journal(Phase::Building);
    rollback.v1.as_mut().unwrap().journal_mode = JournalMode::Delete;
    assert!(
        !has(&planned(&interrupted(&rollback)), |op| matches!(op, Op::RestoreMode { .. })),
        "a v1 that had no WAL gets none"
    );
}

/// v1 gets its name back before anything is undone, by steps that must succeed.
#[test]
fn a_v1_that_changed_at_the_flip_is_put_back() {
    let plan = planned(&overtaken(&journal(Phase::Built)));
    let printed: Vec<String> = plan.steps.iter().map(line).collect();
    assert_eq!(
        printed,
        [
            "sync-dir companion=null",
            "rename from=data.db.v1-v2-MS-N to=data.db",
            "sync-dir companion=null"
        ]
    );
    let usual = planned(&Observation {
        platform: Platform::Windows,
        ..interrupted(&journal(Phase::Built))
    });
    assert_eq!(plan.undo, usual.undo, "and then the usual undo");
    assert!(
        matches!(&plan.undo[1].op, Op::Remove { files } if files[0] == PlanPath::from(&our_names().install)),
        "of what the journal calls v2"
    );
    assert!(!has(&plan, |op| matches!(
        op,
        Op::Settle { .. } | Op::Check { .. } | Op::Detect { .. } | Op::LockV1 { .. }
    )));
}

/// v2 is given up only where that is sure: each thing that says otherwise leads forward.
#[test]
fn a_v2_that_may_be_in_use_is_never_given_up() {
    type Change = (&'static str, fn(&mut Observation));
    let staged = || {
        let mut seen = with_auth(overtaken(&with_companion(journal(Phase::Built), true)));
        seen.companions.get_mut(&auth()).unwrap().present.push(name("auth.json.building-3fa9c1d2"));
        seen
    };
    let puts_back = |seen: &Observation| renames(&planned(seen), &our_names().backup, &canonical());
    let changes: [Change; 10] = [
        ("an old release has upgraded over ours", |seen| {
            seen.files.get_mut(&canonical()).unwrap().file_id = "77".into();
        }),
        ("another platform", |seen| seen.platform = Platform::Linux),
        ("committed", |seen| {
            put_journal(
                seen,
                &our_journal(),
                &with_companion(journal(Phase::Committed), true).to_text(),
            );
        }),
        ("v2 grew", |seen| seen.files.get_mut(&canonical()).unwrap().size += 4096),
        ("v2's first page changed", |seen| {
            seen.files.get_mut(&canonical()).unwrap().page1 = Some("another".into());
        }),
        ("v1 is unchanged", |seen| drop(seen.files.insert(our_names().backup, v1()))),
        ("the backup is gone", |seen| drop(seen.files.remove(&our_names().backup))),
        ("the backup is canonical", |seen| {
            drop(seen.files.insert(our_names().backup, database("2", JournalMode::Delete, 8)));
        }),
        ("the backup is no database", |seen| {
            drop(seen.files.insert(our_names().backup, plain("1", 8192)));
        }),
        ("a receipt was begun", |seen| {
            drop(seen.files.insert(our_names().receipt(), plain("r", 0)));
        }),
    ];
    let companion: Change = ("the companion is installed", |seen| {
        seen.companions
            .get_mut(&auth())
            .unwrap()
            .present
            .retain(|file| *file != name("auth.json.building-3fa9c1d2"));
    });
    for (what, change) in changes.into_iter().chain([companion]) {
        let mut seen = staged();
        assert!(puts_back(&seen));
        change(&mut seen);
        let plan = planned(&seen);
        assert!(
            matches!(plan.kind, PlanKind::Finish | PlanKind::Clean)
                && plan.undo.is_empty()
                && !puts_back(&seen),
            "{what}"
        );
        seen.verdict = None;
        assert!(may_open_canonical(&seen), "{what}");
    }
    // By its name alone, where `detect` was not asked or read through v1's log; by `detect`, where
    // the directory was copied.
    let mut seen = staged();
    for verdict in [None, Some(Verdict::Old)] {
        seen.verdict = verdict;
        assert!(puts_back(&seen) && !may_open_canonical(&seen), "{verdict:?}");
    }
    seen.files.get_mut(&canonical()).unwrap().file_id = "22".into();
    seen.files.get_mut(&our_names().backup).unwrap().file_id = "23".into();
    seen.verdict = Some(Verdict::Current);
    assert!(puts_back(&seen));
    // Neither: a v1 that happens to look alike is not written over.
    seen.verdict = Some(Verdict::Old);
    assert!(!puts_back(&seen));
    assert!(
        may_open_canonical(&directory())
            && may_open_canonical(&interrupted(&journal(Phase::Built)))
    );
}
