//! A directory that an earlier release left must stay recoverable. `tests/disks` holds what killed
//! processes of an earlier release left on disk; see its README. The test lays out each state again
//! and starts this release on it. The start must end as that release's own start ended, lose no
//! row, and leave nothing to do.
//!
//! File ids, modes and links in the recorded states are those of POSIX, so the test does not run on
//! Windows.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use cutover::planner::api;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::disk::{App, Ended, Manifest, SINCE, files, in_memory, lay_out};

/// The files that must be there, so that an empty folder does not pass.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    /// How many disks of each kind there are.
    disks: BTreeMap<String, usize>,
    plans: Vec<String>,
    /// Each bundle, with the safety that its diagnosis must have.
    bundles: BTreeMap<String, String>,
}

fn disks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/disks")
}

fn index() -> Index {
    serde_json::from_slice(&std::fs::read(disks().join("index.json")).unwrap()).unwrap()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let name = |entry: std::fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

fn wrong(is_wrong: bool, what: &str, ended: &Ended) -> Result<(), String> {
    if is_wrong { Err(format!("{what}: {ended:#?}")) } else { Ok(()) }
}

/// What every start must fulfil, whatever is recorded.
fn promised(app: &App, ended: &Ended) -> Result<(), String> {
    let has = |line: &str| ended.files.iter().any(|file| file.starts_with(line));
    let is_v2 = has("data.db = v2, whole");
    wrong(!is_v2 && !has("data.db = v1, whole"), "the database is not whole", ended)?;
    let refused = ended.result.starts_with("refused");
    let is_backup = |file: &&String| file.contains("-#-# = v1, whole");
    let backup = ended.files.iter().find(is_backup).and_then(|file| file.split_once(" = "));
    let kept = backup.is_some_and(|(name, _)| refused || has(&format!("{name}.json")));
    wrong(is_v2 && !kept, "v1 has no backup with a receipt", ended)?;
    let since = format!("whole and {SINCE}");
    let kept = ended.files.iter().any(|file| file.contains(&since));
    wrong(app.backup.is_some() && !kept, "a row of v2 is lost", ended)?;
    if refused {
        // Another release of the application must be able to go on with every file.
        return Ok(());
    }
    let parts = [".building-", ".source-", ".install-", ".tmp", "-cutover.json", "-migration.json"];
    let temporary = |file: &String| parts.iter().any(|part| file.contains(part));
    wrong(ended.files.iter().any(temporary), "something temporary is left", ended)?;
    if let Some(file) = &app.companion {
        let holds = app.companion_of[usize::from(is_v2)].as_ref();
        let wanted = holds.map(|holds| format!("{file} = {holds}"));
        let is = ended.files.iter().find(|line| line.starts_with(&format!("{file} = ")));
        wrong(is != wanted.as_ref(), "the companion is not the database's", ended)?;
    }
    Ok(())
}

/// Every byte, except in lock files and shared memory, which only tell who uses the database now.
fn everything(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut names = files(root);
    names.retain(|name| !name.contains("-lock") && !name.ends_with("-shm"));
    names.into_iter().map(|name| (name.clone(), std::fs::read(root.join(name)).unwrap())).collect()
}

fn start(stored: &Path, told: &Manifest, start: &str, wanted: &Ended) -> Result<(), String> {
    let directory = in_memory();
    // The real path, because a journal records where a companion was.
    let root = directory.path().canonicalize().unwrap();
    lay_out(stored, told, &root);
    let ended = told.app.start(start, &root);
    promised(&told.app, &ended)?;
    let mode = std::fs::metadata(root.join("data.db")).unwrap().permissions().mode() & 0o777;
    wrong(mode != 0o640, &format!("the database may be read by others: {mode:o}"), &ended)?;
    wrong(ended != *wanted, &format!("it must end as {wanted:#?}\nbut ended as"), &ended)?;
    let first = everything(&root);
    // A restore that is called twice is made twice.
    let again = told.app.start(if start == "restore" { "recover" } else { start }, &root);
    let left = (again.undone.len(), again.cleaned.len()) != (0, 0);
    wrong(left, "the second start finds something to do", &again)?;
    wrong(everything(&root) != first, "the second start changes something", &again)
}

#[test]
fn every_state_that_an_earlier_release_left_is_recovered() {
    let (mut starts, mut found) = (0, BTreeMap::new());
    let mut failed = Vec::new();
    for kind in index().disks.keys() {
        for state in names(&disks().join(kind)) {
            let stored = disks().join(kind).join(&state);
            let text = std::fs::read_to_string(stored.join("disk.json")).unwrap();
            let told: Manifest = serde_json::from_str(&text).unwrap();
            assert!(!told.ends.is_empty(), "{kind}/{state}: nothing starts on it");
            for (how, wanted) in &told.ends {
                starts += 1;
                if let Err(why) = start(&stored, &told, how, wanted) {
                    failed.push(format!("{kind}/{state} ({}), {how}: {why}", told.killed));
                }
            }
            *found.entry(kind.clone()).or_insert(0) += 1;
        }
    }
    println!("{} disks laid out, {starts} starts", found.values().sum::<usize>());
    let first = failed[..failed.len().min(5)].join("\n");
    assert!(failed.is_empty(), "{} of {starts} starts failed:\n{first}", failed.len());
    assert_eq!(found, index().disks, "how many of each kind there are");
}

/// `plan` and `run_plan`, again and again, end as one `migrate` does.
#[test]
fn every_state_that_an_earlier_release_left_is_recovered_by_the_plans_that_are_given() {
    let (mut starts, mut failed) = (0, Vec::new());
    for kind in index().disks.keys() {
        for state in names(&disks().join(kind)) {
            let stored = disks().join(kind).join(&state);
            let text = std::fs::read_to_string(stored.join("disk.json")).unwrap();
            let told: Manifest = serde_json::from_str(&text).unwrap();
            let Some(wanted) = told.ends.get("migrate") else { continue };
            if wanted.result.starts_with("refused") {
                continue;
            }
            starts += 1;
            let directory = in_memory();
            let root = directory.path().canonicalize().unwrap();
            lay_out(&stored, &told, &root);
            let ended = told.app.start_by_plans(&root);
            if ended.as_ref() != Ok(&wanted.files) {
                failed.push(format!("{kind}/{state}: {ended:#?}, wanted {:#?}", wanted.files));
            }
        }
    }
    println!("{starts} starts");
    let first = failed[..failed.len().min(5)].join("\n");
    assert!(failed.is_empty(), "{} of {starts} starts failed:\n{first}", failed.len());
    assert!(starts > 300, "{starts}");
}

/// The answer of a core API call, which must not be an error.
fn answer(text: &str) -> Value {
    let mut answer: Value = serde_json::from_str(text).unwrap();
    assert!(answer.get("ok").is_some(), "{text}");
    answer["ok"].take()
}

#[test]
fn every_plan_that_an_earlier_release_made_is_still_valid() {
    let plans = disks().join("plans");
    assert_eq!(names(&plans), index().plans);
    for name in index().plans {
        let text = std::fs::read_to_string(plans.join(&name)).unwrap();
        assert_eq!(answer(&api::validate_plan(&text, None)), json!([]), "{name}");
    }
    println!("{} plans", index().plans.len());
}

#[test]
fn every_bundle_that_an_earlier_release_wrote_is_judged_as_it_was() {
    let bundles = disks().join("bundles");
    assert_eq!(names(&bundles), index().bundles.keys().cloned().collect::<Vec<_>>());
    for (name, safety) in index().bundles {
        let text = std::fs::read_to_string(bundles.join(&name)).unwrap();
        let told = answer(&cutover_support::api::diagnose(&json!({ "text": text }).to_string()));
        assert_eq!((&told["kind"], &told["safety"]), (&json!("bundle"), &json!(safety)), "{name}");
    }
    println!("{} bundles", index().bundles.len());
}
