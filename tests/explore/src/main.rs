//! Explores every crash state of every plan and counts them. `--full` takes minutes; `--mutants` tries every mutant of every plan;
//! `--replay <line>` tells the story of one state again.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Instant;

use cutover_core::explore::control::{Flip, count};
use cutover_core::explore::disk::Key;
use cutover_core::explore::mutate::{Fate, Mutant, fate, plans};
use cutover_core::explore::{Model, counterexample, explore, matrix};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => table(false),
        ["--full"] => table(true),
        ["--mutants"] => mutants(),
        ["--replay", line] => replay(line),
        _ => {
            eprintln!("usage: explore [--full | --mutants | --replay <line>]");
            ExitCode::from(2)
        }
    }
}

fn table(full: bool) -> ExitCode {
    let begun = Instant::now();
    let mut states: BTreeSet<Key> = BTreeSet::new();
    let (mut transitions, mut bad) = (0, 0);
    println!("{:>9} {:>10} {:>8} {:>6} {:>4}  ", "states", "changes", "starts", "sec", "bad");
    for dimension in matrix::dimensions(full) {
        let at = Instant::now();
        let mut own: BTreeSet<Key> = BTreeSet::new();
        let (mut changes, mut starts, mut found) = (0, 0, Vec::new());
        for setting in &dimension.settings {
            for model in &dimension.models {
                let report = explore(setting, *model, &dimension.bounds, None);
                own.extend(report.states);
                changes += report.transitions;
                starts += report.starts;
                found.extend(report.bad);
            }
        }
        let models: Vec<&str> = dimension.models.iter().map(|model| model.as_str()).collect();
        let seconds = at.elapsed().as_secs_f64();
        let (name, count) = (dimension.name, dimension.settings.len());
        println!(
            "{:>9} {changes:>10} {starts:>8} {seconds:>6.1} {:>4}  {name} ({count} starting points; {})",
            own.len(),
            found.len(),
            models.join(", ")
        );
        for counterexample in found.iter().take(3) {
            println!("\n{}\n", counterexample.tell(None));
        }
        bad += found.len();
        transitions += changes;
        states.extend(own);
    }
    bad += controls();
    let seconds = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    let rate = states.len() as f64 / seconds;
    println!("{transitions} changes of the disk, {rate:.0} distinct states per second");
    // The whole claim is for the whole matrix; the short one says that it is bounded by the table above.
    let claim = if full {
        "every crash state of every plan, from every starting shape, under models M0 to M3 and Windows, with one further crash in recovery and every fault at every op"
    } else {
        "every crash state within the table above (--full crosses more)"
    };
    println!("{claim}: {} distinct states, {bad} bad.", states.len());
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Flips that are wrong must be counted as wrong: how often, the design says.
fn controls() -> usize {
    let Some(setting) = matrix::shapes().into_iter().next() else { return 1 };
    let known = [
        (Flip::TwoRenameLiveLog, "the field's two renames, v1 with a live log", [(4, 2), (8, 6)]),
        (Flip::TwoRenameSettled, "two renames, v1 settled", [(3, 1), (4, 2)]),
        (Flip::LinkReplaceUnflushed, "link and replace, not flushed between", [(3, 0), (4, 1)]),
        (Flip::LinkReplace, "link, flush, replace", [(2, 0), (2, 0)]),
    ];
    let mut wrong = 0;
    for (flip, name, want) in known {
        let found = [Model::M1, Model::M2].map(|model| count(&setting, flip, model)).map(|count| (count.states, count.bad));
        println!("control: {name}: {} of {} prefix states bad, {} of {} unordered", found[0].1, found[0].0, found[1].1, found[1].0);
        wrong += usize::from(found != want);
    }
    wrong
}

fn mutants() -> ExitCode {
    let settings = matrix::mutants();
    let plans = plans(&settings);
    let all: Vec<_> = plans.iter().flatten().cloned().collect();
    let mutants = Mutant::all(&all);
    let (mut caught, mut equivalent, mut survived) = (0, 0, 0);
    for mutant in &mutants {
        match fate(mutant, &settings, &plans) {
            Fate::Caught(bad) => {
                caught += 1;
                println!("caught by {}: {mutant}", bad.violation.rule);
            }
            Fate::Equivalent(why) => {
                equivalent += 1;
                println!("equivalent: {mutant}: {why}");
            }
            Fate::Survived => {
                survived += 1;
                println!("SURVIVED: {mutant}");
            }
        }
    }
    println!("{} mutants: {caught} caught, {equivalent} equivalent with a reason, {survived} unexplained.", mutants.len());
    if survived == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(line: &str) -> ExitCode {
    let Some((setting, model, choices)) = counterexample::parse(line) else {
        eprintln!("this is not a replay line");
        return ExitCode::from(2);
    };
    for line in counterexample::replay(&setting, model, &choices, None).0 {
        println!("{line}");
    }
    ExitCode::SUCCESS
}
