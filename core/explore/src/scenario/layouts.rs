//! What lies on the disk when the first start looks.

use crate::model::database::{Data, Db, V2_LINE};
use crate::model::disk::{Content, Disk, HOME};
use crate::model::state::{Ledger, State};
use crate::scenario::{InitialState, Scenario};
use cutover_core::{
    FileFacts, FileName, JournalMode, Nonce, Platform, RECEIPT_VERSION, Receipt, Strategy, V1,
    companion_backup_name,
};

/// Puts the initial state of a scenario on a disk.
#[must_use]
pub fn seed(scenario: &Scenario) -> State {
    let mut disk = Disk { log: scenario.platform == Platform::Windows, ..Disk::default() };
    let name = scenario.canonical.as_str();
    if scenario.has_backups() {
        return seed_backups(scenario, State { disk, ledger: Ledger::of(0, JournalMode::Delete) });
    }
    let mut rows = 0;
    let journal = format!("{name}.v1-v2-cutover.json");
    match scenario.initial {
        InitialState::Settled | InitialState::Legacy | InitialState::LegacyUndone => {
            disk.seed(HOME, name, Content::Db(Db::v1(0, JournalMode::Delete)));
        }
        InitialState::WalClosed => disk.seed(HOME, name, Content::Db(Db::v1(0, JournalMode::Wal))),
        InitialState::WalRows
        | InitialState::LegacyWal
        | InitialState::BothJournals
        | InitialState::OtherLabel
        | InitialState::OtherLabelBuilt
        | InitialState::OtherLabelFlipped
        | InitialState::OtherLabelSaved => {
            rows = 1;
            disk.seed(HOME, name, Content::Db(Db::v1(0, JournalMode::Wal)));
            disk.seed(HOME, &format!("{name}-wal"), Content::Wal(Db::v1(1, JournalMode::Wal)));
            disk.seed(HOME, &format!("{name}-shm"), Content::Shm);
        }
        InitialState::HotJournal => {
            let before = Db::v1(0, JournalMode::Delete);
            disk.seed(HOME, name, Content::Db(Db { data: Data::Half, ..before }));
            disk.seed(HOME, &format!("{name}-journal"), Content::Hot(before));
        }
        InitialState::JournalTmp => {
            disk.seed(HOME, name, Content::Db(Db::v1(0, JournalMode::Wal)));
            disk.seed(HOME, &format!("{journal}.tmp-0a0a0a0a"), Content::Torn);
        }
        InitialState::Orphans => {
            disk.seed(HOME, name, Content::Db(Db::v1(0, JournalMode::Wal)));
            disk.seed(HOME, &format!("{name}.building-0a0a0a0a"), Content::Torn);
            disk.seed(
                HOME,
                &format!("{name}.source-0a0a0a0a"),
                Content::Db(Db { of: 2, ..Db::v1(0, JournalMode::Wal) }),
            );
        }
        InitialState::UnreadableJournal => {
            disk.seed(HOME, name, Content::Db(Db::v1(0, JournalMode::Wal)));
            disk.seed(HOME, &journal, Content::Torn);
        }
        InitialState::NoCanonical => {
            disk.seed(HOME, &format!("{name}.building-0a0a0a0a"), Content::Torn);
            disk.seed(HOME, &journal, Content::Torn);
        }
        InitialState::RestoreSettled
        | InitialState::RestoreWalRows
        | InitialState::Prune
        | InitialState::AdoptWalRows
        | InitialState::AdoptHotJournal => {}
    }
    if let Some((_, file)) = &scenario.companion
        && scenario.companion_before
    {
        disk.seed(scenario.aside(), file.as_str(), Content::Companion(0));
    }
    let mode = match scenario.initial {
        InitialState::Settled
        | InitialState::Legacy
        | InitialState::LegacyUndone
        | InitialState::HotJournal => JournalMode::Delete,
        _ => JournalMode::Wal,
    };
    State { disk, ledger: Ledger::of(rows, mode) }
}

/// The backups from the oldest to the newest: when each began in milliseconds, its nonce, and
/// whether it has a receipt.
pub(crate) const BACKUPS: [(u64, &str, bool); 3] =
    [(100, "0c0c0c0c", true), (200, "0d0d0d0d", false), (900, "0b0b0b0b", true)];
/// Rows of v1 in a backup, and of v2 in canonical.
pub(crate) const ROWS: u8 = 1;

