//! A damaged v1 is found before v2 is installed, wherever the damage is met. The damage is made in
//! the pages of real files.
#![allow(
    clippy::field_reassign_with_default,
    reason = "an application of closures is made test by test"
)]

use std::path::Path;

use cutover::planner::DataState;
use cutover::{BuildBy, BuildFrom, Built, Code, Detect, Verdict};
use rusqlite::Connection;

use crate::support::bed::{Application, Bed};

const PAGE: usize = 4096;

/// 300 rows on many leaves, a second table and an index.
const V1: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
    WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 300)
        INSERT INTO notes SELECT i, printf('%080d', i) FROM n;
    CREATE TABLE tag (note INTEGER, word TEXT);
    INSERT INTO tag SELECT id, printf('%040d', id) FROM notes;
    CREATE INDEX tag_word ON tag (word);
    CREATE TABLE gone (x); INSERT INTO gone SELECT printf('%03000d', id) FROM notes LIMIT 9;
    DROP TABLE gone;
    PRAGMA user_version = 1;";

const TO_V2: &str = "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
    INSERT INTO note SELECT id, text FROM v1.notes; PRAGMA user_version = 2;";
const ON_COPY: &str = "CREATE TABLE more (x); PRAGMA user_version = 2;";

fn short(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]))
}

fn long(bytes: &[u8], at: usize) -> usize {
    short(bytes, at) << 16 | short(bytes, at + 2)
}

/// Where the page of the table's first leaf begins in the file.
fn first_leaf(path: &Path, table: &str) -> usize {
    let root: usize = Connection::open(path)
        .unwrap()
        .query_row("SELECT rootpage FROM sqlite_master WHERE name = ?1", [table], |row| {
            row.get::<_, i64>(0)
        })
        .unwrap()
        .try_into()
        .unwrap();
    let bytes = std::fs::read(path).unwrap();
    let root = (root - 1) * PAGE;
    // An interior page: its first cell begins with the number of its child.
    assert!([2, 5].contains(&bytes[root]), "{}", bytes[root]);
    (long(&bytes, root + short(&bytes, root + 12)) - 1) * PAGE
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap();
    change(&mut bytes);
    std::fs::write(path, bytes).unwrap();
}

type Harm = fn(&Path);

/// Each kind of damage. A build from an empty file reads none of the last three.
const HARMS: [(&str, Harm); 7] = [
    ("three cells of a leaf are lost", |path| {
        let leaf = first_leaf(path, "notes");
        change(path, |bytes| {
            let cells = u16::from_be_bytes([bytes[leaf + 3], bytes[leaf + 4]]) - 3;
            bytes[leaf + 3..leaf + 5].copy_from_slice(&cells.to_be_bytes());
        });
    }),
    ("the file is cut by three pages", |path| {
        change(path, |bytes| bytes.truncate(bytes.len() - 3 * PAGE));
    }),
    ("a leaf is zeroed", |path| {
        let leaf = first_leaf(path, "notes");
        change(path, |bytes| bytes[leaf..leaf + PAGE].fill(0));
    }),
    ("the order of two rows is wrong", |path| {
        let leaf = first_leaf(path, "notes");
        change(path, |bytes| {
            let (one, two) = (leaf + 8, leaf + 10);
            for at in 0..2 {
                bytes.swap(one + at, two + at);
            }
        });
    }),
    ("entries of an index are lost", |path| {
        let leaf = first_leaf(path, "tag_word");
        change(path, |bytes| {
            let cells = u16::from_be_bytes([bytes[leaf + 3], bytes[leaf + 4]]) - 1;
            bytes[leaf + 3..leaf + 5].copy_from_slice(&cells.to_be_bytes());
        });
    }),
    ("the freelist leads nowhere", |path| {
        change(path, |bytes| bytes[32..36].copy_from_slice(&7777_u32.to_be_bytes()));
    }),
    ("a page of a table that is not read is overwritten", |path| {
        let leaf = first_leaf(path, "tag");
        change(path, |bytes| bytes[leaf..leaf + PAGE].fill(0xa5));
    }),
];

fn harmed(harm: Harm) -> Bed {
    let bed = Bed::new(V1);
    harm(&bed.path());
    bed
}

fn run_sql(sql: &str) -> BuildBy {
    BuildBy::Sql(sql.into())
}

/// The application's own build: it opens its copy of v1, or what is one already.
fn build(
    from: BuildFrom,
) -> impl FnMut(&mut dyn cutover::Job) -> Result<Built, cutover::HostError> {
    move |job| {
        let v2 = Connection::open(job.staging())?;
        if from == BuildFrom::Empty {
            v2.execute("ATTACH ?1 AS v1", [job.source()?.to_str().unwrap()])?;
        }
        v2.execute_batch(if from == BuildFrom::Empty { TO_V2 } else { ON_COPY })?;
        Ok(Built::default())
    }
}

