//! Every crash state, explored: the simulator that judges the plans.
//!
//! # What can happen
//!
//! A user's machine may stop at any instant. What is on its disk then depends on how it stopped.
//!
//! *The process is killed* (**M0**). The kernel lives on, so every change that was made stays, in order, also half of an op that makes
//! several: a torn copy, a journal of which only the beginning was written, three of five files removed.
//!
//! *The power fails.* What was not flushed may be lost, and file systems differ in what they lose. With ordered metadata (**M1**: NTFS,
//! APFS, ext4, xfs as they are usually mounted) the changes of a directory since its last flush arrive in order, so that any prefix of
//! them may be there. Without order (**M2**) any subset may be. And a rename that is not one change on the disk may leave both names (**M3**).
//! The data of a file that was not flushed since it was written is old, new, empty or torn; a database that SQLite changes in place is
//! old, new or half changed. Where two directories are involved each loses its own tail. After a flush that failed the pages count as
//! clean, though they are not on the disk: no later flush of them helps.
//!
//! On **Windows** there is no flush of a directory. Changes arrive in order, in one log, and any tail of it may be lost, however long. A flush of
//! a file writes the log up to that file's last change, which is what SQLite itself relies on there, and a rename is written through
//! (`MOVEFILE_WRITE_THROUGH`).
//!
//! And not only the machine is in the way: an op may fail, once or for ever, having done nothing or half; an older release of the
//! application, which knows no lock of ours, may open canonical between any two ops, create it if it is missing, and commit a row; a
//! person may copy the whole directory, which gives every name a file of its own; somebody may change a companion; and the
//! application's own closed connections may keep their files.
//!
//! # What is done about it
//!
//! [`explore`] performs a start on a model disk: the real [`plan_migration`](crate::plan::plan_migration), [`assess`](crate::plan::assess) and
//! [`Run`](crate::run::Run), with a model in place of the file system and of SQLite. After each change it asks what a crash at
//! that instant could leave, and lets a new start recover from each answer, crash again at each of *its* changes, and so on up to a bound. Nothing is
//! sampled. Two states that are equal in everything that can matter later are one state and are looked at once, so counts are counts of distinct
//! states. Every instant, and every end, is judged by `invariant`, which shares no code with what made the state.
//!
//! # What is modelled of SQLite
//!
//! A log or a hot journal is replayed over whatever database it stands beside. A missing or empty database loses its log when it is opened with
//! CREATE. Commits in WAL mode do not show in the header; those in rollback mode, and changes of the mode, do. A commit of another program is one change.
//! A reader rolls a hot journal back; leaving WAL mode checkpoints, flushes, truncates and removes the log, and is a commit in rollback mode,
//! whose flush of the directory is the one thing that makes the log's removal durable.
//!
//! A callback that writes a companion in place flushes what it writes, the directory too; one that does not loses it by its own doing.
//!
//! # What is not claimed
//!
//! Disks that lie about a flush, that lose what they had flushed, or that damage what they were not asked to write. Network file systems, which
//! break the atomicity of rename and link in ways of their own. File systems that lose a rename's old *and* new name. Bugs of SQLite, of
//! the kernel, and of the runner: that the runner does what the ops say is proven by tests of the runner, beside this.

pub mod boot;
pub mod control;
pub mod counterexample;
pub mod disk;
mod invariant;
pub mod matrix;
pub mod mutate;
mod perform;
pub mod predict;
pub mod sqlite;

use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use boot::{Boot, End};
pub use counterexample::Counterexample;
use disk::{Disk, Key, Name};
pub use invariant::Violation;
use mutate::Mutant;
use perform::Machine;

use crate::fault::Platform;
use crate::names::{CompanionName, FileName, Label};
use crate::op::Op;
use crate::plan::{By, From};

/// How the machine stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// What the database's directory holds when the first start looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// v1 in rollback mode, alone.
    Settled,
    /// v1 in WAL mode, closed well.
    WalClosed,
    /// v1 in WAL mode with committed rows in its log.
    WalRows,
    /// v1 in rollback mode with the hot journal of a killed process.
    HotJournal,
    /// Half a journal that another start was writing.
    JournalTmp,
    /// Staging and source of a start whose journal is lost: reported, never removed.
    Orphans,
    /// A journal that nobody can read, beside a whole v1.
    UnreadableJournal,
    /// A journal that nobody can read, and no canonical: nothing may be touched.
    NoCanonical,
    /// What the daemon in the field leaves at each of its steps.
    Field,
    /// The same, v1 in WAL mode with rows in its log.
    FieldWal,
}

