//! At no step does any file give a user more than v1 gave, whatever v1's rights are, whichever user
//! upgrades, and whatever the directory gives to new files.

use std::path::{Path, PathBuf};

use cutover::{BuildBy, BuildFrom, Built, Event, Host, HostError, Job, Make};
use rusqlite::Connection;

use super::options;
use crate::support::directory::names;
use crate::support::disk::in_memory;
use crate::support::notes::V1;
use crate::support::users::{
    ACCESS, ALICE, BOB, DEFAULT, Entry, FRIENDS, STRANGERS, as_user, give, is_root, may, set_acl,
};

const NAMED: u32 = 5005;
const SHUT_OUT: u32 = 5006;
const OTHER_FRIENDS: u32 = 6001;

/// Other users, each with a group.
const USERS: [(u32, u32); 7] = [
    (ALICE, FRIENDS),
    (NAMED, 9000),
    (SHUT_OUT, FRIENDS),
    (5007, FRIENDS),
    (5008, OTHER_FRIENDS),
    (5009, STRANGERS),
    (5010, 9001),
];

/// v1's mode and ACL, and the ACL that the directory gives to new files.
struct Case(u32, &'static [Entry], &'static [Entry]);

const CASES: [Case; 7] = [
    Case(0o660, &[], &[]),
    Case(0o2770, &[], &[]),
    Case(0o640, &[], &INHERITED),
    Case(0o660, &LETS_IN, &[]),
    Case(0o660, &SHUTS_OUT, &[]),
    Case(0o666, &SHUTS_A_GROUP_OUT, &INHERITED),
    Case(0o606, &[], &[]),
];

const INHERITED: [Entry; 6] = [
    Entry::Owner(7),
    Entry::User(NAMED, 7),
    Entry::Group(7),
    Entry::NamedGroup(OTHER_FRIENDS, 7),
    Entry::Mask(7),
    Entry::Others(0),
];
const LETS_IN: [Entry; 6] = [
    Entry::Owner(6),
    Entry::User(BOB, 6),
    Entry::User(NAMED, 6),
    Entry::Group(0),
    Entry::Mask(6),
    Entry::Others(0),
];
const SHUTS_OUT: [Entry; 5] =
    [Entry::Owner(6), Entry::User(SHUT_OUT, 0), Entry::Group(6), Entry::Mask(6), Entry::Others(4)];
const SHUTS_A_GROUP_OUT: [Entry; 5] = [
    Entry::Owner(6),
    Entry::Group(6),
    Entry::NamedGroup(OTHER_FRIENDS, 0),
    Entry::Mask(6),
    Entry::Others(6),
];

/// Looks at every file at each step, and in the middle of the build.
struct Watches<'a> {
    directory: &'a Path,
    /// What each of the users may do with the database, with the companion and with a lock.
    given: [Vec<u32>; 3],
    what: String,
    files: usize,
    sidecars: usize,
}

impl Watches<'_> {
    fn look(&mut self, step: &str) {
        for entry in std::fs::read_dir(self.directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            // SQLite gives v1's own sidecars the mode that the system shows, for any program that opens v1.
            if name.starts_with("data.db-") {
                continue;
            }
            let given = match name {
                name if name.ends_with("-lock") => &self.given[2],
                name if name.starts_with("auth.json") => &self.given[1],
                _ => &self.given[0],
            };
            for ((user, group), given) in USERS.into_iter().zip(given) {
                let now = may(&path, user, &[group]);
                assert!(
                    now & !given == 0,
                    "{}, {step}: {name} lets {user} of {group} {now:o}, and {given:o} was given",
                    self.what
                );
            }
            self.files += 1;
            self.sidecars += usize::from(name.ends_with("-journal"));
        }
    }
}

impl Host for Watches<'_> {
    fn event(&mut self, event: &Event) {
        if let Event::Step { op, .. } = event {
            self.look(op.as_str());
        }
    }
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        let v2 = Connection::open(job.staging())?;
        v2.execute_batch(
            "PRAGMA journal_mode = DELETE; BEGIN; ALTER TABLE notes RENAME TO note;
            PRAGMA user_version = 2;",
        )?;
        self.look("in the middle of the build");
        v2.execute_batch("COMMIT")?;
        job.save_state(serde_json::json!("private"))?;
        job.write_companion("auth", b"of v2")?;
        self.look("at the end of the build");
        Ok(Built::default())
    }
    fn wait(&mut self, _delay_ms: u64) {}
}

#[test]
fn no_file_gives_a_user_more_than_v1_gave() {
    if !is_root() {
        return;
    }
    let (mut upgrades, mut sidecars) = (0, 0);
    for (number, Case(mode, acl, inherited)) in CASES.iter().enumerate() {
        for (user, groups) in [
            (0, &[0][..]),
            (ALICE, &[FRIENDS]),
            (ALICE, &[STRANGERS, FRIENDS]),
            (BOB, &[STRANGERS, FRIENDS]),
            (BOB, &[STRANGERS]),
        ] {
            let directory = in_memory();
            let [path, auth] = ["data.db", "auth.json"].map(|name| directory.path().join(name));
            Connection::open(&path).unwrap().execute_batch(V1).unwrap();
            std::fs::write(&auth, "of v1").unwrap();
            for path in [&path, &auth] {
                give(path, ALICE, FRIENDS, *mode);
                if !acl.is_empty() {
                    set_acl(path, ACCESS, acl);
                }
            }
            give(directory.path(), ALICE, FRIENDS, 0o777);
            if !inherited.is_empty() {
                set_acl(directory.path(), DEFAULT, inherited);
            }
            let given = [&path, &auth, &directory.path().to_owned()].map(|path| {
                let may = |(user, group)| may(path, user, &[group]);
                USERS.into_iter().map(may).collect::<Vec<_>>()
            });
            let [database, companion, of_directory] = given;
            // A lock holds nothing, and is for those who may write beside it or to the database.
            let writes = |may: u32| if may & 2 == 0 { 0 } else { 6 };
            let locks = database.iter().zip(&of_directory);
            let locks = locks.map(|(may, of_directory)| may | writes(*of_directory)).collect();
            let make = Make { from: BuildFrom::Copy, run: BuildBy::Host };
            let companions = [("auth", auth.clone())];
            let options = options(&path).make(make).companions(companions);
            let mut host = Watches {
                directory: directory.path(),
                given: [database, companion, locks],
                what: format!("case {number}, as {user} of {groups:?}"),
                files: 0,
                sidecars: 0,
            };
            let before = names(directory.path());
            let done = as_user(user, groups, || {
                let done = cutover::migrate(&options, &mut host).map(|done| done.backup);
                done.map_err(|error| error.failure.to_string())
            });
            host.look("at the end");
            match done {
                Ok(backup) => {
                    assert!(backup.is_some_and(|path: PathBuf| path.exists()), "{}", host.what);
                    assert!(host.files > 100, "{}: {} files", host.what, host.files);
                    (upgrades, sidecars) = (upgrades + 1, sidecars + host.sidecars);
                }
                Err(told) => {
                    assert!(told.contains("EACCES"), "{}: {told}", host.what);
                    assert_eq!(names(directory.path()), before, "{}", host.what);
                }
            }
        }
    }
    assert!(upgrades > 25 && sidecars >= upgrades, "{upgrades} upgrades, {sidecars} sidecars");
}
