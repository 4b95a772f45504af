//! The example shows what a Rust application does without Node, so it must run as it stands.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Before Cargo runs a package's tests, it builds the package's examples into a folder beside them.
fn example() -> PathBuf {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.join("examples").join(format!("upgrade{}", std::env::consts::EXE_SUFFIX))
}

fn run(database: &std::path::Path) -> String {
    let output = Command::new(example()).arg(database).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn upgrades_once_and_is_ready_at_every_start() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("data.db");
    let first = run(&database);
    assert!(first.starts_with("Migrated local data to v2; moved old DB to "), "{first}");
    assert!(first.ends_with("READY with 3 notes\n"), "{first}");
    assert_eq!(run(&database), "READY with 3 notes\n");
}

#[test]
fn of_two_starts_at_once_one_upgrades_and_the_other_is_refused_or_comes_later() {
    for _ in 0..30 {
        let directory = tempfile::tempdir().unwrap();
        let database = directory.path().join("data.db");
        rusqlite::Connection::open(&database)
            .unwrap()
            .execute_batch("CREATE TABLE notes (id INTEGER PRIMARY KEY, text)")
            .unwrap();
        let start = || {
            Command::new(example())
                .arg(&database)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let both = [start(), start()].map(|child| child.wait_with_output().unwrap());
        let said: Vec<String> = both
            .iter()
            .map(|output| String::from_utf8([&output.stdout[..], &output.stderr].concat()).unwrap())
            .collect();
        assert_eq!(
            said.iter().filter(|said| said.starts_with("Migrated local data")).count(),
            1,
            "{said:?}"
        );
        for (output, said) in both.iter().zip(&said) {
            assert!(output.status.success() || said.contains("[cutover:OWNED"), "{said}");
        }
        assert_eq!(run(&database), "READY with 0 notes\n");
    }
}
