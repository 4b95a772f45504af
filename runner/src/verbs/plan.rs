//! Plans as data: makes the plan of the next start, and performs a plan that is given.

use cutover_core::{Next, Plan, PlanKind, plan_migration, refuse_given, refuse_unread_plan};

use crate::drive::RunEnd;
use crate::error::Error;
use crate::host::Host;
use crate::options::Options;
use crate::path::usable;
use crate::session::{Access, Session};
use crate::verbs::migrate::{MigrateResult, Outcome};

/// The plan that [`crate::migrate`] would perform first. `None` if there is nothing to do.
///
/// It takes no lock, and changes no more than any reader of the database does: SQLite rolls back
/// the hot journal of a killed process. So it does not try whether canonical can be linked, and
/// assumes that it can; [`crate::migrate`] tries.
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
/// `JOURNAL` for a plan that cannot be used or is not for this database; otherwise as
/// [`crate::migrate`].
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
}
