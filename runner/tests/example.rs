//! The example is what a Rust application does without Node: it must run as it stands.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::Command;

/// Cargo builds the examples of a package before it runs its tests, beside them.
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
