//! A backup without a receipt, as the legacy daemon left it, is adopted: then it is whole, can be
//! restored, and can be pruned.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use cutover::{AdoptResult, BackupOptions, Code, Rule};
use rusqlite::Connection;

use super::{Bed, Calm, directory, is_wal};
use crate::support::interrupt::Interrupt;
use crate::support::notes::{NOTES, V1, rows};

/// A backup of the legacy daemon.
const OLD: &str = "data.db.v1-v2-1700000000000-0a1b2c3d";

/// What is beside a backup.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Left {
    Nothing,
    /// The last row is in the `-wal` only.
    Wal,
    /// A transaction that was under way, which its rollback journal takes back.
    Hot,
}

const EACH: [Left; 3] = [Left::Nothing, Left::Wal, Left::Hot];

/// Copies a database that is in use, as a process leaves it that is killed then.
fn leave(bed: &Bed, name: &str, left: Left) {
    let elsewhere = directory();
    let path = elsewhere.path().join("old.db");
    let old = Connection::open(&path).unwrap();
    match left {
        Left::Nothing => old.execute_batch(V1).unwrap(),
        Left::Wal => old
            .execute_batch(&format!(
                "PRAGMA journal_mode = WAL; {V1} DELETE FROM notes WHERE id = 3;
                 PRAGMA wal_checkpoint(TRUNCATE);
                 INSERT INTO notes VALUES (3, 'a new bicycle');"
            ))
            .unwrap(),
        // With a small cache SQLite writes pages of the transaction before it ends.
        Left::Hot => old
            .execute_batch(&format!(
                "{V1} CREATE TABLE big (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 \
                 FROM n WHERE i < 300) INSERT INTO big SELECT randomblob(1000) FROM n;
                 PRAGMA cache_size = 1; BEGIN; DELETE FROM notes; UPDATE big SET x = zeroblob(1000);"
            ))
            .unwrap(),
    }
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let from = elsewhere.path().join(format!("old.db{suffix}"));
        if from.exists() {
            std::fs::copy(from, bed.path(&format!("{name}{suffix}"))).unwrap();
        }
    }
    let beside = |suffix: &str| {
        std::fs::metadata(bed.path(&format!("{name}{suffix}"))).map_or(0, |file| file.len()) > 0
    };
    assert_eq!((beside("-wal"), beside("-journal")), (left == Left::Wal, left == Left::Hot));
}

fn options() -> BackupOptions {
    BackupOptions::default().wait_ms(0)
}

fn adopt(bed: &Bed, name: &str) -> Result<AdoptResult, cutover::Error> {
    cutover::adopt_backup(&bed.path("data.db"), Path::new(name), &options(), &mut Calm::default())
}

/// The rows of a backup, read from a copy of it and what is beside it.
fn rows_of(bed: &Bed, name: &str) -> Vec<String> {
    let elsewhere = directory();
    for suffix in ["", "-wal", "-journal"] {
        let from = bed.path(&format!("{name}{suffix}"));
        if from.exists() {
            std::fs::copy(from, elsewhere.path().join(format!("copy.db{suffix}"))).unwrap();
        }
    }
    rows(&elsewhere.path().join("copy.db"), "notes")
}

/// The name, the content and the time of change of each file, without the locks, which any call
/// makes.
fn all(bed: &Bed) -> Vec<(String, Vec<u8>, std::time::SystemTime)> {
    let files = bed.names().into_iter().filter(|name| !name.ends_with("-lock"));
    files
        .map(|name| {
            let path = bed.path(&name);
            let changed = std::fs::symlink_metadata(&path).unwrap().modified().unwrap();
            (name, std::fs::read(&path).unwrap_or_default(), changed)
        })
        .collect()
}

