//! The machine that walks a plan. It performs nothing: it hands out actions and is told what
//! happened.
//!
//! Call order of a driver:
//! 1. [`Run::new`];
//! 2. [`Run::poll_event`] until it has none;
//! 3. [`Run::poll`]: perform the op and report it with [`Run::handle_ok`] or
//!    [`Run::handle_fault`]; or wait as told, handles released first, and report it with
//!    [`Run::handle_waited`]; or stop at an ending;
//! 4. again from 2.
//!
//! At any time: [`Run::cancel`]; and, while the host builds, [`Run::save_state`],
//! [`Run::stage_companion`], [`Run::warn`].
//!
//! **The rule of endings.** Until the journal says `built` everything is undone on a failure or a
//! cancellation. From there to the flip a permanent failure is undone too, since v1 is still
//! canonical, and a transient one is left for the next start to go on with. After the flip nothing
//! is undone by its plan, ever; from `cleanup_from` on a failure is a warning. Where the backup
//! shows behind the flip that v1 changed at the last moment (Windows), the plan ends as it is: the
//! recovery that follows puts v1 back.
//!
//! A page copy that fails once it was begun is not undone: the next start opens canonical through
//! SQLite, and sees what it is.
//!
//! An undo goes on after a step that failed, and keeps the journal. It stops where a later start
//! might still install v2 (its file could not be taken away for good), where somebody has v1 open,
//! and at any failure but the application's in the field's cutover.

mod event;
mod remains;
mod retry;

use std::collections::{BTreeMap, VecDeque};

use serde_json::Value;

pub use event::Event;
pub use remains::CarryOver;
pub use retry::{BUDGET_MS, Budget, DELAYS_MS};

use crate::failure::{Code, DataState, Failure};
use crate::fault::Holder;
use crate::fault::{OpError, OpErrorKind, Platform, Retry};
use crate::journal::{Journal, Phase, ReadError, Strategy, V1, V2, Warning, WarningFrom};
use crate::names::{CompanionName, PlanPath, Role, is_displaced, is_journal_aside, legacy_journal};
use crate::observe::FileFacts;
use crate::op::{Guard, Op, Step};
use crate::plan::{Plan, PlanKind, Recovery};
use std::collections::BTreeSet;

/// What the driver does next.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Perform this op, and report it.
    Perform {
        /// What to do.
        op: Op,
        /// The bytes to write, for `write-journal` and `write-receipt`.
        text: Option<String>,
    },
    /// Release handles, wait this long, and report it.
    Wait {
        /// Milliseconds.
        delay_ms: u64,
    },
    /// The plan ended well.
    Done(Box<Report>),
    /// v1 changed under the plan, and it was undone or, behind the flip, is for the recovery to
    /// undo: observe again and plan anew.
    Anew(Box<Failure>),
    /// The plan failed; the failure says where the data is.
    Failed(Box<Failure>),
}

/// What a performed op found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpOutcome {
    /// Nothing but that it is done.
    Plain,
    /// It is done, and something was tolerated.
    Tolerated(String),
    /// `settle`: the settled database.
    Settled(FileFacts),
    /// `check`: what will be installed, and foreign key violations and the like that v1 had
    /// already.
    Checked(FileFacts, Vec<String>),
    /// `look` at staging: whether this process holds it.
    Looked(Vec<Holder>),
    /// `look-companion`: its digest now; nothing where it is missing.
    Companion(Option<String>),
    /// `build-host`: what the host returned.
    Built {
        /// Rows expected in each table.
        expect: BTreeMap<String, u64>,
        /// For the result and the receipt.
        report: Option<Value>,
    },
}

