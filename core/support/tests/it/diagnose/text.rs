//! A text alone: a plan, a journal, a receipt, a line of a log, a newer text, a text that is cut short,
//! and noise.

use super::*;

#[test]
fn a_plan_is_judged() {
    for (form, plan) in migrations() {
        let found = text(&plan.to_text());
        assert_eq!(
            (found.kind, found.safety),
            (Kind::Plan, Safety::Safe),
            "{form}: {:?}",
            found.findings
        );
    }
    let mut plan = plan_migration(&directory(), &request(BuildBy::Sql, BuildFrom::Empty)).unwrap();
    let link = plan.steps.iter().position(|step| step.op.name() == "link").unwrap();
    plan.steps.remove(link);
    plan.flip_at = plan.flip_at.map(|at| at - 1);
    plan.cleanup_from = plan.cleanup_from.map(|at| at - 1);
    let found = text(&plan.to_text());
    assert_eq!(found.safety, Safety::NotSafe);
    assert_eq!(found.findings[0].step, u32::try_from(link).ok());
    assert_eq!(
        found.findings[0].why.as_deref(),
        Some("a hard link gives v1 its backup's name while v1 stays canonical")
    );
    assert!(!found.reply.contains("Your data"));
    let mut hostile = serde_json::to_value(&plan).unwrap();
    hostile["steps"][0]["do"]["file"] = json!("../elsewhere");
    let found = text(&hostile.to_string());
    assert_eq!(
        (found.safety, found.findings[0].kind),
        (Safety::NotSafe, cutover_core::FindingKind::Structure)
    );
}

#[test]
fn journals_and_receipts_alone_prove_nothing() {
    for phase in [Phase::Building, Phase::Built, Phase::Committed] {
        let found = text(&journal(phase).to_text());
        assert_eq!((found.kind, found.safety), (Kind::Journal, Safety::CannotTell));
        assert!(found.because.contains(phase.as_str()) && found.action.contains("folder"));
    }
    for phase in ["built", "canonical-moved"] {
        let found = text(&legacy_journal(phase));
        assert_eq!((found.kind, found.safety), (Kind::Journal, Safety::CannotTell));
        assert!(found.because.contains(&format!("phase {phase}.")), "{}", found.because);
        assert!(found.v2.says.contains("data.db.building-0f0f0f0f"), "{}", found.v2.says);
    }
    let found = text(&journal(Phase::Committed).receipt(NOW_MS).to_text());
    assert_eq!((found.kind, found.safety), (Kind::Receipt, Safety::CannotTell));
    assert_eq!(found.v1.file.as_deref(), Some(our_names().backup.as_str()));
}

#[test]
fn a_line_is_explained_and_none_is_called_safe() {
    for (line, safety, code) in [
        ("#IO:fsync:EIO", Safety::CannotTell, Code::Io),
        ("OWNED", Safety::CannotTell, Code::Owned),
        ("2026-11-21 ERROR [cutover:NOT_A_DATABASE]", Safety::NotSafe, Code::NotADatabase),
        ("EPERM: operation not permitted, fsync", Safety::CannotTell, Code::Io),
        (
            "Error: EBUSY: resource busy or locked, rename 'C:\\a\\data.db' -> 'C:\\a\\x'",
            Safety::CannotTell,
            Code::Io,
        ),
        ("ENOSPC: no space left on device, write", Safety::CannotTell, Code::Io),
    ] {
        let found = text(line);
        assert_eq!(
            (found.kind, found.safety, found.explanation.map(|e| e.code)),
            (Kind::Line, safety, Some(code)),
            "{line}"
        );
    }
    let whole = Failure::refusal(Code::Verify, "what was built is wrong", "tell the author")
        .with_v1(&canonical());
    let found = text(&format!("[boot] {whole} at start"));
    assert_eq!(
        (found.safety, found.v1.file.as_deref()),
        (Safety::CannotTell, Some("data.db")),
        "{}",
        found.because
    );
    let damaged =
        Failure::refusal(Code::V1Corrupt, "it is damaged", "restore it").with_v1(&canonical());
    assert_eq!(text(&damaged.to_string()).safety, Safety::NotSafe);
    for line in [
        "",
        "Unknown error",
        "fsync",
        "EPERMANENT",
        "cutover:",
        "hello world, this is a log",
        "{\"a\":1}",
        "{",
        "[]",
    ] {
        let found = text(line);
        assert_eq!((found.kind, found.safety), (Kind::Unknown, Safety::CannotTell), "{line}");
    }
}

#[test]
fn a_newer_bundle_is_said_to_be_newer() {
    let found = text("{\"version\":2,\"observation\":{},\"more\":1}");
    assert_eq!((found.kind, found.safety), (Kind::Bundle, Safety::CannotTell));
    assert!(
        found.because.contains("newer release wrote this bundle")
            && found.action.contains("newer release"),
        "{}",
        found.because
    );
    let mut known: Value = serde_json::to_value(bundle(settled(), Check::Sound, None)).unwrap();
    known["more"] = json!(1);
    let found = text(&known.to_string());
    assert!(
        found.safety == Safety::CannotTell && found.because.contains("unknown field `more`"),
        "{}",
        found.because
    );
}

#[test]
fn what_is_cut_short_is_not_judged_by_what_is_left() {
    let mut made = bundle(settled(), Check::Sound, None);
    made.last_error = Some(
        Failure::refusal(Code::Verify, "what was built is wrong", "tell the author")
            .with_v1(&canonical()),
    );
    let whole = made.to_text();
    let found = text(&whole[..whole.len() - 3]);
    assert_eq!((found.kind, found.safety), (Kind::Unknown, Safety::CannotTell));
    assert!(found.because.contains("cut short"), "{}", found.because);
    // The last line of a long log, whose lines are JSON.
    let log = format!(
        "{}{{\"msg\":\"boot [cutover:NO_SPACE:copy]\"}}\n",
        "{\"msg\":\"fine\"}\n".repeat(100_000)
    );
    assert_eq!(text(&log).explanation.unwrap().code, Code::NoSpace);
}

proptest! {
    /// No text makes `diagnose` panic, and no text from elsewhere is called safe.
    #[test]
    fn noise_is_never_safe(noise in any::<String>(), cut in any::<prop::sample::Index>()) {
        prop_assert_ne!(text(&noise).safety, Safety::Safe);
        let whole = bundle(interrupted(&journal(Phase::Built)), Check::Sound, None).to_text();
        let mut at = cut.index(whole.len());
        while !whole.is_char_boundary(at) {
            at -= 1;
        }
        if !whole[at..].trim().is_empty() {
            prop_assert_ne!(text(&whole[..at]).safety, Safety::Safe);
            let spoilt = format!("{}{noise}{}", &whole[..at], &whole[at..]);
            let _ = text(&spoilt);
        }
    }
}
