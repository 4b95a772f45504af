//! An old program opens v1 in rollback mode while v1 is copied. Pages of its uncommitted
//! transaction are in the file for a time, and are later removed without a trace. This is one test,
//! during which no other process is started: between fork and exec a child holds every file of this
//! process.

use std::path::{Path, PathBuf};

use cutover::{
    BuildBy, BuildFrom, Built, Code, Detect, Event, Host, HostError, Job, Make, Options, Outcome,
};
use rusqlite::Connection;

use crate::support::writer::{End, Writer};

const ROWS: i64 = 5000;
const IN_PLACE: &str = "ALTER TABLE notes RENAME TO note; PRAGMA user_version = 2";
const ANEW: &str = "CREATE TABLE note AS SELECT * FROM v1.notes; PRAGMA user_version = 2";
/// If such a write is half copied, no check of SQLite's finds it, or only that of the rows.
const WRITES: [&str; 2] = [
    "DELETE FROM notes WHERE id > 2000",
    "UPDATE notes SET text = substr('uncommitted ' || text, 1, 505)",
];

fn seed(directory: &Path, mode: &str) -> PathBuf {
    let path = directory.join("data.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch(&format!(
            "PRAGMA journal_mode = {mode};
             CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
             WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
             INSERT INTO notes (text) SELECT printf('note %0500d', i) FROM n"
        ))
        .unwrap();
    path
}

/// How many rows are unchanged.
fn whole_rows(path: &Path, table: &str) -> i64 {
    let db =
        Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let sql = format!("SELECT count(*) FROM {table} WHERE text = printf('note %0500d', id)");
    db.query_row(&sql, [], |row| row.get(0)).unwrap()
}

/// The old program begins to write before the copy. It ends at the first wait for it, or before the
/// step after the copy; or it does not end.
struct App<'a> {
    path: &'a Path,
    write: &'static str,
    end: Option<End>,
    writer: Option<Writer>,
    waits: Vec<Event>,
}

impl<'a> App<'a> {
    fn new(path: &'a Path, write: &'static str, end: Option<End>) -> Self {
        Self { path, write, end, writer: None, waits: Vec::new() }
    }
}

impl Host for App<'_> {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let db = Connection::open(job.staging())?;
        if job.source() == job.staging() {
            db.execute_batch(IN_PLACE)?;
        } else {
            db.execute("ATTACH DATABASE ?1 AS v1", [job.source().to_str().unwrap()])?;
            db.execute_batch(ANEW)?;
        }
        Ok(Built::default())
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Step { op, .. } if op == "copy" => {
                self.writer = Some(Writer::begins(self.path, self.write));
            }
            Event::Wait { .. } => self.waits.push(event.clone()),
            Event::Step { .. } => {}
            _ => return,
        }
        if let (Some(end), false) =
            (self.end, matches!(event, Event::Step { op, .. } if op == "copy"))
            && let Some(writer) = self.writer.take()
        {
            writer.ends(end);
        }
    }

    /// This test does not need real time.
    fn wait(&mut self, _delay_ms: u64) {}
}

fn options(path: &Path, from: BuildFrom, run: BuildBy) -> Options {
    Options::new(path, "v1-v2", Detect::UserVersion(2), Make { from, run })
}

#[test]
fn what_is_not_committed_is_not_copied() {
    let ways = [
        (BuildFrom::Copy, BuildBy::Sql(IN_PLACE.into())),
        (BuildFrom::Copy, BuildBy::Host),
        (BuildFrom::Empty, BuildBy::Host),
    ];
    for (from, run) in &ways {
        for (mode, write, end) in [
            ("delete", WRITES[0], End::RolledBack),
            ("delete", WRITES[0], End::Killed),
            ("delete", WRITES[1], End::Killed),
            ("wal", WRITES[1], End::RolledBack),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let path = seed(directory.path(), mode);
            let mut app = App::new(&path, write, Some(end));
            let result = cutover::migrate(&options(&path, *from, run.clone()), &mut app).unwrap();
            let told = format!("{from:?}, {run:?}, {mode}, {write}, {end:?}");
            assert_eq!(
                (result.outcome, whole_rows(&path, "note")),
                (Outcome::Migrated, ROWS),
                "{told}"
            );
            assert_eq!(whole_rows(&result.backup.unwrap(), "notes"), ROWS, "{told}");
            assert!(
                matches!(&app.waits[..], [Event::Wait { op, .. }] if op == "copy"),
                "{told}: {:?}",
                app.waits
            );
        }
    }

    // A writer that does not end is named, and v1 stays as it is.
    let directory = tempfile::tempdir().unwrap();
    let path = seed(directory.path(), "delete");
    let mut app = App::new(&path, WRITES[0], None);
    let failure =
        cutover::migrate(&options(&path, BuildFrom::Copy, BuildBy::Sql(IN_PLACE.into())), &mut app)
            .unwrap_err()
            .failure;
    let writer = app.writer.take().unwrap();
    assert_eq!(failure.code, Code::Held, "{failure}");
    // Wine's Restart Manager names no process. For an unnamed holder cutover looks again, because
    // it may be a virus scanner with which a page copy is possible.
    assert!(failure.op.as_deref() == Some("copy") || cfg!(windows), "{failure}");
    let pids: Vec<u32> = failure.holders.iter().map(|holder| holder.pid).collect();
    assert!(pids == [writer.pid()] || cfg!(windows), "{failure}");
    writer.ends(End::RolledBack);
    assert_eq!(whole_rows(&path, "notes"), ROWS);
    let left: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        left.iter().all(|name| name == "data.db" || name.to_str().unwrap().ends_with("-lock")),
        "{left:?}"
    );
}
