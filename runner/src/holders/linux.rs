//! Who has a file open on Linux: `/proc/<pid>/fd` of each process ("proc(5)").
//!
//! A process of another user is not seen, unless this one is root's; nor is one outside this PID
//! namespace (a container), one with more rights than this one, or one that the kernel protects
//! from its own user (`PR_SET_DUMPABLE` of "prctl(2)", such as ssh-agent). Any other process of this
//! user must be seen: a `/proc` that is missing, is something else, or hides it, is reported.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cutover_core::Holder;
use rustix::fs::{AtFlags, CWD, StatxFlags, fstatfs, makedev, statfs, statx};
use rustix::io::Errno;

use super::own::{Identity, identities};

/// The lists of this process's descriptors. The thread's own comes first: a thread may have
/// descriptors of its own, and a process goes on when its first thread has ended.
pub(super) const LISTS: [&str; 2] = ["/proc/thread-self/fd", "/proc/self/fd"];

/// Whether this is a directory of the kernel's `/proc`.
pub(super) fn is_list(directory: impl AsFd) -> bool {
    fstatfs(directory).is_ok_and(|found| found.f_type == rustix::fs::PROC_SUPER_MAGIC)
}

pub(super) fn identity_of(descriptor: BorrowedFd<'_>) -> io::Result<Identity> {
    identity(descriptor, Path::new(""), AtFlags::EMPTY_PATH)
}

/// The other processes that have one of these files open. The check is a `statx` of
/// `/proc/<pid>/fd/<n>`, which opens nothing.
///
/// # Errors
/// Why a process of this user may have one of them open and was not seen.
pub(super) fn others(files: &[PathBuf]) -> Result<Vec<Holder>, String> {
    let wanted = identities(files);
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let proc = statfs("/proc").map_err(|error| format!("/proc cannot be read: {error}"))?;
    if proc.f_type != rustix::fs::PROC_SUPER_MAGIC {
        return Err("/proc is not mounted".into());
    }
    // Its number in the PID namespace of this `/proc`, which may be another one's.
    let this = std::fs::read_link("/proc/self").ok();
    let this = this.and_then(|link| link.to_str()?.parse::<u32>().ok()).ok_or_else(|| {
        "/proc is that of another PID namespace, and does not have this process".to_owned()
    })?;
    let (mut found, mut listed) = (Vec::new(), false);
    let unread =
        |what: &Path, error: &io::Error| format!("{} cannot be read: {error}", what.display());
    for process in std::fs::read_dir("/proc").map_err(|error| unread(Path::new("/proc"), &error))? {
        let process = process.map_err(|error| unread(Path::new("/proc"), &error))?.path();
        let number = process.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
        let Some(pid) = number else { continue };
        match holds_at_last(&process, &wanted) {
            Ok(_) if pid == this => listed = true,
            Ok(true) => found.push(Holder { pid, name: name_of(&process), this_process: false }),
            Ok(false) => {}
            Err(error) if is_gone(&error) && pid != this => {}
            Err(error) if is_denied(&error) && !is_of_this_user(&process) => {}
            Err(error) => {
                let name = name_of(&process);
                return Err(format!("{} ({name})", unread(&process.join("fd"), &error)));
            }
        }
    }
    if listed { Ok(found) } else { Err("/proc does not list this process".into()) }
}

/// How long it takes until a process is looked into again, milliseconds. It may have to wait for a
/// core.
const AGAIN_MS: [u64; 7] = [1, 2, 4, 8, 16, 32, 64];

/// Whether a process has one of the files open. For an instant no process may be looked into that
/// becomes another program (`begin_new_exec` in Linux' fs/exec.c) or another user's.
fn holds_at_last(process: &Path, wanted: &[Identity]) -> io::Result<bool> {
    let mut held = holds(&process.join("fd"), wanted);
    for delay_ms in AGAIN_MS {
        match &held {
            Err(error) if is_denied(error) && is_of_this_user(process) => {
                std::thread::sleep(Duration::from_millis(delay_ms));
            }
            _ => break,
        }
        held = holds(&process.join("fd"), wanted);
    }
    held
}

