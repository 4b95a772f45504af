//! A companion that no file can replace. What might replace it is refused before it begins; what
//! needs nothing of it is not refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cutover::core::failure::DataState;
use cutover::{
    BackupOptions, BuildBy, BuildFrom, Built, Code, Detect, Event, Failure, Host, HostError, Job,
    Make, Options, Outcome, Recovery,
};
use rusqlite::Connection;

use crate::support::notes::{NOTES, TO_V2, V1, rows};

/// An application whose v2 has a new companion, written in place or staged.
struct App {
    in_place: Option<PathBuf>,
    begun: bool,
    waited: bool,
}

impl Host for App {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let db = Connection::open(job.staging())?;
        db.execute("ATTACH DATABASE ?1 AS v1", [job.source().to_str().unwrap()])?;
        db.execute_batch(TO_V2)?;
        match &self.in_place {
            Some(path) => std::fs::write(path, "v2")?,
            None => job.write_companion("auth", b"v2")?,
        }
        Ok(Built::default())
    }
    fn event(&mut self, event: &Event) {
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
    let beside =
        BackupOptions { companions: options.companions.clone(), ..BackupOptions::default() };
    let told = |failure: &Failure| {
        assert_eq!((failure.code, &failure.op), (Code::Io, &None), "{failure}");
        assert!(failure.path.as_ref().unwrap().ends_with("auth.json"), "{failure}");
        assert!(says.iter().all(|word| failure.hint.contains(word)), "{failure}");
    };
    let app = |in_place: bool| App {
        in_place: in_place.then(|| auth.clone()),
        begun: false,
        waited: false,
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
