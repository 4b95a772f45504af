//! An application whose companion is in another directory than its database. It runs in a process
//! of its own, so that `strace` can inject any fault.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::path::{Path, PathBuf};
use std::process::Command;

use cutover::planner::Warning;
use cutover::{
    BackupOptions, BuildBy, BuildFrom, Built, Detect, Event, Host, HostError, Job, Make,
    MigrateResult, Options, RecoverResult,
};
use rusqlite::Connection;

use crate::support::notes::{NOTES, TO_V2, V1, rows};
use crate::support::{directory, strace};

/// What the traced process does, and below which directory.
const DOES: &str = "CUTOVER_TEST_DOES";
const ROOT: &str = "CUTOVER_TEST_ROOT";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Does {
    Stages,
    /// Another program also writes to the companion after the build.
    StagesBesideAnother,
    WritesInPlace,
    WritesInPlaceAndFails,
    /// Restores v1 and its companion.
    Restores,
}

const ALL: [Does; 5] = [
    Does::Stages,
    Does::StagesBesideAnother,
    Does::WritesInPlace,
    Does::WritesInPlaceAndFails,
    Does::Restores,
];

/// The application.
struct App<'a> {
    does: Does,
    bed: &'a Bed,
}

impl Host for App<'_> {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        if self.does == Does::WritesInPlaceAndFails {
            std::fs::write(&self.bed.auth, "half of v2")?;
            return Err("no".into());
        }
        let v2 = Connection::open(job.staging())?;
        v2.execute_batch(&format!("ATTACH '{}' AS v1; {TO_V2}", job.source()?.display()))?;
        if self.does == Does::WritesInPlace {
            std::fs::write(&self.bed.auth, "of v2")?;
        } else {
            job.write_companion("auth", b"of v2")?;
        }
        Ok(Built::default())
    }

    fn event(&mut self, event: &Event) {
        if matches!(event, Event::Step { op, undo: false, .. } if op == "unlock-v1")
            && self.does == Does::StagesBesideAnother
        {
            std::fs::write(&self.bed.auth, "of another").unwrap();
        }
    }
}

pub struct Bed {
    root: PathBuf,
    pub database: PathBuf,
    pub auth: PathBuf,
}

impl Bed {
    fn at(root: &Path) -> Self {
        Self {
            root: root.into(),
            database: root.join("app/data.db"),
            auth: root.join("elsewhere/auth.json"),
        }
    }

    /// A v1 in WAL mode, with its companion.
    pub fn new(root: &Path) -> Self {
        let bed = Self::at(root);
        for of in [&bed.database, &bed.auth] {
            std::fs::create_dir_all(of.parent().unwrap()).unwrap();
        }
        bed.seed();
        bed
    }

    pub fn seed(&self) {
        Connection::open(&self.database)
            .unwrap()
            .execute_batch(&format!("PRAGMA journal_mode = WAL; {V1}"))
            .unwrap();
        std::fs::write(&self.auth, "of v1").unwrap();
    }

    /// The program that does this, to be run under `strace`.
    pub fn program(&self, does: Does) -> Command {
        let mut program = again!(child);
        program.env(DOES, format!("{does:?}")).env(ROOT, &self.root);
        program
    }

    fn options(&self) -> Options {
        let make = Make { from: BuildFrom::Empty, run: BuildBy::Host };
        let companions = [("auth", self.auth.clone())];
        Options::new(&self.database, "v1-v2", Detect::UserVersion(2), make).companions(companions)
    }

    pub fn migrate(&self, does: Does) -> Result<MigrateResult, cutover::Error> {
        cutover::migrate(&self.options(), &mut App { does, bed: self })
    }

    pub fn recover(&self) -> Result<RecoverResult, cutover::Error> {
        cutover::recover(&self.options(), &mut App { does: Does::Stages, bed: self })
    }

    pub fn restore(&self) -> Result<Vec<Warning>, cutover::Error> {
        let newest = cutover::list_backups(&self.database)?[0].name.as_str().to_owned();
        let companions = [("auth", self.auth.clone())];
        let options = BackupOptions::default().companions(companions);
        cutover::restore(
            &self.database,
            Path::new(&newest),
            &options,
            &mut App { does: Does::Restores, bed: self },
        )
        .map(|done| done.warnings)
    }

    /// The database's version. Checks that it has every row, and that the companion matches it.
    pub fn version(&self, what: &str) -> u32 {
        let set: u32 = Connection::open(&self.database)
            .unwrap()
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .unwrap();
        let (version, table, auth) =
            if set == 2 { (2, "note", "of v2") } else { (1, "notes", "of v1") };
        assert_eq!(rows(&self.database, table), NOTES, "{what}");
        assert_eq!(std::fs::read_to_string(&self.auth).unwrap(), auth, "{what}");
        version
    }

