//! What the tests look at: one directory with a `data.db`, as the runner would have observed it,
//! and a driver that performs nothing.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    reason = "the names say it, and only tests call them"
)]

use std::collections::BTreeMap;

use cutover_core::{
    self, Action, Budget, BuildBy, BuildFrom, Companion, CompanionFacts, CompanionName, Event,
    FileFacts, FileName, Header, Holder, Journal, JournalMode, Label, Names, Nonce, Observation,
    Op, OpError, OpErrorKind, OpOutcome, OsCode, Phase, Plan, Platform, Request, Run, Step,
    Strategy, V1, V2, Verdict, plan_migration,
};
use serde_json::json;

pub const NOW_MS: u64 = 1_782_718_800_000;

pub fn name(text: &str) -> FileName {
    FileName::new(text).unwrap()
}

pub fn canonical() -> FileName {
    name("data.db")
}

pub fn label() -> Label {
    Label::new("v1-v2").unwrap()
}

pub fn nonce() -> Nonce {
    Nonce::new("3fa9c1d2").unwrap()
}

/// The nonce of the start that recovers.
pub fn new_nonce() -> Nonce {
    Nonce::new("0badcafe").unwrap()
}

pub fn auth() -> CompanionName {
    CompanionName::new("auth").unwrap()
}

pub fn our_names() -> Names {
    Names::new(&canonical(), &label(), &nonce(), NOW_MS).unwrap()
}

pub fn our_journal() -> FileName {
    cutover_core::journal_name(&canonical(), &label())
}

/// The 100 bytes that SQLite 3.54 writes for a database of two pages, by the layout of its file
/// format.
pub fn header_bytes(mode: JournalMode, change_counter: u32) -> [u8; 100] {
    let mut bytes = [0; 100];
    bytes[..16].copy_from_slice(b"SQLite format 3\0");
    bytes[16..18].copy_from_slice(&4096_u16.to_be_bytes());
    bytes[18..20].fill(if mode == JournalMode::Wal { 2 } else { 1 });
    bytes[21..24].copy_from_slice(&[64, 32, 32]);
    bytes[24..28].copy_from_slice(&change_counter.to_be_bytes());
    bytes[28..32].copy_from_slice(&2_u32.to_be_bytes());
    bytes[40..44].copy_from_slice(&1_u32.to_be_bytes());
    bytes[44..48].copy_from_slice(&4_u32.to_be_bytes());
    bytes[56..60].copy_from_slice(&1_u32.to_be_bytes());
    bytes[92..96].copy_from_slice(&change_counter.to_be_bytes());
    bytes[96..100].copy_from_slice(&3_054_000_u32.to_be_bytes());
    bytes
}

/// A database of two pages, with this inode and this many changes.
pub fn database(inode: &str, mode: JournalMode, change_counter: u32) -> FileFacts {
    FileFacts {
        size: 8192,
        file_id: inode.to_owned(),
        header: Some(Header::parse(&header_bytes(mode, change_counter)).unwrap()),
        page1: Some(format!("page 1 of {inode}")),
    }
}

pub fn plain(inode: &str, size: u64) -> FileFacts {
    FileFacts { size, file_id: inode.to_owned(), header: None, page1: None }
}

/// Inode 1 is v1, settled; inode 2 is v2.
pub fn v1() -> FileFacts {
    database("1", JournalMode::Delete, 7)
}

pub fn v2() -> FileFacts {
    database("2", JournalMode::Wal, 3)
}

/// A directory with a v1 and nothing else.
pub fn directory() -> Observation {
    Observation {
        platform: Platform::Linux,
        canonical: canonical(),
        files: BTreeMap::from([(canonical(), database("1", JournalMode::Wal, 7))]),
        journals: BTreeMap::new(),
        verdict: Some(Verdict::Old),
        holders: Vec::new(),
        holders_unknown: None,
        free_bytes: Some(1 << 30),
        can_link: true,
        companions: BTreeMap::new(),
        irregular: BTreeMap::new(),
    }
}

