//! A plan touches no file but its own: these tests plant ops on canonical, on the backup and on the
//! files of others.

use cutover_core::{
    FileName, Op, Phase, Plan, PlanKind, PlanPath, ReadError, Step, journal_aside_name,
    journal_tmp_name, plan_recovery,
};
use proptest::prelude::*;
use serde_json::json;

use crate::recovery;
use cutover_world::{
    auth, canonical, directory, interrupted, journal, label, migrations, name, new_nonce, nonce,
    our_journal, our_names, plain,
};

use super::{at, main_plan, refused, refused_everywhere};

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
        // A migration that takes the legacy journal over removes it: see `recovery/legacy.rs`.
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

proptest! {
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
