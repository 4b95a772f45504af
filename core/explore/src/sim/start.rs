//! A start of the application: observe, recover, upgrade, by the real planner and the real `Run`,
//! in the order of the runner.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::check::{is_v2, roles};
use crate::model::disk::{Content, HOME};
use crate::model::state::State;
use crate::scenario::{InitialState, Scenario, Zombie, layouts};
use crate::sim::machine::{Machine, companion_digest};
use cutover_core::{
    self, Action, AdoptRequest, Backup, Budget, CarryOver, CompanionName, Failure, FileName, Label,
    Next, Nonce, Observation, Op, Plan, PlanKind, Receipts, Recovery, RecoveryTable, Request,
    RestoreRequest, Role, Rule, Run, assess, assess_by, assess_left, companion_backup_name,
    may_leave_zombie, plan_adoption, plan_leave_zombie, plan_migration, plan_prune, plan_restore,
};

/// The runner's own bounds: how often one start builds anew, and how many recoveries it performs.
const MAX_ATTEMPTS: u32 = 3;
const MAX_RECOVERIES: u32 = 8;
/// More ops than any start performs.
const MAX_OPS: u32 = 4000;

/// How a start ended.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// Canonical is v2.
    Current,
    /// Canonical is v1 and nothing is left to recover.
    Old,
    /// There is no database.
    NoDatabase,
    /// The start failed. The failure says where the data is.
    Failed(Box<Failure>),
    /// The start does not end.
    Endless,
}

impl End {
    /// In a few words. `None`: the start was stopped.
    #[must_use]
    pub fn in_words(end: Option<&Self>) -> String {
        match end {
            None => "stopped".into(),
            Some(Self::Current) => "canonical is v2".into(),
            Some(Self::Old) => "canonical is v1".into(),
            Some(Self::NoDatabase) => "no database".into(),
            Some(Self::Failed(failure)) => failure.to_string(),
            Some(Self::Endless) => "without end".into(),
        }
    }
}

/// How far a start has come. With a machine and a run, a start can go on from any op in more than
/// one way.
#[derive(Debug, Clone)]
pub struct Start {
    /// Whether the start upgrades a v1, or only recovers.
    pub migrate: bool,
    attempt: u32,
    /// How often v2 had to be built anew.
    anew: u32,
    recoveries: u32,
    ops: u32,
    /// What is left for the next start.
    pub left: Option<CarryOver>,
    /// Whether a mutant of the recovery table made the start do something else.
    pub swayed: bool,
}

/// A change of every plan of a start, by a mutant. A right start has none.
pub trait PlanChange {
    /// The recovery table that the start uses.
    fn table(&self) -> Option<&RecoveryTable>;
    /// The changed plan.
    fn apply(&self, plan: Plan) -> Plan;
}

/// Where a start asks whether to go on.
pub enum Before<'a> {
    /// Before it observes the disk and plans.
    Look,
    /// Before it upgrades: nothing is left to recover.
    Migrate,
    /// Before it performs this op.
    Op(&'a Run, &'a Op),
}

/// Is asked before each observation and each op. True stops the start there.
pub type Stop<'a> = &'a mut dyn FnMut(&Start, &Machine, Before) -> bool;

impl Start {
    /// A start that has not observed anything yet.
    #[must_use]
    pub fn new(migrate: bool) -> Self {
        Self { migrate, attempt: 1, anew: 0, recoveries: 0, ops: 0, left: None, swayed: false }
    }

    /// Adds everything to `hash` that decides how the start goes on from an observation. The counts
    /// of recoveries and ops are not added: they only end what would not end.
    pub fn feed(&self, hash: &mut Sha256) {
        let carried = self.left.as_ref().is_some_and(|left| left.carried.is_some());
        hash.update([self.migrate, self.left.is_some(), carried].map(u8::from));
        self.left
            .iter()
            .flat_map(|left| &left.undone)
            .for_each(|journal| hash.update(journal.as_str()));
        hash.update(self.anew.to_le_bytes());
    }

