//! The legacy daemon: what was shipped before cutover.

use crate::model::database::{Data, Db};
use crate::model::disk::{Content, HOME};
use crate::scenario::InitialState;
use crate::sim::machine::Machine;
use cutover_core::JournalMode;

/// What the legacy daemon does, step by step. It flushes each file and each directory after each
/// change, so only its steps differ in what they leave. Writing its journal counts as one change.
/// It does not settle v1, and moves the database before its log. Its own recovery removes what it had
/// built before it puts the companion back.
pub fn legacy_daemon(machine: &mut Machine) {
    let scenario = machine.scenario;
    let name = scenario.canonical.as_str();
    let (nonce, ms) = ("0f0f0f0f", "900");
    let (source, staging) = (format!("{name}.source-{nonce}"), format!("{name}.building-{nonce}"));
    let (backup, journal) =
        (format!("{name}.v1-v2-{ms}-{nonce}"), format!("{name}.v1-v2-migration.json"));
    let auth = "auth.json";
    let auth_backup = format!("{auth}.v1-v2-{nonce}");
    let has_companion = scenario.companion.is_some();
    let existed = has_companion && scenario.companion_before;
    let text = |phase: &str| {
        let home = |file: &str| format!("/data/{file}");
        let backup_path = if existed {
            serde_json::json!(format!("/aside/{auth_backup}"))
        } else {
            serde_json::Value::Null
        };
        serde_json::json!({
            "version": 1,
            "source": home(name),
            "normalizedSource": home(&source),
            "staging": home(&staging),
            "backup": home(&backup),
            "authPath": format!("/aside/{auth}"),
            "authBackup": backup_path,
            "authExisted": existed,
            "nonce": nonce,
            "phase": phase,
        })
        .to_string()
    };
    let aside = scenario.aside();
    let write_journal = |machine: &mut Machine, phase: &str| {
        machine.durably(|disk| {
            disk.ensure(HOME, &journal);
            disk.write(HOME, &journal, Content::text(&text(phase)));
        });
    };
    let write = |machine: &mut Machine, dir: usize, file: &str, content: Content| {
        machine.durably(|disk| disk.ensure(dir, file));
        machine.durably(|disk| disk.write(dir, file, Content::Torn));
        machine.durably(|disk| disk.write(dir, file, content));
    };
    let rows = machine.state.ledger.rows;
    // It first reads v1 through SQLite.
    machine.roll_back(name);
    write_journal(machine, "building");
    if existed {
        write(machine, aside, &auth_backup, Content::Companion(0));
    }
    write(machine, HOME, &source, Content::Db(Db { of: 2, ..Db::v1(rows, JournalMode::Delete) }));
    let v2 =
        Db { data: Data::V2 { of: rows, rows: 0 }, mode: JournalMode::Delete, counter: 3, of: 3 };
    write(machine, HOME, &staging, Content::Db(v2));
    if has_companion {
        write(machine, aside, auth, Content::Companion(1));
    }
    if scenario.initial == InitialState::LegacyUndone {
        for file in [&staging, &source] {
            machine.durably(|disk| disk.unlink(HOME, file));
        }
        return put_back(machine, existed);
    }
    write_journal(machine, "built");
    machine.durably(|disk| disk.rename(HOME, name, &backup));
    machine.durably(|disk| disk.rename(HOME, &format!("{name}-wal"), &format!("{backup}-wal")));
    write_journal(machine, "canonical-moved");
    machine.durably(|disk| disk.rename(HOME, &staging, name));
    write_journal(machine, "committed");
    machine.durably(|disk| disk.unlink(HOME, &source));
    machine.durably(|disk| disk.unlink(aside, &auth_backup));
}

/// The companion is put back as far as a killed daemon came, and is not flushed. Its backup is still
/// there.
fn put_back(machine: &mut Machine, existed: bool) {
    let (aside, auth) = (machine.scenario.aside(), "auth.json");
    if existed {
        machine.tick(|disk| disk.write(aside, auth, Content::Empty));
        machine.tick(|disk| disk.write(aside, auth, Content::Torn));
        machine.tick(|disk| disk.write(aside, auth, Content::Companion(0)));
    } else if machine.scenario.companion.is_some() {
        machine.tick(|disk| disk.unlink(aside, auth));
    }
}
