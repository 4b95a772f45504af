//! Two data directories that share a companion upgrade one after the other, even if one of them is
//! killed.
#![allow(
    clippy::type_complexity,
    clippy::field_reassign_with_default,
    reason = "a host of closures is scripted test by test"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cutover::{
    BackupOptions, BuildBy, BuildFrom, Built, Code, Detect, Event, Host, HostError, Job, Lock,
    Make, Options, Outcome, Recovery, Rule,
};
use rusqlite::Connection;

use crate::support::notes::{TO_V2, V1};

/// Set in a child process: the database, the companion, and the op (or op and file) before which it
/// stops, if any.
const CHILD: &str = "CUTOVER_COMPANION_CHILD";

/// One test at a time: between fork and exec, a new child process holds every lock that another
/// test of this process holds.
static IN_TURN: Mutex<()> = Mutex::new(());

/// Data directories `A` and `B`, and `shared` with the companion.
struct Bed(tempfile::TempDir, #[expect(dead_code, reason = "held")] MutexGuard<'static, ()>);

impl Bed {
    fn new() -> Self {
        let turn = IN_TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let bed = Self(tempfile::tempdir().unwrap(), turn);
        for directory in ["A", "B", "shared"] {
            std::fs::create_dir(bed.path(directory)).unwrap();
        }
        for directory in ["A", "B"] {
            Connection::open(bed.database(directory)).unwrap().execute_batch(V1).unwrap();
        }
        std::fs::write(bed.auth(), "v1").unwrap();
        bed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn database(&self, directory: &str) -> PathBuf {
        self.path(directory).join("data.db")
    }

    fn auth(&self) -> PathBuf {
        self.path("shared/auth.json")
    }

    fn options(&self, directory: &str) -> Options {
        options(&self.database(directory), &self.auth())
    }

    /// Starts a process that upgrades a directory, and stops before the first `op`.
    fn upgrade(&self, directory: &str, op: &str) -> Upgrade {
        let mut child = again!(child)
            .env(
                CHILD,
                format!("{}|{}|{op}", self.database(directory).display(), self.auth().display()),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let told = BufReader::new(child.stderr.take().unwrap());
        Upgrade { child, told }
    }

    fn names(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(directory)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        // SQLite makes the owner lock's journal, and keeps it while the lock is held.
        names.retain(|name| !name.ends_with("-lock") && !name.ends_with("-lock-journal"));
        names.sort();
        names
    }

    fn content(&self) -> String {
        std::fs::read_to_string(self.auth()).unwrap()
    }

    fn is_v1(&self, directory: &str) -> bool {
        rows(&self.database(directory), "notes") == 3
    }

    /// The directory holds v2, the backup and its receipt, and nothing else.
    fn assert_upgraded(&self, directory: &str) {
        assert_eq!(rows(&self.database(directory), "note"), 3);
        assert_eq!(self.names(directory).len(), 3, "{:?}", self.names(directory));
    }
}

fn rows(database: &Path, table: &str) -> i64 {
    let db = Connection::open(database).unwrap();
    db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap_or(-1)
}

fn options(database: &Path, auth: &Path) -> Options {
    let make = Make { from: BuildFrom::Empty, run: BuildBy::Host };
    let mut options = Options::new(database, "v1-v2", Detect::UserVersion(2), make);
    options.companions.insert("auth".into(), auth.to_owned());
    options
}

struct Upgrade {
    child: Child,
    told: BufReader<ChildStderr>,
}

impl Upgrade {
    /// Reads lines until one begins with `start`.
    fn wait_for(&mut self, start: &str) -> String {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            assert!(
                self.told.read_line(&mut line).unwrap() > 0,
                "the process ended before it said {start:?}: {all}"
            );
            if line.starts_with(start) {
                return line.trim_end().to_owned();
            }
            all.push_str(&line);
        }
    }

    fn go_on(&mut self) {
        self.child.stdin.take().unwrap().write_all(b"\n").unwrap();
    }

    fn ends(mut self) -> String {
        let told = self.wait_for("ended");
        assert!(self.child.wait().unwrap().success());
        told
    }
}

#[test]
#[ignore = "a process of the tests"]
fn child() {
    let task = std::env::var(CHILD).unwrap();
    let [database, auth, op] = task.split('|').collect::<Vec<_>>()[..] else { panic!("{task}") };
    let mut options = options(Path::new(database), Path::new(auth));
    options.wait_ms = 600_000;
    let mut host = App { stop_before: op.to_owned(), talks: true, ..App::default() };
    let result = cutover::migrate(&options, &mut host);
    eprintln!(
        "ended {:?}",
        result
            .map(|result| (result.outcome, result.recovery))
            .map_err(|error| error.failure.to_string())
    );
}

/// An application whose upgrade adds its directory's name to the companion.
#[derive(Default)]
struct App<'a> {
    stop_before: String,
    talks: bool,
    meanwhile: Option<Box<dyn FnMut() + 'a>>,
    on_wait: Option<Box<dyn FnMut(&Event) + 'a>>,
    stop: bool,
}

impl App<'_> {
    fn stops_before(&self, op: &str, file: Option<&str>) -> bool {
        self.stop_before == op
            || file.is_some_and(|file| self.stop_before == format!("{op} {file}"))
    }
}

