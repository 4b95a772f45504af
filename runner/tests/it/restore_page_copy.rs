//! A restore of a database that cannot be linked. `strace` answers every `link` with EPERM, as vfat
//! and exFAT do. So v2 is set aside as a copy, and v1's pages are copied into the database. Then
//! the process is killed at every call that changes the disk, every flush fails in turn, and other
//! programs write during the restore.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use cutover::{
    BackupOptions, BuildBy, BuildFrom, Built, Detect, Event, Host, HostError, Job, Make, Options,
    Recovery,
};
use rusqlite::Connection;

use crate::support::notes::{NOTES, TO_V2, V1, rows};
use crate::support::strace;
use crate::support::writer::{End, Writer};

const CHANGES: &str =
    "pwrite64,write,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat";
/// Set when this test program starts itself again: what it does, and on which database.
const DOES: &str = "CUTOVER_TEST_DOES";
const DATABASE: &str = "CUTOVER_TEST_DATABASE";
/// Some pages of v1 that v2 does not have.
const LARGE: &str = "CREATE TABLE large (id INTEGER PRIMARY KEY, text);
    WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 20)
    INSERT INTO large (text) SELECT printf('%0900d', i) FROM n;";
const JOURNAL: &str = "data.db.v1-v2-cutover.json";

/// Builds v2, and before each step of one kind lets another program do something.
struct Scripted<F> {
    before: &'static str,
    does: F,
    waited: BTreeSet<String>,
}

impl<F: FnMut(usize)> Scripted<F> {
    fn new(before: &'static str, does: F) -> Self {
        Self { before, does, waited: BTreeSet::new() }
    }
}

fn quiet() -> Scripted<fn(usize)> {
    Scripted::new("", |_| {})
}

impl<F: FnMut(usize)> Host for Scripted<F> {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let v2 = Connection::open(job.staging())?;
        v2.execute_batch(&format!("ATTACH '{}' AS v1; {TO_V2}", job.source()?.display()))?;
        job.write_companion("auth", b"of v2")?;
        Ok(Built::default())
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Step { op, index, .. } if op == self.before => (self.does)(*index as usize),
            Event::Wait { op, .. } => drop(self.waited.insert(op.to_string())),
            _ => {}
        }
    }
}

struct Bed(tempfile::TempDir);

struct Done {
    ok: bool,
    said: String,
    /// The calls, one in each line.
    calls: Vec<String>,
}

impl Bed {
    /// A v2 in this journal mode with one more row, and the backup of its upgrade: a hard link, or
    /// a copy if nothing can be linked.
    fn upgraded(mode: &str, links: bool) -> Self {
        let bed = Self(tempfile::tempdir().unwrap());
        let db = Connection::open(bed.database()).unwrap();
        db.execute_batch(&format!("PRAGMA journal_mode = {mode}; {V1} {LARGE}")).unwrap();
        drop(db);
        std::fs::write(bed.0.path().join("auth.json"), "of v1").unwrap();
        if links {
            cutover::migrate(&upgrade(&bed.database()), &mut quiet()).unwrap();
        } else {
            let done = bed.without_links("migrate", &[]);
            assert!(done.ok, "{}", done.said);
        }
        bed.written("of v2");
        bed
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("data.db")
    }

    fn phase(&self) -> String {
        let journal = std::fs::read_to_string(self.0.path().join(JOURNAL)).unwrap_or_default();
        let (_, rest) = journal.split_once("\"phase\": \"").unwrap_or_default();
        rest.split('"').next().unwrap_or_default().to_owned()
    }

    /// Another process does this, with more options for `strace`.
    fn without_links(&self, does: &str, more: &[String]) -> Done {
        let more = [&["--inject=link,linkat:error=EPERM".into()], more].concat();
        let mut again = again!(in_another_process);
        again.env(DOES, does).env(DATABASE, self.database());
        let (output, calls) = strace::run(&format!("link,linkat,{CHANGES}"), &more, &again);
        let calls = calls.into_iter().filter(|call| !call.contains(" write(")).collect();
        let said = [output.stdout, output.stderr].concat();
        Done {
            ok: output.status.success(),
            said: String::from_utf8_lossy(&said).into_owned(),
            calls,
        }
    }

    /// Another program writes to v2.
    fn written(&self, row: &str) {
        write(&self.database(), row);
    }

