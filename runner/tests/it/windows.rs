//! What only Windows has: paths in every form, reserved names, case, the read-only attribute,
//! access rules, junctions, and removed names that wait for a last handle.
//!
//! Under Wine some of these tests prove less; each such test says so.
#![cfg(windows)]

use std::os::windows::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use cutover::planner::DataState;
use cutover::{
    BuildBy, BuildFrom, Code, Detect, Error, Host, Make, MigrateResult, Options, Outcome,
};
use rusqlite::Connection;

use crate::support::irreplaceable;
use crate::support::notes::{TO_V2, V1};

/// Wine shows itself in the environment.
fn under_wine() -> bool {
    std::env::var_os("WINEPREFIX").is_some()
}

#[derive(Default)]
struct Quiet {
    waits: u32,
}
impl Host for Quiet {
    fn wait(&mut self, _delay_ms: u64) {
        self.waits += 1;
    }
}

fn seed(directory: &Path) -> PathBuf {
    std::fs::create_dir_all(directory).unwrap();
    let path = directory.join("data.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch(&format!("PRAGMA journal_mode = WAL; {V1}"))
        .unwrap();
    path
}

fn options(path: &Path) -> Options {
    Options::new(
        path,
        "v1-v2",
        Detect::UserVersion(2),
        Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) },
    )
}

fn migrate(path: &Path) -> Result<MigrateResult, Error> {
    cutover::migrate(&options(path), &mut Quiet::default())
}

fn count(path: &Path, table: &str) -> i64 {
    Connection::open(path)
        .unwrap()
        .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
        .unwrap()
}

fn assert_migrated(path: &Path, result: &MigrateResult) {
    assert_eq!(result.outcome, Outcome::Migrated);
    assert_eq!((count(path, "note"), count(result.backup.as_ref().unwrap(), "notes")), (3, 3));
}

#[test]
fn paths_of_every_form_lead_to_the_one_database() {
    let directory = tempfile::tempdir().unwrap();
    let home = directory.path().canonicalize().unwrap();
    let plain = dunce::simplified(&home).to_owned();
    let (drive, rest) = plain.to_str().unwrap().split_at(2);
    let forms = [
        home.join("data.db"),
        plain.join("data.db"),
        PathBuf::from(plain.to_str().unwrap().replace('\\', "/")).join("data.db"),
        plain.join(r"sub\..\.\data.db"),
        plain.join("DATA.db"),
        // From the root of the current drive, if the path is on that drive.
        PathBuf::from(rest).join("data.db"),
    ];
    let current = std::env::current_dir().unwrap();
    for form in &forms[..if current.to_str().unwrap().starts_with(drive) { 6 } else { 5 }] {
        let path = seed(&plain);
        let result =
            migrate(form).unwrap_or_else(|error| panic!("{}: {}", form.display(), error.failure));
        assert_migrated(&path, &result);
        // The application and libSQL get paths that they understand.
        let backup = result.backup.unwrap();
        assert!(!backup.to_str().unwrap().starts_with(r"\\?\"), "{}", backup.display());
        assert!(
            backup.file_name().unwrap().to_str().unwrap().starts_with("data.db.v1-v2-"),
            "{}",
            backup.display()
        );
        for entry in std::fs::read_dir(&plain).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
    }
}

#[test]
fn a_path_is_as_long_as_windows_lets_it_be() {
    let directory = tempfile::tempdir().unwrap();
    let mut long = directory.path().canonicalize().unwrap();
    // Wine 8 does not return the real path of a much longer one.
    while long.as_os_str().len() < if under_wine() { 280 } else { 2000 } {
        long.push("a directory with a name of forty letters");
    }
    let path = seed(&long);
    let auth = long.join("auth.json");
    std::fs::write(&auth, "v1").unwrap();
    let mut options = options(&path);
    options.companions.insert("auth".into(), auth);
    let result = cutover::migrate(&options, &mut Quiet::default()).unwrap();
    assert_migrated(&path, &result);
    cutover::restore(
        &path,
        &result.backup.unwrap(),
        &cutover::BackupOptions::default(),
        &mut Quiet::default(),
    )
    .unwrap();
    assert_eq!(count(&path, "notes"), 3);
}

struct Stop;
impl Host for Stop {
    fn event(&mut self, event: &cutover::Event) {
        if matches!(event, cutover::Event::Step { op, .. } if op == "link") {
            std::panic::resume_unwind(Box::new("stopped"));
        }
    }
}

#[test]
fn a_name_has_the_case_that_the_file_has() {
    let directory = tempfile::tempdir().unwrap();
    let path = seed(directory.path());
    // Interrupted under one spelling, finished under another.
    let lower = options(&path);
    assert!(
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cutover::migrate(
            &lower, &mut Stop
        )))
        .is_err()
    );
    let result = migrate(&directory.path().join("DATA.DB")).unwrap();
    assert_eq!(result.recovery, cutover::Recovery::Finished);
    assert_migrated(&path, &result);
    // The owner lock is one lock for every spelling.
    let _owner = cutover::lock(&path).unwrap();
    assert_eq!(
        cutover::lock(&directory.path().join("Data.Db")).unwrap_err().failure.code,
        Code::Owned
    );
}

