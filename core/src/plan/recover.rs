//! What a start does about a journal that it finds: the recovery table of the design, row by row.
//!
//! | seen, in this order | do |
//! | --- | --- |
//! | no journal | remove a left-over journal tmp; nothing else |
//! | Windows: `built`, canonical is v2 as it was built, v1 changed in the backup | put v1 back, undo, and build anew |
//! | canonical is v2 | forward: commit, companions, clean up; nothing is ever undone from here |
//! | `building` | undo |
//! | `built`, v1 unchanged, v2's file there | go on with the flip from the first step that is not visible; undo if a check fails |
//! | `built`, v1 changed, or v2's file missing | undo, and build anew |
//! | `installing` | canonical was opened through SQLite: v2 forward, v1 undo |
//! | the field's `canonical-moved` | install the verified staging, or move the backup back |
//! | unreadable journal, canonical whole | set the journal aside, go on |
//! | unreadable journal, no whole canonical | refuse, touch nothing, name the candidates |
//!
//! Every plan begins by flushing the directory: what is visible need not be durable, and acting on it could outrun it.

use super::parts::{
    Link, clean_up, commit, companion_names, flip, give_v1_back, install_companions, receipt_steps, remove_half_written, set_aside,
    stray_journal_tmps, undo, undo_companions, warns_from,
};
use super::{Plan, PlanKind, VERSION, step};
use crate::failure::{Code, Failure};
use crate::fault::Platform;
use crate::journal::field::{FieldJournal, FieldPhase};
use crate::journal::{self, Companion, Journal, Phase, ReadError, Strategy, Warning, WarningFrom};
use crate::names::{At, FileName, Label, Nonce, Role, companion_staged, displaced, field_journal, journal_aside};
use crate::observe::{Observation, Verdict};
use crate::op::{Op, Step};
use crate::sqlite::JournalMode;

const FLUSH: &str = "what is visible need not be durable; nothing may act on it before it is";

/// Flushes the database's directory, and those of the companions that the journal names.
fn flush(journal: &Journal) -> Vec<Step> {
    let companions = journal.companions.iter().map(|companion| Some(companion.name.clone()));
    std::iter::once(None).chain(companions).map(|companion| step(Op::SyncDir { companion }, FLUSH)).collect()
}

/// Plans what must be done before anything else. Nothing: there is no journal and no trace of one.
///
/// `nonce` names what has to be set aside.
///
/// # Errors
/// When a journal cannot be used and canonical is not whole, or another upgrade is unfinished. Nothing was touched.
pub fn plan_recovery(observation: &Observation, label: &Label, nonce: &Nonce) -> Result<Option<Plan>, Failure> {
    let canonical = &observation.canonical;
    // The field's journal first: where both exist, an old release began its own upgrade over ours, and what it moved must be
    // back before ours can be judged.
    let field = field_journal(canonical);
    let mut names: Vec<&FileName> = observation.journals.keys().collect();
    names.sort_by_key(|name| **name != field);
    let Some(name) = names.first() else { return Ok(clean_tmps(observation)) };
    let Some(text) = observation.journals.get(*name).and_then(Option::as_deref) else {
        return unreadable(observation, name, nonce, "it cannot be read as text").map(Some);
    };
    if **name == field {
        return match FieldJournal::parse(text, canonical) {
            Ok(journal) => plan_field(observation, &journal).map(Some),
            Err(error) => unusable(observation, name, nonce, &error).map(Some),
        };
    }
    match Journal::parse(text, canonical) {
        Ok(journal) if journal.file() != **name => {
            let error = ReadError::Contradiction(format!("label {} does not belong in a file of this name", journal.label));
            unusable(observation, name, nonce, &error).map(Some)
        }
        Ok(journal) if journal.label != *label && journal.phase != Phase::Committed => Err(Failure::refusal(
            Code::Journal,
            format!("another upgrade of this database ({}) was interrupted and is not finished", journal.label),
            "start the release of the application that began it",
        )
        .of(name)),
        Ok(journal) => plan_ours(observation, journal).map(Some),
        Err(error) => unusable(observation, name, nonce, &error).map(Some),
    }
}

