//! Users and groups of a shared folder, and what a file lets each of them do.
//!
//! Owner and group of a process belong to its thread in Linux, so a test that root starts works as
//! another user in a thread. Without root such a test does nothing.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::process::{Gid, Uid};

/// v1's owner, and its group.
pub const ALICE: u32 = 5001;
pub const FRIENDS: u32 = 6000;
/// Another user, and the group that the user's new files get.
pub const BOB: u32 = 5002;
pub const STRANGERS: u32 = 7000;

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Acts as a user whose new files get the first of these groups.
pub fn as_user<T: Send>(user: u32, groups: &[u32], act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let all: Vec<Gid> = groups.iter().map(|id| Gid::from_raw(*id)).collect();
            rustix::thread::set_thread_groups(&all).unwrap();
            let (group, user) = (all[0], Uid::from_raw(user));
            rustix::thread::set_thread_res_gid(group, group, group).unwrap();
            rustix::thread::set_thread_res_uid(user, user, user).unwrap();
            act()
        });
        thread.join().unwrap_or_else(|panicked| std::panic::resume_unwind(panicked))
    })
}

pub fn give(path: &Path, owner: u32, group: u32, mode: u32) {
    std::os::unix::fs::chown(path, Some(owner), Some(group)).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Owner, group and mode as the system shows them.
pub fn shown(path: &Path) -> (u32, u32, u32) {
    let metadata = path.symlink_metadata().unwrap();
    (metadata.uid(), metadata.gid(), metadata.mode() & 0o777)
}

/// One entry of an ACL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    Owner(u16),
    User(u32, u16),
    Group(u16),
    NamedGroup(u32, u16),
    Mask(u16),
    Others(u16),
}

pub const ACCESS: &str = "system.posix_acl_access";
pub const DEFAULT: &str = "system.posix_acl_default";

/// Sets an ACL, which must have its entries in this order.
pub fn set_acl(path: &Path, kind: &str, entries: &[Entry]) {
    let mut bytes = 2u32.to_le_bytes().to_vec();
    for entry in entries {
        let (tag, rights, id) = match *entry {
            Entry::Owner(rights) => (1u16, rights, u32::MAX),
            Entry::User(id, rights) => (2, rights, id),
            Entry::Group(rights) => (4, rights, u32::MAX),
            Entry::NamedGroup(id, rights) => (8, rights, id),
            Entry::Mask(rights) => (16, rights, u32::MAX),
            Entry::Others(rights) => (32, rights, u32::MAX),
        };
        bytes.extend(tag.to_le_bytes());
        bytes.extend(rights.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    set_attribute(path, kind, &bytes);
}

pub fn acl(path: &Path) -> Vec<Entry> {
    let Some(bytes) = attribute(path, ACCESS) else { return Vec::new() };
    let entry = |bytes: &[u8]| {
        let rights = u16::from_le_bytes([bytes[2], bytes[3]]);
        let id = u32::from_le_bytes(bytes[4..].try_into().unwrap());
        match bytes[0] {
            1 => Entry::Owner(rights),
            2 => Entry::User(id, rights),
            4 => Entry::Group(rights),
            8 => Entry::NamedGroup(id, rights),
            16 => Entry::Mask(rights),
            32 => Entry::Others(rights),
            tag => panic!("tag {tag}"),
        }
    };
    bytes[4..].chunks(8).map(entry).collect()
}

pub fn set_attribute(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::setxattr(path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
}

pub fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 65536];
    let size = rustix::fs::lgetxattr(path, name, &mut value[..]).ok()?;
    value.truncate(size);
    Some(value)
}

/// What a file lets a user do who has these groups: 4 to read, 2 to write ("acl(5)", "Access check
/// algorithm").
pub fn may(path: &Path, user: u32, groups: &[u32]) -> u32 {
    let (owner, group, mode) = shown(path);
    let acl = acl(path);
    let mask = acl.iter().find_map(|entry| match entry {
        Entry::Mask(rights) => Some(u32::from(*rights)),
        _ => None,
    });
    let mask = mask.unwrap_or(7);
    let named = acl.iter().find_map(|entry| match entry {
        Entry::User(id, rights) if *id == user => Some(u32::from(*rights) & mask),
        _ => None,
    });
    let mut of_groups = Vec::new();
    if groups.contains(&group) {
        let entry = acl.iter().find_map(|entry| match entry {
            Entry::Group(rights) => Some(u32::from(*rights) & mask),
            _ => None,
        });
        of_groups.push(entry.unwrap_or(mode >> 3 & 7));
    }
    for entry in &acl {
        if let Entry::NamedGroup(id, rights) = entry
            && groups.contains(id)
        {
            of_groups.push(u32::from(*rights) & mask);
        }
    }
    let rights = if user == owner {
        mode >> 6
    } else if let Some(rights) = named {
        rights
    } else if of_groups.is_empty() {
        mode
    } else {
        of_groups.into_iter().fold(0, |all, rights| all | rights)
    };
    rights & 6
}