impl Host for App<'_> {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let db = Connection::open(job.staging())?;
        db.execute("ATTACH DATABASE ?1 AS v1", [job.source().to_str().unwrap()])?;
        db.execute_batch(TO_V2)?;
        if let Some(mut meanwhile) = self.meanwhile.take() {
            meanwhile();
        }
        let directory =
            job.staging().parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let content = String::from_utf8(job.read_companion("auth")?.unwrap_or_default())?;
        job.write_companion("auth", format!("{content}+{directory}").as_bytes())?;
        Ok(Built::default())
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Step { op, file, .. }
                if self.talks && self.stops_before(op, file.as_deref()) =>
            {
                self.stop_before.clear();
                eprintln!("stopped before {op}");
                std::io::stdin().read_line(&mut String::new()).unwrap();
            }
            Event::Wait { op, file, .. } if self.talks => {
                eprintln!("waits: {op} {}", file.as_deref().unwrap_or_default());
            }
            Event::Wait { .. } => {
                if let Some(on_wait) = &mut self.on_wait {
                    on_wait(event);
                }
            }
            _ => {}
        }
    }

    fn cancelled(&mut self) -> bool {
        self.stop
    }

    /// Only a child process needs real time.
    fn wait(&mut self, delay_ms: u64) {
        if self.talks {
            std::thread::sleep(std::time::Duration::from_millis(delay_ms));
        }
    }
}

/// [29] Without the lock, the second upgrade would install its companion between the first one's
/// comparison and its installation. The second one's content would be lost.
#[test]
fn two_processes_upgrade_their_directories_in_turn() {
    for op in ["build-host", "link"] {
        let bed = Bed::new();
        let mut first = bed.upgrade("A", op);
        first.wait_for("stopped");
        let mut second = bed.upgrade("B", "");
        assert_eq!(second.wait_for("waits"), "waits: lock auth/auth.json");
        assert_eq!(bed.names("B"), ["data.db"]);
        first.go_on();
        assert_eq!(first.ends(), "ended Ok((Migrated, None))");
        assert_eq!(second.ends(), "ended Ok((Migrated, None))");
        assert_eq!(bed.content(), "v1+A+B");
        bed.assert_upgraded("A");
        bed.assert_upgraded("B");
        // The companion's content before each of them, and no staged or displaced file.
        let kept = bed.names("shared");
        assert!(
            kept.len() == 3 && kept[1..].iter().all(|name| name.starts_with("auth.json.v1-v2-")),
            "{kept:?}"
        );
    }
}

