//! A person copies files by hand: another v1 over canonical after a start was interrupted, or an
//! old copy of cutover's journal beside a v2 that has been used since.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use cutover::{
    BuildBy, BuildFrom, Built, Detect, Event, Host, HostError, Job, Make, Options, Outcome,
    Recovery,
};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::directory;
use crate::support::interrupt::Interrupt;
use crate::support::notes::{NOTES, TO_V2, V1, rows};

/// A directory in memory if possible: nothing here loses power.
struct Bed(tempfile::TempDir);

impl Bed {
    fn empty() -> Self {
        Self(tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap())
    }

    /// A v1 whose rows are only in its log, as a killed application leaves it, with a companion.
    fn new() -> Self {
        let live = Self::empty();
        let db = Connection::open(live.path("data.db")).unwrap();
        db.execute_batch(&format!(
            "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; {V1}"
        ))
        .unwrap();
        std::fs::write(live.path("auth.json"), "v1 secret").unwrap();
        live.copy()
    }

    /// A copy of everything but the locks, and but the shared memory, which every reader of a log
    /// makes anew.
    fn copy(&self) -> Self {
        let copy = Self::empty();
        for name in self.names().iter().filter(|name| !name.ends_with("-shm")) {
            std::fs::copy(self.path(name), copy.path(name)).unwrap();
        }
        copy
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn names(&self) -> Vec<String> {
        directory::names(self.0.path())
    }

    /// The content of each backup and receipt.
    fn backups(&self) -> BTreeMap<String, Vec<u8>> {
        let names = self.names().into_iter().filter(|name| name.starts_with("data.db.v1-v2-1"));
        names.map(|name| (name.clone(), std::fs::read(self.path(&name)).unwrap())).collect()
    }

    fn journal(&self) -> Option<String> {
        std::fs::read_to_string(self.path(JOURNAL)).ok()
    }

    fn options(&self, run: BuildBy) -> Options {
        let make = Make { from: BuildFrom::Empty, run };
        Options::new(self.path("data.db"), "v1-v2", Detect::UserVersion(2), make).wait_ms(0)
    }

    fn with_companion(&self) -> Options {
        let mut options = self.options(BuildBy::Host);
        options.companions.insert("auth".into(), self.path("auth.json"));
        options
    }
}

const JOURNAL: &str = "data.db.v1-v2-cutover.json";

fn phase(journal: &str) -> String {
    let journal: Value = serde_json::from_str(journal).unwrap();
    journal["phase"].as_str().unwrap().to_owned()
}

fn ask(path: &Path, sql: &str) -> String {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Counts the calls of `undo` and `cleanup`.
#[derive(Default)]
struct Calm {
    undone: u32,
    cleaned: u32,
}

impl Host for Calm {
    fn undo(&mut self, _state: Option<&Value>, _nonce: &str) -> Result<(), HostError> {
        self.undone += 1;
        Ok(())
    }
    fn cleanup(&mut self, _state: Option<&Value>, _nonce: &str) -> Result<(), HostError> {
        self.cleaned += 1;
        Ok(())
    }
    fn wait(&mut self, _delay_ms: u64) {}
}

const OLDER: [&str; 2] = ["milk", "rye bread"];

fn owned(rows: &[&str]) -> Vec<String> {
    rows.iter().map(ToString::to_string).collect()
}

/// How a person puts a file in canonical's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Put {
    /// The person copies the file over canonical. Its other hard links change with it.
    Over,
    /// The person renames the file to canonical.
    Instead,
}

fn put(how: Put, file: &Path, canonical: &Path) {
    for sidecar in ["-wal", "-shm", "-journal"] {
        let _ = std::fs::remove_file(format!("{}{sidecar}", canonical.display()));
    }
    match how {
        Put::Over => drop(std::fs::copy(file, canonical).unwrap()),
        Put::Instead => std::fs::rename(file, canonical).unwrap(),
    }
}

/// A person's copy of v1: with other rows in journal mode `older`, or without `older` v1 as it was.
/// The latter is the backup, if canonical is v2 already.
fn copy_of_v1(bed: &Bed, canonical_is_v2: bool, older: Option<&str>) -> (Bed, PathBuf) {
    let theirs = if older.is_some() { Bed::empty() } else { bed.copy() };
    let path = theirs.path(&if canonical_is_v2 && older.is_none() {
        bed.backups().into_keys().next().unwrap()
    } else {
        "data.db".into()
    });
    let db = Connection::open(&path).unwrap();
    if let Some(mode) = older {
        db.execute_batch(&format!(
            "PRAGMA journal_mode = {mode}; CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT \
             NOT NULL)"
        ))
        .unwrap();
        db.execute("INSERT INTO notes (text) VALUES (?1), (?2)", OLDER).unwrap();
    }
    // A read empties its log, so that it is one file.
    assert_eq!(ask(&path, "PRAGMA integrity_check"), "ok");
    drop(db);
    (theirs, path)
}

/// Interrupts a start before each of its steps. Returns how often each recovery followed each
/// phase.
fn put_over_whatever_was_interrupted(
    how: Put,
    older: Option<&str>,
) -> BTreeMap<(String, Recovery), u32> {
    let mut seen = BTreeMap::new();
    for at in 0.. {
        let bed = Bed::new();
        let (canonical, options) = (bed.path("data.db"), bed.options(BuildBy::Sql(TO_V2.into())));
        let mut host = Interrupt { at, seen: 0 };
        if catch_unwind(AssertUnwindSafe(|| {
            cutover::migrate(&options, &mut host).map(drop).unwrap();
        }))
        .is_ok()
        {
            break;
        }
        let phase = bed.journal().map_or_else(|| "none".into(), |journal| phase(&journal));
        let what =
            format!("{how:?}, older: {older:?}, interrupted at {at} ({phase}): {:?}", bed.names());
        let was_v2 =
            ask(&bed.copy().path("data.db"), "SELECT group_concat(name) FROM sqlite_master")
                == "note";
        let (_theirs, file) = copy_of_v1(&bed, was_v2, older);
        put(how, &file, &canonical);
        let put_there = if older.is_some() { &OLDER[..] } else { &NOTES };
        // If canonical still is a hard link of the backup, the person's copy replaced the content
        // of both.
        let mut kept = bed.backups();
        kept.retain(|_, _| was_v2 || how == Put::Instead);

        let mut host = Calm::default();
        let result = cutover::migrate(&options, &mut host)
            .unwrap_or_else(|error| panic!("{what}: {}", error.failure));
        assert_eq!(result.outcome, Outcome::Migrated, "{what}");
        assert_eq!(
            (rows(&canonical, "note"), ask(&canonical, "PRAGMA integrity_check")),
            (owned(put_there), "ok".into()),
            "{what}"
        );
        let backup = result.backup.unwrap();
        assert_eq!(rows(&backup, "notes"), put_there, "{what}");
        let mut backups = bed.backups();
        backups.retain(|name, _| kept.contains_key(name));
        assert!(backups == kept, "{what}: {:?}", backups.keys());
        let made = backup.file_name().unwrap().to_str().unwrap().to_owned();
        let mut expected: BTreeSet<String> = kept.into_keys().collect();
        expected.extend(["auth.json".into(), "data.db".into(), format!("{made}.json"), made]);
        let names = bed.names();
        assert_eq!(names, Vec::from_iter(expected), "{what}");
        assert!(
            cutover::list_backups(&canonical)
                .unwrap()
                .iter()
                .any(|one| one.whole && backup.ends_with(one.name.as_str())),
            "{what}"
        );
        let asked = (host.undone, host.cleaned);
        assert_eq!(
            asked,
            (u32::from(result.recovery == Recovery::Undone), 1 + u32::from(phase == "committed")),
            "{what}"
        );
        assert_eq!(
            cutover::migrate(&options, &mut host).unwrap().outcome,
            Outcome::Current,
            "{what}"
        );
        assert_eq!((bed.names(), (host.undone, host.cleaned)), (names, asked), "{what}");
        *seen.entry((phase, result.recovery)).or_default() += 1;
    }
    println!("{how:?}, older: {older:?}: {seen:?}");
    seen
}

/// The person's v1 is upgraded, and the backup of the interrupted start stays.
#[test]
fn an_older_v1_that_a_person_puts_over_canonical_is_what_is_upgraded() {
    for (how, mode) in [(Put::Over, "delete"), (Put::Instead, "wal")] {
        let seen = put_over_whatever_was_interrupted(how, Some(mode));
        let recoveries: Vec<_> = seen
            .keys()
            .map(|(phase, recovery)| (phase.as_str(), *recovery))
            .filter(|(phase, _)| *phase != "none")
            .collect();
        assert_eq!(
            recoveries,
            [
                ("building", Recovery::Undone),
                ("built", Recovery::Undone),
                ("committed", Recovery::Cleaned)
            ],
            "{how:?}"
        );
    }
}

/// The person puts v1 back as it was. Then v2 need not be built again, unless v1 is a new file,
/// which only its content could show to be equal.
#[test]
fn the_v1_that_a_person_puts_back_over_canonical_is_what_is_upgraded() {
    for how in [Put::Over, Put::Instead] {
        let seen = put_over_whatever_was_interrupted(how, None);
        let finished = seen.contains_key(&("built".into(), Recovery::Finished));
        assert!(
            finished == (how == Put::Over)
                && seen.contains_key(&("built".into(), Recovery::Undone)),
            "{how:?}: {seen:?}"
        );
    }
}

/// An application with a companion. At each step of its upgrade it keeps a copy of the journal and
/// of the files that are built and not yet in place.
struct App {
    directory: PathBuf,
    old: Vec<BTreeMap<String, Vec<u8>>>,
    calm: Calm,
}

impl Host for App {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        job.save_state(json!({ "keychain": 1 }))?;
        let v2 = Connection::open(job.staging())?;
        v2.execute("ATTACH DATABASE ?1 AS v1", [job.source()?.to_str().unwrap()])?;
        v2.execute_batch(TO_V2)?;
        job.write_companion("auth", b"v2 secret")?;
        Ok(Built { report: Some(json!({ "notes": 3 })), ..Built::default() })
    }
    fn event(&mut self, event: &Event) {
        let Event::Step { .. } = event else { return };
        let entries =
            std::fs::read_dir(&self.directory).unwrap().map(|entry| entry.unwrap().path());
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        let mine = entries.filter(|path| {
            [".building-", ".install-", "-cutover.json"]
                .iter()
                .any(|part| name(path).contains(part))
                && !name(path).contains(".tmp-")
        });
        let old: BTreeMap<_, _> =
            mine.map(|path| (name(&path), std::fs::read(&path).unwrap())).collect();
        if old.contains_key(JOURNAL) && self.old.last() != Some(&old) {
            self.old.push(old);
        }
    }
    fn undo(&mut self, state: Option<&Value>, nonce: &str) -> Result<(), HostError> {
        self.calm.undo(state, nonce)
    }
    fn cleanup(&mut self, state: Option<&Value>, nonce: &str) -> Result<(), HostError> {
        self.calm.cleanup(state, nonce)
    }
    fn wait(&mut self, _delay_ms: u64) {}
}

