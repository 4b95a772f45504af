//! Who has a file open. On POSIX the check does not open the file. On Windows it tries to open the
//! file alone, which drops no lock there.
//!
//! Two questions are asked. Before a database is opened: has *this* process it open? On POSIX
//! closing the file would drop that connection's locks. Before a plan: has another process?

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod platform;
#[cfg(windows)]
#[path = "windows.rs"]
mod platform;
#[cfg(target_vendor = "apple")]
#[path = "macos.rs"]
mod platform;
#[cfg(all(unix, not(any(target_os = "linux", target_vendor = "apple"))))]
#[path = "bsd.rs"]
mod platform;

#[cfg(unix)]
mod own;
#[cfg(windows)]
mod restart_manager;

use std::path::PathBuf;

use cutover_core::Holder;

use crate::os;

#[cfg(unix)]
pub(crate) use own::{descriptors, own};
#[cfg(windows)]
pub(crate) use platform::{descriptors, own};

/// Who has files open, as far as this process can tell.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The processes that were found, this process first.
    pub holders: Vec<Holder>,
    /// Why others may have them open that were not found. That is never taken for "no other".
    pub unknown: Option<String>,
}

impl Seen {
    /// Adds the other processes that have one of these files open.
    pub(crate) fn with_others(mut self, files: &[PathBuf]) -> Self {
        match platform::others(files) {
            Ok(others) => self.holders.extend(others),
            Err(why) => self.unknown = Some(why),
        }
        self.holders.sort_by_key(|holder| (!holder.this_process, holder.pid));
        self
    }

    /// Whether this process may open these files: on POSIX, only if it does not have them open.
    pub(crate) fn may_open(&self) -> bool {
        let holds = || self.holders.iter().any(|holder| holder.this_process);
        !os::OPENING_DROPS_LOCKS || !(self.unknown.is_some() || holds())
    }
}

/// The processes that have one of these files open, this process first.
pub(crate) fn holders(files: &[PathBuf]) -> Seen {
    own(files).with_others(files)
}
