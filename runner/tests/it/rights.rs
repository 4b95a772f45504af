//! No new file gives another user more rights than v1 gave.
//!
//! Owner and group of a process belong to its thread in Linux, so a test that root starts does an
//! upgrade as another user in a thread. Without root it does nothing.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use cutover::{BuildBy, BuildFrom, Detect, Host, Make, Options};
use rusqlite::Connection;
use rustix::process::{Gid, Uid};

use crate::support::directory::names;
use crate::support::disk::in_memory;
use crate::support::notes::{NOTES, TO_V2, V1, rows};

/// v1's owner, and its group.
const ALICE: u32 = 5001;
const FRIENDS: u32 = 6000;
/// Another user, and the group that the user's new files get.
const BOB: u32 = 5002;
const STRANGERS: u32 = 7000;

struct Quiet;
impl Host for Quiet {}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A folder with alice's database, which has this mode.
fn folder(mode: u32, of_folder: u32) -> (tempfile::TempDir, PathBuf) {
    let directory = in_memory();
    let path = directory.path().join("data.db");
    Connection::open(&path).unwrap().execute_batch(V1).unwrap();
    for (path, mode) in [(&path, mode), (&directory.path().to_owned(), of_folder)] {
        std::os::unix::fs::chown(path, Some(ALICE), Some(FRIENDS)).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    (directory, path)
}

/// Upgrades as bob, who has these groups as well.
fn upgrade_as_bob(path: &Path, groups: &[u32]) -> Result<PathBuf, String> {
    let make = Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) };
    let options = Options::new(path, "v1-v2", Detect::UserVersion(2), make);
    std::thread::scope(|scope| {
        let as_bob = scope.spawn(|| {
            let groups: Vec<Gid> = groups.iter().map(|id| Gid::from_raw(*id)).collect();
            rustix::thread::set_thread_groups(&groups).unwrap();
            let (group, user) = (Gid::from_raw(STRANGERS), Uid::from_raw(BOB));
            rustix::thread::set_thread_res_gid(group, group, group).unwrap();
            rustix::thread::set_thread_res_uid(user, user, user).unwrap();
            let result = cutover::migrate(&options, &mut Quiet);
            result.map(|done| done.backup.unwrap()).map_err(|error| error.failure.to_string())
        });
        as_bob.join().unwrap()
    })
}

fn rights(path: &Path) -> (u32, u32, u32) {
    let metadata = path.metadata().unwrap();
    (metadata.uid(), metadata.gid(), metadata.mode() & 0o777)
}

#[test]
fn a_new_file_has_the_group_of_v1_or_its_group_has_no_rights() {
    if !is_root() {
        return;
    }
    // A member of the group gives v2 the group.
    let (_directory, path) = folder(0o660, 0o775);
    upgrade_as_bob(&path, &[FRIENDS, STRANGERS]).unwrap();
    assert_eq!(rights(&path), (BOB, FRIENDS, 0o660));
    // A user who is not in the group may not. What v1's group had, and no more, the others have.
    for (mode, wanted) in [(0o666, 0o606), (0o646, 0o604)] {
        let (_directory, path) = folder(mode, 0o777);
        let backup = upgrade_as_bob(&path, &[STRANGERS]).unwrap();
        assert_eq!(rights(&path), (BOB, STRANGERS, wanted), "{mode:o}");
        assert_eq!(rights(&backup), (ALICE, FRIENDS, mode), "{mode:o}");
        assert_eq!(
            (rows(&path, "note"), rows(&backup, "notes")),
            (NOTES.map(String::from).to_vec(), NOTES.map(String::from).to_vec())
        );
    }
}

#[test]
fn a_sticky_directory_in_which_nothing_can_be_replaced_is_refused_before_anything_is_made() {
    if !is_root() {
        return;
    }
    let (directory, path) = folder(0o666, 0o1777);
    for _ in 0..2 {
        let message = upgrade_as_bob(&path, &[FRIENDS]).unwrap_err();
        assert!(message.contains("its directory is sticky") && message.contains("IO"), "{message}");
        assert_eq!(names(directory.path()), ["data.db"]);
    }
    assert_eq!(rights(&path), (ALICE, FRIENDS, 0o666));
    // Root may replace it, and v2 is alice's.
    let make = Make { from: BuildFrom::Empty, run: BuildBy::Sql(TO_V2.into()) };
    let options = Options::new(&path, "v1-v2", Detect::UserVersion(2), make);
    cutover::migrate(&options, &mut Quiet).unwrap();
    assert_eq!(rights(&path), (ALICE, FRIENDS, 0o666));
}

#[test]
fn a_companions_directory_that_root_makes_belongs_to_the_owner_of_the_database() {
    struct App;
    impl Host for App {
        fn build(
            &mut self,
            job: &mut dyn cutover::Job<'_>,
        ) -> Result<cutover::Built, cutover::HostError> {
            job.write_companion("auth", b"v2 secret")?;
            let v2 = Connection::open(job.staging())?;
            v2.execute("ATTACH ?1 AS v1", [job.source()?.to_str()])?;
            v2.execute_batch(TO_V2)?;
            Ok(cutover::Built::default())
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
        let found = std::fs::metadata(path).unwrap();
        let of = (found.uid(), found.gid(), found.permissions().mode() & 0o777);
        assert_eq!(of, (ALICE, FRIENDS, mode), "{}", path.display());
    }
}
