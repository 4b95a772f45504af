//! A full disk: a real file system of 1 MB that is filled to its last byte before each step in
//! turn.
//!
//! A full disk never costs a row, and never makes a later start impossible. The upgrade fails with
//! `NO_SPACE` and v1 in its place; or, once v2 is installed, it ends with a warning. With free
//! space again, the next start succeeds.
//!
//! A companion always matches the database. It is beside the database, or on a volume of its own,
//! which then is the full one. If the application's own callback runs out of space, the failure is
//! the application's error, with the reason.
//!
//! Mounting needs a mount namespace, so the test starts itself again inside one. Only Linux has
//! them.
#![cfg(target_os = "linux")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use cutover::planner::DataState;
use cutover::{
    BuildBy, BuildFrom, Built, Code, Detect, Event, Host, HostError, Job, Make, Options, Outcome,
};
use rusqlite::Connection;

use crate::support::notes::TO_V2;

const V1: &str = "PRAGMA journal_mode = WAL; CREATE TABLE notes (id INTEGER PRIMARY KEY, text \
                  TEXT NOT NULL);
    WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 500)
    INSERT INTO notes (text) SELECT printf('note %0100d', i) FROM n;";

/// How the companion changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Companion {
    None,
    Staged,
    InPlace,
}

/// The companion's content with v1 and with v2: more than one block.
fn content(version: u32) -> String {
    format!("of v{version};").repeat(1000 * version as usize)
}

/// Two volumes, one of which fills up. They may be one and the same.
struct Scene<'a> {
    database: &'a Path,
    beside: &'a Path,
    fills: &'a Path,
    companion: Companion,
}

impl Scene<'_> {
    fn path(&self) -> PathBuf {
        self.database.join("data.db")
    }

    fn auth(&self) -> PathBuf {
        self.beside.join("auth.json")
    }

    fn options(&self) -> Options {
        let run = if self.companion == Companion::None {
            BuildBy::Sql(TO_V2.into())
        } else {
            BuildBy::Host
        };
        let mut options = Options::new(
            self.path(),
            "v1-v2",
            Detect::UserVersion(2),
            Make { from: BuildFrom::Empty, run },
        );
        if self.companion != Companion::None {
            options.companions.insert("auth".into(), self.auth());
        }
        options
    }

    /// Database and companion have this version, with every row.
    fn assert_is(&self, version: u32, what: &str) {
        assert_eq!(count(&self.path(), if version == 1 { "notes" } else { "note" }), 500, "{what}");
        let auth = std::fs::read_to_string(self.auth()).ok();
        let expected = (self.companion != Companion::None).then(|| content(version));
        assert!(
            auth == expected,
            "{what}: the companion is {:?} bytes",
            auth.map(|auth| auth.len())
        );
    }

    /// Every name but the locks, and but the host's content that was kept aside.
    fn names(&self) -> Vec<String> {
        let directories = if self.beside == self.database {
            vec![self.database]
        } else {
            vec![self.database, self.beside]
        };
        let entries =
            directories.into_iter().flat_map(|directory| std::fs::read_dir(directory).unwrap());
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.ends_with("-lock") && !name.contains(".displaced-")).collect()
    }

    fn clear(&self) {
        for directory in [self.database, self.beside] {
            for entry in std::fs::read_dir(directory).unwrap() {
                std::fs::remove_file(entry.unwrap().path()).unwrap();
            }
        }
    }
}

/// Fills the disk before the `at`th step.
struct Fills<'a> {
    scene: &'a Scene<'a>,
    at: usize,
    seen: usize,
    warned: bool,
}

impl Fills<'_> {
    fn filler(&self) -> PathBuf {
        self.scene.fills.join("filler")
    }
}

