//! A new file for a database that this process holds by a leaked connection (a zombie), which its
//! caller knows of.
//!
//! POSIX only. Every later step opens the database, which drops the zombie's locks, and a connection
//! that the application opens later would share the zombie's `-shm`. So the database first moves to
//! a file that no process holds; then canonical is such a file at every ending, v1 or v2. The zombie
//! keeps the old file, which no longer has a name.
//!
//! The plan has no journal. Until the rename, the new file has the name of a journal that is being
//! written, which a start without a journal removes. A crash leaves under canonical's name the old
//! file, whole and settled, or the new one.

use super::refuse::refuse_full;
use super::{Plan, PlanKind, is_right, step};
use crate::failure::{Code, Failure};
use crate::fault::Platform;
use crate::journal::ReadError;
use crate::names::{FileName, Label, Nonce, Role, journal_tmp_name};
use crate::observe::Observation;
use crate::op::{Op, Step};

/// Plans the move, before the database is opened.
///
/// # Errors
/// `NO_SPACE`, and `HELD` where no zombie can be left behind: on Windows, beside a journal, or while
/// another process has the database open.
pub fn plan_leave_zombie(
    observation: &Observation,
    label: &Label,
    nonce: &Nonce,
) -> Result<Plan, Failure> {
    let canonical = &observation.canonical;
    if !may_leave_zombie(observation) {
        let hint = "close the connection (and let it be collected) before the upgrade";
        let reason = "the database can be moved to a new file only on POSIX, where no upgrade is \
                      unfinished and no other process has the database open";
        let mut failure = Failure::refusal(Code::Held, reason, hint).of(canonical);
        failure.holders.clone_from(&observation.holders);
        return Err(failure);
    }
    let bytes = |name: &FileName| observation.files.get(name).map_or(0, |facts| facts.size);
    let needs_bytes = bytes(canonical).saturating_add(bytes(&canonical.sidecars()[0]));
    // Asked before the database is opened: from then on the move must come to its end.
    refuse_full(observation, needs_bytes, "a copy of the database needs", "start again")?;
    Ok(made(
        canonical,
        &journal_tmp_name(canonical, label, nonce),
        observation.platform,
        needs_bytes,
    ))
}

/// Whether only this process has the database open, and that connection may be left behind.
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
            "the database keeps its file, so the copy is not needed",
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
            "an exclusive lock keeps other programs from the database until its name belongs to \
             the new file, which no process holds",
        ),
        step(
            Op::SyncFile { file: new.into() },
            "the new file's data must be durable before it gets canonical's name",
        ),
        step(
            Op::Remove { files: sidecars.iter().map(Into::into).collect() },
            "the old file's -wal is empty and its -shm holds no data; neither may stand beside \
             the new file",
        ),
        step(
            Op::SyncDir { companion: None },
            "no sidecar of the old file may come back beside the new one",
        ),
        step(
            Op::Rename { from: new.into(), to: canonical.into() },
            "one rename makes the new file canonical; the leaked connection does not hold it",
        ),
        step(
            Op::Absent { files: sidecars.to_vec() },
            "a program may have made a -wal or -journal during the rename",
        ),
        step(
            Op::SyncDir { companion: None },
            "the new file must have canonical's name for good before any program writes to it",
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
