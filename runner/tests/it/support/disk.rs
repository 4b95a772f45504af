//! One directory of `tests/disks`: what its `disk.json` says, how it is laid out again, how the
//! application starts on it, and what the directory holds afterwards.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use cutover::planner::Warning;
use cutover::{
    BackupOptions, BuildBy, BuildFrom, Built, Detect, Host, HostError, Job, Make, Options, Rule,
};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The data directory's path in the files of `tests/disks`.
pub const HOME: &str = "/home/me/.app";

pub const NOTES: [&str; 3] = ["milk", "bread", "a new bicycle"];
pub const TAGS: [&str; 2] = ["home", "errand"];
/// A row that the new release wrote to v2 before the user went back to v1.
pub const SINCE: &str = "after the upgrade";

/// The other table comes first, so that every page of v2 differs from v1.
const TO_V2: &str = "
    CREATE TABLE tag (id INTEGER PRIMARY KEY, label TEXT NOT NULL);
    CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
    INSERT INTO note SELECT id, text FROM v1.notes;
    INSERT INTO tag SELECT id, name FROM v1.tags;
    PRAGMA user_version = 2;";
const COPY_TO_V2: &str = "
    ALTER TABLE notes RENAME TO note;
    ALTER TABLE note RENAME COLUMN text TO body;
    ALTER TABLE tags RENAME TO tag;
    ALTER TABLE tag RENAME COLUMN name TO label;
    PRAGMA user_version = 2;";

/// The content of `disk.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// How the process that left this ended.
    pub killed: String,
    pub app: App,
    /// Each file, by its path relative to the database's directory.
    pub files: BTreeMap<String, Entry>,
    /// What each kind of start must lead to.
    pub ends: BTreeMap<String, Ended>,
}

/// The application's options and behaviour. A missing field is false or `None`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact, and they combine freely")]
pub struct App {
    pub label: String,
    /// A callback builds v2, not SQL.
    pub callback: bool,
    /// v2 starts as a copy of v1, not empty.
    pub copy: bool,
    /// The companion `auth`, by its path relative to the database's directory.
    pub companion: Option<String>,
    /// The companion's content with v1, and with v2. `None`: it does not exist.
    pub companion_of: [Option<String>; 2],
    /// The callback writes the companion itself, in place.
    pub in_place: bool,
    /// The callback saves a state.
    pub saves_state: bool,
    /// Whether v1 is in WAL mode.
    pub wal: bool,
    /// The backup that `restore` restores.
    pub backup: Option<String>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// The mode in octal, as `chmod` takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// The file's id in the `fileId` of a journal or a receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// This file is another hard link of that one, and is not stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The content is in `contents/<this>`, because more than one disk has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// How many zeros follow the stored content. A `-shm` has no stored content: SQLite makes it
    /// anew when a first connection opens the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zeros: Option<usize>,
    /// It is a text with file ids or paths, which are replaced by the real ones.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub journal: bool,
}

/// What a start led to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ended {
    /// What it returned, or the code of its failure.
    pub result: String,
    /// The codes of its warnings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The state of each call of `undo`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<Value>,
    /// The state of each call of `cleanup`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleaned: Vec<Value>,
    /// Each name but the locks, with `#` for the parts that differ between runs, and its content.
    pub files: Vec<String>,
}

/// The application.
struct Runs<'a> {
    app: &'a App,
    undone: Vec<Value>,
    cleaned: Vec<Value>,
}

impl Host for Runs<'_> {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        if self.app.saves_state {
            job.save_state(json!({ "keychain": "old" }))?;
        }
        self.app.build_database(job)?;
        self.app.write_companion(job)?;
        Ok(Built::default())
    }
    fn undo(&mut self, state: Option<&Value>, _nonce: &str) -> Result<(), HostError> {
        self.undone.push(state.cloned().unwrap_or_default());
        Ok(())
    }
    fn cleanup(&mut self, state: Option<&Value>, _nonce: &str) -> Result<(), HostError> {
        self.cleaned.push(state.cloned().unwrap_or_default());
        Ok(())
    }
    fn wait(&mut self, _delay_ms: u64) {}
}

impl App {
    pub fn build_database(&self, job: &mut dyn Job) -> Result<(), HostError> {
        let v2 = Connection::open(job.staging())?;
        if self.copy {
            v2.execute_batch(&format!("BEGIN; {COPY_TO_V2} COMMIT;"))?;
        } else {
            v2.execute_batch("PRAGMA page_size = 512")?;
            v2.execute("ATTACH ?1 AS v1", [job.source()?.to_str().unwrap()])?;
            v2.execute_batch(&format!("BEGIN; {TO_V2} COMMIT;"))?;
        }
        Ok(())
    }

