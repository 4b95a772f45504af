//! What a run takes over from the outcome of an op.

use crate::failure::DataState;
use crate::fault::{OpError, OpErrorKind, Platform};
use crate::journal::{Journal, Phase, V1, V2, WarningFrom};
use crate::names::{FileName, PlanPath, SIDECARS, is_displaced, is_journal_aside};
use crate::observe::FileFacts;
use crate::op::Op;
use crate::page1::JournalMode;
use crate::plan::PlanKind;

use super::{Event, List, OpOutcome, Run, Stage, gives_v1_back};

impl Run {
    /// Takes the outcome of the current op, which the driver performed.
    pub fn handle_ok(&mut self, done: OpOutcome) {
        if self.stage != Stage::Performing {
            return;
        }
        let Some(op) = self.current().cloned() else { return };
        self.tell_of_kept(&op);
        match (&op, done) {
            (op, OpOutcome::Tolerated(message)) => {
                let message = match op.file() {
                    Some(at) => format!("{}: {message}", self.path_of(&at)),
                    None => match self.places.get(&op.companion().cloned()) {
                        Some(directory) => format!("{directory}: {message}"),
                        None => message,
                    },
                };
                self.add_warning(Some("TOLERATED"), message, WarningFrom::Cutover);
            }
            (Op::Settle { file, .. }, OpOutcome::Settled(facts)) => self.settled(file, &facts),
            (Op::Check { file }, OpOutcome::Checked(facts, warnings)) => {
                if let Some(fault) =
                    self.journal.as_ref().and_then(|journal| other_page_size(journal, &facts))
                {
                    return self.handle_fault(&fault.of(file));
                }
                if self.plan.kind != PlanKind::Adopt
                    && let (Some(journal), Some(page1)) = (&mut self.journal, facts.page1)
                {
                    journal.v2 = Some(V2 {
                        file: file.clone(),
                        file_id: facts.file_id,
                        size: facts.size,
                        page1,
                    });
                }
                self.warn_of_v1(warnings);
            }
            (Op::CheckPages { .. }, OpOutcome::Examined(warnings)) => self.warn_of_v1(warnings),
            (Op::Look { file }, OpOutcome::Looked(holders))
                if self.journal.as_ref().is_some_and(|journal| journal.names.staging == *file) =>
            {
                // On Windows any process that has staging open, named or not, prevents its rename.
                self.staging_held = holders
                    .iter()
                    .any(|holder| holder.this_process || self.plan.platform == Platform::Windows);
            }
            (Op::LookCompanion { companion, .. }, OpOutcome::Companion(digest)) => {
                self.companions.insert(companion.clone(), digest);
            }
            (Op::BuildHost { .. }, OpOutcome::Built { expect, report }) => {
                if let Some(journal) = &self.journal {
                    let built = Journal { expect, report, ..journal.clone() };
                    if let Err(error) = built.to_readable_text() {
                        let message =
                            format!("the journal cannot hold what the build returned: {error}");
                        return self.handle_fault(&OpError::new(OpErrorKind::Host, message));
                    }
                    self.journal = Some(built);
                }
            }
            (op, _) if gives_v1_back(&self.plan, op) => self.v1_is = DataState::V1,
            _ => {}
        }
        // A journal is durable once the directory is flushed after the rename, and every plan
        // flushes right after it. The run counts the rename already: for an undo it is safer to
        // assume that the rename has reached the disk.
        if let (Op::Rename { to, .. }, Some(journal)) = (&op, &mut self.journal)
            && *to == PlanPath::from(&journal.file())
            && self.list == List::Steps
            && let Some(phase) =
                self.plan.steps[..self.index].iter().rev().find_map(|step| match &step.op {
                    Op::WriteJournal { phase, .. } => Some(*phase),
                    _ => None,
                })
        {
            journal.phase = phase;
            self.phase = Some(phase);
            self.events.push_back(Event::Phase { phase });
            if self.cancelled && phase == Phase::Built {
                self.refuse_abort();
            }
        }
        self.next();
    }

    fn warn_of_v1(&mut self, warnings: Vec<String>) {
        for warning in warnings {
            self.add_warning(Some("V1_VIOLATION"), warning, WarningFrom::Cutover);
        }
    }

    /// Warns of a file that the plan keeps under another name, so that a person finds it.
    fn tell_of_kept(&mut self, op: &Op) {
        let (Op::Link { from, to } | Op::Rename { from, to }) = op else { return };
        let why = self.steps().get(self.index).map(|step| step.why.clone()).unwrap_or_default();
        // A restore names the file of v2 in its result, so it does not warn.
        let code = if is_journal_aside(&from.name, &to.name) {
            "SET_ASIDE"
        } else if is_displaced(&from.name, &to.name) && !(self.restores() && to.companion.is_none())
        {
            "KEPT"
        } else {
            return;
        };
        let [path, kept] = [from, to].map(|at| self.path_of(at));
        let once = if to.companion.is_some() {
            format!("nothing in it is missing from {path}")
        } else if code == "SET_ASIDE" {
            "the database is as it should be".to_owned()
        } else if SIDECARS.iter().any(|suffix| to.name.as_str().ends_with(suffix)) {
            "the database that it stands beside is not needed".to_owned()
        } else {
            "no row in it is needed".to_owned()
        };
        let message = format!("{path} is kept as {kept}: {why}; it may be removed once {once}");
        self.add_warning(Some(code), message, WarningFrom::Cutover);
    }

    fn settled(&mut self, file: &FileName, facts: &FileFacts) {
        let Some(journal) = &mut self.journal else { return };
        // What an adoption settles becomes the backup.
        if (*file == journal.names.canonical || self.plan.kind == PlanKind::Adopt)
            && let Some(fingerprint) = facts.fingerprint()
        {
            let journal_mode =
                journal.v1.as_ref().map_or(JournalMode::Delete, |v1| v1.journal_mode);
            journal.v1 = Some(V1 { file_id: facts.file_id.clone(), fingerprint, journal_mode });
        }
    }
}

/// The error of a v2 whose pages cannot be copied into v1, because a connection keeps v1 in WAL
/// mode.
fn other_page_size(journal: &Journal, v2: &FileFacts) -> Option<OpError> {
    let (v1, header) = (&journal.v1.as_ref()?.fingerprint, v2.header.as_ref()?);
    (journal.strategy.copies_pages() && !v1.accepts_pages_of(header)).then(|| {
        let found = format!(
            "v2 has pages of {} bytes, the old database, which is open in WAL mode, has others",
            header.page_size
        );
        OpError::new(OpErrorKind::Verify, format!("{found}: keep those that staging has"))
    })
}
