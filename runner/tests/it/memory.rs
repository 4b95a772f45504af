//! [28] The memory of an upgrade does not grow with the database: the legacy daemon took 1.69 GB
//! for a database of 528 MB. For each way of copying pages, the process itself measures its peak of
//! resident memory (`VmHWM`, proc(5)).
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::{Command, Stdio};

use cutover::planner::Strategy;
use cutover::{BuildBy, BuildFrom, Built, Detect, Event, Host, HostError, Job, Make, Options};
use rusqlite::Connection;

/// Set in a child process: the database, and how it is copied.
const CHILD: &str = "CUTOVER_MEMORY_CHILD";

/// v1 is larger than this.
const DATABASE_BYTES: u64 = 60_000_000;

/// The limit for a process's peak of resident memory, about half of the database and twice what was
/// measured. Measured: 13.4 MB by SQL, 9.4 in a copy, 16.0 by a host's build that is restaged, 13.5
/// with the page copy; 4.5 before the upgrade begins. Most of it is SQLite's: 2 MB of pages for
/// each connection, and whole blobs.
const PEAK_BYTES: u64 = 32_000_000;

/// Half of it is rows, half is blobs of 1 MB.
const V1: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
    WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
    INSERT INTO notes (text) SELECT printf('%01000d', i) FROM n;
    CREATE TABLE files (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
    WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 30)
    INSERT INTO files (body) SELECT randomblob(1000000) FROM n;";
const TO_V2: &str = "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
    INSERT INTO note SELECT id, text FROM v1.notes;
    CREATE TABLE file (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
    INSERT INTO file SELECT id, body FROM v1.files;
    PRAGMA user_version = 2;";
const IN_PLACE: &str = "ALTER TABLE notes RENAME TO note;
    ALTER TABLE note RENAME COLUMN text TO body;
    ALTER TABLE files RENAME TO file;
    PRAGMA user_version = 2;";

/// Builds v2 itself and keeps it open, so that cutover copies it into another file.
#[derive(Default)]
struct App {
    zombie: Option<Connection>,
    steps: Vec<String>,
}

impl Host for App {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let db = Connection::open(job.staging())?;
        db.execute("ATTACH DATABASE ?1 AS v1", [job.source()?.to_str().unwrap()])?;
        db.execute_batch(TO_V2)?;
        self.zombie = Some(db);
        Ok(Built::default())
    }

    fn event(&mut self, event: &Event) {
        if let Event::Step { op, .. } = event {
            self.steps.push(op.to_string());
        }
    }
}

fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
#[ignore = "a process of the tests"]
fn child() {
    let task = std::env::var(CHILD).unwrap();
    let (way, path) = task.split_once(' ').unwrap();
    let make = match way {
        "copy" => Make { from: BuildFrom::Copy, run: BuildBy::Sql(IN_PLACE.into()) },
        "restage" => Make { from: BuildFrom::Empty, run: BuildBy::Host },
        _ => Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) },
    };
    let before = peak_bytes();
    let mut options = Options::new(path, "v1-v2", Detect::UserVersion(2), make);
    options.wait_ms = 0;
    let mut app = App::default();
    let result = cutover::migrate(&options, &mut app).unwrap();
    let strategy = if way == "page-copy" { Strategy::PageCopy } else { Strategy::LinkReplace };
    assert_eq!(result.strategy, Some(strategy));
    assert!(way != "restage" || app.steps.iter().any(|op| op == way), "{:?}", app.steps);
    eprintln!("{way} {before} {}", peak_bytes());
}

fn upgrade(way: &str, path: &Path) {
    let mut command = Command::new("strace");
    // With `EPERM` for every link, canonical's pages are overwritten and its file is not replaced.
    command.args(["-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=link,linkat"]);
    if way == "page-copy" {
        command.arg("--inject=link,linkat:error=EPERM");
    }
    let again = again!(child);
    let output = command
        .arg(again.get_program())
        .args(again.get_args())
        .env(CHILD, format!("{way} {}", path.display()))
        .stdout(Stdio::null())
        .output()
        .expect("strace is needed for this test: apt-get install strace");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let line = told.lines().find(|line| line.starts_with(way)).unwrap_or_else(|| panic!("{told}"));
    eprintln!("{line}");
    let peak: u64 = line.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(peak < PEAK_BYTES, "{way}: {peak} bytes for a database of {DATABASE_BYTES}");
}

#[test]
fn an_upgrade_takes_far_less_memory_than_the_database_is_large() {
    let directory = tempfile::tempdir().unwrap();
    let v1 = directory.path().join("v1.db");
    Connection::open(&v1)
        .unwrap()
        .execute_batch(&format!("PRAGMA synchronous = OFF; BEGIN; {V1} COMMIT;"))
        .unwrap();
    assert!(std::fs::metadata(&v1).unwrap().len() > DATABASE_BYTES);
    for way in ["sql", "copy", "restage", "page-copy"] {
        let place = directory.path().join(way);
        std::fs::create_dir(&place).unwrap();
        std::fs::copy(&v1, place.join("data.db")).unwrap();
        upgrade(way, &place.join("data.db"));
        let rows = "SELECT (SELECT count(*) FROM note) + (SELECT count(*) FROM file)";
        let rows: u32 = Connection::open(place.join("data.db"))
            .unwrap()
            .query_row(rows, [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 30_030);
        std::fs::remove_dir_all(place).unwrap();
    }
}
