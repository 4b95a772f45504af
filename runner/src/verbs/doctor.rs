//! Collects what a support person needs from a machine that is not at hand. Nothing in the
//! database's directory is changed, made or locked; a database that this process has open is not
//! opened.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cutover_core::{
    Code, Event, Failure, FileName, Observation, OpError, OpErrorKind, OpName, counted,
};
use cutover_support::{
    BUNDLE_VERSION, Bundle, Check, Content, DatabaseHeader, Made, Wal, WalReader, kept_companions,
    next_start, read_database_header, read_shm,
};
use rusqlite::{Connection, OpenFlags};

use crate::copy::pieces;
use crate::error::Error;
use crate::host::Host;
use crate::observe::{look, receipts};
use crate::options::setters;
use crate::os;
use crate::path::usable;
use crate::place::Paths;
use crate::session::{nonce, now_ms};
use crate::sqlite::{Open, Watch, count, examine, installed, run, stopped};
use crate::types::Integrity;
use crate::waiting::refuse_cancelled;
use crate::watched::{Done, Progress, watched};

/// The options of [`doctor`]. [`DoctorOptions::default`] sets the defaults, and a method of each
/// field's name sets that field.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DoctorOptions {
    /// The companions that the upgrade declares: name to path. The bundle holds a SHA-256 of each,
    /// not its content. Default: none.
    pub companions: BTreeMap<String, PathBuf>,
    /// The last failure that the application kept. Default: none.
    pub last_error: Option<Failure>,
    /// The events that the application kept, oldest first. Default: none.
    pub events: Vec<Event>,
    /// What runs the doctor, for example `node 22.4.0`. Default: none.
    pub runtime: Option<String>,
    /// Whether the bundle includes what the application saved, reported and logged. This may be
    /// personal. Default: no.
    pub application_data: bool,
    /// SQLite checks the pages of databases up to this size, in bytes; 0 means never. Default: 1
    /// GiB. A database with an open log is first copied to the system's temporary directory.
    pub check_up_to: u64,
}

impl Default for DoctorOptions {
    fn default() -> Self {
        Self {
            companions: BTreeMap::new(),
            last_error: None,
            events: Vec::new(),
            runtime: None,
            application_data: false,
            check_up_to: 1 << 30,
        }
    }
}

setters!(DoctorOptions {
    last_error(Failure) Some(last_error),
    events(Vec<Event>) events,
    runtime(impl Into<String>) Some(runtime.into()),
    application_data(bool) application_data,
    check_up_to(u64) check_up_to,
});

/// Describes a database, the files beside it and its companions, and what the next start would do.
///
/// # Errors
/// `IO` when a directory, a companion or a journal cannot be read; `ABORTED` when the application
/// asked to stop.
pub fn doctor(path: &Path, options: &DoctorOptions, host: &mut dyn Host) -> Result<Bundle, Error> {
    let place = usable(path, &options.companions)?;
    refuse_cancelled(host)?;
    let observed = || look(&place).map_err(|blind| blind.into_failure(&place));
    let observation = observed()?;
    let receipts = receipts(&place, &observation);
    let held = observation.holders.iter().any(|holder| holder.this_process);
    let canonical = place.path(&place.canonical);
    let (mut header, mut wal, mut shm) = (None, None, None);
    if !held {
        header = read_header(&canonical);
        let index = read_index(&place);
        wal = read_log(&place, &index);
        shm = read_shm(&index);
    }
    let (mut check, mut content) = match check(&place, &observation, options.check_up_to, host) {
        Ok(checked) => checked,
        Err(fault) if fault.cause == OpErrorKind::Aborted => {
            let what = "the application asked to stop; nothing was touched";
            return Err(Failure::refusal(Code::Aborted, what, "call again").into());
        }
        Err(fault) => (not_made(&fault.message), None),
    };
    if !held && changed(&observation, &observed()?) {
        (check, content) = (not_made("the database was changed during the check"), None);
    }
    let next = next_start(&observation, &receipts);
    let beside = kept_companions(&place.canonical, &receipts)
        .into_iter()
        .flat_map(|kept| [kept.file, kept.backup])
        .filter(|name| os::exists(&place.path(name)))
        .collect();
    let made = Made {
        at_ms: now_ms(),
        cutover: env!("CARGO_PKG_VERSION").into(),
        sqlite: rusqlite::version().into(),
        platform: os::PLATFORM,
        arch: std::env::consts::ARCH.into(),
        runtime: options.runtime.clone(),
    };
    let bundle = Bundle {
        version: BUNDLE_VERSION,
        made,
        path: canonical.display().to_string(),
        observation,
        receipts,
        header,
        wal,
        shm,
        check,
        content,
        beside,
        next,
        last_error: options.last_error.clone(),
        events: options.events.clone(),
    };
    Ok(if options.application_data { bundle } else { bundle.redacted(&homes()) })
}

