//! A start performs the plan that it gives, in every state in which it gives one: over what a start
//! observes in every scenario of the explorer, at its beginning and after each crash.

use std::collections::BTreeSet;

use cutover_core::{
    Next, Observation, Plan, Platform, Request, assess, plan_migration, refuse_given,
};
use cutover_explore::{Model, Scenario, observations, scenarios};
use cutover_world::new_nonce;

/// The plan that a start gives; nothing where it gives none.
fn given(seen: &Observation, request: &Request) -> Option<Plan> {
    match assess(seen, &request.label, &request.nonce).ok()? {
        Next::Recover(plan) => Some(*plan),
        Next::Migrate => plan_migration(seen, request).ok(),
        Next::NoDatabase | Next::Current => None,
    }
}

#[test]
fn every_plan_that_a_start_gives_is_one_that_it_performs() {
    let lose_power = scenarios::tried();
    let mut met = BTreeSet::new();
    let (mut plans, mut refused) = (0, Vec::new());
    for scenario in scenarios::all() {
        let model = match scenario.platform {
            Platform::Windows => Model::Windows,
            _ if lose_power.contains(&scenario) => Model::M3,
            _ => Model::M0,
        };
        let Scenario { label, by, from, verify, .. } = scenario.clone();
        let request = Request {
            label,
            nonce: new_nonce(),
            now_ms: 1000,
            attempt: 1,
            from,
            by,
            verify,
            check_v1: true,
        };
        for seen in observations(&scenario, model) {
            if !met.insert(serde_json::to_string(&(&seen, &request)).unwrap()) {
                continue;
            }
            let Some(plan) = given(&seen, &request) else { continue };
            plans += 1;
            // The start that performs it has another nonce, and a later time.
            let later = Request {
                nonce: cutover_core::Nonce::from_number(7),
                now_ms: 2000,
                ..request.clone()
            };
            let text = Plan::parse(&plan.to_text()).unwrap();
            if let Err(failure) = refuse_given(&text, &seen, &later, &[]) {
                refused.push(format!("{:?} {model:?}: {failure}", scenario.initial));
            }
        }
    }
    println!("{} observations, {plans} plans", met.len());
    assert!(
        refused.is_empty(),
        "{} of {plans}: {:#?}",
        refused.len(),
        &refused[..5.min(refused.len())]
    );
    assert!(plans > 2000, "{plans}");
}
