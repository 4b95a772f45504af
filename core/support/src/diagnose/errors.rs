//! The errors that other programs print: of SQLite, by code, number or text; of the operating
//! system, by name or by number, so that the language of the text does not matter; of Windows'
//! event log; and of a missing addon.

use super::errno;
use cutover_core::{Code, Platform};

/// An error of the disk itself.
const DISK: &str = "DISK";
/// The addon of the application's cutover does not load.
const NO_ADDON: &str = "CUTOVER_NO_ADDON";

const WINDOWS_ERROR: &str = "Windows error ";

/// What an error means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Damaged,
    NotADatabase,
    NoSpace,
    InUse,
    KnownFault,
    Denied,
    ReadOnly,
    Disk,
    TooLarge,
    TooManyOpen,
    Missing,
    Network,
    Memory,
    NoAddon,
    /// SQLite could not read or write, and does not say why.
    Io,
    /// SQLite refused what the application asked for.
    Application,
    /// The name or number alone.
    Other,
}

/// An error that was found in a text.
pub(super) struct Found {
    pub class: Class,
    /// The name or number, as a person can look it up.
    pub name: String,
    pub op: Option<String>,
}

impl Class {
    /// The kind of failure, what it means, and what to do.
    pub fn words(self) -> (Code, &'static str, &'static str) {
        const CLOSE: &str = "Close the application and other programs that read the folder, such as \
                             an indexer, a backup or a virus scanner. Then start the release that \
                             upgrades with cutover.";
        match self {
            Self::Damaged => (
                Code::V1Corrupt,
                "SQLite met a damaged page in a database. The line does not prove in which.",
                "First copy the file and its -wal and -journal to another place.",
            ),
            Self::NotADatabase => (
                Code::NotADatabase,
                "SQLite was given a file that is not a database, or is encrypted, or was \
                 overwritten. The line does not prove which file.",
                "First copy the folder to another place.",
            ),
            Self::NoSpace => {
                (Code::Io, "The volume is full.", "Free some space on the volume, and start again.")
            }
            Self::InUse => (
                Code::Io,
                "A program has the file open. That may be the application itself, with a leaked \
                 connection.",
                CLOSE,
            ),
            Self::KnownFault => (
                Code::Io,
                "Windows flushes a file only through a handle that may write, and this handle could \
                 only read. This is the known fault of a release without cutover, which stops every \
                 start that finds an old database.",
                "Install the release that upgrades with cutover. It finishes or undoes what that \
                 start began.",
            ),
            Self::Denied => (
                Code::Io,
                "A program has the file open, or this user may not write to the file or its folder.",
                CLOSE,
            ),
            Self::ReadOnly => (
                Code::Io,
                "The volume, the folder or the file is read-only.",
                "Make it writable, or move the database to a volume that is.",
            ),
            Self::Disk => {
                (Code::Io, "The disk reports an error.", "First copy the folder to a healthy disk.")
            }
            Self::TooLarge => (
                Code::Io,
                "The volume, or a limit of the system, does not allow a file of that size.",
                "Move the database to a volume that does. FAT32 allows 4 GB.",
            ),
            Self::TooManyOpen => (
                Code::Io,
                "A program has reached the limit of open files.",
                "Restart the computer, or raise the limit.",
            ),
            Self::Missing => (
                Code::Io,
                "A file or folder was not found.",
                "Look whether the folder was moved, renamed or removed, and whether its disk is \
                 connected.",
            ),
            Self::Network => (
                Code::Io,
                "A connection over the network failed. It says nothing of the data, unless the \
                 database is on a network drive.",
                "If it is, move the database to a disk of the computer.",
            ),
            Self::Memory => (
                Code::Io,
                "The system had no memory left.",
                "Close other programs, or restart the computer.",
            ),
            Self::NoAddon => (
                Code::Io,
                "The application's addon of cutover is missing, or does not fit this system. The \
                 upgrade did not begin.",
                "Install the release of the application that is for this system and processor.",
            ),
            Self::Io => (
                Code::Io,
                "SQLite could not read or write a file. Usual causes are a failing disk, a disk \
                 that was removed, and a network drive.",
                "First copy the folder to a healthy disk of the computer.",
            ),
            Self::Application => (
                Code::Host,
                "SQLite refused what the application asked of it.",
                "Send the whole message to the application's author.",
            ),
            Self::Other => (
                Code::Io,
                "The system refused an operation.",
                "Look up the name or number in the message.",
            ),
        }
    }
}

