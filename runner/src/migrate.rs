//! Observe, plan, run; and again, until canonical is what the application opens.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use cutover_core::failure::{Code, Failure, Where};
use cutover_core::fault::{Class, Fault};
use cutover_core::journal::{Journal, Strategy, Warning, WarningFrom};
use cutover_core::names::{Label, Nonce, journal_tmp};
use cutover_core::observe::Observation;
use cutover_core::op::Op;
use cutover_core::plan::{
    By, Next, Plan, PlanKind, Recovery, Request, Rule, assess, assess_left, may_leave_zombie,
    plan_leave_zombie, plan_migration,
};
use cutover_core::run::{Budget, Event, Remains, Report};
use cutover_core::validate::{Severity, validate};
use serde::Serialize;
use serde_json::Value as Json;

use crate::backups;
use crate::companion_lock::CompanionLocks;
use crate::drive::{Ending, drive, wait};
use crate::error::Error;
use crate::host::Host;
use crate::lock::{self, OwnerLock, Turn};
use crate::observe::{Blind, can_link, observe};
use crate::options::{Detect, Held, Lock, Options, Run};
use crate::os;
use crate::perform::name_full_disk;
use crate::place::Place;

/// How often v2 is built anew because v1 changed under it. A program that writes all the time is in
/// the way, not bad luck.
pub(crate) const MAX_ATTEMPTS: u32 = 3;
/// How many recoveries one start performs: our journal, the field's, one of another label, and
/// left-overs, with room to spare.
pub(crate) const MAX_RECOVERIES: u32 = 8;

/// What became of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is v2 now; also when a recovery finished it.
    Migrated,
    /// It was v2 already.
    Current,
    /// There is none.
    NoDatabase,
}

/// What [`migrate`] did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MigrateResult {
    /// What became of the database.
    pub outcome: Outcome,
    /// What was recovered before.
    pub recovery: Recovery,
    /// Where v1 is now, if this start made the cutover, finished it or cleaned up after it. Later
    /// starts give nothing: [`crate::list_backups`] knows.
    pub backup: Option<PathBuf>,
    /// What the host's build returned.
    pub report: Option<Json>,
    /// How v2 became canonical.
    pub strategy: Option<Strategy>,
    /// What went less than well.
    pub warnings: Vec<Warning>,
}

/// What [`recover`] did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoverResult {
    /// What was recovered.
    pub recovery: Recovery,
    /// Where v1 is now, if a cutover was finished.
    pub backup: Option<PathBuf>,
    /// What the host's build had returned.
    pub report: Option<Json>,
    /// What went less than well.
    pub warnings: Vec<Warning>,
}

/// One start: what is known of the place, and what was recovered so far.
pub(crate) struct Start<'a> {
    pub place: Place,
    pub options: &'a Options,
    /// Nothing: what canonical is, nobody asks.
    pub detect: Option<&'a Detect>,
    label: Label,
    pub budget: Budget,
    /// How often the last look was tried.
    looks: u32,
    attempt: u32,
    access: Access,
    recovery: Recovery,
    /// What its recoveries left to the next start.
    left: Option<Remains>,
    /// The cutover to tell of: one that this start installed, or cleaned up after.
    finished: Option<Journal>,
    installed: bool,
    pub warnings: Vec<Warning>,
    companions: CompanionLocks,
    _turn: Option<Turn>,
    _lock: Option<OwnerLock>,
}

/// Upgrades the database: finishes or undoes what an earlier start began, then migrates a v1, and
/// does nothing to anything else.
///
/// # Errors
/// See [`Code`]. The failure says where the data is: v1 is whole in its place unless v2 is.
pub fn migrate(options: &Options, host: &mut dyn Host) -> Result<MigrateResult, Error> {
    let mut start = Start::own(options, host)?;
    let mut result = start.migrate(host).map_err(|error| start.locate(error))?;
    // A start that was killed behind the commit has not pruned.
    if let Some(keep) = options.keep_backups.filter(|_| start.finished.is_some()) {
        result.warnings.extend(start.prune(keep, host));
    }
    Ok(result)
}

