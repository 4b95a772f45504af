//! The rules that need an observation of the directory.

use super::{ANEW_HERE, Finding, FindingKind};
use crate::count::counted;
use crate::fault::{Holder, Platform};
use crate::names::{FileName, PlanPath};
use crate::observe::Observation;
use crate::op::{Op, Step};
use crate::plan::{Plan, PlanKind};

/// Names that Windows keeps for devices, with any extension. Source: "Naming Files, Paths, and
/// Namespaces" of its documentation, where superscript digits count as digits. Those of the console
/// are from "Consoles" of `CreateFile`.
const RESERVED: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
/// Names that Windows keeps for devices where one digit follows.
const RESERVED_WITH_DIGIT: [&str; 2] = ["COM", "LPT"];
const DIGITS: [char; 12] =
    ['1', '2', '3', '4', '5', '6', '7', '8', '9', '\u{b9}', '\u{b2}', '\u{b3}'];

/// `waits`: whether a start performs the plan, which waits for the programs that have the database
/// open.
pub(super) fn judge(plan: &Plan, observation: &Observation, waits: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |kind: FindingKind, step: Option<usize>, message: String, hint: &str| {
        let step = step.and_then(|at| u32::try_from(at).ok());
        findings.push(Finding { step, ..Finding::of_plan(kind, message, hint) });
    };
    if plan.platform != observation.platform {
        let message =
            format!("the plan is for {:?}, and this is {:?}", plan.platform, observation.platform);
        find(FindingKind::Platform, None, message, "make the plan on the machine that performs it");
    }
    let journal = plan.journal.as_ref();
    if let Some(journal) = journal.filter(|of| of.names.canonical != observation.canonical) {
        let message = format!(
            "the plan is for {}, and this is {}",
            journal.names.canonical, observation.canonical
        );
        find(FindingKind::OtherDatabase, None, message, ANEW_HERE);
    }
    let in_the_way = |holder: &&Holder| {
        // `leave-zombie` is the plan for a leaked connection of this process. On Windows the
        // planner itself goes by the holders.
        let leaves = plan.kind == PlanKind::LeaveZombie;
        let goes_by = match plan.kind {
            PlanKind::Restore => journal.is_some_and(|journal| journal.strategy.copies_pages()),
            kind => !matches!(kind, PlanKind::Prune | PlanKind::Adopt),
        };
        holder.is_another() || !(leaves || (goes_by && observation.held_on_windows()))
    };
    if let Some(holder) = observation.holders.iter().filter(|_| !waits).find(in_the_way) {
        let who = if holder.this_process {
            "this process".to_owned()
        } else {
            format!("{} (pid {})", holder.name, holder.pid)
        };
        let message = format!("{who} has the database open");
        find(FindingKind::Held, None, message, "close it first");
    }
    if let Some(free) = observation.free_bytes.filter(|free| *free < plan.needs_bytes) {
        let message = format!(
            "the plan may need {} of disk; free: {}",
            counted(plan.needs_bytes, "byte"),
            counted(free, "byte")
        );
        find(FindingKind::Space, None, message, "free some space on this volume");
    }
    for log in logs_left_behind(plan, observation) {
        let message = format!("{log} holds rows of the backup, and the plan does not copy it");
        find(FindingKind::Step, None, message, ANEW_HERE);
    }
    let begins = plan.kind.begins();
    for companion in journal.filter(|_| begins).iter().flat_map(|journal| &journal.companions) {
        let seen = observation.companions.get(&companion.name);
        if let Some(irreplaceable) = seen.and_then(|seen| seen.irreplaceable) {
            let message = format!("no file can replace {}", companion.file);
            find(FindingKind::CompanionReplaceable, None, message, irreplaceable.hint());
        }
    }
    // The device is the part of a file id before the dash.
    let mut devices = observation.files.values().filter_map(|facts| facts.file_id.split_once('-'));
    let first = devices.next();
    // A page copy, and an undo, neither link nor rename canonical.
    let canonical = PlanPath::from(&observation.canonical);
    let moves = |step: &Step| match &step.op {
        Op::Link { from, to } | Op::Rename { from, to } | Op::RenameNew { from, to } => {
            [from, to].contains(&&canonical)
        }
        _ => false,
    };
    if plan.steps.iter().any(moves)
        && devices.any(|(device, _)| first.is_some_and(|(first, _)| device != first))
    {
        let message = "the files of the set are on different volumes (one is a mount point): \
                       they cannot be linked or renamed onto each other";
        find(FindingKind::CrossVolume, None, message.into(), "mount the directory, not the file");
    }
    for (index, step) in plan.steps.iter().enumerate() {
        let Some(name) = made(&step.op) else { continue };
        let replaces = matches!(&step.op, Op::Rename { .. });
        if begins && !replaces && observation.files.contains_key(name) {
            let message = format!("a file has the name {name} already");
            let hint = "make the plan anew: it gets another nonce";
            find(FindingKind::NameTaken, Some(index), message, hint);
        }
        let is_one = |other: &&FileName| {
            *other != name && other.as_str().eq_ignore_ascii_case(name.as_str())
        };
        let mut others = observation.files.keys();
        if observation.platform != Platform::Linux
            && let Some(other) = others.find(is_one)
        {
            let message =
                format!("{name} and {other} are one name on a file system that ignores case");
            find(FindingKind::CaseCollision, Some(index), message, "rename the other file");
        }
    }
    if observation.platform == Platform::Windows {
        // Every other name begins with one of these names, and ends in letters and digits.
        let companions = journal.iter().flat_map(|journal| &journal.companions);
        let names = companions.map(|companion| &companion.file);
        for name in std::iter::once(&observation.canonical).chain(names) {
            if let Some(why) = refused_by_windows(name.as_str()) {
                let message = format!("{name} {why}");
                find(FindingKind::WindowsName, None, message, "give the file another name");
            }
        }
    }
    findings
}

