//! A recovery reads a legacy journal: these tests check how it places v1, its log, a foreign
//! canonical and the companion.

use cutover_core::{
    Action, BuildBy, BuildFrom, Journal, Op, Plan, PlanKind, PlanPath, Request, Step, Strategy,
    Verdict, displaced_name, legacy_journal_name, plan_migration, validate,
};
use serde_json::{Value, json};

use cutover_world::{
    auth, canonical, drive_well, name, new_nonce, nonce, our_names, plain, put_journal, request,
    with_auth,
};

use super::{Foreign, has, legacy_at, legacy_text, planned, plans, renames};

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

const BACKUP: &str = "auth.json.v1-v2-3fa9c1d2";

/// The plan beside these files of the companion.
fn of_companion(
    phase: &str,
    (staging, existed): (bool, bool),
    (present, same): (&[&str], &[&str]),
    is_beginning: bool,
) -> Plan {
    let mut seen = with_auth(legacy_at(phase, Some(Verdict::Old), staging, false));
    let mut text = legacy_text(phase);
    text["authExisted"] = existed.into();
    if !existed {
        text["authBackup"] = Value::Null;
    }
    put_journal(&mut seen, &legacy_journal_name(&canonical()), &text.to_string());
    let facts = seen.companions.get_mut(&auth()).unwrap();
    facts.path = "/home/u/app/auth.json".into();
    facts.present.extend(present.iter().map(|text| name(text)));
    facts.same.extend(same.iter().map(|text| name(text)));
    facts.legacy_backup_is_beginning = is_beginning;
    let plan = planned(&seen);
    assert_eq!(validate(&plan, None), []);
    assert_eq!(validate(&plan, Some(&seen)), []);
    plan
}

fn puts_back(plan: &Plan) -> bool {
    has(plan, |op| matches!(op, Op::Rename { to, .. } if to.to_string() == "auth/auth.json"))
}

/// Whether what is there gets its displaced name, by a link or a rename.
fn sets_aside(plan: &Plan) -> bool {
    let aside = "auth/auth.json.displaced-3fa9c1d2";
    has(
        plan,
        |op| matches!(op, Op::Link { to, .. } | Op::Rename { to, .. } if to.to_string() == aside),
    )
}

fn removes_backup(plan: &Plan) -> bool {
    let backup = format!("auth/{BACKUP}");
    has(
        plan,
        |op| matches!(op, Op::Remove { files } if files.iter().any(|at| at.to_string() == backup)),
    )
}

#[test]
fn a_legacy_companion_is_put_back_unless_its_backup_may_be_torn() {
    const DISPLACED: &str = "auth.json.displaced-3fa9c1d2";
    let plan = |staging, existed, present: &[&str]| {
        of_companion("building", (staging, existed), (present, &[]), false)
    };
    assert!(puts_back(&plan(true, true, &[BACKUP])));
    assert!(puts_back(&plan(false, true, &[BACKUP])), "its own recovery may have removed staging");
    assert!(!puts_back(&plan(true, true, &[])));
    for staging in [true, false] {
        assert!(sets_aside(&plan(staging, false, &[])), "v1 had none");
        let kept = plan(staging, false, &[DISPLACED]);
        assert!(!sets_aside(&kept), "what an earlier undo kept is not replaced");
        let both = (&[DISPLACED][..], &[DISPLACED][..]);
        assert!(
            sets_aside(&of_companion("building", (staging, false), both, false)),
            "a power loss may leave both names of that rename: v1 has none of them"
        );
    }
    // A power loss kept both names of the rename that put it back.
    let both = of_companion("building", (false, true), (&[BACKUP], &[BACKUP]), false);
    assert!(removes_backup(&both) && !puts_back(&both), "it is back already");
    for plan in [plan(true, true, &[BACKUP]), plan(true, false, &[])] {
        assert!(plan.journal.unwrap().warnings.is_empty());
    }
}

/// The daemon's own recovery removed staging, and then put the companion back. What its backup holds
/// tells whether it was cut short.
#[test]
fn no_legacy_backup_that_differs_and_was_not_put_back_is_removed() {
    for phase in ["building", "built"] {
        for staging in [true, false] {
            for is_beginning in [false, true] {
                let plan = of_companion(phase, (staging, true), (&[BACKUP], &[]), is_beginning);
                let what = format!("{phase} {staging} {is_beginning}: {plan:#?}");
                // The daemon makes it before staging, and that before it writes `built`.
                let is_whole = staging || phase == "built";
                let torn = !is_whole && is_beginning;
                assert_eq!(puts_back(&plan), !torn, "{what}");
                assert_eq!(sets_aside(&plan), !torn, "{what}");
                assert_eq!(removes_backup(&plan), !torn, "{what}");
                let warnings = &plan.journal.as_ref().unwrap().warnings;
                assert_eq!(warnings.len(), usize::from(torn), "{what}");
                for warning in warnings {
                    assert_eq!(warning.code.as_deref(), Some("KEPT"), "{what}");
                    for part in [&format!("/home/u/app/{BACKUP} "), "only the beginning", "once"] {
                        assert!(warning.message.contains(part), "{}", warning.message);
                    }
                }
            }
        }
    }
}

/// The companion is gone: nothing is set aside.
#[test]
fn a_legacy_companion_that_is_gone_is_put_back() {
    for staging in [true, false] {
        let mut seen = with_auth(legacy_at("building", Some(Verdict::Old), staging, false));
        let facts = seen.companions.get_mut(&auth()).unwrap();
        facts.path = "/home/u/app/auth.json".into();
        facts.present = vec![name(BACKUP)];
        facts.digest = None;
        let plan = planned(&seen);
        assert!(puts_back(&plan) && !sets_aside(&plan), "{plan:#?}");
        assert_eq!(validate(&plan, Some(&seen)), []);
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
