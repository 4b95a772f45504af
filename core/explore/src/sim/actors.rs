//! What other programs do: an older release of the application, the new release after the upgrade,
//! and a program that writes a companion.

use crate::model::database::{Data, Db, FOREIGN_LINE};
use crate::model::disk::{Content, HOME};
use crate::model::sqlite::{Seen, seen, sidecar};
use crate::model::state::State;
use crate::scenario::{Scenario, Zombie};
use crate::sim::faults::{Interference, Planted};
use crate::sim::machine::Machine;
use cutover_core::{Action, JournalMode, Platform, Run};

/// An application without cutover opens canonical with CREATE, sets its own journal mode, commits a
/// row, and closes or is killed. SQLite's commit counts as one change.
pub fn older_application(machine: &mut Machine, killed: bool, wal_mode: bool) -> bool {
    let name = machine.canonical().to_string();
    let held = machine.process.locked.is_some()
        && machine.process.locked == machine.state.disk.ino(HOME, &name);
    let found = seen(&machine.state.disk, &name);
    let [wal, shm, journal] = ["-wal", "-shm", "-journal"].map(|suffix| sidecar(&name, suffix));
    // SQLite deletes the log beside a database that it creates. Only the legacy flip leaves a log
    // alone, and no program can guard it there.
    let orphan = found == Seen::Nothing
        && matches!(machine.state.disk.get(HOME, &wal), Some(Content::Wal(_)));
    // A connection that this process leaks keeps the database in WAL mode, and its log from being
    // emptied.
    let kept_open = machine.holds(&name);
    let stays_wal = |db: &Db| kept_open && db.mode == JournalMode::Wal;
    let db = match found {
        _ if held || (orphan && !machine.scenario.links()) => return false,
        Seen::Db(db @ Db { data: Data::V1 { rows }, .. }) => {
            let wal_mode = wal_mode || stays_wal(&db);
            let mode = if wal_mode { JournalMode::Wal } else { JournalMode::Delete };
            // A change of the mode is a commit as well.
            let counted = u8::from(db.mode != mode) + u8::from(!wal_mode);
            Db { data: Data::V1 { rows: rows + 1 }, mode, counter: db.counter + counted, ..db }
        }
        // A program without cutover's lock may write to the v2 that a restore replaces. On Windows
        // nothing keeps it out until canonical's name leaves v2. What it leaves there when it is
        // killed cannot be guarded.
        Seen::Db(db @ Db { data: Data::V2 { of, rows }, .. })
            if machine.scenario.restores()
                && !(killed && machine.scenario.platform == Platform::Windows) =>
        {
            let mode = if wal_mode { JournalMode::Wal } else { JournalMode::Delete };
            let counted = u8::from(db.mode != mode) + u8::from(!wal_mode);
            Db { data: Data::V2 { of, rows: rows + 1 }, mode, counter: db.counter + counted, ..db }
        }
        Seen::Nothing => {
            Db { data: Data::Foreign, mode: JournalMode::Wal, counter: 1, of: FOREIGN_LINE }
        }
        _ => return false,
    };
    let State { disk, ledger } = &mut machine.state;
    disk.unlink(HOME, &journal);
    if found == Seen::Nothing {
        disk.unlink(HOME, &wal);
        disk.create(HOME, &name);
    } else {
        let rows =
            if matches!(db.data, Data::V2 { .. }) { &mut ledger.v2_rows } else { &mut ledger.rows };
        *rows += 1;
        ledger.mode = None;
    }
    if killed || (kept_open && db.mode == JournalMode::Wal) {
        disk.create(HOME, &wal);
        disk.create(HOME, &shm);
        disk.write(HOME, &shm, Content::Shm);
        disk.write(HOME, &wal, Content::Wal(db));
        disk.sync_file(HOME, &wal);
        let base = match found {
            Seen::Db(before) => Db { mode: db.mode, counter: db.counter, ..before },
            _ => db,
        };
        disk.write(HOME, &name, Content::Db(base));
    } else {
        disk.unlink(HOME, &wal);
        disk.unlink(HOME, &shm);
        disk.write(HOME, &name, Content::Db(db));
    }
    disk.sync_file(HOME, &name);
    // A commit that creates a rollback journal or a log fsyncs the directory. On Windows it flushes
    // that file, and with it every change before. A log that came back would hold what was
    // committed.
    machine.state.disk.sync_dir(HOME);
    machine.show();
    true
}

/// An application without cutover opens canonical and keeps it open, idle. It takes no lock.
pub fn older_application_stays(machine: &mut Machine) -> bool {
    let name = machine.canonical().as_str();
    let opens =
        matches!(seen(&machine.state.disk, name), Seen::Db(_)) && machine.process.guest.is_none();
    let Scenario { platform, zombie, .. } = machine.scenario;
    // Windows cannot replace an open file. A database with a leaked connection stays locked once v1
    // has moved to a new file.
    let nobody_can = *platform == Platform::Windows || *zombie == Zombie::Known;
    if opens && !nobody_can {
        machine.process.guest = machine.state.disk.ino(HOME, name);
    }
    opens && !nobody_can
}

/// The application opens v2 after the upgrade, and commits a row.
pub fn application(machine: &mut Machine) -> bool {
    let name = machine.canonical().to_string();
    let Seen::Db(db @ Db { data: Data::V2 { of, rows }, .. }) = seen(&machine.state.disk, &name)
    else {
        return false;
    };
    let State { disk, ledger } = &mut machine.state;
    let wal = sidecar(&name, "-wal");
    // If a log exists, emptied or not, the commit goes into it.
    let logs = db.mode == JournalMode::Wal && disk.ino(HOME, &wal).is_some();
    let after =
        Db { data: Data::V2 { of, rows: rows + 1 }, counter: db.counter + u8::from(!logs), ..db };
    let (file, content) =
        if logs { (wal, Content::Wal(after)) } else { (name, Content::Db(after)) };
    disk.write(HOME, &file, content);
    disk.sync_file(HOME, &file);
    ledger.v2_rows = rows + 1;
    ledger.v2_durable = true;
    machine.show();
    true
}

/// Another program writes a new companion correctly: a new file, flushed, renamed, and a directory
/// fsync.
pub fn change_companion(machine: &mut Machine) -> bool {
    let Some((_, file)) = &machine.scenario.companion else { return false };
    let aside = machine.scenario.aside();
    let State { disk, ledger } = &mut machine.state;
    disk.create(aside, "new");
    disk.write(aside, "new", Content::Companion(2));
    disk.sync_file(aside, "new");
    disk.rename(aside, "new", file.as_str());
    disk.sync_dir(aside);
    ledger.companion_changed = true;
    ledger.companion_owed = true;
    machine.show();
    true
}

/// Makes the interference happen. False: there is nothing that it could act on.
pub(crate) fn happen(machine: &mut Machine, run: &mut Run, interference: Interference) -> bool {
    match interference {
        Interference::OlderApplication => older_application(machine, false, true),
        Interference::OlderApplicationKilled => older_application(machine, true, true),
        Interference::OlderApplicationInRollbackMode => older_application(machine, false, false),
        Interference::OlderApplicationStays => older_application_stays(machine),
        Interference::CompanionChanged => change_companion(machine),
        Interference::ApplicationWrites => application(machine),
        Interference::FailsOnce(fail) | Interference::Fails(fail) => {
            if let Action::Perform { op, .. } = run.poll() {
                machine.process.fault = Some(Planted {
                    op,
                    fail,
                    for_ever: matches!(interference, Interference::Fails(_)),
                    spent: false,
                });
            }
            true
        }
    }
}
