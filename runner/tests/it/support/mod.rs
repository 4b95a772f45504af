//! What tests of several topics share.

#[macro_use]
pub mod again;

pub mod bed;

#[cfg(target_os = "linux")]
pub mod companion;
pub mod directory;
#[cfg(unix)]
pub mod disk;
pub mod interrupt;
pub mod irreplaceable;
#[cfg(target_os = "linux")]
#[macro_use]
pub mod namespace;
pub mod notes;
pub mod other;
#[cfg(target_os = "linux")]
pub mod strace;
#[cfg(target_os = "linux")]
pub mod users;
pub mod writer;
