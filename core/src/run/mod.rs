//! The state machine that walks a plan. It performs no op itself: it hands actions to a driver, and
//! the driver reports what happened.
//!
//! A driver calls, in this order:
//! 1. [`Run::new`];
//! 2. [`Run::poll_event`], until there is no event;
//! 3. [`Run::poll`], and then it does what the [`Action`] says:
//!    * it performs the op, and calls [`Run::handle_ok`] or [`Run::handle_fault`];
//!    * or it releases handles, waits, and calls [`Run::handle_waited`];
//!    * or it stops, because the plan has ended;
//! 4. again from 2.
//!
//! A driver may call [`Run::cancel`] at any time. While the application builds it may call
//! [`Run::save_state`], [`Run::stage_companion`] and [`Run::warn`].
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
use crate::plan::{Plan, PlanKind, Recovery, is_of_irreplaceable};

use ending::Cause;

/// What a driver does next.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Perform this op, and report the outcome.
    Perform {
        /// What to do.
        op: Op,
        /// The text to write, for `write-journal` and `write-receipt`.
        text: Option<String>,
    },
    /// Release handles, wait, and report that the wait is over.
    Wait {
        /// Milliseconds.
        delay_ms: u64,
    },
    /// The plan ended well.
    Done(Box<Report>),
    /// v1 changed under the plan: observe again, and plan anew. The run has undone the plan; behind
    /// the flip the recovery that follows undoes it.
    Anew(Box<Failure>),
    /// The plan failed. The failure says where the data is.
    Failed(Box<Failure>),
}

/// What a driver reports of an op that it performed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpOutcome {
    /// The op is done.
    Plain,
    /// The op is done, and the runner tolerated the problem that the text names.
    Tolerated(String),
    /// `settle`: the settled database.
    Settled(FileFacts),
    /// `check`: the file that will be installed, and the problems that v1 had already, such as
    /// violations of foreign keys.
    Checked(FileFacts, Vec<String>),
    /// `check-pages`: what is wrong in sound pages of v1, and what stock SQLite cannot read.
    Examined(Vec<String>),
    /// `look` at staging: the processes that hold it.
    Looked(Vec<Holder>),
    /// `look-companion`: the companion's digest; nothing where the companion is missing.
    Companion(Option<String>),
    /// `build-host`: what the application's build returned.
    Built {
        /// The rows that each table must have.
        expect: BTreeMap<String, u64>,
        /// The application's report, for the result and the receipt.
        report: Option<Value>,
    },
}

/// How a plan ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// Which recovery the plan was; `none` for a migration.
    pub recovery: Recovery,
    /// Whether this plan made v2 canonical.
    pub installed: bool,
    /// The journal at the end.
    pub journal: Option<Journal>,
    /// How long the run waited, in milliseconds.
    pub waited_ms: u64,
    /// The journal's warnings, or the run's own where the plan has no journal.
    pub warnings: Vec<Warning>,
    /// Whether a clean-up or the application's `undo` failed. The next start does the rest; a
    /// second recovery now would fail again.
    pub left: bool,
}

/// Where the files of a plan are: what stands before a bare name in a path, by companion; nothing
/// for the database's directory. Only warnings have these paths.
pub type Places = BTreeMap<Option<CompanionName>, String>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Steps,
    Undo,
}

#[derive(Debug, Clone, PartialEq)]
enum Stage {
    /// The step at `index` is to be performed, for the `tries + 1`th time.
    Ready,
    /// The driver performs the step.
    Performing,
    /// The driver waits before the next try.
    Waiting {
        delay_ms: u64,
    },
    Ended(Action),
}

/// The state machine that walks one plan.
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
    /// The phase of the journal that is durable.
    phase: Option<Phase>,
    /// Whether the run handed out an op that may change a file.
    begun: bool,
    cancelled: bool,
    staging_held: bool,
    companions: BTreeMap<CompanionName, Option<String>>,
    /// The warnings of a run without a journal.
    warnings: Vec<Warning>,
    /// Warnings that are true only if the run undoes the plan.
    of_undo: Vec<Warning>,
    /// Where the files are, for warnings.
    places: Places,
    /// Why the run undoes the plan.
    failure: Option<(Failure, Cause)>,
    /// The failure of an undo step. The journal then stays.
    undo_failure: Option<Failure>,
    /// Whether a clean-up or the application's `undo` failed. The journal then stays.
    left: bool,
    /// Companions with an undo step that failed. The run leaves out their other undo steps, which
    /// rely on the failed one.
    stuck: BTreeSet<CompanionName>,
    /// Whether a page copy failed, so that canonical may be whole only with its rollback journal.
    /// The copy of v1 must stay.
    half_copied: bool,
    /// Where v1 is before the flip and after an undo. It is canonical, unless the plan must give v1
    /// its name back: after the legacy daemon's first rename, and after a flip while v1 changed.
    v1_is: DataState,
}

