//! The application declares its companion at another place than the interrupted start did, because
//! its environment changed, say. The recovery finishes or undoes the database, leaves the files at
//! both places as they are, and names both. An upgrade does not begin in that start. A companion
//! that was moved or copied with the database's directory is still the one. What lies beside a
//! companion is listed.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use crate::support::interrupt::Interrupt;
use crate::support::notes::{NOTES, TO_V2, V1, rows};
use cutover::planner::DataState;
use cutover::{
    BackupOptions, BuildBy, BuildFrom, Built, Code, Detect, DoctorOptions, Error, Event, Failure,
    Host, HostError, Job, Make, MigrateResult, Options, Recovery, RestoreResult,
};
use rusqlite::Connection;

/// How the application changes its companion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Staged,
    InPlace,
    /// The companion does not exist before.
    New,
}

struct App<'a> {
    how: How,
    auth: &'a Path,
    interrupt: Interrupt,
}

impl Host for App<'_> {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let v2 = Connection::open(job.staging())?;
        v2.execute("ATTACH DATABASE ?1 AS v1", [job.source()?.to_str().unwrap()])?;
        v2.execute_batch(TO_V2)?;
        match self.how {
            How::Staged => {
                let auth = job.read_companion("auth")?.unwrap();
                job.write_companion("auth", &[b"v2 of ", &auth[..]].concat())?;
            }
            How::InPlace | How::New => {
                std::fs::write(self.auth, format!("v2 of {}", read(self.auth)))?;
            }
        }
        Ok(Built::default())
    }
    fn event(&mut self, event: &Event) {
        self.interrupt.event(event);
    }
    fn wait(&mut self, _delay_ms: u64) {}
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

struct Bed(tempfile::TempDir);

