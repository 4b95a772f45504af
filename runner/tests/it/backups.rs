//! Backups of real upgrades are listed, pruned and restored, with real files and real SQLite.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use cutover::core::DataState;
use cutover::{
    BackupOptions, BuildBy, BuildFrom, Built, Code, Detect, Event, Host, HostError, Job, Make,
    Options, Outcome, Recovery, RestoreResult, Rule,
};
use rusqlite::Connection;

use crate::support::directory;
use crate::support::interrupt::Interrupt;
use crate::support::notes::{NOTES, TO_V2, V1, rows};

const DAY_MS: u64 = 86_400_000;

#[derive(Default)]
struct Calm {
    warned: Vec<String>,
}

impl Host for Calm {
    fn wait(&mut self, _delay_ms: u64) {}

    fn event(&mut self, event: &Event) {
        if let Event::Warning { warning } = event {
            self.warned.push(warning.message.clone());
        }
    }

    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let v2 = Connection::open(job.staging())?;
        v2.execute_batch(&format!("ATTACH '{}' AS v1; {TO_V2}", job.source().display()))?;
        job.write_companion("auth", b"of v2")?;
        Ok(Built::default())
    }
}

/// A directory with a database in it.
struct Bed(tempfile::TempDir);

impl Bed {
    /// An upgraded v1.
    fn upgraded(mode: &str) -> Self {
        let bed = Self(directory());
        bed.sql("data.db", &format!("PRAGMA journal_mode = {mode}; {V1}"));
        assert_eq!(bed.migrate(None).outcome, Outcome::Migrated);
        bed
    }

    /// An upgraded v1 with a companion that the upgrade changed.
    fn upgraded_with_companion() -> Self {
        let bed = Self(directory());
        bed.sql("data.db", &format!("PRAGMA journal_mode = WAL; {V1}"));
        std::fs::write(bed.path("auth.json"), "of v1").unwrap();
        cutover::migrate(&bed.with_companion(), &mut Calm::default()).unwrap();
        bed
    }

    fn with_companion(&self) -> Options {
        let make = Make { from: BuildFrom::Empty, run: BuildBy::Host };
        Options { make, companions: self.beside().companions, ..self.options() }
    }

    /// Makes the newest backup this many days older in its name and its receipt.
    fn age_newest(&self, days: u64) {
        let backup = &self.backups()[0];
        let [now, then] =
            [backup.started_ms, backup.started_ms - days * DAY_MS].map(|ms| ms.to_string());
        let receipt = format!("{}.json", backup.name);
        std::fs::write(self.path(&receipt), self.read(&receipt).replace(&now, &then)).unwrap();
        for name in [receipt.as_str(), backup.name.as_str()] {
            std::fs::rename(self.path(name), self.path(&name.replace(&now, &then))).unwrap();
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn sql(&self, name: &str, sql: &str) {
        Connection::open(self.path(name)).unwrap().execute_batch(sql).unwrap();
    }

    fn options(&self) -> Options {
        Options::new(
            self.path("data.db"),
            "v1-v2",
            Detect::UserVersion(2),
            Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) },
        )
    }

    fn beside(&self) -> BackupOptions {
        BackupOptions {
            companions: [("auth".to_owned(), self.path("auth.json"))].into(),
            wait_ms: 0,
            ..BackupOptions::default()
        }
    }

    fn migrate(&self, keep_backups: Option<u32>) -> cutover::MigrateResult {
        cutover::migrate(&Options { keep_backups, ..self.options() }, &mut Calm::default()).unwrap()
    }

    fn backups(&self) -> Vec<cutover::Backup> {
        cutover::list_backups(&self.path("data.db")).unwrap()
    }

    fn newest(&self) -> PathBuf {
        self.backups()[0].name.as_str().into()
    }

    fn restore(&self) -> Result<RestoreResult, cutover::Error> {
        cutover::restore(
            &self.path("data.db"),
            &self.newest(),
            &BackupOptions { wait_ms: 0, ..BackupOptions::default() },
            &mut Calm::default(),
        )
    }

    fn names(&self) -> Vec<String> {
        directory::names(self.0.path())
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }
}

