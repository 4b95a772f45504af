//! Reads ops and guards. What serde derives for enums of many kinds was a fifth of the code that a browser loads: here all kinds are read as one
//! set of fields, and then each takes its own and leaves none.

use serde::de::{Deserialize, Deserializer, Error};

use super::{Guard, Op};
use crate::journal::Phase;
use crate::json::{Read, Reader, record};
use crate::names::{At, CompanionName, FileName};
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

fn need<T>(field: &mut Option<T>, name: &str) -> Result<T, String> {
    field.take().ok_or_else(|| format!("missing field `{name}`"))
}

fn name(field: &mut Option<String>, what: &str) -> Result<FileName, String> {
    FileName::new(need(field, what)?).map_err(|error| error.to_string())
}

fn at(field: &mut Option<String>, what: &str) -> Result<At, String> {
    At::try_from(need(field, what)?).map_err(|error| error.to_string())
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
        let f = &mut has;
        let kind = std::mem::take(&mut f.op);
        let op = match kind.as_str() {
            "write-journal" => Self::WriteJournal { file: name(&mut f.file, "file")?, phase: need(&mut f.phase, "phase")? },
            "write-receipt" => Self::WriteReceipt { file: name(&mut f.file, "file")? },
            "sync-file" => Self::SyncFile { file: at(&mut f.file, "file")? },
            "sync-dir" => Self::SyncDir { companion: f.companion.take() },
            "link" => Self::Link { from: at(&mut f.from, "from")?, to: at(&mut f.to, "to")? },
            "rename" => Self::Rename { from: at(&mut f.from, "from")?, to: at(&mut f.to, "to")? },
            "rename-new" => Self::RenameNew { from: at(&mut f.from, "from")?, to: at(&mut f.to, "to")? },
            "copy" => Self::Copy { from: at(&mut f.from, "from")?, to: at(&mut f.to, "to")? },
            "remove" => {
                let files = need(&mut f.files, "files")?.into_iter().map(At::try_from).collect::<Result<_, _>>();
                Self::Remove { files: files.map_err(|error| error.to_string())? }
            }
            "absent" => {
                let files = need(&mut f.files, "files")?.into_iter().map(FileName::new).collect::<Result<_, _>>();
                Self::Absent { files: files.map_err(|error| error.to_string())? }
            }
            "remove-link" => Self::RemoveLink { link: name(&mut f.link, "link")?, of: name(&mut f.of, "of")? },
            "look" => Self::Look { file: name(&mut f.file, "file")? },
            "release" => Self::Release,
            "settle" => Self::Settle { file: name(&mut f.file, "file")?, mode: need(&mut f.mode, "mode")? },
            "restore-mode" => Self::RestoreMode { file: name(&mut f.file, "file")?, mode: need(&mut f.mode, "mode")? },
            "build-sql" => Self::BuildSql { v1: name(&mut f.v1, "v1")?, staging: name(&mut f.staging, "staging")? },
            "build-host" => Self::BuildHost { source: name(&mut f.source, "source")?, staging: name(&mut f.staging, "staging")? },
            "restage" => Self::Restage { from: name(&mut f.from, "from")?, to: name(&mut f.to, "to")?, mode: need(&mut f.mode, "mode")? },
            "check" => Self::Check { file: name(&mut f.file, "file")? },
            "detect" => Self::Detect { file: name(&mut f.file, "file")? },
            "verify-host" => Self::VerifyHost { file: name(&mut f.file, "file")? },
            "lock-v1" => Self::LockV1 { file: name(&mut f.file, "file")? },
            "check-v1" => Self::CheckV1 { file: name(&mut f.file, "file")? },
            "unlock-v1" => Self::UnlockV1,
            "page-copy" => Self::PageCopy { from: name(&mut f.from, "from")?, to: name(&mut f.to, "to")? },
            "look-companion" => Self::LookCompanion {
                companion: need(&mut f.companion, "companion")?,
                file: name(&mut f.file, "file")?,
                must_be_same: need(&mut f.must_be_same, "mustBeSame")?,
            },
            "undo-host" => Self::UndoHost,
            "cleanup-host" => Self::CleanupHost,
            _ => return Err(format!("unknown op `{kind}`")),
        };
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
        let mut companion = fields.companion;
        let guard = match fields.r#if.as_str() {
            "staging-held" => Self::StagingHeld,
            "staging-free" => Self::StagingFree,
            "companion-staged" => Self::CompanionStaged { companion: need(&mut companion, "companion")? },
            "companion-staged-over-change" => Self::CompanionStagedOverChange { companion: need(&mut companion, "companion")? },
            "companion-changed" => Self::CompanionChanged { companion: need(&mut companion, "companion")? },
            "companion-differs" => Self::CompanionDiffers { companion: need(&mut companion, "companion")? },
            other => return Err(format!("unknown guard `{other}`")),
        };
        if companion.is_some() { Err(format!("unknown field `companion` of {}", fields.r#if)) } else { Ok(guard) }
    }
}
