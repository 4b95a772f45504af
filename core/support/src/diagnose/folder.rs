//! Judges a folder by names, sizes, headers, the small texts in it, and the pages that the caller
//! read.
//!
//! A browser sees neither file ids nor free space, so two hard links of one file look like two
//! files. The header, the size and the digest of page 1 identify a file.

use std::collections::{BTreeMap, BTreeSet};

use super::case::{Case, log};
use super::judge::judge;
use super::known::Known;
use super::merge::Piece;
use super::{Claim, Diagnosis, Dropped, DroppedFile, Kind, Place, Safety, blank, text, unknown};
use crate::bundle::Check;
use crate::{DatabaseHeader, read_database_header, read_shm};
use cutover_core::{
    FileFacts, FileName, HeaderError, MAX_JOURNAL_BYTES, Observation, Platform, Role, SIDECARS,
    counted, unhex,
};

/// The most databases that are judged.
const MOST_DATABASES: usize = 100;

type Named<'a> = Vec<(FileName, &'a DroppedFile)>;

/// The pieces of evidence in files.
pub(super) fn pieces(files: &[DroppedFile], dropped: &Dropped) -> Vec<Piece> {
    // One file without its folder.
    if let ([file], false) = (files, dropped.whole_folder) {
        return match &file.text {
            Some(text) => text::pieces(&file.name, text),
            None => vec![Piece::of(&file.name, alone(file))],
        };
    }
    let mut folders: BTreeMap<&str, Named> = BTreeMap::new();
    for file in files {
        let (folder, bare) = file.name.rsplit_once('/').unwrap_or(("", &file.name));
        if let Ok(name) = FileName::new(bare) {
            folders.entry(folder).or_default().push((name, file));
        }
    }
    let mut pieces = Vec::new();
    let mut belong: BTreeSet<&str> = BTreeSet::new();
    for strict in [true, false] {
        for (folder, named) in &folders {
            for canonical in databases(named, strict) {
                let path = if folder.is_empty() {
                    canonical.to_string()
                } else {
                    format!("{folder}/{canonical}")
                };
                let members = named.iter().filter(|(name, _)| Role::of(&canonical, name).is_some());
                belong.extend(members.map(|(_, file)| file.name.as_str()));
                pieces.push(of_database(&canonical, &path, named, dropped));
            }
        }
        if !pieces.is_empty() {
            break;
        }
    }
    pieces.truncate(MOST_DATABASES);
    let names: Vec<String> = pieces.iter().filter_map(|piece| piece.database.clone()).collect();
    if let Some(meant) = dropped.database.as_ref().filter(|meant| names.contains(meant)) {
        pieces.retain(|piece| piece.database.as_ref() == Some(meant));
    }
    for file in files.iter().filter(|file| !belong.contains(file.name.as_str())) {
        if let Some(told) = &file.text {
            let found = text::pieces(&file.name, told);
            pieces.extend(
                found.into_iter().filter(|of| of.diagnosis.kind != Kind::Unknown || of.is_damaged),
            );
        }
    }
    if pieces.is_empty() {
        pieces.push(Piece::of("the folder", unknown("no file is a database, or belongs to one")));
    }
    pieces
}

