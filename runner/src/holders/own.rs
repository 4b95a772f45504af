use std::os::fd::BorrowedFd;
use std::path::Path;
#[cfg(any(test, not(target_os = "linux")))]
use std::path::PathBuf;

#[cfg(any(test, not(target_os = "linux")))]
use cutover_core::Holder;

/// This process, if it has one of these files open: its locks would be dropped. Other processes are
/// not found this way. On a system with no other way (the BSDs) they show when they block cutover
/// (a busy checkpoint, a lock).
#[cfg(any(test, not(target_os = "linux")))]
pub(crate) fn holders(files: &[PathBuf]) -> Vec<Holder> {
    let this = Holder { pid: std::process::id(), name: String::new(), this_process: true };
    if files.iter().all(|path| descriptors(path).is_empty()) { Vec::new() } else { vec![this] }
}

/// This process's descriptors of a file: the entries of `/dev/fd` (fd(4) of macOS; proc(5)). Each
/// is checked with fstat(2), which opens nothing.
pub(crate) fn descriptors(path: &Path) -> Vec<i32> {
    let (Ok(wanted), Ok(descriptors)) = (rustix::fs::lstat(path), std::fs::read_dir("/dev/fd"))
    else {
        return Vec::new();
    };
    let numbers =
        descriptors.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_of_it = |number: &i32| {
        // SAFETY: the number is only queried. If it was closed meanwhile, fstat returns EBADF; if
        // it was reused, it describes the new file.
        let descriptor = unsafe { BorrowedFd::borrow_raw(*number) };
        rustix::fs::fstat(descriptor)
            .is_ok_and(|stat| (stat.st_dev, stat.st_ino) == (wanted.st_dev, wanted.st_ino))
    };
    numbers.filter(is_of_it).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linux has a `/dev/fd` as macOS does, so this test also covers what runs on macOS.
    #[test]
    fn a_file_that_this_process_has_open_is_seen_and_a_closed_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.db");
        std::fs::write(&path, "x").unwrap();
        let files = [directory.path().join("not there"), path.clone()];
        assert_eq!(holders(&files), []);
        let held = std::fs::File::open(&path).unwrap();
        let found = holders(&files);
        assert_eq!(
            (found.len(), found[0].pid, found[0].this_process),
            (1, std::process::id(), true)
        );
        drop(held);
        assert_eq!(holders(&files), []);
    }
}
