//! A list of backups opens no database.

use std::path::Path;
use std::process::Command;

use cutover::{BuildBy, BuildFrom, Detect, Host, Make, Options};
use rusqlite::Connection;

struct Quiet;
impl Host for Quiet {}

/// Whether another process may write to this database now.
fn another_may_write(path: &Path) -> bool {
    Command::new("sqlite3")
        .arg(path)
        .arg("BEGIN IMMEDIATE; COMMIT")
        .output()
        .unwrap()
        .status
        .success()
}

#[test]
fn a_list_opens_no_database() {
    let directory = tempfile::tempdir().unwrap();
    let database = directory.path().join("data.db");
    Connection::open(&database)
        .unwrap()
        .execute_batch("CREATE TABLE notes (text); INSERT INTO notes VALUES ('milk')")
        .unwrap();
    let sql = "CREATE TABLE note (body); INSERT INTO note SELECT * FROM v1.notes; PRAGMA \
               user_version = 2";
    let make = Make { from: BuildFrom::Empty, run: BuildBy::Sql(sql.into()) };
    let result = cutover::migrate(
        &Options::new(&database, "v1-v2", Detect::UserVersion(2), make),
        &mut Quiet,
    )
    .unwrap();
    // On POSIX these locks would be dropped if this process opened and closed the files.
    let held = [database.clone(), result.backup.unwrap()].map(|path| {
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        (connection, path)
    });
    assert_eq!(cutover::list_backups(&database).unwrap().len(), 1);
    for (_, path) in &held {
        assert!(!another_may_write(path), "{}", path.display());
    }
    // This shows that the check above can fail. On Windows a lock belongs to the handle that took
    // it.
    drop(std::fs::File::open(&held[0].1).unwrap());
    assert_eq!(another_may_write(&held[0].1), cfg!(unix));
}
