//! An application that upgrades its database, and kills itself at a chosen point: `upgrade PATH HOW
//! [POINT]`.
//!
//! HOW is `sql`, `sql-copy`, `host` or `host-copy`. Every event of the run is a point, counted from
//! 1, and so are some places in the callback. A step's event comes before its op on the same
//! thread, so a kill there is exactly between two ops.
//!
//! The program prints each point when it reaches it, with the bytes that the directory holds then.
//! The last line is the result or the failure, as JSON.

#[cfg(unix)]
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use cutover::{BuildBy, BuildFrom, Built, Detect, Event, Host, HostError, Job, Make, Options};
use serde_json::json;

const V2: &str = include_str!("../../../corpus/v2.sql");
const V2_COPY: &str = include_str!("../../../corpus/v2-copy.sql");

struct App {
    directory: PathBuf,
    point: usize,
    kill_at: usize,
    copy: bool,
}

impl App {
    /// A file with two hard links is counted once, if its inode number is known.
    fn disk_bytes(&self) -> u64 {
        let entries = std::fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let files = entries.filter_map(|entry| entry.metadata().ok());
        #[cfg(unix)]
        let files = files
            .map(|m| (std::os::unix::fs::MetadataExt::ino(&m), m))
            .collect::<BTreeMap<_, _>>()
            .into_values();
        files.map(|metadata| metadata.len()).sum()
    }

    fn point(&mut self, what: &str) {
        self.point += 1;
        println!("{} {} {what}", self.point, self.disk_bytes());
        let _ = std::io::stdout().flush();
        if self.point == self.kill_at {
            cutover_tests::die();
        }
    }
}

impl Host for App {
    fn build(&mut self, job: &mut dyn Job) -> Result<Built, HostError> {
        self.point("callback begins");
        job.save_state(json!({ "attempt": job.attempt() }))?;
        self.point("callback saved its state");
        let v2 = rusqlite::Connection::open(job.staging())?;
        // The plan flushes this file once, when it is complete.
        v2.execute_batch("PRAGMA synchronous = OFF")?;
        if self.copy {
            v2.execute_batch("BEGIN")?;
            v2.execute_batch(V2_COPY)?;
            self.point("callback before its commit");
            v2.execute_batch("COMMIT")?;
        } else {
            let source = job.source()?;
            v2.execute("ATTACH ? AS v1", [source.to_str().ok_or("the path is not text")?])?;
            let (schema, rows) = V2.split_once("\n\n").ok_or("v2.sql has no second part")?;
            v2.execute_batch(schema)?;
            self.point("callback made the schema");
            v2.execute_batch("BEGIN")?;
            v2.execute_batch(rows)?;
            self.point("callback before its commit");
            v2.execute_batch("COMMIT")?;
        }
        let auth = job.read_companion("auth")?.ok_or("auth.json is missing")?;
        job.write_companion("auth", &[b"v2 of ".as_slice(), &auth].concat())?;
        self.point("callback staged the companion");
        let notes: u32 = v2.query_row("SELECT count(*) FROM notes", [], |row| row.get(0))?;
        Ok(Built {
            expect: [("notes".to_owned(), notes.into())].into(),
            report: Some(json!({ "notes": notes })),
        })
    }

    fn event(&mut self, event: &Event) {
        let text = match event {
            Event::Step { op, file, undo, .. } => {
                format!(
                    "{}{op} {}",
                    if *undo { "undo " } else { "" },
                    file.as_deref().unwrap_or("")
                )
            }
            other => serde_json::to_string(other).unwrap_or_default(),
        };
        self.point(&text);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (path, how, kill_at) = match args.as_slice() {
        [path, how] => (path, how.as_str(), 0),
        [path, how, point] => (path, how.as_str(), point.parse()?),
        _ => return Err("usage: upgrade PATH sql|sql-copy|host|host-copy [POINT]".into()),
    };
    let copy = how.ends_with("-copy");
    let host = how.starts_with("host");
    let sql = if copy { V2_COPY } else { V2 };
    let run = if host { BuildBy::Host } else { BuildBy::Sql(sql.to_owned()) };
    let detect =
        Detect::Stamp { table: "schema_info".into(), column: "version".into(), value: "v2".into() };
    let mut options = Options::new(
        path,
        "v1-v2",
        detect,
        Make { from: if copy { BuildFrom::Copy } else { BuildFrom::Empty }, run },
    );
    options.wait_ms = 0;
    if host {
        let auth = Path::new(path).with_file_name("auth.json");
        options.companions = [("auth".to_owned(), auth)].into();
    }
    let directory = Path::new(path).parent().map(PathBuf::from).unwrap_or_default();
    let mut app = App { directory, point: 0, kill_at, copy };
    match cutover::migrate(&options, &mut app) {
        Ok(result) => {
            app.point("migrated");
            println!("{}", serde_json::to_string(&result)?);
            Ok(())
        }
        Err(error) => {
            println!("{}", serde_json::to_string(&error.failure)?);
            std::process::exit(1)
        }
    }
}
