//! Writes the reply to the customer: a person who knows nothing of databases, and whose application
//! does not start.
//!
//! The reply first says whether the data is safe, as far as that is known. Then it says what to do,
//! and then what to leave alone. It uses no word of cutover's own, and says *safe* only where that
//! is proven.

use super::errors::{Class, class_of};
use super::{Answer, Diagnosis, Kind, Safety};
use crate::next_start::{Canonical, Does};
use cutover_core::{Code, Explanation, FileName, PlanKind};

/// What a reply needs to know of a directory.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one fact of the directory, and they combine freely"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub canonical: FileName,
    pub is: Canonical,
    pub does: Does,
    /// The code with which the next start refuses.
    pub refusal: Option<Code>,
    /// The kind of the next start's plan.
    pub plan: Option<PlanKind>,
    /// Whether a program has the database open.
    pub held: bool,
    /// Whether all files of the directory are known.
    pub whole: bool,
    /// Whether a backup is whole.
    pub kept: bool,
    /// Whether the database may be a v1 that a restore put back.
    pub restored: bool,
    /// When the pages were read, in words. Nothing where that is now.
    pub at: Option<String>,
}

const SEND: &str = "Please close the application and send us a copy of the whole folder that your \
                    data is in. If you would rather not send your data: the command `npx cutover \
                    doctor <path of your data>` writes a report without it.";
const OR_SEND: &str = "If that does not help, please send us a copy of the whole folder that your \
                       data is in, or what the command `npx cutover doctor <path of your data>` \
                       writes: a report without your data.";
const ANSWER: &str =
    "We are looking into it. Until you have our answer there is nothing that you need to do.";
const COPY: &str = "Before anything else, please copy the whole folder that it is in to another \
                    disk or a USB stick.";

pub(super) fn reply(diagnosis: &Diagnosis, seen: Option<&Seen>) -> String {
    if diagnosis.kind == Kind::Plan {
        return format!("About the plan: {}\n\n{}", diagnosis.because, diagnosis.action);
    }
    let (opening, please) = match diagnosis.safety {
        Safety::Safe => safe(diagnosis, seen),
        Safety::NotSafe => not_safe(diagnosis, seen),
        Safety::CannotTell => cannot_tell(diagnosis, seen),
    };
    let name = seen.map_or_else(
        || "the file that your data is in".to_owned(),
        |seen| seen.canonical.to_string(),
    );
    let leave = match diagnosis.safety {
        Safety::NotSafe => {
            format!(
                "Please do not start the application until then, and do not delete, rename or \
                 move {name} or any file beside it."
            )
        }
        _ => format!(
            "Please do not delete, rename or move {name} or any file beside it: they belong \
             together."
        ),
    };
    [opening, please, leave].join("\n\n")
}

fn safe(diagnosis: &Diagnosis, seen: Option<&Seen>) -> (String, String) {
    const AGAIN: &str = "Please start the application again";
    const ELSE: &str = "If it does not start, send us the message that it shows.";
    // A message about damage no longer holds, because SQLite has read the database since.
    let damage = |explanation: &&Explanation| {
        matches!(explanation.code, Code::V1Corrupt | Code::NotADatabase)
    };
    let known = diagnosis.explanation.as_ref().filter(|of| !damage(of)).map(fix);
    let order =
        seen.map_or_else(String::new, |seen| format!(" {}, is in order.", file(Some(seen))));
    let (said, please) = match (known, seen) {
        (Some((why, please)), _) => (format!(" {why}"), please.to_owned()),
        (None, Some(Seen { does: Does::Refuse, refusal, .. })) => {
            let (_, please) = of_code(refusal.unwrap_or(Code::Journal), None, None);
            (
                " The application stops when it starts, so that nothing happens to it.".to_owned(),
                please.to_owned(),
            )
        }
        (None, Some(Seen { plan: Some(plan), .. })) => {
            let by_itself = match plan {
                PlanKind::Undo => "begins the upgrade anew",
                PlanKind::Finish | PlanKind::Clean => "finishes the upgrade",
                _ => "takes care of that",
            };
            (
                format!("{order} Its upgrade was interrupted."),
                format!("{AGAIN}: it {by_itself} by itself. {ELSE}"),
            )
        }
        (None, Some(Seen { restored: true, .. })) => (
            format!("{order} It may be as it was before the upgrade."),
            "Please do not start a newer version of the application before you have our answer: \
             it would upgrade your data again."
                .to_owned(),
        ),
        (None, Some(Seen { is: Canonical::V2, .. })) => {
            (format!("{order} It has been upgraded."), format!("{AGAIN}. {ELSE}"))
        }
        (None, _) => (order, format!("{AGAIN}. {ELSE}")),
    };
    let safe = seen.and_then(|seen| seen.at.as_ref()).map_or_else(
        || "Your data is safe.".to_owned(),
        |at| format!("Your data was safe on {at}, when the report was made."),
    );
    (format!("{safe}{said}"), please)
}