/// The `-wal` and `-journal` of a backup that the plan adopts without them.
fn logs_left_behind<'a>(plan: &Plan, observation: &'a Observation) -> Vec<&'a FileName> {
    let copied = || {
        plan.steps.iter().filter_map(|step| match &step.op {
            Op::Copy { from, .. } if from.companion.is_none() => Some(&from.name),
            _ => None,
        })
    };
    let Some(backup) = copied().next().filter(|_| plan.kind == PlanKind::Adopt) else {
        return Vec::new();
    };
    let [wal, _, hot] = backup.sidecars();
    let has_rows = |name: &FileName| [&wal, &hot].contains(&name) && !copied().any(|of| of == name);
    let files = observation.files.iter().filter(|(name, facts)| facts.size > 0 && has_rows(name));
    files.map(|(name, _)| name).collect()
}

/// The name of the file that this op makes in the database's directory.
fn made(op: &Op) -> Option<&FileName> {
    match op {
        Op::WriteJournal { file, .. }
        | Op::WriteReceipt { file }
        | Op::Restage { to: file, .. }
        | Op::Isolate { to: file, .. }
        | Op::BuildSql { staging: file, .. }
        | Op::BuildHost { source: file, .. } => Some(file),
        Op::Copy { to, .. } | Op::Link { to, .. } | Op::Rename { to, .. } => {
            to.companion.is_none().then_some(&to.name)
        }
        _ => None,
    }
}

/// Why Windows does not accept this file name. Its limit is 255 UTF-16 units, and a [`FileName`]
/// has at most 255 bytes.
#[must_use]
pub fn refused_by_windows(name: &str) -> Option<&'static str> {
    let base = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let device = |word: &&str| {
        base.strip_prefix(*word)
            .is_some_and(|rest| DIGITS.iter().any(|digit| rest.chars().eq([*digit])))
    };
    if RESERVED.contains(&base.as_str()) || RESERVED_WITH_DIGIT.iter().any(device) {
        Some("begins with a name that Windows keeps for a device")
    } else if name.ends_with(['.', ' ']) {
        Some("ends in a dot or a space, which Windows drops")
    } else if name.contains(['<', '>', ':', '"', '|', '?', '*']) {
        Some("holds a character that Windows does not accept")
    } else {
        None
    }
}
