//! What a bundle leaves out, and what the next start does.

use super::*;

#[test]
fn a_bundle_leaves_out_what_is_the_applications() {
    let mut kept = with_companion(journal(Phase::Built), true);
    kept.companions[0].path = "/home/ann/app/auth.json".into();
    kept.companions[0].relative = "../../home/ann/app/auth.json".into();
    kept.host_state = Some(json!({ "token": "SECRET" }));
    kept.report = Some(json!({ "name": "SECRET" }));
    let ours = Warning {
        from: WarningFrom::Cutover,
        code: None,
        message: "was at /home/ann/app/auth.json".into(),
    };
    let failed = Warning {
        from: WarningFrom::Cutover,
        code: Some("HOST".into()),
        message: "the application's cleanup failed: SECRET".into(),
    };
    kept.warnings = vec![
        Warning { from: WarningFrom::Host, code: None, message: "SECRET".into() },
        ours,
        failed,
    ];
    let mut observation = with_auth(interrupted(&kept));
    observation.companions.get_mut(&auth()).unwrap().relative = "..\\ann\\auth.json".into();
    put_journal(
        &mut observation,
        &name("data.db.v1-v2-migration.json"),
        &json!({ "source": "/home/ann/app/data.db", "keychainBackups": ["SECRET"] }).to_string(),
    );
    let mut made = bundle(observation, unchecked(), None);
    made.path = "/home/ann/app/data.db".into();
    made.receipts.insert(receipt_name(&our_names().backup), Some(kept.receipt(NOW_MS).to_text()));
    made.last_error = Some(Failure::refusal(Code::Host, "SECRET", "see /home/ann/app"));
    made.events = vec![
        Event::Warning { warning: kept.warnings[0].clone() },
        Event::Warning { warning: kept.warnings[1].clone() },
        Event::Warning { warning: kept.warnings[2].clone() },
        Event::Undo { reason: "the build failed: SECRET".into() },
    ];
    assert!(made.to_text().contains("SECRET") && made.to_text().contains("/home/ann"));
    let text = made.redacted(&["/home/ann".into()]).to_text();
    assert!(!text.contains("SECRET"), "{text}");
    assert!(
        !text.contains("/ann")
            && !text.contains("\\ann")
            && text.contains("../../home/~/app/auth.json")
            && text.contains("..\\\\~\\\\auth.json"),
        "{text}"
    );
    assert!(!text.contains("/home/ann") && text.contains("~/app/data.db"), "{text}");
    // The text is still a journal.
    let value: Value = serde_json::from_str(&text).unwrap();
    let text = value["observation"]["journals"][our_journal().as_str()].as_str().unwrap();
    assert_eq!(Journal::parse(text, &canonical()).unwrap().phase, Phase::Built);
}

/// For example, a support person runs the doctor as root on another user's database, and a refusal
/// quotes a path.
#[test]
fn no_home_of_any_user_is_told() {
    let mut kept = with_companion(journal(Phase::Built), true);
    kept.companions[0].path = "/home/bob/app/auth.json".into();
    kept.companions[0].relative = "../../home/bob/app/auth.json".into();
    let mut observation = with_auth(interrupted(&kept));
    observation.companions.get_mut(&auth()).unwrap().path = "/Users/cid/auth.json".into();
    let legacy =
        json!({ "source": "C:\\Users\\dora\\x.db", "authPath": "/var/home/evelyn/auth.json" });
    put_journal(&mut observation, &name("data.db.v1-v2-migration.json"), &legacy.to_string());
    let mut made = bundle(observation, unchecked(), None);
    made.path = "/srv/home/fay/data.db".into();
    let plan = made.next.plan.as_mut().unwrap();
    plan.steps[0].why =
        format!("the journal cannot be used (source {:?})", "C:\\Users\\dora\\x.db");
    let why = "/home/bob/app/auth.json is in the way".to_owned();
    made.events = vec![Event::Step {
        op: cutover_core::OpName::Look,
        file: None,
        why,
        index: 0,
        total: 1,
        undo: false,
    }];
    let text = made.redacted(&["/root".into()]).to_text();
    for who in ["bob", "cid", "dora", "evelyn", "fay"] {
        assert!(!text.contains(who), "{who}: {text}");
    }
}

#[test]
fn homes_are_shortened_and_nothing_else() {
    let homes =
        ["/home/ann".to_owned(), "C:\\Users\\Ann\\".to_owned(), "/".to_owned(), String::new()];
    for (text, short) in [
        ("/home/ann/app/data.db", "~/app/data.db"),
        ("/home/anna/data.db", "/home/anna/data.db"),
        ("held: /home/ann, /home/ann/x", "held: ~, ~/x"),
        ("C:\\Users\\Ann\\AppData\\data.db", "~\\AppData\\data.db"),
        ("/root/data.db", "/root/data.db"),
    ] {
        assert_eq!(shorten(text, &homes), short);
    }
}

#[test]
fn what_the_next_start_does_is_told_without_detect() {
    let none = BTreeMap::new();
    let next = next_start(&settled(), &none);
    assert_eq!((next.does, next.canonical), (Does::AskDetect, Canonical::Unknown));
    let mut empty = settled();
    empty.files.clear();
    assert_eq!(next_start(&empty, &none).does, Does::BeginNew);
    let next = next_start(&interrupted(&journal(Phase::Built)), &none);
    assert_eq!((next.does, next.canonical), (Does::Recover, Canonical::V1));
}
