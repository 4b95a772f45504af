//! Restores and prunes: what is there when they start, what they plan, and what must hold.
//!
//! v2 is in place, with a row of its own, and beside it a backup with its receipt and a companion's
//! backup. A restore ends with v1 canonical and v2 set aside, a prune with the newest backup; and
//! at no instant may canonical be anything but whole, v2 or its row be out of reach, or what a
//! receipt says of a backup be wrong.

use crate::boot::End;
use crate::disk::{Content, HOME};
use crate::invariant::{Holds, broken, holds, is_v2, roles, strangers};
use crate::machine::{Machine, companion_digest};
use crate::sqlite::{Data, Db, V2_LINE};
use crate::{Ledger, Setting, Shape, State, Violation, Zombie};
use cutover_core::backup::{self, Receipts};
use cutover_core::journal::{RECEIPT_VERSION, Receipt, Strategy, V1};
use cutover_core::names::{CompanionName, FileName, Nonce, Role, companion_backup};
use cutover_core::observe::Observation;
use cutover_core::page1::JournalMode;
use cutover_core::plan::{Plan, RestoreRequest, Rule, plan_prune, plan_restore};

/// The backups, as they lie from the oldest to the newest: the start of each in milliseconds, its
/// nonce, and whether it has a receipt.
const BACKUPS: [(u64, &str, bool); 3] =
    [(100, "0c0c0c0c", true), (200, "0d0d0d0d", false), (900, "0b0b0b0b", true)];
/// Rows of v1 in a backup, and of v2 in place.
const ROWS: u8 = 1;

/// The journal modes of v1, before it was upgraded, and of v2.
fn modes(setting: &Setting) -> (JournalMode, JournalMode) {
    if setting.shape == Shape::RestoreWalRows {
        (JournalMode::Delete, JournalMode::Wal)
    } else {
        (JournalMode::Wal, JournalMode::Delete)
    }
}

fn name_of(setting: &Setting, (started_ms, nonce, _): (u64, &str, bool)) -> String {
    format!("{}.{}-{started_ms}-{nonce}", setting.canonical, setting.label)
}

/// A restore has one backup, a prune all of them.
fn present(setting: &Setting) -> &'static [(u64, &'static str, bool)] {
    if setting.restores() { &BACKUPS[2..] } else { &BACKUPS }
}

/// Lays it out.
pub(super) fn lay(setting: &Setting, mut state: State) -> State {
    let disk = &mut state.disk;
    let name = setting.canonical.as_str();
    let (v1_mode, v2_mode) = modes(setting);
    let v2 = Db { data: Data::V2 { of: ROWS, rows: ROWS }, mode: v2_mode, counter: 3, of: V2_LINE };
    if v2_mode == JournalMode::Wal {
        disk.lay(HOME, name, Content::Db(Db { data: Data::V2 { of: ROWS, rows: 0 }, ..v2 }));
        disk.lay(HOME, &format!("{name}-wal"), Content::Wal(v2));
        disk.lay(HOME, &format!("{name}-shm"), Content::Shm);
    } else {
        disk.lay(HOME, name, Content::Db(v2));
    }
    for (line, &of) in (20..).zip(present(setting)) {
        let v1 = Db { of: line, ..Db::v1(ROWS, JournalMode::Delete) };
        let backup = name_of(setting, of);
        disk.lay(HOME, &backup, Content::Db(v1));
        if let Some(text) = receipt_text(setting, of, v1, v1_mode).filter(|_| of.2) {
            disk.lay(HOME, &format!("{backup}.json"), Content::text(&text));
        }
        if let Some((_, file)) = &setting.companion {
            disk.lay(
                setting.aside(),
                &format!("{file}.{}-{}", setting.label, of.1),
                Content::Companion(0),
            );
        }
    }
    if let Some((_, file)) = &setting.companion {
        disk.lay(setting.aside(), file.as_str(), Content::Companion(1));
    }
    state.ledger = Ledger { v2_rows: ROWS, ..Ledger::of(ROWS, v2_mode) };
    state
}

fn receipt_text(
    setting: &Setting,
    of: (u64, &str, bool),
    v1: Db,
    journal_mode: JournalMode,
) -> Option<String> {
    let (header, page1) = v1.facts();
    let facts = cutover_core::observe::FileFacts {
        size: 8192,
        file_id: "1-1".into(),
        header,
        page1: Some(page1),
    };
    let nonce = Nonce::new(of.1).ok()?;
    let kept = setting.companion.iter();
    let receipt = Receipt {
        version: RECEIPT_VERSION,
        label: setting.label.clone(),
        canonical: setting.canonical.clone(),
        backup: FileName::new(name_of(setting, of)).ok()?,
        started_ms: of.0,
        strategy: Strategy::LinkReplace,
        v1: Some(V1 {
            file_id: facts.file_id.clone(),
            fingerprint: facts.fingerprint()?,
            journal_mode,
        }),
        v2: None,
        companions: kept
            .map(|(name, file)| (name.clone(), companion_backup(file, &setting.label, &nonce)))
            .collect(),
        report: None,
        warnings: Vec::new(),
        nonce,
    };
    Some(receipt.to_text())
}