/// The journal modes of v1 before its upgrade, and of v2.
pub(crate) fn modes(scenario: &Scenario) -> (JournalMode, JournalMode) {
    if scenario.initial == InitialState::RestoreWalRows {
        (JournalMode::Delete, JournalMode::Wal)
    } else {
        (JournalMode::Wal, JournalMode::Delete)
    }
}

pub(crate) fn name_of(scenario: &Scenario, (started_ms, nonce, _): (u64, &str, bool)) -> String {
    format!("{}.{}-{started_ms}-{nonce}", scenario.canonical, scenario.label)
}

/// A restore has one backup, an adoption the one without a receipt, and a prune has all of them.
pub(crate) fn present(scenario: &Scenario) -> &'static [(u64, &'static str, bool)] {
    if scenario.restores() {
        &BACKUPS[2..]
    } else if scenario.adopts() {
        &BACKUPS[1..2]
    } else {
        &BACKUPS
    }
}

/// Puts the backups and v2 on a disk.
fn seed_backups(scenario: &Scenario, mut state: State) -> State {
    let disk = &mut state.disk;
    let name = scenario.canonical.as_str();
    let (v1_mode, v2_mode) = modes(scenario);
    let v2 = Db { data: Data::V2 { of: ROWS, rows: ROWS }, mode: v2_mode, counter: 3, of: V2_LINE };
    if v2_mode == JournalMode::Wal {
        disk.seed(HOME, name, Content::Db(Db { data: Data::V2 { of: ROWS, rows: 0 }, ..v2 }));
        disk.seed(HOME, &format!("{name}-wal"), Content::Wal(v2));
        disk.seed(HOME, &format!("{name}-shm"), Content::Shm);
    } else {
        disk.seed(HOME, name, Content::Db(v2));
    }
    for (line, &of) in (20..).zip(present(scenario)) {
        let v1 = Db { of: line, ..Db::v1(ROWS, JournalMode::Delete) };
        let backup = name_of(scenario, of);
        match scenario.initial {
            InitialState::AdoptWalRows => {
                let wal = Db { mode: JournalMode::Wal, ..v1 };
                let empty = Db { data: Data::V1 { rows: 0 }, ..wal };
                disk.seed(HOME, &backup, Content::Db(empty));
                disk.seed(HOME, &format!("{backup}-wal"), Content::Wal(wal));
                disk.seed(HOME, &format!("{backup}-shm"), Content::Shm);
            }
            InitialState::AdoptHotJournal => {
                disk.seed(HOME, &backup, Content::Db(Db { data: Data::Half, ..v1 }));
                disk.seed(HOME, &format!("{backup}-journal"), Content::Hot(v1));
            }
            _ => disk.seed(HOME, &backup, Content::Db(v1)),
        }
        if let Some(text) = receipt_text(scenario, of, v1, v1_mode).filter(|_| of.2) {
            disk.seed(HOME, &format!("{backup}.json"), Content::text(&text));
        }
        if let Some((_, file)) = &scenario.companion {
            disk.seed(
                scenario.aside(),
                &format!("{file}.{}-{}", scenario.label, of.1),
                Content::Companion(0),
            );
        }
    }
    if let Some((_, file)) = &scenario.companion {
        disk.seed(scenario.aside(), file.as_str(), Content::Companion(1));
    }
    state.ledger = Ledger { v2_rows: ROWS, ..Ledger::of(ROWS, v2_mode) };
    state
}

fn receipt_text(
    scenario: &Scenario,
    of: (u64, &str, bool),
    v1: Db,
    journal_mode: JournalMode,
) -> Option<String> {
    let (header, page1) = v1.facts();
    let facts = FileFacts { size: 8192, file_id: "1-1".into(), header, page1: Some(page1) };
    let nonce = Nonce::new(of.1).ok()?;
    let kept = scenario.companion.iter();
    let receipt = Receipt {
        version: RECEIPT_VERSION,
        label: scenario.label.clone(),
        canonical: scenario.canonical.clone(),
        backup: FileName::new(name_of(scenario, of)).ok()?,
        started_ms: of.0,
        strategy: Strategy::LinkReplace,
        v1: Some(V1::of(&facts, journal_mode)?),
        v2: None,
        companions: kept
            .map(|(name, file)| {
                (name.clone(), companion_backup_name(file, &scenario.label, &nonce))
            })
            .collect(),
        report: None,
        warnings: Vec::new(),
        nonce,
    };
    Some(receipt.to_text())
}
