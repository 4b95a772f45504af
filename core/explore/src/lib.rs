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
mod check;
mod crash_matrix;
mod lanes;
mod model;
mod mutate;
mod negative_controls;
mod replay;
mod samples;
mod scenario;
mod search;
mod sim;

pub use check::Violation;
pub use crash_matrix::{
    Broken, Cell, Crash, CrashMatrix, CrashStep, Exploration, FlipCount, Progress, Question,
    replay_crash,
};
pub use lanes::{Column, Held, Holds, Lane, LaneRole, Lanes, MAX_COLUMNS, plan_lanes};
pub use model::database::{Data, Db, V1_LINE};
pub use model::disk::{ASIDE, Content, Disk, HOME, Key};
pub use model::power_loss::Model;
pub use model::sqlite::{Seen, seen};
pub use model::state::{Ledger, State};
pub use mutate::{Made, Mutant, MutantOutcome, MutantRunner, made_of, plans};
pub use negative_controls::{Count, Flip, NEGATIVE_CONTROLS, count_flip};
pub use replay::{parse_replay_line, replay};
pub use samples::{crash_states, next_start};
pub use scenario::bounds::{Bounds, Faults};
pub use scenario::dimensions::Dimension;
pub use scenario::table as scenarios;
pub use scenario::{Build, HostUse, InitialState, Scenario, Zombie};
pub use search::{Choice, Counterexample, Path, Report, explore};
pub use sim::faults::{Fail, Interference};
pub use sim::start::{End, PlanChange};