fn receipts(machine: &Machine) -> Receipts {
    let entries =
        roles(&machine.state.disk, machine.setting).filter(|(_, role)| *role == Role::Receipt);
    let text = |name: &str| match machine.state.disk.get(HOME, name) {
        Some(Content::Text(text)) => Some(text.text.clone()),
        _ => None,
    };
    entries.filter_map(|(name, _)| Some((FileName::new(name).ok()?, text(name)))).collect()
}

/// What comes next where there is nothing to recover. `Ok(None)`: it was only to recover.
pub(super) fn next(
    machine: &Machine,
    observation: &Observation,
    nonce: Nonce,
    begins: bool,
) -> Result<Option<Plan>, End> {
    let setting = machine.setting;
    let failed = |failure| End::Failed(Box::new(failure));
    let receipts = receipts(machine);
    if !setting.restores() {
        let rule = Rule { keep: Some(1), older_than_ms: None };
        return plan_prune(observation, &receipts, rule, 1000)
            .map_err(failed)?
            .plan
            .map_or(Err(End::Current), |plan| Ok(Some(plan)));
    }
    if is_v2(&machine.state, setting) {
        return Err(End::Current);
    }
    if !begins {
        return Ok(None);
    }
    let Some(backup) = backup::list(observation, &receipts).into_iter().next() else {
        return Err(End::NoDatabase);
    };
    let digest = |(name, file): &(CompanionName, FileName)| {
        let kept = companion_backup(file, &backup.label, &backup.nonce);
        Some((
            name.clone(),
            companion_digest(machine.state.disk.get(setting.aside(), kept.as_str())?),
        ))
    };
    let companions = setting.companion.iter().filter_map(digest).collect();
    plan_restore(observation, &RestoreRequest { backup, nonce, companions })
        .map(|restore| Some(restore.plan))
        .map_err(failed)
}

/// Whether what the receipt says of this backup is so.
fn is_kept(state: &State, setting: &Setting, of: (u64, &str, bool)) -> bool {
    let name = name_of(setting, of);
    let text = matches!(state.disk.get(HOME, &format!("{name}.json")), Some(Content::Text(_)));
    let companion = setting.companion.iter().all(|(_, file)| {
        let kept = format!("{file}.{}-{}", setting.label, of.1);
        state.disk.get(setting.aside(), &kept) == Some(&Content::Companion(0))
    });
    holds(&state.disk, &name) == Holds::V1(ROWS) && text == of.2 && companion
}

/// What must hold at every instant.
pub(super) fn always(state: &State, setting: &Setting) -> Option<Violation> {
    let State { disk, ledger } = state;
    let v2 = Holds::V2 { of: ROWS, rows: ledger.v2_rows };
    let canonical = holds(disk, setting.canonical.as_str());
    if let Some(violation) = strangers(disk) {
        return Some(violation);
    }
    match canonical {
        Holds::Nothing => return broken("I8", "canonical is missing or empty"),
        canonical if canonical == v2 => {}
        Holds::V1(rows) if setting.restores() && rows == ledger.rows => {}
        Holds::V1(rows) if setting.restores() => {
            return broken("I2", format!("canonical is a v1 with {rows} rows of {}", ledger.rows));
        }
        _ => return broken("I1", "canonical is another database than it should be"),
    }
    if canonical == v2 && setting.restores() && ledger.v2_durable {
        return broken("I3", "v1 was canonical for good, and is not any more");
    }
    if canonical != v2 && !displaced(state, setting).any(|holds| holds == v2) {
        return broken("I2", "v2 is neither canonical nor set aside");
    }
    let stays = |of: &&(u64, &str, bool)| setting.restores() || of.0 != BACKUPS[0].0;
    if let Some(gone) =
        present(setting).iter().filter(stays).find(|of| !is_kept(state, setting, **of))
    {
        return broken("I2", format!("the backup {} is not what it was", gone.0));
    }
    // Whoever lists the one that goes must not be told that it is whole when it is not.
    let name = name_of(setting, BACKUPS[0]);
    let told = disk.get(HOME, &format!("{name}.json")).is_some() && disk.get(HOME, &name).is_some();
    let lies = told
        && present(setting).first() == Some(&BACKUPS[0])
        && !is_kept(state, setting, BACKUPS[0]);
    if lies { broken("I2", "a receipt tells of a backup that is not there") } else { None }
}

