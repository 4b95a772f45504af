//! The model disk: inodes with contents, and directories of names. For both it knows what is
//! visible and what is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use crate::model::database::Db;

/// A bare file name.
pub type Name = Rc<str>;
/// The names of one directory. Most states share them with the state before.
pub type Entries = Rc<BTreeMap<Name, u16>>;
/// The digest of a state: equal for equal states.
pub type Key = [u8; 16];

/// The directory of the database.
pub const HOME: usize = 0;
/// The directory of the companion.
pub const ASIDE: usize = 1;

/// A text, and its digest.
#[derive(Debug, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub text: String,
    key: Key,
}

/// The first half of a digest, which is enough to compare states.
#[must_use]
pub fn key_of(hash: Sha256) -> Key {
    let mut key = Key::default();
    key.copy_from_slice(&hash.finalize()[..16]);
    key
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// No bytes.
    Empty,
    /// Bytes without meaning: half of a copy, or half of a journal.
    Torn,
    /// A database file. Its sidecars may hold more.
    Db(Db),
    /// A write-ahead log: replayed, it makes the database this one.
    Wal(Db),
    /// A rollback journal: rolled back, it makes the database this one.
    Hot(Db),
    /// The shared memory of a write-ahead log, which holds no data.
    Shm,
    /// A journal or a receipt.
    Text(Rc<Text>),
    /// A companion in this version: 0 before the upgrade, 1 as the upgrade makes it, 2 as another
    /// program wrote it.
    Companion(u8),
}

impl Content {
    /// A journal or a receipt.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Text(Rc::new(Text {
            text: text.to_owned(),
            key: key_of(Sha256::new_with_prefix(text)),
        }))
    }

    fn feed(&self, hash: &mut Sha256) {
        let db =
            |hash: &mut Sha256, tag: u8, db: &Db| hash.update([&[tag][..], &db.code()].concat());
        match self {
            Self::Empty => hash.update([0]),
            Self::Torn => hash.update([1]),
            Self::Shm => hash.update([2]),
            Self::Db(of) => db(hash, 3, of),
            Self::Wal(of) => db(hash, 4, of),
            Self::Hot(of) => db(hash, 5, of),
            Self::Companion(version) => hash.update([6, *version]),
            Self::Text(text) => {
                hash.update([7]);
                hash.update(text.key);
            }
        }
    }
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inode {
    /// What a reader finds.
    pub now: Content,
    /// What was there at the last flush.
    pub durable: Content,
    /// A flush failed: the pages are lost and marked clean, so no later flush makes them durable.
    pub lost: bool,
}

impl Inode {
    /// Whether a power loss leaves the file as it is.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.now == self.durable
    }
}

/// A change of a directory that is not durable yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A name appears.
    Add(Name, u16),
    /// A name is removed.
    Del(Name),
    /// A file is renamed.
    Move(Name, Name, u16),
}

impl Change {
    fn concerns(&self, ino: u16) -> bool {
        matches!(self, Self::Add(_, of) | Self::Move(_, _, of) if *of == ino)
    }
}

/// A directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dir {
    /// What a reader finds.
    pub now: Entries,
    /// What was there at the last flush.
    pub durable: Entries,
    /// What changed since.
    pub pending: Vec<Change>,
}

/// How much of one change reached the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    Yes,
    /// A rename of which both names are left.
    Both,
}

pub(crate) fn apply(entries: &mut Entries, change: &Change, reached: Reached) {
    let entries = Rc::make_mut(entries);
    match change {
        Change::Add(name, ino) => drop(entries.insert(name.clone(), *ino)),
        Change::Del(name) => drop(entries.remove(name)),
        Change::Move(from, to, ino) => {
            if reached == Reached::Yes && entries.get(from) == Some(ino) {
                entries.remove(from);
            }
            entries.insert(to.clone(), *ino);
        }
    }
}

impl Dir {
    fn change(&mut self, change: Change) {
        apply(&mut self.now, &change, Reached::Yes);
        self.pending.push(change);
    }
}

/// The whole disk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Disk {
    /// Every file that has a name, or that a power loss may give a name.
    pub inodes: Rc<BTreeMap<u16, Inode>>,
    /// The database's directory and the companion's.
    pub dirs: [Dir; 2],
    /// Windows: directory changes are in one ordered log. A flush of a file writes the log up to
    /// that file's last change, and a rename up to itself.
    pub log: bool,
    /// Files that a process holds open. Their numbers are not used again, even if they have no
    /// name.
    pub(crate) held: BTreeSet<u16>,
}

impl Disk {
    /// The number of the file of this name.
    #[must_use]
    pub fn ino(&self, dir: usize, name: &str) -> Option<u16> {
        self.dirs[dir].now.get(name).copied()
    }

