//! Windows. The functions do what Microsoft's documentation says of them. tests/windows/README.md
//! lists what only a real Windows shows, and Wine does not.

mod access;
mod path;

use std::fs::{File, FileType, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::windows::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::os::windows::io::AsRawHandle as _;
use std::path::Path;

use cutover_core::{Platform, ReplaceBlocker};
use windows_sys::Win32::Foundation::{GENERIC_READ, GENERIC_WRITE};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_ATTRIBUTE_REPARSE_POINT, FILE_FLAG_BACKUP_SEMANTICS,
    FILE_FLAG_OPEN_REPARSE_POINT, FILE_ID_INFO, FILE_READ_ATTRIBUTES, FILE_SHARE_DELETE,
    FILE_SHARE_READ, FILE_SHARE_WRITE, FileIdInfo, GetDiskFreeSpaceExW, GetFileInformationByHandle,
    GetFileInformationByHandleEx, MOVE_FILE_FLAGS, MOVEFILE_REPLACE_EXISTING,
    MOVEFILE_WRITE_THROUGH, MoveFileExW, READ_CONTROL, WRITE_DAC,
};

use super::open;
pub(crate) use path::{plain, real_directory};

pub(crate) const PLATFORM: Platform = Platform::Windows;

/// An open file cannot be replaced here (SQLite opens without `FILE_SHARE_DELETE`), so v1's lock
/// cannot be held longer than its check.
pub(crate) const LOCKS_V1_OVER_THE_FLIP: bool = false;

/// A lock belongs to the handle that took it (`LockFileEx`), so opening and closing the file again
/// drops no lock.
pub(crate) const OPENING_DROPS_LOCKS: bool = false;

/// The bytes of a database that a program cannot read while SQLite locks it (`LockFileEx`;
/// `ERROR_LOCK_VIOLATION`). They begin at `PENDING_BYTE`, in a page that holds no data and has at
/// least this size (<https://www.sqlite.org/fileformat2.html#the_lock_byte_page>).
pub(crate) const REFUSED_BYTES: Range<u64> = 0x4000_0000..0x4000_0200;

/// Volume and file. ReFS needs the 128 bits of `FILE_ID_INFO`. Where they are missing (FAT, some
/// network drives) the 64 bits of `BY_HANDLE_FILE_INFORMATION` are all there is.
pub(crate) fn file_id(path: &Path) -> io::Result<String> {
    open_file_id(&look(path)?)
}

/// [`file_id`] of a file whose metadata was just read, which do not have it.
pub(crate) fn known_file_id(path: &Path, _metadata: &std::fs::Metadata) -> io::Result<String> {
    file_id(path)
}

/// Volume and file of an open file.
pub(crate) fn open_file_id(file: &File) -> io::Result<String> {
    let mut id = FILE_ID_INFO::default();
    let size = u32::try_from(size_of::<FILE_ID_INFO>()).unwrap_or_default();
    // SAFETY: the handle is open for the whole call, and the structure is ours and as large as we
    // say.
    if unsafe {
        GetFileInformationByHandleEx(file.as_raw_handle(), FileIdInfo, (&raw mut id).cast(), size)
    } != 0
    {
        return Ok(format!(
            "{:x}-{:x}",
            id.VolumeSerialNumber,
            u128::from_le_bytes(id.FileId.Identifier)
        ));
    }
    let information = information(file)?;
    let index = u64::from(information.nFileIndexHigh) << 32 | u64::from(information.nFileIndexLow);
    Ok(format!("{:x}-{index:x}", information.dwVolumeSerialNumber))
}

/// SQLite changes no owner here.
pub(crate) fn sqlite_gives_owners() -> bool {
    false
}

/// How many hard links a file has, its first name included.
pub(crate) fn links(path: &Path) -> io::Result<u64> {
    Ok(information(&look(path)?)?.nNumberOfLinks.into())
}