/// What closed connections of the application do with their files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Zombie {
    /// They let go.
    None,
    /// They let go when they are collected.
    UntilReleased,
    /// They keep them as long as the process lives.
    ForEver,
}

/// What the application's callback does beside building v2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostUse {
    /// It stages the companion.
    Stages,
    /// It writes the companion in place.
    WritesInPlace,
    /// It stages the companion and saves a state.
    SavesState,
}

/// One start to explore from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The database.
    pub canonical: FileName,
    /// The upgrade.
    pub label: Label,
    /// Whose rules apply.
    pub platform: Platform,
    /// What is there.
    pub shape: Shape,
    /// Who builds v2.
    pub by: By,
    /// What v2 starts as.
    pub from: From,
    /// Whether the application looks at v2.
    pub verify: bool,
    /// The declared companion.
    pub companion: Option<(CompanionName, FileName)>,
    /// Whether it is there.
    pub companion_before: bool,
    /// What the callback does.
    pub host: HostUse,
    /// What its connections do.
    pub zombie: Zombie,
    /// Names that were there before and that nobody may remove.
    pub left: BTreeSet<Name>,
}

impl Setting {
    /// Whether canonical must be whole at every instant: all plans but those that finish the field's.
    #[must_use]
    pub fn links(&self) -> bool {
        !matches!(self.shape, Shape::Field | Shape::FieldWal)
    }

    /// The companion's directory: on Windows the database's own, for there the order of changes is one for the whole volume.
    #[must_use]
    pub fn aside(&self) -> usize {
        if self.platform == Platform::Windows { disk::HOME } else { disk::ASIDE }
    }

    /// Whether the upgrade makes a new companion.
    #[must_use]
    pub fn changes_companion(&self) -> bool {
        self.by == By::Host || !self.links()
    }
}

/// What the world knows beside the disk: what was committed, by whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// Rows of v1.
    pub rows: u8,
    /// Rows of v2 that the application committed once it was told that it may.
    pub v2_rows: u8,
    /// v2 was canonical for good.
    pub v2_durable: bool,
    /// Somebody changed the companion.
    pub companion_changed: bool,
    /// The application did something outside the database that an undo must take back.
    pub host: bool,
}

/// Everything that outlives a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The disk.
    pub disk: Disk,
    /// What was committed.
    pub ledger: Ledger,
}

impl State {
    /// Equal keys: equal in everything that can matter later.
    #[must_use]
    pub fn key(&self) -> Key {
        let mut hash = Sha256::new();
        self.disk.feed(&mut hash);
        let ledger = &self.ledger;
        hash.update([ledger.rows, ledger.v2_rows, u8::from(ledger.v2_durable), u8::from(ledger.companion_changed), u8::from(ledger.host)]);
        disk::key_of(hash)
    }

    /// The same, as far as any later start can tell: what a private copy of v1 holds, and what is in the sidecars of files that are
    /// nobody's yet, is never read, only removed.
    fn as_seen(&self, setting: &Setting) -> Self {
        let mut state = self.clone();
        let links = setting.links();
        let sidecar = |name: &str| disk::SIDECARS.iter().any(|suffix| name.ends_with(suffix));
        state.disk.level(|name| {
            name.contains(".source-")
                || name.ends_with("-shm")
                || (links && sidecar(name) && (name.contains(".building-") || name.contains(".install-")))
        });
        state
    }
}

/// How an op fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fail {
    /// SQLite says busy.
    Busy,
    /// Somebody has the file open.
    Shared,
    /// No right.
    Denied,
    /// No space.
    Full,
    /// The disk fails.
    Io,
    /// The file system cannot do it.
    Unsupported,
    /// What was built is wrong.
    Wrong,
    /// The application's own error.
    Host,
}

/// A fault that waits for its op.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planted {
    /// The op that fails.
    pub op: Op,
    /// How.
    pub fail: Fail,
    /// Whether it fails every time.
    pub for_ever: bool,
    /// Whether it has failed and will not again.
    pub spent: bool,
}

