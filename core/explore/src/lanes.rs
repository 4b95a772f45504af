//! The lanes of a plan: what each file holds after each step, and what of that survives a power
//! loss. A plan is performed on the model disk by the real `Run`, without a crash and without a
//! fault; after each step the disk is read.
//!
//! A plan comes from anywhere. A step that the model refuses (its file is not known, or is in the
//! way) changes nothing, and the next step follows.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::disk::{Change, Content, Disk, HOME, Name};
use crate::machine::Machine;
use crate::sqlite::{Data, Db, Seen, V1_LINE, V2_LINE, seen};
use crate::{Build, HostUse, Ledger, Setting, Shape, State, Zombie};
use cutover_core::fault::Platform;
use cutover_core::journal::{Companion, Phase};
use cutover_core::names::{FileName, Label, PlanPath, Role};
use cutover_core::observe::Fingerprint;
use cutover_core::op::{Op, Step};
use cutover_core::page1::JournalMode;
use cutover_core::plan::{BuildBy, BuildFrom, Plan, PlanKind};
use cutover_core::run::{Action, Budget, OpOutcome, Run};
use cutover_support::diagnose::{Dropped, diagnose, names_in};

/// The most steps that are told: more than any plan of ours has.
pub const MAX_COLUMNS: usize = 300;
/// The most files that are taken from what was given.
const MAX_FOUND: usize = 40;
/// The most companions that are drawn.
const MAX_COMPANIONS: usize = 40;

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
    /// An interrupted start left it. Whether that start flushed it is not known.
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

/// The lanes of the plan in what was dropped, or of the plan that the next start would perform;
/// nothing where there is none. `staging_held`: a leaked connection of the application still holds
/// what the application built. The application is taken to stage each companion, and no other
/// program to change it.
#[must_use]
pub fn plan_lanes(dropped: &Dropped, staging_held: bool) -> Option<Lanes> {
    let diagnosis = diagnose(dropped);
    let plan = diagnosis.plan?;
    let mut found = Vec::new();
    for name in names_in(dropped) {
        let is = |place: &Option<String>| place.as_deref() == Some(name.as_str());
        let known = if is(&diagnosis.v1.file) {
            Some(Holds::V1)
        } else if is(&diagnosis.v2.file) {
            Some(Holds::V2)
        } else {
            None
        };
        let role = plan.journal.as_ref().and_then(|of| Role::of(&of.names.canonical, &name));
        if found.len() < MAX_FOUND && !matches!(role, None | Some(Role::Lock)) {
            found.push((name, known));
        }
    }
    Some(lanes(&plan, &found, staging_held))
}

/// What every file of one directory, or of all, holds at one time.
type Files = BTreeMap<(LaneRole, String), Held>;

