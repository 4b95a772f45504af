//! `ERRORS.md`: every code of a failure, in the words of `explain_error`, and the test that
//! produces it.

use cutover::planner::explain_error;
use cutover::{BuildBy, BuildFrom, Code, Detect, Host, Make, Options};

/// If this variable is set, the test writes the file instead of comparing it.
const UPDATE: &str = "UPDATE_ERRORS";

/// Each code, and the test that meets it with real files and a real cause.
const PRODUCED: [(Code, &str, &str); 12] = [
    (Code::Owned, "migrate/in_use.rs", "the_owner_lock_is_held_once_and_released"),
    (Code::Held, "migrate/in_use.rs", "a_connection_of_another_process_is_named"),
    (Code::Newer, "migrate/found.rs", "a_file_that_is_not_v1_is_left_alone"),
    (Code::NotADatabase, "migrate/found.rs", "a_file_that_is_not_v1_is_left_alone"),
    (Code::V1Corrupt, "codes.rs", "a_damaged_v1_is_not_upgraded"),
    (Code::NoSpace, "full_disk.rs", "full_at"),
    (Code::Io, "migrate/companions.rs", "companions_are_files_of_their_own"),
    (
        Code::Journal,
        "recover/journal.rs",
        "what_cannot_be_recovered_is_refused_and_nothing_is_touched",
    ),
    (
        Code::Host,
        "migrate/before_install.rs",
        "a_failing_build_is_undone_and_its_own_error_comes_back",
    ),
    (Code::Verify, "migrate/before_install.rs", "wrong_counts_and_a_failing_verify_are_undone"),
    (
        Code::StillOld,
        "migrate/before_install.rs",
        "a_v2_that_is_not_what_it_must_be_is_not_installed",
    ),
    (
        Code::Aborted,
        "migrate/before_install.rs",
        "stopping_is_honoured_until_v2_is_built_and_refused_after",
    ),
];

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap().replace("\r\n", "\n")
}

#[test]
fn every_code_is_produced_by_a_test() {
    assert_eq!(PRODUCED.map(|(code, ..)| code), Code::ALL);
    for (code, file, test) in PRODUCED {
        let text = read(&format!("{}/tests/it/{file}", env!("CARGO_MANIFEST_DIR")));
        let body = text
            .split(&format!("fn {test}("))
            .nth(1)
            .unwrap_or_else(|| panic!("{file} has no {test}"));
        let body = body.split("\n}\n").next().unwrap();
        assert!(body.contains(&format!("Code::{code:?}")), "{file}: {test} does not meet {code:?}");
    }
}

#[test]
fn the_table_of_codes_is_what_the_code_says() {
    let mut table = String::from(
        "# What a failure means\n\nMade from the code by `UPDATE_ERRORS=1 cargo test -p cutover \
         --test it codes`. A message ends with its short code, `[cutover:CODE:op:OS]`, without\nthe \
         parts that do not apply; `explainError` and `cutover::planner::explain_error` \
         find it in any text and say the same.\n\n| code | what it means | the data | what to do \
         | produced by, in runner/tests/it |\n| --- | --- | --- | --- | --- |\n",
    );
    for (code, file, test) in PRODUCED {
        let told = explain_error(&format!("[cutover:{}]", code.as_str())).unwrap();
        let line = format!(
            "| `{}` | {} | {} | {} | `{file}`: `{test}` |\n",
            code.as_str(),
            told.meaning,
            told.data,
            told.hint
        );
        // The message may be for the author.
        assert!(!told.hint.contains("author"), "{}", told.hint);
        table.push_str(&line);
    }
    let path = format!("{}/../ERRORS.md", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    assert_eq!(read(&path), table, "ERRORS.md is not what the code says; {UPDATE}=1 writes it");
}

struct NoHost;
impl Host for NoHost {}

/// v1 is read by the upgrade's SQL, or copied for the application's own migrator. In both cases the
/// failure names the damage, v1 stays, and nothing is left behind.
#[test]
fn a_damaged_v1_is_not_upgraded() {
    const FILL: &str = "CREATE TABLE notes (text TEXT); WITH RECURSIVE n(i) AS (VALUES (1) UNION \
                        ALL SELECT i + 1 FROM n WHERE i < 3000)
        INSERT INTO notes SELECT 'a note that is long enough to fill some pages ' || i FROM n;";
    for (from, sql) in [
        (
            BuildFrom::Empty,
            "CREATE TABLE note AS SELECT text FROM v1.notes; PRAGMA user_version = 2",
        ),
        (BuildFrom::Copy, "ALTER TABLE notes RENAME TO note; PRAGMA user_version = 2"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.db");
        rusqlite::Connection::open(&path).unwrap().execute_batch(FILL).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[20 * 4096..24 * 4096].fill(0xa5);
        std::fs::write(&path, &bytes).unwrap();
        let make = Make { from, run: BuildBy::Sql(sql.into()) };
        let error = cutover::migrate(
            &Options::new(&path, "v1-v2", Detect::UserVersion(2), make),
            &mut NoHost,
        )
        .unwrap_err();
        assert_eq!(error.failure.code, Code::V1Corrupt, "{from:?}: {}", error.failure);
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{from:?}");
        let left: Vec<_> = std::fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert!(
            left.iter().all(|name| name == "data.db" || name.to_string_lossy().ends_with("-lock")),
            "{left:?}"
        );
    }
}
