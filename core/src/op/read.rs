//! Reads ops and guards. What serde derives for enums of many kinds was a fifth of the code that a browser loads: here all kinds are read as one
//! set of fields, and then each takes its own and leaves none.

use serde::de::{Deserialize, Deserializer, Error};

use super::{Guard, Op};
use crate::journal::Phase;
use crate::json::{Read, Reader, record};
use crate::names::{CompanionName, NameError};
use crate::sqlite::JournalMode;

/// Every field that some op has.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct OpFields {
    op: String,
    file: Option<String>,
    from: Option<String>,
    to: Option<String>,
    link: Option<String>,
    of: Option<String>,
    v1: Option<String>,
    source: Option<String>,
    staging: Option<String>,
    files: Option<Vec<String>>,
    companion: Option<CompanionName>,
    mode: Option<JournalMode>,
    phase: Option<Phase>,
    must_be_same: Option<bool>,
}

record!(OpFields { op, file, from, to, link, of, v1, source, staging, files, companion, mode, phase, must_be_same });

/// What a field holds; where it holds none, nothing, and the first of these is what is wrong.
fn need<T: Read>(field: &mut Option<T>, name: &str, wrong: &mut Option<String>) -> T {
    field.take().unwrap_or_else(|| {
        wrong.get_or_insert_with(|| format!("missing field `{name}`"));
        T::blank()
    })
}

/// The same of a text that must be of some grammar.
fn checked<T: Read + TryFrom<String, Error = NameError>>(field: &mut Option<String>, name: &str, wrong: &mut Option<String>) -> T {
    let text = need(field, name, wrong);
    T::try_from(text).unwrap_or_else(|error| {
        wrong.get_or_insert_with(|| error.to_string());
        T::blank()
    })
}

impl<'de> Deserialize<'de> for Op {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(OpFields::deserialize(deserializer)?).map_err(Error::custom)
    }
}

impl Read for Op {
    fn blank() -> Self {
        Self::Release
    }

    fn read(&mut self, from: &mut Reader<'_>) -> Option<()> {
        let mut fields = OpFields::blank();
        fields.read(from)?;
        *self = from.accept(Self::try_from(fields))?;
        Some(())
    }
}

impl TryFrom<OpFields> for Op {
    type Error = String;

