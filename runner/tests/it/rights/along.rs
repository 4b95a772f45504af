//! What comes along with v1, and what is told where it cannot.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use cutover::planner::Warning;
use cutover::{BackupOptions, BuildBy, BuildFrom, Built, Host, HostError, Job, Make};
use rusqlite::Connection;

use super::{Quiet, folder, options};
use crate::support::again::assert_held;
use crate::support::disk::in_memory;
use crate::support::notes::{NOTES, TO_V2, V1, rows};
use crate::support::users::{
    ACCESS, ALICE, Entry, FRIENDS, acl, as_user, attribute, give, is_root, set_acl, set_attribute,
    shown,
};

/// An application that changes its companion.
pub struct App;

impl Host for App {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let v2 = Connection::open(job.staging())?;
        v2.execute("ATTACH DATABASE ?1 AS v1", [job.source()?.to_str().unwrap()])?;
        v2.execute_batch(TO_V2)?;
        job.read_companion("auth")?;
        job.write_companion("auth", b"of v2")?;
        Ok(Built::default())
    }
}

const USER: u32 = 5005;

/// One user is let in, and the group is not.
const SHARED: [Entry; 5] =
    [Entry::Owner(6), Entry::User(USER, 6), Entry::Group(0), Entry::Mask(6), Entry::Others(0)];

const ATTRIBUTES: [(&str, &[u8]); 3] =
    [("user.com.dropbox.ignored", b"1"), ("user.empty", b""), ("security.cutover", b"label")];

fn assert_along(path: &Path, what: &str) {
    let told = format!("{what}, {}", path.display());
    assert_eq!(acl(path), SHARED, "{told}");
    assert_eq!(shown(path), (ALICE, FRIENDS, 0o660), "{told}");
    for (name, value) in ATTRIBUTES {
        assert_eq!(attribute(path, name).as_deref(), Some(value), "{told}: {name}");
    }
}

/// As root, who may give all of it. tmpfs, and the file system of the temporary folder.
#[test]
fn acl_and_attributes_come_along_to_every_file_that_stays() {
    if !is_root() {
        return;
    }
    for directory in [in_memory(), tempfile::tempdir().unwrap()] {
        let [path, auth] = ["data.db", "auth.json"].map(|name| directory.path().join(name));
        Connection::open(&path).unwrap().execute_batch(V1).unwrap();
        std::fs::write(&auth, "of v1").unwrap();
        give(directory.path(), ALICE, FRIENDS, 0o755);
        for path in [&path, &auth] {
            give(path, ALICE, FRIENDS, 0o600);
            set_acl(path, ACCESS, &SHARED);
            for (name, value) in ATTRIBUTES {
                set_attribute(path, name, value);
            }
            assert_along(path, "before");
        }
        let make = Make { from: BuildFrom::Empty, run: BuildBy::Host };
        let companions: BTreeMap<String, PathBuf> = [("auth".to_owned(), auth.clone())].into();
        let options = options(&path).make(make).companions(companions.clone());
        let done = cutover::migrate(&options, &mut App).unwrap();
        assert_eq!(done.warnings, []);
        let backup = done.backup.unwrap();
        let every = || {
            let entries = std::fs::read_dir(directory.path()).unwrap();
            let paths = entries.map(|entry| entry.unwrap().path());
            // A companion's lock is for those who may write in its directory.
            paths.filter(|path| !path.ends_with("auth.json.cutover-lock")).collect::<Vec<_>>()
        };
        for path in every() {
            assert_along(&path, "after the upgrade");
        }
        let beside = BackupOptions::default().companions(companions);
        let done = cutover::restore(&path, &backup, &beside, &mut Quiet).unwrap();
        assert!(lost(&done.warnings).is_empty());
        assert_along(&done.displaced, "after the restore");
        for path in every() {
            assert_along(&path, "after the restore");
        }
        assert_eq!(rows(&path, "notes"), NOTES);
        // Who was let in is let in, and who was not is not.
        let opens = |user: u32, groups: &[u32]| {
            as_user(user, groups, || std::fs::File::options().write(true).open(&path).is_ok())
        };
        assert_eq!((opens(USER, &[USER]), opens(5006, &[FRIENDS])), (true, false));
    }
}

