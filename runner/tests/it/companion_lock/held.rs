//! A call that finds a companion's lock held waits within its budget. Then cutover refuses it as
//! `OWNED`, and touches nothing.

use std::path::PathBuf;

use cutover::{BackupOptions, Code, Event, Lock, Outcome, Recovery, Rule};

use super::{App, Bed, options};

/// The companion is found locked by each of its names, and under each kind of owner lock.
#[test]
fn a_holder_that_does_not_let_go_is_named_and_nothing_is_touched() {
    let bed = Bed::new();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(bed.auth(), bed.path("B/link.json")).unwrap();
        std::os::unix::fs::symlink(bed.path("shared"), bed.path("elsewhere")).unwrap();
    }
    let mut first = bed.upgrade("A", "link");
    first.wait_for("stopped");
    let before = (std::fs::read(bed.database("B")).unwrap(), bed.names("B"), bed.names("shared"));
    let plan = cutover::plan(&bed.options("B"), &mut App::default()).unwrap().unwrap().to_text();
    let names = [
        "shared/auth.json",
        "B/link.json",
        "elsewhere/auth.json",
        "B/../shared/auth.json",
        "shared/AUTH.JSON",
    ];
    for name in names.into_iter().filter(|name| bed.path(name).exists()) {
        let lock = match name {
            "B/link.json" => Lock::Held,
            "elsewhere/auth.json" => Lock::Own(cutover::lock(&bed.database("B")).unwrap()),
            _ => Lock::Acquire,
        };
        let options = options(&bed.database("B"), &bed.path(name)).lock(lock).wait_ms(400);
        let mut waits = Vec::new();
        let mut host =
            App { on_wait: Some(Box::new(|event| waits.push(event.clone()))), ..App::default() };
        let failure = cutover::migrate(&options, &mut host).unwrap_err().failure;
        drop(host);
        assert_eq!((failure.code, failure.waited_ms, failure.attempts), (Code::Owned, 400, 4));
        let path = failure.path.clone().unwrap();
        assert_eq!(
            std::fs::canonicalize(&path).unwrap(),
            std::fs::canonicalize(bed.auth()).unwrap(),
            "{failure}"
        );
        assert!(path.ends_with("auth.json"), "{failure}");
        // Wine's Restart Manager names no process.
        let pids: Vec<u32> = failure.holders.iter().map(|holder| holder.pid).collect();
        assert!(pids == [first.child.id()] || (cfg!(windows) && pids == [0]), "{failure}");
        assert!(
            failure.to_string().contains("let the other upgrade end")
                && failure.to_string().ends_with("[cutover:OWNED]"),
            "{failure}"
        );
        assert_eq!(waits.len(), 3, "{waits:?}");
        assert!(
            matches!(&waits[0], Event::Wait { op, holders, .. } if op == "lock" && holders == &failure.holders),
            "{waits:?}"
        );
        let failure = cutover::run_plan(&plan, &options, &mut App::default()).unwrap_err().failure;
        assert_eq!(failure.code, Code::Owned);
        // Nothing needs a recovery, so nothing is refused.
        assert_eq!(
            cutover::recover(&options, &mut App::default()).unwrap().recovery,
            Recovery::None
        );
        assert_eq!(
            (std::fs::read(bed.database("B")).unwrap(), bed.names("B"), bed.names("shared")),
            before
        );
    }

    let mut impatient = App { stop: true, ..App::default() };
    assert_eq!(
        cutover::migrate(&bed.options("B"), &mut impatient).unwrap_err().failure.code,
        Code::Aborted
    );
    drop(first.child.stdin.take());
    first.child.wait().unwrap();
}

/// During a build in one directory, this process restores and prunes in the other one, with one
/// shared companion.
#[test]
fn calls_of_this_process_wait_for_the_lock_like_another_process() {
    let bed = Bed::new();
    cutover::migrate(&bed.options("B"), &mut App::default()).unwrap();
    cutover::restore(&bed.database("B"), &newest(&bed), &beside(&bed), &mut App::default())
        .unwrap();
    cutover::migrate(&bed.options("B"), &mut App::default()).unwrap();
    let names = (bed.names("B"), bed.names("shared"));
    let mut host = App::default();
    host.meanwhile = Some(Box::new(|| {
        let restored =
            cutover::restore(&bed.database("B"), &newest(&bed), &beside(&bed), &mut App::default())
                .unwrap_err()
                .failure;
        let rule = Rule { keep: Some(1), older_than_ms: None };
        let pruned =
            cutover::prune_backups(&bed.database("B"), rule, &beside(&bed), &mut App::default())
                .unwrap_err()
                .failure;
        for failure in [restored, pruned] {
            assert_eq!(failure.code, Code::Owned, "{failure}");
            let holder = &failure.holders[0];
            assert!(holder.this_process || (cfg!(windows) && holder.pid == 0), "{failure}");
        }
        assert_eq!(names.0, bed.names("B"));
        // A database that is v2 already needs nothing of the companion.
        let result = cutover::migrate(&bed.options("B").wait_ms(0), &mut App::default()).unwrap();
        assert_eq!(result.outcome, Outcome::Current);
    }));
    cutover::migrate(&bed.options("A"), &mut host).unwrap();
    drop(host);
    let rule = Rule { keep: Some(1), older_than_ms: None };
    let pruned =
        cutover::prune_backups(&bed.database("B"), rule, &beside(&bed), &mut App::default())
            .unwrap();
    assert_eq!(pruned.removed.len(), 1);
}

fn beside(bed: &Bed) -> BackupOptions {
    BackupOptions::default().companions([("auth", bed.auth())]).wait_ms(0)
}

fn newest(bed: &Bed) -> PathBuf {
    cutover::list_backups(&bed.database("B")).unwrap()[0].name.as_str().into()
}