impl Host for Fills<'_> {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let v2 = Connection::open(job.staging())?;
        v2.execute_batch(&format!("ATTACH '{}' AS v1; {TO_V2}", job.source()?.display()))?;
        match self.scene.companion {
            Companion::InPlace => std::fs::write(self.scene.auth(), content(2))?,
            _ => job.write_companion("auth", content(2).as_bytes())?,
        }
        Ok(Built::default())
    }
    fn event(&mut self, event: &Event) {
        match event {
            Event::Step { .. } => {
                if self.seen == self.at {
                    fill(&self.filler());
                }
                self.seen += 1;
            }
            Event::Warning { warning } => self.warned |= warning.code.as_deref() != Some("KEPT"),
            _ => {}
        }
    }
    fn wait(&mut self, _delay_ms: u64) {}
}

fn fill(filler: &Path) {
    let mut file = std::fs::File::create(filler).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
    while file.write_all(&[0]).is_ok() {}
}

fn count(path: &Path, table: &str) -> i64 {
    // Opened so that SQLite makes no file beside it, for which there is no space.
    let uri = format!("file:{}?immutable=1", path.display());
    Connection::open(uri)
        .unwrap()
        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
        .unwrap()
}

/// Returns whether the step was reached, and the code of the failure.
fn full_at(scene: &Scene, at: usize) -> (bool, Option<Code>) {
    Connection::open(scene.path()).unwrap().execute_batch(V1).unwrap();
    if scene.companion != Companion::None {
        std::fs::write(scene.auth(), content(1)).unwrap();
    }
    let what = format!("{:?}, step {at}", scene.companion);
    let mut host = Fills { scene, at, seen: 0, warned: false };
    let result = cutover::migrate(&scene.options(), &mut host);
    let reached = host.seen > at;
    let failed = match &result {
        Ok(_) => {
            scene.assert_is(2, &what);
            None
        }
        Err(error) => {
            let failure = &error.failure;
            if failure.code == Code::Host {
                let said = ["database or disk is full", "No space left on device"];
                assert!(
                    said.iter().any(|said| failure.to_string().contains(said)),
                    "{what}: {failure}"
                );
            } else {
                assert_eq!(failure.code, Code::NoSpace, "{what}: {failure}");
                assert!(
                    failure.hint.contains("free some space on this volume"),
                    "{what}: {failure}"
                );
                // The failure's file tells which volume is full.
                let auth = failure.path.as_ref().is_some_and(|path| path.contains("auth.json"));
                assert!(auth || scene.fills == scene.database, "{what}: {failure}");
            }
            assert_eq!(failure.data.state, DataState::V1, "{what}: {failure}");
            scene.assert_is(1, &what);
            let left = scene.names();
            assert!(
                !left.iter().any(|name| name.contains(".building-")),
                "{what}: the space is freed again: {left:?}"
            );
            Some(failure.code)
        }
    };
    if reached {
        std::fs::remove_file(host.filler()).unwrap();
    }
    let mut calm = Fills { scene, at: usize::MAX, seen: 0, warned: false };
    let next = cutover::migrate(&scene.options(), &mut calm).unwrap();
    // If there was no space for the receipt, the next start finishes. Otherwise nothing is left to
    // do.
    assert!(
        if failed.is_some() {
            next.outcome == Outcome::Migrated
        } else {
            host.warned || next.outcome == Outcome::Current
        },
        "{what}: {next:?}"
    );
    scene.assert_is(2, &what);
    let names = scene.names();
    // Two more with a companion: the companion and its backup.
    assert_eq!(
        names.len(),
        if scene.companion == Companion::None { 3 } else { 5 },
        "{what}: {names:?}"
    );
    scene.clear();
    (reached, failed)
}

/// Fills the disk before each step in turn. Returns the number of steps, of failed upgrades, and of
/// those that failed with the application's own error.
fn full_everywhere(scene: &Scene) -> [usize; 3] {
    let mut failed = Vec::new();
    for at in 0.. {
        let (reached, code) = full_at(scene, at);
        if !reached {
            let of_host = failed.iter().filter(|code| **code == Some(Code::Host)).count();
            return [failed.len(), failed.iter().flatten().count(), of_host];
        }
        failed.push(code);
    }
    unreachable!()
}

