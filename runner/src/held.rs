//! A v1 that somebody has open on a system where an open file can be neither replaced nor removed.

use cutover_core::failure::{Code, Failure, Where};
use cutover_core::fault::Holder;
use cutover_core::run::Budget;

use crate::drive::wait;
use crate::error::Error;
use crate::holders::holders;
use crate::host::Host;
use crate::migrate::Start;
use crate::os;

impl Start<'_> {
    /// Where an open file cannot be replaced: waits for whoever has v1 open. A program that is
    /// named for all that is left of the budget, since it is refused then; any other for half
    /// of it, since there is a way to v2 beside it, which may need the rest.
    pub(crate) fn wait_for_holders(&mut self, host: &mut dyn Host) -> Result<(), Error> {
        let Budget { total_ms, waited_ms } = self.budget;
        let half_ms = waited_ms + total_ms.saturating_sub(waited_ms) / 2;
        let mut looks = 0;
        loop {
            let who = holders(&self.place.set(&self.place.canonical));
            if who.is_empty() {
                return Ok(());
            }
            looks += 1;
            let limit_ms = if who.iter().any(Holder::is_another) { total_ms } else { half_ms };
            let mut limit = Budget { total_ms: limit_ms, waited_ms: self.budget.waited_ms };
            let Some(delay_ms) = limit.next_delay_ms(looks) else { return Ok(()) };
            self.budget.waited_ms = limit.waited_ms;
            let reason = "somebody has the database open".to_owned();
            wait(
                delay_ms,
                ("look", self.place.canonical.to_string()),
                (reason, who),
                self.budget,
                host,
            )?;
        }
    }

    /// Whether v1 is in its place, and an attempt failed because somebody has it open whom a page
    /// copy does not disturb.
    pub(crate) fn is_held_since(&self, failure: &Failure) -> bool {
        let in_the_way =
            matches!(failure.code, Code::Held | Code::Io) && failure.data.state == Where::V1;
        let who = holders(&self.place.set(&self.place.canonical));
        !os::OPENING_DROPS_LOCKS
            && in_the_way
            && !who.is_empty()
            && !who.iter().any(Holder::is_another)
    }
}
