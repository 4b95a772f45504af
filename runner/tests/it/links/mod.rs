//! No link is followed to another file. What has a name of cutover's, or of a companion, is a
//! regular file, or it is refused with its kind and path: nothing is read from it, written to it,
//! made where it leads, or changed in its mode and owner, and no start waits at it.
//!
//! A test that hangs shows a FIFO that was opened. As root a device is tried as well.

mod second_name;

use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use cutover::{
    BackupOptions, BuildBy, BuildFrom, Built, Code, Detect, Event, Host, HostError, Job, Make,
    MigrateResult, Options, Outcome,
};
use rusqlite::Connection;

use crate::support::disk::in_memory;
use crate::support::notes::{NOTES, TO_V2, V1, rows};

const NONCE: &str = "3fa9c1d2";

/// A data directory, a companion in a directory of its own, and files of another user elsewhere.
struct Bed(tempfile::TempDir);

impl Bed {
    fn new() -> Self {
        let bed = Self(in_memory());
        for directory in ["app", "shared", "elsewhere"] {
            std::fs::create_dir(bed.0.path().join(directory)).unwrap();
        }
        Connection::open(bed.database())
            .unwrap()
            .execute_batch(&format!("PRAGMA journal_mode = WAL; {V1}"))
            .unwrap();
        set_mode(&bed.database(), 0o640);
        std::fs::write(bed.auth(), "of v1").unwrap();
        std::fs::write(bed.secret(), "of another user").unwrap();
        set_mode(&bed.secret(), 0o604);
        bed
    }

    fn database(&self) -> PathBuf {
        self.0.path().join("app/data.db")
    }

    fn auth(&self) -> PathBuf {
        self.0.path().join("shared/auth.json")
    }

    fn secret(&self) -> PathBuf {
        self.0.path().join("elsewhere/secret")
    }

    fn nowhere(&self) -> PathBuf {
        self.0.path().join("elsewhere/nowhere")
    }

    fn options(&self) -> Options {
        let make = Make { from: BuildFrom::Empty, run: BuildBy::Host };
        let companions = [("auth", self.auth())];
        Options::new(self.database(), "v1-v2", Detect::UserVersion(2), make).companions(companions)
    }

    fn migrate(&self) -> Result<MigrateResult, cutover::Error> {
        cutover::migrate(&self.options(), &mut App(&mut |_| {}))
    }

    /// Every file in the bed, the locks as well.
    fn all(&self) -> Vec<String> {
        let mut all = Vec::new();
        for directory in ["app", "shared", "elsewhere"] {
            for entry in std::fs::read_dir(self.0.path().join(directory)).unwrap() {
                all.push(format!("{directory}/{}", entry.unwrap().file_name().to_str().unwrap()));
            }
        }
        all.sort();
        all
    }

    fn assert_nothing_followed(&self, what: &str) {
        let secret = self.secret().metadata().unwrap();
        assert_eq!(
            (std::fs::read(self.secret()).unwrap(), secret.mode() & 0o7777, secret.nlink()),
            (b"of another user".to_vec(), 0o604, 1),
            "{what}"
        );
        assert!(self.nowhere().symlink_metadata().is_err(), "{what}");
    }

    fn assert_v2(&self, what: &str) {
        assert_eq!(rows(&self.database(), "note"), NOTES, "{what}");
        assert_eq!(std::fs::read_to_string(self.auth()).unwrap(), "of v2", "{what}");
    }
}

fn version(path: &Path) -> u32 {
    Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE)
        .unwrap()
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap()
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// An application that changes its companion, and hears of each step before it.
struct App<'a>(&'a mut dyn FnMut(&Event));

impl Host for App<'_> {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let db = Connection::open(job.staging())?;
        db.execute("ATTACH ?1 AS v1", [job.source()?.to_str()])?;
        db.execute_batch(TO_V2)?;
        job.read_companion("auth")?;
        job.write_companion("auth", b"of v2")?;
        job.save_state(serde_json::json!("kept"))?;
        Ok(Built::default())
    }
    fn event(&mut self, event: &Event) {
        (self.0)(event);
    }
    fn wait(&mut self, _delay_ms: u64) {}
}

/// What a name may have instead of a regular file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Link,
    DanglingLink,
    Fifo,
    Socket,
    Directory,
    Device,
}

