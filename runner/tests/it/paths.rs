//! Paths: what cannot be the path of a file is refused by every call before anything is touched,
//! and every other path works.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cutover::{
    BackupOptions, BuildBy, BuildFrom, Built, Code, Detect, DoctorOptions, Error, Failure, Host,
    HostError, Job, Make, Options, Outcome,
};
use rusqlite::Connection;

use crate::support::notes::{NOTES, TO_V2, V1, rows};

struct App;

impl Host for App {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let v2 = Connection::open(job.staging())?;
        v2.execute("ATTACH DATABASE ?1 AS v1", [job.source()?.to_str().unwrap()])?;
        v2.execute_batch(TO_V2)?;
        Ok(Built::default())
    }
}

fn options(path: &Path) -> Options {
    let make = Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) };
    Options::new(path, "v1-v2", Detect::UserVersion(2), make)
}

/// What each call says of this database and of this companion.
fn refusals(path: &Path, companion: Option<&Path>) -> Vec<(&'static str, Failure)> {
    let companions: BTreeMap<String, PathBuf> =
        companion.map(|companion| ("auth".to_owned(), companion.to_owned())).into_iter().collect();
    let options = options(path).companions(companions.clone());
    let more = BackupOptions::default().companions(companions.clone());
    let looks = DoctorOptions::default().companions(companions.clone());
    let rule = cutover::Rule { keep: Some(1), ..cutover::Rule::default() };
    let backup = Path::new("data.db.v1-v2-1-00000000");
    let mut all: Vec<(&str, Option<Error>)> = vec![
        ("migrate", cutover::migrate(&options, &mut App).err()),
        ("recover", cutover::recover(&options, &mut App).err()),
        ("plan", cutover::plan(&options, &mut App).err()),
        ("run_plan", cutover::run_plan("{}", &options, &mut App).err()),
        ("restore", cutover::restore(path, backup, &more, &mut App).err()),
        ("prune", cutover::prune_backups(path, rule, &more, &mut App).err()),
        ("adopt", cutover::adopt_backup(path, backup, &more, &mut App).err()),
        ("inspect", cutover::inspect(path, &companions).err()),
        ("doctor", cutover::doctor(path, &looks, &mut ()).err()),
    ];
    if companion.is_none() {
        all.push(("lock", cutover::lock(path).err()));
        all.push(("list_backups", cutover::list_backups(path).err()));
    }
    all.into_iter()
        .map(|(call, error)| {
            (call, *error.unwrap_or_else(|| panic!("{call} accepts {}", path.display())).failure)
        })
        .collect()
}

/// The paths that no call accepts, and what each says.
fn wrong(folder: &Path) -> Vec<(PathBuf, &'static str)> {
    let at = |name: &str| folder.join(name);
    std::fs::create_dir(at("folder")).unwrap();
    let wrong = vec![
        (PathBuf::new(), "the path is empty"),
        ("file:///home/me/data.db".into(), "this is a URL"),
        ("file:data.db".into(), "this is a URL"),
        ("FILE:data.db?mode=ro".into(), "this is a URL"),
        ("libsql://example.org".into(), "this is a URL"),
        (":memory:".into(), "a database in memory"),
        (at("a\0b"), "NUL"),
        (at("folder"), "it is a directory"),
        (at("folder/"), "it is a directory"),
        (folder.into(), "it is a directory"),
        (at(&"x".repeat(5000)), "longer than"),
        (at(&"x".repeat(240)), "longer than"),
        (at(&"x".repeat(250)), "longer than"),
        (at(&"x".repeat(255)), "longer than"),
    ];
    #[cfg(unix)]
    let wrong = {
        use std::os::unix::ffi::OsStrExt as _;
        let mut wrong = wrong;
        // Windows takes 32,767 characters, and says that there is no such folder.
        wrong.push((at(&"long/".repeat(2000)).join("data.db"), "longer than"));
        let latin1 = |end: &[u8]| folder.join(std::ffi::OsStr::from_bytes(end));
        wrong.push((latin1(b"caf\xe9.db"), "not valid UTF-8"));
        wrong.push((latin1(b"caf\xe9/data.db"), "not valid UTF-8"));
        // A link whose own path is UTF-8.
        std::fs::create_dir(latin1(b"na\xefve")).unwrap();
        std::os::unix::fs::symlink(latin1(b"na\xefve"), at("link")).unwrap();
        wrong.push((at("link/data.db"), "not valid UTF-8"));
        let made = std::process::Command::new("mkfifo").arg(at("fifo")).status().unwrap();
        assert!(made.success());
        wrong.push((at("fifo"), "it is a FIFO"));
        std::os::unix::fs::symlink("fifo", at("to-fifo")).unwrap();
        wrong.push((at("to-fifo"), "it is a FIFO"));
        wrong.push(("/dev/null".into(), "it is a device"));
        wrong
    };
    wrong
}

