//! What the recoveries of one start leave to the next attempt.

use serde_json::Value;

use super::Report;
use crate::names::{FileName, Nonce};
use crate::plan::Recovery;

/// What the recoveries of one start leave to the next attempt.
#[derive(Debug, Clone, Default)]
pub struct CarryOver {
    /// Journals that are undone but for the application's own part. Empty where a recovery left
    /// anything else.
    pub undone: Vec<FileName>,
    /// The nonce of the first of them, and the application's state in it. The next attempt takes
    /// both over, and keeps the state until the application saves another.
    pub carried: Option<(Nonce, Option<Value>)>,
}

impl CarryOver {
    /// Adds a recovery that left something ([`Report::left`]). Only one attempt can be carried
    /// over.
    pub fn add(&mut self, report: &Report) {
        let carries = report.recovery == Recovery::Undone && self.carried.is_none();
        match report.journal.as_ref().filter(|_| carries) {
            Some(journal) => {
                self.undone.push(journal.file());
                self.carried = Some((journal.nonce.clone(), journal.host_state.clone()));
            }
            None => self.undone.clear(),
        }
    }
}
