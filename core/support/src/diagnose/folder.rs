//! Judges a folder by names, sizes, headers and the small texts in it.
//!
//! A browser sees neither file ids nor free space, so two hard links of one file look like two
//! files. The header, the size and the digest of page 1 identify a file.

use std::collections::BTreeMap;

use super::case::{Case, log};
use super::judge::judge;
use super::{Diagnosis, DroppedFile, Kind, Place, Safety, blank, unknown};
use crate::bundle::Check;
use crate::{DatabaseHeader, read_database_header};
use cutover_core::{
    FileFacts, FileName, HeaderError, MAX_JOURNAL_BYTES, Observation, Platform, Role, SIDECARS,
    counted, unhex,
};

pub(super) fn diagnose(files: &[DroppedFile], whole: bool, platform: Platform) -> Diagnosis {
    let named: Vec<(FileName, &DroppedFile)> = files
        .iter()
        .filter_map(|file| Some((FileName::new(file.name.as_str()).ok()?, file)))
        .collect();
    if let [(_, file)] = named.as_slice() {
        return alone(file);
    }
    let Some(canonical) = canonical(&named) else {
        return unknown("no file is a database, or belongs to one");
    };
    let mut observation = Observation {
        platform,
        canonical: canonical.clone(),
        files: BTreeMap::new(),
        journals: BTreeMap::new(),
        verdict: None,
        holders: Vec::new(),
        holders_unknown: None,
        free_bytes: None,
        can_link: true,
        companions: BTreeMap::new(),
        irregular: BTreeMap::new(),
    };
    let (mut receipts, mut header) = (BTreeMap::new(), None);
    for (name, file) in &named {
        let Some(role) = Role::of(&canonical, name) else { continue };
        let text = file.text.clone().filter(|text| text.len() <= MAX_JOURNAL_BYTES);
        match role {
            Role::Journal(_) | Role::LegacyJournal => {
                drop(observation.journals.insert(name.clone(), text));
            }
            Role::Receipt => drop(receipts.insert(name.clone(), text)),
            _ => {}
        }
        let read = head(file).and_then(Result::ok);
        let facts = FileFacts {
            size: file.size,
            file_id: format!("{name} in the folder"),
            header: read.as_ref().map(DatabaseHeader::facts),
            page1: read.as_ref().and_then(|header| header.page1.clone()),
        };
        if *name == canonical {
            header = read;
        }
        observation.files.insert(name.clone(), facts);
    }
    let file =
        |name: &FileName| named.iter().find(|(other, _)| other == name).map(|(_, file)| *file);
    let [wal, ..] = canonical.sidecars();
    let wal = file(&wal).and_then(|file| file.wal.clone());
    let why = "a folder is judged by names, sizes and headers; no pages were read".into();
    let check = &Check::NotMade { why };
    let case = Case {
        observation: &observation,
        receipts: &receipts,
        header: header.as_ref(),
        wal: wal.as_ref(),
        check,
        whole,
        last_error: None,
    };
    let mut diagnosis = judge(Kind::Folder, &case);
    let strangers = files.len() - observation.files.len();
    if strangers > 0 {
        diagnosis.facts.push(format!("Left out: {}.", counted(strangers as u64, "other file")));
    }
    diagnosis
}

/// Reads the header of a file. Nothing where its beginning was not given.
fn head(file: &DroppedFile) -> Option<Result<DatabaseHeader, HeaderError>> {
    let head = file.head.as_ref().filter(|head| head.len() <= 2 * 65536)?;
    Some(read_database_header(&unhex(head), Some(file.size)))
}

/// The name of the database that most of these files belong to.
fn canonical(named: &[(FileName, &DroppedFile)]) -> Option<FileName> {
    let mut belong: Vec<(&str, usize)> = Vec::new();
    let mut count = |base, more| match belong.binary_search_by_key(&base, |(base, _)| *base) {
        Ok(at) => belong[at].1 += more,
        Err(at) => belong.insert(at, (base, more)),
    };
    for (name, file) in named {
        let text = name.as_str();
        let sidecar = SIDECARS.iter().find_map(|suffix| text.strip_suffix(suffix));
        let ends = text.match_indices('.').map(|(at, _)| &text[..at]).chain(sidecar);
        for base in ends
            .filter(|base| FileName::new(*base).is_ok_and(|base| Role::of(&base, name).is_some()))
        {
            count(base, 1);
        }
        if file.head.is_some() {
            count(text, 0);
        }
    }
    let is_there = |base: &str| named.iter().any(|(name, _)| name.as_str() == base);
    // Between names with as many files: first the one that exists, then the shorter one, because a
    // backup is a database too.
    let best = belong
        .into_iter()
        .max_by_key(|(base, count)| (*count, is_there(base), std::cmp::Reverse(base.len())))?;
    FileName::new(best.0).ok()
}

/// Judges one file alone. A log without its database, or a database without its log, proves
/// nothing.
fn alone(file: &DroppedFile) -> Diagnosis {
    if let Some(wal) = &file.wal {
        let mut diagnosis = blank(Kind::File, &log(wal));
        diagnosis.action =
            "Keep the log and its database together. Ask for the whole folder.".into();
        diagnosis.wal = Some(wal.clone());
        return diagnosis.with_reply();
    }
    let mut diagnosis = blank(Kind::File, "");
    let header = match head(file) {
        Some(Ok(header)) if header.problems.is_empty() => {
            diagnosis.because = "The header is that of a sound database, and fits the size. The \
                                 pages were not read. Only the folder shows whether a log with \
                                 committed rows belongs to the database."
                .into();
            Some(header)
        }
        Some(Ok(header)) => {
            diagnosis.safety = Safety::NotSafe;
            diagnosis.because = format!("The header does not fit: {}.", header.problems.join("; "));
            Some(header)
        }
        Some(Err(error)) => {
            diagnosis.safety = Safety::NotSafe;
            diagnosis.because = format!("{error}.");
            None
        }
        None => return unknown("it is a file of an unknown kind"),
    };
    diagnosis.v1 = Place {
        file: None,
        says: "Only the application can tell whether this is v1 or v2.".into(),
    };
    diagnosis.v2 = diagnosis.v1.clone();
    diagnosis.header = header;
    diagnosis.with_reply()
}
