use cutover_core::{
    Code, DataState, Failure, OpError, OpErrorKind, OsCode, Platform, explain_error,
};
use proptest::prelude::*;

use cutover_world::{another_program, canonical, name};

fn os(platform: Platform, raw: i32) -> OpError {
    OpError::new(OpErrorKind::Os { os: OsCode::of(platform, raw) }, "the system said so")
        .of(&name("data.db"))
}

#[test]
fn every_code_is_explained_from_its_own_message() {
    for &code in Code::ALL {
        let failure = Failure::refusal(code, "a reason", "a hint").of(&canonical());
        let explanation = explain_error(&failure.to_string()).unwrap();
        assert_eq!(explanation.code, code);
        assert_eq!((&explanation.op, &explanation.os), (&None, &None));
        for text in [&explanation.meaning, &explanation.data, &explanation.hint] {
            assert!(text.ends_with('.') && text.len() > 15, "{code:?}: {text:?}");
        }
        assert_eq!(
            serde_json::to_value(code).unwrap(),
            code.as_str(),
            "one word for it everywhere"
        );
    }
    let meanings: std::collections::BTreeSet<String> = Code::ALL
        .iter()
        .map(|code| explain_error(&format!("cutover:{}", code.as_str())).unwrap().meaning)
        .collect();
    assert_eq!(meanings.len(), Code::ALL.len(), "each says something of its own");
}

#[test]
fn a_message_says_what_where_why_and_what_to_do_and_ends_with_its_code() {
    let mut failure = Failure::from_fault(&os(Platform::Windows, 32), "rename", false);
    failure.holders = vec![another_program()];
    failure = failure.with_v1(&canonical());
    failure.in_directory("C:\\app", '\\');
    assert_eq!(
        failure.to_string(),
        "cutover: rename failed on C:\\app\\data.db: the system said so (ERROR_SHARING_VIOLATION, \
         32); held by backupd (pid 7); your data is untouched, in C:\\app\\data.db; the file is in use \
         by the system (a mount point, or another program); free it and start again \
         [cutover:IO:rename:EBUSY]"
    );
    assert_eq!(failure.data.state, DataState::V1);
    let explanation = explain_error(&failure.to_string()).unwrap();
    assert_eq!(
        (explanation.code, explanation.op.as_deref(), explanation.os.as_deref()),
        (Code::Io, Some("rename"), Some("EBUSY"))
    );
}

#[test]
fn a_log_line_is_enough() {
    for (line, code, op, os) in [
        (
            "2026-11-21T09:00:00Z ERROR boot [cutover:IO:sync-dir:EIO] exiting",
            Code::Io,
            Some("sync-dir"),
            Some("EIO"),
        ),
        (
            "CutoverError: cutover: data.db: x; y [cutover:NOT_A_DATABASE]",
            Code::NotADatabase,
            None,
            None,
        ),
        ("cutover:NO_SPACE:copy", Code::NoSpace, Some("copy"), None),
        ("cutover:IO:EACCES.", Code::Io, None, Some("EACCES")),
        ("{\"msg\":\"cutover:HELD:look\"}", Code::Held, Some("look"), None),
        (
            "cutover:NOPE cutover: cutover:cutover:STILL_OLD:detect",
            Code::StillOld,
            Some("detect"),
            None,
        ),
        (
            "/home/cutover:x/data.db [cutover:IO:rename:E9999]",
            Code::Io,
            Some("rename"),
            Some("E9999"),
        ),
    ] {
        let explanation = explain_error(line).unwrap_or_else(|| panic!("{line}"));
        assert_eq!(
            (explanation.code, explanation.op.as_deref(), explanation.os.as_deref()),
            (code, op, os),
            "{line}"
        );
    }
    for line in [
        "",
        "Unknown error",
        "cutover",
        "cutover:",
        "cutover: rename failed",
        "cutover:io",
        "CUTOVER:IO",
        "cutover:IOX",
    ] {
        assert_eq!(explain_error(line), None, "{line:?}");
    }
}

/// What a fault is called, for every cause there is.
#[test]
fn each_cause_has_its_code() {
    for (cause, code) in [
        (OpErrorKind::Busy, Code::Held),
        (OpErrorKind::Held { holders: vec![another_program()] }, Code::Held),
        (OpErrorKind::V1Changed, Code::Held),
        (OpErrorKind::CompanionChanged, Code::Held),
        (OpErrorKind::Sidecar, Code::Held),
        (OpErrorKind::NotADatabase, Code::NotADatabase),
        (OpErrorKind::V1Corrupt, Code::V1Corrupt),
        (OpErrorKind::Verify, Code::Verify),
        (OpErrorKind::StillOld, Code::StillOld),
        (OpErrorKind::Newer, Code::Newer),
        (OpErrorKind::Host, Code::Host),
        (OpErrorKind::Sqlite, Code::Io),
        (OpErrorKind::Aborted, Code::Aborted),
    ] {
        let failure = Failure::from_fault(&OpError::new(cause.clone(), "why"), "settle", false);
        assert_eq!(failure.code, code, "{cause:?}");
        assert!(
            failure.to_string().contains("settle failed: why") && !failure.hint.is_empty(),
            "{}",
            failure.to_string()
        );
        assert_eq!(explain_error(&failure.to_string()).unwrap().op.as_deref(), Some("settle"));
    }
    assert_eq!(Failure::from_fault(&os(Platform::Linux, 28), "copy", true).code, Code::NoSpace);
}

/// What people meet under a code is in its explanation, and nothing is promised that does not hold: an
/// undo of another label's upgrade that fails is `JOURNAL` as well.
#[test]
fn an_explanation_names_every_usual_cause() {
    let named: [(Code, &[&str]); 4] = [
        (Code::Owned, &["Another instance", "this process itself", "`options.lock`"]),
        (Code::NoSpace, &["free space", "quota", "temporary folder", "SQLITE_TMPDIR"]),
        (Code::Io, &["link", "FIFO", "rights", "limit of open files", "failing disk"]),
        (Code::Journal, &["No row is lost", "`recover` with the label", "plan"]),
    ];
    for (code, words) in named {
        let told = explain_error(&format!("[cutover:{}]", code.as_str())).unwrap();
        let told = [told.meaning, told.data, told.hint].join(" ");
        for word in words {
            assert!(told.contains(word), "{code:?} lacks {word}: {told}");
        }
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>(), code in prop::sample::select(Code::ALL.to_vec())) {
        let _ = explain_error(&text);
        let line = format!("{text} [cutover:{}] {text}", code.as_str());
        if !text.contains("cutover:") {
            prop_assert_eq!(explain_error(&line).map(|explanation| explanation.code), Some(code));
        }
    }

    /// Whatever the reason says, the short code at the end of the message is the one that is found.
    #[test]
    fn every_system_code_survives_the_message(raw in -5..3000_i32, windows in any::<bool>()) {
        let platform = if windows { Platform::Windows } else { Platform::Linux };
        let failure = Failure::from_fault(&os(platform, raw), "remove-link", false);
        let explanation = explain_error(&failure.to_string()).unwrap();
        prop_assert_eq!(explanation.os, failure.os.map(|os| os.code));
        prop_assert_eq!(explanation.op.as_deref(), Some("remove-link"));
    }
}
