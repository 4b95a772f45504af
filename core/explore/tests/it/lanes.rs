//! The picture of a plan: what it shows of the plans that the explorer performs, and that a faulty
//! plan does not stop it.

use std::sync::LazyLock;

use cutover_core::{Op, Plan, PlanKind, Step};
use cutover_explore::{
    Held, Holds, InitialState, LaneRole, Lanes, Mutant, PlanChange as _, Scenario, plan_lanes,
    plans, scenarios,
};
use cutover_support::Dropped;

fn drawn(plan: &Plan, staging_held: bool) -> Lanes {
    drawn_if_read(plan, staging_held).unwrap()
}

/// `None`: the text is refused as no plan.
fn drawn_if_read(plan: &Plan, staging_held: bool) -> Option<Lanes> {
    let text = Some(serde_json::to_string(plan).unwrap());
    plan_lanes(&Dropped { text, ..Dropped::default() }, staging_held)
}

/// What the file of this role holds before the plan, and after each step.
fn story(lanes: &Lanes, role: LaneRole) -> Vec<Held> {
    let lane = lanes.files.iter().position(|file| file.role == role).unwrap();
    let times = std::iter::once(&lanes.before).chain(lanes.columns.iter().map(|of| &of.held));
    times.map(|held| held[lane]).collect()
}

/// Plans of upgrades and recoveries, by SQL and by the application, on each platform.
fn every_plan() -> &'static [Plan] {
    static PLANS: LazyLock<Vec<Plan>> = LazyLock::new(|| {
        let posix: Vec<Scenario> =
            scenarios::companions().into_iter().step_by(2).chain(scenarios::zombies()).collect();
        let by_sql =
            scenarios::shapes().into_iter().filter(|of| of.initial == InitialState::Settled);
        let by_pages = scenarios::page_copies().into_iter().step_by(6);
        let windows = scenarios::on_windows(posix.clone());
        plans(&posix.into_iter().chain(by_sql).chain(by_pages).chain(windows).collect::<Vec<_>>())
            .concat()
    });
    &PLANS
}

#[test]
fn v1_is_durable_at_every_step_of_every_upgrade_and_v2_at_the_end() {
    let (mut upgrades, mut staged) = (0, 0);
    for plan in every_plan().iter().filter(|plan| plan.kind == PlanKind::Migrate) {
        for staging_held in [false, true] {
            let lanes = drawn(plan, staging_held);
            assert_eq!(lanes.columns.len(), plan.steps.len());
            for column in &lanes.columns {
                let v1 = |held: &Held| matches!(held.durable, Some(Holds::V1 | Holds::CopyOfV1));
                assert!(column.held.iter().any(v1), "{column:?}");
            }
            let canonical = story(&lanes, LaneRole::Canonical);
            let held = |of: Holds| Held { now: Some(of), durable: Some(of) };
            assert_eq!(canonical.first(), Some(&held(Holds::V1)));
            assert_eq!(canonical.last(), Some(&held(Holds::V2)));
            assert!(canonical.iter().all(|held| {
                matches!(held.now, Some(Holds::V1 | Holds::V2))
                    && matches!(held.durable, Some(Holds::V1 | Holds::V2))
            }));
            let backup = story(&lanes, LaneRole::Backup);
            assert!(matches!(backup.last().unwrap().durable, Some(Holds::V1 | Holds::CopyOfV1)));
            for role in [LaneRole::Journal, LaneRole::NewJournal, LaneRole::Source] {
                if lanes.files.iter().any(|file| file.role == role) {
                    assert_eq!(story(&lanes, role).last().unwrap().now, None, "{role:?}");
                }
            }
            staged +=
                usize::from(lanes.files.iter().any(|file| file.name.contains("/auth.json.b")));
            upgrades += 1;
        }
    }
    assert!(upgrades > 40 && staged > 5, "{upgrades} {staged}");
}

#[test]
fn a_step_shows_what_is_visible_before_it_is_durable() {
    let builds = |step: &Step| matches!(step.op, Op::BuildSql { .. });
    let plan = every_plan().iter().find(|plan| plan.steps.iter().any(builds)).unwrap();
    let lanes = drawn(plan, false);
    let flip = plan.flip_at.unwrap() as usize;
    let at = |role, step: usize| story(&lanes, role)[step + 1];
    let link = plan.steps.iter().position(|step| matches!(step.op, Op::Link { .. })).unwrap();
    assert_eq!(at(LaneRole::Backup, link), Held { now: Some(Holds::V1), durable: None });
    let flipped = Held { now: Some(Holds::V2), durable: Some(Holds::V1) };
    assert_eq!(at(LaneRole::Canonical, flip), flipped);
    assert_eq!(at(LaneRole::Staging, flip), Held { now: None, durable: Some(Holds::V2) });
}

#[test]
fn what_an_interrupted_start_left_is_not_known_to_be_durable_until_it_is_flushed() {
    let finish = every_plan().iter().filter(|plan| plan.kind == PlanKind::Finish);
    let mut seen = 0;
    for plan in finish {
        let canonical = story(&drawn(plan, false), LaneRole::Canonical);
        assert_eq!(canonical[0].durable, Some(Holds::NotKnown));
        let last = canonical.last().unwrap();
        assert!(last.durable.is_some() && last.durable != Some(Holds::Unflushed), "{last:?}");
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn no_faulty_plan_stops_the_picture() {
    let mut drawn_plans = 0;
    for plan in every_plan().iter().step_by(5) {
        for mutant in Mutant::all(std::slice::from_ref(plan)).into_iter().step_by(5) {
            let mutated = mutant.apply(plan.clone());
            let Some(lanes) = drawn_if_read(&mutated, drawn_plans % 2 == 0) else { continue };
            let undo = if mutated.kind == PlanKind::Undo { mutated.undo.len() } else { 0 };
            assert_eq!(lanes.columns.len(), mutated.steps.len() + undo);
            for column in &lanes.columns {
                assert_eq!(column.held.len(), lanes.files.len());
            }
            drawn_plans += 1;
        }
    }
    assert!(drawn_plans > 200, "{drawn_plans}");
}

#[test]
fn a_plan_of_many_steps_and_modes_is_drawn_up_to_a_bound() {
    let mut plan = every_plan().iter().find(|plan| plan.kind == PlanKind::Migrate).unwrap().clone();
    let settles = |op: &Op| matches!(op, Op::Settle { .. });
    let settle = plan.steps.iter().find(|step| settles(&step.op)).unwrap().clone();
    plan.steps.extend(std::iter::repeat_n(settle, 900));
    assert_eq!(drawn(&plan, false).columns.len(), 300);
}