#[test]
fn an_adopted_backup_is_listed_restored_and_pruned() {
    for left in EACH {
        let bed = Bed::upgraded("DELETE");
        let newest = bed.newest();
        leave(&bed, OLD, left);
        let found = bed.backups().remove(1);
        assert_eq!((found.name.as_str(), found.whole), (OLD, false), "{left:?}");

        let result = adopt(&bed, OLD).unwrap();
        assert_eq!(result.backup, bed.path(OLD), "{left:?}");
        let codes: Vec<_> = result.warnings.iter().map(|warning| warning.code.as_deref()).collect();
        assert_eq!(codes, [Some("ADOPTED")], "{left:?}");
        let found = bed.backups().remove(1);
        assert_eq!(
            (found.name.as_str(), found.label.as_str(), found.started_ms, found.why.as_deref()),
            (OLD, "v1-v2", 1_700_000_000_000, None),
            "{left:?}"
        );
        assert!(found.whole && found.v1.is_some() && found.warnings == result.warnings);
        let beside = |name: &&String| name.starts_with(OLD);
        let receipt = format!("{OLD}.json");
        assert_eq!(
            bed.names().iter().filter(beside).collect::<Vec<_>>(),
            [OLD, &receipt],
            "{left:?}"
        );

        cutover::restore(&bed.path("data.db"), Path::new(OLD), &options(), &mut Calm::default())
            .unwrap();
        assert_eq!(rows(&bed.path("data.db"), "notes"), NOTES, "{left:?}");
        assert_eq!(
            is_wal(&bed.path("data.db")),
            left == Left::Wal,
            "v1 has its own mode: {left:?}"
        );
        assert!(bed.backups()[1].whole, "the restore left it as it was: {left:?}");
        let pruned = cutover::prune_backups(
            &bed.path("data.db"),
            Rule { keep: Some(1), older_than_ms: None },
            &options(),
            &mut Calm::default(),
        )
        .unwrap();
        assert_eq!((pruned.removed, pruned.left), (vec![bed.path(OLD)], vec![]), "{left:?}");
        assert_eq!(bed.newest(), newest, "{left:?}");
        assert_eq!(bed.names().iter().find(beside), None, "{left:?}");
    }
}

#[test]
fn a_companions_backup_belongs_to_the_adopted_backup() {
    let bed = Bed::upgraded_with_companion();
    let backup = bed.backups().remove(0);
    std::fs::remove_file(bed.path(&format!("{}.json", backup.name))).unwrap();
    let path = bed.path("data.db");
    cutover::adopt_backup(&path, &bed.newest(), &bed.beside(), &mut Calm::default()).unwrap();
    assert_eq!(bed.backups()[0].companions, backup.companions);
    cutover::restore(&path, &bed.newest(), &bed.beside(), &mut Calm::default()).unwrap();
    assert_eq!(
        (rows(&path, "notes"), bed.read("auth.json").as_str()),
        (NOTES.map(str::to_owned).to_vec(), "of v1")
    );
}

/// Adopts `name`, interrupted before each step in turn. After each a start and another adoption
/// follow.
fn interrupted(name: &str, left: Left) {
    let mut ended = [0, 0];
    for at in 0.. {
        let bed = Bed::upgraded("DELETE");
        leave(&bed, name, left);
        let mut host = Interrupt { at, seen: 0 };
        let (path, file) = (bed.path("data.db"), PathBuf::from(name));
        let call = || cutover::adopt_backup(&path, &file, &options(), &mut host).map(drop).unwrap();
        if catch_unwind(AssertUnwindSafe(call)).is_ok() {
            break;
        }
        // Each file that is there has every row, and a receipt is true.
        let is = |listed: &cutover::Backup| {
            assert_eq!(rows_of(&bed, listed.name.as_str()), NOTES, "{left:?} {at}");
        };
        let old = |bed: &Bed| -> Vec<cutover::Backup> {
            let named =
                |of: &cutover::Backup| of.name.as_str() == name || of.label.as_str() == "adopted";
            bed.backups().into_iter().filter(named).collect()
        };
        old(&bed).iter().for_each(is);
        let whole = old(&bed).iter().any(|of| of.whole);
        ended[usize::from(whole)] += 1;
        let original = bed.path(name).exists().then(|| rows_of(&bed, name));
        assert!(whole || original.is_some_and(|rows| rows == NOTES), "{left:?} {at}");

        bed.migrate(None);
        let stray = |file: &&String| file.contains("cutover.json");
        assert_eq!(bed.names().iter().find(stray), None, "the next start cleans up: {left:?} {at}");
        old(&bed).iter().for_each(is);
        // A file of another name stays if it was adopted and not removed; so does a copy of it
        // that has no receipt yet.
        let again: Vec<String> = match old(&bed).iter().find(|of| !of.whole) {
            Some(of) => vec![of.name.to_string()],
            None if whole => Vec::new(),
            None => vec![name.to_owned()],
        };
        for file in again {
            adopt(&bed, &file).unwrap_or_else(|error| panic!("{left:?} {at}: {error}"));
        }
        assert!(old(&bed).iter().any(|of| of.whole), "{left:?} {at}");
        old(&bed).iter().for_each(is);
    }
    assert!(ended[0] > 8 && ended[1] > 0, "{left:?}: {ended:?}");
}

#[test]
fn interrupted_before_any_step_it_is_the_backup_or_the_adopted_one() {
    for left in EACH {
        interrupted(OLD, left);
        interrupted("data.db.old", left);
    }
}

