//! What to do about a failure: one hint for each cause.

use super::Code;
use crate::fault::OpErrorKind;

/// The volume is full or the user's quota is used up, whatever the op is.
pub(super) fn no_space(cause: &OpErrorKind) -> (Code, &'static str) {
    let hint = match cause {
        OpErrorKind::Os { os } if os.code == "EDQUOT" => {
            "the disk quota of this user is used up: remove files that count to it, or have it \
             raised, and start again"
        }
        _ => "free some space on this volume and start again",
    };
    (Code::NoSpace, hint)
}

/// The file does not begin as a SQLite database does.
pub(super) const NO_HEADER: &str = "if the application encrypts it, leave it where it is and do not \
                                    upgrade it with cutover; else restore it from a backup, or \
                                    move it away to start with an empty one";

/// A program that has the database open would not be seen.
pub(super) const UNSEEN: &str = "start where other programs can be seen; or, if you know that none \
                                 has the database open, set the option `unseen` to \"proceed\": \
                                 what such a program commits during the upgrade would be lost";

/// The code of a cause, and its hint.
pub(super) fn of_cause(cause: &OpErrorKind, op: &str) -> (Code, &'static str) {
    match cause {
        OpErrorKind::Os { os } if op == "link" => (Code::Io, of_link(&os.code)),
        OpErrorKind::Os { os } | OpErrorKind::Denied { os } => (Code::Io, of_os(&os.code)),
        OpErrorKind::Busy | OpErrorKind::Held { .. } => {
            (Code::Held, "close the program that has the database open and start again")
        }
        OpErrorKind::V1Changed | OpErrorKind::CompanionChanged => (
            Code::Held,
            "another program writes to the database while it is upgraded; close it and start again",
        ),
        OpErrorKind::NotADatabase => (Code::NotADatabase, NO_HEADER),
        OpErrorKind::V1Corrupt => (
            Code::V1Corrupt,
            "the old database is damaged; restore it from a backup or recover it with sqlite3 .recover",
        ),
        OpErrorKind::Verify => {
            (Code::Verify, "correct what builds v2, and start again; the old database is unchanged")
        }
        OpErrorKind::StillOld => (
            Code::StillOld,
            "correct what builds v2, and start again: it does not set what detect looks for",
        ),
        OpErrorKind::Newer => (Code::Newer, "start the newer release of the application"),
        OpErrorKind::Host => {
            (Code::Host, "the cause is the application's own error; the old database is unchanged")
        }
        OpErrorKind::Sidecar => (
            Code::Held,
            "another program opened the database while it was upgraded; close it and start again",
        ),
        OpErrorKind::SecondName => {
            (Code::Io, "remove the other hard link of the database, and start again")
        }
        OpErrorKind::TemporaryFolder { full } => (
            if *full { Code::NoSpace } else { Code::Io },
            "set SQLITE_TMPDIR (or TMPDIR) to a folder with free space that this user can write to, \
             or make room in the folder that the message names, and start again",
        ),
        // It may lead to the only copy of rows.
        OpErrorKind::Irregular => {
            (Code::Io, "move it away, or put the file itself in its place, and start again")
        }
        // Also of the runner's own refusals, such as that of a companion that is too large.
        OpErrorKind::Sqlite => (Code::Io, "correct what the message says, then start again"),
        OpErrorKind::Aborted => (Code::Aborted, "start again to upgrade"),
    }
}

/// The hint of an adoption, where it differs.
pub(super) fn of_adoption(code: Code) -> Option<&'static str> {
    match code {
        Code::V1Corrupt => Some(
            "the backup was left as it is; take its rows out of a copy of it and its -wal and \
             -journal with sqlite3's .recover",
        ),
        Code::Held => Some("close the program that has the backup open, and try again"),
        Code::NoSpace => Some("free some space on this volume, and try again"),
        Code::Io => Some(
            "the backup was not removed; put in order what the message names, and try \
                          again",
        ),
        _ => None,
    }
}

/// The hint of a restore, where it differs.
pub(super) fn of_restore(code: Code) -> Option<&'static str> {
    match code {
        Code::Verify => Some("the backup is not sound; choose another one"),
        Code::V1Corrupt => Some(
            "if the backup is damaged, choose another one; if the database is, move it away, and copy \
             a backup to its name",
        ),
        Code::Held => {
            Some("close the program that has the database or the backup open, and try again")
        }
        Code::Aborted => Some("try again to restore"),
        _ => None,
    }
}

/// link(2) gives EPERM on a file system without hard links and for an immutable file. Linux gives
/// it also to a user who does not own the file (`protected_hardlinks`, proc(5)). EACCES is about
/// the directory.
fn of_link(code: &str) -> &'static str {
    match code {
        "EPERM" | "ENOTSUP" | "EINVAL" | "EMLINK" | "ENOSYS" => {
            "the file cannot get a hard link: move the database to a file system with hard links, \
             clear the immutable flag, or start as the user who owns the file"
        }
        code => of_os(code),
    }
}

fn of_os(code: &str) -> &'static str {
    match code {
        "EACCES" => "give this user the right to write to the file and its directory",
        "EPERM" => {
            "give this user the right to write to the file and its directory, and clear a read-only \
             or immutable flag on either"
        }
        "EROFS" => "the volume is read-only; make it writable or move the database",
        "EIO" => {
            "the disk reports an error; copy the database to a healthy disk before anything else"
        }
        "EBUSY" => {
            "the file is in use by the system (a mount point, or another program); free it and \
             start again"
        }
        "EMFILE" => {
            "this process has as many files open as it may; raise its limit (ulimit -n) or close \
             some, and start again"
        }
        "ENFILE" => "the system has as many files open as it can; close programs and start again",
        "EFBIG" => {
            "no file of this size is allowed here; move the database to a file system that takes \
             larger files (FAT32 ends at 4 GiB), or raise the limit of this process (ulimit -f)"
        }
        "EXDEV" | "ENOTSUP" | "EINVAL" | "EMLINK" => {
            "this file system does not support what the upgrade needs; move the database to a local disk"
        }
        _ => "start again; if it fails again, remove the cause that the system names",
    }
}
