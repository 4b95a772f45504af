//! A test that mounts needs a mount namespace of its own.

use std::process::Command;

/// Starts this program again inside one, with `inside` set, and waits for it. False: this is inside.
pub fn started_inside(inside: &str) -> bool {
    if std::env::var_os(inside).is_some() {
        return false;
    }
    let status = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount"])
        .arg(std::env::current_exe().unwrap())
        .env(inside, "1")
        .status()
        .expect("unshare is needed for this test: apt-get install util-linux");
    assert!(status.success(), "the test inside the mount namespace failed");
    true
}
