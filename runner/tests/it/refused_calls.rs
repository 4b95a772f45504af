//! One call that the system refuses. In turn, `strace` answers each link, rename and removal of an
//! upgrade once with an error: EPERM, as for an immutable file or in a sticky directory, or EBUSY,
//! as for a mount point. This needs no right that a container lacks.
#![cfg(target_os = "linux")]

use std::path::Path;

use crate::support::companion::Ending::{Done, Left, Undone};
use crate::support::companion::{Bed, Does, Ending};
use crate::support::{companion, strace};
use rusqlite::Connection;

use crate::support::notes::{NOTES, V1, rows};

const CHANGES: &str = "link,linkat,rename,renameat,renameat2,unlink,unlinkat";

/// Runs the example under `strace`. Returns whether it succeeded, what it printed, and its calls.
fn upgrade(database: &Path, more: &[String]) -> (bool, String, Vec<String>) {
    let (output, calls) = strace::run(CHANGES, more, &strace::example(database));
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), said, calls)
}

fn seed(directory: &Path) -> std::path::PathBuf {
    let path = directory.join("data.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch(&format!("PRAGMA journal_mode = WAL; {V1}"))
        .unwrap();
    path
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap());
    entries
        .filter(|name| !["-lock", "-wal", "-shm"].iter().any(|part| name.contains(part)))
        .collect()
}

#[test]
fn a_call_that_is_refused_costs_no_row_and_is_reported_with_its_code() {
    let whole = tempfile::tempdir().unwrap();
    let (ok, said, calls) = upgrade(&seed(whole.path()), &[]);
    assert!(ok, "{said}");
    // SQLite removes its sidecars itself, and reports an error in its own words.
    let own = |call: &str| {
        !["-wal\"", "-shm\"", "-journal\""].iter().any(|sidecar| call.contains(sidecar))
    };
    for code in ["EPERM", "EBUSY"] {
        let (mut refused, mut warned) = (Vec::new(), 0);
        for (at, call) in calls.iter().enumerate() {
            let directory = tempfile::tempdir().unwrap();
            let database = seed(directory.path());
            let (ok, said, _) =
                upgrade(&database, &[strace::inject(&calls, at, &format!("error={code}"))]);
            let what = format!("{code} of {call}: {said}");
            if ok {
                assert_eq!(rows(&database, "note"), NOTES, "{what}");
                warned += usize::from(names(directory.path()).len() > 3);
            } else {
                assert!(said.contains("cutover:IO:"), "{what}");
                assert!(!own(call) || said.contains(&format!(":{code}]")), "{what}");
                if said.contains("your data is untouched, in") {
                    assert_eq!(rows(&database, "notes"), NOTES, "{what}");
                    assert_eq!(
                        names(directory.path()).len() == 1,
                        !said.contains("at the next start"),
                        "{what}"
                    );
                }
                if own(call) {
                    refused
                        .push(call.split_whitespace().nth(1).unwrap().split('(').next().unwrap());
                }
            }
            let (ok, said, _) = upgrade(&database, &[]);
            assert!(ok, "{what}, and then {said}");
            assert_eq!(rows(&database, "note"), NOTES, "{what}");
            assert_eq!(names(directory.path()).len(), 3, "{what}: {:?}", names(directory.path()));
        }
        // Two renames of journals before the flip, the flip's link and rename, and three removals
        // of the clean-up. The other calls of 16 are SQLite's.
        assert_eq!(
            (&refused[..], warned),
            (&["rename", "rename", "linkat", "rename"][..], 3),
            "{code}, of {calls:#?}"
        );
    }
}

#[test]
fn a_change_beside_a_companion_that_is_refused_costs_nothing() {
    // In order: the backup gets its name. The staged file is made, gets its name, and then the
    // companion's name. The clean-up removes a temporary file, which no longer exists.
    let staged = [Undone, Undone, Undone, Left, Done, Done];
    // Before that, the content that another program wrote is linked, or copied if it cannot be
    // linked.
    let changed = [&staged[..3], &[Done], &staged[3..]].concat();
    let in_place = [Undone, Done, Done];
    // The displaced content is linked, or copied if it cannot be linked; the backup gets the
    // companion's name; the temporary file is removed.
    let undone = [Undone, Undone, Left, Undone, Undone, Undone];
    for (does, expected) in [
        (Does::Stages, &staged[..]),
        (Does::StagesBesideAnother, &changed),
        (Does::WritesInPlace, &in_place),
        (Does::WritesInPlaceAndFails, &undone),
    ] {
        let root = tempfile::tempdir().unwrap();
        let (_, calls) = strace::run(CHANGES, &[], &Bed::new(root.path()).program(does));
        for code in ["EPERM", "EBUSY"] {
            let mut endings = Vec::new();
            for (at, call) in
                calls.iter().enumerate().filter(|(_, call)| call.contains("/elsewhere"))
            {
                let inject = |_: &Bed| vec![strace::inject(&calls, at, &format!("error={code}"))];
                let wrote =
                    endings.len() >= if does == Does::WritesInPlaceAndFails { 1 } else { 3 };
                endings.push(companion::befallen(does, CHANGES, inject, call, wrote));
            }
            assert_eq!(endings, expected, "{does:?}, {code}");
        }
    }
}

#[test]
fn a_companion_or_its_directory_that_cannot_be_opened_costs_nothing() {
    for (does, file, expected) in [
        // cutover opens the directory to see whether it may list it, twice to list it, and four times
        // to flush it. A directory that cannot be opened cannot be flushed, which is tolerated.
        (Does::Stages, "elsewhere", &[Undone, Undone, Undone, Done, Done, Done, Done][..]),
        (Does::WritesInPlaceAndFails, "elsewhere", &[Undone; 7]),
        // cutover opens the companion when it observes it, backs it up, gives its mode to its new
        // content, compares it before the flip, and compares it once more after it.
        (Does::Stages, "elsewhere/auth.json", &[Undone, Undone, Undone, Undone, Left]),
        (Does::WritesInPlaceAndFails, "elsewhere/auth.json", &[Undone, Undone, Left]),
    ] {
        // `strace` gets a path, and counts only the calls on that path.
        let on = |bed: &Bed, nth: Option<usize>| {
            let path = bed.database.ancestors().nth(2).unwrap().join(file);
            let only = ["-P".to_owned(), path.to_str().unwrap().to_owned()];
            only.into_iter()
                .chain(nth.map(|nth| format!("--inject=openat:error=EACCES:when={nth}")))
                .collect::<Vec<_>>()
        };
        let root = tempfile::tempdir().unwrap();
        let bed = Bed::new(root.path());
        let (_, calls) = strace::run("openat", &on(&bed, None), &bed.program(does));
        // The application itself opens it for writing.
        let ours = calls.iter().enumerate().filter(|(_, call)| call.contains("O_RDONLY"));
        let refuse = |(at, call): (usize, &String)| {
            let wrote = if file == "elsewhere" { at >= 3 } else { at >= 2 };
            companion::befallen(does, "openat", |bed| on(bed, Some(at + 1)), call, wrote)
        };
        let endings: Vec<Ending> = ours.map(refuse).collect();
        assert_eq!(endings, expected, "{does:?}, {calls:#?}");
    }
}