/// Whether one of these descriptors is one of the files. A process that may not be looked into may
/// still show the numbers of its descriptors.
fn holds(descriptors: &Path, wanted: &[Identity]) -> io::Result<bool> {
    let mut denied = None;
    for descriptor in std::fs::read_dir(descriptors)? {
        match identity(CWD, &descriptor?.path(), AtFlags::empty()) {
            Ok(identity) if wanted.contains(&identity) => return Ok(true),
            Err(error) if is_denied(&error) => denied = Some(error),
            // It is another file, is closed by now, or is on a volume that fails, as the volume of
            // these files does not.
            Ok(_) | Err(_) => {}
        }
    }
    denied.map_or(Ok(false), Err)
}

fn name_of(process: &Path) -> String {
    let name = std::fs::read_to_string(process.join("comm")).unwrap_or_default();
    name.trim_end().to_owned()
}

/// The process has ended.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(Errno::SRCH.raw_os_error())
}

fn is_denied(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied
}

/// Whether a process that may not be looked into is this user's, has no more rights than this one,
/// and is not protected by the kernel itself: its directory then has this user's id, too. Such a
/// process is hidden by a sandbox, or by another group or user namespace.
fn is_of_this_user(process: &Path) -> bool {
    let this = rustix::process::geteuid().as_raw();
    // What the kernel protects has root's id, which tells root itself nothing. Root sees the rest.
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    if this == 0 && map.split_whitespace().take(2).eq(["0", "0"]) {
        return false;
    }
    let owner = std::fs::symlink_metadata(process).map(|metadata| metadata.uid());
    let [its, own] = [process, Path::new("/proc/thread-self")]
        .map(|process| std::fs::read_to_string(process.join("status")).unwrap_or_default());
    let ids = field(&its, "Uid:").split_whitespace();
    owner.is_ok_and(|owner| owner == this)
        && ids.into_iter().all(|id| id.parse() == Ok(this))
        && capabilities(&its) & !capabilities(&own) == 0
}

/// The permitted capabilities ("capabilities(7)").
fn capabilities(status: &str) -> u64 {
    u64::from_str_radix(field(status, "CapPrm:").trim(), 16).unwrap_or_default()
}

fn field<'a>(status: &'a str, name: &str) -> &'a str {
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default()
}

/// Device and inode of an open file, as this system has them cached. Another process may have a
/// file open on a server that does not answer, and a `stat` of it would never end ("statx(2)":
/// `AT_STATX_DONT_SYNC`). Linux before 4.11 has no other way.
fn identity(directory: BorrowedFd<'_>, path: &Path, flags: AtFlags) -> io::Result<Identity> {
    match statx(directory, path, flags | AtFlags::STATX_DONT_SYNC, StatxFlags::INO) {
        Ok(found) => Ok((makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino)),
        Err(Errno::NOSYS) => {
            let stat = rustix::fs::statat(directory, path, flags)?;
            Ok((stat.st_dev, stat.st_ino))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only a server that hangs would show that no server is asked, so this test compares
    /// identities.
    #[test]
    fn a_descriptor_has_the_identity_of_a_file_of_any_kind() {
        let directory = tempfile::tempdir().unwrap();
        let [here, gone] = ["here", "gone"]
            .map(|name| std::fs::File::create(directory.path().join(name)).unwrap());
        std::fs::remove_file(directory.path().join("gone")).unwrap();
        let [null, folder] =
            ["/dev/null", "/proc/self"].map(|path| std::fs::File::open(path).unwrap());
        let (pipe, _end) = std::io::pipe().unwrap();
        let descriptors = [
            here.into(),
            gone.into(),
            null.into(),
            folder.into(),
            std::os::fd::OwnedFd::from(pipe),
        ];
        for descriptor in &descriptors {
            let path = PathBuf::from(format!(
                "/proc/self/fd/{}",
                std::os::fd::AsRawFd::as_raw_fd(descriptor)
            ));
            let metadata = std::fs::metadata(&path).unwrap();
            assert_eq!(
                identity(CWD, &path, AtFlags::empty()).unwrap(),
                (metadata.dev(), metadata.ino()),
                "{:?}",
                std::fs::read_link(&path)
            );
        }
        let closed = Path::new("/proc/self/fd/2147483647");
        assert!(identity(CWD, closed, AtFlags::empty()).is_err());
    }
}
