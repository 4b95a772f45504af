//! Plans again what a plan was planned from.
//!
//! This module reads off the plan what its planner had observed, makes an observation of it, and
//! lets the planner plan from that. A plan does not say everything, for example whether v1 had
//! changed. So each possible observation is tried, and the plan that comes nearest is the right
//! one.

use crate::failure::{Code, Failure};
use crate::fault::{Holder, Platform};
use crate::journal::{Companion, Journal, Phase, Strategy, V1};
use crate::names::{
    CompanionName, FileName, Label, Names, Nonce, PlanPath, Role, companion_backup_name,
    companion_staged_name, displaced_name, legacy_journal_name,
};
use crate::observe::{CompanionFacts, FileFacts, Observation, Verdict};
use crate::op::{Guard, Op, Step};
use crate::page1::JournalMode;
use crate::plan::seen::{blank, built, companion_facts, file, settled};
use crate::plan::{
    BuildBy, BuildFrom, Next, Plan, PlanKind, Request, assess, distance, legacy, plan_leave_zombie,
    plan_migration, plan_recovery, right_restore,
};

/// The plan that the planner makes of what this plan says of itself.
pub(super) fn of_itself(plan: &Plan) -> Result<Plan, Failure> {
    let Some(journal) = &plan.journal else {
        return match plan.kind {
            PlanKind::SetAside | PlanKind::Clean => recovered(plan, without_journal(plan)),
            // `Plan::check` has proven each step.
            _ => Ok(plan.clone()),
        };
    };
    let mut right = match (plan.kind, journal.strategy) {
        // `Plan::check` has proven each step.
        (PlanKind::Adopt, _) => return Ok(plan.clone()),
        (_, strategy) if strategy.restores() => right_restore(plan, journal),
        (PlanKind::Migrate, _) => migration(plan, journal)?,
        (_, Strategy::TwoRename) => recovered(plan, legacy::observations(plan, journal))?,
        _ => recovered(plan, observations(plan, journal))?,
    };
    if let Some(right) = &mut right.journal {
        // The planner does not depend on these.
        right.host_state.clone_from(&journal.host_state);
        right.warnings.clone_from(&journal.warnings);
        if plan.kind != PlanKind::Migrate {
            right.report.clone_from(&journal.report);
            right.expect.clone_from(&journal.expect);
        }
    }
    Ok(right)
}

/// The plan that the planner makes of this directory, for what this plan was asked for.
pub(super) fn of_directory(
    plan: &Plan,
    observation: &Observation,
    asked: Option<&Request>,
) -> Result<Plan, Failure> {
    let (mut label, nonce) = label_and_nonce(plan)?;
    if let Some(asked) = asked {
        label.clone_from(&asked.label);
    }
    match plan.kind {
        // An observation holds neither the rule of a prune nor the receipt of a backup.
        PlanKind::Restore | PlanKind::Prune | PlanKind::Adopt => return Ok(plan.clone()),
        PlanKind::LeaveZombie => return plan_leave_zombie(observation, &label, &nonce),
        _ => {}
    }
    let next = assess(observation, &label, &nonce)?;
    let journal = match (next, &plan.journal) {
        (Next::Recover(right), _) => return Ok(*right),
        (Next::Migrate, Some(journal)) if plan.kind == PlanKind::Migrate => journal,
        _ => return Err(nothing("there is neither anything to recover nor a v1 to upgrade")),
    };
    // An observation says that canonical can be linked where the runner did not try it. A plan may
    // copy pages then too.
    let can_link = observation.can_link && journal.strategy != Strategy::PageCopy;
    let observation = Observation { can_link, ..observation.clone() };
    let mut right = migrated(plan, journal, &observation, asked)?;
    // Commits after the plan was made change nothing, because the plan settles v1 and looks again.
    if let (Some(V1 { file_id, fingerprint, .. }), Some(right)) =
        (&journal.v1, right.journal.as_mut().and_then(|journal| journal.v1.as_mut()))
    {
        (right.file_id, right.fingerprint) = (file_id.clone(), fingerprint.clone());
    }
    Ok(right)
}

fn nothing(reason: &str) -> Failure {
    Failure::refusal(Code::Journal, reason, "make the plan anew from this database")
}

/// The recovery from one of these observations that comes nearest to this plan.
fn recovered(
    plan: &Plan,
    observations: impl IntoIterator<Item = Observation>,
) -> Result<Plan, Failure> {
    let (label, nonce) = label_and_nonce(plan)?;
    let recover = |observation| plan_recovery(&observation, &label, &nonce);
    nearest(plan, observations.into_iter().map(recover))
}