fn not_made(why: &str) -> Check {
    Check::NotMade { why: why.into() }
}

/// Whether another process changed the set between two observations.
fn changed(before: &Observation, after: &Observation) -> bool {
    let set = |observation: &Observation| {
        observation.canonical.set().map(|name| observation.files.get(&name).cloned())
    };
    set(before) != set(after)
}

fn read_header(path: &Path) -> Option<DatabaseHeader> {
    let file = os::open_to_read(path).ok()?;
    let size = file.metadata().ok()?.len();
    let mut page = Vec::new();
    file.take(65536).read_to_end(&mut page).ok()?;
    read_database_header(&page, Some(size)).ok()
}

/// The header of the `-shm`, which is the index of the log; empty where it cannot be read.
fn read_index(place: &Paths) -> Vec<u8> {
    let [_, shm, _] = place.canonical.sidecars().map(|name| place.path(&name));
    let mut head = Vec::new();
    let read = os::open_to_read(&shm).and_then(|shm| shm.take(136).read_to_end(&mut head));
    if read.is_err() {
        head.clear();
    }
    head
}

fn read_log(place: &Paths, index: &[u8]) -> Option<Wal> {
    let [wal, ..] = place.canonical.sidecars().map(|name| place.path(&name));
    let mut file = os::open_to_read(&wal).ok()?;
    let mut reader = WalReader::new(Some(index));
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece).ok()? {
            0 => return Some(reader.finish()),
            read => reader.feed(piece.get(..read)?),
        }
    }
}

fn check(
    place: &Paths,
    observation: &Observation,
    most: u64,
    host: &mut dyn Host,
) -> Result<(Check, Option<Content>), OpError> {
    let not_made = |why: &str| (not_made(why), None);
    let facts = match observation.canonical_facts() {
        None => return Ok(not_made("there is no database")),
        Some(_) if !observation.holders.is_empty() => {
            return Ok(not_made("a program has the database open"));
        }
        Some(facts) if facts.header.is_none() => {
            return Ok(not_made("the file is not a database"));
        }
        Some(facts) => facts,
    };
    let [wal, _, journal] = place.canonical.sidecars();
    let bytes = |name: &FileName| observation.files.get(name).map_or(0, |facts| facts.size);
    let [log, rollback] = [&wal, &journal].map(bytes);
    if facts.size.saturating_add(log) > most {
        return Ok(not_made(&format!(
            "database and log have {}; only up to {most} are checked",
            counted(facts.size.saturating_add(log), "byte")
        )));
    }
    let path = place.path(&place.canonical);
    let may_stop = true;
    let checked =
        Progress { op: OpName::CheckPages, done: Done::Counted, total: Some(facts.size), may_stop };
    if log == 0 && rollback == 0 {
        // A lone file can be read in place: `immutable` makes no sidecar and takes no lock.
        let open = || run(installed(&path));
        return watched(&checked, host, |watch| quick_check(&open, watch));
    }
    // If SQLite opened this one in place, it would make a new -shm for the log, or roll back a hot
    // journal.
    let directory = match Copy::directory() {
        Ok(directory) => directory,
        Err(error) => return Ok((no_copy(&error), None)),
    };
    let copied = directory.join(place.canonical.as_str());
    let total = facts.size.saturating_add(log).saturating_add(rollback);
    let copying =
        Progress { op: OpName::Copy, done: Done::SizeOf(&copied), total: Some(total), may_stop };
    let copy = watched(&copying, host, |watch| match Copy::of(place, directory.clone(), watch) {
        Err(_) if watch.is_stopped() => Err(stopped()),
        made => Ok(made),
    })?;
    match copy {
        Ok(copy) => watched(&checked, host, |watch| copy.check(watch)),
        Err(error) => Ok((no_copy(&error), None)),
    }
}

