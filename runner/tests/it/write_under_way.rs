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
/// step after the copy; or it does not end. Where the callback asks for the copy, it ends when the
/// copy was refused.
struct App<'a> {
    path: &'a Path,
    write: &'static str,
    end: Option<End>,
    writer: Option<Writer>,
    waits: Vec<Event>,
    refused: Vec<String>,
}

impl<'a> App<'a> {
    fn new(path: &'a Path, write: &'static str, end: Option<End>) -> Self {
        Self { path, write, end, writer: None, waits: Vec::new(), refused: Vec::new() }
    }
}

impl Host for App<'_> {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let db = Connection::open(job.staging())?;
        if self.writer.is_none() && std::fs::metadata(job.staging())?.len() == 0 {
            self.writer = Some(Writer::begins(self.path, self.write));
            self.refused.extend(job.source().err().map(|error| error.to_string()));
            if let Some(end) = self.end {
                self.writer.take().unwrap().ends(end);
            }
        }
        if job.source()? == job.staging() {
            db.execute_batch(IN_PLACE)?;
        } else {
            db.execute("ATTACH DATABASE ?1 AS v1", [job.source()?.to_str().unwrap()])?;
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
            let mut options = options(&path, *from, run.clone());
            let asks = (*from, run) == (BuildFrom::Empty, &BuildBy::Host);
            if asks {
                // The copy is refused at once.
                options.wait_ms = 0;
            }
            let result = cutover::migrate(&options, &mut app).unwrap();
            let told = format!("{from:?}, {run:?}, {mode}, {write}, {end:?}");
            assert_eq!(
                (result.outcome, whole_rows(&path, "note")),
                (Outcome::Migrated, ROWS),
                "{told}"
            );
            assert_eq!(whole_rows(&result.backup.unwrap(), "notes"), ROWS, "{told}");
            if asks {
                let busy = "v1 cannot be copied: SQLite says: database is locked";
                assert!(app.waits.is_empty() && app.refused == [busy], "{told}: {:?}", app.refused);
                continue;
            }
            assert!(
                matches!(&app.waits[..], [Event::Wait { op, .. }] if op == "copy"),
                "{told}: {:?}",
                app.waits
            );
        }
    }

    for (from, run) in [&ways[0], &ways[2]] {
        a_writer_that_does_not_end_is_named_and_v1_stays(*from, run);
    }
}

fn a_writer_that_does_not_end_is_named_and_v1_stays(from: BuildFrom, run: &BuildBy) {
    let directory = tempfile::tempdir().unwrap();
    let path = seed(directory.path(), "delete");
    let mut app = App::new(&path, WRITES[0], None);
    let mut options = options(&path, from, run.clone());
    let op = if *run == BuildBy::Host {
        // A callback's wait is a real one.
        options.wait_ms = 60;
        "build-host"
    } else {
        "copy"
    };
    let failure = cutover::migrate(&options, &mut app).unwrap_err().failure;
    assert_eq!(failure.waited_ms, options.wait_ms);
    let writer = app.writer.take().unwrap();
    assert_eq!(failure.code, Code::Held, "{failure}");
    // Wine's Restart Manager names no process. For an unnamed holder cutover looks again, because
    // it may be a virus scanner with which a page copy is possible.
    assert!(failure.op.as_deref() == Some(op) || cfg!(windows), "{failure}");
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
