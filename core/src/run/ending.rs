//! The rule of endings: what a run does when a step fails. [`ending`] is the rule, one `match`.
//!
//! | where the step stands | what failed | what the run does |
//! | --- | --- | --- |
//! | nothing is to be undone | anything | it fails |
//! | before the journal says `built` | anything | it undoes the plan |
//! | in a restore, before the flip | anything | it undoes the plan |
//! | from `built` to the flip | v1 changed, or waiting does not help | it undoes the plan |
//! | from `built` to the flip | a file is in use | it fails; the next start goes on |
//! | in a recovery that only a start can end | anything | it fails; the next start goes on |
//! | behind the flip | v1 changed | it ends; the recovery that follows puts v1 back |
//! | behind the flip | anything else | it fails; the next start finishes |
//! | from `cleanup_from` on | the application's `cleanup` | it warns, and goes on |
//! | from `cleanup_from` on | anything else | it warns, and ends well |
//! | in the undo, where going on could cost data | anything | it stops the undo, and fails |
//! | in the undo, elsewhere | anything | it goes on with the undo, and fails at its end |
//!
//! After the flip a run never undoes its plan. A cancellation is honoured only before the journal
//! says `built`, and then it undoes the plan as a failure does.
//!
//! A page copy that was begun counts as behind the flip: the next start opens canonical through
//! SQLite, and sees which database it is.
//!
//! The undo could cost data, and stops, in three places. A later start might still install v2,
//! because v2's file could not be removed for good. A process has v1 open, and the next steps would
//! open v1 too. A legacy journal is undone, and the next steps rely on the failed one; only a
//! failure of the application's own `undo` does not stop it.

use crate::failure::{Code, DataState, Failure};
use crate::journal::{Phase, Strategy, WarningFrom};
use crate::names::{PlanPath, legacy_journal_name};
use crate::op::Op;
use crate::plan::{PlanKind, Recovery};

use super::{Action, Event, List, Report, Run, Stage};

/// Where a plan stands when one of its steps fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Position {
    /// No step changed anything, the plan has no undo, or the legacy journal still holds what this
    /// attempt will take over.
    NothingToUndo {
        /// Where the data is.
        data: DataState,
    },
    /// Before the flip, and the plan can be undone whatever fails: the journal does not say `built`
    /// yet, or a restore is under way. A failed restore is always undone, because an upgrade that
    /// starts next must not go on with it.
    Undoable,
    /// Before the flip of an upgrade whose v2 is complete.
    Built {
        /// Where v1 is.
        v1: DataState,
    },
    /// In the steps of a recovery that undoes, or while v1's sidecars are away from v1.
    OnlyNextStart {
        /// Where v1 is.
        v1: DataState,
    },
    /// Behind the flip, or in a page copy that was begun.
    Flipped,
    /// At `cleanup_from` or behind it: v2 is canonical, durably.
    CleanUp {
        /// Whether the step is the application's `cleanup`.
        of_host: bool,
    },
    /// In the undo.
    Undo {
        /// Whether going on could cost data.
        may_cost_data: bool,
        /// How many steps to leave out: those before the step that removes v2. A journal that could
        /// not be written is not renamed either.
        leave_out: usize,
    },
}

/// What failed, as far as the ending depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// v1 or a companion changed under the plan.
    Changed,
    /// A file is in use, and the budget of waiting is spent.
    InUse,
    /// Waiting does not help.
    Permanent,
}

/// What the run does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It ends as failed, and the data is there.
    Fail(DataState),
    /// It ends, and the caller observes again and plans anew.
    Anew(DataState),
    /// It performs the undo.
    Undo,
    /// It warns, and goes on behind the failed step.
    WarnAndGoOn,
    /// It warns, and ends well.
    WarnAndFinish,
    /// It goes on with the undo, without this many steps behind the failed one.
    GoOnUndoing(usize),
    /// It ends the undo here.
    StopUndoing,
}

