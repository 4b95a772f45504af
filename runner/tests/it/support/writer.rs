//! An old program in the middle of a transaction, with pages of it already in the database's file.

use std::path::Path;

use crate::support::other::Other;

pub struct Writer(Other);

/// How its transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "not every test needs both")]
pub enum End {
    RolledBack,
    /// The program is killed, and its journal stays.
    Killed,
}

impl Writer {
    /// Begins a transaction and runs this SQL. With hardly any cache the program must write pages
    /// to the file. Then it waits.
    pub fn begins(database: &Path, sql: &str) -> Self {
        let mut other = Other::opens(database, "PRAGMA cache_size = 1; PRAGMA synchronous = OFF;");
        assert_eq!(other.asks(&format!("BEGIN; {sql}; SELECT 'begun';")), ["begun"]);
        Self(other)
    }

    #[allow(dead_code, reason = "not every test needs it")]
    pub fn pid(&self) -> u32 {
        self.0.pid()
    }

    pub fn ends(mut self, end: End) {
        match end {
            End::RolledBack => drop(self.0.asks("ROLLBACK;")),
            End::Killed => self.0.kill(),
        }
    }
}
