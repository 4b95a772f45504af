//! Where v1 and v2 are, by what is there and what the journals and receipts say of it.

use super::Place;
use super::judge::Case;
use super::next::{self, Canonical};
use crate::backup::Backup;
use crate::journal::field::{FieldJournal, FieldPhase};
use crate::journal::{Journal, Phase, Strategy};
use crate::names::{FileName, Role, receipt};
use crate::plan::displaced_by;

/// Where v1 is, and where v2.
pub(super) fn places(case: &Case, is: Canonical, backups: &[Backup]) -> (Place, Place) {
    let beside = Beside { case, is, backups, canonical: &case.observation.canonical };
    match (next::journal(case.observation), next::field(case.observation)) {
        (Some(journal), _) if journal.strategy == Strategy::Restore => beside.restored(&journal),
        (Some(journal), _) => beside.upgraded(&journal),
        (None, Some(journal)) => beside.field(&journal),
        (None, None) => beside.at_rest(),
    }
}

struct Beside<'a> {
    case: &'a Case<'a>,
    is: Canonical,
    backups: &'a [Backup],
    canonical: &'a FileName,
}

fn at(name: &FileName, says: String) -> Place {
    Place { file: Some(name.to_string()), says }
}

fn nowhere(says: impl Into<String>) -> Place {
    Place { file: None, says: says.into() }
}

