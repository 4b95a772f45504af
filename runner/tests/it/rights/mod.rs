//! No new file gives another user more rights than v1 gave.

mod along;
mod refused;
mod shared;
mod widened;

use std::path::{Path, PathBuf};

use cutover::{BuildBy, BuildFrom, Built, Detect, Host, HostError, Job, Make, Options};
use rusqlite::Connection;

use crate::support::disk::in_memory;
use crate::support::notes::{NOTES, TO_V2, V1, rows};
use crate::support::users::{ALICE, BOB, FRIENDS, STRANGERS, as_user, give, is_root, shown};

struct Quiet;
impl Host for Quiet {}

/// A folder with alice's database, which has this mode.
fn folder(mode: u32, of_folder: u32) -> (tempfile::TempDir, PathBuf) {
    let directory = in_memory();
    let path = directory.path().join("data.db");
    Connection::open(&path).unwrap().execute_batch(V1).unwrap();
    give(&path, ALICE, FRIENDS, mode);
    give(directory.path(), ALICE, FRIENDS, of_folder);
    (directory, path)
}

fn options(path: &Path) -> Options {
    let make = Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) };
    Options::new(path, "v1-v2", Detect::UserVersion(2), make)
}

/// Upgrades as bob, who has these groups as well.
fn upgrade_as_bob(path: &Path, groups: &[u32]) -> Result<PathBuf, String> {
    let options = options(path);
    let groups = [&[STRANGERS], groups].concat();
    as_user(BOB, &groups, || {
        let result = cutover::migrate(&options, &mut Quiet);
        result.map(|done| done.backup.unwrap()).map_err(|error| error.failure.to_string())
    })
}

#[test]
fn a_new_file_has_the_group_of_v1_or_its_group_has_no_rights() {
    if !is_root() {
        return;
    }
    // A member of the group gives v2 the group.
    let (_directory, path) = folder(0o660, 0o775);
    upgrade_as_bob(&path, &[FRIENDS]).unwrap();
    assert_eq!(shown(&path), (BOB, FRIENDS, 0o660));
    // A user who is not in the group may not. What v1's group had, and no more, the others have.
    for (mode, wanted) in [(0o666, 0o606), (0o646, 0o604)] {
        let (_directory, path) = folder(mode, 0o777);
        let backup = upgrade_as_bob(&path, &[]).unwrap();
        assert_eq!(shown(&path), (BOB, STRANGERS, wanted), "{mode:o}");
        assert_eq!(shown(&backup), (ALICE, FRIENDS, mode), "{mode:o}");
        assert_eq!(
            (rows(&path, "note"), rows(&backup, "notes")),
            (NOTES.map(String::from).to_vec(), NOTES.map(String::from).to_vec())
        );
    }
}

#[test]
fn a_companions_directory_that_root_makes_belongs_to_the_owner_of_the_database() {
    struct App;
    impl Host for App {
        fn build(&mut self, job: &mut dyn Job<'_>) -> Result<Built, HostError> {
            job.write_companion("auth", b"v2 secret")?;
            let v2 = Connection::open(job.staging())?;
            v2.execute("ATTACH ?1 AS v1", [job.source()?.to_str()])?;
            v2.execute_batch(TO_V2)?;
            Ok(Built::default())
        }
    }
    if !is_root() {
        return;
    }
    let (directory, path) = folder(0o600, 0o755);
    let make = Make { from: BuildFrom::Empty, run: BuildBy::Host };
    let mut options = Options::new(&path, "v1-v2", Detect::UserVersion(2), make);
    let auth = directory.path().join("config/deeper/auth.json");
    options.companions.insert("auth".into(), auth.clone());
    cutover::migrate(&options, &mut App).unwrap();
    for (path, mode) in auth.ancestors().zip([0o600, 0o700, 0o700]) {
        assert_eq!(shown(path), (ALICE, FRIENDS, mode), "{}", path.display());
    }
}