/// Finishes or undoes what an earlier start began, and nothing else.
///
/// # Errors
/// As [`migrate`].
pub fn recover(options: &Options, host: &mut dyn Host) -> Result<RecoverResult, Error> {
    let mut start = Start::own(options, host)?;
    let result = start.recover(host).map(|_| ());
    result.map_err(|error| start.locate(error))?;
    let backup = start.backup();
    let report = start.finished.and_then(|journal| journal.report);
    Ok(RecoverResult { recovery: start.recovery, backup, report, warnings: start.warnings })
}

/// What [`migrate`] would do first. Nothing: there is nothing to do. Takes no lock, and changes no
/// more than any reader of the database does: the hot journal of a killed process is rolled back.
/// So whether canonical can be linked is not tried, and taken for granted: [`migrate`] tries.
///
/// # Errors
/// As [`migrate`], for what can be told beforehand.
pub fn plan(options: &Options, host: &mut dyn Host) -> Result<Option<Plan>, Error> {
    let mut start = Start::of(options, Access::Look)?;
    let planned = (|| {
        let observation = start.observe(host)?;
        match start.assess(&observation)? {
            Next::Recover(plan) => Ok(Some(*plan)),
            Next::Migrate => Ok(Some(plan_migration(&observation, &start.request())?)),
            Next::NoDatabase | Next::Current => Ok(None),
        }
    })();
    planned.map_err(|error: Error| start.locate(error))
}

/// Performs exactly the plan that `text` holds, after its structure was checked.
///
/// # Errors
/// `JOURNAL` for a plan that cannot be used or is not for this database; else as [`migrate`].
pub fn run_plan(
    text: &str,
    options: &Options,
    host: &mut dyn Host,
) -> Result<MigrateResult, Error> {
    let mut start = Start::own(options, host)?;
    let result = start.run_plan(text, host);
    result.map_err(|error| start.locate(error))
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Own,
    Look,
}

impl<'a> Start<'a> {
    pub(crate) fn of(options: &'a Options, access: Access) -> Result<Self, Error> {
        let place = Place::of(&options.path, &options.companions)?;
        let label = Label::new(options.label.clone()).map_err(|error| {
            Failure::refusal(Code::Io, error.to_string(), "choose another label")
        })?;
        let lock = match &options.lock {
            Lock::Acquire if access == Access::Own => {
                Some(lock::take(&place).map_err(|failure| place.locate(failure))?)
            }
            Lock::Own(lock) if !lock.is_of(&place) => {
                let hint = "pass the lock that was taken for this path";
                return Err(place
                    .locate(
                        Failure::refusal(Code::Owned, "the lock is another database's", hint)
                            .of(&place.canonical),
                    )
                    .into());
            }
            Lock::Own(lock) => Some(lock.clone()),
            Lock::Acquire | Lock::Held => None,
        };
        let turn = (access == Access::Own)
            .then(|| Turn::take(&place))
            .transpose()
            .map_err(|failure| place.locate(failure))?;
        Ok(Self {
            place,
            options,
            detect: Some(&options.detect),
            label,
            budget: Budget::of(options.wait_ms),
            looks: 1,
            attempt: 1,
            access,
            recovery: Recovery::None,
            left: None,
            finished: None,
            installed: false,
            warnings: Vec::new(),
            companions: CompanionLocks::default(),
            _turn: turn,
            _lock: lock,
        })
    }

    /// With the owner lock, and the companions' until the call ends. Nothing is looked at before.
    pub(crate) fn own(options: &'a Options, host: &mut dyn Host) -> Result<Self, Error> {
        let mut start = Self::of(options, Access::Own)?;
        let locks = CompanionLocks::take(&start.place, &mut start.budget, host);
        start.companions = locks.map_err(|error| start.locate(error))?;
        Ok(start)
    }

    /// Walks a plan to its end, unless it works on a companion that could not be locked.
    pub(crate) fn drive(&mut self, plan: Plan, host: &mut dyn Host) -> Result<Ending, Error> {
        self.companions.allow(&plan)?;
        drive(plan, &mut self.budget, &self.place, self.options, host)
    }

    pub(crate) fn locate(&self, mut error: Error) -> Error {
        *error.failure = self.place.locate(*error.failure);
        error
    }

