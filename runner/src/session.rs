//! One call on a database: its paths, its locks, and what it has recovered so far. The verbs are
//! built on it.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use cutover_core::{
    Backup, Budget, CarryOver, Code, DataState, Event, Failure, FileName, Holder, Journal, Label,
    Next, Nonce, Observation, Op, OpError, OpErrorKind, OpName, OsCode, Plan, PlanKind, Recovery,
    Report, Request, Retry, Warning, assess, assess_left, begins_ms, list_backups,
    may_leave_zombie, plan_leave_zombie, refuse_moved_companions,
};

use crate::drive::{RunEnd, drive};
use crate::error::Error;
use crate::found::{self, State};
use crate::fsops::name_full_disk;
use crate::holders::{Seen, holders, own};
use crate::host::Host;
use crate::lock::{self, CallGuard, CompanionLocks, OwnerLock};
use crate::observe::{ObserveError, observe, receipts};
use crate::options::{Lock, Options};
use crate::os;
use crate::path::usable;
use crate::place::Paths;
use crate::sqlite::refused_sql;
use crate::types::{BuildBy, Detect, Held};
use crate::waiting::{name_holders, refuse_cancelled, wait};

/// How many times v2 is built if v1 keeps changing during the build. A program that writes all the
/// time must be closed first.
pub(crate) const MAX_ATTEMPTS: u32 = 3;

/// How many recoveries one start performs: cutover's journal, the legacy journal, one of another
/// label, and left-over files, with room to spare.
pub(crate) const MAX_RECOVERIES: u32 = 8;

/// One call: its paths, its locks, and what it has recovered so far.
pub(crate) struct Session<'a> {
    pub place: Paths,
    pub options: &'a Options,
    /// `None` for a restore, which does not ask whether canonical is v1 or v2.
    pub detect: Option<&'a Detect>,
    pub(crate) label: Label,
    pub budget: Budget,
    /// How many observations the last wait took.
    pub(crate) looks: u32,
    pub(crate) attempt: u32,
    pub(crate) access: Access,
    /// The database's files before the last observation.
    before: Option<State>,
    /// What [`Self::is_as_found`] has just seen, for the observation after it.
    seen: Option<(Option<State>, Seen)>,
    pub(crate) recovery: Recovery,
    /// Why no upgrade may begin after its recoveries: a companion is declared elsewhere.
    pub(crate) moved: Option<Failure>,
    /// What the recoveries of this call leave to the next start.
    pub(crate) left: Option<CarryOver>,
    /// The cutover to report: this start installed it, or cleaned up after it.
    pub(crate) finished: Option<Journal>,
    pub(crate) installed: bool,
    pub warnings: Vec<Warning>,
    pub(crate) companions: CompanionLocks,
    _turn: Option<CallGuard>,
    _lock: Option<OwnerLock>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Own,
    Look,
}

