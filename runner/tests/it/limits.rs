//! What the system refuses to SQLite is told: the limit of a file's size, of open files, a quota,
//! and a temporary folder that is full or cannot be written. SQLite itself says "disk I/O error".
//!
//! The limits hold for a process, so each upgrade runs in one of its own. Only Linux has them all.
#![cfg(target_os = "linux")]

use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Output};

use cutover::planner::DataState;
use cutover::{
    BackupOptions, BuildBy, BuildFrom, Built, Detect, Host, HostError, Job, Make, Options, Reader,
    Row, Value, Verdict,
};
use rusqlite::Connection;

use crate::support::{directory, strace};

/// The database of the upgrade, where it starts from, and its SQL.
const PATH: &str = "CUTOVER_TEST_LIMITED_PATH";
const COPIES: &str = "CUTOVER_TEST_LIMITED_COPIES";
const SQL: &str = "CUTOVER_TEST_LIMITED_SQL";
/// The callback that sorts v1 or v2, where callbacks make the upgrade.
const SORTS_IN: &str = "CUTOVER_TEST_LIMITED_SORTS_IN";
/// The backup to restore, instead of an upgrade.
const RESTORES: &str = "CUTOVER_TEST_LIMITED_RESTORES";

const TO_V2: &str = "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT);
    INSERT INTO note SELECT id, text FROM v1.notes; PRAGMA user_version = 2;";
/// An index that does not fit into a small cache is sorted in the temporary folder.
const SORTS: &str = "PRAGMA cache_size = -200; CREATE INDEX of_body ON note (body);";
const ROWS: i64 = 20_000;

struct NoHost;
impl Host for NoHost {}

/// An application that sorts in this callback. In `build` and `verify` it takes what it cannot read
/// for nothing.
struct SortsIn(String);

impl SortsIn {
    fn rows(&self, callback: &str, db: &Reader, table: &str) -> Result<Vec<Row>, HostError> {
        let order = if self.0 == callback { "ORDER BY 1" } else { "" };
        db.all(&format!("SELECT * FROM (SELECT text FROM {table}) {order}"), &[])
    }
}

impl Host for SortsIn {
    fn detect(&mut self, db: &Reader) -> Result<Verdict, HostError> {
        let version = db.all("PRAGMA user_version", &[])?.remove(0).remove(0).1;
        self.rows("detect", db, "notes")?;
        Ok(if version == Value::Integer(2) { Verdict::Current } else { Verdict::Old })
    }
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let rows = self.rows("build", job.v1(), "notes").unwrap_or_default();
        let mut v2 = Connection::open(job.staging())?;
        v2.execute_batch(
            "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT); PRAGMA user_version = 2;
             CREATE VIEW sorted AS SELECT text FROM notes GROUP BY text",
        )?;
        let write = v2.transaction()?;
        for row in &rows {
            if let Value::Text(text) = &row[0].1 {
                write.execute("INSERT INTO notes (text) VALUES (?1)", [text])?;
            }
        }
        write.commit()?;
        let expect = (self.0 == "expect").then(|| ("sorted".into(), rows.len() as u64));
        Ok(Built { expect: expect.into_iter().collect(), ..Built::default() })
    }
    fn verify(&mut self, v2: &Reader) -> Result<(), HostError> {
        let _ = self.rows("verify", v2, "notes");
        Ok(())
    }
}