/// Asks SQLite whether the pages are sound, and counts the rows. Its own text stays out of the
/// bundle, because it may contain row data.
fn quick_check(open: &Open, watch: &Watch<'_>) -> Result<(Check, Option<Content>), OpError> {
    let check = pages(open, watch)?;
    let content = match check {
        Check::Sound => count(open, watch)?.map(|(tables, rows)| Content { tables, rows }),
        _ => None,
    };
    Ok((check, content))
}

fn pages(open: &Open, watch: &Watch<'_>) -> Result<Check, OpError> {
    Ok(match examine(open, Integrity::Quick, watch) {
        Ok(found) if found.damage.is_some() => Check::Damaged { problems: 1 },
        Ok(found) if found.unread.is_empty() => Check::Sound,
        Ok(_) => not_made(
            "stock SQLite found no damage, but cannot read all of the schema: another SQLite, or \
             the application's own extension, made it",
        ),
        Err(fault) => match fault.cause {
            OpErrorKind::V1Corrupt | OpErrorKind::NotADatabase => Check::Damaged { problems: 1 },
            _ if watch.is_stopped() => return Err(stopped()),
            _ => not_made("SQLite could not read it"),
        },
    })
}

fn no_copy(error: &std::io::Error) -> Check {
    not_made(&format!("no private copy could be made: {}", error.kind()))
}

/// A copy of the set in a directory that only this user can read. It is removed on drop.
struct Copy {
    directory: PathBuf,
    database: PathBuf,
}

impl Copy {
    fn directory() -> std::io::Result<PathBuf> {
        // SQLite follows no symbolic link here, and the temporary directory's path may contain one.
        let directory = std::fs::canonicalize(std::env::temp_dir())?
            .join(format!("cutover-doctor-{}", nonce()));
        os::create_private_directory(&directory, None)?;
        Ok(directory)
    }

    fn of(place: &Paths, directory: PathBuf, watch: &Watch<'_>) -> std::io::Result<Self> {
        let copy = Self { database: directory.join(place.canonical.as_str()), directory };
        let [wal, _, hot] = place.canonical.sidecars();
        for name in [&place.canonical, &wal, &hot] {
            let from = place.path(name);
            if os::exists(&from) {
                // Only the bytes are copied. `std::fs::copy` would also copy a read-only mode.
                let mut to = File::create_new(copy.directory.join(name.as_str()))?;
                pieces(&mut os::open_to_read(&from)?, &mut to, watch)?;
            }
        }
        Ok(copy)
    }

    fn check(&self, watch: &Watch<'_>) -> Result<(Check, Option<Content>), OpError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let open = || {
            let db = Connection::open_with_flags(&self.database, flags)?;
            db.busy_timeout(Duration::ZERO)?;
            Ok(db)
        };
        quick_check(&|| run(open()), watch)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        // If it cannot be removed: the system cleans its temporary directory.
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// This user's home directory, as the environment has it and with symbolic links resolved.
fn homes() -> Vec<String> {
    let mut homes: Vec<String> = Vec::new();
    for name in ["HOME", "USERPROFILE"] {
        let Some(home) = std::env::var_os(name).map(PathBuf::from) else { continue };
        homes.extend(std::fs::canonicalize(&home).ok().map(|home| home.display().to_string()));
        homes.push(home.display().to_string());
    }
    homes
}
