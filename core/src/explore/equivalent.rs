//! Why some mutants make no difference: each is named, in the words of [`Mutant`](super::mutate::Mutant), under the reason.

/// The reasons, and the mutants that each explains.
pub(super) const REASONS: [(&str, &[&str]); 42] = [
    (
        "both only read, and nothing is changed between them",
        &[
            "Finish steps: check install after detect install",
            "Finish steps: check staging after detect staging",
            "Finish steps: check-v1 data.db after look-companion auth.json",
            "Finish steps: detect install after look data.db",
            "Finish steps: detect staging after look data.db",
            "Migrate steps: check install after detect install",
            "Migrate steps: check staging after detect staging",
            "Migrate steps: check-v1 data.db after look-companion auth.json",
            "Migrate steps: detect install after verify-host install",
            "Migrate steps: detect staging after verify-host staging",
            "Migrate steps: look data.db (2) after look staging",
        ],
    ),
    (
        "one of them only reads what the other does not change, and both stay under v1's lock and before the flip",
        &[
            "Finish steps: check-v1 data.db after sync-dir",
            "Finish steps: look-companion auth.json after link backup",
            "Finish steps: look-companion auth.json after sync-dir",
            "Finish steps: sync-dir (2) after absent data.db-wal",
            "Migrate steps: look-companion auth.json after link backup",
            "Migrate steps: sync-dir (3) after absent data.db-wal",
        ],
    ),
    (
        "`detect` only reads, and the flush still stands before what relies on it: the journal's `built`, or the field's flip",
        &[
            "Finish steps: detect staging after sync-file staging",
            "Migrate steps: detect install after sync-file install",
            "Migrate steps: detect staging after sync-file staging",
        ],
    ),
    (
        "after the flip the read-back fails the start either way, before the application opens v2",
        &[
            "Finish steps: absent data.db-wal (2) after sync-dir",
            "Finish steps: absent data.db-wal after sync-dir",
            "Migrate steps: absent data.db-wal (2) after sync-dir",
        ],
    ),
    (
        "both only read behind the flip; which of them stops the start only tells whether this one or the next puts v1 back",
        &["Finish steps: check-v1 backup after absent data.db-wal", "Migrate steps: check-v1 backup after absent data.db-wal"],
    ),
    (
        "v2 may go while v1 is still locked: nobody else has anything to do with it",
        &[
            "Finish undo: unlock-v1 after remove install",
            "Finish undo: unlock-v1 after remove staging",
            "Migrate undo: unlock-v1 after remove install",
            "Migrate undo: unlock-v1 after remove staging",
            "Undo undo: unlock-v1 after remove install",
            "Undo undo: unlock-v1 after remove staging",
        ],
    ),
    (
        "v1 is the backup by then, and the other step does not touch it: the lock may go a step later",
        &[
            "Finish steps: unlock-v1 after look-companion auth.json",
            "Finish steps: unlock-v1 after remove journal.tmp",
            "Migrate steps: unlock-v1 after look-companion auth.json",
            "Migrate steps: unlock-v1 after write-receipt backup.json",
        ],
    ),
    (
        "who writes to v1 once it is unlocked writes to the backup, flushed or not; where the rename is lost, v1 is canonical, differs from its fingerprint, and v2 is built anew",
        &["Finish steps: sync-dir (3) after unlock-v1", "Migrate steps: sync-dir (4) after unlock-v1"],
    ),
    (
        "one is the flush of a companion's directory; the other does nothing there, and relies on nothing there",
        &[
            "Clean steps: sync-dir of the companion (2) after sync-dir",
            "Clean steps: sync-dir of the companion after cleanup-host",
            "Clean steps: sync-dir of the companion after remove journal.tmp",
            "Finish steps: sync-dir of the companion (2) after sync-dir",
            "Finish steps: sync-dir of the companion (4) after sync-dir",
            "Finish steps: sync-dir of the companion after check install",
            "Finish steps: sync-dir of the companion after remove journal.tmp",
            "Finish steps: sync-dir of the companion after sync-dir",
            "Finish undo: sync-dir of the companion (2) after remove-link backup",
            "Finish undo: sync-dir of the companion (3) after remove-link backup",
            "Migrate steps: sync-dir of the companion (3) after sync-dir",
            "Migrate steps: sync-dir of the companion (4) after sync-dir",
            "Migrate steps: sync-dir of the companion after settle data.db",
            "Migrate undo: sync-dir of the companion (2) after remove-link backup",
            "Migrate undo: sync-dir of the companion (3) after remove-link backup",
            "Undo undo: sync-dir of the companion (2) after remove-link backup",
            "Undo undo: sync-dir of the companion (3) after remove-link backup",
        ],
    ),
    (
        "neither needs the other, each may find its work done, and both are flushed before the journal goes",
        &[
            "Clean steps: cleanup-host after remove source",
            "Clean steps: remove source after remove auth.json.building-*",
            "Clean steps: sync-file backup.json after cleanup-host",
            "Finish steps: cleanup-host after remove source",
            "Finish steps: remove source after remove auth.json.building-*",
            "Finish steps: rename backup-wal from data.db-wal after remove data.db-shm",
            "Finish steps: sync-file backup.json after cleanup-host",
            "Finish undo: remove-link backup after remove source",
            "Migrate steps: cleanup-host after remove source",
            "Migrate steps: remove source after remove auth.json.building-*",
            "Migrate undo: remove-link backup after remove source",
            "Undo undo: remove-link backup after remove source",
        ],
    ),
    ("only one of the two is performed: staging is held, or it is free", &["Migrate steps: restage install after settle staging"]),
    (
        "a journal that was being written when the look failed is removed by the undo, or by the next start",
        &["Migrate steps: look data.db after write-journal journal.tmp building"],
    ),
    (
        "v1 is not opened before the look that stands before its lock; this one only refuses sooner",
        &["Migrate steps: without look data.db (2)"],
    ),
    (
        "nothing was changed since the flush before it",
        &[
            "Finish steps: sync-dir (2) after settle backup",
            "Finish steps: without sync-dir",
            "Finish steps: without sync-dir (2)",
            "Undo steps: sync-dir (2) after settle backup",
            "Undo steps: without sync-dir",
            "Undo steps: without sync-dir (2)",
        ],
    ),
    (
        "a recovery of the field's never took v1's lock, so there is none to let go of",
        &["Finish undo: sync-dir after unlock-v1", "Undo undo: sync-dir after unlock-v1"],
    ),
    (
        "the companion has no backup, so nothing depends on what the look sees",
        &[
            "Finish undo: look-companion auth.json after sync-dir of the companion",
            "Finish undo: without look-companion auth.json",
            "Undo undo: look-companion auth.json after sync-dir of the companion",
            "Undo undo: without look-companion auth.json",
        ],
    ),
    (
        "the application asks to look at v2 or does not; nothing in a plan says which",
        &["Migrate steps: without verify-host install", "Migrate steps: without verify-host staging"],
    ),
    (
        "nothing in a plan says whether v2 starts as a copy of v1; SQL that needs its tables fails on an empty file",
        &["Migrate steps: without copy staging"],
    ),
    ("a build by SQL leaves no temporary file beside the database: staging was renamed", &["Migrate steps: without remove source"]),
    (
        "handles that are not let go of in time are copied around: staging is restaged",
        &["Migrate steps: build-host staging after release", "Migrate steps: release after look data.db", "Migrate steps: without release"],
    ),
    (
        "the link is undone where the check fails",
        &["Finish steps: check-v1 data.db after link backup", "Migrate steps: check-v1 data.db after link backup"],
    ),
    (
        "nothing of the application ran since the process was last looked at, so it holds nothing new",
        &[
            "Finish steps: look data.db after lock-v1 data.db",
            "Finish steps: without look data.db",
            "Migrate steps: look data.db (2) after lock-v1 data.db",
            "Migrate steps: without look data.db",
        ],
    ),
    (
        "after an install nothing temporary is beside the companion; this is for a callback that leaves something",
        &[
            "Clean steps: remove auth.json.building-* after sync-dir of the companion",
            "Clean steps: without remove auth.json.building-*",
            "Clean steps: without sync-dir of the companion (2)",
            "Finish steps: remove auth.json.building-* after sync-dir of the companion",
            "Finish steps: without remove auth.json.building-*",
            "Finish steps: without sync-dir of the companion (4)",
            "Migrate steps: remove auth.json.building-* after sync-dir of the companion",
            "Migrate steps: without remove auth.json.building-*",
            "Migrate steps: without sync-dir of the companion (4)",
        ],
    ),
    (
        "a journal that comes back is cleaned up, undone or set aside once more",
        &[
            "Clean steps: remove journal after sync-dir",
            "Clean steps: without sync-dir (3)",
            "Finish steps: remove field-journal after sync-dir",
            "Finish steps: remove journal after sync-dir",
            "Finish steps: without sync-dir (6)",
            "Migrate steps: remove journal after sync-dir",
            "Migrate steps: without sync-dir (7)",
            "Migrate undo: remove journal after sync-dir",
            "Migrate undo: without sync-dir (3)",
            "SetAside steps: rename journal.aside-* from journal after sync-dir",
            "SetAside steps: without sync-dir (2)",
            "Undo undo: remove field-journal after sync-dir",
            "Undo undo: remove journal after sync-dir",
            "Undo undo: without sync-dir (3)",
        ],
    ),
    (
        "only the journal's own name changes, and a start that finds it unchanged does the same again",
        &["SetAside steps: sync-dir after rename journal.aside-* from journal", "SetAside steps: without sync-dir"],
    ),
    (
        "what a clean-up acts on was durable before the journal said committed",
        &[
            "Clean steps: remove journal.tmp after sync-dir",
            "Clean steps: sync-dir after remove journal.tmp",
            "Clean steps: sync-dir after sync-dir of the companion",
            "Clean steps: without sync-dir",
            "Clean steps: without sync-dir of the companion",
        ],
    ),
    (
        "v1 is one file, locked and checked, so SQLite leaves it no sidecar in the model; the read-back is for one that does",
        &[
            "Finish steps: absent data.db-wal after rename data.db from install",
            "Finish steps: absent data.db-wal after rename data.db from staging",
            "Finish steps: rename data.db from install after absent data.db-wal",
            "Finish steps: rename data.db from staging after absent data.db-wal",
            "Finish steps: without absent data.db-wal",
            "Finish steps: without absent data.db-wal (2)",
            "Migrate steps: rename data.db from install after absent data.db-wal",
            "Migrate steps: rename data.db from staging after absent data.db-wal",
            "Migrate steps: without absent data.db-wal",
            "Migrate steps: without absent data.db-wal (2)",
        ],
    ),
    (
        "the flush before the flip makes the journal's name durable with the link's; until then a crash leads back",
        &[
            "Migrate steps: rename journal from journal.tmp (2) after sync-dir",
            "Migrate steps: sync-dir (2) after look data.db",
            "Migrate steps: without sync-dir (2)",
        ],
    ),
    (
        "canonical itself tells that it is v2: from there every start goes forward, whatever the journal says",
        &[
            "Finish steps: rename journal from journal.tmp after sync-dir",
            "Finish steps: sync-dir (2) after cleanup-host",
            "Finish steps: sync-dir (4) after cleanup-host",
            "Finish steps: without rename journal from journal.tmp",
            "Migrate steps: rename journal from journal.tmp (3) after sync-dir",
            "Migrate steps: sync-dir (5) after cleanup-host",
        ],
    ),
    (
        "SQL leaves one file, and the mode that settling sets is no part of what the journal remembers of v2",
        &["Migrate steps: settle staging after check staging"],
    ),
    (
        "leaving WAL mode is a commit of SQLite's, which flushes the directory itself before it changes v1",
        &["Migrate steps: sync-dir after settle data.db"],
    ),
    (
        "nobody reads the journal's temporary file: both are flushed before its rename",
        &[
            "Finish steps: sync-file backup.json after write-journal journal.tmp committed",
            "Migrate steps: sync-file backup.json after write-journal journal.tmp committed",
            "Migrate steps: sync-file install after write-journal journal.tmp built",
            "Migrate steps: sync-file staging after write-journal journal.tmp built",
        ],
    ),
    ("the look at v2 changes nothing that is flushed", &["Migrate steps: verify-host install after sync-file install"]),
    (
        "the receipt lies in another directory than the companion",
        &[
            "Migrate steps: sync-dir of the companion (2) after write-receipt backup.json",
            "Migrate steps: sync-dir of the companion (3) after write-receipt backup.json",
        ],
    ),
    (
        "the lock ends with the run at the latest, and nothing waits for it in between",
        &[
            "Finish steps: without unlock-v1",
            "Finish undo: unlock-v1 after undo-host",
            "Migrate steps: without unlock-v1",
            "Migrate undo: without unlock-v1",
            "Undo undo: unlock-v1 after undo-host",
            "Undo undo: without unlock-v1",
        ],
    ),
    (
        "v2 was flushed before the journal said built; the check is for a disk that lied, or a person who changed the file",
        &[
            "Finish steps: without check install",
            "Finish steps: without check staging",
            "Finish steps: without detect install",
            "Finish steps: without detect staging",
        ],
    ),
    (
        "what the application undoes lies outside the database, and its companions' turn is before the journal goes either way",
        &[
            "Finish undo: undo-host after look-companion auth.json",
            "Migrate undo: undo-host after look-companion auth.json",
            "Migrate undo: undo-host after remove-link backup",
            "Undo undo: undo-host after look-companion auth.json",
            "Undo undo: undo-host after remove-link backup",
            "Undo undo: undo-host after rename auth.json.displaced-* from auth.json",
            "Undo undo: undo-host after sync-dir of the companion",
        ],
    ),
    (
        "a companion that is put back takes its backup's name with it, so the flush after the removal serves both",
        &[
            "Undo undo: rename auth.json from auth.json.v1-v2-* after sync-dir of the companion",
            "Undo undo: sync-dir of the companion (2) after remove auth.json.building-*",
            "Undo undo: sync-dir of the companion after remove auth.json.building-*",
            "Undo undo: sync-dir of the companion after rename auth.json from auth.json.v1-v2-*",
        ],
    ),
    (
        "a start that undoes what it could go on with builds v2 anew: as safe, and slower; no state was met in which canonical is missing or unread",
        &[
            "recovery table: Committed after GoBack",
            "recovery table: GoOn after GoBack",
            "recovery table: Missing after GoBack",
            "recovery table: Unread after GoBack",
        ],
    ),
    (
        "what made this start undo is still there for the next, which undoes as well",
        &[
            "Undo undo: remove install after sync-dir",
            "Undo undo: remove staging after sync-dir",
            "Undo undo: sync-dir after undo-host",
            "Undo undo: without remove install",
            "Undo undo: without remove staging",
        ],
    ),
    (
        "the flush that follows in the same directory makes durable what this one would",
        &[
            "Undo steps: sync-dir after sync-dir of the companion",
            "Undo steps: without sync-dir of the companion",
            "Undo undo: sync-dir of the companion (2) after remove auth.json.v1-v2-*",
            "Undo undo: sync-dir of the companion after remove auth.json.v1-v2-*",
            "Undo undo: without sync-dir of the companion",
        ],
    ),
    (
        "the model's undo callback opens nothing of v1; the look is for one that does",
        &[
            "Migrate undo: remove source after look data.db",
            "Undo undo: look data.db after restore-mode data.db",
            "Undo undo: remove source after look data.db",
            "Undo undo: without look data.db",
        ],
    ),
];
