//! What `validate` says: of a plan that is not the right one, and of a directory that it is not for.

use cutover_core::{
    BuildBy, BuildFrom, FileFacts, Finding, FindingKind, Guard, JournalMode, Observation, Op,
    Phase, Plan, PlanKind, PlanPath, Platform, Receipts, ReplaceBlocker, Request, Verdict,
    list_backups, plan_migration, plan_recovery, refuse_given, validate, validate_request,
    validate_text,
};

use crate::recovery::seen_plans;
use cutover_world::{
    NOW_MS, auth, canonical, database, directory, flip, interrupted, journal, label, me,
    migrations, name, new_nonce, our_names, plain, request, v1, v2, with_auth, with_companion,
};

fn kinds(findings: &[Finding]) -> Vec<FindingKind> {
    findings.iter().map(|finding| finding.kind).collect()
}

fn sql() -> Plan {
    plan_migration(&directory(), &request(BuildBy::Sql, BuildFrom::Empty)).unwrap()
}

#[test]
fn every_plan_of_ours_passes() {
    for (name, plan) in migrations() {
        assert_eq!(validate(&plan, None), [], "{name}");
    }
    for (row, seen, plan) in seen_plans() {
        assert_eq!(validate(&plan, None), [], "{row}");
        assert_eq!(validate(&plan, Some(&seen)), [], "{row}");
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
                    assert_eq!(
                        validate(&plan, Some(&observation)),
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

/// Where, what stands there, what belongs there, and the planner's own reason for it.
#[test]
fn a_finding_explains_itself_by_the_right_plan() {
    let right = sql();
    let link = right.steps.iter().position(|step| step.op.name() == "link").unwrap();
    let mut plan = right.clone();
    plan.steps.remove(link);
    for mark in [&mut plan.flip_at, &mut plan.cleanup_from] {
        *mark = mark.map(|at| at - 1);
    }
    let [finding] = &validate(&plan, None)[..] else { panic!("one step, one finding") };
    assert_eq!((finding.kind, finding.undo), (FindingKind::Step, false));
    assert_eq!(finding.step, u32::try_from(link).ok());
    assert_eq!(
        finding.why.as_deref(),
        Some("a hard link gives v1 its backup's name while v1 stays canonical")
    );
    assert_eq!(
        finding.message,
        format!(
            "sync-dir stands here; link from=data.db to={} belongs here",
            right.journal.as_ref().unwrap().names.backup
        )
    );
    let mut plan = right.clone();
    let flush = plan.undo.pop().unwrap();
    let [finding] = &validate(&plan, None)[..] else { panic!("one step, one finding") };
    assert_eq!((finding.undo, finding.step), (true, u32::try_from(plan.undo.len()).ok()));
    assert_eq!(finding.message, "the list ends; sync-dir belongs here");
    assert_eq!(finding.why.as_deref(), Some(&*flush.why));
    plan.undo.extend([flush.clone(), flush]);
    assert_eq!(validate(&plan, None)[0].message, "sync-dir stands here; nothing belongs here");
    let mut plan = plan_migration(&directory(), &request(BuildBy::Host, BuildFrom::Empty)).unwrap();
    let held = plan.steps.iter_mut().find(|step| step.when == Some(Guard::StagingHeld {}));
    held.unwrap().when = None;
    let found = validate(&plan, None);
    assert!(found[0].message.ends_with("if staging-held belongs here"), "{found:#?}");
}

/// Each list has one finding at most, the first: what follows it is another's.
#[test]
fn marks_and_journals_are_compared() {
    let right = sql();
    let plan = Plan { cleanup_from: right.cleanup_from.map(|at| at - 1), ..right.clone() };
    let found = validate(&plan, None);
    assert_eq!(kinds(&found), [FindingKind::Mark]);
    let [is, must] = [&plan, &right].map(|plan| plan.cleanup_from.unwrap());
    assert_eq!(found[0].message, format!("cleanupFrom is {is}; it must be {must}"));
    let mut plan = right.clone();
    plan.journal.as_mut().unwrap().phase = Phase::Committed;
    plan.journal.as_mut().unwrap().v2 = Some(cutover_core::V2 {
        file: our_names().staging,
        file_id: "2".into(),
        size: 1,
        page1: String::new(),
    });
    let found = validate(&plan, None);
    assert_eq!(kinds(&found), [FindingKind::Journal]);
    assert_eq!(found[0].message, "the journal that it begins with has another phase, v2");
}

/// What an earlier release said of the same steps is no difference.
#[test]
fn reasons_are_not_compared() {
    for (name, mut plan) in migrations() {
        for step in plan.steps.iter_mut().chain(&mut plan.undo) {
            step.why = "in other words".into();
        }
        assert_eq!(validate(&plan, None), [], "{name}");
    }
}

/// A plan may be looked at by a person before it is performed, while the application is in use.
#[test]
fn commits_since_the_plan_was_made_are_no_difference_and_a_change_of_the_mode_is() {
    let (plan, mut now) = (sql(), directory());
    now.files.insert(canonical(), database("1", JournalMode::Wal, 8));
    now.files.insert(canonical().sidecars()[0].clone(), plain("w", 4152));
    assert_eq!(validate(&plan, Some(&now)), []);
    now.files.insert(canonical(), database("1", JournalMode::Delete, 8));
    let found = validate(&plan, Some(&now));
    assert_eq!(found[0].kind, FindingKind::Step);
    assert!(found[0].message.contains("mode=delete belongs here"), "{found:#?}");
    // A newer backup would be taken for an older one. A name alone is no backup.
    let asked = request(BuildBy::Sql, BuildFrom::Empty);
    let given = |days: &[u64], receipts: bool| {
        let (made, kept) = crate::backups::upgraded(days);
        let kept = if receipts { kept } else { Receipts::new() };
        let before = Request { now_ms: NOW_MS - 172_800_000, ..asked.clone() };
        let plan = plan_migration(&directory(), &before).unwrap();
        let files = made.files.into_iter().chain(directory().files).collect();
        let seen = Observation { files, ..directory() };
        refuse_given(&plan, &seen, &asked, &list_backups(&seen, &kept))
    };
    given(&[2], true).unwrap_err();
    given(&[3], true).unwrap();
    given(&[1], false).unwrap();
    let failure = given(&[1], true).unwrap_err();
    assert!(failure.reason.contains("older than one that was made since"), "{failure}");
    let mut companion = with_auth(directory());
    let plan = plan_migration(&companion, &request(BuildBy::Host, BuildFrom::Copy)).unwrap();
    companion.companions.get_mut(&auth()).unwrap().digest = Some("since".into());
    let found = validate(&plan, Some(&companion));
    assert_eq!(found[0].message, "the journal that it begins with has another companions");
}

/// Pages may be copied where a link was not tried; a link is not planned where none can be made.
#[test]
fn a_page_copy_is_right_where_a_link_would_be() {
    let cannot = Observation { can_link: false, ..directory() };
    let pages = plan_migration(&cannot, &request(BuildBy::Sql, BuildFrom::Copy)).unwrap();
    assert_eq!(validate(&pages, Some(&cannot)), []);
    assert_eq!(validate(&pages, Some(&directory())), []);
    assert_ne!(validate(&sql(), Some(&cannot)), []);
}

/// A plan says itself what was asked for, so only who asks can tell that a step of it is missing.
#[test]
fn what_was_asked_for_is_compared_where_it_is_known() {
    let asked = Request { verify: true, ..request(BuildBy::Host, BuildFrom::Copy) };
    let mut plan = plan_migration(&directory(), &asked).unwrap();
    assert_eq!(validate_request(&plan, Some(&directory()), Some(&asked)), []);
    let verify = plan.steps.iter().position(|step| step.op.name() == "verify-host").unwrap();
    plan.steps.remove(verify);
    for mark in [&mut plan.flip_at, &mut plan.cleanup_from] {
        *mark = mark.map(|at| at - 1);
    }
    assert_eq!(validate(&plan, Some(&directory())), []);
    let found = validate_request(&plan, Some(&directory()), Some(&asked));
    assert_eq!((found[0].kind, found[0].step), (FindingKind::Step, u32::try_from(verify).ok()));
    assert_eq!(found[0].why.as_deref(), Some("the application knows what v2 must hold"));
}

/// A plan, and a directory that it is not for, beside what is said of it.
type Unfit = (&'static [FindingKind], Plan, Observation);

fn unfit() -> Vec<Unfit> {
    use FindingKind as Kind;
    let names = our_names();
    let case = |kinds: &'static [Kind], platform, change: &dyn Fn(&mut Observation)| {
        let mut seen = Observation { platform, ..directory() };
        let plan = plan_migration(&seen, &request(BuildBy::Sql, BuildFrom::Empty)).unwrap();
        assert_eq!(validate(&plan, Some(&seen)), []);
        change(&mut seen);
        (kinds, plan, seen)
    };
    let recovered = |row: &str, change: &dyn Fn(&mut Observation)| {
        let (_, mut seen, plan) = seen_plans().into_iter().find(|(name, ..)| name == row).unwrap();
        change(&mut seen);
        (&[Kind::State][..], plan, seen)
    };
    let back = |change: &dyn Fn(&mut Observation)| {
        recovered("Windows: built, v2 installed, v1 changed in the backup", change)
    };
    let fixed = {
        let mut seen = with_auth(directory());
        let plan = plan_migration(&seen, &request(BuildBy::Sql, BuildFrom::Empty)).unwrap();
        seen.companions.get_mut(&auth()).unwrap().irreplaceable = Some(ReplaceBlocker::MountPoint);
        (&[Kind::CompanionReplaceable][..], plan, seen)
    };
    let committed = interrupted(&journal(Phase::Committed));
    let taken = |row: &str| recovered(row, &|seen| drop(seen.files.insert(canonical(), v1())));
    vec![
        // Over a v2 that a program wrote to, or that the application was told of; or v1 did not
        // change.
        back(&|seen| drop(seen.files.insert(canonical(), FileFacts { size: 12288, ..v2() }))),
        back(&|seen| drop(seen.files.insert(names.receipt(), plain("9", 1)))),
        back(&|seen| drop(seen.files.insert(names.backup.clone(), v1()))),
        taken("the legacy canonical-moved, staging there"),
        taken("the legacy canonical-moved, no staging"),
        fixed,
        case(&[Kind::State], Platform::Linux, &|seen| *seen = committed.clone()),
        case(&[Kind::State], Platform::Linux, &|seen| seen.verdict = Some(Verdict::Current)),
        case(&[Kind::State], Platform::Linux, &|seen| seen.verdict = Some(Verdict::Newer)),
        case(&[Kind::State], Platform::Linux, &|seen| seen.files.clear()),
        case(&[Kind::Platform], Platform::Linux, &|seen| seen.platform = Platform::Windows),
        case(&[Kind::OtherDatabase], Platform::Linux, &|seen| {
            seen.canonical = name("other.db");
        }),
        case(&[Kind::Held], Platform::Linux, &|seen| seen.holders = vec![me()]),
        case(&[Kind::Space], Platform::Linux, &|seen| seen.free_bytes = Some(8191)),
        case(&[Kind::NameTaken], Platform::Linux, &|seen| {
            drop(seen.files.insert(names.staging.clone(), plain("9", 1)));
        }),
        case(&[Kind::CrossVolume], Platform::Linux, &|seen| {
            seen.files.values_mut().for_each(|facts| facts.file_id = "aaaa-1".into());
            seen.files.insert(
                name("data.db.owner-lock"),
                FileFacts { file_id: "ffff-9".into(), ..plain("9", 1) },
            );
        }),
        case(&[Kind::CaseCollision], Platform::Macos, &|seen| {
            let upper = name(&names.staging.as_str().to_ascii_uppercase());
            drop(seen.files.insert(upper, plain("9", 1)));
        }),
    ]
}

#[test]
fn a_plan_is_held_against_the_directory() {
    for (wanted, plan, seen) in unfit() {
        let found = validate(&plan, Some(&seen));
        assert_eq!(kinds(&found), wanted, "{found:#?}");
    }
    for (plan, observation, refused) in on_windows() {
        let found = validate(&plan, Some(&observation));
        let wanted: &[FindingKind] = if refused { &[FindingKind::WindowsName] } else { &[] };
        assert_eq!(kinds(&found), wanted, "{}", observation.canonical);
    }
    let found = validate(&sql(), Some(&interrupted(&journal(Phase::Built))));
    assert_eq!(found[0].message, "its kind is migrate; it must be undo");
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
        (plan_migration(&seen, &request(BuildBy::Sql, BuildFrom::Empty)).unwrap(), seen, refused)
    };
    let mut all: Vec<_> = refused
        .iter()
        .map(|text| named(text, true))
        .chain(fine.iter().map(|text| named(text, false)))
        .collect();
    let mut seen = with_auth(Observation { platform: Platform::Windows, ..directory() });
    seen.companions.get_mut(&auth()).unwrap().file = name("aux.json");
    all.push((
        plan_migration(&seen, &request(BuildBy::Sql, BuildFrom::Empty)).unwrap(),
        seen,
        true,
    ));
    all
}

#[test]
fn a_plan_of_another_structure_is_one_finding() {
    let mut plan = sql();
    plan.steps[0].op = Op::Remove { files: vec![PlanPath::from(&name("passwords.kdbx"))] };
    assert_eq!(kinds(&validate(&plan, None)), [FindingKind::Structure]);
    let (_, _, mut plan) =
        seen_plans().into_iter().find(|(.., plan)| plan.kind == PlanKind::SetAside).unwrap();
    plan.steps.pop();
    let found = validate(&plan, None);
    assert_eq!((kinds(&found), found[0].step), (vec![FindingKind::Step], Some(2)));
}

/// A name that is too long anywhere is not of the grammar.
#[test]
fn a_name_that_is_too_long_is_refused_with_the_structure() {
    let plan = sql();
    for length in [190, 300] {
        let text = plan.to_text().replace("data.db", &"d".repeat(length));
        let wanted: &[FindingKind] = if length == 190 { &[] } else { &[FindingKind::Structure] };
        assert_eq!(kinds(&validate_text(&text, None)), wanted, "{length}");
    }
}
