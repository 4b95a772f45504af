//! Where v1 and v2 are, by the files in the folder and by what journals and receipts say.

use super::Place;
use super::case::Case;
use crate::next_start::{self, Canonical};
use cutover_core::{
    Backup, FileName, Journal, LegacyJournal, LegacyPhase, Phase, Role, displaced_by, receipt_name,
};

/// Where v1 is, and where v2 is.
/// `restored`: what restores set aside, if canonical may be what the last of them put back.
pub(super) fn places(
    case: &Case,
    is: Canonical,
    backups: &[Backup],
    restored: &[&FileName],
) -> (Place, Place) {
    let beside = Beside { case, is, backups, restored, canonical: &case.observation.canonical };
    match (next_start::journal(case.observation), next_start::legacy_journal(case.observation)) {
        (Some(journal), _) if journal.strategy.restores() => beside.restored(&journal),
        (Some(journal), _) => beside.upgraded(&journal),
        (None, Some(journal)) => beside.legacy(&journal),
        (None, None) => beside.at_rest(),
    }
}

struct Beside<'a> {
    case: &'a Case<'a>,
    is: Canonical,
    backups: &'a [Backup],
    restored: &'a [&'a FileName],
    canonical: &'a FileName,
}

/// A place whose file is known. In `says`, `@` stands for the name.
fn at(name: &FileName, says: &str) -> Place {
    Place { file: Some(name.to_string()), says: says.replace('@', name.as_str()) }
}

/// A place whose file is missing or damaged.
fn lost(name: &FileName, says: &str) -> Place {
    Place { file: None, ..at(name, says) }
}

fn nowhere(says: &str) -> Place {
    Place { file: None, says: says.into() }
}

