//! Every crash state, explored: the simulator that judges the plans.
//!
//! # What can happen
//!
//! A user's machine may stop at any instant. What is on its disk then depends on how it stopped.
//!
//! *The process is killed* (**M0**). The kernel lives on, so every change that was made stays, in
//! order, also half of an op that makes several: a torn copy, a journal of which only the beginning
//! was written, three of five files removed.
//!
//! *The power fails.* What was not flushed may be lost, and file systems differ in what they lose.
//! With ordered metadata (**M1**: NTFS, APFS, ext4, xfs as they are usually mounted) the changes of
//! a directory since its last flush arrive in order, so that any prefix of them may be there.
//! Without order (**M2**) any subset may be. And a rename that is not one change on the disk may
//! leave both names (**M3**). The data of a file that was not flushed since it was written is old,
//! new, empty or torn; a database that SQLite changes in place is old, new or half changed. Where
//! two directories are involved each loses its own tail. After a flush that failed the pages count
//! as clean, though they are not on the disk: no later flush of them helps.
//!
//! On **Windows** there is no flush of a directory. Changes arrive in order, in one log, and any
//! tail of it may be lost, however long. A flush of a file writes the log up to that file's last
//! change, which is what SQLite itself relies on there, and a rename is written through
//! (`MOVEFILE_WRITE_THROUGH`).
//!
//! And not only the machine is in the way: an op may fail, once or for ever, having done nothing or
//! half; an older release of the application, which knows no lock of ours, may open canonical
//! between any two ops, create it if it is missing, and commit a row; a person may copy the whole
//! directory, which gives every name a file of its own; somebody may change a companion; the
//! application's own closed connections may keep their files, v1 itself among them; and what it
//! builds may be wrong.
//!
//! # What must hold
//!
//! The design's invariants. **I1** canonical opens as a whole v1 or a whole v2. **I2** while v2 is
//! not canonical for good all of v1 is reachable; afterwards the backup is v1, and v2 was made from
//! all of it. **I3** a v2 that was used never goes back. **I4** no sidecar of one database stands
//! beside another. **I5** a recovery ends, and done again changes nothing. **I6** no temporary file
//! is left, and each backup has a receipt. **I7** companions, and what the application did outside,
//! match the database that is canonical. **I8** canonical is never missing, at any instant. And two
//! that the design says in words: **I9** a process opens nothing that it holds, and holds nothing
//! that becomes canonical; **I10** canonical has the journal mode that its application counts on.
//!
//! I1 to I4 and I8 are judged at every instant, before any recovery; all of them at every end, and
//! where a migration begins anew. In the field's own cutover, which moves canonical away, they are
//! judged after recovery. So is I2 on Windows for as long as the journal says `built`: there v1 may
//! gain a row between its check and the flip, and is put back.
//!
//! A restore ends with v1 canonical, and v2 with the rows that were committed to it is canonical or
//! set aside at every instant; the backup stays what it is. A prune ends with the newest backup and
//! those that are not whole, and no receipt ever tells of a backup that is less than it says.
//!
//! # What is done about it
//!
//! [`explore`] performs a start on a model disk: the real
//! [`plan_migration`](cutover_core::plan::plan_migration), [`assess`](cutover_core::plan::assess)
//! and [`Run`](cutover_core::run::Run), with a model in place of the file system and of SQLite.
//! After each change it asks what a crash at that instant could leave, and lets a new start recover
//! from each answer, migrate anew, crash again at each of *its* changes, and so on up to a bound.
//! Nothing is sampled. Two states that are equal in everything that can matter later are one state
//! and are looked at once: what is counted are distinct crash states, each of which a start was run
//! from. A start that looks at what another has looked at goes on as that one did, and is not run
//! twice. Judgements share no code with what made the state.
//!
//! And the judge is judged: every step of every plan is taken out, or swapped with its neighbour,
//! and every two rows of the recovery table are put in the other order ([`mutate`]). What is not
//! caught is printed with the listed reason why it makes no difference, or as a survivor that
//! nobody has explained.
//!
//! # What is modelled of SQLite
//!
//! A log or a hot journal is replayed over whatever database it stands beside. A missing or empty
//! database loses its log when it is opened with CREATE. Commits in WAL mode do not show in the
//! header; those in rollback mode, and changes of the mode, do. A commit of another program is one
//! change. It may also open canonical and stay, idle, until the start has ended: with a file that
//! is canonical no more it would write to the log of what is (I9). A reader rolls a hot journal
//! back; leaving WAL mode checkpoints, flushes, truncates and removes the log, and is a commit in
//! rollback mode, whose flush of the directory is the one thing that makes the log's removal
//! durable. A page copy into canonical is a transaction in rollback mode: the journal, its flush,
//! half of the pages, all of them, their flush, the journal's end, which is not durable before the
//! directory is flushed.
//!
//! A callback that writes a companion in place flushes what it writes, the directory too; one that
//! does not loses it by its own doing.
//!
//! # What is not claimed
//!
//! Disks that lie about a flush, that lose what they had flushed, or that damage what they were not
//! asked to write. Network file systems, which break the atomicity of rename and link in ways of
//! their own. File systems that lose a rename's old *and* new name. Bugs of SQLite, of the kernel,
//! and of the runner: that the runner does what the ops say is proven by tests of the runner,
//! beside this.
//!
//! Nor what nobody can guard: an older application that creates canonical while the field's flip
//! has moved it and not yet its log (it deletes the log); an older application that is killed in
//! the middle of writing a page of v1, on Windows, between v1's check and the flip, or a newer one
//! in the middle of writing v2 between its check and a restore's flip; and a program that changes a
//! companion between our look at it and the rename, without taking its lock.

