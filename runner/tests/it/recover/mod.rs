//! The next start ends what an interrupted start left, on real files. A panic in the host's
//! `event`, which hears of each step before it is performed, interrupts the start. After it
//! cutover's code only closes handles, as the system does after a kill.

mod journal;
mod legacy;
mod next_start;
mod other_label;
mod undo;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use cutover::{BuildBy, BuildFrom, Detect, Host, HostError, Make, MigrateResult, Options, Outcome};
use rusqlite::Connection;
use serde_json::Value;

use crate::support::directory;
use crate::support::interrupt::Interrupt;
use crate::support::notes::{TO_V2, V1};

#[derive(Default)]
struct Calm {
    undone: Vec<Option<Value>>,
    cleaned: u32,
}

impl Host for Calm {
    fn undo(&mut self, state: Option<&Value>, _nonce: &str) -> Result<(), HostError> {
        self.undone.push(state.cloned());
        Ok(())
    }
    fn cleanup(&mut self, _state: Option<&Value>, _nonce: &str) -> Result<(), HostError> {
        self.cleaned += 1;
        Ok(())
    }
    fn wait(&mut self, _delay_ms: u64) {}
}

struct Bed(tempfile::TempDir);

impl Bed {
    fn new() -> Self {
        let bed = Self(tempfile::tempdir().unwrap());
        Connection::open(bed.path("data.db"))
            .unwrap()
            .execute_batch(&format!("PRAGMA journal_mode = WAL; {V1}"))
            .unwrap();
        bed
    }

    /// A v1 whose upgrade was interrupted before this op.
    fn interrupted_before(op: &str) -> Self {
        let bed = Self::new();
        let plan = cutover::plan(&bed.options(), &mut Calm::default()).unwrap().unwrap();
        let at = plan.steps.iter().position(|step| step.op.name() == op).unwrap();
        bed.interrupt(at);
        bed
    }

    /// Interrupts a start before its `at`th step, counted over all its plans. Returns false if the
    /// start ended before.
    fn interrupt(&self, at: usize) -> bool {
        let mut host = Interrupt { at, seen: 0 };
        catch_unwind(AssertUnwindSafe(|| {
            cutover::migrate(&self.options(), &mut host).map(drop).unwrap();
        }))
        .is_err()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn options(&self) -> Options {
        Options::new(
            self.path("data.db"),
            "v1-v2",
            Detect::UserVersion(2),
            Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) },
        )
    }

    fn migrate(&self) -> Result<MigrateResult, cutover::Error> {
        cutover::migrate(&self.options(), &mut Calm::default())
    }

    fn names(&self) -> Vec<String> {
        directory::names(self.0.path())
    }

    fn find(&self, part: &str) -> PathBuf {
        self.path(self.names().iter().find(|name| name.contains(part)).unwrap())
    }

    fn assert_migrated(&self, result: &MigrateResult, rows: i64) {
        assert_eq!(result.outcome, Outcome::Migrated);
        assert_eq!(count(&self.path("data.db"), "note"), rows);
        let backup = result.backup.as_ref().unwrap();
        assert_eq!(count(backup, "notes"), rows);
        let backup = backup.file_name().unwrap().to_str().unwrap();
        assert_eq!(
            self.names(),
            ["data.db".to_owned(), backup.to_owned(), format!("{backup}.json")]
        );
    }
}

fn count(path: &Path, table: &str) -> i64 {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
    Connection::open_with_flags(path, flags)
        .unwrap()
        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
        .unwrap()
}

/// The path as messages have it: its directory resolved, and without Windows' prefix.
fn real(path: &Path) -> String {
    let directory = path.parent().unwrap().canonicalize().unwrap();
    let real = directory.join(path.file_name().unwrap());
    real.to_str().unwrap().trim_start_matches(r"\\?\").to_owned()
}

fn build(job: &mut dyn cutover::Job) -> Result<cutover::Built, HostError> {
    let v2 = Connection::open(job.staging())?;
    v2.execute("ATTACH ?1 AS v1", [job.source()?.to_str().unwrap()])?;
    v2.execute_batch(TO_V2)?;
    Ok(cutover::Built::default())
}
