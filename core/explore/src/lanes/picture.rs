//! A plan, performed without a crash and without a fault, and the disk as it is after each step.

use std::collections::BTreeSet;

use super::setup::{RECEIPT, Setup, scenario};
use super::{Files, Held, Holds, LaneRole, performed};
use crate::model::database::{Data, Db, V1_LINE};
use crate::model::disk::{Change, Content, Disk, HOME, Name};
use crate::model::sqlite::{Seen, seen};
use crate::model::state::State;
use crate::sim::machine::Machine;
use cutover_core::{Action, Companion, FileName, Op, OpOutcome, Phase, Plan, Step};

/// One run of the plan, with one companion.
pub(super) struct Picture {
    /// Before the first step, and after each.
    pub(super) files: Vec<Files>,
    /// Of each step, whether its guard kept it from being performed.
    pub(super) skipped: Vec<bool>,
}

impl Picture {
    pub(super) fn of(
        plan: &Plan,
        found: &[(FileName, Option<Holds>)],
        staging_held: bool,
        companion: Option<&Companion>,
    ) -> Self {
        let steps = performed(plan);
        let Some(scenario) = scenario(plan, staging_held, companion) else {
            let (files, skipped) = (vec![Files::new(); steps.len() + 1], vec![false; steps.len()]);
            return Self { files, skipped };
        };
        let setup = Setup { plan, scenario: &scenario, steps: &steps, companion };
        let mut ignore = |_: &State| {};
        let mut machine = Machine::new(setup.state(found), &scenario, &mut ignore);
        let v1 = machine.facts(scenario.canonical.as_str(), true);
        let mut run = setup.run(v1.and_then(|facts| facts.fingerprint()));
        let dirs = machine.state.disk.dirs.iter().enumerate();
        let left: BTreeSet<(usize, Name)> = dirs
            .filter(|_| !plan.kind.begins())
            .flat_map(|(dir, entries)| entries.now.keys().map(move |name| (dir, name.clone())))
            .collect();
        let files = |machine: &Machine| setup.files(&machine.state.disk, &left);
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

    /// Adds steps that are not performed.
    fn skip(&mut self, count: usize, files: &Files) {
        self.files.extend(std::iter::repeat_n(files.clone(), count));
        self.skipped.extend(std::iter::repeat_n(true, count));
    }
}

impl Setup<'_> {
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
                || (self.scenario.aside() == HOME
                    && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
        };
        match self.companion.filter(is_of) {
            Some(of) => (LaneRole::Companion, format!("{}/{name}", of.name)),
            None => (self.role(name), name.to_owned()),
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