    /// Goes on until the start ends or is stopped.
    pub fn go(
        &mut self,
        machine: &mut Machine,
        mut run: Option<Run>,
        mutant: Option<&dyn PlanChange>,
        stop: Stop,
    ) -> Option<End> {
        loop {
            let mut going = match run.take() {
                Some(run) => run,
                None if stop(self, machine, Before::Look) => return None,
                None => match self.next(machine, mutant) {
                    Ok(Some(plan))
                        if plan.kind.begins() && stop(self, machine, Before::Migrate) =>
                    {
                        return None;
                    }
                    Ok(Some(plan)) => {
                        if plan.kind.begins() {
                            // The new journal takes over what is left.
                            self.left = self.left.take().filter(|left| left.carried.is_none());
                        }
                        Run::new(
                            if let Some(mutant) = mutant { mutant.apply(plan) } else { plan },
                            Budget::default(),
                        )
                    }
                    Ok(None) => return Some(if self.migrate { End::Current } else { End::Old }),
                    Err(end) => return Some(end),
                },
            };
            match self.drive(machine, &mut going, stop)? {
                Action::Done(report) => {
                    if report.recovery == Recovery::None
                        && going.plan().kind != PlanKind::LeaveZombie
                    {
                        return Some(End::Current);
                    }
                    if report.recovery == Recovery::Undone {
                        self.attempt += 1;
                    }
                    if report.left {
                        self.left.get_or_insert_default().add(&report);
                    }
                }
                Action::Anew(failure) if going.plan().kind.begins() => {
                    if self.attempt >= MAX_ATTEMPTS {
                        return Some(End::Failed(failure));
                    }
                    self.attempt += 1;
                    self.anew += 1;
                }
                Action::Anew(_) => {}
                Action::Failed(failure) => return Some(End::Failed(failure)),
                Action::Perform { .. } | Action::Wait { .. } => return Some(End::Endless),
            }
        }
    }

    /// The next plan of this start. `None`: the start ends as intended.
    fn next(
        &mut self,
        machine: &mut Machine,
        mutant: Option<&dyn PlanChange>,
    ) -> Result<Option<Plan>, End> {
        let observation = machine.observe();
        let scenario = machine.scenario;
        // Two attempts never share a nonce, and nothing else depends on its value. The lowest nonce
        // that is nowhere on the disk makes equal plans from equal disks.
        let nonce = (1..=u32::MAX)
            .map(Nonce::from_number)
            .find(|nonce| !machine.state.disk.mentions(nonce.as_str()))
            .unwrap_or(Nonce::from_number(0));
        if scenario.zombie == Zombie::Known && may_leave_zombie(&observation) {
            return plan_leave_zombie(&observation, &scenario.label, &nonce)
                .map(Some)
                .map_err(|failure| End::Failed(Box::new(failure)));
        }
        // What a restore could not remove is left for the next start, as in an upgrade.
        if self.left.is_some() && scenario.restores() {
            return Err(End::Current);
        }
        let next = if let Some(left) = &self.left {
            assess_left(&observation, &left.undone, &scenario.label, &nonce)
        } else {
            self.assess(&observation, &scenario.label, &nonce, mutant)
        };
        match next {
            Err(failure) => Err(End::Failed(Box::new(failure))),
            Ok(Next::Recover(_)) if self.recoveries == MAX_RECOVERIES => Err(End::Endless),
            Ok(Next::Recover(plan)) => {
                self.recoveries += 1;
                Ok(Some(*plan))
            }
            Ok(Next::Current | Next::Migrate) if scenario.has_backups() => {
                next_of_backups(machine, &observation, nonce, self.migrate)
            }
            Ok(Next::NoDatabase) => Err(End::NoDatabase),
            Ok(Next::Current) => Err(End::Current),
            Ok(Next::Migrate) if !self.migrate => Ok(None),
            Ok(Next::Migrate) => {
                let (nonce, host_state) = self
                    .left
                    .as_ref()
                    .and_then(|left| left.carried.clone())
                    .unwrap_or((nonce, None));
                let request = Request {
                    label: scenario.label.clone(),
                    nonce,
                    now_ms: 1000,
                    // The journal tells people the number of the attempt. No decision depends on
                    // it.
                    attempt: 1,
                    from: scenario.from,
                    by: scenario.by,
                    verify: scenario.verify,
                    check_v1: true,
                };
                let mut plan = plan_migration(&observation, &request)
                    .map_err(|failure| End::Failed(Box::new(failure)))?;
                if let Some(journal) = &mut plan.journal {
                    journal.host_state = host_state;
                }
                Ok(Some(plan))
            }
        }
    }

    fn assess(
        &mut self,
        observation: &Observation,
        label: &Label,
        nonce: &Nonce,
        mutant: Option<&dyn PlanChange>,
    ) -> Result<Next, Failure> {
        let right = assess(observation, label, nonce);
        let Some(table) = mutant.and_then(PlanChange::table) else { return right };
        let next = assess_by(table, observation, label, nonce);
        self.swayed |= next != right;
        next
    }

    fn drive(&mut self, machine: &mut Machine, run: &mut Run, stop: Stop) -> Option<Action> {
        loop {
            while run.poll_event().is_some() {}
            match run.poll() {
                Action::Perform { op, text } => {
                    self.ops += 1;
                    if self.ops > MAX_OPS {
                        return Some(Action::Wait { delay_ms: 0 });
                    }
                    if stop(self, machine, Before::Op(run, &op)) {
                        return None;
                    }
                    match machine.perform(&op, text.as_deref(), run) {
                        Ok(done) => run.handle_ok(done),
                        Err(fault) => run.handle_fault(&fault),
                    }
                }
                Action::Wait { .. } => {
                    machine.release();
                    run.handle_waited();
                }
                end => return Some(end),
            }
        }
    }
}

