//! The rules of `validate`: every plan of ours passes, and each rule has a plan that breaks it.

use std::collections::BTreeSet;

use cutover_core::fault::Platform;
use cutover_core::journal::{Phase, Strategy};
use cutover_core::names::{At, journal_tmp};
use cutover_core::observe::{FileFacts, Irreplaceable, Observation, Verdict};
use cutover_core::op::{Guard, Op, Step};
use cutover_core::page1::JournalMode;
use cutover_core::plan::{By, From, Plan, plan_migration, plan_recovery};
use cutover_core::validate::{RULES, Severity, validate, validate_text};

use crate::recovery::seen_plans;
use cutover_world::{
    auth, canonical, directory, flip, interrupted, journal, label, me, migrations, name, new_nonce,
    nonce, our_names, plain, request, v1, v2, with_auth, with_companion,
};

fn errors(plan: &Plan) -> Vec<String> {
    validate(plan, None)
        .into_iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.rule)
        .collect()
}

#[test]
fn every_plan_of_ours_passes() {
    for (name, plan) in migrations() {
        assert_eq!(validate(&plan, Some(&directory())), [], "{name}");
    }
}

#[test]
fn every_recovery_of_ours_passes() {
    let mut plans = 0;
    let phases = [Phase::Building, Phase::Built, Phase::Committed];
    for (platform, phase) in [Platform::Linux, Platform::Windows]
        .into_iter()
        .flat_map(|platform| phases.map(|phase| (platform, phase)))
    {
        for companion in [false, true] {
            for flipped in [false, true] {
                for linked in [false, true] {
                    let journal = if companion {
                        with_companion(journal(phase), true)
                    } else {
                        journal(phase)
                    };
                    let mut observation = Observation { platform, ..interrupted(&journal) };
                    if companion {
                        observation = with_auth(observation);
                    }
                    let names = &journal.names;
                    observation.files.insert(names.install.clone(), v2());
                    if linked {
                        observation.files.insert(names.backup.clone(), v1());
                    }
                    if flipped {
                        flip(&mut observation);
                    }
                    let plan =
                        plan_recovery(&observation, &label(), &new_nonce()).unwrap().unwrap();
                    let found: Vec<_> = validate(&plan, Some(&observation))
                        .into_iter()
                        .filter(|f| f.severity == Severity::Error)
                        .collect();
                    assert_eq!(
                        found,
                        [],
                        "{platform:?} {phase:?} companion={companion} flipped={flipped} \
                         linked={linked} {:?}",
                        plan.kind
                    );
                    plans += 1;
                }
            }
        }
    }
    assert_eq!(plans, 48);
}

#[test]
fn an_order_that_can_cost_a_row_is_found() {
    let (_, plan) = migrations().into_iter().next().unwrap();
    let position =
        |found: &dyn Fn(&Op) -> bool| plan.steps.iter().position(|step| found(&step.op)).unwrap();
    let link = position(&|op| matches!(op, Op::Link { .. }));
    let flip = plan.flip_at.unwrap() as usize;
    let swapped = |a: usize, b: usize| {
        let mut plan = plan.clone();
        plan.steps.swap(a, b);
        plan
    };
    assert!(
        errors(&swapped(link, link + 1)).contains(&"backup-durable".to_owned()),
        "the flush before the link"
    );
    assert!(
        !errors(&swapped(flip - 1, flip)).is_empty(),
        "the flip before the sidecars were read back"
    );
    let lock = position(&|op| matches!(op, Op::LockV1 { .. }));
    assert!(errors(&swapped(lock, lock + 1)).contains(&"lock-and-check".to_owned()));
    let settle = position(&|op| matches!(op, Op::Settle { .. }));
    let build = position(&|op| matches!(op, Op::BuildSql { .. } | Op::BuildHost { .. }));
    assert!(errors(&swapped(settle, build)).contains(&"settle-before-read".to_owned()));
}

/// A plan, and the directory that it is held against.
type Held = (Plan, Option<Observation>);

