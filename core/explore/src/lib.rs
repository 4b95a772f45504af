//! Explores every crash state of every plan of cutover, on a model disk, and judges each.
//!
//! # Read these three types first
//!
//! * [`Scenario`]: one starting point. It says what lies on the disk ([`InitialState`]), who builds
//!   v2, and what the application does wrong. The module [`scenarios`] lists them all.
//! * [`State`]: the model disk ([`Disk`]) and what was committed to it ([`Ledger`]). A crash leaves
//!   a state, and the next start begins from it.
//! * [`Report`]: what [`explore`] found: the distinct crash states, and a [`Counterexample`] for
//!   each one that breaks an invariant.
//!
//! ```
//! use cutover_explore::{Bounds, Model, explore, scenarios};
//!
//! let scenario = &scenarios::shapes()[0];
//! // The power fails once, at each change. Any subset of what was not flushed is lost.
//! let report = explore(scenario, Model::M2, &Bounds::ONE_CRASH, None);
//! assert!(report.bad.is_empty());
//! assert!(report.states.len() > 40);
//! ```
//!
//! [`Exploration`] counts the same for people, step by step. [`plan_lanes`] draws a plan: it
//! performs the plan on the model disk without a crash. [`api`] offers both as JSON text.
//!
//! # The fault model
//!
//! The process or the machine may stop at any instant. [`Model`] says how.
//!
//! * **M0: the process is killed.** The kernel lives on. Every change that was made stays, in
//!   order. An op that makes several changes may be half done: a torn copy, the first half of a
//!   journal, three of five files removed.
//! * **M1: the power fails, and directory changes arrive in order.** This is NTFS, APFS, ext4 and
//!   xfs as they are usually mounted. Any prefix of a directory's changes since its last fsync may
//!   be there.
//! * **M2: the power fails, and directory changes arrive in any order.** Any subset of them may be
//!   there.
//! * **M3: as M2, and a rename may leave both names.**
//! * **Windows: the power fails, and there is no directory fsync.** All changes of directories are
//!   in one ordered log, and any tail of it may be lost, however long. A flush of a file writes the
//!   log up to that file's last change, which SQLite relies on there too. A rename is written
//!   through (`MOVEFILE_WRITE_THROUGH`).
//!
//! A power loss also damages data. A file that was written and not flushed is old, new, empty or
//! torn. A database that SQLite changes in place is old, new or half changed. Two directories lose
//! their tails independently. After a flush that failed, the kernel marks the pages as clean, so no
//! later flush makes them durable.
//!
//! Other things may go wrong between any two ops ([`Interference`]):
//!
//! * An op fails, once or for ever, having done nothing or half.
//! * An older release of the application opens the database. It knows no lock of cutover, creates
//!   the database if it is missing, and commits a row. It may also keep the database open, idle,
//!   until the start has ended.
//! * Another program changes a companion.
//! * A person copies the directory: each name becomes a file of its own, and hard links are cut.
//! * The application leaks a connection to what it builds, or to v1 ([`Zombie`]).
//! * The application builds something wrong ([`Build`]).
//!
//! # What must hold
//!
//! * **I1** Canonical opens as a whole v1 or a whole v2.
//! * **I2** Until v2 is durably canonical, all of v1 can be reached. Afterwards the backup is v1,
//!   and v2 was made from all of v1.
//! * **I3** A v2 that was used never becomes v1 again.
//! * **I4** No sidecar of one database stands beside another database.
//! * **I5** A recovery ends, and a second one changes nothing.
//! * **I6** No temporary file is left, and each backup has a receipt.
//! * **I7** The companions, and what the application did outside the database, match the database
//!   that is canonical.
//! * **I8** Canonical is never missing, at any instant.
//! * **I9** A process opens no file that it holds by a leaked connection, and holds no file that
//!   becomes canonical.
//! * **I10** Canonical has the journal mode that its application expects.
//!
//! I1 to I4 and I8 are judged at every instant, before any recovery. All ten are judged whenever a
//! start ends, and where an upgrade begins anew. Two exceptions are judged after recovery only: the
//! legacy cutover, which moves canonical away; and, on Windows, I2 while the journal says `built`.
//! In that time v1 may gain a row between its check and the flip, and recovery puts v1 back.
//!
//! A restore ends with v1 canonical. At every instant v2, with the rows committed to it, is
//! canonical or set aside, and the backup is unchanged. A prune keeps the newest backup and every
//! backup that is not whole. At no instant does a receipt promise more than its backup holds.
//!
//! # How it is proven
//!
//! [`explore`] runs a start: the real [`assess`](cutover_core::assess), the real
//! [`plan_migration`](cutover_core::plan_migration) and the real
//! [`Run`](cutover_core::Run). Only the file system and SQLite are a model. After each change
//! of the disk, the explorer lists every state that a crash could leave there. It runs a new start
//! from each of them, which recovers and upgrades, and it lists the crashes of that start as well,
//! up to a bound. No state is sampled.
//!
//! States that no later start can tell apart are merged. The count is of distinct states; a start
//! is run from each. A start that looks at a disk which an earlier start has looked at would go on
//! as that one did, so it stops there. The judgements share no code with the simulator.
//!
//! The judge is tested as well. Each step of each plan is removed, or swapped with its neighbour,
//! and each two rules of the recovery table are swapped ([`Mutant`]). [`MutantRunner`] reports the
//! [`MutantOutcome`]: an invariant caught the mutant, a listed reason explains why it makes no
//! difference, or it survived. [`NEGATIVE_CONTROLS`] are four flips that were counted by hand: the
//! explorer must count the same.
//!
//! # What is modelled of SQLite
//!
//! * SQLite replays a log or a hot journal over any database that it stands beside.
//! * Opening a missing or empty database with CREATE deletes its log.
//! * A commit in WAL mode does not change the header. A commit in rollback mode does, and so does a
//!   change of the mode.
//! * A commit of another program is one change of the disk.
//! * The first reader rolls a hot rollback journal back.
//! * Leaving WAL mode checkpoints, flushes, truncates and removes the log. It is then a commit in
//!   rollback mode, and only the directory fsync of that commit makes the log's removal durable.
//! * A page copy into canonical is a transaction in rollback mode: the rollback journal, its flush,
//!   half of the pages, all of them, their flush, the journal's removal. The removal is durable
//!   after a directory fsync.
//! * A callback that writes a companion in place flushes the file and its directory. A callback
//!   that does not flush may lose what it wrote; that is not judged.
//!
//! # What is not claimed
//!
//! * Disks that lie about a flush, lose what was flushed, or damage what was not written.
//! * Network file systems, whose rename and link are not atomic in ways of their own.
//! * File systems that lose both the old and the new name of a rename.
//! * Bugs of SQLite, of the kernel and of the runner. Tests of the runner prove that it does what
//!   the ops say.
//! * An older application that creates canonical while the legacy cutover has moved the database
//!   but not its log: it deletes the log.
//! * On Windows, an older application that is killed while it writes a page of v1, between v1's
//!   check and the flip; or a newer one that is killed while it writes v2, between its check and
//!   the flip of a restore.
//! * A program that changes a companion between cutover's look at it and the rename, without taking
//!   the companion's lock.

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
pub use samples::{crash_states, next_start, observations};
pub use scenario::bounds::{Bounds, Faults};
pub use scenario::dimensions::Dimension;
pub use scenario::{Build, HostUse, InitialState, Scenario, Zombie, table as scenarios};
pub use search::{Choice, Counterexample, Path, Report, explore};
pub use sim::faults::{Fail, Interference};
pub use sim::start::{End, PlanChange};
