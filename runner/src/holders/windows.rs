//! The sharing mode tells whether a file is open, and the Restart Manager which process has it
//! open.

use std::fs::File;
use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use cutover_core::Holder;
use windows_sys::Win32::Storage::FileSystem::FILE_FLAG_OPEN_REPARSE_POINT;

use super::Seen;
use super::restart_manager::{Process, RestartManager};
use crate::os::SHARING_VIOLATION;

/// The right to read data, which no handle of ours would share here.
const FILE_READ_DATA: u32 = 1;

/// The processes that have one of these files open, this process first. If Windows does not say
/// which process has it, the result is one holder without a name and with id 0. One question finds
/// all of them, and it costs little while no process has the file open.
pub(crate) fn own(files: &[PathBuf]) -> Seen {
    let (mut open, mut unknown) = (Vec::new(), None);
    for path in files {
        match is_open(path) {
            Ok(false) => {}
            Ok(true) => open.push(path.as_os_str().encode_wide().chain([0]).collect::<Vec<u16>>()),
            Err(error) => unknown = Some(format!("a file of it cannot be opened: {error}")),
        }
    }
    if open.is_empty() {
        return Seen { holders: Vec::new(), unknown };
    }
    match RestartManager::load().map(|manager| manager.users_of(&open)) {
        Some(Ok(users)) => Seen { holders: named(users, std::process::id()), unknown },
        Some(Err(why)) => Seen { holders: named(Vec::new(), 0), unknown: Some(why) },
        None => {
            let why = "this Windows has no Restart Manager, which names the processes";
            Seen { holders: named(Vec::new(), 0), unknown: Some(why.into()) }
        }
    }
}

/// None: [`own`] finds all.
#[allow(clippy::unnecessary_wraps)] // on other systems the question can fail
pub(super) fn others(_: &[PathBuf]) -> Result<Vec<Holder>, String> {
    Ok(Vec::new())
}

/// None: on Windows no lock is dropped when another handle is closed.
pub(crate) fn descriptors(_: &Path) -> Vec<i32> {
    Vec::new()
}

/// Whether any process has a handle of the file. A handle that shares nothing cannot be opened
/// beside another one. It is closed at once; where SQLite met it meanwhile and opened the file only
/// to read, `sqlite::open_to_lock` opens it again.
fn is_open(path: &Path) -> io::Result<bool> {
    let alone = File::options()
        .access_mode(FILE_READ_DATA)
        .share_mode(0)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path);
    match alone {
        Ok(_) => Ok(false),
        Err(error) if error.raw_os_error() == Some(SHARING_VIOLATION) => Ok(true),
        // A directory cannot be opened this way, and is refused by its kind.
        Err(error) if error.kind() == io::ErrorKind::NotFound || path.is_dir() => Ok(false),
        Err(error) => Err(error),
    }
}

/// The holders of files that are open, from the Restart Manager's answer.
fn named(processes: Vec<Process>, own: u32) -> Vec<Holder> {
    let mut holders: Vec<Holder> = processes
        .into_iter()
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
        let holders = named(vec![process(4, "Old App"), process(77, "New App")], 77);
        assert_eq!(
            holders.iter().map(|holder| (holder.pid, holder.this_process)).collect::<Vec<_>>(),
            [(77, true), (4, false)]
        );
        assert_eq!(holders[1].name, "Old App");
        assert_eq!(
            named(Vec::new(), 77),
            [Holder { pid: 0, name: String::new(), this_process: false }]
        );
    }

    /// Wine does prove sharing: in this process, and with every kind of handle.
    #[test]
    fn an_open_file_is_seen_and_a_closed_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.db");
        std::fs::write(&path, "x").unwrap();
        let files = [directory.path().join("not there"), path.clone()];
        assert_eq!(own(&files), Seen::default());
        for share in [0, 1, 3, 7] {
            let held = File::options().read(true).share_mode(share).open(&path).unwrap();
            assert_eq!(own(&files).holders.len(), 1, "share mode {share}");
            drop(held);
            assert_eq!(own(&files), Seen::default());
        }
    }
}