fn version_of(path: &Path) -> i64 {
    Connection::open(path).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

/// In memory if possible: this test does not check that flushes reach a disk.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

/// Whether the header says WAL: byte 18 of the file format is 2.
fn is_wal(path: &Path) -> bool {
    std::fs::read(path).unwrap()[18] == 2
}

#[test]
fn v1_is_the_database_again_and_v2_is_set_aside_with_every_row() {
    for (mode, wal) in [("WAL", true), ("DELETE", false)] {
        let bed = Bed::upgraded(mode);
        let backup = bed.path(bed.newest().to_str().unwrap());
        let before = std::fs::read(&backup).unwrap();
        // This row is in the log of a killed application.
        bed.sql(
            "data.db",
            "PRAGMA journal_mode = WAL; INSERT INTO note (body) VALUES ('after the upgrade')",
        );
        let result = bed.restore().unwrap();
        assert_eq!(
            (&result.backup, result.recovery, result.companions.len()),
            (&backup, Recovery::None, 0)
        );
        assert_eq!(is_wal(&bed.path("data.db")), wal, "v1 has its journal mode again");
        assert_eq!(rows(&bed.path("data.db"), "notes"), NOTES);
        assert_eq!(
            rows(&result.displaced, "note"),
            ["milk", "bread", "a new bicycle", "after the upgrade"]
        );
        assert_eq!(std::fs::read(&backup).unwrap(), before, "the backup stays a backup");
        let (backup, displaced) =
            (backup.file_name().unwrap(), result.displaced.file_name().unwrap());
        let seen = cutover::inspect(&bed.path("data.db"), &[].into()).unwrap();
        assert_eq!(
            (
                seen.displaced.keys().map(cutover::core::FileName::as_str).collect::<Vec<_>>(),
                seen.leftovers.len()
            ),
            (vec![displaced.to_str().unwrap()], 0)
        );
        let wanted = [
            "data.db".into(),
            displaced.to_owned(),
            backup.to_owned(),
            format!("{}.json", backup.to_str().unwrap()).into(),
        ];
        assert_eq!(bed.names(), wanted.map(|name| name.into_string().unwrap()));
        assert_eq!(result.warnings, []);
        // The next start upgrades the restored v1.
        assert_eq!(bed.migrate(None).outcome, Outcome::Migrated);
        assert_eq!(rows(&bed.path("data.db"), "note"), NOTES);
    }
}

#[test]
fn two_restores_set_two_databases_aside() {
    let bed = Bed::upgraded("WAL");
    let first = bed.restore().unwrap();
    bed.sql("data.db", "INSERT INTO notes (text) VALUES ('of the old release')");
    let second = bed.restore().unwrap();
    assert_ne!(first.displaced, second.displaced);
    assert_eq!(rows(&first.displaced, "note"), NOTES);
    assert_eq!(
        rows(&second.displaced, "notes"),
        ["milk", "bread", "a new bicycle", "of the old release"]
    );
    assert_eq!(rows(&bed.path("data.db"), "notes"), NOTES);
}

#[test]
fn companions_come_back_and_what_was_there_is_kept() {
    let bed = Bed::upgraded_with_companion();
    assert_eq!(bed.read("auth.json"), "of v2");
    let restore = |options: &BackupOptions| {
        cutover::restore(&bed.path("data.db"), &bed.newest(), options, &mut Calm::default())
            .unwrap()
    };
    // Without a declaration only the database is restored, and the result says so.
    let bare = restore(&BackupOptions::default());
    let auth = bare.companions.values().next().unwrap();
    assert_eq!(
        (auth.restored, auth.why.as_deref()),
        (false, Some("it is not declared in the options"))
    );
    assert_eq!(bed.read("auth.json"), "of v2");
    let whole = restore(&bed.beside());
    let auth = whole.companions.values().next().unwrap();
    assert_eq!(
        (auth.restored, auth.why.as_deref(), bed.read("auth.json").as_str()),
        (true, None, "of v1")
    );
    assert_eq!(std::fs::read_to_string(auth.displaced.as_ref().unwrap()).unwrap(), "of v2");
    // The companion's backup stays too.
    let again = restore(&bed.beside());
    assert!(again.companions.values().next().unwrap().restored && bed.read("auth.json") == "of v1");
}

/// Checks what a start finds after an interrupted restore. Returns whether the database is v2.
fn assert_whole(bed: &Bed, at: usize) -> bool {
    let path = bed.path("data.db");
    let version = version_of(&path);
    let v2 = ["milk", "bread", "a new bicycle", "after the upgrade"];
    let displaced: Vec<String> =
        bed.names().into_iter().filter(|name| name.starts_with("data.db.displaced-")).collect();
    if version == 2 {
        assert_eq!(
            (rows(&path, "note"), bed.read("auth.json").as_str()),
            (v2.map(str::to_owned).to_vec(), "of v2"),
            "{at}"
        );
        assert_eq!(displaced.len(), 0, "{at}");
    } else {
        assert_eq!(
            (rows(&path, "notes"), bed.read("auth.json").as_str()),
            (NOTES.map(str::to_owned).to_vec(), "of v1"),
            "{at}"
        );
        // A restore that had finished and is called again sets its v1 aside as well.
        assert!(displaced.iter().any(|name| version_of(&bed.path(name)) == 2 && rows(&bed.path(name), "note") == v2), "{at}");
    }
    let temporary = |name: &&String| {
        [".install-", ".building-", ".source-", "cutover.json"]
            .iter()
            .any(|part| name.contains(part))
    };
    assert_eq!(bed.names().iter().find(temporary), None, "{at}");
    assert!(bed.backups()[0].whole, "{at}");
    version == 2
}

#[test]
fn interrupted_at_any_step_the_next_start_has_one_or_the_other() {
    let mut both = [0, 0];
    for at in 0.. {
        let bed = Bed::upgraded_with_companion();
        bed.sql("data.db", "INSERT INTO note (body) VALUES ('after the upgrade')");
        let (path, backup) = (bed.path("data.db"), bed.newest());
        let mut host = Interrupt { at, seen: 0 };
        let ended = catch_unwind(AssertUnwindSafe(|| {
            cutover::restore(&path, &backup, &bed.beside(), &mut host).map(drop).unwrap();
        }));
        if ended.is_ok() {
            break;
        }
        // At any instant canonical is whole for any reader.
        let connection = Connection::open(&path).unwrap();
        let sound: String =
            connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok", "{at}");
        drop(connection);
        let mut options = bed.options();
        options.companions = bed.beside().companions;
        // A start with `detect` and another label, a start that only restores, and a start that is
        // interrupted again all end alike.
        options.label = "v2-v3".into();
        if at % 2 == 0 {
            let again = Interrupt { at: at / 4, seen: 0 };
            let _ = catch_unwind(AssertUnwindSafe(move || {
                let mut again = again;
                let _ = cutover::recover(&options, &mut again);
            }));
            let mut options = bed.options();
            options.companions = bed.beside().companions;
            cutover::recover(&options, &mut Calm::default()).unwrap();
            both[usize::from(assert_whole(&bed, at))] += 1;
        }
        let result = cutover::restore(&path, &backup, &bed.beside(), &mut Calm::default()).unwrap();
        assert!(result.displaced.exists(), "{at}");
        assert!(!assert_whole(&bed, at), "{at}");
    }
    assert!(both[0] > 5 && both[1] > 5, "{both:?}");
}

#[test]
fn an_interrupted_restore_that_was_done_is_not_done_again() {
    let bed = Bed::upgraded("WAL");
    let (path, backup) = (bed.path("data.db"), bed.newest());
    // Right after the flip's directory fsync.
    let at = 25;
    let mut host = Interrupt { at, seen: 0 };
    let _ = catch_unwind(AssertUnwindSafe(|| {
        cutover::restore(&path, &backup, &BackupOptions::default(), &mut host).map(drop).unwrap();
    }));
    assert_eq!(rows(&path, "notes"), NOTES, "the flip is done");
    let result = bed.restore().unwrap();
    assert_eq!(result.recovery, Recovery::Finished);
    assert_eq!(rows(&result.displaced, "note"), NOTES);
    assert_eq!(bed.names().iter().filter(|name| name.contains(".displaced-")).count(), 1);
}

/// A restore that was killed after its commit does not prove what the database is at the next call:
/// a person may have put v2 back.
#[test]
fn a_restore_after_v2_was_put_back_by_hand_restores_again() {
    let (mut put_back, mut at) = (0, 25);
    loop {
        let bed = Bed::upgraded("WAL");
        let (path, backup) = (bed.path("data.db"), bed.newest());
        let mut host = Interrupt { at, seen: 0 };
        let restore = || {
            cutover::restore(&path, &backup, &BackupOptions::default(), &mut host)
                .map(drop)
                .unwrap();
        };
        let ended = catch_unwind(AssertUnwindSafe(restore)).is_ok();
        let committed = bed.names().iter().any(|name| {
            name.ends_with("-cutover.json") && bed.read(name).contains(r#""committed""#)
        });
        if committed {
            let displaced =
                bed.names().into_iter().find(|name| name.contains(".displaced-")).unwrap();
            std::fs::rename(bed.path(&displaced), &path).unwrap();
            put_back += 1;
        }
        let result = bed.restore().unwrap();
        assert_eq!(rows(&path, "notes"), NOTES, "{at}");
        if committed {
            assert_eq!(rows(&result.displaced, "note"), NOTES, "{at}");
        }
        if ended {
            break;
        }
        at += 1;
    }
    assert!(put_back > 1, "{put_back}");
}

#[test]
fn a_backup_that_is_not_whole_is_refused_and_v2_stays() {
    let refused = |spoil: &dyn Fn(&Bed, &Path)| {
        let bed = Bed::upgraded("WAL");
        let backup = bed.path(bed.newest().to_str().unwrap());
        spoil(&bed, &backup);
        let failure = bed.restore().unwrap_err().failure;
        assert_eq!(rows(&bed.path("data.db"), "note"), NOTES);
        assert!(is_wal(&bed.path("data.db")), "v2 has its journal mode again");
        assert!(!bed.names().iter().any(|name| name.contains("cutover.json")
            || name.contains(".install-")
            || name.contains(".displaced-")));
        *failure
    };
    let lost =
        refused(&|_, backup| std::fs::remove_file(format!("{}.json", backup.display())).unwrap());
    assert_eq!(lost.code, Code::Verify);
    assert!(lost.to_string().contains("there is no receipt beside it"), "{}", lost.to_string());
    let written = refused(&|_, backup| {
        Connection::open(backup).unwrap().execute_batch("PRAGMA user_version = 7").unwrap();
    });
    assert!(written.to_string().contains("changed since it was made"), "{}", written.to_string());
    // Size and header are right, so only reading the file shows the damage.
    let torn = refused(&|_, backup| {
        let mut bytes = std::fs::read(backup).unwrap();
        bytes[4096..].fill(0xa5);
        std::fs::write(backup, bytes).unwrap();
    });
    assert_eq!(
        (torn.code, torn.data.state, torn.hint.as_str()),
        (Code::Verify, DataState::V2, "the backup is not sound; choose another one")
    );
    for other in ["/etc/hostname", "data.db", "data.db.v1-v2-1-00000000"] {
        let bed = Bed::upgraded("WAL");
        let failure = cutover::restore(
            &bed.path("data.db"),
            Path::new(other),
            &BackupOptions::default(),
            &mut Calm::default(),
        )
        .unwrap_err();
        assert_eq!(failure.failure.code, Code::Io, "{other}");
    }
}

#[test]
fn beside_an_unfinished_upgrade_nothing_is_restored_or_pruned() {
    let bed = Bed::upgraded("WAL");
    bed.restore().unwrap();
    let mut host = Interrupt { at: 8, seen: 0 };
    assert!(
        catch_unwind(AssertUnwindSafe(|| cutover::migrate(&bed.options(), &mut host).map(drop)))
            .is_err()
    );
    assert_eq!(bed.restore().unwrap_err().failure.code, Code::Journal);
    let rule = Rule { keep: Some(1), older_than_ms: None };
    let pruned = cutover::prune_backups(
        &bed.path("data.db"),
        rule,
        &BackupOptions::default(),
        &mut Calm::default(),
    );
    assert_eq!(pruned.unwrap_err().failure.code, Code::Journal);
    cutover::recover(&bed.options(), &mut Calm::default()).unwrap();
    bed.restore().unwrap();
}

#[test]
fn a_program_that_has_it_open_is_named() {
    let bed = Bed::upgraded("WAL");
    // On Windows pages are copied into the open database (`restore_on_windows.rs`).
    if !cfg!(windows) {
        let open = Connection::open(bed.path("data.db")).unwrap();
        open.execute_batch("SELECT * FROM note").unwrap();
        let failure = bed.restore().unwrap_err().failure;
        assert_eq!(failure.code, Code::Held);
        assert!(failure.holders.iter().any(|holder| holder.this_process));
    }
    let reader = Connection::open(bed.path(bed.newest().to_str().unwrap())).unwrap();
    reader.execute_batch("SELECT * FROM notes").unwrap();
    let failure = bed.restore().unwrap_err().failure;
    assert_eq!((failure.code, failure.data.state), (Code::Held, DataState::V2), "{failure}");
    drop(reader);
    bed.restore().unwrap();
}

#[test]
fn a_list_tells_what_the_receipts_know() {
    let bed = Bed::upgraded_with_companion();
    let backup = bed.backups().remove(0);
    let file = bed.path(backup.name.as_str());
    assert!(backup.whole && backup.started_ms > 1_700_000_000_000);
    assert_eq!(
        (backup.label.as_str(), backup.size),
        ("v1-v2", std::fs::metadata(&file).unwrap().len())
    );
    assert_eq!(bed.read(backup.companions.values().next().unwrap().as_str()), "of v1");
    std::fs::remove_file(format!("{}.json", file.display())).unwrap();
    let backup = bed.backups().remove(0);
    assert_eq!(
        (backup.whole, backup.why.as_deref()),
        (false, Some("there is no receipt beside it"))
    );
}

/// Upgrades, restores and upgrades again, which leaves two backups.
fn two_backups() -> Bed {
    let bed = Bed::upgraded("WAL");
    bed.restore().unwrap();
    bed.migrate(None);
    assert_eq!(bed.backups().len(), 2);
    bed
}

#[test]
fn a_prune_takes_the_old_ones_with_their_receipts() {
    let bed = two_backups();
    let old = bed.backups().remove(1).name;
    let prune = |rule| {
        cutover::prune_backups(
            &bed.path("data.db"),
            rule,
            &BackupOptions::default(),
            &mut Calm::default(),
        )
        .unwrap()
    };
    assert_eq!(
        prune(Rule { keep: None, older_than_ms: Some(3_600_000) }).removed.len(),
        0,
        "none is an hour old"
    );
    let result = prune(Rule { keep: Some(1), older_than_ms: None });
    assert_eq!((result.removed, result.left), (vec![bed.path(old.as_str())], vec![]));
    assert!(!bed.names().iter().any(|name| name.starts_with(old.as_str())));
    assert_eq!(prune(Rule { keep: Some(1), older_than_ms: None }).removed.len(), 0);
    bed.restore().unwrap();
}

#[test]
fn a_prune_by_age_takes_the_companions_backups_of_what_it_takes() {
    let bed = Bed::upgraded_with_companion();
    bed.age_newest(30);
    for days in [20, 10] {
        cutover::restore(&bed.path("data.db"), &bed.newest(), &bed.beside(), &mut Calm::default())
            .unwrap();
        cutover::migrate(&bed.with_companion(), &mut Calm::default()).unwrap();
        bed.age_newest(days);
    }
    let backups = bed.backups();
    assert!(
        backups.len() == 3
            && backups.iter().all(|backup| backup.whole && backup.companions.len() == 1),
        "{backups:?}"
    );
    let prune = |days: u64, options: &BackupOptions| {
        let rule = Rule { keep: None, older_than_ms: Some(days * DAY_MS) };
        cutover::prune_backups(&bed.path("data.db"), rule, options, &mut Calm::default()).unwrap()
    };
    // The newest backup stays at any age. So does a backup with a companion that the options do not
    // declare.
    for (days, left) in [(40, 3), (25, 2), (5, 1), (0, 1)] {
        if left < bed.backups().len() {
            let undeclared = prune(days, &BackupOptions::default());
            assert_eq!(
                (undeclared.removed.len(), undeclared.left.len()),
                (0, bed.backups().len() - left),
                "{days}"
            );
        }
        prune(days, &bed.beside());
        assert_eq!(bed.backups(), backups[..left], "{days}");
        let of_companion = |name: &String| name.starts_with("auth.json.v1-v2-");
        let mut expected: Vec<&str> = backups[..left]
            .iter()
            .flat_map(|backup| backup.companions.values())
            .map(cutover::core::FileName::as_str)
            .collect();
        expected.sort_unstable();
        assert_eq!(
            bed.names().into_iter().filter(of_companion).collect::<Vec<_>>(),
            expected,
            "{days}"
        );
    }
    cutover::restore(&bed.path("data.db"), &bed.newest(), &bed.beside(), &mut Calm::default())
        .unwrap();
    assert_eq!(
        (rows(&bed.path("data.db"), "notes"), bed.read("auth.json").as_str()),
        (NOTES.map(str::to_owned).to_vec(), "of v1")
    );
}

#[test]
fn an_upgrade_that_prunes_and_is_killed_is_ended_by_a_start_that_prunes() {
    let [mut pruned, mut committed] = [0, 0];
    for at in (0..).step_by(3) {
        let bed = two_backups();
        bed.restore().unwrap();
        let path = bed.path("data.db");
        let options = Options { keep_backups: Some(1), ..bed.options() };
        let mut host = Interrupt { at, seen: 0 };
        let killed = catch_unwind(AssertUnwindSafe(|| {
            cutover::migrate(&options, &mut host).map(drop).unwrap();
        }))
        .is_err();
        let journal = bed.names().iter().any(|name| name.ends_with("-cutover.json"));
        let result = cutover::migrate(&options, &mut Calm::default()).unwrap();
        assert_eq!(
            (rows(&path, "note"), result.warnings),
            (NOTES.map(str::to_owned).to_vec(), vec![]),
            "{at}"
        );
        let backups = bed.backups();
        assert!(backups.iter().all(|backup| backup.whole), "{at}: {backups:?}");
        assert_eq!(
            rows(&bed.path(backups[0].name.as_str()), "notes"),
            NOTES,
            "{at}: the newest is never pruned"
        );
        // Without a journal a start cannot know that an earlier one has not pruned.
        if journal || result.outcome == Outcome::Migrated {
            assert_eq!(backups.len(), 1, "{at}");
            pruned += 1;
            committed += usize::from(result.outcome != Outcome::Migrated);
        }
        if !killed {
            break;
        }
    }
    assert!(pruned > 8 && committed > 0, "{pruned}, {committed}");
}

#[test]
fn a_prune_that_is_killed_is_finished_by_the_next() {
    let rule = Rule { keep: Some(1), older_than_ms: None };
    for at in 0.. {
        let bed = two_backups();
        let (path, old) = (bed.path("data.db"), bed.backups().remove(1).name);
        let mut host = Interrupt { at, seen: 0 };
        let killed = catch_unwind(AssertUnwindSafe(|| {
            cutover::prune_backups(&path, rule, &BackupOptions::default(), &mut host).map(drop)
        }));
        assert!(
            bed.backups().iter().all(|backup| backup.whole),
            "{at}: every backup that is left is whole"
        );
        cutover::prune_backups(&path, rule, &BackupOptions::default(), &mut Calm::default())
            .unwrap();
        assert!(!bed.names().iter().any(|name| name.starts_with(old.as_str())), "{at}");
        if killed.is_ok() {
            assert!(at >= 4);
            break;
        }
    }
}

#[test]
fn an_upgrade_may_prune_and_a_prune_that_fails_is_a_warning() {
    let bed = Bed::upgraded("WAL");
    bed.restore().unwrap();
    assert_eq!(bed.migrate(Some(1)).warnings, []);
    assert_eq!(bed.backups().len(), 1);
    bed.restore().unwrap();
    // A directory cannot be removed as a file.
    let stays = bed.path(&format!("{}-shm", bed.backups()[0].name));
    std::fs::create_dir(&stays).unwrap();
    let mut host = Calm::default();
    let result =
        cutover::migrate(&Options { keep_backups: Some(1), ..bed.options() }, &mut host).unwrap();
    assert_eq!(
        (result.outcome, result.warnings[0].code.as_deref()),
        (Outcome::Migrated, Some("PRUNE"))
    );
    let message = &result.warnings[0].message;
    assert!(message.contains(stays.file_name().unwrap().to_str().unwrap()), "{message}");
    assert_eq!(host.warned, [result.warnings[0].message.clone()]);
    // A start that upgrades nothing prunes nothing.
    assert_eq!(bed.migrate(Some(1)).warnings, []);
}