/// How a plan ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What it amounts to as a recovery; `none` for a migration.
    pub recovery: Recovery,
    /// Whether canonical is v2 by this plan.
    pub installed: bool,
    /// The journal as it was at the end.
    pub journal: Option<Journal>,
    /// How long it waited, milliseconds.
    pub waited_ms: u64,
    /// What went less than well: the journal's warnings, or this run's where there is no journal.
    pub warnings: Vec<Warning>,
    /// Whether a clean-up failed, or the application's `undo`: what is left waits for the next
    /// start, and recovering again now would meet the same.
    pub left: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Steps,
    Undo,
}

#[derive(Debug, Clone, PartialEq)]
enum Stage {
    /// The step at `index` is to be performed, for the `tries + 1`th time.
    Ready,
    /// It was handed out.
    Performing,
    /// It waits before its next try.
    Waiting {
        delay_ms: u64,
    },
    Ended(Action),
}

/// The state machine.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one fact of the run, and they combine freely"
)]
pub struct Run {
    plan: Plan,
    journal: Option<Journal>,
    list: List,
    index: usize,
    tries: u32,
    stage: Stage,
    budget: Budget,
    events: VecDeque<Event>,
    /// The phase that is durable, or was when the run began.
    phase: Option<Phase>,
    /// Whether an op that may have changed something was handed out.
    begun: bool,
    cancelled: bool,
    staging_held: bool,
    companions: BTreeMap<CompanionName, Option<String>>,
    /// Those of a run without a journal.
    warnings: Vec<Warning>,
    /// Why it is being undone.
    failure: Option<(Failure, bool)>,
    /// What went wrong while it was being undone: then the journal stays.
    undo_failure: Option<Failure>,
    /// What the report says: a clean-up failed, or the application's undo. The journal stays.
    left: bool,
    /// Companions of which an undo step failed: the rest of theirs would act on what that step did
    /// not do.
    stuck: BTreeSet<CompanionName>,
    /// Whether a page copy failed, and canonical may be whole only with its `-journal`: what is
    /// made to undo it may not go.
    half_copied: bool,
    /// Where v1 is before the flip and after an undo: in its place, unless the plan must give it
    /// its name back (the field's two renames, and a flip that v1 changed under).
    v1_is: DataState,
}

impl Run {
    /// Begins to walk a plan with what is left of a budget of waiting.
    #[must_use]
    pub fn new(plan: Plan, budget: Budget) -> Self {
        let mut run = Self {
            journal: plan.journal.clone(),
            list: List::Steps,
            index: 0,
            tries: 0,
            stage: Stage::Ready,
            budget,
            events: VecDeque::new(),
            phase: match plan.kind {
                PlanKind::Migrate
                | PlanKind::SetAside
                | PlanKind::Restore
                | PlanKind::Prune
                | PlanKind::LeaveZombie => None,
                _ => plan.journal.as_ref().map(|journal| journal.phase),
            },
            begun: !plan.kind.begins(),
            cancelled: false,
            staging_held: false,
            companions: BTreeMap::new(),
            warnings: Vec::new(),
            failure: None,
            undo_failure: None,
            left: false,
            stuck: BTreeSet::new(),
            half_copied: false,
            v1_is: if plan.steps.iter().chain(&plan.undo).any(|step| gives_v1_back(&plan, &step.op))
            {
                DataState::FinishAtNextStart
            } else {
                DataState::V1
            },
            plan,
        };
        run.events.push_back(Event::Plan {
            kind: run.plan.kind,
            steps: u32::try_from(run.plan.steps.len()).unwrap_or(u32::MAX),
            attempt: run.journal.as_ref().map_or(1, |journal| journal.attempt),
        });
        run
    }

    /// The next event, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The journal as the run has it.
    #[must_use]
    pub fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// The plan it walks.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The budget as it is now.
    #[must_use]
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// The step that was handed out last: whether it is of `undo`, and its index.
    #[must_use]
    pub fn position(&self) -> (bool, usize) {
        (self.list == List::Undo, self.index)
    }