    /// The table that a program would find if it opened the database now. Only a copy is opened.
    fn table(&self) -> &'static str {
        let copy = tempfile::tempdir().unwrap();
        for suffix in ["", "-wal", "-journal"] {
            let name = format!("data.db{suffix}");
            let _ = std::fs::copy(self.0.path().join(&name), copy.path().join(&name));
        }
        let database = copy.path().join("data.db");
        let table = if is_v1(&database) { "notes" } else { "note" };
        let there = rows(&database, table);
        assert!(there.starts_with(&NOTES.map(str::to_owned)), "{there:?}");
        let db = Connection::open(database).unwrap();
        let sound: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
        table
    }

    /// Every name but the locks, and but what SQLite makes beside them.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.contains("-lock")).collect()
    }

    fn displaced(&self, of: &str) -> PathBuf {
        let aside = format!("{of}.displaced-");
        let names = self.names();
        let name = names.iter().find(|name| name.starts_with(&aside));
        self.0.path().join(name.unwrap_or_else(|| panic!("{names:?}")))
    }

    /// v1 and its companion are back, v2 and its companion are set aside, the backup stays, and
    /// nothing else is there.
    fn assert_restored(&self, mode: &str, told: &str) {
        self.assert_restored_from(mode, &["of v2"], told);
    }

    fn assert_restored_from(&self, mode: &str, added: &[&str], told: &str) {
        assert_eq!(rows(&self.database(), "notes"), NOTES, "{told}");
        let db = Connection::open(self.database()).unwrap();
        let now: String = db.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(now, mode, "{told}");
        let large: i64 = db.query_row("SELECT count(*) FROM large", [], |row| row.get(0)).unwrap();
        assert_eq!(large, 20, "{told}");
        drop(db);
        let text = |path: PathBuf| std::fs::read_to_string(path).unwrap();
        assert_eq!(text(self.0.path().join("auth.json")), "of v1", "{told}");
        assert_eq!(text(self.displaced("auth.json")), "of v2", "{told}");
        let v2 = rows(&self.displaced("data.db"), "note");
        assert_eq!(v2, [&NOTES, added].concat(), "{told}");
        // The database and the companion, a backup and a displaced file of each, and the backup's
        // receipt.
        let names = self.names();
        assert_eq!(names.len(), 7, "{told}: {names:?}");
    }

    /// v2, its companion and the backup are unchanged, and nothing else is there.
    fn assert_v2(&self, mode: &str, added: &[&str], told: &str) {
        assert_eq!(rows(&self.database(), "note"), [&NOTES, added].concat(), "{told}");
        let db = Connection::open(self.database()).unwrap();
        let now: String = db.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
        assert_eq!(now, mode, "{told}");
        drop(db);
        let companion = std::fs::read_to_string(self.0.path().join("auth.json")).unwrap();
        assert_eq!(companion, "of v2", "{told}");
        let names = self.names();
        assert_eq!(names.len(), 5, "{told}: {names:?}");
    }
}

fn write(database: &Path, row: &str) {
    let db = Connection::open(database).unwrap();
    db.execute("INSERT INTO note (body) VALUES (?1)", [row]).unwrap();
}

fn is_v1(database: &Path) -> bool {
    let db =
        Connection::open_with_flags(database, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'notes')";
    db.query_row(sql, [], |row| row.get(0)).unwrap()
}

fn upgrade(database: &Path) -> Options {
    let make = Make { from: BuildFrom::Empty, run: BuildBy::Host };
    Options::new(database, "v1-v2", Detect::UserVersion(2), make)
        .companions(beside(database, 10_000).companions)
}

fn beside(database: &Path, wait_ms: u64) -> BackupOptions {
    BackupOptions::default()
        .companions([("auth", database.with_file_name("auth.json"))])
        .wait_ms(wait_ms)
}

fn restore(
    database: &Path,
    wait_ms: u64,
    host: &mut dyn Host,
) -> Result<cutover::RestoreResult, cutover::Error> {
    let newest = cutover::list_backups(database).unwrap()[0].name.as_str().to_owned();
    cutover::restore(database, Path::new(&newest), &beside(database, wait_ms), host)
}