/// What an error of this name means. The reply to the customer goes by it.
pub(super) fn class_of(name: &str) -> Option<Class> {
    if name == NO_ADDON {
        Some(Class::NoAddon)
    } else if name == DISK {
        Some(Class::Disk)
    } else if let Some(code) = name.strip_prefix("SQLITE_") {
        class_of_sqlite(code)
    } else if let Some(number) = name.strip_prefix(WINDOWS_ERROR) {
        let number: i64 = number.parse().ok()?;
        WINDOWS.iter().find(|(of, _)| *of == number).map(|(_, class)| *class)
    } else {
        errno::is_name(name).then(|| class_of_name(name))
    }
}

/// Finds an error in one entry of a log.
pub(super) fn find(entry: &str, platform: Platform) -> Option<Found> {
    if let Some(addon) = no_addon(entry) {
        return Some(addon);
    }
    let sqlite = sqlite_code(entry).or_else(|| sqlite_number(entry)).or_else(|| sqlite_text(entry));
    // The system's error tells more than SQLite's "disk I/O error".
    match sqlite {
        Some(found) if found.class != Class::Io => Some(found),
        io => system_name(entry).or_else(|| system_number(entry, platform)).or(io),
    }
    .or_else(|| event(entry))
}

fn no_addon(entry: &str) -> Option<Found> {
    const SIGNS: [&str; 5] = [
        NO_ADDON,
        "cutover has no addon for",
        "Cannot find module 'cutover-",
        "Cannot find package 'cutover-",
        "ERR_DLOPEN_FAILED",
    ];
    let is_it = SIGNS.iter().any(|sign| entry.contains(sign))
        || entry.contains("NODE_MODULE_VERSION") && entry.contains("cutover");
    is_it.then(|| Found { class: Class::NoAddon, name: NO_ADDON.into(), op: None })
}

