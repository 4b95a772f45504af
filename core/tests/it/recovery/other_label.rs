//! The application was updated after a start was interrupted, and its label changed: these tests
//! check what is ended without the release that began it, and what is not.

use cutover_core::{
    BuildBy, BuildFrom, Code, Companion, FileFacts, Journal, JournalMode, Label, Next, Observation,
    Op, Phase, Plan, PlanKind, Platform, Request, Verdict, assess, assess_left, plan_recovery,
    refuse_given, validate, validate_request,
};

use cutover_world::{
    auth, canonical, database, flip, interrupted, journal, me, name, new_nonce, our_journal,
    our_names, request, v1, v2, with_auth, with_companion,
};

use super::{has, overtaken};

fn other() -> Label {
    Label::new("v1-v3").unwrap()
}

/// A journal whose callback saved no state.
fn stateless(phase: Phase) -> Journal {
    Journal { host_state: None, ..journal(phase) }
}

/// The plan of the new release, which performs it if it is given.
fn planned(seen: &Observation) -> Plan {
    let plan = plan_recovery(seen, &other(), &new_nonce()).unwrap().unwrap();
    let request = Request { label: other(), ..request(BuildBy::Sql, BuildFrom::Empty) };
    assert_eq!(validate(&plan, None), []);
    assert_eq!(validate_request(&plan, Some(seen), Some(&request)), []);
    refuse_given(&plan, seen, &request, &[]).unwrap();
    plan
}

