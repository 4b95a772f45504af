//! Who has a file open, found out without opening it; on Windows, where opening it takes nothing from anybody, by trying to have it alone.

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(windows)]
#[path = "windows.rs"]
mod platform;
#[cfg(not(any(target_os = "linux", windows)))]
#[path = "other.rs"]
mod platform;
#[cfg(windows)]
mod restart_manager;

pub(crate) use platform::holders;