/// The plan with its steps, or those of its undo, changed; the indexes stay with their steps.
fn edit(plan: &Plan, undo: bool, change: impl FnOnce(&mut Vec<Step>)) -> Plan {
    let mut edited = plan.clone();
    change(if undo { &mut edited.undo } else { &mut edited.steps });
    let follow = |index: Option<u32>| {
        let step = &plan.steps[index? as usize];
        edited
            .steps
            .iter()
            .position(|other| other == step)
            .map(|at| u32::try_from(at).unwrap())
            .or(index)
    };
    (edited.flip_at, edited.cleanup_from) = (follow(plan.flip_at), follow(plan.cleanup_from));
    edited
}

/// Without the first step that fits.
fn without(plan: &Plan, undo: bool, fits: impl Fn(&Op) -> bool) -> Plan {
    edit(plan, undo, |steps| {
        drop(steps.remove(steps.iter().position(|step| fits(&step.op)).unwrap()));
    })
}

/// Without the first step that fits and comes after one that does.
fn without_after(plan: &Plan, after: impl Fn(&Op) -> bool, fits: impl Fn(&Op) -> bool) -> Plan {
    edit(plan, false, |steps| {
        let from = steps.iter().position(|step| after(&step.op)).unwrap();
        let at = steps.iter().skip(from).position(|step| fits(&step.op)).unwrap();
        steps.remove(from + at);
    })
}

fn sync(op: &Op) -> bool {
    *op == Op::SyncDir { companion: None }
}

fn sync_beside(op: &Op) -> bool {
    matches!(op, Op::SyncDir { companion: Some(_) })
}

/// The op of this word, about a file that has this in its name.
fn is<'a>(word: &'a str, file: &'a str) -> impl Fn(&Op) -> bool + 'a {
    move |op| op.name() == word && op.file().is_none_or(|at| at.to_string().contains(file))
}

