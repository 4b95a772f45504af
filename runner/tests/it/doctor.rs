//! The doctor changes nothing, whatever state the database is in. The next start does what the
//! doctor says that it does.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use cutover::planner::{Code, Failure};
use cutover::{BuildBy, BuildFrom, Bundle, Detect, DoctorOptions, Host, Make, Options, doctor};
use cutover_support::{Check, Diagnosis, Does, Dropped, Safety, diagnose};
use rusqlite::Connection;

use crate::support::interrupt::Interrupt;

const V1: &str = "PRAGMA user_version = 1; CREATE TABLE notes (id INTEGER PRIMARY KEY, text); \
                  INSERT INTO notes (text) VALUES ('SECRET'), ('b');";
const TO_V2: &str = "CREATE TABLE note (id INTEGER PRIMARY KEY, body); INSERT INTO note SELECT * \
                     FROM v1.notes; PRAGMA user_version = 2;";

struct Calm;
impl Host for Calm {}

fn options(path: &Path) -> Options {
    Options::new(
        path,
        "v1-v2",
        Detect::UserVersion(2),
        Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) },
    )
}

/// Every name with its content and the time of its last change.
fn all(directory: &Path) -> BTreeMap<std::ffi::OsString, (Option<Vec<u8>>, std::time::SystemTime)> {
    let entries = std::fs::read_dir(directory).unwrap().map(Result::unwrap);
    let look = |entry: std::fs::DirEntry| {
        let metadata = entry.metadata().unwrap();
        let bytes = metadata.is_file().then(|| std::fs::read(entry.path()).unwrap_or_default());
        (entry.file_name(), (bytes, metadata.modified().unwrap()))
    };
    entries.map(look).collect()
}

/// Runs the doctor, and checks that it changed nothing.
fn examined(path: &Path) -> (Bundle, Diagnosis) {
    let directory = path.parent().unwrap();
    let before = all(directory);
    let bundle = doctor(path, &DoctorOptions::default(), &mut ()).unwrap();
    assert!(before == all(directory), "the doctor touched {:?}", all(directory).keys());
    let diagnosis = diagnose(&Dropped { text: Some(bundle.to_text()), ..Dropped::default() });
    (bundle, diagnosis)
}

fn seeded(setup: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("data.db");
    Connection::open(&path).unwrap().execute_batch(&format!("{setup} {V1}")).unwrap();
    (scratch, path)
}

#[test]
fn a_database_at_rest_is_safe() {
    for setup in ["", "PRAGMA journal_mode=WAL;"] {
        let (_scratch, path) = seeded(setup);
        let (bundle, found) = examined(&path);
        assert_eq!(
            (&bundle.check, bundle.next.does, found.safety),
            (&Check::Sound, Does::AskDetect, Safety::Safe),
            "{}",
            found.because
        );
        let header = bundle.header.as_ref().unwrap();
        assert_eq!((header.user_version, header.problems.len()), (1, 0));
        assert!(!bundle.to_text().contains("SECRET"), "a bundle holds no rows");
    }
}

/// Checked at every step of an upgrade.
#[test]
fn the_next_start_does_what_the_doctor_says() {
    let mut kinds = BTreeMap::new();
    for setup in ["", "PRAGMA journal_mode=WAL;"] {
        for at in 0.. {
            let (_scratch, path) = seeded(setup);
            let mut host = Interrupt { at, seen: 0 };
            if catch_unwind(AssertUnwindSafe(|| cutover::migrate(&options(&path), &mut host)))
                .is_ok()
            {
                break;
            }
            let (bundle, found) = examined(&path);
            assert_eq!(
                (&bundle.check, found.safety),
                (&Check::Sound, Safety::Safe),
                "step {at}: {}",
                found.because
            );
            let real = cutover::plan(&options(&path), &mut Calm).unwrap();
            let real =
                real.map(|plan| plan.kind).filter(|_| !bundle.observation.journals.is_empty());
            let told = bundle.next.plan.as_ref().map(|plan| plan.kind);
            // A left-over of writing the first journal is cleaned up without a journal.
            assert!(
                told == real || bundle.observation.journals.is_empty(),
                "step {at}: {told:?}, and it is {real:?}"
            );
            *kinds.entry(format!("{told:?}")).or_insert(0) += 1;
        }
    }
    for kind in ["Some(Undo)", "Some(Finish)", "Some(Clean)", "None"] {
        assert!(kinds.contains_key(kind), "{kinds:?}");
    }
}

