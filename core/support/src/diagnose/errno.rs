//! The names of the error numbers of Linux (`errno-base.h`, `errno.h`) and of macOS
//! (`sys/errno.h`). The first is number 1; a number without a name is empty.

use cutover_core::{OsCode, Platform};

#[rustfmt::skip]
const LINUX: &[&str] = &[
    "EPERM", "ENOENT", "ESRCH", "EINTR", "EIO", "ENXIO", "E2BIG", "ENOEXEC", "EBADF", "ECHILD",
    "EAGAIN", "ENOMEM", "EACCES", "EFAULT", "ENOTBLK", "EBUSY", "EEXIST", "EXDEV", "ENODEV",
    "ENOTDIR", "EISDIR", "EINVAL", "ENFILE", "EMFILE", "ENOTTY", "ETXTBSY", "EFBIG", "ENOSPC",
    "ESPIPE", "EROFS", "EMLINK", "EPIPE", "EDOM", "ERANGE", "EDEADLK", "ENAMETOOLONG", "ENOLCK",
    "ENOSYS", "ENOTEMPTY", "ELOOP", "", "ENOMSG", "EIDRM", "ECHRNG", "EL2NSYNC", "EL3HLT", "EL3RST",
    "ELNRNG", "EUNATCH", "ENOCSI", "EL2HLT", "EBADE", "EBADR", "EXFULL", "ENOANO", "EBADRQC",
    "EBADSLT", "", "EBFONT", "ENOSTR", "ENODATA", "ETIME", "ENOSR", "ENONET", "ENOPKG", "EREMOTE",
    "ENOLINK", "EADV", "ESRMNT", "ECOMM", "EPROTO", "EMULTIHOP", "EDOTDOT", "EBADMSG", "EOVERFLOW",
    "ENOTUNIQ", "EBADFD", "EREMCHG", "ELIBACC", "ELIBBAD", "ELIBSCN", "ELIBMAX", "ELIBEXEC",
    "EILSEQ", "ERESTART", "ESTRPIPE", "EUSERS", "ENOTSOCK", "EDESTADDRREQ", "EMSGSIZE",
    "EPROTOTYPE", "ENOPROTOOPT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "ENOTSUP", "EPFNOSUPPORT",
    "EAFNOSUPPORT", "EADDRINUSE", "EADDRNOTAVAIL", "ENETDOWN", "ENETUNREACH", "ENETRESET",
    "ECONNABORTED", "ECONNRESET", "ENOBUFS", "EISCONN", "ENOTCONN", "ESHUTDOWN", "ETOOMANYREFS",
    "ETIMEDOUT", "ECONNREFUSED", "EHOSTDOWN", "EHOSTUNREACH", "EALREADY", "EINPROGRESS", "ESTALE",
    "EUCLEAN", "ENOTNAM", "ENAVAIL", "EISNAM", "EREMOTEIO", "EDQUOT", "ENOMEDIUM", "EMEDIUMTYPE",
    "ECANCELED", "ENOKEY", "EKEYEXPIRED", "EKEYREVOKED", "EKEYREJECTED", "EOWNERDEAD",
    "ENOTRECOVERABLE", "ERFKILL", "EHWPOISON",
];

