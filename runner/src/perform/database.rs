//! Ops on databases.

use std::collections::BTreeMap;

use cutover_core::{
    FileName, Holder, JournalMode, OpError, OpErrorKind, OpName, OpOutcome, PlanKind, Role, Run,
};

use super::pages::{PageCheck, checks_pages};
use super::{Performed, Performer};
use crate::fsops::{plain, remove};
use crate::holders::{Seen, holders};
use crate::host::Host;
use crate::isolate::Isolated;
use crate::os;
use crate::page_copy::{CommitWatcher, page_copy};
use crate::sqlite::{self, Flush, Origin, V1Lock, os_fault};
use crate::types::{BuildBy, Unseen};
use crate::watched::{Done, Progress, watched};

impl Performer<'_> {
    pub(super) fn settle(
        &mut self,
        file: &FileName,
        mode: JournalMode,
        run: &Run,
        host: &mut dyn Host,
    ) -> Performed {
        let own = run
            .journal()
            .is_some_and(|j| [&j.names.source, &j.names.staging, &j.names.install].contains(&file));
        let flush = if own { Flush::Later } else { Flush::Always };
        if !own && mode == JournalMode::Wal {
            return self.settle_held(file);
        }
        let path = self.place.path(file);
        // SQLite does not tell how much of a log it has moved.
        let progress = Progress { total: None, ..self.of_pages(OpName::Settle, file, run) };
        watched(&progress, host, |watch| sqlite::settle(&path, mode, flush, watch))
            .map(OpOutcome::Settled)
            .map_err(|fault| match fault.cause {
                // In a restore this is the copy of the backup.
                OpErrorKind::NotADatabase | OpErrorKind::V1Corrupt if restores(run) && own => {
                    let text = format!("the backup is damaged: {}", fault.message);
                    OpError::new(OpErrorKind::V1Corrupt, text).of(file)
                }
                OpErrorKind::NotADatabase | OpErrorKind::V1Corrupt if own => {
                    OpError { cause: OpErrorKind::Verify, ..fault }.of(file)
                }
                _ => fault.of(file),
            })
    }

    pub(super) fn restore_mode(&self, file: &FileName, mode: JournalMode) -> Performed {
        sqlite::restore_mode(&self.place.path(file), mode)
            .map(|()| OpOutcome::Plain)
            .map_err(|fault| fault.of(file))
    }

    pub(super) fn restage(
        &mut self,
        (from, to): (&FileName, &FileName),
        mode: JournalMode,
        run: &Run,
        host: &mut dyn Host,
    ) -> Performed {
        let target = self.place.path(to);
        let v1 = self.place.path(&self.place.canonical);
        self.io(&to.into(), |path| {
            plain(os::create_to_build(path, &os::Rights::of(&v1)?).map(drop))
        })?;
        let (path, progress) = (self.place.path(from), self.of_pages(OpName::Restage, from, run));
        let staged = watched(&progress, host, |watch| sqlite::restage(&path, &target, mode, watch));
        staged.map_err(|fault| {
            // A copy that failed must not stand in the way of the next attempt.
            let _ = remove(&target);
            fault.of(from)
        })?;
        // What is installed is checked before, and gets its rights then. A copy of canonical stays.
        if *from == self.place.canonical {
            let mut lost = Vec::new();
            self.io(&to.into(), |path| {
                let (rights, copy) = (os::Rights::of(&v1)?, os::open_to_give_rights(path)?);
                os::give_rights(&copy, &rights)?;
                lost = rights.lost(&copy)?;
                plain(Ok(()))
            })?;
            self.tell_lost("the copy of", &v1, &lost);
        }
        Ok(OpOutcome::Plain)
    }

    pub(super) fn isolate(
        &mut self,
        from: &FileName,
        to: &FileName,
        run: &Run,
        host: &mut dyn Host,
    ) -> Performed {
        self.isolated = None;
        // A file that a failed attempt left would stand in the way.
        let new = self.place.path(to);
        remove(&new).map_err(|error| os_fault(&error).of(to))?;
        let (path, progress) = (self.place.path(from), self.of_pages(OpName::Isolate, from, run));
        let copied = watched(&progress, host, |watch| Isolated::copy(&path, &new, watch));
        let (isolated, lost) = copied.map_err(|fault| fault.of(from))?;
        self.isolated = Some(isolated);
        self.tell_lost("the new", &self.place.path(from), &lost);
        Ok(OpOutcome::Plain)
    }

    pub(super) fn lock_v1(&mut self, file: &FileName) -> Performed {
        self.v1 = None;
        self.v1 = Some(V1Lock::take(&self.place.path(file)).map_err(|fault| fault.of(file))?);
        Ok(OpOutcome::Plain)
    }

    pub(super) fn unlock_v1(&mut self) {
        (self.v1, self.witness) = (None, None);
    }

    /// Fails if a file that the flip replaces is open. On Windows pages may be copied into a file
    /// that this process has open, or a process that Windows does not name.
    pub(super) fn look(&self, file: &FileName, run: &Run) -> Performed {
        let Seen { holders, unknown } = holders(&self.place.set(file));
        let moved = matches!(
            Role::of(&self.place.canonical, file),
            // A backup that is adopted may have any name.
            None | Some(Role::Backup { .. } | Role::Displaced(_))
        );
        let is_replaced = *file == self.place.canonical || moved;
        if let Some(why) = unknown.filter(|_| is_replaced && self.options.unseen == Unseen::Refuse)
        {
            let fault = OpError::new(
                OpErrorKind::Held { holders },
                format!("which programs have the database open cannot be told now: {why}"),
            );
            return Err(fault.of(file));
        }
        let copies_pages = run.journal().is_some_and(|journal| journal.strategy.copies_pages());
        let may_stay =
            copies_pages && !os::OPENING_DROPS_LOCKS && !holders.iter().any(Holder::is_another);
        if is_replaced && !holders.is_empty() && !may_stay {
            let fault =
                OpError::new(OpErrorKind::Held { holders }, "a program has the database open");
            return Err(fault.of(file));
        }
        Ok(OpOutcome::Looked(holders))
    }

    pub(super) fn build_sql(
        &mut self,
        v1: &FileName,
        staging: &FileName,
        run: &Run,
        host: &mut dyn Host,
    ) -> Performed {
        let BuildBy::Sql(sql) = &self.options.make.run else {
            return Err(OpError::new(
                OpErrorKind::Host,
                "the plan builds v2 by SQL, but the options contain no SQL",
            ));
        };
        self.make_staging(staging)?;
        let (v1, built) = (self.place.path(v1), self.place.path(staging));
        let progress = Progress {
            op: OpName::BuildSql,
            done: Done::SizeOf(&built),
            total: None,
            may_stop: run.can_abort(),
        };
        let mut pages = None;
        let mut begun = || pages = checks_pages(run).then(|| PageCheck::begin(&v1).ok()).flatten();
        let result =
            watched(&progress, host, |watch| sqlite::build(&v1, &built, sql, watch, &mut begun));
        // If the system gives no thread, the check begins after the build.
        self.pages = pages;
        result.map(|()| OpOutcome::Plain).map_err(|fault| {
            let fault = match fault.cause {
                OpErrorKind::V1Corrupt | OpErrorKind::NotADatabase => {
                    self.damage_in_build(&fault, staging, run, host)
                }
                _ => fault.of(staging),
            };
            // What follows looks whether this process has v1 open.
            self.pages = None;
            fault
        })
    }

    /// Makes the staging file before a build opens it, so that it has v1's mode and is no file of
    /// another process, which could read what is built in it. If v2 starts as a copy of v1, or the
    /// build is tried again, this run made the file already.
    pub(super) fn make_staging(&mut self, staging: &FileName) -> Performed {
        let v1 = self.place.path(&self.place.canonical);
        let mut staged = self.staged.take();
        let made = self.io(&staging.into(), |path| {
            os::regular_or_missing(path)?;
            if staged.is_none() || os::file_id(path).ok() != staged {
                let file = os::create_to_build(path, &os::Rights::of(&v1)?)?;
                staged = Some(os::open_file_id(&file)?);
            }
            plain(Ok(()))
        });
        self.staged = staged;
        made
    }

    pub(super) fn check(&mut self, file: &FileName, run: &Run, host: &mut dyn Host) -> Performed {
        let no_expectations = BTreeMap::new();
        let journal = run.journal();
        let expect = journal.map_or(&no_expectations, |journal| &journal.expect);
        let path = self.place.path(file);
        let adopts = run.plan().kind == PlanKind::Adopt;
        // In a recovery of a legacy cutover v1 is already in the backup.
        let v1 = journal
            .map(|journal| self.place.path(&journal.names.backup))
            .filter(|_| !os::exists(&self.place.path(&self.place.canonical)))
            .unwrap_or_else(|| self.place.path(&self.place.canonical));
        // A backup that is adopted has its own rights.
        let v1 = if adopts { path.clone() } else { v1 };
        let rights = os::Rights::of(&v1).map_err(|error| os_fault(&error).of(file))?;
        let checked = os::open_to_give_rights(&self.place.path(file))
            .map_err(|error| os_fault(&error).of(file))?;
        let origin = if restores(run) || adopts {
            Origin::Backup
        } else {
            let (examined, verified) = (self.examined.as_ref(), self.options.verify);
            Origin::Built { v1: &v1, examined, verified }
        };
        let (integrity, progress) =
            (self.options.integrity, self.of_pages(OpName::Check, file, run));
        let checked_by_sqlite = watched(&progress, host, |watch| {
            sqlite::check(&path, origin, integrity, expect, watch)
        });
        let (facts, warnings) = checked_by_sqlite.map_err(|fault| match fault.cause {
            OpErrorKind::Verify if adopts => {
                OpError { cause: OpErrorKind::V1Corrupt, ..fault }.of(file)
            }
            _ => fault.of(file),
        })?;
        if let Some(known) = journal.and_then(|journal| journal.v2.as_ref())
            && (facts.size != known.size || facts.page1.as_ref() != Some(&known.page1))
        {
            return Err(OpError::new(
                OpErrorKind::Verify,
                "what was built differs from the v2 that the journal describes",
            )
            .of(file));
        }
        // A host may have replaced the file by one with another mode. Only what was checked gets v1's
        // rights.
        if os::open_file_id(&checked).ok().as_ref() != Some(&facts.file_id) {
            return Err(OpError::new(
                OpErrorKind::Verify,
                "another program replaced what was built during its check",
            )
            .of(file));
        }
        if !os::give_rights(&checked, &rights).map_err(|error| os_fault(&error).of(file))? {
            return Err(OpError::new(
                OpErrorKind::SecondName,
                "what was built has another hard link, whose rights would change as well",
            )
            .of(file));
        }
        let lost = rights.lost(&checked).map_err(|error| os_fault(&error).of(file))?;
        self.tell_lost("the new", &self.place.path(&self.place.canonical), &lost);
        Ok(OpOutcome::Checked(facts, warnings))
    }

    pub(super) fn check_v1(&self, file: &FileName, run: &Run) -> Performed {
        let Some(lock) = &self.v1 else {
            return Err(OpError::new(
                OpErrorKind::V1Changed,
                "the plan checks v1 before it locks v1",
            )
            .of(file));
        };
        let path = self.place.path(file);
        let facts = lock.facts(&path).map_err(|error| os_fault(&error).of(file))?;
        let same_name = os::file_id(&path).is_ok_and(|now| now == facts.file_id);
        let known = run.journal().and_then(|journal| journal.v1.as_ref()).map(|v1| &v1.fingerprint);
        if same_name && facts.fingerprint().as_ref() == known {
            Ok(OpOutcome::Plain)
        } else {
            Err(OpError::new(
                OpErrorKind::V1Changed,
                "another program wrote to the database while it was upgraded",
            )
            .of(file))
        }
    }

    /// Settles a database that another connection has open. Only a connection that is alone can
    /// take a database out of WAL mode, so this one stays in it.
    pub(super) fn settle_held(&mut self, file: &FileName) -> Performed {
        self.witness = None;
        let path = self.place.path(file);
        let witness = CommitWatcher::of(&path).map_err(|fault| fault.of(file))?;
        let facts = sqlite::facts(&path).map_err(|error| os_fault(&error).of(file))?;
        self.witness = Some(witness);
        Ok(OpOutcome::Settled(facts))
    }

    pub(super) fn page_copy(
        &mut self,
        from: &FileName,
        to: &FileName,
        run: &Run,
        host: &mut dyn Host,
    ) -> Performed {
        let Some(v1) = run.journal().and_then(|journal| journal.v1.as_ref()) else {
            return Err(OpError::new(
                OpErrorKind::V1Changed,
                "the journal does not describe v1, so a change of it cannot be ruled out",
            )
            .of(to));
        };
        let progress = self.of_pages(OpName::PageCopy, from, run);
        let (from, path) = (self.place.path(from), self.place.path(to));
        let (v1, witness) = (&v1.fingerprint, self.witness.as_mut());
        watched(&progress, host, |watch| page_copy(&from, &path, v1, witness, watch))
            .map(|()| OpOutcome::Plain)
            .map_err(|fault| fault.of(to))
    }
}

/// Whether the plan makes a backup the database again.
fn restores(run: &Run) -> bool {
    run.journal().is_some_and(|journal| journal.strategy.restores())
}
