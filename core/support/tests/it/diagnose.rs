//! What a support person is told. *Safe* needs a proof; whatever takes the proof away takes the
//! word away.

use std::collections::BTreeMap;

use cutover_core::failure::{Code, Failure};
use cutover_core::fault::Platform;
use cutover_core::journal::{Journal, Phase, Strategy, Warning, WarningFrom};
use cutover_core::names::{FileName, receipt};
use cutover_core::observe::{FileFacts, Observation};
use cutover_core::page1::JournalMode;
use cutover_core::plan::{BuildBy, BuildFrom, plan_migration};
use cutover_core::run::Event;
use cutover_support::bundle::{Bundle, Check, Made, shorten};
use cutover_support::diagnose::{
    Canonical, Diagnosis, Does, Dropped, DroppedFile, Kind, Place, Safety, diagnose, next_start,
};
use cutover_support::{Wal, read_wal};
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

/// Words that a customer does not know: this project's, SQLite's, the system's.
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

/// Every reply that any test here sees: it says first whether the data is safe, says so only of
/// what is, and is in plain words.
fn fit_to_send(found: Diagnosis) -> Diagnosis {
    // A command stands between backticks.
    let prose: String = found.reply.split('`').step_by(2).collect();
    let words: Vec<String> =
        prose.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_lowercase).collect();
    if found.kind != Kind::Plan {
        let opening = match found.safety {
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
        check,
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

#[test]
fn a_sound_database_is_safe_and_one_that_nobody_read_is_not_called_so() {
    let sound = of(settled(), Check::Sound);
    assert_eq!((sound.kind, sound.safety), (Kind::Bundle, Safety::Safe), "{}", sound.because);
    assert!(sound.reply.starts_with("Your data is safe."), "{}", sound.reply);
    let unread = of(settled(), unchecked());
    assert_eq!(unread.safety, Safety::CannotTell, "{}", unread.because);
    assert!(unread.reply.contains("cannot tell yet") && !unread.reply.contains("is safe"));
    let damaged = of(settled(), Check::Damaged { problems: 3 });
    assert_eq!(damaged.safety, Safety::NotSafe);
    assert!(
        damaged.because.contains("3 problems") && damaged.reply.contains("do not delete"),
        "{}",
        damaged.reply
    );
}

#[test]
fn an_interrupted_upgrade_is_safe_by_what_its_journal_recorded() {
    for phase in [Phase::Building, Phase::Built] {
        let mut observation = interrupted(&journal(phase));
        observation.files.insert(our_names().install, v2());
        observation.verdict = None;
        let found = of(observation.clone(), unchecked());
        assert_eq!(found.safety, Safety::Safe, "{phase:?}: {}", found.because);
        assert_eq!(found.v1.file.as_deref(), Some("data.db"));
        let kind = serde_json::to_value(found.plan.as_ref().unwrap().kind).unwrap();
        assert_eq!(kind, if phase == Phase::Built { "finish" } else { "undo" });
        assert!(found.findings.is_empty());
        // A write since, a log beside it, a header that is not its own: each takes the proof away.
        let mut changed = observation.clone();
        changed.files.insert(canonical(), database("1", JournalMode::Delete, 8));
        let mut logged = observation.clone();
        logged.files.insert(name("data.db-wal"), plain("8", 4152));
        let mut hot = observation.clone();
        hot.files.insert(name("data.db-journal"), plain("8", 512));
        for other in [changed, logged, hot] {
            let found = of(other.clone(), unchecked());
            assert_eq!(found.safety, Safety::CannotTell, "{}", found.because);
            assert_eq!(of(other, Check::Sound).safety, Safety::Safe);
        }
    }
}

#[test]
fn v2_in_place_is_safe_and_v1_is_the_backup() {
    let mut observation = interrupted(&journal(Phase::Built));
    flip(&mut observation);
    observation.verdict = None;
    let found = of(observation.clone(), unchecked());
    assert_eq!(
        (found.safety, found.v2.file.as_deref()),
        (Safety::Safe, Some("data.db")),
        "{}",
        found.because
    );
    assert_eq!(found.v1.file.as_deref(), Some(our_names().backup.as_str()));
    // The receipt, once the journal is gone.
    let written = journal(Phase::Committed).receipt(NOW_MS).to_text();
    observation.journals.clear();
    observation.files.remove(&our_journal());
    let mut made = bundle(observation, unchecked(), None);
    made.receipts.insert(receipt(&our_names().backup), Some(written));
    let found = text(&made.to_text());
    assert_eq!((found.safety, found.backups.len()), (Safety::Safe, 1), "{}", found.because);
    assert_eq!(found.v1.file.as_deref(), Some(our_names().backup.as_str()));
}

#[test]
fn what_is_missing_is_not_safe() {
    let mut missing = settled();
    missing.files.remove(&canonical());
    let nothing = of(missing.clone(), unchecked());
    assert_eq!(nothing.safety, Safety::CannotTell, "{}", nothing.because);
    missing.files.insert(name("data.db-wal"), plain("8", 8272));
    let orphan = of(missing.clone(), unchecked());
    assert!(
        orphan.safety == Safety::NotSafe && orphan.because.contains("deletes"),
        "{}",
        orphan.because
    );
    assert!(orphan.action.contains("Copy the whole folder"));
    missing.files.remove(&name("data.db-wal"));
    missing.files.insert(our_names().backup, v1());
    assert_eq!(of(missing.clone(), unchecked()).safety, Safety::NotSafe);
    // Whatever anybody claims of pages: there are none.
    assert_eq!(of(missing, Check::Sound).safety, Safety::NotSafe);
    let mut stranger = settled();
    stranger.files.insert(canonical(), plain("1", 4096));
    assert_eq!(of(stranger, Check::Sound).safety, Safety::NotSafe);
}

/// A sound database is no proof where it may be a new one, and the rows in what lies beside it.
#[test]
fn a_database_that_may_be_new_is_not_called_safe() {
    let mut gap = settled();
    put_journal(
        &mut gap,
        &name("data.db.v1-v2-migration.json"),
        &legacy_journal("canonical-moved"),
    );
    gap.files.insert(name("data.db.v1-v2-900-0f0f0f0f"), database("5", JournalMode::Delete, 9));
    assert_eq!(of(gap.clone(), Check::Sound).safety, Safety::Safe, "staging has become canonical");
    gap.files.insert(name("data.db.building-0f0f0f0f"), v2());
    let mut unread = settled();
    put_journal(&mut unread, &our_journal(), "{");
    assert_eq!(
        of(unread.clone(), Check::Sound).safety,
        Safety::Safe,
        "there is nothing else that could be it"
    );
    unread.files.insert(our_names().backup, v1());
    let mut bare = settled();
    let mut bytes = header_bytes(JournalMode::Delete, 7);
    bytes[43] = 0;
    bare.files.get_mut(&canonical()).unwrap().header =
        Some(cutover_core::page1::Header::parse(&bytes).unwrap());
    bare.files.insert(our_names().backup, v1());
    for observation in [gap, unread, bare] {
        let found = of(observation, Check::Sound);
        assert_eq!(found.safety, Safety::CannotTell, "{}", found.because);
        assert!(found.because.contains("may be a new database"));
    }
}

/// The journal of the daemon in the field.
fn legacy_journal(phase: &str) -> String {
    json!({
        "version": 1, "source": "/a/data.db", "normalizedSource": "/a/data.db.source-0f0f0f0f", "staging": "/a/data.db.building-0f0f0f0f",
        "backup": "/a/data.db.v1-v2-900-0f0f0f0f", "authPath": "/a/auth.json", "authBackup": null, "authExisted": false,
        "nonce": "0f0f0f0f", "phase": phase,
    })
    .to_string()
}

#[test]
fn v1_and_v2_are_said_to_be_where_they_are() {
    let kept = journal(Phase::Committed).receipt(NOW_MS).to_text();
    let backup = our_names().backup;
    let told = |observation: Observation, receipts: &[(FileName, &str)]| {
        let mut made = bundle(observation, unchecked(), None);
        made.receipts =
            receipts.iter().map(|(name, text)| (name.clone(), Some((*text).to_owned()))).collect();
        let found = text(&made.to_text());
        (found.v1, found.v2)
    };
    let check = |what: &str,
                 (v1, v2): (Place, Place),
                 first: (Option<&str>, &str),
                 second: (Option<&str>, &str)| {
        for (place, (file, says)) in [(v1, first), (v2, second)] {
            assert_eq!(place.file.as_deref(), file, "{what}: {}", place.says);
            assert!(place.says.contains(says), "{what}: {}", place.says);
        }
    };
    let with_receipt = |mut observation: Observation| {
        observation.files.insert(backup.clone(), v1());
        observation.files.insert(receipt(&backup), plain("9", 500));
        observation
    };
    let without = |mut observation: Observation, name: &FileName| {
        observation.files.remove(name);
        observation
    };
    let receipts = [(receipt(&backup), kept.as_str())];
    let ours = Some(backup.as_str());

    // Somebody removed data.db, or wrote over it, after an upgrade.
    let gone = with_receipt(without(settled(), &canonical()));
    check(
        "gone",
        told(gone.clone(), &receipts),
        (ours, "kept as"),
        (None, "It was data.db, which is missing"),
    );
    check("gone, no receipt", told(gone.clone(), &[]), (ours, "may be"), (None, "cannot be told"));
    let mut restored = gone;
    restored.files.insert(name("data.db.displaced-0badcafe"), v2());
    check(
        "set aside",
        told(restored, &receipts),
        (ours, "kept as"),
        (Some("data.db.displaced-0badcafe"), "set aside"),
    );
    let mut over = with_receipt(settled());
    over.files.insert(canonical(), plain("1", 4096));
    check("written over", told(over, &receipts), (ours, "kept as"), (None, "no database any more"));
    let mut log = without(settled(), &canonical());
    check("nothing", told(log.clone(), &[]), (None, "no backup"), (None, "There is none"));
    log.files.insert(name("data.db-wal"), plain("8", 8272));
    check("a log alone", told(log, &[]), (None, "no backup"), (None, "cannot be told"));

    // Each phase of the field's upgrade, by what it had moved.
    let (old, staged) = (name("data.db.v1-v2-900-0f0f0f0f"), name("data.db.building-0f0f0f0f"));
    let field = |phase: &str, there: &[&FileName], has: bool| {
        let mut observation = if has { settled() } else { without(settled(), &canonical()) };
        put_journal(
            &mut observation,
            &name("data.db.v1-v2-migration.json"),
            &legacy_journal(phase),
        );
        observation.files.extend(there.iter().map(|name| ((*name).clone(), v2())));
        told(observation, &[])
    };
    let (moved, ready) = (Some(old.as_str()), Some(staged.as_str()));
    check(
        "building",
        field("building", &[&staged], true),
        (Some("data.db"), "had not moved"),
        (None, "not complete"),
    );
    check(
        "built",
        field("built", &[&staged], true),
        (Some("data.db"), "had not moved"),
        (ready, "not installed"),
    );
    for phase in ["built", "canonical-moved"] {
        check(
            "between the renames",
            field(phase, &[&old, &staged], false),
            (moved, "moved it there"),
            (ready, "the next start checks it"),
        );
        check(
            "a new one in the gap",
            field(phase, &[&old, &staged], true),
            (moved, "moved it there"),
            (ready, "nobody recorded"),
        );
        check(
            "renamed",
            field(phase, &[&old], true),
            (moved, "moved it there"),
            (Some("data.db"), "moved it there"),
        );
    }
    check(
        "renamed, then gone",
        field("committed", &[&old], false),
        (moved, "moved it there"),
        (None, "It was data.db"),
    );
    check(
        "v1 is gone",
        field("built", &[&staged], false),
        (None, "It was data.db"),
        (ready, "should be complete"),
    );

    // Ours; what is removed is removed by somebody else.
    let install = our_names().install;
    let of = |phase: Phase| {
        let mut observation = interrupted(&journal(phase));
        observation.files.insert(install.clone(), v2());
        observation
    };
    let built = Some(install.as_str());
    check(
        "not flipped",
        told(of(Phase::Built), &[]),
        (Some("data.db"), "unchanged"),
        (built, "not installed"),
    );
    check(
        "v2 removed",
        told(without(of(Phase::Built), &install), &[]),
        (Some("data.db"), "unchanged"),
        (None, "missing"),
    );
    let mut flipped = without(of(Phase::Built), &install);
    flip(&mut flipped);
    check(
        "flipped",
        told(flipped.clone(), &[]),
        (ours, "receipt is not written"),
        (Some("data.db"), "as it was checked"),
    );
    check(
        "flipped, gone",
        told(without(flipped.clone(), &canonical()), &[]),
        (ours, "It is"),
        (None, "It was data.db"),
    );
    flipped.files.insert(canonical(), database("2", JournalMode::Wal, 4));
    flipped.files.get_mut(&canonical()).unwrap().page1 = None;
    check("flipped, used", told(flipped, &[]), (ours, "It is"), (Some("data.db"), "It is data.db"));
    let mut written = of(Phase::Built);
    written.files.insert(canonical(), database("1", JournalMode::Delete, 8));
    check(
        "v1 written to",
        told(written.clone(), &receipts),
        (Some("data.db"), "written to"),
        (built, "not installed"),
    );
    // An older upgrade's backup is not this one's.
    let older = name("data.db.v0-v1-900-0f0f0f0f");
    written.files.insert(older, plain("7", 8192));
    check(
        "beside an older backup",
        told(written, &[]),
        (Some("data.db"), "written to"),
        (built, "not installed"),
    );
    let mut copied = of(Phase::Installing);
    copied.files.insert(backup.clone(), v1());
    copied.files.insert(canonical(), database("3", JournalMode::Delete, 9));
    check("a page copy", told(copied, &[]), (ours, "It is"), (built, "may be installed already"));
}

/// A restore's journal has them the other way round.
#[test]
fn of_an_interrupted_restore_v1_and_v2_are_not_mixed_up() {
    let mut restore = journal(Phase::Built);
    restore.strategy = Strategy::Restore;
    let aside = name("data.db.displaced-3fa9c1d2");
    let told = |is: FileFacts, aside_is_there: bool| {
        let mut observation = interrupted(&restore);
        observation.files.insert(canonical(), is);
        if aside_is_there {
            observation.files.insert(aside.clone(), v1());
        }
        let found = of(observation, unchecked());
        (found.v1.file, found.v2.file)
    };
    let here = Some("data.db".to_owned());
    assert_eq!(told(v2(), true), (here.clone(), Some(aside.to_string())), "restored");
    assert_eq!(told(v1(), false), (None, here), "not yet");
}

#[test]
fn a_log_that_cannot_be_used_is_not_safe() {
    let mut observation = settled();
    observation.files.insert(canonical(), database("1", JournalMode::Wal, 7));
    observation.files.insert(name("data.db-wal"), plain("8", 4152));
    let found =
        text(&bundle(observation.clone(), unchecked(), Some(read_wal(&[1; 100], None))).to_text());
    assert!(found.safety == Safety::NotSafe && found.because.contains("log"), "{}", found.because);
    let found = text(&bundle(observation, unchecked(), None).to_text());
    assert_eq!(found.safety, Safety::CannotTell);
}

#[test]
fn a_process_that_holds_it_cannot_tell() {
    let mut observation = settled();
    observation.files.insert(canonical(), plain("1", 8192));
    observation.holders = vec![me()];
    let found = of(observation, unchecked());
    assert_eq!(found.safety, Safety::CannotTell);
    assert!(found.action.contains("Close the application"), "{}", found.action);
}

#[test]
fn a_journal_that_cannot_be_used_is_told() {
    let mut newer = settled();
    put_journal(&mut newer, &our_journal(), "{\"version\":99}");
    let found = of(newer, unchecked());
    assert_eq!(found.safety, Safety::CannotTell);
    assert!(found.next.contains("refuses") && found.next.contains("version 99"), "{}", found.next);
    assert!(
        found.action.to_lowercase().contains("nothing was touched")
            || found.action.contains("newer"),
        "{}",
        found.action
    );
}

#[test]
fn a_truncated_database_is_not_safe() {
    let mut observation = settled();
    let mut short = v1();
    short.size = 4096;
    observation.files.insert(canonical(), short);
    let found = of(observation, unchecked());
    assert!(
        found.safety == Safety::NotSafe && found.because.contains("cut short"),
        "{}",
        found.because
    );
}

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
        (Safety::NotSafe, cutover_core::validate::FindingKind::Structure)
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
fn a_line_is_explained_and_only_our_whole_message_says_safe() {
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
        (Safety::Safe, Some("data.db")),
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
        "EPERM",
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
    // The last words of a long log, on lines of JSON.
    let log = format!(
        "{}{{\"msg\":\"boot [cutover:NO_SPACE:copy]\"}}\n",
        "{\"msg\":\"fine\"}\n".repeat(100_000)
    );
    assert_eq!(text(&log).explanation.unwrap().code, Code::NoSpace);
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

fn file(name: &str, size: u64) -> DroppedFile {
    DroppedFile { name: name.into(), size, text: None, head: None, wal: None }
}

fn dropped_database(name: &str, mode: JournalMode, changes: u32) -> DroppedFile {
    DroppedFile { head: Some(hex(&header_bytes(mode, changes))), ..file(name, 8192) }
}

fn folder(files: Vec<DroppedFile>, whole_folder: bool) -> Diagnosis {
    fit_to_send(diagnose(&Dropped { files, whole_folder, ..Dropped::default() }))
}

#[test]
fn a_folder_is_judged_by_names_sizes_headers_and_journals() {
    let text = journal(Phase::Built).to_text();
    let names = our_names();
    let files = || {
        vec![
            DroppedFile {
                text: Some(text.clone()),
                ..file(our_journal().as_str(), text.len() as u64)
            },
            dropped_database("data.db", JournalMode::Delete, 7),
            dropped_database(names.install.as_str(), JournalMode::Wal, 3),
            file("holiday.jpg", 3_000_000),
            file("data.db.owner-lock", 0),
        ]
    };
    let found = folder(files(), true);
    assert_eq!((found.kind, found.safety), (Kind::Folder, Safety::Safe), "{}", found.because);
    assert!(
        found.plan.is_some() && found.facts.iter().any(|fact| fact.starts_with("1 other files")),
        "{:?}",
        found.facts
    );
    assert_eq!(
        folder(files(), false).safety,
        Safety::CannotTell,
        "a part of a folder proves nothing"
    );
    let mut logged = files();
    logged.push(file("data.db-wal", 4152));
    assert_eq!(folder(logged, true).safety, Safety::CannotTell);
    let mut changed = files();
    changed[1] = dropped_database("data.db", JournalMode::Delete, 8);
    assert_eq!(folder(changed, true).safety, Safety::CannotTell);
    let mut missing = files();
    missing.remove(1);
    let found = folder(missing, true);
    assert!(
        found.safety == Safety::NotSafe && found.because.starts_with("data.db is missing"),
        "{}",
        found.because
    );
}

#[test]
fn one_file_alone_proves_nothing() {
    let found = folder(vec![dropped_database("data.db", JournalMode::Wal, 7)], true);
    assert_eq!(
        (found.kind, found.safety, found.header.is_some()),
        (Kind::File, Safety::CannotTell, true)
    );
    let found =
        folder(vec![DroppedFile { head: Some(hex(&[0; 100])), ..file("data.db", 8192) }], true);
    assert!(
        found.safety == Safety::NotSafe && found.because.contains("all zero"),
        "{}",
        found.because
    );
    let found = folder(
        vec![DroppedFile { wal: Some(read_wal(&[], None)), ..file("data.db-wal", 0) }],
        true,
    );
    assert_eq!((found.kind, found.safety), (Kind::File, Safety::CannotTell));
    assert_eq!(folder(vec![file("readme.txt", 3)], true).kind, Kind::Unknown);
    assert_eq!(folder(vec![file("../data.db", 3), file("a/b", 3)], true).kind, Kind::Unknown);
    assert_eq!(
        folder((0..3000).map(|at| file(&format!("f{at}"), 1)).collect(), true).kind,
        Kind::Unknown
    );
}

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
    made.receipts.insert(receipt(&our_names().backup), Some(kept.receipt(NOW_MS).to_text()));
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
    // It is still a journal.
    let value: Value = serde_json::from_str(&text).unwrap();
    let text = value["observation"]["journals"][our_journal().as_str()].as_str().unwrap();
    assert_eq!(Journal::parse(text, &canonical()).unwrap().phase, Phase::Built);
}

/// A support person looks as root at another user's database, say; and a refusal quotes what it
/// found.
#[test]
fn nobody_s_home_is_told() {
    let mut kept = with_companion(journal(Phase::Built), true);
    kept.companions[0].path = "/home/bob/app/auth.json".into();
    kept.companions[0].relative = "../../home/bob/app/auth.json".into();
    let mut observation = with_auth(interrupted(&kept));
    observation.companions.get_mut(&auth()).unwrap().path = "/Users/cid/auth.json".into();
    let field =
        json!({ "source": "C:\\Users\\dora\\x.db", "authPath": "/var/home/evelyn/auth.json" });
    put_journal(&mut observation, &name("data.db.v1-v2-migration.json"), &field.to_string());
    let mut made = bundle(observation, unchecked(), None);
    made.path = "/srv/home/fay/data.db".into();
    let plan = made.next.plan.as_mut().unwrap();
    plan.steps[0].why =
        format!("the journal cannot be used (source {:?})", "C:\\Users\\dora\\x.db");
    let why = "/home/bob/app/auth.json is in the way".to_owned();
    made.events =
        vec![Event::Step { op: "look".into(), file: None, why, index: 0, total: 1, undo: false }];
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

/// Whatever code a message ends with, the customer is told what to do about it.
#[test]
fn every_code_has_a_reply_of_its_own() {
    let mut replies = BTreeMap::new();
    for &code in Code::ALL {
        let alone = text(&format!("[cutover:{}]", code.as_str()));
        let whole =
            text(&Failure::refusal(code, "it is so", "do that").with_v1(&canonical()).to_string());
        let mut made = bundle(settled(), Check::Sound, None);
        made.last_error = Some(Failure::refusal(code, "it is so", "do that"));
        let last = text(&made.to_text());
        let damage = matches!(code, Code::V1Corrupt | Code::NotADatabase);
        assert_eq!(alone.safety, if damage { Safety::NotSafe } else { Safety::CannotTell });
        assert_eq!(
            (whole.safety == Safety::Safe, last.safety),
            (!damage, Safety::Safe),
            "{code:?}"
        );
        if !damage {
            let please = last.reply.split("\n\n").nth(1).unwrap();
            assert!(
                alone.reply.contains(please) && whole.reply.contains(please),
                "{code:?}: {}",
                alone.reply
            );
        }
        replies.entry(alone.reply).or_insert_with(Vec::new).push(code);
    }
    let same: Vec<_> = replies.into_values().filter(|codes| codes.len() > 1).collect();
    assert_eq!(same, [[Code::Host, Code::Verify, Code::StillOld]]);
    for (line, word) in [
        ("[cutover:IO:rename:EBUSY]", "cloud folder"),
        ("EBUSY: resource busy or locked, rename 'a'", "cloud folder"),
        ("[cutover:IO:sync-file:EIO]", "another disk"),
        ("[cutover:IO:copy:ENOSPC]", "free some space"),
        ("EPERM: operation not permitted, fsync", "newest version"),
        ("EROFS: read-only file system, open", "make it writable"),
        ("[cutover:IO:copy:EMFILE]", "restart the computer"),
    ] {
        let reply = text(line).reply;
        assert!(reply.contains(word), "{line}: {reply}");
    }
}

proptest! {
    /// No text makes it panic, and none that is not ours is called safe.
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

    #[test]
    fn no_folder_makes_it_panic(
        names in proptest::collection::vec("data\\.db(-wal|-journal|\\.(v1-v2|x)-(cutover\\.json|migration\\.json|1-3fa9c1d2(\\.json)?)|\\.building-3fa9c1d2)?|\\PC{0,9}", 0..6),
        sizes in proptest::collection::vec(any::<u64>(), 6),
        head in proptest::option::of("[0-9a-fé]{0,300}"),
        text in proptest::option::of("\\PC{0,40}"),
        whole_folder in any::<bool>(),
    ) {
        let files = names.iter().zip(sizes).map(|(name, size)| DroppedFile { name: name.clone(), size, text: text.clone(), head: head.clone(), wal: None }).collect();
        // A name may be any word, so the rule of replies is not asked of these.
        let found = diagnose(&Dropped { files, whole_folder, ..Dropped::default() });
        prop_assert_ne!(found.safety, Safety::Safe);
    }
}
