//! The table lists what a start can find, and the kind of plan for it: this test plans each row.

use cutover_core::{
    FileFacts, Journal, JournalMode, Observation, Op, Phase, PlanKind, Strategy, Verdict,
    legacy_journal_name,
};
use serde_json::Value;

use cutover_world::{
    auth, canonical, database, directory, flip, interrupted, journal, name, our_journal, our_names,
    plain, put_journal, v1, v2, with_auth, with_companion,
};

use super::{Foreign, built, legacy_at, legacy_text, overtaken, planned};

pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) seen: Observation,
    pub(super) kind: PlanKind,
    /// Whether the plan can still make v2 canonical.
    pub(super) flips: bool,
}

pub(super) fn rows() -> Vec<Row> {
    let flipped = |phase: Phase| {
        let mut observation = interrupted(&journal(phase));
        flip(&mut observation);
        observation
    };
    let with = |mut observation: Observation, change: &dyn Fn(&mut Observation)| {
        change(&mut observation);
        observation
    };
    let staged = |phase: Phase| {
        let mut observation = with_auth(interrupted(&with_companion(journal(phase), true)));
        let seen = observation.companions.get_mut(&auth()).unwrap();
        seen.present
            .extend([name("auth.json.v1-v2-3fa9c1d2"), name("auth.json.building-3fa9c1d2")]);
        observation.files.insert(our_names().install, v2());
        observation
    };
    let row = |name, seen, kind, flips| Row { name, seen, kind, flips };
    vec![
        row(
            "no journal, a left-over tmp",
            with(directory(), &|seen| {
                drop(
                    seen.files
                        .insert(name("data.db.v1-v2-cutover.json.tmp-3fa9c1d2"), plain("t", 9)),
                );
            }),
            PlanKind::Clean,
            false,
        ),
        row("built, canonical is v2", flipped(Phase::Built), PlanKind::Finish, false),
        row("installing, canonical is v2", flipped(Phase::Installing), PlanKind::Finish, false),
        row("committed, canonical is v2", flipped(Phase::Committed), PlanKind::Clean, false),
        row(
            "built, canonical is newer",
            with(flipped(Phase::Built), &|seen| seen.verdict = Some(Verdict::Newer)),
            PlanKind::Finish,
            false,
        ),
        row(
            "built, canonical is v2 by file and digest where detect fails",
            with(flipped(Phase::Built), &|seen| seen.verdict = None),
            PlanKind::Finish,
            false,
        ),
        row("building", interrupted(&journal(Phase::Building)), PlanKind::Undo, false),
        row(
            "building, v1 not settled yet",
            with(interrupted(&journal(Phase::Building)), &|seen| {
                drop(seen.files.insert(canonical(), database("1", JournalMode::Wal, 7)));
            }),
            PlanKind::Undo,
            false,
        ),
        row("building, a companion staged", staged(Phase::Building), PlanKind::Undo, false),
        row("built, v1 unchanged", built("data.db.install-3fa9c1d2"), PlanKind::Finish, true),
        row("built, a companion staged", staged(Phase::Built), PlanKind::Finish, true),
        row(
            "built, the link visible",
            with(built("data.db.install-3fa9c1d2"), &|seen| {
                drop(seen.files.insert(our_names().backup, v1()));
            }),
            PlanKind::Finish,
            true,
        ),
        row(
            "built, another file with v1's header and size in its place",
            with(built("data.db.install-3fa9c1d2"), &|seen| {
                drop(seen.files.insert(canonical(), database("11", JournalMode::Delete, 7)));
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "built, the directory copied, so that the link is a file of its own",
            with(built("data.db.install-3fa9c1d2"), &|seen| {
                seen.files.insert(canonical(), database("11", JournalMode::Delete, 7));
                seen.files.insert(our_names().backup, database("12", JournalMode::Delete, 7));
                seen.files.insert(our_names().install, FileFacts { file_id: "13".into(), ..v2() });
            }),
            PlanKind::Finish,
            true,
        ),
        row(
            "built, v1 changed",
            with(built("data.db.install-3fa9c1d2"), &|seen| {
                drop(seen.files.insert(canonical(), database("1", JournalMode::Delete, 8)));
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "built, v1 grew",
            with(built("data.db.install-3fa9c1d2"), &|seen| {
                seen.files.get_mut(&canonical()).unwrap().size += 4096;
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "built, v1 in WAL mode again",
            with(built("data.db.install-3fa9c1d2"), &|seen| {
                drop(seen.files.insert(canonical(), database("1", JournalMode::Wal, 7)));
            }),
            PlanKind::Undo,
            false,
        ),
        row("built, v2 missing", interrupted(&journal(Phase::Built)), PlanKind::Undo, false),
        row(
            "built, only staging there and not install",
            built("data.db.building-3fa9c1d2"),
            PlanKind::Undo,
            false,
        ),
        row(
            "Windows: built, v2 installed, v1 changed in the backup",
            overtaken(&journal(Phase::Built)),
            PlanKind::Undo,
            false,
        ),
        row(
            "page copy: built, v1 not copied",
            with(page_copying(Phase::Built), &|_| ()),
            PlanKind::Finish,
            true,
        ),
        row(
            "page copy: built, v1 copied",
            with(page_copying(Phase::Built), &copied),
            PlanKind::Finish,
            true,
        ),
        row(
            "page copy: built, the copy is not of this v1",
            with(page_copying(Phase::Built), &|seen| {
                drop(seen.files.insert(our_names().backup, FileFacts { size: 12288, ..v1() }));
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "page copy: installing, canonical is v1",
            with(page_copying(Phase::Installing), &copied),
            PlanKind::Finish,
            true,
        ),
        row(
            "page copy: installing, canonical is v1, the copy gone",
            page_copying(Phase::Installing),
            PlanKind::Finish,
            true,
        ),
        row(
            "page copy: installing, v2 missing",
            interrupted(&journal(Phase::Installing)),
            PlanKind::Undo,
            false,
        ),
        row(
            "page copy: installing, v1 changed",
            with(page_copying(Phase::Installing), &|seen| {
                drop(seen.files.insert(canonical(), database("1", JournalMode::Delete, 8)));
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "page copy: installing, another file in v1's place, so the copy is not of this one",
            with(page_copying(Phase::Installing), &|seen| {
                copied(seen);
                seen.files.insert(
                    canonical(),
                    FileFacts { file_id: "9".into(), ..database("1", JournalMode::Delete, 8) },
                );
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "page copy: installing, no room for it",
            with(page_copying(Phase::Installing), &|seen| {
                copied(seen);
                seen.free_bytes = Some(8191);
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "page copy: installing, canonical is v2",
            with(page_copying(Phase::Installing), &|seen| {
                copied(seen);
                seen.files.insert(canonical(), FileFacts { file_id: "1".into(), ..v2() });
                seen.verdict = Some(Verdict::Current);
            }),
            PlanKind::Finish,
            false,
        ),
        row(
            "committed, v1 restored by a person",
            interrupted(&journal(Phase::Committed)),
            PlanKind::Clean,
            false,
        ),
        row(
            "the legacy building",
            legacy_at("building", Some(Verdict::Old), true, false),
            PlanKind::Undo,
            false,
        ),
        row(
            "the legacy building, nothing built",
            legacy_at("building", Some(Verdict::Old), false, false),
            PlanKind::Undo,
            false,
        ),
        row(
            "the legacy built",
            legacy_at("built", Some(Verdict::Old), true, false),
            PlanKind::Undo,
            false,
        ),
        row(
            "the legacy canonical-moved, staging there",
            legacy_at("canonical-moved", None, true, true),
            PlanKind::Finish,
            true,
        ),
        row(
            "the legacy built, but canonical moved already",
            legacy_at("built", None, true, true),
            PlanKind::Finish,
            true,
        ),
        row(
            "the legacy canonical-moved, no staging",
            legacy_at("canonical-moved", None, false, true),
            PlanKind::Undo,
            false,
        ),
        row(
            "the legacy canonical-moved, v1's log still beside canonical",
            with(legacy_at("canonical-moved", None, true, true), &|seen| {
                seen.files.insert(name("data.db-wal"), plain("w", 4152));
                seen.files.insert(name("data.db-shm"), plain("s", 32768));
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "the legacy canonical-moved, another database's log where canonical was",
            with(legacy_at("canonical-moved", None, true, true), &|seen| {
                for file in
                    ["data.db-wal", "data.db-shm", "data.db.v1-v2-1782718800000-3fa9c1d2-wal"]
                {
                    seen.files.insert(name(file), plain("w", 4152));
                }
            }),
            PlanKind::Finish,
            true,
        ),
        row(
            "the legacy built, a companion written in place",
            with(with_auth(legacy_at("built", Some(Verdict::Old), true, false)), &|seen| {
                seen.companions
                    .get_mut(&auth())
                    .unwrap()
                    .present
                    .push(name("auth.json.v1-v2-3fa9c1d2"));
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "the legacy built, a companion that was not there before",
            with(with_auth(legacy_at("built", Some(Verdict::Old), true, false)), &|seen| {
                let mut journal = legacy_text("built");
                journal["authExisted"] = false.into();
                journal["authBackup"] = Value::Null;
                put_journal(seen, &legacy_journal_name(&canonical()), &journal.to_string());
            }),
            PlanKind::Undo,
            false,
        ),
        row(
            "the legacy canonical-moved, a foreign canonical",
            legacy_at("canonical-moved", Some(Verdict::Old), true, true).foreign(),
            PlanKind::Clean,
            false,
        ),
        row(
            "the legacy canonical-moved, v2 there",
            legacy_at("canonical-moved", Some(Verdict::Current), false, true),
            PlanKind::Finish,
            false,
        ),
        row(
            "the legacy committed",
            legacy_at("committed", Some(Verdict::Current), false, true),
            PlanKind::Finish,
            false,
        ),
        row(
            "an unreadable journal, canonical whole",
            with(directory(), &|seen| put_journal(seen, &our_journal(), "{\"version\":2,")),
            PlanKind::SetAside,
            false,
        ),
        row(
            "a journal that is no text, canonical whole",
            with(directory(), &|seen| drop(seen.journals.insert(our_journal(), None))),
            PlanKind::SetAside,
            false,
        ),
        row(
            "the legacy journal unreadable, canonical whole",
            with(directory(), &|seen| put_journal(seen, &legacy_journal_name(&canonical()), "")),
            PlanKind::SetAside,
            false,
        ),
    ]
}

/// A start that copies pages, in this phase, v2 there.
fn page_copying(phase: Phase) -> Observation {
    let mut seen = interrupted(&Journal { strategy: Strategy::PageCopy, ..journal(phase) });
    seen.files.insert(our_names().install, v2());
    seen.can_link = false;
    seen
}

/// The backup that it makes: another file, with v1's pages.
fn copied(seen: &mut Observation) {
    seen.files.insert(our_names().backup, FileFacts { file_id: "3".into(), ..v1() });
}

#[test]
fn every_row_does_what_it_says() {
    for Row { name, seen, kind, flips } in rows() {
        let plan = planned(&seen);
        assert_eq!(plan.kind, kind, "{name}");
        assert_eq!(plan.flip_at.is_some(), flips, "{name}");
        assert_eq!(
            plan.steps[0].op,
            Op::SyncDir { companion: None },
            "{name}: what is visible need not be durable"
        );
        plan.check().unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(planned(&seen), plan, "{name}: the same again");
    }
}
