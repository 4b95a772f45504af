//! Explores every crash state of every plan and counts them.
//!
//! * Without an argument: within bounds that take seconds.
//! * `--full`: takes minutes.
//! * `--all`: also counts the models that the models of `--full` contain, each on its own.
//! * `--mutants`: tries every mutant of every plan and of the recovery table that has no reason in
//!   `equivalents.txt`. With `--all` also those: no outcome of theirs fails, and they take longest.
//! * `--replay <line>`: tells the story of one state again.
//! * `--dump <folder> [--full]`: writes every plan and the counts to files, to compare two versions
//!   of the planner.
//!
//! Exits with 1 if any state is bad, or if a mutant survives without a reason.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the program reads its arguments and the clock and writes files; the library does not"
)]

mod dump;

// A state is many small allocations.
#[cfg(not(target_family = "wasm"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use cutover_explore::{
    Dimension, Key, Model, Mutant, MutantOutcome, MutantRunner, NEGATIVE_CONTROLS, count_flip,
    explore, parse_replay_line, plans, scenarios,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => table(&Dimension::short(), false),
        ["--full"] => table(&Dimension::full(), true),
        ["--all"] => table(&Dimension::every_model(), true),
        ["--mutants"] => mutants(false),
        ["--mutants", "--all"] => mutants(true),
        ["--dump", directory] => dump(directory, &Dimension::short()),
        ["--dump", directory, "--full"] => dump(directory, &Dimension::full()),
        ["--replay", line] => replay(line),
        _ => {
            eprintln!(
                "usage: explore [--full | --all | --mutants [--all] | --replay <line> | --dump \
                 <folder> [--full]]"
            );
            ExitCode::from(2)
        }
    }
}

/// Does `work` for each of `count` numbers, on every core, each with what `begin` makes once.
fn on_every_core<T>(
    count: usize,
    begin: impl Fn() -> T + Sync,
    work: impl Fn(&mut T, usize) + Sync,
) {
    let next = AtomicUsize::new(0);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let mut with = begin();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    work(&mut with, number);
                }
            });
        }
    });
}

/// The sum of one dimension.
#[derive(Default)]
struct Sum {
    states: BTreeSet<Key>,
    changes: u64,
    starts: u64,
    bad: usize,
    stories: Vec<String>,
}

fn sum(dimension: &Dimension) -> Sum {
    let models = &dimension.models;
    let sum = Mutex::new(Sum::default());
    let count = dimension.scenarios.len() * models.len();
    on_every_core(
        count,
        || (),
        |(), number| {
            let (scenario, model) =
                (&dimension.scenarios[number / models.len()], models[number % models.len()]);
            let report = explore(scenario, model, &dimension.bounds, None);
            let stories: Vec<String> =
                report.bad.iter().take(1).map(|bad| bad.tell(None)).collect();
            if let Ok(mut sum) = sum.lock() {
                sum.states.extend(report.states);
                sum.changes += report.transitions;
                sum.starts += report.starts;
                sum.bad += report.bad.len();
                sum.stories.extend(stories);
            }
        },
    );
    sum.into_inner().unwrap_or_default()
}

