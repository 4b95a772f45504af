//! Faults at a chosen call of a program. `strace` counts the calls of each name separately, in each
//! thread: the fortieth call of all may be the third `rename`.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::path::Path;
use std::process::{Command, Output};

/// The example, which upgrades this database. Before the tests run, Cargo builds it into a folder
/// beside them.
pub fn example(database: &Path) -> Command {
    let mut programs = std::env::current_exe().unwrap();
    programs.pop();
    programs.pop();
    let mut command = Command::new(programs.join("examples/upgrade"));
    command.arg(database);
    command
}

/// Runs a program under `strace`, with these calls traced and more options. Returns how it ended,
/// and one line for each call, with the path of each descriptor.
pub fn run(traced: &str, more: &[String], program: &Command) -> (Output, Vec<String>) {
    let trace = tempfile::NamedTempFile::new().unwrap();
    // With this option it stops at the traced calls only, which is not possible if it sends a
    // signal.
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
    // Without the lines about signals and exits.
    (output, text.lines().filter(|line| line.contains('(')).map(str::to_owned).collect())
}

/// The option that makes `strace` kill the program before the call at this index, if the program
/// makes these calls again.
pub fn kill_before(calls: &[String], at: usize) -> String {
    inject(calls, at, "signal=SIGKILL")
}

/// The option that makes `strace` do this at the call at this index.
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
