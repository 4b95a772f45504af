use std::fs::File;
use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::os::windows::fs::{FileExt as _, OpenOptionsExt as _};
use std::os::windows::io::AsRawHandle as _;
use std::path::{Component, Path, Prefix};

use cutover_core::fault::Platform;
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_FLAG_OPEN_REPARSE_POINT, GetDiskFreeSpaceExW, GetFileInformationByHandle, MOVE_FILE_FLAGS,
    MOVEFILE_REPLACE_EXISTING, MOVEFILE_WRITE_THROUGH, MoveFileExW,
};

pub(crate) const PLATFORM: Platform = Platform::Windows;

/// An open file cannot be replaced here (SQLite opens without `FILE_SHARE_DELETE`), so v1's lock cannot outlast its check.
pub(crate) const LOCKS_V1_OVER_THE_FLIP: bool = false;

/// Volume and file index.
pub(crate) fn file_id(path: &Path) -> io::Result<String> {
    let information = information(path)?;
    let index = u64::from(information.nFileIndexHigh) << 32 | u64::from(information.nFileIndexLow);
    Ok(format!("{:x}-{index:x}", information.dwVolumeSerialNumber))
}

/// How many names a file has.
pub(crate) fn links(path: &Path) -> io::Result<u64> {
    Ok(information(path)?.nNumberOfLinks.into())
}

/// Whether this is how a file system refuses every hard link: `ERROR_INVALID_FUNCTION`, `ERROR_NOT_SAME_DEVICE`, `ERROR_NOT_SUPPORTED`, and
/// `ERROR_TOO_MANY_LINKS`.
pub(crate) fn says_no_links(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(1 | 17 | 50 | 1142))
}

/// The handle asks for no access, so it disturbs no sharing.
fn information(path: &Path) -> io::Result<BY_HANDLE_FILE_INFORMATION> {
    let file = File::options().access_mode(0).custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path)?;
    let mut information = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open for the whole call and the structure is ours.
    if unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut information) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(information)
}

/// Creates a file that was not there. It inherits the directory's access rules, as v1 did.
pub(crate) fn create_new(path: &Path, _like: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create_new(true).open(path)
}

/// Likewise: the directory of the user's data is the user's alone.
pub(crate) fn create_private(path: &Path, owner: &Path) -> io::Result<File> {
    create_new(path, owner)
}

/// Likewise.
pub(crate) fn create_lock(path: &Path, directory: &Path) -> io::Result<File> {
    create_new(path, directory)
}

/// What is made in the directory has its access rules already.
#[expect(clippy::unnecessary_wraps, reason = "the other platforms can fail here")]
pub(crate) fn adopt(_path: &Path, _like: &Path) -> io::Result<()> {
    Ok(())
}

/// Renames a file, replacing what has the name, and returns only when that is on the disk (`MOVEFILE_WRITE_THROUGH` in the documentation of
/// `MoveFileExW`): there is no flush of a directory that could follow. std's rename does not write through.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    move_file(from, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)
}

/// The same, unless somebody has the new name (183 then).
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    move_file(from, to, MOVEFILE_WRITE_THROUGH)
}

fn move_file(from: &Path, to: &Path, flags: MOVE_FILE_FLAGS) -> io::Result<()> {
    let (from, to) = (wide(from)?, wide(to)?);
    // SAFETY: both paths end in a zero and live for the whole call.
    if unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), flags) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// A path as the system's functions take it, in the verbatim form, which alone may be longer than 260 units ("Maximum Path Length Limitation" of the
/// Windows documentation). The database's directory has that form already; a companion's may not.
fn wide(path: &Path) -> io::Result<Vec<u16>> {
    let path = std::path::absolute(path)?;
    let kind = match path.components().next() {
        Some(Component::Prefix(prefix)) => Some(prefix.kind()),
        _ => None,
    };
    // `C:\x` is `\\?\C:\x`, and `\\server\share` is `\\?\UNC\server\share`.
    let (prefix, skip) = match kind {
        Some(Prefix::Disk(_)) => (r"\\?\", 0),
        Some(Prefix::UNC(..)) => (r"\\?\UNC", 1),
        _ => ("", 0),
    };
    Ok(prefix.encode_utf16().chain(path.as_os_str().encode_wide().skip(skip)).chain([0]).collect())
}

/// There is no flush of a directory on Windows; NTFS orders its metadata in its own log.
#[expect(clippy::unnecessary_wraps, reason = "the other platforms can fail here")]
pub(crate) fn sync_dir(_path: &Path) -> io::Result<()> {
    Ok(())
}

pub(crate) fn free_bytes(directory: &Path) -> io::Result<u64> {
    let wide: Vec<u16> = directory.as_os_str().encode_wide().chain([0]).collect();
    let mut free = 0;
    // SAFETY: the path ends in a zero and the number is ours; the other two results are not asked for.
    if unsafe { GetDiskFreeSpaceExW(wide.as_ptr(), &raw mut free, std::ptr::null_mut(), std::ptr::null_mut()) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(free)
}

pub(crate) fn read_at(file: &File, buffer: &mut [u8]) -> io::Result<()> {
    let read = file.seek_read(buffer, 0)?;
    if read == buffer.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