const KINDS: [Kind; 6] =
    [Kind::Link, Kind::DanglingLink, Kind::Fifo, Kind::Socket, Kind::Directory, Kind::Device];

impl Kind {
    fn told(self) -> &'static str {
        match self {
            Self::Link | Self::DanglingLink => "a symbolic link",
            Self::Fifo => "a FIFO",
            Self::Socket => "a socket",
            Self::Directory => "a directory",
            Self::Device => "a device",
        }
    }

    /// Puts it at a path. False if this user may not make it.
    fn put(self, bed: &Bed, path: &Path) -> bool {
        match self {
            Self::Link => symlink(bed.secret(), path).unwrap(),
            Self::DanglingLink => symlink(bed.nowhere(), path).unwrap(),
            Self::Fifo => return made("mkfifo", path, &[]),
            Self::Socket => drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
            Self::Directory => std::fs::create_dir(path).unwrap(),
            // `/dev/zero` by another name, which never ends.
            Self::Device => return made("mknod", path, &["c", "1", "5"]),
        }
        true
    }
}

fn made(program: &str, path: &Path, more: &[&str]) -> bool {
    std::process::Command::new(program).arg(path).args(more).output().unwrap().status.success()
}

fn remove(path: &Path) {
    if path.symlink_metadata().unwrap().is_dir() {
        std::fs::remove_dir(path).unwrap();
    } else {
        std::fs::remove_file(path).unwrap();
    }
}

/// Every name that cutover reads or makes, but the database and the companion themselves.
fn names_of_ours() -> Vec<String> {
    let beside = [
        "-wal".into(),
        "-shm".into(),
        "-journal".into(),
        ".owner-lock".into(),
        ".cutover-lock".into(),
        ".v1-v2-cutover.json".into(),
        ".v1-v2-migration.json".into(),
        format!(".v1-v2-cutover.json.tmp-{NONCE}"),
        format!(".v1-v2-cutover.json.aside-{NONCE}"),
        format!(".source-{NONCE}"),
        format!(".building-{NONCE}"),
        format!(".install-{NONCE}"),
        format!(".displaced-{NONCE}"),
        format!(".v1-v2-1700000000000-{NONCE}"),
        format!(".v1-v2-1700000000000-{NONCE}.json"),
    ];
    let companion = [
        ".cutover-lock".into(),
        format!(".v1-v2-{NONCE}"),
        format!(".v1-v2-{NONCE}.tmp"),
        format!(".building-{NONCE}"),
        format!(".displaced-{NONCE}"),
    ];
    let beside = beside.iter().map(|end: &String| format!("app/data.db{end}"));
    beside.chain(companion.iter().map(|end: &String| format!("shared/auth.json{end}"))).collect()
}

fn assert_refused(result: Result<MigrateResult, cutover::Error>, kind: Kind, path: &Path) {
    let failure = result.unwrap_err().failure;
    let message = failure.to_string();
    let parts = [
        format!(" failed on {}: it is {}", path.display(), kind.told()),
        ", not a regular file; ".into(),
        "move it away, or put the file itself in its place, and start again [cutover:IO:".into(),
    ];
    assert!(parts.iter().all(|part| message.contains(part)), "{kind:?}: {message}");
    assert_eq!(failure.code, Code::Io);
}

#[test]
fn what_is_not_a_regular_file_is_refused_at_every_name_with_its_kind_and_path() {
    for name in names_of_ours() {
        let bed = Bed::new();
        let path = bed.0.path().join(&name);
        let files = || {
            let mut files = bed.all();
            files.retain(|name| !name.ends_with("-lock"));
            files
        };
        for kind in KINDS {
            if kind.put(&bed, &path) {
                let what = format!("{kind:?} at {name}");
                let before = files();
                assert_refused(bed.migrate(), kind, &path);
                bed.assert_nothing_followed(&what);
                assert_eq!(files(), before, "{what}");
                remove(&path);
            }
        }
        assert_eq!(bed.migrate().unwrap().outcome, Outcome::Migrated, "{name}");
        bed.assert_v2(&name);
    }
}

