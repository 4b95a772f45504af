//! The descriptors of this process. They are asked for without a file of the database, without
//! `/proc` and without `/dev`, if need be.

use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::path::{Path, PathBuf};

use cutover_core::Holder;
use rustix::fs::{Dir, Mode, OFlags};
use rustix::process::{Resource, getrlimit};

use super::Seen;
use super::platform::{LISTS, identity_of, is_list};

/// Device and inode.
pub(super) type Identity = (u64, u64);

/// The highest number that is tried where the system lists no descriptors, and one more. It is
/// Linux's own limit for a process, unless an administrator raises `fs.nr_open` (proc(5)).
const MOST: i32 = 1 << 20;

/// This process, if it has one of these files open: its locks would be dropped.
pub(crate) fn own(files: &[PathBuf]) -> Seen {
    let wanted = identities(files);
    if wanted.is_empty() {
        return Seen::default();
    }
    let numbers = Numbers::find();
    let holds = numbers.all.into_iter().any(|number| is_one_of(number, &wanted));
    let this = Holder { pid: std::process::id(), name: String::new(), this_process: true };
    Seen { holders: Vec::from_iter(holds.then_some(this)), unknown: numbers.unknown }
}

/// This process's descriptors of a file.
pub(crate) fn descriptors(path: &Path) -> Vec<i32> {
    let wanted = identities(&[path.to_owned()]);
    let numbers = Numbers::find().all.into_iter();
    numbers.filter(|number| is_one_of(*number, &wanted)).collect()
}

/// The identities of the files that exist. No link is followed.
pub(super) fn identities(files: &[PathBuf]) -> Vec<Identity> {
    use std::os::unix::fs::MetadataExt as _;
    let found = files.iter().filter_map(|path| path.symlink_metadata().ok());
    found.map(|metadata| (metadata.dev(), metadata.ino())).collect()
}

fn is_one_of(number: i32, wanted: &[Identity]) -> bool {
    // SAFETY: the number is only queried. If it was closed meanwhile, the query fails with EBADF;
    // if it was reused, it describes the new file.
    let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
    identity_of(descriptor).is_ok_and(|identity| wanted.contains(&identity))
}

/// The numbers that this process's descriptors may have.
struct Numbers {
    all: Vec<i32>,
    unknown: Option<String>,
}

impl Numbers {
    fn find() -> Self {
        match LISTS.iter().find_map(|list| listed(list)) {
            Some(all) => Self { all, unknown: None },
            None => Self::by_limit(),
        }
    }

    /// Every number below the limit of open files ("getrlimit(2)"). A process that lowered its soft
    /// limit may have higher descriptors, so the hard limit counts. Where there is none, as on macOS,
    /// the kernel has a lower one of its own (`kern.maxfilesperproc`).
    fn by_limit() -> Self {
        let limit = getrlimit(Resource::Nofile).maximum;
        let unknown = limit.filter(|limit| *limit > u64::from(MOST.unsigned_abs())).map(|limit| {
            format!(
                "the system does not list the open files of this process, which may have {limit} \
                 of them"
            )
        });
        let end = limit.and_then(|limit| i32::try_from(limit).ok()).unwrap_or(MOST).min(MOST);
        Self { all: (0..end).collect(), unknown }
    }
}

/// The numbers in a directory that lists this process's descriptors. The directory's own descriptor
/// must be among them: where `/dev/fd` is a plain directory, it lists 0, 1 and 2 only (fd(4) of the
/// BSDs).
fn listed(list: &str) -> Option<Vec<i32>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(list, flags, Mode::empty()).ok()?;
    if !is_list(&directory) {
        return None;
    }
    let this = directory.as_raw_fd();
    let mut numbers = Vec::new();
    for entry in Dir::new(directory).ok()? {
        let entry = entry.ok()?;
        numbers.extend(entry.file_name().to_str().ok().and_then(|name| name.parse::<i32>().ok()));
    }
    numbers.contains(&this).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_this_process_has_open_is_seen_and_a_closed_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.db");
        std::fs::write(&path, "x").unwrap();
        let files = [directory.path().join("not there"), path.clone()];
        assert_eq!(own(&files), Seen::default());
        let held = std::fs::File::open(&path).unwrap();
        let found = own(&files).holders;
        assert_eq!(
            (found.len(), found[0].pid, found[0].this_process),
            (1, std::process::id(), true)
        );
        assert_eq!(descriptors(&path), [held.as_raw_fd()]);
        drop(held);
        assert_eq!(own(&files), Seen::default());
    }

    /// What is used where the system lists none, beside a descriptor as high as the limit allows.
    #[test]
    fn by_number_every_descriptor_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.db");
        std::fs::write(&path, "x").unwrap();
        let wanted = identities(std::slice::from_ref(&path));
        let seen = || {
            let numbers = Numbers::by_limit();
            numbers.all.into_iter().filter(|number| is_one_of(*number, &wanted)).count()
        };
        assert_eq!(seen(), 0);
        let held = std::fs::File::open(&path).unwrap();
        let soft = getrlimit(Resource::Nofile).current.unwrap();
        let highest = i32::try_from(soft).unwrap_or(MOST).min(MOST) - 1;
        let high = rustix::io::fcntl_dupfd_cloexec(&held, highest).unwrap();
        assert_eq!((high.as_raw_fd(), seen()), (highest, 2));
        drop((held, high));
        assert_eq!(seen(), 0);
    }

    #[test]
    fn a_directory_that_lists_something_else_is_not_believed() {
        let directory = tempfile::tempdir().unwrap();
        for number in 0..3 {
            std::fs::write(directory.path().join(number.to_string()), "").unwrap();
        }
        assert_eq!(listed(directory.path().to_str().unwrap()), None);
        assert_eq!(listed("/not/there"), None);
        assert!(LISTS.iter().any(|list| listed(list).is_some()));
    }
}