/// What canonical is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    V1Unchanged,
    V1Changed,
    V2,
    Unknown,
    Missing,
}

/// `detect` is the application's own word for what tells v1 from v2, and it was proven on v2 before it was installed, so it
/// goes first: file ids do not survive a copied directory, and sizes and digests change as soon as the application writes.
fn identify(observation: &Observation, journal: &Journal) -> Is {
    let Some(facts) = observation.canonical_facts() else { return Is::Missing };
    let unchanged = || journal.v1.as_ref().is_some_and(|v1| facts.fingerprint().as_ref() == Some(&v1.fingerprint));
    let v2_id = journal.v2.as_ref().is_some_and(|v2| v2.file_id == facts.file_id && facts.page1.as_ref() == Some(&v2.page1));
    match observation.verdict {
        Some(Verdict::Current | Verdict::Newer) => Is::V2,
        Some(Verdict::Old) if unchanged() => Is::V1Unchanged,
        Some(Verdict::Old) => Is::V1Changed,
        None if v2_id => Is::V2,
        None => Is::Unknown,
    }
}

fn plan_ours(observation: &Observation, mut journal: Journal) -> Result<Plan, Failure> {
    let names = journal.names.clone();
    for companion in &mut journal.companions {
        companion.staged |= is_staged(observation, &journal.nonce, companion);
    }
    // A companion that is no longer declared has no directory here: leave it, and say so.
    let (declared, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut journal.companions)
        .into_iter()
        .partition(|c| observation.companions.get(&c.name).is_some_and(|seen| seen.file == c.file));
    journal.companions = declared;
    for companion in gone {
        journal.warnings.push(undeclared(&companion.name.to_string(), companion.file.as_str()));
    }
    if v1_changed_at_the_flip(observation, &journal) {
        let back = give_v1_back(&journal);
        return Ok(go_back(observation, journal, back.into()));
    }
    let is = identify(observation, &journal);
    match (journal.phase, is) {
        // `committed` beside a v1: v2 was durably canonical, and somebody restored v1. Only the journal is left of that cutover.
        (_, Is::V2) | (Phase::Committed, Is::V1Unchanged | Is::V1Changed) => Ok(forward(observation, journal)),
        (_, Is::Missing) => Err(refuse_missing(observation, &journal)),
        (_, Is::Unknown) => Err(Failure::refusal(
            Code::V1Corrupt,
            "an upgrade was interrupted, and SQLite cannot read the database now",
            format!("look at {} and restore a whole database from there", candidates(observation)),
        )
        .of(&names.canonical)),
        (Phase::Built, Is::V1Unchanged)
            if journal.v2.as_ref().is_some_and(|v2| observation.files.contains_key(&v2.file)) && backup_is_v1(observation, &journal) =>
        {
            Ok(go_on(observation, journal))
        }
        (Phase::Building | Phase::Built | Phase::Installing, Is::V1Unchanged | Is::V1Changed) => {
            Ok(go_back(observation, journal, Vec::new()))
        }
    }
}

