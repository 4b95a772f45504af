//! Version 1 of the journal, as the legacy daemon writes it: absolute paths, four phases, and a
//! directory that may have moved since.

use cutover_core::{LegacyJournal, LegacyPhase, ReadError};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::arbitrary;
use cutover_world::{canonical, name, nonce, our_names};

fn at(directory: &str, separator: char) -> Value {
    let path = |file: &str| format!("{directory}{separator}{file}");
    json!({
        "version": 1,
        "source": path("data.db"),
        "normalizedSource": path("data.db.source-3fa9c1d2"),
        "staging": path("data.db.building-3fa9c1d2"),
        "backup": path("data.db.v1-v2-1782718800000-3fa9c1d2"),
        "authPath": path("auth.json"),
        "authBackup": path("auth.json.v1-v2-3fa9c1d2"),
        "authExisted": true,
        "keychainBackups": [{ "service": "app", "account": "v1" }],
        "nonce": "3fa9c1d2",
        "phase": "built",
    })
}

fn posix() -> Value {
    at("/home/u/.app", '/')
}

fn parse(value: &Value) -> Result<LegacyJournal, ReadError> {
    LegacyJournal::parse(&value.to_string(), &canonical())
}

#[test]
fn every_phase_is_read() {
    for (word, phase) in [
        ("building", LegacyPhase::Building),
        ("built", LegacyPhase::Built),
        ("canonical-moved", LegacyPhase::CanonicalMoved),
        ("committed", LegacyPhase::Committed),
    ] {
        let mut value = posix();
        value["phase"] = word.into();
        let journal = parse(&value).unwrap();
        assert_eq!(journal.phase, phase);
        assert_eq!(journal.names, our_names());
        assert_eq!(journal.nonce, nonce());
    }
    for word in ["installing", "Built", "", "canonicalMoved"] {
        let mut value = posix();
        value["phase"] = word.into();
        assert!(parse(&value).is_err(), "{word:?}");
    }
}

/// The directory counts only as what all paths have in common: it may have been renamed, copied, or
/// come from another system.
#[test]
fn paths_are_re_rooted_by_base_name() {
    for (directory, separator) in [
        ("/home/u/.app", '/'),
        ("C:\\Users\\u\\AppData\\app", '\\'),
        ("C:/Users/u", '/'),
        ("\\\\server\\share", '\\'),
        ("/a dir/with ä", '/'),
        ("", '/'),
    ] {
        let journal = parse(&at(directory, separator)).unwrap();
        assert_eq!(journal.names, our_names(), "{directory}");
        assert_eq!(journal.auth_file, name("auth.json"));
        assert_eq!(journal.auth_path, format!("{directory}{separator}auth.json"));
        assert!(journal.auth_is_at("auth.json") && journal.auth_backup && journal.auth_existed);
        assert_eq!(journal.keychain_backups.unwrap()[0]["account"], "v1");
    }
}

#[test]
fn a_companion_elsewhere_keeps_its_path_for_messages() {
    let mut value = posix();
    value["authPath"] = "/home/u/.config/app/auth.json".into();
    value["authBackup"] = "/home/u/.config/app/auth.json.v1-v2-3fa9c1d2".into();
    let journal = parse(&value).unwrap();
    assert!(!journal.auth_is_at("auth.json") && !journal.auth_is_at("../../.config/app/auth.json"));
    assert!(
        journal.auth_is_at("../.config/app/auth.json")
            && journal.auth_is_at("..\\.config\\app\\auth.json")
    );
    assert_eq!(journal.auth_path, "/home/u/.config/app/auth.json");
}

