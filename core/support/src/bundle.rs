//! The doctor's bundle: one JSON that tells a support person of a machine elsewhere.
//!
//! It holds no row of the database. Unless the user asks for it, it also holds nothing that the
//! application saved, reported or said. Home directories appear as `~`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::next_start::NextStart;
use crate::{DatabaseHeader, Shm, Wal};
use cutover_core::{
    Code, Event, Failure, FileName, Observation, Platform, ReadError, Warning, WarningFrom,
    read_bounded, write_json,
};

/// The version of the bundle that this release writes and reads.
pub const BUNDLE_VERSION: u32 = 1;
/// The largest bundle that is read, in bytes.
pub const MAX_BUNDLE_BYTES: usize = 16 << 20;
/// The most home directories that are shortened. A journal of cutover never names more.
const MAX_HOMES: usize = 100;
/// The text that replaces what was left out.
pub const WITHHELD: &str = "(left out)";

/// What the doctor found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bundle {
    /// Always 1.
    pub version: u32,
    /// Which program made the bundle, and where.
    pub made: Made,
    /// The database's path, with the home directory as `~`.
    pub path: String,
    /// The files in the database's directory, with the text of each journal.
    pub observation: Observation,
    /// The text of each receipt; nothing where the file could not be read as text.
    pub receipts: BTreeMap<FileName, Option<String>>,
    /// The header of canonical. Nothing where canonical was not opened, or is not a database.
    pub header: Option<DatabaseHeader>,
    /// What the log of canonical holds. Nothing where canonical has no log, or was not opened.
    pub wal: Option<Wal>,
    /// What the `-shm` beside canonical says of its log.
    pub shm: Option<Shm>,
    /// Whether SQLite finds the pages of canonical sound.
    pub check: Check,
    /// How much canonical holds. Nothing where the pages are not sound, or were not checked.
    pub content: Option<Content>,
    /// Of the companions that the receipts name, and their backups, the files that are in the
    /// database's directory.
    pub beside: BTreeSet<FileName>,
    /// What the next start would do, with its plan where it would recover.
    pub next: NextStart,
    /// The last failure that the application kept.
    pub last_error: Option<Failure>,
    /// The events that the application kept, oldest first.
    pub events: Vec<Event>,
}

/// The program and the machine that made a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Made {
    /// The time, in Unix milliseconds.
    pub at_ms: u64,
    /// The version of cutover.
    pub cutover: String,
    /// The version of SQLite in cutover.
    pub sqlite: String,
    /// The platform.
    pub platform: Platform,
    /// The processor's architecture, for example `x86_64`.
    pub arch: String,
    /// The runtime, for example `node 22.4.0`.
    pub runtime: Option<String>,
}

/// The result of SQLite's `quick_check` of the database, in its place or in a private copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(
    tag = "result",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
#[non_exhaustive]
pub enum Check {
    /// Every page is sound, with the committed transactions of the log, and with a hot rollback
    /// journal rolled back.
    Sound,
    /// The database is damaged.
    Damaged {
        /// How many problems SQLite named.
        problems: u32,
    },
    /// The doctor did not check.
    NotMade {
        /// Why the doctor did not check.
        why: String,
    },
}

/// How much a database holds. Its rows are counted, and not told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Content {
    /// The tables that SQLite can count, without those of SQLite itself.
    pub tables: u64,
    /// Their rows.
    pub rows: u64,
}

/// The part that is read of a bundle from elsewhere. The diagnosis works the rest out anew.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Given {
    #[serde(rename = "version")]
    _version: IgnoredAny,
    pub made: Made,
    pub path: String,
    pub observation: Observation,
    pub receipts: BTreeMap<FileName, Option<String>>,
    #[serde(rename = "header")]
    _header: IgnoredAny,
    pub wal: Option<Wal>,
    pub shm: Option<Shm>,
    pub check: Check,
    pub content: Option<Content>,
    #[serde(default)]
    pub beside: BTreeSet<FileName>,
    #[serde(rename = "next")]
    _next: IgnoredAny,
    pub last_error: Option<Said>,
    #[serde(rename = "events")]
    _events: IgnoredAny,
}

/// The message of a failure.
#[derive(Deserialize)]
pub(crate) struct Said {
    pub message: String,
}

impl Given {
    pub fn parse(text: &str) -> Result<Self, ReadError> {
        read_bounded(text, BUNDLE_VERSION, MAX_BUNDLE_BYTES)
    }
}

impl Bundle {
    /// The text of the bundle's file.
    #[must_use]
    pub fn to_text(&self) -> String {
        write_json(self)
    }

