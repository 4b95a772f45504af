//! An old program in the middle of a transaction of which pages are in the database's file already.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Another process: one of this would be refused as a holder.
pub struct Writer(Child);

/// How its transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    RolledBack,
    /// It is killed, and its journal stays.
    Killed,
}

impl Writer {
    /// Begins, runs this SQL with hardly a cache, so that it cannot keep the pages to itself, and stays there.
    pub fn begins(database: &Path, sql: &str) -> Self {
        let mut child =
            Command::new("sqlite3").arg(database).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sqlite3 is needed");
        writeln!(child.stdin.as_mut().unwrap(), "PRAGMA cache_size = 1; PRAGMA synchronous = OFF; BEGIN; {sql}; SELECT 'begun';").unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), "begun");
        Self(child)
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    pub fn ends(mut self, end: End) {
        match end {
            End::RolledBack => writeln!(self.0.stdin.take().unwrap(), "ROLLBACK;").unwrap(),
            End::Killed => self.0.kill().unwrap(),
        }
        self.0.wait().unwrap();
    }
}