#[test]
fn a_damaged_v1_is_never_upgraded() {
    for (what, harm) in HARMS {
        for from in [BuildFrom::Empty, BuildFrom::Copy] {
            let sql = if from == BuildFrom::Empty { TO_V2 } else { ON_COPY };
            for run in [run_sql(sql), BuildBy::Host] {
                let bed = harmed(harm);
                let bytes = bed.bytes();
                let calls = std::cell::Cell::new(0);
                let mut own = build(from);
                let mut host = Application::default();
                host.build = Some(Box::new(|job| {
                    calls.set(calls.get() + 1);
                    own(job)
                }));
                let options = bed.options(from, run.clone()).keep_backups(1);
                let error = cutover::migrate(&options, &mut host).unwrap_err();
                let told = format!("{what}, {from:?}, {run:?}: {}", error.failure);
                assert_eq!(error.failure.code, Code::V1Corrupt, "{told}");
                assert!(!told.contains("your data is whole"), "{told}");
                assert!(!told.contains("your data is untouched"), "{told}");
                // A file that is cut is not even opened.
                let begun = !what.contains("cut");
                assert_eq!(told.contains("what is left of your data is in"), begun, "{told}");
                assert_eq!(calls.get(), 0, "no callback builds from it: {told}");
                drop(host);
                assert_eq!(bed.names(), ["data.db"], "{told}");
                assert!(bed.bytes() == bytes, "{told}");
            }
        }
    }
}

#[test]
fn a_sound_v1_passes_and_nothing_is_told() {
    for from in [BuildFrom::Empty, BuildFrom::Copy] {
        for wal in [false, true] {
            let sql = if from == BuildFrom::Empty { TO_V2 } else { ON_COPY };
            for run in [run_sql(sql), BuildBy::Host] {
                let bed = Bed::new(V1);
                if wal {
                    bed.open().execute_batch("PRAGMA journal_mode = WAL").unwrap();
                }
                let mut host = Application::default();
                host.build = Some(Box::new(build(from)));
                let result = cutover::migrate(&bed.options(from, run), &mut host).unwrap();
                assert_eq!(result.warnings, []);
                assert!(host.ops.iter().any(|op| op == "check-pages"), "{:?}", host.ops);
            }
        }
    }
}

/// What a build reads, it must be able to read, with or without the check.
#[test]
fn without_the_check_a_build_that_meets_damage_fails_as_v1_corrupt() {
    let overwritten: Harm = |path| {
        let leaf = first_leaf(path, "notes");
        change(path, |bytes| bytes[leaf..leaf + PAGE].fill(0xa5));
    };
    for from in [BuildFrom::Empty, BuildFrom::Copy] {
        let sql = match from {
            BuildFrom::Empty => TO_V2,
            BuildFrom::Copy => "CREATE TABLE note AS SELECT * FROM notes; PRAGMA user_version = 2",
        };
        let bed = harmed(overwritten);
        let options = bed.sql(from, sql).check_v1(false);
        let error = cutover::migrate(&options, &mut Application::default()).unwrap_err();
        assert_eq!(error.failure.code, Code::V1Corrupt, "{from:?}: {}", error.failure);
        assert_eq!(bed.names(), ["data.db"]);
    }
    // The damage is met through `job.v1`: the application's own error stays the cause.
    for swallows in [false, true] {
        let bed = harmed(overwritten);
        let mut host = Application::default();
        host.build = Some(Box::new(|job| {
            let read = job.v1().all("SELECT sum(length(text)) FROM notes", &[]);
            build(BuildFrom::Copy)(job)?;
            match read {
                Err(error) if !swallows => Err(format!("notes are unreadable: {error}").into()),
                _ => Ok(Built::default()),
            }
        }));
        let options = bed.options(BuildFrom::Empty, BuildBy::Host).check_v1(false);
        let error = cutover::migrate(&options, &mut host).unwrap_err();
        assert_eq!(error.failure.code, Code::V1Corrupt, "{}", error.failure);
        let cause = error.cause.map(|cause| cause.to_string()).unwrap_or_default();
        assert_eq!(cause.contains("notes are unreadable"), !swallows, "{cause}");
        drop(host);
        assert_eq!(bed.names(), ["data.db"]);
    }
}

