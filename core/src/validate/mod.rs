//! Judges a plan that comes from elsewhere: a file, the diagnostics page, another release.
//!
//! [`validate`] first proves the structure ([`Plan::check`]: names of the grammar, in one directory, and nothing that removes canonical), then walks the plan
//! once with what each op needs from those before it (`order/`), then holds it against what the
//! directory has (`target.rs`).
//!
//! It judges orders, not outcomes: what a crash between two ops leads to is what `cutover-explore`
//! enumerates. A plan without an error here keeps the order that makes every crash state
//! recoverable. What a plan cannot tell, and which changes make no crash state worse, is listed,
//! mutant by mutant, in `core/tests/it/validate_mutants.rs`.
//!
//! | rule | severity | what holds |
//! | --- | --- | --- |
//! | `structure` | error | The plan can be performed: names of the grammar in one directory, nothing removes or overwrites canonical, one flip where the plan says. |
//! | `recovery-flush-first` | error | A recovery flushes each directory before it acts on what it sees there. |
//! | `guard` | error | Only what nothing needs else is done under a condition, and a flush under that of the change right before it. |
//! | `journal-first` | error | Nothing is made before the journal says `building`, durably. |
//! | `journal-durable` | error | A renamed journal is flushed before anything else is done. |
//! | `flush-before-rename` | error | A file gets its final name only once its data is durable. |
//! | `left-over` | error | A name that is created exclusively, or linked to, is free: what an interrupted start left of it is removed first. |
//! | `look-before-open` | error | v1 is opened only after a look who has it open, since the last callback, build and check. |
//! | `settle-before-read` | error | v1 is one file before it is copied or read. |
//! | `companion-backup` | error | A companion's backup is durable before v2 is built. |
//! | `source` | error | The copy of v1 that a callback is given is made before. |
//! | `build` | error | Something builds v2. |
//! | `release` | warning | After a callback, handles are let go of before the look who holds them. |
//! | `look-at-staging` | error | A callback's staging is looked at; it is restaged where it is held, and renamed where it is free. |
//! | `settle-before-check` | error | v2 is one file before it is checked. |
//! | `check-before-built` | error | The journal says `built` of a v2 that was checked. |
//! | `detect-before-built` | error | The journal says `built` of a v2 that `detect` calls current. |
//! | `flush-before-built` | error | The journal says `built` of a v2 whose data is durable, whatever a callback did to it. |
//! | `built-before-flip` | error | The journal says `built`, durably, before v1 is locked, linked or replaced. |
//! | `lock-and-check` | error | v1 is locked, then compared with its fingerprint, and stays locked until it is replaced, and no longer. |
//! | `companion-same` | warning | Before the flip each companion is compared with what it was when the build began. |
//! | `backup-before-flip` | error | v1 has its backup's name, or its copy has, before canonical is replaced or written to. |
//! | `backup-durable` | error | The backup's name is durable before canonical is replaced, or the journal says `installing`. |
//! | `sidecars-absent` | error | No sidecar of another database stands beside canonical: it is proven before and after the flip, and they are moved first. |
//! | `installing-before-page-copy` | error | The journal says `installing`, durably, before v2's pages are copied into canonical. |
//! | `check-before-install` | error | The very file that is installed was checked and detected, and not changed since. |
//! | `settle-backup` | error | Where the field moved v1, it is one file in the backup, its sidecars durably beside it, before v2 is installed or v1 given back. |
//! | `v1-read-back` | error | On Windows v1 is compared again, in the backup, after the flip, before companions are installed and the receipt is written. |
//! | `flip-durable` | error | v2 is canonical, durably, before the receipt is written. |
//! | `look-after-flip` | error | Nobody has the replaced v1 open, by canonical's name, before the journal says `committed`. (Windows replaces no open file.) |
//! | `clean-up-index` | error | A failure is a warning only after the flush that makes v2 durable; on Windows, that makes `committed` durable. |
//! | `companion-after-flip` | error | Companions are installed after v2 is canonical, durably. |
//! | `companion-kept` | error | A companion is looked at after the flip, and kept beside, durably, where it changed, before it is replaced. |
//! | `companion-before-commit` | error | Staged companions are installed, durably, before the commit. |
//! | `receipt-before-commit` | error | The receipt is whole before the journal says `committed`, and before the journal goes. |
//! | `commit-before-clean-up` | error | The journal says `committed`, durably, before anything is cleaned up; the field's v2 is durable. |
//! | `host-clean-up` | error | The application is asked to clean up before the journal goes. |
//! | `temporaries-removed` | error | No temporary file stays when the journal goes. |
//! | `flush-before-journal-goes` | error | What precedes the journal's removal is durable. |
//! | `journal-last` | error | The journal goes, and nothing is done after it. |
//! | `last-flush` | warning | The journal's removal is flushed. |
//! | `backup-kept` | error | The backup is removed only where v1, locked and checked, is canonical. |
//! | `restore-mode-in-undo` | error | Only an undo gives v1 its journal mode back. |
//! | `undo-v2-first` | error | What a start would install is gone, durably, before anything that belongs to it is undone; on Windows the journal says `building` again. |
//! | `undo-host` | error | The application undoes before anything that it may read, or put back, is changed; only v2 goes before, and v1 is given back. |
//! | `undo-unlock` | error | v1 is unlocked before the application undoes, or v1 is opened. |
//! | `undo-give-back` | error | Where v1 is in the backup alone, what was beside it is flushed, and it has canonical's name again, durably, before anything is removed. |
//! | `put-back` | error | v1 is put back over v2 where it changed at the flip on Windows, and nowhere else. Without a directory a plan is believed. |
//! | `undo-companion` | error | A companion that was written in place is looked at, and put back, durably, before its backup goes. |
//! | `undo-companion-kept` | error | What putting a companion back displaces is kept beside, durably. |
//! | `undo-link` | error | v1's second name goes, before v1 is written to. |
//! | `undo-temporaries` | error | No temporary file stays after an undo. |
//! | `undo-restore-mode` | error | v1 gets its WAL mode back. |
//! | `undo-flush` | error | What was undone is durable before the journal goes. |
//! | `undo-journal-last` | error | The journal goes last, and that is flushed. |
//! | `platform` | error | The plan is for this platform. |
//! | `other-database` | error | The plan is for this database. |
//! | `held` | error | Nobody has the database open. |
//! | `space` | error | The disk has the room that the plan may take. |
//! | `companion-replaceable` | error | Another file can take the place of each companion, before anything is begun. |
//! | `cross-volume` | error | All files of the set are on one volume. |
//! | `name-taken` | error | Names that a migration makes are free, and so is canonical where it is given to a file that must replace nobody's. |
//! | `case-collision` | error | No name differs from another by case alone where case is ignored. |
//! | `windows-name` | error | Windows takes the names of the database and the companions. |

