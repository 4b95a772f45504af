use cutover_core::{BUDGET_MS, Budget, DELAYS_MS};
use proptest::prelude::*;

/// The waits of one op that is never let through, on a clock that only counts.
fn series(mut budget: Budget) -> Vec<u64> {
    (1..1000).map_while(|tries| budget.next_delay_ms(tries)).collect()
}

#[test]
fn the_default_is_ten_seconds_and_begins_as_the_legacy_daemon_s() {
    assert_eq!(BUDGET_MS, 10_000);
    assert_eq!(DELAYS_MS, [50, 100, 250, 500, 1000, 2000, 4000]);
    assert_eq!(series(Budget::default()), [50, 100, 250, 500, 1000, 2000, 4000, 2100]);
}

#[test]
fn the_last_wait_repeats_and_is_cut_to_what_is_left() {
    assert_eq!(
        series(Budget::of(20_000)),
        [50, 100, 250, 500, 1000, 2000, 4000, 4000, 4000, 4000, 100]
    );
    assert_eq!(series(Budget::of(60)), [50, 10]);
    assert_eq!(series(Budget::of(0)), [0; 0]);
}

#[test]
fn all_ops_share_one_budget() {
    let mut budget = Budget::of(500);
    assert_eq!(budget.next_delay_ms(1), Some(50));
    assert_eq!(budget.next_delay_ms(1), Some(50), "the next op begins with the shortest wait");
    assert_eq!(budget.next_delay_ms(2), Some(100));
    assert_eq!(budget.next_delay_ms(7), Some(300), "cut");
    assert_eq!(budget.next_delay_ms(1), None, "nothing is left for any op");
    assert_eq!(budget.waited_ms, 500);
}

proptest! {
    #[test]
    fn the_waits_never_exceed_the_budget(total_ms in 0..100_000_u64, tries in proptest::collection::vec(0..20_u32, 0..60)) {
        let mut budget = Budget::of(total_ms);
        let waited_ms: u64 = tries.iter().filter_map(|tries| budget.next_delay_ms(*tries)).sum();
        prop_assert_eq!(waited_ms, budget.waited_ms);
        prop_assert!(waited_ms <= total_ms);
        prop_assert_eq!(series(budget).iter().sum::<u64>(), total_ms - waited_ms, "and all of it, if a holder stays");
    }
}
