//! The lanes of a plan: what each file holds after each step, and what of that a power loss cannot
//! take. It counts on nothing that was not flushed: a name is durable once its directory was
//! flushed, what a file holds once the file was. On Windows changes of names are in one ordered
//! log, which a rename writes whole, and a flush of a file up to that file's last change.
//! [`crate::explore`] looks at every state between, and this agrees with its disk.

use serde::Serialize;

use cutover_core::fault::Platform;
use cutover_core::journal::Phase;
use cutover_core::names::{FileName, PlanPath, Role, SIDECARS};
use cutover_core::op::{Guard, Op, Step};
use cutover_core::plan::{Plan, PlanKind};
use cutover_support::diagnose::{Dropped, diagnose, names_in};

/// The most steps that are told: more than any plan of ours has.
pub const MAX_COLUMNS: usize = 300;
/// The most files that are taken from what was given.
const MAX_FOUND: usize = 40;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// v1.
    V1,
    /// A copy of v1.
    CopyOfV1,
    /// v2.
    V2,
    /// A journal that says `building`.
    JournalBuilding,
    /// A journal that says `built`.
    JournalBuilt,
    /// A journal that says `installing`.
    JournalInstalling,
    /// A journal that says `committed`.
    JournalCommitted,
    /// A receipt.
    Receipt,
    /// A companion.
    Companion,
    /// A database's log.
    Log,
    /// What was there before; the plan looks at it.
    AsFound,
    /// Its name is durable, and nothing that it holds.
    Unflushed,
    /// An interrupted start left it, and whether it flushed it nobody knows.
    NotKnown,
}

impl From<Phase> for Holds {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Building => Self::JournalBuilding,
            Phase::Built => Self::JournalBuilt,
            Phase::Installing => Self::JournalInstalling,
            Phase::Committed => Self::JournalCommitted,
        }
    }
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LaneRole {
    /// The name that the application opens.
    Canonical,
    /// A sidecar.
    Log,
    /// Where v2 is built.
    Staging,
    /// A private copy of v1.
    Source,
    /// The file that is installed.
    Install,
    /// v1 after the cutover.
    Backup,
    /// What is known of the backup.
    Receipt,
    /// What an interrupted start must know.
    Journal,
    /// The journal while it is written.
    NewJournal,
    /// A database that was set aside.
    Displaced,
    /// A companion, or what it becomes or was.
    Companion,
    /// Something else.
    File,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lane {
    /// Its name; of a companion's file behind the companion's.
    pub name: String,
    /// What it is for.
    pub role: LaneRole,
}

/// What a file holds at one time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Held {
    /// What a reader finds. Nothing: it is not there.
    pub now: Option<Holds>,
    /// What a power loss leaves at least. Nothing: it may not be there.
    pub durable: Option<Holds>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Column {
    /// Its index, in the plan's `steps` or `undo`.
    pub index: u32,
    /// Whether in `undo`.
    pub undo: bool,
    /// Whether its guard keeps it from being performed.
    pub skipped: bool,
    /// What each file of the lanes holds after it.
    pub held: Vec<Held>,
}

/// What each file holds after each step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lanes {
    /// The files, canonical first.
    pub files: Vec<Lane>,
    /// What each holds before the first step.
    pub before: Vec<Held>,
    /// The steps that are performed where nothing fails: an undo ends with its `undo`. The first
    /// 300.
    pub columns: Vec<Column>,
}

/// The lanes of the plan in what was dropped, or of the one that the next start would perform;
/// nothing where there is none. `staging_held`: a closed connection still holds what the
/// application built. Of a companion it is taken that the application stages it, and that nobody
/// else changes it.
#[must_use]
pub fn plan_lanes(dropped: &Dropped, staging_held: bool) -> Option<Lanes> {
    let diagnosis = diagnose(dropped);
    let plan = diagnosis.plan?;
    let mut found = Vec::new();
    for name in names_in(dropped) {
        let is = |place: &Option<String>| place.as_deref() == Some(name.as_str());
        let what = if is(&diagnosis.v1.file) {
            Some(Holds::V1)
        } else if is(&diagnosis.v2.file) {
            Some(Holds::V2)
        } else {
            None
        };
        if found.len() < MAX_FOUND && !matches!(role_of(&plan, &name), None | Some(Role::Lock)) {
            found.push((name.to_string(), what));
        }
    }
    Some(lanes(&plan, &found, staging_held))
}

