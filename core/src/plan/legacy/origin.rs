//! The observations that a plan for the legacy journal may have been planned from: validation plans
//! each again.

use serde_json::json;

use crate::journal::{Companion, Journal, Phase};
use crate::names::{FileName, PlanPath, companion_backup_name, displaced_name};
use crate::observe::{CompanionFacts, FileFacts, Observation, Verdict};
use crate::op::{Op, Step};
use crate::page1::JournalMode;
use crate::plan::Plan;
use crate::plan::seen::{blank, companion_facts, file, header};

/// The text of the legacy journal. Of its phases the first and the last make a difference. `backed_up`: the
/// companion that has a backup.
pub(crate) fn text(journal: &Journal, phase: Phase, backed_up: Option<&Companion>) -> String {
    let names = &journal.names;
    let beside = |name: &FileName| format!("/{name}");
    let companion = journal.companions.first();
    let path = companion.map_or("/auth.json", |companion| &companion.path);
    let backup = backed_up.map(|companion| {
        let backup = companion_backup_name(&companion.file, &journal.label, &journal.nonce);
        format!("{}{backup}", path.strip_suffix(companion.file.as_str()).unwrap_or_default())
    });
    let committed = phase == Phase::Committed;
    json!({
        "version": 1,
        "source": beside(&names.canonical),
        "normalizedSource": beside(&names.source),
        "staging": beside(&names.staging),
        "backup": beside(&names.backup),
        "authPath": path,
        "authBackup": backup,
        "authExisted": companion.is_some_and(|companion| companion.before.is_some()),
        "keychainBackups": null,
        "nonce": journal.nonce,
        "phase": if committed { "committed" } else { "building" },
    })
    .to_string()
}

/// What may have been seen, for each rule of the table.
pub(crate) fn observations(plan: &Plan, journal: &Journal) -> Vec<Observation> {
    let names = &journal.names;
    let mut base = blank(plan.platform, names.canonical.clone());
    let mut backed_up = None;
    if let Some(companion) = journal.companions.first() {
        let seen = of_companion(plan, journal, companion);
        let backup = companion_backup_name(&companion.file, &journal.label, &journal.nonce);
        backed_up = seen.present.contains(&backup).then_some(companion);
        base.companions.insert(companion.name.clone(), seen);
    }
    base.journals.insert(journal.file(), Some(text(journal, journal.phase, backed_up)));
    let seen = |verdict: Option<Verdict>, there: &[&FileName]| {
        let mut seen = Observation { verdict, ..base.clone() };
        seen.files.extend(there.iter().map(|name| ((*name).clone(), file(name.as_str()))));
        seen
    };
    let (canonical, backup, staging) = (&names.canonical, &names.backup, &names.staging);
    let [log, ..] = &canonical.sidecars();
    let moved = sidecars(plan, journal);
    let foreign: Vec<&FileName> = moved.iter().chain([canonical, backup, staging]).collect();
    let gone: Vec<&FileName> = moved.iter().chain([backup]).collect();
    let settles = |step: &Step| match &step.op {
        Op::Settle { file, mode } if file == staging => Some(*mode),
        _ => None,
    };
    let mode = plan.steps.iter().find_map(settles).unwrap_or(JournalMode::Delete);
    let mut built = seen(None, &gone);
    let staged = FileFacts { header: Some(header("", mode)), ..file("staging") };
    built.files.insert(staging.clone(), staged);
    vec![
        seen(Some(Verdict::Current), &[canonical]),
        seen(Some(Verdict::Current), &[canonical, backup]),
        // v1; if the journal says `committed`, a person put it there.
        seen(Some(Verdict::Old), &[canonical]),
        seen(Some(Verdict::Old), &[canonical, staging]),
        seen(Some(Verdict::Old), &foreign),
        // v1 goes back to where its log is.
        seen(None, &[backup, log]),
        seen(None, &[backup, log, staging]),
        seen(None, &gone),
        built,
    ]
}

/// The sidecars beside canonical, which are those that the plan moves or removes; and one beside the
/// backup, because a sidecar is moved only if such a name is taken.
fn sidecars(plan: &Plan, journal: &Journal) -> Vec<FileName> {
    let [wal, shm, hot] = journal.names.canonical.sidecars();
    let [backup_wal, _, backup_hot] = journal.names.backup.sidecars();
    let mut there = Vec::new();
    for op in plan.steps.iter().map(|step| &step.op) {
        let Op::Rename { from, to } = op else { continue };
        let (own, other) = match &from.name {
            name if *name == wal => (&backup_wal, &backup_hot),
            name if *name == hot => (&backup_hot, &backup_wal),
            _ => continue,
        };
        there.extend([from.name.clone(), if to.name == *own { other } else { own }.clone()]);
    }
    let goes = PlanPath::from(&shm);
    if plan.steps.iter().any(|step| match &step.op {
        Op::Remove { files } => files.contains(&goes),
        Op::Rename { from, .. } => *from == goes,
        _ => false,
    }) {
        there.push(shm);
    }
    there
}

fn of_companion(plan: &Plan, journal: &Journal, companion: &Companion) -> CompanionFacts {
    let at = |name: FileName| PlanPath { companion: Some(companion.name.clone()), name };
    let own = at(companion.file.clone());
    let backup = companion_backup_name(&companion.file, &journal.label, &journal.nonce);
    let aside = displaced_name(&companion.file, &journal.nonce);
    let any = |is: &dyn Fn(&Op) -> bool| plan.undo.iter().any(|step| is(&step.op));
    let links = any(&|op| matches!(op, Op::Link { from, .. } if *from == own));
    let renames = any(&|op| matches!(op, Op::Rename { from, .. } if *from == own));
    let puts_back = links || any(&|op| matches!(op, Op::Rename { to, .. } if *to == own));
    // An undo works on a companion, unless its backup is torn.
    let is_torn = !plan.undo.is_empty() && !any(&|op| op.companion().is_some());
    let present = [(puts_back || is_torn, backup), (puts_back && renames, aside)];
    let there = links || renames || is_torn;
    let facts = companion_facts(companion, there.then(String::new), present);
    CompanionFacts { legacy_backup_is_beginning: is_torn, ..facts }
}
