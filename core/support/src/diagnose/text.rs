//! Judges a text: a bundle, a plan, a journal, a receipt, lines of a log, or a mail with some of
//! them in it.

use serde::Deserialize;

use super::embedded::{self, Embedded, Form};
use super::merge::Piece;
use super::{ASK, Diagnosis, Kind, MAX_TEXT, Place, Safety, blank, judge, log_line, unknown};
use crate::bundle::Given;
use crate::date::date;
use cutover_core::{FileName, Journal, LegacyJournal, Plan, ReadError, Receipt, counted, validate};

/// The pieces of evidence in a text. `name`: the text's own, for the person.
pub(super) fn pieces(name: &str, text: &str) -> Vec<Piece> {
    if text.len() > MAX_TEXT {
        let why = format!("it has {} bytes; at most {MAX_TEXT} are read", text.len());
        return vec![damaged(name, unknown(&why))];
    }
    let trimmed = text.trim_start_matches('\u{feff}').trim();
    if trimmed.starts_with('{') {
        match Form::of(trimmed) {
            Ok(Some(form)) => return vec![of_form(name, form, trimmed)],
            // A text that is cut short is not judged by its rest: the missing part could change the
            // answer.
            Err(error) if error.is_eof() => {
                let why = format!("it begins as JSON and is cut short ({error})");
                return vec![damaged(name, unknown(&why))];
            }
            Ok(None) | Err(_) => {}
        }
    }
    let Embedded { texts, rest, is_damaged } = embedded::find(trimmed);
    let mut pieces: Vec<Piece> =
        texts.iter().map(|(form, text)| of_form(name, *form, text)).collect();
    if is_damaged {
        let mut diagnosis = blank(
            Kind::Bundle,
            "There seems to be a bundle in it that is damaged or cut short, as a mail or a chat \
             does it. What it says is not judged by what is left of it.",
        );
        diagnosis.action = format!("Ask for the bundle as a file. {ASK}");
        pieces.push(damaged(name, diagnosis.with_reply()));
    }
    pieces.push(Piece::of(name, log_line::diagnose(&rest)));
    pieces
}

fn damaged(name: &str, diagnosis: Diagnosis) -> Piece {
    Piece { is_damaged: true, ..Piece::of(name, diagnosis) }
}

fn of_form(name: &str, form: Form, text: &str) -> Piece {
    let diagnosis = match form {
        Form::Bundle => match Given::parse(text) {
            Ok(bundle) => {
                let told = format!("the bundle of {}", date(bundle.made.at_ms));
                let diagnosis = judge::bundle(&bundle);
                return Piece { known: Some(bundle.into()), ..Piece::of(&told, diagnosis) };
            }
            Err(error) => return damaged(name, unreadable(Kind::Bundle, "bundle", &error)),
        },
        Form::Plan => match Plan::parse(text) {
            Ok(plan) => of_plan(plan),
            Err(error) => {
                let mut diagnosis = unreadable(Kind::Plan, "plan", &error);
                if !matches!(error, ReadError::TooNew { .. }) {
                    diagnosis.safety = Safety::NotSafe;
                    diagnosis.findings = cutover_core::validate_text(text, None);
                    diagnosis.action =
                        "Do not perform the plan. Make it anew with this release.".into();
                }
                diagnosis.with_reply()
            }
        },
        Form::Journal => of_journal(text),
        Form::Receipt => match Receipt::parse(text) {
            Ok(receipt) => of_receipt(&receipt),
            Err(error) => unreadable(Kind::Receipt, "receipt", &error),
        },
    };
    Piece::of(name, diagnosis)
}

fn unreadable(kind: Kind, what: &str, error: &ReadError) -> Diagnosis {
    let mut diagnosis = blank(kind, &format!("The {what} cannot be read: {error}."));
    if let ReadError::TooNew { .. } = error {
        diagnosis.because = format!("A newer release wrote this {what}: {error}.");
        diagnosis.action = "Open it with the newer release of this page.".into();
    }
    diagnosis.with_reply()
}

