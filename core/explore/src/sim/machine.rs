//! The process of a start on the model disk: what it sees, what it holds open, and how its changes
//! reach the disk.

use std::collections::BTreeMap;

use crate::check::Violation;
use crate::model::database::{Data, Db};
use crate::model::disk::{ASIDE, Content, Disk, HOME, Name};
use crate::model::sqlite::{Seen, seen, sidecar};
use crate::model::state::State;
use crate::scenario::{Scenario, Zombie};
use crate::sim::faults::{Fail, os};
use crate::sim::process::Process;
use cutover_core::{
    CompanionFacts, FileFacts, FileName, Holder, Observation, Op, OpError, OpOutcome, PlanPath,
    Platform, Role, Verdict, legacy_backup, may_open_canonical, must_empty_log,
};

/// Receives the state after every change.
pub type Observer<'a> = &'a mut dyn FnMut(&State);

/// A process of the application, with cutover in it, on the model disk.
pub struct Machine<'a> {
    pub state: State,
    pub scenario: &'a Scenario,
    pub process: Process,
    /// What the process observed last.
    pub seen: Option<Observation>,
    observer: Observer<'a>,
}

pub(crate) type Performed = Result<OpOutcome, OpError>;

pub(crate) fn companion_digest(content: &Content) -> String {
    match content {
        Content::Companion(version) => format!("companion-{version}"),
        _ => "not-a-companion".to_owned(),
    }
}

pub(crate) fn this_process() -> Holder {
    Holder { pid: 1, name: "this".into(), this_process: true }
}

impl<'a> Machine<'a> {
    pub fn new(state: State, scenario: &'a Scenario, observer: Observer<'a>) -> Self {
        Self { state, scenario, process: Process::default(), seen: None, observer }
    }

    pub(crate) fn tick(&mut self, change: impl FnOnce(&mut Disk)) {
        change(&mut self.state.disk);
        (self.observer)(&self.state);
    }

    /// Shows the state to the observer.
    pub(crate) fn show(&mut self) {
        (self.observer)(&self.state);
    }

    /// Makes a change, and everything with it durable.
    pub fn durably(&mut self, change: impl FnOnce(&mut Disk)) {
        self.tick(|disk| {
            change(disk);
            for inode in disk.inodes_mut().values_mut() {
                inode.durable = inode.now.clone();
            }
            disk.sync_dir(HOME);
            disk.sync_dir(ASIDE);
        });
    }

    pub(crate) fn sync_dir(&mut self, dir: usize) {
        // Windows has no directory fsync.
        if self.scenario.platform != Platform::Windows {
            self.tick(|disk| disk.sync_dir(dir));
        }
    }

