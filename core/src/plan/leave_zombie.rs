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
//!
//! Beside the journal of an interrupted upgrade or restore, the recovery comes after the move. The
//! file that it finds is not the one that was settled, so it undoes the upgrade, and v2 is built
//! anew; or canonical is v2, which `detect` tells. An interrupted flip gave v1 a second name, by
//! which the recovery would take the leaked connection's file for another database: that name goes
//! first, while canonical is the same file.

use super::refuse::{refuse_full, refuse_unseen};
use super::steps::displaced_by;
use super::{Plan, PlanKind, flush, is_right, step};
use crate::failure::{Code, Failure};
use crate::fault::Platform;
use crate::journal::{Journal, ReadError, Strategy};
use crate::names::{FileName, Label, Nonce, Role, journal_tmp_name};
use crate::observe::Observation;
use crate::op::{Op, Step};

/// Plans the move, before the database is opened.
///
/// # Errors
/// `NO_SPACE`, and `HELD` where no zombie can be left behind: on Windows, while another process has
/// the database open or it cannot be told whether one has, or beside a journal by which a recovery
/// could not tell the moved database from another.
pub fn plan_leave_zombie(
    observation: &Observation,
    label: &Label,
    nonce: &Nonce,
) -> Result<Plan, Failure> {
    let canonical = &observation.canonical;
    refuse_unseen(observation)?;
    if !may_leave_zombie(observation) {
        let hint = "close the connection (and let it be collected) before the upgrade";
        let reason = "the database can be moved to a new file only on POSIX, where no other process \
                      has the database open, and not beside the journal of the old daemon, of a \
                      page copy that a restore began, or one that cannot be read";
        return Err(Failure::refusal(Code::Held, reason, hint)
            .of(canonical)
            .untouched(canonical)
            .held_by(&observation.holders));
    }
    let bytes = |name: &FileName| observation.files.get(name).map_or(0, |facts| facts.size);
    let needs_bytes = bytes(canonical).saturating_add(bytes(&canonical.sidecars()[0]));
    // Asked before the database is opened: from then on the move must come to its end.
    refuse_full(observation, needs_bytes, "a copy of the database needs", "start again")?;
    let second = journals(observation).into_iter().flatten().filter_map(|journal| {
        let second = match journal.strategy {
            Strategy::LinkReplace => journal.names.backup.clone(),
            Strategy::Restore => displaced_by(&journal),
            _ => return None,
        };
        observation.same_file(canonical, &second).then_some(second)
    });
    Ok(made(
        canonical,
        &second.collect::<Vec<_>>(),
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
    own && observation.platform != Platform::Windows
        && observation.holders_unknown.is_none()
        && journals(observation).is_some()
}

/// The journals, if a recovery by each of them can tell what canonical is once it is another file.
/// A page copy of a restore is told by canonical's header alone, and the old daemon's moves by the
/// ids of files.
fn journals(observation: &Observation) -> Option<Vec<Journal>> {
    let read = |text: &Option<String>| {
        let journal = Journal::parse(text.as_deref()?, &observation.canonical).ok()?;
        let tells = !matches!(journal.strategy, Strategy::RestorePageCopy | Strategy::TwoRename);
        tells.then_some(journal)
    };
    observation.journals.values().map(read).collect()
}

fn made(
    canonical: &FileName,
    second: &[FileName],
    new: &FileName,
    platform: Platform,
    needs_bytes: u64,
) -> Plan {
    let unlink = second.iter().map(|second| {
        step(
            Op::RemoveLink { link: second.clone(), of: canonical.clone() },
            "the interrupted flip gave the database this second name, which would be left to the \
             leaked connection's file",
        )
    });
    let steps = unlink.chain(steps(canonical, new)).collect();
    Plan {
        undo: vec![step(
            Op::Remove { files: vec![new.into()] },
            "the database keeps its file, so the copy is not needed",
        )],
        needs_bytes,
        ..Plan::new(PlanKind::LeaveZombie, platform, None, steps)
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
        flush("no sidecar of the old file may come back beside the new one"),
        step(
            Op::Rename { from: new.into(), to: canonical.into() },
            "one rename makes the new file canonical; the leaked connection does not hold it",
        ),
        step(
            Op::Absent { files: sidecars.to_vec() },
            "a program may have made a -wal or -journal during the rename",
        ),
        flush("the new file must have canonical's name for good before any program writes to it"),
    ]
}

/// Proves that a plan that comes from elsewhere is, step by step, the one for this database.
pub(super) fn check(plan: &Plan) -> Result<(), ReadError> {
    let contradiction = |why: &str| Err(ReadError::contradiction(why));
    let mut ops = plan.steps.iter().map(|step| &step.op);
    let mut second = Vec::new();
    let (from, to) = loop {
        match ops.next() {
            Some(Op::RemoveLink { link, .. }) => second.push(link.clone()),
            Some(Op::Isolate { from, to }) => break (from, to),
            _ => return contradiction("steps: a plan that leaves a zombie behind has isolate"),
        }
    };
    if !matches!(Role::of(from, to), Some(Role::JournalTmp(..))) {
        return contradiction("isolate: this is not the name of a journal that is being written");
    }
    let is_second = |name: &FileName| {
        matches!(Role::of(from, name), Some(Role::Backup { .. } | Role::Displaced(_)))
    };
    if !second.iter().all(is_second) {
        return contradiction("remove-link: this is not a name that a flip gives canonical");
    }
    let right = made(from, &second, to, plan.platform, plan.needs_bytes);
    if plan.platform == Platform::Windows {
        return contradiction("platform: a zombie is left behind on POSIX only");
    }
    is_right(plan, &right, "a move of the database to a new file")
}
