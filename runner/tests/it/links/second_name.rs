//! Files with another name elsewhere: by a link to them, or as a hard link. Nothing of theirs is changed.

use super::*;

/// A journal `built` and a link at v2's name: a start that root made gave the file behind the link
/// v1's mode and owner.
#[test]
fn a_recovery_changes_no_rights_behind_a_link() {
    for kind in [Kind::Link, Kind::Device] {
        let bed = Bed::new();
        let interrupted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut host = |event: &Event| {
                if matches!(event, Event::Step { op, .. } if op == "link") {
                    std::panic::resume_unwind(Box::new("interrupted"));
                }
            };
            cutover::migrate(&bed.options(), &mut App(&mut host)).map(drop)
        }));
        assert!(interrupted.is_err());
        let names = bed.all();
        let staged = names.iter().find(|name| name.starts_with("app/data.db.install-")).unwrap();
        let staged = bed.0.path().join(staged);
        let device = bed.0.path().join("elsewhere/zero");
        std::fs::rename(&staged, bed.0.path().join("v2")).unwrap();
        if kind == Kind::Device {
            if !Kind::Device.put(&bed, &device) {
                continue;
            }
            set_mode(&device, 0o666);
            symlink(&device, &staged).unwrap();
        } else {
            kind.put(&bed, &staged);
        }
        assert_refused(bed.migrate(), Kind::Link, &staged);
        bed.assert_nothing_followed("in a recovery");
        if kind == Kind::Device {
            assert_eq!(device.metadata().unwrap().mode() & 0o777, 0o666);
        }
        std::fs::rename(bed.0.path().join("v2"), &staged).unwrap();
        assert_eq!(bed.migrate().unwrap().outcome, Outcome::Migrated);
        bed.assert_v2("after the link is gone");
        assert_eq!(bed.database().metadata().unwrap().mode() & 0o777, 0o640);
    }
}

/// A build may exchange the file that it fills. One that has a second name elsewhere keeps its mode,
/// and is not installed.
#[test]
fn a_file_with_a_second_name_gets_no_rights() {
    let bed = Bed::new();
    let second = bed.0.path().join("elsewhere/second");
    let mut link = |event: &Event| {
        if matches!(event, Event::Step { op, undo: false, .. } if op == "check") {
            let names = bed.all();
            let staged = names.iter().find(|name| name.contains("data.db.install-")).unwrap();
            let staged = bed.0.path().join(staged);
            set_mode(&staged, 0o604);
            let _ = std::fs::hard_link(staged, &second);
        }
    };
    let failure =
        cutover::migrate(&bed.options(), &mut App(&mut link)).unwrap_err().failure.to_string();
    assert!(failure.contains("another hard link"), "{failure}");
    assert_eq!(second.metadata().unwrap().mode() & 0o777, 0o604);
    assert_eq!(rows(&bed.database(), "notes"), NOTES);
}

/// A database of another user, which no build may fill.
fn others_database(bed: &Bed) -> (PathBuf, Vec<u8>) {
    let other = bed.0.path().join("elsewhere/other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE secret (x)").unwrap();
    let bytes = std::fs::read(&other).unwrap();
    (other, bytes)
}

/// Who may list the directory knows the name of what is built next, and may make it first.
#[test]
fn a_build_fills_only_the_file_that_this_run_made() {
    for run in [BuildBy::Sql(TO_V2.into()), BuildBy::Host] {
        for second_name in [true, false] {
            let bed = Bed::new();
            let (other, bytes) = others_database(&bed);
            let mut options = bed.options();
            options.make.run = run.clone();
            let mut planted = None;
            let mut plant = |event: &Event| {
                let Event::Step { op, undo: false, .. } = event else { return };
                if op == "build-sql" || op == "build-host" {
                    let journal = bed.0.path().join("app/data.db.v1-v2-cutover.json");
                    let text = std::fs::read_to_string(journal).unwrap();
                    let journal: serde_json::Value = serde_json::from_str(&text).unwrap();
                    let name =
                        format!("app/data.db.building-{}", journal["nonce"].as_str().unwrap());
                    let path = bed.0.path().join(name);
                    if second_name {
                        std::fs::hard_link(&other, &path).unwrap();
                    } else {
                        std::fs::copy(&other, &path).unwrap();
                    }
                    planted = Some(std::fs::File::open(path).unwrap());
                }
            };
            let failed = cutover::migrate(&options, &mut App(&mut plant)).unwrap_err();
            let what = format!("{run:?}, {second_name}: {}", failed.failure);
            assert_eq!(failed.failure.code, Code::Io, "{what}");
            let mut now = Vec::new();
            std::io::Read::read_to_end(&mut planted.unwrap(), &mut now).unwrap();
            assert!(now == bytes && std::fs::read(&other).unwrap() == bytes, "{what}");
            assert_eq!(rows(&bed.database(), "notes"), NOTES, "{what}");
            let done = cutover::migrate(&options, &mut App(&mut |_| {})).unwrap();
            assert_eq!(done.outcome, Outcome::Migrated, "{what}");
        }
    }
}

/// With a rollback journal beside it, SQLite would write to whatever the owner lock is.
#[test]
fn an_owner_lock_that_is_another_database_is_refused() {
    let bed = Bed::new();
    let (other, _) = others_database(&bed);
    let db = Connection::open(&other).unwrap();
    db.execute_batch(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300)
         INSERT INTO secret SELECT randomblob(1000) FROM n;
         PRAGMA cache_size = 1; BEGIN; UPDATE secret SET x = zeroblob(1000);",
    )
    .unwrap();
    let lock = bed.0.path().join("app/data.db.owner-lock");
    std::fs::copy(
        other.with_file_name("other.db-journal"),
        lock.with_file_name("data.db.owner-lock-journal"),
    )
    .unwrap();
    db.execute_batch("COMMIT").unwrap();
    drop(db);
    let bytes = std::fs::read(&other).unwrap();
    std::fs::hard_link(&other, &lock).unwrap();
    let message = bed.migrate().unwrap_err().failure.to_string();
    assert!(message.contains("owner-lock: it is a hard link to another file"), "{message}");
    assert!(std::fs::read(&other).unwrap() == bytes, "{message}");
    // An empty file holds nothing of another user.
    std::fs::write(&other, "").unwrap();
    assert_eq!(bed.migrate().unwrap().outcome, Outcome::Migrated);
}

/// As root, whom SQLite lets give a sidecar away.
#[test]
fn a_file_with_a_second_name_at_any_name_keeps_its_bytes_and_rights() {
    if !crate::support::users::is_root() {
        return;
    }
    for name in names_of_ours() {
        let bed = Bed::new();
        let path = bed.0.path().join(&name);
        std::fs::hard_link(bed.secret(), &path).unwrap();
        std::os::unix::fs::chown(bed.database(), Some(5001), Some(6000)).unwrap();
        let told = bed.migrate().map(drop).map_err(|error| error.failure.to_string());
        let secret = bed.secret().metadata().unwrap();
        let bytes = std::fs::read(bed.secret()).unwrap();
        assert_eq!(
            (bytes.as_slice(), secret.mode() & 0o7777, secret.uid(), secret.gid()),
            (b"of another user".as_slice(), 0o604, 0, 0),
            "{name}: {told:?}"
        );
    }
}
