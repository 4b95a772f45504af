//! The planner refuses files that it cannot read and the journal of another label, and sets a
//! hostile journal aside: these tests give it each.

use cutover_core::{Code, Label, Phase, PlanKind, Verdict, journal_aside_name, plan_recovery};

use cutover_world::{
    canonical, directory, flip, interrupted, journal, new_nonce, our_journal, our_names,
    put_journal, v1,
};

use super::{legacy_at, planned, refused, renames};

#[test]
fn what_cannot_be_read_is_refused_and_names_what_could_be_chosen() {
    let backup = our_names().backup;
    // Canonical missing, or there and not whole.
    let mut missing = interrupted(&journal(Phase::Built));
    missing.files.remove(&canonical());
    missing.verdict = None;
    missing.files.insert(backup.clone(), v1());
    let failure = refused(&missing);
    assert_eq!(failure.code, Code::Journal);
    assert!(
        failure.hint.contains(backup.as_str()) && failure.hint.contains("nothing was touched"),
        "{}",
        failure.hint
    );
    let mut damaged = interrupted(&journal(Phase::Built));
    damaged.verdict = None;
    assert_eq!(refused(&damaged).code, Code::V1Corrupt);
    // An unreadable journal and no whole canonical.
    for text in [Some("{"), None] {
        let mut seen = missing.clone();
        seen.journals.insert(our_journal(), text.map(str::to_owned));
        let failure = refused(&seen);
        assert_eq!(failure.code, Code::Journal);
        assert_eq!(failure.path.as_deref(), Some(our_journal().as_str()));
        assert!(
            failure.hint.contains(backup.as_str()) && failure.hint.contains("remove the journal"),
            "{}",
            failure.hint
        );
    }
    let mut nothing = missing;
    nothing.files.remove(&backup);
    assert!(refused(&nothing).hint.contains("your own backups"));
    // A legacy one: there is neither a v2 to install nor a v1 to move back.
    assert_eq!(refused(&legacy_at("canonical-moved", None, true, false)).code, Code::Journal);
    let mut unreadable = legacy_at("built", Some(Verdict::Old), true, false);
    unreadable.verdict = None;
    assert_eq!(refused(&unreadable).code, Code::V1Corrupt);
}

#[test]
fn another_label_waits_until_its_own_release_has_finished() {
    let other = Label::new("v2-v3").unwrap();
    for phase in [Phase::Building, Phase::Built, Phase::Installing] {
        let failure =
            plan_recovery(&interrupted(&journal(phase)), &other, &new_nonce()).unwrap_err();
        assert_eq!(failure.code, Code::Journal, "{phase:?}");
        assert!(failure.to_string().contains("v1-v2"), "{}", failure.to_string());
        assert!(failure.hint.contains(r#"recover({ label: "v1-v2", ... })"#), "{}", failure.hint);
    }
    let mut committed = interrupted(&journal(Phase::Committed));
    flip(&mut committed);
    assert_eq!(
        plan_recovery(&committed, &other, &new_nonce()).unwrap().unwrap().kind,
        PlanKind::Clean,
        "only cleaning up is left"
    );
    // A journal under the name of another label.
    let mut seen = directory();
    put_journal(
        &mut seen,
        &cutover_core::journal_name(&canonical(), &other),
        &journal(Phase::Building).to_text(),
    );
    assert_eq!(planned(&seen).kind, PlanKind::SetAside);
}

/// What a hostile journal asks for is never planned.
#[test]
fn a_hostile_journal_touches_nothing_but_itself() {
    let text = journal(Phase::Committed).to_text();
    for (from, to) in [
        ("data.db.install-3fa9c1d2", "data.db"),
        ("data.db.building-3fa9c1d2", "passwords.kdbx"),
        ("data.db.source-3fa9c1d2", "../other/data.db"),
        ("data.db.v1-v2-1782718800000-3fa9c1d2", "data.db"),
        ("\"nonce\": \"3fa9c1d2\"", "\"nonce\": \"ffffffff\""),
    ] {
        let hostile = text.replace(from, to);
        assert_ne!(hostile, text);
        let mut seen = interrupted(&journal(Phase::Committed));
        put_journal(&mut seen, &our_journal(), &hostile);
        let plan = planned(&seen);
        assert_eq!(plan.kind, PlanKind::SetAside, "{to}");
        let touched: Vec<&str> = plan.steps.iter().map(|step| step.op.name()).collect();
        assert_eq!(touched, ["sync-dir", "rename", "sync-dir"], "{to}");
        assert!(
            renames(&plan, &our_journal(), &journal_aside_name(&our_journal(), &new_nonce())),
            "{to}"
        );
        assert!(plan.steps[1].why.contains("cannot be used"), "{}", plan.steps[1].why);
    }
}
