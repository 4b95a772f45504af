//! Where it cannot be told which programs have the database open, that is never taken for "none".
//!
//! The tests need a mount namespace: one without `/proc`, in which they start themselves again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use cutover::planner::DataState;
use cutover::{
    BackupOptions, BuildBy, BuildFrom, Code, Detect, Failure, Host, Make, Options, Outcome, Unseen,
};
use rusqlite::Connection;

use crate::support::directory::names;
use crate::support::notes::{NOTES, TO_V2, V1, rows};
use crate::support::other::Other;
use crate::support::users::{as_user, give, is_root};

/// A user whom no other test has, since a process of theirs is hidden here; and two groups of which a
/// process has one.
const BOB: u32 = 5003;
/// A user of whom no process is hidden.
const CAROL: u32 = 5004;
const GROUPS: [u32; 2] = [7000, 7001];
/// How often the processes are looked at while programs start. A single look into each of them met
/// one that could not be looked into within the first few hundred.
const LOOKS: u32 = 500;

#[derive(Default)]
struct Waits(u32);

impl Host for Waits {
    fn wait(&mut self, _delay_ms: u64) {
        self.0 += 1;
    }
}

struct Bed(tempfile::TempDir);

impl Bed {
    fn new(mode: &str) -> Self {
        let bed = Self(tempfile::tempdir().unwrap());
        let db = Connection::open(bed.path()).unwrap();
        db.execute_batch(&format!("PRAGMA journal_mode = {mode}; {V1}")).unwrap();
        bed
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("data.db")
    }

    fn options(&self, unseen: Unseen) -> Options {
        let make = Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) };
        Options::new(self.path(), "v1-v2", Detect::UserVersion(2), make).unseen(unseen).wait_ms(100)
    }

    fn refused(&self) -> Failure {
        let mut waits = Waits::default();
        let error = cutover::migrate(&self.options(Unseen::Refuse), &mut waits).unwrap_err();
        let failure = *error.failure;
        assert_eq!(failure.code, Code::Held, "{failure}");
        assert_ne!(failure.data.state, DataState::Unknown, "{failure}");
        assert_eq!(failure.data.v1.as_deref(), self.path().to_str(), "{failure}");
        failure
    }
}

fn mount(arguments: &[&str]) {
    assert!(Command::new("mount").args(arguments).status().unwrap().success(), "{arguments:?}");
}

/// In here `/proc` is an empty folder, as in a jail or a `chroot`.
fn without_proc() {
    mount(&["-t", "tmpfs", "tmpfs", "/proc"]);
    assert!(!Path::new("/proc/self").exists());
}

#[test]
fn without_proc_an_upgrade_is_refused_and_says_why() {
    if started_inside!(without_proc_an_upgrade_is_refused_and_says_why) {
        return;
    }
    without_proc();
    for mode in ["wal", "delete"] {
        let bed = Bed::new(mode);
        let failure = bed.refused();
        let said = failure.to_string();
        assert!(said.contains("/proc is not mounted") && said.contains("`unseen`"), "{said}");
        assert_eq!((failure.data.state, failure.holders.len()), (DataState::V1, 0), "{said}");
        assert_eq!(failure.waited_ms, 0, "waiting changes nothing: {said}");
        assert_eq!(names(bed.0.path()), ["data.db"]);
        assert_eq!(rows(&bed.path(), "notes"), NOTES);
        // Planning says so as well, and touches nothing.
        let planned = cutover::plan(&bed.options(Unseen::Refuse), &mut Waits::default());
        assert_eq!(planned.unwrap_err().failure.code, Code::Held);

        // The option accepts the risk.
        let migrated =
            cutover::migrate(&bed.options(Unseen::Proceed), &mut Waits::default()).unwrap();
        assert_eq!(migrated.outcome, Outcome::Migrated);
        assert_eq!(rows(&bed.path(), "note"), NOTES);
        // With nothing to do, no other program is asked for.
        let current = cutover::migrate(&bed.options(Unseen::Refuse), &mut Waits::default());
        assert_eq!(current.unwrap().outcome, Outcome::Current);

        let backup = migrated.backup.unwrap();
        let options = BackupOptions::default();
        let refused = cutover::restore(&bed.path(), &backup, &options, &mut Waits::default());
        let failure = refused.unwrap_err().failure;
        assert_eq!((failure.code, failure.data.state), (Code::Held, DataState::Untouched));
        assert_eq!(rows(&bed.path(), "note"), NOTES);
        let proceeds = options.unseen(Unseen::Proceed);
        cutover::restore(&bed.path(), &backup, &proceeds, &mut Waits::default()).unwrap();
        assert_eq!(rows(&bed.path(), "notes"), NOTES);
    }
}