impl Bed {
    fn new(how: How) -> Self {
        let bed = Self(tempfile::tempdir().unwrap());
        for name in ["app/data", "app/conf", "other"] {
            std::fs::create_dir_all(bed.path(name)).unwrap();
        }
        Connection::open(bed.path("app/data/data.db")).unwrap().execute_batch(V1).unwrap();
        std::fs::write(bed.path("other/auth.json"), "another's").unwrap();
        if how != How::New {
            std::fs::write(bed.path("app/conf/auth.json"), "v1 secret").unwrap();
        }
        bed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn options(&self, app: &str, auth: &str) -> Options {
        let make = Make { from: BuildFrom::Empty, run: BuildBy::Host };
        let mut options = Options::new(
            self.path(app).join("data/data.db"),
            "v1-v2",
            Detect::UserVersion(2),
            make,
        );
        options.companions.insert("auth".into(), self.path(auth));
        options
    }

    fn migrate(&self, how: How, app: &str, auth: &str, at: usize) -> Option<MigrateResult> {
        catch_unwind(AssertUnwindSafe(|| self.start(how, app, auth, at).unwrap())).ok()
    }

    fn start(&self, how: How, app: &str, auth: &str, at: usize) -> Result<MigrateResult, Error> {
        let options = self.options(app, auth);
        let auth = self.path(auth);
        let mut host = App { how, auth: &auth, interrupt: Interrupt { at, seen: 0 } };
        cutover::migrate(&options, &mut host)
    }

    /// The paths of the companions, as messages have them: without Windows' prefix.
    fn companions(&self) -> [String; 2] {
        ["app/conf", "other"].map(|name| {
            let real = std::fs::canonicalize(self.path(name)).unwrap().join("auth.json");
            real.to_str().unwrap().trim_start_matches(r"\\?\").to_owned()
        })
    }

    /// The upgrade that was refused: what failed, on which path, why, and what to do.
    fn assert_refused(&self, failure: &Failure, what: &str) {
        let [was, now] = self.companions();
        let what = format!("{what}: {failure}");
        assert_eq!((failure.code, failure.data.state), (Code::Io, DataState::V1), "{what}");
        assert_eq!((failure.path.as_ref(), &failure.op), (Some(&now), &None), "{what}");
        assert!(failure.reason.contains(&was) && failure.hint.contains(&was), "{what}");
        assert!(!self.has_journal() && !self.is_v2(), "{what}");
        assert_eq!(rows(&self.path("app/data/data.db"), "notes"), NOTES, "{what}");
        assert!(self.holds("other").values().eq(["another's"]), "{what}");
    }

    fn restore(&self, auth: &str) -> RestoreResult {
        let database = self.path("app/data/data.db");
        let newest = cutover::list_backups(&database).unwrap().remove(0).name;
        let options = BackupOptions::default().companions([("auth", self.path(auth))]);
        let mut host = Interrupt { at: usize::MAX, seen: 0 };
        cutover::restore(&database, Path::new(newest.as_str()), &options, &mut host).unwrap()
    }

    /// The content of a directory, without locks.
    fn holds(&self, directory: &str) -> BTreeMap<String, String> {
        let entries = std::fs::read_dir(self.path(directory)).unwrap().map(Result::unwrap);
        let named =
            entries.map(|entry| (entry.file_name().into_string().unwrap(), read(&entry.path())));
        named.filter(|(name, _)| !name.ends_with("-lock")).collect()
    }

    fn is_v2(&self) -> bool {
        // `user_version`, at offset 60: <https://www.sqlite.org/fileformat2.html>.
        std::fs::read(self.path("app/data/data.db")).unwrap()[63] == 2
    }

    fn has_journal(&self) -> bool {
        std::fs::read_dir(self.path("app/data"))
            .unwrap()
            .any(|entry| entry.unwrap().file_name().to_str().unwrap().ends_with("-cutover.json"))
    }
}

#[test]
fn a_companion_that_is_declared_elsewhere_since_a_crash_is_left_as_it_is_at_both_places() {
    for how in [How::Staged, How::InPlace, How::New] {
        let (mut at, mut told_of, mut refused, mut restored) = (0, 0, 0, 0);
        loop {
            let bed = Bed::new(how);
            let interrupted = bed.migrate(how, "app", "app/conf/auth.json", at).is_none();
            let (before, journal, is_v2) = (bed.holds("app/conf"), bed.has_journal(), bed.is_v2());
            let again = || bed.start(how, "app", "other/auth.json", usize::MAX);
            let what = format!("{how:?}, before step {at}");
            let (result, told_by_error) = match again() {
                Ok(result) => (result, false),
                // The interrupted upgrade is undone, and another does not begin. The next start has
                // no journal to know the other place by.
                Err(error) => {
                    assert!(journal && !is_v2, "{what}");
                    bed.assert_refused(&error.failure, &what);
                    assert_eq!(bed.holds("app/conf"), before, "{what}");
                    refused += 1;
                    (again().unwrap(), true)
                }
            };
            let what = format!("{what}: {result:?}");
            assert_eq!(bed.holds("app/conf"), before, "{what}");
            assert_eq!(rows(&bed.path("app/data/data.db"), "note"), NOTES, "{what}");
            let told: Vec<_> = result
                .warnings
                .iter()
                .filter(|warning| warning.code.as_deref() == Some("COMPANION_MOVED"))
                .collect();
            assert_eq!(told.len(), usize::from(journal && !told_by_error), "{what}");
            for warning in told {
                let paths = bed.companions();
                assert!(paths.iter().all(|path| warning.message.contains(path)), "{what}");
                // Finished: v2 is in place.
                assert!(is_v2 || result.recovery == Recovery::Finished, "{what}");
                told_of += 1;
            }
            // The companion at the new path changes only with a v2 that this start built.
            let other = bed.holds("other");
            let built = !is_v2 && result.recovery != Recovery::Finished;
            let now: Vec<&str> = other.values().map(String::as_str).collect();
            assert_eq!(
                now,
                if built { ["v2 of another's", "another's"].as_slice() } else { &["another's"] },
                "{what}"
            );
            // The receipt still knows the companion's backup.
            if is_v2 && journal && how != How::New {
                let result = bed.restore("app/conf/auth.json");
                assert!(
                    result.companions.values().all(|companion| companion.restored),
                    "{what}, {result:?}"
                );
                assert_eq!(read(&bed.path("app/conf/auth.json")), "v1 secret", "{what}");
                restored += 1;
            }
            if !interrupted {
                break;
            }
            at += 1;
        }
        println!("{how:?}: told of {told_of} times, refused {refused} times, in {at}");
        assert!(
            told_of > 10 && refused > 5 && (restored > 5 || how == How::New),
            "{how:?}: told of {told_of} times, refused {refused} times in {at}, restored {restored}"
        );
    }
}

#[test]
fn a_companion_that_moved_with_the_database_is_recognized() {
    for how in [How::Staged, How::InPlace, How::New] {
        let mut at = 0;
        loop {
            let bed = Bed::new(how);
            let interrupted = bed.migrate(how, "app", "app/conf/auth.json", at).is_none();
            std::fs::rename(bed.path("app"), bed.path("moved")).unwrap();
            let result = bed.migrate(how, "moved", "moved/conf/auth.json", usize::MAX).unwrap();
            let what = format!("{how:?}, before step {at}: {result:?}");
            assert_eq!(rows(&bed.path("moved/data/data.db"), "note"), NOTES, "{what}");
            assert!(
                result.warnings.iter().all(|warning| warning.code.as_deref() == Some("KEPT")),
                "{what}"
            );
            let of_v2 = if how == How::New { "v2 of " } else { "v2 of v1 secret" };
            assert_eq!(read(&bed.path("moved/conf/auth.json")), of_v2, "{what}");
            if !interrupted {
                break;
            }
            at += 1;
        }
        assert!(at > 20, "{at}");
    }
}

/// A plan names the paths of its companions, and is refused for others.
#[test]
fn a_plan_is_not_performed_for_a_companion_elsewhere() {
    let bed = Bed::new(How::Staged);
    let auth = bed.path("app/conf/auth.json");
    let mut host =
        App { how: How::Staged, auth: &auth, interrupt: Interrupt { at: usize::MAX, seen: 0 } };
    let plan = cutover::plan(&bed.options("app", "app/conf/auth.json"), &mut host)
        .unwrap()
        .unwrap()
        .to_text();
    let before = ["app/conf", "other"].map(|directory| bed.holds(directory));
    let failure = cutover::run_plan(&plan, &bed.options("app", "other/auth.json"), &mut host)
        .unwrap_err()
        .failure;
    assert_eq!(failure.code, cutover::Code::Journal, "{failure}");
    assert!(failure.to_string().contains("at another path"), "{failure}");
    assert_eq!(["app/conf", "other"].map(|directory| bed.holds(directory)), before);
    cutover::run_plan(&plan, &bed.options("app", "app/conf/auth.json"), &mut host).unwrap();
    assert_eq!(read(&auth), "v2 of v1 secret");
}

/// Without the journal nothing tells which upgrade the files belong to. So they are listed and left
/// alone.
#[test]
fn what_a_lost_journal_leaves_beside_a_companion_is_listed_and_left_alone() {
    let bed = Bed::new(How::Staged);
    let (database, options) =
        (bed.path("app/data/data.db"), bed.options("app", "app/conf/auth.json"));
    let plan = cutover::plan(
        &options,
        &mut App {
            how: How::Staged,
            auth: &database,
            interrupt: Interrupt { at: usize::MAX, seen: 0 },
        },
    )
    .unwrap()
    .unwrap();
    let at = plan.steps.iter().position(|step| step.op.name() == "link").unwrap();
    assert!(bed.migrate(How::Staged, "app", "app/conf/auth.json", at).is_none());
    let journal = bed.path("app/data/data.db.v1-v2-cutover.json");
    let value: serde_json::Value = serde_json::from_str(&read(&journal)).unwrap();
    let nonce = value["nonce"].as_str().unwrap();
    std::fs::remove_file(journal).unwrap();
    // This file is not one of cutover's.
    std::fs::write(bed.path("app/conf/auth.json.bak"), "mine").unwrap();
    let left = bed.holds("app/conf");
    let listed = || {
        let companions = cutover::inspect(&database, &options.companions).unwrap().companions;
        let auth = companions.into_values().next().unwrap();
        assert!(auth.exists && auth.displaced.is_empty());
        [auth.backups, auth.leftovers]
            .map(|names| names.keys().map(ToString::to_string).collect::<Vec<_>>())
    };
    let orphans =
        [vec![format!("auth.json.v1-v2-{nonce}")], vec![format!("auth.json.building-{nonce}")]];
    assert_eq!(listed(), orphans);
    let bundle = cutover::doctor(
        &database,
        &DoctorOptions::default().companions(options.companions.clone()),
        &mut (),
    )
    .unwrap();
    let text = bundle.to_text();
    assert!(
        orphans.iter().flatten().all(|name| text.contains(name)) && !text.contains("v1 secret"),
        "{text}"
    );
    assert_eq!(bed.holds("app/conf"), left);
    bed.migrate(How::Staged, "app", "app/conf/auth.json", usize::MAX).unwrap();
    let [backups, leftovers] = listed();
    assert!(
        backups.len() == 2 && backups.contains(&orphans[0][0]) && leftovers == orphans[1],
        "{backups:?} {leftovers:?}"
    );
}