/// The undo of a legacy journal works on the companion, and only the undo.
#[test]
fn what_the_legacy_daemon_left_is_undone_in_turn_as_well() {
    let bed = Bed::new();
    let (of_b, backup) =
        (|name: &str| bed.path("B").join(name), bed.path("shared/auth.json.v1-v2-3fa9c1d2"));
    std::fs::copy(bed.database("B"), of_b("data.db.building-3fa9c1d2")).unwrap();
    std::fs::write(&backup, "v1 of B").unwrap();
    let journal = serde_json::json!({
        "version": 1, "source": of_b("data.db"), "normalizedSource": of_b("data.db.source-3fa9c1d2"), "staging": of_b("data.db.building-3fa9c1d2"),
        "backup": of_b("data.db.v1-v2-1782718800000-3fa9c1d2"), "authPath": bed.auth(), "authBackup": backup, "authExisted": true,
        "nonce": "3fa9c1d2", "keychainBackups": null, "phase": "built",
    });
    std::fs::write(of_b("data.db.v1-v2-migration.json"), journal.to_string()).unwrap();
    let mut first = bed.upgrade("A", "build-host");
    first.wait_for("stopped");
    let error = cutover::migrate(&bed.options("B"), &mut App::default()).unwrap_err();
    assert_eq!(error.failure.code, Code::Owned, "{}", error.failure);
    assert!(bed.content() == "v1" && backup.exists(), "{}", bed.content());
    first.go_on();
    assert_eq!(first.ends(), "ended Ok((Migrated, None))");
    let result = cutover::migrate(&bed.options("B"), &mut App::default()).unwrap();
    assert_eq!((result.outcome, result.recovery), (Outcome::Migrated, Recovery::Undone));
    assert_eq!(bed.content(), "v1 of B+B");
}

#[test]
fn two_processes_at_once_lose_nothing_in_either_order() {
    for _ in 0..5 {
        let bed = Bed::new();
        let both = [bed.upgrade("A", ""), bed.upgrade("B", "")];
        for one in both {
            assert_eq!(one.ends(), "ended Ok((Migrated, None))");
        }
        assert!(["v1+A+B", "v1+B+A"].contains(&bed.content().as_str()), "{}", bed.content());
        bed.assert_upgraded("A");
        bed.assert_upgraded("B");
        assert_eq!(bed.names("shared").len(), 3, "{:?}", bed.names("shared"));
    }
}

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
        let options =
            Options { lock, wait_ms: 400, ..options(&bed.database("B"), &bed.path(name)) };
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

/// The other directory upgrades at once. Its content is then in the companion, or kept beside it.
/// The latter happens if the killed upgrade's recovery puts the companion back to what it was before
/// the build, or installs what was staged already.
#[test]
fn a_killed_holder_no_longer_holds_the_lock() {
    let (seen, kept_beside) =
        (["check", "lock-v1", "link"], ["build-host", "rename auth/auth.json"]);
    for op in seen.iter().chain(&kept_beside) {
        let bed = Bed::new();
        let mut first = bed.upgrade("A", op);
        first.wait_for("stopped");
        first.child.kill().unwrap();
        first.child.wait().unwrap();
        let options = |directory| Options { wait_ms: 0, ..bed.options(directory) };
        assert_eq!(
            cutover::migrate(&options("B"), &mut App::default()).unwrap().outcome,
            Outcome::Migrated
        );
        assert_eq!(bed.content(), "v1+B");
        assert_eq!(
            cutover::migrate(&options("A"), &mut App::default()).unwrap().outcome,
            Outcome::Migrated
        );
        bed.assert_upgraded("A");
        bed.assert_upgraded("B");
        let beside = bed.names("shared").into_iter().find(|name| name.contains(".displaced-"));
        let beside =
            beside.map(|name| std::fs::read_to_string(bed.path("shared").join(name)).unwrap());
        let expected = if seen.contains(op) { ("v1+B+A", None) } else { ("v1+A", Some("v1+B")) };
        assert_eq!((bed.content().as_str(), beside.as_deref()), expected, "killed before {op}");
    }
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
        let result =
            cutover::migrate(&Options { wait_ms: 0, ..bed.options("B") }, &mut App::default())
                .unwrap();
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
    BackupOptions {
        companions: [("auth".to_owned(), bed.auth())].into(),
        wait_ms: 0,
        ..BackupOptions::default()
    }
}