/// SQLite's locks are no proof: an idle connection in rollback mode holds none.
#[test]
fn without_proc_what_an_open_connection_commits_is_never_lost() {
    if started_inside!(without_proc_what_an_open_connection_commits_is_never_lost) {
        return;
    }
    without_proc();
    for mode in ["wal", "delete"] {
        // Of this process: its own descriptors need no `/proc`, whatever the option is.
        let bed = Bed::new(mode);
        let db = Connection::open(bed.path()).unwrap();
        db.execute("INSERT INTO notes (text) VALUES ('before')", []).unwrap();
        for unseen in [Unseen::Refuse, Unseen::Proceed] {
            let mut waits = Waits::default();
            let error = cutover::migrate(&bed.options(unseen), &mut waits).unwrap_err();
            let failure = error.failure;
            assert_eq!((failure.code, failure.data.state), (Code::Held, DataState::Untouched));
            assert!(failure.holders[0].this_process, "{failure:?}");
        }
        db.execute("INSERT INTO notes (text) VALUES ('acknowledged')", []).unwrap();
        drop(db);
        let mut all = NOTES.map(str::to_owned).to_vec();
        all.extend(["before".to_owned(), "acknowledged".to_owned()]);
        assert_eq!(rows(&bed.path(), "notes"), all, "{mode}");

        // Of another process.
        let bed = Bed::new(mode);
        let mut other = Other::opens(&bed.path(), "SELECT count(*) FROM notes;");
        bed.refused();
        other.asks("INSERT INTO notes (text) VALUES ('acknowledged');");
        drop(other);
        let mut all = NOTES.map(str::to_owned).to_vec();
        all.push("acknowledged".to_owned());
        assert_eq!(rows(&bed.path(), "notes"), all, "{mode}");
    }
}

/// A `/proc` of a sandbox: it does not have this process.
#[test]
fn the_proc_of_another_namespace_is_not_believed() {
    if started_inside!(the_proc_of_another_namespace_is_not_believed) {
        return;
    }
    // A child in a PID namespace of its own mounts its `/proc` over the one of this process.
    let mounted = Command::new("unshare")
        .args(["--pid", "--fork", "mount", "-t", "proc", "proc", "/proc"])
        .status()
        .unwrap();
    assert!(mounted.success());
    assert!(std::fs::read_link("/proc/self").is_err());
    let bed = Bed::new("delete");
    let said = bed.refused().to_string();
    assert!(said.contains("PID namespace"), "{said}");
    assert_eq!(rows(&bed.path(), "notes"), NOTES);
}

/// A process of the same user with another group is one that the kernel does not let this one look
/// into ("ptrace(2)", access mode checking). Groups belong to a thread in Linux. Without root this
/// test does nothing.
#[test]
fn a_process_of_this_user_that_is_hidden_is_named() {
    use std::os::unix::fs::{PermissionsExt as _, chown};
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let bed = Bed::new("delete");
    for path in [bed.path(), bed.0.path().to_owned()] {
        chown(&path, Some(BOB), Some(GROUPS[0])).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let as_bob = |work: &(dyn Fn() -> Failure + Sync)| {
        std::thread::scope(|scope| {
            let bob = scope.spawn(|| {
                use rustix::process::{Gid, Uid};
                let (group, user) = (Gid::from_raw(GROUPS[0]), Uid::from_raw(BOB));
                rustix::thread::set_thread_groups(&[]).unwrap();
                rustix::thread::set_thread_res_gid(group, group, group).unwrap();
                rustix::thread::set_thread_res_uid(user, user, user).unwrap();
                work()
            });
            bob.join().unwrap()
        })
    };
    for group in GROUPS {
        let of = [format!("--reuid={BOB}"), format!("--regid={group}"), "--clear-groups".into()];
        let mut other = Other::starts(Command::new("setpriv").args(of).arg("sqlite3"), &bed.path());
        other.asks("SELECT count(*) FROM notes;");
        let failure = as_bob(&|| bed.refused());
        let said = failure.to_string();
        if group == GROUPS[0] {
            assert_eq!(failure.holders[0].pid, other.pid(), "{said}");
        } else {
            let hidden = format!("/proc/{}/fd cannot be read", other.pid());
            assert!(said.contains(&hidden) && said.contains("sqlite3"), "{said}");
        }
        assert_eq!(rows(&bed.path(), "notes"), NOTES);
    }
}

/// A program that starts may not be looked into for an instant, also by its own user.
#[test]
fn a_program_that_just_starts_is_looked_into_again() {
    if !is_root() {
        return;
    }
    let bed = Bed::new("delete");
    give(bed.0.path(), CAROL, CAROL, 0o755);
    give(&bed.path(), CAROL, CAROL, 0o600);
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                as_user(CAROL, &[CAROL], || {
                    while !ended.load(Ordering::Relaxed) {
                        assert!(Command::new("true").status().unwrap().success());
                    }
                });
            });
        }
        let unknown = as_user(CAROL, &[CAROL], || {
            (0..LOOKS).find_map(|_| {
                cutover::inspect(&bed.path(), &BTreeMap::new()).unwrap().holders_unknown
            })
        });
        ended.store(true, Ordering::Relaxed);
        assert_eq!(unknown, None);
    });
}