/// Rows that were written to v2 since stay in it, and a newer companion stays in its place or
/// beside it. Nothing is undone, and the journal is removed with its left-overs.
#[test]
fn an_old_journal_beside_a_v2_that_is_in_use_costs_no_row() {
    let bed = Bed::new();
    let mut app = App { directory: bed.0.path().into(), old: Vec::new(), calm: Calm::default() };
    cutover::migrate(&bed.with_companion(), &mut app).unwrap();
    let mut written = owned(&NOTES);
    written.push("written in v2".into());
    // The row is only in the log: the application was killed.
    let db = Connection::open(bed.path("data.db")).unwrap();
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; INSERT INTO note (body) VALUES \
         ('written in v2')",
    )
    .unwrap();
    std::fs::write(bed.path("auth.json"), "v2 secret, renewed").unwrap();
    let used = bed.copy();
    drop(db);
    let backup = used.backups().into_keys().next().unwrap();
    let listed = cutover::list_backups(&used.path("data.db")).unwrap();

    let mut phases = BTreeSet::new();
    for old in &app.old {
        let phase = phase(std::str::from_utf8(&old[JOURNAL]).unwrap());
        phases.insert(phase.clone());
        for (with_backup, with_staged) in
            [(true, true), (true, false), (false, true), (false, false)]
        {
            let bed = used.copy();
            let canonical = bed.path("data.db");
            for name in bed.backups().keys().filter(|_| !with_backup) {
                std::fs::remove_file(bed.path(name)).unwrap();
            }
            let mut names = bed.names();
            names.retain(|name| name != "data.db-wal");
            for (name, bytes) in old.iter().filter(|(name, _)| with_staged || *name == JOURNAL) {
                std::fs::write(bed.path(name), bytes).unwrap();
            }
            let what = format!("{phase}, backup: {with_backup}: {:?}", bed.names());

            let mut host = Calm::default();
            let result = cutover::migrate(&bed.with_companion(), &mut host)
                .unwrap_or_else(|error| panic!("{what}: {}", error.failure));
            assert_eq!(
                (rows(&canonical, "note"), ask(&canonical, "PRAGMA integrity_check")),
                (written.clone(), "ok".into()),
                "{what}"
            );
            let ends = with_backup && phase != "committed";
            let told = if ends {
                (Outcome::Migrated, Recovery::Finished)
            } else {
                (Outcome::Current, Recovery::Cleaned)
            };
            assert_eq!(
                ((result.outcome, result.recovery), host.undone, host.cleaned),
                (told, 0, 1),
                "{what}"
            );
            assert_eq!(
                result.backup,
                with_backup.then(|| canonical.with_file_name(&backup)),
                "{what}"
            );
            // If a companion is installed, the content that it displaces is kept beside it, with a
            // warning.
            let displaced: Vec<String> =
                bed.names().into_iter().filter(|name| name.contains(".displaced-")).collect();
            let renewed = bed.path(displaced.first().map_or("auth.json", String::as_str));
            assert_eq!(std::fs::read_to_string(renewed).unwrap(), "v2 secret, renewed", "{what}");
            let codes: Vec<_> =
                result.warnings.iter().filter_map(|warning| warning.code.as_deref()).collect();
            assert_eq!(codes, vec!["KEPT"; displaced.len()], "{what}");
            assert!(displaced.is_empty() || (ends && with_staged), "{what}");
            names.extend(displaced);
            names.sort();
            assert_eq!(bed.names(), names, "{what}");
            let mut expected = if with_backup { listed.clone() } else { Vec::new() };
            for backup in &mut expected {
                backup.warnings.clone_from(&result.warnings);
            }
            assert_eq!(cutover::list_backups(&canonical).unwrap(), expected, "{what}");

            let again = cutover::migrate(&bed.with_companion(), &mut host).unwrap();
            assert_eq!(
                (again.outcome, again.recovery, host.undone, host.cleaned),
                (Outcome::Current, Recovery::None, 0, 1),
                "{what}"
            );
            assert_eq!((bed.names(), rows(&canonical, "note")), (names, written.clone()), "{what}");
        }
    }
    assert_eq!(phases.into_iter().collect::<Vec<_>>(), ["building", "built", "committed"]);
}