#[test]
fn a_legacy_journal_needs_all_but_its_companion_backup_and_host_state() {
    let mut value = posix();
    value["authBackup"] = Value::Null;
    value["authExisted"] = false.into();
    value.as_object_mut().unwrap().remove("keychainBackups");
    let journal = parse(&value).unwrap();
    assert!(!journal.auth_backup && !journal.auth_existed && journal.keychain_backups.is_none());
    for field in [
        "source",
        "normalizedSource",
        "staging",
        "backup",
        "authPath",
        "authExisted",
        "nonce",
        "phase",
        "version",
    ] {
        let mut value = posix();
        value.as_object_mut().unwrap().remove(field);
        assert!(parse(&value).unwrap_err().to_string().contains(field), "{field}");
    }
}

#[test]
fn a_path_that_would_touch_another_file_is_refused_with_its_field() {
    for (field, path) in [
        ("source", "/home/u/.app/other.db"),
        ("source", "/home/u/.app/data.db/"),
        ("source", "/home/u/.app/.."),
        ("backup", "/home/u/.app/data.db"),
        ("backup", "/home/u/data.db.v1-v2-1782718800000-3fa9c1d2"),
        ("backup", "/home/u/.app/../x/data.db.v1-v2-1782718800000-3fa9c1d2"),
        ("backup", "/home/u/.app/data.db.v1-v3-1782718800000-3fa9c1d2"),
        ("backup", "/home/u/.app/data.db.v1-v2-1782718800000-00000000"),
        ("staging", "/home/u/.app/data.db"),
        ("staging", "/tmp/data.db.building-3fa9c1d2"),
        ("staging", "/home/u/.app/data.db.building-00000000"),
        ("staging", "data.db.building-3fa9c1d2"),
        ("normalizedSource", "/home/u/.app/data.db"),
        ("normalizedSource", "/home/u/.app/data.db.building-3fa9c1d2"),
        ("authBackup", "/home/u/.app/data.db"),
        ("authBackup", "/home/u/.ssh/id_ed25519"),
        ("authBackup", "/home/u/auth.json.v1-v2-3fa9c1d2"),
        ("authBackup", "/home/u/.app/auth.json.v1-v2-00000000"),
    ] {
        let mut value = posix();
        value[field] = path.into();
        let ReadError::Name(error) = parse(&value).unwrap_err() else { panic!("{field} {path}") };
        assert_eq!((error.what.as_str(), error.found.as_str()), (field, path));
    }
    for path in ["/home/u/", "/home/u/..", "", "/"] {
        let mut value = posix();
        value["authPath"] = path.into();
        value["authBackup"] = Value::Null;
        let ReadError::Name(error) = parse(&value).unwrap_err() else { panic!("{path}") };
        assert_eq!(error.what, "authPath", "{path:?}");
    }
    let mut value = posix();
    value["nonce"] = "../../..".into();
    assert!(matches!(parse(&value), Err(ReadError::Name(error)) if error.what == "nonce"));
}

#[test]
fn a_legacy_journal_has_version_1() {
    let mut value = posix();
    for (version, expected) in [
        (0, ReadError::TooOld { found: 0, known: 1 }),
        (2, ReadError::TooNew { found: 2, known: 1 }),
    ] {
        value["version"] = version.into();
        assert_eq!(parse(&value).unwrap_err(), expected);
    }
    value["version"] = 1.into();
    value["more"] = 1.into();
    assert!(parse(&value).unwrap_err().to_string().contains("unknown field `more`"));
}

proptest! {
    #[test]
    fn the_names_are_those_of_this_database_in_any_directory(directory in "[^\u{0}]{0,40}", windows in any::<bool>()) {
        let journal = parse(&at(&directory, if windows { '\\' } else { '/' })).unwrap();
        prop_assert_eq!(journal.names, our_names());
    }

    /// Whatever a hostile journal says, a name that is accepted is the grammar's.
    #[test]
    fn an_accepted_journal_names_only_this_database(file in arbitrary::canonical(), field in prop::sample::select(vec![
        "source", "normalizedSource", "staging", "backup", "authBackup"])) {
        let mut value = posix();
        value[field] = format!("/home/u/.app/{file}").into();
        if let Ok(journal) = parse(&value) {
            prop_assert_eq!(journal.names, our_names());
        }
    }
}
