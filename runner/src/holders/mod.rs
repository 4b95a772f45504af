//! Who has a file open. On POSIX the check does not open the file. On Windows it tries to open the
//! file alone, which drops no lock there.

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(windows)]
#[path = "windows.rs"]
mod platform;
#[cfg(target_vendor = "apple")]
#[path = "macos.rs"]
mod platform;
#[cfg(not(any(target_os = "linux", target_vendor = "apple", windows)))]
use own as platform;

#[cfg(unix)]
mod own;
#[cfg(windows)]
mod restart_manager;

#[cfg(unix)]
pub(crate) use own::descriptors;
#[cfg(windows)]
pub(crate) use platform::descriptors;
pub(crate) use platform::holders;