/// An application that opens `data.db` as `DATA.DB` names its log after that spelling. If it is
/// killed, it leaves that log with its last rows.
#[test]
fn a_log_of_another_spelling_is_the_databases() {
    for (mode, suffix) in [("WAL", "-wal"), ("DELETE", "-journal")] {
        for given in ["data.db", "Data.DB"] {
            let directory = tempfile::tempdir().unwrap();
            let live = directory.path().join("live.db");
            let db = Connection::open(&live).unwrap();
            db.execute_batch(&format!(
                "PRAGMA journal_mode = {mode}; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_spill \
                 = 1; {V1}"
            ))
            .unwrap();
            if suffix == "-journal" {
                // Written to the file before a commit that never comes.
                db.execute_batch(
                    "PRAGMA cache_size = 1; BEGIN; CREATE TABLE big (x); INSERT INTO big VALUES \
                     (zeroblob(100000)); DELETE FROM notes",
                )
                .unwrap();
            }
            for (from, to) in [
                ("live.db".to_owned(), "data.db".to_owned()),
                (format!("live.db{suffix}"), format!("DATA.DB{suffix}")),
            ] {
                std::fs::write(
                    directory.path().join(to),
                    read_shared(&directory.path().join(from)),
                )
                .unwrap();
            }
            drop(db);
            let result = migrate(&directory.path().join(given))
                .unwrap_or_else(|error| panic!("{mode} {given}: {}", error.failure));
            assert_migrated(&directory.path().join("data.db"), &result);
            let names: Vec<_> = std::fs::read_dir(directory.path())
                .unwrap()
                .map(|entry| entry.unwrap().file_name())
                .collect();
            let names: Vec<_> = names
                .iter()
                .filter_map(|name| name.to_str())
                .filter(|name| !name.ends_with("-lock") && *name != "live.db")
                .collect();
            assert_eq!(names.len(), 3, "{mode} {given}: {names:?}");
            assert!(
                names.iter().all(|name| name.starts_with("data.db")),
                "{mode} {given}: {names:?}"
            );
        }
    }
}

/// SQLite would delete this log at the next open, and it may be all that is left of a user's rows.
#[test]
fn a_log_of_another_spelling_beside_an_empty_database_is_seen() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("data.db"), b"").unwrap();
    std::fs::write(directory.path().join("DATA.DB-wal"), [0; 4152]).unwrap();
    assert_eq!(
        migrate(&directory.path().join("data.db")).unwrap_err().failure.code,
        Code::V1Corrupt
    );
    assert!(directory.path().join("DATA.DB-wal").exists());
}

fn read_shared(path: &Path) -> Vec<u8> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::options()
        .read(true)
        .share_mode(7)
        .open(path)
        .unwrap()
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

