//! A process is killed (`SIGKILL`, `TerminateProcess`) at every step of its upgrade, and again in
//! the start that recovers. No row is lost, canonical is a whole v1 or a whole v2 for every reader,
//! and the next start succeeds.
//!
//! The process is this test program, started again. It stops at a point, reports that, and never
//! goes on. A step is reported before it is performed, and the callback has points of its own.
//!
//! On Linux, `strace` kills within a step (`campaign/kill`, `page_copy.rs`). On every system the
//! crash states cover that (`crash_states.rs`).

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{PoisonError, RwLock};

use cutover::{BuildBy, BuildFrom, Built, Detect, Event, Host, HostError, Job, Make, Options};
use rusqlite::Connection;

use crate::support::notes::{NOTES, TO_V2, V1, rows};

/// Set in a child process: the database, what the child does, and the point where it stops, counted
/// from 0.
const CHILD: &str = "CUTOVER_KILLED_CHILD";
const STOPPED: &str = "stopped to be killed";

const COPY_TO_V2: &str = "ALTER TABLE notes RENAME TO note; ALTER TABLE note RENAME COLUMN text \
                          TO body; PRAGMA user_version = 2;";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Sql,
    SqlCopy,
    /// With a companion.
    Host,
    HostCopy,
    /// With a companion that did not exist before, and is written in place.
    HostNew,
    /// By SQL, in a process that keeps v1 open. Only on Windows can cutover upgrade such a v1.
    Held,
}

const ALL: [How; 6] = [How::Sql, How::SqlCopy, How::Host, How::HostCopy, How::HostNew, How::Held];

impl How {
    fn is_host(self) -> bool {
        matches!(self, Self::Host | Self::HostCopy | Self::HostNew)
    }

    fn options(self, path: &Path) -> Options {
        let from = if matches!(self, Self::SqlCopy | Self::HostCopy) {
            BuildFrom::Copy
        } else {
            BuildFrom::Empty
        };
        let run = match (self.is_host(), from) {
            (true, _) => BuildBy::Host,
            (_, BuildFrom::Copy) => BuildBy::Sql(COPY_TO_V2.into()),
            _ => BuildBy::Sql(TO_V2.into()),
        };
        let mut options =
            Options::new(path, "v1-v2", Detect::UserVersion(2), Make { from, run }).wait_ms(0);
        if self.is_host() {
            options.companions.insert("auth".into(), path.with_file_name("auth.json"));
        }
        options
    }
}

/// Between fork and exec, a new child process holds every file that this process has open. So a
/// thread that opens a file takes this lock for reading, and one that starts a process takes it for
/// writing.
static OPEN: RwLock<()> = RwLock::new(());

/// The application. It stops for ever at a point.
struct App {
    at: usize,
    seen: usize,
}

impl App {
    fn whole() -> Self {
        Self { at: usize::MAX, seen: 0 }
    }

    fn point(&mut self) {
        if self.seen == self.at {
            eprintln!("{STOPPED}");
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
        }
        self.seen += 1;
    }
}

impl Host for App {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        self.point();
        job.save_state(serde_json::json!({ "attempt": job.attempt() }))?;
        self.point();
        let v2 = Connection::open(job.staging())?;
        if job.source()? == job.staging() {
            v2.execute_batch("BEGIN")?;
            v2.execute_batch(COPY_TO_V2)?;
        } else {
            v2.execute("ATTACH DATABASE ?1 AS v1", [job.source()?.to_str().unwrap()])?;
            v2.execute_batch("BEGIN")?;
            v2.execute_batch(TO_V2)?;
        }
        self.point();
        v2.execute_batch("COMMIT")?;
        self.point();
        if let Some(auth) = job.read_companion("auth")? {
            job.write_companion("auth", &[b"v2 of ", &auth[..]].concat())?;
        } else {
            let auth = job.staging().with_file_name("auth.json");
            std::fs::write(&auth, "half")?;
            self.point();
            std::fs::write(&auth, "new")?;
        }
        self.point();
        Ok(Built::default())
    }
    fn event(&mut self, event: &Event) {
        if matches!(event, Event::Step { .. }) {
            self.point();
        }
    }
    fn wait(&mut self, _delay_ms: u64) {}
}

#[test]
#[ignore = "a process of the tests"]
fn child() {
    let told = std::env::var(CHILD).unwrap();
    let [path, how, at] = told.split('|').collect::<Vec<_>>()[..] else { panic!("{told}") };
    let how = ALL[how.parse::<usize>().unwrap()];
    let path = Path::new(path);
    let holder = (how == How::Held).then(|| Connection::open(path).unwrap());
    if let Some(holder) = &holder {
        holder
            .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))
            .unwrap();
    }
    cutover::migrate(&how.options(path), &mut App { at: at.parse().unwrap(), seen: 0 }).unwrap();
}

struct Bed(tempfile::TempDir);

