//! The access ACL of a file on Linux: `system.posix_acl_access` ("acl(5)", and
//! `include/uapi/linux/posix_acl_xattr.h` of the kernel for its bytes).

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{XattrFlags, fgetxattr, fremovexattr, fsetxattr, lgetxattr};
use rustix::io::Errno;

/// The extended attribute that the kernel keeps an ACL in.
pub(super) const NAME: &str = "system.posix_acl_access";

const VERSION: u32 = 2;
const USER_OBJ: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;
const NO_ID: u32 = u32::MAX;

/// What an ACL has besides the rights of the owner, of the group and of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Acl {
    users: Vec<(u32, u16)>,
    groups: Vec<(u32, u16)>,
    /// The most that all of these and the group get.
    mask: u16,
}

impl Acl {
    /// That of the file that has this name, with the rights of its group, which are not the bits
    /// that the system shows. The file is not opened.
    pub(super) fn of_path(path: &Path) -> io::Result<Option<(Self, u32)>> {
        Self::read(|value| lgetxattr(path, NAME, value))
    }

    pub(super) fn of_open(file: &File) -> io::Result<Option<(Self, u32)>> {
        Self::read(|value| fgetxattr(file, NAME, value))
    }

    fn read(
        value: impl FnOnce(&mut [u8]) -> rustix::io::Result<usize>,
    ) -> io::Result<Option<(Self, u32)>> {
        let mut buffer = vec![0; 65536];
        let size = match value(&mut buffer) {
            // Without an ACL, or on a file system that has none.
            Err(Errno::NODATA | Errno::NOTSUP | Errno::NOSYS) => return Ok(None),
            size => size?,
        };
        let unknown = || io::Error::other("its ACL has a form that cutover does not know");
        Self::parse(buffer.get(..size).unwrap_or_default()).ok_or_else(unknown).map(Some)
    }

    fn parse(bytes: &[u8]) -> Option<(Self, u32)> {
        let (version, entries) = bytes.split_first_chunk()?;
        if u32::from_le_bytes(*version) != VERSION || entries.len() % 8 != 0 {
            return None;
        }
        let mut acl = Self { users: Vec::new(), groups: Vec::new(), mask: 0o7 };
        let mut group = None;
        for entry in entries.chunks_exact(8) {
            let [a, b, c, d, id @ ..] = entry else { return None };
            let id = u32::from_le_bytes(id.try_into().ok()?);
            let rights = u16::from_le_bytes([*c, *d]);
            match u16::from_le_bytes([*a, *b]) {
                USER => acl.users.push((id, rights)),
                GROUP => acl.groups.push((id, rights)),
                MASK => acl.mask = rights,
                GROUP_OBJ => group = Some(u32::from(rights)),
                // The mode has these.
                USER_OBJ | OTHER => {}
                _ => return None,
            }
        }
        Some((acl, group?))
    }

    fn bytes(&self, mode: u32) -> Vec<u8> {
        let of_mode = |shift: u32| u16::try_from(mode >> shift & 7).unwrap_or_default();
        let users = self.users.iter().map(|(id, rights)| (USER, *rights, *id));
        let groups = self.groups.iter().map(|(id, rights)| (GROUP, *rights, *id));
        // The kernel requires this order.
        let entries = std::iter::once((USER_OBJ, of_mode(6), NO_ID))
            .chain(users)
            .chain([(GROUP_OBJ, of_mode(3), NO_ID)])
            .chain(groups)
            .chain([(MASK, self.mask, NO_ID), (OTHER, of_mode(0), NO_ID)]);
        let mut bytes = VERSION.to_le_bytes().to_vec();
        for (tag, rights, id) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(rights.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    /// Gives an open file this ACL and this mode in one step.
    pub(super) fn give_to(&self, file: &File, mode: u32) -> io::Result<()> {
        Ok(fsetxattr(file, NAME, &self.bytes(mode), XattrFlags::empty())?)
    }

    /// Of a directory: lets those read and write who may write in it.
    #[expect(clippy::unnecessary_wraps, reason = "on macOS a lock has none")]
    pub(super) fn of_writers(&self) -> Option<Self> {
        let both = |rights: u16| if rights & 2 == 0 { 0 } else { 6 };
        let all = |of: &[(u32, u16)]| of.iter().map(|(id, may)| (*id, both(*may))).collect();
        Some(Self { users: all(&self.users), groups: all(&self.groups), mask: both(self.mask) })
    }

    /// The most that each of these may.
    fn least<'a>(&self, of: impl IntoIterator<Item = &'a (u32, u16)>) -> u32 {
        of.into_iter().fold(7, |least, (_, rights)| least & u32::from(rights & self.mask))
    }
}

/// The most that the others may get who were in the group, as bits of the others.
pub(super) fn most_of_group(acl: Option<&Acl>, mode: u32) -> u32 {
    mode >> 3 & acl.map_or(7, |acl| u32::from(acl.mask))
}

/// The mode of a file that cannot have this ACL. Without it a user whom it names counts among the
/// group or the others, who therefore get no more than that user had; a group that it names likewise
/// counts among the others.
pub(super) fn mode_without(acl: Option<&Acl>, mode: u32) -> u32 {
    let Some(acl) = acl else { return mode };
    let group = most_of_group(Some(acl), mode) & acl.least(&acl.users);
    let others = mode & acl.least(acl.users.iter().chain(&acl.groups));
    mode & 0o700 | group << 3 | others & 7
}

/// Takes away the ACL of an open file.
pub(super) fn remove(file: &File) -> io::Result<()> {
    Ok(fremovexattr(file, NAME)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acl(users: &[(u32, u16)], groups: &[(u32, u16)], mask: u16) -> Acl {
        Acl { users: users.to_vec(), groups: groups.to_vec(), mask }
    }

    #[test]
    fn an_acl_is_written_as_it_was_read() {
        let all = acl(&[(5005, 6), (5006, 0)], &[(6001, 4)], 6);
        assert_eq!(Acl::parse(&all.bytes(0o640)), Some((all.clone(), 4)));
        for wrong in [&[][..], &[1, 0, 0, 0], &all.bytes(0o640)[..11], &[2, 0, 0, 0, 64, 0, 0, 0]] {
            assert_eq!(Acl::parse(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn without_its_acl_no_user_gets_more() {
        for (of, mode, wanted) in [
            // The mask is not what the group has.
            (acl(&[(5005, 6)], &[], 6), 0o600, 0o600),
            (acl(&[(5005, 6)], &[], 6), 0o660, 0o660),
            // The mask limits the group.
            (acl(&[], &[], 4), 0o660, 0o640),
            // Whom the ACL shuts out is in the group, or is one of the others.
            (acl(&[(5005, 0)], &[], 6), 0o664, 0o600),
            (acl(&[(5005, 4)], &[], 6), 0o666, 0o644),
            (acl(&[], &[(6001, 0)], 6), 0o664, 0o660),
            (acl(&[(5005, 7)], &[(6001, 7)], 4), 0o666, 0o644),
        ] {
            assert_eq!(mode_without(Some(&of), mode), wanted, "{of:?} {mode:o}");
        }
        assert_eq!(mode_without(None, 0o664), 0o664);
    }
}
