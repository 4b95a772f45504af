//! This program, started again as a process of its own that runs one function.

use std::process::Command;
#[cfg(target_os = "linux")]
use std::process::Output;

/// The command that runs this function of the asking module, and nothing else.
macro_rules! again {
    ($function:ident) => {{
        // The harness runs nothing, and is content, where a name is wrong.
        let _: fn() = $function;
        $crate::support::again::program(concat!(module_path!(), "::", stringify!($function)))
    }};
}

/// `path`: with the name of the crate, as `module_path!()` has it.
pub fn program(path: &str) -> Command {
    let mut program = Command::new(std::env::current_exe().unwrap());
    program.args(to_run(path));
    program
}

/// What the harness is told for that. It marks such a function as ignored where it is no test.
pub fn to_run(path: &str) -> [&str; 5] {
    let (_, name) = path.split_once("::").unwrap();
    [name, "--exact", "--include-ignored", "--test-threads=1", "--nocapture"]
}

/// Shows what such a process said. It has run one function, and that held. Only tests of Linux ask.
#[cfg(target_os = "linux")]
pub fn assert_held(output: &Output, otherwise: &str) {
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("test result: ok. 1 passed"), "{otherwise}");
}