    /// Leaves out what may not leave the machine unless the user asks for it: what the application
    /// saved, reported or said, and the home directories. `homes` are the paths that become `~`.
    #[must_use]
    pub fn redacted(mut self, homes: &[String]) -> Self {
        let homes = &self.homes(homes);
        let short = |text: &mut String| *text = shorten(text, homes);
        short(&mut self.path);
        for text in self.observation.journals.values_mut().chain(self.receipts.values_mut()) {
            *text = text.as_ref().and_then(|text| without_host(text, homes));
        }
        let place = |path: &mut String, relative: &mut String| {
            short(path);
            shorten_names(relative, homes);
        };
        let told = |warning: &mut Warning| {
            withhold(warning);
            short(&mut warning.message);
        };
        self.observation
            .companions
            .values_mut()
            .for_each(|companion| place(&mut companion.path, &mut companion.relative));
        if let Some(plan) = &mut self.next.plan {
            plan.steps.iter_mut().chain(&mut plan.undo).for_each(|step| short(&mut step.why));
            if let Some(journal) = &mut plan.journal {
                journal.host_state = None;
                journal.report = None;
                journal.warnings.iter_mut().for_each(told);
                journal
                    .companions
                    .iter_mut()
                    .for_each(|companion| place(&mut companion.path, &mut companion.relative));
            }
        }
        for failure in [&mut self.last_error, &mut self.next.refusal].into_iter().flatten() {
            if failure.code == Code::Host {
                failure.reason = WITHHELD.into();
            }
            let texts = [&mut failure.path, &mut failure.data.v1, &mut failure.data.v2];
            texts
                .into_iter()
                .flatten()
                .chain([&mut failure.reason, &mut failure.hint])
                .for_each(short);
        }
        for event in &mut self.events {
            match event {
                Event::Warning { warning } => told(warning),
                Event::Undo { reason } => *reason = WITHHELD.into(),
                Event::Step { why, .. } => short(why),
                Event::Wait { reason, file, .. } => {
                    [Some(reason), file.as_mut()].into_iter().flatten().for_each(short);
                }
                _ => {}
            }
        }
        self
    }

    /// The homes that are known, and the homes in the paths of the bundle: the user who runs the
    /// doctor need not own the database. The longest is first, because a home may be inside a home.
    fn homes(&self, known: &[String]) -> Vec<String> {
        let mut homes: BTreeSet<String> = known.iter().cloned().collect();
        let mut add = |path: &str| {
            if homes.len() < MAX_HOMES {
                homes.extend(home_of(path).map(str::to_owned));
            }
        };
        add(&self.path);
        self.observation.companions.values().for_each(|companion| add(&companion.path));
        for text in self.observation.journals.values().flatten() {
            let journal: Value = serde_json::from_str(text).unwrap_or_default();
            let companions = journal["companions"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|companion| &companion["path"]);
            companions
                .chain([&journal["source"], &journal["authPath"]])
                .filter_map(Value::as_str)
                .for_each(&mut add);
        }
        // As they appear in a quoted name.
        homes.extend(homes.clone().iter().map(|home| home.replace('\\', "\\\\")));
        let mut homes: Vec<String> = homes.into_iter().collect();
        homes.sort_by_key(|home| Reverse(home.len()));
        homes
    }
}

/// The home directory that a path goes through.
fn home_of(path: &str) -> Option<&str> {
    ["/home/", "/Users/", "\\Users\\"].iter().find_map(|roots| {
        let name = path.find(roots)? + roots.len();
        let end = path[name..].find(['/', '\\']).map_or(path.len(), |end| name + end);
        (end > name).then(|| &path[..end])
    })
}

fn withhold(warning: &mut Warning) {
    if warning.from == WarningFrom::Host || warning.code.as_deref() == Some(Code::Host.as_str()) {
        warning.message = WITHHELD.into();
    }
}

/// A path with the home directory as `~`.
#[must_use]
pub fn shorten(text: &str, homes: &[String]) -> String {
    let mut text = text.to_owned();
    for home in homes {
        let home = home.trim_end_matches(['/', '\\']);
        if home.len() < 2 {
            continue;
        }
        let mut short = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(at) = rest.find(home) {
            let (before, from) = rest.split_at(at);
            let behind = from.strip_prefix(home).unwrap_or_default();
            // `/home/anna` is not in `/home/ann`.
            let ends = behind
                .chars()
                .next()
                .is_none_or(|next| !next.is_alphanumeric() && !matches!(next, '_' | '-' | '.'));
            short.push_str(before);
            short.push_str(if ends { "~" } else { home });
            rest = behind;
        }
        short.push_str(rest);
        text = short;
    }
    text
}

/// A journal or receipt without the application's part. Nothing where the text is not JSON, because
/// it may then hold anything.
fn without_host(text: &str, homes: &[String]) -> Option<String> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    let fields = value.as_object_mut()?;
    for field in ["hostState", "report", "keychainBackups"] {
        if let Some(value) = fields.get_mut(field) {
            *value = Value::Null;
        }
    }
    if let Some(Value::Array(warnings)) = fields.get_mut("warnings") {
        for warning in warnings.iter_mut().filter(|warning| {
            warning["from"] != "cutover" || warning["code"] == Code::Host.as_str()
        }) {
            if let Some(message) = warning.get_mut("message") {
                *message = WITHHELD.into();
            }
        }
    }
    shorten_all(&mut value, homes);
    Some(write_json(&value))
}

/// Shortens every text in a value. The reader of the JSON bounds the depth.
fn shorten_all(value: &mut Value, homes: &[String]) {
    match value {
        Value::String(text) => *text = shorten(text, homes),
        Value::Array(values) => values.iter_mut().for_each(|value| shorten_all(value, homes)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(relative) if name == "relative" => shorten_names(relative, homes),
                    value => shorten_all(value, homes),
                }
            }
        }
        _ => {}
    }
}

/// Shortens the names of homes in a relative path, which does not hold a whole home.
fn shorten_names(path: &mut String, homes: &[String]) {
    let separator = |c| matches!(c, '/' | '\\');
    let is_home = |name: &str| {
        !name.is_empty()
            && homes
                .iter()
                .any(|home| home.trim_end_matches(separator).rsplit(separator).next() == Some(name))
    };
    let names = path.split_inclusive(separator).map(|name| {
        let bare = name.trim_end_matches(separator);
        if is_home(bare) { name.replacen(bare, "~", 1) } else { name.to_owned() }
    });
    *path = names.collect();
}