    fn assess(&self, observation: &Observation) -> Result<Next, Error> {
        Ok(assess(observation, &self.label, &nonce()).map_err(|mut failure| {
            failure.attempts = self.looks;
            failure.waited_ms = self.budget.waited_ms;
            failure
        })?)
    }

    fn request(&self) -> Request {
        Request {
            label: self.label.clone(),
            nonce: nonce(),
            now_ms: now_ms(),
            attempt: self.attempt,
            from: self.options.make.from,
            by: match self.options.make.run {
                Run::Sql(_) => By::Sql,
                Run::Host => By::Host,
            },
            verify: self.options.verify,
        }
    }

    /// Looks, waiting for whoever is in the way within the one budget.
    pub(crate) fn observe(&mut self, host: &mut dyn Host) -> Result<Observation, Error> {
        let (mut tries, mut moves) = (0, 0);
        loop {
            let (reason, holders, failure) = match observe(&self.place, self.detect, host) {
                Ok(observation)
                    if !os::OPENING_DROPS_LOCKS
                        || !observation.holders.iter().any(|holder| holder.this_process) =>
                {
                    return Ok(observation);
                }
                // One of two that is collected meanwhile leaves the other.
                Ok(observation)
                    if tries > 0
                        && moves < MAX_ATTEMPTS
                        && self.may_leave_a_zombie(&observation) =>
                {
                    moves += 1;
                    self.leave_zombie(&observation, host)?;
                    continue;
                }
                Ok(observation) => {
                    let holders = observation.holders.clone();
                    ("this process has the database open".to_owned(), holders, Err(observation))
                }
                Err(Blind::Host(error)) => {
                    if let Err(refused) = refuse_cancelled(host) {
                        return Err(Error { cause: Some(error), ..refused });
                    }
                    let fault = Fault::new(
                        cutover_core::fault::Cause::Host,
                        format!("the application's detect failed: {error}"),
                    );
                    let failure =
                        Failure::from_fault(&fault.of(&self.place.canonical), "detect", false);
                    return Err(Error {
                        failure: Box::new(failure.with_v1(&self.place.canonical)),
                        cause: Some(error),
                    });
                }
                Err(Blind::Fault(fault)) => {
                    let fault = name_full_disk(fault, &self.place);
                    let op = Op::Look { file: self.place.canonical.clone() };
                    let class = fault.class(os::PLATFORM, op.is_sync());
                    let failure = Failure::from_fault(&fault, op.name(), class == Class::NoSpace);
                    if class != Class::Transient {
                        return Err(failure.into());
                    }
                    (fault.message, Vec::new(), Ok(failure))
                }
            };
            tries += 1;
            if tries == 1
                && failure.as_ref().is_err_and(|observation| self.may_leave_a_zombie(observation))
            {
                // One that can be let go of need not be left behind.
                host.release_handles();
                continue;
            }
            let Some(delay_ms) = self.budget.next_delay_ms(tries) else {
                self.looks = tries;
                return match failure {
                    // `assess` says who holds it, and refuses.
                    Err(observation) => Ok(observation),
                    Ok(mut failure) => {
                        failure.attempts = tries;
                        failure.waited_ms = self.budget.waited_ms;
                        Err(failure.into())
                    }
                };
            };
            wait(
                delay_ms,
                ("look", self.place.canonical.to_string()),
                (reason, holders),
                self.budget,
                host,
            )?;
        }
    }

    /// Whether the only holder is this process, by a connection that the caller calls a zombie.
    fn may_leave_a_zombie(&self, observation: &Observation) -> bool {
        self.access == Access::Own
            && self.options.held == Held::Proceed
            && may_leave_zombie(observation)
    }

    fn leave_zombie(
        &mut self,
        observation: &Observation,
        host: &mut dyn Host,
    ) -> Result<(), Error> {
        let plan = plan_leave_zombie(observation, &self.label, &nonce())
            .map_err(|failure| failure.with_v1(&self.place.canonical))?;
        // Else the zombie has let go meanwhile, and the look that follows tells.
        let Ending::Done(report) = self.drive(plan, host)? else { return Ok(()) };
        self.warnings.extend(report.warnings);
        self.warnings.push(Warning {
            from: WarningFrom::Cutover,
            code: Some("ZOMBIE".into()),
            message: "this process has the database open; the database is a new file now, and \
                      that connection has the old one"
                .into(),
        });
        Ok(())
    }