/// The rule of endings.
pub(super) fn ending(at: Position, cause: Cause) -> Ending {
    match (at, cause) {
        (Position::NothingToUndo { data }, _) => Ending::Fail(data),
        (Position::Undoable, _) | (Position::Built { .. }, Cause::Changed | Cause::Permanent) => {
            Ending::Undo
        }
        (Position::Built { v1 }, Cause::InUse) | (Position::OnlyNextStart { v1 }, _) => {
            Ending::Fail(v1)
        }
        (Position::Flipped, Cause::Changed) => Ending::Anew(DataState::FinishAtNextStart),
        (Position::Flipped, Cause::InUse | Cause::Permanent) => {
            Ending::Fail(DataState::FinishAtNextStart)
        }
        (Position::CleanUp { of_host: true }, _) => Ending::WarnAndGoOn,
        (Position::CleanUp { of_host: false }, _) => Ending::WarnAndFinish,
        (Position::Undo { may_cost_data: true, .. }, _) => Ending::StopUndoing,
        (Position::Undo { may_cost_data: false, leave_out }, _) => Ending::GoOnUndoing(leave_out),
    }
}

impl Run {
    /// Ends a plan that the application asked to stop.
    pub(super) fn abort(&mut self) {
        let mut failure = Failure::refusal(
            Code::Aborted,
            "the application asked to stop",
            "start again to upgrade",
        );
        failure.op = self.current().map(|op| op.name().to_owned());
        failure.phase = self.phase;
        failure.waited_ms = self.budget.waited_ms;
        self.fail(failure, Cause::Permanent);
    }

    /// Does what the rule of endings says of this failure.
    pub(super) fn fail(&mut self, failure: Failure, cause: Cause) {
        let mut failure = match self.plan.kind {
            _ if self.restores() => failure.of_restore(),
            PlanKind::Adopt => {
                let looked = self.plan.steps.first().and_then(|step| step.op.file());
                failure.of_adoption(looked.as_ref().map(|at| &at.name))
            }
            _ => failure,
        };
        match ending(self.stands_at(), cause) {
            Ending::Fail(data) => {
                failure.locate(data, self.journal.as_ref());
                self.stage = Stage::Ended(Action::Failed(Box::new(failure)));
            }
            Ending::Anew(data) => {
                failure.locate(data, self.journal.as_ref());
                self.stage = Stage::Ended(Action::Anew(Box::new(failure)));
            }
            Ending::Undo => {
                self.events.push_back(Event::Undo { reason: failure.reason.clone() });
                self.failure = Some((failure, cause));
                self.begin_undo();
            }
            Ending::WarnAndGoOn => {
                self.warn_of_clean_up(&failure);
                self.next();
            }
            Ending::WarnAndFinish => {
                self.warn_of_clean_up(&failure);
                self.finish();
            }
            Ending::GoOnUndoing(leave_out) => {
                self.keep_undo_failure(failure);
                self.index += leave_out;
                self.next();
            }
            Ending::StopUndoing => {
                self.keep_undo_failure(failure);
                self.end_of_list();
            }
        }
    }

    /// Where the current step stands.
    fn stands_at(&self) -> Position {
        let at = |index: Option<u32>| index.map(|index| index as usize);
        let kind = self.plan.kind;
        if self.list == List::Undo {
            return self.stands_in_undo();
        }
        if at(self.plan.cleanup_from).is_some_and(|from| self.index >= from) {
            return Position::CleanUp { of_host: self.current() == Some(&Op::CleanupHost {}) };
        }
        let flipped = kind != PlanKind::Undo
            && at(self.plan.flip_at).map_or(kind == PlanKind::Finish, |flip| self.index > flip);
        if flipped && kind == PlanKind::Adopt {
            // The copy has the backup's name. The next adoption writes the receipt.
            Position::NothingToUndo { data: DataState::Unknown }
        } else if flipped || self.half_copied {
            Position::Flipped
        } else if !self.begun || self.plan.undo.is_empty() || self.takes_over() {
            let data = if kind.begins() { DataState::V1 } else { DataState::Unknown };
            Position::NothingToUndo { data }
        } else if kind == PlanKind::Undo || self.v1_is_in_pieces() {
            Position::OnlyNextStart { v1: self.v1_is }
        } else if self.phase >= Some(Phase::Built) && !self.restores() {
            Position::Built { v1: self.v1_is }
        } else {
            Position::Undoable
        }
    }

