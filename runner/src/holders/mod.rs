//! Who has a file open, found out without opening it; on Windows, where opening it takes nothing from anybody, by trying to have it alone.

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(windows)]
#[path = "windows.rs"]
mod platform;
#[cfg(not(any(target_os = "linux", windows)))]
#[path = "own.rs"]
mod platform;

#[cfg(all(test, target_os = "linux"))]
mod own;
#[cfg(windows)]
mod restart_manager;

pub(crate) use platform::holders;
