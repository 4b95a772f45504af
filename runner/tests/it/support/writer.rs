//! An old program in the middle of a transaction of which pages are in the database's file already.

use std::path::Path;

use crate::support::other::Other;

pub struct Writer(Other);

/// How its transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "not every test needs both")]
pub enum End {
    RolledBack,
    /// It is killed, and its journal stays.
    Killed,
}

impl Writer {
    /// Begins, runs this SQL with hardly a cache, so that it cannot keep the pages to itself, and
    /// stays there.
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