#[test]
fn a_database_or_companion_that_is_not_a_regular_file_is_refused() {
    // A link of one of these names is resolved once; only one that leads nowhere is refused.
    for kind in [Kind::DanglingLink, Kind::Fifo, Kind::Socket, Kind::Directory, Kind::Device] {
        let bed = Bed::new();
        std::fs::remove_file(bed.auth()).unwrap();
        if !kind.put(&bed, &bed.auth()) {
            continue;
        }
        assert_refused(bed.migrate(), kind, &bed.auth());
        assert!(cutover::plan(&bed.options(), &mut App(&mut |_| {})).is_err(), "{kind:?}");
        bed.assert_nothing_followed(&format!("{kind:?}"));
        let is = bed.auth().symlink_metadata().unwrap().file_type();
        assert!(!is.is_file(), "{kind:?}");
        assert!(kind != Kind::Device || is.is_char_device(), "the device is still there");
        assert_eq!(rows(&bed.database(), "notes"), NOTES, "{kind:?}");
    }
    for kind in [Kind::Fifo, Kind::Socket, Kind::Directory, Kind::Device] {
        let bed = Bed::new();
        std::fs::remove_file(bed.database()).unwrap();
        if kind.put(&bed, &bed.database()) {
            let failure = bed.migrate().unwrap_err().failure;
            let told = format!("data.db: it is {}, not a regular file; pass the path", kind.told());
            assert!(failure.to_string().contains(&told), "{failure}");
            assert_eq!(failure.code, Code::Io);
        }
    }
}

/// What a start found counts only then. Before each step of an upgrade another process exchanges
/// one of its files. v1 or v2 stays whole, and no other file is touched.
#[test]
fn a_file_that_is_exchanged_before_any_step_is_not_followed() {
    let parts = [".building-", ".source-", ".install-", "cutover.json", "data.db.v1-v2-1"];
    let find = |bed: &Bed, part: &str| {
        let is_ours = |name: &&String| {
            name.contains(part) && !name.ends_with("-lock") && !name.ends_with("-shm")
        };
        bed.all().iter().find(is_ours).map(|name| bed.0.path().join(name))
    };
    // First an upgrade without an exchange tells which of them exist before which step.
    let mut cases = Vec::new();
    let (bed, mut steps) = (Bed::new(), 0);
    let mut look = |event: &Event| {
        if let Event::Step { .. } = event {
            cases.extend(
                parts.iter().filter(|part| find(&bed, part).is_some()).map(|part| (steps, *part)),
            );
            steps += 1;
        }
    };
    cutover::migrate(&bed.options(), &mut App(&mut look)).unwrap();
    assert!(parts.iter().all(|part| cases.iter().any(|(_, other)| part == other)), "{cases:?}");
    for (at, part) in cases {
        for kind in [Kind::Link, Kind::Fifo] {
            let (bed, mut seen) = (Bed::new(), 0);
            let mut what = format!("{kind:?} for {part} before step {at}");
            let mut exchange = |event: &Event| {
                if let Event::Step { op, .. } = event {
                    if seen == at {
                        what = format!("{what}, {op}");
                        let path = find(&bed, part).unwrap();
                        std::fs::remove_file(&path).unwrap();
                        assert!(kind.put(&bed, &path), "{what}");
                    }
                    seen += 1;
                }
            };
            let result = cutover::migrate(&bed.options(), &mut App(&mut exchange));
            bed.assert_nothing_followed(&what);
            assert!(bed.database().symlink_metadata().unwrap().is_file(), "{what}");
            let upgraded = version(&bed.database()) == 2;
            assert!(upgraded || result.is_err(), "{what}");
            let table = if upgraded { "note" } else { "notes" };
            assert_eq!(rows(&bed.database(), table), NOTES, "{what}");
        }
    }
}

#[test]
fn backups_are_listed_pruned_and_restored_without_following_a_link() {
    for kind in KINDS {
        let bed = Bed::new();
        let backup = bed.migrate().unwrap().backup.unwrap();
        let receipt = PathBuf::from(format!("{}.json", backup.display()));
        for path in [&backup, &receipt] {
            let kept = bed.0.path().join("kept");
            std::fs::rename(path, &kept).unwrap();
            if kind.put(&bed, path) {
                let what = format!("{kind:?} at {}", path.display());
                let beside = || BackupOptions::default().companions(bed.options().companions);
                assert!(
                    cutover::list_backups(&bed.database()).unwrap().iter().all(|b| !b.whole),
                    "{what}"
                );
                let mut app = App(&mut |_| {});
                cutover::restore(&bed.database(), &backup, &beside(), &mut app).unwrap_err();
                let rule = cutover::Rule { keep: Some(0), older_than_ms: None };
                let pruned =
                    cutover::prune_backups(&bed.database(), rule, &beside(), &mut App(&mut |_| {}));
                assert!(pruned.is_err() || pruned.is_ok_and(|p| p.removed.is_empty()), "{what}");
                bed.assert_nothing_followed(&what);
                bed.assert_v2(&what);
                remove(path);
            }
            std::fs::rename(&kept, path).unwrap();
        }
    }
}

