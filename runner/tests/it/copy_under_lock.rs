//! For a build that begins with a copy, or asks for one, v1 is copied byte by byte. In rollback mode SQLite's shared
//! lock keeps every program from writing to v1 from the first byte to the last.
#![cfg(target_os = "linux")]

use std::path::Path;

use cutover::{BuildBy, BuildFrom, Built, Detect, Host, HostError, Job, Make, Options};
use rusqlite::Connection;

use crate::support::notes::{NOTES, TO_V2, V1, rows};
use crate::support::strace;

/// Set when this test program starts itself again, to the database to upgrade.
const UPGRADES: &str = "CUTOVER_TEST_UPGRADES";
/// Set when its build asks for a copy.
const ASKS: &str = "CUTOVER_TEST_ASKS";

/// An application that asks for a copy.
struct App;
impl Host for App {
    fn build(&mut self, job: &mut dyn Job<'_>) -> Result<Built, HostError> {
        let v2 = Connection::open(job.staging())?;
        v2.execute("ATTACH ?1 AS v1", [job.source()?.to_str()])?;
        v2.execute_batch(TO_V2)?;
        Ok(Built::default())
    }
}

#[test]
#[ignore = "a process of the tests"]
fn upgrades() {
    let database = std::env::var_os(UPGRADES).unwrap();
    let sql = "ALTER TABLE notes RENAME TO note; ALTER TABLE note RENAME text TO body;
               PRAGMA user_version = 2";
    let make = if std::env::var_os(ASKS).is_some() {
        Make { from: BuildFrom::Empty, run: BuildBy::Host }
    } else {
        Make { from: BuildFrom::Copy, run: BuildBy::Sql(sql.into()) }
    };
    let options = Options::new(Path::new(&database), "v1-v2", Detect::UserVersion(2), make);
    cutover::migrate(&options, &mut App).unwrap();
}

#[test]
fn no_program_writes_to_v1_from_the_first_byte_of_its_copy_to_the_last() {
    let ways = ["wal", "delete"].into_iter().flat_map(|mode| [(mode, false), (mode, true)]);
    for (mode, asks) in ways {
        let copy = if asks { ".source-" } else { ".building-" };
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("data.db");
        let v1 = Connection::open(&database).unwrap();
        v1.execute_batch(&format!("PRAGMA journal_mode = {mode}; {V1}")).unwrap();
        drop(v1);
        let mut again = again!(upgrades);
        again.env(UPGRADES, &database);
        if asks {
            again.env(ASKS, "");
        }
        let traced = "fcntl,close,copy_file_range,sendfile,write";
        let (output, calls) = strace::run(traced, &[], &again);
        assert!(output.status.success(), "{mode}: {}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(rows(&database, "note"), NOTES, "{mode}");
        // SQLite's shared lock (`SHARED_FIRST` and `SHARED_SIZE` in os.h) is taken before the first
        // byte is copied, and still held at the last.
        let copies = |call: &String| {
            call.contains(copy)
                && ["copy_file_range(", "sendfile(", "write("].iter().any(|by| call.contains(by))
        };
        let first = calls.iter().position(copies).unwrap_or_else(|| panic!("{calls:#?}"));
        let locks = |call: &&String| {
            call.contains("/data.db>")
                && !call.contains(copy)
                && (call.contains(" close(")
                    || ["l_len=510", "l_len=0"].iter().any(|range| call.contains(range)))
        };
        let last = |until: usize| calls[..until].iter().rfind(locks).unwrap();
        let end = first + calls[first..].iter().rposition(copies).unwrap();
        for until in [first, end] {
            assert!(
                last(until).contains("F_SETLK, {l_type=F_RDLCK")
                    && last(until).contains("l_start=1073741826, l_len=510"),
                "{mode}: {}",
                last(until)
            );
        }
    }
}