fn of_database(canonical: &FileName, path: &str, named: &Named, dropped: &Dropped) -> Piece {
    let mut observation = Observation {
        platform: dropped.platform.unwrap_or(Platform::Linux),
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
    for (name, file) in named {
        let Some(role) = Role::of(canonical, name) else { continue };
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
        if name == canonical {
            header = read;
        }
        observation.files.insert(name.clone(), facts);
    }
    let file =
        |name: &FileName| named.iter().find(|(other, _)| other == name).map(|(_, file)| *file);
    let [wal, shm, _] = canonical.sidecars();
    let wal = file(&wal).and_then(|file| file.wal.clone());
    let shm = file(&shm).and_then(|file| read_shm(&unhex(file.head.as_ref()?)));
    let own = file(canonical);
    let check = own.and_then(|file| file.check.clone()).unwrap_or_else(|| Check::NotMade {
        why: "only names, sizes and headers were looked at".into(),
    });
    let content = own.and_then(|file| file.content);
    let case = Case {
        observation: &observation,
        receipts: &receipts,
        header: header.as_ref(),
        wal: wal.as_ref(),
        shm: shm.as_ref(),
        check: &check,
        content,
        beside: &named.iter().map(|(name, _)| name.clone()).collect(),
        whole: dropped.whole_folder,
        last_error: None,
        at: None,
    };
    let mut diagnosis = judge(Kind::Folder, &case);
    diagnosis.path = Some(path.to_owned());
    let strangers = named.len() - observation.files.len();
    if strangers > 0 {
        diagnosis.facts.push(format!("Left out: {}.", counted(strangers as u64, "other file")));
    }
    Piece {
        known: Some(Known { at_ms: None, observation, wal, content }),
        database: Some(path.to_owned()),
        ..Piece::of(path, diagnosis)
    }
}

/// Reads the header of a file. Nothing where its beginning was not given.
fn head(file: &DroppedFile) -> Option<Result<DatabaseHeader, HeaderError>> {
    let head = file.head.as_ref().filter(|head| head.len() <= 2 * 65536)?;
    Some(read_database_header(&unhex(head), Some(file.size)))
}

/// The databases of one folder. `strict`: only those that begin as one, that should by their name,
/// or that an upgrade left something beside.
fn databases(named: &Named, strict: bool) -> Vec<FileName> {
    let mut left = named.clone();
    let mut found = Vec::new();
    while let Some(name) = canonical(&left) {
        let (of, others): (Named, Named) =
            left.into_iter().partition(|(other, _)| Role::of(&name, other).is_some());
        let upgraded = |(other, _): &(FileName, &DroppedFile)| {
            !matches!(
                Role::of(&name, other),
                Some(Role::Canonical | Role::Sidecar(_) | Role::Lock) | None
            )
        };
        let begins = |(other, file): &(FileName, &DroppedFile)| {
            // A thumbnail cache of Windows has the name of a database too: it is an OLE file.
            let head = file.head.as_deref().filter(|head| !head.starts_with("d0cf11e0"));
            *other == name && file.size > 0 && head.is_some()
        };
        let orphan = |(other, file): &(FileName, &DroppedFile)| *other != name && file.size > 0;
        if !strict || of.iter().any(|file| upgraded(file) || begins(file) || orphan(file)) {
            found.push(name);
        }
        left = others;
    }
    found
}

/// The name of the database that most of these files belong to.
fn canonical(named: &Named) -> Option<FileName> {
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
        if file.head.is_some() && sidecar.is_none() {
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
        Some(Ok(header)) if !header.problems.is_empty() => {
            diagnosis.safety = Safety::NotSafe;
            diagnosis.because = format!("The header does not fit: {}.", header.problems.join("; "));
            Some(header)
        }
        Some(Ok(header)) => {
            match &file.check {
                Some(Check::Damaged { .. }) => {
                    diagnosis.safety = Safety::NotSafe;
                    diagnosis.because = "SQLite reports that the file is damaged.".into();
                }
                Some(Check::Sound) => {
                    diagnosis.intact = Claim::yes("SQLite read every page, and found it sound.");
                    diagnosis.because =
                        "SQLite read every page, and found it sound. Only the folder \
                                         shows whether a log with committed rows belongs to it."
                            .into();
                }
                _ => {
                    diagnosis.because = "The header is that of a database, and fits the size. The \
                                         pages were not read. Only the folder shows whether a log \
                                         with committed rows belongs to the database."
                        .into();
                }
            }
            Some(header)
        }
        Some(Err(error)) => {
            diagnosis.safety = Safety::NotSafe;
            diagnosis.because = format!("{error}.");
            None
        }
        None => return unknown("it is a file of an unknown kind"),
    };
    if diagnosis.safety == Safety::NotSafe {
        diagnosis.intact = Claim::no(diagnosis.because.clone());
    }
    diagnosis.v1 = Place {
        file: None,
        says: "Only the application can tell whether this is v1 or v2.".into(),
    };
    diagnosis.v2 = diagnosis.v1.clone();
    diagnosis.header = header;
    diagnosis.with_reply()
}
