//! Tests the recovery table, rule by rule, and the order of its rules.

mod legacy;
mod order;
mod other_label;
mod refusals;
mod rows;
mod steps;
mod undo;

use cutover_core::{
    Failure, FileName, Journal, JournalMode, Observation, Op, Phase, Plan, Platform, Verdict,
    legacy_journal_name, plan_recovery,
};
use serde_json::{Value, json};

use cutover_world::{
    canonical, database, directory, flip, interrupted, journal, label, name, new_nonce, our_names,
    plain, put_journal, v1, v2,
};

use rows::rows;

pub fn recover(observation: &Observation) -> Result<Option<Plan>, Failure> {
    plan_recovery(observation, &label(), &new_nonce())
}

pub fn planned(observation: &Observation) -> Plan {
    recover(observation).unwrap().unwrap()
}

fn refused(observation: &Observation) -> Failure {
    recover(observation).unwrap_err()
}

fn ops(plan: &Plan) -> Vec<&Op> {
    plan.steps.iter().chain(&plan.undo).map(|step| &step.op).collect()
}

pub fn has(plan: &Plan, fits: impl Fn(&Op) -> bool) -> bool {
    ops(plan).into_iter().any(fits)
}

fn renames(plan: &Plan, from: &FileName, to: &FileName) -> bool {
    has(plan, |op| *op == Op::Rename { from: from.into(), to: to.into() })
}

fn built(file: &str) -> Observation {
    let mut observation = interrupted(&journal(Phase::Built));
    observation.files.insert(name(file), v2());
    observation
}

/// Windows: v2 was installed, and v1, which is the backup now, was written to after its check.
pub fn overtaken(journal: &Journal) -> Observation {
    let mut observation = interrupted(journal);
    flip(&mut observation);
    observation.platform = Platform::Windows;
    observation.files.insert(our_names().backup, database("1", JournalMode::Delete, 8));
    observation
}

fn legacy_text(phase: &str) -> Value {
    let path = |file: &str| format!("/home/u/app/{file}");
    json!({
        "version": 1, "source": path("data.db"), "normalizedSource": path("data.db.source-3fa9c1d2"),
        "staging": path("data.db.building-3fa9c1d2"), "backup": path("data.db.v1-v2-1782718800000-3fa9c1d2"),
        "authPath": path("auth.json"), "authBackup": path("auth.json.v1-v2-3fa9c1d2"), "authExisted": true,
        "keychainBackups": ["k"], "nonce": "3fa9c1d2", "phase": phase,
    })
}

/// The legacy daemon was killed in this phase. The files that are there are given one by one,
/// because its renames and its journal may have reached the disk in any order.
pub fn legacy_at(
    phase: &str,
    canonical_is: Option<Verdict>,
    staging: bool,
    backup: bool,
) -> Observation {
    let mut observation = directory();
    observation.files.clear();
    observation.verdict = canonical_is;
    match canonical_is {
        Some(Verdict::Old) => drop(observation.files.insert(canonical(), v1())),
        Some(_) => drop(observation.files.insert(canonical(), v2())),
        None => {}
    }
    if staging {
        observation.files.insert(our_names().staging, v2());
    }
    if backup {
        observation.files.insert(our_names().backup, v1());
    }
    put_journal(
        &mut observation,
        &legacy_journal_name(&canonical()),
        &legacy_text(phase).to_string(),
    );
    observation
}

trait Foreign {
    fn foreign(self) -> Self;
}

impl Foreign for Observation {
    /// Canonical is a database that an older release made while v1 was moved, with a log of its
    /// own.
    fn foreign(mut self) -> Self {
        self.files.insert(canonical(), database("99", JournalMode::Wal, 1));
        self.files.insert(name("data.db-wal"), plain("w", 4152));
        self
    }
}

/// Every recovery plan of the table, for the tests of plans.
pub fn plans() -> Vec<(String, Plan)> {
    seen_plans().into_iter().map(|(name, _, plan)| (name, plan)).collect()
}

/// Every recovery plan of the table, with the observation that it was planned from.
pub fn seen_plans() -> Vec<(String, Observation, Plan)> {
    rows()
        .into_iter()
        .map(|row| (row.name.to_owned(), row.seen.clone(), planned(&row.seen)))
        .collect()
}
