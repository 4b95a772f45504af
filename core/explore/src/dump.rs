//! Writes down what the planner plans in every scenario, so that two versions of it can be
//! compared: `plans.jsonl` (each distinct plan, without its reasons), `reasons.txt` (the reasons of
//! those plans, step by step) and `counts.txt` (crash states, changes and starts of each
//! dimension).

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;

use cutover_core::Step;
use cutover_explore::{Dimension, plans, scenarios};

use crate::{on_every_core, sum};

pub fn dump(directory: &Path, dimensions: &[Dimension]) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let all = scenarios::all();
    let found = Mutex::new(Vec::new());
    on_every_core(
        all.len(),
        || (),
        |(), number| {
            let plans = plans(&all[number..=number]).concat();
            if let Ok(mut found) = found.lock() {
                found.push((number, plans));
            }
        },
    );
    let mut found = found.into_inner().unwrap_or_default();
    found.sort_unstable_by_key(|(number, _)| *number);
    let (mut texts, mut reasons) = (String::new(), String::new());
    for (number, plans) in found {
        for (index, mut plan) in plans.into_iter().enumerate() {
            let mut take = |list: &mut Vec<Step>| {
                for step in list {
                    let _ = writeln!(
                        reasons,
                        "{number}/{index} {} {}",
                        step.op.name(),
                        std::mem::take(&mut step.why)
                    );
                }
            };
            take(&mut plan.steps);
            take(&mut plan.undo);
            let _ = writeln!(texts, "{number}/{index} {}", serde_json::to_string(&plan)?);
        }
    }
    std::fs::write(directory.join("plans.jsonl"), texts)?;
    std::fs::write(directory.join("reasons.txt"), reasons)?;
    let mut counts = String::new();
    for dimension in dimensions {
        let sum = sum(dimension);
        let _ = writeln!(
            counts,
            "{} states, {} changes, {} starts, {} bad: {} ({} starting points)",
            sum.states.len(),
            sum.changes,
            sum.starts,
            sum.bad,
            dimension.name,
            dimension.scenarios.len()
        );
    }
    std::fs::write(directory.join("counts.txt"), counts)
}
