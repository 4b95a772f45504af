//! A new file for a database that this process holds, by a connection that its caller knows to be a
//! zombie.
//!
//! POSIX only. Whatever is done next opens the database, which drops the zombie's locks, and a
//! connection that the application opens later would share what the zombie still has of the old
//! file. So before anything else the database moves to a file that nobody holds; then every
//! ending leaves such a one, v1 or v2. The zombie keeps the old file, which has no name any more.
//!
//! It has no journal: the new file's name, until it is canonical's, is that of a journal that is
//! being written, which a start without one takes away. A crash leaves the old file with its name,
//! whole and settled, or the new one.

use super::refuse::refuse_full;
use super::{Plan, PlanKind, is_right, step};
use crate::failure::{Code, Failure};
use crate::fault::Platform;
use crate::journal::ReadError;
use crate::names::{FileName, Label, Nonce, Role, journal_tmp};
use crate::observe::Observation;
use crate::op::{Op, Step};

/// Plans it, before the database is opened.
///
/// # Errors
/// `NO_SPACE`, and `HELD` where nobody is left behind: on Windows, beside a journal, or while
/// another process has the database open.
pub fn plan_leave_zombie(
    observation: &Observation,
    label: &Label,
    nonce: &Nonce,
) -> Result<Plan, Failure> {
    let canonical = &observation.canonical;
    if !may_leave_zombie(observation) {
        let hint = "close the connection (and let it be collected) before the upgrade";
        let reason = "the database can be moved to a new file only on POSIX, with no upgrade \
                      unfinished and nobody else in it";
        let mut failure = Failure::refusal(Code::Held, reason, hint).of(canonical);
        failure.holders.clone_from(&observation.holders);
        return Err(failure);
    }
    let bytes = |name: &FileName| observation.files.get(name).map_or(0, |facts| facts.size);
    let needs_bytes = bytes(canonical).saturating_add(bytes(&canonical.sidecars()[0]));
    // Asked before it is opened: from then on it must come to its end.
    refuse_full(observation, needs_bytes, "a copy of the database needs", "start again")?;
    Ok(made(canonical, &journal_tmp(canonical, label, nonce), observation.platform, needs_bytes))
}

/// Whether only this process has the database open, and it may be left behind.
#[must_use]
pub fn may_leave_zombie(observation: &Observation) -> bool {
    let holders = &observation.holders;
    let own = !holders.is_empty() && holders.iter().all(|holder| holder.this_process);
    own && observation.platform != Platform::Windows && observation.journals.is_empty()
}

fn made(canonical: &FileName, new: &FileName, platform: Platform, needs_bytes: u64) -> Plan {
    Plan {
        undo: vec![step(
            Op::Remove { files: vec![new.into()] },
            "the database keeps its file, and the copy is of no use",
        )],
        needs_bytes,
        ..Plan::new(PlanKind::LeaveZombie, platform, None, steps(canonical, new))
    }
}

fn steps(canonical: &FileName, new: &FileName) -> Vec<Step> {
    let sidecars = canonical.sidecars();
    vec![
        step(
            Op::Isolate { from: canonical.clone(), to: new.clone() },
            "nobody else may write to the database, or read it, until its name is a file's that \
             nobody holds",
        ),
        step(Op::SyncFile { file: new.into() }, "its data must be durable before it has the name"),
        step(
            Op::Remove { files: sidecars.iter().map(Into::into).collect() },
            "the log is empty, and the rest says nothing; they are the old file's, and must not \
             be found beside the new one",
        ),
        step(Op::SyncDir { companion: None }, "no sidecar may come back beside the new file"),
        step(
            Op::Rename { from: new.into(), to: canonical.into() },
            "the database is a file that the zombie does not have, in one step",
        ),
        step(Op::Absent { files: sidecars.to_vec() }, "nobody made a sidecar meanwhile"),
        step(
            Op::SyncDir { companion: None },
            "the new file must have the name for good before anybody writes to it",
        ),
    ]
}

/// Proves that a plan that comes from elsewhere is, step by step, the one for this database.
pub(super) fn check(plan: &Plan) -> Result<(), ReadError> {
    let contradiction = |why: &str| Err(ReadError::Contradiction(why.into()));
    let Some(Op::Isolate { from, to }) = plan.steps.first().map(|step| &step.op) else {
        return contradiction("steps[0]: a plan that leaves a zombie behind begins with isolate");
    };
    if !matches!(Role::of(from, to), Some(Role::JournalTmp(..))) {
        return contradiction(
            "steps[0].to: this is not the name of a journal that is being written",
        );
    }
    let right = made(from, to, plan.platform, plan.needs_bytes);
    if plan.platform == Platform::Windows {
        return contradiction("platform: a zombie is left behind on POSIX only");
    }
    is_right(plan, &right, "a move of the database to a new file")
}