    fn try_from(mut has: OpFields) -> Result<Self, String> {
        let (f, wrong) = (&mut has, &mut None);
        let kind = std::mem::take(&mut f.op);
        let op = match kind.as_str() {
            "write-journal" => Self::WriteJournal { file: checked(&mut f.file, "file", wrong), phase: need(&mut f.phase, "phase", wrong) },
            "write-receipt" => Self::WriteReceipt { file: checked(&mut f.file, "file", wrong) },
            "sync-file" => Self::SyncFile { file: checked(&mut f.file, "file", wrong) },
            "sync-dir" => Self::SyncDir { companion: f.companion.take() },
            "link" => Self::Link { from: checked(&mut f.from, "from", wrong), to: checked(&mut f.to, "to", wrong) },
            "rename" => Self::Rename { from: checked(&mut f.from, "from", wrong), to: checked(&mut f.to, "to", wrong) },
            "rename-new" => Self::RenameNew { from: checked(&mut f.from, "from", wrong), to: checked(&mut f.to, "to", wrong) },
            "copy" => Self::Copy { from: checked(&mut f.from, "from", wrong), to: checked(&mut f.to, "to", wrong) },
            "remove" => Self::Remove {
                files: need(&mut f.files, "files", wrong).into_iter().map(|file| checked(&mut Some(file), "files", wrong)).collect(),
            },
            "absent" => Self::Absent {
                files: need(&mut f.files, "files", wrong).into_iter().map(|file| checked(&mut Some(file), "files", wrong)).collect(),
            },
            "remove-link" => Self::RemoveLink { link: checked(&mut f.link, "link", wrong), of: checked(&mut f.of, "of", wrong) },
            "look" => Self::Look { file: checked(&mut f.file, "file", wrong) },
            "release" => Self::Release,
            "settle" => Self::Settle { file: checked(&mut f.file, "file", wrong), mode: need(&mut f.mode, "mode", wrong) },
            "restore-mode" => Self::RestoreMode { file: checked(&mut f.file, "file", wrong), mode: need(&mut f.mode, "mode", wrong) },
            "build-sql" => Self::BuildSql { v1: checked(&mut f.v1, "v1", wrong), staging: checked(&mut f.staging, "staging", wrong) },
            "build-host" => {
                Self::BuildHost { source: checked(&mut f.source, "source", wrong), staging: checked(&mut f.staging, "staging", wrong) }
            }
            "restage" => Self::Restage {
                from: checked(&mut f.from, "from", wrong),
                to: checked(&mut f.to, "to", wrong),
                mode: need(&mut f.mode, "mode", wrong),
            },
            "isolate" => Self::Isolate { from: checked(&mut f.from, "from", wrong), to: checked(&mut f.to, "to", wrong) },
            "check" => Self::Check { file: checked(&mut f.file, "file", wrong) },
            "detect" => Self::Detect { file: checked(&mut f.file, "file", wrong) },
            "verify-host" => Self::VerifyHost { file: checked(&mut f.file, "file", wrong) },
            "lock-v1" => Self::LockV1 { file: checked(&mut f.file, "file", wrong) },
            "check-v1" => Self::CheckV1 { file: checked(&mut f.file, "file", wrong) },
            "unlock-v1" => Self::UnlockV1,
            "page-copy" => Self::PageCopy { from: checked(&mut f.from, "from", wrong), to: checked(&mut f.to, "to", wrong) },
            "look-companion" => Self::LookCompanion {
                companion: need(&mut f.companion, "companion", wrong),
                file: checked(&mut f.file, "file", wrong),
                must_be_same: need(&mut f.must_be_same, "mustBeSame", wrong),
            },
            "undo-host" => Self::UndoHost,
            "cleanup-host" => Self::CleanupHost,
            _ => return Err(format!("unknown op `{kind}`")),
        };
        if let Some(wrong) = wrong.take() {
            return Err(wrong);
        }
        let texts = [("file", &f.file), ("from", &f.from), ("to", &f.to), ("link", &f.link), ("of", &f.of)];
        let more = [("v1", &f.v1), ("source", &f.source), ("staging", &f.staging)];
        let left = texts.into_iter().chain(more).find(|(_, left)| left.is_some()).map(|(name, _)| name);
        let left = left
            .or(f.files.as_ref().map(|_| "files"))
            .or(f.companion.as_ref().map(|_| "companion"))
            .or(f.mode.map(|_| "mode"))
            .or(f.phase.map(|_| "phase"))
            .or(f.must_be_same.map(|_| "mustBeSame"));
        left.map_or(Ok(op), |left| Err(format!("unknown field `{left}` of {kind}")))
    }
}

/// Every field that some guard has.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct GuardFields {
    r#if: String,
    companion: Option<CompanionName>,
}

record!(GuardFields { r#if = "if", companion });

impl<'de> Deserialize<'de> for Guard {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(GuardFields::deserialize(deserializer)?).map_err(Error::custom)
    }
}

impl Read for Guard {
    fn blank() -> Self {
        Self::StagingHeld
    }

    fn read(&mut self, from: &mut Reader<'_>) -> Option<()> {
        let mut fields = GuardFields::blank();
        fields.read(from)?;
        *self = from.accept(Self::try_from(fields))?;
        Some(())
    }
}

impl TryFrom<GuardFields> for Guard {
    type Error = String;

    fn try_from(fields: GuardFields) -> Result<Self, String> {
        let (mut companion, wrong) = (fields.companion, &mut None);
        let guard = match fields.r#if.as_str() {
            "staging-held" => Self::StagingHeld,
            "staging-free" => Self::StagingFree,
            "companion-staged" => Self::CompanionStaged { companion: need(&mut companion, "companion", wrong) },
            "companion-staged-over-change" => Self::CompanionStagedOverChange { companion: need(&mut companion, "companion", wrong) },
            "companion-changed" => Self::CompanionChanged { companion: need(&mut companion, "companion", wrong) },
            "companion-differs" => Self::CompanionDiffers { companion: need(&mut companion, "companion", wrong) },
            other => return Err(format!("unknown guard `{other}`")),
        };
        if let Some(wrong) = wrong.take() {
            return Err(wrong);
        }
        if companion.is_some() { Err(format!("unknown field `companion` of {}", fields.r#if)) } else { Ok(guard) }
    }
}