fn of_plan(plan: Plan) -> Diagnosis {
    let findings = validate(&plan, None);
    let mut diagnosis = blank(Kind::Plan, "");
    if findings.is_empty() {
        diagnosis.safety = Safety::Safe;
        diagnosis.because = "A start recovers from a crash before, in or after each step of \
                             this plan. The plan does not tell what is in a database."
            .into();
        diagnosis.action =
            "The plan can be performed. `runPlan` first compares it with the directory once more."
                .into();
    } else {
        diagnosis.safety = Safety::NotSafe;
        diagnosis.because = format!(
            "The plan has {}. If it is performed, a crash could lose rows or block every start.",
            counted(findings.len() as u64, "finding")
        );
        diagnosis.action =
            "Do not perform the plan. Make it anew with this release; `runPlan` refuses this one."
                .into();
    }
    diagnosis.next =
        "No start performs this plan. A program performs it by calling `runPlan`.".into();
    diagnosis.findings = findings;
    diagnosis.plan = Some(plan);
    diagnosis.with_reply()
}

fn of_journal(text: &str) -> Diagnosis {
    #[derive(Deserialize)]
    struct Names {
        canonical: FileName,
    }
    #[derive(Deserialize)]
    struct Ours {
        names: Option<Names>,
        source: Option<String>,
    }
    let seen: serde_json::Result<Ours> = serde_json::from_str(text);
    let mut diagnosis = blank(Kind::Journal, "");
    let (phase, staged, names) = match seen {
        Ok(Ours { names: Some(Names { canonical }), .. }) => match Journal::parse(text, &canonical)
        {
            Ok(journal) => (journal.phase.as_str(), journal.names.install.clone(), journal.names),
            Err(error) => return unreadable(Kind::Journal, "journal", &error),
        },
        Ok(Ours { source: Some(source), .. }) => {
            let bare = source.rsplit(['/', '\\']).next().unwrap_or_default();
            let journal = FileName::new(bare)
                .map_err(ReadError::from)
                .and_then(|name| LegacyJournal::parse(text, &name));
            match journal {
                Ok(journal) => {
                    (journal.phase.as_str(), journal.names.staging.clone(), journal.names)
                }
                Err(error) => return unreadable(Kind::Journal, "journal", &error),
            }
        }
        Ok(_) => {
            return unreadable(
                Kind::Journal,
                "journal",
                &ReadError::Contradiction("it names no database".into()),
            );
        }
        Err(error) => return unreadable(Kind::Journal, "journal", &error.into()),
    };
    diagnosis.because = format!(
        "An upgrade of {} was interrupted in the phase {phase}. The files beside the journal \
         decide what follows, and only the folder shows them.",
        names.canonical
    );
    diagnosis.v1 = Place {
        file: None,
        says: format!("It is in {} or in {}, or in both.", names.canonical, names.backup),
    };
    diagnosis.v2 = match phase {
        "building" => Place {
            file: None,
            says: "It is not complete. The next start removes its files.".into(),
        },
        "committed" => Place {
            file: Some(names.canonical.to_string()),
            says: format!("It is {}, durably, as the journal says.", names.canonical),
        },
        _ => Place {
            file: None,
            says: format!("It is complete, in {staged} or already in {}.", names.canonical),
        },
    };
    diagnosis.next = match phase {
        "building" => "It undoes the upgrade, so that v1 is as it was before, and begins again.",
        "committed" => "It removes the files that the upgrade left, and opens v2.",
        _ => "It goes on where the upgrade stopped, or undoes it. The files that it finds decide.",
    }
    .into();
    diagnosis.with_reply()
}

fn of_receipt(receipt: &Receipt) -> Diagnosis {
    let mut diagnosis = blank(Kind::Receipt, "");
    let size = receipt
        .v1
        .as_ref()
        .map_or_else(String::new, |v1| format!(" of {} bytes", v1.fingerprint.size));
    diagnosis.because = format!(
        "The receipt says that {} was upgraded ({}), and that v1 was kept. Only the folder shows \
         whether both files exist.",
        receipt.canonical, receipt.label
    );
    diagnosis.v1 = Place {
        file: Some(receipt.backup.to_string()),
        says: format!("It was kept as {}{size}.", receipt.backup),
    };
    diagnosis.v2 = Place {
        file: Some(receipt.canonical.to_string()),
        says: format!("It became {}.", receipt.canonical),
    };
    diagnosis.facts = receipt
        .warnings
        .iter()
        .map(|warning| format!("That upgrade warned: {}", warning.message))
        .collect();
    diagnosis.with_reply()
}
