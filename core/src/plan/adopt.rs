//! Adopting: a backup that has no receipt gets one. The legacy daemon wrote none, and a person may
//! have lost one.
//!
//! A copy of the backup is settled and checked. It then takes the backup's name in one rename, and
//! its receipt is written last. A `-wal` or `-journal` of the backup is removed only when the copy
//! durably has the backup's name: SQLite writes the same rows if it replays either of them over the
//! copy. A file that has no name of a backup gets one, and is removed once the receipt is durable.
//!
//! The journal of the plan is never written: it says what the receipt will say. The copy has the
//! name of a journal that is being written, which a start without a journal removes. A crash leaves
//! the backup as it was, or its settled copy, and either can be adopted again.

use std::collections::BTreeMap;

use super::refuse::{refuse_full, refuse_unfinished};
use super::steps::{FLUSH, receipt_steps, tmp};
use super::{Plan, PlanKind, flush, index, is_right, step};
use crate::backup::{self, Receipts};
use crate::failure::{Code, Failure};
use crate::fault::{Holder, Platform};
use crate::journal::{
    self, Companion, Journal, Phase, ReadError, Receipt, Strategy, V1, Warning, WarningFrom,
};
use crate::names::{CompanionName, FileName, Label, Names, Nonce, PlanPath, Role, receipt_name};
use crate::observe::{FileFacts, Observation};
use crate::op::{Op, Step};
use crate::page1::JournalMode;

/// The label of a backup whose name told none.
const LABEL: &str = "adopted";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptRequest {
    /// The bare name of the file.
    pub file: FileName,
    /// What the runner found of the file and its sidecars: of the file also its header, if it is
    /// neither the database itself nor open.
    pub set: BTreeMap<FileName, FileFacts>,
    /// The processes that have one of them open.
    pub holders: Vec<Holder>,
    /// The digest of each declared companion's backup that has the backup's label and nonce.
    pub companions: BTreeMap<CompanionName, String>,
    /// When the file was last written, Unix milliseconds: the time in the name of a backup whose
    /// own name tells none.
    pub written_ms: u64,
    /// The nonce of such a backup.
    pub nonce: Nonce,
}

/// Plans the adoption of a backup. Refuses before any file is touched.
///
/// # Errors
/// - `IO`: the file has no name that a backup may have, is the database itself, or is not there.
/// - `JOURNAL`: an upgrade or a restore is unfinished.
/// - `NEWER`: a newer release wrote the receipt.
/// - `VERIFY`: the backup is whole, or has a receipt that does not fit it.
/// - `NOT_A_DATABASE`, `HELD`, `NO_SPACE`.
pub fn plan_adoption(
    observation: &Observation,
    receipts: &Receipts,
    request: &AdoptRequest,
) -> Result<Plan, Failure> {
    let (canonical, file) = (&observation.canonical, &request.file);
    let refuse =
        |code: Code, reason: &str, hint: &str| Err(Failure::refusal(code, reason, hint).of(file));
    if let Some(journal) = observation.journals.keys().next() {
        return Err(refuse_unfinished(journal));
    }
    let names = names(canonical, request)?;
    let Some(facts) = request.set.get(file) else {
        return refuse(Code::Io, "there is no such file", NAME_IT);
    };
    if observation.canonical_facts().is_some_and(|of| of.file_id == facts.file_id) {
        return refuse(Code::Io, "it is the database itself, under a second name", NAME_IT);
    }
    refuse_with_receipt(observation, receipts, file)?;
    if !request.holders.is_empty() {
        let reason = "a program has the backup open, and may change it";
        let failure = Failure::refusal(Code::Held, reason, "close that program and try again");
        return Err(failure.held_by(&request.holders).of(file));
    }
    let Some(header) = &facts.header else {
        let hint = "adopt a file that is a SQLite database; nothing was touched";
        let reason = if facts.size == 0 { "the file is empty" } else { crate::failure::NO_HEADER };
        return refuse(Code::NotADatabase, reason, hint);
    };
    let bytes = |name: &FileName| request.set.get(name).map_or(0, |facts| facts.size);
    let [wal, _, hot] = file.sidecars().map(|name| bytes(&name));
    // The log's pages are copied once more, into the copy.
    let needs_bytes = facts.size.saturating_add(wal).saturating_add(wal).saturating_add(hot);
    refuse_full(observation, needs_bytes, "a copy of the backup may need", "try again")?;
    let mut journal = Journal {
        version: journal::JOURNAL_VERSION,
        label: names.label,
        nonce: names.nonce,
        phase: Phase::Building,
        attempt: 1,
        // Of all strategies only that of the legacy daemon writes no receipt.
        strategy: Strategy::TwoRename,
        v1: V1::of(facts, header.journal_mode),
        v2: None,
        expect: BTreeMap::new(),
        companions: request
            .companions
            .iter()
            .filter_map(|(name, digest)| {
                let seen = observation.companions.get(name)?;
                Some(Companion { before: Some(digest.clone()), ..seen.in_journal(name) })
            })
            .collect(),
        host_state: None,
        report: None,
        warnings: Vec::new(),
        names: names.of,
    };
    journal.warn(Warning {
        from: WarningFrom::Cutover,
        code: Some("ADOPTED".into()),
        message: format!(
            "{file} had no receipt: it was copied, settled and checked, and the receipt says what \
             was found then"
        ),
    });
    journal
        .check()
        .map_err(|error| Failure::refusal(Code::Io, error.to_string(), SHORTER).of(file))?;
    let copied = [(wal, 0), (hot, 2)].map(|(bytes, at)| (bytes > 0).then_some(at));
    Ok(made(
        journal,
        file,
        &copied.into_iter().flatten().collect::<Vec<_>>(),
        observation.platform,
        needs_bytes,
    ))
}

