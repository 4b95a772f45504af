//! Files that their owner, who is not root, can only read: a secret beside the database, and a
//! protected backup.
#![cfg(target_os = "linux")]

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use crate::support::again::held_as_an_owner;
use crate::support::notes::{NOTES, TO_V2, V1, rows};
use cutover::{
    BackupOptions, BuildBy, BuildFrom, Built, Detect, Host, HostError, Job, Make, Options,
};
use rusqlite::Connection;

struct App;

impl Host for App {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let v2 = Connection::open(job.staging())?;
        v2.execute("ATTACH DATABASE ?1 AS v1", [job.source()?.to_str().unwrap()])?;
        v2.execute_batch(TO_V2)?;
        job.write_companion("auth", b"of v2")?;
        Ok(Built::default())
    }
}

#[test]
fn what_is_read_only_is_upgraded_and_restored() {
    if held_as_an_owner(&again!(what_is_read_only_is_upgraded_and_restored)) {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let [database, auth] = ["data.db", "auth.json"].map(|name| directory.path().join(name));
    Connection::open(&database).unwrap().execute_batch(V1).unwrap();
    std::fs::write(&auth, "of v1").unwrap();
    let read_only = |path: &Path| set_permissions(path, Permissions::from_mode(0o400)).unwrap();
    read_only(&auth);
    assert!(std::fs::write(&auth, "").is_err(), "the test needs a user who may not write");
    let is = |content: &str| {
        assert_eq!(std::fs::read_to_string(&auth).unwrap(), content);
        assert_eq!(std::fs::metadata(&auth).unwrap().mode() & 0o777, 0o400);
    };

    let mut options = Options::new(
        &database,
        "v1-v2",
        Detect::UserVersion(2),
        Make { from: BuildFrom::Empty, run: BuildBy::Host },
    );
    options.companions.insert("auth".into(), auth.clone());
    let backup = cutover::migrate(&options, &mut App).unwrap().backup.unwrap();
    assert_eq!(rows(&database, "note"), NOTES);
    is("of v2");

    read_only(&backup);
    let options = BackupOptions::default().companions(options.companions.clone());
    cutover::restore(&database, &backup, &options, &mut App).unwrap();
    assert_eq!(rows(&database, "notes"), NOTES);
    Connection::open(&database).unwrap().execute_batch("DELETE FROM notes").unwrap();
    is("of v1");
}
