//! What the next start would do. The application's `detect` cannot be called here, so canonical is
//! identified by what journals and receipts recorded.

use serde::Serialize;

use cutover_core::{
    self, Backup, Code, Failure, FileFacts, FileName, Journal, Label, LegacyJournal, Nonce,
    Observation, Phase, Plan, PlanKind, Receipts, Role, Verdict, legacy_journal_name,
    plan_recovery, refuse_irregular,
};

/// What canonical is, as far as the files tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Canonical {
    /// Canonical does not exist, or is empty.
    Missing,
    /// This process holds canonical, so it was not opened.
    NotOpened,
    /// Canonical is not a SQLite database.
    NotADatabase,
    /// Canonical is v1, with the header and size that v1 had when it was settled.
    V1,
    /// Canonical is v2, as it was built and checked.
    V2,
    /// Canonical is a database, and no record says which.
    Unknown,
}

/// What the next start would do first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Does {
    /// The start calls `detect`, which decides what follows.
    AskDetect,
    /// The start finds no database, and the application makes a new one.
    BeginNew,
    /// The start finishes, undoes or cleans up an upgrade, as `plan` says.
    Recover,
    /// The start refuses, and touches nothing. `refusal` says why.
    Refuse,
}

/// What the next start would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct NextStart {
    /// What the start would do, in one word.
    pub does: Does,
    /// What the start would do, in one sentence.
    pub says: String,
    /// What canonical is.
    pub canonical: Canonical,
    /// The plan by which the start recovers.
    pub plan: Option<Plan>,
    /// The failure with which the start refuses.
    pub refusal: Option<Failure>,
}

/// The first journal of cutover that can be read.
pub(crate) fn journal(observation: &Observation) -> Option<Journal> {
    observation
        .journals
        .values()
        .flatten()
        .find_map(|text| Journal::parse(text, &observation.canonical).ok())
}

/// The journal of the legacy daemon, where it can be read.
pub(crate) fn legacy_journal(observation: &Observation) -> Option<LegacyJournal> {
    let text =
        observation.journals.get(&legacy_journal_name(&observation.canonical))?.as_deref()?;
    LegacyJournal::parse(text, &observation.canonical).ok()
}

/// Identifies canonical.
#[must_use]
pub fn identify(observation: &Observation, receipts: &Receipts) -> Canonical {
    let Some(facts) = observation.canonical_facts().filter(|facts| facts.size > 0) else {
        return Canonical::Missing;
    };
    if facts.header.is_none() {
        let held = observation.holders.iter().any(|holder| holder.this_process);
        return if held { Canonical::NotOpened } else { Canonical::NotADatabase };
    }
    if let Some(journal) = journal(observation) {
        // A restore replaces v2.
        let (before, after) = if journal.strategy.restores() {
            (Canonical::V2, Canonical::V1)
        } else {
            (Canonical::V1, Canonical::V2)
        };
        if journal.v1.as_ref().is_some_and(|v1| v1.is_as_settled(facts)) {
            return before;
        }
        if journal.v2.as_ref().is_some_and(|v2| v2.size == facts.size && is_page1(facts, &v2.page1))
        {
            return after;
        }
        return Canonical::Unknown;
    }
    let mut known = cutover_core::list_backups(observation, receipts).into_iter();
    let is_v2 = |name: &FileName| {
        let receipt = cutover_core::read_backup(&observation.canonical, receipts, name).ok();
        receipt
            .and_then(|receipt| receipt.v2)
            .is_some_and(|v2| v2.size == facts.size && is_page1(facts, &v2.page1))
    };
    if known.any(|backup| is_v2(&backup.name)) { Canonical::V2 } else { Canonical::Unknown }
}

fn is_page1(facts: &FileFacts, page1: &str) -> bool {
    facts.page1.as_deref() == Some(page1)
}

/// The databases that restores set aside, if canonical may be what the last of them put back. A
/// release that upgrades would then upgrade it again.
pub(crate) fn set_aside_by_restore<'a>(
    observation: &'a Observation,
    canonical: Canonical,
    backups: &[Backup],
) -> Vec<&'a FileName> {
    let header = observation.canonical_facts().and_then(|facts| facts.header.as_ref());
    // `user_version`, at offset 60: <https://www.sqlite.org/fileformat2.html>.
    let version = |header: &str| header.get(120..128).map(str::to_owned);
    let v1 = backups.iter().filter(|backup| backup.whole).find_map(|backup| backup.v1.as_ref());
    let may_be_v1 = match (header, v1) {
        (Some(header), Some(v1)) => version(&header.bytes) == version(&v1.fingerprint.header),
        _ => backups.iter().any(|backup| backup.whole),
    };
    if canonical != Canonical::Unknown || !observation.journals.is_empty() || !may_be_v1 {
        return Vec::new();
    }
    let aside = observation.may_hold_rows();
    aside.filter(|(_, role)| matches!(role, Role::Displaced(_))).map(|(name, _)| name).collect()
}

