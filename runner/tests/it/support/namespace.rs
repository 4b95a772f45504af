//! A test that mounts needs a mount namespace of its own.

use std::process::Command;

use super::again;

/// Ubuntu 24.04 makes the namespace, but refuses every mount in it.
const FAILED: &str = "the test in the mount namespace failed. If the namespace could not be made, \
                      or could not mount: allow user namespaces, on Ubuntu by `sudo sysctl -w \
                      kernel.apparmor_restrict_unprivileged_userns=0`; in a container, let it \
                      mount (docker run --privileged)";

/// Set in the process inside the namespace.
const INSIDE: &str = "CUTOVER_TEST_IN_A_NAMESPACE";

/// Runs this function again inside a namespace, and waits for it. Returns false inside.
macro_rules! started_inside {
    ($function:ident) => {{
        let _: fn() = $function;
        $crate::support::namespace::started_inside(concat!(
            module_path!(),
            "::",
            stringify!($function)
        ))
    }};
}

pub fn started_inside(path: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    // In a user namespace cutover does not see the processes of the same user outside it, and
    // refuses to upgrade. So there are none: it gets a PID namespace as well.
    let namespaces: &[&str] = if rustix::process::geteuid().is_root() {
        &["--mount"]
    } else {
        &["--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc"]
    };
    let output = Command::new("unshare")
        .args(namespaces)
        .arg(std::env::current_exe().unwrap())
        .args(again::to_run(path))
        .env(INSIDE, "1")
        .output()
        .expect("unshare is needed for this test: apt-get install util-linux");
    again::assert_held(&output, FAILED);
    true
}