impl Beside<'_> {
    fn there(&self, name: &FileName) -> bool {
        self.case.observation.files.contains_key(name)
    }

    /// Canonical, or the name of a canonical that is missing.
    fn here(&self, says: &str) -> Place {
        match self.is {
            Canonical::Missing => lost(self.canonical, "It was @, which is missing."),
            Canonical::NotADatabase => {
                lost(self.canonical, "It was @, which is no longer a database.")
            }
            _ => at(self.canonical, says),
        }
    }

    /// The newest backup that is whole, or else the newest.
    fn backup(&self) -> Place {
        let kept = self.backups.iter().find(|backup| backup.whole).or(self.backups.first());
        kept.map_or_else(|| nowhere("There is no backup."), |kept| self.kept(kept, false))
    }

    /// The backup that the journal names.
    fn backup_of(&self, name: &FileName) -> Place {
        let kept = self.backups.iter().find(|backup| backup.name == *name);
        kept.map_or_else(
            || lost(name, "It should be @, which is missing."),
            |kept| self.kept(kept, true),
        )
    }

    /// A backup. `own`: a journal says that it is v1.
    fn kept(&self, backup: &Backup, own: bool) -> Place {
        match &backup.why {
            None => at(&backup.name, "It is kept as @, which is whole by its receipt."),
            Some(_) if own && !self.there(&receipt_name(&backup.name)) => {
                at(&backup.name, "It is @, whose receipt is not written yet.")
            }
            Some(why) => at(&backup.name, &format!("It may be @: {why}.")),
        }
    }

    fn at_rest(&self) -> (Place, Place) {
        let aside = self
            .case
            .observation
            .files
            .keys()
            .find(|name| matches!(Role::of(self.canonical, name), Some(Role::Displaced(_))));
        if let (Canonical::Missing | Canonical::NotADatabase, Some(aside)) = (self.is, aside) {
            return (self.backup(), at(aside, "It may be @, which was set aside."));
        }
        if let [aside, more @ ..] = self.restored {
            let says = if more.is_empty() {
                "It is @, which a restore set aside, unless v1 was upgraded again since."
            } else {
                "It may be @ or another file that a restore set aside, unless v1 was upgraded \
                 again since."
            };
            return (
                self.here("It is @, if a restore put it back. A backup is kept too."),
                at(aside, says),
            );
        }
        match self.is {
            Canonical::V1 => (self.here(V1), nowhere("There is no v2 yet.")),
            Canonical::V2 => (self.backup(), self.here(V2)),
            // A receipt is written after v2 is canonical.
            Canonical::Missing | Canonical::NotADatabase
                if self.backups.iter().any(|backup| backup.whole) =>
            {
                (self.backup(), self.here(""))
            }
            Canonical::Missing
                if self.backups.is_empty()
                    && !self.canonical.sidecars().iter().any(|name| self.there(name)) =>
            {
                (self.backup(), nowhere("There is no v2."))
            }
            Canonical::Missing | Canonical::NotADatabase => {
                (self.backup(), nowhere("It cannot be told."))
            }
            Canonical::Unknown | Canonical::NotOpened if self.backups.is_empty() => (
                self.here("It is @, unless that is v2 already. Only the application can tell."),
                nowhere("There is no v2 beside it."),
            ),
            Canonical::Unknown | Canonical::NotOpened => {
                (self.backup(), self.here("It is @, unless the backup was restored since."))
            }
        }
    }

    fn upgraded(&self, journal: &Journal) -> (Place, Place) {
        const WAITS: &str = "It is complete, in @, and is not installed.";
        let (backup, staged) = (&journal.names.backup, journal.v2.as_ref());
        let complete = staged.map(|v2| &v2.file).filter(|file| self.there(file));
        let v2 = |says: &str| match (complete, staged) {
            (Some(file), _) => at(file, says),
            (None, Some(_)) => nowhere("The v2 that was built is missing."),
            (None, None) => nowhere(INCOMPLETE),
        };
        // A v2 that a rename installed no longer has its own name.
        let v2_there = || {
            if complete.is_none() && staged.is_some() {
                self.here("It is @.")
            } else {
                v2("It is complete, in @, and may be installed already.")
            }
        };
        let linked = self.there(backup);
        match (self.is, journal.phase) {
            (Canonical::V1, _) => (self.here(V1), v2(WAITS)),
            (Canonical::V2, _) => (self.backup_of(backup), self.here(V2)),
            (Canonical::Unknown | Canonical::NotOpened, Phase::Building) => {
                (self.here("It is @: the upgrade had not touched it yet."), v2(WAITS))
            }
            (Canonical::Unknown | Canonical::NotOpened, Phase::Committed) => {
                (self.backup_of(backup), self.here("It is @: the upgrade was committed."))
            }
            _ if linked => (self.backup_of(backup), v2_there()),
            _ => (
                self.here("It is @, which a program may have written to since the upgrade began."),
                v2(WAITS),
            ),
        }
    }

    /// A restore. The `v1` of its journal is the file that it replaces, which is v2. That file has
    /// its displaced name before the flip.
    fn restored(&self, journal: &Journal) -> (Place, Place) {
        const BACK: &str = "It is @: the restore put it back.";
        let aside = displaced_by(journal);
        let kept = || at(&aside, "It is @, which the restore set aside.");
        match self.is {
            Canonical::V1 if self.there(&aside) => (self.here(BACK), kept()),
            Canonical::V1 => (self.here(BACK), lost(&aside, "It should be @, which is missing.")),
            Canonical::V2 => {
                (self.backup(), self.here("It is @: the restore has not replaced it."))
            }
            _ if self.there(&aside) => (self.backup(), kept()),
            _ => (self.backup(), self.here("It is @: the restore has not replaced it.")),
        }
    }

    /// An upgrade of the legacy daemon. It moves v1 to the backup's name, then v2 to canonical. Its
    /// journal has neither sizes nor digests, so the existing files tell how far it came.
    fn legacy(&self, journal: &LegacyJournal) -> (Place, Place) {
        const MOVED: &str = "It is @: the upgrade without cutover moved it there.";
        let (backup, staging) = (&journal.names.backup, &journal.names.staging);
        let built = |says: &str| {
            if journal.phase == LegacyPhase::Building {
                nowhere(INCOMPLETE)
            } else {
                at(staging, says)
            }
        };
        match (self.there(backup), self.there(staging)) {
            (true, true) if self.is == Canonical::Missing => (
                at(backup, MOVED),
                built(
                    "It should be complete, in @: the next start checks it, and makes it canonical.",
                ),
            ),
            (true, true) => (
                at(backup, MOVED),
                built("It should be complete, in @. No record says what canonical is."),
            ),
            (true, false) => (at(backup, MOVED), self.here(MOVED)),
            (false, staged) => {
                let v2 = if staged {
                    built("It should be complete, in @, and is not installed.")
                } else {
                    nowhere("There is no v2 yet.")
                };
                (self.here("It is @: the upgrade without cutover had not moved it."), v2)
            }
        }
    }
}

const V1: &str = "It is @, unchanged since the upgrade began.";
const V2: &str = "It is @, as it was checked.";
const INCOMPLETE: &str = "It is not complete. The next start removes its files.";