pub fn with_auth(mut observation: Observation) -> Observation {
    observation.companions.insert(
        auth(),
        CompanionFacts {
            file: name("auth.json"),
            path: "/home/u/app/auth.json".into(),
            relative: "auth.json".into(),
            digest: Some("before".into()),
            present: vec![name("auth.json")],
            same: Vec::new(),
            irreplaceable: None,
            legacy_backup_is_beginning: false,
        },
    );
    observation
}

pub fn request(by: BuildBy, from: BuildFrom) -> Request {
    Request {
        label: label(),
        nonce: nonce(),
        now_ms: NOW_MS,
        attempt: 1,
        from,
        by,
        verify: false,
        check_v1: true,
    }
}

/// Every form that the plan of a migration has here, with its name.
pub fn migrations() -> Vec<(String, Plan)> {
    let mut plans = Vec::new();
    for by in [BuildBy::Sql, BuildBy::Host] {
        for from in [BuildFrom::Empty, BuildFrom::Copy] {
            for verify in [false, true] {
                for companion in [false, true] {
                    for mode in [JournalMode::Delete, JournalMode::Wal] {
                        let mut observation =
                            if companion { with_auth(directory()) } else { directory() };
                        observation.files.insert(canonical(), database("1", mode, 7));
                        let plan =
                            plan_migration(&observation, &Request { verify, ..request(by, from) })
                                .unwrap();
                        plans.push((
                            format!(
                                "{by:?} {from:?} verify={verify} companion={companion} {mode:?}"
                            ),
                            plan,
                        ));
                    }
                }
            }
        }
    }
    plans
}

/// Our journal as a start that got to this phase left it.
pub fn journal(phase: Phase) -> Journal {
    let names = our_names();
    let built = phase != Phase::Building;
    Journal {
        version: 2,
        label: label(),
        nonce: nonce(),
        phase,
        attempt: 1,
        strategy: if phase == Phase::Installing {
            Strategy::PageCopy
        } else {
            Strategy::LinkReplace
        },
        v1: Some(V1 {
            file_id: "1".into(),
            fingerprint: v1().fingerprint().unwrap(),
            journal_mode: JournalMode::Wal,
        }),
        v2: built.then(|| V2 {
            file: names.install.clone(),
            file_id: "2".into(),
            size: 8192,
            page1: "page 1 of 2".into(),
        }),
        expect: BTreeMap::new(),
        companions: Vec::new(),
        host_state: Some(json!({ "keychain": "entry" })),
        report: Some(json!({ "rows": 3 })),
        warnings: Vec::new(),
        names,
    }
}

pub fn with_companion(mut journal: Journal, staged: bool) -> Journal {
    journal.companions.push(Companion {
        name: auth(),
        file: name("auth.json"),
        path: "/home/u/app/auth.json".into(),
        relative: "auth.json".into(),
        before: Some("before".into()),
        staged,
        after: None,
    });
    journal
}

/// A directory with this journal in it, beside a settled v1.
pub fn interrupted(journal: &Journal) -> Observation {
    let mut observation = directory();
    observation.files.insert(canonical(), v1());
    put_journal(&mut observation, &our_journal(), &journal.to_text());
    observation
}

pub fn put_journal(observation: &mut Observation, file: &FileName, text: &str) {
    observation.files.insert(file.clone(), plain("journal", text.len() as u64));
    observation.journals.insert(file.clone(), Some(text.to_owned()));
}

/// Canonical is v2 now, and v1 the backup.
pub fn flip(observation: &mut Observation) {
    observation.files.insert(our_names().backup, v1());
    observation.files.insert(canonical(), v2());
    observation.verdict = Some(Verdict::Current);
}

pub fn me() -> Holder {
    Holder { pid: 42, name: "app".into(), this_process: true }
}

pub fn another_program() -> Holder {
    Holder { pid: 7, name: "backupd".into(), this_process: false }
}