/// Whether v2 was installed over a v1 that another program wrote to at the last moment. On Windows an open file cannot be replaced, so v1's lock
/// cannot outlast its check; what was written after that is in the backup alone, and v2 lacks it.
///
/// v2 is then replaced, not kept beside: it is a build of ours that nobody has used. That must be sure, for an application that may use v2
/// has rows in it. It is told of v2 only once the journal says `committed` ([`warns_from`]); and here nothing was begun of what comes after
/// the look at the backup: canonical is as it was built, every staged companion still waits, there is no receipt. So what changed the
/// backup was not somebody who opened it later, by that name.
///
/// Sidecars beside canonical are v1's, of an old application that was killed. The rename makes them v1's again, so nothing may open canonical
/// before it: [`may_open_canonical`].
pub(crate) fn v1_changed_at_the_flip(observation: &Observation, journal: &Journal) -> bool {
    let names = &journal.names;
    let facts = (observation.canonical_facts(), observation.files.get(&names.backup));
    let ((Some(canonical), Some(backup)), Some(v1), Some(v2)) = (facts, &journal.v1, &journal.v2) else { return false };
    let is_v2 = matches!(observation.verdict, Some(Verdict::Current | Verdict::Newer)) || canonical.file_id == v2.file_id;
    observation.platform == Platform::Windows
        && journal.phase == Phase::Built
        && is_v2
        && canonical.size == v2.size
        && canonical.page1.as_ref() == Some(&v2.page1)
        && !observation.same_file(&names.backup, &names.canonical)
        && backup.fingerprint().is_some_and(|now| now != v1.fingerprint)
        && !observation.files.contains_key(&names.receipt())
        && journal.companions.iter().all(|c| !c.staged || is_staged(observation, &journal.nonce, c))
}

/// Whether canonical may be opened, to ask `detect` what it is. Not while it is a v2 that v1 is to be put back over: a log or hot
/// journal of v1's beside it would be replayed over v2 by the mere open, and be gone from v1.
#[must_use]
pub fn may_open_canonical(observation: &Observation) -> bool {
    let mut journals = observation.journals.values().flatten().filter_map(|text| Journal::parse(text, &observation.canonical).ok());
    !journals.any(|journal| v1_changed_at_the_flip(observation, &journal))
}

fn is_staged(observation: &Observation, nonce: &Nonce, companion: &Companion) -> bool {
    let staged = companion_staged(&companion.file, nonce);
    observation.companions.get(&companion.name).is_some_and(|seen| seen.present.contains(&staged))
}

fn undeclared(companion: &str, path: &str) -> Warning {
    Warning {
        from: WarningFrom::Cutover,
        code: Some("COMPANION_MOVED".into()),
        message: format!(
            "the interrupted upgrade changed a companion ({companion}, {path}) that is not declared at that place now; it was left alone"
        ),
    }
}

fn forward(observation: &Observation, journal: Journal) -> Plan {
    let mut steps = flush(&journal);
    let mut kind = PlanKind::Finish;
    let mut cleanup_from = steps.len();
    match journal.phase {
        Phase::Committed | Phase::Building => {
            // `building` beside a v2: only a directory that cannot be flushed shows this, or somebody who put a v2 there. The journal
            // knows nothing of this v2 and cannot say committed. `committed`: its name may have reached the disk without the receipt's.
            let backup = observation.files.contains_key(&journal.names.backup);
            if backup {
                steps.push(remove_half_written(&journal));
                steps.extend(receipt_steps(&journal.names.receipt()));
            }
            if !backup || journal.phase == Phase::Committed {
                kind = PlanKind::Clean;
            }
        }
        Phase::Built | Phase::Installing => {
            let staged = |c: &Companion| is_staged(observation, &journal.nonce, c);
            steps.extend(install_companions(&journal, staged, |c| kept(observation, &journal, c)));
            let installed = steps.len();
            steps.push(remove_half_written(&journal));
            steps.extend(commit(&journal));
            cleanup_from = warns_from(observation.platform, installed, steps.len());
        }
    }
    steps.extend(clean_up(&journal, true));
    plan(observation, kind, Some(journal), steps, None, Some(cleanup_from), Vec::new())
}

/// Whether the backup's name is free, or v1's: a link, or the second copy that a copied directory has. Anything else is kept, and v2
/// is built anew under another nonce.
fn backup_is_v1(observation: &Observation, journal: &Journal) -> bool {
    let names = &journal.names;
    let v1 = journal.v1.as_ref().map(|v1| &v1.fingerprint);
    observation.files.get(&names.backup).is_none_or(|backup| {
        observation.same_file(&names.backup, &names.canonical) || (backup.header.is_some() && backup.fingerprint().as_ref() == v1)
    })
}

