//! Performs each op on the model disk as the runner does on a real one, change by change. After every change the disk is shown to the
//! explorer, which asks what a crash there would leave.

use std::collections::{BTreeMap, BTreeSet};

use super::disk::{Content, Disk, HOME, Inode};
use super::sqlite::{Data, Db, FOREIGN_LINE, Seen, V1_LINE, seen, sidecar};
use super::{Fail, HostUse, Ledger, Planted, Setting, State, Zombie};
use crate::fault::{Cause, Fault, OsCode, Platform};
use crate::names::{At, CompanionName, FileName, Role, companion_staged, journal_tmp};
use crate::observe::{CompanionFacts, FileFacts, Holder, Observation, Verdict};
use crate::op::Op;
use crate::plan::may_open_canonical;
use crate::run::{Done, Run};
use crate::sqlite::JournalMode;

/// Is shown the state after every change.
pub type Tap<'a> = &'a mut dyn FnMut(&State);

/// What dies with the process.
#[derive(Debug, Clone, Default)]
pub struct Process {
    /// The file whose exclusive lock it holds.
    locked: Option<u16>,
    /// The files that it holds open beyond its will.
    zombies: BTreeSet<u16>,
    /// What will fail.
    pub fault: Option<Planted>,
}

/// A start of the application on the model disk, with this project in it.
pub struct Machine<'a> {
    pub state: State,
    pub setting: &'a Setting,
    pub process: Process,
    tap: Tap<'a>,
}

type Performed = Result<Done, Fault>;

fn companion_digest(content: &Content) -> String {
    match content {
        Content::Companion(version) => format!("companion-{version}"),
        _ => "not-a-companion".to_owned(),
    }
}

fn os(platform: Platform, posix: i32, windows: i32) -> Fault {
    let raw = if platform == Platform::Windows { windows } else { posix };
    Fault::new(Cause::Os { os: OsCode::of(platform, raw) }, "planted or modelled")
}

impl<'a> Machine<'a> {
    pub fn new(state: State, setting: &'a Setting, tap: Tap<'a>) -> Self {
        Self { state, setting, process: Process::default(), tap }
    }

    fn tick(&mut self, change: impl FnOnce(&mut Disk)) {
        change(&mut self.state.disk);
        (self.tap)(&self.state);
    }

    /// A change that is flushed at once.
    pub fn durably(&mut self, change: impl FnOnce(&mut Disk)) {
        self.tick(|disk| {
            change(disk);
            for inode in disk.inodes.values_mut() {
                inode.durable = inode.now.clone();
            }
            disk.sync_dir(HOME);
            disk.sync_dir(super::disk::ASIDE);
        });
    }

    fn sync_dir(&mut self, dir: usize) {
        // Windows has no flush of a directory.
        if self.setting.platform != Platform::Windows {
            self.tick(|disk| disk.sync_dir(dir));
        }
    }