    /// Asks the run to stop. Honoured until the journal says `built`; after that it is refused,
    /// with a warning that says why.
    pub fn cancel(&mut self) {
        if self.cancelled {
            return;
        }
        self.cancelled = true;
        if !self.can_abort() && !matches!(self.stage, Stage::Ended(_)) {
            self.refuse_abort();
        }
    }

    /// An undo that runs is what was asked for: it says nothing.
    fn refuse_abort(&mut self) {
        if self.list == List::Steps
            && matches!(self.plan.kind, PlanKind::Migrate | PlanKind::Finish | PlanKind::Restore)
        {
            let built = if self.restores() { "the backup was copied" } else { "v2 was built" };
            self.add_warning(
                Some("ABORT_TOO_LATE"),
                format!(
                    "the request to stop came after {built}; finishing is quicker and safer than \
                     undoing"
                ),
                WarningFrom::Cutover,
            );
        }
    }

    fn can_abort(&self) -> bool {
        self.plan.kind.begins()
            && self.list == List::Steps
            && self.phase.is_none_or(|phase| phase < Phase::Built)
    }

    /// What to do now.
    pub fn poll(&mut self) -> Action {
        loop {
            match &self.stage {
                Stage::Ended(action) => return action.clone(),
                Stage::Waiting { .. } | Stage::Ready if self.cancelled && self.can_abort() => {
                    self.abort();
                }
                Stage::Waiting { delay_ms } => return Action::Wait { delay_ms: *delay_ms },
                Stage::Performing => return self.hand_out(),
                Stage::Ready => {
                    let Some(step) = self.steps().get(self.index) else {
                        self.end_of_list();
                        continue;
                    };
                    if self.skip(step) {
                        self.next();
                        continue;
                    }
                    if self.tries == 0 {
                        let event = Event::Step {
                            index: u32::try_from(self.index).unwrap_or(u32::MAX),
                            total: u32::try_from(self.steps().len()).unwrap_or(u32::MAX),
                            op: step.op.name().to_owned(),
                            file: step.op.file().map(|file| file.to_string()),
                            why: step.why.clone(),
                            undo: self.list == List::Undo,
                        };
                        self.events.push_back(event);
                    }
                    self.stage = Stage::Performing;
                    return self.hand_out();
                }
            }
        }
    }

    /// The action of the current step. Until its outcome is reported, every poll gives the same.
    fn hand_out(&mut self) -> Action {
        let Some(step) = self.steps().get(self.index) else { return Action::Wait { delay_ms: 0 } };
        let op = step.op.clone();
        self.begun |= !matches!(op, Op::Look { .. } | Op::Release {} | Op::UnlockV1 {});
        let text = match (&op, &self.journal) {
            (Op::WriteJournal { phase, .. }, Some(journal)) => {
                Some(Journal { phase: *phase, ..journal.clone() }.to_text())
            }
            (Op::WriteReceipt { .. }, Some(journal)) => {
                let started_ms = match Role::of(&journal.names.canonical, &journal.names.backup) {
                    Some(Role::Backup { started_ms, .. }) => started_ms,
                    _ => 0,
                };
                Some(journal.receipt(started_ms).to_text())
            }
            _ => None,
        };
        Action::Perform { op, text }
    }

    /// Whether this attempt's journal is yet to take over what the application did in the field's:
    /// until then the field's needs what it tells it by.
    fn takes_over(&self) -> bool {
        let Some(journal) = self.journal.as_ref().filter(|_| self.plan.kind == PlanKind::Migrate)
        else {
            return false;
        };
        let field = PlanPath::from(&legacy_journal(&journal.names.canonical));
        self.plan
            .steps
            .iter()
            .skip(self.index + 1)
            .any(|step| matches!(&step.op, Op::Remove { files } if files.contains(&field)))
    }

    fn steps(&self) -> &[Step] {
        match self.list {
            List::Steps => &self.plan.steps,
            List::Undo => &self.plan.undo,
        }
    }