impl Bed {
    /// A v1 whose rows, in WAL mode, are only in its log, as a killed application leaves it.
    fn new(how: How, mode: &str) -> Self {
        let _open = OPEN.read().unwrap_or_else(PoisonError::into_inner);
        let live = in_memory();
        let db = Connection::open(live.path().join("data.db")).unwrap();
        db.execute_batch(&format!(
            "PRAGMA journal_mode = {mode}; PRAGMA wal_autocheckpoint = 0; {V1}"
        ))
        .unwrap();
        let bed = Self(copy_of_the_set(live.path()));
        if how != How::HostNew {
            std::fs::write(bed.0.path().join("auth.json"), "v1 secret").unwrap();
        }
        bed
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("data.db")
    }

    /// Returns true if it was killed, and false if it ended well before it came to the point.
    fn killed(&self, how: How, at: usize) -> bool {
        let number = ALL.iter().position(|one| *one == how).unwrap();
        let mut command = again!(child);
        command.env(CHILD, format!("{}|{number}|{at}", self.path().display()));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let alone = OPEN.write().unwrap_or_else(PoisonError::into_inner);
        // On a loaded machine Wine may fail to start a process with `ERROR_INTERNAL_ERROR`. No code
        // of the child has run then.
        let failed_to_start =
            |error: &std::io::Error| cfg!(windows) && error.raw_os_error() == Some(1359);
        let mut child = command.spawn();
        for _ in 0..2 {
            if child.as_ref().is_err_and(failed_to_start) {
                child = command.spawn();
            }
        }
        drop(alone);
        let mut child = child.unwrap();
        let mut told = Vec::new();
        for line in BufReader::new(child.stderr.take().unwrap()).lines() {
            told.push(line.unwrap());
            if told.last().is_some_and(|line| line == STOPPED) {
                child.kill().unwrap();
                child.wait().unwrap();
                return true;
            }
        }
        assert!(child.wait().unwrap().success(), "{how:?}, {at}: {}", told.join("\n"));
        false
    }

    /// Reads a copy of the database: `notes` of a whole v1, or `note` of a whole v2.
    fn whole(&self, rows_of_v1: &[&str], what: &str) -> &'static str {
        let _open = OPEN.read().unwrap_or_else(PoisonError::into_inner);
        let copy = copy_of_the_set(self.0.path());
        let path = copy.path().join("data.db");
        let db = Connection::open(&path).unwrap();
        let ask = |sql: &str| {
            db.query_row(sql, [], |row| row.get::<_, String>(0))
                .unwrap_or_else(|error| panic!("{what}: {error}"))
        };
        assert_eq!(ask("PRAGMA integrity_check"), "ok", "{what}");
        let table = match &ask("SELECT group_concat(name) FROM sqlite_master")[..] {
            "notes" => "notes",
            "note" => "note",
            both => panic!("{what}: neither v1 nor v2: {both}"),
        };
        assert_eq!(rows(&path, table), rows_of_v1, "{what}");
        table
    }

    /// v2 with every row, the backup with all of v1, its receipt, the companion once, and nothing
    /// else.
    fn assert_upgraded(&self, how: How, rows_of_v1: &[&str], what: &str) {
        // The log of a v2 that a killed process had open is removed when the next reader closes the
        // database.
        assert_eq!(rows(&self.path(), "note"), rows_of_v1, "{what}");
        let entries = std::fs::read_dir(self.0.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = entries.filter(|name| !name.contains("-lock")).collect();
        names.sort();
        let read = |name: &str| std::fs::read_to_string(self.0.path().join(name)).unwrap();
        // An undo keeps what the host wrote in place.
        names.retain(|name| how != How::HostNew || !name.contains(".displaced-"));
        let [companions, database] = ["auth.json", "data.db"]
            .map(|of| names.iter().filter(|name| name.starts_with(of)).collect::<Vec<_>>());
        let [_, backup, receipt] = database[..] else { panic!("{what}: {names:?}") };
        assert_eq!(rows(&self.0.path().join(backup), "notes"), rows_of_v1, "{what}");
        assert_eq!(*receipt, format!("{backup}.json"), "{what}");
        let expected: &[&str] = match how {
            How::HostNew => &["new"],
            _ if how.is_host() => &["v2 of v1 secret", "v1 secret"],
            _ => &["v1 secret"],
        };
        assert_eq!(
            companions.iter().map(|name| read(name)).collect::<Vec<_>>(),
            expected,
            "{what}: {names:?}"
        );
    }

    /// The displaced files of the companion.
    #[cfg(unix)]
    fn kept(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.to_str().unwrap().contains("auth.json.displaced-")).collect()
    }
}

/// A directory in memory if possible (also under Wine): a kill loses nothing that a flush would
/// save.
fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn copy_of_the_set(directory: &Path) -> tempfile::TempDir {
    let copy = in_memory();
    for name in ["data.db", "data.db-wal", "data.db-journal"] {
        if directory.join(name).exists() {
            std::fs::copy(directory.join(name), copy.path().join(name)).unwrap();
        }
    }
    copy
}

