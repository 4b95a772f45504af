//! The lanes of plans, beside the disk that is explored: each plan that a start performs is
//! performed on both, step by step.

use std::collections::{BTreeMap, BTreeSet};

use crate::boot::{Before, Boot, End};
use crate::disk::{Content, Disk, HOME};
use crate::lanes::{Held, Holds, Lanes, lanes};
use crate::machine::Machine;
use crate::sqlite::{Data, Db};
use crate::{Build, Model, Setting, State, Zombie, matrix, predict};
use cutover_core::fault::Platform;
use cutover_core::names::{FileName, Role, SIDECARS};
use cutover_core::plan::{Plan, PlanKind};

fn said(content: &Content) -> Holds {
    match content {
        Content::Db(Db { data: Data::V1 { .. } | Data::Foreign, .. }) => Holds::V1,
        // Of what somebody still holds the log has the rest.
        Content::Db(Db { data: Data::V2 { .. } | Data::Partial, .. }) => Holds::V2,
        Content::Text(text) => {
            let value: serde_json::Value = serde_json::from_str(&text.text).unwrap();
            match value["phase"].as_str() {
                Some("building") => Holds::JournalBuilding,
                Some("built" | "canonical-moved") => Holds::JournalBuilt,
                Some("installing") => Holds::JournalInstalling,
                Some(_) => Holds::JournalCommitted,
                None => Holds::Receipt,
            }
        }
        _ => Holds::AsFound,
    }
}

/// The databases, journals and receipts; what SQLite keeps beside a database, and companions, are
/// not compared.
fn compared(name: &str) -> bool {
    name.starts_with("data.db") && !SIDECARS.iter().any(|suffix| name.ends_with(suffix))
}

/// What is on the disk, and what is on it durably.
fn on(disk: &Disk) -> BTreeMap<String, Held> {
    let mut all: BTreeMap<String, Held> = BTreeMap::new();
    let dir = &disk.dirs[HOME];
    for (name, ino) in dir.now.iter().filter(|(name, _)| compared(name)) {
        all.entry(name.to_string()).or_default().now = Some(said(&disk.inodes[ino].now));
    }
    for (name, ino) in dir.durable.iter().filter(|(name, _)| compared(name)) {
        all.entry(name.to_string()).or_default().durable = Some(said(&disk.inodes[ino].durable));
    }
    all
}

fn role(setting: &Setting, name: &str) -> Option<Role> {
    Role::of(&setting.canonical, &FileName::new(name).unwrap())
}

/// A plan that is performed.
struct Told {
    plan: Plan,
    lanes: Lanes,
}

impl Told {
    fn of(setting: &Setting, plan: &Plan, disk: &Disk) -> Self {
        // What a database is that no journal, or the application, tells of, who draws lanes does
        // not know either.
        let known =
            |name: &str| matches!(role(setting, name), Some(Role::Canonical | Role::Backup { .. }));
        let found = on(disk).into_iter().filter_map(|(name, held)| {
            Some((name.clone(), Some(held.now?).filter(|_| known(&name))))
        });
        let found: Vec<_> = found.collect();
        Self { plan: plan.clone(), lanes: lanes(plan, &found, setting.zombie == Zombie::ForEver) }
    }

