use serde_json::Value;

use super::Report;
use crate::names::{FileName, Nonce};
use crate::plan::Recovery;

/// What the recoveries of one start left to the next.
#[derive(Debug, Clone, Default)]
pub struct CarryOver {
    /// Journals of which all but what the application did is undone; none where something else was
    /// left.
    pub undone: Vec<FileName>,
    /// Of the first of them its nonce and the application's state: the next attempt has them, and
    /// the state until another is saved.
    pub carried: Option<(Nonce, Option<Value>)>,
}

impl CarryOver {
    /// A recovery left something ([`Report::left`]). Only one attempt can be carried.
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