mod order;
mod target;

pub use target::refused_by_windows;

use serde::{Deserialize, Serialize};

use crate::journal::ReadError;
use crate::observe::Observation;
use crate::plan::Plan;

/// Every rule, in the order of the table above.
pub const RULES: [(&str, Severity); 64] = [
    ("structure", Severity::Error),
    ("recovery-flush-first", Severity::Error),
    ("guard", Severity::Error),
    ("journal-first", Severity::Error),
    ("journal-durable", Severity::Error),
    ("flush-before-rename", Severity::Error),
    ("left-over", Severity::Error),
    ("look-before-open", Severity::Error),
    ("settle-before-read", Severity::Error),
    ("companion-backup", Severity::Error),
    ("source", Severity::Error),
    ("build", Severity::Error),
    ("release", Severity::Warning),
    ("look-at-staging", Severity::Error),
    ("settle-before-check", Severity::Error),
    ("check-before-built", Severity::Error),
    ("detect-before-built", Severity::Error),
    ("flush-before-built", Severity::Error),
    ("built-before-flip", Severity::Error),
    ("lock-and-check", Severity::Error),
    ("companion-same", Severity::Warning),
    ("backup-before-flip", Severity::Error),
    ("backup-durable", Severity::Error),
    ("sidecars-absent", Severity::Error),
    ("installing-before-page-copy", Severity::Error),
    ("check-before-install", Severity::Error),
    ("settle-backup", Severity::Error),
    ("v1-read-back", Severity::Error),
    ("flip-durable", Severity::Error),
    ("look-after-flip", Severity::Error),
    ("clean-up-index", Severity::Error),
    ("companion-after-flip", Severity::Error),
    ("companion-kept", Severity::Error),
    ("companion-before-commit", Severity::Error),
    ("receipt-before-commit", Severity::Error),
    ("commit-before-clean-up", Severity::Error),
    ("host-clean-up", Severity::Error),
    ("temporaries-removed", Severity::Error),
    ("flush-before-journal-goes", Severity::Error),
    ("journal-last", Severity::Error),
    ("last-flush", Severity::Warning),
    ("backup-kept", Severity::Error),
    ("restore-mode-in-undo", Severity::Error),
    ("undo-v2-first", Severity::Error),
    ("undo-host", Severity::Error),
    ("undo-unlock", Severity::Error),
    ("undo-give-back", Severity::Error),
    ("put-back", Severity::Error),
    ("undo-companion", Severity::Error),
    ("undo-companion-kept", Severity::Error),
    ("undo-link", Severity::Error),
    ("undo-temporaries", Severity::Error),
    ("undo-restore-mode", Severity::Error),
    ("undo-flush", Severity::Error),
    ("undo-journal-last", Severity::Error),
    ("platform", Severity::Error),
    ("other-database", Severity::Error),
    ("held", Severity::Error),
    ("space", Severity::Error),
    ("companion-replaceable", Severity::Error),
    ("cross-volume", Severity::Error),
    ("name-taken", Severity::Error),
    ("case-collision", Severity::Error),
    ("windows-name", Severity::Error),
];

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It can leave something behind, or take longer; no row is at stake.
    Warning,
    /// It can cost a row, or brick a start. Such a plan is not performed.
    Error,
}

/// One thing that is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Finding {
    /// The stable id of the rule.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// The index of the step in `steps`, or in `undo` where `undo` is set; nothing for the plan as
    /// a whole.
    pub step: Option<u32>,
    /// Whether the step is one of `undo`.
    pub undo: bool,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// Judges the text of a plan, and holds it against the directory it is for where that is known. No
/// finding: nothing is wrong with it.
#[must_use]
pub fn validate_text(text: &str, target: Option<&Observation>) -> Vec<Finding> {
    match Plan::parse(text) {
        Ok(plan) => validate(&plan, target),
        Err(error) => vec![structure(&error)],
    }
}

/// Judges a plan, likewise.
#[must_use]
pub fn validate(plan: &Plan, target: Option<&Observation>) -> Vec<Finding> {
    if let Err(error) = plan.check() {
        return vec![structure(&error)];
    }
    let mut findings = order::judge(plan, target);
    if let Some(observation) = target {
        findings.extend(target::judge(plan, observation));
    }
    findings
}

fn structure(error: &ReadError) -> Finding {
    Finding {
        rule: "structure".into(),
        severity: Severity::Error,
        step: None,
        undo: false,
        message: format!("the plan cannot be performed: {error}"),
        hint: "make the plan anew with this release".into(),
    }
}
