use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use cutover_core::Holder;
use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
use rustix::io::Errno;

/// The processes that have one of these files open, this process first. Only processes whose
/// descriptors this one may see are found: those of this user, or all for root (proc(5)). The check
/// is a `statx` of `/proc/<pid>/fd/<n>`, which opens nothing.
pub(crate) fn holders(files: &[PathBuf]) -> Vec<Holder> {
    let wanted: BTreeSet<Identity> = files
        .iter()
        .filter_map(|path| std::fs::symlink_metadata(path).ok())
        .map(|m| (m.dev(), m.ino()))
        .collect();
    let mut found = Vec::new();
    let Ok(processes) = std::fs::read_dir("/proc") else { return found };
    if wanted.is_empty() {
        return found;
    }
    let own = std::process::id();
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok())
        else {
            continue;
        };
        let Ok(descriptors) = std::fs::read_dir(process.path().join("fd")) else { continue };
        let holds = descriptors.flatten().any(|descriptor| {
            identity(&descriptor.path()).is_ok_and(|identity| wanted.contains(&identity))
        });
        if holds {
            let name = std::fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            found.push(Holder { pid, name: name.trim_end().to_owned(), this_process: pid == own });
        }
    }
    found.sort_by_key(|holder| (!holder.this_process, holder.pid));
    found
}

/// Device and inode.
type Identity = (u64, u64);

/// Device and inode of an open file, as this system has them cached. Another process may have a
/// file open on a server that does not answer, and a `stat` of it would never end ("statx(2)":
/// `AT_STATX_DONT_SYNC`). Linux before 4.11 has no other way.
fn identity(descriptor: &Path) -> io::Result<Identity> {
    match statx(CWD, descriptor, AtFlags::STATX_DONT_SYNC, StatxFlags::INO) {
        Ok(found) => Ok((makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino)),
        Err(Errno::NOSYS) => std::fs::metadata(descriptor).map(|m| (m.dev(), m.ino())),
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
                identity(&path).unwrap(),
                (metadata.dev(), metadata.ino()),
                "{:?}",
                std::fs::read_link(&path)
            );
        }
        assert!(identity(Path::new("/proc/self/fd/2147483647")).is_err());
    }
}