impl Beside<'_> {
    fn there(&self, name: &FileName) -> bool {
        self.case.observation.files.contains_key(name)
    }

    /// It is canonical, or was.
    fn here(&self, says: &str) -> Place {
        let canonical = self.canonical;
        match self.is {
            Canonical::Missing => nowhere(format!("It was {canonical}, which is missing.")),
            Canonical::NotADatabase => nowhere(format!("It was {canonical}, which is no database any more.")),
            _ => at(canonical, format!("It is {canonical}{says}")),
        }
    }

    /// The newest backup that is whole, or else the newest.
    fn backup(&self) -> Place {
        match self.backups.iter().find(|backup| backup.whole).or(self.backups.first()) {
            Some(backup) if backup.whole => at(&backup.name, format!("It is kept as {}, whole by its receipt.", backup.name)),
            Some(backup) => at(&backup.name, format!("It may be {}: {}.", backup.name, backup.why.as_deref().unwrap_or("not whole"))),
            None => nowhere("There is no backup."),
        }
    }

    /// v1 once it has the name that its journal gives it, and not another upgrade's.
    fn backup_of(&self, name: &FileName) -> Place {
        match self.backups.iter().find(|backup| backup.name == *name) {
            Some(backup) if backup.whole => at(name, format!("It is kept as {name}, whole by its receipt.")),
            Some(_) if !self.there(&receipt(name)) => at(name, format!("It is {name}; its receipt is not written yet.")),
            Some(backup) => at(name, format!("It may be {name}: {}.", backup.why.as_deref().unwrap_or("not whole"))),
            None => nowhere(format!("It should be {name}, which is missing.")),
        }
    }

    fn at_rest(&self) -> (Place, Place) {
        let aside = self.case.observation.files.keys().find(|name| matches!(Role::of(self.canonical, name), Some(Role::Displaced(_))));
        if let (Canonical::Missing | Canonical::NotADatabase, Some(aside)) = (self.is, aside) {
            return (self.backup(), at(aside, format!("It may be {aside}, which was set aside.")));
        }
        match self.is {
            Canonical::V1 => (self.here(", unchanged since the upgrade began."), nowhere("There is none yet.")),
            Canonical::V2 => (self.backup(), self.here(", as it was checked.")),
            // A receipt is written once v2 is in its place.
            Canonical::Missing | Canonical::NotADatabase if self.backups.iter().any(|backup| backup.whole) => {
                (self.backup(), self.here(""))
            }
            Canonical::Missing if self.backups.is_empty() && !self.canonical.sidecars().iter().any(|name| self.there(name)) => {
                (self.backup(), nowhere("There is none."))
            }
            Canonical::Missing | Canonical::NotADatabase => (self.backup(), nowhere("It cannot be told.")),
            Canonical::Unknown | Canonical::NotOpened if self.backups.is_empty() => {
                (self.here(", unless that is v2 already: only the application's detect tells."), nowhere("There is none beside it."))
            }
            Canonical::Unknown | Canonical::NotOpened => (self.backup(), self.here(", if nobody restored the backup since.")),
        }
    }

    fn upgraded(&self, journal: &Journal) -> (Place, Place) {
        let (backup, staged) = (&journal.names.backup, journal.v2.as_ref());
        let complete = staged.map(|v2| &v2.file).filter(|file| self.there(file));
        let v2 = |more: &str| match (complete, staged) {
            (Some(file), _) => at(file, format!("It is complete, in {file}, and {more}.")),
            (None, Some(_)) => nowhere("What was built is missing."),
            (None, None) => nowhere("It is not complete; what there is of it is removed."),
        };
        let linked = self.there(backup);
        match self.is {
            Canonical::V1 => (self.here(", unchanged since the upgrade began."), v2("not installed")),
            Canonical::V2 => (self.backup_of(backup), self.here(", as it was checked.")),
            // What is installed by a rename has left its own name.
            Canonical::Missing | Canonical::NotADatabase if linked && complete.is_none() && staged.is_some() => {
                (self.backup_of(backup), self.here(""))
            }
            Canonical::Missing | Canonical::NotADatabase if linked => (self.backup_of(backup), v2("may have been installed as well")),
            Canonical::Missing | Canonical::NotADatabase => (self.here(""), v2("not installed")),
            Canonical::Unknown | Canonical::NotOpened => match (journal.phase, linked) {
                (Phase::Building, _) => (self.here(": the upgrade had not got as far as touching it."), v2("not installed")),
                (Phase::Committed, _) => (self.backup_of(backup), self.here(": the upgrade was committed.")),
                (_, false) => (self.here(", and may have been written to since the upgrade began."), v2("not installed")),
                (_, true) if complete.is_some() => (self.backup_of(backup), v2("may be installed already")),
                (_, true) => (self.backup_of(backup), self.here(", if nobody put anything else there.")),
            },
        }
    }

    /// Its journal's `v1` is what is replaced, which is v2, and has its second name before that.
    fn restored(&self, journal: &Journal) -> (Place, Place) {
        let aside = displaced_by(journal);
        let kept = || at(&aside, format!("It is {aside}, which the restore set aside."));
        match self.is {
            Canonical::V1 if self.there(&aside) => (self.here(": the restore put it back."), kept()),
            Canonical::V1 => (self.here(": the restore put it back."), nowhere(format!("It should be {aside}, which is missing."))),
            Canonical::V2 => (self.backup(), self.here(": the restore has not replaced it.")),
            _ if self.there(&aside) => (self.backup(), kept()),
            _ => (self.backup(), self.here(": the restore had not got as far as replacing it.")),
        }
    }

    /// It moves v1 to the backup's name, then v2 to canonical. It writes neither sizes nor digests: what is there tells how far it had come.
    fn field(&self, journal: &FieldJournal) -> (Place, Place) {
        let (backup, staging) = (&journal.names.backup, &journal.names.staging);
        let moved = at(backup, format!("It is {backup}: the upgrade without cutover moved it there."));
        let built = |more: &str| match journal.phase {
            FieldPhase::Building => nowhere("It is not complete; what there is of it is removed."),
            _ => at(staging, format!("It should be complete, in {staging}: {more}.")),
        };
        let unmoved = self.here(": the upgrade without cutover had not moved it.");
        match (self.there(backup), self.there(staging)) {
            (true, true) if self.is == Canonical::Missing => (moved, built("the next start checks it, and puts it in its place")),
            (true, true) => (moved, built(&format!("what {} is, nobody recorded", self.canonical))),
            (true, false) => (moved, self.here(": the upgrade without cutover moved it there.")),
            (false, true) => (unmoved, built("it was not installed")),
            (false, false) => (unmoved, nowhere("There is none yet.")),
        }
    }
}