/// The plan that comes nearest to this one.
fn nearest(
    plan: &Plan,
    plans: impl Iterator<Item = Result<Option<Plan>, Failure>>,
) -> Result<Plan, Failure> {
    let mut best: Option<(usize, Plan)> = None;
    let mut refused = None;
    for right in plans {
        match right {
            Ok(Some(right)) => {
                let distance = distance(plan, &right);
                if best.as_ref().is_none_or(|(least, _)| distance < *least) {
                    best = Some((distance, right));
                }
                if distance == 0 {
                    break;
                }
            }
            Ok(None) => {}
            Err(failure) => refused = Some(failure),
        }
    }
    best.map(|(_, right)| right)
        .ok_or_else(|| refused.unwrap_or_else(|| nothing("no recovery does this")))
}

/// The label and nonce of the journal. Without a journal the nonce is that of the name that the
/// plan makes, and any label will do.
fn label_and_nonce(plan: &Plan) -> Result<(Label, Nonce), Failure> {
    if let Some(journal) = &plan.journal {
        return Ok((journal.label.clone(), journal.nonce.clone()));
    }
    let made = plan.steps.iter().find_map(|step| match &step.op {
        Op::Isolate { to, .. } => Some(to),
        Op::Rename { to, .. } => Some(&to.name),
        _ => None,
    });
    let nonce = made.and_then(FileName::nonce);
    let label = Label::new("v1-v2").map_err(|error| nothing(&error.to_string()))?;
    Ok((label, nonce.unwrap_or_else(|| Nonce::from_number(0))))
}

/// The observation of a plan without a journal: of an unreadable journal, or of unfinished ones.
fn without_journal(plan: &Plan) -> Option<Observation> {
    let named = plan.steps.iter().find_map(|step| match &step.op {
        Op::Rename { from, .. } => Some(vec![from.name.clone()]),
        Op::Remove { files } => Some(files.iter().map(|at| at.name.clone()).collect()),
        _ => None,
    })?;
    // The plan does not name the database. Any name will do that makes each file a journal's.
    let is_ours = |canonical: &FileName| {
        named.iter().all(|name| {
            matches!(Role::of(canonical, name), Some(Role::Journal(_) | Role::LegacyJournal))
                || Role::of(canonical, name).is_some_and(|role| role.is_unfinished())
        })
    };
    let mut observation = blank(plan.platform, named.first()?.bases().find(is_ours)?);
    if plan.kind == PlanKind::SetAside {
        observation.journals = named.into_iter().map(|name| (name, None)).collect();
    } else {
        observation.files = named.into_iter().map(|name| (name, file("tmp"))).collect();
    }
    Some(observation)
}

fn migration(plan: &Plan, journal: &Journal) -> Result<Plan, Failure> {
    let canonical = &journal.names.canonical;
    let mut observation = blank(plan.platform, canonical.clone());
    if let Some(v1) = &journal.v1 {
        observation.files.insert(canonical.clone(), settled(v1));
    }
    observation.companions =
        journal.companions.iter().map(|companion| of_companion(plan, journal, companion)).collect();
    if journal.strategy == Strategy::PageCopy {
        let stays = |step: &Step| matches!(&step.op, Op::Settle { file, mode } if file == canonical && *mode == JournalMode::Wal);
        observation.can_link = false;
        // Only a v1 that a process holds keeps its WAL mode.
        if plan.platform == Platform::Windows && plan.steps.iter().any(stays) {
            observation.holders = vec![Holder { pid: 0, name: String::new(), this_process: true }];
        }
    }
    let legacy_name = legacy_journal_name(canonical);
    let takes_over = plan.steps.iter().any(
        |step| matches!(&step.op, Op::Remove { files } if files.contains(&PlanPath::from(&legacy_name))),
    );
    if takes_over {
        observation
            .journals
            .insert(legacy_name, Some(legacy::text(journal, Phase::Building, None)));
    }
    migrated(plan, journal, &observation, None)
}

/// The migration of what is observed, as it was asked for. Without a request, the one that comes
/// nearest to this plan.
fn migrated(
    plan: &Plan,
    journal: &Journal,
    observation: &Observation,
    asked: Option<&Request>,
) -> Result<Plan, Failure> {
    let names = &journal.names;
    let now_ms = match Role::of(&names.canonical, &names.backup) {
        Some(Role::Backup { started_ms, .. }) => started_ms,
        _ => 0,
    };
    let by = [BuildBy::Sql, BuildBy::Host].into_iter();
    let ways = by.flat_map(|by| [BuildFrom::Empty, BuildFrom::Copy].map(|from| (by, from)));
    let ways = ways.flat_map(|(by, from)| [false, true].map(|verify| (by, from, verify)));
    let ways = ways.flat_map(|(by, from, verify)| [true, false].map(|v1| (by, from, verify, v1)));
    let is_asked =
        |way: &_| asked.is_none_or(|of| (of.by, of.from, of.verify, of.check_v1) == *way);
    let requests = ways.filter(is_asked).map(|(by, from, verify, check_v1)| Request {
        label: journal.label.clone(),
        nonce: journal.nonce.clone(),
        now_ms,
        attempt: journal.attempt,
        from,
        by,
        verify,
        check_v1,
    });
    let plans = requests.flat_map(|request| {
        let made = plan_migration(observation, &request);
        let earlier = made.as_ref().ok().and_then(|right| as_earlier(plan, right, names));
        [made.map(Some), Ok(earlier)]
    });
    nearest(plan, plans)
}