/// For each rule of order a plan that breaks it, beside the one it was made from.
fn broken_orders() -> Vec<(&'static str, Plan, Held)> {
    let sql = plan_migration(&directory(), &request(By::Sql, From::Empty)).unwrap();
    let host = plan_migration(&with_auth(directory()), &request(By::Host, From::Copy)).unwrap();
    let recovery = |name: &str| {
        seen_plans()
            .into_iter()
            .find(|(row, ..)| row == name)
            .map(|(_, seen, plan)| (plan, Some(seen)))
            .unwrap()
    };
    let undo = recovery("building, a companion staged");
    let on = recovery("built, v1 unchanged");
    let linked = recovery("built, the link visible");
    let forward = recovery("built, canonical is v2");
    let field = recovery("the field's canonical-moved, staging there");
    let orphans = recovery("the field's canonical-moved, somebody else's log where canonical was");
    let back = recovery("Windows: built, v2 installed, v1 changed in the backup");
    let on_windows = |seen: Observation, by, from| {
        plan_migration(&Observation { platform: Platform::Windows, ..seen }, &request(by, from))
    };
    let windows = on_windows(directory(), By::Sql, From::Empty).unwrap();
    let windows_host = on_windows(with_auth(directory()), By::Host, From::Copy).unwrap();
    let mut flipped =
        Observation { platform: Platform::Windows, ..interrupted(&journal(Phase::Built)) };
    flip(&mut flipped);
    let windows_forward = plan_recovery(&flipped, &label(), &new_nonce()).unwrap().unwrap();
    let pages = plan_migration(
        &Observation { can_link: false, ..directory() },
        &request(By::Sql, From::Empty),
    )
    .unwrap();
    let copy = pages.steps[pages.flip_at.unwrap() as usize].clone();
    let again = recovery("page copy: installing, canonical is v1, the copy gone");
    let journal = "cutover.json";
    let staging = "data.db.building-";
    let backup = "data.db.v1-v2-1";
    let phase =
        |wanted| move |op: &Op| matches!(op, Op::WriteJournal { phase, .. } if *phase == wanted);
    let flip = |op: &Op| matches!(op, Op::Rename { to, .. } if *to == At::from(&canonical()));
    let goes = |op: &Op| is("remove", "cutover.json")(op) && !is("remove", ".tmp-")(op);
    let add = |op: Op| {
        edit(&sql, false, |steps| {
            steps.insert(6, Step { op: op.clone(), why: String::new(), when: None });
        })
    };
    let names = our_names();
    let tmp = || journal_tmp(&canonical(), &label(), &nonce());
    let staged = |op: &Op| match op {
        Op::Remove { files } => files[..1].to_vec(),
        _ => Vec::new(),
    };
    let mut cases: Vec<(&'static str, Plan, Held)> = Vec::new();
    let mut alone =
        |rule, plan: &Plan, broken: Plan| cases.push((rule, plan.clone(), (broken, None)));
    alone(
        "structure",
        &sql,
        edit(&sql, false, |steps| steps[0].op = Op::Remove { files: vec![At::from(&canonical())] }),
    );
    let under = |plan: &Plan, undo, when: &Guard, at: usize| {
        edit(plan, undo, |steps| steps[at].when = Some(when.clone()))
    };
    let put_back =
        undo.0.undo.iter().position(|step| matches!(step.op, Op::Rename { .. })).unwrap();
    alone("guard", &sql, under(&sql, false, &Guard::StagingHeld {}, 4));
    alone("guard", &sql, under(&sql, false, &Guard::CompanionStaged { companion: auth() }, 4));
    alone(
        "guard",
        &undo.0,
        under(&undo.0, true, &Guard::CompanionStaged { companion: auth() }, put_back),
    );
    alone(
        "guard",
        &undo.0,
        under(&undo.0, true, &Guard::CompanionChanged { companion: auth() }, put_back + 1),
    );
    alone(
        "undo-companion",
        &undo.0,
        under(&undo.0, true, &Guard::CompanionChanged { companion: auth() }, put_back + 1),
    );
    alone("journal-first", &sql, without(&sql, false, phase(Phase::Building)));
    alone("journal-durable", &sql, without(&sql, false, sync));
    alone("flush-before-rename", &sql, without(&sql, false, is("sync-file", journal)));
    alone("left-over", &forward.0, without(&forward.0, false, is("remove", journal)));
    alone("look-before-open", &sql, without(&sql, false, is("look", "data.db")));
    alone("settle-before-read", &sql, without(&sql, false, is("settle", "data.db")));
    alone("companion-backup", &host, without(&host, false, sync_beside));
    alone("source", &host, without(&host, false, is("copy", staging)));
    alone("build", &sql, without(&sql, false, is("build-sql", "")));
    alone("release", &host, without(&host, false, is("release", "")));
    alone("look-at-staging", &host, without(&host, false, is("look", staging)));
    alone("settle-before-check", &sql, without(&sql, false, is("settle", staging)));
    alone("check-before-built", &sql, without(&sql, false, is("check", "")));
    alone("detect-before-built", &sql, without(&sql, false, is("detect", "")));
    alone("flush-before-built", &sql, without(&sql, false, is("sync-file", staging)));
    alone("built-before-flip", &sql, without(&sql, false, phase(Phase::Built)));
    alone("lock-and-check", &sql, without(&sql, false, is("lock-v1", "")));
    alone("companion-same", &host, without(&host, false, is("look-companion", "")));
    alone("backup-before-flip", &sql, without(&sql, false, is("link", backup)));
    alone("backup-durable", &sql, without_after(&sql, is("link", backup), sync));
    alone("sidecars-absent", &sql, without(&sql, false, is("absent", "")));
    alone("sidecars-absent", &sql, without_after(&sql, flip, is("absent", "")));
    alone("check-before-install", &on.0, without(&on.0, false, is("check", "")));
    alone("settle-backup", &field.0, without(&field.0, false, is("settle", backup)));
    alone("v1-read-back", &windows, without(&windows, false, is("check-v1", backup)));
    let late = |word: &str, file: &str| {
        edit(&windows_host, false, |steps| {
            let step = steps.remove(windows_host.flip_at.unwrap() as usize + 1);
            let at = steps.iter().rposition(|step| is(word, file)(&step.op)).unwrap();
            steps.insert(at + 1, step);
        })
    };
    alone("v1-read-back", &windows_host, late("rename", "auth.json"));
    alone("v1-read-back", &windows_host, late("write-receipt", ""));
    alone("lock-and-check", &windows_host, late("unlock-v1", ""));
    alone("flip-durable", &sql, without_after(&sql, flip, sync));
    alone("look-after-flip", &sql, without(&sql, false, is("look", backup)));
    alone("look-after-flip", &forward.0, without(&forward.0, false, is("look", backup)));
    alone(
        "clean-up-index",
        &sql,
        Plan { cleanup_from: sql.flip_at.map(|at| at + 1), ..sql.clone() },
    );
    let committed = windows
        .steps
        .iter()
        .rposition(|step| is("rename", journal)(&step.op))
        .and_then(|at| u32::try_from(at).ok());
    alone(
        "clean-up-index",
        &windows,
        Plan { cleanup_from: committed.map(|at| at + 1), ..windows.clone() },
    );
    alone(
        "clean-up-index",
        &windows_forward,
        Plan { cleanup_from: forward.0.cleanup_from, ..windows_forward.clone() },
    );
    alone(
        "clean-up-index",
        &windows,
        Plan { cleanup_from: sql.cleanup_from.map(|at| at + 1), ..windows.clone() },
    );
    alone("companion-after-flip", &host, without_after(&host, flip, sync));
    alone("companion-kept", &host, without(&host, false, is("link", "displaced")));
    alone("companion-before-commit", &host, without_after(&host, flip, is("rename", "auth.json")));
    alone("receipt-before-commit", &sql, without(&sql, false, is("write-receipt", "")));
    alone("commit-before-clean-up", &sql, without(&sql, false, phase(Phase::Committed)));
    let early = edit(&field.0, false, |steps| {
        let at = steps.iter().position(|step| step.op == Op::CleanupHost {}).unwrap();
        let step = steps.remove(at);
        steps.insert(field.0.flip_at.unwrap() as usize + 1, step);
    });
    alone("commit-before-clean-up", &field.0, early);
    alone("host-clean-up", &sql, without(&sql, false, is("cleanup-host", "")));
    alone("temporaries-removed", &host, without(&host, false, is("remove", "data.db.source-")));
    alone("flush-before-journal-goes", &host, without_after(&host, is("remove", "auth"), sync));
    alone("journal-last", &sql, without(&sql, false, goes));
    alone("last-flush", &sql, without_after(&sql, goes, sync));
    alone("installing-before-page-copy", &pages, without(&pages, false, phase(Phase::Installing)));
    alone(
        "installing-before-page-copy",
        &pages,
        without_after(&pages, phase(Phase::Installing), is("rename", journal)),
    );
    alone("backup-before-flip", &pages, without(&pages, false, is("rename", backup)));
    alone(
        "backup-before-flip",
        &pages,
        without(&pages, false, |op| matches!(op, Op::Restage { .. })),
    );
    alone("backup-durable", &pages, without_after(&pages, is("rename", backup), sync));
    alone("flush-before-rename", &pages, without(&pages, false, is("sync-file", "source")));
    alone("left-over", &again.0, without(&again.0, false, is("remove", "source")));
    alone(
        "look-before-open",
        &pages,
        without_after(&pages, phase(Phase::Installing), is("look", "data.db")),
    );
    alone(
        "flip-durable",
        &pages,
        without_after(&pages, |op| matches!(op, Op::PageCopy { .. }), sync),
    );
    alone("undo-link", &pages, without(&pages, true, is("remove", backup)));
    alone("structure", &sql, edit(&sql, false, |steps| steps.insert(6, copy.clone())));
    let mut linked_journal = pages.clone();
    linked_journal.journal.as_mut().unwrap().strategy = Strategy::LinkReplace;
    alone("structure", &pages, linked_journal);
    alone("backup-kept", &sql, add(Op::RemoveLink { link: names.backup.clone(), of: canonical() }));
    alone(
        "restore-mode-in-undo",
        &sql,
        add(Op::RestoreMode { file: canonical(), mode: JournalMode::Wal }),
    );
    alone("recovery-flush-first", &undo.0, without(&undo.0, false, sync));
    alone("recovery-flush-first", &undo.0, without(&undo.0, false, sync_beside));
    let first_goes =
        |plan: &Plan, files: Vec<At>| edit(plan, true, |steps| steps[1].op = Op::Remove { files });
    alone("undo-v2-first", &undo.0, without(&undo.0, true, is("remove", staging)));
    alone("undo-v2-first", &undo.0, without(&undo.0, true, sync));
    alone("undo-v2-first", &undo.0, edit(&undo.0, true, |steps| steps.swap(1, 2)));
    alone("undo-v2-first", &sql, without(&sql, true, is("remove", staging)));
    alone("undo-v2-first", &on.0, first_goes(&on.0, vec![At::from(&names.staging)]));
    // Windows cannot flush a removal: the journal must say `building`, durably, once v2 is gone.
    let from_undo =
        |plan: &Plan, change: &dyn Fn(&mut Vec<Step>)| edit(plan, true, |steps| change(steps));
    for plan in [&windows, &windows_host] {
        alone("undo-v2-first", plan, without(plan, true, phase(Phase::Building)));
        alone("undo-v2-first", plan, without(plan, true, is("rename", journal)));
        alone("undo-v2-first", plan, without(plan, true, is("remove", "")));
        alone("undo-v2-first", plan, from_undo(plan, &|steps| steps[1..5].rotate_left(1)));
        alone(
            "undo-v2-first",
            plan,
            from_undo(plan, &|steps| {
                steps[2].op = Op::WriteJournal { file: tmp(), phase: Phase::Built }
            }),
        );
        alone(
            "left-over",
            plan,
            from_undo(plan, &|steps| steps[1].op = Op::Remove { files: staged(&steps[1].op) }),
        );
        alone("flush-before-rename", plan, without(plan, true, is("sync-file", journal)));
    }
    alone(
        "undo-host",
        &undo.0,
        first_goes(&undo.0, [&names.staging, &names.source].map(At::from).into()),
    );
    alone("undo-host", &undo.0, edit(&undo.0, true, |steps| steps.swap(3, 5)));
    alone("undo-host", &undo.0, without(&undo.0, true, is("undo-host", "")));
    alone("undo-unlock", &undo.0, without(&undo.0, true, is("unlock-v1", "")));
    alone("undo-give-back", &field.0, without(&field.0, true, sync));
    alone("undo-give-back", &back.0, edit(&back.0, false, |steps| drop(steps.pop())));
    let mut told = back.0.clone();
    told.journal.as_mut().unwrap().phase = Phase::Committed;
    alone("put-back", &back.0, told);
    alone("put-back", &back.0, under(&back.0, false, &Guard::StagingFree {}, 1));
    alone("undo-companion", &undo.0, without(&undo.0, true, |op| matches!(op, Op::Rename { .. })));
    alone("undo-companion-kept", &undo.0, without(&undo.0, true, is("link", "displaced")));
    alone("undo-link", &undo.0, without(&undo.0, true, is("remove-link", "")));
    alone("undo-temporaries", &undo.0, without(&undo.0, true, is("remove", "data.db.source-")));
    alone("undo-temporaries", &undo.0, without(&undo.0, true, is("remove", "auth")));
    alone("undo-restore-mode", &undo.0, without(&undo.0, true, is("restore-mode", "")));
    alone("undo-flush", &undo.0, edit(&undo.0, true, |steps| drop(steps.remove(steps.len() - 3))));
    alone("undo-journal-last", &undo.0, without(&undo.0, true, goes));
    // What only the directory can tell.
    let linked_plan = linked.0;
    cases.push(("backup-before-flip", on.0.clone(), (linked_plan, on.1)));
    let orphan = without(&orphans.0, false, is("rename", "-wal"));
    cases.push(("sidecars-absent", orphans.0, (orphan, orphans.1)));
    let left = without(&back.0, false, is("rename", "data.db"));
    cases.push(("put-back", back.0, (left, back.1)));
    cases
}

/// For each rule of the directory one that breaks it, beside one that the plan fits.
fn broken_directories() -> Vec<(&'static str, Held, Held)> {
    let sql = plan_migration(&directory(), &request(By::Sql, From::Empty)).unwrap();
    let names = our_names();
    let fits =
        |platform| (Plan { platform, ..sql.clone() }, Observation { platform, ..directory() });
    let case = |rule, platform, change: &dyn Fn(&mut Observation)| {
        let (plan, seen) = fits(platform);
        let mut broken = seen.clone();
        change(&mut broken);
        (rule, (plan.clone(), Some(seen)), (plan, Some(broken)))
    };
    let recovered = |row: &str, rule, change: &dyn Fn(&mut Observation)| {
        let (_, seen, plan) = seen_plans().into_iter().find(|(name, ..)| name == row).unwrap();
        let mut broken = seen.clone();
        change(&mut broken);
        (rule, (plan.clone(), Some(seen)), (plan, Some(broken)))
    };
    let back = |change: &dyn Fn(&mut Observation)| {
        recovered("Windows: built, v2 installed, v1 changed in the backup", "put-back", change)
    };
    let fixed = {
        let mut seen = with_auth(directory());
        let plan = plan_migration(&seen, &request(By::Sql, From::Empty)).unwrap();
        let fits = (plan.clone(), Some(seen.clone()));
        seen.companions.get_mut(&auth()).unwrap().irreplaceable = Some(Irreplaceable::MountPoint);
        ("companion-replaceable", fits, (plan, Some(seen)))
    };
    let taken = |row: &str| {
        recovered(row, "name-taken", &|seen| drop(seen.files.insert(canonical(), v1())))
    };
    vec![
        // An old copy of v1 over v1, over a v2 that somebody wrote to, or over one that was told
        // of.
        back(&|seen| {
            seen.files.insert(canonical(), v1());
            seen.verdict = Some(Verdict::Old);
        }),
        back(&|seen| drop(seen.files.insert(canonical(), FileFacts { size: 12288, ..v2() }))),
        back(&|seen| drop(seen.files.insert(names.receipt(), plain("9", 1)))),
        back(&|seen| drop(seen.files.insert(names.backup.clone(), v1()))),
        taken("the field's canonical-moved, staging there"),
        taken("the field's canonical-moved, no staging"),
        fixed,
        case("platform", Platform::Linux, &|seen| seen.platform = Platform::Windows),
        case("other-database", Platform::Linux, &|seen| seen.canonical = name("other.db")),
        case("held", Platform::Linux, &|seen| seen.holders = vec![me()]),
        case("space", Platform::Linux, &|seen| seen.free_bytes = Some(sql.needs_bytes - 1)),
        case("name-taken", Platform::Linux, &|seen| {
            drop(seen.files.insert(names.staging.clone(), plain("9", 1)));
        }),
        case("cross-volume", Platform::Linux, &|seen| {
            seen.files.values_mut().for_each(|facts| facts.file_id = "aaaa-1".into());
            seen.files.insert(
                name("data.db.owner-lock"),
                FileFacts { file_id: "ffff-9".into(), ..plain("9", 1) },
            );
        }),
        case("case-collision", Platform::Macos, &|seen| {
            drop(
                seen.files
                    .insert(name(&names.staging.as_str().to_ascii_uppercase()), plain("9", 1)),
            );
        }),
    ]
}

#[test]
fn each_rule_has_a_plan_that_breaks_it_and_one_that_does_not() {
    let mut seen = BTreeSet::new();
    let orders = broken_orders()
        .into_iter()
        .map(|(rule, fits, broken)| (rule, (fits, broken.1.clone()), broken));
    for (rule, fits, broken) in orders.chain(broken_directories()) {
        assert_eq!(validate(&fits.0, fits.1.as_ref()), [], "{rule}");
        let found = validate(&broken.0, broken.1.as_ref());
        assert!(found.iter().any(|finding| finding.rule == rule), "{rule}: {found:#?}");
        seen.extend(found.into_iter().map(|finding| (finding.rule, finding.severity)));
    }
    for (plan, observation, refused) in on_windows() {
        let found = validate(&plan, Some(&observation));
        let rules: Vec<&str> = found.iter().map(|finding| finding.rule.as_str()).collect();
        assert_eq!(
            rules,
            if refused { vec!["windows-name"] } else { vec![] },
            "{}",
            observation.canonical
        );
        seen.extend(found.into_iter().map(|finding| (finding.rule, finding.severity)));
    }
    let all: BTreeSet<_> =
        RULES.iter().map(|(rule, severity)| ((*rule).to_owned(), *severity)).collect();
    assert_eq!(seen, all);
    assert_eq!(RULES.len(), all.len());
}

/// Names that a plan is made for, and whether Windows refuses them.
fn on_windows() -> Vec<(Plan, Observation, bool)> {
    let refused = [
        "nul.db",
        "NUL",
        "con",
        "prn.x",
        "aux.tar.gz",
        "COM1",
        "com9.db",
        "LPT1.db",
        "COM\u{b9}",
        "com\u{b2}.db",
        "lpt\u{b3}.db",
        "conin$",
        "CONOUT$.db",
        "con .db",
        "data.",
        "data ",
        "a?b.db",
        "a:b.db",
    ];
    let fine = [
        "data.db",
        "null.db",
        "com.db",
        "com0.db",
        "com10.db",
        "lpt\u{2074}.db",
        "conin.db",
        "a.nul.db",
        ".db",
    ];
    let named = |text: &str, refused: bool| {
        let mut seen =
            Observation { platform: Platform::Windows, canonical: name(text), ..directory() };
        let facts = seen.files.remove(&canonical()).unwrap();
        seen.files.insert(name(text), facts);
        (plan_migration(&seen, &request(By::Sql, From::Empty)).unwrap(), seen, refused)
    };
    let mut all: Vec<_> = refused
        .iter()
        .map(|text| named(text, true))
        .chain(fine.iter().map(|text| named(text, false)))
        .collect();
    let mut seen = with_auth(Observation { platform: Platform::Windows, ..directory() });
    seen.companions.get_mut(&auth()).unwrap().file = name("aux.json");
    all.push((plan_migration(&seen, &request(By::Sql, From::Empty)).unwrap(), seen, true));
    all
}

#[test]
fn a_plan_of_another_structure_is_one_finding() {
    let (_, mut plan) = migrations().into_iter().next().unwrap();
    plan.steps[0].op = Op::Remove { files: vec![At::from(&canonical())] };
    assert_eq!(errors(&plan), ["structure"]);
}

/// A name that is too long anywhere is none of the grammar's.
#[test]
fn a_name_that_is_too_long_is_refused_with_the_structure() {
    let plan = plan_migration(&directory(), &request(By::Sql, From::Empty)).unwrap();
    for length in [190, 300] {
        let text = plan.to_text().replace("data.db", &"d".repeat(length));
        let rules: Vec<_> =
            validate_text(&text, None).into_iter().map(|finding| finding.rule).collect();
        assert_eq!(rules, if length == 190 { vec![] } else { vec!["structure"] }, "{length}");
    }
}

/// What the docs say of the rules is what the code has.
#[test]
fn the_table_of_rules_is_complete() {
    let docs = include_str!("../../src/validate/mod.rs");
    let rows: Vec<(String, String)> = docs
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `")?.split_once("` | "))
        .map(|(rule, rest)| (rule.to_owned(), rest.split(" | ").next().unwrap().to_owned()))
        .collect();
    let rules: Vec<(String, String)> = RULES
        .iter()
        .map(|(rule, severity)| ((*rule).to_owned(), format!("{severity:?}").to_ascii_lowercase()))
        .collect();
    assert_eq!(rows, rules);
}
