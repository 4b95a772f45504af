//! A database that cannot be linked. `strace` answers every `link` of an upgrade with EPERM, as
//! vfat and exFAT do, and v2's pages are copied into canonical. Then the process is killed at every
//! call that changes the disk, and every flush fails in turn.
#![cfg(target_os = "linux")]

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use cutover::{BackupOptions, BuildBy, BuildFrom, Code, Detect, Host, Make, Options};
use rusqlite::Connection;

use crate::support::{directory, strace};

struct Quiet;
impl Host for Quiet {}

const CHANGES: &str =
    "pwrite64,write,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat";

struct Upgraded {
    ok: bool,
    output: String,
    /// The calls, one in each line.
    calls: Vec<String>,
}

/// Runs the example on a file system without hard links, with more options for `strace`.
fn upgrade(database: &Path, more: &[String]) -> Upgraded {
    let more = [&["--inject=link,linkat:error=EPERM".into()], more].concat();
    let (output, calls) =
        strace::run(&format!("link,linkat,{CHANGES}"), &more, &strace::example(database));
    let said = [output.stdout, output.stderr].concat();
    Upgraded {
        ok: output.status.success(),
        output: String::from_utf8_lossy(&said).into_owned(),
        calls,
    }
}

/// Enough rows for several pages of any size. In WAL mode the last rows are only in the log, as a
/// killed application leaves them.
const ROWS: i64 = 150;

fn seed(directory: &Path, mode: &str, page_size: u32) -> PathBuf {
    let live = directory.join("live.db");
    let db = Connection::open(&live).unwrap();
    db.execute_batch(&format!(
        "PRAGMA page_size = {page_size}; PRAGMA journal_mode = {mode}; PRAGMA wal_autocheckpoint \
         = 0;
         CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
         WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
         INSERT INTO notes (text) SELECT printf('note %0900d', i) FROM n"
    ))
    .unwrap();
    let database = directory.join("data.db");
    std::fs::copy(&live, &database).unwrap();
    if mode == "wal" {
        std::fs::copy(directory.join("live.db-wal"), directory.join("data.db-wal")).unwrap();
    }
    drop(db);
    std::fs::remove_file(live).unwrap();
    database
}