fn go_on(observation: &Observation, journal: Journal) -> Plan {
    let names = &journal.names;
    let staged = staged(&journal).clone();
    let link = if !observation.files.contains_key(&names.backup) {
        Link::Make
    } else if observation.same_file(&names.backup, &names.canonical) {
        Link::Visible
    } else {
        Link::Replace
    };
    let mut steps = flush(&journal);
    steps.extend([
        step(Op::Check { file: staged.clone() }, "a crash may have damaged what was built"),
        step(Op::Detect { file: staged.clone() }, "only a v2 is installed"),
    ]);
    steps.extend(flip(&journal, &staged, link, observation.platform));
    let flip_at = steps.iter().position(|step| matches!(&step.op, Op::Rename { to, .. } if *to == At::from(&names.canonical)));
    steps.extend(install_companions(&journal, |c| is_staged(observation, &journal.nonce, c), |c| kept(observation, &journal, c)));
    let installed = steps.len();
    steps.push(remove_half_written(&journal));
    steps.extend(commit(&journal));
    let cleanup_from = warns_from(observation.platform, installed, steps.len());
    steps.extend(clean_up(&journal, true));
    let back = undo_ours(observation, &journal);
    plan(observation, PlanKind::Finish, Some(journal), steps, flip_at, Some(cleanup_from), back)
}

/// The file that is installed.
fn staged(journal: &Journal) -> &FileName {
    journal.v2.as_ref().map_or(&journal.names.staging, |v2| &v2.file)
}

fn undo_ours(observation: &Observation, journal: &Journal) -> Vec<Step> {
    let companions = undo_companions(journal, |c| backed_up(observation, journal, c), |c| kept(observation, journal, c));
    undo(journal, Some(staged(journal)), companions)
}

/// `first`: what comes before the undo, which goes on after a step that failed, and must not after one of these.
fn go_back(observation: &Observation, journal: Journal, first: Vec<Step>) -> Plan {
    let back = undo_ours(observation, &journal);
    let mut steps = flush(&journal);
    steps.extend(first);
    plan(observation, PlanKind::Undo, Some(journal), steps, None, None, back)
}

fn kept(observation: &Observation, journal: &Journal, companion: &Companion) -> bool {
    let displaced = companion_names(journal, companion).displaced.name;
    observation.companions.get(&companion.name).is_some_and(|seen| seen.present.contains(&displaced))
}

fn backed_up(observation: &Observation, journal: &Journal, companion: &Companion) -> bool {
    let backup = companion_names(journal, companion).backup.name;
    observation.companions.get(&companion.name).is_some_and(|seen| seen.present.contains(&backup))
}

fn clean_tmps(observation: &Observation) -> Option<Plan> {
    let files = stray_journal_tmps(&observation.canonical, observation.files.keys());
    if files.is_empty() {
        return None;
    }
    let steps = vec![
        step(Op::SyncDir { companion: None }, FLUSH),
        step(Op::Remove { files }, "a start was killed while it wrote its first journal; nothing else was begun"),
        step(Op::SyncDir { companion: None }, "removed for good"),
    ];
    Some(plan(observation, PlanKind::Clean, None, steps, None, Some(0), Vec::new()))
}

/// A newer version is refused in any case: the newer release can go on with it. Anything else is as good as unreadable.
fn unusable(observation: &Observation, name: &FileName, nonce: &Nonce, error: &ReadError) -> Result<Plan, Failure> {
    if let ReadError::TooNew { .. } = error {
        return Err(Failure::refusal(
            Code::Journal,
            format!("the journal of an interrupted upgrade cannot be used: {error}"),
            "nothing was touched",
        )
        .of(name));
    }
    unreadable(observation, name, nonce, &error.to_string())
}

