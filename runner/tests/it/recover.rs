//! What a start does after an interrupted start, on real files. A panic in the host's `event`,
//! which hears of each step before it is performed, interrupts the start. After it cutover's code
//! only closes handles, as the system does after a kill.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use cutover::{
    BuildBy, BuildFrom, Code, Detect, Event, Host, HostError, Make, MigrateResult, Options,
    Outcome, Recovery,
};
use rusqlite::Connection;
use serde_json::{Value, json};

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

#[test]
fn interrupted_at_any_step_and_again_at_any_step_of_the_next_start() {
    let mut first = 0;
    loop {
        let bed = Bed::new();
        let interrupted = bed.interrupt(first);
        for second in [0, 1, 2, 3, 5, 8, 13, 21] {
            bed.interrupt(second);
        }
        let result = bed.migrate().unwrap();
        if result.outcome == Outcome::Migrated {
            bed.assert_migrated(&result, 3);
        } else {
            // One of the interrupted starts finished it.
            assert_eq!(
                (result.outcome, count(&bed.path("data.db"), "note"), bed.names().len()),
                (Outcome::Current, 3, 3)
            );
        }
        if !interrupted {
            break;
        }
        first += 1;
    }
    assert!(first > 20, "{first} steps");
}

#[test]
fn an_interrupted_flip_is_finished_and_reported_with_its_backup() {
    for op in ["lock-v1", "link", "write-receipt"] {
        let bed = Bed::interrupted_before(op);
        let mut host = Calm::default();
        let result = cutover::recover(&bed.options(), &mut host).unwrap();
        assert_eq!((result.recovery, host.cleaned), (Recovery::Finished, 1), "{op}");
        assert!(result.backup.is_some());
        let result = bed.migrate().unwrap();
        assert_eq!(result.outcome, Outcome::Current);
    }
    let bed = Bed::interrupted_before("link");
    let result = bed.migrate().unwrap();
    assert_eq!(result.recovery, Recovery::Finished);
    bed.assert_migrated(&result, 3);
}

#[test]
fn an_interrupted_build_is_undone_and_v1_has_its_journal_mode_again() {
    let bed = Bed::interrupted_before("check");
    let result = cutover::recover(&bed.options(), &mut Calm::default()).unwrap();
    assert_eq!(result.recovery, Recovery::Undone);
    assert_eq!(bed.names(), ["data.db"]);
    let mode: String = Connection::open(bed.path("data.db"))
        .unwrap()
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn rows_that_an_older_application_wrote_after_the_crash_are_in_v2() {
    for op in ["lock-v1", "link"] {
        let bed = Bed::interrupted_before(op);
        Connection::open(bed.path("data.db"))
            .unwrap()
            .execute_batch("INSERT INTO notes (text) VALUES ('after the crash')")
            .unwrap();
        let result = bed.migrate().unwrap();
        assert_eq!(result.recovery, Recovery::Undone, "{op}");
        bed.assert_migrated(&result, 4);
    }
}

#[test]
fn a_staged_file_that_was_damaged_is_not_installed() {
    for damage in [0, 100, 5000] {
        let bed = Bed::interrupted_before("link");
        let staged = bed.find(".building-");
        std::fs::File::options().write(true).open(&staged).unwrap().set_len(damage).unwrap();
        let result = bed.migrate().unwrap();
        assert_eq!(result.recovery, Recovery::Undone, "{damage}");
        bed.assert_migrated(&result, 3);
    }
    let bed = Bed::interrupted_before("link");
    std::fs::remove_file(bed.find(".building-")).unwrap();
    let result = bed.migrate().unwrap();
    bed.assert_migrated(&result, 3);
}

#[test]
fn a_directory_that_was_copied_or_moved_is_recovered_where_it_is_now() {
    for op in ["settle", "check", "lock-v1", "sync-file", "rename", "write-receipt", "cleanup-host"]
    {
        let bed = Bed::interrupted_before(op);
        let copy = Bed(tempfile::tempdir().unwrap());
        for name in bed.names() {
            std::fs::copy(bed.path(&name), copy.path(&name)).unwrap();
        }
        let before = bed.names();
        let result = copy.migrate().unwrap();
        assert_eq!(count(&copy.path("data.db"), "note"), 3, "{op}");
        assert_eq!(count(&result.backup.unwrap(), "notes"), 3, "{op}");
        assert_eq!(copy.names().len(), 3, "{op}: {:?}", copy.names());
        assert_eq!(bed.names(), before, "the original is not touched");
    }
}

/// A person moves the home directory to a new disk: every name is then a file of its own, on
/// another volume.
#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_was_moved_to_another_volume_is_recovered_there() {
    use std::os::unix::fs::MetadataExt as _;
    let device = |bed: &Bed| std::fs::metadata(bed.0.path()).unwrap().dev();
    for op in ["settle", "lock-v1", "rename", "write-receipt", "cleanup-host"] {
        let bed = Bed::interrupted_before(op);
        let elsewhere = ["/dev/shm", env!("CARGO_TARGET_TMPDIR")]
            .map(|volume| Bed(tempfile::tempdir_in(volume).unwrap()));
        let moved = elsewhere
            .into_iter()
            .find(|other| device(other) != device(&bed))
            .expect("two volumes are needed: mount one on /dev/shm");
        for name in bed.names() {
            std::fs::copy(bed.path(&name), moved.path(&name)).unwrap();
            std::fs::remove_file(bed.path(&name)).unwrap();
        }
        let result = moved.migrate().unwrap();
        assert_eq!(count(&moved.path("data.db"), "note"), 3, "{op}");
        assert_eq!(count(&result.backup.unwrap(), "notes"), 3, "{op}");
        assert_eq!(moved.names().len(), 3, "{op}: {:?}", moved.names());
    }
}