fn table(dimensions: &[Dimension], full: bool) -> ExitCode {
    let begun = Instant::now();
    let mut states: BTreeSet<Key> = BTreeSet::new();
    let (mut changes, mut starts, mut bad, mut wrong) = (0, 0, 0, 0);
    println!("{:>8} {:>10} {:>9} {:>6} {:>4}", "states", "changes", "starts", "sec", "bad");
    for dimension in dimensions {
        let at = Instant::now();
        let sum = sum(dimension);
        let models: Vec<&str> = dimension.models.iter().map(|model| model.as_str()).collect();
        println!(
            "{:>8} {:>10} {:>9} {:>6.1} {:>4}  {} ({} starting points; {})",
            sum.states.len(),
            sum.changes,
            sum.starts,
            at.elapsed().as_secs_f64(),
            sum.bad,
            dimension.name,
            dimension.scenarios.len(),
            models.join(", ")
        );
        for story in sum.stories.iter().take(3) {
            println!("\n{story}\n");
        }
        states.extend(sum.states);
        changes += sum.changes;
        starts += sum.starts;
        bad += sum.bad;
        wrong += usize::from(sum.bad > 0);
    }
    wrong += controls();
    let seconds = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = states.len() as f64 / seconds;
    println!(
        "{changes} changes of the disk in {starts} starts; {rate:.0} distinct states per second"
    );
    // Only the full table supports the whole claim. The short one says what bounds it.
    let claim = if full {
        "every crash state of every plan, from every starting state, under models M0 to M3 and \
         Windows, with one further crash in recovery and every fault at every op"
    } else {
        "every crash state within the table above (--full crosses more)"
    };
    let checks = dimensions.len() + NEGATIVE_CONTROLS.len();
    println!("explore: {} passed, {wrong} failed", checks - wrong);
    println!("{claim}: {} distinct states, {bad} bad.", states.len());
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Wrong flips must be counted exactly.
fn controls() -> usize {
    let Some(scenario) = scenarios::shapes().into_iter().next() else { return 1 };
    let mut wrong = 0;
    for (flip, name, ordered, unordered) in NEGATIVE_CONTROLS {
        let found = [Model::M1, Model::M2].map(|model| count_flip(&scenario, flip, model));
        println!(
            "control: {name}: {} of {} prefix states bad, {} of {} unordered",
            found[0].bad, found[0].states, found[1].bad, found[1].states
        );
        wrong += usize::from(found != [ordered, unordered]);
    }
    wrong
}

fn mutants(all: bool) -> ExitCode {
    let begun = Instant::now();
    let scenarios = scenarios::tried();
    let plans = plans(&scenarios);
    let made: Vec<_> = plans.iter().flatten().cloned().collect();
    let mutants: Vec<Mutant> = Mutant::all(&made).into_iter().chain(Mutant::rows()).collect();
    let outcomes = Mutex::new(Vec::new());
    on_every_core(
        mutants.len(),
        || MutantRunner::new(&scenarios),
        |trial, number| {
            let mutant = &mutants[number];
            let listed = mutant.equivalent().filter(|_| !all).map(MutantOutcome::Equivalent);
            let (word, line) = match listed.unwrap_or_else(|| trial.outcome(mutant)) {
                MutantOutcome::Caught(bad) => {
                    ("caught", format!("caught by {}: {mutant}", bad.violation.rule))
                }
                MutantOutcome::Equivalent(why) => {
                    ("equivalent", format!("equivalent: {mutant}: {why}"))
                }
                MutantOutcome::Survived => ("survived", format!("SURVIVED: {mutant}")),
            };
            // This takes minutes, so each result is shown at once. All results are printed in order
            // at the end.
            eprintln!("{:.0} s: {line}", begun.elapsed().as_secs_f64());
            if let Ok(mut outcomes) = outcomes.lock() {
                outcomes.push((number, word, line));
            }
        },
    );
    let mut outcomes = outcomes.into_inner().unwrap_or_default();
    outcomes.sort_unstable();
    for (_, _, line) in &outcomes {
        println!("{line}");
    }
    let [caught, equivalent] =
        ["caught", "equivalent"].map(|word| outcomes.iter().filter(|fate| fate.1 == word).count());
    let survived = mutants.len() - caught - equivalent;
    println!(
        "explore: {} passed, {} failed",
        usize::from(survived == 0),
        usize::from(survived > 0)
    );
    println!(
        "{} mutants in {:.0} s: {caught} caught, {equivalent} equivalent with a reason, \
         {survived} unexplained.",
        mutants.len(),
        begun.elapsed().as_secs_f64()
    );
    if survived == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn dump(directory: &str, dimensions: &[Dimension]) -> ExitCode {
    match dump::dump(Path::new(directory), dimensions) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{directory}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn replay(line: &str) -> ExitCode {
    let Some((scenario, model, choices)) = parse_replay_line(line) else {
        eprintln!("not a replay line");
        return ExitCode::from(2);
    };
    for line in cutover_explore::replay(&scenario, model, &choices, None).0 {
        println!("{line}");
    }
    ExitCode::SUCCESS
}