fn words(entry: &str) -> impl Iterator<Item = &str> {
    entry.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// The primary result codes of SQLite in the order of their numbers: <https://sqlite.org/rescode.html>.
const PRIMARY: [&str; 29] = [
    "OK",
    "ERROR",
    "INTERNAL",
    "PERM",
    "ABORT",
    "BUSY",
    "LOCKED",
    "NOMEM",
    "READONLY",
    "INTERRUPT",
    "IOERR",
    "CORRUPT",
    "NOTFOUND",
    "FULL",
    "CANTOPEN",
    "PROTOCOL",
    "EMPTY",
    "SCHEMA",
    "TOOBIG",
    "CONSTRAINT",
    "MISMATCH",
    "MISUSE",
    "NOLFS",
    "AUTH",
    "FORMAT",
    "RANGE",
    "NOTADB",
    "NOTICE",
    "WARNING",
];

fn class_of_sqlite(code: &str) -> Option<Class> {
    let primary = code.split('_').next()?;
    Some(match (primary, code) {
        (_, "IOERR_CORRUPTFS" | "IOERR_DATA") => Class::Damaged,
        // A virtual table's own index is no damage of pages.
        (_, "CORRUPT_VTAB") => Class::Application,
        (_, "IOERR_NOMEM") | ("NOMEM", _) => Class::Memory,
        (_, "IOERR_LOCK" | "IOERR_BLOCKED") | ("BUSY" | "LOCKED" | "PROTOCOL", _) => Class::InUse,
        ("CORRUPT", _) => Class::Damaged,
        ("NOTADB" | "FORMAT", _) => Class::NotADatabase,
        ("FULL", _) => Class::NoSpace,
        ("READONLY", _) => Class::ReadOnly,
        ("PERM", _) => Class::Denied,
        ("TOOBIG" | "NOLFS", _) => Class::TooLarge,
        ("IOERR" | "CANTOPEN", _) => Class::Io,
        // They say that all is well, or only note something.
        ("OK" | "ROW" | "DONE" | "NOTICE" | "WARNING", _) => return None,
        (primary, _) if PRIMARY.contains(&primary) => Class::Application,
        _ => return None,
    })
}

fn of_sqlite(code: &str) -> Option<Found> {
    let class = class_of_sqlite(code)?;
    Some(Found { class, name: format!("SQLITE_{code}"), op: None })
}

fn sqlite_code(entry: &str) -> Option<Found> {
    words(entry).find_map(|word| of_sqlite(word.strip_prefix("SQLITE_")?))
}

/// The number behind a mark, in decimal, with a sign or not.
fn number_behind(entry: &str, mark: &str) -> Option<i64> {
    let lower = entry.to_ascii_lowercase();
    let at = lower.find(mark)? + mark.len();
    let rest = lower.get(at..)?.trim_start_matches([' ', ':', '=', '#', '(', '"', '\'']);
    let end = rest
        .char_indices()
        .find(|(at, c)| !(c.is_ascii_digit() || *at == 0 && *c == '-'))
        .map_or(rest.len(), |(at, _)| at);
    rest.get(..end)?.parse().ok()
}

/// As rusqlite, .NET, GRDB, Android and `node:sqlite` print it.
fn sqlite_number(entry: &str) -> Option<Found> {
    let lower = entry.to_ascii_lowercase();
    let marks: &[&str] = if lower.contains("sqlite") {
        &["sqlite error", "errcode", "error code", "(code", "resultcode"]
    } else {
        &["errcode"]
    };
    let number = marks.iter().find_map(|mark| number_behind(entry, mark))?;
    let code = usize::try_from(number & 0xff).ok().filter(|_| number > 0)?;
    of_sqlite(PRIMARY.get(code)?)
}

/// SQLite's own texts, which are not translated: `sqlite3ErrStr` in main.c.
const TEXTS: [(&str, &str); 14] = [
    ("database disk image is malformed", "CORRUPT"),
    ("malformed database schema", "CORRUPT"),
    ("file is not a database", "NOTADB"),
    ("file is encrypted or is not a database", "NOTADB"),
    ("database or disk is full", "FULL"),
    ("database is locked", "BUSY"),
    ("database table is locked", "LOCKED"),
    ("attempt to write a readonly database", "READONLY"),
    ("unable to open database file", "CANTOPEN"),
    ("disk i/o error", "IOERR"),
    ("locking protocol", "PROTOCOL"),
    ("large file support is disabled", "NOLFS"),
    ("constraint failed", "CONSTRAINT"),
    ("no such table", "ERROR"),
];

fn sqlite_text(entry: &str) -> Option<Found> {
    let lower = entry.to_ascii_lowercase();
    let (_, code) = TEXTS.into_iter().find(|(text, _)| lower.contains(text))?;
    of_sqlite(code)
}

fn class_of_name(name: &str) -> Class {
    match name {
        "ENOSPC" | "EDQUOT" => Class::NoSpace,
        "EROFS" => Class::ReadOnly,
        "EIO" | "ENXIO" | "ENODEV" | "EREMOTEIO" | "EUCLEAN" | "ENOMEDIUM" | "EMEDIUMTYPE"
        | "EBADMSG" | "EDEVERR" | "EPWROFF" | "EHWPOISON" => Class::Disk,
        "EPERM" | "EACCES" | "EAUTH" | "ENEEDAUTH" => Class::Denied,
        "EBUSY" | "ETXTBSY" | "EAGAIN" | "EWOULDBLOCK" | "EDEADLK" | "EDEADLOCK" | "ENOLCK" => {
            Class::InUse
        }
        "EMFILE" | "ENFILE" => Class::TooManyOpen,
        "EFBIG" | "EOVERFLOW" | "E2BIG" => Class::TooLarge,
        "ENOENT" | "ENOTDIR" => Class::Missing,
        "ENOMEM" | "ENOBUFS" => Class::Memory,
        "ESTALE" | "ETIMEDOUT" | "ENETDOWN" | "ENETUNREACH" | "ENETRESET" | "ENONET"
        | "EHOSTDOWN" | "EHOSTUNREACH" | "ECONNABORTED" | "ECONNRESET" | "ECONNREFUSED"
        | "ENOTCONN" | "ESHUTDOWN" | "EREMOTE" | "ENOLINK" | "ECOMM" | "EADDRINUSE"
        | "EADDRNOTAVAIL" => Class::Network,
        _ => Class::Other,
    }
}

const FLUSHES: [&str; 2] = ["fsync", "fdatasync"];
const MOVES: [&str; 6] = ["rename", "unlink", "copyfile", "open", "rm", "rmdir"];

/// An error as Node, Bun, Python and Go print it: `EPERM: operation not permitted, fsync`.
fn system_name(entry: &str) -> Option<Found> {
    let name = words(entry).find(|word| errno::is_name(word))?;
    Some(named(name.to_owned(), class_of_name(name), entry))
}

fn named(name: String, class: Class, entry: &str) -> Found {
    let op = |ops: &[&str]| words(entry).find(|word| ops.contains(word)).map(str::to_owned);
    match class {
        Class::Denied => match (op(&FLUSHES), op(&MOVES)) {
            (flush @ Some(_), _) => Found { class: Class::KnownFault, name, op: flush },
            (None, moved) => Found { class, name, op: moved },
        },
        class => Found { class, name, op: op(&MOVES) },
    }
}

/// Numbers of Windows that have no POSIX name: "System Error Codes" of its documentation.
const WINDOWS: [(i64, Class); 41] = [
    (8, Class::Memory),
    (14, Class::Memory),
    (21, Class::Disk),
    (23, Class::Disk),
    (25, Class::Disk),
    (27, Class::Disk),
    (31, Class::Disk),
    (38, Class::Disk),
    (53, Class::Network),
    (59, Class::Network),
    (65, Class::Denied),
    (67, Class::Network),
    (110, Class::Missing),
    (126, Class::NoAddon),
    (127, Class::NoAddon),
    (193, Class::NoAddon),
    (225, Class::Denied),
    (226, Class::Denied),
    (362, Class::Missing),
    (389, Class::Missing),
    (395, Class::Denied),
    (404, Class::Missing),
    (426, Class::Network),
    (433, Class::Disk),
    (483, Class::Disk),
    (665, Class::TooLarge),
    (1005, Class::Disk),
    (1006, Class::Disk),
    (1104, Class::Disk),
    (1110, Class::Disk),
    (1112, Class::Disk),
    (1127, Class::Disk),
    (1167, Class::Disk),
    (1203, Class::Network),
    (1236, Class::Network),
    (1392, Class::Disk),
    (1393, Class::Disk),
    (1450, Class::Memory),
    (1453, Class::Memory),
    (1455, Class::Memory),
    (4390, Class::Missing),
];

/// The status codes of Windows' kernel that an event log shows.
const NT_STATUS: [(u32, i64); 9] = [
    (0xc000_0022, 5),
    (0xc000_0043, 32),
    (0xc000_007f, 112),
    (0xc000_009c, 23),
    (0xc000_0185, 1117),
    (0xc000_0102, 1392),
    (0xc000_0032, 1393),
    (0xc000_00a2, 19),
    (0xc000_012d, 1455),
];

fn system_number(entry: &str, platform: Platform) -> Option<Found> {
    const OF_WINDOWS: [&str; 6] =
        ["winerror", "win32 error", "win32error", "nativeerrorcode", "getlasterror", "lasterror"];
    const OF_ANY: [&str; 4] = ["os error", "errno", "oserror", "system error"];
    let windows =
        OF_WINDOWS.iter().find_map(|mark| number_behind(entry, mark)).or_else(|| hex_status(entry));
    if let Some(number) = windows {
        return of_number(number, Platform::Windows, entry);
    }
    let number = OF_ANY.iter().find_map(|mark| number_behind(entry, mark))?;
    of_number(number.abs(), platform, entry)
}

/// `0x80070020`, an HRESULT of a Win32 error, or a status of the kernel.
fn hex_status(entry: &str) -> Option<i64> {
    words(entry).find_map(|word| {
        let hex = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"))?;
        let value = u32::from_str_radix(hex, 16).ok()?;
        if value >> 16 == 0x8007 {
            return Some(i64::from(value & 0xffff));
        }
        NT_STATUS.iter().find(|(status, _)| *status == value).map(|(_, number)| *number)
    })
}

fn of_number(number: i64, platform: Platform, entry: &str) -> Option<Found> {
    let raw = i32::try_from(number).ok().filter(|raw| *raw > 0)?;
    if platform == Platform::Windows
        && let Some((_, class)) = WINDOWS.iter().find(|(of, _)| *of == number)
    {
        return Some(Found { class: *class, name: format!("{WINDOWS_ERROR}{raw}"), op: None });
    }
    let name = errno::name(platform, raw);
    let class = class_of_name(&name);
    let told = if errno::is_name(&name) { name } else { format!("error {raw}") };
    Some(named(told, class, entry))
}

/// The events of Windows that tell of a failing disk or a damaged volume, by source and number.
fn event(entry: &str) -> Option<Found> {
    const EVENTS: [(&str, &[i64]); 4] = [
        ("disk", &[7, 11, 15, 51, 52, 153, 154, 157]),
        ("ntfs", &[50, 55, 98, 130, 137, 140]),
        ("volmgr", &[49, 161]),
        ("storahci", &[129]),
    ];
    let lower = entry.to_ascii_lowercase();
    let id = number_behind(&lower, "<eventid>")
        .or_else(|| number_behind(&lower, "event id"))
        .or_else(|| number_behind(&lower, "eventid"));
    let fields: Vec<&str> = lower.split([',', ';', '\t']).map(str::trim).collect();
    EVENTS.iter().find_map(|(source, ids)| {
        let named = lower.contains(&format!("name='{source}'"))
            || lower.contains(&format!("name=\"{source}\""))
            || lower.contains(&format!("source: {source}"))
            || fields.contains(source);
        let in_row =
            || fields.iter().filter_map(|field| field.parse().ok()).find(|id| ids.contains(id));
        let id = id.or_else(in_row).filter(|id| named && ids.contains(id))?;
        let source = if *source == "ntfs" { "Ntfs" } else { source };
        Some(Found {
            class: Class::Disk,
            name: DISK.into(),
            op: Some(format!("event {id} of {source}")),
        })
    })
}
