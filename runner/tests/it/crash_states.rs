//! The model against the program. The explorer makes crash states; this test lays them out as real
//! files with real SQLite databases, and starts the real runner on each. It must end as the model
//! says: with an equal verdict, equal rows and equal names.
//!
//! A state is what a power loss or a kill may leave of the first start. Real SQLite writes its
//! databases. Only their change counters and WAL flags are then set to the model's values, since a
//! journal's fingerprint uses those.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cutover::planner::{BuildBy, Header, Journal, JournalMode, page1_digest};
use cutover::{Detect, Host, Make, Options};
use cutover_explore::{
    Content, Data, Db, Disk, End, HOME, Model, Scenario, Seen, State, V1_LINE, crash_states,
    next_start, scenarios, seen,
};
use rusqlite::Connection;

const TO_V2: &str = "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL); INSERT INTO \
                     note SELECT id, text FROM v1.notes;
    PRAGMA user_version = 2;";
const COPY_TO_V2: &str = "CREATE TABLE note (id INTEGER PRIMARY KEY, body TEXT NOT NULL); INSERT \
                          INTO note SELECT id, text FROM main.notes;
    DROP TABLE main.notes; PRAGMA user_version = 2;";
const PAGE: usize = 4096;

struct Calm;
impl Host for Calm {
    fn wait(&mut self, _delay_ms: u64) {}
}

/// Writes real databases, logs and journals for those of the model.
struct Forge {
    directory: tempfile::TempDir,
    made: BTreeMap<String, Vec<u8>>,
}

impl Forge {
    fn database(&mut self, db: Db) -> Vec<u8> {
        let (kind, rows) = match db.data {
            Data::V1 { rows } => ("v1", rows),
            Data::V2 { of, rows } => ("v2", of + rows),
            Data::Foreign => ("foreign", 0),
            // A sound database that is not v2 yet. Damaged ones lose their pages below.
            _ => ("partial", 0),
        };
        let mut bytes = self.written(&format!("{kind}-{rows}"), |path| {
            let connection = Connection::open(path).unwrap();
            connection
                .execute_batch("PRAGMA page_size = 4096; PRAGMA journal_mode = DELETE")
                .unwrap();
            match kind {
                "v1" | "v2" => {
                    let (table, column, version) =
                        if kind == "v1" { ("notes", "text", 1) } else { ("note", "body", 2) };
                    let sql = format!(
                        "CREATE TABLE {table} (id INTEGER PRIMARY KEY, {column} TEXT NOT NULL); \
                         CREATE TABLE filler (x BLOB);
                         WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i \
                         < 40)
                         INSERT INTO filler SELECT zeroblob(3000) FROM n;
                         INSERT INTO {table} ({column}) VALUES ('milk'), ('bread'); PRAGMA \
                         user_version = {version}"
                    );
                    connection.execute_batch(&sql).unwrap();
                    for row in 0..rows {
                        connection
                            .execute(
                                &format!("INSERT INTO {table} ({column}) VALUES (?1)"),
                                [format!("row {row}")],
                            )
                            .unwrap();
                    }
                }
                _ => connection
                    .execute_batch("CREATE TABLE other (x); PRAGMA user_version = 1")
                    .unwrap(),
            }
        });
        set_header(&mut bytes, db);
        match db.data {
            // A checkpoint that is half done: the pages that its log holds are wrong in the file.
            Data::Half if db.of == V1_LINE => {
                let mut bytes = self.database(Db { data: Data::V1 { rows: 0 }, ..db });
                bytes[PAGE..2 * PAGE].fill(0xa5);
                bytes
            }
            Data::Damaged | Data::Half | Data::Mixed => {
                let mut bytes = self.database(Db { data: Data::V2 { of: 0, rows: 0 }, ..db });
                bytes[PAGE..].fill(0xa5);
                bytes
            }
            _ => bytes,
        }
    }

    /// A log that turns any earlier state of this database into this one.
    fn log(&mut self, db: Db) -> Vec<u8> {
        let Data::V1 { rows } = db.data else { panic!("only v1 has a log: {db:?}") };
        let before = self.database(Db { data: Data::V1 { rows: 0 }, mode: JournalMode::Wal, ..db });
        self.beside(&format!("log-{rows}-{}", db.counter), &before, "-wal", |connection| {
            connection.execute_batch("PRAGMA wal_autocheckpoint = 0").unwrap();
            for row in 0..rows {
                connection
                    .execute("INSERT INTO notes (text) VALUES (?1)", [format!("row {row}")])
                    .unwrap();
            }
            if rows == 0 {
                connection.execute_batch("UPDATE notes SET text = text").unwrap();
            }
        })
    }

    /// The journal of a process that was killed, and the half-changed database that it belongs to.
    fn hot(&mut self, before: Db) -> (Vec<u8>, Vec<u8>) {
        let bytes = self.database(Db { mode: JournalMode::Delete, ..before });
        let spill = |connection: &Connection| {
            connection
                .execute_batch(
                    "PRAGMA cache_size = 2; BEGIN; UPDATE filler SET x = randomblob(3000)",
                )
                .unwrap();
        };
        let name = format!("hot-{:?}", before.code());
        let journal = self.beside(&name, &bytes, "-journal", spill);
        let mut half = self.beside(&format!("{name}-half"), &bytes, "", spill);
        set_header(&mut half, before);
        (journal, half)
    }

    fn written(&mut self, name: &str, write: impl FnOnce(&Path)) -> Vec<u8> {
        if let Some(bytes) = self.made.get(name) {
            return bytes.clone();
        }
        let path = self.directory.path().join(name);
        write(&path);
        let bytes = std::fs::read(&path).unwrap();
        self.made.insert(name.to_owned(), bytes.clone());
        bytes
    }

    /// A copy of the file with this suffix, taken while a connection that changed something is
    /// still open.
    fn beside(
        &mut self,
        name: &str,
        before: &[u8],
        suffix: &str,
        act: impl FnOnce(&Connection),
    ) -> Vec<u8> {
        let before = before.to_vec();
        self.written(name, |path| {
            let database = path.with_extension("db");
            std::fs::write(&database, before).unwrap();
            let connection = Connection::open(&database).unwrap();
            act(&connection);
            std::fs::copy(format!("{}{suffix}", database.display()), path).unwrap();
        })
    }

    fn content(&mut self, disk: &Disk, name: &str, content: &Content) -> Vec<u8> {
        match content {
            Content::Empty => Vec::new(),
            Content::Torn | Content::Companion(_) => b"{ torn".to_vec(),
            Content::Shm => vec![0; 32768],
            Content::Text(text) => self.journal(&text.text).into_bytes(),
            Content::Wal(db) => self.log(*db),
            Content::Hot(before) => self.hot(*before).0,
            Content::Db(db) => match disk.get(HOME, &format!("{name}-journal")) {
                Some(Content::Hot(before)) if db.data == Data::Half => self.hot(*before).1,
                _ => self.database(*db),
            },
        }
    }

    /// A journal with the fingerprints of the real files in place of the model's.
    fn journal(&mut self, text: &str) -> String {
        let Ok(mut journal) = serde_json::from_str::<Journal>(text) else { return text.to_owned() };
        if let Some(v1) = &mut journal.v1 {
            let model: Vec<u8> = (0..100)
                .map(|at| {
                    u8::from_str_radix(&v1.fingerprint.header[2 * at..2 * at + 2], 16).unwrap()
                })
                .collect();
            let mode = if model[18] == 2 { JournalMode::Wal } else { JournalMode::Delete };
            // A new row need not change header or size; the change counter shows it.
            let real = self.database(Db { counter: model[27], ..Db::v1(0, mode) });
            v1.fingerprint.header = Header::parse(&real).unwrap().bytes;
            v1.fingerprint.size = real.len() as u64;
        }
        if let Some(v2) = &mut journal.v2 {
            let real = self.database(Db {
                data: Data::V2 { of: 0, rows: 0 },
                ..Db::v1(0, JournalMode::Delete)
            });
            v2.page1 = page1_digest(&real[..PAGE]);
            v2.size = real.len() as u64;
        }
        journal.to_text()
    }
}

