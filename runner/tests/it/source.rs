//! A build gets a copy of v1 when it asks for one, and only then.

use std::path::{Path, PathBuf};

use cutover::{
    BuildBy, BuildFrom, Built, Code, Detect, Host, HostError, Job, Make, Options, Outcome, Value,
};
use rusqlite::Connection;

use crate::support::directory;
use crate::support::notes::{NOTES, TO_V2, V1, rows};
use crate::support::other::Other;

/// An application whose build is this function.
struct App<F>(F);

impl<F: FnMut(&mut dyn Job<'_>) -> Result<(), HostError>> Host for App<F> {
    fn build(&mut self, job: &mut dyn Job<'_>) -> Result<Built, HostError> {
        (self.0)(job).map(|()| Built::default())
    }
}

/// Builds v2 from this database.
fn build(job: &dyn Job<'_>, v1: &Path) -> Result<(), HostError> {
    let db = Connection::open(job.staging())?;
    db.execute("ATTACH DATABASE ?1 AS v1", [v1.to_str().unwrap()])?;
    Ok(db.execute_batch(TO_V2)?)
}

fn seed(directory: &Path, mode: &str) -> PathBuf {
    let path = directory.join("data.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch(&format!("PRAGMA journal_mode = {mode}; {V1}")).unwrap();
    path
}

fn options(path: &Path) -> Options {
    let make = Make { from: BuildFrom::Empty, run: BuildBy::Host };
    Options::new(path, "v1-v2", Detect::UserVersion(2), make).wait_ms(0)
}

fn copies(path: &Path) -> Vec<String> {
    let names = directory::names(path.parent().unwrap());
    names.into_iter().filter(|name| name.contains(".source-")).collect()
}

#[test]
fn v1_is_copied_when_the_build_asks_for_it_and_only_once() {
    for mode in ["wal", "delete"] {
        let directory = tempfile::tempdir().unwrap();
        let path = seed(directory.path(), mode);
        let mut app = App(|job: &mut dyn Job<'_>| {
            assert_eq!(copies(&path), Vec::<String>::new(), "{mode}");
            let source = job.source()?;
            assert_eq!(copies(&path), [source.file_name().unwrap().to_str().unwrap()], "{mode}");
            assert!(std::fs::read(&source)? == std::fs::read(&path)?, "{mode}: not v1's bytes");
            // It is the build's own, so that a second copy would undo what the build did.
            Connection::open(&source)?.execute_batch("UPDATE notes SET text = 'changed'")?;
            assert_eq!(job.source()?, source, "{mode}");
            assert_eq!(rows(&source, "notes"), ["changed"; 3], "{mode}");
            build(job, &source)
        });
        let result = cutover::migrate(&options(&path), &mut app).unwrap();
        assert_eq!((result.outcome, result.warnings), (Outcome::Migrated, vec![]), "{mode}");
        assert_eq!(rows(&path, "note"), ["changed"; 3], "{mode}");
        assert_eq!(rows(&result.backup.unwrap(), "notes"), NOTES, "{mode}");
        assert_eq!(copies(&path), Vec::<String>::new(), "{mode}");
    }
}

#[test]
fn a_build_that_reads_v1_itself_makes_no_copy() {
    let directory = tempfile::tempdir().unwrap();
    let path = seed(directory.path(), "wal");
    let mut app = App(|job: &mut dyn Job<'_>| {
        let v2 = Connection::open(job.staging())?;
        v2.execute_batch("CREATE TABLE note (id INTEGER PRIMARY KEY, body); BEGIN")?;
        for row in
            job.v1().rows("SELECT id, text FROM notes WHERE id > ?1", &[Value::Integer(0)])?
        {
            let [(_, Value::Integer(id)), (_, Value::Text(text))] = &row?[..] else {
                return Err("another row".into());
            };
            v2.execute("INSERT INTO note VALUES (?1, ?2)", (id, text))?;
        }
        v2.execute_batch("COMMIT; PRAGMA user_version = 2")?;
        assert_eq!(copies(&path), Vec::<String>::new());
        Ok(())
    });
    cutover::migrate(&options(&path), &mut app).unwrap();
    assert_eq!(rows(&path, "note"), NOTES);
}

