use cutover_core::{
    Journal, Label, MAX_HOST_BYTES, MAX_JOURNAL_BYTES, MAX_WARNING_CHARS, MAX_WARNINGS, Names,
    Phase, ReadError, Receipt, Strategy, Warning, WarningFrom,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::arbitrary;
use cutover_world::{auth, canonical, journal, name, nonce, with_companion};

fn parse(value: &Value) -> Result<Journal, ReadError> {
    Journal::parse(&value.to_string(), &canonical())
}

fn as_json(phase: Phase) -> Value {
    serde_json::to_value(with_companion(journal(phase), false)).unwrap()
}

proptest! {
    #[test]
    fn a_journal_is_read_back_as_it_was_written(journal in arbitrary::journal()) {
        let text = journal.to_text();
        let read = Journal::parse(&text, &journal.names.canonical).unwrap();
        prop_assert_eq!(read.to_text(), text, "written again it is the same, byte by byte");
        prop_assert_eq!(read, journal);
    }

    #[test]
    fn a_receipt_is_read_back_and_keeps_no_host_state(journal in arbitrary::journal(), started_ms in any::<u64>()) {
        let receipt = journal.receipt(started_ms);
        let text = receipt.to_text();
        let read = Receipt::parse(&text).unwrap();
        prop_assert_eq!(&read.to_text(), &text);
        prop_assert_eq!(read.companions.len(), journal.companions.iter().filter(|companion| companion.before.is_some()).count());
        prop_assert_eq!(read.report, journal.report);
        let value: Value = serde_json::from_str(&text).unwrap();
        prop_assert!(value.get("hostState").is_none());
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in any::<String>()) {
        prop_assert!(Journal::parse(&text, &canonical()).is_err());
        prop_assert!(Receipt::parse(&text).is_err());
    }

    /// A journal that is cut off anywhere, as a torn write leaves it, is refused: nothing acts on half of one.
    #[test]
    fn a_torn_journal_is_refused(journal in arbitrary::journal(), cut in any::<prop::sample::Index>()) {
        let text = journal.to_text();
        let end = cut.index(text.len() - 2);
        prop_assume!(text.is_char_boundary(end));
        prop_assert!(Journal::parse(&text[..end], &journal.names.canonical).is_err());
    }

    /// One field changed to a value of another cutover is noticed, whichever it is.
    #[test]
    fn a_journal_of_another_cutover_is_refused(ours in arbitrary::journal(), theirs in arbitrary::journal()) {
        prop_assume!(ours.nonce != theirs.nonce && ours.label != theirs.label && ours.names.canonical != theirs.names.canonical);
        let canonical = ours.names.canonical.clone();
        prop_assert!(Journal::parse(&theirs.to_text(), &canonical).is_err());
        let (ours, theirs) = (serde_json::to_value(&ours).unwrap(), serde_json::to_value(&theirs).unwrap());
        for pointer in ["/nonce", "/label", "/names/source", "/names/staging", "/names/install", "/names/backup"] {
            let mut mixed = ours.clone();
            *mixed.pointer_mut(pointer).unwrap() = theirs.pointer(pointer).unwrap().clone();
            prop_assert!(Journal::parse(&mixed.to_string(), &canonical).is_err(), "{}", pointer);
        }
    }
}

#[test]
fn every_phase_has_its_word() {
    for (phase, word) in [
        (Phase::Building, "building"),
        (Phase::Built, "built"),
        (Phase::Installing, "installing"),
        (Phase::Committed, "committed"),
    ] {
        assert_eq!(phase.as_str(), word);
        assert_eq!(as_json(phase)["phase"], word);
        assert_eq!(parse(&as_json(phase)).unwrap().phase, phase);
    }
}

#[test]
fn an_unknown_field_is_refused_with_its_place() {
    for pointer in ["", "/names", "/v1", "/v1/fingerprint", "/v2", "/companions/0"] {
        let mut value = as_json(Phase::Built);
        value.pointer_mut(pointer).unwrap()["rm"] = json!("/");
        let text = serde_json::to_string_pretty(&value).unwrap();
        let error = Journal::parse(&text, &canonical()).unwrap_err();
        let ReadError::Form { line, column, message } = &error else {
            panic!("{pointer}: {error}")
        };
        assert!(message.contains("unknown field `rm`"), "{pointer}: {message}");
        assert_eq!(
            text.lines().nth(line - 1).unwrap().split_at(column - 1).0.trim(),
            "\"rm",
            "{pointer}: {line}:{column}"
        );
    }
}

#[test]
fn a_field_that_is_there_twice_is_refused() {
    let text = as_json(Phase::Built).to_string().replacen(
        "\"attempt\":1",
        "\"attempt\":1,\"attempt\":1",
        1,
    );
    assert!(
        Journal::parse(&text, &canonical())
            .unwrap_err()
            .to_string()
            .contains("duplicate field `attempt`")
    );
}

/// Even when the rest of the text has a form that this release does not know.
#[test]
fn a_newer_version_is_refused_with_what_to_do() {
    for text in [r#"{"version":3,"files":{}}"#, r#"{"files":[1],"version":3}"#] {
        let error = Journal::parse(text, &canonical()).unwrap_err();
        assert_eq!(error, ReadError::TooNew { found: 3, known: 2 });
        assert!(error.to_string().contains("start the newer release"), "{error}");
    }
    assert_eq!(
        Receipt::parse(r#"{"version":2}"#).unwrap_err(),
        ReadError::TooNew { found: 2, known: 1 }
    );
}

#[test]
fn an_older_version_or_none_is_refused() {
    for version in [0, 1] {
        assert_eq!(
            Journal::parse(&format!("{{\"version\":{version}}}"), &canonical()).unwrap_err(),
            ReadError::TooOld { found: version, known: 2 }
        );
    }
    for text in [
        "{}",
        r#"{"version":"2"}"#,
        r#"{"version":2.0}"#,
        r#"{"version":-2}"#,
        "[2]",
        "2",
        "",
        "\u{feff}{}",
    ] {
        assert!(
            matches!(Journal::parse(text, &canonical()), Err(ReadError::Form { .. })),
            "{text:?}"
        );
    }
}

#[test]
fn what_is_too_large_is_not_even_looked_at() {
    let error = Journal::parse(&"[".repeat(MAX_JOURNAL_BYTES + 1), &canonical()).unwrap_err();
    assert_eq!(
        error,
        ReadError::TooLarge { found: MAX_JOURNAL_BYTES + 1, most: MAX_JOURNAL_BYTES }
    );
    assert!(matches!(
        Journal::parse(&"[".repeat(MAX_JOURNAL_BYTES), &canonical()),
        Err(ReadError::Form { .. })
    ));
}

/// Each of these would make a recovery remove or move a file that is not ours.
#[test]
fn a_hostile_name_is_refused_with_its_field() {
    let own = "data.db.building-3fa9c1d2";
    for (pointer, found, said) in [
        ("/names/canonical", "other.db", "names.canonical"),
        ("/names/backup", "data.db", "names.backup"),
        ("/names/backup", "passwords.kdbx", "names.backup"),
        ("/names/backup", own, "names.backup"),
        ("/names/backup", "data.db.v1-v2-1782718800000-00000000", "names.backup"),
        ("/names/backup", "data.db.v1-v3-1782718800000-3fa9c1d2", "names.backup"),
        ("/names/source", "data.db", "names.source"),
        ("/names/staging", "data.db", "names.staging"),
        ("/names/staging", "data.db.building-00000000", "names.staging"),
        ("/names/staging", "Data.db.building-3fa9c1d2", "names.staging"),
        ("/names/install", own, "names.install"),
        ("/v2/file", "data.db", "v2.file"),
        ("/v2/file", "data.db.source-3fa9c1d2", "v2.file"),
    ] {
        let mut value = as_json(Phase::Built);
        *value.pointer_mut(pointer).unwrap() = found.into();
        let ReadError::Name(error) = parse(&value).unwrap_err() else {
            panic!("{pointer} {found}")
        };
        assert_eq!((error.what.as_str(), error.found.as_str()), (said, found), "{pointer}");
    }
}

/// The reader says what it found and where, on that line or, after a last field, on the next.
#[test]
fn a_path_is_refused_where_it_stands() {
    for pointer in [
        "/names/source",
        "/names/staging",
        "/names/install",
        "/names/backup",
        "/names/canonical",
        "/v2/file",
        "/companions/0/file",
    ] {
        for path in ["../data.db", "/etc/passwd", "..\\x", "C:\\x", "a/b", "..", ".", "", "x\0y"] {
            let mut value = as_json(Phase::Built);
            *value.pointer_mut(pointer).unwrap() = path.into();
            let text = serde_json::to_string_pretty(&value).unwrap();
            let ReadError::Form { line, message, .. } =
                Journal::parse(&text, &canonical()).unwrap_err()
            else {
                panic!("{pointer} {path:?}")
            };
            let field = pointer.rsplit('/').next().unwrap();
            let place: Vec<&str> = text.lines().skip(line - 2).take(2).collect();
            assert!(
                place.join("").contains(&format!("\"{field}\"")),
                "{pointer} {path:?}: line {line}: {message}"
            );
            assert!(message.starts_with(&format!("file name {path:?}: ")), "{message}");
        }
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let mut twice = with_companion(with_companion(journal(Phase::Built), false), false);
    assert!(twice.check().unwrap_err().to_string().contains("auth is there twice"));
    twice.companions.pop();
    assert_eq!(twice.check(), Ok(()));
    for phase in [Phase::Built, Phase::Installing, Phase::Committed] {
        for half in [Journal { v1: None, ..journal(phase) }, Journal { v2: None, ..journal(phase) }]
        {
            assert_eq!(
                half.check(),
                Err(ReadError::Contradiction(format!(
                    "phase {} without v1 and v2",
                    phase.as_str()
                )))
            );
        }
    }
    let future = Journal { version: 3, ..journal(Phase::Built) };
    assert!(
        future.check().unwrap_err().to_string().contains("version"),
        "a plan brings its journal without the reader of journals"
    );
}

#[test]
fn a_companion_whose_backup_would_have_too_long_a_name_is_refused() {
    let mut long = with_companion(journal(Phase::Building), false);
    long.companions[0].file = name(&"a".repeat(240));
    let ReadError::Name(error) = long.check().unwrap_err() else { panic!() };
    assert_eq!(error.what, "companions.auth");
    long.companions[0].file = name(&"a".repeat(200));
    assert_eq!(long.check(), Ok(()));
    // With a short label it is the displaced one that has the longest name.
    let label = Label::new("v").unwrap();
    long.names = Names::new(&canonical(), &label, &nonce(), 1).unwrap();
    long.label = label;
    for (length, fits) in [(236, true), (237, false)] {
        long.companions[0].file = name(&"a".repeat(length));
        assert_eq!(long.check().is_ok(), fits, "{length}");
    }
}

#[test]
fn what_the_host_gives_must_be_readable_again() {
    let with = |state: Value| Journal { host_state: Some(state), ..journal(Phase::Building) };
    assert!(with(json!("x".repeat(MAX_HOST_BYTES / 2))).to_readable_text().is_ok());
    assert!(matches!(
        with(json!("x".repeat(MAX_HOST_BYTES))).to_readable_text(),
        Err(ReadError::TooLarge { .. })
    ));
    let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    assert!(with(nested(100)).to_readable_text().is_ok());
    assert!(
        matches!(with(nested(127)).to_readable_text(), Err(ReadError::Form { .. })),
        "deeper than a reader goes"
    );
}

/// As many warnings as there may be still leave a journal that can be read.
#[test]
fn warnings_are_bounded() {
    let mut journal = Journal {
        host_state: Some(json!("x".repeat(MAX_HOST_BYTES - 3000))),
        ..journal(Phase::Building)
    };
    assert!(journal.to_readable_text().is_ok());
    for _ in 0..MAX_WARNINGS + 5 {
        journal.warn(Warning {
            from: WarningFrom::Host,
            code: None,
            message: "\u{1}ä".repeat(MAX_WARNING_CHARS),
        });
    }
    assert_eq!(journal.warnings.len(), MAX_WARNINGS);
    assert!(
        journal.warnings.iter().all(|warning| warning.message.chars().count() == MAX_WARNING_CHARS)
    );
    assert!(Journal::parse(&journal.to_text(), &canonical()).is_ok());
}

#[test]
fn the_receipt_says_what_the_backup_is() {
    let journal = with_companion(journal(Phase::Committed), true);
    let receipt = Receipt::parse(&journal.receipt(1_782_718_800_000).to_text()).unwrap();
    assert_eq!(receipt.backup, journal.names.backup);
    assert_eq!(receipt.canonical, canonical());
    assert_eq!(receipt.nonce, nonce());
    assert_eq!(receipt.strategy, Strategy::LinkReplace);
    assert_eq!(receipt.companions.get(&auth()), Some(&name("auth.json.v1-v2-3fa9c1d2")));
    assert_eq!(receipt.v1.unwrap().file_id, "1");
    assert_eq!(receipt.report, Some(json!({ "rows": 3 })));
}
