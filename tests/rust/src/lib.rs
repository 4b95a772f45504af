//! What the programs share.

/// Ends this process as a kill does: nothing is closed, flushed or told.
#[cfg(unix)]
pub fn die() -> ! {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    unreachable!("SIGKILL cannot be ignored")
}

/// On POSIX: nothing registers with the C library's exit, and SQLite closes nothing there. 137 is
/// what a shell says of SIGKILL.
#[cfg(not(unix))]
pub fn die() -> ! {
    std::process::exit(137)
}
