//! Plans as data: makes the plan of the next start, and performs a plan that is given.

use cutover_core::{Code, Failure, Next, Plan, PlanKind, plan_migration, validate_request};

use crate::drive::RunEnd;
use crate::error::Error;
use crate::host::Host;
use crate::options::Options;
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
    let mut session = Session::of(options, Access::Look)?;
    let planned = (|| {
        let observation = session.observe(host)?;
        match session.assess(&observation)? {
            Next::Recover(plan) => Ok(Some(*plan)),
            Next::Migrate => Ok(Some(plan_migration(&observation, &session.request())?)),
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
        let refuse = |why: String| {
            Failure::refusal(
                Code::Journal,
                why,
                "make a new plan from this database; nothing was touched",
            )
        };
        let plan = Plan::parse(text)
            .map_err(|error| refuse(format!("the plan cannot be used: {error}")))?;
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
                "the plan has companions that the options do not declare, or declare at another \
                 path"
                    .into(),
            )
            .into());
        }
        self.assess(&observation)?;
        if matches!(plan.kind, PlanKind::Restore | PlanKind::Prune | PlanKind::LeaveZombie) {
            return Err(refuse("the plan is not the plan of an upgrade".into()).into());
        }
        if let Some(why) = observation.holders_unknown.as_deref().filter(|_| plan.looks()) {
            return Err(Failure::unseen(&self.place.canonical, why).into());
        }
        let findings = validate_request(&plan, Some(&observation), Some(&self.request()));
        if let Some(finding) = findings.first() {
            return Err(refuse(format!("the plan is not safe to perform: {finding}")).into());
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