/// Whether a failure names this path as it was given, or the real one: on Windows that begins with
/// `\\?\`.
fn is_told(failure: &Failure, path: &Path) -> bool {
    let real =
        path.parent().and_then(|folder| Some(folder.canonicalize().ok()?.join(path.file_name()?)));
    let text = |path: &Path| path.display().to_string().replace('\0', "\u{fffd}");
    failure
        .path
        .as_ref()
        .is_some_and(|told| *told == text(path) || real.is_some_and(|real| *told == text(&real)))
}

#[test]
fn a_path_that_cannot_be_a_files_is_refused_by_every_call_before_anything() {
    let directory = tempfile::tempdir().unwrap();
    let good = directory.path().join("data.db");
    Connection::open(&good).unwrap().execute_batch(V1).unwrap();
    let wrong = wrong(directory.path());
    let names = || std::fs::read_dir(directory.path()).unwrap().count();
    let before = names();
    for (path, why) in wrong {
        let companion = (&good as &Path, Some(&path as &Path));
        // What is at a companion's path is told by the plan, so that a recovery can go on.
        let is_there = path.metadata().is_ok_and(|found| !found.is_file()) && !why.contains("UTF");
        let companion = Some(companion).filter(|_| !is_there);
        for (database, companion) in [Some((&path as &Path, None)), companion].into_iter().flatten()
        {
            for (call, failure) in refusals(database, companion) {
                let what = format!("{call}, {path:?} as {companion:?}: {failure}");
                assert_eq!(failure.code, Code::Io, "{what}");
                assert!(failure.reason.contains(why), "{what}");
                assert!(!failure.hint.is_empty(), "{what}");
                assert!(is_told(&failure, &path), "{what}: {:?}", failure.path);
                assert_eq!(names(), before, "{what}: nothing was made");
            }
        }
    }
    assert_eq!(rows(&good, "notes"), NOTES);
}

/// The names that are made from the file's, with its label, must fit as well.
#[test]
fn a_name_is_as_long_as_its_label_allows_or_refused_by_every_call_before_anything() {
    for (label, most) in [("a", 219), ("v1-v2", 215), (&*"a".repeat(32), 188)] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x".repeat(most));
        Connection::open(&path).unwrap().execute_batch(V1).unwrap();
        let labelled = |path: &Path| options(path).label(label);
        let backup = cutover::migrate(&labelled(&path), &mut App).unwrap().backup.unwrap();
        let more = BackupOptions::default();
        cutover::restore(&path, &backup, &more, &mut App).unwrap();
        cutover::migrate(&labelled(&path), &mut App).unwrap();
        let rule = cutover::Rule { keep: Some(1), ..cutover::Rule::default() };
        let pruned = cutover::prune_backups(&path, rule, &more, &mut App).unwrap();
        assert_eq!(pruned.removed, [backup], "{label}");

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x".repeat(most + 1));
        Connection::open(&path).unwrap().execute_batch(V1).unwrap();
        let options = labelled(&path);
        let mut told: Vec<(&str, Failure)> = [
            ("migrate", cutover::migrate(&options, &mut App).err()),
            ("recover", cutover::recover(&options, &mut App).err()),
            ("plan", cutover::plan(&options, &mut App).err()),
            ("run_plan", cutover::run_plan("{}", &options, &mut App).err()),
        ]
        .map(|(call, error)| (call, *error.unwrap().failure))
        .into();
        if label == "a" {
            told.extend(refusals(&path, None));
        }
        for (call, failure) in told {
            assert_eq!(failure.code, Code::Io, "{call}: {failure}");
            assert!(failure.reason.contains("longer than 255 bytes"), "{call}: {failure}");
            assert!(failure.hint.contains("shorter"), "{call}: {failure}");
            assert!(is_told(&failure, &path), "{call}: {:?}", failure.path);
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "no lock either");
    }
}

