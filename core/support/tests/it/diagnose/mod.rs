//! What a support person is told. *Safe* needs a proof: where the proof is gone, so is the word.

mod bundle;
mod claims;
mod errors;
mod evidence;
mod folder;
mod places;
mod reply;
mod safety;
mod text;

use std::collections::{BTreeMap, BTreeSet};

use cutover_core::{
    BuildBy, BuildFrom, Code, Event, Failure, FileFacts, FileName, Journal, JournalMode,
    Observation, Phase, Platform, Strategy, Warning, WarningFrom, plan_migration, receipt_name,
};
use cutover_support::{
    Answer, Bundle, Canonical, Check, Content, Diagnosis, Does, Dropped, DroppedFile, Kind, Made,
    Place, Safety, Wal, diagnose, next_start, read_wal, shorten,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use cutover_world::{
    NOW_MS, auth, canonical, database, directory, flip, header_bytes, interrupted, journal, me,
    migrations, name, our_journal, our_names, plain, put_journal, request, v1, v2, with_auth,
    with_companion,
};

fn text(text: &str) -> Diagnosis {
    fit_to_send(diagnose(&Dropped { text: Some(text.into()), ..Dropped::default() }))
}

/// Words that a customer does not know: words of cutover, of SQLite and of the operating system.
const JARGON: [&str; 28] = [
    "journal",
    "journals",
    "wal",
    "shm",
    "inode",
    "fsync",
    "sqlite",
    "header",
    "checkpoint",
    "detect",
    "receipt",
    "staging",
    "canonical",
    "cutover",
    "v1",
    "v2",
    "flush",
    "rollback",
    "transaction",
    "transactions",
    "pid",
    "log",
    "settle",
    "restage",
    "hardlink",
    "fingerprint",
    "bundle",
    "schema",
];

/// Checks every reply that a test here gets: it first says whether the data is safe, it says *safe*
/// only where the data is, and it uses plain words.
fn fit_to_send(found: Diagnosis) -> Diagnosis {
    // A command stands between backticks.
    let prose: String = found.reply.split('`').step_by(2).collect();
    let words: Vec<String> =
        prose.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_lowercase).collect();
    if found.kind != Kind::Plan {
        let opening = match found.safety {
            Safety::Safe if found.made.is_some() => "Your data was safe on ",
            Safety::Safe => "Your data is safe.",
            Safety::NotSafe => "Something is wrong with your data.",
            Safety::CannotTell => "We cannot tell yet whether all of your data is there.",
        };
        assert!(found.reply.starts_with(opening), "{}", found.reply);
        assert_eq!(
            words.iter().any(|word| word == "safe"),
            found.safety == Safety::Safe,
            "{}",
            found.reply
        );
        assert!(prose.contains("do not delete"), "{prose}");
        assert_eq!(prose.contains("do not start"), found.safety == Safety::NotSafe, "{prose}");
        let jargon: Vec<_> =
            JARGON.iter().filter(|jargon| words.iter().any(|word| word == *jargon)).collect();
        assert!(jargon.is_empty(), "{jargon:?}: {prose}");
        assert!(
            found
                .reply
                .split("\n\n")
                .all(|paragraph| paragraph.ends_with('.') && !paragraph.contains("..")),
            "{}",
            found.reply
        );
    } else if found.safety != Safety::Safe {
        assert!(!words.iter().any(|word| word == "safe"), "{}", found.reply);
    }
    found
}

fn bundle(observation: Observation, check: Check, wal: Option<Wal>) -> Bundle {
    let next = next_start(&observation, &BTreeMap::new());
    let made = Made {
        at_ms: NOW_MS,
        cutover: "0.1.0".into(),
        sqlite: "3.50".into(),
        platform: Platform::Linux,
        arch: "x86_64".into(),
        runtime: None,
    };
    let path = "~/app/data.db".into();
    Bundle {
        version: 1,
        made,
        path,
        observation,
        receipts: BTreeMap::new(),
        header: None,
        wal,
        shm: None,
        check,
        content: None,
        beside: BTreeSet::new(),
        next,
        last_error: None,
        events: vec![],
    }
}

fn unchecked() -> Check {
    Check::NotMade { why: "the database is large".into() }
}

fn of(observation: Observation, check: Check) -> Diagnosis {
    text(&bundle(observation, check, None).to_text())
}

/// A plain directory with a settled v1.
fn settled() -> Observation {
    let mut observation = directory();
    observation.files.insert(canonical(), v1());
    observation.verdict = None;
    observation
}

/// A journal of the legacy daemon.
fn legacy_journal(phase: &str) -> String {
    json!({
        "version": 1, "source": "/a/data.db", "normalizedSource": "/a/data.db.source-0f0f0f0f", "staging": "/a/data.db.building-0f0f0f0f",
        "backup": "/a/data.db.v1-v2-900-0f0f0f0f", "authPath": "/a/auth.json", "authBackup": null, "authExisted": false,
        "nonce": "0f0f0f0f", "phase": phase,
    })
    .to_string()
}
