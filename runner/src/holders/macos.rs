//! Who has a file open on macOS. Open handles of this process come from its own descriptors, those
//! of others from libproc (`proc_listpidspath` in `libproc.h`), which asks the kernel and opens
//! nothing.

use std::ffi::{CString, c_char, c_int, c_void};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use cutover_core::Holder;

use super::own::Identity;

unsafe extern "C" {
    fn proc_listpidspath(
        kind: u32,
        of_kind: u32,
        path: *const c_char,
        flags: u32,
        buffer: *mut c_void,
        bytes: c_int,
    ) -> c_int;
    fn proc_name(pid: c_int, buffer: *mut c_void, bytes: u32) -> c_int;
}

/// `PROC_ALL_PIDS` of `sys/proc_info.h`.
const ALL: u32 = 1;
/// `PROC_LISTPIDSPATH_EXCLUDE_EVTONLY`: a process that only watches a file (`O_EVTONLY`) does not
/// count.
const NO_WATCHERS: u32 = 2;
/// As long as a process name may be (`2 * MAXCOMLEN`), with room to spare.
const NAME_BYTES: u32 = 64;

/// The list of this process's descriptors (fd(4)).
pub(super) const LISTS: [&str; 1] = ["/dev/fd"];

pub(super) fn is_list(_: impl AsFd) -> bool {
    true
}

pub(super) fn identity_of(descriptor: BorrowedFd<'_>) -> io::Result<Identity> {
    let stat = rustix::fs::fstat(descriptor)?;
    // As std's `MetadataExt::dev` widens it.
    Ok((i64::from(stat.st_dev).cast_unsigned(), stat.st_ino))
}

/// The other processes that have one of these files open. Only processes whose files this one may
/// see are found: those of this user, or all for root.
///
/// # Errors
/// Why the system does not tell.
pub(super) fn others(files: &[PathBuf]) -> Result<Vec<Holder>, String> {
    let this = std::process::id();
    let mut others = Vec::new();
    for path in files.iter().filter(|path| path.symlink_metadata().is_ok()) {
        others.extend(users_of(path)?);
    }
    others.sort_unstable();
    others.dedup();
    let others = others.into_iter().filter(|pid| *pid != 0 && *pid != this);
    Ok(others.map(|pid| Holder { pid, name: name(pid), this_process: false }).collect())
}

/// The ids of processes that have a file open.
fn users_of(path: &Path) -> Result<Vec<u32>, String> {
    let text = CString::new(path.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    let failed = || format!("proc_listpidspath failed: {}", io::Error::last_os_error());
    // SAFETY: the path ends in a zero. Without a buffer the call only returns how large one must
    // be.
    let bytes =
        unsafe { proc_listpidspath(ALL, 0, text.as_ptr(), NO_WATCHERS, std::ptr::null_mut(), 0) };
    let bytes = usize::try_from(bytes).map_err(|_| failed())?;
    let mut pids = vec![0_u32; bytes / size_of::<u32>() + 64];
    let room = c_int::try_from(pids.len() * size_of::<u32>()).map_err(|_| failed())?;
    // SAFETY: the path ends in a zero, and the buffer is ours and as large as we say.
    let used = unsafe {
        proc_listpidspath(ALL, 0, text.as_ptr(), NO_WATCHERS, pids.as_mut_ptr().cast(), room)
    };
    pids.truncate(usize::try_from(used).map_err(|_| failed())? / size_of::<u32>());
    Ok(pids)
}

fn name(pid: u32) -> String {
    let mut text = [0_u8; NAME_BYTES as usize];
    let Ok(pid) = c_int::try_from(pid) else { return String::new() };
    // SAFETY: the buffer is ours and as large as we say.
    let length = unsafe { proc_name(pid, text.as_mut_ptr().cast(), NAME_BYTES) };
    let text = text.get(..usize::try_from(length).unwrap_or_default()).unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::holders;
    use super::*;

    #[test]
    fn another_process_is_named_and_this_one_comes_first() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.db");
        std::fs::write(&path, "x").unwrap();
        let files = [path.clone()];
        assert_eq!(holders(&files), super::super::Seen::default());
        let opened = || std::fs::File::open(&path).unwrap();
        let mut other =
            std::process::Command::new("sleep").arg("1000").stdin(opened()).spawn().unwrap();
        let held = opened();
        let found = holders(&files).holders;
        other.kill().unwrap();
        other.wait().unwrap();
        assert_eq!(
            found.iter().map(|holder| (holder.pid, holder.this_process)).collect::<Vec<_>>(),
            [(std::process::id(), true), (other.id(), false)]
        );
        assert_eq!(found[1].name, "sleep");
        drop(held);
        assert_eq!(holders(&files), super::super::Seen::default());
    }
}