    pub fn write_companion(&self, job: &mut dyn Job) -> Result<(), HostError> {
        let (Some(file), Some(new)) = (&self.companion, &self.companion_of[1]) else {
            return Ok(());
        };
        if self.in_place {
            std::fs::write(job.staging().with_file_name("").join(file), new)?;
            return Ok(());
        }
        job.write_companion("auth", new.as_bytes())
    }

    fn companions(&self, root: &Path) -> BTreeMap<String, PathBuf> {
        self.companion.iter().map(|file| ("auth".to_owned(), root.join(file))).collect()
    }

    pub fn options(&self, root: &Path) -> Options {
        let from = if self.copy { BuildFrom::Copy } else { BuildFrom::Empty };
        let sql = if self.copy { COPY_TO_V2 } else { TO_V2 };
        let run = if self.callback { BuildBy::Host } else { BuildBy::Sql(sql.into()) };
        let (path, detect) = (root.join("data.db"), Detect::UserVersion(2));
        let mut options = Options::new(path, self.label.as_str(), detect, Make { from, run });
        options.companions = self.companions(root);
        options.wait_ms = 0;
        options
    }

    pub fn beside(&self, root: &Path) -> BackupOptions {
        BackupOptions::default().companions(self.companions(root)).wait_ms(0)
    }

    /// Starts the application, and describes the directory when it has ended.
    pub fn start(&self, start: &str, root: &Path) -> Ended {
        let mut host = Runs { app: self, undone: Vec::new(), cleaned: Vec::new() };
        let (path, options) = (root.join("data.db"), self.options(root));
        let ended = match start {
            "migrate" => cutover::migrate(&options, &mut host).map(|done| {
                (format!("{}, {}", word(done.outcome), word(done.recovery)), codes(done.warnings))
            }),
            "recover" => cutover::recover(&options, &mut host)
                .map(|done| (word(done.recovery), codes(done.warnings))),
            "restore" => {
                let backup = Path::new(self.backup.as_ref().unwrap());
                cutover::restore(&path, backup, &self.beside(root), &mut host)
                    .map(|done| (word(done.recovery), codes(done.warnings)))
            }
            "prune" => {
                let rule = Rule { keep: Some(1), older_than_ms: None };
                cutover::prune_backups(&path, rule, &self.beside(root), &mut host)
                    .map(|done| (format!("{} removed", done.removed.len()), Vec::new()))
            }
            other => panic!("there is no start named {other}"),
        };
        let refused =
            |error: cutover::Error| (format!("refused, {}", word(error.failure.code)), Vec::new());
        let (result, warnings) = ended.unwrap_or_else(refused);
        let files = self.look(root);
        Ended { result, warnings, undone: host.undone, cleaned: host.cleaned, files }
    }

    /// Starts the application by the plans that it gives, each as JSON, until it gives none.
    pub fn start_by_plans(&self, root: &Path) -> Result<Vec<String>, String> {
        let options = self.options(root);
        let told = |what: &str, error: cutover::Error| format!("{what}: {}", error.failure);
        for _ in 0..8 {
            let mut host = Runs { app: self, undone: Vec::new(), cleaned: Vec::new() };
            let plan = cutover::plan(&options, &mut host).map_err(|error| told("plan", error))?;
            let Some(plan) = plan else {
                // Where no plan is given, no lock is taken, and what a killed process left of it stays.
                let files = self.look(root).into_iter();
                return Ok(files.filter(|file| !file.contains(".owner-lock")).collect());
            };
            cutover::run_plan(&plan.to_text(), &options, &mut host)
                .map_err(|error| told("runPlan", error))?;
        }
        Err("the plans do not end".into())
    }

    /// The content of each file, in order of the names. No database is opened in place.
    pub fn look(&self, root: &Path) -> Vec<String> {
        let mut told: Vec<String> = files(root)
            .into_iter()
            // Canonical's log is read together with canonical.
            .filter(|name| !name.ends_with("-lock") && !name.starts_with("data.db-"))
            .map(|name| {
                let companion = self.companion.as_ref().is_some_and(|file| name.starts_with(file));
                let database = name.rsplit_once('.').is_some_and(|(_, last)| {
                    last == "db" || last.starts_with("displaced-") || is_backup(&name)
                });
                let holds = match (companion, database) {
                    (true, _) => std::fs::read_to_string(root.join(&name)).unwrap(),
                    (_, true) => holds(&root.join(&name)),
                    _ => return masked(&name),
                };
                format!("{} = {holds}", masked(&name))
            })
            .collect();
        told.sort();
        told
    }
}