fn lost(warnings: &[Warning]) -> Vec<&str> {
    let lost = warnings.iter().filter(|warning| warning.code.as_deref() == Some("RIGHTS_LOST"));
    lost.map(|warning| warning.message.as_str()).collect()
}

/// Only root may set `security.*`, so alice's v2 lacks it, and has the rest.
#[test]
fn an_attribute_that_this_user_may_not_set_is_told() {
    if !is_root() {
        return;
    }
    let (_directory, path) = folder(0o600, 0o755);
    for (name, value) in ATTRIBUTES {
        set_attribute(&path, name, value);
    }
    let options = options(&path);
    let done = as_user(ALICE, &[FRIENDS], || cutover::migrate(&options, &mut Quiet).unwrap());
    let [told] = lost(&done.warnings)[..] else { panic!("{:?}", done.warnings) };
    assert!(told.contains(path.to_str().unwrap()), "{told}");
    assert!(told.ends_with(": security.cutover"), "{told}");
    assert_eq!(attribute(&path, "user.com.dropbox.ignored").as_deref(), Some(&b"1"[..]));
}

/// Set in the process inside the namespace: the database's path.
const INSIDE: &str = "CUTOVER_TEST_OF_AN_ACL";

/// In a user namespace (a container) the kernel shows an ACL that names users whom the namespace
/// does not have, and refuses to set it.
#[test]
fn where_an_acl_cannot_be_set_its_mask_is_not_taken_for_the_groups_rights() {
    if let Some(path) = std::env::var_os(INSIDE) {
        let path = PathBuf::from(path);
        let make = Make { from: BuildFrom::Empty, run: BuildBy::Host };
        let auth = path.with_file_name("auth.json");
        let companions = [("auth", auth.clone())];
        let options = options(&path).make(make).companions(companions);
        let done = cutover::migrate(&options, &mut App).unwrap();
        let told = lost(&done.warnings);
        assert!(told.len() >= 2, "{:?}", done.warnings);
        for path in [&path, &auth] {
            let is_told = |message: &&&str| {
                message.contains(&format!("new {} lacks", path.display()))
                    && message.contains(ACCESS)
            };
            assert!(told.iter().any(|message| is_told(&message)), "{told:?}");
        }
        return;
    }
    for (entries, wanted) in [
        (SHARED.to_vec(), 0o600),
        // One of the others is shut out, so all of them are.
        (
            vec![
                Entry::Owner(6),
                Entry::User(USER, 0),
                Entry::Group(6),
                Entry::Mask(6),
                Entry::Others(4),
            ],
            0o600,
        ),
        (
            vec![
                Entry::Owner(6),
                Entry::User(USER, 4),
                Entry::Group(6),
                Entry::Mask(6),
                Entry::Others(0),
            ],
            0o640,
        ),
    ] {
        let directory = in_memory();
        let [path, auth] = ["data.db", "auth.json"].map(|name| directory.path().join(name));
        Connection::open(&path).unwrap().execute_batch(V1).unwrap();
        std::fs::write(&auth, "of v1").unwrap();
        for path in [&path, &auth] {
            set_acl(path, ACCESS, &entries);
        }
        let again = again!(where_an_acl_cannot_be_set_its_mask_is_not_taken_for_the_groups_rights);
        let output = Command::new("unshare")
            .args(["--user", "--map-root-user"])
            .arg(again.get_program())
            .args(again.get_args())
            .env(INSIDE, &path)
            .output()
            .expect("unshare is needed for this test: apt-get install util-linux");
        assert_held(&output, "the test in the user namespace failed");
        let mut seen = 0;
        for entry in std::fs::read_dir(directory.path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            // v1 itself is the backup.
            if !name.ends_with(".cutover-lock") && acl(&path) != entries {
                assert_eq!((acl(&path), shown(&path).2), (Vec::new(), wanted), "{name}");
                seen += 1;
            }
        }
        assert!(seen >= 4, "v2, the companion, its backup, the receipt: {seen}");
    }
}
