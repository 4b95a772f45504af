//! The recovery table, rule by rule, and the order of its rules.

use cutover_core::{
    Action, BuildBy, BuildFrom, Code, Failure, FileFacts, FileName, Journal, JournalMode, Label,
    Observation, Op, Phase, Plan, PlanKind, PlanPath, Platform, Request, Step, Strategy, Verdict,
    displaced_name, journal_aside_name, journal_tmp_name, legacy_journal_name, may_open_canonical,
    plan_migration, plan_recovery, validate,
};
use serde_json::{Value, json};

use cutover_world::{
    auth, canonical, database, directory, drive_well, flip, interrupted, journal, label, line,
    name, new_nonce, nonce, our_journal, our_names, plain, put_journal, request, v1, v2, with_auth,
    with_companion,
};

pub fn recover(observation: &Observation) -> Result<Option<Plan>, Failure> {
    plan_recovery(observation, &label(), &new_nonce())
}

pub fn planned(observation: &Observation) -> Plan {
    recover(observation).unwrap().unwrap()
}

fn refused(observation: &Observation) -> Failure {
    recover(observation).unwrap_err()
}

fn ops(plan: &Plan) -> Vec<&Op> {
    plan.steps.iter().chain(&plan.undo).map(|step| &step.op).collect()
}

pub fn has(plan: &Plan, fits: impl Fn(&Op) -> bool) -> bool {
    ops(plan).into_iter().any(fits)
}

fn renames(plan: &Plan, from: &FileName, to: &FileName) -> bool {
    has(plan, |op| *op == Op::Rename { from: from.into(), to: to.into() })
}

fn built(file: &str) -> Observation {
    let mut observation = interrupted(&journal(Phase::Built));
    observation.files.insert(name(file), v2());
    observation
}

/// Windows: v2 was installed, and v1, which is the backup now, was written to after its check.
pub fn overtaken(journal: &Journal) -> Observation {
    let mut observation = interrupted(journal);
    flip(&mut observation);
    observation.platform = Platform::Windows;
    observation.files.insert(our_names().backup, database("1", JournalMode::Delete, 8));
    observation
}

fn legacy_text(phase: &str) -> Value {
    let path = |file: &str| format!("/home/u/app/{file}");
    json!({
        "version": 1, "source": path("data.db"), "normalizedSource": path("data.db.source-3fa9c1d2"),
        "staging": path("data.db.building-3fa9c1d2"), "backup": path("data.db.v1-v2-1782718800000-3fa9c1d2"),
        "authPath": path("auth.json"), "authBackup": path("auth.json.v1-v2-3fa9c1d2"), "authExisted": true,
        "keychainBackups": ["k"], "nonce": "3fa9c1d2", "phase": phase,
    })
}

/// The legacy daemon was killed in this phase. The files that are there are given one by one,
/// because its renames and its journal may have reached the disk in any order.
pub fn legacy_at(
    phase: &str,
    canonical_is: Option<Verdict>,
    staging: bool,
    backup: bool,
) -> Observation {
    let mut observation = directory();
    observation.files.clear();
    observation.verdict = canonical_is;
    match canonical_is {
        Some(Verdict::Old) => drop(observation.files.insert(canonical(), v1())),
        Some(_) => drop(observation.files.insert(canonical(), v2())),
        None => {}
    }
    if staging {
        observation.files.insert(our_names().staging, v2());
    }
    if backup {
        observation.files.insert(our_names().backup, v1());
    }
    put_journal(
        &mut observation,
        &legacy_journal_name(&canonical()),
        &legacy_text(phase).to_string(),
    );
    observation
}

struct Row {
    name: &'static str,
    seen: Observation,
    kind: PlanKind,
    /// Whether the plan can still make v2 canonical.
    flips: bool,
}

