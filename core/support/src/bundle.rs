//! The doctor's bundle: what a support person needs of a machine that they do not sit at, as one
//! JSON. No rows, and unless asked nothing that the application saved, reported or said; home
//! directories as `~`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::next_start::NextStart;
use crate::{DatabaseHeader, Wal};
use cutover_core::failure::{Code, Failure};
use cutover_core::fault::Platform;
use cutover_core::journal::{ReadError, Warning, WarningFrom, read_bounded, write_json};
use cutover_core::names::FileName;
use cutover_core::observe::Observation;
use cutover_core::run::Event;

/// The version of the bundle that this release writes and reads.
pub const VERSION: u32 = 1;
/// The largest bundle that is read, in bytes.
pub const MAX_BYTES: usize = 16 << 20;
/// Of how many users the paths may be; a journal that names more is none that this project wrote.
const MAX_HOMES: usize = 100;
/// What stands where something was left out.
pub const WITHHELD: &str = "(left out)";

/// What a doctor found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Bundle {
    /// Always 1.
    pub version: u32,
    /// Who made it, and where.
    pub made: Made,
    /// The database's path, the home directory as `~`.
    pub path: String,
    /// What lies in its directory. The journals are in it, as text.
    pub observation: Observation,
    /// The text of each receipt; nothing where it could not be read as text.
    pub receipts: BTreeMap<FileName, Option<String>>,
    /// The header of canonical. Nothing where it was not opened, or is no database.
    pub header: Option<DatabaseHeader>,
    /// What the log of canonical holds. Nothing where there is none, or it was not opened.
    pub wal: Option<Wal>,
    /// Whether SQLite finds the pages of canonical sound.
    pub check: Check,
    /// What the next start would do, and the plan of it where it would recover.
    pub next: NextStart,
    /// The last failure that the application kept.
    pub last_error: Option<Failure>,
    /// The events that it kept, oldest first.
    pub events: Vec<Event>,
}

/// Who made a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Made {
    /// When, Unix milliseconds.
    pub at_ms: u64,
    /// The version of this project.
    pub cutover: String,
    /// The version of SQLite in it.
    pub sqlite: String,
    /// Whose rules apply.
    pub platform: Platform,
    /// The processor's architecture, for example `x86_64`.
    pub arch: String,
    /// What ran it, for example `node 22.4.0`.
    pub runtime: Option<String>,
}

/// What came of SQLite's `quick_check` of the database, in its place or in a private copy.
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
    /// Every page is as it must be, with the committed transactions of the log, and a hot journal
    /// rolled back.
    Sound,
    /// It is not.
    Damaged {
        /// How many problems SQLite named.
        problems: u32,
    },
    /// Nobody looked.
    NotMade {
        /// Why not.
        why: String,
    },
}

/// What is believed of a bundle that comes from elsewhere. The rest follows from it, and is worked
/// out anew.
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
    pub check: Check,
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
        read_bounded(text, VERSION, MAX_BYTES)
    }
}

impl Bundle {
    /// The text that is written to disk.
    #[must_use]
    pub fn to_text(&self) -> String {
        write_json(self)
    }

    /// Leaves out what may not leave the machine unasked: what the application saved, reported or
    /// said, and where homes are. `homes` are the paths that become `~`.
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

    /// These, and those that the paths in it go through: whoever looks need not be the user whose
    /// database it is. The longest first: a home may lie in a home.
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
        // As they are where a name is quoted.
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
            // `/home/ann` is no part of `/home/anna`.
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

/// A journal or receipt without what is the application's. Nothing where it is not JSON: then
/// nobody can tell what is in it.
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

/// As deep as JSON may be nested, which is bounded where it is read.
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

/// A path from elsewhere than the root has no home in it, but may have its name.
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