/// Not a test of its own: the other process runs it.
#[test]
#[ignore = "a process of the tests"]
fn in_another_process() {
    let database = PathBuf::from(std::env::var_os(DATABASE).unwrap());
    let restored = |host: &mut dyn Host| {
        restore(&database, 10_000, host).unwrap();
    };
    match std::env::var(DOES).unwrap().as_str() {
        "migrate" => drop(cutover::migrate(&upgrade(&database), &mut quiet()).unwrap()),
        "restore" => restored(&mut quiet()),
        "recover" => {
            let recovery = cutover::recover(&upgrade(&database), &mut quiet()).unwrap().recovery;
            assert!(matches!(recovery, Recovery::Undone | Recovery::None), "{recovery:?}");
        }
        // The first time, another program writes to v2 after v2 was copied.
        "restore, a row" => {
            let mut times = 0;
            restored(&mut Scripted::new("page-copy", |_| {
                times += 1;
                if times == 1 {
                    write(&database, "late");
                }
            }));
            assert_eq!(times, 2);
        }
        "restore, a table" => {
            let mut times = 0;
            restored(&mut Scripted::new("page-copy", |_| {
                times += 1;
                if times == 1 {
                    Connection::open(&database).unwrap().execute_batch(LARGE).unwrap();
                }
            }));
            assert_eq!(times, 2);
        }
        "restore, a row each time" => {
            let mut times = 0;
            let mut host = Scripted::new("page-copy", |_| {
                times += 1;
                write(&database, &format!("late {times}"));
            });
            let refused = restore(&database, 10_000, &mut host).unwrap_err();
            assert_eq!(refused.failure.code, cutover::Code::Held, "{}", refused.failure);
            assert_eq!(times, 3);
        }
        // Another program's transaction, which is rolled back after the restore waited for it.
        "restore, a transaction" => {
            let mut open = None;
            let mut host = Scripted::new("restage", |_| {
                open = Some(Writer::begins(&database, "UPDATE large SET text = 'taken back'"));
            });
            let refused = restore(&database, 300, &mut host).unwrap_err();
            assert_eq!(refused.failure.code, cutover::Code::Held, "{}", refused.failure);
            assert!(host.waited.contains("restage"), "{:?}", host.waited);
            drop(host);
            open.unwrap().ends(End::RolledBack);
            restored(&mut quiet());
        }
        other => panic!("{other}"),
    }
}

#[test]
fn v1_is_copied_into_canonical_and_v2_is_set_aside_as_a_copy() {
    for (mode, links) in [("wal", true), ("wal", false), ("delete", true), ("delete", false)] {
        let bed = Bed::upgraded(mode, links);
        let id = std::fs::metadata(bed.database()).unwrap().ino();
        let done = bed.without_links("restore", &[]);
        assert!(done.ok, "{}", done.said);
        let refused = |call: &&String| call.contains(" linkat(") && call.contains("EPERM");
        assert_eq!(done.calls.iter().filter(refused).count(), 1, "{:#?}", done.calls);
        assert_eq!(std::fs::metadata(bed.database()).unwrap().ino(), id, "it keeps its inode");
        bed.assert_restored(mode, &format!("{mode}, the backup a link: {links}"));
    }
}

#[test]
fn killed_at_any_call_that_changes_the_disk_the_next_restore_ends_it_in_wal_mode() {
    ends_wherever_it_is_killed("wal");
}

#[test]
fn killed_at_any_call_that_changes_the_disk_the_next_restore_ends_it_in_rollback_mode() {
    ends_wherever_it_is_killed("delete");
}

fn ends_wherever_it_is_killed(mode: &str) {
    let calls = Bed::upgraded(mode, true).without_links("restore", &[]).calls;
    let (mut half, mut kills) = (0, 0);
    for (at, call) in calls.iter().enumerate().filter(|(_, call)| !call.contains(" linkat(")) {
        let told = format!("{mode}, {call}");
        let bed = Bed::upgraded(mode, true);
        kills += usize::from(!bed.without_links("restore", &[strace::kill_before(&calls, at)]).ok);
        half += usize::from(
            bed.phase() == "installing" && bed.0.path().join("data.db-journal").exists(),
        );
        // Without its journal the restore was done.
        if bed.table() == "note" || !bed.phase().is_empty() {
            restore(&bed.database(), 10_000, &mut quiet()).unwrap();
        }
        bed.assert_restored(mode, &told);
    }
    assert!(kills > 40 && half > 3, "{mode}: {kills} kills, {half} in the middle of the copy");
}