    /// What a reader finds under this name.
    #[must_use]
    pub fn get(&self, dir: usize, name: &str) -> Option<&Content> {
        Some(&self.inodes.get(&self.ino(dir, name)?)?.now)
    }

    /// The files, to be changed.
    pub fn inodes_mut(&mut self) -> &mut BTreeMap<u16, Inode> {
        Rc::make_mut(&mut self.inodes)
    }

    /// The lowest number that no file has: a file system uses numbers again.
    fn number(&mut self) -> u16 {
        self.forget();
        (1..u16::MAX)
            .find(|ino| !self.inodes.contains_key(ino) && !self.held.contains(ino))
            .unwrap_or(u16::MAX)
    }

    /// Adds a file that is durable from the beginning.
    pub fn seed(&mut self, dir: usize, name: &str, content: Content) {
        let ino = self.number();
        self.inodes_mut()
            .insert(ino, Inode { durable: content.clone(), now: content, lost: false });
        let Dir { now, durable, .. } = &mut self.dirs[dir];
        for entries in [now, durable] {
            Rc::make_mut(entries).insert(name.into(), ino);
        }
    }

    /// Creates a file without bytes. False: the name exists.
    pub fn create(&mut self, dir: usize, name: &str) -> bool {
        if self.dirs[dir].now.contains_key(name) {
            return false;
        }
        let ino = self.number();
        self.inodes_mut()
            .insert(ino, Inode { now: Content::Empty, durable: Content::Empty, lost: false });
        self.dirs[dir].change(Change::Add(name.into(), ino));
        true
    }

    /// Creates a file without bytes, unless the name exists.
    pub fn ensure(&mut self, dir: usize, name: &str) {
        self.create(dir, name);
    }

    /// Writes a file.
    pub fn write(&mut self, dir: usize, name: &str, content: Content) {
        if let Some(inode) = self.ino(dir, name).and_then(|ino| self.inodes_mut().get_mut(&ino)) {
            inode.now = content;
        }
    }

    /// Flushes a file. Pages that a failed flush lost stay lost.
    pub fn sync_file(&mut self, dir: usize, name: &str) {
        if let Some(inode) = self.ino(dir, name).and_then(|ino| self.inodes_mut().get_mut(&ino))
            && !inode.lost
        {
            inode.durable = inode.now.clone();
        }
        if self.log
            && let Some(ino) = self.ino(dir, name)
            && let Some(last) =
                self.dirs[dir].pending.iter().rposition(|change| change.concerns(ino))
        {
            self.write_log(dir, last + 1);
        }
    }

    /// Makes the first `count` changes of a directory durable.
    fn write_log(&mut self, dir: usize, count: usize) {
        let dir = &mut self.dirs[dir];
        for change in dir.pending.drain(..count) {
            apply(&mut dir.durable, &change, Reached::Yes);
        }
    }

    /// Fails a flush of a file.
    pub fn lose(&mut self, dir: usize, name: &str) {
        if let Some(inode) = self.ino(dir, name).and_then(|ino| self.inodes_mut().get_mut(&ino)) {
            inode.lost = inode.now != inode.durable;
        }
    }

    /// Flushes a directory.
    pub fn sync_dir(&mut self, dir: usize) {
        let dir = &mut self.dirs[dir];
        dir.durable = dir.now.clone();
        dir.pending.clear();
        self.forget();
    }

    /// Makes a hard link.
    pub fn link(&mut self, dir: usize, from: &str, to: &str) {
        if let Some(ino) = self.ino(dir, from) {
            self.dirs[dir].change(Change::Add(to.into(), ino));
        }
    }

    /// Renames a file. If both names are one file, nothing happens.
    pub fn rename(&mut self, dir: usize, from: &str, to: &str) {
        if let Some(ino) = self.ino(dir, from)
            && self.ino(dir, to) != Some(ino)
        {
            self.dirs[dir].change(Change::Move(from.into(), to.into(), ino));
            if self.log {
                self.write_log(dir, self.dirs[dir].pending.len());
            }
        }
    }

    /// Removes a name.
    pub fn unlink(&mut self, dir: usize, name: &str) {
        if self.dirs[dir].now.contains_key(name) {
            self.dirs[dir].change(Change::Del(name.into()));
        }
    }

    /// The directories, copied by a person: each name is a file of its own, with a new id.
    #[must_use]
    pub fn copied(&self) -> Self {
        let taken = self.inodes.keys().copied().collect();
        let mut copy = Self { log: self.log, held: taken, ..Self::default() };
        for (index, dir) in self.dirs.iter().enumerate() {
            for (name, ino) in &*dir.now {
                copy.seed(index, name, self.inodes[ino].now.clone());
            }
        }
        copy.held.clear();
        copy
    }

