//! Upgrades: recovers, then plans and performs, until the application can open canonical.

use std::path::PathBuf;

use cutover_core::{
    DataState, Event, Failure, Next, Observation, Recovery, Rule, Strategy, Warning, WarningFrom,
    journal_tmp_name, plan_migration,
};
use serde::Serialize;
use serde_json::Value as Json;

use crate::drive::RunEnd;
use crate::error::Error;
use crate::host::Host;
use crate::observe::can_link;
use crate::options::Options;
use crate::os;
use crate::session::{MAX_ATTEMPTS, Session, nonce};
use crate::verbs::backups;
use crate::waiting::refuse_cancelled;

/// What the database is after [`migrate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// It is v2 now. This start installed v2, or a recovery in it did.
    Migrated,
    /// It was v2 already.
    Current,
    /// There is no database, or an empty one. [`MigrateResult::found`] has the files that may hold
    /// its rows.
    NoDatabase,
}

/// What [`migrate`] did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct MigrateResult {
    /// What the database is now.
    pub outcome: Outcome,
    /// What this start recovered before it migrated.
    pub recovery: Recovery,
    /// Where v1 is now, if this start made the cutover, finished it or cleaned up after it. A later
    /// start returns `None`; [`crate::list_backups`] knows.
    pub backup: Option<PathBuf>,
    /// What the host's build returned as its report.
    pub report: Option<Json>,
    /// How v2 became canonical. `None` if this start has no cutover to report.
    pub strategy: Option<Strategy>,
    /// With [`Outcome::NoDatabase`]: the files beside it that may hold rows, as real paths. They are
    /// backups, what was set aside, and files of an unfinished upgrade. Else empty.
    pub found: Vec<PathBuf>,
    /// Problems that did not stop the upgrade. `NO_DATABASE` says that [`Self::found`] is not
    /// empty: show it before the application makes a new database.
    pub warnings: Vec<Warning>,
}

/// Upgrades the database. It finishes or undoes what an earlier start began, then migrates a v1. It
/// leaves a v2 as it is.
///
/// # Errors
/// See [`crate::Code`]. The failure says where the data is: v1 is untouched and in its place,
/// unless v2 is.
pub fn migrate(options: &Options, host: &mut dyn Host) -> Result<MigrateResult, Error> {
    let mut session = Session::own(options, host)?;
    let mut result = session.migrate(host).map_err(|error| session.locate(error))?;
    // If the last start was killed after the commit, it did not prune.
    if let Some(keep) = options.keep_backups.filter(|_| session.finished.is_some()) {
        result.warnings.extend(session.prune(keep, host));
    }
    Ok(result)
}

