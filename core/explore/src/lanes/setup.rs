//! What a plan begins with: the scenario and the disk that it is of.

use std::collections::BTreeSet;

use super::{Holds, LaneRole};
use crate::model::database::{Data, Db, STAGING_LINE, V2_LINE};
use crate::model::disk::{Content, Disk, HOME};
use crate::model::state::{Ledger, State};
use crate::scenario::{Build, HostUse, InitialState, Scenario, Zombie};
use cutover_core::{
    Budget, BuildBy, BuildFrom, Companion, FileName, Fingerprint, JournalMode, Label, Op, Plan,
    PlanKind, PlanPath, Platform, Role, Run, Step,
};

/// The scenario that fits this plan. `None`: the plan names no file.
pub(super) fn scenario(
    plan: &Plan,
    staging_held: bool,
    companion: Option<&Companion>,
) -> Option<Scenario> {
    let ops = || plan.steps.iter().chain(&plan.undo).map(|step| &step.op);
    let journal = plan.journal.as_ref();
    let staging = journal.map(|journal| PlanPath::from(&journal.names.staging));
    let copied = ops().any(|op| matches!(op, Op::Copy { to, .. } if Some(to) == staging.as_ref()));
    let built_by_host = ops().any(|op| matches!(op, Op::BuildHost { .. }));
    Some(Scenario {
        canonical: match journal {
            Some(journal) => journal.names.canonical.clone(),
            None => ops().find_map(Op::file)?.name,
        },
        label: journal.map_or_else(|| Label::new("v1-v2").ok(), |of| Some(of.label.clone()))?,
        platform: plan.platform,
        initial: if plan.kind == PlanKind::Adopt {
            InitialState::AdoptWalRows
        } else {
            InitialState::Settled
        },
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

/// The text of a receipt on the model disk. The text of a journal is its phase.
pub(super) const RECEIPT: &str = "receipt";
/// The digest of a companion before an upgrade, in the model.
const COMPANION_BEFORE: &str = "companion-0";

/// What one run of a plan begins with.
pub(super) struct Setup<'a> {
    pub(super) plan: &'a Plan,
    pub(super) scenario: &'a Scenario,
    pub(super) steps: &'a [(bool, u32, &'a Step)],
    pub(super) companion: Option<&'a Companion>,
}

impl Setup<'_> {
    /// The disk before the first step.
    pub(super) fn state(&self, found: &[(FileName, Option<Holds>)]) -> State {
        let Self { plan, scenario, .. } = self;
        let windows = plan.platform == Platform::Windows;
        let mut disk = Disk { log: windows, ..Disk::default() };
        for (name, known) in found {
            self.add(&mut disk, &PlanPath::from(name), *known);
        }
        let mut made = BTreeSet::new();
        for (_, _, step) in self.steps {
            let is_of = |at: &PlanPath| match &at.companion {
                None => found.is_empty(),
                Some(name) => self.companion.is_some_and(|of| of.name == *name),
            };
            if let Some(at) = needs(&step.op).filter(|at| is_of(at) && !made.contains(at)) {
                self.add(&mut disk, &at, None);
            }
            made.extend(makes(&step.op));
        }
        // A recovery has a journal, and the canonical that the journal names. An adoption needs
        // neither.
        if let Some(journal) = &plan.journal
            && found.is_empty()
            && !plan.kind.begins()
            && plan.kind != PlanKind::Adopt
        {
            self.add(&mut disk, &PlanPath::from(&journal.names.canonical), None);
            self.add(&mut disk, &PlanPath::from(&journal.file()), None);
        }
        if let Some(of) = self.companion.filter(|of| of.before.is_some()) {
            let at = PlanPath { companion: Some(of.name.clone()), name: of.file.clone() };
            self.add(&mut disk, &at, None);
        }
        if plan.kind.begins() {
            disk.sync_dir(HOME);
            disk.sync_dir(scenario.aside());
        }
        State { disk, ledger: Ledger::of(0, JournalMode::Delete) }
    }

    /// Adds a file that existed before. What an interrupted start left is visible, and may not be
    /// durable: a recovery flushes it first.
    fn add(&self, disk: &mut Disk, at: &PlanPath, known: Option<Holds>) {
        let dir = if at.companion.is_some() { self.scenario.aside() } else { HOME };
        let name = at.name.as_str();
        // Which names are hard links of one file is not known. The two names of a link that a step
        // makes or removes are assumed to be.
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
        if let Some(inode) = disk.ino(dir, name).and_then(|ino| disk.inodes_mut().get_mut(&ino)) {
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

    /// What a database holds: what is known of it, or what the plan requires of it.
    fn database(&self, role: LaneRole, name: &FileName, known: Option<Holds>) -> Db {
        let journal = self.plan.journal.as_ref();
        let restores = journal.is_some_and(|journal| journal.strategy.restores());
        let (replaced, installed) =
            if restores { (Holds::V2, Holds::V1) } else { (Holds::V1, Holds::V2) };
        let flip = self.plan.flip_at.and_then(|at| self.plan.steps.get(at as usize));
        let implied = || {
            self.steps.iter().find_map(|(_, _, step)| match &step.op {
                Op::LockV1 { file }
                | Op::CheckPages { file }
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
            LaneRole::Backup if matches!(self.plan.kind, PlanKind::Restore | PlanKind::Adopt) => {
                Some(Holds::V1)
            }
            _ => None,
        };
        let stays = |step: &Step| match &step.op {
            Op::Settle { file, mode } => file == name && *mode == JournalMode::Wal,
            _ => false,
        };
        let is_wal = role == LaneRole::Canonical && self.steps.iter().any(|of| stays(of.2));
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

    /// A run of the plan on this disk. Its journal gets the fingerprint of the model's v1, and the
    /// digests of the model's companions.
    pub(super) fn run(&self, v1: Option<Fingerprint>) -> Run {
        let mut plan = self.plan.clone();
        if let Some(journal) = &mut plan.journal {
            (journal.host_state, journal.report) = (None, None);
            journal.warnings.clear();
            if let (Some(v1), Some(known)) = (&mut journal.v1, v1) {
                v1.fingerprint = known;
            }
            for of in &mut journal.companions {
                of.before = of.before.take().map(|_| COMPANION_BEFORE.to_owned());
                of.staged |= self.scenario.by == BuildBy::Host
                    && self.companion.is_none_or(|own| own.name != of.name);
            }
        }
        Run::new(plan, Budget::default())
    }

    pub(super) fn role(&self, name: &str) -> LaneRole {
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

/// The file that an op needs.
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
        Op::Settle { .. }
        | Op::Check { .. }
        | Op::CheckPages { .. }
        | Op::CheckV1 { .. }
        | Op::LockV1 { .. } => op.file(),
        _ => None,
    }
}

/// The file that an op makes.
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
