//! v1 is copied byte by byte for a build that begins with a copy. In rollback mode SQLite's shared
//! lock keeps every program from writing to it from the first byte to the last.
#![cfg(target_os = "linux")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "support/notes.rs"]
mod notes;
#[path = "support/strace.rs"]
mod strace;

use std::path::Path;
use std::process::Command;

use cutover::{Detect, From, Host, Make, Options, Run};
use rusqlite::Connection;

use notes::{NOTES, V1, rows};

/// Set where this program is started anew, to upgrade the database named here.
const UPGRADES: &str = "CUTOVER_TEST_UPGRADES";

struct Quiet;
impl Host for Quiet {}

#[test]
fn nobody_writes_to_v1_from_the_first_byte_of_its_copy_to_the_last() {
    if let Some(database) = std::env::var_os(UPGRADES) {
        let sql = "ALTER TABLE notes RENAME TO note; ALTER TABLE note RENAME text TO body;
                   PRAGMA user_version = 2";
        let make = Make { from: From::Copy, run: Run::Sql(sql.into()) };
        let options = Options::new(Path::new(&database), "v1-v2", Detect::UserVersion(2), make);
        cutover::migrate(&options, &mut Quiet).unwrap();
        return;
    }
    for mode in ["wal", "delete"] {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("data.db");
        let v1 = Connection::open(&database).unwrap();
        v1.execute_batch(&format!("PRAGMA journal_mode = {mode}; {V1}")).unwrap();
        drop(v1);
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--test-threads=1"]).env(UPGRADES, &database);
        let traced = "fcntl,close,copy_file_range,sendfile,write";
        let (output, calls) = strace::run(traced, &[], &again);
        assert!(output.status.success(), "{mode}: {}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(rows(&database, "note"), NOTES, "{mode}");
        // SQLite's shared lock (`SHARED_FIRST` and `SHARED_SIZE` in os.h) is taken before the first
        // byte is copied and is there at the last.
        let copies = |call: &String| {
            call.contains(".building-")
                && ["copy_file_range(", "sendfile(", "write("].iter().any(|by| call.contains(by))
        };
        let first = calls.iter().position(copies).unwrap_or_else(|| panic!("{calls:#?}"));
        let locks = |call: &&String| {
            call.contains("/data.db>")
                && !call.contains(".building-")
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
