//! Any directory: whatever files, journals and verdicts a start finds, and whatever step of the
//! recovery fails, no file that may hold the user's rows loses its last name.

use std::collections::BTreeMap;

use cutover_core::{
    Action, Budget, FileFacts, FileName, JournalMode, Observation, Op, OpError, OpOutcome, Phase,
    Plan, PlanPath, Role, Run, Step, Strategy as Flip, Verdict, legacy_journal_name, plan_recovery,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use cutover_world::{
    Performed, Trace, auth, canonical, database, directory, drive, fine, journal, label, line,
    name, new_nonce, our_journal, our_names, permanent, plain, put_journal, transient, v1,
    with_auth, with_companion,
};

/// The names of a directory with their inodes: a file system that can rename and remove.
struct Names(BTreeMap<PlanPath, String>);

impl Names {
    fn of(seen: &Observation) -> Self {
        let mut names: BTreeMap<PlanPath, String> = seen
            .files
            .iter()
            .map(|(name, facts)| (PlanPath::from(name), facts.file_id.clone()))
            .collect();
        for (companion, facts) in &seen.companions {
            for file in &facts.present {
                names.insert(
                    PlanPath { companion: Some(companion.clone()), name: file.clone() },
                    format!("companion {file}"),
                );
            }
        }
        Self(names)
    }

    fn perform(&mut self, op: &Op) -> Result<OpOutcome, OpError> {
        match op {
            Op::Rename { from, to } => {
                let inode = self.0.remove(from).ok_or_else(permanent)?;
                self.0.insert(to.clone(), inode);
            }
            Op::Link { from, to } => {
                let inode = self.0.get(from).cloned().ok_or_else(permanent)?;
                if self.0.get(to).is_some_and(|there| *there != inode) {
                    return Err(permanent());
                }
                self.0.insert(to.clone(), inode);
            }
            Op::Remove { files } => files.iter().for_each(|file| drop(self.0.remove(file))),
            Op::RemoveLink { link, of }
                if self.inode(link).is_some() && self.inode(link) == self.inode(of) =>
            {
                self.0.remove(&PlanPath::from(link));
            }
            Op::Copy { to, .. } => self.create(to.clone())?,
            Op::Restage { to, .. } => self.create(PlanPath::from(to))?,
            Op::WriteJournal { file, .. } | Op::WriteReceipt { file } => {
                self.create(PlanPath::from(file))?;
            }
            Op::Settle { file, .. } | Op::Check { file } | Op::Detect { file }
                if self.inode(file).is_none() =>
            {
                return Err(permanent());
            }
            _ => {}
        }
        Ok(fine(op))
    }

    fn create(&mut self, file: PlanPath) -> Result<(), OpError> {
        if self.0.contains_key(&file) {
            return Err(permanent());
        }
        self.0.insert(file, "new".into());
        Ok(())
    }

    fn inode(&self, name: &FileName) -> Option<&String> {
        self.0.get(&PlanPath::from(name))
    }

    fn has(&self, inode: &str) -> bool {
        self.0.values().any(|there| there == inode)
    }
}

fn journal_text() -> impl Strategy<Value = Option<String>> {
    let ours = (
        select(vec![Phase::Building, Phase::Built, Phase::Installing, Phase::Committed]),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(phase, companion, staging)| {
            let mut journal =
                if companion { with_companion(journal(phase), staging) } else { journal(phase) };
            if staging && let Some(v2) = &mut journal.v2 {
                v2.file = our_names().staging;
            }
            Some(journal.to_text())
        });
    prop_oneof![4 => ours, 1 => Just(Some("{\"version\":2".to_owned())), 1 => Just(None)]
}

fn legacy_text() -> impl Strategy<Value = Option<String>> {
    let legacy = (select(vec!["building", "built", "canonical-moved", "committed"]), any::<bool>()).prop_map(|(phase, existed)| {
        let path = |file: &str| format!("/home/u/app/{file}");
        Some(
            serde_json::json!({
                "version": 1, "source": path("data.db"), "normalizedSource": path("data.db.source-3fa9c1d2"),
                "staging": path("data.db.building-3fa9c1d2"), "backup": path("data.db.v1-v2-1782718800000-3fa9c1d2"),
                "authPath": path("auth.json"), "authBackup": existed.then(|| path("auth.json.v1-v2-3fa9c1d2")),
                "authExisted": existed, "nonce": "3fa9c1d2", "phase": phase,
            })
            .to_string(),
        )
    });
    prop_oneof![4 => legacy, 1 => Just(Some("torn".to_owned()))]
}

/// Any directory. Each file of the grammar may exist or not. Canonical is a settled v1, a changed v1,
/// a v2, or missing.
fn any_directory() -> impl Strategy<Value = Observation> {
    let files = vec(any::<bool>(), 12);
    let journals =
        (proptest::option::of(journal_text()), proptest::option::weighted(0.3, legacy_text()));
    let shape = (
        select(vec![0, 1, 2, 3, 4]),
        any::<bool>(),
        select(vec![None, Some(Verdict::Old), Some(Verdict::Current), Some(Verdict::Newer)]),
    );
    (files, journals, shape, vec(any::<bool>(), 5)).prop_map(
        |(files, (ours, legacy), (shape, linked, verdict), auth_files)| {
            let names = our_names();
            let mut seen = directory();
            seen.files.clear();
            match shape {
                0 => {}
                1 => drop(
                    seen.files.insert(canonical(), database("canonical", JournalMode::Delete, 8)),
                ),
                2 => drop(seen.files.insert(canonical(), plain("canonical", 0))),
                _ => drop(
                    seen.files.insert(canonical(), database("canonical", JournalMode::Delete, 7)),
                ),
            }
            seen.verdict = verdict.filter(|_| shape != 0 && shape != 2);
            let [wal, shm, hot] = canonical().sidecars();
            let [backup_wal, ..] = names.backup.sidecars();
            let others = [
                &wal,
                &shm,
                &hot,
                &names.source,
                &names.staging,
                &names.install,
                &names.backup,
                &backup_wal,
                &names.receipt(),
                &names.staging.sidecars()[0],
            ]
            .map(FileName::clone);
            for (file, there) in others
                .iter()
                .chain(&[
                    name("data.db.v1-v2-cutover.json.tmp-3fa9c1d2"),
                    name("data.db.building-00000000"),
                ])
                .zip(files)
            {
                if there {
                    seen.files
                        .insert(file.clone(), database(file.as_str(), JournalMode::Delete, 7));
                }
            }
            if linked
                && shape == 3
                && let Some(backup) = seen.files.get_mut(&names.backup)
            {
                backup.file_id = "canonical".into();
            }
            for (file, text) in [(our_journal(), ours), (legacy_journal_name(&canonical()), legacy)]
            {
                match text {
                    Some(Some(text)) => put_journal(&mut seen, &file, &text),
                    Some(None) => {
                        seen.files.insert(file.clone(), plain("journal", 1));
                        seen.journals.insert(file, None);
                    }
                    None => {}
                }
            }
            if auth_files[0] {
                seen = with_auth(seen);
                let facts = seen.companions.get_mut(&auth()).unwrap();
                facts.path = "/home/u/app/auth.json".into();
                let more = ["auth.json.v1-v2-3fa9c1d2", "auth.json.building-3fa9c1d2"];
                facts.present.extend(
                    more.into_iter()
                        .zip(&auth_files[1..])
                        .filter(|(_, there)| **there)
                        .map(|(file, _)| name(file)),
                );
                if auth_files[4] {
                    facts.digest = None;
                    facts.present.remove(0);
                }
            }
            seen
        },
    )
}

/// The ops that were performed, as text for a person.
fn told(trace: &Trace) -> String {
    let step = |now: &Performed| line(&Step { op: now.op.clone(), why: String::new(), when: None });
    trace.performed.iter().map(step).collect::<Vec<_>>().join("\n")
}

/// The files that must always have a name: canonical, and the backup. A backup may go where a link to
/// its v1 replaces it, or where it is a copy of the v1 that is canonical.
fn precious(seen: &Observation, plan: &Plan) -> Vec<String> {
    let copies = |v1: &FileFacts| {
        let backup = seen.files.get(&our_names().backup).and_then(FileFacts::fingerprint);
        seen.verdict == Some(Verdict::Old)
            && backup.zip(v1.fingerprint()).is_some_and(|(backup, v1)| backup.is_copy_of(&v1))
    };
    let is_copy = plan.journal.as_ref().is_some_and(|journal| journal.strategy == Flip::PageCopy)
        && copies(&v1());
    let replaced = is_copy
        || plan
            .steps
            .iter()
            .any(|step| step.op == Op::Remove { files: vec![PlanPath::from(&our_names().backup)] });
    let files = [canonical(), our_names().backup];
    files
        .iter()
        .enumerate()
        .filter(|(index, _)| *index == 0 || !replaced)
        .filter_map(|(_, file)| seen.files.get(file).map(|facts| facts.file_id.clone()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn no_recovery_of_any_directory_loses_a_database(
        seen in any_directory(),
        failing in proptest::option::of((any::<prop::sample::Index>(), any::<bool>(), any::<bool>())),
        changed in any::<bool>(),
    ) {
        let planned = plan_recovery(&seen, &label(), &new_nonce());
        if let Err(failure) = &planned {
            prop_assert!(failure.to_string().contains("[cutover:"), "{}", failure.to_string());
        }
        let Ok(Some(plan)) = planned else { return Ok(()) };
        prop_assert_eq!(plan.check(), Ok(()));
        prop_assert_eq!(Plan::parse(&plan.to_text()), Ok(plan.clone()));

        let mut disk = Names::of(&seen);
        let total = plan.steps.len() + plan.undo.len();
        let failing = failing.map(|(index, goes_away, for_ever)| (index.index(total), goes_away, for_ever));
        let mut failed = 0;
        let trace = drive(Run::new(plan.clone(), Budget::default()), |_, now| {
            let at = if now.undo { plan.steps.len() + now.index } else { now.index };
            if let Some((index, goes_away, for_ever)) = failing && (index == at || for_ever && at > index) {
                failed += 1;
                if !goes_away || failed < 3 {
                    return Err(if goes_away { transient() } else { permanent() });
                }
            }
            match &now.op {
                Op::LookCompanion { .. } if changed => Ok(OpOutcome::Companion(Some("changed".into()))),
                op => disk.perform(op),
            }
        });

        for inode in precious(&seen, &plan) {
            prop_assert!(disk.has(&inode), "{} no longer has a name\n{}", inode, told(&trace));
        }
        if let Some(companion) = seen.companions.get(&auth()) && companion.digest.is_some() && changed {
            prop_assert!(disk.has("companion auth.json"), "the companion's content no longer has a name\n{}", told(&trace));
        }
        let was_v2 = matches!(seen.verdict, Some(Verdict::Current | Verdict::Newer));
        if was_v2 {
            prop_assert_eq!(disk.inode(&canonical()).map(String::as_str), Some("canonical"), "a v2 that is canonical stays\n{}", told(&trace));
        }
        let sets_aside = plan.steps.iter().any(|step| matches!(&step.op, Op::Rename { from, .. } if *from == PlanPath::from(&canonical())));
        if matches!(trace.ending, Action::Done(_)) && !sets_aside && seen.files.contains_key(&canonical()) {
            prop_assert!(disk.inode(&canonical()).is_some(), "canonical is missing after a recovery that ended well\n{}", told(&trace));
        }
        for file in disk.0.keys().filter(|at| at.companion.is_none()) {
            prop_assert!(Role::of(&canonical(), &file.name).is_some(), "{} is not a name of cutover", file);
        }
        prop_assert!(disk.inode(&name("data.db.building-00000000")).is_some() == seen.files.contains_key(&name("data.db.building-00000000")));
    }
}

/// The property above found this: the undo would have put v1 over a canonical that it had not set
/// aside yet.
#[test]
fn a_foreign_canonical_that_cannot_be_set_aside_is_not_overwritten() {
    let names = our_names();
    let mut seen = directory();
    seen.files.insert(canonical(), database("foreign", JournalMode::Delete, 1));
    for file in [&names.backup, &names.staging] {
        seen.files.insert(file.clone(), database(file.as_str(), JournalMode::Delete, 7));
    }
    let path = |file: &FileName| format!("/home/u/app/{file}");
    let text = serde_json::json!({
        "version": 1, "source": path(&canonical()), "normalizedSource": path(&names.source), "staging": path(&names.staging),
        "backup": path(&names.backup), "authPath": "/home/u/app/auth.json", "authBackup": null, "authExisted": false,
        "nonce": "3fa9c1d2", "phase": "canonical-moved",
    });
    put_journal(&mut seen, &legacy_journal_name(&canonical()), &text.to_string());
    let plan = plan_recovery(&seen, &label(), &new_nonce()).unwrap().unwrap();
    let mut disk = Names::of(&seen);
    let trace = drive(Run::new(plan, Budget::default()), |_, now| match &now.op {
        Op::Rename { from, .. } if *from == PlanPath::from(&canonical()) => Err(permanent()),
        op => disk.perform(op),
    });
    assert!(matches!(trace.ending, Action::Failed(_)), "{}", told(&trace));
    assert!(disk.has("foreign") && disk.has(names.backup.as_str()), "{}", told(&trace));
}