fn unreadable(observation: &Observation, name: &FileName, nonce: &Nonce, why: &str) -> Result<Plan, Failure> {
    if observation.verdict.is_none() {
        return Err(Failure::refusal(
            Code::Journal,
            format!("the journal of an interrupted upgrade cannot be used ({why}), and {} is not whole", observation.canonical),
            format!(
                "nothing was touched; choose a whole database among {} and rename it to {}, then remove the journal",
                candidates(observation),
                observation.canonical
            ),
        )
        .of(name));
    }
    let aside = journal_aside(name, nonce);
    let steps = vec![
        step(Op::SyncDir { companion: None }, FLUSH),
        step(
            Op::Rename { from: name.into(), to: (&aside).into() },
            &format!("the journal cannot be used ({why}) and canonical is whole; left-overs are reported, none is removed"),
        ),
        step(Op::SyncDir { companion: None }, "set aside for good"),
    ];
    Ok(plan(observation, PlanKind::SetAside, None, steps, None, None, Vec::new()))
}

fn refuse_missing(observation: &Observation, journal: &Journal) -> Failure {
    Failure::refusal(
        Code::Journal,
        format!("an upgrade was interrupted ({}), and the database itself is missing", journal.phase.as_str()),
        format!(
            "nothing was touched; choose a whole database among {} and rename it to {}",
            candidates(observation),
            observation.canonical
        ),
    )
    .of(&observation.canonical)
}

/// Every file that may hold the user's data, for a person to choose from.
#[must_use]
pub(crate) fn candidates(observation: &Observation) -> String {
    let names: Vec<&str> = observation
        .files
        .keys()
        .filter(|name| {
            matches!(
                Role::of(&observation.canonical, name),
                Some(Role::Backup { .. } | Role::Staging(_) | Role::Install(_) | Role::Source(_) | Role::Displaced(_))
            )
        })
        .map(FileName::as_str)
        .collect();
    if names.is_empty() { "your own backups (none is in this directory)".to_owned() } else { names.join(", ") }
}

fn plan(
    observation: &Observation,
    kind: PlanKind,
    journal: Option<Journal>,
    steps: Vec<Step>,
    flip_at: Option<usize>,
    cleanup_from: Option<usize>,
    undo: Vec<Step>,
) -> Plan {
    let index = |at: Option<usize>| at.and_then(|at| u32::try_from(at).ok());
    Plan {
        version: VERSION,
        kind,
        platform: observation.platform,
        journal,
        steps,
        flip_at: index(flip_at),
        cleanup_from: index(cleanup_from),
        undo,
        needs_bytes: 0,
    }
}

/// The field's journal as one of ours, and whether its companion is the declared one.
fn adopt(observation: &Observation, field: &FieldJournal) -> Journal {
    let mut warnings = Vec::new();
    let declared = observation
        .companions
        .iter()
        .find(|(_, seen)| seen.file == field.auth_file && (seen.path == field.auth_path || (seen.beside && field.auth_beside)));
    let mut companions = Vec::new();
    if let Some((name, seen)) = declared {
        let before = field.auth_existed.then(String::new);
        companions.push(Companion { name: name.clone(), file: seen.file.clone(), before, staged: false, after: None });
    } else if !observation.companions.is_empty() || field.auth_backup {
        let now: Vec<&str> = observation.companions.values().map(|seen| seen.path.as_str()).collect();
        let now = if now.is_empty() { "nowhere".to_owned() } else { now.join(", ") };
        warnings.push(undeclared("auth", &format!("{}; declared now: {now}", field.auth_path)));
    }
    Journal {
        version: journal::VERSION,
        label: field.label.clone(),
        nonce: field.nonce.clone(),
        // `built` here only means: not committed, no fingerprint of v1.
        phase: Phase::Built,
        attempt: 1,
        strategy: Strategy::TwoRename,
        names: field.names.clone(),
        v1: None,
        v2: None,
        expect: std::collections::BTreeMap::new(),
        companions,
        host_state: field.keychain_backups.clone(),
        report: None,
        warnings,
    }
}