const NAME_IT: &str = "pass the `name` of a backup in the database's directory";
const SHORTER: &str = "use a shorter file name";

struct Named {
    label: Label,
    nonce: Nonce,
    of: Names,
}

/// The names of the adopted backup. A file that has no name of cutover's may be a backup if its name
/// begins with the database's.
fn names(canonical: &FileName, request: &AdoptRequest) -> Result<Named, Failure> {
    let file = &request.file;
    let refuse = |reason: &str, hint: &str| Err(Failure::refusal(Code::Io, reason, hint).of(file));
    let (label, started_ms, nonce) = match Role::of(canonical, file) {
        Some(Role::Backup { label, started_ms, nonce }) => (label, started_ms, nonce),
        Some(Role::Canonical) => return refuse("it is the database itself", NAME_IT),
        Some(_) => return refuse("this is the name of another file of cutover's", NAME_IT),
        None if !may_be_backup(canonical, file) => {
            let hint = format!(
                "if it is a backup of {canonical}, move it there under a name that begins with \
                 {canonical}"
            );
            return refuse("its name does not begin with the database's", &hint);
        }
        None => {
            let label = Label::new(LABEL)
                .map_err(|error| Failure::refusal(Code::Io, error.to_string(), NAME_IT).of(file))?;
            (label, request.written_ms, request.nonce.clone())
        }
    };
    let of = Names::new(canonical, &label, &nonce, started_ms)
        .map_err(|error| Failure::refusal(Code::Io, error.to_string(), SHORTER).of(canonical))?;
    Ok(Named { label, nonce, of })
}

fn may_be_backup(canonical: &FileName, file: &FileName) -> bool {
    Role::of(canonical, file).is_none() && file.as_str().starts_with(canonical.as_str())
}

/// Refuses a backup that has a receipt. One that cannot be parsed may be half of one, which a killed
/// adoption left. (A runner refuses one that it may not read.)
fn refuse_with_receipt(
    observation: &Observation,
    receipts: &Receipts,
    file: &FileName,
) -> Result<(), Failure> {
    let receipt = receipt_name(file);
    let refuse = |code: Code, reason: String, hint: &str| {
        Err(Failure::refusal(code, reason, hint).of(&receipt))
    };
    let Some(text) = receipts.get(&receipt) else { return Ok(()) };
    let aside = "look at both files; to adopt the backup as it is, move this receipt away first";
    match text.as_deref().map(Receipt::parse) {
        Some(Err(error @ ReadError::TooNew { .. })) => refuse(
            Code::Newer,
            format!("the backup's receipt cannot be used: {error}"),
            "adopt nothing: the newer release can restore this backup",
        ),
        None | Some(Err(_)) => Ok(()),
        Some(Ok(_)) => {
            let listed = backup::list_backups(observation, receipts);
            let why = listed.into_iter().find(|backup| backup.name == *file).and_then(|of| of.why);
            match why {
                None => Err(Failure::refusal(
                    Code::Verify,
                    "this backup is whole already",
                    "nothing needs to be adopted: restore it as it is",
                )
                .of(file)),
                Some(why) => {
                    refuse(Code::Verify, format!("the backup has a receipt: {why}"), aside)
                }
            }
        }
    }
}