fn receipts(machine: &Machine) -> Receipts {
    let entries =
        roles(&machine.state.disk, machine.scenario).filter(|(_, role)| *role == Role::Receipt);
    let text = |name: &str| match machine.state.disk.get(HOME, name) {
        Some(Content::Text(text)) => Some(text.text.clone()),
        _ => None,
    };
    entries.filter_map(|(name, _)| Some((FileName::new(name).ok()?, text(name)))).collect()
}

/// The plan of a restore, a prune or an adoption, if there is nothing to recover. `Ok(None)`: the start only
/// recovers.
fn next_of_backups(
    machine: &Machine,
    observation: &Observation,
    nonce: Nonce,
    begins: bool,
) -> Result<Option<Plan>, End> {
    let scenario = machine.scenario;
    let failed = |failure| End::Failed(Box::new(failure));
    let receipts = receipts(machine);
    if scenario.adopts() {
        return next_of_adoption(machine, observation, nonce, &receipts);
    }
    if !scenario.restores() {
        let rule = Rule { keep: Some(1), older_than_ms: None };
        return plan_prune(observation, &receipts, rule, 1000)
            .map_err(failed)?
            .plan
            .map_or(Err(End::Current), |plan| Ok(Some(plan)));
    }
    if is_v2(&machine.state, scenario) {
        return Err(End::Current);
    }
    if !begins {
        return Ok(None);
    }
    let Some(backup) = cutover_core::list_backups(observation, &receipts).into_iter().next() else {
        return Err(End::NoDatabase);
    };
    let companions = companions_of(machine, &backup);
    plan_restore(observation, &RestoreRequest { backup, nonce, companions })
        .map(|restore| Some(restore.plan))
        .map_err(failed)
}

/// The digest of each companion's backup.
fn companions_of(machine: &Machine, backup: &Backup) -> BTreeMap<CompanionName, String> {
    let scenario = machine.scenario;
    let digest = |(name, file): &(CompanionName, FileName)| {
        let kept = companion_backup_name(file, &backup.label, &backup.nonce);
        Some((
            name.clone(),
            companion_digest(machine.state.disk.get(scenario.aside(), kept.as_str())?),
        ))
    };
    scenario.companion.iter().filter_map(digest).collect()
}

/// The plan of an adoption.
fn next_of_adoption(
    machine: &Machine,
    observation: &Observation,
    nonce: Nonce,
    receipts: &Receipts,
) -> Result<Option<Plan>, End> {
    let Some(backup) = cutover_core::list_backups(observation, receipts).into_iter().next() else {
        return Err(End::NoDatabase);
    };
    if backup.whole {
        return Err(End::Current);
    }
    let facts = |name: FileName| Some((name.clone(), machine.facts(name.as_str(), true)?));
    let request = AdoptRequest {
        set: backup.name.set().into_iter().filter_map(facts).collect(),
        holders: machine.holders(backup.name.as_str()),
        companions: companions_of(machine, &backup),
        written_ms: 0,
        nonce,
        file: backup.name,
    };
    plan_adoption(observation, receipts, &request)
        .map(Some)
        .map_err(|failure| End::Failed(Box::new(failure)))
}

/// The state when the first start observes.
#[must_use]
pub fn initial_state(scenario: &Scenario) -> State {
    let killed_before: fn(&Op) -> bool = match scenario.initial {
        InitialState::OtherLabel => |op| matches!(op, Op::BuildSql { .. } | Op::BuildHost { .. }),
        InitialState::OtherLabelBuilt | InitialState::OtherLabelSaved => {
            |op| matches!(op, Op::LockV1 { .. })
        }
        InitialState::OtherLabelFlipped => |op| {
            matches!(op, Op::WriteReceipt { .. } | Op::LookCompanion { must_be_same: false, .. })
        },
        _ => return layouts::seed(scenario),
    };
    other_label(scenario, killed_before)
}

/// An upgrade with another label, killed before this op.
fn other_label(scenario: &Scenario, killed_before: fn(&Op) -> bool) -> State {
    let plain = Scenario { initial: InitialState::WalRows, ..scenario.clone() };
    let other =
        Scenario { label: Label::new("v0-v1").unwrap_or_else(|_| scenario.label.clone()), ..plain };
    let mut ignore = |_: &State| {};
    let mut machine = Machine::new(layouts::seed(&other), &other, &mut ignore);
    Start::new(true).go(
        &mut machine,
        None,
        None,
        &mut |_, _, before| matches!(before, Before::Op(_, op) if killed_before(op)),
    );
    machine.state
}
