//! What befalls a program at a chosen call. `strace` counts the calls of each name for itself, in
//! each thread: the fortieth call of all is the third `rename`, say.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::path::Path;
use std::process::{Command, Output};

/// The example, which upgrades this database. Cargo builds it before the tests, beside them.
pub fn example(database: &Path) -> Command {
    let mut programs = std::env::current_exe().unwrap();
    programs.pop();
    programs.pop();
    let mut command = Command::new(programs.join("examples/upgrade"));
    command.arg(database);
    command
}

/// Runs a program while these calls are traced, with what else `strace` is told. Gives how it ended
/// and the calls, each a line, with the path of each descriptor.
pub fn run(traced: &str, more: &[String], program: &Command) -> (Output, Vec<String>) {
    let trace = tempfile::NamedTempFile::new().unwrap();
    // So it stops at these calls only; no signal is sent then.
    let alone = (!more.iter().any(|inject| inject.contains(":signal="))).then_some("--seccomp-bpf");
    let output = Command::new("strace")
        .args(alone)
        .args(["-f", "-y", "-e", &format!("trace={traced}"), "-o"])
        .arg(trace.path())
        .args(more)
        .arg(program.get_program())
        .args(program.get_args())
        .envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .output()
        .expect("strace is needed for this test: apt-get install strace");
    let text = std::fs::read_to_string(trace.path()).unwrap();
    // Without what is told of signals and ends.
    (output, text.lines().filter(|line| line.contains('(')).map(str::to_owned).collect())
}

/// What has `strace` kill the program before the call at this place, where it makes the same calls
/// once more.
pub fn kill_before(calls: &[String], at: usize) -> String {
    inject(calls, at, "signal=SIGKILL")
}

/// What has `strace` do this at the call at this place.
pub fn inject(calls: &[String], at: usize, what: &str) -> String {
    let is = |call: &str| {
        let (start, _) = call.split_once('(')?;
        let mut words = start.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.to_owned()))
    };
    let (_, name) = is(&calls[at]).unwrap();
    let nth = calls[..=at].iter().filter(|call| is(call) == is(&calls[at])).count();
    format!("--inject={name}:{what}:when={nth}")
}