/// The copy and its sidecars.
fn copy_of(journal: &Journal) -> [FileName; 4] {
    tmp(journal).set()
}

/// The plan of this journal. `copied`: which sidecars of `file` have data, by their place in
/// [`FileName::sidecars`].
fn made(
    journal: Journal,
    file: &FileName,
    copied: &[usize],
    platform: Platform,
    needs_bytes: u64,
) -> Plan {
    let [copy, copy_sidecars @ ..] = copy_of(&journal);
    let backup = &journal.names.backup;
    let sidecars = file.sidecars();
    let all = |names: &[FileName]| Op::Remove { files: names.iter().map(PlanPath::from).collect() };
    let set = copy_of(&journal);
    let look = || Op::Look { file: file.clone() };
    let mut steps = vec![
        step(look(), "a program that has the backup open may change it while it is copied"),
        flush(FLUSH),
        step(all(&set), "a killed adoption may have left these"),
        step(
            Op::Copy { from: file.into(), to: (&copy).into() },
            "the copy is settled; the backup itself is not changed",
        ),
    ];
    for at in copied {
        steps.push(step(
            Op::Copy { from: (&sidecars[*at]).into(), to: (&copy_sidecars[*at]).into() },
            "it belongs to the backup: SQLite needs it to read the copy",
        ));
    }
    steps.extend([
        step(look(), "a program that opened the backup meanwhile may have changed it"),
        step(
            Op::Settle { file: copy.clone(), mode: JournalMode::Delete },
            "the copy becomes one file with every committed row",
        ),
        step(Op::Check { file: copy.clone() }, "only a sound database is a whole backup"),
        step(
            Op::SyncFile { file: (&copy).into() },
            "the copy's data must be durable before it gets the backup's name",
        ),
    ]);
    let named = PlanPath::from(backup);
    let flip_at = index(steps.len());
    if file == backup {
        steps.push(step(
            Op::Rename { from: (&copy).into(), to: named },
            "one rename: at every instant the name has every row of the backup",
        ));
        steps.push(flush("the copy must have the name for good before the backup's log goes"));
        steps.push(step(all(&sidecars), "the copy has their rows"));
        steps.push(flush("no log may come back beside the adopted backup"));
    } else {
        steps.push(step(
            Op::RenameNew { from: (&copy).into(), to: named },
            "the copy gets the name of a backup; no file has it yet",
        ));
        steps.push(flush("the copy must have its name for good before its receipt is written"));
    }
    steps.push(step(
        all(&[journal.names.receipt()]),
        "a killed adoption may have left half a receipt",
    ));
    steps.extend(receipt_steps(&journal.names.receipt()));
    steps.push(flush("with its receipt the backup is whole"));
    let adopted = steps.len();
    if file != backup {
        steps.push(step(all(&file.set()), "the adopted backup has all its rows"));
        steps.push(flush("removed for good"));
    }
    Plan {
        flip_at,
        cleanup_from: index(adopted),
        undo: vec![
            step(all(&set), "the backup stays as it is, so the copy is not needed"),
            flush("removed for good"),
        ],
        needs_bytes,
        ..Plan::new(PlanKind::Adopt, platform, Some(journal), steps)
    }
}

/// Proves that a given plan is, step by step, the adoption of the file that it looks at.
pub(super) fn check(plan: &Plan, journal: &Journal) -> Result<(), ReadError> {
    let contradiction = |why: &str| Err(ReadError::contradiction(why));
    let Some(Op::Look { file }) = plan.steps.first().map(|step: &Step| &step.op) else {
        return contradiction("steps[0]: an adoption begins with look");
    };
    if *file != journal.names.backup && !may_be_backup(&journal.names.canonical, file) {
        return contradiction("steps[0].file: this is not the name of a backup");
    }
    let sidecars = file.sidecars();
    let copied: Vec<usize> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.op {
            Op::Copy { from, .. } => sidecars.iter().position(|name| *from == name.into()),
            _ => None,
        })
        .filter(|at| *at != 1)
        .collect();
    let right = made(journal.clone(), file, &copied, plan.platform, plan.needs_bytes);
    is_right(plan, &right, "an adoption of this file")
}
