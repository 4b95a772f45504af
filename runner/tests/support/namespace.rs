//! A test that mounts needs a mount namespace of its own.

use std::process::Command;

/// Ubuntu 24.04 makes the namespace and refuses everything in it.
const FAILED: &str = "the test inside the mount namespace failed. Where it could not be made or \
                      could not mount: allow user namespaces, on Ubuntu by `sudo sysctl -w \
                      kernel.apparmor_restrict_unprivileged_userns=0`; in a container, let it \
                      mount (docker run --privileged)";

/// Starts this program again inside one, with `inside` set and these arguments, and waits for it.
/// False: this is inside.
pub fn started_inside(inside: &str, args: &[&str]) -> bool {
    if std::env::var_os(inside).is_some() {
        return false;
    }
    let status = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount"])
        .arg(std::env::current_exe().unwrap())
        .args(args)
        .env(inside, "1")
        .status()
        .expect("unshare is needed for this test: apt-get install util-linux");
    assert!(status.success(), "{FAILED}");
    true
}
