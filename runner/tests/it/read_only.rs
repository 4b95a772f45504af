//! Files that their owner, who is not root, can only read: a secret beside the database, and a
//! protected backup.
#![cfg(target_os = "linux")]

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use crate::support::again::assert_held;
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

/// Root may write to every file. Without that capability root is an owner like others
/// ("capabilities(7)").
fn started_as_an_owner() -> bool {
    const INSIDE: &str = "CUTOVER_TEST_AS_AN_OWNER";
    if std::fs::metadata("/proc/self").unwrap().uid() != 0 || std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let again = again!(what_is_read_only_is_upgraded_and_restored);
    let output = Command::new("setpriv")
        .arg("--bounding-set=-dac_override,-dac_read_search")
        .arg(again.get_program())
        .args(again.get_args())
        .env(INSIDE, "1")
        .output()
        .expect("setpriv: apt-get install util-linux");
    assert_held(&output, "it fails as an owner");
    true
}

#[test]
fn what_is_read_only_is_upgraded_and_restored() {
    if started_as_an_owner() {
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
    let options =
        BackupOptions { companions: options.companions.clone(), ..BackupOptions::default() };
    cutover::restore(&database, &backup, &options, &mut App).unwrap();
    assert_eq!(rows(&database, "notes"), NOTES);
    Connection::open(&database).unwrap().execute_batch("DELETE FROM notes").unwrap();
    is("of v1");
}