    /// Closes every handle, and forgets every file that no name leads to: this is what the next
    /// start finds. Makes files equal whose contents no start reads: those that have only names of
    /// which `reads` is false, now and after any power loss.
    pub fn settle_numbers(&mut self, reads: impl Fn(&Name) -> bool) {
        self.held.clear();
        let (mut named, mut read) = (Vec::new(), Vec::new());
        for (name, ino) in self.named() {
            named.push(ino);
            if !read.contains(&ino) && reads(name) {
                read.push(ino);
            }
        }
        let torn = Inode { now: Content::Torn, durable: Content::Torn, lost: false };
        let stays = |(ino, inode): (&u16, &Inode)| {
            named.contains(ino) && (read.contains(ino) || *inode == torn)
        };
        if !self.inodes.iter().all(stays) {
            self.inodes_mut().retain(|ino, inode| {
                if !read.contains(ino) {
                    inode.clone_from(&torn);
                }
                named.contains(ino)
            });
        }
    }

    /// Every name that leads to a file, or may after a power loss, with that file. A name may come
    /// more than once.
    fn named(&self) -> impl Iterator<Item = (&Name, u16)> {
        self.dirs.iter().flat_map(|dir| {
            let durable = (!Rc::ptr_eq(&dir.now, &dir.durable)).then_some(&*dir.durable);
            let pending = dir.pending.iter().filter_map(|change| match change {
                Change::Add(name, ino) | Change::Move(_, name, ino) => Some((name, *ino)),
                Change::Del(_) => None,
            });
            let entries = [&*dir.now].into_iter().chain(durable).flatten();
            entries.map(|(name, ino)| (name, *ino)).chain(pending)
        })
    }

    /// Every name: those that are visible, durable, or not yet flushed. A name may come more than
    /// once.
    pub fn names(&self) -> impl Iterator<Item = &Name> {
        let gone =
            self.dirs.iter().flat_map(|dir| &dir.pending).filter_map(|change| match change {
                Change::Add(..) => None,
                Change::Del(name) | Change::Move(name, ..) => Some(name),
            });
        self.named().map(|(name, _)| name).chain(gone)
    }

    /// Whether any name or text contains this.
    #[must_use]
    pub fn mentions(&self, part: &str) -> bool {
        self.names().any(|name| name.contains(part))
            || self.inodes.values().flat_map(|inode| [&inode.now, &inode.durable]).any(|content| {
                match content {
                    Content::Text(text) => text.text.contains(part),
                    _ => false,
                }
            })
    }

    /// Changes each database, in database files and in logs, of which `is` is true.
    pub fn each_database(&mut self, is: impl Fn(&Db) -> bool, change: impl Fn(&mut Db)) {
        let db = |content: &Content| match content {
            Content::Db(db) | Content::Wal(db) | Content::Hot(db) => is(db),
            _ => false,
        };
        if !self.inodes.values().any(|inode| db(&inode.now) || db(&inode.durable)) {
            return;
        }
        for inode in self.inodes_mut().values_mut() {
            for content in [&mut inode.now, &mut inode.durable] {
                if let Content::Db(db) | Content::Wal(db) | Content::Hot(db) = content
                    && is(db)
                {
                    change(db);
                }
            }
        }
    }

    /// Forgets files that no name leads to, now or after a power loss.
    fn forget(&mut self) {
        let named: Vec<u16> = self.named().map(|(_, ino)| ino).collect();
        let stays = |ino: &u16| named.contains(ino) || self.held.contains(ino);
        if !self.inodes.keys().all(stays) {
            let gone: Vec<u16> = self.inodes.keys().filter(|ino| !stays(ino)).copied().collect();
            self.inodes_mut().retain(|ino, _| !gone.contains(ino));
        }
    }

    /// Adds everything that a later start can notice to `hash`.
    pub fn feed(&self, hash: &mut Sha256) {
        let name = |hash: &mut Sha256, name: &str| {
            hash.update([u8::try_from(name.len()).unwrap_or(u8::MAX)]);
            hash.update(name.as_bytes());
        };
        for dir in &self.dirs {
            hash.update([0xfe]);
            for (of, ino) in &*dir.durable {
                name(hash, of);
                hash.update(ino.to_le_bytes());
            }
            hash.update([0xff]);
            for change in &dir.pending {
                match change {
                    Change::Add(of, ino) => {
                        hash.update([1]);
                        hash.update(ino.to_le_bytes());
                        name(hash, of);
                    }
                    Change::Del(of) => {
                        hash.update([2]);
                        name(hash, of);
                    }
                    Change::Move(from, to, ino) => {
                        hash.update([3]);
                        hash.update(ino.to_le_bytes());
                        name(hash, from);
                        name(hash, to);
                    }
                }
            }
        }
        for (ino, inode) in &*self.inodes {
            hash.update(ino.to_le_bytes());
            hash.update([u8::from(inode.lost)]);
            inode.now.feed(hash);
            if inode.durable != inode.now {
                inode.durable.feed(hash);
            }
        }
    }
}