    /// After so many columns. What the lanes say to be durable is; what they say to be there is
    /// what is there.
    fn compare(&self, columns: usize, disk: &Disk, setting: &Setting) {
        let held = columns
            .checked_sub(1)
            .map_or(&self.lanes.before, |last| &self.lanes.columns[last].held);
        let lanes: BTreeMap<&str, Held> = self
            .lanes
            .files
            .iter()
            .map(|lane| lane.name.as_str())
            .zip(held.iter().copied())
            .filter(|(name, _)| compared(name))
            .collect();
        let disk = on(disk);
        let names: BTreeSet<&str> =
            lanes.keys().copied().chain(disk.keys().map(String::as_str)).collect();
        for name in names {
            let (told, real) = (
                lanes.get(name).copied().unwrap_or_default(),
                disk.get(name).copied().unwrap_or_default(),
            );
            let same = |told: Option<Holds>, real: Option<Holds>| match told {
                Some(Holds::CopyOfV1) => real == Some(Holds::V1),
                Some(Holds::AsFound | Holds::NotKnown | Holds::Unflushed) => real.is_some(),
                // Half of one that an interrupted start was writing is not told from a whole one.
                Some(_)
                    if told != Some(Holds::V1)
                        && told != Some(Holds::V2)
                        && real == Some(Holds::AsFound) =>
                {
                    !self.plan.kind.begins()
                }
                told => told == real,
            };
            let step = columns
                .checked_sub(1)
                .map(|last| &self.plan.steps.iter().chain(&self.plan.undo).nth(last).unwrap().op);
            let at = format!(
                "{setting:?}\n{:?} step {columns}, {step:?}: {name} {told:?}, and is {real:?}",
                self.plan.kind
            );
            assert!(same(told.now, real.now), "now: {at}");
            let nothing_claimed = matches!(told.durable, None | Some(Holds::NotKnown));
            // A recovery flushes first what it finds; until then it says that it does not know.
            assert!(nothing_claimed || same(told.durable, real.durable), "durable: {at}");
            // Of a build SQLite, or the application, may have flushed something: nobody counts on
            // it.
            let counts = name == "data.db"
                || matches!(
                    Role::of(&setting.canonical, &FileName::new(name).unwrap()),
                    Some(Role::Backup { .. })
                );
            let database =
                matches!(real.durable, Some(Holds::V1 | Holds::V2)) && real.durable == real.now;
            assert!(
                !self.plan.kind.begins() || !counts || !database || told.durable.is_some(),
                "durable, and not said to be: {at}"
            );
        }
    }
}

/// The kinds of plans, and how many steps of them were compared.
fn start(setting: &Setting, state: State, kinds: &mut BTreeMap<PlanKind, usize>) {
    let mut ignore = |_: &State| {};
    let mut machine = Machine::new(state, setting, &mut ignore);
    let mut told: Option<Told> = None;
    let end = Boot::new(true).go(&mut machine, None, None, &mut |_, machine, before| {
        let Before::Op(run, _) = before else {
            told = None;
            return false;
        };
        let (undo, index) = run.position();
        if told.as_ref().is_none_or(|told| told.plan != *run.plan()) {
            told = Some(Told::of(setting, run.plan(), &machine.state.disk));
        }
        let Some(of) = &told else { return true };
        // What fails is undone by steps that are no columns; and what is held cannot be cleaned up
        // on Windows.
        let held = setting.zombie != Zombie::None && setting.platform == Platform::Windows;
        let stays = held && of.plan.cleanup_from.is_some_and(|from| index > from as usize);
        if stays || (undo && of.plan.kind != PlanKind::Undo) {
            return true;
        }
        of.compare(
            index + if undo { of.plan.steps.len() } else { 0 },
            &machine.state.disk,
            setting,
        );
        *kinds.entry(of.plan.kind).or_default() += 1;
        false
    });
    if let (Some(End::Current), Some(told)) = (end, told) {
        told.compare(told.lanes.columns.len(), &machine.state.disk, setting);
    }
}

#[test]
fn lanes_say_of_every_step_of_every_plan_what_the_disk_has() {
    let mut kinds = BTreeMap::new();
    let mut settings: Vec<Setting> = Vec::new();
    for setting in matrix::short().into_iter().flat_map(|dimension| dimension.settings) {
        // The lanes take what is built for v2.
        if setting.build == Build::Right && !settings.contains(&setting) {
            settings.push(setting);
        }
    }
    for setting in &settings {
        start(setting, matrix::lay(setting), &mut kinds);
    }
    // Recoveries: what a kill, or a power loss in order, leaves.
    for setting in settings.iter().filter(|of| of.zombie == Zombie::None && of.links()).step_by(7) {
        for model in [Model::M0, Model::M1] {
            for state in predict::crash_states(setting, model) {
                start(setting, state, &mut kinds);
            }
        }
    }
    for kind in [
        PlanKind::Migrate,
        PlanKind::Finish,
        PlanKind::Undo,
        PlanKind::Clean,
        PlanKind::Restore,
        PlanKind::Prune,
    ] {
        assert!(kinds.get(&kind).is_some_and(|steps| *steps > 20), "{kinds:?}");
    }
}