impl Session<'_> {
    pub(crate) fn result(&mut self, outcome: Outcome) -> MigrateResult {
        let outcome = if self.installed { Outcome::Migrated } else { outcome };
        MigrateResult {
            outcome,
            recovery: self.recovery,
            backup: self.backup(),
            strategy: self.finished.as_ref().map(|journal| journal.strategy),
            report: self.finished.as_ref().and_then(|journal| journal.report.clone()),
            found: Vec::new(),
            warnings: std::mem::take(&mut self.warnings),
        }
    }

    /// A database that is missing beside a backup, or what was set aside, was probably lost.
    fn no_database(&mut self, observation: &Observation, host: &mut dyn Host) -> MigrateResult {
        const MOST: usize = 5;
        let found: Vec<PathBuf> =
            observation.may_hold_rows().map(|(name, _)| self.place.path(name)).collect();
        if !found.is_empty() {
            let is = if observation.canonical_facts().is_some() { "empty" } else { "missing" };
            let told: Vec<String> =
                found.iter().take(MOST).map(|path| path.display().to_string()).collect();
            let more = match found.len() - told.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let message = format!(
                "{} is {is}, and these files may hold its rows: {}{more}; unless it was removed on \
                 purpose, do not make a new database before one of them is put back \
                 (`npx cutover status` says which)",
                self.place.path(&self.place.canonical).display(),
                told.join(", "),
            );
            let code = Some("NO_DATABASE".into());
            let warning = Warning { from: WarningFrom::Cutover, code, message };
            host.event(&Event::Warning { warning: warning.clone() });
            self.warnings.push(warning);
        }
        MigrateResult { found, ..self.result(Outcome::NoDatabase) }
    }

    fn migrate(&mut self, host: &mut dyn Host) -> Result<MigrateResult, Error> {
        refuse_cancelled(host)?;
        let mut given_up: Option<Box<Failure>> = None;
        let (mut waited, mut given_way) = (false, false);
        if self.is_as_found() {
            return Ok(self.result(Outcome::Current));
        }
        loop {
            let (mut observation, next) = self.recover(host)?;
            match next {
                Next::NoDatabase => return Ok(self.no_database(&observation, host)),
                Next::Current => {
                    // If the database changed since it was looked at, nothing is known of it now.
                    self.remember(|now, before| before == Some(now));
                    return Ok(self.result(Outcome::Current));
                }
                Next::Recover(_) | Next::Migrate => {}
            }
            if let Some(failure) = given_up {
                return Err(failure.with_v1(&self.place.canonical).into());
            }
            if let Some(moved) = self.moved.take() {
                return Err(moved.with_v1(&self.place.canonical).into());
            }
            refuse_cancelled(host)?;
            if !waited && !observation.holders.is_empty() && !os::OPENING_DROPS_LOCKS {
                waited = true;
                self.wait_for_holders(host)?;
                continue;
            }
            // Not even the hard link of the probe could be removed again there.
            let refused = self.refuse_irreplaceable();
            refused.map_err(|failure| failure.with_v1(&self.place.canonical))?;
            // On Windows, a hard link made while a file is open cannot be removed again.
            if observation.holders_unknown.is_none()
                && (observation.holders.is_empty() || os::OPENING_DROPS_LOCKS)
            {
                observation.can_link = can_link(
                    &self.place,
                    &journal_tmp_name(&self.place.canonical, &self.label, &nonce()),
                );
            }
            let (mut request, mut host_state) = (self.request(&observation), None);
            if let Some(carried) = self.left.take().and_then(|left| left.carried) {
                (request.nonce, host_state) = carried;
            }
            let mut plan = plan_migration(&observation, &request).map_err(|mut failure| {
                failure.waited_ms = self.budget.waited_ms;
                failure.with_v1(&self.place.canonical)
            })?;
            if let Some(journal) = &mut plan.journal {
                journal.host_state = host_state;
            }
            let replaces = plan
                .journal
                .as_ref()
                .is_some_and(|journal| journal.strategy == Strategy::LinkReplace);
            let ending = match self.drive(plan, host) {
                Err(error)
                    if replaces
                        && !given_way
                        && self.is_held_since(&error.failure, DataState::V1) =>
                {
                    // A program opened v1 after the plan was made, and keeps it open. The built v2
                    // is not lost: the recovery copies its pages.
                    (waited, given_way) = (true, true);
                    continue;
                }
                ending => ending?,
            };
            match ending {
                RunEnd::Done(report) => {
                    self.keep(*report);
                    self.remember(|_, _| true);
                    return Ok(self.result(Outcome::Migrated));
                }
                RunEnd::Anew(_) if self.attempt < MAX_ATTEMPTS => self.attempt += 1,
                // v1 changed after the flip. The next recovery puts v1 back before this is
                // reported.
                RunEnd::Anew(failure) if failure.data.state == DataState::FinishAtNextStart => {
                    given_up = Some(failure);
                }
                RunEnd::Anew(failure) => return Err(Error { failure, cause: None }),
            }
        }
    }

    /// Prunes after v2 is in place. A backup that cannot be removed now is a warning.
    fn prune(&mut self, keep: u32, host: &mut dyn Host) -> Vec<Warning> {
        let rule = Rule { keep: Some(keep), older_than_ms: None };
        let messages: Vec<String> = match backups::prune(self, rule, host) {
            Ok(pruned) => pruned
                .left
                .iter()
                .map(|left| {
                    let path = self.place.path(&left.backup);
                    format!(
                        "{} is not pruned: {}; it may be removed by hand, with its receipt, once \
                         no row in it is needed",
                        path.display(),
                        left.why
                    )
                })
                .collect(),
            Err(error) => vec![format!(
                "old backups could not be pruned, and stay until the next prune: {}",
                self.place.locate(*error.failure).to_string()
            )],
        };
        let warn =
            |message| Warning { from: WarningFrom::Cutover, code: Some("PRUNE".into()), message };
        let warnings: Vec<Warning> = messages.into_iter().map(warn).collect();
        for warning in &warnings {
            host.event(&Event::Warning { warning: warning.clone() });
        }
        warnings
    }
}