/// What this is, if it is not a regular file. A link is a reparse point that stands for another
/// name: a symbolic link or a junction. The files of a cloud drive are reparse points as well, and
/// std calls those files.
pub(crate) fn irregular(kind: FileType) -> Option<&'static str> {
    if kind.is_symlink() {
        Some("a symbolic link")
    } else if kind.is_dir() {
        Some("a directory")
    } else if kind.is_file() {
        None
    } else {
        Some("a device")
    }
}

/// Opens what has this name, and follows no link at its end. The bytes of a reparse point that is
/// not a link, such as a file of a cloud drive, are those that its driver gives.
pub(crate) fn open_itself(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path)?;
    let metadata = file.metadata()?;
    if metadata.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT == 0
        || metadata.file_type().is_symlink()
    {
        return Ok(file);
    }
    let id = open_file_id(&file)?;
    drop(file);
    let file = options.custom_flags(0).open(path)?;
    if open_file_id(&file)? == id {
        Ok(file)
    } else {
        Err(io::Error::other("another program replaced the file while it was opened"))
    }
}

/// Who may use a file: its access rules. `None` on a file system without such rules.
#[derive(Debug)]
pub(crate) struct Rights(Option<access::Rules>);

impl Rights {
    /// Those of the regular file that has this name. The handle conflicts with no sharing mode.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        // The right to read attributes tells the file's kind.
        let mut options = File::options();
        match open(path, options.access_mode(READ_CONTROL | FILE_READ_ATTRIBUTES)) {
            Ok(file) => Self::of_open(&file),
            // This process may not read the rules.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }

    /// Those of an open file.
    #[expect(clippy::unnecessary_wraps, reason = "the other platforms can fail here")]
    pub(crate) fn of_open(file: &File) -> io::Result<Self> {
        Ok(Self(access::Rules::of(file)))
    }

    /// What a file lacks of them: nothing, because a refusal is an error here.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "on Unix it tells")]
    pub(crate) fn lost(&self, _file: &File) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn give_to(&self, file: &File) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |rules| access::give(file, rules))
    }
}

/// Opens a file to give it rights later.
pub(crate) fn open_to_give_rights(path: &Path) -> io::Result<File> {
    open(path, File::options().access_mode(READ_CONTROL | WRITE_DAC | FILE_READ_ATTRIBUTES))
}

/// Gives an open file these rights. `false`: a file with a second name may be another program's, so
/// its rights stay as they are.
pub(crate) fn give_rights(file: &File, rights: &Rights) -> io::Result<bool> {
    if information(file)?.nNumberOfLinks > 1 {
        return Ok(false);
    }
    rights.give_to(file).map(|()| true)
}

/// Opens a file or directory without any access, so that it conflicts with no sharing mode. A
/// directory requires `FILE_FLAG_BACKUP_SEMANTICS`.
fn look(path: &Path) -> io::Result<File> {
    File::options()
        .access_mode(0)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS)
        .open(path)
}

fn information(file: &File) -> io::Result<BY_HANDLE_FILE_INFORMATION> {
    let mut information = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open for the whole call, and the structure is ours.
    if unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut information) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(information)
}

/// Whether a file system refuses every hard link with this error: `ERROR_INVALID_FUNCTION`,
/// `ERROR_NOT_SAME_DEVICE`, `ERROR_NOT_SUPPORTED`, or `ERROR_TOO_MANY_LINKS`.
pub(crate) fn says_no_links(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(1 | 17 | 50 | 1142))
}

/// Whether a file system says with this error that it has nothing to flush:
/// `ERROR_INVALID_FUNCTION`, `ERROR_NOT_SUPPORTED`. `ERROR_ACCESS_DENIED` is not one of them: it
/// means a handle without the right to write, which flushed nothing.
pub(crate) fn says_no_flush(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(1 | 50))
}

/// Why waiting does not help after `ERROR_ACCESS_DENIED`. `None` if it may help: a process may have
/// the file open, or the file was removed and its name waits for the last handle to close.
pub(crate) fn denied_for_good(path: &Path, error: &io::Error) -> Option<&'static str> {
    if error.raw_os_error() != Some(5) {
        return None;
    }
    let metadata = std::fs::symlink_metadata(path).ok()?;
    if metadata.is_dir() {
        Some("a directory has this name")
    } else if metadata.permissions().readonly() {
        Some("the file is read-only")
    } else {
        None
    }
}

