//! Which steps of a plan are not for now.

use crate::journal::Strategy;
use crate::names::CompanionName;
use crate::op::{Guard, Op, Step};

use super::{List, Run};

impl Run {
    /// Whether the step is not for now: its guard says so, or it would remove the journal of what
    /// failed.
    pub(super) fn skip(&self, step: &Step) -> bool {
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
}
