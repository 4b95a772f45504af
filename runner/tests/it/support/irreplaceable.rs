//! A companion that no file can replace: what may replace it is refused before it begins, what needs
//! nothing of it is not, and a recovery never stops at it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use cutover::planner::DataState;
use cutover::{
    BackupOptions, BuildBy, BuildFrom, Built, Code, Detect, Event, Failure, Host, HostError, Job,
    Make, Options, Outcome, Recovery,
};
use rusqlite::Connection;

use crate::support::interrupt::Interrupt;
use crate::support::notes::{NOTES, TO_V2, V1, rows};

/// An application whose v2 has a new companion, written in place or staged.
struct App {
    in_place: Option<PathBuf>,
    begun: bool,
    waited: bool,
    interrupt: Interrupt,
}

impl Host for App {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let db = Connection::open(job.staging())?;
        db.execute("ATTACH DATABASE ?1 AS v1", [job.source()?.to_str().unwrap()])?;
        db.execute_batch(TO_V2)?;
        match &self.in_place {
            Some(path) => std::fs::write(path, "v2")?,
            None => job.write_companion("auth", b"v2")?,
        }
        Ok(Built::default())
    }
    fn event(&mut self, event: &Event) {
        self.interrupt.event(event);
        self.begun |= matches!(event, Event::Step { .. });
    }
    fn wait(&mut self, _delay_ms: u64) {
        self.waited = true;
    }
}

/// Every file but the locks, and but the shared memory that any reader of a log leaves.
fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let paths = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
    let mut files = BTreeMap::new();
    for path in paths.filter(|path| !name(path).contains("-lock") && !name(path).ends_with("-shm"))
    {
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.insert(path.clone(), std::fs::read(path).unwrap());
        }
    }
    files
}

/// `fix` makes a file irreplaceable, `free` undoes that. `says`: parts of the hint.
pub fn is_refused_until_freed(fix: &dyn Fn(&Path), free: &dyn Fn(&Path), says: [&str; 2]) {
    let directory = tempfile::tempdir().unwrap();
    let (data, shared) = (directory.path().join("data"), directory.path().join("shared"));
    std::fs::create_dir(&data).unwrap();
    std::fs::create_dir(&shared).unwrap();
    let (path, auth) = (data.join("data.db"), shared.join("auth.json"));
    Connection::open(&path).unwrap().execute_batch(V1).unwrap();
    std::fs::write(&auth, "v1").unwrap();
    let make = Make { from: BuildFrom::Empty, run: BuildBy::Host };
    let mut options = Options::new(&path, "v1-v2", Detect::UserVersion(2), make);
    options.companions.insert("auth".into(), auth.clone());
    let beside = BackupOptions::default().companions(options.companions.clone());
    let told = |failure: &Failure| {
        assert_eq!((failure.code, &failure.op), (Code::Io, &None), "{failure}");
        assert!(failure.path.as_ref().unwrap().ends_with("auth.json"), "{failure}");
        assert!(says.iter().all(|word| failure.hint.contains(word)), "{failure}");
    };
    let app = |in_place: bool| App {
        in_place: in_place.then(|| auth.clone()),
        begun: false,
        waited: false,
        interrupt: Interrupt { at: usize::MAX, seen: 0 },
    };
    let v1 = files(directory.path());

    let before = cutover::plan(&options, &mut app(false)).unwrap().unwrap().to_text();
    fix(&auth);
    for in_place in [false, true] {
        let mut app = app(in_place);
        let failure = cutover::migrate(&options, &mut app).unwrap_err().failure;
        told(&failure);
        assert_eq!(
            (failure.data.state, app.begun, app.waited),
            (DataState::V1, false, false),
            "{failure}"
        );
    }
    told(&cutover::plan(&options, &mut app(false)).unwrap_err().failure);
    let failure = cutover::run_plan(&before, &options, &mut app(false)).unwrap_err().failure;
    assert!(
        failure.code == Code::Journal && failure.reason.contains("no file can replace auth.json"),
        "{failure}"
    );
    assert_eq!(cutover::recover(&options, &mut app(false)).unwrap().recovery, Recovery::None);
    assert!(files(directory.path()) == v1, "{:?}", files(directory.path()).keys());

    free(&auth);
    let backup = cutover::migrate(&options, &mut app(false)).unwrap().backup.unwrap();
    assert_eq!(
        (rows(&path, "note"), std::fs::read_to_string(&auth).unwrap()),
        (NOTES.map(String::from).to_vec(), "v2".into())
    );

    fix(&auth);
    let v2 = files(directory.path());
    assert_eq!(cutover::migrate(&options, &mut app(false)).unwrap().outcome, Outcome::Current);
    told(&cutover::restore(&path, &backup, &beside, &mut app(false)).unwrap_err().failure);
    assert!(files(directory.path()) == v2, "{:?}", files(directory.path()).keys());

    free(&auth);
    cutover::restore(&path, &backup, &beside, &mut app(false)).unwrap();
    assert_eq!(
        (rows(&path, "notes"), std::fs::read_to_string(&auth).unwrap()),
        (NOTES.map(String::from).to_vec(), "v1".into())
    );
}