impl<'a> Session<'a> {
    /// `place`: the resolved paths of the options.
    pub(crate) fn of(place: Paths, options: &'a Options, access: Access) -> Result<Self, Error> {
        place.refuse_dangling()?;
        let label = Label::new(options.label.clone()).map_err(|error| {
            Failure::refusal(Code::Io, error.to_string(), "choose another label")
        })?;
        place.refuse_long(&label)?;
        if let BuildBy::Sql(sql) = &options.make.run
            && let Some(why) = refused_sql(sql)
        {
            let hint = "correct the SQL in the options";
            let failure = Failure::refusal(Code::Host, format!("the SQL of make.run: {why}"), hint);
            return Err(place.locate(failure.of(&place.canonical)).into());
        }
        let lock = match &options.lock {
            Lock::Acquire if access == Access::Own => {
                Some(lock::take(&place).map_err(|failure| place.locate(failure))?)
            }
            Lock::Own(lock) if !lock.is_of(&place) => {
                let hint = "pass the lock that was taken for this path";
                return Err(place
                    .locate(
                        Failure::refusal(
                            Code::Owned,
                            "the lock in the options was taken for another database",
                            hint,
                        )
                        .of(&place.canonical),
                    )
                    .into());
            }
            Lock::Own(lock) => Some(lock.clone()),
            Lock::Acquire | Lock::Held => None,
        };
        let turn = (access == Access::Own)
            .then(|| CallGuard::take(&place))
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
            before: None,
            seen: None,
            recovery: Recovery::None,
            moved: None,
            left: None,
            finished: None,
            installed: false,
            warnings: Vec::new(),
            companions: CompanionLocks::default(),
            _turn: turn,
            _lock: lock,
        })
    }

    /// Takes the owner lock, then the companions' locks, before the first observation. They are
    /// held until the call ends.
    pub(crate) fn own(options: &'a Options, host: &mut dyn Host) -> Result<Self, Error> {
        Self::own_at(usable(&options.path, &options.companions)?, options, host)
    }

    pub(crate) fn own_at(
        place: Paths,
        options: &'a Options,
        host: &mut dyn Host,
    ) -> Result<Self, Error> {
        let mut session = Self::of(place, options, Access::Own)?;
        let locks = CompanionLocks::take(&session.place, &mut session.budget, host);
        session.companions = locks.map_err(|error| session.locate(error))?;
        Ok(session)
    }

    /// Performs a plan to its end, unless it works on a companion that could not be locked.
    pub(crate) fn drive(&mut self, plan: Plan, host: &mut dyn Host) -> Result<RunEnd, Error> {
        self.companions.allow(&plan)?;
        self.refuse_sticky(&plan)?;
        drive(plan, &mut self.budget, &self.place, self.options, &mut self.companions, host)
    }

    pub(crate) fn locate(&self, mut error: Error) -> Error {
        let mut failure = *error.failure;
        let canonical = &self.place.canonical;
        let nowhere = failure.code == Code::Held && failure.data.state == DataState::Unknown;
        if nowhere && os::exists(&self.place.path(canonical)) {
            failure = failure.untouched(canonical);
        }
        *error.failure = self.place.locate(failure);
        error
    }

    pub(crate) fn assess(&self, observation: &Observation) -> Result<Next, Error> {
        Ok(assess(observation, &self.label, &nonce()).map_err(|mut failure| {
            failure.attempts = self.looks;
            failure.waited_ms = self.budget.waited_ms;
            failure
        })?)
    }

    /// Refuses to begin where this user may not write to the database, or may not replace it.
    pub(crate) fn refuse_irreplaceable(&self) -> Result<(), Failure> {
        let canonical = &self.place.canonical;
        let path = self.place.path(canonical);
        let at = [("it", path.as_path()), ("its directory", self.place.directory.as_path())];
        for (what, path) in at {
            let Some(raw) = os::why_unchangeable(path) else { continue };
            let system = std::io::Error::from_raw_os_error(raw);
            let denied = OpErrorKind::Denied { os: OsCode::of(os::PLATFORM, raw) };
            let message =
                format!("this user may not change {what}, because the system says: {system}");
            let fault = OpError::new(denied, message).of(canonical);
            return Err(Failure::from_fault(&fault, "look", false));
        }
        self.refuse_sticky_at(canonical)
    }

    /// Refuses a plan that replaces or removes a file that only another user may replace or remove:
    /// it would end half-way. What a clean-up cannot remove is a warning (an adoption would make one
    /// more copy each time), and what stays beside a companion is left.
    pub(crate) fn refuse_sticky(&self, plan: &Plan) -> Result<(), Failure> {
        let cleanup_from = plan.cleanup_from.filter(|_| plan.kind != PlanKind::Adopt);
        let cleanup_from = cleanup_from.map_or(usize::MAX, |at| at as usize);
        let goes = |op: &Op| match op {
            Op::Rename { .. } | Op::RenameNew { .. } | Op::Remove { .. } => op.files(),
            Op::RemoveLink { link, .. } => vec![link.into()],
            _ => Vec::new(),
        };
        let steps = plan.steps.iter().take(cleanup_from).chain(&plan.undo);
        let goes = steps.flat_map(|step| goes(&step.op)).filter(|at| at.companion.is_none());
        goes.map(|at| at.name).try_for_each(|name| self.refuse_sticky_at(&name))
    }

    fn refuse_sticky_at(&self, file: &FileName) -> Result<(), Failure> {
        if !os::only_its_owner_replaces(&self.place.path(file)) {
            return Ok(());
        }
        let why = "its directory is sticky, and this user owns neither the directory nor the file, \
                   so this user may not replace or remove it";
        let hint = "start as the user who owns the file, or give that user a directory of its own";
        Err(Failure::refusal(Code::Io, why, hint).of(file))
    }

    /// The backups that are there. Where receipts cannot be read, none is whole.
    pub(crate) fn backups(&self, observation: &Observation) -> Vec<Backup> {
        let receipts = receipts(&self.place, observation);
        list_backups(observation, &receipts)
    }

    pub(crate) fn request(&self, observation: &Observation) -> Request {
        Request {
            label: self.label.clone(),
            nonce: nonce(),
            now_ms: begins_ms(&self.backups(observation), now_ms()),
            attempt: self.attempt,
            from: self.options.make.from,
            by: self.options.make.run.planned(),
            verify: self.options.verify,
            check_v1: self.options.check_v1,
        }
    }

    /// Observes the directory. Waits within the budget for locks and open handles.
    pub(crate) fn observe(&mut self, host: &mut dyn Host) -> Result<Observation, Error> {
        let (mut tries, mut moves, mut collected) = (0, 0, false);
        loop {
            let (before, own) = self.seen.take().unwrap_or_else(|| self.see());
            self.before = before;
            let (reason, holders, failure) =
                match observe(&self.place, own, self.detect, self.options.unseen, host) {
                    Ok(observation)
                        if !os::OPENING_DROPS_LOCKS
                            || !observation.holders.iter().any(|holder| holder.this_process) =>
                    {
                        return Ok(observation);
                    }
                    // If two leaked connections exist and one was collected, the other is still there.
                    Ok(observation)
                        if collected
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
                    Err(ObserveError::Host(error)) => {
                        if let Err(refused) = refuse_cancelled(host) {
                            return Err(Error { cause: Some(error), ..refused });
                        }
                        let fault = OpError::new(
                            OpErrorKind::Host,
                            format!("the application's detect failed: {error}"),
                        );
                        let failure =
                            Failure::from_fault(&fault.of(&self.place.canonical), "detect", false);
                        return Err(Error {
                            failure: Box::new(failure.with_v1(&self.place.canonical)),
                            cause: Some(error),
                        });
                    }
                    Err(ObserveError::Damaged(fault, error)) => {
                        let failure = Failure::from_fault(&fault, "detect", false);
                        return Err(Error {
                            failure: Box::new(failure.with_v1(&self.place.canonical)),
                            cause: Some(error),
                        });
                    }
                    Err(ObserveError::Refused(failure)) => {
                        return Err(Error { failure, cause: None });
                    }
                    Err(ObserveError::OpError(fault)) => {
                        let fault = name_full_disk(name_holders(fault, &self.place), &self.place);
                        let op = Op::Look { file: self.place.canonical.clone() };
                        let class = fault.class(os::PLATFORM, op.is_sync());
                        let failure =
                            Failure::from_fault(&fault, op.name(), class == Retry::NoSpace);
                        if class != Retry::Transient {
                            return Err(failure.into());
                        }
                        (fault.message, failure.holders.clone(), Ok(failure))
                    }
                };
            if failure.is_err() && !collected {
                // Before any wait, the host may close a handle that it does not need.
                collected = true;
                host.release_handles();
                continue;
            }
            tries += 1;
            let Some(delay_ms) = self.budget.next_delay_ms(tries) else {
                self.looks = tries;
                return match failure {
                    // `assess` refuses and names the holder.
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
                (OpName::Look, self.place.canonical.to_string()),
                (reason, holders),
                self.budget,
                host,
            )?;
        }
    }

    /// Whether only this process has the database open, by a connection that the caller calls a
    /// leaked one.
    pub(crate) fn may_leave_a_zombie(&self, observation: &Observation) -> bool {
        self.access == Access::Own
            && self.options.held == Held::Proceed
            && may_leave_zombie(observation)
    }

    pub(crate) fn leave_zombie(
        &mut self,
        observation: &Observation,
        host: &mut dyn Host,
    ) -> Result<(), Error> {
        let plan = plan_leave_zombie(observation, &self.label, &nonce())?;
        let moved = self.drive(plan, host).map_err(|mut error| {
            error.failure = Box::new(error.failure.untouched(&self.place.canonical));
            error
        });
        // `Anew`: the leaked connection was closed meanwhile, and the next observation shows that.
        if let RunEnd::Done(report) = moved? {
            self.warnings.extend(report.warnings);
        }
        Ok(())
    }

    /// Whether this process has the database open, and has found it current before, as it still is:
    /// then there is nothing to do, and nothing needs to be opened.
    pub(crate) fn is_as_found(&mut self) -> bool {
        let (state, own) = self.see();
        let is = !own.may_open()
            && found::is_as_found(&self.place, &self.as_finder(), state.as_ref())
            && !found::has_journal(&self.place);
        self.seen = Some((state, own));
        is
    }

    /// The database's files, and who of this process has them open.
    fn see(&self) -> (Option<State>, Seen) {
        (State::of(&self.place), own(&self.place.set(&self.place.canonical)))
    }

    /// Remembers the database as current, if `is` says so of its state now and before the last
    /// observation.
    pub(crate) fn remember(&self, is: impl Fn(&State, Option<&State>) -> bool) {
        if let Some(now) = State::of(&self.place).filter(|now| is(now, self.before.as_ref())) {
            found::remember(&self.place, self.as_finder(), now);
        }
    }

    fn as_finder(&self) -> found::Key {
        let Options { detect, detect_id, .. } = self.options;
        let (detect, detect_id) = (detect.clone(), detect_id.clone());
        found::Key { label: self.label.clone(), detect, detect_id }
    }

    /// Recovers until nothing is left to recover. Returns the observation that showed this, and
    /// what comes next.
    pub(crate) fn recover(&mut self, host: &mut dyn Host) -> Result<(Observation, Next), Error> {
        self.left = None;
        for _ in 0..MAX_RECOVERIES {
            let observation = self.observe(host)?;
            let next = match &self.left {
                None => self.assess(&observation)?,
                Some(left) => assess_left(&observation, &left.undone, &self.label, &nonce())?,
            };
            let Next::Recover(plan) = next else { return Ok((observation, next)) };
            if let Err(moved) = refuse_moved_companions(&observation) {
                self.moved.get_or_insert(moved);
            }
            let attempt = plan.journal.as_ref().map_or(1, |journal| journal.attempt);
            let RunEnd::Done(report) = self.drive(*plan, host)? else { continue };
            host.event(&Event::Recovered { recovery: report.recovery });
            if report.recovery == Recovery::Undone {
                self.attempt = attempt.saturating_add(1);
            }
            // The result names the first recovery that flipped; the clean-up after it belongs to
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
            format!("the recovery does not end: {MAX_RECOVERIES} rounds left something to recover"),
            "close any other program that upgrades this database, then start again",
        )
        .of(&self.place.canonical)
        .into())
    }

    pub(crate) fn keep(&mut self, report: Report) {
        self.warnings.extend(report.warnings);
        // A finished restore is not a cutover to report.
        let Some(journal) = report.journal.filter(|journal| !journal.strategy.restores()) else {
            return;
        };
        // A start that was killed after the commit could not report where the backup is.
        if report.installed || (report.recovery == Recovery::Cleaned && self.finished.is_none()) {
            self.installed |= report.installed;
            self.finished = Some(journal);
        }
    }

    pub(crate) fn backup(&self) -> Option<PathBuf> {
        let journal = self.finished.as_ref()?;
        let backup = self.place.path(&journal.names.backup);
        os::exists(&backup).then_some(backup)
    }

    /// Waits until no process has v1 open, on a system that cannot replace an open file. For a
    /// program that the system names, this takes all that is left of the budget, since the upgrade
    /// is refused then. For any other it takes half: a page copy is possible beside it, and may
    /// need the rest.
    pub(crate) fn wait_for_holders(&mut self, host: &mut dyn Host) -> Result<(), Error> {
        let Budget { total_ms, waited_ms } = self.budget;
        let half_ms = waited_ms + total_ms.saturating_sub(waited_ms) / 2;
        let mut looks = 0;
        loop {
            let who = holders(&self.place.set(&self.place.canonical)).holders;
            if who.is_empty() {
                return Ok(());
            }
            looks += 1;
            let limit_ms = if who.iter().any(Holder::is_another) { total_ms } else { half_ms };
            let mut limit = Budget { total_ms: limit_ms, waited_ms: self.budget.waited_ms };
            let Some(delay_ms) = limit.next_delay_ms(looks) else { return Ok(()) };
            self.budget.waited_ms = limit.waited_ms;
            let reason = "a program has the database open".to_owned();
            wait(
                delay_ms,
                (OpName::Look, self.place.canonical.to_string()),
                (reason, who),
                self.budget,
                host,
            )?;
        }
    }

    /// Whether an attempt failed because a program, with which a page copy can go on, opened the
    /// database meanwhile. The failure must say that the database still is `replaced`.
    pub(crate) fn is_held_since(&self, failure: &Failure, replaced: DataState) -> bool {
        let in_the_way =
            matches!(failure.code, Code::Held | Code::Io) && failure.data.state == replaced;
        let who = holders(&self.place.set(&self.place.canonical)).holders;
        !os::OPENING_DROPS_LOCKS
            && in_the_way
            && !who.is_empty()
            && !who.iter().any(Holder::is_another)
    }
}

pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Tells one attempt's files from another's. It must be new, not secret: files are created
/// exclusively, so a clash is refused and overwrites nothing. std seeds its hasher from the
/// system's randomness.
pub(crate) fn nonce() -> Nonce {
    use std::hash::{BuildHasher as _, RandomState};
    let number = RandomState::new().hash_one((now_ms(), std::process::id()));
    Nonce::from_number(u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default())
}
