//! The model against the program: the runner makes the system calls that the plan describes, in its
//! order, and no others.
//!
//! The example runs under `strace`. Every flush, link, rename, removal and open for writing in the
//! database's directory is then matched with the plan's ops. An op that goes through SQLite may
//! touch its own file set in any way, and no other file.
#![cfg(target_os = "linux")]

use std::collections::VecDeque;
use std::path::Path;

use cutover::planner::{Op, Plan};
use cutover::{BuildBy, BuildFrom, Detect, Make, Options};

use crate::support::strace;

struct Quiet;
impl cutover::Host for Quiet {}

/// A system call that changes the disk, or may. Names are without directories; nonce and time are
/// masked.
#[derive(Debug, Clone, PartialEq)]
enum Call {
    OpenForWrite { file: String, exclusive: bool, read_too: bool },
    SyncFile(String),
    SyncDir,
    Link(String, String),
    Rename(String, String),
    Unlink(String),
}

/// `data.db.v1-v2-<ms>-<nonce>` and the like, without the parts that differ between runs.
fn masked(name: &str) -> String {
    let mut parts: Vec<String> = Vec::new();
    for part in name.split('-') {
        let (number, rest) = part.split_at(part.find(['.', '/']).unwrap_or(part.len()));
        let nonce = number.len() == 8 && number.bytes().all(|b| b.is_ascii_hexdigit());
        let ms = number.len() == 13 && number.bytes().all(|b| b.is_ascii_digit());
        parts.push(if nonce {
            format!("N{rest}")
        } else if ms {
            format!("T{rest}")
        } else {
            part.to_owned()
        });
    }
    parts.join("-")
}

/// The calls of a trace in this directory, without those on locks. A call that failed with ENOENT
/// did nothing.
fn calls(trace: &[String], directory: &Path) -> VecDeque<Call> {
    let directory = directory.to_str().unwrap();
    let inside = |text: &str| text.strip_prefix(directory)?.strip_prefix('/').map(masked);
    let mut calls = VecDeque::new();
    for line in trace.iter().filter(|line| !line.contains(" = -1 ENOENT")) {
        let line = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        let Some((call, rest)) = line.split_once('(') else { continue };
        let quoted: Vec<String> = rest.split('"').skip(1).step_by(2).filter_map(inside).collect();
        let call = match call {
            "fsync" | "fdatasync" => {
                let path = rest.split(['<', '>']).nth(1).unwrap_or_default();
                if path == directory {
                    Call::SyncDir
                } else if let Some(file) = inside(path) {
                    Call::SyncFile(file)
                } else {
                    continue;
                }
            }
            _ if quoted.is_empty() => continue,
            "link" | "linkat" => Call::Link(quoted[0].clone(), quoted[1].clone()),
            "rename" | "renameat" | "renameat2" => {
                Call::Rename(quoted[0].clone(), quoted[1].clone())
            }
            "unlink" | "unlinkat" => Call::Unlink(quoted[0].clone()),
            "open" | "openat" | "creat" if rest.contains("O_WRONLY") || rest.contains("O_RDWR") => {
                Call::OpenForWrite {
                    file: quoted[0].clone(),
                    exclusive: rest.contains("O_EXCL"),
                    read_too: rest.contains("O_RDWR"),
                }
            }
            _ => continue,
        };
        let lock = |file: &str| file.contains("-lock");
        match &call {
            Call::OpenForWrite { file, .. } | Call::SyncFile(file) | Call::Unlink(file)
                if lock(file) => {}
            _ => calls.push_back(call),
        }
    }
    calls
}