/// The lanes of a plan. `found`: the files that were there, and what is known of them; none where
/// the plan is all that is known.
pub(crate) fn lanes(plan: &Plan, found: &[(String, Option<Holds>)], staging_held: bool) -> Lanes {
    let mut disk = Disk::new(plan, found);
    let before = disk.held();
    let mut columns = Vec::new();
    for (undo, index, step) in performed(plan) {
        let skipped = step.when.as_ref().is_some_and(|guard| !holds(guard, staging_held));
        if !skipped {
            disk.perform(&step.op);
        }
        columns.push(Column { index, undo, skipped, held: disk.held() });
    }
    let files = disk.lanes;
    let mut order: Vec<usize> = Vec::new();
    for (lane, Lane { role, name }) in files.iter().enumerate() {
        let before = |other: &usize| (files[*other].role, &files[*other].name) > (*role, name);
        order.insert(order.iter().position(before).unwrap_or(order.len()), lane);
    }
    // A lane that came later was not there before.
    let ordered = |held: &[Held]| {
        order.iter().map(|lane| held.get(*lane).copied().unwrap_or_default()).collect()
    };
    for column in &mut columns {
        column.held = ordered(&column.held);
    }
    Lanes {
        before: ordered(&before),
        columns,
        files: order.iter().map(|lane| files[*lane].clone()).collect(),
    }
}

/// The steps that are performed where nothing fails.
fn performed(plan: &Plan) -> Vec<(bool, u32, &Step)> {
    let mut steps = Vec::new();
    for (undo, of) in [(false, &plan.steps), (true, &plan.undo)] {
        if !undo || plan.kind == PlanKind::Undo {
            steps.extend((0..).zip(of).map(|(index, step)| (undo, index, step)));
        }
    }
    steps.truncate(MAX_COLUMNS);
    steps
}

fn holds(guard: &Guard, staging_held: bool) -> bool {
    match guard {
        Guard::StagingHeld {} => staging_held,
        Guard::StagingFree {} => !staging_held,
        Guard::CompanionStaged { .. } => true,
        _ => false,
    }
}

fn role_of(plan: &Plan, name: &FileName) -> Option<Role> {
    Role::of(&plan.journal.as_ref()?.names.canonical, name)
}

fn role(plan: &Plan, name: &str) -> LaneRole {
    if name.contains('/') {
        return LaneRole::Companion;
    }
    match FileName::new(name).ok().and_then(|name| role_of(plan, &name)) {
        Some(Role::Canonical) => LaneRole::Canonical,
        Some(Role::Sidecar(_)) => LaneRole::Log,
        Some(Role::Staging(_)) => LaneRole::Staging,
        Some(Role::Source(_)) => LaneRole::Source,
        Some(Role::Install(_)) => LaneRole::Install,
        Some(Role::Backup { .. }) => LaneRole::Backup,
        Some(Role::Receipt) => LaneRole::Receipt,
        Some(Role::Journal(_) | Role::LegacyJournal) => LaneRole::Journal,
        Some(Role::JournalTmp(..)) => LaneRole::NewJournal,
        Some(Role::Displaced(_)) => LaneRole::Displaced,
        Some(Role::Lock | Role::JournalAside) | None => LaneRole::File,
    }
}

#[derive(Clone, Copy)]
struct Inode {
    now: Holds,
    /// What of it was flushed.
    flushed: Option<Holds>,
}

/// Files by their numbers, and names by those of their lanes. There are few of either.
struct Disk<'a> {
    plan: &'a Plan,
    lanes: Vec<Lane>,
    inodes: Vec<Inode>,
    /// The file of each lane.
    now: Vec<Option<usize>>,
    durable: Vec<Option<usize>>,
    /// Changes of names that were not flushed.
    pending: Vec<(usize, Option<usize>)>,
}

impl<'a> Disk<'a> {
    fn new(plan: &'a Plan, found: &[(String, Option<Holds>)]) -> Self {
        let mut disk = Self {
            plan,
            lanes: Vec::new(),
            inodes: Vec::new(),
            now: Vec::new(),
            durable: Vec::new(),
            pending: Vec::new(),
        };
        for (name, what) in found {
            disk.lay(name, *what);
        }
        if found.is_empty() {
            let mut made: Vec<String> = Vec::new();
            for (_, _, step) in performed(plan) {
                let needed = needs(&step.op);
                if let Some(needed) =
                    needed.map(|at| at.to_string()).filter(|name| !made.contains(name))
                {
                    disk.lay(&needed, None);
                }
                made.extend(makes(&step.op).map(|at| at.to_string()));
            }
            // What is recovered has a journal, and a canonical that it is about.
            if let Some(journal) = plan.journal.as_ref().filter(|_| !plan.kind.begins()) {
                disk.lay(journal.names.canonical.as_str(), None);
                disk.lay(journal.file().as_str(), None);
            }
        }
        // Companions lie in directories of their own.
        for companion in
            plan.companions().into_iter().filter(|companion| companion.before.is_some())
        {
            disk.lay(&format!("{}/{}", companion.name, companion.file), None);
        }
        disk
    }