/// An upgrade is interrupted before each of its steps, and then no file can replace the companion.
/// The recovery finishes or undoes the database all the same, leaves the companion as it is, and
/// where it had to replace it, it warns with that path and the path of what lies beside it.
pub fn never_stops_a_recovery(fix: &dyn Fn(&Path), free: &dyn Fn(&Path)) {
    for in_place in [false, true] {
        let (mut at, mut endings) = (0, BTreeMap::<(i64, bool), u32>::new());
        loop {
            let directory = tempfile::tempdir().unwrap();
            let (path, auth) =
                (directory.path().join("data.db"), directory.path().join("auth.json"));
            Connection::open(&path).unwrap().execute_batch(V1).unwrap();
            std::fs::write(&auth, "v1").unwrap();
            let make = Make { from: BuildFrom::Empty, run: BuildBy::Host };
            let mut options = Options::new(&path, "v1-v2", Detect::UserVersion(2), make);
            options.companions.insert("auth".into(), auth.clone());
            let app = |at| App {
                in_place: in_place.then(|| auth.clone()),
                begun: false,
                waited: false,
                interrupt: Interrupt { at, seen: 0 },
            };
            let first = catch_unwind(AssertUnwindSafe(|| {
                cutover::migrate(&options, &mut app(at)).unwrap();
            }));
            let before = std::fs::read_to_string(&auth).unwrap();

            fix(&auth);
            let recovered = cutover::recover(&options, &mut app(usize::MAX)).unwrap();
            let what = format!("in place {in_place}, before step {at}: {recovered:?}");
            let version: i64 = Connection::open(&path)
                .unwrap()
                .query_row("PRAGMA user_version", [], |row| row.get(0))
                .unwrap();
            assert_eq!(
                rows(&path, if version == 2 { "note" } else { "notes" }),
                NOTES.map(String::from).to_vec(),
                "{what}"
            );
            assert_eq!(std::fs::read_to_string(&auth).unwrap(), before, "{what}");
            let left: Vec<_> = recovered
                .warnings
                .iter()
                .filter(|warning| warning.code.as_deref() == Some("COMPANION_IRREPLACEABLE"))
                .collect();
            for warning in &left {
                let of_backup = format!("{}.v1-v2-", auth.file_name().unwrap().to_str().unwrap());
                assert!(
                    ["auth.json, ", &of_backup].iter().all(|word| warning.message.contains(word)),
                    "{what}"
                );
            }
            // A companion that was staged and not installed, or written in place and not put back.
            let of_v1 = before == "v1";
            assert!(left.len() <= 1, "{what}");
            assert_eq!(left.is_empty(), of_v1 == (version != 2), "{what}");
            *endings.entry((version, !left.is_empty())).or_default() += 1;
            let again = cutover::recover(&options, &mut app(usize::MAX)).unwrap();
            assert_eq!(again.recovery, Recovery::None, "{what}");
            if version == 2 {
                let next = cutover::migrate(&options, &mut app(usize::MAX)).unwrap();
                assert_eq!(next.outcome, Outcome::Current, "{what}");
            } else {
                cutover::migrate(&options, &mut app(usize::MAX)).unwrap_err();
            }
            free(&auth);
            if first.is_ok() {
                break;
            }
            at += 1;
        }
        println!("in place {in_place}: {endings:?} (version, left)");
        assert!(endings.keys().any(|(_, left)| *left), "{endings:?}");
        assert!(
            [0, 2].iter().all(|of| endings.keys().any(|(version, _)| version == of)),
            "{endings:?}"
        );
    }
}