    pub(crate) fn canonical(&self) -> &'a FileName {
        &self.scenario.canonical
    }

    pub(crate) fn db(&self, name: &str) -> Option<Db> {
        match self.state.disk.get(HOME, name) {
            Some(Content::Db(db)) => Some(*db),
            _ => None,
        }
    }

    pub(crate) fn facts(&self, name: &str, opened: bool) -> Option<FileFacts> {
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

    /// Observes everything but the verdict of `detect`. Changes nothing.
    fn look(&self) -> Observation {
        let canonical = self.canonical().clone();
        let mut files = BTreeMap::new();
        let mut journals = BTreeMap::new();
        for (text, ino) in &*self.state.disk.dirs[HOME].now {
            let Some(name) = FileName::new(&**text).ok() else { continue };
            let Some(role) = Role::of(&canonical, &name) else { continue };
            let opened = matches!(
                role,
                Role::Canonical | Role::Staging(_) | Role::Install(_) | Role::Backup { .. }
            );
            if matches!(role, Role::Journal(_) | Role::LegacyJournal) {
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
        let held = self.holds(canonical.as_str());
        // On Windows, opening a file takes no lock from an open connection.
        let unread = held && self.scenario.platform != Platform::Windows;
        if unread && let Some(facts) = files.get_mut(&canonical) {
            (facts.header, facts.page1) = (None, None);
        }
        let companions = self
            .scenario
            .companion
            .iter()
            .map(|(name, file)| (name.clone(), self.companion_facts(file)))
            .collect();
        let holders = self.holders(canonical.as_str());
        let mut observation = Observation {
            platform: self.scenario.platform,
            canonical,
            files,
            journals,
            verdict: None,
            holders,
            holders_unknown: None,
            free_bytes: Some(1 << 40),
            can_link: self.scenario.can_link,
            companions,
            irregular: BTreeMap::new(),
        };
        if let Some((companion, backup)) = legacy_backup(&observation)
            && let Some(facts) = observation.companions.get_mut(&companion)
        {
            let get = |name: &FileName| self.state.disk.get(self.scenario.aside(), name.as_str());
            // A file that is written in place is torn at its end.
            facts.legacy_backup_is_beginning = match (get(&backup), get(&facts.file)) {
                (Some(Content::Empty), Some(its)) => *its != Content::Empty,
                (Some(Content::Torn), Some(Content::Companion(_))) => true,
                _ => false,
            };
        }
        observation
    }

    /// Observes, with what that changes: a hot rollback journal is rolled back before anything is
    /// judged, and `detect` reads through SQLite.
    pub fn observe(&mut self) -> Observation {
        let is_old = match seen(&self.state.disk, self.scenario.canonical.as_str()) {
            Seen::Db(Db { data: Data::V1 { .. }, .. }) => !self.scenario.restores(),
            Seen::Db(Db { data: Data::V2 { .. }, .. }) => self.scenario.restores(),
            _ => false,
        };
        if self.scenario.zombie == Zombie::OnV1Before && is_old {
            self.hold(self.scenario.canonical.as_str());
        }
        let mut observation = self.look();
        let first = !std::mem::replace(&mut self.process.looked, true);
        if self.scenario.zombie == Zombie::Known && first {
            self.process.known = self.state.disk.ino(HOME, self.scenario.canonical.as_str());
            self.hold(self.scenario.canonical.as_str());
            observation = self.look();
        }
        let name = self.scenario.canonical.as_str();
        if matches!(self.state.disk.get(HOME, &sidecar(name, "-journal")), Some(Content::Hot(_)))
            && (observation.holders.is_empty() || self.scenario.platform == Platform::Windows)
            && may_open_canonical(&observation)
        {
            self.opens(name);
            self.roll_back(name);
            observation = self.look();
        }
        if must_empty_log(&observation) {
            self.opens(name);
            // SQLite flushes a log before it copies its pages to the database (`walCheckpoint` in
            // wal.c). A killed process may not have flushed it.
            self.tick(|disk| disk.sync_file(HOME, &sidecar(name, "-wal")));
            self.empty_log(name, true);
            observation = self.look();
        }
        if observation.canonical_facts().is_some_and(|facts| facts.header.is_some())
            && may_open_canonical(&observation)
        {
            observation.verdict = self.verdict(self.scenario.canonical.as_str());
        }
        self.seen = Some(observation.clone());
        observation
    }

    pub(crate) fn companion_facts(&self, file: &FileName) -> CompanionFacts {
        let entries = self.state.disk.dirs[self.scenario.aside()].now.keys();
        let behind = |name: &&Name| {
            name.strip_prefix(file.as_str()).is_some_and(|rest| rest.starts_with('.'))
        };
        let present: Vec<FileName> =
            entries.filter(behind).filter_map(|name| FileName::new(&**name).ok()).collect();
        let ino = |name: &FileName| self.state.disk.ino(self.scenario.aside(), name.as_str());
        CompanionFacts {
            file: file.clone(),
            path: format!("/aside/{file}"),
            relative: if self.scenario.aside() == HOME {
                file.to_string()
            } else {
                format!("../aside/{file}")
            },
            digest: self.state.disk.get(self.scenario.aside(), file.as_str()).map(companion_digest),
            same: present
                .iter()
                .filter(|name| ino(name).is_some() && ino(name) == ino(file))
                .cloned()
                .collect(),
            present,
            irreplaceable: None,
            legacy_backup_is_beginning: false,
        }
    }

    pub(crate) fn verdict(&mut self, name: &str) -> Option<Verdict> {
        self.opens(name);
        let journal = self.state.disk.get(HOME, &sidecar(name, "-journal"));
        if journal.is_some_and(|content| *content != Content::Empty) {
            self.roll_back(name);
        }
        if self.state.disk.ino(HOME, &sidecar(name, "-wal")).is_some() {
            self.tick(|disk| disk.ensure(HOME, &sidecar(name, "-shm")));
        }
        match seen(&self.state.disk, name) {
            Seen::Db(db) => match db.data {
                Data::V1 { .. } | Data::Partial | Data::Foreign => Some(Verdict::Old),
                Data::V2 { .. } | Data::Refused => Some(Verdict::Current),
                Data::Damaged | Data::Half | Data::Mixed => None,
            },
            Seen::Nothing | Seen::NotADatabase => None,
        }
    }

    pub(crate) fn at<'b>(&self, at: &'b PlanPath) -> (usize, &'b str) {
        (if at.companion.is_some() { self.scenario.aside() } else { HOME }, at.name.as_str())
    }

    /// Fails for an open file on Windows: SQLite opens files without sharing deletion.
    pub(crate) fn shared(&self, dir: usize, name: &str, code: i32) -> Result<(), OpError> {
        let held = self.state.disk.ino(dir, name).is_some_and(|ino| {
            self.process.zombies.contains(&ino) || self.process.locked == Some(ino)
        });
        if held && self.scenario.platform == Platform::Windows {
            Err(os(Platform::Windows, 16, code))
        } else {
            Ok(())
        }
    }

    pub(crate) fn exists(&self, dir: usize, name: &str) -> Result<(), OpError> {
        self.state.disk.ino(dir, name).map(|_| ()).ok_or_else(|| os(self.scenario.platform, 2, 2))
    }

    pub(crate) fn create(&mut self, dir: usize, name: &str) -> Result<(), OpError> {
        let mut fresh = false;
        self.tick(|disk| fresh = disk.create(dir, name));
        if fresh { Ok(()) } else { Err(os(self.scenario.platform, 17, 80)) }
    }

    pub(crate) fn remove(&mut self, dir: usize, name: &str) -> Result<(), OpError> {
        if self.state.disk.ino(dir, name).is_some() {
            self.shared(dir, name, 32)?;
            self.tick(|disk| disk.unlink(dir, name));
        }
        Ok(())
    }

    /// Fails if a planted fault hits this op, after what the fault leaves half done.
    pub(crate) fn planted(&mut self, op: &Op) -> Result<(), OpError> {
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
            // A refused lock and a full disk leave canonical unchanged: SQLite rolls back.
            Op::PageCopy { to, .. } if fail == Fail::Io => self.fails_in_page_copy(to.as_str()),
            Op::Remove { files } => {
                if let Some((dir, name)) = files
                    .iter()
                    .map(|at| self.at(at))
                    .find(|(dir, name)| self.state.disk.ino(*dir, name).is_some())
                    && files.len() > 1
                {
                    self.tick(|disk| disk.unlink(dir, name));
                }
            }
            _ => {}
        }
        Err(fail.error(self.scenario.platform))
    }

    /// Releases handles, unless the scenario's leaked connections keep them.
    pub fn release(&mut self) {
        if self.scenario.zombie == Zombie::UntilReleased {
            self.process.zombies.clear();
            self.state.disk.held.clear();
        }
    }

    /// This process leaks a connection to a file.
    pub(crate) fn hold(&mut self, name: &str) {
        if let Some(ino) = self.state.disk.ino(HOME, name) {
            self.process.zombies.insert(ino);
            self.state.disk.held.insert(ino);
        }
    }

    /// Whether a connection that this process leaks has the file of this name open.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.state.disk.ino(HOME, name).is_some_and(|ino| self.process.zombies.contains(&ino))
    }

    /// Which processes have the file of this name open: this one, by a leaked connection or by its
    /// lock on a file that is no longer canonical; and an older application.
    pub(crate) fn holders(&self, name: &str) -> Vec<Holder> {
        let Some(ino) = self.state.disk.ino(HOME, name) else { return Vec::new() };
        let locked = self.process.locked == Some(ino) && name != self.canonical().as_str();
        let mut holders = Vec::new();
        if locked || self.holds(name) {
            holders.push(this_process());
        }
        if self.process.guest == Some(ino) {
            holders.push(Holder { pid: 2, this_process: false, ..this_process() });
        }
        holders
    }

    /// What must not be true when a start has ended well: an older application has a file open that
    /// is no longer canonical.
    pub fn stayed(&self) -> Option<Violation> {
        let stays = self.process.guest.is_some()
            && self.process.guest != self.state.disk.ino(HOME, self.canonical().as_str());
        stays.then(|| Violation {
            rule: "I9",
            what: "an older application has a file open that is no longer canonical".into(),
        })
    }

    /// Opens a file. On POSIX, closing it drops the locks of a leaked connection to it.
    pub(crate) fn opens(&mut self, name: &str) {
        self.process.dropped_locks |= self.scenario.platform != Platform::Windows
            && name == self.canonical().as_str()
            && self.holds(name);
    }

    /// What a process must never do with files that it holds open.
    pub fn misuse(&self) -> Option<Violation> {
        let canonical = self.canonical().as_str();
        if self.process.dropped_locks {
            return Some(Violation {
                rule: "I9",
                what: format!(
                    "{canonical} was opened by a process that holds it by a leaked connection"
                ),
            });
        }
        let v2 =
            matches!(seen(&self.state.disk, canonical), Seen::Db(Db { data: Data::V2 { .. }, .. }));
        // On Windows a connection to v1 may stay open: v2's pages are copied into v1 through
        // SQLite, and each handle has its own locks.
        let had_v1 = self.scenario.platform == Platform::Windows
            && matches!(
                self.scenario.zombie,
                Zombie::OnV1 | Zombie::OnV1InVerify | Zombie::OnV1Before
            );
        let known = self.process.known.is_some()
            && self.process.known == self.state.disk.ino(HOME, canonical);
        (v2 && self.holds(canonical) && !had_v1 && !known).then(|| Violation {
            rule: "I9",
            what: format!("{canonical} is v2, held by a leaked connection of its build"),
        })
    }
}
