//! The explorer itself: it counts what is known to be wrong, finds planted faults, and tells how.
//! The whole table is `npm run explore -- --full`.

use std::collections::BTreeSet;

use cutover_core::{BuildBy, BuildFrom};
use cutover_explore::{
    Bounds, Faults, InitialState, Interference, Model, Mutant, MutantOutcome, MutantRunner,
    NEGATIVE_CONTROLS, PlanChange, Scenario, count_flip, crash_states, explore, parse_replay_line,
    plans, scenarios,
};

fn start(initial: InitialState, by: BuildBy, from: BuildFrom) -> Scenario {
    scenarios::shapes()
        .into_iter()
        .find(|s| (s.initial, s.by, s.from) == (initial, by, from))
        .unwrap()
}

/// Every interference, and a crash before or after it.
const CROSSED: Bounds = Bounds {
    actors: true,
    faults: Faults::All,
    interference_after_crashes: 1,
    crash_after_interference: true,
    ..Bounds::ONE_CRASH
};

#[test]
fn wrong_flips_are_counted_exactly() {
    let scenario = start(InitialState::Settled, BuildBy::Sql, BuildFrom::Empty);
    for (flip, name, ordered, unordered) in NEGATIVE_CONTROLS {
        assert_eq!(count_flip(&scenario, flip, Model::M1), ordered, "{name}, in order");
        assert_eq!(count_flip(&scenario, flip, Model::M2), unordered, "{name}, any subset");
        assert!(count_flip(&scenario, flip, Model::M3).bad >= unordered.bad, "{name}, both names");
    }
}

#[test]
fn every_state_of_a_model_is_one_of_the_next() {
    let scenario = start(InitialState::WalRows, BuildBy::Host, BuildFrom::Copy);
    let mut larger = 0;
    for state in crash_states(&scenario, Model::M0) {
        let keys = |model| -> BTreeSet<_> {
            let lost = state.disk.power_losses(model).into_iter();
            lost.map(|disk| cutover_explore::State { disk, ledger: state.ledger.clone() }.key())
                .collect()
        };
        let [m1, m2, m3] = [Model::M1, Model::M2, Model::M3].map(keys);
        assert!(m1.is_subset(&m2) && m2.is_subset(&m3));
        larger += usize::from(m1.len() < m2.len() && m2.len() < m3.len());
    }
    assert!(larger > 5, "{larger}");
}

#[test]
fn an_upgrade_by_link_has_no_bad_state() {
    for scenario in [
        start(InitialState::WalRows, BuildBy::Sql, BuildFrom::Empty),
        start(InitialState::UnreadableJournal, BuildBy::Sql, BuildFrom::Copy),
    ] {
        for model in [Model::M0, Model::M2] {
            let report = explore(&scenario, model, &CROSSED, None);
            let told: Vec<String> = report.bad.iter().map(|bad| bad.tell(None)).collect();
            assert!(told.is_empty(), "{}", told.join("\n\n"));
            assert!(
                report.states.len() > 100 && report.transitions > 10_000,
                "{} {}",
                report.states.len(),
                report.transitions
            );
        }
    }
}

#[test]
fn a_start_that_refuses_touches_nothing() {
    for initial in [InitialState::NoCanonical, InitialState::OtherLabelSaved] {
        let scenario = scenarios::shapes().into_iter().find(|of| of.initial == initial).unwrap();
        let report = explore(&scenario, Model::M3, &CROSSED, None);
        assert!(
            report.bad.is_empty() && report.states.len() == 1 && report.transitions == 0,
            "{initial:?}"
        );
    }
}

/// What needs nothing of the release that began it is undone, or finished once v2 is in place.
#[test]
fn an_upgrade_with_another_label_is_ended() {
    use InitialState::{OtherLabel, OtherLabelBuilt, OtherLabelFlipped};
    let others: Vec<Scenario> = scenarios::shapes()
        .into_iter()
        .filter(|of| [OtherLabel, OtherLabelBuilt, OtherLabelFlipped].contains(&of.initial))
        .collect();
    assert_eq!(others.len(), 3 * 4 + 3);
    for scenario in &others {
        for model in [Model::M0, Model::M3] {
            let bounds = Bounds { copies: true, ..Bounds::ONE_CRASH };
            let report = explore(scenario, model, &bounds, None);
            let told: Vec<String> = report.bad.iter().map(|bad| bad.tell(None)).collect();
            assert!(told.is_empty(), "{}", told.join("\n\n"));
            assert!(report.states.len() > 5, "{:?}: {}", scenario.initial, report.states.len());
        }
    }
}

/// The legacy daemon's own recovery was killed before it had put its companion back.
#[test]
fn a_companion_that_the_legacy_daemon_had_not_put_back_is_put_back() {
    for scenario in
        scenarios::legacy().into_iter().filter(|of| of.initial == InitialState::LegacyUndone)
    {
        for model in [Model::M0, Model::M3] {
            let bounds = Bounds { crashes: 2, ..Bounds::ONE_CRASH };
            let report = explore(&scenario, model, &bounds, None);
            let told: Vec<String> = report.bad.iter().map(|bad| bad.tell(None)).collect();
            assert!(told.is_empty(), "{}", told.join("\n\n"));
        }
    }
}

