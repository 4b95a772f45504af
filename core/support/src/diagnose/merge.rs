//! Puts several pieces of evidence together: the worst answer and the newest date win, and each
//! piece is listed with what it says.

use super::contradictions::since;
use super::known::Known;
use super::{COPY, Claim, Diagnosis, Evidence, Kind, NO_START, Safety, unknown};

/// One piece of the input.
pub(super) struct Piece {
    /// Which it is, for the person.
    pub name: String,
    pub diagnosis: Diagnosis,
    /// What it knows of a directory.
    pub known: Option<Known>,
    /// The name of the database in the folder, where it is one.
    pub database: Option<String>,
    /// Whether it seems to be evidence that cannot be read. Then the rest is not the whole.
    pub is_damaged: bool,
}

impl Piece {
    pub fn of(name: &str, diagnosis: Diagnosis) -> Self {
        Self { name: name.into(), diagnosis, known: None, database: None, is_damaged: false }
    }

    /// Whether it says something of the data. A line, a plan, a journal or a receipt says nothing,
    /// unless it tells of damage.
    fn decides(&self) -> bool {
        match self.diagnosis.kind {
            Kind::Bundle | Kind::Folder | Kind::File => true,
            Kind::Plan => false,
            _ => self.is_damaged || self.diagnosis.safety == Safety::NotSafe,
        }
    }

    /// When it was made; what is here now is the newest.
    fn at_ms(&self) -> Option<u64> {
        self.known.as_ref().and_then(|known| known.at_ms)
    }

    fn age(&self) -> u64 {
        match &self.known {
            Some(known) => known.at_ms.unwrap_or(u64::MAX),
            None => 0,
        }
    }
}

fn badness(safety: Safety) -> u8 {
    match safety {
        Safety::Safe => 0,
        Safety::CannotTell => 1,
        Safety::NotSafe => 2,
    }
}

pub(super) fn merge(mut pieces: Vec<Piece>) -> Diagnosis {
    // A piece of which nothing is known says nothing beside one of which something is.
    if pieces.iter().any(|piece| piece.diagnosis.kind != Kind::Unknown || piece.is_damaged) {
        pieces.retain(|piece| piece.diagnosis.kind != Kind::Unknown || piece.is_damaged);
    }
    if pieces.len() < 2 {
        return pieces.pop().map_or_else(|| unknown("it is empty"), |piece| piece.diagnosis);
    }
    compare(&mut pieces);
    let evidence = pieces
        .iter()
        .map(|piece| Evidence {
            name: piece.name.clone(),
            kind: piece.diagnosis.kind,
            safety: piece.diagnosis.safety,
            says: piece.diagnosis.because.clone(),
            at_ms: piece.at_ms(),
        })
        .collect();
    let made = pieces
        .iter()
        .filter_map(|piece| piece.diagnosis.made.clone())
        .max_by_key(|made| made.at_ms);
    let explanation = pieces.iter().find_map(|piece| piece.diagnosis.explanation.clone());
    let mut databases: Vec<String> =
        pieces.iter().filter_map(|piece| piece.database.clone()).collect();
    databases.sort();
    if databases.len() < 2 {
        databases.clear();
    }
    let rank = |piece: &Piece| (piece.decides(), badness(piece.diagnosis.safety), piece.age());
    let Some(at) = (0..pieces.len()).rev().max_by_key(|at| rank(&pieces[*at])) else {
        return unknown("it is empty");
    };
    let Piece { name, mut diagnosis, .. } = pieces.swap_remove(at);
    diagnosis.evidence = evidence;
    if !databases.is_empty() {
        diagnosis.because = format!(
            "There are {} databases; this is {name}. {}",
            databases.len(),
            diagnosis.because
        );
        diagnosis.action = format!(
            "First ask which database is meant: {}. Each is judged below. {}",
            databases.join(", "),
            diagnosis.action
        );
        diagnosis.databases = databases;
    }
    diagnosis.made = made;
    // The newest error stands in a log as well as in a bundle.
    diagnosis.explanation = diagnosis.explanation.or(explanation);
    diagnosis.with_reply()
}

/// Compares each earlier bundle with the newest piece of the same database.
fn compare(pieces: &mut [Piece]) {
    for earlier in 0..pieces.len() {
        let Some(known) = &pieces[earlier].known else { continue };
        let newest = (0..pieces.len())
            .filter(|at| {
                pieces[*at]
                    .known
                    .as_ref()
                    .is_some_and(|other| other.observation.canonical == known.observation.canonical)
            })
            .max_by_key(|at| pieces[*at].age());
        let Some(newest) = newest.filter(|newest| pieces[*newest].age() > pieces[earlier].age())
        else {
            continue;
        };
        let why = pieces[newest].known.as_ref().and_then(|now| since(known, now));
        if let Some(why) = why {
            let diagnosis = &mut pieces[newest].diagnosis;
            diagnosis.because = match diagnosis.safety {
                Safety::NotSafe => format!("{} {why}", diagnosis.because),
                _ => why.clone(),
            };
            diagnosis.safety = Safety::NotSafe;
            diagnosis.rows = Claim::no(why);
            diagnosis.action = format!("{COPY} {NO_START}");
        }
    }
}
