//! Starts this test program again, as a process of its own that runs one function.

use std::process::Command;
#[cfg(target_os = "linux")]
use std::process::Output;

/// The command that runs this function of the calling module, and nothing else.
macro_rules! again {
    ($function:ident) => {{
        // For a wrong name the test harness would run nothing, and succeed.
        let _: fn() = $function;
        $crate::support::again::program(concat!(module_path!(), "::", stringify!($function)))
    }};
}

/// `path` begins with the crate's name, as `module_path!()` does.
pub fn program(path: &str) -> Command {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(to_run(path));
    program
}

/// The arguments for the test harness. A function that is not a test is marked as ignored.
pub fn to_run(path: &str) -> [&str; 5] {
    let (_, name) = path.split_once("::").unwrap();
    [name, "--exact", "--include-ignored", "--test-threads=1", "--nocapture"]
}

/// Prints the output of such a process, which must have run one function with success. Only Linux
/// tests use it.
#[cfg(target_os = "linux")]
pub fn assert_held(output: &Output, otherwise: &str) {
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("test result: ok. 1 passed"), "{otherwise}");
}

/// Whether this process is root, who may read and write every file. Then it has run this test again
/// without that capability, as an owner like others ("capabilities(7)"), and the test held.
#[cfg(target_os = "linux")]
pub fn held_as_an_owner(again: &Command) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    const INSIDE: &str = "CUTOVER_TEST_AS_AN_OWNER";
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 || std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let output = Command::new("setpriv")
        .arg("--bounding-set=-dac_override,-dac_read_search")
        .arg(again.get_program())
        .args(again.get_args())
        .env(INSIDE, "1")
        .output()
        .expect("setpriv: apt-get install util-linux");
    assert_held(&output, "it fails as an owner");
    true
}