/// Something that happens before an op.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Happening {
    /// An older release opens canonical, commits a row and closes.
    OlderApplication,
    /// An older release opens canonical, commits a row and is killed.
    OlderApplicationKilled,
    /// An older release that uses a rollback journal opens canonical, commits a row and closes.
    OlderApplicationInRollbackMode,
    /// Somebody changes the companion.
    CompanionChanged,
    /// After the start has ended the application opens v2 and commits a row.
    ApplicationWrites,
    /// The op fails once.
    FailsOnce(Fail),
    /// The op fails whenever it is tried, until the next start after this one.
    Fails(Fail),
}

impl Happening {
    /// What an older release may do.
    pub const OLDER: [Self; 3] = [Self::OlderApplication, Self::OlderApplicationKilled, Self::OlderApplicationInRollbackMode];

    /// All of them.
    #[must_use]
    pub fn all() -> Vec<Self> {
        use Fail::{Busy, Denied, Full, Host, Io, Shared, Unsupported, Wrong};
        let fails = [Busy, Shared, Denied, Full, Io, Unsupported, Wrong, Host];
        let others = Self::OLDER.into_iter().chain([Self::CompanionChanged, Self::ApplicationWrites]);
        others.chain(fails.into_iter().flat_map(|fail| [Self::FailsOnce(fail), Self::Fails(fail)])).collect()
    }
}

/// How far the exploration goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a dimension that is crossed or not")]
pub struct Bounds {
    /// How many crashes there may be: 2 is a crash in the migration and one further in the recovery.
    pub crashes: u8,
    /// Whether an older application and others may come between any two ops.
    pub others: bool,
    /// Whether every op may fail in every way.
    pub faults: bool,
    /// After how many crashes something may still happen: 1 is in the first recovery as well.
    pub happening_after_crashes: u8,
    /// Whether crashes are enumerated after a happening.
    pub crash_after_happening: bool,
    /// Whether the directory may be copied between a crash and the recovery.
    pub copies: bool,
    /// How many counterexamples are kept before it stops.
    pub stop_after: usize,
}

impl Bounds {
    /// One crash, nothing else in the way, and the first counterexample ends it.
    pub const ONE_CRASH: Self = Self {
        crashes: 1,
        others: false,
        faults: false,
        happening_after_crashes: 0,
        crash_after_happening: false,
        copies: false,
        stop_after: 1,
    };
}

/// What one start went through, and how it was stopped: enough to do it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Before which op of the start something happened, and what.
    pub happening: Option<(u32, Happening)>,
    /// After which change it crashed, and which of the possible disks was left; nothing: it ran to its end.
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
    /// The distinct states that a new start may find.
    pub states: BTreeSet<Key>,
    /// Changes of the disk that were made.
    pub transitions: u64,
    /// Starts that were run.
    pub starts: u64,
    /// What is wrong.
    pub bad: Vec<Counterexample>,
}

/// A state to start from.
struct Node {
    state: State,
    path: Option<Rc<Path>>,
    crashes: u8,
    happened: bool,
    first: bool,
}

/// Explores everything that can follow from `setting`, under `model`. With a mutant every plan is changed by it before it runs.
#[must_use]
pub fn explore(setting: &Setting, model: Model, bounds: &Bounds, mutant: Option<&Mutant>) -> Report {
    let mut explorer =
        Explorer { setting, model, bounds, mutant, report: Report::default(), queue: VecDeque::new(), settled: BTreeSet::new() };
    let state = matrix::lay(setting);
    explorer.report.states.insert(state.key());
    explorer.queue.push_back(Node { state, path: None, crashes: 0, happened: false, first: true });
    while let Some(node) = explorer.queue.pop_front() {
        explorer.expand(&node);
        if explorer.report.bad.len() >= bounds.stop_after {
            break;
        }
    }
    explorer.report
}

/// The plans that the starts after one crash perform, and the first start's own: the ones to make mutants of.
fn explore_plans(setting: &Setting) -> Vec<crate::plan::Plan> {
    let mut plans = Vec::new();
    // The first start of the field's is the field's daemon, which has no plan of ours.
    let first = setting.links().then(|| matrix::lay(setting));
    for state in first.into_iter().chain(predict::crash_states(setting, Model::M2)) {
        let mut ignore = |_: &State| {};
        let mut machine = Machine::new(state, setting, &mut ignore);
        Boot::new(true, 0).go(&mut machine, None, None, &mut |_, _, run, _| {
            if !plans.contains(run.plan()) {
                plans.push(run.plan().clone());
            }
            false
        });
    }
    plans
}