/// Sets change counter, version-valid-for and WAL flag to the model's values.
fn set_header(bytes: &mut [u8], db: Db) {
    let counter = u32::from(db.counter).to_be_bytes();
    bytes[24..28].copy_from_slice(&counter);
    bytes[92..96].copy_from_slice(&counter);
    bytes[18..20].fill(if db.mode == JournalMode::Wal { 2 } else { 1 });
}

/// What can be compared of an end: the verdict, the content of canonical and of the backups, and
/// every name without the parts that differ between runs.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Ended {
    how: String,
    canonical: String,
    backups: Vec<String>,
    names: Vec<String>,
}

fn masked(name: &str) -> String {
    let token = |text: &str| {
        let hex = text.len() == 8 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let digits = text.len() >= 4 && text.bytes().all(|b| b.is_ascii_digit());
        if hex || digits { "#".to_owned() } else { text.to_owned() }
    };
    name.split('.')
        .map(|part| part.split('-').map(token).collect::<Vec<_>>().join("-"))
        .collect::<Vec<_>>()
        .join(".")
}

fn is_backup(name: &str) -> bool {
    let masked = masked(name);
    masked == "data.db.v1-v2-#-#"
}

fn predicted(scenario: &Scenario, end: Option<End>, disk: &Disk) -> Ended {
    let told = |name: &str| match seen(disk, name) {
        Seen::Db(Db { data: Data::V1 { rows }, .. }) => format!("v1 with {}", 2 + rows),
        Seen::Db(Db { data: Data::V2 { of, rows }, .. }) => format!("v2 with {}", 2 + of + rows),
        Seen::Nothing => "nothing".to_owned(),
        other => format!("{other:?}"),
    };
    let names: Vec<String> = disk.dirs[HOME].now.keys().map(ToString::to_string).collect();
    Ended {
        how: match end {
            Some(End::Current) => "current".to_owned(),
            Some(End::Failed(failure)) => failure.code.as_str().to_owned(),
            other => format!("{other:?}"),
        },
        canonical: told(scenario.canonical.as_str()),
        backups: sorted(
            names.iter().filter(|name| is_backup(name)).map(|name| told(name)).collect(),
        ),
        names: sorted(names.iter().map(|name| masked(name)).collect()),
    }
}