#[test]
fn a_companion_cannot_be_a_file_of_the_database_in_any_case() {
    let directory = tempfile::tempdir().unwrap();
    let path = seed(directory.path());
    for companions in [
        &["DATA.DB-WAL"][..],
        &["Data.db"],
        &["DATA.DB.building-0123ABCD"],
        &["auth.json", "AUTH.JSON"],
    ] {
        let mut options = options(&path);
        options.companions = companions
            .iter()
            .zip(["a", "b"])
            .map(|(name, key)| (key.to_owned(), directory.path().join(name)))
            .collect();
        let failure = cutover::migrate(&options, &mut Quiet::default()).unwrap_err().failure;
        assert_eq!(failure.code, Code::Io, "{companions:?}: {failure}");
        assert!(failure.to_string().contains("cannot be"), "{companions:?}: {failure}");
    }
    assert_eq!(count(&path, "notes"), 3);
}

#[test]
fn names_that_windows_reserves_are_refused_and_nothing_is_made() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["nul", "aux.db", "COM1", "con.sqlite3", "data.db:stream", "what?.db"] {
        let failure =
            migrate(&directory.path().join(name)).map(|result| result.outcome).unwrap_err().failure;
        assert_eq!(failure.code, Code::Io, "{name}: {failure}");
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

/// The system reports `ERROR_ACCESS_DENIED` for these as well, but waiting does not help.
#[test]
fn a_read_only_file_or_a_directory_is_reported_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = seed(directory.path());
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions.clone()).unwrap();
    // Wine lets root write to it.
    if !under_wine() {
        let mut host = Quiet::default();
        let failure = cutover::migrate(&options(&path), &mut host).unwrap_err().failure;
        assert_eq!(
            (failure.code, failure.data.state, host.waits),
            (Code::Io, DataState::V1, 0),
            "{failure}"
        );
        assert_eq!(failure.os.unwrap().name, "ERROR_ACCESS_DENIED");
        assert!(failure.hint.contains("right to write"), "{}", failure.hint);
    }
    #[expect(
        clippy::permissions_set_readonly_false,
        reason = "an attribute of Windows, which no mode is behind"
    )]
    permissions.set_readonly(false);
    std::fs::set_permissions(&path, permissions).unwrap();
    assert_migrated(&path, &migrate(&path).unwrap());

    let taken = directory.path().join("sub");
    std::fs::create_dir_all(taken.join("data.db")).unwrap();
    let mut host = Quiet::default();
    let failure =
        cutover::migrate(&options(&taken.join("data.db")), &mut host).unwrap_err().failure;
    assert_eq!((failure.code, host.waits), (Code::Io, 0), "{failure}");
}

#[test]
fn a_read_only_companion_is_refused_before_anything_is_begun() {
    let set = |path: &Path, read_only: bool| {
        let mut permissions = std::fs::metadata(path).unwrap().permissions();
        permissions.set_readonly(read_only);
        std::fs::set_permissions(path, permissions).unwrap();
    };
    let (fix, free) = (|path: &Path| set(path, true), |path: &Path| set(path, false));
    irreplaceable::is_refused_until_freed(&fix, &free, ["it is read-only", "attrib -r"]);
    irreplaceable::never_stops_a_recovery(&fix, &free);
}

/// The access rules of a file, without the file's name.
fn rules(path: &Path) -> String {
    let output = Command::new("icacls").arg(path).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).replace(&path.display().to_string(), "");
    text.lines().map(str::trim).filter(|line| line.contains(":(")).collect::<Vec<_>>().join("\n")
}

/// Wine has no `icacls`, and maps access rules to a POSIX mode. There this test proves only that
/// they are read and written without an error.
#[test]
fn access_rules_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = seed(directory.path());
    if under_wine() {
        assert_migrated(&path, &migrate(&path).unwrap());
        return;
    }
    let user = std::env::var("USERNAME").unwrap();
    // No rule is inherited from the directory, and one user has a rule.
    let done = Command::new("icacls")
        .arg(&path)
        .args(["/inheritance:r", "/grant:r", &format!("{user}:F")])
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    let before = rules(&path);
    let result = migrate(&path).unwrap();
    assert_migrated(&path, &result);
    assert_eq!((rules(&path), rules(&result.backup.unwrap())), (before.clone(), before));
}

