//! Judges a line of a log: a short code, a message of cutover, or an error as Node and Bun print
//! it.

use super::{ASK, Diagnosis, Kind, Place, Safety, blank, unknown};
use cutover_core::{Code, Explanation, explain_error};
use std::collections::BTreeSet;

/// The most bytes of a text that are searched.
const MOST: usize = 256 << 10;

pub(super) fn diagnose(text: &str) -> Diagnosis {
    let text = text.strip_prefix('#').unwrap_or(text);
    // The end of a log tells what happened last.
    let mut begin = text.len().saturating_sub(MOST);
    while !text.is_char_boundary(begin) {
        begin += 1;
    }
    let text = &text[begin..];
    let code = Code::ALL.iter().find(|code| text.split(':').next() == Some(code.as_str()));
    let bare = || code.and_then(|_| explain_error(&format!("cutover:{text}")));
    let ours = explain_error(text).or_else(bare);
    match ours {
        Some(explanation) => of_ours(text, explanation),
        None => foreign(text).unwrap_or_else(|| {
            unknown("it holds no bundle, plan, journal or error that cutover knows")
        }),
    }
}

fn of_ours(text: &str, explanation: Explanation) -> Diagnosis {
    let mut diagnosis = blank(Kind::Line, "");
    // A message of cutover says where the data is only if the start had looked.
    let said = [("; your data is whole in ", false), ("; your data is whole, upgraded, in ", true)]
        .into_iter()
        .find_map(|(words, v2)| {
            let rest = &text[text.find(words)? + words.len()..];
            Some((v2, rest.split(';').next()?.split(" [cutover:").next()?.trim().to_owned()))
        });
    let damaged = matches!(explanation.code, Code::V1Corrupt | Code::NotADatabase);
    match said {
        Some((v2, file)) if !damaged && text.contains("[cutover:") => {
            diagnosis.safety = Safety::Safe;
            diagnosis.because = format!(
                "The start that failed had looked, and says that the data is whole in {file}."
            );
            let here = Place { file: Some(file.clone()), says: format!("It is {file}, whole.") };
            if v2 { diagnosis.v2 = here } else { diagnosis.v1 = here }
        }
        _ if damaged => {
            diagnosis.safety = Safety::NotSafe;
            diagnosis.because = format!("{} {}", explanation.meaning, explanation.data);
        }
        _ => {
            diagnosis.because = format!(
                "{} After such a failure cutover promises this: {} The line alone does not prove it.",
                explanation.meaning, explanation.data
            );
        }
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

/// An error of the operating system as Node, Bun and libuv print it: `EPERM: operation not
/// permitted, fsync 'C:\…'`.
fn foreign(text: &str) -> Option<Diagnosis> {
    const KNOWN: [(&str, &[&str], &str, &str); 6] = [
        (
            "EPERM",
            &["fsync", "fdatasync"],
            "Windows flushes a file only through a handle that may write, and this handle could only \
             read. This is the known fault of a release without cutover, which stops every start \
             that finds an old database.",
            "Install the release that upgrades with cutover. It finishes or undoes what that start \
             began.",
        ),
        (
            "EPERM",
            &["rename", "unlink", "copyfile"],
            "A program has the file open. That may be the application itself, with a leaked \
             connection. Or the user may not write to the folder.",
            "Close the application and other programs that read the folder, such as an indexer, a \
             backup or a virus scanner. Then start the release that upgrades with cutover.",
        ),
        (
            "EBUSY",
            &["rename", "unlink", "copyfile", "open", "rm"],
            "A program has the file open. That may be the application itself, with a leaked \
             connection.",
            "Close the application and other programs that read the folder. Then start the release \
             that upgrades with cutover.",
        ),
        ("ENOSPC", &[], "The volume is full.", "Free some space on the volume, and start again."),
        (
            "EROFS",
            &[],
            "The volume is read-only.",
            "Make the volume writable, or move the database to one that is.",
        ),
        ("EIO", &[], "The disk reports an error.", "First copy the folder to a healthy disk."),
    ];
    let known = |word: &&str| KNOWN.iter().any(|(os, ops, _, _)| word == os || ops.contains(word));
    let words: BTreeSet<&str> =
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(known).collect();
    let fits = |ops: &[&str]| ops.is_empty() || ops.iter().any(|op| words.contains(op));
    let (os, ops, meaning, hint) =
        KNOWN.into_iter().find(|(os, ops, _, _)| words.contains(os) && fits(ops))?;
    let op = ops.iter().find(|op| words.contains(*op)).map(|op| (*op).to_owned());
    let mut diagnosis = blank(Kind::Line, "");
    diagnosis.because = format!("{meaning} The line does not say how far the upgrade had come.");
    diagnosis.next =
        "A release without cutover fails again. A release with cutover finds what the \
                      upgrade left, and finishes or undoes it."
            .into();
    diagnosis.action = format!("{hint} {ASK}");
    let data = "This error does not tell. Do not remove or rename a file by hand.".into();
    diagnosis.explanation = Some(Explanation {
        code: Code::Io,
        op,
        os: Some(os.into()),
        meaning: meaning.into(),
        data,
        hint: hint.into(),
    });
    Some(diagnosis.with_reply())
}
