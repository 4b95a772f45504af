//! What this user may not change is refused before anything is made, and what cannot be linked is
//! copied.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cutover::planner::DataState;
use cutover::planner::Strategy;
use cutover::{BackupOptions, Code, Failure, Outcome, Recovery, Rule};

use super::{Quiet, folder, options, upgrade_as_bob};
use crate::support::directory::names;
use crate::support::interrupt::Interrupt;
use crate::support::irreplaceable;
use crate::support::notes::{NOTES, rows};
use crate::support::users::{ALICE, BOB, FRIENDS, STRANGERS, as_user, is_root, shown};

#[test]
fn a_sticky_directory_in_which_nothing_can_be_replaced_is_refused_before_anything_is_made() {
    if !is_root() {
        return;
    }
    let (directory, path) = folder(0o666, 0o1777);
    for _ in 0..2 {
        let message = upgrade_as_bob(&path, &[FRIENDS]).unwrap_err();
        assert!(message.contains("its directory is sticky") && message.contains("IO"), "{message}");
        assert_eq!(names(directory.path()), ["data.db"]);
    }
    let plan = cutover::plan(&options(&path), &mut Quiet).unwrap().unwrap().to_text();
    for failure in as_user(BOB, &[STRANGERS, FRIENDS], || refusals(&path, &plan)) {
        assert!(failure.code == Code::Io && failure.reason.contains("sticky"), "{failure}");
        assert_eq!(names(directory.path()), ["data.db"], "{failure}");
    }
    assert_eq!(shown(&path), (ALICE, FRIENDS, 0o666));
    // Root may replace it, and v2 is alice's.
    cutover::migrate(&options(&path), &mut Quiet).unwrap();
    assert_eq!(shown(&path), (ALICE, FRIENDS, 0o666));
}

/// alice's upgrade is interrupted before each of its steps, in a directory where bob may make files
/// and remove none of hers.
#[test]
fn another_users_upgrade_in_a_sticky_directory_is_recovered_whole_or_not_begun() {
    if !is_root() {
        return;
    }
    let mut endings = [0, 0];
    for at in 0.. {
        let (directory, path) = folder(0o666, 0o1777);
        let options = options(&path);
        let files = || {
            let mut files = names(directory.path());
            files.retain(|name| !name.ends_with("-shm"));
            let read = |name: &String| std::fs::read(directory.path().join(name)).unwrap();
            files.iter().map(|name| (name.clone(), read(name))).collect::<Vec<_>>()
        };
        let ended = as_user(ALICE, &[STRANGERS, FRIENDS], || {
            let mut app = Interrupt { at, seen: 0 };
            let first = || cutover::migrate(&options, &mut app).map(drop).unwrap();
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(first)).is_ok()
        });
        let before = files();
        let (planned, recovered) = as_user(BOB, &[STRANGERS, FRIENDS], || {
            let told = |error: cutover::Error| error.failure.to_string();
            let planned = cutover::plan(&options, &mut Quiet).map(drop).map_err(told);
            (planned, cutover::recover(&options, &mut Quiet).map_err(told))
        });
        endings[usize::from(recovered.is_ok())] += 1;
        match recovered {
            Err(message) => {
                assert!(message.contains("its directory is sticky"), "{at}: {message}");
                assert_eq!(planned, Err(message), "{at}");
                assert!(files() == before, "{at}: {:?}", names(directory.path()));
            }
            // Only what a clean-up removes is left.
            Ok(done) if done.recovery == Recovery::Finished => {
                assert_eq!(rows(&path, "note"), owned(), "{at}: {done:?}");
            }
            Ok(done) => assert!(
                done.recovery == Recovery::Cleaned || done.recovery == Recovery::None,
                "{at}: {done:?}"
            ),
        }
        as_user(ALICE, &[STRANGERS, FRIENDS], || {
            cutover::migrate(&options, &mut Quiet).map(drop).unwrap();
        });
        assert_eq!(rows(&path, "note"), owned(), "{at}");
        if ended {
            break;
        }
    }
    assert!(endings[0] > 15 && endings[1] > 5, "{endings:?} refused, not refused");
}