/// Takes the calls of one op from the front. `Err` names the call that is there instead.
fn take(op: &Op, calls: &mut VecDeque<Call>) -> Result<(), String> {
    let mut expect = |want: Call| match calls.front() {
        Some(found) if *found == want => {
            calls.pop_front();
            Ok(())
        }
        found => Err(format!("{} wants {want:?}, and the program did {found:?}", op.name())),
    };
    let name = |text: &dyn std::fmt::Display| masked(&text.to_string());
    let (set, flushes) = match op {
        Op::WriteJournal { file, .. } | Op::WriteReceipt { file } => {
            return expect(Call::OpenForWrite {
                file: name(file),
                exclusive: true,
                read_too: true,
            });
        }
        // Opened for reading, which is not one of these calls: the owner may lack the right to
        // write.
        Op::SyncFile { file } => return expect(Call::SyncFile(name(file))),
        Op::SyncDir { .. } => return expect(Call::SyncDir),
        Op::Link { from, to } => return expect(Call::Link(name(from), name(to))),
        Op::Rename { from, to } => return expect(Call::Rename(name(from), name(to))),
        Op::Remove { files } => {
            for file in files {
                // Only files that existed; the other calls failed with ENOENT.
                if calls.front() == Some(&Call::Unlink(name(file))) {
                    calls.pop_front();
                }
            }
            return Ok(());
        }
        Op::Settle { file, .. } => (file, file.as_str() == "data.db"),
        Op::BuildSql { staging: file, .. } | Op::LockV1 { file } => (file, false),
        _ => return Ok(()),
    };
    let set: Vec<String> = set.set().iter().map(|file| name(file)).collect();
    // The op begins by opening its file, so a flush before that is not SQLite's.
    if !matches!(calls.front(), Some(Call::OpenForWrite { .. })) {
        return Err(format!("{} opens nothing; the program did {:?}", op.name(), calls.front()));
    }
    while let Some(call) = calls.front() {
        let own = match call {
            Call::OpenForWrite { file, read_too, .. } => *read_too && set.contains(file),
            Call::Unlink(file) => set.contains(file),
            Call::SyncFile(file) => flushes && set.contains(file),
            Call::SyncDir => flushes,
            Call::Link(..) | Call::Rename(..) => false,
        };
        if !own {
            break;
        }
        calls.pop_front();
    }
    Ok(())
}

fn matched(plan: &Plan, mut calls: VecDeque<Call>) -> Result<(), String> {
    let mut built = None;
    for step in &plan.steps {
        match &step.op {
            // SQLite opens the file as it did for the build, and those calls are already taken.
            Op::Settle { file, .. } if built.take() == Some(file) => continue,
            Op::BuildSql { staging, .. } => built = Some(staging),
            _ => built = None,
        }
        take(&step.op, &mut calls)?;
    }
    // Without what the application itself does with its database afterwards.
    calls.retain(|call| !matches!(call, Call::OpenForWrite { file, .. } | Call::Unlink(file) | Call::SyncFile(file) if file.starts_with("data.db") && !file.contains("v1-v2") && !file.contains("building")));
    if calls.is_empty() {
        Ok(())
    } else {
        Err(format!("the program did more than the plan: {calls:?}"))
    }
}

#[test]
fn what_the_runner_asks_of_the_kernel_is_what_the_plan_says() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().canonicalize().unwrap();
    let database = directory.join("data.db");
    rusqlite::Connection::open(&database)
        .unwrap()
        .execute_batch(
            "PRAGMA journal_mode = WAL; CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT \
             NULL); INSERT INTO notes (text) VALUES ('milk')",
        )
        .unwrap();
    let options = Options::new(
        &database,
        "v1-v2",
        Detect::UserVersion(2),
        Make { from: BuildFrom::Empty, run: BuildBy::Sql("PRAGMA user_version = 2".into()) },
    );
    let plan = cutover::plan(&options, &mut Quiet).unwrap().unwrap();

    let traced =
        "open,openat,creat,fsync,fdatasync,link,linkat,rename,renameat,renameat2,unlink,unlinkat";
    let (output, trace) =
        strace::run(traced, &["-s".into(), "512".into()], &strace::example(&database));
    assert!(output.status.success());
    let mut seen = calls(&trace, &directory);
    // Before the plan, the runner tries whether canonical can be linked.
    let second = "data.db.v1-v2-cutover.json.tmp-N".to_owned();
    let tried: Vec<Call> = seen.drain(..2).collect();
    assert_eq!(tried, [Call::Link("data.db".into(), second.clone()), Call::Unlink(second)]);
    assert_eq!(matched(&plan, seen.clone()), Ok(()));

    // The matching must find a flush or a link that is missing in the plan or in the program, and
    // two swapped ops.
    let syncs: Vec<usize> = seen
        .iter()
        .enumerate()
        .filter(|(_, call)| matches!(call, Call::SyncDir | Call::Link(..) | Call::Rename(..)))
        .map(|(at, _)| at)
        .collect();
    assert!(syncs.len() >= 8, "{seen:?}");
    for step in 0..plan.steps.len() {
        let mut less = plan.clone();
        let removed = less.steps.remove(step).op;
        if matches!(
            removed,
            Op::SyncFile { .. }
                | Op::SyncDir { .. }
                | Op::Link { .. }
                | Op::Rename { .. }
                | Op::WriteJournal { .. }
        ) {
            assert!(
                matched(&less, seen.clone()).is_err(),
                "the program does {removed:?}, a plan without it was accepted"
            );
        }
    }
}
