//! Why some mutants make no difference: each is named, in the words of
//! [`Mutant`](crate::mutate::Mutant), under the reason.
//!
//! The same words may fit steps of several plans. What is caught in one of them is caught; the
//! reason is for the others, where a plan that is judged by `validate` alone has this too.

/// The reasons, and the mutants that each explains.
pub(super) const REASONS: [(&str, &[&str]); 84] = [
    (
        "whoever has open what a restore that was killed has replaced outlives this process, \
         which nobody does in the model: `runner/tests/it/stays_open.rs`",
        &[
            "Finish steps: look displaced after look-companion auth.json",
            "Finish steps: look displaced after remove journal.tmp",
            "Finish steps: without look displaced",
        ],
    ),
    (
        "a restore sets aside whatever companion there is, changed or not, so nothing hangs on \
         what was seen of it before a wait",
        &["Restore steps: look displaced after look-companion auth.json"],
    ),
    (
        "the look who stays changes nothing, and what it relies on is no name: the flushes still \
         stand before what is done",
        &[
            "Finish steps: sync-dir after look backup",
            "Finish steps: sync-dir after look displaced",
            "Finish steps: sync-dir of the companion after look backup",
            "Finish steps: sync-dir of the companion after look displaced",
        ],
    ),
    (
        "both only read, and nothing is changed between them",
        &[
            "Finish steps: check install after detect install",
            "Finish steps: check staging after detect staging",
            "Finish steps: check-v1 data.db after look-companion auth.json",
            "Finish steps: detect install after look data.db",
            "Finish steps: detect staging after look data.db",
            "Finish steps: look-companion auth.json after look data.db",
            "Migrate steps: check install after detect install",
            "Migrate steps: check staging after detect staging",
            "Migrate steps: check-v1 data.db after look-companion auth.json",
            "Migrate steps: detect install after verify-host install",
            "Migrate steps: detect staging after verify-host staging",
            "Migrate steps: look data.db (2) after look staging",
            "Migrate steps: look-companion auth.json after look data.db",
        ],
    ),
    (
        "one of them only reads what the other does not change, and both stay under v1's lock and \
         before the flip",
        &[
            "Finish steps: check-v1 data.db after sync-dir",
            "Finish steps: look-companion auth.json after link backup",
            "Finish steps: look-companion auth.json after sync-dir",
            "Finish steps: sync-dir (2) after absent data.db-wal",
            "Migrate steps: look-companion auth.json after link backup",
            "Migrate steps: sync-dir (3) after absent data.db-wal",
            "Restore steps: sync-dir (3) after absent data.db-wal",
        ],
    ),
    (
        "`detect` only reads, and the flush still stands before what relies on it: the journal's \
         `built`, or the field's flip",
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
            "Restore steps: absent data.db-wal (2) after sync-dir",
        ],
    ),
    (
        "both only read behind the flip; which of them stops the start only tells whether this \
         one or the next puts v1 back",
        &[
            "Finish steps: check-v1 backup after absent data.db-wal",
            "Migrate steps: check-v1 backup after absent data.db-wal",
        ],
    ),
    (
        "one only reads what the other does not change, and no flush is passed that it needs",
        &[
            "Finish steps: detect install after remove journal.tmp",
            "Finish steps: detect staging after remove journal.tmp",
            "Finish steps: remove journal.tmp after look data.db",
            "Finish steps: remove journal.tmp after look-companion auth.json",
            "Finish steps: remove source after look data.db",
            "Finish steps: sync-dir (2) after look data.db",
            "Finish steps: sync-dir (2) after look-companion auth.json",
            "Finish steps: sync-dir (3) after look data.db",
            "Finish steps: sync-dir (3) after look-companion auth.json",
            "Finish steps: sync-dir (4) after look-companion auth.json",
            "Migrate steps: remove source after look data.db",
            "Migrate steps: sync-dir (4) after look data.db",
            "Migrate steps: sync-dir (4) after look-companion auth.json",
            "Migrate steps: sync-dir (5) after look-companion auth.json",
            "Restore steps: check install after sync-file install",
            "Restore steps: sync-dir (2) after look data.db",
            "Restore steps: sync-dir (4) after look data.db",
            "Restore steps: sync-dir (5) after look-companion auth.json",
            "Restore undo: sync-dir (2) after look data.db",
            "Undo undo: sync-dir (2) after look data.db",
        ],
    ),
    (
        "canonical is what it was until the journal says `installing`, whose flush makes the name \
         that this is kept under durable as well",
        &[
            "Finish steps: rename backup from source after sync-dir",
            "Finish steps: sync-dir (2) after write-journal journal.tmp installing",
            "Migrate steps: rename backup from source after sync-dir",
            "Migrate steps: sync-dir (3) after write-journal journal.tmp installing",
            "Restore steps: rename displaced from source after sync-dir",
            "Restore steps: sync-dir (3) after write-journal journal.tmp installing",
        ],
    ),
    (
        "a page copy is never put back: beside `installing` a start that finds v2 goes forward as \
         it does beside `committed`",
        &[
            "Migrate steps: rename journal from journal.tmp (4) after sync-dir",
            "Migrate steps: without rename journal from journal.tmp (4)",
        ],
    ),
    (
        "no callback ran since the last look; it is for what another thread of the application \
         opens meanwhile",
        &[
            "Finish steps: look data.db (2) after page-copy data.db",
            "Finish steps: look data.db after page-copy data.db",
            "Finish steps: look data.db after restage source",
            "Finish steps: without look data.db (2)",
            "Migrate steps: look data.db (2) after restage source",
            "Migrate steps: look data.db (3) after page-copy data.db",
            "Migrate steps: look data.db (3) after restage source",
            "Migrate steps: look data.db (4) after page-copy data.db",
            "Migrate steps: without look data.db (4)",
        ],
    ),
    (
        "both only remove what no start needs, and neither is relied on before the next flush",
        &[
            "Finish steps: remove journal.tmp after remove source",
            "Finish undo: remove backup after remove source",
            "Migrate undo: remove backup after remove source",
            "Undo undo: remove backup after remove source",
        ],
    ),
    (
        "v2 may go while v1 is still locked: nobody else has anything to do with it",
        &[
            "Finish undo: unlock-v1 after remove install",
            "Finish undo: unlock-v1 after remove staging",
            "Migrate undo: unlock-v1 after remove install",
            "Migrate undo: unlock-v1 after remove staging",
            "Restore undo: unlock-v1 after remove install",
            "Undo undo: unlock-v1 after remove install",
            "Undo undo: unlock-v1 after remove staging",
        ],
    ),
    (
        "v1 is the backup by then, and the other step does not touch it: the lock may go a step \
         later",
        &[
            "Finish steps: unlock-v1 after look-companion auth.json",
            "Finish steps: unlock-v1 after remove journal.tmp",
            "Migrate steps: unlock-v1 after look-companion auth.json",
            "Migrate steps: unlock-v1 after write-receipt backup.json",
        ],
    ),
    (
        "who writes to v1 once it is unlocked writes to the backup, flushed or not; where the \
         rename is lost, v1 is canonical, differs from its fingerprint, and v2 is built anew",
        &[
            "Finish steps: sync-dir (3) after unlock-v1",
            "Migrate steps: sync-dir (4) after unlock-v1",
        ],
    ),
    (
        "one is the flush of a companion's directory; the other does nothing there, and relies on \
         nothing there",
        &[
            "Clean steps: sync-dir of the companion (2) after sync-dir",
            "Clean steps: sync-dir of the companion after cleanup-host",
            "Clean steps: sync-dir of the companion after remove journal.tmp",
            "Clean steps: sync-dir of the companion after remove source",
            "Finish steps: sync-dir of the companion (2) after sync-dir",
            "Finish steps: sync-dir of the companion (4) after sync-dir",
            "Finish steps: sync-dir of the companion after check install",
            "Finish steps: sync-dir of the companion after remove journal.tmp",
            "Finish steps: sync-dir of the companion after sync-dir",
            "Finish undo: sync-dir of the companion (2) after remove-link backup",
            "Finish undo: sync-dir of the companion (3) after remove backup",
            "Finish undo: sync-dir of the companion (3) after remove-link backup",
            "Migrate steps: sync-dir of the companion (3) after sync-dir",
            "Migrate steps: sync-dir of the companion (4) after sync-dir",
            "Migrate steps: sync-dir of the companion after settle data.db",
            "Migrate undo: sync-dir of the companion (2) after remove-link backup",
            "Migrate undo: sync-dir of the companion (3) after remove backup",
            "Migrate undo: sync-dir of the companion (3) after remove-link backup",
            "Restore steps: sync-dir of the companion (4) after sync-dir",
            "Restore steps: sync-dir of the companion after settle data.db",
            "Restore undo: sync-dir of the companion after sync-dir",
            "Undo undo: sync-dir of the companion (2) after remove backup",
            "Undo undo: sync-dir of the companion (2) after remove-link backup",
            "Undo undo: sync-dir of the companion (3) after remove backup",
            "Undo undo: sync-dir of the companion (3) after remove-link backup",
            "Undo undo: sync-dir of the companion after sync-dir",
        ],
    ),
    (
        "neither needs the other, each may find its work done, and both are flushed before the \
         journal goes",
        &[
            "Clean steps: cleanup-host after remove source",
            "Clean steps: remove source after remove auth.json.building-*",
            "Clean steps: sync-dir after remove source",
            "Clean steps: sync-file backup.json after cleanup-host",
            "Finish steps: cleanup-host after remove source",
            "Finish steps: remove source (2) after remove auth.json.building-*",
            "Finish steps: remove source after remove auth.json.building-*",
            "Finish steps: rename displaced-wal from data.db-wal after remove data.db-shm",
            "Finish steps: sync-dir (2) after remove source",
            "Finish steps: sync-file backup.json after cleanup-host",
            "Finish undo: remove-link backup after remove source",
            "Migrate steps: cleanup-host after remove source",
            "Migrate steps: remove source (2) after remove auth.json.building-*",
            "Migrate steps: remove source after remove auth.json.building-*",
            "Migrate undo: remove-link backup after remove source",
            "Restore steps: remove source after remove auth.json.building-*",
            "Restore undo: remove displaced after remove auth.json.building-*",
            "Restore undo: remove source after remove auth.json.building-*",
            "Restore undo: remove source after remove displaced",
            "Restore undo: remove-link displaced after remove source",
            "Undo undo: remove displaced after remove auth.json.building-*",
            "Undo undo: remove source after remove auth.json.building-*",
            "Undo undo: remove source after remove displaced",
            "Undo undo: remove-link backup after remove source",
            "Undo undo: remove-link displaced after remove source",
        ],
    ),
    (
        "only one of the two is performed: staging is held, or it is free",
        &["Migrate steps: restage install after settle staging"],
    ),
    (
        "a journal that was being written when the look failed is removed by the undo, or by the \
         next start",
        &["Migrate steps: look data.db after write-journal journal.tmp building"],
    ),
    (
        "v1 is not opened before the look that stands before its lock; this one only refuses \
         sooner",
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
            "Undo undo: sync-dir after rename-new data.db from backup",
        ],
    ),
    (
        "a recovery of the field's never took v1's lock, so there is none to let go of",
        &["Finish undo: sync-dir (2) after unlock-v1", "Undo undo: sync-dir (2) after unlock-v1"],
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
        &[
            "Migrate steps: without verify-host install",
            "Migrate steps: without verify-host staging",
        ],
    ),
    (
        "nothing in a plan says whether v2 starts as a copy of v1; SQL that needs its tables \
         fails on an empty file",
        &["Migrate steps: without copy staging"],
    ),
    (
        "a build by SQL leaves no temporary file beside the database: staging was renamed",
        &["Migrate steps: without remove source"],
    ),
    (
        "handles that are not let go of in time are copied around: staging is restaged",
        &[
            "Migrate steps: build-host staging after release",
            "Migrate steps: release after look data.db",
            "Migrate steps: without release",
        ],
    ),
    (
        "the link is undone where the check fails",
        &[
            "Finish steps: check-v1 data.db after link backup",
            "Migrate steps: check-v1 data.db after link backup",
            "Restore steps: check-v1 data.db after link displaced",
        ],
    ),
    (
        "nothing of the application ran since the process was last looked at, so it holds nothing \
         new",
        &[
            "Finish steps: look data.db after lock-v1 data.db",
            "Finish steps: without look data.db",
            "Migrate steps: look data.db (2) after lock-v1 data.db",
            "Migrate steps: without look data.db",
        ],
    ),
    (
        "after an install nothing temporary is beside the companion; this is for a callback that \
         leaves something",
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
            "Finish steps: without remove journal",
            "Finish steps: without sync-dir (7)",
            "Finish undo: remove field-journal after sync-dir",
            "Finish undo: remove journal after sync-dir",
            "Finish undo: without remove field-journal",
            "Finish undo: without remove journal",
            "Finish undo: without sync-dir (4)",
            "Migrate steps: remove journal after sync-dir",
            "Migrate steps: without sync-dir (8)",
            "Migrate undo: remove journal after sync-dir",
            "Migrate undo: without remove journal",
            "Migrate undo: without sync-dir (3)",
            "Restore steps: remove journal after sync-dir",
            "Restore steps: without sync-dir (7)",
            "Restore steps: without sync-dir (8)",
            "Restore undo: remove journal after sync-dir",
            "Restore undo: without remove journal",
            "Restore undo: without sync-dir (4)",
            "SetAside steps: rename journal.aside-* from journal after sync-dir",
            "SetAside steps: without sync-dir (2)",
            "Undo undo: remove field-journal after sync-dir",
            "Undo undo: remove journal after sync-dir",
            "Undo undo: without sync-dir (3)",
            "Undo undo: without sync-dir (4)",
        ],
    ),
    (
        "only the journal's own name changes, and a start that finds it unchanged does the same \
         again",
        &[
            "SetAside steps: sync-dir after rename journal.aside-* from journal",
            "SetAside steps: without sync-dir",
        ],
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
        "what is replaced is one file, locked and checked, so SQLite leaves it no sidecar in the \
         model; the read-back is for one that does",
        &[
            "Finish steps: rename data.db from install after absent data.db-wal",
            "Finish steps: rename data.db from staging after absent data.db-wal",
            "Finish steps: rename-new data.db from staging after absent data.db-wal",
            "Finish steps: without absent data.db-wal",
            "Finish steps: without absent data.db-wal (2)",
            "Migrate steps: rename data.db from install after absent data.db-wal",
            "Migrate steps: rename data.db from staging after absent data.db-wal",
            "Migrate steps: without absent data.db-wal",
            "Migrate steps: without absent data.db-wal (2)",
            "Restore steps: rename data.db from install after absent data.db-wal",
            "Restore steps: without absent data.db-wal",
            "Restore steps: without absent data.db-wal (2)",
        ],
    ),
    (
        "the flush before the flip makes the journal's name durable with the link's; until then a \
         crash leads back",
        &[
            "Migrate steps: rename journal from journal.tmp (2) after sync-dir",
            "Migrate steps: sync-dir (2) after look data.db",
            "Migrate steps: sync-dir (2) after remove source",
            "Migrate steps: without sync-dir (2)",
            "Restore steps: rename journal from journal.tmp (2) after sync-dir",
            "Restore steps: without sync-dir (2)",
        ],
    ),
    (
        "canonical itself tells that it is v2: from there every start goes forward, whatever the \
         journal says",
        &[
            "Finish steps: rename journal from journal.tmp (2) after sync-dir",
            "Finish steps: rename journal from journal.tmp after sync-dir",
            "Finish steps: sync-dir (2) after cleanup-host",
            "Finish steps: sync-dir (3) after cleanup-host",
            "Finish steps: sync-dir (4) after cleanup-host",
            "Finish steps: sync-dir (5) after cleanup-host",
            "Finish steps: without rename journal from journal.tmp (2)",
            "Migrate steps: rename journal from journal.tmp (3) after sync-dir",
            "Migrate steps: sync-dir (5) after cleanup-host",
            "Migrate steps: sync-dir (6) after cleanup-host",
        ],
    ),
    (
        "SQL leaves one file, and the mode that settling sets is no part of what the journal \
         remembers of v2",
        &["Migrate steps: settle staging after check staging"],
    ),
    (
        "leaving WAL mode is a commit of SQLite's, which flushes the directory itself before it \
         changes v1",
        &[
            "Migrate steps: sync-dir after settle data.db",
            "Restore steps: sync-dir after settle data.db",
        ],
    ),
    (
        "nobody reads the journal's temporary file: both are flushed before its rename",
        &[
            "Finish steps: sync-file backup.json after write-journal journal.tmp committed",
            "Migrate steps: sync-file backup.json after write-journal journal.tmp committed",
            "Migrate steps: sync-file install after write-journal journal.tmp built",
            "Migrate steps: sync-file staging after write-journal journal.tmp built",
            "Restore steps: sync-dir of the companion (3) after write-journal journal.tmp \
             committed",
            "Restore steps: sync-file install after write-journal journal.tmp built",
            "Restore steps: sync-dir (5) after write-journal journal.tmp committed",
        ],
    ),
    (
        "the look at v2 changes nothing that is flushed",
        &["Migrate steps: verify-host install after sync-file install"],
    ),
    (
        "the receipt lies in another directory than the companion",
        &[
            "Finish steps: sync-dir of the companion (3) after write-receipt backup.json",
            "Migrate steps: sync-dir of the companion (2) after write-receipt backup.json",
            "Migrate steps: sync-dir of the companion (3) after write-receipt backup.json",
        ],
    ),
    (
        "the lock ends with the run at the latest, and nothing waits for it in between",
        &[
            "Finish steps: without unlock-v1",
            "Finish undo: unlock-v1 after undo-host",
            "Finish undo: without unlock-v1",
            "Migrate steps: without unlock-v1",
            "Migrate undo: without unlock-v1",
            "Restore steps: without unlock-v1",
            "Restore undo: without unlock-v1",
            "Undo undo: unlock-v1 after undo-host",
            "Undo undo: without unlock-v1",
        ],
    ),
    (
        "v2 was flushed before the journal said built; the check is for a disk that lied, or a \
         person who changed the file",
        &[
            "Finish steps: without check install",
            "Finish steps: without check staging",
            "Finish steps: without detect install",
            "Finish steps: without detect staging",
        ],
    ),
    (
        "what the application undoes lies outside the database, and its companions' turn is \
         before the journal goes either way",
        &[
            "Finish undo: undo-host after link auth.json.displaced-*",
            "Finish undo: undo-host after look-companion auth.json",
            "Finish undo: undo-host after remove backup",
            "Finish undo: undo-host after remove-link backup",
            "Finish undo: undo-host after rename auth.json.displaced-* from auth.json",
            "Migrate undo: undo-host after look-companion auth.json",
            "Migrate undo: undo-host after remove backup",
            "Migrate undo: undo-host after remove-link backup",
            "Undo undo: undo-host after link auth.json.displaced-*",
            "Undo undo: undo-host after remove backup",
            "Undo undo: undo-host after remove-link backup",
            "Undo undo: undo-host after rename auth.json.displaced-* from auth.json",
            "Undo undo: undo-host after sync-dir of the companion",
        ],
    ),
    (
        "a companion that is put back takes its backup's name with it, so the flush after the \
         removal serves both",
        &[
            "Migrate undo: without sync-dir of the companion (2)",
            "Undo undo: rename auth.json from auth.json.v1-v2-* after sync-dir of the companion",
            "Undo undo: sync-dir of the companion (2) after remove auth.json.building-*",
            "Undo undo: sync-dir of the companion after remove auth.json.building-*",
        ],
    ),
    (
        "a start that undoes what it could go on with builds v2 anew: as safe, and slower; no \
         state was met in which canonical is missing or unread",
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
            "Undo undo: sync-dir after remove source",
            "Undo undo: sync-dir after undo-host",
        ],
    ),
    (
        "the flush that follows in the same directory makes durable what this one would",
        &[
            "Finish undo: rename auth.json from auth.json.v1-v2-* after sync-dir of the companion",
            "Finish undo: rename auth.json.displaced-* from auth.json after sync-dir of the \
             companion",
            "Finish undo: sync-dir of the companion (2) after remove auth.json.building-*",
            "Finish undo: sync-dir of the companion (2) after remove auth.json.v1-v2-*",
            "Finish undo: sync-dir of the companion after remove auth.json.building-*",
            "Finish undo: sync-dir of the companion after remove auth.json.v1-v2-*",
            "Migrate undo: rename auth.json from auth.json.v1-v2-* after sync-dir of the companion",
            "Migrate undo: rename auth.json.displaced-* from auth.json after sync-dir of the \
             companion",
            "Migrate undo: sync-dir of the companion (2) after remove auth.json.building-*",
            "Migrate undo: sync-dir of the companion after remove auth.json.building-*",
            "Migrate undo: sync-dir of the companion after rename auth.json from auth.json.v1-v2-*",
            "Undo steps: sync-dir after sync-dir of the companion",
            "Undo undo: sync-dir of the companion (2) after remove auth.json.v1-v2-*",
            "Undo undo: sync-dir of the companion after remove auth.json.v1-v2-*",
        ],
    ),
    (
        "the model's undo callback opens nothing of v1; the look is for one that does",
        &[
            "Finish undo: look data.db after restore-mode data.db",
            "Finish undo: remove source after look data.db",
            "Finish undo: without look data.db",
            "Migrate undo: remove source after look data.db",
            "Undo undo: look data.db after restore-mode data.db",
            "Undo undo: remove source after look data.db",
            "Undo undo: without look data.db",
        ],
    ),
    (
        "what is seen is flushed before the first change that builds on it all the same",
        &[
            "Finish steps: remove data.db-shm after sync-dir",
            "Finish steps: sync-dir (3) after remove backup.json",
            "Finish steps: sync-dir after check install",
            "Finish steps: sync-dir after check staging",
            "Finish steps: sync-dir after remove backup.json",
            "Finish steps: sync-dir after remove data.db-shm",
            "Finish steps: sync-dir after remove journal.tmp",
            "Finish steps: sync-dir after rename displaced-wal from data.db-wal",
            "Finish steps: sync-dir after sync-dir of the companion",
            "Finish steps: sync-dir of the companion (3) after remove journal.tmp",
            "Finish steps: sync-dir of the companion after look-companion auth.json",
        ],
    ),
    (
        "each of the two databases is settled alone",
        &["Finish steps: settle backup after settle staging"],
    ),
    (
        "the daemon in the field closed its staging whole and flushed it, in the model; this is \
         for one that did not",
        &[
            "Finish steps: settle staging after check staging",
            "Finish steps: without settle staging",
            "Finish steps: without sync-file staging",
        ],
    ),
    (
        "what is missing fails the next step, before canonical is written to; the start undoes, \
         and builds v2 anew",
        &[
            "Finish steps: remove journal.tmp after write-journal journal.tmp installing",
            "Finish steps: restage source after sync-file source",
            "Finish steps: without restage source",
            "Finish steps: without write-journal journal.tmp installing",
            "Finish steps: write-journal journal.tmp installing after sync-file journal.tmp",
        ],
    ),
    (
        "the receipt is made anew until the journal says committed, which is flushed after both",
        &[
            "Finish steps: sync-dir (2) after write-receipt backup.json",
            "Finish steps: sync-dir (3) after write-receipt backup.json",
            "Finish steps: sync-dir (4) after write-receipt backup.json",
            "Migrate steps: sync-dir (5) after write-receipt backup.json",
        ],
    ),
    (
        "v1 with its log beside it is v1 as well; settled, it is one file that a person can copy",
        &["Finish steps: without settle backup"],
    ),
    (
        "a companion that changed meanwhile is kept beside by the look after the flip; this one \
         has v2 built anew from what it holds now",
        &["Migrate steps: without look-companion auth.json"],
    ),
    (
        "on Windows a flush of a directory does nothing, and the flush of the journal's new file \
         writes everything before it",
        &[
            "Finish undo: rename journal from journal.tmp after sync-dir",
            "Finish undo: without rename journal from journal.tmp",
            "Migrate undo: rename journal from journal.tmp after sync-dir",
            "Migrate undo: without rename journal from journal.tmp",
            "Restore undo: rename journal from journal.tmp after sync-dir",
            "Restore undo: without rename journal from journal.tmp",
            "Undo undo: rename journal from journal.tmp after sync-dir",
            "Undo undo: without rename journal from journal.tmp",
        ],
    ),
    (
        "the journal's rename, which is written through, comes after both",
        &[
            "Finish undo: remove install after write-journal journal.tmp building",
            "Finish undo: remove staging after write-journal journal.tmp building",
            "Migrate undo: remove install after write-journal journal.tmp building",
            "Migrate undo: remove staging after write-journal journal.tmp building",
            "Restore undo: remove install after write-journal journal.tmp building",
        ],
    ),
    (
        "the undo stops for want of it, and the next start undoes",
        &[
            "Finish undo: without write-journal journal.tmp building",
            "Finish undo: write-journal journal.tmp building after sync-file journal.tmp",
            "Migrate undo: without write-journal journal.tmp building",
            "Migrate undo: write-journal journal.tmp building after sync-file journal.tmp",
            "Restore undo: without write-journal journal.tmp building",
            "Restore undo: write-journal journal.tmp building after sync-file journal.tmp",
        ],
    ),
    (
        "SQL does nothing outside the database, so a v2 that the next start installs is whole",
        &[
            "Finish undo: remove staging after sync-dir",
            "Finish undo: without remove staging",
            "Migrate undo: remove staging after sync-dir",
            "Migrate undo: without remove staging",
        ],
    ),
    (
        "one thing is in the way at a time, here the failure that leads to the undo; what the \
         application itself wrote need not be kept",
        &[
            "Migrate undo: link auth.json.displaced-* after sync-dir of the companion",
            "Migrate undo: look-companion auth.json after link auth.json.displaced-*",
            "Migrate undo: without link auth.json.displaced-*",
            "Migrate undo: without sync-dir of the companion",
        ],
    ),
    (
        "a companion that is put back takes its backup's name with it; where a power loss left \
         both, an Undo follows, and removes it",
        &[
            "Finish undo: remove auth.json.v1-v2-* after sync-dir of the companion",
            "Finish undo: without remove auth.json.v1-v2-*",
        ],
    ),
    (
        "until a flush v1 stays in the backup, with its log where it was: the next start gives it \
         back once more",
        &["Undo undo: rename-new data.db from backup after sync-dir"],
    ),
    (
        "v2 keeps canonical's name, so its second one may go before the copy of v1 is gone for \
         good",
        &[
            "Restore undo: sync-dir after remove-link displaced",
            "Undo undo: sync-dir after remove-link displaced",
        ],
    ),
    (
        "what is written to v2 until the flip goes with it to the name that it is set aside \
         under; a log that is left fails the read-back",
        &[
            "Restore steps: lock-v1 data.db after check-v1 data.db",
            "Restore steps: without check-v1 data.db",
        ],
    ),
    (
        "a restore runs nothing of the application, so the process holds what it held when the \
         plan was made; the look is for another thread",
        &[
            "Restore steps: look backup after write-journal journal.tmp building",
            "Restore steps: look data.db (2) after restage source",
            "Restore steps: look data.db (2) after lock-v1 data.db",
            "Restore steps: look data.db after look backup",
            "Restore steps: without look backup",
            "Restore steps: without look data.db",
            "Restore steps: without look data.db (2)",
            "Restore steps: without look data.db (3)",
            "Restore undo: look data.db after restore-mode data.db",
            "Restore undo: without look data.db",
        ],
    ),
    (
        "a restore leaves nothing temporary behind: what it staged was renamed",
        &[
            "Restore steps: remove auth.json.building-* after sync-dir of the companion",
            "Restore steps: remove source after sync-dir",
            "Restore steps: sync-dir (6) after remove journal",
            "Restore steps: without remove auth.json.building-*",
            "Restore steps: without remove source",
            "Restore steps: without sync-dir (6)",
            "Restore steps: without sync-dir of the companion (4)",
        ],
    ),
    (
        "that v1 is canonical and v2 set aside tells every start to go forward, whatever the \
         journal says",
        &[
            "Restore steps: rename journal from journal.tmp (3) after sync-dir",
            "Restore steps: sync-dir (5) after remove source",
            "Restore steps: without rename journal from journal.tmp (3)",
            "Restore steps: without sync-dir (5)",
            "Restore steps: without sync-file journal.tmp (3)",
        ],
    ),
    (
        "one is v2's, the other the copy of v1: neither needs the other",
        &["Restore steps: settle data.db after copy install"],
    ),
    (
        "settling a copy changes nothing but its journal mode, and both stay before its flush",
        &["Restore steps: settle install after check install"],
    ),
    (
        "who writes to v2 once it is unlocked writes to what was set aside, flushed or not; where \
         the rename is lost, that is canonical again",
        &["Restore steps: sync-dir (4) after unlock-v1"],
    ),
    (
        "nobody reads what is staged before the journal says built, and both are flushed before \
         that",
        &["Restore steps: sync-file auth.json.building-* after sync-dir of the companion"],
    ),
    (
        "v2 is set aside by then, and the other step does not touch it: the lock may go a step \
         later",
        &["Restore steps: unlock-v1 after write-journal journal.tmp committed"],
    ),
    (
        "what is temporary is removed, and flushed, twice before the journal goes",
        &[
            "Restore undo: remove install after sync-dir",
            "Restore undo: remove source after sync-dir",
            "Restore undo: sync-dir after remove source",
            "Restore undo: without remove install",
            "Restore undo: without remove source",
            "Restore undo: without sync-dir",
        ],
    ),
    (
        "a receipt whose backup is gone tells of none, and the next prune removes it",
        &[
            "Prune steps: remove data.db.v1-v2-100-*.json after sync-dir",
            "Prune steps: without sync-dir (3)",
        ],
    ),
    (
        "the backups that stay were durable when their upgrades ended; the flush is for one that \
         was copied here since",
        &[
            "Prune steps: sync-dir after remove data.db.v1-v2-100-*",
            "Prune steps: without sync-dir",
        ],
    ),
    (
        "both are flushes, and nothing stands between them",
        &["Finish steps: sync-dir after sync-file data.db-wal"],
    ),
    (
        "a half-written temporary file is nobody's: it may go before canonical's log is flushed",
        &["Finish steps: sync-file data.db-wal after remove journal.tmp"],
    ),
    (
        "whoever made a sidecar of the new file opened it, and the migration's own look and \
         settling, which come next, deal with that",
        &[
            "LeaveZombie steps: absent data.db-wal after sync-dir",
            "LeaveZombie steps: rename data.db from journal.tmp after absent data.db-wal",
            "LeaveZombie steps: without absent data.db-wal",
        ],
    ),
    (
        "the log that may come back is v1's, all of which is in the new file: replayed over it, \
         it changes nothing",
        &[
            "LeaveZombie steps: remove data.db-wal after sync-dir",
            "LeaveZombie steps: sync-dir after rename data.db from journal.tmp",
            "LeaveZombie steps: without sync-dir",
        ],
    ),
    (
        "it is flushed before its rename either way, and until then v1's file is whole without \
         its log, which is empty",
        &["LeaveZombie steps: sync-file journal.tmp after remove data.db-wal"],
    ),
    (
        "the next start without a journal takes the name away",
        &["LeaveZombie undo: without remove journal.tmp"],
    ),
    (
        "what is left is a copy of v2, whole, under the name by which a restore keeps one: it is \
         in nobody's way, and `runner/tests/it/restore_page_copy.rs` sees that it goes",
        &[
            "Restore undo: remove displaced after sync-dir",
            "Restore undo: without remove displaced",
            "Undo undo: remove displaced after sync-dir",
            "Undo undo: without remove displaced",
        ],
    ),
];