fn ask<T: rusqlite::types::FromSql>(path: &Path, sql: &str) -> T {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// v2 with all rows and one hard link, the backup with all of v1, its receipt, and nothing else.
fn assert_upgraded(database: &Path, mode: &str, page_size: u32, told: &str) {
    let directory = database.parent().unwrap();
    let names = directory::names(directory);
    assert_eq!(names.len(), 3, "{told}: {names:?}");
    let backup = directory.join(&names[1]);
    assert!(names[2] == format!("{}.json", names[1]), "{told}: {names:?}");
    assert!(
        std::fs::read_to_string(directory.join(&names[2]))
            .unwrap()
            .contains("\"strategy\": \"page-copy\""),
        "{told}"
    );
    for (path, table, column) in [(database, "note", "body"), (&backup, "notes", "text")] {
        assert_eq!(std::fs::metadata(path).unwrap().nlink(), 1, "{told}");
        let sum: i64 =
            ask(path, &format!("SELECT sum(CAST(substr({column}, 6) AS INTEGER)) FROM {table}"));
        assert_eq!(sum, ROWS * (ROWS + 1) / 2, "{told}: {table}");
        assert_eq!(ask::<String>(path, "PRAGMA integrity_check"), "ok", "{told}: {table}");
        assert_eq!(ask::<u32>(path, "PRAGMA page_size"), page_size, "{told}: {table}");
    }
    assert_eq!(ask::<String>(database, "PRAGMA journal_mode"), mode, "{told}");
}

#[test]
fn v2_is_copied_into_canonical_whatever_v1_is() {
    for mode in ["wal", "delete"] {
        for page_size in [1024, 4096, 65536] {
            let directory = tempfile::tempdir().unwrap();
            let database = seed(directory.path(), mode, page_size);
            let inode = std::fs::metadata(&database).unwrap().ino();
            let done = upgrade(&database, &[]);
            assert!(done.ok, "{}", done.output);
            assert_eq!(
                done.calls
                    .iter()
                    .filter(|call| call.contains(" linkat(") && call.contains("EPERM"))
                    .count(),
                1,
                "{:?}",
                done.calls
            );
            assert_eq!(
                std::fs::metadata(&database).unwrap().ino(),
                inode,
                "the file keeps its inode"
            );
            assert_upgraded(&database, mode, page_size, &format!("{mode} {page_size}"));
            // SQLite made the backup, so its header differs from v1's in some bytes.
            let backup = cutover::list_backups(&database).unwrap().remove(0);
            cutover::restore(
                &database,
                Path::new(backup.name.as_str()),
                &BackupOptions::default(),
                &mut Quiet,
            )
            .unwrap();
            assert_eq!(ask::<i64>(&database, "SELECT count(*) FROM notes"), ROWS);
            assert_eq!(ask::<String>(&database, "PRAGMA journal_mode"), mode);
            // A backup that was written to since is refused.
            let kept = directory.path().join(backup.name.as_str());
            Connection::open(&kept).unwrap().execute_batch("CREATE TABLE more (id)").unwrap();
            let refused = cutover::restore(
                &database,
                Path::new(backup.name.as_str()),
                &BackupOptions::default(),
                &mut Quiet,
            )
            .unwrap_err();
            assert_eq!(refused.failure.code, Code::Verify, "{}", refused.failure);
        }
    }
}

#[test]
fn a_database_with_another_hard_link_is_refused_and_stays() {
    let directory = tempfile::tempdir().unwrap();
    let database = seed(directory.path(), "wal", 4096);
    let second = directory.path().join("mine.db");
    std::fs::hard_link(&database, &second).unwrap();
    let refused = upgrade(&database, &[]);
    assert!(!refused.ok && refused.output.contains("another hard link"), "{}", refused.output);
    assert_eq!(directory::names(directory.path()), ["data.db", "mine.db"]);
    assert_eq!(ask::<i64>(&database, "SELECT count(*) FROM notes"), ROWS);
    std::fs::remove_file(second).unwrap();
    assert!(upgrade(&database, &[]).ok);
    assert_upgraded(&database, "wal", 4096, "without the other hard link");
}

/// In WAL mode there are three tests, each with every third call, so that they can run on several
/// cores.
mod killed_at_any_call_that_changes_the_disk_it_is_finished_by_the_next_start {
    use super::killed;

    #[test]
    fn in_wal_mode_the_first_third() {
        killed("wal", 0, 3);
    }

    #[test]
    fn in_wal_mode_the_second_third() {
        killed("wal", 1, 3);
    }

    #[test]
    fn in_wal_mode_the_last_third() {
        killed("wal", 2, 3);
    }

    #[test]
    fn in_delete_mode() {
        killed("delete", 0, 1);
    }
}

fn killed(mode: &str, part: usize, parts: usize) {
    let whole = tempfile::tempdir().unwrap();
    let calls = upgrade(&seed(whole.path(), mode, 4096), &[]).calls;
    // Of consecutive page writes every fifteenth suffices. A link changes nothing here.
    let chosen = |at: &usize| {
        let call = &calls[*at];
        let pages = calls[..*at].iter().rev().take_while(|call| call.contains("pwrite64(")).count();
        let link =
            call.contains("link(\"") || call.contains("linkat(") && !call.contains("unlinkat(");
        !link && (pages % 15 == 0 || !call.contains("pwrite64("))
    };
    let (mut half, mut kills) = (0, 0);
    for at in (0..calls.len()).filter(chosen).skip(part).step_by(parts) {
        let directory = tempfile::tempdir().unwrap();
        let database = seed(directory.path(), mode, 4096);
        let killed = upgrade(&database, &[strace::kill_before(&calls, at)]);
        assert!(!killed.ok || killed.output.contains("READY"), "{}", killed.output);
        kills += usize::from(!killed.ok);
        let journal = std::fs::read_to_string(directory.path().join("data.db.v1-v2-cutover.json"))
            .unwrap_or_default();
        half += usize::from(
            journal.contains("\"phase\": \"installing\"")
                && directory.path().join("data.db-journal").exists(),
        );
        let next = upgrade(&database, &[]);
        assert!(next.ok, "{mode}, call {at}: {}", next.output);
        assert_upgraded(&database, mode, 4096, &format!("{mode}, call {at}"));
    }
    assert!(
        kills * parts > 40 && half * parts > 3,
        "{mode}: {kills} kills at {} calls, {half} in the middle of the page copy",
        calls.len()
    );
}

#[test]
fn a_flush_that_fails_costs_no_row() {
    let directory = tempfile::tempdir().unwrap();
    let flush = |call: &&String| call.contains("sync(");
    let calls: Vec<String> = upgrade(&seed(directory.path(), "wal", 4096), &[])
        .calls
        .iter()
        .filter(flush)
        .cloned()
        .collect();
    let total = calls.len();
    let mut failed = Vec::new();
    for at in 1..=total {
        let directory = tempfile::tempdir().unwrap();
        let database = seed(directory.path(), "wal", 4096);
        if !upgrade(&database, &[format!("--inject=fsync,fdatasync:error=EIO:when={at}")]).ok {
            failed.push(at);
        }
        let next = upgrade(&database, &[]);
        assert!(next.ok, "flush {at}: {}", next.output);
        assert_upgraded(&database, "wal", 4096, &format!("flush {at}"));
    }
    // SQLite ignores the result of its flush of the directory after it made a sidecar; the plan
    // flushes the directory again. From the 22nd flush on v2 is in place, and a failure is a
    // warning.
    let must_fail: Vec<usize> = (1..=21).filter(|at| ![4, 7, 18].contains(at)).collect();
    assert!([4, 7, 18].iter().all(|at| !calls[at - 1].contains("data.db")), "{calls:#?}");
    assert_eq!((failed, total), (must_fail, 26), "{calls:#?}");
}

const PLANNED: &str = "CUTOVER_TEST_PLANNED";

/// Makes a plan of the database and performs it.
#[test]
#[ignore = "a process of the tests"]
fn performs_a_plan() {
    let sql = "CREATE TABLE note AS SELECT * FROM v1.notes; PRAGMA user_version = 2";
    let make = Make { from: BuildFrom::Empty, run: BuildBy::Sql(sql.into()) };
    let path = std::env::var_os(PLANNED).unwrap();
    let options = Options::new(path, "v1-v2", Detect::UserVersion(2), make);
    let plan = cutover::plan(&options, &mut Quiet).unwrap().unwrap();
    match cutover::run_plan(&plan.to_text(), &options, &mut Quiet) {
        Ok(_) => println!("done"),
        Err(error) => println!("{}", error.failure),
    }
}

/// `plan` tries no link, so only the start that performs its plan finds that there is none.
#[test]
fn a_given_plan_that_links_is_refused_before_anything_is_built() {
    let directory = tempfile::tempdir().unwrap();
    let database = seed(directory.path(), "delete", 4096);
    let mut program = again!(performs_a_plan);
    program.env(PLANNED, &database);
    let no_links = ["--inject=link,linkat:error=EPERM".into()];
    let (output, calls) = strace::run("link,linkat,pwrite64", &no_links, &program);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        told.contains("a hard link, which it cannot get here; your data is untouched"),
        "{told}"
    );
    assert!(told.contains("start without a plan") && told.contains("[cutover:JOURNAL"), "{told}");
    assert!(!calls.iter().any(|call| call.contains(".building-")), "{calls:?}");
    assert_eq!(directory::names(directory.path()), ["data.db"]);
    assert_eq!(ask::<i64>(&database, "SELECT count(*) FROM notes"), ROWS);
    assert!(String::from_utf8_lossy(&program.output().unwrap().stdout).contains("done"));
}
