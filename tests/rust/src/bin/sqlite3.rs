//! The part of the sqlite3 shell that the tests use, for systems without one: `sqlite3 [-batch]
//! [-bail] PATH [SQL…]`, or SQL line by line from the standard input, with `.bail`, `.once FILE`
//! and `.read FILE`. It prints rows as the shell does: columns between bars, NULL as nothing.

use std::io::Write;

use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

struct Shell {
    db: Connection,
    /// The file that gets the rows of the next statement instead of the standard output.
    once: Option<String>,
}

impl Shell {
    fn run(&mut self, sql: &str) -> Result<()> {
        let mut batch = Batch::new(&self.db, sql);
        while let Some(mut statement) = batch.next()? {
            let mut out: Box<dyn Write> = match self.once.take() {
                Some(path) => Box::new(std::fs::File::create(path)?),
                None => Box::new(std::io::stdout().lock()),
            };
            let columns = statement.column_count();
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                let mut line = Vec::new();
                for column in 0..columns {
                    if column > 0 {
                        line.push(b'|');
                    }
                    match row.get_ref(column)? {
                        ValueRef::Null => {}
                        ValueRef::Integer(integer) => write!(line, "{integer}")?,
                        ValueRef::Real(real) => write!(line, "{real:?}")?,
                        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => line.extend(bytes),
                    }
                }
                line.push(b'\n');
                out.write_all(&line)?;
            }
            out.flush()?;
        }
        Ok(())
    }

    /// A statement may span several lines, as in the shell.
    fn read(&mut self, input: impl std::io::BufRead) -> Result<()> {
        let mut sql = String::new();
        for line in input.lines() {
            let line = line?;
            if sql.is_empty() && line.starts_with('.') {
                match line.split_once(' ') {
                    Some((".bail", _)) => {}
                    Some((".once", path)) => self.once = Some(path.to_owned()),
                    Some((".read", path)) => {
                        self.read(std::io::BufReader::new(std::fs::File::open(path)?))?;
                    }
                    _ => return Err(format!("unknown command: {line}").into()),
                }
                continue;
            }
            if sql.is_empty() && line.starts_with("--") {
                continue;
            }
            sql.push_str(&line);
            sql.push('\n');
            if is_complete(&sql) {
                self.run(&std::mem::take(&mut sql))?;
            }
        }
        self.run(&sql)
    }
}

/// Whether the text ends with the end of a statement. A trigger ends only with its own `END;`.
fn is_complete(sql: &str) -> bool {
    let sql = sql.trim_end().to_ascii_uppercase();
    sql.ends_with(';') && (!sql.contains("CREATE TRIGGER") || sql.ends_with("END;"))
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| !["-batch", "-bail"].contains(&arg.as_str()))
        .collect();
    let path = args.first().ok_or("usage: sqlite3 [-batch] [-bail] PATH [SQL]")?;
    let mut shell = Shell { db: Connection::open(path)?, once: None };
    // Like the shell, it does not wait for locks unless it is told to.
    shell.db.busy_timeout(std::time::Duration::ZERO)?;
    if args.len() == 1 {
        return shell.read(std::io::stdin().lock());
    }
    args[1..].iter().try_for_each(|sql| shell.run(sql))
}