#[test]
fn a_file_without_a_backups_name_gets_one_by_its_age() {
    for left in EACH {
        let bed = Bed::upgraded("DELETE");
        leave(&bed, "data.db.old", left);
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_600_000_000_123);
        let old = std::fs::File::options().write(true).open(bed.path("data.db.old")).unwrap();
        old.set_modified(time).unwrap();
        drop(old);
        let result = adopt(&bed, "data.db.old").unwrap();
        let found = bed.backups().remove(1);
        assert_eq!(result.backup, bed.path(found.name.as_str()));
        assert_eq!((found.label.as_str(), found.whole), ("adopted", true), "{:?}", found.why);
        assert_eq!(found.started_ms / 1000, 1_600_000_000, "it is not the newest");
        assert_eq!(rows_of(&bed, found.name.as_str()), NOTES);
        assert!(!bed.names().iter().any(|name| name.starts_with("data.db.old")), "{left:?}");
        cutover::restore(&bed.path("data.db"), &result.backup, &options(), &mut Calm::default())
            .unwrap();
        assert_eq!(rows(&bed.path("data.db"), "notes"), NOTES);
    }
}

#[test]
fn a_time_to_come_does_not_make_it_the_newest_for_ever() {
    let bed = Bed::upgraded("DELETE");
    leave(&bed, "data.db.old", Left::Nothing);
    let old = std::fs::File::options().write(true).open(bed.path("data.db.old")).unwrap();
    let time = std::time::SystemTime::now() + std::time::Duration::from_secs(1 << 30);
    old.set_modified(time).unwrap();
    drop(old);
    adopt(&bed, "data.db.old").unwrap();
    let newest = bed.backups().remove(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    assert!(u128::from(newest.started_ms) <= now.as_millis());
}

/// Adopts, and checks that the refusal has this code and these words, and that nothing changed.
fn refused(bed: &Bed, name: &str, code: Code, says: &str) {
    let before = all(bed);
    let failure = adopt(bed, name).unwrap_err().failure;
    assert_eq!(failure.code, code, "{name}: {failure}");
    assert!(failure.to_string().contains(says), "{name}: {failure}");
    assert!(before == all(bed), "{name}: {:?}", bed.names());
}

#[test]
fn what_is_not_a_backup_is_refused_and_nothing_is_touched() {
    let bed = Bed::upgraded("DELETE");
    let backup = bed.newest().display().to_string();
    std::fs::write(bed.path("data.db.text"), "not a database, and long enough to have a header")
        .unwrap();
    std::fs::write(bed.path("data.db.empty"), "").unwrap();
    leave(&bed, "other.db", Left::Nothing);
    leave(&bed, "data.db.displaced-0a1b2c3d", Left::Nothing);
    leave(&bed, OLD, Left::Nothing);
    std::fs::create_dir(bed.path("data.db.folder")).unwrap();

    for (name, code, says) in [
        (backup.as_str(), Code::Verify, "whole already"),
        ("data.db", Code::Io, "the database itself"),
        ("data.db.displaced-0a1b2c3d", Code::Io, "another file of cutover's"),
        ("data.db.owner-lock", Code::Io, "another file of cutover's"),
        (&format!("{OLD}.json"), Code::Io, "another file of cutover's"),
        (&format!("{OLD}-wal"), Code::Io, "another file of cutover's"),
        ("other.db", Code::Io, "does not begin with the database's"),
        ("data.db.none", Code::Io, "there is no such file"),
        ("data.db.text", Code::NotADatabase, "no SQLite header"),
        ("data.db.empty", Code::NotADatabase, "the file is empty"),
        ("data.db.folder", Code::Io, "it is a directory"),
        ("../data.db.old", Code::Io, "not in the database's directory"),
        ("file:data.db.old", Code::Io, "this is a URL"),
        ("a\0b", Code::Io, "NUL"),
        ("", Code::Io, "empty"),
    ] {
        refused(&bed, name, code, says);
    }
    // A restore refuses such names alike, and says what to pass.
    for name in ["file:data.db.old", "a\0b", "", "../data.db.old", "data.db.old"] {
        let path = bed.path("data.db");
        let error = cutover::restore(&path, Path::new(name), &options(), &mut Calm::default());
        let failure = error.unwrap_err().failure;
        assert!(failure.hint.contains("list of this database's backups"), "{name:?}: {failure}");
    }
}

#[test]
fn a_backup_with_a_receipt_that_does_not_fit_it_is_not_adopted() {
    let bed = Bed::upgraded("DELETE");
    let backup = bed.newest().display().to_string();
    Connection::open(bed.path(&backup)).unwrap().execute_batch("CREATE TABLE more (x)").unwrap();
    refused(&bed, &backup, Code::Verify, "its receipt says");
    let receipt = format!("{backup}.json");
    let newer = bed.read(&receipt).replace("\"version\": 1", "\"version\": 9");
    std::fs::write(bed.path(&receipt), newer).unwrap();
    refused(&bed, &backup, Code::Newer, "newer");
    let error = cutover::restore(&bed.path("data.db"), backup.as_ref(), &options(), &mut ());
    assert_eq!(error.unwrap_err().failure.code, Code::Newer);
    // Half a receipt, as a killed adoption leaves it.
    std::fs::write(bed.path(&receipt), "{\"version\": 1, \"lab").unwrap();
    adopt(&bed, &backup).unwrap();
    assert!(bed.backups()[0].whole);
}

#[test]
fn a_damaged_backup_is_not_adopted_and_its_copy_goes() {
    let bed = Bed::upgraded("DELETE");
    leave(&bed, OLD, Left::Nothing);
    Connection::open(bed.path(OLD))
        .unwrap()
        .execute_batch(
            "CREATE TABLE many (x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
             WHERE i < 500) INSERT INTO many SELECT randomblob(100) FROM n;",
        )
        .unwrap();
    let mut bytes = std::fs::read(bed.path(OLD)).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    std::fs::write(bed.path(OLD), bytes).unwrap();
    refused(&bed, OLD, Code::V1Corrupt, &format!("{OLD}: the backup is damaged"));
}