struct Explorer<'a> {
    setting: &'a Setting,
    model: Model,
    bounds: &'a Bounds,
    mutant: Option<&'a Mutant>,
    report: Report,
    queue: VecDeque<Node>,
    /// Ends that were judged already.
    settled: BTreeSet<Key>,
}

/// A start stopped before an op.
struct Fork {
    at: u32,
    state: State,
    process: perform::Process,
    boot: Boot,
    run: crate::run::Run,
    happenings: Vec<Happening>,
}

impl Explorer<'_> {
    /// Runs a start from this state, to its end, with everything that may come between.
    fn expand(&mut self, node: &Node) {
        let boot = Boot::new(node.first, u32::from(node.crashes));
        let mut forks = Vec::new();
        let (mut looked, mut checked) = (false, false);
        self.report.starts += 1;
        if node.first && !self.setting.links() {
            let setting = self.setting;
            self.watch(node, node.happened, None, true, |tap| {
                let mut machine = Machine::new(node.state.clone(), setting, tap);
                matrix::field_daemon(&mut machine);
                (Some(End::Current), machine.state)
            });
            return;
        }
        let may_happen =
            !node.happened && (self.bounds.others || self.bounds.faults) && node.crashes <= self.bounds.happening_after_crashes;
        let (setting, mutant, bounds) = (self.setting, self.mutant, self.bounds);
        let (end, state) = self.watch(node, node.happened, None, true, |tap| {
            let mut machine = Machine::new(node.state.clone(), setting, tap);
            let mut boot = boot;
            let mut at = 0;
            let end = boot.go(&mut machine, None, mutant, &mut |boot, machine, run, op| {
                if may_happen {
                    let mut happenings = happenings(op, bounds, setting);
                    // Between our look at a companion and the rename no program can be kept from changing it: it takes the companion's
                    // lock, or it is not protected.
                    happenings.retain(|happening| !looked || *happening != Happening::CompanionChanged);
                    // On Windows v1's lock cannot outlast its check, and the plan does not look again after the flip.
                    checked &= setting.platform == Platform::Windows;
                    happenings.retain(|happening| !checked || !Happening::OLDER.contains(happening));
                    checked = match op {
                        Op::CheckV1 { .. } => true,
                        Op::Rename { to, .. } => checked && to.name != setting.canonical,
                        _ => checked,
                    };
                    looked = match op {
                        Op::LookCompanion { .. } => true,
                        Op::Link { to: at, .. } | Op::Rename { to: at, .. } => {
                            looked && at.companion.is_some() && !matches!(op, Op::Rename { .. })
                        }
                        Op::SyncDir { companion } => looked && companion.is_some(),
                        _ => false,
                    };
                    let (state, process) = (machine.state.clone(), machine.process.clone());
                    forks.push(Fork { at, state, process, boot: boot.clone(), run: run.clone(), happenings });
                }
                at += 1;
                false
            });
            (end, machine.state)
        });
        if end == Some(End::Current) && setting.links() {
            let choice = Some((u32::MAX, Happening::ApplicationWrites));
            let (_, written) = self.watch(node, node.happened, choice, true, |tap| {
                let mut machine = Machine::new(state.clone(), setting, tap);
                machine.application();
                (None, machine.state)
            });
            self.end(node, choice, end.as_ref(), &written, true);
        }
        self.end(node, None, end.as_ref(), &state, is_v2(&node.state, self.setting));
        for fork in forks {
            for happening in &fork.happenings {
                self.fork(node, &fork, *happening);
            }
        }
    }

    fn fork(&mut self, node: &Node, fork: &Fork, happening: Happening) {
        let (setting, mutant) = (self.setting, self.mutant);
        let crashes = self.bounds.crash_after_happening;
        let choice = Some((fork.at, happening));
        let mut idle = false;
        self.report.starts += 1;
        let (end, state) = self.watch(node, true, choice, crashes, |tap| {
            let mut machine = Machine::new(fork.state.clone(), setting, tap);
            machine.process = fork.process.clone();
            let happened = match happening {
                Happening::OlderApplication => machine.older_application(false, true),
                Happening::OlderApplicationKilled => machine.older_application(true, true),
                Happening::OlderApplicationInRollbackMode => machine.older_application(false, false),
                Happening::CompanionChanged => machine.change_companion(),
                Happening::ApplicationWrites => machine.application(),
                Happening::FailsOnce(fail) | Happening::Fails(fail) => {
                    let mut run = fork.run.clone();
                    if let crate::run::Action::Perform { op, .. } = run.poll() {
                        machine.process.fault =
                            Some(Planted { op, fail, for_ever: matches!(happening, Happening::Fails(_)), spent: false });
                    }
                    true
                }
            };
            idle = !happened;
            if idle {
                return (None, machine.state);
            }
            let mut boot = fork.boot.clone();
            let end = boot.go(&mut machine, Some(fork.run.clone()), mutant, &mut |_, _, _, _| false);
            (end, machine.state)
        });
        if !idle {
            self.end(node, choice, end.as_ref(), &state, is_v2(&fork.state, self.setting));
        }
    }

    /// Runs something with every change watched: each is judged, and what a crash there may leave is queued.
    fn watch(
        &mut self,
        node: &Node,
        happened: bool,
        happening: Option<(u32, Happening)>,
        crash: bool,
        run: impl FnOnce(perform::Tap) -> (Option<End>, State),
    ) -> (Option<End>, State) {
        let mut tick = 0;
        let setting = self.setting;
        let links = setting.links();
        let more = node.crashes < self.bounds.crashes && crash;
        let (report, queue) = (&mut self.report, &mut self.queue);
        let (model, bounds) = (self.model, self.bounds);
        let mut tap = |state: &State| {
            report.transitions += 1;
            tick += 1;
            let state = &state.as_seen(setting);
            let fresh = report.states.insert(state.key());
            let choice = |variant: u32, copied: bool| Choice { happening, crash: Some((tick, variant)), copied };
            let path = |choice: Choice| Some(Rc::new(Path { before: node.path.clone(), choice }));
            let judge = |state: &State, choice: &Choice, bad: &mut Vec<Counterexample>| {
                if links && let Some(violation) = invariant::at_every_instant(state, setting) {
                    let mut choices = Path::choices(node.path.as_ref());
                    choices.push(choice.clone());
                    bad.push(Counterexample { setting: setting.clone(), model, choices, violation });
                    return false;
                }
                true
            };
            if !fresh || !judge(state, &choice(0, false), &mut report.bad) || !more {
                return;
            }
            let node_of =
                |state: State, choice: Choice| Node { state, path: path(choice), crashes: node.crashes + 1, happened, first: false };
            queue.push_back(node_of(state.clone(), choice(0, false)));
            let mut variant = 0;
            let lost = if model == Model::M0 || state.disk.is_flushed() { Vec::new() } else { state.disk.power_losses(model) };
            for disk in lost {
                variant += 1;
                let mut after = State { disk, ledger: state.ledger.clone() };
                after.ledger.v2_durable |= is_v2(&after, setting) && links;
                if report.states.insert(after.key()) && judge(&after, &choice(variant, false), &mut report.bad) {
                    if bounds.copies {
                        let copied = State { disk: after.disk.copied(), ledger: after.ledger.clone() };
                        if report.states.insert(copied.key()) {
                            queue.push_back(node_of(copied, choice(variant, true)));
                        }
                    }
                    queue.push_back(node_of(after, choice(variant, false)));
                }
            }
        };
        run(&mut tap)
    }

    /// Judges how a start ended.
    fn end(&mut self, node: &Node, happening: Option<(u32, Happening)>, end: Option<&End>, state: &State, was_v2: bool) {
        let setting = self.setting;
        let choice = Choice { happening, crash: None, copied: false };
        let mut judged = match end {
            None => return,
            Some(End::Endless) => Some(Violation { rule: "I5", what: "the start does not end".into() }),
            Some(End::NoDatabase) => Some(Violation { rule: "I1", what: "the start found no database".into() }),
            Some(End::Failed(failure)) if happening.is_none() && !node.happened && setting.shape != Shape::NoCanonical => {
                Some(Violation { rule: "I5", what: format!("nothing was in the way, and the start failed: {}", failure.message) })
            }
            Some(End::Current | End::Old) if was_v2 && !is_v2(state, setting) => {
                Some(Violation { rule: "I3", what: "canonical was v2 and is v1 again".into() })
            }
            Some(End::Failed(_) | End::Current | End::Old) => None,
        };
        if judged.is_none() {
            judged = self.afterwards(state);
        }
        if let Some(violation) = judged {
            let mut choices = Path::choices(node.path.as_ref());
            choices.push(choice);
            self.report.bad.push(Counterexample { setting: setting.clone(), model: self.model, choices, violation });
        }
    }

    /// What was in the way is gone: the next start must end well, and the one after it must find nothing to do.
    fn afterwards(&mut self, state: &State) -> Option<Violation> {
        let setting = self.setting;
        if !self.settled.insert(state.key()) {
            return None;
        }
        let mut ignore = |_: &State| {};
        let mut machine = Machine::new(state.clone(), setting, &mut ignore);
        let mut boot = Boot::new(false, 8);
        let again = boot.go(&mut machine, None, None, &mut |_, _, _, _| false);
        if setting.shape == Shape::NoCanonical {
            let same = machine.state == *state;
            return (!same).then(|| Violation { rule: "I5", what: "a start that refuses has changed the disk".into() });
        }
        if let Some(End::Failed(failure)) = &again {
            return Some(Violation { rule: "I5", what: format!("the next start failed: {}", failure.message) });
        }
        if matches!(again, Some(End::Endless | End::NoDatabase)) {
            return Some(Violation { rule: "I5", what: format!("the next start ended with {again:?}") });
        }
        if let Some(violation) = invariant::at_end(&machine.state, setting) {
            return Some(violation);
        }
        let before = machine.state.clone();
        let mut boot = Boot::new(false, 9);
        let third = boot.go(&mut machine, None, None, &mut |_, _, _, _| false);
        if third != again || machine.state != before {
            return Some(Violation { rule: "I5", what: "a start that has nothing to do has changed the disk".into() });
        }
        if again == Some(End::Old) {
            let mut boot = Boot::new(true, 10);
            let end = boot.go(&mut machine, None, None, &mut |_, _, _, _| false);
            if end != Some(End::Current) {
                return Some(Violation { rule: "I5", what: format!("the next migration ended with {end:?}") });
            }
            // What a zombie keeps this process from removing is removed by the next.
            machine.process = perform::Process::default();
            let mut boot = Boot::new(false, 11);
            boot.go(&mut machine, None, None, &mut |_, _, _, _| false);
            return invariant::at_end(&machine.state, setting);
        }
        None
    }
}

