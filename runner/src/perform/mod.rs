//! Performs the ops of a plan, one small function for each op.

mod database;
mod files;
mod host;
mod pages;

use std::io::{self};
use std::path::{Path, PathBuf};

use cutover_core::{
    FileName, Op, OpError, OpErrorKind, OpName, OpOutcome, OsCode, PlanKind, PlanPath, Run,
};

use crate::error::HostError;
use crate::fsops::name_full_disk;
use crate::holders::own;
use crate::host::Host;
use crate::isolate::Isolated;
use crate::lock::CompanionLocks;
use crate::options::Options;
use crate::os;
use crate::page_copy::CommitWatcher;
use crate::place::Paths;
use crate::sqlite::{self, Findings, V1Lock, os_fault};
use crate::waiting::name_holders;
use crate::watched::{Done, Progress};
use pages::PageCheck;

/// What ops need besides the plan.
pub(crate) struct Performer<'a> {
    pub place: &'a Paths,
    pub options: &'a Options,
    /// The locks of this call, for the companions that a build makes.
    locks: &'a mut CompanionLocks,
    /// v1's lock, from its check to the flip.
    v1: Option<V1Lock>,
    /// The check of v1's pages that runs beside a build by SQL.
    pages: Option<PageCheck>,
    /// What that check found.
    examined: Option<Findings>,
    /// The watcher of a v1 that stays in WAL mode, from its settling to the page copy.
    witness: Option<CommitWatcher>,
    /// Whether the application accepted v2.
    verified: bool,
    /// The lock on a database that moves to a new file, until the move is done.
    isolated: Option<Isolated>,
    /// What files that stay could not be given: messages of warnings.
    lost: Vec<String>,
    /// The last copy. A plan of an earlier release copies v1 for a callback in a step of its own.
    copied: Option<PathBuf>,
    /// The identity of the staging file that this run made.
    staged: Option<String>,
    /// The application's own error, which the call returns as the cause.
    pub cause: Option<HostError>,
}

type Performed = Result<OpOutcome, OpError>;

impl<'a> Performer<'a> {
    pub(crate) fn new(
        place: &'a Paths,
        options: &'a Options,
        locks: &'a mut CompanionLocks,
    ) -> Self {
        Self {
            place,
            options,
            locks,
            v1: None,
            lost: Vec::new(),
            pages: None,
            examined: None,
            witness: None,
            verified: false,
            isolated: None,
            copied: None,
            staged: None,
            cause: None,
        }
    }

    pub(crate) fn perform(
        &mut self,
        op: &Op,
        text: Option<&str>,
        run: &mut Run,
        host: &mut dyn Host,
    ) -> Performed {
        if let (true, _) = run.position() {
            // The check has v1 open. An undo that opens v1 must be the last to close it, so that no
            // sidecar stays.
            self.pages = None;
        }
        let result = self.perform_op(op, text, run, host);
        for message in std::mem::take(&mut self.lost) {
            run.warn_of("RIGHTS_LOST", message);
        }
        result.map_err(|fault| {
            let fault = if self.is_about_v1(op) { name_holders(fault, self.place) } else { fault };
            let fault = if host.cancelled() { fault } else { self.blame_writer(fault, op, run) };
            name_full_disk(fault, self.place)
        })
    }

    fn perform_op(
        &mut self,
        op: &Op,
        text: Option<&str>,
        run: &mut Run,
        host: &mut dyn Host,
    ) -> Performed {
        match op {
            Op::WriteJournal { file, .. } | Op::WriteReceipt { file } => {
                self.write_new(file, text.unwrap_or_default())
            }
            Op::SyncFile { file } => self.sync_file(file),
            Op::SyncDir { companion } => self.sync_dir(companion.as_ref()),
            Op::Link { from, to } => self.link(from, to, run, host),
            Op::Rename { from, to } => self.rename(from, to),
            Op::RenameNew { from, to } => self.rename_new(from, to),
            Op::Remove { files } => self.remove(files),
            Op::RemoveLink { link, of } => self.remove_link(link, of),
            Op::Absent { files } => self.absent(files),
            Op::Copy { from, to } => {
                let copied = self.copy(from, to, run, host)?;
                let path = self.path(to)?;
                self.staged = os::file_id(&path).ok();
                self.copied = Some(path);
                Ok(copied)
            }
            Op::LookCompanion { companion, must_be_same, .. } => {
                self.look_companion(companion, *must_be_same, run)
            }
            Op::Look { file } => self.look(file, run),
            Op::Settle { file, mode } => self.settle(file, *mode, run, host),
            Op::RestoreMode { file, mode } => self.restore_mode(file, *mode),
            Op::BuildSql { v1, staging } => self.build_sql(v1, staging, run, host),
            Op::CheckPages { file } => self.check_pages(file, run, host),
            Op::Restage { from, to, mode } => self.restage((from, to), *mode, run, host),
            Op::Isolate { from, to } => self.isolate(from, to, run, host),
            Op::Check { file } => self.check(file, run, host),
            Op::LockV1 { file } => self.lock_v1(file),
            Op::CheckV1 { file } => self.check_v1(file, run),
            Op::UnlockV1 {} => {
                self.unlock_v1();
                Ok(OpOutcome::Plain)
            }
            Op::PageCopy { from, to } => self.page_copy(from, to, run, host),
            Op::Release {} => {
                host.release_handles();
                Ok(OpOutcome::Plain)
            }
            Op::BuildHost { source, staging } => self.build_host(source, staging, run, host),
            Op::Detect { file } => self.detect(file, host),
            Op::VerifyHost { file } => self.verify(file, host),
            Op::UndoHost {} => self.after(run, "undo", |state, nonce| host.undo(state, nonce)),
            Op::CleanupHost {} => {
                self.after(run, "cleanup", |state, nonce| host.cleanup(state, nonce))
            }
        }
    }

