//! A plan from elsewhere is hostile input: it names files to be removed and renamed. Ours pass;
//! each planted fault is refused.

use cutover_core::{
    BuildBy, BuildFrom, FileName, Guard, MAX_STEPS, Op, Phase, Plan, PlanKind, PlanPath, Platform,
    ReadError, Step, Strategy, journal_aside_name, journal_tmp_name, plan_migration, plan_recovery,
    validate, validate_text,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::recovery;
use cutover_world::{
    auth, canonical, directory, interrupted, journal, label, migrations, name, new_nonce, nonce,
    our_journal, our_names, plain, request, with_auth,
};

fn main_plan() -> Plan {
    plan_migration(&with_auth(directory()), &request(BuildBy::Host, BuildFrom::Empty)).unwrap()
}

fn at(text: &str) -> PlanPath {
    PlanPath::try_from(text.to_owned()).unwrap()
}

fn refused(plan: &Plan) -> String {
    let findings = validate(plan, None);
    assert_eq!(validate_text(&plan.to_text(), None), findings, "its text is judged alike");
    assert_ne!(findings, []);
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The main plan with one op put first, behind the flip and into the undo: refused wherever it
/// stands.
fn refused_everywhere(op: &Op) {
    let plan = main_plan();
    let step = Step { op: op.clone(), why: "planted".into(), when: None };
    for (field, index) in [("steps", 0), ("steps", plan.flip_at.unwrap() as usize + 1), ("undo", 3)]
    {
        let mut bad = plan.clone();
        if field == "steps" {
            bad.steps.insert(index, step.clone());
            if index == 0 {
                bad.flip_at = bad.flip_at.map(|at| at + 1);
            }
            bad.cleanup_from = bad.cleanup_from.map(|at| at + 1);
        } else {
            bad.undo.insert(index, step.clone());
        }
        let said = refused(&bad);
        assert!(said.contains(&format!("{field}[{index}]")), "{op:?}: {said}");
        let strangers = ["passwords", "00000000", "other.db", "lock", "undeclared", "id_ed25519"];
        if strangers.iter().any(|name| format!("{op:?}").contains(name)) {
            // Before anything is planned from it.
            let error = bad.check().unwrap_err();
            assert_eq!(Plan::parse(&bad.to_text()), Err(error), "the reader says the same");
        }
    }
}

#[test]
fn every_plan_of_ours_passes_and_is_read_back() {
    let plans: Vec<(String, Plan)> = migrations().into_iter().chain(recovery::plans()).collect();
    assert!(plans.len() > 45, "{}", plans.len());
    for (name, plan) in plans {
        plan.check().unwrap_or_else(|error| panic!("{name}: {error}"));
        let text = plan.to_text();
        let read = Plan::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.to_text(), text, "{name}: byte by byte");
        assert_eq!(read, plan, "{name}");
        assert!(
            plan.steps.iter().chain(&plan.undo).all(|step| step.why.len() > 10),
            "{name}: each step says why"
        );
    }
}

#[test]
fn canonical_is_never_removed_nor_overwritten() {
    let files = |names: &[&str]| Op::Remove { files: names.iter().map(|name| at(name)).collect() };
    let tmp = journal_tmp_name(&canonical(), &label(), &nonce());
    for op in [
        files(&["data.db"]),
        files(&["data.db.source-3fa9c1d2", "data.db"]),
        files(&["data.db-wal"]),
        files(&["data.db-journal"]),
        Op::Rename { from: at("data.db.source-3fa9c1d2"), to: at("data.db") },
        Op::Rename { from: at("data.db.install-3fa9c1d2"), to: at("data.db") },
        Op::Rename { from: at("data.db.v1-v2-1782718800000-3fa9c1d2"), to: at("data.db") },
        Op::Rename { from: PlanPath::from(&tmp), to: at("data.db") },
        Op::Rename { from: at("data.db"), to: at("data.db.v1-v2-1782718800000-3fa9c1d2") },
        Op::Rename { from: at("data.db"), to: at("data.db.source-3fa9c1d2") },
        Op::Rename { from: at("data.db-wal"), to: at("data.db.source-3fa9c1d2") },
        Op::Copy { from: at("data.db.install-3fa9c1d2"), to: at("data.db") },
        Op::Restage {
            from: name("data.db.building-3fa9c1d2"),
            to: canonical(),
            mode: cutover_core::JournalMode::Wal,
        },
        Op::BuildSql { v1: canonical(), staging: canonical() },
        Op::BuildHost { source: canonical(), staging: canonical() },
        Op::WriteJournal { file: canonical(), phase: Phase::Building },
        Op::WriteReceipt { file: canonical() },
        Op::Link { from: at("data.db.install-3fa9c1d2"), to: at("data.db") },
        Op::RemoveLink { link: canonical(), of: our_names().backup },
    ] {
        refused_everywhere(&op);
    }
}

#[test]
fn the_backup_and_what_was_displaced_are_never_removed() {
    let backup = our_names().backup;
    for op in [
        Op::Remove { files: vec![PlanPath::from(&backup)] },
        Op::Remove { files: vec![PlanPath::from(&backup.sidecars()[0])] },
        Op::RemoveLink { link: backup.clone(), of: name("data.db.install-3fa9c1d2") },
        Op::Remove { files: vec![at("auth/auth.json.displaced-3fa9c1d2")] },
        Op::Remove { files: vec![at("auth/auth.json")] },
        Op::Rename { from: at("data.db.install-3fa9c1d2"), to: PlanPath::from(&backup) },
        Op::RestoreMode { file: backup, mode: cutover_core::JournalMode::Wal },
    ] {
        refused_everywhere(&op);
    }
}

#[test]
fn names_of_no_attempt_or_of_another_are_refused() {
    for other in [
        "passwords.kdbx",
        "data.db.building-00000000",
        "data.db.v1-v2-1-00000000",
        "data.db.v1-v2-migration.json",
        "other.db",
        "data.db.owner-lock",
    ] {
        let (file, place) = (name(other), at(other));
        // A migration that takes the legacy journal over removes it: see `recovery.rs`.
        if other != "data.db.v1-v2-migration.json" {
            refused_everywhere(&Op::Remove { files: vec![place.clone()] });
        }
        for op in [
            Op::Rename { from: place.clone(), to: at("data.db.source-3fa9c1d2") },
            Op::Rename { from: at("data.db.source-3fa9c1d2"), to: place.clone() },
            Op::Copy { from: at("data.db"), to: place.clone() },
            Op::Copy { from: place.clone(), to: at("data.db.source-3fa9c1d2") },
            Op::Link { from: at("data.db"), to: place.clone() },
            Op::SyncFile { file: place.clone() },
            Op::WriteJournal { file: file.clone(), phase: Phase::Built },
            Op::WriteReceipt { file: file.clone() },
            Op::Settle { file: file.clone(), mode: cutover_core::JournalMode::Delete },
            Op::Look { file: file.clone() },
            Op::Check { file: file.clone() },
            Op::Detect { file: file.clone() },
            Op::VerifyHost { file: file.clone() },
            Op::LockV1 { file: file.clone() },
            Op::CheckV1 { file: file.clone() },
            Op::Absent { files: vec![file.clone()] },
            Op::BuildHost { source: file.clone(), staging: name("data.db.building-3fa9c1d2") },
            Op::BuildSql { v1: canonical(), staging: file.clone() },
        ] {
            refused_everywhere(&op);
        }
    }
}

#[test]
fn files_of_a_companion_stay_in_its_directory_and_are_declared() {
    let undeclared = cutover_core::CompanionName::new("undeclared").unwrap();
    for op in [
        Op::SyncDir { companion: Some(undeclared.clone()) },
        Op::Rename { from: at("auth/auth.json.building-3fa9c1d2"), to: at("auth.json") },
        Op::Rename { from: at("data.db.install-3fa9c1d2"), to: at("auth/auth.json") },
        Op::Rename {
            from: at("undeclared/auth.json.building-3fa9c1d2"),
            to: at("undeclared/auth.json"),
        },
        Op::Rename { from: at("auth/auth.json.building-3fa9c1d2"), to: at("auth/id_ed25519") },
        Op::Link { from: at("auth/auth.json"), to: at("auth.json.displaced-3fa9c1d2") },
        Op::Link { from: at("auth/auth.json"), to: at("data.db.source-3fa9c1d2") },
        Op::Copy { from: at("data.db"), to: at("auth/auth.json.v1-v2-3fa9c1d2.tmp") },
        Op::Copy { from: at("auth/auth.json"), to: at("data.db.source-3fa9c1d2") },
        Op::Remove { files: vec![at("auth/id_ed25519")] },
        Op::LookCompanion { companion: auth(), file: name("id_ed25519"), must_be_same: false },
        Op::LookCompanion { companion: undeclared, file: name("auth.json"), must_be_same: false },
    ] {
        refused_everywhere(&op);
    }
}

#[test]
fn a_path_is_not_a_name() {
    let text = main_plan().to_text();
    for path in ["../data.db", "/etc/passwd", "a/b/c", "..", "C:\\\\data.db"] {
        let bad = text.replace("\"data.db.source-3fa9c1d2-wal\"", &format!("\"{path}\""));
        assert_ne!(bad, text);
        assert!(matches!(Plan::parse(&bad), Err(ReadError::Form { .. })), "{path}");
    }
}

/// On Windows a program can write to v1 until it is replaced, so the backup is compared right behind
/// the flip. The application is told of v2 once the journal says `committed`: until then v1 may be
/// put back.
#[test]
fn on_windows_v1_is_compared_again_behind_the_flip() {
    let again = Op::CheckV1 { file: our_names().backup };
    let place = |op: &Op, platform: Platform, kind: PlanKind| {
        let mut seen = match kind {
            PlanKind::Migrate => with_auth(directory()),
            _ => interrupted(&journal(Phase::Built)),
        };
        seen.platform = platform;
        seen.files.insert(our_names().install, cutover_world::v2());
        let plan = match kind {
            PlanKind::Migrate => {
                seen.files.remove(&our_names().install);
                plan_migration(&seen, &request(BuildBy::Host, BuildFrom::Empty)).unwrap()
            }
            _ => plan_recovery(&seen, &label(), &new_nonce()).unwrap().unwrap(),
        };
        assert_eq!(plan.kind, kind);
        (plan.steps.iter().position(|step| step.op == *op), plan)
    };
    for kind in [PlanKind::Migrate, PlanKind::Finish] {
        for other in [Platform::Linux, Platform::Macos] {
            let (at, mut plan) = place(&again, other, kind);
            assert_eq!(at, None);
            let receipt = plan
                .steps
                .iter()
                .position(|step| matches!(step.op, Op::WriteReceipt { .. }))
                .unwrap();
            assert!(
                plan.cleanup_from.unwrap() as usize <= receipt,
                "a commit that fails is for the next start"
            );
            let behind = plan.steps.iter().position(
                |step| matches!(&step.op, Op::Look { file } if file.as_str().contains(".v1-v2-")),
            );
            let last_look = plan.steps.remove(behind.unwrap());
            let (at, mut windows) = place(&again, Platform::Windows, kind);
            assert_eq!(at, windows.flip_at.map(|flip| flip as usize + 1));
            let committed = windows
                .steps
                .iter()
                .position(|step| {
                    matches!(step.op, Op::WriteJournal { phase: Phase::Committed, .. })
                })
                .unwrap();
            assert_eq!(windows.steps[committed + 3].op, Op::SyncDir { companion: None });
            assert_eq!(
                windows.cleanup_from.unwrap() as usize,
                committed + 4,
                "or a v2 that the application uses could be replaced"
            );
            windows.steps.remove(at.unwrap());
            assert_eq!(
                windows.steps, plan.steps,
                "all else is equal but the look for open handles: {last_look:?}"
            );
            let gives_up =
                |plan: &Plan| plan.undo.iter().position(|step| step.op == Op::UndoHost {}).unwrap();
            assert_eq!(
                windows.undo.split_off(gives_up(&windows)),
                plan.undo[gives_up(&plan)..],
                "but how v2 is given up"
            );
        }
        let (at, windows) = place(&again, Platform::Windows, kind);
        let step = windows.steps[at.unwrap()].clone();
        assert!(
            refused(&Plan { platform: Platform::Linux, ..windows.clone() }).contains("check-v1")
        );
        let mut early = windows.clone();
        early.steps.swap(at.unwrap(), at.unwrap() - 1);
        early.flip_at = early.flip_at.map(|at| at + 1);
        assert!(refused(&early).contains("check-v1"), "before the flip the backup is v1 itself");
        let mut undoing = windows;
        undoing.undo.insert(0, step);
        assert!(refused(&undoing).starts_with("undo[0]: check-v1"));
    }
}

#[test]
fn v1_is_put_back_only_by_an_undo_on_windows() {
    let plan = plan_recovery(&recovery::overtaken(&journal(Phase::Built)), &label(), &new_nonce())
        .unwrap()
        .unwrap();
    plan.check().unwrap();
    refused(&Plan { platform: Platform::Linux, ..plan.clone() });
    let mut undoing = plan.clone();
    undoing.undo.insert(0, undoing.steps[1].clone());
    assert!(
        refused(&undoing).starts_with("undo[0]: rename"),
        "an undo goes on after a step that failed"
    );
    let clean = Plan { kind: PlanKind::Clean, undo: Vec::new(), ..plan };
    refused(&clean);
}

/// Where v1 was moved away, another program may have made a database under canonical's name since.
/// Neither v2 nor v1 replaces it.
#[test]
fn a_legacy_recovery_replaces_no_other_program_s_file() {
    let swapped = |op: &Op| match op.clone() {
        Op::RenameNew { from, to } => Some(Op::Rename { from, to }),
        Op::Rename { from, to } if to == PlanPath::from(&canonical()) => {
            Some(Op::RenameNew { from, to })
        }
        _ => None,
    };
    let (mut flips, mut backs) = (0, 0);
    for (row, plan) in recovery::plans().into_iter().chain(migrations()) {
        let legacy = row.starts_with("the legacy");
        for (undo, list) in [(false, &plan.steps), (true, &plan.undo)] {
            for (index, op) in list
                .iter()
                .enumerate()
                .filter_map(|(index, step)| Some((index, swapped(&step.op)?)))
            {
                assert_eq!(matches!(list[index].op, Op::RenameNew { .. }), legacy, "{row}");
                let mut bad = plan.clone();
                let (list, count) =
                    if undo { (&mut bad.undo, &mut backs) } else { (&mut bad.steps, &mut flips) };
                list[index].op = op;
                refused(&bad);
                *count += usize::from(legacy);
            }
        }
        if !legacy || plan.undo.is_empty() {
            continue;
        }
        // Nor by steps that only our own plans have.
        let mut windows = Plan {
            platform: Platform::Windows,
            kind: PlanKind::Undo,
            flip_at: None,
            cleanup_from: None,
            ..plan
        };
        let journal = windows.journal.as_ref().unwrap();
        let op = Op::Rename {
            from: PlanPath::from(&journal.names.backup),
            to: PlanPath::from(&canonical()),
        };
        windows.steps = vec![Step { op, why: "planted".into(), when: None }];
        assert_ne!(validate(&windows, None), [], "{row}");
    }
    assert_eq!((flips, backs), (3, 5));
}

/// The rule of endings goes by where the flip is: a plan that lies about it would call a failed
/// build a success.
#[test]
fn a_plan_that_lies_about_its_flip_is_refused() {
    let plan = main_plan();
    let flip = plan.flip_at.unwrap();
    let with = |flip_at: Option<u32>, cleanup_from: Option<u32>| {
        refused(&Plan { flip_at, cleanup_from, ..plan.clone() })
    };
    assert!(with(None, plan.cleanup_from).contains("flipAt"));
    assert!(with(Some(flip), None).contains("cleanupFrom"));
    for wrong in (0..plan.steps.len() + 2).filter(|wrong| *wrong != flip as usize) {
        assert!(with(u32::try_from(wrong).ok(), plan.cleanup_from).contains("flipAt"), "{wrong}");
    }
    for early in 0..=flip {
        assert!(with(Some(flip), Some(early)).contains("cleanupFrom"), "{early}");
    }
    assert!(
        with(Some(flip), Some(u32::try_from(plan.steps.len()).unwrap() + 1))
            .contains("cleanupFrom")
    );
    let mut sometimes = plan.clone();
    sometimes.steps[flip as usize].when = Some(Guard::StagingHeld {});
    assert!(refused(&sometimes).contains("if staging-held stands here"));
    let mut old = plan.clone();
    old.journal.as_mut().unwrap().strategy = Strategy::TwoRename;
    refused(&old);
    for kind in [PlanKind::Undo, PlanKind::Clean, PlanKind::SetAside] {
        refused(&Plan { kind, ..plan.clone() });
    }
    let undo =
        recovery::plans().into_iter().find(|(_, plan)| plan.kind == PlanKind::Undo).unwrap().1;
    assert!(
        refused(&Plan { cleanup_from: Some(0), ..undo })
            .contains("cleanupFrom is 0; it must be null"),
        "or no failure would ever be told"
    );
}

#[test]
fn without_a_journal_only_journals_may_be_touched() {
    let mut observation = interrupted(&journal(Phase::Building));
    observation.journals.insert(our_journal(), Some("{".into()));
    let aside = plan_recovery(&observation, &label(), &new_nonce()).unwrap().unwrap();
    let mut stray = directory();
    stray.files.insert(journal_tmp_name(&canonical(), &label(), &nonce()), plain("t", 1));
    let clean = plan_recovery(&stray, &label(), &new_nonce()).unwrap().unwrap();
    assert_eq!((aside.kind, clean.kind), (PlanKind::SetAside, PlanKind::Clean));
    let step = |op| Step { op, why: "planted".into(), when: None };
    let to = |file: &FileName| PlanPath::from(&journal_aside_name(file, &new_nonce()));
    for op in [
        Op::Remove { files: vec![at("data.db")] },
        Op::Remove { files: vec![PlanPath::from(&our_journal())] },
        Op::Remove { files: vec![at("notes-cutover.json.tmp-3fa9c1d2")] },
        Op::Remove { files: vec![at("auth/data.db.v1-v2-cutover.json.tmp-3fa9c1d2")] },
        Op::Rename { from: at("data.db"), to: to(&canonical()) },
        Op::Rename { from: at("notes-cutover.json"), to: to(&name("notes-cutover.json")) },
        Op::Rename { from: PlanPath::from(&our_journal()), to: at("data.db") },
        Op::Rename {
            from: PlanPath::from(&our_journal()),
            to: at("data.db.v1-v2-cutover.json.aside-x"),
        },
        Op::Rename {
            from: PlanPath::from(&our_journal()),
            to: to(&name("data.db.v9-v8-cutover.json")),
        },
        Op::SyncDir { companion: Some(auth()) },
        Op::Settle { file: canonical(), mode: cutover_core::JournalMode::Delete },
        Op::UndoHost {},
    ] {
        for plan in [&aside, &clean] {
            let mut bad = plan.clone();
            bad.steps.push(step(op.clone()));
            refused(&bad);
            let mut undoing = plan.clone();
            undoing.undo.push(step(op.clone()));
            refused(&undoing);
        }
    }
    for plan in [&aside, &clean] {
        assert!(
            plan.is_for(&canonical()) && !plan.is_for(&name("other.db")),
            "a plan for the database beside it"
        );
    }
    // Each may do its own, and not the other's.
    refused(&Plan { kind: PlanKind::Clean, ..aside.clone() });
    refused(&Plan { kind: PlanKind::SetAside, ..clean });
    for kind in [PlanKind::Migrate, PlanKind::Finish, PlanKind::Undo] {
        refused(&Plan { kind, steps: Vec::new(), ..aside.clone() });
    }
}

#[test]
fn a_plan_is_for_one_database() {
    for (name, plan) in migrations().into_iter().chain(recovery::plans()) {
        assert!(plan.is_for(&canonical()), "{name}");
        for other in ["other.db", "data", "data.db.v1-v2-1782718800000-3fa9c1d2"] {
            assert!(!plan.is_for(&cutover_world::name(other)), "{name}: {other}");
        }
    }
}

#[test]
fn the_form_is_versioned_and_bounded() {
    let plan = main_plan();
    let mut value = serde_json::to_value(&plan).unwrap();
    value["version"] = 2.into();
    assert_eq!(
        Plan::parse(&value.to_string()).unwrap_err(),
        ReadError::TooNew { found: 2, known: 1 }
    );
    value["version"] = 0.into();
    assert_eq!(
        Plan::parse(&value.to_string()).unwrap_err(),
        ReadError::TooOld { found: 0, known: 1 }
    );
    for pointer in ["", "/steps/0", "/steps/0/do", "/journal", "/journal/names"] {
        let mut value = serde_json::to_value(&plan).unwrap();
        value.pointer_mut(pointer).unwrap()["more"] = json!(1);
        assert!(
            Plan::parse(&value.to_string()).unwrap_err().to_string().contains("unknown field"),
            "{pointer}"
        );
    }
    let mut newer = serde_json::to_value(&plan).unwrap();
    newer["journal"]["version"] = 3.into();
    assert!(
        Plan::parse(&newer.to_string()).is_err(),
        "its journal would be unreadable here at the next start"
    );
    let mut long = plan.clone();
    long.steps.extend(std::iter::repeat_n(
        Step { op: Op::Release {}, why: "again".into(), when: None },
        MAX_STEPS,
    ));
    assert!(refused(&long).contains("more than 1000 steps"));
    let mut hostile = plan;
    hostile.journal.as_mut().unwrap().names.backup = canonical();
    assert!(refused(&hostile).contains("names.backup"));
}

/// The JSON that both bindings and the page go by.
#[test]
fn a_step_looks_like_this() {
    let plan = main_plan();
    let value = serde_json::to_value(&plan).unwrap();
    assert_eq!(
        value["steps"][1]["do"],
        json!({ "op": "write-journal", "file": "data.db.v1-v2-cutover.json.tmp-3fa9c1d2", "phase": "building" })
    );
    assert_eq!(value["steps"][0]["when"], Value::Null);
    let guards: Vec<&Value> = value["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| &step["when"])
        .filter(|when| !when.is_null())
        .collect();
    assert_eq!(*guards[0], json!({ "if": "staging-held" }));
    assert!(guards.contains(&&json!({ "if": "companion-staged", "companion": "auth" })));
    assert_eq!(value["flipAt"], plan.flip_at.unwrap());
}

/// Where a clock is wrong, or was, the newest is the newest all the same: it is never pruned.
#[test]
fn a_backup_is_newer_by_its_name_than_every_other() {
    for (other, wanted) in [
        ("data.db.v0-v1-9999999999999-00000001", "data.db.v1-v2-10000000000000-3fa9c1d2"),
        ("data.db.v0-v1-1-00000001", our_names().backup.as_str()),
        (
            "data.db.v0-v1-18446744073709551615-00000001",
            "data.db.v1-v2-18446744073709551615-3fa9c1d2",
        ),
        ("data.db.v0-v1-9999999999999-00000001.json", our_names().backup.as_str()),
    ] {
        let mut seen = directory();
        seen.files.insert(name(other), plain("7", 4096));
        let plan = plan_migration(&seen, &request(BuildBy::Sql, BuildFrom::Empty)).unwrap();
        assert_eq!(plan.journal.unwrap().names.backup.as_str(), wanted, "beside {other}");
    }
}

proptest! {
    /// For one observation the same bytes, always.
    #[test]
    fn a_plan_depends_on_nothing_but_what_comes_in(number in any::<u32>(), ms in any::<u64>(), host in any::<bool>(), copy in any::<bool>()) {
        let request = cutover_core::Request {
            nonce: cutover_core::Nonce::from_number(number),
            now_ms: ms,
            ..request(if host { BuildBy::Host } else { BuildBy::Sql }, if copy { BuildFrom::Copy } else { BuildFrom::Empty })
        };
        let plan = |_| plan_migration(&with_auth(directory()), &request).unwrap();
        prop_assert_eq!(plan(1).to_text(), plan(2).to_text());
        prop_assert!(plan(3).check().is_ok());
    }

    /// Any one name in a plan replaced by any other file name: what is still accepted touches nothing but this plan's own names.
    #[test]
    fn a_changed_name_is_refused_or_one_of_its_own(index in any::<prop::sample::Index>(), file in crate::arbitrary::canonical()) {
        let plan = main_plan();
        let mut value = serde_json::to_value(&plan).unwrap();
        let mut pointers = Vec::new();
        for list in ["steps", "undo"] {
            for (at, step) in value[list].as_array().unwrap().iter().enumerate() {
                for (key, _) in step["do"].as_object().unwrap().iter().filter(|(key, field)| *key != "op" && *key != "phase" && field.is_string()) {
                    if !matches!(key.as_str(), "mode" | "companion") {
                        pointers.push(format!("/{list}/{at}/do/{key}"));
                    }
                }
            }
        }
        let pointer = &pointers[index.index(pointers.len())];
        prop_assume!(*value.pointer(pointer).unwrap() != json!(file) && !plan.to_text().contains(&format!("\"{file}\"")));
        *value.pointer_mut(pointer).unwrap() = json!(file);
        prop_assert!(Plan::parse(&value.to_string()).is_err(), "{} {}", pointer, file);
    }
}

/// Every op and guard reads back as it was written, and takes no field of another, no array for an
/// object and no kind that is none.
#[test]
fn ops_are_read_strictly() {
    let fields = json!({
        "file": "x", "from": "x", "to": "x", "link": "x", "of": "x", "v1": "x", "source": "x", "staging": "x", "files": [],
        "companion": "auth", "mode": "wal", "phase": "built", "mustBeSame": true,
    });
    let mut kinds = std::collections::BTreeSet::new();
    for (form, plan) in migrations() {
        for step in plan.steps.iter().chain(&plan.undo) {
            let written = serde_json::to_value(step).unwrap();
            let read = |value: &serde_json::Value| {
                serde_json::from_str::<cutover_core::Step>(&value.to_string())
            };
            assert_eq!(read(&written).unwrap(), *step, "{form}");
            if !kinds.insert(step.op.name()) {
                continue;
            }
            for (name, value) in fields.as_object().unwrap() {
                let mut more = written.clone();
                if more["do"].get(name).is_none() {
                    more["do"][name] = value.clone();
                    assert!(
                        read(&more).unwrap_err().to_string().contains(name.as_str()),
                        "{} takes {name}",
                        step.op.name()
                    );
                }
                let mut less = written.clone();
                let there = less["do"].as_object_mut().unwrap().remove(name).is_some();
                // Without a companion it is the database's own directory.
                let optional = step.op.name() == "sync-dir";
                assert_eq!(
                    read(&less).is_err(),
                    there && !optional,
                    "{} without {name}",
                    step.op.name()
                );
            }
            let mut other = written.clone();
            other["do"]["op"] = json!("format-disk");
            assert!(read(&other).unwrap_err().to_string().contains("format-disk"));
        }
    }
    assert!(kinds.len() >= 20, "{kinds:?}");
}