fn sorted(mut list: Vec<String>) -> Vec<String> {
    list.sort();
    list
}

fn really(scenario: &Scenario, directory: &Path) -> Ended {
    let path = directory.join(scenario.canonical.as_str());
    let sql = if scenario.from == cutover::BuildFrom::Copy { COPY_TO_V2 } else { TO_V2 };
    let make = Make { from: scenario.from, run: cutover::BuildBy::Sql(sql.into()) };
    let result =
        cutover::migrate(&Options::new(&path, "v1-v2", Detect::UserVersion(2), make), &mut Calm);
    let names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.ends_with("-lock"))
        .collect();
    let told = |name: &str| {
        let path = directory.join(name);
        if std::fs::metadata(&path).map_or(0, |metadata| metadata.len()) == 0 {
            return "nothing".to_owned();
        }
        let connection = Connection::open(&path).unwrap();
        let version: i64 =
            connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        let table = if version == 1 { "notes" } else { "note" };
        let rows: i64 = connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
            .unwrap();
        format!("v{version} with {rows}")
    };
    Ended {
        how: match result {
            Ok(_) => "current".to_owned(),
            Err(error) => error.failure.code.as_str().to_owned(),
        },
        canonical: told(scenario.canonical.as_str()),
        backups: sorted(
            names.iter().filter(|name| is_backup(name)).map(|name| told(name)).collect(),
        ),
        names: sorted(names.iter().map(|name| masked(name)).collect()),
    }
}

/// One state, laid out as files: each name with its inode and bytes. Names with one inode are hard
/// links of one file.
type Files = BTreeMap<String, (u16, Vec<u8>)>;

/// In memory if possible: this test does not check that flushes reach a disk.
fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

fn run(scenario: &Scenario, state: &State, files: &Files) -> Result<(), String> {
    let directory = directory();
    let mut first: BTreeMap<u16, &str> = BTreeMap::new();
    for (name, (ino, bytes)) in files {
        match first.get(ino) {
            Some(other) => {
                std::fs::hard_link(directory.path().join(other), directory.path().join(name))
                    .unwrap();
            }
            None => std::fs::write(directory.path().join(name), bytes).unwrap(),
        }
        first.entry(*ino).or_insert(name);
    }
    let (end, after) = next_start(scenario, state);
    let model_says = predicted(scenario, end, &after.disk);
    let runner_did = really(scenario, directory.path());
    if model_says == runner_did {
        return Ok(());
    }
    let names: Vec<&String> = files.keys().collect();
    Err(format!(
        "{:?} {:?} {names:?}\n  model  {model_says:?}\n  runner {runner_did:?}",
        scenario.initial, scenario.from
    ))
}

/// In parts, so that every core has one: a start takes ten times as long under Wine.
const PARTS: usize = 4;

/// Every fourth state from this one on.
fn the_real_runner_ends_as_the_model_says(part: usize) {
    let mut forge = Forge { directory: tempfile::tempdir().unwrap(), made: BTreeMap::new() };
    let mut known = BTreeSet::new();
    let mut states = Vec::new();
    for scenario in scenarios::shapes().into_iter().filter(|scenario| {
        scenario.by == BuildBy::Sql && scenario.from == cutover::BuildFrom::Empty
    }) {
        for model in [Model::M0, Model::M3] {
            for state in crash_states(&scenario, model) {
                let disk = &state.disk;
                let entries = disk.dirs[HOME].now.iter();
                let files: Files = entries
                    .map(|(name, ino)| {
                        (
                            name.to_string(),
                            (*ino, forge.content(disk, name, disk.get(HOME, name).unwrap())),
                        )
                    })
                    .collect();
                if known.insert(files.clone()) {
                    states.push((scenario.clone(), state, files));
                }
            }
        }
    }
    assert!(states.len() >= 500, "only {} states", states.len());
    let states: Vec<_> = states.into_iter().skip(part).step_by(PARTS).collect();
    let differ: Vec<String> = states
        .iter()
        .filter_map(|(scenario, state, files)| run(scenario, state, files).err())
        .collect();
    assert!(
        differ.is_empty(),
        "{} of {} differ:\n{}",
        differ.len(),
        states.len(),
        differ[..differ.len().min(10)].join("\n")
    );
    println!("{} crash states laid out; each ended as the model says", states.len());
}

mod the_real_runner_ends_each_crash_state_as_the_model_says {
    #[test]
    fn the_first_part() {
        super::the_real_runner_ends_as_the_model_says(0);
    }
    #[test]
    fn the_second_part() {
        super::the_real_runner_ends_as_the_model_says(1);
    }
    #[test]
    fn the_third_part() {
        super::the_real_runner_ends_as_the_model_says(2);
    }
    #[test]
    fn the_fourth_part() {
        super::the_real_runner_ends_as_the_model_says(3);
    }
}