#[test]
fn an_undo_removes_the_copy_and_what_the_build_made_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = seed(directory.path(), "wal");
    let mut app = App(|job: &mut dyn Job<'_>| {
        Connection::open(job.source()?)?.execute_batch("PRAGMA journal_mode = WAL")?;
        std::fs::write(format!("{}-wal", job.source()?.display()), "left")?;
        Err("no".into())
    });
    assert_eq!(cutover::migrate(&options(&path), &mut app).unwrap_err().failure.code, Code::Host);
    assert_eq!(directory::names(directory.path()), ["data.db"]);
    assert_eq!(rows(&path, "notes"), NOTES);
}

#[cfg(unix)]
#[test]
fn the_copy_has_v1s_rights_and_its_owner_can_write_to_it() {
    use std::os::unix::fs::PermissionsExt as _;
    for (of_v1, of_the_copy) in [(0o640, 0o640), (0o600, 0o600), (0o660, 0o660)] {
        let directory = tempfile::tempdir().unwrap();
        let path = seed(directory.path(), "delete");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(of_v1)).unwrap();
        let mut app = App(|job: &mut dyn Job<'_>| {
            let source = job.source()?;
            assert_eq!(std::fs::metadata(&source)?.permissions().mode() & 0o777, of_the_copy);
            build(job, &source)
        });
        cutover::migrate(&options(&path), &mut app).unwrap();
    }
}

/// On POSIX closing any descriptor of a file drops all locks of the process on it.
#[cfg(unix)]
#[test]
fn making_the_copy_drops_no_lock_of_this_process() {
    // What holds the lock, and what another process cannot do under it.
    for (holds, wants) in [("a row of the reader", "EXCLUSIVE"), ("a connection", "IMMEDIATE")] {
        let directory = tempfile::tempdir().unwrap();
        let path = seed(directory.path(), "delete");
        let mut app = App(|job: &mut dyn Job<'_>| {
            let mut other = Other::opens(&path, "");
            let mut may = || {
                let sql = format!("BEGIN {wants}; SELECT 'free'; ROLLBACK;");
                other.asks(&sql) == ["free"]
            };
            assert!(may(), "{holds}: it is held before");
            let held = if wants == "EXCLUSIVE" {
                let mut rows = job.v1().rows("SELECT id FROM notes", &[])?;
                rows.next().ok_or("v1 is empty")??;
                (Some(rows), None)
            } else {
                let own = Connection::open(&path)?;
                own.execute_batch("BEGIN IMMEDIATE")?;
                (None, Some(own))
            };
            assert!(!may(), "{holds}: it is not held");
            let source = job.source()?;
            assert!(!may(), "{holds}: the copy dropped it");
            drop(held);
            assert!(may(), "{holds}: it is never released");
            build(job, &source)
        });
        cutover::migrate(&options(&path), &mut app).unwrap();
        assert_eq!(rows(&path, "note"), NOTES, "{holds}");
    }
}

#[test]
fn a_v1_that_another_program_wrote_to_is_not_copied_and_the_upgrade_begins_anew() {
    for goes_on in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let path = seed(directory.path(), "delete");
        let mut refused = Vec::new();
        let mut app = App(|job: &mut dyn Job<'_>| {
            if job.attempt() == 1 {
                let added = "INSERT INTO notes (text) VALUES ('of another')";
                Other::opens(&path, &format!("{added};"));
            }
            match job.source() {
                Ok(source) => build(job, &source),
                Err(error) => {
                    refused.push(error.to_string());
                    assert_eq!(copies(&path), Vec::<String>::new());
                    if goes_on { build(job, &path) } else { Err("the application's own".into()) }
                }
            }
        });
        let result = cutover::migrate(&options(&path), &mut app).unwrap();
        assert_eq!(result.outcome, Outcome::Migrated);
        assert_eq!(rows(&path, "note"), ["milk", "bread", "a new bicycle", "of another"]);
        assert_eq!(
            refused,
            ["v1 cannot be copied: another program wrote to the database while it was upgraded"]
        );
    }
}
