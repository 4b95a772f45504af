//! Performs each op on the model disk as the runner does on a real one, change by change. After
//! every change it shows the disk to the explorer, which asks what a crash there would leave.

use std::collections::BTreeMap;

use crate::model::database::{Data, Db, INSTALL_LINE, SOURCE_LINE, STAGING_LINE, V1_LINE};
use crate::model::disk::{Content, HOME};
use crate::model::sqlite::{Seen, seen, sidecar};
use crate::scenario::{Build, HostUse, Zombie};
use crate::sim::faults::os;
use crate::sim::machine::{Machine, Performed, companion_digest};
use cutover_core::{
    BuildFrom, CompanionName, FileName, JournalMode, Op, OpError, OpErrorKind, OpOutcome, Platform,
    Role, Run, companion_backup_tmp_name, companion_staged_name, journal_tmp_name,
};

impl Machine<'_> {
    /// Performs one op.
    pub fn perform(&mut self, op: &Op, text: Option<&str>, run: &mut Run) -> Performed {
        self.planted(op)?;
        let plain = Ok(OpOutcome::Plain);
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
                self.sync_dir(if companion.is_some() { self.scenario.aside() } else { HOME });
                plain
            }
            Op::Link { from, to } => {
                let ((dir, from), (_, to)) = (self.at(from), self.at(to));
                self.exists(dir, from)?;
                match self.state.disk.ino(dir, to) {
                    Some(ino) if Some(ino) == self.state.disk.ino(dir, from) => return plain,
                    Some(_) => return Err(os(self.scenario.platform, 17, 183)),
                    None if !self.scenario.can_link => {
                        return Err(os(self.scenario.platform, 1, 1));
                    }
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
            Op::RenameNew { from, to } => {
                let ((dir, from), (_, to)) = (self.at(from), self.at(to));
                self.exists(dir, from)?;
                self.shared(dir, from, 32)?;
                match self.state.disk.ino(dir, to) {
                    Some(ino) if Some(ino) == self.state.disk.ino(dir, from) => {
                        self.tick(|disk| disk.unlink(dir, from));
                    }
                    Some(_) => return Err(os(self.scenario.platform, 17, 183)),
                    None => self.tick(|disk| disk.rename(dir, from, to)),
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
                self.opens(from);
                let Some(content) = self.state.disk.get(dir, from).cloned() else {
                    return Err(os(self.scenario.platform, 2, 2));
                };
                self.create(dir, to)?;
                self.tick(|disk| disk.write(dir, to, Content::Torn));
                // The copy of a backup that is adopted is read with the backup's own sidecars.
                let adopts = self.scenario.adopts();
                let copy = match content {
                    Content::Db(db) if !adopts => Content::Db(Db { of: self.line(to), ..db }),
                    other => other,
                };
                self.tick(|disk| disk.write(dir, to, copy));
                plain
            }
            Op::Look { file } => {
                let is_staging = matches!(Role::of(self.canonical(), file), Some(Role::Staging(_)));
                let holders = self.holders(file.as_str());
                let copies_pages =
                    run.journal().is_some_and(|journal| journal.strategy.copies_pages());
                let may_stay = copies_pages && self.scenario.platform == Platform::Windows;
                if !holders.is_empty() && !is_staging && !may_stay {
                    return Err(OpError::new(OpErrorKind::Held { holders }, "held"));
                }
                Ok(OpOutcome::Looked(holders))
            }
            Op::Release {} => {
                self.release();
                plain
            }
            Op::Settle { file, mode } => {
                let own = self.line(file.as_str()) != V1_LINE;
                if !own && *mode == JournalMode::Wal {
                    return self.settle_held(file.as_str()).map(OpOutcome::Settled);
                }
                self.settle(file.as_str(), *mode, !own).map(OpOutcome::Settled)
            }
            Op::RestoreMode { file, mode } => {
                let name = file.as_str();
                self.opens(name);
                self.roll_back(name);
                match seen(&self.state.disk, name) {
                    Seen::Db(_) => {}
                    Seen::Nothing | Seen::NotADatabase => {
                        return Err(OpError::new(OpErrorKind::NotADatabase, "not a database"));
                    }
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
            Op::BuildHost { source, staging } => {
                self.build_host(source.as_str(), staging.as_str(), run)
            }
            Op::Restage { from, to, mode } => {
                let Seen::Db(db) = seen(&self.state.disk, from.as_str()) else {
                    return Err(OpError::new(OpErrorKind::NotADatabase, "empty"));
                };
                let to = to.as_str();
                self.create(HOME, to)?;
                self.transaction(
                    to,
                    Db { mode: JournalMode::Delete, of: self.line(to), counter: 1, ..db },
                    false,
                );
                self.settle(to, *mode, false).map(|_| OpOutcome::Plain)
            }
            Op::Isolate { from, to } => self.isolate(from.as_str(), to.as_str()),
            Op::Check { file } => self.check(file, run),
            Op::CheckPages { file } => {
                self.opens(file.as_str());
                if self.scenario.build == Build::Lossy {
                    return Err(OpError::new(OpErrorKind::V1Corrupt, "pages of v1 are damaged"));
                }
                plain
            }
            Op::Detect { file } => match seen(&self.state.disk, file.as_str()) {
                Seen::Db(Db { data: Data::V2 { .. } | Data::Refused | Data::Damaged, .. }) => plain,
                _ => Err(OpError::new(OpErrorKind::StillOld, "detect says old")),
            },
            Op::VerifyHost { file } => {
                match self.scenario.zombie {
                    Zombie::OnV1InVerify => self.hold(self.scenario.canonical.as_str()),
                    Zombie::OnV2InVerify => {
                        self.hold(file.as_str());
                        let holders = self.holders(file.as_str());
                        return Err(OpError::new(OpErrorKind::Held { holders }, "held"));
                    }
                    _ => {}
                }
                match seen(&self.state.disk, file.as_str()) {
                    Seen::Db(Db { data: Data::Refused, .. }) => {
                        Err(OpError::new(OpErrorKind::Host, "the application does not accept it"))
                    }
                    _ => plain,
                }
            }
            Op::LockV1 { file } => {
                let name = file.as_str();
                self.exists(HOME, name)?;
                self.opens(name);
                self.roll_back(name);
                if self.db(name).is_some_and(|db| db.mode == JournalMode::Wal) {
                    for suffix in ["-wal", "-shm"] {
                        self.tick(|disk| disk.ensure(HOME, &sidecar(name, suffix)));
                    }
                }
                // On Windows an open file cannot be replaced, so the lock is taken and released at
                // once.
                if self.scenario.platform == Platform::Windows {
                    self.close(name);
                } else {
                    self.process.locked = self.state.disk.ino(HOME, name);
                }
                plain
            }
            Op::CheckV1 { file } => {
                self.opens(file.as_str());
                let known =
                    run.journal().and_then(|journal| journal.v1.as_ref()).map(|v1| &v1.fingerprint);
                let now = self.facts(file.as_str(), true).and_then(|facts| facts.fingerprint());
                if now.is_some() && now.as_ref() == known {
                    plain
                } else {
                    Err(OpError::new(OpErrorKind::V1Changed, "v1 changed"))
                }
            }
            Op::UnlockV1 {} => {
                if self.process.locked.take().is_some_and(|ino| {
                    self.state.disk.ino(HOME, self.canonical().as_str()) == Some(ino)
                }) {
                    self.close(self.canonical().as_str());
                }
                plain
            }
            Op::PageCopy { from, to } => self.page_copy(from.as_str(), to.as_str(), run),
            Op::Absent { files } => {
                match files.iter().find(|file| self.state.disk.ino(HOME, file.as_str()).is_some()) {
                    None => plain,
                    Some(file) => Err(OpError::new(OpErrorKind::Sidecar, "a sidecar").of(file)),
                }
            }
            Op::LookCompanion { companion, file, must_be_same } => {
                self.look_companion(companion, file, *must_be_same, run)
            }
            Op::UndoHost {} => {
                self.state.ledger.host = false;
                self.state.ledger.kept = false;
                self.show();
                plain
            }
            Op::CleanupHost {} => {
                self.state.ledger.kept = false;
                self.show();
                plain
            }
        }
    }

    /// Copies a database that a leaked connection holds. The caller knows of it, so opening the
    /// file is no misuse.
    fn isolate(&mut self, from: &str, to: &str) -> Performed {
        self.roll_back(from);
        let Seen::Db(db) = seen(&self.state.disk, from) else {
            return Err(OpError::new(OpErrorKind::NotADatabase, "not a database"));
        };
        self.empty_log(from, true);
        self.process.locked = self.state.disk.ino(HOME, from);
        self.create(HOME, to)?;
        self.tick(|disk| disk.write(HOME, to, Content::Torn));
        self.tick(|disk| disk.write(HOME, to, Content::Db(db)));
        Ok(OpOutcome::Plain)
    }

    fn made_from(&self, v1: Db) -> Data {
        match (self.scenario.build, v1.data) {
            (Build::Right, Data::V1 { rows }) => Data::V2 { of: rows, rows: 0 },
            (Build::Lossy, Data::V1 { .. }) => Data::V2 { of: 0, rows: 0 },
            (Build::StillOld, _) => Data::Partial,
            (Build::Refused, _) => Data::Refused,
            (Build::Right | Build::Lossy | Build::Damaged, _) => Data::Damaged,
        }
    }

    /// Staging is a new file, or the copy of v1 that the application expects.
    fn staging(&mut self, staging: &str) -> Result<(), OpError> {
        match (self.scenario.from, self.db(staging)) {
            (BuildFrom::Empty, _) => self.create(HOME, staging),
            (BuildFrom::Copy, Some(Db { data: Data::V1 { .. }, .. })) => Ok(()),
            (BuildFrom::Copy, _) => Err(OpError::new(OpErrorKind::Host, "no such table")),
        }
    }

    fn build_sql(&mut self, v1: &str, staging: &str) -> Performed {
        self.opens(v1);
        self.staging(staging)?;
        let from = if self.scenario.from == BuildFrom::Copy { staging } else { v1 };
        let Seen::Db(source) = seen(&self.state.disk, from) else {
            return Err(OpError::new(OpErrorKind::V1Corrupt, "no v1"));
        };
        self.state.ledger.kept = true;
        let db = Db {
            data: Data::Partial,
            mode: JournalMode::Delete,
            counter: 1,
            of: self.line(staging),
        };
        self.transaction(staging, db, false);
        self.transaction(staging, Db { data: self.made_from(source), counter: 2, ..db }, false);
        Ok(OpOutcome::Plain)
    }

    fn build_host(&mut self, source: &str, staging: &str, run: &mut Run) -> Performed {
        self.staging(staging)?;
        // A plan of an earlier release copied v1 in a step of its own.
        if self.state.disk.ino(HOME, source).is_none() {
            self.copy_v1(source, run)?;
        }
        let Seen::Db(v1) = seen(&self.state.disk, source) else {
            return Err(OpError::new(OpErrorKind::V1Corrupt, "no v1"));
        };
        self.state.ledger.host = true;
        self.state.ledger.kept = true;
        self.show();
        if self.scenario.host == HostUse::SavesState {
            self.save_state(run)?;
        }
        if source != staging {
            // The application opens its copy of v1 in WAL mode, and leaves sidecars.
            self.tick(|disk| disk.ensure(HOME, &sidecar(source, "-shm")));
            self.tick(|disk| disk.ensure(HOME, &sidecar(source, "-wal")));
            let log = Content::Wal(Db { of: self.line(source), ..v1 });
            self.tick(|disk| disk.write(HOME, &sidecar(source, "-wal"), log));
        }
        let wal = sidecar(staging, "-wal");
        let base =
            Db { data: Data::Partial, mode: JournalMode::Wal, counter: 2, of: self.line(staging) };
        let built = Db { data: self.made_from(v1), ..base };
        self.transaction(staging, base, true);
        self.tick(|disk| disk.ensure(HOME, &sidecar(staging, "-shm")));
        self.tick(|disk| disk.ensure(HOME, &wal));
        self.tick(|disk| disk.write(HOME, &wal, Content::Wal(built)));
        if let Some((name, file)) = &self.scenario.companion {
            self.write_companion(name, file, run);
        }
        if matches!(
            self.scenario.zombie,
            Zombie::None
                | Zombie::OnV1InVerify
                | Zombie::OnV2InVerify
                | Zombie::OnV1Before
                | Zombie::Known
        ) {
            self.empty_log(staging, true);
            self.remove_log(staging);
        } else if self.scenario.zombie == Zombie::OnV1 {
            self.empty_log(staging, true);
            self.remove_log(staging);
            self.hold(self.scenario.canonical.as_str());
        } else {
            self.hold(staging);
        }
        Ok(OpOutcome::Built { expect: BTreeMap::new(), report: None })
    }

    /// The application asks for its copy of v1, which must be the v1 that was settled.
    fn copy_v1(&mut self, source: &str, run: &Run) -> Result<(), OpError> {
        let canonical = self.canonical().as_str();
        self.opens(canonical);
        let (Some(now), Some(db)) = (self.facts(canonical, true), self.db(canonical)) else {
            return Err(OpError::new(OpErrorKind::V1Corrupt, "no v1"));
        };
        let known = run.journal().and_then(|of| of.v1.as_ref()).map(|v1| &v1.fingerprint);
        if now.fingerprint().as_ref() != known {
            return Err(OpError::new(OpErrorKind::V1Changed, "v1 changed"));
        }
        self.create(HOME, source)?;
        self.tick(|disk| disk.write(HOME, source, Content::Torn));
        let copy = Content::Db(Db { of: self.line(source), ..db });
        self.tick(|disk| disk.write(HOME, source, copy));
        Ok(())
    }

    fn save_state(&mut self, run: &mut Run) -> Result<(), OpError> {
        let Ok(text) = run.save_state(serde_json::json!({ "kept": 1 })) else { return Ok(()) };
        let Some(journal) = run.journal() else { return Ok(()) };
        let (tmp, file) = (
            journal_tmp_name(&journal.names.canonical, &journal.label, &journal.nonce),
            journal.file(),
        );
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
        let digest = companion_digest(&new);
        let aside = self.scenario.aside();
        if self.scenario.host == HostUse::WritesInPlace {
            // The callback overwrites what it finds: that loss is its own.
            self.state.ledger.companion_owed = false;
            self.tick(|disk| disk.ensure(aside, file.as_str()));
            self.tick(|disk| disk.write(aside, file.as_str(), Content::Torn));
            self.tick(|disk| disk.write(aside, file.as_str(), new));
            self.tick(|disk| disk.sync_file(aside, file.as_str()));
            self.sync_dir(aside);
            return;
        }
        let Some(journal) = run.journal() else { return };
        let (tmp, staged) = (
            companion_backup_tmp_name(file, &journal.label, &journal.nonce),
            companion_staged_name(file, &journal.nonce),
        );
        self.tick(|disk| disk.ensure(aside, tmp.as_str()));
        self.tick(|disk| disk.write(aside, tmp.as_str(), Content::Torn));
        self.tick(|disk| disk.write(aside, tmp.as_str(), new));
        self.tick(|disk| disk.sync_file(aside, tmp.as_str()));
        self.tick(|disk| disk.rename(aside, tmp.as_str(), staged.as_str()));
        self.sync_dir(aside);
        run.stage_companion(name, digest);
    }

    fn check(&mut self, file: &FileName, run: &Run) -> Performed {
        let name = file.as_str();
        let verify = |why: &str| Err(OpError::new(OpErrorKind::Verify, why));
        if ["-wal", "-shm", "-journal"]
            .iter()
            .any(|suffix| self.state.disk.ino(HOME, &sidecar(name, suffix)).is_some())
        {
            return verify("it is not alone");
        }
        match self.db(name) {
            Some(Db { data: Data::Damaged | Data::Half | Data::Mixed, .. }) => {
                return verify("damaged");
            }
            Some(_) => {}
            None => return verify("not a database"),
        }
        let Some(facts) = self.facts(name, true) else { return verify("missing") };
        if let Some(known) = run.journal().and_then(|journal| journal.v2.as_ref())
            && (facts.size != known.size || facts.page1.as_ref() != Some(&known.page1))
        {
            return verify("not what the journal says");
        }
        Ok(OpOutcome::Checked(facts, Vec::new()))
    }

    fn look_companion(
        &self,
        name: &CompanionName,
        file: &FileName,
        must_be_same: bool,
        run: &Run,
    ) -> Performed {
        let now = self.state.disk.get(self.scenario.aside(), file.as_str()).map(companion_digest);
        let before = run
            .journal()
            .into_iter()
            .flat_map(|j| &j.companions)
            .find(|c| c.name == *name)
            .and_then(|c| c.before.as_ref());
        if must_be_same && before != now.as_ref() {
            return Err(OpError::new(OpErrorKind::CompanionChanged, "the companion changed"));
        }
        Ok(OpOutcome::Companion(now))
    }

    /// Which database a new file of this name is.
    fn line(&self, name: &str) -> u8 {
        match FileName::new(name).ok().and_then(|name| Role::of(self.canonical(), &name)) {
            Some(Role::Source(_)) => SOURCE_LINE,
            Some(Role::Staging(_)) => STAGING_LINE,
            Some(Role::Install(_)) => INSTALL_LINE,
            _ => V1_LINE,
        }
    }
}
