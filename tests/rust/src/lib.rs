//! What the programs share.

/// Ends this process as a kill does: nothing is closed, flushed or reported.
#[cfg(unix)]
pub fn die() -> ! {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    unreachable!("SIGKILL cannot be ignored")
}

/// `exit` suffices here: no code is registered with the C library's exit, and SQLite closes nothing
/// there. 137 is the status that a shell reports for SIGKILL.
#[cfg(not(unix))]
pub fn die() -> ! {
    std::process::exit(137)
}