/// A person removed the journal, so nothing tells which upgrade the files belong to. cutover
/// touches none of them, and `inspect` lists all.
#[test]
fn what_a_lost_journal_leaves_is_listed_and_left_alone() {
    let bed = Bed::interrupted_before("link");
    std::fs::remove_file(bed.path("data.db.v1-v2-cutover.json")).unwrap();
    let orphan = bed.find(".building-");
    let bytes = std::fs::read(&orphan).unwrap();
    let listed = || {
        cutover::inspect(&bed.path("data.db"), &[].into())
            .unwrap()
            .leftovers
            .into_keys()
            .map(|name| bed.path(name.as_str()))
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(), std::slice::from_ref(&orphan));
    assert_eq!(bed.migrate().unwrap().outcome, Outcome::Migrated);
    assert_eq!(listed(), std::slice::from_ref(&orphan));
    assert_eq!(std::fs::read(&orphan).unwrap(), bytes);
}

#[test]
fn a_file_that_has_the_backups_name_and_is_not_v1_is_kept() {
    let bed = Bed::interrupted_before("rename");
    let bed = if bed.names().iter().any(|name| name.contains(".v1-v2-1")) {
        bed
    } else {
        Bed::interrupted_before("link")
    };
    let journal: Value =
        serde_json::from_slice(&std::fs::read(bed.find("-cutover.json")).unwrap()).unwrap();
    let Some(name) = journal["names"]["backup"].as_str() else { panic!("{journal}") };
    let _ = std::fs::remove_file(bed.path(name));
    let other = Connection::open(bed.path(name)).unwrap();
    other.execute_batch(&format!("PRAGMA journal_mode = WAL; {V1}")).unwrap();
    other
        .execute_batch(
            "PRAGMA journal_mode = DELETE; INSERT INTO notes (text) VALUES ('only here')",
        )
        .unwrap();
    drop(other);
    let result = bed.migrate().unwrap();
    assert_eq!(result.recovery, Recovery::Undone);
    assert_eq!((count(&bed.path("data.db"), "note"), count(&bed.path(name), "notes")), (3, 4));
}