    /// It was there before. What an interrupted start left is visible, and need not be durable:
    /// that is why a recovery flushes first.
    fn lay(&mut self, name: &str, what: Option<Holds>) {
        let lane = self.lane(name);
        let now = what.unwrap_or_else(|| as_found(self.plan, name));
        let begins = self.plan.kind.begins();
        let flushed = if begins || what.is_some() { now } else { Holds::NotKnown };
        let inode = self.inode(Inode { now, flushed: Some(flushed) });
        self.now[lane] = Some(inode);
        self.durable[lane] = Some(inode);
        if !begins {
            self.durable[lane] = Some(self.inode(Inode { now, flushed: Some(Holds::NotKnown) }));
            self.pending.push((lane, Some(inode)));
        }
    }

    fn inode(&mut self, inode: Inode) -> usize {
        self.inodes.push(inode);
        self.inodes.len() - 1
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.lanes.iter().position(|lane| lane.name == name)
    }

    /// The lane of a name that is there, or will be.
    fn lane(&mut self, name: &str) -> usize {
        if let Some(lane) = self.find(name) {
            return lane;
        }
        self.lanes.push(Lane { name: name.to_owned(), role: role(self.plan, name) });
        self.now.push(None);
        self.durable.push(None);
        self.lanes.len() - 1
    }

    fn held(&self) -> Vec<Held> {
        let of = |inode: Option<usize>| inode.and_then(|inode| self.inodes.get(inode));
        let held = |(now, durable): (&Option<usize>, &Option<usize>)| Held {
            now: of(*now).map(|inode| inode.now),
            durable: of(*durable).map(|inode| inode.flushed.unwrap_or(Holds::Unflushed)),
        };
        self.now.iter().zip(&self.durable).map(held).collect()
    }

    fn change(&mut self, name: &str, inode: Option<usize>) {
        if inode.is_some() || self.get(name).is_some() {
            let lane = self.lane(name);
            self.now[lane] = inode;
            self.pending.push((lane, inode));
        }
    }

    /// Makes the first `most` changes durable, of those that are of this directory.
    fn flush(&mut self, most: usize, directory: Option<&str>) {
        let mut later = Vec::new();
        for (at, (lane, inode)) in std::mem::take(&mut self.pending).into_iter().enumerate() {
            let name = &self.lanes[lane].name;
            let is_there = directory.is_none_or(|directory| match directory {
                "" => !name.contains('/'),
                of => name.starts_with(of),
            });
            if at < most && is_there {
                self.durable[lane] = inode;
            } else {
                later.push((lane, inode));
            }
        }
        self.pending = later;
    }

    fn get(&self, name: &str) -> Option<usize> {
        self.now[self.find(name)?]
    }

    fn holds(&self, name: &str) -> Option<Holds> {
        self.get(name).map(|inode| self.inodes[inode].now)
    }

    fn write(&mut self, name: &str, now: Holds) {
        if let Some(inode) = self.get(name) {
            self.inodes[inode].now = now;
        } else {
            let inode = self.inode(Inode { now, flushed: None });
            self.change(name, Some(inode));
        }
    }

    fn sync_file(&mut self, name: &str) {
        let Some(inode) = self.get(name) else { return };
        self.inodes[inode].flushed = Some(self.inodes[inode].now);
        if self.plan.platform == Platform::Windows {
            let last = self.pending.iter().rposition(|(_, of)| *of == Some(inode));
            self.flush(last.map_or(0, |last| last + 1), None);
        }
    }