fn mount(size: &str, directory: &Path) {
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", size, "tmpfs"])
        .arg(directory)
        .status()
        .unwrap();
    assert!(mounted.success());
}

/// A build that goes on after its companion did not fit: an application may do without its
/// companion, or write a smaller one.
struct GoesOn {
    staged_before: bool,
    interrupt: bool,
}

impl Host for GoesOn {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let v2 = Connection::open(job.staging())?;
        v2.execute_batch(&format!("ATTACH '{}' AS v1; {TO_V2}", job.source()?.display()))?;
        if self.staged_before {
            job.write_companion("auth", content(2).as_bytes())?;
        }
        job.write_companion("auth", &vec![b'x'; 1 << 20]).unwrap_err();
        Ok(Built::default())
    }
    fn event(&mut self, event: &Event) {
        if self.interrupt && matches!(event, Event::Step { op, .. } if op == "link") {
            std::panic::resume_unwind(Box::new("killed"));
        }
    }
}

/// Content that did not fit is not installed: neither by the start in which it failed, nor by the
/// start after a kill.
fn torn_is_never_installed(database: &Path, beside: &Path) {
    for (staged_before, interrupt) in [(false, false), (true, false), (false, true), (true, true)] {
        let scene = Scene { database, beside, fills: beside, companion: Companion::Staged };
        Connection::open(scene.path()).unwrap().execute_batch(V1).unwrap();
        std::fs::write(scene.auth(), content(1)).unwrap();
        let mut host = GoesOn { staged_before, interrupt };
        let run = std::panic::AssertUnwindSafe(|| {
            cutover::migrate(&scene.options(), &mut host).map(drop).unwrap();
        });
        assert_eq!(std::panic::catch_unwind(run).is_err(), interrupt);
        let mut calm = Fills { scene: &scene, at: usize::MAX, seen: 0, warned: false };
        cutover::migrate(&scene.options(), &mut calm).unwrap();
        let auth = std::fs::read_to_string(scene.auth()).unwrap();
        let whole = [content(1), content(2)].contains(&auth);
        assert!(
            whole,
            "staged before: {staged_before}, killed: {interrupt}: {} bytes of what did not fit",
            auth.len()
        );
        scene.clear();
    }
}

#[test]
fn a_full_disk_costs_no_row() {
    if started_inside!(a_full_disk_costs_no_row) {
        return;
    }
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let [database, elsewhere] = [directories[0].path(), directories[1].path()];
    mount("size=1m", database);
    mount("size=128k", elsewhere);
    torn_is_never_installed(database, elsewhere);
    for (companion, beside, fills) in [
        (Companion::None, database, database),
        (Companion::Staged, database, database),
        (Companion::InPlace, database, database),
        (Companion::Staged, elsewhere, elsewhere),
        (Companion::InPlace, elsewhere, elsewhere),
    ] {
        let [steps, failed, of_host] =
            full_everywhere(&Scene { database, beside, fills, companion });
        let what = format!(
            "the companion {companion:?} {}",
            if beside == database { "beside" } else { "on the full volume" }
        );
        // Much is written before the build, but after the flip a failure is only a warning.
        assert!(
            steps > 25 && failed >= of_host + 5,
            "{what}: {failed} of {steps}, {of_host} of the host"
        );
        // cutover writes the copy of v1 that the application asks for first, and a companion that is
        // staged. The application itself writes a companion in place.
        let own = companion == Companion::InPlace && fills == elsewhere;
        assert_eq!(of_host > 0, own, "{what}");
        println!(
            "full before each of {steps} steps, {what}: {failed} upgrades refused, none lost a row"
        );
    }
    for directory in [database, elsewhere] {
        assert!(Command::new("umount").arg(directory).status().unwrap().success());
    }
}
