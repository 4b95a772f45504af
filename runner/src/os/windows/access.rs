//! Access rules (the DACL of "Access Control Lists" in the Windows documentation).

use std::fs::File;
use std::io;
use std::os::windows::io::AsRawHandle as _;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{ERROR_SUCCESS, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    GetSecurityInfo, SE_FILE_OBJECT, SetSecurityInfo,
};
use windows_sys::Win32::Security::{
    ACE_HEADER, ACL, DACL_SECURITY_INFORMATION, GetAce, GetSecurityDescriptorControl,
    INHERITED_ACE, PROTECTED_DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, SE_DACL_PROTECTED,
    UNPROTECTED_DACL_SECURITY_INFORMATION,
};

/// The access rules of a file, in memory that the system allocated.
#[derive(Debug)]
pub(super) struct Rules {
    descriptor: PSECURITY_DESCRIPTOR,
    dacl: *mut ACL,
}

impl Drop for Rules {
    fn drop(&mut self) {
        // SAFETY: `GetSecurityInfo` allocated it, and its documentation requires this call.
        unsafe { LocalFree(self.descriptor) };
    }
}

impl Rules {
    /// `None` if the file system has no access rules (FAT), or this process may not read them.
    pub(super) fn of(file: &File) -> Option<Self> {
        let mut rules = Self { descriptor: null_mut(), dacl: null_mut() };
        let (dacl, descriptor) = (&raw mut rules.dacl, &raw mut rules.descriptor);
        // SAFETY: the handle is open for the whole call, and both results are ours. The other
        // results are not requested.
        let code = unsafe {
            GetSecurityInfo(
                file.as_raw_handle(),
                SE_FILE_OBJECT,
                DACL_SECURITY_INFORMATION,
                null_mut(),
                null_mut(),
                dacl,
                null_mut(),
                descriptor,
            )
        };
        (code == ERROR_SUCCESS && !rules.dacl.is_null()).then_some(rules)
    }

    /// Whether they do not inherit from the directory.
    fn are_protected(&self) -> bool {
        let (mut control, mut revision) = (0, 0);
        // SAFETY: the descriptor is valid while `self` lives, and both results are ours.
        unsafe {
            GetSecurityDescriptorControl(self.descriptor, &raw mut control, &raw mut revision) != 0
                && control & SE_DACL_PROTECTED != 0
        }
    }

    /// Whether the file has a rule that it did not inherit from its directory.
    fn are_its_own(&self) -> bool {
        // SAFETY: the list is valid while `self` lives.
        let count = unsafe { (*self.dacl).AceCount };
        (0..u32::from(count)).any(|index| {
            let mut ace = null_mut();
            // SAFETY: the list is valid, the index is below its count, and the result is ours. It
            // points into the list, at an entry that begins with this header, whatever its kind.
            unsafe {
                GetAce(self.dacl, index, &raw mut ace) != 0
                    && u32::from((*ace.cast::<ACE_HEADER>()).AceFlags) & INHERITED_ACE == 0
            }
        })
    }
}

/// Gives a file these access rules. Not needed if they are inherited from their directory: every new
/// file in it has them from the beginning.
pub(super) fn give(file: &File, rules: &Rules) -> io::Result<()> {
    if !rules.are_protected() && !rules.are_its_own() {
        return Ok(());
    }
    let inherits = if rules.are_protected() {
        PROTECTED_DACL_SECURITY_INFORMATION
    } else {
        UNPROTECTED_DACL_SECURITY_INFORMATION
    };
    // SAFETY: the handle is open for the whole call, and the list is valid while `rules` lives.
    let code = unsafe {
        SetSecurityInfo(
            file.as_raw_handle(),
            SE_FILE_OBJECT,
            DACL_SECURITY_INFORMATION | inherits,
            null_mut(),
            null_mut(),
            rules.dacl,
            null(),
        )
    };
    if code == ERROR_SUCCESS {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(code.cast_signed()))
    }
}
