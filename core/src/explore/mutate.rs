//! Plans with one thing wrong with them: each must be caught.

use crate::plan::Plan;

/// One change of every plan that it fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant;

impl Mutant {
    /// The changed plan.
    #[must_use]
    pub fn apply(&self, plan: Plan) -> Plan {
        plan
    }
}
