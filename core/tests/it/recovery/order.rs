//! The order of the rules decides where two of them fit: these tests give the planner such files.

use cutover_core::{
    Code, Op, Phase, PlanKind, Verdict, journal_aside_name, journal_tmp_name, legacy_journal_name,
};

use cutover_world::{
    canonical, directory, flip, interrupted, journal, label, name, new_nonce, our_journal,
    our_names, plain, put_journal, v1, v2,
};

use super::{built, has, legacy_text, planned, recover, refused, renames};

#[test]
fn no_trace_of_an_upgrade_is_no_plan() {
    assert_eq!(recover(&directory()), Ok(None));
    let mut left = directory();
    for file in [
        "data.db.v1-v2-1-00000000",
        "data.db.v1-v2-1-00000000.json",
        "data.db.building-00000000",
        "data.db.v1-v2-cutover.json.aside-00000000",
    ] {
        left.files.insert(name(file), plain("x", 1));
    }
    assert_eq!(
        recover(&left),
        Ok(None),
        "left-overs without a journal may be a person's files: none is removed"
    );
}

/// Nothing may be undone once canonical is v2, whatever the phase says.
#[test]
fn canonical_is_v2_comes_before_the_phase() {
    for phase in [Phase::Building, Phase::Built, Phase::Installing, Phase::Committed] {
        for verdict in [Verdict::Current, Verdict::Newer] {
            let mut seen = interrupted(&journal(phase));
            seen.files.insert(our_names().install, v2());
            flip(&mut seen);
            seen.verdict = Some(verdict);
            let plan = planned(&seen);
            assert!(matches!(plan.kind, PlanKind::Finish | PlanKind::Clean), "{phase:?}");
            assert_eq!(plan.undo, [], "{phase:?}");
            assert!(
                !has(&plan, |op| matches!(
                    op,
                    Op::UndoHost {} | Op::RemoveLink { .. } | Op::RestoreMode { .. }
                )),
                "{phase:?}"
            );
            assert!(has(&plan, |op| *op == Op::CleanupHost {}), "{phase:?}");
        }
    }
}

/// Files that two rules fit: each pair of rules has two outcomes, so the order decides.
#[test]
fn the_order_of_the_rows_decides() {
    // `building` before `built`: even with v2 whole and v1 unchanged a `building` is undone, because
    // that v2 was not checked.
    let mut seen = interrupted(&journal(Phase::Building));
    seen.files.insert(our_names().install, v2());
    assert_eq!(planned(&seen).kind, PlanKind::Undo);
    // "canonical is v2" before "v1 unchanged": a v2 that bears v1's fingerprint is not flipped
    // again.
    let mut seen = built("data.db.install-3fa9c1d2");
    seen.verdict = Some(Verdict::Current);
    seen.files.insert(our_names().backup, v1());
    let plan = planned(&seen);
    assert_eq!((plan.kind, plan.flip_at), (PlanKind::Finish, None));
    // Without a backup another program made this v2: it gets no receipt of ours.
    seen.files.remove(&our_names().backup);
    let plan = planned(&seen);
    assert_eq!(plan.kind, PlanKind::Clean);
    assert!(!has(&plan, |op| matches!(op, Op::WriteReceipt { .. })));
    // The legacy journal before ours, readable or not.
    let mut seen = interrupted(&journal(Phase::Built));
    let legacy = legacy_text("built").to_string();
    put_journal(
        &mut seen,
        &legacy_journal_name(&canonical()),
        &legacy.replace("3fa9c1d2", "0badc0de"),
    );
    assert_eq!(planned(&seen).journal.unwrap().file(), legacy_journal_name(&canonical()));
    // Unless ours took the legacy one over: then it has its nonce.
    put_journal(&mut seen, &legacy_journal_name(&canonical()), &legacy);
    assert_eq!(planned(&seen).journal.unwrap().file(), our_journal());
    put_journal(&mut seen, &legacy_journal_name(&canonical()), "torn");
    let plan = planned(&seen);
    assert!(renames(
        &plan,
        &legacy_journal_name(&canonical()),
        &journal_aside_name(&legacy_journal_name(&canonical()), &new_nonce())
    ));
    seen.journals.remove(&legacy_journal_name(&canonical()));
    assert_eq!(planned(&seen).journal.unwrap().file(), our_journal(), "and then ours");
    // A journal before a left-over tmp.
    let mut seen = interrupted(&journal(Phase::Building));
    seen.files.insert(journal_tmp_name(&canonical(), &label(), &new_nonce()), plain("t", 1));
    assert_eq!(planned(&seen).kind, PlanKind::Undo);
    // A newer journal before "unreadable": it is not set aside, since the newer release can go on
    // with it.
    let mut seen = directory();
    put_journal(&mut seen, &our_journal(), r#"{"version":3,"phase":"built"}"#);
    let failure = refused(&seen);
    assert_eq!(failure.code, Code::Newer);
    assert!(failure.to_string().contains("start the newer release"), "{}", failure.to_string());
    put_journal(&mut seen, &our_journal(), r#"{"version":1}"#);
    assert_eq!(planned(&seen).kind, PlanKind::SetAside);
}