/// The plan as an earlier release made it, which copied v1 for a callback in a step of its own. Such
/// a plan is still performed.
fn as_earlier(plan: &Plan, right: &Plan, names: &Names) -> Option<Plan> {
    let copy = Op::Copy { from: (&names.canonical).into(), to: (&names.source).into() };
    if !plan.steps.iter().any(|step| step.op == copy) {
        return None;
    }
    let builds =
        |step: &Step| matches!(&step.op, Op::BuildHost { source, .. } if *source == names.source);
    let at = right.steps.iter().position(builds)?;
    let mut earlier = right.clone();
    let why = "the application reads a copy, because opening v1 itself would change it".to_owned();
    earlier.steps.insert(at, Step { op: copy, why, when: None });
    for mark in [&mut earlier.flip_at, &mut earlier.cleanup_from] {
        *mark = mark.map(|mark| mark + 1);
    }
    Some(earlier)
}

/// Each observation that a recovery of this journal may have been planned from.
fn observations(plan: &Plan, journal: &Journal) -> Vec<Observation> {
    let names = &journal.names;
    let mut base = blank(plan.platform, names.canonical.clone());
    let companions = plan.companions().into_iter();
    base.companions = companions.map(|companion| of_companion(plan, journal, companion)).collect();
    let written =
        Journal { host_state: None, report: None, warnings: Vec::new(), ..journal.clone() };
    base.journals.insert(journal.file(), Some(written.to_text()));
    let v1 = journal.v1.as_ref().map_or_else(|| file("v1"), settled);
    let v2 = journal.v2.as_ref().map_or_else(|| file("v2"), built);
    let staged = journal.v2.as_ref().map_or(&names.staging, |v2| &v2.file);
    let changed = FileFacts { size: v1.size.saturating_add(1), ..v1.clone() };
    let copy = FileFacts { file_id: "copy".into(), ..v1.clone() };
    let stranger = FileFacts { file_id: "stranger".into(), ..changed.clone() };
    let seen = |verdict, canonical: &FileFacts, backup: Option<&FileFacts>, more: &[&FileName]| {
        let mut seen = Observation { verdict: Some(verdict), ..base.clone() };
        seen.files.insert(names.canonical.clone(), canonical.clone());
        seen.files.extend(backup.map(|backup| (names.backup.clone(), backup.clone())));
        seen.files.extend(more.iter().map(|name| ((*name).clone(), file("more"))));
        seen
    };
    let ([log, ..], receipt) = (names.canonical.sidecars(), names.receipt());
    let more = [&log, &receipt];
    vec![
        // v1, unchanged, with what was built.
        seen(Verdict::Old, &v1, None, &[staged]),
        seen(Verdict::Old, &v1, Some(&v1), &[staged]),
        seen(Verdict::Old, &v1, Some(&copy), &[staged]),
        // Another v1.
        seen(Verdict::Old, &changed, None, &[]),
        seen(Verdict::Old, &changed, Some(&stranger), &[]),
        // v2, and v1 had changed at the flip.
        seen(Verdict::Current, &v2, Some(&stranger), &[]),
        // v2.
        seen(Verdict::Current, &v2, Some(&copy), &[]),
        seen(Verdict::Current, &v2, Some(&copy), &more),
        seen(Verdict::Current, &v2, None, &[]),
        seen(Verdict::Current, &v2, None, &more),
    ]
}

/// What the plan's steps tell of a companion.
fn of_companion(
    plan: &Plan,
    journal: &Journal,
    companion: &Companion,
) -> (CompanionName, CompanionFacts) {
    let Companion { name, file, .. } = companion;
    let under = |steps: &[Step], is: fn(&Guard) -> bool| {
        let mut guards = steps.iter().filter_map(|step| step.when.as_ref());
        guards.any(|guard| guard.companion() == Some(name) && is(guard))
    };
    // The comparison before the flip has the guard `companion-staged` as well.
    let staged =
        under(&plan.steps, |guard| matches!(guard, Guard::CompanionStagedOverChange { .. }));
    let backed_up = under(&plan.undo, |_| true);
    // A plan does not link to a name that a file has.
    let kept = !plan.steps.iter().chain(&plan.undo).any(
        |step| matches!(&step.op, Op::Link { from, .. } if from.companion.as_ref() == Some(name)),
    );
    let present = [
        (staged, companion_staged_name(file, &journal.nonce)),
        (backed_up, companion_backup_name(file, &journal.label, &journal.nonce)),
        (kept, displaced_name(file, &journal.nonce)),
    ];
    (name.clone(), companion_facts(companion, companion.before.clone(), present))
}