#[test]
fn a_planted_fault_is_caught_and_its_story_told() {
    let scenarios = [start(InitialState::Settled, BuildBy::Sql, BuildFrom::Empty)];
    let plans = plans(&scenarios);
    let planted = [
        // The backup's name is not durable before the flip: the design's own control.
        ("Migrate steps: without sync-dir (3)", "I2"),
        ("Migrate steps: without settle data.db", "I5"),
        ("Finish steps: without sync-dir", "I6"),
    ];
    for (words, rule) in planted {
        let mutant = Mutant::all(&plans.concat())
            .into_iter()
            .find(|mutant| mutant.to_string() == words)
            .unwrap();
        let MutantOutcome::Caught(bad) = MutantRunner::new(&scenarios).outcome(&mutant) else {
            panic!("{words} is not caught")
        };
        assert_eq!(bad.violation.rule, rule, "{words}");
        let told = bad.tell(Some(&mutant));
        assert!(
            told.starts_with("starts with data.db: v1 with 0 new rows")
                && told.contains("\nstart 1\n"),
            "{told}"
        );
        assert!(told.contains(&format!("{rule} is broken: {}", bad.violation.what)), "{told}");
        // The last line replays it, to an equal state.
        let line = told.rsplit("replay: ").next().unwrap();
        let (scenario, model, choices) = parse_replay_line(line).unwrap();
        assert_eq!((&scenario, model, &choices), (&bad.scenario, bad.model, &bad.choices));
        let mutant: Option<(&dyn PlanChange, _)> = Some((&mutant, bad.mutated));
        let again = cutover_explore::replay(&scenario, model, &choices, mutant).1;
        assert_eq!(
            again.key(),
            cutover_explore::replay(&bad.scenario, bad.model, &bad.choices, mutant).1.key()
        );
    }
}

#[test]
fn the_recovery_table_in_another_order_is_caught() {
    let scenarios: Vec<Scenario> = scenarios::legacy().into_iter().take(1).collect();
    let rows = Mutant::rows();
    assert_eq!(rows.len(), 1 + 21 + 21);
    let first = rows
        .iter()
        .find(|mutant| {
            mutant.to_string() == "recovery table: our journal before the legacy journal"
        })
        .unwrap();
    assert!(
        matches!(MutantRunner::new(&scenarios).outcome(first), MutantOutcome::Caught(_)),
        "our journal is judged by what the legacy daemon moved away"
    );
}

#[test]
fn a_replay_line_says_what_happened_by_its_name() {
    for interference in Interference::all() {
        assert_eq!(interference.to_string(), format!("{interference:?}"));
    }
}

#[test]
fn a_line_that_is_no_replay_line_is_refused() {
    for line in [
        "",
        "1",
        "1/M9/1.0",
        "999999/M0/1.0",
        "0/M0/x",
        "0/M0/1.",
        "0/M0/1:Nothing@1.0",
        "0/M0/-1.0",
    ] {
        assert!(parse_replay_line(line).is_none(), "{line}");
    }
}

#[test]
fn a_page_copy_has_no_bad_state() {
    let is_plain = |scenario: &Scenario| {
        (scenario.initial, scenario.by, scenario.from)
            == (InitialState::WalRows, BuildBy::Sql, BuildFrom::Empty)
    };
    let posix: Vec<Scenario> = scenarios::page_copies().into_iter().filter(is_plain).collect();
    assert_eq!(posix.len(), 1);
    let starts = posix
        .iter()
        .flat_map(|scenario| [(scenario.clone(), Model::M0), (scenario.clone(), Model::M3)]);
    let windows =
        scenarios::on_windows(posix.clone()).into_iter().map(|scenario| (scenario, Model::Windows));
    for (scenario, model) in starts.chain(windows) {
        for bounds in [Bounds { crashes: 2, ..Bounds::ONE_CRASH }, CROSSED] {
            let report = explore(&scenario, model, &bounds, None);
            let told: Vec<String> = report.bad.iter().map(|bad| bad.tell(None)).collect();
            assert!(told.is_empty(), "{}", told.join("\n\n"));
            assert!(report.states.len() > 100, "{}", report.states.len());
        }
    }
}

#[test]
fn a_fault_planted_in_a_page_copy_is_caught() {
    let mut scenarios: Vec<Scenario> = scenarios::page_copies()
        .into_iter()
        .filter(|s| s.initial == InitialState::WalRows && s.by == BuildBy::Sql)
        .collect();
    scenarios.truncate(1);
    scenarios.extend(scenarios::on_windows(scenarios.clone()));
    let plans = plans(&scenarios);
    let planted = [
        // The backup's copy gets its name before its data is durable.
        ("Migrate steps: without sync-file source", "I2"),
        ("Migrate steps: without restage source", "I5"),
        // The rollback journal comes back, and makes canonical v1 again beside a journal that says
        // committed.
        ("Migrate steps: without sync-dir (5)", "I6"),
        ("Finish steps: without page-copy data.db", "I6"),
        ("Undo undo: without remove backup", "I6"),
    ];
    let mutants = Mutant::all(&plans.concat());
    let mut trial = MutantRunner::new(&scenarios);
    for (words, rule) in planted {
        let mutant = mutants.iter().find(|mutant| mutant.to_string() == words);
        let mutant = mutant.unwrap_or_else(|| {
            panic!("{words}: {:#?}", mutants.iter().map(ToString::to_string).collect::<Vec<_>>())
        });
        let MutantOutcome::Caught(bad) = trial.outcome(mutant) else {
            panic!("{words} is not caught")
        };
        assert_eq!(bad.violation.rule, rule, "{words}: {}", bad.tell(Some(mutant)));
    }
}