    /// Whether the step is not for now: its guard says so, or it would remove the journal of what
    /// failed.
    fn skip(&self, step: &Step) -> bool {
        let journal_goes = |op: &Op| match (op, &self.journal) {
            // Without v2 beside it the field's, which may say `committed`, would be taken for one
            // whose v2 was in place.
            (Op::Remove { files }, Some(journal)) => {
                let (file, field) = (
                    journal.file(),
                    self.list == List::Undo && journal.strategy == Strategy::TwoRename,
                );
                files.iter().any(|at| {
                    at.companion.is_none()
                        && (at.name == file || (field && at.name == journal.names.staging))
                })
            }
            _ => false,
        };
        let stuck = step.op.companion().is_some_and(|name| self.stuck.contains(name));
        let stays = self.left || (self.list == List::Undo && self.undo_failure.is_some());
        if stuck || (stays && journal_goes(&step.op)) {
            return true;
        }
        let Some(guard) = &step.when else { return false };
        let entry = |name: &CompanionName| {
            self.journal.iter().flat_map(|j| &j.companions).find(|c| c.name == *name)
        };
        let staged = |name: &CompanionName| entry(name).is_some_and(|c| c.staged);
        let looked = |name: &CompanionName| self.companions.get(name);
        let changed = |name: &CompanionName| match (entry(name), looked(name)) {
            // One that is what the host staged was installed already by a start whose rename left
            // both names.
            (Some(c), Some(Some(now))) => {
                c.before.as_ref() != Some(now) && c.after.as_ref() != Some(now)
            }
            _ => false,
        };
        let missing = |name: &CompanionName| matches!((entry(name), looked(name)), (Some(c), Some(None)) if c.before.is_some());
        !match guard {
            Guard::StagingHeld {} => self.staging_held,
            Guard::StagingFree {} => !self.staging_held,
            Guard::CompanionStaged { companion } => staged(companion),
            Guard::CompanionStagedOverChange { companion } => {
                staged(companion) && changed(companion)
            }
            Guard::CompanionChanged { companion } => !staged(companion) && changed(companion),
            Guard::CompanionDiffers { companion } => {
                !staged(companion) && (changed(companion) || missing(companion))
            }
        }
    }

    fn next(&mut self) {
        self.index += 1;
        self.tries = 0;
        self.stage = Stage::Ready;
    }

    fn current(&self) -> Option<&Op> {
        self.steps().get(self.index).map(|step| &step.op)
    }

