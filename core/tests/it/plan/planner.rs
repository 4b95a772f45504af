//! The planner makes the same plan from the same input, and names the backup newest: these tests
//! vary what comes in.

use cutover_core::{BuildBy, BuildFrom, plan_migration};
use proptest::prelude::*;

use cutover_world::{directory, name, our_names, plain, request, with_auth};

/// Where a clock is wrong, or was, the newest is the newest all the same: it is never pruned.
#[test]
fn a_backup_is_newer_by_its_name_than_every_other() {
    for (other, wanted) in [
        ("data.db.v0-v1-9999999999999-00000001", "data.db.v1-v2-10000000000000-3fa9c1d2"),
        ("data.db.v0-v1-1-00000001", our_names().backup.as_str()),
        (
            "data.db.v0-v1-18446744073709551615-00000001",
            "data.db.v1-v2-18446744073709551615-3fa9c1d2",
        ),
        ("data.db.v0-v1-9999999999999-00000001.json", our_names().backup.as_str()),
    ] {
        let mut seen = directory();
        seen.files.insert(name(other), plain("7", 4096));
        let plan = plan_migration(&seen, &request(BuildBy::Sql, BuildFrom::Empty)).unwrap();
        assert_eq!(plan.journal.unwrap().names.backup.as_str(), wanted, "beside {other}");
    }
}

proptest! {
    /// For one observation the same bytes, always.
    #[test]
    fn a_plan_depends_on_nothing_but_what_comes_in(number in any::<u32>(), ms in any::<u64>(), host in any::<bool>(), copy in any::<bool>()) {
        let request = cutover_core::Request {
            nonce: cutover_core::Nonce::from_number(number),
            now_ms: ms,
            ..request(if host { BuildBy::Host } else { BuildBy::Sql }, if copy { BuildFrom::Copy } else { BuildFrom::Empty })
        };
        let plan = |_| plan_migration(&with_auth(directory()), &request).unwrap();
        prop_assert_eq!(plan(1).to_text(), plan(2).to_text());
        prop_assert!(plan(3).check().is_ok());
    }
}