/// The upgrade or the restore. It prints its failure.
#[test]
#[ignore = "a process of the tests"]
fn child() {
    let path = std::env::var_os(PATH).unwrap();
    // `strace` counts the calls of each thread. What begins here has numbers that the start of the
    // program has not.
    for _ in 0..50 {
        let zero = std::fs::File::open("/dev/null");
        let _ = zero.and_then(|zero| zero.read_at(&mut [0], 0));
    }
    if let Some(backup) = std::env::var_os(RESTORES) {
        let options = BackupOptions::default().wait_ms(0);
        match cutover::restore(path.as_ref(), backup.as_ref(), &options, &mut NoHost) {
            Ok(done) => eprintln!("done {:?}", done.warnings),
            Err(error) => eprintln!("{}", error.failure),
        }
        return;
    }
    let sorts_in = std::env::var(SORTS_IN);
    let from = if std::env::var_os(COPIES).is_some() { BuildFrom::Copy } else { BuildFrom::Empty };
    let make = Make { from, run: BuildBy::Sql(std::env::var(SQL).unwrap()) };
    let mut options = Options::new(path, "v1-v2", Detect::UserVersion(2), make);
    options.wait_ms = 0;
    let mut host: Box<dyn Host> = Box::new(NoHost);
    if let Ok(callback) = sorts_in {
        host = Box::new(SortsIn(callback));
        options = options.detect(Detect::Host).verify(true);
        options.make.run = BuildBy::Host;
    }
    match cutover::migrate(&options, &mut *host) {
        Ok(done) => eprintln!("done {:?}", done.warnings),
        Err(error) => {
            let failure = error.failure;
            assert_ne!(failure.data.state, DataState::V2, "{failure}");
            eprintln!("{failure}");
        }
    }
}

fn seed(path: &Path) {
    let db = Connection::open(path).unwrap();
    db.execute_batch(&format!(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT);
         WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
         INSERT INTO notes SELECT i, hex(randomblob(60)) FROM n;"
    ))
    .unwrap();
}

fn program(path: &Path, copies: bool, sql: &str) -> Command {
    let mut program = again!(child);
    program.env(PATH, path).env(SQL, sql).env_remove("SQLITE_TMPDIR");
    if copies {
        program.env(COPIES, "1");
    }
    program
}

/// Runs the program below a limit of the shell.
fn limited(limit: &str, program: &Command) -> Output {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("trap '' XFSZ; {limit}; exec \"$0\" \"$@\"")]);
    shell.arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// v1 is as it was, with nothing beside it.
fn assert_untouched(path: &Path, what: &str) {
    assert_eq!(directory::names(path.parent().unwrap()), ["data.db"], "{what}");
    let count = |db: Connection| {
        db.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(count(Connection::open(path).unwrap()), ROWS, "{what}");
}

/// The first thing that a start does beside a hot journal is to let SQLite roll it back.
#[test]
fn what_the_system_refuses_to_a_rollback_is_named() {
    let [elsewhere, directory] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [live, path] = [&elsewhere, &directory].map(|directory| directory.path().join("data.db"));
    seed(&live);
    let killed = Connection::open(&live).unwrap();
    killed
        .execute_batch("PRAGMA cache_size = 1; BEGIN; UPDATE notes SET text = 'half done';")
        .unwrap();
    for name in ["data.db", "data.db-journal"] {
        std::fs::copy(live.with_file_name(name), path.with_file_name(name)).unwrap();
    }
    drop(killed);
    let said = said(&limited("ulimit -f 10", &program(&path, false, TO_V2)));
    assert!(said.contains("(EFBIG, 27)") && said.contains("[cutover:IO:"), "{said}");
    let text = "SELECT count(*) FROM notes WHERE text = 'half done'";
    let half = |db: Connection| db.query_row(text, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(half(Connection::open(&path).unwrap()), 0, "the next open rolls it back");
    assert_untouched(&path, &said);
}

#[test]
fn a_file_that_may_not_be_that_large_is_named() {
    for copies in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.db");
        seed(&path);
        let sql = if copies { "PRAGMA user_version = 2" } else { TO_V2 };
        let said = said(&limited("ulimit -f 1000", &program(&path, copies, sql)));
        assert!(said.contains("File too large"), "{said}");
        assert!(said.contains("(EFBIG, 27)") && said.contains("[cutover:IO:"), "{said}");
        assert!(said.contains("ulimit -f") && !said.contains("free some space"), "{said}");
        assert_untouched(&path, &said);
    }
}

#[test]
fn a_limit_of_open_files_is_named_wherever_it_is_met() {
    let (mut refused, mut done) = (0, 0);
    for limit in 6..40 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.db");
        seed(&path);
        let said = said(&limited(&format!("ulimit -n {limit}"), &program(&path, false, TO_V2)));
        if said.contains("done ") {
            done += 1;
        } else if said.contains("cutover:") {
            refused += 1;
            assert!(said.contains("EMFILE"), "{limit}: {said}");
            assert!(!said.contains("VERIFY"), "{limit}: {said}");
            assert!(said.contains("ulimit -n"), "{limit}: {said}");
            assert_untouched(&path, &said);
        }
        if done == 3 {
            break;
        }
    }
    assert!(refused >= 2 && done == 3, "{refused} refused, {done} done");
}