    /// The op was performed.
    pub fn handle_ok(&mut self, done: OpOutcome) {
        if self.stage != Stage::Performing {
            return;
        }
        let Some(op) = self.current().cloned() else { return };
        self.tell_of_kept(&op);
        match (&op, done) {
            (_, OpOutcome::Tolerated(message)) => {
                self.add_warning(Some("TOLERATED"), message, WarningFrom::Cutover);
            }
            (Op::Settle { file, .. }, OpOutcome::Settled(facts)) => self.settled(file, &facts),
            (Op::Check { file }, OpOutcome::Checked(facts, warnings)) => {
                if let Some(fault) =
                    self.journal.as_ref().and_then(|journal| other_page_size(journal, &facts))
                {
                    return self.handle_fault(&fault.of(file));
                }
                if let (Some(journal), Some(page1)) = (&mut self.journal, facts.page1) {
                    journal.v2 = Some(V2 {
                        file: file.clone(),
                        file_id: facts.file_id,
                        size: facts.size,
                        page1,
                    });
                }
                for warning in warnings {
                    self.add_warning(Some("V1_VIOLATION"), warning, WarningFrom::Cutover);
                }
            }
            (Op::Look { file }, OpOutcome::Looked(holders))
                if self.journal.as_ref().is_some_and(|journal| journal.names.staging == *file) =>
            {
                // On Windows whoever has it open, and may not be named, keeps it from being
                // renamed.
                self.staging_held = holders
                    .iter()
                    .any(|holder| holder.this_process || self.plan.platform == Platform::Windows);
            }
            (Op::LookCompanion { companion, .. }, OpOutcome::Companion(digest)) => {
                self.companions.insert(companion.clone(), digest);
            }
            (Op::BuildHost { .. }, OpOutcome::Built { expect, report }) => {
                if let Some(journal) = &self.journal {
                    let built = Journal { expect, report, ..journal.clone() };
                    if let Err(error) = built.to_readable_text() {
                        let message = format!(
                            "what the build returned cannot be kept in the journal: {error}"
                        );
                        return self.handle_fault(&OpError::new(OpErrorKind::Host, message));
                    }
                    self.journal = Some(built);
                }
            }
            (op, _) if gives_v1_back(&self.plan, op) => self.v1_is = DataState::V1,
            _ => {}
        }
        // The journal is durable in a phase when the directory was flushed after its rename; every
        // list of ours has the two side by side, and for an undo it is the safer reading
        // that the rename alone may have reached the disk.
        if let (Op::Rename { to, .. }, Some(journal)) = (&op, &mut self.journal)
            && *to == PlanPath::from(&journal.file())
            && self.list == List::Steps
            && let Some(phase) =
                self.plan.steps[..self.index].iter().rev().find_map(|step| match &step.op {
                    Op::WriteJournal { phase, .. } => Some(*phase),
                    _ => None,
                })
        {
            journal.phase = phase;
            self.phase = Some(phase);
            self.events.push_back(Event::Phase { phase });
            if self.cancelled && phase == Phase::Built {
                self.refuse_abort();
            }
        }
        self.next();
    }

    /// Nobody finds a file that was kept under another name unless they are told.
    fn tell_of_kept(&mut self, op: &Op) {
        let (Op::Link { from, to } | Op::Rename { from, to }) = op else { return };
        let why = self.steps().get(self.index).map(|step| step.why.clone()).unwrap_or_default();
        // Where a restore sets v2 aside is its result, not a warning.
        let code = if is_journal_aside(&from.name, &to.name) {
            "SET_ASIDE"
        } else if is_displaced(&from.name, &to.name) && !(self.restores() && to.companion.is_none())
        {
            "KEPT"
        } else {
            return;
        };
        let message = format!("{from} is kept as {to}: {why}");
        self.add_warning(Some(code), message, WarningFrom::Cutover);
    }

    fn settled(&mut self, file: &crate::names::FileName, facts: &FileFacts) {
        let Some(journal) = &mut self.journal else { return };
        if *file == journal.names.canonical
            && let Some(fingerprint) = facts.fingerprint()
        {
            let journal_mode =
                journal.v1.as_ref().map_or(crate::page1::JournalMode::Delete, |v1| v1.journal_mode);
            journal.v1 = Some(V1 { file_id: facts.file_id.clone(), fingerprint, journal_mode });
        }
    }

