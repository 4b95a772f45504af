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
//! What a run does when a step fails is the *rule of endings*, at the head of `ending.rs`.

mod carry_over;
mod ending;
mod event;
mod guard;
mod outcome;
mod retry;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Value;

pub use carry_over::CarryOver;
pub use event::Event;
pub use retry::{BUDGET_MS, Budget, DELAYS_MS};

use crate::failure::{DataState, Failure};
use crate::fault::Holder;
use crate::journal::{Journal, Phase, ReadError, Warning, WarningFrom};
use crate::names::{CompanionName, PlanPath, Role};
use crate::observe::FileFacts;
use crate::op::{Op, Step};
use crate::plan::{Plan, PlanKind, Recovery};

use ending::Cause;

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
#[non_exhaustive]
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
    failure: Option<(Failure, Cause)>,
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

    fn steps(&self) -> &[Step] {
        match self.list {
            List::Steps => &self.plan.steps,
            List::Undo => &self.plan.undo,
        }
    }

    /// Whether the plan makes a backup canonical again.
    fn restores(&self) -> bool {
        self.journal.as_ref().is_some_and(|journal| journal.strategy.restores())
    }

    fn next(&mut self) {
        self.index += 1;
        self.tries = 0;
        self.stage = Stage::Ready;
    }

    fn current(&self) -> Option<&Op> {
        self.steps().get(self.index).map(|step| &step.op)
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

/// Whether this is the op by which the backup gets canonical's name back.
fn gives_v1_back(plan: &Plan, op: &Op) -> bool {
    matches!((op, &plan.journal), (Op::Rename { from, to } | Op::RenameNew { from, to }, Some(journal))
        if *from == PlanPath::from(&journal.names.backup) && *to == PlanPath::from(&journal.names.canonical))
}