/// The option is off by the caller's will alone, and then nothing reads v1 for damage.
#[test]
fn the_check_is_left_out_only_if_the_options_say_so() {
    let (what, lost) = HARMS[0];
    for (check_v1, installed) in [(true, false), (false, true)] {
        let bed = harmed(lost);
        let options = bed.sql(BuildFrom::Empty, TO_V2).check_v1(check_v1);
        let plan = cutover::plan(&options, &mut Application::default()).unwrap().unwrap();
        let checks = plan.steps.iter().any(|step| step.op.name() == "check-pages");
        assert_eq!(checks, check_v1, "{what}");
        let text = plan.to_text();
        let other = options.clone().check_v1(!check_v1);
        let refused = cutover::run_plan(&text, &other, &mut Application::default()).unwrap_err();
        assert_eq!(refused.failure.code, Code::Journal, "a given plan does not decide it");
        let result = cutover::migrate(&options, &mut Application::default());
        assert_eq!(result.is_ok(), installed, "{what}: {result:?}");
    }
}

#[test]
fn a_detect_that_meets_damage_is_v1_corrupt() {
    for fails in [false, true] {
        let bed = harmed(HARMS[2].1);
        let bytes = bed.bytes();
        let mut host = Application::default();
        host.detect = Some(Box::new(move |db| {
            let read = db.all("SELECT sum(length(text)) FROM notes", &[]);
            if fails { read.map(|_| Verdict::Old) } else { Ok(Verdict::Old) }
        }));
        let options = bed.sql(BuildFrom::Empty, TO_V2).detect(Detect::Host);
        let error = cutover::migrate(&options, &mut host).unwrap_err();
        assert_eq!(error.failure.code, Code::V1Corrupt, "{}", error.failure);
        assert_eq!(error.cause.is_some(), fails);
        drop(host);
        assert_eq!(bed.names(), ["data.db"]);
        assert!(bed.bytes() == bytes);
    }
}

/// A fault of a row does not hide damage behind it, and is no damage.
#[test]
fn damage_behind_a_fault_of_a_row_is_found() {
    let rows = "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(sql, 'note \
                INTEGER', 'note TEXT') WHERE name = 'tag'";
    let bed = Bed::new(V1);
    bed.open().execute_batch(rows).unwrap();
    let options = bed.sql(BuildFrom::Empty, TO_V2);
    let result = cutover::migrate(&options, &mut Application::default()).unwrap();
    let told = crate::support::bed::told(&result);
    assert_eq!(told, ["in the old database: 300 rows: NUMERIC value in tag.note"]);
    for (what, harm) in HARMS {
        let bed = harmed(harm);
        let changed = bed.open().execute_batch(rows);
        assert!(changed.is_ok() || what.contains("cut") || what.contains("freelist"), "{what}");
        let error =
            cutover::migrate(&bed.sql(BuildFrom::Empty, TO_V2), &mut Application::default())
                .unwrap_err();
        assert_eq!(error.failure.code, Code::V1Corrupt, "{what}: {}", error.failure);
    }
}

/// The check ends before anything that follows, however the upgrade ends.
#[test]
fn an_application_that_stops_does_not_wait_for_the_check() {
    let bed = Bed::new(V1);
    let stop = std::cell::Cell::new(false);
    let mut host = Application::default();
    host.stop = Some(Box::new(|| stop.get()));
    host.build = Some(Box::new(|_| {
        stop.set(true);
        Err("stopped".into())
    }));
    let options = bed.options(BuildFrom::Copy, BuildBy::Host);
    let error = cutover::migrate(&options, &mut host).unwrap_err();
    assert_eq!(error.failure.code, Code::Aborted);
    drop(host);
    assert_eq!(bed.names(), ["data.db"]);
    // A statement that fails while the check runs beside it.
    let bed = Bed::new(V1);
    let options = bed.sql(BuildFrom::Empty, "SELECT 1; nonsense");
    let error = cutover::migrate(&options, &mut Application::default()).unwrap_err();
    assert_eq!(error.failure.code, Code::Host, "{}", error.failure);
    assert_eq!(bed.names(), ["data.db"]);
}

/// A damaged backup is never made the database again.
#[test]
fn a_damaged_backup_is_v1_corrupt_and_v2_stays() {
    let bed = Bed::new(V1);
    let result =
        cutover::migrate(&bed.sql(BuildFrom::Empty, TO_V2), &mut Application::default()).unwrap();
    let backup = result.backup.unwrap();
    let leaf = first_leaf(&backup, "notes");
    change(&backup, |bytes| {
        let cells = u16::from_be_bytes([bytes[leaf + 3], bytes[leaf + 4]]) - 3;
        bytes[leaf + 3..leaf + 5].copy_from_slice(&cells.to_be_bytes());
    });
    let v2 = bed.bytes();
    let failure = bed.restore().unwrap_err().failure;
    assert_eq!((failure.code, failure.data.state), (Code::V1Corrupt, DataState::V2), "{failure}");
    let text = failure.to_string();
    assert!(
        text.contains("the backup is damaged") && text.contains("choose another one"),
        "{text}"
    );
    assert!(bed.bytes() == v2);
}