/// The lanes of a plan. `found`: the files that were there, and what is known of them; empty where
/// only the plan is known.
fn lanes(plan: &Plan, found: &[(FileName, Option<Holds>)], staging_held: bool) -> Lanes {
    // Each companion has a directory of its own, and the model disk has one beside the database's:
    // the plan is performed once for each companion.
    let companions = plan.companions();
    let mut drawn = Picture::of(plan, found, staging_held, companions.first().copied());
    for companion in companions.iter().take(MAX_COMPANIONS).skip(1) {
        let more = Picture::of(plan, found, staging_held, Some(companion));
        for (files, more) in drawn.files.iter_mut().zip(more.files) {
            let prefix = format!("{}/", companion.name);
            files.extend(more.into_iter().filter(|((_, name), _)| name.starts_with(&prefix)));
        }
    }
    // A name that appears and goes within one step has no lane.
    let seen: BTreeSet<&(LaneRole, String)> = drawn
        .files
        .iter()
        .flatten()
        .filter(|(_, held)| held.now.is_some())
        .map(|(lane, _)| lane)
        .collect();
    let mut held = drawn.files.iter().map(|files| {
        seen.iter().map(|lane| files.get(*lane).copied().unwrap_or_default()).collect()
    });
    let before = held.next().unwrap_or_default();
    let columns = performed(plan).into_iter().zip(&drawn.skipped).zip(held);
    Lanes {
        files: seen.iter().map(|(role, name)| Lane { name: name.clone(), role: *role }).collect(),
        before,
        columns: columns
            .map(|(((undo, index, _), skipped), held)| Column {
                index,
                undo,
                skipped: *skipped,
                held,
            })
            .collect(),
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

/// One run of the plan, with one companion.
struct Picture {
    /// Before the first step, and after each.
    files: Vec<Files>,
    /// Of each step, whether its guard kept it from being performed.
    skipped: Vec<bool>,
}

impl Picture {
    fn of(
        plan: &Plan,
        found: &[(FileName, Option<Holds>)],
        staging_held: bool,
        companion: Option<&Companion>,
    ) -> Self {
        let steps = performed(plan);
        let Some(setting) = setting(plan, staging_held, companion) else {
            let (files, skipped) = (vec![Files::new(); steps.len() + 1], vec![false; steps.len()]);
            return Self { files, skipped };
        };
        let start = Start { plan, setting: &setting, steps: &steps, companion };
        let mut ignore = |_: &State| {};
        let mut machine = Machine::new(start.state(found), &setting, &mut ignore);
        let v1 = machine.facts(setting.canonical.as_str(), true);
        let mut run = start.run(v1.and_then(|facts| facts.fingerprint()));
        let dirs = machine.state.disk.dirs.iter().enumerate();
        let left: BTreeSet<(usize, Name)> = dirs
            .filter(|_| !plan.kind.begins())
            .flat_map(|(dir, entries)| entries.now.keys().map(move |name| (dir, name.clone())))
            .collect();
        let files = |machine: &Machine| start.files(&machine.state.disk, &left);
        let mut picture = Self { files: vec![files(&machine)], skipped: Vec::new() };
        let mut ahead = steps.iter();
        loop {
            let op = match run.poll() {
                Action::Perform { op, .. } => op,
                Action::Wait { .. } => {
                    run.handle_waited();
                    continue;
                }
                Action::Done(_) | Action::Anew(_) | Action::Failed(_) => break,
            };
            let (undo, index) = run.position();
            let is_next =
                |(of_undo, at, _): &&(bool, u32, &Step)| (*of_undo, *at as usize) == (undo, index);
            let Some(skipped) = ahead.clone().position(|step| is_next(&step)) else { break };
            picture.skip(skipped, &files(&machine));
            ahead.nth(skipped);
            let is_other =
                op.companion().is_some_and(|of| Some(of) != companion.map(|of| &of.name));
            let text = match &op {
                Op::WriteJournal { phase, .. } => phase.as_str(),
                _ => RECEIPT,
            };
            let done =
                if is_other { None } else { machine.perform(&op, Some(text), &mut run).ok() };
            run.handle_ok(done.unwrap_or(OpOutcome::Plain));
            picture.skipped.push(false);
            picture.files.push(files(&machine));
        }
        picture.skip(ahead.len(), &files(&machine));
        picture
    }

    /// So many steps are not performed.
    fn skip(&mut self, count: usize, files: &Files) {
        self.files.extend(std::iter::repeat_n(files.clone(), count));
        self.skipped.extend(std::iter::repeat_n(true, count));
    }
}

/// The scenario that this plan is of. Nothing: the plan names no file.
fn setting(plan: &Plan, staging_held: bool, companion: Option<&Companion>) -> Option<Setting> {
    let ops = || plan.steps.iter().chain(&plan.undo).map(|step| &step.op);
    let journal = plan.journal.as_ref();
    let staging = journal.map(|journal| PlanPath::from(&journal.names.staging));
    let copied = ops().any(|op| matches!(op, Op::Copy { to, .. } if Some(to) == staging.as_ref()));
    let built_by_host = ops().any(|op| matches!(op, Op::BuildHost { .. }));
    Some(Setting {
        canonical: match journal {
            Some(journal) => journal.names.canonical.clone(),
            None => ops().find_map(Op::file)?.name,
        },
        label: journal.map_or_else(|| Label::new("v1-v2").ok(), |of| Some(of.label.clone()))?,
        platform: plan.platform,
        shape: Shape::Settled,
        by: if built_by_host { BuildBy::Host } else { BuildBy::Sql },
        from: if copied { BuildFrom::Copy } else { BuildFrom::Empty },
        verify: false,
        companion: companion.map(|of| (of.name.clone(), of.file.clone())),
        companion_before: companion.is_some_and(|of| of.before.is_some()),
        host: HostUse::Stages,
        zombie: if staging_held { Zombie::ForEver } else { Zombie::None },
        build: Build::Right,
        can_link: true,
        left: BTreeSet::new(),
    })
}

/// The text of a receipt on the model disk. That of a journal is its phase.
const RECEIPT: &str = "receipt";
/// The database that is built, on the model disk.
const STAGING_LINE: u8 = 3;
/// What the companion holds before an upgrade, as the model tells it.
const COMPANION_BEFORE: &str = "companion-0";

/// What a plan begins with.
struct Start<'a> {
    plan: &'a Plan,
    setting: &'a Setting,
    steps: &'a [(bool, u32, &'a Step)],
    companion: Option<&'a Companion>,
}

