//! The extended ACL of a file on macOS ("acl(3)"). It comes on top of the mode, and its entries can
//! also take rights away.

use std::ffi::{CString, c_char, c_int, c_void};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// What messages call it.
pub(super) const NAME: &str = "its ACL";

/// `ACL_TYPE_EXTENDED` of `<sys/acl.h>`.
const EXTENDED: c_int = 0x100;

unsafe extern "C" {
    fn acl_init(count: c_int) -> *mut c_void;
    fn acl_get_link_np(path: *const c_char, kind: c_int) -> *mut c_void;
    fn acl_get_fd_np(file: c_int, kind: c_int) -> *mut c_void;
    fn acl_set_fd_np(file: c_int, acl: *mut c_void, kind: c_int) -> c_int;
    fn acl_size(acl: *mut c_void) -> isize;
    fn acl_copy_ext_native(bytes: *mut c_void, acl: *mut c_void, size: isize) -> isize;
    fn acl_copy_int_native(bytes: *const c_void) -> *mut c_void;
    fn acl_free(acl: *mut c_void) -> c_int;
}

/// An ACL in the system's memory.
struct Native(*mut c_void);

impl Drop for Native {
    fn drop(&mut self) {
        // SAFETY: the system allocated it ("acl_free(3)").
        unsafe { acl_free(self.0) };
    }
}

impl Native {
    /// An ACL that a call returned. `None` if there is none: ENOENT, or ENOTSUP on a file system
    /// without ACLs.
    fn of(acl: *mut c_void) -> io::Result<Option<Self>> {
        use rustix::io::Errno;
        if !acl.is_null() {
            return Ok(Some(Self(acl)));
        }
        let error = io::Error::last_os_error();
        match Errno::from_io_error(&error) {
            Some(Errno::NOENT | Errno::NOTSUP) => Ok(None),
            _ => Err(error),
        }
    }

    fn give_to(&self, file: &File) -> io::Result<()> {
        // SAFETY: the file is open and the ACL valid for the whole call.
        match unsafe { acl_set_fd_np(file.as_raw_fd(), self.0, EXTENDED) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// The bytes of an ACL, in the system's own form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Acl(Vec<u8>);

impl Acl {
    /// That of the file that has this name, which is not opened. Like [`Self::of_open`] it takes the
    /// rights of the group from the mode.
    pub(super) fn of_path(path: &Path) -> io::Result<Option<(Self, u32)>> {
        use std::os::unix::fs::MetadataExt as _;
        let name = CString::new(path.as_os_str().as_bytes())?;
        // SAFETY: the path ends in a zero and lives for the whole call.
        let acl = unsafe { acl_get_link_np(name.as_ptr(), EXTENDED) };
        Self::read(acl, std::fs::symlink_metadata(path)?.mode())
    }

    pub(super) fn of_open(file: &File) -> io::Result<Option<(Self, u32)>> {
        use std::os::unix::fs::MetadataExt as _;
        // SAFETY: the file is open for the whole call.
        let acl = unsafe { acl_get_fd_np(file.as_raw_fd(), EXTENDED) };
        Self::read(acl, file.metadata()?.mode())
    }

    fn read(acl: *mut c_void, mode: u32) -> io::Result<Option<(Self, u32)>> {
        let Some(acl) = Native::of(acl)? else { return Ok(None) };
        // SAFETY: the ACL is valid.
        let size = unsafe { acl_size(acl.0) };
        let mut bytes = vec![0; usize::try_from(size).map_err(|_| io::Error::last_os_error())?];
        // SAFETY: the buffer has the size that the call is told.
        if unsafe { acl_copy_ext_native(bytes.as_mut_ptr().cast(), acl.0, size) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Some((Self(bytes), mode >> 3 & 7)))
    }

    /// Gives an open file this ACL and this mode.
    pub(super) fn give_to(&self, file: &File, mode: u32) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        // SAFETY: the bytes are those that the system wrote for an ACL.
        let acl = unsafe { acl_copy_int_native(self.0.as_ptr().cast()) };
        Native::of(acl)?.ok_or(io::ErrorKind::NotFound)?.give_to(file)?;
        file.set_permissions(std::fs::Permissions::from_mode(mode))
    }

    /// Of a directory. Its entries do not tell who may write a file, so a lock has none.
    #[expect(clippy::unused_self, reason = "on Linux it tells")]
    pub(super) fn of_writers(&self) -> Option<Self> {
        None
    }
}

/// The most that the others may get who were in the group, as bits of the others.
pub(super) fn most_of_group(_acl: Option<&Acl>, mode: u32) -> u32 {
    mode >> 3 & 7
}

/// The mode of a file that cannot have this ACL, which may have shut any user out.
pub(super) fn mode_without(acl: Option<&Acl>, mode: u32) -> u32 {
    if acl.is_some() { mode & 0o700 } else { mode }
}

/// Takes away the ACL of an open file: one without entries lets no user do more than the mode.
pub(super) fn remove(file: &File) -> io::Result<()> {
    // SAFETY: the call takes a number.
    Native::of(unsafe { acl_init(1) })?.map_or(Ok(()), |none| none.give_to(file))
}