/// What `detect` would say, where the files tell it.
fn verdict(observation: &Observation, canonical: Canonical) -> Option<Verdict> {
    match canonical {
        Canonical::V1 => Some(Verdict::Old),
        Canonical::V2 => Some(Verdict::Current),
        // An upgrade does not replace v1 before the journal says `built`.
        Canonical::Unknown
            if journal(observation)
                .is_some_and(|of| of.phase == Phase::Building && !of.strategy.restores()) =>
        {
            Some(Verdict::Old)
        }
        Canonical::Unknown => {
            let legacy = legacy_journal(observation)?;
            let is_there = |name| observation.files.contains_key(name);
            match (is_there(&legacy.names.backup), is_there(&legacy.names.staging)) {
                // The legacy daemon has not moved v1.
                (false, _) => Some(Verdict::Old),
                // The legacy daemon has moved v2 into its place.
                (true, false) => Some(Verdict::Current),
                (true, true) => None,
            }
        }
        _ => None,
    }
}

/// Whether a start goes on if `detect` says that canonical is a database of the application.
fn goes_on(seen: &mut Observation, label: &Label) -> bool {
    seen.verdict = Some(Verdict::Old);
    plan_recovery(seen, label, &Nonce::from_number(0)).is_ok()
}

/// Tells what the next start would do.
#[must_use]
pub fn next_start(observation: &Observation, receipts: &Receipts) -> NextStart {
    let canonical = identify(observation, receipts);
    let next = |does, says: &str, plan, refusal| NextStart {
        does,
        says: says.into(),
        canonical,
        plan,
        refusal,
    };
    if let Err(failure) = refuse_irregular(observation) {
        let at = failure.path.clone().unwrap_or_default();
        let says = format!("it refuses, and touches nothing, because of {at}");
        return next(Does::Refuse, &says, None, Some(failure));
    }
    if observation.holders.iter().any(|holder| holder.this_process) {
        let says = "it cannot be told: the process that looked has the database open, so it did not \
                    open it a second time";
        return next(Does::AskDetect, says, None, None);
    }
    if observation.journals.is_empty() && canonical == Canonical::Missing {
        let [wal, _, hot] = observation.canonical.sidecars();
        let orphan = [wal, hot]
            .into_iter()
            .find(|name| observation.files.get(name).is_some_and(|facts| facts.size > 0));
        return match orphan {
            Some(orphan) => {
                let failure = Failure::refusal(
                    Code::V1Corrupt,
                    format!(
                        "the database is missing or empty beside {orphan}, which holds data that \
                         SQLite would delete at the next open"
                    ),
                    "copy both files away, then restore the database from a backup",
                );
                next(
                    Does::Refuse,
                    "it refuses to touch these files",
                    None,
                    Some(failure.of(&observation.canonical)),
                )
            }
            None if observation.may_hold_rows().next().is_some() => next(
                Does::BeginNew,
                "it finds no database, and warns of the files beside it that may hold rows; the \
                 application may still begin with a new, empty one",
                None,
                None,
            ),
            None => next(
                Does::BeginNew,
                "it finds no database, and the application begins with a new, empty one",
                None,
                None,
            ),
        };
    }
    if observation.journals.is_empty() && canonical == Canonical::NotADatabase {
        let failure = Failure::no_header(&observation.canonical);
        let says = "it refuses: the file has no SQLite header";
        return next(Does::Refuse, says, None, Some(failure));
    }
    let mut seen = observation.clone();
    seen.verdict = observation.verdict.or_else(|| verdict(observation, canonical));
    // No holder is in the way of a plan that no program performs.
    seen.holders.clear();
    let named =
        observation.journals.keys().find_map(|name| match Role::of(&observation.canonical, name) {
            Some(Role::Journal(label)) => Some(label),
            _ => None,
        });
    let label = named.or_else(|| Label::new("v1-v2").ok());
    let Some(label) = label else {
        return next(
            Does::AskDetect,
            "the application decides whether to upgrade the database",
            None,
            None,
        );
    };
    match plan_recovery(&seen, &label, &Nonce::from_number(0)) {
        Ok(None) => next(
            Does::AskDetect,
            "no upgrade is under way: the application decides whether to upgrade the database, or to \
             open it as it is",
            None,
            None,
        ),
        Ok(Some(plan)) => {
            let says = match plan.kind {
                PlanKind::Finish => "it finishes the interrupted upgrade, and opens v2",
                PlanKind::Undo => {
                    "it undoes the interrupted upgrade, so that v1 is as it was, and may begin anew"
                }
                PlanKind::Clean => {
                    "it removes what a finished upgrade left, and opens the database"
                }
                PlanKind::SetAside => {
                    "it sets aside the journal, which cannot be read, and goes on with the database \
                     that is there"
                }
                PlanKind::Migrate
                | PlanKind::Restore
                | PlanKind::Prune
                | PlanKind::LeaveZombie
                | PlanKind::Adopt => "it goes on",
            };
            next(Does::Recover, says, Some(plan), None)
        }
        Err(_)
            if seen.verdict.is_none()
                && canonical == Canonical::Unknown
                && goes_on(&mut seen, &label) =>
        {
            let says = "an upgrade was interrupted; only the application can tell what the database \
                        is now, and so whether the start finishes or undoes it";
            next(Does::AskDetect, says, None, None)
        }
        Err(failure) => next(Does::Refuse, "it refuses, and touches nothing", None, Some(failure)),
    }
}