/// A journal in phase `building` knows less of v1 and v2 than the receipt, which the upgrade wrote
/// at its end.
#[test]
fn an_old_journal_leaves_a_backup_its_receipt() {
    let bed = Bed::new();
    let mut app = App { directory: bed.0.path().into(), old: Vec::new(), calm: Calm::default() };
    let backup = cutover::migrate(&bed.with_companion(), &mut app).unwrap().backup.unwrap();
    let path = bed.path("data.db");
    let listed = cutover::list_backups(&path).unwrap();
    std::fs::write(bed.path(JOURNAL), &app.old[0][JOURNAL]).unwrap();
    cutover::migrate(&bed.with_companion(), &mut app).unwrap();
    let now = cutover::list_backups(&path).unwrap();
    let options = cutover::BackupOptions::default().companions(bed.with_companion().companions);
    let restored = cutover::restore(&path, &backup, &options, &mut app)
        .map(drop)
        .map_err(|error| error.failure.to_string());
    assert_eq!((now, restored), (listed, Ok(())));
}

/// Two copies of one database with one commit each have equal headers and sizes.
#[test]
fn another_v1_with_as_many_commits_is_not_taken_for_the_old_one() {
    let bed = Bed::empty();
    let path = bed.path("data.db");
    Connection::open(&path).unwrap().execute_batch(V1).unwrap();
    let theirs = bed.copy();
    for (path, text) in [(&path, "here"), (&theirs.path("data.db"), "there")] {
        Connection::open(path)
            .unwrap()
            .execute("INSERT INTO notes (text) VALUES (?1)", [text])
            .unwrap();
    }
    let options = bed.options(BuildBy::Sql(TO_V2.into()));
    let plan = cutover::plan(&options, &mut Calm::default()).unwrap().unwrap();
    let mut host = Interrupt { at: plan.flip_at.unwrap() as usize, seen: 0 };
    assert!(
        catch_unwind(AssertUnwindSafe(|| cutover::migrate(&options, &mut host).map(drop))).is_err()
    );
    put(Put::Instead, &theirs.path("data.db"), &path);
    let backup = cutover::migrate(&options, &mut Calm::default()).unwrap().backup.unwrap();
    assert_eq!(
        (rows(&path, "note"), rows(&backup, "notes")),
        (
            rows(&backup, "notes"),
            [&NOTES[..], &["there"]].concat().iter().map(ToString::to_string).collect()
        )
    );
}
