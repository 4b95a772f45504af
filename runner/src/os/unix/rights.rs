//! Who may use a file, and what else comes along with it to the file that takes its place.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::path::Path;

use rustix::fs::OFlags;

use super::acl::{self, Acl};
use super::attributes::Attributes;
use super::{open, open_itself, sqlite_gives_owners};

/// Who may use a file: its owner, its mode and its ACL. Its extended attributes come along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rights {
    /// What the owner, the group and the others may. With an ACL these are not the bits that the
    /// system shows: on Linux it shows the ACL's mask as the rights of the group ("acl(5)").
    mode: u32,
    uid: u32,
    gid: u32,
    acl: Option<Acl>,
    attributes: Attributes,
}

impl Rights {
    /// Those of the regular file that has this name. It is not opened, because that could drop the
    /// locks of a database.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let metadata = std::fs::symlink_metadata(path)?;
        crate::os::regular(metadata.file_type())?;
        Ok(Self::new(&metadata, Acl::of_path(path)?, Attributes::of_path(path)))
    }

    /// Those of an open file.
    pub(crate) fn of_open(file: &File) -> io::Result<Self> {
        Ok(Self::new(&file.metadata()?, Acl::of_open(file)?, Attributes::of_open(file)))
    }

    fn new(metadata: &Metadata, acl: Option<(Acl, u32)>, attributes: Attributes) -> Self {
        let (uid, gid) = (metadata.uid(), metadata.gid());
        let shown = metadata.mode() & 0o777;
        let (acl, mode) = match acl {
            Some((acl, group)) => (Some(acl), shown & 0o707 | group << 3),
            None => (None, shown),
        };
        Self { mode, uid, gid, acl, attributes }
    }

    /// Gives them to a file as far as that is allowed, and never more than them.
    ///
    /// Only root may give a file away, so the file of another user keeps its owner. A member of the
    /// group may give it the group alone. Where even that is refused, the file has another group,
    /// which gets no rights, and v1's group is one of the others, who get no more than it had.
    fn give_to(&self, file: &File) -> io::Result<()> {
        // As long as this user owns the file and may write to it.
        self.attributes.give_to(file);
        let now = file.metadata()?;
        let mut mode = self.mode;
        if (now.uid(), now.gid()) != (self.uid, self.gid)
            && fchown(file, Some(self.uid), Some(self.gid)).is_err()
            && now.gid() != self.gid
            && fchown(file, None, Some(self.gid)).is_err()
        {
            mode = mode_in_another_group(self.acl.as_ref(), mode);
        }
        let now = Self::of_open(file)?;
        if (&now.acl, now.mode) == (&self.acl, mode) {
            // Only the owner may set them, and this user need not be the owner.
            return Ok(());
        }
        if let Some(acl) = &self.acl
            && acl.give_to(file, mode).is_ok()
        {
            return Ok(());
        }
        if now.acl.is_some() {
            // The directory gave it one. Until it is gone, it must let no user in.
            file.set_permissions(Permissions::from_mode(mode & 0o700))?;
            acl::remove(file)?;
        }
        let mode = acl::mode_without(self.acl.as_ref(), mode);
        if file.metadata()?.mode() & 0o777 != mode {
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        Ok(())
    }

    /// What a file lacks of them that others can notice: names for a message.
    pub(crate) fn lost(&self, file: &File) -> io::Result<Vec<String>> {
        let now = Self::of_open(file)?;
        let mut lost = self.attributes.lost(&now.attributes);
        if self.acl.is_some() && now.acl != self.acl {
            lost.push(acl::NAME.into());
        }
        if self.gid != now.gid && self.mode & 0o070 != 0 {
            lost.push(format!("the rights of group {}", self.gid));
        }
        Ok(lost)
    }

    /// Without ACL and attributes. With an ACL a sidecar that SQLite makes beside the file would get
    /// more: SQLite gives it the mode that the system shows (`findCreateFileMode` in `os_unix.c`).
    fn without_acl(&self) -> Self {
        let mode = acl::mode_without(self.acl.as_ref(), self.mode);
        Self { mode, acl: None, attributes: Attributes::default(), ..*self }
    }
}

/// The mode of a file that has another group: that group gets no rights, and the others, who were in
/// the group or not, get what both had.
fn mode_in_another_group(acl: Option<&Acl>, mode: u32) -> u32 {
    mode & 0o700 | mode & acl::most_of_group(acl, mode)
}

/// Creates a file that does not exist, without following a link, and gives it these rights.
pub(crate) fn create_new(path: &Path, rights: &Rights) -> io::Result<File> {
    // Until it has its group, only this user may use it.
    let file = create(path)?;
    rights.give_to(&file)?;
    Ok(file)
}

/// Creates a file like [`create_new`], but its owner can always write to it.
fn create_writable(path: &Path, rights: &Rights) -> io::Result<File> {
    create_new(path, &Rights { mode: rights.mode | 0o600, ..rights.clone() })
}

/// Creates a file like [`create_writable`] that SQLite will open before it is checked and gets all
/// of these rights. SQLite gives a sidecar the mode of its database, and only as root its group too.
/// Of a directory that gives new files an ACL, the sidecar gets that as far as the group's bits allow.
pub(crate) fn create_to_build(path: &Path, rights: &Rights) -> io::Result<File> {
    let file = create(path)?;
    let mut rights = rights.without_acl();
    let another_group = !sqlite_gives_owners() && file.metadata()?.gid() != rights.gid;
    if another_group || Acl::of_open(&file)?.is_some() {
        rights.mode = mode_in_another_group(None, rights.mode);
    }
    rights.mode |= 0o600;
    rights.give_to(&file)?;
    Ok(file)
}

