//! A Rust application that upgrades its database at start-up and then uses it. Run: `cargo run
//! --example upgrade -- <data.db>`.
//!
//! If the database does not exist, the program first makes a v1, so that there is something to
//! upgrade.

use cutover::{BuildBy, BuildFrom, Detect, Make, Options};

const V1: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
    INSERT INTO notes (text) VALUES ('milk'), ('bread'), ('a new bicycle');";

const TO_V2: &str = "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL, length \
                     INTEGER NOT NULL);
    INSERT INTO note SELECT id, text, length(text) FROM v1.notes;
    PRAGMA user_version = 2;";

struct Progress;

impl cutover::Host for Progress {
    fn event(&mut self, event: &cutover::Event) {
        if let cutover::Event::Wait { reason, delay_ms, .. } = event {
            eprintln!("waiting {delay_ms} ms: {reason}");
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path =
        std::path::PathBuf::from(std::env::args_os().nth(1).ok_or("usage: upgrade <data.db>")?);
    if !path.exists() {
        rusqlite::Connection::open(&path)?.execute_batch(V1)?;
    }

    // The process holds the lock until it ends: a second instance is refused at once.
    let owner = cutover::lock(&path)?;
    let mut options = Options::new(
        &path,
        "v1-v2",
        Detect::UserVersion(2),
        Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) },
    );
    options.lock = cutover::Lock::Own(owner.clone());
    let result = cutover::migrate(&options, &mut Progress)?;
    if let Some(backup) = &result.backup {
        println!("Migrated local data to v2; moved old DB to {}", backup.display());
    }

    let notes: i64 =
        rusqlite::Connection::open(&path)?
            .query_row("SELECT count(*) FROM note", [], |row| row.get(0))?;
    println!("READY with {notes} notes");
    owner.release();
    Ok(())
}