    /// The op was not performed.
    pub fn handle_fault(&mut self, fault: &OpError) {
        if self.stage != Stage::Performing {
            return;
        }
        let Some(op) = self.current().cloned() else { return };
        self.tries += 1;
        // A callback that stops because it was asked to is what was asked for, not a failure of the
        // application.
        if self.cancelled && self.can_abort() && fault.cause == OpErrorKind::Host {
            return self.abort();
        }
        let class = fault.class(self.plan.platform, op.is_sync());
        if class == Retry::Transient
            && let Some(delay_ms) = self.budget.next_delay_ms(self.tries)
        {
            self.events.push_back(Event::Wait {
                op: op.name().to_owned(),
                file: fault.file.as_ref().or(op.file().as_ref()).map(PlanPath::to_string),
                delay_ms,
                waited_ms: self.budget.waited_ms,
                budget_ms: self.budget.total_ms,
                reason: fault.message.clone(),
                holders: match &fault.cause {
                    OpErrorKind::Held { holders } => holders.clone(),
                    _ => Vec::new(),
                },
            });
            self.stage = Stage::Waiting { delay_ms };
            return;
        }
        let mut fault = fault.clone();
        fault.file = fault.file.or_else(|| op.file());
        let mut failure = Failure::from_fault(&fault, op.name(), class == Retry::NoSpace);
        failure.attempts = self.tries;
        failure.waited_ms = self.budget.waited_ms;
        failure.phase = self.phase;
        let anew = matches!(fault.cause, OpErrorKind::V1Changed | OpErrorKind::CompanionChanged);
        // A page copy that was begun may need SQLite's rollback, which is the next start's first
        // read; and whether v1 is still there, so that the copy of it may go, only a look
        // tells.
        let begun = matches!(op, Op::PageCopy { .. })
            && class != Retry::Transient
            && fault.cause != OpErrorKind::SecondName;
        self.half_copied |= begun;
        self.fail(failure, anew, class == Retry::Transient);
    }

    /// The wait is over.
    pub fn handle_waited(&mut self) {
        if matches!(self.stage, Stage::Waiting { .. }) {
            self.stage = Stage::Ready;
        }
    }

    fn abort(&mut self) {
        let mut failure = Failure::refusal(
            Code::Aborted,
            "the application asked to stop",
            "start again to upgrade",
        );
        failure.op = self.current().map(|op| op.name().to_owned());
        failure.phase = self.phase;
        failure.waited_ms = self.budget.waited_ms;
        self.fail(failure, false, false);
    }

    fn fail(&mut self, failure: Failure, anew: bool, transient: bool) {
        let mut failure = if self.restores() { failure.of_restore() } else { failure };
        if self.list == List::Undo {
            // The first failure is the one to report; the rest of the undo goes on, and the journal
            // stays. It stops where somebody has v1 open, since what follows would open
            // it too; where a start might still install the v2 whose companions and whose
            // application's doings come next; and in the field's cutover, whose every step goes by
            // what those before it left (but for what the application did).
            let (strategy, source) = self
                .journal
                .as_ref()
                .map(|journal| (journal.strategy, PlanPath::from(&journal.names.source)))
                .unzip();
            let given_up = |op: &Op| match strategy {
                Some(Strategy::Restore) => matches!(op, Op::RemoveLink { .. }),
                Some(Strategy::RestorePageCopy) => {
                    matches!(op, Op::Remove { files } if files.first() == source.as_ref())
                }
                _ => *op == Op::UndoHost {},
            };
            let gives_v2_up =
                self.plan.undo.iter().skip(self.index + 1).position(|step| given_up(&step.op));
            let may_install = self.phase >= Some(Phase::Built) && gives_v2_up.is_some();
            let of_legacy = strategy == Some(Strategy::TwoRename) && !is_of_host(&failure);
            let stop = may_install || of_legacy || matches!(self.current(), Some(Op::Look { .. }));
            let companion = self.current().and_then(Op::companion).cloned();
            self.stuck.extend(companion);
            if self.undo_failure.as_ref().is_none_or(is_of_host) {
                self.undo_failure = Some(failure);
            }
            if stop {
                self.end_of_list();
            } else {
                // A journal that could not be written is not renamed either.
                self.index += gives_v2_up.unwrap_or_default();
                self.next();
            }
            return;
        }
        let at = |index: Option<u32>| index.map(|index| index as usize);
        if at(self.plan.cleanup_from).is_some_and(|from| self.index >= from) {
            failure.locate(DataState::V2, self.journal.as_ref());
            let file = failure.path.as_ref().map_or_else(String::new, |path| format!("{path}: "));
            let message = format!("{file}{}; the next start cleans up", failure.reason);
            self.add_warning(Some(failure.code.as_str()), message, WarningFrom::Cutover);
            self.left = true;
            if self.current() == Some(&Op::CleanupHost {}) {
                self.next();
            } else {
                self.finish();
            }
            return;
        }
        let flipped = self.plan.kind != PlanKind::Undo
            && at(self.plan.flip_at)
                .map_or(self.plan.kind == PlanKind::Finish, |flip| self.index > flip);
        if flipped || self.half_copied {
            failure.locate(DataState::FinishAtNextStart, self.journal.as_ref());
            self.stage = Stage::Ended(if anew {
                Action::Anew(Box::new(failure))
            } else {
                Action::Failed(Box::new(failure))
            });
        } else if !self.begun || self.plan.undo.is_empty() || self.takes_over() {
            let state = if self.plan.kind.begins() { DataState::V1 } else { DataState::Unknown };
            failure.locate(state, self.journal.as_ref());
            self.stage = Stage::Ended(Action::Failed(Box::new(failure)));
        } else if self.plan.kind == PlanKind::Undo
            || self.v1_is_in_pieces()
            || (transient && self.phase >= Some(Phase::Built) && !self.restores())
        {
            // Whoever is in the way now may be gone at the next start, which goes on from here.
            failure.locate(self.v1_is, self.journal.as_ref());
            self.stage = Stage::Ended(Action::Failed(Box::new(failure)));
        } else {
            self.events.push_back(Event::Undo { reason: failure.reason.clone() });
            self.failure = Some((failure, anew));
            self.begin_undo();
        }
    }