/// The field's journal. Its phase says less than what is there: its renames may have reached the disk in another order than
/// its journal, so what is there decides. It has no fingerprint of v1, so a v1 that is still canonical is always built anew.
fn plan_field(observation: &Observation, field: &FieldJournal) -> Result<Plan, Failure> {
    let mut journal = adopt(observation, field);
    let names = journal.names.clone();
    let flush = step(Op::SyncDir { companion: None }, FLUSH);
    // Staging stays until the companions are back: only beside it is their backup known to be whole.
    let back = undo(&journal, None, undo_field_companions(observation, &journal, field));
    let backup = observation.files.contains_key(&names.backup);
    let canonical = observation.files.contains_key(&names.canonical);
    if canonical && matches!(observation.verdict, Some(Verdict::Current | Verdict::Newer)) {
        journal.phase = Phase::Committed;
        let mut steps = vec![flush];
        if backup {
            steps.push(step(
                Op::Remove { files: vec![(&names.receipt()).into()] },
                "a receipt that an interrupted start began is made anew",
            ));
            steps.extend(receipt_steps(&names.receipt()));
        }
        steps.extend(clean_up(&journal, true));
        // Not from 0: what the field renamed need not be durable, and the application may not open it before it is.
        return Ok(plan(observation, PlanKind::Finish, Some(journal), steps, None, Some(1), Vec::new()));
    }
    let empty = observation.canonical_facts().is_none_or(|facts| facts.size == 0);
    // v2 was canonical, and nothing of it is left in staging: somebody restored v1 since. The cutover is over; only its journal is left.
    if canonical
        && !empty
        && field.phase == FieldPhase::Committed
        && observation.verdict.is_some()
        && !observation.files.contains_key(&names.staging)
    {
        journal.phase = Phase::Committed;
        let steps = [flush].into_iter().chain(clean_up(&journal, true)).collect();
        return Ok(plan(observation, PlanKind::Clean, Some(journal), steps, None, Some(0), Vec::new()));
    }
    // A canonical that cannot be read is not taken for somebody else's: it may be the user's v2.
    let unread = !empty && observation.verdict.is_none();
    if canonical && (!backup || observation.same_file(&names.canonical, &names.backup) || unread) {
        if observation.verdict.is_none() {
            return Err(Failure::refusal(
                Code::V1Corrupt,
                "an upgrade was interrupted, and SQLite cannot read the database now",
                format!("look at {} and restore a whole database from there", candidates(observation)),
            )
            .of(&names.canonical));
        }
        return Ok(plan(observation, PlanKind::Undo, Some(journal), vec![flush], None, None, back));
    }
    if !backup {
        return Err(refuse_missing(observation, &journal));
    }

    // v1 is in the backup, and canonical is missing or foreign.
    let mut steps = vec![flush];
    let aside = displaced(&names.canonical, &journal.nonce);
    if canonical {
        // Sidecars first: one that stayed behind would be taken for v1's.
        for (from, to) in names.canonical.set().iter().zip(aside.set()).skip(1).chain([(&names.canonical, aside.clone())]) {
            if observation.files.contains_key(from) {
                steps.push(step(
                    Op::Rename { from: from.into(), to: (&to).into() },
                    "an older release made it while v1 was moved; it is kept",
                ));
            }
        }
        steps.push(step(Op::SyncDir { companion: None }, "set aside for good before its name is used again"));
        // A plan of its own: were it part of the next one, a failure before it would put v1 back over it. The next one warns of the rest.
        journal.warnings.clear();
        return Ok(plan(observation, PlanKind::Clean, Some(journal), steps, None, None, Vec::new()));
    }
    let [wal, shm, hot] = names.canonical.sidecars();
    let [backup_wal, _, backup_hot] = names.backup.sidecars();
    let orphans = [(wal, backup_wal), (hot, backup_hot)];
    let [aside_wal, _, aside_hot] = aside.sidecars();
    for ((from, to), aside) in orphans.iter().zip([aside_wal, aside_hot]).filter(|((from, _), _)| observation.files.contains_key(from)) {
        // The backup's own sidecar is v1's; a second one is of a database that an older release made in the gap.
        let (to, why) = if observation.files.contains_key(to) {
            (&aside, "v1 has its sidecar already; this one is somebody else's, and is kept")
        } else {
            (to, "v1's own sidecar goes where v1 is, and never stands beside v2")
        };
        steps.push(step(Op::Rename { from: from.into(), to: to.into() }, why));
    }
    if observation.files.contains_key(&shm) {
        steps.push(step(Op::Remove { files: vec![(&shm).into()] }, "a -shm is never moved"));
    }
    steps.push(step(Op::SyncDir { companion: None }, "v1 has its sidecars for good before v2 is installed"));
    steps.push(step(Op::Settle { file: names.backup.clone(), mode: JournalMode::Delete }, "v1 becomes one file"));

    let give_back = [
        step(Op::RenameNew { from: (&names.backup).into(), to: (&names.canonical).into() }, "v1 is canonical again"),
        step(Op::SyncDir { companion: None }, "v1 must be canonical for good before anything is removed"),
    ];
    let back: Vec<Step> = give_back.into_iter().chain(back).collect();
    let Some(staging) = observation.files.get(&names.staging) else {
        return Ok(plan(observation, PlanKind::Undo, Some(journal), steps, None, None, back));
    };
    let mode = staging.header.as_ref().map_or(JournalMode::Delete, |header| header.journal_mode);
    steps.extend([
        step(Op::Settle { file: names.staging.clone(), mode }, "v2 becomes one file"),
        step(Op::Check { file: names.staging.clone() }, "an unseen staging file may be empty or torn"),
        step(Op::Detect { file: names.staging.clone() }, "only a v2 is installed"),
        step(Op::SyncFile { file: (&names.staging).into() }, "v2's data must be durable before its name is"),
        step(
            Op::RenameNew { from: (&names.staging).into(), to: (&names.canonical).into() },
            "v2 becomes canonical, unless an older release has made another database in the gap",
        ),
    ]);
    let flip_at = steps.len() - 1;
    steps.extend([
        step(Op::Absent { files: names.canonical.sidecars().into() }, "a sidecar of v1 would be replayed over v2"),
        step(Op::SyncDir { companion: None }, "v2 must be durable before the application commits to it"),
    ]);
    let cleanup_from = steps.len();
    steps.push(step(Op::Remove { files: vec![(&names.receipt()).into()] }, "a receipt that an interrupted start began is made anew"));
    steps.extend(receipt_steps(&names.receipt()));
    steps.extend(clean_up(&journal, true));
    Ok(plan(observation, PlanKind::Finish, Some(journal), steps, Some(flip_at), Some(cleanup_from), back))
}

