//! Plans as data: makes the plan of the next start, and performs a plan that is given.

use cutover_core::{
    Code, Failure, Next, Observation, Plan, PlanKind, Strategy, journal_tmp_name, plan_migration,
    refuse_given, refuse_unread_plan,
};

use crate::drive::RunEnd;
use crate::error::Error;
use crate::host::Host;
use crate::observe::can_link;
use crate::options::Options;
use crate::os;
use crate::path::usable;
use crate::session::{Access, Session, nonce};
use crate::verbs::migrate::{MigrateResult, Outcome};

/// The plan that [`crate::migrate`] would perform first. `None` if there is nothing to do.
///
/// It takes no lock, and changes no more than any reader of the database does: SQLite rolls back
/// the hot journal of a killed process. So it does not try whether canonical can be linked, and
/// assumes that it can; [`crate::migrate`] and [`run_plan`] try.
///
/// # Errors
/// As [`crate::migrate`], as far as they can be known beforehand.
pub fn plan(options: &Options, host: &mut dyn Host) -> Result<Option<Plan>, Error> {
    let mut session =
        Session::of(usable(&options.path, &options.companions)?, options, Access::Look)?;
    let planned = (|| {
        let observation = session.observe(host)?;
        match session.assess(&observation)? {
            Next::Recover(plan) => {
                session.refuse_sticky(&plan)?;
                Ok(Some(*plan))
            }
            Next::Migrate => {
                session.refuse_irreplaceable()?;
                Ok(Some(plan_migration(&observation, &session.request(&observation))?))
            }
            Next::NoDatabase | Next::Current => Ok(None),
        }
    })();
    planned.map_err(|error: Error| session.locate(error))
}

/// Performs exactly the plan in `text`, a JSON text from [`plan`]. First it compares that plan with
/// the one that [`crate::migrate`] would make now.
///
/// # Errors
/// `JOURNAL` for a plan that cannot be used, is not for this database, or gives canonical a hard link
/// where it can have none; otherwise as [`crate::migrate`].
pub fn run_plan(
    text: &str,
    options: &Options,
    host: &mut dyn Host,
) -> Result<MigrateResult, Error> {
    let mut session = Session::own(options, host)?;
    let result = session.perform_given(text, host);
    result.map_err(|error| session.locate(error))
}

impl Session<'_> {
    fn perform_given(&mut self, text: &str, host: &mut dyn Host) -> Result<MigrateResult, Error> {
        let plan = Plan::parse(text).map_err(|error| refuse_unread_plan(&error))?;
        let observation = self.observe(host)?;
        self.assess(&observation)?;
        let (request, backups) = (self.request(&observation), self.backups(&observation));
        refuse_given(&plan, &observation, &request, &backups)?;
        if plan.kind == PlanKind::Migrate {
            let refused = self.refuse_irreplaceable();
            refused.map_err(|failure| failure.with_v1(&self.place.canonical))?;
            self.refuse_without_links(&plan, &observation)?;
        }
        match self.drive(plan, host)? {
            RunEnd::Done(report) => {
                self.recovery = report.recovery;
                self.keep(*report);
                Ok(self.result(Outcome::Current))
            }
            RunEnd::Anew(failure) => Err(Error { failure, cause: None }),
        }
    }

    /// Tries, as [`crate::migrate`] does, whether canonical can be linked if the plan links it: the
    /// failure would else come after the build.
    fn refuse_without_links(&self, plan: &Plan, observation: &Observation) -> Result<(), Failure> {
        let links =
            plan.journal.as_ref().is_some_and(|journal| journal.strategy == Strategy::LinkReplace);
        // On Windows, a hard link made while a file is open cannot be removed again.
        let tries = observation.holders_unknown.is_none()
            && (observation.holders.is_empty() || os::OPENING_DROPS_LOCKS);
        let canonical = &self.place.canonical;
        let name = journal_tmp_name(canonical, &self.label, &nonce());
        if !links || !tries || can_link(&self.place, &name) {
            return Ok(());
        }
        let reason = "the plan gives the database a hard link, which it cannot get here";
        let hint = "start without a plan: then the pages are copied; nothing was touched";
        Err(Failure::refusal(Code::Journal, reason, hint).of(canonical).with_v1(canonical))
    }
}
