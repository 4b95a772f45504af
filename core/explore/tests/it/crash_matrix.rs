//! The crash matrix that people see: its counts are the explorer's, and it shows what is wrong with
//! the legacy two renames.

use cutover_core::{BuildBy, BuildFrom, Platform, Strategy};
use cutover_explore::{
    CrashMatrix, Exploration, InitialState, Model, Question, crash_states, replay_crash, scenarios,
};

fn question(strategy: Strategy, models: &[Model]) -> Question {
    let platform =
        if models.contains(&Model::Windows) { Platform::Windows } else { Platform::Linux };
    Question {
        strategy,
        platform,
        by: BuildBy::Sql,
        from: BuildFrom::Empty,
        models: models.to_vec(),
    }
}

fn explored(question: Question) -> CrashMatrix {
    let mut exploration = Exploration::new(question).unwrap();
    let total = exploration.progress().total;
    while exploration.step() {
        assert_eq!(exploration.progress().total, total);
    }
    assert_eq!(exploration.progress().done, total);
    exploration.matrix().clone()
}

#[test]
fn no_crash_of_cutover_is_bad_and_crashes_of_the_legacy_daemon_are_broken() {
    let models = [Model::M0, Model::M1, Model::M2, Model::M3];
    for strategy in [Strategy::LinkReplace, Strategy::PageCopy] {
        let matrix = explored(question(strategy, &models));
        assert_eq!((matrix.bad, matrix.broken), (0, 0), "{strategy:?}");
        assert!(matrix.steps.iter().any(
            |step| step.op == if strategy == Strategy::PageCopy { "page-copy" } else { "link" }
        ));
        assert!(matrix.cells.iter().flatten().all(|cell| cell.bad == 0));
        let sum: u64 = matrix.cells.iter().flatten().map(|cell| u64::from(cell.states)).sum();
        assert_eq!(sum, matrix.states);
    }
    let legacy = explored(question(Strategy::TwoRename, &models));
    assert_eq!(legacy.bad, 0, "cutover's recovery finishes what the legacy daemon began");
    assert!(legacy.broken > 0);
    let broken: Vec<&str> = legacy
        .steps
        .iter()
        .zip(&legacy.cells)
        .filter(|(_, row)| row[0].broken > 0)
        .map(|(step, _)| &*step.why)
        .collect();
    assert_eq!(
        broken.len(),
        3,
        "canonical is missing from the first rename until the second: {broken:?}"
    );
    assert!(broken[0].starts_with("canonical is moved"));
    assert_eq!(legacy.flips[0].ordered_bad, 2);
    let windows = explored(question(Strategy::LinkReplace, &[Model::Windows]));
    assert_eq!((windows.bad, windows.broken), (0, 0));
}

#[test]
fn the_counts_are_those_of_the_explorer() {
    for (strategy, links) in [(Strategy::LinkReplace, true), (Strategy::PageCopy, false)] {
        let scenarios = scenarios::all().into_iter();
        let scenario = scenarios.into_iter().find(|of| {
            (of.initial, of.by, of.from, of.can_link)
                == (InitialState::WalRows, BuildBy::Sql, BuildFrom::Empty, links)
        });
        let scenario = scenario.unwrap();
        for model in [Model::M0, Model::M2] {
            // The explorer also goes on after the application has written to v2, which is no step
            // of the plan.
            let more = crash_states(&scenario, model)
                .into_iter()
                .filter(|state| state.ledger.v2_rows > 0)
                .count();
            let all = crash_states(&scenario, model).len();
            assert_eq!(
                explored(question(strategy, &[model])).states,
                (all - more) as u64,
                "{strategy:?} {model:?}"
            );
        }
    }
}

#[test]
fn the_story_of_a_crash_is_told() {
    let matrix = explored(question(Strategy::LinkReplace, &[Model::M2]));
    let flip = matrix
        .steps
        .iter()
        .position(|step| step.op == "rename" && step.why.contains("v2"))
        .unwrap();
    let crash = matrix.cells[flip][0].crashes.last().unwrap();
    let story = replay_crash(&crash.replay).unwrap();
    assert!(story[0].starts_with("starts with data.db"), "{story:?}");
    assert!(
        story.iter().any(|line| line.contains("the power fails") || line.contains("killed"))
            && story.contains(&"start 2".to_owned())
    );
    assert!(story.iter().any(|line| line.contains("ended: canonical is v2")), "{story:#?}");
}

#[test]
fn a_line_that_names_no_crash_is_refused() {
    for line in [
        "",
        "0",
        "0/M0",
        "99999/M0/1.0,end",
        "0/M0/999.0,end",
        "0/M1/1.99999,end",
        "0/M0/1.0,2.0",
        "0/M9/1.0",
        "0/M0/end,end,end",
    ] {
        assert_eq!(replay_crash(line), None, "{line}");
    }
    for wrong in [
        Question { models: vec![], ..question(Strategy::LinkReplace, &[Model::M0]) },
        question(Strategy::Restore, &[Model::M0]),
        Question { models: vec![Model::Windows], ..question(Strategy::LinkReplace, &[Model::M0]) },
        Question { from: BuildFrom::Copy, ..question(Strategy::TwoRename, &[Model::M0]) },
    ] {
        assert!(Exploration::new(wrong).is_err());
    }
}
