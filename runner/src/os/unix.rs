use std::fs::{File, Permissions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use cutover_core::{FileName, Platform, ReplaceBlocker};

#[cfg(target_vendor = "apple")]
pub(crate) const PLATFORM: Platform = Platform::Macos;
#[cfg(not(target_vendor = "apple"))]
pub(crate) const PLATFORM: Platform = Platform::Linux;

/// An open file can be replaced here, so v1's lock is held until v2 has its name.
pub(crate) const LOCKS_V1_OVER_THE_FLIP: bool = true;

/// POSIX `fcntl` locks belong to the process: closing any descriptor of a file drops the process's
/// locks on it.
pub(crate) const OPENING_DROPS_LOCKS: bool = true;

/// The bytes of a database that a program cannot read while SQLite locks it. None: `fcntl` locks
/// stop no read.
pub(crate) const REFUSED_BYTES: Range<u64> = 0..0;

/// Device and inode. The file is not opened, because closing a second descriptor of a database
/// drops its locks (POSIX `fcntl`).
pub(crate) fn file_id(path: &Path) -> io::Result<String> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok(format!("{:x}-{:x}", metadata.dev(), metadata.ino()))
}

/// Creates a file that does not exist, without following a link. It gets the mode of `like` and,
/// where allowed, its owner.
pub(crate) fn create_new(path: &Path, like: &Path) -> io::Result<File> {
    create(path, like, std::fs::metadata(like)?.mode() & 0o777)
}

/// Creates a file like [`create_new`], but its owner can always write to it.
pub(crate) fn create_writable(path: &Path, database: &Path) -> io::Result<File> {
    create(path, database, std::fs::metadata(database)?.mode() & 0o777 | 0o600)
}

fn create(path: &Path, like: &Path, mode: u32) -> io::Result<File> {
    let file = File::options().read(true).write(true).create_new(true).mode(mode).open(path)?;
    take_after(&file, like, mode)?;
    Ok(file)
}

/// Creates a file that only its owner can read and write: it may hold private data of the
/// application.
pub(crate) fn create_private(path: &Path, owner: &Path) -> io::Result<File> {
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    if owner.exists() {
        take_after(&file, owner, 0o600)?;
    }
    Ok(file)
}

/// Creates a directory that only its owner may enter.
pub(crate) fn create_private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(path)
}

/// Creates a lock file for those who may write in `directory`, and for no other user: a process
/// that can open a lock file can hold the lock.
pub(crate) fn create_lock(path: &Path, directory: &Path) -> io::Result<File> {
    let writes = std::fs::metadata(directory)?.mode() & 0o222;
    let mode = writes | writes << 1;
    let file = File::options().read(true).write(true).create_new(true).mode(mode).open(path)?;
    // The lock works with any mode, and vfat refuses to change the mode.
    let _ = take_after(&file, directory, mode);
    Ok(file)
}

/// Gives a file the mode and, where allowed, the owner of `like`.
pub(crate) fn adopt(path: &Path, like: &Path) -> io::Result<()> {
    let mode = std::fs::metadata(like)?.mode() & 0o777;
    take_after(&File::open(path)?, like, mode)
}

fn take_after(file: &File, like: &Path, mode: u32) -> io::Result<()> {
    let (now, like) = (file.metadata()?, std::fs::metadata(like)?);
    if (now.uid(), now.gid()) != (like.uid(), like.gid()) {
        // Only root may give a file away. The file of another process keeps its owner.
        let _ = std::os::unix::fs::fchown(file, Some(like.uid()), Some(like.gid()));
    }
    if now.mode() & 0o777 != mode {
        file.set_permissions(Permissions::from_mode(mode))?;
    }
    Ok(())
}

pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

