//! Ops on databases.

use std::collections::BTreeMap;

use cutover_core::fault::{Holder, OpError, OpErrorKind};
use cutover_core::names::{FileName, Role};
use cutover_core::page1::JournalMode;
use cutover_core::run::{OpOutcome, Run};

use super::{Performed, Performer};
use crate::fsops::{plain, remove};
use crate::holders::holders;
use crate::isolate::Isolated;
use crate::os;
use crate::page_copy::{CommitWatcher, page_copy};
use crate::sqlite::{self, Flush, V1Lock, os_fault};
use crate::types::BuildBy;

impl Performer<'_> {
    pub(super) fn settle(&mut self, file: &FileName, mode: JournalMode, run: &Run) -> Performed {
        let own = run
            .journal()
            .is_some_and(|j| [&j.names.source, &j.names.staging, &j.names.install].contains(&file));
        let flush = if own { Flush::Later } else { Flush::Always };
        if !own && mode == JournalMode::Wal {
            return self.settle_held(file);
        }
        sqlite::settle(&self.place.path(file), mode, flush).map(OpOutcome::Settled).map_err(
            |fault| match fault.cause {
                OpErrorKind::NotADatabase | OpErrorKind::V1Corrupt if own => {
                    OpError { cause: OpErrorKind::Verify, ..fault }.of(file)
                }
                _ => fault.of(file),
            },
        )
    }

    pub(super) fn restore_mode(&self, file: &FileName, mode: JournalMode) -> Performed {
        sqlite::restore_mode(&self.place.path(file), mode)
            .map(|()| OpOutcome::Plain)
            .map_err(|fault| fault.of(file))
    }

    pub(super) fn restage(&self, from: &FileName, to: &FileName, mode: JournalMode) -> Performed {
        let target = self.place.path(to);
        let v1 = self.place.path(&self.place.canonical);
        self.io(&to.into(), |path| plain(os::create_writable(path, &v1).map(drop)))?;
        sqlite::restage(&self.place.path(from), &target, mode).map(|()| OpOutcome::Plain).map_err(
            |fault| {
                // A try that failed must not stand in the way of the next one.
                let _ = remove(&target);
                fault.of(from)
            },
        )
    }

    pub(super) fn isolate(&mut self, from: &FileName, to: &FileName) -> Performed {
        self.isolated = None;
        // What a try that failed has left is in the way of the next one.
        let new = self.place.path(to);
        remove(&new).map_err(|error| os_fault(&error).of(to))?;
        self.isolated =
            Some(Isolated::copy(&self.place.path(from), &new).map_err(|fault| fault.of(from))?);
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

    /// Where opening a file takes nothing from anybody, pages may be copied into one that this
    /// process holds, or somebody who is not named.
    pub(super) fn look(&self, file: &FileName, run: &Run) -> Performed {
        let holders = holders(&self.place.set(file));
        let moved = matches!(
            Role::of(&self.place.canonical, file),
            Some(Role::Backup { .. } | Role::Displaced(_))
        );
        let copies_pages = run.journal().is_some_and(|journal| journal.strategy.copies_pages());
        let may_stay =
            copies_pages && !os::OPENING_DROPS_LOCKS && !holders.iter().any(Holder::is_another);
        if (*file == self.place.canonical || moved) && !holders.is_empty() && !may_stay {
            let fault = OpError::new(OpErrorKind::Held { holders }, "the database is open");
            return Err(fault.of(file));
        }
        Ok(OpOutcome::Looked(holders))
    }

    pub(super) fn build_sql(&self, v1: &FileName, staging: &FileName) -> Performed {
        let BuildBy::Sql(sql) = &self.options.make.run else {
            return Err(OpError::new(
                OpErrorKind::Host,
                "the plan builds by SQL, and the options give none",
            ));
        };
        self.make_staging(staging)?;
        let v1 = self.place.path(v1);
        sqlite::build(&v1, &self.place.path(staging), sql)
            .map(|()| OpOutcome::Plain)
            .map_err(|fault| fault.of(staging))
    }

    /// Staging exists before anybody opens it, so that it has v1's mode and is no link. A copy of
    /// v1 is there already.
    pub(super) fn make_staging(&self, staging: &FileName) -> Performed {
        let v1 = self.place.path(&self.place.canonical);
        if self.place.path(staging).exists() {
            return Ok(OpOutcome::Plain);
        }
        self.io(&staging.into(), |path| plain(os::create_writable(path, &v1).map(drop)))
    }

    pub(super) fn check(&self, file: &FileName, run: &Run) -> Performed {
        let no_expectations = BTreeMap::new();
        let journal = run.journal();
        let expect = journal.map_or(&no_expectations, |journal| &journal.expect);
        // In a recovery of the field's cutover v1 is in the backup already.
        let v1 = journal
            .map(|journal| self.place.path(&journal.names.backup))
            .filter(|_| !self.place.path(&self.place.canonical).exists())
            .unwrap_or_else(|| self.place.path(&self.place.canonical));
        // A host may have made the file anew, with a mode of its own.
        os::adopt(&self.place.path(file), &v1).map_err(|error| os_fault(&error).of(file))?;
        // What refers to nothing in a v1 that comes back did so before, whatever v2 holds.
        let restores = journal.is_some_and(|journal| journal.strategy.restores());
        let v1 = if restores { self.place.path(file) } else { v1 };
        let (facts, warnings) = sqlite::check(
            &self.place.path(file),
            &v1,
            self.options.integrity,
            expect,
            restores || self.options.verify,
        )
        .map_err(|fault| fault.of(file))?;
        if let Some(known) = journal.and_then(|journal| journal.v2.as_ref())
            && (facts.size != known.size || facts.page1.as_ref() != Some(&known.page1))
        {
            return Err(OpError::new(
                OpErrorKind::Verify,
                "what was built is not what the journal says",
            )
            .of(file));
        }
        Ok(OpOutcome::Checked(facts, warnings))
    }

    pub(super) fn check_v1(&self, file: &FileName, run: &Run) -> Performed {
        let Some(lock) = &self.v1 else {
            return Err(OpError::new(
                OpErrorKind::V1Changed,
                "v1 was not locked before it was checked",
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

    /// Only whoever is alone takes a database out of WAL mode, so one that somebody holds stays in
    /// it.
    pub(super) fn settle_held(&mut self, file: &FileName) -> Performed {
        self.witness = None;
        let path = self.place.path(file);
        let witness = CommitWatcher::of(&path).map_err(|fault| fault.of(file))?;
        let facts = sqlite::facts(&path).map_err(|error| os_fault(&error).of(file))?;
        self.witness = Some(witness);
        Ok(OpOutcome::Settled(facts))
    }

    pub(super) fn page_copy(&mut self, from: &FileName, to: &FileName, run: &Run) -> Performed {
        let Some(v1) = run.journal().and_then(|journal| journal.v1.as_ref()) else {
            return Err(OpError::new(OpErrorKind::V1Changed, "nothing is known of v1").of(to));
        };
        let (from, path) = (self.place.path(from), self.place.path(to));
        page_copy(&from, &path, &v1.fingerprint, self.witness.as_mut())
            .map(|()| OpOutcome::Plain)
            .map_err(|fault| fault.of(to))
    }
}