    /// Whether v1 is a backup whose sidecars are still to be brought to it: its name alone would be
    /// given back without their rows.
    fn v1_is_in_pieces(&self) -> bool {
        let Some(journal) = &self.journal else { return false };
        let ahead = self.plan.steps.iter().skip(self.index);
        ahead.into_iter().any(
            |step| matches!(&step.op, Op::Settle { file, .. } if *file == journal.names.backup),
        )
    }

    /// A restore that failed is undone whatever the cause: the next start may be one that upgrades,
    /// and must not go on with it.
    fn restores(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.strategy.restores())
    }

    fn begin_undo(&mut self) {
        self.list = List::Undo;
        self.index = 0;
        self.tries = 0;
        self.stage = Stage::Ready;
    }

    fn end_of_list(&mut self) {
        match self.list {
            List::Steps if self.plan.kind == PlanKind::Undo => self.begin_undo(),
            List::Steps => self.finish(),
            List::Undo => {
                let undo_failure = self.undo_failure.take();
                // Everything else is undone: the next attempt keeps the state, and the application
                // is asked again.
                if let Some(failure) = undo_failure
                    .as_ref()
                    .filter(|failure| is_of_host(failure) && self.current().is_none())
                    && (self.failure.is_none() || self.plan.kind == PlanKind::Finish)
                {
                    self.add_warning(
                        Some(failure.code.as_str()),
                        failure.reason.clone(),
                        WarningFrom::Cutover,
                    );
                    self.left = true;
                    self.stage = Stage::Ended(self.report(Recovery::Undone, false));
                    return;
                }
                let (journal, v1_is) = (self.journal.as_ref(), self.v1_is);
                let action = match (self.failure.take(), undo_failure) {
                    // A recovery that could not go on, and was undone, is a recovery: the migration
                    // begins anew.
                    (Some(_), None) if self.plan.kind == PlanKind::Finish => {
                        self.report(Recovery::Undone, false)
                    }
                    (Some((mut failure, anew)), None) => {
                        failure.locate(v1_is, journal);
                        if anew {
                            Action::Anew(Box::new(failure))
                        } else {
                            Action::Failed(Box::new(failure))
                        }
                    }
                    (Some((mut failure, _)), Some(_)) => {
                        failure.locate(v1_is, journal);
                        failure.hint = format!(
                            "{}; what was begun is removed, or finished, at the next start",
                            failure.hint
                        );
                        Action::Failed(Box::new(failure))
                    }
                    (None, Some(mut failure)) => {
                        failure.locate(v1_is, journal);
                        Action::Failed(Box::new(failure))
                    }
                    (None, None) => self.report(Recovery::Undone, false),
                };
                self.stage = Stage::Ended(action);
            }
        }
    }

    fn finish(&mut self) {
        let installed = matches!(self.plan.kind, PlanKind::Migrate | PlanKind::Finish);
        self.stage = Stage::Ended(self.report(self.plan.recovery(), installed));
    }

    fn report(&self, recovery: Recovery, installed: bool) -> Action {
        let warnings = self
            .journal
            .as_ref()
            .map_or_else(|| self.warnings.clone(), |journal| journal.warnings.clone());
        Action::Done(Box::new(Report {
            recovery,
            installed,
            journal: self.journal.clone(),
            waited_ms: self.budget.waited_ms,
            warnings,
            left: self.left,
        }))
    }

    /// The host saves its state: gives the journal's text, which is to be written and flushed like
    /// any journal before the host goes on.
    ///
    /// # Errors
    /// When a start could not read it back: the state is too large, or nested too deeply. The last
    /// state stays.
    pub fn save_state(&mut self, state: Value) -> Result<String, ReadError> {
        let Some(journal) = &self.journal else {
            return Err(ReadError::Contradiction("this plan has no journal".into()));
        };
        let saved = Journal { host_state: Some(state), ..journal.clone() };
        let text = saved.to_readable_text()?;
        self.journal = Some(saved);
        Ok(text)
    }

    /// The wait before try number `tries + 1` of what the host asked for while it builds, or
    /// nothing when the budget is used up. Counts it as waited.
    pub fn next_delay_ms(&mut self, tries: u32) -> Option<u64> {
        self.budget.next_delay_ms(tries)
    }

    /// The host staged new content of a companion, with this digest. False: no such companion was
    /// declared.
    pub fn stage_companion(&mut self, name: &CompanionName, digest: String) -> bool {
        let entry = self
            .journal
            .iter_mut()
            .flat_map(|journal| &mut journal.companions)
            .find(|c| c.name == *name);
        entry.map(|companion| (companion.staged, companion.after) = (true, Some(digest))).is_some()
    }

    /// The host has something to say.
    pub fn warn(&mut self, message: String) {
        self.add_warning(None, message, WarningFrom::Host);
    }

    fn add_warning(&mut self, code: Option<&str>, message: String, from: WarningFrom) {
        let warning = Warning { from, code: code.map(str::to_owned), message };
        if let Some(journal) = &mut self.journal {
            journal.warn(warning.clone());
        } else {
            self.warnings.push(warning.clone());
        }
        self.events.push_back(Event::Warning { warning });
    }
}

/// Whether the application could not undo what it did outside the database.
fn is_of_host(failure: &Failure) -> bool {
    failure.op.as_deref() == Some(Op::UndoHost {}.name())
}

/// Whether this is the op by which the backup gets canonical's name back.
fn gives_v1_back(plan: &Plan, op: &Op) -> bool {
    matches!((op, &plan.journal), (Op::Rename { from, to } | Op::RenameNew { from, to }, Some(journal))
        if *from == PlanPath::from(&journal.names.backup) && *to == PlanPath::from(&journal.names.canonical))
}

/// v2's pages could not be copied into v1, which somebody keeps in WAL mode.
fn other_page_size(journal: &Journal, v2: &FileFacts) -> Option<OpError> {
    let (v1, header) = (&journal.v1.as_ref()?.fingerprint, v2.header.as_ref()?);
    (journal.strategy.copies_pages() && !v1.accepts_pages_of(header)).then(|| {
        let found = format!(
            "v2 has pages of {} bytes, the old database, which is open in WAL mode, has others",
            header.page_size
        );
        OpError::new(OpErrorKind::Verify, format!("{found}: keep those that staging has"))
    })
}
