//! An undo is short and has one order.

use std::collections::BTreeSet;

use crate::journal::Journal;
use crate::names::At;
use crate::op::Op;
use crate::plan::Plan;
use crate::sqlite::JournalMode;
use crate::validate::{Finding, Severity};

pub(super) fn judge(plan: &Plan, journal: &Journal) -> Vec<Finding> {
    let names = &journal.names;
    let ops: Vec<&Op> = plan.undo.iter().map(|step| &step.op).collect();
    let at = |found: &dyn Fn(&Op) -> bool| ops.iter().position(|op| found(op));
    let journal_file = At::from(&journal.file());
    let goes = at(&|op| matches!(op, Op::Remove { files } if files.contains(&journal_file)));
    let flush: BTreeSet<usize> =
        ops.iter().enumerate().filter(|(_, op)| ***op == Op::SyncDir { companion: None }).map(|(at, _)| at).collect();
    let mut findings = Vec::new();
    let mut need = |holds: bool, rule: &str, step: Option<usize>, message: &str| {
        if !holds {
            findings.push(Finding {
                rule: rule.into(),
                severity: Severity::Error,
                step: step.and_then(|at| u32::try_from(at).ok()),
                undo: true,
                message: message.into(),
                hint: "make the plan anew with this release".into(),
            });
        }
    };
    let before = |a: Option<usize>, b: Option<usize>| matches!((a, b), (Some(a), Some(b)) if a < b);
    let unlock = at(&|op| *op == Op::UnlockV1);
    let host = at(&|op| *op == Op::UndoHost);
    let link = at(&|op| matches!(op, Op::RemoveLink { .. }));
    let restore = at(&|op| matches!(op, Op::RestoreMode { .. }));
    let look = at(&|op| matches!(op, Op::Look { file } if *file == names.canonical));
    need(goes.is_some(), "undo-journal-last", None, "an undo leaves its journal: every start would undo again");
    need(
        goes.is_none_or(|goes| goes + 2 == ops.len() && flush.contains(&(goes + 1))),
        "undo-journal-last",
        goes,
        "the journal does not go last, followed by a flush",
    );
    need(
        goes.is_none_or(|goes| goes > 0 && flush.contains(&(goes - 1))),
        "undo-flush",
        goes,
        "the journal goes before what was undone is durable",
    );
    need(before(host, goes), "undo-host", host, "the application is not asked to undo before the journal goes");
    need(
        unlock.is_some() && unlock.is_none_or(|unlock| restore.is_none_or(|restore| unlock < restore)),
        "undo-unlock",
        unlock,
        "v1 is not unlocked before it is opened again",
    );
    need(before(link, goes), "undo-link", link, "v1's second name stays after an undo");
    let removed: BTreeSet<&At> = ops
        .iter()
        .filter_map(|op| match op {
            Op::Remove { files } => Some(files),
            _ => None,
        })
        .flatten()
        .collect();
    for base in [&names.source, &names.staging, &names.install] {
        let all = base.set().iter().all(|name| removed.contains(&At::from(name)));
        need(all, "undo-temporaries", None, &format!("{base} or a sidecar of it stays after an undo"));
    }
    if journal.v1.as_ref().is_some_and(|v1| v1.journal_mode == JournalMode::Wal) {
        need(
            before(restore, goes),
            "undo-restore-mode",
            restore,
            "v1 does not get its WAL mode back, and the old application would meet \"database is locked\"",
        );
        need(before(look, restore), "look-before-open", restore, "v1 is opened without a look who has it open");
        need(before(link, restore), "undo-link", restore, "v1 is written to while it has a second name");
    }
    findings
}
