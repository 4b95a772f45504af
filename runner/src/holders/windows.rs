//! The sharing mode tells whether a file is open, and the Restart Manager which process has it
//! open.

use std::fs::File;
use std::os::windows::ffi::OsStrExt as _;
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use cutover_core::Holder;
use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_OPEN_REPARSE_POINT;

use super::restart_manager::{Process, RestartManager};
use crate::os::SHARING_VIOLATION;

/// The right to read data, which no handle of ours would share here.
const FILE_READ_DATA: u32 = 1;

/// The processes that have one of these files open, this process first. If Windows does not say
/// which process has it, the result is one holder without a name and with id 0.
pub(crate) fn holders(files: &[PathBuf]) -> Vec<Holder> {
    let open: Vec<Vec<u16>> = files
        .iter()
        .filter(|path| is_open(path))
        .map(|path| path.as_os_str().encode_wide().chain([0]).collect())
        .collect();
    if open.is_empty() {
        return Vec::new();
    }
    named(RestartManager::load().and_then(|manager| manager.users_of(&open)), std::process::id())
}

/// None: on Windows no lock is dropped when another handle is closed.
pub(crate) fn descriptors(_: &Path) -> Vec<i32> {
    Vec::new()
}

/// Whether any process has a handle of the file. A handle that shares nothing cannot be opened
/// beside another one. It is closed at once; where SQLite met it meanwhile and opened the file only
/// to read, `sqlite::open_to_write` opens it again.
fn is_open(path: &Path) -> bool {
    let alone = File::options()
        .access_mode(FILE_READ_DATA)
        .share_mode(0)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path);
    alone.is_err_and(|error| error.raw_os_error() == Some(SHARING_VIOLATION))
}

/// The holders of files that are open, from the Restart Manager's answer. `None` if there is no
/// Restart Manager, or it failed.
fn named(processes: Option<Vec<Process>>, own: u32) -> Vec<Holder> {
    let mut holders: Vec<Holder> = processes
        .into_iter()
        .flatten()
        .map(|Process { pid, name }| Holder { pid, name, this_process: pid == own })
        .collect();
    holders.sort_by_key(|holder| (!holder.this_process, holder.pid));
    if holders.is_empty() {
        holders.push(Holder { pid: 0, name: String::new(), this_process: false });
    }
    holders
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wine's Restart Manager names no process, so the answer of a real one is planted here.
    #[test]
    fn this_process_comes_first_and_an_unnamed_holder_is_reported_too() {
        let process = |pid, name: &str| Process { pid, name: name.into() };
        let holders = named(Some(vec![process(4, "Old App"), process(77, "New App")]), 77);
        assert_eq!(
            holders.iter().map(|holder| (holder.pid, holder.this_process)).collect::<Vec<_>>(),
            [(77, true), (4, false)]
        );
        assert_eq!(holders[1].name, "Old App");
        for silent in [None, Some(Vec::new())] {
            assert_eq!(
                named(silent, 77),
                [Holder { pid: 0, name: String::new(), this_process: false }]
            );
        }
    }

    /// Wine does prove sharing: in this process, and with every kind of handle.
    #[test]
    fn an_open_file_is_seen_and_a_closed_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.db");
        std::fs::write(&path, "x").unwrap();
        let files = [directory.path().join("not there"), path.clone()];
        assert_eq!(holders(&files), []);
        for share in [0, 1, 3, 7] {
            let held = File::options().read(true).share_mode(share).open(&path).unwrap();
            assert_eq!(holders(&files).len(), 1, "share mode {share}");
            drop(held);
            assert_eq!(holders(&files), []);
        }
    }
}