#[test]
fn a_backup_of_another_user_in_a_sticky_directory_is_neither_adopted_nor_pruned() {
    if !is_root() {
        return;
    }
    let (directory, path) = folder(0o666, 0o1777);
    for name in ["data.db.v1-v2-1700000000000-0a1b2c3d", "data.db.old"] {
        let backup = directory.path().join(name);
        let adopts = |user| {
            as_user(user, &[STRANGERS, FRIENDS], || {
                let options = BackupOptions::default();
                let adopted = cutover::adopt_backup(&path, &backup, &options, &mut Quiet);
                adopted.map(drop).map_err(|error| error.failure.to_string())
            })
        };
        std::fs::copy(&path, &backup).unwrap();
        super::give(&backup, ALICE, FRIENDS, 0o666);
        let before = names(directory.path());
        let message = adopts(BOB).unwrap_err();
        assert!(message.contains("its directory is sticky") && message.contains("IO"), "{message}");
        assert_eq!(names(directory.path()), before);
        adopts(ALICE).unwrap();
    }
    let rule = Rule { keep: Some(0), ..Rule::default() };
    let before = names(directory.path());
    let pruned = as_user(BOB, &[STRANGERS, FRIENDS], || {
        let pruned = cutover::prune_backups(&path, rule, &BackupOptions::default(), &mut Quiet);
        pruned.map(drop).map_err(|error| error.failure.to_string())
    });
    assert!(pruned.is_err_and(|message| message.contains("its directory is sticky")));
    assert_eq!(names(directory.path()), before);
    // bob's own file.
    let backup = directory.path().join("data.db.old");
    std::fs::copy(&path, &backup).unwrap();
    super::give(&backup, BOB, STRANGERS, 0o644);
    as_user(BOB, &[STRANGERS, FRIENDS], || {
        cutover::adopt_backup(&path, &backup, &BackupOptions::default(), &mut Quiet).map(drop)
    })
    .unwrap();
}

/// bob's database, and alice's companion in a sticky directory of neither.
#[test]
fn a_companion_of_another_user_in_a_sticky_directory_is_never_worked_on() {
    if !is_root() {
        return;
    }
    std::thread::scope(|scope| {
        let (ask, asked) = std::sync::mpsc::channel::<(PathBuf, bool)>();
        let (done, is_done) = std::sync::mpsc::channel();
        // Only root may give files away.
        scope.spawn(move || {
            for (auth, fixes) in asked {
                let (owner, of_folder, mode) =
                    if fixes { (ALICE, 0, 0o1777) } else { (BOB, BOB, 0o755) };
                super::give(&auth, owner, STRANGERS, 0o644);
                super::give(auth.parent().unwrap(), of_folder, STRANGERS, mode);
                done.send(()).unwrap();
            }
        });
        as_user(BOB, &[STRANGERS], move || {
            let give = |auth: &Path, fixes: bool| {
                ask.send((auth.to_owned(), fixes)).unwrap();
                is_done.recv().unwrap();
            };
            let (fix, free) = (|auth: &Path| give(auth, true), |auth: &Path| give(auth, false));
            irreplaceable::is_refused_until_freed(&fix, &free, ["sticky", "user who owns it"]);
            irreplaceable::never_stops_a_recovery(&fix, &free);
        });
    });
}

/// What each call says that would begin something.
fn refusals(path: &Path, plan: &str) -> Vec<Failure> {
    let backup = Path::new("data.db.v1-v2-1-00000000");
    let options = options(path);
    vec![
        *cutover::migrate(&options, &mut Quiet).unwrap_err().failure,
        *cutover::plan(&options, &mut Quiet).unwrap_err().failure,
        *cutover::run_plan(plan, &options, &mut Quiet).unwrap_err().failure,
        *cutover::restore(path, backup, &BackupOptions::default(), &mut Quiet).unwrap_err().failure,
    ]
}