#![forbid(unsafe_code)]

pub mod api;
mod backups;
pub mod boot;
pub mod cells;
pub mod control;
pub mod counterexample;
mod database;
pub mod disk;
mod equivalent;
mod happening;
mod invariant;
pub mod lanes;
mod machine;
pub mod matrix;
pub mod mutate;
mod others;
mod page_copy;
mod perform;
pub mod predict;
mod search;
mod setting;
pub mod sqlite;
mod state;
pub mod trial;

use std::collections::BTreeSet;
use std::rc::Rc;

use disk::Key;
use serde::{Deserialize, Serialize};

pub use counterexample::Counterexample;
pub use happening::{Fail, Happening};
pub use invariant::Violation;
pub use search::explore;
pub use setting::{Build, HostUse, Setting, Shape, Zombie};
pub use state::{Ledger, State};

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

    /// The word for it.
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

/// How far the exploration goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is one bound, and they are crossed freely")]
pub struct Bounds {
    /// How many crashes there may be: 2 is a crash in the migration and one further in the
    /// recovery.
    pub crashes: u8,
    /// Whether an older application and others may come between any two ops.
    pub others: bool,
    /// Which ops may fail.
    pub faults: Faults,
    /// After how many crashes something may still happen: 1 is in the first recovery as well.
    pub happening_after_crashes: u8,
    /// Whether crashes are enumerated after a happening.
    pub crash_after_happening: bool,
    /// Whether the directory may be copied between a crash and the recovery.
    pub copies: bool,
    /// Of how many changes of a directory a power loss may lose any subset; of more, not every one
    /// is tried.
    pub exact: usize,
    /// Whether a start ends where its recovery does: what begins there is as good as new.
    pub only_recovery: bool,
    /// How many counterexamples are kept before it stops.
    pub stop_after: usize,
}

/// Which ops may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Faults {
    /// None does.
    None,
    /// One before the journal says `built`, and some behind it: what an undo begins with.
    ToUndo,
    /// Every op, in every way, once and for ever.
    All,
}

impl Bounds {
    /// One crash, nothing else in the way, and the first counterexample ends it.
    pub const ONE_CRASH: Self = Self {
        crashes: 1,
        others: false,
        faults: Faults::None,
        happening_after_crashes: 0,
        crash_after_happening: false,
        copies: false,
        exact: usize::MAX,
        only_recovery: false,
        stop_after: 1,
    };
}

/// What one start went through, and how it was stopped: enough to do it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Before which op of the start something happened, and what.
    pub happening: Option<(u32, Happening)>,
    /// After which change it crashed, and which of the possible disks was left; nothing: it ran to
    /// its end.
    pub crash: Option<(u32, u32)>,
    /// Whether the directory was copied after the crash.
    pub copied: bool,
}

/// A chain of choices, last first.
#[derive(Debug)]
pub struct Path {
    before: Option<Rc<Path>>,
    choice: Choice,
}

impl Path {
    fn choices(path: Option<&Rc<Self>>) -> Vec<Choice> {
        let mut all = Vec::new();
        let mut at = path;
        while let Some(path) = at {
            all.push(path.choice.clone());
            at = path.before.as_ref();
        }
        all.reverse();
        all
    }
}

/// What an exploration found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The distinct crash states: what a start found, from each of which one was run to its end.
    pub states: BTreeSet<Key>,
    /// Changes of the disk that were made, each judged.
    pub transitions: u64,
    /// Starts that were run, those with something in their way counted each.
    pub starts: u64,
    /// Whether a mutant of the recovery table made any start do something else.
    pub swayed: bool,
    /// What is wrong.
    pub bad: Vec<Counterexample>,
}
