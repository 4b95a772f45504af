//! Linux and macOS.

#[cfg_attr(target_vendor = "apple", path = "acl_apple.rs")]
mod acl;
mod attributes;
mod rights;

use std::fs::{File, FileType, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt as _, FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use cutover_core::{FileName, Platform, ReplaceBlocker};
use rustix::fs::OFlags;

use super::open;
pub(crate) use rights::{
    Rights, create_beside, create_lock, create_new, create_owner_lock, create_private,
    create_private_directory, create_to_build, give_rights, open_to_give_rights,
};

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
    Ok(id_of(&std::fs::symlink_metadata(path)?))
}

/// [`file_id`] of a file whose metadata was just read.
#[expect(clippy::unnecessary_wraps, reason = "on Windows it can fail")]
pub(crate) fn known_file_id(_path: &Path, metadata: &std::fs::Metadata) -> io::Result<String> {
    Ok(id_of(metadata))
}

/// Device and inode of an open file.
pub(crate) fn open_file_id(file: &File) -> io::Result<String> {
    Ok(id_of(&file.metadata()?))
}

fn id_of(metadata: &std::fs::Metadata) -> String {
    format!("{:x}-{:x}", metadata.dev(), metadata.ino())
}

/// What this is, if it is not a regular file.
pub(crate) fn irregular(kind: FileType) -> Option<&'static str> {
    if kind.is_file() {
        None
    } else if kind.is_symlink() {
        Some("a symbolic link")
    } else if kind.is_dir() {
        Some("a directory")
    } else if kind.is_fifo() {
        Some("a FIFO")
    } else if kind.is_socket() {
        Some("a socket")
    } else {
        Some("a device")
    }
}

/// Opens what has this name, and follows no link at its end. A FIFO without a writer does not block
/// ("open(2)"). std adds `O_CLOEXEC`.
pub(crate) fn open_itself(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed()).open(path)
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
    open(path, File::options().read(true))
}

/// Whether SQLite gives a sidecar the owner of its database: it does so as root (`robustFchown` in
/// `os_unix.c`).
pub(crate) fn sqlite_gives_owners() -> bool {
    rustix::process::geteuid().is_root()
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

/// No: no handle of another program keeps this process from writing to a file.
pub(crate) fn is_only_in_use(_path: &Path) -> bool {
    false
}

/// Why this process can write neither to a file nor to a directory, as the system's error:
/// [`why_read_only`], or EPERM where only bytes, or only names, can be added ("chattr(1)").
pub(crate) fn why_unchangeable(path: &Path) -> Option<i32> {
    let fixed = || fixed(path) == Some(ReplaceBlocker::Immutable);
    why_read_only(path).or_else(|| fixed().then(|| rustix::io::Errno::PERM.raw_os_error()))
}

/// Why no file can replace this one. `None` if the system does not tell; then the rename fails.
pub(crate) fn irreplaceable(path: &Path) -> Option<ReplaceBlocker> {
    fixed(path).or_else(|| only_its_owner_replaces(path).then_some(ReplaceBlocker::Sticky))
}

/// Why no user can replace a file.
#[cfg(not(target_vendor = "apple"))]
fn fixed(path: &Path) -> Option<ReplaceBlocker> {
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

/// Why no user can replace a file. macOS has no mounted files.
#[cfg(target_vendor = "apple")]
fn fixed(path: &Path) -> Option<ReplaceBlocker> {
    use std::os::darwin::fs::MetadataExt as _;
    /// `UF_IMMUTABLE`, `UF_APPEND`, `SF_IMMUTABLE` and `SF_APPEND` of `<sys/stat.h>`
    /// ("chflags(2)").
    const FLAGS: u32 = 0x2 | 0x4 | 0x2_0000 | 0x4_0000;
    let seen = std::fs::symlink_metadata(path).ok()?;
    (seen.st_flags() & FLAGS != 0).then_some(ReplaceBlocker::Immutable)
}

/// Whether the directory is sticky and this user may therefore not replace a file in it: only the
/// owner of the file, the owner of the directory, and root may ("rename(2)": EPERM).
pub(crate) fn only_its_owner_replaces(path: &Path) -> bool {
    let user = rustix::process::geteuid();
    let owner = |path: &Path| std::fs::symlink_metadata(path).ok();
    let (Some(file), Some(directory)) = (owner(path), path.parent().and_then(owner)) else {
        return false;
    };
    directory.mode() & 0o1000 != 0
        && !user.is_root()
        && ![file.uid(), directory.uid()].contains(&user.as_raw())
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
    let mut options = File::options();
    options.read(true).custom_flags((OFlags::DIRECTORY | OFlags::NONBLOCK).bits().cast_signed());
    options.open(path)?.sync_all()
}

pub(crate) fn free_bytes(directory: &Path) -> io::Result<u64> {
    let volume = rustix::fs::statvfs(directory)?;
    Ok(volume.f_bavail.saturating_mul(volume.f_frsize))
}

pub(crate) fn read_at(file: &File, buffer: &mut [u8]) -> io::Result<()> {
    file.read_exact_at(buffer, 0)
}
