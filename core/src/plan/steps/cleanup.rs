//! What follows the commit.

use super::companions::companion_names;
use super::journal::{remove_journal, tmp};
use crate::fault::Platform;
use crate::journal::Journal;
use crate::names::{FileName, PlanPath};
use crate::op::{Op, Step};
use crate::plan::{flush, step};

/// The index of the step from which on a failure is a warning. `installed` is the first step behind
/// those that make v2 canonical, `committed` the first behind the commit.
///
/// If v2 is in place, durably, the next start can commit it as well. Not on Windows: there a
/// recovery may put v1 back as long as the journal says `built`, so the application is not told of
/// v2 before the journal says `committed`. (v2 itself would not show that it was used: a commit in
/// WAL mode need not change its size or first page, and the digest leaves out what other commits
/// change.)
pub(crate) fn cleanup_index(platform: Platform, installed: usize, committed: usize) -> usize {
    if platform == Platform::Windows { committed } else { installed }
}

/// Every temporary file of this attempt in the database's directory.
pub(crate) fn temporary(journal: &Journal) -> Vec<PlanPath> {
    let names = &journal.names;
    [&names.source, &names.staging, &names.install]
        .into_iter()
        .flat_map(FileName::set)
        .chain([tmp(journal)])
        .map(|name| PlanPath::from(&name))
        .collect()
}

/// Cleans up after the commit; the journal is removed last.
pub(crate) fn clean_up(journal: &Journal, temporaries: bool) -> Vec<Step> {
    let mut steps = vec![step(
        Op::CleanupHost {},
        "v2 is installed, so the application may remove what it kept for an undo",
    )];
    if temporaries {
        steps.push(step(
            Op::Remove { files: temporary(journal) },
            "v2 and the backup stay; the temporary files are no longer needed",
        ));
        for companion in &journal.companions {
            let names = companion_names(journal, companion);
            steps.push(step(
                Op::Remove { files: vec![names.staged, names.backup_tmp] },
                "the companion's temporary files are no longer needed",
            ));
            steps.push(step(
                Op::SyncDir { companion: Some(companion.name.clone()) },
                "the files must be gone for good before the journal is removed",
            ));
        }
        steps.push(flush("the files must be gone for good before the journal is removed"));
    }
    steps.extend(remove_journal(journal));
    steps
}