#[test]
fn any_other_folder_works_for_every_call() {
    let odd =
        ["50%", "a%41b", "c#", "O'Brien", "a b", "na\u{ef}ve \u{1f600}", "-x", "file", "$HOME"];
    let more =
        ["what?", "a \"quoted\" one", "two\nlines", "file:x", "back\\slash", ":memory:", "*"];
    let odd = odd.iter().chain(if cfg!(windows) { [].iter() } else { more.iter() });
    for folder in odd {
        for run in [BuildBy::Sql(TO_V2.into()), BuildBy::Host] {
            let directory = tempfile::tempdir().unwrap();
            let folder = directory.path().join(folder);
            std::fs::create_dir(&folder).unwrap();
            let path = folder.join("data.db");
            Connection::open(&path).unwrap().execute_batch(V1).unwrap();
            let make = Make { from: BuildFrom::Empty, run };
            let options = options(&path).make(make);
            let owner = cutover::lock(&path).unwrap();
            drop(owner);
            assert!(cutover::plan(&options, &mut App).unwrap().is_some(), "{folder:?}");
            let done = cutover::migrate(&options, &mut App).unwrap();
            assert_eq!(done.outcome, Outcome::Migrated, "{folder:?}");
            assert_eq!(rows(&path, "note"), NOTES, "{folder:?}");
            assert!(cutover::inspect(&path, &BTreeMap::new()).unwrap().exists, "{folder:?}");
            cutover::doctor(&path, &DoctorOptions::default(), &mut ()).unwrap();
            let backup = &cutover::list_backups(&path).unwrap()[0];
            let backup = Path::new(backup.name.as_str()).to_owned();
            cutover::restore(&path, &backup, &BackupOptions::default(), &mut App).unwrap();
            assert_eq!(rows(&path, "notes"), NOTES, "{folder:?}");
            std::fs::copy(&path, folder.join("data.db.old")).unwrap();
            let old = folder.join("data.db.old");
            cutover::adopt_backup(&path, &old, &BackupOptions::default(), &mut App).unwrap();
            assert_eq!(cutover::list_backups(&path).unwrap().len(), 2, "{folder:?}");
            assert_eq!(
                std::fs::read_dir(directory.path()).unwrap().count(),
                1,
                "nothing beside it"
            );
        }
    }
}

/// No call works without a look at what an interrupted upgrade left.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_this_user_may_not_list_or_enter_is_refused_by_every_call_before_anything() {
    use crate::support::users::{ALICE, FRIENDS, as_user, give, is_root};
    if !is_root() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let [ours, closed] = ["ours", "closed"].map(|name| directory.path().join(name));
    for folder in [&ours, &closed] {
        std::fs::create_dir(folder).unwrap();
        let path = folder.join("data.db");
        Connection::open(&path).unwrap().execute_batch(V1).unwrap();
        give(&path, ALICE, FRIENDS, 0o600);
        give(folder, ALICE, FRIENDS, 0o700);
    }
    give(directory.path(), ALICE, FRIENDS, 0o700);
    let [good, path] = [&ours, &closed].map(|folder| folder.join("data.db"));
    let link = ours.join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for (mode, why) in [(0o300, "may not list"), (0o600, "may not enter")] {
        give(&closed, ALICE, FRIENDS, mode);
        for (database, companion) in [(&path, None), (&link, None), (&good, Some(&path as &Path))] {
            let told = as_user(ALICE, &[FRIENDS], || refusals(database, companion));
            for (call, failure) in told {
                let what = format!("{call}, {mode:o}, {database:?}, {companion:?}: {failure}");
                assert_eq!(failure.code, Code::Io, "{what}");
                assert!(
                    failure.reason.contains(why) && failure.reason.contains("closed"),
                    "{what}"
                );
                assert!(failure.hint.contains("chmod u+rx"), "{what}");
                let at = companion.unwrap_or(database).display().to_string();
                assert_eq!(failure.path, Some(at), "{what}");
            }
        }
    }
    give(&closed, ALICE, FRIENDS, 0o700);
    for folder in [&ours, &closed] {
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let names: Vec<_> = names.filter(|name| name != "link.db").collect();
        assert_eq!(names, ["data.db"], "nothing was made, no lock either");
    }
    let done = as_user(ALICE, &[FRIENDS], || cutover::migrate(&options(&path), &mut App).unwrap());
    assert_eq!(done.outcome, Outcome::Migrated);
}