fn displaced<'a>(state: &'a State, setting: &'a Setting) -> impl Iterator<Item = Holds> {
    roles(&state.disk, setting)
        .filter(|(_, role)| matches!(role, Role::Displaced(_)))
        .map(|(name, _)| holds(&state.disk, name))
}

/// What must hold when a start has ended and nothing was in its way.
pub(super) fn at_end(state: &State, setting: &Setting) -> Option<Violation> {
    if let Some(violation) = always(state, setting) {
        return Some(violation);
    }
    let disk = &state.disk;
    let v1 = matches!(holds(disk, setting.canonical.as_str()), Holds::V1(_));
    for (name, role) in roles(disk, setting) {
        let main = match &role {
            Role::Sidecar(of) => of,
            role => role,
        };
        if matches!(
            main,
            Role::Source(_)
                | Role::Staging(_)
                | Role::Install(_)
                | Role::JournalTmp(..)
                | Role::Journal(_)
        ) {
            return broken("I6", format!("{name} is left"));
        }
    }
    // In a directory that was copied v2's second name is a copy of its own, and nothing that may be
    // v2 is removed.
    let canonical = disk.ino(HOME, setting.canonical.as_str());
    if let Some((name, _)) = roles(disk, setting)
        .find(|(name, _)| *name != setting.canonical.as_str() && disk.ino(HOME, name) == canonical)
    {
        return broken("I6", format!("{name} is canonical's second name, and is left"));
    }
    let v2 = |holds: Holds| matches!(holds, Holds::V2 { of: ROWS, .. });
    if !displaced(state, setting).all(v2) {
        return broken("I6", "what is set aside is no v2");
    }
    if let Some(Content::Db(db)) = disk.get(HOME, setting.canonical.as_str())
        && state.ledger.mode.is_some()
    {
        let (v1_mode, v2_mode) = modes(setting);
        // What another connection has open in WAL mode stays in it.
        let v1_mode = if setting.zombie == Zombie::OnV1Before && v2_mode == JournalMode::Wal {
            v2_mode
        } else {
            v1_mode
        };
        if db.mode != if v1 { v1_mode } else { v2_mode } {
            return broken("I10", format!("canonical is in {:?} mode", db.mode));
        }
    }
    if !setting.restores() {
        let gone = BACKUPS[0].1;
        let left = disk.dirs.iter().flat_map(|dir| dir.now.keys()).find(|name| name.contains(gone));
        return left.and_then(|name| broken("I6", format!("{name} is left")));
    }
    companion(state, setting, v1)
}

/// The companion belongs to the database that is canonical, and what was there is kept.
fn companion(state: &State, setting: &Setting, v1: bool) -> Option<Violation> {
    let (_, file) = setting.companion.as_ref()?;
    let directory = &state.disk.dirs[setting.aside()];
    let version = |name: &str| match state.disk.get(setting.aside(), name) {
        Some(Content::Companion(version)) => Some(*version),
        _ => None,
    };
    let found = version(file.as_str());
    let changed = state.ledger.companion_changed;
    if found != Some(u8::from(!v1)) && !(changed && found == Some(2)) {
        return broken(
            "I7",
            format!("canonical is {}, and the companion is not", if v1 { "v1" } else { "v2" }),
        );
    }
    let beside = |wanted: u8| {
        directory
            .now
            .keys()
            .any(|name| name.contains(".displaced-") && version(name) == Some(wanted))
    };
    let owed = state.ledger.companion_owed;
    if (owed && found != Some(2) && !beside(2)) || (v1 && !changed && !beside(1)) {
        return broken("I7", "what was in the companion's place is gone");
    }
    let left = directory.now.keys().find(|name| {
        name.strip_prefix(file.as_str()).is_some_and(|rest| rest.starts_with(".building-"))
    });
    left.and_then(|name| broken("I6", format!("{name} is left")))
}

/// The starts.
pub(super) fn settings(
    plain: impl Fn(Shape) -> Option<Setting>,
    companion: impl Fn(Setting) -> Option<Setting>,
) -> Vec<Setting> {
    let shapes = [Shape::RestoreSettled, Shape::RestoreWalRows, Shape::Prune];
    let bare = shapes.into_iter().filter_map(&plain);
    let with = shapes.into_iter().filter_map(|shape| companion(plain(shape)?));
    let mut all: Vec<Setting> = bare.chain(with).collect();
    let restores: Vec<Setting> = all.iter().filter(|setting| setting.restores()).cloned().collect();
    all.extend(restores.into_iter().map(|setting| Setting { can_link: false, ..setting }));
    all
}