fn word(value: impl Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

fn codes(warnings: Vec<Warning>) -> Vec<String> {
    warnings.into_iter().map(|warning| warning.code.unwrap_or_default()).collect()
}

/// Every file below a directory, by its path relative to it.
pub fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        let name = name.into_string().unwrap();
        if path.is_dir() {
            found.extend(files(&path).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}

/// A name without nonces and times, which differ between runs.
pub fn masked(name: &str) -> String {
    let token = |text: &str| {
        let nonce = text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let time = text.len() >= 12 && text.bytes().all(|b| b.is_ascii_digit());
        if nonce || time { "#".to_owned() } else { text.to_owned() }
    };
    let part = |part: &str| part.split('-').map(token).collect::<Vec<_>>().join("-");
    name.split('.').map(part).collect::<Vec<_>>().join(".")
}

fn is_backup(name: &str) -> bool {
    name.starts_with("data.db.v") && masked(name).ends_with("-#-#")
}

/// A database's content in one line. A copy of it is opened, with its log.
fn holds(path: &Path) -> String {
    let header = std::fs::read(path).unwrap();
    if header.is_empty() {
        return "nothing".into();
    }
    let copy = in_memory();
    let copied = copy.path().join("data.db");
    for suffix in ["", "-wal", "-journal"] {
        let from = format!("{}{suffix}", path.display());
        if Path::new(&from).exists() {
            std::fs::copy(from, format!("{}{suffix}", copied.display())).unwrap();
        }
    }
    let db = Connection::open(copied).unwrap();
    let all = |sql: &str| -> rusqlite::Result<Vec<String>> {
        db.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
    };
    if !all("PRAGMA integrity_check").is_ok_and(|told| told == ["ok"]) {
        return "damaged".into();
    }
    let mode = if header[18] == 2 { "wal" } else { "rollback" };
    let v1 = ["SELECT text FROM notes ORDER BY id", "SELECT name FROM tags ORDER BY id"];
    let v2 = ["SELECT body FROM note ORDER BY id", "SELECT label FROM tag ORDER BY id"];
    for (version, [notes, tags]) in [("v1", v1), ("v2", v2)] {
        let (Ok(notes), Ok(tags)) = (all(notes), all(tags)) else { continue };
        if let Some(since) = notes.strip_prefix(&NOTES.map(str::to_owned)[..])
            && tags == TAGS
        {
            return match since {
                [] => format!("{version}, whole, {mode}"),
                since => format!("{version}, whole and {}, {mode}", since.join(" and ")),
            };
        }
        return format!("{version}, {notes:?} {tags:?}, {mode}");
    }
    "neither v1 nor v2".into()
}

/// In memory if possible: these tests do not check that a flush reaches a disk.
pub fn in_memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn id_of(path: &Path) -> String {
    let metadata = std::fs::metadata(path).unwrap();
    format!("{:x}-{:x}", metadata.dev(), metadata.ino())
}

impl Entry {
    fn bytes(&self, name: &str, stored: &Path) -> Vec<u8> {
        let from = match &self.content {
            Some(content) => stored.join("../../contents").join(content),
            None => stored.join(name),
        };
        let mut bytes = match std::fs::read(&from) {
            Err(_) if self.zeros.is_some() => Vec::new(),
            read => read.unwrap_or_else(|error| panic!("{}: {error}", from.display())),
        };
        bytes.resize(bytes.len() + self.zeros.unwrap_or_default(), 0);
        bytes
    }
}

/// Lays a disk out as it was: names, modes, links, and in each journal the ids of the new files.
pub fn lay_out(stored: &Path, told: &Manifest, root: &Path) {
    if let Some(directory) = told.app.companion.as_ref().and_then(|file| Path::new(file).parent()) {
        std::fs::create_dir_all(root.join(directory)).unwrap();
    }
    let mut ids = BTreeMap::new();
    for (name, entry) in &told.files {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        if entry.link.is_some() {
            continue;
        }
        std::fs::write(&path, entry.bytes(name, stored)).unwrap();
        let mode = u32::from_str_radix(entry.mode.as_ref().unwrap(), 8).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        ids.extend(entry.id.clone().map(|id| (id, id_of(&path))));
    }
    for (name, entry) in &told.files {
        if let Some(link) = &entry.link {
            std::fs::hard_link(root.join(link), root.join(name)).unwrap();
        }
        if entry.journal {
            let mut text = std::fs::read_to_string(root.join(name)).unwrap();
            for (was, is) in &ids {
                text = text.replace(&format!("\"{was}\""), &format!("\"{is}\""));
            }
            text = text.replace(HOME, root.to_str().unwrap());
            std::fs::write(root.join(name), text).unwrap();
        }
    }
}
