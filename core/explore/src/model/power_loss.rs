//! How the machine stops, and every disk that this may leave.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::database::{Data, Db};
use crate::model::disk::{ASIDE, Content, Dir, Disk, Entries, HOME, Inode, Reached, apply};

/// How the machine stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Model {
    /// The process is killed.
    M0,
    /// Power loss, directory changes in order.
    M1,
    /// Power loss, any subset of the directory changes.
    M2,
    /// As M2, and a rename may leave both names.
    M3,
    /// Power loss without a flush of directories, changes in order.
    Windows,
}

impl Model {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::M0, Self::M1, Self::M2, Self::M3, Self::Windows];

    /// The word in replay lines and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::M0 => "M0",
            Self::M1 => "M1",
            Self::M2 => "M2",
            Self::M3 => "M3",
            Self::Windows => "Windows",
        }
    }
}

impl Content {
    /// What a power loss may leave of data that was written over `old` and not flushed. A file that
    /// had no bytes is old, new, empty or torn. A database that SQLite changes in place is old,
    /// new, or half changed.
    fn unsynced(old: &Self, new: &Self) -> Vec<Self> {
        let mut found = vec![old.clone(), new.clone()];
        match (old, new) {
            (Self::Db(_), Self::Db(db)) => found.push(Self::Db(Db { data: Data::Half, ..*db })),
            (_, Self::Db(db)) => {
                found.extend([
                    Self::Empty,
                    Self::Torn,
                    Self::Db(Db { data: Data::Damaged, ..*db }),
                ]);
            }
            _ => found.extend([Self::Empty, Self::Torn]),
        }
        let mut distinct: Vec<Self> = Vec::new();
        for content in found {
            if !distinct.contains(&content) {
                distinct.push(content);
            }
        }
        distinct
    }
}

impl Dir {
    /// What a power loss may leave of the directory. If more than `exact` changes are not flushed,
    /// not every subset is tried: only each prefix, each change alone, and all changes but each.
    fn power_losses(&self, model: Model, exact: usize) -> Vec<Entries> {
        if matches!(model, Model::M2 | Model::M3) && self.pending.len() > exact {
            return self.some_power_losses();
        }
        let mut found = BTreeSet::from([self.durable.clone()]);
        let mut prefix = self.durable.clone();
        for change in &self.pending {
            match model {
                Model::M0 => {}
                Model::M1 | Model::Windows => {
                    apply(&mut prefix, change, Reached::Yes);
                    found.insert(prefix.clone());
                }
                // Change by change, with equal directories merged: every subset, and none twice.
                Model::M2 | Model::M3 => {
                    let ways: &[Reached] = if model == Model::M3 {
                        &[Reached::Yes, Reached::Both]
                    } else {
                        &[Reached::Yes]
                    };
                    let before: Vec<Entries> = found.iter().cloned().collect();
                    for (entries, way) in before
                        .iter()
                        .flat_map(|entries| ways.iter().map(move |way| (entries, *way)))
                    {
                        let mut entries = entries.clone();
                        apply(&mut entries, change, way);
                        found.insert(entries);
                    }
                }
            }
        }
        found.into_iter().collect()
    }

    fn some_power_losses(&self) -> Vec<Entries> {
        let count = self.pending.len();
        let of = |is_there: &dyn Fn(usize) -> bool| {
            let mut entries = self.durable.clone();
            self.pending.iter().enumerate().filter(|(index, _)| is_there(*index)).for_each(
                |(_, change)| {
                    apply(&mut entries, change, Reached::Yes);
                },
            );
            entries
        };
        let each = |one: usize| {
            [of(&|index| index <= one), of(&|index| index == one), of(&|index| index != one)]
        };
        let found: BTreeSet<Entries> =
            (0..count).flat_map(each).chain([self.durable.clone()]).collect();
        found.into_iter().collect()
    }
}

impl Disk {
    /// Whether a power loss would change anything.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.dirs.iter().all(|dir| dir.pending.is_empty())
            && self
                .dirs
                .iter()
                .flat_map(|dir| dir.now.values())
                .all(|ino| self.inodes[ino].is_flushed())
    }

    /// Every disk that a power loss may leave, in a fixed order.
    #[must_use]
    pub fn power_losses(&self, model: Model) -> Vec<Self> {
        self.some_power_losses(model, usize::MAX)
    }

    /// As [`Disk::power_losses`], but not every subset if a directory has more than `exact`
    /// changes.
    #[must_use]
    pub fn some_power_losses(&self, model: Model, exact: usize) -> Vec<Self> {
        let mut found = Vec::new();
        for home in self.dirs[HOME].power_losses(model, exact) {
            for aside in self.dirs[ASIDE].power_losses(model, exact) {
                let inos: BTreeSet<u16> = home.values().chain(aside.values()).copied().collect();
                let mut files: Vec<BTreeMap<u16, Inode>> = vec![BTreeMap::new()];
                for ino in inos {
                    let inode = &self.inodes[&ino];
                    let outcomes = if inode.is_flushed() {
                        vec![inode.now.clone()]
                    } else {
                        Content::unsynced(&inode.durable, &inode.now)
                    };
                    files = outcomes
                        .into_iter()
                        .flat_map(|content| {
                            files.iter().cloned().map(move |mut of| {
                                of.insert(
                                    ino,
                                    Inode {
                                        now: content.clone(),
                                        durable: content.clone(),
                                        lost: false,
                                    },
                                );
                                of
                            })
                        })
                        .collect();
                }
                let dir = |entries: &Entries| Dir {
                    now: entries.clone(),
                    durable: entries.clone(),
                    pending: Vec::new(),
                };
                found.extend(files.into_iter().map(|inodes| Self {
                    inodes: inodes.into(),
                    dirs: [dir(&home), dir(&aside)],
                    log: self.log,
                    held: BTreeSet::new(),
                }));
            }
        }
        found
    }
}