    /// Whether SQLite opens v1 in this op, so that another program's lock on v1 can stop it.
    fn is_about_v1(&self, op: &Op) -> bool {
        match op {
            Op::Settle { file, .. } | Op::LockV1 { file } => self.is_canonical(&file.into()),
            Op::Copy { from, .. } => self.is_canonical(from),
            Op::PageCopy { .. } => self.witness.is_none(),
            Op::BuildSql { .. }
            | Op::BuildHost { .. }
            | Op::CheckPages { .. }
            | Op::Check { .. }
            | Op::Isolate { .. }
            | Op::RestoreMode { .. } => true,
            _ => false,
        }
    }

    /// What was built from a v1 that another program wrote to meanwhile is not the application's
    /// fault, whatever is wrong with it: the upgrade begins anew. v1 was settled before.
    fn blame_writer(&mut self, fault: OpError, op: &Op, run: &Run) -> OpError {
        let builds = matches!(
            op,
            Op::BuildSql { .. }
                | Op::BuildHost { .. }
                | Op::Check { .. }
                | Op::Detect { .. }
                | Op::VerifyHost { .. }
        );
        let is_of_v2 = matches!(
            fault.cause,
            OpErrorKind::Host
                | OpErrorKind::Verify
                | OpErrorKind::StillOld
                | OpErrorKind::Newer
                | OpErrorKind::NotADatabase
                | OpErrorKind::V1Corrupt
                | OpErrorKind::Sqlite
        );
        if !builds || !is_of_v2 {
            return fault;
        }
        // What follows looks whether this process has v1 open.
        self.pages = None;
        if !self.v1_changed(run) {
            return fault;
        }
        let message = format!(
            "another program wrote to the database while it was upgraded, and then {} failed: {}",
            op.name(),
            fault.message
        );
        OpError { cause: OpErrorKind::V1Changed, message, ..fault }
    }

    /// Whether canonical is v1 as it was settled no more. It is not opened while this process has it
    /// open; the plan looks for that before it installs v2.
    fn v1_changed(&self, run: &Run) -> bool {
        let upgrades = run.plan().kind != PlanKind::Adopt;
        let journal = run.journal().filter(|journal| upgrades && !journal.strategy.restores());
        let Some(v1) = journal.and_then(|journal| journal.v1.as_ref()) else { return false };
        let files = self.place.set(&self.place.canonical);
        let [path, wal, _, hot] = &files;
        sqlite::bytes(wal) > Some(0)
            || sqlite::bytes(hot) > Some(0)
            || v1.fingerprint.detects_writes()
                && own(&files).may_open()
                && sqlite::glance(path)
                    .is_ok_and(|now| now.fingerprint().as_ref() != Some(&v1.fingerprint))
    }

    /// Fails if another process could have written to the database that is being moved to a new
    /// file.
    pub(super) fn still_isolated(&mut self) -> Result<(), OpError> {
        let canonical = &self.place.canonical;
        // If the lock fell, `isolated` stays empty, so the undo does not check it again.
        let Some(isolated) = self.isolated.take() else { return Ok(()) };
        isolated.stands(&self.place.path(canonical)).map_err(|fault| fault.of(canonical))?;
        self.isolated = Some(isolated);
        Ok(())
    }

    /// Warns of what a file that is made after the one of this path lacks of its rights.
    pub(super) fn tell_lost(&mut self, what: &str, path: &Path, lost: &[String]) {
        self.lost.extend(os::lost_message(what, path, lost));
    }

    /// What is told of work that reads or copies the pages of a file.
    pub(super) fn of_pages(&self, op: OpName, file: &FileName, run: &Run) -> Progress<'static> {
        let total = sqlite::bytes(&self.place.path(file));
        Progress { op, done: Done::Counted, total, may_stop: run.can_abort() }
    }

    pub(super) fn path(&self, at: &PlanPath) -> Result<PathBuf, OpError> {
        self.place.at(at).ok_or_else(|| undeclared(at))
    }

    pub(super) fn io(
        &self,
        at: &PlanPath,
        act: impl FnOnce(&Path) -> io::Result<OpOutcome>,
    ) -> Performed {
        let path = self.path(at)?;
        act(&path).map_err(|error| {
            denied(&path, &error).unwrap_or_else(|| os_fault(&error)).of(at.clone())
        })
    }

    pub(super) fn is_canonical(&self, at: &PlanPath) -> bool {
        *at == PlanPath::from(&self.place.canonical)
    }
}

/// The failure for a denial that waiting cannot end, though the system's code alone does not say
/// so.
fn denied(path: &Path, error: &io::Error) -> Option<OpError> {
    let why = os::denied_for_good(path, error)?;
    Some(OpError::new(
        OpErrorKind::Denied { os: OsCode::of(os::PLATFORM, error.raw_os_error()?) },
        why,
    ))
}

fn undeclared(name: &dyn std::fmt::Display) -> OpError {
    OpError::new(OpErrorKind::Host, format!("companion {name} is not declared in the options"))
}
