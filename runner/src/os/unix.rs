use std::fs::{File, Permissions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use cutover_core::fault::Platform;
use cutover_core::names::FileName;
use cutover_core::observe::ReplaceBlocker;

#[cfg(target_vendor = "apple")]
pub(crate) const PLATFORM: Platform = Platform::Macos;
#[cfg(not(target_vendor = "apple"))]
pub(crate) const PLATFORM: Platform = Platform::Linux;

/// An open file can be replaced here, so v1's lock is held until v2 has its name.
pub(crate) const LOCKS_V1_OVER_THE_FLIP: bool = true;

/// POSIX `fcntl` locks belong to the process: closing any descriptor of a file drops those of every
/// connection to it.
pub(crate) const OPENING_DROPS_LOCKS: bool = true;

/// What of a database a lock of SQLite's keeps from whoever reads its file. Nothing: `fcntl` locks
/// stop no read.
pub(crate) const REFUSED_BYTES: Range<u64> = 0..0;

/// Device and inode, without opening the file: closing a second descriptor of a database drops its
/// locks (POSIX `fcntl`).
pub(crate) fn file_id(path: &Path) -> io::Result<String> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok(format!("{:x}-{:x}", metadata.dev(), metadata.ino()))
}

/// Creates a file that was not there, following no link, with the mode and, where allowed, the
/// owner of `like`.
pub(crate) fn create_new(path: &Path, like: &Path) -> io::Result<File> {
    create(path, like, std::fs::metadata(like)?.mode() & 0o777)
}

/// The same, and its owner can always write to it.
pub(crate) fn create_writable(path: &Path, database: &Path) -> io::Result<File> {
    create(path, database, std::fs::metadata(database)?.mode() & 0o777 | 0o600)
}

fn create(path: &Path, like: &Path, mode: u32) -> io::Result<File> {
    let file = File::options().read(true).write(true).create_new(true).mode(mode).open(path)?;
    take_after(&file, like, mode)?;
    Ok(file)
}

/// The same for its owner alone to read: what it holds is the application's business.
pub(crate) fn create_private(path: &Path, owner: &Path) -> io::Result<File> {
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    if owner.exists() {
        take_after(&file, owner, 0o600)?;
    }
    Ok(file)
}

/// A directory that only its owner may enter.
pub(crate) fn create_private_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(path)
}

/// The same for whoever may write in `directory`, and nobody else: who can open a lock can hold it.
pub(crate) fn create_lock(path: &Path, directory: &Path) -> io::Result<File> {
    let writes = std::fs::metadata(directory)?.mode() & 0o222;
    let mode = writes | writes << 1;
    let file = File::options().read(true).write(true).create_new(true).mode(mode).open(path)?;
    // It locks with any rights; vfat refuses to change them.
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
        // Only root may give a file away; an unprivileged process keeps what it makes.
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

/// Renames, unless somebody has the new name.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // Not every file system, and no old kernel, can do both at once ("renameat2(2)": EINVAL,
        // ENOSYS; macOS: ENOTSUP).
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

/// For a flush of a file's data and metadata. It needs no right to write ("fsync(2)"), which a
/// secret's owner may lack. On macOS std's `sync_all` asks for `F_FULLFSYNC`, which reaches the
/// platter.
pub(crate) fn open_to_flush(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// How many names a file has.
pub(crate) fn links(path: &Path) -> io::Result<u64> {
    Ok(std::fs::symlink_metadata(path)?.nlink())
}

/// Whether this is how a file system, or a mount point, refuses every hard link ("link(2)" of Linux
/// and macOS). EPERM is as well what Linux answers to whoever may not link the file
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

/// Whether this is how a file system, or a handle, says that there is nothing to flush ("fsync(2)":
/// EINVAL, ENOTSUP; EPERM and EACCES of a handle).
pub(crate) fn says_no_flush(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied
    )
}

/// A right that is missing is permanent here in any case.
pub(crate) fn denied_for_good(_path: &Path, _error: &io::Error) -> Option<&'static str> {
    None
}

/// Why this file can only be read, as the system says it: EACCES, EROFS, or EPERM of an immutable
/// one ("access(2)"). Nothing is opened.
pub(crate) fn why_read_only(path: &Path) -> Option<i32> {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS)
        .err()
        .map(rustix::io::Errno::raw_os_error)
}

/// Why no file can take this one's place. Nothing where the system does not tell: then the rename
/// says it.
#[cfg(not(target_vendor = "apple"))]
pub(crate) fn irreplaceable(path: &Path) -> Option<ReplaceBlocker> {
    use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};
    let seen = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::empty()).ok()?;
    // What the file system, or an old kernel, does not know is in the mask no more than in the
    // attributes ("statx(2)").
    let attributes = seen.stx_attributes & seen.stx_attributes_mask;
    if attributes.contains(StatxAttributes::MOUNT_ROOT) {
        Some(ReplaceBlocker::MountPoint)
    } else if attributes.intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND) {
        Some(ReplaceBlocker::Immutable)
    } else {
        None
    }
}

/// The same. There are no mounted files.
#[cfg(target_vendor = "apple")]
pub(crate) fn irreplaceable(path: &Path) -> Option<ReplaceBlocker> {
    use std::os::darwin::fs::MetadataExt as _;
    /// `UF_IMMUTABLE`, `UF_APPEND`, `SF_IMMUTABLE` and `SF_APPEND` of `<sys/stat.h>`
    /// ("chflags(2)").
    const FLAGS: u32 = 0x2 | 0x4 | 0x2_0000 | 0x4_0000;
    let seen = std::fs::symlink_metadata(path).ok()?;
    (seen.st_flags() & FLAGS != 0).then_some(ReplaceBlocker::Immutable)
}

/// A directory, symbolic links resolved.
pub(crate) fn real_directory(path: &Path) -> io::Result<PathBuf> {
    std::fs::canonicalize(path)
}

/// A real directory is as it is.
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