/// The field wrote `auth.json` in place, after a backup that was itself written in place. The backup can be torn until staging
/// exists, so it is put back only then; what it displaces is kept.
fn undo_field_companions(observation: &Observation, journal: &Journal, field: &FieldJournal) -> Vec<Step> {
    let built = observation.files.contains_key(&journal.names.staging);
    let mut steps = Vec::new();
    for companion in &journal.companions {
        let names = companion_names(journal, companion);
        let Some(seen) = observation.companions.get(&companion.name) else { continue };
        let sync = |why: &str| step(Op::SyncDir { companion: Some(companion.name.clone()) }, why);
        let backed_up = field.auth_backup && seen.present.contains(&names.backup.name);
        if built && backed_up {
            if seen.digest.is_some() {
                steps.push(step(set_aside(&names, kept(observation, journal, companion)), "what is displaced is kept beside"));
                steps.push(sync("what is displaced must be durable before its name goes"));
            }
            steps.push(step(Op::Rename { from: names.backup.clone(), to: names.file }, "the companion matches v1 again"));
        } else if built && !field.auth_existed && seen.digest.is_some() {
            steps.push(step(
                Op::Rename { from: names.file, to: names.displaced },
                "there was none before; what is there now is kept beside",
            ));
        }
        steps.push(sync("put back for good before its backup goes"));
        steps.push(step(Op::Remove { files: vec![names.backup] }, "nothing temporary stays beside the companion"));
        steps.push(sync("removed for good before the journal goes"));
    }
    steps
}
