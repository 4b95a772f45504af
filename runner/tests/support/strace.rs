//! What befalls a program at a chosen call. `strace` counts the calls of each name for itself, in each thread: the fortieth call of all is the third `rename`, say.

/// The calls of a trace that was written with `-f -o`, without what is told of signals and ends.
pub fn calls(trace: &str) -> Vec<String> {
    trace.lines().filter(|line| line.contains('(')).map(str::to_owned).collect()
}

/// What has `strace` kill the program before the call at this place, where it makes the same calls once more.
#[allow(dead_code, reason = "not every test kills")]
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
