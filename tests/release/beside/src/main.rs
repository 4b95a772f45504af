//! One SQLite for three crates: cutover upgrades, then diesel and sqlx read v2.

use cutover::{BuildBy, BuildFrom, Detect, Make, Options};
use diesel::prelude::*;
use sqlx::Connection as _;

const TO_V2: &str = "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
    INSERT INTO note SELECT id, text FROM v1.notes; PRAGMA user_version = 2;";

diesel::table! { note (id) { id -> BigInt, body -> Text } }

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("which database?")?;
    let before = SqliteConnection::establish(&path)?;
    drop(before);
    // An upgrade blocks: an async program calls it on a thread for such work.
    let database = path.clone();
    let result = tokio::task::spawn_blocking(move || {
        let make = Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) };
        let options = Options::new(database, "v1-v2", Detect::UserVersion(2), make);
        cutover::migrate(&options, &mut ())
    })
    .await??;
    let by_diesel: Vec<String> =
        note::table.select(note::body).load(&mut SqliteConnection::establish(&path)?)?;
    let mut connection = sqlx::SqliteConnection::connect(&path).await?;
    let by_sqlx: Vec<String> =
        sqlx::query_scalar("SELECT body FROM note").fetch_all(&mut connection).await?;
    println!("{:?} {by_diesel:?} {by_sqlx:?}", result.outcome);
    Ok(())
}