/// Wine cannot make a junction.
#[test]
fn a_junction_leads_to_the_real_directory() {
    let directory = tempfile::tempdir().unwrap();
    let real = directory.path().join("real");
    let path = seed(&real);
    let junction = directory.path().join("junction");
    let made = Command::new("cmd").args(["/c", "mklink", "/J"]).arg(&junction).arg(&real).output();
    if under_wine()
        && !made.is_ok_and(|made| made.status.success() && junction.join("data.db").exists())
    {
        return;
    }
    let result = migrate(&junction.join("data.db")).unwrap();
    assert_migrated(&path, &result);
    assert_eq!(result.backup.unwrap().parent().unwrap().file_name().unwrap(), "real");
    assert!(std::fs::read_link(&junction).is_ok());
}

struct Scanner {
    path: PathBuf,
    open: Vec<std::fs::File>,
}
impl Host for Scanner {
    fn event(&mut self, event: &cutover::Event) {
        // It opens every file that appears, until the next wait.
        if let cutover::Event::Step { .. } = event
            && let Ok(entries) = std::fs::read_dir(self.path.parent().unwrap())
        {
            let scan = |entry: std::fs::DirEntry| {
                std::fs::File::options().read(true).share_mode(7).open(entry.path()).ok()
            };
            self.open = entries.flatten().filter_map(scan).collect();
        }
    }
    fn wait(&mut self, _delay_ms: u64) {
        self.open.clear();
    }
}

/// If a scanner shares a file fully, the file may be removed while it is open. Its name then stays
/// until it is closed, or goes at once if the file system removes as POSIX does. Either way the
/// upgrade succeeds.
#[test]
fn a_scanner_that_shares_everything_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = seed(directory.path());
    let mut scanner = Scanner { path: path.clone(), open: Vec::new() };
    let result = cutover::migrate(&options(&path), &mut scanner).unwrap();
    drop(scanner);
    assert_migrated(&path, &result);
    let again = migrate(&path).unwrap();
    assert_eq!(again.outcome, Outcome::Current);
    let names: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    let names: Vec<_> = names
        .iter()
        .filter_map(|name| name.to_str())
        .filter(|name| !name.ends_with("-lock"))
        .collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

/// SQLite opens a file to read that it may not open to write at once. That is the other program's
/// doing, not a missing right.
#[test]
fn a_handle_that_shares_no_writing_is_a_file_in_use_not_a_read_only_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = seed(directory.path());
    let lock_file = directory.path().join("data.db.owner-lock");
    std::fs::write(&lock_file, "").unwrap();
    let reads = |path: &Path| std::fs::File::options().read(true).share_mode(1).open(path).unwrap();
    let scanner = reads(&lock_file);
    let failure = cutover::lock(&path).unwrap_err().failure;
    assert_eq!(failure.code, Code::Owned, "{failure}");
    drop(scanner);
    cutover::lock(&path).unwrap().release();
    let scanner = reads(&path);
    let failure = migrate(&path).unwrap_err().failure;
    assert_eq!(failure.code, Code::Held, "{failure}");
    drop(scanner);
    assert_migrated(&path, &migrate(&path).unwrap());
}

/// Another program may open a file for a moment, sharing nothing, as the check for open handles
/// does itself.
#[test]
fn a_handle_that_comes_and_goes_refuses_no_lock() {
    let directory = tempfile::tempdir().unwrap();
    let path = seed(directory.path());
    let lock_file = directory.path().join("data.db.owner-lock");
    std::fs::write(&lock_file, "").unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = std::fs::File::options().read(true).share_mode(0).open(&lock_file);
            }
        });
        let refused: Vec<String> = (0..40)
            .filter_map(|_| cutover::lock(&path).err())
            .map(|error| error.failure.to_string())
            .filter(|message| message.contains("can only read"))
            .collect();
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(refused.is_empty(), "{refused:?}");
    });
}
