//! Judges lines of a log: a short code, a message of cutover, or an error of another program. The
//! newest entry counts. No line proves that the data is safe.

use super::entries::{Entry, entries};
use super::errors::{self, Class, Found};
use super::{ASK, Diagnosis, Kind, Place, Safety, blank, unknown};
use cutover_core::{Code, Explanation, Platform, explain_error};

/// The most bytes that are searched at each end of a text: the newest entry is the last, or in an
/// export the first.
const MOST: usize = 256 << 10;
/// How many earlier errors are told.
const MOST_EARLIER: usize = 5;

pub(super) fn diagnose(text: &str) -> Diagnosis {
    let text = text.strip_prefix('#').unwrap_or(text);
    let bare = Code::ALL.iter().any(|code| text.split(':').next() == Some(code.as_str()));
    if let Some(explanation) = bare.then(|| explain_error(&format!("cutover:{text}"))).flatten() {
        return of_ours(text, explanation);
    }
    let platform = platform(text);
    let found: Vec<Diagnosis> = ends(text)
        .into_iter()
        .flat_map(entries)
        .filter_map(|entry| of_entry(&entry, platform))
        .collect();
    let Some((newest, earlier)) = found.split_last() else {
        return unknown("it holds no bundle, plan, journal or error that cutover knows");
    };
    let mut diagnosis = newest.clone();
    let mut told: Vec<String> = Vec::new();
    for other in earlier.iter().rev().filter_map(|other| other.explanation.as_ref()) {
        let name = other.os.as_deref().unwrap_or(other.code.as_str());
        let says = format!("Earlier it says {name}: {}", other.meaning);
        if told.len() < MOST_EARLIER && !told.contains(&says) {
            told.push(says);
        }
    }
    diagnosis.facts = told;
    diagnosis.with_reply()
}

/// The text, or of a long one its two ends.
fn ends(text: &str) -> Vec<&str> {
    if text.len() <= 2 * MOST {
        return vec![text];
    }
    let (mut first, mut last) = (MOST, text.len() - MOST);
    while !text.is_char_boundary(first) {
        first -= 1;
    }
    while !text.is_char_boundary(last) {
        last += 1;
    }
    vec![&text[..first], &text[last..]]
}

/// The system on which a text was written, by its paths. Error numbers differ.
fn platform(text: &str) -> Platform {
    let bytes = text.as_bytes();
    let drive = bytes
        .windows(3)
        .any(|three| three[0].is_ascii_alphabetic() && three[1] == b':' && three[2] == b'\\');
    // The texts of Windows are sentences, in every language.
    let sentence =
        [". (os error", "。 (os error", ".) (os error"].iter().any(|end| text.contains(end));
    if drive || sentence || text.contains("win32") {
        Platform::Windows
    } else if text.contains("/Users/") || text.contains("darwin") || text.contains("macOS") {
        Platform::Macos
    } else {
        Platform::Linux
    }
}

fn of_entry(entry: &Entry, platform: Platform) -> Option<Diagnosis> {
    match explain_error(&entry.text) {
        Some(explanation) => Some(of_ours(&entry.text, explanation)),
        None => errors::find(&entry.text, platform).map(foreign),
    }
}

fn of_ours(text: &str, explanation: Explanation) -> Diagnosis {
    let mut diagnosis = blank(Kind::Line, "");
    // Where the start that failed says that the data was.
    let said =
        [("; your data is untouched, in ", false), ("; your data is whole, upgraded, in ", true)]
            .into_iter()
            .find_map(|(words, v2)| {
                let rest = &text[text.find(words)? + words.len()..];
                Some((v2, rest.split(';').next()?.split(" [cutover:").next()?.trim().to_owned()))
            });
    diagnosis.because = format!(
        "{} After such a failure cutover promises this: {} The line alone does not prove it.",
        explanation.meaning, explanation.data
    );
    if matches!(explanation.code, Code::V1Corrupt | Code::NotADatabase) {
        diagnosis.safety = Safety::NotSafe;
        diagnosis.because = format!("{} {}", explanation.meaning, explanation.data);
    } else if let Some((v2, file)) = said {
        let says = format!("It was {file}, as the message says.");
        let here = Place { file: Some(file), says };
        if v2 { diagnosis.v2 = here } else { diagnosis.v1 = here }
    }
    diagnosis.next = match explanation.code {
        Code::Owned | Code::Held | Code::Newer | Code::Journal | Code::NoSpace => {
            "It refuses again until the cause is gone, and touches nothing."
        }
        Code::NotADatabase | Code::V1Corrupt => "It refuses, and touches nothing.",
        Code::Io | Code::Aborted => {
            "It finishes or undoes the upgrade that was begun, and tries again."
        }
        // `Host`, `Verify` and `StillOld`.
        _ => "It tries the upgrade again, and fails again until the cause is gone. v1 stays.",
    }
    .into();
    diagnosis.action.clone_from(&explanation.hint);
    diagnosis.explanation = Some(explanation);
    diagnosis.with_reply()
}

/// An error of another program.
fn foreign(found: Found) -> Diagnosis {
    let Found { class, name, op } = found;
    let (code, meaning, hint) = class.words();
    let mut diagnosis = blank(Kind::Line, "");
    diagnosis.because = format!("{meaning} The line does not say how far an upgrade had come.");
    if matches!(class, Class::Damaged | Class::NotADatabase) {
        diagnosis.safety = Safety::NotSafe;
        diagnosis.because = meaning.into();
    }
    diagnosis.next =
        "A release without cutover fails again. A release with cutover finds what the \
                      upgrade left, and finishes or undoes it."
            .into();
    diagnosis.action = format!("{hint} {ASK}");
    let data = "This error does not tell. Do not remove or rename a file by hand.".into();
    diagnosis.explanation = Some(Explanation {
        code,
        op,
        os: Some(name),
        meaning: meaning.into(),
        data,
        hint: hint.into(),
    });
    diagnosis.with_reply()
}
