//! Companions: comparing, installing and putting back the files that change with the database.

use crate::journal::{Companion, Journal};
use crate::names::{
    FileName, Nonce, PlanPath, Role, companion_backup_name, companion_backup_tmp_name,
    companion_staged_name, displaced_name,
};
use crate::observe::Observation;
use crate::op::{Guard, Op, Step};
use crate::plan::step;

/// The names of one companion, in its own directory.
pub(crate) struct CompanionNames {
    pub file: PlanPath,
    pub backup: PlanPath,
    pub backup_tmp: PlanPath,
    pub staged: PlanPath,
    pub displaced: PlanPath,
}

pub(crate) fn companion_names(journal: &Journal, companion: &Companion) -> CompanionNames {
    let at = |name: FileName| PlanPath { companion: Some(companion.name.clone()), name };
    let (label, nonce) = (&journal.label, &journal.nonce);
    CompanionNames {
        backup: at(companion_backup_name(&companion.file, label, nonce)),
        backup_tmp: at(companion_backup_tmp_name(&companion.file, label, nonce)),
        staged: at(companion_staged_name(&companion.file, nonce)),
        displaced: at(displaced_name(&companion.file, nonce)),
        file: at(companion.file.clone()),
    }
}

/// The backup of a companion that a restore puts back: its name has the nonce of the upgrade that
/// made it.
pub(crate) fn kept_with_backup(journal: &Journal, companion: &Companion) -> Option<PlanPath> {
    let Some(Role::Backup { label, nonce, .. }) =
        Role::of(&journal.names.canonical, &journal.names.backup)
    else {
        return None;
    };
    Some(PlanPath {
        companion: Some(companion.name.clone()),
        name: companion_backup_name(&companion.file, &label, &nonce),
    })
}

/// Whether new content of this companion waits to be installed.
pub(crate) fn is_staged(observation: &Observation, nonce: &Nonce, companion: &Companion) -> bool {
    let staged = companion_staged_name(&companion.file, nonce);
    observation.companions.get(&companion.name).is_some_and(|seen| seen.present.contains(&staged))
}

/// Whether an interrupted start has kept a displaced companion already.
pub(crate) fn is_kept(observation: &Observation, nonce: &Nonce, companion: &Companion) -> bool {
    let displaced = displaced_name(&companion.file, nonce);
    observation
        .companions
        .get(&companion.name)
        .is_some_and(|seen| seen.present.contains(&displaced))
}

/// Before the flip: a companion that a program changed would be replaced by content that was made
/// without the change.
pub(crate) fn compare_companions(journal: &Journal) -> impl Iterator<Item = Step> {
    journal.companions.iter().map(|companion| Step {
        op: Op::LookCompanion {
            companion: companion.name.clone(),
            file: companion.file.clone(),
            must_be_same: true,
        },
        why: "the application made the new content from the companion as it was when the build \
              began"
            .into(),
        when: Some(Guard::CompanionStaged { companion: companion.name.clone() }),
    })
}

/// Which companions. (No generic: the module for browsers would have it once for each caller.)
pub(crate) type Which<'a> = &'a dyn Fn(&Companion) -> bool;

/// Installs the companions that the host staged. `present`: whether the staged file is there, or
/// will be. `kept`: see [`is_kept`].
pub(crate) fn install_companions(journal: &Journal, present: Which, kept: Which) -> Vec<Step> {
    let mut steps = Vec::new();
    for companion in journal.companions.iter().filter(|companion| present(companion)) {
        let names = companion_names(journal, companion);
        let name = companion.name.clone();
        let staged = || Some(Guard::CompanionStaged { companion: name.clone() });
        steps.push(Step {
            op: Op::LookCompanion {
                companion: name.clone(),
                file: companion.file.clone(),
                must_be_same: false,
            },
            why: "if a program changed the companion since the build began, that content is kept \
                  as well"
                .into(),
            when: staged(),
        });
        steps.extend(set_aside(
            journal,
            &names,
            kept(companion),
            Some(Guard::CompanionStagedOverChange { companion: name.clone() }),
        ));
        steps.extend([
            Step {
                op: Op::Rename { from: names.staged, to: names.file },
                why: "one rename installs the new companion, after the database".into(),
                when: staged(),
            },
            Step {
                op: Op::SyncDir { companion: Some(name.clone()) },
                why: "the new companion must be durable before the journal says `committed`".into(),
                when: staged(),
            },
        ]);
    }
    steps
}

/// Keeps the companion that is there under its displaced name. Where an interrupted start has kept
/// one already, that name is taken, and a hard link would fail at every start; the newest content
/// is the one to keep. Where canonical cannot be linked, a companion may not be either.
pub(crate) fn set_aside(
    journal: &Journal,
    names: &CompanionNames,
    kept: bool,
    when: Option<Guard>,
) -> [Step; 2] {
    let (from, to) = (names.file.clone(), names.displaced.clone());
    let flush = Op::SyncDir { companion: from.companion.clone() };
    let renames = kept || journal.strategy.copies_pages();
    let op = if renames { Op::Rename { from, to } } else { Op::Link { from, to } };
    [
        Step {
            op,
            why: "a companion that is replaced is kept, not removed".into(),
            when: when.clone(),
        },
        Step {
            op: flush,
            why: "its displaced name must be durable before another file gets the companion's name"
                .into(),
            when,
        },
    ]
}

/// Puts back the companions that the host wrote in place; what they displace is kept. `backed_up`:
/// whether the companion's backup is there. `kept`: see [`is_kept`].
pub(crate) fn undo_companions(journal: &Journal, backed_up: Which, kept: Which) -> Vec<Step> {
    let mut steps = Vec::new();
    for companion in &journal.companions {
        let names = companion_names(journal, companion);
        let name = companion.name.clone();
        let changed = || Some(Guard::CompanionChanged { companion: name.clone() });
        let differs = || Some(Guard::CompanionDiffers { companion: name.clone() });
        steps.push(step(
            Op::LookCompanion {
                companion: name.clone(),
                file: companion.file.clone(),
                must_be_same: false,
            },
            "only a companion that was changed in place is put back",
        ));
        if companion.before.is_none() {
            steps.push(Step {
                op: Op::Rename { from: names.file, to: names.displaced },
                why: "there was no companion before the upgrade; the one that is there is kept \
                      under its displaced name"
                    .into(),
                when: changed(),
            });
        } else if backed_up(companion) {
            steps.extend(set_aside(journal, &names, kept(companion), changed()));
            steps.push(Step {
                op: Op::Rename { from: names.backup.clone(), to: names.file },
                why: "the companion's backup gets its name back, so that it matches v1 again"
                    .into(),
                when: differs(),
            });
        }
        steps.push(step(
            Op::SyncDir { companion: Some(name.clone()) },
            "the companion must be back for good before its backup is removed",
        ));
        steps.push(step(
            Op::Remove { files: vec![names.staged, names.backup_tmp, names.backup] },
            "the companion's temporary files and its backup are no longer needed",
        ));
        steps.push(step(
            Op::SyncDir { companion: Some(name) },
            "the files must be gone for good before the journal is removed",
        ));
    }
    steps
}