#[test]
fn a_quota_that_is_used_up_is_named() {
    for copies in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.db");
        seed(&path);
        let sql = if copies { "CREATE TABLE more AS SELECT * FROM notes" } else { TO_V2 };
        let inject = ["-e".into(), "inject=pwrite64:error=EDQUOT:when=30+".into()];
        let (output, _) = strace::run("pwrite64", &inject, &program(&path, copies, sql));
        let said = said(&output);
        assert!(said.contains("EDQUOT, 122)") && said.contains("[cutover:NO_SPACE:"), "{said}");
        assert!(said.contains("quota") && !said.contains("free some space"), "{said}");
        assert_untouched(&path, &said);
    }
}

const FEW: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT);
     WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 20)
     INSERT INTO notes SELECT i, printf('%0300d', i) FROM n;
     INSERT INTO notes VALUES (21, printf('%06000d', 1));
     CREATE INDEX of_text ON notes (text);";

/// What the disk does not give is not damage, and what could not be checked is not wrong: a read that
/// fails anywhere keeps its own code. SQLite itself calls such a page damaged.
fn what_cannot_be_read_is_no_damage_and_fails_no_check(what: &str) {
    const FTS: &str = "CREATE VIRTUAL TABLE found USING fts5 (text);
         INSERT INTO found SELECT text FROM v1.notes;";
    let seed = |directory: &Path, upgraded: bool| {
        let path = directory.join("data.db");
        Connection::open(&path).unwrap().execute_batch(FEW).unwrap();
        if upgraded {
            assert!(program(&path, false, TO_V2).output().unwrap().status.success());
        }
        path
    };
    let ready = || {
        let directory = tempfile::tempdir().unwrap();
        let path = seed(directory.path(), what == "restore");
        let sql = if what == "from a copy" {
            "PRAGMA user_version = 2".into()
        } else {
            format!("{TO_V2} {FTS}")
        };
        let mut program = program(&path, what == "from a copy", &sql);
        if what == "callbacks" {
            program.env(SORTS_IN, "none");
        } else if what == "restore" {
            program.env(RESTORES, cutover::list_backups(&path).unwrap()[0].name.to_string());
        }
        (directory, path, program)
    };
    let (directory, _, program) = ready();
    let (_, calls) = strace::run("pread64", &[], &program);
    let here = directory.path().to_str().unwrap();
    let those = (0..calls.len()).filter(|at| calls[*at].contains(here));
    let mut refused = 0;
    for at in those {
        let (_keep, path, program) = ready();
        let injects = [strace::inject(&calls, at, "error=EIO")];
        let (output, _) = strace::run("pread64", &injects, &program);
        let said = said(&output);
        if said.contains("loading shared libraries") || said.contains("-lock: ") {
            // Another thread met its own call of this number.
            continue;
        }
        let told = format!("{what}, {at} of {}: {said}", calls[at]);
        if said.contains("done ") {
            continue;
        }
        refused += 1;
        let (_, code) = said.split_once("[cutover:").expect(&told);
        // The connection of the application itself tells it what it met.
        let own = calls[at].contains(".building-") && said.contains("application's build failed");
        assert!(own || code.starts_with("IO:") && code.contains(":EIO]"), "{told}");
        let rows = |table: &str| {
            let db = Connection::open(&path).unwrap();
            db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
        };
        assert_eq!(rows("notes").or_else(|_| rows("note")), Ok(21), "{told}");
    }
    assert!(refused > 20, "{what}: {refused}");
}

#[test]
fn what_sql_from_empty_cannot_read_is_no_damage() {
    what_cannot_be_read_is_no_damage_and_fails_no_check("from empty");
}

#[test]
fn what_sql_on_a_copy_cannot_read_is_no_damage() {
    what_cannot_be_read_is_no_damage_and_fails_no_check("from a copy");
}