fn assert_refused(path: &Path, plan: &str, code: &str, what: &str, user: (u32, &[u32])) {
    let failures = as_user(user.0, user.1, || refusals(path, plan));
    for failure in &failures {
        assert_eq!(failure.code, Code::Io, "{failure}");
        assert_eq!(failure.os.as_ref().map(|os| os.code.as_str()), Some(code), "{failure}");
        assert!(failure.reason.contains(&format!("may not change {what}")), "{failure}");
        assert!(!failure.hint.is_empty());
    }
    assert_eq!(failures[0].data.state, DataState::V1, "{}", failures[0]);
    assert_eq!(names(path.parent().unwrap()), ["data.db"]);
    assert_eq!(rows(path, "notes"), NOTES);
}

#[test]
fn a_database_that_this_user_may_not_write_is_refused_before_anything_is_made() {
    if !is_root() {
        return;
    }
    let (directory, path) = folder(0o644, 0o777);
    let plan = cutover::plan(&options(&path), &mut Quiet).unwrap().unwrap().to_text();
    assert_refused(&path, &plan, "EACCES", "it", (BOB, &[STRANGERS]));
    // alice owns it, and nothing can be made beside it. The locks are there, and they are bob's.
    super::give(directory.path(), ALICE, FRIENDS, 0o555);
    assert_refused(&path, &plan, "EACCES", "its directory", (ALICE, &[FRIENDS]));
}

/// The flags of chattr(1), with which root may not change a file either. tmpfs has none.
#[test]
fn a_database_or_a_directory_with_a_flag_is_refused_before_anything_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch(super::V1).unwrap();
    let chattr = |flag: &str, path: &Path| {
        let mut command = Command::new("chattr");
        command.arg(flag).arg(path).stderr(Stdio::null()).status().is_ok_and(|done| done.success())
    };
    if !chattr("+i", &path) {
        return;
    }
    assert!(chattr("-i", &path));
    let plan = cutover::plan(&options(&path), &mut Quiet).unwrap().unwrap().to_text();
    // The locks are made before the directory gets its flag.
    drop(cutover::lock(&path).unwrap());
    let directory = directory.path();
    for (file, what) in [(path.as_path(), "it"), (directory, "its directory")] {
        for flag in ["+i", "+a"] {
            assert!(chattr(flag, file));
            let refused = std::panic::catch_unwind(|| {
                assert_refused(&path, &plan, "EPERM", what, (0, &[0]));
            });
            assert!(chattr("-ia", file));
            refused.unwrap();
        }
    }
    assert_eq!(cutover::migrate(&options(&path), &mut Quiet).unwrap().outcome, Outcome::Migrated);
}

/// `protected_hardlinks` (proc(5)) refuses a link to a file with set-group-ID of another owner,
/// which bob may write to.
#[test]
fn a_database_that_this_user_may_write_but_not_link_is_copied_page_by_page() {
    if !is_root() {
        return;
    }
    let protected = std::fs::read_to_string("/proc/sys/fs/protected_hardlinks").unwrap();
    let (_directory, path) = folder(0o2770, 0o770);
    let options = options(&path);
    let done = as_user(BOB, &[STRANGERS, FRIENDS], || {
        let done = cutover::migrate(&options, &mut Quiet);
        done.map_err(|error| error.failure.to_string()).unwrap()
    });
    let wanted = if protected.trim() == "1" { Strategy::PageCopy } else { Strategy::LinkReplace };
    assert_eq!(done.strategy, Some(wanted));
    let backup = done.backup.unwrap();
    assert_eq!((rows(&path, "note"), rows(&backup, "notes")), (owned(), owned()));
    if wanted == Strategy::PageCopy {
        assert_eq!(shown(&path), (ALICE, FRIENDS, 0o770), "alice's file has v2's pages");
        assert_eq!(shown(&backup), (BOB, FRIENDS, 0o770));
    }
}

fn owned() -> Vec<String> {
    NOTES.map(String::from).to_vec()
}