/// Nothing to add here: Windows has one error for every missing right.
pub(crate) fn why_read_only(_path: &Path) -> Option<i32> {
    None
}

/// `ERROR_SHARING_VIOLATION`.
pub(crate) const SHARING_VIOLATION: i32 = 32;

/// Whether another program's handle alone keeps, or kept, this process from writing to a file.
/// Where the first try to open a file for writing fails, SQLite opens it to read (`winOpen` in
/// `os_win.c`), also for a handle that is closed a moment later.
pub(crate) fn is_only_in_use(path: &Path) -> bool {
    match open(path, File::options().write(true)) {
        Ok(_) => true,
        Err(error) => error.raw_os_error() == Some(SHARING_VIOLATION),
    }
}

/// Nothing to add here, as with [`why_read_only`].
pub(crate) fn why_unchangeable(_path: &Path) -> Option<i32> {
    None
}

/// Why no file can replace this one, however long cutover waits. `MoveFileExW` does not replace a
/// read-only file.
pub(crate) fn irreplaceable(path: &Path) -> Option<ReplaceBlocker> {
    let read_only =
        std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.permissions().readonly());
    read_only.then_some(ReplaceBlocker::ReadOnly)
}

/// Windows has no sticky directories.
pub(crate) fn only_its_owner_replaces(_path: &Path) -> bool {
    false
}

/// Opens a file to flush its data and metadata. The handle is writable: `FlushFileBuffers` refuses
/// a read-only one (its documentation requires `GENERIC_WRITE`).
pub(crate) fn open_to_flush(path: &Path) -> io::Result<File> {
    open(path, File::options().write(true))
}

/// Creates a file that does not exist, without following a link, and gives it these rights. Until it
/// is closed, no program can open it, so none opens it by the rules of its directory.
pub(crate) fn create_new(path: &Path, rights: &Rights) -> io::Result<File> {
    create(path, rights, 0)
}

/// Creates the file of a lock, which another start may open at once. A new file is writable: Windows
/// keeps "read-only" apart from access rules.
pub(crate) fn create_owner_lock(
    path: &Path,
    database: &Rights,
    _directory: &Path,
) -> io::Result<File> {
    create(path, database, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
}

fn create(path: &Path, rights: &Rights, share: u32) -> io::Result<File> {
    let file = File::options()
        .write(true)
        .share_mode(share)
        .access_mode(GENERIC_READ | GENERIC_WRITE | READ_CONTROL | WRITE_DAC)
        .create_new(true)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)?;
    rights.give_to(&file)?;
    Ok(file)
}

/// [`create_new`] suffices: SQLite's sidecars get the access rules of the directory.
pub(crate) fn create_to_build(path: &Path, rights: &Rights) -> io::Result<File> {
    create_new(path, rights)
}

/// Creates a journal or a receipt: who may read or write the database may read or write it.
pub(crate) fn create_beside(path: &Path, database: Option<&Rights>) -> io::Result<File> {
    create_new(path, database.unwrap_or(&Rights(None)))
}

/// [`create_new`] suffices: the user's data directory is private to the user.
pub(crate) fn create_private(path: &Path, owner: Option<&Rights>) -> io::Result<File> {
    create_new(path, owner.unwrap_or(&Rights(None)))
}

/// Creates a directory. It inherits the access rules of the directory that it is in, which the user's
/// data directory and temporary directory keep private.
pub(crate) fn create_private_directory(path: &Path, _owner: Option<&Rights>) -> io::Result<()> {
    std::fs::create_dir(path)
}

/// Creates a lock file for those who may write in its directory, whose access rules it inherits.
pub(crate) fn create_lock(path: &Path, _directory: &Path) -> io::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .custom_flags(FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)
}

/// Renames a file, replaces a file of the new name, and returns only when that is on the disk
/// (`MOVEFILE_WRITE_THROUGH` in the documentation of `MoveFileExW`). Windows has no directory fsync
/// that could follow, and std's rename does not write through.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    move_file(from, to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH)
}