use invariant::is_v2;

/// What may happen before this op.
fn happenings(op: &Op, bounds: &Bounds, setting: &Setting) -> Vec<Happening> {
    let mut all = Vec::new();
    if bounds.others {
        all.extend(Happening::OLDER);
        if setting.companion.is_some() {
            all.push(Happening::CompanionChanged);
        }
    }
    if bounds.faults {
        let fails: &[Fail] = match op {
            Op::UnlockV1 | Op::Release => &[],
            Op::Look { .. } | Op::Absent { .. } | Op::CheckV1 { .. } => &[Fail::Io],
            Op::Check { .. } | Op::Detect { .. } => &[Fail::Wrong, Fail::Io, Fail::Busy],
            Op::VerifyHost { .. } | Op::UndoHost | Op::CleanupHost => &[Fail::Host],
            Op::BuildHost { .. } => &[Fail::Host, Fail::Full],
            Op::BuildSql { .. } => &[Fail::Host, Fail::Full, Fail::Busy, Fail::Io],
            Op::SyncFile { .. } | Op::SyncDir { .. } => &[Fail::Io, Fail::Full],
            Op::Link { .. } => &[Fail::Unsupported, Fail::Denied, Fail::Full, Fail::Io],
            Op::LockV1 { .. } | Op::Settle { .. } | Op::RestoreMode { .. } | Op::Restage { .. } => &[Fail::Busy, Fail::Io, Fail::Full],
            Op::LookCompanion { .. } => &[Fail::Denied],
            _ => &[Fail::Shared, Fail::Denied, Fail::Full, Fail::Io],
        };
        all.extend(fails.iter().flat_map(|fail| [Happening::FailsOnce(*fail), Happening::Fails(*fail)]));
    }
    all
}
