//! Extended attributes ("xattr(7)").

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::path::Path;

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fsetxattr, lgetxattr, llistxattr};
use rustix::io::Result;

/// Linux lets no list and no value be longer (`XATTR_LIST_MAX`, `XATTR_SIZE_MAX`). A longer one of
/// macOS counts as one that cannot be read.
const MOST_BYTES: usize = 65536;

/// The extended attributes of a file that its successor has too. A value that cannot be read is
/// `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Attributes(BTreeMap<CString, Option<Vec<u8>>>);

impl Attributes {
    /// Those of the file that has this name. It is not opened.
    pub(super) fn of_path(path: &Path) -> Self {
        Self::read(|list| llistxattr(path, list), |name, value| lgetxattr(path, name, value))
    }

    pub(super) fn of_open(file: &File) -> Self {
        Self::read(|list| flistxattr(file, list), |name, value| fgetxattr(file, name, value))
    }

    /// A file system without them has none.
    fn read(
        list: impl FnOnce(&mut [u8]) -> Result<usize>,
        value: impl Fn(&CStr, &mut [u8]) -> Result<usize>,
    ) -> Self {
        let mut buffer = vec![0; MOST_BYTES];
        let names = list(&mut buffer).ok().and_then(|size| buffer.get(..size)).unwrap_or_default();
        let names = names.split_inclusive(|byte| *byte == 0);
        let names: Vec<CString> = names
            .filter_map(|name| CStr::from_bytes_with_nul(name).ok())
            .filter(|name| comes_along(name.to_bytes()))
            .map(CStr::to_owned)
            .collect();
        let mut read = |name: &CString| {
            let size = value(name, &mut buffer).ok()?;
            buffer.get(..size).map(<[u8]>::to_vec)
        };
        Self(names.into_iter().map(|name| (name.clone(), read(&name))).collect())
    }

    /// Gives a file those that it does not have. What is refused, [`Self::lost`] tells.
    pub(super) fn give_to(&self, file: &File) {
        let now = Self::of_open(file);
        for (name, value) in &self.0 {
            if let Some(value) = value
                && now.0.get(name) != Some(&Some(value.clone()))
            {
                let _ = fsetxattr(file, name.as_c_str(), value, XattrFlags::empty());
            }
        }
    }

    /// The names of those that a file with the attributes `now` lacks.
    pub(super) fn lost(&self, now: &Self) -> Vec<String> {
        let lost = self
            .0
            .iter()
            .filter(|(name, value)| value.is_none() || now.0.get(*name) != Some(*value));
        lost.map(|(name, _)| name.to_string_lossy().into_owned()).collect()
    }
}

/// Whether an attribute describes a file and not its bytes: `security.ima` and `security.evm` are
/// digests and signatures, which the kernel makes anew. `trusted.*` is the file system's, and an ACL
/// is among the rights.
#[cfg(not(target_vendor = "apple"))]
fn comes_along(name: &[u8]) -> bool {
    name.starts_with(b"user.")
        || name.starts_with(b"security.") && name != b"security.ima" && name != b"security.evm"
}

/// Whether an attribute comes along. macOS sets `com.apple.provenance` itself, and refuses it to
/// programs.
#[cfg(target_vendor = "apple")]
fn comes_along(name: &[u8]) -> bool {
    name != b"com.apple.provenance"
}