    /// Recovers until there is nothing to recover. Gives the observation in which that was so, and
    /// what comes next.
    fn recover(&mut self, host: &mut dyn Host) -> Result<(Observation, Next), Error> {
        self.left = None;
        for _ in 0..MAX_RECOVERIES {
            let observation = self.observe(host)?;
            let next = match &self.left {
                None => self.assess(&observation)?,
                Some(left) => assess_left(&observation, &left.undone, &self.label, &nonce())?,
            };
            let Next::Recover(plan) = next else { return Ok((observation, next)) };
            let attempt = plan.journal.as_ref().map_or(1, |journal| journal.attempt);
            let Ending::Done(report) = self.drive(*plan, host)? else { continue };
            host.event(&Event::Recovered { recovery: report.recovery });
            if report.recovery == Recovery::Undone {
                self.attempt = attempt.saturating_add(1);
            }
            // The first that tells of a flip is the one to report; cleaning up after it is part of
            // it.
            if self.finished.is_none() {
                self.recovery = report.recovery;
            }
            if report.left {
                self.left.get_or_insert_default().add(&report);
            }
            self.keep(*report);
        }
        Err(Failure::refusal(
            Code::Journal,
            "recovering did not come to an end: something keeps making journals",
            "see whether another program upgrades this database",
        )
        .of(&self.place.canonical)
        .into())
    }

    fn keep(&mut self, report: Report) {
        self.warnings.extend(report.warnings);
        // A restore that was finished is no cutover to tell of.
        let Some(journal) = report.journal.filter(|journal| !journal.strategy.restores()) else {
            return;
        };
        // Killed after the commit, the start before this one told nobody where the backup is.
        if report.installed || (report.recovery == Recovery::Cleaned && self.finished.is_none()) {
            self.installed |= report.installed;
            self.finished = Some(journal);
        }
    }

    fn backup(&self) -> Option<PathBuf> {
        let journal = self.finished.as_ref()?;
        let backup = self.place.path(&journal.names.backup);
        backup.exists().then_some(backup)
    }

    fn result(&mut self, outcome: Outcome) -> MigrateResult {
        let outcome = if self.installed { Outcome::Migrated } else { outcome };
        MigrateResult {
            outcome,
            recovery: self.recovery,
            backup: self.backup(),
            strategy: self.finished.as_ref().map(|journal| journal.strategy),
            report: self.finished.as_ref().and_then(|journal| journal.report.clone()),
            warnings: std::mem::take(&mut self.warnings),
        }
    }