fn not_safe(diagnosis: &Diagnosis, seen: Option<&Seen>) -> (String, String) {
    let known = diagnosis.explanation.as_ref().map(|explanation| explanation.code);
    let wrong = match (seen, known) {
        (Some(Seen { is: Canonical::Missing, kept: true, .. }), _) => {
            "is missing. Your data as it was before the upgrade is still there, in another file."
        }
        (Some(Seen { is: Canonical::Missing, .. }), _) => {
            "is missing. Other files may hold some or all of your data."
        }
        _ if diagnosis.intact.answer == Answer::Yes => {
            "can be read, but some or all of your data is not in it."
        }
        (Some(Seen { is: Canonical::NotADatabase, .. }), _) | (None, Some(Code::NotADatabase)) => {
            "holds something else now, or cannot be read."
        }
        _ => "is damaged or incomplete. Much or all of it may still be readable.",
    };
    let comma = if seen.is_some() { "," } else { "" };
    let opening = format!("Something is wrong with your data. {}{comma} {wrong}", file(seen));
    (opening, format!("{COPY} Then tell us; we will tell you how to go on."))
}

/// Names the file at the beginning of a sentence.
fn file(seen: Option<&Seen>) -> String {
    seen.map_or_else(
        || "The file that it is in".to_owned(),
        |seen| format!("The file that it is in, {}", seen.canonical),
    )
}

fn cannot_tell(diagnosis: &Diagnosis, seen: Option<&Seen>) -> (String, String) {
    const YET: &str = "We cannot tell yet whether all of your data is there.";
    let with = |said: &str, please: &str| {
        (format!("{YET} {said}").trim_end().to_owned(), please.to_owned())
    };
    if let (Some(explanation), Kind::Line) = (&diagnosis.explanation, diagnosis.kind) {
        let (why, please) = fix(explanation);
        let alone = "The message that you sent says nothing of lost data.";
        // The customer can try something first.
        let please = if please.contains("start") {
            format!("{please} {OR_SEND}")
        } else {
            please.to_owned()
        };
        return with(&format!("{alone} {why}"), &please);
    }
    match seen {
        Some(Seen { held: true, .. }) => {
            let close = "Please close the application; if you are not sure that it is closed, \
                         restart the computer and do not open the application. Then send us a new \
                         report.";
            with("The application was open when we looked.", close)
        }
        Some(Seen { does: Does::Recover, .. }) => {
            let go_on = "Then install the newest version of the application and start it; it goes \
                         on by itself. If it does not start, send us the message that it shows.";
            with(
                "Its upgrade was interrupted, and what there is looks as if that can be finished \
                 or taken back.",
                &format!("{COPY} {go_on}"),
            )
        }
        Some(Seen { does: Does::Refuse, refusal, .. }) => {
            let (why, please) = of_code(refusal.unwrap_or(Code::Journal), None, None);
            with(why, please)
        }
        Some(Seen { is: Canonical::Missing, .. }) => with(
            "There is no file with data in what you sent.",
            &format!("{SEND} If it is another folder that your data is in, please send that one."),
        ),
        Some(Seen { whole: true, .. }) if diagnosis.kind == Kind::Folder => {
            with("What you sent looks right so far.", ANSWER)
        }
        Some(_) => with("What you sent looks right so far.", SEND),
        None if diagnosis.kind == Kind::Bundle => {
            with("We could not read the report that you sent.", ANSWER)
        }
        None => with("What you sent does not say.", SEND),
    }
}