fn is_refused(seen: &Observation, what: &str) {
    let failure = plan_recovery(seen, &other(), &new_nonce()).unwrap_err();
    assert_eq!(
        (failure.code, failure.path.as_deref()),
        (Code::Journal, Some(our_journal().as_str()))
    );
    assert!(failure.hint.contains(r#"recover({ label: "v1-v2", ... })"#), "{what}: {failure}");
}

/// Whatever the new release's `detect` says of it.
fn for_every_verdict(seen: &Observation, check: impl Fn(&Observation)) {
    for verdict in [Verdict::Old, Verdict::Current, Verdict::Newer] {
        check(&Observation { verdict: Some(verdict), ..seen.clone() });
    }
}

#[test]
fn v1_stays_and_what_was_begun_is_undone() {
    let mut built = interrupted(&stateless(Phase::Built));
    built.files.insert(our_names().install, v2());
    let mut linked = built.clone();
    linked.files.insert(our_names().backup, v1());
    let mut written = built.clone();
    written.files.insert(canonical(), database("1", JournalMode::Wal, 8));
    let mut copied = built.clone();
    copied.files.insert(canonical(), database("11", JournalMode::Delete, 7));
    let building = interrupted(&stateless(Phase::Building));
    for seen in [built, linked, written, copied, building] {
        for platform in [Platform::Linux, Platform::Windows] {
            for_every_verdict(&Observation { platform, ..seen.clone() }, |seen| {
                let plan = planned(seen);
                assert_eq!(plan.kind, PlanKind::Undo);
                assert!(has(&plan, |op| *op == Op::UndoHost {}), "the new release may know how");
                assert!(!has(&plan, |op| matches!(op, Op::PageCopy { .. } | Op::Link { .. })));
            });
        }
    }
}

#[test]
fn v2_in_place_is_finished() {
    let mut flipped = interrupted(&stateless(Phase::Built));
    flip(&mut flipped);
    let mut used = flipped.clone();
    used.files.insert(canonical(), FileFacts { size: 12288, ..database("2", JournalMode::Wal, 9) });
    let mut copied = flipped.clone();
    copied.files.insert(canonical(), FileFacts { file_id: "12".into(), ..v2() });
    copied.files.insert(our_names().backup, FileFacts { file_id: "11".into(), ..v1() });
    for seen in [flipped, used, copied] {
        for_every_verdict(&seen, |seen| {
            let plan = planned(seen);
            assert_eq!(plan.kind, PlanKind::Finish);
            assert!(has(&plan, |op| matches!(op, Op::WriteReceipt { .. })));
        });
    }
    // What the application saved is handed to its `cleanup`, as it is beside `committed`.
    let mut saved = interrupted(&journal(Phase::Built));
    flip(&mut saved);
    let plan = planned(&saved);
    assert!(plan.kind == PlanKind::Finish && has(&plan, |op| *op == Op::CleanupHost {}));
    assert!(plan.journal.unwrap().host_state.is_some());
}

/// Windows: v1 changed between its check and the flip.
#[test]
fn a_v1_that_changed_at_the_flip_is_put_back() {
    let mut seen = overtaken(&stateless(Phase::Built));
    seen.verdict = None;
    let plan = planned(&seen);
    assert_eq!(plan.kind, PlanKind::Undo);
    assert!(has(&plan, |op| matches!(op, Op::Rename { to, .. } if *to == (&canonical()).into())));
    is_refused(&overtaken(&journal(Phase::Built)), "a saved state");
}

#[test]
fn what_needs_the_release_that_began_it_waits_for_it() {
    for phase in [Phase::Building, Phase::Built] {
        is_refused(&interrupted(&journal(phase)), "a saved state");
        let companions = |staged| with_companion(stateless(phase), staged);
        // Declared nowhere, and so neither put back nor installed.
        is_refused(&interrupted(&companions(true)), "an undeclared companion");
        let mut in_place = with_auth(interrupted(&companions(false)));
        assert_eq!(planned(&in_place).kind, PlanKind::Undo, "it was not changed");
        let facts = in_place.companions.get_mut(&auth()).unwrap();
        facts.digest = Some("written in place".into());
        is_refused(&in_place, "a companion written in place");
        let facts = in_place.companions.get_mut(&auth()).unwrap();
        facts.present.push(name("auth.json.building-3fa9c1d2"));
        assert_eq!(planned(&in_place).kind, PlanKind::Undo, "it was staged, and another wrote it");
        let made = Journal {
            companions: vec![Companion { before: None, ..companions(false).companions[0].clone() }],
            ..stateless(phase)
        };
        is_refused(&with_auth(interrupted(&made)), "a new companion written in place");
    }
    // A page copy that was begun.
    let mut copying = interrupted(&stateless(Phase::Installing));
    copying.files.insert(our_names().install, v2());
    is_refused(&copying, "a page copy");
    // Neither file is known, and canonical is neither as v1 was settled nor as v2 was built.
    let mut unknown = interrupted(&stateless(Phase::Built));
    flip(&mut unknown);
    let mut bytes = cutover_world::header_bytes(JournalMode::Delete, 3);
    bytes[43] = 7;
    let header = cutover_core::Header::parse(&bytes).unwrap();
    let facts = FileFacts { header: Some(header), page1: None, file_id: "99".into(), size: 1 };
    unknown.files.insert(canonical(), facts);
    is_refused(&unknown, "another database");
}

#[test]
fn canonical_missing_or_unreadable_is_refused_as_ever() {
    let refused =
        |seen: &Observation| plan_recovery(seen, &other(), &new_nonce()).unwrap_err().code;
    let mut seen = interrupted(&stateless(Phase::Built));
    seen.verdict = None;
    assert_eq!(refused(&seen), Code::V1Corrupt);
    seen.files.remove(&canonical());
    assert_eq!(refused(&seen), Code::Journal);
    let held = Observation { holders: vec![me()], ..interrupted(&stateless(Phase::Building)) };
    assert_eq!(assess(&held, &other(), &new_nonce()).unwrap_err().code, Code::Held);
}

/// The new release's `undo` failed: no upgrade of another label takes that over.
#[test]
fn an_undo_that_fails_under_another_label_waits_for_the_release_that_began_it() {
    let seen = interrupted(&stateless(Phase::Building));
    let undone = [our_journal()];
    let failure = assess_left(&seen, &undone, &other(), &new_nonce()).unwrap_err();
    assert_eq!(failure.code, Code::Journal);
    assert!(failure.hint.contains(r#"recover({ label: "v1-v2", ... })"#), "{failure}");
    assert_eq!(failure.data.v1.as_deref(), Some(canonical().as_str()));
    let own = assess_left(&seen, &undone, &cutover_world::label(), &new_nonce());
    assert_eq!(own, Ok(Next::Migrate));
}