/// A start that upgrades must not finish a restore whose caller got an error.
#[test]
fn killed_before_the_pages_are_copied_it_is_undone_and_what_is_written_to_v2_meanwhile_stays() {
    let calls = Bed::upgraded("delete", true).without_links("restore", &[]).calls;
    let into = |call: &String| call.contains(" pwrite64(") && call.contains("/data.db>");
    let first = calls.iter().rposition(|call| !into(call) && call.contains("rename")).unwrap();
    let copy = calls[..first].iter().rposition(into).unwrap();
    let begun = calls[..copy].iter().rposition(|call| !into(call)).unwrap();
    let before_copy = strace::kill_before(&calls, begun);
    let interrupted = |row: Option<&str>| {
        let bed = Bed::upgraded("delete", true);
        assert!(!bed.without_links("restore", std::slice::from_ref(&before_copy)).ok);
        assert_eq!(bed.phase(), "installing");
        assert_eq!(bed.table(), "note");
        row.inspect(|row| bed.written(row));
        bed
    };
    for first in [None, Some("before the undo")] {
        let calls = interrupted(first).without_links("recover", &[]).calls;
        for (at, call) in calls.iter().enumerate() {
            let bed = interrupted(first);
            bed.without_links("recover", &[strace::kill_before(&calls, at)]);
            bed.written("after it was killed");
            let done = bed.without_links("recover", &[]);
            assert!(done.ok, "{first:?}, {call}: {}", done.said);
            let more: Vec<&str> =
                ["of v2"].into_iter().chain(first).chain(["after it was killed"]).collect();
            bed.assert_v2("delete", &more, &format!("{first:?}, {call}"));
        }
    }
}

#[test]
fn a_flush_that_fails_costs_no_row_in_wal_mode() {
    costs_no_row_whichever_flush_fails("wal");
}

#[test]
fn a_flush_that_fails_costs_no_row_in_rollback_mode() {
    costs_no_row_whichever_flush_fails("delete");
}

fn costs_no_row_whichever_flush_fails(mode: &str) {
    let calls = Bed::upgraded(mode, true).without_links("restore", &[]).calls;
    let total = calls.iter().filter(|call| call.contains("sync(")).count();
    let mut failed = 0;
    for at in 1..=total {
        let told = format!("{mode}, flush {at}");
        let bed = Bed::upgraded(mode, true);
        let eio = format!("--inject=fsync,fdatasync:error=EIO:when={at}");
        let done = bed.without_links("restore", &[eio]);
        failed += usize::from(!done.ok);
        if bed.table() == "note" || !bed.phase().is_empty() {
            restore(&bed.database(), 10_000, &mut quiet()).unwrap();
        }
        bed.assert_restored(mode, &told);
    }
    assert!(failed > 15 && failed < total, "{mode}: {failed} of {total}: {calls:#?}");
}

#[test]
fn what_another_program_commits_meanwhile_is_set_aside_with_v2_or_v2_stays() {
    for mode in ["wal", "delete"] {
        for (does, more) in
            [("restore, a row", ["of v2", "late"].as_slice()), ("restore, a table", &["of v2"])]
        {
            let bed = Bed::upgraded(mode, true);
            let done = bed.without_links(does, &[]);
            assert!(done.ok, "{mode}, {does}: {}", done.said);
            bed.assert_restored_from(mode, more, &format!("{mode}, {does}"));
            if does == "restore, a table" {
                let aside = Connection::open(bed.displaced("data.db")).unwrap();
                let sql = "SELECT count(*) FROM large";
                assert_eq!(aside.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 20);
            }
        }
        let bed = Bed::upgraded(mode, true);
        let done = bed.without_links("restore, a row each time", &[]);
        assert!(done.ok, "{mode}: {}", done.said);
        bed.assert_v2(mode, &["of v2", "late 1", "late 2", "late 3"], mode);
    }
}

/// Pages of its transaction are in the file during the copy, and later removed without a trace.
#[test]
fn what_another_program_takes_back_is_not_in_the_copy() {
    for mode in ["wal", "delete"] {
        let bed = Bed::upgraded(mode, true);
        Connection::open(bed.database()).unwrap().execute_batch(LARGE).unwrap();
        let done = bed.without_links("restore, a transaction", &[]);
        assert!(done.ok, "{mode}: {}", done.said);
        bed.assert_restored(mode, mode);
        let aside = Connection::open(bed.displaced("data.db")).unwrap();
        let sql = "SELECT count(*) FROM large WHERE text <> 'taken back'";
        assert_eq!(aside.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap(), 20, "{mode}");
    }
}