#[test]
fn an_unreadable_journal_beside_a_whole_database_is_set_aside() {
    let bed = Bed::new();
    std::fs::write(bed.path("data.db.v1-v2-cutover.json"), "{ torn").unwrap();
    std::fs::write(bed.path("data.db.building-0badc0de"), "left over").unwrap();
    let result = bed.migrate().unwrap();
    assert_eq!((result.outcome, result.recovery), (Outcome::Migrated, Recovery::SetAside));
    assert_eq!(result.warnings[0].code.as_deref(), Some("SET_ASIDE"));
    assert_eq!(std::fs::read(bed.find(".aside-")).unwrap(), b"{ torn");
    assert_eq!(
        std::fs::read(bed.find(".building-")).unwrap(),
        b"left over",
        "left-overs are reported and not removed"
    );
}

#[test]
fn what_cannot_be_recovered_is_refused_and_nothing_is_touched() {
    type Change<'a> = &'a dyn Fn(&str) -> String;
    let hostile = |text: &str| text.replace("data.db.building-", "../../building-");
    let newer = |text: &str| text.replace("\"version\": 2", "\"version\": 3");
    let other_label = |text: &str| text.replace("v1-v2", "v0-v1");
    let cases: [(Change<'_>, bool, Code, &str); 4] = [
        (&newer, false, Code::Journal, "start the newer release"),
        (&other_label, false, Code::Journal, "another upgrade of this database (v0-v1)"),
        (&hostile, true, Code::Journal, "choose a whole database among"),
        (&str::to_owned, true, Code::Journal, "the database itself is missing"),
    ];
    for (change, remove_canonical, code, says) in cases {
        let bed = Bed::interrupted_before("sync-file");
        let bed = if remove_canonical { Bed::interrupted_before("rename") } else { bed };
        let journal = bed.find("-cutover.json");
        let text = change(&std::fs::read_to_string(&journal).unwrap());
        let label = if text.contains("v0-v1") {
            "data.db.v0-v1-cutover.json"
        } else {
            "data.db.v1-v2-cutover.json"
        };
        // The journal of a flip says `built` from its first step on.
        std::fs::remove_file(&journal).unwrap();
        std::fs::write(bed.path(label), text).unwrap();
        if remove_canonical {
            std::fs::rename(bed.path("data.db"), bed.path("moved-away")).unwrap();
        }
        let before = bed.names();
        let error = bed.migrate().unwrap_err();
        assert_eq!(error.failure.code, code, "{}", error.failure);
        assert!(error.failure.to_string().contains(says), "{}", error.failure.to_string());
        assert_eq!(bed.names(), before);
    }
}

#[test]
fn the_host_gets_its_state_back_and_the_attempt_is_counted() {
    struct Kills(u32);
    impl Host for Kills {
        fn build(&mut self, job: &mut dyn cutover::Job) -> Result<cutover::Built, HostError> {
            assert_eq!(job.attempt(), self.0);
            job.save_state(json!({ "keychain": job.attempt() })).unwrap();
            resume_unwind(Box::new("killed in the build"));
        }
        fn undo(&mut self, state: Option<&Value>, _nonce: &str) -> Result<(), HostError> {
            assert_eq!(state, Some(&json!({ "keychain": self.0 - 1 })));
            Ok(())
        }
        fn wait(&mut self, _delay_ms: u64) {}
    }
    let bed = Bed::new();
    let options =
        Options { make: Make { from: BuildFrom::Empty, run: BuildBy::Host }, ..bed.options() };
    for attempt in 1..=3 {
        assert!(
            catch_unwind(AssertUnwindSafe(
                || cutover::migrate(&options, &mut Kills(attempt)).map(drop)
            ))
            .is_err()
        );
    }
    let mut host = Calm::default();
    assert_eq!(cutover::recover(&options, &mut host).unwrap().recovery, Recovery::Undone);
    assert_eq!(host.undone, [Some(json!({ "keychain": 3 }))]);
    assert_eq!(bed.names(), ["data.db"]);
}

fn build(job: &dyn cutover::Job) -> Result<cutover::Built, HostError> {
    let v2 = Connection::open(job.staging())?;
    v2.execute("ATTACH ?1 AS v1", [job.source().to_str().unwrap()])?;
    v2.execute_batch(TO_V2)?;
    Ok(cutover::Built::default())
}

/// An application can never undo what it did outside. It upgrades nevertheless, and its `cleanup`
/// gets that state.
#[test]
fn an_undo_that_always_fails_stops_no_start() {
    struct Fails {
        builds: bool,
        asked: Vec<String>,
    }
    impl Host for Fails {
        fn build(&mut self, job: &mut dyn cutover::Job) -> Result<cutover::Built, HostError> {
            if !self.builds {
                job.save_state(json!({ "keychain": 1 })).unwrap();
                resume_unwind(Box::new("killed in the build"));
            }
            build(job)
        }
        fn undo(&mut self, state: Option<&Value>, nonce: &str) -> Result<(), HostError> {
            self.asked.push(format!("undo {} {nonce}", state.unwrap()));
            Err("the keychain is locked".into())
        }
        fn cleanup(&mut self, state: Option<&Value>, nonce: &str) -> Result<(), HostError> {
            self.asked.push(format!("cleanup {} {nonce}", state.unwrap()));
            Ok(())
        }
        fn wait(&mut self, _delay_ms: u64) {}
    }
    let bed = Bed::new();
    let options =
        Options { make: Make { from: BuildFrom::Empty, run: BuildBy::Host }, ..bed.options() };
    let mut host = Fails { builds: false, asked: Vec::new() };
    assert!(
        catch_unwind(AssertUnwindSafe(|| cutover::migrate(&options, &mut host).map(drop))).is_err()
    );
    // Each recovery calls `undo`.
    for times in 1..=2 {
        assert_eq!(cutover::recover(&options, &mut host).unwrap().recovery, Recovery::Undone);
        assert_eq!(host.asked.len(), times);
    }
    host.builds = true;
    let result = cutover::migrate(&options, &mut host).unwrap();
    assert_eq!((result.outcome, result.recovery), (Outcome::Migrated, Recovery::Undone));
    assert!(
        result.warnings.iter().any(|warning| warning.message.contains("the keychain is locked")),
        "{:?}",
        result.warnings
    );
    let nonce = result.backup.unwrap().to_str().unwrap().rsplit('-').next().unwrap().to_owned();
    let asked = format!(r#"{{"keychain":1}} {nonce}"#);
    assert_eq!(
        host.asked,
        [
            format!("undo {asked}"),
            format!("undo {asked}"),
            format!("undo {asked}"),
            format!("cleanup {asked}")
        ]
    );
    assert_eq!(bed.names().len(), 3, "{:?}", bed.names());
}

/// The legacy daemon was killed after it moved v1 and before it installed v2, with or without a
/// built v2.
fn moved_by_legacy(built: bool) -> Bed {
    let bed = Bed::new();
    Connection::open(bed.path("data.db"))
        .unwrap()
        .query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(()))
        .unwrap();
    let staging = bed.path("data.db.building-3fa9c1d2");
    if built {
        let v2 = Connection::open(&staging).unwrap();
        v2.execute("ATTACH ?1 AS v1", [bed.path("data.db").to_str().unwrap()]).unwrap();
        v2.execute_batch(TO_V2).unwrap();
    }
    let backup = bed.path("data.db.v1-v2-1782718800000-3fa9c1d2");
    std::fs::rename(bed.path("data.db"), &backup).unwrap();
    let journal = json!({
        "version": 1, "source": bed.path("data.db"), "normalizedSource": bed.path("data.db.source-3fa9c1d2"), "staging": staging,
        "backup": backup, "authPath": bed.path("auth.json"), "authBackup": null, "authExisted": false, "nonce": "3fa9c1d2",
        "keychainBackups": ["k"], "phase": "canonical-moved",
    });
    std::fs::write(bed.path("data.db.v1-v2-migration.json"), journal.to_string()).unwrap();
    bed
}

/// The application can never undo what its old release did outside. It upgrades nevertheless,
/// wherever a start is killed, and its `cleanup` gets what that release had kept.
#[test]
fn a_legacy_undo_that_always_fails_stops_no_start() {
    struct Fails(Interrupt, Vec<String>);
    impl Host for Fails {
        fn build(&mut self, job: &mut dyn cutover::Job) -> Result<cutover::Built, HostError> {
            job.save_state(json!(["k", "new"])).unwrap();
            build(job)
        }
        fn undo(&mut self, state: Option<&Value>, nonce: &str) -> Result<(), HostError> {
            self.1.push(format!("undo {} {nonce}", state.unwrap()));
            Err("the keychain is locked".into())
        }
        fn cleanup(&mut self, state: Option<&Value>, nonce: &str) -> Result<(), HostError> {
            self.1.push(format!("cleanup {} {nonce}", state.unwrap()));
            Ok(())
        }
        fn event(&mut self, event: &Event) {
            self.0.event(event);
        }
        fn wait(&mut self, _delay_ms: u64) {}
    }
    // In the first case v1 is in the backup and nothing was built. In the others v1 is canonical
    // and v2 was built. Windows, which has no directory fsync, may bring back the journal that was
    // removed last.
    for (moved, comes_back) in [(true, false), (false, false), (false, true)] {
        let (mut at, mut both) = (0, 0);
        loop {
            let bed = moved_by_legacy(!moved);
            if !moved {
                std::fs::rename(bed.find(".v1-v2-1"), bed.path("data.db")).unwrap();
            }
            let journal = std::fs::read(bed.path("data.db.v1-v2-migration.json")).unwrap();
            let options = Options {
                make: Make { from: BuildFrom::Empty, run: BuildBy::Host },
                ..bed.options()
            };
            let mut host = Fails(Interrupt { at, seen: 0 }, Vec::new());
            let interrupted = catch_unwind(AssertUnwindSafe(|| {
                cutover::migrate(&options, &mut host).map(drop).unwrap();
            }))
            .is_err();
            let (ours, legacy) =
                (bed.path("data.db.v1-v2-cutover.json"), bed.path("data.db.v1-v2-migration.json"));
            if comes_back
                && std::fs::read_to_string(&ours).is_ok_and(|text| text.contains(r#""building""#))
            {
                std::fs::write(&legacy, &journal).unwrap();
            }
            both += usize::from(ours.exists() && legacy.exists());
            let (before, saved) = (
                host.1.len(),
                std::fs::read_to_string(&ours).is_ok_and(|text| text.contains("new")),
            );
            host.0.at = usize::MAX;
            let result = cutover::migrate(&options, &mut host).unwrap();
            let what = format!("{moved} {comes_back}, before step {at}: {:?} {result:?}", host.1);
            assert_eq!(
                (
                    count(&bed.path("data.db"), "note"),
                    count(&bed.find(".v1-v2-1"), "notes"),
                    bed.names().len()
                ),
                (3, 3, 3),
                "{what}"
            );
            assert!(host.1.iter().all(|asked| asked.ends_with(" 3fa9c1d2")), "{what}");
            assert_eq!(host.1.first().unwrap(), r#"undo ["k"] 3fa9c1d2"#, "{what}");
            assert_eq!(host.1.last().unwrap(), r#"cleanup ["k","new"] 3fa9c1d2"#, "{what}");
            assert!(!saved || host.1[before..].iter().all(|asked| asked.contains("new")), "{what}");
            if !interrupted {
                break;
            }
            at += 1;
        }
        assert!(at > 40 && both > if comes_back { 5 } else { 0 }, "{at} {both}");
    }
}

/// The legacy journal may have reached the disk as `committed` before the daemon's renames did. An
/// undo that fails is then called again, and `cleanup` is not called in its place.
#[test]
fn a_legacy_undo_that_fails_beside_committed_is_called_again() {
    struct Fails(Vec<&'static str>);
    impl Host for Fails {
        fn undo(&mut self, _state: Option<&Value>, _nonce: &str) -> Result<(), HostError> {
            self.0.push("undo");
            Err("the keychain is locked".into())
        }
        fn cleanup(&mut self, _state: Option<&Value>, _nonce: &str) -> Result<(), HostError> {
            self.0.push("cleanup");
            Ok(())
        }
        fn wait(&mut self, _delay_ms: u64) {}
    }
    let bed = moved_by_legacy(true);
    std::fs::rename(bed.find(".v1-v2-1"), bed.path("data.db")).unwrap();
    let journal = bed.path("data.db.v1-v2-migration.json");
    let text = std::fs::read_to_string(&journal).unwrap();
    std::fs::write(&journal, text.replace("canonical-moved", "committed")).unwrap();
    let mut host = Fails(Vec::new());
    for times in 1..=3 {
        assert_eq!(cutover::recover(&bed.options(), &mut host).unwrap().recovery, Recovery::Undone);
        assert_eq!(host.0, vec!["undo"; times]);
    }
    let result = cutover::migrate(&bed.options(), &mut host).unwrap();
    assert_eq!(host.0, ["undo", "undo", "undo", "undo", "cleanup"]);
    bed.assert_migrated(&result, 3);
}

/// An older release starts right before canonical gets its file, and makes a database of its own
/// there. Neither v2 nor v1 replaces it.
#[test]
fn a_database_that_an_older_release_made_in_the_gap_is_kept() {
    struct Gap(PathBuf);
    impl Host for Gap {
        fn event(&mut self, event: &Event) {
            if matches!(event, Event::Step { op, .. } if op == "rename-new") && !self.0.exists() {
                Connection::open(&self.0)
                    .unwrap()
                    .execute_batch("CREATE TABLE other (x); INSERT INTO other VALUES (1)")
                    .unwrap();
            }
        }
        fn wait(&mut self, _delay_ms: u64) {}
    }
    for built in [true, false] {
        let bed = moved_by_legacy(built);
        let before = bed.names();
        cutover::migrate(&bed.options(), &mut Gap(bed.path("data.db"))).unwrap_err();
        let there = [vec!["data.db".to_owned()], before].concat();
        assert_eq!(bed.names(), there, "built={built}: every file is kept");
        assert_eq!(
            (count(&bed.path("data.db"), "other"), count(&bed.find(".v1-v2-1"), "notes")),
            (1, 3),
            "built={built}"
        );
        assert!(!built || count(&bed.find(".building-"), "note") == 3);
        let result = bed.migrate().unwrap();
        assert_eq!(
            (result.outcome, count(&bed.path("data.db"), "note")),
            (Outcome::Migrated, 3),
            "built={built}"
        );
        assert_eq!(
            count(&bed.find(".displaced-"), "other"),
            1,
            "built={built}: the next start sets it aside"
        );
    }
}

/// Makes a directory of a file right before it is removed: a start refuses one that it finds.
struct MakesADirectory {
    of: PathBuf,
    undone: bool,
}

impl Host for MakesADirectory {
    fn undo(&mut self, _state: Option<&Value>, _nonce: &str) -> Result<(), HostError> {
        self.undone = true;
        Ok(())
    }
    fn event(&mut self, event: &Event) {
        if matches!(event, Event::Step { op, .. } if op == "remove") && self.of.is_file() {
            std::fs::remove_file(&self.of).unwrap();
            std::fs::create_dir(&self.of).unwrap();
        }
    }
    fn wait(&mut self, _delay_ms: u64) {}
}

/// A start that finds v2 beside a journal in phase `built` would install v2, without what the
/// application has undone by then.
#[test]
fn nothing_is_undone_while_v2_cannot_be_removed() {
    let bed = Bed::interrupted_before("link");
    Connection::open(bed.path("data.db"))
        .unwrap()
        .execute_batch("INSERT INTO notes (text) VALUES ('after the crash')")
        .unwrap();
    let staged = bed.find(".building-");
    let names = bed.names();
    let mut host = MakesADirectory { of: staged.clone(), undone: false };
    let error = cutover::migrate(&bed.options(), &mut host).unwrap_err();
    assert_eq!(error.failure.op.as_deref(), Some("remove"), "{}", error.failure);
    assert_eq!((host.undone, bed.names()), (false, names), "the journal stays");
    std::fs::remove_dir(&staged).unwrap();
    let result = bed.migrate().unwrap();
    assert_eq!(result.recovery, Recovery::Undone);
    bed.assert_migrated(&result, 4);
}