/// Creates a journal or a receipt: who may read or write the database may read or write it.
pub(crate) fn create_beside(path: &Path, database: Option<&Rights>) -> io::Result<File> {
    match database {
        Some(its) => create_writable(path, &Rights { mode: its.mode & 0o666, ..its.clone() }),
        None => create(path),
    }
}

/// Creates a file that only the database's owner can read and write: it may hold private data of
/// the application.
pub(crate) fn create_private(path: &Path, database: Option<&Rights>) -> io::Result<File> {
    match database {
        Some(its) => create_new(path, &Rights { mode: 0o600, ..its.without_acl() }),
        None => create(path),
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    open_itself(path, options.read(true).write(true).create_new(true).mode(0o600))
}

/// Creates a directory that only its owner may enter: the owner of this file, or this user.
pub(crate) fn create_private_directory(path: &Path, owner: Option<&Rights>) -> io::Result<()> {
    std::fs::DirBuilder::new().mode(0o700).create(path)?;
    owner.map_or(Ok(()), |owner| give_directory(path, owner))
}

/// Gives an owner the directory that this user has just made. Who may write in the directory above
/// may have put another one at its name meanwhile.
fn give_directory(path: &Path, owner: &Rights) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let made = options.read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    let is_ours = made.metadata()?.uid() == rustix::process::geteuid().as_raw();
    let mut entries = rustix::fs::Dir::read_from(&made)?;
    let has_entries = entries
        .any(|entry| entry.map_or(true, |entry| ![c".", c".."].contains(&entry.file_name())));
    if !is_ours || has_entries {
        return Err(io::Error::other("another program put another directory at this name"));
    }
    // vfat knows no owner.
    let _ = Rights { mode: 0o700, ..owner.without_acl() }.give_to(&made);
    Ok(())
}

/// Creates a lock file for those who may write in `directory`, and for no other user: a process
/// that can open a lock file can hold the lock.
pub(crate) fn create_lock(path: &Path, directory: &Path) -> io::Result<File> {
    let its = writers_of(directory)?;
    let file = create(path)?;
    // The lock works with any mode, and vfat refuses to change the mode.
    let _ = its.give_to(&file);
    Ok(file)
}

/// Creates a lock file for those who may write to a database. A user who may give it neither the
/// database's owner nor its group would shut out both, so that user's is for those who may write in
/// `directory`.
pub(crate) fn create_owner_lock(
    path: &Path,
    database: &Rights,
    directory: &Path,
) -> io::Result<File> {
    let file = create_writable(path, database)?;
    if file.metadata()?.gid() != database.gid {
        writers_of(directory)?.give_to(&file)?;
    }
    Ok(file)
}

/// The rights to read and write for those who may write in a directory.
fn writers_of(directory: &Path) -> io::Result<Rights> {
    let metadata = std::fs::metadata(directory)?;
    let its = Rights::new(&metadata, Acl::of_path(directory)?, Attributes::default());
    let mode = its.mode & 0o222 | (its.mode & 0o222) << 1;
    let acl = its.acl.as_ref().and_then(Acl::of_writers);
    Ok(Rights { mode, acl, ..its })
}

/// Opens a file to give it rights later.
pub(crate) fn open_to_give_rights(path: &Path) -> io::Result<File> {
    open(path, File::options().read(true))
}

/// Gives an open file these rights. `false`: a file with a second name may be another program's, so
/// its rights stay as they are.
pub(crate) fn give_rights(file: &File, rights: &Rights) -> io::Result<bool> {
    if file.metadata()?.nlink() > 1 && Rights::of_open(file)? != *rights {
        return Ok(false);
    }
    rights.give_to(file).map(|()| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Another process may exchange the directory between the two calls of
    /// [`create_private_directory`].
    #[test]
    fn only_the_directory_that_was_made_gets_an_owner() {
        let bed = tempfile::tempdir().unwrap();
        let at = |name: &str| bed.path().join(name);
        let database = at("data.db");
        std::fs::write(&database, "").unwrap();
        if std::os::unix::fs::chown(&database, Some(5001), Some(6000)).is_err() {
            return;
        }
        let owner = Rights::of(&database).unwrap();
        let rights = |path: &Path| {
            let metadata = path.metadata().unwrap();
            (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777)
        };
        std::fs::write(at("secret"), "of root").unwrap();
        for directory in ["full", "of-another"] {
            std::fs::create_dir(at(directory)).unwrap();
        }
        std::fs::write(at("full/file"), "").unwrap();
        std::os::unix::fs::chown(at("of-another"), Some(5002), Some(7000)).unwrap();
        std::fs::hard_link(at("secret"), at("hard-link")).unwrap();
        std::os::unix::fs::symlink(at("full"), at("link")).unwrap();
        for name in ["hard-link", "link", "full", "of-another"] {
            let before = rights(&at(name));
            give_directory(&at(name), &owner).unwrap_err();
            assert_eq!(rights(&at(name)), before, "{name}");
        }
        create_private_directory(&at("made"), Some(&owner)).unwrap();
        assert_eq!(rights(&at("made")), (5001, 6000, 0o700));
    }
}