/// A call resolves its paths once: what it judged is what it works on, wherever the link to the folder
/// leads meanwhile.
#[test]
fn a_call_works_in_the_folder_that_it_judged() {
    let directory = in_memory();
    let at = |name: &str| directory.path().join(name);
    for folder in ["ours", "theirs"] {
        std::fs::create_dir(at(folder)).unwrap();
        Connection::open(at(folder).join("data.db")).unwrap().execute_batch(V1).unwrap();
        std::fs::copy(at(folder).join("data.db"), at(folder).join("data.db.old")).unwrap();
    }
    let (old, theirs) = (at("ours/data.db.old"), at("theirs/data.db.old"));
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                for folder in ["theirs", "ours"] {
                    symlink(folder, at("next")).unwrap();
                    std::fs::rename(at("next"), at("current")).unwrap();
                }
            }
        });
        let (mut adopted, mut tries) = (0, 0);
        while adopted < 50 && tries < 100_000 && theirs.exists() {
            let (path, options) = (at("current/data.db"), BackupOptions::default());
            let done = cutover::adopt_backup(&path, &old, &options, &mut App(&mut |_| {}));
            adopted += u32::from(done.is_ok());
            tries += 1;
            if !old.exists() {
                std::fs::copy(at("ours/data.db"), &old).unwrap();
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        assert!(theirs.exists(), "after {tries}");
        assert_eq!(adopted, 50, "in {tries}");
    });
}

/// SQLite opens what it is given by path. Right before it does, another process exchanges v1 by a
/// link to another database.
#[test]
fn sqlite_follows_no_link() {
    for op in ["build-sql", "settle", "lock-v1"] {
        let bed = Bed::new();
        let (away, other) = (bed.0.path().join("away.db"), bed.0.path().join("other.db"));
        Connection::open(&other).unwrap().execute_batch(V1).unwrap();
        let before = std::fs::read(&other).unwrap();
        let mut options = bed.options();
        options.make.run = BuildBy::Sql(TO_V2.into());
        let mut exchange = |event: &Event| {
            let Event::Step { op: now, undo: false, .. } = event else { return };
            if now == op && !away.exists() {
                std::fs::rename(bed.database(), &away).unwrap();
                symlink(&other, bed.database()).unwrap();
            }
        };
        let failure = cutover::migrate(&options, &mut App(&mut exchange)).unwrap_err().failure;
        assert!(failure.reason.contains("a symbolic link, not a regular file"), "{op}: {failure}");
        assert_eq!(std::fs::read(&other).unwrap(), before, "{op}");
        std::fs::remove_file(bed.database()).unwrap();
        std::fs::rename(&away, bed.database()).unwrap();
        assert_eq!(bed.migrate().unwrap().outcome, Outcome::Migrated, "{op}");
    }
}

/// SQLite opens a rollback journal when it first reads. Another process puts a FIFO there after
/// cutover opened v1: the query fails, and waits for nothing.
#[test]
fn a_reader_waits_at_no_fifo() {
    struct Reads(PathBuf, String);
    impl Host for Reads {
        fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
            assert!(made("mkfifo", &self.0, &[]));
            let read = job.v1().all("SELECT text FROM notes", &[]);
            remove(&self.0);
            self.1 = read.unwrap_err().to_string();
            Err("the query failed".into())
        }
    }
    let bed = Bed::new();
    let mut host = Reads(bed.0.path().join("app/data.db-journal"), String::new());
    cutover::migrate(&bed.options(), &mut host).unwrap_err();
    assert!(!host.1.is_empty());
    assert_eq!(bed.migrate().unwrap().outcome, Outcome::Migrated);
}