#[test]
fn what_callbacks_cannot_read_is_no_damage() {
    what_cannot_be_read_is_no_damage_and_fails_no_check("callbacks");
}

#[test]
fn what_a_restore_cannot_read_is_no_damage() {
    what_cannot_be_read_is_no_damage_and_fails_no_check("restore");
}

/// On a file system without hard links.
#[test]
fn what_the_system_refuses_to_a_page_copy_is_named() {
    let traced = "link,linkat,pwrite64";
    let no_links = "--inject=link,linkat:error=EPERM".to_owned();
    let ready = || {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.db");
        Connection::open(&path).unwrap().execute_batch(FEW).unwrap();
        let program = program(&path, false, TO_V2);
        (directory, path, program)
    };
    let (_directory, path, copies) = ready();
    let (_, calls) = strace::run(traced, std::slice::from_ref(&no_links), &copies);
    let canonical = format!("<{}>", path.display());
    let mut refused = 0;
    for at in (0..calls.len()).filter(|at| calls[*at].contains(&canonical)) {
        let (_directory, path, program) = ready();
        let more = [no_links.clone(), strace::inject(&calls, at, "error=EFBIG")];
        let said = said(&strace::run(traced, &more, &program).0);
        if said.contains("page-copy failed") {
            refused += 1;
            assert!(said.contains("(EFBIG, 27)") && said.contains("ulimit -f"), "{said}");
            let text = "SELECT count(*) FROM notes";
            let v1 = Connection::open(&path).unwrap();
            assert_eq!(v1.query_row(text, [], |row| row.get(0)), Ok(21), "{said}");
        }
    }
    assert!(refused > 3, "{refused} of {}", calls.len());
}

fn mount(arguments: &[&str], at: &Path) {
    assert!(Command::new("mount").args(arguments).arg(at).status().unwrap().success());
}

#[test]
fn a_temporary_folder_that_is_full_or_cannot_be_written_is_named() {
    if started_inside!(a_temporary_folder_that_is_full_or_cannot_be_written_is_named) {
        return;
    }
    let read_only: Vec<&Path> = ["/tmp", "/var/tmp", "/usr/tmp"]
        .into_iter()
        .map(Path::new)
        .filter(|path| path.is_dir())
        .collect();
    for folder in &read_only {
        mount(&["--bind", folder.to_str().unwrap()], folder);
    }
    let [data, small] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    mount(&["-t", "tmpfs", "tmpfs"], data.path());
    mount(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"], small.path());
    let path = data.path().join("data.db");
    let sql = format!("{TO_V2} {SORTS}");
    let callbacks = ["detect", "build", "expect", "verify"].map(|callback| ("TMPDIR", callback));
    for (variable, callback) in [("SQLITE_TMPDIR", ""), ("TMPDIR", "")].into_iter().chain(callbacks)
    {
        seed(&path);
        let mut full = program(&path, false, &sql);
        if !callback.is_empty() {
            full.env(SORTS_IN, callback);
        }
        let said = said(&full.env(variable, small.path()).output().unwrap());
        assert!(said.contains("[cutover:NO_SPACE:"), "{said}");
        assert!(said.contains(&format!("temporary folder {} is full", small.path().display())));
        assert!(said.contains("set SQLITE_TMPDIR") && !said.contains("on this volume"), "{said}");
        assert_untouched(&path, &said);
        std::fs::remove_file(&path).unwrap();
    }
    seed(&path);
    for folder in &read_only {
        mount(&["-o", "remount,bind,ro"], folder);
    }
    let mut none = program(&path, false, &sql);
    none.env_remove("TMPDIR").current_dir("/tmp");
    let said = said(&none.output().unwrap());
    assert!(said.contains("[cutover:IO:"), "{said}");
    assert!(said.contains("SQLite finds no folder for its temporary files"), "{said}");
    assert!(said.contains("/var/tmp, /usr/tmp, /tmp, ."), "{said}");
    assert!(said.contains("set SQLITE_TMPDIR"), "{said}");
    assert_untouched(&path, &said);
    for folder in [data.path(), small.path()].into_iter().chain(read_only) {
        assert!(Command::new("umount").arg(folder).status().unwrap().success());
    }
}