impl Start<'_> {
    /// The disk before the first step.
    fn state(&self, found: &[(FileName, Option<Holds>)]) -> State {
        let Self { plan, setting, .. } = self;
        let windows = plan.platform == Platform::Windows;
        let mut disk = Disk { log: windows, ..Disk::default() };
        for (name, known) in found {
            self.lay(&mut disk, &PlanPath::from(name), *known);
        }
        let mut made = BTreeSet::new();
        for (_, _, step) in self.steps {
            let is_of = |at: &PlanPath| match &at.companion {
                None => found.is_empty(),
                Some(name) => self.companion.is_some_and(|of| of.name == *name),
            };
            if let Some(at) = needs(&step.op).filter(|at| is_of(at) && !made.contains(at)) {
                self.lay(&mut disk, &at, None);
            }
            made.extend(makes(&step.op));
        }
        // A recovery has a journal, and the canonical that the journal is about.
        if let Some(journal) = &plan.journal
            && found.is_empty()
            && !plan.kind.begins()
        {
            self.lay(&mut disk, &PlanPath::from(&journal.names.canonical), None);
            self.lay(&mut disk, &PlanPath::from(&journal.file()), None);
        }
        if let Some(of) = self.companion.filter(|of| of.before.is_some()) {
            let at = PlanPath { companion: Some(of.name.clone()), name: of.file.clone() };
            self.lay(&mut disk, &at, None);
        }
        if plan.kind.begins() {
            disk.sync_dir(HOME);
            disk.sync_dir(setting.aside());
        }
        State { disk, ledger: Ledger::of(0, JournalMode::Delete) }
    }

    /// A file that was there before. What an interrupted start left is visible, and may not be
    /// durable: that is why a recovery flushes first.
    fn lay(&self, disk: &mut Disk, at: &PlanPath, known: Option<Holds>) {
        let dir = if at.companion.is_some() { self.setting.aside() } else { HOME };
        let name = at.name.as_str();
        // Which names are one file is not known: the two names of a link that a step makes or
        // removes are taken for one.
        let other = self.steps.iter().find_map(|(_, _, step)| match &step.op {
            Op::Link { from, to } if to == at => Some(from.name.as_str()),
            Op::RemoveLink { link, of } if link.as_str() == name => Some(of.as_str()),
            _ => None,
        });
        if let Some(other) = other.filter(|other| known.is_none() && disk.ino(dir, other).is_some())
        {
            return disk.link(dir, other, name);
        }
        let content = self.content(disk, at, known);
        if !disk.create(dir, name) {
            return;
        }
        disk.write(dir, name, content.clone());
        let flushed =
            if self.plan.kind.begins() || known.is_some() { content } else { Content::Torn };
        if let Some(inode) = disk.ino(dir, name).and_then(|ino| disk.inodes.get_mut(&ino)) {
            inode.durable = flushed;
        }
    }

    fn content(&self, disk: &Disk, at: &PlanPath, known: Option<Holds>) -> Content {
        if at.companion.is_some() {
            return Content::Companion(u8::from(
                self.companion.is_none_or(|of| of.file != at.name),
            ));
        }
        let name = at.name.as_str();
        let base = |suffix: &str| match disk.get(HOME, name.strip_suffix(suffix)?) {
            Some(Content::Db(db)) => Some(*db),
            _ => None,
        };
        match self.role(name) {
            LaneRole::Log => match (base("-wal"), base("-journal")) {
                (Some(db), _) => Content::Wal(db),
                (_, Some(db)) => Content::Hot(db),
                _ => Content::Shm,
            },
            LaneRole::Journal => {
                let phase = self.plan.journal.as_ref().map_or("", |journal| journal.phase.as_str());
                Content::text(phase)
            }
            LaneRole::Receipt => Content::text(RECEIPT),
            LaneRole::NewJournal | LaneRole::Companion | LaneRole::File => Content::Torn,
            role => Content::Db(self.database(role, &at.name, known)),
        }
    }

    /// What a database holds: what is known of it, or what the plan goes on with only where it is
    /// so.
    fn database(&self, role: LaneRole, name: &FileName, known: Option<Holds>) -> Db {
        let journal = self.plan.journal.as_ref();
        let restores = journal.is_some_and(|journal| journal.strategy.restores());
        let (replaced, installed) =
            if restores { (Holds::V2, Holds::V1) } else { (Holds::V1, Holds::V2) };
        let flip = self.plan.flip_at.and_then(|at| self.plan.steps.get(at as usize));
        let implied = || {
            self.steps.iter().find_map(|(_, _, step)| match &step.op {
                Op::LockV1 { file }
                | Op::CheckV1 { file }
                | Op::PageCopy { to: file, .. }
                | Op::BuildSql { v1: file, .. }
                    if file == name =>
                {
                    Some(replaced)
                }
                Op::Detect { file } | Op::PageCopy { from: file, .. } if file == name => {
                    Some(installed)
                }
                Op::Rename { from, .. } if Some(*step) == flip && from.name == *name => {
                    Some(installed)
                }
                _ => None,
            })
        };
        let by_role = || match role {
            LaneRole::Canonical if self.plan.kind.begins() => Some(replaced),
            LaneRole::Backup if self.plan.kind == PlanKind::Restore => Some(Holds::V1),
            _ => None,
        };
        let waits = |step: &Step| matches!(&step.op, Op::Settle { file, mode } if file == name && *mode == JournalMode::Wal);
        let is_wal = role == LaneRole::Canonical && self.steps.iter().any(|of| waits(of.2));
        let mode = if is_wal { JournalMode::Wal } else { JournalMode::Delete };
        match known.or_else(implied).or_else(by_role) {
            Some(Holds::V1) => Db::v1(0, mode),
            Some(Holds::V2) => {
                let of = if restores { V2_LINE } else { STAGING_LINE };
                Db { data: Data::V2 { of: 0, rows: 0 }, of, ..Db::v1(0, mode) }
            }
            _ => Db { data: Data::Partial, of: STAGING_LINE, ..Db::v1(0, mode) },
        }
    }

    /// The plan, in a run on this disk: what its journal says of v1 and of companions is said of
    /// the model's.
    fn run(&self, v1: Option<Fingerprint>) -> Run {
        let mut plan = self.plan.clone();
        if let Some(journal) = &mut plan.journal {
            (journal.host_state, journal.report) = (None, None);
            journal.warnings.clear();
            if let (Some(v1), Some(known)) = (&mut journal.v1, v1) {
                v1.fingerprint = known;
            }
            for of in &mut journal.companions {
                of.before = of.before.take().map(|_| COMPANION_BEFORE.to_owned());
                of.staged |= self.setting.by == BuildBy::Host
                    && self.companion.is_none_or(|own| own.name != of.name);
            }
        }
        Run::new(plan, Budget::default())
    }

    /// What is on the disk, and what of it is durable. `found`: names that an interrupted start
    /// left, in each directory.
    fn files(&self, disk: &Disk, found: &BTreeSet<(usize, Name)>) -> Files {
        let mut files = Files::new();
        for (dir, entries) in disk.dirs.iter().enumerate() {
            // Until the directory is flushed, whether such a name is durable is not known.
            let found = |name: &&Name| {
                found.contains(&(dir, (*name).clone()))
                    && entries
                        .pending
                        .iter()
                        .any(|of| matches!(of, Change::Add(to, _) if to == *name))
            };
            let names = entries.now.keys().chain(entries.durable.keys());
            let added = entries.pending.iter().filter_map(|of| match of {
                Change::Add(name, _) => Some(name),
                _ => None,
            });
            for name in names.chain(added.filter(found)) {
                let (role, shown) = self.lane(dir, name);
                let now = disk.get(dir, name).map(|content| match seen(disk, name) {
                    Seen::Db(db) if dir == HOME => holds(role, &Content::Db(db)),
                    _ => holds(role, content),
                });
                let inode = entries.durable.get(name).and_then(|ino| disk.inodes.get(ino));
                let durable = inode.map(|inode| match holds(role, &inode.durable) {
                    _ if inode.durable == Content::Torn => Holds::NotKnown,
                    _ if inode.durable == Content::Empty && !inode.is_flushed() => Holds::Unflushed,
                    Holds::AsFound if now.is_some_and(|now| now != Holds::AsFound) => {
                        Holds::Unflushed
                    }
                    holds => holds,
                });
                let durable = durable.or_else(|| found(&name).then_some(Holds::NotKnown));
                files.insert((role, shown), Held { now, durable });
            }
        }
        files
    }

    fn lane(&self, dir: usize, name: &str) -> (LaneRole, String) {
        let is_of = |of: &&Companion| {
            let rest = name.strip_prefix(of.file.as_str());
            dir != HOME
                || (self.setting.aside() == HOME
                    && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
        };
        match self.companion.filter(is_of) {
            Some(of) => (LaneRole::Companion, format!("{}/{name}", of.name)),
            None => (self.role(name), name.to_owned()),
        }
    }

    fn role(&self, name: &str) -> LaneRole {
        let canonical = self.plan.journal.as_ref().map(|journal| &journal.names.canonical);
        let name = FileName::new(name).ok();
        match canonical.zip(name).and_then(|(canonical, name)| Role::of(canonical, &name)) {
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
}

fn holds(role: LaneRole, content: &Content) -> Holds {
    match content {
        _ if role == LaneRole::Log => Holds::Log,
        _ if role == LaneRole::Companion => Holds::Companion,
        Content::Db(Db { data: Data::V1 { .. }, of: V1_LINE, .. }) => Holds::V1,
        Content::Db(Db { data: Data::V1 { .. }, .. }) => Holds::CopyOfV1,
        Content::Db(Db { data: Data::V2 { .. }, .. }) => Holds::V2,
        Content::Text(text) if text.text == RECEIPT => Holds::Receipt,
        Content::Text(text) => [Phase::Building, Phase::Built, Phase::Installing, Phase::Committed]
            .into_iter()
            .find(|phase| phase.as_str() == text.text)
            .map_or(Holds::AsFound, Holds::from),
        _ => Holds::AsFound,
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
        Op::WriteJournal { .. }
        | Op::WriteReceipt { .. }
        | Op::Link { .. }
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
