//! Two users of a group share a folder. One is killed in the middle, and the other goes on.

use std::path::{Path, PathBuf};

use cutover::{
    BackupOptions, BuildBy, BuildFrom, Built, DoctorOptions, Event, Host, HostError, Job, Make,
    Options, Rule,
};
use rusqlite::Connection;
use rustix::process::{Signal, getpid, kill_process};

use super::options;
use crate::support::disk::in_memory;
use crate::support::notes::{NOTES, TO_V2, V1, rows};
use crate::support::users::{ALICE, BOB, FRIENDS, STRANGERS, as_user, give, is_root, may};

/// An application that is killed before a step.
struct App {
    at: usize,
    seen: usize,
}

impl Host for App {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let v2 = Connection::open(job.staging())?;
        v2.execute("ATTACH DATABASE ?1 AS v1", [job.source()?.to_str().unwrap()])?;
        v2.execute_batch(TO_V2)?;
        job.save_state(serde_json::json!("kept"))?;
        job.write_companion("auth", b"of v2")?;
        Ok(Built::default())
    }
    fn event(&mut self, event: &Event) {
        if let Event::Step { .. } = event {
            if self.seen == self.at {
                kill_process(getpid(), Signal::KILL).unwrap();
            }
            self.seen += 1;
        }
    }
    fn wait(&mut self, _delay_ms: u64) {}
}

fn shared(path: &Path) -> Options {
    let make = Make { from: BuildFrom::Empty, run: BuildBy::Host };
    let companions = [("auth", path.with_file_name("auth.json"))];
    options(path).make(make).companions(companions)
}

const DATABASE: &str = "CUTOVER_TEST_SHARED_DATABASE";
const KILLED_AT: &str = "CUTOVER_TEST_KILLED_AT";
/// The groups of the user who is killed: the first is that of new files.
const GROUPS: &str = "CUTOVER_TEST_GROUPS";

#[test]
#[ignore = "a process of the tests"]
fn one_user_is_killed() {
    let told = |name: &str| std::env::var(name).unwrap();
    let options = shared(Path::new(&told(DATABASE)));
    let groups: Vec<u32> = told(GROUPS).split(',').map(|id| id.parse().unwrap()).collect();
    let mut app = App { at: told(KILLED_AT).parse().unwrap(), seen: 0 };
    as_user(BOB, &groups, || cutover::migrate(&options, &mut app).map(drop).unwrap());
}

/// Every file but the sidecars that SQLite makes.
fn files(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

fn assert_kept_out(directory: &Path, what: &str) {
    for path in files(directory) {
        assert_eq!(may(&path, 5008, &[STRANGERS]), 0, "{what}: {}", path.display());
    }
}

/// All calls of the other user, in the order in which they are needed.
fn goes_on(path: &Path, what: &str) {
    let mut app = App { at: usize::MAX, seen: 0 };
    let options = shared(path);
    let told = |error: cutover::Error| -> ! { panic!("{what}: {}", error.failure) };
    let beside = BackupOptions::default().companions(options.companions.clone());
    cutover::list_backups(path).unwrap_or_else(|error| told(error));
    cutover::inspect(path, &options.companions).unwrap_or_else(|error| told(error));
    let looks = DoctorOptions::default().companions(options.companions.clone());
    cutover::doctor(path, &looks, &mut ()).unwrap_or_else(|error| told(error));
    cutover::recover(&options, &mut app).unwrap_or_else(|error| told(error));
    cutover::migrate(&options, &mut app).unwrap_or_else(|error| told(error));
    assert_eq!(rows(path, "note"), NOTES, "{what}");
    let backup = cutover::list_backups(path).unwrap_or_else(|error| told(error)).remove(0);
    assert!(backup.whole, "{what}: {backup:?}");
    let backup = path.with_file_name(backup.name.as_str());
    cutover::restore(path, &backup, &beside, &mut app).unwrap_or_else(|error| told(error));
    assert_eq!(rows(path, "notes"), NOTES, "{what}");
    let auth = std::fs::read(path.with_file_name("auth.json")).unwrap();
    assert_eq!(auth, b"of v1", "{what}");
    // A second backup, so that one may go.
    cutover::migrate(&options, &mut app).unwrap_or_else(|error| told(error));
    let rule = Rule { keep: Some(1), ..Rule::default() };
    let pruned =
        cutover::prune_backups(path, rule, &beside, &mut app).unwrap_or_else(|error| told(error));
    assert_eq!((pruned.removed, pruned.left), (vec![backup], Vec::new()), "{what}");
}

#[test]
fn another_user_of_the_group_goes_on_after_any_kill() {
    if !is_root() {
        return;
    }
    // With set-group-ID new files get the folder's group from the beginning.
    for (mode, groups) in [(0o2770, "7000,6000"), (0o770, "7000,6000"), (0o770, "6000")] {
        for mode_of_v1 in [0o660, 0o2770] {
            let mut at = 0;
            loop {
                let directory = in_memory();
                let [path, auth] = ["data.db", "auth.json"].map(|name| directory.path().join(name));
                Connection::open(&path).unwrap().execute_batch(V1).unwrap();
                std::fs::write(&auth, "of v1").unwrap();
                give(&path, ALICE, FRIENDS, mode_of_v1);
                give(&auth, ALICE, FRIENDS, 0o660);
                give(directory.path(), ALICE, FRIENDS, mode);
                let what = format!("{mode:o}, {groups}, {mode_of_v1:o}, before step {at}");
                let ended = again!(one_user_is_killed)
                    .env(DATABASE, &path)
                    .env(KILLED_AT, at.to_string())
                    .env(GROUPS, groups)
                    .output()
                    .unwrap();
                let killed = std::os::unix::process::ExitStatusExt::signal(&ended.status);
                assert!(killed == Some(9) || ended.status.success(), "{what}: {ended:?}");
                assert_kept_out(directory.path(), &what);
                as_user(ALICE, &[STRANGERS, FRIENDS], || goes_on(&path, &what));
                assert_kept_out(directory.path(), &what);
                // The first user sees what the other one made.
                let left = as_user(BOB, &[STRANGERS, FRIENDS], || {
                    let listed = cutover::list_backups(&path).map_err(|e| e.failure.to_string());
                    listed.unwrap().into_iter().filter(|backup| backup.whole).count()
                });
                assert_eq!(left, 1, "{what}");
                if killed.is_none() {
                    break;
                }
                at += 1;
            }
            assert!(at > 30, "{at} steps");
        }
    }
}