/// Renames like [`rename`], or fails if the new name exists (`ERROR_ALREADY_EXISTS`, 183).
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    move_file(from, to, MOVEFILE_WRITE_THROUGH)
}

fn move_file(from: &Path, to: &Path, flags: MOVE_FILE_FLAGS) -> io::Result<()> {
    let (from, to) = (path::wide(from)?, path::wide(to)?);
    // SAFETY: both paths end in a zero and live for the whole call.
    if unsafe { MoveFileExW(from.as_ptr(), to.as_ptr(), flags) } == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Does nothing: Windows has no directory fsync, and NTFS orders its metadata in its own log.
#[expect(clippy::unnecessary_wraps, reason = "the other platforms can fail here")]
pub(crate) fn sync_dir(_path: &Path) -> io::Result<()> {
    Ok(())
}

pub(crate) fn free_bytes(directory: &Path) -> io::Result<u64> {
    let wide = path::wide(directory)?;
    let mut free = 0;
    // SAFETY: the path ends in a zero and the number is ours. The other two results are not
    // requested.
    if unsafe {
        GetDiskFreeSpaceExW(
            wide.as_ptr(),
            &raw mut free,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
        )
    } == 0
    {
        return Err(io::Error::last_os_error());
    }
    Ok(free)
}

pub(crate) fn read_at(file: &File, buffer: &mut [u8]) -> io::Result<()> {
    let read = file.seek_read(buffer, 0)?;
    if read == buffer.len() { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wine lets root write to a read-only file, and never reports a name that waits for its last
    /// handle to close. So the system's errors are planted here.
    #[test]
    fn a_denial_is_for_good_only_where_waiting_cannot_help() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.db");
        std::fs::write(&path, "x").unwrap();
        let why = |path: &Path, raw: i32| denied_for_good(path, &io::Error::from_raw_os_error(raw));
        assert_eq!(why(&path, 5), None, "a process may have it open");
        assert_eq!(
            why(&directory.path().join("gone"), 5),
            None,
            "a name that waits for its last handle to close is not there"
        );
        assert_eq!(why(directory.path(), 5), Some("a directory has this name"));
        assert_eq!(why(directory.path(), 32), None);
        let mut permissions = std::fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(&path, permissions.clone()).unwrap();
        assert_eq!(why(&path, 5), Some("the file is read-only"));
        #[expect(
            clippy::permissions_set_readonly_false,
            reason = "an attribute of Windows, which no mode is behind"
        )]
        permissions.set_readonly(false);
        std::fs::set_permissions(&path, permissions).unwrap();
    }

    #[test]
    fn a_flush_needs_a_writable_handle_and_a_denial_is_not_success() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.db");
        std::fs::write(&path, "x").unwrap();
        let denied = File::open(&path).unwrap().sync_all().unwrap_err();
        assert_eq!(denied.raw_os_error(), Some(5));
        assert!(!says_no_flush(&denied));
        crate::os::open_to_flush(&path).unwrap().sync_all().unwrap();
    }

    #[test]
    fn a_file_keeps_its_id_by_each_of_its_names_and_through_a_rename() {
        let directory = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| directory.path().join(name));
        std::fs::write(&a, "x").unwrap();
        std::fs::write(&c, "y").unwrap();
        std::fs::hard_link(&a, &b).unwrap();
        let id = file_id(&a).unwrap();
        assert_eq!(
            (file_id(&b).unwrap(), links(&a).unwrap(), links(&c).unwrap()),
            (id.clone(), 2, 1)
        );
        assert_ne!(file_id(&c).unwrap(), id);
        assert_eq!(rename_new(&a, &c).unwrap_err().raw_os_error(), Some(183));
        rename(&a, &c).unwrap();
        assert_eq!(file_id(&c).unwrap(), id);
        assert!(file_id(directory.path()).is_ok(), "a directory has one");
        assert!(free_bytes(directory.path()).unwrap() > 0);
    }
}
