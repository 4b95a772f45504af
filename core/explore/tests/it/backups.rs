//! A planted fault in a restore or a prune is caught. That only the right plan is accepted is shown
//! by `validate_mutants.rs`.

use cutover_explore::{
    InitialState, Mutant, MutantOutcome, MutantRunner, Scenario, plans, scenarios,
};

fn start(initial: InitialState) -> Vec<Scenario> {
    scenarios::kept()
        .into_iter()
        .filter(|scenario| scenario.initial == initial && scenario.companion.is_some())
        .collect()
}

#[test]
fn a_fault_in_a_restore_or_a_prune_is_caught() {
    let planted = [
        // v2's other name is not durable before canonical's name leaves it.
        (InitialState::RestoreSettled, "Restore steps: without sync-dir (3)", "I2"),
        (InitialState::RestoreSettled, "Restore steps: without link displaced", "I2"),
        // v2's rows are in its log, which would stand beside v1.
        (InitialState::RestoreWalRows, "Restore steps: without settle data.db", "I5"),
        (InitialState::RestoreSettled, "Restore steps: without settle install", "I10"),
        // The companion's backup is durably gone, and the backup is not.
        (InitialState::Prune, "Prune steps: without sync-dir (2)", "I2"),
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
