//! What the directory says against a plan.

use super::{Finding, Severity};
use crate::fault::Holder;
use crate::fault::Platform;
use crate::names::{At, FileName};
use crate::observe::Observation;
use crate::op::Op;
use crate::plan::{Plan, PlanKind, may_leave_zombie, v1_changed_at_the_flip};

/// Names that Windows keeps for devices, with any extension: "Naming Files, Paths, and Namespaces"
/// of its documentation, where the superscript digits count as digits, and the console's from
/// "Consoles" of `CreateFile`.
const RESERVED: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];
/// Likewise, with one digit behind them.
const RESERVED_WITH_DIGIT: [&str; 2] = ["COM", "LPT"];
const DIGITS: [char; 12] =
    ['1', '2', '3', '4', '5', '6', '7', '8', '9', '\u{b9}', '\u{b2}', '\u{b3}'];

pub(super) fn judge(plan: &Plan, observation: &Observation) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find =
        |rule: &str, severity: Severity, step: Option<usize>, message: String, hint: &str| {
            let step = step.and_then(|at| u32::try_from(at).ok());
            findings.push(Finding {
                rule: rule.into(),
                severity,
                step,
                undo: false,
                message,
                hint: hint.into(),
            });
        };
    if plan.platform != observation.platform {
        let message =
            format!("the plan is for {:?}, and this is {:?}", plan.platform, observation.platform);
        find(
            "platform",
            Severity::Error,
            None,
            message,
            "make the plan on the machine that performs it",
        );
    }
    if let Some(journal) = &plan.journal
        && journal.names.canonical != observation.canonical
    {
        let message = format!(
            "the plan is for {}, and this is {}",
            journal.names.canonical, observation.canonical
        );
        find("other-database", Severity::Error, None, message, "make the plan from this database");
    }
    let copies_pages = plan.journal.as_ref().is_some_and(|journal| journal.strategy.copies_pages());
    let in_the_way =
        |holder: &&Holder| holder.is_another() || !(copies_pages && observation.held_on_windows());
    let held = if plan.kind == PlanKind::LeaveZombie {
        let why =
            "there is no zombie of this process alone to leave behind, or an upgrade is unfinished";
        (!may_leave_zombie(observation))
            .then(|| (why.into(), "make the plan anew from what is there"))
    } else {
        observation.holders.iter().find(in_the_way).map(|holder| {
            let who = if holder.this_process {
                "this process".to_owned()
            } else {
                format!("{} (pid {})", holder.name, holder.pid)
            };
            (format!("{who} has the database open"), "close it first")
        })
    };
    if let Some((message, hint)) = held {
        find("held", Severity::Error, None, message, hint);
    }
    if let Some(free) = observation.free_bytes.filter(|free| *free < plan.needs_bytes) {
        let message =
            format!("the plan may need {} bytes of disk and {free} are free", plan.needs_bytes);
        find("space", Severity::Error, None, message, "free some space on this volume");
    }
    if let Some(journal) = plan.journal.as_ref().filter(|_| plan.kind.begins()) {
        for companion in &journal.companions {
            let seen = observation.companions.get(&companion.name);
            if let Some(irreplaceable) = seen.and_then(|seen| seen.irreplaceable) {
                find(
                    "companion-replaceable",
                    Severity::Error,
                    None,
                    format!("no file can replace {}", companion.file),
                    irreplaceable.hint(),
                );
            }
        }
    }
    // The part of a file id before the dash is its device.
    let device = |name: &FileName| {
        observation
            .files
            .get(name)
            .and_then(|facts| facts.file_id.split_once('-'))
            .map(|(device, _)| device)
    };
    let mut devices = observation.files.keys().filter_map(device);
    let first = devices.next();
    if devices.any(|other| Some(other) != first) {
        find(
            "cross-volume",
            Severity::Error,
            None,
            "files of the set are on different volumes (one is a mount point): they cannot be \
             linked or renamed onto each other"
                .into(),
            "mount the directory, not the file",
        );
    }
    let mut made: Vec<(usize, &FileName)> = Vec::new();
    for (index, step) in plan.steps.iter().enumerate() {
        match &step.op {
            Op::WriteJournal { file, .. }
            | Op::WriteReceipt { file }
            | Op::Restage { to: file, .. }
            | Op::Isolate { to: file, .. } => {
                made.push((index, file));
            }
            Op::Copy { to, .. } | Op::Link { to, .. } | Op::Rename { to, .. }
                if to.companion.is_none() =>
            {
                made.push((index, &to.name));
            }
            Op::BuildSql { staging, .. } => made.push((index, staging)),
            _ => {}
        }
    }
    if plan.kind.begins() {
        for (index, name) in &made {
            let replaces = matches!(&plan.steps[*index].op, Op::Rename { .. });
            if !replaces && observation.files.contains_key(*name) {
                find(
                    "name-taken",
                    Severity::Error,
                    Some(*index),
                    format!("{name} is there already"),
                    "make the plan anew: it gets a nonce of its own",
                );
            }
        }
    }
    for step in plan.steps.iter().chain(&plan.undo) {
        if let Op::RenameNew { to, .. } = &step.op
            && observation.files.contains_key(&to.name)
        {
            find(
                "name-taken",
                Severity::Error,
                None,
                format!("{to} is there already, and would stay"),
                "make the plan anew",
            );
        }
    }
    if let Some(journal) = &plan.journal {
        let (backup, canonical) =
            (At::from(&journal.names.backup), At::from(&journal.names.canonical));
        let back = plan.steps.iter().position(|step| matches!(&step.op, Op::Rename { from, to } if *from == backup && *to == canonical));
        let message = match (back.is_some(), v1_changed_at_the_flip(observation, journal)) {
            (true, false) => Some(
                "v1 would be put back over what is not, for sure, a v2 that nobody used and that \
                 lacks its rows",
            ),
            (false, true) => {
                Some("v1 changed at the flip, and the plan does not put it back: v2 lacks its rows")
            }
            _ => None,
        };
        if let Some(message) = message {
            find(
                "put-back",
                Severity::Error,
                back,
                message.into(),
                "make the plan anew from what is there",
            );
        }
    }
    if observation.platform != Platform::Linux {
        for (index, name) in &made {
            if let Some(other) = observation
                .files
                .keys()
                .find(|other| *other != *name && other.as_str().eq_ignore_ascii_case(name.as_str()))
            {
                let message =
                    format!("{name} and {other} are one name on a file system that ignores case");
                find(
                    "case-collision",
                    Severity::Error,
                    Some(*index),
                    message,
                    "rename the other file",
                );
            }
        }
    }
    if observation.platform == Platform::Windows {
        // Every other name begins with one of these, and ends in letters and digits.
        let companions = plan
            .journal
            .iter()
            .flat_map(|journal| &journal.companions)
            .map(|companion| &companion.file);
        for name in std::iter::once(&observation.canonical).chain(companions) {
            if let Some(why) = refused_by_windows(name.as_str()) {
                find(
                    "windows-name",
                    Severity::Error,
                    None,
                    format!("{name} {why}"),
                    "give the file another name",
                );
            }
        }
    }
    findings
}

/// Why Windows does not take this as a file's name. It takes 255 UTF-16 units, which a [`FileName`]
/// never passes: it has at most 255 bytes.
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
        Some("holds a character that Windows does not take")
    } else {
        None
    }
}
