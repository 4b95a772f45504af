//! A planted fault in a restore, a prune or an adoption is caught. That only the right plan is accepted is shown
//! by `validate_mutants.rs`.

use cutover_explore::{
    Bounds, InitialState, Model, Mutant, MutantOutcome, MutantRunner, Scenario, explore, plans,
    scenarios,
};

fn start(initial: InitialState) -> Vec<Scenario> {
    let all = scenarios::kept().into_iter().chain(scenarios::adopted());
    all.filter(|scenario| scenario.initial == initial && scenario.companion.is_some()).collect()
}

#[test]
fn a_fault_in_a_restore_a_prune_or_an_adoption_is_caught() {
    let planted = [
        // v2's other name is not durable before canonical's name leaves it.
        (InitialState::RestoreSettled, "Restore steps: without sync-dir (3)", "I2"),
        (InitialState::RestoreSettled, "Restore steps: without link displaced", "I2"),
        // v2's rows are in its log, which would stand beside v1.
        (InitialState::RestoreWalRows, "Restore steps: without settle data.db", "I5"),
        (InitialState::RestoreSettled, "Restore steps: without settle install", "I10"),
        // The companion's backup is durably gone, and the backup is not.
        (InitialState::Prune, "Prune steps: without sync-dir (2)", "I2"),
        // The backup's log is durably gone, and the copy that has its rows has not its name.
        (InitialState::AdoptWalRows, "Adopt steps: without sync-dir (2)", "I2"),
        // The copy is not durable when it replaces the backup.
        (InitialState::AdoptHotJournal, "Adopt steps: without sync-file journal.tmp", "I2"),
        // The log comes back beside a backup that has a receipt.
        (InitialState::AdoptWalRows, "Adopt steps: without sync-dir (3)", "I2"),
    ];
    for (initial, words, rule) in planted {
        let scenarios = start(initial);
        let plans = plans(&scenarios);
        let all = Mutant::all(&plans.concat());
        let told: Vec<String> = all.iter().map(ToString::to_string).collect();
        let mutant = all.into_iter().find(|mutant| mutant.to_string() == words);
        let mutant = mutant.unwrap_or_else(|| panic!("{words} is not one of {told:#?}"));
        let MutantOutcome::Caught(bad) = MutantRunner::new(&scenarios).outcome(&mutant) else {
            panic!("{words} is not caught")
        };
        assert_eq!(bad.violation.rule, rule, "{words}: {}", bad.violation.what);
    }
}

#[test]
fn every_crash_of_an_adoption_leaves_the_backup_or_the_adopted_one() {
    let posix = scenarios::adopted();
    let on_posix = posix.iter().flat_map(|of| [(of, Model::M0), (of, Model::M3)]);
    let windows = scenarios::adopted_on_windows();
    for (scenario, model) in on_posix.chain(windows.iter().map(|of| (of, Model::Windows))) {
        let report = explore(scenario, model, &Bounds::ONE_CRASH, None);
        assert!(report.bad.is_empty(), "{:?} {model:?}: {:?}", scenario.initial, report.bad);
        assert!(report.states.len() > 15, "{:?} {model:?}", scenario.initial);
    }
}