/// Renames, or fails if the new name exists.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // Some file systems and old kernels cannot do both at once ("renameat2(2)": EINVAL, ENOSYS;
        // macOS: ENOTSUP).
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP)
            if std::fs::symlink_metadata(to).is_err() =>
        {
            std::fs::rename(from, to)
        }
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            Err(io::ErrorKind::AlreadyExists.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Opens a file to flush its data and metadata. This needs no right to write ("fsync(2)"), which
/// the owner of a read-only secret lacks. On macOS std's `sync_all` uses `F_FULLFSYNC`, which
/// reaches the platter.
pub(crate) fn open_to_flush(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// How many hard links a file has, its first name included.
pub(crate) fn links(path: &Path) -> io::Result<u64> {
    Ok(std::fs::symlink_metadata(path)?.nlink())
}

/// Whether a file system, or a mount point, refuses every hard link with this error ("link(2)" of
/// Linux and macOS). Linux also returns EPERM to a process that may not link this one file
/// (`protected_hardlinks`, proc(5)).
pub(crate) fn says_no_links(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let no = [
        Errno::PERM,
        Errno::NOTSUP,
        Errno::OPNOTSUPP,
        Errno::NOSYS,
        Errno::INVAL,
        Errno::XDEV,
        Errno::MLINK,
    ];
    no.iter().any(|no| error.raw_os_error() == Some(no.raw_os_error()))
}

/// Whether a file system, or a handle, says with this error that it cannot flush ("fsync(2)":
/// EINVAL, ENOTSUP; EPERM and EACCES of a handle).
pub(crate) fn says_no_flush(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
    )
}

/// Nothing to add here: on POSIX a missing right is permanent by its error code alone.
pub(crate) fn denied_for_good(_path: &Path, _error: &io::Error) -> Option<&'static str> {
    None
}

/// Why this process cannot write to a file, as the system's error: EACCES, EROFS, or EPERM for an
/// immutable file ("access(2)"). Nothing is opened.
pub(crate) fn why_read_only(path: &Path) -> Option<i32> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS)
        .err()
        .map(rustix::io::Errno::raw_os_error)
}

/// Why no file can replace this one. `None` if the system does not tell; then the rename fails.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn irreplaceable(path: &Path) -> Option<ReplaceBlocker> {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let seen = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty()).ok()?;
    // The mask leaves out attributes that the file system or an old kernel does not know
    // ("statx(2)").
    let attributes = seen.stx_attributes & seen.stx_attributes_mask;
    if attributes.contains(StatxAttributes::MOUNT_ROOT) {
        Some(ReplaceBlocker::MountPoint)
    } else if attributes.intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND) {
        Some(ReplaceBlocker::Immutable)
    } else {
        None
    }
}

/// Why no file can replace this one. macOS has no mounted files.
#[cfg(target_vendor = "apple")]
pub(crate) fn irreplaceable(path: &Path) -> Option<ReplaceBlocker> {
    use std::os::darwin::fs::MetadataExt as _;
    /// `UF_IMMUTABLE`, `UF_APPEND`, `SF_IMMUTABLE` and `SF_APPEND` of `<sys/stat.h>`
    /// ("chflags(2)").
    const FLAGS: u32 = 0x2 | 0x4 | 0x2_0000 | 0x4_0000;
    let seen = std::fs::symlink_metadata(path).ok()?;
    (seen.st_flags() & FLAGS != 0).then_some(ReplaceBlocker::Immutable)
}

/// A directory's real path, with symbolic links resolved.
pub(crate) fn real_directory(path: &Path) -> io::Result<PathBuf> {
    std::fs::canonicalize(path)
}

/// On Windows this removes a prefix. Here it changes nothing.
pub(crate) fn plain(directory: PathBuf, _name: &FileName) -> PathBuf {
    directory
}

pub(crate) fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

pub(crate) fn free_bytes(directory: &Path) -> io::Result<u64> {
    let volume = rustix::fs::statvfs(directory)?;
    Ok(volume.f_bavail.saturating_mul(volume.f_frsize))
}

pub(crate) fn read_at(file: &File, buffer: &mut [u8]) -> io::Result<()> {
    file.read_exact_at(buffer, 0)
}