#[test]
fn beside_an_unfinished_upgrade_nothing_is_adopted() {
    let bed = Bed(directory());
    bed.sql("data.db", V1);
    leave(&bed, OLD, Left::Wal);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let mut host = Interrupt { at: 8, seen: 0 };
        cutover::migrate(&bed.options(), &mut host).map(drop).unwrap();
    }));
    assert!(ended.is_err());
    refused(&bed, OLD, Code::Journal, "finish it first");
}

#[cfg(unix)]
#[test]
fn no_link_is_followed_and_nothing_else_than_a_file_is_read() {
    let bed = Bed::upgraded("DELETE");
    let elsewhere = directory();
    leave(&bed, OLD, Left::Nothing);
    for name in [OLD, &format!("{OLD}-wal"), &format!("{OLD}.json"), "data.db.old"] {
        let path = bed.path(name);
        let file = if name == "data.db.old" { name } else { OLD };
        let kept = std::fs::read(&path).ok();
        let _ = std::fs::remove_file(&path);
        let fifo = || {
            let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
            assert!(made.success());
        };
        let links = elsewhere.path().join("nowhere");
        std::os::unix::fs::symlink(&links, &path).unwrap();
        refused(&bed, file, Code::Io, "it is a symbolic link");
        assert!(!links.exists(), "{name}");
        std::fs::remove_file(&path).unwrap();
        fifo();
        refused_unread(&bed, file, "FIFO");
        std::fs::remove_file(&path).unwrap();
        if let Some(bytes) = kept {
            std::fs::write(&path, bytes).unwrap();
        }
    }
    // The database under a second name.
    std::fs::hard_link(bed.path("data.db"), bed.path("data.db.old")).unwrap();
    refused(&bed, "data.db.old", Code::Io, "the database itself");
}

/// As [`refused`], without reading a FIFO to compare.
#[cfg(unix)]
fn refused_unread(bed: &Bed, name: &str, says: &str) {
    let before = bed.names();
    let failure = adopt(bed, name).unwrap_err().failure;
    assert!(failure.code == Code::Io && failure.to_string().contains(says), "{failure}");
    let locks = |names: Vec<String>| -> Vec<String> {
        names.into_iter().filter(|name| !name.ends_with("-lock")).collect()
    };
    assert_eq!(locks(before), locks(bed.names()));
}

#[cfg(target_os = "linux")]
#[test]
fn a_backup_that_a_program_has_open_is_not_adopted() {
    let bed = Bed::upgraded("DELETE");
    leave(&bed, OLD, Left::Nothing);
    let open = Connection::open(bed.path(OLD)).unwrap();
    let _: i64 = open.query_row("SELECT count(*) FROM notes", [], |row| row.get(0)).unwrap();
    refused(&bed, OLD, Code::Held, "has the backup open");
    drop(open);
    // That the application has its own database open is no reason.
    let _app = Connection::open(bed.path("data.db")).unwrap();
    adopt(&bed, OLD).unwrap();
}