fn newest(bed: &Bed) -> PathBuf {
    cutover::list_backups(&bed.database("B")).unwrap()[0].name.as_str().into()
}

#[test]
fn a_lock_that_cannot_be_made_stops_only_an_upgrade() {
    let bed = Bed::new();
    std::fs::create_dir(bed.path("shared/auth.json.cutover-lock")).unwrap();
    let failure = cutover::migrate(&bed.options("B"), &mut App::default()).unwrap_err().failure;
    assert_eq!((failure.code, failure.op.as_deref()), (Code::Io, Some("lock")));
    assert!(
        failure.to_string().contains("auth.json.cutover-lock: it is a directory, not a regular"),
        "{failure}"
    );
    assert!(bed.is_v1("B") && bed.names("B") == ["data.db"] && bed.content() == "v1");

    let bare = Options { companions: [].into(), ..bed.options("B") };
    cutover::migrate(
        &Options { make: Make { run: BuildBy::Sql(TO_V2.into()), ..bare.make.clone() }, ..bare },
        &mut App::default(),
    )
    .unwrap();
    assert_eq!(
        cutover::migrate(&bed.options("B"), &mut App::default()).unwrap().outcome,
        Outcome::Current
    );
}

#[test]
fn locks_are_taken_by_real_path_and_released() {
    let bed = Bed::new();
    let mut options = bed.options("A");
    options.companions.insert("a".into(), bed.path("shared/z.json"));
    let first = bed.path("shared/auth.json.cutover-lock");
    let mut held = Some(std::fs::File::create(&first).unwrap());
    held.as_ref().unwrap().lock().unwrap();
    let mut host = App::default();
    // In the order of the companions' names the other lock would come first.
    host.on_wait = Some(Box::new(|event| {
        assert!(
            matches!(event, Event::Wait { file: Some(file), .. } if file == "auth/auth.json"),
            "{event:?}"
        );
        assert!(!bed.path("shared/z.json.cutover-lock").exists());
        drop(held.take());
    }));
    assert_eq!(cutover::migrate(&options, &mut host).unwrap().outcome, Outcome::Migrated);
    drop(host);
    for name in ["auth.json", "z.json"] {
        std::fs::File::open(bed.path(&format!("shared/{name}.cutover-lock")))
            .unwrap()
            .try_lock()
            .unwrap();
    }
}

#[test]
fn two_companions_with_one_lock_do_not_wait_for_each_other() {
    let bed = Bed::new();
    std::fs::write(bed.path("shared/auth.json.cutover-lock"), "").unwrap();
    std::fs::hard_link(
        bed.path("shared/auth.json.cutover-lock"),
        bed.path("shared/b.json.cutover-lock"),
    )
    .unwrap();
    let mut options = bed.options("A");
    options.companions.insert("b".into(), bed.path("shared/b.json"));
    let mut host = App { on_wait: Some(Box::new(|event| panic!("{event:?}"))), ..App::default() };
    let failure = cutover::migrate(&options, &mut host).unwrap_err().failure;
    assert!(
        failure.code == Code::Io
            && failure.to_string().contains("two companions cannot be one file"),
        "{failure}"
    );
    assert!(bed.is_v1("A"));
}

#[cfg(unix)]
#[test]
fn a_user_who_may_write_beside_a_companion_may_lock_it_and_no_other() {
    use std::os::unix::fs::PermissionsExt;
    for (directory, lock) in [(0o700, 0o600), (0o755, 0o600), (0o775, 0o660), (0o1777, 0o666)] {
        let bed = Bed::new();
        std::fs::set_permissions(bed.path("shared"), PermissionsExt::from_mode(directory)).unwrap();
        cutover::migrate(&bed.options("A"), &mut App::default()).unwrap();
        let mode = std::fs::metadata(bed.path("shared/auth.json.cutover-lock"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777;
        assert_eq!(mode, lock, "{directory:o}: {mode:o}");
    }
}
