//! Which steps of a plan a run leaves out.

use crate::journal::Strategy;
use crate::names::CompanionName;
use crate::op::{Guard, Op, Step};

use super::{List, Run};

impl Run {
    /// Whether the run leaves out a step: its guard is false, an earlier undo step of its companion
    /// failed, or it would remove the journal of a plan that failed.
    pub(super) fn skip(&self, step: &Step) -> bool {
        let journal_goes = |op: &Op| match (op, &self.journal) {
            // A legacy journal that says `committed` must not outlive its staging file: the next
            // start would conclude that v2 had been installed.
            (Op::Remove { files }, Some(journal)) => {
                let (file, legacy) = (
                    journal.file(),
                    self.list == List::Undo && journal.strategy == Strategy::TwoRename,
                );
                files.iter().any(|at| {
                    at.companion.is_none()
                        && (at.name == file || (legacy && at.name == journal.names.staging))
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
            // A companion that has the staged content was installed by an earlier start, whose
            // rename left both names.
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
}