    fn stands_in_undo(&self) -> Position {
        let (strategy, source) = self
            .journal
            .as_ref()
            .map(|journal| (journal.strategy, PlanPath::from(&journal.names.source)))
            .unzip();
        // Once v2's file is away, no start installs it. Of an upgrade, the application's `undo`
        // follows.
        let discards_v2 = |op: &Op| match strategy {
            Some(Strategy::Restore) => matches!(op, Op::RemoveLink { .. }),
            Some(Strategy::RestorePageCopy) => {
                matches!(op, Op::Remove { files } if files.first() == source.as_ref())
            }
            _ => *op == Op::UndoHost {},
        };
        let ahead = self.plan.undo.iter().skip(self.index + 1);
        let until_discarded = ahead.into_iter().position(|step| discards_v2(&step.op));
        let may_install = self.phase >= Some(Phase::Built) && until_discarded.is_some();
        let (is_look, is_host) = match self.current() {
            Some(Op::Look { .. }) => (true, false),
            Some(Op::UndoHost {}) => (false, true),
            _ => (false, false),
        };
        let of_legacy = strategy == Some(Strategy::TwoRename) && !is_host;
        Position::Undo {
            may_cost_data: may_install || of_legacy || is_look,
            leave_out: until_discarded.unwrap_or_default(),
        }
    }

    /// The first failure of the undo is reported; one of the application's gives way to another.
    fn keep_undo_failure(&mut self, failure: Failure) {
        let companion = self.current().and_then(Op::companion).cloned();
        self.stuck.extend(companion);
        if self.undo_failure.as_ref().is_none_or(is_of_host) {
            self.undo_failure = Some(failure);
        }
    }

    fn warn_of_clean_up(&mut self, failure: &Failure) {
        let then = if self.plan.kind == PlanKind::Adopt {
            "the adopted backup has all its rows, so it may be removed"
        } else {
            "the next start cleans up"
        };
        let path = |path: &String| match PlanPath::try_from(path.clone()) {
            Ok(at) => format!("{}: ", self.path_of(&at)),
            Err(_) => format!("{path}: "),
        };
        let file = failure.path.as_ref().map_or_else(String::new, path);
        let message = format!("{file}{}; {then}", failure.reason);
        self.add_warning(Some(failure.code.as_str()), message, WarningFrom::Cutover);
        self.left = true;
    }

    /// Whether this attempt's journal has yet to take over the pending `undo` of a legacy journal.
    /// Until then the legacy journal needs what it refers to.
    fn takes_over(&self) -> bool {
        let Some(journal) = self.journal.as_ref().filter(|_| self.plan.kind == PlanKind::Migrate)
        else {
            return false;
        };
        let legacy = PlanPath::from(&legacy_journal_name(&journal.names.canonical));
        self.plan
            .steps
            .iter()
            .skip(self.index + 1)
            .any(|step| matches!(&step.op, Op::Remove { files } if files.contains(&legacy)))
    }

    /// Whether v1 is a backup whose sidecars are still to be moved to it. An undo would give v1 its
    /// name back without the rows in them.
    fn v1_is_in_pieces(&self) -> bool {
        let Some(journal) = &self.journal else { return false };
        let ahead = self.plan.steps.iter().skip(self.index);
        ahead.into_iter().any(
            |step| matches!(&step.op, Op::Settle { file, .. } if *file == journal.names.backup),
        )
    }

    fn begin_undo(&mut self) {
        self.list = List::Undo;
        self.index = 0;
        self.tries = 0;
        self.stage = Stage::Ready;
        for warning in std::mem::take(&mut self.of_undo) {
            if let Some(journal) = &mut self.journal {
                journal.warn(warning.clone());
            }
            self.events.push_back(Event::Warning { warning });
        }
    }

    /// Ends the list of steps that was walked, or stopped.
    pub(super) fn end_of_list(&mut self) {
        match self.list {
            List::Steps if self.plan.kind == PlanKind::Undo => self.begin_undo(),
            List::Steps => self.finish(),
            List::Undo => self.end_of_undo(),
        }
    }

    fn end_of_undo(&mut self) {
        let undo_failure = self.undo_failure.take();
        // Only the application's `undo` failed: the next attempt keeps the application's state, and
        // calls `undo` again.
        if let Some(failure) =
            undo_failure.as_ref().filter(|failure| is_of_host(failure) && self.current().is_none())
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
            (None, None) => self.report(Recovery::Undone, false),
            // A recovery that could not go on, and was undone, is a recovery: the migration begins
            // anew.
            (Some(_), None) if self.plan.kind == PlanKind::Finish => {
                self.report(Recovery::Undone, false)
            }
            (Some((mut failure, cause)), None) => {
                failure.locate(v1_is, journal);
                if cause == Cause::Changed {
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
        };
        self.stage = Stage::Ended(action);
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
}

/// Whether the application could not undo what it did outside the database.
fn is_of_host(failure: &Failure) -> bool {
    failure.op.as_deref() == Some(Op::UndoHost {}.name())
}
