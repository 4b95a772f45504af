//! A start finds a journal that is lost, torn or not its own, or a file that the journal does not
//! know.

use cutover::{Code, Outcome, Recovery};
use rusqlite::Connection;
use serde_json::Value;

use super::{Bed, count, real};
use crate::support::notes::V1;

/// A person removed the journal, so nothing tells which upgrade the files belong to. cutover
/// touches none of them, and `inspect` lists all.
#[test]
fn what_a_lost_journal_leaves_is_listed_and_left_alone() {
    let bed = Bed::interrupted_before("link");
    std::fs::remove_file(bed.path("data.db.v1-v2-cutover.json")).unwrap();
    let orphan = bed.find(".building-");
    let bytes = std::fs::read(&orphan).unwrap();
    let listed = || {
        cutover::inspect(&bed.path("data.db"), &[].into())
            .unwrap()
            .leftovers
            .into_keys()
            .map(|name| bed.path(name.as_str()))
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(), std::slice::from_ref(&orphan));
    assert_eq!(bed.migrate().unwrap().outcome, Outcome::Migrated);
    assert_eq!(listed(), std::slice::from_ref(&orphan));
    assert_eq!(std::fs::read(&orphan).unwrap(), bytes);
}

#[test]
fn a_file_that_has_the_backups_name_and_is_not_v1_is_kept() {
    let bed = Bed::interrupted_before("rename");
    let bed = if bed.names().iter().any(|name| name.contains(".v1-v2-1")) {
        bed
    } else {
        Bed::interrupted_before("link")
    };
    let journal: Value =
        serde_json::from_slice(&std::fs::read(bed.find("-cutover.json")).unwrap()).unwrap();
    let Some(name) = journal["names"]["backup"].as_str() else { panic!("{journal}") };
    let _ = std::fs::remove_file(bed.path(name));
    let other = Connection::open(bed.path(name)).unwrap();
    other.execute_batch(&format!("PRAGMA journal_mode = WAL; {V1}")).unwrap();
    other
        .execute_batch(
            "PRAGMA journal_mode = DELETE; INSERT INTO notes (text) VALUES ('only here')",
        )
        .unwrap();
    drop(other);
    let result = bed.migrate().unwrap();
    assert_eq!(result.recovery, Recovery::Undone);
    assert_eq!((count(&bed.path("data.db"), "note"), count(&bed.path(name), "notes")), (3, 4));
}

#[test]
fn an_unreadable_journal_beside_a_whole_database_is_set_aside() {
    let bed = Bed::new();
    std::fs::write(bed.path("data.db.v1-v2-cutover.json"), "{ torn").unwrap();
    std::fs::write(bed.path("data.db.building-0badc0de"), "left over").unwrap();
    let result = bed.migrate().unwrap();
    assert_eq!((result.outcome, result.recovery), (Outcome::Migrated, Recovery::SetAside));
    assert_eq!(result.warnings[0].code.as_deref(), Some("SET_ASIDE"));
    assert_eq!(std::fs::read(bed.find(".aside-")).unwrap(), b"{ torn");
    let message = &result.warnings[0].message;
    for path in [bed.find(".aside-"), bed.path("data.db.v1-v2-cutover.json")] {
        assert!(message.contains(real(&path).as_str()), "{message}");
    }
    assert!(message.contains("once"), "{message}");
    assert_eq!(
        std::fs::read(bed.find(".building-")).unwrap(),
        b"left over",
        "left-overs are reported and not removed"
    );
}

#[test]
fn what_cannot_be_recovered_is_refused_and_nothing_is_touched() {
    type Change<'a> = &'a dyn Fn(&str) -> String;
    let hostile = |text: &str| text.replace("data.db.building-", "../../building-");
    let newer = |text: &str| text.replace("\"version\": 2", "\"version\": 3");
    let other_label = |text: &str| {
        text.replace("v1-v2", "v0-v1").replace(r#""hostState": null"#, r#""hostState": 1"#)
    };
    let cases: [(Change<'_>, bool, Code, &str); 4] = [
        (&newer, false, Code::Newer, "start the newer release"),
        (&other_label, false, Code::Journal, "another upgrade of this database (v0-v1)"),
        (&hostile, true, Code::Journal, "choose a whole database among"),
        (&str::to_owned, true, Code::Journal, "the database itself is missing"),
    ];
    for (change, remove_canonical, code, says) in cases {
        let bed = Bed::interrupted_before("sync-file");
        let bed = if remove_canonical { Bed::interrupted_before("rename") } else { bed };
        let journal = bed.find("-cutover.json");
        let text = change(&std::fs::read_to_string(&journal).unwrap());
        let label = if text.contains("v0-v1") {
            "data.db.v0-v1-cutover.json"
        } else {
            "data.db.v1-v2-cutover.json"
        };
        // The journal of a flip says `built` from its first step on.
        std::fs::remove_file(&journal).unwrap();
        std::fs::write(bed.path(label), text).unwrap();
        if remove_canonical {
            std::fs::rename(bed.path("data.db"), bed.path("moved-away")).unwrap();
        }
        let before = bed.names();
        let error = bed.migrate().unwrap_err();
        assert_eq!(error.failure.code, code, "{}", error.failure);
        assert!(error.failure.to_string().contains(says), "{}", error.failure.to_string());
        assert_eq!(bed.names(), before);
    }
}