    fn canonical(&self) -> &'a FileName {
        &self.setting.canonical
    }

    fn db(&self, name: &str) -> Option<Db> {
        match self.state.disk.get(HOME, name) {
            Some(Content::Db(db)) => Some(*db),
            _ => None,
        }
    }

    /// A commit in rollback mode.
    fn transaction(&mut self, name: &str, to: Db, flush: bool) {
        let journal = sidecar(name, "-journal");
        let before = self.state.disk.get(HOME, name).cloned().unwrap_or(Content::Empty);
        self.tick(|disk| disk.ensure(HOME, &journal));
        if let Content::Db(before) = before {
            self.tick(|disk| disk.write(HOME, &journal, Content::Hot(before)));
        }
        if flush {
            self.tick(|disk| disk.sync_file(HOME, &journal));
            self.sync_dir(HOME);
        }
        self.tick(|disk| disk.write(HOME, name, Content::Db(to)));
        if flush {
            self.tick(|disk| disk.sync_file(HOME, name));
        }
        self.tick(|disk| disk.unlink(HOME, &journal));
    }

    /// What the first read of a read-write connection does: a hot journal is rolled back.
    fn roll_back(&mut self, name: &str) {
        let journal = sidecar(name, "-journal");
        if let (Some(Content::Hot(_)), Seen::Db(db)) = (self.state.disk.get(HOME, &journal), seen(&self.state.disk, name)) {
            self.tick(|disk| disk.write(HOME, name, Content::Db(db)));
            self.tick(|disk| disk.sync_file(HOME, name));
        }
        if self.state.disk.get(HOME, &journal).is_some() {
            self.tick(|disk| disk.unlink(HOME, &journal));
        }
    }

    fn empty_log(&mut self, name: &str, flush: bool) {
        let wal = sidecar(name, "-wal");
        if let (Some(Content::Wal(_)), Seen::Db(db)) = (self.state.disk.get(HOME, &wal), seen(&self.state.disk, name)) {
            self.tick(|disk| disk.write(HOME, name, Content::Db(db)));
            if flush {
                self.tick(|disk| disk.sync_file(HOME, name));
            }
            self.tick(|disk| disk.write(HOME, &wal, Content::Empty));
        }
    }

    fn remove_log(&mut self, name: &str) {
        for suffix in ["-wal", "-shm"] {
            let name = sidecar(name, suffix);
            if self.state.disk.ino(HOME, &name).is_some() {
                self.tick(|disk| disk.unlink(HOME, &name));
            }
        }
    }

    fn set_mode(&mut self, name: &str, mode: JournalMode, flush: bool) {
        if let Some(db) = self.db(name) {
            self.transaction(name, Db { mode, counter: db.counter + 1, ..db }, flush);
        }
    }

    /// Opens, reads, leaves WAL mode, sets the mode, closes, reads back.
    fn settle(&mut self, name: &str, mode: JournalMode, flush: bool) -> Result<FileFacts, Fault> {
        self.roll_back(name);
        match seen(&self.state.disk, name) {
            Seen::Db(Db { data: Data::Damaged | Data::Half | Data::Mixed, .. }) => {
                return Err(Fault::new(Cause::V1Corrupt, "malformed"));
            }
            Seen::Db(_) => {}
            Seen::Nothing | Seen::NotADatabase => return Err(Fault::new(Cause::NotADatabase, "not a database")),
        }
        let wal = sidecar(name, "-wal");
        if self.db(name).is_some_and(|db| db.mode == JournalMode::Wal) || self.state.disk.ino(HOME, &wal).is_some() {
            for suffix in ["-wal", "-shm"] {
                self.tick(|disk| disk.ensure(HOME, &sidecar(name, suffix)));
            }
            self.empty_log(name, flush);
            self.remove_log(name);
            self.set_mode(name, JournalMode::Delete, flush);
        }
        self.remove_log(name);
        if mode == JournalMode::Wal {
            self.set_mode(name, mode, flush);
        }
        self.facts(name, true).ok_or_else(|| os(self.setting.platform, 2, 2))
    }

    fn facts(&self, name: &str, opened: bool) -> Option<FileFacts> {
        let ino = self.state.disk.ino(HOME, name)?;
        let content = &self.state.disk.inodes[&ino].now;
        let (header, page1) = match content {
            Content::Db(db) if opened => {
                let (header, page1) = db.facts();
                (header, Some(page1))
            }
            _ => (None, None),
        };
        let size = match content {
            Content::Empty => 0,
            Content::Torn => 4000,
            Content::Db(Db { data: Data::V2 { .. }, .. }) => 12288,
            Content::Db(_) => 8192,
            Content::Text(text) => text.text.len() as u64,
            _ => 4096,
        };
        Some(FileFacts { size, file_id: format!("1-{ino:x}"), header, page1 })
    }

    /// One look, with what it changes: `detect` reads through SQLite.
    pub fn observe(&mut self) -> Observation {
        let canonical = self.canonical().clone();
        let mut files = BTreeMap::new();
        let mut journals = BTreeMap::new();
        for (text, ino) in &self.state.disk.dirs[HOME].now {
            let Some(name) = FileName::new(&**text).ok() else { continue };
            let Some(role) = Role::of(&canonical, &name) else { continue };
            let opened = matches!(role, Role::Canonical | Role::Staging(_) | Role::Install(_) | Role::Backup { .. });
            if matches!(role, Role::Journal(_) | Role::FieldJournal) {
                let text = match &self.state.disk.inodes[ino].now {
                    Content::Text(text) => Some(text.text.clone()),
                    Content::Empty => Some(String::new()),
                    _ => None,
                };
                journals.insert(name.clone(), text);
            }
            if let Some(facts) = self.facts(text, opened) {
                files.insert(name, facts);
            }
        }
        let companions = self.setting.companion.iter().map(|(name, file)| (name.clone(), self.companion_facts(file))).collect();
        let mut observation = Observation {
            platform: self.setting.platform,
            canonical,
            files,
            journals,
            verdict: None,
            holders: Vec::new(),
            free_bytes: Some(1 << 40),
            companions,
        };
        if observation.canonical_facts().is_some_and(|facts| facts.header.is_some()) && may_open_canonical(&observation) {
            observation.verdict = self.verdict(self.setting.canonical.as_str());
        }
        observation
    }

    fn companion_facts(&self, file: &FileName) -> CompanionFacts {
        let entries = self.state.disk.dirs[self.setting.aside()].now.keys();
        let behind = |name: &&super::disk::Name| name.strip_prefix(file.as_str()).is_some_and(|rest| rest.starts_with('.'));
        CompanionFacts {
            file: file.clone(),
            path: format!("/aside/{file}"),
            beside: self.setting.aside() == HOME,
            digest: self.state.disk.get(self.setting.aside(), file.as_str()).map(companion_digest),
            present: entries.filter(behind).filter_map(|name| FileName::new(&**name).ok()).collect(),
        }
    }

    fn verdict(&mut self, name: &str) -> Option<Verdict> {
        if matches!(self.state.disk.get(HOME, &sidecar(name, "-journal")), Some(content) if *content != Content::Empty) {
            self.roll_back(name);
        }
        if self.state.disk.ino(HOME, &sidecar(name, "-wal")).is_some() {
            self.tick(|disk| disk.ensure(HOME, &sidecar(name, "-shm")));
        }
        match seen(&self.state.disk, name) {
            Seen::Db(db) => match db.data {
                Data::V1 { .. } | Data::Partial | Data::Foreign => Some(Verdict::Old),
                Data::V2 { .. } => Some(Verdict::Current),
                Data::Damaged | Data::Half | Data::Mixed => None,
            },
            Seen::Nothing | Seen::NotADatabase => None,
        }
    }

    /// An application without this project opens canonical with CREATE, sets the journal mode that it knows, commits a row, and closes or is killed. Its
    /// commit is SQLite's own and taken as one change.
    pub fn older_application(&mut self, killed: bool, wal_mode: bool) -> bool {
        let name = self.canonical().to_string();
        let held = self.process.locked.is_some() && self.process.locked == self.state.disk.ino(HOME, &name);
        let found = seen(&self.state.disk, &name);
        let db = match found {
            _ if held => return false,
            Seen::Db(db @ Db { data: Data::V1 { rows }, .. }) => {
                let mode = if wal_mode { JournalMode::Wal } else { JournalMode::Delete };
                let counted = !wal_mode || db.mode != mode;
                Db { data: Data::V1 { rows: rows + 1 }, mode, counter: db.counter + u8::from(counted), ..db }
            }
            Seen::Nothing => Db { data: Data::Foreign, mode: JournalMode::Wal, counter: 1, of: FOREIGN_LINE },
            _ => return false,
        };
        let State { disk, ledger } = &mut self.state;
        let [wal, shm, journal] = ["-wal", "-shm", "-journal"].map(|suffix| sidecar(&name, suffix));
        disk.unlink(HOME, &journal);
        if found == Seen::Nothing {
            disk.unlink(HOME, &wal);
            disk.create(HOME, &name);
        } else {
            ledger.rows += 1;
        }
        if killed {
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
        // A commit that makes a journal or a log flushes the directory. On Windows it flushes that file, and with it every change before it; a log that
        // came back would hold what was committed.
        disk.sync_dir(HOME);
        (self.tap)(&self.state);
        true
    }

    /// The application opens v2 after the upgrade, and commits a row.
    pub fn application(&mut self) -> bool {
        let name = self.canonical().to_string();
        let Seen::Db(db @ Db { data: Data::V2 { of, rows }, .. }) = seen(&self.state.disk, &name) else { return false };
        let State { disk, ledger } = &mut self.state;
        disk.write(HOME, &name, Content::Db(Db { data: Data::V2 { of, rows: rows + 1 }, counter: db.counter + 1, ..db }));
        disk.sync_file(HOME, &name);
        ledger.v2_rows = rows + 1;
        ledger.v2_durable = true;
        (self.tap)(&self.state);
        true
    }

    /// Somebody writes a new companion, as one should: beside it, flushed, renamed, flushed.
    pub fn change_companion(&mut self) -> bool {
        let Some((_, file)) = &self.setting.companion else { return false };
        let aside = self.setting.aside();
        let State { disk, ledger } = &mut self.state;
        disk.create(aside, "new");
        disk.write(aside, "new", Content::Companion(2));
        disk.sync_file(aside, "new");
        disk.rename(aside, "new", file.as_str());
        disk.sync_dir(aside);
        ledger.companion_changed = true;
        (self.tap)(&self.state);
        true
    }

    fn at<'b>(&self, at: &'b At) -> (usize, &'b str) {
        (if at.companion.is_some() { self.setting.aside() } else { HOME }, at.name.as_str())
    }

    /// Windows: SQLite opens without sharing deletion.
    fn shared(&self, dir: usize, name: &str, code: i32) -> Result<(), Fault> {
        let held =
            self.state.disk.ino(dir, name).is_some_and(|ino| self.process.zombies.contains(&ino) || self.process.locked == Some(ino));
        if held && self.setting.platform == Platform::Windows { Err(os(Platform::Windows, 16, code)) } else { Ok(()) }
    }

    fn exists(&self, dir: usize, name: &str) -> Result<(), Fault> {
        self.state.disk.ino(dir, name).map(|_| ()).ok_or_else(|| os(self.setting.platform, 2, 2))
    }

    fn create(&mut self, dir: usize, name: &str) -> Result<(), Fault> {
        let mut fresh = false;
        self.tick(|disk| fresh = disk.create(dir, name));
        if fresh { Ok(()) } else { Err(os(self.setting.platform, 17, 80)) }
    }

    fn remove(&mut self, dir: usize, name: &str) -> Result<(), Fault> {
        if self.state.disk.ino(dir, name).is_some() {
            self.shared(dir, name, 32)?;
            self.tick(|disk| disk.unlink(dir, name));
        }
        Ok(())
    }

    /// Whether a planted fault hits this op, and what it leaves half done.
    fn planted(&mut self, op: &Op) -> Result<(), Fault> {
        let Some(planted) = &mut self.process.fault else { return Ok(()) };
        if planted.op != *op || planted.spent {
            return Ok(());
        }
        planted.spent = !planted.for_ever;
        let fail = planted.fail;
        match op {
            Op::SyncFile { file } => {
                let (dir, name) = self.at(file);
                self.tick(|disk| disk.lose(dir, name));
            }
            Op::WriteJournal { file, .. } | Op::WriteReceipt { file } => {
                self.tick(|disk| disk.ensure(HOME, file.as_str()));
                self.tick(|disk| disk.write(HOME, file.as_str(), Content::Torn));
            }
            Op::Copy { to, .. } => {
                let (dir, name) = self.at(to);
                self.tick(|disk| disk.ensure(dir, name));
                self.tick(|disk| disk.write(dir, name, Content::Torn));
            }
            Op::BuildSql { staging, .. } | Op::BuildHost { staging, .. } => {
                self.tick(|disk| disk.ensure(HOME, staging.as_str()));
            }
            Op::Remove { files } => {
                if let Some((dir, name)) = files.iter().map(|at| self.at(at)).find(|(dir, name)| self.state.disk.ino(*dir, name).is_some())
                    && files.len() > 1
                {
                    self.tick(|disk| disk.unlink(dir, name));
                }
            }
            _ => {}
        }
        let platform = self.setting.platform;
        Err(match fail {
            Fail::Busy => Fault::new(Cause::Busy, "planted: busy"),
            Fail::Shared => os(platform, 11, 32),
            Fail::Denied => os(platform, 13, 5),
            Fail::Full => os(platform, 28, 112),
            Fail::Io => os(platform, 5, 1117),
            Fail::Unsupported => os(platform, 95, 50),
            Fail::Wrong => Fault::new(Cause::Verify, "planted: wrong"),
            Fail::Host => Fault::new(Cause::Host, "planted: the application's own error"),
        })
    }

    /// Performs one op.
    pub fn perform(&mut self, op: &Op, text: Option<&str>, run: &mut Run) -> Performed {
        self.planted(op)?;
        let plain = Ok(Done::Plain);
        match op {
            Op::WriteJournal { file, .. } | Op::WriteReceipt { file } => {
                let name = file.as_str();
                self.create(HOME, name)?;
                self.tick(|disk| disk.write(HOME, name, Content::Torn));
                self.tick(|disk| disk.write(HOME, name, Content::text(text.unwrap_or_default())));
                plain
            }
            Op::SyncFile { file } => {
                let (dir, name) = self.at(file);
                self.exists(dir, name)?;
                self.tick(|disk| disk.sync_file(dir, name));
                plain
            }
            Op::SyncDir { companion } => {
                self.sync_dir(if companion.is_some() { self.setting.aside() } else { HOME });
                plain
            }
            Op::Link { from, to } => {
                let ((dir, from), (_, to)) = (self.at(from), self.at(to));
                self.exists(dir, from)?;
                match self.state.disk.ino(dir, to) {
                    Some(ino) if Some(ino) == self.state.disk.ino(dir, from) => return plain,
                    Some(_) => return Err(os(self.setting.platform, 17, 183)),
                    None => self.tick(|disk| disk.link(dir, from, to)),
                }
                plain
            }
            Op::Rename { from, to } => {
                let ((dir, from), (_, to)) = (self.at(from), self.at(to));
                self.exists(dir, from)?;
                self.shared(dir, from, 32)?;
                self.shared(dir, to, 5)?;
                if self.state.disk.ino(dir, from) == self.state.disk.ino(dir, to) {
                    self.tick(|disk| disk.unlink(dir, from));
                } else {
                    self.tick(|disk| disk.rename(dir, from, to));
                }
                plain
            }
            Op::Remove { files } => {
                for file in files {
                    let (dir, name) = self.at(file);
                    self.remove(dir, name)?;
                }
                plain
            }
            Op::RemoveLink { link, of } => {
                let link_ino = self.state.disk.ino(HOME, link.as_str());
                if link_ino.is_some() && link_ino == self.state.disk.ino(HOME, of.as_str()) {
                    self.remove(HOME, link.as_str())?;
                }
                plain
            }
            Op::Copy { from, to } => {
                let ((dir, from), (_, to)) = (self.at(from), self.at(to));
                let Some(content) = self.state.disk.get(dir, from).cloned() else { return Err(os(self.setting.platform, 2, 2)) };
                self.create(dir, to)?;
                self.tick(|disk| disk.write(dir, to, Content::Torn));
                let copy = match content {
                    Content::Db(db) => Content::Db(Db { of: line(to), ..db }),
                    other => other,
                };
                self.tick(|disk| disk.write(dir, to, copy));
                plain
            }
            Op::Look { file } => {
                let ino = self.state.disk.ino(HOME, file.as_str());
                let held = ino.is_some_and(|ino| self.process.zombies.contains(&ino));
                let holders = if held { vec![Holder { pid: 1, name: "this".into(), this_process: true }] } else { Vec::new() };
                if held && file == self.canonical() {
                    return Err(Fault::new(Cause::Held { holders }, "held"));
                }
                Ok(Done::Looked(holders))
            }
            Op::Release => {
                self.release();
                plain
            }
            Op::Settle { file, mode } => {
                let own = line(file.as_str()) != V1_LINE;
                self.settle(file.as_str(), *mode, !own).map(Done::Settled)
            }
            Op::RestoreMode { file, mode } => {
                let name = file.as_str();
                self.roll_back(name);
                match seen(&self.state.disk, name) {
                    Seen::Db(_) => {}
                    Seen::Nothing | Seen::NotADatabase => return Err(Fault::new(Cause::NotADatabase, "not a database")),
                }
                if self.state.disk.ino(HOME, &sidecar(name, "-wal")).is_some() {
                    self.empty_log(name, true);
                    self.remove_log(name);
                }
                if self.db(name).is_some_and(|db| db.mode != *mode) {
                    self.set_mode(name, *mode, true);
                }
                plain
            }
            Op::BuildSql { v1, staging } => self.build_sql(v1.as_str(), staging.as_str()),
            Op::BuildHost { source, staging } => self.build_host(source.as_str(), staging.as_str(), run),
            Op::Restage { from, to, mode } => {
                let Seen::Db(db) = seen(&self.state.disk, from.as_str()) else { return Err(Fault::new(Cause::NotADatabase, "empty")) };
                let to = to.as_str();
                self.create(HOME, to)?;
                self.transaction(to, Db { mode: JournalMode::Delete, of: line(to), counter: 1, ..db }, false);
                self.settle(to, *mode, false).map(|_| Done::Plain)
            }
            Op::Check { file } => self.check(file, run),
            Op::Detect { file } | Op::VerifyHost { file } => match seen(&self.state.disk, file.as_str()) {
                Seen::Db(Db { data: Data::V2 { .. }, .. }) => plain,
                _ => Err(Fault::new(Cause::StillOld, "detect says old")),
            },
            Op::LockV1 { file } => {
                let name = file.as_str();
                self.exists(HOME, name)?;
                self.roll_back(name);
                if self.db(name).is_some_and(|db| db.mode == JournalMode::Wal) {
                    for suffix in ["-wal", "-shm"] {
                        self.tick(|disk| disk.ensure(HOME, &sidecar(name, suffix)));
                    }
                }
                // On Windows an open file cannot be replaced, so the lock does not outlast its taking.
                if self.setting.platform == Platform::Windows {
                    self.close(name);
                } else {
                    self.process.locked = self.state.disk.ino(HOME, name);
                }
                plain
            }
            Op::CheckV1 { file } => {
                let known = run.journal().and_then(|journal| journal.v1.as_ref()).map(|v1| &v1.fingerprint);
                let now = self.facts(file.as_str(), true).and_then(|facts| facts.fingerprint());
                if now.is_some() && now.as_ref() == known { plain } else { Err(Fault::new(Cause::V1Changed, "v1 changed")) }
            }
            Op::UnlockV1 => {
                if self.process.locked.take().is_some_and(|ino| self.state.disk.ino(HOME, self.canonical().as_str()) == Some(ino)) {
                    self.close(self.canonical().as_str());
                }
                plain
            }
            Op::Absent { files } => match files.iter().find(|file| self.state.disk.ino(HOME, file.as_str()).is_some()) {
                None => plain,
                Some(file) => Err(Fault::new(Cause::Sidecar, "a sidecar").of(file)),
            },
            Op::LookCompanion { companion, file, must_be_same } => self.look_companion(companion, file, *must_be_same, run),
            Op::UndoHost => {
                self.state.ledger.host = false;
                (self.tap)(&self.state);
                plain
            }
            Op::CleanupHost => plain,
        }
    }

    /// The last connection to a set closes.
    fn close(&mut self, name: &str) {
        if self.db(name).is_some_and(|db| db.mode == JournalMode::Wal) {
            self.empty_log(name, true);
            self.remove_log(name);
        }
    }

    /// Handles are released, as far as this scenario's zombies let go.
    pub fn release(&mut self) {
        if self.setting.zombie != Zombie::ForEver {
            self.process.zombies.clear();
        }
    }

    fn build_sql(&mut self, v1: &str, staging: &str) -> Performed {
        let Seen::Db(source) = seen(&self.state.disk, v1) else { return Err(Fault::new(Cause::V1Corrupt, "no v1")) };
        if self.state.disk.ino(HOME, staging).is_none() {
            self.create(HOME, staging)?;
        }
        let db = Db { data: Data::Partial, mode: JournalMode::Delete, counter: 1, of: line(staging) };
        self.transaction(staging, db, false);
        self.transaction(staging, Db { data: made_from(source), counter: 2, ..db }, false);
        Ok(Done::Plain)
    }

    fn build_host(&mut self, source: &str, staging: &str, run: &mut Run) -> Performed {
        let from = if source == staging { self.setting.canonical.as_str() } else { source };
        let Seen::Db(v1) = seen(&self.state.disk, from) else { return Err(Fault::new(Cause::V1Corrupt, "no v1")) };
        if self.state.disk.ino(HOME, staging).is_none() {
            self.create(HOME, staging)?;
        }
        self.state.ledger.host = true;
        (self.tap)(&self.state);
        if self.setting.host == HostUse::SavesState {
            self.save_state(run)?;
        }
        if source != staging {
            // The application opens its copy of v1 as it opens everything, and leaves sidecars.
            self.tick(|disk| disk.ensure(HOME, &sidecar(source, "-shm")));
            self.tick(|disk| disk.ensure(HOME, &sidecar(source, "-wal")));
            self.tick(|disk| disk.write(HOME, &sidecar(source, "-wal"), Content::Wal(Db { of: line(source), ..v1 })));
        }
        let wal = sidecar(staging, "-wal");
        let base = Db { data: Data::Partial, mode: JournalMode::Wal, counter: 2, of: line(staging) };
        let built = Db { data: made_from(v1), ..base };
        self.transaction(staging, base, true);
        self.tick(|disk| disk.ensure(HOME, &sidecar(staging, "-shm")));
        self.tick(|disk| disk.ensure(HOME, &wal));
        self.tick(|disk| disk.write(HOME, &wal, Content::Wal(built)));
        if let Some((name, file)) = &self.setting.companion {
            self.write_companion(name, file, run);
        }
        if self.setting.zombie == Zombie::None {
            self.empty_log(staging, true);
            self.remove_log(staging);
        } else if let Some(ino) = self.state.disk.ino(HOME, staging) {
            self.process.zombies.insert(ino);
        }
        Ok(Done::Built { expect: BTreeMap::new(), report: None })
    }

    fn save_state(&mut self, run: &mut Run) -> Result<(), Fault> {
        let Ok(text) = run.save_state(serde_json::json!({ "kept": 1 })) else { return Ok(()) };
        let Some(journal) = run.journal() else { return Ok(()) };
        let (tmp, file) = (journal_tmp(&journal.names.canonical, &journal.label, &journal.nonce), journal.file());
        self.create(HOME, tmp.as_str())?;
        self.tick(|disk| disk.write(HOME, tmp.as_str(), Content::Torn));
        self.tick(|disk| disk.write(HOME, tmp.as_str(), Content::text(&text)));
        self.tick(|disk| disk.sync_file(HOME, tmp.as_str()));
        self.tick(|disk| disk.rename(HOME, tmp.as_str(), file.as_str()));
        self.sync_dir(HOME);
        Ok(())
    }

    fn write_companion(&mut self, name: &CompanionName, file: &FileName, run: &mut Run) {
        let new = Content::Companion(1);
        let aside = self.setting.aside();
        if self.setting.host == HostUse::WritesInPlace {
            self.tick(|disk| disk.ensure(aside, file.as_str()));
            self.tick(|disk| disk.write(aside, file.as_str(), Content::Torn));
            self.tick(|disk| disk.write(aside, file.as_str(), new));
            self.tick(|disk| disk.sync_file(aside, file.as_str()));
            self.sync_dir(aside);
            return;
        }
        let Some(journal) = run.journal() else { return };
        let staged = companion_staged(file, &journal.nonce);
        self.tick(|disk| disk.ensure(aside, staged.as_str()));
        self.tick(|disk| disk.write(aside, staged.as_str(), Content::Torn));
        self.tick(|disk| disk.write(aside, staged.as_str(), new));
        self.tick(|disk| disk.sync_file(aside, staged.as_str()));
        self.sync_dir(aside);
        run.stage_companion(name);
    }

    fn check(&mut self, file: &FileName, run: &Run) -> Performed {
        let name = file.as_str();
        let verify = |why: &str| Err(Fault::new(Cause::Verify, why));
        if ["-wal", "-shm", "-journal"].iter().any(|suffix| self.state.disk.ino(HOME, &sidecar(name, suffix)).is_some()) {
            return verify("it is not alone");
        }
        match self.db(name) {
            Some(Db { data: Data::Damaged | Data::Half | Data::Mixed, .. }) => return verify("damaged"),
            Some(_) => {}
            None => return verify("not a database"),
        }
        let Some(facts) = self.facts(name, true) else { return verify("missing") };
        if let Some(known) = run.journal().and_then(|journal| journal.v2.as_ref())
            && (facts.size != known.size || facts.page1.as_ref() != Some(&known.page1))
        {
            return verify("not what the journal says");
        }
        Ok(Done::Checked(facts, Vec::new()))
    }

    fn look_companion(&self, name: &CompanionName, file: &FileName, must_be_same: bool, run: &Run) -> Performed {
        let now = self.state.disk.get(self.setting.aside(), file.as_str()).map(companion_digest);
        let before = run.journal().into_iter().flat_map(|j| &j.companions).find(|c| c.name == *name).and_then(|c| c.before.as_ref());
        if must_be_same && before != now.as_ref() {
            return Err(Fault::new(Cause::CompanionChanged, "the companion changed"));
        }
        Ok(Done::Companion(now))
    }

    /// Whether this process holds, beyond its will, the file that is canonical now.
    pub fn holds_canonical(&self) -> bool {
        self.state.disk.ino(HOME, self.canonical().as_str()).is_some_and(|ino| self.process.zombies.contains(&ino))
    }
}

/// Which database a file of this name is.
fn line(name: &str) -> u8 {
    [(".source-", 2), (".building-", 3), (".install-", 4)].into_iter().find(|(part, _)| name.contains(part)).map_or(V1_LINE, |(_, of)| of)
}

fn made_from(v1: Db) -> Data {
    match v1.data {
        Data::V1 { rows } => Data::V2 { of: rows, rows: 0 },
        _ => Data::Damaged,
    }
}

impl Ledger {
    /// Nothing happened yet; v1 has this many rows.
    #[must_use]
    pub fn of(rows: u8) -> Self {
        Self { rows, v2_rows: 0, v2_durable: false, companion_changed: false, host: false }
    }
}

impl Inode {
    /// Whether a power loss may change it.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.now == self.durable
    }
}