fn rows() -> Vec<Row> {
    let flipped = |phase: Phase| {
        let mut observation = interrupted(&journal(phase));
        flip(&mut observation);
        observation
    };
    let with = |mut observation: Observation, change: &dyn Fn(&mut Observation)| {
        change(&mut observation);
        observation
    };
    let staged = |phase: Phase| {
        let mut observation = with_auth(interrupted(&with_companion(journal(phase), true)));
        let seen = observation.companions.get_mut(&auth()).unwrap();
        seen.present
            .extend([name("auth.json.v1-v2-3fa9c1d2"), name("auth.json.building-3fa9c1d2")]);
        observation.files.insert(our_names().install, v2());
        observation
    };
    let row = |name, seen, kind, flips| Row { name, seen, kind, flips };
    vec![
        row(
            "no journal, a left-over tmp",
            with(directory(), &|seen| {
                drop(
                    seen.files
                        .insert(name("data.db.v1-v2-cutover.json.tmp-3fa9c1d2"), plain("t", 9)),
                );
            }),
            PlanKind::Clean,
            false,
        ),
        row("built, canonical is v2", flipped(Phase::Built), PlanKind::Finish, false),
        row("installing, canonical is v2", flipped(Phase::Installing), PlanKind::Finish, false),
        row("committed, canonical is v2", flipped(Phase::Committed), PlanKind::Clean, false),
        row(
            "built, canonical is newer",
            with(flipped(Phase::Built), &|seen| seen.verdict = Some(Verdict::Newer)),
            PlanKind::Finish,
            false,
        ),
        row(
            "built, canonical is v2 by file and digest where detect fails",
            with(flipped(Phase::Built), &|seen| seen.verdict = None),
            PlanKind::Finish,
            false,
        ),
        row("building", interrupted(&journal(Phase::Building)), PlanKind::Undo, false),
        row(
            "building, v1 not settled yet",
            with(interrupted(&journal(Phase::Building)), &|seen| {
                drop(seen.files.insert(canonical(), database("1", JournalMode::Wal, 7)));
            }),
            PlanKind::Undo,
            false,
        ),
        row("building, a companion staged", staged(Phase::Building), PlanKind::Undo, false),
        row("built, v1 unchanged", built("data.db.install-3fa9c1d2"), PlanKind::Finish, true),
        row("built, a companion staged", staged(Phase::Built), PlanKind::Finish, true),
        row(
            "built, the link visible",
            with(built("data.db.install-3fa9c1d2"), &|seen| {
                drop(seen.files.insert(our_names().backup, v1()));
            }),
            PlanKind::Finish,
            true,
        ),
        row(
            "built, another file with v1's header and size in its place",
            with(built("data.db.install-3fa9c1d2"), &|seen| {
                drop(seen.files.insert(canonical(), database("11", JournalMode::Delete, 7)));
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "built, the directory copied, so that the link is a file of its own",
            with(built("data.db.install-3fa9c1d2"), &|seen| {
                seen.files.insert(canonical(), database("11", JournalMode::Delete, 7));
                seen.files.insert(our_names().backup, database("12", JournalMode::Delete, 7));
                seen.files.insert(our_names().install, FileFacts { file_id: "13".into(), ..v2() });
            }),
            PlanKind::Finish,
            true,
        ),
        row(
            "built, v1 changed",
            with(built("data.db.install-3fa9c1d2"), &|seen| {
                drop(seen.files.insert(canonical(), database("1", JournalMode::Delete, 8)));
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "built, v1 grew",
            with(built("data.db.install-3fa9c1d2"), &|seen| {
                seen.files.get_mut(&canonical()).unwrap().size += 4096;
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "built, v1 in WAL mode again",
            with(built("data.db.install-3fa9c1d2"), &|seen| {
                drop(seen.files.insert(canonical(), database("1", JournalMode::Wal, 7)));
            }),
            PlanKind::Undo,
            false,
        ),
        row("built, v2 missing", interrupted(&journal(Phase::Built)), PlanKind::Undo, false),
        row(
            "built, only staging there and not install",
            built("data.db.building-3fa9c1d2"),
            PlanKind::Undo,
            false,
        ),
        row(
            "Windows: built, v2 installed, v1 changed in the backup",
            overtaken(&journal(Phase::Built)),
            PlanKind::Undo,
            false,
        ),
        row(
            "page copy: built, v1 not copied",
            with(page_copying(Phase::Built), &|_| ()),
            PlanKind::Finish,
            true,
        ),
        row(
            "page copy: built, v1 copied",
            with(page_copying(Phase::Built), &copied),
            PlanKind::Finish,
            true,
        ),
        row(
            "page copy: built, the copy is not of this v1",
            with(page_copying(Phase::Built), &|seen| {
                drop(seen.files.insert(our_names().backup, FileFacts { size: 12288, ..v1() }));
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "page copy: installing, canonical is v1",
            with(page_copying(Phase::Installing), &copied),
            PlanKind::Finish,
            true,
        ),
        row(
            "page copy: installing, canonical is v1, the copy gone",
            page_copying(Phase::Installing),
            PlanKind::Finish,
            true,
        ),
        row(
            "page copy: installing, v2 missing",
            interrupted(&journal(Phase::Installing)),
            PlanKind::Undo,
            false,
        ),
        row(
            "page copy: installing, v1 changed",
            with(page_copying(Phase::Installing), &|seen| {
                drop(seen.files.insert(canonical(), database("1", JournalMode::Delete, 8)));
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "page copy: installing, another file in v1's place, so the copy is not of this one",
            with(page_copying(Phase::Installing), &|seen| {
                copied(seen);
                seen.files.insert(
                    canonical(),
                    FileFacts { file_id: "9".into(), ..database("1", JournalMode::Delete, 8) },
                );
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "page copy: installing, no room for it",
            with(page_copying(Phase::Installing), &|seen| {
                copied(seen);
                seen.free_bytes = Some(8191);
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "page copy: installing, canonical is v2",
            with(page_copying(Phase::Installing), &|seen| {
                copied(seen);
                seen.files.insert(canonical(), FileFacts { file_id: "1".into(), ..v2() });
                seen.verdict = Some(Verdict::Current);
            }),
            PlanKind::Finish,
            false,
        ),
        row(
            "committed, v1 restored by a person",
            interrupted(&journal(Phase::Committed)),
            PlanKind::Clean,
            false,
        ),
        row(
            "the legacy building",
            legacy_at("building", Some(Verdict::Old), true, false),
            PlanKind::Undo,
            false,
        ),
        row(
            "the legacy building, nothing built",
            legacy_at("building", Some(Verdict::Old), false, false),
            PlanKind::Undo,
            false,
        ),
        row(
            "the legacy built",
            legacy_at("built", Some(Verdict::Old), true, false),
            PlanKind::Undo,
            false,
        ),
        row(
            "the legacy canonical-moved, staging there",
            legacy_at("canonical-moved", None, true, true),
            PlanKind::Finish,
            true,
        ),
        row(
            "the legacy built, but canonical moved already",
            legacy_at("built", None, true, true),
            PlanKind::Finish,
            true,
        ),
        row(
            "the legacy canonical-moved, no staging",
            legacy_at("canonical-moved", None, false, true),
            PlanKind::Undo,
            false,
        ),
        row(
            "the legacy canonical-moved, v1's log still beside canonical",
            with(legacy_at("canonical-moved", None, true, true), &|seen| {
                seen.files.insert(name("data.db-wal"), plain("w", 4152));
                seen.files.insert(name("data.db-shm"), plain("s", 32768));
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "the legacy canonical-moved, another database's log where canonical was",
            with(legacy_at("canonical-moved", None, true, true), &|seen| {
                for file in
                    ["data.db-wal", "data.db-shm", "data.db.v1-v2-1782718800000-3fa9c1d2-wal"]
                {
                    seen.files.insert(name(file), plain("w", 4152));
                }
            }),
            PlanKind::Finish,
            true,
        ),
        row(
            "the legacy built, a companion written in place",
            with(with_auth(legacy_at("built", Some(Verdict::Old), true, false)), &|seen| {
                seen.companions
                    .get_mut(&auth())
                    .unwrap()
                    .present
                    .push(name("auth.json.v1-v2-3fa9c1d2"));
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "the legacy built, a companion that was not there before",
            with(with_auth(legacy_at("built", Some(Verdict::Old), true, false)), &|seen| {
                let mut journal = legacy_text("built");
                journal["authExisted"] = false.into();
                journal["authBackup"] = Value::Null;
                put_journal(seen, &legacy_journal_name(&canonical()), &journal.to_string());
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "the legacy canonical-moved, a foreign canonical",
            legacy_at("canonical-moved", Some(Verdict::Old), true, true).foreign(),
            PlanKind::Clean,
            false,
        ),
        row(
            "the legacy canonical-moved, v2 there",
            legacy_at("canonical-moved", Some(Verdict::Current), false, true),
            PlanKind::Finish,
            false,
        ),
        row(
            "the legacy committed",
            legacy_at("committed", Some(Verdict::Current), false, true),
            PlanKind::Finish,
            false,
        ),
        row(
            "an unreadable journal, canonical whole",
            with(directory(), &|seen| put_journal(seen, &our_journal(), "{\"version\":2,")),
            PlanKind::SetAside,
            false,
        ),
        row(
            "a journal that is no text, canonical whole",
            with(directory(), &|seen| drop(seen.journals.insert(our_journal(), None))),
            PlanKind::SetAside,
            false,
        ),
        row(
            "the legacy journal unreadable, canonical whole",
            with(directory(), &|seen| put_journal(seen, &legacy_journal_name(&canonical()), "")),
            PlanKind::SetAside,
            false,
        ),
    ]
}

/// A start that copies pages, in this phase, v2 there.
fn page_copying(phase: Phase) -> Observation {
    let mut seen = interrupted(&Journal { strategy: Strategy::PageCopy, ..journal(phase) });
    seen.files.insert(our_names().install, v2());
    seen.can_link = false;
    seen
}

/// The backup that it makes: another file, with v1's pages.
fn copied(seen: &mut Observation) {
    seen.files.insert(our_names().backup, FileFacts { file_id: "3".into(), ..v1() });
}

fn copy_goes(step: &Step) -> bool {
    matches!(&step.op, Op::Remove { files } if files.contains(&PlanPath::from(&our_names().backup)))
}

trait Foreign {
    fn foreign(self) -> Self;
}

impl Foreign for Observation {
    /// Canonical is a database that an older release made while v1 was moved, with a log of its
    /// own.
    fn foreign(mut self) -> Self {
        self.files.insert(canonical(), database("99", JournalMode::Wal, 1));
        self.files.insert(name("data.db-wal"), plain("w", 4152));
        self
    }
}

/// Every recovery plan of the table, for the tests of plans.
pub fn plans() -> Vec<(String, Plan)> {
    seen_plans().into_iter().map(|(name, _, plan)| (name, plan)).collect()
}

/// Every recovery plan of the table, with the observation that it was planned from.
pub fn seen_plans() -> Vec<(String, Observation, Plan)> {
    rows()
        .into_iter()
        .map(|row| (row.name.to_owned(), row.seen.clone(), planned(&row.seen)))
        .collect()
}

#[test]
fn every_row_does_what_it_says() {
    for Row { name, seen, kind, flips } in rows() {
        let plan = planned(&seen);
        assert_eq!(plan.kind, kind, "{name}");
        assert_eq!(plan.flip_at.is_some(), flips, "{name}");
        assert_eq!(
            plan.steps[0].op,
            Op::SyncDir { companion: None },
            "{name}: what is visible need not be durable"
        );
        plan.check().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(planned(&seen), plan, "{name}: the same again");
    }
}

#[test]
fn no_trace_of_an_upgrade_is_no_plan() {
    assert_eq!(recover(&directory()), Ok(None));
    let mut left = directory();
    for file in [
        "data.db.v1-v2-1-00000000",
        "data.db.v1-v2-1-00000000.json",
        "data.db.building-00000000",
        "data.db.v1-v2-cutover.json.aside-00000000",
    ] {
        left.files.insert(name(file), plain("x", 1));
    }
    assert_eq!(
        recover(&left),
        Ok(None),
        "left-overs without a journal may be a person's files: none is removed"
    );
}

/// The journal is removed last, once every step before it is durable. A start that is killed earlier
/// is recovered again.
#[test]
fn the_journal_goes_last() {
    for (row, plan) in plans() {
        let ours = PlanPath::from(&our_journal());
        let theirs = PlanPath::from(&legacy_journal_name(&canonical()));
        let all = ops(&plan);
        let gone = |op: &&Op| match op {
            Op::Remove { files } => files.contains(&ours) || files.contains(&theirs),
            Op::Rename { from, .. } => *from == ours || *from == theirs,
            _ => false,
        };
        if (plan.journal.is_none() && plan.kind == PlanKind::Clean) || row.contains("foreign") {
            continue;
        }
        let undo: Vec<&Op> = plan.undo.iter().map(|step| &step.op).collect();
        let endings = match plan.kind {
            PlanKind::Undo => vec![all],
            _ if undo.is_empty() => vec![all],
            _ => vec![all[..plan.steps.len()].to_vec(), undo],
        };
        for all in endings {
            let at = all
                .iter()
                .position(gone)
                .unwrap_or_else(|| panic!("{row}: the journal stays for ever"));
            assert_eq!(all[at + 1..], [&Op::SyncDir { companion: None }], "{row}");
            assert_eq!(
                *all[at - 1],
                Op::SyncDir { companion: None },
                "{row}: what was done is durable first"
            );
        }
    }
}

#[test]
fn canonical_is_never_removed_and_replaced_only_by_a_flip_or_by_the_backup() {
    for (row, plan) in plans() {
        let main = PlanPath::from(&canonical());
        for (undo, steps) in [(false, &plan.steps), (true, &plan.undo)] {
            for (index, step) in steps.iter().enumerate() {
                let flip = !undo && plan.flip_at.is_some_and(|flip| flip as usize == index);
                match &step.op {
                    Op::Remove { files } => assert!(!files.contains(&main), "{row}"),
                    Op::Rename { from, to } | Op::RenameNew { from, to } if *to == main => {
                        assert!(flip || *from == PlanPath::from(&our_names().backup), "{row}");
                        // The legacy daemon moved v1 away, and another program may have made a
                        // database under canonical's name since.
                        assert_eq!(
                            matches!(step.op, Op::RenameNew { .. }),
                            row.starts_with("the legacy"),
                            "{row}"
                        );
                    }
                    Op::Rename { from, to } if *from == main => {
                        assert_eq!(
                            *to,
                            PlanPath::from(&displaced_name(&canonical(), &cutover_world::nonce())),
                            "{row}"
                        );
                    }
                    _ => {}
                }
            }
        }
        let removes_backup = has(
            &plan,
            |op| matches!(op, Op::Remove { files } if files.contains(&PlanPath::from(&our_names().backup))),
        );
        assert_eq!(
            removes_backup,
            row.contains("directory copied") || plan.undo.iter().any(copy_goes),
            "{row}"
        );
        assert_eq!(
            plan.undo.iter().any(copy_goes),
            row.starts_with("page copy") && !row.contains("is v2") && !row.contains("not of this"),
            "{row}"
        );
    }
}

/// Nothing may be undone once canonical is v2, whatever the phase says.
#[test]
fn canonical_is_v2_comes_before_the_phase() {
    for phase in [Phase::Building, Phase::Built, Phase::Installing, Phase::Committed] {
        for verdict in [Verdict::Current, Verdict::Newer] {
            let mut seen = interrupted(&journal(phase));
            seen.files.insert(our_names().install, v2());
            flip(&mut seen);
            seen.verdict = Some(verdict);
            let plan = planned(&seen);
            assert!(matches!(plan.kind, PlanKind::Finish | PlanKind::Clean), "{phase:?}");
            assert_eq!(plan.undo, [], "{phase:?}");
            assert!(
                !has(&plan, |op| matches!(
                    op,
                    Op::UndoHost {} | Op::RemoveLink { .. } | Op::RestoreMode { .. }
                )),
                "{phase:?}"
            );
            assert!(has(&plan, |op| *op == Op::CleanupHost {}), "{phase:?}");
        }
    }
}

/// Files that two rules fit: each pair of rules has two outcomes, so the order decides.
#[test]
fn the_order_of_the_rows_decides() {
    // `building` before `built`: even with v2 whole and v1 unchanged a `building` is undone, because
    // that v2 was not checked.
    let mut seen = interrupted(&journal(Phase::Building));
    seen.files.insert(our_names().install, v2());
    assert_eq!(planned(&seen).kind, PlanKind::Undo);
    // "canonical is v2" before "v1 unchanged": a v2 that bears v1's fingerprint is not flipped
    // again.
    let mut seen = built("data.db.install-3fa9c1d2");
    seen.verdict = Some(Verdict::Current);
    seen.files.insert(our_names().backup, v1());
    let plan = planned(&seen);
    assert_eq!((plan.kind, plan.flip_at), (PlanKind::Finish, None));
    // Without a backup another program made this v2: it gets no receipt of ours.
    seen.files.remove(&our_names().backup);
    let plan = planned(&seen);
    assert_eq!(plan.kind, PlanKind::Clean);
    assert!(!has(&plan, |op| matches!(op, Op::WriteReceipt { .. })));
    // The legacy journal before ours, readable or not.
    let mut seen = interrupted(&journal(Phase::Built));
    let legacy = legacy_text("built").to_string();
    put_journal(
        &mut seen,
        &legacy_journal_name(&canonical()),
        &legacy.replace("3fa9c1d2", "0badc0de"),
    );
    assert_eq!(planned(&seen).journal.unwrap().file(), legacy_journal_name(&canonical()));
    // Unless ours took the legacy one over: then it has its nonce.
    put_journal(&mut seen, &legacy_journal_name(&canonical()), &legacy);
    assert_eq!(planned(&seen).journal.unwrap().file(), our_journal());
    put_journal(&mut seen, &legacy_journal_name(&canonical()), "torn");
    let plan = planned(&seen);
    assert!(renames(
        &plan,
        &legacy_journal_name(&canonical()),
        &journal_aside_name(&legacy_journal_name(&canonical()), &new_nonce())
    ));
    seen.journals.remove(&legacy_journal_name(&canonical()));
    assert_eq!(planned(&seen).journal.unwrap().file(), our_journal(), "and then ours");
    // A journal before a left-over tmp.
    let mut seen = interrupted(&journal(Phase::Building));
    seen.files.insert(journal_tmp_name(&canonical(), &label(), &new_nonce()), plain("t", 1));
    assert_eq!(planned(&seen).kind, PlanKind::Undo);
    // A newer journal before "unreadable": it is not set aside, since the newer release can go on
    // with it.
    let mut seen = directory();
    put_journal(&mut seen, &our_journal(), r#"{"version":3,"phase":"built"}"#);
    let failure = refused(&seen);
    assert_eq!(failure.code, Code::Journal);
    assert!(failure.to_string().contains("start the newer release"), "{}", failure.to_string());
    put_journal(&mut seen, &our_journal(), r#"{"version":1}"#);
    assert_eq!(planned(&seen).kind, PlanKind::SetAside);
}

#[test]
fn a_recovery_continues_with_the_first_step_that_is_not_visible() {
    let links = |seen: &Observation| {
        let plan = planned(seen);
        (
            has(&plan, |op| matches!(op, Op::Link { .. })),
            has(
                &plan,
                |op| matches!(op, Op::Remove { files } if files.len() == 1 && files[0] == PlanPath::from(&our_names().backup)),
            ),
        )
    };
    let mut seen = built("data.db.install-3fa9c1d2");
    assert_eq!(links(&seen), (true, false), "no link yet");
    seen.files.insert(our_names().backup, v1());
    assert_eq!(links(&seen), (false, false), "the link is there");
    seen.files.insert(our_names().backup, database("12", JournalMode::Delete, 7));
    assert_eq!(
        links(&seen),
        (true, true),
        "a copied directory: a file of its own gives way to a link"
    );
    let plan = planned(&seen);
    let order: Vec<&str> = plan.steps.iter().map(|step| step.op.name()).take(12).collect();
    assert_eq!(
        order,
        [
            "sync-dir", "check", "detect", "look", "lock-v1", "check-v1", "remove", "link",
            "sync-dir", "absent", "rename", "absent"
        ]
    );
}

#[test]
fn v2_is_checked_before_it_is_installed() {
    for (row, plan) in plans() {
        let Some(flip) = plan.flip_at else { continue };
        let (from, pages) = match (
            &plan.steps[flip as usize].op,
            row.starts_with("the legacy"),
            row.starts_with("page copy"),
        ) {
            (Op::Rename { from, .. }, false, false) | (Op::RenameNew { from, .. }, true, false) => {
                (&from.name, false)
            }
            (Op::PageCopy { from, .. }, false, true) => (from, true),
            (other, ..) => panic!("{row}: {other:?}"),
        };
        let before = &plan.steps[..flip as usize];
        for op in [Op::Check { file: from.clone() }, Op::Detect { file: from.clone() }] {
            assert!(
                before.iter().any(|step| step.op == op && step.when.is_none()),
                "{row}: {op:?}"
            );
        }
        let after = &plan.steps[flip as usize + 1..];
        // The only sidecar of a page copy is its own, which SQLite takes away.
        let absent = after
            .iter()
            .position(|step| matches!(step.op, Op::Absent { .. }))
            .or(pages.then_some(0))
            .unwrap();
        let durable =
            after.iter().position(|step| step.op == Op::SyncDir { companion: None }).unwrap();
        let receipt =
            after.iter().position(|step| matches!(step.op, Op::WriteReceipt { .. })).unwrap();
        assert!(absent < receipt && durable < receipt, "{row}");
        assert!(
            plan.cleanup_from.unwrap() as usize > flip as usize + 1 + durable,
            "{row}: a v2 that is not durable is no success"
        );
    }
}

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

#[test]
fn what_cannot_be_read_is_refused_and_names_what_could_be_chosen() {
    let backup = our_names().backup;
    // Canonical missing, or there and not whole.
    let mut missing = interrupted(&journal(Phase::Built));
    missing.files.remove(&canonical());
    missing.verdict = None;
    missing.files.insert(backup.clone(), v1());
    let failure = refused(&missing);
    assert_eq!(failure.code, Code::Journal);
    assert!(
        failure.hint.contains(backup.as_str()) && failure.hint.contains("nothing was touched"),
        "{}",
        failure.hint
    );
    let mut damaged = interrupted(&journal(Phase::Built));
    damaged.verdict = None;
    assert_eq!(refused(&damaged).code, Code::V1Corrupt);
    // An unreadable journal and no whole canonical.
    for text in [Some("{"), None] {
        let mut seen = missing.clone();
        seen.journals.insert(our_journal(), text.map(str::to_owned));
        let failure = refused(&seen);
        assert_eq!(failure.code, Code::Journal);
        assert_eq!(failure.path.as_deref(), Some(our_journal().as_str()));
        assert!(
            failure.hint.contains(backup.as_str()) && failure.hint.contains("remove the journal"),
            "{}",
            failure.hint
        );
    }
    let mut nothing = missing;
    nothing.files.remove(&backup);
    assert!(refused(&nothing).hint.contains("your own backups"));
    // A legacy one: there is neither a v2 to install nor a v1 to move back.
    assert_eq!(refused(&legacy_at("canonical-moved", None, true, false)).code, Code::Journal);
    let mut unreadable = legacy_at("built", Some(Verdict::Old), true, false);
    unreadable.verdict = None;
    assert_eq!(refused(&unreadable).code, Code::V1Corrupt);
}

#[test]
fn another_label_waits_until_its_own_release_has_finished() {
    let other = Label::new("v2-v3").unwrap();
    for phase in [Phase::Building, Phase::Built, Phase::Installing] {
        let failure =
            plan_recovery(&interrupted(&journal(phase)), &other, &new_nonce()).unwrap_err();
        assert_eq!(failure.code, Code::Journal, "{phase:?}");
        assert!(failure.to_string().contains("v1-v2"), "{}", failure.to_string());
    }
    let mut committed = interrupted(&journal(Phase::Committed));
    flip(&mut committed);
    assert_eq!(
        plan_recovery(&committed, &other, &new_nonce()).unwrap().unwrap().kind,
        PlanKind::Clean,
        "only cleaning up is left"
    );
    // A journal under the name of another label.
    let mut seen = directory();
    put_journal(
        &mut seen,
        &cutover_core::journal_name(&canonical(), &other),
        &journal(Phase::Building).to_text(),
    );
    assert_eq!(planned(&seen).kind, PlanKind::SetAside);
}

/// What a hostile journal asks for is never planned.
#[test]
fn a_hostile_journal_touches_nothing_but_itself() {
    let text = journal(Phase::Committed).to_text();
    for (from, to) in [
        ("data.db.install-3fa9c1d2", "data.db"),
        ("data.db.building-3fa9c1d2", "passwords.kdbx"),
        ("data.db.source-3fa9c1d2", "../other/data.db"),
        ("data.db.v1-v2-1782718800000-3fa9c1d2", "data.db"),
        ("\"nonce\": \"3fa9c1d2\"", "\"nonce\": \"ffffffff\""),
    ] {
        let hostile = text.replace(from, to);
        assert_ne!(hostile, text);
        let mut seen = interrupted(&journal(Phase::Committed));
        put_journal(&mut seen, &our_journal(), &hostile);
        let plan = planned(&seen);
        assert_eq!(plan.kind, PlanKind::SetAside, "{to}");
        let touched: Vec<&str> = plan.steps.iter().map(|step| step.op.name()).collect();
        assert_eq!(touched, ["sync-dir", "rename", "sync-dir"], "{to}");
        assert!(
            renames(&plan, &our_journal(), &journal_aside_name(&our_journal(), &new_nonce())),
            "{to}"
        );
        assert!(plan.steps[1].why.contains("cannot be used"), "{}", plan.steps[1].why);
    }
}

// ---- the legacy journal ----

/// An interrupted rename can leave both names. Then the companion is its backup, and would replace
/// what was kept; by a second rename, another program's file may have its name.
#[test]
fn a_companion_that_is_its_backup_already_is_left_where_it_is() {
    for same in [false, true] {
        let mut seen = with_auth(legacy_at("canonical-moved", None, true, true));
        let facts = seen.companions.get_mut(&auth()).unwrap();
        facts.path = "/home/u/app/auth.json".into();
        facts.present.push(name("auth.json.v1-v2-3fa9c1d2"));
        facts.same.extend(same.then(|| name("auth.json.v1-v2-3fa9c1d2")));
        let plan = planned(&seen);
        let sets_aside = |op: &Op| matches!(op, Op::Link { to, .. } | Op::Rename { to, .. } if to.to_string().contains("displaced"));
        assert_eq!(plan.undo.iter().any(|step| sets_aside(&step.op)), !same, "{plan:#?}");
        assert_eq!(plan.undo.iter().any(|step| matches!(&step.op, Op::Rename { to, .. } if to.to_string() == "auth/auth.json")), !same);
        assert_eq!(validate(&plan, Some(&seen)), []);
    }
}

/// v1 moves back to where its log is, under a name that must be free. If the log were moved instead,
/// it could be the log of a database that another program made there meanwhile.
#[test]
fn a_v1_whose_log_stayed_behind_goes_back_to_it() {
    for sidecar in ["data.db-wal", "data.db-journal"] {
        let mut seen = legacy_at("canonical-moved", None, true, true);
        seen.files.insert(name(sidecar), plain("w", 4152));
        let plan = planned(&seen);
        assert_eq!(
            (plan.kind, plan.steps.len()),
            (PlanKind::Undo, 1),
            "{sidecar}: nothing but the flush of what is seen"
        );
        let back = Op::RenameNew { from: (&our_names().backup).into(), to: (&canonical()).into() };
        let flush = Op::SyncDir { companion: None };
        assert_eq!(
            [&plan.undo[0].op, &plan.undo[1].op, &plan.undo[2].op],
            [&flush, &back, &flush],
            "{sidecar}"
        );
        assert!(
            !plan.steps.iter().chain(&plan.undo).any(
                |step| matches!(&step.op, Op::Rename { from, .. } if from.name == name(sidecar))
            )
        );
    }
}

/// If the backup has its own log, a log under canonical's name belongs to another database.
#[test]
fn a_log_of_another_database_is_kept_aside() {
    let mut seen = legacy_at("canonical-moved", None, true, true);
    for file in
        ["data.db-wal".to_owned(), "data.db-shm".into(), format!("{}-wal", our_names().backup)]
    {
        seen.files.insert(name(&file), plain("w", 4152));
    }
    let plan = planned(&seen);
    let aside = displaced_name(&canonical(), &cutover_world::nonce());
    assert!(renames(&plan, &name("data.db-wal"), &name(&format!("{aside}-wal"))));
    assert!(
        has(&plan, |op| *op == Op::Remove { files: vec![PlanPath::from(&name("data.db-shm"))] }),
        "a -shm is never moved"
    );
    let at =
        |fits: &dyn Fn(&Op) -> bool| plan.steps.iter().position(|step| fits(&step.op)).unwrap();
    let settled = at(&|op| matches!(op, Op::Settle { file, .. } if *file == our_names().backup));
    let touched = at(&|op| matches!(op, Op::Rename { .. } | Op::Remove { .. }));
    assert!(
        touched < settled && plan.steps[settled - 1].op == Op::SyncDir { companion: None },
        "v1 has its own log alone before it is opened"
    );
}

#[test]
fn a_foreign_canonical_is_set_aside_with_its_log_and_never_removed() {
    let plan = planned(&legacy_at("canonical-moved", Some(Verdict::Old), true, true).foreign());
    let aside = displaced_name(&canonical(), &cutover_world::nonce());
    let moves: Vec<(String, String)> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.op {
            Op::Rename { from, to } => Some((from.to_string(), to.to_string())),
            _ => None,
        })
        .collect();
    assert_eq!(
        moves[0],
        ("data.db-wal".into(), format!("{aside}-wal")),
        "its log first: alone in place it would be v1's"
    );
    assert_eq!(
        moves[1..],
        [("data.db".into(), aside.to_string())],
        "and v2 by the next plan: a failure here must not put v1 back over it"
    );
    assert_eq!((plan.undo.len(), plan.cleanup_from), (0, None));
    let Action::Done(report) = drive_well(plan).ending else { panic!() };
    let told: Vec<&str> =
        report.warnings.iter().map(|warning| warning.message.split(": ").next().unwrap()).collect();
    assert_eq!(
        told,
        [format!("data.db-wal is kept as {aside}-wal"), format!("data.db is kept as {aside}")],
        "a person must be able to find both"
    );
}

#[test]
fn a_legacy_companion_is_put_back_only_after_its_backup_was_whole() {
    const BACKUP: &str = "auth.json.v1-v2-3fa9c1d2";
    const DISPLACED: &str = "auth.json.displaced-3fa9c1d2";
    let plan_same = |staging: bool, existed: bool, present: &[&str], same: &[&str]| {
        let mut seen = with_auth(legacy_at("building", Some(Verdict::Old), staging, false));
        let mut text = legacy_text("building");
        text["authExisted"] = existed.into();
        if !existed {
            text["authBackup"] = Value::Null;
        }
        put_journal(&mut seen, &legacy_journal_name(&canonical()), &text.to_string());
        let facts = seen.companions.get_mut(&auth()).unwrap();
        facts.path = "/home/u/app/auth.json".into();
        facts.present.extend(present.iter().map(|text| name(text)));
        facts.same.extend(same.iter().map(|text| name(text)));
        planned(&seen)
    };
    let plan = |staging, existed, present: &[&str]| plan_same(staging, existed, present, &[]);
    let puts_back = |plan: &Plan| {
        has(plan, |op| matches!(op, Op::Rename { to, .. } if to.to_string() == "auth/auth.json"))
    };
    let aside = |plan: &Plan| {
        has(
            plan,
            |op| matches!(op, Op::Rename { from, .. } if from.to_string() == "auth/auth.json"),
        )
    };
    assert!(puts_back(&plan(true, true, &[BACKUP])));
    assert!(!puts_back(&plan(false, true, &[BACKUP])), "without staging the backup may be torn");
    assert!(!puts_back(&plan(true, true, &[])));
    assert!(aside(&plan(true, false, &[])) && !aside(&plan(false, false, &[])));
    assert!(!aside(&plan(true, false, &[DISPLACED])), "what an earlier undo kept is not replaced");
    assert!(
        aside(&plan_same(true, false, &[DISPLACED], &[DISPLACED])),
        "a power loss may leave both names of that rename: v1 has none of them"
    );
    for plan in [plan(true, true, &[BACKUP]), plan(true, false, &[])] {
        assert!(plan.journal.unwrap().warnings.is_empty());
    }
}

/// Its path is as that release was given it: through a link it is another than the real one. And a
/// home that is elsewhere now has it where it was in it.
#[test]
fn a_legacy_companion_is_known_by_its_backup_and_by_its_relative_path() {
    for (present, relative, known) in [
        (Some("auth.json.v1-v2-3fa9c1d2"), "../../elsewhere/auth.json", true),
        (Some("auth.json.v1-v2-00000001"), "../../elsewhere/auth.json", false),
        (None, "auth.json", true),
        (None, "../../elsewhere/auth.json", false),
    ] {
        let mut seen = with_auth(legacy_at("canonical-moved", None, true, true));
        let facts = seen.companions.get_mut(&auth()).unwrap();
        facts.path = "/srv/elsewhere/auth.json".into();
        facts.relative = relative.into();
        facts.present.extend(present.map(name));
        let plan = planned(&seen);
        assert_eq!(has(&plan, |op| op.companion().is_some()), known, "{present:?} {relative}");
        assert_eq!(plan.journal.unwrap().warnings.is_empty(), known, "{present:?} {relative}");
    }
}

/// The environment changed between the two releases: both paths are told, and the file is left
/// alone.
#[test]
fn a_legacy_companion_elsewhere_is_left_alone() {
    let mut seen = with_auth(legacy_at("canonical-moved", None, true, true));
    let facts = seen.companions.get_mut(&auth()).unwrap();
    facts.path = "/srv/elsewhere/auth.json".into();
    facts.relative = "../../elsewhere/auth.json".into();
    let plan = planned(&seen);
    assert!(!has(&plan, |op| op.companion().is_some()));
    let [warning] = plan.journal.unwrap().warnings.try_into().unwrap();
    assert!(
        warning.message.contains("/home/u/app/auth.json")
            && warning.message.contains("/srv/elsewhere/auth.json"),
        "{}",
        warning.message
    );
    // A directory that was moved as a whole: beside the database then, and now.
    let facts = seen.companions.get_mut(&auth()).unwrap();
    facts.path = "/moved/app/auth.json".into();
    facts.relative = "auth.json".into();
    assert!(planned(&seen).journal.unwrap().warnings.is_empty());
}

#[test]
fn the_state_in_a_legacy_journal_is_handed_to_the_host() {
    for seen in [
        legacy_at("building", Some(Verdict::Old), true, false),
        legacy_at("canonical-moved", None, true, true),
    ] {
        let journal: Journal = planned(&seen).journal.unwrap();
        assert_eq!(journal.host_state, Some(json!(["k"])));
        assert_eq!(journal.file(), legacy_journal_name(&canonical()));
    }
    assert!(has(&planned(&legacy_at("building", Some(Verdict::Old), true, false)), |op| *op
        == Op::UndoHost {}));
    assert!(has(&planned(&legacy_at("canonical-moved", None, true, true)), |op| *op
        == Op::CleanupHost {}));
}

/// The legacy daemon's last rename may not be durable, so a failed directory fsync is an error, not a
/// warning.
#[test]
fn a_recovered_v2_is_not_served_before_it_is_durable() {
    for (row, plan) in plans() {
        if plan.kind == PlanKind::Finish {
            assert!(plan.cleanup_from.unwrap() > 0, "{row}");
        }
    }
}

/// The next attempt takes over what is left of the legacy upgrade, under its nonce; an attempt with
/// another nonce does not.
#[test]
fn a_migration_takes_a_legacy_journal_over_under_its_nonce_alone() {
    let seen = legacy_at("built", Some(Verdict::Old), true, false);
    let taken = |nonce| {
        let plan =
            plan_migration(&seen, &Request { nonce, ..request(BuildBy::Sql, BuildFrom::Empty) })
                .unwrap();
        plan.check().unwrap();
        let removes = |step: &Step| matches!(&step.op, Op::Remove { files } if files.contains(&(&legacy_journal_name(&canonical())).into()));
        plan.steps.iter().position(removes).map(|at| (at, plan))
    };
    assert!(taken(new_nonce()).is_none());
    let (at, plan) = taken(nonce()).unwrap();
    let durable =
        plan.steps.iter().position(|step| step.op == Op::SyncDir { companion: None }).unwrap();
    let built = plan.steps.iter().position(|step| matches!(step.op, Op::BuildSql { .. })).unwrap();
    assert!(durable < at && at < built, "{durable}, {at}, {built}");
    let Op::Remove { files } = &plan.steps[at].op else { panic!() };
    assert!(files.contains(&(&our_names().staging).into()), "what the undo left is not built on");
    // At no other place, and in no other plan.
    let mut wrong = plan.clone();
    let step = wrong.steps.remove(at);
    wrong.steps.push(step.clone());
    assert_ne!(validate(&wrong, None), []);
    let ours = |plan: &Plan| {
        plan.journal.as_ref().is_some_and(|journal| journal.strategy != Strategy::TwoRename)
    };
    for (row, mut plan) in plans().into_iter().filter(|(_, plan)| ours(plan)) {
        plan.undo.push(step.clone());
        assert_ne!(validate(&plan, None), [], "{row}");
        plan.undo.clear();
        plan.steps.insert(0, step.clone());
        plan.flip_at = plan.flip_at.map(|at| at + 1);
        plan.cleanup_from = plan.cleanup_from.map(|at| at + 1);
        assert_ne!(validate(&plan, None), [], "{row}");
    }
}