impl Run {
    /// Begins to walk a plan. `budget` bounds the waits.
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
            phase: match plan.recovery() {
                Recovery::None => None,
                _ => plan.journal.as_ref().map(|journal| journal.phase),
            },
            begun: !(plan.kind.begins() || plan.kind == PlanKind::Adopt),
            cancelled: false,
            staging_held: false,
            companions: BTreeMap::new(),
            warnings: Vec::new(),
            of_undo: Vec::new(),
            places: Places::new(),
            failure: None,
            undo_failure: None,
            left: false,
            stuck: BTreeSet::new(),
            half_copied: false,
            v1_is: if plan.kind == PlanKind::Adopt {
                DataState::Unknown
            } else if plan.steps.iter().chain(&plan.undo).any(|step| gives_v1_back(&plan, &step.op))
            {
                DataState::FinishAtNextStart
            } else {
                DataState::V1
            },
            plan,
        };
        // A plan that may still finish replaces no companion that was written in place; its undo would.
        if let Some(journal) = run.journal.as_mut().filter(|_| run.plan.flip_at.is_some()) {
            (run.of_undo, journal.warnings) =
                std::mem::take(&mut journal.warnings).into_iter().partition(is_of_irreplaceable);
        }
        run.events.push_back(Event::Plan {
            kind: run.plan.kind,
            steps: u32::try_from(run.plan.steps.len()).unwrap_or(u32::MAX),
            attempt: run.journal.as_ref().map_or(1, |journal| journal.attempt),
        });
        run
    }

    /// Makes the warnings of this run name whole paths.
    #[must_use]
    pub fn in_places(mut self, places: Places) -> Self {
        self.places = places;
        self
    }

    /// The path of a file, as a warning names it.
    fn path_of(&self, at: &PlanPath) -> String {
        let before = self.places.get(&at.companion);
        before.map_or_else(|| at.to_string(), |before| format!("{before}{}", at.name))
    }

    /// The next event, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The run's current journal.
    #[must_use]
    pub fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// The plan that the run walks.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What is used of the budget so far.
    #[must_use]
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// The step that the run handed out last: whether it is one of `undo`, and its index.
    #[must_use]
    pub fn position(&self) -> (bool, usize) {
        (self.list == List::Undo, self.index)
    }

    /// Asks the run to stop. The run does so until the journal says `built`. After that it goes on,
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

    /// Warns that the request came too late. A run that undoes the plan already does not warn.
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

    /// Whether a request to stop is honoured now: v2 is not built yet, and nothing is undone.
    #[must_use]
    pub fn can_abort(&self) -> bool {
        self.plan.kind.begins()
            && self.list == List::Steps
            && self.phase.is_none_or(|phase| phase < Phase::Built)
    }

    /// The next action.
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
                            op: (&step.op).into(),
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

    /// The action of the current step. Every poll gives this action until the driver reports its
    /// outcome.
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

    /// Saves the application's state in the journal. The driver must write and flush the text that
    /// this returns, as it does with any journal, before the application goes on.
    ///
    /// # Errors
    /// When a start could not read the state back: it is too large, or nested too deeply. The run
    /// then keeps the state before it.
    pub fn save_state(&mut self, state: Value) -> Result<String, ReadError> {
        let Some(journal) = &self.journal else {
            return Err(ReadError::contradiction("this plan has no journal"));
        };
        let saved = Journal { host_state: Some(state), ..journal.clone() };
        let text = saved.to_readable_text()?;
        self.journal = Some(saved);
        Ok(text)
    }

    /// The wait before try number `tries + 1` of an operation that the application asked for while
    /// it builds. Nothing when the budget is used up. Counts the wait as used.
    pub fn next_delay_ms(&mut self, tries: u32) -> Option<u64> {
        self.budget.next_delay_ms(tries)
    }

    /// Counts the waits of a query of the application, which began with this run's budget.
    pub fn count_waits(&mut self, of_query: Budget) {
        self.budget.waited_ms = self.budget.waited_ms.max(of_query.waited_ms);
    }

    /// Notes that the application staged new content of a companion, with this digest. False where
    /// the application declared no such companion.
    pub fn stage_companion(&mut self, name: &CompanionName, digest: String) -> bool {
        let entry = self
            .journal
            .iter_mut()
            .flat_map(|journal| &mut journal.companions)
            .find(|c| c.name == *name);
        entry.map(|companion| (companion.staged, companion.after) = (true, Some(digest))).is_some()
    }

    /// Adds a warning of the application.
    pub fn warn(&mut self, message: String) {
        self.add_warning(None, message, WarningFrom::Host);
    }

    /// Adds a warning about what the runner performed, with its stable word.
    pub fn warn_of(&mut self, code: &str, message: String) {
        self.add_warning(Some(code), message, WarningFrom::Cutover);
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

/// Whether this op gives the backup canonical's name back.
fn gives_v1_back(plan: &Plan, op: &Op) -> bool {
    matches!((op, &plan.journal), (Op::Rename { from, to } | Op::RenameNew { from, to }, Some(journal))
        if *from == PlanPath::from(&journal.names.backup) && *to == PlanPath::from(&journal.names.canonical))
}
