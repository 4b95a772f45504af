//! Processes that upgrade at once take a companion's lock one after the other, and lose no content.

use cutover::{Code, Outcome, Recovery};

use super::{App, Bed};

/// [29] Without the lock, the second upgrade would install its companion between the first one's
/// comparison and its installation. The second one's content would be lost.
#[test]
fn two_processes_upgrade_their_directories_in_turn() {
    for op in ["build-host", "link"] {
        let bed = Bed::new();
        let mut first = bed.upgrade("A", op);
        first.wait_for("stopped");
        let mut second = bed.upgrade("B", "");
        assert_eq!(second.wait_for("waits"), "waits: lock auth/auth.json");
        assert_eq!(bed.names("B"), ["data.db"]);
        first.go_on();
        assert_eq!(first.ends(), "ended Ok((Migrated, None))");
        assert_eq!(second.ends(), "ended Ok((Migrated, None))");
        assert_eq!(bed.content(), "v1+A+B");
        bed.assert_upgraded("A");
        bed.assert_upgraded("B");
        // The companion's content before each of them, and no staged or displaced file.
        let kept = bed.names("shared");
        assert!(
            kept.len() == 3 && kept[1..].iter().all(|name| name.starts_with("auth.json.v1-v2-")),
            "{kept:?}"
        );
    }
}

/// The undo of a legacy journal works on the companion, and only the undo.
#[test]
fn what_the_legacy_daemon_left_is_undone_in_turn_as_well() {
    let bed = Bed::new();
    let (of_b, backup) =
        (|name: &str| bed.path("B").join(name), bed.path("shared/auth.json.v1-v2-3fa9c1d2"));
    std::fs::copy(bed.database("B"), of_b("data.db.building-3fa9c1d2")).unwrap();
    std::fs::write(&backup, "v1 of B").unwrap();
    let journal = serde_json::json!({
        "version": 1, "source": of_b("data.db"), "normalizedSource": of_b("data.db.source-3fa9c1d2"), "staging": of_b("data.db.building-3fa9c1d2"),
        "backup": of_b("data.db.v1-v2-1782718800000-3fa9c1d2"), "authPath": bed.auth(), "authBackup": backup, "authExisted": true,
        "nonce": "3fa9c1d2", "keychainBackups": null, "phase": "built",
    });
    std::fs::write(of_b("data.db.v1-v2-migration.json"), journal.to_string()).unwrap();
    let mut first = bed.upgrade("A", "build-host");
    first.wait_for("stopped");
    let error = cutover::migrate(&bed.options("B"), &mut App::default()).unwrap_err();
    assert_eq!(error.failure.code, Code::Owned, "{}", error.failure);
    assert!(bed.content() == "v1" && backup.exists(), "{}", bed.content());
    first.go_on();
    assert_eq!(first.ends(), "ended Ok((Migrated, None))");
    let result = cutover::migrate(&bed.options("B"), &mut App::default()).unwrap();
    assert_eq!((result.outcome, result.recovery), (Outcome::Migrated, Recovery::Undone));
    assert_eq!(bed.content(), "v1 of B+B");
}

#[test]
fn two_processes_at_once_lose_nothing_in_either_order() {
    for _ in 0..5 {
        let bed = Bed::new();
        let both = [bed.upgrade("A", ""), bed.upgrade("B", "")];
        for one in both {
            assert_eq!(one.ends(), "ended Ok((Migrated, None))");
        }
        assert!(["v1+A+B", "v1+B+A"].contains(&bed.content().as_str()), "{}", bed.content());
        bed.assert_upgraded("A");
        bed.assert_upgraded("B");
        assert_eq!(bed.names("shared").len(), 3, "{:?}", bed.names("shared"));
    }
}

/// The other directory upgrades at once. Its content is then in the companion, or kept beside it.
/// The latter happens if the killed upgrade's recovery puts the companion back to what it was before
/// the build, or installs what was staged already.
#[test]
fn a_killed_holder_no_longer_holds_the_lock() {
    let (seen, kept_beside) =
        (["check", "lock-v1", "link"], ["build-host", "rename auth/auth.json"]);
    for op in seen.iter().chain(&kept_beside) {
        let bed = Bed::new();
        let mut first = bed.upgrade("A", op);
        first.wait_for("stopped");
        first.child.kill().unwrap();
        first.child.wait().unwrap();
        let options = |directory| bed.options(directory).wait_ms(0);
        assert_eq!(
            cutover::migrate(&options("B"), &mut App::default()).unwrap().outcome,
            Outcome::Migrated
        );
        assert_eq!(bed.content(), "v1+B");
        assert_eq!(
            cutover::migrate(&options("A"), &mut App::default()).unwrap().outcome,
            Outcome::Migrated
        );
        bed.assert_upgraded("A");
        bed.assert_upgraded("B");
        let beside = bed.names("shared").into_iter().find(|name| name.contains(".displaced-"));
        let beside =
            beside.map(|name| std::fs::read_to_string(bed.path("shared").join(name)).unwrap());
        let expected = if seen.contains(op) { ("v1+B+A", None) } else { ("v1+A", Some("v1+B")) };
        assert_eq!((bed.content().as_str(), beside.as_deref()), expected, "killed before {op}");
    }
}
