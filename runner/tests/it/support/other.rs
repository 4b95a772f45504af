//! Another process with an open connection: the sqlite3 shell. A connection of this process would
//! be another kind of holder.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub struct Other(Child);

impl Other {
    /// Opens a database and executes this SQL.
    pub fn opens(database: &Path, sql: &str) -> Self {
        let mut other = Self::starts(&mut Command::new("sqlite3"), database);
        other.asks(sql);
        other
    }

    /// Starts this shell on a database.
    pub fn starts(shell: &mut Command, database: &Path) -> Self {
        let process = shell.arg(database).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        Self(process.expect("sqlite3 is needed for this test: apt-get install sqlite3"))
    }

    /// Executes this SQL, and returns the lines that it prints. An error ends only its own line.
    pub fn asks(&mut self, sql: &str) -> Vec<String> {
        writeln!(self.0.stdin.as_mut().unwrap(), "{sql}\nSELECT 'done';").unwrap();
        let mut said = Vec::new();
        for line in BufReader::new(self.0.stdout.as_mut().unwrap()).lines() {
            let line = line.unwrap().trim_end().to_owned();
            if line == "done" {
                return said;
            }
            said.push(line);
        }
        panic!("sqlite3 ended before it answered: {said:?}");
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    pub fn kill(mut self) {
        self.0.kill().unwrap();
    }
}

/// Closes the connection; what it has not committed is rolled back.
impl Drop for Other {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}