    fn migrate(&mut self, host: &mut dyn Host) -> Result<MigrateResult, Error> {
        refuse_cancelled(host)?;
        let mut given_up: Option<Box<Failure>> = None;
        let (mut waited, mut given_way) = (false, false);
        loop {
            let (mut observation, next) = self.recover(host)?;
            match next {
                Next::NoDatabase => return Ok(self.result(Outcome::NoDatabase)),
                Next::Current => return Ok(self.result(Outcome::Current)),
                Next::Recover(_) | Next::Migrate => {}
            }
            if let Some(failure) = given_up {
                return Err(failure.with_v1(&self.place.canonical).into());
            }
            refuse_cancelled(host)?;
            if !waited && !observation.holders.is_empty() && !os::OPENING_DROPS_LOCKS {
                waited = true;
                self.wait_for_holders(host)?;
                continue;
            }
            // A link that is made while somebody has the file open cannot be removed again.
            if observation.holders.is_empty() || os::OPENING_DROPS_LOCKS {
                observation.can_link = can_link(
                    &self.place,
                    &journal_tmp(&self.place.canonical, &self.label, &nonce()),
                );
            }
            let (mut request, mut host_state) = (self.request(), None);
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
                Err(error) if replaces && !given_way && self.is_held_since(&error.failure) => {
                    // Somebody opened v1 after the plan was made, and stays. What was built is not
                    // lost: the recovery copies its pages.
                    (waited, given_way) = (true, true);
                    continue;
                }
                ending => ending?,
            };
            match ending {
                Ending::Done(report) => {
                    self.keep(*report);
                    return Ok(self.result(Outcome::Migrated));
                }
                Ending::Anew(_) if self.attempt < MAX_ATTEMPTS => self.attempt += 1,
                // v1 changed behind the flip, and is put back before this is told.
                Ending::Anew(failure) if failure.data.state == Where::FinishAtNextStart => {
                    given_up = Some(failure);
                }
                Ending::Anew(failure) => return Err(Error { failure, cause: None }),
            }
        }
    }

    /// v2 is in place: what cannot be pruned now is a warning.
    fn prune(&mut self, keep: u32, host: &mut dyn Host) -> Vec<Warning> {
        let rule = Rule { keep: Some(keep), older_than_ms: None };
        let messages: Vec<String> = match backups::prune(self, rule, host) {
            Ok(pruned) => pruned
                .left
                .iter()
                .map(|left| format!("{} is not pruned: {}", left.backup, left.why))
                .collect(),
            Err(error) => vec![format!(
                "old backups could not be pruned: {}",
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

    fn run_plan(&mut self, text: &str, host: &mut dyn Host) -> Result<MigrateResult, Error> {
        let refuse = |why: String| {
            Failure::refusal(
                Code::Journal,
                why,
                "make the plan anew from this database; nothing was touched",
            )
        };
        let plan = Plan::parse(text)
            .map_err(|error| refuse(format!("the plan cannot be used: {error}")))?;
        let kind = plan.kind;
        if plan.journal.is_none() && !plan.is_for(&self.place.canonical) {
            return Err(refuse(format!("the plan is not for {}", self.place.canonical)).into());
        }
        if let Some(journal) = &plan.journal
            && (journal.names.canonical != self.place.canonical || journal.label != self.label)
        {
            let found = format!("{} ({})", journal.names.canonical, journal.label);
            return Err(refuse(format!(
                "the plan is for {found}, not for {} ({})",
                self.place.canonical, self.label
            ))
            .into());
        }
        let observation = self.observe(host)?;
        if plan.companions().into_iter().any(|companion| !observation.declares(companion)) {
            return Err(refuse(
                "the plan has companions that the options do not declare, or elsewhere".into(),
            )
            .into());
        }
        let next = self.assess(&observation)?;
        if let Some(finding) = validate(&plan, Some(&observation))
            .into_iter()
            .find(|finding| finding.severity == Severity::Error)
        {
            let step = finding.step.map_or_else(String::new, |step| format!(" (step {step})"));
            return Err(refuse(format!(
                "the plan is not safe to perform: {}: {}{step}",
                finding.rule, finding.message
            ))
            .into());
        }
        let fits = match &next {
            Next::Recover(own) => own.kind == kind && own.journal == plan.journal,
            Next::Migrate => kind == PlanKind::Migrate,
            Next::NoDatabase | Next::Current => false,
        };
        if !fits {
            return Err(
                refuse("the plan is not for the state that the database is in now".into()).into()
            );
        }
        match self.drive(plan, host)? {
            Ending::Done(report) => {
                self.recovery = report.recovery;
                self.keep(*report);
                Ok(self.result(Outcome::Current))
            }
            Ending::Anew(failure) => Err(Error { failure, cause: None }),
        }
    }
}

pub(crate) fn refuse_cancelled(host: &mut dyn Host) -> Result<(), Error> {
    if host.cancelled() {
        return Err(Failure::refusal(
            Code::Aborted,
            "the application asked to stop before anything was begun",
            "start again to upgrade",
        )
        .into());
    }
    Ok(())
}

pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Tells one attempt's files from another's. It need not be secret, only new: files are created
/// exclusively, so a clash is refused, not overwritten. std seeds its hasher from the system's
/// randomness.
pub(crate) fn nonce() -> Nonce {
    use std::hash::{BuildHasher as _, RandomState};
    let number = RandomState::new().hash_one((now_ms(), std::process::id()));
    Nonce::from_number(u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default())
}
