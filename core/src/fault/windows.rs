//! Windows system error codes. Source: "System Error Codes" of the Windows documentation. The POSIX
//! names are those of libuv. Where libuv says UNKNOWN (303, 1224, 1175 to 1177), cutover has its
//! own.

use super::Retry;

const TABLE: &[(i32, &str, &str)] = &[
    (2, "ENOENT", "ERROR_FILE_NOT_FOUND"),
    (3, "ENOENT", "ERROR_PATH_NOT_FOUND"),
    (4, "EMFILE", "ERROR_TOO_MANY_OPEN_FILES"),
    (5, "EPERM", "ERROR_ACCESS_DENIED"),
    (17, "EXDEV", "ERROR_NOT_SAME_DEVICE"),
    (19, "EROFS", "ERROR_WRITE_PROTECT"),
    (32, "EBUSY", "ERROR_SHARING_VIOLATION"),
    (33, "EBUSY", "ERROR_LOCK_VIOLATION"),
    (39, "ENOSPC", "ERROR_HANDLE_DISK_FULL"),
    (50, "ENOTSUP", "ERROR_NOT_SUPPORTED"),
    (55, "EIO", "ERROR_DEV_NOT_EXIST"),
    (64, "EIO", "ERROR_NETNAME_DELETED"),
    (80, "EEXIST", "ERROR_FILE_EXISTS"),
    (87, "EINVAL", "ERROR_INVALID_PARAMETER"),
    (112, "ENOSPC", "ERROR_DISK_FULL"),
    (121, "ETIMEDOUT", "ERROR_SEM_TIMEOUT"),
    (123, "ENOENT", "ERROR_INVALID_NAME"),
    (145, "ENOTEMPTY", "ERROR_DIR_NOT_EMPTY"),
    (170, "EBUSY", "ERROR_BUSY"),
    (183, "EEXIST", "ERROR_ALREADY_EXISTS"),
    (206, "ENAMETOOLONG", "ERROR_FILENAME_EXCED_RANGE"),
    (223, "EFBIG", "ERROR_FILE_TOO_LARGE"),
    (267, "ENOENT", "ERROR_DIRECTORY"),
    (303, "EBUSY", "ERROR_DELETE_PENDING"),
    (1117, "EIO", "ERROR_IO_DEVICE"),
    (1175, "EIO", "ERROR_UNABLE_TO_REMOVE_REPLACED"),
    (1176, "EIO", "ERROR_UNABLE_TO_MOVE_REPLACEMENT"),
    (1177, "EIO", "ERROR_UNABLE_TO_MOVE_REPLACEMENT_2"),
    (1224, "EBUSY", "ERROR_USER_MAPPED_FILE"),
    (1231, "ENETUNREACH", "ERROR_NETWORK_UNREACHABLE"),
    (1295, "EDQUOT", "ERROR_DISK_QUOTA_EXCEEDED"),
    (1314, "EPERM", "ERROR_PRIVILEGE_NOT_HELD"),
];

pub(super) fn name(raw: i32) -> Option<(&'static str, &'static str)> {
    TABLE.iter().find(|(number, _, _)| *number == raw).map(|(_, code, name)| (*code, *name))
}

/// A rename that replaces an open file fails with 5, so a run waits and tries again, as it does for
/// the other codes of that list.
pub(super) fn class(raw: i32) -> Retry {
    match raw {
        4 | 5 | 32 | 33 | 55 | 64 | 121 | 170 | 303 | 1224 | 1231 => Retry::Transient,
        39 | 112 | 1295 => Retry::NoSpace,
        17 | 50 | 87 => Retry::Unsupported,
        _ => Retry::Permanent,
    }
}
