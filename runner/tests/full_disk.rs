//! A disk that is full from any step on: a real file system of 1 MB, filled to its last byte before the step is performed.
//!
//! A full disk never costs a row and never bricks a start: the upgrade fails with `NO_SPACE` and v1 in its place, or, once v2 is
//! installed, ends with a warning; and with room again the next start ends well.
//!
//! Mounting needs a mount namespace of our own, so this test starts itself again inside one and has no harness. Only Linux has
//! one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/namespace.rs"]
mod namespace;
#[path = "support/notes.rs"]
mod notes;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use cutover::{Code, Detect, Event, From, Host, Make, Options, Outcome, Run};
use rusqlite::Connection;

use notes::TO_V2;

const INSIDE: &str = "CUTOVER_FULL_DISK";
const V1: &str = "PRAGMA journal_mode = WAL; CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
    WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 500)
    INSERT INTO notes (text) SELECT printf('note %0100d', i) FROM n;";

/// Fills the disk before the `at`th step.
struct Fills {
    at: usize,
    seen: usize,
    filler: PathBuf,
    warned: bool,
}

impl Host for Fills {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Step { .. } => {
                if self.seen == self.at {
                    fill(&self.filler);
                }
                self.seen += 1;
            }
            Event::Warning { .. } => self.warned = true,
            _ => {}
        }
    }
    fn wait(&mut self, _delay_ms: u64) {}
}

struct Calm;
impl Host for Calm {}

fn fill(filler: &Path) {
    let mut file = std::fs::File::create(filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    while file.write_all(&[0]).is_ok() {}
}

fn count(path: &Path, table: &str) -> i64 {
    // Nothing may be made beside it: there is no room.
    let uri = format!("file:{}?immutable=1", path.display());
    Connection::open(uri).unwrap().query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

fn full_at(directory: &Path, at: usize) -> (bool, bool) {
    let path = directory.join("data.db");
    let filler = directory.join("filler");
    Connection::open(&path).unwrap().execute_batch(V1).unwrap();
    let options = Options::new(&path, "v1-v2", Detect::UserVersion(2), Make { from: From::Empty, run: Run::Sql(TO_V2.into()) });
    let mut host = Fills { at, seen: 0, filler: filler.clone(), warned: false };
    let result = cutover::migrate(&options, &mut host);
    let reached = host.seen > at;
    let failed = match &result {
        Ok(_) => {
            assert_eq!(count(&path, "note"), 500, "step {at}");
            false
        }
        Err(error) => {
            assert_eq!(error.failure.code, Code::NoSpace, "step {at}: {}", error.failure.message);
            assert_eq!(count(&path, "notes"), 500, "step {at}");
            let left: Vec<_> = std::fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name()).collect();
            assert!(!left.iter().any(|name| name.to_str().unwrap().contains(".building-")), "step {at}: the room is given back: {left:?}");
            true
        }
    };
    if reached {
        std::fs::remove_file(&filler).unwrap();
    }
    let next = cutover::migrate(&options, &mut Calm).unwrap();
    // Where the receipt had no room the next start finishes; else there is nothing left to do.
    assert!(
        if failed { next.outcome == Outcome::Migrated } else { host.warned || next.outcome == Outcome::Current },
        "step {at}: {next:?}"
    );
    assert_eq!(count(&path, "note"), 500);
    let mut names: Vec<String> = std::fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.ends_with("-lock"));
    assert_eq!(names.len(), 3, "step {at}: {names:?}");
    for name in std::fs::read_dir(directory).unwrap() {
        std::fs::remove_file(name.unwrap().path()).unwrap();
    }
    (reached, failed)
}

fn main() {
    if !cfg!(target_os = "linux") {
        return;
    }
    if namespace::started_inside(INSIDE) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(directory).status().unwrap();
    assert!(mounted.success());
    let mut steps = 0;
    let mut failed = 0;
    loop {
        let (reached, refused) = full_at(directory, steps);
        if !reached {
            break;
        }
        failed += usize::from(refused);
        steps += 1;
    }
    assert!(Command::new("umount").arg(directory).status().unwrap().success());
    // Before the build there is much to write, after the flip only what is a warning.
    assert!(failed >= 5 && steps > 25, "{failed} of {steps}");
    println!("full before each of {steps} steps: {failed} upgrades refused, none lost a row");
    println!("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out");
}