/// What happened, and what the customer can do.
fn fix(explanation: &Explanation) -> (&'static str, &'static str) {
    of_code(explanation.code, explanation.op.as_deref(), explanation.os.as_deref())
}

fn of_code(code: Code, op: Option<&str>, os: Option<&str>) -> (&'static str, &'static str) {
    const FULL: (&str, &str) = (
        "The disk is full.",
        "Please free some space on the disk that your data is on, and start the application again.",
    );
    const IN_USE: (&str, &str) = (
        "Another program is using the file that your data is in, or keeps the application from \
         changing it.",
        "Please close other programs that may use it, such as a backup, a cloud folder or a virus \
         scanner, or restart the computer. Then start the application again.",
    );
    match (code, os.and_then(class_of)) {
        (Code::Owned, _) => (
            "The application seems to be open already, perhaps without a window.",
            "Please use the one that is open, or restart the computer and start the application \
             once.",
        ),
        (_, Some(Class::NoAddon)) => (
            "A part of the application is missing or does not fit this computer.",
            "Please install the application again, in the version for this computer, and start \
             it.",
        ),
        (Code::NoSpace, _) | (Code::Io, Some(Class::NoSpace)) => FULL,
        (Code::Io, Some(Class::Denied)) if matches!(op, Some("fsync" | "fdatasync")) => (
            "It is a known fault of the version that you have.",
            "Please install the newest version of the application and start it; it goes on by \
             itself.",
        ),
        (Code::Held, _) | (Code::Io, Some(Class::Denied | Class::InUse)) => IN_USE,
        (Code::Io, Some(Class::ReadOnly)) => (
            "The disk that your data is on cannot be written to.",
            "Please make it writable, and start the application again.",
        ),
        (Code::Io, Some(Class::TooLarge)) => (
            "The disk that your data is on, or a limit of the computer, does not allow a file of \
             that size.",
            "Please send us the whole message.",
        ),
        (Code::Io, Some(Class::Disk | Class::Io)) => (
            "The disk that your data is on reports an error, and may be failing.",
            "Before anything else, please copy the whole folder that your data is in to another \
             disk or a USB stick, and tell us.",
        ),
        (Code::Io, Some(Class::Missing)) => (
            "A file or a folder that the application needs was not found.",
            "Please look whether the disk that your data is on is connected, and start the \
             application again.",
        ),
        (Code::Io, _) => (
            "The computer reported an error while a file was read or written.",
            "Please restart the computer and start the application again. If it happens again, \
             send us the whole message.",
        ),
        (Code::Newer, _) => (
            "It was saved by a newer version of the application.",
            "Please install the newest version of the application and start it.",
        ),
        (Code::Journal, _) => (
            "An earlier upgrade was interrupted, and this version of the application does not \
             know how to go on.",
            "Please install the newest version of the application and start it. If it does not \
             start, send us the message that it shows.",
        ),
        (Code::Aborted, _) => ("The upgrade was stopped.", "Please start the application again."),
        (Code::NotADatabase | Code::V1Corrupt, _) => {
            ("The file that your data is in cannot be read as it should.", COPY)
        }
        // `Host`, `Verify` and `StillOld`: a test fails where another code ends here.
        _ => (
            "The upgrade did not succeed: the fault is in the application, and not in anything \
             that you did.",
            ANSWER,
        ),
    }
}
