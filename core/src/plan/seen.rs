//! Observations made up of what a plan or a journal says, to plan from: for validation.

use crate::fault::Platform;
use crate::journal::{Companion, V1, V2};
use crate::names::FileName;
use crate::observe::{CompanionFacts, FileFacts, Observation, Verdict};
use crate::page1::{Header, JournalMode};
use std::collections::BTreeMap;

/// A companion with these files beside it.
pub(crate) fn companion_facts(
    companion: &Companion,
    digest: Option<String>,
    present: impl IntoIterator<Item = (bool, FileName)>,
) -> CompanionFacts {
    CompanionFacts {
        file: companion.file.clone(),
        path: companion.path.clone(),
        relative: companion.relative.clone(),
        digest,
        present: present.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect(),
        same: Vec::new(),
        irreplaceable: None,
        legacy_backup_is_beginning: false,
    }
}

/// An empty directory in which nothing prevents an upgrade.
pub(crate) fn blank(platform: Platform, canonical: FileName) -> Observation {
    Observation {
        platform,
        canonical,
        files: BTreeMap::new(),
        journals: BTreeMap::new(),
        verdict: Some(Verdict::Old),
        holders: Vec::new(),
        holders_unknown: None,
        free_bytes: None,
        can_link: true,
        companions: BTreeMap::new(),
        irregular: BTreeMap::new(),
    }
}

/// A file that only has to exist.
pub(crate) fn file(id: &str) -> FileFacts {
    FileFacts { size: 1, file_id: id.into(), header: None, page1: None }
}

pub(crate) fn header(bytes: &str, journal_mode: JournalMode) -> Header {
    Header {
        page_size: 0,
        journal_mode,
        change_counter: 0,
        page_count: 0,
        user_version: 0,
        application_id: 0,
        bytes: bytes.into(),
    }
}

pub(crate) fn settled(v1: &V1) -> FileFacts {
    FileFacts {
        size: v1.fingerprint.size,
        file_id: v1.file_id.clone(),
        header: Some(header(&v1.fingerprint.header, v1.journal_mode)),
        page1: None,
    }
}

pub(crate) fn built(v2: &V2) -> FileFacts {
    FileFacts {
        size: v2.size,
        file_id: v2.file_id.clone(),
        header: None,
        page1: Some(v2.page1.clone()),
    }
}