#[rustfmt::skip]
const MACOS: &[&str] = &[
    "EPERM", "ENOENT", "ESRCH", "EINTR", "EIO", "ENXIO", "E2BIG", "ENOEXEC", "EBADF", "ECHILD",
    "EDEADLK", "ENOMEM", "EACCES", "EFAULT", "ENOTBLK", "EBUSY", "EEXIST", "EXDEV", "ENODEV",
    "ENOTDIR", "EISDIR", "EINVAL", "ENFILE", "EMFILE", "ENOTTY", "ETXTBSY", "EFBIG", "ENOSPC",
    "ESPIPE", "EROFS", "EMLINK", "EPIPE", "EDOM", "ERANGE", "EAGAIN", "EINPROGRESS", "EALREADY",
    "ENOTSOCK", "EDESTADDRREQ", "EMSGSIZE", "EPROTOTYPE", "ENOPROTOOPT", "EPROTONOSUPPORT",
    "ESOCKTNOSUPPORT", "ENOTSUP", "EPFNOSUPPORT", "EAFNOSUPPORT", "EADDRINUSE", "EADDRNOTAVAIL",
    "ENETDOWN", "ENETUNREACH", "ENETRESET", "ECONNABORTED", "ECONNRESET", "ENOBUFS", "EISCONN",
    "ENOTCONN", "ESHUTDOWN", "ETOOMANYREFS", "ETIMEDOUT", "ECONNREFUSED", "ELOOP", "ENAMETOOLONG",
    "EHOSTDOWN", "EHOSTUNREACH", "ENOTEMPTY", "EPROCLIM", "EUSERS", "EDQUOT", "ESTALE", "EREMOTE",
    "EBADRPC", "ERPCMISMATCH", "EPROGUNAVAIL", "EPROGMISMATCH", "EPROCUNAVAIL", "ENOLCK", "ENOSYS",
    "EFTYPE", "EAUTH", "ENEEDAUTH", "EPWROFF", "EDEVERR", "EOVERFLOW", "EBADEXEC", "EBADARCH",
    "ESHLIBVERS", "EBADMACHO", "ECANCELED", "EIDRM", "ENOMSG", "EILSEQ", "ENOATTR", "EBADMSG",
    "EMULTIHOP", "ENODATA", "ENOLINK", "ENOSR", "ENOSTR", "EPROTO", "ETIME", "EOPNOTSUPP",
    "ENOPOLICY", "ENOTRECOVERABLE", "EOWNERDEAD", "EQFULL", "ENOTCAPABLE",
];

/// Other names of the numbers above, and names that only libuv uses.
const ALIASES: &[&str] = &["EWOULDBLOCK", "EDEADLOCK", "EOPNOTSUPP", "ECHARSET", "EOF"];

/// The numbers that libuv has of its own on Windows: `uv/errno.h`.
const LIBUV: &[(i32, &str)] = &[
    (4092, "EACCES"),
    (4088, "EAGAIN"),
    (4083, "EBADF"),
    (4082, "EBUSY"),
    (4081, "ECANCELED"),
    (4075, "EEXIST"),
    (4074, "EFAULT"),
    (4071, "EINVAL"),
    (4070, "EIO"),
    (4068, "EISDIR"),
    (4067, "ELOOP"),
    (4066, "EMFILE"),
    (4064, "ENAMETOOLONG"),
    (4061, "ENFILE"),
    (4058, "ENOENT"),
    (4057, "ENOMEM"),
    (4055, "ENOSPC"),
    (4054, "ENOSYS"),
    (4052, "ENOTDIR"),
    (4051, "ENOTEMPTY"),
    (4049, "ENOTSUP"),
    (4048, "EPERM"),
    (4047, "EPIPE"),
    (4043, "EROFS"),
    (4039, "ETIMEDOUT"),
    (4037, "EXDEV"),
    (4036, "EFBIG"),
    (4033, "ENXIO"),
    (4032, "EMLINK"),
    (4026, "ETXTBSY"),
];

/// Whether a word is the name of an error number. `ERROR` and `EVENT` are not.
pub(super) fn is_name(word: &str) -> bool {
    !word.is_empty() && [LINUX, MACOS, ALIASES].iter().any(|names| names.contains(&word))
}

/// The name of a number.
pub(super) fn name(platform: Platform, number: i32) -> String {
    if let Some((_, name)) = LIBUV.iter().find(|(of, _)| *of == number) {
        return (*name).to_owned();
    }
    let names = match platform {
        Platform::Windows => return OsCode::of(platform, number).code,
        Platform::Linux => LINUX,
        Platform::Macos => MACOS,
    };
    usize::try_from(number)
        .ok()
        .and_then(|number| names.get(number.checked_sub(1)?))
        .filter(|name| !name.is_empty())
        .map_or_else(|| format!("E{number}"), |name| (*name).to_owned())
}
