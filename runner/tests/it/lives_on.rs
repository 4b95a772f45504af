//! A process that lives on upgrades again, while a leaked connection of its own has the database
//! open. Plain descriptors stand for such a connection, as in `zombie.rs`.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::path::PathBuf;

use cutover::{
    BackupOptions, BuildBy, BuildFrom, Code, Detect, Host, HostError, Make, Options, Outcome,
    Reader, Verdict,
};
use rusqlite::Connection;

use crate::support::notes::{TO_V2, V1};

#[derive(Default)]
struct Counts {
    waits: u32,
    released: u32,
    /// What was asked for first: `true` for a collection.
    first: Option<bool>,
}

impl Host for Counts {
    fn detect(&mut self, db: &Reader) -> Result<Verdict, HostError> {
        let stamped = !db.all("SELECT 1 FROM sqlite_master WHERE name = 'note'", &[])?.is_empty();
        Ok(if stamped { Verdict::Current } else { Verdict::Old })
    }
    fn wait(&mut self, _delay_ms: u64) {
        self.waits += 1;
        self.first.get_or_insert(false);
    }
    fn release_handles(&mut self) {
        self.released += 1;
        self.first.get_or_insert(true);
    }
}

struct Bed(tempfile::TempDir);

impl Bed {
    fn upgraded(mode: &str) -> Self {
        let bed = Self(tempfile::tempdir().unwrap());
        let db = Connection::open(bed.path()).unwrap();
        db.execute_batch(&format!("PRAGMA journal_mode = {mode}; {V1}")).unwrap();
        drop(db);
        let migrated = cutover::migrate(&bed.options(), &mut Counts::default()).unwrap();
        assert_eq!(migrated.outcome, Outcome::Migrated);
        bed
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("data.db")
    }

    fn options(&self) -> Options {
        let make = Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) };
        Options::new(self.path(), "v1-v2", Detect::UserVersion(2), make).wait_ms(100)
    }

    /// A leaked connection that has read: in WAL mode it made a log without bytes, and `-shm`.
    fn leaked(&self, mode: &str) -> Vec<File> {
        if mode == "wal" {
            for suffix in ["-wal", "-shm"] {
                File::create(format!("{}{suffix}", self.path().display())).unwrap();
            }
        }
        vec![File::open(self.path()).unwrap()]
    }

    fn held(options: &Options) {
        let mut host = Counts::default();
        let error = cutover::migrate(options, &mut host).unwrap_err();
        assert_eq!(error.failure.code, Code::Held, "{error}");
        assert_eq!(host.first, Some(true), "collection comes before the first wait");
    }

    fn current(options: &Options) {
        let mut host = Counts::default();
        let again = cutover::migrate(options, &mut host).unwrap();
        assert_eq!((again.outcome, host.waits, host.released), (Outcome::Current, 0, 0));
        assert_eq!(again.backup, None);
    }
}

#[test]
fn a_database_that_was_found_current_is_so_beside_a_leaked_connection() {
    for mode in ["wal", "delete"] {
        let bed = Bed::upgraded(mode);
        let _leaked = bed.leaked(mode);
        // Both after the upgrade and after a start that found nothing to do.
        for _ in 0..2 {
            Bed::current(&bed.options());
        }
        // Another label or `detect` asks something else.
        Bed::held(&bed.options().label("v2-v3"));
        Bed::held(&bed.options().detect(Detect::UserVersion(3)));
        Bed::held(&bed.options().detect(Detect::Host));
        Bed::current(&bed.options());
    }
}

#[test]
fn what_a_callback_found_is_remembered_of_that_callback_alone() {
    let by = |bed: &Bed, id: Option<&str>| {
        let options = bed.options().detect(Detect::Host);
        match id {
            None => options,
            Some(id) => options.detect_id(id),
        }
    };
    let bed = Bed::upgraded("delete");
    for id in [None, Some("one")] {
        cutover::migrate(&by(&bed, id), &mut Counts::default()).unwrap();
    }
    let _leaked = bed.leaked("delete");
    Bed::current(&by(&bed, Some("one")));
    for another in [None, Some("another")] {
        Bed::held(&by(&bed, another));
    }
}

#[test]
fn what_was_found_is_forgotten_when_any_file_of_the_set_changed() {
    for mode in ["wal", "delete"] {
        // A commit.
        let bed = Bed::upgraded(mode);
        let db = Connection::open(bed.path()).unwrap();
        db.execute("INSERT INTO note (body) VALUES ('since')", []).unwrap();
        Bed::held(&bed.options());
        drop(db);

        // Only the time.
        let bed = Bed::upgraded(mode);
        let leaked = bed.leaked(mode);
        let earlier = std::time::SystemTime::UNIX_EPOCH;
        File::options().write(true).open(bed.path()).unwrap().set_modified(earlier).unwrap();
        Bed::held(&bed.options());
        drop(leaked);

        for name in ["data.db-wal", "data.db-journal", "data.db.v1-v2-cutover.json"] {
            let bed = Bed::upgraded(mode);
            let leaked = bed.leaked(mode);
            Bed::current(&bed.options());
            std::fs::write(bed.0.path().join(name), "x").unwrap();
            Bed::held(&bed.options());
            drop(leaked);
        }
    }
}

/// Another database of the same size and time, under the same name.
#[test]
fn what_was_found_is_of_that_file_alone() {
    let bed = Bed::upgraded("delete");
    let other = bed.0.path().join("other.db");
    std::fs::copy(bed.path(), &other).unwrap();
    let time = bed.path().metadata().unwrap().modified().unwrap();
    File::options().write(true).open(&other).unwrap().set_modified(time).unwrap();
    std::fs::rename(other, bed.path()).unwrap();
    let _leaked = bed.leaked("delete");
    Bed::held(&bed.options());
}

#[test]
fn a_restore_forgets_what_was_found() {
    let bed = Bed::upgraded("delete");
    let backup = cutover::list_backups(&bed.path()).unwrap().remove(0).name;
    let leaked = bed.leaked("delete");
    Bed::current(&bed.options());
    let options = BackupOptions::default().wait_ms(0);
    let refused =
        cutover::restore(&bed.path(), backup.as_str().as_ref(), &options, &mut Counts::default());
    assert_eq!(refused.unwrap_err().failure.code, Code::Held);
    Bed::held(&bed.options());
    drop(leaked);
}