    fn perform(&mut self, op: &Op) {
        let windows = self.plan.platform == Platform::Windows;
        match op {
            Op::WriteJournal { file, phase } => self.write(file.as_str(), (*phase).into()),
            Op::WriteReceipt { file } => self.write(file.as_str(), Holds::Receipt),
            Op::SyncFile { file } => self.sync_file(&file.to_string()),
            // There is none on Windows.
            Op::SyncDir { companion } if !windows => {
                let directory = companion.as_ref().map_or_else(String::new, |of| format!("{of}/"));
                self.flush(usize::MAX, Some(&directory));
            }
            Op::Link { from, to } => {
                let inode = self.get(&from.to_string());
                if inode.is_some() {
                    self.change(&to.to_string(), inode);
                }
            }
            Op::Rename { from, to } | Op::RenameNew { from, to } => {
                let from = from.to_string();
                let inode = self.get(&from);
                if inode.is_some() {
                    self.change(&to.to_string(), inode);
                    self.change(&from, None);
                }
                if windows {
                    self.flush(usize::MAX, None);
                }
            }
            Op::Remove { files } => {
                for file in files {
                    self.change(&file.to_string(), None);
                }
            }
            // Of what was found nobody knows which names are one file: it is taken that these are,
            // unless they hold two things.
            Op::RemoveLink { link, of } => {
                match (self.holds(link.as_str()), self.holds(of.as_str())) {
                    (Some(one), Some(other))
                        if one != other && one != Holds::AsFound && other != Holds::AsFound => {}
                    _ => self.change(link.as_str(), None),
                }
            }
            Op::Copy { from, to } => self.copy(&from.to_string(), &to.to_string()),
            Op::Restage { from, to, .. } | Op::Isolate { from, to } => {
                self.copy(from.as_str(), to.as_str());
            }
            Op::BuildSql { staging, .. } | Op::BuildHost { staging, .. } => {
                self.write(staging.as_str(), Holds::V2);
            }
            Op::Settle { file, .. } => self.settle(file),
            // The run goes on only where it is v2.
            Op::Detect { file } => {
                if let Some(inode) =
                    self.get(file.as_str()).and_then(|inode| self.inodes.get_mut(inode))
                    && inode.now == Holds::AsFound
                {
                    inode.now = Holds::V2;
                    if inode.flushed == Some(Holds::AsFound) {
                        inode.flushed = Some(Holds::V2);
                    }
                }
            }
            Op::PageCopy { from, to } => {
                let v2 = self.holds(from.as_str()).unwrap_or(Holds::V2);
                self.write(to.as_str(), v2);
                self.sync_file(to.as_str());
            }
            // These read, wait or ask, or are no flush on Windows.
            Op::SyncDir { .. }
            | Op::Look { .. }
            | Op::Release {}
            | Op::RestoreMode { .. }
            | Op::Check { .. }
            | Op::VerifyHost { .. }
            | Op::LockV1 { .. }
            | Op::CheckV1 { .. }
            | Op::UnlockV1 {}
            | Op::Absent { .. }
            | Op::LookCompanion { .. }
            | Op::UndoHost {}
            | Op::CleanupHost {} => {}
        }
    }

    /// SQLite flushes what an application may have to live with, the end of its log too.
    fn settle(&mut self, file: &FileName) {
        for suffix in SIDECARS {
            self.change(&format!("{file}{suffix}"), None);
        }
        if self.plan.journal.as_ref().is_some_and(|journal| journal.names.canonical == *file) {
            self.sync_file(file.as_str());
            if self.plan.platform != Platform::Windows {
                self.flush(usize::MAX, Some(&format!("{file}-")));
            }
        }
    }

    fn copy(&mut self, from: &str, to: &str) {
        let now = match self.holds(from) {
            Some(Holds::V1) => Holds::CopyOfV1,
            Some(now) => now,
            None => Holds::AsFound,
        };
        self.write(to, now);
    }
}

/// What an op needs to be there.
fn needs(op: &Op) -> Option<PlanPath> {
    match op {
        Op::Link { from, .. }
        | Op::Rename { from, .. }
        | Op::RenameNew { from, .. }
        | Op::Copy { from, .. } => Some(from.clone()),
        Op::Restage { from: file, .. }
        | Op::Isolate { from: file, .. }
        | Op::PageCopy { from: file, .. }
        | Op::BuildSql { v1: file, .. } => Some(file.into()),
        Op::Settle { .. } | Op::Check { .. } | Op::CheckV1 { .. } | Op::LockV1 { .. } => op.file(),
        _ => None,
    }
}

/// What an op makes.
fn makes(op: &Op) -> Option<PlanPath> {
    match op {
        Op::WriteJournal { file, .. } | Op::WriteReceipt { file } => Some(file.into()),
        Op::Link { .. }
        | Op::Rename { .. }
        | Op::RenameNew { .. }
        | Op::Copy { .. }
        | Op::Restage { .. }
        | Op::BuildSql { .. }
        | Op::BuildHost { .. } => op.file(),
        Op::Isolate { to, .. } => Some(to.into()),
        _ => None,
    }
}

/// What something is taken for that was there, and of which no more is known.
fn as_found(plan: &Plan, name: &str) -> Holds {
    match (role(plan, name), &plan.journal) {
        (LaneRole::Canonical, _) if plan.kind == PlanKind::Migrate => Holds::V1,
        (LaneRole::Journal, Some(journal)) => journal.phase.into(),
        (LaneRole::Receipt, _) => Holds::Receipt,
        (LaneRole::Log, _) => Holds::Log,
        (LaneRole::Companion, _) => Holds::Companion,
        _ => Holds::AsFound,
    }
}
