//! POSIX error numbers. Sources: errno(3) of Linux, `sys/errno.h` of macOS.

use super::Retry;

type Table = &'static [(i32, &'static str)];

const COMMON: Table = &[
    (1, "EPERM"),
    (2, "ENOENT"),
    (4, "EINTR"),
    (5, "EIO"),
    (6, "ENXIO"),
    (9, "EBADF"),
    (12, "ENOMEM"),
    (13, "EACCES"),
    (16, "EBUSY"),
    (17, "EEXIST"),
    (18, "EXDEV"),
    (20, "ENOTDIR"),
    (21, "EISDIR"),
    (22, "EINVAL"),
    (23, "ENFILE"),
    (24, "EMFILE"),
    (26, "ETXTBSY"),
    (27, "EFBIG"),
    (28, "ENOSPC"),
    (30, "EROFS"),
    (31, "EMLINK"),
];

pub(super) const LINUX: Table = &[
    (11, "EAGAIN"),
    (36, "ENAMETOOLONG"),
    (39, "ENOTEMPTY"),
    (40, "ELOOP"),
    (95, "ENOTSUP"),
    (116, "ESTALE"),
    (122, "EDQUOT"),
];

pub(super) const MACOS: Table = &[
    (35, "EAGAIN"),
    (45, "ENOTSUP"),
    (62, "ELOOP"),
    (63, "ENAMETOOLONG"),
    (66, "ENOTEMPTY"),
    (69, "EDQUOT"),
    (70, "ESTALE"),
];

pub(super) fn name(raw: i32, own: Table) -> Option<(&'static str, &'static str)> {
    COMMON.iter().chain(own).find(|(number, _)| *number == raw).map(|(_, name)| (*name, *name))
}

/// EBUSY is permanent: on POSIX a rename or removal fails with it on a mount point, and waiting
/// does not remove a mount point.
pub(super) fn class(code: &str) -> Retry {
    match code {
        "EAGAIN" | "EINTR" | "ETXTBSY" | "ENFILE" | "EMFILE" => Retry::Transient,
        "ENOSPC" | "EDQUOT" => Retry::NoSpace,
        "ENOTSUP" | "EINVAL" | "EXDEV" | "EMLINK" => Retry::Unsupported,
        _ => Retry::Permanent,
    }
}