pub fn permanent() -> OpError {
    OpError::new(OpErrorKind::Os { os: OsCode::of(Platform::Linux, 5) }, "input/output error")
}

pub fn transient() -> OpError {
    OpError::new(OpErrorKind::Busy, "database is locked")
}

/// One op that was handed out.
#[derive(Debug, Clone, PartialEq)]
pub struct Performed {
    pub undo: bool,
    pub index: usize,
    pub op: Op,
    pub text: Option<String>,
}

/// What a driver saw.
#[derive(Debug)]
pub struct Trace {
    pub performed: Vec<Performed>,
    pub waits_ms: Vec<u64>,
    pub events: Vec<Event>,
    pub ending: Action,
}

impl Trace {
    /// Each step once, however often it was tried.
    pub fn steps(&self, undo: bool) -> Vec<usize> {
        let mut indices: Vec<usize> =
            self.performed.iter().filter(|p| p.undo == undo).map(|p| p.index).collect();
        indices.dedup();
        indices
    }

    pub fn failure(&self) -> &cutover_core::Failure {
        match &self.ending {
            Action::Failed(failure) | Action::Anew(failure) => failure,
            other => panic!("it did not fail: {other:?}"),
        }
    }
}

/// What a disk would say that does everything as it should.
pub fn fine(op: &Op) -> OpOutcome {
    match op {
        Op::Settle { file, .. } if *file == canonical() => OpOutcome::Settled(v1()),
        Op::Settle { .. } => OpOutcome::Settled(v2()),
        Op::Check { .. } => OpOutcome::Checked(v2(), Vec::new()),
        Op::Look { .. } => OpOutcome::Looked(Vec::new()),
        Op::LookCompanion { .. } => OpOutcome::Companion(Some("before".into())),
        Op::BuildHost { .. } => OpOutcome::Built {
            expect: BTreeMap::from([("notes".into(), 3)]),
            report: Some(json!({ "rows": 3 })),
        },
        _ => OpOutcome::Plain,
    }
}

/// Walks a run to its end, asking `world` what becomes of each op. `world` may also reach into the
/// run, as a host does.
pub fn drive(
    mut run: Run,
    mut world: impl FnMut(&mut Run, &Performed) -> Result<OpOutcome, OpError>,
) -> Trace {
    let (mut performed, mut waits_ms, mut events) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..10_000 {
        let action = run.poll();
        events.extend(std::iter::from_fn(|| run.poll_event()));
        match action {
            Action::Perform { op, text } => {
                let (undo, index) = run.position();
                let now = Performed { undo, index, op, text };
                performed.push(now.clone());
                match world(&mut run, &now) {
                    Ok(done) => run.handle_ok(done),
                    Err(fault) => run.handle_fault(&fault),
                }
            }
            Action::Wait { delay_ms } => {
                waits_ms.push(delay_ms);
                run.handle_waited();
            }
            ending => {
                assert_eq!(run.poll(), ending, "an ending stays");
                events.extend(std::iter::from_fn(|| run.poll_event()));
                return Trace { performed, waits_ms, events, ending };
            }
        }
    }
    panic!("the run does not end");
}

/// A run in which everything succeeds.
pub fn drive_well(plan: Plan) -> Trace {
    drive(Run::new(plan, Budget::default()), |_, now| Ok(fine(&now.op)))
}

/// `op`, its files and its guard on one line, as the tests print plans.
pub fn line(step: &Step) -> String {
    let value = serde_json::to_value(&step.op).unwrap();
    let mut words = vec![step.op.name().to_owned()];
    words.extend(
        value
            .as_object()
            .unwrap()
            .iter()
            .filter(|(key, _)| *key != "op")
            .map(|(key, value)| format!("{key}={value}")),
    );
    if let Some(guard) = &step.when {
        words.push(format!("if {}", serde_json::to_value(guard).unwrap()["if"].as_str().unwrap()));
    }
    words.join(" ").replace('"', "").replace("-3fa9c1d2", "-N").replace("-1782718800000", "-MS")
}