const MORE: [&str; 4] = ["milk", "bread", "a new bicycle", "of the old release"];

fn killed_everywhere(how: How, mode: &str) {
    let (mut first, mut twice, mut old) = (0, 0, 0);
    loop {
        let bed = Bed::new(how, mode);
        let what = format!("{how:?}, {mode}, killed at {first}");
        let stopped = bed.killed(how, first);
        let mut rows_of_v1 = &NOTES[..];
        if stopped {
            // Every second time the old release runs before the next start, if v1 is still in
            // place.
            if bed.whole(rows_of_v1, &what) == "notes" && first % 2 == 1 {
                let _open = OPEN.read().unwrap_or_else(PoisonError::into_inner);
                Connection::open(bed.path())
                    .unwrap()
                    .execute("INSERT INTO notes (text) VALUES (?1)", [MORE[3]])
                    .unwrap();
                rows_of_v1 = &MORE;
                old += 1;
            }
            // Another point of the recovery each time. A recovery that goes on to migrate has as
            // many points as an upgrade. Under Wine this is done less often, because starting a
            // process takes long there.
            if (cfg!(unix) || first % 3 == 0) && bed.killed(how, first * 5 % 23) {
                bed.whole(rows_of_v1, &format!("{what}, then at {}", first * 5 % 23));
                twice += 1;
            }
        }
        let _open = OPEN.read().unwrap_or_else(PoisonError::into_inner);
        cutover::migrate(&how.options(&bed.path()), &mut App::whole())
            .unwrap_or_else(|error| panic!("{what}: {}", error.failure));
        bed.assert_upgraded(how, rows_of_v1, &what);
        if !stopped {
            break;
        }
        first += 1;
    }
    println!(
        "{how:?}, {mode}: killed at each of {first} points, {twice} times again; the old release \
         wrote {old} times"
    );
    assert!(first > 30 && twice > 8 && old > 8, "{how:?}, {mode}: {first}, {twice}, {old}");
}

#[test]
fn an_upgrade_by_sql() {
    killed_everywhere(How::Sql, "wal");
    killed_everywhere(How::Sql, "delete");
}

#[test]
fn an_upgrade_by_sql_of_a_copy() {
    killed_everywhere(How::SqlCopy, "wal");
}

#[test]
fn an_upgrade_by_a_host_with_a_companion() {
    killed_everywhere(How::Host, "wal");
}

#[cfg(unix)]
#[test]
fn an_upgrade_by_a_host_of_a_copy() {
    killed_everywhere(How::HostCopy, "delete");
}

/// A companion that did not exist before v2 does not exist without it. What was written to it is
/// kept beside, and a warning says so.
#[cfg(unix)]
#[test]
fn an_upgrade_by_a_host_that_writes_a_new_companion_in_place() {
    killed_everywhere(How::HostNew, "wal");
    let (mut undone, mut finished) = (0, 0);
    for at in 0.. {
        let bed = Bed::new(How::HostNew, "wal");
        let what = format!("killed at {at}");
        if !bed.killed(How::HostNew, at) {
            break;
        }
        let auth = bed.path().with_file_name("auth.json");
        let wrote = std::fs::read_to_string(&auth).ok();
        let open = OPEN.read().unwrap_or_else(PoisonError::into_inner);
        let result =
            cutover::recover(&How::HostNew.options(&bed.path()), &mut App::whole()).unwrap();
        drop(open);
        if bed.whole(&NOTES, &what) == "note" {
            assert_eq!(
                (wrote.as_deref(), bed.kept(), result.warnings),
                (Some("new"), vec![], vec![]),
                "{what}"
            );
            assert_eq!(std::fs::read_to_string(&auth).unwrap(), "new", "{what}");
            finished += 1;
            continue;
        }
        assert!(!auth.exists(), "{what}");
        let kept = bed
            .kept()
            .iter()
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect::<Vec<_>>();
        assert_eq!(kept, wrote.into_iter().collect::<Vec<_>>(), "{what}");
        let told = |path: &PathBuf| {
            result.warnings.iter().any(|warning| {
                let name = path.file_name().unwrap().to_str().unwrap();
                warning.code.as_deref() == Some("KEPT") && warning.message.contains(name)
            })
        };
        assert!(bed.kept().iter().all(told), "{what}: {:?}", result.warnings);
        undone += kept.len();
    }
    println!("{undone} were kept, {finished} finished");
    assert!(undone > 8 && finished > 8, "{undone}, {finished}");
}

#[cfg(windows)]
#[test]
fn an_upgrade_of_a_v1_that_is_held() {
    killed_everywhere(How::Held, "wal");
    killed_everywhere(How::Held, "delete");
}