    /// The content of each displaced companion.
    pub fn kept(&self) -> Vec<String> {
        let names = names(&self.auth).into_iter().filter(|name| name.contains(".displaced-"));
        names.map(|name| std::fs::read_to_string(self.auth.with_file_name(name)).unwrap()).collect()
    }

    /// The directories hold v2 and its companion, v1 and its companion, the receipt, displaced
    /// files, and nothing else.
    pub fn assert_upgraded(&self, what: &str) {
        assert_eq!(self.version(what), 2, "{what}");
        let beside = names(&self.database);
        assert_eq!(beside.len(), 3, "{what}: {beside:?}");
        assert!(beside[2] == format!("{}.json", beside[1]), "{what}: {beside:?}");
        assert_eq!(rows(&self.database.with_file_name(&beside[1]), "notes"), NOTES, "{what}");
        let mut beside = names(&self.auth);
        beside.retain(|name| !name.contains(".displaced-"));
        assert!(
            beside.len() == 2
                && beside[1].starts_with("auth.json.v1-v2-")
                && !beside[1].contains(".tmp"),
            "{what}: {beside:?}"
        );
        assert_eq!(
            std::fs::read_to_string(self.auth.with_file_name(&beside[1])).unwrap(),
            "of v1",
            "{what}"
        );
    }
}

/// How an upgrade with a fault ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    Done,
    /// v2 and its companion are in place. The next start cleans up, and a warning says so.
    Warned,
    /// It failed, and everything is as it was.
    Undone,
    /// It failed, and says that the next start finishes or undoes it.
    Left,
}

/// Injects a fault into an upgrade with `strace`, and returns how it ended. The next start must
/// succeed, and must keep content that would otherwise be lost. `wrote`: whether a program had
/// written to the companion by then.
pub fn befallen(
    does: Does,
    traced: &str,
    more: impl FnOnce(&Bed) -> Vec<String>,
    what: &str,
    wrote: bool,
) -> Ending {
    let root = tempfile::tempdir().unwrap();
    let bed = Bed::new(root.path());
    let (output, _) = strace::run(traced, &more(&bed), &bed.program(does));
    let said = String::from_utf8_lossy(&output.stderr);
    let what = format!("{does:?}, {what}: {said}");
    let ending = match (output.status.success(), said.contains("next start")) {
        (true, false) => Ending::Done,
        (true, true) => Ending::Warned,
        (false, false) => Ending::Undone,
        (false, true) => Ending::Left,
    };
    match ending {
        Ending::Done => bed.assert_upgraded(&what),
        Ending::Warned => assert_eq!(bed.version(&what), 2, "{what}"),
        Ending::Undone => {
            assert_eq!(bed.version(&what), 1, "{what}");
            let (beside, mut companion) = (names(&bed.database), names(&bed.auth));
            companion.retain(|name| !name.contains(".displaced-"));
            assert_eq!(
                (beside, companion),
                (vec!["data.db".into()], vec!["auth.json".into()]),
                "{what}"
            );
        }
        Ending::Left => {}
    }
    bed.migrate(Does::Stages).unwrap_or_else(|error| panic!("{what}, and then {}", error.failure));
    bed.assert_upgraded(&what);
    let kept: &[&str] = match does {
        Does::StagesBesideAnother if wrote => &["of another"],
        Does::WritesInPlaceAndFails if wrote => &["half of v2"],
        _ => &[],
    };
    assert_eq!(bed.kept(), kept, "{what}");
    ending
}

/// Every name in this file's directory but the locks.
fn names(file: &Path) -> Vec<String> {
    directory::names(file.parent().unwrap())
}

/// What the traced process does. It prints its failure and exits with 1, or prints its warnings.
#[test]
#[ignore = "a process of the tests"]
fn child() {
    let (does, root) = (std::env::var(DOES).unwrap(), std::env::var_os(ROOT).unwrap());
    let does = ALL.into_iter().find(|one| format!("{one:?}") == does).unwrap();
    let bed = Bed::at(Path::new(&root));
    let result = if does == Does::Restores {
        bed.restore()
    } else {
        bed.migrate(does).map(|done| done.warnings)
    };
    match result {
        Ok(warnings) => warnings.iter().for_each(|warning| eprintln!("{}", warning.message)),
        Err(error) => {
            eprintln!("{}", error.failure);
            std::process::exit(1);
        }
    }
}