#[test]
fn after_the_upgrade_the_diagnosis_names_v1_and_v2() {
    let (_scratch, path) = seeded("");
    cutover::migrate(&options(&path), &mut Calm).unwrap();
    let (bundle, found) = examined(&path);
    assert_eq!((found.safety, found.backups.len(), bundle.receipts.len()), (Safety::Safe, 1, 1));
    assert!(
        found.v1.file.unwrap().starts_with("data.db.v1-v2-")
            && found.v2.file.as_deref() == Some("data.db")
    );
    // Canonical is not a database now, and the receipt shows that it was v2.
    std::fs::write(&path, b"nothing").unwrap();
    let (bundle, found) = examined(&path);
    assert_eq!(
        (found.safety, bundle.next.does),
        (Safety::NotSafe, Does::Refuse),
        "{}",
        found.because
    );
}

/// A set as a killed application leaves it: copied while a connection is open.
fn killed(setup: &str, then: &str) -> (tempfile::TempDir, std::path::PathBuf) {
    let (scratch, path) = seeded(setup);
    let db = Connection::open(&path).unwrap();
    db.execute_batch(then).unwrap();
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(scratch.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    drop(db);
    let path = copy.path().join("data.db");
    (copy, path)
}

#[test]
fn an_open_log_and_a_hot_journal_are_read_in_a_copy() {
    let (_copy, path) = killed("PRAGMA journal_mode=WAL;", "INSERT INTO notes (text) VALUES ('c')");
    let (bundle, found) = examined(&path);
    assert_eq!(
        (&bundle.check, found.safety, bundle.wal.unwrap().commits),
        (&Check::Sound, Safety::Safe, 1),
        "{}",
        found.because
    );
    let half = "PRAGMA cache_size=1; BEGIN; INSERT INTO notes (text) SELECT zeroblob(4000) FROM \
                notes a, notes b, notes c, notes d, notes e;";
    let (_copy, path) = killed("PRAGMA journal_mode=DELETE;", half);
    assert!(std::fs::metadata(path.with_file_name("data.db-journal")).unwrap().len() > 512);
    let (bundle, found) = examined(&path);
    assert_eq!((&bundle.check, found.safety), (&Check::Sound, Safety::Safe), "{}", found.because);
}

#[test]
fn damage_is_found() {
    let (_scratch, path) = seeded("");
    let db = Connection::open(&path).unwrap();
    db.execute_batch(
        "INSERT INTO notes (text) SELECT zeroblob(3000) FROM notes a, notes b, notes c",
    )
    .unwrap();
    drop(db);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() - 8192;
    bytes[at..at + 64].fill(0xff);
    std::fs::write(&path, bytes).unwrap();
    let (bundle, found) = examined(&path);
    assert!(matches!(bundle.check, Check::Damaged { problems: 1.. }), "{:?}", bundle.check);
    assert_eq!(found.safety, Safety::NotSafe);
}

/// SQLite reports both in equal words. It has not checked a schema that it cannot read, so the
/// diagnosis does not call that database safe.
#[test]
fn a_schema_of_another_sqlite_is_no_damage_and_a_broken_one_is() {
    let broken = "UPDATE sqlite_master SET rootpage = 999 WHERE name = 'more'";
    let foreign =
        "UPDATE sqlite_master SET sql = 'CREATE TABLE more (x) RANDOM ROWID' WHERE name = 'more'";
    for (change, damaged) in [(broken, true), (foreign, false)] {
        for wal in [false, true] {
            let (_directory, path) = seeded("CREATE TABLE more (x);");
            let db = Connection::open(&path).unwrap();
            let mode = if wal { "WAL" } else { "DELETE" };
            db.execute_batch(&format!(
                "PRAGMA journal_mode = {mode}; PRAGMA writable_schema = ON; {change}"
            ))
            .unwrap();
            let log = path.with_extension("db-wal");
            let kept = wal.then(|| [&path, &log].map(|file| std::fs::read(file).unwrap()));
            drop(db);
            for (file, bytes) in kept.iter().flat_map(|kept| [&path, &log].into_iter().zip(kept)) {
                std::fs::write(file, bytes).unwrap();
            }
            let (bundle, found) = examined(&path);
            let told = matches!(bundle.check, Check::Damaged { .. });
            assert_eq!(
                (told, found.safety),
                (damaged, if damaged { Safety::NotSafe } else { Safety::CannotTell }),
                "{change}: {bundle:?}"
            );
        }
    }
}

#[test]
fn what_is_open_is_not_opened_again_and_not_called_safe() {
    let (_scratch, path) = seeded("PRAGMA journal_mode=WAL;");
    let db = Connection::open(&path).unwrap();
    db.execute_batch("INSERT INTO notes (text) VALUES ('c')").unwrap();
    let bundle = doctor(&path, &DoctorOptions::default(), &mut ()).unwrap();
    assert!(
        bundle.header.is_none()
            && bundle.wal.is_none()
            && matches!(bundle.check, Check::NotMade { .. })
    );
    assert!(bundle.observation.holders[0].this_process);
    let found = diagnose(&Dropped { text: Some(bundle.to_text()), ..Dropped::default() });
    assert_eq!(found.safety, Safety::CannotTell, "{}", found.because);
}

/// Puts something at the path of a database.
type Lay<'a> = &'a dyn Fn(&Path);

#[test]
fn hostile_folders_are_examined_and_left_as_they_are() {
    use std::os::unix::ffi::OsStrExt as _;
    let fifo = |path: &Path| {
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    // A directory, a pipe without a writer, and a dangling link, under the names of the set.
    let lays: [Lay; 6] = [
        &|path| std::fs::create_dir(path).unwrap(),
        &|path| fifo(path),
        &|path| std::fs::write(path, b"").unwrap(),
        &|path| {
            Connection::open(path).unwrap().execute_batch(V1).unwrap();
            fifo(&path.with_file_name("data.db-wal"));
            fifo(&path.with_file_name("data.db-shm"));
            fifo(&path.with_file_name("data.db.v1-v2-cutover.json"));
            fifo(&path.with_file_name("data.db.v1-v2-1-3fa9c1d2.json"));
        },
        &|path| {
            Connection::open(path).unwrap().execute_batch(V1).unwrap();
            let directory = path.parent().unwrap();
            std::fs::write(directory.join(std::ffi::OsStr::from_bytes(b"data.db.\xff-wal")), b"x")
                .unwrap();
            std::fs::write(directory.join("data.db.v1-v2-cutover.json"), vec![b'{'; 5 << 20])
                .unwrap();
            std::os::unix::fs::symlink(
                "/nowhere/at/all",
                directory.join("data.db.v1-v2-1-3fa9c1d2"),
            )
            .unwrap();
        },
        &|path| std::os::unix::fs::symlink("data.db", path).unwrap(),
    ];
    for (number, lay) in lays.into_iter().enumerate() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("data.db");
        lay(&path);
        let before = all(scratch.path());
        if let Ok(bundle) = doctor(&path, &DoctorOptions::default(), &mut ()) {
            let found = diagnose(&Dropped { text: Some(bundle.to_text()), ..Dropped::default() });
            let wanted = if number == 3 { Safety::Safe } else { found.safety };
            assert_eq!(found.safety, wanted, "{number}: {}", found.because);
            assert!(
                found.safety != Safety::Safe || bundle.check == Check::Sound,
                "{number}: {}",
                found.because
            );
        }
        assert!(before == all(scratch.path()), "{number}");
    }
    let missing = doctor(Path::new("/nowhere/at/all/data.db"), &DoctorOptions::default(), &mut ())
        .unwrap_err();
    assert_eq!(missing.failure.code, Code::Io);
}

/// What is not a regular file at a name of cutover's is in the way of every start.
#[test]
fn what_is_not_a_file_is_in_the_way_of_the_next_start() {
    let fifo = |path: &Path| {
        assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    let lays: [(&str, &str, Lay); 4] = [
        ("data.db-wal", "FIFO", &fifo),
        ("data.db.v1-v2-cutover.json", "directory", &|path| std::fs::create_dir(path).unwrap()),
        ("data.db.owner-lock", "symbolic link", &|path| {
            std::os::unix::fs::symlink("/nowhere/at/all", path).unwrap();
        }),
        ("data.db.building-0a1b2c3d", "symbolic link", &|path| {
            std::os::unix::fs::symlink("data.db", path).unwrap();
        }),
    ];
    for (name, kind, lay) in lays {
        let (_scratch, path) = seeded("");
        lay(&path.with_file_name(name));
        let bundle = doctor(&path, &DoctorOptions::default(), &mut ()).unwrap();
        assert_eq!(bundle.next.does, Does::Refuse, "{name}: {}", bundle.next.says);
        let real = cutover::migrate(&options(&path), &mut Calm).unwrap_err().failure;
        let told = bundle.next.refusal.as_ref().unwrap();
        assert_eq!((told.code, &told.reason), (real.code, &real.reason), "{name}");
        assert!(real.path.as_ref().unwrap().ends_with(name), "{real}");
        let found = diagnose(&Dropped { text: Some(bundle.to_text()), ..Dropped::default() });
        assert!(found.next.contains(name) && found.next.contains(kind), "{}", found.next);
        assert_ne!(found.safety, Safety::NotSafe, "{}", found.because);
    }
    // A companion whose path is a link to a file that is not there.
    let (_scratch, path) = seeded("");
    let link = path.with_file_name("auth.json");
    std::os::unix::fs::symlink("not-there.json", &link).unwrap();
    let companions = BTreeMap::from([("auth".to_owned(), link)]);
    let asked = DoctorOptions::default().companions(companions.clone());
    let bundle = doctor(&path, &asked, &mut ()).unwrap();
    let upgrade = options(&path).companions(companions);
    let real = cutover::migrate(&upgrade, &mut Calm).unwrap_err().failure;
    let told = bundle.next.refusal.unwrap();
    assert_eq!((told.code, told.reason), (real.code, real.reason));
}

/// A start would upgrade v1 again, without the rows of the v2 that was set aside.
#[test]
fn after_a_restore_the_diagnosis_names_what_was_set_aside_and_sends_no_one_into_the_upgrade() {
    for used in [false, true] {
        let (_scratch, path) = seeded("");
        let backup = cutover::migrate(&options(&path), &mut Calm).unwrap().backup.unwrap();
        let asked = cutover::BackupOptions::default();
        let displaced = cutover::restore(&path, &backup, &asked, &mut Calm).unwrap().displaced;
        let displaced = displaced.file_name().unwrap().to_str().unwrap();
        if used {
            let more = "INSERT INTO notes (text) VALUES ('of the old release')";
            Connection::open(&path).unwrap().execute_batch(more).unwrap();
        }
        let (_, found) = examined(&path);
        assert_eq!(found.safety, Safety::Safe, "{}", found.because);
        assert_eq!(
            (found.v1.file.as_deref(), found.v2.file.as_deref()),
            (Some("data.db"), Some(displaced)),
            "{} {}",
            found.v1.says,
            found.v2.says
        );
        assert!(found.action.contains(displaced), "{}", found.action);
        assert!(!found.action.starts_with("Start the application."), "{}", found.action);
        assert!(found.reply.contains("do not start a newer version"), "{}", found.reply);
        // It was upgraded again, and used since: canonical is no v1.
        cutover::migrate(&options(&path), &mut Calm).unwrap();
        let more = "INSERT INTO note (body) VALUES ('of the new release')";
        Connection::open(&path).unwrap().execute_batch(more).unwrap();
        let (_, found) = examined(&path);
        assert!(found.action.starts_with("Start the application."), "{}", found.action);
        assert!(found.facts.iter().any(|fact| fact.starts_with(displaced)), "{:?}", found.facts);
    }
}

#[test]
fn every_file_that_may_hold_rows_is_named() {
    let (_scratch, path) = seeded("");
    let backup = cutover::migrate(&options(&path), &mut Calm).unwrap().backup.unwrap();
    let names =
        ["data.db.displaced-0a1b2c3d", "data.db.v1-v2-900-0f0f0f0f", "data.db.source-0a1b2c3d"];
    for name in names {
        std::fs::copy(&path, path.with_file_name(name)).unwrap();
    }
    std::fs::remove_file(&path).unwrap();
    let (bundle, found) = examined(&path);
    assert_eq!((bundle.next.does, found.safety), (Does::BeginNew, Safety::NotSafe));
    assert!(bundle.next.says.contains("warns"), "{}", bundle.next.says);
    for name in names.into_iter().chain([backup.file_name().unwrap().to_str().unwrap()]) {
        let told = |fact: &&String| fact.starts_with(name) && fact.contains("hold");
        assert_eq!(found.facts.iter().filter(told).count(), 1, "{name}: {:?}", found.facts);
    }
    // Without its receipt that backup is not whole either.
    std::fs::remove_file(
        backup.with_file_name(format!("{}.json", backup.file_name().unwrap().to_str().unwrap())),
    )
    .unwrap();
    let (_, found) = examined(&path);
    assert_eq!(found.safety, Safety::NotSafe, "{}", found.because);
    assert!(
        found.because.contains(names[0]) && !found.because.contains("unfinished"),
        "{}",
        found.because
    );
}

#[test]
fn application_data_is_in_the_bundle_only_if_asked_for() {
    let (_scratch, path) = seeded("");
    let error = Failure::refusal(Code::Host, "SECRET of the application", "hint");
    let asked = DoctorOptions::default().last_error(error);
    let bundle = doctor(&path, &asked, &mut ()).unwrap();
    assert!(
        bundle.last_error.as_ref().unwrap().to_string().contains("cutover:HOST")
            && !bundle.to_text().contains("SECRET of")
    );
    let bundle = doctor(&path, &asked.application_data(true), &mut ()).unwrap();
    assert!(bundle.to_text().contains("SECRET of"));
}

#[test]
fn a_large_database_is_not_read() {
    let (_scratch, path) = seeded("");
    let bundle = doctor(&path, &DoctorOptions::default().check_up_to(4096), &mut ()).unwrap();
    assert!(matches!(bundle.check, Check::NotMade { .. }));
    assert_eq!(
        diagnose(&Dropped { text: Some(bundle.to_text()), ..Dropped::default() }).safety,
        Safety::CannotTell
    );
}
